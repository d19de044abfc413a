#include "store/journal.h"

#include "sim/disk.h"
#include "store/journal_record.h"
#include "unit/check.h"

#include <stdio.h>

#define COMMITS 6000
#define SEGMENT 2048

/* A journal over files in memory, and what it ought to hold. */
struct world {
    struct disk os;
    struct journal *j;
    uint64_t seeds[COMMITS + 1]; /* of the payloads, by number */
    uint64_t last, synced, released;
    uint64_t seen; /* by the running replay */
    struct prng prng;
    struct errmsg why;
};

static struct slice payload_of(uint64_t seed)
{
    static uint8_t bytes[400];
    struct prng p = { seed };
    size_t n = (size_t)prng_below(&p, sizeof bytes);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)prng_next(&p);
    return SLICE(bytes, n);
}

static int on_commit(void *ctx, uint64_t no, struct slice payload)
{
    struct world *w = ctx;

    CHECK_UINT(no, w->seen + 1);
    CHECK(no <= w->last);
    CHECK_BYTES(payload, payload_of(w->seeds[no]));
    w->seen = no;
    return SYNCLINE_OK;
}

static int world_open(struct world *w)
{
    struct journal_options opt = {
        .os = &w->os.port, .dir = "j", .segment_bytes = SEGMENT, .spares_max = 2
    };
    int rc = journal_open(&w->j, &opt, &w->why);

    w->seen = w->released;
    if (rc == SYNCLINE_OK) {
        rc = journal_replay(w->j, w->released, on_commit, w, &w->why);
        if (rc != SYNCLINE_OK) {
            journal_free(w->j);
            w->j = NULL;
        }
    }
    if (rc != SYNCLINE_OK)
        return rc;
    CHECK_UINT(journal_last(w->j), w->seen);
    CHECK_SAYING(w->seen >= w->synced, "%llu were synced, %llu are left",
        (unsigned long long)w->synced, (unsigned long long)w->seen);
    w->last = w->synced = w->seen;
    return rc;
}

static void world_start(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    disk_init(&w->os, seed);
    w->prng.state = seed;
    CHECK_OK(world_open(w));
}

static void world_end(struct world *w)
{
    journal_free(w->j);
    disk_free(&w->os);
}

static int append(struct world *w)
{
    uint64_t seed = prng_next(&w->prng), no = 0;
    int rc = journal_append(w->j, payload_of(seed), &no);

    if (rc != SYNCLINE_OK)
        return rc;
    CHECK_UINT(no, w->last + 1);
    w->seeds[no] = seed;
    w->last = no;
    return rc;
}

static int sync_all(struct world *w)
{
    int fds[4];
    unsigned n;
    bool dir;
    uint64_t upto;
    int rc = journal_sync_begin(w->j, fds, 4, &n, &dir, &upto);

    if (rc != SYNCLINE_OK)
        return rc;
    for (unsigned i = 0; i < n && rc == SYNCLINE_OK; i++)
        rc = w->os.port.sync(&w->os, fds[i]);
    if (rc == SYNCLINE_OK && dir)
        rc = w->os.port.sync_dir(&w->os, "j");
    journal_sync_end(w->j, rc == SYNCLINE_OK, dir, upto);
    if (rc == SYNCLINE_OK)
        w->synced = upto;
    return rc;
}

static void crash(struct world *w, struct prng *p)
{
    journal_free(w->j);
    w->j = NULL;
    disk_off(&w->os);
    disk_crash(&w->os,
        p == NULL ? DISK_DROPPED : (enum disk_loss)prng_below(p, DISK_LOSS_END),
        p);
}

static struct disk_bytes *segment(struct world *w, unsigned serial)
{
    char path[64];

    (void)snprintf(path, sizeof path, "j/journal-%016x", serial);
    return disk_content(&w->os, path);
}

/* doc/store.md, "Journal". */
TEST(a_segment_is_these_bytes)
{
    static const uint8_t header[] = { 'S', 'Y', 'N', 'J', 'R', 'N', 'L', 1, 7,
        0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t record[] = { 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 9, 0,
        0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0,
        0 };
    struct segment_header h = { 7, 9, 8 }, back;
    struct record r = { 9, 8, SLICE_LIT("abc"), 0 }, got;
    struct buf b = { 0 };

    put_segment_header(&b, &h);
    CHECK_UINT(b.len, SEGMENT_HEADER_LEN);
    CHECK_BYTES(SLICE(b.ptr, 32), SLICE(header, sizeof header));
    CHECK(get_segment_header(buf_slice(&b), 7, &back));
    CHECK(back.first == 9 && back.durable == 8);
    CHECK(!get_segment_header(buf_slice(&b), 8, &back));
    buf_clear(&b);
    put_record(&b, segment_seed(7), &r);
    CHECK(get_record(buf_slice(&b), 0, segment_seed(7), &got));
    CHECK(got.no == 9 && got.durable == 8 && got.size == b.len);
    CHECK_SLICE(got.payload, "abc");
    /* The same bytes under another serial are nothing. */
    CHECK(!get_record(buf_slice(&b), 0, segment_seed(8), &got));
    memset(b.ptr + 4, 0xff, 4); /* the checksum */
    CHECK_BYTES(buf_slice(&b), SLICE(record, sizeof record));
    buf_free(&b);
}

/* Cut at every byte, with zeros or garbage behind the cut. */
TEST(a_torn_tail_ends_the_replay_at_every_byte)
{
    static struct world w;
    struct buf whole = { 0 };
    size_t ends[8] = { SEGMENT_HEADER_LEN };
    unsigned complete = 0;

    world_start(&w, 1);
    for (int i = 1; i <= 6; i++) {
        CHECK_OK(append(&w));
        ends[i] = ends[i - 1] + record_size(payload_of(w.seeds[i]).len);
    }
    CHECK_OK(journal_flush(w.j));
    CHECK_OK(w.os.port.sync_dir(&w.os, "j"));
    buf_put(&whole, segment(&w, 1)->p, segment(&w, 1)->n);
    CHECK(ends[6] < SEGMENT);
    for (size_t cut = 0; cut <= ends[6]; cut++) {
        struct disk_bytes *file = segment(&w, 1);

        memcpy(file->p, whole.ptr, whole.len);
        memset(file->p + cut, cut % 2 ? 0 : 0xa5, file->n - cut);
        for (complete = 6; complete > 0 && ends[complete] > cut;)
            complete--;
        journal_free(w.j);
        w.j = NULL;
        w.last = 6;
        w.synced = 0;
        CHECK_OK(world_open(&w));
        /* The padding of the last record may be torn unseen? It is zeros,
         * and not under the checksum. */
        CHECK_SAYING(w.last == complete || w.last == complete + 1,
            "cut at %zu: %llu commits", cut, (unsigned long long)w.last);
        CHECK(w.last == complete || ends[w.last] - cut < 8);
    }
    CHECK_UINT(w.last, 6);
    buf_free(&whole);
    world_end(&w);
}

/* Bits that rot in what was durable are damage, not a torn tail, as soon as
 * anything written later tells so. */
TEST(a_damaged_record_is_named)
{
    static struct world w;
    size_t third;

    world_start(&w, 2);
    CHECK_OK(append(&w));
    CHECK_OK(append(&w));
    third = SEGMENT_HEADER_LEN + record_size(payload_of(w.seeds[1]).len) +
        record_size(payload_of(w.seeds[2]).len);
    CHECK_OK(append(&w));
    CHECK_OK(sync_all(&w));
    CHECK_OK(append(&w));
    CHECK_OK(sync_all(&w));
    crash(&w, NULL);
    for (size_t at = third; at < third + RECORD_HEADER_LEN; at++) {
        segment(&w, 1)->p[at] ^= 0x10;
        w.last = 4;
        CHECK_INT(world_open(&w), SYNCLINE_ECORRUPT);
        CHECK(strstr(w.why.text, "j/journal-0000000000000001") != NULL);
        segment(&w, 1)->p[at] ^= 0x10;
    }
    {
        char want[32];

        (void)snprintf(want, sizeof want, "byte %zu", third);
        CHECK(strstr(w.why.text, want) != NULL);
    }
    CHECK_OK(world_open(&w));
    world_end(&w);
}

/* A hole among records that were never synced is what a crash leaves. */
TEST(a_hole_in_what_was_not_durable_is_a_torn_tail)
{
    static struct world w;

    world_start(&w, 3);
    CHECK_OK(append(&w));
    CHECK_OK(sync_all(&w));
    CHECK_OK(append(&w));
    CHECK_OK(append(&w));
    CHECK_OK(append(&w));
    CHECK_OK(journal_flush(w.j));
    disk_flip(&w.os, "j/journal-0000000000000001",
        SEGMENT_HEADER_LEN + RECORD_HEADER_LEN +
            record_size(payload_of(w.seeds[1]).len),
        0);
    journal_free(w.j);
    CHECK_OK(world_open(&w));
    CHECK_UINT(w.last, 1);
    /* What lies behind the hole never comes back, though its numbers do. */
    CHECK_OK(append(&w));
    CHECK_OK(sync_all(&w));
    crash(&w, NULL);
    CHECK_OK(world_open(&w));
    CHECK_UINT(w.last, 2);
    world_end(&w);
}

TEST(a_missing_segment_is_damage)
{
    static struct world w;

    world_start(&w, 4);
    for (int i = 0; i < 60; i++) {
        CHECK_OK(append(&w));
        CHECK_OK(sync_all(&w));
    }
    crash(&w, NULL);
    CHECK_OK(w.os.port.unlink(&w.os, "j/journal-0000000000000002"));
    w.last = 60;
    CHECK_INT(world_open(&w), SYNCLINE_ECORRUPT);
    CHECK_OK(w.os.port.unlink(&w.os, "j/journal-0000000000000001"));
    CHECK_INT(world_open(&w), SYNCLINE_ECORRUPT);
    CHECK(strstr(w.why.text, "state.db") != NULL);
    disk_free(&w.os);
}

TEST(a_record_larger_than_a_segment_has_one_of_its_own)
{
    static struct world w;
    static uint8_t big[3 * SEGMENT];
    struct journal_options opt = {
        .os = &w.os.port, .dir = "j", .segment_bytes = SEGMENT, .spares_max = 2
    };
    uint64_t no, live, spare;

    world_start(&w, 5);
    CHECK_OK(append(&w));
    CHECK_OK(journal_append(w.j, SLICE(big, sizeof big), &no));
    CHECK_UINT(no, 2);
    w.last = 2;
    CHECK_OK(append(&w));
    CHECK_OK(sync_all(&w));
    journal_count(w.j, &live, &spare);
    CHECK_UINT(live, 3);
    /* Released, it is removed and not kept as a spare, */
    journal_release(w.j, 2);
    journal_count(w.j, &live, &spare);
    CHECK_UINT(live, 1);
    CHECK_UINT(spare, 1);
    crash(&w, NULL);
    CHECK_OK(journal_open(&w.j, &opt, &w.why));
    w.seen = 2;
    CHECK_OK(journal_replay(w.j, 2, on_commit, &w, &w.why));
    CHECK_UINT(journal_last(w.j), 3);
    /* and so is what was written before the start. */
    journal_release(w.j, 3);
    journal_count(w.j, &live, &spare);
    CHECK_UINT(live, 0);
    CHECK_UINT(spare, 0);
    world_end(&w);
}

TEST(a_payload_beyond_the_limit_is_refused)
{
    static struct world w;
    uint64_t no;

    world_start(&w, 6);
    CHECK_INT(journal_append(w.j, SLICE(&w, RECORD_PAYLOAD_MAX + 1), &no),
        SYNCLINE_ELIMIT);
    CHECK_OK(append(&w));
    world_end(&w);
}

/* Random appends, syncs, releases and power losses: what comes back is
 * always a prefix with all that was synced. */
TEST(crashes_leave_a_prefix)
{
    static struct world w;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct prng p = { seed };

        world_start(&w, seed);
        for (int i = 0; i < 400 && w.last < COMMITS; i++) {
            CHECK_OK(append(&w));
            if (prng_one_in(&p, 6))
                CHECK_OK(sync_all(&w));
            else if (prng_one_in(&p, 6))
                CHECK_OK(journal_flush(w.j));
            if (prng_one_in(&p, 50)) {
                w.released += prng_below(&p, w.synced - w.released + 1);
                journal_release(w.j, w.released);
            }
            if (prng_one_in(&p, 30)) {
                crash(&w, prng_one_in(&p, 4) ? NULL : &p);
                CHECK_SAYING(world_open(&w) == SYNCLINE_OK, "seed %llu: %s",
                    (unsigned long long)seed, w.why.text);
            }
        }
        world_end(&w);
    }
}

/* Each call fails once, or from then on. A commit that was refused is not
 * there; one that was taken is, once the disk works again. */
static void faults(int fail_rc, bool for_good)
{
    static struct world w;

    for (uint64_t nth = 1; nth < 80; nth++) {
        int refused = 0;
        bool lost = false;

        world_start(&w, nth);
        CHECK_OK(append(&w));
        CHECK_OK(sync_all(&w));
        disk_arm(&w.os, nth, fail_rc, for_good);
        for (int i = 0; i < 60 && !lost; i++) {
            int rc = append(&w);

            CHECK(rc == SYNCLINE_OK || rc == fail_rc);
            refused += rc != SYNCLINE_OK;
            if (i % 3 == 0) {
                rc = sync_all(&w);
                /* After a failed fdatasync nobody goes on. */
                lost = rc == SYNCLINE_EIO;
            }
            if (i % 20 == 19) {
                w.released = w.synced;
                journal_release(w.j, w.released);
            }
        }
        if (for_good && fail_rc == SYNCLINE_EFULL && w.os.failed > 0)
            CHECK(refused > 0);
        disk_arm(&w.os, 0, SYNCLINE_OK, false);
        if (!lost) {
            uint64_t before = w.last;

            CHECK_OK(append(&w));
            CHECK_OK(sync_all(&w));
            CHECK_UINT(w.last, before + 1);
        }
        crash(&w, &w.prng);
        CHECK_SAYING(world_open(&w) == SYNCLINE_OK, "call %llu: %s",
            (unsigned long long)nth, w.why.text);
        world_end(&w);
    }
}

TEST(the_disk_is_full_for_a_moment)
{
    faults(SYNCLINE_EFULL, false);
}

TEST(the_disk_is_full)
{
    faults(SYNCLINE_EFULL, true);
}

TEST(the_disk_fails_for_a_moment)
{
    faults(SYNCLINE_EIO, false);
}

TEST(the_disk_fails)
{
    faults(SYNCLINE_EIO, true);
}

/* No room for the next segment, and the file that was made for it cannot be
 * removed: the next try is not in its way. */
TEST(a_segment_half_made_is_made_again)
{
    static struct world w;
    uint64_t last;

    world_start(&w, 11);
    w.os.room = 1;
    disk_arm(&w.os, 3, SYNCLINE_EIO, false); /* open, reserve, unlink */
    CHECK_INT(append(&w), SYNCLINE_EFULL);
    CHECK_UINT(w.os.failed, 1);
    CHECK(segment(&w, 1) != NULL);
    w.os.room = 0;
    CHECK_OK(append(&w));
    CHECK_OK(sync_all(&w));
    last = w.last;
    crash(&w, NULL);
    CHECK_OK(world_open(&w));
    CHECK_UINT(w.last, last);
    world_end(&w);
}

/* Opening fails with a message at each call that can fail, and works when
 * the fault is gone. */
TEST(opening_fails_whole)
{
    static struct world w;
    bool failed = true;
    uint64_t last;

    world_start(&w, 9);
    for (int i = 0; i < 40; i++)
        CHECK_OK(append(&w));
    while (w.synced < w.last) /* a few files a time */
        CHECK_OK(sync_all(&w));
    last = w.last;
    crash(&w, NULL);
    for (uint64_t nth = 1; failed; nth++) {
        disk_arm(&w.os, nth, SYNCLINE_EIO, false);
        w.why.text[0] = 0;
        failed = world_open(&w) != SYNCLINE_OK;
        CHECK(failed == (w.os.failed > 0));
        CHECK(!failed || w.why.text[0] != 0);
    }
    CHECK_UINT(w.last, last);
    world_end(&w);
}

/* All records behind the damage are gone too, but the next segment was begun
 * when the damaged one was durable. */
TEST(a_header_alone_testifies)
{
    static struct world w;
    uint64_t live = 1, spare;

    world_start(&w, 10);
    while (live == 1) {
        CHECK_OK(append(&w));
        CHECK_OK(sync_all(&w));
        journal_count(w.j, &live, &spare);
    }
    CHECK_OK(sync_all(&w));
    crash(&w, NULL);
    memset(segment(&w, 1)->p + SEGMENT_HEADER_LEN, 0,
        SEGMENT - SEGMENT_HEADER_LEN);
    memset(segment(&w, 2)->p + SEGMENT_HEADER_LEN, 0, 1000);
    CHECK_INT(world_open(&w), SYNCLINE_ECORRUPT);
    CHECK(strstr(w.why.text, "at byte 40:") != NULL);
    disk_free(&w.os);
}
