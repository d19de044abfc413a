/* How a device stands, on a node that is no more than its numbers. */
#include "repl/node_impl.h"

#include "unit/check.h"

#include <stdlib.h>

#define SEC UINT64_C(1000000)

static const struct device_id dev = { { 1, 2, 3 } };

static void end(struct node *n)
{
    standings_free(n);
    free(n->fx);
    *n = (struct node){ 0 };
}

/* One second, then two, and so on up to the ceiling. */
TEST(pauses_double_up_to_the_ceiling)
{
    struct node n = { .now_us = SEC };
    struct standing *s;
    uint64_t pause = 1;

    n.opt.limits.backoff_us = 600 * SEC;
    CHECK_UINT(standing_refused_us(&n, &dev), 0);
    CHECK_OK(standing_open(&n, &dev, &s));
    for (int i = 0; i < 14; i++) {
        standing_broke(&n, &dev, "it lied");
        CHECK_UINT(standing_refused_us(&n, &dev), pause * SEC);
        n.now_us += pause * SEC;
        CHECK_UINT(standing_refused_us(&n, &dev), 0);
        pause = 2 * pause < 600 ? 2 * pause : 600;
    }
    CHECK_UINT(s->broke, 14);
    CHECK(strcmp(s->why, "it lied") == 0);
    end(&n);
}

/* Ten minutes without breaking a rule, and it begins anew. */
TEST(good_manners_are_remembered_too)
{
    struct node n = { .now_us = SEC };
    struct standing *s;

    n.opt.limits.backoff_us = 600 * SEC;
    CHECK_OK(standing_open(&n, &dev, &s));
    for (int i = 0; i < 3; i++)
        standing_broke(&n, &dev, "it lied");
    CHECK_UINT(standing_refused_us(&n, &dev), 4 * SEC);
    n.now_us += 604 * SEC;
    standing_broke(&n, &dev, "it lied");
    CHECK_UINT(standing_refused_us(&n, &dev), SEC);
    CHECK_UINT(s->broke, 4);
    end(&n);
}

TEST(a_ceiling_of_nothing_refuses_nobody)
{
    struct node n = { .now_us = SEC };
    struct standing *s;

    CHECK_OK(standing_open(&n, &dev, &s));
    standing_broke(&n, &dev, "it lied");
    CHECK_UINT(standing_refused_us(&n, &dev), 0);
    CHECK_UINT(s->broke, 1);
    end(&n);
}

/* It outlives its connections, and there is one for a device. */
TEST(there_is_one_of_each)
{
    struct node n = { .now_us = SEC };
    struct device_id other = { { 9 } };
    struct standing *a, *b, *c;

    CHECK_OK(standing_open(&n, &dev, &a));
    CHECK_OK(standing_open(&n, &other, &b));
    CHECK_OK(standing_open(&n, &dev, &c));
    CHECK(a == c && a != b);
    check_alloc_fail_from(0);
    CHECK_INT(
        standing_open(&n, &(struct device_id){ { 7 } }, &c), SYNCLINE_ENOMEM);
    check_alloc_fail_from(-1);
    CHECK(a == c);
    end(&n);
}

/* Five seconds' worth at once; then it is to wait, and whoever does not
 * listen does not call the other silent. */
TEST(what_is_too_fast_waits)
{
    struct node n = { .now_us = SEC };
    struct conn c = { .id = 5, .device = dev };
    struct standing *s;

    n.opt.limits.rows = 100;
    CHECK_OK(standing_open(&n, &dev, &s));
    CHECK_OK(standing_rows(&n, &c, 500));
    CHECK_UINT(n.fx_n, 0);
    CHECK_OK(standing_rows(&n, &c, 200));
    CHECK_UINT(n.fx_n, 1);
    CHECK(n.fx[0].type == FX_PACE && n.fx[0].conn == 5);
    CHECK_UINT(n.fx[0].wait_us, 2 * SEC);
    CHECK_UINT(c.heard_us, n.now_us + 2 * SEC);
    CHECK_UINT(s->delays, 1);
    n.now_us += 10 * SEC;
    CHECK_OK(standing_rows(&n, &c, 500));
    CHECK_UINT(n.fx_n, 1);
    end(&n);
}

TEST(local_writers_have_quotas)
{
    struct node n = { .now_us = SEC };
    struct space sp = { .name = SLICE_LIT("default") };
    struct space mesh = { .name = SLICE_LIT(MESH_SPACE) };
    struct errmsg why = { "" };

    n.opt.limits = (struct node_limits){ .writes = 3, .keys = 10 };
    for (int i = 0; i < 7; i++)
        CHECK_OK(standing_may_write(&n, &sp, &why));
    CHECK_INT(standing_may_write(&n, &sp, &why), SYNCLINE_ELIMIT);
    CHECK(strstr(why.text, "limits.writes") != NULL);
    CHECK_OK(standing_may_write(&n, &mesh, &why));
    n.now_us += SEC / 3 + 1;
    CHECK_OK(standing_may_write(&n, &sp, &why));
    n.opt.limits = (struct node_limits){ .write_bytes = 100, .keys = 10 };
    standing_wrote(&n, 300);
    CHECK_INT(standing_may_write(&n, &sp, &why), SYNCLINE_ELIMIT);
    CHECK(strstr(why.text, "limits.write_bytes") != NULL);
    sp.s.alive = 9;
    CHECK_OK(standing_may_make(&n, &sp, SLICE_LIT("k"), &why));
    sp.s.alive = mesh.s.alive = 10;
    CHECK_INT(
        standing_may_make(&n, &sp, SLICE_LIT("k"), &why), SYNCLINE_ELIMIT);
    CHECK(strstr(why.text, "limits.keys") != NULL);
    CHECK_OK(standing_may_make(&n, &mesh, SLICE_LIT("k"), &why));
    end(&n);
}
