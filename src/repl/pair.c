#include "repl/pair.h"

#include "repl/pair_impl.h"

#include "base/text.h"
#include "repl/peers.h"

#define JOIN_LABEL "syncline join v1\n"
#define WELCOME_LABEL "syncline welcome v1\n"

static const struct {
    int status;
    const char *text;
} refusals[] = {
    [PAIR_ACCEPTED] = { SYNCLINE_OK, "accepted" },
    [PAIR_WRONG_CODE] = { SYNCLINE_EDENIED,
        "the other machine does not know this code: ask for a new one with "
        "`syncline invite` there" },
    [PAIR_EXPIRED] = { SYNCLINE_EDENIED,
        "the code has expired: ask for a new one with `syncline invite`" },
    [PAIR_USED] = { SYNCLINE_EDENIED,
        "the code has been used by another machine: ask for a new one with "
        "`syncline invite`" },
    [PAIR_SPOILED] = { SYNCLINE_EDENIED,
        "there were too many tries with a wrong code, so this one is void: "
        "ask for a new one with `syncline invite`" },
    [PAIR_OTHER_VERSION] = { SYNCLINE_EVERSION,
        "the two machines run versions of Syncline that cannot pair: update "
        "the older one" },
    [PAIR_WRONG_DEVICE] = { SYNCLINE_EDENIED,
        "the machine at this address is not the one that made the code: check "
        "the address" },
    [PAIR_BUSY] = { SYNCLINE_EBUSY,
        "another machine is pairing there just now: try again in a minute" },
    [PAIR_BROKEN] = { SYNCLINE_EMALFORMED,
        "a pairing message was damaged: try again" },
    [PAIR_FAILED] = { SYNCLINE_EIO,
        "the other machine could not finish the pairing: its log says why" },
    [PAIR_TOO_LATE] = { SYNCLINE_ETIMEOUT,
        "the pairing took too long: try again" },
    [PAIR_CLOSED] = { SYNCLINE_EDENIED,
        "nobody is let in there without a code just now: say `syncline "
        "pending --open 2m` there and try again" },
    [PAIR_DENIED] = { SYNCLINE_EDENIED,
        "somebody at the other machine has denied this one" },
    [PAIR_UNCONFIRMED] = { SYNCLINE_EDENIED,
        "the digits were not confirmed on the machine that asked" },
};

#define REFUSALS_N (sizeof refusals / sizeof refusals[0])

const char *pair_refusal_text(enum pair_refusal refusal)
{
    return (size_t)refusal < REFUSALS_N
        ? refusals[refusal].text
        : "the other machine refused for a reason that this one does not know";
}

int pair_refusal_status(enum pair_refusal refusal)
{
    return (size_t)refusal < REFUSALS_N ? refusals[refusal].status
                                        : SYNCLINE_EDENIED;
}

/* ---- proofs ---- */

/* Both keys are length-prefixed, so that their ends are beyond doubt. */
int pair_mac(uint8_t out[SHA256_LEN], const struct crypto_port *crypto,
    const struct pair_proof *p)
{
    struct buf b = { 0 };
    int rc;

    buf_put_str(&b, p->welcome == NULL ? JOIN_LABEL : WELCOME_LABEL);
    put_bytes(&b, p->link->joiner_spki);
    put_bytes(&b, p->link->inviter_spki);
    buf_put(&b, p->link->exporter, PAIR_EXPORTER_LEN);
    if (p->welcome != NULL)
        buf_put(&b, p->welcome, SHA256_LEN);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = crypto->hmac_sha256(crypto->self, out,
            SLICE(p->secret, CODE_SECRET_LEN), buf_slice(&b));
    buf_free(&b);
    return rc;
}

bool pair_mac_equal(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN])
{
    uint8_t differ = 0;

    for (size_t i = 0; i < SHA256_LEN; i++)
        differ |= (uint8_t)(a[i] ^ b[i]);
    return differ == 0;
}

/* ---- messages ---- */

bool pair_name_fits(struct slice name)
{
    return name.len <= PAIR_NAME_MAX && utf8_valid(name);
}

int pair_get_join(struct slice bytes, struct pair_join *out,
    uint8_t mac[SHA256_LEN], enum pair_refusal *refusal)
{
    struct reader r = reader_of(bytes);
    uint8_t type = get_u8(&r), version = get_u8(&r);

    *refusal = PAIR_BROKEN;
    if (r.err != SYNCLINE_OK || type != PAIR_JOIN)
        return SYNCLINE_EDENIED;
    if (version != PAIR_VERSION) {
        *refusal = PAIR_OTHER_VERSION;
        return SYNCLINE_EDENIED;
    }
    get_into(&r, mac, SHA256_LEN);
    out->name = get_bytes(&r);
    out->port = (uint16_t)get_varint_max(&r, UINT16_MAX);
    if (reader_end(&r) != SYNCLINE_OK || !pair_name_fits(out->name))
        return SYNCLINE_EDENIED;
    *refusal = PAIR_ACCEPTED;
    return SYNCLINE_OK;
}

void put_pair_record(struct buf *b, struct slice key, struct slice value)
{
    put_bytes(b, key);
    put_bytes(b, value);
}

void get_pair_record(struct reader *r, struct slice *key, struct slice *value)
{
    *key = get_bytes(r);
    *value = get_bytes(r);
}

void pair_put_content(struct buf *b, const struct pair_welcome *w)
{
    buf_put(b, w->mesh.b, MESH_ID_LEN);
    buf_put(b, w->secret, PAIR_MESH_SECRET_LEN);
    put_bytes(b, w->name);
    put_varint(b, w->peers_n);
    buf_put_slice(b, w->peers);
    put_varint(b, w->records_n);
    buf_put_slice(b, w->records);
}

int pair_get_content(struct slice content, struct pair_welcome *out)
{
    struct reader r = reader_of(content), each;
    struct pair_welcome w;

    get_into(&r, w.mesh.b, MESH_ID_LEN);
    get_into(&r, w.secret, PAIR_MESH_SECRET_LEN);
    w.name = get_bytes(&r);
    w.peers_n = (uint32_t)get_varint_max(&r, PEERS_MAX);
    w.peers = r.in;
    (void)!peers_pass_told(&r, w.peers_n);
    w.records_n = (uint32_t)get_varint_max(&r, UINT32_MAX);
    if (r.err != SYNCLINE_OK || !pair_name_fits(w.name))
        return SYNCLINE_EMALFORMED;
    w.records = r.in;
    each = r;
    for (uint32_t i = 0; i < w.records_n && each.err == SYNCLINE_OK; i++) {
        struct slice key, value;

        get_pair_record(&each, &key, &value);
    }
    if (reader_end(&each) != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    *out = w;
    return SYNCLINE_OK;
}

void pair_put_refuse(struct buf *out, enum pair_refusal refusal)
{
    buf_put_u8(out, PAIR_REFUSE);
    buf_put_u8(out, PAIR_VERSION);
    put_varint(out, refusal);
    put_bytes(out, slice_str(pair_refusal_text(refusal)));
}

/* ---- the joiner ---- */

int pair_tell_refusal(struct errmsg *why, enum pair_refusal refusal)
{
    return errmsg_set(
        why, pair_refusal_status(refusal), "%s", pair_refusal_text(refusal));
}

static int check_device(const struct crypto_port *crypto,
    const struct pair_code *code, const struct pair_link *link,
    struct errmsg *why)
{
    struct device_id device;
    int rc = crypto->sha256(crypto->self, device.b, link->inviter_spki);

    if (rc != SYNCLINE_OK)
        return rc;
    return memcmp(device.b, code->prefix, CODE_PREFIX_LEN) == 0
        ? SYNCLINE_OK
        : pair_tell_refusal(why, PAIR_WRONG_DEVICE);
}

int pair_put_join(const struct crypto_port *crypto,
    const struct pair_code *code, const struct pair_link *link,
    struct slice name, uint16_t port, struct buf *out, struct errmsg *why)
{
    struct pair_proof proof = { .secret = code->secret, .link = link };
    uint8_t mac[SHA256_LEN];
    int rc;

    if (!pair_name_fits(name))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "this machine's name is longer than %d bytes", PAIR_NAME_MAX);
    rc = check_device(crypto, code, link, why);
    if (rc == SYNCLINE_OK)
        rc = pair_mac(mac, crypto, &proof);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_u8(out, PAIR_JOIN);
    buf_put_u8(out, PAIR_VERSION);
    buf_put(out, mac, sizeof mac);
    put_bytes(out, name);
    put_varint(out, port);
    return buf_status(out);
}

/* A later version may have other words in it; its number still says which. */
int pair_get_refuse(struct reader *r, struct errmsg *why)
{
    uint64_t number = get_varint(r);

    if (r->err != SYNCLINE_OK || number == PAIR_ACCEPTED)
        return pair_tell_refusal(why, PAIR_BROKEN);
    return pair_tell_refusal(why,
        number < REFUSALS_N ? (enum pair_refusal)number
                            : (enum pair_refusal)REFUSALS_N);
}

static int on_welcome(const struct crypto_port *crypto,
    const struct pair_proof *given, struct reader *r, struct pair_welcome *out,
    struct errmsg *why)
{
    struct pair_proof proof = *given;
    uint8_t theirs[SHA256_LEN], mac[SHA256_LEN], sum[SHA256_LEN];
    int rc;

    get_into(r, theirs, sizeof theirs);
    if (r->err != SYNCLINE_OK)
        return pair_tell_refusal(why, PAIR_BROKEN);
    rc = crypto->sha256(crypto->self, sum, r->in);
    proof.welcome = sum;
    if (rc == SYNCLINE_OK)
        rc = pair_mac(mac, crypto, &proof);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!pair_mac_equal(mac, theirs))
        return errmsg_set(why, SYNCLINE_EDENIED,
            "the other machine does not know the code that it should have "
            "made: nothing was taken over");
    rc = pair_get_content(r->in, out);
    return rc == SYNCLINE_OK ? rc : pair_tell_refusal(why, PAIR_BROKEN);
}

int pair_on_answer(const struct crypto_port *crypto,
    const struct pair_code *code, const struct pair_link *link,
    struct slice bytes, struct pair_welcome *out, struct errmsg *why)
{
    struct pair_proof proof = { .secret = code->secret, .link = link };
    struct reader r = reader_of(bytes);
    uint8_t type = get_u8(&r), version = get_u8(&r);
    int rc = check_device(crypto, code, link, why);

    if (rc != SYNCLINE_OK)
        return rc;
    if (r.err == SYNCLINE_OK && type == PAIR_REFUSE)
        return pair_get_refuse(&r, why);
    if (r.err != SYNCLINE_OK || type != PAIR_WELCOME)
        return pair_tell_refusal(why, PAIR_BROKEN);
    if (version != PAIR_VERSION)
        return pair_tell_refusal(why, PAIR_OTHER_VERSION);
    return on_welcome(crypto, &proof, &r, out, why);
}
