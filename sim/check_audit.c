/* R38: who is let in or removed stands in the audit log. */
#include "sim/check.h"

#include "base/text.h"
#include "sim/memory.h"
#include "sim/world.h"

static void put_name(struct buf *b, const struct machine *m, const char *kind,
    struct slice device)
{
    buf_printf(b, "%u/%s/%.*s", m->ix, kind, SLICE_FMT(device));
    ENSURE(buf_status(b) == SYNCLINE_OK);
}

void check_audit_note(
    struct world *w, const struct machine *m, const struct effect *fx)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    struct buf b = { 0 };

    memory_spare();
    if (json_parse(&v, fx->bytes, JSON_STRICT, &a, NULL) != SYNCLINE_OK ||
        v->type != JSON_OBJECT)
        world_fail(w, "audit", "node %u tells the audit log %.*s", m->ix,
            SLICE_FMT(fx->bytes));
    put_name(&b, m, fx->kind, json_get_str(v, "device"));
    ENSURE(omap_put(&w->audited, buf_slice(&b), SLICE_LIT("")) == SYNCLINE_OK);
    buf_free(&b);
    arena_free(&a);
    memory_spare_end();
    check_withheld_note(w, m, fx->kind);
}

void check_audit(struct world *w, const struct machine *m, const char *kind,
    const struct device_id *device)
{
    char hex[2 * DEVICE_ID_LEN + 1];
    struct buf b = { 0 };

    hex_encode(hex, device_slice(device));
    put_name(&b, m, kind, slice_str(hex));
    if (omap_get(&w->audited, buf_slice(&b)) == NULL)
        world_fail(
            w, "audit", "node %u has not told of: %s %.8s", m->ix, kind, hex);
    buf_free(&b);
}
