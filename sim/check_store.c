/* I16: a real store holds what its twin in memory left. */
#include "sim/check.h"

#include "sim/world.h"
#include "store/digest.h"

/* True if the store holds what its twin holds. */
static bool same_content(struct world *w, struct machine *m)
{
    struct store_port real = machine_disk_port(&m->disk);
    struct store_port twin = store_mem_port(m->disk.mem);

    for (int t = 0; t < TABLE_END; t++) {
        struct hash128 a, b;
        int rc = store_digest(&real, (enum store_table)t, &a);

        ENSURE(store_digest(&twin, (enum store_table)t, &b) == SYNCLINE_OK);
        if (rc == SYNCLINE_OK && a.lo == b.lo && a.hi == b.hi)
            continue;
        world_fail(w, "I16",
            "node %u: table %d is not what commit %llu left there (%d)", m->ix,
            t, (unsigned long long)store_mem_last(m->disk.mem), rc);
        return false;
    }
    return true;
}

void check_store(struct world *w, struct machine *m)
{
    struct machine_disk *d = &m->disk;
    struct errmsg why = { "" };
    uint64_t durable = store_mem_durable(d->mem), last;

    if (d->file == NULL)
        return;
    last = store_file_last(d->file);
    if (last < durable || last > store_mem_last(d->mem)) {
        world_fail(w, "I16",
            "node %u comes back with commit %llu; %llu was durable, %llu made",
            m->ix, (unsigned long long)last, (unsigned long long)durable,
            (unsigned long long)store_mem_last(d->mem));
        return;
    }
    ENSURE(store_mem_crash(d->mem, last - durable) == SYNCLINE_OK);
    if (same_content(w, m) && store_file_verify(d->file, &why) != SYNCLINE_OK)
        world_fail(w, "I16", "node %u: %s", m->ix, why.text);
}
