/* journal_fuzz.c - a folder of journal files as a crash, a bad disk or a
 * stranger's hand may leave it: each a header and records that are sound or
 * not, or any bytes.
 *
 * Holds the law: replay hands out the commits after the one asked for, in
 * sequence, or says what is damaged; and it can be written on from there, and
 * replayed again with all that was handed out and written. */
#include "fuzz/fuzz.h"
#include "sim/disk.h"
#include "store/journal.h"
#include "store/journal_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILES_MAX 6
#define SEGMENT 512

struct heard {
    uint64_t after, n;
    uint64_t sum; /* of lengths and first bytes */
};

/* Nobody counts to the end of these from zero, and the last commit comes from
 * state.db, whose numbers are signed. */
static uint64_t take_counted(struct pieces *p)
{
    return take_number(p) >> 2;
}

static int on_commit(void *ctx, uint64_t no, struct slice payload)
{
    struct heard *h = ctx;

    ENSURE(no == h->after + ++h->n);
    h->sum = h->sum * 31 + payload.len;
    if (payload.len > 0)
        h->sum += payload.ptr[payload.len - 1];
    return SYNCLINE_OK;
}

static void put_records(struct pieces *p, uint64_t serial, struct buf *b)
{
    uint64_t no = take_number(p);
    unsigned n = take_below(p, 8);

    for (unsigned i = 0; i < n; i++) {
        struct record r = { .no = no + i };
        unsigned back = take_below(p, 8);

        r.durable = r.no > back ? r.no - back - 1 : 0;
        r.payload = take_piece(p);
        put_record(b, segment_seed(serial), &r);
    }
}

static void put_segment(struct pieces *p, uint64_t serial, struct buf *b)
{
    struct segment_header h = { .serial = serial };
    uint8_t how = take_u8(p);

    if ((how & 1) != 0) {
        h.first = take_number(p);
        h.durable = take_number(p);
        put_segment_header(b, &h);
    }
    if ((how & 2) != 0)
        put_records(p, serial, b);
    if ((how & 4) != 0)
        buf_put_slice(b, take_piece(p));
    if ((how & 8) != 0 && b->len > 0) {
        uint8_t at = take_u8(p);

        b->ptr[at % b->len] ^= take_u8(p);
    }
}

static void put_file(struct disk *disk, struct pieces *p)
{
    char path[DISK_NAME];
    uint64_t serial = take_counted(p);
    const char *kind = take_below(p, 4) == 0 ? "spare" : "journal";
    struct buf content = { 0 };

    (void)snprintf(path, sizeof path, "j/%s-%016" PRIx64, kind, serial);
    put_segment(p, serial, &content);
    disk_set(disk, path, content.len > 0 ? content.ptr : (const uint8_t *)"",
        written(&content).len);
    buf_free(&content);
}

static int replay(struct disk *os, struct heard *h, struct journal **out)
{
    struct journal_options opt = {
        .os = &os->port, .dir = "j", .segment_bytes = SEGMENT, .spares_max = 2
    };
    struct errmsg why = { "" };
    int rc = journal_open(out, &opt, &why);

    if (rc == SYNCLINE_OK) {
        rc = journal_replay(*out, h->after, on_commit, h, &why);
        if (rc != SYNCLINE_OK)
            journal_free(*out);
    }
    ENSURE(rc == SYNCLINE_OK || why.text[0] != 0);
    return rc;
}

static void write_on(struct disk *os, struct journal *j, uint64_t *wrote)
{
    uint64_t no, upto;
    int fds[8];
    unsigned n;
    bool dir;
    int rc = journal_append(j, SLICE_LIT("written on"), &no);

    *wrote = rc == SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        rc = journal_flush(j);
    if (rc == SYNCLINE_OK)
        rc = journal_sync_begin(j, fds, 8, &n, &dir, &upto);
    ENSURE(rc == SYNCLINE_OK || *wrote == 0);
    if (*wrote == 0)
        return;
    ENSURE(no == journal_last(j) && upto == no);
    for (unsigned i = 0; i < n; i++)
        ENSURE(os->port.sync(os->port.self, fds[i]) == SYNCLINE_OK);
    ENSURE(os->port.sync_dir(os->port.self, "j") == SYNCLINE_OK);
    journal_sync_end(j, true, dir, upto);
}

/* Power is lost after the sync; nothing may be missing. */
static void check_again(
    struct disk *os, const struct heard *first, uint64_t wrote)
{
    struct heard h = { .after = first->after };
    struct journal *j;

    disk_off(os);
    disk_crash(os, DISK_DROPPED, NULL);
    ENSURE(replay(os, &h, &j) == SYNCLINE_OK);
    ENSURE(h.n == first->n + wrote);
    ENSURE(wrote > 0 || h.sum == first->sum);
    journal_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct heard h = { .after = take_counted(&p) };
    struct disk *os = malloc(sizeof *os);
    struct journal *j;
    uint64_t wrote;

    ENSURE(os != NULL);
    disk_init(os, 1);
    for (int i = 0; i < FILES_MAX && take_more(&p); i++)
        put_file(os, &p);
    if (replay(os, &h, &j) == SYNCLINE_OK) {
        ENSURE(journal_last(j) == h.after + h.n);
        write_on(os, j, &wrote);
        journal_free(j);
        check_again(os, &h, wrote);
    }
    disk_free(os);
    free(os);
    return 0;
}
