// Pages by the address's fragment: `#/items/default/lamp`. Each part between
// slashes is percent-encoded, so that a key is one part whatever it holds.
import { State } from "./state";

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

export function readAgain(): void {
    route.value = read();
}

addEventListener("hashchange", readAgain);
