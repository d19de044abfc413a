#include "sim/view.h"

#include "sim/world.h"

#include <stdlib.h>

void view_free(struct view *v)
{
    for (uint32_t i = 0; i < v->items_n; i++)
        bits_free(&v->items[i].seen);
    free(v->items);
    free(v->slots);
    free(v->removals);
    free(v->sightings);
    free(v->saved);
    arena_free(&v->arena);
}

void view_grow(struct view *v, const struct ledger *l)
{
    if (v->items_n < l->items_n) {
        v->items = sim_grow(v->items, l->items_cap, sizeof *v->items);
        for (; v->items_n < l->items_n; v->items_n++)
            v->items[v->items_n] = (struct view_item){ 0 };
    }
    if (v->slots_n < l->slots_n) {
        v->slots = sim_grow(v->slots, l->slots_cap, sizeof *v->slots);
        v->removals = sim_grow(v->removals, l->slots_cap, sizeof *v->removals);
        for (; v->slots_n < l->slots_n; v->slots_n++) {
            v->slots[v->slots_n] = (struct fold_slot){ .change = LEDGER_NONE };
            v->removals[v->slots_n] = LEDGER_NONE;
        }
    }
}

struct view_space *view_by_number(struct view *v, uint32_t number)
{
    for (unsigned i = 0; i < SIM_SPACES; i++)
        if (v->spaces[i].used && v->spaces[i].number == number)
            return &v->spaces[i];
    return NULL;
}

struct view_space *view_by_space(struct view *v, uint32_t space)
{
    for (unsigned i = 0; i < SIM_SPACES; i++)
        if (v->spaces[i].used && v->spaces[i].space == space)
            return &v->spaces[i];
    return NULL;
}

void view_map(struct view *v, uint32_t number, uint32_t space)
{
    struct view_space *s = view_by_number(v, number);

    for (unsigned i = 0; s == NULL && i < SIM_SPACES; i++)
        if (!v->spaces[i].used)
            s = &v->spaces[i];
    ENSURE(s != NULL);
    if (!s->used)
        *s = (struct view_space){ .used = true, .number = number };
    s->space = space;
}

/* Of all items of a space; the ends of lives may be kept in mind. */
static void forget_items(
    struct view *v, const struct ledger *l, uint32_t space, bool keep_ends)
{
    for (uint32_t i = 0; i < v->items_n; i++) {
        struct bits seen = v->items[i].seen;

        if (l->items[i].space != space)
            continue;
        bits_clear(&seen);
        v->items[i] = (struct view_item){ .seen = seen,
            .deepest = keep_ends ? v->items[i].deepest : 0,
            .end = v->items[i].end,
            .left = keep_ends };
    }
    for (uint32_t i = 0; i < v->slots_n && !keep_ends; i++)
        if (l->items[l->slots[i].item].space == space)
            v->removals[i] = LEDGER_NONE;
}

static void unmap(struct view *v, const struct ledger *l, struct view_space *s,
    bool keep_ends)
{
    forget_items(v, l, s->space, keep_ends);
    for (uint32_t i = 0; i < v->slots_n; i++)
        if (l->items[l->slots[i].item].space == s->space)
            v->slots[i] = (struct fold_slot){ .change = LEDGER_NONE };
    s->used = false;
}

void view_unmap(struct view *v, const struct ledger *l, uint32_t number)
{
    struct view_space *s = view_by_number(v, number);

    if (s != NULL)
        unmap(v, l, s, false);
}

static bool is_better(const struct ledger *l, const struct fold_slot *f,
    uint32_t change, const struct led_cell *cell)
{
    const struct led_change *old;
    int c;

    if (f->change == LEDGER_NONE || cell->life != f->life)
        return f->change == LEDGER_NONE || cell->life > f->life;
    old = &l->changes[f->change];
    c = stamp_cmp(&cell->stamp, &old->cells[f->cell].stamp);
    return c > 0 || (c == 0 && dot_cmp(&l->changes[change].dot, &old->dot) > 0);
}

void view_cover(
    struct view *v, const struct ledger *l, uint32_t change, bool removals)
{
    const struct led_change *c = &l->changes[change];

    view_grow(v, l);
    for (uint32_t i = 0; i < c->cells_n; i++) {
        const struct led_cell *cell = &c->cells[i];
        struct fold_slot *f = &v->slots[cell->slot];
        struct view_item *it = &v->items[l->slots[cell->slot].item];

        if (removals && cell->value.ptr != NULL)
            continue;
        if (cell->life > it->life)
            it->life = cell->life;
        if (is_better(l, f, change, cell))
            *f = (struct fold_slot){ cell->life, change, i };
    }
}

void view_lower(struct view *v, const struct ledger *l, struct view_space *s,
    const struct dot *to)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->have.n; i++) {
        struct dot d = s->have.e[i];

        if (rid_eq(&d.replica, &to->replica))
            d.seq = to->seq;
        if (d.seq > 0)
            s->have.e[kept++] = d;
    }
    s->have.n = kept;
    for (uint32_t i = 0; i < v->items_n; i++)
        if (l->items[i].space == s->space)
            v->items[i].life = 0;
    for (uint32_t i = 0; i < v->slots_n; i++)
        if (l->items[l->slots[i].item].space == s->space)
            v->slots[i] = (struct fold_slot){ .change = LEDGER_NONE };
}

/* Is it later than what was seen to be removed there before? */
static bool is_later(
    const struct view *v, const struct ledger *l, const struct led_cell *cell)
{
    const struct led_cell *before = v->removals[cell->slot] == LEDGER_NONE
        ? NULL
        : ledger_cell(&l->changes[v->removals[cell->slot]], cell->slot);

    return before == NULL || cell->life > before->life ||
        (cell->life == before->life &&
            stamp_cmp(&cell->stamp, &before->stamp) > 0);
}

static void see_change(
    struct view *v, const struct ledger *l, uint32_t item, uint32_t change)
{
    const struct led_change *c = &l->changes[change];
    struct view_item *it = &v->items[item];

    (void)bits_add(&it->seen, change);
    for (uint32_t i = 0; i < c->cells_n; i++) {
        const struct led_cell *cell = &c->cells[i];
        const struct led_slot *s = &l->slots[cell->slot];

        if (s->item != item || !s->is_tomb || cell->life <= it->deepest)
            continue;
        it->deepest = cell->life;
        it->end = change;
        it->left = false;
    }
}

/* Is there a later one than those that were held before? */
static bool see_removal(
    struct view *v, const struct ledger *l, uint32_t item, uint32_t change)
{
    const struct led_change *c = &l->changes[change];
    bool any = false;

    for (uint32_t i = 0; i < c->cells_n; i++) {
        const struct led_cell *cell = &c->cells[i];
        const struct led_slot *s = &l->slots[cell->slot];

        if (s->item != item || s->is_tomb || cell->value.ptr != NULL ||
            !is_later(v, l, cell))
            continue;
        v->removals[cell->slot] = change;
        any = true;
    }
    return any;
}

static void end_removals(struct view *v, const struct ledger *l, uint32_t item)
{
    for (uint32_t i = 0; i < v->slots_n; i++)
        if (l->slots[i].item == item)
            v->removals[i] = LEDGER_NONE;
}

static void note_sighting(struct view *v, const struct sighting *s)
{
    if (v->sightings_n == v->sightings_cap) {
        v->sightings_cap = v->sightings_cap == 0 ? 256 : v->sightings_cap * 2;
        v->sightings =
            sim_grow(v->sightings, v->sightings_cap, sizeof *v->sightings);
    }
    v->sightings[v->sightings_n++] = *s;
}

static void note_seen(struct view *v, const struct ledger *l, uint64_t commit,
    uint32_t item, uint32_t change)
{
    view_grow(v, l);
    note_sighting(v, &(struct sighting){ commit, SIGHT_CHANGE, item, change });
    see_change(v, l, item, change);
}

void view_see(struct view *v, const struct ledger *l, uint64_t commit,
    uint32_t item, uint32_t change)
{
    const struct bits *past = ledger_past(&l->changes[change], item);
    const struct bits *seen = &v->items[item].seen;

    if (bits_has(seen, change))
        return;
    note_seen(v, l, commit, item, change);
    for (uint32_t i = 0; past != NULL && i < past->n; i++) {
        uint64_t more = past->w[i] & ~(i < seen->n ? seen->w[i] : 0);

        for (; more != 0; more &= more - 1)
            note_seen(
                v, l, commit, item, i * 64 + (uint32_t)__builtin_ctzll(more));
    }
}

void view_see_removal(struct view *v, const struct ledger *l, uint64_t commit,
    uint32_t item, uint32_t change)
{
    view_grow(v, l);
    if (see_removal(v, l, item, change))
        note_sighting(
            v, &(struct sighting){ commit, SIGHT_REMOVAL, item, change });
}

void view_end_removals(
    struct view *v, const struct ledger *l, uint64_t commit, uint32_t item)
{
    note_sighting(
        v, &(struct sighting){ commit, SIGHT_ENDED, item, LEDGER_NONE });
    end_removals(v, l, item);
}

static void leave(struct view *v, const struct ledger *l, uint64_t commit,
    uint32_t number, enum sight how)
{
    struct view_space *s = view_by_number(v, number);

    if (s == NULL)
        return;
    note_sighting(v, &(struct sighting){ commit, how, s->space, LEDGER_NONE });
    unmap(v, l, s, how == SIGHT_REPLACE);
}

void view_replace(
    struct view *v, const struct ledger *l, uint64_t commit, uint32_t number)
{
    leave(v, l, commit, number, SIGHT_REPLACE);
}

void view_anew(
    struct view *v, const struct ledger *l, uint64_t commit, uint32_t number)
{
    leave(v, l, commit, number, SIGHT_ANEW);
}

static void forget(struct view *v)
{
    for (uint32_t i = 0; i < v->items_n; i++) {
        struct bits seen = v->items[i].seen;

        bits_clear(&seen);
        v->items[i] = (struct view_item){ .seen = seen };
    }
    for (uint32_t i = 0; i < v->slots_n; i++)
        v->slots[i] = (struct fold_slot){ .change = LEDGER_NONE };
    for (uint32_t i = 0; i < v->slots_n; i++)
        v->removals[i] = LEDGER_NONE;
    memset(v->spaces, 0, sizeof v->spaces);
    v->greatest = (struct stamp){ 0 };
    arena_reset(&v->arena);
}

static void see_again(struct view *v, const struct ledger *l)
{
    for (uint32_t i = 0; i < v->sightings_n; i++) {
        const struct sighting *s = &v->sightings[i];

        switch (s->what) {
        case SIGHT_CHANGE:
            see_change(v, l, s->item, s->change);
            break;
        case SIGHT_REMOVAL:
            (void)see_removal(v, l, s->item, s->change);
            break;
        case SIGHT_ENDED:
            end_removals(v, l, s->item);
            break;
        case SIGHT_REPLACE:
        case SIGHT_ANEW:
            forget_items(v, l, s->item, s->what == SIGHT_REPLACE);
            break;
        }
    }
}

void view_rewind(struct view *v, const struct ledger *l, uint64_t upto)
{
    forget(v);
    while (v->sightings_n > 0 && v->sightings[v->sightings_n - 1].commit > upto)
        v->sightings_n--;
    see_again(v, l);
}

void view_save(struct view *v)
{
    v->saved = sim_grow(v->saved, v->sightings_n + 1, sizeof *v->saved);
    if (v->sightings_n > 0)
        memcpy(v->saved, v->sightings, v->sightings_n * sizeof *v->saved);
    v->saved_n = v->sightings_n;
}

void view_restore(struct view *v, const struct ledger *l)
{
    forget(v);
    v->sightings_n = 0;
    for (uint32_t i = 0; i < v->saved_n; i++)
        note_sighting(v, &v->saved[i]);
    see_again(v, l);
}
