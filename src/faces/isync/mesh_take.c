/* What is made of what peers say. */
#include "faces/isync/mesh.h"

#include "base/hash.h"
#include "base/plant.h"
#include "faces/isync/mesh_impl.h"

/* ---- what is kept the same ---- */

typedef void field_fn(void *ctx, const struct isync_register *r);

/* Of a record. */
static void each_field(
    const struct isync_mesh *m, struct slice id, field_fn *fn, void *ctx)
{
    uint8_t from[ISYNC_KEY_MAX + 1];
    struct arena a = { 0 };
    struct slice head = isync_path_of(id, SLICE_NONE, &a), at = head;
    struct isync_register r;

    while (head.ptr != NULL && isync_state_seek(m->state, at, &r) &&
        slice_has_prefix(r.key, head)) {
        memcpy(from, r.key.ptr, r.key.len);
        from[r.key.len] = 0; /* the least key that is greater */
        at = SLICE(from, r.key.len + 1);
        fn(ctx, &r);
    }
    arena_free(&a);
}

static bool value_has_id(const struct json *value)
{
    struct json one = { .type = JSON_OBJECT, .n = 1 }, copy;

    if (value == NULL)
        return false;
    copy = *value;
    copy.next = NULL;
    one.first = &copy;
    return isync_record_has_id(&one);
}

static bool is_ruled(
    const struct isync_mesh *m, struct slice path, const struct json *record)
{
    const struct isync_rules rules = {
        .patterns = (const char *const *)m->patterns, .n = m->patterns_n
    };

    return isync_rules_take(&rules, path, record);
}

static bool is_marked(const struct isync_mesh *m, struct slice path)
{
    struct slice id, field;

    return isync_path_split(path, &id, &field) &&
        omap_get(&m->with_id, id) != NULL;
}

bool isync_mesh_mark(
    struct isync_mesh *m, struct slice path, const struct json *value)
{
    struct slice id, field;

    if (!value_has_id(value) || !isync_path_split(path, &id, &field) ||
        omap_get(&m->with_id, id) != NULL)
        return false;
    if (m->with_id.n >= ISYNC_REGISTERS_MAX)
        omap_clear(&m->with_id);
    /* Without memory it is found to be the first once more. */
    if (omap_put(&m->with_id, id, SLICE_NONE) != SYNCLINE_OK)
        omap_clear(&m->with_id);
    return true;
}

static bool is_of_record(struct slice path)
{
    struct slice id, field;

    return isync_path_split(path, &id, &field);
}

bool isync_mesh_takes(const struct isync_mesh *m, struct slice path,
    const struct json *value, const struct json *record)
{
    return is_ruled(m, path, record) || is_marked(m, path) ||
        (is_of_record(path) && value_has_id(value));
}

/* ---- what has changed ---- */

struct tell {
    struct isync_mesh *m;
    const struct isync_change *c;
    uint64_t now_us;
};

/* A field that was of no interest until its record got an `_id`. */
static void tell_field(void *ctx, const struct isync_register *r)
{
    const struct tell *t = ctx;
    struct isync_change c = { .key = r->key,
        .node = r->node,
        .stamp = r->stamp,
        .time_us = isync_stamp_us(&r->stamp) };
    struct arena a = { 0 };
    struct json *value = NULL;

    /* What its path alone makes of interest was told when it came. */
    if (slice_eq(r->key, t->c->key) || is_ruled(t->m, r->key, NULL))
        return;
    if (c.time_us > t->now_us) {
        c.time_us = t->now_us;
        c.is_far = true;
    }
    if (json_parse(&value, r->value, JSON_TOLERANT, &a, NULL) == SYNCLINE_OK) {
        c.value = value;
        t->m->port.changed(t->m->port.ctx, &c);
    }
    arena_free(&a);
}

/* From the first field with an `_id` on the whole record is of interest. */
static void on_changed(void *ctx, const struct isync_change *c)
{
    struct isync_mesh *m = ctx;
    struct tell t = { m, c, m->wall_us };
    struct slice id, field;
    bool is_first = c->value != NULL && isync_mesh_mark(m, c->key, c->value);

    if (is_first || is_marked(m, c->key) || is_ruled(m, c->key, NULL))
        m->port.changed(m->port.ctx, c);
    if (is_first && isync_path_split(c->key, &id, &field))
        each_field(m, id, tell_field, &t);
}

static struct isync_watcher watcher(struct isync_mesh *m, struct isync_time now)
{
    m->wall_us = now.wall_us;
    return (struct isync_watcher){ .ctx = m, .changed = on_changed };
}

static void count(struct isync_mesh *m, const struct isync_merged *d)
{
    m->counts.registers += d->registers;
    m->counts.deleted += d->deleted;
    m->counts.far += d->far;
    m->counts.refused += d->refused;
    m->counts.left_out += d->left_out;
}

/* ---- states ---- */

/* Counts, and tells everybody, what has come of a packet. */
static void settle(struct isync_mesh *m, struct slice source,
    const struct isync_merged *done, struct isync_time now)
{
    count(m, done);
    if (done->registers + done->deleted > 0) {
        isync_mesh_dirty(m);
        isync_mesh_spread(m, now);
    }
    if (done->far > 0)
        isync_mesh_log(m, LOG_LEVEL_WARN,
            "%zu values of %.*s are stamped far ahead of this clock", done->far,
            SLICE_FMT(source));
    if (done->left_out > 0)
        isync_mesh_log(m, LOG_LEVEL_WARN,
            "%zu values of %.*s are beyond a limit, and left out",
            done->left_out, SLICE_FMT(source));
}

/* link 0: what was held. */
static int merge(struct isync_mesh *m, uint64_t link, struct slice source,
    const struct json *v, struct isync_time now)
{
    const struct isync_watcher w = watcher(m, now);
    struct isync_merged done = { 0 };
    struct errmsg why = { "" };
    int rc = isync_state_merge(m->state, v, link, now.wall_us, &w, &done, &why);

    settle(m, source, &done, now);
    if (rc != SYNCLINE_OK) {
        isync_mesh_log(m, LOG_LEVEL_WARN, "what %.*s says is no state: %s",
            SLICE_FMT(source), why.text);
        return rc;
    }
    m->counts.merged++;
    m->port.applied(m->port.ctx, link, source);
    return SYNCLINE_OK;
}

/* ---- records ---- */

/* Of a field that a source says: under what it is remembered, and as what. */
struct mark {
    struct slice key;
    struct hash128 sum;
};

/* False: memory ran out. */
static bool mark_of(struct mark *out, struct slice source, struct slice path,
    const struct json *value, struct arena *a)
{
    static const uint8_t zeros[16] = { 0 };
    const size_t n = source.len + 1 + path.len;
    uint8_t *key = arena_alloc(a, n);
    struct buf text = { 0 };
    bool is_made;

    json_print(&text, value, JSON_COMPACT);
    is_made = key != NULL && buf_status(&text) == SYNCLINE_OK;
    if (is_made) {
        memcpy(key, source.ptr, source.len);
        key[source.len] = 0;
        memcpy(key + source.len + 1, path.ptr, path.len);
        *out =
            (struct mark){ SLICE(key, n), siphash128(zeros, buf_slice(&text)) };
    }
    buf_free(&text);
    return is_made;
}

static bool was_said(const struct isync_mesh *m, const struct mark *k)
{
    const struct omap_node *old = omap_get(&m->told, k->key);

    return old != NULL && slice_eq(old->value, SLICE(&k->sum, sizeof k->sum));
}

/* Forgetting means a write too many, and no more. */
static void remember(struct isync_mesh *m, const struct mark *k)
{
    if (m->told.n >= ISYNC_TOLD_MAX)
        omap_clear(&m->told);
    if (omap_put(&m->told, k->key, SLICE(&k->sum, sizeof k->sum)) !=
        SYNCLINE_OK)
        omap_clear(&m->told);
}

/* Does that value stand there? Then a new stamp would be for nothing. */
static bool stands(const struct isync_mesh *m, struct slice path,
    const struct json *value, struct arena *a)
{
    struct isync_register r;
    struct json *old = NULL;

    return isync_state_get(m->state, path, &r) == SYNCLINE_OK &&
        json_parse(&old, r.value, JSON_TOLERANT, a, NULL) == SYNCLINE_OK &&
        json_equal(old, value);
}

struct said {
    struct slice source;
    struct isync_stamp time;
    uint64_t link;
    struct isync_time now;
};

static void take_field(struct isync_mesh *m, const struct said *by,
    const struct json *record, const struct json *field,
    struct isync_merged *done)
{
    const struct isync_watcher w = watcher(m, by->now);
    struct arena a = { 0 };
    struct isync_change c = { .key = isync_path_of(record->key, field->key, &a),
        .node = by->source,
        .stamp = by->time,
        .value = field };
    struct mark mark;
    int rc = SYNCLINE_ENOMEM;

    if (c.key.ptr != NULL && mark_of(&mark, by->source, c.key, field, &a))
        rc = SYNCLINE_EEXIST;
    if (rc == SYNCLINE_EEXIST && is_ruled(m, c.key, record) &&
        !was_said(m, &mark)) {
        if (!stands(m, c.key, field, &a))
            rc = isync_state_take(m->state, &c, by->link, by->now.wall_us, &w);
        if (rc != SYNCLINE_ENOMEM)
            remember(m, &mark);
    }
    done->registers += rc == SYNCLINE_OK;
    done->far += rc == SYNCLINE_OK &&
        isync_stamp_us(&by->time) > by->now.wall_us + ISYNC_FAR_US;
    done->refused += rc == SYNCLINE_EMALFORMED;
    done->left_out += rc == SYNCLINE_ELIMIT || rc == SYNCLINE_ENOMEM;
    arena_free(&a);
}

/* Each record has its own id in it, which is no news. */
static bool is_own_id(const struct json *record, const struct json *field)
{
    return slice_is(field->key, "id") && field->type == JSON_STRING &&
        slice_eq(field->s, record->key);
}

static void take_records(
    struct isync_mesh *m, const struct said *by, const struct json *records)
{
    struct isync_merged done = { 0 };

    for (const struct json *r = records->first; r != NULL; r = r->next)
        if (r->type == JSON_OBJECT)
            for (const struct json *f = r->first; f != NULL; f = f->next)
                if (!is_own_id(r, f))
                    take_field(m, by, r, f, &done);
    settle(m, by->source, &done, by->now);
    m->counts.merged++;
    m->port.applied(m->port.ctx, by->link, by->source);
}

/* ---- packets ---- */

/* ENOTFOUND: it has nothing that we may read. */
static int take_clear(
    struct isync_link *l, const struct isync_packet *p, struct isync_time now)
{
    const struct said by = {
        .source = p->source, .time = p->time, .link = l->number, .now = now
    };

    if ((l->m->refuses_clear && !PLANTED(R12_ISYNC)) ||
        (p->state == NULL && p->records == NULL))
        return SYNCLINE_ENOTFOUND;
    if (p->state != NULL)
        return merge(l->m, l->number, p->source, p->state, now);
    take_records(l->m, &by, p->records);
    return SYNCLINE_OK;
}

static int take_sealed(
    struct isync_link *l, const struct isync_packet *p, struct isync_time now)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    int rc = isync_packet_open(&v, p, &l->m->keys, &a);

    if (rc == SYNCLINE_OK)
        rc = merge(l->m, l->number, p->source, v, now);
    arena_free(&a);
    return rc;
}

/* Who is told of it once for a link has another token, or one of another time;
 * without a token of ours all is so. */
static void note_read(
    struct isync_link *l, const struct isync_packet *p, bool is_read)
{
    if (!slice_is(p->source, l->node))
        return; /* it passes on what others have said */
    if (!is_read && !l->is_unread && l->m->keys.n > 0)
        isync_mesh_log(l->m, LOG_LEVEL_WARN,
            "what %s says cannot be read: it was sealed by another token; it "
            "is passed on as it is",
            l->node);
    l->is_unread = !is_read;
}

static void hold(struct isync_link *l, const struct json *v,
    const struct isync_packet *p, struct isync_time now)
{
    struct isync_mesh *m = l->m;
    struct buf text = { .max = ISYNC_PACKET_MAX };
    struct isync_packet_held held = {
        .source = p->source, .time = p->time, .part = p->part, .from = l->number
    };
    int rc = SYNCLINE_ELIMIT;

    if (json_depth(v) <= ISYNC_PACKET_DEPTH_MAX || PLANTED(R30_ISYNC)) {
        json_print(&text, v, JSON_COMPACT);
        rc = buf_status(&text);
    }
    held.text = buf_slice(&text);
    if (rc == SYNCLINE_OK)
        rc = isync_held_put(m->held, &held, now.wall_us, now.mono_us);
    buf_free(&text);
    m->counts.unread++;
    if (rc == SYNCLINE_OK)
        isync_mesh_dirty(m);
}

void isync_take_packet(
    struct isync_link *l, const struct json *v, struct isync_time now)
{
    struct isync_mesh *m = l->m;
    struct errmsg why = { "" };
    struct isync_packet p;
    int rc = isync_packet_read(&p, v, &why);

    m->counts.received++;
    if (rc != SYNCLINE_OK) {
        m->counts.dropped++;
        isync_link_violates(l, why.text);
        return;
    }
    if (slice_is(p.source, isync_state_node(m->state))) {
        m->counts.echoes++;
        return;
    }
    if (!p.has_time)
        p.time = isync_stamp_of(now.wall_us);
    rc = p.sealed.len > 0 ? take_sealed(l, &p, now) : SYNCLINE_ENOTFOUND;
    if (rc == SYNCLINE_OK || rc == SYNCLINE_EDENIED)
        note_read(l, &p, rc == SYNCLINE_OK);
    if (rc == SYNCLINE_OK && p.part.sweep == 0)
        isync_held_supersede(m->held,
            &(const struct isync_packet_held){
                .source = p.source, .time = p.time, .from = l->number });
    if (rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM)
        return;
    if (rc == SYNCLINE_EDENIED)
        hold(l, v, &p, now);
    else if (rc != SYNCLINE_ENOTFOUND)
        isync_link_violates(l, "encrypted_data is nothing that was encrypted");
    if (take_clear(l, &p, now) == SYNCLINE_EMALFORMED) {
        m->counts.dropped++;
        isync_link_violates(l, "a state that is none");
    }
}

/* What could not be read may be read by new keys. */
void isync_take_again(struct isync_mesh *m, struct isync_time now)
{
    for (size_t i = isync_held_n(m->held); i-- > 0;) {
        struct isync_packet_held held;
        struct isync_packet p;
        struct arena a = { 0 };
        struct json *v = NULL, *state = NULL;

        isync_held_at(m->held, i, &held);
        if (json_parse(&v, held.text, JSON_TOLERANT, &a, NULL) == SYNCLINE_OK &&
            isync_packet_read(&p, v, NULL) == SYNCLINE_OK &&
            isync_packet_open(&state, &p, &m->keys, &a) == SYNCLINE_OK &&
            merge(m, 0, p.source, state, now) == SYNCLINE_OK)
            isync_held_drop(m->held, i);
        arena_free(&a);
    }
    isync_mesh_dirty(m);
}
