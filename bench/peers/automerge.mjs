// automerge.mjs - a machine (see common.mjs) that keeps the items in one
// document of automerge-repo, the JSON of each as one scalar.
import { ImmutableString, Repo } from '@automerge/automerge-repo';
import { NodeFSStorageAdapter } from
    '@automerge/automerge-repo-storage-nodefs';
import { WebSocketClientAdapter, WebSocketServerAdapter } from
    '@automerge/automerge-repo-network-websocket';
import { WebSocketServer } from 'ws';
import { serve } from './common.mjs';

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
        this.handle = this.repo.create({ items: {} });
        return { port: server.address().port, id: this.handle.url };
    }

    async join(port, id) {
        this.open(new WebSocketClientAdapter('ws://127.0.0.1:' + port));
        this.handle = await this.repo.find(id);
        this.handle.on('change', ({ doc, patches }) => {
            for (const { path } of patches)
                if (path.length === 2)
                    this.seen(path[1], () => parsed(doc.items[path[1]]).at);
        });
    }

    put(entries) {
        this.handle.change((doc) => {
            for (const [key, value] of entries)
                doc.items[key] = new ImmutableString(JSON.stringify(value));
        });
    }

    get(key) {
        return parsed(this.handle.doc().items[key]);
    }

    size() {
        return Object.keys(this.handle.doc().items).length;
    }

    rest() {
        return this.repo?.flush();
    }
}

serve((folder, seen) => new Machine(folder, seen));
