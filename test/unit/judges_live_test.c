/* The judges that look at running nodes, each shown what it must not let
 * pass. */
#include "unit/check.h"

#include "sim/check.h"
#include "sim/world.h"

#include <stdlib.h>

/* Two nodes that have never met. */
struct scene {
    struct world *w;
    struct arena arena;
};

static void scene_init(struct scene *s)
{
    struct world_options opt = { .seed = 1, .machines = 2, .lonely = true };

    *s = (struct scene){ .w = sim_alloc(1, sizeof *s->w) };
    world_init(s->w, &opt);
}

static void scene_close(struct scene *s)
{
    world_close(s->w);
    free(s->w);
    arena_free(&s->arena);
}

static bool judged(const struct scene *s, const char *rule)
{
    if (!s->w->failed)
        return false;
    if (strncmp(s->w->why.text, rule, strlen(rule)) != 0)
        check_fail(
            __FILE__, __LINE__, "%s instead of %s", s->w->why.text, rule);
    return true;
}

/* Nothing is left that it would send or tell. */
static void settle(struct machine *m)
{
    while (m->flush_planned || node_wants_flush(m->node)) {
        struct event flush = { .type = EV_FLUSH };

        m->flush_planned = false;
        machine_step(m, &flush);
    }
}

TEST(what_is_written_at_rest_and_stays_where_it_was)
{
    struct scene s;

    scene_init(&s);
    for (unsigned i = 0; i < 2; i++)
        check_alive_begin(s.w, &s.w->machines[i]);
    check_alive(s.w);
    CHECK(!s.w->failed);
    s.w->opt.lonely = false;
    check_alive(s.w);
    CHECK(judged(&s, "live"));
    scene_close(&s);
}

/* ---- watches ---- */

#define CURSOR "\"cursor\":\"00112233445566778899aabbccddeeff:"

/* Somebody who was told up to item "b" of the fifth commit. */
static void watching(struct scene *s, struct watcher *v)
{
    scene_init(s);
    *v = (struct watcher){ .machine = &s->w->machines[0],
        .request = 1,
        .space = "default",
        .prefix = "",
        .at = { 5, SLICE_LIT("62") } };
    settle(v->machine);
}

static bool event_passes(
    struct scene *s, const struct watcher *v, const char *text)
{
    struct json *event;

    CHECK_OK(json_parse(&event, slice_str(text), JSON_STRICT, &s->arena, NULL));
    check_watch_event(s->w, v, event);
    return !judged(s, "I12");
}

TEST(events_that_come_once_and_in_order)
{
    static const char *const rows[] = {
        "{" CURSOR "5:63\",\"key\":\"c\",\"value\":1}",
        "{" CURSOR "5\",\"key\":\"c\",\"value\":1}",
        "{" CURSOR "6:61\",\"key\":\"a\",\"deleted\":true}",
        "{" CURSOR "10\",\"live\":true}",
    };
    struct watcher v;
    struct scene s;

    watching(&s, &v);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_SAYING(event_passes(&s, &v, rows[i]), "%s", rows[i]);
    scene_close(&s);
}

TEST(events_that_come_twice_or_too_late)
{
    static const char *const rows[] = {
        "{" CURSOR "5:62\",\"key\":\"b\",\"value\":1}",
        "{" CURSOR "5:61\",\"key\":\"a\",\"value\":1}",
        "{" CURSOR "4\",\"key\":\"z\",\"value\":1}",
        "{" CURSOR "4\",\"live\":true}",
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct watcher v;
        struct scene s;

        watching(&s, &v);
        CHECK_SAYING(!event_passes(&s, &v, rows[i]), "%s", rows[i]);
        scene_close(&s);
    }
}

TEST(a_watch_that_is_live_twice)
{
    struct watcher v;
    struct scene s;

    watching(&s, &v);
    v.live = true;
    CHECK(!event_passes(&s, &v, "{" CURSOR "6\",\"live\":true}"));
    scene_close(&s);
}

TEST(a_watch_from_the_start_that_tells_of_the_dead)
{
    struct watcher v;
    struct scene s;

    watching(&s, &v);
    v.anew = true;
    CHECK(!event_passes(
        &s, &v, "{" CURSOR "6\",\"key\":\"a\",\"deleted\":true}"));
    scene_close(&s);
}

TEST(a_watch_that_believes_what_is_not_there)
{
    struct watcher v;
    struct scene s;

    watching(&s, &v);
    v.live = true;
    check_watch(s.w, &v);
    CHECK(!s.w->failed);
    CHECK_OK(omap_put(&v.told, SLICE_LIT("k"), SLICE_LIT("1")));
    check_watch(s.w, &v);
    CHECK(judged(&s, "I12"));
    watcher_free(&v);
    scene_close(&s);
}

TEST(a_watch_that_was_not_told_of_something)
{
    struct watcher v;
    struct scene s;

    watching(&s, &v);
    v.live = true;
    check_alive_begin(s.w, v.machine);
    check_watch(s.w, &v);
    CHECK(!s.w->failed); /* it may still come */
    settle(v.machine);
    check_watch(s.w, &v);
    CHECK(judged(&s, "I12"));
    scene_close(&s);
}

TEST(a_watch_that_never_gets_live)
{
    struct watcher v;
    struct scene s;

    watching(&s, &v);
    check_watch(s.w, &v);
    CHECK(judged(&s, "I12"));
    scene_close(&s);
}

/* ---- limits ---- */

TEST(a_node_that_keeps_to_its_limits)
{
    struct scene s;

    scene_init(&s);
    for (unsigned i = 0; i < 2; i++) {
        check_alive_begin(s.w, &s.w->machines[i]);
        check_limits(s.w, &s.w->machines[i]);
        check_history(s.w, &s.w->machines[i]);
    }
    CHECK(!s.w->failed);
    scene_close(&s);
}

/* Each row is one thing too much of what an idle node keeps. */
TEST(a_node_that_keeps_too_much)
{
#define SIZE(name)                               \
    {                                            \
#name, offsetof(struct node_sizes, name) \
    }
    static const struct {
        const char *name;
        size_t at;
    } rows[] = { SIZE(conns), SIZE(waits), SIZE(watches), SIZE(resolving),
        SIZE(acks), SIZE(pending), SIZE(held_rows), SIZE(in_flight),
        SIZE(asked_ranges), SIZE(early_bytes), SIZE(vector),
        SIZE(session_bytes), SIZE(step_bytes), SIZE(lasting_bytes) };
#undef SIZE

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t much = (uint64_t)1 << 40;
        struct node_sizes z;
        struct scene s;

        scene_init(&s);
        settle(&s.w->machines[0]);
        node_sizes(s.w->machines[0].node, &z);
        z.all_durable = true;
        memcpy((uint8_t *)&z + rows[i].at, &much, sizeof much);
        check_sizes(s.w, &s.w->machines[0], &z);
        CHECK_SAYING(judged(&s, "I13"), "%s", rows[i].name);
        scene_close(&s);
    }
}

TEST(a_past_that_is_too_long)
{
    struct scene s;

    scene_init(&s);
    s.w->machines[0].history_keep = 3;
    for (int i = 0; i < 5; i++) { /* the last one is the present */
        check_history(s.w, &s.w->machines[0]);
        CHECK(!s.w->failed);
        check_alive_begin(s.w, &s.w->machines[0]);
    }
    check_history(s.w, &s.w->machines[0]);
    CHECK(judged(&s, "I13"));
    scene_close(&s);
}
