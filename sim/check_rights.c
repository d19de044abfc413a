/* R15, R18 and at quiet: no store holds a change that does not count, all have
 * one membership, and one key that nobody holds who was removed. */
#include "sim/check.h"

#include "sim/peek.h"
#include "sim/world.h"

/* ---- no store holds a change that does not count ---- */

/* What did not change is right as long as what makes it so did not: the mesh's
 * own items. What did is looked at in every fourth turn, since much of it
 * changes again at once; and now and then all is, all the same. */
#define LOOK_EVERY 4
#define LOOK_AT_ALL_EVERY 64

void check_rights_note(struct machine *m, uint32_t item)
{
    const struct ledger *l = &m->world->ledger;

    (void)bits_add(&m->changed, item);
    m->some_changed = true;
    if (l->spaces[l->items[item].space].name.ptr[0] == '_')
        m->all_changed = true;
}

struct looking {
    struct world *world;
    struct machine *machine;
};

static void check_item(
    const struct looking *k, const struct led_item *li, const struct item *it)
{
    const struct led_space *ls = &k->world->ledger.spaces[li->space];

    for (uint32_t i = 0; i < it->changes_n; i++) {
        const struct dot *d = &it->changes[i].dot;

        if (node_bound(k->machine->node, &ls->token, &d->replica) >= d->seq)
            continue;
        world_fail(k->world, "R15",
            "node %u holds at %.*s change %llu of replica %02x%02x, whose "
            "device may not write there",
            k->machine->ix, SLICE_FMT(li->key), (unsigned long long)d->seq,
            d->replica.b[0], d->replica.b[1]);
        return;
    }
}

void check_rights(struct world *w, struct machine *m)
{
    struct looking k = { w, m };
    bool all;

    if (m->node == NULL || !node_is_settled(m->node))
        return;
    all = m->all_changed || m->looks++ % LOOK_AT_ALL_EVERY == 0;
    if (!all && (!m->some_changed || m->looks % LOOK_EVERY != 0))
        return;
    for (uint32_t i = 0; i < w->ledger.items_n && !w->failed; i++) {
        const struct led_item *li = &w->ledger.items[i];
        const struct view_space *vs =
            view_by_space(&w->ledger.views[m->ix], li->space);
        struct arena arena = { 0 };
        struct item it;
        int rc;

        if ((!all && !bits_has(&m->changed, i)) || vs == NULL ||
            vs->returning || w->ledger.spaces[li->space].name.ptr[0] == '_')
            continue;
        item_init(&it);
        rc = peek_load(&m->port, vs->number, li->key, &it, &arena);
        if (rc == SYNCLINE_OK)
            check_item(&k, li, &it);
        arena_free(&arena);
        if (rc == SYNCLINE_EIO) /* its disk fails just now: when it is back */
            return;
        ENSURE(rc == SYNCLINE_OK);
    }
    bits_clear(&m->changed);
    m->all_changed = m->some_changed = false;
}

/* ---- at quiet all have one membership and one key ---- */

static void tell_members(struct machine *m, struct buf *out)
{
    static const char *const fields[] = { "device", "name", "role", "spaces",
        "by", "since", "removed" };
    struct arena arena = { 0 };
    int rc;
    const struct json *answer = machine_ask_now(
        m, SLICE_LIT("{\"op\":\"members\",\"all\":true}"), &arena, &rc);
    const struct json *list = json_get(answer, "members");

    for (const struct json *e = list != NULL ? list->first : NULL; e != NULL;
         e = e->next)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            if (json_get(e, fields[i]) != NULL)
                json_print(out, json_get(e, fields[i]), JSON_CANONICAL);
            buf_put_u8(out, ' ');
        }
    ENSURE(buf_status(out) == SYNCLINE_OK);
    arena_free(&arena);
}

static void check_keys(struct world *w, const struct machine *m)
{
    struct node_key first, other;

    node_key(w->machines[0].node, &first);
    node_key(m->node, &other);
    if (first.epoch != other.epoch ||
        memcmp(first.id, other.id, sizeof first.id) != 0)
        world_fail(w, "keys",
            "nodes 0 and %u have keys of epochs %llu and %llu", m->ix,
            (unsigned long long)first.epoch, (unsigned long long)other.epoch);
    else if (!other.held)
        world_fail(w, "keys",
            "node %u has not been given the key of epoch %llu", m->ix,
            (unsigned long long)other.epoch);
    else if (other.spoiled)
        world_fail(w, "R15",
            "the key of epoch %llu is held by a device that was removed",
            (unsigned long long)other.epoch);
}

void check_members(struct world *w)
{
    struct buf first = { 0 };

    for (unsigned i = 0; i < w->machines_n && !w->failed; i++) {
        struct buf other = { 0 };

        tell_members(&w->machines[i], i == 0 ? &first : &other);
        if (i > 0 && !slice_eq(buf_slice(&first), buf_slice(&other)))
            world_fail(w, "members",
                "nodes 0 and %u do not agree on who is a member, as what", i);
        buf_free(&other);
        if (!w->failed)
            check_keys(w, &w->machines[i]);
    }
    buf_free(&first);
}

/* A device that leaves, having been removed, takes no later key along. */
void check_leaves_without_key(struct world *w, const struct machine *m)
{
    struct node_key now;

    if (!machine_is_up(m) || !machine_is_up(&w->machines[0]) ||
        node_admits(w->machines[0].node, &m->crypto.device, false))
        return; /* nobody has been told yet */
    node_key(w->machines[0].node, &now);
    if (!now.spoiled && node_holds_key(m->node, now.epoch, now.id))
        world_fail(w, "R15",
            "node %u was removed, and holds the key of epoch %llu", m->ix,
            (unsigned long long)now.epoch);
}
