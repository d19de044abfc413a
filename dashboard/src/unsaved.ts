// What is written and not saved yet: who would lose it is asked first. What is
// done on the page is asked about here (`leaving`), the end of the tab by the
// browser.
import { useLayoutEffect } from "preact/hooks";

import { State } from "./state";

const open = new Set<symbol>();

interface Leaving {
    // What somebody wants to do; it is lost with that.
    act: () => void;
    // The page goes, and not one dialog of it only.
    all: boolean;
}

// null: nobody is asked.
export const leaving = new State<Leaving | null>(null);

export function isUnsaved(): boolean {
    return open.size > 0;
}

export function useUnsaved(is: boolean): void {
    useLayoutEffect(() => { // before the next key
        if (!is)
            return;
        const mine = Symbol();
        open.add(mine);
        return () => void open.delete(mine);
    }, [is]);
}

// Does it at once where nothing would be lost.
export function askFirst(act: () => void, all = true): void {
    if (isUnsaved())
        leaving.value = { act, all };
    else
        act();
}

export function stay(): void {
    leaving.value = null;
}

export function leave(): void {
    const now = leaving.value;
    leaving.value = null;
    if (now?.all)
        open.clear();
    now?.act();
}

addEventListener("beforeunload", event => {
    if (isUnsaved())
        event.preventDefault();
});
