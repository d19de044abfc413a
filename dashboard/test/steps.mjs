// What stories do again and again.
import { equal } from "./world.mjs";

export const items = (node, ...parts) => `http://127.0.0.1:${node.port}/#/items/`
    + parts.map(encodeURIComponent).join("/");

export async function go(page, name) {
    await page.getByRole("navigation", { name: "Pages" })
        .getByRole("link", { name }).click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
}

// Beside a page's name in the menu.
export function badge(page, text) {
    return page.getByRole("navigation", { name: "Pages" }).getByText(text);
}

export function editor(page) {
    return page.getByRole("textbox", { name: "Document" });
}

export async function quiet(...pages) {
    for (const page of pages)
        equal(page.complaints, [], "the page complains");
}

// Two nodes that have written the same keys apart; the second one is running.
export async function apart(a, b, mine, theirs) {
    await b.stop();
    for (const [key, value] of Object.entries(mine))
        await a.put(key, value);
    await a.stop();
    await b.start();
    for (const [key, value] of Object.entries(theirs))
        await b.put(key, value);
}
