// What two texts have in common, line by line, and how they are shown beside
// each other's removed and added lines.
import { t } from "./strings";

export interface DiffLine {
    kind: "same" | "add" | "del";
    text: string;
}

const CELLS_MAX = 4_000_000;

// The longest common run of lines, after what is the same at both ends is put
// aside. What would take too long is all removed and all added.
export function diffLines(a: string[], b: string[]): DiffLine[] {
    let from = 0, ends = 0;
    while (from < a.length && from < b.length && a[from] === b[from])
        from++;
    while (ends < a.length - from && ends < b.length - from
        && a[a.length - 1 - ends] === b[b.length - 1 - ends])
        ends++;
    const same = (text: string): DiffLine => ({ kind: "same", text });
    return [
        ...a.slice(0, from).map(same),
        ...middle(a.slice(from, a.length - ends), b.slice(from, b.length - ends)),
        ...a.slice(a.length - ends).map(same),
    ];
}

function middle(a: string[], b: string[]): DiffLine[] {
    const del = (text: string): DiffLine => ({ kind: "del", text });
    const add = (text: string): DiffLine => ({ kind: "add", text });
    if (a.length * b.length > CELLS_MAX || !a.length || !b.length)
        return [...a.map(del), ...b.map(add)];
    const wide = b.length + 1;
    const best = new Uint32Array((a.length + 1) * wide);
    for (let i = a.length - 1; i >= 0; i--)
        for (let j = b.length - 1; j >= 0; j--)
            best[i * wide + j] = a[i] === b[j]
                ? best[(i + 1) * wide + j + 1]! + 1
                : Math.max(best[(i + 1) * wide + j]!, best[i * wide + j + 1]!);
    const made: DiffLine[] = [];
    let i = 0, j = 0;
    while (i < a.length && j < b.length)
        if (a[i] === b[j]) {
            made.push({ kind: "same", text: a[i]! });
            i++;
            j++;
        } else if (best[(i + 1) * wide + j]! >= best[i * wide + j + 1]!) {
            made.push(del(a[i++]!));
        } else {
            made.push(add(b[j++]!));
        }
    return [...made, ...a.slice(i).map(del), ...b.slice(j).map(add)];
}

const AROUND = 3, SHOWN_MAX = 2000;
const marks = { same: " ", add: "+", del: "−" };

type Shown = DiffLine | { kind: "gap"; text: string };

function fold(lines: DiffLine[]): Shown[] {
    const near = new Uint8Array(lines.length);
    lines.forEach((line, i) => {
        if (line.kind !== "same")
            near.fill(1, Math.max(0, i - AROUND), i + AROUND + 1);
    });
    const made: Shown[] = [];
    let hidden = 0;
    const close = () => {
        if (hidden)
            made.push({ kind: "gap", text: t.diff.unchanged(hidden) });
        hidden = 0;
    };
    lines.forEach((line, i) => {
        if (!near[i]) {
            hidden++;
            return;
        }
        close();
        made.push(line);
    });
    close();
    if (made.length <= SHOWN_MAX)
        return made;
    return [...made.slice(0, SHOWN_MAX),
        { kind: "gap", text: t.diff.more(made.length - SHOWN_MAX) }];
}

export function Diff({ before, after, label }: {
    before: string; after: string; label: string;
}) {
    const lines = diffLines(before === "" ? [] : before.split("\n"),
        after === "" ? [] : after.split("\n"));
    if (lines.every(line => line.kind === "same"))
        return <p class="muted">{t.diff.same}</p>;
    return (
        <div class="diff" role="group" aria-label={label} tabIndex={0}>
            {fold(lines).map((line, i) => line.kind === "gap" ? (
                <div key={i} class="gap">{line.text}</div>
            ) : (
                <div key={i} class={line.kind}>
                    <span class="mark" aria-hidden="true">
                        {marks[line.kind]}</span>
                    {line.kind === "same" ? null : (
                        <span class="visually-hidden">
                            {line.kind === "add" ? t.diff.added
                                : t.diff.removed}</span>
                    )}
                    <span>{line.text}</span>
                </div>
            ))}
        </div>
    );
}
