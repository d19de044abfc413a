// Pages by the address's fragment: `#/items/default/lamp`. Each part between
// slashes is percent-encoded, so that a key is one part whatever it holds.
import { State } from "./state";
import { askFirst, isUnsaved } from "./unsaved";

function read(): string[] {
    const parts = location.hash.replace(/^#\/?/, "").split("/");
    try {
        return parts.map(decodeURIComponent);
    } catch {
        return ["?"];
    }
}

export const route = new State<string[]>(read());

export function href(...parts: string[]): string {
    return "#/" + parts.map(encodeURIComponent).join("/");
}

export function go(...parts: string[]): void {
    location.hash = href(...parts);
}

// The secret of a link that signs in, if the address is one.
export function linkOf(fragment: string): string | null {
    return /^#sign-in=([A-Za-z0-9_-]+)$/.exec(fragment)?.[1] ?? null;
}

// Each entry of the browser's history has a number, so that whoever stays is
// where he was in it, too: by as many steps back as were made forth.
function numberOf(otherwise: number): number {
    const known: unknown = history.state?.at;
    if (typeof known === "number")
        return known;
    history.replaceState({ at: otherwise }, "");
    return otherwise;
}

let shown = location.hash;
let at = numberOf(0);

function show(): void {
    shown = location.hash;
    route.value = read();
}

// From a link that signs in to where somebody was, or to the items.
export function comeBack(): void {
    const stays = isUnsaved();
    at = numberOf(at + 1);
    history.replaceState(history.state, "", stays ? shown || "#/" : "/#/items");
    if (!stays)
        show();
}

addEventListener("hashchange", () => {
    const to = location.hash;
    if (to === shown || linkOf(to) !== null)
        return;
    const next = numberOf(at + 1), steps = next - at;
    if (!isUnsaved() || steps === 0) {
        at = next;
        show();
        return;
    }
    history.go(-steps);
    askFirst(() => history.go(steps));
});
