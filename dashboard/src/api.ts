// Requests of the HTTP API (doc/http.md), as the page's session.
import { parse } from "./json";
import type { Json } from "./json";
import { forget, secret } from "./session";
import { t } from "./strings";

export class ApiError extends Error {
    constructor(readonly status: number, readonly code: string,
        message: string) {
        super(message);
    }
}

export interface Answer {
    status: number;
    headers: Headers;
    text: string;
}

interface More {
    body?: string;
    type?: string;
    headers?: Record<string, string>;
    signal?: AbortSignal;
}

export type Query = Record<string, string | number | boolean | undefined>;

export function path(parts: TemplateStringsArray, ...values: string[]): string {
    return parts.reduce((all, part, i) =>
        all + part + (i < values.length ? encodeURIComponent(values[i]!) : ""),
    "");
}

export function withQuery(at: string, query: Query): string {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
        if (value !== undefined && value !== "")
            params.set(name, String(value));
    const text = params.toString();
    return text ? at + "?" + text : at;
}

export async function ask(method: string, at: string, more: More = {}):
    Promise<Answer> {
    const mine = secret();
    const headers: Record<string, string> = {
        "Syncline-Session": mine, ...more.headers,
    };
    if (more.body !== undefined)
        headers["Content-Type"] = more.type ?? "application/json";
    const r = await fetch(at, {
        method,
        headers,
        body: more.body ?? null,
        signal: more.signal ?? null,
        cache: "no-store",
    }).catch((why: unknown) => {
        throw isAbort(why) ? why
            : new ApiError(0, "EUNREACHABLE", t.unreachable);
    });
    const text = await r.text().catch((why: unknown) => {
        throw isAbort(why) ? why : new ApiError(0, "EBROKEN", t.broken);
    });
    // Not another one, that somebody has signed in by meanwhile.
    if (r.status === 401 && mine === secret())
        forget("over");
    if (!r.ok && r.status !== 304) {
        let detail = t.refused(r.status), code = "";
        try {
            const told = JSON.parse(text);
            detail = told.detail ?? detail;
            code = told.code ?? "";
        } catch { /* no problem document: the status says it */ }
        if (r.status === 401) // what it wants is for programs
            detail = t.signIn.over;
        throw new ApiError(r.status, code, detail);
    }
    return { status: r.status, headers: r.headers, text };
}

// An answer that is no JSON is not the node's, or not all of it.
function read<T>(text: string, by: (text: string) => unknown): T {
    try {
        return by(text) as T;
    } catch {
        throw new ApiError(0, "EBROKEN", t.broken);
    }
}

// What the node itself says, of a shape that is known.
export async function get<T>(at: string, query: Query = {},
    signal?: AbortSignal): Promise<T> {
    const r = await ask("GET", withQuery(at, query),
        signal ? { signal } : {});
    return read(r.text, JSON.parse);
}

// What holds documents, whose numbers must survive.
export async function getExact<T>(at: string, query: Query = {},
    signal?: AbortSignal): Promise<T> {
    const r = await ask("GET", withQuery(at, query),
        signal ? { signal } : {});
    return read(r.text, parse);
}

export async function send<T>(method: string, at: string, body?: object,
    signal?: AbortSignal): Promise<T> {
    const more: More = body === undefined
        ? {} : { body: JSON.stringify(body) };
    if (signal)
        more.signal = signal;
    const r = await ask(method, at, more);
    return read(r.text, JSON.parse);
}

export function isAbort(why: unknown): boolean {
    return why instanceof DOMException && why.name === "AbortError";
}

export function reason(why: unknown): string {
    return why instanceof Error ? why.message : String(why);
}

export type { Json };
