// Real daemons and a real browser for tests: started, driven, ended. What is
// awaited is awaited by its condition; every process is ended by its own
// handle, and every wait has a limit.
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, closeSync, rmSync, existsSync, mkdirSync,
    readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

export const PATIENCE = 60000; // of a machine that does much else
const PROGRAM = process.env.SYNCLINE;
const SHOTS = process.env.SYNCLINE_SHOTS;
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome"];
const QUICK = ["--dial.max", "500ms", "--heartbeat.interval", "1s",
    "--heartbeat.silence", "5s", "--discovery", "false"];

export function browserPath() {
    return BROWSERS.find(existsSync);
}

export async function waitFor(what, condition, patience = PATIENCE) {
    const end = Date.now() + patience;
    for (;;) {
        const value = await condition();
        if (value)
            return value;
        if (Date.now() > end)
            throw new Error(`${what}: not within ${patience} ms`);
        await new Promise(done => setTimeout(done, 25));
    }
}

export function equal(got, want, what) {
    if (JSON.stringify(got) !== JSON.stringify(want))
        throw new Error(`${what}: ${JSON.stringify(got)}, not `
            + JSON.stringify(want));
}

export function check(condition, what) {
    if (!condition)
        throw new Error(what);
}

function listens(server, ...at) {
    return new Promise(done => {
        server.once("error", () => done(false));
        server.listen(...at, () => done(true));
    });
}

// That stays a node's over restarts: below the ports that the system gives to
// those who connect, and no other test's that runs at the time (as in
// test/e2e/proxy.py).
async function freePort() {
    for (;;) {
        const port = 12000 + Math.floor(Math.random() * 20000);
        const claim = createServer().unref(), server = createServer();
        if (await listens(claim, `\0syncline-test-port-${port}`)
            && await listens(server, port, "127.0.0.1")) {
            await new Promise(done => server.close(done));
            return port;
        }
    }
}

function surroundings() {
    const env = { ...process.env, TZ: "UTC" };
    for (const name of Object.keys(env))
        if (/^(SYNCLINE_|LAN_SYNC_|AICLEANER_|LOG_LEVEL)/.test(name))
            delete env[name];
    return env;
}

class Node {
    constructor(world, name, port, flags) {
        this.world = world;
        this.flags = flags;
        this.name = name;
        this.port = port;
        this.dir = join(world.folder, name);
        this.log = this.dir + ".log";
    }

    async start() {
        const log = openSync(this.log, "a");
        this.process = spawn(PROGRAM, ["up", "--dir", this.dir, "--name",
            this.name, "--listen", `127.0.0.1:${this.port}`, ...QUICK,
            ...this.flags],
        { stdio: ["ignore", log, log], env: surroundings() });
        closeSync(log);
        this.ended = new Promise(done => this.process.once("exit", done));
        this.world.started.push(this);
        await waitFor(`${this.name} starts`, async () => {
            if (this.process.exitCode !== null)
                throw new Error(`${this.name} ended: `
                    + readFileSync(this.log, "utf8").slice(-1000));
            return (await this.cli("status")).code === 0;
        });
        return this;
    }

    async stop() {
        if (this.process.exitCode === null && this.process.signalCode === null)
            this.process.kill("SIGTERM");
        await this.ended;
    }

    cli(...args) {
        return new Promise((done, fail) => {
            const p = spawn(PROGRAM, [...args, "--dir", this.dir], {
                stdio: ["ignore", "pipe", "pipe"], env: surroundings(),
                timeout: 2 * PATIENCE,
            });
            let out = "", err = "";
            p.stdout.on("data", x => out += x);
            p.stderr.on("data", x => err += x);
            p.once("error", fail);
            p.once("close", code => done({ code, out, err }));
        });
    }

    async do(...args) {
        const { code, out, err } = await this.cli(...args);
        check(code === 0, `syncline ${args.join(" ")}: ${code} ${err}`);
        return out;
    }

    async json(...args) {
        return JSON.parse(await this.do(...args, "--json"));
    }

    // What the HTTP API says, by the token of this account.
    async api(at, method = "GET", body = undefined) {
        const r = await fetch(`http://127.0.0.1:${this.port}${at}`, {
            method, headers: {
                Authorization: "Bearer "
                    + readFileSync(join(this.dir, "token"), "utf8").trim(),
                ...body === undefined ? {}
                    : { "Content-Type": "application/json" },
            }, body: body === undefined ? undefined : JSON.stringify(body),
        });
        const told = await r.json();
        check(r.ok, `${method} ${at}: ${r.status} ${told.detail}`);
        return told;
    }

    put(key, value, space = "default") {
        return this.do("put", space, key, JSON.stringify(value));
    }

    async get(key, space = "default") {
        const { code, out } = await this.cli("get", space, key);
        return code === 0 ? JSON.parse(out) : undefined;
    }

    async link() {
        return (await this.do("dashboard")).trim();
    }

    async connected() {
        return (await this.json("peers")).peers
            .filter(p => p.state === "connected").map(p => p.name);
    }

    async joins(other) {
        await this.do("join", (await other.do("invite", "--no-qr")).trim());
        await waitFor(`${this.name} is connected with ${other.name}`,
            async () => (await this.connected()).includes(other.name));
    }
}

export class World {
    constructor(browser) {
        this.browser = browser;
        this.contexts = [];
        this.folder = mkdtempSync(join(tmpdir(), "syncline-browser-"));
        this.started = [];
    }

    async node(name, ...flags) {
        return new Node(this, name, await freePort(), flags).start();
    }

    // A browser of its own, signed in at a node by the link that is printed.
    async open(node, options = {}) {
        const context = await this.browser.newContext({
            viewport: { width: 1440, height: 900 }, locale: "en-GB",
            reducedMotion: "reduce", ...options,
        });
        this.contexts.push(context);
        context.setDefaultTimeout(PATIENCE);
        const page = await context.newPage();
        page.complaints = [];
        page.on("pageerror", e => page.complaints.push(String(e)));
        page.on("console", m => {
            // A refusal that a page is shown is told there, too.
            if (m.type() === "error"
                && !/Failed to load resource/.test(m.text()))
                page.complaints.push(m.text());
        });
        page.on("request", r => {
            if (!/^(data:|blob:)/.test(r.url())
                && new URL(r.url()).host !== `127.0.0.1:${node.port}`)
                page.complaints.push("asks elsewhere: " + r.url());
        });
        if (!options.signedOut) {
            await page.goto(await node.link());
            await page.locator("main#main").waitFor();
        }
        return page;
    }

    async close() {
        for (const context of this.contexts)
            await context.close();
        await Promise.all(this.started.map(node => node.stop()));
        rmSync(this.folder, { recursive: true, force: true });
    }
}

// A picture of a page for whoever looks at it, in the build directory.
export async function shot(page, name, fullPage = true) {
    if (!SHOTS)
        return;
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, name + ".png"),
        fullPage });
}

function browse() {
    return chromium.launch({
        executablePath: browserPath(),
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"],
    });
}

async function tell(story, browser) {
    const world = new World(browser), from = Date.now();
    try {
        await story(world);
        return [`ok - ${story.name} # ${Date.now() - from} ms`];
    } catch (e) {
        return [`not ok - ${story.name}`,
            ...String(e.stack ?? e).split("\n").map(line => "# " + line)];
    } finally {
        await world.close();
    }
}

// Runs the stories, two at a time, and prints TAP: most of what a story does is
// to wait. Those that measure are `alone`, before the others.
export async function run(stories, alone = []) {
    if (!PROGRAM || !browserPath()) {
        console.log("1..0 # SKIP no binary in SYNCLINE, or no chromium");
        return;
    }
    const only = process.argv[2];
    const [first, rest] = [alone, stories].map(list =>
        list.filter(s => !only || s.name.includes(only)));
    console.log(`1..${first.length + rest.length}`);
    const browser = await browse();
    const lane = async waiting => {
        for (let story; (story = waiting.shift()) !== undefined;) {
            const lines = await tell(story, browser);
            console.log(lines.join("\n"));
            if (lines[0].startsWith("not"))
                process.exitCode = 1;
        }
    };
    await lane(first);
    await Promise.all([lane(rest), lane(rest)]);
    await browser.close();
}
