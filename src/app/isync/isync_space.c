/* The space that is shared with iSync nodes: what is written in it, and what of
 * that is theirs.
 *
 *   register changed --> PENDING --> FLYING --> APPLIED
 *                                       `--> REFUSED   (the space takes it not)
 *   key deleted -------> REMOVE ---> (gone)    made anew: NATIVE
 *
 * What the space says of a path that is APPLIED has seen the register; of one
 * that is PENDING the later of the two stands. */
#include "app/isync/isync_face_impl.h"

#include <stdlib.h>

#define AGAIN_US UINT64_C(1000000)    /* for a space that is not there yet */
#define KEEPING_US UINT64_C(5000000)  /* waited for, at most */
#define REFUSED_US UINT64_C(60000000) /* what is refused is tried again */
#define REFUSED_MAX_US UINT64_C(3600000000) /* the more seldom, the oftener */
#define BYTES_AT_ONCE ((size_t)1 << 20)

/* ---- paths ---- */

bool isync_path_parts(
    struct slice path, struct slice *record, struct slice *field)
{
    const struct slice table = SLICE_LIT("config.");
    const struct slice rest = slice_from(path, table.len);
    const uint8_t *dot = rest.len > 0 ? memchr(rest.ptr, '.', rest.len) : NULL;

    if (!slice_has_prefix(path, table) || dot == NULL || dot == rest.ptr)
        return false;
    *record = SLICE(rest.ptr, (size_t)(dot - rest.ptr));
    *field = slice_from(rest, record->len + 1);
    return field->len > 0;
}

static struct slice path_of(
    struct buf *b, struct slice record, struct slice field)
{
    buf_clear(b);
    buf_put_str(b, "config.");
    buf_put_slice(b, record);
    buf_put_u8(b, '.');
    buf_put_slice(b, field);
    return buf_slice(b);
}

static bool is_of(struct slice path, struct slice record)
{
    struct slice name, field;

    return isync_path_parts(path, &name, &field) && slice_eq(name, record);
}

/* NULL: memory ran out. */
static struct omap_node *node_of(struct isync_face *f, struct slice path)
{
    struct omap_node *n = omap_get(&f->fields, path);

    if (n != NULL)
        return n;
    if (omap_put(&f->fields, path, SLICE_NONE) != SYNCLINE_OK)
        return NULL;
    n = omap_get(&f->fields, path);
    n->tag = 0;
    return n;
}

struct omap_node *isync_field_next(struct omap_node *n, struct slice record)
{
    n = omap_next(n);
    return n != NULL && is_of(n->key, record) ? n : NULL;
}

/* They stand side by side. */
struct omap_node *isync_field_first(struct isync_face *f, struct slice record)
{
    struct buf b = { 0 };
    struct omap_node *n = NULL;

    (void)path_of(&b, record, SLICE_LIT(""));
    if (buf_status(&b) == SYNCLINE_OK)
        n = omap_seek(&f->fields, buf_slice(&b));
    buf_free(&b);
    return n != NULL && is_of(n->key, record) ? n : NULL;
}

void isync_space_want(struct isync_face *f, struct slice path)
{
    struct slice name, field;

    if (isync_path_parts(path, &name, &field) &&
        isync_queue_find(f, name) != NULL)
        isync_face_arm(f);
}

void isync_space_changed(struct isync_face *f, const struct isync_change *c)
{
    struct slice name, field;
    struct omap_node *n;

    f->counts.applied++;
    if (!isync_path_parts(c->key, &name, &field))
        return;
    n = node_of(f, c->key);
    if (n == NULL)
        return; /* it is in the kept state, and comes with the next start */
    if (c->value == NULL) {
        if ((n->tag & ISYNC_NATIVE) == 0)
            isync_field_set(
                n, ISYNC_REMOVE, ISYNC_APPLIED | ISYNC_PENDING | ISYNC_REFUSED);
    } else if (!c->is_same || (n->tag & ISYNC_APPLIED) == 0) {
        isync_field_set(
            n, ISYNC_PENDING, ISYNC_APPLIED | ISYNC_REMOVE | ISYNC_REFUSED);
    }
    if ((n->tag & (ISYNC_PENDING | ISYNC_REMOVE)) != 0)
        isync_space_want(f, c->key);
}

/* ---- what is written here is theirs ---- */

/* It cannot be on both sides. */
static void refuse(struct isync_face *f, struct omap_node *n, struct slice why)
{
    isync_field_set(
        n, ISYNC_REFUSED, ISYNC_PENDING | ISYNC_FLYING | ISYNC_REMOVE);
    f->counts.refused++;
    if (f->refused_pause_us < REFUSED_US)
        f->refused_pause_us = REFUSED_US;
    f->refused_again_us = clock_mono_us() + f->refused_pause_us;
    (void)snprintf(f->refused_why, sizeof f->refused_why, "%.*s: %.*s",
        SLICE_FMT(utf8_cut(n->key, 100)), SLICE_FMT(utf8_cut(why, 190)));
    log_line(&f->log, LOG_LEVEL_DEBUG, "isync", "%s", f->refused_why);
}

static void native_put(struct isync_face *f, struct omap_node *n,
    const struct json *value, const struct json *record, uint64_t time_us,
    bool has_seen)
{
    int rc = isync_mesh_put(
        f->mesh, n->key, value, record, time_us, has_seen, isync_now());

    if (rc == SYNCLINE_OK) {
        f->counts.told++;
        isync_kept_dirty(f);
    }
    if (rc == SYNCLINE_OK || rc == SYNCLINE_EEXIST)
        isync_field_set(
            n, ISYNC_APPLIED, ISYNC_PENDING | ISYNC_REFUSED | ISYNC_REMOVE);
    else if (rc == SYNCLINE_EDENIED)
        isync_field_set(n, ISYNC_NATIVE, ISYNC_APPLIED | ISYNC_PENDING);
    else if (rc != SYNCLINE_EUNSUPPORTED)
        refuse(f, n,
            SLICE_LIT("it is too large for iSync nodes, or too deep, or no "
                      "stamp comes after the one that stands there"));
}

static void native_del(struct isync_face *f, struct omap_node *n)
{
    int rc = isync_mesh_del(f->mesh, n->key, isync_now());

    isync_field_set(
        n, 0, ISYNC_APPLIED | ISYNC_NATIVE | ISYNC_PENDING | ISYNC_REFUSED);
    if (rc == SYNCLINE_OK)
        f->counts.told++;
    isync_kept_dirty(f);
}

/* When a field was written. Those who wrote by a clock that is far ahead wrote
 * it now. */
static uint64_t time_of(const struct json *event, struct slice field)
{
    const struct json *t = json_get_slice(json_get(event, "times"), field);
    const uint64_t now_us = clock_wall_us();

    return t != NULL && t->type == JSON_INT && t->i > 0 &&
            (uint64_t)t->i <= now_us + ISYNC_FAR_US
        ? (uint64_t)t->i
        : now_us;
}

/* A field that the space has. */
static void take_field(struct isync_face *f, struct slice path,
    const struct json *value, const struct json *record, uint64_t time_us)
{
    const struct isync_state *s = isync_mesh_state(f->mesh);
    struct omap_node *n = node_of(f, path);
    struct isync_register reg;
    struct arena a = { 0 };
    struct json *theirs = NULL;
    bool is_known;

    if (n == NULL)
        return;
    if (isync_state_is_deleted(s, path)) {
        if (isync_mesh_put(f->mesh, path, value, record, time_us, false,
                isync_now()) == SYNCLINE_EDENIED) /* it is shared */
            isync_removals_look(f, n, time_us);
        return;
    }
    if (!isync_mesh_takes(f->mesh, path, value, record))
        return; /* it is nobody else's */
    is_known = isync_state_get(s, path, &reg) == SYNCLINE_OK;
    if (is_known &&
        json_parse(&theirs, reg.value, JSON_TOLERANT, &a, NULL) != SYNCLINE_OK)
        theirs = NULL;
    if (!is_known || (n->tag & ISYNC_APPLIED) != 0) {
        if (theirs == NULL || !json_equal(theirs, value))
            native_put(f, n, value, record, time_us, is_known);
    } else if (theirs != NULL && json_equal(theirs, value)) {
        isync_field_set(n, ISYNC_APPLIED, ISYNC_PENDING | ISYNC_REFUSED);
        isync_kept_dirty(f);
    } else if (time_us >= isync_stamp_us(&reg.stamp)) {
        native_put(f, n, value, record, time_us, true);
    } else if ((n->tag & (ISYNC_FLYING | ISYNC_REFUSED)) == 0) {
        isync_field_set(n, ISYNC_PENDING, 0);
        isync_space_want(f, path);
    }
    arena_free(&a);
}

static bool is_ours_alone(const struct isync_face *f, struct slice path)
{
    struct isync_register reg;

    return isync_state_get(isync_mesh_state(f->mesh), path, &reg) !=
        SYNCLINE_OK;
}

/* What the space had, and has no longer. */
static void miss_fields(
    struct isync_face *f, struct slice record, const struct json *doc)
{
    struct slice name, field;

    for (struct omap_node *n = isync_field_first(f, record); n != NULL;
         n = isync_field_next(n, record))
        if ((n->tag & (ISYNC_APPLIED | ISYNC_NATIVE)) != 0 &&
            isync_path_parts(n->key, &name, &field) &&
            json_get_slice(doc, field) == NULL)
            native_del(f, n);
        else if ((n->tag & ISYNC_REFUSED) != 0 && is_ours_alone(f, n->key))
            isync_field_set(n, 0, ISYNC_REFUSED);
}

static void take_event(struct isync_face *f, const struct json *v)
{
    const struct slice record = json_get_str(v, "key");
    const struct json *doc = json_get(v, "value");
    struct buf b = { 0 };

    if (record.len == 0 || memchr(record.ptr, '.', record.len) != NULL)
        return; /* no record has such a name */
    if (doc != NULL && doc->type == JSON_OBJECT)
        for (const struct json *m = doc->first; m != NULL; m = m->next)
            if (m->key.len > 0 && m->key.len < ISYNC_KEY_MAX) {
                (void)path_of(&b, record, m->key);
                if (buf_status(&b) == SYNCLINE_OK)
                    take_field(f, buf_slice(&b), m, doc, time_of(v, m->key));
            }
    miss_fields(f, record, doc);
    /* It is another item now: what it did not take it may take. */
    for (struct omap_node *n = isync_field_first(f, record);
         n != NULL && f->is_live; n = isync_field_next(n, record))
        if ((n->tag & ISYNC_REFUSED) != 0 && !is_ours_alone(f, n->key)) {
            isync_field_set(n, ISYNC_PENDING, ISYNC_REFUSED);
            isync_space_want(f, n->key);
        }
    buf_free(&b);
}

/* ---- watching ---- */

static bool ask(struct isync_face *f, struct slice text, engine_reply_fn *fn,
    void *ctx, uint64_t *request)
{
    struct arena a = { 0 };
    struct json *args = NULL;
    uint64_t number = 0;

    if (json_parse(&args, text, JSON_WRAPPED, &a, NULL) == SYNCLINE_OK)
        number = engine_request(f->engine, args, NULL, fn, ctx);
    arena_free(&a);
    if (request != NULL)
        *request = number;
    return number != 0;
}

/* Where the space was left is not known any more: what is not there now may
 * never have been, and is written again. */
static void start_anew(struct isync_face *f)
{
    for (struct omap_node *n = omap_first(&f->fields); n != NULL;
         n = omap_next(n))
        isync_field_set(n, 0, ISYNC_APPLIED | ISYNC_NATIVE);
    f->is_live = false;
}

static void write_lacking(struct isync_face *f)
{
    const struct isync_state *s = isync_mesh_state(f->mesh);
    struct isync_register reg;
    struct slice key = SLICE_LIT(""), name, field;
    struct buf at = { 0 };

    while (isync_state_seek(s, key, &reg)) {
        struct omap_node *n = isync_path_parts(reg.key, &name, &field)
            ? node_of(f, reg.key)
            : NULL;

        if (n != NULL && isync_mesh_takes(f->mesh, reg.key, NULL, NULL) &&
            (n->tag & (ISYNC_APPLIED | ISYNC_FLYING)) == 0) {
            isync_field_set(n, ISYNC_PENDING, ISYNC_REFUSED);
            isync_space_want(f, n->key);
        }
        buf_clear(&at);
        buf_put_slice(&at, reg.key);
        buf_put_u8(&at, 0);
        key = buf_slice(&at);
        if (buf_status(&at) != SYNCLINE_OK)
            break;
    }
    buf_free(&at);
}

static void go_live(struct isync_face *f)
{
    if (f->is_live)
        return;
    f->is_live = true;
    isync_removals_go_on(f);
    write_lacking(f);
    isync_peers_begin(f);
}

static void watch_ended(struct isync_face *f, const struct json *v)
{
    const struct slice code = json_get_str(v, "code");

    f->watch = 0;
    f->watch_again_us = clock_mono_us() + AGAIN_US;
    if (slice_is(code, "EINVAL"))
        f->cursor[0] = 0; /* no watch of ours has given such a cursor */
    else if (!f->is_stopping && !slice_is(code, "ECLOSED"))
        log_line(&f->log, LOG_LEVEL_WARN, "isync",
            "the space %s cannot be watched: %.*s", f->space,
            SLICE_FMT(json_get_str(v, "error")));
}

static void on_watch(void *ctx, struct slice answer, bool more)
{
    struct isync_face *f = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;
    struct slice cursor;

    if (json_parse(&v, answer, JSON_WRAPPED, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    if (!more) {
        watch_ended(f, v);
    } else if (v != NULL) {
        if (json_get_bool(v, "resync", false))
            start_anew(f);
        else if (json_get(v, "key") != NULL)
            take_event(f, v);
        cursor = json_get_str(v, "cursor");
        if (cursor.len > 0 && cursor.len < sizeof f->cursor) {
            memcpy(f->cursor, cursor.ptr, cursor.len);
            f->cursor[cursor.len] = 0;
        }
        if (json_get_bool(v, "live", false))
            go_live(f);
    }
    arena_free(&a);
    isync_face_arm(f);
}

static void put_watch(
    const struct isync_face *f, struct buf *b, const char *from)
{
    buf_put_str(b, "{\"op\":\"watch\",\"times\":true,\"space\":");
    json_print_string(b, slice_str(f->space), false);
    buf_put_str(b, ",\"from\":");
    json_print_string(b, slice_str(from), false);
    buf_put_u8(b, '}');
}

static void begin_watch(struct isync_face *f)
{
    struct buf b = { 0 };

    f->watch_again_us = 0;
    put_watch(f, &b, f->cursor[0] != 0 ? f->cursor : "start");
    if (f->cursor[0] == 0)
        start_anew(f);
    if (buf_status(&b) != SYNCLINE_OK ||
        !ask(f, buf_slice(&b), on_watch, f, &f->watch))
        f->watch_again_us = clock_mono_us() + AGAIN_US;
    buf_free(&b);
}

static void end_look(struct isync_face *f)
{
    if (f->look != 0)
        engine_cancel(f->engine, f->look);
    f->look = 0;
}

static void on_look(void *ctx, struct slice answer, bool more)
{
    struct isync_face *f = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;

    if (json_parse(&v, answer, JSON_WRAPPED, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    if (!more) {
        f->look = 0;
        f->look_again_us = clock_mono_us() + AGAIN_US;
    } else if (json_get(v, "key") != NULL) {
        take_event(f, v);
    }
    if (json_get_bool(v, "live", false)) {
        end_look(f);
        if (f->is_live)
            write_lacking(f);
    }
    arena_free(&a);
    isync_face_arm(f);
}

/* What is shared now may be in the space already, or a register: it was passed
 * over, and all is looked at once more beside the watch. */
void isync_space_look(struct isync_face *f)
{
    struct buf b = { 0 };

    end_look(f);
    f->look_again_us = 0;
    put_watch(f, &b, "start");
    if (buf_status(&b) != SYNCLINE_OK ||
        !ask(f, buf_slice(&b), on_look, f, &f->look))
        f->look_again_us = clock_mono_us() + AGAIN_US;
    buf_free(&b);
}

static void on_space_made(void *ctx, struct slice answer, bool more)
{
    (void)ctx;
    (void)answer; /* it is there already, or others have to make it */
    (void)more;
}

void isync_space_begin(struct isync_face *f)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"op\":\"space_add\",\"name\":");
    json_print_string(&b, slice_str(f->space), false);
    buf_put_u8(&b, '}');
    if (buf_status(&b) == SYNCLINE_OK)
        (void)ask(f, buf_slice(&b), on_space_made, f, NULL);
    buf_free(&b);
    begin_watch(f);
}

/* ---- writing ---- */

/* It is later what stands there. */
static void take_older(
    struct isync_face *f, struct omap_node *n, const struct json *now)
{
    const struct json *value = json_get(now, "value");
    struct arena a = { 0 };
    struct json *record = json_new(&a, JSON_OBJECT);
    struct isync_register reg;

    (void)json_add(record, SLICE_LIT("id"), json_new_str(&a, SLICE_LIT("_id")));
    if ((n->tag & ISYNC_PENDING) != 0) {
        /* it has changed once more meanwhile, and is tried again */
    } else if (value == NULL) {
        native_del(f, n);
    } else if (isync_state_get(isync_mesh_state(f->mesh), n->key, &reg) ==
        SYNCLINE_OK) {
        native_put(f, n, value, record, isync_stamp_us(&reg.stamp), true);
    }
    arena_free(&a);
}

static void fields_done(struct isync_record *r, const struct json *v)
{
    struct isync_face *f = r->face;
    const struct slice code = json_get_str(v, "code");
    const struct json *older = json_get(v, "older");
    const bool ok = json_get_bool(v, "ok", false);
    const bool refused = slice_is(code, "EINVAL") || slice_is(code, "ELIMIT");
    struct slice name, field;
    size_t n_flying = 0;
    struct omap_node *last = NULL;

    for (struct omap_node *n = isync_field_first(f, isync_record_name(r));
         n != NULL; n = isync_field_next(n, isync_record_name(r))) {
        const struct json *now;

        if ((n->tag & ISYNC_FLYING) == 0)
            continue;
        n_flying++;
        last = n;
        isync_field_set(n, 0, ISYNC_FLYING);
        (void)isync_path_parts(n->key, &name, &field);
        now = json_get_slice(older, field);
        if (!ok)
            isync_field_set(n, ISYNC_PENDING, 0);
        else if (now != NULL)
            take_older(f, n, now);
        else if ((n->tag & (ISYNC_PENDING | ISYNC_REMOVE)) == 0)
            isync_field_set(n, ISYNC_APPLIED, 0), f->counts.written++;
    }
    if (ok)
        isync_kept_dirty(f);
    else if (refused && n_flying == 1)
        refuse(f, last, json_get_str(v, "error"));
    else if (refused)
        r->is_single = true;
    else
        r->again_us = clock_mono_us() + AGAIN_US;
}

static void on_written(void *ctx, struct slice answer, bool more)
{
    struct isync_record *r = ctx;
    struct isync_face *f = r->face;
    struct arena a = { 0 };
    struct json *v = NULL;

    (void)more;
    if (json_parse(&v, answer, JSON_WRAPPED, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    if (!r->is_removing)
        fields_done(r, v);
    else if (!isync_removals_done(f, isync_record_name(r), v))
        r->again_us = clock_mono_us() + AGAIN_US;
    arena_free(&a);
    isync_queue_landed(r);
    isync_face_arm(f);
}

static bool put_field(struct isync_face *f, struct buf *b, struct omap_node *n,
    struct slice field, bool any)
{
    struct isync_register reg;
    struct arena a = { 0 };
    struct json *v = NULL;
    struct errmsg why = { "" };
    uint64_t us;

    if (isync_state_get(isync_mesh_state(f->mesh), n->key, &reg) !=
        SYNCLINE_OK) {
        isync_field_set(n, 0, ISYNC_PENDING);
        return false;
    }
    if (json_parse(&v, reg.value, JSON_STRICT, &a, &why) != SYNCLINE_OK) {
        refuse(f, n, slice_str(why.text));
        arena_free(&a);
        return false;
    }
    us = isync_stamp_us(&reg.stamp);
    buf_put_str(b, any ? ",{\"name\":" : "{\"name\":");
    json_print_string(b, field, false);
    buf_put_str(b, ",\"value\":");
    json_print(b, v, JSON_CANONICAL);
    buf_put_str(b, ",\"node\":");
    json_print_string(b, reg.node, false);
    if (us <= clock_wall_us() + ISYNC_FAR_US) /* else: as of now */
        buf_printf(b, ",\"time\":%llu", (unsigned long long)us);
    buf_put_u8(b, '}');
    arena_free(&a);
    return true;
}

/* The fields of a record that are to be written, as a request; how many. */
static size_t put_fields(struct isync_record *r, struct buf *b)
{
    struct isync_face *f = r->face;
    const size_t most = r->is_single ? 1 : ISYNC_FIELDS_AT_ONCE;
    struct slice name, field;
    size_t count = 0;

    buf_put_str(b,
        "{\"op\":\"put_fields\",\"face\":\"" ISYNC_FACE_NAME "\",\"space\":");
    json_print_string(b, slice_str(f->space), false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, isync_record_name(r), false);
    buf_put_str(b, ",\"fields\":[");
    for (struct omap_node *n = isync_field_first(f, isync_record_name(r));
         n != NULL && count < most && b->len < BYTES_AT_ONCE;
         n = isync_field_next(n, isync_record_name(r)))
        if ((n->tag & (ISYNC_PENDING | ISYNC_FLYING)) == ISYNC_PENDING &&
            isync_path_parts(n->key, &name, &field) &&
            put_field(f, b, n, field, count > 0)) {
            isync_field_set(n, ISYNC_FLYING, ISYNC_PENDING);
            count++;
        }
    buf_put_str(b, "]}");
    return count;
}

/* False: there is nothing to write. */
static bool write_record(struct isync_record *r)
{
    struct isync_face *f = r->face;
    struct buf b = { 0 };
    size_t count = isync_removals_put(f, isync_record_name(r), &b);
    bool asked = true;

    r->is_removing = count > 0;
    if (count == 0) {
        buf_clear(&b);
        count = put_fields(r, &b);
    }
    if (count > 0) {
        isync_queue_flies(r, b.len);
        asked = buf_status(&b) == SYNCLINE_OK &&
            ask(f, buf_slice(&b), on_written, r, NULL);
    }
    if (!asked)
        on_written(r, SLICE_LIT("{\"ok\":false,\"code\":\"ENOMEM\"}"), false);
    buf_free(&b);
    return count > 0;
}

uint64_t isync_space_tick(struct isync_face *f, uint64_t now_us)
{
    struct isync_record *r;
    uint64_t next = 0;

    if (f->watch == 0 && f->watch_again_us <= now_us)
        begin_watch(f);
    next = isync_least(next, f->watch_again_us);
    if (f->look_again_us != 0 && f->look_again_us <= now_us)
        isync_space_look(f);
    next = isync_least(next, f->look_again_us);
    if (f->is_live && f->refused_again_us != 0 &&
        f->refused_again_us <= now_us) {
        f->refused_again_us = 0;
        f->refused_pause_us = isync_space_count(f, ISYNC_REFUSED) == 0
            ? REFUSED_US
            : isync_least(2 * f->refused_pause_us, REFUSED_MAX_US);
        write_lacking(f);
    }
    next = isync_least(next, f->refused_again_us);
    /* Else it would be told anew, as ours, after a crash. */
    if (f->queue.first != NULL)
        isync_heard_note(f);
    while (f->is_live && (r = isync_queue_take(f, now_us)) != NULL)
        if (!write_record(r))
            isync_queue_drop(r);
    return isync_least(next, isync_queue_deadline(f));
}

/* The engine is closed, and calls nobody any more. */
void isync_space_close(struct isync_face *f)
{
    isync_queue_free(f);
    omap_free(&f->fields);
}
