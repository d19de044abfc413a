// Characters that nobody sees, and their escapes.

// Controls, marks and overrides of direction, and what takes no room. Joiners
// (U+200C, U+200D) are left: words and pictures need them.
export const HIDDEN = new RegExp("[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e"
    + "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    + "\\u{e0000}-\\u{e007f}]", "gu");
const BREAKS = /^[\t\n]$/;

export function escapeOf(c: string): string {
    return c.split("").map(unit => "\\u"
        + unit.charCodeAt(0).toString(16).padStart(4, "0")).join("");
}

// As text of JSON, in which these escapes are what they stand for.
export function escaped(text: string): string {
    return text.replace(HIDDEN, c => BREAKS.test(c) ? c : escapeOf(c));
}
