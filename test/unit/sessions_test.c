#include "app/sessions.h"

#include "unit/check.h"

#define T0 UINT64_C(1000000000)

static struct sessions *s;

static void open_one(uint64_t now_us, struct session_secrets *out)
{
    char link[SESSION_SECRET_TEXT + 1];

    CHECK_OK(sessions_link(s, now_us, link));
    CHECK_OK(sessions_open(s, slice_str(link), now_us, out));
}

static int check(const struct session_secrets *k, uint64_t now_us)
{
    char id[TOKEN_ID_LEN + 1];
    int rc =
        sessions_check(s, slice_str(k->cookie), slice_str(k->page), now_us, id);

    if (rc == SYNCLINE_OK)
        CHECK_SLICE(slice_str(id), k->id);
    return rc;
}

TEST(a_link_opens_one_session)
{
    char link[SESSION_SECRET_TEXT + 1];
    struct session_secrets k;

    CHECK_OK(sessions_new(&s));
    CHECK_OK(sessions_link(s, T0, link));
    CHECK_OK(sessions_open(s, slice_str(link), T0, &k));
    CHECK_INT(sessions_open(s, slice_str(link), T0, &k), SYNCLINE_EDENIED);
    CHECK_OK(check(&k, T0));
    sessions_free(s);
}

TEST(a_link_is_good_for_five_minutes)
{
    char link[SESSION_SECRET_TEXT + 1], late[SESSION_SECRET_TEXT + 1];
    struct session_secrets k;

    CHECK_OK(sessions_new(&s));
    CHECK_OK(sessions_link(s, T0, link));
    CHECK_OK(sessions_link(s, T0, late));
    CHECK_OK(sessions_open(s, slice_str(link), T0 + SESSION_LINK_US - 1, &k));
    CHECK_INT(sessions_open(s, slice_str(late), T0 + SESSION_LINK_US, &k),
        SYNCLINE_ETIMEOUT);
    sessions_free(s);
}

TEST(what_is_no_link_opens_nothing)
{
    static const char *const texts[] = { "", "x",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
    char link[SESSION_SECRET_TEXT + 1];
    struct session_secrets k;

    CHECK_OK(sessions_new(&s));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK_INT(
            sessions_open(s, slice_str(texts[i]), T0, &k), SYNCLINE_EDENIED);
    CHECK_OK(sessions_link(s, T0, link));
    link[3] = link[3] == 'A' ? 'B' : 'A';
    CHECK_INT(sessions_open(s, slice_str(link), T0, &k), SYNCLINE_EDENIED);
    sessions_free(s);
}

/* What goes to every port of the machine is not enough, nor is what a page
 * keeps; nor are halves of two sessions. */
TEST(both_secrets_of_one_session_let_in)
{
    struct session_secrets a, b, mixed;

    CHECK_OK(sessions_new(&s));
    open_one(T0, &a);
    open_one(T0, &b);
    CHECK_OK(check(&a, T0));
    CHECK_OK(check(&b, T0));
    mixed = a;
    memcpy(mixed.page, b.page, sizeof mixed.page);
    CHECK_INT(check(&mixed, T0), SYNCLINE_EDENIED);
    mixed.page[0] = 0;
    CHECK_INT(check(&mixed, T0), SYNCLINE_EDENIED);
    mixed = a;
    mixed.cookie[0] = 0;
    CHECK_INT(check(&mixed, T0), SYNCLINE_EDENIED);
    memcpy(mixed.cookie, a.page, sizeof mixed.cookie);
    memcpy(mixed.page, a.cookie, sizeof mixed.page);
    CHECK_INT(check(&mixed, T0), SYNCLINE_EDENIED);
    sessions_free(s);
}

TEST(a_session_ends_by_time_by_silence_and_by_will)
{
    struct session_secrets a, b, c;
    uint64_t now = T0;

    CHECK_OK(sessions_new(&s));
    open_one(T0, &a);
    open_one(T0, &b);
    open_one(T0, &c);
    CHECK_OK(sessions_find(s, c.id, now));
    sessions_end(s, c.id);
    CHECK_INT(check(&c, now), SYNCLINE_EDENIED);
    CHECK_INT(sessions_find(s, c.id, now), SYNCLINE_EDENIED);
    while (now + SESSION_IDLE_US <= T0 + SESSION_US) {
        now += SESSION_IDLE_US - 1;
        CHECK_OK(check(&a, now));
    }
    CHECK_INT(check(&b, now), SYNCLINE_ETIMEOUT);
    CHECK_OK(check(&a, T0 + SESSION_US - 1));
    CHECK_INT(check(&a, T0 + SESSION_US), SYNCLINE_ETIMEOUT);
    CHECK_INT(sessions_find(s, a.id, T0 + SESSION_US), SYNCLINE_EDENIED);
    CHECK_INT(sessions_find(s, "", T0), SYNCLINE_EDENIED);
    sessions_free(s);
}

TEST(the_one_that_is_used_least_makes_room)
{
    struct session_secrets first, used, k;

    CHECK_OK(sessions_new(&s));
    open_one(T0, &used);
    open_one(T0 + 1, &first);
    for (uint64_t i = 2; i < SESSIONS_MAX; i++)
        open_one(T0 + i, &k);
    CHECK_OK(check(&used, T0 + 100));
    open_one(T0 + 101, &k);
    CHECK_OK(check(&used, T0 + 102));
    CHECK_OK(check(&k, T0 + 102));
    CHECK_INT(check(&first, T0 + 102), SYNCLINE_EDENIED);
    sessions_free(s);
}

TEST(all_are_ended_at_once)
{
    char link[SESSION_SECRET_TEXT + 1];
    struct session_secrets a, b;

    CHECK_OK(sessions_new(&s));
    open_one(T0, &a);
    open_one(T0, &b);
    CHECK_OK(sessions_link(s, T0, link));
    CHECK_INT(sessions_end_all(s), 2);
    CHECK_INT(check(&a, T0), SYNCLINE_EDENIED);
    CHECK_INT(sessions_open(s, slice_str(link), T0, &b), SYNCLINE_EDENIED);
    CHECK_INT(sessions_end_all(s), 0);
    sessions_free(s);
}

/* Links are bounded as well: the ninth takes the place of the first. */
TEST(the_oldest_link_makes_room)
{
    char first[SESSION_SECRET_TEXT + 1], link[SESSION_SECRET_TEXT + 1];
    struct session_secrets k;

    CHECK_OK(sessions_new(&s));
    CHECK_OK(sessions_link(s, T0, first));
    for (uint64_t i = 1; i <= SESSION_LINKS_MAX; i++)
        CHECK_OK(sessions_link(s, T0 + i, link));
    CHECK_INT(
        sessions_open(s, slice_str(first), T0 + 100, &k), SYNCLINE_EDENIED);
    CHECK_OK(sessions_open(s, slice_str(link), T0 + 100, &k));
    sessions_free(s);
}
