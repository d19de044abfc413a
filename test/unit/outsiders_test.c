/* A deletion's record waits for those who are no members, and no longer. */
#include "unit/lone_node.h"

#include <stdio.h>

#define HOUR_US UINT64_C(3600000000)

static void begin(struct lone *w)
{
    lone_open(w);
    w->node->opt.retention_us = HOUR_US;
    ask(w, "{\"op\":\"put\",\"key\":\"k\",\"value\":1}");
}

static uint64_t wall(const struct lone *w)
{
    return 1700000000000000 + w->now_us;
}

/* at: NULL: nobody waits for it. seen: 0: it is here. */
static void outsider(
    struct lone *w, const char *space, const char *at, uint64_t seen_us)
{
    struct event ev = { .type = EV_OUTSIDER };
    struct json *args = NULL;
    struct arena a = { 0 };
    char text[300];
    int n = snprintf(
        text, sizeof text, "{\"space\":\"%s\",\"name\":\"old\"", space);

    if (at != NULL)
        n += snprintf(text + n, sizeof text - (size_t)n,
            ",\"at\":\"%s\",\"seen\":%llu", at, (unsigned long long)seen_us);
    (void)snprintf(text + n, sizeof text - (size_t)n, "}");
    CHECK_OK(json_parse(&args, slice_str(text), JSON_WRAPPED, &a, NULL));
    ev.args = args;
    step(w, ev);
    arena_free(&a);
}

/* The cursor of whatever a watch tells now. */
static void cursor(struct lone *w, char out[200])
{
    struct event ev = { .type = EV_REQUEST, .request = 2 };
    const struct effect *fx;
    struct json *args = NULL;
    struct arena a = { 0 };
    size_t n;

    CHECK_OK(
        json_parse(&args, SLICE_LIT("{\"op\":\"watch\",\"from\":\"start\"}"),
            JSON_WRAPPED, &a, NULL));
    ev.args = args;
    ev.now_us = w->now_us;
    ev.wall_us = wall(w);
    out[0] = 0;
    for (int i = 0; i < 3 && out[0] == 0; i++) {
        CHECK_OK(node_step(w->node, &ev, &fx, &n));
        for (size_t k = 0; k < n; k++) {
            struct json *v = NULL;

            if (fx[k].type != FX_REPLY)
                continue;
            CHECK_OK(json_parse(&v, fx[k].bytes, JSON_WRAPPED, &a, NULL));
            (void)snprintf(
                out, 200, "%.*s", SLICE_FMT(json_get_str(v, "cursor")));
        }
        ev = (struct event){
            .type = EV_FLUSH, .now_us = w->now_us, .wall_us = wall(w)
        };
    }
    CHECK(out[0] != 0);
    arena_free(&a);
}

static void delete_and_wait(struct lone *w)
{
    ask(w, "{\"op\":\"del\",\"key\":\"k\"}");
    for (int i = 0; i < 30; i++)
        tick(w);
}

TEST(without_anybody_it_goes)
{
    struct lone w;

    begin(&w);
    delete_and_wait(&w);
    CHECK_UINT(w.node->counts.collected, 1);
    lone_close(&w);
}

TEST(it_waits_for_who_is_here_until_he_has_it)
{
    struct lone w;
    char at[200];

    begin(&w);
    cursor(&w, at);
    outsider(&w, "default", at, 0);
    delete_and_wait(&w);
    CHECK_UINT(w.node->counts.collected, 0);
    cursor(&w, at);
    outsider(&w, "default", at, 0);
    for (int i = 0; i < 30; i++)
        tick(&w);
    CHECK_UINT(w.node->counts.collected, 1);
    lone_close(&w);
}

TEST(it_waits_for_who_left_as_long_as_the_retention)
{
    struct lone w;
    uint64_t left;

    begin(&w);
    left = wall(&w);
    outsider(&w, "default", "", left);
    delete_and_wait(&w);
    CHECK_UINT(w.node->counts.collected, 0);
    while (wall(&w) < left + HOUR_US)
        tick(&w);
    for (int i = 0; i < 30; i++)
        tick(&w);
    CHECK_UINT(w.node->counts.collected, 1);
    lone_close(&w);
}

TEST(nobody_waits_for_who_is_forgotten_or_of_another_space)
{
    struct lone w;

    begin(&w);
    outsider(&w, "default", "", 0);
    outsider(&w, "elsewhere", "", 0);
    delete_and_wait(&w);
    CHECK_UINT(w.node->counts.collected, 0);
    outsider(&w, "default", NULL, 0);
    for (int i = 0; i < 30; i++)
        tick(&w);
    CHECK_UINT(w.node->counts.collected, 1);
    lone_close(&w);
}
