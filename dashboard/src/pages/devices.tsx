// Devices: who belongs to the mesh, who is let in, what each may do.
import { useEffect, useState } from "preact/hooks";

import { get, path, send } from "../api";
import { Icon } from "../icons";
import { watch } from "../live";
import { status } from "../node";
import { useValue } from "../state";
import { t } from "../strings";
import { Text } from "../text";
import { Time } from "../time";
import { Badge, Button, Confirm, Dialog, Empty, Loading, Page, Panel, Problem,
    Who, say, short, useAction, useEvery, useLoad } from "../ui";
import { AddDevice } from "./add_device";
import { Guests } from "./guests";
import { JoinMesh } from "./join_mesh";
import { Terms, noTerms } from "./terms";

export interface Member {
    device: string;
    name: string | null;
    role: string | null;
    spaces: string[] | null;
    by: string | null;
    by_name: string | null;
    since: number;
    self: boolean;
    connected: boolean;
    removed: boolean;
}

function nameOf(m: Member): string {
    return m.name || short(m.device);
}

function ChangeDialog({ member: m, onClose, onDone }: {
    member: Member; onClose: () => void; onDone: () => void;
}) {
    const [terms, setTerms] = useState({ role: m.role ?? "member",
        spaces: m.spaces });
    const { run, busy, why } = useAction(async () => {
        const body: Record<string, unknown> = { role: terms.role };
        if (terms.spaces === null) {
            if (m.spaces !== null)
                body.all_spaces = true;
        } else {
            body.spaces = terms.spaces;
            body.only = true;
        }
        await send("POST", path`/v1/members/${m.device}/grant`, body);
        say(t.devices.changed(nameOf(m)));
        onDone();
        onClose();
    });
    return (
        <Dialog title={t.devices.changeTitle(nameOf(m))} onClose={onClose}>
            <div class="dialog-body">
                <Terms now={terms} set={setTerms} />
                {why ? <Problem why={why} /> : null}
            </div>
            <footer>
                <Button onClick={onClose}>{t.cancel}</Button>
                <Button kind="main" busy={busy} onClick={run}
                    disabled={noTerms(terms)}>{t.save}</Button>
            </footer>
        </Dialog>
    );
}

function Row({ member: m, isAdmin, change, remove }: {
    member: Member; isAdmin: boolean; change: () => void; remove: () => void;
}) {
    const on = m.self || m.connected;
    return (
        <li class={m.removed ? "gone" : undefined}>
            <span class={"device-mark" + (on && !m.removed ? " on" : "")}>
                <Icon name="devices" />
            </span>
            <div class="device-text">
                <div class="device-name">
                    <span title={m.device}><Text of={nameOf(m)} /></span>
                    {m.removed ? <Badge tone="bad">{t.devices.removed}</Badge>
                        : m.self ? <Badge tone="accent">{t.devices.self}</Badge>
                            : m.connected ? <Badge tone="ok">
                                {t.devices.connected}</Badge>
                                : <Badge>{t.devices.away}</Badge>}
                </div>
                <p class="muted small-text">
                    <code>{short(m.device)}</code>{" · "}
                    {t.devices.by} <Who name={m.by_name} device={m.by} />
                    {", "}<Time us={m.since} />
                </p>
            </div>
            <div class="device-rights">
                {m.role ? <Badge>{t.devices.roles[m.role] ?? m.role}</Badge>
                    : null}
                {m.removed || m.role === "admin" ? null : m.spaces === null ? (
                    <Badge>{t.devices.allSpaces}</Badge>
                ) : m.spaces.map(s => <Badge key={s}>{s}</Badge>)}
            </div>
            {isAdmin && !m.removed && !m.self ? (
                <div class="device-tools">
                    <Button small onClick={change}
                        label={`${t.devices.change}: ${nameOf(m)}`}>
                        {t.devices.change}</Button>
                    <Button small onClick={remove}
                        label={`${t.devices.remove}: ${nameOf(m)}`}>
                        {t.devices.remove}</Button>
                </div>
            ) : null}
        </li>
    );
}

type Open =
    | { is: "add" } | { is: "join" }
    | { is: "change" | "remove"; member: Member };

export function Devices() {
    const node = useValue(status);
    const [all, setAll] = useState(false);
    const [open, setOpen] = useState<Open | null>(null);
    const { value, why, reload } = useLoad(signal =>
        get<{ members: Member[] }>("/v1/members", { all }, signal), [all]);
    useEffect(() => watch("_mesh", { change: reload, resync: reload }), []);
    useEvery(2000, reload);
    const shut = () => setOpen(null);
    const isAdmin = node?.role !== "reader" && node?.role !== "member";
    const rank = (m: Member) => m.self ? 0 : m.removed ? 3
        : m.connected ? 1 : 2;
    const sorted = [...value?.members ?? []].sort((a, b) =>
        rank(a) - rank(b) || nameOf(a).localeCompare(nameOf(b)));
    const others = value?.members.filter(m => !m.self && !m.removed) ?? [];
    return (
        <Page title={t.pages.devices} lead={t.devices.lead} actions={
            <>
                <Button onClick={() => setOpen({ is: "join" })}>
                    {t.devices.join}</Button>
                <Button kind="main" icon="plus"
                    onClick={() => setOpen({ is: "add" })}>
                    {t.devices.add}</Button>
            </>
        }>
            {why ? <Problem why={why} retry={reload} /> : null}
            <Panel flush>
                {!value ? <Loading unless={why} /> : (
                    <ul class="device-list">
                        {sorted.map(m => (
                            <Row key={m.device} member={m} isAdmin={isAdmin}
                                change={() => setOpen({ is: "change",
                                    member: m })}
                                remove={() => setOpen({ is: "remove",
                                    member: m })} />
                        ))}
                    </ul>
                )}
                {value && others.length === 0 ? (
                    <Empty icon="devices" title={t.devices.alone} action={
                        <Button kind="main" icon="plus"
                            onClick={() => setOpen({ is: "add" })}>
                            {t.devices.add}</Button>
                    }>{t.devices.aloneText}</Empty>
                ) : null}
            </Panel>
            {value || why ? (
                <>
                    <p class="page-foot">
                        <label class="check">
                            <input type="checkbox" checked={all} onChange={e =>
                                setAll(e.currentTarget.checked)} />
                            {t.devices.showRemoved}
                        </label>
                    </p>
                    <Guests />
                </>
            ) : null}
            {open?.is === "add" ? (
                <AddDevice onClose={shut} onDone={reload} />
            ) : open?.is === "join" ? <JoinMesh onClose={shut} />
                : open?.is === "change" ? (
                    <ChangeDialog member={open.member} onClose={shut}
                        onDone={reload} />
                ) : open?.is === "remove" ? (
                    <Confirm title={t.devices.removeTitle(nameOf(open.member))}
                        action={t.devices.remove} onClose={shut}
                        onDone={async () => {
                            await send("DELETE",
                                path`/v1/members/${open.member.device}`);
                            say(t.devices.removedNow(nameOf(open.member)));
                            reload();
                        }}>
                        <p>{t.devices.removeText}</p>
                    </Confirm>
                ) : null}
        </Page>
    );
}

