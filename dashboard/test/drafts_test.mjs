// What somebody has written and not saved: nobody loses it unasked.
import { apart, badge, editor, go, items, quiet } from "./steps.mjs";
import { equal, run, waitFor } from "./world.mjs";

const MINE = '{"on": "mine"}';

function question(page) {
    return page.getByRole("dialog", { name: "Leave without saving?" });
}

async function answers(page, name) {
    await question(page).getByRole("button", { name }).click();
    await question(page).waitFor({ state: "detached" });
}

async function writing(w, value = { on: true }) {
    const a = await w.node("a");
    await a.put("lamp", value);
    const page = await w.open(a);
    await page.goto(items(a, "default", "lamp"));
    await editor(page).fill(MINE);
    return [a, page];
}

async function leaving_an_item_is_asked_first(w) {
    const [, page] = await writing(w);
    const audit = page.getByRole("navigation", { name: "Pages" })
        .getByRole("link", { name: "Audit" });
    await audit.click();
    await answers(page, "Stay");
    equal(await editor(page).inputValue(), MINE, "it stays");
    await page.waitForURL(/\/lamp$/); // the address stays
    await audit.click();
    await answers(page, "Discard it");
    await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
    await page.goBack();
    await editor(page).fill('{"on": 1}');
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved").first().waitFor();
    await go(page, "Audit");
    await quiet(page);
}

// Who stays is where he was in the browser's history, too.
async function back_goes_back_after_stay(w) {
    const a = await w.node("a");
    await a.put("lamp", { on: true });
    const page = await w.open(a);
    await go(page, "Devices");
    await page.goto(items(a, "default", "lamp"));
    await editor(page).fill(MINE);
    await page.getByRole("navigation", { name: "Pages" })
        .getByRole("link", { name: "Audit" }).click();
    await answers(page, "Stay");
    // By Back it is asked again, and Back is what is done then.
    await page.evaluate(() => history.back());
    await answers(page, "Stay");
    await page.waitForURL(/\/lamp$/);
    await page.getByRole("button", { name: "Discard" }).click();
    await page.evaluate(() => history.back());
    await page.getByRole("heading", { level: 1, name: "Devices" }).waitFor();
    await page.evaluate(() => history.forward());
    await editor(page).fill(MINE);
    await page.evaluate(() => history.back());
    await answers(page, "Discard it");
    await page.getByRole("heading", { level: 1, name: "Devices" }).waitFor();
    await quiet(page);
}

async function the_end_of_the_tab_is_asked_by_the_browser(w) {
    const [, page] = await writing(w);
    await editor(page).press("End"); // browsers ask only who has done something
    const asked = [];
    page.on("dialog", dialog => {
        asked.push(dialog.type());
        void dialog.dismiss();
    });
    await page.close({ runBeforeUnload: true });
    await waitFor("the browser asks", () => asked.length > 0);
    equal(asked, ["beforeunload"], "by its own question");
    equal(await editor(page).inputValue(), MINE, "it is there");
    await page.getByRole("button", { name: "Discard" }).click();
    const closed = page.waitForEvent("close");
    await page.close({ runBeforeUnload: true });
    await closed;
    equal(asked.length, 1, "what is saved is not asked about");
}

async function an_item_deleted_elsewhere_keeps_its_draft(w) {
    const [a, page] = await writing(w);
    await a.do("del", "default", "lamp");
    await page.getByText("a has deleted this item while you were writing")
        .waitFor();
    equal(await editor(page).inputValue(), MINE, "mine is kept");
    await page.getByRole("button", { name: "Go on with mine" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await waitFor("it is there again", async () =>
        (await a.get("lamp"))?.on === "mine"
        && await editor(page).inputValue() !== MINE);
    await editor(page).fill('{"on": 2}');
    await a.do("del", "default", "lamp");
    await page.getByRole("button", { name: "Discard mine" }).click();
    await page.getByText("This item is deleted").waitFor();
    await go(page, "Audit");
    await quiet(page);
}

async function another_session_finds_the_draft(w) {
    const [a, page] = await writing(w);
    await a.do("dashboard", "--sign-out");
    const over = page.getByRole("dialog", { name: "You are signed out" });
    await over.getByText("still here").waitFor();
    equal(await editor(page).inputValue(), MINE, "behind the question");
    await a.put("lamp", { on: true, battery: 7 });
    // By the link in another tab of this browser.
    const tab = await page.context().newPage();
    await tab.goto(await a.link());
    await tab.getByRole("navigation", { name: "Pages" }).waitFor();
    await tab.close();
    await over.waitFor({ state: "detached" });
    await page.getByText("while you were writing").waitFor();
    await page.getByRole("button", { name: "Go on with mine" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await waitFor("it is saved", async () =>
        (await a.get("lamp")).on === "mine"
        && await editor(page).inputValue() !== MINE);

    // By the link in this one.
    await editor(page).fill('{"on": 2}');
    await a.do("dashboard", "--sign-out");
    await over.waitFor();
    await page.goto(await a.link());
    await over.waitFor({ state: "detached" });
    equal(await editor(page).inputValue(), '{"on": 2}', "in the same tab");
    await page.waitForURL(/\/lamp$/); // where it was
    await a.do("dashboard", "--sign-out");
    await over.getByRole("button", { name: "Discard it" }).click();
    await answers(page, "Stay");
    equal(await editor(page).inputValue(), '{"on": 2}', "still");
    await over.getByRole("button", { name: "Discard it" }).click();
    await answers(page, "Discard it");
    await page.getByRole("heading", { name: "You are signed out" }).waitFor();
    equal(await page.getByRole("navigation").count(), 0, "the page has gone");
}

async function signing_out_is_asked_first(w) {
    const [, page] = await writing(w);
    await page.getByRole("button", { name: "Sign out" }).click();
    await answers(page, "Stay");
    equal(await editor(page).inputValue(), MINE, "it stays");
    await page.getByRole("button", { name: "Sign out" }).click();
    await answers(page, "Discard it");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

// By Escape, twice in a row, too; by its cross, and beside it.
async function dialogs_with_text_ask_first(w) {
    const a = await w.node("a");
    const page = await w.open(a);
    const create = page.getByRole("button", { name: "New item" }).first();
    const dialog = page.getByRole("dialog", { name: "New item" });
    await create.click();
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await waitFor("the focus is back where it was", () =>
        create.evaluate(e => e === document.activeElement));

    const key = page.getByLabel("Key", { exact: true });
    for (const shut of [() => page.keyboard.press("Escape"),
        () => dialog.getByRole("button", { name: "Close" }).click(),
        () => page.mouse.click(5, 5)]) {
        await create.click();
        await key.fill("a/long/key");
        await shut();
        await question(page).waitFor();
        await page.keyboard.press("Escape");
        await question(page).waitFor({ state: "detached" });
        equal(await key.inputValue(), "a/long/key", "it stays");
        await shut();
        await answers(page, "Discard it");
        await dialog.waitFor({ state: "detached" });
    }
    await go(page, "Settings");
    await page.getByRole("button", { name: "New token" }).click();
    await page.getByLabel("Name", { exact: true }).fill("app");
    await page.keyboard.press("Escape");
    await question(page).waitFor();
    await answers(page, "Discard it");
    await go(page, "Devices");
    await page.getByRole("button", { name: "Join another mesh" }).click();
    await page.getByLabel("Code").fill("sync");
    await page.keyboard.press("Escape");
    await answers(page, "Stay");
    equal(await page.getByLabel("Code").inputValue(), "sync", "the code");
    await quiet(page);
}

// A draft behind a dialog is asked about when the dialog's is gone, too.
async function each_draft_is_its_own(w) {
    const [, page] = await writing(w);
    await page.getByRole("button", { name: "New item" }).click();
    await page.getByLabel("Key", { exact: true }).fill("x");
    await page.keyboard.press("Escape");
    await answers(page, "Discard it");
    await page.getByRole("navigation", { name: "Pages" })
        .getByRole("link", { name: "Audit" }).click();
    await answers(page, "Stay");
    equal(await editor(page).inputValue(), MINE, "it stays");
    await quiet(page);
}

async function settings_that_are_not_saved_are_asked_about(w) {
    const a = await w.node("a");
    const page = await w.open(a);
    await go(page, "Settings");
    await page.getByLabel("log.level").fill("debug");
    await page.getByText("1 unsaved change").waitFor();
    await page.getByRole("navigation", { name: "Pages" })
        .getByRole("link", { name: "Mesh" }).click();
    await answers(page, "Stay");
    equal(await page.getByLabel("log.level").inputValue(), "debug", "it stays");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved, and in force").waitFor();
    await go(page, "Mesh");
    await quiet(page);
}

// Somebody else settles what is being settled here.
async function a_conflict_settled_elsewhere_keeps_its_draft(w) {
    const a = await w.node("a"), b = await w.node("b");
    await b.joins(a);
    await a.put("one", { level: 1 });
    await waitFor("b has it", () => b.get("one"));
    await apart(a, b, { one: { level: 7 } }, { one: { level: 2 } });
    const page = await w.open(b);
    await go(page, "Conflicts");
    await a.start();
    await badge(page, "1 open conflict").waitFor();
    await page.getByRole("button", { name: "Write another value" }).click();
    const value = page.getByRole("textbox", { name: "Value" });
    await value.fill("99");
    await page.keyboard.press("Escape");
    await answers(page, "Stay");
    const [{ id }] = (await b.api("/v1/conflicts")).conflicts;
    await b.do("resolve", id, "--take", "loser");
    await page.getByText("settled meanwhile").waitFor();
    equal(await value.inputValue(), "99", "mine is kept");
    await quiet(page);
}

await run([leaving_an_item_is_asked_first, back_goes_back_after_stay,
    the_end_of_the_tab_is_asked_by_the_browser,
    an_item_deleted_elsewhere_keeps_its_draft, another_session_finds_the_draft,
    signing_out_is_asked_first, dialogs_with_text_ask_first,
    each_draft_is_its_own, settings_that_are_not_saved_are_asked_about,
    a_conflict_settled_elsewhere_keeps_its_draft]);
