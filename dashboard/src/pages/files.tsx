// Files of the node's machine that are bound to items: how they are, what they
// were, and back to that.
import { useState } from "preact/hooks";

import { get, getExact, path, send } from "../api";
import { Diff } from "../diff";
import { Icon } from "../icons";
import { print } from "../json";
import type { Json } from "../json";
import { href } from "../router";
import { t } from "../strings";
import { Text } from "../text";
import { Badge, Button, Code, Confirm, Dialog, Empty, Loading, Page, Panel,
    Problem, say, useAction, useEvery, useLoad } from "../ui";

interface Trouble {
    code: string;
    text: string;
}

interface BoundFile {
    id: string;
    file: string;
    space: string;
    key: string;
    format: string;
    local: string[];
    runs: boolean;
    state: "in sync" | "busy" | "waiting" | "trouble";
    troubles: Trouble[];
}

const tones = {
    "in sync": "ok", busy: "accent", waiting: "warn", trouble: "bad",
} as const;

// These are over when the file is written again.
const mendable = ["file-missing", "file-invalid", "file-refused"];

function read(file: BoundFile, version: string, signal: AbortSignal) {
    return getExact<{ value: Json }>(
        path`/v1/files/${file.id}/versions/${version}`, {}, signal)
        .then(told => print(told.value));
}

// config_20261128140500.json was made on that day, at 14:05:00 of the node's
// clock; more of the same second have a number behind it.
function when(name: string): string {
    const m = /^config_(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(_\d+)?\.json$/
        .exec(name);
    return m ? `${m[1]}-${m[2]}-${m[3]} ${m[4]}:${m[5]}:${m[6]}`
        + (m[7] ?? "").replace("_", " ") : name;
}

function One({ file, version, newest }: {
    file: BoundFile; version: string; newest: string;
}) {
    const { value, why, reload } = useLoad(signal => Promise.all([
        read(file, newest, signal), read(file, version, signal)]),
    [file.id, version, newest]);
    return value ? <Diff before={value[0]} after={value[1]} label={version} />
        : why ? <Problem why={why} retry={reload} /> : <Loading />;
}

function Versions({ file, onClose, onDone }: {
    file: BoundFile; onClose: () => void; onDone: () => void;
}) {
    const { value, why, reload } = useLoad(signal =>
        get<{ versions: string[] }>(path`/v1/files/${file.id}/versions`, {},
            signal), [file.id]);
    const [chosen, setChosen] = useState<string | null>(null);
    const [sure, setSure] = useState(false);
    const list = value?.versions ?? [];
    const newest = list[list.length - 1];
    const now = chosen ?? newest;
    if (sure && now)
        return (
            <Confirm title={t.files.rollBackTo(now)} action={t.files.rollBack}
                onClose={() => setSure(false)} onDone={async () => {
                    await send("POST", path`/v1/files/${file.id}/rollback`,
                        { version: now });
                    say(t.files.rolledBack(now));
                    onDone();
                }}>
                <p>{t.files.rollBackText}</p>
                <p><code><Text of={file.file} /></code></p>
            </Confirm>
        );
    return (
        <Dialog title={t.files.versionsOf(file.file)} onClose={onClose} wide>
            <div class="dialog-body">
                {why ? <Problem why={why} retry={reload} /> : null}
                {!value ? <Loading unless={why} /> : !newest || !now ? (
                    <Empty icon="history" title={t.files.noVersions} />
                ) : (
                    <div class="history">
                        <ol class="versions" aria-label={t.files.versions}>
                            {[...list].reverse().map(name => (
                                <li key={name}>
                                    <button type="button" title={name}
                                        aria-pressed={name === now}
                                        onClick={() => setChosen(name)}>
                                        <span class="version-line">
                                            <strong>{when(name)}</strong>
                                        </span>
                                        {name === newest ? (
                                            <span class="muted small-text">
                                                {t.files.newest}</span>
                                        ) : null}
                                    </button>
                                </li>
                            ))}
                        </ol>
                        <div class="version-view">
                            <One file={file} version={now} newest={newest} />
                        </div>
                    </div>
                )}
                <p class="muted small-text">{t.files.compared}</p>
            </div>
            <footer>
                <Button onClick={onClose}>{t.close}</Button>
                <Button kind="main" icon="history"
                    disabled={!now || now === newest}
                    onClick={() => setSure(true)}>{t.files.rollBack}</Button>
            </footer>
        </Dialog>
    );
}

function Row({ file: f, ask, onDone }: {
    file: BoundFile; ask: (what: "versions" | "unbind") => void;
    onDone: () => void;
}) {
    const { run, busy, why } = useAction(async () => {
        await send("POST", path`/v1/files/${f.id}/restore`);
        say(t.files.restored(f.file));
        onDone();
    });
    return (
        <li>
            <span class={"error-mark " + tones[f.state]}>
                <Icon name="file" />
            </span>
            <div class="error-text">
                <strong><Text of={f.file} /></strong>
                {f.troubles.map(x => (
                    <p key={x.code} class="small-text">
                        <code>{x.code}</code>{" "}<Text of={x.text} /></p>
                ))}
                <p class="muted small-text error-meta">
                    <Badge tone={tones[f.state]}>{t.files.states[f.state]}
                    </Badge>
                    <a href={href("items", f.space, f.key)}>
                        <code><Text of={f.space + "/" + f.key} /></code></a>
                    {f.local.map(at => (
                        <Badge key={at}>{t.files.stays}{" "}<Text of={at} />
                        </Badge>
                    ))}
                    {f.runs ? <Badge>{t.files.runs}</Badge> : null}
                </p>
                {why ? <Problem why={why} /> : null}
            </div>
            <div class="actions">
                {f.troubles.some(x => mendable.includes(x.code)) ? (
                    <Button small busy={busy} onClick={run}>
                        {t.files.restore}</Button>
                ) : null}
                <Button small icon="history" onClick={() => ask("versions")}>
                    {t.files.versions}</Button>
                <Button small onClick={() => ask("unbind")}>
                    {t.files.unbind}</Button>
            </div>
        </li>
    );
}

function Unbind({ file: f, onClose, onDone }: {
    file: BoundFile; onClose: () => void; onDone: () => void;
}) {
    return (
        <Confirm title={t.files.unbindIt(f.file)} action={t.files.unbind}
            onClose={onClose} onDone={async () => {
                await send("DELETE", path`/v1/files/${f.id}`);
                say(t.files.unbound(f.file));
                onDone();
            }}>
            <p>{t.files.unbindText}</p>
        </Confirm>
    );
}

export function Files() {
    const { value, why, reload } = useLoad(signal =>
        get<{ bindings: BoundFile[] }>("/v1/files", {}, signal), []);
    const [asked, setAsked] = useState<[BoundFile, "versions" | "unbind"]
        | null>(null);
    useEvery(2000, reload);
    const about = asked ? { file: asked[0], onClose: () => setAsked(null),
        onDone: reload } : null;
    return (
        <Page title={t.pages.files} lead={t.files.lead}>
            {why ? <Problem why={why} retry={reload} /> : null}
            <Panel flush>
                {!value ? <Loading unless={why} /> : value.bindings.length === 0 ? (
                    <Empty icon="file" title={t.files.empty}
                        action={<Code copy>{t.files.command}</Code>}>
                        {t.files.emptyText}</Empty>
                ) : (
                    <ul class="error-list">
                        {value.bindings.map(f => (
                            <Row key={f.id} file={f} onDone={reload}
                                ask={what => setAsked([f, what])} />
                        ))}
                    </ul>
                )}
            </Panel>
            {about === null ? null : asked![1] === "versions"
                ? <Versions {...about} /> : <Unbind {...about} />}
        </Page>
    );
}
