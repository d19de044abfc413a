/* Whom a node's hub lets in by a token. */
#include "app/engine/engine_impl.h"

#include "unit/check.h"
#include "unit/store_temp.h"

#include <stdio.h>

static char dir[TEMP_MAX];
static struct engine e;

static void begin(void)
{
    temp_make(dir);
    e = (struct engine){ .opt = { .tokens = true }, .dir = dir };
    CHECK_OK(engine_tokens_open(&e, NULL));
}

static void end(void)
{
    engine_tokens_close(&e);
    temp_remove(dir);
}

static int knock(const char *from, const char *text, struct token_grant *g)
{
    struct netaddr addr;
    uint64_t wait_us = 0;
    int rc;

    CHECK_OK(netaddr_parse(&addr, slice_str(from), 0, NULL));
    rc = engine_admit(&e, &addr, slice_str(text), g, &wait_us);
    CHECK((rc == SYNCLINE_EBUSY) == (wait_us > 0));
    return rc;
}

static void make(uint64_t expires_us, char text[TOKEN_TEXT_LEN + 1])
{
    const struct token_request r = { .name = SLICE_LIT("one"),
        .expires_us = expires_us };
    struct token_info made;

    CHECK_OK(tokens_create(e.tokens, &r, 1, text, &made, NULL));
}

/* R12: five failures a minute from an address, then nothing is looked at, not
 * even what is right: or there would be no bound on guesses. From loopback,
 * where all have one address, what is right is. */
TEST(five_wrong_tokens_shut_the_door_to_an_address)
{
    char text[TOKEN_TEXT_LEN + 1];
    struct token_grant g;

    begin();
    make(0, text);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(knock("10.0.0.1", text, &g));
        CHECK_INT(knock("10.0.0.1", "sync_no", &g), SYNCLINE_EDENIED);
        CHECK_INT(knock("127.0.0.1", "sync_no", &g), SYNCLINE_EDENIED);
    }
    CHECK_INT(knock("10.0.0.1", text, &g), SYNCLINE_EBUSY);
    CHECK_INT(knock("10.0.0.1", "sync_no", &g), SYNCLINE_EBUSY);
    CHECK_OK(knock("10.0.0.2", text, &g));
    CHECK_INT(knock("127.0.0.1", "sync_no", &g), SYNCLINE_EBUSY);
    CHECK_INT(knock("127.0.0.1", "", &g), SYNCLINE_EDENIED);
    CHECK_OK(knock("127.0.0.1", text, &g));
    CHECK_OK(engine_still_admits(&e, g.id, &g));
    end();
}

/* Who shows none is asked for one; who had one has guessed nothing. */
TEST(none_and_an_expired_one_are_no_failures)
{
    char text[TOKEN_TEXT_LEN + 1];
    struct token_grant g;

    begin();
    make(2, text);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(knock("::1", "", &g), SYNCLINE_EDENIED);
        CHECK_INT(knock("::1", text, &g), SYNCLINE_ETIMEOUT);
    }
    end();
}

TEST(a_node_without_tokens_lets_nobody_in)
{
    struct token_grant g;

    e = (struct engine){ .dir = dir };
    CHECK_OK(engine_tokens_open(&e, NULL));
    CHECK_INT(knock("::1", "sync_x", &g), SYNCLINE_EUNSUPPORTED);
    CHECK_INT(engine_still_admits(&e, "00000000", &g), SYNCLINE_EUNSUPPORTED);
    engine_tokens_close(&e);
}
