/* The sessions of the dashboard: a link is asked for at the control socket, and
 * exchanged by the page that it opens (session_link, session_open,
 * session_close); all are ended there, too (session_end_all). */
#include "app/engine/engine_impl.h"

#include "base/plant.h"
#include "crypto/crypto.h"
#include "io/clock.h"

#define ANSWER_ROOM 512

bool engine_is_session(const char *id)
{
    return id[0] == 's';
}

int engine_admit_session(struct engine *e, struct slice cookie,
    struct slice page, struct token_grant *out)
{
    int rc;

    if (e->sessions == NULL)
        return SYNCLINE_EUNSUPPORTED;
    *out = (struct token_grant){ .name = "dashboard", .scope = TOKEN_ADMIN };
    rc = sessions_check(e->sessions, cookie, page, clock_mono_us(), out->id);
    return rc;
}

/* A page that is open uses its session: its watches are looked at by this. */
int engine_session_still(
    const struct engine *e, const char *id, struct token_grant *out)
{
    int rc = sessions_find(e->sessions, id, clock_mono_us());

    *out = (struct token_grant){ .name = "dashboard", .scope = TOKEN_ADMIN };
    if (rc == SYNCLINE_OK)
        memcpy(out->id, id, sizeof out->id);
    return rc;
}

/* ---- requests ---- */

static void audit(
    struct engine *e, const struct call *c, const char *kind, const char *id)
{
    struct buf b = { 0 };

    if (id != NULL)
        buf_printf(&b, "{\"id\":\"%s\"}", id);
    else
        buf_put_str(&b, "{}");
    engine_audit_asked(e, c, kind, &b);
    buf_free(&b);
}

static bool is_wild(const struct netaddr *a)
{
    static const uint8_t zeros[sizeof a->addr];

    return memcmp(a->addr, zeros, a->family == 6 ? 16 : 4) == 0;
}

/* Where a browser reaches it: here, without TLS, if it listens here. */
static void put_place(const struct engine *e, struct buf *b)
{
    const struct netaddr *best = &e->listening[0];
    char text[NETADDR_TEXT];

    for (size_t i = 0; i < e->listening_n; i++)
        if (netaddr_is_loopback(&e->listening[i]) ||
            is_wild(&e->listening[i])) {
            best = &e->listening[i];
            break;
        }
    netaddr_format(text, best);
    if (is_wild(best))
        buf_printf(b, "http://127.0.0.1:%u", (unsigned)best->port);
    else
        buf_printf(
            b, "http%s://%s", netaddr_is_loopback(best) ? "" : "s", text);
}

static int on_link(struct engine *e, const struct call *c,
    const struct json *args, struct buf *b, struct errmsg *why)
{
    char text[SESSION_SECRET_TEXT + 1];
    int rc;

    (void)args;
    if (!e->opt.web.enabled)
        return errmsg_set(why, SYNCLINE_EUNSUPPORTED,
            "HTTP is switched off (http.enabled: false)");
    if (e->listening_n == 0)
        return errmsg_set(why, SYNCLINE_EUNSUPPORTED,
            "this node listens nowhere, so that no browser reaches it; give "
            "it listen");
    rc = sessions_link(e->sessions, clock_mono_us(), text);
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "no secret could be made");
    buf_printf(
        b, "{\"ok\":true,\"expires_s\":%d,", (int)(SESSION_LINK_US / 1000000));
    if (e->web.facts.sha256[0] != 0)
        buf_printf(b, "\"fingerprint\":\"%s\",", e->web.facts.sha256);
    buf_put_str(b, "\"url\":\"");
    put_place(e, b);
    buf_printf(b, "/#sign-in=%s\"}", text);
    crypto_wipe(text, sizeof text);
    audit(e, c, "session-link", NULL);
    return SYNCLINE_OK;
}

static int deny(
    struct engine *e, const struct call *c, int rc, struct errmsg *why)
{
    const uint64_t now = clock_mono_us();

    if (rc == SYNCLINE_ETIMEOUT) {
        engine_audit_login(e, &c->asker.from, "the sign-in link has expired");
        return errmsg_set(why, SYNCLINE_EDENIED,
            "this link has expired; make another by: syncline dashboard");
    }
    attempts_failed(e->attempts, &c->asker.from, now);
    engine_audit_login(e, &c->asker.from, "no such sign-in link, or used");
    return errmsg_set(why, rc,
        "there is no such link, or it has been used; make another by: "
        "syncline dashboard");
}

/* As engine_admit: nobody shuts others of this machine out. */
static int open_by_link(struct engine *e, const struct netaddr *from,
    struct slice link, uint64_t now, struct session_secrets *out)
{
    const bool waits =
        !PLANTED(R12_FAILURES) && attempts_wait_us(e->attempts, from, now) > 0;
    int rc = waits && !netaddr_is_loopback(from)
        ? SYNCLINE_EBUSY
        : sessions_open(e->sessions, link, now, out);

    return waits && rc == SYNCLINE_EDENIED ? SYNCLINE_EBUSY : rc;
}

static int on_open(struct engine *e, const struct call *c,
    const struct json *args, struct buf *b, struct errmsg *why)
{
    const uint64_t now = clock_mono_us();
    struct session_secrets made;
    int rc =
        open_by_link(e, &c->asker.from, json_get_str(args, "link"), now, &made);

    if (rc == SYNCLINE_EBUSY)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "too many wrong secrets from this address; wait a minute");
    if (rc == SYNCLINE_EDENIED || rc == SYNCLINE_ETIMEOUT)
        return deny(e, c, rc, why);
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "no secret could be made");
    buf_printf(b,
        "{\"ok\":true,\"cookie\":\"%s\",\"expires_s\":%d,\"id\":\"%s\","
        "\"session\":\"%s\"}",
        made.cookie, (int)(SESSION_US / 1000000), made.id, made.page);
    audit(e, c, "session", made.id);
    crypto_wipe(&made, sizeof made);
    return SYNCLINE_OK;
}

static int on_close(struct engine *e, const struct call *c,
    const struct json *args, struct buf *b, struct errmsg *why)
{
    (void)args;
    if (!engine_is_session(c->asker.token))
        return errmsg_set(
            why, SYNCLINE_EINVAL, "only who came by a session can end it");
    sessions_end(e->sessions, c->asker.token);
    audit(e, c, "session-ended", c->asker.token);
    buf_put_str(b, "{\"ok\":true,\"ended\":true}");
    return SYNCLINE_OK;
}

static int on_end_all(struct engine *e, const struct call *c,
    const struct json *args, struct buf *b, struct errmsg *why)
{
    size_t n;

    (void)args;
    (void)why;
    n = sessions_end_all(e->sessions);
    if (n > 0)
        audit(e, c, "session-ended", NULL);
    buf_printf(b, "{\"ok\":true,\"ended\":%zu}", n);
    return SYNCLINE_OK;
}

bool engine_sessions_take(
    struct engine *e, struct call *c, const struct json *args)
{
    static const struct {
        const char *op;
        int (*on)(struct engine *e, const struct call *c,
            const struct json *args, struct buf *b, struct errmsg *why);
    } ops[] = {
        { "session_link", on_link },
        { "session_open", on_open },
        { "session_close", on_close },
        { "session_end_all", on_end_all },
    };
    const size_t n = sizeof ops / sizeof *ops;
    struct errmsg why = { "" };
    struct buf b = { 0 };
    size_t i = 0;
    int rc;

    while (i < n && strcmp(c->op, ops[i].op) != 0)
        i++;
    if (i == n)
        return false;
    (void)buf_reserve(&b, ANSWER_ROOM); /* one piece, to be wiped */
    rc = e->sessions != NULL
        ? ops[i].on(e, c, args, &b, &why)
        : errmsg_set(&why, SYNCLINE_EUNSUPPORTED,
              "this node has no dashboard: that is the daemon's");
    if (rc == SYNCLINE_OK && buf_status(&b) == SYNCLINE_OK)
        engine_answer(e, c->id, buf_slice(&b), false);
    if (b.cap > 0)
        crypto_wipe(b.ptr, b.cap);
    if (rc != SYNCLINE_OK || buf_status(&b) != SYNCLINE_OK)
        engine_answer_buf(e, c->id, &b, rc, &why);
    buf_free(&b);
    return true;
}
