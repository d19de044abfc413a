// Files that are bound to items, by what a browser shows of them and does.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { go, quiet } from "./steps.mjs";
import { check, equal, run, shot, waitFor } from "./world.mjs";

const says = file => JSON.parse(readFileSync(file, "utf8"));

// As an editor saves it: another file takes its name.
function save(file, value) {
    writeFileSync(file + ".new", JSON.stringify(value, null, 4) + "\n");
    renameSync(file + ".new", file);
}

async function site(w, name) {
    const folder = join(w.folder, name + ".etc"), file = join(folder, "app.json");
    mkdirSync(folder);
    return [await w.node(name, "--files.root", folder), file];
}

async function bound(w) {
    const [a, mine] = await site(w, "a"), [b, theirs] = await site(w, "b");
    await b.joins(a);
    save(mine, { level: 1, host: "a" });
    await a.do("bind", mine, "--key", "app", "--local", "/host");
    await waitFor("b has the item", () => b.get("app"));
    await b.do("bind", theirs, "--key", "app");
    return [a, mine, b, theirs];
}

async function a_file_is_rolled_back_on_all_machines(w) {
    const [a, mine, , theirs] = await bound(w);
    const page = await w.open(a);
    await go(page, "Files");
    await page.getByText("in sync").waitFor();
    await page.getByText(mine).waitFor();
    save(mine, { level: 2, host: "a" });
    await waitFor("b's file has it", () => says(theirs).level === 2);
    await page.getByRole("button", { name: "Versions" }).click();
    const dialog = page.getByRole("dialog");
    const names = dialog.getByRole("list", { name: "Versions" })
        .getByRole("button");
    await waitFor("two versions", async () => await names.count() === 2);
    const back = dialog.getByRole("button", { name: "Roll back" });
    check(await back.isDisabled(), "back to what it is");
    await names.nth(1).click();
    await dialog.getByText('"level": 1').waitFor();
    check(await dialog.getByText("host").count() === 0,
        "what stays on this machine is shown");
    await shot(page, "files-versions");
    await back.click();
    await page.getByRole("dialog", { name: "Roll back to" })
        .getByRole("button", { name: "Cancel" }).click();
    equal(says(mine).level, 2, "nothing was done");
    await names.nth(1).click();
    await back.click();
    await page.getByRole("dialog", { name: "Roll back to" })
        .getByRole("button", { name: "Roll back" }).click();
    await waitFor("b's file is what it was", () => says(theirs).level === 1);
    await waitFor("and the file here", () => says(mine).level === 1);
    equal(says(mine), { level: 1, host: "a" }, "what stays here does");
    await quiet(page);
}

async function what_is_refused_is_told_with_its_place(w) {
    const [a, file] = await site(w, "a");
    const schema = join(w.folder, "schema.json");
    writeFileSync(schema, '{"properties":{"level":{"maximum":9}}}');
    await a.do("policy", "default", "", "--schema", schema);
    save(file, { level: 1 });
    await a.do("bind", file, "--key", "app");
    const page = await w.open(a);
    await go(page, "Files");
    save(file, { level: 10 });
    await page.getByText("something is wrong").waitFor();
    await page.getByText("file-refused").waitFor();
    await page.getByText("/level").first().waitFor();
    await shot(page, "files-refused");
    await page.getByRole("button", { name: "Write it from the item" }).click();
    await page.getByText("in sync").waitFor();
    equal(says(file), { level: 1 }, "the file");
    await page.getByRole("button", { name: "Unbind" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Unbind" })
        .click();
    await page.getByText("No file is bound").waitFor();
    equal((await a.json("bindings")).bindings, [], "files that are bound");
    await quiet(page);
}

async function it_is_said_in_spanish(w) {
    const [a, file] = await site(w, "a");
    save(file, { level: 1 });
    await a.do("bind", file, "--key", "app");
    const page = await w.open(a, { locale: "es-ES" });
    await page.getByRole("link", { name: "Archivos" }).click();
    await page.getByText("sincronizado").waitFor();
    await page.getByRole("button", { name: "Versiones" }).waitFor();
    await quiet(page);
}

await run([
    a_file_is_rolled_back_on_all_machines,
    what_is_refused_is_told_with_its_place,
    it_is_said_in_spanish,
]);
