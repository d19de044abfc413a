// What is written and not saved yet: who would leave it is asked first. Other
// pages are asked about here (`leaving`), the end of the tab by the browser.
import { useEffect } from "preact/hooks";

import { State } from "./state";

const open = new Set<symbol>();

// The address that somebody wants to go to; null: nobody is asked.
export const leaving = new State<string | null>(null);

export function isUnsaved(): boolean {
    return open.size > 0;
}

export function useUnsaved(is: boolean): void {
    useEffect(() => {
        if (!is)
            return;
        const mine = Symbol();
        open.add(mine);
        return () => void open.delete(mine);
    }, [is]);
}

export function stay(): void {
    leaving.value = null;
}

export function leave(): void {
    const to = leaving.value;
    leaving.value = null;
    open.clear();
    if (to !== null)
        location.hash = to;
}

addEventListener("beforeunload", event => {
    if (isUnsaved())
        event.preventDefault();
});
