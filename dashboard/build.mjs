// build.mjs OUT - packs the dashboard for the program: one script, one style
// sheet, the page and its icon, the same of the pages of the API, each as gzip,
// and beside them the assembler file that takes their bytes in and the table in C that names them.
//
// Equal sources make equal bytes: no time, no name of a machine.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? "build");

function hash(bytes) {
    return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

const inputs = ["src/index.html", "src/docs/docs.html", "src/icon.svg"].map(
    name => join(here, name));

async function bundle(entry, loader) {
    const made = await build({
        absWorkingDir: here,
        entryPoints: [entry],
        bundle: true,
        minify: true,
        format: "esm",
        target: ["es2021"],
        charset: "utf8",
        legalComments: "none",
        write: false,
        metafile: true,
        jsx: "automatic",
        jsxImportSource: "preact",
        define: { "process.env.NODE_ENV": '"production"' },
        loader,
        outdir: "out",
    });
    for (const name of Object.keys(made.metafile.inputs))
        inputs.push(join(here, name));
    return made.outputFiles[0].contents;
}

const script = await bundle("src/main.tsx", {});
const style = await bundle("src/style.css", {});
const docsScript = await bundle("src/docs/docs.ts", {});
const docsStyle = await bundle("src/docs/docs.css", {});
const icon = readFileSync(join(here, "src/icon.svg"));
const names = {
    "/app.js": `/app-${hash(script)}.js`,
    "/app.css": `/app-${hash(style)}.css`,
    "/docs.js": `/docs-${hash(docsScript)}.js`,
    "/docs.css": `/docs-${hash(docsStyle)}.css`,
};

function pageOf(file) {
    let text = readFileSync(join(here, file), "utf8");
    for (const [name, named] of Object.entries(names))
        text = text.replace(`"${name}"`, `"${named}"`);
    return Buffer.from(text);
}

const page = pageOf("src/index.html");
const docs = pageOf("src/docs/docs.html");

// file, path, type, is its path another when it changes
const pages = [
    ["index.html.gz", "/", "text/html; charset=utf-8", false, page],
    ["app.js.gz", names["/app.js"], "text/javascript; charset=utf-8", true,
        script],
    ["app.css.gz", names["/app.css"], "text/css; charset=utf-8", true, style],
    ["icon.svg.gz", "/icon.svg", "image/svg+xml", false, icon],
    ["docs.html.gz", "/docs", "text/html; charset=utf-8", false, docs],
    ["docs.html.gz", "/redoc", "text/html; charset=utf-8", false, docs],
    ["docs.js.gz", names["/docs.js"], "text/javascript; charset=utf-8", true,
        docsScript],
    ["docs.css.gz", names["/docs.css"], "text/css; charset=utf-8", true,
        docsStyle],
];

mkdirSync(out, { recursive: true });
const assembly = ["    .section .rodata\n"];
const table = [];
pages.forEach(([file, path, type, fixed, bytes], i) => {
    const packed = gzipSync(bytes, { level: 9 });
    packed[9] = 255; // made on no system in particular
    writeFileSync(join(out, file), packed);
    assembly.push(
        `    .global dashboard_${i}\n    .global dashboard_${i}_end\n` +
        `    .hidden dashboard_${i}\n    .hidden dashboard_${i}_end\n` +
        // What a compiler's cache sees of the bytes that are taken in.
        `    .set .Ldashboard_${i}_${hash(packed)}, 0\n` +
        `dashboard_${i}:\n    .incbin "${join(out, file)}"\n` +
        `dashboard_${i}_end:\n    .byte 0\n`);
    table.push({ i, path, type, fixed, etag: hash(bytes) });
});
assembly.push('    .section .note.GNU-stack,"",%progbits\n');
writeFileSync(join(out, "dashboard_bytes.S"), assembly.join(""));
writeFileSync(join(out, "dashboard_table.c"),
    '#include "app/dashboard.h"\n\n' +
    table.map(p => `extern const uint8_t dashboard_${p.i}[], ` +
        `dashboard_${p.i}_end[];\n`).join("") +
    "\nconst struct hub_page dashboard_pages[] = {\n" +
    table.map(p => `    { "${p.path}", "${p.type}", "${p.etag}", ` +
        `${p.fixed}, dashboard_${p.i}, dashboard_${p.i}_end },\n`).join("") +
    `};\nconst size_t dashboard_pages_n = ${table.length};\n`);
writeFileSync(join(out, "dashboard.d"),
    "dashboard_bytes.S: " + [...new Set(inputs)].sort().map(
        name => name.replace(/ /g, "\\ ")).join(" ") + "\n");
