/* Addresses of devices: which are worth knowing, told to others, and saved. */
#include "repl/peers_impl.h"

#include "base/codec.h"
#include "repl/frames.h"

#define BOOK_VERSION 1
/* An address that worked once is given up for a new one after so many dials
 * in vain. */
#define FAILS_STALE 3

size_t peer_addr_ix(const struct peer *e, const struct netaddr *addr)
{
    size_t ix = 0;

    while (ix < e->addrs_n && !netaddr_eq(&e->addrs[ix].addr, addr))
        ix++;
    return ix;
}

/* Elsewhere on the network, or without its interface, a link-local address
 * means nothing. */
static bool is_of_use(const struct netaddr *addr, enum peer_source source)
{
    if (addr->family == 0 || addr->port == 0)
        return false;
    if (!netaddr_is_link_local(addr))
        return true;
    return source != PEER_GOSSIP && (addr->family == 4 || addr->scope != 0);
}

/* The last in the list that may go for one that is new. What once worked stays
 * until it has failed for a while, so that hearsay cannot drive it out. */
static size_t least_worth(const struct peer *e)
{
    size_t stale = e->addrs_n;

    for (size_t ix = e->addrs_n; ix-- > 0;) {
        const struct candidate *c = &e->addrs[ix];

        if (c->source == PEER_STATIC || (e->dial != 0 && e->dialled == ix))
            continue;
        if (!c->worked)
            return ix;
        if (c->fails >= FAILS_STALE && stale == e->addrs_n)
            stale = ix;
    }
    return stale;
}

size_t peer_addr_add(
    struct peer *e, const struct netaddr *addr, enum peer_source source)
{
    size_t ix = peer_addr_ix(e, addr);

    if (!is_of_use(addr, source))
        return e->addrs_n;
    if (ix < e->addrs_n) {
        if (source == PEER_STATIC)
            e->addrs[ix].source = source;
        return ix;
    }
    if (e->addrs_n == PEER_ADDRS_MAX) {
        ix = least_worth(e);
        if (ix == e->addrs_n)
            return ix;
        peer_addr_drop(e, ix);
    }
    ix = e->addrs_n++;
    e->addrs[ix] = (struct candidate){ .addr = *addr, .source = source };
    return ix;
}

void peer_addr_drop(struct peer *e, size_t ix)
{
    e->addrs_n--;
    memmove(&e->addrs[ix], &e->addrs[ix + 1],
        (e->addrs_n - ix) * sizeof e->addrs[0]);
    if (e->next > ix)
        e->next--;
    if (e->dialled > ix)
        e->dialled--;
}

bool peer_addr_worked(struct peer *e, size_t ix)
{
    struct candidate c = e->addrs[ix];
    bool news = ix != 0 || !c.worked;

    c.worked = true;
    c.fails = 0;
    memmove(&e->addrs[1], &e->addrs[0], ix * sizeof c);
    e->addrs[0] = c;
    e->next = 0;
    if (e->dialled == ix)
        e->dialled = 0;
    else if (e->dialled < ix)
        e->dialled++;
    return news;
}

/* ---- what others are told ---- */

uint32_t peers_tell(const struct peers *p, struct buf *out)
{
    uint32_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct peer *e = p->table[i];
        size_t ix = 0;

        while (ix < e->addrs_n && netaddr_is_link_local(&e->addrs[ix].addr))
            ix++;
        if (ix == e->addrs_n)
            continue;
        buf_put(out, e->device.b, DEVICE_ID_LEN);
        put_netaddr(out, &e->addrs[ix].addr);
        n++;
    }
    return n;
}

static void get_told(
    struct reader *r, struct device_id *device, struct netaddr *addr)
{
    get_into(r, device->b, DEVICE_ID_LEN);
    get_netaddr(r, addr);
}

int peers_pass_told(struct reader *r, uint32_t n)
{
    for (uint32_t i = 0; i < n && r->err == SYNCLINE_OK; i++) {
        struct device_id device;
        struct netaddr addr = { 0 };

        get_told(r, &device, &addr);
    }
    return r->err;
}

/* ---- what survives a restart ---- */

/* An interface's number may be another one's next time. */
static bool is_kept(const struct candidate *c)
{
    return c->source != PEER_STATIC && c->addr.scope == 0;
}

static void save_addr(struct buf *out, const struct candidate *c)
{
    buf_put_u8(out, (uint8_t)c->source);
    buf_put_u8(out, c->worked);
    put_netaddr(out, &c->addr);
}

static void save_peer(struct buf *out, const struct peer *e)
{
    uint64_t n = 0;

    for (size_t i = 0; i < e->addrs_n; i++)
        n += is_kept(&e->addrs[i]);
    buf_put(out, e->device.b, DEVICE_ID_LEN);
    put_varint(out, n);
    for (size_t i = 0; i < e->addrs_n; i++) {
        const struct candidate *c = &e->addrs[i];

        if (!is_kept(c))
            continue;
        save_addr(out, c);
    }
}

void peers_save(const struct peers *p, struct buf *out)
{
    buf_put_u8(out, BOOK_VERSION);
    put_varint(out, p->n);
    for (size_t i = 0; i < p->n; i++)
        save_peer(out, p->table[i]);
}

void peers_put_told(struct buf *out, const struct device_id *by,
    const struct netaddr *at, struct slice told, uint32_t n)
{
    const struct candidate first = { *at, PEER_CODE, .worked = true };
    struct reader r = reader_of(told);

    if (n >= PEERS_MAX)
        n = PEERS_MAX - 1;
    buf_put_u8(out, BOOK_VERSION);
    put_varint(out, n + 1);
    buf_put(out, by->b, DEVICE_ID_LEN);
    put_varint(out, is_kept(&first));
    if (is_kept(&first))
        save_addr(out, &first);
    for (uint32_t i = 0; i < n; i++) {
        struct candidate c = { .source = PEER_GOSSIP };
        struct device_id device;

        get_told(&r, &device, &c.addr);
        buf_put(out, device.b, DEVICE_ID_LEN);
        put_varint(out, 1);
        save_addr(out, &c);
    }
}

static void load_addr(struct reader *r, struct peer *e)
{
    uint8_t source = get_u8(r), worked = get_u8(r);
    struct netaddr addr = { 0 };
    size_t ix;

    get_netaddr(r, &addr);
    if (r->err == SYNCLINE_OK &&
        (source == PEER_STATIC || source >= PEER_SOURCE_END || worked > 1))
        r->err = SYNCLINE_EMALFORMED;
    if (r->err != SYNCLINE_OK || e == NULL)
        return;
    ix = peer_addr_add(e, &addr, (enum peer_source)source);
    if (ix < e->addrs_n && worked == 1)
        e->addrs[ix].worked = true;
}

/* p NULL: only looks whether all of it can be read. */
static int load(struct peers *p, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint8_t version = get_u8(&r);
    uint64_t n = get_varint_max(&r, PEERS_MAX);

    if (r.err == SYNCLINE_OK && version != BOOK_VERSION)
        return SYNCLINE_EVERSION;
    for (uint64_t i = 0; i < n && r.err == SYNCLINE_OK; i++) {
        struct device_id device;
        struct peer *e = NULL;
        uint64_t addrs;

        get_into(&r, device.b, DEVICE_ID_LEN);
        addrs = get_varint_max(&r, PEER_ADDRS_MAX);
        if (p != NULL)
            e = peers_find(p, &device);
        for (uint64_t k = 0; k < addrs && r.err == SYNCLINE_OK; k++)
            load_addr(&r, e);
    }
    return reader_end(&r);
}

int peers_load(struct peers *p, struct slice bytes)
{
    int rc = load(NULL, bytes);

    return rc == SYNCLINE_OK ? load(p, bytes) : rc;
}
