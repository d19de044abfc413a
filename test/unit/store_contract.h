/* store_contract.h - what every store must do, told as stories that run
 * against each implementation, and a model to compare a store with. */
#ifndef SYNCLINE_TEST_UNIT_STORE_CONTRACT_H
#define SYNCLINE_TEST_UNIT_STORE_CONTRACT_H

#include "base/prng.h"
#include "store/store.h"

struct contract_store {
    void *self;
    struct store_port port;
    void (*sync)(struct contract_store *c);
    uint64_t (*last)(struct contract_store *c);
    uint64_t (*durable)(struct contract_store *c);
    /* Moves records to where the implementation keeps them for long. */
    void (*settle)(struct contract_store *c);
    /* Loses some of what is not durable and comes back. */
    void (*crash)(struct contract_store *c, struct prng *p);
};

/* Random batches over a few keys, each made from its own seed, so that the
 * content after any number of them can be told. */
#define MODEL_KEYS 48
#define MODEL_COMMITS 20000

struct model {
    uint64_t seeds[MODEL_COMMITS + 1]; /* by commit number */
    uint64_t last;
    struct prng prng;
};

void model_init(struct model *m, uint64_t seed);
/* The batch of a commit. */
void model_batch(struct batch *b, uint64_t seed);
/* Commits one more random batch; what the store said. */
int model_commit(struct model *m, struct store_port *s);
/* The same with memory running out at the nth allocation. */
int model_commit_short(struct model *m, struct store_port *s, long nth);
/* Fails the test unless the store holds exactly the first n commits. */
void model_check(const struct model *m, const struct store_port *s, uint64_t n);
/* The store came back with `last` commits: that must be what the model knows
 * of, no less than `least`, and it goes on from there. */
void model_resume(
    struct model *m, const struct store_port *s, uint64_t last, uint64_t least);

/* A batch of one op. */
void contract_put(struct store_port *s, enum store_table t, const char *key,
    const char *value);
void contract_del(struct store_port *s, enum store_table t, const char *key);
/* "k=v k=v": the whole of a scan. */
void contract_scan(struct buf *out, const struct store_port *s,
    enum store_table t, const char *prefix, const char *from);

void contract_what_was_put_is_read(struct contract_store *c);
void contract_tables_are_apart(struct contract_store *c);
void contract_later_ops_win(struct contract_store *c);
void contract_scan_goes_in_key_order(struct contract_store *c);
void contract_scan_stops_when_told(struct contract_store *c);
void contract_scan_merges_old_and_new(struct contract_store *c);
void contract_commits_are_numbered(struct contract_store *c);
void contract_a_broken_batch_changes_nothing(struct contract_store *c);
void contract_large_values(struct contract_store *c);
void contract_crash_leaves_a_prefix(struct contract_store *c);
void contract_digest_names_the_content(struct contract_store *c);

/* Makes one test of each story; setup and teardown take a contract_store. */
#define CONTRACT_STORY(name, setup, teardown) \
    TEST(name)                                \
    {                                         \
        struct contract_store c = { 0 };      \
        setup(&c);                            \
        contract_##name(&c);                  \
        teardown(&c);                         \
    }

#define CONTRACT_STORIES(setup, teardown)                           \
    CONTRACT_STORY(what_was_put_is_read, setup, teardown)           \
    CONTRACT_STORY(tables_are_apart, setup, teardown)               \
    CONTRACT_STORY(later_ops_win, setup, teardown)                  \
    CONTRACT_STORY(scan_goes_in_key_order, setup, teardown)         \
    CONTRACT_STORY(scan_stops_when_told, setup, teardown)           \
    CONTRACT_STORY(scan_merges_old_and_new, setup, teardown)        \
    CONTRACT_STORY(commits_are_numbered, setup, teardown)           \
    CONTRACT_STORY(a_broken_batch_changes_nothing, setup, teardown) \
    CONTRACT_STORY(large_values, setup, teardown)                   \
    CONTRACT_STORY(crash_leaves_a_prefix, setup, teardown)          \
    CONTRACT_STORY(digest_names_the_content, setup, teardown)

#endif
