// Tokens: what lets programs in by the HTTP API.
import { useEffect, useState } from "preact/hooks";

import { get, path, send } from "../api";
import { isName } from "../names";
import { t } from "../strings";
import { Time, fullTime } from "../time";
import { Badge, Button, Code, Confirm, Dialog, Field, Loading, Panel, Problem,
    say, useAction, useLoad } from "../ui";
import { SpaceChoices } from "./terms";

interface Token {
    id: string;
    name: string;
    scope: string;
    spaces: string[] | null;
    created: number | null;
    expires: number | null;
    expired: boolean;
    used: number | null;
}

const scopes = ["read", "write", "admin"];
const days = [1, 30, 365, 0];

function NewToken({ onClose, onDone }: {
    onClose: () => void; onDone: () => void;
}) {
    const [name, setName] = useState("");
    const [scope, setScope] = useState("read");
    const [spaces, setSpaces] = useState<string[] | null>(null);
    const [good, setGood] = useState(30);
    const [secret, setSecret] = useState<string | null>(null);
    const [bad, setBad] = useState(false);
    const { run, busy, why } = useAction(async () => {
        setBad(!isName(name));
        if (!isName(name))
            return;
        const told = await send<{ secret: string }>("POST", "/v1/tokens", {
            name, scope, ...good ? { expires_s: good * 86400 } : {},
            ...spaces && scope !== "admin" ? { spaces } : {} });
        setSecret(told.secret);
        onDone();
    });
    if (secret)
        return (
            <Dialog title={t.tokens.made} onClose={onClose}>
                <div class="dialog-body">
                    <p>{t.tokens.once}</p>
                    <Code copy>{secret}</Code>
                </div>
                <footer>
                    <Button kind="main" onClick={onClose}>{t.close}</Button>
                </footer>
            </Dialog>
        );
    return (
        <Dialog title={t.tokens.create} onClose={onClose}
            unsaved={name !== ""}>
            <form noValidate onSubmit={event => {
                event.preventDefault();
                run();
            }}>
                <div class="dialog-body">
                    <Field label={t.tokens.name}
                        error={bad ? t.badName : null}>
                        {({ id, describedBy }) => (
                            <input id={id} aria-describedby={describedBy}
                                value={name} autocomplete="off"
                                aria-invalid={bad} onInput={e => {
                                    setName(e.currentTarget.value);
                                    setBad(false);
                                }} />
                        )}
                    </Field>
                    <fieldset class="choices">
                        <legend>{t.tokens.scope}</legend>
                        {scopes.map(s => (
                            <label class="choice" key={s}>
                                <input type="radio" name="scope" value={s}
                                    checked={scope === s}
                                    onChange={() => setScope(s)} />
                                <span>{t.tokens.scopes[s]}</span>
                            </label>
                        ))}
                    </fieldset>
                    {scope === "admin" ? null : (
                        <SpaceChoices now={spaces} set={setSpaces} />
                    )}
                    <Field label={t.devices.expires}>
                        {({ id, describedBy }) => (
                            <select id={id} aria-describedby={describedBy}
                                value={good} onChange={e =>
                                    setGood(Number(e.currentTarget.value))}>
                                {days.map(n => (
                                    <option key={n} value={n}>{n
                                        ? t.tokens.days(n) : t.tokens.forEver}
                                    </option>
                                ))}
                            </select>
                        )}
                    </Field>
                    {why ? <Problem why={why} /> : null}
                </div>
                <footer class="dialog-foot">
                    <Button onClick={onClose}>{t.cancel}</Button>
                    <Button kind="main" submit busy={busy}
                        disabled={name === "" || spaces?.length === 0}>
                        {t.items.createIt}</Button>
                </footer>
            </form>
        </Dialog>
    );
}

// onTold: they are shown, or why they cannot be.
export function Tokens({ onTold }: { onTold: () => void }) {
    const { value, why, reload } = useLoad(signal =>
        get<{ tokens: Token[] }>("/v1/tokens", {}, signal), []);
    const told = value !== undefined || why !== null;
    useEffect(() => {
        if (told)
            onTold();
    }, [told]);
    const [making, setMaking] = useState(false);
    const [revoking, setRevoking] = useState<Token | null>(null);
    return (
        <Panel title={t.tokens.title} flush actions={
            <Button small icon="plus" onClick={() => setMaking(true)}>
                {t.tokens.create}</Button>
        }>
            {why ? <Problem why={why} retry={reload} /> : null}
            {!value ? <Loading unless={why} /> : (
                <ul class="setting-list">
                    {value.tokens.map(k => (
                        <li key={k.id}>
                            <div class="setting-text">
                                <strong>{k.name}</strong>
                                <p class="muted small-text">
                                    <code>{k.id}</code>{" · "}
                                    {k.used ? <>{t.tokens.used}{" "}
                                        <Time us={k.used} /></>
                                        : t.tokens.unused}
                                    {k.expires ? " · " + t.tokens.until(
                                        fullTime(k.expires)) : ""}</p>
                            </div>
                            <div class="setting-value policies">
                                {k.expired ? <Badge tone="bad">
                                    {t.tokens.expired}</Badge> : null}
                                <Badge>{k.scope}</Badge>
                                {k.spaces?.map(s => <Badge key={s}>{s}</Badge>)}
                                <Button small label={t.tokens.revokeIt(k.name)}
                                    onClick={() => setRevoking(k)}>
                                    {t.tokens.revoke}</Button>
                            </div>
                        </li>
                    ))}
                </ul>
            )}
            {making ? <NewToken onClose={() => setMaking(false)}
                onDone={reload} /> : null}
            {revoking ? (
                <Confirm title={t.tokens.revokeIt(revoking.name)}
                    action={t.tokens.revoke} onClose={() => setRevoking(null)}
                    onDone={async () => {
                        await send("DELETE", path`/v1/tokens/${revoking.id}`);
                        say(t.tokens.revoked(revoking.name));
                        reload();
                    }}>
                    <p>{revoking.name === "local" ? t.tokens.localText
                        : t.tokens.revokeText}</p>
                </Confirm>
            ) : null}
        </Panel>
    );
}
