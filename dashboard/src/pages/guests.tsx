// Nodes of older systems that this node speaks with: no members of the mesh,
// but what is written there comes here, too.
import { get } from "../api";
import { Icon } from "../icons";
import { t } from "../strings";
import { Text } from "../text";
import { Time } from "../time";
import { told } from "../told";
import { Badge, Panel, useEvery, useLoad } from "../ui";

interface Told {
    isync?: {
        token: boolean;
        peers: { url: string; state: string; node_id: string;
            trouble: string | null }[];
        links: { node_id: string; url?: string; address?: string;
            heard: number; unread: boolean }[];
    };
    lansync?: {
        connections: { node_id: string | null; node_name: string | null;
            address: string; heard: number; trouble: string | null }[];
        devices: { node_id: string; node_name: string; address: string;
            online: boolean; heard_s: number }[];
        peers: { found: boolean; node_id: string; host: string; port: number;
            connected: boolean; trouble: string | null }[];
        refused: { node_id: string; address: string; last: number;
            times: number; trouble: string }[];
        lacking: { node_id: string }[];
    };
    configsync?: {
        callers: number;
        peers: { url: string; connected: boolean; trouble: string | null }[];
    };
}

interface Guest {
    kind: "iSync" | "LAN sync" | "config sync";
    name: string;
    address: string | null; // null: the name is one
    online: boolean;
    refused?: boolean; // it comes, and is not served
    heard: number; // microseconds since 1970; 0: not known
    trouble: string | null;
}

function ofIsync(of: NonNullable<Told["isync"]>): Guest[] {
    const link = (url: string) => of.links.find(l => l.url === url);
    return [
        ...of.peers.map(p => ({
            kind: "iSync" as const, name: p.node_id || p.url,
            address: p.node_id ? p.url : null, online: p.state === "connected",
            heard: link(p.url)?.heard ?? 0, trouble: p.trouble,
        })),
        ...of.links.filter(l => l.address).map(l => ({
            kind: "iSync" as const, name: l.node_id || l.address!,
            address: l.node_id ? l.address! : null, online: true,
            heard: l.heard,
            trouble: l.unread && of.token ? t.guests.unread : null,
        })),
    ];
}

function ofLan(of: NonNullable<Told["lansync"]>): Guest[] {
    const kind = "LAN sync" as const;
    const here = new Set(of.connections.map(c => c.node_id));
    const now = Date.now() * 1000;
    const lacks = (id: string | null) => {
        const n = of.lacking.filter(l => l.node_id === id).length;
        return n > 0 ? t.guests.lacks(n) : null;
    };
    // Who is near need not be connected; whoever is near is called.
    const called = (id: string) => of.peers.find(
        p => p.found && p.node_id === id);
    return [
        ...of.connections.map(c => ({
            kind, name: c.node_name || c.node_id || c.address,
            address: c.address, online: true, heard: c.heard,
            trouble: c.trouble ?? lacks(c.node_id),
        })),
        ...of.refused.map(r => ({
            kind, name: r.node_id || r.address,
            address: r.node_id ? r.address : null, online: false,
            refused: true, heard: r.last, trouble: r.trouble,
        })),
        ...of.devices.filter(d => !here.has(d.node_id)).map(d => ({
            kind, name: d.node_name || d.node_id, address: d.address,
            online: false, heard: now - d.heard_s * 1e6,
            trouble: d.online ? called(d.node_id)?.trouble ?? null : null,
        })),
        ...of.peers.filter(p => !p.found && !p.connected).map(p => ({
            kind, name: p.node_id || `${p.host}:${p.port}`,
            address: p.node_id ? `${p.host}:${p.port}` : null, online: false,
            heard: 0, trouble: p.trouble,
        })),
    ];
}

function ofConfig(of: NonNullable<Told["configsync"]>): Guest[] {
    const kind = "config sync" as const;
    return [
        ...of.peers.map(p => ({
            kind, name: p.url, address: null, online: p.connected, heard: 0,
            trouble: p.trouble,
        })),
        ...of.callers > 0 ? [{
            kind, name: t.guests.callers(of.callers), address: null,
            online: true, heard: 0, trouble: null,
        }] : [],
    ];
}

function Row({ guest: g }: { guest: Guest }) {
    return (
        <li>
            <span class={"device-mark" + (g.online ? " on" : "")}>
                <Icon name="devices" />
            </span>
            <div class="device-text">
                <div class="device-name">
                    <span><Text of={g.name} /></span>
                    {g.refused ? <Badge tone="bad">{t.guests.refused}</Badge>
                        : g.online
                            ? <Badge tone="ok">{t.devices.connected}</Badge>
                            : <Badge>{t.devices.away}</Badge>}
                </div>
                <p class="muted small-text">
                    {g.address ? <code><Text of={g.address} /></code> : null}
                    {g.address && g.heard ? " · " : null}
                    {g.heard ? <>{t.guests.heard} <Time us={g.heard} /></>
                        : null}
                </p>
                {g.trouble ? (
                    <p class="small-text"><Text of={told(g.trouble)} /></p>
                ) : null}
            </div>
            <div class="device-rights"><Badge>{g.kind}</Badge></div>
        </li>
    );
}

export function Guests() {
    const { value, reload } = useLoad(signal =>
        get<Told>("/v1/status", {}, signal), []);
    useEvery(3000, reload);
    if (!value || !(value.isync || value.lansync || value.configsync))
        return null;
    const all = [
        ...value.isync ? ofIsync(value.isync) : [],
        ...value.lansync ? ofLan(value.lansync) : [],
        ...value.configsync ? ofConfig(value.configsync) : [],
    ];
    return (
        <Panel title={t.guests.title} flush={all.length > 0}>
            {all.length > 0 ? (
                <ul class="device-list" aria-label={t.guests.title}>
                    {all.map(g => <Row guest={g}
                        key={g.kind + g.name + g.address + !!g.refused} />)}
                </ul>
            ) : <p class="muted">{t.guests.none}</p>}
        </Panel>
    );
}
