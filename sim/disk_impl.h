/* disk_impl.h - what disk.c and disk_port.c share. */
#ifndef SYNCLINE_SIM_DISK_IMPL_H
#define SYNCLINE_SIM_DISK_IMPL_H

#include "sim/disk.h"

/* Among names; NULL: there is none. */
struct disk_name *disk_find(struct disk_name *names, const char *path);
/* Of a file that is new to its name; path "": it loses it. */
void disk_rename_to(struct disk *d, int file, const char *path);
int disk_new_file(struct disk *d);

void disk_set_length(struct disk_bytes *b, size_t n);
void disk_put_at(struct disk_bytes *b, size_t at, const void *p, size_t n);

/* Brings what was written to the platter: each write, or aligned piece of
 * size bytes of it (0: writes are whole), with odds of keep in 8. The rest
 * never gets there. */
void disk_settle(
    struct disk_file *f, size_t size, unsigned keep, struct prng *p);
/* The first n renamings, and no others ever. */
void disk_settle_names(struct disk *d, size_t n);

void disk_set_port(struct disk *d);

#endif
