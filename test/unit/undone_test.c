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
