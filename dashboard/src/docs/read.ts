// /redoc: all of it to be read, with a list beside it and examples.
import { el, prose, table } from "./dom";
import { answerMembers, answerType, Api, bodyTypes, curlOf, exampleOf, members, Operation, scopeOf,
    typeOf } from "./model";

function parameters(op: Operation, where: "path" | "query"): [string, string, string][] {
    return op.parameters.filter(p => p.in === where).map(
        p => [p.name, typeOf(p.schema), p.description ?? ""]);
}

function example(op: Operation): HTMLElement {
    const type = bodyTypes(op)[0];
    const schema = op.requestBody?.content[type ?? ""]?.schema;
    return el("pre", { class: "curl", tabindex: "0", "aria-label": "Example" },
        curlOf(op, location.origin + op.path, type === undefined ? undefined
            : JSON.stringify(exampleOf(schema)), type));
}

function operation(api: Api, op: Operation): HTMLElement {
    return el("article", { id: op.operationId, class: "read" },
        el("div", {},
            el("h3", {}, ...prose(op.summary)),
            el("p", {}, el("span", { class: `method ${op.method}` }, op.method), " ",
                el("code", {}, op.path), " ", el("span", { class: "scope" }, scopeOf(op))),
            table("In the path", parameters(op, "path")),
            table("In the query", parameters(op, "query")),
            op.requestBody && el("p", {}, "The body is ",
                ...bodyTypes(op).flatMap((t, i) => [i > 0 ? " or " : "",
                    el("code", {}, t)]), "."),
            table("In the body", members(op).map(
                ([name, s]) => [name, typeOf(s), s.description ?? ""])),
            el("p", {}, "Answers with ", el("code", {}, answerType(op)),
                ", or with a problem document (RFC 9457)."),
            table("In the answer", answerMembers(api, op))),
        el("div", {}, example(op), el("p", {},
            el("a", { href: `/docs#${op.operationId}` }, "Try it"))));
}

function list(api: Api): HTMLElement {
    return el("nav", { class: "list", "aria-label": "Operations" },
        ...api.groups.map(([tag, ops]) => el("div", {},
            el("h2", {}, tag), el("ul", {}, ...ops.map(op => el("li", {},
                el("a", { href: `#${op.operationId}` }, op.operationId)))))));
}

export function readPage(api: Api): Node[] {
    return [el("div", { class: "columns" }, list(api),
        el("div", { class: "all" }, ...api.groups.map(([tag, ops]) =>
            el("section", {}, el("h2", { id: tag }, tag), ...ops.map(op => operation(api, op))))))];
}
