#include "faces/isync/packet.h"

#include "base/omap.h"
#include "base/text.h"
#include "faces/isync/rules.h"

static struct isync_part read_part(const struct json *v)
{
    int64_t sweep = json_get_int(v, "sweep", 0), n = json_get_int(v, "n", 0);

    if (sweep <= 0 || n <= 0)
        return (struct isync_part){ 0 };
    return (struct isync_part){ .sweep = (uint64_t)sweep,
        .n = (uint64_t)n,
        .is_last = json_get_bool(v, "last", false) };
}

static struct json *part_of(const struct isync_part *part, struct arena *a)
{
    struct json *v = json_new(a, JSON_OBJECT);

    json_add(v, SLICE_LIT("sweep"), json_new_int(a, (int64_t)part->sweep));
    json_add(v, SLICE_LIT("n"), json_new_int(a, (int64_t)part->n));
    return json_add(v, SLICE_LIT("last"), json_new_bool(a, part->is_last)) !=
            NULL
        ? v
        : NULL;
}

int isync_packet_read(
    struct isync_packet *out, const struct json *v, struct errmsg *why)
{
    const struct json *data = json_get(v, "data");
    struct isync_packet p = { .source = json_get_str(v, "source_node"),
        .type = json_get_str(v, "source_type"),
        .sealed = json_get_str(v, "encrypted_data"),
        .part = read_part(json_get(v, "part")) };

    if (p.source.len == 0 || p.source.len > ISYNC_NODE_MAX ||
        !utf8_valid(p.source) || memchr(p.source.ptr, 0, p.source.len) != NULL)
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "source_node: no text, or too long");
    p.has_time =
        isync_stamp_read(&p.time, json_get(v, "timestamp")) == SYNCLINE_OK;
    if (json_get(data, "node_id") != NULL &&
        json_get(data, "lww_registers") != NULL)
        p.state = data;
    else
        p.records = json_get(data, "config");
    if (p.records != NULL && p.records->type != JSON_OBJECT)
        p.records = NULL;
    if (p.state == NULL && p.records == NULL && p.sealed.len == 0)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "nothing is in it");
    *out = p;
    return SYNCLINE_OK;
}

/* ---- making ---- */

static int seal(
    struct slice *out, const struct isync_packet_draft *d, struct arena *a)
{
    struct buf plain = { 0 }, sealed = { 0 };
    int rc;

    json_print(&plain, d->state, JSON_PLAIN_RAW);
    rc = buf_status(&plain);
    if (rc == SYNCLINE_OK)
        rc = isync_seal(
            &sealed, d->keys, d->wall_us / 1000000, d->iv, buf_slice(&plain));
    if (rc == SYNCLINE_OK) {
        *out = arena_dup(a, buf_slice(&sealed));
        rc = out->ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    buf_free(&plain);
    buf_free(&sealed);
    return rc;
}

/* The state's members, and the records beside them. */
static struct json *clear_data(
    const struct isync_packet_draft *d, struct arena *a)
{
    struct json *data = json_new(a, JSON_OBJECT);

    for (const struct json *m = d->state->first; m != NULL; m = m->next) {
        struct json *copy = json_new(a, m->type);

        if (copy == NULL)
            return NULL;
        *copy = *m;
        json_add(data, m->key, copy);
    }
    if (d->records != NULL) {
        struct json *copy = json_new(a, JSON_OBJECT);

        if (copy == NULL)
            return NULL;
        *copy = *d->records;
        json_add(data, SLICE_LIT("config"), copy);
    }
    return data;
}

int isync_packet_make(
    struct json **out, const struct isync_packet_draft *d, struct arena *a)
{
    const bool is_sealed =
        d->iv != NULL && d->keys != NULL && d->keys->can_seal && d->keys->n > 0;
    const struct isync_stamp now = isync_stamp_of(d->wall_us);
    struct json *p = json_new(a, JSON_OBJECT), *last;
    struct slice text = SLICE_NONE;
    int rc = SYNCLINE_OK;

    if (!is_sealed && !d->is_clear)
        return SYNCLINE_EUNSUPPORTED;
    if (is_sealed)
        rc = seal(&text, d, a);
    if (rc != SYNCLINE_OK)
        return rc;
    json_add(p, SLICE_LIT("_encrypted"), json_new_bool(a, true));
    json_add(p, SLICE_LIT("source_node"), json_new_str(a, slice_str(d->node)));
    json_add(
        p, SLICE_LIT("source_type"), json_new_str(a, SLICE_LIT(ISYNC_TYPE)));
    last = json_add(p, SLICE_LIT("timestamp"), isync_stamp_make(&now, a));
    if (is_sealed && last != NULL)
        last = json_add(p, SLICE_LIT("encrypted_data"), json_new_str(a, text));
    if (d->part.sweep > 0 && last != NULL)
        last = json_add(p, SLICE_LIT("part"), part_of(&d->part, a));
    if (d->is_clear && last != NULL)
        last = json_add(p, SLICE_LIT("data"), clear_data(d, a));
    if (last == NULL)
        return SYNCLINE_ENOMEM;
    *out = p;
    return SYNCLINE_OK;
}

/* ---- records ---- */

/* Where a record's registers begin: "config.RECORD.", in a. */
static struct slice head_of(struct slice record, struct arena *a)
{
    return isync_path_of(record, SLICE_NONE, a);
}

static int add_field(
    struct json *record, const struct isync_register *r, struct arena *a)
{
    struct slice id, field;
    struct json *value = NULL;
    int rc;

    /* A field of a field is none of the record's. */
    if (!isync_path_split(r->key, &id, &field) ||
        r->key.ptr + r->key.len != field.ptr + field.len ||
        slice_is(field, "id"))
        return SYNCLINE_OK;
    rc = json_parse(&value, r->value, JSON_TOLERANT, a, NULL);
    if (rc != SYNCLINE_OK)
        return rc;
    return json_add(record, field, value) != NULL ? SYNCLINE_OK
                                                  : SYNCLINE_ENOMEM;
}

static struct json *record_of(
    const struct isync_state *s, struct slice id, struct arena *a)
{
    struct json *record = json_new(a, JSON_OBJECT);
    struct slice head = head_of(id, a), from = head;
    struct isync_register r;

    if (head.ptr == NULL ||
        json_add(record, SLICE_LIT("id"), json_new_str(a, id)) == NULL)
        return NULL;
    while (isync_state_seek(s, from, &r) && slice_has_prefix(r.key, head)) {
        uint8_t *next = arena_alloc(a, r.key.len + 1);

        if (next == NULL || add_field(record, &r, a) != SYNCLINE_OK)
            return NULL;
        memcpy(next, r.key.ptr, r.key.len);
        next[r.key.len] = 0; /* the least key that is greater */
        from = SLICE(next, r.key.len + 1);
    }
    return record;
}

struct json *isync_records_of(
    const struct isync_state *s, const struct json *part, struct arena *a)
{
    const struct json *registers = json_get(part, "lww_registers");
    struct json *all = json_new(a, JSON_OBJECT);
    struct omap done = { 0 };
    bool is_whole = all != NULL;

    for (const struct json *m = registers != NULL ? registers->first : NULL;
         m != NULL && is_whole; m = m->next) {
        struct slice id, field;
        struct json *record;

        if (!isync_path_split(m->key, &id, &field) ||
            omap_get(&done, id) != NULL)
            continue;
        record = record_of(s, id, a);
        is_whole =
            record != NULL && omap_put(&done, id, SLICE_NONE) == SYNCLINE_OK;
        if (is_whole && record->n > 1 && isync_record_has_id(record))
            json_add(all, id, record);
    }
    omap_free(&done);
    return is_whole ? all : NULL;
}

/* ---- opening ---- */

int isync_packet_open(struct json **out, const struct isync_packet *p,
    const struct isync_keys *keys, struct arena *a)
{
    struct buf plain = { .max = ISYNC_PACKET_MAX };
    struct slice text;
    int rc = isync_open(&plain, keys, p->sealed);

    if (rc == SYNCLINE_OK) {
        text = arena_dup(a, buf_slice(&plain));
        rc = text.ptr != NULL ? json_parse(out, text, JSON_TOLERANT, a, NULL)
                              : SYNCLINE_ENOMEM;
    }
    buf_free(&plain);
    return rc;
}
