// A value that pages can watch: no more than that.
import { useEffect, useState } from "preact/hooks";

export class State<T> {
    private readonly readers = new Set<() => void>();

    constructor(private now: T) {}

    get value(): T {
        return this.now;
    }

    set value(next: T) {
        if (Object.is(next, this.now))
            return;
        this.now = next;
        for (const reader of [...this.readers])
            reader();
    }

    subscribe(reader: () => void): () => void {
        this.readers.add(reader);
        return () => this.readers.delete(reader);
    }
}

export function useValue<T>(state: State<T>): T {
    const [, draw] = useState(0);
    useEffect(() => {
        draw(n => n + 1); // it may have changed since it was drawn
        return state.subscribe(() => draw(n => n + 1));
    }, [state]);
    return state.value;
}
