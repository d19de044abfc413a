/* stranger_fuzz.c - what those say whom a node does not know yet: datagrams,
 * connections of strangers that want to pair, of members that have not
 * greeted, and the answers of an inviter whose code somebody has typed in.
 *
 * Holds the laws of house.h, and: whoever does not know an open code does not
 * become a member. */
#include "fuzz/fuzz.h"
#include "fuzz/house.h"
#include "repl/beacon.h"
#include "repl/secret.h"
#include "repl/keys.h"
#include "repl/pair.h"

#define STEPS_MAX 48

struct door {
    struct house house;
    struct pieces in;
    struct crypto_port crypto; /* the stranger's */
    struct crypto_self self;
    struct pair_code code; /* the one that is open at home */
    bool has_code;
    bool used;               /* something made with it was sent */
    struct invites *invites; /* the stranger's own */
    struct buf own;          /* the text of a code of his */
    struct pair_code own_code;
    uint64_t dialled;
    struct house_conn *conn; /* the one that is spoken on, or NULL */
};

static void on_effect(struct house *h, const struct effect *fx)
{
    static const char head[] = "{\"ok\":true,\"code\":\"";
    struct door *d = h->ctx;
    struct slice text = fx->bytes;
    const uint8_t *end;

    if (fx->type == FX_DIAL)
        d->dialled = fx->conn;
    if (fx->type != FX_REPLY || !slice_has_prefix(text, slice_str(head)))
        return;
    text = slice_from(text, sizeof head - 1);
    end = memchr(text.ptr, '"', text.len);
    ENSURE(end != NULL);
    ENSURE(code_decode(&d->code, SLICE(text.ptr, (size_t)(end - text.ptr)),
               NULL) == SYNCLINE_OK);
    d->has_code = true;
}

static void door_open(struct door *d)
{
    struct netaddr addr = { .family = 4, .addr = { 10, 0, 0, 4 }, .port = 9 };

    house_open(&d->house, HOME, house_disk());
    d->house.on_effect = on_effect;
    d->house.ctx = d;
    crypto_port_seeded(&d->crypto, &d->self, house_identity(STRANGER), 4);
    ENSURE(invites_new(&d->invites, &d->crypto) == SYNCLINE_OK);
    ENSURE(invite_open(d->invites, 0, 0, &addr, 1, &d->own) == SYNCLINE_OK);
    ENSURE(code_decode(&d->own_code, written(&d->own), NULL) == SYNCLINE_OK);
}

/* The line that was last made, if it is still up. */
static struct house_conn *line(struct door *d)
{
    return d->conn != NULL && d->conn->id != 0 ? d->conn : NULL;
}

static void hear(struct door *d, struct slice bytes)
{
    struct house_conn *c = line(d);

    if (c != NULL)
        house_hear(&d->house, c, bytes);
}

/* ---- connections ---- */

static void connect(struct door *d)
{
    unsigned who = 1 + take_below(&d->in, DEVICES - 1);
    bool pairing = take_below(&d->in, 2) == 0;

    /* As the shell does: who is not admitted does not get this far. */
    if (!node_admits(
            d->house.node, identity_device(house_identity(who)), pairing))
        return;
    d->conn = house_up(&d->house, who, pairing, 0);
}

static void hang_up(struct door *d)
{
    struct house_conn *c = line(d);

    if (c != NULL)
        house_down(&d->house, c);
}

static void say_bytes(struct door *d)
{
    hear(d, take_piece(&d->in));
}

/* Before hello, or a hello that is odd. */
static void say_frame(struct door *d)
{
    struct house_conn *c = line(d);
    struct frame f = { .type = FRAME_HELLO };
    uint8_t how = take_u8(&d->in);

    if (c == NULL)
        return;
    if ((how & 1) != 0) {
        struct buf b = { 0 };

        buf_put_u8(&b, how >> 1);
        put_varint(&b, ++c->said_no);
        buf_put_slice(&b, take_piece(&d->in));
        house_hear(&d->house, c, written(&b));
        buf_free(&b);
        return;
    }
    f.hello.version = (how & 2) != 0 ? take_u8(&d->in) : PROTOCOL_VERSION;
    f.hello.mesh = *house_mesh();
    f.hello.mesh.b[0] ^= (how & 12) == 12;
    f.hello.replica = *house_replica((how & 16) != 0 ? KITCHEN : c->who);
    f.hello.wall_us = take_number(&d->in);
    f.hello.port = (uint16_t)take_number(&d->in);
    f.hello.name = take_piece(&d->in);
    house_hear_frame(&d->house, c, &f);
}

/* ---- pairing ---- */

static struct pair_link link_between(unsigned joiner, unsigned inviter)
{
    return (
        struct pair_link){ .joiner_spki = identity_spki(house_identity(joiner)),
        .inviter_spki = identity_spki(house_identity(inviter)),
        .exporter = house_exporter };
}

/* With the open code, and a tail of the input's. */
static void say_join(struct door *d)
{
    struct pair_link link = link_between(STRANGER, HOME);
    struct buf made = { 0 }, b = { 0 };
    struct slice tail = take_piece(&d->in);

    if (d->has_code &&
        pair_put_join(&d->crypto, &d->code, &link, SLICE_LIT("x"), 1, &made,
            NULL) == SYNCLINE_OK) {
        buf_put(&b, made.ptr, 2 + SHA256_LEN);
        buf_put_slice(&b, tail.len > 0 ? tail : SLICE_LIT("\1x\1"));
        d->used = d->used || line(d) != NULL;
        hear(d, written(&b));
    }
    buf_free(&made);
    buf_free(&b);
}

static void type_code(struct door *d)
{
    struct buf ask = { 0 };
    uint8_t how = take_u8(&d->in);

    buf_printf(&ask, "{\"op\":\"join\",\"leave\":%s,\"discard\":%s,\"code\":",
        (how & 1) != 0 ? "true" : "false", (how & 2) != 0 ? "true" : "false");
    json_print_string(&ask,
        (how & 12) == 12 ? take_piece(&d->in) : buf_slice(&d->own), false);
    buf_put_u8(&ask, '}');
    if (buf_status(&ask) == SYNCLINE_OK) /* else no text */
        (void)!house_ask(&d->house, buf_slice(&ask));
    buf_free(&ask);
}

static void answer_dial(struct door *d)
{
    struct event down = { .type = EV_CONN_DOWN, .conn = d->dialled };
    uint8_t how = take_u8(&d->in);

    if (d->dialled == 0)
        return;
    if (how % 4 == 0) {
        house_step(&d->house, &down);
    } else {
        unsigned who = how % 4 == 1 ? KITCHEN : STRANGER;

        d->conn = house_up(&d->house, who, who == STRANGER, d->dialled);
    }
    d->dialled = 0;
}

/* What the stranger's mesh holds: records that are his, or bytes. */
static void put_records(struct door *d, struct pair_welcome *w, struct buf *b)
{
    for (unsigned n = take_below(&d->in, 4); n > 0; n--) {
        unsigned which = take_below(&d->in, HOUSE_RECORDS + 1);
        struct slice key, value;

        if (which < HOUSE_RECORDS) {
            value = house_record(which, &key);
        } else {
            key = take_piece(&d->in);
            value = take_piece(&d->in);
        }
        put_pair_record(b, key, value);
        w->records_n++;
    }
    if (take_below(&d->in, 8) == 7)
        w->records_n = (uint32_t)take_number(&d->in);
    w->records = written(b);
}

/* By an inviter who knows the code, for home has typed it in. */
static void say_welcome(struct door *d)
{
    struct pair_link link = link_between(HOME, STRANGER);
    struct pair_welcome w = { .secret = { 7 } };
    struct crypto_port home = d->house.crypto;
    struct buf join = { 0 }, records = { 0 }, b = { 0 };
    enum pair_refusal refusal;
    struct pair_join j;

    w.mesh.b[0] = take_u8(&d->in);
    if (take_below(&d->in, 2) == 0)
        w.mesh = *house_mesh();
    w.name = take_piece(&d->in);
    put_records(d, &w, &records);
    if (pair_put_join(&home, &d->own_code, &link, SLICE_LIT("home"), 1, &join,
            NULL) == SYNCLINE_OK &&
        pair_on_join(d->invites, &link, 1, written(&join), &j, &refusal) ==
            SYNCLINE_OK &&
        pair_put_welcome(d->invites, j.invite, &link, &w, &b) == SYNCLINE_OK) {
        d->used = d->used || line(d) != NULL;
        hear(d, written(&b));
    }
    buf_free(&join);
    buf_free(&records);
    buf_free(&b);
}

static void say_refusal(struct door *d)
{
    struct buf b = { 0 };

    pair_put_refuse(&b, (enum pair_refusal)take_u8(&d->in));
    hear(d, written(&b));
    buf_free(&b);
}

/* ---- datagrams ---- */

/* Sealed with the mesh's secret, as any member can. */
static int put_announce(struct door *d, struct buf *b)
{
    struct beacon say = { .port = (uint16_t)take_number(&d->in) };
    struct beacon_key key;
    struct slice record;
    struct mesh_id mesh;
    uint8_t secret[KEY_LEN];
    bool bare;
    int rc;

    say.device = *identity_device(house_identity(take_below(&d->in, DEVICES)));
    say.flags = take_u8(&d->in);
    rc = store_get(&d->house.port, TABLE_META, SLICE_LIT(META_MESH), &record);
    if (rc == SYNCLINE_OK)
        rc = secret_get(record, &d->house.crypto, &mesh, secret, &bare);
    if (rc == SYNCLINE_OK)
        rc = beacon_key_make(&key, &d->crypto, SLICE(secret, sizeof secret));
    return rc == SYNCLINE_OK ? beacon_put_announce(b, &d->crypto, &key, &say)
                             : rc;
}

static void cast(struct door *d)
{
    struct event ev = { .type = EV_DATAGRAM,
        .remote = { .family = 4, .addr = { 10, 0, 0, 7 }, .port = 5 } };
    struct beacon_find find = { .port = (uint16_t)take_number(&d->in) };
    struct buf b = { 0 };
    int rc = SYNCLINE_OK;

    switch (take_below(&d->in, 3)) {
    case 0:
        rc = put_announce(d, &b);
        break;
    case 1:
        rc = beacon_put_find(
            &b, &d->crypto, SLICE(d->code.secret, CODE_SECRET_LEN), &find);
        break;
    default:
        buf_put_slice(&b, take_piece(&d->in));
    }
    ENSURE(rc == SYNCLINE_OK);
    ev.remote.addr[3] = take_u8(&d->in);
    ev.bytes = written(&b);
    house_step(&d->house, &ev);
    buf_free(&b);
}

/* ---- the world ---- */

static void happen(struct door *d)
{
    switch (take_below(&d->in, 6)) {
    case 0:
        house_pass(&d->house, (uint64_t)take_u8(&d->in) * 200000);
        break;
    case 1:
        d->dialled = 0;
        d->has_code = false; /* codes do not outlive their node */
        house_restart(&d->house, take_below(&d->in, 2) == 0);
        break;
    case 2:
    case 3:
        ENSURE(house_ask(&d->house, SLICE_LIT("{\"op\":\"invite\"}")));
        break;
    default:
        house_settle(&d->house);
    }
}

static void (*const steps[])(struct door *d) = { connect, hang_up, say_bytes,
    say_frame, say_join, type_code, answer_dial, say_welcome, say_refusal, cast,
    happen, happen };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct door d = { .in = pieces_of(data, size) };

    door_open(&d);
    for (int i = 0; i < STEPS_MAX && take_more(&d.in); i++)
        steps[take_below(&d.in, sizeof steps / sizeof *steps)](&d);
    house_settle(&d.house);
    if (!d.used)
        ENSURE(!node_admits(
            d.house.node, identity_device(house_identity(STRANGER)), false));
    house_close(&d.house);
    invites_free(d.invites);
    buf_free(&d.own);
    return 0;
}
