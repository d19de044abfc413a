/* What relays keep: nothing that they could read, and all that there is. */
#include "sim/check.h"

#include "base/text.h"
#include "sim/peek.h"
#include "sim/relays.h"
#include "sim/world.h"
#include "store/store.h"

#define NAME_LEN 64  /* hex of a name */
#define TOKEN_LEN 32 /* of a space's token */

static bool is_hex(struct slice s, size_t len)
{
    bool is = s.len >= len;

    for (size_t i = 0; i < len && is; i++)
        is = (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
            (s.ptr[i] >= 'a' && s.ptr[i] <= 'f');
    return is;
}

/* Of an item, or of `_mesh`, which everybody reads. */
static bool is_blind(struct slice key)
{
    static const char *const open[] = { "cert/", "member/", "removed/",
        "parked/", "clock/", "fork/" };

    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (slice_has_prefix(key, slice_str(open[i])))
            return true;
    return is_hex(key, NAME_LEN);
}

static bool is_fixed(struct slice name)
{
    return slice_is(name, "_mesh") || slice_is(name, "_spaces") ||
        slice_is(name, "default") || slice_is(name, "config");
}

static void check_name(
    struct world *w, const struct machine *m, const struct batch_op *op)
{
    struct peek p;

    if (op->value.ptr != NULL &&
        peek_meta(op->key, op->value, &p) == SYNCLINE_OK &&
        p.what == PEEK_SPACE && !is_fixed(p.name) &&
        !(p.name.len == TOKEN_LEN && is_hex(p.name, TOKEN_LEN)))
        world_fail(w, "R25", "relay %u knows a space as %.*s", m->ix,
            SLICE_FMT(p.name));
}

/* What a relay holds may come back to who has lost it. */
static void note_spread(struct ledger *l, const struct dot *dot, bool held)
{
    for (uint32_t s = 0; s < l->spaces_n; s++) {
        uint32_t ix = ledger_find(l, s, dot);

        if (ix == LEDGER_NONE)
            continue;
        l->changes[ix].heard = true;
        l->changes[ix].spread = l->changes[ix].spread || held;
    }
}

static void note_item(struct ledger *l, const struct item *it)
{
    for (uint32_t i = 0; i < it->ctx.n; i++)
        note_spread(l, &it->ctx.e[i], false);
    for (uint32_t i = 0; i < it->changes_n; i++)
        note_spread(l, &it->changes[i].dot, true);
}

/* A cell lies at the hex of its name. */
static void check_paths(struct world *w, const struct machine *m,
    const struct batch_op *op, struct slice key)
{
    struct arena arena = { 0 };
    struct item it = { .cells_n = 0 };

    if (!is_hex(key, NAME_LEN) || op->value.ptr == NULL)
        return;
    ENSURE(peek_item(op->value, &it, &arena) == SYNCLINE_OK);
    note_item(&w->ledger, &it);
    for (uint32_t i = 0; i < it.cells_n && !w->failed; i++)
        if (it.cells[i].path.len != 1 + NAME_LEN ||
            !is_hex(slice_from(it.cells[i].path, 1), NAME_LEN))
            world_fail(w, "R25", "relay %u keeps a cell at %.*s", m->ix,
                SLICE_FMT(it.cells[i].path));
    arena_free(&arena);
}

static void check_keys(
    struct world *w, const struct machine *m, const struct batch_op *op)
{
    struct slice key;
    uint32_t number;

    if (!peek_space_number(op->key, &number, &key))
        return;
    if (!is_blind(key) && op->value.ptr != NULL)
        world_fail(
            w, "R25", "relay %u keeps an item as %.*s", m->ix, SLICE_FMT(key));
    else if (op->table == TABLE_ITEM)
        check_paths(w, m, op, key);
    else if (op->table == TABLE_HISTORY && is_hex(key, NAME_LEN))
        world_fail(
            w, "R25", "relay %u keeps a past of %.*s", m->ix, SLICE_FMT(key));
}

void check_blind(struct world *w, struct machine *m, struct slice ops)
{
    struct batch_op op;
    int err = 0;

    while (batch_next(&ops, &op, &err) && !w->failed) {
        if (op.table == TABLE_META)
            check_name(w, m, &op);
        else if (op.table == TABLE_ITEM || op.table == TABLE_CONFLICT ||
            op.table == TABLE_HISTORY)
            check_keys(w, m, &op);
    }
}

/* ---- at rest ---- */

static uint32_t space_of(const struct world *w, struct slice token)
{
    struct space_token t;

    if (hex_decode(t.b, SPACE_TOKEN_LEN, token) != SYNCLINE_OK)
        return LEDGER_NONE;
    for (uint32_t i = 0; i < w->ledger.spaces_n; i++)
        if (space_token_eq(&w->ledger.spaces[i].token, &t))
            return i;
    return LEDGER_NONE;
}

/* Has the relay dealt with all of it? */
static const struct dot *lacking(const struct json *vector, const struct vv *of)
{
    for (uint32_t i = 0; i < of->n; i++) {
        char hex[2 * RID_LEN + 1];
        const struct json *seq;

        hex_encode(hex, rid_slice(&of->e[i].replica));
        seq = json_get(vector, hex);
        if (seq == NULL || seq->i < (int64_t)of->e[i].seq)
            return &of->e[i];
    }
    return NULL;
}

/* Whoever had collected and told the relay was restored to before that: nobody
 * else knows of it, members do not believe it, and it takes nothing from who is
 * behind (doc/relay.md). */
static bool is_not_believed(
    const struct world *w, const struct machine *m, uint32_t space)
{
    return fault_is_on(&w->faults, FAULT_RESTORE) &&
        node_waits_for_member(w->machines[0].node, &m->crypto.device,
            &w->ledger.spaces[space].token);
}

static void check_space(
    struct world *w, const struct machine *m, const struct json *carried)
{
    uint32_t space = space_of(w, json_get_str(carried, "token"));
    const struct view_space *vs =
        space != LEDGER_NONE ? view_by_space(&w->ledger.views[0], space) : NULL;
    const struct dot *dot =
        vs != NULL ? lacking(json_get(carried, "vector"), &vs->have) : NULL;

    if (dot != NULL && !is_not_believed(w, m, space))
        world_fail(w, "I14",
            "relay %u lacks change %llu of replica %02x%02x in %.*s", m->ix,
            (unsigned long long)dot->seq, dot->replica.b[0], dot->replica.b[1],
            SLICE_FMT(w->ledger.spaces[space].name));
}

void check_carried(struct world *w)
{
    for (unsigned i = w->machines_n; i < relays_all(w) && !w->failed; i++) {
        struct machine *m = &w->machines[i];
        struct arena arena = { 0 };
        const struct json *carries;
        int rc;

        if (!machine_is_up(m)) {
            world_fail(w, "I14", "relay %u is down at rest", m->ix);
            return;
        }
        carries = json_get(
            machine_ask_now(m, SLICE_LIT("{\"op\":\"status\"}"), &arena, &rc),
            "carries");
        for (const struct json *s = carries != NULL ? carries->first : NULL;
             s != NULL && !w->failed; s = s->next)
            check_space(w, m, s);
        arena_free(&arena);
    }
}
