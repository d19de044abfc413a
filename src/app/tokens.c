#include "app/tokens.h"

#include "app/bearer.h"
#include "app/tokens_impl.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define PREFIX "sync_"

static const char *const scope_names[] = {
    [TOKEN_READ] = "read", [TOKEN_WRITE] = "write", [TOKEN_ADMIN] = "admin"
};

const char *token_scope_name(enum token_scope scope)
{
    return scope_names[scope];
}

int token_scope_parse(enum token_scope *out, struct slice name)
{
    for (int i = TOKEN_READ; i <= TOKEN_ADMIN; i++)
        if (slice_is(name, scope_names[i])) {
            *out = (enum token_scope)i;
            return SYNCLINE_OK;
        }
    return SYNCLINE_EINVAL;
}

/* ---- secrets ---- */

_Static_assert(TOKEN_TEXT_LEN == sizeof PREFIX - 1 + BEARER_TEXT, "it fits");

int token_hash(uint8_t hash[SHA256_LEN], struct slice text)
{
    return bearer_hash(hash, text, PREFIX);
}

int token_draw(char text[TOKEN_TEXT_LEN + 1], uint8_t hash[SHA256_LEN])
{
    return bearer_draw(text, hash, PREFIX);
}

/* ---- one token ---- */

void token_free(struct token *k)
{
    if (k == NULL)
        return;
    free(k->spaces);
    free(k);
}

/* It would not be told from one. */
static bool looks_like_id(struct slice name)
{
    bool so = name.len == TOKEN_ID_LEN;

    for (size_t i = 0; i < name.len && so; i++)
        so = memchr("0123456789abcdef", name.ptr[i], 16) != NULL;
    return so;
}

static int check_request(const struct token_request *r, struct errmsg *why)
{
    if (!text_is_name(r->name) || looks_like_id(r->name))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "name: a token's has 1 to 64 of A-Z a-z 0-9 . _ -, begins with a "
            "letter or a digit, and is not eight hex digits, as ids are");
    if (r->scope == TOKEN_ADMIN && r->spaces_n > 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "spaces: an admin's token is of all spaces; leave them out, or "
            "let it read or write only");
    if (r->spaces_n > TOKEN_SPACES_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "spaces: a token has at most %d", TOKEN_SPACES_MAX);
    for (size_t i = 0; i < r->spaces_n; i++)
        if (!text_is_name(r->spaces[i]))
            return errmsg_set(
                why, SYNCLINE_EINVAL, "spaces: a space's name " TEXT_NAME_RULE);
    return SYNCLINE_OK;
}

static int copy_spaces(struct token *k, const struct token_request *r)
{
    size_t len = 0;
    uint8_t *to;

    if (r->spaces_n == 0)
        return SYNCLINE_OK;
    for (size_t i = 0; i < r->spaces_n; i++)
        len += r->spaces[i].len;
    k->spaces = malloc(r->spaces_n * sizeof *k->spaces + len);
    if (k->spaces == NULL)
        return SYNCLINE_ENOMEM;
    to = (uint8_t *)(k->spaces + r->spaces_n);
    for (size_t i = 0; i < r->spaces_n; i++) {
        memcpy(to, r->spaces[i].ptr, r->spaces[i].len);
        k->spaces[i] = SLICE(to, r->spaces[i].len);
        to += r->spaces[i].len;
    }
    k->info.grant.spaces = k->spaces;
    k->info.grant.spaces_n = r->spaces_n;
    return SYNCLINE_OK;
}

int token_set_id(struct token *k)
{
    uint8_t again[SHA256_LEN];
    int rc = crypto_sha256(again, SLICE(k->hash, sizeof k->hash));

    if (rc == SYNCLINE_OK)
        hex_encode(k->info.grant.id, SLICE(again, TOKEN_ID_LEN / 2));
    return rc;
}

int token_new(struct token **out, const struct token_request *r,
    const uint8_t hash[SHA256_LEN], struct errmsg *why)
{
    struct token *k;
    int rc = check_request(r, why);

    if (rc != SYNCLINE_OK)
        return rc;
    k = calloc(1, sizeof *k);
    if (k == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(k->info.grant.name, r->name.ptr, r->name.len);
    memcpy(k->hash, hash, sizeof k->hash);
    k->info.grant.scope = r->scope;
    k->info.expires_us = r->expires_us;
    rc = token_set_id(k);
    if (rc == SYNCLINE_OK)
        rc = copy_spaces(k, r);
    if (rc == SYNCLINE_OK)
        *out = k;
    else
        token_free(k);
    return rc;
}

/* ---- all of them ---- */

static char *join(const char *dir, const char *name)
{
    const size_t room = strlen(dir) + strlen(name) + 2;
    char *path = malloc(room);

    if (path != NULL)
        (void)snprintf(path, room, "%s/%s", dir, name);
    return path;
}

/* Else what is listed would decide what DIR/token may do, or the reverse. */
static int check_local(const struct tokens *t, struct errmsg *why)
{
    for (size_t i = 0; i < t->n; i++)
        if (memcmp(t->list[i]->hash, t->local.hash, SHA256_LEN) == 0)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "%s: this is the token \"%s\"; remove the file, and the next "
                "start makes another",
                t->local_path, t->list[i]->info.grant.name);
    return SYNCLINE_OK;
}

int tokens_open(
    struct tokens **out, const char *dir, uint64_t now_us, struct errmsg *why)
{
    struct tokens *t = calloc(1, sizeof *t);
    int rc = SYNCLINE_ENOMEM;

    if (t == NULL)
        return rc;
    t->path = join(dir, "tokens.json");
    t->local_path = join(dir, "token");
    if (t->path != NULL && t->local_path != NULL)
        rc = tokens_load(t, why);
    if (rc == SYNCLINE_OK) {
        rc = tokens_load_local(t, why);
        t->local_is_new = rc == SYNCLINE_ENOTFOUND;
    }
    if (t->local_is_new)
        rc = tokens_make_local(t, now_us, why);
    if (rc == SYNCLINE_OK)
        rc = check_local(t, why);
    if (rc == SYNCLINE_OK)
        *out = t;
    else
        tokens_close(t);
    return rc;
}

void tokens_close(struct tokens *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++)
        token_free(t->list[i]);
    free(t->path);
    free(t->local_path);
    free(t);
}

bool tokens_local_is_new(const struct tokens *t)
{
    return t->local_is_new;
}

/* ---- asked by bearers ---- */

static int good_now(
    const struct token *k, uint64_t now_us, struct token_grant *out)
{
    if (k->info.expires_us != 0 && now_us >= k->info.expires_us)
        return SYNCLINE_ETIMEOUT;
    *out = k->info.grant;
    return SYNCLINE_OK;
}

/* All ones if they are equal, else 0; no branch. */
static size_t mask_of(bool equal)
{
    return (size_t)0 - (size_t)equal;
}

int tokens_check(struct tokens *t, struct slice presented, uint64_t now_us,
    struct token_grant *out)
{
    uint8_t hash[SHA256_LEN];
    struct token *k;
    size_t at; /* which, from 1 on; no two are equal */
    int rc = token_hash(hash, presented);

    if (rc == SYNCLINE_EMALFORMED)
        return SYNCLINE_EDENIED;
    if (rc != SYNCLINE_OK)
        return rc;
    at = 1 &
        mask_of(crypto_equal(
            SLICE(hash, sizeof hash), SLICE(t->local.hash, SHA256_LEN)));
    for (size_t i = 0; i < t->n; i++)
        at |= (i + 2) &
            mask_of(crypto_equal(
                SLICE(hash, sizeof hash), SLICE(t->list[i]->hash, SHA256_LEN)));
    if (at == 0)
        return SYNCLINE_EDENIED;
    k = at == 1 ? &t->local : t->list[at - 2];
    rc = good_now(k, now_us, out);
    if (rc == SYNCLINE_OK)
        k->info.used_us = now_us;
    return rc;
}

int tokens_find(const struct tokens *t, const char *id, uint64_t now_us,
    struct token_grant *out)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->list[i]->info.grant.id, id) == 0)
            return good_now(t->list[i], now_us, out);
    return strcmp(t->local.info.grant.id, id) == 0
        ? good_now(&t->local, now_us, out)
        : SYNCLINE_EDENIED;
}

/* ---- asked by who sees to them ---- */

size_t tokens_n(const struct tokens *t)
{
    return t->n + 1;
}

const struct token_info *tokens_at(const struct tokens *t, size_t ix)
{
    return ix == 0 ? &t->local.info : &t->list[ix - 1]->info;
}

static bool is_of(const struct token *k, struct slice who)
{
    return slice_is(who, k->info.grant.name) || slice_is(who, k->info.grant.id);
}

static int check_new(const struct tokens *t, const struct token_request *r,
    uint64_t now_us, struct errmsg *why)
{
    if (r->expires_us != 0 && r->expires_us <= now_us)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "expires: that time is over already");
    if (slice_is(r->name, TOKEN_LOCAL))
        return errmsg_set(why, SYNCLINE_EEXIST,
            "name: \"" TOKEN_LOCAL "\" is that of the token in %s; choose "
            "another",
            t->local_path);
    for (size_t i = 0; i < t->n; i++)
        if (slice_is(r->name, t->list[i]->info.grant.name))
            return errmsg_set(why, SYNCLINE_EEXIST,
                "name: there is a token \"%.*s\" already; revoke it first, or "
                "choose another name",
                SLICE_FMT(r->name));
    return t->n < TOKENS_MAX
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_ELIMIT,
              "there are %d tokens; revoke those that nobody uses", TOKENS_MAX);
}

static bool id_is_taken(const struct tokens *t, const struct token *fresh)
{
    bool taken = is_of(&t->local, slice_str(fresh->info.grant.id));

    for (size_t i = 0; i < t->n; i++)
        taken |= is_of(t->list[i], slice_str(fresh->info.grant.id));
    return taken;
}

/* Once in some ten million another one has the id already. */
static int draw_one(const struct tokens *t, const struct token_request *r,
    char text[TOKEN_TEXT_LEN + 1], struct token **out, struct errmsg *why)
{
    uint8_t hash[SHA256_LEN];
    struct token *k = NULL;
    int rc;

    do {
        token_free(k);
        k = NULL;
        rc = token_draw(text, hash);
        if (rc == SYNCLINE_OK)
            rc = token_new(&k, r, hash, why);
    } while (rc == SYNCLINE_OK && id_is_taken(t, k));
    if (rc == SYNCLINE_OK)
        *out = k;
    return rc;
}

int tokens_create(struct tokens *t, const struct token_request *r,
    uint64_t now_us, char text[TOKEN_TEXT_LEN + 1], struct token_info *out,
    struct errmsg *why)
{
    struct token *k = NULL;
    int rc = check_new(t, r, now_us, why);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = draw_one(t, r, text, &k, why);
    if (rc == SYNCLINE_OK) {
        k->info.created_us = now_us;
        t->list[t->n++] = k;
        rc = tokens_save(t, why);
        if (rc == SYNCLINE_OK) {
            *out = k->info;
            return rc;
        }
        t->n--;
    }
    token_free(k);
    crypto_wipe(text, TOKEN_TEXT_LEN + 1);
    return rc;
}

static void without_spaces(struct token_grant *out, const struct token *k)
{
    *out = k->info.grant;
    out->spaces = NULL;
    out->spaces_n = 0;
}

static int revoke_listed(
    struct tokens *t, size_t ix, struct token_grant *out, struct errmsg *why)
{
    const size_t behind = (t->n - ix - 1) * sizeof t->list[0];
    struct token *k = t->list[ix];
    int rc;

    memmove(&t->list[ix], &t->list[ix + 1], behind);
    t->n--;
    rc = tokens_save(t, why);
    if (rc != SYNCLINE_OK) {
        memmove(&t->list[ix + 1], &t->list[ix], behind);
        t->list[ix] = k;
        t->n++;
        return rc;
    }
    without_spaces(out, k);
    token_free(k);
    return SYNCLINE_OK;
}

int tokens_revoke(struct tokens *t, struct slice who, uint64_t now_us,
    struct token_grant *out, struct errmsg *why)
{
    struct token_grant gone;
    int rc;

    for (size_t i = 0; i < t->n; i++)
        if (is_of(t->list[i], who))
            return revoke_listed(t, i, out, why);
    if (!is_of(&t->local, who))
        return errmsg_set(why, SYNCLINE_ENOTFOUND,
            "there is no token of that name or id; see: syncline token list");
    without_spaces(&gone, &t->local);
    rc = tokens_make_local(t, now_us, why);
    if (rc == SYNCLINE_OK)
        *out = gone;
    return rc;
}
