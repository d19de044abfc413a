// What all can use, and what fits: axe-core, and no page wider than its window.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

import { check, equal } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve(
    "axe-core/axe.min.js"), "utf8");

const RULES = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a",
    "wcag21aa", "wcag22aa", "best-practice"] };
// What another theme may change.
export const COLOURS = { type: "rule", values: ["color-contrast"] };

// By the rules of WCAG 2.2, A and AA.
export async function examine(page, name, rules = RULES) {
    const found = await page.evaluate(async ([source, runOnly]) => {
        // Not a script of the page's: what the policy for content forbids
        // there is this tool's own business.
        const axe = new Function(source + "; return window.axe;")();
        const told = await axe.run(document, {
            resultTypes: ["violations"], runOnly,
        });
        return told.violations.map(v => ({ id: v.id, impact: v.impact,
            nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)) }));
    }, [AXE, rules]);
    equal(found.filter(v => v.impact === "serious" || v.impact === "critical"),
        [], name);
}

export async function narrow(page, name) {
    const { scroll, width } = await page.evaluate(() => ({
        scroll: document.documentElement.scrollWidth,
        width: document.documentElement.clientWidth }));
    check(scroll <= width, `${name}: ${scroll} wide on ${width}`);
}
