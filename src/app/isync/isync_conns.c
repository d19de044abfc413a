#include "app/isync/isync_conns.h"

#include <stdlib.h>

#include "app/isync/isync_conns_impl.h"
#include "faces/socketio/sio_client.h"

#define ADMIT_MAX 16
#define HOSTS_MAX 16
#define MESSAGE_MAX ((size_t)4 << 20)

/* ---- time ---- */

static void on_tick(uv_timer_t *t)
{
    struct isync_conns *c = t->data;
    const uint64_t now_us = clock_mono_us();
    uint64_t next = 0, ms;

    c->is_ticking = true;
    c->is_due = false;
    isync_sooner(&next, isync_callers_tick(c, now_us));
    isync_sooner(&next, isync_calls_tick(c, now_us));
    c->is_ticking = false;
    if (c->is_due)
        next = now_us;
    if (next == 0)
        return;
    /* Never in this turn of the loop, which would not end. */
    ms = next > now_us ? (next - now_us + 999) / 1000 : 1;
    (void)uv_timer_start(t, on_tick, ms, 0);
}

void isync_arm(struct isync_conns *c)
{
    if (c->is_ticking)
        c->is_due = true;
    else if (c->has_tick)
        (void)uv_timer_start(&c->tick, on_tick, 0, 0);
}

/* ---- beginning and end ---- */

static void free_hosts(char *hosts[HOSTS_MAX])
{
    for (size_t i = 0; i < HOSTS_MAX; i++)
        free(hosts[i]);
}

static void conns_free(struct isync_conns *c)
{
    sio_server_free(c->server);
    tls_rules_free(c->roots);
    free_hosts(c->hosts);
    free(c->roots_file);
    free(c);
}

/* All of it or nothing. */
static int take_tuning(
    struct isync_conns *c, const struct isync_conns_tuning *t)
{
    char *hosts[HOSTS_MAX] = { NULL };

    if (t->admit_n > ADMIT_MAX || t->hosts_n > HOSTS_MAX)
        return SYNCLINE_ELIMIT;
    for (size_t i = 0; i < t->hosts_n; i++) {
        hosts[i] = strdup(t->hosts[i]);
        if (hosts[i] == NULL) {
            free_hosts(hosts);
            return SYNCLINE_ENOMEM;
        }
    }
    free_hosts(c->hosts);
    memcpy(c->hosts, hosts, sizeof hosts);
    for (size_t i = 0; i < t->admit_n; i++)
        c->admit[i] = t->admit[i];
    c->opt.admit_n = t->admit_n;
    c->opt.hosts_n = t->hosts_n;
    c->opt.dial_max_us = t->dial_max_us;
    return SYNCLINE_OK;
}

static int copy_options(
    struct isync_conns *c, const struct isync_conns_options *opt)
{
    const struct isync_conns_tuning t = { opt->admit, opt->admit_n, opt->hosts,
        opt->hosts_n, opt->dial_max_us };
    int rc = take_tuning(c, &t);

    if (rc != SYNCLINE_OK)
        return rc;
    if (opt->roots != NULL) {
        c->roots_file = strdup(opt->roots);
        if (c->roots_file == NULL)
            return SYNCLINE_ENOMEM;
    }
    c->opt.admit = NULL;
    c->opt.hosts = NULL;
    c->opt.roots = NULL;
    return SYNCLINE_OK;
}

int isync_conns_new(
    struct isync_conns **out, const struct isync_conns_options *opt)
{
    struct isync_conns *c = calloc(1, sizeof *c);
    int rc;

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->opt = *opt;
    if (c->opt.message_max == 0)
        c->opt.message_max = MESSAGE_MAX;
    rc = copy_options(c, opt);
    if (rc == SYNCLINE_OK)
        rc = isync_callers_make(c);
    if (rc != SYNCLINE_OK) {
        conns_free(c);
        return rc;
    }
    (void)uv_timer_init(opt->loop, &c->tick);
    c->tick.data = c;
    c->has_tick = true;
    *out = c;
    return SYNCLINE_OK;
}

int isync_conns_tune(struct isync_conns *c, const struct isync_conns_tuning *t)
{
    int rc = take_tuning(c, t);

    if (rc != SYNCLINE_OK)
        return rc;
    isync_callers_judge(c);
    isync_calls_hurry(c, clock_mono_us());
    isync_arm(c);
    return SYNCLINE_OK;
}

int isync_conns_listen(struct isync_conns *c, const struct netaddr *at,
    struct netaddr *bound, struct errmsg *why)
{
    int rc;

    if (c->listeners_n == ISYNC_LISTEN_MAX)
        return errmsg_set(
            why, SYNCLINE_ELIMIT, "at most %d addresses", ISYNC_LISTEN_MAX);
    rc = stream_listen(&c->listeners[c->listeners_n], c->opt.loop, at,
        isync_callers_accept, c, bound, why);
    if (rc == SYNCLINE_OK) {
        c->asked[c->listeners_n] = *at;
        c->bound[c->listeners_n++] = *bound;
    }
    return rc;
}

static bool has_address(
    const struct netaddr *list, size_t n, const struct netaddr *at)
{
    for (size_t i = 0; i < n; i++)
        if (netaddr_same_ip(&list[i], at) && list[i].port == at->port)
            return true;
    return false;
}

static void shut(struct isync_conns *c, size_t ix)
{
    const size_t last = --c->listeners_n;

    stream_listener_close(c->listeners[ix]);
    c->listeners[ix] = c->listeners[last];
    c->bound[ix] = c->bound[last];
    c->asked[ix] = c->asked[last];
}

/* Those at which nobody is to be served any more, to be opened again. */
static size_t shut_others(struct isync_conns *c, const struct netaddr *at,
    size_t n, struct netaddr *asked, struct netaddr *bound)
{
    size_t shut_n = 0;

    for (size_t i = c->listeners_n; i-- > 0;)
        if (!has_address(at, n, &c->asked[i])) {
            asked[shut_n] = c->asked[i];
            bound[shut_n++] = c->bound[i];
            shut(c, i);
        }
    return shut_n;
}

static void reopen(struct isync_conns *c, const struct netaddr *asked,
    const struct netaddr *bound, size_t n, struct errmsg *why)
{
    for (size_t i = 0; i < n; i++) {
        const struct errmsg said = *why;
        struct errmsg again = { "" };
        struct netaddr where;

        if (isync_conns_listen(c, &bound[i], &where, &again) == SYNCLINE_OK)
            c->asked[c->listeners_n - 1] = asked[i];
        else
            errmsg_set(why, 0, "%.240s; nor is it served where it was: %.200s",
                said.text, again.text);
    }
}

/* The old ones go first: 0.0.0.0 is not free while 127.0.0.1 is taken. */
int isync_conns_serve(struct isync_conns *c, const struct netaddr *at, size_t n,
    struct errmsg *why)
{
    struct netaddr asked[ISYNC_LISTEN_MAX], bound[ISYNC_LISTEN_MAX], where;
    const size_t gone = shut_others(c, at, n, asked, bound);
    const size_t kept = c->listeners_n;
    int rc = SYNCLINE_OK;

    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++)
        if (!has_address(c->asked, c->listeners_n, &at[i]))
            rc = isync_conns_listen(c, &at[i], &where, why);
    if (rc == SYNCLINE_OK) {
        isync_callers_judge(c);
        isync_arm(c);
        return rc;
    }
    while (c->listeners_n > kept)
        shut(c, c->listeners_n - 1);
    reopen(c, asked, bound, gone, why);
    return rc;
}

size_t isync_conns_bound(const struct isync_conns *c, struct netaddr *out)
{
    memcpy(out, c->bound, c->listeners_n * sizeof *out);
    return c->listeners_n;
}

static void close_listeners(struct isync_conns *c)
{
    while (c->listeners_n > 0)
        stream_listener_close(c->listeners[--c->listeners_n]);
}

void isync_conns_stop(struct isync_conns *c)
{
    c->is_stopping = true;
    close_listeners(c);
    isync_callers_stop(c);
    isync_calls_stop(c);
}

static void on_tick_closed(uv_handle_t *h)
{
    conns_free(h->data);
}

void isync_conns_close(struct isync_conns *c)
{
    if (c == NULL)
        return;
    c->is_stopping = true;
    close_listeners(c);
    isync_callers_close(c);
    isync_guests_close(c);
    isync_calls_close(c);
    c->has_tick = false;
    uv_close((uv_handle_t *)&c->tick, on_tick_closed);
}

/* ---- links ---- */

int isync_conns_emit(
    struct isync_conns *c, uint64_t link, const char *name, struct slice args)
{
    int rc;

    if (c->is_stopping)
        return SYNCLINE_ECLOSED;
    rc = (link & ISYNC_CALLED) != 0
        ? isync_calls_emit(c, link, slice_str(name), args)
        : sio_server_emit(c->server, link, slice_str(name), args);
    isync_arm(c);
    return rc;
}

size_t isync_conns_waiting(const struct isync_conns *c, uint64_t link)
{
    struct eio_reach at;

    if ((link & ISYNC_CALLED) != 0)
        return isync_calls_waiting(c, link);
    at = sio_server_reach(c->server, link);
    return at.waiting +
        (at.ws != 0 ? isync_callers_waiting(c, at.ws) : (size_t)0);
}

void isync_conns_settle(struct isync_conns *c, uint64_t link)
{
    if ((link & ISYNC_CALLED) == 0)
        sio_server_settle(c->server, link);
}

void isync_conns_hang_up(struct isync_conns *c, uint64_t link)
{
    if (c->is_stopping)
        return;
    if ((link & ISYNC_CALLED) != 0)
        isync_calls_hang_up(c, link);
    else
        sio_server_hang_up(c->server, link);
    isync_arm(c);
}

struct isync_conns_counts isync_conns_counts(const struct isync_conns *c)
{
    return (struct isync_conns_counts){ .callers = sio_server_n(c->server),
        .called = isync_calls_connected(c),
        .sessions = eio_server_n(sio_server_eio(c->server)),
        .refused_network = c->counts.refused_network,
        .refused_page = c->counts.refused_page,
        .refused_room = c->counts.refused_room +
            eio_server_refused(sio_server_eio(c->server)) };
}
