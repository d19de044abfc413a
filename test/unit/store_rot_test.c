#include "unit/store_script.h"

#include "unit/check.h"

#include <stdio.h>
#include <stdlib.h>

/* A store's folder as a crash left it, an older copy of it, and the damage
 * that is being tried. */
struct rot {
    struct disk now, older;
    struct model model;
    struct prng p;
    char what[200];
    unsigned noticed, unharmed;
};

static void rot_make(struct rot *r, uint64_t seed)
{
    static struct script s;

    memset(r, 0, sizeof *r);
    r->p.state = seed;
    script_init(&s, seed);
    CHECK(script_run(&s, 0, SCRIPT_STEPS / 2));
    CHECK_OK(store_file_flush(s.s));
    disk_copy(&r->older, &s.disk);
    CHECK(script_run(&s, SCRIPT_STEPS / 2, SCRIPT_STEPS));
    CHECK_OK(store_file_flush(s.s));
    script_kill(&s);
    disk_copy(&r->now, &s.disk);
    r->model = s.model;
    script_free(&s);
}

static void rot_free(struct rot *r)
{
    disk_free(&r->now);
    disk_free(&r->older);
}

static int count(void *ctx, struct slice key, struct slice value)
{
    ++*(uint64_t *)ctx;
    return key.len > 1 << 20 || value.len > 1 << 30;
}

static bool is_known(int rc)
{
    return rc == SYNCLINE_OK || rc == SYNCLINE_ECORRUPT || rc == SYNCLINE_EIO ||
        rc == SYNCLINE_ENOTFOUND;
}

/* Everything that can be asked of it; answers may be wrong where state.db
 * is, but each is an answer. */
static void use(struct rot *r, struct script *s)
{
    uint64_t n = 0;
    int rc;

    for (int t = 0; t < TABLE_END; t++) {
        struct slice value;

        rc = store_scan(
            &s->port, (enum store_table)t, SLICE_NONE, SLICE_NONE, count, &n);
        CHECK_SAYING(is_known(rc), "%s: scan says %d", r->what, rc);
        rc = store_get(&s->port, (enum store_table)t, SLICE_LIT("k1"), &value);
        CHECK_SAYING(is_known(rc), "%s: get says %d", r->what, rc);
    }
    s->why.text[0] = 0;
    rc = store_file_verify(s->s, &s->why);
    CHECK_SAYING(rc == SYNCLINE_OK || s->why.text[0] != 0,
        "%s: verify says %d and no more", r->what, rc);
    for (int i = 0; i < 20; i++) {
        struct batch b = { 0 };
        uint64_t no;

        model_batch(&b, prng_next(&r->p));
        CHECK_OK(store_commit(&s->port, buf_slice(&b.ops), &no));
        buf_free(&b.ops);
    }
    CHECK_OK(store_file_sync(s->s));
    s->why.text[0] = 0;
    rc = store_file_checkpoint(s->s, 5000, &s->why);
    CHECK_SAYING(rc == SYNCLINE_OK || strstr(s->why.text, "state.db") != NULL,
        "%s: the checkpoint says %d: %s", r->what, rc, s->why.text);
}

/* Opens a damaged folder. It is refused with the name of the file and what
 * can be done, or it can be used. */
static void judge(struct rot *r, struct disk *damaged)
{
    static struct script s;
    int rc;

    script_init(&s, 1);
    disk_free(&s.disk);
    script_on(&s, damaged);
    rc = script_open(&s);
    if (rc == SYNCLINE_OK) {
        r->unharmed++;
        use(r, &s);
    } else {
        r->noticed++;
        CHECK_SAYING(rc == SYNCLINE_ECORRUPT || rc == SYNCLINE_EIO ||
                rc == SYNCLINE_EVERSION,
            "%s: refused with %d: %s", r->what, rc, s.why.text);
        CHECK_SAYING(strstr(s.why.text, SCRIPT_DIR "/") != NULL ||
                strstr(s.why.text, "in " SCRIPT_DIR) != NULL,
            "%s: no file is named: %s", r->what, s.why.text);
        CHECK_SAYING(rc != SYNCLINE_ECORRUPT ||
                strstr(s.why.text, "backup") != NULL ||
                strstr(s.why.text, "move it away") != NULL,
            "%s: no advice: %s", r->what, s.why.text);
    }
    script_free(&s);
}

typedef void damage_fn(struct rot *r, struct disk *d, const char *path);

/* Does something to each file in turn, so often. */
static void each_file(struct rot *r, const char *name, unsigned n, damage_fn *f)
{
    for (unsigned ix = 0; ix < disk_paths_n(&r->now); ix++)
        for (unsigned i = 0; i < n; i++) {
            static struct disk d;
            const char *path = disk_path(&r->now, ix);

            (void)snprintf(r->what, sizeof r->what, "%s %u: %s", name, i, path);
            disk_copy(&d, &r->now);
            f(r, &d, path);
            judge(r, &d);
            disk_free(&d);
        }
}

static void cut_short(struct rot *r, struct disk *d, const char *path)
{
    struct disk_bytes *b = disk_content(d, path);
    size_t n = (size_t)prng_below(&r->p, b->n + 1);

    if (prng_one_in(&r->p, 2))
        n -= n % 512;
    disk_set(d, path, b->p != NULL ? (void *)b->p : "", n);
}

/* Anywhere, or where something is: most of these pages and segments is
 * empty. */
static void flip_bits(struct rot *r, struct disk *d, const char *path)
{
    const struct disk_bytes *b = disk_content(d, path);
    bool anywhere = prng_one_in(&r->p, 2);

    for (uint64_t i = 1 + prng_below(&r->p, 3); i > 0 && b->n > 0; i--) {
        size_t at = (size_t)prng_below(&r->p, b->n);

        while (!anywhere && at + 1 < b->n && b->p[at] == 0)
            at++;
        disk_flip(d, path, at, (unsigned)prng_below(&r->p, 8));
    }
}

/* Where it hurts most: headers. */
static void flip_early(struct rot *r, struct disk *d, const char *path)
{
    size_t n = disk_content(d, path)->n;

    if (n > 0)
        disk_flip(d, path, (size_t)prng_below(&r->p, n < 120 ? n : 120),
            (unsigned)prng_below(&r->p, 8));
}

/* What a disk writes at once, or a page of SQLite's. */
static void overwrite_page(struct rot *r, struct disk *d, const char *path)
{
    struct disk_bytes *b = disk_content(d, path);
    size_t size = prng_one_in(&r->p, 2) ? 4096 : 16384;
    size_t page = (size_t)prng_below(&r->p, b->n / size + 1) * size;
    bool zeros = prng_one_in(&r->p, 3), copy = prng_one_in(&r->p, 2);
    size_t other = (size_t)prng_below(&r->p, b->n / size + 1) * size;

    for (size_t i = 0; i < size && page + i < b->n; i++)
        b->p[page + i] = zeros         ? 0
            : copy && other + i < b->n ? b->p[other + i]
                                       : (uint8_t)prng_next(&r->p);
}

static void garbage(struct rot *r, struct disk *d, const char *path)
{
    struct disk_bytes *b = disk_content(d, path);

    for (size_t i = prng_one_in(&r->p, 2) ? 0 : 100; i < b->n; i++)
        b->p[i] = (uint8_t)prng_next(&r->p);
}

static void removed(struct rot *r, struct disk *d, const char *path)
{
    (void)r;
    disk_set(d, path, NULL, 0);
}

static void older(struct rot *r, struct disk *d, const char *path)
{
    const struct disk_bytes *b = disk_content(&r->older, path);

    if (b != NULL && b->p != NULL)
        disk_set(d, path, b->p, b->n);
}

/* The newer of one file among all the older ones. */
static void newer(struct rot *r, struct disk *d, const char *path)
{
    const struct disk_bytes *b = disk_content(d, path);
    struct disk_bytes keep = { 0 };

    keep.p = disk_grow(NULL, b->n + 1, 1);
    keep.n = b->n;
    if (b->n > 0)
        memcpy(keep.p, b->p, b->n);
    disk_free(d);
    disk_copy(d, &r->older);
    disk_set(d, path, keep.p, keep.n);
    free(keep.p);
}

static void rot_all(damage_fn *f, const char *name, unsigned n, bool is_noticed)
{
    static struct rot r;
    uint64_t first, seeds = script_seeds(&first);
    unsigned noticed = 0;

    for (uint64_t seed = first; seed < first + seeds; seed++) {
        rot_make(&r, seed);
        each_file(&r, name, n, f);
        noticed += r.noticed;
        CHECK(r.unharmed > 0);
        rot_free(&r);
    }
    CHECK(!is_noticed || noticed > 0);
}

TEST(files_cut_short)
{
    rot_all(cut_short, "cut short", 30, true);
}

TEST(bits_that_flip)
{
    rot_all(flip_bits, "bits flip", 60, true);
}

TEST(bits_that_flip_in_headers)
{
    rot_all(flip_early, "a bit flips early", 60, true);
}

TEST(pages_overwritten)
{
    rot_all(overwrite_page, "a page is overwritten", 40, true);
}

TEST(files_full_of_garbage)
{
    rot_all(garbage, "garbage", 8, true);
}

TEST(files_removed)
{
    rot_all(removed, "removed", 1, false);
}

TEST(files_older_than_the_rest)
{
    rot_all(older, "older", 1, false);
}

TEST(files_newer_than_the_rest)
{
    rot_all(newer, "newer", 1, false);
}
