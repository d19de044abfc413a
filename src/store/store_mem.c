#include "store/store_mem.h"

#include "base/omap.h"

#include <stdlib.h>

/* What one op replaced. The bytes of key and value lie in undo_bytes. */
struct undo {
    uint64_t no;
    size_t at; /* of the key; the value follows it */
    uint32_t key_len, value_len;
    uint8_t table;
    bool was_there;
};

struct store_mem {
    struct omap tables[TABLE_END];
    uint64_t last, durable;
    struct undo *undo; /* undo[undo_first .. undo_n), oldest first */
    size_t undo_first, undo_n, undo_cap;
    struct buf undo_bytes;
    size_t commit_max; /* 0: none */
    int fail_rc;
    uint32_t fail_n;
};

int store_mem_new(struct store_mem **out)
{
    struct store_mem *s = calloc(1, sizeof *s);

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    *out = s;
    return SYNCLINE_OK;
}

void store_mem_free(struct store_mem *s)
{
    if (s == NULL)
        return;
    for (int t = 0; t < TABLE_END; t++)
        omap_free(&s->tables[t]);
    buf_free(&s->undo_bytes);
    free(s->undo);
    free(s);
}

int store_mem_clone(struct store_mem **out, const struct store_mem *s)
{
    struct store_mem *copy;
    int rc = store_mem_new(&copy);

    if (rc != SYNCLINE_OK)
        return rc;
    for (int t = 0; t < TABLE_END && rc == SYNCLINE_OK; t++)
        for (const struct omap_node *n = omap_first(&s->tables[t]);
             n != NULL && rc == SYNCLINE_OK; n = omap_next(n))
            rc = omap_put(&copy->tables[t], n->key, n->value);
    if (rc != SYNCLINE_OK) {
        store_mem_free(copy);
        return rc;
    }
    copy->last = copy->durable = s->last;
    *out = copy;
    return SYNCLINE_OK;
}

static int mem_get(
    void *self, enum store_table t, struct slice key, struct slice *value)
{
    const struct store_mem *s = self;
    const struct omap_node *n = omap_get(&s->tables[t], key);

    if (n == NULL)
        return SYNCLINE_ENOTFOUND;
    *value = n->value;
    return SYNCLINE_OK;
}

static int mem_scan(void *self, enum store_table t, struct slice prefix,
    struct slice from, store_scan_fn *fn, void *ctx)
{
    const struct store_mem *s = self;
    struct slice start = slice_cmp(from, prefix) > 0 ? from : prefix;
    const struct omap_node *n = omap_seek(&s->tables[t], start);
    int rc = 0;

    for (; n != NULL && slice_has_prefix(n->key, prefix); n = omap_next(n)) {
        rc = fn(ctx, n->key, n->value);
        if (rc != 0)
            break;
    }
    return rc > 0 ? SYNCLINE_OK : rc;
}

static int undo_reserve(struct store_mem *s, size_t bytes)
{
    size_t cap = s->undo_cap < 64 ? 64 : s->undo_cap * 2;
    struct undo *p;

    if (buf_reserve(&s->undo_bytes, bytes) == NULL) {
        s->undo_bytes.status = 0;
        return SYNCLINE_ENOMEM;
    }
    if (s->undo_n < s->undo_cap)
        return SYNCLINE_OK;
    p = realloc(s->undo, cap * sizeof *p);
    if (p == NULL)
        return SYNCLINE_ENOMEM;
    s->undo = p;
    s->undo_cap = cap;
    return SYNCLINE_OK;
}

/* Notes down what a key holds before a commit: commits are undone whole, so
 * that is what goes back even if several of its ops are of that key. */
static int undo_note(struct store_mem *s, const struct batch_op *op)
{
    const struct omap_node *n = omap_get(&s->tables[op->table], op->key);
    size_t old = n != NULL ? n->value.len : 0;
    int rc = undo_reserve(s, op->key.len + old);

    if (rc != SYNCLINE_OK)
        return rc;
    s->undo[s->undo_n++] = (struct undo){
        .no = s->last + 1,
        .at = s->undo_bytes.len,
        .key_len = (uint32_t)op->key.len,
        .value_len = (uint32_t)old,
        .table = (uint8_t)op->table,
        .was_there = n != NULL,
    };
    buf_put_slice(&s->undo_bytes, op->key);
    if (n != NULL)
        buf_put_slice(&s->undo_bytes, n->value);
    return buf_status(&s->undo_bytes);
}

static int undo_last(struct store_mem *s)
{
    const struct undo *u = &s->undo[--s->undo_n];
    struct slice key = SLICE(s->undo_bytes.ptr + u->at, u->key_len);
    struct slice value = SLICE(key.ptr + u->key_len, u->value_len);

    if (u->was_there)
        return omap_put(&s->tables[u->table], key, value);
    (void)omap_del(&s->tables[u->table], key);
    return SYNCLINE_OK;
}

/* Drops the undo records of durable commits. */
static void undo_trim(struct store_mem *s)
{
    size_t first = s->undo_first;
    size_t bytes;

    while (first < s->undo_n && s->undo[first].no <= s->durable)
        first++;
    s->undo_first = first;
    if (first < s->undo_n - first)
        return;
    /* The greater part is dead: move the rest down. */
    bytes = first < s->undo_n ? s->undo[first].at : s->undo_bytes.len;
    buf_consume(&s->undo_bytes, bytes);
    s->undo_n -= first;
    if (s->undo_n > 0)
        memmove(s->undo, s->undo + first, s->undo_n * sizeof *s->undo);
    for (size_t i = 0; i < s->undo_n; i++)
        s->undo[i].at -= bytes;
    s->undo_first = 0;
}

struct need {
    size_t n[TABLE_END], bytes[TABLE_END];
};

/* Room for the batch and for its undoing; EMALFORMED if it is none. Nothing is
 * changed, and then nothing can fail for want of memory. */
static int prepare(struct store_mem *s, struct slice ops)
{
    struct need need = { 0 };
    struct batch_op op;
    int rc = SYNCLINE_OK, err = 0;

    while (rc == SYNCLINE_OK && batch_next(&ops, &op, &err)) {
        need.n[op.table]++;
        need.bytes[op.table] += op.key.len + op.value.len;
        rc = undo_note(s, &op);
    }
    if (rc == SYNCLINE_OK)
        rc = err;
    for (int t = 0; t < TABLE_END && rc == SYNCLINE_OK; t++)
        if (need.n[t] > 0)
            rc = omap_reserve(&s->tables[t], need.n[t], need.bytes[t]);
    return rc;
}

static void apply(struct store_mem *s, struct slice ops)
{
    struct batch_op op;
    int err = 0;

    while (batch_next(&ops, &op, &err)) {
        if (op.value.ptr == NULL)
            (void)omap_del(&s->tables[op.table], op.key);
        else
            ENSURE(omap_put(&s->tables[op.table], op.key, op.value) == 0);
    }
}

static int mem_commit(void *self, struct slice ops, uint64_t *no)
{
    struct store_mem *s = self;
    size_t undo_n = s->undo_n, undo_bytes = s->undo_bytes.len;
    int rc;

    if (s->fail_n > 0) {
        s->fail_n--;
        return s->fail_rc;
    }
    if (s->commit_max != 0 && ops.len > s->commit_max)
        return SYNCLINE_ELIMIT;
    rc = prepare(s, ops);
    if (rc != SYNCLINE_OK) {
        s->undo_n = undo_n;
        s->undo_bytes.len = undo_bytes;
        return rc;
    }
    apply(s, ops);
    *no = ++s->last;
    return SYNCLINE_OK;
}

struct store_port store_mem_port(struct store_mem *s)
{
    return (struct store_port){
        .self = s, .get = mem_get, .scan = mem_scan, .commit = mem_commit
    };
}

uint64_t store_mem_last(const struct store_mem *s)
{
    return s->last;
}

uint64_t store_mem_durable(const struct store_mem *s)
{
    return s->durable;
}

void store_mem_sync(struct store_mem *s, uint64_t upto)
{
    if (upto > s->last)
        upto = s->last;
    if (upto <= s->durable)
        return;
    s->durable = upto;
    undo_trim(s);
}

int store_mem_crash(struct store_mem *s, uint64_t keep)
{
    uint64_t lost = s->last - s->durable;
    uint64_t upto = s->durable + (keep < lost ? keep : lost);
    int rc = SYNCLINE_OK;

    while (s->undo_n > s->undo_first && s->undo[s->undo_n - 1].no > upto) {
        int one = undo_last(s);

        if (one != SYNCLINE_OK)
            rc = one;
    }
    s->last = s->durable = upto;
    undo_trim(s);
    return rc;
}

void store_mem_limit(struct store_mem *s, size_t bytes)
{
    s->commit_max = bytes;
}

void store_mem_fail(struct store_mem *s, int rc, uint32_t n)
{
    s->fail_rc = rc;
    s->fail_n = n;
}
