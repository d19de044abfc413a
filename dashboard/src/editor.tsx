// A text of JSON that is looked at while it is written.
import { useEffect, useId, useRef } from "preact/hooks";

import { JsonError, parse } from "./json";
import { t } from "./strings";

export interface Checked {
    ok: boolean;
    line: number;
    why: string;
}

export function checkJson(text: string): Checked {
    try {
        parse(text);
        return { ok: true, line: 0, why: "" };
    } catch (e) {
        if (!(e instanceof JsonError))
            throw e;
        return { ok: false, line: e.line,
            why: t.json.at(e.line, e.column, t.json[e.kind]) };
    }
}

export function JsonEditor({ text, setText, label, rows = 12 }: {
    text: string; setText: (text: string) => void; label: string;
    rows?: number;
}) {
    const id = useId();
    const checked = checkJson(text);
    const gutter = useRef<HTMLDivElement>(null);
    const area = useRef<HTMLTextAreaElement>(null);
    const lines = text.split("\n").length;
    const follow = () => {
        if (gutter.current && area.current)
            gutter.current.scrollTop = area.current.scrollTop;
    };
    useEffect(follow, [text]);
    return (
        <div class="editor-frame">
            <div class={"editor" + (checked.ok ? "" : " bad")}>
                <div class="gutter" ref={gutter} aria-hidden="true">
                    {Array.from({ length: lines }, (_, i) => (
                        <div key={i} class={i + 1 === checked.line
                            ? "bad" : undefined}>{i + 1}</div>
                    ))}
                    <div class="gutter-end" />
                </div>
                <textarea ref={area} value={text} wrap="off" spellcheck={false}
                    autocomplete="off" aria-label={label}
                    rows={Math.min(Math.max(lines + 1, rows), 28)}
                    aria-invalid={!checked.ok} aria-describedby={id}
                    onScroll={follow}
                    onInput={e => setText(e.currentTarget.value)} />
            </div>
            <p id={id} class={"hint" + (checked.ok ? "" : " bad")}
                role="status" data-state={checked.ok ? "valid" : "invalid"}>
                {checked.ok ? t.json.valid : checked.why}
            </p>
        </div>
    );
}
