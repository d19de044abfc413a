/* The op `audit_records`: what the audit log has written, a page at a time. It
 * is read by the helper of checkpoints, which nobody's write waits for. */
#include "app/engine/engine_impl.h"

#include "app/audit_files.h"

#include <inttypes.h>
#include <stdlib.h>

#define LIMIT_MAX 1000
#define LIMIT 100
#define TRIES 3

/* One page that is being read. */
struct reading {
    struct helper_job job;
    struct engine *engine;
    char *dir;
    uint64_t request;
    uint64_t after;
    size_t limit;
    bool tail; /* the last ones, in place of those behind after */
    /* The helper's, until it is done. */
    struct buf lines[LIMIT_MAX]; /* as a ring, if it is the tail */
    size_t n;                    /* that have been taken; the ring: ever */
    uint64_t last;               /* record that was taken */
    bool more, gap;
    struct arena arena;
    struct errmsg why;
    int rc;
};

/* ---- on the helper ---- */

static uint64_t seq_of(struct reading *r, struct slice line)
{
    struct json *v = NULL;
    int64_t seq = 0;

    arena_reset(&r->arena);
    if (json_parse(&v, line, JSON_STRICT, &r->arena, NULL) == SYNCLINE_OK)
        seq = json_get_int(v, "seq", 0);
    return seq > 0 ? (uint64_t)seq : 0;
}

/* What is no record is passed over: `syncline audit --verify` tells of it. */
static int on_line(void *ctx, const struct audit_place *at, struct slice line)
{
    struct reading *r = ctx;
    const uint64_t seq = at->whole ? seq_of(r, line) : 0;
    struct buf *b;

    if (seq == 0 || seq <= r->after || seq <= r->last)
        return SYNCLINE_OK;
    if (!r->tail && r->n == r->limit) {
        r->more = true;
        return 1;
    }
    r->gap = r->gap || (r->n > 0 && seq != r->last + 1);
    b = &r->lines[r->n++ % r->limit];
    buf_clear(b);
    buf_put_slice(b, line);
    r->last = seq;
    return buf_status(b);
}

static uint64_t first_of(struct reading *r, const struct buf *text)
{
    const uint8_t *end =
        text->len > 0 ? memchr(text->ptr, '\n', text->len) : NULL;

    return end != NULL ? seq_of(r, SLICE(text->ptr, (size_t)(end - text->ptr)))
                       : 0;
}

/* The oldest file that has something of it. */
static int find_from(struct reading *r, unsigned *from)
{
    struct buf text = { 0 };
    size_t lines = 0;
    int rc = SYNCLINE_OK;

    for (*from = 0; *from < AUDIT_FILES; ++*from) {
        rc = audit_file_read(&text, r->dir, *from, &r->why);
        if (rc == SYNCLINE_ENOTFOUND && *from == 0)
            continue; /* it has just been set aside */
        if (rc != SYNCLINE_OK)
            break;
        for (size_t i = 0; i < text.len; i++)
            lines += text.ptr[i] == '\n';
        if (r->tail ? lines >= r->limit : first_of(r, &text) <= r->after + 1)
            break;
    }
    buf_free(&text);
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

/* Files may be set aside meanwhile, so that one is missed: then once more. */
static void run_reading(struct helper_job *job)
{
    struct reading *r =
        (struct reading *)((char *)job - offsetof(struct reading, job));

    for (int i = 0; i < TRIES; i++) {
        unsigned from;

        r->n = 0;
        r->last = 0;
        r->more = r->gap = false;
        r->rc = find_from(r, &from);
        if (r->rc == SYNCLINE_OK)
            r->rc = audit_files_read(r->dir, from, on_line, r, &r->why);
        r->rc = r->rc == 1 ? SYNCLINE_OK : r->rc;
        if (r->rc != SYNCLINE_OK || !r->gap)
            break;
    }
}

/* ---- on the loop ---- */

static void reading_free(struct reading *r)
{
    for (size_t i = 0; i < LIMIT_MAX; i++)
        buf_free(&r->lines[i]);
    arena_free(&r->arena);
    free(r->dir);
    free(r);
}

static void done_reading(struct helper_job *job)
{
    struct reading *r =
        (struct reading *)((char *)job - offsetof(struct reading, job));
    const size_t first = r->n > r->limit ? r->n - r->limit : 0;
    struct buf b = { 0 };

    buf_printf(&b,
        "{\"ok\":true,\"more_records\":%s,\"newest\":%" PRIu64 ",\"records\":[",
        r->more ? "true" : "false", audit_log_seq(r->engine->audit));
    for (size_t i = first; i < r->n; i++) {
        buf_put_str(&b, i > first ? "," : "");
        buf_put_slice(&b, buf_slice(&r->lines[i % r->limit]));
    }
    buf_put_str(&b, "]}");
    engine_answer_buf(r->engine, r->request, &b, r->rc, &r->why);
    reading_free(r);
}

bool engine_records_take(
    struct engine *e, struct call *c, const struct json *args)
{
    const int64_t after = json_get_int(args, "after", 0);
    const int64_t limit = json_get_int(args, "limit", LIMIT);
    struct errmsg why = { "" };
    struct buf b = { 0 };
    struct reading *r;

    if (after < 0 || limit < 1 || limit > LIMIT_MAX) {
        int rc = errmsg_set(&why, SYNCLINE_EINVAL,
            "after: the number of a record; limit: 1 to %d", LIMIT_MAX);

        engine_answer_buf(e, c->id, &b, rc, &why);
        return true;
    }
    r = calloc(1, sizeof *r);
    if (r != NULL)
        r->dir = strdup(e->dir);
    if (r == NULL || r->dir == NULL) {
        free(r);
        engine_answer_buf(e, c->id, &b, SYNCLINE_ENOMEM, &why);
        return true;
    }
    r->engine = e;
    r->request = c->id;
    r->after = (uint64_t)after;
    r->limit = (size_t)limit;
    r->tail = json_get(args, "after") == NULL;
    r->job = (struct helper_job){ .run = run_reading, .done = done_reading };
    helper_submit(e->checkpoint_helper, &r->job);
    return true;
}
