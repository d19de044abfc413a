#include "sim/model.h"

#include "sim/world.h"

const struct led_cell *model_cell(
    const struct ledger *l, const struct view *v, uint32_t slot)
{
    const struct fold_slot *f;

    if (slot >= v->slots_n)
        return NULL;
    f = &v->slots[slot];
    if (f->change == LEDGER_NONE ||
        f->life != v->items[l->slots[slot].item].life)
        return NULL;
    return &l->changes[f->change].cells[f->cell];
}

bool model_is_above(struct slice p, struct slice q)
{
    return q.len > p.len && slice_has_prefix(q, p) && q.ptr[p.len] == '/';
}

static bool is_empty_object(const struct led_cell *c)
{
    return slice_is(c->value, "{}");
}

/* The cell of another path, if it has a value. */
static const struct led_cell *valued(
    const struct ledger *l, const struct view *v, uint32_t slot)
{
    const struct led_cell *c = model_cell(l, v, slot);

    return c != NULL && c->value.ptr != NULL ? c : NULL;
}

/* Standing: no ancestor holds a scalar or an array with a larger stamp. */
static bool stands(const struct ledger *l, const struct view *v, uint32_t slot)
{
    const struct led_slot *s = &l->slots[slot];
    const struct led_cell *c = valued(l, v, slot);

    if (c == NULL || s->is_tomb)
        return false;
    for (uint32_t i = l->items[s->item].first_slot; i != LEDGER_NONE;
         i = l->slots[i].next) {
        const struct led_cell *up = valued(l, v, i);

        if (up != NULL && model_is_above(l->slots[i].path, s->path) &&
            !is_empty_object(up) && stamp_cmp(&up->stamp, &c->stamp) > 0)
            return false;
    }
    return true;
}

bool model_shows(const struct ledger *l, const struct view *v, uint32_t slot)
{
    const struct led_slot *s = &l->slots[slot];
    const struct led_cell *c = valued(l, v, slot);

    if (c == NULL || !stands(l, v, slot))
        return false;
    for (uint32_t i = l->items[s->item].first_slot; i != LEDGER_NONE;
         i = l->slots[i].next)
        if (model_is_above(s->path, l->slots[i].path) && stands(l, v, i) &&
            (is_empty_object(c) ||
                stamp_cmp(&valued(l, v, i)->stamp, &c->stamp) >= 0))
            return false;
    return true;
}

/* Puts a value at a path below doc, making the objects on the way. */
static void plant(
    struct json *doc, struct slice path, struct json *value, struct arena *a)
{
    struct slice segment;

    for (;;) {
        struct json *next;

        ENSURE(json_pointer_next(&path, &segment, a) == SYNCLINE_OK);
        if (path.len == 0) {
            ENSURE(json_add(doc, segment, value) != NULL);
            return;
        }
        next = json_get_slice(doc, segment);
        if (next == NULL)
            next = json_add(doc, segment, json_new(a, JSON_OBJECT));
        ENSURE(next != NULL && next->type == JSON_OBJECT);
        doc = next;
    }
}

struct json *model_document(const struct ledger *l, const struct view *v,
    uint32_t item, struct arena *a)
{
    struct json *doc;

    if (item >= v->items_n || v->items[item].life % 2 == 0)
        return NULL;
    doc = json_new(a, JSON_OBJECT);
    ENSURE(doc != NULL);
    for (uint32_t i = l->items[item].first_slot; i != LEDGER_NONE;
         i = l->slots[i].next) {
        struct json *value;

        if (!model_shows(l, v, i))
            continue;
        ENSURE(json_parse(&value, model_cell(l, v, i)->value, JSON_STRICT, a,
                   NULL) == SYNCLINE_OK);
        if (l->slots[i].path.len == 0)
            return value;
        plant(doc, l->slots[i].path, value, a);
    }
    return doc;
}
