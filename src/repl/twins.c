/* Connections of a device that runs more than once (copies.h): its replicas
 * take turns, each is told, and so are the people here. */
#include "base/text.h"
#include "repl/node_impl.h"

/* Of two connections that were begun at once the devices decide at once; who
 * comes later says first which replica it is. */
#define SETTLED_US ((uint64_t)2000000)
#define BYE_COPIES "two copies of this device run at once"

static struct conn *connected_as_another(const struct node *n, struct conn *c)
{
    for (struct conn *o = n->conns; o != NULL; o = o->next)
        if (o != c && o->greeted && !o->closing &&
            device_eq(&o->device, &c->device) &&
            !rid_eq(&o->replica, &c->replica))
            return o;
    return NULL;
}

bool twins_are_apart(
    const struct node *n, const struct conn *c, const struct conn *o)
{
    static const struct rid unknown;

    bool new_here = rid_eq(&c->replica, &unknown);

    if (!o->greeted)
        return false;
    if (copies_known(&n->copies, &c->device, n->now_us))
        return new_here || !rid_eq(&c->replica, &o->replica);
    return new_here && n->now_us - o->opened_us >= SETTLED_US;
}

static int announce(struct node *n, struct conn *c)
{
    const struct rid *other = copies_other(&n->copies, &c->device, &c->replica);
    char a[2 * RID_LEN + 1] = "", b[2 * RID_LEN + 1] = "";
    const struct audit_field fields[] = { AUDIT_DEVICE("device", &c->device),
        AUDIT_TEXT("name", c->name), AUDIT_END };

    hex_encode(a, rid_slice(&c->replica));
    if (other != NULL)
        hex_encode(b, rid_slice(other));
    n->counts.copies_found++;
    log_line(&n->log, LOG_LEVEL_WARN, "conn",
        "%.*s runs twice: replicas %s and %s of one device connect in turn. "
        "Two copies of one folder are up: stop one, remove its identity.pem "
        "and store, and let it join anew",
        SLICE_FMT(c->name), a, b);
    return node_audit_often(n, "copies", fields);
}

int twins_on_hello(struct node *n, struct conn *c)
{
    struct conn *o = connected_as_another(n, c);
    int rc = SYNCLINE_OK;

    if (copies_note(&n->copies, &c->device, &c->replica,
            o != NULL ? o->heard_us : 0, n->now_us))
        rc = announce(n, c);
    conn_close_doubles(n, c);
    if (!copies_known(&n->copies, &c->device, n->now_us))
        return rc;
    if (o != NULL && copies_tell(&n->copies, &o->device, &o->replica)) {
        conn_close(n, o, SYNCLINE_EEXIST, BYE_COPIES);
        o = NULL;
    }
    if (copies_tell(&n->copies, &c->device, &c->replica) ||
        (o != NULL && n->now_us - o->opened_us < COPIES_TURN_US))
        conn_close(n, c, SYNCLINE_EEXIST, BYE_COPIES);
    else if (o != NULL)
        conn_close(n, o, SYNCLINE_EEXIST, BYE_COPIES);
    return rc;
}

void twins_on_bye(struct node *n, const struct conn *c, struct slice text)
{
    if (!slice_is(text, BYE_COPIES))
        return;
    if (n->now_us >= n->copies.self_until_us)
        log_line(&n->log, LOG_LEVEL_WARN, "conn",
            "this device runs twice: %.*s meets two replicas of it in turn. "
            "Two copies of one folder are up: stop one, remove its "
            "identity.pem and store, and let it join anew",
            SLICE_FMT(c->name));
    n->copies.self_until_us = n->now_us + COPIES_KEPT_US;
}

bool twins_run(const struct node *n, const struct device_id *device)
{
    return device_eq(device, &n->device)
        ? n->now_us < n->copies.self_until_us
        : copies_known(&n->copies, device, n->now_us);
}
