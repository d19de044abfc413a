/* What the machine that keeps a file and an item the same does not write, or
 * cannot. */
#include "files/binding.h"

#include "unit/binding_world.h"
#include "unit/check.h"

static const char agreed[] = WORLD_AGREED;

TEST(a_file_that_is_never_free_is_told)
{
    struct binding_world w = world_in_agreement();

    w.write_rc = SYNCLINE_ECONFLICT;
    world_put(&w, "{\"a\":1,\"b\":5}");
    world_wait(&w, 20000 * MS);
    world_check_trouble(&w, BINDING_WRITE_FAILED, "open for writing");
    world_put(&w, agreed); /* then nothing is to be written */
    world_wait(&w, 20000 * MS);
    world_check_no_trouble(&w);
    world_put(&w, "{\"a\":1,\"b\":6}");
    world_wait(&w, 20000 * MS);
    world_check_trouble(&w, BINDING_WRITE_FAILED, "open for writing");
    w.write_rc = 0;
    world_settle(&w);
    world_check_no_trouble(&w);
    world_close(&w);
}

TEST(no_file_is_written_that_would_not_be_read)
{
    struct binding_world w = world_in_agreement();

    world_kill(&w);
    w.opt.max = 30;
    world_start(&w);
    world_settle(&w);
    world_put(&w, "{\"a\":1,\"b\":\"012345678901234567890\"}");
    world_settle(&w);
    CHECK_UINT(w.writes, 0);
    world_check_trouble(&w, BINDING_ITEM_REFUSED, "files.max");
    world_save(&w, "{\"a\":3,\"b\":2}"); /* which goes on its way */
    world_settle(&w);
    CHECK_SLICE(
        buf_slice(&w.item), "{\"a\":3,\"b\":\"012345678901234567890\"}");
    world_put(&w, "{\"a\":4,\"b\":2}");
    world_settle(&w);
    world_check_no_trouble(&w);
    world_check(&w, "{\"a\":4,\"b\":2}", "{\"a\":4,\"b\":2}");
    world_close(&w);
}

/* ---- two people, one setting ---- */

/* What came to this machine and is not in the file: it cannot be written. */
static struct binding_world behind(const char *item)
{
    struct binding_world w = world_in_agreement();

    w.flaw = "not yet, says the test";
    world_put(&w, item);
    world_settle(&w);
    world_check(&w, agreed, item);
    return w;
}

static void let_through(struct binding_world *w)
{
    w->flaw = NULL;
    (void)!world_tell(
        w, &(struct binding_event){ .type = BINDING_ITEM_TOUCHED }, NULL);
    world_settle(w);
    world_check_no_trouble(w);
}

TEST(who_had_not_seen_what_came_is_told_to_be_so)
{
    struct binding_world w = behind("{\"a\":5,\"b\":2}");

    world_save(&w, "{\"a\":7,\"b\":2}");
    world_settle(&w);
    CHECK_UINT(w.puts, 1);
    CHECK_UINT(w.unseen, 1);
    let_through(&w);
    world_check(&w, "{\"a\":7,\"b\":2}", "{\"a\":7,\"b\":2}");
    CHECK_UINT(w.puts, 1);
    world_close(&w);
}

TEST(what_nobody_else_has_changed_is_said_first)
{
    struct binding_world w = behind("{\"a\":5,\"b\":2,\"c\":3}");

    world_save(&w, "{\"a\":7,\"b\":8}");
    world_settle(&w);
    CHECK_UINT(w.puts, 2);
    CHECK_UINT(w.unseen, 1);
    CHECK_SLICE(buf_slice(&w.item), "{\"a\":7,\"b\":8,\"c\":3}");
    let_through(&w);
    world_check(&w, "{\"a\":7,\"b\":8,\"c\":3}", "{\"a\":7,\"b\":8,\"c\":3}");
    world_close(&w);
}

TEST(who_loses_is_told_once_and_takes_what_stands)
{
    struct binding_world w = behind("{\"a\":5,\"b\":2}");

    w.loses = true;
    world_save(&w, "{\"a\":7,\"b\":2}");
    world_settle(&w);
    let_through(&w);
    world_check(&w, "{\"a\":5,\"b\":2}", "{\"a\":5,\"b\":2}");
    CHECK_UINT(w.puts, 1);
    CHECK_UINT(w.unseen, 1);
    world_close(&w);
}

TEST(what_both_say_is_no_conflict_and_what_somebody_changed_is_not_removed)
{
    struct binding_world w = behind("{\"a\":5,\"b\":4}");

    world_save(&w, "{\"a\":5}");
    world_settle(&w);
    CHECK_UINT(w.puts, 0);
    let_through(&w);
    world_check(&w, "{\"a\":5,\"b\":4}", "{\"a\":5,\"b\":4}");
    CHECK_UINT(w.puts, 0);
    world_close(&w);
}
