/* The published examples of LAN sync, byte for byte, and the laws of its
 * messages. The examples lie in test/vectors/lan_sync.json and are taken in
 * while building. */
#include "faces/lansync/protocol.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "faces/lansync/discovery.h"
#include "faces/lansync/moment.h"
#include "faces/lansync/nonces.h"
#include "faces/lansync/token.h"
#include "unit/check.h"

__asm__(".section .rodata\n"
        "lan_vectors:\n    .incbin \"" LAN_VECTORS "\"\n"
        "lan_vectors_end:\n    .byte 0\n"
        ".previous\n");
extern const uint8_t lan_vectors[] __attribute__((visibility("hidden")));
extern const uint8_t lan_vectors_end[] __attribute__((visibility("hidden")));

#define SEC UINT64_C(1000000)
#define NOW_US (UINT64_C(1795176000) * SEC) /* 2026-11-20T12:00:00 */

static struct json *all(struct arena *a)
{
    struct json *v = NULL;

    CHECK_OK(json_parse(&v,
        SLICE(lan_vectors, (size_t)(lan_vectors_end - lan_vectors)),
        JSON_TOLERANT, a, NULL));
    CHECK(v->type == JSON_ARRAY && v->n == 17);
    return v;
}

static struct json *vector(struct arena *a, const char *id)
{
    struct json *v = all(a)->first;

    while (v != NULL && !slice_is(json_get_str(v, "id"), id))
        v = v->next;
    CHECK_SAYING(v != NULL, "no vector %s", id);
    return v;
}

static enum lan_dialect dialect_of(const struct json *row)
{
    return slice_is(json_get_str(row, "dialect"), "v1") ? LAN_FIRST
                                                        : LAN_SECOND;
}

static enum lan_dialect other(enum lan_dialect d)
{
    return d == LAN_FIRST ? LAN_SECOND : LAN_FIRST;
}

/* ---- bytes ---- */

/* What we send: of the second generation what is signed, and the signature. */
static void check_sealed(const struct lan_message *m, enum lan_dialect d,
    const struct mac_key *key, struct slice signature)
{
    struct buf sealed = { 0 }, want = { 0 };

    buf_put_str(&sealed, "before");
    CHECK_OK(lan_message_seal(&sealed, m, d, key));
    if (d == LAN_FIRST) {
        lan_message_put(&want, m, d, signature);
    } else {
        buf_put(&want, "\0\0\0\0", LAN_FRAME_HEAD);
        lan_message_put_signed(&want, m, d);
        want.len--;
        buf_printf(&want, ",\"signature\":\"%.*s\"}", SLICE_FMT(signature));
        want.ptr[2] = (uint8_t)((want.len - LAN_FRAME_HEAD) >> 8);
        want.ptr[3] = (uint8_t)(want.len - LAN_FRAME_HEAD);
    }
    CHECK_BYTES(slice_from(buf_slice(&sealed), 6), buf_slice(&want));
    buf_free(&sealed);
    buf_free(&want);
}

static void check_vector(const struct json *v, struct arena *a)
{
    const enum lan_dialect d = dialect_of(v);
    struct buf signed_bytes = { 0 }, frame = { 0 }, hex = { 0 };
    char signature[LAN_SIGNATURE_LEN + 1];
    enum lan_dialect found;
    struct lan_message m;
    struct mac_key key;

    CHECK_OK(crypto_mac_key(&key, json_get_str(v, "key_utf8")));
    CHECK_OK(lan_message_read(&m, json_get_str(v, "wire_body_utf8"), a, NULL));
    CHECK(m.looks == d);
    lan_message_put_signed(&signed_bytes, &m, d);
    CHECK_BYTES(buf_slice(&signed_bytes), json_get_str(v, "signed_bytes_utf8"));
    CHECK_OK(lan_message_sign(signature, &m, d, &key));
    CHECK_BYTES(slice_str(signature), json_get_str(v, "hmac_sha256_hex"));
    CHECK_OK(lan_message_verify(&found, &m, other(d), &key));
    CHECK(found == d);
    lan_message_put(&frame, &m, d, slice_str(signature));
    put_hex(&hex, buf_slice(&frame));
    CHECK_BYTES(buf_slice(&hex), json_get_str(v, "frame_hex"));
    CHECK_UINT(lan_frame_len(frame.ptr), frame.len - LAN_FRAME_HEAD);
    check_sealed(&m, d, &key, slice_str(signature));
    buf_free(&signed_bytes);
    buf_free(&frame);
    buf_free(&hex);
}

TEST(signed_bytes_and_frames_of_both_dialects)
{
    struct arena a = { 0 };
    unsigned n = 0;

    for (struct json *v = all(&a)->first; v != NULL; v = v->next)
        if (slice_is(json_get_str(v, "kind"), "hmac-message")) {
            check_vector(v, &a);
            n++;
        }
    CHECK_UINT(n, 8);
    arena_free(&a);
}

TEST(values_as_python_prints_them)
{
    struct arena a = { 0 };
    const struct json *rows = json_get(vector(&a, "T.canon.table"), "rows");
    unsigned n = 0;

    for (const struct json *r = rows->first; r != NULL; r = r->next, n++) {
        struct buf b = { 0 };
        struct json *v = NULL;

        CHECK_OK(
            json_parse(&v, json_get_str(r, "v1"), JSON_TOLERANT, &a, NULL));
        json_print(&b, v, JSON_SORTED_PLAIN);
        CHECK_BYTES(buf_slice(&b), json_get_str(r, "v1"));
        buf_clear(&b);
        json_print(&b, v, JSON_CANONICAL);
        CHECK_BYTES(buf_slice(&b), json_get_str(r, "v2"));
        CHECK_OK(
            json_parse(&v, json_get_str(r, "v2"), JSON_TOLERANT, &a, NULL));
        buf_clear(&b);
        json_print(&b, v, JSON_SORTED_PLAIN);
        CHECK_BYTES(buf_slice(&b), json_get_str(r, "v1"));
        buf_free(&b);
    }
    CHECK_UINT(n, 32);
    arena_free(&a);
}

TEST(numbers_of_types)
{
    struct arena a = { 0 };
    const struct json *v =
        json_get(vector(&a, "T.message_type.enum"), "values");
    unsigned n = 0;

    for (const struct json *m = v->first; m != NULL; m = m->next, n++) {
        CHECK_UINT(lan_type_of(m->key), (unsigned)m->i);
        CHECK_SLICE(m->key, lan_type_name((enum lan_type)m->i));
    }
    CHECK_UINT(n, LAN_TYPES - 1);
    arena_free(&a);
}

static struct lan_message read_type(struct arena *a, const char *type)
{
    struct lan_message m;
    struct buf b = { 0 };

    buf_printf(&b, "{\"message_type\":%s,\"payload\":[1],\"own\":2}", type);
    CHECK_OK(lan_message_read(&m, arena_dup(a, buf_slice(&b)), a, NULL));
    buf_free(&b);
    return m;
}

TEST(types_as_numbers_names_and_of_ones_own)
{
    struct arena a = { 0 };
    struct lan_message m = read_type(&a, "11");

    CHECK(m.type == LAN_HEARTBEAT && slice_is(m.name, "HEARTBEAT"));
    CHECK(m.member[LAN_PAYLOAD]->type == JSON_OBJECT);
    m = read_type(&a, "\"11\"");
    CHECK(m.type == LAN_HEARTBEAT && slice_is(m.name, "HEARTBEAT"));
    m = read_type(&a, "\"MODEL_UPDATE\"");
    CHECK(m.type == LAN_OTHER && slice_is(m.name, "MODEL_UPDATE"));
    CHECK_INT(lan_message_read(&m, SLICE_LIT("{}"), &a, NULL), SYNCLINE_EINVAL);
    CHECK_INT(
        lan_message_read(&m, SLICE_LIT("[]"), &a, NULL), SYNCLINE_EMALFORMED);
    CHECK_INT(lan_message_read(&m, SLICE_NONE, &a, NULL), SYNCLINE_EMALFORMED);
    CHECK_INT(
        lan_message_read(&m, SLICE_LIT("{\"message_type\":13}"), &a, NULL),
        SYNCLINE_EMALFORMED);
    arena_free(&a);
}

/* ---- what counts ---- */

static int count_up(void *ctx, uint8_t *out, size_t n)
{
    unsigned char *next = ctx;

    for (size_t i = 0; i < n; i++)
        out[i] = (*next)++;
    return SYNCLINE_OK;
}

static struct lan_protocol *node(unsigned char *seed, uint64_t ahead_us)
{
    const struct lan_protocol_options opt = { .node_id = "node-1",
        .node_name = "N\xc3\xb6"
                     "de",
        .key = SLICE_LIT("test-secret-key-1234567890123456"),
        .ahead_us = ahead_us,
        .ctx = seed,
        .random = count_up };
    struct lan_protocol *p = NULL;

    CHECK_OK(lan_protocol_new(&p, &opt));
    return p;
}

/* A message made by p, as the other side reads it. */
static struct lan_message made(struct lan_protocol *p, struct arena *a,
    enum lan_dialect d, bool is_unsigned, uint64_t now_us)
{
    const struct lan_draft draft = { .type = LAN_SYNC_DATA,
        .is_unsigned = is_unsigned };
    struct buf b = { 0 };
    struct lan_message m;

    CHECK_OK(lan_protocol_put(p, &b, &draft, d, now_us));
    CHECK_OK(lan_message_read(
        &m, arena_dup(a, slice_from(buf_slice(&b), LAN_FRAME_HEAD)), a, NULL));
    buf_free(&b);
    return m;
}

static struct json *text(struct arena *a, const char *s)
{
    return json_new_str(a, slice_str(s));
}

/* "<nonce>" stands for the message's own. */
static void check_reason(
    struct slice got, struct slice want, struct slice nonce)
{
    struct slice mark = SLICE_LIT("<nonce>");
    struct buf b = { 0 };

    for (size_t i = 0; i < want.len;) {
        if (slice_has_prefix(slice_from(want, i), mark)) {
            buf_put_slice(&b, nonce);
            i += mark.len;
        } else {
            buf_put_u8(&b, want.ptr[i++]);
        }
    }
    CHECK_BYTES(got, buf_slice(&b));
    buf_free(&b);
}

static void check_validation(const struct json *row)
{
    const enum lan_dialect d = dialect_of(row);
    struct slice name = json_get_str(row, "case");
    const struct json *want = json_get(row, "result")->first;
    unsigned char seed = 0;
    struct lan_protocol *p = node(&seed, 0);
    struct arena a = { 0 };
    struct errmsg why = { "" };
    enum lan_dialect spoken = d;
    struct lan_message m = made(p, &a, d, slice_is(name, "unsigned"), NOW_US);
    char upper[LAN_SIGNATURE_LEN + 1];
    int rc;

    if (slice_is(name, "wrong key"))
        m.member[LAN_SIGNATURE] = text(&a,
            "00112233445566778899aabbccddeeff"
            "00112233445566778899aabbccddeeff");
    if (slice_is(name, "uppercase hex signature")) {
        memcpy(upper, lan_text(&m, LAN_SIGNATURE).ptr, LAN_SIGNATURE_LEN);
        for (size_t i = 0; i < LAN_SIGNATURE_LEN; i++)
            if (upper[i] >= 'a')
                upper[i] = (char)(upper[i] - 'a' + 'A');
        upper[LAN_SIGNATURE_LEN] = 0;
        m.member[LAN_SIGNATURE] = text(&a, upper);
    }
    if (slice_is(name, "empty nonce"))
        m.member[LAN_NONCE] = text(&a, "");
    if (slice_is(name, "same nonce again"))
        CHECK_OK(lan_protocol_check(p, &m, true, NOW_US, &spoken, &why));
    if (want->type == JSON_STRING) { /* a bad signature comes first */
        struct lan_message bad = m;

        bad.member[LAN_SIGNATURE] = text(&a, "bad");
        CHECK_INT(lan_protocol_check(p, &bad, true, NOW_US, &spoken, &why),
            SYNCLINE_EDENIED);
        CHECK_BYTES(slice_str(why.text), want->s);
        want = want->next;
    }
    why.text[0] = 0;
    rc = lan_protocol_check(p, &m, true, NOW_US, &spoken, &why);
    CHECK_INT(rc == SYNCLINE_OK, want->type == JSON_TRUE);
    check_reason(slice_str(why.text), want->next->s, lan_text(&m, LAN_NONCE));
    lan_protocol_free(p);
    arena_free(&a);
}

/* The first generation uses a nonce up by a message that somebody else has
 * signed; here none does, as the second has it. */
TEST(why_a_message_does_not_count)
{
    struct arena a = { 0 };
    const struct json *rows = json_get(vector(&a, "T.validate"), "rows");
    unsigned n = 0;

    for (const struct json *r = rows->first; r != NULL; r = r->next) {
        if (dialect_of(r) == LAN_FIRST &&
            json_get(r, "result")->first->type == JSON_STRING)
            continue;
        check_validation(r);
        n++;
    }
    CHECK_UINT(n, 13);
    arena_free(&a);
}

TEST(times_that_count)
{
    struct arena a = { 0 };
    const struct json *rows = json_get(vector(&a, "T.expiry"), "rows");
    unsigned char seed = 0;
    unsigned n = 0;

    for (const struct json *r = rows->first; r != NULL; r = r->next, n++) {
        struct lan_protocol *p = node(&seed, 0);
        enum lan_dialect d = dialect_of(r);
        struct lan_message m = made(p, &a, d, true, NOW_US);
        struct errmsg why = { "" };

        m.member[LAN_TIMESTAMP] = json_get(r, "timestamp");
        CHECK_INT(
            lan_protocol_check(p, &m, false, NOW_US, &d, &why) == SYNCLINE_OK,
            json_get_bool(r, "valid", false));
        CHECK_BYTES(slice_str(why.text), json_get_str(r, "reason"));
        lan_protocol_free(p);
    }
    CHECK_UINT(n, 32);
    arena_free(&a);
}

/* A clock may run ahead by so much as was said and no more. */
TEST(a_clock_that_is_ahead)
{
    unsigned char seed = 0;
    struct lan_protocol *p = node(&seed, 60 * SEC);
    struct arena a = { 0 };
    enum lan_dialect d = LAN_UNDECIDED;
    struct lan_message m = made(p, &a, LAN_SECOND, false, NOW_US + 60 * SEC);

    CHECK_OK(lan_protocol_check(p, &m, true, NOW_US, &d, NULL));
    CHECK(d == LAN_SECOND);
    /* It is known for as long as its time counts. */
    CHECK_INT(lan_protocol_check(p, &m, true, NOW_US + 119 * SEC, &d, NULL),
        SYNCLINE_EEXIST);
    CHECK_INT(lan_protocol_check(p, &m, true, NOW_US + 121 * SEC, &d, NULL),
        SYNCLINE_ETIMEOUT);
    m = made(p, &a, LAN_SECOND, false, NOW_US + 61 * SEC);
    CHECK_INT(
        lan_protocol_check(p, &m, true, NOW_US, &d, NULL), SYNCLINE_ETIMEOUT);
    lan_protocol_free(p);
    arena_free(&a);
}

/* Where clocks of any year count, a message of a far one is never new twice. */
TEST(a_clock_of_a_far_year)
{
    unsigned char seed = 0;
    struct lan_protocol *p = node(&seed, 0);
    struct arena a = { 0 };
    enum lan_dialect d = LAN_UNDECIDED;
    struct lan_message m = made(p, &a, LAN_FIRST, false, NOW_US + 900000 * SEC);

    CHECK_OK(lan_protocol_check(p, &m, true, NOW_US, &d, NULL));
    CHECK(d == LAN_FIRST);
    CHECK_INT(lan_protocol_check(p, &m, true, NOW_US + 800000 * SEC, &d, NULL),
        SYNCLINE_EEXIST);
    /* Nor when its time has come. */
    CHECK_INT(lan_protocol_check(p, &m, true, NOW_US + 900000 * SEC, &d, NULL),
        SYNCLINE_EEXIST);
    CHECK_INT(lan_protocol_check(p, &m, true, NOW_US + 900059 * SEC, &d, NULL),
        SYNCLINE_EEXIST);
    lan_protocol_free(p);
    arena_free(&a);
}

/* A signature over less than all that tells one message from another would
 * count again and again. */
TEST(a_signed_message_without_a_nonce)
{
    unsigned char seed = 0;
    struct lan_protocol *p = node(&seed, 0);
    struct arena a = { 0 };
    enum lan_dialect d = LAN_SECOND;
    struct lan_message m = made(p, &a, d, false, NOW_US);
    char signature[LAN_SIGNATURE_LEN + 1];
    struct mac_key key;

    CHECK_OK(
        crypto_mac_key(&key, SLICE_LIT("test-secret-key-1234567890123456")));
    m.member[LAN_NONCE] = NULL;
    CHECK_OK(lan_message_sign(signature, &m, d, &key));
    m.member[LAN_SIGNATURE] = text(&a, signature);
    CHECK_INT(
        lan_protocol_check(p, &m, true, NOW_US, &d, NULL), SYNCLINE_EDENIED);
    lan_protocol_free(p);
    arena_free(&a);
}

TEST(a_uuid_says_its_version)
{
    unsigned char seed = 0xf0;
    struct lan_protocol *p = node(&seed, 0);
    char id[LAN_UUID_LEN + 1];

    seed = 0xf0;
    CHECK_OK(lan_uuid(p, id));
    CHECK_SLICE(slice_str(id), "f0f1f2f3-f4f5-46f7-b8f9-fafbfcfdfeff");
    lan_protocol_free(p);
}

TEST(nonces_are_known_for_a_window)
{
    static const uint8_t seed[16] = { 1 };
    struct nonces *n = NULL;

    CHECK_OK(nonces_new(&n, 60 * SEC, seed));
    for (uint32_t i = 0; i < 5000; i++)
        CHECK_OK(nonces_see(
            n, nonces_key(n, SLICE(&i, sizeof i)), NOW_US + i, NOW_US + i));
    for (uint32_t i = 0; i < 5000; i++)
        CHECK_INT(nonces_see(n, nonces_key(n, SLICE(&i, sizeof i)),
                      NOW_US + i + 60 * SEC - 1, NOW_US + i + 60 * SEC - 1),
            SYNCLINE_EEXIST);
    for (uint32_t i = 0; i < 5000; i++)
        CHECK_OK(nonces_see(n, nonces_key(n, SLICE(&i, sizeof i)),
            NOW_US + 200 * SEC, NOW_US + 200 * SEC));
    nonces_free(n);
}

TEST(memory_that_runs_out_takes_no_message_twice)
{
    for (long k = 0;; k++) {
        static const uint8_t seed[16] = { 1 };
        struct nonces *n = NULL;
        uint32_t seen = 0;
        int rc;

        check_alloc_fail_from(k);
        rc = nonces_new(&n, 60 * SEC, seed);
        for (uint32_t i = 0; i < 600 && rc == SYNCLINE_OK; i++) {
            rc = nonces_see(
                n, nonces_key(n, SLICE(&i, sizeof i)), NOW_US, NOW_US);
            seen += rc == SYNCLINE_OK;
        }
        for (uint32_t i = 0; i < seen; i++)
            CHECK_INT(nonces_see(n, nonces_key(n, SLICE(&i, sizeof i)), NOW_US,
                          NOW_US),
                SYNCLINE_EEXIST);
        nonces_free(n);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
}

/* ---- times ---- */

TEST(moments_there_and_back)
{
    static const struct {
        const char *text;
        uint64_t us;
    } rows[] = {
        { "1970-01-01T00:00:00", 0 },
        { "1972-02-29T23:59:59.999999", UINT64_C(68255999999999) },
        { "2000-02-29T00:00:00.000001", UINT64_C(951782400000001) },
        { "2026-11-20T12:34:56.789012", UINT64_C(1795178096789012) },
        { "2100-03-01T00:00:00", UINT64_C(4107542400000000) },
        { "9999-12-31T23:59:59.999999", UINT64_C(253402300799999999) },
    };
    char text[MOMENT_MAX];

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint64_t us = 1;

        CHECK_OK(moment_read(&us, slice_str(rows[i].text)));
        CHECK_UINT(us, rows[i].us);
        CHECK_SLICE(SLICE(text, moment_text(text, us)), rows[i].text);
    }
    for (uint64_t us = 1; us < UINT64_C(253402300799999999);
         us += UINT64_C(86399999999) * 37) {
        uint64_t again = 0;

        CHECK_OK(moment_read(&again, SLICE(text, moment_text(text, us))));
        CHECK_UINT(again, us);
    }
}

TEST(what_is_no_moment)
{
    static const char *const rows[] = { "", "2026", "2026-13-01", "2026-02-29",
        "2026-11-20T", "2026-11-20T24:00:00", "2026-11-20T12:60",
        "2026-11-20T12:00:60", "2026-11-20T12:00:00.", "2026-11-20T12:0000",
        "2026-11-20T1200:00", "2026-1120", "1969-12-31T23:59:59",
        "2026-11-20T12:00:00 ", "2026-11-20T12:00:00.5Z" };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint64_t us;

        CHECK_SAYING(
            moment_read(&us, slice_str(rows[i])) == SYNCLINE_EMALFORMED,
            "taken: %s", rows[i]);
    }
}

/* ---- devices ---- */

TEST(the_datagram_of_a_node)
{
    struct arena a = { 0 };
    const struct json *v = vector(&a, "T.discovery.lan_sync");
    struct lan_beacon beacon;
    struct buf b = { 0 };

    CHECK_OK(lan_beacon_read(&beacon, json_get_str(v, "payload_utf8"), &a));
    CHECK_SLICE(beacon.node_id, "node-B");
    CHECK_UINT(beacon.port, 5001);
    lan_beacon_put(&b, &beacon, UINT64_C(1795220647007214));
    /* Theirs has tenths of a microsecond, which our clock has not. */
    CHECK_SLICE(buf_slice(&b),
        "{\"type\": \"discovery\", \"node_id\": \"node-B\", \"node_name\": "
        "\"Nod\\u00e9 B\", \"timestamp\": 1795220647.007214, \"port\": 5001, "
        "\"capabilities\": [\"sync\"]}");
    CHECK_OK(lan_beacon_read(
        &beacon, SLICE_LIT("{\"type\":\"discovery\",\"node_id\":\"x\"}"), &a));
    CHECK_UINT(beacon.port, 5001);
    CHECK_SLICE(beacon.node_name, "Unknown");
    CHECK(beacon.capabilities == NULL);
    /* That of their sync service, which is another system. */
    CHECK_INT(
        lan_beacon_read(&beacon,
            json_get_str(vector(&a, "T.discovery.announce"), "payload_utf8"),
            &a),
        SYNCLINE_EMALFORMED);
    CHECK_INT(
        lan_beacon_read(&beacon,
            SLICE_LIT("{\"type\":\"discovery\",\"node_id\":\"x\",\"port\":0}"),
            &a),
        SYNCLINE_EMALFORMED);
    buf_free(&b);
    arena_free(&a);
}

/* Who is heard by both is where the older nodes would find it. */
TEST(a_device_of_both_families)
{
    struct lan_devices *d = calloc(1, sizeof *d);
    const struct netaddr four = { .family = 4, .addr = { 10, 0, 0, 7 } };
    const struct netaddr six = { .family = 6, .addr = { 0xfe, 0x80 } };
    struct lan_beacon b = { SLICE_LIT("n"), SLICE_LIT("N"), 5001, NULL };
    enum lan_heard what;

    CHECK(d != NULL);
    d->timeout_us = 90 * SEC;
    CHECK(lan_devices_hear(d, &b, &six, NOW_US, &what)->at.family == 6);
    CHECK(lan_devices_hear(d, &b, &four, NOW_US, &what)->at.family == 4);
    CHECK(lan_devices_hear(d, &b, &six, NOW_US, &what)->at.family == 4);
    CHECK(lan_devices_hear(d, &b, &six, NOW_US + 89 * SEC, &what)->at.family ==
        4);
    CHECK(lan_devices_hear(d, &b, &six, NOW_US + 90 * SEC, &what)->at.family ==
        6);
    free(d);
}

TEST(a_device_goes_and_comes_back)
{
    struct lan_devices *d = calloc(1, sizeof *d);
    const struct netaddr from = { .family = 4, .addr = { 10, 0, 0, 7 } };
    struct lan_beacon b = { SLICE_LIT("n"), SLICE_LIT("N"), 5001, NULL };
    enum lan_heard what;

    CHECK(d != NULL);
    d->timeout_us = 90 * SEC;
    CHECK(lan_devices_hear(d, &b, &from, NOW_US, &what) != NULL);
    CHECK(what == LAN_HEARD_NEW);
    CHECK_UINT(lan_devices_deadline(d), NOW_US + 90 * SEC);
    CHECK(lan_devices_hear(d, &b, &from, NOW_US + SEC, &what)->at.port == 5001);
    CHECK(what == LAN_HEARD_AGAIN);
    CHECK(lan_devices_lost(d, NOW_US + 90 * SEC) == NULL);
    CHECK_SLICE(
        slice_str(lan_devices_lost(d, NOW_US + 91 * SEC)->node_id), "n");
    CHECK(lan_devices_lost(d, NOW_US + 91 * SEC) == NULL);
    CHECK_UINT(lan_devices_deadline(d), 0);
    CHECK(lan_devices_hear(d, &b, &from, NOW_US + 92 * SEC, &what) != NULL);
    CHECK(what == LAN_HEARD_BACK);
    for (uint32_t i = 0; i < DEVICES_MAX; i++) {
        char id[16];

        (void)snprintf(id, sizeof id, "flood-%u", i);
        b.node_id = slice_str(id);
        CHECK(lan_devices_hear(d, &b, &from, NOW_US + 93 * SEC + i, &what) !=
            NULL);
        CHECK(what == LAN_HEARD_NEW);
    }
    b.node_id = SLICE_LIT("n");
    CHECK(lan_devices_hear(d, &b, &from, NOW_US + 94 * SEC, &what) != NULL);
    CHECK(what == LAN_HEARD_NEW);
    free(d);
}

/* ---- tokens ---- */

TEST(a_token_of_the_older_system)
{
    struct arena a = { 0 };
    const struct json *v = vector(&a, "T.jwt.security_manager");
    struct slice secret = json_get_str(v, "secret_utf8");
    struct slice token = json_get_str(v, "token");
    const uint64_t end_us = UINT64_C(1795180000) * SEC;
    struct json *claims = NULL;
    struct buf b = { 0 };

    CHECK_OK(lan_token_put(&b, json_get(v, "claims"), secret));
    CHECK_BYTES(buf_slice(&b), token);
    CHECK_OK(lan_token_read(&claims, token, secret, end_us - 1, &a));
    CHECK_SLICE(json_get_str(claims, "sub"), "node-1");
    CHECK_INT(
        lan_token_read(&claims, token, secret, end_us, &a), SYNCLINE_ETIMEOUT);
    CHECK_INT(lan_token_read(&claims, token, SLICE_LIT("other"), 0, &a),
        SYNCLINE_EDENIED);
    for (size_t i = 0; i < b.len; i++) {
        b.ptr[i] ^= 1;
        CHECK(lan_token_read(&claims, buf_slice(&b), secret, 0, &a) !=
            SYNCLINE_OK);
        b.ptr[i] ^= 1;
    }
    buf_free(&b);
    arena_free(&a);
}

/* {"alg":"none"}: nobody has signed it. */
TEST(a_token_that_names_no_algorithm)
{
    struct arena a = { 0 };
    struct json *claims = NULL;

    CHECK(lan_token_read(&claims,
              SLICE_LIT("eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTUxODAwMDB9."),
              SLICE_LIT("k"), 0, &a) != SYNCLINE_OK);
    CHECK_INT(lan_token_read(&claims,
                  SLICE_LIT("eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTUxODAwMDB9."
                            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                  SLICE_LIT("k"), 0, &a),
        SYNCLINE_EDENIED);
    arena_free(&a);
}
