// The frame around a page: where one can go, and how the node is.
import { useEffect, useRef, useState } from "preact/hooks";

import { send } from "./api";
import { Icon } from "./icons";
import type { IconName } from "./icons";
import { liveState } from "./live";
import { openConflicts, openErrors, spaces, status } from "./node";
import { pages } from "./pages";
import { href, route } from "./router";
import { forget } from "./session";
import { useValue } from "./state";
import { language, languageNames, setLanguage, t } from "./strings";
import { Text } from "./text";
import { theme, themes } from "./theme";
import type { Theme } from "./theme";
import { askFirst, leave, leaving, stay } from "./unsaved";
import { Button, Confirm, Empty, Page, Toasts } from "./ui";

const themeIcons: Record<Theme, IconName> = {
    system: "system", light: "sun", dark: "moon",
};

function ThemeChoice() {
    const now = useValue(theme);
    return (
        <div class="segments" role="group" aria-label={t.theme.label}>
            {themes.map(name => (
                <button key={name} type="button" title={t.theme[name]}
                    aria-label={t.theme[name]} aria-pressed={name === now}
                    onClick={() => {
                        theme.value = name;
                    }}><Icon name={themeIcons[name]} /></button>
            ))}
        </div>
    );
}

function LanguageChoice() {
    const names = Object.entries(languageNames);
    if (names.length < 2)
        return null;
    return (
        <select aria-label={t.language} value={language} class="small"
            onChange={e => setLanguage(e.currentTarget.value)}>
            {names.map(([tag, name]) => (
                <option key={tag} value={tag}>{name}</option>
            ))}
        </select>
    );
}

function LiveMark() {
    const now = useValue(liveState);
    return (
        <span class={"live-mark " + now} role="status">
            <span class="dot" aria-hidden="true" />{t.live[now]}
        </span>
    );
}

function signOut(): void {
    void send("DELETE", "/v1/session").catch(() => {}).finally(
        () => forget("never"));
}

function NodeName() {
    const node = useValue(status);
    return (
        <div class="node-name">
            <div>
                <span class="muted small-text">{t.thisNode}</span>
                <strong title={node?.device}><Text of={node?.name ?? "…"} />
                </strong>
                <LiveMark />
            </div>
            <Button kind="quiet" icon="out" small label={t.signOut}
                onClick={() => askFirst(signOut)} />
        </div>
    );
}

function Count({ of }: { of: [number, string] | undefined }) {
    if (!of || of[0] === 0)
        return null;
    return (
        <span class="count">
            <span aria-hidden="true">{of[0] > 99 ? "99+" : of[0]}</span>
            <span class="visually-hidden">{of[1]}</span>
        </span>
    );
}

function Nav({ now, onGo }: { now: string; onGo: () => void }) {
    const conflicts = openConflicts(useValue(spaces));
    const errors = useValue(openErrors);
    const counts: Record<string, [number, string]> = {
        conflicts: [conflicts, t.units.conflicts(conflicts)],
        errors: [errors, t.errors.open(errors)],
    };
    return (
        <nav aria-label={t.nav}>
            <ul>
                {pages.map(p => (
                    <li key={p.name}>
                        <a href={href(p.name)} onClick={onGo}
                            aria-current={p.name === now ? "page" : undefined}>
                            <Icon name={p.icon} />
                            <span>{t.pages[p.name]}</span>
                            <Count of={counts[p.name]} />
                        </a>
                    </li>
                ))}
            </ul>
        </nav>
    );
}

function Leaving() {
    return useValue(leaving) === null ? null : (
        <Confirm title={t.unsaved.title} action={t.unsaved.leave}
            cancel={t.unsaved.stay} onClose={stay}
            onDone={() => Promise.resolve(leave())}>
            <p>{t.unsaved.text}</p>
        </Confirm>
    );
}

function NotFound() {
    return (
        <Page title={t.notFound.title}>
            <Empty icon="search" title={t.notFound.text}
                action={<a class="button main" href={href("items")}>
                    {t.notFound.back}</a>} />
        </Page>
    );
}

export function Layout() {
    const parts = useValue(route);
    const live = useValue(liveState);
    const [open, setOpen] = useState(false);
    const main = useRef<HTMLElement>(null);
    const menu = useRef<HTMLButtonElement>(null);
    const first = useRef(true);
    const name = parts[0] || "items";
    const page = pages.find(p => p.name === name);

    // Who goes to another page hears its heading, and scrolls from its top.
    useEffect(() => {
        if (first.current) {
            first.current = false;
            return;
        }
        setOpen(false);
        main.current?.focus({ preventScroll: true });
        scrollTo(0, 0);
    }, [name]);

    return (
        <div class={"frame" + (open ? " menu-open" : "")}>
            <a class="skip" href="#main" onClick={event => {
                event.preventDefault();
                main.current?.focus();
            }}>{t.skip}</a>
            <header class="side" onKeyDown={event => {
                if (event.key !== "Escape" || !open)
                    return;
                setOpen(false);
                menu.current?.focus();
            }}>
                <div class="brand">
                    <img src="/icon.svg" alt="" width="28" height="28" />
                    <span>{t.name}</span>
                    <span class="menu-button">
                        <button type="button" class="button quiet" ref={menu}
                            aria-expanded={open} aria-controls="menu"
                            aria-label={t.menu}
                            onClick={() => setOpen(!open)}>
                            <Icon name={open ? "close" : "menu"} />
                        </button>
                    </span>
                </div>
                <div id="menu" class="menu">
                    <Nav now={name} onGo={() => setOpen(false)} />
                    <div class="side-foot">
                        <NodeName />
                        <div class="side-tools">
                            <ThemeChoice />
                            <LanguageChoice />
                        </div>
                    </div>
                </div>
            </header>
            <main id="main" ref={main} tabIndex={-1}>
                {live === "lost" ? (
                    <div class="banner" role="alert">{t.live.lostText}</div>
                ) : null}
                {page ? page.draw(parts.slice(1)) : <NotFound />}
            </main>
            <Leaving />
            <Toasts />
        </div>
    );
}
