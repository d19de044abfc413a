// Asks the node what a form says, and shows what comes: as a whole, or piece by
// piece until it is stopped.
import { escaped } from "../hidden";
import { parse, print } from "../json";
import { el } from "./dom";

export interface Request {
    method: string;
    at: string;
    type?: string;
    body?: string;
    token: string;
}

const KEPT = 200000; // characters of what is shown
const SHOWN = ["content-type", "etag", "syncline-version", "retry-after", "allow"];

function pretty(text: string): string {
    try {
        return print(parse(text));
    } catch {
        return escaped(text);
    }
}

async function follow(body: ReadableStream<Uint8Array>, out: HTMLElement): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<
        string, Uint8Array>).getReader();
    for (;;) {
        const { done, value } = await reader.read();
        if (done)
            return;
        out.textContent = ((out.textContent ?? "") + escaped(value)).slice(-KEPT);
    }
}

// Resolves when all has come, or stop is called.
export function send(request: Request, out: HTMLElement): { stop: () => void } {
    const ender = new AbortController();
    const status = el("p", { class: "status", role: "status" }, "asking …");
    const fields = el("pre", { class: "fields" });
    const text = el("pre", { class: "answer", tabindex: "0", "aria-label": "Answer" });
    const started = performance.now();
    out.replaceChildren(status, fields, text);

    async function ask(): Promise<void> {
        const headers: Record<string, string> = {};
        if (request.token !== "")
            headers.Authorization = `Bearer ${request.token}`;
        if (request.type !== undefined)
            headers["Content-Type"] = request.type;
        const answer = await fetch(request.at, {
            method: request.method, headers, body: request.body,
            credentials: "omit", cache: "no-store", signal: ender.signal,
        });
        const ms = Math.round(performance.now() - started);
        status.textContent = `${answer.status} ${answer.statusText}, ${ms} ms`;
        status.classList.add(answer.ok ? "good" : "bad");
        fields.textContent = SHOWN.filter(name => answer.headers.has(name))
            .map(name => `${name}: ${answer.headers.get(name)}`).join("\n");
        if (answer.headers.get("content-type") === "text/event-stream" && answer.body)
            await follow(answer.body, text);
        else
            text.textContent = pretty(await answer.text()).slice(0, KEPT);
    }

    ask().catch((e: unknown) => {
        if (ender.signal.aborted) {
            status.textContent += ", stopped";
        } else {
            status.textContent = `the node did not answer: ${String(e)}`;
            status.classList.add("bad");
        }
    });
    return { stop: () => ender.abort() };
}
