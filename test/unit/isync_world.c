#include "unit/isync_world.h"

#include <stdlib.h>

#include "faces/isync/keys.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"

#define WAY_US (5 * MS)

struct isync_time world_now(const struct world *w)
{
    return (struct isync_time){ WORLD_WALL_US + w->now_us, w->now_us };
}

/* ---- the port ---- */

static void say(struct world *w, uint64_t link, bool to_caller,
    struct slice name, struct slice args)
{
    struct said *s = malloc(sizeof *s + name.len + args.len);

    CHECK(s != NULL);
    *s = (struct said){
        .at_us = w->now_us + WAY_US, .link = link, .to_caller = to_caller
    };
    memcpy(s->bytes, name.ptr, name.len);
    memcpy(s->bytes + name.len, args.ptr, args.len);
    s->name = SLICE(s->bytes, name.len);
    s->args = SLICE(s->bytes + name.len, args.len);
    if (w->last != NULL)
        w->last->next = s;
    else
        w->first = s;
    w->last = s;
}

static void on_emit(
    void *ctx, uint64_t link, const char *name, const struct json *arg)
{
    struct world_node *n = ctx;
    struct world *w = n->w;
    const struct world_link *l = &w->links[link - 1];
    struct buf args = { 0 };

    CHECK(l->is_open);
    buf_put_str(&args, "[");
    if (arg != NULL)
        json_print(&args, arg, JSON_COMPACT);
    buf_put_str(&args, "]");
    CHECK_OK(buf_status(&args));
    if (strcmp(name, "sync_data") == 0) {
        w->packets++;
        n->parts += json_get(arg, "part") != NULL;
        n->largest = args.len > n->largest ? args.len : n->largest;
    }
    say(w, link, l->called == n - w->nodes, slice_str(name), buf_slice(&args));
    buf_free(&args);
}

static void on_changed(void *ctx, const struct isync_change *c)
{
    struct world_node *n = ctx;
    struct buf text = { 0 };

    if (c->value == NULL) {
        (void)omap_del(&n->space, c->key);
        return;
    }
    json_print(&text, c->value, JSON_CANONICAL);
    CHECK_OK(buf_status(&text));
    CHECK_OK(omap_put(&n->space, c->key, buf_slice(&text)));
    buf_free(&text);
}

static void on_applied(void *ctx, uint64_t link, struct slice source)
{
    (void)link;
    CHECK(source.len > 0);
    ((struct world_node *)ctx)->applied++;
}

static void on_peer(void *ctx, uint64_t link, struct slice node)
{
    (void)link;
    CHECK(node.len > 0 && !slice_is(node, ((struct world_node *)ctx)->name));
}

/* As a face would, not at once. */
static void on_drop(void *ctx, uint64_t link, const char *why)
{
    struct world_node *n = ctx;

    CHECK(why[0] != 0);
    say(n->w, link, false, SLICE_LIT(""), SLICE_LIT("[]"));
}

static void on_violation(void *ctx, uint64_t link, const char *what)
{
    (void)link;
    CHECK(what[0] != 0);
    ((struct world_node *)ctx)->violations++;
}

static void on_dirty(void *ctx)
{
    ((struct world_node *)ctx)->dirty++;
}

/* Never twice, and the same in every run. */
static int on_random(void *ctx, uint8_t *out, size_t n)
{
    struct world_node *w = ctx;

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((w->drawn + (uint64_t)w->name[0]) >> (i % 8 * 8));
    w->drawn += 256;
    return SYNCLINE_OK;
}

/* ---- nodes and links ---- */

int world_add(
    struct world *w, const char *name, const char *token, bool is_clear)
{
    struct world_node *n = &w->nodes[w->nodes_n];
    const struct isync_mesh_options opt = { .node = name,
        .is_clear = is_clear,
        .port = { .ctx = n,
            .emit = on_emit,
            .changed = on_changed,
            .applied = on_applied,
            .peer = on_peer,
            .drop = on_drop,
            .violation = on_violation,
            .dirty = on_dirty,
            .random = on_random } };

    *n = (struct world_node){ .w = w, .name = name };
    CHECK(w->nodes_n < WORLD_NODES);
    CHECK_OK(isync_mesh_new(&n->mesh, &opt));
    if (token != NULL)
        world_token(w, w->nodes_n, token);
    return w->nodes_n++;
}

void world_token(struct world *w, int node, const char *token)
{
    const struct isync_secret secret = { .token = slice_str(token) };
    struct isync_keys keys;

    CHECK_OK(isync_keys_at(&keys, &secret, 0));
    isync_mesh_keys(w->nodes[node].mesh, &keys);
}

void world_free(struct world *w)
{
    for (int i = 0; i < w->nodes_n; i++) {
        isync_mesh_free(w->nodes[i].mesh);
        omap_free(&w->nodes[i].space);
        buf_free(&w->nodes[i].heard);
    }
    while (w->first != NULL) {
        struct said *next = w->first->next;

        free(w->first);
        w->first = next;
    }
}

static struct world_node *end_of(
    struct world *w, const struct world_link *l, bool caller)
{
    int node = caller ? l->caller : l->called;

    return node < 0 ? NULL : &w->nodes[node];
}

uint64_t world_link(struct world *w, int caller, int called)
{
    struct world_link *l = &w->links[w->links_n++];
    uint64_t number = (uint64_t)w->links_n;

    CHECK(w->links_n <= WORLD_LINKS);
    *l = (struct world_link){ caller, called, true };
    if (called >= 0)
        CHECK_OK(
            isync_mesh_open(w->nodes[called].mesh, number, true, world_now(w)));
    if (caller >= 0)
        CHECK_OK(isync_mesh_open(
            w->nodes[caller].mesh, number, false, world_now(w)));
    return number;
}

void world_cut(struct world *w, uint64_t link)
{
    struct world_link *l = &w->links[link - 1];

    if (!l->is_open)
        return;
    l->is_open = false;
    if (l->called >= 0)
        isync_mesh_close(w->nodes[l->called].mesh, link);
    if (l->caller >= 0)
        isync_mesh_close(w->nodes[l->caller].mesh, link);
}

/* ---- time ---- */

static void hear(struct world *w, const struct said *s)
{
    struct world_link *l = &w->links[s->link - 1];
    struct world_node *n = end_of(w, l, s->to_caller);
    struct arena a = { 0 };
    struct json *args = NULL;

    if (!l->is_open)
        return;
    if (s->name.len == 0) {
        world_cut(w, s->link);
        return;
    }
    if (n == NULL)
        return;
    CHECK_OK(json_parse(&args, s->args, JSON_TOLERANT, &a, NULL));
    if (n->is_listening)
        buf_printf(&n->heard, "%llu %.*s;",
            (unsigned long long)(w->now_us / MS), SLICE_FMT(s->name));
    if (isync_mesh_hears(n->mesh, s->link, s->args.len, world_now(w)))
        isync_mesh_event(n->mesh, s->link, s->name, args, world_now(w));
    arena_free(&a);
}

static uint64_t next_us(const struct world *w)
{
    uint64_t at = w->first != NULL ? w->first->at_us : UINT64_MAX;

    for (int i = 0; i < w->nodes_n; i++) {
        uint64_t due = isync_mesh_deadline(w->nodes[i].mesh);

        if (due > 0 && due < at)
            at = due;
    }
    return at > w->now_us ? at : w->now_us;
}

void world_run(struct world *w, uint64_t us)
{
    const uint64_t end_us = w->now_us + us;
    uint64_t steps = 0;

    while (next_us(w) <= end_us) {
        w->now_us = next_us(w);
        CHECK(++steps < 1000000);
        while (w->first != NULL && w->first->at_us <= w->now_us) {
            struct said *s = w->first;

            w->first = s->next;
            if (w->first == NULL)
                w->last = NULL;
            hear(w, s);
            free(s);
        }
        for (int i = 0; i < w->nodes_n; i++) {
            uint64_t due = isync_mesh_deadline(w->nodes[i].mesh);

            if (due == 0 || due > w->now_us)
                continue;
            isync_mesh_tick(w->nodes[i].mesh, world_now(w));
            due = isync_mesh_deadline(w->nodes[i].mesh);
            CHECK(due == 0 || due > w->now_us);
        }
    }
    w->now_us = end_us;
}

/* ---- what is written and read ---- */

void world_put(struct world *w, int node, const char *key, const char *value)
{
    struct world_node *n = &w->nodes[node];
    struct arena a = { 0 };
    struct json *v = isync_json(&a, value);
    struct buf text = { 0 };

    json_print(&text, v, JSON_CANONICAL);
    CHECK_OK(omap_put(&n->space, slice_str(key), buf_slice(&text)));
    CHECK_OK(isync_mesh_put(n->mesh, slice_str(key), v, NULL,
        world_now(w).wall_us, true, world_now(w)));
    buf_free(&text);
    arena_free(&a);
}

void world_del(struct world *w, int node, const char *key)
{
    (void)omap_del(&w->nodes[node].space, slice_str(key));
    CHECK_OK(isync_mesh_del(w->nodes[node].mesh, slice_str(key), world_now(w)));
}

void world_say(
    struct world *w, uint64_t link, int to, const char *name, const char *args)
{
    struct arena a = { 0 };
    struct buf text = { 0 };

    json_print(&text, isync_json(&a, args), JSON_COMPACT);
    say(w, link, w->links[link - 1].caller == to, slice_str(name),
        buf_slice(&text));
    buf_free(&text);
    arena_free(&a);
}

struct slice world_value(const struct world *w, int node, const char *key)
{
    const struct omap_node *n = omap_get(&w->nodes[node].space, slice_str(key));

    return n != NULL ? n->value : SLICE_LIT("");
}

static void check_state(const struct world_node *n)
{
    const struct isync_state *s = isync_mesh_state(n->mesh);

    CHECK_UINT(isync_state_counts(s).registers, n->space.n);
    for (const struct omap_node *v = omap_first(&n->space); v != NULL;
         v = omap_next(v)) {
        struct isync_register r;
        struct arena a = { 0 };
        struct json *x = NULL, *y = NULL;

        CHECK_OK(isync_state_get(s, v->key, &r));
        CHECK_OK(json_parse(&x, r.value, JSON_TOLERANT, &a, NULL));
        CHECK_OK(json_parse(&y, v->value, JSON_TOLERANT, &a, NULL));
        CHECK(json_equal(x, y));
        arena_free(&a);
    }
}

void world_check_same(const struct world *w)
{
    const struct omap *first = &w->nodes[0].space;

    for (int i = 0; i < w->nodes_n; i++) {
        const struct omap_node *a = omap_first(first),
                               *b = omap_first(&w->nodes[i].space);

        for (; a != NULL && b != NULL; a = omap_next(a), b = omap_next(b)) {
            CHECK_BYTES(b->key, a->key);
            CHECK_BYTES(b->value, a->value);
        }
        CHECK(a == NULL && b == NULL);
        check_state(&w->nodes[i]);
    }
}
