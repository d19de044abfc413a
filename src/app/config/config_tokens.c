#include "app/config/config_tokens.h"

#include "app/private_file.h"
#include "core/netaddr.h"

#define FILE_MAX ((size_t)64 << 10)

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Goes to nobody who listens to the network. */
static bool stays_ours(const struct ws_url *url)
{
    struct netaddr addr;

    return url->is_secure || strcmp(url->host, "localhost") == 0 ||
        (netaddr_parse(&addr, slice_str(url->named), url->port, NULL) ==
                SYNCLINE_OK &&
            netaddr_is_loopback(&addr));
}

/* What can stand in a field of a request (RFC 6750, 2.1). */
static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
            return false;
    return s.len > 0 && s.len < CONFIG_TOKEN_MAX;
}

struct reading {
    const char **out;
    const char *const *urls;
    const struct ws_url *read;
    size_t n;
};

/* The line's token ends with a NUL from here on: end is ours. */
static int take_line(const struct reading *r, struct slice line, uint8_t *end,
    const char **wrong)
{
    struct slice url = line, token;
    size_t i = 0;

    url.len = 0;
    while (url.len < line.len && !is_blank(line.ptr[url.len]))
        url.len++;
    token = trimmed(slice_from(line, url.len));
    while (i < r->n && !slice_is(url, r->urls[i]))
        i++;
    *wrong = i == r->n      ? "no URL that is called and a token"
        : !is_token(token)  ? "there is no token behind the URL"
        : r->out[i] != NULL ? "this URL has a token already"
                            : "a token goes by wss, or to this machine, only";
    if (i == r->n || !is_token(token) || r->out[i] != NULL ||
        !stays_ours(&r->read[i]))
        return SYNCLINE_EINVAL;
    *end = 0;
    r->out[i] = (const char *)token.ptr;
    return SYNCLINE_OK;
}

static int take_lines(const struct reading *r, struct buf *held,
    const char *what, const char *path, struct errmsg *why)
{
    unsigned number = 0;

    for (size_t at = 0, n; at < held->len; at += n + 1) {
        const uint8_t *lf = memchr(held->ptr + at, '\n', held->len - at);
        const char *wrong;
        struct slice line;

        n = lf != NULL ? (size_t)(lf - held->ptr) - at : held->len - at;
        line = trimmed(SLICE(held->ptr + at, n));
        number++;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (take_line(r, line, held->ptr + (line.ptr - held->ptr) + line.len,
                &wrong) != SYNCLINE_OK)
            return errmsg_set(why, SYNCLINE_EINVAL, "%s: %s, line %u: %s", what,
                path, number, wrong);
    }
    return SYNCLINE_OK;
}

int config_tokens_read(const char **out, struct buf *held, const char *what,
    const char *path, const char *const *urls, const struct ws_url *read,
    size_t n, struct errmsg *why)
{
    const struct private_file file = {
        .path = path, .what = what, .max = FILE_MAX
    };
    const struct reading r = { out, urls, read, n };
    int rc = private_file_read(held, &file, why);

    if (rc == SYNCLINE_ENOTFOUND)
        return errmsg_set(why, rc, "%s: %s: there is no such file", what, path);
    if (rc == SYNCLINE_OK && buf_reserve(held, 1) == NULL)
        rc = buf_status(held);
    return rc == SYNCLINE_OK ? take_lines(&r, held, what, path, why) : rc;
}
