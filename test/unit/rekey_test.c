/* Keys that are held and count, and those that count no more. */
#include "unit/lone_node.h"

#include "repl/access_impl.h"
#include "repl/border.h"

static void rotate(struct lone *w)
{
    tick(w); /* it has a key for exchanges from then on */
    ask(w, "{\"op\":\"rotate\"}");
}

static size_t kept(struct lone *w, const char *name)
{
    struct slice value;
    int rc = store_get(&w->port, TABLE_META, slice_str(name), &value);

    CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOTFOUND);
    return rc == SYNCLINE_OK ? value.len + 1 : 0;
}

static int find_rotation(void *ctx, struct slice key, struct slice value)
{
    struct buf *name = ctx;

    if (memmem(value.ptr, value.len, "rotate", 6) != NULL) {
        buf_clear(name);
        buf_put_slice(name, key);
    }
    return SYNCLINE_OK;
}

/* As the power leaves it between the commit by which the record counts no more
 * and that which acts on it. */
static void forget_rotation(struct lone *w)
{
    const uint32_t mesh = space_by_name(w->node, SLICE_LIT(MESH_SPACE))->id;
    struct buf prefix = { 0 }, name = { 0 };
    struct batch b = { 0 };
    uint64_t no;

    stop(w);
    CHECK_OK(store_scan(&w->port, TABLE_ITEM, key_space(&prefix, mesh),
        SLICE_NONE, find_rotation, &name));
    CHECK(name.len > 0);
    batch_del(&b, TABLE_ITEM, buf_slice(&name));
    CHECK_OK(store_commit(&w->port, buf_slice(&b.ops), &no));
    store_mem_sync(w->disk, no);
    buf_free(&b.ops);
    buf_free(&prefix);
    buf_free(&name);
    start(w);
}

TEST(keys_are_listed_once_there_are_some)
{
    struct lone w;

    lone_open(&w);
    CHECK_UINT(kept(&w, META_KEYS), 0);
    rotate(&w);
    CHECK_UINT(kept(&w, META_KEYS), 1 + 1 + KEY_ID_LEN);
    rotate(&w);
    CHECK_UINT(kept(&w, META_KEYS), 1 + 2 * (1 + KEY_ID_LEN));
    CHECK_UINT(kept(&w, META_REKEY), 0);
    stop(&w);
    start(&w);
    CHECK_UINT(kept(&w, META_REKEY), 0);
    lone_close(&w);
}

TEST(a_key_that_counts_no_more_is_noticed_at_the_start)
{
    struct lone w;

    lone_open(&w);
    rotate(&w);
    forget_rotation(&w);
    CHECK_UINT(w.node->keyring.n, 1);
    CHECK_UINT(kept(&w, META_REKEY), 1);
    CHECK(w.node->rekeying);
    CHECK(space_by_name(w.node, SLICE_LIT(DEFAULT_SPACE))->unkeyed);
    CHECK_UINT(kept(&w, META_KEYS), 1);
    lone_close(&w);
}

/* ---- of another admin ---- */

struct other {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct members *view;
    struct key_id key; /* that it has made */
};

struct text {
    struct buf key, value;
};

static void hear(struct members *m, struct slice key, struct slice value)
{
    struct errmsg why;
    bool changed;

    CHECK_OK(members_set(m, key, value, &why));
    CHECK_OK(members_fold(m, &changed));
}

static void hear_text(struct members *m, const struct text *t)
{
    hear(m, buf_slice(&t->key), buf_slice(&t->value));
}

static void text_free(struct text *t)
{
    buf_free(&t->key);
    buf_free(&t->value);
}

struct passing {
    struct node *node;
    struct space *mesh;
    struct other *to;
};

static int pass_on(void *ctx, struct slice key, struct slice value)
{
    const struct passing *p = ctx;
    const struct slice record = slice_from(key, 4); /* the space's number */
    struct stored st;

    (void)value;
    if (!members_is_key(record))
        return SYNCLINE_OK;
    CHECK_OK(item_load(p->node, p->mesh, record, &st));
    hear(p->to->view, record, st.item.cells[0].value);
    return SYNCLINE_OK;
}

/* It hears of all that the node knows, and both of what it says. */
static void other_open(struct other *o, struct lone *w)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 9 };
    struct node *n = w->node;
    struct members_grant grant = { .name = SLICE_LIT("other"),
        .role = ROLE_ADMIN };
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct passing p = { n, mesh, o };
    struct text let_in = { { 0 }, { 0 } }, kx = { { 0 }, { 0 } };
    struct buf prefix = { 0 };

    *o = (struct other){ .id = NULL };
    CHECK_OK(identity_from_seed(&o->id, seed));
    crypto_port_quick(&o->crypto, &o->self, o->id, 2);
    CHECK_OK(members_new(&o->view, &o->crypto, &n->mesh));
    CHECK_OK(store_scan(&w->port, TABLE_ITEM, key_space(&prefix, mesh->id),
        SLICE_NONE, pass_on, &p));
    buf_free(&prefix);
    grant.spki = identity_spki(o->id);
    CHECK_OK(
        members_make_member(n->members, &let_in.key, &let_in.value, &grant, 1));
    hear_text(n->members, &let_in);
    hear_text(o->view, &let_in);
    CHECK_OK(members_make_kx(o->view, &kx.key, &kx.value));
    hear_text(n->members, &kx);
    hear_text(o->view, &kx);
    text_free(&let_in);
    text_free(&kx);
}

static void other_close(struct other *o)
{
    members_free(o->view);
    identity_free(o->id);
}

/* For the node only. */
static struct text makes_key(struct other *o, const struct node *n)
{
    const uint8_t bytes[KEY_LEN] = { 1 };
    struct members_wraps wraps = { { 0 } };
    struct keyring ring = { 0 };
    struct text t = { { 0 }, { 0 } };

    CHECK_OK(keyring_put(&ring, &o->crypto, 1, bytes));
    o->key = ring.e[0].id;
    CHECK_OK(members_wraps_add(
        &wraps, o->view, members_get(o->view, &n->device), &ring.e[0]));
    CHECK_OK(members_make_key(
        o->view, &t.key, &t.value, true, &ring.e[0], &wraps, 2));
    keyring_free(&ring);
    buf_free(&wraps.text);
    return t;
}

static struct text expels(struct node *n, const struct other *o)
{
    struct text t = { { 0 }, { 0 } };

    CHECK_OK(members_make_removed(
        n->members, &t.key, &t.value, identity_device(o->id), SLICE_NONE, 3));
    return t;
}

/* The key opens what is under it, and nothing is sealed under it. */
static void check_voided(struct node *n, const struct other *o)
{
    const struct space *sp = space_by_name(n, SLICE_LIT(DEFAULT_SPACE));
    struct sealer by;

    CHECK_UINT(n->keyring.n, 1);
    CHECK_UINT(n->voided.n, 1);
    CHECK(keyring_find(&n->voided, 1, &o->key)->whole);
    CHECK_OK(border_sealer(n, sp, &by));
    CHECK(sealer_keys(&by, 1, o->key.b) == NULL);
    CHECK(sealer_opens(&by, 1, o->key.b) != NULL);
    CHECK(sealer_opens(&by, 0, o->key.b) == sealer_keys(&by, 0, o->key.b));
}

TEST(a_key_that_is_heard_of_too_late_opens_still)
{
    struct other o;
    struct text key, expelled;
    struct lone w;

    lone_open(&w);
    tick(&w); /* it has a key for exchanges from then on */
    other_open(&o, &w);
    expelled = expels(w.node, &o);
    key = makes_key(&o, w.node);
    hear_text(w.node->members, &expelled);
    CHECK_OK(epochs_load(w.node));
    CHECK_UINT(w.node->voided.n, 0);
    w.node->keys_came = false;
    hear_text(w.node->members, &key);
    CHECK_OK(epochs_load(w.node));
    check_voided(w.node, &o);
    CHECK(w.node->keys_came); /* relays are asked anew */
    CHECK(!w.node->rekeying);
    CHECK_OK(
        rekey_later(w.node, space_by_name(w.node, SLICE_LIT(DEFAULT_SPACE))));
    CHECK(w.node->rekeying);
    CHECK(space_by_name(w.node, SLICE_LIT(DEFAULT_SPACE))->held_due_us > 0);
    text_free(&key);
    text_free(&expelled);
    other_close(&o);
    lone_close(&w);
}

TEST(a_key_that_counted_opens_when_it_does_not)
{
    struct other o;
    struct text key, expelled;
    struct lone w;

    lone_open(&w);
    tick(&w);
    other_open(&o, &w);
    expelled = expels(w.node, &o);
    key = makes_key(&o, w.node);
    hear_text(w.node->members, &key);
    CHECK_OK(epochs_load(w.node));
    CHECK_OK(node_commit(w.node));
    CHECK_UINT(w.node->keyring.n, 2);
    CHECK_UINT(w.node->voided.n, 0);
    w.node->keys_came = false;
    hear_text(w.node->members, &expelled);
    CHECK_OK(epochs_load(w.node));
    check_voided(w.node, &o);
    CHECK(!w.node->keys_came);
    CHECK(w.node->rekeying);
    text_free(&key);
    text_free(&expelled);
    other_close(&o);
    lone_close(&w);
}
