#include "unit/store_contract.h"

#include "store/digest.h"
#include "unit/check.h"

#include <stdio.h>
#include <stdlib.h>

/* The model. */

static struct slice model_key(char out[16], enum store_table t, uint64_t i)
{
    /* Prefixes of one another, and apart by table. */
    int n = snprintf(out, 16, "%.*s%u", (int)(i % 4), "kkk", (unsigned)i);

    (void)t;
    return SLICE(out, (size_t)n);
}

/* A value of up to 300 bytes, rarely 40 KB, that its seed determines. */
static void model_value(struct buf *out, uint64_t seed)
{
    struct prng p = { seed };
    uint64_t n = prng_below(&p, prng_one_in(&p, 40) ? 40000 : 300);

    buf_clear(out);
    (void)buf_reserve(out, 8);
    for (uint64_t i = 0; i < n; i += 8) {
        uint64_t word = prng_next(&p);

        buf_put(out, &word, sizeof word);
    }
}

struct model_op {
    enum store_table table;
    uint64_t key;
    uint64_t value; /* a seed; 0: delete */
};

static struct model_op draw_op(struct prng *p)
{
    struct model_op op = { (enum store_table)prng_below(p, TABLE_END),
        prng_below(p, MODEL_KEYS), prng_next(p) | 1 };

    if (prng_one_in(p, 3))
        op.value = 0;
    return op;
}

static uint64_t draw_ops_n(struct prng *p)
{
    return 1 + prng_below(p, 6);
}

void model_batch(struct batch *b, uint64_t seed)
{
    struct prng p = { seed };
    struct buf value = { 0 };

    for (uint64_t n = draw_ops_n(&p); n > 0; n--) {
        struct model_op op = draw_op(&p);
        char text[16];
        struct slice key = model_key(text, op.table, op.key);

        if (op.value == 0) {
            batch_del(b, op.table, key);
            continue;
        }
        model_value(&value, op.value);
        batch_put(b, op.table, key, buf_slice(&value));
    }
    buf_free(&value);
}

void model_init(struct model *m, uint64_t seed)
{
    m->last = 0;
    m->prng.state = seed;
}

int model_commit(struct model *m, struct store_port *s)
{
    return model_commit_short(m, s, -1);
}

int model_commit_short(struct model *m, struct store_port *s, long nth)
{
    uint64_t seed = prng_next(&m->prng), no = 0;
    struct batch b = { 0 };
    int rc;

    CHECK(m->last < MODEL_COMMITS);
    model_batch(&b, seed);
    CHECK_OK(buf_status(&b.ops));
    check_alloc_fail_from(nth);
    rc = store_commit(s, buf_slice(&b.ops), &no);
    check_alloc_fail_from(-1);
    buf_free(&b.ops);
    if (rc != SYNCLINE_OK)
        return rc;
    m->seeds[++m->last] = seed;
    CHECK_UINT(no, m->last);
    return rc;
}

/* What the first n commits leave: seeds of values by table and key. */
struct content {
    uint64_t value[TABLE_END][MODEL_KEYS];
    size_t n[TABLE_END];
};

static void content_of(struct content *c, const struct model *m, uint64_t n)
{
    *c = (struct content){ 0 };
    for (uint64_t no = 1; no <= n; no++) {
        struct prng p = { m->seeds[no] };

        for (uint64_t ops = draw_ops_n(&p); ops > 0; ops--) {
            struct model_op op = draw_op(&p);

            c->value[op.table][op.key] = op.value;
        }
    }
    for (int t = 0; t < TABLE_END; t++)
        for (int i = 0; i < MODEL_KEYS; i++)
            c->n[t] += c->value[t][i] != 0;
}

struct comparison {
    struct content content;
    enum store_table table;
    size_t seen;
    uint8_t before[64];
    size_t before_len;
    struct buf value;
};

static int compare(void *ctx, struct slice key, struct slice value)
{
    struct comparison *c = ctx;
    struct slice before = SLICE(c->before, c->before_len);
    char text[64] = "";
    uint64_t i;

    CHECK(key.len < sizeof text);
    CHECK(c->seen == 0 || slice_cmp(before, key) < 0);
    memcpy(c->before, key.ptr, key.len);
    c->before_len = key.len;
    memcpy(text, key.ptr, key.len);
    i = strtoull(text + strspn(text, "k"), NULL, 10);
    CHECK(i < MODEL_KEYS);
    CHECK(c->content.value[c->table][i] != 0);
    model_value(&c->value, c->content.value[c->table][i]);
    CHECK_BYTES(value, buf_slice(&c->value));
    c->seen++;
    return 0;
}

static void check_gets(struct comparison *c, const struct store_port *s)
{
    for (uint64_t i = 0; i < MODEL_KEYS; i++) {
        char text[16];
        struct slice key = model_key(text, c->table, i), value;
        int rc = store_get(s, c->table, key, &value);

        if (c->content.value[c->table][i] == 0) {
            CHECK_INT(rc, SYNCLINE_ENOTFOUND);
            continue;
        }
        CHECK_OK(rc);
        model_value(&c->value, c->content.value[c->table][i]);
        CHECK_BYTES(value, buf_slice(&c->value));
    }
}

void model_check(const struct model *m, const struct store_port *s, uint64_t n)
{
    struct comparison c = { .table = TABLE_META };

    content_of(&c.content, m, n);
    for (int t = 0; t < TABLE_END; t++) {
        c.table = (enum store_table)t;
        c.seen = 0;
        CHECK_OK(store_scan(s, c.table, SLICE_NONE, SLICE_NONE, compare, &c));
        CHECK_UINT(c.seen, c.content.n[t]);
        check_gets(&c, s);
    }
    buf_free(&c.value);
}

void model_resume(
    struct model *m, const struct store_port *s, uint64_t last, uint64_t least)
{
    CHECK_SAYING(last >= least, "commit %llu was durable, only %llu are left",
        (unsigned long long)least, (unsigned long long)last);
    CHECK_SAYING(last <= m->last, "%llu commits of %llu came back",
        (unsigned long long)last, (unsigned long long)m->last);
    model_check(m, s, last);
    m->last = last;
}

/* The stories. */

void contract_put(struct store_port *s, enum store_table t, const char *key,
    const char *value)
{
    struct batch b = { 0 };
    uint64_t no;

    batch_put(&b, t, slice_str(key), slice_str(value));
    CHECK_OK(store_commit(s, buf_slice(&b.ops), &no));
    buf_free(&b.ops);
}

void contract_del(struct store_port *s, enum store_table t, const char *key)
{
    struct batch b = { 0 };
    uint64_t no;

    batch_del(&b, t, slice_str(key));
    CHECK_OK(store_commit(s, buf_slice(&b.ops), &no));
    buf_free(&b.ops);
}

static int add_pair(void *ctx, struct slice key, struct slice value)
{
    struct buf *out = ctx;

    buf_printf(out, "%s%.*s=%.*s", out->len > 0 ? " " : "", SLICE_FMT(key),
        SLICE_FMT(value));
    return 0;
}

void contract_scan(struct buf *out, const struct store_port *s,
    enum store_table t, const char *prefix, const char *from)
{
    buf_clear(out);
    CHECK_OK(
        store_scan(s, t, slice_str(prefix), slice_str(from), add_pair, out));
}

static void check_scan(const struct store_port *s, enum store_table t,
    const char *prefix, const char *from, const char *want)
{
    struct buf out = { 0 };

    contract_scan(&out, s, t, prefix, from);
    CHECK_SLICE(buf_slice(&out), want);
    buf_free(&out);
}

static void check_get(const struct store_port *s, enum store_table t,
    const char *key, const char *want)
{
    struct slice value;

    if (want == NULL) {
        CHECK_INT(store_get(s, t, slice_str(key), &value), SYNCLINE_ENOTFOUND);
        return;
    }
    CHECK_OK(store_get(s, t, slice_str(key), &value));
    CHECK_SLICE(value, want);
}

void contract_what_was_put_is_read(struct contract_store *c)
{
    check_get(&c->port, TABLE_META, "name", NULL);
    contract_put(&c->port, TABLE_META, "name", "attic");
    check_get(&c->port, TABLE_META, "name", "attic");
    contract_put(&c->port, TABLE_META, "name", "a cellar, much longer");
    check_get(&c->port, TABLE_META, "name", "a cellar, much longer");
    contract_put(&c->port, TABLE_META, "name", "");
    check_get(&c->port, TABLE_META, "name", "");
    c->settle(c);
    check_get(&c->port, TABLE_META, "name", "");
    contract_del(&c->port, TABLE_META, "name");
    check_get(&c->port, TABLE_META, "name", NULL);
    c->settle(c);
    check_get(&c->port, TABLE_META, "name", NULL);
}

void contract_tables_are_apart(struct contract_store *c)
{
    for (int t = 0; t < TABLE_END; t++) {
        char value[16];

        (void)snprintf(value, sizeof value, "v%d", t);
        contract_put(&c->port, (enum store_table)t, "same", value);
    }
    c->settle(c);
    contract_del(&c->port, TABLE_SEEN, "same");
    check_get(&c->port, TABLE_META, "same", "v0");
    check_get(&c->port, TABLE_SEEN, "same", NULL);
    check_get(&c->port, TABLE_CONFLICT, "same", "v5");
}

void contract_later_ops_win(struct contract_store *c)
{
    struct batch b = { 0 };
    uint64_t no;

    batch_put(&b, TABLE_ITEM, SLICE_LIT("a"), SLICE_LIT("1"));
    batch_put(&b, TABLE_ITEM, SLICE_LIT("a"), SLICE_LIT("2"));
    batch_put(&b, TABLE_ITEM, SLICE_LIT("b"), SLICE_LIT("1"));
    batch_del(&b, TABLE_ITEM, SLICE_LIT("b"));
    batch_del(&b, TABLE_ITEM, SLICE_LIT("c"));
    batch_put(&b, TABLE_ITEM, SLICE_LIT("c"), SLICE_LIT("1"));
    CHECK_OK(store_commit(&c->port, buf_slice(&b.ops), &no));
    buf_free(&b.ops);
    check_scan(&c->port, TABLE_ITEM, "", "", "a=2 c=1");
}

void contract_scan_goes_in_key_order(struct contract_store *c)
{
    static const char *const keys[] = { "b", "ab", "a", "abc", "b1", "\xff",
        "aa", "b0", "ac" };

    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        contract_put(&c->port, TABLE_FEED, keys[i], "");
        if (i == ARRAY_N(keys) / 2)
            c->settle(c);
    }
    check_scan(
        &c->port, TABLE_FEED, "", "", "a= aa= ab= abc= ac= b= b0= b1= \xff=");
    check_scan(&c->port, TABLE_FEED, "ab", "", "ab= abc=");
    check_scan(&c->port, TABLE_FEED, "b", "b0", "b0= b1=");
    check_scan(&c->port, TABLE_FEED, "b", "a", "b= b0= b1=");
    check_scan(&c->port, TABLE_FEED, "a", "b", "");
    check_scan(&c->port, TABLE_FEED, "", "b00", "b1= \xff=");
    check_scan(&c->port, TABLE_FEED, "x", "", "");
}

static int stop_at_b(void *ctx, struct slice key, struct slice value)
{
    (void)value;
    ++*(int *)ctx;
    return slice_is(key, "b") ? 1 : 0;
}

static int refuse(void *ctx, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(int *)ctx;
    return SYNCLINE_ELIMIT;
}

void contract_scan_stops_when_told(struct contract_store *c)
{
    int calls = 0;

    contract_put(&c->port, TABLE_META, "a", "");
    contract_put(&c->port, TABLE_META, "b", "");
    c->settle(c);
    contract_put(&c->port, TABLE_META, "c", "");
    CHECK_OK(store_scan(
        &c->port, TABLE_META, SLICE_NONE, SLICE_NONE, stop_at_b, &calls));
    CHECK_INT(calls, 2);
    calls = 0;
    CHECK_INT(store_scan(
                  &c->port, TABLE_META, SLICE_NONE, SLICE_NONE, refuse, &calls),
        SYNCLINE_ELIMIT);
    CHECK_INT(calls, 1);
}

void contract_scan_merges_old_and_new(struct contract_store *c)
{
    contract_put(&c->port, TABLE_META, "a", "old");
    contract_put(&c->port, TABLE_META, "b", "old");
    contract_put(&c->port, TABLE_META, "c", "old");
    contract_put(&c->port, TABLE_META, "e", "old");
    c->settle(c);
    contract_put(&c->port, TABLE_META, "b", "new");
    contract_del(&c->port, TABLE_META, "c");
    contract_put(&c->port, TABLE_META, "d", "new");
    check_scan(&c->port, TABLE_META, "", "", "a=old b=new d=new e=old");
    check_scan(&c->port, TABLE_META, "c", "", "");
}

void contract_commits_are_numbered(struct contract_store *c)
{
    struct batch b = { 0 };
    uint64_t no = 0;

    batch_put(&b, TABLE_META, SLICE_LIT("k"), SLICE_LIT("v"));
    for (uint64_t want = 1; want <= 5; want++) {
        CHECK_OK(store_commit(&c->port, buf_slice(&b.ops), &no));
        CHECK_UINT(no, want);
        CHECK_UINT(c->last(c), want);
        if (want == 3)
            c->settle(c);
    }
    CHECK_OK(store_commit(&c->port, SLICE_NONE, &no));
    CHECK_UINT(no, 6);
    c->sync(c);
    CHECK_UINT(c->durable(c), 6);
    buf_free(&b.ops);
}

void contract_a_broken_batch_changes_nothing(struct contract_store *c)
{
    struct batch b = { 0 };
    uint64_t no = 77;

    contract_put(&c->port, TABLE_META, "a", "1");
    batch_put(&b, TABLE_META, SLICE_LIT("a"), SLICE_LIT("2"));
    buf_put_u8(&b.ops, TABLE_END);
    CHECK_INT(
        store_commit(&c->port, buf_slice(&b.ops), &no), SYNCLINE_EMALFORMED);
    b.ops.len--;
    buf_put_u8(&b.ops, TABLE_META); /* cut short */
    CHECK_INT(
        store_commit(&c->port, buf_slice(&b.ops), &no), SYNCLINE_EMALFORMED);
    buf_free(&b.ops);
    CHECK_UINT(no, 77);
    check_get(&c->port, TABLE_META, "a", "1");
    CHECK_UINT(c->last(c), 1);
}

void contract_large_values(struct contract_store *c)
{
    const size_t n = ((size_t)16 << 20) + 100;
    uint8_t *bytes = malloc(n);
    struct batch b = { 0 };
    struct slice value;
    uint64_t no;

    CHECK(bytes != NULL);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 12));
    batch_put(&b, TABLE_ITEM, SLICE_LIT("big"), SLICE(bytes, n));
    CHECK_OK(store_commit(&c->port, buf_slice(&b.ops), &no));
    CHECK_OK(store_get(&c->port, TABLE_ITEM, SLICE_LIT("big"), &value));
    CHECK(slice_eq(value, SLICE(bytes, n)));
    contract_put(&c->port, TABLE_ITEM, "small", "x");
    c->sync(c);
    c->crash(c, NULL);
    CHECK_OK(store_get(&c->port, TABLE_ITEM, SLICE_LIT("big"), &value));
    CHECK(slice_eq(value, SLICE(bytes, n)));
    check_get(&c->port, TABLE_ITEM, "small", "x");
    buf_free(&b.ops);
    free(bytes);
}

/* Commits, syncs, settles and crashes in random order. */
void contract_crash_leaves_a_prefix(struct contract_store *c)
{
    static struct model m;
    struct prng p = { 20261121 };

    model_init(&m, 7);
    for (int i = 0; i < 1500; i++) {
        CHECK_OK(model_commit(&m, &c->port));
        if (prng_one_in(&p, 20))
            c->sync(c);
        if (prng_one_in(&p, 100))
            c->settle(c);
        if (prng_one_in(&p, 40)) {
            uint64_t durable = c->durable(c);

            c->crash(c, &p);
            model_resume(&m, &c->port, c->last(c), durable);
        }
    }
    model_check(&m, &c->port, m.last);
}

static struct hash128 digest_of(struct contract_store *c, enum store_table t)
{
    struct hash128 h;

    CHECK_OK(store_digest(&c->port, t, &h));
    return h;
}

static bool same(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

void contract_digest_names_the_content(struct contract_store *c)
{
    struct hash128 empty = digest_of(c, TABLE_ITEM), one, two;

    contract_put(&c->port, TABLE_ITEM, "a", "1");
    one = digest_of(c, TABLE_ITEM);
    CHECK(!same(empty, one));
    contract_put(&c->port, TABLE_ITEM, "b", "2");
    two = digest_of(c, TABLE_ITEM);
    CHECK(!same(one, two));
    c->settle(c);
    CHECK(same(two, digest_of(c, TABLE_ITEM)));
    contract_del(&c->port, TABLE_ITEM, "b");
    CHECK(same(one, digest_of(c, TABLE_ITEM)));
    contract_put(&c->port, TABLE_ITEM, "a", "");
    contract_put(&c->port, TABLE_ITEM, "a1", "");
    CHECK(!same(one, digest_of(c, TABLE_ITEM)));
    CHECK(same(digest_of(c, TABLE_META), (struct hash128){ 0, 0 }));
}
