#include "app/hub_face.h"

#include "base/plant.h"
#include "faces/http/hub.h"
#include "io/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define QUEUE_HIGH ((size_t)256 << 10)
#define QUEUE_LOW ((size_t)64 << 10)
#define TICK_MS 1000
/* What all callers together have not read yet; beyond it the token that has
 * most of it loses its greatest answer. And of answers that wait for the turn's
 * end. */
#define UNSENT_MAX ((size_t)128 << 20)
#define GIVEN_MAX ((size_t)32 << 20)
#define SHARES_MAX 300 /* tokens and sessions there may be, and none */
#define ADMIN_PLACES                                        \
    8 /* beside http.connections: nobody locks an admin out \
       */
#define UNKNOWN_MAX                                          \
    16 /* that have shown no token, from one place elsewhere \
        */

struct guest {
    struct guest *next; /* who came before */
    struct hub_face *face;
    struct hub_conn *hub;
    uint64_t conn;
    struct netaddr remote;
    uint64_t given, read; /* bytes to the net, and of them taken from it */
    uint64_t read_us;     /* when that was more, or there was nothing */
    bool slow, over;
    bool admin; /* of the token by which it has its place */
};

_Static_assert(TOKEN_ID_LEN < HUB_TOKEN_ID, "an id has room");

struct hub_face {
    struct hub_face_options opt;
    struct hub *hub;
    struct engine *engine;
    struct guest *guests;     /* who came last is first */
    struct token_grant grant; /* lent to the hub for one check */
    bool stopping;
    uv_timer_t tick;
};

/* ---- what the hub asks for ---- */

static uint64_t on_request(void *ctx, const struct hub_asker *who,
    const struct json *args, hub_reply_fn *fn, void *fn_ctx)
{
    struct hub_face *f = ctx;
    struct engine_asker asker = {
        .uid = UINT32_MAX, .pid = -1, .from = *who->from
    };

    (void)snprintf(asker.token, sizeof asker.token, "%s", who->token);
    return engine_request(f->engine, args, &asker, fn, fn_ctx);
}

static void on_cancel(void *ctx, uint64_t request)
{
    struct hub_face *f = ctx;

    if (f->engine != NULL)
        engine_cancel(f->engine, request);
}

static void on_pace(void *ctx, uint64_t request, bool paused)
{
    struct hub_face *f = ctx;

    if (!f->stopping)
        engine_pace(f->engine, request, paused);
}

static uint64_t on_wall_us(void *ctx)
{
    (void)ctx;
    return clock_wall_us();
}

static void grant_of(const struct hub_face *f, struct hub_grant *out)
{
    static const enum hub_scope scopes[] = { [TOKEN_READ] = HUB_READ,
        [TOKEN_WRITE] = HUB_WRITE,
        [TOKEN_ADMIN] = HUB_ADMIN };

    *out = (struct hub_grant){ .scope = scopes[f->grant.scope],
        .spaces = f->grant.spaces,
        .spaces_n = f->grant.spaces_n };
    memcpy(out->id, f->grant.id, sizeof f->grant.id);
}

static int on_check(void *ctx, const struct netaddr *from, struct slice token,
    struct hub_grant *out, uint64_t *wait_us)
{
    struct hub_face *f = ctx;
    int rc = engine_admit(f->engine, from, token, &f->grant, wait_us);

    if (rc == SYNCLINE_OK)
        grant_of(f, out);
    return rc;
}

static int on_check_session(
    void *ctx, struct slice cookie, struct slice page, struct hub_grant *out)
{
    struct hub_face *f = ctx;
    int rc = engine_admit_session(f->engine, cookie, page, &f->grant);

    if (rc == SYNCLINE_OK)
        grant_of(f, out);
    return rc;
}

static int on_check_again(void *ctx, const char *id, struct hub_grant *out)
{
    struct hub_face *f = ctx;
    int rc = engine_still_admits(f->engine, id, &f->grant);

    if (rc == SYNCLINE_OK)
        grant_of(f, out);
    return rc;
}

static bool is_known(const struct guest *g)
{
    return hub_conn_place(g->hub)[0] != 0;
}

/* Of admins eight are not counted: they have places of their own. */
static int on_take_place(
    void *ctx, const struct hub_conn *c, const struct hub_grant *grant)
{
    const struct hub_face *f = ctx;
    const size_t share = (f->opt.connections + 1) / 2;
    const bool admin = grant->scope == HUB_ADMIN;
    size_t known = 0, same = 0, admins = 0;

    for (struct guest *g = f->guests; g != NULL; g = g->next) {
        if (g->hub == c)
            g->admin = admin;
        if (g->over || g->hub == c || !is_known(g))
            continue;
        known++;
        admins += g->admin;
        same += strcmp(hub_conn_place(g->hub), grant->id) == 0;
    }
    if (admin || PLANTED(R13_SHARE))
        return SYNCLINE_OK;
    if (same >= share)
        return SYNCLINE_ELIMIT;
    known -= admins < ADMIN_PLACES ? admins : ADMIN_PLACES;
    return known < f->opt.connections ? SYNCLINE_OK : SYNCLINE_EBUSY;
}

/* ---- callers ---- */

static void guest_drop(struct guest *g)
{
    struct guest **at = &g->face->guests;

    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    hub_conn_free(g->hub);
    free(g);
}

static struct guest *find(struct hub_face *f, uint64_t conn)
{
    struct guest *g = f->guests;

    while (g != NULL && g->conn != conn)
        g = g->next;
    return g;
}

/* One machine has all of a /64 for itself. */
static bool is_same_place(const struct netaddr *a, const struct netaddr *b)
{
    return a->family == b->family &&
        memcmp(a->addr, b->addr, a->family == 6 ? 8 : 4) == 0;
}

static void send_away(struct guest *g)
{
    g->over = true;
    engine_guest_drop(
        g->face->engine, g->conn, "it has shown no token, and others came");
}

/* Who has shown no token keeps out nobody, least of all those of this machine:
 * where there are too many, who has been there for longest goes. */
static bool has_room(struct hub_face *f, const struct netaddr *from)
{
    const bool far = !netaddr_is_loopback(from);
    struct guest *far_one = NULL, *near_one = NULL, *same_one = NULL;
    size_t all = 0, same = 0;

    for (struct guest *g = f->guests; g != NULL; g = g->next) {
        if (g->over)
            continue;
        all++;
        if (is_known(g))
            continue;
        if (netaddr_is_loopback(&g->remote))
            near_one = g;
        else
            far_one = g;
        if (far && is_same_place(&g->remote, from)) {
            same_one = g;
            same++;
        }
    }
    if (same >= UNKNOWN_MAX && !PLANTED(R13_UNKNOWN)) {
        send_away(same_one);
        return true;
    }
    if (all < f->opt.connections + ADMIN_PLACES)
        return true;
    if (far_one == NULL && (far || near_one == NULL))
        return false;
    send_away(far_one != NULL ? far_one : near_one);
    return true;
}

/* ---- what nobody reads ---- */

struct share {
    const char *place;
    size_t bytes;
};

struct shares {
    struct share of[SHARES_MAX];
    size_t n, all;
};

static size_t unsent_of(const struct guest *g)
{
    return g->over ? 0
                   : http_conn_out(hub_conn_http(g->hub))->len +
            engine_guest_queued(g->face->engine, g->conn);
}

static struct share *share_of(struct shares *s, const char *place)
{
    size_t i = 0;

    while (i < s->n && strcmp(s->of[i].place, place) != 0)
        i++;
    if (i == s->n && s->n < SHARES_MAX)
        s->of[s->n++] = (struct share){ .place = place };
    return &s->of[i < SHARES_MAX ? i : SHARES_MAX - 1];
}

static void drop_greatest(struct hub_face *f, struct shares *s)
{
    struct share *most = &s->of[0];
    struct guest *worst = NULL;
    size_t n;

    for (size_t i = 1; i < s->n; i++)
        if (s->of[i].bytes > most->bytes)
            most = &s->of[i];
    for (struct guest *g = f->guests; g != NULL; g = g->next)
        if (share_of(s, hub_conn_place(g->hub)) == most &&
            unsent_of(g) >= (worst != NULL ? unsent_of(worst) : 1))
            worst = g;
    if (worst == NULL)
        return;
    n = unsent_of(worst);
    most->bytes -= n;
    s->all -= n;
    worst->over = true;
    buf_free(http_conn_out(hub_conn_http(worst->hub)));
    engine_guest_drop(f->engine, worst->conn,
        "it has not read what it asked for, and much waits for others");
}

/* A token that asks for much on many connections and reads none of it fills no
 * memory, and takes nothing from others. */
static void relieve(struct hub_face *f)
{
    struct shares s;
    size_t before = SIZE_MAX;

    if (f->guests == NULL)
        return;
    s = (struct shares){ .n = 0 };
    for (struct guest *g = f->guests; g != NULL; g = g->next) {
        const size_t n = unsent_of(g);

        if (n == 0)
            continue;
        share_of(&s, hub_conn_place(g->hub))->bytes += n;
        s.all += n;
    }
    while (s.all > UNSENT_MAX && s.all < before && !PLANTED(R33_UNSENT)) {
        before = s.all;
        drop_greatest(f, &s);
    }
}

static bool on_up(void *ctx, uint64_t conn, const struct net_guest *who)
{
    const struct hub_caller caller = { who->remote, who->local, who->secure };
    struct hub_face *f = ctx;
    struct guest *g;

    if (f->engine == NULL || f->stopping || !has_room(f, &who->remote))
        return false;
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return false;
    g->face = f;
    g->conn = conn;
    g->remote = who->remote;
    g->read_us = clock_mono_us();
    if (hub_accept(&g->hub, f->hub, &caller, clock_mono_us()) != SYNCLINE_OK) {
        free(g);
        return false;
    }
    g->next = f->guests;
    f->guests = g;
    return true;
}

/* What a caller has sent behind a request is looked at when that is answered.
 */
static void go_on(struct guest *g)
{
    const uint64_t now_us = clock_mono_us();
    const uint64_t due = http_conn_deadline_ms(hub_conn_http(g->hub));

    if (!g->slow && due != 0 && due <= now_us / 1000)
        hub_conn_tick(g->hub, now_us);
}

/* Hands over what there is to send, as much as may wait, and says to both
 * sides whether more may come. */
static void pump(struct guest *g)
{
    struct engine *e = g->face->engine;
    struct http_conn *http = hub_conn_http(g->hub);
    struct buf *out = http_conn_out(http);
    size_t queued = engine_guest_queued(e, g->conn);

    while (out->len > 0 && queued < QUEUE_HIGH) {
        size_t n = out->len < QUEUE_HIGH ? out->len : QUEUE_HIGH;

        engine_guest_send(e, g->conn, SLICE(out->ptr, n));
        g->given += n;
        buf_consume(out, n);
        queued += n;
    }
    if (!g->slow && (out->len > 0 || queued >= QUEUE_HIGH))
        hub_conn_pace(g->hub, g->slow = true);
    else if (g->slow && out->len == 0 && queued <= QUEUE_LOW)
        hub_conn_pace(g->hub, g->slow = false);
    engine_guest_hold(
        e, g->conn, g->slow || http_conn_has_enough(http) || engine_is_full(e));
    if (!g->over && out->len == 0 && http_conn_is_over(http)) {
        g->over = true;
        engine_guest_close(e, g->conn, "all is said");
    }
}

static void on_bytes(void *ctx, uint64_t conn, struct slice bytes)
{
    struct hub_face *f = ctx;
    struct guest *g;

    if (engine_answers_bytes(f->engine) > GIVEN_MAX && !PLANTED(R33_UNSENT)) {
        engine_give(f->engine);
        relieve(f);
    }
    g = find(f, conn);
    if (g != NULL && !g->over)
        hub_conn_feed(g->hub, bytes, clock_mono_us());
}

static void on_down(void *ctx, uint64_t conn)
{
    struct guest *g = find(ctx, conn);

    if (g == NULL)
        return;
    hub_conn_end(g->hub);
    guest_drop(g);
}

struct net_guests hub_face_guests(struct hub_face *f)
{
    return (struct net_guests){ f, on_up, on_bytes, on_down, 0 };
}

void hub_face_turn(struct hub_face *f)
{
    for (struct guest *g = f->guests; g != NULL; g = g->next) {
        go_on(g);
        pump(g);
    }
    relieve(f);
}

void hub_face_stop(struct hub_face *f)
{
    f->stopping = true;
    for (struct guest *g = f->guests; g != NULL; g = g->next) {
        hub_conn_stop(g->hub);
        pump(g);
        if (!g->over)
            engine_guest_close(f->engine, g->conn, "the node stops");
        g->over = true;
    }
}

/* It has had something to read for so long, and has read none of it. */
static bool is_stalled(struct guest *g, uint64_t now_us)
{
    const size_t queued = engine_guest_queued(g->face->engine, g->conn);

    if (queued == 0 || g->given - queued != g->read) {
        g->read = g->given - queued;
        g->read_us = now_us;
    }
    return now_us - g->read_us >= g->face->opt.stall_us &&
        !PLANTED(R33_STALLED);
}

static void on_tick(uv_timer_t *t)
{
    struct hub_face *f = t->data;
    uint64_t now_us = clock_mono_us();

    for (struct guest *g = f->guests; g != NULL; g = g->next) {
        hub_conn_tick(g->hub, now_us);
        if (!g->over && is_stalled(g, now_us)) {
            g->over = true;
            engine_guest_drop(f->engine, g->conn, "it has stopped reading");
        }
    }
    if (f->engine != NULL)
        engine_web_look(f->engine);
}

/* ---- beginning and end ---- */

int hub_face_new(struct hub_face **out, const struct hub_face_options *opt)
{
    struct hub_face *f = calloc(1, sizeof *f);

    if (f == NULL)
        return SYNCLINE_ENOMEM;
    f->opt = *opt;
    *out = f;
    return SYNCLINE_OK;
}

int hub_face_start(struct hub_face *f, struct engine *e)
{
    size_t n;
    const struct netaddr *at = engine_listening(e, &n);
    struct hub_options opt = { .port = { .ctx = f,
                                   .request = on_request,
                                   .cancel = on_cancel,
                                   .pace = on_pace,
                                   .check = on_check,
                                   .check_session = on_check_session,
                                   .check_again = on_check_again,
                                   .take_place = on_take_place,
                                   .wall_us = on_wall_us },
        .tcp_port = n > 0 ? at[0].port : 0,
        .hosts = f->opt.hosts,
        .hosts_n = f->opt.hosts_n,
        .version = SYNCLINE_VERSION,
        .pages = f->opt.pages,
        .pages_n = f->opt.pages_n,
        .instances = f->opt.instances,
        .socketio = f->opt.socketio };
    int rc;

    opt.tls_hosts = engine_web_hosts(e, &opt.tls_hosts_n);
    rc = hub_new(&f->hub, &opt);

    if (rc != SYNCLINE_OK)
        return rc;
    f->engine = e;
    (void)uv_timer_init(f->opt.loop, &f->tick);
    f->tick.data = f;
    (void)uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
    uv_unref((uv_handle_t *)&f->tick);
    return SYNCLINE_OK;
}

static void hub_face_free(struct hub_face *f)
{
    hub_free(f->hub);
    free(f);
}

static void on_tick_closed(uv_handle_t *h)
{
    hub_face_free(h->data);
}

void hub_face_close(struct hub_face *f)
{
    if (f == NULL)
        return;
    f->engine = NULL;
    while (f->guests != NULL) {
        hub_conn_end(f->guests->hub);
        guest_drop(f->guests);
    }
    if (f->hub != NULL)
        uv_close((uv_handle_t *)&f->tick, on_tick_closed);
    else
        hub_face_free(f);
}
