/* LAN-sync nodes that come and are not served: who, and why. Else only they
 * know, and nobody looks there. Anybody can make us note things here: so there
 * are few, the oldest goes, and of the same the log tells once an hour. */
#include "app/lan/lan_conns_impl.h"

#include <stdio.h>

#include "base/text.h"

#define KEEP_US UINT64_C(600000000) /* for so long it is told */
#define AGAIN_US UINT64_C(3600000000)

void lan_conn_said_node(struct lan_conn *c, struct slice node)
{
    node = text_is_plain(node) ? utf8_cut(node, sizeof c->said_node - 1)
                               : SLICE_NONE;
    (void)snprintf(c->said_node, sizeof c->said_node, "%.*s", SLICE_FMT(node));
}

static struct lan_refused *find(
    struct lan_face *f, const struct netaddr *from, const char *node)
{
    for (size_t i = 0; i < LAN_REFUSED_MAX; i++) {
        struct lan_refused *r = &f->refused[i];

        if (r->times > 0 && netaddr_same_ip(&r->from, from) &&
            strcmp(r->node, node) == 0)
            return r;
    }
    return NULL;
}

static struct lan_refused *oldest(struct lan_face *f)
{
    struct lan_refused *r = f->refused;

    for (size_t i = 1; i < LAN_REFUSED_MAX; i++)
        if (f->refused[i].last_us < r->last_us)
            r = &f->refused[i];
    return r;
}

/* Lines for strangers: a few at once, then one a minute. */
static void tell(struct lan_face *f, struct lan_refused *r)
{
    const uint64_t now_us = clock_mono_us();
    char at[NETADDR_TEXT];

    if (r->told_us != 0 && now_us < r->told_us + AGAIN_US)
        return;
    if (f->refused_lines < LAN_REFUSED_MAX)
        f->refused_lines++;
    else if (now_us < f->refused_told_us + UINT64_C(60000000))
        return;
    r->told_us = f->refused_told_us = now_us;
    netaddr_format_ip(at, &r->from);
    log_line(&f->log, LOG_LEVEL_WARN, "lansync", "%s%s%s is not served: %s",
        r->node, r->node[0] != 0 ? " at " : "", at, r->why);
}

void lan_refused_note(struct lan_conn *c)
{
    struct lan_face *f = c->face;
    const char *node =
        c->said_node[0] != 0 ? c->said_node : lan_link_node(c->link);
    struct lan_refused *r = find(f, &c->remote, node);

    if (r == NULL) {
        r = oldest(f);
        memset(r, 0, sizeof *r);
        r->from = c->remote;
        (void)snprintf(r->node, sizeof r->node, "%s", node);
    }
    if (strcmp(r->why, c->refused) != 0) {
        r->told_us = 0;
        (void)snprintf(r->why, sizeof r->why, "%s", c->refused);
    }
    r->times++;
    r->last_us = clock_mono_us();
    tell(f, r);
}

/* What was said of that address by who had no name yet goes, too. */
void lan_refused_forget(const struct lan_conn *c)
{
    const char *names[] = { lan_link_node(c->link), "" };

    for (size_t i = 0; i < 2 && c->peer == NULL; i++) {
        struct lan_refused *r = find(c->face, &c->remote, names[i]);

        if (r != NULL)
            r->times = 0;
    }
}

void lan_refused_put(const struct lan_face *f, struct buf *b)
{
    const uint64_t now_us = clock_mono_us(), wall_us = clock_wall_us();
    const char *between = "";
    char at[NETADDR_TEXT];

    for (size_t i = 0; i < LAN_REFUSED_MAX; i++) {
        const struct lan_refused *r = &f->refused[i];

        if (r->times == 0 || now_us > r->last_us + KEEP_US)
            continue;
        buf_printf(b, "%s{\"node_id\":", between);
        between = ",";
        json_print_said(b, slice_str(r->node));
        netaddr_format_ip(at, &r->from);
        buf_printf(b,
            ",\"address\":\"%s\",\"times\":%llu,\"last\":%llu,\"trouble\":", at,
            (unsigned long long)r->times,
            (unsigned long long)(wall_us - (now_us - r->last_us)));
        json_print_said(b, slice_str(r->why));
        buf_put_u8(b, '}');
    }
}
