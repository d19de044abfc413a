#include "repl/forks.h"

#include "base/plant.h"
#include "base/text.h"
#include "repl/proofs.h"

#include <stdlib.h>

#define RECORD_MAX ((size_t)16 << 10)
#define PART_FIXED (ENVELOPE_HEADER_LEN + ENVELOPE_TAG_LEN)

/* ---- reading ---- */

/* One cell of a change, and what its author signed. */
struct half {
    struct envelope_header h;
    struct proof proof;
    struct merkle_hash root;
    struct slice bytes;
};

/* A record need not tell what opens the tag. */
static const uint8_t no_salt[SALT_LEN];

static int read_half(
    const struct node *n, struct slice hex, struct half *out, struct arena *a)
{
    const struct crypto_port *crypto = n->opt.crypto;
    size_t len = hex.len / 2;
    uint8_t *b = arena_alloc(a, len + 1);
    struct merkle_hash leaf;
    int rc;

    if (b == NULL)
        return SYNCLINE_ENOMEM;
    if (len <= PART_FIXED || hex_decode(b, len, hex) != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    out->bytes = SLICE(b, len);
    rc = envelope_get_header(SLICE(b, ENVELOPE_HEADER_LEN), &out->h);
    if (rc == SYNCLINE_OK)
        rc = proof_read(&out->proof, SLICE(b + PART_FIXED, len - PART_FIXED));
    if (rc == SYNCLINE_OK &&
        (out->proof.living_n != 1 ||
            memcmp(out->proof.head.salt, no_salt, SALT_LEN) != 0))
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = merkle_leaf(&leaf, crypto, b, b + ENVELOPE_HEADER_LEN);
    return rc == SYNCLINE_OK
        ? proof_root(&out->root, crypto, &out->proof, &leaf, 1)
        : rc;
}

/* Two of one dot and space, in order, that are not of one commit. */
static bool are_two(const struct node *n, const struct half *x)
{
    return memcmp(&x[0].h.mesh, &n->mesh, sizeof n->mesh) == 0 &&
        memcmp(&x[1].h.mesh, &n->mesh, sizeof n->mesh) == 0 &&
        space_token_eq(&x[0].h.space, &x[1].h.space) &&
        dot_eq(&x[0].h.dot, &x[1].h.dot) && x[0].h.dot.seq > 0 &&
        slice_cmp(x[0].bytes, x[1].bytes) < 0 &&
        (memcmp(&x[0].root, &x[1].root, sizeof x[0].root) != 0 ||
            PLANTED(FORK_ACCUSES));
}

static int read_halves(const struct node *n, struct slice value,
    struct half halves[2], struct arena *a)
{
    struct json *v;
    int rc;

    if (value.len > RECORD_MAX)
        return SYNCLINE_EMALFORMED;
    rc = json_parse(&v, value, JSON_STRICT, a, NULL);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EMALFORMED;
    if (v->type != JSON_ARRAY || v->n != 2 || v->first->type != JSON_STRING ||
        v->first->next->type != JSON_STRING)
        return SYNCLINE_EMALFORMED;
    rc = read_half(n, v->first->s, &halves[0], a);
    if (rc == SYNCLINE_OK)
        rc = read_half(n, v->first->next->s, &halves[1], a);
    if (rc == SYNCLINE_OK && !are_two(n, halves))
        rc = SYNCLINE_EMALFORMED;
    return rc;
}

bool forks_is_key(struct slice key)
{
    return slice_has_prefix(key, SLICE_LIT(FORK_PREFIX));
}

int forks_check(const struct node *n, struct slice key, struct slice value)
{
    const struct crypto_port *crypto = n->opt.crypto;
    uint8_t named[SHA256_LEN], is[SHA256_LEN];
    struct half halves[2];
    struct arena a = { 0 };
    int rc = crypto->sha256(crypto->self, is, value);

    if (rc == SYNCLINE_OK &&
        (hex_decode(named, sizeof named,
             slice_from(key, sizeof FORK_PREFIX - 1)) != SYNCLINE_OK ||
            memcmp(named, is, sizeof is) != 0))
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = read_halves(n, value, halves, &a);
    arena_free(&a);
    return rc;
}

/* ---- all of them ---- */

static int order(const struct fork *f, const struct rid *replica,
    const struct space_token *space)
{
    int c = memcmp(f->from.replica.b, replica->b, RID_LEN);

    return c != 0 ? c : memcmp(f->space.b, space->b, SPACE_TOKEN_LEN);
}

/* Where it is, or would be. */
static uint32_t place_of(const struct forks *l, const struct rid *replica,
    const struct space_token *space)
{
    uint32_t from = 0, to = l->n;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;

        if (order(&l->e[mid], replica, space) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

uint64_t forks_bound(const struct node *n, const struct space_token *space,
    const struct rid *replica)
{
    const struct forks *l = &n->forks;
    uint32_t at;

    if (l->n == 0 || PLANTED(R20_COUNTS))
        return UINT64_MAX;
    at = place_of(l, replica, space);
    return at < l->n && order(&l->e[at], replica, space) == 0
        ? l->e[at].from.seq - 1
        : UINT64_MAX;
}

bool forks_names(const struct node *n, const struct rid *replica)
{
    for (uint32_t i = 0; i < n->forks.n; i++)
        if (rid_eq(&n->forks.e[i].from.replica, replica))
            return true;
    return false;
}

static int add(struct forks *l, const struct fork *f)
{
    uint32_t at = place_of(l, &f->from.replica, &f->space);

    if (at < l->n && order(&l->e[at], &f->from.replica, &f->space) == 0) {
        if (!PLANTED(FORK_FIRST))
            l->e[at] = *f;
        return SYNCLINE_OK;
    }
    if (l->n == l->cap) {
        uint32_t cap = l->cap == 0 ? 8 : l->cap * 2;
        struct fork *e = realloc(l->e, cap * sizeof *e);

        if (e == NULL)
            return SYNCLINE_ENOMEM;
        l->e = e;
        l->cap = cap;
    }
    memmove(l->e + at + 1, l->e + at, (l->n - at) * sizeof *l->e);
    l->e[at] = *f;
    l->n++;
    return SYNCLINE_OK;
}

static struct slice key_told(struct buf *b, struct slice key)
{
    buf_clear(b);
    buf_put_str(b, META_FORK);
    buf_put_slice(b, slice_from(key, sizeof FORK_PREFIX - 1));
    return buf_slice(b);
}

static const struct space *space_of(
    const struct node *n, const struct space_token *token)
{
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (space_token_eq(&sp->token, token))
            return sp;
    return NULL;
}

/* Once, and the evidence is kept beside the space that brought it. */
static int tell(struct node *n, struct slice key, struct slice value,
    const struct fork *f, const struct author_key *by)
{
    const struct member *m = members_get(n->members, &by->device);
    const struct space *sp = space_of(n, &f->space);
    const struct audit_field fields[] = { AUDIT_DEVICE("device", &by->device),
        AUDIT_TEXT("name", m != NULL ? m->name : SLICE_LIT("")),
        AUDIT_TEXT("space", sp != NULL ? sp->name : SLICE_LIT("")),
        AUDIT_HEX("replica", rid_slice(&f->from.replica)),
        AUDIT_NUMBER("change", f->from.seq), AUDIT_END };
    struct slice there;
    int rc =
        store_get(&n->opt.store, TABLE_META, key_told(&n->key, key), &there);

    if (rc != SYNCLINE_ENOTFOUND)
        return rc;
    n->counts.forks_proven++;
    txn_put(&n->txn, TABLE_META, key_told(&n->key, key), value);
    log_line(&n->log, LOG_LEVEL_WARN, "fork",
        "%.*s has signed two different changes as number %llu of one replica "
        "in %.*s: nothing of it counts there from that one on",
        SLICE_FMT(m != NULL ? m->name : SLICE_LIT("a device")),
        (unsigned long long)f->from.seq,
        SLICE_FMT(sp != NULL ? sp->name : SLICE_LIT("a space")));
    rc = node_audit_often(n, "equivocation", fields);
    return rc == SYNCLINE_OK ? txn_status(&n->txn) : rc;
}

/* EDENIED: they are not both his. */
static int verify(const struct node *n, const struct half halves[2],
    const struct author_key *by)
{
    int rc = SYNCLINE_OK;

    for (int i = 0; i < 2 && rc == SYNCLINE_OK; i++)
        rc = merkle_verify(n->opt.crypto, by->spki, halves[i].proof.head.sig,
            &n->mesh, &halves[i].root);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EDENIED;
}

/* EEXIST: as much is known. ENOTFOUND: nobody knows its device yet. EDENIED,
 * EMALFORMED: it proves nothing. */
static int prove(struct node *n, struct slice key, struct slice value,
    struct fork *f, struct author_key *by)
{
    struct half halves[2];
    int rc = forks_check(n, key, value);

    if (rc == SYNCLINE_OK)
        rc = read_halves(n, value, halves, &n->step);
    if (rc != SYNCLINE_OK)
        return rc;
    *f = (struct fork){ halves[0].h.space, halves[0].h.dot };
    if (forks_bound(n, &f->space, &f->from.replica) < f->from.seq)
        return SYNCLINE_EEXIST;
    rc = members_author(n->members, &f->from.replica, by);
    return rc == SYNCLINE_OK ? verify(n, halves, by) : rc;
}

int forks_prove(struct node *n, struct slice key, struct slice value)
{
    struct author_key by;
    struct fork f;

    return prove(n, key, value, &f, &by);
}

int forks_take(
    struct node *n, struct slice key, struct slice value, bool *changed)
{
    struct author_key by;
    struct fork f;
    int rc =
        value.ptr == NULL ? SYNCLINE_EMALFORMED : prove(n, key, value, &f, &by);

    if (rc == SYNCLINE_ENOTFOUND)
        n->forks.waiting = true;
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
    rc = tell(n, key, value, &f, &by);
    if (rc == SYNCLINE_OK)
        rc = add(&n->forks, &f);
    *changed = *changed || rc == SYNCLINE_OK;
    if (rc == SYNCLINE_OK && rid_eq(&f.from.replica, &n->replica))
        n->mint_due = true; /* it would go on under those dots */
    return rc;
}

struct kept {
    struct kept *next;
    struct slice key;
};

struct keeping {
    struct node *node;
    struct kept *list;
};

static int note_key(void *ctx, struct slice key, struct slice value)
{
    struct keeping *k = ctx;
    struct kept *e = arena_zalloc(&k->node->step, 1, sizeof *e);

    (void)value;
    if (e == NULL)
        return SYNCLINE_ENOMEM;
    e->key = arena_dup(&k->node->step, slice_from(key, 4));
    e->next = k->list;
    k->list = e;
    return e->key.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

int forks_retry(struct node *n, bool *changed)
{
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct keeping k = { .node = n };
    struct buf prefix = { 0 };
    int rc = SYNCLINE_OK;

    if (!n->forks.waiting)
        return rc;
    n->forks.waiting = false;
    rc = store_scan(&n->opt.store, TABLE_ITEM,
        key_item(&prefix, mesh->id, SLICE_LIT(FORK_PREFIX)), SLICE_NONE,
        note_key, &k);
    buf_free(&prefix);
    for (; k.list != NULL && rc == SYNCLINE_OK; k.list = k.list->next) {
        struct stored st;

        rc = item_read(n, mesh, k.list->key, &st);
        if (rc == SYNCLINE_OK && st.was_alive)
            rc = forks_take(n, k.list->key, st.before, changed);
    }
    if (rc != SYNCLINE_OK)
        n->forks.waiting = true;
    return rc;
}

void forks_free(struct node *n)
{
    for (uint32_t i = 0; i < n->forks.found_n; i++) {
        buf_free(&n->forks.found[i].key);
        buf_free(&n->forks.found[i].value);
    }
    free(n->forks.e);
    n->forks = (struct forks){ .n = 0 };
}

void forks_forget(struct node *n)
{
    forks_free(n);
}

/* ---- telling ---- */

void put_forks_json(const struct node *n, struct buf *b)
{
    buf_put_u8(b, '[');
    for (uint32_t i = 0; i < n->forks.n; i++) {
        const struct fork *f = &n->forks.e[i];
        const struct space *sp = space_of(n, &f->space);
        const struct member *m = NULL;
        struct author_key by;

        buf_put_str(b, i > 0 ? ",{\"device\":" : "{\"device\":");
        if (members_author(n->members, &f->from.replica, &by) == SYNCLINE_OK) {
            put_device_hex(b, &by.device);
            m = members_get(n->members, &by.device);
        } else {
            buf_put_str(b, "null");
        }
        buf_put_str(b, ",\"name\":");
        json_print_string(b, m != NULL ? m->name : SLICE_LIT(""), false);
        buf_put_str(b, ",\"space\":");
        json_print_string(b, sp != NULL ? sp->name : SLICE_LIT(""), false);
        buf_put_str(b, ",\"replica\":\"");
        put_hex(b, rid_slice(&f->from.replica));
        buf_printf(b, "\",\"change\":%llu,\"own\":%s}",
            (unsigned long long)f->from.seq,
            node_is_mine(n, &f->from.replica) ? "true" : "false");
    }
    buf_put_u8(b, ']');
}
