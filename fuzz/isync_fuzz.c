/* isync_fuzz.c - a byte of flags, then steps of two iSync nodes without a link:
 * a byte says which, then mostly a piece follows: the JSON of an event's
 * arguments, of our own write, of what was saved, of a list of peers, or time
 * passes.
 *
 * Holds the laws: what is said is a packet that is read, no larger than an
 * original takes, and sealed unless it may be clear; what is told has a key and
 * a value that can be printed; what is saved is loaded and saved the same; a
 * state in parts is the state. */
#include "faces/isync/choose.h"
#include "faces/isync/mesh.h"
#include "faces/isync/packet.h"

#include "fuzz/fuzz.h"

#define SEC UINT64_C(1000000)
#define WALL_US UINT64_C(1728123456000000)

struct side {
    struct isync_mesh *mesh;
    struct isync_keys keys;
    uint64_t now_us, drawn;
    bool is_clear, is_dropped[4];
};

static void check_packet(const struct side *s, const struct json *arg)
{
    struct isync_packet p;
    struct buf b = { 0 };

    ENSURE(isync_packet_read(&p, arg, NULL) == SYNCLINE_OK);
    json_print(&b, arg, JSON_COMPACT);
    ENSURE(buf_status(&b) == SYNCLINE_OK && b.len < ISYNC_PACKET_MAX);
    buf_free(&b);
    if (slice_is(p.source, "us"))
        ENSURE(s->is_clear || p.state == NULL);
}

static void on_emit(
    void *ctx, uint64_t link, const char *name, const struct json *arg)
{
    struct side *s = ctx;

    ENSURE(link > 0 && link < 4 && !s->is_dropped[link]);
    if (strcmp(name, "sync_data") == 0)
        check_packet(s, arg);
    else if (strcmp(name, "request_sync") == 0)
        ENSURE(arg == NULL);
    else
        ENSURE(slice_is(json_get_str(arg, "node_id"), "us"));
}

static void on_changed(void *ctx, const struct isync_change *c)
{
    struct side *s = ctx;
    struct buf b = { 0 };

    ENSURE(c->key.len > 0 && c->key.len <= ISYNC_KEY_MAX);
    ENSURE(c->time_us <= WALL_US + s->now_us + ISYNC_FAR_US);
    if (c->value != NULL)
        json_print(&b, c->value, JSON_CANONICAL);
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    buf_free(&b);
}

static void on_name(void *ctx, uint64_t link, struct slice name)
{
    (void)ctx;
    (void)link;
    ENSURE(name.len > 0 && name.len <= ISYNC_NODE_MAX);
}

static void on_drop(void *ctx, uint64_t link, const char *why)
{
    struct side *s = ctx;

    ENSURE(!s->is_dropped[link] && why[0] != 0);
    s->is_dropped[link] = true;
}

static int draw(void *ctx, uint8_t *out, size_t n)
{
    struct side *s = ctx;

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(++s->drawn >> (i % 4 * 8));
    return SYNCLINE_OK;
}

static struct isync_mesh *mesh(struct side *s)
{
    static const char *const patterns[] = { "config.*.theme" };
    const struct isync_mesh_options opt = { .node = "us",
        .is_clear = s->is_clear,
        .rules = { patterns, 1 },
        .port = { .ctx = s,
            .emit = on_emit,
            .changed = on_changed,
            .applied = on_name,
            .peer = on_name,
            .drop = on_drop,
            .random = draw } };
    struct isync_mesh *m = NULL;

    ENSURE(isync_mesh_new(&m, &opt) == SYNCLINE_OK);
    return m;
}

static struct isync_time now(const struct side *s)
{
    return (struct isync_time){ WALL_US + s->now_us, s->now_us };
}

/* ---- steps ---- */

static struct json *parse(struct slice text, struct arena *a)
{
    struct json *v = NULL;

    return json_parse(&v, text, JSON_TOLERANT, a, NULL) == SYNCLINE_OK ? v
                                                                       : NULL;
}

static void event(struct side *s, struct pieces *p)
{
    static const char *const names[] = { "node_info", "peer_handshake",
        "handshake_response", "sync_data", "request_sync", "other" };
    const char *name = names[take_below(p, 6)];
    uint64_t link = 1 + take_below(p, 3);
    struct arena a = { 0 };
    struct json *args = json_new(&a, JSON_ARRAY);
    struct json *arg = parse(take_piece(p), &a);

    if (arg != NULL)
        json_append(args, arg);
    if (isync_mesh_hears(s->mesh, link, 1 + take_u8(p), now(s)))
        isync_mesh_event(s->mesh, link, slice_str(name), args, now(s));
    arena_free(&a);
}

/* A state that is sealed by our own token. */
static void sealed(struct side *s, struct pieces *p)
{
    uint64_t link = 1 + take_below(p, 3);
    struct arena a = { 0 };
    struct json *args = json_new(&a, JSON_ARRAY), *packet = NULL;
    uint8_t iv[FERNET_IV_LEN] = { take_u8(p) };
    const struct isync_packet_draft draft = { .node = "them",
        .wall_us = WALL_US + take_u8(p) * SEC,
        .state = parse(take_piece(p), &a),
        .keys = &s->keys,
        .iv = iv };

    if (draft.state != NULL &&
        isync_packet_make(&packet, &draft, &a) == SYNCLINE_OK) {
        json_append(args, packet);
        isync_mesh_event(s->mesh, link, SLICE_LIT("sync_data"), args, now(s));
    }
    arena_free(&a);
}

static void write(struct side *s, struct pieces *p)
{
    struct slice path = take_piece(p);
    struct arena a = { 0 };
    struct json *value = parse(take_piece(p), &a);
    int rc = SYNCLINE_OK;

    if (value == NULL)
        rc = isync_mesh_del(s->mesh, path, now(s));
    else
        rc = isync_mesh_put(s->mesh, path, value, value,
            WALL_US + take_u8(p) * SEC, take_below(p, 2) == 0, now(s));
    ENSURE(rc != SYNCLINE_ENOMEM);
    arena_free(&a);
}

static void load(struct side *s, struct slice text)
{
    struct isync_mesh *m = mesh(s);
    int rc = isync_mesh_load(m, text, NULL);

    ENSURE(rc == SYNCLINE_OK || rc == SYNCLINE_ECORRUPT ||
        rc == SYNCLINE_EVERSION);
    isync_mesh_free(m);
}

static void choose(struct slice text)
{
    struct arena a = { 0 };
    struct json *list = parse(text, &a);
    struct isync_repute *r = NULL;
    struct isync_peer out[3];
    size_t n;

    ENSURE(isync_repute_new(&r) == SYNCLINE_OK);
    isync_repute_load(r, list);
    n = isync_choose(out, 3, list, r, WALL_US);
    ENSURE(n <= 3);
    for (size_t i = 0; i < n; i++)
        ENSURE(out[i].url.len > 0);
    isync_repute_free(r);
    arena_free(&a);
}

static void step(struct side *s, struct pieces *p)
{
    uint64_t due;

    switch (take_below(p, 7)) {
    case 0:
    case 1:
        event(s, p);
        break;
    case 2:
        sealed(s, p);
        break;
    case 3:
        write(s, p);
        break;
    case 4:
        load(s, take_piece(p));
        break;
    case 5:
        choose(take_piece(p));
        break;
    default:
        s->now_us += take_u8(p) * SEC / 10;
        isync_mesh_tick(s->mesh, now(s));
        due = isync_mesh_deadline(s->mesh);
        ENSURE(due == 0 || due > s->now_us);
    }
}

/* ---- laws of what is there in the end ---- */

static struct buf saved_again(struct side *s, const struct buf *saved)
{
    struct isync_mesh *m = mesh(s);
    struct buf again = { 0 };

    ENSURE(isync_mesh_load(m, buf_slice(saved), NULL) == SYNCLINE_OK);
    ENSURE(isync_mesh_save(m, &again) == SYNCLINE_OK);
    isync_mesh_free(m);
    return again;
}

/* What several links have said under one name is one packet afterwards: the
 * links are gone. From then on it stays what it is. */
static void check_saved(struct side *s)
{
    struct buf first = { 0 }, second, third;

    ENSURE(isync_mesh_save(s->mesh, &first) == SYNCLINE_OK);
    second = saved_again(s, &first);
    third = saved_again(s, &second);
    ENSURE(first.len >= second.len);
    ENSURE(second.len == third.len);
    buf_free(&first);
    buf_free(&second);
    buf_free(&third);
}

static void check_parts(const struct isync_state *s)
{
    struct isync_state *to = NULL;
    struct isync_cut cut = { .bytes = 300 };
    struct isync_register r;

    ENSURE(isync_state_new(&to, "other") == SYNCLINE_OK);
    while (!cut.is_last) {
        struct arena a = { 0 };
        struct isync_merged done;
        struct json *v = isync_state_export(s, &cut, &a);

        ENSURE(v != NULL);
        ENSURE(isync_state_merge(to, v, 0, WALL_US, NULL, &done, NULL) ==
            SYNCLINE_OK);
        ENSURE(done.refused == 0 && done.left_out == 0);
        arena_free(&a);
    }
    ENSURE(isync_state_counts(to).registers == isync_state_counts(s).registers);
    ENSURE(isync_state_counts(to).deleted == isync_state_counts(s).deleted);
    if (isync_state_seek(s, SLICE_NONE, &r))
        ENSURE(isync_state_get(to, r.key, &r) == SYNCLINE_OK);
    isync_state_free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    uint8_t flags = take_u8(&p);
    struct side s = { .now_us = SEC, .is_clear = (flags & 1) != 0 };
    const struct isync_secret secret = { .token = SLICE_LIT("t") };

    ENSURE(isync_keys_at(&s.keys, &secret, 0) == SYNCLINE_OK);
    s.mesh = mesh(&s);
    if ((flags & 2) == 0)
        isync_mesh_keys(s.mesh, &s.keys);
    isync_mesh_set_clear(s.mesh, s.is_clear, (flags & 4) != 0);
    for (uint64_t link = 1; link < 4; link++)
        ENSURE(isync_mesh_open(s.mesh, link, link < 3, now(&s)) == SYNCLINE_OK);
    while (take_more(&p))
        step(&s, &p);
    check_saved(&s);
    check_parts(isync_mesh_state(s.mesh));
    isync_mesh_free(s.mesh);
    return 0;
}
