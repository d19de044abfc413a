/* Who wrote something, as people are told: a member, or somebody who was one.
 * The certificates of those stay, and with them their names. */
#include "base/text.h"
#include "repl/node_impl.h"

void put_device_hex(struct buf *b, const struct device_id *d)
{
    if (d == NULL) {
        buf_put_str(b, "null");
        return;
    }
    buf_put_u8(b, '"');
    put_hex(b, device_slice(d));
    buf_put_u8(b, '"');
}

static bool find_removed(
    const struct members *m, const struct rid *r, struct member *out)
{
    for (size_t i = 0; members_removed_at(m, i, out); i++)
        if (rid_is_of(r, &out->device))
            return true;
    return false;
}

/* Of a device without a certificate its replica tells how its id begins;
 * what is collected is nobody's any more. */
static void put_begin_of_device(struct buf *b, const struct rid *r)
{
    static const struct rid nobody;

    if (rid_eq(r, &nobody)) {
        buf_put_str(b, "null");
        return;
    }
    buf_put_u8(b, '"');
    put_hex(b, SLICE(r->b, RID_DEVICE_LEN));
    buf_put_u8(b, '"');
}

struct slice node_name_of(const struct node *n, const struct device_id *device)
{
    const struct member *m = members_get(n->members, device);
    struct member removed;

    if (m != NULL)
        return m->name;
    for (size_t i = 0; members_removed_at(n->members, i, &removed); i++)
        if (device_eq(device, &removed.device))
            return removed.name;
    return SLICE_LIT("");
}

void put_who(const struct node *n, struct buf *b, const struct rid *r)
{
    const struct device_id *d = owner_of(n, r);
    const struct member *m = d == NULL ? NULL : members_get(n->members, d);
    struct member removed;

    buf_put_str(b, "\"device\":");
    if (m == NULL && find_removed(n->members, r, &removed))
        m = &removed;
    if (m == NULL) {
        put_begin_of_device(b, r);
        buf_put_str(b, ",\"name\":null");
        return;
    }
    put_device_hex(b, &m->device);
    buf_put_str(b, ",\"name\":");
    json_print_string(b, m->name, false);
    if (m == &removed)
        buf_put_str(b, ",\"removed\":true");
}
