// Signing in. A link brings a secret in its fragment, which no server sees;
// it is taken out of the address at once and exchanged for a session: a
// cookie that only the browser holds, and a second secret that this page
// keeps, which no other port of the machine is told.
import { comeBack, linkOf } from "./router";
import { State } from "./state";

const KEY = "syncline-session";

export type Signed =
    | { is: "in"; secret: string }
    | { is: "working" }
    | { is: "out"; why: "never" | "over" | "failed"; detail?: string };

function kept(): Signed {
    const secret = localStorage.getItem(KEY);
    return secret ? { is: "in", secret } : { is: "out", why: "never" };
}

export const signed = new State<Signed>(kept());

export function secret(): string {
    const now = signed.value;
    return now.is === "in" ? now.secret : "";
}

export function forget(why: "never" | "over"): void {
    localStorage.removeItem(KEY);
    if (signed.value.is !== "out")
        signed.value = { is: "out", why };
}

async function exchange(link: string): Promise<void> {
    signed.value = { is: "working" };
    try {
        const r = await fetch("/v1/session", {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ link }),
        });
        const told = await r.json();
        if (r.ok) {
            localStorage.setItem(KEY, told.session);
            signed.value = { is: "in", secret: told.session };
        } else {
            signed.value = { is: "out", why: "failed", detail: told.detail };
        }
    } catch {
        signed.value = { is: "out", why: "failed" };
    }
}

export function takeLink(): void {
    const link = linkOf(location.hash);
    if (link === null)
        return;
    comeBack(); // of that no page hears
    void exchange(link);
}

// Another tab may have signed in, or out.
addEventListener("storage", event => {
    if (event.key === KEY || event.key === null)
        signed.value = kept();
});
