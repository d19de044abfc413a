#include "app/import.h"

#include <errno.h>
#include <inttypes.h>

void import_close(struct import *im)
{
    for (size_t i = 0; i < IMPORT_WINDOW; i++)
        buf_free(&im->batch[i].keys);
    buf_free(&im->filling.keys);
    buf_free(&im->ops);
    buf_free(&im->refused);
    arena_free(&im->arena);
}

static int no_memory(struct import *im)
{
    return cli_fail(im->c, "out of memory");
}

static int acknowledge(struct import *im, const struct import_batch *b)
{
    im->stored += b->n;
    if (im->acks == NULL)
        return CLI_DONE;
    if (fwrite(b->keys.ptr, 1, b->keys.len, im->acks) != b->keys.len ||
        fflush(im->acks) != 0)
        return cli_fail(
            im->c, "the list of acknowledged keys: %s", strerror(errno));
    return CLI_DONE;
}

static struct import_batch *find(struct import *im, int64_t id)
{
    for (size_t i = 0; i < IMPORT_WINDOW; i++)
        if (im->batch[i].id == id)
            return &im->batch[i];
    return NULL;
}

static void note_refusal(
    struct import *im, const struct import_batch *b, const struct errmsg *why)
{
    buf_printf(&im->refused, "%s:%" PRIu64, im->file, b->first);
    if (b->last != b->first)
        buf_printf(&im->refused, " to %" PRIu64, b->last);
    buf_printf(&im->refused, ": %s\n", why->text);
}

static int settle(struct import *im, const struct json *answer)
{
    const int64_t id = json_get_int(answer, "id", 0);
    struct import_batch *b = id > 0 ? find(im, id) : NULL;
    struct errmsg why = { "" };
    int rc = CLI_DONE;

    if (b == NULL)
        return cli_fail(im->c,
            "the daemon answered what nobody asked; is it "
            "of another version?");
    if (control_status(answer, &why) == SYNCLINE_OK)
        rc = acknowledge(im, b);
    else
        note_refusal(im, b, &why);
    b->id = 0;
    im->outstanding--;
    return rc;
}

static int lost(struct import *im, const struct errmsg *why)
{
    if (im->lost)
        return CLI_FAILED;
    im->lost = true;
    return cli_fail(im->c,
        "%s: %s; what was sent and not acknowledged may be stored or not",
        im->file, why->text);
}

/* One answer; waits for it if there is none yet and `wait` says so. */
static int take_answer(struct import *im, bool wait, bool *none)
{
    struct errmsg why = { "" };
    struct json *answer;
    int rc = control_read_json(
        im->c->control, &answer, &im->arena, wait ? -1 : 0, &why);

    *none = rc == SYNCLINE_ETIMEOUT;
    if (*none)
        return CLI_DONE;
    rc = rc == SYNCLINE_OK ? settle(im, answer) : lost(im, &why);
    arena_reset(&im->arena);
    return rc;
}

int import_drain(struct import *im, bool all)
{
    bool none = false;
    int rc = CLI_DONE;

    while (rc == CLI_DONE && !none && im->outstanding > 0)
        rc = take_answer(im, all, &none);
    return rc;
}

static void put_string(struct buf *b, const char *text)
{
    json_print_string(b, slice_str(text), false);
}

static void put_head(struct import *im, struct buf *b, const char *op)
{
    const struct json *extra = im->wait != NULL ? im->wait->first : NULL;

    buf_printf(
        b, "{\"id\":%" PRId64 ",\"op\":\"%s\",\"space\":", im->filling.id, op);
    put_string(b, im->space);
    for (; extra != NULL; extra = extra->next) {
        buf_put_u8(b, ',');
        json_print_string(b, extra->key, false);
        buf_put_u8(b, ':');
        json_print(b, extra, JSON_CANONICAL);
    }
}

/* A record too large for a batch goes by a `put` of its own: ops then holds
 * one object, whose brace the head has already. */
static int send_filling(struct import *im, bool alone)
{
    struct buf b = { .max = CONTROL_LINE_MAX };
    struct errmsg why = { "" };
    int rc;

    im->filling.id = ++im->next_id;
    put_head(im, &b, alone ? "put" : "batch");
    buf_put_str(&b, alone ? "," : ",\"ops\":[");
    buf_put_slice(
        &b, alone ? slice_from(buf_slice(&im->ops), 1) : buf_slice(&im->ops));
    if (!alone)
        buf_put_str(&b, "]}");
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = control_send(im->c->control, buf_slice(&b), &why);
    else
        errmsg_set(&why, rc, "out of memory");
    buf_free(&b);
    return rc == SYNCLINE_OK ? CLI_DONE : lost(im, &why);
}

/* Hands the batch over to the window and begins another. */
static void start_waiting(struct import *im)
{
    struct import_batch *slot = find(im, 0);
    const struct buf keys = slot->keys;

    *slot = im->filling;
    im->filling = (struct import_batch){ .keys = keys };
    buf_clear(&im->filling.keys);
    buf_clear(&im->ops);
    im->outstanding++;
    im->last = slot->last;
}

static int flush(struct import *im, bool alone)
{
    bool none;
    int rc = CLI_DONE;

    if (im->filling.n == 0)
        return CLI_DONE;
    while (rc == CLI_DONE && im->outstanding == IMPORT_WINDOW)
        rc = take_answer(im, true, &none);
    if (rc == CLI_DONE)
        rc = send_filling(im, alone);
    if (rc != CLI_DONE)
        return rc;
    start_waiting(im);
    return import_drain(im, false);
}

int import_flush(struct import *im)
{
    return flush(im, false);
}

static void add(
    struct import *im, uint64_t line, struct slice key, struct slice op)
{
    struct import_batch *b = &im->filling;

    if (b->n > 0)
        buf_put_u8(&im->ops, ',');
    else
        b->first = line;
    buf_put_slice(&im->ops, op);
    buf_put_slice(&b->keys, key);
    buf_put_u8(&b->keys, '\n');
    b->last = line;
    b->n++;
}

int import_record(
    struct import *im, uint64_t no, const struct import_line *line)
{
    struct buf op = { .max = CONTROL_LINE_MAX };
    bool alone;
    int rc = CLI_DONE;

    import_line_put(&op, line);
    if (buf_status(&op) != SYNCLINE_OK) {
        buf_free(&op);
        return no_memory(im);
    }
    alone = op.len > IMPORT_BATCH_BYTES;
    if (im->filling.n == IMPORT_BATCH_N ||
        im->ops.len + op.len >= IMPORT_BATCH_BYTES)
        rc = flush(im, false);
    if (rc == CLI_DONE)
        add(im, no, line->key, buf_slice(&op));
    buf_free(&op);
    if (buf_status(&im->ops) != 0 || buf_status(&im->filling.keys) != 0)
        return no_memory(im);
    if (rc == CLI_DONE && alone)
        rc = flush(im, true);
    if (rc == CLI_DONE && im->filling.n == IMPORT_BATCH_N)
        rc = flush(im, false);
    return rc;
}
