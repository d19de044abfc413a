/* What a LAN-sync node is told that has missed deletions, and how often what it
 * does not acknowledge. */
#include "unit/lan_scene.h"

/* ---- who has missed deletions ---- */

/* It is behind: its watch cannot go on from where it was. */
static void open_behind(struct scene *s)
{
    scene_open(s, "c0", "");
    check_asked(s, "watch c0;");
    scene_event(s, RESYNC);
    scene_event(s, PUT("a", "c1"));
    scene_event(s, LIVE("c2"));
    check_asked(s, "past ;");
    check_heard(s, "SYNC_REQUEST ;SYNC_DATA a v2;");
}

/* Before it has acknowledged the last of them nothing is known to be
 * acknowledged, and what it says may be what was deleted. */
TEST(who_is_behind_is_told_all_that_was_deleted)
{
    struct scene s = { 0 };

    open_behind(&s);
    scene_says(&s, LAN_SYNC_DATA, ITEM("d1", "2026-11-20T12:00:01"));
    check_asked(&s, "write d1 v1 returns;");
    scene_written(&s);
    check_heard(&s, "acked 1 refused 0 ;");
    scene_past(&s,
        "{\"deleted\":[{\"key\":\"d1\",\"time\":5,\"version\":3},{\"key\":"
        "\"d2\",\"time\":5,\"version\":4}],\"more_items\":true,\"after\":"
        "\"d5\"}");
    check_heard(&s, "SYNC_DATA -d1 v3,-d2 v4;");
    check_asked(&s, "past d5;");
    scene_event(&s, PUT("b", "c3"));
    check_heard(&s, "SYNC_DATA b v2;");
    check_asked(&s, "");
    scene_past(&s, "{\"deleted\":[],\"more_items\":false,\"after\":\"\"}");
    check_asked(&s, "keep c3 ;");
    check_heard(&s, "");
    /* What it wrote before it came may still be; what it writes now is not. */
    scene_says(&s, LAN_SYNC_DATA, ITEM("e", "2026-11-20T11:59:59"));
    check_asked(&s, "write e v1 returns;");
    scene_says(&s, LAN_SYNC_DATA, ITEM("e", "2026-11-20T12:00:01"));
    check_asked(&s, "write e v1;");
    scene_written(&s);
    scene_close(&s);
}

/* The first event tells: it has all that it needs. */
TEST(who_is_not_behind_is_asked_nothing)
{
    struct scene s = { 0 };

    scene_open(&s, "c0", "");
    scene_says(&s, LAN_SYNC_DATA, ITEM("e", "2026-11-20T12:00:01"));
    check_asked(&s, "watch c0;write e v1 returns;"); /* nobody knows yet */
    scene_written(&s);
    scene_event(&s, LIVE("c1"));
    check_asked(&s, "keep c1 ;");
    scene_says(&s, LAN_SYNC_DATA, ITEM("e", "2026-11-20T11:59:59"));
    check_asked(&s, "write e v1;");
    scene_written(&s);
    scene_close(&s);
}

/* Nor is who was never here, though what it brings may have been deleted. */
TEST(who_is_new_is_told_what_is_there)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_event(&s, PUT("a", "c1"));
    scene_event(&s, LIVE("c2"));
    check_heard(&s, "SYNC_REQUEST ;SYNC_DATA a v2;");
    check_asked(&s, NEW_HERE "keep c2 ;");
    scene_says(&s, LAN_SYNC_DATA, ITEM("e", "2026-11-20T11:59:59"));
    check_asked(&s, "write e v1 returns;");
    scene_written(&s);
    scene_close(&s);
}

/* Its watch may fall behind while it is here. */
TEST(who_falls_behind_is_told_too)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_event(&s, LIVE("c1"));
    scene_forget(&s);
    scene_event(&s, RESYNC);
    scene_event(&s, LIVE("c2"));
    check_asked(&s, "past ;");
    scene_past(&s, "{\"deleted\":[{\"key\":\"d\",\"time\":5,\"version\":3}]}");
    check_heard(&s, "SYNC_DATA -d v3;");
    check_asked(&s, "keep c2 ;");
    scene_close(&s);
}

/* Also one that has acknowledged nothing yet. */
TEST(who_falls_behind_before_it_has_acknowledged)
{
    struct scene s = { .is_mute = true };

    scene_open(&s, "", "");
    scene_event(&s, PUT("a", "c1"));
    scene_event(&s, LIVE("c2"));
    scene_event(&s, RESYNC);
    scene_event(&s, LIVE("c3"));
    check_asked(&s, NEW_HERE);
    s.is_mute = false;
    scene_pass(&s, 10 * SEC);
    check_asked(&s, "past ;");
    scene_past(&s, "{\"deleted\":[]}");
    check_asked(&s, "keep c3 ;");
    scene_close(&s);
}

/* A batch is full before the list ends: it goes on behind what is in it. */
TEST(a_list_of_deletions_that_is_longer_than_a_batch)
{
    struct scene s = { 0 };
    struct buf list = { 0 };

    open_behind(&s);
    buf_put_str(&list, "{\"deleted\":[");
    for (unsigned i = 0; i < 150; i++)
        buf_printf(&list, "%s{\"key\":\"d-%03u\",\"time\":5,\"version\":3}",
            i > 0 ? "," : "", i);
    buf_put(&list, "]}", 3);
    scene_past(&s, (const char *)list.ptr);
    check_heard(&s, "SYNC_DATA 100 items;");
    check_asked(&s, "past d-099;");
    scene_past(
        &s, "{\"deleted\":[{\"key\":\"d-100\",\"time\":5,\"version\":3}]}");
    check_heard(&s, "SYNC_DATA -d-100 v3;");
    check_asked(&s, "keep c2 ;");
    buf_free(&list);
    scene_close(&s);
}

/* What the node said of one of them meanwhile is no reason to leave it out. */
TEST(no_answer_is_not_that_nothing_was_deleted)
{
    static const char *const answers[] = { NULL,
        "{\"ok\":false,\"code\":\"EIO\",\"error\":\"the disk\"}" };

    for (size_t i = 0; i < ARRAY_N(answers); i++) {
        struct scene s = { 0 };

        open_behind(&s);
        scene_past(&s, answers[i]);
        check_asked(&s, ""); /* nor is it asked for ever */
        scene_event(&s, PUT("b", "c3"));
        check_asked(&s, "past ;");
        scene_past(
            &s, "{\"deleted\":[{\"key\":\"d\",\"time\":5,\"version\":3}]}");
        check_heard(&s, "SYNC_DATA b v2;SYNC_DATA -d v3;");
        check_asked(&s, "keep c3 ;");
        scene_close(&s);
    }
}

TEST(an_answer_that_nobody_waits_for)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_event(&s, LIVE("c1"));
    scene_forget(&s);
    scene_past(&s, "{\"deleted\":[{\"key\":\"d\",\"time\":5,\"version\":3}]}");
    lan_exchange_past(s.x, LINK + 1, NULL, s.now_us);
    check_heard(&s, "");
    check_asked(&s, "");
    scene_close(&s);
}

TEST(a_space_without_a_history)
{
    struct scene s = { .has_no_past = true };

    scene_open(&s, "c0", "");
    scene_event(&s, RESYNC);
    scene_event(&s, LIVE("c2"));
    check_asked(&s, "watch c0;keep c2 ;");
    scene_close(&s);
}

/* Then it is told all of them, or it is behind still. */
TEST(memory_that_runs_out_while_it_is_told_what_was_deleted)
{
    for (long n = 0;; n++) {
        struct scene s = { 0 };
        struct arena a = { 0 };
        struct json *list;
        bool failed;

        open_behind(&s);
        list = scene_parsed(
            "{\"deleted\":[{\"key\":\"d1\",\"time\":5,\"version\":3},"
            "{\"key\":\"d2\",\"time\":5,\"version\":3}]}",
            &a);
        check_alloc_fail_from(n);
        lan_exchange_past(s.x, LINK, list, s.now_us);
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        arena_free(&a);
        scene_settle(&s);
        if (slice_is(buf_slice(&s.asked), "keep c2 ;"))
            check_heard(&s, "SYNC_DATA -d1 v3,-d2 v3;");
        else
            CHECK_SAYING(failed, "%.*s", SLICE_FMT(buf_slice(&s.asked)));
        scene_close(&s);
        if (!failed)
            break;
    }
}

/* ---- what is acknowledged, and what is not ---- */

/* The same under the same id, three times; then nothing until it comes again.
 */
TEST(who_never_acknowledges_is_told_no_more)
{
    struct scene s = { .is_mute = true };
    char id[40];

    scene_open(&s, "c0", "");
    scene_event(&s, PUT("a", "c1"));
    scene_event(&s, LIVE("c2"));
    memcpy(id, s.push_id, sizeof id);
    for (unsigned i = 0; i < 2; i++) {
        scene_pass(&s, 10 * SEC - 1);
        check_heard(
            &s, i == 0 ? "SYNC_REQUEST ;SYNC_DATA a v2;" : "SYNC_DATA a v2;");
        scene_pass(&s, 1);
        CHECK_SLICE(slice_str(s.push_id), id);
    }
    check_asked(&s, "watch c0;");
    scene_pass(&s, 10 * SEC);
    check_asked(&s, "unwatch;");
    scene_event(&s, PUT("b", "c3"));
    scene_pass(&s, 100 * SEC);
    check_heard(&s, "SYNC_DATA a v2;");
    scene_close(&s);
}

/* At once: a server of the second generation does, as it ships. Even one that
 * has acknowledged before. */
TEST(who_refuses_thrice_is_told_no_more)
{
    for (unsigned i = 0; i < 2; i++) {
        struct scene s = { .refuses = i == 0 };

        scene_open(&s, "", "");
        scene_event(&s, PUT("a", "c1"));
        scene_event(&s, LIVE("c2"));
        if (i == 1) {
            scene_forget(&s);
            s.refuses = true;
            scene_event(&s, PUT("a", "c3"));
        }
        check_heard(&s,
            i == 0 ? "SYNC_REQUEST ;SYNC_DATA a v2;SYNC_DATA a v2;"
                     "SYNC_DATA a v2;"
                   : "SYNC_DATA a v2;SYNC_DATA a v2;SYNC_DATA a v2;");
        check_asked(&s, i == 0 ? NEW_HERE "unwatch;" : "unwatch;");
        scene_says(&s, LAN_SYNC_DATA, ITEM("e", "2026-11-20T12:00:01"));
        check_asked(&s, "write e v1;");
        scene_written(&s);
        check_heard(&s, "acked 1 refused 0 ;"); /* it is heard on */
        scene_close(&s);
    }
}

/* Whoever has done so once may be slow. */
TEST(who_has_acknowledged_is_told_until_he_does_again)
{
    struct scene s = { 0 };
    char id[40];

    scene_open(&s, "", "");
    scene_event(&s, PUT("a", "c1"));
    scene_event(&s, LIVE("c2"));
    s.is_mute = true;
    scene_event(&s, PUT("b", "c3"));
    memcpy(id, s.push_id, sizeof id);
    scene_forget(&s);
    for (unsigned i = 0; i < 10; i++) {
        scene_pass(&s, 10 * SEC);
        check_heard(&s, "SYNC_DATA b v2;");
        CHECK_SLICE(slice_str(s.push_id), id);
    }
    check_asked(&s, "");
    s.is_mute = false;
    scene_pass(&s, 10 * SEC);
    check_asked(&s, "keep c3 ;");
    scene_close(&s);
}

/* All of it has been written, or is told as what was not. */
TEST(what_it_says_is_acknowledged_when_it_is_written)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_event(&s, LIVE("c1"));
    scene_forget(&s);
    scene_says(&s, LAN_SYNC_DATA,
        "{\"items\":[{\"item_id\":\"a\",\"data\":{},\"created_at\":1},"
        "{\"item_id\":\"b\"},{\"item_id\":\"c\",\"action\":\"delete\","
        "\"created_at\":1,\"version\":3},"
        "{\"item_id\":\"d\",\"data\":{},\"created_at\":1}]}");
    check_asked(&s,
        "write a v1 returns;write c v3 returns;"
        "write d v1 returns;");
    check_heard(&s, "");
    lan_exchange_written(s.x, s.tokens[0], SYNCLINE_OK, "", s.now_us);
    lan_exchange_written(
        s.x, s.tokens[1], SYNCLINE_ECONFLICT, "older", s.now_us);
    scene_settle(&s);
    check_heard(&s, "");
    lan_exchange_written(
        s.x, s.tokens[2], SYNCLINE_EINVAL, "d: no room", s.now_us);
    scene_settle(&s);
    check_heard(&s, "acked 2 refused 2 d: no room;");
    scene_says(
        &s, LAN_SYNC_DATA, "{\"own\":1}"); /* what is no item is theirs */
    check_heard(&s, "acked 0 refused 0 ;");
    scene_close(&s);
}

/* Whoever says more than can be written waits, as does who comes then: nobody
 * is told that anything went wrong. */
TEST(what_is_said_faster_than_it_is_written)
{
    struct scene s = { .answer = "{\"items\":[]}" };

    scene_open(&s, "", "");
    scene_event(&s, LIVE("c1"));
    scene_forget(&s);
    for (unsigned i = 0; i < 70; i++) {
        CHECK_INT(s.is_held, i >= 64);
        scene_says(&s, LAN_SYNC_DATA, ITEM("k", "2026-11-20T12:00:00"));
    }
    CHECK_UINT(s.tokens_n, 64);
    CHECK_UINT(lan_link_deadline(s.here), 0); /* only a write ends that */
    lan_exchange_written(
        s.x, s.tokens[--s.tokens_n], SYNCLINE_OK, "", s.now_us);
    CHECK_UINT(lan_link_deadline(s.here), s.now_us);
    scene_pass(&s, 0);
    CHECK_UINT(s.tokens_n, 64);
    CHECK(s.is_held);
    scene_written(&s);
    scene_pass(&s, 0);
    CHECK_UINT(s.tokens_n, 5);
    CHECK(!s.is_held);
    scene_written(&s);
    CHECK_UINT(lan_exchange_counts(s.x)->taken, 70);
    CHECK_UINT(s.heard.len, 70 * strlen("acked 1 refused 0 ;"));
    scene_close(&s);
}
