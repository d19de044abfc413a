// What LAN-sync nodes say of themselves, and write, is text wherever the
// dashboard shows it: of who is in, and of who is refused.
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { items, quiet } from "./steps.mjs";
import { check, equal, run, waitFor } from "./world.mjs";

const SECRET = "a secret of all LAN-sync nodes";
const BAD = `"><img src=x onerror="document.title='taken'">`
    + `<a href="javascript:document.title='taken'">`;

// As Python prints it, for what is text, a number or true.
function sorted(v) {
    if (Array.isArray(v))
        return "[" + v.map(sorted).join(",") + "]";
    if (v === null || typeof v !== "object")
        return JSON.stringify(v);
    return "{" + Object.keys(v).sort().map(
        k => JSON.stringify(k) + ":" + sorted(v[k])).join(",") + "}";
}

function say(socket, name, type, payload) {
    const message = {
        message_type: type, payload, message_id: randomUUID(),
        timestamp: new Date().toISOString().slice(0, -1),
        nonce: randomBytes(16).toString("hex"),
        source: { node_id: name, node_name: name },
    };
    message.signature = createHmac("sha256", SECRET).update(sorted(message))
        .digest("hex");
    const body = Buffer.from(JSON.stringify(message));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    socket.write(Buffer.concat([head, body]));
}

async function caller(port, name, token) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    say(socket, name, "AUTH_REQUEST", { token, request_id: "r" });
    return socket;
}

function write(socket, item_id, value, more) {
    say(socket, BAD, "SYNC_DATA", { request_id: "r", items: [{
        item_id, data: { [BAD]: value }, version: 1, node_id: BAD,
        created_at: new Date().toISOString().slice(0, -1), ...more }] });
}

async function shows_text_only(page, at) {
    await page.goto(at);
    await page.getByText("onerror").first().waitFor();
    equal(await page.locator("img:not([src='/icon.svg']), a[href^=javascript]")
        .count(), 0, at + ": markup of others");
}

async function what_lan_sync_nodes_say_is_inert(w) {
    const secret = join(w.folder, "secret");
    writeFileSync(secret, SECRET, { mode: 0o600 });
    const a = await w.node("a", "--lansync.enabled", "true",
        "--lansync.secret_file", secret, "--lansync.port", "0",
        "--lansync.discovery", "false");
    const { port } = (await a.json("status")).lansync;
    const page = await w.open(a);

    const inside = await caller(port, BAD, SECRET);
    write(inside, BAD, BAD);
    write(inside, BAD, BAD + 2); // a conflict
    write(inside, "gone" + BAD, BAD, { item_type: BAD });
    await waitFor("a conflict", async () =>
        (await a.json("conflicts")).length === 1);
    const outside = await caller(port, BAD + 2, "wrong");
    outside.end();
    await waitFor("it is refused", async () =>
        (await a.json("status")).lansync.refused.length === 1);
    const pages = ["conflicts", "devices", "errors"].map(
        name => `http://127.0.0.1:${a.port}/#/${name}`);
    for (const at of [...pages, items(a, "lan"), items(a, "lan", BAD),
        items(a, "lan", BAD) + "/history"])
        await shows_text_only(page, at);
    check(!(await page.title()).includes("taken"), "it ran");
    await quiet(page);
    inside.destroy();
}

await run([what_lan_sync_nodes_say_is_inert]);
