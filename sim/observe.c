/* observe.c - what the ledger makes of a batch that has reached a disk. */
#include "sim/ledger.h"

#include "sim/check.h"
#include "sim/fork.h"
#include "sim/operation.h"
#include "sim/peek.h"
#include "sim/world.h"

#include <stdlib.h>

struct touched {
    uint32_t item;
    bool removed; /* the record, not just the value */
    bool loaded;
    struct slice row; /* as it is after the batch */
    struct item it;
};

struct observed {
    struct batch_op op;
    struct peek meta; /* if it is on META */
};

struct observer {
    struct world *world;
    struct machine *machine;
    struct ledger *ledger;
    struct view *view;
    uint64_t no;
    uint32_t first_new;  /* changes from here on are of this batch */
    struct stamp before; /* the greatest that was visible before */
    struct arena arena;
    uint32_t replaced[SIM_SPACES]; /* numbers, by a bootstrap in this batch */
    uint32_t replaced_n;
    bool leaves; /* a space is dropped: of a mesh that was left, whose items are
                    replayed, but not into `_mesh`, or of a bootstrap */
    struct touched *touched;
    uint32_t touched_n, touched_cap;
    struct observed *ops; /* of the batch, those on META and ITEM */
    uint32_t ops_n;
    bool raises; /* a horizon */
    bool tells;  /* of a conflict */
};

static void touch(struct observer *o, uint32_t item, bool removed)
{
    view_grow(o->view, o->ledger);
    for (uint32_t i = 0; i < o->touched_n; i++)
        if (o->touched[i].item == item) {
            o->touched[i].removed = removed;
            return;
        }
    if (o->touched_n == o->touched_cap) {
        o->touched_cap = o->touched_cap == 0 ? 16 : o->touched_cap * 2;
        o->touched = sim_grow(o->touched, o->touched_cap, sizeof *o->touched);
    }
    o->touched[o->touched_n++] =
        (struct touched){ .item = item, .removed = removed };
}

static void load(struct observer *o, struct touched *t)
{
    const struct led_item *li = &o->ledger->items[t->item];
    const struct view_space *vs = view_by_space(o->view, li->space);
    struct reader r;
    int rc = SYNCLINE_OK;

    if (t->loaded)
        return;
    t->loaded = true;
    item_init(&t->it);
    if (vs != NULL)
        rc = peek_row(
            &o->machine->port, vs->number, li->key, &t->row, &o->arena);
    r = reader_of(t->row);
    if (rc == SYNCLINE_OK && t->row.ptr != NULL)
        rc = get_item(&r, &t->it, &o->arena);
    if (rc == SYNCLINE_OK)
        rc = reader_end(&r);
    if (rc != SYNCLINE_OK)
        world_fail(o->world, "store", "node %u keeps a damaged record of %.*s",
            o->machine->ix, SLICE_FMT(li->key));
}

static void on_item_op(struct observer *o, const struct batch_op *op)
{
    struct view_space *vs;
    struct slice key;
    uint32_t number;

    if (!peek_space_number(op->key, &number, &key))
        return;
    vs = view_by_number(o->view, number);
    if (vs == NULL) { /* of a space that is being left */
        o->leaves = o->leaves || op->value.ptr == NULL;
        return;
    }
    touch(o, ledger_item(o->ledger, vs->space, key), op->value.ptr == NULL);
}

static void on_replaced_op(struct observer *o, const struct observed *at)
{
    if (at->op.value.ptr != NULL && !at->meta.anew) {
        ENSURE(o->replaced_n < SIM_SPACES);
        o->replaced[o->replaced_n++] = at->meta.number;
    }
}

static bool is_replaced(const struct observer *o, uint32_t number)
{
    for (uint32_t i = 0; i < o->replaced_n; i++)
        if (o->replaced[i] == number)
            return true;
    return false;
}

/* What its author's vector claims before a bootstrap, and not after it, is
 * replayed: moved. */
static void note_moved(struct observer *o, bool before)
{
    struct ledger *l = o->ledger;

    for (uint32_t i = 0; i < l->changes_n; i++) {
        struct led_change *c = &l->changes[i];
        const struct view_space *vs = view_by_space(o->view, c->space);

        if (vs == NULL || (before && !is_replaced(o, vs->number)) ||
            !vv_covers(&vs->have, &c->dot))
            continue;
        c->returned = c->returned || before;
        if (c->author == o->machine) {
            c->moved = before;
            c->moved_at = o->no;
        }
    }
}

/* With its mesh goes what its clock of stamps had to be above. */
static void note_left(struct observer *o, const struct view_space *vs)
{
    if (vs != NULL && slice_is(o->ledger->spaces[vs->space].name, "_mesh"))
        o->before = o->view->greatest = (struct stamp){ 0 };
}

/* By what its node knows. */
static bool counts(const struct observer *o, uint32_t space, uint32_t change)
{
    const struct dot *d = &o->ledger->changes[change].dot;

    return o->machine->node == NULL ||
        node_bound(o->machine->node, &o->ledger->spaces[space].token,
            &d->replica) >= d->seq;
}

/* What it wrote itself comes back as it does to anybody. */
static void note_anew(struct observer *o, const struct view_space *vs)
{
    for (uint32_t i = 0; vs != NULL && i < o->ledger->changes_n; i++)
        if (o->ledger->changes[i].author == o->machine &&
            o->ledger->changes[i].space == vs->space) {
            o->ledger->changes[i].anew = true;
            o->ledger->changes[i].void_now =
                o->ledger->changes[i].void_now || !counts(o, vs->space, i);
        }
}

/* Who may not write replays nothing after a bootstrap: what he had beyond it,
 * ends of lives too, comes to him again. */
static bool may_replay(const struct observer *o, uint32_t number)
{
    const struct view_space *vs = view_by_number(o->view, number);

    return vs == NULL || o->machine->node == NULL ||
        node_bound(o->machine->node, &o->ledger->spaces[vs->space].token,
            node_replica(o->machine->node)) == UINT64_MAX;
}

static void on_space_gone(struct observer *o, const struct observed *at)
{
    if (at->op.value.ptr != NULL)
        return;
    if (is_replaced(o, at->meta.number) && may_replay(o, at->meta.number)) {
        view_replace(o->view, o->ledger, o->no, at->meta.number);
        return;
    }
    note_left(o, view_by_number(o->view, at->meta.number));
    note_anew(o, view_by_number(o->view, at->meta.number));
    view_anew(o->view, o->ledger, o->no, at->meta.number);
}

static int touch_stored(void *ctx, struct slice key, struct slice value)
{
    struct observer *o = ctx;
    const struct view_space *vs;
    uint32_t number;

    (void)value;
    ENSURE(peek_space_number(key, &number, &key));
    vs = view_by_number(o->view, number);
    touch(o, ledger_item(o->ledger, vs->space, key), false);
    return SYNCLINE_OK;
}

/* What came before it had a name counts from here on. */
static void touch_all(struct observer *o, uint32_t number)
{
    struct buf prefix = { 0 };

    put_be32(&prefix, number);
    ENSURE(store_scan(&o->machine->port, TABLE_ITEM, buf_slice(&prefix),
               SLICE_NONE, touch_stored, o) == SYNCLINE_OK);
    buf_free(&prefix);
}

static bool is_alive_here(
    struct observer *o, const struct view_space *vs, uint32_t item)
{
    struct item it;

    ENSURE(peek_load(&o->machine->port, vs->number, o->ledger->items[item].key,
               &it, &o->arena) == SYNCLINE_OK);
    return item_alive(&it);
}

/* What a bootstrap does not have, or says to be over, may be rescued, and what
 * was removed in it counts no more then, if it goes on elsewhere. If it is
 * brought, its removals are seen once more. */
static void end_lives(struct observer *o, const struct view_space *vs)
{
    for (uint32_t i = 0; i < o->view->items_n; i++)
        if (o->ledger->items[i].space == vs->space && o->view->items[i].left &&
            !is_alive_here(o, vs, i))
            view_end_removals(o->view, o->ledger, o->no, i);
}

static void on_space_op(struct observer *o, const struct observed *at)
{
    if (at->op.value.ptr == NULL)
        return;
    if (o->machine->relay && !slice_is(at->meta.name, "_mesh"))
        return; /* what it keeps there is another form of what is known */
    view_unmap(o->view, o->ledger, at->meta.number);
    view_map(o->view, at->meta.number,
        ledger_space(o->ledger, &at->meta.token, at->meta.name));
    touch_all(o, at->meta.number);
    if (o->replaced_n > 0)
        end_lives(o, view_by_number(o->view, at->meta.number));
}

static void on_returning_op(struct observer *o, const struct observed *at)
{
    if (at->meta.anew)
        return;
    for (unsigned i = 0; i < SIM_SPACES; i++) {
        struct view_space *vs = &o->view->spaces[i];

        if (vs->used && at->op.value.ptr != NULL &&
            vs->number == at->meta.into) {
            vs->returning = true;
            o->view->mutual |= (uint32_t)at->meta.mutual << vs->space;
            vs->from = at->meta.number;
        } else if (vs->used && at->op.value.ptr == NULL && vs->returning &&
            vs->from == at->meta.number) {
            vs->returning = false;
            touch_all(o, vs->number);
        }
    }
}

static void cover_change(struct observer *o, uint32_t ix, bool removals)
{
    const struct led_change *c = &o->ledger->changes[ix];

    view_cover(o->view, o->ledger, ix, removals);
    for (uint32_t i = 0; i < c->cells_n; i++)
        touch(o, o->ledger->slots[c->cells[i].slot].item, false);
}

static void cover_removed(void *ctx, uint32_t ix)
{
    cover_change(ctx, ix, true);
}

static void cover(struct observer *o, uint32_t space, const struct dot *dot)
{
    uint32_t ix = ledger_find(o->ledger, space, dot);

    /* A change that lost at once, at its author's, never reached an item. */
    if (ix != LEDGER_NONE)
        cover_change(o, ix, false);
    check_reached_note(o->world, o->machine, ix, o->no);
    losses_each(o->ledger, space, dot, cover_removed, o);
}

/* What a vector claimed may turn out not to count. */
static bool is_cut(
    const struct observer *o, const struct view_space *vs, const struct dot *to)
{
    return o->machine->node != NULL &&
        node_bound(o->machine->node, &o->ledger->spaces[vs->space].token,
            &to->replica) <= to->seq;
}

/* Its author has heard that it does not count: it will not be seen again. */
static void void_own(struct observer *o, uint32_t space, const struct dot *upto)
{
    for (uint32_t i = 0; i < o->ledger->changes_n; i++) {
        struct led_change *c = &o->ledger->changes[i];

        if (c->author == o->machine && c->space == space &&
            rid_eq(&c->dot.replica, &upto->replica) && c->dot.seq > upto->seq)
            c->void_now = true;
    }
}

static void lower(struct observer *o, struct view_space *vs, struct dot *to)
{
    void_own(o, vs->space, to);
    view_lower(o->view, o->ledger, vs, to);
    touch_all(o, vs->number);
    for (uint32_t i = 0; i < vs->have.n; i++)
        for (uint64_t seq = 1; seq <= vs->have.e[i].seq; seq++)
            cover(o, vs->space, &(struct dot){ vs->have.e[i].replica, seq });
}

static void raise(struct observer *o, struct view_space *vs, struct dot *to)
{
    uint64_t from = vv_get(&vs->have, &to->replica);
    struct dot d = { to->replica, from };

    if (to->seq < from && is_cut(o, vs, to)) {
        lower(o, vs, to);
        return;
    }
    if (to->seq < from)
        world_fail(o->world, "I1",
            "node %u: its vector goes back from %llu "
            "to %llu in %.*s",
            o->machine->ix, (unsigned long long)from,
            (unsigned long long)to->seq,
            SLICE_FMT(o->ledger->spaces[vs->space].name));
    while (d.seq < to->seq) {
        d.seq++;
        cover(o, vs->space, &d);
    }
    if (to->seq > from && rid_is_of(&to->replica, &o->machine->crypto.device))
        clocks_note_author(o->world, o->machine, o->view->greatest.epoch);
    if (to->seq > from)
        ENSURE(vv_add(&vs->have, to, &o->view->arena) == SYNCLINE_OK);
}

static void on_seen_op(struct observer *o, const struct observed *at)
{
    struct view_space *vs = view_by_number(o->view, at->meta.number);
    struct dot to = at->meta.dot; /* 0: it claims nothing any more */

    if (vs != NULL)
        raise(o, vs, &to);
}

static void read_meta(struct observer *o, struct observed *at)
{
    if (peek_meta(at->op.key, at->op.value, &at->meta) != SYNCLINE_OK)
        world_fail(o->world, "store", "node %u writes a damaged record",
            o->machine->ix);
    o->raises = o->raises || at->meta.what == PEEK_HORIZON;
}

static void read_ops(struct observer *o, struct slice ops)
{
    struct batch_op op;
    uint32_t cap = 0;
    int err = 0;

    while (batch_next(&ops, &op, &err)) {
        o->tells = o->tells || op.table == TABLE_CONFLICT;
        if (op.table != TABLE_META && op.table != TABLE_ITEM)
            continue;
        if (o->ops_n == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            o->ops = sim_grow(o->ops, cap, sizeof *o->ops);
        }
        o->ops[o->ops_n].op = op;
        if (op.table == TABLE_META)
            read_meta(o, &o->ops[o->ops_n]);
        o->ops_n++;
    }
}

/* Again and again, items in between. */
static void each_meta(struct observer *o, enum peek_meta what,
    void (*fn)(struct observer *o, const struct observed *at))
{
    for (uint32_t i = 0; i < o->ops_n; i++)
        if (o->ops[i].op.table == TABLE_META && o->ops[i].meta.what == what)
            fn(o, &o->ops[i]);
}

/* Adds a cell to a change that is being taken down, or compares it with
 * what was: a dot stands for the same thing for ever. */
static void take_cell(struct observer *o, struct led_change *c, bool is_new,
    const struct led_cell *cell)
{
    const struct led_cell *known = ledger_cell(c, cell->slot);
    const struct led_slot *s = &o->ledger->slots[cell->slot];

    if (known == NULL && is_new) {
        ledger_add_cell(c, cell);
        return;
    }
    if (known != NULL && known->life == cell->life &&
        slice_eq(known->value, cell->value) &&
        (known->value.ptr == NULL) == (cell->value.ptr == NULL) &&
        stamp_cmp(&known->stamp, &cell->stamp) == 0)
        return;
    world_fail(o->world, "dot",
        "node %u: change %llu of a replica of node %u "
        "holds at %.*s%.*s what it did not write there",
        o->machine->ix, (unsigned long long)c->dot.seq, c->author->ix,
        SLICE_FMT(o->ledger->items[s->item].key), SLICE_FMT(s->path));
}

static void take_change(struct observer *o, uint32_t item,
    const struct item *it, uint32_t ix, uint32_t change, bool is_new)
{
    const struct change *from = &it->changes[ix];
    struct led_cell cell = {
        .life = it->length, .stamp = from->stamp, .first = from->first
    };

    for (uint32_t i = 0; i < it->cells_n; i++) {
        if (it->cells[i].change != ix)
            continue;
        cell.slot = ledger_slot(o->ledger, item, it->cells[i].path, false);
        cell.value = it->cells[i].value;
        if (is_new && cell.value.ptr != NULL)
            cell.value = arena_dup(&o->ledger->arena, cell.value);
        take_cell(o, &o->ledger->changes[change], is_new, &cell);
    }
    if (it->tomb == ix) {
        cell.slot = ledger_slot(o->ledger, item, SLICE_NONE, true);
        cell.value = SLICE_NONE;
        take_cell(o, &o->ledger->changes[change], is_new, &cell);
    }
    view_grow(o->view, o->ledger);
}

static void see_stamp(struct stamp *greatest, const struct stamp *s)
{
    if (stamp_cmp(s, greatest) > 0)
        *greatest = *s;
}

/* Under one dot there may be two. */
static uint32_t find_change(
    struct observer *o, uint32_t space, const struct change *c)
{
    const struct sim_fork *f = fork_of(o->world, space, c);

    return f != NULL ? f->change : ledger_find(o->ledger, space, &c->dot);
}

/* What is collected is held no more, though its change may be. */
static bool holds_removal(const struct item *it, uint32_t change)
{
    for (uint32_t i = 0; i < it->cells_n; i++)
        if (it->cells[i].change == change && it->cells[i].value.ptr == NULL)
            return true;
    return false;
}

static void see(struct observer *o, uint32_t item, const struct item *it,
    uint32_t ix, uint32_t change)
{
    view_see(o->view, o->ledger, o->no, item, change);
    if (holds_removal(it, ix))
        view_see_removal(o->view, o->ledger, o->no, item, change);
}

/* First what others wrote, so that a change of this batch has seen it. */
static void read_item(struct observer *o, uint32_t item, const struct item *it)
{
    uint32_t space = o->ledger->items[item].space;
    const struct bits nothing = { 0 };
    struct stamp greatest = o->before;
    uint32_t ix;

    ledger_note_heard(o->ledger, space, &it->ctx, o->machine);
    for (uint32_t i = 0; i < it->changes_n; i++) {
        ix = find_change(o, space, &it->changes[i]);
        if (ix != LEDGER_NONE && ix < o->first_new) {
            ledger_free_dot(o->ledger, o->machine, ix);
            ix = find_change(o, space, &it->changes[i]);
        }
        if (ix == LEDGER_NONE || ix >= o->first_new)
            continue;
        take_change(o, item, it, i, ix, false);
        if (!bits_has(&o->view->items[item].seen, ix))
            check_far_note(o->world, o->machine, &it->changes[i]);
        if (o->ledger->changes[ix].author != o->machine)
            o->ledger->changes[ix].spread = true;
        see(o, item, it, i, ix);
        see_stamp(&o->view->greatest, &it->changes[i].stamp);
        see_stamp(&greatest, &it->changes[i].stamp);
    }
    for (uint32_t i = 0; i < it->changes_n; i++) {
        const struct change *c = &it->changes[i];

        ix = find_change(o, space, c);
        if (ix == LEDGER_NONE)
            ix =
                ledger_new_change(o->ledger, space, &c->dot, o->machine, o->no);
        else if (ix < o->first_new)
            continue;
        take_change(o, item, it, i, ix, true);
        if (c->originals_n == 0)
            check_unasked(o->world, o->machine, ix);
        /* What is replayed has seen what it had seen when it was first
         * written, or, in a mesh that is new to it, nothing; what a lost
         * replica wrote is written again by who has seen all that is there.
         * Without a context nothing was seen. */
        if (!dot_eq(&c->dot, &c->first))
            ledger_inherit_past(
                o->ledger, ix, item, ledger_find(o->ledger, space, &c->first));
        else
            ledger_set_past(&o->ledger->changes[ix], item,
                (!o->leaves ||
                    slice_is(o->ledger->spaces[space].name, "_mesh")) &&
                        (c->ctx.n > 0 || c->birth.n > 0)
                    ? &o->view->items[item].seen
                    : &nothing);
        ledger_set_told(o->ledger, ix, item, c);
        check_merged(o->world, o->machine, ix, item);
        see(o, item, it, i, ix);
        check_stamp(o->world, o->machine, c, &greatest);
        see_stamp(&o->view->greatest, &c->stamp);
    }
}

static void read_touched(struct observer *o)
{
    for (uint32_t i = 0; i < o->touched_n && !o->world->failed; i++) {
        load(o, &o->touched[i]);
        read_item(o, o->touched[i].item, &o->touched[i].it);
    }
}

/* A record that goes: a tombstone that is collected, or something is
 * wrong. */
static void note_removed(struct observer *o, uint32_t item)
{
    struct led_item *li = &o->ledger->items[item];
    uint64_t length = o->view->items[item].length;

    if (length % 2 == 1)
        world_fail(o->world, "I1", "node %u drops %.*s, which is alive",
            o->machine->ix, SLICE_FMT(li->key));
    if (length > li->collected)
        li->collected = length;
    o->ledger->collected = true;
}

/* It is not shown to anybody before all is replayed. */
static bool is_returning(const struct observer *o, uint32_t item)
{
    const struct view_space *vs =
        view_by_space(o->view, o->ledger->items[item].space);

    return vs != NULL && vs->returning;
}

static void judge_touched(struct observer *o)
{
    for (uint32_t i = 0; i < o->touched_n && !o->world->failed; i++) {
        struct touched *t = &o->touched[i];
        const struct led_item *li = &o->ledger->items[t->item];
        struct view_item *vi;

        sim_file_touched(o->machine, t->item);
        view_grow(o->view, o->ledger);
        vi = &o->view->items[t->item];
        load(o, t);
        if (t->removed && t->it.length == 0)
            note_removed(o, t->item);
        check_vector(o->world, o->machine, t->item, &t->it);
        if (!is_returning(o, t->item))
            check_deleted(o->world, o->machine, t->item, &t->it);
        check_version(o->world, o->machine, t->item, &t->it);
        vi->length = t->it.length;
        if (t->it.version > vi->version) /* a collected one is not forgotten */
            vi->version = t->it.version;
        check_signed(o->world, o->machine, &o->ledger->spaces[li->space].token,
            li->key, t->row, &t->it);
        check_rights_note(o->machine, t->item);
    }
}

/* Its fold still stands as it was before this batch. */
static void on_joining_op(struct observer *o, const struct observed *at)
{
    const struct view_space *vs = view_by_number(o->view, at->meta.number);

    if (vs != NULL && at->meta.name.len > 0)
        check_brought_note(o->world, o->machine, vs, at->meta.name, o->no);
}

static void observe(struct observer *o, struct slice ops)
{
    read_ops(o, ops);
    each_meta(o, PEEK_JOINING, on_joining_op);
    each_meta(o, PEEK_RETURNING, on_replaced_op);
    if (o->replaced_n > 0)
        note_moved(o, true);
    each_meta(o, PEEK_SPACE, on_space_gone);
    each_meta(o, PEEK_SPACE, on_space_op);
    each_meta(o, PEEK_RETURNING, on_returning_op);
    for (uint32_t i = 0; i < o->ops_n; i++)
        if (o->ops[i].op.table == TABLE_ITEM)
            on_item_op(o, &o->ops[i].op);
    read_touched(o);
    if (o->raises)
        losses_note(o->ledger, o->view, o->machine, ops);
    each_meta(o, PEEK_SEEN, on_seen_op);
    if (o->replaced_n > 0)
        note_moved(o, false);
    if (o->tells)
        check_past(o->world, o->machine, o->view, ops);
    judge_touched(o);
}

void ledger_commit(
    struct world *w, struct machine *m, struct slice ops, uint64_t no)
{
    struct observer o = { .world = w,
        .machine = m,
        .ledger = &w->ledger,
        .view = &w->ledger.views[m->ix],
        .no = no,
        .first_new = w->ledger.changes_n,
        .before = w->ledger.views[m->ix].greatest };

    if (w->failed)
        return;
    observe(&o, ops);
    operation_place(m, o.first_new, w->ledger.changes_n);
    free(o.touched);
    free(o.ops);
    arena_free(&o.arena);
}
