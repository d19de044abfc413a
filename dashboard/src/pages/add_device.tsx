// Letting a device in: by a code, as text and as a picture, or by six digits
// that two people compare.
import { useEffect, useRef, useState } from "preact/hooks";

import { encode } from "uqr";

import { get, path, send } from "../api";
import { watch } from "../live";
import { useValue } from "../state";
import { t } from "../strings";
import { status } from "../node";
import { fullTime } from "../time";
import { Button, Code, Dialog, Field, Note, Problem, Tabs, say, useAction,
    useEvery } from "../ui";
import { Digits } from "./digits";
import { Terms, noTerms, termsOf } from "./terms";
import type { TermsNow } from "./terms";

interface Props {
    onClose: () => void;
    onDone: () => void;
}

export function Qr({ text }: { text: string }) {
    const made = encode(text, { border: 2 });
    let d = "";
    made.data.forEach((row, y) => row.forEach((on, x) => {
        if (on)
            d += `M${x} ${y}h1v1h-1z`;
    }));
    return (
        <div class="qr">
            <svg viewBox={`0 0 ${made.size} ${made.size}`} role="img"
                aria-label={t.devices.qr} shape-rendering="crispEdges">
                <path d={d} fill="#000" />
            </svg>
        </div>
    );
}

// Who comes in while this is open is told, whatever let it in.
function useNewcomer(onDone: () => void): string | null {
    const [name, setName] = useState<string | null>(null);
    const known = useRef<Set<string> | null>(null);
    const look = () => void get<{ members: { device: string;
        name: string | null }[] }>("/v1/members").then(told => {
        const now = new Set(told.members.map(m => m.device));
        const fresh = known.current && told.members.find(m =>
            !known.current!.has(m.device));
        if (!known.current || fresh)
            known.current = now;
        if (fresh) {
            setName(fresh.name ?? fresh.device.slice(0, 7));
            onDone();
        }
    }, () => {});
    useEffect(() => {
        look();
        return watch("_mesh", { change: look, resync: look });
    }, []);
    useEvery(2000, look);
    return name;
}

function Outcome({ joined, onClose }: {
    joined: string | null; onClose: () => void;
}) {
    return joined ? (
        <Note tone="ok">
            <span>{t.devices.joined(joined)}</span>
            <Button small onClick={onClose}>{t.close}</Button>
        </Note>
    ) : <p class="spinner" role="status">{t.devices.waiting}</p>;
}

interface Invited {
    code: string;
    expires: number;
}

function ByCode({ terms, setTerms, onClose, onDone }: Props & {
    terms: TermsNow; setTerms: (next: TermsNow) => void;
}) {
    const [minutes, setMinutes] = useState(10);
    const [made, setMade] = useState<Invited | null>(null);
    const joined = useNewcomer(onDone);
    const { run, busy, why } = useAction(async () => {
        setMade(await send<Invited>("POST", "/v1/invitations",
            { ...termsOf(terms), expires_s: minutes * 60 }));
    });
    if (made)
        return (
            <div class="dialog-body">
                <div class="code-view">
                    <div>
                        <p>{t.devices.codeTitle}</p>
                        <Code copy>{"syncline join " + made.code}</Code>
                        <p class="muted small-text">
                            {t.devices.codeHint(fullTime(made.expires))}</p>
                    </div>
                    <Qr text={made.code} />
                </div>
                <Outcome joined={joined} onClose={onClose} />
            </div>
        );
    return (
        <form onSubmit={event => {
            event.preventDefault();
            run();
        }}>
            <div class="dialog-body">
                <Terms now={terms} set={setTerms} />
                <Field label={t.devices.expires}>
                    {({ id, describedBy }) => (
                        <select id={id} aria-describedby={describedBy}
                            value={minutes} onChange={e =>
                                setMinutes(Number(e.currentTarget.value))}>
                            {[5, 10, 60, 1440].map(n => (
                                <option key={n} value={n}>
                                    {t.devices.minutes(n)}</option>
                            ))}
                        </select>
                    )}
                </Field>
                {why ? <Problem why={why} /> : null}
            </div>
            <footer class="dialog-foot">
                <Button onClick={onClose}>{t.cancel}</Button>
                <Button kind="main" submit busy={busy}
                    disabled={noTerms(terms)}>{t.devices.makeCode}</Button>
            </footer>
        </form>
    );
}

interface Asking {
    device: string;
    name: string | null;
    address: string;
    digits: string | null;
    confirmed: boolean;
    approved: boolean;
}

interface Door {
    open_s: number;
    pending: Asking[];
}

function Asks({ asking: p, terms }: { asking: Asking; terms: TermsNow }) {
    const name = p.name || p.device.slice(0, 7);
    const approve = useAction(async () => {
        await send("POST", path`/v1/pending/${p.digits ?? p.device}`,
            termsOf(terms));
        say(t.devices.joined(name));
    });
    const deny = useAction(async () => {
        await send("DELETE", path`/v1/pending/${p.digits ?? p.device}`);
    });
    const why = approve.why ?? deny.why;
    return (
        <>
            <Note><span>{t.devices.asks(name)} ({p.address})</span></Note>
            {p.digits ? (
                <>
                    <p>{t.devices.sameDigits}</p>
                    <Digits text={p.digits} />
                </>
            ) : null}
            <p class="muted small-text" role="status">{p.confirmed
                ? t.devices.confirmed : t.devices.notConfirmed}</p>
            {why ? <Problem why={why} /> : null}
            <div class="form-foot">
                <Button busy={deny.busy} onClick={deny.run}>{t.devices.deny}
                </Button>
                <Button kind="main" busy={approve.busy || p.approved}
                    disabled={!p.digits} onClick={approve.run}>
                    {t.devices.approve}</Button>
            </div>
        </>
    );
}

function ByDigits({ terms, setTerms, onClose, onDone }: Props & {
    terms: TermsNow; setTerms: (next: TermsNow) => void;
}) {
    const node = useValue(status);
    const [door, setDoor] = useState<Door | null>(null);
    const joined = useNewcomer(onDone);
    const look = () => void get<Door>("/v1/pending").then(setDoor, () => {});
    useEffect(look, []);
    useEvery(500, look);
    const open = useAction(async () => {
        await send("POST", "/v1/pending", { for_s: 120 });
        look();
    });
    const shut = useAction(async () => {
        await send("POST", "/v1/pending", { for_s: 0 });
        look();
    });
    const asking = door?.pending[0];
    const is = (door?.open_s ?? 0) > 0 || asking !== undefined;
    if (joined || is)
        return (
            <div class="dialog-body">
                {asking ? <Asks asking={asking} terms={terms} /> : (
                    <>
                        {joined ? null : (
                            <>
                                <p>{t.devices.digitsLead}</p>
                                <Code copy>{"syncline join --peer "
                                    + (node?.listen[0] ?? "")}</Code>
                                <p class="muted small-text">
                                    {t.devices.doorOpen(door?.open_s ?? 0)}</p>
                            </>
                        )}
                        <Outcome joined={joined} onClose={onClose} />
                        {joined ? null : (
                            <div class="form-foot">
                                <Button busy={shut.busy} onClick={shut.run}>
                                    {t.devices.shut}</Button>
                            </div>
                        )}
                    </>
                )}
            </div>
        );
    return (
        <form onSubmit={event => {
            event.preventDefault();
            open.run();
        }}>
            <div class="dialog-body">
                <Terms now={terms} set={setTerms} />
                {open.why ? <Problem why={open.why} /> : null}
            </div>
            <footer class="dialog-foot">
                <Button onClick={onClose}>{t.cancel}</Button>
                <Button kind="main" submit busy={open.busy}
                    disabled={noTerms(terms)}>{t.devices.openDoor}</Button>
            </footer>
        </form>
    );
}

export function AddDevice({ onClose, onDone }: Props) {
    const [way, setWay] = useState<"code" | "digits">("code");
    const [terms, setTerms] = useState<TermsNow>({ role: "admin",
        spaces: null });
    const props = { terms, setTerms, onClose, onDone };
    return (
        <Dialog title={t.devices.add} onClose={onClose} wide>
            <Tabs label={t.devices.add} now={way} choose={setWay} tabs={[
                ["code", t.devices.byCode], ["digits", t.devices.byDigits],
            ]} />
            {way === "code" ? <ByCode {...props} /> : <ByDigits {...props} />}
        </Dialog>
    );
}
