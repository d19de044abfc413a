/* What is saved in one go, and what only looks so, by the machine that keeps a
 * file and an item the same. */
#include "files/binding.h"

#include "unit/binding_world.h"
#include "unit/check.h"

#include <stdio.h>

static const char agreed[] = WORLD_AGREED;
static const char edited[] = "{\n    \"b\": 2,\n    \"a\": 7\n}\n";
static const char half[] = "{\n    \"b\": 2,\n    \"a";

/* Of what is saved in one go nothing more can come. */
TEST(what_is_saved_in_one_go_is_published_at_once)
{
    static const enum binding_save saves[] = { BINDING_SAVE_MOVED,
        BINDING_SAVE_CLOSED };

    for (size_t i = 0; i < ARRAY_N(saves); i++) {
        struct binding_world w = world_in_agreement();

        world_save(&w, ""); /* it is truncated, at first */
        world_save_as(&w, edited, saves[i]);
        world_check(&w, edited, "{\"a\":7,\"b\":2}");
        CHECK_UINT(w.puts, 1);
        world_settle(&w);
        CHECK_UINT(w.puts, 1);
        world_check_no_trouble(&w);
        world_close(&w);
    }
}

/* Each reason for which it is not. */
static const struct {
    const char *why, *text;
    enum binding_save save;
    bool yaml, unsure, busy;
    unsigned reads; /* at once */
} waits[] = {
    { "not saved in one go", edited, BINDING_SAVE_SOMEHOW, .reads = 0 },
    { "half of it", half, BINDING_SAVE_MOVED, .reads = 1 },
    { "nothing", "", BINDING_SAVE_CLOSED, .reads = 1 },
    { "an empty document", "{}", BINDING_SAVE_MOVED, .reads = 1 },
    { "half of a number, perhaps", "12", BINDING_SAVE_CLOSED, .reads = 1 },
    { "somebody has it open", edited, BINDING_SAVE_MOVED, .busy = true,
        .reads = 1 },
    { "that cannot be told", edited, BINDING_SAVE_CLOSED, .unsure = true,
        .reads = 1 },
    { "half of a YAML text", "a: 7\n", BINDING_SAVE_CLOSED, .yaml = true,
        .reads = 0 },
};

TEST(what_may_not_be_all_is_waited_for)
{
    for (size_t i = 0; i < ARRAY_N(waits); i++) {
        struct binding_world w = { .opt.yaml = waits[i].yaml };
        const struct binding_event touched = { .type = BINDING_TOUCHED,
            .save = waits[i].save };
        unsigned reads;

        world_set_file(&w, waits[i].yaml ? "a: 1\nb: 2\n" : agreed);
        world_put(&w, "{\"a\":1,\"b\":2}");
        world_start(&w);
        world_settle(&w);
        reads = w.reads;
        w.busy = waits[i].busy;
        w.unsure = waits[i].unsure;
        world_set_file(&w, waits[i].text);
        (void)!world_tell(&w, &touched, NULL);
        world_wait(&w, 90 * MS);
        CHECK_SAYING(w.puts == 0, "%s: published", waits[i].why);
        CHECK_SAYING(w.reads == reads + waits[i].reads, "%s: read %u times",
            waits[i].why, w.reads - reads);
        w.busy = false;
        world_save(&w, waits[i].yaml ? "a: 7\nb: 2\n" : edited);
        world_settle(&w);
        CHECK_SAYING(
            w.puts == 1, "%s: published %u times", waits[i].why, w.puts);
        CHECK_SLICE(buf_slice(&w.item), "{\"a\":7,\"b\":2}");
        world_close(&w);
    }
}

/* Half a YAML text is a document; one that takes another's place is whole. */
TEST(yaml_that_is_renamed_over_is_published_at_once)
{
    struct binding_world w = { .opt.yaml = true };

    world_set_file(&w, "a: 1\n");
    world_start(&w);
    world_settle(&w);
    world_save_as(&w, "a: 7\n", BINDING_SAVE_MOVED);
    world_check(&w, "a: 7\n", "{\"a\":7}");
    world_close(&w);
}

/* The first is published at once, then it is waited for. */
TEST(who_saves_again_and_again_is_not_published_each_time)
{
    struct binding_world w = world_in_agreement();
    char text[64];

    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof text, "{\"a\":%u,\"b\":3}", i);
        world_save_as(&w, text, BINDING_SAVE_MOVED);
        CHECK_UINT(w.puts, 1);
        world_wait(&w, 50 * MS);
    }
    world_settle(&w);
    CHECK_UINT(w.puts, 2);
    world_check(&w, "{\"a\":39,\"b\":3}", "{\"a\":39,\"b\":3}");
    world_save_as(&w, edited, BINDING_SAVE_MOVED);
    CHECK_UINT(w.puts, 3);
    world_close(&w);
}
