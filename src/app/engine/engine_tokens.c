/* The tokens of a running node: asked by who sees to them (token_create,
 * token_list, token_revoke), and by the hub, whom it is to let in. */
#include "app/engine/engine_impl.h"

#include "app/answer.h"
#include "base/plant.h"
#include "crypto/crypto.h"
#include "io/clock.h"

#include <stdlib.h>

#define EXPIRES_MAX_S INT64_C(3153600000) /* a hundred years */

/* ---- opening ---- */

static void put_name(struct buf *b, const struct token_grant *g)
{
    buf_printf(b, "\"id\":\"%s\",\"name\":\"%s\"", g->id, g->name);
}

/* Names are inert: tokens.h lets no others in. */
static void put_spaces(
    struct buf *b, const struct token_grant *g, const char *all)
{
    if (g->spaces == NULL) {
        buf_put_str(b, all);
        return;
    }
    for (size_t i = 0; i < g->spaces_n; i++)
        buf_printf(
            b, "%s\"%.*s\"", i == 0 ? "[" : ",", SLICE_FMT(g->spaces[i]));
    buf_put_u8(b, ']');
}

static void put_time(struct buf *b, uint64_t us)
{
    if (us != 0)
        buf_printf(b, "%llu", (unsigned long long)us);
    else
        buf_put_str(b, "null");
}

static void audit_made(
    struct engine *e, const struct call *c, const struct token_info *k)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"expires\":");
    put_time(&b, k->expires_us);
    buf_put_u8(&b, ',');
    put_name(&b, &k->grant);
    buf_printf(
        &b, ",\"scope\":\"%s\",\"spaces\":", token_scope_name(k->grant.scope));
    put_spaces(&b, &k->grant, "\"all\"");
    buf_put_u8(&b, '}');
    engine_audit_asked(e, c, "token", &b);
    buf_free(&b);
}

int engine_tokens_open(struct engine *e, struct errmsg *why)
{
    int rc;

    if (!e->opt.tokens)
        return SYNCLINE_OK;
    e->attempts = calloc(1, sizeof *e->attempts);
    if (e->attempts == NULL)
        return SYNCLINE_ENOMEM;
    rc = sessions_new(&e->sessions);
    if (rc == SYNCLINE_OK)
        rc = tokens_open(&e->tokens, e->dir, clock_wall_us(), why);
    if (rc == SYNCLINE_OK && tokens_local_is_new(e->tokens))
        log_line(&e->opt.log, LOG_LEVEL_INFO, "tokens",
            "%s/token is made: an admin's, for programs of this account",
            e->dir);
    return rc;
}

void engine_tokens_close(struct engine *e)
{
    tokens_close(e->tokens);
    sessions_free(e->sessions);
    free(e->attempts);
    e->sessions = NULL;
    e->tokens = NULL;
    e->attempts = NULL;
}

/* ---- who may come in ---- */

int engine_admit(struct engine *e, const struct netaddr *from,
    struct slice presented, struct token_grant *out, uint64_t *wait_us)
{
    const uint64_t now = clock_mono_us();
    uint64_t wait;
    int rc;

    if (e->tokens == NULL)
        return SYNCLINE_EUNSUPPORTED;
    wait = PLANTED(R12_FAILURES) ? 0 : attempts_wait_us(e->attempts, from, now);
    /* All who use this machine share its address: none of them may shut the
     * others out, and nobody guesses 256 bits. */
    rc = wait > 0 && !netaddr_is_loopback(from)
        ? SYNCLINE_EBUSY
        : tokens_check(e->tokens, presented, clock_wall_us(), out);
    if (wait > 0 && rc == SYNCLINE_EDENIED && presented.len > 0)
        rc = SYNCLINE_EBUSY;
    if (rc == SYNCLINE_EBUSY) {
        *wait_us = wait;
        return rc;
    }
    /* What has expired was good: nobody has guessed it. */
    if (rc == SYNCLINE_EDENIED && presented.len > 0)
        attempts_failed(e->attempts, from, now);
    if (rc == SYNCLINE_ETIMEOUT)
        engine_audit_login(e, from, "the token has expired");
    else if (rc == SYNCLINE_EDENIED && presented.len > 0)
        engine_audit_login(e, from,
            attempts_wait_us(e->attempts, from, now) > 0
                ? "no such token; too often: no more is looked at for a while"
                : "no such token");
    return rc;
}

int engine_still_admits(
    const struct engine *e, const char *id, struct token_grant *out)
{
    if (e->tokens == NULL)
        return SYNCLINE_EUNSUPPORTED;
    return engine_is_session(id)
        ? engine_session_still(e, id, out)
        : tokens_find(e->tokens, id, clock_wall_us(), out);
}

/* ---- requests ---- */

static int read_spaces(const struct json *args, struct slice *spaces,
    struct token_request *r, struct errmsg *why)
{
    const struct json *list = json_get(args, "spaces");

    if (list == NULL || list->type == JSON_NULL)
        return SYNCLINE_OK;
    if (list->type != JSON_ARRAY || list->n == 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "spaces: names of spaces, as [\"notes\"]; left out: all");
    if (list->n > TOKEN_SPACES_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "spaces: a token has at most %d", TOKEN_SPACES_MAX);
    for (const struct json *v = list->first; v != NULL; v = v->next) {
        if (v->type != JSON_STRING)
            return errmsg_set(why, SYNCLINE_EINVAL, "spaces: a name is a text");
        spaces[r->spaces_n++] = v->s;
    }
    r->spaces = spaces;
    return SYNCLINE_OK;
}

static int read_expiry(const struct json *args, uint64_t now_us,
    struct token_request *r, struct errmsg *why)
{
    const struct json *v = json_get(args, "expires_s");

    if (v == NULL || v->type == JSON_NULL)
        return SYNCLINE_OK;
    if (v->type != JSON_INT || v->i < 1 || v->i > EXPIRES_MAX_S)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "expires_s: seconds from now, 1 to %lld", (long long)EXPIRES_MAX_S);
    r->expires_us = now_us + (uint64_t)v->i * 1000000;
    return SYNCLINE_OK;
}

static int read_scope(
    const struct json *args, enum token_scope *out, struct errmsg *why)
{
    const struct json *v = json_get(args, "scope");

    *out = TOKEN_READ;
    if (v == NULL || v->type == JSON_NULL)
        return SYNCLINE_OK;
    return v->type == JSON_STRING && token_scope_parse(out, v->s) == SYNCLINE_OK
        ? SYNCLINE_OK
        : errmsg_set(
              why, SYNCLINE_EINVAL, "scope: one of read, write and admin");
}

static void put_info(struct buf *b, const struct token_info *k, uint64_t now_us)
{
    buf_put_str(b, "{\"created\":");
    put_time(b, k->created_us);
    buf_printf(b, ",\"expired\":%s,\"expires\":",
        k->expires_us != 0 && now_us >= k->expires_us ? "true" : "false");
    put_time(b, k->expires_us);
    buf_put_u8(b, ',');
    put_name(b, &k->grant);
    buf_printf(
        b, ",\"scope\":\"%s\",\"spaces\":", token_scope_name(k->grant.scope));
    put_spaces(b, &k->grant, "null");
    buf_put_str(b, ",\"used\":");
    put_time(b, k->used_us);
    buf_put_u8(b, '}');
}

static int on_create(struct engine *e, const struct call *c,
    const struct json *args, struct buf *b, struct errmsg *why)
{
    const uint64_t now = clock_wall_us();
    struct slice spaces[TOKEN_SPACES_MAX];
    struct token_request r = { .name = json_get_str(args, "name") };
    struct token_info made;
    char text[TOKEN_TEXT_LEN + 1];
    int rc = read_scope(args, &r.scope, why);

    if (rc == SYNCLINE_OK)
        rc = read_spaces(args, spaces, &r, why);
    if (rc == SYNCLINE_OK)
        rc = read_expiry(args, now, &r, why);
    if (rc == SYNCLINE_OK)
        rc = tokens_create(e->tokens, &r, now, text, &made, why);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_printf(b, "{\"ok\":true,\"secret\":\"%s\",\"token\":", text);
    put_info(b, &made, now);
    buf_put_u8(b, '}');
    crypto_wipe(text, sizeof text);
    audit_made(e, c, &made);
    return SYNCLINE_OK;
}

static int on_list(struct engine *e, const struct call *c,
    const struct json *args, struct buf *b, struct errmsg *why)
{
    const uint64_t now = clock_wall_us();

    (void)c;
    (void)args;
    (void)why;
    buf_put_str(b, "{\"ok\":true,\"tokens\":[");
    for (size_t i = 0; i < tokens_n(e->tokens); i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        put_info(b, tokens_at(e->tokens, i), now);
    }
    buf_put_str(b, "]}");
    return SYNCLINE_OK;
}

static int on_revoke(struct engine *e, const struct call *c,
    const struct json *args, struct buf *b, struct errmsg *why)
{
    const struct slice who = json_get_str(args, "who");
    struct buf told = { 0 };
    struct token_grant gone;
    bool local;
    int rc;

    if (who.len == 0)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "who: the name or the id of a token");
    rc = tokens_revoke(e->tokens, who, clock_wall_us(), &gone, why);
    if (rc != SYNCLINE_OK)
        return rc;
    local = strcmp(gone.name, TOKEN_LOCAL) == 0;
    buf_put_str(&told, "{");
    put_name(&told, &gone);
    buf_put_str(&told, "}");
    engine_audit_asked(e, c, "token-revoked", &told);
    buf_free(&told);
    if (local)
        audit_made(e, c, tokens_at(e->tokens, 0));
    buf_printf(b, "{\"ok\":true,\"replaced\":%s,\"token\":{",
        local ? "true" : "false");
    put_name(b, &gone);
    buf_put_str(b, "}}");
    return SYNCLINE_OK;
}

bool engine_tokens_take(
    struct engine *e, struct call *c, const struct json *args)
{
    static const struct {
        const char *op;
        int (*on)(struct engine *e, const struct call *c,
            const struct json *args, struct buf *b, struct errmsg *why);
    } ops[] = {
        { "token_create", on_create },
        { "token_list", on_list },
        { "token_revoke", on_revoke },
    };
    const struct slice op = json_get_str(args, "op");
    struct errmsg why = { "" };
    struct buf b = { 0 };
    size_t i = 0;
    int rc;

    while (i < 3 && !slice_is(op, ops[i].op))
        i++;
    if (i == 3)
        return false;
    rc = e->tokens != NULL
        ? ops[i].on(e, c, args, &b, &why)
        : errmsg_set(&why, SYNCLINE_EUNSUPPORTED,
              "this node keeps no tokens: that is the daemon's");
    if (rc == SYNCLINE_OK)
        rc = buf_status(&b);
    if (rc != SYNCLINE_OK)
        put_refusal(&b, rc, &why);
    if (buf_status(&b) == SYNCLINE_OK)
        engine_answer(e, c->id, buf_slice(&b), false);
    else
        engine_answer(e, c->id, SLICE_LIT(REFUSAL_NO_MEMORY), false);
    crypto_wipe(b.ptr, b.cap);
    buf_free(&b);
    return true;
}
