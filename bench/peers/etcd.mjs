// etcd.mjs - loads an etcd at one server, and watches it at another.
//
//   etcd.mjs paced A B N RATE   N puts at A, RATE a second, seen at B
//   etcd.mjs write A N          N puts at A, until A has acknowledged them
//   etcd.mjs touch A N OF       changes N of OF, evenly spread, one at a time
//
// A and B are ports of loopback. Prints one JSON object.
import { Etcd3 } from 'etcd3';
import { key, now, paced, told, value } from './common.mjs';

const TOGETHER = 100; // puts in one transaction; a server takes 128
const UNDER_WAY = 32; // transactions

const clientOf = (port) => new Etcd3({
    hosts: 'http://127.0.0.1:' + port,
    grpcOptions: { 'grpc.enable_http_proxy': 0 },
});
const item = (n) => ({
    key: Buffer.from(key(n)),
    value: Buffer.from(JSON.stringify(value(n))),
});

function putTogether(client, first, n) {
    const success = [];
    for (let i = first; i < first + n; i++)
        success.push({ request_put: item(i) });
    return client.kv.txn({ compare: [], success, failure: [] });
}

async function write(port, n) {
    const client = clientOf(port);
    await client.get('nothing'); // connects
    const started = now();
    let next = 0;
    const some = async () => {
        while (next < n) {
            const first = next;
            next = Math.min(n, first + TOGETHER);
            await putTogether(client, first, next - first);
        }
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, some));
    return { per_second: n * 1e9 / (now() - started) };
}

async function touch(port, n, of) {
    const client = clientOf(port);
    for (let i = 0; i < n; i++)
        await client.kv.put(item(i * (of / n)));
    return {};
}

async function measured(a, b, n, rate) {
    const ns = [];
    const watcher = await b.watch().prefix('item/').create();
    const all = new Promise((resolve) => watcher.on('put', (put) => {
        ns.push(now() - Number(JSON.parse(put.value).at));
        if (ns.length === n)
            resolve();
    }));
    await paced(n, rate, (i) => a.kv.put(item(i)));
    await all;
    await watcher.cancel();
    return told(ns);
}

async function pacedSeen(from, to, n, rate) {
    const [a, b] = [clientOf(from), clientOf(to)];
    await measured(a, b, 100, rate); // warm
    return { seen_us: await measured(a, b, n, rate) };
}

const [what, from, ...rest] = process.argv.slice(2);
const does = { paced: pacedSeen, write, touch };
console.log(JSON.stringify(await does[what](from, ...rest.map(Number))));
process.exit(0);
