/* pair_fuzz.c - a byte that says who is spoken to and how, then a message of
 * a pairing: as it stands, or as pieces of one that is made with the code.
 *
 * Holds the law: without the code nobody is let in and nothing is believed;
 * what is made with it says what was put in, or is refused with a reason. */
#include "fuzz/fuzz.h"
#include "repl/pair_impl.h"

/* An inviter (0) and a joiner (1) at the two ends of one connection. */
struct door {
    struct identity *id[2];
    struct crypto_port crypto[2];
    struct crypto_self self[2];
    uint8_t exporter[PAIR_EXPORTER_LEN];
    struct pair_link link;
    struct invites *invites;
    struct pair_code code;
};

static void door_open(struct door *d)
{
    static struct identity *id[2];
    struct buf text = { 0 };

    *d = (struct door){ .exporter = { 0x5a } };
    for (uint8_t i = 0; i < 2; i++) {
        const uint8_t seed[IDENTITY_SEED_LEN] = { i, 2 };

        if (id[i] == NULL)
            ENSURE(identity_from_seed(&id[i], seed) == SYNCLINE_OK);
        d->id[i] = id[i];
        crypto_port_seeded(&d->crypto[i], &d->self[i], id[i], i);
    }
    d->link = (struct pair_link){ .joiner_spki = identity_spki(id[1]),
        .inviter_spki = identity_spki(id[0]),
        .exporter = d->exporter };
    ENSURE(invites_new(&d->invites, &d->crypto[0]) == SYNCLINE_OK);
    ENSURE(invite_open(d->invites, 0, 0, NULL, 0, &text) == SYNCLINE_OK);
    ENSURE(code_decode(&d->code, written(&text), NULL) == SYNCLINE_OK);
    buf_free(&text);
}

static bool hear_join(struct door *d, struct slice bytes, struct pair_join *out)
{
    enum pair_refusal refusal = PAIR_ACCEPTED;
    int rc = pair_on_join(d->invites, &d->link, 1, bytes, out, &refusal);

    ENSURE(rc == SYNCLINE_OK || rc == SYNCLINE_EDENIED);
    ENSURE((rc == SYNCLINE_OK) == (refusal == PAIR_ACCEPTED));
    ENSURE(pair_refusal_text(refusal)[0] != 0);
    return rc == SYNCLINE_OK;
}

static bool hear_answer(
    struct door *d, struct slice bytes, struct pair_welcome *out)
{
    struct errmsg why = { "" };
    int rc =
        pair_on_answer(&d->crypto[1], &d->code, &d->link, bytes, out, &why);

    ENSURE(rc == SYNCLINE_OK || why.text[0] != 0);
    return rc == SYNCLINE_OK;
}

static void raw_join(struct door *d, struct pieces *p)
{
    struct pair_join join;

    ENSURE(!hear_join(d, p->in, &join));
}

static void raw_answer(struct door *d, struct pieces *p)
{
    struct pair_welcome w;

    ENSURE(!hear_answer(d, p->in, &w));
}

/* The proof of a JOIN is about who speaks, not about the name he gives. */
static void made_join(struct door *d, struct pieces *p)
{
    struct buf made = { 0 }, b = { 0 };
    struct pair_join join;
    struct reader r;

    ENSURE(pair_put_join(&d->crypto[1], &d->code, &d->link, SLICE_LIT("x"), 1,
               &made, NULL) == SYNCLINE_OK);
    buf_put(&b, made.ptr, 2 + SHA256_LEN);
    buf_put_slice(&b, p->in);
    if (hear_join(d, written(&b), &join)) {
        ENSURE(device_eq(&join.device, identity_device(d->id[1])));
        ENSURE(join.name.len <= PAIR_NAME_MAX);
        r = reader_of(p->in);
        ENSURE(slice_eq(join.name, get_bytes(&r)));
    }
    buf_free(&made);
    buf_free(&b);
}

static uint64_t let_in(struct door *d)
{
    struct buf b = { 0 };
    struct pair_join join;

    ENSURE(pair_put_join(&d->crypto[1], &d->code, &d->link, SLICE_LIT("x"), 1,
               &b, NULL) == SYNCLINE_OK);
    ENSURE(hear_join(d, written(&b), &join));
    buf_free(&b);
    return join.invite;
}

static void made_welcome(struct door *d, struct pieces *p)
{
    struct pair_welcome w = { .mesh = { { 1 } }, .secret = { 2 } }, got;
    struct buf b = { 0 };
    uint8_t change = take_u8(p), where = take_u8(p);

    w.name = take_piece(p);
    w.records_n = (uint32_t)take_number(p);
    w.records = p->in;
    ENSURE(pair_put_welcome(d->invites, let_in(d), &d->link, &w, &b) ==
        SYNCLINE_OK);
    b.ptr[where % b.len] ^= change;
    if (hear_answer(d, written(&b), &got)) {
        ENSURE(change == 0 && got.records_n == w.records_n);
        ENSURE(memcmp(got.secret, w.secret, sizeof w.secret) == 0);
        ENSURE(slice_eq(got.name, w.name) && slice_eq(got.records, w.records));
    }
    buf_free(&b);
}

static void made_refusal(struct door *d, struct pieces *p)
{
    struct pair_welcome w;
    struct buf b = { 0 };

    pair_put_refuse(&b, (enum pair_refusal)take_u8(p));
    ENSURE(!hear_answer(d, written(&b), &w));
    buf_free(&b);
}

static void (*const ways[])(struct door *d, struct pieces *p) = { raw_join,
    raw_answer, made_join, made_welcome, made_refusal };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct door d;

    door_open(&d);
    ways[take_below(&p, sizeof ways / sizeof *ways)](&d, &p);
    invites_free(d.invites);
    return 0;
}
