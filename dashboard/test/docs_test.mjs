// The API for people: /docs asks this node, /redoc is to be read.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { COLOURS, examine, narrow } from "./examine.mjs";
import { check, equal, run, shot } from "./world.mjs";

async function at(w, a, path, options = {}) {
    const page = await w.open(a, { signedOut: true, ...options });
    await page.goto(`http://127.0.0.1:${a.port}${path}`);
    await page.getByRole("heading", { level: 1, name: "Syncline API" }).waitFor();
    return page;
}

async function operations(a) {
    const r = await fetch(`http://127.0.0.1:${a.port}/openapi.json`);
    return Object.values((await r.json()).paths).flatMap(
        methods => Object.values(methods).map(op => op.operationId)).sort();
}

async function a_form_asks_the_node(w) {
    const a = await w.node("a");
    const page = await at(w, a, "/docs");
    const every = await operations(a);
    equal((await page.locator("details.operation").evaluateAll(
        all => all.map(one => one.id))).sort(), every, "all operations");

    const put = page.locator("#putItem");
    await put.locator("summary").click();
    await put.getByLabel("space").fill("default");
    await put.getByLabel("key").fill("lamp/hall ü");
    await put.getByLabel("Body", { exact: true }).fill('{"n":12345678901234567}');
    await put.getByRole("button", { name: "Send" }).click();
    await put.getByText(/^401 /).waitFor();
    equal(await a.get("lamp/hall ü"), undefined, "nobody was let in");

    await page.getByLabel("Token").fill(readFileSync(join(a.dir, "token"), "utf8"));
    await put.getByRole("button", { name: "Send" }).click();
    await put.getByText(/^200 /).waitFor();
    check((await put.locator(".curl").textContent()).includes("lamp%2Fhall"), "curl");

    await put.getByRole("row", { name: "version integer" }).waitFor();

    const past = page.locator("#history");
    await past.locator("summary").click();
    await past.getByRole("row", { name: "versions array of Version" }).waitFor();
    await past.getByRole("row", { name: "versions[].device string or null" }).waitFor();
    await past.getByRole("row", { name: "versions[].value any may be missing" }).waitFor();

    const get = page.locator("#getItem");
    await get.locator("summary").click();
    await get.getByLabel("space").fill("default");
    await get.getByRole("button", { name: "Send" }).click();
    await get.getByText("key is needed.").waitFor();
    await get.getByLabel("key").fill("lamp/hall ü");
    await get.getByRole("button", { name: "Send" }).click();
    await get.getByText("12345678901234567").waitFor();
    await get.getByText("etag:").waitFor();

    const watch = page.locator("#watch");
    await watch.locator("summary").click();
    await watch.getByLabel("space").fill("default");
    await watch.getByRole("button", { name: "Send" }).click();
    await watch.getByText("event: live").waitFor();
    await a.put("door", "a value that is seen");
    await watch.getByText("a value that is seen").waitFor();
    await watch.getByRole("button", { name: "Stop" }).click();
    await watch.getByText(", stopped").waitFor();

    await page.getByLabel("Find").fill("audit records");
    equal(await page.locator("details.operation:visible").evaluateAll(
        all => all.map(one => one.id)), ["listAuditRecords"], "found");
    equal(page.complaints, [], "the page complains");
}

async function all_of_it_can_be_read(w) {
    const a = await w.node("a");
    const page = await at(w, a, "/redoc");
    equal((await page.locator("article.read").evaluateAll(
        all => all.map(one => one.id))).sort(), await operations(a), "all operations");
    await page.getByRole("navigation", { name: "Operations" })
        .getByRole("link", { name: "patchItem" }).click();
    await page.locator("#patchItem").getByText("application/json-patch+json").waitFor();
    // Every answer that is said to be of a kind is shown with its members.
    const doc = await (await fetch(`http://127.0.0.1:${a.port}/openapi.json`)).json();
    for (const op of Object.values(doc.paths).flatMap(m => Object.values(m))) {
        const said = Object.values(op.responses)[0].content["application/json"]?.schema.$ref;
        const members = said === undefined ? {}
            : doc.components.schemas[said.split("/").at(-1)].properties;
        for (const name of Object.keys(members))
            equal(await page.locator(`#${op.operationId} table`).last()
                .getByRole("rowheader", { name, exact: true }).count(), 1,
            `${op.operationId}: ${name}`);
    }
    await page.locator("#patchItem").getByRole("link", { name: "Try it" }).click();
    await page.locator("#patchItem[open]").waitFor();
    equal(page.complaints, [], "the page complains");
}

async function everybody_can_use_them(w) {
    const a = await w.node("a");
    for (const [width, scheme] of [[1440, "light"], [1440, "dark"], [360, "dark"]])
        for (const path of ["/docs", "/redoc"]) {
            const page = await at(w, a, path, { bypassCSP: true, colorScheme: scheme,
                viewport: { width, height: 800 } });
            if (path === "/docs")
                for (const id of ["patchItem", "listItems"])
                    await page.locator(`#${id} summary`).click();
            await shot(page, `${path.slice(1)}-${width}-${scheme}`);
            await narrow(page, `${path} ${width}`);
            await examine(page, `${path} ${width} ${scheme}`,
                width > 500 && scheme === "dark" ? COLOURS : undefined);
            await page.context().close();
        }
}

await run([a_form_asks_the_node, all_of_it_can_be_read, everybody_can_use_them]);
