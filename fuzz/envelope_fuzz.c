/* envelope_fuzz.c - a byte that says how, then a seal as it stands; or a text
 * to be sealed, and what is done to the seal.
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
    const struct envelope_secret secret = {
        .epoch = 1, .id = { 4 }, .key = { 5 }
    };
    static struct identity *id;

    if (id != NULL)
        return;
    ENSURE(identity_from_seed(&id, seed) == SYNCLINE_OK);
    crypto_port_seeded(&crypto, &self, id, 1);
    ENSURE(envelope_keys_make(&keys, &crypto, &mesh, &space, &secret) ==
        SYNCLINE_OK);
}

static int try_open(struct slice bytes, struct buf *plain)
{
    struct envelope_seal_head h;
    int rc = envelope_read(bytes, &h);

    if (rc == SYNCLINE_OK)
        ENSURE(h.clear.ptr == bytes.ptr &&
            h.clear.len + h.sealed.len == bytes.len);
    return rc == SYNCLINE_OK ? envelope_open(plain, &crypto, &keys, &h) : rc;
}

static void raw(struct pieces *p)
{
    struct buf plain = { 0 };

    ENSURE(try_open(p->in, &plain) != SYNCLINE_OK && plain.len == 0);
    buf_free(&plain);
}

static void made(struct pieces *p)
{
    uint8_t tag[ENVELOPE_TAG_LEN] = { take_u8(p) };
    const uint8_t *given = take_below(p, 2) == 0 ? tag : NULL;
    uint8_t change = take_u8(p);
    size_t where = (size_t)take_number(p);
    struct buf out = { 0 }, again = { 0 }, plain = { 0 };
    int rc;

    ENSURE(envelope_seal(&out, &crypto, &keys, given, p->in) == SYNCLINE_OK);
    ENSURE(envelope_seal(&again, &crypto, &keys, given, p->in) == SYNCLINE_OK);
    ENSURE(slice_eq(written(&again), written(&out)));
    out.ptr[where % out.len] ^= change;
    rc = try_open(written(&out), &plain);
    if (change == 0)
        ENSURE(rc == SYNCLINE_OK && slice_eq(buf_slice(&plain), p->in));
    else
        ENSURE(rc != SYNCLINE_OK && plain.len == 0);
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
