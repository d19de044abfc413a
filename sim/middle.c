#include "sim/middle.h"

void middle_act(struct middle *m, enum middle_way way)
{
    const uint8_t seed[IDENTITY_SEED_LEN] = { 'm', 'i', 'd', 'd', 'l', 'e' };

    m->way = way;
    if (way == MIDDLE_NONE || m->identity != NULL)
        return;
    ENSURE(identity_from_seed(&m->identity, seed) == SYNCLINE_OK);
    crypto_port_seeded(&m->crypto, &m->self, m->identity, 1);
}

void middle_free(struct middle *m)
{
    identity_free(m->identity);
    buf_free(&m->said);
}

static const uint8_t own[DIGITS_NONCE_LEN] = { 1 };
static const uint8_t chosen[DIGITS_NONCE_LEN] = { 2 };

/* Its own commitment under the joiner's name. */
static void put_ask(struct middle *m, struct slice bytes,
    struct slice member_spki, const uint8_t *exporter)
{
    struct pair_link link = { .joiner_spki = identity_spki(m->identity),
        .inviter_spki = member_spki,
        .exporter = exporter };
    struct pair_ask ask;

    ENSURE(get_pair_ask(bytes, &ask) == SYNCLINE_OK);
    ENSURE(digits_commit(ask.commit, &m->crypto, &link, own) == SYNCLINE_OK);
    ENSURE(put_pair_ask(&m->said, &ask) == SYNCLINE_OK);
}

struct slice middle_pass(struct middle *m, enum middle_way way,
    struct slice bytes, struct slice member_spki, const uint8_t *exporter)
{
    uint8_t kind = 0;

    if (way == MIDDLE_PASSES || digits_kind(bytes, &kind) != SYNCLINE_OK)
        return bytes;
    buf_clear(&m->said);
    if (kind == PAIR_ASK)
        put_ask(m, bytes, member_spki, exporter);
    else if (kind == PAIR_REVEAL)
        ENSURE(put_pair_nonce(&m->said, PAIR_REVEAL,
                   way == MIDDLE_OWN ? own : chosen) == SYNCLINE_OK);
    else
        return bytes;
    return buf_slice(&m->said);
}
