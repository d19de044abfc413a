/* Epochs: `syncline clock reset` lets the clocks of a mesh start again.
 *
 * A record says "epoch N of this mesh", is signed by the device that says so,
 * and carries the certificates that make that device an admin, up to the
 * founder's: it proves itself to whoever knows the mesh id. It is
 * an item of `_mesh`, and every node keeps the one that it first took, so as
 * to prove the epoch to peers before it sends them stamps of it.
 *
 * A node takes the epoch after its own and no other, so that nobody can spend
 * them all. The largest counts: two resets at once are one. */
#include "base/plant.h"
#include "base/text.h"
#include "repl/collect_impl.h"

#include <stdlib.h>

#define SIGNED_PREFIX "syncline clock v1\n"
#define CHAIN_MAX 1024

/* ---- reading ---- */

struct proof {
    struct slice payload;
    uint8_t sig[ED25519_SIG_LEN];
    struct device_id by;
    uint64_t epoch;
    const struct json *certs; /* key, document, key, document... */
};

static int no_proof(struct errmsg *why, const char *text)
{
    return errmsg_set(why, SYNCLINE_EMALFORMED, "%s", text);
}

static int read_payload(
    const struct node *n, struct proof *p, struct arena *a, struct errmsg *why)
{
    struct mesh_id mesh;
    struct json *v;
    int64_t epoch;
    int rc = json_parse(&v, p->payload, JSON_STRICT, a, NULL);

    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc != SYNCLINE_OK || !slice_is(json_get_str(v, "kind"), "clock"))
        return no_proof(why, "it is no record of an epoch");
    if (hex_decode(mesh.b, MESH_ID_LEN, json_get_str(v, "mesh")) != 0 ||
        memcmp(mesh.b, n->mesh.b, MESH_ID_LEN) != 0)
        return no_proof(why, "it belongs to another mesh");
    if (hex_decode(p->by.b, DEVICE_ID_LEN, json_get_str(v, "by")) != 0)
        return no_proof(why, "it does not say who signed it");
    epoch = json_get_int(v, "epoch", 0);
    if (epoch < 1 || (uint64_t)epoch > EPOCH_MAX)
        return no_proof(why, "its number is out of range");
    p->epoch = (uint64_t)epoch;
    return SYNCLINE_OK;
}

static int read_proof(const struct node *n, struct proof *p,
    struct slice record, struct arena *a, struct errmsg *why)
{
    struct json *v;
    int rc;

    *p = (struct proof){ .epoch = 0 };
    if (record.len > EPOCH_RECORD_MAX)
        return no_proof(why, "it is too long");
    rc = json_parse(&v, record, JSON_STRICT, a, NULL);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc != SYNCLINE_OK || v->type != JSON_ARRAY || v->n < 4 || v->n % 2 != 0)
        return no_proof(why, "it is no array of texts");
    for (const struct json *e = v->first; e != NULL; e = e->next)
        if (e->type != JSON_STRING)
            return no_proof(why, "it is no array of texts");
    p->payload = v->first->s;
    if (hex_decode(p->sig, sizeof p->sig, v->first->next->s) != SYNCLINE_OK)
        return no_proof(why, "its signature is no hex");
    p->certs = v->first->next->next;
    return read_payload(n, p, a, why);
}

static int check_signature(const struct node *n, const struct proof *p,
    const struct member *by, struct errmsg *why)
{
    const struct crypto_port *crypto = n->opt.crypto;
    struct buf text = { 0 };
    int rc;

    if (by == NULL || by->role != ROLE_ADMIN)
        return no_proof(why, "nothing shows that an admin signed it");
    buf_put_slice(&text, SLICE_LIT(SIGNED_PREFIX));
    buf_put_slice(&text, p->payload);
    rc = buf_status(&text);
    if (rc == SYNCLINE_OK)
        rc = crypto->verify(crypto->self, by->spki,
            SLICE(p->sig, sizeof p->sig), buf_slice(&text));
    buf_free(&text);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM
        ? rc
        : no_proof(why, "its signature is wrong");
}

/* By its own certificates alone: whoever looks at it, at any time, comes to
 * the same result. */
static int check_proof(
    const struct node *n, const struct proof *p, struct errmsg *why)
{
    struct members *m;
    bool changed;
    int rc = members_new(&m, n->opt.crypto, &n->mesh);

    if (rc != SYNCLINE_OK)
        return rc;
    for (const struct json *e = p->certs; e != NULL && rc == SYNCLINE_OK;
         e = e->next->next)
        rc = members_is_key(e->s)
            ? members_set(m, e->s, e->next->s, why)
            : no_proof(why, "it holds what is no certificate");
    if (rc == SYNCLINE_EINVAL)
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = members_fold(m, &changed);
    if (rc == SYNCLINE_OK)
        rc = check_signature(n, p, members_get(m, &p->by), why);
    members_free(m);
    return rc;
}

static struct slice key_epoch(struct buf *b, uint64_t epoch)
{
    buf_clear(b);
    buf_put_str(b, META_EPOCH);
    put_be64(b, epoch);
    return buf_slice(b);
}

int epoch_take(
    struct node *n, struct slice record, bool *raised, struct errmsg *why)
{
    struct proof p;
    int rc = read_proof(n, &p, record, &n->step, why);

    *raised = false;
    if (rc != SYNCLINE_OK || p.epoch <= n->epoch ||
        (PLANTED(EPOCH_LOWERED) && !n->started))
        return rc;
    if (p.epoch > n->epoch + 1)
        return no_proof(why, "it skips epochs");
    rc = check_proof(n, &p, why);
    if (rc != SYNCLINE_OK)
        return rc;
    txn_put(&n->txn, TABLE_META, key_epoch(&n->key, p.epoch), record);
    clock_enter(n, p.epoch);
    n->counts.epochs_entered++;
    n->want_flush = true; /* before any row, it is told */
    *raised = true;
    log_line(&n->log, LOG_LEVEL_WARN, "clock",
        "epoch %llu: the clocks of this mesh start again",
        (unsigned long long)p.epoch);
    rc = node_audit(n, "clock",
        (const struct audit_field[]){ AUDIT_NUMBER("epoch", p.epoch),
            AUDIT_DEVICE("by", &p.by), AUDIT_END });
    return rc == SYNCLINE_OK ? txn_status(&n->txn) : rc;
}

/* ---- making ---- */

/* Records of `_mesh` that a proof takes along, each once. */
struct chain {
    struct node *node;
    struct slice keys[CHAIN_MAX];
    uint32_t n;
};

static int chain_add(struct chain *c, const char *prefix, struct slice rest)
{
    struct buf key = { 0 };
    int rc;

    buf_put_str(&key, prefix);
    buf_put_slice(&key, rest);
    rc = buf_status(&key);
    for (uint32_t i = 0; i < c->n && rc == SYNCLINE_OK; i++)
        if (slice_eq(c->keys[i], buf_slice(&key)))
            goto out;
    if (rc == SYNCLINE_OK && c->n == CHAIN_MAX)
        rc = SYNCLINE_ELIMIT;
    if (rc == SYNCLINE_OK) {
        c->keys[c->n] = arena_dup(&c->node->step, buf_slice(&key));
        rc = c->keys[c->n].ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    if (rc == SYNCLINE_OK)
        c->n++;
out:
    buf_free(&key);
    return rc;
}

/* The payloads of a record, parsed; NULL: not one of those. */
static int parse_payload(
    struct node *n, const struct json *text, struct json **out)
{
    int rc;

    *out = NULL;
    if (text->type != JSON_STRING || text->s.len == 0 || text->s.ptr[0] != '{')
        return SYNCLINE_OK;
    rc = json_parse(out, text->s, JSON_STRICT, &n->step, NULL);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

/* What a record stands on comes into the chain, too. */
static int chain_grounds(struct chain *c, bool old, struct slice doc)
{
    struct json *v, *payload;
    int rc = json_parse(&v, doc, JSON_STRICT, &c->node->step, NULL);

    if (rc != SYNCLINE_OK || v->type != JSON_ARRAY)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_ENOTFOUND;
    for (const struct json *e = v->first; e != NULL && rc == SYNCLINE_OK;
         e = e->next) {
        const struct json *after;

        rc = parse_payload(c->node, e, &payload);
        if (rc != SYNCLINE_OK || payload == NULL)
            continue;
        if (old)
            rc = chain_add(c, MEMBER_PREFIX, json_get_str(payload, "by"));
        after = json_get(payload, "after");
        for (const struct json *a = after != NULL ? after->first : NULL;
             a != NULL && rc == SYNCLINE_OK; a = a->next)
            rc = chain_add(c, CERT_PREFIX, a->s);
    }
    return rc;
}

/* What says of this device what it may. */
static int note_own(void *ctx, struct slice key, struct slice value)
{
    struct chain *c = ctx;
    struct node *n = c->node;
    uint8_t device[DEVICE_ID_LEN];
    struct json *payload;
    struct stored st;
    struct buf doc = { 0 };
    struct json *v = NULL;
    int rc = stored_decode(value, &st, &n->step);

    if (rc != SYNCLINE_OK || !item_alive(&st.item))
        return rc;
    put_document(&doc, &st.item, &n->step);
    rc = buf_status(&doc);
    if (rc == SYNCLINE_OK)
        rc = json_parse(&v, buf_slice(&doc), JSON_STRICT, &n->step, NULL);
    if (rc == SYNCLINE_OK && v->type == JSON_ARRAY && v->n > 0)
        rc = parse_payload(n, v->first, &payload);
    else
        payload = NULL;
    if (rc == SYNCLINE_OK && payload != NULL &&
        slice_is(json_get_str(payload, "kind"), "member") &&
        hex_decode(device, sizeof device, json_get_str(payload, "device")) ==
            SYNCLINE_OK &&
        memcmp(device, n->device.b, sizeof device) == 0)
        rc = chain_add(c, "", slice_from(key, 4));
    buf_free(&doc);
    return rc == SYNCLINE_ENOMEM || rc == SYNCLINE_ELIMIT ? rc : SYNCLINE_OK;
}

static int put_grounds(struct node *n, struct space *mesh, struct chain *c,
    struct slice key, struct buf *b)
{
    struct stored st;
    int rc = item_read(n, mesh, key, &st);

    if (rc != SYNCLINE_OK || !st.was_alive)
        return rc == SYNCLINE_OK ? SYNCLINE_ENOTFOUND : rc;
    rc = chain_grounds(
        c, slice_has_prefix(key, SLICE_LIT(MEMBER_PREFIX)), st.before);
    buf_put_u8(b, ',');
    json_print_string(b, key, false);
    buf_put_u8(b, ',');
    json_print_string(b, st.before, false);
    return rc;
}

static int put_chain(struct node *n, struct buf *b)
{
    static const char *const prefixes[] = { CERT_PREFIX, MEMBER_PREFIX };
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct chain *c = arena_zalloc(&n->step, 1, sizeof *c);
    struct buf prefix = { 0 };
    int rc = c != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;

    if (c != NULL)
        c->node = n;
    for (int i = 0; i < 2 && rc == SYNCLINE_OK; i++)
        rc = store_scan(&n->opt.store, TABLE_ITEM,
            key_item(&prefix, mesh->id, slice_str(prefixes[i])), SLICE_NONE,
            note_own, c);
    buf_free(&prefix);
    if (rc == SYNCLINE_OK && c->n == 0)
        rc = SYNCLINE_ENOTFOUND; /* it has only just joined */
    for (uint32_t i = 0; rc == SYNCLINE_OK && i < c->n; i++)
        rc = put_grounds(n, mesh, c, c->keys[i], b);
    return rc == SYNCLINE_OK ? buf_status(b) : rc;
}

static int put_record(struct node *n, struct buf *b, uint64_t epoch)
{
    const struct crypto_port *crypto = n->opt.crypto;
    const size_t skip = sizeof SIGNED_PREFIX - 1;
    uint8_t sig[ED25519_SIG_LEN];
    struct buf text = { 0 };
    int rc;

    buf_printf(
        &text, SIGNED_PREFIX "{\"at\":%llu,\"by\":\"", time_told(n->wall_us));
    put_hex(&text, device_slice(&n->device));
    buf_printf(&text, "\",\"epoch\":%llu,\"kind\":\"clock\",\"mesh\":\"",
        (unsigned long long)epoch);
    put_hex(&text, SLICE(n->mesh.b, MESH_ID_LEN));
    buf_put_str(&text, "\"}");
    rc = buf_status(&text);
    if (rc == SYNCLINE_OK)
        rc = crypto->sign(crypto->self, sig, buf_slice(&text));
    if (rc == SYNCLINE_OK) {
        buf_put_u8(b, '[');
        json_print_string(b, slice_from(buf_slice(&text), skip), false);
        buf_put_str(b, ",\"");
        put_hex(b, SLICE(sig, sizeof sig));
        buf_put_u8(b, '"');
        rc = put_chain(n, b);
        buf_put_u8(b, ']');
    }
    buf_free(&text);
    return rc == SYNCLINE_OK ? buf_status(b) : rc;
}

int epoch_raise(struct node *n, struct errmsg *why)
{
    const uint64_t epoch = n->epoch + 1;
    struct buf key = { 0 }, record = { 0 };
    bool raised = false;
    int rc = epoch > EPOCH_MAX
        ? errmsg_set(why, SYNCLINE_ELIMIT, "there are no more epochs")
        : put_record(n, &record, epoch);

    if (rc == SYNCLINE_ENOTFOUND || rc == SYNCLINE_ELIMIT)
        rc = errmsg_set(why, rc,
            "the certificates that make this device an admin are not all "
            "here: connect to another member and try again");
    if (rc == SYNCLINE_OK)
        rc = epoch_take(n, buf_slice(&record), &raised, why);
    /* It is one by what is said of others, who took that from it. */
    if (rc == SYNCLINE_EMALFORMED)
        rc = errmsg_set(why, SYNCLINE_EDENIED,
            "what is said of this device, taken by itself, does not prove "
            "that it is an admin: let another admin do it, or grant it the "
            "role anew");
    /* Stamped in the new epoch: an old one's clock may be at its end. */
    buf_printf(&key, EPOCH_PREFIX "%llu/", (unsigned long long)epoch);
    put_hex(&key, SLICE(n->device.b, RID_DEVICE_LEN));
    if (rc == SYNCLINE_OK)
        rc = buf_status(&key);
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(n, buf_slice(&key), buf_slice(&record));
    buf_free(&key);
    buf_free(&record);
    return rc;
}

static int forget_one(void *ctx, struct slice key, struct slice value)
{
    struct node *n = ctx;

    (void)value;
    txn_del(&n->txn, TABLE_META, key);
    return SYNCLINE_OK;
}

int epochs_forget(struct node *n)
{
    n->epoch = 0;
    return store_scan(&n->opt.store, TABLE_META, SLICE_LIT(META_EPOCH),
        SLICE_NONE, forget_one, n);
}

/* ---- telling ---- */

int epochs_greet(struct node *n, struct conn *c)
{
    struct frame f = { .type = FRAME_EPOCH, .epoch = { .epoch = n->epoch } };

    return n->epoch > 0 ? conn_send(n, c, &f) : SYNCLINE_OK;
}

void epochs_known(struct node *n, struct conn *c, uint64_t epoch)
{
    c->epoch_known = true;
    if (epoch > c->epoch)
        c->epoch = epoch;
    n->want_flush = true;
}

static int tell(struct node *n, struct conn *c)
{
    while (c->epoch < n->epoch) {
        struct frame f = { .type = FRAME_EPOCH,
            .epoch = { .epoch = n->epoch } };
        int rc = store_get(&n->opt.store, TABLE_META,
            key_epoch(&n->key, c->epoch + 1), &f.epoch.record);

        if (rc != SYNCLINE_OK)
            return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_ECORRUPT : rc;
        rc = conn_send(n, c, &f);
        if (rc != SYNCLINE_OK)
            return rc;
        c->epoch++;
    }
    return SYNCLINE_OK;
}

int epochs_flush(struct node *n)
{
    int rc = SYNCLINE_OK;

    if (PLANTED(EPOCH_UNTOLD))
        return rc;
    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK; c = c->next)
        if (c->greeted && !c->closing && c->epoch_known)
            rc = tell(n, c);
    return rc;
}
