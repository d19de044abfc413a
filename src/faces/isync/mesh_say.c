/* What is said to which peer, and when. */
#include "faces/isync/mesh.h"

#include "faces/isync/mesh_impl.h"

#define SMALL_BYTES                                          \
    ((size_t)400000) /* of a state that is told whole always \
                      */
#define PIECE_BYTES ((size_t)450000)
#define EVENT_BYTES 100 /* what stands around the packet */

bool isync_mesh_is_small(const struct isync_mesh *m)
{
    return isync_state_counts(m->state).bytes <= SMALL_BYTES;
}

static bool can_say(const struct isync_mesh *m)
{
    return m->is_clear || (m->keys.can_seal && m->keys.n > 0);
}

/* The more there is to be said at a time, the more is gathered for it. */
void isync_mesh_spread(struct isync_mesh *m, struct isync_time now)
{
    const uint64_t more_us =
        isync_mesh_is_small(m) ? isync_state_counts(m->state).bytes / 4 : 0;

    for (struct isync_link *l = m->links; l != NULL; l = l->next)
        if (l->is_peer && l->new_us == 0)
            l->new_us = now.mono_us + ISYNC_GATHER_US + more_us;
}

static void begin_sweep(struct isync_link *l, struct isync_time now)
{
    l->is_whole = true;
    l->told = 0;
    /* Two links may begin at once. */
    l->part = (struct isync_part){ .sweep = now.wall_us + l->number % 1000 };
}

/* What stands before it on the link makes it a part. */
static struct isync_part part_of(
    const struct isync_link *l, const struct isync_cut *cut)
{
    struct isync_part part = l->part;

    part.n++;
    part.is_last = l->is_whole && cut->is_last;
    return part.is_last && part.n == 1 ? (struct isync_part){ 0 } : part;
}

static int make(struct json **out, struct isync_link *l,
    const struct json *part, const struct isync_cut *cut,
    const struct json *records, struct isync_time now, struct arena *a)
{
    struct isync_mesh *m = l->m;
    uint8_t iv[FERNET_IV_LEN];
    const bool is_sealed = m->keys.can_seal && m->keys.n > 0;
    const struct isync_packet_draft draft = {
        .node = isync_state_node(m->state),
        .wall_us = now.wall_us,
        .state = part,
        .records = records,
        .keys = &m->keys,
        .iv = is_sealed ? iv : NULL,
        .is_clear = m->is_clear,
        .part = part_of(l, cut),
    };
    int rc =
        is_sealed ? m->port.random(m->port.ctx, iv, sizeof iv) : SYNCLINE_OK;

    return rc == SYNCLINE_OK ? isync_packet_make(out, &draft, a) : rc;
}

static bool fits(const struct json *packet)
{
    struct buf b = { .max = ISYNC_PACKET_MAX - EVENT_BYTES };
    bool does;

    json_print(&b, packet, JSON_COMPACT);
    does = buf_status(&b) == SYNCLINE_OK;
    buf_free(&b);
    return does;
}

/* The next part of what it has not been told, as a packet that fits; *out NULL:
 * there is nothing in it. ELIMIT: one register alone is too large. */
static int next_packet(struct json **out, struct isync_link *l,
    struct isync_cut *cut, struct isync_time now, struct arena *a)
{
    struct isync_mesh *m = l->m;
    const struct isync_cut from = *cut;
    size_t bytes = PIECE_BYTES;

    for (;;) {
        struct json *part, *records = NULL, *packet = NULL;
        int rc;

        *cut = from;
        cut->bytes = bytes;
        part = isync_state_export(m->state, cut, a);
        if (m->is_clear && part != NULL)
            records = isync_records_of(m->state, part, a);
        if (part == NULL || (m->is_clear && records == NULL))
            return SYNCLINE_ENOMEM;
        *out = NULL;
        if (cut->n == 0 && !l->is_whole)
            return SYNCLINE_OK;
        rc = make(&packet, l, part, cut, records, now, a);
        if (rc == SYNCLINE_OK && !fits(packet) && cut->n <= 1)
            rc = make(&packet, l, part, cut, NULL, now, a);
        if (rc == SYNCLINE_OK && fits(packet))
            *out = packet;
        if (rc != SYNCLINE_OK || *out != NULL)
            return rc;
        if (cut->n <= 1)
            return SYNCLINE_ELIMIT;
        bytes /= 4;
        arena_reset(a);
    }
}

static void say_next(struct isync_link *l, struct isync_time now)
{
    struct isync_mesh *m = l->m;
    struct isync_cut cut = { .after = l->told,
        .not_of = l->is_whole ? 0 : l->number };
    struct arena a = { 0 };
    struct json *packet = NULL;
    int rc = next_packet(&packet, l, &cut, now, &a);

    if (rc == SYNCLINE_ELIMIT) {
        m->counts.left_out++;
        isync_mesh_log(m, LOG_LEVEL_WARN,
            "an item is too large for iSync, and is left out");
    } else if (rc != SYNCLINE_OK) {
        isync_mesh_log(
            m, LOG_LEVEL_ERROR, "a packet for %s could not be made", l->node);
        cut.is_last = true; /* the next interval tries again */
    }
    if (rc == SYNCLINE_OK || rc == SYNCLINE_ELIMIT)
        l->told = cut.after;
    if (packet != NULL) {
        m->counts.sent++;
        l->part.n++;
        l->next_us = now.mono_us + ISYNC_PACE_US;
        m->port.emit(m->port.ctx, l->number, "sync_data", packet);
    }
    if (cut.is_last) {
        l->is_whole = false;
        l->new_us = 0;
    }
    arena_free(&a);
}

/* Is there anything new that it has not brought itself? */
static bool has_news(const struct isync_link *l)
{
    struct isync_cut cut = {
        .after = l->told, .not_of = l->number, .bytes = 1
    };
    struct arena a = { 0 };
    bool has = isync_state_export(l->m->state, &cut, &a) == NULL || cut.n > 0;

    arena_free(&a);
    return has;
}

/* Says one packet, or finds that there is none to be said. What is new in a
 * small state is said with all of it, as the originals do: then the newest
 * packet is all that others have to keep. */
static void say_part(struct isync_link *l, struct isync_time now)
{
    struct isync_mesh *m = l->m;

    if (!l->is_whole && isync_mesh_is_small(m) && has_news(l))
        begin_sweep(l, now);
    say_next(l, now);
}

/* Passes one foreign packet on. False: there is none. */
static bool pass_on(struct isync_link *l, struct isync_time now)
{
    struct isync_mesh *m = l->m;
    struct isync_packet_held p;
    struct arena a = { 0 };
    struct json *v = NULL;

    do {
        if (!isync_held_next(m->held, l->passed, &p))
            return false;
        l->passed = p.seq;
    } while (p.from == l->number || slice_is(p.source, l->node));
    if (json_parse(&v, p.text, JSON_TOLERANT, &a, NULL) == SYNCLINE_OK) {
        m->counts.relayed++;
        l->next_us = now.mono_us + ISYNC_PACE_US;
        m->port.emit(m->port.ctx, l->number, "sync_data", v);
    }
    arena_free(&a);
    return true;
}

/* A large state is not told whole each time, but what is new in it; and when
 * very many are to be told all, they wait for each other. */
static void begin_whole(struct isync_link *l, struct isync_time now)
{
    const struct pace_rule rule = { .rate = 20, .burst = 40 };

    if (!pace_may(&l->m->wholes, &rule, 1, now.mono_us)) {
        l->whole_us = now.mono_us + ISYNC_PACE_US;
        return;
    }
    l->whole_us = now.mono_us + l->m->interval_us;
    if (l->is_whole)
        return; /* who asks again and again would never see the end */
    l->began_us = now.mono_us;
    if (isync_mesh_is_small(l->m) || l->is_asked ||
        now.mono_us >= l->swept_us + ISYNC_SWEEP_US) {
        l->is_asked = false;
        l->swept_us = now.mono_us;
        begin_sweep(l, now);
    } else if (l->new_us == 0) {
        l->new_us = now.mono_us;
    }
}

/* When the link has something to say; UINT64_MAX: nothing is planned. */
uint64_t isync_link_due(const struct isync_link *l)
{
    const struct isync_mesh *m = l->m;
    struct isync_packet_held p;
    uint64_t at = UINT64_MAX;

    if (!l->is_peer || l->is_paused)
        return at;
    if (can_say(m)) {
        at = l->whole_us;
        if (l->is_whole)
            at = 0;
        else if (l->new_us > 0 && l->new_us < at)
            at = l->new_us;
    }
    if (isync_held_next(m->held, l->passed, &p))
        at = 0;
    return at > l->next_us ? at : l->next_us;
}

static void pump(struct isync_link *l, struct isync_time now)
{
    while (isync_link_due(l) <= now.mono_us) {
        if (can_say(l->m) && l->whole_us <= now.mono_us)
            begin_whole(l, now);
        if (can_say(l->m) &&
            (l->is_whole || (l->new_us > 0 && l->new_us <= now.mono_us)))
            say_part(l, now);
        else
            (void)pass_on(l, now);
    }
}

void isync_mesh_pump(struct isync_mesh *m, struct isync_time now)
{
    isync_held_tick(m->held, now.mono_us);
    for (struct isync_link *l = m->links; l != NULL; l = l->next)
        pump(l, now);
}
