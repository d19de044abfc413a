/* What of a mesh outlives the program, written and read. */
#include "faces/isync/mesh.h"

#include "base/text.h"
#include "faces/isync/mesh_impl.h"

#define FORMAT 1

/* {"format": 1, "state": SyncState, "packets": [packet, ...],
 *  "said": {source: {path: hash, ...}, ...}} */

static void put_packets(struct buf *out, const struct isync_mesh *m)
{
    for (size_t i = 0; i < isync_held_n(m->held); i++) {
        struct isync_packet_held p;

        isync_held_at(m->held, i, &p);
        if (i > 0)
            buf_put_str(out, ",\n");
        buf_put_slice(out, p.text);
    }
}

/* The key of what was said is source, 0, path: sources stand together. */
static struct slice source_of(const struct omap_node *n)
{
    return SLICE(n->key.ptr, strnlen((const char *)n->key.ptr, n->key.len));
}

static void put_said(struct buf *out, const struct isync_mesh *m)
{
    struct slice last = SLICE_NONE;

    for (const struct omap_node *n = omap_first(&m->told); n != NULL;
         n = omap_next(n)) {
        struct slice source = source_of(n);

        if (last.ptr == NULL || !slice_eq(source, last)) {
            buf_put_str(out, last.ptr == NULL ? "" : "},\n");
            json_print_string(out, source, false);
            buf_put_str(out, ": {");
        } else {
            buf_put_u8(out, ',');
        }
        last = source;
        json_print_string(out, slice_from(n->key, source.len + 1), false);
        buf_put_str(out, ": \"");
        put_hex(out, n->value);
        buf_put_u8(out, '"');
    }
    if (last.ptr != NULL)
        buf_put_u8(out, '}');
}

int isync_mesh_save(const struct isync_mesh *m, struct buf *out)
{
    int rc;

    buf_printf(out, "{\"format\": %d,\n\"state\": ", FORMAT);
    rc = isync_state_save(m->state, out);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_str(out, ",\n\"packets\": [");
    put_packets(out, m);
    buf_put_str(out, "],\n\"said\": {");
    put_said(out, m);
    buf_put_str(out, "}}\n");
    return buf_status(out);
}

/* ---- back ---- */

static int load_packet(struct isync_mesh *m, const struct json *v)
{
    struct buf text = { .max = ISYNC_PACKET_MAX };
    struct isync_packet p;
    int rc = isync_packet_read(&p, v, NULL);

    if (rc == SYNCLINE_OK && !p.has_time)
        p.time = isync_stamp_of(0);
    json_print(&text, v, JSON_COMPACT);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&text);
    if (rc == SYNCLINE_OK) {
        const struct isync_packet_held held = { .source = p.source,
            .time = p.time,
            .part = p.part,
            .text = buf_slice(&text) };

        rc = isync_held_put(m->held, &held, UINT64_MAX / 2, 0);
    }
    buf_free(&text);
    return rc == SYNCLINE_EEXIST ? SYNCLINE_OK : rc;
}

static int load_said_one(
    struct isync_mesh *m, struct slice source, const struct json *v)
{
    uint8_t sum[16], key[ISYNC_NODE_MAX + 1 + ISYNC_KEY_MAX];

    if (source.len > ISYNC_NODE_MAX || v->key.len > ISYNC_KEY_MAX ||
        v->type != JSON_STRING ||
        hex_decode(sum, sizeof sum, v->s) != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    memcpy(key, source.ptr, source.len);
    key[source.len] = 0;
    memcpy(key + source.len + 1, v->key.ptr, v->key.len);
    return omap_put(&m->told, SLICE(key, source.len + 1 + v->key.len),
        SLICE(sum, sizeof sum));
}

static int load_said(struct isync_mesh *m, const struct json *said)
{
    int rc = SYNCLINE_OK;

    if (said == NULL || said->type != JSON_OBJECT)
        return SYNCLINE_OK;
    for (const struct json *s = said->first; s != NULL; s = s->next)
        for (const struct json *v =
                 s->type == JSON_OBJECT && s->key.len > 0 ? s->first : NULL;
             v != NULL && rc == SYNCLINE_OK; v = v->next)
            if (v->key.len > 0)
                rc = load_said_one(m, s->key, v);
    return rc;
}

static void mark_all(struct isync_mesh *m, const struct json *registers)
{
    for (const struct json *r = registers->first; r != NULL; r = r->next)
        (void)isync_mesh_mark(m, r->key, json_get(r, "value"));
}

int isync_mesh_load_tree(
    struct isync_mesh *m, const struct json *v, struct errmsg *why)
{
    const struct json *packets = json_get(v, "packets");
    int rc;

    if (json_get_int(v, "format", 0) > FORMAT)
        return errmsg_set(
            why, SYNCLINE_EVERSION, "it was written by a newer version");
    rc = isync_state_load(m->state, json_get(v, "state"), why);
    if (rc != SYNCLINE_OK)
        return rc;
    mark_all(m, json_get(json_get(v, "state"), "lww_registers"));
    for (const struct json *p = packets != NULL && packets->type == JSON_ARRAY
             ? packets->first
             : NULL;
         p != NULL && rc == SYNCLINE_OK; p = p->next)
        rc = load_packet(m, p);
    if (rc == SYNCLINE_OK)
        rc = load_said(m, json_get(v, "said"));
    m->counts.held = isync_held_n(m->held);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM
        ? rc
        : errmsg_set(why, SYNCLINE_ECORRUPT, "what was kept cannot be read");
}

int isync_mesh_load(struct isync_mesh *m, struct slice text, struct errmsg *why)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    int rc = json_parse(&v, text, JSON_TOLERANT, &a, why);

    if (rc == SYNCLINE_OK)
        rc = isync_mesh_load_tree(m, v, why);
    else if (rc != SYNCLINE_ENOMEM)
        rc = SYNCLINE_ECORRUPT;
    arena_free(&a);
    return rc;
}

int isync_mesh_recall(struct isync_mesh *m, const struct json *state)
{
    struct json copy, deleted = { .type = JSON_OBJECT, .n = 1 };
    struct json none = { .type = JSON_ARRAY, .key = SLICE_LIT("elements") };
    struct isync_merged done;
    struct json parts[4];
    size_t n = 0;
    int rc;

    if (state == NULL || state->type != JSON_OBJECT || state->n != 4)
        return SYNCLINE_EMALFORMED;
    deleted.first = &none;
    deleted.key = SLICE_LIT("deleted_keys");
    for (const struct json *p = state->first; p != NULL; p = p->next) {
        parts[n] = slice_is(p->key, "deleted_keys") ? deleted : *p;
        parts[n].next = NULL;
        if (n > 0)
            parts[n - 1].next = &parts[n];
        n++;
    }
    copy = *state;
    copy.first = parts;
    rc = isync_state_merge(m->state, &copy, 0, UINT64_MAX, NULL, &done, NULL);
    if (rc == SYNCLINE_OK)
        mark_all(m, json_get(state, "lww_registers"));
    return rc;
}
