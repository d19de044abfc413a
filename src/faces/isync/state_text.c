/* A state, or a part of it, as JSON. */
#include "faces/isync/state.h"

#include "faces/isync/state_impl.h"

/* What stands around a register's texts in JSON, about. */
#define AROUND 80

/* ---- a part, as a tree ---- */

static struct json *clock_tree(const struct isync_state *s, struct arena *a)
{
    struct json *all = json_new(a, JSON_OBJECT);

    for (const struct omap_node *n = omap_first(&s->clock);
         n != NULL && all != NULL; n = omap_next(n)) {
        int64_t v;

        memcpy(&v, n->value.ptr, sizeof v);
        if (json_add(all, n->key, json_new_int(a, v)) == NULL)
            return NULL;
    }
    return all;
}

static struct json *register_tree(const struct isync_entry *e, struct arena *a)
{
    struct json *r = json_new(a, JSON_OBJECT), *value = NULL;

    if (json_parse(&value, e->value, JSON_TOLERANT, a, NULL) != SYNCLINE_OK)
        return NULL;
    json_add(r, SLICE_LIT("node_id"), json_new_str(a, e->node));
    json_add(r, SLICE_LIT("value"), value);
    return json_add(r, SLICE_LIT("timestamp"),
               isync_stamp_make(&e->stamp, a)) != NULL
        ? r
        : NULL;
}

static const struct isync_entry *first_after(
    const struct isync_state *s, uint64_t seq)
{
    const struct isync_entry *e = s->last;

    if (seq == 0)
        return s->first;
    if (e == NULL || e->seq <= seq)
        return NULL;
    while (e->before != NULL && e->before->seq > seq)
        e = e->before;
    return e;
}

/* False: memory ran out. */
static bool fill(const struct isync_state *s, struct isync_cut *cut,
    struct json *registers, struct json *elements, struct arena *a)
{
    const struct isync_entry *e = first_after(s, cut->after);
    size_t bytes = 0;

    cut->n = 0;
    for (; e != NULL; e = e->after) {
        size_t more = AROUND + e->key.len + e->node.len + e->value.len;
        struct json *added;

        if (cut->not_of != 0 && e->from == cut->not_of) {
            cut->after = e->seq;
            continue;
        }
        if (cut->bytes > 0 && cut->n > 0 && bytes + more > cut->bytes)
            break;
        added = e->is_deleted
            ? json_append(elements, json_new_str(a, e->key))
            : json_add(registers, e->key, register_tree(e, a));
        if (added == NULL)
            return false;
        bytes += more;
        cut->after = e->seq;
        cut->n++;
    }
    cut->is_last = e == NULL;
    return true;
}

struct json *isync_state_export(
    const struct isync_state *s, struct isync_cut *cut, struct arena *a)
{
    struct json *all = json_new(a, JSON_OBJECT);
    struct json *registers = json_new(a, JSON_OBJECT);
    struct json *deleted = json_new(a, JSON_OBJECT);
    struct json *elements = json_new(a, JSON_ARRAY);
    struct isync_cut made = *cut;

    if (registers == NULL || elements == NULL ||
        !fill(s, &made, registers, elements, a))
        return NULL;
    json_add(all, SLICE_LIT("node_id"), json_new_str(a, slice_str(s->node)));
    json_add(all, SLICE_LIT("vector_clock"),
        made.is_last ? clock_tree(s, a) : json_new(a, JSON_OBJECT));
    json_add(all, SLICE_LIT("lww_registers"), registers);
    json_add(deleted, SLICE_LIT("elements"), elements);
    if (json_add(all, SLICE_LIT("deleted_keys"), deleted) == NULL ||
        all->n != 4)
        return NULL;
    *cut = made;
    return all;
}

/* ---- all of it, as text ---- */

static void comma(struct buf *out, bool *is_first)
{
    if (!*is_first)
        buf_put_str(out, ", ");
    *is_first = false;
}

static void put_stamp(struct buf *out, const struct isync_stamp *s)
{
    if (s->is_int)
        buf_printf(out, "%lld", (long long)s->i);
    else
        json_print_double(out, s->d);
}

static void put_register(struct buf *out, const struct isync_entry *e)
{
    json_print_string(out, e->key, false);
    buf_put_str(out, ": {\"node_id\": ");
    json_print_string(out, e->node, false);
    buf_put_str(out, ", \"value\": ");
    buf_put_slice(out, e->value);
    buf_put_str(out, ", \"timestamp\": ");
    put_stamp(out, &e->stamp);
    buf_put_u8(out, '}');
}

static void put_clock(struct buf *out, const struct isync_state *s)
{
    bool is_first = true;

    for (const struct omap_node *n = omap_first(&s->clock); n != NULL;
         n = omap_next(n)) {
        int64_t v;

        memcpy(&v, n->value.ptr, sizeof v);
        comma(out, &is_first);
        json_print_string(out, n->key, false);
        buf_printf(out, ": %lld", (long long)v);
    }
}

int isync_state_save(const struct isync_state *s, struct buf *out)
{
    bool is_first = true;

    buf_put_str(out, "{\"node_id\": ");
    json_print_string(out, slice_str(s->node), false);
    buf_put_str(out, ", \"vector_clock\": {");
    put_clock(out, s);
    buf_put_str(out, "}, \"lww_registers\": {");
    for (const struct isync_entry *e = s->first; e != NULL; e = e->after)
        if (!e->is_deleted) {
            comma(out, &is_first);
            put_register(out, e);
        }
    buf_put_str(out, "}, \"deleted_keys\": {\"elements\": [");
    is_first = true;
    for (const struct isync_entry *e = s->first; e != NULL; e = e->after)
        if (e->is_deleted) {
            comma(out, &is_first);
            json_print_string(out, e->key, false);
        }
    buf_put_str(out, "]}}");
    return buf_status(out);
}
