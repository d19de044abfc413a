// How every page looks, wide and narrow, in light and dark: pictures for
// whoever looks at them are left in the build directory, and a program of
// people who see to it that all can use a page finds nothing serious.
import { COLOURS, examine, narrow } from "./examine.mjs";
import { fill } from "./fill.mjs";
import { check, equal, run, shot, waitFor } from "./world.mjs";

const HALL = "items/default/lamp%2Fhall";
const long = "a-key-that-is-much-longer-than-anybody-would-type-by-hand-but-"
    + "that-a-program-made%2Fwith%2Fparts";

// Each page, and what shows that it is there.
const pages = [
    ["items", "items", page => page.getByText("door").first()],
    ["items-folder", "items/default//lamp%2F",
        page => page.getByRole("link", { name: "hall" })],
    ["item", HALL, page => page.locator(".editor textarea")],
    ["item-long", "items/default/" + long,
        page => page.locator(".editor textarea")],
    ["history", HALL + "/history", page => page.locator(".diff")],
    ["conflicts", "conflicts", page => page.locator(".side-view").first()],
    ["mesh", "mesh", page => page.locator(".plot canvas").nth(1)],
    ["devices", "devices", page => page.getByText("attic-server")],
    ["errors", "errors", page => page.getByText("no such token")],
    ["settings", "settings", page => page.getByText("log.level")],
    ["audit", "audit", page => page.locator("td").getByText("session-link").first()],
    ["nowhere", "nowhere", page => page.locator(".empty-title")],
];

async function scene(w) {
    const a = await w.node("kitchen"), b = await w.node("attic-server");
    const c = await w.node("a-phone-with-a-rather-long-name");
    await b.joins(a);
    await c.joins(a);
    await fill(a);
    await waitFor("all have it", async () => await b.get("lamp/hall")
        && await c.get("lamp/hall"));
    await a.do("space", "add", "notes");
    await c.stop();
    await b.stop();
    await a.put("lamp/kitchen", { on: true, level: 7, colour: "cold" });
    await a.put("heating/bath", { target: 19, mode: "manual" });
    await a.stop();
    await b.start();
    await b.put("lamp/kitchen", { on: false, level: 2, colour: "warm" });
    await b.put("heating/bath", { target: 24, mode: "auto" });
    await a.start();
    await waitFor("there are conflicts", async () =>
        (await a.api("/v1/conflicts")).conflicts.length >= 2);
    await fetch(`http://127.0.0.1:${a.port}/v1/status`, {
        headers: { Authorization: "Bearer sync_wrong" } });
    return [a, b];
}

// An examination that finds nothing in what is wrong proves nothing.
async function finds_what_is_wrong(page) {
    await page.evaluate(() => {
        const button = document.createElement("button");
        button.id = "planted";
        document.querySelector("main").append(button);
    });
    let found = "";
    await examine(page, "planted").catch(e => found = e.message);
    check(found.includes("button-name"), "a button without a name: " + found);
}

// In another theme and another language a page is the same but for those.
const seen = new Set();

async function look(w, a, width, scheme, language = "") {
    const page = await w.open(a, { viewport: { width,
        height: width < 500 ? 740 : 900 }, colorScheme: scheme,
    bypassCSP: true, locale: language || "en-GB" });
    for (const [name, at, there] of pages) {
        await page.goto(`http://127.0.0.1:${a.port}/#/${at}`);
        await there(page).waitFor();
        await shot(page, `${name}-${width}-${scheme}`
            + (language ? "-" + language : ""));
        await narrow(page, `${name} ${width} ${language}`);
        if (!language)
            await examine(page, `${name} ${width} ${scheme}`,
                seen.has(width + name) ? COLOURS : undefined);
        seen.add(width + name);
    }
    return page;
}

async function dialogs(page, a, width, scheme) {
    await page.goto(`http://127.0.0.1:${a.port}/#/devices`);
    const shown = async name => {
        await shot(page, `${name}-${width}-${scheme}`);
        await examine(page, `${name} ${width} ${scheme}`,
            seen.has(width + name) ? COLOURS : undefined);
        seen.add(width + name);
    };
    await page.getByRole("button", { name: "Add a device" }).first().click();
    await page.getByRole("button", { name: "Make a code" }).waitFor();
    await shown("add");
    await page.getByRole("button", { name: "Make a code" }).click();
    await page.getByRole("img", { name: "The code as a picture" }).waitFor();
    await shown("code");
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
    if (width < 500) {
        await page.getByRole("button", { name: "Menu" }).click();
        await shown("menu");
    }
}

// What opens over a page: where, what opens it, and its picture's name.
const over = [
    ["new-item", "items", page => page.getByRole("button",
        { name: "New item" }).first().click()],
    ["delete", HALL, page => page.getByRole("button",
        { name: "Delete item" }).click()],
    ["invalid", HALL, page => page.getByRole("textbox",
        { name: "Document" }).fill('{\n  "on": yes\n}')],
    ["resolve", "conflicts", page => page.getByRole("button",
        { name: "Write another value" }).first().click()],
    ["change", "devices", async page => {
        await page.getByRole("button", { name: "Change: attic" }).click();
        await page.getByRole("radio", { name: /^Reader/ }).check();
        await page.getByRole("radio", { name: "Only these" }).check();
    }],
    ["join", "devices", page => page.getByRole("button",
        { name: "Join another mesh" }).click()],
    ["digits", "devices", async page => {
        await page.getByRole("button", { name: "Add a device" }).first()
            .click();
        await page.getByRole("tab", { name: "By six digits" }).click();
        const asked = page.getByText("Devices may ask for another");
        await page.getByRole("button", { name: "Let devices ask" }).or(asked)
            .first().click();
        await asked.waitFor();
    }],
    ["token", "settings", page => page.getByRole("button",
        { name: "New token" }).click()],
    ["unsaved", "settings", page => page.getByLabel("log.level")
        .fill("debug")],
];

async function what_opens_over_pages_is_looked_at(w) {
    const [a] = await scene(w);
    for (const [width, colorScheme] of [[1440, "light"], [360, "dark"]]) {
        const page = await w.open(a, { viewport: { width,
            height: width < 500 ? 740 : 900 }, colorScheme, bypassCSP: true });
        let unsaved = false;
        for (const [name, at, open] of over) {
            await page.goto(`http://127.0.0.1:${a.port}/#/nowhere`);
            if (unsaved) {
                await page.getByRole("dialog").waitFor();
                await shot(page, `over-leaving-${width}-${colorScheme}`, false);
                await page.getByRole("button", { name: "Discard it" }).click();
            }
            await page.goto(`http://127.0.0.1:${a.port}/#/${at}`);
            await open(page);
            unsaved = name === "invalid";
            await page.locator(name === "invalid" ? ".editor.bad"
                : name === "unsaved" ? ".save-bar" : "dialog[open]").waitFor();
            await shot(page, `over-${name}-${width}-${colorScheme}`, false);
            await narrow(page, `${name} ${width}`);
            await examine(page, `${name} ${width} ${colorScheme}`);
            await page.keyboard.press("Escape");
            await page.locator("dialog").waitFor({ state: "detached" });
        }
        equal(page.complaints, [], "the page complains");
        await page.context().close();
    }
    await others(w, a);
}

async function every_page_can_be_used_and_is_looked_at(w) {
    const [a, b] = await scene(w);
    // Something goes on while it is looked at.
    let going = true;
    const traffic = (async () => {
        for (let level = 0; going; level++) {
            await b.put("lamp/garden/path", { on: true, level });
            await new Promise(done => setTimeout(done, 400));
        }
    })();
    try {
        for (const [width, scheme, language] of [[1440, "light"],
            [360, "dark"], [1440, "dark"], [360, "light"],
            [360, "light", "es"], [1440, "dark", "es"]]) {
            const page = await look(w, a, width, scheme, language);
            if (!language)
                await dialogs(page, a, width, scheme);
            equal(page.complaints, [], "the page complains");
            await page.context().close();
        }
    } finally {
        going = false;
        await traffic;
    }
}

// What is shown where two people do the same: theirs beside mine, what came of
// a conflict, and who asks to be let in; and where a session ends meanwhile.
async function others(w, a) {
    const [first] = (await a.api("/v1/conflicts")).conflicts;
    await a.do("resolve", first.id, "--take", "loser");
    const d = await w.node("new-lamp");
    await a.do("pending", "--open", "10m");
    const asking = d.cli("join", "--peer", `127.0.0.1:${a.port}`);
    for (const [width, colorScheme] of [[1440, "dark"], [360, "light"]]) {
        const page = await w.open(a, { viewport: { width,
            height: width < 500 ? 740 : 900 }, colorScheme, bypassCSP: true });
        const shown = async name => {
            await shot(page, `others-${name}-${width}-${colorScheme}`);
            await narrow(page, `${name} ${width}`);
            await examine(page, `${name} ${width} ${colorScheme}`);
        };
        await page.goto(`http://127.0.0.1:${a.port}/#/conflicts`);
        await page.getByLabel("Show settled ones, too").check();
        await page.getByText("The overridden value was taken").waitFor();
        await shown("settled");
        await page.goto(`http://127.0.0.1:${a.port}/#/devices`);
        await page.getByRole("button", { name: "Add a device" }).first()
            .click();
        await page.getByRole("tab", { name: "By six digits" }).click();
        await page.locator(".digits").waitFor();
        await shown("asks");
        await page.keyboard.press("Escape");
        await page.goto(`http://127.0.0.1:${a.port}/#/items/default/door`);
        await page.locator(".editor textarea").fill('{"locked": false}');
        await a.put("door", { locked: true, battery: width });
        await page.locator(".moved .diff").waitFor();
        await shown("theirs");
        await page.context().clearCookies();
        await page.getByRole("dialog").waitFor();
        await shown("over");
        await page.context().close();
    }
    await a.do("deny", (await a.json("pending")).pending[0].device);
    await asking;
}

async function empty_pages_say_what_to_do(w) {
    const a = await w.node("a");
    const page = await w.open(a, { bypassCSP: true });
    for (const [name, text] of [["items", "Nothing here yet"],
        ["conflicts", "No open conflicts"], ["mesh", "This device is alone"],
        ["devices", "No other device yet"], ["errors", "Nothing is wrong"]]) {
        await page.goto(`http://127.0.0.1:${a.port}/#/${name}`);
        await page.getByText(text).waitFor();
        await shot(page, `empty-${name}`);
        await examine(page, `empty ${name}`);
    }
    const out = await w.open(a, { signedOut: true, bypassCSP: true });
    await out.goto(`http://127.0.0.1:${a.port}/`);
    await out.getByText("syncline dashboard").waitFor();
    await shot(out, "sign-in");
    await examine(out, "sign-in");
    await finds_what_is_wrong(page);
}

async function it_speaks_spanish_where_that_is_wanted(w) {
    const a = await w.node("a");
    const page = await w.open(a, { locale: "es-ES" });
    await page.getByRole("heading", { level: 1, name: "Elementos" }).waitFor();
    equal(await page.evaluate(() => document.documentElement.lang), "es",
        "it says so");
    await page.getByLabel("Idioma").selectOption("en");
    await page.getByRole("heading", { level: 1, name: "Items" }).waitFor();
    equal(page.complaints, [], "the page complains");
}

await run([every_page_can_be_used_and_is_looked_at,
    what_opens_over_pages_is_looked_at, empty_pages_say_what_to_do,
    it_speaks_spanish_where_that_is_wanted]);
