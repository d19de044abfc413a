/* journal_impl.h - what journal.c and journal_replay.c share. */
#ifndef SYNCLINE_STORE_JOURNAL_IMPL_H
#define SYNCLINE_STORE_JOURNAL_IMPL_H

#include "store/journal.h"
#include "store/journal_record.h"

#define JOURNAL_PATH_MAX 4200

struct segment {
    uint64_t serial;
    uint64_t first;   /* valid if sound */
    uint64_t durable; /* the header's claim; valid if sound */
    uint64_t last;    /* last commit in it, or 0 */
    uint64_t size;
    int fd;       /* -1: not open */
    bool sound;   /* it begins with its header */
    bool is_ours; /* begun since the start */
};

struct journal {
    const struct os_port *os;
    const char *dir;
    size_t segment_bytes;
    unsigned spares_max;
    size_t record_max;
    struct segment *segments; /* by serial */
    size_t segments_n, segments_cap;
    uint64_t *spares; /* serials */
    size_t spares_n, spares_cap;
    uint64_t serial; /* the highest seen */
    bool writing;    /* the last segment is being written */
    bool write_failed;
    bool dir_dirty; /* a name is not durable yet */
    uint32_t seed;  /* of the segment being written */
    uint64_t at;    /* where pending goes */
    struct buf pending;
    uint64_t last, synced;
};

void journal_path(const struct journal *j, char out[JOURNAL_PATH_MAX],
    const char *kind, uint64_t serial);

#endif
