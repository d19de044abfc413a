/* The local interface, doc/api.md: conflicts. */
#include "repl/request_admin.h"

struct found_conflict {
    struct found_conflict *next;
    struct space *space;
    struct slice tail, key, path;
    struct conflict_record record;
    char id[13];
};

struct conflict_scan {
    struct node *n;
    struct space *space;
    struct slice only_key, only_id;
    struct found_conflict *list, **end;
};

static int note_conflict(void *ctx, struct slice key, struct slice value)
{
    struct conflict_scan *s = ctx;
    struct found_conflict *f = arena_zalloc(&s->n->step, 1, sizeof *f);
    struct reader r;
    struct dot dot;
    int rc;

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

static int scan_conflicts(struct conflict_scan *s, struct slice space)
{
    struct buf prefix = { 0 };
    int rc = SYNCLINE_OK;

    s->end = &s->list;
    for (struct space *sp = s->n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (sp->hidden || (space.len > 0 && !slice_eq(space, sp->name)))
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

static int state_of(
    struct node *n, const struct found_conflict *f, enum conflict_state *out)
{
    struct stored st;
    int rc;

    *out = STATE_RESOLVED;
    if ((f->record.state & CONFLICT_RESOLVED) != 0)
        return SYNCLINE_OK;
    *out = STATE_OPEN;
    if ((f->record.state & CONFLICT_RETURNED) != 0 || only_people_close(f))
        return SYNCLINE_OK;
    rc = item_load(n, f->space, f->key, &st);
    if (rc == SYNCLINE_OK && conflict_superseded(&st.item, &f->record))
        *out = STATE_SUPERSEDED;
    return rc;
}

static void put_side(
    struct node *n, struct buf *b, const char *side, const struct contender *c)
{
    const struct device_id *d = owner_of(n, &c->dot.replica);
    const struct member *m = d == NULL ? NULL : members_get(n->members, d);

    buf_printf(b, ",\"%s\":{\"path\":", side);
    json_print_string(b, c->path, false);
    if (c->value.ptr != NULL) {
        buf_put_str(b, ",\"value\":");
        buf_put_slice(b, c->value);
    } else {
        buf_put_str(b, ",\"deleted\":true");
    }
    buf_put_str(b, ",\"device\":");
    put_device_hex(b, d);
    buf_put_str(b, ",\"name\":");
    if (m != NULL)
        json_print_string(b, m->name, false);
    else
        buf_put_str(b, "null");
    buf_printf(b, ",\"time\":%llu}", time_told(c->wall_us));
}

int admin_conflicts(struct admin *q)
{
    static const char *const names[] = { "open", "superseded", "resolved" };
    struct conflict_scan s = { .n = q->n,
        .only_key = json_get_str(q->args, "key") };
    bool all = json_get_bool(q->args, "all", false), any = false;
    struct slice name = json_get_str(q->args, "space");
    struct space *sp;
    struct buf b = { 0 };
    int rc = SYNCLINE_OK;

    if (name.len > 0)
        rc = admin_find_space(q, name, &sp);
    if (rc == SYNCLINE_OK)
        rc = scan_conflicts(&s, name);
    buf_put_str(&b, "{\"ok\":true,\"conflicts\":[");
    for (struct found_conflict *f = s.list; f != NULL && rc == SYNCLINE_OK;
         f = f->next) {
        enum conflict_state state;

        rc = state_of(q->n, f, &state);
        if (rc != SYNCLINE_OK || (state != STATE_OPEN && !all))
            continue;
        buf_printf(&b, "%s{\"id\":\"%s\",\"space\":", any ? "," : "", f->id);
        json_print_string(&b, f->space->name, false);
        buf_put_str(&b, ",\"key\":");
        json_print_string(&b, f->key, false);
        buf_put_str(&b, ",\"path\":");
        json_print_string(&b, f->path, false);
        buf_printf(&b, ",\"state\":\"%s\"", names[state]);
        put_side(q->n, &b, "loser", &f->record.loser);
        put_side(q->n, &b, "winner", &f->record.winner);
        buf_put_u8(&b, '}');
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
    struct conflict_scan s = { .n = n, .space = sp };
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

        rc = state_of(n, f, &state);
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

int count_conflicts(struct node *n, struct space *sp, uint64_t *out)
{
    struct conflict_scan s = { .n = n };
    int rc = scan_conflicts(&s, sp->name);

    *out = 0;
    for (struct found_conflict *f = s.list; f != NULL && rc == SYNCLINE_OK;
         f = f->next) {
        enum conflict_state state;

        rc = state_of(n, f, &state);
        *out += rc == SYNCLINE_OK && state == STATE_OPEN;
    }
    return rc;
}

/* The document with one value put at a path. */
static int put_at(
    struct admin *q, const struct found_conflict *f, const struct json *value)
{
    struct leaves leaves;
    struct cells_write w = { .key = f->key };
    struct leaf *e;
    bool wrote;
    int rc = document_leaves(value, &leaves, &q->n->step);

    if (rc != SYNCLINE_OK)
        return rc;
    e = leaves.e;
    for (uint32_t i = 0; i < leaves.n; i++) {
        struct buf path = { 0 };

        buf_put_slice(&path, f->path);
        buf_put_slice(&path, e[i].path);
        e[i].path = arena_dup(&q->n->step, buf_slice(&path));
        buf_free(&path);
        if (e[i].path.ptr == NULL)
            return SYNCLINE_ENOMEM;
    }
    w.leaves = leaves;
    return write_cells(q->n, f->space, &w, &wrote);
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
        rc = item_load(q->n, f->space, f->key, &st);
    return rc == SYNCLINE_OK ? admin_reply_durable(q, f->space, st.item.version)
                             : rc;
}

int admin_resolve(struct admin *q)
{
    struct conflict_scan s = { .n = q->n,
        .only_id = json_get_str(q->args, "id") };
    enum conflict_state state;
    int rc;

    if (s.only_id.len < 4)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "id: at least the first four digits of what `syncline conflicts` "
            "shows");
    rc = scan_conflicts(&s, SLICE_NONE);
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
    rc = state_of(q->n, s.list, &state);
    if (rc == SYNCLINE_OK && state != STATE_OPEN)
        rc = errmsg_set(q->why, SYNCLINE_ECONFLICT,
            "%s: settled already, %s; nothing was changed", s.list->id,
            state == STATE_RESOLVED ? "by somebody's choice"
                                    : "by a later write that had seen both");
    return rc == SYNCLINE_OK ? resolve(q, s.list) : rc;
}
