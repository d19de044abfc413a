// Items: the keys of a space, and the one that is chosen.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { ask, getExact, isAbort, path, reason } from "../api";
import { JsonEditor, checkJson } from "../editor";
import { Icon } from "../icons";
import { print } from "../json";
import type { Json } from "../json";
import { watch } from "../live";
import type { Change } from "../live";
import { isOwn, lookAgain, spaces } from "../node";
import { go, href } from "../router";
import { useValue } from "../state";
import { t } from "../strings";
import { Button, Dialog, Empty, Field, Loading, Page, Problem, say, useAction }
    from "../ui";
import { ItemView } from "./item";

interface Row {
    key: string;
    version: number;
    value?: Json;
}

interface Listed {
    items: Row[];
    more_items: boolean;
}

const PAGE = 300, SCAN = 1000, FOUND_MAX = 200;

// ---- what is listed ----

interface Listing {
    rows: Row[];
    more: boolean;
    loading: boolean;
    why: string | null;
    fresh: Set<string>;
    loadMore: () => void;
}

// All keys of a page that fit, or, where something is looked for, those of
// all pages that hold it.
async function readPage(space: string, prefix: string, find: string,
    after: string, signal: AbortSignal): Promise<Listed> {
    const at = path`/v1/spaces/${space}/items`;
    if (!find)
        return getExact<Listed>(at,
            { prefix, after, limit: PAGE, values: true }, signal);
    const found: Row[] = [];
    const word = find.toLowerCase();
    for (;;) {
        const page = await getExact<Listed>(at,
            { prefix, after, limit: SCAN }, signal);
        for (const row of page.items)
            if (row.key.toLowerCase().includes(word))
                found.push(row);
        if (!page.more_items || found.length >= FOUND_MAX)
            return { items: found, more_items: page.more_items };
        after = page.items[page.items.length - 1]!.key;
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
    const [more, setMore] = useState(false);
    const [loading, setLoading] = useState(true);
    const [why, setWhy] = useState<string | null>(null);
    const [fresh, setFresh] = useState(new Set<string>());
    const [turn, setTurn] = useState(0);
    const last = useRef("");

    const load = (after: string, signal: AbortSignal) => {
        setLoading(true);
        readPage(space, prefix, find, after, signal).then(page => {
            setRows(before => merged(after ? before : new Map(), page.items));
            setMore(page.more_items);
            const end = page.items[page.items.length - 1];
            if (end)
                last.current = end.key;
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
        setRows(new Map());
        setMore(false);
        last.current = "";
    }, [space, prefix, find]);

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
    beyond.current = more ? last.current : "";
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
                        value: c.value ?? null });
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
    return { rows: sorted, more, loading, why, fresh,
        loadMore: () => load(last.current, new AbortController().signal) };
}

// ---- folders: what keys have in common up to a slash ----

type Entry =
    | { is: "folder"; prefix: string; name: string; n: number; fresh: boolean }
    | { is: "item"; row: Row; name: string; fresh: boolean };

function entries(list: Listing, prefix: string, find: string): Entry[] {
    const made: Entry[] = [];
    const folders = new Map<string, Entry & { is: "folder" }>();
    for (const row of list.rows) {
        const rest = row.key.slice(prefix.length);
        const cut = find ? -1 : rest.indexOf("/");
        const fresh = list.fresh.has(row.key);
        if (cut < 0 || cut === rest.length - 1) {
            made.push({ is: "item", row, name: rest || row.key, fresh });
            continue;
        }
        const name = rest.slice(0, cut + 1);
        const known = folders.get(name);
        if (known) {
            known.n++;
            known.fresh ||= fresh;
            continue;
        }
        const folder = { is: "folder" as const, prefix: prefix + name, name,
            n: 1, fresh };
        folders.set(name, folder);
        made.push(folder);
    }
    return made;
}

function preview(value: Json | undefined): string {
    const text = print(value, 0);
    return text.length > 120 ? text.slice(0, 120) + "…" : text;
}

function Crumbs({ space, prefix }: { space: string; prefix: string }) {
    const parts = prefix.split("/").filter(Boolean);
    return (
        <nav class="crumbs" aria-label={t.items.where}>
            <a href={href("items", space)}>{space}</a>
            {parts.map((part, i) => (
                <span key={i}>
                    <span aria-hidden="true">/</span>
                    <a href={href("items", space, "",
                        parts.slice(0, i + 1).join("/") + "/")}>{part}</a>
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
                    <span class="row-key">{entry.name}</span>
                    <span class="row-value">{entry.is === "folder"
                        ? t.units.items(entry.n) : preview(entry.row.value)}
                    </span>
                </span>
                {entry.is === "folder" ? <Icon name="right" /> : null}
            </a>
        </li>
    );
}

function List({ space, prefix, chosen, find, setFind, onNew }: {
    space: string; prefix: string; chosen: string; find: string;
    setFind: (text: string) => void; onNew: () => void;
}) {
    const list = useListing(space, prefix, find);
    const shown = entries(list, prefix, find);
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
            {list.why ? <Problem why={list.why} /> : null}
            {shown.length > 0 ? (
                <ul class="rows">
                    {shown.map(entry => (
                        <ListRow key={entry.is === "folder" ? entry.prefix
                            : entry.row.key} entry={entry} space={space}
                        chosen={chosen} />
                    ))}
                </ul>
            ) : list.loading ? <Loading /> : find ? (
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
        </section>
    );
}

// ---- a new one ----

function NewItem({ space, prefix, onClose }: {
    space: string; prefix: string; onClose: () => void;
}) {
    const [key, setKey] = useState(prefix);
    const [text, setText] = useState("{\n  \n}");
    const { run, busy, why } = useAction(async () => {
        await ask("PUT", path`/v1/spaces/${space}/items/${key}`,
            { body: text, headers: { "If-None-Match": "*" } });
        say(t.items.created(key));
        onClose();
        go("items", space, key);
    });
    const ready = key !== "" && checkJson(text).ok;
    return (
        <Dialog title={t.items.create} onClose={onClose} wide>
            <form onSubmit={event => {
                event.preventDefault();
                if (ready)
                    run();
            }}>
                <div class="dialog-body">
                    <Field label={t.items.key} hint={t.items.keyHint}>
                        {({ id, describedBy }) => (
                            <input id={id} aria-describedby={describedBy}
                                value={key} class="mono" autocomplete="off"
                                spellcheck={false} required autofocus
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
                <Button kind="main" icon="plus"
                    onClick={() => setMaking(true)}>{t.items.create}</Button>
            </>
        }>
            <div class={"split" + (key ? " chosen" : "")}>
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
            </div>
            {making ? (
                <NewItem space={space} prefix={prefix}
                    onClose={() => setMaking(false)} />
            ) : null}
        </Page>
    );
}

