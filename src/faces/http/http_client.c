#include "faces/http/http_client.h"

#include <stdlib.h>
#include <strings.h>

#include <llhttp.h>

#define HEAD_MAX ((size_t)16 << 10)
#define FRAMING_MAX ((size_t)64 << 10) /* and as much as it frames */

struct http_client {
    struct http_client_options opt;
    llhttp_t llhttp;
    bool is_over, is_whole;
    bool is_in_body;
    bool is_encoding, is_encoded;
    size_t head, framing; /* bytes of it so far */
    uint64_t due_ms;
    unsigned status;
    const char *wrong; /* with what came, or NULL */
    struct errmsg why;
    struct buf name; /* of a field, or its value */
    struct buf out, body;
};

static void over(struct http_client *c, unsigned status, const char *why)
{
    if (c->is_over)
        return;
    c->is_over = true;
    c->status = status;
    errmsg_set(&c->why, 0, "%s", why);
}

static int fail(struct http_client *c, const char *wrong)
{
    c->wrong = wrong;
    return HPE_USER;
}

/* ---- what llhttp says ---- */

static bool is_word(const struct buf *b, const char *word)
{
    return b->len == strlen(word) &&
        strncasecmp((const char *)b->ptr, word, b->len) == 0;
}

static int on_begin(llhttp_t *l)
{
    struct http_client *c = l->data;

    c->is_in_body = c->is_encoded = false;
    return HPE_OK;
}

static int on_name(llhttp_t *l, const char *at, size_t n)
{
    struct http_client *c = l->data;

    buf_put(&c->name, at, n);
    return buf_status(&c->name) == SYNCLINE_OK ? HPE_OK
                                               : fail(c, "memory ran out");
}

static int on_name_end(llhttp_t *l)
{
    struct http_client *c = l->data;

    c->is_encoding = c->name.len == strlen("content-encoding") &&
        strncasecmp(
            (const char *)c->name.ptr, "content-encoding", c->name.len) == 0;
    buf_clear(&c->name);
    return HPE_OK;
}

static int on_value(llhttp_t *l, const char *at, size_t n)
{
    struct http_client *c = l->data;

    if (c->is_encoding)
        return on_name(l, at, n);
    return HPE_OK;
}

static int on_value_end(llhttp_t *l)
{
    struct http_client *c = l->data;

    if (c->is_encoding && c->name.len > 0 && !is_word(&c->name, "identity"))
        c->is_encoded = true;
    c->is_encoding = false;
    buf_clear(&c->name);
    return HPE_OK;
}

static int on_head(llhttp_t *l)
{
    struct http_client *c = l->data;

    c->is_in_body = true;
    c->status = l->status_code;
    if (c->is_encoded)
        return fail(
            c, "what it answers is encoded, and that was not asked for");
    return HPE_OK;
}

static int on_body(llhttp_t *l, const char *at, size_t n)
{
    struct http_client *c = l->data;

    if (n > c->opt.body_max - c->body.len)
        return fail(c, "what it answers is larger than is taken");
    buf_put(&c->body, at, n);
    if (buf_status(&c->body) != SYNCLINE_OK)
        return fail(c, "memory ran out");
    return HPE_OK;
}

/* Judged before it has come. */
static int on_chunk(llhttp_t *l)
{
    struct http_client *c = l->data;

    return l->content_length > c->opt.body_max - c->body.len
        ? fail(c, "what it answers is larger than is taken")
        : HPE_OK;
}

static int on_whole(llhttp_t *l)
{
    struct http_client *c = l->data;

    if (c->status < 200)
        return HPE_OK; /* there is another behind it */
    c->is_whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_header_field = on_name,
    .on_header_field_complete = on_name_end,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head,
    .on_chunk_header = on_chunk,
    .on_body = on_body,
    .on_message_complete = on_whole,
};

/* ---- bytes ---- */

static void judge(struct http_client *c, llhttp_errno_t rc)
{
    if (c->is_whole)
        over(c, c->status, "");
    else if (c->wrong != NULL)
        over(c, 0, c->wrong);
    else if (rc != HPE_OK)
        over(c, 0, "what it answers is not HTTP");
    else if (c->head > HEAD_MAX || c->framing > FRAMING_MAX + 8 * c->body.len)
        over(c, 0, "the head of its answer is larger than is taken");
}

/* The head, and chunks, cost what is no body; so much is kept of neither. */
void http_client_feed(struct http_client *c, struct slice in)
{
    const size_t had = c->body.len;
    llhttp_errno_t rc;

    if (c->is_over || in.len == 0)
        return;
    rc = llhttp_execute(&c->llhttp, (const char *)in.ptr, in.len);
    if (!c->is_in_body)
        c->head += in.len;
    else
        c->framing += in.len - (c->body.len - had);
    judge(c, rc);
}

void http_client_end(struct http_client *c, const char *why)
{
    if (!c->is_over && c->is_in_body && c->wrong == NULL)
        (void)llhttp_finish(&c->llhttp);
    if (c->is_whole)
        over(c, c->status, "");
    else
        over(c, 0, why);
}

void http_client_tick(struct http_client *c, uint64_t now_ms)
{
    if (!c->is_over && now_ms >= c->due_ms)
        over(c, 0, "it does not answer in time");
}

uint64_t http_client_deadline_ms(const struct http_client *c)
{
    return c->is_over ? 0 : c->due_ms;
}

struct buf *http_client_out(struct http_client *c)
{
    return &c->out;
}

bool http_client_is_over(const struct http_client *c)
{
    return c->is_over;
}

unsigned http_client_status(const struct http_client *c)
{
    return c->is_over ? c->status : 0;
}

struct slice http_client_body(const struct http_client *c)
{
    return buf_slice(&c->body);
}

const char *http_client_why(const struct http_client *c)
{
    return c->why.text;
}

/* ---- beginning and end ---- */

static void put_request(struct buf *b, const struct http_client_options *opt)
{
    buf_printf(b,
        "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n"
        "Connection: close\r\n",
        opt->is_post ? "POST" : "GET", opt->path, opt->host, opt->agent);
    if (opt->is_post)
        buf_printf(b, "Content-Type: %s\r\nContent-Length: %zu\r\n", opt->type,
            opt->body.len);
    buf_put_str(b, "\r\n");
    if (opt->is_post)
        buf_put_slice(b, opt->body);
}

int http_client_new(struct http_client **out,
    const struct http_client_options *opt, uint64_t now_ms)
{
    struct http_client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->opt = *opt;
    c->opt.host = c->opt.path = c->opt.agent = c->opt.type = NULL;
    c->opt.body = SLICE_NONE;
    c->name.max = HEAD_MAX;
    c->due_ms = now_ms + opt->time_ms;
    llhttp_init(&c->llhttp, HTTP_RESPONSE, &settings);
    c->llhttp.data = c;
    put_request(&c->out, opt);
    if (buf_status(&c->out) != SYNCLINE_OK) {
        http_client_free(c);
        return SYNCLINE_ENOMEM;
    }
    *out = c;
    return SYNCLINE_OK;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    buf_free(&c->name);
    buf_free(&c->out);
    buf_free(&c->body);
    free(c);
}
