/* import.h - records on their way into the daemon: batches, pipelined.
 *
 * A batch is stored whole or not at all. Law: a key reaches the list of
 * acknowledged ones only after the daemon has acknowledged its batch. */
#ifndef SYNCLINE_APP_IMPORT_H
#define SYNCLINE_APP_IMPORT_H

#include "app/cmd/cli.h"
#include "app/import_line.h"

#define IMPORT_BATCH_N 256
#define IMPORT_BATCH_BYTES ((size_t)400 << 10)
#define IMPORT_WINDOW 8

struct import_batch {
    int64_t id;           /* 0: free */
    uint64_t first, last; /* lines */
    uint64_t n;
    struct buf keys; /* a newline after each */
};

struct import {
    struct cli *c;
    const char *file; /* for messages */
    const char *space;
    const struct json *wait; /* an object with wait, wait_ms; or NULL */
    FILE *acks;              /* NULL: none */
    struct import_batch batch[IMPORT_WINDOW];
    size_t outstanding;
    int64_t next_id;
    struct buf ops; /* of the batch that is being filled */
    struct import_batch filling;
    uint64_t stored;    /* records that were acknowledged */
    uint64_t last;      /* the highest line sent */
    bool lost;          /* the connection; told once */
    struct buf refused; /* what was not stored, and why: a line each */
    struct arena arena;
};

void import_close(struct import *im);
/* Takes a record; may send and wait. Printed and returned as cli_exit. */
int import_record(
    struct import *im, uint64_t no, const struct import_line *line);
/* Sends what is gathered. */
int import_flush(struct import *im);
/* Takes answers that are there; all: waits for those outstanding. */
int import_drain(struct import *im, bool all);

#endif
