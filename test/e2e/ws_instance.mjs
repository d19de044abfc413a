// A config-sync instance on npm's ws, as a client (`client URL NAME TOKEN
// DEFLATE`) or as a hub (`hub DEFLATE`). It is told what to do by lines of JSON
// and tells what happens the same way; rules are those of the older programs:
// six members and no other, the hub passes on and says nothing itself.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const dashboard = new URL("../../dashboard/package.json", import.meta.url);
const { WebSocket, WebSocketServer } = createRequire(dashboard)("ws");
const LIMIT = 4 << 20;
const MEMBERS = ["type", "timestamp", "instance_id", "config_hash"];
const DEFAULTS = { config_data: null,
    conflict_resolution: "last_write_wins" };

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

// As the older system prints what it hashes, for what these tests hold.
function sorted(v) {
    if (Array.isArray(v))
        return "[" + v.map(sorted).join(", ") + "]";
    if (v !== null && typeof v === "object")
        return "{" + Object.keys(v).sort().map(
            (k) => sorted(k) + ": " + sorted(v[k])).join(", ") + "}";
    return JSON.stringify(v).replace(/[\u007f-\uffff]/g, (c) =>
        "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

const md5 = (v) => createHash("md5").update(sorted(v)).digest("hex");

function read(data, isBinary) {
    if (isBinary)
        throw new Error("not text");
    const said = JSON.parse(data.toString());
    for (const name of Object.keys(said))
        if (!MEMBERS.includes(name) && !(name in DEFAULTS))
            throw new Error("unexpected member: " + name);
    for (const name of MEMBERS)
        if (!(name in said))
            throw new Error("missing: " + name);
    return { ...Object.fromEntries(MEMBERS.map((n) => [n, said[n]])),
        ...DEFAULTS, ...said };
}

const orders = (take) => createInterface({ input: process.stdin })
    .on("line", (line) => take(JSON.parse(line)))
    .on("close", () => process.exit(0));

function client(url, name, token, deflate) {
    const ws = new WebSocket(url, { maxPayload: LIMIT,
        perMessageDeflate: deflate === "yes",
        headers: token ? { Authorization: "Bearer " + token } : {} });
    let config = { x: 0 }, lastSync = 0;
    const message = (type, data, at) => JSON.stringify({ type,
        timestamp: at ?? Date.now() / 1000, instance_id: name,
        config_hash: data ? md5(data) : "", config_data: data ?? null,
        conflict_resolution: "last_write_wins" });

    ws.on("open", () => tell({ open: ws.extensions }));
    ws.on("unexpected-response", (_, r) => tell({ refused: r.statusCode }));
    ws.on("error", (why) => tell({ error: String(why) }));
    ws.on("pong", () => tell({ pong: true }));
    ws.on("close", (code) => tell({ closed: code }));
    ws.on("message", (data, isBinary) => {
        let said;
        try {
            said = read(data, isBinary);
        } catch (why) { // an original drops the connection
            tell({ broken: String(why) });
            ws.terminate();
            return;
        }
        if (said.type === "config_update" && said.config_data &&
            said.instance_id !== name && said.timestamp > lastSync &&
            said.config_hash !== md5(config)) {
            config = said.config_data;
            lastSync = Date.now() / 1000;
        }
        tell({ heard: data.toString(), config });
    });
    orders((o) => {
        if (o.change)
            ws.send(message("config_update", config = o.change, o.at));
        if (o.pieces) {
            const text = message("config_update", config = o.pieces);
            const half = text.length >> 1;
            ws.send(text.slice(0, half), { fin: false });
            ws.ping();
            ws.send(text.slice(half), { fin: true });
        }
        if (o.request)
            ws.send(message("config_request"));
        if (o.text !== undefined)
            ws.send(o.text);
        if (o.blanks)
            ws.send(message("heartbeat") + " ".repeat(o.blanks));
        if (o.close)
            ws.close(o.close);
    });
}

function hub(deflate) {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0,
        path: "/sync", maxPayload: LIMIT,
        perMessageDeflate: deflate === "yes" });

    server.on("listening", () => tell({ port: server.address().port }));
    server.on("connection", (ws, request) => {
        tell({ come: request.headers["sec-websocket-extensions"] ?? null,
            agreed: ws.extensions });
        ws.on("close", (code) => tell({ left: code }));
        ws.on("error", (why) => tell({ error: String(why) }));
        ws.on("message", (data, isBinary) => {
            let said;
            try {
                said = read(data, isBinary);
            } catch (why) {
                tell({ dropped: String(why) });
                return;
            }
            tell({ seen: said.type, from: said.instance_id });
            if (said.type === "config_update")
                for (const other of server.clients)
                    if (other !== ws)
                        other.send(JSON.stringify(said));
        });
    });
    orders((o) => {
        for (const ws of server.clients)
            if (o.close)
                ws.close(o.close);
            else if (o.ping)
                ws.ping();
    });
}

const [role, ...args] = process.argv.slice(2);
(role === "hub" ? hub : client)(...args);
