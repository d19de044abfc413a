// The older pages of iSync, as a browser shows them at the face's own port: what
// their forms do, what they say of it, and how they look.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { examine, narrow } from "./examine.mjs";
import { go, quiet } from "./steps.mjs";
import { check, equal, run, shot, waitFor } from "./world.mjs";

const PAGES = ["/", "/peers", "/config", "/config/edit/max_peers", "/isync",
    "/isync/config"];

async function gateway(w, name, ...flags) {
    const node = await w.node(name, "--isync.enabled", "true", "--isync.port",
        "0", "--isync.dial_max", "1s", ...flags);
    node.isync = `http://127.0.0.1:${(await node.json("isync")).port}`;
    return node;
}

async function look(w, node, options = {}) {
    const page = await w.open(node, { ...options, signedOut: true });
    page.removeAllListeners("request");
    page.on("request", r => {
        if (!r.url().startsWith(node.isync + "/"))
            page.complaints.push("asks elsewhere: " + r.url());
    });
    return page;
}

const note = page => page.getByRole("status");
const press = (page, name) => page.getByRole("button", { name, exact: true })
    .click();

// What is pressed is done, and the page says so; what cannot be done, too.
async function forms_do_what_they_say(w) {
    const a = await gateway(w, "a", "--isync.pages", "local");
    await a.do("isync", "key");
    const token = () => readFileSync(join(a.dir, "isync.token"), "utf8")
        .split("\n")[0];
    const b = await gateway(w, "b", "--isync.token", token());
    const page = await look(w, a);

    await page.goto(a.isync + "/");
    await press(page, "Sync now");
    await page.getByText("there is nobody to tell").waitFor();
    await page.getByRole("link", { name: "Peers" }).click();
    await page.getByText("No node is connected").waitFor();
    await page.getByLabel("URL").fill("garbage");
    await press(page, "Connect");
    await note(page).getByText("Not added: no URL of an iSync node").waitFor();
    await page.getByLabel("URL").fill(b.isync);
    await press(page, "Connect");
    await note(page).getByText(`${b.isync} is called from now on.`).waitFor();
    await waitFor("it is connected", async () => {
        await page.reload();
        return await page.getByRole("cell", { name: "connected", exact: true })
            .count() === 1;
    });
    equal(await note(page).count(), 0, "it is said once");
    await shot(page, "isync-peers");

    await page.getByRole("link", { name: "iControl" }).click();
    await press(page, "Sync now");
    await note(page).getByText("All is said to 1 node now.").waitFor();
    await press(page, "Disable");
    await note(page).getByText("Disabled").waitFor();
    check((await a.json("isync")).paused, "it is paused");
    await shot(page, "isync-disabled");
    await press(page, "Enable");
    await note(page).getByText("Enabled").waitFor();
    check(!(await a.json("isync")).paused, "it goes on");

    await page.getByRole("link", { name: "Configuration" }).click();
    await page.getByRole("link", { name: "Edit max_peers" }).click();
    await page.getByLabel("Value").fill("many");
    await press(page, "Save");
    await note(page).getByText("Not saved: isync.max_peers").waitFor();
    await page.getByRole("link", { name: "Edit max_peers" }).click();
    await page.getByLabel("Value").fill("7");
    await press(page, "Save");
    await note(page).getByText("Saved.").waitFor();
    await page.getByRole("cell", { name: "7", exact: true }).waitFor();

    await page.getByRole("link", { name: "Settings" }).click();
    equal(await page.getByLabel("Peers, with").inputValue(), b.isync, "peers");
    await page.getByLabel("Peers, with").fill("");
    await page.getByLabel("Token").fill("another");
    await page.getByLabel("Look for peers").uncheck();
    await press(page, "Save");
    await note(page).getByText("The token is another now").waitFor();
    equal(token(), "another", "the file");
    check(!await page.getByLabel("Look for peers").isChecked(), "the tick");
    equal((await a.json("isync")).peers, [], "nobody is called");
    equal(page.complaints, [], "the page complains");
}

// Where pages may only be looked at, nothing is there to be pressed in vain.
async function who_may_only_look_is_told_so(w) {
    const a = await gateway(w, "a", "--isync.token", "t", "--isync.peers",
        "http://127.0.0.1:9");
    const page = await look(w, a);
    for (const path of PAGES) {
        await page.goto(a.isync + path);
        await page.getByText("only to be looked at").waitFor();
        equal(await page.getByRole("textbox").count(), 0, path);
        for (const name of await page.getByRole("button").allTextContents())
            equal(name, "Sync now", path);
    }
    await page.goto(a.isync + "/isync");
    await press(page, "Sync now");
    await note(page).getByText("nobody to tell").waitFor();
    equal(page.complaints, [], "the page complains");
    const answer = await fetch(a.isync + "/isync/toggle", { method: "POST" });
    equal(answer.status, 403, "by hand");
}

// On the dashboard, too: who it is, where, whether it is there and since when.
async function the_dashboard_shows_who_is_connected(w) {
    const a = await gateway(w, "a", "--isync.token", "t");
    const secret = join(w.folder, "secret");
    writeFileSync(secret, "a secret of the nodes\n", { mode: 0o600 });
    const lan = ["--lansync.enabled", "true", "--lansync.secret_file", secret,
        "--lansync.port", "0", "--lansync.discovery", "false"];
    const other = await w.node("other", ...lan); // of another mesh
    const { port } = (await other.json("status")).lansync;
    const b = await gateway(w, "b", "--isync.token", "t", "--isync.peers",
        `${a.isync},http://127.0.0.1:9`, "--configsync.server", "false",
        "--configsync.peers", "ws://127.0.0.1:9/sync", ...lan,
        "--lansync.peers", `127.0.0.1:9,127.0.0.1:${port}`);
    const nodes = async page => {
        await go(page, "Devices");
        return page.getByRole("list", { name: "Older systems" })
            .getByRole("listitem");
    };
    const there = await w.open(b), here = await w.open(a);
    const wrong = join(w.folder, "another-secret");
    writeFileSync(wrong, "another one of the nodes\n", { mode: 0o600 });
    const door = (await b.json("status")).lansync.port;
    const out = await w.node("out", "--lansync.enabled", "true",
        "--lansync.secret_file", wrong, "--lansync.port", "0",
        "--lansync.discovery", "false", "--lansync.node_id", "stranger",
        "--lansync.peers", `127.0.0.1:${door}`);
    const refused = (await nodes(there)).filter({ hasText: "stranger" });
    await refused.getByText("refused", { exact: true }).waitFor();
    await refused.getByText("it does not say the secret that we have")
        .waitFor();
    const spanish = await w.open(b, { locale: "es-ES" });
    await spanish.getByRole("link", { name: "Dispositivos" }).click();
    await spanish.getByText("no dice el secreto que tenemos").waitFor();
    await spanish.goto("about:blank");
    await out.stop();
    const called = (await nodes(there)).filter({ hasText: a.isync });
    await called.getByText("connected", { exact: true }).waitFor();
    await called.getByText("iSync", { exact: true }).waitFor();
    await called.getByText("last heard").waitFor();
    const gone = (await nodes(there)).filter({ hasText: "http://127.0.0.1:9" });
    await gone.getByText("not connected").waitFor();
    await gone.getByText("connection refused").waitFor();
    for (const [kind, at] of [["LAN sync", "127.0.0.1:9"],
        ["config sync", "127.0.0.1:9"]])
        await (await nodes(there)).filter({ hasText: kind })
            .filter({ hasText: at }).getByText("not connected").waitFor();
    const met = (await nodes(there)).filter({ hasText: `127.0.0.1:${port}` });
    await met.getByText("LAN sync", { exact: true }).waitFor();
    await met.getByText("other", { exact: true }).waitFor();
    await met.getByText("connected", { exact: true }).waitFor();
    await met.getByText("last heard").waitFor();
    await shot(there, "devices-older");
    const caller = await nodes(here);
    await caller.getByText((await b.json("isync")).node_id).waitFor();
    await examine(there, "devices with older systems");
    await there.setViewportSize({ width: 320, height: 800 });
    await narrow(there, "devices with older systems");
    await there.goto("about:blank");
    await b.stop();
    await here.getByText("No node of an older system").waitFor();
    await quiet(here, there);
    const plain = await w.open(await w.node("c"));
    await go(plain, "Devices");
    await plain.getByText("No other device yet").waitFor();
    equal(await plain.getByText("Older systems").count(), 0, "none is served");
}

// Wide and narrow, in light and dark; the style is what the policy lets in.
async function they_fit_and_all_can_use_them(w) {
    const a = await gateway(w, "a", "--isync.pages", "local", "--isync.peers",
        "http://127.0.0.1:9,http://a-name-that-is-rather-long.example:5342");
    await waitFor("there is trouble", async () =>
        (await a.json("isync")).peers[0].trouble);
    for (const [width, colorScheme] of [[1280, "light"], [320, "dark"]]) {
        const page = await look(w, a, { colorScheme,
            viewport: { width, height: 800 } });
        for (const path of PAGES) {
            const at = `${path} ${width} ${colorScheme}`;
            await page.goto(a.isync + path);
            await narrow(page, at);
            await examine(page, at);
            const [back] = await page.evaluate(() => getComputedStyle(
                document.body).backgroundColor.match(/\d+/g).map(Number));
            check(colorScheme === "dark" ? back < 64 : back > 192, at);
            await shot(page, `isync${path.replace(/\W/g, "-")}-${width}`);
        }
        equal(page.complaints, [], "the page complains");
    }
}

await run([forms_do_what_they_say, who_may_only_look_is_told_so,
    the_dashboard_shows_who_is_connected, they_fit_and_all_can_use_them]);
