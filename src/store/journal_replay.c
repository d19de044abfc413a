/* At the start: what the journal's files still say. */
#include "store/journal_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define NONE SIZE_MAX

struct replay {
    struct journal *j;
    uint64_t after; /* commits up to here are not wanted */
    uint64_t next;  /* the commit to be read next */
    journal_replay_fn *fn;
    void *ctx;
    struct errmsg *why;
    struct buf bytes; /* of the segment being read */
};

static int read_whole(struct replay *r, const struct segment *s)
{
    const struct os_port *os = r->j->os;
    char path[JOURNAL_PATH_MAX];
    size_t got = 0;
    uint8_t *to;
    int fd, rc;

    buf_clear(&r->bytes);
    to = buf_reserve(&r->bytes, (size_t)s->size);
    if (to == NULL)
        return buf_status(&r->bytes);
    journal_path(r->j, path, "journal", s->serial);
    rc = os->open(os->self, path, OS_OPEN_READ, &fd);
    if (rc == SYNCLINE_OK) {
        rc = os->read_at(os->self, fd, to, (size_t)s->size, 0, &got);
        os->close(os->self, fd);
    }
    if (rc != SYNCLINE_OK)
        return errmsg_set(
            r->why, rc, "cannot read %s: %s", path, strerror(errno));
    r->bytes.len = got;
    return SYNCLINE_OK;
}

/* Where commit no would be looked for: the youngest segment that says it
 * begins there or before. An older one that ran past `no` was given up by
 * an earlier recovery. */
static size_t first_segment(const struct journal *j, uint64_t no)
{
    for (size_t i = j->segments_n; i-- > 0;)
        if (j->segments[i].sound && j->segments[i].first <= no)
            return i;
    return NONE;
}

static size_t segment_after(const struct journal *j, size_t ix, uint64_t no)
{
    for (size_t i = j->segments_n; i-- > ix + 1;)
        if (j->segments[i].sound && j->segments[i].first == no)
            return i;
    return NONE;
}

/* Reads records in sequence up to the first that is not there; *end is its
 * place. */
static int replay_segment(struct replay *r, struct segment *s, size_t *end)
{
    uint32_t seed = segment_seed(s->serial);
    struct record rec;
    int rc = read_whole(r, s);

    *end = SEGMENT_HEADER_LEN;
    r->next = s->first;
    while (rc == SYNCLINE_OK &&
        get_record(buf_slice(&r->bytes), *end, seed, &rec) &&
        rec.no == r->next) {
        if (rec.no > r->after)
            rc = r->fn(r->ctx, rec.no, rec.payload);
        s->last = rec.no;
        r->next++;
        *end += rec.size;
    }
    return rc;
}

/* True if a record at or after offset `at` of the loaded segment knows that
 * commit no was durable. Records stand at multiples of eight. Only what
 * claims just that has its checksum taken, or old bytes would cost hours. */
static bool proves(struct slice all, size_t at, uint32_t seed, uint64_t no)
{
    struct record rec;

    for (; at < all.len; at += 8)
        if (peek_record(all, at, &rec) && rec.durable >= no &&
            rec.no - no <= all.len && get_record(all, at, seed, &rec))
            return true;
    return false;
}

/* Commit no cannot be read. That is the normal end, whatever bytes follow,
 * unless something written later knows that it was durable once. */
static int check_end(struct replay *r, size_t ix, size_t at, uint64_t no)
{
    struct journal *j = r->j;
    char path[JOURNAL_PATH_MAX];
    bool lost = false;

    for (size_t i = ix; i < j->segments_n && !lost; i++) {
        const struct segment *s = &j->segments[i];
        int rc = i == ix ? SYNCLINE_OK : read_whole(r, s);

        if (rc != SYNCLINE_OK)
            return rc;
        lost = (i > ix && s->sound && s->durable >= no) ||
            proves(buf_slice(&r->bytes), i == ix ? at : SEGMENT_HEADER_LEN,
                segment_seed(s->serial), no);
    }
    if (!lost)
        return SYNCLINE_OK;
    journal_path(j, path, "journal", j->segments[ix].serial);
    return errmsg_set(r->why, SYNCLINE_ECORRUPT,
        "%s is damaged at byte %zu: commit %" PRIu64
        " was stored there and is gone; restore this folder from a backup, "
        "or set it aside and join again",
        path, at, no);
}

/* Nothing holds the commit after the last in state.db. Fine, unless a
 * segment was begun when later commits were durable. */
static int check_gap(struct replay *r)
{
    const struct journal *j = r->j;
    char path[JOURNAL_PATH_MAX];

    for (size_t i = 0; i < j->segments_n; i++) {
        if (!j->segments[i].sound || j->segments[i].durable <= r->after)
            continue;
        journal_path(j, path, "journal", j->segments[i].serial);
        return errmsg_set(r->why, SYNCLINE_ECORRUPT,
            "%s continues after commit %" PRIu64
            ", but the store ends at %" PRIu64
            ": state.db is older than it, or a journal file is missing; "
            "restore this folder from a backup, or set it aside and join "
            "again",
            path, j->segments[i].durable, r->after);
    }
    return SYNCLINE_OK;
}

static int replay_all(struct replay *r)
{
    size_t ix = first_segment(r->j, r->after + 1);
    int rc = ix == NONE ? check_gap(r) : SYNCLINE_OK;

    while (rc == SYNCLINE_OK && ix != NONE) {
        size_t end, following;
        uint64_t missing;

        rc = replay_segment(r, &r->j->segments[ix], &end);
        if (rc != SYNCLINE_OK)
            break;
        missing = r->next > r->after ? r->next : r->after + 1;
        following = segment_after(r->j, ix, missing);
        if (following == NONE)
            rc = check_end(r, ix, end, missing);
        ix = following;
    }
    return rc;
}

/* What was read may still be only in the system's cache. */
static int make_durable(struct replay *r)
{
    struct journal *j = r->j;
    const struct os_port *os = j->os;
    int rc = SYNCLINE_OK;

    for (size_t i = 0; i < j->segments_n && rc == SYNCLINE_OK; i++) {
        char path[JOURNAL_PATH_MAX];

        if (j->segments[i].last <= r->after)
            continue;
        journal_path(j, path, "journal", j->segments[i].serial);
        rc = os_make_durable(os, path);
    }
    if (rc == SYNCLINE_OK)
        rc = os->sync_dir(os->self, j->dir);
    if (rc != SYNCLINE_OK)
        return errmsg_set(r->why, rc, "cannot sync the journal in %s: %s",
            j->dir, strerror(errno));
    return SYNCLINE_OK;
}

int journal_replay(struct journal *j, uint64_t after, journal_replay_fn *fn,
    void *ctx, struct errmsg *why)
{
    struct replay r = {
        .j = j, .after = after, .fn = fn, .ctx = ctx, .why = why
    };
    int rc = replay_all(&r);

    buf_free(&r.bytes);
    j->last = r.next > after + 1 ? r.next - 1 : after;
    if (rc == SYNCLINE_OK && j->last > after)
        rc = make_durable(&r);
    if (rc == SYNCLINE_OK)
        j->synced = j->last;
    return rc;
}
