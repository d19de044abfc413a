// Errors: what went wrong, where, since when, and what to do about it.
import { useState } from "preact/hooks";

import { get, path, send } from "../api";
import { Icon } from "../icons";
import { lookAtErrors } from "../node";
import { href } from "../router";
import { t } from "../strings";
import { Text } from "../text";
import { Time } from "../time";
import { told } from "../told";
import { Badge, Button, Empty, Loading, Page, Panel, Problem, say, useAction,
    useEvery, useLoad } from "../ui";

interface Where {
    device?: string;
    name?: string | null;
    space?: string;
    key?: string;
    address?: string;
}

interface Entry {
    id: string;
    code: string;
    level: "info" | "warn" | "error";
    state: "open" | "acknowledged" | "cleared";
    what: string;
    advice: string | null;
    where: Where | null;
    first: number;
    last: number;
    count: number;
    by: string | null;
    at: number | null;
}

interface Check {
    name: string;
    ok: boolean;
    level: string;
    text: string;
}

const levels: Record<string, string> = {
    ok: "ok", info: "", warn: "warn", error: "bad",
};
const tones = { info: "accent", warn: "warn", error: "bad" } as const;

// Words of commands stand between backquotes.
function Advice({ text }: { text: string }) {
    return (
        <p class="advice">
            {text.split("`").map((part, i) => i % 2
                ? <code key={i}>{part}</code> : part)}
        </p>
    );
}

function Place({ where: w }: { where: Where | null }) {
    if (!w)
        return null;
    return (
        <>
            {w.name || w.device ? <Badge><Text of={w.name
                || w.device!.slice(0, 7)} /></Badge> : null}
            {w.address ? <Badge>{w.address}</Badge> : null}
            {w.space && w.key ? (
                <a href={href("items", w.space, w.key)}>
                    <code><Text of={w.space + "/" + w.key} /></code></a>
            ) : w.space ? <Badge>{w.space}</Badge> : null}
        </>
    );
}

function EntryRow({ entry: e, onDone }: { entry: Entry; onDone: () => void }) {
    const open = e.state === "open";
    const { run, busy, why } = useAction(async () => {
        await send("POST", path`/v1/errors/${e.id}`, { ack: open });
        say(open ? t.errors.acknowledged : t.errors.openAgain);
        onDone();
    });
    return (
        <li class={open ? undefined : "settled"}>
            <span class={"error-mark " + tones[e.level]}>
                <Icon name={open ? "errors" : "check"} />
            </span>
            <div class="error-text">
                <p class="error-what">{told(e.what)}</p>
                {e.advice ? <Advice text={told(e.advice)} /> : null}
                <p class="muted small-text error-meta">
                    <code>{e.code}</code>
                    <Place where={e.where} />
                    {e.count > 1 ? <Badge>{t.errors.times(e.count)}</Badge>
                        : null}
                    <span>{t.errors.since} <Time us={e.first} />
                        {e.count > 1 ? <>, {t.errors.last}{" "}
                            <Time us={e.last} /></> : null}</span>
                    {e.state === "acknowledged" ? (
                        <span>{t.errors.knownBy(e.by ?? t.unknown)}{" "}
                            <Time us={e.at} /></span>
                    ) : null}
                    {e.state === "cleared" ? <Badge tone="ok">
                        {t.errors.cleared}</Badge> : null}
                </p>
                {why ? <Problem why={why} /> : null}
            </div>
            {e.state === "cleared" ? null : (
                <Button small busy={busy} onClick={run}>
                    {open ? t.errors.acknowledge : t.errors.reopen}</Button>
            )}
        </li>
    );
}

function Checks() {
    const { value, why, reload } = useLoad(signal =>
        get<{ checks: Check[] }>("/v1/doctor", {}, signal), []);
    return (
        <Panel title={t.errors.checks} flush actions={
            <Button small onClick={reload}>{t.errors.checkAgain}</Button>
        }>
            {why ? <Problem why={why} retry={reload} /> : null}
            {!value ? <Loading unless={why} /> : (
                <ul class="checks-list">
                    {value.checks.map((c, i) => (
                        <li key={i}>
                            <span class={"dot " + levels[c.level]}
                            aria-hidden="true" />
                            <strong>{c.name}</strong>
                            <span class="visually-hidden">{c.ok ? t.errors.ok
                                : c.level}</span>
                            <span class="muted">{told(c.text)}</span>
                        </li>
                    ))}
                </ul>
            )}
        </Panel>
    );
}

export function Errors() {
    const [all, setAll] = useState(false);
    const { value, why, reload } = useLoad(signal =>
        get<{ open: number; errors: Entry[] }>("/v1/errors", { all }, signal),
    [all]);
    useEvery(2000, reload);
    const done = () => {
        reload();
        lookAtErrors();
    };
    const ackAll = useAction(async () => {
        await send("POST", "/v1/errors/all", { ack: true });
        say(t.errors.acknowledged);
        done();
    });
    return (
        <Page title={t.pages.errors} lead={t.errors.lead} actions={
            <>
                <label class="check">
                    <input type="checkbox" checked={all}
                        onChange={e => setAll(e.currentTarget.checked)} />
                    {t.errors.showAll}
                </label>
                <Button busy={ackAll.busy} onClick={ackAll.run}
                    disabled={!value || value.open < 2}>
                    {t.errors.acknowledgeAll}</Button>
            </>
        }>
            {why ?? ackAll.why ? <Problem why={(why ?? ackAll.why)!} /> : null}
            <Panel flush>
                {!value ? <Loading unless={why} /> : value.errors.length === 0 ? (
                    <Empty icon="check" title={t.errors.empty}>
                        {t.errors.emptyText}</Empty>
                ) : (
                    <ul class="error-list">
                        {value.errors.map(e => (
                            <EntryRow key={e.id} entry={e} onDone={done} />
                        ))}
                    </ul>
                )}
            </Panel>
            {value || why ? <Checks /> : null}
        </Page>
    );
}
