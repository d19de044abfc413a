// Who gets into the dashboard, and what its frame does.
import { check, equal, run, shot, waitFor } from "./world.mjs";

async function the_printed_link_signs_in_once(w) {
    const a = await w.node("kitchen");
    const link = await a.link();
    const page = await w.open(a, { signedOut: true });
    await page.goto(`http://127.0.0.1:${a.port}/`);
    await page.getByText("syncline dashboard").waitFor();
    await shot(page, "sign-in");
    await page.goto(link);
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    check(!page.url().includes("sign-in"), "the secret stays in the address");
    check(!link.replace(/.*=/, "").includes("/"), "no secret");
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByText("kitchen").waitFor();
    await page.reload();
    await page.getByRole("navigation", { name: "Pages" }).waitFor();

    const other = await w.open(a, { signedOut: true });
    await other.goto(link);
    await other.getByText("it has been used").waitFor();
    equal(await other.getByRole("navigation", { name: "Pages" }).count(), 0, "a second time");

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    equal((await page.context().cookies()).length, 0, "cookies are left");
    equal(page.complaints, [], "the page complains");
    const told = await a.do("audit");
    for (const kind of ["session-link", "session ", "session-ended", "login"])
        check(told.includes(kind), `the audit log lacks ${kind}: ${told}`);
}

async function a_node_that_starts_again_wants_a_new_link(w) {
    const a = await w.node("a");
    const page = await w.open(a);
    await a.stop();
    await page.getByText("The node does not answer. What you see may be old").waitFor();
    await a.start();
    await page.getByText("You are signed out").waitFor();
    await page.goto(await a.link());
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

async function who_signs_everybody_out_ends_open_pages(w) {
    const a = await w.node("a");
    const page = await w.open(a);
    await page.getByText("Live", { exact: true }).waitFor();
    await a.do("dashboard", "--sign-out");
    await page.getByText("You are signed out").waitFor();
}

// As it is from another machine, with what a person there has accepted.
async function by_https_it_is_the_same(w) {
    const a = await w.node("a");
    const page = await w.open(a, { signedOut: true, ignoreHTTPSErrors: true });
    await page.goto((await a.link()).replace("http://", "https://"));
    await page.getByText("Live", { exact: true }).waitFor();
    const [cookie] = await page.context().cookies();
    equal([cookie.secure, cookie.httpOnly, cookie.sameSite],
        [true, true, "Strict"], "its cookie");
    await a.put("lamp", { on: true });
    await page.getByText("lamp").waitFor();
    equal(page.complaints, [], "the page complains");
}

async function the_keyboard_goes_everywhere(w) {
    const a = await w.node("a");
    const page = await w.open(a);
    await page.keyboard.press("Tab");
    await waitFor("first comes the way past the menu", () => page.evaluate(
        () => document.activeElement.className === "skip"));
    for (let i = 0; i < 2; i++)
        await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Conflicts" }).waitFor();
    await page.waitForFunction(() => document.activeElement.id === "main");
    await page.getByRole("button", { name: "Dark" }).click();
    equal(await page.evaluate(() => document.documentElement.dataset.theme),
        "dark", "the theme");
    await page.reload();
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    equal(await page.evaluate(() => document.documentElement.dataset.theme),
        "dark", "it is kept");
    await page.goto(page.url().replace(/#.*/, "#/nowhere"));
    await page.getByRole("heading", { name: "No such page" }).waitFor();
    equal(page.complaints, [], "the page complains");
    await waitFor("a narrow screen has a menu", async () => {
        await page.setViewportSize({ width: 360, height: 740 });
        return page.getByRole("button", { name: "Menu" }).isVisible();
    });
    check(!await page.getByRole("navigation", { name: "Pages" }).isVisible(), "it is shut");
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("link", { name: "Devices" }).click();
    await page.getByRole("heading", { level: 1, name: "Devices" }).waitFor();
}

await run([the_printed_link_signs_in_once,
    a_node_that_starts_again_wants_a_new_link,
    who_signs_everybody_out_ends_open_pages, by_https_it_is_the_same,
    the_keyboard_goes_everywhere]);
