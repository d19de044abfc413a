// npm's socket.io, as a server (`server UPGRADES PING_MS PORT PEM`) or as a client
// (`client URL TRANSPORTS`, as in polling,websocket). The server does what
// socketio_flask.py does; the client is told what to do by lines of JSON, and
// both tell what happens the same way.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecure } from "node:https";
import { createInterface } from "node:readline";

const dashboard = new URL("../../dashboard/package.json", import.meta.url);
const require = createRequire(dashboard);
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const [mode, ...args] = process.argv.slice(2);

function serve(upgrades, ping, port, pem) {
    const { Server } = require("socket.io");
    const http = pem
        ? createSecure({ cert: readFileSync(pem), key: readFileSync(pem) })
        : createServer();
    const io = new Server(http, { cors: { origin: "*" },
        allowUpgrades: upgrades !== "0", pingInterval: Number(ping || 25000),
        pingTimeout: Number(ping || 20000), maxHttpBufferSize: 1e6 });
    io.on("connection", (socket) => {
        tell({ connected: socket.id,
            transport: socket.conn.transport.name });
        socket.emit("node_info", { node_id: "npm" });
        socket.on("echo", (...values) => socket.emit("echo", ...values));
        socket.on("push", (n) => socket.emit("pushed", "x".repeat(n)));
        socket.on("want_ack", () => socket.emit("ask", { q: 1 },
            (...values) => socket.emit("acked", ...values)));
        socket.on("leave", () => socket.disconnect());
        socket.on("burst", (n) => {
            for (let i = 0; i < n; i++)
                socket.emit("pushed", i);
        });
        socket.on("disconnect", (why) => tell({ closed: why }));
    });
    http.listen(Number(port || 0), "127.0.0.1", () => tell({ listening: http.address().port }));
}

function call(url, transports) {
    const { io } = require("socket.io-client");
    const socket = io(url, { transports: transports.split(","),
        reconnectionDelay: 20, reconnectionDelayMax: 40 });
    socket.on("connect", () => {
        tell({ connected: socket.id,
            transport: socket.io.engine.transport.name });
        socket.io.engine.on("upgrade", (t) => tell({ upgraded: t.name }));
    });
    socket.on("connect_error", (e) => tell({ error: e.message }));
    socket.on("disconnect", (why) => tell({ closed: why }));
    socket.onAny((name, ...values) => tell({ event: name, args: values }));
    createInterface({ input: process.stdin }).on("line", (line) => {
        const order = JSON.parse(line);
        if (order.emit !== undefined)
            for (let i = 0; i < (order.times ?? 1); i++)
                socket.emit(order.emit, ...order.args);
        if (order.ask !== undefined)
            socket.emit(order.ask, ...order.args,
                (...values) => tell({ acked: values }));
        if (order.again) {
            socket.disconnect();
            socket.connect();
        }
        if (order.quit) {
            socket.disconnect();
            process.exitCode = 0;
            process.stdin.destroy();
        }
    });
}

if (mode === "server")
    serve(...args);
else
    call(...args);
