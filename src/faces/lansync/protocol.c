#include "faces/lansync/protocol.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/plant.h"
#include "base/text.h"
#include "faces/lansync/far.h"
#include "faces/lansync/moment.h"

#define CHANCE 1024 /* bytes drawn at once: a draw costs more than they do */
#define DRAWN 8     /* bytes of a nonce; the others tell that it is ours */

struct lan_protocol {
    struct lan_protocol_options opt;
    char *id, *name;
    struct mac_key key;
    struct nonces *near;
    struct far far;
    uint8_t own[16];        /* what tells our own nonces */
    uint8_t chance[CHANCE]; /* of which the last have not been used */
    size_t chance_left;
    uint64_t ahead_us; /* the time of day, of the other clock; it may wrap */
    uint64_t begun_us; /* since then it is known what counted */
};

static int make_nonces(struct lan_protocol *p)
{
    uint64_t ahead_us = p->opt.ahead_us > 0 ? p->opt.ahead_us : p->opt.ttl_us;
    uint8_t seed[16];
    int rc = p->opt.random(p->opt.ctx, seed, sizeof seed);

    if (rc == SYNCLINE_OK)
        rc = nonces_new(&p->near, p->opt.ttl_us + ahead_us, seed);
    if (rc == SYNCLINE_OK)
        rc = p->opt.random(p->opt.ctx, p->own, sizeof p->own);
    return rc;
}

int lan_protocol_new(
    struct lan_protocol **out, const struct lan_protocol_options *opt)
{
    struct lan_protocol *p = calloc(1, sizeof *p);
    int rc;

    if (p == NULL)
        return SYNCLINE_ENOMEM;
    p->opt = *opt;
    p->opt.key = SLICE_NONE;
    if (p->opt.ttl_us == 0)
        p->opt.ttl_us = LAN_TTL_US;
    p->id = strdup(opt->node_id);
    p->name = strdup(opt->node_name);
    rc = p->id != NULL && p->name != NULL ? crypto_mac_key(&p->key, opt->key)
                                          : SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK)
        rc = make_nonces(p);
    if (rc != SYNCLINE_OK) {
        lan_protocol_free(p);
        return rc;
    }
    *out = p;
    return SYNCLINE_OK;
}

void lan_protocol_free(struct lan_protocol *p)
{
    if (p == NULL)
        return;
    nonces_free(p->near);
    far_free(&p->far);
    crypto_wipe(&p->key, sizeof p->key);
    crypto_wipe(p->chance, sizeof p->chance);
    free(p->id);
    free(p->name);
    free(p);
}

void lan_protocol_set_wall(
    struct lan_protocol *p, uint64_t wall_us, uint64_t now_us)
{
    p->ahead_us = wall_us - now_us;
    if (p->begun_us == 0)
        p->begun_us = now_us;
}

uint64_t lan_protocol_begun(const struct lan_protocol *p)
{
    return p->begun_us;
}

uint64_t lan_protocol_wall(const struct lan_protocol *p, uint64_t now_us)
{
    return now_us + p->ahead_us;
}

const char *lan_protocol_node(const struct lan_protocol *p)
{
    return p->id;
}

/* ---- making ---- */

/* Each byte is used once, and not kept. n is at most CHANCE. */
static int draw(struct lan_protocol *p, uint8_t *out, size_t n)
{
    uint8_t *from;
    int rc;

    if (p->chance_left < n) {
        rc = p->opt.random(p->opt.ctx, p->chance, CHANCE);
        if (rc != SYNCLINE_OK)
            return rc;
        p->chance_left = CHANCE;
    }
    from = p->chance + CHANCE - p->chance_left;
    memcpy(out, from, n);
    crypto_wipe(from, n);
    p->chance_left -= n;
    return SYNCLINE_OK;
}

int lan_uuid(struct lan_protocol *p, char out[LAN_UUID_LEN + 1])
{
    static const uint8_t groups[] = { 4, 2, 2, 2, 6 };
    const uint8_t *from;
    uint8_t b[16];
    int rc = draw(p, b, sizeof b);

    if (rc != SYNCLINE_OK)
        return rc;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    from = b;
    for (size_t i = 0; i < sizeof groups; i++) {
        hex_encode(out, SLICE(from, groups[i]));
        out += 2 * groups[i];
        from += groups[i];
        if (i + 1 < sizeof groups)
            *out++ = '-';
    }
    return SYNCLINE_OK;
}

/* Nothing need be remembered of what was sent to know it again. */
static void mark(const struct lan_protocol *p, uint8_t nonce[LAN_NONCE_LEN / 2])
{
    const uint64_t tag = siphash128(p->own, SLICE(nonce, DRAWN)).lo;

    for (unsigned i = 0; i < LAN_NONCE_LEN / 2 - DRAWN; i++)
        nonce[DRAWN + i] = (uint8_t)(tag >> 8 * i);
}

bool lan_protocol_made(
    const struct lan_protocol *p, const struct lan_message *m)
{
    uint8_t said[LAN_NONCE_LEN / 2], want[LAN_NONCE_LEN / 2];

    if (hex_decode(said, sizeof said, lan_text(m, LAN_NONCE)) != SYNCLINE_OK)
        return false;
    memcpy(want, said, sizeof want);
    mark(p, want);
    return crypto_equal(SLICE(said, sizeof said), SLICE(want, sizeof want));
}

static struct json text_value(struct slice key, struct slice s)
{
    return (struct json){ .type = JSON_STRING, .key = key, .s = s };
}

/* All of it lives as long as the call. */
struct parts {
    char id[LAN_UUID_LEN + 1], nonce[LAN_NONCE_LEN + 1], time[MOMENT_MAX];
    struct json vid, vtime, vnonce, payload, source, node, name;
};

static int fill(
    struct lan_protocol *p, struct parts *v, const char *id, uint64_t now_us)
{
    uint8_t nonce[LAN_NONCE_LEN / 2];
    int rc = draw(p, nonce, DRAWN);

    if (rc == SYNCLINE_OK && id == NULL)
        rc = lan_uuid(p, v->id);
    mark(p, nonce);
    hex_encode(v->nonce, SLICE(nonce, sizeof nonce));
    v->vid = text_value(SLICE_NONE, slice_str(id != NULL ? id : v->id));
    v->vtime =
        text_value(SLICE_NONE, SLICE(v->time, moment_text(v->time, now_us)));
    v->vnonce = text_value(SLICE_NONE, SLICE(v->nonce, LAN_NONCE_LEN));
    v->payload = (struct json){ .type = JSON_OBJECT };
    v->name = text_value(SLICE_LIT("node_name"), slice_str(p->name));
    v->node = text_value(SLICE_LIT("node_id"), slice_str(p->id));
    v->node.next = &v->name;
    v->source = (struct json){ .type = JSON_OBJECT, .n = 2, .first = &v->node };
    return rc;
}

int lan_protocol_put(struct lan_protocol *p, struct buf *out,
    const struct lan_draft *draft, enum lan_dialect d, uint64_t now_us)
{
    struct parts v = { .id = "" };
    const char *name = lan_type_name(draft->type);
    const struct lan_message m = { .type = draft->type,
        .name = name != NULL ? slice_str(name) : draft->name,
        .member = { [LAN_PAYLOAD] =
                        draft->payload != NULL ? draft->payload : &v.payload,
            [LAN_ID] = &v.vid,
            [LAN_TIMESTAMP] = &v.vtime,
            [LAN_NONCE] = &v.vnonce,
            [LAN_SOURCE] = &v.source,
            [LAN_DESTINATION] = draft->destination } };
    int rc = fill(p, &v, draft->id, lan_protocol_wall(p, now_us));

    if (d == LAN_UNDECIDED)
        d = LAN_SECOND;
    if (rc == SYNCLINE_OK && !draft->is_unsigned) {
        rc = lan_message_seal(out, &m, d, &p->key);
    } else if (rc == SYNCLINE_OK) {
        lan_message_put(out, &m, d, SLICE_NONE);
        rc = buf_status(out);
    }
    return rc;
}

/* ---- judging ---- */

/* What is not there at all, receivers fill in. */
static bool is_empty(const struct lan_message *m, enum lan_member which)
{
    const struct json *v = m->member[which];

    return v != NULL && v->type == JSON_STRING && v->s.len == 0;
}

static int check_members(
    const struct lan_message *m, enum lan_dialect d, struct errmsg *why)
{
    static const struct {
        enum lan_member which;
        const char *first, *second;
    } needed[] = {
        { LAN_ID, "Missing message ID", "message_id" },
        { LAN_TIMESTAMP, "Missing timestamp", "timestamp" },
        { LAN_NONCE, "Missing nonce", "nonce" },
    };
    char text[64] = "";
    size_t len = 0;

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        const char *name = needed[i].second;

        if (!is_empty(m, needed[i].which))
            continue;
        if (d == LAN_FIRST)
            return errmsg_set(why, SYNCLINE_EINVAL, "%s", needed[i].first);
        if (len > 0) {
            memcpy(text + len, ", ", 2);
            len += 2;
        }
        memcpy(text + len, name, strlen(name));
        len += strlen(name);
    }
    if (len == 0)
        return SYNCLINE_OK;
    return errmsg_set(
        why, SYNCLINE_EINVAL, "Missing required fields: %s", text);
}

static int say_expired(const struct lan_message *m, enum lan_dialect d,
    const char *first, struct errmsg *why)
{
    struct buf b = { .max = 256 };
    const struct json *v = m->member[LAN_TIMESTAMP];

    if (d == LAN_FIRST)
        return errmsg_set(why, SYNCLINE_ETIMEOUT, "%s", first);
    if (v->type == JSON_STRING && utf8_valid(v->s))
        buf_put_slice(&b, utf8_cut(v->s, 64));
    else
        json_print(&b, v, JSON_CANONICAL);
    errmsg_set(
        why, 0, "Message expired (timestamp: %.*s)", SLICE_FMT(buf_slice(&b)));
    buf_free(&b);
    return SYNCLINE_ETIMEOUT;
}

uint64_t lan_protocol_said_us(const struct lan_message *m)
{
    uint64_t at_us = 0;

    return moment_read(&at_us, lan_text(m, LAN_TIMESTAMP)) == SYNCLINE_OK
        ? at_us
        : 0;
}

int lan_protocol_expired(
    const struct lan_message *m, enum lan_dialect d, struct errmsg *why)
{
    return say_expired(m, d, "Message expired", why);
}

static int check_time(const struct lan_protocol *p, const struct lan_message *m,
    enum lan_dialect d, uint64_t now_us, uint64_t *at_us, struct errmsg *why)
{
    const struct json *v = m->member[LAN_TIMESTAMP];

    *at_us = now_us;
    if (v == NULL)
        return SYNCLINE_OK;
    if (v->type != JSON_STRING || moment_read(at_us, v->s) != SYNCLINE_OK)
        return say_expired(m, d, "Invalid timestamp format", why);
    if (now_us > *at_us && now_us - *at_us > p->opt.ttl_us)
        return say_expired(m, d, "Message expired", why);
    if (p->opt.ahead_us > 0 && *at_us > now_us &&
        *at_us - now_us > p->opt.ahead_us)
        return say_expired(m, d, "Message expired", why);
    return SYNCLINE_OK;
}

/* Clocks of any year count, if nothing else is said. */
static bool is_far(
    const struct lan_protocol *p, uint64_t at_us, uint64_t wall_us)
{
    return p->opt.ahead_us == 0 && at_us > wall_us + p->opt.ttl_us;
}

/* key: of its nonce. */
static int remember(struct lan_protocol *p, const struct lan_message *m,
    uint64_t key, uint64_t at_us, uint64_t now_us)
{
    const uint64_t wall_us = lan_protocol_wall(p, now_us);
    const uint64_t ttl_us = p->opt.ttl_us;
    struct far_message far = { at_us, key, 0 };
    int rc;

    if (far_any(&p->far, wall_us + ttl_us) && !PLANTED(R12_LAN_FAR))
        far_come(&p->far, p->near, wall_us + ttl_us,
            wall_us > ttl_us ? wall_us - ttl_us : 0, now_us);
    if (is_far(p, at_us, wall_us) || far_any(&p->far, at_us)) {
        far.node = siphash128(p->own, lan_sender(m)).lo | 1;
        if (far_has(&p->far, &far) && !PLANTED(R12_LAN_FAR))
            return SYNCLINE_EEXIST;
    }
    if (!is_far(p, at_us, wall_us))
        return nonces_see(p->near, key, at_us, now_us);
    rc = nonces_look(p->near, key, at_us);
    return rc == SYNCLINE_OK ? far_see(&p->far, &far) : rc;
}

static int check_replay(struct lan_protocol *p, const struct lan_message *m,
    enum lan_dialect d, uint64_t key, uint64_t at_us, uint64_t now_us,
    struct errmsg *why)
{
    int rc = remember(p, m, key, at_us, now_us);

    if (rc == SYNCLINE_ELIMIT)
        return errmsg_set(why, rc, "Too many messages%s",
            is_far(p, at_us, lan_protocol_wall(p, now_us))
                ? " of clocks that are far ahead"
                : "");
    if (rc == SYNCLINE_ETIMEOUT)
        return say_expired(m, d, "Message expired", why);
    if (rc != SYNCLINE_EEXIST)
        return rc;
    if (PLANTED(R12_LAN_AGAIN))
        return SYNCLINE_OK;
    if (d == LAN_FIRST)
        return errmsg_set(why, rc, "Possible replay attack detected");
    return errmsg_set(why, rc, "Possible replay attack detected (nonce: %.*s)",
        SLICE_FMT(utf8_cut(lan_text(m, LAN_NONCE), 64)));
}

/* Whoever makes up what is missing has signed something else. */
static bool is_whole(const struct lan_message *m)
{
    return lan_text(m, LAN_ID).len > 0 && lan_text(m, LAN_NONCE).len > 0 &&
        m->member[LAN_TIMESTAMP] != NULL;
}

int lan_protocol_judge(struct lan_protocol *p, const struct lan_message *m,
    bool needs_signature, uint64_t now_us, enum lan_dialect *d, bool *is_signed,
    struct errmsg *why)
{
    enum lan_dialect tongue = *d != LAN_UNDECIDED ? *d : m->looks, found;
    uint64_t at_us, key;
    int rc = check_members(m, tongue, why);

    *is_signed = false;
    if (rc == SYNCLINE_OK)
        rc =
            check_time(p, m, tongue, lan_protocol_wall(p, now_us), &at_us, why);
    if (rc != SYNCLINE_OK)
        return rc;
    if (lan_text(m, LAN_SIGNATURE).len == 0)
        return needs_signature
            ? errmsg_set(why, SYNCLINE_ENOTFOUND, "Message not signed")
            : SYNCLINE_OK;
    key = nonces_key(p->near, lan_text(m, LAN_NONCE));
    found = LAN_UNDECIDED;
    if (is_whole(m))
        rc = lan_message_verify(&found, m, *d, &p->key);
    if (rc != SYNCLINE_OK)
        return rc;
    if (found == LAN_UNDECIDED)
        return needs_signature
            ? errmsg_set(why, SYNCLINE_EDENIED, "Invalid message signature")
            : SYNCLINE_OK;
    *d = found;
    *is_signed = true;
    return check_replay(p, m, tongue, key, at_us, now_us, why);
}

int lan_protocol_check(struct lan_protocol *p, const struct lan_message *m,
    bool needs_signature, uint64_t now_us, enum lan_dialect *d,
    struct errmsg *why)
{
    bool is_signed;

    return lan_protocol_judge(
        p, m, needs_signature, now_us, d, &is_signed, why);
}
