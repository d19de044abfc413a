// Settings: the spaces of the mesh, and the options of this node.
import { useEffect, useRef, useState } from "preact/hooks";

import { get, isAbort, path, reason, send } from "../api";
import { watch } from "../live";
import { isOwn, lookAgain, spaces, status } from "../node";
import { href } from "../router";
import { useValue } from "../state";
import { isName } from "../names";
import { t } from "../strings";
import { Text } from "../text";
import { useUnsaved } from "../unsaved";
import { Badge, Button, Confirm, Empty, Loading, Note, Page, Panel, Problem, say,
    useAction, useLoad } from "../ui";
import { Tokens } from "./tokens";

// ---- spaces and what becomes of conflicts in them ----

interface Policy {
    space: string;
    prefix: string;
    policy: string;
}

const policyNames = ["lww", "merge", "manual", "keep-both", "custom"];
const lasting = new Set(["default", "config"]);

// What is known of a space's policies; null: nothing yet.
type Known = { list: Policy[] } | { why: string } | null;

function PolicyRow({ policy: p, onDone }: {
    policy: Policy; onDone: () => void;
}) {
    const chosen = useRef("");
    const { run, busy, why } = useAction(async () => {
        await send("PUT", path`/v1/spaces/${p.space}/policy`,
            { prefix: p.prefix, policy: chosen.current });
        say(t.settings.policySet);
        onDone();
    });
    return (
        <span class="policy">
            {p.prefix ? <code><Text of={p.prefix} /></code> : null}
            <select class="small" value={p.policy} disabled={busy}
                aria-label={t.settings.policyOf(p.space, p.prefix)}
                onChange={e => {
                    chosen.current = e.currentTarget.value;
                    run();
                }}>
                {policyNames.map(name => (
                    <option key={name} value={name}>
                        {t.settings.policies[name]}</option>
                ))}
            </select>
            {why ? <Problem why={why} /> : null}
        </span>
    );
}

function Policies({ space, known, reload }: {
    space: string; known: Known; reload: () => void;
}) {
    if (known && "why" in known)
        return <Problem why={known.why} retry={reload} />;
    if (!known)
        return (
            <select class="small" disabled aria-busy="true"
                aria-label={t.settings.policyOf(space, "")}>
                <option>{t.loading}…</option>
            </select>
        );
    const list = known.list.some(p => p.prefix === "") ? known.list
        : [{ space, prefix: "", policy: "lww" }, ...known.list];
    return <>{list.map(p => (
        <PolicyRow key={p.prefix} policy={p} onDone={reload} />
    ))}</>;
}

// Each space's own: one that cannot be told of keeps no other waiting.
function usePolicies(names: string[]) {
    const [known, setKnown] = useState<Record<string, Known>>({});
    const [turn, setTurn] = useState(0);
    useEffect(() => {
        const abort = new AbortController();
        for (const space of names)
            get<{ policies: Policy[] }>("/v1/policies", { space },
                abort.signal).then(told => ({ list: told.policies.filter(p =>
                p.space === space) }), e => isAbort(e) ? null
                : { why: reason(e) }).then(now => {
                if (now)
                    setKnown(before => ({ ...before, [space]: now }));
            });
        return () => abort.abort();
    }, [names.join(), turn]);
    return { known, reload: () => setTurn(n => n + 1) };
}

function AddSpace({ onDone }: { onDone: () => void }) {
    const [name, setName] = useState("");
    const [bad, setBad] = useState(false);
    const { run, busy, why } = useAction(async () => {
        setBad(!isName(name));
        if (!isName(name))
            return;
        await send("PUT", path`/v1/spaces/${name}`);
        say(t.settings.spaceAdded(name));
        setName("");
        onDone();
    });
    return (
        <form class="inline-form" noValidate onSubmit={event => {
            event.preventDefault();
            run();
        }}>
            <input value={name} placeholder={t.settings.spaceName}
                aria-label={t.settings.spaceName} aria-invalid={bad}
                aria-describedby="space-name-bad"
                onInput={e => {
                    setName(e.currentTarget.value);
                    setBad(false);
                }} />
            <Button submit busy={busy} disabled={name === ""}>
                {t.settings.addSpace}</Button>
            <p id="space-name-bad" class="hint bad" aria-live="polite">
                {bad ? t.badName : null}</p>
            {why ? <Problem why={why} /> : null}
        </form>
    );
}

function Spaces() {
    const list = useValue(spaces).filter(isOwn);
    const isRelay = useValue(status)?.role === "relay";
    const [removing, setRemoving] = useState<string | null>(null);
    const names = list.map(s => s.name);
    const { known, reload } = usePolicies(names);
    const look = () => {
        reload();
        lookAgain();
    };
    useEffect(() => watch("_spaces", { change: look, resync: look }), []);
    return (
        <Panel title={t.settings.spaces} flush>
            {list.length > 0 ? null : isRelay ? (
                <Empty icon="items" title={t.items.unread}>
                    {t.items.unreadText}</Empty>
            ) : <Loading />}
            <ul class="setting-list">
                {list.map(s => (
                    <li key={s.name}>
                        <div class="setting-text">
                            <a class="setting-name" href={href("items",
                                s.name)}>{s.name}</a>
                            <p class="muted small-text">
                                {t.units.items(s.items)}</p>
                        </div>
                        <div class="setting-value policies">
                            <Policies space={s.name} reload={reload}
                                known={known[s.name] ?? null} />
                            {lasting.has(s.name) ? <span class="no-tool" /> : (
                                <Button small kind="quiet" icon="trash"
                                    label={t.settings.removeSpace(s.name)}
                                    onClick={() => setRemoving(s.name)} />
                            )}
                        </div>
                    </li>
                ))}
            </ul>
            {list.length === 0 ? null : (
                <div class="panel-foot"><AddSpace onDone={look} /></div>
            )}
            {removing ? (
                <Confirm title={t.settings.removeSpace(removing)}
                    action={t.remove} onClose={() => setRemoving(null)}
                    onDone={async () => {
                        await send("DELETE", path`/v1/spaces/${removing}`);
                        look();
                    }}><p>{t.settings.removeSpaceText}</p></Confirm>
            ) : null}
        </Panel>
    );
}

// ---- options ----

type Value = string | number | boolean | string[] | null;

interface Option {
    name: string;
    value: Value;
    next?: Value;
    source: string;
    type: string;
    default?: string;
    help: string;
    takes_effect: string;
    by_hand: boolean;
    choices?: string[];
    min?: number | string;
    max?: number | string;
}

function asText(v: Value | undefined): string {
    return v === null || v === undefined ? ""
        : Array.isArray(v) ? v.join(", ") : String(v);
}

// What is sent for what was typed.
function fromText(o: Option, text: string): Value {
    if (text === "")
        return null;
    if (o.type === "integer" && /^-?\d+$/.test(text))
        return Number(text);
    if (o.type === "boolean")
        return text === "true";
    if (o.type === "names" || o.type === "addresses")
        return text.split(/[\s,]+/).filter(Boolean);
    return text;
}

function isFixed(o: Option): boolean {
    return o.by_hand || /^(flag|environment|env)\b/.test(o.source);
}

function hint(o: Option): string {
    const parts = [];
    if (o.default !== undefined && o.default !== "")
        parts.push(t.settings.default(o.default));
    if (o.min !== undefined && o.max !== undefined)
        parts.push(t.settings.bounds(String(o.min), String(o.max)));
    if (o.takes_effect === "restart")
        parts.push(t.settings.restart);
    return parts.join(" · ");
}

function Choice({ option: o, text, set }: {
    option: Option; text: string; set: (text: string) => void;
}) {
    const choices = o.type === "boolean" ? ["true", "false"] : o.choices;
    const shared = {
        id: "option-" + o.name, "aria-describedby": "help-" + o.name,
        disabled: isFixed(o),
    };
    return choices ? (
        <select {...shared} value={text}
            onChange={e => set(e.currentTarget.value)}>
            {choices.map(c => (
                <option key={c} value={c}>{o.type === "boolean"
                    ? c === "true" ? t.settings.on : t.settings.off : c}
                </option>
            ))}
        </select>
    ) : (
        <input {...shared} value={text} class="mono" spellcheck={false}
            inputMode={o.type === "integer" ? "numeric" : undefined}
            placeholder={o.default ?? ""} autocomplete="off"
            onInput={e => set(e.currentTarget.value)} />
    );
}

function OptionRow({ option: o, text, set, changed }: {
    option: Option; text: string; set: (text: string) => void;
    changed: boolean;
}) {
    return (
        <li class={changed ? "changed" : undefined}>
            <div class="setting-text">
                <label class="setting-name mono" for={"option-" + o.name}>
                    {o.name}</label>
                <p class="muted small-text" id={"help-" + o.name}>
                    {o.help}{hint(o) ? <><br />{hint(o)}</> : null}</p>
            </div>
            <div class="setting-value">
                <Choice option={o} text={text} set={set} />
                {o.source !== "default" ? <Badge>{o.source}</Badge> : null}
                {o.next !== undefined ? <Badge tone="warn">
                    {t.settings.next(asText(o.next))}</Badge> : null}
            </div>
        </li>
    );
}

function groupOf(name: string): string {
    const dot = name.indexOf(".");
    return dot < 0 ? "" : name.slice(0, dot);
}

// What was saved is no draft any more; it may have been typed on meanwhile, and
// what is typed before the new values are here looks like the old one.
function typedSince(drafts: Record<string, string>,
    sent: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(drafts).filter(
        ([name, text]) => sent[name] !== text));
}

function Options() {
    const [find, setFind] = useState("");
    const [drafts, setDrafts] = useState<Record<string, string>>({});
    const [trouble, setTrouble] = useState<string | null>(null);
    const { value, why, reload } = useLoad(signal =>
        get<{ options: Option[] }>("/v1/config", {}, signal), []);
    const now = (o: Option) => asText(o.next ?? o.value);
    const isChanged = (o: Option) =>
        o.name in drafts && drafts[o.name] !== now(o);
    const n = value?.options.filter(isChanged).length ?? 0;
    useUnsaved(n > 0);
    const save = useAction(async () => {
        const sent = drafts, body: Record<string, Value> = {};
        for (const o of value!.options.filter(isChanged))
            body[o.name] = fromText(o, sent[o.name]!);
        const told = await send<{ restart: boolean; trouble?: string }>(
            "PATCH", "/v1/config", body);
        setTrouble(told.trouble ?? null);
        if (!told.trouble)
            say(told.restart ? t.settings.savedRestart : t.settings.saved);
        setDrafts(before => typedSince(before, sent));
        reload();
    });
    if (!value)
        return why ? <Problem why={why} retry={reload} /> : <Loading />;
    const set = (o: Option, text: string) =>
        setDrafts(before => ({ ...before, [o.name]: text }));
    const shown = value.options.filter(o =>
        (o.name + " " + o.help).toLowerCase().includes(find.toLowerCase()));
    const groups = [...new Set(shown.map(o => groupOf(o.name)))];
    return (
        <section aria-label={t.settings.options}>
            <div class="section-head">
                <h2>{t.settings.options}</h2>
                <input type="search" value={find} aria-label={t.settings.find}
                    placeholder={t.settings.find}
                    onInput={e => setFind(e.currentTarget.value)} />
            </div>
            {groups.map(group => (
                <Panel key={group} title={group || t.settings.general} flush>
                    <ul class="setting-list">
                        {shown.filter(o => groupOf(o.name) === group).map(o => (
                            <OptionRow key={o.name} option={o}
                                text={drafts[o.name] ?? now(o)}
                                changed={isChanged(o)}
                                set={text => set(o, text)} />
                        ))}
                    </ul>
                </Panel>
            ))}
            {n > 0 ? (
                <div class="save-bar">
                    {save.why ? <Problem why={save.why} /> : (
                        <span role="status">{t.settings.unsaved(n)}</span>
                    )}
                    <Button onClick={() => setDrafts({})}>
                        {t.items.discard}</Button>
                    <Button kind="main" busy={save.busy} onClick={save.run}>
                        {t.save}</Button>
                </div>
            ) : trouble ? (
                <div class="save-bar">
                    <Problem why={t.settings.savedTrouble(trouble)} />
                    <Button onClick={() => setTrouble(null)}>{t.close}
                    </Button>
                </div>
            ) : null}
            {value.options.some(o => o.next !== undefined) ? (
                <Note tone="warn"><span>{t.settings.waiting}</span></Note>
            ) : null}
        </section>
    );
}

// One below the other as they come, so that none moves what is read already.
export function Settings() {
    const known = useValue(spaces).length > 0;
    const [tokens, setTokens] = useState(false);
    return (
        <Page title={t.pages.settings} lead={t.settings.lead}>
            <Spaces />
            {known ? <Tokens onTold={() => setTokens(true)} /> : null}
            {tokens ? <Options /> : null}
        </Page>
    );
}
