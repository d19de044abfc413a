#include "faces/http/http_client.h"

#include "unit/check.h"

static struct http_client *begin(bool is_post)
{
    const struct http_client_options opt = { .host = "example:1",
        .path = "/a?b=1",
        .agent = "Syncline/9",
        .is_post = is_post,
        .type = "text/plain",
        .body = SLICE_LIT("40"),
        .body_max = 20,
        .time_ms = 1000 };
    struct http_client *c = NULL;

    CHECK_OK(http_client_new(&c, &opt, 5));
    return c;
}

TEST(a_request_is_plain_and_the_last)
{
    struct http_client *c = begin(false);

    CHECK_SLICE(buf_slice(http_client_out(c)),
        "GET /a?b=1 HTTP/1.1\r\nHost: example:1\r\nUser-Agent: "
        "Syncline/9\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    http_client_free(c);
    c = begin(true);
    CHECK_SLICE(buf_slice(http_client_out(c)),
        "POST /a?b=1 HTTP/1.1\r\nHost: example:1\r\nUser-Agent: "
        "Syncline/9\r\nAccept: */*\r\nConnection: close\r\nContent-Type: "
        "text/plain\r\nContent-Length: 2\r\n\r\n40");
    http_client_free(c);
}

/* In one piece and byte by byte. */
TEST(answers_are_read)
{
    static const struct {
        const char *text;
        unsigned status; /* 0: it is none, before or at the end */
        const char *body;
        bool by_end; /* it is whole when the connection ends */
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false },
        { "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, "ok", false },
        { "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false },
        { "HTTP/1.0 400 Bad\r\n\r\nno", 400, "no", true },
        { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", 200, "ok", true },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
            200, "ok", false },
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
          "Content-Length: 0\r\n\r\n",
            200, "", false },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n"
          "Content-Length: 2\r\n\r\nok",
            200, "ok", false },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
          "Content-Length: 2\r\n\r\nok",
            0, "", false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n"
          "012345678901234567890",
            0, "", false },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "ffffffffffffffff\r\no",
            0, "", false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 0, "", true },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", 0,
            "", true },
        { "SSH-2.0-OpenSSH\r\n", 0, "", false },
        { "HTTP/1.1 200 OK\r\nCont", 0, "", true },
        { "", 0, "", true },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        for (size_t step = 1; step < 1000; step += 998) {
            struct http_client *c = begin(false);
            struct slice rest = slice_str(rows[i].text);

            while (rest.len > 0) {
                http_client_feed(
                    c, SLICE(rest.ptr, step < rest.len ? step : rest.len));
                rest = slice_from(rest, step);
            }
            CHECK_SAYING(http_client_is_over(c) != rows[i].by_end,
                "row %zu in steps of %zu", i, step);
            http_client_end(c, "gone");
            CHECK(http_client_is_over(c));
            CHECK_SAYING(http_client_status(c) == rows[i].status,
                "row %zu in steps of %zu: %u", i, step, http_client_status(c));
            if (rows[i].status != 0)
                CHECK_SLICE(http_client_body(c), rows[i].body);
            else
                CHECK(http_client_why(c)[0] != 0);
            http_client_free(c);
        }
}

TEST(an_answer_that_is_late_is_none)
{
    struct http_client *c = begin(false);

    CHECK_UINT(http_client_deadline_ms(c), 1005);
    http_client_tick(c, 1004);
    CHECK(!http_client_is_over(c));
    http_client_tick(c, 1005);
    CHECK_SLICE(slice_str(http_client_why(c)), "it does not answer in time");
    CHECK_UINT(http_client_deadline_ms(c), 0);
    http_client_feed(c, SLICE_LIT("HTTP/1.1 200 OK\r\n"));
    CHECK_UINT(http_client_status(c), 0);
    http_client_free(c);
}

/* Neither a head nor chunks without an end are taken in for ever. */
TEST(what_frames_an_answer_is_bounded)
{
    static const char *const pieces[][2] = {
        { "HTTP/1.1 200 OK\r\n", "X-A: 0123456789\r\n" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1;"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
        { "HTTP/1.1 200 OK\r\n", "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX" },
    };

    for (size_t i = 0; i < ARRAY_N(pieces); i++) {
        struct http_client *c = begin(false);

        http_client_feed(c, slice_str(pieces[i][0]));
        for (int n = 0; n < 20000 && !http_client_is_over(c); n++)
            http_client_feed(c, slice_str(pieces[i][1]));
        CHECK(http_client_is_over(c));
        CHECK_UINT(http_client_status(c), 0);
        http_client_free(c);
    }
}
