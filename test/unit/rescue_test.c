/* The ops `rescue` and `rescue_apply`, with nodes that join a mesh in which
 * what they bring has been deleted. */
#include "unit/library_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HOUR_MS 3600000
#define PATIENCE_S 20

/* ---- asking ---- */

static char *ask(const struct site *x, const char *request)
{
    char *answer;

    CHECK_OK(syncline_request(x->s, request, &answer));
    return answer;
}

static void check_says(
    const struct site *x, const char *request, const char *want)
{
    char *answer = ask(x, request);

    CHECK_SAYING(
        strstr(answer, want) != NULL, "%s: %s, not %s", request, answer, want);
    syncline_free(answer);
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;

    while ((text = strstr(text, word)) != NULL) {
        n++;
        text += strlen(word);
    }
    return n;
}

static unsigned values_of(const struct site *x, const char *request)
{
    char *answer = ask(x, request);
    unsigned n = count(answer, "{\"id\":");

    syncline_free(answer);
    return n;
}

#define ALL "{\"op\":\"rescue\"}"

static void await_values(const struct site *x, const char *request, unsigned n)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    time_t limit = time(NULL) + PATIENCE_S;

    while (values_of(x, request) != n && time(NULL) <= limit)
        (void)nanosleep(&pause, NULL);
    CHECK_UINT(values_of(x, request), n);
}

/* ---- the world: a has deleted what b and c bring ---- */

struct trio {
    struct site a, b, c;
};

static void site_up(struct site *x, const char *name)
{
    site_make(x, name);
    x->opt.collect_ms = HOUR_MS; /* tombstones stay for now */
    site_start(x);
}

static void deletes(struct site *a, const char *key)
{
    CHECK_OK(syncline_put(a->s, NULL, key, "1"));
    CHECK_OK(syncline_delete(a->s, NULL, key));
}

static void trio_up(struct trio *t)
{
    site_up(&t->a, "a");
    site_up(&t->b, "b");
    site_up(&t->c, "c");
}

static void trio_join(struct trio *t)
{
    site_pair(&t->a, &t->b);
    site_pair(&t->a, &t->c);
}

static void trio_remove(struct trio *t)
{
    site_remove(&t->c);
    site_remove(&t->b);
    site_remove(&t->a);
}

/* Of what contradicts itself the later stands, whoever wrote it; where it
 * does not, all of it does. */
TEST(values_are_written_back_in_the_order_of_their_stamps)
{
    struct trio t;

    trio_up(&t);
    deletes(&t.a, "lamp");
    deletes(&t.a, "fan");
    CHECK_OK(syncline_put(t.b.s, NULL, "lamp", "{\"a\":1,\"l\":4,\"x\":{}}"));
    CHECK_OK(syncline_put(t.c.s, NULL, "lamp", "{\"a\":{\"b\":2},\"l\":5}"));
    CHECK_OK(syncline_put(t.c.s, NULL, "fan", "{\"a\":{\"b\":2},\"l\":5}"));
    CHECK_OK(syncline_put(t.b.s, NULL, "fan", "{\"a\":1,\"l\":4,\"y\":6}"));
    trio_join(&t);
    await_values(&t.a, ALL, 10);
    check_says(&t.a, ALL, "\"key\":\"fan\",\"now\":\"deleted\",\"values\":[");
    check_says(&t.a, ALL, "\"path\":\"/y\",\"value\":6,\"device\":");
    CHECK_UINT(values_of(&t.a, "{\"op\":\"rescue\",\"key\":\"lamp\"}"), 5);
    CHECK_UINT(values_of(&t.a, "{\"op\":\"rescue\",\"space\":\"config\"}"), 0);
    check_says(&t.a,
        "{\"op\":\"rescue_apply\",\"key\":\"lamp\",\"take\":\"apply\"}",
        "\"changed\":true,\"acks\":0,\"items\":1,\"values\":5,"
        "\"more_items\":false");
    check_value(t.a.s, "lamp", "{\"a\":{\"b\":2},\"l\":5,\"x\":{}}");
    check_says(&t.a,
        "{\"op\":\"rescue_apply\",\"all\":true,\"take\":\"apply\"}",
        "\"items\":1,\"values\":5,\"more_items\":false");
    check_value(t.a.s, "fan", "{\"a\":1,\"l\":4,\"y\":6}");
    await_value(t.b.s, "fan", "{\"a\":1,\"l\":4,\"y\":6}");
    await_value(t.c.s, "lamp", "{\"a\":{\"b\":2},\"l\":5,\"x\":{}}");
    await_values(&t.a, ALL, 0);
    await_values(&t.b, ALL, 0);
    await_values(&t.c, ALL, 0);
    CHECK_UINT(values_of(&t.c, "{\"op\":\"rescue\",\"all\":true}"), 10);
    trio_remove(&t);
}

/* The first of an answer's ids. */
static void first_id(const struct site *x, const char *request, char out[13])
{
    char *answer = ask(x, request);

    CHECK(
        sscanf(answer, "{\"ok\":true,\"rescue\":[{%*[^[][{\"id\":\"%12[0-9a-f]",
            out) == 1);
    syncline_free(answer);
}

TEST(what_is_settled_as_a_conflict_is_settled_here)
{
    struct trio t;
    char id[13], request[128];

    trio_up(&t);
    deletes(&t.a, "lamp");
    CHECK_OK(syncline_put(t.b.s, NULL, "lamp", "{\"l\":4,\"m\":5}"));
    CHECK_OK(syncline_put(t.b.s, NULL, "mine", "{\"by\":\"b\"}"));
    CHECK_OK(syncline_put(t.a.s, NULL, "mine", "{\"by\":\"a\"}"));
    trio_join(&t);
    await_values(&t.a, ALL, 2); /* that of "mine" is no matter of ours */
    await_values(&t.a, "{\"op\":\"conflicts\"}", 3);
    check_says(&t.a, "{\"op\":\"conflicts\",\"key\":\"lamp\"}",
        "\"state\":\"open\",\"returned\":true,\"loser\":");
    check_says(&t.a, "{\"op\":\"conflicts\",\"key\":\"mine\"}",
        "\"state\":\"open\",\"loser\":");
    first_id(&t.a, ALL, id);
    (void)snprintf(request, sizeof request,
        "{\"op\":\"resolve\",\"id\":\"%s\",\"take\":\"winner\"}", id);
    check_says(&t.a, request, "\"ok\":true");
    CHECK_UINT(values_of(&t.a, ALL), 1);
    check_says(
        &t.a, "{\"op\":\"rescue\",\"all\":true}", "\"state\":\"resolved\"}");
    check_says(&t.a,
        "{\"op\":\"rescue_apply\",\"key\":\"lamp\",\"take\":\"drop\"}",
        "\"items\":1,\"values\":1");
    CHECK_UINT(values_of(&t.a, ALL), 0);
    CHECK_UINT(values_of(&t.a, "{\"op\":\"conflicts\"}"), 1);
    check_says(&t.a, "{\"op\":\"get\",\"key\":\"lamp\"}", "ENOTFOUND");
    await_values(&t.b, ALL, 0);
    trio_remove(&t);
}

/* An item that was made again keeps what it has; what comes back is put into
 * it. */
TEST(values_go_into_an_item_that_is_there_again)
{
    struct trio t;

    trio_up(&t);
    deletes(&t.a, "lamp");
    CHECK_OK(syncline_put(t.b.s, NULL, "lamp", "{\"l\":4,\"m\":5}"));
    trio_join(&t);
    await_values(&t.a, ALL, 2);
    CHECK_OK(syncline_put(t.a.s, NULL, "lamp", "{\"l\":9,\"n\":1}"));
    check_says(&t.a, ALL, "\"key\":\"lamp\",\"now\":\"present\"");
    await_values(&t.b, ALL, 2);
    await_value(t.b.s, "lamp", "{\"l\":9,\"n\":1}");
    check_says(&t.b,
        "{\"op\":\"rescue_apply\",\"key\":\"lamp\",\"take\":\"apply\","
        "\"wait\":\"all\"}",
        "\"acks\":2");
    check_value(t.a.s, "lamp", "{\"l\":4,\"m\":5,\"n\":1}");
    trio_remove(&t);
}

/* A schema is asked of what the item becomes, not of what it is half way: what
 * is older here is a number where an object is wanted. */
TEST(what_a_schema_forbids_is_not_taken_back)
{
    static const char schema[] =
        "{\"op\":\"schema_set\",\"space\":\"default\",\"prefix\":\"\","
        "\"schema\":{\"properties\":{\"a\":{\"type\":\"object\"},"
        "\"l\":{\"maximum\":9}}}}";
    struct trio t;

    trio_up(&t);
    deletes(&t.a, "lamp");
    deletes(&t.a, "fan");
    CHECK_OK(syncline_put(t.b.s, NULL, "lamp", "{\"a\":1}"));
    CHECK_OK(syncline_put(t.c.s, NULL, "lamp", "{\"a\":{\"b\":2},\"l\":5}"));
    CHECK_OK(syncline_put(t.b.s, NULL, "fan", "{\"l\":10,\"m\":1}"));
    trio_join(&t);
    await_values(&t.a, ALL, 5);
    check_says(&t.a, schema, "\"ok\":true");
    check_says(&t.a,
        "{\"op\":\"rescue_apply\",\"key\":\"fan\",\"take\":\"apply\"}",
        "default/fan: the space's schema forbids it: /l: ");
    CHECK_UINT(values_of(&t.a, ALL), 5);
    check_says(&t.a,
        "{\"op\":\"rescue_apply\",\"all\":true,\"take\":\"apply\"}",
        "\"items\":1,\"values\":3,\"more_items\":false,\"refused\":1,"
        "\"why\":\"default/fan: the space's schema forbids it: /l: ");
    check_value(t.a.s, "lamp", "{\"a\":{\"b\":2},\"l\":5}");
    check_says(&t.a, "{\"op\":\"get\",\"key\":\"fan\"}", "ENOTFOUND");
    CHECK_UINT(values_of(&t.a, ALL), 2);
    check_says(&t.a, "{\"op\":\"rescue_apply\",\"all\":true,\"take\":\"drop\"}",
        "\"items\":1,\"values\":2,\"more_items\":false}");
    trio_remove(&t);
}

static void batch_many(struct site *x, unsigned from, unsigned n, bool gone)
{
    char *ops = malloc(n * 48 + 3), *at = ops;

    CHECK(ops != NULL);
    for (unsigned i = from; i < from + n; i++)
        at += sprintf(at, "%c{\"key\":\"many/%05u\",%s}", i == from ? '[' : ',',
            i, gone ? "\"delete\":true" : "\"value\":1");
    strcpy(at, "]");
    CHECK_OK(syncline_batch(x->s, NULL, ops));
    free(ops);
}

/* More than one request takes: it says so, and goes on where it was. */
TEST(many_are_taken_in_several_requests)
{
    const char *request =
        "{\"op\":\"rescue_apply\",\"all\":true,\"take\":\"apply\"}";
    struct trio t;

    trio_up(&t);
    for (unsigned i = 0; i < 3; i++) {
        batch_many(&t.a, 500 * i, 500, false);
        batch_many(&t.a, 500 * i, 500, true);
        batch_many(&t.b, 500 * i, 500, false);
    }
    trio_join(&t);
    await_values(&t.a, ALL, 1500);
    check_says(
        &t.a, request, "\"items\":1024,\"values\":1024,\"more_items\":true");
    CHECK_UINT(values_of(&t.a, ALL), 476);
    check_says(
        &t.a, request, "\"items\":476,\"values\":476,\"more_items\":false");
    check_says(&t.a, request, "\"items\":0,\"values\":0,\"more_items\":false");
    CHECK_UINT(values_of(&t.a, ALL), 0);
    await_value(t.c.s, "many/01499", "1");
    trio_remove(&t);
}

TEST(what_makes_no_sense_is_refused_and_changes_nothing)
{
    static const struct {
        const char *request, *want;
    } rows[] = {
        { "{\"op\":\"rescue_apply\",\"key\":\"lamp\"}", "take: " },
        { "{\"op\":\"rescue_apply\",\"key\":\"lamp\",\"take\":\"loser\"}",
            "take: " },
        { "{\"op\":\"rescue_apply\",\"take\":\"drop\"}", "say which" },
        { "{\"op\":\"rescue_apply\",\"key\":\"lamp\",\"all\":true,"
          "\"take\":\"drop\"}",
            "say which" },
        { "{\"op\":\"rescue_apply\",\"key\":\"fan\",\"take\":\"drop\"}",
            "default/fan: nothing of it waits" },
        { "{\"op\":\"rescue_apply\",\"space\":\"config\",\"key\":\"lamp\","
          "\"take\":\"drop\"}",
            "config/lamp: nothing of it waits" },
        { "{\"op\":\"rescue_apply\",\"space\":\"none\",\"all\":true,"
          "\"take\":\"drop\"}",
            "no such space" },
        { "{\"op\":\"rescue_apply\",\"key\":\"lamp\",\"take\":\"drop\","
          "\"wait\":7}",
            "7 others are wanted" },
        { "{\"op\":\"rescue\",\"space\":\"none\"}", "no such space" },
        { "{\"op\":\"rescue\",\"space\":\"\"}", "leave it out for all" },
        { "{\"op\":\"rescue_apply\",\"space\":7,\"all\":true,"
          "\"take\":\"drop\"}",
            "leave it out for all" },
        { "{\"op\":\"rescue_apply\",\"space\":\"\",\"all\":true,"
          "\"take\":\"drop\"}",
            "leave it out for all" },
    };
    struct trio t;

    trio_up(&t);
    deletes(&t.a, "lamp");
    CHECK_OK(syncline_put(t.b.s, NULL, "lamp", "{\"l\":4}"));
    trio_join(&t);
    await_values(&t.a, ALL, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_says(&t.a, rows[i].request, "\"ok\":false");
        check_says(&t.a, rows[i].request, rows[i].want);
    }
    CHECK_UINT(values_of(&t.a, ALL), 1);
    trio_remove(&t);
}

/* ---- what was collected ---- */

static bool says(const struct site *x, const char *request, const char *want)
{
    char *answer = ask(x, request);
    bool found = strstr(answer, want) != NULL;

    syncline_free(answer);
    return found;
}

static void await_it(
    const struct site *x, const char *request, const char *want, bool there)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    time_t limit = time(NULL) + PATIENCE_S;

    while (says(x, request, want) != there && time(NULL) <= limit)
        (void)nanosleep(&pause, NULL);
    CHECK_SAYING(says(x, request, want) == there, "%s: %s: it %s", request,
        want, there ? "is not said" : "is still said");
}

static void await_says(
    const struct site *x, const char *request, const char *want)
{
    await_it(x, request, want, true);
}

static void await_not(
    const struct site *x, const char *request, const char *word)
{
    await_it(x, request, word, false);
}

/* The record of a deleted item goes, its history stays, and goes on. */
TEST(an_item_whose_record_was_collected_has_a_history)
{
    const char *history = "{\"op\":\"history\",\"key\":\"lamp\"}";
    struct site a;

    site_make(&a, "a");
    a.opt.collect_ms = 10;
    site_start(&a);
    CHECK_OK(syncline_put(a.s, NULL, "lamp", "1"));
    CHECK_OK(syncline_put(a.s, NULL, "lamp", "2"));
    CHECK_OK(syncline_delete(a.s, NULL, "lamp"));
    await_says(&a, "{\"op\":\"status\"}",
        "\"name\":\"default\",\"items\":0,\"deleted\":0,");
    check_says(&a, "{\"op\":\"get\",\"key\":\"lamp\"}", "ENOTFOUND");
    check_says(&a, "{\"op\":\"del\",\"key\":\"lamp\"}", "ENOTFOUND");
    check_says(&a, "{\"op\":\"ls\"}", "\"items\":[]");
    check_says(&a, "{\"op\":\"history\",\"key\":\"fan\"}", "ENOTFOUND");
    check_says(&a, history, "{\"version\":3,\"what\":\"delete\"");
    check_says(&a, "{\"op\":\"restore\",\"key\":\"lamp\",\"version\":4}",
        "no version 4");
    check_says(&a, "{\"op\":\"restore\",\"key\":\"lamp\",\"version\":3}",
        "\"changed\":false");
    check_says(&a, "{\"op\":\"restore\",\"key\":\"lamp\",\"version\":1}",
        "\"changed\":true");
    check_value(a.s, "lamp", "1");
    /* Its number is not one of the past. */
    check_says(&a, history, "{\"version\":4,\"what\":\"put\"");
    check_says(&a, "{\"op\":\"restore\",\"key\":\"lamp\",\"version\":4}",
        "\"changed\":false");
    check_says(&a, "{\"op\":\"restore\",\"key\":\"lamp\",\"version\":2}",
        "\"changed\":true");
    check_value(a.s, "lamp", "2");
    check_says(&a, history, "{\"version\":5,\"what\":\"put\"");
    site_remove(&a);
}

static void site_quick(struct site *x, const char *name)
{
    site_make(x, name);
    x->opt.collect_ms = 10;
    x->opt.retention_ms = 200;
    site_start(x);
}

/* Nobody waits for one that has been silent; it is told of when it is back. */
TEST(a_silent_member_is_parked_until_it_is_back)
{
    const char *address[] = { NULL, NULL };
    struct trio t;

    site_quick(&t.a, "a");
    site_quick(&t.b, "b");
    site_quick(&t.c, "c");
    trio_join(&t);
    CHECK_OK(syncline_put(t.a.s, NULL, "lamp", "1"));
    await_value(t.b.s, "lamp", "1");
    await_value(t.c.s, "lamp", "1");
    check_says(&t.a, "{\"op\":\"peers\"}", "\"parked\":false");
    site_close(&t.b);
    CHECK_OK(syncline_delete(t.a.s, NULL, "lamp"));
    await_says(&t.a, "{\"op\":\"peers\"}", "\"parked\":true");
    await_says(&t.c, "{\"op\":\"peers\"}", "\"parked\":true");
    await_says(&t.a, "{\"op\":\"status\"}",
        "\"name\":\"default\",\"items\":0,\"deleted\":0,");
    address[0] = t.a.address;
    t.b.opt.peers = address;
    site_start(&t.b);
    await_says(&t.b, "{\"op\":\"get\",\"key\":\"lamp\"}", "ENOTFOUND");
    await_not(&t.a, "{\"op\":\"peers\"}", "\"parked\":true");
    await_not(&t.c, "{\"op\":\"peers\"}", "\"parked\":true");
    CHECK_UINT(values_of(&t.a, ALL), 0);
    trio_remove(&t);
}
