// Joining the mesh of another device: by its code, or by six digits.
import { useEffect, useState } from "preact/hooks";

import { get, isAbort, reason, send } from "../api";
import { lookAtNode } from "../node";
import { t } from "../strings";
import { Button, Dialog, Field, Problem, Tabs, say, useAction, useEvery }
    from "../ui";
import { Digits } from "./digits";

interface Joined {
    name?: string | null;
}

interface JoinState {
    state: "none" | "asking" | "digits" | "joined" | "failed";
    digits?: string;
}

function Leave({ now, set }: { now: boolean; set: (now: boolean) => void }) {
    return (
        <label class="check">
            <input type="checkbox" checked={now}
                onChange={e => set(e.currentTarget.checked)} />
            {t.devices.leave}
        </label>
    );
}

function done(told: Joined, onClose: () => void): void {
    say(t.devices.joinedMesh(told.name ?? t.unknown));
    lookAtNode();
    onClose();
}

function ByCode({ code, setCode, onClose }: {
    code: string; setCode: (code: string) => void; onClose: () => void;
}) {
    const [leave, setLeave] = useState(false);
    const { run, busy, why } = useAction(async () => {
        done(await send<Joined>("POST", "/v1/join", { code:
            code.trim().replace(/^syncline join\s+/, ""),
        ...leave ? { leave } : {} }), onClose);
    });
    return (
        <form noValidate onSubmit={event => {
            event.preventDefault();
            run();
        }}>
            <div class="dialog-body">
                <p>{t.devices.joinText}</p>
                <Field label={t.devices.code}>
                    {({ id, describedBy }) => (
                        <textarea id={id} aria-describedby={describedBy}
                            class="mono" rows={3} spellcheck={false}
                            value={code}
                            onInput={e => setCode(e.currentTarget.value)} />
                    )}
                </Field>
                <Leave now={leave} set={setLeave} />
                {why ? <Problem why={why} /> : null}
            </div>
            <footer class="dialog-foot">
                <Button onClick={onClose}>{t.cancel}</Button>
                <Button kind="main" submit busy={busy}
                    disabled={code.trim() === ""}>{t.devices.joinIt}</Button>
            </footer>
        </form>
    );
}

// The request is under way until both sides have said yes.
function ByDigits({ onClose }: { onClose: () => void }) {
    const [peer, setPeer] = useState("");
    const [leave, setLeave] = useState(false);
    const [asking, setAsking] = useState<AbortController | null>(null);
    const [now, setNow] = useState<JoinState | null>(null);
    const [said, setSaid] = useState(false);
    const [why, setWhy] = useState<string | null>(null);
    const begin = () => {
        const abort = new AbortController();
        setAsking(abort);
        setWhy(null);
        setSaid(false);
        send<Joined>("POST", "/v1/join", { ...peer ? { peer } : {},
            ...leave ? { leave } : {} }, abort.signal)
            .then(told => done(told, onClose), e => {
                if (!isAbort(e))
                    setWhy(reason(e));
                setAsking(null);
                setNow(null);
            });
    };
    useEffect(() => () => asking?.abort(), [asking]);
    useEvery(400, () => {
        if (asking)
            void get<JoinState>("/v1/join").then(setNow, () => {});
    }, [asking]);
    const confirm = useAction(async () => {
        await send("POST", "/v1/join/confirm", { digits: now!.digits });
        setSaid(true);
    });
    if (asking)
        return (
            <div class="dialog-body">
                {now?.state === "digits" && now.digits ? (
                    <>
                        <p>{t.devices.sameDigits}</p>
                        <Digits text={now.digits} />
                    </>
                ) : null}
                {confirm.why ? <Problem why={confirm.why} /> : null}
                <p class="spinner" role="status">{said ? t.devices.waitsThere
                    : t.devices.asking}</p>
                <div class="form-foot">
                    <Button onClick={() => asking.abort()}>{t.cancel}</Button>
                    <Button kind="main" busy={confirm.busy}
                        disabled={said || !now?.digits}
                        onClick={confirm.run}>{t.devices.same}</Button>
                </div>
            </div>
        );
    return (
        <form onSubmit={event => {
            event.preventDefault();
            begin();
        }}>
            <div class="dialog-body">
                <p>{t.devices.askText}</p>
                <Field label={t.devices.address} hint={t.devices.addressHint}>
                    {({ id, describedBy }) => (
                        <input id={id} aria-describedby={describedBy}
                            class="mono" value={peer} spellcheck={false}
                            placeholder="192.168.1.20:4748"
                            onInput={e => setPeer(e.currentTarget.value)} />
                    )}
                </Field>
                <Leave now={leave} set={setLeave} />
                {why ? <Problem why={why} /> : null}
            </div>
            <footer class="dialog-foot">
                <Button onClick={onClose}>{t.cancel}</Button>
                <Button kind="main" submit>{t.devices.ask}</Button>
            </footer>
        </form>
    );
}

export function JoinMesh({ onClose }: { onClose: () => void }) {
    const [way, setWay] = useState<"code" | "digits">("code");
    const [code, setCode] = useState("");
    return (
        <Dialog title={t.devices.joinTitle} onClose={onClose}
            unsaved={code !== ""}>
            <Tabs label={t.devices.joinTitle} now={way} choose={setWay} tabs={[
                ["code", t.devices.byCode], ["digits", t.devices.byDigits],
            ]} />
            {way === "code" ? (
                <ByCode code={code} setCode={setCode} onClose={onClose} />
            )
                : <ByDigits onClose={onClose} />}
        </Dialog>
    );
}
