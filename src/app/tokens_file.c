/* The files of tokens.h: DIR/tokens.json and DIR/token. */
#include "app/tokens_impl.h"

#include "app/private_file.h"
#include "base/text.h"
#include "core/json.h"

#define LIST_BYTES_MAX ((size_t)2 << 20)
#define LOCAL_BYTES_MAX 4096

/* ---- the list ---- */

static int broken(const struct tokens *t, const char *what, struct errmsg *why)
{
    return errmsg_set(why, SYNCLINE_ECORRUPT,
        "%s: %s; put the right file back, or move it away and make the tokens "
        "anew",
        t->path, what);
}

/* The times, of which one that is not there, or null, is 0. */
static bool get_time(const struct json *v, const char *name, uint64_t *out)
{
    const struct json *at = json_get(v, name);
    const int64_t us = json_get_int(v, name, 0);

    *out = (uint64_t)us;
    return at == NULL || at->type == JSON_NULL ||
        (at->type == JSON_INT && us > 0);
}

static bool get_spaces(
    const struct json *v, struct slice spaces[TOKEN_SPACES_MAX], size_t *n)
{
    const struct json *list = json_get(v, "spaces");

    *n = 0;
    if (list == NULL || list->type == JSON_NULL)
        return true;
    if (list->type != JSON_ARRAY || list->n == 0 || list->n > TOKEN_SPACES_MAX)
        return false;
    for (const struct json *e = list->first; e != NULL; e = e->next) {
        if (e->type != JSON_STRING)
            return false;
        spaces[(*n)++] = e->s;
    }
    return true;
}

static bool is_there(const struct tokens *t, const struct token *k)
{
    bool there = strcmp(k->info.grant.name, TOKEN_LOCAL) == 0;

    for (size_t i = 0; i < t->n; i++)
        there |= strcmp(t->list[i]->info.grant.name, k->info.grant.name) == 0 ||
            memcmp(t->list[i]->hash, k->hash, SHA256_LEN) == 0;
    return there;
}

static int load_one(struct tokens *t, const struct json *v, struct errmsg *why)
{
    struct slice spaces[TOKEN_SPACES_MAX];
    struct token_request r = { .name = json_get_str(v, "name"),
        .spaces = spaces };
    uint8_t hash[SHA256_LEN];
    struct errmsg what = { "" };
    struct token *k;
    uint64_t created;
    int rc;

    if (hex_decode(hash, sizeof hash, json_get_str(v, "hash")) != SYNCLINE_OK ||
        token_scope_parse(&r.scope, json_get_str(v, "scope")) != SYNCLINE_OK ||
        !get_time(v, "created", &created) ||
        !get_time(v, "expires", &r.expires_us) ||
        !get_spaces(v, spaces, &r.spaces_n))
        return broken(t, "what it says of a token is not whole", why);
    rc = token_new(&k, &r, hash, &what);
    if (rc == SYNCLINE_EINVAL)
        return broken(t, what.text, why);
    if (rc != SYNCLINE_OK)
        return rc;
    k->info.created_us = created;
    if (t->n == TOKENS_MAX || is_there(t, k)) {
        token_free(k);
        return broken(t, "it has too many tokens, or one twice", why);
    }
    t->list[t->n++] = k;
    return SYNCLINE_OK;
}

static int load_all(struct tokens *t, const struct json *v, struct errmsg *why)
{
    const int64_t format = json_get_int(v, "format", 0);
    const struct json *list = json_get(v, "tokens");
    int rc = SYNCLINE_OK;

    if (format > TOKENS_FORMAT)
        return errmsg_set(why, SYNCLINE_EVERSION,
            "%s: written by a newer version; start that one", t->path);
    if (format != TOKENS_FORMAT || list == NULL || list->type != JSON_ARRAY)
        return broken(t, "this is no list of tokens", why);
    for (const struct json *e = list->first; e != NULL && rc == 0; e = e->next)
        rc = load_one(t, e, why);
    return rc;
}

int tokens_load(struct tokens *t, struct errmsg *why)
{
    const struct private_file file = {
        .path = t->path, .what = "list of tokens", .max = LIST_BYTES_MAX
    };
    struct errmsg what = { "" };
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *v;
    int rc = private_file_read(&b, &file, why);

    if (rc == SYNCLINE_OK) {
        rc = json_parse(&v, buf_slice(&b), JSON_STRICT, &a, &what);
        if (rc == SYNCLINE_OK)
            rc = load_all(t, v, why);
        else if (rc != SYNCLINE_ENOMEM)
            rc = broken(t, what.text, why);
    } else if (rc == SYNCLINE_ENOTFOUND) {
        rc = SYNCLINE_OK;
    }
    arena_free(&a);
    buf_free(&b);
    return rc;
}

static void put_token(struct buf *b, const struct token *k)
{
    const struct token_info *i = &k->info;

    buf_printf(
        b, "{\"created\":%llu,\"expires\":", (unsigned long long)i->created_us);
    if (i->expires_us != 0)
        buf_printf(b, "%llu", (unsigned long long)i->expires_us);
    else
        buf_put_str(b, "null");
    buf_put_str(b, ",\"hash\":\"");
    put_hex(b, SLICE(k->hash, SHA256_LEN));
    buf_printf(b,
        "\",\"name\":\"%s\",\"scope\":\"%s\",\"spaces\":", i->grant.name,
        token_scope_name(i->grant.scope));
    for (size_t s = 0; s < i->grant.spaces_n; s++)
        buf_printf(
            b, "%s\"%.*s\"", s == 0 ? "[" : ",", SLICE_FMT(i->grant.spaces[s]));
    buf_put_str(b, i->grant.spaces_n > 0 ? "]}" : "null}");
}

int tokens_save(const struct tokens *t, struct errmsg *why)
{
    const struct private_file file = { .path = t->path,
        .what = "list of tokens" };
    struct buf b = { .max = LIST_BYTES_MAX };
    int rc;

    buf_printf(&b, "{\"format\":%d,\"tokens\":[", TOKENS_FORMAT);
    for (size_t i = 0; i < t->n; i++) {
        buf_put_str(&b, i == 0 ? "\n" : ",\n");
        put_token(&b, t->list[i]);
    }
    buf_put_str(&b, "\n]}\n");
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = private_file_write(&file, buf_slice(&b), true, why);
    buf_free(&b);
    return rc;
}

/* ---- the local one ---- */

static int set_local(
    struct tokens *t, const uint8_t hash[SHA256_LEN], uint64_t created_us)
{
    struct token fresh = {
        .info = { .created_us = created_us,
            .grant = { .name = TOKEN_LOCAL, .scope = TOKEN_ADMIN } }
    };
    int rc;

    memcpy(fresh.hash, hash, SHA256_LEN);
    rc = token_set_id(&fresh);
    if (rc == SYNCLINE_OK)
        t->local = fresh;
    return rc;
}

static struct slice without_newline(struct slice s)
{
    while (s.len > 0 && memchr("\r\n", s.ptr[s.len - 1], 2) != NULL)
        s.len--;
    return s;
}

int tokens_load_local(struct tokens *t, struct errmsg *why)
{
    const struct private_file file = {
        .path = t->local_path, .what = "token", .max = LOCAL_BYTES_MAX
    };
    uint8_t hash[SHA256_LEN];
    struct buf b = { 0 };
    int rc = private_file_read(&b, &file, why);

    if (rc == SYNCLINE_OK) {
        rc = token_hash(hash, without_newline(buf_slice(&b)));
        if (rc == SYNCLINE_EMALFORMED)
            rc = errmsg_set(why, SYNCLINE_ECORRUPT,
                "%s: this is no token; remove the file, and the next start "
                "makes one",
                t->local_path);
    }
    if (rc == SYNCLINE_OK)
        rc = set_local(t, hash, 0);
    crypto_wipe(b.ptr, b.cap);
    buf_free(&b);
    return rc;
}

int tokens_make_local(struct tokens *t, uint64_t now_us, struct errmsg *why)
{
    const struct private_file file = { .path = t->local_path, .what = "token" };
    char text[TOKEN_TEXT_LEN + 1];
    uint8_t hash[SHA256_LEN];
    int rc = token_draw(text, hash);

    if (rc == SYNCLINE_OK) {
        text[TOKEN_TEXT_LEN] = '\n'; /* a line, as editors and shells like */
        rc = private_file_write(&file, SLICE(text, sizeof text), true, why);
    }
    if (rc == SYNCLINE_OK)
        rc = set_local(t, hash, now_us);
    crypto_wipe(text, sizeof text);
    return rc;
}
