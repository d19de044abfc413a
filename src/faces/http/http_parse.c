#include "faces/http/http_parse.h"

#include <stdlib.h>

#include <llhttp.h>

/* What chunks may cost beside what they carry: their lines (a chunk of one
 * byte costs five), extensions, trailers. */
#define FRAMING_FREE ((size_t)64 * 1024)
#define FRAMING_RATIO 8

struct http_parse {
    llhttp_t llhttp;
    bool is_in_body;
    bool is_in_trailer; /* behind the last chunk */
    bool is_whole;
    uint8_t before; /* the last byte of the trailer so far */
    int failed;     /* in a callback */
    struct buf *body;
    size_t body_max;
    size_t framing;         /* bytes taken that were no body */
    struct http_field open; /* the field that is being read */
    size_t fields_n, fields_max;
    struct http_field fields[];
};

static int fail(struct http_parse *p, int rc)
{
    p->failed = rc;
    return HPE_USER;
}

/* A head is one piece, so a name or a value is one as well, or two that
 * touch. */
static int extend(
    struct http_parse *p, struct slice *s, const char *at, size_t n)
{
    const uint8_t *from = (const uint8_t *)at;

    if (p->is_in_body)
        return HPE_OK; /* a trailer, which nobody wants */
    if (s->len > 0 && s->ptr + s->len != from)
        return fail(p, SYNCLINE_EMALFORMED);
    if (s->len == 0)
        s->ptr = from;
    s->len += n;
    return HPE_OK;
}

static int on_name(llhttp_t *l, const char *at, size_t n)
{
    struct http_parse *p = l->data;

    return extend(p, &p->open.name, at, n);
}

static int on_value(llhttp_t *l, const char *at, size_t n)
{
    struct http_parse *p = l->data;

    return extend(p, &p->open.value, at, n);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = SLICE(s.ptr + 1, s.len - 1);
    return s;
}

static int on_field(llhttp_t *l)
{
    struct http_parse *p = l->data;
    struct http_field f = p->open;

    p->open = (struct http_field){ 0 };
    if (p->is_in_body)
        return HPE_OK;
    if (f.name.len == 0)
        return fail(p, SYNCLINE_EMALFORMED);
    if (p->fields_n == p->fields_max)
        return fail(p, SYNCLINE_ELIMIT);
    f.value = f.value.len > 0 ? trimmed(f.value) : SLICE(f.name.ptr, 0);
    p->fields[p->fields_n++] = f;
    return HPE_OK;
}

static int on_head(llhttp_t *l)
{
    struct http_parse *p = l->data;

    p->is_in_body = true;
    return HPE_OK;
}

static int on_body(llhttp_t *l, const char *at, size_t n)
{
    struct http_parse *p = l->data;

    if (p->body == NULL)
        return fail(p, SYNCLINE_EMALFORMED);
    if (n > p->body_max - p->body->len)
        return fail(p, SYNCLINE_ELIMIT);
    buf_put(p->body, at, n);
    if (buf_status(p->body) != SYNCLINE_OK)
        return fail(p, buf_status(p->body));
    return HPE_OK;
}

/* What a chunk says to be is judged before it has come. */
static int on_chunk(llhttp_t *l)
{
    struct http_parse *p = l->data;

    if (p->body == NULL)
        return fail(p, SYNCLINE_EMALFORMED);
    if (l->content_length > p->body_max - p->body->len)
        return fail(p, SYNCLINE_ELIMIT);
    if (l->content_length > 0)
        return HPE_OK;
    p->is_in_trailer = true;
    p->before = '\n';
    return HPE_PAUSED;
}

static int on_whole(llhttp_t *l)
{
    struct http_parse *p = l->data;

    p->is_whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_field,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_chunk_header = on_chunk,
    .on_message_complete = on_whole,
};

int http_parse_new(struct http_parse **out, size_t fields_max)
{
    struct http_parse *p =
        calloc(1, sizeof *p + fields_max * sizeof p->fields[0]);

    if (p == NULL)
        return SYNCLINE_ENOMEM;
    p->fields_max = fields_max;
    *out = p;
    return SYNCLINE_OK;
}

void http_parse_free(struct http_parse *p)
{
    free(p);
}

/* What llhttp says, in our words. */
static int taken(struct http_parse *p, llhttp_errno_t rc)
{
    if (p->failed != SYNCLINE_OK)
        return p->failed;
    if (p->is_whole || rc == HPE_OK || rc == HPE_PAUSED)
        return SYNCLINE_OK;
    return SYNCLINE_EMALFORMED;
}

/* What we took for the end of the head is that to llhttp as well. (If it had
 * ended before, and a body had begun, on_body would have failed.) */
static bool ends_with(struct http_parse *p, struct slice rest)
{
    if (!p->is_in_body)
        return false;
    return !p->is_whole ||
        llhttp_get_error_pos(&p->llhttp) == (const char *)rest.ptr + rest.len;
}

int http_parse_head(struct http_parse *p, struct slice rest)
{
    int rc;

    llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
    p->llhttp.data = p;
    p->is_in_body = p->is_in_trailer = p->is_whole = false;
    p->failed = SYNCLINE_OK;
    p->body = NULL;
    p->framing = 0;
    p->open = (struct http_field){ 0 };
    p->fields_n = 0;
    if (llhttp_execute(&p->llhttp, "POST", 4) != HPE_OK)
        return SYNCLINE_EMALFORMED;
    rc = taken(p, llhttp_execute(&p->llhttp, (const char *)rest.ptr, rest.len));
    if (rc == SYNCLINE_OK && !ends_with(p, rest))
        rc = SYNCLINE_EMALFORMED;
    return rc;
}

struct http_field *http_parse_fields(struct http_parse *p, size_t *n)
{
    *n = p->fields_n;
    return p->fields;
}

/* llhttp would take an LF alone for the end of the trailer. */
static bool holds_lines(struct http_parse *p, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)from[i];

        if ((c == '\n') != (p->before == '\r'))
            return false;
        if ((c == ' ' || c == '\t') && p->before == '\n')
            return false;
        p->before = c;
    }
    return true;
}

/* Lets llhttp go on as far as it will; *used is how far that was. */
static int go_on(struct http_parse *p, struct slice in, size_t *used)
{
    bool was_in_trailer = p->is_in_trailer;
    const char *from = (const char *)in.ptr;
    int rc = taken(p, llhttp_execute(&p->llhttp, from, in.len));

    if (rc != SYNCLINE_OK)
        return rc;
    *used = in.len;
    if (p->is_whole || llhttp_get_errno(&p->llhttp) == HPE_PAUSED)
        *used = (size_t)(llhttp_get_error_pos(&p->llhttp) - from);
    ENSURE(*used <= in.len);
    if (was_in_trailer && !holds_lines(p, from, *used))
        return SYNCLINE_EMALFORMED;
    if (!p->is_whole)
        llhttp_resume(&p->llhttp);
    return SYNCLINE_OK;
}

int http_parse_body(struct http_parse *p, struct slice in, size_t *used,
    struct buf *body, size_t max)
{
    size_t had = body->len, all = 0;
    int rc = SYNCLINE_OK;

    p->body = body;
    p->body_max = max;
    while (rc == SYNCLINE_OK && !p->is_whole && all < in.len) {
        size_t n = 0;

        rc = go_on(p, slice_from(in, all), &n);
        all += n;
    }
    p->body = NULL;
    p->framing += all - (body->len - had);
    if (rc == SYNCLINE_OK &&
        p->framing > FRAMING_FREE + FRAMING_RATIO * body->len)
        rc = SYNCLINE_ELIMIT;
    *used = all;
    return rc != SYNCLINE_OK ? rc : p->is_whole;
}
