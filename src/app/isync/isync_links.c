/* Connections with iSync nodes, and what is said on them. */
#include "app/isync/isync_face_impl.h"

#include <stdlib.h>

#define SLOW_BYTES ((size_t)768 << 10)
#define QUICK_BYTES ((size_t)128 << 10)
#define LOOK_US UINT64_C(200000)

struct isync_link {
    struct isync_link *next;
    uint64_t number, since_us, heard_us; /* of the day */
    bool is_called;
    struct netaddr remote; /* of a caller */
    char transport[12], at[NETADDR_TEXT];
    char *url;
    char node[ISYNC_NODE_MAX + 1];
    bool is_dropped; /* it goes once nobody is in the mesh */
    char why[100];   /* then; "": nobody has failed */
    bool is_slow;    /* much waits for it to read */
};

static struct isync_link *link_of(const struct isync_face *f, uint64_t number)
{
    struct isync_link *l = f->links;

    while (l != NULL && l->number != number)
        l = l->next;
    return l;
}

bool isync_links_has(const struct isync_face *f, uint64_t number)
{
    return link_of(f, number) != NULL;
}

static void link_free(struct isync_face *f, struct isync_link *l)
{
    struct isync_link **at = &f->links;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l->url);
    free(l);
}

static const char *name_of(const struct isync_link *l)
{
    return l->url != NULL ? l->url : l->at;
}

static void drop(struct isync_link *l, const char *why)
{
    l->is_dropped = true;
    (void)snprintf(l->why, sizeof l->why, "%s", why);
}

/* ---- what the mesh does ---- */

static void on_emit(
    void *ctx, uint64_t link, const char *name, const struct json *arg)
{
    struct isync_face *f = ctx;
    struct buf b = { 0 };
    int rc;

    if (arg != NULL)
        json_print(&b, arg, JSON_COMPACT);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = isync_conns_emit(
            f->conns, link, name, arg != NULL ? buf_slice(&b) : SLICE_NONE);
    if (rc == SYNCLINE_ELIMIT)
        log_line(&f->log, LOG_LEVEL_WARN, "isync",
            "%s was too large to be said", name);
    buf_free(&b);
}

static void on_changed(void *ctx, const struct isync_change *c)
{
    isync_space_changed(ctx, c);
}

static void on_applied(void *ctx, uint64_t link, struct slice source)
{
    struct isync_face *f = ctx;
    struct isync_link *l = link_of(f, link);

    (void)source;
    f->last_sync_us = clock_wall_us();
    if (l != NULL)
        l->heard_us = f->last_sync_us;
}

static void on_peer(void *ctx, uint64_t link, struct slice node)
{
    struct isync_face *f = ctx;
    struct isync_link *l = link_of(f, link);
    struct buf shown = { 0 };

    if (l == NULL)
        return;
    (void)snprintf(l->node, sizeof l->node, "%.*s", SLICE_FMT(node));
    isync_conns_settle(f->conns, link);
    put_inert(&shown, node);
    log_line(&f->log, LOG_LEVEL_INFO, "isync", "connected: %.*s %s %s",
        SLICE_FMT(buf_slice(&shown)), l->is_called ? "called at" : "from",
        name_of(l));
    buf_free(&shown);
    isync_peers_came(f, link);
}

static void on_drop(void *ctx, uint64_t link, const char *why)
{
    struct isync_face *f = ctx;
    struct isync_link *l = link_of(f, link);

    if (l == NULL)
        return;
    drop(l, why);
    log_line(&f->log, LOG_LEVEL_INFO, "isync", "%s: %s", name_of(l), why);
    if (l->is_called &&
        strcmp(isync_mesh_node_of(f->mesh, link), f->node_id) == 0)
        isync_peers_is_self(f, link);
    isync_face_arm(f);
}

static bool is_same_place(void *ctx, uint64_t link, uint64_t other)
{
    const struct isync_link *l = link_of(ctx, link), *o = link_of(ctx, other);

    return l != NULL && o != NULL && netaddr_same_ip(&l->remote, &o->remote);
}

static void on_violation(void *ctx, uint64_t link, const char *what)
{
    struct isync_face *f = ctx;
    const struct isync_link *l = link_of(f, link);

    if (f->counts.violations++ % 100 == 0 && l != NULL)
        log_line(
            &f->log, LOG_LEVEL_INFO, "isync", "%s said %s", name_of(l), what);
    isync_peers_violated(f, link);
}

static void on_dirty(void *ctx)
{
    isync_kept_dirty(ctx);
}

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static void on_log(void *ctx, enum log_level level, const char *text)
{
    struct isync_face *f = ctx;

    log_line(&f->log, level, "isync", "%s", text);
}

struct isync_mesh_port isync_links_port(struct isync_face *f)
{
    return (struct isync_mesh_port){ .ctx = f,
        .emit = on_emit,
        .changed = on_changed,
        .applied = on_applied,
        .peer = on_peer,
        .drop = on_drop,
        .is_same_place = is_same_place,
        .violation = on_violation,
        .dirty = on_dirty,
        .random = draw,
        .log = on_log };
}

/* ---- what connections do ---- */

/* A link that the mesh wants no more is closed from outside of it. */
static void end_dropped(struct isync_face *f)
{
    struct isync_link *next;

    for (struct isync_link *l = f->links; l != NULL; l = next) {
        const uint64_t number = l->number;

        next = l->next;
        if (!l->is_dropped)
            continue;
        isync_mesh_close(f->mesh, number);
        if (l->is_called)
            isync_peers_went(f, number, true, l->why);
        link_free(f, l);
        isync_conns_hang_up(f->conns, number);
    }
}

/* Who reads slowly is told nothing more until he has read: then he is told what
 * there is by then, and not all that was meanwhile. */
uint64_t isync_links_tick(struct isync_face *f, uint64_t now_us)
{
    uint64_t next = 0;

    for (struct isync_link *l = f->links; l != NULL; l = l->next) {
        const size_t n = isync_conns_waiting(f->conns, l->number);

        l->is_slow = n > (l->is_slow ? QUICK_BYTES : SLOW_BYTES);
        isync_mesh_pace(f->mesh, l->number, l->is_slow);
        if (l->is_slow)
            next = now_us + LOOK_US;
    }
    return next;
}

void isync_links_drop_one(struct isync_face *f, uint64_t number)
{
    struct isync_link *l = link_of(f, number);

    if (l == NULL)
        return;
    l->is_dropped = true;
    end_dropped(f);
}

void isync_links_drop(struct isync_face *f)
{
    for (struct isync_link *l = f->links; l != NULL; l = l->next)
        l->is_dropped = true;
    end_dropped(f);
}

static void on_connected(
    void *ctx, uint64_t number, const struct isync_who *who)
{
    struct isync_face *f = ctx;
    struct isync_link *l = calloc(1, sizeof *l);

    /* What the space has must be known, before others say what they have. */
    if (l == NULL || f->is_stopping || !f->is_live || f->is_off) {
        free(l);
        isync_conns_hang_up(f->conns, number);
        return;
    }
    l->number = number;
    l->since_us = clock_wall_us();
    l->is_called = who->is_called;
    if (who->is_called)
        isync_peers_answered(f, number, who->began_us);
    (void)snprintf(l->transport, sizeof l->transport, "%s", who->transport);
    if (who->url != NULL)
        l->url = strdup(who->url);
    l->remote = who->remote;
    if (who->remote.family != 0)
        netaddr_format(l->at, &who->remote);
    l->next = f->links;
    f->links = l;
    if (isync_mesh_open(f->mesh, number, !who->is_called, isync_now()) !=
        SYNCLINE_OK)
        drop(l, "too many nodes are connected");
    end_dropped(f);
    isync_face_arm(f);
}

static void on_event(void *ctx, uint64_t number, const struct sio_event *ev)
{
    struct isync_face *f = ctx;
    struct arena a = { 0 };
    struct json *args = NULL;

    if (link_of(f, number) != NULL &&
        isync_mesh_hears(f->mesh, number, ev->text.len, isync_now()) &&
        json_parse(&args, ev->text, JSON_TOLERANT, &a, NULL) == SYNCLINE_OK &&
        args->type == JSON_ARRAY && args->n > 0) {
        args->first = args->first->next; /* behind the name */
        args->last = NULL;
        args->n--;
        isync_mesh_event(f->mesh, number, ev->name, args, isync_now());
    }
    arena_free(&a);
    end_dropped(f);
    isync_face_arm(f);
}

static void on_closed(void *ctx, uint64_t number, const char *why)
{
    struct isync_face *f = ctx;
    struct isync_link *l = link_of(f, number);

    if (l == NULL)
        return;
    if (l->node[0] != 0)
        log_line(&f->log, LOG_LEVEL_INFO, "isync", "%s: %s", name_of(l), why);
    isync_mesh_close(f->mesh, number);
    if (l->is_called)
        isync_peers_went(f, number, false, why);
    link_free(f, l);
    isync_face_arm(f);
}

static void on_ourselves(void *ctx, uint64_t number)
{
    isync_peers_found_self(ctx, number);
}

static void on_failed(void *ctx, uint64_t number, const char *why)
{
    isync_peers_failed(ctx, number, why);
}

static void on_request(void *ctx, struct http_conn *c,
    const struct http_request *r, const struct netaddr *from)
{
    isync_pages_answer(ctx, c, r, from);
}

int isync_links_make(struct isync_face *f, struct errmsg *why)
{
    const struct isync_conns_options opt = { .loop = f->opt.loop,
        .log = f->log,
        .events = { f, on_connected, on_event, on_closed, on_ourselves,
            on_failed, on_request },
        .admit = f->admit,
        .admit_n = f->opt.tuning.admit_n,
        .hosts = (const char *const *)f->hosts,
        .hosts_n = f->opt.tuning.hosts_n,
        .roots = f->roots,
        .dial_max_us = f->opt.tuning.dial_max_us };
    int rc = isync_conns_new(&f->conns, &opt);

    return rc == SYNCLINE_OK
        ? rc
        : errmsg_set(why, rc,
              "iSync: memory ran out, or isync.ca is no file "
              "of certificates");
}

static void tell_served(const struct isync_face *f)
{
    char at[NETADDR_TEXT];

    if (f->listen_n == 0)
        log_line(
            &f->log, LOG_LEVEL_INFO, "isync", "no iSync node is served here");
    for (size_t i = 0; i < f->listen_n; i++) {
        netaddr_format(at, &f->listen[i]);
        log_line(&f->log, LOG_LEVEL_INFO, "isync",
            "iSync nodes are served at %s", at);
    }
}

int isync_links_serve(struct isync_face *f, const struct netaddr *at, size_t n,
    struct errmsg *why)
{
    struct netaddr was[ISYNC_LISTEN_MAX];
    const size_t was_n = isync_conns_bound(f->conns, was);
    int rc = isync_conns_serve(f->conns, at, n, why);

    if (rc == SYNCLINE_EBUSY) {
        const struct errmsg said = *why;

        errmsg_set(why, rc,
            "%.400s; free it, or choose another port (isync.port)", said.text);
    }
    f->listen_n = isync_conns_bound(f->conns, f->listen);
    if (f->listen_n != was_n ||
        memcmp(was, f->listen, was_n * sizeof *was) != 0)
        tell_served(f);
    return rc;
}

void isync_links_close(struct isync_face *f)
{
    while (f->links != NULL)
        link_free(f, f->links);
}

void isync_links_put(const struct isync_face *f, struct buf *b)
{
    const char *between = "";

    for (const struct isync_link *l = f->links; l != NULL; l = l->next) {
        buf_printf(b, "%s{\"node_id\":", between);
        between = ",";
        json_print_said(b, slice_str(l->node));
        buf_printf(b, ",\"%s\":", l->is_called ? "url" : "address");
        json_print_said(b, slice_str(name_of(l)));
        buf_printf(b,
            ",\"transport\":\"%s\",\"since\":%llu,\"heard\":%llu,\"unread\":%"
            "s}",
            l->transport, (unsigned long long)l->since_us,
            (unsigned long long)l->heard_us,
            isync_mesh_is_unread(f->mesh, l->number) ? "true" : "false");
    }
}
