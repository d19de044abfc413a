// Conflicts: both values side by side, and what becomes of them.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import { ask, getExact, path } from "../api";
import { Diff } from "../diff";
import { JsonEditor, checkJson } from "../editor";
import { isObject, parse, print } from "../json";
import type { Json } from "../json";
import { changeTurn, conflictTurn, lookAgain, spaces } from "../node";
import { href } from "../router";
import { useValue } from "../state";
import { t } from "../strings";
import { Text } from "../text";
import { Time } from "../time";
import { Badge, Button, Dialog, Empty, Loading, Note, Page, Problem, Who, say,
    useAction, useLoad } from "../ui";
import type { Author } from "../ui";

interface Side {
    path: string;
    value?: Json;
    deleted?: boolean;
    large?: boolean;
    device: string | null;
    name: string | null;
    author?: Author;
    time: number;
}

// What is in effect by now, of one that is settled.
interface InEffect {
    value?: Json;
    deleted?: boolean;
    other?: boolean; // an item of several fields
    device?: string | null;
    author?: Author;
    name?: string | null;
    time?: number;
}

interface Conflict {
    id: string;
    space: string;
    key: string;
    path: string;
    state: "open" | "superseded" | "resolved";
    returned?: boolean;
    winner: Side;
    loser: Side;
    now?: InEffect;
}

async function settle(c: Conflict, body: string): Promise<void> {
    await ask("POST", path`/v1/conflicts/${c.id}`, { body });
    say(t.conflicts.settled);
    lookAgain();
    conflictTurn.value++;
}

function SideView({ side, title, tone, action }: {
    side: Side; title: string; tone: "ok" | "warn" | "plain";
    action: ComponentChildren;
}) {
    return (
        <div class={"side-view " + tone}>
            <div class="side-head">
                <Badge tone={tone}>{title}</Badge>
                <span class="muted small-text">
                    <Who name={side.name} device={side.device}
                        author={side.author} />
                    {" · "}<Time us={side.time} />
                </span>
            </div>
            {side.large ? <p class="muted">{t.conflicts.large}</p>
                : side.deleted || side.value === undefined ? (
                    <p class="muted">{side.path === "" ? t.conflicts.deleted
                        : t.conflicts.removedField}</p>
                ) : (
                    <pre tabIndex={0} aria-label={title}>
                        {print(side.value)}</pre>
                )}
            {action}
        </div>
    );
}

// Members of both; where both have one, that in effect.
function both(winner: Json, loser: Json): Json {
    if (!isObject(winner) || !isObject(loser))
        return winner;
    const made: { [key: string]: Json } = Object.create(null);
    for (const key of new Set([...Object.keys(loser), ...Object.keys(winner)]))
        made[key] = !(key in winner) ? loser[key]! : !(key in loser)
            ? winner[key]! : both(winner[key]!, loser[key]!);
    return made;
}

function Other({ conflict: c, open, onClose }: {
    conflict: Conflict; open: boolean; onClose: () => void;
}) {
    const first = print(c.winner.value) || "null";
    const [text, setText] = useState(first);
    const { run, busy, why } = useAction(async () => {
        // As it was written: numbers are not read by this page's language.
        await settle(c, `{"value":${print(parse(text), 0)}}`);
        onClose();
    });
    return (
        <Dialog title={t.conflicts.editTitle} onClose={onClose} wide
            unsaved={text !== first}>
            <form noValidate onSubmit={event => {
                event.preventDefault();
                run();
            }}>
                <div class="dialog-body">
                    {open ? null : (
                        <Note tone="warn"><span>{t.conflicts.meanwhile}</span>
                        </Note>
                    )}
                    <div class="actions">
                        <Button small onClick={() =>
                            setText(first)}>
                            {t.conflicts.useWinner}</Button>
                        <Button small onClick={() =>
                            setText(print(c.loser.value) || "null")}>
                            {t.conflicts.useLoser}</Button>
                        {isObject(c.winner.value) && isObject(c.loser.value) ? (
                            <Button small onClick={() => setText(
                                print(both(c.winner.value!, c.loser.value!)))}>
                                {t.conflicts.useBoth}</Button>
                        ) : null}
                    </div>
                    <JsonEditor text={text} setText={setText} rows={8}
                        label={t.conflicts.value} />
                    {why ? <Problem why={why} /> : null}
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>{t.cancel}</Button>
                    <Button kind="main" submit busy={busy}
                        disabled={!checkJson(text).ok}>{t.save}</Button>
                </footer>
            </form>
        </Dialog>
    );
}

function isLong(side: Side): boolean {
    return print(side.value).includes("\n");
}

function isLike(now: InEffect, side: Side): boolean {
    return now.deleted === true
        ? side.deleted === true || side.value === undefined && !side.large
        : now.value !== undefined && side.value !== undefined
            && print(now.value) === print(side.value);
}

// How it was settled: by what is in effect where the two met.
function outcome(c: Conflict, now: InEffect): string {
    return isLike(now, c.winner) ? t.conflicts.outcome.winner
        : isLike(now, c.loser) ? t.conflicts.outcome.loser
            : t.conflicts.outcome.other;
}

function NowView({ conflict: c, now }: { conflict: Conflict; now: InEffect }) {
    return (
        <div class="side-view now">
            <div class="side-head">
                <Badge tone="ok">{t.conflicts.now}</Badge>
                {now.time ? (
                    <span class="muted small-text">
                        <Who name={now.name} device={now.device}
                            author={now.author} />
                        {" · "}<Time us={now.time} />
                    </span>
                ) : null}
            </div>
            {now.value !== undefined ? (
                <pre tabIndex={0} aria-label={t.conflicts.now}>
                    {print(now.value)}</pre>
            ) : (
                <p class="muted">{now.other ? t.conflicts.fields
                    : c.path === "" ? t.conflicts.deleted
                        : t.conflicts.removedField}</p>
            )}
            <p class="muted small-text">{c.state === "open" ? null
                : t.conflicts.how[c.state]} {outcome(c, now)}{" "}
                <a href={href("items", c.space, c.key, "history")}>
                    {t.conflicts.past}</a></p>
        </div>
    );
}

function Card({ conflict: c, edit }: { conflict: Conflict; edit: () => void }) {
    const [diff, setDiff] = useState(false);
    const keep = useAction(() => settle(c, '{"take":"winner"}'));
    const take = useAction(() => settle(c, '{"take":"loser"}'));
    const open = c.state === "open";
    const why = keep.why ?? take.why;
    return (
        <article class="panel conflict" aria-label={c.key}>
            <header class="panel-head">
                <div class="conflict-title">
                    <h2 class="mono"><a href={href("items", c.space, c.key)}>
                        <Text of={c.key} /></a></h2>
                    <p class="muted small-text">
                        <Text of={c.space} />{" · "}
                        {c.path === "" ? t.conflicts.whole : (
                            <>{t.conflicts.field}{" "}
                                <code><Text of={c.path} /></code></>
                        )}
                    </p>
                </div>
                <div class="actions">
                    {c.returned ? <Badge tone="warn">
                        {t.conflicts.returned}</Badge> : null}
                    {open ? null : <Badge>{t.conflicts[c.state]}</Badge>}
                    {isLong(c.winner) && isLong(c.loser) ? (
                        <Button small pressed={diff}
                            onClick={() => setDiff(!diff)}>
                            {diff ? t.conflicts.hideDiff
                                : t.conflicts.showDiff}</Button>
                    ) : null}
                    {open ? (
                        <Button small onClick={edit}>
                            {t.conflicts.edit}</Button>
                    ) : null}
                </div>
            </header>
            {why ? <div class="panel-body"><Problem why={why} /></div> : null}
            {c.now ? <NowView conflict={c} now={c.now} /> : null}
            {diff ? (
                <div class="panel-body">
                    <Diff before={print(c.loser.value)}
                        after={print(c.winner.value)}
                        label={t.conflicts.showDiff} />
                </div>
            ) : null}
            <div class="sides">
                <SideView side={c.winner} title={open ? t.conflicts.inEffect
                    : t.conflicts.won}
                    tone={open ? "ok" : "plain"} action={open ? (
                        <Button busy={keep.busy} onClick={keep.run}>
                            {t.conflicts.keep}</Button>
                    ) : null} />
                <SideView side={c.loser} title={t.conflicts.lost}
                    tone="warn" action={open ? (
                        <Button busy={take.busy} onClick={take.run}>
                            {t.conflicts.take}</Button>
                    ) : null} />
            </div>
        </article>
    );
}

export function Conflicts() {
    const [all, setAll] = useState(false);
    // Here, so that it is not shut when somebody else settles it meanwhile.
    const [editing, setEditing] = useState<Conflict | null>(null);
    const turn = useValue(conflictTurn);
    const counts = useValue(spaces).map(s => s.conflicts).join();
    const { value, why, reload } = useLoad(signal =>
        getExact<{ conflicts: Conflict[] }>("/v1/conflicts", { all }, signal),
    [all]);
    // What is in effect of settled ones moves on by any write.
    const changes = useValue(changeTurn);
    useEffect(reload, [turn, counts, all ? changes : 0]);
    return (
        <Page title={t.pages.conflicts} lead={t.conflicts.lead} actions={
            <label class="check">
                <input type="checkbox" checked={all}
                    onChange={e => setAll(e.currentTarget.checked)} />
                {t.conflicts.showAll}
            </label>
        }>
            {why ? <Problem why={why} retry={reload} /> : null}
            {!value ? <Loading unless={why} /> : value.conflicts.length === 0 ? (
                <div class="panel">
                    <Empty icon="check" title={t.conflicts.empty}>
                        {t.conflicts.emptyText}</Empty>
                </div>
            ) : value.conflicts.map(c => (
                <Card key={c.id} conflict={c} edit={() => setEditing(c)} />
            ))}
            {editing ? (
                <Other conflict={editing} onClose={() => setEditing(null)}
                    open={value?.conflicts.some(c => c.id === editing.id
                        && c.state === "open") ?? true} />
            ) : null}
        </Page>
    );
}
