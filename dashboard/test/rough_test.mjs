// What comes in the way of a page: answers that fail, break off or are late,
// texts that are not what they look like, and screens that are small.
import { writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import { join } from "node:path";

import { narrow } from "./examine.mjs";
import { apart, badge, editor, go, items, quiet } from "./steps.mjs";
import { check, equal, run, shot, waitFor } from "./world.mjs";

// Each space's policy is its own: one that is late is not shown as another
// one, and one that fails is told where it belongs.
async function policies_are_shown_when_they_are_known(w) {
    const a = await w.node("a");
    for (const space of ["late", "lost", "notes"])
        await a.do("space", "add", space);
    for (const space of ["late", "notes"])
        await a.api(`/v1/spaces/${space}/policy`, "PUT",
            { prefix: "", policy: "manual" });
    const page = await w.open(a);
    let arrive, failing = true;
    const late = new Promise(done => arrive = done);
    await page.route(/policies\?space=late/, async route => {
        await late;
        await route.continue();
    });
    await page.route(/policies\?space=lost/, route =>
        failing ? route.abort() : route.continue());
    await go(page, "Settings");
    const policy = space => page.getByLabel("Conflicts in " + space);
    await waitFor("one is known", async () =>
        await policy("notes").inputValue() === "manual");
    check(await policy("notes").isEnabled(), "it can be changed");
    check(await policy("late").isDisabled(), "one that is late cannot");
    equal(await policy("late").locator("option").allTextContents(),
        ["Loading…"], "and is nothing yet");
    const row = page.getByRole("listitem").filter({ hasText: "lost" });
    await row.getByText("The node does not answer").waitFor();
    equal(await policy("lost").count(), 0, "one that failed is not shown");
    arrive();
    await waitFor("it is known, too", async () =>
        await policy("late").inputValue() === "manual");
    failing = false;
    await row.getByRole("button", { name: "Try again" }).click();
    await waitFor("and the other one", async () =>
        await policy("lost").inputValue() === "lww");

    // A choice that is refused is told there, and is not shown.
    await page.route(/spaces\/notes\/policy/, route => route.abort());
    await policy("notes").selectOption("merge");
    await page.getByRole("listitem").filter({ hasText: "notes" })
        .getByText("The node does not answer").waitFor();
    await waitFor("what is in force is shown", async () =>
        await policy("notes").inputValue() === "manual");
    await quiet(page);
}

async function a_node_that_is_away_is_told_by_a_sentence(w) {
    const a = await w.node("a");
    await a.put("lamp", { on: true });
    const page = await w.open(a);
    await page.goto(items(a, "default", "lamp"));
    await editor(page).fill('{"on": false}');
    await a.stop();
    await page.getByRole("button", { name: "Save" }).click();
    // Other parts of the page may say it as well.
    await page.locator("form").getByText("The node does not answer. "
        + "Is it running?").waitFor();
    equal(await editor(page).inputValue(), '{"on": false}', "mine is kept");
    await page.getByRole("button", { name: "Discard" }).click();
    for (const at of ["mesh", "devices", "errors", "conflicts", "files",
        "settings"]) {
        await page.evaluate(to => location.hash = to, "#/" + at);
        await page.getByRole("alert").first().waitFor();
        await waitFor(at + " does not say that it loads", async () =>
            await page.locator(".loading").count() === 0);
    }
}

// A way to the node that can break off in the midst of an answer. It asks by
// the node's own name, which is as long as its own.
async function wayTo(node, way) {
    const server = createServer(near => {
        const far = connect(node.port, "127.0.0.1");
        let cutting = false;
        near.on("error", () => {});
        far.on("error", () => near.destroy());
        near.on("close", () => far.destroy());
        far.on("close", () => near.destroy());
        near.on("data", bytes => {
            const text = bytes.toString("latin1");
            cutting = way.cut !== null && way.cut.test(text);
            far.write(text.replaceAll(`127.0.0.1:${way.port}`,
                `127.0.0.1:${node.port}`), "latin1");
        });
        far.on("data", bytes => {
            if (!cutting)
                return void near.write(bytes);
            near.end(bytes.subarray(0, bytes.indexOf("\r\n\r\n") + 5));
        });
    });
    await new Promise(done => server.listen(0, "127.0.0.1", done));
    way.port = server.address().port;
    check(String(way.port).length === String(node.port).length, "as long");
    return server;
}

async function an_answer_that_breaks_off_is_told_by_a_sentence(w) {
    const a = await w.node("a");
    await a.put("lamp", { on: true });
    const way = { cut: null };
    const server = await wayTo(a, way);
    try {
        const page = await w.open({ port: way.port, link: async () =>
            (await a.link()).replace(`:${a.port}/`, `:${way.port}/`) });
        await page.getByText("lamp").waitFor();
        way.cut = /^GET \/v1\/doctor/;
        await go(page, "Errors");
        await page.getByText("The node's answer broke off").waitFor();
        way.cut = null;
        await page.getByRole("button", { name: "Try again" }).click();
        await page.getByText("The node's answer broke off")
            .waitFor({ state: "detached" });
        await page.getByRole("listitem").filter({ hasText: "disk" }).first()
            .waitFor();
        await quiet(page);
    } finally {
        server.close();
    }
}

// What is checked before it is sent is told by the page, in its language.
async function what_is_wrong_is_said_in_the_pages_language(w) {
    const a = await w.node("a");
    const page = await w.open(a, { locale: "es-ES" });
    await page.goto(`http://127.0.0.1:${a.port}/#/settings`);
    await page.getByLabel("Nombre de un espacio nuevo").fill("no así");
    await page.getByRole("button", { name: "Añadir espacio" }).click();
    await page.getByText("De 1 a 64 letras").waitFor();
    await page.getByLabel("Nombre de un espacio nuevo").fill("notas");
    equal(await page.getByText("De 1 a 64 letras").count(), 0, "it goes");
    await page.getByRole("button", { name: "Añadir espacio" }).click();
    await page.getByRole("link", { name: "notas" }).waitFor();
    await page.getByRole("button", { name: "Nuevo token" }).click();
    await page.getByLabel("Nombre", { exact: true }).fill("¿?");
    await page.getByRole("button", { name: "Crear" }).click();
    await page.getByRole("dialog").getByText("De 1 a 64 letras").waitFor();
    equal((await a.json("token", "list")).tokens.length, 1, "none is made");
    await quiet(page);
}

// What is read from there waits until that is called.
async function heldBack(page, url) {
    let letGo;
    const gone = new Promise(done => { letGo = done; });
    await page.route(url, async route => {
        if (route.request().method() === "GET")
            await gone;
        await route.continue();
    });
    return letGo;
}

// A port that somebody else has: it is saved, and what was there stays.
async function an_option_that_does_not_hold_is_told(w) {
    const file = join(w.folder, "a.yaml");
    const taken = createServer();
    await new Promise(done => taken.listen(0, "127.0.0.1", done));
    try {
        writeFileSync(file, "isync:\n  enabled: true\n  port: 0\n");
        const a = await w.node("a", "--config", file);
        const page = await w.open(a);
        await go(page, "Settings");
        await page.getByLabel("Find an option").fill("isync.port");
        const letGo = await heldBack(page, "**/v1/config");
        await page.getByLabel("isync.port").fill(String(taken.address().port));
        await page.getByRole("button", { name: "Save" }).click();
        await page.getByRole("alert").filter({
            hasText: "choose another port (isync.port)" }).waitFor();
        // What was there before, while the page does not know the new one.
        await page.getByLabel("isync.port").fill("0");
        letGo();
        await page.getByRole("button", { name: "Save" }).click();
        await page.getByText("Saved, and in force").waitFor();
        equal(await page.getByText("it does not hold").count(), 0, "it goes");
        await quiet(page);
    } finally {
        taken.close();
    }
}

// What the node tells in sentences of its own, too.
async function what_the_node_says_is_said_in_the_pages_language(w) {
    const a = await w.node("a", "--isync.enabled", "true", "--isync.port", "0",
        "--isync.peers", "http://127.0.0.1:9");
    await fetch(`http://127.0.0.1:${a.port}/v1/status`, {
        headers: { Authorization: "Bearer sync_wrong" } });
    const page = await w.open(a, { locale: "es-ES" });
    await page.goto(`http://127.0.0.1:${a.port}/#/errors`);
    for (const sentence of ["se presentó un token que no vale",
        "un programa tiene un token antiguo", "MiB libres en",
        "este dispositivo está solo", "el registro de auditoría se escribe"])
        await page.getByText(sentence).first().waitFor();
    equal(await page.getByText("this device is alone").count(), 0, "English");
    await page.goto(`http://127.0.0.1:${a.port}/#/devices`);
    await page.getByText("conexión rechazada").waitFor();
    await quiet(page);
}

// U+202E turns around what follows; U+200B is not seen at all.
async function what_is_not_seen_is_shown(w) {
    const turned = "exe.\u202egpj", hidden = "la\u200bmp";
    const a = await w.node("kit\u202enehc");
    await a.put(turned, { name: "x\u202ey", [hidden]: 1 });
    await a.put(hidden, 1);
    await a.put("ردهة", 1);
    await a.put(turned, { name: "z\u202ey" });
    const page = await w.open(a);
    await page.getByText("exe.\\u202egpj").waitFor();
    await page.getByText("la\\u200bmp").first().waitFor();
    await page.getByText("kit\\u202enehc").first().waitFor();
    await page.getByText('{"name":"z\\u202ey"}').waitFor();
    equal(await page.locator(".row-key bdi").count(), 3, "each on its own");
    for (const at of ["items", "devices", "audit", "mesh", "conflicts",
        `items/default/${encodeURIComponent(turned)}/history`,
        `items/default/${encodeURIComponent(turned)}`]) {
        await page.goto(`http://127.0.0.1:${a.port}/#/${at}`);
        await page.locator("h1").waitFor();
        await waitFor(at + " is there", async () =>
            await page.locator(".loading").count() === 0);
        const bad = await page.evaluate(() => [...document.body.innerText
            + document.body.innerHTML].filter(c =>
            /[\u200b\u202a-\u202e\u2066-\u2069]/.test(c)).length);
        equal(bad, 0, at + ": what nobody sees");
    }
    // In the editor it is an escape, and is saved as what it stands for.
    await waitFor("it is there", async () =>
        (await editor(page).inputValue()).includes('"z\\u202ey"'));
    await editor(page).fill((await editor(page).inputValue())
        .replace('"z', '"w'));
    await page.getByRole("button", { name: "Save" }).click();
    await waitFor("it is saved", async () =>
        (await a.get(turned)).name === "w\u202ey");
    await quiet(page);
}

async function long_texts_fit_a_small_screen(w) {
    const key = "k".repeat(500), folder = "f".repeat(120) + "/";
    const a = await w.node("n".repeat(60));
    await a.put(key, { ["m".repeat(300)]: "v".repeat(3000) });
    await a.put(folder + key.slice(0, 300), "v".repeat(3000));
    await a.put(key, { ["m".repeat(300)]: "v".repeat(2999) + "w" });
    const page = await w.open(a, { viewport: { width: 360, height: 740 } });
    const asked = [];
    page.on("request", r => asked.push(r.url()));
    await page.reload();
    await page.getByText("kkk").waitFor();
    check(asked.some(url => url.includes("preview=200")), "what is listed");
    equal(asked.filter(url => url.includes("values=")), [], "is no document");
    for (const at of ["items", "items/default//" + encodeURIComponent(folder),
        "items/default/" + key, `items/default/${key}/history`, "devices",
        "mesh", "audit", "settings"]) {
        await page.goto(`http://127.0.0.1:${a.port}/#/${at}`);
        await page.locator("h1").waitFor();
        await waitFor(at + " is there", async () =>
            await page.locator(".loading").count() === 0);
        await shot(page, `long-${at.replace(/(.)\1{9,}/g, "$1")
            .replace(/\W+/g, "-")}-360`);
        await narrow(page, at.slice(0, 40));
    }
    await page.goto(items(a, "default", key));
    const title = page.getByRole("heading", { level: 2 });
    await title.waitFor();
    check((await title.boundingBox()).height < 120, "the key leaves room");
    await page.getByRole("button", { name: "Delete item" }).click();
    await narrow(page, "the question");
    const over = await page.locator("dialog").evaluate(e =>
        e.scrollWidth - e.clientWidth);
    equal(over, 0, "the dialog");
    await quiet(page);
}

// No timer of the page's tells it: the node does.
async function conflicts_are_told_as_they_come(w) {
    const a = await w.node("a"), b = await w.node("b");
    await b.joins(a);
    await a.put("one", { level: 1 });
    await a.put("two", { level: 1 });
    await waitFor("b has them", () => b.get("two"));
    await apart(a, b, { one: { level: 7 }, two: { level: 7 } },
        { one: { level: 2 }, two: { level: 2 } });
    const page = await w.open(b, { signedOut: true });
    await page.addInitScript(() => {
        window.setInterval = () => 0;
    });
    await page.goto(await b.link());
    await page.getByText("Live", { exact: true }).waitFor();
    await go(page, "Conflicts");
    await page.getByText("No open conflicts").waitFor();
    await a.start();
    await badge(page, "2 open conflicts").waitFor();
    const id = Object.fromEntries((await b.api("/v1/conflicts")).conflicts.map(
        c => [c.key, c.id]));
    await b.do("resolve", id.two, "--take", "winner");
    await b.do("resolve", id.one, "--take", "loser");
    await waitFor("no badge is left", async () =>
        await badge(page, /open conflict/).count() === 0);
    await page.getByText("No open conflicts").waitFor();

    // How they were settled, and what is in effect.
    await page.getByLabel("Show settled ones, too").check();
    const card = key => page.getByRole("article", { name: key });
    await card("one").getByText("The overridden value was taken").waitFor();
    await card("two").getByText("The value that stood was kept").waitFor();
    await card("one").getByText("Settled by a person").waitFor();
    await card("one").getByText("Stood at that time").waitFor();
    const now = card("one").locator(".side-view.now");
    const { level } = await b.get("one");
    await waitFor("what is in effect", async () =>
        (await now.locator("pre").textContent()).trim() === String(level));
    await b.put("one", { level: 50 });
    await card("one").getByText("Another value was written").waitFor();
    await waitFor("later, too", async () =>
        (await now.locator("pre").textContent()).trim() === "50");
    equal(await page.getByText("In effect", { exact: true }).count(), 0,
        "of what is settled neither side is said to be in effect");
    await quiet(page);
}

// Answers come one after the other, slowly: what is there already stays where
// it is.
async function nothing_moves_while_a_page_is_read(w) {
    const a = await w.node("a", "--isync.enabled", "true", "--isync.port", "0",
        "--isync.peers", "http://127.0.0.1:9");
    const b = await w.node("b");
    await b.joins(a);
    await fetch(`http://127.0.0.1:${a.port}/v1/status`, {
        headers: { Authorization: "Bearer sync_wrong" } });
    for (const width of [1440, 360]) {
        const page = await w.open(a, { viewport: { width, height: 800 } });
        await page.addInitScript(() => {
            window.shifts = [];
            new PerformanceObserver(list => {
                for (const e of list.getEntries())
                    window.shifts.push([e.value, ...e.sources.map(s =>
                        s.node?.className ?? s.node?.nodeName)]);
            }).observe({ type: "layout-shift", buffered: true });
        });
        let turn = 0;
        await page.route("**/v1/**", async route => {
            await new Promise(done => setTimeout(done, 60 * (1 + turn++ % 5)));
            await route.continue().catch(() => {});
        });
        for (const [at, there] of [["errors", "no such token"],
            ["devices", "http://127.0.0.1:9"], ["settings", "log.level"],
            ["mesh", "Traffic"], ["conflicts", "No open conflicts"],
            ["audit", "session-link"]]) {
            await page.goto("about:blank");
            await page.goto(`http://127.0.0.1:${a.port}/#/${at}`);
            await page.getByText(there).locator("visible=true").first()
                .waitFor();
            await waitFor(at + " is there", async () =>
                await page.locator(".loading").count() === 0);
            // Two more frames, in which the last of it is laid out.
            const moved = await page.evaluate(() => new Promise(done =>
                requestAnimationFrame(() => requestAnimationFrame(() =>
                    setTimeout(() => done(window.shifts))))));
            check(moved.reduce((sum, s) => sum + s[0], 0) < 0.02,
                `${at} ${width}: ${JSON.stringify(moved)}`);
        }
        await quiet(page);
        await page.context().close();
    }
}

// A space that is not there is no empty one: nothing can be made in it.
async function a_space_that_is_not_there_is_told(w) {
    const a = await w.node("a");
    const page = await w.open(a);
    await page.goto(items(a, "gone"));
    await page.getByText("There is no space gone").waitFor();
    check(await page.getByRole("button", { name: "New item" }).isDisabled(),
        "nothing is made in it");
    equal(await page.getByText("Nothing here yet").count(), 0, "not empty");
    await page.getByRole("link", { name: "All spaces" }).click();
    await page.getByLabel("Name of a new space").fill("gone");
    await page.getByRole("button", { name: "Add space" }).click();
    await page.getByRole("link", { name: "gone" }).click();
    await page.getByText("Nothing here yet").waitFor();
    await quiet(page);
}

async function a_relay_says_that_it_reads_nothing(w) {
    const a = await w.node("a"), b = await w.node("b");
    await b.joins(a);
    await a.do("grant", "b", "--role", "relay");
    await waitFor("it is a relay", async () =>
        (await b.json("status")).role === "relay");
    const page = await w.open(b);
    for (const name of ["Items", "Settings"]) {
        await go(page, name);
        await page.getByText("No space can be read here").waitFor();
        await waitFor("it does not load", async () =>
            await page.locator(".loading").count() === 0);
        equal(await page.getByText("There is no space").count(), 0, "truth");
    }
    await quiet(page);
}

async function the_menu_shuts_by_escape(w) {
    const a = await w.node("a");
    const page = await w.open(a, { viewport: { width: 360, height: 740 } });
    const menu = page.getByRole("button", { name: "Menu" });
    await menu.click();
    await page.getByRole("link", { name: "Devices" }).focus();
    await page.keyboard.press("Escape");
    await page.getByRole("navigation", { name: "Pages" })
        .waitFor({ state: "hidden" });
    await waitFor("the focus is on its button", () =>
        menu.evaluate(e => e === document.activeElement));
    await quiet(page);
}

await run([policies_are_shown_when_they_are_known,
    a_node_that_is_away_is_told_by_a_sentence,
    an_answer_that_breaks_off_is_told_by_a_sentence,
    an_option_that_does_not_hold_is_told,
    what_is_wrong_is_said_in_the_pages_language,
    what_the_node_says_is_said_in_the_pages_language, what_is_not_seen_is_shown,
    long_texts_fit_a_small_screen, conflicts_are_told_as_they_come,
    a_space_that_is_not_there_is_told, a_relay_says_that_it_reads_nothing,
    the_menu_shuts_by_escape],
[nothing_moves_while_a_page_is_read]);
