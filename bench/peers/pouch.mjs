// pouch.mjs - a machine (see common.mjs) that keeps the items as documents of
// PouchDB in leveldb. Who listens answers over HTTP; who joins replicates from
// there, live.
import express from 'express';
import expressPouch from 'express-pouchdb';
import PouchDB from 'pouchdb-node';
import { serve } from './common.mjs';

const NAME = 'items';

class Machine {
    constructor(folder, seen) {
        this.Pouch = PouchDB.defaults({ prefix: folder + '/' });
        this.db = new this.Pouch(NAME);
        this.seen = seen;
        this.resting = Promise.resolve();
    }

    listen() {
        const app = express();
        app.use(expressPouch(this.Pouch, {
            mode: 'minimumForPouchDB', inMemoryConfig: true,
        }));
        return new Promise((resolve) => {
            const server = app.listen(0, '127.0.0.1',
                () => resolve({ port: server.address().port }));
        });
    }

    join(port) {
        this.db.changes({ live: true, include_docs: true, since: 'now' })
            .on('change', ({ id, doc }) => this.seen(id, () => doc.at));
        this.from = this.db.replicate.from(
            'http://127.0.0.1:' + port + '/' + NAME, {
                live: true, retry: true, batch_size: 1000,
                checkpoint: 'target',
                back_off_function: (ms) => Math.min(ms * 2 || 50, 1000),
            });
        this.from.on('active', () => { this.isPaused = false; });
        this.from.on('paused', () => { this.isPaused = true; });
    }

    async put(entries, again) {
        const docs = entries.map(([key, value]) => ({ _id: key, ...value }));
        if (again)
            await this.nameRevisions(docs);
        for (const done of await this.db.bulkDocs(docs))
            if (done.error)
                throw new Error(done.message);
    }

    async nameRevisions(docs) {
        const keys = docs.map((doc) => doc._id);
        const { rows } = await this.db.allDocs({ keys });
        rows.forEach((row, i) => { docs[i]._rev = row.value.rev; });
    }

    get(key) {
        return this.db.get(key).catch(() => undefined);
    }

    async size() {
        return (await this.db.info()).doc_count;
    }

    // Paused is when it has noted how far it came, too.
    async rest() {
        while (this.from && !this.isPaused)
            await new Promise((go) => this.from.once('paused', go));
    }
}

serve((folder, seen) => new Machine(folder, seen));
