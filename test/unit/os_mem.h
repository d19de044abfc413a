/* os_mem.h - files in memory that can fail and lose what was not synced.
 *
 * For one thread. Folders are not modelled: a path is a name. */
#ifndef SYNCLINE_TEST_UNIT_OS_MEM_H
#define SYNCLINE_TEST_UNIT_OS_MEM_H

#include "base/buf.h"
#include "base/prng.h"
#include "store/os.h"

#define OS_MEM_FILES 64

struct os_mem_file {
    struct buf now, synced;
};

struct os_mem_name {
    char path[128]; /* "": free */
    int file;
};

struct os_mem {
    struct os_port port;
    struct os_mem_file files[OS_MEM_FILES];
    struct os_mem_name now[OS_MEM_FILES], synced[OS_MEM_FILES];
    int fds[OS_MEM_FILES]; /* file + 1, 0: free */
    int lock_fd;
    uint64_t calls;     /* those that can fail, since the last arming */
    uint64_t fail_at;   /* 0: never */
    bool fail_for_good; /* else once */
    int fail_rc;        /* EFULL: only calls that take room fail */
    uint64_t room;      /* bytes that all files may take; 0: no limit */
    uint64_t failed;    /* calls that were made to fail */
};

void os_mem_init(struct os_mem *m);
void os_mem_free(struct os_mem *m);
/* The nth call from now fails with rc. n 0: none does. */
void os_mem_arm(struct os_mem *m, uint64_t n, int rc, bool for_good);
/* Power is lost: descriptors are gone, of what was not synced each block
 * stays or goes as the random source says. NULL: all of it goes. */
void os_mem_crash(struct os_mem *m, struct prng *p);
/* The content of a file, to damage it; NULL if there is none. */
struct buf *os_mem_content(struct os_mem *m, const char *path);

#endif
