#include "unit/http_world.h"

#define HOST "Host: a.example:4748\r\n"
#define END "\r\n"

/* A request, and either what was asked or the status of a refusal. */
struct row {
    const char *what, *request, *line;
    unsigned status;
};

static void check_row(const struct row *row, size_t step)
{
    struct http_world w;
    struct slice in = slice_str(row->request);

    CHECK_OK(http_world_open(&w, NULL));
    for (; in.len > 0; in = slice_from(in, step))
        http_conn_feed(
            w.c, SLICE(in.ptr, in.len < step ? in.len : step), w.now);
    if (row->line != NULL) {
        CHECK_SAYING(w.requests == 1 && slice_is(buf_slice(&w.line), row->line),
            "%s: %u asked, %.*s", row->what, w.requests,
            SLICE_FMT(buf_slice(&w.line)));
        CHECK(http_conn_is_busy(w.c) && !http_conn_is_over(w.c));
    } else {
        unsigned status = http_world_status(&w);

        CHECK_SAYING(w.requests == 0 && status == row->status,
            "%s: %u asked, answered %u", row->what, w.requests, status);
        CHECK(http_conn_is_over(w.c) && w.gone == 0);
    }
    http_world_close(&w);
}

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check_row(&rows[i], SIZE_MAX);
        check_row(&rows[i], 1);
        check_row(&rows[i], 7);
    }
}

TEST(what_a_request_line_asks_for)
{
    static const struct row rows[] = {
        { "plain", "GET / HTTP/1.1\r\n" HOST END, "GET / a.example:4748", 0 },
        { "a query", "GET /v1/a%2fb?x=1&y HTTP/1.1\r\n" HOST END,
            "GET /v1/a%2fb?x=1&y a.example:4748", 0 },
        { "an empty query", "PUT /a? HTTP/1.1\r\n" HOST END,
            "PUT /a? a.example:4748", 0 },
        { "an empty line before it", "\r\nDELETE /a HTTP/1.1\r\n" HOST END,
            "DELETE /a a.example:4748", 0 },
        { "one of llhttp's methods", "PROPFIND /a HTTP/1.1\r\n" HOST END,
            "OTHER /a a.example:4748", 0 },
        { "nobody's method", "BREW /pot HTTP/1.1\r\n" HOST END,
            "OTHER /pot a.example:4748", 0 },
        { "a method in small letters", "get / HTTP/1.1\r\n" HOST END,
            "OTHER / a.example:4748", 0 },
        { "about everything", "OPTIONS * HTTP/1.1\r\n" HOST END,
            "OPTIONS * a.example:4748", 0 },
        { "a URL of this host",
            "GET http://A.Example:4748/x?y HTTP/1.1\r\n" HOST END,
            "GET /x?y a.example:4748", 0 },
        { "a URL without a path",
            "GET https://a.example:4748 HTTP/1.1\r\n" HOST END,
            "GET / a.example:4748", 0 },
        { "HTTP/1.0 that names no host", "GET / HTTP/1.0\r\n\r\n", "GET / ",
            0 },
        { "an offer of another protocol",
            "GET / HTTP/1.1\r\n" HOST
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" END,
            "GET / a.example:4748", 0 },
        { "an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / ", 0 },
    };

    check_rows(rows, ARRAY_N(rows));
}

TEST(request_lines_that_are_refused)
{
    static const struct row rows[] = {
        { "CONNECT", "CONNECT a.example:443 HTTP/1.1\r\n" HOST END, NULL, 501 },
        { "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NULL, 505 },
        { "HTTP/1.2", "GET / HTTP/1.2\r\n" HOST END, NULL, 505 },
        { "HTTP/0.9", "GET /\r\n\r\n", NULL, 400 },
        { "no version", "GET / \r\n" HOST END, NULL, 400 },
        { "a version with a tail", "GET / HTTP/1.1 \r\n" HOST END, NULL, 400 },
        { "two blanks", "GET  / HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "a tab", "GET\t/ HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "a method that is no token", "GE(T / HTTP/1.1\r\n" HOST END, NULL,
            400 },
        { "two empty lines before it", "\r\n\r\nGET / HTTP/1.1\r\n" HOST END,
            NULL, 400 },
        { "a blank before it", " GET / HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "a target that is no path", "GET a HTTP/1.1\r\n" HOST END, NULL,
            400 },
        { "a fragment", "GET /a#b HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "letters that are no URL", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST END,
            NULL, 400 },
        { "everything, but not OPTIONS", "GET * HTTP/1.1\r\n" HOST END, NULL,
            400 },
        { "a URL of another host",
            "GET http://b.example/ HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "a URL of another port",
            "GET http://a.example/ HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "a URL with a user",
            "GET http://u@a.example:4748/ HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "a URL of another kind",
            "GET ftp://a.example:4748/ HTTP/1.1\r\n" HOST END, NULL, 400 },
        { "TLS", "\x16\x03\x01\x02", NULL, 400 },
    };

    check_rows(rows, ARRAY_N(rows));
}

TEST(fields_that_are_refused)
{
    static const struct row rows[] = {
        { "no host", "GET / HTTP/1.1\r\n\r\n", NULL, 400 },
        { "two hosts", "GET / HTTP/1.1\r\n" HOST HOST END, NULL, 400 },
        { "two hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST HOST END, NULL,
            400 },
        { "a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", NULL,
            400 },
        { "a host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", NULL,
            400 },
        { "a list of hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", NULL,
            400 },
        { "a folded line", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n" END, NULL,
            400 },
        { "a folded line by tab", "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n",
            NULL, 400 },
        { "a first line with a blank before it",
            "GET / HTTP/1.1\r\n Host: a\r\n" END, NULL, 400 },
        { "LF alone", "GET / HTTP/1.1\nHost: a\n\n", NULL, 400 },
        { "LF alone in a field", "GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n" END,
            NULL, 400 },
        { "CR alone in a field", "GET / HTTP/1.1\r\n" HOST "X: a\rY: b\r\n" END,
            NULL, 400 },
        { "LF alone at the end", "GET / HTTP/1.1\r\n" HOST "\n", NULL, 400 },
        { "a control character", "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n" END,
            NULL, 400 },
        { "DEL", "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n" END, NULL, 400 },
        { "a blank before the colon", "GET / HTTP/1.1\r\n" HOST "X : 1\r\n" END,
            NULL, 400 },
        { "a name that is no token", "GET / HTTP/1.1\r\n" HOST "X(: 1\r\n" END,
            NULL, 400 },
        { "no name", "GET / HTTP/1.1\r\n" HOST ": 1\r\n" END, NULL, 400 },
        { "no colon", "GET / HTTP/1.1\r\n" HOST "X\r\n" END, NULL, 400 },
        { "an expectation", "PUT / HTTP/1.1\r\n" HOST "Expect: more\r\n" END,
            NULL, 417 },
        { "a compressed body",
            "PUT / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\n" END, NULL,
            415 },
        { "a body compressed behind another name",
            "PUT / HTTP/1.1\r\n" HOST "Content-Encoding: identity, br\r\n" END,
            NULL, 415 },
    };

    check_rows(rows, ARRAY_N(rows));
}

/* Whatever leaves a doubt about where the body ends. */
TEST(lengths_that_are_refused)
{
    static const struct row rows[] = {
        { "length and chunks",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
            "Transfer-Encoding: chunked\r\n" END "0\r\n\r\n",
            NULL, 400 },
        { "chunks and length",
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
            "Content-Length: 5\r\n" END "0\r\n\r\n",
            NULL, 400 },
        { "two lengths",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
            "Content-Length: 6\r\n" END,
            NULL, 400 },
        { "the same length twice",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
            "Content-Length: 5\r\n" END "abcde",
            NULL, 400 },
        { "a list of lengths",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n" END, NULL,
            400 },
        { "a sign", "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n" END,
            NULL, 400 },
        { "less than nothing",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n" END, NULL,
            400 },
        { "hex", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n" END, NULL,
            400 },
        { "no digits", "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n" END,
            NULL, 400 },
        { "a blank in it",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n" END, NULL,
            400 },
        { "beyond 64 bits",
            "POST / HTTP/1.1\r\n" HOST
            "Content-Length: 18446744073709551617\r\n" END,
            NULL, 400 },
        { "much", "POST / HTTP/1.1\r\n" HOST "Content-Length: 16777217\r\n" END,
            NULL, 413 },
        { "another coding",
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n" END, NULL,
            400 },
        { "another coding before chunks",
            "POST / HTTP/1.1\r\n" HOST
            "Transfer-Encoding: gzip, chunked\r\n" END,
            NULL, 501 },
        { "chunks twice",
            "POST / HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked, chunked\r\n" END,
            NULL, 400 },
        { "chunks in two fields",
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
            "Transfer-Encoding: identity\r\n" END,
            NULL, 400 },
        { "a name in disguise",
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n" END,
            NULL, 400 },
        { "a quoted name",
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n" END,
            NULL, 400 },
        { "chunks in HTTP/1.0",
            "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" END,
            NULL, 400 },
        { "a length with a blank before the colon",
            "POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n" END "abcde",
            NULL, 400 },
    };

    check_rows(rows, ARRAY_N(rows));
}

#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END

TEST(chunks_that_are_refused)
{
    static const struct row rows[] = {
        { "no digits", CHUNKED "\r\nabc", NULL, 400 },
        { "no hex", CHUNKED "g\r\nabc", NULL, 400 },
        { "a sign", CHUNKED "-1\r\nabc", NULL, 400 },
        { "0x", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", NULL, 400 },
        { "LF alone behind the size", CHUNKED "3\nabc\r\n0\r\n\r\n", NULL,
            400 },
        { "LF alone behind the data", CHUNKED "3\r\nabc\n0\r\n\r\n", NULL,
            400 },
        { "data that is longer", CHUNKED "3\r\nabcd\r\n0\r\n\r\n", NULL, 400 },
        { "a size beyond 64 bits", CHUNKED "fffffffffffffffff\r\nabc", NULL,
            400 },
        { "a size of 64 bits", CHUNKED "ffffffffffffffff\r\nabc", NULL, 413 },
        { "a size beyond what is taken", CHUNKED "1000001\r\nabc", NULL, 413 },
        { "one that is so with those before",
            CHUNKED "3\r\nabc\r\nfffffe\r\nabc", NULL, 413 },
        { "LF alone in an extension", CHUNKED "3;a\nb\r\nabc\r\n0\r\n\r\n",
            NULL, 400 },
        { "a blank behind the size", CHUNKED "3 \r\nabc\r\n0\r\n\r\n", NULL,
            400 },
        { "LF alone at the end", CHUNKED "3\r\nabc\r\n0\r\n\n", NULL, 400 },
        { "a trailer that is none", CHUNKED "0\r\nX\r\n\r\n", NULL, 400 },
        { "a trailer of LF alone", CHUNKED "0\r\nX: 1\nY: 2\r\n\r\n", NULL,
            400 },
        { "a folded trailer", CHUNKED "0\r\nX: 1\r\n 2\r\n\r\n", NULL, 400 },
        { "CR alone in a trailer", CHUNKED "0\r\nX: 1\r2\r\n\r\n", NULL, 400 },
    };

    check_rows(rows, ARRAY_N(rows));
}

TEST(names_are_small_and_values_trimmed)
{
    struct http_world w;

    CHECK_OK(http_world_open(&w, NULL));
    http_world_feed(&w,
        "GET / HTTP/1.1\r\nHOST:a\r\nX-Some: \t b  c \t\r\nEmpty:\r\n"
        "Blank:  \r\nx-SOME: \xe4\r\n\r\n");
    CHECK_SLICE(
        buf_slice(&w.fields), "host=a;x-some=b  c;empty=;blank=;x-some=\xe4;");
    http_world_close(&w);
}

static void one_of_two(struct http_world *w, const struct http_request *r)
{
    CHECK_SLICE(http_field(r, "host"), "a");
    CHECK(http_field(r, "twice").ptr == NULL);
    CHECK(http_field(r, "never").ptr == NULL);
    CHECK(http_field(r, "empty").ptr != NULL);
    CHECK_UINT(http_field(r, "empty").len, 0);
    http_world_ok(w, r);
}

TEST(a_field_that_is_there_twice_is_not_there)
{
    struct http_world w;

    CHECK_OK(http_world_open(&w, NULL));
    w.answer = one_of_two;
    http_world_feed(&w,
        "GET / HTTP/1.1\r\nHost: a\r\nTwice: 1\r\nEmpty:\r\nTwice: 1\r\n\r\n");
    CHECK_UINT(w.requests, 1);
    http_world_close(&w);
}

TEST(parameters_of_a_query)
{
    static const struct {
        const char *query, *name, *value;
        int rc;
    } rows[] = {
        { "a=1", "a", "1", 0 },
        { "a=1&b=2", "b", "2", 0 },
        { "b=2&a", "a", "", 0 },
        { "a=x%20y+z%2B", "a", "x y z+", 0 },
        { "a=b=c", "a", "b=c", 0 },
        { "%61=1", "a", "1", 0 },
        { "a=%C3%A4", "a", "\xc3\xa4", 0 },
        { "&&a=1&", "a", "1", 0 },
        { "ab=1", "a", "", SYNCLINE_ENOTFOUND },
        { "a=1", "ab", "", SYNCLINE_ENOTFOUND },
        { "", "a", "", SYNCLINE_ENOTFOUND },
        { "%6=1", "a", "", SYNCLINE_ENOTFOUND },
        { "a%00=1", "a", "", SYNCLINE_ENOTFOUND },
        { "a=1&a=1", "a", "", SYNCLINE_EMALFORMED },
        { "a=%", "a", "", SYNCLINE_EMALFORMED },
        { "a=%4", "a", "", SYNCLINE_EMALFORMED },
        { "a=%4g", "a", "", SYNCLINE_EMALFORMED },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct http_request r = { .query = slice_str(rows[i].query) };
        struct buf out = { 0 };

        CHECK_SAYING(http_query(&r, rows[i].name, &out) == rows[i].rc &&
                slice_is(buf_slice(&out), rows[i].value),
            "%s of %s", rows[i].name, rows[i].query);
        buf_free(&out);
    }
}

#define ASKS "GET /ws HTTP/1.1\r\n" HOST
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

TEST(who_asks_for_a_websocket)
{
    static const struct {
        const char *request;
        bool is;
    } rows[] = {
        { ASKS UPGRADE VERSION KEY END, true },
        { "POST /ws HTTP/1.1\r\n" HOST UPGRADE VERSION KEY END, false },
        { "GET /ws HTTP/1.0\r\n" HOST UPGRADE VERSION KEY END, false },
        { ASKS UPGRADE KEY END, false },
        { ASKS UPGRADE VERSION END, false },
        { ASKS UPGRADE VERSION KEY KEY END, false },
        { ASKS UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY END, false },
        { ASKS UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXA=\r\n" END,
            false },
        { ASKS UPGRADE VERSION
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-==\r\n" END,
            false },
        { ASKS "Upgrade: websocket\r\n" VERSION KEY END, false },
        { ASKS "Connection: upgrade\r\n" VERSION KEY END, false },
        { ASKS UPGRADE VERSION KEY "Content-Length: 1\r\n" END "a", false },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct http_world w;

        CHECK_OK(http_world_open(&w, NULL));
        http_world_feed(&w, rows[i].request);
        CHECK_SAYING(w.requests == 1 && w.is_websocket == rows[i].is,
            "request %zu: %u asked", i, w.requests);
        http_world_close(&w);
    }
}
