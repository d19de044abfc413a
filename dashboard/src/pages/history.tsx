// An item's history: its versions, the newest first and a page at a time
// without their documents, and what one of them changed.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { ApiError, getExact, isAbort, path, reason, send } from "../api";
import type { Query } from "../api";
import { Diff } from "../diff";
import { print } from "../json";
import type { Json } from "../json";
import { t } from "../strings";
import { shellWord } from "../text";
import { Time, bytes } from "../time";
import { Badge, Button, Code, Empty, Loading, Note, Problem, Who, say,
    useAction } from "../ui";
import type { Author } from "../ui";

export interface Version {
    version: number;
    what: "put" | "delete" | "lost";
    time: number;
    stamp: string;
    device: string | null;
    name: string | null;
    author?: Author;
    path?: string;
    bytes?: number;
    value?: Json;
}

interface Page {
    versions: Version[];
    more_versions: boolean;
}

const FIRST = 100, OLDER = 1000;
const LARGE = 1 << 20; // of a document, beyond which it is not compared here

// null: there is none such.
export async function found<T>(asked: Promise<T>): Promise<T | null> {
    try {
        return await asked;
    } catch (e) {
        if (e instanceof ApiError && e.status === 404)
            return null;
        throw e;
    }
}

// The newest first, without documents; with `before` those in front of it.
export async function past(space: string, item: string, query: Query,
    signal?: AbortSignal): Promise<Page> {
    return await found(getExact<Page>(
        path`/v1/spaces/${space}/history/${item}`,
        { before: 0, values: false, ...query }, signal))
        ?? { versions: [], more_versions: false };
}

// What is new is put in front of what is known, if no version lies between:
// the present one gets another number when a value is lost to it.
function joined(known: Page | null, newest: Page): Page {
    const last = newest.versions[newest.versions.length - 1];
    if (!known || !last || last.version > (known.versions[0]?.version ?? 0))
        return newest;
    const older = known.versions.filter(v => v.version < last.version);
    return { versions: [...newest.versions, ...older], more_versions:
        older.length ? known.more_versions : newest.more_versions };
}

function usePast(space: string, item: string, turn: number) {
    const [page, setPage] = useState<Page | null>(null);
    const [why, setWhy] = useState<string | null>(null);
    const [tries, setTries] = useState(0);
    useEffect(() => setPage(null), [space, item]);
    useEffect(() => {
        const abort = new AbortController();
        past(space, item, { limit: FIRST }, abort.signal).then(newest => {
            setPage(known => joined(known, newest));
            setWhy(null);
        }, e => {
            if (!isAbort(e))
                setWhy(reason(e));
        });
        return () => abort.abort();
    }, [space, item, turn, tries]);
    const older = useAction(async () => {
        const last = page!.versions[page!.versions.length - 1]!;
        const more = await past(space, item,
            { before: last.version, limit: OLDER });
        setPage(known => known?.versions[known.versions.length - 1]?.version
            !== last.version ? known : {
                versions: [...known.versions, ...more.versions],
                more_versions: more.more_versions,
            });
    });
    return { page, why, older, again: () => setTries(n => n + 1) };
}

// ---- what a version changed ----

// What the item was before a version: lost values are beside its line.
async function before(space: string, item: string, page: Page, ix: number,
    signal: AbortSignal): Promise<Version | null> {
    let list = page.versions.slice(ix + 1), more = page.more_versions;
    let last = page.versions[page.versions.length - 1]!;
    for (;;) {
        const was = list.find(v => v.what !== "lost");
        if (was || !more)
            return was ?? null;
        last = list[list.length - 1] ?? last;
        const next = await past(space, item,
            { before: last.version, limit: FIRST }, signal);
        list = next.versions;
        more = next.more_versions && list.length > 0;
    }
}

// null: the node does not keep it any more.
async function textOf(space: string, item: string, v: Version | null,
    signal: AbortSignal): Promise<string | null> {
    if (!v || v.what === "delete")
        return "";
    const told = await past(space, item,
        { before: v.version + 1, limit: 1, values: true }, signal);
    const same = told.versions[0];
    return same?.version === v.version && same.stamp === v.stamp
        ? print(same.value) : null;
}

// Two versions beside each other, or which of them is too large for that.
interface Pair {
    of: Version;
    against: "before" | "now";
    from: string;
    to: string;
    large?: Version;
}

function usePair(space: string, item: string, page: Page, v: Version,
    against: "before" | "now") {
    const [pair, setPair] = useState<Pair | null>(null);
    const [why, setWhy] = useState<string | null>(null);
    const [tries, setTries] = useState(0);
    const now = page.versions[0]!;
    useEffect(() => {
        const abort = new AbortController(), signal = abort.signal;
        const read = async (): Promise<Pair> => {
            const other = against === "now" ? now : await before(space, item,
                page, page.versions.indexOf(v), signal);
            const large = [v, other].find(x => (x?.bytes ?? 0) > LARGE);
            if (large)
                return { of: v, against, from: "", to: "", large };
            const [mine, theirs] = await Promise.all([v, other].map(x =>
                textOf(space, item, x, signal)));
            if (typeof mine !== "string")
                throw new Error(t.items.notKept(v.version));
            return against === "now"
                ? { of: v, against, from: mine, to: theirs ?? "" }
                : { of: v, against, from: theirs ?? "", to: mine };
        };
        read().then(made => {
            setPair(made);
            setWhy(null);
        }, e => {
            if (!isAbort(e)) {
                setPair(null);
                setWhy(reason(e));
            }
        });
        return () => abort.abort();
    }, [space, item, v.version, v.stamp, v.what, against,
        against === "now" ? now.stamp : "", tries]);
    return { pair, why, again: () => setTries(n => n + 1) };
}

function Chosen({ space, item, page, v, onRestored }: {
    space: string; item: string; page: Page; v: Version;
    onRestored: () => void;
}) {
    const [wish, setWish] = useState<"before" | "now">("before");
    const isLast = v === page.versions[0];
    const against = v.what === "lost" ? "now" : isLast ? "before" : wish;
    const { pair, why, again } = usePair(space, item, page, v, against);
    const restore = useAction(async () => {
        await send("POST", path`/v1/spaces/${space}/restore/${item}`,
            { version: v.version });
        say(t.items.restored(v.version));
        onRestored();
    });
    // Memory of what is shown: large texts are not compared at each turn.
    const diff = useMemo(() => pair && !pair.large ? (
        <Diff before={pair.from} after={pair.to}
            label={t.items.version(pair.of.version)} />
    ) : null, [pair]);

    const isShown = pair?.of.version === v.version
        && pair.of.stamp === v.stamp && pair.against === against;
    return (
        <div class="version-view" aria-busy={!isShown && !why}>
            <div class="version-head">
                <div class="segments text" role="group"
                    aria-label={t.items.against}>
                    {(["before", "now"] as const).map(name => (
                        <button key={name} type="button"
                            disabled={isLast && name === "now"
                                || v.what === "lost" && name === "before"}
                            aria-pressed={name === against}
                            onClick={() => setWish(name)}>
                            {name === "before" ? t.items.againstBefore
                                : t.items.againstNow}</button>
                    ))}
                </div>
                {v.what === "delete" || isLast ? null : (
                    <Button small icon="history" busy={restore.busy}
                        onClick={restore.run}>
                        {t.items.restore(v.version)}</Button>
                )}
            </div>
            {restore.why ? <Problem why={restore.why} /> : null}
            {v.path ? <p class="small-text muted">{t.items.atPath}{" "}
                <code>{v.path}</code></p> : null}
            {why ? <Problem why={why} retry={again} /> : !pair ? <Loading />
                : pair.large ? (
                    <>
                        <Note><span>{t.items.tooLarge(pair.large.version,
                            bytes(pair.large.bytes ?? 0))}</span></Note>
                        <Code copy>{"syncline history " + shellWord(space) + " "
                            + shellWord(item)}</Code>
                    </>
                ) : diff}
        </div>
    );
}

// ---- the list ----

const tones = { put: "plain", delete: "bad", lost: "warn" } as const;

function Row({ v, chosen, last, choose }: {
    v: Version; chosen: boolean; last: boolean; choose: (v: Version) => void;
}) {
    // The same one again is not looked at again: there may be thousands.
    return useMemo(() => (
        <li>
            <button type="button" aria-pressed={chosen}
                tabIndex={chosen ? 0 : -1} onClick={() => choose(v)}>
                <span class="version-line">
                    <strong>{t.items.version(v.version)}</strong>
                    {last ? <Badge tone="accent">{t.items.present}</Badge>
                        : v.what !== "put" ? (
                            <Badge tone={tones[v.what]}>
                                {t.items.what[v.what]}</Badge>
                        ) : null}
                </span>
                <span class="muted small-text">
                    <Who name={v.name} device={v.device} author={v.author} />
                    {" · "}<Time us={v.time} />
                </span>
            </button>
        </li>
    ), [v.version, v.stamp, v.what, v.name, chosen, last]);
}

// Where the arrow keys and Home and End lead in a list of n.
function stepTo(key: string, ix: number, n: number): number | null {
    switch (key) {
    case "ArrowDown": return Math.min(ix + 1, n - 1);
    case "ArrowUp": return Math.max(ix - 1, 0);
    case "Home": return 0;
    case "End": return n - 1;
    default: return null;
    }
}

export function History({ space, item, turn, reload }: {
    space: string; item: string; turn: number; reload: () => void;
}) {
    const { page, why, older, again } = usePast(space, item, turn);
    const [chosen, setChosen] = useState<string | null>(null);
    const list = useRef<HTMLOListElement>(null);
    const had = useRef(0); // so many there were when older ones were asked for
    const n = page?.versions.length ?? 0;
    const button = (ix: number) => list.current?.children[ix]
        ?.firstElementChild as HTMLElement | undefined;
    useEffect(() => {
        if (older.busy)
            return;
        // The button that brought the last page is gone: on with that.
        if (had.current && page && !page.more_versions)
            button(had.current)?.focus();
        had.current = 0;
    }, [older.busy]);
    if (!page)
        return why ? <Problem why={why} retry={again} /> : <Loading />;
    if (!n)
        return <Empty icon="history" title={t.items.noHistory} />;
    // By its stamp as well: the present one gets another number.
    const idOf = (v: Version) => v.version + " " + v.stamp;
    const ix = Math.max(0, page.versions.findIndex(x => idOf(x) === chosen));
    const v = page.versions[ix]!;
    const choose = (x: Version) => setChosen(idOf(x));

    return (
        <>
            {why ? <Problem why={why} retry={again} /> : null}
            <div class="history">
                <div class="versions">
                    <ol aria-label={t.items.versions} ref={list}
                        onKeyDown={event => {
                            const to = stepTo(event.key, ix, n);
                            if (to === null)
                                return;
                            event.preventDefault();
                            choose(page.versions[to]!);
                            button(to)?.focus();
                        }}>
                        {page.versions.map((x, i) => (
                            <Row key={x.version} v={x} chosen={x === v}
                                last={i === 0} choose={choose} />
                        ))}
                    </ol>
                    {older.why ? <Problem why={older.why} /> : null}
                    {page.more_versions ? (
                        <div class="older">
                            <Button small busy={older.busy} onClick={() => {
                                had.current = n;
                                older.run();
                            }}>{t.items.older}</Button>
                        </div>
                    ) : null}
                </div>
                <Chosen space={space} item={item} page={page} v={v}
                    onRestored={() => {
                        setChosen(null);
                        reload();
                    }} />
            </div>
        </>
    );
}
