#include "store/store_file.h"

#include "base/codec.h"
#include "sim/disk.h"
#include "unit/check.h"
#include "unit/store_contract.h"
#include "unit/store_temp.h"

#include <string.h>

/* Some of whom share a place in what the store keeps of their feeds. */
static const uint32_t spaces[] = { 1, 2, 9, 0x101, 0x10001 };
#define SPACES_N (sizeof spaces / sizeof *spaces)
#define LSN_MAX 3000
#define PLACE_LEN 12 /* space and lsn */

struct world {
    struct disk disk;
    struct store_file_options opt;
    struct store_file *s;
    struct store_port port;
    struct errmsg why;
    uint64_t last[SPACES_N];
    bool there[SPACES_N][LSN_MAX];
    bool frozen; /* a checkpoint is under way */
};

static void begin(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    disk_init(&w->disk, seed);
    disk_vfs_register(&w->disk);
    w->opt = temp_options();
    w->opt.os = &w->disk.port;
    w->opt.vfs = w->disk.vfs;
    CHECK_OK(store_file_open(&w->s, "store", &w->opt, &w->why));
    w->port = store_file_port(w->s);
}

static void end(struct world *w)
{
    store_file_abandon(w->s);
    disk_free(&w->disk);
}

static struct slice feed_key(struct buf *b, size_t space, uint64_t lsn)
{
    buf_clear(b);
    put_be32(b, spaces[space]);
    put_be64(b, lsn);
    buf_put_str(b, "\2key");
    return buf_slice(b);
}

/* What a commit does: its item stands at the feed's end, and no more where it
 * stood. */
static void write_one(struct world *w, size_t space, uint64_t moves)
{
    struct batch batch = { 0 };
    struct buf key = { 0 };
    uint64_t no;

    CHECK(w->last[space] + 1 < LSN_MAX);
    w->last[space]++;
    batch_put(&batch, TABLE_FEED, feed_key(&key, space, w->last[space]),
        SLICE_LIT(""));
    if (moves > 0 && moves < w->last[space] && w->there[space][moves]) {
        batch_del(&batch, TABLE_FEED, feed_key(&key, space, moves));
        w->there[space][moves] = false;
    }
    w->there[space][w->last[space]] = true;
    CHECK_OK(store_commit(&w->port, buf_slice(&batch.ops), &no));
    buf_free(&batch.ops);
    buf_free(&key);
}

struct reading {
    struct world *w;
    size_t space;
    uint64_t at; /* all below has been seen */
};

static uint64_t next_there(const struct reading *r)
{
    uint64_t lsn = r->at;

    while (lsn <= r->w->last[r->space] && !r->w->there[r->space][lsn])
        lsn++;
    return lsn;
}

static int see(void *ctx, struct slice key, struct slice value)
{
    struct reading *r = ctx;
    struct reader in = reader_of(key);
    uint32_t space = get_be32(&in);
    uint64_t lsn = get_be64(&in);

    (void)value;
    CHECK_UINT(space, spaces[r->space]);
    CHECK_UINT(lsn, next_there(r));
    r->at = lsn + 1;
    return 0;
}

static void follow(struct world *w, size_t space, uint64_t from)
{
    struct reading r = { w, space, from };
    struct buf start = { 0 };
    struct slice key = feed_key(&start, space, from);

    key.len = PLACE_LEN;
    CHECK_OK(store_scan(&w->port, TABLE_FEED, SLICE(key.ptr, 4), key, see, &r));
    CHECK_SAYING(next_there(&r) > w->last[space],
        "space %u: nothing was told from %llu on", (unsigned)spaces[space],
        (unsigned long long)r.at);
    buf_free(&start);
}

static void end_checkpoint(struct world *w, bool fails)
{
    if (!w->frozen)
        return;
    if (fails)
        disk_arm(&w->disk, 1, SYNCLINE_EFULL, true);
    store_file_checkpoint_run(w->s);
    (void)!store_file_checkpoint_end(w->s, &w->why);
    disk_arm(&w->disk, 0, SYNCLINE_OK, false);
    w->frozen = false;
}

static int count(void *ctx, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(size_t *)ctx;
    return 0;
}

/* Of all spaces, from within one of them on. */
static void check_whole(struct world *w, size_t space, uint64_t from)
{
    struct buf start = { 0 };
    struct slice key = feed_key(&start, space, from);
    size_t seen = 0, want = 0;

    for (size_t i = 0; i < SPACES_N; i++)
        for (uint64_t lsn = 0; lsn <= w->last[i]; lsn++)
            want += w->there[i][lsn] &&
                (spaces[i] > spaces[space] || (i == space && lsn >= from));
    key.len = PLACE_LEN;
    CHECK_OK(store_scan(&w->port, TABLE_FEED, SLICE_NONE, key, count, &seen));
    CHECK_UINT(seen, want);
    buf_free(&start);
}

static void one_step(struct world *w, struct prng *p)
{
    size_t space = prng_below(p, SPACES_N);

    switch (prng_below(p, 8)) {
    case 0:
        if (!w->frozen)
            w->frozen = store_file_checkpoint_begin(w->s, 0);
        break;
    case 1:
        end_checkpoint(w, prng_one_in(p, 4));
        break;
    case 2:
        check_whole(w, space, prng_below(p, w->last[space] + 2));
        break;
    case 3:
        follow(w, space, prng_below(p, w->last[space] + 2));
        break;
    default:
        for (uint64_t n = prng_below(p, 3); n > 0; n--)
            write_one(w, space, prng_below(p, w->last[space] + 1));
    }
    follow(w, space, w->last[space] - prng_below(p, 2) * (w->last[space] > 0));
}

/* Whoever reads a feed from wherever, before, amid and after checkpoints that
 * may fail: it is told all that is there, and once. */
TEST(a_feed_has_no_gap)
{
    static struct world w;

    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct prng p = { seed };

        begin(&w, seed);
        for (int i = 0; i < 800; i++)
            one_step(&w, &p);
        end_checkpoint(&w, false);
        for (size_t i = 0; i < SPACES_N; i++)
            follow(&w, i, 0);
        end(&w);
    }
}

static uint64_t feeds_read(const struct world *w)
{
    struct store_file_stats st;

    store_file_stats(w->s, &st);
    return st.feeds_read;
}

/* Two spaces that are followed ask the file once each after a checkpoint, not
 * at each commit. */
TEST(who_follows_a_feed_does_not_ask_the_file)
{
    static struct world w;
    uint64_t before;

    begin(&w, 1);
    for (int round = 0; round < 3; round++) {
        before = feeds_read(&w);
        for (int i = 0; i < 50; i++)
            for (size_t space = 0; space < 2; space++) {
                write_one(&w, space, 0);
                follow(&w, space, w.last[space]);
                follow(&w, space, w.last[space]); /* another watch */
            }
        CHECK_SAYING(feeds_read(&w) - before <= 4, "%llu times",
            (unsigned long long)(feeds_read(&w) - before));
        CHECK(feeds_read(&w) > before);
        CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    }
    end(&w);
}
