/* The dashboard's files, as the build has packed them. They tell nothing: what
 * there is to tell comes by the API, for which the page has to sign in. */
#include "faces/http/hub_impl.h"

#include <stdio.h>

/* R11: scripts and styles of this node's own files and no others, nothing
 * within the page, and no text becomes markup. */
#define POLICY                                                                \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; "        \
    "style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " \
    "form-action 'none'; frame-ancestors 'none'; "                            \
    "require-trusted-types-for 'script'\r\n"                                  \
    "Cross-Origin-Opener-Policy: same-origin\r\n"                             \
    "Cross-Origin-Resource-Policy: same-origin\r\n"                           \
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"        \
    "Referrer-Policy: no-referrer\r\n"                                        \
    "X-Content-Type-Options: nosniff\r\n"

static void respond(struct hub_conn *c, unsigned status, const char *type,
    const struct buf *fields, struct slice body)
{
    c->request = 0;
    c->route = NULL;
    http_respond(c->http, status, type, buf_slice(fields), body);
}

/* Says so to a person: whoever asks for this is one. */
static void put_none(struct hub_conn *c)
{
    struct buf fields = { 0 };

    buf_put_str(&fields, POLICY "Cache-Control: no-store\r\n");
    respond(c, 404, "text/plain; charset=utf-8", &fields,
        SLICE_LIT("This syncline was built without its dashboard, for which "
                  "the build wants node and npm\n(script/bootstrap, meson "
                  "setup -Ddashboard=enabled). The HTTP API is here all the "
                  "same:\n/openapi.json lists it.\n"));
    buf_free(&fields);
}

static void put_page(
    struct hub_conn *c, const struct http_request *r, const struct hub_page *p)
{
    const struct slice known = http_field(r, "if-none-match");
    struct buf fields = { 0 };

    buf_printf(&fields,
        POLICY "ETag: \"%s\"\r\nVary: Accept-Encoding\r\n"
               "Cache-Control: %s\r\n",
        p->etag,
        p->is_fixed ? "public, max-age=31536000, immutable" : "no-cache");
    if (known.len == strlen(p->etag) + 2 &&
        slice_eq(SLICE(known.ptr + 1, known.len - 2), slice_str(p->etag))) {
        respond(c, 304, NULL, &fields, SLICE_NONE);
    } else if (!http_list_has(r, "accept-encoding", "gzip")) {
        hub_problem(c, 406, "EUNSUPPORTED",
            SLICE_LIT("Vary: Accept-Encoding\r\n"),
            "the dashboard comes as gzip only; ask with Accept-Encoding: gzip");
    } else {
        buf_put_str(&fields, "Content-Encoding: gzip\r\n");
        respond(c, 200, p->type, &fields,
            SLICE(p->begin, (size_t)(p->end - p->begin)));
    }
    buf_free(&fields);
}

bool hub_page(struct hub_conn *c, const struct http_request *r)
{
    const struct hub_options *opt = &c->hub->opt;

    if (r->method != HTTP_GET && r->method != HTTP_HEAD)
        return false;
    for (size_t i = 0; i < opt->pages_n; i++)
        if (slice_is(r->path, opt->pages[i].path)) {
            put_page(c, r, &opt->pages[i]);
            return true;
        }
    if (opt->pages_n > 0 ||
        (!slice_is(r->path, "/") && !slice_is(r->path, "/docs") &&
            !slice_is(r->path, "/redoc")))
        return false;
    put_none(c);
    return true;
}
