/* The spaces of two nodes that know each other by LAN sync alone. */
#include "unit/lan_gates.h"

#include <stdio.h>

TEST(what_was_there_and_what_comes_is_on_both)
{
    struct two t = two_open();
    char key[32];

    for (unsigned i = 0; i < 350; i++) {
        (void)snprintf(key, sizeof key, "a-%u", i);
        gate_local(t.a, "put", key, "{\"n\":1}");
    }
    gate_local(t.b, "put", "b", "\"text\"");
    gates_connect(t.a, t.b);
    gate_check_value(t.b, "a-0", "{\"n\":1}");
    gate_check_value(t.b, "a-349", "{\"n\":1}");
    gate_check_value(t.a, "b", "\"text\"");
    CHECK_UINT(lan_exchange_counts(t.b->x)->pushed, 1);
    CHECK_UINT(lan_exchange_counts(t.a->x)->acked, 350);
    gate_local(t.b, "put", "a-7", "{\"n\":2}");
    gate_local(t.a, "del", "a-8", NULL);
    (void)gates_run(t.a, t.b);
    gate_check_value(t.a, "a-7", "{\"n\":2}");
    gate_check_value(t.b, "a-8", "");
    two_close(&t);
}

/* Many events come before the watch hears that it is to pause. */
TEST(what_comes_at_once_goes_in_batches)
{
    struct two t = two_open();
    char key[32];

    gates_connect(t.a, t.b);
    for (unsigned i = 0; i < 350; i++) {
        (void)snprintf(key, sizeof key, "a-%u", i);
        gate_local(t.a, "put", key, "{\"n\":1}");
    }
    (void)gates_run(t.a, t.b);
    gate_check_value(t.b, "a-349", "{\"n\":1}");
    CHECK_UINT(lan_exchange_counts(t.a->x)->acked, 350);
    CHECK_UINT(t.b->batch_most, LAN_BATCH_MAX);
    gate_local(t.a, "put", "last", "1");
    (void)gates_run(t.a, t.b);
    gate_check_value(t.b, "last", "1");
    two_close(&t);
}

/* What one has told is not told to it again. */
TEST(there_is_no_echo)
{
    struct two t = two_open();
    uint64_t a, b;

    gates_connect(t.a, t.b);
    for (unsigned i = 0; i < 20; i++) {
        gate_local(t.a, "put", "k", i % 2 != 0 ? "{\"n\":1}" : "{\"n\":2}");
        (void)gates_run(t.a, t.b);
    }
    a = lan_exchange_counts(t.a->x)->pushed;
    b = lan_exchange_counts(t.b->x)->pushed;
    CHECK_UINT(a, 20);
    CHECK_UINT(b, 0);
    two_close(&t);
}

/* Both sides change while the cable is out; a deletion, too. */
TEST(a_cable_that_was_out)
{
    struct two t = two_open();

    gates_connect(t.a, t.b);
    gate_local(t.a, "put", "both", "{\"a\":0,\"b\":0}");
    gate_local(t.a, "put", "gone", "{\"n\":1}");
    gate_local(t.a, "put", "fought", "{\"n\":1}");
    (void)gates_run(t.a, t.b);
    gate_cut(t.a);
    gate_cut(t.b);
    gate_local(t.a, "put", "both", "{\"a\":1,\"b\":0}");
    gate_local(t.b, "put", "both", "{\"a\":0,\"b\":1}");
    gate_local(t.a, "del", "gone", NULL);
    gate_local(t.a, "del", "fought", NULL);
    gate_local(t.b, "put", "fought", "{\"n\":2}");
    gate_local(t.b, "put", "new", "[1]");
    gates_connect(t.a, t.b);
    /* Their documents are whole: field by field is for who sees what others
     * had, and b's document says a is 0. */
    gate_check_value(t.a, "new", "[1]");
    gate_check_value(t.b, "gone", "");
    gate_check_value(t.a, "fought", "");
    gate_check_value(t.b, "fought", "");
    {
        struct space *sp = space_by_name(t.a->w.node, SLICE_LIT("default"));
        struct stored st;

        CHECK_OK(item_load(t.a->w.node, sp, SLICE_LIT("both"), &st));
        gate_check_value(t.b, "both", (const char *)st.before.ptr);
    }
    two_close(&t);
}

static void local_both(struct two *t, const char *value)
{
    gate_local(t->a, "put", "before", "{\"n\":1}");
    gate_local(t->a, "put", "long", value);
    gate_local(t->a, "put", "behind", "{\"n\":2}");
}

/* What is too long for a message is told as such, and the others are told;
 * once it is shorter it is told as any other. */
TEST(an_item_that_is_too_long)
{
    struct two t = two_open();
    struct buf b = { 0 };

    buf_put_str(&b, "{\"t\":\"");
    for (unsigned i = 0; i < LAN_MESSAGE_MAX / 6; i++)
        buf_put_str(&b, "\xc3\xb6"); /* six bytes, as they write it */
    buf_put(&b, "\"}", 3);
    CHECK_OK(buf_status(&b));
    local_both(&t, (const char *)b.ptr);
    gates_connect(t.a, t.b);
    CHECK_UINT(t.a->lacks_n, 1);
    CHECK(t.a->lacks_bytes > LAN_MESSAGE_MAX);
    gate_check_value(t.b, "long", "");
    gate_check_value(t.b, "before", "{\"n\":1}");
    gate_check_value(t.b, "behind", "{\"n\":2}");
    gate_local(t.a, "put", "later", "{\"n\":3}");
    (void)gates_run(t.a, t.b);
    gate_check_value(t.b, "later", "{\"n\":3}");
    gate_local(t.a, "put", "long", "{\"t\":\"short\"}");
    (void)gates_run(t.a, t.b);
    gate_check_value(t.b, "long", "{\"t\":\"short\"}");
    CHECK_UINT(t.a->lacks_n, 0);
    buf_free(&b);
    two_close(&t);
}

/* Many that are long, but not too long, take several messages, also where
 * they are asked for. */
TEST(items_that_are_long)
{
    struct two t = two_open();
    struct buf b = { 0 };
    char key[32];

    buf_put_str(&b, "{\"t\":\"");
    for (unsigned i = 0; i < (3u << 20); i++)
        buf_put_u8(&b, 'x');
    buf_put(&b, "\"}", 3);
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(key, sizeof key, "long-%u", i);
        gate_local(t.a, "put", key, (const char *)b.ptr);
    }
    gates_connect(t.a, t.b);
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(key, sizeof key, "long-%u", i);
        gate_check_value(t.b, key, (const char *)b.ptr);
    }
    CHECK_UINT(t.a->lacks_n, 0);
    CHECK_UINT(lan_exchange_counts(t.a->x)->answered, 8);
    buf_free(&b);
    two_close(&t);
}
