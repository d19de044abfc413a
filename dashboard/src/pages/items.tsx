// Items: the keys of a space, and the one that is chosen.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { ask as request, get, isAbort, path, reason } from "../api";
import type { Query } from "../api";
import { JsonEditor, checkJson } from "../editor";
import { Icon } from "../icons";
import { print } from "../json";
import type { Json } from "../json";
import { watch } from "../live";
import type { Change } from "../live";
import { isOwn, lookAgain, spaces, status } from "../node";
import { go, href } from "../router";
import { useValue } from "../state";
import { t } from "../strings";
import { Text } from "../text";
import { Button, Dialog, Empty, Field, Loading, Page, Panel, Problem, say,
    useAction }
    from "../ui";
import { ItemView } from "./item";

interface Row {
    key: string;
    version: number;
    value?: string; // how its document begins
}

interface Listed {
    items: { key: string; version: number; preview?: string; bytes?: number }[];
    more_items: boolean;
}

const PAGE = 100, SCAN = 1000, FOUND_MAX = 200, ENTRIES = 100, ASKS_MAX = 40;
const LONG = 60; // of a key that does not fit a line
const PREVIEW = 200; // characters of a document, more than a line shows
const LAST = "\u{10ffff}"; // sorts behind all that a folder holds

// ---- what is listed ----

interface Part {
    rows: Row[];
    partial: string[]; // folders of which not all was looked at
    next: string | null; // where more is; null: that was all
}

interface Listing {
    rows: Row[];
    partial: Set<string>;
    more: boolean;
    loading: boolean;
    why: string | null;
    fresh: Set<string>;
    loadMore: () => void;
}

async function ask(space: string, query: Query, signal: AbortSignal):
    Promise<Listed> {
    return get(path`/v1/spaces/${space}/items`, query, signal);
}

function lastKey(page: Listed): string {
    return page.items[page.items.length - 1]!.key;
}

// What a line shows of a document that has come by a watch.
function cut(value: Json | undefined): string {
    const text = print(value, 0);
    return text.length > PREVIEW ? text.slice(0, PREVIEW) + "…" : text;
}

function rowOf(item: Listed["items"][0]): Row {
    const { key, version, preview = "", bytes = 0 } = item;
    const whole = bytes <= new TextEncoder().encode(preview).length;
    return { key, version, value: whole ? preview : preview + "…" };
}

// The folder of a key, seen from a prefix; "": it is in none.
function folderOf(key: string, prefix: string): string {
    const cut = key.indexOf("/", prefix.length);
    return cut < 0 || cut === key.length - 1 ? "" : key.slice(0, cut + 1);
}

// Of a folder with many keys the first ones are enough: it is one line.
async function readFolders(space: string, prefix: string, after: string,
    signal: AbortSignal): Promise<Part> {
    const rows: Row[] = [], partial: string[] = [];
    const entries = new Set<string>();
    for (let asked = 0; asked < ASKS_MAX; asked++) {
        const page = await ask(space,
            { prefix, after, limit: PAGE, preview: PREVIEW }, signal);
        for (const row of page.items) {
            rows.push(rowOf(row));
            entries.add(folderOf(row.key, prefix) || row.key);
        }
        if (!page.more_items)
            return { rows, partial, next: null };
        after = lastKey(page);
        const folder = folderOf(after, prefix);
        if (folder) {
            partial.push(folder);
            after = folder + LAST;
        }
        if (entries.size >= ENTRIES)
            break;
    }
    return { rows, partial, next: after };
}

// All keys that hold a word, as far as there are not too many.
async function readFound(space: string, prefix: string, find: string,
    after: string, signal: AbortSignal): Promise<Part> {
    const rows: Row[] = [];
    const word = find.toLowerCase();
    for (;;) {
        const page = await ask(space,
            { prefix, after, limit: SCAN, preview: PREVIEW }, signal);
        for (const row of page.items)
            if (row.key.toLowerCase().includes(word))
                rows.push(rowOf(row));
        if (!page.more_items)
            return { rows, partial: [], next: null };
        after = lastKey(page);
        if (rows.length >= FOUND_MAX)
            return { rows, partial: [], next: after };
    }
}

function merged(rows: Map<string, Row>, items: Row[]): Map<string, Row> {
    const made = new Map(rows);
    for (const item of items) {
        const known = made.get(item.key);
        if (!known || known.version <= item.version)
            made.set(item.key, item);
    }
    return made;
}

function useListing(space: string, prefix: string, find: string): Listing {
    const [rows, setRows] = useState(new Map<string, Row>());
    const [partial, setPartial] = useState(new Set<string>());
    const [next, setNext] = useState<string | null>(null);
    const [loading, setLoading] = useState(true);
    const [why, setWhy] = useState<string | null>(null);
    const [fresh, setFresh] = useState(new Set<string>());
    const [turn, setTurn] = useState(0);

    const load = (after: string, signal: AbortSignal) => {
        setLoading(true);
        (find ? readFound(space, prefix, find, after, signal)
            : readFolders(space, prefix, after, signal)).then(part => {
            setRows(before => merged(after ? before : new Map(), part.rows));
            setPartial(before => new Set([...after ? before : [],
                ...part.partial]));
            setNext(part.next);
            setWhy(null);
            setLoading(false);
        }, e => {
            if (!isAbort(e)) {
                setWhy(reason(e));
                setLoading(false);
            }
        });
    };

    useEffect(() => {
        const abort = new AbortController();
        const timer = setTimeout(() => load("", abort.signal), find ? 180 : 0);
        return () => {
            clearTimeout(timer);
            abort.abort();
        };
    }, [space, prefix, find, turn]);

    // Many changes at once are one picture: they wait for the next.
    const waiting = useRef<Change[]>([]);
    const beyond = useRef("");
    beyond.current = next ?? "";
    const take = () => {
        const list = waiting.current;
        waiting.current = [];
        setRows(before => {
            const made = new Map(before);
            for (const c of list)
                if (c.deleted)
                    made.delete(c.key);
                else if (!beyond.current || c.key <= beyond.current)
                    made.set(c.key, { key: c.key, version: c.version,
                        value: cut(c.value) });
            return made;
        });
        setFresh(new Set(list.map(c => c.key)));
        lookAgain();
    };
    useEffect(() => {
        waiting.current = [];
        return watch(space, {
            change(c) {
                if (!c.key.startsWith(prefix)
                    || !c.key.toLowerCase().includes(find.toLowerCase()))
                    return;
                if (waiting.current.push(c) === 1)
                    setTimeout(take, 40);
            },
            resync() {
                setTurn(n => n + 1);
            },
        });
    }, [space, prefix, find]);

    const sorted = useMemo(() => [...rows.values()].sort((a, b) =>
        a.key < b.key ? -1 : 1), [rows]);
    return { rows: sorted, partial, more: next !== null, loading, why, fresh,
        loadMore: () => load(next ?? "", new AbortController().signal) };
}

// ---- folders: what keys have in common up to a slash ----

type Entry =
    | { is: "folder"; prefix: string; name: string; n: number; fresh: boolean;
        partial: boolean }
    | { is: "item"; row: Row; name: string; fresh: boolean };

function entries(list: Listing, prefix: string, find: string): Entry[] {
    const made: Entry[] = [];
    const folders = new Map<string, Entry & { is: "folder" }>();
    for (const row of list.rows) {
        const within = find ? "" : folderOf(row.key, prefix);
        const fresh = list.fresh.has(row.key);
        if (!within) {
            made.push({ is: "item", row, fresh,
                name: row.key.slice(prefix.length) || row.key });
            continue;
        }
        const known = folders.get(within);
        if (known) {
            known.n++;
            known.fresh ||= fresh;
            continue;
        }
        const folder = { is: "folder" as const, prefix: within, n: 1, fresh,
            name: within.slice(prefix.length),
            partial: list.partial.has(within) };
        folders.set(within, folder);
        made.push(folder);
    }
    return made;
}

function Crumbs({ space, prefix }: { space: string; prefix: string }) {
    const parts = prefix.split("/").filter(Boolean);
    return (
        <nav class="crumbs" aria-label={t.items.where}>
            <a href={href("items", space)}><Text of={space} /></a>
            {parts.map((part, i) => (
                <span key={i}>
                    <span aria-hidden="true">/</span>
                    <a href={href("items", space, "",
                        parts.slice(0, i + 1).join("/") + "/")}>
                        <Text of={part} /></a>
                </span>
            ))}
        </nav>
    );
}

function ListRow({ entry, space, chosen }: {
    entry: Entry; space: string; chosen: string;
}) {
    const at = entry.is === "folder"
        ? href("items", space, "", entry.prefix)
        : href("items", space, entry.row.key);
    const now = entry.is === "item" && entry.row.key === chosen;
    return (
        <li class={entry.fresh ? "fresh" : undefined}>
            <a href={at} aria-current={now ? "true" : undefined}>
                <Icon name={entry.is === "folder" ? "folder" : "file"} />
                <span class="row-text">
                    <span class="row-key" title={entry.is === "item"
                        && entry.name.length > LONG ? entry.name : undefined}><Text of={entry.name} /></span>
                    <span class="row-value">{entry.is === "folder"
                        ? entry.partial ? t.items.atLeast(entry.n)
                            : t.units.items(entry.n)
                        : <Text of={entry.row.value ?? ""} />}
                    </span>
                </span>
                {entry.is === "folder" ? <Icon name="right" /> : null}
            </a>
        </li>
    );
}

// What is listed begins anew with another folder or another word.
function ListBody({ space, prefix, chosen, find, onNew }: {
    space: string; prefix: string; chosen: string; find: string;
    onNew: () => void;
}) {
    const list = useListing(space, prefix, find);
    const shown = entries(list, prefix, find);
    return (
        <>
            {list.why ? <Problem why={list.why} /> : null}
            {shown.length > 0 ? (
                <ul class="rows">
                    {shown.map(entry => (
                        <ListRow key={entry.is === "folder" ? entry.prefix
                            : entry.row.key} entry={entry} space={space}
                        chosen={chosen} />
                    ))}
                </ul>
            ) : list.loading ? <Loading /> : list.why ? null : find ? (
                <Empty icon="search" title={t.items.noneFound}>
                    {t.items.noneFoundText}</Empty>
            ) : (
                <Empty icon="items" title={t.items.empty}
                    action={<Button kind="main" icon="plus" onClick={onNew}>
                        {t.items.create}</Button>}>
                    {t.items.emptyText}</Empty>
            )}
            {list.more ? (
                <div class="list-more">
                    <Button small busy={list.loading} onClick={list.loadMore}>
                        {t.more}</Button>
                </div>
            ) : null}
        </>
    );
}

function List({ space, prefix, chosen, find, setFind, onNew }: {
    space: string; prefix: string; chosen: string; find: string;
    setFind: (text: string) => void; onNew: () => void;
}) {
    return (
        <section class="panel list" aria-label={t.items.list}>
            <div class="list-head">
                <div class="search">
                    <Icon name="search" />
                    <input type="search" value={find}
                        placeholder={t.items.search}
                        aria-label={t.items.search}
                        onInput={e => setFind(e.currentTarget.value)} />
                </div>
                {prefix ? <Crumbs space={space} prefix={prefix} /> : null}
            </div>
            <ListBody key={prefix + "\n" + find} space={space}
                prefix={prefix} chosen={chosen} find={find} onNew={onNew} />
        </section>
    );
}

// ---- a new one ----

const BLANK = "{\n  \n}";

function NewItem({ space, prefix, onClose }: {
    space: string; prefix: string; onClose: () => void;
}) {
    const [key, setKey] = useState(prefix);
    const [text, setText] = useState(BLANK);
    const { run, busy, why } = useAction(async () => {
        await request("PUT", path`/v1/spaces/${space}/items/${key}`,
            { body: text, headers: { "If-None-Match": "*" } });
        say(t.items.created(key));
        onClose();
        go("items", space, key);
    });
    const ready = key !== "" && checkJson(text).ok;
    return (
        <Dialog title={t.items.create} onClose={onClose} wide
            unsaved={key !== prefix || text !== BLANK}>
            <form noValidate onSubmit={event => {
                event.preventDefault();
                if (ready)
                    run();
            }}>
                <div class="dialog-body">
                    <Field label={t.items.key} hint={t.items.keyHint}>
                        {({ id, describedBy }) => (
                            <input id={id} aria-describedby={describedBy}
                                value={key} class="mono" autocomplete="off"
                                spellcheck={false} autofocus
                                onInput={e => setKey(e.currentTarget.value)} />
                        )}
                    </Field>
                    <JsonEditor text={text} setText={setText} rows={10}
                        label={t.items.document} />
                    {why ? <Problem why={why} /> : null}
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>{t.cancel}</Button>
                    <Button kind="main" submit busy={busy} disabled={!ready}>
                        {t.items.createIt}</Button>
                </footer>
            </form>
        </Dialog>
    );
}

// ---- the page ----

function SpaceChoice({ now }: { now: string }) {
    const list = useValue(spaces).filter(isOwn);
    const names = list.map(s => s.name);
    if (!names.includes(now))
        names.push(now);
    return (
        <label class="inline-field">
            <span>{t.items.space}</span>
            <select value={now} onChange={e => go("items",
                e.currentTarget.value)}>
                {names.sort().map(name => {
                    const s = list.find(x => x.name === name);
                    return (
                        <option key={name} value={name}>
                            {s ? `${name} (${s.items})` : name}</option>
                    );
                })}
            </select>
        </label>
    );
}

// parts: space, key, and "history"; or space, "" and a prefix.
export function Items({ parts }: { parts: string[] }) {
    const space = parts[0] || "default";
    const key = parts[1] ?? "";
    const asked = key === "" ? parts[2] ?? "" : null;
    const [prefix, setPrefix] = useState(asked
        ?? key.slice(0, key.lastIndexOf("/") + 1));
    const known = useValue(spaces);
    const none = known.find(s => s.name === space)?.items === 0;
    const missing = known.length > 0 && !known.some(s => s.name === space);
    const isRelay = useValue(status)?.role === "relay";
    const [find, setFind] = useState("");
    const [making, setMaking] = useState(false);

    useEffect(() => {
        setFind("");
        setPrefix(asked ?? key.slice(0, key.lastIndexOf("/") + 1));
    }, [space]);
    // Who came from elsewhere sees the folder that the item is in.
    useEffect(() => {
        if (key !== "" && !key.startsWith(prefix)) {
            setFind("");
            setPrefix(key.slice(0, key.lastIndexOf("/") + 1));
        }
    }, [key]);
    useEffect(() => {
        if (asked !== null)
            setPrefix(asked);
    }, [asked]);

    return (
        <Page title={t.pages.items} wide actions={
            <>
                <SpaceChoice now={space} />
                <Button kind="main" icon="plus" disabled={missing}
                    onClick={() => setMaking(true)}>{t.items.create}</Button>
            </>
        }>
            {missing && isRelay ? (
                <Panel flush>
                    <Empty icon="items" title={t.items.unread}>
                        {t.items.unreadText}</Empty>
                </Panel>
            ) : missing ? (
                <Panel flush>
                    <Empty icon="items" title={t.items.noSpace(space)} action={
                        <a class="button" href={href("settings")}>
                            {t.items.toSpaces}</a>
                    }>{t.items.noSpaceText}</Empty>
                </Panel>
            ) : <div class={"split" + (key ? " chosen" : none ? " none" : "")}>
                <List key={space} space={space} prefix={prefix} chosen={key}
                    find={find} setFind={setFind}
                    onNew={() => setMaking(true)} />
                {key ? (
                    <ItemView key={space + "\n" + key} space={space} item={key}
                        tab={parts[2] === "history" ? "history" : "document"}
                        back={href("items", space, "", prefix)} />
                ) : (
                    <section class="panel placeholder">
                        <Empty icon="file" title={t.items.choose}>
                            {t.items.chooseText}</Empty>
                    </section>
                )}
            </div>}
            {making ? (
                <NewItem space={space} prefix={prefix}
                    onClose={() => setMaking(false)} />
            ) : null}
        </Page>
    );
}

