// The one WebSocket of the page: watches of spaces, which go on where they
// stopped when the connection comes back.
import { get } from "./api";
import { parse } from "./json";
import type { Json } from "./json";
import { secret, signed } from "./session";
import { State } from "./state";

export interface Change {
    space: string;
    key: string;
    value?: Json;
    deleted?: boolean;
    version: number;
    device: string | null;
    name: string | null;
    time: number;
}

export interface Watcher {
    change?(change: Change): void;
    // Something has changed: for who need not be told what.
    touched?(): void;
    // What it was told is no longer all: look again.
    resync?(): void;
}

interface Watch {
    id: number;
    space: string;
    cursor: string | null;
    late: boolean; // something may have changed before it began
    readers: Set<Watcher>;
}

interface Told {
    id: number;
    more?: boolean;
    live?: boolean;
    resync?: boolean;
    cursor?: string;
    ok?: boolean;
}

export const liveState = new State<"live" | "connecting" | "lost">(
    "connecting");

const PAUSE_MIN = 200, PAUSE_MAX = 5000;
const watches = new Map<string, Watch>();
let socket: WebSocket | null = null;
let nextId = 1;
let pause = PAUSE_MIN;
let timer: ReturnType<typeof setTimeout> | undefined;

function begin(w: Watch): void {
    if (socket?.readyState !== WebSocket.OPEN) {
        w.late = true;
        return;
    }
    const watch: Record<string, string> = { space: w.space };
    if (w.cursor)
        watch.from = w.cursor;
    socket.send(JSON.stringify({ id: w.id, watch }));
}

function ofId(id: number): Watch | undefined {
    for (const w of watches.values())
        if (w.id === id)
            return w;
    return undefined;
}

// What stands before an event's document, which may be large.
const HEAD = /^\{"id":(\d+),"more":true,"cursor":"([^"]*)","space":/;

function isSkimmed(text: string): boolean {
    const [, id, cursor] = HEAD.exec(text) ?? [];
    const w = id === undefined ? undefined : ofId(Number(id));
    if (!w || cursor === undefined || [...w.readers].some(r => r.change))
        return false;
    w.cursor = cursor;
    for (const reader of [...w.readers])
        reader.touched?.();
    return true;
}

function take(text: string): void {
    if (isSkimmed(text))
        return;
    const told = parse(text) as unknown as Told & Change;
    const w = ofId(told.id);
    if (!w)
        return;
    if (told.ok !== undefined || !told.more) {
        // It ended: the space has gone, or may not be seen any more.
        return;
    }
    if (told.cursor)
        w.cursor = told.cursor;
    const again = told.resync || told.live && w.late;
    if (told.live)
        w.late = false;
    for (const reader of [...w.readers])
        if (again) {
            reader.resync?.();
        } else if (!told.live) {
            reader.change?.(told);
            reader.touched?.();
        }
}

function connect(): void {
    clearTimeout(timer);
    if (socket || signed.value.is !== "in")
        return;
    if (liveState.value !== "lost")
        liveState.value = "connecting";
    const made = new WebSocket(
        location.origin.replace(/^http/, "ws") + "/v1/socket",
        ["syncline.v1", "session." + secret()]);
    let opened = false;
    socket = made;
    made.onopen = () => {
        opened = true;
        pause = PAUSE_MIN;
        liveState.value = "live";
        for (const w of watches.values())
            begin(w);
    };
    made.onmessage = event => take(String(event.data));
    made.onclose = () => {
        if (socket === made)
            socket = null;
        if (signed.value.is !== "in")
            return;
        liveState.value = "lost";
        // Is it the session? That is told to requests only.
        if (!opened || pause > PAUSE_MIN)
            void get("/v1/spaces").catch(() => {});
        timer = setTimeout(connect, pause);
        pause = Math.min(pause * 2, PAUSE_MAX);
    };
}

function disconnect(): void {
    clearTimeout(timer);
    const old = socket;
    socket = null;
    old?.close();
    liveState.value = "connecting";
    for (const w of watches.values()) {
        w.cursor = null;
        w.late = true;
    }
}

signed.subscribe(() => signed.value.is === "in" ? connect() : disconnect());
addEventListener("online", connect);
document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && !socket) {
        pause = PAUSE_MIN;
        connect();
    }
});
connect();

// Tells of all changes of a space from now on; the result ends it.
export function watch(space: string, reader: Watcher): () => void {
    let w = watches.get(space);
    if (!w) {
        w = { id: nextId++, space, cursor: null, late: false,
            readers: new Set() };
        watches.set(space, w);
        begin(w);
    }
    w.readers.add(reader);
    const at = w;
    return () => {
        at.readers.delete(reader);
        if (at.readers.size > 0 || watches.get(space) !== at)
            return;
        watches.delete(space);
        if (socket?.readyState === WebSocket.OPEN)
            socket.send(JSON.stringify({ id: at.id, stop: true }));
    };
}
