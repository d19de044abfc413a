#include "faces/lansync/link.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/plant.h"
#include "base/text.h"
#include "faces/lansync/link_impl.h"

#define WAIT_US UINT64_C(10000000)
#define MESSAGE_UNIT 65536
#define OUT_KEPT_MAX ((size_t)1 << 20) /* for what is said next */

/* ---- saying ---- */

void link_log(struct lan_link *l, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    if (l->opt.events.log == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    l->opt.events.log(l->opt.events.ctx, text);
}

void link_close(struct lan_link *l, const char *why)
{
    if (l->state == LAN_OVER)
        return;
    l->state = LAN_OVER;
    wait_end(l, SYNCLINE_ECLOSED);
    l->opt.events.close(l->opt.events.ctx, why);
}

int lan_link_send(
    struct lan_link *l, const struct lan_draft *draft, uint64_t now_us)
{
    struct buf packed = { 0 };
    int rc;

    if (l->state == LAN_OVER)
        return SYNCLINE_ECLOSED;
    buf_clear(&l->out);
    rc = lan_protocol_put(l->opt.protocol, &l->out, draft, l->dialect, now_us);
    if (rc == SYNCLINE_OK && l->out.len > l->opt.message_max + LAN_FRAME_HEAD)
        rc = SYNCLINE_ELIMIT;
    if (rc == SYNCLINE_OK)
        l->opt.events.send(
            l->opt.events.ctx, link_pack(l, buf_slice(&l->out), &packed));
    buf_free(&packed);
    if (l->out.cap > OUT_KEPT_MAX)
        buf_free(&l->out);
    return rc;
}

/* What cannot be said to somebody who waits for it ends the connection. */
static void say(struct lan_link *l, enum lan_type type, struct json *payload,
    uint64_t now_us)
{
    const struct lan_draft draft = { .type = type, .payload = payload };

    if (l->arena.failed || lan_link_send(l, &draft, now_us) != SYNCLINE_OK)
        link_close(l, "an answer could not be made");
}

/* An ERROR about m, which may be NULL. */
static void link_refuse(struct lan_link *l, const struct lan_message *m,
    const char *text, const char *code, uint64_t now_us)
{
    struct json *payload = json_new(&l->arena, JSON_OBJECT);
    const struct json *id =
        m == NULL ? NULL : json_get(m->member[LAN_PAYLOAD], "request_id");

    json_add(
        payload, SLICE_LIT("error"), json_new_str(&l->arena, slice_str(text)));
    json_add(payload, SLICE_LIT("message"),
        json_new_str(&l->arena, slice_str(text)));
    json_add(
        payload, SLICE_LIT("code"), json_new_str(&l->arena, slice_str(code)));
    if (id != NULL)
        json_add(payload, SLICE_LIT("request_id"), json_copy(id, &l->arena));
    say(l, LAN_ERROR, payload, now_us);
}

/* ---- hearing ---- */

static bool is_guest(const struct lan_link *l)
{
    return l->state == LAN_GUEST && l->opt.needs_auth;
}

static bool is_public(enum lan_type type)
{
    return type == LAN_AUTH_REQUEST || type == LAN_HEARTBEAT;
}

static bool is_sync(enum lan_type type)
{
    return type >= LAN_SYNC_REQUEST && type <= LAN_SYNC_COMPLETE;
}

static void refuse_undecodable(
    struct lan_link *l, const struct lan_message *m, int rc, uint64_t now_us)
{
    if (!l->opt.is_server) {
        link_log(l, "what is no message was passed over");
        return;
    }
    if (rc == SYNCLINE_EMALFORMED)
        link_refuse(l, m, "Invalid message format", "decode_error", now_us);
    else
        link_refuse(l, m, "Internal server error", "internal_error", now_us);
}

/* Of the other side; before it is known, a guess. */
static enum lan_dialect tongue(
    const struct lan_link *l, const struct lan_message *m)
{
    return l->dialect != LAN_UNDECIDED ? l->dialect : m->looks;
}

/* A type that nobody has heard of: the generations say so differently. A
 * member that nobody knows is too much for the first. */
static bool is_stranger(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    const enum lan_dialect d = tongue(l, m);
    const struct lan_link_events *ev = &l->opt.events;

    if ((m->type != LAN_OTHER ||
            (ev->knows != NULL && ev->knows(ev->ctx, m->name))) &&
        (d != LAN_FIRST || !m->is_odd || !l->opt.is_server))
        return false;
    refuse_undecodable(
        l, m, d == LAN_FIRST ? SYNCLINE_EINVAL : SYNCLINE_EMALFORMED, now_us);
    return true;
}

static void refuse_invalid(struct lan_link *l, const struct lan_message *m,
    int rc, const struct errmsg *why, uint64_t now_us)
{
    const struct lan_link_events *ev = &l->opt.events;
    struct errmsg text = { "" };

    if (ev->passed_over != NULL &&
        (rc == SYNCLINE_ETIMEOUT || rc == SYNCLINE_EDENIED))
        ev->passed_over(ev->ctx, rc, why->text, lan_sender(m));
    if (!l->opt.is_server) {
        link_log(l, "a message was passed over: %s", why->text);
        if (rc == SYNCLINE_EDENIED && l->state == LAN_GREETING)
            link_close(l, LAN_OTHER_KEY);
        return;
    }
    if (l->dialect == LAN_FIRST) {
        link_refuse(l, m, why->text, "validation_failed", now_us);
        link_close(l, why->text);
        return;
    }
    errmsg_set(&text, 0, "Invalid message: %.400s", why->text);
    link_refuse(l, m, text.text, "generic_error", now_us);
    if (rc == SYNCLINE_EDENIED)
        link_close(l, why->text);
}

/* Some nodes pass over what is not in their dialect, and say nothing. What is
 * not known is said as the second one. */
void link_try_other(struct lan_link *l)
{
    if (l->is_told || l->opt.is_server)
        return;
    l->dialect = l->dialect == LAN_FIRST ? LAN_SECOND : LAN_FIRST;
    link_log(
        l, "no answer: dialect v%d is tried", l->dialect == LAN_FIRST ? 1 : 2);
}

/* What we have said ourselves is no answer to us. Whom we call may turn out to
 * be ourselves: link_auth.c finds out. */
static bool is_echo(const struct lan_link *l, const struct lan_message *m)
{
    return m->type != LAN_AUTH_REQUEST && m->type != LAN_AUTH_RESPONSE &&
        m->type != LAN_AUTH_CHALLENGE && !PLANTED(R12_LAN_ECHO) &&
        lan_protocol_made(l->opt.protocol, m);
}

/* Who has proved the secret speaks for himself: the clocks of others tell other
 * times. */
static bool is_of_before(const struct lan_link *l, const struct lan_message *m)
{
    return l->not_before_us > 0 && !PLANTED(R12_LAN_RESTART) &&
        (lan_protocol_said_us(m) < l->not_before_us ||
            (l->node[0] != 0 &&
                !slice_is(utf8_cut(lan_sender(m), LAN_PEER_MAX - 1), l->node)));
}

/* Before anything that it said was signed, its dialect is a guess. */
static int check(struct lan_link *l, const struct lan_message *m,
    uint64_t now_us, bool *is_signed, struct errmsg *why)
{
    bool needs_signature = l->opt.is_server
        ? l->opt.needs_auth && !is_public(m->type) && !PLANTED(R12_LAN)
        : m->type != LAN_HEARTBEAT;
    enum lan_dialect d = l->dialect;
    int rc = lan_protocol_judge(
        l->opt.protocol, m, needs_signature, now_us, &d, is_signed, why);

    l->is_told = l->is_told || *is_signed;
    if (d != LAN_UNDECIDED)
        l->dialect = d;
    else if (l->dialect == LAN_UNDECIDED && l->opt.is_server)
        l->dialect = m->looks;
    l->is_signed = *is_signed;
    if (rc == SYNCLINE_OK && is_echo(l, m))
        return errmsg_set(
            why, SYNCLINE_EEXIST, "Possible replay attack detected");
    if (rc == SYNCLINE_OK && *is_signed && is_of_before(l, m))
        return lan_protocol_expired(m, tongue(l, m), why);
    return rc;
}

/* What is no text names nobody. */
static void keep_name(char out[LAN_PEER_MAX], struct slice s)
{
    s = text_is_plain(s) ? utf8_cut(s, LAN_PEER_MAX - 1) : SLICE_NONE;
    if (s.len > 0)
        memcpy(out, s.ptr, s.len);
    out[s.len] = 0;
}

void link_note_name(struct lan_link *l, const struct lan_message *m)
{
    if (l->node[0] != 0)
        return;
    keep_name(l->node, lan_sender(m));
    keep_name(l->name, json_get_str(m->member[LAN_SOURCE], "node_name"));
}

/* Anybody can say an unsigned heartbeat in the name of somebody else; an
 * unsigned request to come in, too, until it turns out to be a good one. Where
 * nobody has to say who he is that is nobody's loss. */
static bool is_named(const struct lan_link *l, bool is_signed)
{
    return is_signed || (l->opt.is_server && !l->opt.needs_auth);
}

static void handle(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    const struct lan_link_events *ev = &l->opt.events;
    char text[96];
    int rc;

    if (wait_answered(l, m))
        return;
    rc = ev->on_message(ev->ctx, m);
    if (l->state == LAN_OVER || rc == SYNCLINE_OK || !l->opt.is_server)
        return;
    if (rc == SYNCLINE_EUNSUPPORTED) {
        (void)snprintf(text, sizeof text, "Unsupported message type: %.*s",
            SLICE_FMT(utf8_cut(m->name, 64)));
        link_refuse(l, m, text, "unsupported_type", now_us);
    } else {
        link_refuse(l, m, "Internal server error", "internal_error", now_us);
    }
}

/* Was it let in, as far as this type needs it? */
static bool is_let_in(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    if (!l->opt.is_server || l->state == LAN_OPEN || is_public(m->type))
        return true;
    if (l->opt.needs_auth) {
        link_refuse(l, m, "Authentication required", "auth_required", now_us);
        if (l->dialect == LAN_FIRST)
            link_close(l, "it was not let in");
        return false;
    }
    if (l->dialect == LAN_FIRST || !is_sync(m->type))
        return true;
    link_refuse(l, m, "Authentication required", "unauthorized", now_us);
    return false;
}

/* Where nobody has to say who he is, those of the first generation do not. */
static bool is_free(const struct lan_link *l, const struct lan_message *m)
{
    return l->state == LAN_GUEST && !l->opt.needs_auth &&
        l->dialect == LAN_FIRST && m->type != LAN_AUTH_REQUEST;
}

/* Who was not let in has said too much already. */
static bool is_flood(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    struct errmsg why = { "" };

    if (!is_guest(l) || PLANTED(R36_LAN_GUEST) ||
        pace_may(&l->said, &l->opt.guest_pace, 1, now_us))
        return false;
    if (l->dialect == LAN_UNDECIDED)
        l->dialect = m->looks;
    errmsg_set(&why, 0, "Too many messages");
    refuse_invalid(l, m, SYNCLINE_ELIMIT, &why, now_us);
    link_close(l, why.text);
    return true;
}

static void take(struct lan_link *l, struct slice text, uint64_t now_us)
{
    struct errmsg why = { "" };
    struct lan_message m;
    bool is_signed = false;
    int rc = lan_message_read(&m, text, &l->arena, &why);

    if (rc != SYNCLINE_ENOMEM && is_flood(l, &m, now_us))
        return;
    if (rc == SYNCLINE_ENOMEM) {
        link_close(l, "memory ran out");
        return;
    }
    if (rc == SYNCLINE_EMALFORMED && m.looks != LAN_UNDECIDED &&
        tongue(l, &m) == LAN_FIRST)
        rc = SYNCLINE_EINVAL; /* an object whose type is no name */
    if (rc != SYNCLINE_OK) {
        if (l->state == LAN_OPEN && l->opt.events.passed_over != NULL)
            l->opt.events.passed_over(l->opt.events.ctx, SYNCLINE_EMALFORMED,
                why.text, slice_str(l->node));
        refuse_undecodable(l, NULL, rc, now_us);
        return;
    }
    if (is_stranger(l, &m, now_us))
        return;
    rc = check(l, &m, now_us, &is_signed, &why);
    if (rc == SYNCLINE_ENOMEM) {
        link_close(l, "memory ran out");
    } else if (rc != SYNCLINE_OK) {
        refuse_invalid(l, &m, rc, &why, now_us);
    } else if (is_let_in(l, &m, now_us)) {
        if (is_named(l, is_signed))
            link_note_name(l, &m);
        if (is_free(l, &m))
            link_open(l, now_us);
        if (m.type == LAN_HEARTBEAT)
            heartbeat_came(l, &m, now_us);
        else if (m.type == LAN_AUTH_REQUEST && l->opt.is_server)
            auth_asked(l, &m, now_us);
        else if (!auth_answered(l, &m, now_us))
            handle(l, &m, now_us);
    }
}

/* ---- frames ---- */

/* Whoever was not let in has little to say. */
static size_t longest(const struct lan_link *l)
{
    return is_guest(l) && l->opt.message_max > LAN_GUEST_MAX &&
            !PLANTED(R30_LAN_GUEST)
        ? LAN_GUEST_MAX
        : l->opt.message_max;
}

/* Who is in, need not come in, or is called, and says too much, is not heard
 * for a while. */
static void count(struct lan_link *l, size_t len, uint64_t now_us)
{
    uint64_t late_us;

    if (is_guest(l) || l->state == LAN_OVER || PLANTED(R21_LAN))
        return;
    late_us = pace_take(&l->said, &l->opt.pace, 1 + len / MESSAGE_UNIT, now_us);
    if (late_us == 0 || l->held_us == LAN_HELD)
        return;
    l->held_us = now_us + late_us;
    if (l->opt.events.hold != NULL)
        l->opt.events.hold(l->opt.events.ctx, true);
}

/* What counts is what it says, however short it came. */
static void take_body(struct lan_link *l, struct slice body, uint64_t now_us)
{
    struct buf made = { 0 };
    const char *why;

    arena_reset(&l->arena);
    why = link_unpack(l, &body, &made);
    if (why != NULL) {
        link_close(l, why);
    } else {
        take(l, body, now_us);
        count(l, body.len, now_us);
    }
    buf_free(&made);
}

/* How much of the input was one; 0: it is not whole yet. */
static size_t take_frame(struct lan_link *l, struct slice in, uint64_t now_us)
{
    size_t len;

    if (in.len < LAN_FRAME_HEAD)
        return 0;
    len = lan_frame_len(in.ptr);
    if (len > longest(l) && !PLANTED(R30_LAN)) {
        link_close(l, "a message longer than is allowed");
        return 0;
    }
    if (in.len - LAN_FRAME_HEAD < len)
        return 0;
    take_body(l, SLICE(in.ptr + LAN_FRAME_HEAD, len), now_us);
    return LAN_FRAME_HEAD + len;
}

static void pump(struct lan_link *l, struct slice bytes, uint64_t now_us)
{
    bool is_new = l->in.len == 0;
    struct slice in = bytes;
    size_t n;

    if (l->in.len > 0) {
        buf_put_slice(&l->in, bytes);
        in = buf_slice(&l->in);
    }
    while (l->state != LAN_OVER && l->held_us == 0 &&
        (n = take_frame(l, in, now_us)) > 0) {
        in = slice_from(in, n);
        is_new = true;
    }
    if (l->state != LAN_OVER) {
        half_keep(l, in);
        if (buf_status(&l->in) != SYNCLINE_OK)
            link_close(l, "memory ran out");
    }
    if (l->state == LAN_OVER)
        half_drop(l);
    else
        half_note(l, is_new);
}

void lan_link_feed(struct lan_link *l, struct slice bytes, uint64_t now_us)
{
    if (l->state == LAN_OVER)
        return;
    l->heard_us = now_us;
    pump(l, bytes, now_us);
}

/* Who is told to go on may be in the middle of something: the tick does. */
void lan_link_hold(struct lan_link *l, bool held, uint64_t now_us)
{
    if (!held && l->held_us == LAN_HELD)
        l->held_us = now_us;
    if (!held || l->state == LAN_OVER)
        return;
    l->held_us = LAN_HELD;
    if (l->opt.events.hold != NULL)
        l->opt.events.hold(l->opt.events.ctx, true);
}

static void go_on(struct lan_link *l, uint64_t now_us)
{
    l->held_us = 0;
    l->heard_us = now_us;
    pump(l, SLICE_NONE, now_us);
    if (l->held_us == 0 && l->state != LAN_OVER && l->opt.events.hold != NULL)
        l->opt.events.hold(l->opt.events.ctx, false);
}

/* ---- beginning and end ---- */

int lan_link_new(
    struct lan_link **out, const struct lan_link_options *opt, uint64_t now_us)
{
    struct lan_link *l = calloc(1, sizeof *l);
    int rc;

    if (l == NULL)
        return SYNCLINE_ENOMEM;
    l->opt = *opt;
    l->dialect = opt->dialect;
    l->state = opt->is_server ? LAN_GUEST : LAN_GREETING;
    l->last = &l->waiting;
    l->heard_us = now_us;
    if (l->opt.message_max == 0)
        l->opt.message_max = LAN_MESSAGE_MAX;
    if (l->opt.auth_us == 0)
        l->opt.auth_us = WAIT_US;
    if (l->opt.request_us == 0)
        l->opt.request_us = WAIT_US;
    if (opt->heartbeat_us > 0)
        l->heartbeat_due_us = now_us + opt->heartbeat_us;
    rc = auth_keep(l);
    if (rc != SYNCLINE_OK) {
        lan_link_free(l);
        return rc;
    }
    *out = l;
    return SYNCLINE_OK;
}

void lan_link_free(struct lan_link *l)
{
    if (l == NULL)
        return;
    while (l->waiting != NULL) {
        struct lan_waiting *next = l->waiting->next;

        free(l->waiting);
        l->waiting = next;
    }
    auth_free(l);
    half_drop(l);
    buf_free(&l->out);
    arena_free(&l->arena);
    free(l);
}

void lan_link_begin(struct lan_link *l, uint64_t now_us)
{
    auth_begin(l, now_us);
}

void link_open(struct lan_link *l, uint64_t now_us)
{
    (void)now_us;
    l->auth_due_us = 0;
    if (l->state == LAN_OVER || l->state == LAN_OPEN)
        return;
    l->state = LAN_OPEN;
    if (l->opt.events.on_open != NULL)
        l->opt.events.on_open(l->opt.events.ctx);
}

void lan_link_end(struct lan_link *l)
{
    if (l->state == LAN_OVER)
        return;
    l->state = LAN_OVER;
    wait_end(l, SYNCLINE_ECLOSED);
}

/* ---- time ---- */

void lan_link_tick(struct lan_link *l, uint64_t now_us)
{
    arena_reset(&l->arena);
    if (l->state != LAN_OVER)
        auth_tick(l, now_us);
    if (l->state != LAN_OVER)
        wait_tick(l, now_us);
    if (l->state != LAN_OVER && l->held_us != 0 && now_us >= l->held_us)
        go_on(l, now_us);
    if (l->state != LAN_OVER && l->opt.silence_us > 0 && l->held_us == 0 &&
        now_us >= l->heard_us + l->opt.silence_us)
        link_close(l, "it has said nothing for too long");
    if (l->state == LAN_OVER)
        half_drop(l);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t lan_link_deadline(const struct lan_link *l)
{
    if (l->state == LAN_OVER)
        return 0;
    return least(least(l->auth_due_us, wait_deadline(l)),
        l->held_us == LAN_HELD      ? 0
            : l->held_us != 0       ? l->held_us
            : l->opt.silence_us > 0 ? l->heard_us + l->opt.silence_us
                                    : 0);
}

/* ---- questions ---- */

int lan_link_uuid(struct lan_link *l, char out[LAN_UUID_LEN + 1])
{
    return lan_uuid(l->opt.protocol, out);
}

uint64_t lan_link_heard_us(const struct lan_link *l)
{
    return l->heard_us;
}

uint64_t lan_link_wall_us(const struct lan_link *l, uint64_t now_us)
{
    return wall_us(l, now_us);
}

size_t lan_link_message_max(const struct lan_link *l)
{
    return l->opt.message_max;
}

bool lan_link_is_open(const struct lan_link *l)
{
    return l->state == LAN_OPEN;
}

bool lan_link_is_over(const struct lan_link *l)
{
    return l->state == LAN_OVER;
}

enum lan_dialect lan_link_dialect(const struct lan_link *l)
{
    return l->dialect;
}

bool lan_link_is_told(const struct lan_link *l)
{
    return l->is_told;
}

const char *lan_link_node(const struct lan_link *l)
{
    return l->node;
}

const char *lan_link_name(const struct lan_link *l)
{
    return l->name;
}

const char *lan_link_session(const struct lan_link *l)
{
    return l->session.len > 0 ? (const char *)l->session.ptr : "";
}
