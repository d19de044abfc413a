// One item: its document, which can be written, and beside it its history.
import { useEffect, useRef, useState } from "preact/hooks";

import { ask, getExact, isAbort, path, reason } from "../api";
import { Diff } from "../diff";
import { JsonEditor, checkJson } from "../editor";
import { Icon } from "../icons";
import { parse, print } from "../json";
import { watch } from "../live";
import { conflictTurn, lookAgain, nameOf } from "../node";
import { go, href } from "../router";
import { useValue } from "../state";
import { t } from "../strings";
import { Text, shellWord } from "../text";
import { Time, bytes } from "../time";
import { useUnsaved } from "../unsaved";
import { Button, Code, Confirm, Empty, Loading, Note, Problem, Tabs, Who, say,
    useAction } from "../ui";
import type { Author } from "../ui";
import { History, found, past } from "./history";

interface Loaded {
    text: string | null; // null: it is deleted, or was never there
    etag: string;
    number: number;
    last: {
        device: string | null; name: string | null; author?: Author;
        time: number;
    } | null;
    conflicts: number;
}

function authorOf(header: string | null): Author | undefined {
    const [system, node] = (header ?? "").split("/");
    return system && node
        ? { system, node_id: decodeURIComponent(node) } : undefined;
}

const LARGE = 1 << 20; // of a text, beyond which nobody edits it here

const at = (space: string, item: string) =>
    path`/v1/spaces/${space}/items/${item}`;

async function read(space: string, item: string, signal: AbortSignal):
    Promise<Loaded> {
    const [now, open] = await Promise.all([
        found(ask("GET", at(space, item), { signal })),
        getExact<{ conflicts: unknown[] }>("/v1/conflicts",
            { space, key: item }, signal),
    ]);
    const conflicts = open.conflicts.length;
    if (!now) {
        const told = await past(space, item, { limit: 1 }, signal);
        const last = told.versions[0] ?? null;
        return { text: null, etag: "", number: 0, last, conflicts };
    }
    const device = now.headers.get("Syncline-Device");
    return {
        text: now.text.length > LARGE ? now.text : print(parse(now.text)),
        etag: now.headers.get("ETag") ?? "",
        number: Number(now.headers.get("Syncline-Version")),
        last: { device, name: await nameOf(device),
            author: authorOf(now.headers.get("Syncline-Author")),
            time: Number(now.headers.get("Syncline-Time")) },
        conflicts,
    };
}

function useItem(space: string, item: string) {
    const [loaded, setLoaded] = useState<Loaded | null>(null);
    const [why, setWhy] = useState<string | null>(null);
    const [turn, setTurn] = useState(0);
    const conflicts = useValue(conflictTurn);
    useEffect(() => {
        const abort = new AbortController();
        read(space, item, abort.signal).then(told => {
            setLoaded(told);
            setWhy(null);
        }, e => {
            if (!isAbort(e))
                setWhy(reason(e));
        });
        return () => abort.abort();
    }, [space, item, turn, conflicts]);
    // One that changes all the time is read five times a second, no more.
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        let read = 0;
        const again = () => {
            if (timer !== undefined)
                return;
            timer = setTimeout(() => {
                timer = undefined;
                read = Date.now();
                setTurn(n => n + 1);
            }, Math.max(0, read + 200 - Date.now()));
        };
        const end = watch(space, {
            change(c) {
                if (c.key === item)
                    again();
            },
            resync: again,
        });
        return () => {
            clearTimeout(timer);
            end();
        };
    }, [space, item]);
    return { loaded, why, turn, reload: () => setTurn(n => n + 1) };
}

// ---- the document ----

function isSame(a: string, b: string): boolean {
    return a === b || checkJson(a).ok && checkJson(b).ok
        && print(parse(a)) === print(parse(b));
}

function Document({ space, item, loaded, reload }: {
    space: string; item: string; loaded: Loaded; reload: () => void;
}) {
    const now = loaded.text ?? "";
    const [draft, setDraft] = useState<string | null>(null);
    const gone = loaded.text === null, large = now.length > LARGE;
    const base = useRef({ text: now, etag: loaded.etag });
    const [, draw] = useState(0);
    const dirty = draft !== null && draft !== base.current.text;
    const text = draft ?? now;
    useUnsaved(dirty);

    // What is not being written follows what others write.
    if (!dirty && base.current.etag !== loaded.etag) {
        base.current = { text: now, etag: loaded.etag };
        if (draft !== null)
            setDraft(null);
    }
    // What I have saved comes back, or was written anew as it was.
    if (dirty && base.current.etag !== loaded.etag && !large
        && isSame(base.current.text, now))
        base.current.etag = loaded.etag;
    const moved = dirty && base.current.etag !== loaded.etag;

    const { run, busy, why } = useAction(async () => {
        await ask("PUT", at(space, item), { body: text, headers:
            base.current.etag ? { "If-Match": base.current.etag }
                : { "If-None-Match": "*" } });
        base.current = { text, etag: "" };
        setDraft(null);
        say(t.items.saved);
        reload();
    });
    // What somebody writes stays, whatever becomes of the item.
    if (!dirty && gone)
        return <Gone space={space} item={item} last={loaded.last !== null} />;
    if (!dirty && large)
        return (
            <div class="item-body">
                <Note><span>{t.items.large(bytes(now.length))}</span></Note>
                <Code copy>{"syncline get " + shellWord(space) + " "
                    + shellWord(item)}</Code>
            </div>
        );
    const checked = checkJson(text);
    const decide = (mine: string | null) => {
        base.current = { text: now, etag: loaded.etag };
        setDraft(mine);
        draw(n => n + 1); // mine is what it was
    };

    return (
        <form class="item-body" onSubmit={event => {
            event.preventDefault();
            if (checked.ok && dirty)
                run();
        }}>
            {moved ? (
                <section class="moved" aria-label={t.items.theirs}>
                    <Note tone="warn">
                        <span>{(gone ? t.items.movedGone : t.items.moved)(
                            loaded.last?.name ?? t.unknown)}</span>
                    </Note>
                    {gone ? null : large ? (
                        <p class="muted">{t.items.large(bytes(now.length))}</p>
                    ) : (
                        <>
                            <p class="muted small-text">{t.items.theirsHint}</p>
                            <Diff before={checked.ok ? print(parse(text)) : text}
                                after={now}
                                label={t.items.theirs} />
                        </>
                    )}
                    <div class="actions">
                        <Button small onClick={() => decide(null)}>
                            {gone ? t.items.dropMine : t.items.takeTheirs}
                        </Button>
                        <Button small onClick={() => decide(text)}>
                            {t.items.keepMine}</Button>
                    </div>
                </section>
            ) : null}
            <JsonEditor text={text} setText={setDraft}
                label={t.items.document} rows={14} />
            {why ? <Problem why={why} /> : null}
            <div class="form-foot">
                <Button kind="quiet" disabled={!checked.ok} onClick={() =>
                    setDraft(print(parse(text)))}>{t.items.format}</Button>
                <Button disabled={!dirty} onClick={() => setDraft(null)}>
                    {t.items.discard}</Button>
                <Button kind="main" submit busy={busy}
                    disabled={!dirty || !checked.ok || moved}>{t.save}
                </Button>
            </div>
        </form>
    );
}

function Gone({ space, item, last }: {
    space: string; item: string; last: boolean;
}) {
    return (
        <Empty icon="file" title={last ? t.items.isDeleted : t.items.isNone}
            action={last ? (
                <a class="button" href={href("items", space, item, "history")}>
                    {t.items.history}</a>
            ) : undefined}>{last ? t.items.isDeletedText : null}</Empty>
    );
}

// ---- both ----

export function ItemView({ space, item, tab, back }: {
    space: string; item: string; tab: "document" | "history"; back: string;
}) {
    const { loaded, why, turn, reload } = useItem(space, item);
    const [removing, setRemoving] = useState(false);
    const last = loaded?.last;
    const gone = loaded !== null && loaded.text === null;

    return (
        <section class="panel item" aria-label={item}>
            <div class="item-head">
                <a class="button quiet small back" href={back}
                    aria-label={t.items.back}><Icon name="back" /></a>
                <div class="item-title">
                    <h2 class={"mono" + (item.length > 120 ? " long" : "")}
                        tabIndex={item.length > 120 ? 0 : undefined}>
                        <Text of={item} /></h2>
                    <p class="muted small-text">
                        {last ? (
                            <>{gone ? t.items.deletedBy : t.items.writtenBy}{" "}
                                <Who name={last.name} device={last.device}
                                    author={last.author} />
                                {" · "}<Time us={last.time} />
                                {loaded?.number ? " · " + t.items.version(
                                    loaded.number) : ""}</>
                        ) : null}
                    </p>
                </div>
                {gone || !loaded ? null : (
                    <Button kind="quiet" small icon="trash"
                        label={t.items.remove} onClick={() =>
                            setRemoving(true)} />
                )}
            </div>
            {why ? <Problem why={why} retry={reload} /> : null}
            {loaded && loaded.conflicts > 0 ? (
                <div class="item-note">
                    <Note tone="warn">
                        <span>{t.units.conflicts(loaded.conflicts)}</span>
                        <a href={href("conflicts")}>{t.items.settle}</a>
                    </Note>
                </div>
            ) : null}
            <Tabs label={item} now={tab} tabs={[
                ["document", t.items.document], ["history", t.items.history],
            ]} choose={next => next === "history"
                ? go("items", space, item, "history")
                : go("items", space, item)} />
            {!loaded ? <Loading /> : tab === "history" ? (
                <History space={space} item={item} turn={turn}
                    reload={reload} />
            ) : (
                <Document space={space} item={item} loaded={loaded}
                    reload={reload} />
            )}
            {removing ? (
                <Confirm title={t.items.remove} action={t.items.remove}
                    onClose={() => setRemoving(false)} onDone={async () => {
                        await ask("DELETE", at(space, item));
                        say(t.items.removed(item));
                        lookAgain();
                        reload();
                    }}>
                    <p>{t.items.removeText} <code><Text of={item} /></code></p>
                </Confirm>
            ) : null}
        </section>
    );
}
