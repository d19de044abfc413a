/* door_fuzz.c - pairing without a code, with a whole node: a stranger at its
 * door, and itself at the door of a stranger.
 *
 * Holds the laws of house.h, and: a stranger hears no more than a nonce and a
 * refusal, and does not become a member, before it has confirmed and the
 * person here has approved its digits; home stays in its mesh unless the
 * person here has confirmed those that it shows. */
#include "fuzz/fuzz.h"
#include "fuzz/house.h"
#include "repl/digits.h"

#define STEPS_MAX 48
#define NONCE_LEN DIGITS_NONCE_LEN

struct door {
    struct house house;
    struct pieces in;
    struct crypto_port crypto; /* the stranger's */
    struct crypto_self self;
    uint64_t inbound, dialled, outbound; /* connections; 0: none */
    uint8_t own[NONCE_LEN], theirs[NONCE_LEN];
    uint8_t commit[SHA256_LEN];
    struct digits digits; /* as the stranger computes them */
    struct digits shown;  /* on home's terminal */
    bool approved, confirmed, left;
};

/* The digits of a join of home's, as its terminal gets them. */
static void note_event(struct door *d, struct slice text)
{
    static const char head[] = "{\"ok\":true,\"more\":true,\"digits\":\"";

    if (!slice_has_prefix(text, slice_str(head)))
        return;
    text = slice_from(text, sizeof head - 1);
    ENSURE(text.len > DIGITS_N && text.ptr[DIGITS_N] == '"');
    memcpy(d->shown.text, text.ptr, DIGITS_N);
}

static void note_said(struct door *d, const struct effect *fx)
{
    const uint8_t kind = fx->bytes.len > 0 ? fx->bytes.ptr[0] : 0;

    if (fx->conn != d->inbound || fx->conn == 0)
        return;
    if (kind == PAIR_NONCE)
        ENSURE(get_pair_nonce(fx->bytes, PAIR_NONCE, d->theirs) == SYNCLINE_OK);
    else if (kind == PAIR_ADMIT || kind == PAIR_PART)
        ENSURE(d->approved && d->confirmed);
    else
        ENSURE(kind == PAIR_REFUSE);
}

static void on_effect(struct house *h, const struct effect *fx)
{
    struct door *d = h->ctx;

    if (fx->type == FX_DIAL && fx->pairing)
        d->dialled = fx->conn;
    if (fx->type == FX_REPLY && fx->more)
        note_event(d, fx->bytes);
    if (fx->type == FX_SEND)
        note_said(d, fx);
}

static struct house_conn *line(struct door *d, uint64_t conn)
{
    return conn != 0 ? house_conn(&d->house, conn) : NULL;
}

static void hear(struct door *d, uint64_t conn, struct buf *b)
{
    struct house_conn *c = line(d, conn);

    if (c != NULL)
        house_hear(&d->house, c, written(b));
    buf_free(b);
}

/* ---- at home's door ---- */

static struct pair_link link_between(unsigned joiner, unsigned member)
{
    return (
        struct pair_link){ .joiner_spki = identity_spki(house_identity(joiner)),
        .inviter_spki = identity_spki(house_identity(member)),
        .exporter = house_exporter };
}

static void open_door(struct door *d)
{
    struct buf ask = { 0 };

    buf_printf(&ask, "{\"op\":\"pending_open\",\"for_s\":%u}", take_u8(&d->in));
    (void)!house_ask(&d->house, written(&ask));
    buf_free(&ask);
}

static void come(struct door *d)
{
    struct house_conn *c;

    if (line(d, d->inbound) != NULL ||
        !node_admits(
            d->house.node, identity_device(house_identity(STRANGER)), true))
        return;
    d->inbound = d->house.conns_made + 1;
    d->approved = d->confirmed = false;
    c = house_up(&d->house, STRANGER, true, 0);
    ENSURE(c == NULL || c->id == d->inbound);
}

static void hang_up(struct door *d)
{
    struct house_conn *c =
        line(d, take_below(&d->in, 2) == 0 ? d->inbound : d->outbound);

    if (c != NULL)
        house_down(&d->house, c);
}

static void say_bytes(struct door *d)
{
    uint64_t conn = take_below(&d->in, 2) == 0 ? d->inbound : d->outbound;
    struct buf b = { 0 };

    buf_put_slice(&b, take_piece(&d->in));
    hear(d, conn, &b);
}

static void say_ask(struct door *d)
{
    struct pair_link link = link_between(STRANGER, HOME);
    struct pair_ask ask = { .port = 7 };
    struct buf b = { 0 };
    uint8_t how = take_u8(&d->in);

    d->own[0] = how;
    ENSURE(digits_commit(ask.commit, &d->crypto, &link, d->own) == 0);
    if (how % 8 == 7)
        ask.commit[0] ^= 1;
    memcpy(d->commit, ask.commit, sizeof d->commit);
    ask.name = take_piece(&d->in);
    if (put_pair_ask(&b, &ask) == SYNCLINE_OK)
        hear(d, d->inbound, &b);
    buf_free(&b);
}

static void say_reveal(struct door *d)
{
    struct pair_link link = link_between(STRANGER, HOME);
    struct digits_seen seen = { d->commit, d->own, d->theirs };
    struct buf b = { 0 };

    if (take_below(&d->in, 4) == 3)
        d->own[1] ^= 1;
    ENSURE(digits_make(&d->digits, &d->crypto, &link, &seen) == 0);
    ENSURE(put_pair_nonce(&b, PAIR_REVEAL, d->own) == SYNCLINE_OK);
    hear(d, d->inbound, &b);
}

static void say_word(struct door *d)
{
    static const enum digits_message words[] = { PAIR_CONFIRM, PAIR_STILL };
    unsigned which = take_below(&d->in, 3);
    struct buf b = { 0 };

    if (which == 2)
        pair_put_refuse(&b, (enum pair_refusal)take_u8(&d->in));
    else
        ENSURE(put_pair_word(&b, words[which]) == SYNCLINE_OK);
    d->confirmed = d->confirmed || (which == 0 && line(d, d->inbound) != NULL);
    hear(d, d->inbound, &b);
}

static void decide(struct door *d)
{
    uint8_t how = take_u8(&d->in);
    struct buf ask = { 0 };

    buf_printf(
        &ask, "{\"op\":\"%s\",\"who\":", (how & 1) != 0 ? "deny" : "approve");
    json_print_string(&ask,
        (how & 14) == 14 ? take_piece(&d->in) : slice_str(d->digits.text),
        false);
    buf_put_u8(&ask, '}');
    d->approved = d->approved || (how & 1) == 0;
    if (buf_status(&ask) == SYNCLINE_OK) /* else no text */
        (void)!house_ask(&d->house, buf_slice(&ask));
    buf_free(&ask);
}

/* ---- home at another door ---- */

static void join(struct door *d)
{
    uint8_t how = take_u8(&d->in);
    struct buf ask = { 0 };

    buf_printf(&ask, "{\"op\":\"join\",\"leave\":%s,\"discard\":%s%s}",
        (how & 1) != 0 ? "true" : "false", (how & 2) != 0 ? "true" : "false",
        (how & 4) != 0 ? "" : ",\"peer\":\"10.0.0.4:9\"");
    (void)!house_ask(&d->house, written(&ask));
    buf_free(&ask);
}

static void answer_dial(struct door *d)
{
    struct event down = { .type = EV_CONN_DOWN, .conn = d->dialled };
    unsigned how = take_below(&d->in, 4);

    if (d->dialled == 0)
        return;
    d->outbound = d->dialled;
    d->dialled = 0;
    if (how == 0)
        house_step(&d->house, &down);
    else
        (void)house_up(
            &d->house, how == 1 ? HOME : STRANGER, true, d->outbound);
}

static void say_nonce(struct door *d)
{
    struct buf b = { 0 };

    ENSURE(put_pair_nonce(&b, PAIR_NONCE, d->own) == SYNCLINE_OK);
    hear(d, d->outbound, &b);
}

static void confirm(struct door *d)
{
    struct buf ask = { 0 };
    bool yes = take_below(&d->in, 4) != 3 && d->shown.text[0] != 0;

    buf_printf(&ask, "{\"op\":\"confirm\",\"digits\":\"%s\"}",
        yes ? d->shown.text : "no");
    d->left = d->left || yes;
    (void)!house_ask(&d->house, written(&ask));
    buf_free(&ask);
}

static void say_admit(struct door *d)
{
    struct pair_welcome w = { .secret = { 7 } };
    struct buf records = { 0 }, b = { 0 };

    w.mesh.b[0] = take_u8(&d->in);
    w.name = take_piece(&d->in);
    for (unsigned n = take_below(&d->in, 3); n > 0; n--) {
        struct slice key, value;

        value = house_record(take_below(&d->in, HOUSE_RECORDS), &key);
        put_pair_record(&records, key, value);
        w.records_n++;
    }
    w.records = written(&records);
    ENSURE(put_pair_admit(&b, &w) == SYNCLINE_OK);
    hear(d, d->outbound, &b);
    buf_free(&records);
}

/* ---- the world ---- */

static void happen(struct door *d)
{
    switch (take_below(&d->in, 4)) {
    case 0:
        house_pass(&d->house, (uint64_t)take_u8(&d->in) * 200000);
        break;
    case 1:
        d->inbound = d->dialled = d->outbound = 0;
        d->shown.text[0] = 0;
        house_restart(&d->house, take_below(&d->in, 2) == 0);
        break;
    case 2:
        ENSURE(house_ask(&d->house, SLICE_LIT("{\"op\":\"pending\"}")));
        break;
    default:
        house_settle(&d->house);
        house_pass(&d->house, 1000);
    }
}

static void (*const steps[])(struct door *d) = { open_door, come, hang_up,
    say_bytes, say_ask, say_reveal, say_word, decide, join, answer_dial,
    say_nonce, confirm, say_admit, happen, happen };

static bool admits(const struct door *d, unsigned who)
{
    return node_admits(
        d->house.node, identity_device(house_identity(who)), false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct door d = { .in = pieces_of(data, size) };

    house_open(&d.house, HOME, house_disk());
    d.house.on_effect = on_effect;
    d.house.ctx = &d;
    crypto_port_seeded(&d.crypto, &d.self, house_identity(STRANGER), 4);
    for (int i = 0; i < STEPS_MAX && take_more(&d.in); i++) {
        bool was = admits(&d, STRANGER);

        steps[take_below(&d.in, sizeof steps / sizeof *steps)](&d);
        ENSURE(was || !admits(&d, STRANGER) || d.left ||
            (d.approved && d.confirmed));
        ENSURE(d.left || admits(&d, KITCHEN));
    }
    house_settle(&d.house);
    house_close(&d.house);
    return 0;
}
