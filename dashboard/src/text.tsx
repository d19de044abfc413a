// Text of others: what it holds that nobody sees, or that turns around what
// stands beside it, is shown as its escape.
import { Fragment, options } from "preact";
import type { ComponentChild } from "preact";

import { HIDDEN, escapeOf, escaped } from "./hidden";

function parts(text: string): ComponentChild[] {
    const made: ComponentChild[] = [];
    let from = 0;
    for (const found of text.matchAll(HIDDEN)) {
        made.push(text.slice(from, found.index),
            <span class="escape">{escapeOf(found[0])}</span>);
        from = found.index + found[0].length;
    }
    return [...made, text.slice(from)];
}

// A key or a name: on its own, whatever direction it is written in.
export function Text({ of }: { of: string }) {
    return (
        <bdi>{parts(of).map((part, i) => <Fragment key={i}>{part}</Fragment>)}
        </bdi>
    );
}

function seen<T>(child: T): T {
    return (typeof child === "string" ? escaped(child)
        : Array.isArray(child) ? child.map(seen) : child) as T;
}

const TOLD = ["title", "aria-label", "placeholder"];

// Nothing is drawn that is not seen. What is written into a field is its
// writer's own, and stays as it is.
export function showAll(): void {
    const before = options.vnode;
    options.vnode = vnode => {
        if (typeof vnode.type === "string") {
            const props = vnode.props as Record<string, unknown>;
            if (props.children !== undefined)
                props.children = seen(props.children);
            for (const name of TOLD)
                if (typeof props[name] === "string")
                    props[name] = escaped(props[name]);
        }
        before?.(vnode);
    };
}

// As a shell takes it for one word.
export function shellWord(text: string): string {
    return /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(text) ? text
        : "'" + text.replaceAll("'", "'\\''") + "'";
}
