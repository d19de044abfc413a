/* Comparing fingerprints with every member that is connected.
 *
 * An ASK names a range of keys; the TELL says how many items stand in it and
 * the sum of their prints and, if these are few, each key with its print,
 * else the same for sixteen parts of the range. Whoever asks goes on with the
 * parts that differ, so a difference is found in O(log n) exchanges. */
#include "repl/access_impl.h"
#include "repl/compare.h"

#include <stdlib.h>

#define PARTS 16
#define LEAVES_MAX 64
#define DIFFER_MAX 100
#define VERIFY_US ((uint64_t)10 * 1000 * 1000)
#define QUESTIONS_MAX 256
#define ASKS_AT_ONCE 8 /* of one member; it takes ASKS_MAX */

struct range_item {
    struct slice key;
    struct hash128 print;
};

/* All that stands in a range, in order of keys. */
struct range_items {
    struct arena arena;
    struct arena scratch;
    struct range_item *e;
    size_t n, cap;
    struct slice to;
};

struct question {
    struct question *next;
    uint64_t no;
    struct conn *conn;
    struct space *space;
    struct buf from, to;
    bool sent; /* few at once: the other side answers one a turn */
};

/* A key that differs from a member's. */
struct difference {
    struct difference *next;
    struct device_id device;
    struct space *space;
    struct slice key;
};

struct checked {
    struct checked *next;
    struct device_id device;
    bool agree, lost;
};

struct verify {
    struct verify *next;
    uint64_t request, deadline_us;
    struct arena arena;
    struct question *questions;
    uint32_t questions_n;
    struct difference *differ;
    uint32_t differ_n;
    struct checked *checked;
    struct slice only; /* one space, or all */
    bool unasked;      /* nobody waits for the answer */
};

/* ---- what is in a range ---- */

static void range_free(struct range_items *r)
{
    arena_free(&r->arena);
    arena_free(&r->scratch);
}

static int range_add(
    struct range_items *r, struct slice key, const struct hash128 *print)
{
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 256 : r->cap * 2;
        struct range_item *e = arena_alloc(&r->arena, cap * sizeof *e);

        if (e == NULL)
            return SYNCLINE_ENOMEM;
        if (r->n > 0)
            memcpy(e, r->e, r->n * sizeof *e);
        r->e = e;
        r->cap = cap;
    }
    r->e[r->n].key = arena_dup(&r->arena, key);
    r->e[r->n].print = *print;
    return r->e[r->n++].key.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

static int note_item(void *ctx, struct slice key, struct slice value)
{
    struct range_items *r = ctx;
    struct item_print print;
    struct stored st;
    int rc;

    key = slice_from(key, 4);
    if (r->to.len > 0 && slice_cmp(key, r->to) >= 0)
        return 1;
    arena_reset(&r->scratch);
    rc = stored_decode(value, &st, &r->scratch);
    if (rc != SYNCLINE_OK || !item_alive(&st.item))
        return rc;
    rc = item_print(&print, key, &st.item);
    return rc == SYNCLINE_OK ? range_add(r, key, &print.live) : rc;
}

static int read_range(struct node *n, const struct space *sp, struct slice from,
    struct slice to, struct range_items *out)
{
    struct buf prefix = { 0 }, start = { 0 };
    int rc;

    *out = (struct range_items){ .to = to };
    rc = store_scan(&n->opt.store, TABLE_ITEM, key_space(&prefix, sp->id),
        key_item(&start, sp->id, from), note_item, out);
    buf_free(&prefix);
    buf_free(&start);
    return rc;
}

static struct hash128 sum_of(const struct range_item *e, size_t n)
{
    struct hash128 sum = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        sum.lo += e[i].print.lo;
        sum.hi += e[i].print.hi;
    }
    return sum;
}

static void put_sum(struct buf *b, const struct hash128 *h)
{
    put_u64(b, h->lo);
    put_u64(b, h->hi);
}

static struct hash128 get_sum(struct reader *r)
{
    struct hash128 h;

    h.lo = get_u64(r);
    h.hi = get_u64(r);
    return h;
}

/* ---- answering ---- */

static void put_parts(struct buf *b, const struct range_items *r)
{
    for (size_t part = 0; part < PARTS; part++) {
        size_t a = r->n * part / PARTS, z = r->n * (part + 1) / PARTS;
        struct hash128 sum = sum_of(r->e + a, z - a);

        put_bytes(b, part + 1 == PARTS ? r->to : r->e[z].key);
        put_varint(b, z - a);
        put_sum(b, &sum);
    }
}

static void ask_drop(struct conn *c)
{
    struct asked_range *a = c->asks;

    c->asks = a->next;
    buf_free(&a->from);
    buf_free(&a->to);
    free(a);
}

void asks_free(struct conn *c)
{
    while (c->asks != NULL)
        ask_drop(c);
}

int verify_on_ask(struct node *n, struct conn *c, const struct frame_ask *f)
{
    struct asked_range **at = &c->asks;
    uint32_t queued = 0;

    for (; *at != NULL; at = &(*at)->next)
        queued++;
    if (queued >= ASKS_MAX)
        return SYNCLINE_ELIMIT; /* an honest asker waits for answers */
    if (f->from.len > ASKED_KEY_MAX || f->to.len > ASKED_KEY_MAX)
        return SYNCLINE_EMALFORMED;
    *at = calloc(1, sizeof **at);
    if (*at == NULL)
        return SYNCLINE_ENOMEM;
    (*at)->question = f->question;
    (*at)->space = f->space;
    buf_put_slice(&(*at)->from, f->from);
    buf_put_slice(&(*at)->to, f->to);
    n->want_flush = true;
    return buf_status(&(*at)->from) != 0 ? SYNCLINE_ENOMEM
                                         : buf_status(&(*at)->to);
}

static int answer_ask(
    struct node *n, struct conn *c, const struct asked_range *a)
{
    struct space *sp = space_by_token(n, &a->space);
    struct frame tell = { .type = FRAME_TELL,
        .tell = { .question = a->question } };
    struct range_items r;
    struct hash128 sum;
    struct buf b = { 0 };
    int rc;

    if (sp == NULL || !access_compares(n, c, sp))
        return SYNCLINE_OK; /* what it tells are keys */
    rc = read_range(n, sp, buf_slice(&a->from), buf_slice(&a->to), &r);
    sum = sum_of(r.e, r.n);
    put_varint(&b, r.n);
    put_sum(&b, &sum);
    buf_put_u8(&b, r.n > LEAVES_MAX);
    if (r.n > LEAVES_MAX)
        put_parts(&b, &r);
    for (size_t i = 0; r.n <= LEAVES_MAX && i < r.n; i++) {
        put_bytes(&b, r.e[i].key);
        put_sum(&b, &r.e[i].print);
    }
    tell.tell.body = buf_slice(&b);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = conn_send(n, c, &tell);
    range_free(&r);
    buf_free(&b);
    return rc;
}

/* One a turn and connection: reading a large range takes its time. */
int verify_flush(struct node *n)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        int rc;

        if (c->asks == NULL || c->closing)
            continue;
        rc = answer_ask(n, c, c->asks);
        ask_drop(c);
        if (c->asks != NULL)
            n->want_flush = true;
        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

/* ---- asking ---- */

static int ask_more(struct node *n, struct conn *c)
{
    uint32_t under_way = 0;

    for (struct verify *v = n->verifies; v != NULL; v = v->next)
        for (struct question *q = v->questions; q != NULL; q = q->next)
            under_way += q->conn == c && q->sent;
    for (struct verify *v = n->verifies; v != NULL; v = v->next)
        for (struct question *q = v->questions; q != NULL; q = q->next) {
            struct frame f = { .type = FRAME_ASK,
                .ask = { .question = q->no,
                    .space = q->space->token,
                    .from = buf_slice(&q->from),
                    .to = buf_slice(&q->to) } };
            int rc;

            if (q->conn != c || q->sent)
                continue;
            if (under_way++ >= ASKS_AT_ONCE)
                return SYNCLINE_OK;
            q->sent = true;
            rc = conn_send(n, c, &f);
            if (rc != SYNCLINE_OK)
                return rc;
        }
    return SYNCLINE_OK;
}

static int ask(struct node *n, struct verify *v, struct conn *c,
    struct space *sp, struct slice from, struct slice to)
{
    struct question *q;

    if (v->questions_n >= QUESTIONS_MAX)
        return SYNCLINE_OK; /* enough differs to be worth telling */
    q = calloc(1, sizeof *q);
    if (q == NULL)
        return SYNCLINE_ENOMEM;
    q->no = ++n->next_question;
    q->conn = c;
    q->space = sp;
    buf_put_slice(&q->from, from);
    buf_put_slice(&q->to, to);
    q->next = v->questions;
    v->questions = q;
    v->questions_n++;
    return ask_more(n, c);
}

static void question_free(struct question *q)
{
    buf_free(&q->from);
    buf_free(&q->to);
    free(q);
}

static void verify_free(struct verify *v)
{
    while (v->questions != NULL) {
        struct question *next = v->questions->next;

        question_free(v->questions);
        v->questions = next;
    }
    arena_free(&v->arena);
    free(v);
}

void verifies_free(struct node *n)
{
    while (n->verifies != NULL) {
        struct verify *next = n->verifies->next;

        verify_free(n->verifies);
        n->verifies = next;
    }
}

static int differs(
    struct verify *v, const struct conn *c, struct space *sp, struct slice key)
{
    struct difference *d;

    for (struct checked *k = v->checked; k != NULL; k = k->next)
        if (device_eq(&k->device, &c->device))
            k->agree = false;
    if (v->differ_n >= DIFFER_MAX)
        return SYNCLINE_OK;
    d = arena_zalloc(&v->arena, 1, sizeof *d);
    if (d == NULL)
        return SYNCLINE_ENOMEM;
    d->device = c->device;
    d->space = sp;
    d->key = arena_dup(&v->arena, key);
    d->next = v->differ;
    v->differ = d;
    v->differ_n++;
    return d->key.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* Both sides list the range: two sorted lists. */
static int compare_leaves(struct verify *v, const struct question *q,
    const struct range_items *mine, struct reader *r, uint64_t n)
{
    size_t i = 0;
    int rc = SYNCLINE_OK;

    for (uint64_t k = 0; k < n && rc == SYNCLINE_OK; k++) {
        struct slice key = get_bytes(r);
        struct hash128 print = get_sum(r);

        if (r->err != 0)
            return r->err;
        while (i < mine->n && rc == SYNCLINE_OK &&
            slice_cmp(mine->e[i].key, key) < 0)
            rc = differs(v, q->conn, q->space, mine->e[i++].key);
        if (rc != SYNCLINE_OK)
            return rc;
        if (i == mine->n || !slice_eq(mine->e[i].key, key))
            rc = differs(v, q->conn, q->space, key);
        else if (memcmp(&mine->e[i++].print, &print, sizeof print) != 0)
            rc = differs(v, q->conn, q->space, key);
    }
    while (i < mine->n && rc == SYNCLINE_OK)
        rc = differs(v, q->conn, q->space, mine->e[i++].key);
    return rc;
}

static int compare_parts(struct node *n, struct verify *v,
    const struct question *q, const struct range_items *mine, struct reader *r)
{
    struct slice from = buf_slice(&q->from);
    size_t i = 0;
    int rc = SYNCLINE_OK;

    for (int part = 0; part < PARTS && rc == SYNCLINE_OK; part++) {
        struct slice to = get_bytes(r);
        uint64_t count = get_varint(r);
        struct hash128 theirs = get_sum(r), ours;
        size_t start = i;

        if (r->err != 0)
            return r->err;
        while (
            i < mine->n && (to.len == 0 || slice_cmp(mine->e[i].key, to) < 0))
            i++;
        ours = sum_of(mine->e + start, i - start);
        if (count != i - start || memcmp(&ours, &theirs, sizeof ours) != 0)
            rc = ask(n, v, q->conn, q->space, from, to);
        from = to;
    }
    return rc;
}

static int take_answer(struct node *n, struct verify *v,
    const struct question *q, struct slice body)
{
    struct reader r = reader_of(body);
    uint64_t count = get_varint(&r);
    struct hash128 theirs = get_sum(&r), ours;
    uint8_t parts = get_u8(&r);
    struct range_items mine;
    int rc;

    if (r.err != 0 || parts > 1)
        return SYNCLINE_EMALFORMED;
    rc = read_range(n, q->space, buf_slice(&q->from), buf_slice(&q->to), &mine);
    ours = sum_of(mine.e, mine.n);
    if (rc == SYNCLINE_OK &&
        (count != mine.n || memcmp(&ours, &theirs, sizeof ours) != 0))
        rc = parts != 0 ? compare_parts(n, v, q, &mine, &r)
                        : compare_leaves(v, q, &mine, &r, count);
    range_free(&mine);
    return rc;
}

/* ---- the answer to the asker ---- */

static const struct checked *checked_of(
    const struct verify *v, const struct device_id *d)
{
    for (const struct checked *k = v->checked; k != NULL; k = k->next)
        if (device_eq(&k->device, d))
            return k;
    return NULL;
}

static void put_differences(
    struct buf *b, const struct verify *v, const struct device_id *d)
{
    bool any = false;

    for (const struct difference *x = v->differ; x != NULL; x = x->next) {
        if (!device_eq(&x->device, d))
            continue;
        buf_put_str(b, any ? ",{\"space\":" : "{\"space\":");
        json_print_string(b, x->space->name, false);
        buf_put_str(b, ",\"key\":");
        json_print_string(b, x->key, false);
        buf_put_str(b, "}");
        any = true;
    }
}

static void put_members(
    const struct node *n, struct buf *b, const struct verify *v)
{
    bool any = false;

    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct member *m = members_at(n->members, i);
        const struct checked *k;

        if (m->role == ROLE_RELAY || device_eq(&m->device, &n->device))
            continue;
        k = checked_of(v, &m->device);
        buf_put_str(b, any ? ",{\"device\":" : "{\"device\":");
        put_device_hex(b, &m->device);
        buf_put_str(b, ",\"name\":");
        json_print_string(b, m->name, false);
        buf_printf(b, ",\"reachable\":%s,\"agree\":%s,\"differ\":[",
            k != NULL && !k->lost ? "true" : "false",
            k != NULL && !k->lost && k->agree ? "true" : "false");
        put_differences(b, v, &m->device);
        buf_put_str(b, "]}");
        any = true;
    }
}

static int look_closer(struct node *n, const struct verify *v)
{
    int rc = SYNCLINE_OK;

    for (const struct difference *d = v->differ; d != NULL && rc == SYNCLINE_OK;
         d = d->next) {
        struct conn *c = conn_of(n, &d->device);

        if (c != NULL)
            rc = compare_ask(n, c, d->space, d->key);
    }
    return rc;
}

static int finish(struct node *n, struct verify *v)
{
    struct verify **at = &n->verifies;
    bool agree = true, any = false;
    struct buf b = { 0 };
    int rc;

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    if (v->unasked) {
        rc = look_closer(n, v);
        verify_free(v);
        return rc;
    }
    for (const struct checked *k = v->checked; k != NULL; k = k->next)
        agree = agree && k->agree && !k->lost;
    buf_printf(
        &b, "{\"ok\":true,\"agree\":%s,\"spaces\":[", agree ? "true" : "false");
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        if (!space_shown(sp) ||
            (v->only.len > 0 && !slice_eq(v->only, sp->name)))
            continue;
        buf_put_str(&b, any ? ",{\"name\":" : "{\"name\":");
        json_print_string(&b, sp->name, false);
        buf_printf(&b, ",\"fingerprint\":\"%016llx%016llx\"}",
            (unsigned long long)sp->s.live.hi,
            (unsigned long long)sp->s.live.lo);
        any = true;
    }
    buf_put_str(&b, "],\"members\":[");
    put_members(n, &b, v);
    buf_put_str(&b, "]}");
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, v->request, buf_slice(&b), false);
    buf_free(&b);
    verify_free(v);
    return rc;
}

int verify_on_tell(struct node *n, struct conn *c, const struct frame_tell *f)
{
    for (struct verify *v = n->verifies; v != NULL; v = v->next)
        for (struct question **at = &v->questions; *at != NULL;
             at = &(*at)->next) {
            struct question *q = *at;
            int rc;

            if (q->no != f->question || q->conn != c)
                continue;
            *at = q->next;
            rc = take_answer(n, v, q, f->body);
            question_free(q);
            if (rc == SYNCLINE_OK)
                rc = ask_more(n, c);
            if (rc == SYNCLINE_OK && v->questions == NULL)
                rc = finish(n, v);
            return rc;
        }
    return SYNCLINE_OK; /* an answer to something long over */
}

static int add_checked(struct verify *v, const struct conn *c)
{
    struct checked *k = arena_zalloc(&v->arena, 1, sizeof *k);

    if (k == NULL)
        return SYNCLINE_ENOMEM;
    k->device = c->device;
    k->agree = true;
    k->next = v->checked;
    v->checked = k;
    return SYNCLINE_OK;
}

int verify_between(struct node *n, struct conn *c, struct space *sp)
{
    struct verify *v = calloc(1, sizeof *v);
    int rc;

    if (v == NULL)
        return SYNCLINE_ENOMEM;
    v->unasked = true;
    v->deadline_us = n->now_us + VERIFY_US;
    v->next = n->verifies;
    n->verifies = v; /* it ends at its time, at the latest */
    rc = add_checked(v, c);
    return rc == SYNCLINE_OK ? ask(n, v, c, sp, SLICE_NONE, SLICE_NONE) : rc;
}

static int start(struct node *n, struct verify *v)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        if (!c->greeted || c->closing || access_is_across(n, c))
            continue;
        if (add_checked(v, c) != SYNCLINE_OK)
            return SYNCLINE_ENOMEM;
        for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
            int rc;

            if (!space_shown(sp) || !access_is_shared(n, c, sp) ||
                (v->only.len > 0 && !slice_eq(v->only, sp->name)))
                continue;
            rc = ask(n, v, c, sp, SLICE_NONE, SLICE_NONE);
            if (rc != SYNCLINE_OK)
                return rc;
        }
    }
    return SYNCLINE_OK;
}

int request_verify(struct node *n, uint64_t request, const struct json *args)
{
    struct verify *v = calloc(1, sizeof *v);
    struct errmsg why = { "" };
    struct slice name = json_get_str(args, "space");
    int rc;

    if (v == NULL)
        return SYNCLINE_ENOMEM;
    if (name.len > 0 && space_by_name(n, name) == NULL) {
        free(v);
        return fx_error(n, request,
            errmsg_set(&why, SYNCLINE_ENOTFOUND,
                "%.*s: no such space; `syncline space` lists them",
                SLICE_FMT(name)),
            &why);
    }
    v->request = request;
    v->deadline_us = n->now_us + VERIFY_US;
    v->only = arena_dup(&v->arena, name);
    v->next = n->verifies;
    n->verifies = v;
    rc = start(n, v);
    return rc == SYNCLINE_OK && v->questions == NULL ? finish(n, v) : rc;
}

/* Questions to a connection that is gone have no answer. */
static void drop_questions(struct verify *v, const struct conn *c)
{
    struct question **at = &v->questions;

    while (*at != NULL) {
        struct question *q = *at;

        if (c != NULL && q->conn != c) {
            at = &q->next;
            continue;
        }
        for (struct checked *k = v->checked; k != NULL; k = k->next)
            if (device_eq(&k->device, &q->conn->device))
                k->lost = true;
        *at = q->next;
        question_free(q);
    }
}

void verifies_conn_gone(struct node *n, const struct conn *c)
{
    for (struct verify *v = n->verifies; v != NULL; v = v->next) {
        drop_questions(v, c);
        if (v->questions == NULL)
            v->deadline_us = n->now_us; /* finished at the next tick */
    }
}

int verifies_tick(struct node *n)
{
    struct verify *v = n->verifies;

    while (v != NULL) {
        struct verify *next = v->next;
        int rc;

        if (v->deadline_us <= n->now_us) {
            drop_questions(v, NULL);
            rc = finish(n, v);
            if (rc != SYNCLINE_OK)
                return rc;
        }
        v = next;
    }
    return SYNCLINE_OK;
}

uint64_t verifies_deadline(const struct node *n)
{
    uint64_t due = UINT64_MAX;

    for (const struct verify *v = n->verifies; v != NULL; v = v->next)
        if (v->deadline_us < due)
            due = v->deadline_us;
    return due;
}
