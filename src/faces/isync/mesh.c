#include "faces/isync/mesh.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/plant.h"
#include "base/text.h"
#include "faces/isync/mesh_impl.h"

#define SMALL_BYTES                                          \
    ((size_t)400000) /* of a state that is told whole always \
                      */
#define PIECE_BYTES ((size_t)450000)
#define EVENT_BYTES 100 /* what stands around the packet */
#define ASKED_APART_US UINT64_C(1000000)
#define OTHERS_APART_US UINT64_C(5000000)

/* ---- the mesh ---- */

static void free_patterns(char **patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(patterns[i]);
    free(patterns);
}

int isync_mesh_set_rules(struct isync_mesh *m, const struct isync_rules *rules)
{
    char **made = calloc(rules->n > 0 ? rules->n : 1, sizeof *made);

    if (made == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < rules->n; i++) {
        made[i] = strdup(rules->patterns[i]);
        if (made[i] == NULL) {
            free_patterns(made, i);
            return SYNCLINE_ENOMEM;
        }
    }
    free_patterns(m->patterns, m->patterns_n);
    m->patterns = made;
    m->patterns_n = rules->n;
    return SYNCLINE_OK;
}

int isync_mesh_new(
    struct isync_mesh **out, const struct isync_mesh_options *opt)
{
    struct isync_mesh *m = calloc(1, sizeof *m);
    int rc;

    if (m == NULL)
        return SYNCLINE_ENOMEM;
    m->port = opt->port;
    m->interval_us =
        opt->interval_us > 0 ? opt->interval_us : ISYNC_INTERVAL_US;
    m->is_clear = opt->is_clear;
    m->refuses_clear = opt->refuses_clear;
    rc = slice_str(opt->node).len <= ISYNC_NODE_MAX ? SYNCLINE_OK
                                                    : SYNCLINE_EINVAL;
    if (rc == SYNCLINE_OK)
        rc = isync_state_new(&m->state, opt->node);
    if (rc == SYNCLINE_OK)
        rc = isync_held_new(&m->held);
    if (rc == SYNCLINE_OK)
        rc = isync_mesh_set_rules(m, &opt->rules);
    if (rc == SYNCLINE_OK)
        *out = m;
    else
        isync_mesh_free(m);
    return rc;
}

void isync_mesh_free(struct isync_mesh *m)
{
    if (m == NULL)
        return;
    while (m->links != NULL) {
        struct isync_link *next = m->links->next;

        free(m->links);
        m->links = next;
    }
    free_patterns(m->patterns, m->patterns_n);
    isync_state_free(m->state);
    isync_held_free(m->held);
    omap_free(&m->told);
    omap_free(&m->with_id);
    isync_keys_wipe(&m->keys);
    free(m);
}

void isync_mesh_keys(struct isync_mesh *m, const struct isync_keys *keys)
{
    m->keys = *keys;
    m->is_to_retry = keys->n > 0 && isync_held_n(m->held) > 0;
}

void isync_mesh_set_clear(
    struct isync_mesh *m, bool is_clear, bool refuses_clear)
{
    m->is_clear = is_clear;
    m->refuses_clear = refuses_clear;
}

/* Whoever was to be told later than that is told then. */
void isync_mesh_set_interval(
    struct isync_mesh *m, uint64_t interval_us, struct isync_time now)
{
    m->interval_us = interval_us > 0 ? interval_us : ISYNC_INTERVAL_US;
    for (struct isync_link *l = m->links; l != NULL; l = l->next)
        if (l->whole_us > now.mono_us + m->interval_us)
            l->whole_us = now.mono_us + m->interval_us;
}

const struct isync_state *isync_mesh_state(const struct isync_mesh *m)
{
    return m->state;
}

const struct isync_mesh_counts *isync_mesh_counts(const struct isync_mesh *m)
{
    return &m->counts;
}

void isync_mesh_log(
    struct isync_mesh *m, enum log_level level, const char *fmt, ...)
{
    char text[400];
    struct buf shown = { 0 };
    va_list ap;

    if (m->port.log == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put_inert(&shown, slice_str(text)); /* names are what peers say */
    buf_put_u8(&shown, 0);
    if (buf_status(&shown) == SYNCLINE_OK)
        m->port.log(m->port.ctx, level, (const char *)shown.ptr);
    buf_free(&shown);
}

void isync_mesh_dirty(struct isync_mesh *m)
{
    m->counts.held = isync_held_n(m->held);
    if (m->port.dirty != NULL)
        m->port.dirty(m->port.ctx);
}

/* ---- links ---- */

struct isync_link *isync_mesh_link(const struct isync_mesh *m, uint64_t number)
{
    struct isync_link *l = m->links;

    while (l != NULL && l->number != number)
        l = l->next;
    return l;
}

void isync_link_violates(struct isync_link *l, const char *what)
{
    if (l->m->port.violation != NULL)
        l->m->port.violation(l->m->port.ctx, l->number, what);
}

static void isync_link_drop(struct isync_link *l, const char *why)
{
    l->is_peer = false;
    l->is_dropped = true;
    l->m->port.drop(l->m->port.ctx, l->number, why);
}

/* An event whose argument names a node, and maybe how it stands. */
static void say_node(
    struct isync_link *l, const char *event, const char *status)
{
    struct isync_mesh *m = l->m;
    struct arena a = { 0 };
    struct json *arg = json_new(&a, JSON_OBJECT), *last;

    last = json_add(arg, SLICE_LIT("node_id"),
        json_new_str(&a, slice_str(isync_state_node(m->state))));
    if (status != NULL && last != NULL)
        last = json_add(
            arg, SLICE_LIT("status"), json_new_str(&a, slice_str(status)));
    if (last != NULL)
        m->port.emit(m->port.ctx, l->number, event, arg);
    else
        isync_mesh_log(m, LOG_LEVEL_ERROR, "%s: memory ran out", event);
    arena_free(&a);
}

int isync_mesh_open(
    struct isync_mesh *m, uint64_t link, bool is_caller, struct isync_time now)
{
    struct isync_link *l;

    (void)now;
    if (m->links_n >= ISYNC_LINKS_MAX)
        return SYNCLINE_ELIMIT;
    l = calloc(1, sizeof *l);
    if (l == NULL)
        return SYNCLINE_ENOMEM;
    l->m = m;
    l->number = link;
    l->is_caller = is_caller;
    l->next = m->links;
    m->links = l;
    m->links_n++;
    say_node(l, is_caller ? "node_info" : "peer_handshake", NULL);
    return SYNCLINE_OK;
}

void isync_mesh_close(struct isync_mesh *m, uint64_t link)
{
    struct isync_link **at = &m->links, *l;

    while (*at != NULL && (*at)->number != link)
        at = &(*at)->next;
    l = *at;
    if (l == NULL)
        return;
    *at = l->next;
    m->links_n--;
    isync_held_left(m->held, link);
    free(l);
}

void isync_mesh_pace(struct isync_mesh *m, uint64_t link, bool is_paused)
{
    struct isync_link *l = isync_mesh_link(m, link);

    if (l != NULL)
        l->is_paused = is_paused;
}

size_t isync_mesh_peers(const struct isync_mesh *m)
{
    size_t n = 0;

    for (const struct isync_link *l = m->links; l != NULL; l = l->next)
        n += l->is_peer;
    return n;
}

const char *isync_mesh_node_of(const struct isync_mesh *m, uint64_t link)
{
    const struct isync_link *l = isync_mesh_link(m, link);

    return l != NULL ? l->node : "";
}

bool isync_mesh_is_unread(const struct isync_mesh *m, uint64_t link)
{
    const struct isync_link *l = isync_mesh_link(m, link);

    return l != NULL && l->is_unread;
}

size_t isync_mesh_unread(
    const struct isync_mesh *m, struct slice *sources, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < isync_held_n(m->held); i++) {
        struct isync_packet_held p, before;
        bool is_first = true;

        isync_held_at(m->held, i, &p);
        for (size_t k = 0; k < i && is_first; k++) {
            isync_held_at(m->held, k, &before);
            is_first = !slice_eq(before.source, p.source);
        }
        if (is_first && n < room)
            sources[n] = p.source;
        n += is_first;
    }
    return n;
}

/* ---- handshakes ---- */

/* Who it is; false: nobody, or ourselves. */
static bool learn(struct isync_link *l, const struct json *arg)
{
    struct slice node = json_get_str(arg, "node_id");

    if (node.len == 0 || node.len > ISYNC_NODE_MAX || !utf8_valid(node) ||
        memchr(node.ptr, 0, node.len) != NULL)
        return false;
    if (l->is_caller && slice_is(node, isync_state_node(l->m->state)))
        return false;
    memcpy(l->node, node.ptr, node.len);
    l->node[node.len] = 0;
    if (!slice_is(node, isync_state_node(l->m->state)))
        return true;
    isync_link_drop(l, "it is ourselves, or has our name (isync.node_id)");
    return false;
}

static void become_peer(
    struct isync_link *l, uint64_t after_us, struct isync_time now)
{
    l->is_peer = true;
    l->is_asked = true;
    l->whole_us = now.mono_us + after_us;
    l->m->port.peer(l->m->port.ctx, l->number, slice_str(l->node));
}

/* Anybody can say any name: who comes from elsewhere takes no place of it. */
static bool is_same(const struct isync_link *l, const struct isync_link *o)
{
    const struct isync_mesh_port *port = &l->m->port;

    return o != l && o->is_caller && o->is_peer &&
        strcmp(o->node, l->node) == 0 &&
        (port->is_same_place == NULL || PLANTED(R12_ISYNC_NAME) ||
            port->is_same_place(port->ctx, l->number, o->number));
}

/* Of callers of one place that say they are the same the last one counts. */
static void on_handshake(
    struct isync_link *l, const struct json *arg, struct isync_time now)
{
    if (arg == NULL || arg->type != JSON_OBJECT) {
        isync_link_violates(l, "a handshake that is no object");
        return;
    }
    if (!l->is_caller || !learn(l, arg))
        return;
    for (struct isync_link *o = l->m->links; o != NULL; o = o->next)
        if (is_same(l, o))
            isync_link_drop(o, "the same node has called again");
    say_node(l, "handshake_response", "accepted");
    become_peer(l, ISYNC_CALLER_US, now);
}

static void on_response(
    struct isync_link *l, const struct json *arg, struct isync_time now)
{
    if (l->is_caller || !learn(l, arg))
        return;
    if (!slice_is(json_get_str(arg, "status"), "accepted")) {
        isync_mesh_log(l->m, LOG_LEVEL_WARN, "%s does not accept us", l->node);
        return;
    }
    if (l->is_peer)
        return;
    become_peer(l, ISYNC_CALLED_US, now);
    l->m->port.emit(l->m->port.ctx, l->number, "request_sync", NULL);
}

/* As the originals do, everybody is told; but not who was told just now. */
static void on_request(struct isync_link *asker, struct isync_time now)
{
    struct isync_mesh *m = asker->m;

    for (struct isync_link *l = m->links; l != NULL; l = l->next) {
        uint64_t apart = l == asker ? ASKED_APART_US : OTHERS_APART_US;
        uint64_t at = now.mono_us;

        if (!l->is_peer || (l != asker && !isync_mesh_is_small(m)))
            continue;
        if (l->began_us > 0 && at < l->began_us + apart)
            at = l->began_us + apart;
        if (l != asker && at > now.mono_us)
            continue;
        l->is_asked = true;
        if (l->whole_us == 0 || at < l->whole_us)
            l->whole_us = at;
    }
}

/* A Syncline that has much to say says ten messages of almost a megabyte a
 * second. */
bool isync_mesh_hears(
    struct isync_mesh *m, uint64_t link, size_t bytes, struct isync_time now)
{
    const struct pace_rule events = { .rate = 30, .burst = 100 };
    const struct pace_rule sizes = { .rate = ISYNC_HEARD_BYTES,
        .burst = 2 * ISYNC_HEARD_BYTES };
    struct isync_link *l = isync_mesh_link(m, link);

    if (l == NULL || l->is_dropped)
        return false;
    if ((pace_may(&l->pace, &events, 1, now.mono_us) &&
            pace_may(&l->pace_bytes, &sizes, bytes, now.mono_us)) ||
        PLANTED(R21_ISYNC)) {
        l->is_noisy = false;
        return true;
    }
    m->counts.dropped++;
    if (!l->is_noisy)
        isync_link_violates(l, "it says too much");
    l->is_noisy = true;
    return false;
}

void isync_mesh_event(struct isync_mesh *m, uint64_t link, struct slice name,
    const struct json *args, struct isync_time now)
{
    struct isync_link *l = isync_mesh_link(m, link);
    const struct json *arg =
        args != NULL && args->type == JSON_ARRAY ? args->first : NULL;

    if (l == NULL || l->is_dropped)
        return;
    if (slice_is(name, "node_info")) {
        if (!l->is_caller)
            (void)learn(l, arg);
    } else if (slice_is(name, "peer_handshake")) {
        on_handshake(l, arg, now);
    } else if (slice_is(name, "handshake_response")) {
        on_response(l, arg, now);
    } else if (slice_is(name, "sync_data")) {
        isync_take_packet(l, arg, now);
    } else if (slice_is(name, "request_sync")) {
        on_request(l, now);
    }
    isync_mesh_pump(m, now);
}

/* ---- our own writes, time ---- */

int isync_mesh_put(struct isync_mesh *m, struct slice path,
    const struct json *value, const struct json *record, uint64_t time_us,
    bool has_seen, struct isync_time now)
{
    int rc;

    if (!isync_mesh_takes(m, path, value, record))
        return SYNCLINE_EUNSUPPORTED;
    rc = isync_state_put(
        m->state, path, value, isync_stamp_of(time_us), has_seen);
    if (rc == SYNCLINE_OK) {
        (void)isync_mesh_mark(m, path, value);
        isync_mesh_dirty(m);
        isync_mesh_spread(m, now);
    }
    return rc;
}

int isync_mesh_del(
    struct isync_mesh *m, struct slice path, struct isync_time now)
{
    int rc = isync_state_del(m->state, path);

    if (rc == SYNCLINE_OK) {
        isync_mesh_dirty(m);
        isync_mesh_spread(m, now);
    }
    return rc;
}

void isync_mesh_push(struct isync_mesh *m, struct isync_time now)
{
    for (struct isync_link *l = m->links; l != NULL; l = l->next)
        if (l->is_peer) {
            uint64_t at = l->began_us > 0 ? l->began_us + ASKED_APART_US : 0;

            l->is_asked = true;
            l->whole_us = at > now.mono_us ? at : now.mono_us;
        }
    isync_mesh_pump(m, now);
}

void isync_mesh_tick(struct isync_mesh *m, struct isync_time now)
{
    if (m->is_to_retry)
        isync_take_again(m, now);
    m->is_to_retry = false;
    isync_mesh_pump(m, now);
}

uint64_t isync_mesh_deadline(const struct isync_mesh *m)
{
    uint64_t held = isync_held_deadline(m->held);
    uint64_t at = held > 0 && m->links != NULL ? held : UINT64_MAX;

    if (m->is_to_retry)
        return 1;
    for (const struct isync_link *l = m->links; l != NULL; l = l->next) {
        uint64_t due = isync_link_due(l);

        if (due < at)
            at = due;
    }
    if (at == UINT64_MAX)
        return 0;
    return at > 0 ? at : 1;
}
