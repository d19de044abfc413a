/* The local interface, doc/api.md: conflicts. */
#include "repl/request_admin.h"

#define COUNT_AGAIN_US 20000 /* for each record */

/* Is a record, which begins with its state, among those looked for? */
static bool is_wanted(const struct conflict_scan *s, struct slice record)
{
    uint8_t state = record.len > 0 ? record.ptr[0] : 0;

    if (s->open && (state & CONFLICT_RESOLVED) != 0)
        return false;
    return !s->rescue ||
        ((state & CONFLICT_RETURNED) != 0 &&
            (s->settled || (state & CONFLICT_RESOLVED) == 0));
}

static int note_conflict(void *ctx, struct slice key, struct slice value)
{
    struct conflict_scan *s = ctx;
    struct found_conflict *f;
    struct reader r;
    struct dot dot;
    int rc;

    if (!is_wanted(s, slice_from(value, 8)))
        return SYNCLINE_OK;
    f = arena_zalloc(&s->n->step, 1, sizeof *f);
    if (f == NULL)
        return SYNCLINE_ENOMEM;
    f->space = s->space;
    f->tail = arena_dup(&s->n->step, slice_from(key, 4));
    value = arena_dup(&s->n->step, value);
    if (f->tail.ptr == NULL || value.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = get_conflict_tail(f->tail, &f->key, &f->path, &dot);
    r = reader_of(slice_from(value, 8));
    if (rc == SYNCLINE_OK)
        rc = get_conflict_record(&r, &f->record);
    if (rc != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    rc = conflict_id(f->id, s->space, f->tail);
    if (rc != SYNCLINE_OK)
        return rc;
    if ((s->only_key.len > 0 && !slice_eq(s->only_key, f->key)) ||
        (s->only_id.len > 0 && !slice_has_prefix(slice_str(f->id), s->only_id)))
        return SYNCLINE_OK;
    *s->end = f;
    s->end = &f->next;
    return SYNCLINE_OK;
}

int conflicts_find(struct conflict_scan *s, struct slice space)
{
    struct buf prefix = { 0 };
    int rc = SYNCLINE_OK;

    s->end = &s->list;
    for (struct space *sp = s->n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (!space_shown(sp) || (space.len > 0 && !slice_eq(space, sp->name)))
            continue;
        if (s->rescue && space_is_inner(sp))
            continue;
        s->space = sp;
        rc = store_scan(&s->n->opt.store, TABLE_CONFLICT,
            key_space(&prefix, sp->id), SLICE_NONE, note_conflict, s);
    }
    buf_free(&prefix);
    return rc;
}

enum conflict_state { STATE_OPEN, STATE_SUPERSEDED, STATE_RESOLVED };

/* Under `manual`, and under `merge` for values that cannot be merged field
 * by field: both stay until somebody has chosen. */
static bool only_people_close(const struct found_conflict *f)
{
    enum policy policy = space_policy(f->space, f->key);

    return policy == POLICY_MANUAL ||
        (policy == POLICY_MERGE && f->path.len == 0);
}

/* The item that conflicts are about: many may be about one. */
struct subject {
    const struct space *space;
    struct slice key;
    struct stored st;
};

static int subject_of(
    struct node *n, const struct found_conflict *f, struct subject *about)
{
    int rc;

    if (about->space == f->space && slice_eq(about->key, f->key))
        return SYNCLINE_OK;
    rc = item_read(n, f->space, f->key, &about->st);
    if (rc == SYNCLINE_OK) {
        about->space = f->space;
        about->key = f->key;
    }
    return rc;
}

static int state_of(struct node *n, const struct found_conflict *f,
    struct subject *about, enum conflict_state *out)
{
    int rc;

    *out = STATE_RESOLVED;
    if ((f->record.state & CONFLICT_RESOLVED) != 0)
        return SYNCLINE_OK;
    *out = STATE_OPEN;
    if ((f->record.state & CONFLICT_RETURNED) != 0 || only_people_close(f))
        return SYNCLINE_OK;
    rc = subject_of(n, f, about);
    if (rc == SYNCLINE_OK && conflict_superseded(&about->st.item, &f->record))
        *out = STATE_SUPERSEDED;
    return rc;
}

/* The record does not hold it, since it is large (conflicts.c)? */
static bool is_left_out(
    struct node *n, const struct found_conflict *f, struct subject *about)
{
    const struct contender *w = &f->record.winner;
    const struct item *it = &about->st.item;
    const struct cell *cell;

    if (w->value.ptr != NULL || slice_eq(w->path, f->record.loser.path))
        return false;
    if (w->path.len > 0)
        return true;
    if (subject_of(n, f, about) != SYNCLINE_OK)
        return false;
    cell = item_find(it, w->path);
    return cell != NULL && cell->value.ptr != NULL &&
        dot_eq(&it->changes[cell->change].first, &w->dot);
}

void put_contender_json(
    struct node *n, struct buf *b, const struct contender *c, bool left_out)
{
    buf_put_str(b, "\"path\":");
    json_print_string(b, c->path, false);
    if (c->value.ptr != NULL) {
        buf_put_str(b, ",\"value\":");
        buf_put_slice(b, c->value);
    } else {
        buf_printf(b, ",\"%s\":true", left_out ? "large" : "deleted");
    }
    buf_put_u8(b, ',');
    put_writer(n, b, &c->dot.replica, &c->stamp);
    buf_printf(b, ",\"time\":%llu", time_told(c->wall_us));
}

static void put_side(struct node *n, struct buf *b, const char *side,
    const struct contender *c, bool left_out)
{
    buf_printf(b, ",\"%s\":{", side);
    put_contender_json(n, b, c, left_out);
    buf_put_u8(b, '}');
}

/* What is in effect where they met, and whose it is: of one that is settled. */
static int put_now(struct node *n, struct buf *b,
    const struct found_conflict *f, struct subject *about)
{
    const struct item *it = &about->st.item;
    const struct cell *cell;
    const struct change *by = NULL;
    int rc = subject_of(n, f, about);

    if (rc != SYNCLINE_OK)
        return rc;
    cell = item_alive(it) ? item_find(it, f->path) : NULL;
    if (cell != NULL)
        by = &it->changes[cell->change];
    else if (!item_alive(it) && it->tomb >= 0)
        by = &it->changes[it->tomb];
    buf_put_str(b, ",\"now\":{");
    if (cell != NULL && cell->value.ptr != NULL) {
        buf_put_str(b, "\"value\":");
        buf_put_slice(b, cell->value);
    } else {
        buf_put_str(b,
            cell == NULL && item_alive(it) ? "\"other\":true"
                                           : "\"deleted\":true");
    }
    if (by != NULL) {
        buf_put_u8(b, ',');
        put_writer(n, b, &by->first.replica, &by->stamp);
        buf_printf(b, ",\"time\":%llu", time_told(by->wall_us));
    }
    buf_put_u8(b, '}');
    return SYNCLINE_OK;
}

static int put_conflict(struct node *n, struct buf *b,
    const struct found_conflict *f, enum conflict_state state,
    struct subject *about)
{
    static const char *const names[] = { "open", "superseded", "resolved" };
    int rc = SYNCLINE_OK;

    buf_printf(b, "{\"id\":\"%s\",\"space\":", f->id);
    json_print_string(b, f->space->name, false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, f->key, false);
    buf_put_str(b, ",\"path\":");
    json_print_string(b, f->path, false);
    buf_printf(b, ",\"state\":\"%s\"%s", names[state],
        (f->record.state & CONFLICT_RETURNED) != 0 ? ",\"returned\":true" : "");
    put_side(n, b, "loser", &f->record.loser, false);
    put_side(n, b, "winner", &f->record.winner, is_left_out(n, f, about));
    if (state != STATE_OPEN)
        rc = put_now(n, b, f, about);
    buf_put_u8(b, '}');
    return rc;
}

int admin_conflicts(struct admin *q)
{
    struct conflict_scan s = { .n = q->n,
        .only_key = json_get_str(q->args, "key") };
    bool all = json_get_bool(q->args, "all", false), any = false;
    struct subject about = { 0 };
    struct slice name = json_get_str(q->args, "space");
    struct space *sp;
    struct buf b = { 0 };
    int rc = SYNCLINE_OK;

    if (name.len > 0)
        rc = admin_find_space(q, name, &sp);
    if (rc == SYNCLINE_OK)
        rc = conflicts_find(&s, name);
    buf_put_str(&b, "{\"ok\":true,\"conflicts\":[");
    for (struct found_conflict *f = s.list; f != NULL && rc == SYNCLINE_OK;
         f = f->next) {
        enum conflict_state state;

        rc = state_of(q->n, f, &about, &state);
        if (rc != SYNCLINE_OK || (state != STATE_OPEN && !all))
            continue;
        buf_put_str(&b, any ? "," : "");
        rc = put_conflict(q->n, &b, f, state, &about);
        any = true;
    }
    buf_put_str(&b, "]}");
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? admin_reply(q, &b) : rc;
}

int put_siblings(
    struct node *n, struct buf *b, struct space *sp, struct slice key)
{
    struct conflict_scan s = { .n = n, .space = sp, .open = true };
    struct subject about = { 0 };
    struct buf prefix = { 0 };
    bool any = false;
    int rc;

    s.end = &s.list;
    rc = store_scan(&n->opt.store, TABLE_CONFLICT,
        key_conflict_of(&prefix, sp->id, key), SLICE_NONE, note_conflict, &s);
    buf_free(&prefix);
    for (struct found_conflict *f = s.list; f != NULL && rc == SYNCLINE_OK;
         f = f->next) {
        enum conflict_state state;

        rc = state_of(n, f, &about, &state);
        if (rc != SYNCLINE_OK || state != STATE_OPEN ||
            f->record.loser.value.ptr == NULL)
            continue;
        buf_put_str(b, any ? "," : ",\"siblings\":[");
        buf_printf(b, "{\"id\":\"%s\",\"path\":", f->id);
        json_print_string(b, f->path, false);
        buf_put_str(b, ",\"value\":");
        buf_put_slice(b, f->record.loser.value);
        buf_put_u8(b, '}');
        any = true;
    }
    buf_put_str(b, any ? "]" : "");
    return rc;
}

/* Counting takes some 20 us a record, in which nobody is served: whoever asks
 * again and again is to take up a thousandth of the time. */
static bool is_fresh(const struct node *n, const struct space *sp)
{
    return n->now_us - sp->counted_us < sp->counted.records * COUNT_AGAIN_US;
}

int count_conflicts(
    struct node *n, struct space *sp, bool brief, struct conflict_counts *out)
{
    struct conflict_scan s = { .n = n, .open = true };
    struct subject about = { 0 };
    int rc;

    if (brief && is_fresh(n, sp)) {
        *out = sp->counted;
        return SYNCLINE_OK;
    }
    rc = conflicts_find(&s, sp->name);
    *out = (struct conflict_counts){ 0 };
    for (struct found_conflict *f = s.list; f != NULL && rc == SYNCLINE_OK;
         f = f->next) {
        enum conflict_state state;

        rc = state_of(n, f, &about, &state);
        out->records++;
        if (rc != SYNCLINE_OK || state != STATE_OPEN)
            continue;
        out->open++;
        out->rescue += (f->record.state & CONFLICT_RETURNED) != 0;
    }
    if (rc == SYNCLINE_OK) {
        sp->counted = *out;
        sp->counted_us = n->now_us;
    }
    return rc;
}

int leaves_at(struct node *n, struct slice path, const struct json *value,
    struct leaves *out)
{
    int rc = document_leaves(value, out, &n->step);

    for (uint32_t i = 0; rc == SYNCLINE_OK && i < out->n; i++) {
        struct leaf *e = &out->e[i];
        struct buf whole = { 0 };

        buf_put_slice(&whole, path);
        buf_put_slice(&whole, e->path);
        e->path = arena_dup(&n->step, buf_slice(&whole));
        buf_free(&whole);
        if (e->path.ptr == NULL)
            rc = SYNCLINE_ENOMEM;
    }
    return rc;
}

/* The document with one value put at a path. */
static int put_at(
    struct admin *q, const struct found_conflict *f, const struct json *value)
{
    struct cells_write w = { .key = f->key, .why = q->why };
    bool wrote;
    int rc = leaves_at(q->n, f->path, value, &w.leaves);

    return rc == SYNCLINE_OK ? write_cells(q->n, f->space, &w, &wrote) : rc;
}

static int take_side(struct admin *q, const struct found_conflict *f,
    const struct contender *side)
{
    struct write_op op = { .key = f->key };
    struct write_result result;
    struct json *value;
    int rc;

    if (side->value.ptr == NULL)
        return write_local(q->n, f->space, &op, 1, &result, q->why);
    rc = json_parse(&value, side->value, JSON_STRICT, &q->n->step, q->why);
    return rc == SYNCLINE_OK ? put_at(q, f, value) : rc;
}

/* By whom it was settled stands here: a record of a conflict does not say. */
static int audit_resolve(
    struct node *n, const struct found_conflict *f, struct slice take)
{
    const struct audit_field fields[] = { AUDIT_TEXT("id", slice_str(f->id)),
        AUDIT_TEXT("space", f->space->name), AUDIT_TEXT("take", take),
        AUDIT_END };

    return node_audit(n, "resolve", fields);
}

static int resolve(struct admin *q, const struct found_conflict *f)
{
    struct slice take = json_get_str(q->args, "take");
    struct json *value = json_get(q->args, "value");
    struct stored st;
    int rc;

    if (slice_is(take, "loser"))
        rc = take_side(q, f, &f->record.loser);
    else if (slice_is(take, "winner"))
        rc = SYNCLINE_OK; /* it is in effect already */
    else if (value != NULL)
        rc = put_at(q, f, value);
    else
        rc = errmsg_set(q->why, SYNCLINE_EINVAL,
            "say which value is right: take \"winner\" or \"loser\", or give "
            "a value");
    if (rc == SYNCLINE_OK)
        rc = conflict_mark_resolved(q->n, f->space, f->tail);
    if (rc == SYNCLINE_OK)
        rc = item_read(q->n, f->space, f->key, &st);
    if (rc == SYNCLINE_OK)
        rc = admin_reply_durable(q, f->space, st.item.version);
    return rc == SYNCLINE_OK
        ? audit_resolve(q->n, f, take.len > 0 ? take : SLICE_LIT("value"))
        : rc;
}

int admin_resolve(struct admin *q)
{
    struct conflict_scan s = { .n = q->n,
        .only_id = json_get_str(q->args, "id") };
    struct subject about = { 0 };
    enum conflict_state state;
    int rc;

    if (s.only_id.len < 4)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "id: at least the first four digits of what `syncline conflicts` "
            "shows");
    rc = conflicts_find(&s, SLICE_NONE);
    if (rc != SYNCLINE_OK)
        return rc;
    if (s.list == NULL)
        return errmsg_set(q->why, SYNCLINE_ENOTFOUND,
            "%.*s: no such conflict; `syncline conflicts` lists them",
            SLICE_FMT(s.only_id));
    if (s.list->next != NULL)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "%.*s: several conflicts begin so; give more digits",
            SLICE_FMT(s.only_id));
    rc = state_of(q->n, s.list, &about, &state);
    if (rc == SYNCLINE_OK && state != STATE_OPEN)
        rc = errmsg_set(q->why, SYNCLINE_ECONFLICT,
            "%s: settled already, %s; nothing was changed", s.list->id,
            state == STATE_RESOLVED ? "by somebody's choice"
                                    : "by a later write that had seen both");
    return rc == SYNCLINE_OK ? resolve(q, s.list) : rc;
}
