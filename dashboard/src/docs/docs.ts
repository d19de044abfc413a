// The API for people, from /openapi.json: /docs asks, /redoc is to be read.
import { el } from "./dom";
import { Api, load } from "./model";
import { readPage } from "./read";
import { openNamed, tryPage } from "./try";

const reads = location.pathname === "/redoc";

function filter(): HTMLElement {
    const field = el("input", { type: "search", id: "filter", autocomplete: "off" });
    field.addEventListener("input", () => {
        const words = field.value.toLowerCase().split(/\s+/);
        for (const one of document.querySelectorAll<HTMLElement>(
            "details.operation, article.read, nav.list li"))
            one.hidden = !words.every(
                w => `${one.id} ${one.textContent ?? ""}`.toLowerCase().includes(w));
    });
    return el("div", { class: "filter" }, el("label", { for: "filter" }, "Find"), field);
}

function head(api: Api): HTMLElement {
    const link = (at: string, text: string): HTMLElement => el("a", {
        href: at, "aria-current": location.pathname === at ? "page" : false }, text);
    return el("header", {},
        el("h1", {}, `${api.title} API `, el("small", {}, api.version)),
        el("nav", { "aria-label": "Pages" }, link("/docs", "Try"), link("/redoc", "Read"),
            link("/openapi.json", "openapi.json"), link("/", "Dashboard")),
        filter());
}

async function begin(): Promise<void> {
    const theme = localStorage.getItem("syncline-theme");
    if (theme === "light" || theme === "dark")
        document.documentElement.dataset.theme = theme;
    const api = await load();
    document.title = `${api.title} API`;
    document.body.replaceChildren(head(api),
        el("main", {}, ...reads ? readPage(api) : tryPage(api)));
    openNamed();
    addEventListener("hashchange", openNamed);
}

begin().catch((e: unknown) => document.body.replaceChildren(
    el("p", { role: "alert" }, `/openapi.json cannot be read: ${String(e)}`)));
