#include "store/journal.h"

#include "store/journal_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FLUSH_BYTES ((size_t)256 << 10) /* pending bytes that force a write */
#define PENDING_KEEP ((size_t)1 << 20)  /* room kept after a large record */

void journal_path(const struct journal *j, char out[JOURNAL_PATH_MAX],
    const char *kind, uint64_t serial)
{
    (void)snprintf(
        out, JOURNAL_PATH_MAX, "%s/%s-%016" PRIx64, j->dir, kind, serial);
}

/* Room for one more element of an array. */
static int grow(void **p, size_t *cap, size_t n, size_t size)
{
    size_t want = *cap == 0 ? 8 : *cap * 2;
    void *bigger;

    if (n < *cap)
        return SYNCLINE_OK;
    bigger = realloc(*p, want * size);
    if (bigger == NULL)
        return SYNCLINE_ENOMEM;
    *p = bigger;
    *cap = want;
    return SYNCLINE_OK;
}

static int add_segment(struct journal *j, const struct segment *s)
{
    if (grow((void **)&j->segments, &j->segments_cap, j->segments_n,
            sizeof *s) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    j->segments[j->segments_n++] = *s;
    return SYNCLINE_OK;
}

static int add_spare(struct journal *j, uint64_t serial)
{
    if (grow((void **)&j->spares, &j->spares_cap, j->spares_n,
            sizeof *j->spares) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    j->spares[j->spares_n++] = serial;
    return SYNCLINE_OK;
}

/* "<kind>-<16 hex digits>" */
static bool parse_name(const char *name, const char *kind, uint64_t *serial)
{
    size_t n = strlen(kind);
    char *end;

    if (strncmp(name, kind, n) != 0 || name[n] != '-' ||
        strlen(name + n + 1) != 16 ||
        strspn(name + n + 1, "0123456789abcdef") != 16)
        return false;
    *serial = strtoull(name + n + 1, &end, 16);
    return true;
}

static int on_name(void *ctx, const char *name)
{
    struct journal *j = ctx;
    struct segment s = { .fd = -1 };
    int rc = SYNCLINE_OK;

    if (parse_name(name, "journal", &s.serial))
        rc = add_segment(j, &s);
    else if (parse_name(name, "spare", &s.serial))
        rc = add_spare(j, s.serial);
    if (s.serial > j->serial)
        j->serial = s.serial;
    return rc;
}

static int by_serial(const void *a, const void *b)
{
    uint64_t x = ((const struct segment *)a)->serial;
    uint64_t y = ((const struct segment *)b)->serial;

    return (x > y) - (x < y);
}

static int read_header(struct journal *j, struct segment *s)
{
    uint8_t bytes[SEGMENT_HEADER_LEN];
    char path[JOURNAL_PATH_MAX];
    struct segment_header h;
    size_t got = 0;
    int fd, rc;

    journal_path(j, path, "journal", s->serial);
    rc = j->os->open(j->os->self, path, OS_OPEN_READ, &fd);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = j->os->size(j->os->self, fd, &s->size);
    if (rc == SYNCLINE_OK)
        rc = j->os->read_at(j->os->self, fd, bytes, sizeof bytes, 0, &got);
    j->os->close(j->os->self, fd);
    if (rc != SYNCLINE_OK)
        return rc;
    s->sound = get_segment_header(SLICE(bytes, got), s->serial, &h);
    if (s->sound) {
        s->first = h.first;
        s->durable = h.durable;
    }
    return SYNCLINE_OK;
}

/* The power may have taken a file's new name and left its bytes: under the same
 * serial once more, an old record would be read behind a new one. So only what
 * was written since the start is used again. */
static void drop_spares(struct journal *j)
{
    char path[JOURNAL_PATH_MAX];

    for (; j->spares_n > 0; j->spares_n--) {
        journal_path(j, path, "spare", j->spares[j->spares_n - 1]);
        (void)j->os->unlink(j->os->self, path);
    }
}

static int load(struct journal *j, struct errmsg *why)
{
    char path[JOURNAL_PATH_MAX];
    int rc = j->os->list(j->os->self, j->dir, on_name, j);

    if (rc != SYNCLINE_OK)
        return errmsg_set(
            why, rc, "cannot list folder %s: %s", j->dir, strerror(errno));
    if (j->segments_n > 0)
        qsort(j->segments, j->segments_n, sizeof *j->segments, by_serial);
    drop_spares(j);
    for (size_t i = 0; i < j->segments_n; i++) {
        rc = read_header(j, &j->segments[i]);
        if (rc == SYNCLINE_OK)
            continue;
        journal_path(j, path, "journal", j->segments[i].serial);
        return errmsg_set(why, rc, "cannot read %s: %s", path, strerror(errno));
    }
    return SYNCLINE_OK;
}

int journal_open(
    struct journal **out, const struct journal_options *opt, struct errmsg *why)
{
    struct journal *j = calloc(1, sizeof *j);
    int rc;

    if (j == NULL)
        return SYNCLINE_ENOMEM;
    j->os = opt->os;
    j->dir = opt->dir;
    j->segment_bytes = opt->segment_bytes;
    j->spares_max = opt->spares_max;
    j->record_max = opt->record_max != 0 ? opt->record_max : RECORD_PAYLOAD_MAX;
    rc = load(j, why);
    if (rc != SYNCLINE_OK) {
        journal_free(j);
        return rc;
    }
    *out = j;
    return SYNCLINE_OK;
}

static void close_segment(struct journal *j, struct segment *s)
{
    if (s->fd >= 0)
        j->os->close(j->os->self, s->fd);
    s->fd = -1;
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    for (size_t i = 0; i < j->segments_n; i++)
        close_segment(j, &j->segments[i]);
    free(j->segments);
    free(j->spares);
    buf_free(&j->pending);
    free(j);
}

/* Takes a spare that is large enough under its new name. ENOTFOUND: there is
 * none. Opened before it is renamed, so that a failure leaves it a spare. */
static int reuse_spare(struct journal *j, uint64_t need, struct segment *s)
{
    char from[JOURNAL_PATH_MAX], to[JOURNAL_PATH_MAX];
    const struct os_port *os = j->os;
    int rc;

    if (j->spares_n == 0 || need > j->segment_bytes)
        return SYNCLINE_ENOTFOUND;
    journal_path(j, from, "spare", j->spares[j->spares_n - 1]);
    journal_path(j, to, "journal", s->serial);
    j->spares_n--;
    rc = os->open(os->self, from, OS_OPEN_WRITE, &s->fd);
    if (rc != SYNCLINE_OK)
        return SYNCLINE_ENOTFOUND;
    rc = os->size(os->self, s->fd, &s->size);
    if (rc == SYNCLINE_OK && s->size >= need)
        rc = os->rename(os->self, from, to);
    else if (rc == SYNCLINE_OK)
        rc = SYNCLINE_ENOTFOUND;
    if (rc == SYNCLINE_OK)
        return SYNCLINE_OK;
    close_segment(j, s);
    (void)os->unlink(os->self, from);
    return SYNCLINE_ENOTFOUND;
}

static int create_file(struct journal *j, uint64_t size, struct segment *s)
{
    char path[JOURNAL_PATH_MAX];
    const struct os_port *os = j->os;
    int rc, e;

    journal_path(j, path, "journal", s->serial);
    rc = os->open(os->self, path, OS_OPEN_CREATE, &s->fd);
    /* What an earlier try made and could not remove. */
    if (rc == SYNCLINE_EEXIST && os->unlink(os->self, path) == SYNCLINE_OK)
        rc = os->open(os->self, path, OS_OPEN_CREATE, &s->fd);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_EEXIST ? SYNCLINE_EIO : rc;
    s->size = size;
    rc = os->reserve(os->self, s->fd, size);
    if (rc == SYNCLINE_OK)
        return SYNCLINE_OK;
    e = errno;
    close_segment(j, s);
    (void)os->unlink(os->self, path);
    errno = e;
    return rc;
}

static void seal(struct journal *j)
{
    struct segment *s = &j->segments[j->segments_n - 1];

    j->writing = false;
    s->last = j->last;
    if (s->last <= j->synced)
        close_segment(j, s);
}

/* Begins a new segment with room for a record of that size. */
static int rotate(struct journal *j, size_t record)
{
    uint64_t need = SEGMENT_HEADER_LEN + record;
    uint64_t size = need > j->segment_bytes ? need : j->segment_bytes;
    struct segment s = { .serial = j->serial + 1, .fd = -1 };
    struct segment_header h = { j->serial + 1, j->last + 1, j->synced };
    int rc = journal_flush(j);

    if (rc != SYNCLINE_OK)
        return rc;
    if (buf_reserve(&j->pending, SEGMENT_HEADER_LEN) == NULL ||
        grow((void **)&j->segments, &j->segments_cap, j->segments_n,
            sizeof s) != SYNCLINE_OK) {
        j->pending.status = SYNCLINE_OK;
        return SYNCLINE_ENOMEM;
    }
    rc = reuse_spare(j, need, &s);
    if (rc == SYNCLINE_ENOTFOUND)
        rc = create_file(j, size, &s);
    if (rc != SYNCLINE_OK)
        return rc;
    if (j->writing)
        seal(j);
    s.sound = s.is_ours = true;
    s.first = h.first;
    s.durable = h.durable;
    j->segments[j->segments_n++] = s;
    j->serial = s.serial;
    j->seed = segment_seed(s.serial);
    j->at = 0;
    j->writing = j->dir_dirty = true;
    put_segment_header(&j->pending, &h);
    return SYNCLINE_OK;
}

static bool has_room(const struct journal *j, size_t record)
{
    const struct segment *s;

    if (!j->writing)
        return false;
    s = &j->segments[j->segments_n - 1];
    return s->size - j->at >= j->pending.len + record;
}

int journal_append(struct journal *j, struct slice payload, uint64_t *no)
{
    struct record r = { j->last + 1, j->synced, payload, 0 };
    size_t size = record_size(payload.len);
    int rc = SYNCLINE_OK;

    if (payload.len > j->record_max)
        return SYNCLINE_ELIMIT;
    if (j->write_failed || j->pending.len >= FLUSH_BYTES)
        rc = journal_flush(j);
    if (rc == SYNCLINE_OK && !has_room(j, size))
        rc = rotate(j, size);
    if (rc != SYNCLINE_OK)
        return rc;
    if (buf_reserve(&j->pending, size) == NULL) {
        j->pending.status = SYNCLINE_OK;
        return SYNCLINE_ENOMEM;
    }
    put_record(&j->pending, j->seed, &r);
    j->last = r.no;
    j->segments[j->segments_n - 1].last = r.no;
    *no = r.no;
    return SYNCLINE_OK;
}

int journal_flush(struct journal *j)
{
    const struct os_port *os = j->os;
    int rc;

    if (j->pending.len == 0)
        return SYNCLINE_OK;
    rc = os->write_at(os->self, j->segments[j->segments_n - 1].fd,
        j->pending.ptr, j->pending.len, j->at);
    j->write_failed = rc != SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc;
    j->at += j->pending.len;
    buf_clear(&j->pending);
    if (j->pending.cap > PENDING_KEEP)
        buf_free(&j->pending);
    return SYNCLINE_OK;
}

uint64_t journal_last(const struct journal *j)
{
    return j->last;
}

uint64_t journal_synced(const struct journal *j)
{
    return j->synced;
}

int journal_sync_begin(struct journal *j, int *fds, unsigned max, unsigned *n,
    bool *dir, uint64_t *upto)
{
    int rc = journal_flush(j);

    if (rc != SYNCLINE_OK)
        return rc;
    *n = 0;
    *upto = j->synced;
    for (size_t i = 0; i < j->segments_n && *n < max; i++) {
        const struct segment *s = &j->segments[i];

        if (s->fd < 0 || s->last <= j->synced)
            continue;
        fds[(*n)++] = s->fd;
        *upto = s->last;
    }
    *dir = *n > 0 && j->dir_dirty;
    if (*dir)
        j->dir_dirty = false; /* names made later are the next sync's */
    return SYNCLINE_OK;
}

void journal_sync_end(struct journal *j, bool ok, bool dir, uint64_t upto)
{
    if (!ok) {
        j->dir_dirty = j->dir_dirty || dir;
        return;
    }
    if (upto > j->synced)
        j->synced = upto;
    for (size_t i = 0; i < j->segments_n; i++) {
        struct segment *s = &j->segments[i];
        bool current = j->writing && i + 1 == j->segments_n;

        if (!current && s->last <= j->synced)
            close_segment(j, s);
    }
}

/* True if the segment's file is no longer in the journal. */
static bool retire(struct journal *j, const struct segment *s)
{
    char from[JOURNAL_PATH_MAX], to[JOURNAL_PATH_MAX];
    const struct os_port *os = j->os;

    journal_path(j, from, "journal", s->serial);
    journal_path(j, to, "spare", s->serial);
    if (s->is_ours && s->size == j->segment_bytes &&
        j->spares_n < j->spares_max && add_spare(j, s->serial) == SYNCLINE_OK) {
        if (os->rename(os->self, from, to) == SYNCLINE_OK)
            return true;
        j->spares_n--;
    }
    return os->unlink(os->self, from) == SYNCLINE_OK;
}

void journal_release(struct journal *j, uint64_t upto)
{
    size_t kept = 0;

    if (upto > j->synced)
        j->synced = upto;
    for (size_t i = 0; i < j->segments_n; i++) {
        struct segment *s = &j->segments[i];
        bool current = j->writing && i + 1 == j->segments_n;

        if (!current && s->last <= upto) {
            close_segment(j, s);
            if (retire(j, s))
                continue;
        }
        j->segments[kept++] = *s;
    }
    j->segments_n = kept;
}

void journal_count(const struct journal *j, uint64_t *live, uint64_t *spare)
{
    *live = j->segments_n;
    *spare = j->spares_n;
}
