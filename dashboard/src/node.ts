// What all pages show of the node: its name, its spaces, open conflicts. It is
// looked at again after each change that is told, and seldom without one.
import { get } from "./api";
import { watch } from "./live";
import { signed } from "./session";
import { State } from "./state";

export interface Space {
    name: string;
    items: number;
    deleted: number;
    conflicts: number;
    rescue: number;
}

export interface Status {
    device: string;
    name: string;
    mesh: string;
    role: string;
    uptime_s: number;
    listen: string[];
    removed?: { name: string | null; at: number } | null;
}

export const status = new State<Status | null>(null);
export const spaces = new State<Space[]>([]);
// Raised when conflicts may be others than before.
export const conflictTurn = new State(0);
// Raised when anything may be another than before.
export const changeTurn = new State(0);

export function openConflicts(list: Space[]): number {
    return list.reduce((n, s) => n + s.conflicts, 0);
}

// Those that people write to.
export function isOwn(space: Space): boolean {
    return !space.name.startsWith("_");
}

// The names of devices, looked up when one comes that is not known.
const names = new Map<string, string | null>();

export async function nameOf(device: string | null): Promise<string | null> {
    if (device !== null && !names.has(device)) {
        const told = await get<{ members: { device: string;
            name: string | null }[] }>("/v1/members", { all: true });
        for (const m of told.members)
            names.set(m.device, m.name);
    }
    return device === null ? null : names.get(device) ?? null;
}

const BURST = 250; // ms: changes that come closer are looked at together
let asking = false, again = false;

export function lookAgain(): void {
    if (asking) {
        again = true;
        return;
    }
    if (signed.value.is !== "in")
        return;
    asking = true;
    get<{ spaces: Space[] }>("/v1/spaces").then(told => {
        const before = openConflicts(spaces.value);
        if (JSON.stringify(told.spaces) !== JSON.stringify(spaces.value))
            spaces.value = told.spaces;
        if (openConflicts(told.spaces) !== before)
            conflictTurn.value++;
        changeTurn.value++;
    }, () => {}).finally(() => setTimeout(() => {
        asking = false;
        if (again) {
            again = false;
            lookAgain();
        }
    }, BURST));
}

let late: ReturnType<typeof setTimeout> | undefined;

// At once, and when what belongs to it has come, too: a conflict may come
// behind the item that it is about.
function touched(): void {
    lookAgain();
    clearTimeout(late);
    late = setTimeout(lookAgain, 1000);
}

// A change in any space may be a conflict, or settle one. Of a page that nobody
// looks at, and beyond so many spaces, it is seen later.
const WATCHED_MAX = 48; // of the 64 that a connection may have
const ends = new Map<string, () => void>();

function watchSpaces(): void {
    const wanted = new Set(document.visibilityState === "visible"
        ? spaces.value.slice(0, WATCHED_MAX).map(s => s.name) : []);
    for (const [name, end] of ends)
        if (!wanted.has(name)) {
            ends.delete(name);
            end();
        }
    for (const name of wanted)
        if (!ends.has(name))
            ends.set(name, watch(name,
                { touched, resync: lookAgain }));
}

spaces.subscribe(watchSpaces);
document.addEventListener("visibilitychange", () => {
    watchSpaces();
    if (document.visibilityState === "visible")
        lookAgain();
});

export const openErrors = new State(0);

export function lookAtErrors(): void {
    if (signed.value.is === "in")
        get<{ open: number }>("/v1/errors").then(told => {
            openErrors.value = told.open;
        }, () => {});
}

export function lookAtNode(): void {
    if (signed.value.is === "in")
        get<Status>("/v1/status").then(told => {
            status.value = told;
        }, () => {});
}

signed.subscribe(() => {
    if (signed.value.is === "in") {
        lookAtNode();
        lookAgain();
        lookAtErrors();
    } else {
        status.value = null;
        spaces.value = [];
    }
});
// Who settles one by what is in effect writes no item, of which a watch would
// tell: while some are open it is looked often.
let turns = 0;
setInterval(() => {
    if (document.visibilityState === "visible"
        && (openConflicts(spaces.value) > 0 || ++turns % 5 === 0))
        lookAgain();
}, 2000);
setInterval(() => {
    if (document.visibilityState === "visible")
        lookAtErrors();
}, 3000);
lookAtNode();
lookAgain();
lookAtErrors();
