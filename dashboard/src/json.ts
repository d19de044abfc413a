// JSON as the node has it: 64-bit integers, which are no numbers of
// JavaScript, keep their digits; a key that is there twice, a number that
// would not survive and whatever else the node refuses is refused, with its
// line and column.

import { escaped } from "./hidden";

// A number that JavaScript would change.
export class Exact {
    constructor(readonly text: string) {}
}

export type Json =
    | null | boolean | number | string | Exact | Json[] | { [key: string]: Json };

export class JsonError extends Error {
    constructor(readonly kind: JsonFault, readonly at: number,
        readonly line: number, readonly column: number) {
        super(kind);
    }
}

export type JsonFault =
    | "end" | "token" | "string" | "escape" | "number" | "large" | "twice"
    | "deep" | "more" | "surrogate" | "empty";

const DEPTH_MAX = 64;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const BLANK = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const LONG_MIN = -(2n ** 63n), LONG_MAX = 2n ** 63n - 1n;
const ESCAPES: Record<string, string> = {
    '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r",
    t: "\t",
};

class Parser {
    private at = 0;
    private depth = 0;

    constructor(private readonly text: string) {}

    whole(): Json {
        this.blank();
        if (this.at === this.text.length)
            this.fail("empty");
        const value = this.value();
        this.blank();
        if (this.at < this.text.length)
            this.fail("more");
        return value;
    }

    private fail(kind: JsonFault, at = this.at): never {
        const before = this.text.slice(0, at);
        const line = before.split("\n").length;
        throw new JsonError(kind, at, line,
            at - (before.lastIndexOf("\n") + 1) + 1);
    }

    private blank(): void {
        BLANK.lastIndex = this.at;
        BLANK.test(this.text);
        this.at = BLANK.lastIndex;
    }

    private value(): Json {
        const c = this.text[this.at];
        if (c === undefined)
            this.fail("end");
        if (c === "{" || c === "[") {
            if (++this.depth > DEPTH_MAX)
                this.fail("deep");
            const value = c === "{" ? this.object() : this.array();
            this.depth--;
            return value;
        }
        if (c === '"')
            return this.string();
        if (c === "-" || (c >= "0" && c <= "9"))
            return this.number();
        for (const [word, value] of [["true", true], ["false", false],
            ["null", null]] as const)
            if (this.text.startsWith(word, this.at)) {
                this.at += word.length;
                return value;
            }
        this.fail("token");
    }

    private object(): Json {
        const made: { [key: string]: Json } = Object.create(null);
        this.at++;
        this.blank();
        if (this.take("}"))
            return made;
        for (;;) {
            this.blank();
            const at = this.at;
            if (this.text[at] !== '"')
                this.fail(at < this.text.length ? "token" : "end");
            const key = this.string();
            if (key in made)
                this.fail("twice", at);
            this.blank();
            this.want(":");
            this.blank();
            made[key] = this.value();
            this.blank();
            if (this.take("}"))
                return made;
            this.want(",");
        }
    }

    private array(): Json {
        const made: Json[] = [];
        this.at++;
        this.blank();
        if (this.take("]"))
            return made;
        for (;;) {
            this.blank();
            made.push(this.value());
            this.blank();
            if (this.take("]"))
                return made;
            this.want(",");
        }
    }

    private take(c: string): boolean {
        if (this.text[this.at] !== c)
            return false;
        this.at++;
        return true;
    }

    private want(c: string): void {
        if (!this.take(c))
            this.fail(this.at < this.text.length ? "token" : "end");
    }

    private number(): Json {
        const from = this.at;
        NUMBER.lastIndex = from;
        const found = NUMBER.exec(this.text);
        if (!found)
            this.fail("number");
        this.at = NUMBER.lastIndex;
        const text = found[0];
        const value = Number(text);
        if (found[1] !== undefined || found[2] !== undefined) {
            if (!Number.isFinite(value))
                this.fail("large", from);
            // 1.0 is another number than 1 to the node
            return Number.isInteger(value) ? new Exact(text) : value;
        }
        if (Number.isSafeInteger(value) && text !== "-0")
            return value;
        const long = BigInt(text);
        if (long < LONG_MIN || long > LONG_MAX)
            this.fail("large", from);
        return new Exact(text);
    }

    private string(): string {
        const from = this.at;
        let made = "";
        this.at++;
        for (;;) {
            PLAIN.lastIndex = this.at;
            const plain = PLAIN.exec(this.text)![0];
            made += plain;
            this.at += plain.length;
            const c = this.text[this.at];
            if (c === '"') {
                this.at++;
                if (/[\ud800-\udfff]/u.test(made))
                    this.fail("surrogate", from);
                return made;
            }
            if (c !== "\\")
                this.fail(c === undefined ? "end" : "string");
            made += this.escape();
        }
    }

    private escape(): string {
        const c = this.text[this.at + 1] ?? "";
        if (c === "u") {
            const hex = this.text.slice(this.at + 2, this.at + 6);
            if (!/^[0-9a-fA-F]{4}$/.test(hex))
                this.fail("escape");
            this.at += 6;
            return String.fromCharCode(parseInt(hex, 16));
        }
        const plain = ESCAPES[c];
        if (plain === undefined)
            this.fail("escape");
        this.at += 2;
        return plain;
    }
}

export function parse(text: string): Json {
    return new Parser(text).whole();
}

export function isObject(v: Json | undefined): v is { [key: string]: Json } {
    return typeof v === "object" && v !== null && !Array.isArray(v)
        && !(v instanceof Exact);
}

// Pretty, keys in order; indent 0: on one line.
export function print(v: Json | undefined, indent = 2, depth = 0): string {
    if (v === undefined)
        return "";
    if (v instanceof Exact)
        return v.text;
    if (v === null || typeof v !== "object")
        return escaped(JSON.stringify(v));
    const parts = Array.isArray(v)
        ? v.map(e => print(e, indent, depth + 1))
        : Object.keys(v).sort().map(k =>
            escaped(JSON.stringify(k)) + (indent ? ": " : ":")
            + print(v[k], indent, depth + 1));
    const [open, close] = Array.isArray(v) ? "[]" : "{}";
    if (parts.length === 0)
        return open! + close!;
    if (indent === 0)
        return open + parts.join(",") + close;
    const pad = "\n" + " ".repeat(indent * (depth + 1));
    return open + pad + parts.join("," + pad)
        + "\n" + " ".repeat(indent * depth) + close;
}
