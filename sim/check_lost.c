/* I3, I8 at quiet: no acknowledged write is lost without a word, and no
 * conflict is told that was none. */
#include "sim/check.h"

#include "sim/model.h"
#include "sim/peek.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdlib.h>

/* A conflict record, in the ledger's numbers. */
struct told {
    uint32_t item, slot;
    uint32_t beside; /* the slot of what won */
    uint64_t life;
    uint32_t loser, winner; /* changes */
    struct dot dot;         /* the loser's */
    bool returned;          /* it came back with a member */
    bool resolved;          /* nobody is to look at it any more */
    bool altered;           /* it tells another value than was written */
};

struct loss_check {
    struct world *world;
    struct ledger *ledger;
    struct view *view;
    struct told *told;
    uint32_t told_n, told_cap;
    struct arena arena;
    struct item now; /* what is there of item `loaded` */
    uint32_t loaded;
};

/* Of what never reached a disk by itself nothing is known. */
static bool is_altered(
    const struct loss_check *k, const struct told *t, struct slice value)
{
    struct led_change *c =
        t->loser != LEDGER_NONE ? &k->ledger->changes[t->loser] : NULL;
    const struct led_cell *cell = c != NULL ? ledger_cell(c, t->slot) : NULL;

    return cell != NULL && !fork_names(k->world, c->space, &c->dot) &&
        !slice_eq(cell->value, value);
}

static int add_told(void *ctx, struct slice key, struct slice value)
{
    struct loss_check *k = ctx;
    const struct view_space *vs;
    struct peek_conflict p;
    struct told *t;
    int rc = peek_conflict(key, value, &p);

    if (rc != SYNCLINE_OK)
        return rc;
    vs = view_by_number(k->view, p.number);
    if (vs == NULL)
        return SYNCLINE_OK;
    if (k->told_n == k->told_cap) {
        k->told_cap = k->told_cap == 0 ? 64 : k->told_cap * 2;
        k->told = sim_grow(k->told, k->told_cap, sizeof *k->told);
    }
    t = &k->told[k->told_n++];
    *t = (struct told){ .item = ledger_item(k->ledger, vs->space, p.key),
        .loser = ledger_find(k->ledger, vs->space, &p.loser.dot),
        .winner = ledger_find(k->ledger, vs->space, &p.winner.dot),
        .dot = p.loser.dot,
        .returned = p.returned,
        .resolved = p.resolved };
    t->slot = ledger_slot(k->ledger, t->item, p.loser.path, false);
    t->beside = ledger_slot(k->ledger, t->item, p.winner.path, false);
    t->life = p.life;
    t->altered = is_altered(k, t, p.loser.value);
    view_grow(k->view, k->ledger);
    return SYNCLINE_OK;
}

/* Had the author of `later` seen `earlier` in an item? */
static bool had_seen(
    const struct loss_check *k, uint32_t later, uint32_t earlier, uint32_t item)
{
    const struct bits *past = ledger_past(&k->ledger->changes[later], item);

    return past != NULL && bits_has(past, earlier);
}

static const struct item *item_now(struct loss_check *k, uint32_t item)
{
    const struct led_item *li = &k->ledger->items[item];
    const struct view_space *vs = view_by_space(k->view, li->space);

    if (k->loaded == item)
        return &k->now;
    k->loaded = item;
    arena_reset(&k->arena);
    ENSURE(peek_load(&k->world->machines[0].port, vs->number, li->key, &k->now,
               &k->arena) == SYNCLINE_OK);
    return &k->now;
}

/* It is told of as what lost, so whoever tells has had it. */
static bool is_told_of(
    const struct loss_check *k, const struct led_change *c, uint32_t item)
{
    for (uint32_t i = 0; i < k->told_n; i++)
        if (k->told[i].item == item && dot_eq(&k->told[i].dot, &c->dot))
            return true;
    return false;
}

/* What somebody had when he was bootstrapped may have gone with its life, and
 * what a lost replica wrote may live on, if only in a context or a record, with
 * no vector that claims it: what it had seen is beaten all the same. */
static bool is_known(
    struct loss_check *k, const struct led_change *c, uint32_t item)
{
    const struct view_space *vs = view_by_space(k->view, c->space);

    return vs != NULL &&
        (vv_covers(&vs->have, &c->dot) || c->returned || c->gone ||
            (c->lost && c->heard) ||
            vv_covers(&item_now(k, item)->ctx, &c->dot) ||
            is_told_of(k, c, item));
}

/* Known, or seen by who wrote what is known: the state that he wrote upon held
 * what it had done, though its cells may have been collected since. */
static bool counts(struct loss_check *k, uint32_t change, uint32_t item)
{
    const struct ledger *l = k->ledger;

    if (is_known(k, &l->changes[change], item))
        return true;
    for (uint32_t i = 0; i < l->changes_n; i++)
        if (i != change && had_seen(k, i, change, item) &&
            is_known(k, &l->changes[i], item))
            return true;
    return false;
}

/* A change that counts, wrote there or in a later life, and knew it. */
static bool is_superseded(struct loss_check *k, uint32_t change,
    const struct led_cell *cell, uint32_t item)
{
    for (uint32_t i = 0; i < k->ledger->changes_n; i++) {
        const struct led_change *c = &k->ledger->changes[i];

        if (i == change || !had_seen(k, i, change, item) || !counts(k, i, item))
            continue;
        for (uint32_t j = 0; j < c->cells_n; j++)
            if (k->ledger->slots[c->cells[j].slot].item == item &&
                (c->cells[j].slot == cell->slot ||
                    c->cells[j].life > cell->life))
                return true;
    }
    return false;
}

/* Above or below it stands something newer that knew it. */
static bool is_hidden_knowingly(const struct loss_check *k, uint32_t change,
    const struct led_cell *cell, uint32_t item)
{
    struct slice path = k->ledger->slots[cell->slot].path;

    for (uint32_t i = k->ledger->items[item].first_slot; i != LEDGER_NONE;
         i = k->ledger->slots[i].next) {
        const struct led_cell *other = model_cell(k->ledger, k->view, i);
        struct slice there = k->ledger->slots[i].path;

        if (other != NULL && other->value.ptr != NULL &&
            (model_is_above(path, there) || model_is_above(there, path)) &&
            stamp_cmp(&other->stamp, &cell->stamp) > 0 &&
            had_seen(k, k->view->slots[i].change, change, item))
            return true;
    }
    return false;
}

/* By a resolver whose result it went into, or by somebody who had seen it. */
static bool settles(
    const struct loss_check *k, struct led_change *c, const struct told *t)
{
    const struct bits *past = ledger_past(c, t->item);
    const bool knew = ledger_was_told(c, t->item, &t->dot) ||
        (t->loser != LEDGER_NONE && past != NULL && bits_has(past, t->loser));

    for (uint32_t m = 0; m < c->merges_n; m++)
        if (dot_eq(&c->merges[m], &t->dot))
            return ledger_cell(c, t->slot) != NULL;
    for (uint32_t j = 0; j < c->cells_n && knew; j++)
        if (c->cells[j].slot == t->slot ||
            (c->merges_n == 0 && c->cells[j].slot == t->beside) ||
            (k->ledger->slots[c->cells[j].slot].item == t->item &&
                c->cells[j].life > t->life))
            return true;
    return false;
}

/* It stays so even if that came not to count (doc/merge.md). */
static bool is_settled(struct loss_check *k, const struct told *t)
{
    for (uint32_t i = 0; i < k->ledger->changes_n; i++)
        if (i != t->loser && settles(k, &k->ledger->changes[i], t))
            return true;
    return false;
}

/* What is marked as settled tells nobody of what lost: whoever settled it did
 * something with it. */
static bool is_told(struct loss_check *k, uint32_t slot, const struct dot *dot)
{
    for (uint32_t i = 0; i < k->told_n; i++)
        if (k->told[i].slot == slot && dot_eq(&k->told[i].dot, dot))
            return !k->told[i].resolved || is_settled(k, &k->told[i]);
    return false;
}

static bool is_accounted_for(
    struct loss_check *k, uint32_t change, const struct led_cell *cell)
{
    const struct led_slot *s = &k->ledger->slots[cell->slot];
    const struct led_cell *now = model_cell(k->ledger, k->view, cell->slot);

    if (s->is_tomb || cell->value.ptr == NULL || slice_is(cell->value, "{}"))
        return true;
    if (is_told(k, cell->slot, &cell->first))
        return true;
    if (now != NULL && now->life == cell->life && now->value.ptr != NULL &&
        slice_eq(now->value, cell->value))
        return model_shows(k->ledger, k->view, cell->slot) ||
            is_hidden_knowingly(k, change, cell, s->item) ||
            !dot_eq(&now->first, &cell->first);
    return is_superseded(k, change, cell, s->item);
}

/* The same write once more, by its author or whoever held it. */
static bool has_echo(
    struct loss_check *k, uint32_t change, const struct led_cell *cell)
{
    for (uint32_t i = 0; i < k->ledger->changes_n; i++) {
        struct led_change *c = &k->ledger->changes[i];

        if (i == change)
            continue;
        for (uint32_t j = 0; j < c->cells_n; j++)
            if (c->cells[j].slot == cell->slot &&
                dot_eq(&c->cells[j].first, &cell->first) &&
                counts(k, i, k->ledger->slots[cell->slot].item) &&
                is_accounted_for(k, i, &c->cells[j]))
                return true;
    }
    return false;
}

/* Somebody else wrote the same there, which is no conflict, or it was written
 * there once more in a later life, as the copy of what lost is by whoever
 * returns; what became of that counts. */
static bool has_twin(
    struct loss_check *k, uint32_t change, const struct led_cell *cell)
{
    for (uint32_t i = 0; i < k->ledger->changes_n; i++) {
        struct led_change *c = &k->ledger->changes[i];
        const struct led_cell *twin = ledger_cell(c, cell->slot);

        if (i != change && twin != NULL && twin->life >= cell->life &&
            twin->value.ptr != NULL && slice_eq(twin->value, cell->value) &&
            counts(k, i, k->ledger->slots[cell->slot].item) &&
            (is_accounted_for(k, i, twin) || has_echo(k, i, twin)))
            return true;
    }
    return false;
}

/* It was written beside what beat it (keep-both), under the item's key, "~" and
 * an id; what became of that counts. */
static bool has_copy(struct loss_check *k, const struct led_cell *cell)
{
    const struct led_slot *s = &k->ledger->slots[cell->slot];
    const struct led_item *of = &k->ledger->items[s->item];

    for (uint32_t i = 0; i < k->ledger->changes_n; i++) {
        const struct led_change *c = &k->ledger->changes[i];

        for (uint32_t j = 0; j < c->cells_n; j++) {
            const struct led_slot *cs = &k->ledger->slots[c->cells[j].slot];
            const struct led_item *ci = &k->ledger->items[cs->item];

            if (ci->space == of->space && !cs->is_tomb &&
                ci->key.len > of->key.len &&
                slice_has_prefix(ci->key, of->key) &&
                ci->key.ptr[of->key.len] == '~' &&
                slice_eq(cs->path, s->path) &&
                slice_eq(c->cells[j].value, cell->value) &&
                counts(k, i, cs->item) && is_accounted_for(k, i, &c->cells[j]))
                return true;
        }
    }
    return false;
}

static bool is_half(const struct loss_check *k, uint32_t change)
{
    const struct led_change *c = &k->ledger->changes[change];

    return fork_names(k->world, c->space, &c->dot);
}

/* Of what lost, both halves are written beside what beat them under one name,
 * and whoever does it last need not have told of the other one. */
static bool is_copy_of_half(
    const struct loss_check *k, const struct led_cell *cell)
{
    const struct led_slot *s = &k->ledger->slots[cell->slot];
    struct slice key = k->ledger->items[s->item].key;

    if (key.len == 0 || memchr(key.ptr, '~', key.len) == NULL)
        return false;
    for (uint32_t i = 0; k->world->forks.n > 0 && i < k->ledger->changes_n; i++)
        for (uint32_t j = 0; is_half(k, i) && j < k->ledger->changes[i].cells_n;
             j++)
            if (slice_eq(k->ledger->changes[i].cells[j].value, cell->value))
                return true;
    return false;
}

/* Its author might write there, by what all have heard by now. */
static bool may_count(struct world *w, const struct led_change *c)
{
    return w->machines[0].node == NULL ||
        node_bound(w->machines[0].node, &w->ledger.spaces[c->space].token,
            &c->dot.replica) >= c->dot.seq;
}

/* The same value stands under a dot that stands for two things: that was no
 * conflict, and goes with the dot. */
static bool is_twin_half(
    const struct loss_check *k, uint32_t i, const struct led_cell *cell)
{
    const struct led_cell *twin =
        ledger_cell(&k->ledger->changes[i], cell->slot);

    return is_half(k, i) && twin != NULL && twin->value.ptr != NULL &&
        slice_eq(twin->value, cell->value);
}

static bool writes_over(const struct loss_check *k, const struct led_change *c,
    const struct led_cell *cell)
{
    const uint32_t item = k->ledger->slots[cell->slot].item;

    for (uint32_t j = 0; j < c->cells_n; j++)
        if (k->ledger->slots[c->cells[j].slot].item == item &&
            (c->cells[j].slot == cell->slot || c->cells[j].life > cell->life))
            return true;
    return false;
}

/* Somebody overwrote it, having seen it, whose change came not to count. Who
 * may write and held that writes it again; if nobody did, what was below is
 * lost with it. A limit of what is built (doc/security.md), so it is counted.
 */
static bool is_under_void(
    struct loss_check *k, uint32_t change, const struct led_cell *cell)
{
    const uint32_t item = k->ledger->slots[cell->slot].item;
    const bool may_void = k->world->opt.roles || k->world->forks.n > 0 ||
        k->world->relays.n > 0; /* over which removals are heard of late */

    for (uint32_t i = 0; may_void && i < k->ledger->changes_n; i++) {
        const struct led_change *c = &k->ledger->changes[i];

        if (i == change ||
            (!is_twin_half(k, i, cell) &&
                ((c->lost && !is_half(k, i)) || !had_seen(k, i, change, item) ||
                    counts(k, i, item) || !writes_over(k, c, cell))))
            continue;
        k->world->tally.sim.lost_under_void++;
        return true;
    }
    return false;
}

/* The life that a change ends in an item. 0: none. */
static uint64_t life_ended(
    const struct loss_check *k, const struct led_change *c, uint32_t item)
{
    for (uint32_t j = 0; j < c->cells_n; j++) {
        const struct led_slot *s = &k->ledger->slots[c->cells[j].slot];

        if (s->item == item && s->is_tomb)
            return c->cells[j].life;
    }
    return 0;
}

static bool writes_beyond(const struct loss_check *k,
    const struct led_change *c, uint32_t item, uint64_t life)
{
    for (uint32_t j = 0; j < c->cells_n; j++)
        if (k->ledger->slots[c->cells[j].slot].item == item &&
            c->cells[j].life > life)
            return true;
    return false;
}

/* Somebody ended its life, having seen it; that was collected, and its author
 * went back to an old disk. Who has made the item anew had heard of it, if only
 * by a vector and floors, and beats what the old disk brings back. */
static bool is_beaten_by_collected(
    struct loss_check *k, uint32_t change, const struct led_cell *cell)
{
    const uint32_t item = k->ledger->slots[cell->slot].item;

    for (uint32_t i = 0; i < k->ledger->changes_n; i++) {
        const struct led_change *end = &k->ledger->changes[i];
        const uint64_t life = life_ended(k, end, item);

        if (life <= cell->life || !had_seen(k, i, change, item))
            continue;
        for (uint32_t m = 0; m < k->ledger->changes_n; m++)
            if (ledger_was_told(&k->ledger->changes[m], item, &end->dot) &&
                writes_beyond(k, &k->ledger->changes[m], item, life) &&
                counts(k, m, item))
                return true;
    }
    return false;
}

static void check_change(struct loss_check *k, uint32_t ix)
{
    const struct led_change *c = &k->ledger->changes[ix];
    const struct view_space *vs = view_by_space(k->view, c->space);

    if (vs == NULL || c->void_now || is_half(k, ix) ||
        !may_count(k->world, c) ||
        ((!(c->acked || c->moved) || c->lost) &&
            !vv_covers(&vs->have, &c->dot)))
        return;
    for (uint32_t i = 0; i < c->cells_n; i++) {
        const struct led_slot *s = &k->ledger->slots[c->cells[i].slot];

        if (is_accounted_for(k, ix, &c->cells[i]) ||
            has_twin(k, ix, &c->cells[i]) || has_echo(k, ix, &c->cells[i]) ||
            has_copy(k, &c->cells[i]) || is_copy_of_half(k, &c->cells[i]) ||
            is_beaten_by_collected(k, ix, &c->cells[i]) ||
            is_under_void(k, ix, &c->cells[i]))
            continue;
        world_fail(k->world, "I3",
            "what node %u was told is safe is lost: change %" PRIu64
            ", %.*s%.*s, life %" PRIu64 ", %.*s",
            c->author->ix, c->dot.seq, SLICE_FMT(k->ledger->items[s->item].key),
            SLICE_FMT(s->path), c->cells[i].life, SLICE_FMT(c->cells[i].value));
        return;
    }
}

static bool ends(const struct loss_check *k, uint32_t i, const struct told *t)
{
    const struct led_change *c = &k->ledger->changes[i];

    for (uint32_t j = 0; j < c->cells_n; j++) {
        const struct led_slot *s = &k->ledger->slots[c->cells[j].slot];

        if (s->item == t->item && s->is_tomb && c->cells[j].life > t->life)
            return true;
    }
    return false;
}

/* Its author lost it, no vector claims it, and an old disk has brought it back;
 * the winner knew it by a deletion that was collected where he wrote, and had
 * heard of there no more than that vector says (doc/merge.md). */
static bool is_known_by_collected(const struct loss_check *k,
    const struct told *t, const struct led_change *loser)
{
    const struct led_change *by = &k->ledger->changes[t->winner];
    bool later = false;

    for (uint32_t j = 0; j < by->cells_n; j++)
        later = later ||
            (k->ledger->slots[by->cells[j].slot].item == t->item &&
                by->cells[j].life > t->life + 1);
    for (uint32_t i = 0; later && loser->lost && i < k->ledger->changes_n; i++)
        if (had_seen(k, i, t->loser, t->item) &&
            had_seen(k, t->winner, i, t->item) && ends(k, i, t))
            return true;
    return false;
}

/* A conflict where the winner had seen the loser is none. Of what has come back
 * this cannot be asked: what knew it by its first dot may be collected. */
static void check_told(const struct loss_check *k, const struct told *t)
{
    if (t->altered)
        world_fail(k->world, "altered",
            "%.*s%.*s: change %" PRIu64 " of node %u is told of as what lost, "
            "with a value that it did not write",
            SLICE_FMT(k->ledger->items[t->item].key),
            SLICE_FMT(k->ledger->slots[t->slot].path),
            k->ledger->changes[t->loser].dot.seq,
            k->ledger->changes[t->loser].author->ix);
    if (t->returned || t->loser == LEDGER_NONE || t->winner == LEDGER_NONE ||
        is_half(k, t->loser) || is_half(k, t->winner) ||
        k->ledger->changes[t->loser].returned ||
        !had_seen(k, t->winner, t->loser, t->item) ||
        is_known_by_collected(k, t, &k->ledger->changes[t->loser]))
        return;
    world_fail(k->world, "conflict",
        "%.*s%.*s: change %" PRIu64 " of node %u is told as a conflict, and "
        "its winner, change %" PRIu64 " of node %u, had seen it",
        SLICE_FMT(k->ledger->items[t->item].key),
        SLICE_FMT(k->ledger->slots[t->slot].path),
        k->ledger->changes[t->loser].dot.seq,
        k->ledger->changes[t->loser].author->ix,
        k->ledger->changes[t->winner].dot.seq,
        k->ledger->changes[t->winner].author->ix);
}

void check_lost(struct world *w)
{
    struct loss_check k = { .world = w,
        .ledger = &w->ledger,
        .view = &w->ledger.views[0],
        .loaded = LEDGER_NONE };

    ENSURE(store_scan(&w->machines[0].port, TABLE_CONFLICT, SLICE_NONE,
               SLICE_NONE, add_told, &k) == SYNCLINE_OK);
    w->tally.sim.conflicts += k.told_n;
    for (uint32_t i = 0; i < w->ledger.changes_n && !w->failed; i++)
        check_change(&k, i);
    for (uint32_t i = 0; i < k.told_n && !w->failed; i++)
        check_told(&k, &k.told[i]);
    free(k.told);
    arena_free(&k.arena);
}
