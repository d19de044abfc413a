// yjs.mjs - a machine (see common.mjs) that keeps the items in a Yjs map, and
// the document in y-leveldb. Who listens is the server of y-websocket.
import { LeveldbPersistence } from 'y-leveldb';
import { WebSocket, WebSocketServer } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import { getYDoc, setupWSConnection } from '@y/websocket-server/utils';
import { serve } from './common.mjs';

const ROOM = 'items';

class Machine {
    kept = Promise.resolve();

    constructor(folder, seen) {
        this.store = new LeveldbPersistence(folder);
        this.seen = seen;
    }

    take(doc) {
        this.doc = doc;
        this.items = doc.getMap('items');
        this.items.observe((event, transaction) => {
            if (!transaction.local)
                for (const key of event.keysChanged)
                    this.seen(key, () => this.items.get(key).at);
        });
        doc.on('update', (update) => {
            this.kept = this.store.storeUpdate(ROOM, update);
        });
    }

    listen() {
        this.take(getYDoc(ROOM));
        const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
        server.on('connection', setupWSConnection);
        return new Promise((resolve) => server.on('listening',
            () => resolve({ port: server.address().port })));
    }

    async join(port) {
        this.take(await this.store.getYDoc(ROOM));
        this.provider = new WebsocketProvider('ws://127.0.0.1:' + port, ROOM,
            this.doc, { WebSocketPolyfill: WebSocket, disableBc: true });
    }

    put(entries) {
        this.doc.transact(() => {
            for (const [key, value] of entries)
                this.items.set(key, value);
        });
    }

    get(key) {
        return this.items.get(key);
    }

    size() {
        return this.items.size;
    }

    async rest() {
        await this.kept;
    }
}

serve((folder, seen) => new Machine(folder, seen));
