/* binding_world.h - a file, an item and a clock for the machine that keeps the
 * two the same (files/binding.h). */
#ifndef SYNCLINE_TEST_UNIT_BINDING_WORLD_H
#define SYNCLINE_TEST_UNIT_BINDING_WORLD_H

#include "files/binding.h"

#define MS ((uint64_t)1000)

struct binding_world {
    struct binding *binding;
    struct binding_options opt;
    uint64_t now_us;
    /* The file; the machine's writes are seen by it as anybody's are. */
    bool exists, busy, unsure;
    struct buf file;
    const char *barred; /* NULL: it can be read */
    const char *flaw;   /* what forbids to take the item; or NULL */
    /* The item: how often it was changed is its context. */
    bool has_item;
    struct buf item;
    unsigned context;
    /* What it was asked for. */
    unsigned reads, puts, unseen, writes, keeps, runs, saves;
    struct buf record, ran;
    /* What it is answered; 0: as it is. */
    int put_rc, write_rc, run_rc;
    bool loses; /* what is put unseen, against what stands */
    /* In that many steps (1: the next) memory runs out, after so many
     * allocations. */
    unsigned fails_in, fails_after;
    bool failed;
    /* Told before a put, a write, is carried out; or NULL. */
    void (*before_put)(struct binding_world *w);
    void (*before_write)(struct binding_world *w);
};

/* ctx of the world: made anew, with the record that was saved last. */
void world_start(struct binding_world *w);
/* The machine dies, and what was under way with it. */
void world_kill(struct binding_world *w);
void world_close(struct binding_world *w);

/* Somebody else writes the file, in one go; NULL: removes it. */
void world_save(struct binding_world *w, const char *text);
/* And it is seen how. */
void world_save_as(
    struct binding_world *w, const char *text, enum binding_save save);
/* The same, not seen by anybody who watches. */
void world_set_file(struct binding_world *w, const char *text);
/* Somebody else writes the item; NULL: deletes it. */
void world_put(struct binding_world *w, const char *doc);
/* Time passes; what falls due is done. */
void world_wait(struct binding_world *w, uint64_t us);
/* Until nothing falls due any more. */
void world_settle(struct binding_world *w);
/* Without time: one event, and all that follows at once. Returns its rc. */
int world_tell(struct binding_world *w, const struct binding_event *ev,
    struct errmsg *why);

void world_check(struct binding_world *w, const char *file, const char *item);
void world_check_trouble(
    struct binding_world *w, enum binding_trouble which, const char *part);
void world_check_no_trouble(struct binding_world *w);

/* A file and an item that have come to agree on it, written by a person. */
#define WORLD_AGREED "{\n    \"b\": 2,\n    \"a\": 1\n}\n"
struct binding_world world_in_agreement(void);

#endif
