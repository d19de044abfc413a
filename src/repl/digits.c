#include "repl/digits.h"

#include "repl/pair_impl.h"

#include "base/plant.h"
#include "base/text.h"

#include <stdio.h>

#define COMMIT_LABEL "syncline commit v1\n"
#define DIGITS_LABEL "syncline digits v1\n"

/* ---- what is compared ---- */

/* Both keys are length-prefixed, so that their ends are beyond doubt. */
static void put_link(struct buf *b, const struct pair_link *link)
{
    if (PLANTED(DIGITS_LOOSE))
        return;
    put_bytes(b, link->joiner_spki);
    put_bytes(b, link->inviter_spki);
    buf_put(b, link->exporter, PAIR_EXPORTER_LEN);
}

static int sum(
    uint8_t out[SHA256_LEN], const struct crypto_port *crypto, struct buf *b)
{
    int rc = buf_status(b);

    if (rc == SYNCLINE_OK)
        rc = crypto->sha256(crypto->self, out, buf_slice(b));
    buf_free(b);
    return rc;
}

int digits_commit(uint8_t out[SHA256_LEN], const struct crypto_port *crypto,
    const struct pair_link *link, const uint8_t nonce[DIGITS_NONCE_LEN])
{
    struct buf b = { 0 };

    buf_put_str(&b, COMMIT_LABEL);
    put_link(&b, link);
    buf_put(&b, nonce, DIGITS_NONCE_LEN);
    return sum(out, crypto, &b);
}

int digits_make(struct digits *out, const struct crypto_port *crypto,
    const struct pair_link *link, const struct digits_seen *seen)
{
    uint8_t hash[SHA256_LEN];
    struct buf b = { 0 };
    struct reader r = { .in = SLICE(hash, sizeof hash) };
    int rc;

    buf_put_str(&b, DIGITS_LABEL);
    put_link(&b, link);
    buf_put(&b, seen->commit, SHA256_LEN);
    buf_put(&b, seen->nonce_j, DIGITS_NONCE_LEN);
    buf_put(&b, seen->nonce_m, DIGITS_NONCE_LEN);
    rc = sum(hash, crypto, &b);
    /* Of 2^64 the rest of a million is nothing. */
    if (rc == SYNCLINE_OK)
        (void)snprintf(out->text, sizeof out->text, "%06u",
            (unsigned)(get_be64(&r) % 1000000));
    return rc;
}

bool digits_are(const struct digits *d, struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c == ' ' || c == '-')
            continue;
        if (n == DIGITS_N || c != (uint8_t)d->text[n])
            return false;
        n++;
    }
    return n == DIGITS_N;
}

/* ---- messages ---- */

int digits_kind(struct slice bytes, uint8_t *kind)
{
    struct reader r = reader_of(bytes);
    uint8_t type = get_u8(&r), version = get_u8(&r);

    if (r.err != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    *kind = type;
    return version == PAIR_VERSION ? SYNCLINE_OK : SYNCLINE_EVERSION;
}

static void put_head(struct buf *b, uint8_t kind)
{
    buf_put_u8(b, kind);
    buf_put_u8(b, PAIR_VERSION);
}

/* A reader behind the head; in error if that is of something else. */
static struct reader body_of(struct slice bytes, uint8_t kind)
{
    struct reader r = reader_of(bytes);
    bool fits = get_u8(&r) == kind && get_u8(&r) == PAIR_VERSION;

    if (!fits && r.err == SYNCLINE_OK)
        r.err = SYNCLINE_EMALFORMED;
    return r;
}

static int end_of(const struct reader *r)
{
    return reader_end(r) == SYNCLINE_OK ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

int put_pair_ask(struct buf *out, const struct pair_ask *ask)
{
    if (!pair_name_fits(ask->name))
        return SYNCLINE_EINVAL;
    put_head(out, PAIR_ASK);
    buf_put(out, ask->commit, SHA256_LEN);
    put_bytes(out, ask->name);
    put_varint(out, ask->port);
    return buf_status(out);
}

int get_pair_ask(struct slice bytes, struct pair_ask *out)
{
    struct reader r = body_of(bytes, PAIR_ASK);
    struct pair_ask ask;

    get_into(&r, ask.commit, SHA256_LEN);
    ask.name = get_bytes(&r);
    ask.port = (uint16_t)get_varint_max(&r, UINT16_MAX);
    if (end_of(&r) != SYNCLINE_OK || !pair_name_fits(ask.name))
        return SYNCLINE_EMALFORMED;
    *out = ask;
    return SYNCLINE_OK;
}

int put_pair_nonce(struct buf *out, enum digits_message kind,
    const uint8_t nonce[DIGITS_NONCE_LEN])
{
    put_head(out, (uint8_t)kind);
    buf_put(out, nonce, DIGITS_NONCE_LEN);
    return buf_status(out);
}

int get_pair_nonce(struct slice bytes, enum digits_message kind,
    uint8_t nonce[DIGITS_NONCE_LEN])
{
    struct reader r = body_of(bytes, (uint8_t)kind);
    struct slice got = get_fixed(&r, DIGITS_NONCE_LEN);

    if (end_of(&r) != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    memcpy(nonce, got.ptr, DIGITS_NONCE_LEN);
    return SYNCLINE_OK;
}

int put_pair_word(struct buf *out, enum digits_message kind)
{
    put_head(out, (uint8_t)kind);
    return buf_status(out);
}

int get_pair_word(struct slice bytes, enum digits_message kind)
{
    struct reader r = body_of(bytes, (uint8_t)kind);

    return end_of(&r);
}

/* No proof rides with it: the digits stand for this very connection. */
int put_pair_admit(struct buf *out, const struct pair_welcome *w)
{
    put_head(out, PAIR_ADMIT);
    pair_put_content(out, w);
    return buf_status(out);
}

int get_pair_admit(
    struct slice bytes, struct pair_welcome *out, struct errmsg *why)
{
    struct reader r = body_of(bytes, PAIR_ADMIT);
    int rc = r.err == SYNCLINE_OK ? pair_get_content(r.in, out) : r.err;

    return rc == SYNCLINE_OK ? rc : pair_tell_refusal(why, PAIR_BROKEN);
}
