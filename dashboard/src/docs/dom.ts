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
