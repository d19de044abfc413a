// What pages are made of.
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useId, useRef, useState } from "preact/hooks";

import { isAbort, reason } from "./api";
import { Icon } from "./icons";
import type { IconName } from "./icons";
import { route } from "./router";
import { State, useValue } from "./state";
import { t } from "./strings";
import { Text } from "./text";
import { askFirst, useUnsaved } from "./unsaved";

type Kids = { children?: ComponentChildren };

// ---- a page's frame ----

export function Page({ title, lead, actions, children, wide }: Kids & {
    title: string; lead?: ComponentChildren; actions?: ComponentChildren;
    wide?: boolean;
}) {
    useEffect(() => {
        document.title = title + " – " + t.name;
    }, [title]);
    return (
        <div class={"page" + (wide ? " wide" : "")}>
            <header class="page-head">
                <div>
                    <h1>{title}</h1>
                    {lead ? <p class="lead">{lead}</p> : null}
                </div>
                {actions ? <div class="actions">{actions}</div> : null}
            </header>
            {children}
        </div>
    );
}

export function Panel({ title, children, actions, flush }: Kids & {
    title?: string; actions?: ComponentChildren; flush?: boolean;
}) {
    const id = useId();
    return (
        <section class="panel" aria-labelledby={title ? id : undefined}>
            {title ? (
                <div class="panel-head">
                    <h2 id={id}>{title}</h2>
                    {actions}
                </div>
            ) : null}
            <div class={flush ? "panel-flush" : "panel-body"}>{children}</div>
        </section>
    );
}

export function Empty({ icon, title, children, action }: Kids & {
    icon: IconName; title: string; action?: ComponentChildren;
}) {
    return (
        <div class="empty">
            <span class="empty-mark"><Icon name={icon} /></span>
            <p class="empty-title">{title}</p>
            {children ? <p class="empty-text">{children}</p> : null}
            {action}
        </div>
    );
}

// unless: it is told why nothing comes, which is all there is to say then.
export function Loading({ unless = null }: { unless?: string | null }) {
    return unless ? null
        : <p class="loading" role="status">{t.loading}…</p>;
}

export function Problem({ why, retry }: { why: string; retry?: () => void }) {
    return (
        <div class="problem" role="alert">
            <Icon name="errors" />
            <span>{why}</span>
            {retry ? <Button small onClick={retry}>{t.retry}</Button> : null}
        </div>
    );
}

export function Note({ tone = "info", children }: Kids & {
    tone?: "info" | "warn" | "ok";
}) {
    return <div class={"note " + tone} role="status">{children}</div>;
}

// ---- small things ----

export function Button({ children, onClick, kind = "plain", icon, small, busy,
    disabled, submit, label, pressed }: Kids & {
    onClick?: () => void; kind?: "plain" | "main" | "danger" | "quiet";
    icon?: IconName; small?: boolean; busy?: boolean; disabled?: boolean;
    submit?: boolean; label?: string; pressed?: boolean;
}) {
    // While it is busy it does nothing, and keeps the focus: one that is
    // disabled would lose it.
    return (
        <button type={submit && !busy ? "submit" : "button"}
            onClick={busy ? undefined : onClick}
            class={"button " + kind + (small ? " small" : "")}
            disabled={disabled && !busy} aria-busy={busy || undefined}
            aria-disabled={busy || undefined}
            aria-label={label} aria-pressed={pressed} title={label}>
            {icon ? <Icon name={icon} /> : null}
            {children ? <span>{children}</span> : null}
        </button>
    );
}

export function Badge({ tone = "plain", children }: Kids & {
    tone?: "plain" | "ok" | "warn" | "bad" | "accent";
}) {
    return <span class={"badge " + tone}>{children}</span>;
}

export function Field({ label, hint, error, children }: {
    label: string; hint?: ComponentChildren; error?: string | null;
    children: (ids: { id: string; describedBy: string }) => ComponentChildren;
}) {
    const id = useId();
    return (
        <div class="field">
            <label for={id}>{label}</label>
            {children({ id, describedBy: id + "-hint" })}
            <div id={id + "-hint"} class={"hint" + (error ? " bad" : "")}
                aria-live={error === undefined ? undefined : "polite"}>
                {error || hint}
            </div>
        </div>
    );
}

export function Tabs<T extends string>({ label, tabs, now, choose }: {
    label: string; tabs: [T, ComponentChildren][]; now: T;
    choose: (tab: T) => void;
}) {
    const bar = useRef<HTMLDivElement>(null);
    const onKey = (event: KeyboardEvent) => {
        const step = event.key === "ArrowRight" ? 1
            : event.key === "ArrowLeft" ? -1 : 0;
        if (!step)
            return;
        const ix = tabs.findIndex(([name]) => name === now);
        const next = (ix + step + tabs.length) % tabs.length;
        choose(tabs[next]![0]);
        (bar.current?.children[next] as HTMLElement | undefined)?.focus();
        event.preventDefault();
    };
    return (
        <div class="tabs" role="tablist" aria-label={label} ref={bar}
            onKeyDown={onKey}>
            {tabs.map(([name, text]) => (
                <button key={name} type="button" role="tab"
                    aria-selected={name === now}
                    tabIndex={name === now ? 0 : -1}
                    onClick={() => choose(name)}>{text}</button>
            ))}
        </div>
    );
}

export function CopyButton({ text }: { text: string }) {
    const [done, setDone] = useState(false);
    useEffect(() => {
        if (!done)
            return;
        const timer = setTimeout(() => setDone(false), 1500);
        return () => clearTimeout(timer);
    }, [done]);
    return (
        <Button small icon={done ? "check" : "copy"}
            onClick={() => void navigator.clipboard.writeText(text)
                .then(() => setDone(true), () => {})}>
            {done ? t.copied : t.copy}
        </Button>
    );
}

export function Code({ children, copy }: { children: string; copy?: boolean }) {
    return (
        <div class="code-line">
            <code>{children}</code>
            {copy ? <CopyButton text={children} /> : null}
        </div>
    );
}

// ---- dialogs ----

// unsaved: something is written in it, that would be lost if it were shut.
export function Dialog({ title, onClose, children, wide, unsaved = false }:
Kids & {
    title: string; onClose: () => void; wide?: boolean; unsaved?: boolean;
}) {
    const dialog = useRef<HTMLDialogElement>(null);
    const id = useId();
    const shut = () => unsaved ? askFirst(onClose, false) : onClose();
    useUnsaved(unsaved);
    useEffect(() => route.subscribe(onClose));
    useEffect(() => {
        const at = dialog.current;
        const before = document.activeElement;
        if (at && !at.open)
            at.showModal();
        return () => {
            at?.close();
            // What opened it may have gone with what was done.
            if (before instanceof HTMLElement && before.isConnected)
                before.focus();
            else
                document.getElementById("main")?.focus();
        };
    }, []);
    return (
        <dialog ref={dialog} class={wide ? "wide" : undefined}
            aria-labelledby={id} onKeyDown={event => {
                // A second one in a row would shut it whatever is asked.
                if (event.key !== "Escape")
                    return;
                event.preventDefault();
                shut();
            }} onCancel={event => {
                event.preventDefault();
                shut();
            }} onClick={event => {
                if (event.target === dialog.current)
                    shut();
            }}>
            <div class="dialog">
                <header>
                    <h2 id={id}>{title}</h2>
                    <Button kind="quiet" icon="close" label={t.close}
                        onClick={shut} />
                </header>
                {children}
            </div>
        </dialog>
    );
}

export function Confirm({ title, action, cancel, onDone, onClose, children }:
Kids & {
    title: string; action: string; cancel?: string;
    onDone: () => Promise<void>; onClose: () => void;
}) {
    const { run, busy, why } = useAction(async () => {
        await onDone();
        onClose();
    });
    return (
        <Dialog title={title} onClose={onClose}>
            <div class="dialog-body">
                {children}
                {why ? <Problem why={why} /> : null}
            </div>
            <footer>
                <Button onClick={onClose}>{cancel ?? t.cancel}</Button>
                <Button kind="danger" busy={busy} onClick={run}>{action}
                </Button>
            </footer>
        </Dialog>
    );
}

// ---- messages that pass ----

interface Toast {
    id: number;
    text: string;
    bad: boolean;
}

const toasts = new State<Toast[]>([]);
let toastId = 0;

export function say(text: string, bad = false): void {
    const made = { id: ++toastId, text, bad };
    toasts.value = [...toasts.value.slice(-2), made];
    setTimeout(() => {
        toasts.value = toasts.value.filter(x => x !== made);
    }, bad ? 9000 : 4000);
}

export function Toasts() {
    const list = useValue(toasts);
    return (
        <div class="toasts" role="status" aria-live="polite">
            {list.map(x => (
                <div key={x.id} class={"toast" + (x.bad ? " bad" : "")}>
                    {x.text}
                </div>
            ))}
        </div>
    );
}

// ---- work ----

// A thing that somebody does here: once at a time, and what went wrong.
export function useAction(work: () => Promise<void>) {
    const [busy, setBusy] = useState(false);
    const [why, setWhy] = useState<string | null>(null);
    const run = () => {
        if (busy)
            return;
        setBusy(true);
        setWhy(null);
        work().catch(e => setWhy(reason(e))).finally(() => setBusy(false));
    };
    return { run, busy, why };
}

// What is read from the node, again whenever that is asked for.
export function useLoad<T>(read: (signal: AbortSignal) => Promise<T>,
    inputs: unknown[]) {
    const [value, setValue] = useState<T | undefined>(undefined);
    const [why, setWhy] = useState<string | null>(null);
    const [turn, setTurn] = useState(0);
    const reload = useCallback(() => setTurn(n => n + 1), []);
    useEffect(() => {
        setValue(undefined);
    }, inputs);
    useEffect(() => {
        const abort = new AbortController();
        read(abort.signal).then(v => {
            setValue(v);
            setWhy(null);
        }, e => {
            if (!isAbort(e))
                setWhy(reason(e));
        });
        return () => abort.abort();
    }, [...inputs, turn]);
    return { value, why, reload };
}

// Now, and every so often while the page is looked at.
export function useEvery(ms: number, work: () => void, inputs: unknown[] = []) {
    useEffect(() => {
        const timer = setInterval(() => {
            if (document.visibilityState === "visible")
                work();
        }, ms);
        return () => clearInterval(timer);
    }, [ms, ...inputs]);
}

export function short(device: string | null | undefined): string {
    return device ? device.slice(0, 7) : t.unknown;
}

// Somebody in an older system, for whom a device has written.
export interface Author { system: string; node_id: string }

export function Who({ name, device, author }: {
    name: string | null | undefined; device: string | null | undefined;
    author?: Author;
}) {
    const by = name || short(device);
    return <span class="who" title={device ?? undefined}>
        <Text of={author ? author.node_id : by} />
        {author ? <> {t.byWayOf} <Text of={by} /></> : null}</span>;
}
