#include "faces/isync/keys.h"

#include "base/text.h"
#include "crypto/crypto.h"

#define LABEL "syncline isync token of period %llu"

static void put_padded(struct buf *b, struct slice s)
{
    put_base64(b, s);
    for (size_t n = s.len; n % 3 != 0; n++)
        buf_put_u8(b, '=');
}

void isync_token_put(struct buf *out, const uint8_t random[ISYNC_TOKEN_RANDOM])
{
    put_padded(out, SLICE(random, ISYNC_TOKEN_RANDOM));
}

/* The token of a period; without rotation the secret itself. */
static int token_of(
    struct buf *out, struct slice secret, uint64_t period_s, uint64_t number)
{
    uint8_t sum[SHA256_LEN];
    struct buf label = { 0 };
    int rc;

    if (period_s == 0) {
        buf_put_slice(out, secret);
        return buf_status(out);
    }
    buf_printf(&label, LABEL, (unsigned long long)number);
    rc = buf_status(&label);
    if (rc == SYNCLINE_OK)
        rc = crypto_hmac_sha256(sum, secret, buf_slice(&label));
    if (rc == SYNCLINE_OK) {
        put_padded(out, SLICE(sum, sizeof sum));
        rc = buf_status(out);
    }
    crypto_wipe(sum, sizeof sum);
    buf_free(&label);
    return rc;
}

int isync_token_at(
    struct buf *out, const struct isync_secret *secret, uint64_t now_s)
{
    if (secret->token.len == 0)
        return SYNCLINE_ENOTFOUND;
    return token_of(out, secret->token, secret->period_s,
        secret->period_s > 0 ? now_s / secret->period_s : 0);
}

static int add(struct isync_keys *keys, struct slice secret, uint64_t period_s,
    uint64_t number)
{
    struct buf token = { 0 };
    int rc = token_of(&token, secret, period_s, number);

    if (rc == SYNCLINE_OK)
        rc = fernet_key_of_token(&keys->key[keys->n], buf_slice(&token));
    if (rc == SYNCLINE_OK)
        keys->n++;
    if (token.len > 0)
        crypto_wipe(token.ptr, token.len);
    buf_free(&token);
    return rc;
}

static void turn_at(struct isync_keys *keys, uint64_t at_s, uint64_t now_s)
{
    if (at_s > now_s && (keys->turns_s == 0 || at_s < keys->turns_s))
        keys->turns_s = at_s;
}

/* What counts of one secret, the one in force first. */
static int add_all(struct isync_keys *keys, struct slice secret,
    const struct isync_secret *how, uint64_t now_s)
{
    const uint64_t period = how->period_s;
    const uint64_t overlap =
        how->overlap_s < period / 2 ? how->overlap_s : period / 2;
    const uint64_t number = period > 0 ? now_s / period : 0;
    const uint64_t since = now_s - number * period;
    int rc = add(keys, secret, period, number);

    if (period == 0 || rc != SYNCLINE_OK)
        return rc;
    if (since < overlap && number > 0)
        rc = add(keys, secret, period, number - 1);
    if (rc == SYNCLINE_OK && period - since <= overlap)
        rc = add(keys, secret, period, number + 1);
    turn_at(keys, number * period + overlap, now_s);
    turn_at(keys, number * period + period - overlap, now_s);
    turn_at(keys, number * period + period, now_s);
    return rc;
}

int isync_keys_at(
    struct isync_keys *out, const struct isync_secret *secret, uint64_t now_s)
{
    struct isync_keys keys = { .can_seal = secret->token.len > 0 };
    bool has_before = secret->before.len > 0 &&
        (secret->before_until == 0 || now_s < secret->before_until);
    int rc = SYNCLINE_OK;

    if (keys.can_seal)
        rc = add_all(&keys, secret->token, secret, now_s);
    if (rc == SYNCLINE_OK && has_before) {
        rc = add_all(&keys, secret->before, secret, now_s);
        turn_at(&keys, secret->before_until, now_s);
    }
    if (rc == SYNCLINE_OK)
        *out = keys;
    isync_keys_wipe(&keys);
    return rc;
}

void isync_keys_wipe(struct isync_keys *keys)
{
    crypto_wipe(keys, sizeof *keys);
}

int isync_seal(struct buf *out, const struct isync_keys *keys, uint64_t time_s,
    const uint8_t iv[FERNET_IV_LEN], struct slice plain)
{
    struct buf text = { 0 };
    int rc;

    if (keys->n == 0 || !keys->can_seal)
        return SYNCLINE_EUNSUPPORTED;
    rc = fernet_seal(&text, &keys->key[0], time_s, iv, plain);
    if (rc == SYNCLINE_OK) {
        put_padded(out, buf_slice(&text));
        rc = buf_status(out);
    }
    buf_free(&text);
    return rc;
}

int isync_open(
    struct buf *out, const struct isync_keys *keys, struct slice text)
{
    struct buf token = { 0 };
    int rc = SYNCLINE_EDENIED;

    if (text.len == 0 || text.len % 4 != 0)
        return SYNCLINE_EMALFORMED;
    for (int i = 0; i < 2 && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    if (base64_decode(&token, text) != SYNCLINE_OK)
        rc = buf_status(&token) != SYNCLINE_OK ? buf_status(&token)
                                               : SYNCLINE_EMALFORMED;
    for (size_t i = 0; i < keys->n && rc == SYNCLINE_EDENIED; i++)
        rc = fernet_open(out, &keys->key[i], buf_slice(&token), NULL);
    buf_free(&token);
    return rc;
}
