/* Two changes under one dot: what proves it, what does not, what follows. */
#include "repl/proofs.h"

#include "unit/check.h"
#include "unit/mesh_make.h"

#include <stdlib.h>

#define SEQ 1000 /* beyond all that was written */

static void run_for(struct world *w, uint64_t us)
{
    const uint64_t until = w->now_us + us;
    const struct heap_entry *e;

    while ((e = heap_peek(&w->queue)) != NULL && e->key <= until) {
        struct happening *h;

        w->now_us = e->key;
        h = heap_pop(&w->queue);
        if (h->machine == NULL ||
            (machine_is_up(h->machine) && h->machine->life == h->life))
            h->fn(w, h);
        buf_free(&h->bytes);
        free(h);
    }
    w->now_us = until;
    CHECK_SAYING(!w->failed, "%s", w->why.text);
}

/* An item of one change, as the device of `by` would sign it. */
static void say(struct machine *by, const struct rid *replica, struct item *it,
    const char *value, struct arena *a)
{
    struct change c = { .dot = { *replica, SEQ }, .first = { *replica, SEQ } };
    struct space *sp = the_space(by->node);
    struct proof_head head = { .salt = { 9 } };
    struct merkle_hash leaf;
    struct leaf_maker m;
    struct cells_of of;
    struct buf b = { 0 };
    uint32_t ix;

    item_init(it);
    it->length = it->version = 1;
    CHECK_OK(vv_add(&it->ctx, &c.dot, a));
    CHECK_OK(item_add_change(it, &c, &ix, a));
    it->cells = arena_zalloc(a, 1, sizeof *it->cells);
    it->cells_n = 1;
    it->cells[0] = (struct cell){ .change = ix, .value = slice_str(value) };
    CHECK_OK(cells_of_changes(&of, it, false, a));
    CHECK_OK(leaf_maker_init(&m, by->node, sp, SLICE_LIT("k"), 1, &head));
    CHECK_OK(leaves_make(&m, it, &of, ix, &leaf));
    CHECK_OK(merkle_sign(head.sig, &by->crypto, &by->node->mesh, &leaf));
    proof_make(&b, &head, &leaf, 1, 0, 1);
    it->changes[ix].proof = arena_dup(a, buf_slice(&b));
    leaf_maker_free(&m);
    buf_free(&b);
}

static int meet(struct node *n, const struct item *x, const struct item *y)
{
    bool found = false;
    int rc = forks_meet(n, the_space(n), SLICE_LIT("k"), x, y, &found);

    CHECK(found == (n->forks.found_n > 0));
    return rc;
}

TEST(what_is_the_same_is_no_fork)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct item x, y;
    struct node n;

    beside(&w->machines[0], &n);
    say(&w->machines[2], &w->machines[2].node->replica, &x, "1", &a);
    say(&w->machines[2], &w->machines[2].node->replica, &y, "1", &a);
    CHECK_OK(meet(&n, &x, &y));
    CHECK_UINT(n.forks.found_n, 0);
    forget(&n);
    arena_free(&a);
    close_mesh(w);
}

/* Whoever passes it on could have made it up. */
/* As long as it is not written down the other half may come again: it was
 * merged then, and nobody has signed the two together. */
TEST(what_is_found_already_is_refused_all_the_same)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct item x, y;
    struct node n;

    beside(&w->machines[0], &n);
    say(&w->machines[2], &w->machines[2].node->replica, &x, "1", &a);
    say(&w->machines[2], &w->machines[2].node->replica, &y, "2", &a);
    for (int i = 0; i < 2; i++) {
        bool found = false;

        CHECK_OK(forks_meet(&n, the_space(&n), SLICE_LIT("k"), &x, &y, &found));
        CHECK(found);
        CHECK_UINT(n.forks.found_n, 1);
    }
    forget(&n);
    arena_free(&a);
    close_mesh(w);
}

TEST(what_its_author_has_not_signed_is_no_fork)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct item x, y;
    struct node n;

    beside(&w->machines[0], &n);
    say(&w->machines[2], &w->machines[2].node->replica, &x, "1", &a);
    say(&w->machines[1], &w->machines[2].node->replica, &y, "2", &a);
    CHECK_OK(meet(&n, &x, &y));
    CHECK_UINT(n.forks.found_n, 0);
    forget(&n);
    arena_free(&a);
    close_mesh(w);
}

TEST(a_record_that_was_tampered_with_is_not_believed)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct item x, y;
    struct node n;
    struct slice key, value;
    bool changed = false;

    beside(&w->machines[0], &n);
    say(&w->machines[2], &w->machines[2].node->replica, &x, "1", &a);
    say(&w->machines[2], &w->machines[2].node->replica, &y, "2", &a);
    CHECK_OK(meet(&n, &x, &y));
    CHECK_UINT(n.forks.found_n, 1);
    key = buf_slice(&n.forks.found[0].key);
    value = buf_slice(&n.forks.found[0].value);
    CHECK_OK(forks_check(&n, key, value));
    for (size_t i = 0; i < value.len; i += 3) {
        struct slice odd = arena_dup(&a, value);

        ((uint8_t *)odd.ptr)[i] ^= 1;
        CHECK_SAYING(forks_check(&n, key, odd) == SYNCLINE_EMALFORMED,
            "byte %zu of %zu", i, value.len);
    }
    for (size_t i = 0; i < key.len; i++) {
        struct slice odd = arena_dup(&a, key);

        ((uint8_t *)odd.ptr)[i] ^= 1;
        CHECK_SAYING(!forks_is_key(odd) ||
                forks_check(&n, odd, value) == SYNCLINE_EMALFORMED,
            "byte %zu of the key", i);
    }
    CHECK_OK(forks_take(&n, key, value, &changed));
    CHECK(changed);
    CHECK_UINT(
        forks_bound(&n, &the_space(&n)->token, &w->machines[2].node->replica),
        SEQ - 1);
    CHECK_UINT(
        forks_bound(&n, &the_space(&n)->token, &w->machines[1].node->replica),
        UINT64_MAX);
    forget(&n);
    arena_free(&a);
    close_mesh(w);
}

/* Who finds it tells all; its owner, who is honest, goes on as another. */
TEST(all_come_to_know_and_its_owner_is_a_new_replica)
{
    struct world *w = mesh();
    const struct rid was = w->machines[2].node->replica;
    struct arena a = { 0 };
    struct item x, y;

    say(&w->machines[2], &was, &x, "1", &a);
    say(&w->machines[2], &was, &y, "2", &a);
    CHECK_OK(meet(w->machines[0].node, &x, &y));
    run_for(w, 20 * SEC_US);
    for (unsigned i = 0; i < 3; i++) {
        struct node *n = w->machines[i].node;

        CHECK_UINT(forks_bound(n, &the_space(n)->token, &was), SEQ - 1);
        CHECK_UINT(n->counts.forks_proven, 1);
    }
    CHECK(!rid_eq(&w->machines[2].node->replica, &was));
    machine_stop(&w->machines[1]);
    machine_start(&w->machines[1]);
    run_for(w, 20 * SEC_US);
    CHECK(forks_names(w->machines[1].node, &was));
    CHECK_UINT(w->machines[1].node->counts.forks_proven, 0); /* told once */
    arena_free(&a);
    close_mesh(w);
}

TEST(memory_that_runs_out_is_told)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct item x, y;
    struct node n;
    int rc = SYNCLINE_ENOMEM;

    say(&w->machines[2], &w->machines[2].node->replica, &x, "1", &a);
    say(&w->machines[2], &w->machines[2].node->replica, &y, "2", &a);
    for (long i = 0; rc == SYNCLINE_ENOMEM; i++) {
        bool changed = false;

        beside(&w->machines[0], &n);
        check_alloc_fail_from(i);
        rc = meet(&n, &x, &y);
        if (rc == SYNCLINE_OK)
            rc = forks_take(&n, buf_slice(&n.forks.found[0].key),
                buf_slice(&n.forks.found[0].value), &changed);
        check_alloc_fail_from(-1);
        CHECK_SAYING(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM,
            "allocation %ld: %d", i, rc);
        CHECK(changed == (rc == SYNCLINE_OK));
        forget(&n);
    }
    CHECK_OK(rc);
    arena_free(&a);
    close_mesh(w);
}
