#include "faces/http/http_head.h"

#include "base/plant.h"

#define METHOD_MAX 32

static const struct http_refusal fine = { 0, NULL };

static struct http_refusal refuse(unsigned status, const char *detail)
{
    return (struct http_refusal){ status, detail };
}

int http_head_scan(struct slice in, size_t *at)
{
    for (size_t i = *at; i < in.len; i++) {
        uint8_t c = in.ptr[i], before = i > 0 ? in.ptr[i - 1] : '\n';

        if ((c == '\n') != (before == '\r'))
            return SYNCLINE_EMALFORMED;
        if (c == 0x7f || (c < ' ' && c != '\t' && c != '\r' && c != '\n'))
            return SYNCLINE_EMALFORMED;
        if ((c == ' ' || c == '\t') && before == '\n')
            return SYNCLINE_EMALFORMED;
        if (c == '\n' && i >= 3 && in.ptr[i - 2] == '\n') {
            *at = i + 1;
            return 1;
        }
    }
    *at = in.len;
    return 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same_letters(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

static bool is_word(struct slice a, const char *word)
{
    return same_letters(a, slice_str(word));
}

/* What stands before the byte, or all of it; s is what stands behind. */
static struct slice cut_at(struct slice *s, uint8_t byte)
{
    const uint8_t *p = s->len > 0 ? memchr(s->ptr, byte, s->len) : NULL;
    struct slice first = *s;

    if (p == NULL) {
        *s = SLICE_NONE;
        return first;
    }
    first.len = (size_t)(p - s->ptr);
    *s = SLICE(p + 1, s->len - first.len - 1);
    return first;
}

static bool is_token_char(uint8_t c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
        (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = SLICE(s.ptr + 1, s.len - 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool http_list_has(
    const struct http_request *r, const char *name, const char *token)
{
    for (size_t i = 0; i < r->fields_n; i++) {
        struct slice list = r->fields[i].value;

        if (!slice_is(r->fields[i].name, name))
            continue;
        while (list.len > 0) {
            if (is_word(trimmed(cut_at(&list, ',')), token))
                return true;
        }
    }
    return false;
}

static size_t count(const struct http_request *r, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < r->fields_n; i++)
        n += slice_is(r->fields[i].name, name);
    return n;
}

struct slice http_field(const struct http_request *r, const char *name)
{
    struct slice found = SLICE_NONE;

    for (size_t i = 0; i < r->fields_n; i++) {
        if (!slice_is(r->fields[i].name, name))
            continue;
        if (found.ptr != NULL)
            return SLICE_NONE;
        found = r->fields[i].value;
    }
    return found;
}

static enum http_method method_of(struct slice name)
{
    static const char *const names[HTTP_OTHER] = {
        [HTTP_GET] = "GET",
        [HTTP_HEAD] = "HEAD",
        [HTTP_PUT] = "PUT",
        [HTTP_POST] = "POST",
        [HTTP_PATCH] = "PATCH",
        [HTTP_DELETE] = "DELETE",
        [HTTP_OPTIONS] = "OPTIONS",
    };

    for (unsigned m = 0; m < HTTP_OTHER; m++) {
        if (slice_is(name, names[m]))
            return (enum http_method)m;
    }
    return HTTP_OTHER;
}

struct line {
    struct slice method, target, version;
};

static struct http_refusal read_version(bool *is_old, struct slice v)
{
    if (v.len != 8 || !slice_has_prefix(v, SLICE_LIT("HTTP/")) ||
        v.ptr[6] != '.' || v.ptr[5] < '0' || v.ptr[5] > '9' || v.ptr[7] < '0' ||
        v.ptr[7] > '9')
        return refuse(400, "The request line does not end in a version.");
    if (v.ptr[5] != '1' || v.ptr[7] > '1')
        return refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    *is_old = v.ptr[7] == '0';
    return fine;
}

static struct http_refusal read_line(struct line *out, struct slice head)
{
    struct slice line = cut_at(&head, '\r');

    out->method = cut_at(&line, ' ');
    out->target = cut_at(&line, ' ');
    out->version = line;
    if (out->method.len == 0 || out->method.len > METHOD_MAX)
        return refuse(400, "The request line does not begin with a method.");
    for (size_t i = 0; i < out->method.len; i++) {
        if (!is_token_char(out->method.ptr[i]))
            return refuse(
                400, "The request line does not begin with a method.");
    }
    if (slice_is(out->method, "CONNECT"))
        return refuse(501, "This is no proxy: CONNECT is not spoken here.");
    for (size_t i = 0; i < out->target.len; i++) {
        uint8_t c = out->target.ptr[i];

        if (c <= ' ' || c >= 0x7f || c == '#')
            return refuse(400, "The target holds what belongs into no URL.");
    }
    return fine;
}

/* The only Host field, as it came; or one that names nobody. */
static struct http_refusal read_host(struct http_request *r, bool is_old)
{
    size_t n = count(r, "host");

    if (n == 0 && is_old)
        return fine;
    if (n != 1)
        return refuse(400, "A request has one Host field, not more or less.");
    r->host = http_field(r, "host");
    for (size_t i = 0; i < r->host.len; i++) {
        uint8_t c = r->host.ptr[i];

        if (c <= ' ' || c >= 0x7f || strchr("/?#@,\\", c) != NULL)
            return refuse(400, "The Host field does not name a host.");
    }
    return fine;
}

/* What is behind the name of a host in a URL that is this host's; ptr NULL if
 * it is another's. */
static struct slice behind_host(struct slice url, struct slice host)
{
    size_t scheme = 0, end;

    if (url.len > 7 && is_word(SLICE(url.ptr, 7), "http://"))
        scheme = 7;
    else if (url.len > 8 && is_word(SLICE(url.ptr, 8), "https://"))
        scheme = 8;
    if (scheme == 0)
        return SLICE_NONE;
    for (end = scheme; end < url.len; end++) {
        if (url.ptr[end] == '/' || url.ptr[end] == '?')
            break;
    }
    if (host.len == 0 ||
        !same_letters(SLICE(url.ptr + scheme, end - scheme), host))
        return SLICE_NONE;
    return SLICE(url.ptr + end, url.len - end);
}

static struct http_refusal read_target(
    struct http_request *r, struct slice target)
{
    if (target.len == 0)
        return refuse(400, "The request line names no target.");
    if (slice_is(target, "*")) {
        if (r->method != HTTP_OPTIONS)
            return refuse(400, "Only OPTIONS asks about everything.");
        r->path = target;
        return fine;
    }
    if (target.ptr[0] != '/') {
        target = behind_host(target, r->host);
        if (target.ptr == NULL)
            return refuse(400, "The target is not of this host.");
    }
    r->path = cut_at(&target, '?');
    r->query = target;
    if (r->path.len == 0)
        r->path = SLICE_LIT("/");
    return fine;
}

/* A length in digits and nothing else; 0 if it is none. */
static bool read_length(uint64_t *out, struct slice digits)
{
    uint64_t v = 0;

    if (digits.len == 0 || digits.len > 19)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        v = v * 10 + (digits.ptr[i] - '0');
    }
    *out = v;
    return true;
}

/* Where the body ends: by one length or by chunks, never in doubt. */
static struct http_refusal read_framing(struct http_head *h, size_t body_max)
{
    const struct http_request *r = &h->request;
    size_t lengths = count(r, "content-length");
    size_t codings = count(r, "transfer-encoding");
    uint64_t length = 0;

    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0))
        return refuse(400, "The length of the body is told more than once.");
    if (codings == 1) {
        if (h->is_old)
            return refuse(400, "HTTP/1.0 knows no Transfer-Encoding.");
        if (!is_word(http_field(r, "transfer-encoding"), "chunked"))
            return refuse(501, "The only Transfer-Encoding here is chunked.");
    }
    if (lengths == 1 && !read_length(&length, http_field(r, "content-length")))
        return refuse(400, "Content-Length is not a length.");
    if (length > body_max)
        return refuse(413, "The body is larger than is taken here.");
    h->request.has_body = codings == 1 || length > 0;
    return fine;
}

static struct http_refusal read_codings(const struct http_request *r)
{
    for (size_t i = 0; i < r->fields_n; i++) {
        struct slice list = r->fields[i].value;

        if (!slice_is(r->fields[i].name, "content-encoding"))
            continue;
        while (list.len > 0) {
            struct slice coding = trimmed(cut_at(&list, ','));

            if (coding.len > 0 && !is_word(coding, "identity") &&
                !PLANTED(R31_PACKED))
                return refuse(415, "The body is compressed; send it as it is.");
        }
    }
    return fine;
}

static struct http_refusal read_expectation(struct http_head *h)
{
    size_t n = count(&h->request, "expect");

    if (n == 0)
        return fine;
    if (n > 1 || !is_word(http_field(&h->request, "expect"), "100-continue"))
        return refuse(417, "The only expectation met here is 100-continue.");
    h->awaits_continue = !h->is_old && h->request.has_body;
    return fine;
}

/* RFC 6455, 4.2.1: 16 bytes in base64 are 22 digits and two signs. */
static bool is_websocket_key(struct slice key)
{
    if (key.len != 24 || key.ptr[22] != '=' || key.ptr[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        uint8_t c = key.ptr[i], small = lower(c);

        if (!(small >= 'a' && small <= 'z') && !(c >= '0' && c <= '9') &&
            c != '+' && c != '/')
            return false;
    }
    return true;
}

static void read_upgrade(struct http_head *h)
{
    struct http_request *r = &h->request;

    h->key = http_field(r, "sec-websocket-key");
    r->is_websocket = r->method == HTTP_GET && !h->is_old &&
        !h->request.has_body && http_list_has(r, "connection", "upgrade") &&
        http_list_has(r, "upgrade", "websocket") &&
        slice_is(http_field(r, "sec-websocket-version"), "13") &&
        is_websocket_key(h->key);
}

/* In place: the names are ours, in the buffer of the head. */
static void lower_names(struct http_request *r, struct buf *head)
{
    for (size_t i = 0; i < r->fields_n; i++) {
        uint8_t *name = head->ptr + (r->fields[i].name.ptr - head->ptr);

        for (size_t k = 0; k < r->fields[i].name.len; k++)
            name[k] = lower(name[k]);
    }
}

static struct http_refusal judge(
    struct http_head *h, const struct line *line, size_t body_max)
{
    struct http_refusal no = read_host(&h->request, h->is_old);

    if (no.status == 0)
        no = read_target(&h->request, line->target);
    if (no.status == 0)
        no = read_framing(h, body_max);
    if (no.status == 0)
        no = read_codings(&h->request);
    if (no.status == 0)
        no = read_expectation(h);
    return no;
}

struct http_refusal http_head_read(struct http_head *out, struct http_parse *p,
    struct buf *head, size_t body_max)
{
    struct http_head h = { 0 };
    struct slice all = buf_slice(head);
    struct line line;
    struct http_refusal no = read_line(&line, all);
    int rc;

    if (no.status == 0)
        no = read_version(&h.is_old, line.version);
    if (no.status != 0)
        return no;
    rc = http_parse_head(p, slice_from(all, line.method.len));
    if (rc == SYNCLINE_ELIMIT)
        return refuse(431, "The request has more fields than are taken here.");
    if (rc != SYNCLINE_OK)
        return refuse(400, "The head of the request is malformed.");
    h.request.method = method_of(line.method);
    h.request.fields = http_parse_fields(p, &h.request.fields_n);
    lower_names(&h.request, head);
    no = judge(&h, &line, body_max);
    if (no.status != 0)
        return no;
    h.closes = h.is_old || http_list_has(&h.request, "connection", "close");
    read_upgrade(&h);
    *out = h;
    return fine;
}
