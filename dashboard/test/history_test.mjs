// The past of items that have much of it: thousands of versions, and large
// ones.
import { items, quiet } from "./steps.mjs";
import { check, equal, run, shot, waitFor } from "./world.mjs";

// By their texts: to find one of thousands by its role takes seconds.
const versions = page => page.locator("ol[aria-label=Versions] li");
const version = (page, n) => versions(page)
    .locator(`button:has(strong:text-is("Version ${n}"))`);

async function write(node, key, values) {
    for (const value of values)
        await node.api(`/v1/spaces/default/items/${key}`, "PUT", value);
}

function asked(page) {
    const list = [];
    page.on("request", r => {
        if (r.url().includes("/history/"))
            list.push(r.url());
    });
    return list;
}

// The card of an item can be narrow where the window is not.
async function a_narrow_card_holds_what_is_compared(w) {
    const a = await w.node("a");
    await write(a, "lamp", [{ level: 1 }, { level: 2 }]);
    const page = await w.open(a, { viewport: { width: 1100, height: 800 } });
    await page.goto(items(a, "default", "lamp", "history"));
    await version(page, 2).waitFor();
    const right = async of => page.locator(of).evaluate(
        e => e.getBoundingClientRect().right);
    await page.locator(".version-head .segments").waitFor();
    for (const width of [1085, 1100, 1200, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        check(await right(".version-head .segments") < await right(".item"),
            `it stands out of the card at ${width}`);
    }
}

// They come in pages, by the keyboard alone, and none of it takes long.
async function thousands_of_versions_come_in_pages(w) {
    const a = await w.node("a", "--history.keep", "5000");
    await write(a, "lamp", Array.from({ length: 2500 }, (_, i) =>
        ({ level: i + 1, on: true })));
    const page = await w.open(a), told = asked(page);
    await page.goto(items(a, "default", "lamp", "history"));
    await version(page, 2500).waitFor();
    equal(await versions(page).count(), 100, "a page");
    await page.getByRole("group", { name: "Version 2500" })
        .getByText('"level": 2500').waitFor();

    await version(page, 2500).focus();
    await page.keyboard.press("End");
    await page.getByRole("group", { name: "Version 2401" })
        .getByText('"level": 2400').waitFor();
    await page.keyboard.press("Tab");
    const older = page.locator("button", { hasText: "Show older ones" });
    for (const n of [1100, 2100, 2500]) {
        await waitFor("the focus is on the button", () =>
            older.evaluate(e => e === document.activeElement));
        await page.keyboard.press("Enter");
        await waitFor(`${n} versions`, async () =>
            await versions(page).count() === n);
    }
    await older.waitFor({ state: "detached" });
    await waitFor("the focus is on what came last", () =>
        version(page, 400).evaluate(e => e === document.activeElement));
    const took = await page.evaluate(async () => {
        const from = performance.now();
        document.querySelector(".versions li:last-child button").click();
        while (document.querySelector(".diff[aria-label='Version 1']") === null)
            await new Promise(requestAnimationFrame);
        return performance.now() - from;
    });
    check(took < 1500, `it took ${took} ms`);
    equal(await versions(page).locator("[tabindex='0']").count(), 1,
        "one stop of the Tab key");

    // What is new comes in front of it, and what is read stays.
    await a.put("lamp", { level: 0 });
    await version(page, 2501).waitFor();
    equal(await versions(page).count(), 2501, "all");
    equal(await version(page, 1).getAttribute("aria-pressed"), "true", "still");
    check(told.every(url => /[?&]limit=\d/.test(url)), "all is asked in pages");
    await shot(page, "history-long", false);
    await page.locator("button", { hasText: "Restore version 1" }).click();
    await waitFor("it is restored", async () =>
        (await a.get("lamp")).level === 1);
    await version(page, 2502).waitFor();
    await quiet(page);
}

// 300 of 512 KiB are more than the node answers at once; a list has no
// values, and what is too large to be compared is not fetched.
async function large_versions_are_listed(w) {
    const a = await w.node("a", "--history.keep", "300");
    const text = "x".repeat(512 << 10);
    await write(a, "film", Array.from({ length: 180 }, (_, i) =>
        ({ at: i + 1, text })));
    await write(a, "huge thing", [{ text: "y".repeat(3 << 20) }, { at: 2 }]);
    const page = await w.open(a);
    let most = 0;
    page.on("response", async r => {
        if (r.url().includes("/history/"))
            most = Math.max(most, (await r.body().catch(() => "")).length);
    });
    await page.goto(items(a, "default", "film", "history"));
    await version(page, 180).waitFor();
    await version(page, 101).click();
    await page.getByRole("group", { name: "Version 101" })
        .getByText('"at": 100').waitFor();
    await page.getByRole("button", { name: "Show older ones" }).click();
    await version(page, 1).click();
    await page.getByRole("button", { name: "Compared with now" }).click();
    await page.getByRole("group", { name: "Version 1" })
        .getByText('"at": 180').waitFor();
    check(most < 1 << 20, `an answer of ${most} bytes`);

    await page.goto(items(a, "default", "huge thing", "history"));
    await page.getByText("Version 1 has 3 MiB").waitFor();
    await page.getByText("syncline history default 'huge thing'").waitFor();
    await version(page, 1).click();
    await page.getByRole("button", { name: "Restore version 1" }).click();
    await waitFor("it is restored", async () =>
        (await a.get("huge thing")).text?.length === 3 << 20);
    check(most < 1 << 20, `an answer of ${most} bytes`);
    await quiet(page);
}

// Of what a list still shows the node may have let go.
async function a_version_that_is_not_kept_any_more_is_told(w) {
    const a = await w.node("a", "--history.keep", "3");
    await write(a, "lamp", [1, 2, 3, 4]);
    const page = await w.open(a);
    await page.goto(items(a, "default", "lamp", "history"));
    await version(page, 2).waitFor();
    await write(a, "lamp", [5, 6, 7]);
    await version(page, 7).waitFor();
    await version(page, 2).click();
    await page.getByText("Version 2 is not kept any more").waitFor();
    await version(page, 6).click();
    await page.getByRole("group", { name: "Version 6" }).waitFor();
    equal(await page.getByText("is not kept any more").count(), 0, "it goes");
    await quiet(page);
}

await run([a_narrow_card_holds_what_is_compared, large_versions_are_listed,
    a_version_that_is_not_kept_any_more_is_told],
[thousands_of_versions_come_in_pages]);
