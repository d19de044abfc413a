#include "sim/operation.h"

#include "sim/check.h"
#include "sim/world.h"

#include <stdlib.h>

#define BATCH_MAX 3

/* A write that is under way. */
struct write {
    const struct machine *by;
    struct write *next; /* of those that wait for others */
    uint32_t from, to;  /* its changes in the ledger */
    bool returned;      /* machine_ask has */
    bool answered;
    bool blind; /* nobody looked whether there is anything to delete */
    int rc;
    uint64_t waits; /* for so many others */
    uint64_t acks;  /* so many have it, as was answered */
};

static void write_over(struct world *w, struct write *wr)
{
    switch (wr->rc) {
    case SYNCLINE_OK:
        ledger_ack(&w->ledger, wr->from, wr->to);
        w->tally.sim.acked++;
        if (!w->opt.grouped) /* else its changes may be in another commit */
            check_reached(w, wr->by, wr->from, wr->to,
                wr->acks > wr->waits ? wr->acks : wr->waits);
        break;
    case SYNCLINE_ECLOSED:  /* it went down first */
    case SYNCLINE_ETIMEOUT: /* others were not there in time */
        break;
    case SYNCLINE_ENOTFOUND: /* a space that is not there yet */
        if (w->work.third_space || wr->blind)
            break;
        /* fall through */
    default:
        if (wr->rc == SYNCLINE_EDENIED && fault_is_on(&w->faults, FAULT_CLOCK))
            break; /* a clock too wrong to write by */
        if (wr->rc == SYNCLINE_EDENIED && wr->by->removed)
            break; /* and it has heard of it */
        if (wr->rc == SYNCLINE_EDENIED && w->roles.on)
            break; /* it may not write just now */
        if (wr->rc == SYNCLINE_EFULL && fault_is_on(&w->faults, FAULT_FULL))
            break;
        if (wr->rc == SYNCLINE_ENOMEM && fault_is_on(&w->faults, FAULT_MEMORY))
            break;
        if (wr->rc == SYNCLINE_EIO &&
            (fault_is_on(&w->faults, FAULT_EIO) ||
                fault_is_on(&w->faults, FAULT_LIE)))
            break;
        world_fail(w, "request", "a write is refused: %d", wr->rc);
    }
}

static void forget(struct machine *m, const struct write *wr)
{
    struct write **at = &m->unplaced;

    while (*at != NULL && *at != wr)
        at = &(*at)->next;
    if (*at == wr)
        *at = wr->next;
}

/* Those that wait are one commit, or the first of them is: what it brings is
 * safe when any of them is. */
void operation_place(struct machine *m, uint32_t from, uint32_t to)
{
    for (; m->unplaced != NULL && from < to; m->unplaced = m->unplaced->next) {
        m->unplaced->from = from;
        m->unplaced->to = to;
    }
}

static void on_written(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct write *wr = a->ctx;

    wr->rc = rc;
    wr->answered = true;
    if (answer != NULL)
        wr->acks = (uint64_t)json_get_int(answer, "acks", 0);
    forget(a->machine, wr);
    if (wr->returned)
        write_over(w, wr);
}

/* True if it was not refused at once: then it can be read. */
static bool send_write(
    struct world *w, struct machine *m, struct buf *request, bool blind)
{
    /* It may still be open when the world ends. */
    struct write *wr = arena_zalloc(&w->ledger.arena, 1, sizeof *wr);
    struct event turn = { .type = EV_FLUSH };
    bool taken;

    ENSURE(wr != NULL && buf_status(request) == SYNCLINE_OK);
    wr->by = m;
    wr->from = w->ledger.changes_n;
    wr->blind = blind;
    wr->waits = w->work.waits;
    machine_ask(m, on_written, wr, buf_slice(request));
    if (w->opt.grouped && !wr->answered && wr->from == w->ledger.changes_n) {
        wr->next = m->unplaced;
        m->unplaced = wr;
        wr->to = wr->from;
        if (!blind) { /* what was written is looked at */
            machine_step(m, &turn);
            forget(m, wr);
        }
    } else {
        wr->to = w->ledger.changes_n;
    }
    wr->returned = true;
    taken = !wr->answered || wr->rc == SYNCLINE_OK;
    if (wr->answered)
        write_over(w, wr);
    w->tally.sim.writes++;
    return taken && !w->failed && machine_is_up(m);
}

/* ---- what is written ---- */

static void put_large(struct world *w, struct buf *b)
{
    size_t n = 500 + prng_below(&w->work_draw, 6000);
    uint8_t *to;

    buf_printf(b, "\"%llu ", (unsigned long long)++w->work.values);
    to = buf_reserve(b, n);
    ENSURE(to != NULL);
    memset(to, 'x', n);
    b->len += n;
    buf_put_str(b, "\"");
}

static void put_document_text(struct world *w, struct buf *b)
{
    unsigned long long v = ++w->work.values;

    switch (prng_below(&w->work_draw, 12)) {
    case 0:
        buf_printf(b, "{\"a\":{\"b\":%llu}}", v);
        break;
    case 1:
        buf_printf(b, "{\"c\":%llu}", v);
        break;
    case 2:
        buf_printf(b, "{\"a\":{},\"c\":%llu}", v);
        break;
    case 3:
        buf_put_str(b, "{}");
        break;
    case 4:
        buf_printf(b, "{\"a\":{\"b\":%llu,\"d\":%llu}}", v, v);
        break;
    case 5:
        buf_printf(b, "{\"a\":[%llu],\"e\":null}", v);
        break;
    case 6:
        buf_printf(b, "%llu", v);
        break;
    case 7:
        buf_printf(b, "[%llu,{\"a\":1}]", v);
        break;
    case 8:
        buf_put_str(b, "{\"a\":");
        put_large(w, b);
        buf_put_str(b, "}");
        break;
    default:
        buf_printf(b, "{\"a\":%llu}", v);
    }
}

static void put_patch_text(struct world *w, struct buf *b)
{
    static const char *const forms[] = { "{\"a\":%llu}", "{\"c\":%llu}",
        "{\"a\":{\"b\":%llu}}", "{\"a\":{\"d\":%llu}}",
        "{\"a\":{\"b\":null,\"d\":%llu}}", "{\"e\":%llu,\"a\":{}}" };
    static const char *const removals[] = { "{\"a\":null}", "{\"c\":null}",
        "{\"a\":{\"b\":null}}", "{\"a\":{\"d\":null}}" };
    unsigned long long v = ++w->work.values;

    switch (prng_below(&w->work_draw, 10)) {
    case 0:
    case 1:
        buf_put_str(b, removals[prng_below(&w->work_draw, 4)]);
        break;
    case 2:
        buf_put_str(b, "{\"c\":");
        put_large(w, b);
        buf_put_str(b, "}");
        break;
    default: {
        const char *form = forms[prng_below(&w->work_draw, 6)];
        const char *at = strstr(form, "%llu");

        buf_put(b, form, (size_t)(at - form));
        buf_printf(b, "%llu%s", v, at + 4);
    }
    }
}

static const char *pick_space(struct world *w)
{
    uint64_t r = prng_below(&w->work_draw, 8);

    if (r == 0 && w->work.third_space)
        return "extra";
    return r <= 2 ? "config" : "default";
}

static void pick_key(struct world *w, char key[8])
{
    (void)snprintf(
        key, 8, "k%u", (unsigned)prng_below(&w->work_draw, w->work.keys));
}

static void put_wait(struct world *w, struct buf *b)
{
    bool one, paired = pairing_is_settled(w);

    w->work.waits = 0;
    if (!prng_one_in(&w->work_draw, 12))
        return;
    one = prng_one_in(&w->work_draw, 2) && paired; /* else there is none */
    w->work.waits = one;
    buf_put_str(b,
        one ? ",\"wait\":1,\"wait_ms\":3000"
            : ",\"wait\":\"all\",\"wait_ms\":2000");
}

/* ---- one item ---- */

struct target {
    const char *space;
    char key[8];
    struct json *now; /* NULL: absent */
};

static bool read_now(
    struct world *w, struct machine *m, struct target *t, struct arena *a)
{
    struct buf b = { 0 };
    const struct json *answer;
    int rc;

    buf_printf(&b, "{\"op\":\"get\",\"space\":\"%s\",\"key\":\"%s\"}", t->space,
        t->key);
    answer = machine_ask_now(m, buf_slice(&b), a, &rc);
    buf_free(&b);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        world_fail(w, "request", "a read is refused: %d", rc);
    t->now = rc == SYNCLINE_OK ? json_get(answer, "value") : NULL;
    return !w->failed;
}

static void expect_patched(
    struct buf *expect, const struct target *t, struct arena *a)
{
    struct json *patch, *result;
    struct slice text = arena_dup(a, buf_slice(expect));

    ENSURE(json_parse(&patch, text, JSON_STRICT, a, NULL) == SYNCLINE_OK);
    result = json_merge_patch(t->now, patch, a);
    ENSURE(result != NULL);
    buf_clear(expect);
    json_print(expect, result, JSON_CANONICAL);
}

static void change_one(
    struct world *w, struct machine *m, struct target *t, struct arena *a)
{
    struct buf b = { 0 }, expect = { 0 };
    struct item before;
    uint64_t r = prng_below(&w->work_draw, 10);
    const char *op = t->now == NULL || r < 3 ? "put" : r < 5 ? "del" : "patch";

    buf_printf(&b, "{\"op\":\"%s\",\"space\":\"%s\",\"key\":\"%s\"", op,
        t->space, t->key);
    if (op[0] == 'p') {
        bool whole = op[1] == 'u';

        if (whole)
            put_document_text(w, &expect);
        else
            put_patch_text(w, &expect);
        buf_printf(&b, ",\"%s\":", whole ? "value" : "patch");
        buf_put_slice(&b, buf_slice(&expect));
        if (!whole)
            expect_patched(&expect, t, a);
    }
    put_wait(w, &b);
    buf_put_str(&b, "}");
    check_fields_begin(
        w, m, slice_str(t->space), slice_str(t->key), &before, a);
    if (send_write(w, m, &b, false)) {
        check_read(
            w, m, slice_str(t->space), slice_str(t->key), buf_slice(&expect));
        check_fields_end(
            w, m, slice_str(t->space), slice_str(t->key), &before, t->now);
    }
    buf_free(&b);
    buf_free(&expect);
}

/* ---- several items ---- */

static void change_several(
    struct world *w, struct machine *m, const char *space, struct arena *a)
{
    struct target t[BATCH_MAX];
    struct buf b = { 0 }, expect[BATCH_MAX] = { { 0 } };
    unsigned n = w->work.keys < BATCH_MAX ? w->work.keys : BATCH_MAX;

    buf_printf(&b, "{\"op\":\"batch\",\"space\":\"%s\",\"ops\":[", space);
    for (unsigned i = 0; i < n && !w->failed; i++) {
        t[i].space = space;
        (void)snprintf(t[i].key, sizeof t[i].key, "k%u", i);
        if (!read_now(w, m, &t[i], a))
            break;
        buf_printf(&b, "%s{\"key\":\"%s\",", i > 0 ? "," : "", t[i].key);
        if (t[i].now != NULL && prng_one_in(&w->work_draw, 4)) {
            buf_put_str(&b, "\"delete\":true}");
            continue;
        }
        put_document_text(w, &expect[i]);
        buf_put_str(&b, "\"value\":");
        buf_put_slice(&b, buf_slice(&expect[i]));
        buf_put_str(&b, "}");
    }
    buf_put_str(&b, "]");
    put_wait(w, &b);
    buf_put_str(&b, "}");
    if (!w->failed && send_write(w, m, &b, false))
        for (unsigned i = 0; i < n && !w->failed; i++)
            check_read(w, m, slice_str(space), slice_str(t[i].key),
                buf_slice(&expect[i]));
    for (unsigned i = 0; i < n; i++)
        buf_free(&expect[i]);
    buf_free(&b);
}

/* ---- several writes in one turn ---- */

static void change_blindly(struct world *w, struct machine *m)
{
    struct target t = { .space = pick_space(w) };
    struct buf b = { 0 };
    uint64_t r = prng_below(&w->work_draw, 6);

    pick_key(w, t.key);
    buf_printf(&b, "{\"op\":\"%s\",\"space\":\"%s\",\"key\":\"%s\"",
        r == 0       ? "del"
            : r == 1 ? "patch"
                     : "put",
        t.space, t.key);
    if (r == 1) {
        buf_put_str(&b, ",\"patch\":");
        put_patch_text(w, &b);
    } else if (r > 1) {
        buf_put_str(&b, ",\"value\":");
        put_document_text(w, &b);
    }
    put_wait(w, &b);
    buf_put_str(&b, "}");
    (void)send_write(w, m, &b, true);
    buf_free(&b);
}

void operation_random(struct world *w, struct machine *m)
{
    struct target t = { .space = pick_space(w) };
    struct arena arena = { 0 };
    bool several = prng_one_in(&w->work_draw, 8);

    pick_key(w, t.key);
    if (!machine_is_up(m) || m->paused_until_us > w->now_us)
        return;
    if (w->opt.grouped && prng_one_in(&w->work_draw, 2))
        for (uint64_t n = prng_below(&w->work_draw, 6); n > 0; n--)
            change_blindly(w, m);
    else if (several)
        change_several(w, m, t.space, &arena);
    else if (read_now(w, m, &t, &arena))
        change_one(w, m, &t, &arena);
    arena_free(&arena);
}
