/* envelope_fuzz.c - a byte that says how, then an envelope as it stands; or a
 * cell to be sealed, and what is done to the seal.
 *
 * Holds the law: what opens is what was sealed, sealing it again makes the same
 * bytes, and nothing that was touched opens. */
#include "crypto/envelope.h"
#include "fuzz/fuzz.h"

static struct crypto_port crypto;
static struct crypto_self self;
static struct envelope_keys keys;

static void open_house(void)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 1 };
    static const struct mesh_id mesh = { { 2 } };
    static const struct space_token space = { { 3 } };
    const struct envelope_secret secret = { .id = { 4 }, .key = { 5 } };
    static struct identity *id;

    if (id != NULL)
        return;
    ENSURE(identity_from_seed(&id, seed) == SYNCLINE_OK);
    crypto_port_seeded(&crypto, &self, id, 1);
    ENSURE(envelope_keys_make(&keys, &crypto, &mesh, &space, &secret) ==
        SYNCLINE_OK);
}

static void raw(struct pieces *p)
{
    uint8_t bytes[ENVELOPE_HEADER_LEN];
    struct envelope_header h;
    struct envelope_content c;
    struct buf plain = { 0 };

    if (envelope_get_header(
            SLICE(
                p->in.ptr, p->in.len < sizeof bytes ? p->in.len : sizeof bytes),
            &h) == SYNCLINE_OK) {
        envelope_put_header(bytes, &h);
        ENSURE(memcmp(bytes, p->in.ptr, sizeof bytes) == 0);
    }
    ENSURE(envelope_open(&h, &c, &plain, &crypto, &keys, p->in) != SYNCLINE_OK);
    ENSURE(plain.len == 0);
    buf_free(&plain);
}

static struct envelope_header take_header(struct pieces *p)
{
    struct envelope_header h = { .type = (enum envelope_type)take_below(p, 3) };
    uint64_t half = take_number(p) & INT64_MAX;

    h.dot.seq = 1 + (take_number(p) & (SEQ_MAX - 1));
    h.first.seq = 1 + (take_number(p) & (SEQ_MAX - 1));
    h.stamp.epoch = take_number(p);
    h.stamp.hlc = take_number(p);
    h.length = h.type == CELL_TOMBSTONE ? (half | 1) + 1 : half | 1;
    h.dot.replica.b[0] = take_u8(p);
    h.context[31] = take_u8(p);
    return h;
}

static void made(struct pieces *p)
{
    struct envelope_header h = take_header(p), got;
    struct envelope_content c = { .key = take_piece(p), .path = take_piece(p) },
                            back;
    uint8_t change = take_u8(p);
    size_t where = (size_t)take_number(p);
    struct buf out = { 0 }, again = { 0 }, plain = { 0 };
    int rc;

    if (h.type == CELL_TOMBSTONE)
        c.path = SLICE_NONE;
    if (h.type == CELL_VALUE)
        c.value = p->in.len > 0 ? p->in : SLICE_LIT("0");
    ENSURE(envelope_seal(&out, &crypto, &keys, &h, &c) == SYNCLINE_OK);
    out.ptr[where % out.len] ^= change;
    rc = envelope_open(&got, &back, &plain, &crypto, &keys, written(&out));
    if (change == 0 && c.key.len <= 1024) {
        ENSURE(rc == SYNCLINE_OK && slice_eq(back.key, c.key) &&
            slice_eq(back.path, c.path) && slice_eq(back.value, c.value));
        ENSURE(
            envelope_seal(&again, &crypto, &keys, &got, &back) == SYNCLINE_OK);
        ENSURE(slice_eq(written(&again), written(&out)));
    } else {
        ENSURE(rc != SYNCLINE_OK && plain.len == 0);
    }
    buf_free(&out);
    buf_free(&again);
    buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);

    open_house();
    if (take_below(&p, 2) == 0)
        raw(&p);
    else
        made(&p);
    return 0;
}
