// /docs: each operation with a form that asks this node.
import { el, prose, table } from "./dom";
import { answerMembers, answerType, Api, bodyTypes, curlOf, exampleOf, Operation, Parameter, scopeOf,
    typeOf } from "./model";
import { send } from "./send";

let token = "";

function tokenBox(): HTMLElement {
    const field = el("input", { type: "password", id: "token", autocomplete: "off",
        spellcheck: "false", placeholder: "sync_…" });
    field.addEventListener("input", () => token = field.value.trim());
    return el("section", { class: "token" },
        el("label", { for: "token" }, "Token"), field,
        el("p", {}, ...prose("`DIR/token`, or one of `syncline token create`. It stays in "
            + "this page, and is gone when that is closed.")));
}

function inputOf(op: Operation, p: Parameter): HTMLInputElement | HTMLSelectElement {
    const id = `${op.operationId}-${p.name}`;
    if (p.schema?.type === "boolean")
        return el("select", { id }, el("option", { value: "" }, ""),
            el("option", {}, "true"), el("option", {}, "false"));
    return el("input", { id, autocomplete: "off", spellcheck: "false",
        required: p.required === true });
}

class Form {
    readonly inputs: [Parameter, HTMLInputElement | HTMLSelectElement][];
    readonly type?: HTMLSelectElement;
    readonly body?: HTMLTextAreaElement;
    readonly out = el("div", { class: "out" });
    readonly curl = el("pre", { class: "curl", tabindex: "0", "aria-label": "By curl" });

    constructor(readonly op: Operation) {
        this.inputs = op.parameters.map(p => [p, inputOf(op, p)]);
        if (op.requestBody === undefined)
            return;
        this.type = el("select", { id: `${op.operationId}-type` },
            ...bodyTypes(op).map(t => el("option", {}, t)));
        this.body = el("textarea", { id: `${op.operationId}-body`, rows: "8",
            spellcheck: "false" });
        this.type.addEventListener("change", () => this.fill());
        this.fill();
    }

    fill(): void {
        const media = this.op.requestBody?.content[this.type?.value ?? ""];
        if (this.body)
            this.body.value = JSON.stringify(exampleOf(media?.schema), null, 2);
    }

    at(): string {
        let path = this.op.path;
        const query = new URLSearchParams();
        for (const [p, input] of this.inputs) {
            if (p.in === "path")
                path = path.replace(`{${p.name}}`, encodeURIComponent(input.value));
            else if (input.value !== "")
                query.append(p.name, input.value);
        }
        return path + (query.size > 0 ? `?${query}` : "");
    }

    show(): void {
        this.curl.textContent = curlOf(this.op, location.origin + this.at(),
            this.body?.value, this.type?.value);
    }

    ask(): { stop: () => void } {
        return send({ method: this.op.method, at: this.at(), type: this.type?.value,
            body: this.body?.value, token }, this.out);
    }
}

function rows(form: Form): HTMLElement[] {
    const made = form.inputs.map(([p, input]) => el("div", { class: "row" },
        el("label", { for: input.id }, p.name,
            el("small", {}, ` ${p.in}, ${typeOf(p.schema)}${p.required ? ", needed" : ""}`)),
        input, el("p", {}, ...prose(p.description ?? ""))));
    if (form.body && form.type)
        made.push(el("div", { class: "row" },
            el("label", { for: form.type.id }, "Body is"), form.type,
            el("label", { for: form.body.id }, "Body"), form.body,
            el("ul", {}, ...Object.entries(form.op.requestBody?.content[
                bodyTypes(form.op)[0] ?? ""]?.schema?.properties ?? {}).map(
                ([name, s]) => el("li", {}, el("code", {}, name),
                    ` ${typeOf(s)}: `, ...prose(s.description ?? ""))))));
    return made;
}

function formOf(api: Api, op: Operation): HTMLElement {
    const form = new Form(op);
    let stop: (() => void) | undefined;
    const ender = el("button", { type: "button", hidden: true,
        click: () => stop?.() }, "Stop");
    const lacks = el("p", { class: "status bad", role: "alert" });
    const made = el("form", { novalidate: true }, ...rows(form), lacks,
        el("div", { class: "buttons" }, el("button", { type: "submit", class: "main" },
            op.method === "DELETE" ? "Delete" : "Send"), ender),
        form.out, form.curl, table("In the answer", answerMembers(api, op)));
    made.addEventListener("input", () => form.show());
    made.addEventListener("submit", e => {
        e.preventDefault();
        stop?.();
        const missing = form.inputs.find(([p, input]) =>
            p.required && input.value === "");
        lacks.textContent = missing ? `${missing[0].name} is needed.` : "";
        if (missing)
            return void missing[1].focus();
        ({ stop } = form.ask());
        ender.hidden = answerType(op) !== "text/event-stream";
    });
    form.show();
    return made;
}

function operation(api: Api, op: Operation): HTMLElement {
    const made = el("details", { id: op.operationId, class: "operation" },
        el("summary", {}, el("span", { class: `method ${op.method}` }, op.method), " ",
            el("code", {}, op.path), " ",
            el("span", { class: "scope" }, scopeOf(op)),
            el("span", { class: "what" }, ...prose(op.summary))));
    // Of those that nobody opens there need be no form.
    made.addEventListener("toggle", () => {
        if (made.open && made.childElementCount === 1)
            made.append("101" in op.responses
                ? el("p", {}, "A WebSocket: no form can ask for it.") : formOf(api, op));
    });
    return made;
}

export function tryPage(api: Api): Node[] {
    return [tokenBox(), ...api.groups.map(([tag, ops]) =>
        el("section", { class: "group" }, el("h2", { id: tag }, tag), ...ops.map(op => operation(api, op))))];
}

export function openNamed(): void {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (named instanceof HTMLDetailsElement)
        named.open = true;
    named?.scrollIntoView();
}
