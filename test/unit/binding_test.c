#include "files/binding.h"

#include "unit/binding_world.h"
#include "unit/check.h"
#include "unit/json_make.h"

#include <stdio.h>

/* File and item agree on {"a":1,"b":2}, written by a person. */
static const char agreed[] = WORLD_AGREED;

static struct binding_world binding_to(const char *file, const char *item)
{
    struct binding_world w = { 0 };

    if (file != NULL)
        world_set_file(&w, file);
    if (item != NULL)
        world_put(&w, item);
    return w;
}

/* ---- the first time ---- */

static const struct {
    const char *file, *item;
    enum binding_prefer prefer;
    const char *file_then, *item_then;
} firsts[] = {
    { "{ \"a\": 1 }", NULL, PREFER_ASK, "{ \"a\": 1 }", "{\"a\":1}" },
    { NULL, "{\"a\":1}", PREFER_ASK, "{\n  \"a\": 1\n}\n", "{\"a\":1}" },
    { "{ \"a\": 1 }", "{\"a\":1}", PREFER_ASK, "{ \"a\": 1 }", "{\"a\":1}" },
    { "{ \"a\": 1 }", "{\"a\":2}", PREFER_ASK, "{ \"a\": 1 }", "{\"a\":2}" },
    { "{ \"a\": 1 }", "{\"a\":2,\"b\":3}", PREFER_FILE, "{ \"a\": 1 }",
        "{\"a\":1}" },
    { "{ \"a\": 1, \"c\": 4 }", "{\"a\":2,\"b\":3}", PREFER_ITEM,
        "{ \"a\": 2, \"b\": 3 }", "{\"a\":2,\"b\":3}" },
    { "{ \"a\": 1, \"c\": 4 }", "{\"a\":2,\"b\":3}", PREFER_MERGE,
        "{ \"a\": 2, \"c\": 4, \"b\": 3 }", "{\"a\":2,\"b\":3,\"c\":4}" },
    { NULL, NULL, PREFER_ASK, NULL, NULL },
};

TEST(what_counts_the_first_time)
{
    for (size_t i = 0; i < ARRAY_N(firsts); i++) {
        struct binding_world w = binding_to(firsts[i].file, firsts[i].item);

        w.opt.prefer = firsts[i].prefer;
        world_start(&w);
        world_settle(&w);
        world_check(&w, firsts[i].file_then, firsts[i].item_then);
        world_close(&w);
    }
}

TEST(who_must_say_which_counts_is_told_what_differs)
{
    struct binding_world w =
        binding_to("{\"a\":1,\"b\":0}", "{\"a\":2,\"b\":0}");

    world_start(&w);
    world_settle(&w);
    world_check_trouble(&w, BINDING_UNDECIDED, "1 setting (/a)");
    CHECK(!binding_has_agreed(w.binding));
    world_save(&w, "{\"a\":2,\"b\":0}"); /* that is an answer, too */
    world_settle(&w);
    world_check_no_trouble(&w);
    CHECK(binding_has_agreed(w.binding));
    world_close(&w);
}

TEST(whichever_is_made_first_counts_where_there_is_neither)
{
    struct binding_world w = binding_to(NULL, NULL);

    world_start(&w);
    world_settle(&w);
    world_check_trouble(&w, BINDING_NEITHER, "neither");
    world_put(&w, "{\"a\":1}");
    world_settle(&w);
    world_check(&w, "{\n  \"a\": 1\n}\n", "{\"a\":1}");
    world_check_no_trouble(&w);
    world_close(&w);
}

/* ---- changes ---- */

TEST(an_edit_is_published_and_nothing_else)
{
    struct binding_world w = world_in_agreement();

    world_save(&w, "{\n    \"b\": 2,\n    \"a\": 7\n}\n");
    world_settle(&w);
    world_check(&w, "{\n    \"b\": 2,\n    \"a\": 7\n}\n", "{\"a\":7,\"b\":2}");
    CHECK_UINT(w.puts, 1);
    CHECK_UINT(w.writes, 0);
    world_check_no_trouble(&w);
    world_close(&w);
}

TEST(what_comes_is_spliced_in_and_makes_no_echo)
{
    struct binding_world w = world_in_agreement();

    world_put(&w, "{\"a\":1,\"b\":5,\"c\":6}");
    world_settle(&w);
    world_check(&w, "{\n    \"b\": 5,\n    \"a\": 1,\n    \"c\": 6\n}\n",
        "{\"a\":1,\"b\":5,\"c\":6}");
    CHECK_UINT(w.puts, 0);
    CHECK_UINT(w.writes, 1);
    world_close(&w);
}

static void somebody_else_changes_b(struct binding_world *w)
{
    w->before_put = NULL;
    world_put(w, "{\"a\":1,\"b\":9}");
}

TEST(two_who_change_different_settings_both_win)
{
    struct binding_world w = world_in_agreement();

    w.before_put = somebody_else_changes_b;
    world_save(&w, "{\n    \"b\": 2,\n    \"a\": 7\n}\n");
    world_settle(&w);
    world_check(&w, "{\n    \"b\": 9,\n    \"a\": 7\n}\n", "{\"a\":7,\"b\":9}");
    world_close(&w);
}

static void somebody_saves_a(struct binding_world *w)
{
    w->before_write = NULL;
    world_save(w, "{\n    \"b\": 2,\n    \"a\": 7\n}\n");
}

TEST(a_save_while_what_came_is_about_to_be_written_is_not_lost)
{
    struct binding_world w = world_in_agreement();

    w.before_write = somebody_saves_a;
    world_put(&w, "{\"a\":1,\"b\":9}");
    world_settle(&w);
    world_check(&w, "{\n    \"b\": 9,\n    \"a\": 7\n}\n", "{\"a\":7,\"b\":9}");
    world_close(&w);
}

TEST(white_space_and_order_are_this_machines_own)
{
    struct binding_world w = world_in_agreement();

    world_save(&w, "{\"a\":1,\"b\":2}");
    world_settle(&w);
    CHECK_UINT(w.puts, 0);
    world_put(&w, "{\"a\":2,\"b\":2}");
    world_settle(&w);
    world_check(&w, "{\"a\":2,\"b\":2}", "{\"a\":2,\"b\":2}");
    world_close(&w);
}

/* ---- how editors save ---- */

static const char edited[] = "{\n    \"b\": 2,\n    \"a\": 7\n}\n";
static const char half[] = "{\n    \"b\": 2,\n    \"a";

struct moment {
    const char *text; /* "-": removed; NULL: the end */
    unsigned pause_ms;
};

#define MOMENTS 6

static const struct {
    const char *style;
    struct moment e[MOMENTS];
} styles[] = {
    { "one write", { { edited, 0 } } },
    { "truncate, then write", { { "", 1 }, { edited, 0 } } },
    { "truncate, and write bit by bit",
        { { "", 30 }, { "{", 30 }, { half, 30 }, { edited, 0 } } },
    { "a pause half way", { { "", 1 }, { half, 1500 }, { edited, 0 } } },
    { "a long pause half way", { { half, 9000 }, { edited, 0 } } },
    { "delete and make again", { { "-", 300 }, { edited, 0 } } },
    { "delete, and write bit by bit",
        { { "-", 5 }, { "", 5 }, { half, 5 }, { edited, 0 } } },
    { "moved away, and back, and over",
        { { "-", 1 }, { agreed, 1 }, { "-", 1 }, { edited, 0 } } },
    { "something at the end, then all",
        { { "{\n    \"b\": 2,\n    \"a\": 1\n}\n ,", 60 }, { edited, 0 } } },
    { "saved twice", { { "{\"a\":5,\"b\":2}", 20 }, { edited, 0 } } },
};

TEST(no_editors_way_of_saving_is_published_torn)
{
    for (size_t i = 0; i < ARRAY_N(styles); i++) {
        struct binding_world w = world_in_agreement();

        for (size_t k = 0; k < MOMENTS && styles[i].e[k].text != NULL; k++) {
            const char *text = styles[i].e[k].text;

            world_save(&w, text[0] == '-' ? NULL : text);
            world_wait(&w, styles[i].e[k].pause_ms * MS);
        }
        world_settle(&w);
        world_check(&w, edited, "{\"a\":7,\"b\":2}");
        CHECK_SAYING(
            w.puts == 1, "%s: published %u times", styles[i].style, w.puts);
        CHECK_SAYING(w.writes == 0, "%s: written over", styles[i].style);
        world_check_no_trouble(&w);
        world_close(&w);
    }
}

TEST(what_comes_during_a_save_waits_for_it)
{
    struct binding_world w = world_in_agreement();

    world_save(&w, "");
    world_put(&w, "{\"a\":1,\"b\":9}");
    world_wait(&w, 50 * MS);
    CHECK_UINT(w.writes, 0);
    world_save(&w, edited);
    world_settle(&w);
    world_check(&w, "{\n    \"b\": 9,\n    \"a\": 7\n}\n", "{\"a\":7,\"b\":9}");
    world_close(&w);
}

TEST(a_file_that_stays_torn_is_told_and_left_alone)
{
    struct binding_world w = world_in_agreement();

    world_save(&w, half);
    world_put(&w, "{\"a\":1,\"b\":9}");
    world_wait(&w, 1000 * MS);
    world_check_no_trouble(&w);
    world_settle(&w);
    world_check(&w, half, "{\"a\":1,\"b\":9}");
    world_check_trouble(&w, BINDING_FILE_INVALID, "line 3");
    world_save(&w, edited);
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, "{\n    \"b\": 9,\n    \"a\": 7\n}\n", "{\"a\":7,\"b\":9}");
    world_close(&w);
}

TEST(who_has_it_open_for_writing_is_waited_for_but_not_for_ever)
{
    struct binding_world w = world_in_agreement();

    w.busy = true;
    world_save(&w, edited);
    world_wait(&w, 3000 * MS);
    CHECK_UINT(w.puts, 0);
    world_settle(&w);
    CHECK_UINT(w.puts, 1);
    world_close(&w);
}

TEST(a_file_that_never_rests_is_published_all_the_same)
{
    struct binding_world w = world_in_agreement();
    char text[64];

    for (unsigned i = 0; i < 400; i++) {
        (void)snprintf(text, sizeof text, "{\"a\":%u,\"b\":2}", i);
        world_save(&w, text);
        world_wait(&w, 50 * MS);
    }
    CHECK(w.puts >= 3 && w.puts <= 6);
    world_settle(&w);
    world_check(&w, "{\"a\":399,\"b\":2}", "{\"a\":399,\"b\":2}");
    world_close(&w);
}

TEST(a_file_that_is_deleted_is_no_deletion)
{
    struct binding_world w = world_in_agreement();

    world_save(&w, NULL);
    world_wait(&w, 1000 * MS);
    world_check_no_trouble(&w);
    world_settle(&w);
    world_check_trouble(&w, BINDING_FILE_MISSING, "--restore");
    world_check(&w, NULL, "{\"a\":1,\"b\":2}");
    world_put(&w, "{\"a\":3,\"b\":2}");
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, "{\n    \"b\": 2,\n    \"a\": 3\n}\n", "{\"a\":3,\"b\":2}");
    world_close(&w);
}

TEST(it_is_written_again_when_a_person_says_so)
{
    const struct binding_event restore = { .type = BINDING_RESTORE };
    struct binding_world w = world_in_agreement();

    world_save(&w, NULL);
    world_settle(&w);
    CHECK_OK(world_tell(&w, &restore, NULL));
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, agreed, "{\"a\":1,\"b\":2}");
    world_save(&w, half); /* and over what is no document */
    world_settle(&w);
    CHECK_OK(world_tell(&w, &restore, NULL));
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, agreed, "{\"a\":1,\"b\":2}");
    world_close(&w);
}

TEST(an_item_that_is_deleted_leaves_the_file)
{
    struct binding_world w = world_in_agreement();

    world_put(&w, NULL);
    world_settle(&w);
    world_check(&w, agreed, NULL);
    world_check_trouble(&w, BINDING_ITEM_MISSING, "deleted");
    world_save(&w, edited);
    world_settle(&w);
    world_check(&w, edited, "{\"a\":7,\"b\":2}");
    world_check_no_trouble(&w);
    world_close(&w);
}

TEST(what_may_not_be_read_is_told)
{
    struct binding_world w = world_in_agreement();

    w.barred = "it is a symbolic link";
    world_save(&w, edited);
    world_settle(&w);
    world_check_trouble(&w, BINDING_FILE_BARRED, "symbolic link");
    world_put(&w, "{\"a\":3,\"b\":2}");
    world_settle(&w);
    CHECK_UINT(w.writes, 0);
    world_close(&w);
}

/* ---- restarts ---- */

TEST(what_was_edited_while_nobody_looked_is_found)
{
    struct binding_world w = world_in_agreement();

    world_kill(&w);
    world_set_file(&w, edited);
    world_put(&w, "{\"a\":1,\"b\":9}");
    world_start(&w);
    world_settle(&w);
    world_check(&w, "{\n    \"b\": 9,\n    \"a\": 7\n}\n", "{\"a\":7,\"b\":9}");
    world_close(&w);
}

/* What was written just before is not taken for an edit, or a third machine's
 * next change would be undone. */
TEST(a_write_that_was_cut_short_is_no_edit)
{
    for (int written = 0; written < 2; written++)
        for (int edit = 0; edit < 2; edit++) {
            struct binding_world w = world_in_agreement();

            w.write_rc = SYNCLINE_EIO; /* the machine never hears of it */
            world_put(&w, "{\"a\":3,\"b\":2}");
            world_kill(&w);
            w.write_rc = SYNCLINE_OK;
            if (written)
                world_set_file(&w,
                    edit ? "{\"a\":3,\"b\":2,\"c\":0}" : "{\"a\":3,\"b\":2}");
            else
                world_set_file(&w,
                    edit ? "{\"a\":1,\"b\":2,\"c\":0}" : "{\"a\":1,\"b\":2}");
            world_put(&w, "{\"a\":4,\"b\":2}");
            world_start(&w);
            world_settle(&w);
            CHECK_SLICE(buf_slice(&w.item),
                edit ? "{\"a\":4,\"b\":2,\"c\":0}" : "{\"a\":4,\"b\":2}");
            CHECK_BYTES(buf_slice(&w.file), buf_slice(&w.item));
            world_close(&w);
        }
}

TEST(a_record_that_is_none_is_told)
{
    static const char *const none[] = { "", "{}", "[]",
        "{\"format\":1,\"base\":5}", "{\"format\":2,\"base\":\"{}\"}" };
    struct binding_options opt = { 0 };
    struct binding *b;

    CHECK_OK(binding_new(&b, &opt));
    for (size_t i = 0; i < ARRAY_N(none); i++)
        CHECK_INT(binding_load(b, slice_str(none[i])), SYNCLINE_ECORRUPT);
    binding_free(b);
}

TEST(local_parts_stay_and_survive)
{
    const struct slice host = SLICE_LIT("/host");
    struct binding_world w =
        binding_to("{\"host\":\"here\",\"a\":1}", "{\"a\":1}");

    w.opt.local = (struct local_parts){ &host, 1 };
    world_start(&w);
    world_settle(&w);
    world_put(&w, "{\"a\":2,\"host\":\"there\"}");
    world_settle(&w);
    world_check(
        &w, "{\"host\":\"here\",\"a\":2}", "{\"a\":2,\"host\":\"there\"}");
    world_save(&w, "{\"host\":\"moved\",\"a\":3}");
    world_settle(&w);
    world_check(
        &w, "{\"host\":\"moved\",\"a\":3}", "{\"a\":3,\"host\":\"there\"}");
    world_save(&w, NULL); /* what is written again has them, too */
    world_settle(&w);
    world_put(&w, "{\"a\":4}");
    world_settle(&w);
    world_check(&w, "{\"host\":\"moved\",\"a\":4}", "{\"a\":4}");
    world_close(&w);
}

static struct schema *number_schema(void)
{
    struct arena a = { 0 };
    struct schema *s;

    CHECK_OK(schema_new(&s,
        json_of(SLICE_LIT("{\"properties\":{\"a\":{\"type\":\"integer\"},"
                          "\"b\":{\"type\":\"integer\"}}}"),
            &a),
        NULL));
    arena_free(&a);
    return s;
}

TEST(an_item_that_leaves_no_room_for_local_parts_is_told_and_not_written)
{
    static const struct slice here = { (const uint8_t *)"/here", 5 };
    struct binding_world w = { .opt = { .prefer = PREFER_FILE } };

    w.opt.local = (struct local_parts){ &here, 1 };
    world_set_file(&w, "{\"a\":1,\"here\":7}");
    world_start(&w);
    world_settle(&w);
    world_put(&w, "5");
    world_settle(&w);
    CHECK_INT(w.writes, 0);
    world_check(&w, "{\"a\":1,\"here\":7}", "5");
    world_check_trouble(&w, BINDING_ITEM_REFUSED, "parts of its own");
    world_put(&w, "{\"a\":2}");
    world_settle(&w);
    world_check(&w, "{\"a\":2,\"here\":7}", "{\"a\":2}");
    world_check_trouble(&w, BINDING_ITEM_REFUSED, NULL);
    world_close(&w);
}

TEST(what_the_schema_forbids_goes_neither_way)
{
    struct schema *s = number_schema();
    struct binding_world w = binding_to(agreed, "{\"a\":1,\"b\":2}");

    w.opt.schema = s;
    world_start(&w);
    world_settle(&w);
    world_save(&w, "{\"a\":\"x\",\"b\":2}");
    world_settle(&w);
    CHECK_UINT(w.puts, 0);
    world_check_trouble(&w, BINDING_FILE_REFUSED, "not published: /a");
    world_save(&w, "{\"a\":5,\"b\":2}");
    world_settle(&w);
    world_check_no_trouble(&w);
    world_put(&w, "{\"a\":5,\"b\":\"y\"}");
    world_settle(&w);
    world_check(&w, "{\"a\":5,\"b\":2}", "{\"a\":5,\"b\":\"y\"}");
    world_check_trouble(&w, BINDING_ITEM_REFUSED, "not written: /b");
    world_save(&w, "{\"a\":6,\"b\":2}"); /* the fault is not here */
    world_settle(&w);
    world_check_trouble(&w, BINDING_FILE_REFUSED, "others have changed: /b");
    world_save(&w, "{\"a\":5,\"b\":3}"); /* which mends it, for all */
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, "{\"a\":5,\"b\":3}", "{\"a\":5,\"b\":3}");
    world_close(&w);
    schema_free(s);
}

TEST(what_others_may_not_have_written_is_not_taken)
{
    struct binding_world w = world_in_agreement();

    w.flaw = "/b: too large";
    world_put(&w, "{\"a\":1,\"b\":99}");
    world_settle(&w);
    world_check(&w, agreed, "{\"a\":1,\"b\":99}");
    world_check_trouble(&w, BINDING_ITEM_REFUSED, "too large");
    w.flaw = NULL; /* the same document: it is allowed now */
    (void)!world_tell(
        &w, &(struct binding_event){ .type = BINDING_ITEM_TOUCHED }, NULL);
    world_settle(&w);
    world_check_no_trouble(&w);
    CHECK_UINT(w.writes, 1);
    world_close(&w);
}

/* ---- failures ---- */

TEST(a_put_that_is_refused_is_tried_again)
{
    struct binding_world w = world_in_agreement();

    w.put_rc = SYNCLINE_EDENIED;
    world_save(&w, edited);
    world_wait(&w, 10000 * MS);
    world_check_trouble(&w, BINDING_FILE_REFUSED, "refused by the test");
    w.put_rc = SYNCLINE_OK;
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, edited, "{\"a\":7,\"b\":2}");
    world_close(&w);
}

TEST(a_write_that_fails_is_tried_again)
{
    struct binding_world w = world_in_agreement();

    w.write_rc = SYNCLINE_EFULL;
    world_put(&w, "{\"a\":1,\"b\":9}");
    world_wait(&w, 10000 * MS);
    world_check_trouble(&w, BINDING_WRITE_FAILED, "no room");
    w.write_rc = SYNCLINE_OK;
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, "{\n    \"b\": 9,\n    \"a\": 1\n}\n", "{\"a\":1,\"b\":9}");
    world_close(&w);
}

/* ---- commands and versions ---- */

TEST(a_command_is_told_of_what_was_written_and_of_nothing_else)
{
    struct binding_world w = binding_to(agreed, "{\"a\":1,\"b\":2}");

    w.opt.runs = true;
    world_start(&w);
    world_settle(&w);
    world_save(&w, edited);
    world_settle(&w);
    CHECK_UINT(w.runs, 0);
    world_put(&w, "{\"a\":7,\"b\":9,\"c\":{\"d\":1}}");
    world_settle(&w);
    CHECK_UINT(w.runs, 1);
    CHECK_SLICE(buf_slice(&w.ran), "[\"/b\",\"/c/d\"]");
    world_close(&w);
}

TEST(what_its_command_cannot_take_is_taken_back_everywhere)
{
    struct binding_world w = binding_to(agreed, "{\"a\":1,\"b\":2}");

    w.opt.runs = w.opt.reverts = true;
    w.run_rc = SYNCLINE_EIO;
    world_start(&w);
    world_settle(&w);
    world_put(&w, "{\"a\":1,\"b\":9}");
    world_settle(&w);
    world_check(&w, agreed, "{\"a\":1,\"b\":2}");
    CHECK_UINT(w.runs, 2);
    world_check_trouble(&w, BINDING_RUN_FAILED, "taken back");
    w.run_rc = SYNCLINE_OK;
    world_put(&w, "{\"a\":1,\"b\":3}");
    world_settle(&w);
    world_check_no_trouble(&w);
    world_close(&w);
}

TEST(a_version_that_is_put_back_is_a_change_as_any_other)
{
    const struct binding_event back = { .type = BINDING_REPLACE,
        .text = SLICE_LIT("{ \"a\": 0 }") };
    const struct binding_event none = { .type = BINDING_REPLACE,
        .text = SLICE_LIT("{ \"a\": ") };
    struct binding_world w = world_in_agreement();
    struct errmsg why = { "" };

    CHECK_OK(world_tell(&w, &back, NULL));
    world_settle(&w);
    world_check(&w, "{ \"a\": 0 }", "{\"a\":0}");
    CHECK_INT(world_tell(&w, &none, &why), SYNCLINE_EINVAL);
    world_close(&w);
}

TEST(yaml_keeps_its_comments)
{
    struct binding_world w = binding_to(
        "# mine\na: 1 # one\nb: !secret x\n", "{\"a\":1,\"b\":\"!secret x\"}");

    w.opt.yaml = true;
    world_start(&w);
    world_settle(&w);
    world_check_no_trouble(&w);
    world_put(&w, "{\"a\":2,\"b\":\"!secret x\",\"c\":true}");
    world_settle(&w);
    CHECK_SLICE(
        buf_slice(&w.file), "# mine\na: 2 # one\nb: !secret x\nc: true\n");
    world_save(&w, "# mine\n"); /* half of it is valid, too */
    world_wait(&w, 900 * MS);
    world_save(&w, "# mine\na: 3 # one\nb: !secret x\nc: true\n");
    world_settle(&w);
    CHECK_SLICE(buf_slice(&w.item), "{\"a\":3,\"b\":\"!secret x\",\"c\":true}");
    CHECK_UINT(w.puts, 1);
    world_close(&w);
}

/* ---- whatever happens ---- */

/* Two machines are not needed for it: whoever else writes the item is one. */
TEST(any_story_ends_in_agreement)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct prng p = { seed };
        struct arena a = { 0 };
        struct binding_world w = world_in_agreement();
        struct buf b = { 0 };

        for (unsigned i = 0; i < 30; i++) {
            const uint64_t what = prng_below(&p, 10);
            char text[80];

            (void)snprintf(text, sizeof text, "{\"a\":%u,\"b\":%u%s}",
                (unsigned)prng_below(&p, 4), (unsigned)prng_below(&p, 4),
                prng_below(&p, 2) != 0 ? ",\"c\":{\"d\":[1]}" : "");
            if (what < 3)
                world_put(&w, text);
            else if (what < 6)
                world_save(&w, text);
            else if (what == 6)
                world_save(&w, prng_below(&p, 2) != 0 ? "" : half);
            else if (what == 7)
                world_save(&w, NULL);
            else if (what == 8)
                world_wait(&w, prng_below(&p, 5000) * MS);
            else {
                world_kill(&w);
                world_start(&w);
            }
        }
        world_save(&w, "{\"a\":9,\"b\":9}");
        world_settle(&w);
        world_check_no_trouble(&w);
        json_print(&b, json_of(buf_slice(&w.file), &a), JSON_CANONICAL);
        CHECK_BYTES(buf_slice(&b), buf_slice(&w.item));
        buf_free(&b);
        arena_free(&a);
        world_close(&w);
    }
}

/* An edit and a change from elsewhere, with each allocation of each step. */
static bool story_without_memory(unsigned in, unsigned after)
{
    struct binding_world w = world_in_agreement();
    bool failed;

    w.fails_in = in;
    w.fails_after = after;
    world_save(&w, edited);
    world_wait(&w, 150 * MS);
    world_put(&w, "{\"a\":7,\"b\":9}");
    world_settle(&w);
    world_check(&w, "{\n    \"b\": 9,\n    \"a\": 7\n}\n", "{\"a\":7,\"b\":9}");
    failed = w.failed;
    world_close(&w);
    return failed;
}

TEST(memory_that_runs_out_is_made_good)
{
    unsigned n = 0;

    for (unsigned step = 1; step < 16; step++)
        for (unsigned after = 0; story_without_memory(step, after); after++)
            n++;
    CHECK_SAYING(n > 20, "it ran out %u times only", n);
}
