// Pages by the address's fragment: `#/items/default/lamp`. Each part between
// slashes is percent-encoded, so that a key is one part whatever it holds.
import { State } from "./state";
import { isUnsaved, leaving } from "./unsaved";

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

let shown = location.hash;

export function readAgain(): void {
    shown = location.hash;
    route.value = read();
}

addEventListener("hashchange", () => {
    const to = location.hash;
    if (to === shown)
        return;
    if (isUnsaved()) {
        history.replaceState(null, "", shown || "#/");
        leaving.value = to;
    } else {
        readAgain();
    }
});
