/* A relay between members: what it checks and joins without a key is what a
 * member would have checked and joined. */
#include "unit/mesh_make.h"
#include "unit/sealed_make.h"

#include "repl/access_impl.h"
#include "repl/border.h"
#include "repl/receive_impl.h"
#include "repl/send_impl.h"

#define KEY SLICE_LIT("a key")
#define SEQ 1000 /* beyond all that was written */

/* A member, a relay, and two authors who are neither. */
struct trio {
    struct world *world;
    struct node member, relay;
    struct space clear, sealed;
    struct rid authors[2];
    struct node signers[2];
    struct envelope_keys keys[SEAL_KEYS];
    struct sealer sealer;
    struct arena arena;
};

static void trio_open(struct trio *t)
{
    *t = (struct trio){ .world = mesh() };
    beside(&t->world->machines[1], &t->member);
    beside(&t->world->machines[1], &t->relay);
    for (int i = 0; i < 2; i++) {
        const struct machine *m = &t->world->machines[2 * i];

        beside(m, &t->signers[i]);
        t->authors[i] = m->node->replica;
    }
    t->clear = *the_space(&t->member);
    t->sealed = t->clear;
    t->sealed.sealed = true;
    make_sealer(&t->sealer, t->keys, &t->member, &t->clear);
}

static void trio_close(struct trio *t)
{
    forget(&t->member);
    forget(&t->relay);
    for (int i = 0; i < 2; i++)
        forget(&t->signers[i]);
    arena_free(&t->arena);
    close_mesh(t->world);
}

/* What an author writes at once, signed; some cells of some paths. Nothing: its
 * deletion. */
static struct item wrote(struct trio *t, int author, uint64_t seq, uint64_t hlc,
    bool ends, struct prng *p)
{
    struct sealer by = t->sealer;
    struct change c = { .dot = { t->authors[author], SEQ + seq },
        .first = { t->authors[author], SEQ + seq },
        .stamp = { 0, hlc, t->authors[author] } };
    struct item it;
    uint32_t ix;

    item_init(&it);
    it.version = seq;
    it.length = ends ? 2 : 1;
    CHECK_OK(vv_add(&it.ctx, &c.dot, &t->arena));
    CHECK_OK(item_add_change(&it, &c, &ix, &t->arena));
    for (int i = 0; i < 8 && !ends; i++)
        CHECK_OK(item_set(&it, random_path(p, &t->arena),
            prng_one_in(p, 4) ? SLICE_NONE : random_value(p, &t->arena), ix,
            &t->arena));
    if (ends)
        it.tomb = ix;
    CHECK_OK(item_normalise(&it, &t->arena));
    by.node = &t->signers[author];
    sign_changes(&by, KEY, &it, p, &t->arena);
    return it;
}

/* Joins a row as a node does, proofs and all; it has to be believed. */
static struct item joined(struct trio *t, struct node *n, struct space *sp,
    struct slice key, const struct item *mine, const struct item *row)
{
    const struct row_in in = { .key = key, .item = *row };
    const struct vv nothing = { 0 };
    struct stored st = { .row = row };
    struct merge_result result;
    struct buf was = { 0 };
    struct slice bytes;

    CHECK_OK(proofs_check(n, sp, &in));
    put_be64(&was, 1);
    put_varint(&was, 0);
    put_item(&was, mine);
    st.bytes = arena_dup(&t->arena, buf_slice(&was));
    buf_free(&was);
    CHECK_OK(item_copy(&st.item, mine, &t->arena));
    CHECK_OK(item_join(&st.item, row, &nothing, NULL, &result, &n->step));
    CHECK_OK(proofs_settle(n, sp, key, &st));
    bytes = item_bytes(&st.item, &t->arena);
    arena_reset(&n->step);
    return item_from(bytes, &t->arena);
}

static struct item at_member(
    struct trio *t, const struct item *mine, const struct item *row)
{
    return joined(t, &t->member, &t->clear, KEY, mine, row);
}

static struct item sealed_of(
    struct trio *t, const struct item *it, struct slice *name)
{
    struct item sealed;

    CHECK_OK(sealed_make(&t->sealer, KEY, it, name, &sealed, &t->arena));
    return sealed;
}

static struct item at_relay(
    struct trio *t, const struct item *mine, const struct item *row)
{
    struct slice name;
    const struct item a = sealed_of(t, mine, &name);
    const struct item b = sealed_of(t, row, &name);

    return joined(t, &t->relay, &t->sealed, name, &a, &b);
}

static void check_same(struct trio *t, const struct item *clear,
    const struct item *sealed, int round)
{
    struct slice name, key, bytes;
    struct item want = sealed_of(t, clear, &name);
    struct row_in in;

    CHECK_SAYING(
        slice_eq(item_bytes(&want, &t->arena), item_bytes(sealed, &t->arena)),
        "round %d: another item", round);
    CHECK_OK(sealed_open(&t->sealer, name, sealed, &key, &bytes, &t->arena));
    CHECK_BYTES(key, KEY);
    CHECK_BYTES(bytes, item_bytes(clear, &t->arena));
    in = (struct row_in){ .key = key, .item = item_from(bytes, &t->arena) };
    CHECK_OK(proofs_check(&t->member, &t->clear, &in));
}

/* Sealing and joining in either order is the same, down to the proofs: where
 * cells are overwritten, parts of a change meet, lives end. */
TEST(a_relay_joins_what_it_cannot_read)
{
    struct prng p = { 4 };
    struct trio t;

    trio_open(&t);
    for (int round = 0; round < 60; round++) {
        bool ends = round % 8 == 7;
        struct item a = wrote(&t, 1, 1, 10, false, &p);
        struct item b = wrote(&t, 0, 1, 5 + prng_below(&p, 9), false, &p);
        struct item c = wrote(&t, 1, 2, 5 + prng_below(&p, 9), ends, &p);
        struct item ab = at_member(&t, &a, &b), ac = at_member(&t, &c, &a);
        struct item all = at_member(&t, &ab, &ac);
        struct item sealed = at_relay(&t, &a, &b);

        check_same(&t, &ab, &sealed, round);
        sealed = at_relay(&t, &c, &a);
        check_same(&t, &ac, &sealed, round);
        sealed = at_relay(&t, &ab, &ac);
        check_same(&t, &all, &sealed, round);
        arena_reset(&t.arena);
    }
    trio_close(&t);
}

/* Is it believed by a relay and, what comes out of it, by a member? */
static bool believed(
    struct trio *t, struct slice name, struct slice bent, struct slice *out)
{
    struct row_in in = { .key = name };
    struct reader r = reader_of(bent);
    struct slice key;
    int rc = get_item(&r, &in.item, &t->arena);

    if (rc == SYNCLINE_OK)
        rc = reader_end(&r);
    if (rc == SYNCLINE_OK)
        rc = proofs_check(&t->relay, &t->sealed, &in);
    if (rc == SYNCLINE_OK)
        rc = sealed_open(&t->sealer, name, &in.item, &key, out, &t->arena);
    if (rc == SYNCLINE_OK) {
        in = (struct row_in){ .key = key, .item = item_from(*out, &t->arena) };
        rc = proofs_check(&t->member, &t->clear, &in);
    }
    return rc == SYNCLINE_OK;
}

/* Of an item's own header it is known that nobody signs it: version, context,
 * birth. */
static void check_bent(struct trio *t, const struct item *it)
{
    struct slice name, out;
    const struct item sealed = sealed_of(t, it, &name);
    const struct slice bytes = item_bytes(&sealed, &t->arena);

    CHECK(believed(t, name, bytes, &out));
    for (size_t i = 0; i < bytes.len; i++) {
        struct arena_mark mark = arena_mark(&t->arena);
        uint8_t *bent = arena_alloc(&t->arena, bytes.len);

        memcpy(bent, bytes.ptr, bytes.len);
        bent[i] ^= (uint8_t)(1 << i % 8);
        if (believed(t, name, SLICE(bent, bytes.len), &out)) {
            struct item got = item_from(out, &t->arena);

            got.version = it->version;
            got.ctx = it->ctx;
            got.birth = it->birth;
            CHECK_SAYING(slice_eq(item_bytes(&got, &t->arena),
                             item_bytes(it, &t->arena)),
                "byte %zu of %zu", i, bytes.len);
        }
        arena_rewind(&t->arena, &mark);
        arena_reset(&t->member.step);
        arena_reset(&t->relay.step);
    }
}

TEST(what_is_bent_is_refused_by_relay_or_member)
{
    struct prng p = { 6 };
    struct trio t;

    trio_open(&t);
    for (int i = 0; i < 2; i++) {
        struct item a = wrote(&t, 1, 1, 10, false, &p);
        struct item b = wrote(&t, 0, 1, 11, i > 0, &p);
        struct item both = at_member(&t, &a, &b);

        check_bent(&t, &both);
    }
    trio_close(&t);
}

/* What would make a relay keep what others refuse: it is refused first. */
TEST(a_relay_is_told_no_salt_and_right_places)
{
    struct prng p = { 6 };
    struct slice name;
    struct item it, sealed;
    struct row_in in;
    struct trio t;

    trio_open(&t);
    it = wrote(&t, 1, 1, 10, false, &p);
    sealed = sealed_of(&t, &it, &name);
    in = (struct row_in){ .key = name, .item = sealed };
    CHECK_OK(proofs_check(&t.relay, &t.sealed, &in));
    in.item.changes[0].proof = it.changes[0].proof;
    CHECK_INT(proofs_check(&t.relay, &t.sealed, &in), SYNCLINE_EDENIED);
    sealed = sealed_of(&t, &it, &name);
    in.item = sealed;
    for (uint32_t i = 0; i < sealed.cells_n; i++) {
        uint8_t *at = arena_alloc(&t.arena, sealed.cells[i].value.len);

        /* All further on by sixteen: the order is the same. */
        memcpy(at, sealed.cells[i].value.ptr, sealed.cells[i].value.len);
        at[2]++;
        sealed.cells[i].value.ptr = at;
    }
    CHECK_INT(proofs_check(&t.relay, &t.sealed, &in), SYNCLINE_EDENIED);
    /* Nor does it believe what is not sealed at all. */
    in.item = it;
    CHECK_INT(proofs_check(&t.relay, &t.sealed, &in), SYNCLINE_EDENIED);
    trio_close(&t);
}

/* ---- across the border ---- */

#define ITEMS 3

/* Some items that one commit wrote: their proofs share a tree. */
static void wrote_together(struct trio *t, const struct sealer *by,
    struct row_out rows[ITEMS], struct prng *p)
{
    static const char *const keys[ITEMS] = { "a", "b", "c" };
    struct merkle_hash leaves[64], nodes[128];
    struct proof_head head = { .salt = { 9 } };
    uint32_t at[ITEMS + 1] = { 0 };
    struct cells_of of;
    struct leaf_maker m;

    for (uint32_t i = 0; i < ITEMS; i++) {
        struct item *it = &rows[i].item;

        *it = wrote(t, 1, 1, 10, i == 1, p);
        rows[i].key = slice_str(keys[i]);
        CHECK_OK(cells_of_changes(&of, it, false, &t->arena));
        CHECK_OK(leaf_maker_init(
            &m, by->node, by->space, rows[i].key, it->length, &head));
        CHECK_OK(leaves_make(&m, it, &of, 0, leaves + at[i]));
        leaf_maker_free(&m);
        at[i + 1] = at[i] + leaves_n(it, &of, 0);
    }
    CHECK_OK(merkle_build(nodes, by->node->opt.crypto, leaves, at[ITEMS]));
    CHECK_OK(merkle_sign(
        head.sig, t->signers[1].opt.crypto, &by->node->mesh, nodes));
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct buf proof = { 0 };

        proof_make(&proof, &head, nodes, at[ITEMS], at[i], at[i + 1]);
        rows[i].item.changes[0].proof = arena_dup(&t->arena, buf_slice(&proof));
        rows[i].bytes = item_bytes(&rows[i].item, &t->arena);
        buf_free(&proof);
    }
}

/* Sealed rows as a batch brings them to a node. */
static void arrive(struct node *n, struct space *sp, const struct bound *b,
    struct row_in rows[ITEMS])
{
    const struct frame_batch f = { .flags = BATCH_SHEAVES,
        .rows = buf_slice(&b->rows),
        .rows_n = ITEMS,
        .sheaves = buf_slice(&b->sheaves),
        .sheaves_n = b->sheaves_n };
    struct reader r = reader_of(f.rows);

    for (uint32_t i = 0; i < ITEMS; i++) {
        struct slice key = get_bytes(&r), item = get_bytes(&r);

        CHECK_OK(receive_read_row(n, key, item, true, &rows[i]));
    }
    CHECK_OK(reader_end(&r));
    CHECK_OK(sheaves_open(n, sp, true, &f, rows));
}

/* Out under a member's own keys, checked by a relay, in again; the roots of a
 * sheaf are found once on each side, by the tags that are seen. In whatever
 * order rows are sent, they come in that of their leaves. */
TEST(rows_cross_the_border_in_sheaves)
{
    struct row_out rows[ITEMS], sealed[ITEMS], mixed[ITEMS];
    struct row_in seen[ITEMS], back[ITEMS];
    struct bound bound = { .sheaves_n = 0 };
    struct prng p = { 8 };
    struct sealer by;
    struct trio t;

    trio_open(&t);
    CHECK_OK(border_sealer(&t.member, &t.clear, &by));
    CHECK_UINT(by.keys_n, 1);
    wrote_together(&t, &by, rows, &p);
    memcpy(sealed, rows, sizeof sealed);
    for (int i = 0; i < ITEMS; i++)
        CHECK_OK(border_out(&by, &sealed[i]));
    for (int i = 0; i < ITEMS; i++)
        mixed[i] = sealed[(i + 2) % ITEMS];
    CHECK_OK(sheaves_bind(&bound, mixed, ITEMS, &t.arena));
    CHECK_UINT(bound.sheaves_n, 1);
    arrive(&t.relay, &t.sealed, &bound, seen);
    arrive(&t.member, &t.clear, &bound, back);
    for (int i = 0; i < ITEMS; i++) {
        CHECK(back[i].roots[0] != NULL);
        CHECK_OK(proofs_check(&t.relay, &t.sealed, &seen[i]));
        CHECK_OK(border_in(&by, &back[i]));
        CHECK_OK(proofs_check(&t.member, &t.clear, &back[i]));
        CHECK_BYTES(back[i].key, rows[i].key);
        CHECK_BYTES(item_bytes(&back[i].item, &t.arena), rows[i].bytes);
        CHECK_BYTES(item_bytes(&seen[i].item, &t.arena), sealed[i].bytes);
    }
    bound_free(&bound);
    trio_close(&t);
}

TEST(who_holds_no_key_passes_nothing)
{
    struct prng p = { 8 };
    struct row_out row = { .key = KEY };
    struct row_in in = { .key = KEY };
    struct sealer none;
    struct trio t;

    trio_open(&t);
    row.item = wrote(&t, 1, 1, 10, false, &p);
    in.item = sealed_of(&t, &row.item, &in.key);
    t.member.keyring.n = 0;
    CHECK_OK(border_sealer(&t.member, &t.clear, &none));
    CHECK_UINT(none.keys_n, 0);
    CHECK_INT(border_out(&none, &row), SYNCLINE_ENOTFOUND);
    CHECK_INT(border_in(&none, &in), SYNCLINE_ENOTFOUND);
    trio_close(&t);
}

/* A bootstrap on its way in has no token of its own. */
TEST(what_is_staged_is_sealed_as_its_space)
{
    struct space staging = { .staged = true };
    struct sealer a, b;
    struct space *sp;
    struct trio t;

    trio_open(&t);
    sp = the_space(&t.member);
    CHECK_OK(border_sealer(&t.member, sp, &a));
    sp->staging = &staging;
    CHECK_OK(border_sealer(&t.member, &staging, &b));
    sp->staging = NULL;
    CHECK_UINT(b.keys_n, 1);
    CHECK_BYTES(SLICE(b.keys[0].seal, KEY_LEN), SLICE(a.keys[0].seal, KEY_LEN));
    trio_close(&t);
}

/* With whom rows are translated: with a relay, unless it is one between relays,
 * of all spaces but `_mesh`. */
TEST(where_the_border_is)
{
    struct member *other;
    struct conn c = { .id = 0 };
    struct space *inner;
    struct trio t;

    trio_open(&t);
    c.device = t.world->machines[0].node->device;
    other =
        (struct member *)(uintptr_t)members_get(t.member.members, &c.device);
    inner = space_by_name(&t.member, SLICE_LIT(MESH_SPACE));
    CHECK(other != NULL && other->role == ROLE_ADMIN && inner != NULL);
    CHECK(!border_is_here(&t.member, &c, &t.clear));
    other->role = ROLE_RELAY;
    CHECK(border_is_here(&t.member, &c, &t.clear));
    CHECK(!border_is_here(&t.relay, &c, &t.sealed));
    CHECK(!border_is_here(&t.member, &c, inner));
    other->role = ROLE_ADMIN;
    trio_close(&t);
}

/* ---- what is sent ---- */

static void keep(struct node *n, const struct space *sp, struct slice key,
    const struct item *it)
{
    struct buf value = { 0 }, at = { 0 };
    uint64_t commit;

    put_be64(&value, 1);
    put_varint(&value, 0);
    put_item(&value, it);
    txn_put_buf(&n->txn, TABLE_ITEM, key_item(&at, sp->id, key), &value);
    CHECK_OK(txn_status(&n->txn));
    CHECK_OK(
        store_commit(&n->opt.store, buf_slice(&n->txn.batch.ops), &commit));
    txn_reset(&n->txn);
    buf_free(&value);
    buf_free(&at);
}

/* One item to a peer that has so much; by: NULL, or who seals. */
static void consider(struct filling *f, struct node *n, struct session *s,
    struct slice key, const struct sealer *by)
{
    static struct conn c;
    const struct entry e = { .lsn = 9, .kind = FEED_ITEM, .tail = key };

    *f = (struct filling){ .node = n, .conn = &c, .s = s, .by = by };
    CHECK_OK(consider_item(f, &e, true));
}

/* A peer that knows all changes but not all of what was seen gets the header;
 * and, of a sealed item, one change, or it would not know what it is of. */
TEST(a_sealed_row_has_a_change)
{
    struct dot seen = { { { 0xee } }, 7 };
    struct session s = { .space = NULL };
    struct prng p = { 8 };
    struct slice name;
    struct item it, sealed;
    struct filling f;
    struct trio t;

    trio_open(&t);
    it = wrote(&t, 1, 1, 10, false, &p);
    CHECK_OK(vv_copy(&s.peer_has, &it.ctx, &t.arena));
    CHECK_OK(vv_add(&it.ctx, &seen, &t.arena));
    sealed = sealed_of(&t, &it, &name);
    keep(&t.relay, &t.sealed, name, &sealed);
    keep(&t.relay, &t.clear, KEY, &it);
    s.space = &t.clear;
    consider(&f, &t.relay, &s, KEY, NULL);
    CHECK_UINT(f.rows_n, 1);
    CHECK_UINT(f.rows[0].item.changes_n, 0);
    s.space = &t.sealed;
    consider(&f, &t.relay, &s, name, NULL);
    CHECK_UINT(f.rows_n, 1);
    CHECK_UINT(f.rows[0].item.changes_n, 1);
    CHECK_BYTES(f.rows[0].bytes, item_bytes(&sealed, &t.arena));
    trio_close(&t);
}

/* What cannot be sealed is held back, and no mark claims it. */
TEST(a_member_seals_or_holds_back)
{
    struct session s = { .space = NULL };
    struct sealer none = { .keys_n = 0 };
    struct prng p = { 8 };
    struct conn c = { .id = 0 };
    struct slice name;
    struct item it, sealed;
    struct filling f;
    struct trio t;

    trio_open(&t);
    it = wrote(&t, 1, 1, 10, false, &p);
    sealed = sealed_of(&t, &it, &name);
    keep(&t.member, &t.clear, KEY, &it);
    s.space = &t.clear;
    consider(&f, &t.member, &s, KEY, &t.sealer);
    CHECK_UINT(f.rows_n, 1);
    CHECK_BYTES(f.rows[0].key, name);
    CHECK_BYTES(f.rows[0].bytes, item_bytes(&sealed, &t.arena));
    none.node = &t.member;
    none.space = &t.clear;
    consider(&f, &t.member, &s, KEY, &none);
    CHECK_UINT(f.rows_n, 0);
    CHECK_UINT(s.held_n, 1);
    send_forget(&c, &s);
    trio_close(&t);
}

/* ---- what does not open ---- */

static bool waited(const struct node *n, const struct session *s, int times)
{
    for (unsigned i = 1; i < 4; i++)
        if (carry_waited(n, s, i) != ((int)i <= times))
            return false;
    return true;
}

TEST(a_wait_that_keys_cut_short_counts_for_none)
{
    struct session s = { .space = NULL };
    struct trio t;
    struct node *n = &t.member;

    trio_open(&t);
    n->now_us = 100000000;
    for (int i = 0; i < 5; i++) {
        carry_unopened(n, &s);
        CHECK(waited(n, &s, 0));
        n->now_us += 1000000;
        carry_cut_short(&s);
        CHECK(!s.unopened && waited(n, &s, 0));
    }
    for (int i = 0; i < 3; i++) {
        carry_unopened(n, &s);
        CHECK(waited(n, &s, i));
        carry_cut_short(&s);
        carry_unopened(n, &s);
        CHECK(waited(n, &s, i));
        n->now_us += s.pause_us;
        s.unopened = false; /* it is asked for anew */
        CHECK(waited(n, &s, i + 1));
    }
    trio_close(&t);
}

/* Collection does not wait for what a relay claims once that has been asked for
 * anew in vain and nothing else is on its way. */
TEST(a_relay_is_stuck_once_it_was_asked_anew_in_vain)
{
    struct session s = { .leaky = true };
    struct conn c = { .id = 0 };
    struct member *relay, *me;
    struct trio t;
    struct node *n = &t.member;

    trio_open(&t);
    s.space = &t.clear;
    c.device = t.world->machines[0].node->device;
    relay = (struct member *)(uintptr_t)members_get(n->members, &c.device);
    me = (struct member *)(uintptr_t)members_get(n->members, &n->device);
    relay->role = ROLE_RELAY;
    n->now_us = 100000000;
    carry_unopened(n, &s);
    CHECK(!carry_is_stuck(n, &c, &s)); /* it has not been asked anew */
    n->now_us += s.pause_us;
    s.unopened = false;
    CHECK(!carry_is_stuck(n, &c, &s)); /* all that has come has opened */
    carry_unopened(n, &s);
    CHECK(carry_is_stuck(n, &c, &s));
    s.leaky = false; /* all rows have */
    CHECK(!carry_is_stuck(n, &c, &s));
    s.leaky = true;
    relay->role = ROLE_ADMIN;
    CHECK(!carry_is_stuck(n, &c, &s));
    me->role = ROLE_RELAY; /* nor is a member at a relay */
    CHECK(!carry_is_stuck(n, &c, &s));
    me->role = ROLE_ADMIN;
    relay->role = ROLE_RELAY;
    buf_put_str(&c.incoming.row, "half of it");
    CHECK(!carry_is_stuck(n, &c, &s));
    buf_free(&c.incoming.row);
    CHECK_OK(park_row(n, &c, &t.clear, KEY, SLICE_LIT("a row")));
    CHECK(!carry_is_stuck(n, &c, &s));
    parked_free(&c);
    CHECK(carry_is_stuck(n, &c, &s));
    relay->role = ROLE_ADMIN;
    trio_close(&t);
}

/* ---- memory ---- */

static int there_and_back(struct trio *t, const struct item *it)
{
    struct row_out out = { .key = KEY, .item = *it };
    struct row_in at, back;
    struct sealer by;
    int rc = border_sealer(&t->member, &t->clear, &by);

    if (rc == SYNCLINE_OK)
        rc = border_out(&by, &out);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = receive_read_row(&t->relay, out.key, out.bytes, true, &at);
    if (rc == SYNCLINE_OK)
        rc = proofs_check(&t->relay, &t->sealed, &at);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = receive_read_row(&t->member, out.key, out.bytes, true, &back);
    if (rc == SYNCLINE_OK)
        rc = border_in(&by, &back);
    return rc == SYNCLINE_OK ? proofs_check(&t->member, &t->clear, &back) : rc;
}

TEST(memory_that_runs_out_at_the_border_is_told)
{
    struct prng p = { 8 };
    struct sealer by;
    struct item it;
    struct trio t;
    long n = 0;
    int rc;

    trio_open(&t);
    CHECK_OK(border_sealer(&t.member, &t.clear, &by));
    t.sealer = by;
    it = wrote(&t, 1, 1, 10, false, &p);
    for (;; n++) {
        arena_free(&t.member.step);
        arena_free(&t.relay.step);
        check_alloc_fail_from(n);
        rc = there_and_back(&t, &it);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    CHECK(n > 20);
    trio_close(&t);
}
