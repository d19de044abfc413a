// Sentences that the node tells in English, in the page's language: known by
// what does not vary in them. What is not known stays as it was told.
import { language } from "./strings";
import { toldEs } from "./strings/told_es";
import { systemEs } from "./strings/told_es_system";

const tables: Record<string, [string, string][]> = {
    es: [...toldEs, ...systemEs],
};

// Of two holes side by side the second begins with a blank, or ": ".
function pattern(english: string): RegExp {
    const parts = english.split("{}").map(part =>
        part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    const made = parts.reduce((all, part, i) =>
        all + (parts[i - 1] === "" && i > 1 ? "(|(?:: | ).*?)" : "(.*?)")
            + part);
    return new RegExp("^" + made + "$", "s");
}

const fixed = (english: string) => english.replaceAll("{}", "").length;

const rows = (tables[language] ?? [])
    .sort((a, b) => fixed(b[0]) - fixed(a[0]))
    .map(([english, other]) => [pattern(english), other] as const);

function whole(text: string): string | null {
    for (const [english, other] of rows) {
        const found = english.exec(text);
        if (found)
            return other.replace(/\{(\d)\}/g, (_, n: string) =>
                whole(found[+n]!) ?? found[+n]!);
    }
    return null;
}

// Several sentences, or one and what else was said of it.
function pieces(text: string): string | null {
    let at = -1;
    while ((at = text.indexOf("; ", at + 1)) >= 0) {
        const left = whole(text.slice(0, at));
        const right = left === null ? null : pieces(text.slice(at + 2));
        if (right !== null)
            return left + "; " + right;
    }
    return whole(text);
}

export function told(text: string): string {
    const known = rows.length > 0 ? pieces(text) : text;
    if (known !== null)
        return known;
    const last = text.lastIndexOf("; "), first = text.indexOf(": ");
    const advice = last < 0 ? null : whole(text.slice(last + 2));
    if (advice !== null)
        return text.slice(0, last) + "; " + advice;
    const what = first < 0 ? null : whole(text.slice(0, first));
    return what !== null ? what + text.slice(first) : text;
}
