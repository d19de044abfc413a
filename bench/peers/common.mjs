// common.mjs - what the drivers share: the clock and the values of bench.c,
// how long what was seen took, and a machine that does what it is told.
//
// A machine is a program that gets a JSON object a line on standard input, and
// answers each with one on standard output:
//
//   listen                   lets the other come: {"port", "id"}
//   join port id             comes to who listens there
//   write first n step batch again
//                            n items from that one on, every step-th, batch of
//                            them at a time; again: they are there already
//   paced from n rate        n new items, one at a time, rate a second
//   watch                    notes from now on how long writes took to it
//   seen n                   once it has noted n: {"seen_us"}
//   at key                   the time in that item: {"at"}
//   has key at               once that item is there, with that time if one is
//                            given: {"seen_s", "items"}
//   rest                     once it has nothing more to do
//
// How a system does that is said by an object with
//
//   listen(), join(port, id), rest()
//   put(entries, again)      [key, value] of each
//   get(key)                 its value, if there is one
//   size()                   how many are there
//
// that calls seen(key, at) for each that comes from the other, where at() is
// the time in it. All may return promises but seen and at.
import readline from 'node:readline';

const PATIENCE_MS = 120_000;

export const now = () => Number(process.hrtime.bigint());
export const key = (n) => 'item/' + String(n).padStart(8, '0');
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

export function value(n) {
    return {
        at: String(now()).padStart(20, '0'),
        number: n,
        name: 'device-' + String(n * 2654435761 % 1000000).padStart(6, '0'),
        enabled: n % 3 !== 0,
        mode: 'auto',
        tags: ['kitchen', 'ceiling', 'white'],
        limits: { load: 0.75, memory: 1073741824 },
        note: 'set by the night shift',
    };
}

// Of times in nanoseconds, what is told of them in microseconds.
export function told(ns) {
    const all = Float64Array.from(ns).sort();
    const part = (percent) => {
        const at = Math.min(Math.floor(all.length * percent / 100),
            all.length - 1);
        return Math.round((all[at] ?? 0) / 100) / 10;
    };
    return { n: all.length, p50: part(50), p99: part(99), max: part(100) };
}

// Calls put(0) to put(n - 1), rate a second; returns when all are done.
export async function paced(n, rate, put) {
    const start = now();
    const underWay = [];
    for (let i = 0; i < n; i++) {
        const due = (start + i * 1e9 / rate - now()) / 1e6;
        if (due > 0)
            await pause(due);
        underWay.push(put(i));
    }
    await Promise.all(underWay);
}

// What comes from the other, and who waits for some of it.
class Watch {
    ns = null; // how long each took, while that is asked for
    waits = null;

    seen(key, at) {
        if (this.ns !== null)
            this.ns.push(now() - Number(at()));
        if (this.waits?.for(key, at))
            this.waits.done();
    }

    // Returns when; is asks a key and a time of what comes, and early what
    // has come before.
    async until(is, early) {
        const when = new Promise((resolve, reject) => {
            const limit = setTimeout(() => reject(new Error('it never came')),
                PATIENCE_MS);
            const done = () => {
                this.waits = null;
                clearTimeout(limit);
                resolve(now());
            };
            this.waits = { for: is, done };
        });
        if (await early())
            this.waits?.done();
        return when;
    }
}

async function write(machine, { first, n, step, batch, again }) {
    const started = now();
    for (let i = 0; i < n; i += batch) {
        const entries = [];
        for (let j = i; j < Math.min(n, i + batch); j++)
            entries.push([key(first + j * step), value(first + j * step)]);
        await machine.put(entries, again);
        await new Promise(setImmediate); // or nothing is sent until the end
    }
    return { started_s: started / 1e9 };
}

function operations(machine, watch) {
    const isThere = (wanted, found) => found !== undefined &&
        (wanted === undefined || wanted === found);
    return {
        listen: () => machine.listen(),
        join: ({ port, id }) => machine.join(port, id),
        write: (args) => write(machine, args),
        paced: ({ from, n, rate }) => paced(n, rate,
            (i) => machine.put([[key(from + i), value(from + i)]], false)),
        watch: () => { watch.ns = []; },
        seen: async ({ n }) => {
            const enough = () => watch.ns.length >= n;
            await watch.until(enough, enough);
            const ns = watch.ns;
            watch.ns = null;
            return { seen_us: told(ns) };
        },
        at: async ({ key }) => ({ at: (await machine.get(key)).at }),
        has: async ({ key, at }) => {
            const seen = await watch.until(
                (k, found) => k === key && isThere(at, found()),
                async () => isThere(at, (await machine.get(key))?.at));
            return { seen_s: seen / 1e9, items: await machine.size() };
        },
        rest: () => machine.rest(),
    };
}

// make(folder, seen) returns the machine that keeps its data there.
export async function serve(make) {
    console.log = console.info = console.error; // or it is taken for an answer
    const watch = new Watch();
    const machine = await make(process.argv[2],
        (key, at) => watch.seen(key, at));
    const known = operations(machine, watch);
    process.on('SIGTERM', () => Promise.resolve(machine.rest())
        .finally(() => process.exit(0)));
    for await (const line of readline.createInterface(process.stdin)) {
        const { op, ...args } = JSON.parse(line);
        let answer;
        try {
            answer = await known[op](args) ?? {};
        } catch (e) {
            answer = { error: String(e.stack) };
        }
        process.stdout.write(JSON.stringify(answer) + '\n');
    }
    process.exit(0);
}
