// Elements from text: nothing here becomes markup.
type Child = Node | string | undefined | false;
type Fields = Record<string, string | boolean | ((e: Event) => void)>;

export function el<K extends keyof HTMLElementTagNameMap>(
    name: K, fields: Fields = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(fields)) {
        if (typeof value === "function")
            made.addEventListener(key, value);
        else if (value === true)
            made.setAttribute(key, "");
        else if (value !== false)
            made.setAttribute(key, value);
    }
    for (const child of children)
        if (child !== undefined && child !== false)
            made.append(child);
    return made;
}

// `words` between such marks are code.
export function prose(text: string): Node[] {
    return text.split("`").map((part, i) =>
        i % 2 === 1 ? el("code", {}, part) : document.createTextNode(part));
}

// Name, type, what it is; nothing where there is none.
export function table(caption: string, rows: [string, string, string][]): HTMLElement | undefined {
    if (rows.length === 0)
        return undefined;
    return el("table", {}, el("caption", {}, caption),
        el("thead", {}, el("tr", {}, ...["name", "is", "what"].map(
            h => el("th", { scope: "col" }, h)))),
        el("tbody", {}, ...rows.map(([name, type, what]) => el("tr", {},
            el("th", { scope: "row" }, el("code", {}, name)),
            el("td", {}, type), el("td", {}, ...prose(what))))));
}
