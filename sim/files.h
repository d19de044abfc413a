/* files.h - each machine's configuration file, which is bound to an item
 * (files/binding.h), and the editors that save it: whole, in halves with a
 * pause between, removed and made anew, misspelt, mended.
 *
 * A write takes its time and is made at once or not at all; until it is
 * durable a crash may take it back. The record is on the disk of the store,
 * and goes back, or is lost, with that. check_files.c judges. */
#ifndef SYNCLINE_SIM_FILES_H
#define SYNCLINE_SIM_FILES_H

#include "files/binding.h"
#include "sim/draw.h"

struct world;
struct machine;

#define BOUND_SPACE "default"
#define BOUND_KEY "k0"

struct sim_file {
    struct binding *binding; /* NULL: the machine is off, or there is none */
    uint32_t life;           /* counts them */
    struct local_parts local;
    struct prng draw;
    /* The file. */
    bool exists;
    struct buf text;
    bool settling;  /* what was written may be taken back by a crash */
    bool was_there; /* then there is this again: */
    struct buf was;
    struct buf rest; /* what an editor has still to write */
    bool editing;
    /* Its record, and the copy of it in a backup. */
    struct buf record, backup;
    /* What the machine has asked for. */
    struct buf asked, expected, context;
    bool asked_exists, unseen;
    uint64_t timer_us;
    uint64_t quiet_us; /* when it began to be busy */
    bool touched;
    /* Saves by editors; of them read; of those published. */
    uint64_t saves, read, published;
    uint64_t alive; /* what its editor saved at the end; 0: nothing */
};

void sim_file_init(struct machine *m);
void sim_file_free(struct machine *m);
void sim_file_start(struct machine *m);
/* The machine is off; crashed: without warning. */
void sim_file_down(struct machine *m, bool crashed);
void sim_file_backup(struct machine *m);
void sim_file_restore(struct machine *m);
void sim_file_wipe(struct machine *m);
/* It has committed something of that item (of the ledger). */
void sim_file_touched(struct machine *m, uint32_t item);

/* Whoever watches the file sees something happen to it. */
void sim_file_seen(struct machine *m, enum binding_save save);
void sim_file_set(struct buf *to, struct slice s);

/* editors.c: somebody edits a file, perhaps; beside the n-th operation. */
void sim_file_act(struct world *w, uint64_t no);
/* Editors finish what they have begun; nothing fails any more. */
void sim_file_finish(struct world *w);
/* Is it one that must be what its item is? */
bool sim_file_counts(const struct machine *m);
/* Every editor saves once more. */
void sim_file_live(struct world *w);
/* The document of the item; NULL: there is none. */
struct json *sim_file_item(struct machine *m, struct arena *a);

#endif
