/* The local interface, doc/api.md: clocks. */
#include "base/text.h"
#include "repl/collect_impl.h"
#include "repl/request_admin.h"

int admin_clock(struct admin *q)
{
    struct buf b = { 0 };
    int rc;

    buf_put_str(&b, "{\"ok\":true,\"clock\":");
    rc = put_clock_json(q->n, &b, true);
    buf_put_u8(&b, '}');
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? admin_reply(q, &b) : rc;
}

int admin_clock_reset(struct admin *q)
{
    struct node *n = q->n;
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct buf also = { 0 };
    int rc = SYNCLINE_OK;

    if (members_role(n->members, &n->device) != ROLE_ADMIN)
        rc = errmsg_set(q->why, SYNCLINE_EDENIED,
            "only an admin's device can let the clocks start again");
    if (rc == SYNCLINE_OK)
        rc = access_check_heeded(n, q->args, q->why);
    if (rc == SYNCLINE_OK)
        rc = epoch_raise(n, q->why);
    if (rc == SYNCLINE_OK)
        rc = admin_reply_durable(q, mesh, 0);
    buf_printf(&also, ",\"epoch\":%llu", (unsigned long long)n->epoch);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&also);
    if (rc == SYNCLINE_OK)
        rc = wait_also(n, buf_slice(&also));
    buf_free(&also);
    return rc;
}
