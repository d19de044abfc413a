// Mesh: which devices there are, how they are reached, how much is on its way.
import { useEffect, useState } from "preact/hooks";

import { ApiError, get } from "../api";
import { status } from "../node";
import { Plot } from "../plot";
import { href } from "../router";
import { useValue } from "../state";
import { language, t } from "../strings";
import { Text } from "../text";
import { bytes, span } from "../time";
import { Badge, Button, Empty, Loading, Note, Page, Panel, Problem, short,
    useAction, useEvery, useLoad } from "../ui";
import { Graph } from "./graph";

interface Peer {
    device: string;
    name: string | null;
    role: string;
    address: string | null;
    state: string;
    rtt_us: number | null;
    offset_us: number | null;
    behind: boolean;
    lag: number;
    parked: boolean;
    copies: boolean;
}

interface Recent {
    time: number[];
    changes: number[];
    items_in: number[];
    items_out: number[];
    bytes_in: number[];
    bytes_out: number[];
    propagation_p50_us: (number | null)[];
    propagation_p99_us: (number | null)[];
}

const KEEP = 600;
const names = ["time", "changes", "items_in", "items_out", "bytes_in",
    "bytes_out", "propagation_p50_us", "propagation_p99_us"] as const;

function joined(a: Recent | null, b: Recent): Recent {
    const made = {} as Record<string, (number | null)[]>;
    for (const name of names)
        made[name] = [...a?.[name] ?? [], ...b[name]].slice(-KEEP);
    return made as unknown as Recent;
}

function useRecent(): Recent | null {
    const [recent, setRecent] = useState<Recent | null>(null);
    const [none, setNone] = useState(false);
    const look = () => {
        const since = recent?.time[recent.time.length - 1];
        if (!none)
            get<Recent>("/v1/metrics/recent", { since }).then(told => {
                if (told.time.length > 0 || !recent)
                    setRecent(joined(recent, told));
            }, e => setNone(e instanceof ApiError && e.status === 404));
    };
    useEffect(look, []);
    useEvery(1000, look, [recent, none]);
    return recent;
}

function plain(v: number): string {
    return v.toLocaleString(language, { maximumFractionDigits: 1 });
}

function Plots() {
    const recent = useRecent();
    if (!recent)
        return null;
    const times = recent.time.map(us => us / 1e6);
    const s = t.mesh.series;
    return (
        <div class="plots">
            <Plot title={t.mesh.propagation} hint={t.mesh.propagationHint}
                times={times} least={1000} format={span} series={[
                    { label: s.p50, values: recent.propagation_p50_us },
                    { label: s.p99, values: recent.propagation_p99_us },
                ]} />
            <Plot title={t.mesh.throughput} hint={t.mesh.throughputHint}
                times={times} least={4} format={plain} series={[
                    { label: s.written, values: recent.changes },
                    { label: s.sent, values: recent.items_out },
                    { label: s.received, values: recent.items_in },
                ]} />
            <Plot title={t.mesh.traffic} hint={t.mesh.trafficHint}
                times={times} least={100} format={bytes} series={[
                    { label: s.sent, values: recent.bytes_out },
                    { label: s.received, values: recent.bytes_in },
                ]} />
        </div>
    );
}

function clockText(us: number | null): string {
    if (us === null)
        return "–";
    return Math.abs(us) < 1000 ? t.mesh.exact
        : us > 0 ? t.mesh.ahead(span(us)) : t.mesh.late(span(-us));
}

const tones: Record<string, string> = {
    connected: "ok", connecting: "warn", dialing: "warn",
};

function PeerRow({ peer: p }: { peer: Peer }) {
    return (
        <tr>
            <td>
                <strong title={p.device}>
                    <Text of={p.name || short(p.device)} /></strong>
                {p.copies ? <> <Badge tone="bad">{t.mesh.copies}</Badge></>
                    : null}
            </td>
            <td data-label={t.mesh.columns.state}>
                <span class="state">
                    <span class={"dot " + (tones[p.state] ?? "")}
                        aria-hidden="true" />
                    {t.mesh.state[p.state] ?? p.state}
                </span>
                {p.parked ? <> <span title={t.mesh.parkedHint}>
                    <Badge tone="warn">{t.mesh.parked}</Badge></span></> : null}
            </td>
            <td data-label={t.mesh.columns.lag}>{p.behind ? t.units.changes(p.lag) : t.mesh.upToDate}</td>
            <td class="number" data-label={t.mesh.columns.rtt}>{span(p.rtt_us)}</td>
            <td data-label={t.mesh.columns.offset}>{clockText(p.offset_us)}</td>
            <td data-label={t.mesh.columns.address}>
                <code>{p.address ?? "–"}</code>
            </td>
        </tr>
    );
}

interface Verified {
    agree: boolean;
    members: { differ: unknown[] }[];
}

function Verify() {
    const [told, setTold] = useState<Verified | null>(null);
    const { run, busy, why } = useAction(async () => {
        setTold(await get<Verified>("/v1/verify"));
    });
    const differ = told?.members.reduce((n, m) => n + m.differ.length, 0) ?? 0;
    return (
        <>
            {why ? <Problem why={why} /> : told && !busy ? (
                <span class={told.agree ? "badge ok" : "badge bad"}
                    role="status">{told.agree ? t.mesh.agree
                        : t.mesh.differ(differ)}</span>
            ) : null}
            <Button small busy={busy} onClick={run}>{busy ? t.mesh.verifying
                : t.mesh.verify}</Button>
        </>
    );
}

interface Clock {
    clock: { ok: boolean; verdict: string };
}

export function Mesh() {
    const node = useValue(status);
    const { value, why, reload } = useLoad(signal =>
        get<{ peers: Peer[] }>("/v1/peers", {}, signal), []);
    const clock = useLoad(signal => get<Clock>("/v1/clock", {}, signal), []);
    useEvery(1000, reload);
    useEvery(5000, clock.reload);
    const peers = value?.peers ?? [];
    const nodes = node ? [
        { id: node.device, name: node.name, self: true, state: "self",
            behind: false, lag: 0, rtt: null, offset: null },
        ...peers.map(p => ({ id: p.device, name: p.name || short(p.device),
            self: false, state: p.state, behind: p.behind, lag: p.lag,
            rtt: p.state === "connected" ? p.rtt_us : null,
            offset: p.offset_us })),
    ] : [];
    return (
        <Page title={t.pages.mesh} lead={t.mesh.lead} wide>
            {why ? <Problem why={why} retry={reload} /> : null}
            {clock.value && !clock.value.clock.ok ? (
                <Note tone="warn"><span>{t.mesh.clock}:{" "}
                    {clock.value.clock.verdict}</span></Note>
            ) : null}
            {!value || !node ? <Loading unless={why} /> : peers.length === 0 ? (
                <Panel flush>
                    <Empty icon="mesh" title={t.mesh.alone} action={
                        <a class="button main" href={href("devices")}>
                            {t.mesh.addDevice}</a>
                    }>{t.mesh.aloneText}</Empty>
                </Panel>
            ) : (
                <>
                    <Panel flush>
                        <Graph nodes={nodes} />
                        <p class="graph-hint muted small-text">
                            {t.mesh.graphHint}</p>
                    </Panel>
                    <Panel title={t.mesh.listTitle} flush
                        actions={<div class="actions"><Verify /></div>}>
                        <div class="table-wrap" tabIndex={0}
                            aria-label={t.mesh.listTitle} role="group">
                            <table class="stack">
                                <thead>
                                    <tr>
                                        <th scope="col">
                                            {t.mesh.columns.device}</th>
                                        <th scope="col">
                                            {t.mesh.columns.state}</th>
                                        <th scope="col">
                                            {t.mesh.columns.lag}</th>
                                        <th scope="col" class="number">
                                            {t.mesh.columns.rtt}</th>
                                        <th scope="col">
                                            {t.mesh.columns.offset}</th>
                                        <th scope="col">
                                            {t.mesh.columns.address}</th>
                                    </tr>
                                </thead>
                                <tbody>
                                    {peers.map(p => (
                                        <PeerRow key={p.device} peer={p} />
                                    ))}
                                </tbody>
                            </table>
                        </div>
                    </Panel>
                </>
            )}
            {value && node || why ? <Plots /> : null}
        </Page>
    );
}
