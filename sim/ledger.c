#include "sim/ledger.h"

#include "sim/world.h"

#include <stdlib.h>

void ledger_free(struct ledger *l)
{
    for (uint32_t i = 0; i < l->changes_n; i++) {
        struct led_change *c = &l->changes[i];

        for (uint32_t j = 0; j < c->past_n; j++)
            bits_free(&c->past[j].seen);
        free(c->past);
        free(c->cells);
    }
    for (unsigned i = 0; i < SIM_MACHINES; i++)
        view_free(&l->views[i]);
    free(l->losses);
    free(l->brought);
    free(l->changes);
    free(l->items);
    free(l->slots);
    omap_free(&l->item_ix);
    omap_free(&l->slot_ix);
    omap_free(&l->change_ix);
    arena_free(&l->arena);
}

/* Names in the maps are built in a few bytes on the stack. */
struct name {
    uint8_t b[64];
    size_t len;
};

static void name_put(struct name *n, const void *p, size_t len)
{
    ENSURE(n->len + len <= sizeof n->b);
    memcpy(n->b + n->len, p, len);
    n->len += len;
}

static uint32_t lookup(const struct omap *m, struct slice name)
{
    const struct omap_node *n = omap_get(m, name);
    uint32_t ix;

    if (n == NULL)
        return LEDGER_NONE;
    memcpy(&ix, n->value.ptr, sizeof ix);
    return ix;
}

static void enter(struct omap *m, struct slice name, uint32_t ix)
{
    ENSURE(omap_put(m, name, SLICE(&ix, sizeof ix)) == SYNCLINE_OK);
}

static struct slice keep(struct ledger *l, struct slice s)
{
    struct slice copy = arena_dup(&l->arena, s);

    ENSURE(copy.ptr != NULL);
    return copy;
}

uint32_t ledger_space(
    struct ledger *l, const struct space_token *token, struct slice name)
{
    for (uint32_t i = 0; i < l->spaces_n; i++)
        if (space_token_eq(&l->spaces[i].token, token))
            return i;
    ENSURE(l->spaces_n < SIM_SPACES_EVER);
    l->spaces[l->spaces_n] = (struct led_space){ *token, keep(l, name) };
    return l->spaces_n++;
}

/* A number, then text of any length. */
static struct slice numbered(struct buf *b, uint32_t no, struct slice text)
{
    buf_clear(b);
    buf_put(b, &no, sizeof no);
    buf_put_slice(b, text);
    ENSURE(buf_status(b) == SYNCLINE_OK);
    return buf_slice(b);
}

uint32_t ledger_find_item(
    const struct ledger *l, uint32_t space, struct slice key)
{
    struct buf b = { 0 };
    uint32_t ix = lookup(&l->item_ix, numbered(&b, space, key));

    buf_free(&b);
    return ix;
}

uint32_t ledger_item(struct ledger *l, uint32_t space, struct slice key)
{
    uint32_t ix = ledger_find_item(l, space, key);
    struct buf b = { 0 };

    if (ix != LEDGER_NONE)
        return ix;
    ix = l->items_n++;
    if (ix == l->items_cap) {
        l->items_cap = ix < 16 ? 32 : ix * 2;
        l->items = sim_grow(l->items, l->items_cap, sizeof *l->items);
    }
    l->items[ix] = (struct led_item){
        .space = space, .key = keep(l, key), .first_slot = LEDGER_NONE
    };
    enter(&l->item_ix, numbered(&b, space, key), ix);
    buf_free(&b);
    return ix;
}

uint32_t ledger_slot(
    struct ledger *l, uint32_t item, struct slice path, bool is_tomb)
{
    struct buf b = { 0 };
    /* No path begins with a '!'. */
    struct slice name = numbered(&b, item, is_tomb ? SLICE_LIT("!") : path);
    uint32_t ix = lookup(&l->slot_ix, name);

    if (ix == LEDGER_NONE) {
        ix = l->slots_n++;
        if (ix == l->slots_cap) {
            l->slots_cap = ix < 16 ? 64 : ix * 2;
            l->slots = sim_grow(l->slots, l->slots_cap, sizeof *l->slots);
        }
        l->slots[ix] = (struct led_slot){ .item = item,
            .next = l->items[item].first_slot,
            .path = keep(l, path),
            .is_tomb = is_tomb };
        l->items[item].first_slot = ix;
        enter(&l->slot_ix, name, ix);
    }
    buf_free(&b);
    return ix;
}

static struct name change_name(uint32_t space, const struct dot *dot)
{
    struct name n = { .len = 0 };

    name_put(&n, &space, sizeof space);
    name_put(&n, dot->replica.b, RID_LEN);
    name_put(&n, &dot->seq, sizeof dot->seq);
    return n;
}

uint32_t ledger_find(
    const struct ledger *l, uint32_t space, const struct dot *dot)
{
    struct name n = change_name(space, dot);

    return lookup(&l->change_ix, SLICE(n.b, n.len));
}

void ledger_free_dot(
    struct ledger *l, const struct machine *author, uint32_t ix)
{
    const struct led_change *c = &l->changes[ix];
    struct name n = change_name(c->space, &c->dot);

    if (c->lost && c->author == author && !c->spread &&
        lookup(&l->change_ix, SLICE(n.b, n.len)) == ix)
        (void)omap_del(&l->change_ix, SLICE(n.b, n.len));
}

static uint32_t new_change(struct ledger *l, const struct led_change *c)
{
    uint32_t ix = l->changes_n++;

    if (ix == l->changes_cap) {
        l->changes_cap = ix < 16 ? 128 : ix * 2;
        l->changes = sim_grow(l->changes, l->changes_cap, sizeof *l->changes);
    }
    l->changes[ix] = *c;
    return ix;
}

uint32_t ledger_new_half(struct ledger *l, uint32_t of)
{
    const struct led_change half = { .space = l->changes[of].space,
        .dot = l->changes[of].dot,
        .author = l->changes[of].author,
        .commit = l->changes[of].commit };

    return new_change(l, &half);
}

uint32_t ledger_new_change(struct ledger *l, uint32_t space,
    const struct dot *dot, struct machine *author, uint64_t commit)
{
    struct name n = change_name(space, dot);
    const struct led_change c = {
        .space = space, .dot = *dot, .author = author, .commit = commit
    };
    uint32_t ix = new_change(l, &c);

    enter(&l->change_ix, SLICE(n.b, n.len), ix);
    return ix;
}

struct led_cell *ledger_cell(struct led_change *c, uint32_t slot)
{
    for (uint32_t i = 0; i < c->cells_n; i++)
        if (c->cells[i].slot == slot)
            return &c->cells[i];
    return NULL;
}

void ledger_add_cell(struct led_change *c, const struct led_cell *cell)
{
    if (c->cells_n == c->cells_cap) {
        c->cells_cap = c->cells_cap == 0 ? 4 : c->cells_cap * 2;
        c->cells = sim_grow(c->cells, c->cells_cap, sizeof *c->cells);
    }
    c->cells[c->cells_n++] = *cell;
}

static struct led_past *past_of(const struct led_change *c, uint32_t item)
{
    for (uint32_t i = 0; i < c->past_n; i++)
        if (c->past[i].item == item)
            return &c->past[i];
    return NULL;
}

const struct bits *ledger_past(const struct led_change *c, uint32_t item)
{
    const struct led_past *p = past_of(c, item);

    return p != NULL ? &p->seen : NULL;
}

void ledger_set_past(
    struct led_change *c, uint32_t item, const struct bits *seen)
{
    struct led_past *p;

    if (ledger_past(c, item) != NULL)
        return;
    if (c->past_n == c->past_cap) {
        c->past_cap = c->past_cap == 0 ? 2 : c->past_cap * 2;
        c->past = sim_grow(c->past, c->past_cap, sizeof *c->past);
    }
    p = &c->past[c->past_n++];
    *p = (struct led_past){ .item = item };
    bits_copy(&p->seen, seen);
}

static void set_merges(
    struct ledger *l, uint32_t change, const struct change *c)
{
    struct led_change *to = &l->changes[change];

    if (c->originals_n == 0 || to->merges_n > 0)
        return;
    to->merges = arena_alloc(&l->arena, c->originals_n * sizeof *to->merges);
    ENSURE(to->merges != NULL);
    for (uint32_t i = 0; i < c->originals_n; i++)
        to->merges[to->merges_n++] = c->originals[i].dot;
}

void ledger_note_heard(struct ledger *l, uint32_t space, const struct vv *ctx,
    const struct machine *by)
{
    for (uint32_t i = 0; i < ctx->n; i++) {
        uint32_t ix = ledger_find(l, space, &ctx->e[i]);

        if (ix != LEDGER_NONE && l->changes[ix].author != by)
            l->changes[ix].heard = true;
    }
}

void ledger_set_told(
    struct ledger *l, uint32_t change, uint32_t item, const struct change *c)
{
    struct led_past *p = past_of(&l->changes[change], item);

    set_merges(l, change, c);
    ENSURE(vv_join(&p->told, &c->ctx, &l->arena) == SYNCLINE_OK &&
        vv_join(&p->told, &c->birth, &l->arena) == SYNCLINE_OK);
}

bool ledger_was_told(
    const struct led_change *c, uint32_t item, const struct dot *d)
{
    const struct led_past *p = past_of(c, item);

    return p != NULL && vv_covers(&p->told, d);
}

void ledger_inherit_past(
    struct ledger *l, uint32_t change, uint32_t item, uint32_t first)
{
    const struct bits *past =
        first == LEDGER_NONE ? NULL : ledger_past(&l->changes[first], item);
    struct bits *mine;

    ledger_set_past(&l->changes[change], item, &(struct bits){ 0 });
    mine = (struct bits *)ledger_past(&l->changes[change], item);
    if (first != LEDGER_NONE)
        (void)bits_add(mine, first);
    for (uint32_t i = 0; past != NULL && i < past->n * 64; i++)
        if (bits_has(past, i))
            (void)bits_add(mine, i);
}

void ledger_ack(struct ledger *l, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        l->changes[i].acked = true;
}
