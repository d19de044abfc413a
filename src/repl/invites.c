/* The inviter's side of pair.h: codes that were given out, and who uses one. */
#include "repl/pair_impl.h"

#include <stdlib.h>

#include "base/plant.h"
#include "repl/beacon.h"

/* Spent ones are remembered for a while, so that whoever comes late or second
 * hears why it is in vain. */
#define SLOTS (2 * INVITES_MAX)
#define REMEMBER_US INVITE_US_DEFAULT

/*  FREE --open--> OPEN --accepted--> USED
 *                  |---time is up--> EXPIRED
 *                  |---wrong tries-> SPOILED
 *  the last three are FREE again when their slot is needed */
enum state { FREE, OPEN, USED, EXPIRED, SPOILED };

struct invite {
    enum state state;
    uint64_t id;
    uint64_t until_us; /* OPEN: when it expires; else: when it ended */
    uint64_t expires_us;
    unsigned tries;
    struct device_id user;
    uint8_t secret[CODE_SECRET_LEN];
    struct pair_terms terms;
    bool is_signed; /* what it was good for is done, by that certificate */
    struct cert_id cert;
};

struct invites {
    const struct crypto_port *crypto;
    struct invite slots[SLOTS];
    uint64_t last_id;
    uint64_t door; /* the connection at the door; 0: none */
    uint64_t door_until_us;
};

int invites_new(struct invites **out, const struct crypto_port *crypto)
{
    struct invites *in = calloc(1, sizeof *in);

    if (in == NULL)
        return SYNCLINE_ENOMEM;
    in->crypto = crypto;
    *out = in;
    return SYNCLINE_OK;
}

void invites_free(struct invites *in)
{
    if (in == NULL)
        return;
    invites_forget(in);
    free(in);
}

void invites_forget(struct invites *in)
{
    memset(in->slots, 0, sizeof in->slots);
}

/* What it is at this moment. */
static enum state state_of(const struct invite *v, uint64_t now_us)
{
    return v->state == OPEN && now_us >= v->until_us ? EXPIRED : v->state;
}

size_t invites_open_n(const struct invites *in, uint64_t now_us)
{
    size_t n = 0;

    for (size_t i = 0; i < SLOTS; i++)
        n += state_of(&in->slots[i], now_us) == OPEN;
    return n;
}

/* A free slot, or that which ended first. */
static struct invite *slot_for(struct invites *in, uint64_t now_us)
{
    struct invite *best = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        struct invite *v = &in->slots[i];

        if (v->state == FREE)
            return v;
        if (state_of(v, now_us) != OPEN &&
            (best == NULL || v->until_us < best->until_us))
            best = v;
    }
    return best;
}

int invite_open(struct invites *in, uint64_t now_us, uint64_t lasts_us,
    const struct netaddr *addrs, size_t addrs_n, struct buf *code)
{
    struct pair_code c = { .addrs_n = addrs_n };
    struct invite *v = slot_for(in, now_us);
    int rc;

    if (addrs_n > CODE_ADDRS_MAX || lasts_us > UINT64_MAX - now_us)
        return SYNCLINE_EINVAL;
    if (invites_open_n(in, now_us) >= INVITES_MAX || v == NULL)
        return SYNCLINE_ELIMIT;
    rc = in->crypto->random(in->crypto->self, c.secret, sizeof c.secret);
    if (rc != SYNCLINE_OK)
        return rc;
    memcpy(c.prefix, in->crypto->device.b, CODE_PREFIX_LEN);
    for (size_t i = 0; i < addrs_n; i++)
        c.addrs[i] = addrs[i];
    rc = code_encode(code, &c);
    if (rc != SYNCLINE_OK)
        return rc;
    *v = (struct invite){ .state = OPEN, .id = ++in->last_id };
    v->until_us = now_us + (lasts_us == 0 ? INVITE_US_DEFAULT : lasts_us);
    v->expires_us = v->until_us;
    memcpy(v->secret, c.secret, sizeof v->secret);
    v->terms.role = ROLE_ADMIN;
    return SYNCLINE_OK;
}

void invite_bind(struct invites *in, const struct pair_terms *terms)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (in->slots[i].state == OPEN && in->slots[i].id == in->last_id)
            in->slots[i].terms = *terms;
}

void invite_signed(
    struct invites *in, uint64_t invite, const struct cert_id *cert)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct invite *v = &in->slots[i];

        if (v->state != USED || v->id != invite)
            continue;
        v->is_signed = true;
        v->cert = *cert;
    }
}

bool invites_expect(const struct invites *in, uint64_t now_us)
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct invite *v = &in->slots[i];

        if (v->state != FREE &&
            (now_us < v->until_us || now_us - v->until_us < REMEMBER_US))
            return true;
    }
    return false;
}

/* ---- the door ---- */

enum pair_refusal invites_knock(
    struct invites *in, uint64_t conn, uint64_t now_us)
{
    if (in->door != 0 && now_us < in->door_until_us)
        return PAIR_BUSY;
    in->door = conn;
    in->door_until_us = now_us + PAIR_DOOR_US;
    return PAIR_ACCEPTED;
}

void invites_stay(struct invites *in, uint64_t conn, uint64_t until_us)
{
    if (in->door == conn)
        in->door_until_us = until_us;
}

void invites_leave(struct invites *in, uint64_t conn)
{
    if (in->door == conn)
        in->door = 0;
}

uint64_t invites_overdue(const struct invites *in, uint64_t now_us)
{
    return in->door != 0 && now_us >= in->door_until_us ? in->door : 0;
}

uint64_t invites_deadline(const struct invites *in)
{
    return in->door == 0 ? UINT64_MAX : in->door_until_us;
}

/* ---- who comes in ---- */

/* *out is the invite whose secret made the mac, spent or not, or NULL. Looks
 * at all of them, so that time tells nothing. */
static int match(struct invites *in, const struct pair_link *link,
    const uint8_t mac[SHA256_LEN], struct invite **out)
{
    struct invite *found = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        struct pair_proof proof = { .secret = in->slots[i].secret,
            .link = link };
        uint8_t mine[SHA256_LEN];
        int rc;

        if (in->slots[i].state == FREE)
            continue;
        rc = pair_mac(mine, in->crypto, &proof);
        if (rc != SYNCLINE_OK)
            return rc;
        if (pair_mac_equal(mine, mac))
            found = &in->slots[i];
    }
    *out = found;
    return SYNCLINE_OK;
}

/* A wrong mac may have been meant for any of them. */
static enum pair_refusal wrong_try(struct invites *in, uint64_t now_us)
{
    enum pair_refusal refusal = PAIR_WRONG_CODE;

    for (size_t i = 0; i < SLOTS; i++) {
        struct invite *v = &in->slots[i];

        if (state_of(v, now_us) != OPEN || ++v->tries < INVITE_TRIES ||
            PLANTED(R05_CODES))
            continue;
        v->state = SPOILED;
        v->until_us = now_us;
        refusal = PAIR_SPOILED;
    }
    return refusal;
}

static enum pair_refusal try_invite(
    struct invite *v, const struct device_id *who, uint64_t now_us)
{
    switch (state_of(v, now_us)) {
    case OPEN:
        v->state = USED;
        v->until_us = now_us;
        v->user = *who;
        return PAIR_ACCEPTED;
    case USED:
        if (!device_eq(&v->user, who))
            return PAIR_USED;
        return now_us < v->expires_us ? PAIR_ACCEPTED : PAIR_EXPIRED;
    case SPOILED:
        return PAIR_SPOILED;
    case FREE:
    case EXPIRED:
        break;
    }
    return PAIR_EXPIRED;
}

int pair_on_join(struct invites *in, const struct pair_link *link,
    uint64_t now_us, struct slice bytes, struct pair_join *out,
    enum pair_refusal *refusal)
{
    uint8_t mac[SHA256_LEN];
    struct pair_join join;
    struct invite *v;
    enum pair_refusal answer;
    int rc = pair_get_join(bytes, &join, mac, &answer);

    if (rc != SYNCLINE_OK)
        goto out;
    rc = in->crypto->sha256(in->crypto->self, join.device.b, link->joiner_spki);
    if (rc == SYNCLINE_OK)
        rc = match(in, link, mac, &v);
    if (rc != SYNCLINE_OK)
        return rc;
    answer =
        v == NULL ? wrong_try(in, now_us) : try_invite(v, &join.device, now_us);
    if (answer == PAIR_ACCEPTED) {
        join.invite = v->id;
        join.terms = v->terms;
        join.is_signed = v->is_signed;
        join.cert = v->cert;
        *out = join;
        return SYNCLINE_OK;
    }
    rc = SYNCLINE_EDENIED;
out:
    *refusal = answer;
    return rc;
}

int pair_put_welcome(const struct invites *in, uint64_t invite,
    const struct pair_link *link, const struct pair_welcome *w, struct buf *out)
{
    struct pair_proof proof = { .link = link };
    uint8_t sum[SHA256_LEN], mac[SHA256_LEN];
    struct buf content = { 0 };
    int rc;

    for (size_t i = 0; i < SLOTS; i++)
        if (in->slots[i].state == USED && in->slots[i].id == invite)
            proof.secret = in->slots[i].secret;
    if (proof.secret == NULL)
        return SYNCLINE_ENOTFOUND;
    pair_put_content(&content, w);
    rc = buf_status(&content);
    if (rc == SYNCLINE_OK)
        rc = in->crypto->sha256(in->crypto->self, sum, buf_slice(&content));
    proof.welcome = sum;
    if (rc == SYNCLINE_OK)
        rc = pair_mac(mac, in->crypto, &proof);
    if (rc != SYNCLINE_OK)
        goto out;
    buf_put_u8(out, PAIR_WELCOME);
    buf_put_u8(out, PAIR_VERSION);
    buf_put(out, mac, sizeof mac);
    buf_put_slice(out, buf_slice(&content));
    rc = buf_status(out);
out:
    buf_free(&content);
    return rc;
}

int invites_answer_find(const struct invites *in, uint64_t now_us,
    struct slice datagram, uint16_t port, struct buf *out)
{
    struct beacon me = { .device = in->crypto->device, .port = port };

    for (size_t i = 0; i < SLOTS; i++) {
        const struct invite *v = &in->slots[i];
        struct slice secret = SLICE(v->secret, CODE_SECRET_LEN);
        struct beacon_find find;
        int rc;

        if (state_of(v, now_us) != OPEN)
            continue;
        rc = beacon_get_find(&find, in->crypto, secret, datagram);
        if (rc == SYNCLINE_OK)
            return beacon_put_here(out, in->crypto, secret, &find, &me);
        if (rc != SYNCLINE_EDENIED)
            return rc;
    }
    return SYNCLINE_EDENIED;
}
