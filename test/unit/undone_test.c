/* What a step was for is done later if the store refuses it. */
#include "unit/lone_node.h"

static bool has_told_its_key(const struct lone *w)
{
    return members_kx(w->node->members, &w->node->device) != NULL;
}

/* What follows from what is known of the mesh has a commit of its own. */
TEST(keys_are_seen_to_later)
{
    struct lone w;

    lone_open(&w);
    CHECK(!has_told_its_key(&w));
    store_mem_fail(w.disk, SYNCLINE_EIO, 1);
    tick(&w);
    CHECK(!has_told_its_key(&w));
    for (int i = 0; i < 3; i++)
        tick(&w);
    CHECK(has_told_its_key(&w));
    lone_close(&w);
}

/* Of what was collected the audit log hears once, also if the step that tells
 * it writes nothing, and what comes after it is undone. */
TEST(what_was_told_is_not_told_again)
{
    struct lone w;

    lone_open(&w);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":1}");
    ask(&w, "{\"op\":\"del\",\"key\":\"k\"}");
    w.node->gone_due_us = w.now_us + 2 * LONE_STEP_US;
    tick(&w);
    CHECK_UINT(w.node->gone.items, 1);
    tick(&w);
    CHECK_UINT(w.node->gone.items, 0);
    ask(&w, "{\"op\":\"get\",\"key\":\"k\"}");
    CHECK_UINT(w.node->gone.items, 0);
    lone_close(&w);
}
