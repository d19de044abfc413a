// Audit: who was let in, removed or refused, and what was collected.
import { useEffect, useState } from "preact/hooks";

import { get, reason } from "../api";
import { t } from "../strings";
import { Text } from "../text";
import { Time } from "../time";
import { Badge, Button, Empty, Loading, Page, Panel, Problem, useEvery }
    from "../ui";

interface Rec {
    seq: number;
    time: number;
    kind: string;
    who: Record<string, string | number>;
    details: Record<string, unknown>;
    repeated?: number;
}

interface Told {
    records: Rec[];
    newest: number;
    more_records: boolean;
}

const PAGE = 100;

function merged(a: Rec[], b: Rec[]): Rec[] {
    const made = new Map<number, Rec>();
    for (const r of [...a, ...b])
        made.set(r.seq, r);
    return [...made.values()].sort((x, y) => y.seq - x.seq);
}

function useRecords() {
    const [list, setList] = useState<Rec[] | null>(null);
    const [why, setWhy] = useState<string | null>(null);
    const [busy, setBusy] = useState(false);
    const take = (told: Told) => {
        setList(before => merged(before ?? [], told.records));
        setWhy(null);
    };
    const ask = (query: Record<string, number>) =>
        get<Told>("/v1/audit/records", query).then(take,
            e => setWhy(reason(e)));
    const newer = () => void ask(list?.length
        ? { after: list[0]!.seq, limit: PAGE } : { limit: PAGE });
    const oldest = list?.[list.length - 1]?.seq ?? 1;
    const older = () => {
        setBusy(true);
        void ask({ after: Math.max(0, oldest - PAGE - 1), limit: PAGE })
            .finally(() => setBusy(false));
    };
    useEffect(newer, []);
    useEvery(2000, newer, [list]);
    return { list, why, busy, older: oldest > 1 ? older : null };
}

const loud = new Set(["login", "stranger", "equivocation", "pair-refused",
    "relay-back", "relay-withholds", "head-differs", "log-broken", "log-torn",
    "copies"]);
const changes = new Set(["remove", "role", "rotate", "token-revoked",
    "config", "setting"]);

function plain(v: unknown): string {
    return typeof v === "string" ? v : JSON.stringify(v);
}

function Details({ record: r }: { record: Rec }) {
    const list = Object.entries(r.details).filter(([name]) =>
        name !== "device" || !("name" in r.details));
    return (
        <dl class="details">
            {list.map(([name, v]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd><Text of={plain(v)} /></dd>
                </div>
            ))}
        </dl>
    );
}

function who(r: Rec): string {
    const w = r.who;
    if (w.token !== undefined)
        return String(w.token).startsWith("s")
            ? t.audit.dashboard : t.audit.token(String(w.token));
    if (w.uid !== undefined)
        return t.audit.uid(Number(w.uid));
    if (w.device !== undefined)
        return String(w.name ?? String(w.device).slice(0, 7));
    return w.address !== undefined ? String(w.address) : t.audit.itself;
}

export function Audit() {
    const { list, why, busy, older } = useRecords();
    const [kind, setKind] = useState("");
    const kinds = [...new Set(list?.map(r => r.kind))].sort();
    const shown = list?.filter(r => !kind || r.kind === kind) ?? [];
    return (
        <Page title={t.pages.audit} lead={t.audit.lead} actions={
            <label class="inline-field">
                <span>{t.audit.kind}</span>
                <select value={kind}
                    onChange={e => setKind(e.currentTarget.value)}>
                    <option value="">{t.all}</option>
                    {kinds.map(k => <option key={k} value={k}>{k}</option>)}
                </select>
            </label>
        }>
            {why ? <Problem why={why} /> : null}
            <Panel flush>
                {!list ? <Loading /> : shown.length === 0 ? (
                    <Empty icon="audit" title={t.audit.empty} />
                ) : (
                    <div class="table-wrap" tabIndex={0} role="group"
                        aria-label={t.pages.audit}>
                        <table class="stack audit">
                            <thead>
                                <tr>
                                    <th scope="col">{t.audit.what}</th>
                                    <th scope="col">{t.audit.details}</th>
                                    <th scope="col">{t.audit.who}</th>
                                    <th scope="col">{t.audit.when}</th>
                                    <th scope="col" class="number">#</th>
                                </tr>
                            </thead>
                            <tbody>
                                {shown.map(r => (
                                    <tr key={r.seq}>
                                        <td>
                                            <Badge tone={loud.has(r.kind)
                                                ? "bad" : changes.has(r.kind)
                                                    ? "warn" : "plain"}>
                                                {r.kind}</Badge>
                                            {r.repeated ? <> <Badge>
                                                {t.errors.times(
                                                    r.repeated + 1)}
                                            </Badge></> : null}
                                        </td>
                                        <td><Details record={r} /></td>
                                        <td data-label={t.audit.who}>
                                            <Text of={who(r)} /></td>
                                        <td data-label={t.audit.when}>
                                            <Time us={r.time} /></td>
                                        <td class="number" data-label="#">
                                            {r.seq}</td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </div>
                )}
                {older ? (
                    <div class="list-more">
                        <Button small busy={busy} onClick={older}>{t.more}
                        </Button>
                    </div>
                ) : null}
            </Panel>
        </Page>
    );
}
