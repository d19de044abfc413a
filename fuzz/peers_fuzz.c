/* peers_fuzz.c - a piece with the record of the address book, then what
 * happens to whoever reads it: addresses learned, dials that end.
 *
 * Holds the law: a record that cannot be read changes nothing; what was read
 * is saved and read again the same; nobody who is connected is dialled, and
 * all tables keep their bounds. */
#include "fuzz/fuzz.h"
#include "repl/frames.h"
#include "repl/peers.h"

#define DEVICES 5
#define STEPS_MAX 200

static struct peers *book(void)
{
    struct peers_options opt = {
        .self = { { 1 } }, .seed = 1, .dial_min_us = 1000, .dial_max_us = 8000
    };
    struct device_id ids[DEVICES] = { 0 };
    struct peers *p;

    for (uint8_t i = 0; i < DEVICES; i++)
        ids[i].b[0] = (uint8_t)(i + 1);
    ENSURE(peers_new(&p, &opt) == SYNCLINE_OK);
    ENSURE(peers_set_members(p, ids, DEVICES, 0) == SYNCLINE_OK);
    return p;
}

static void check_saved(const struct peers *p)
{
    struct peers *other = book();
    struct buf a = { 0 }, b = { 0 };

    peers_save(p, &a);
    ENSURE(peers_load(other, written(&a)) == SYNCLINE_OK);
    peers_save(other, &b);
    ENSURE(slice_eq(buf_slice(&a), written(&b)));
    buf_free(&a);
    buf_free(&b);
    peers_free(other);
}

static void check_load(struct peers *p, struct slice record)
{
    struct buf before = { 0 }, after = { 0 };

    peers_save(p, &before);
    if (peers_load(p, record) != SYNCLINE_OK) {
        peers_save(p, &after);
        ENSURE(slice_eq(written(&before), written(&after)));
    }
    buf_free(&before);
    buf_free(&after);
}

static struct netaddr take_addr(struct pieces *in)
{
    struct netaddr addr = { .family = take_below(in, 2) == 0 ? 4 : 6 };

    addr.addr[0] = take_u8(in);
    addr.addr[3] = take_u8(in);
    addr.port = (uint16_t)take_number(in);
    return addr;
}

static void dial_all(struct peers *p, uint64_t now_us, uint64_t *conns)
{
    struct peers_dial dial;
    struct peer_info info;
    unsigned n = 0;

    while (peers_next(p, now_us, *conns + 1, &dial)) {
        ++*conns;
        ENSURE(++n <= PEERS_DIALS_MAX && dial.addr.family != 0);
        if (!dial.known)
            continue;
        ENSURE(dial.device.b[0] != 1);
        ENSURE(
            peers_info(p, &dial.device, &info) && info.state == PEER_DIALING);
    }
    ENSURE(peers_deadline(p) > now_us);
}

static void step(
    struct peers *p, struct pieces *in, uint64_t *now_us, uint64_t *conns)
{
    unsigned what = take_below(in, 8);
    struct device_id id = { { (uint8_t)(1 + take_below(in, DEVICES)) } };
    uint64_t conn = *conns > 0 ? 1 + take_u8(in) % *conns : 0;
    struct netaddr addr;

    switch (what) {
    case 0:
        peers_on_up(p, conn, &id, *now_us);
        break;
    case 1:
        peers_on_down(p, conn, *now_us);
        break;
    case 2:
        addr = take_addr(in);
        peers_on_beacon(p, &id, &addr, *now_us);
        break;
    case 3:
        addr = take_addr(in);
        (void)!peers_add_static(p, &addr, *now_us);
        break;
    case 4:
        *now_us += take_number(in) & 0xffff;
        break;
    case 5:
        dial_all(p, *now_us, conns);
        break;
    default:
        addr = take_addr(in);
        peers_learn(p, &id, &addr,
            (enum peer_source)(1 + take_below(in, PEER_SOURCE_END - 1)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces in = pieces_of(data, size);
    struct peers *p = book();
    uint64_t now_us = 1, conns = 0;

    check_load(p, take_piece(&in));
    check_saved(p);
    for (int i = 0; i < STEPS_MAX && take_more(&in); i++)
        step(p, &in, &now_us, &conns);
    check_saved(p);
    peers_free(p);
    return 0;
}
