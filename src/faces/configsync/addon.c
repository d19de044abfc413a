#include "faces/configsync/addon.h"

#define PER_MINUTE 60
#define PER_MINUTE_MAX 100000
#define BLOCK_S 120
#define BLOCK_S_MAX 86400

/* To the older system true is the number 1. */
static bool number_of(const struct json *v, int64_t *out)
{
    *out = v->type == JSON_INT ? v->i : v->type == JSON_TRUE;
    return v->type == JSON_INT || v->type == JSON_TRUE || v->type == JSON_FALSE;
}

static int take_number(uint32_t *out, const struct json *v, const char *name,
    int64_t least, int64_t most, struct errmsg *why)
{
    const struct json *m = json_get(v, name);
    int64_t n;

    if (m == NULL)
        return SYNCLINE_OK;
    if (!number_of(m, &n) || n < least || n > most)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "%s: a whole number from %lld to %lld", name, (long long)least,
            (long long)most);
    *out = (uint32_t)n;
    return SYNCLINE_OK;
}

static int take_bool(
    bool *out, const struct json *v, const char *name, struct errmsg *why)
{
    const struct json *m = json_get(v, name);

    if (m == NULL)
        return SYNCLINE_OK;
    if (m->type != JSON_TRUE && m->type != JSON_FALSE)
        return errmsg_set(why, SYNCLINE_EINVAL, "%s: true or false", name);
    *out = m->type == JSON_TRUE;
    return SYNCLINE_OK;
}

static bool are_strings(const struct json *list)
{
    for (const struct json *s = list->first; s != NULL; s = s->next)
        if (s->type != JSON_STRING || s->s.len == 0 ||
            memchr(s->s.ptr, 0, s->s.len) != NULL)
            return false;
    return true;
}

static int take_strings(const struct json **out, const struct json *v,
    const char *name, bool one_is_fine, struct errmsg *why)
{
    const struct json *m = json_get(v, name);

    *out = m;
    if (m == NULL || (m->type == JSON_ARRAY && are_strings(m)) ||
        (one_is_fine && m->type == JSON_STRING))
        return SYNCLINE_OK;
    return errmsg_set(
        why, SYNCLINE_EINVAL, "%s: a list of strings is needed", name);
}

static int need_object(const struct json *v, struct errmsg *why)
{
    return v->type == JSON_OBJECT
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_EINVAL, "the options: no JSON object");
}

int addon_read(
    struct addon_options *out, const struct json *v, struct errmsg *why)
{
    struct addon_options o = {
        .per_minute = PER_MINUTE, .block_s = BLOCK_S, .local_is_exempt = true
    };
    uint32_t port = ADDON_PORT;
    int rc = SYNCLINE_OK;

    if (v != NULL && v->type == JSON_NULL)
        v = NULL;
    if (v != NULL)
        rc = need_object(v, why);
    if (rc == SYNCLINE_OK)
        rc = take_number(&port, v, "sync_port", 1, UINT16_MAX, why);
    if (rc == SYNCLINE_OK)
        rc = take_strings(&o.peers, v, "peer_urls", false, why);
    if (rc == SYNCLINE_OK)
        rc = take_strings(&o.bind, v, "sync_bind", true, why);
    o.serves = o.peers != NULL && o.peers->n > 0;
    if (rc == SYNCLINE_OK)
        rc = take_bool(&o.serves, v, "enable_sync_server", why);
    if (rc == SYNCLINE_OK)
        rc = take_number(&o.per_minute, v, "rate_limit_requests_per_minute", 1,
            PER_MINUTE_MAX, why);
    if (rc == SYNCLINE_OK)
        rc = take_number(
            &o.block_s, v, "rate_limit_block_duration", 1, BLOCK_S_MAX, why);
    if (rc == SYNCLINE_OK)
        rc =
            take_bool(&o.local_is_exempt, v, "rate_limit_whitelist_local", why);
    o.port = (uint16_t)port;
    if (rc == SYNCLINE_OK)
        *out = o;
    return rc;
}

int addon_check(const struct json *v, struct errmsg *why)
{
    static const char *const needed[] = { "sync_port", "peer_urls",
        "enable_sync_server" };
    struct addon_options o;
    int rc = need_object(v, why);

    for (size_t i = 0; rc == SYNCLINE_OK && i < 3; i++)
        if (json_get(v, needed[i]) == NULL)
            rc = errmsg_set(
                why, SYNCLINE_EINVAL, "%s: it is missing", needed[i]);
    if (rc == SYNCLINE_OK)
        rc = addon_read(&o, v, why);
    if (rc != SYNCLINE_OK)
        return rc;
    for (const struct json *s = o.peers->first; s != NULL; s = s->next)
        if (!slice_has_prefix(s->s, SLICE_LIT("ws://")))
            return errmsg_set(why, SYNCLINE_EINVAL,
                "peer_urls: %.*s: a URL that begins with ws:// is needed",
                (int)(s->s.len < 200 ? s->s.len : 200),
                s->s.len > 0 ? (const char *)s->s.ptr : "");
    return rc;
}
