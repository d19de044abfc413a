// automerge.mjs - a machine (see common.mjs) that keeps the items in one
// document of automerge-repo, the JSON of each as one scalar. They are in maps
// of a thousand: a change costs a copy of the map that it is in.
import { ImmutableString, Repo } from '@automerge/automerge-repo';
import { NodeFSStorageAdapter } from
    '@automerge/automerge-repo-storage-nodefs';
import { WebSocketClientAdapter, WebSocketServerAdapter } from
    '@automerge/automerge-repo-network-websocket';
import { WebSocketServer } from 'ws';
import { serve } from './common.mjs';

const shelf = (key) => key.slice(0, -3);
const shelfOf = (doc, key) => {
    doc[shelf(key)] ??= {};
    return doc[shelf(key)]; // read again: as a part of the document
};
const parsed = (scalar) => scalar && JSON.parse(String(scalar));

class Machine {
    constructor(folder, seen) {
        this.folder = folder;
        this.seen = seen;
    }

    open(adapter) {
        this.repo = new Repo({
            storage: new NodeFSStorageAdapter(this.folder),
            network: [adapter],
        });
    }

    async listen() {
        const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
        await new Promise((go) => server.on('listening', go));
        this.open(new WebSocketServerAdapter(server));
        this.handle = this.repo.create({});
        return { port: server.address().port, id: this.handle.url };
    }

    async join(port, id) {
        this.open(new WebSocketClientAdapter('ws://127.0.0.1:' + port));
        this.handle = await this.repo.find(id);
        this.handle.on('change', ({ doc, patches }) => {
            for (const { path: [name, key] } of patches)
                if (key !== undefined)
                    this.seen(key, () => parsed(doc[name][key]).at);
        });
    }

    put(entries) {
        this.handle.change((doc) => {
            for (const [key, value] of entries)
                shelfOf(doc, key)[key] =
                    new ImmutableString(JSON.stringify(value));
        });
    }

    get(key) {
        return parsed(this.handle.doc()[shelf(key)]?.[key]);
    }

    size() {
        return Object.values(this.handle.doc())
            .reduce((n, items) => n + Object.keys(items).length, 0);
    }

    rest() {
        return this.repo?.flush();
    }
}

serve((folder, seen) => new Machine(folder, seen));
