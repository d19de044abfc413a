#include "faces/lansync/message.h"

#include "base/text.h"

/* With its length, so that it need not be counted for each message. */
struct name {
    const char *text;
    size_t len;
};

#define NAME(s)          \
    {                    \
        s, sizeof(s) - 1 \
    }

static const struct name members[LAN_MEMBERS] = {
    [LAN_TYPE] = NAME("message_type"),
    [LAN_PAYLOAD] = NAME("payload"),
    [LAN_ID] = NAME("message_id"),
    [LAN_TIMESTAMP] = NAME("timestamp"),
    [LAN_NONCE] = NAME("nonce"),
    [LAN_SIGNATURE] = NAME("signature"),
    [LAN_SOURCE] = NAME("source"),
    [LAN_DESTINATION] = NAME("destination"),
};

static const struct name types[LAN_TYPES] = {
    [LAN_DISCOVERY_BROADCAST] = NAME("DISCOVERY_BROADCAST"),
    [LAN_DISCOVERY_RESPONSE] = NAME("DISCOVERY_RESPONSE"),
    [LAN_AUTH_REQUEST] = NAME("AUTH_REQUEST"),
    [LAN_AUTH_RESPONSE] = NAME("AUTH_RESPONSE"),
    [LAN_AUTH_CHALLENGE] = NAME("AUTH_CHALLENGE"),
    [LAN_SYNC_REQUEST] = NAME("SYNC_REQUEST"),
    [LAN_SYNC_RESPONSE] = NAME("SYNC_RESPONSE"),
    [LAN_SYNC_DATA] = NAME("SYNC_DATA"),
    [LAN_SYNC_ACK] = NAME("SYNC_ACK"),
    [LAN_SYNC_COMPLETE] = NAME("SYNC_COMPLETE"),
    [LAN_HEARTBEAT] = NAME("HEARTBEAT"),
    [LAN_ERROR] = NAME("ERROR"),
};

static struct slice slice_of(const struct name *n)
{
    return SLICE(n->text, n->len);
}

/* In the order of their names, as signed bytes have them. */
static const enum lan_member sorted[] = { LAN_DESTINATION, LAN_ID, LAN_TYPE,
    LAN_NONCE, LAN_PAYLOAD, LAN_SOURCE, LAN_TIMESTAMP };

#define SORTED_N (sizeof sorted / sizeof sorted[0])

const char *lan_type_name(enum lan_type type)
{
    return types[type].text;
}

enum lan_type lan_type_of(struct slice name)
{
    int i = 1;

    while (i < LAN_TYPES && !slice_eq(name, slice_of(&types[i])))
        i++;
    return i < LAN_TYPES ? (enum lan_type)i : LAN_OTHER;
}

/* ---- reading ---- */

/* The second generation takes a number, too, and one written in digits. */
static int number_of(const struct json *v)
{
    int n = 0;

    if (v->type == JSON_INT)
        return v->i > 0 && v->i < LAN_TYPES ? (int)v->i : 0;
    if (v->type != JSON_STRING || v->s.len == 0 || v->s.len > 2)
        return 0;
    for (size_t i = 0; i < v->s.len; i++) {
        if (v->s.ptr[i] < '0' || v->s.ptr[i] > '9')
            return 0;
        n = 10 * n + (v->s.ptr[i] - '0');
    }
    return n < LAN_TYPES ? n : 0;
}

static int take_type(
    struct lan_message *out, const struct json *v, struct errmsg *why)
{
    int n;

    if (v == NULL)
        return errmsg_set(why, SYNCLINE_EINVAL, "it has no message_type");
    n = number_of(v);
    if (n > 0) {
        out->type = (enum lan_type)n;
        out->name = slice_of(&types[n]);
    } else if (v->type == JSON_STRING && v->s.len > 0) {
        out->type = lan_type_of(v->s);
        out->name = v->s;
    } else {
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "message_type: no name and no number");
    }
    return SYNCLINE_OK;
}

static void take_members(struct lan_message *out, const struct json *v)
{
    out->looks = LAN_SECOND;
    for (const struct json *m = v->first; m != NULL; m = m->next) {
        int i = 0;

        while (i < LAN_MEMBERS && !slice_eq(m->key, slice_of(&members[i])))
            i++;
        if (i == LAN_MEMBERS)
            out->is_odd = true;
        else if (m->type != JSON_NULL)
            out->member[i] = m;
        else if (i == LAN_SIGNATURE || i == LAN_DESTINATION)
            out->looks = LAN_FIRST;
    }
}

int lan_message_read(struct lan_message *out, struct slice text,
    struct arena *a, struct errmsg *why)
{
    struct json *v = NULL;
    bool doubled = false;
    int rc = json_parse_noting(&v, text, JSON_MESSAGE, a, why, &doubled);

    *out = (struct lan_message){
        .type = LAN_OTHER, .text = text, .is_doubled = doubled
    };
    if (rc != SYNCLINE_OK)
        return rc;
    if (v->type != JSON_OBJECT)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "no object");
    take_members(out, v);
    rc = take_type(out, out->member[LAN_TYPE], why);
    v = (struct json *)out->member[LAN_PAYLOAD];
    if (rc == SYNCLINE_OK && (v == NULL || v->type != JSON_OBJECT)) {
        out->member[LAN_PAYLOAD] = json_new(a, JSON_OBJECT);
        if (out->member[LAN_PAYLOAD] == NULL)
            return SYNCLINE_ENOMEM;
    }
    return rc;
}

struct slice lan_text(const struct lan_message *m, enum lan_member which)
{
    const struct json *v = m->member[which];

    return v != NULL && v->type == JSON_STRING ? v->s : SLICE_NONE;
}

struct slice lan_payload_text(const struct lan_message *m, const char *key)
{
    return json_get_str(m->member[LAN_PAYLOAD], key);
}

/* Is it a part of the text, and not of what was made of escapes? */
static bool is_within(struct slice text, struct slice s)
{
    return (uintptr_t)s.ptr >= (uintptr_t)text.ptr &&
        (uintptr_t)s.ptr + s.len <= (uintptr_t)text.ptr + text.len;
}

/* Behind the last brace before at. */
static const uint8_t *brace_before(const uint8_t *at)
{
    while (at[-1] != '}')
        at--;
    return at;
}

/* Between its key and what follows it are spaces, a colon and a comma. */
struct slice lan_payload_said(const struct lan_message *m)
{
    const struct json *v = m->member[LAN_PAYLOAD];
    const uint8_t *at, *end;

    if (m->is_doubled || v->key.len == 0 || !is_within(m->text, v->key) ||
        (v->next != NULL && !is_within(m->text, v->next->key)))
        return SLICE_NONE;
    at = v->key.ptr + v->key.len;
    while (*at != '{')
        at++;
    end = v->next != NULL ? v->next->key.ptr
                          : brace_before(m->text.ptr + m->text.len) - 1;
    return SLICE(at, (size_t)(brace_before(end) - at));
}

struct slice lan_sender(const struct lan_message *m)
{
    return json_get_str(m->member[LAN_SOURCE], "node_id");
}

/* ---- writing ---- */

static void put_value(struct buf *b, const struct lan_message *m,
    enum lan_member which, enum json_style style)
{
    if (which == LAN_TYPE)
        json_print_string(b, m->name, style != JSON_CANONICAL);
    else if (m->member[which] != NULL)
        json_print(b, m->member[which], style);
    else
        buf_put_str(b, "null");
}

/* before: '{' or ','. */
static void put_name(
    struct buf *b, char before, enum lan_member which, bool spaced)
{
    const struct slice name = slice_of(&members[which]);
    uint8_t *to = buf_reserve(b, name.len + 6), *at = to;

    if (to == NULL)
        return;
    *at++ = (uint8_t)before;
    if (spaced && before == ',')
        *at++ = ' ';
    *at++ = '"';
    memcpy(at, name.ptr, name.len);
    at += name.len;
    *at++ = '"';
    *at++ = ':';
    if (spaced)
        *at++ = ' ';
    b->len += (size_t)(at - to);
}

void lan_message_put_signed(
    struct buf *b, const struct lan_message *m, enum lan_dialect d)
{
    const bool first = d == LAN_FIRST;
    char between = '{';

    for (size_t i = 0; i < SORTED_N; i++) {
        if (m->member[sorted[i]] == NULL && sorted[i] != LAN_TYPE && !first)
            continue;
        put_name(b, between, sorted[i], first);
        put_value(b, m, sorted[i], first ? JSON_SORTED_PLAIN : JSON_CANONICAL);
        between = ',';
    }
    buf_put_u8(b, '}');
}

static void put_member(struct buf *b, const struct lan_message *m,
    enum lan_member which, struct slice signature)
{
    put_name(b, which == LAN_TYPE ? '{' : ',', which, true);
    if (which == LAN_SIGNATURE && signature.ptr != NULL)
        json_print_string(b, signature, true);
    else if (which == LAN_SIGNATURE)
        buf_put_str(b, "null");
    else
        put_value(b, m, which, JSON_PLAIN);
}

/* Of the frame that begins there. */
static void set_len(struct buf *b, size_t at)
{
    const size_t len = b->len - at - LAN_FRAME_HEAD;

    for (unsigned i = 0; i < LAN_FRAME_HEAD; i++)
        b->ptr[at + i] = (uint8_t)(len >> (24 - 8 * i));
}

void lan_message_put(struct buf *b, const struct lan_message *m,
    enum lan_dialect d, struct slice signature)
{
    const size_t at = b->len;

    buf_put(b, "\0\0\0\0", LAN_FRAME_HEAD);
    for (int i = 0; i < LAN_MEMBERS; i++) {
        bool is_there = i == LAN_TYPE ||
            (i == LAN_SIGNATURE ? signature.ptr != NULL : m->member[i] != NULL);

        if (is_there || d == LAN_FIRST)
            put_member(b, m, (enum lan_member)i, signature);
    }
    buf_put_u8(b, '}');
    if (buf_status(b) == SYNCLINE_OK)
        set_len(b, at);
}

uint32_t lan_frame_len(const uint8_t head[LAN_FRAME_HEAD])
{
    return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 |
        (uint32_t)head[2] << 8 | (uint32_t)head[3];
}

/* ---- signatures ---- */

static int mac_of(uint8_t out[SHA256_LEN], const struct lan_message *m,
    enum lan_dialect d, const struct mac_key *key)
{
    struct buf b = { 0 };
    struct slice text;
    int rc;

    (void)buf_reserve(&b, m->text.len);
    lan_message_put_signed(&b, m, d);
    rc = buf_status(&b);
    text = buf_slice(&b);
    if (rc == SYNCLINE_OK)
        rc = crypto_mac(out, key, &text, 1);
    buf_free(&b);
    return rc;
}

int lan_message_sign(char out[LAN_SIGNATURE_LEN + 1],
    const struct lan_message *m, enum lan_dialect d, const struct mac_key *key)
{
    uint8_t mac[SHA256_LEN];
    int rc = mac_of(mac, m, d, key);

    if (rc == SYNCLINE_OK)
        hex_encode(out, SLICE(mac, sizeof mac));
    return rc;
}

/* What is signed, with the signature before its last brace. */
static int seal_second(
    struct buf *b, const struct lan_message *m, const struct mac_key *key)
{
    const size_t at = b->len;
    uint8_t mac[SHA256_LEN];
    char hex[LAN_SIGNATURE_LEN + 1];
    struct slice text;
    int rc;

    buf_put(b, "\0\0\0\0", LAN_FRAME_HEAD);
    lan_message_put_signed(b, m, LAN_SECOND);
    rc = buf_status(b);
    if (rc != SYNCLINE_OK)
        return rc;
    text = slice_from(buf_slice(b), at + LAN_FRAME_HEAD);
    rc = crypto_mac(mac, key, &text, 1);
    if (rc != SYNCLINE_OK)
        return rc;
    hex_encode(hex, SLICE(mac, sizeof mac));
    b->len--;
    put_name(b, ',', LAN_SIGNATURE, false);
    buf_put_u8(b, '"');
    buf_put(b, hex, LAN_SIGNATURE_LEN);
    buf_put_str(b, "\"}");
    rc = buf_status(b);
    if (rc == SYNCLINE_OK)
        set_len(b, at);
    return rc;
}

int lan_message_seal(struct buf *b, const struct lan_message *m,
    enum lan_dialect d, const struct mac_key *key)
{
    char signature[LAN_SIGNATURE_LEN + 1];
    int rc;

    if (d != LAN_FIRST)
        return seal_second(b, m, key);
    rc = lan_message_sign(signature, m, d, key);
    if (rc != SYNCLINE_OK)
        return rc;
    lan_message_put(b, m, d, SLICE(signature, LAN_SIGNATURE_LEN));
    return buf_status(b);
}

/* Is it said as the second dialect is signed, as by lan_message_seal? Then
 * nothing need be printed to check it. What is signed is all before the last
 * member, and the brace behind it. */
static bool is_sealed(const struct lan_message *m, size_t *before)
{
    static const char head[] = ",\"signature\":\"";
    const size_t tail = LAN_SIGNATURE_LEN + 2;
    const struct slice text = m->text, said = lan_text(m, LAN_SIGNATURE);
    const uint8_t *colon;

    if (said.len != LAN_SIGNATURE_LEN || m->looks != LAN_SECOND ||
        text.len < sizeof head + tail || said.ptr != text.ptr + text.len - tail)
        return false;
    *before = text.len - tail - (sizeof head - 1);
    colon = memchr(text.ptr, ':', *before);
    return colon != NULL && colon[1] != ' ' &&
        memcmp(text.ptr + *before, head, sizeof head - 1) == 0;
}

int lan_message_verify(enum lan_dialect *out, const struct lan_message *m,
    enum lan_dialect likely, const struct mac_key *key)
{
    const struct slice said = lan_text(m, LAN_SIGNATURE);
    const enum lan_dialect first = likely != LAN_UNDECIDED ? likely : m->looks;
    const enum lan_dialect order[] = { first,
        first == LAN_FIRST ? LAN_SECOND : LAN_FIRST };
    uint8_t mac[SHA256_LEN];
    size_t before;
    int rc;

    *out = LAN_UNDECIDED;
    if (is_sealed(m, &before)) {
        const struct slice parts[] = { SLICE(m->text.ptr, before),
            SLICE_LIT("}") };

        rc = crypto_mac(mac, key, parts, 2);
        if (rc == SYNCLINE_OK && hex_is(said, SLICE(mac, sizeof mac)))
            *out = LAN_SECOND;
        if (rc != SYNCLINE_OK || *out != LAN_UNDECIDED)
            return rc;
    }
    for (size_t i = 0; i < 2 && said.len == LAN_SIGNATURE_LEN; i++) {
        rc = mac_of(mac, m, order[i], key);
        if (rc == SYNCLINE_EINVAL || rc == SYNCLINE_EMALFORMED)
            continue; /* that dialect cannot say it */
        if (rc != SYNCLINE_OK)
            return rc;
        if (hex_is(said, SLICE(mac, sizeof mac))) {
            *out = order[i];
            break;
        }
    }
    return SYNCLINE_OK;
}
