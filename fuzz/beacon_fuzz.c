/* beacon_fuzz.c - a datagram from anywhere; and ones made with the keys, of
 * which some byte is then another.
 *
 * Holds the law: what was not made with the key is refused; what was says
 * what was put in. */
#include "fuzz/fuzz.h"
#include "repl/beacon.h"

/* The code's secret that inviter and joiner share. */
#define SECRET SLICE_LIT("a code secret")

struct air {
    struct identity *identity;
    struct crypto_port crypto;
    struct crypto_self self;
    struct beacon_key key;
    struct beacon_find find; /* whose answer the joiner awaits */
};

static const struct air *air(void)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 1 };
    static struct air air;
    struct buf b = { 0 };

    if (air.identity != NULL)
        return &air;
    ENSURE(identity_from_seed(&air.identity, seed) == SYNCLINE_OK);
    crypto_port_seeded(&air.crypto, &air.self, air.identity, 1);
    ENSURE(beacon_key_make(&air.key, &air.crypto,
               SLICE_LIT("the secret of a mesh, 32 bytes..")) == SYNCLINE_OK);
    air.find.port = 9;
    ENSURE(beacon_put_find(&b, &air.crypto, SECRET, &air.find) == SYNCLINE_OK);
    buf_free(&b);
    return &air;
}

/* Does anybody take it for his own? */
static bool is_taken(const struct air *air, struct slice datagram)
{
    struct beacon b;
    struct beacon_find find;

    return beacon_get_announce(&b, &air->crypto, &air->key, datagram) ==
        SYNCLINE_OK ||
        beacon_get_find(&find, &air->crypto, SECRET, datagram) == SYNCLINE_OK ||
        beacon_get_here(&b, &air->crypto, SECRET, &air->find, datagram) ==
        SYNCLINE_OK;
}

static bool beacon_eq(const struct beacon *a, const struct beacon *b)
{
    return device_eq(&a->device, &b->device) && a->port == b->port &&
        a->flags == b->flags;
}

static void make(const struct air *air, struct pieces *p, struct buf *out)
{
    struct beacon b = { .port = (uint16_t)take_number(p) }, got;
    struct beacon_find find = { .port = b.port }, asked;

    b.flags = take_u8(p);
    b.device.b[0] = take_u8(p);
    switch (take_below(p, 3)) {
    case 0:
        ENSURE(beacon_put_announce(out, &air->crypto, &air->key, &b) == 0);
        ENSURE(beacon_get_announce(
                   &got, &air->crypto, &air->key, written(out)) == 0);
        ENSURE(beacon_eq(&got, &b));
        break;
    case 1:
        ENSURE(beacon_put_find(out, &air->crypto, SECRET, &find) == 0);
        ENSURE(
            beacon_get_find(&asked, &air->crypto, SECRET, written(out)) == 0);
        ENSURE(asked.port == find.port);
        break;
    default:
        ENSURE(beacon_put_here(out, &air->crypto, SECRET, &air->find, &b) == 0);
        ENSURE(beacon_get_here(
                   &got, &air->crypto, SECRET, &air->find, written(out)) == 0);
        ENSURE(beacon_eq(&got, &b));
    }
    ENSURE(out->len == BEACON_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct air copy = *air(); /* its random source is the same each time */
    struct buf b = { 0 };
    uint8_t change;

    copy.crypto.self = &copy.self;
    ENSURE(!is_taken(&copy, p.in));
    make(&copy, &p, &b);
    change = take_u8(&p);
    b.ptr[take_u8(&p) % b.len] ^= change;
    ENSURE(change == 0 || !is_taken(&copy, buf_slice(&b)));
    buf_free(&b);
    return 0;
}
