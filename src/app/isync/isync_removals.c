/* What iSync nodes have deleted, and the space is to have no longer: what
 * stands is removed, and of several gateways each removes the same. What was
 * made anew since one of them did, and the others have not heard of, is later,
 * and stays.
 */
#include "app/isync/isync_face_impl.h"

size_t isync_removals_put(
    struct isync_face *f, struct slice record, struct buf *b)
{
    struct slice name, field;
    size_t count = 0;

    buf_put_str(b,
        "{\"op\":\"put_fields\",\"face\":\"" ISYNC_FACE_NAME "\",\"space\":");
    json_print_string(b, slice_str(f->space), false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, record, false);
    buf_put_str(b, ",\"fields\":[");
    for (struct omap_node *n = isync_field_first(f, record);
         n != NULL && count < ISYNC_FIELDS_AT_ONCE;
         n = isync_field_next(n, record))
        if ((n->tag & (ISYNC_REMOVE | ISYNC_FLYING)) == ISYNC_REMOVE &&
            isync_path_parts(n->key, &name, &field)) {
            buf_put_str(b, count++ > 0 ? ",{\"name\":" : "{\"name\":");
            json_print_string(b, field, false);
            buf_put_str(b, ",\"remove\":true,\"node\":\"\"}");
            isync_field_set(n, ISYNC_FLYING, 0);
        }
    buf_put_str(b, "]}");
    return count;
}

bool isync_removals_done(
    struct isync_face *f, struct slice record, const struct json *answer)
{
    /* EINVAL: it is no object any more, and has no such member. */
    const bool ok = json_get_bool(answer, "ok", false) ||
        slice_is(json_get_str(answer, "code"), "EINVAL");

    for (struct omap_node *n = isync_field_first(f, record); n != NULL;
         n = isync_field_next(n, record))
        if ((n->tag & ISYNC_FLYING) != 0) {
            isync_field_set(n, 0, ISYNC_FLYING | (ok ? ISYNC_REMOVE : 0U));
            f->counts.removed += ok;
        }
    if (ok)
        isync_kept_dirty(f);
    return ok;
}

void isync_removals_look(
    const struct isync_face *f, struct omap_node *n, uint64_t time_us)
{
    /* Who stops does not hear whether it was removed: what was written since
     * was made anew. */
    if (f->kept_us != 0 && time_us > f->kept_us)
        isync_field_set(n, 0, ISYNC_REMOVE);
    if ((n->tag & (ISYNC_REMOVE | ISYNC_FLYING)) == 0)
        isync_field_set(n, ISYNC_NATIVE, ISYNC_APPLIED | ISYNC_PENDING);
}

void isync_removals_go_on(struct isync_face *f)
{
    f->kept_us = 0;
    for (struct omap_node *n = omap_first(&f->fields); n != NULL;
         n = omap_next(n))
        if ((n->tag & ISYNC_REMOVE) != 0)
            isync_space_want(f, n->key);
}
