/* What a LAN-sync node asks, and what it is asked. */
#include "unit/lan_scene.h"

#include <stdio.h>
#include <stdlib.h>

/* From the start: so many at a time, and from where the last answer ended. */
TEST(a_question_is_answered_in_parts)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_forget(&s);
    scene_says(&s, LAN_SYNC_REQUEST, "{\"limit\":2,\"sync_id\":\" its id\"}");
    check_asked(&s, "question ;");
    scene_found(&s, PUT("a", "c1"));
    check_heard(&s, "");
    scene_found(&s, PUT("b", "c2"));
    check_asked(&s, "answered;");
    check_heard(&s, "answer a v2,b v2 next c2 more its id;");
    scene_says(&s, LAN_SYNC_REQUEST, "{\"limit\":2,\"since\":\"c2\"}");
    check_asked(&s, "question c2;");
    scene_found(
        &s, "{\"key\":\"d\",\"version\":3,\"time\":5,\"cursor\":\"c3\"}");
    scene_found(&s, LIVE("c4"));
    check_asked(&s, "answered;");
    check_heard(&s, "answer -d v3 next c4;");
    scene_says(&s, LAN_SYNC_REQUEST, "{\"since\":\"c4\"}");
    scene_found(&s, "{\"live\":true}");
    check_heard(&s, "answer  next c4;");
    scene_close(&s);
}

TEST(a_question_since_a_time)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_forget(&s);
    scene_says(&s, LAN_SYNC_REQUEST, "{\"since\":\"2026-11-20T11:43:20\"}");
    check_asked(&s, "question ;");
    scene_found(&s,
        "{\"key\":\"old\",\"value\":1,\"version\":1,\"time\":1795174999999999,"
        "\"cursor\":\"c1\"}");
    scene_found(&s, PUT("at", "c2"));
    scene_found(&s, LIVE("c3"));
    check_heard(&s, "answer at v2 next c3;");
    scene_close(&s);
}

/* What it has told itself it has. */
TEST(a_question_of_who_has_told_it)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_says(&s, LAN_SYNC_DATA,
        "{\"items\":[{\"item_id\":\"a\",\"data\":{\"n\":1},\"version\":2,"
        "\"created_at\":1}]}");
    scene_written(&s);
    scene_forget(&s);
    scene_says(&s, LAN_SYNC_REQUEST, "{}");
    scene_found(&s, PUT("a", "c1"));
    scene_found(&s, PUT("b", "c2"));
    scene_found(&s, LIVE("c3"));
    check_heard(&s, "answer b v2 next c3;");
    scene_close(&s);
}

/* Whatever it says, and never more than a batch. */
TEST(how_many_an_answer_has)
{
    static const struct {
        const char *payload;
        unsigned n;
    } rows[] = { { "{\"limit\":7}", 7 }, { "{\"limit\":100}", 100 },
        { "{\"limit\":101}", 100 }, { "{\"limit\":0}", 100 },
        { "{\"limit\":-1}", 100 }, { "{\"limit\":\"7\"}", 100 },
        { "{}", 100 } };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct scene s = { 0 };
        unsigned n = 0;

        scene_open(&s, "", "");
        scene_forget(&s);
        scene_says(&s, LAN_SYNC_REQUEST, rows[i].payload);
        while (s.heard.len == 0) {
            scene_found(&s, PUT("a", "c1"));
            n++;
        }
        CHECK_UINT(n, rows[i].n);
        scene_close(&s);
    }
}

static void ask_one(struct scene *s, unsigned id)
{
    char payload[40];

    (void)snprintf(
        payload, sizeof payload, "{\"limit\":1,\"request_id\":%u}", id);
    scene_sends(s, LAN_SYNC_REQUEST, payload);
}

/* Nothing of it is refused: what it says more is heard when there is room. */
TEST(who_asks_much_at_once_waits)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_forget(&s);
    for (unsigned id = 1; id <= 6; id++)
        ask_one(&s, id);
    CHECK(s.is_held);
    check_asked(&s, "question ;question ;question ;question ;");
    scene_found(&s, PUT("a", "c1"));
    check_heard(&s, "SYNC_RESPONSE request_id=4;");
    check_asked(&s, "answered;question ;");
    scene_found(&s, PUT("a", "c1"));
    check_heard(&s, "SYNC_RESPONSE request_id=5;");
    check_asked(&s, "answered;question ;");
    scene_found(&s, PUT("a", "c1"));
    check_heard(&s, "SYNC_RESPONSE request_id=6;");
    CHECK(!s.is_held);
    scene_close(&s);
}

/* It is told so, and holds nobody else. */
TEST(a_question_that_cannot_be_answered)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_forget(&s);
    for (unsigned id = 1; id <= 6; id++)
        ask_one(&s, id);
    CHECK(s.is_held);
    scene_forget(&s);
    scene_unseen(&s, "no such space");
    check_heard(&s, "SYNC_RESPONSE request_id=4;");
    check_asked(&s, "answered;question ;");
    scene_unseen(&s, "no such space");
    check_heard(&s, "SYNC_RESPONSE request_id=5;");
    check_asked(&s, "answered;question ;");
    scene_unseen(&s, "no such space");
    CHECK(!s.is_held);
    scene_forget(&s);
    scene_says(&s, LAN_SYNC_REQUEST, "{}");
    scene_unseen(&s, "no such space");
    check_heard(&s, "answer error no such space;");
    lan_exchange_unseen(s.x, LINK, "no such space", s.now_us); /* goes on */
    scene_event(&s, PUT("a", "c1"));
    scene_event(&s, LIVE("c2"));
    check_heard(&s, "SYNC_DATA a v2;");
    scene_close(&s);
}

TEST(no_memory_for_a_question)
{
    struct scene s = { 0 };

    scene_open(&s, "", "");
    scene_forget(&s);
    s.is_blind = true;
    for (unsigned id = 1; id <= 6; id++)
        ask_one(&s, id);
    CHECK(!s.is_held);
    s.is_blind = false;
    ask_one(&s, 7);
    check_asked(&s, "question ;");
    scene_found(&s, PUT("a", "c1"));
    check_heard(&s, "SYNC_RESPONSE request_id=7;");
    scene_close(&s);
}

/* ---- ids ---- */

static const char *const said_again[] = { "\"r\"", "7", "-1.5", "true", "false",
    "123456789012345678901234567890" };
static const char *const not_said[] = { "null", "\"\"", "[]", "{\"a\":1}",
    "NaN" };

/* For a question that is answered, one whose answer was kept, and items. */
static void check_ids(const char *id, const char *want)
{
    struct scene s = { .mark = 7 };
    struct buf said = { 0 }, heard = { 0 };

    scene_open(&s, "", "");
    buf_printf(&said, "{\"request_id\":%s,\"sync_id\":%s}", id, id);
    buf_put_u8(&said, 0);
    buf_put_str(&heard, "SYNC_RESPONSE ");
    if (want != NULL)
        buf_printf(&heard, "request_id=%s;sync_id=%s;", want, want);
    buf_put_u8(&heard, 0);
    for (unsigned i = 0; i < 2; i++) {
        scene_forget(&s);
        scene_sends(&s, LAN_SYNC_REQUEST, (const char *)said.ptr);
        if (i == 0)
            scene_found(&s, LIVE("c1"));
        check_heard(&s, (const char *)heard.ptr);
    }
    buf_clear(&said);
    buf_clear(&heard);
    buf_printf(&said, "{\"request_id\":%s,\"data_id\":%s}", id, id);
    buf_put_u8(&said, 0);
    buf_put_str(&heard, "SYNC_ACK ");
    if (want != NULL)
        buf_printf(
            &heard, "request_id=%s;data_id=%s;ack_id=%s;", want, want, want);
    buf_put_u8(&heard, 0);
    scene_sends(&s, LAN_SYNC_DATA, (const char *)said.ptr);
    check_heard(&s, (const char *)heard.ptr);
    buf_free(&said);
    buf_free(&heard);
    scene_close(&s);
}

/* So many characters, in quotes. */
static char *long_id(size_t n)
{
    char *id = malloc(n + 3);

    CHECK(id != NULL);
    (void)snprintf(id, n + 3, "\"%0*d\"", (int)n, 7);
    return id;
}

/* Whoever asks knows his id again: as it was, up to a bound. */
TEST(ids_are_said_again_as_they_were)
{
    for (size_t i = 0; i < ARRAY_N(said_again); i++)
        check_ids(said_again[i], said_again[i]);
    for (size_t i = 0; i < ARRAY_N(not_said); i++)
        check_ids(not_said[i], NULL);
    for (size_t n = 254; n <= 4096; n += n < 258 ? 1 : 3838) {
        char *id = long_id(n);

        check_ids(id, id);
        free(id);
    }
}

/* Nothing of it is taken: it could not be told so. */
TEST(an_id_that_is_too_long)
{
    static const char *const names[] = { "request_id", "sync_id", "request_id",
        "data_id" };
    char *id = long_id(4097);

    for (size_t i = 0; i < ARRAY_N(names); i++) {
        struct scene s = { 0 };
        struct buf said = { 0 };

        scene_open(&s, "", "");
        scene_forget(&s);
        buf_printf(&said,
            "{\"%s\":%s,\"items\":[{\"item_id\":\"a\",\"data\":{},"
            "\"created_at\":1}]}",
            names[i], id);
        buf_put_u8(&said, 0);
        scene_sends(&s, i < 2 ? LAN_SYNC_REQUEST : LAN_SYNC_DATA,
            (const char *)said.ptr);
        check_asked(&s, "");
        check_heard(&s, "");
        buf_free(&said);
        scene_close(&s);
    }
    free(id);
}

/* ---- what was answered ---- */

static void ask_for_two(struct scene *s)
{
    scene_says(s, LAN_SYNC_REQUEST, "{\"limit\":2,\"sync_id\":\" i\"}");
}

static void find_two(struct scene *s)
{
    check_asked(s, "question ;");
    scene_found(s, PUT("a", "c1"));
    scene_found(s, PUT("b", "c2"));
    check_asked(s, "answered;");
    check_heard(s, "answer a v2,b v2 next c2 more i;");
}

/* The space is asked once, as long as it stays as it is. */
TEST(a_question_that_was_answered)
{
    struct scene s = { .mark = 7 };

    scene_open(&s, "", "");
    scene_forget(&s);
    ask_for_two(&s);
    find_two(&s);
    ask_for_two(&s);
    check_heard(&s, "answer a v2,b v2 next c2 more i;");
    scene_says(&s, LAN_SYNC_REQUEST, "{\"limit\":2}");
    check_heard(&s, "answer a v2,b v2 next c2 more;");
    check_asked(&s, "");
    s.mark = 8;
    ask_for_two(&s);
    find_two(&s);
    s.mark = 0;
    ask_for_two(&s);
    find_two(&s);
    scene_close(&s);
}

TEST(questions_that_are_not_the_same)
{
    static const struct {
        const char *payload, *asked;
    } rows[] = { { "{\"limit\":3}", "question ;" },
        { "{\"limit\":2,\"since\":\"c1\"}", "question c1;" },
        { "{\"limit\":2,\"since\":\"2026-11-20T11:43:20\"}", "question ;" } };
    struct scene s = { .mark = 7 };

    scene_open(&s, "", "");
    scene_forget(&s);
    ask_for_two(&s);
    find_two(&s);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        scene_says(&s, LAN_SYNC_REQUEST, rows[i].payload);
        check_asked(&s, rows[i].asked);
    }
    scene_close(&s);
}

/* It was as it is neither before nor after. */
TEST(a_space_that_changes_while_it_answers)
{
    struct scene s = { .mark = 7 };

    scene_open(&s, "", "");
    scene_forget(&s);
    ask_for_two(&s);
    s.mark = 8;
    find_two(&s);
    ask_for_two(&s);
    find_two(&s);
    s.mark = 7;
    ask_for_two(&s);
    find_two(&s);
    scene_close(&s);
}

/* It is not told what it has said; and what was kept may name another author
 * since. */
TEST(an_answer_to_who_has_told_something)
{
    struct scene s = { .mark = 7 };

    scene_open(&s, "", "");
    scene_forget(&s);
    ask_for_two(&s);
    find_two(&s);
    scene_says(&s, LAN_SYNC_DATA,
        "{\"items\":[{\"item_id\":\"a\",\"data\":{\"n\":1},\"version\":2,"
        "\"created_at\":1}]}");
    scene_written(&s);
    scene_forget(&s);
    for (int i = 0; i < 2; i++) {
        ask_for_two(&s);
        check_asked(&s, "question ;");
        scene_found(&s, PUT("a", "c1"));
        scene_found(&s, PUT("b", "c2"));
        scene_found(&s, LIVE("c3"));
        check_heard(&s, "answer b v2 next c3 i;");
        scene_forget(&s);
    }
    scene_close(&s);
}

/* Only so many are kept; each is asked as often as it has to be. */
TEST(many_questions)
{
    struct scene s = { .mark = 7 };
    char payload[32];

    scene_open(&s, "", "");
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = 1; i <= 20; i++) {
            (void)snprintf(payload, sizeof payload, "{\"since\":\"p%u\"}", i);
            scene_forget(&s);
            scene_says(&s, LAN_SYNC_REQUEST, payload);
            CHECK(s.asked.len > 0);
            scene_found(&s, LIVE("c1"));
            check_heard(&s, "answer  next c1;");
        }
    scene_forget(&s);
    scene_says(&s, LAN_SYNC_REQUEST, payload);
    check_asked(&s, "");
    check_heard(&s, "answer  next c1;");
    scene_close(&s);
}

/* One takes more than half of the room that there is for all. */
TEST(long_answers)
{
    static const char *const points[] = { "{\"since\":\"p1\"}",
        "{\"since\":\"p2\"}" };
    struct scene s = { .mark = 7 };
    struct buf event = { 0 };

    buf_put_str(&event, "{\"key\":\"a\",\"value\":\"");
    for (size_t i = 0; i < (size_t)1 << 20; i++)
        buf_put_u8(&event, 'x');
    buf_put_str(&event, "\",\"version\":2,\"time\":1,\"cursor\":\"c1\"}");
    buf_put_u8(&event, 0);
    scene_open(&s, "", "");
    for (size_t i = 0; i < ARRAY_N(points); i++) {
        scene_forget(&s);
        scene_says(&s, LAN_SYNC_REQUEST, points[i]);
        CHECK(s.asked.len > 0);
        scene_found(&s, (const char *)event.ptr);
        check_heard(&s, "answer a v2 next c1 more;");
    }
    for (size_t i = ARRAY_N(points); i-- > 0;) {
        scene_forget(&s);
        scene_says(&s, LAN_SYNC_REQUEST, points[i]);
        CHECK_UINT(s.asked.len == 0, i > 0);
    }
    buf_free(&event);
    scene_close(&s);
}

/* ---- what we ask ---- */

/* Where its last answer ended, as long as there is more. */
TEST(we_ask_on_until_there_is_no_more)
{
    struct scene s = { .answer =
                           "{\"status\":\"success\",\"items\":[{\"item_id\":"
                           "\"a\",\"data\":{},\"created_at\":1}],"
                           "\"next\":\"p1\",\"more\":true}" };

    scene_open(&s, "c0", "p0");
    check_heard(&s, "SYNC_REQUEST p0;");
    check_asked(&s, "watch c0;write a v1 returns;");
    s.answer = "{\"status\":\"success\",\"items\":[],\"next\":\"p2\","
               "\"more\":false}";
    scene_written(&s);
    check_heard(&s, "SYNC_REQUEST p1;");
    check_asked(&s, "keep c0 p1;keep c0 p2;");
    scene_close(&s);
}

/* It may not understand us: it is asked in the other dialect, once, and told in
 * both. */
TEST(nobody_answers)
{
    struct scene s = { .is_cut = true };

    scene_open(&s, "", "");
    check_heard(&s, "SYNC_REQUEST v2;");
    scene_pass(&s, 9 * SEC);
    check_heard(&s, "");
    scene_pass(&s, SEC);
    check_heard(&s, "SYNC_REQUEST v1;");
    scene_pass(&s, 10 * SEC);
    check_heard(&s, "");
    scene_event(&s, PUT("a", "c1"));
    scene_event(&s, LIVE("c2"));
    check_heard(&s, "SYNC_DATA v2;");
    scene_pass(&s, 10 * SEC);
    check_heard(&s, "SYNC_DATA v1;");
    scene_pass(&s, 10 * SEC);
    check_heard(&s, "SYNC_DATA v2;");
    scene_pass(&s, 10 * SEC);
    check_heard(&s, "");
    CHECK(lan_exchange_trouble(s.x, LINK) != NULL);
    scene_close(&s);
}

/* Answers that say there is more: "1" to where they lead, of "0". */
static const char *answer_to(char text[200], const char *point)
{
    (void)snprintf(text, 200,
        "{\"items\":[{\"item_id\":\"a\",\"data\":{},\"created_at\":1}],"
        "\"next\":\"%s\",\"more\":true}",
        point);
    return text;
}

/* So many points before it comes back to one of them, and a round of so many:
 * it is told that, and asked no more until some time has gone by; and then
 * from where it was last. */
TEST(answers_that_go_round)
{
    static const unsigned rows[][2] = { { 0, 1 }, { 1, 1 }, { 0, 2 }, { 3, 1 },
        { 2, 5 }, { 40, 7 } };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct scene s = { .answer = NULL };
        const unsigned first = rows[i][0], round = rows[i][1];
        char text[200], point[16] = "p0";
        unsigned n = 0;

        s.answer = answer_to(text, first == 0 && round == 1 ? "p0" : "p1");
        scene_open(&s, "c0", "p0");
        while (lan_exchange_trouble(s.x, LINK) == NULL) {
            n++;
            CHECK(n < 4 * (first + round + 2));
            (void)snprintf(point, sizeof point, "p%u",
                n < first ? n + 1 : first + (n - first + 1) % round);
            s.answer = answer_to(text, point);
            scene_forget(&s);
            scene_written(&s);
        }
        CHECK(strstr(lan_exchange_trouble(s.x, LINK), "again and again"));
        check_heard(&s, "");
        scene_written(&s);
        CHECK_UINT(
            lan_exchange_tick(s.x, s.now_us + 299 * SEC), s.now_us + 300 * SEC);
        scene_settle(&s);
        check_heard(&s, "");
        s.answer = "{\"status\":\"error\",\"error\":\"not now\"}";
        CHECK_UINT(lan_exchange_tick(s.x, s.now_us += 300 * SEC), 0);
        scene_settle(&s);
        CHECK(s.heard.len > 0);
        scene_forget(&s);
        CHECK(strstr(lan_exchange_trouble(s.x, LINK), "again and again"));
        s.answer = "{\"items\":[],\"next\":\"end\",\"more\":false}";
        CHECK_UINT(lan_exchange_tick(s.x, s.now_us + 300 * SEC), 0);
        scene_settle(&s);
        CHECK(s.heard.len > 0);
        CHECK(lan_exchange_trouble(s.x, LINK) == NULL);
        scene_close(&s);
    }
}

/* That is no round, however long it is. */
TEST(answers_that_go_on_for_long)
{
    struct scene s = { .answer = NULL };
    char text[200], point[16];

    s.answer = answer_to(text, "p1");
    scene_open(&s, "c0", "p0");
    for (unsigned n = 2; n < 500; n++) {
        (void)snprintf(point, sizeof point, "p%u", n);
        s.answer = answer_to(text, point);
        scene_forget(&s);
        scene_written(&s);
        CHECK(s.heard.len > 0);
        CHECK(lan_exchange_trouble(s.x, LINK) == NULL);
    }
    s.answer = answer_to(text, "");
    scene_written(&s);
    scene_written(&s);
    CHECK(strstr(lan_exchange_trouble(s.x, LINK), "not behind which place"));
    scene_close(&s);
}

/* It says no, or nothing that we know, or the same for ever. */
TEST(answers_that_end_our_questions)
{
    static const char *const rows[] = {
        "{\"status\":\"error\",\"error\":\"no\"}", "{\"status\":\"received\"}",
        "{\"items\":\"none\",\"next\":\"p1\",\"more\":true}",
        "{\"items\":[],\"next\":\"p1\",\"more\":true}"
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct scene s = { .answer = rows[i] };

        scene_open(&s, "", "");
        check_heard(&s, "SYNC_REQUEST ;");
        check_asked(&s, i == 3 ? NEW_HERE "keep  p1;" : NEW_HERE);
        scene_event(&s, PUT("a", "c1"));
        scene_event(&s, LIVE("c2"));
        check_heard(&s, "SYNC_DATA a v2;"); /* the rest goes on */
        CHECK((lan_exchange_trouble(s.x, LINK) != NULL) == (i == 3));
        scene_close(&s);
    }
}
