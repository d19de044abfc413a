/* Which of the clocks is wrong: each is compared with all others. One that
 * differs from most of them is; if that can be said of all, nobody can say. */
#include "base/text.h"
#include "repl/collect_impl.h"
#include "repl/request_admin.h"

#include <stdio.h>
#include <stdlib.h>

#define COMPARED_MAX 128 /* clocks; each with each */

struct compared {
    const struct conn *conn; /* NULL: ours */
    int64_t offset_us;       /* ahead of ours */
    bool wrong;
};

struct comparison {
    struct compared e[COMPARED_MAX];
    uint32_t n, wrong;
    int64_t middle; /* of those that are not wrong */
};

void clock_span(char out[CLOCK_SPAN_TEXT], uint64_t us)
{
    const uint64_t s = us / 1000000, m = s / 60, h = m / 60, d = h / 24;

    if (s < 120)
        (void)snprintf(out, CLOCK_SPAN_TEXT, "%llu.%llu s",
            (unsigned long long)s, (unsigned long long)(us / 100000 % 10));
    else if (h < 2)
        (void)snprintf(out, CLOCK_SPAN_TEXT, "%llu min %llu s",
            (unsigned long long)m, (unsigned long long)(s % 60));
    else if (d < 2)
        (void)snprintf(out, CLOCK_SPAN_TEXT, "%llu h %llu min",
            (unsigned long long)h, (unsigned long long)(m % 60));
    else
        (void)snprintf(out, CLOCK_SPAN_TEXT, "%llu days %llu h",
            (unsigned long long)d, (unsigned long long)(h % 24));
}

static uint64_t apart(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static int by_offset(const void *a, const void *b)
{
    const struct compared *x = a, *y = b;

    return x->offset_us < y->offset_us ? -1 : x->offset_us > y->offset_us;
}

static void judge(const struct node *n, struct comparison *k)
{
    const uint64_t bound = clock_bound(n);
    uint32_t good = 0;

    for (uint32_t i = 0; i < k->n; i++) {
        uint32_t differs = 0;

        for (uint32_t j = 0; j < k->n; j++)
            differs += apart(k->e[i].offset_us, k->e[j].offset_us) > bound;
        k->e[i].wrong = differs * 2 > k->n - 1 ||
            (k->e[i].conn != NULL && k->e[i].conn->never_set);
        k->wrong += k->e[i].wrong;
    }
    qsort(k->e, k->n, sizeof *k->e, by_offset);
    for (uint32_t i = 0; i < k->n; i++)
        if (!k->e[i].wrong && good++ == (k->n - k->wrong - 1) / 2)
            k->middle = k->e[i].offset_us;
}

static void compare(const struct node *n, struct comparison *k)
{
    *k = (struct comparison){ .n = 1 };
    for (const struct conn *c = n->conns; c != NULL && k->n < COMPARED_MAX;
         c = c->next)
        if (c->greeted && !c->closing && c->measured)
            k->e[k->n++] = (struct compared){ c, clock_offset_us(n, c), false };
    judge(n, k);
}

static struct slice name_of(const struct node *n, const struct conn *c)
{
    const struct member *m =
        members_get(n->members, c != NULL ? &c->device : &n->device);

    return m != NULL ? m->name : SLICE_LIT("?");
}

/* ---- in words ---- */

static void say_wrong(
    const struct node *n, const struct comparison *k, struct buf *b)
{
    bool any = false;

    for (uint32_t i = 0; i < k->n; i++) {
        const struct compared *e = &k->e[i];
        char span[CLOCK_SPAN_TEXT];
        bool ahead;

        if (!e->wrong)
            continue;
        clock_span(span, apart(e->offset_us, k->middle));
        ahead = e->offset_us > k->middle;
        buf_put_str(b, any ? "; " : "");
        if (e->conn == NULL)
            buf_printf(b,
                ahead ? "this machine's clock is %s ahead of most others: set "
                        "it right here (NTP)"
                      : "this machine's clock is %s behind most others: set it "
                        "right here (NTP)",
                span);
        else
            buf_printf(b,
                ahead ? "the clock of %.*s is %s ahead of most others: set it "
                        "right there (NTP)"
                      : "the clock of %.*s is %s behind most others: set it "
                        "right there (NTP)",
                SLICE_FMT(name_of(n, e->conn)), span);
        any = true;
    }
}

static void say_apart(
    const struct node *n, const struct comparison *k, struct buf *b)
{
    char span[CLOCK_SPAN_TEXT];

    clock_span(span, apart(k->e[0].offset_us, k->e[k->n - 1].offset_us));
    if (k->n == 2)
        buf_printf(b,
            "the clocks of this machine and of %.*s are %s apart (this one is "
            "%s), and nobody else is here to say which is wrong: look at both",
            SLICE_FMT(name_of(n, k->e[k->e[0].conn == NULL].conn)), span,
            k->e[0].conn == NULL ? "behind" : "ahead");
    else
        buf_printf(b,
            "the clocks are up to %s apart and no two agree with most: look at "
            "all of them",
            span);
}

static void say(
    const struct node *n, const struct comparison *k, bool far, struct buf *b)
{
    char span[CLOCK_SPAN_TEXT];

    if (k->n == 1)
        buf_put_str(b,
            "no other member is connected (or none has answered yet): nobody "
            "can say whether this clock is right");
    else if (k->wrong == k->n)
        say_apart(n, k, b);
    else if (k->wrong > 0)
        say_wrong(n, k, b);
    else
        buf_printf(b, "this clock agrees with %u connected member%s", k->n - 1,
            k->n == 2 ? "" : "s");
    if (!far)
        return;
    clock_span(span, clock_lead_us(n));
    buf_put_str(b, "; ");
    buf_printf(b,
        "changes are stamped %s ahead of this clock, and one that has not "
        "seen them loses to them (as a conflict). When all clocks are right: "
        "`syncline clock reset`",
        span);
}

/* ---- as JSON ---- */

static void put_device(
    const struct node *n, struct buf *b, const struct device_id *d)
{
    const struct member *m = d != NULL ? members_get(n->members, d) : NULL;

    buf_put_str(b, "{\"device\":");
    put_device_hex(b, d);
    buf_put_str(b, ",\"name\":");
    if (m != NULL)
        json_print_string(b, m->name, false);
    else
        buf_put_str(b, "null");
}

static void put_compared(const struct node *n, struct buf *b,
    const struct comparison *k, bool only_wrong)
{
    bool any = false;

    for (uint32_t i = 0; i < k->n; i++) {
        const struct compared *e = &k->e[i];

        if (only_wrong ? !e->wrong || k->wrong == k->n : e->conn == NULL)
            continue;
        buf_put_str(b, any ? "," : "");
        put_device(n, b, e->conn != NULL ? &e->conn->device : &n->device);
        buf_printf(b, ",\"offset_us\":%lld", (long long)e->offset_us);
        if (!only_wrong)
            buf_printf(b, ",\"rtt_us\":%llu,\"wrong\":%s",
                (unsigned long long)e->conn->rtt_us,
                e->wrong && k->wrong < k->n ? "true" : "false");
        buf_put_u8(b, '}');
        any = true;
    }
}

static bool is_far(const struct node *n, const struct far_stamp *f)
{
    uint64_t us = hlc_wall_us(f->at.hlc);

    return f->at.epoch == n->epoch && us > n->wall_us &&
        us - n->wall_us > clock_bound(n);
}

static void put_far(const struct node *n, struct buf *b)
{
    bool any = false;

    for (uint32_t i = 0; i < n->far.n; i++) {
        const struct far_stamp *f = &n->far.e[i];

        if (!is_far(n, f))
            continue;
        buf_put_str(b, any ? "," : "");
        put_device(n, b, owner_of(n, &f->replica));
        buf_printf(b, ",\"ahead_us\":%llu,\"item\":",
            (unsigned long long)(hlc_wall_us(f->at.hlc) - n->wall_us));
        json_print_string(b, slice_str(f->where), false);
        buf_put_u8(b, '}');
        any = true;
    }
}

int put_clock_json(struct node *n, struct buf *b, bool peers)
{
    struct comparison *k = arena_alloc(&n->step, sizeof *k);
    bool far = clock_lead_us(n) > clock_bound(n);
    struct buf text = { 0 };

    if (k == NULL)
        return SYNCLINE_ENOMEM;
    compare(n, k);
    buf_printf(b,
        "{\"time\":%llu,\"stamps\":%llu,\"ahead_us\":%llu,\"epoch\":%llu,"
        "\"bound_us\":%llu,\"writes\":%s,\"far\":%s,\"ok\":%s",
        time_told(n->wall_us), time_told(hlc_wall_us(n->clock.last)),
        (unsigned long long)clock_lead_us(n), (unsigned long long)n->epoch,
        (unsigned long long)(n->opt.clock_bound_us == UINT64_MAX
                ? 0
                : n->opt.clock_bound_us),
        clock_is_ahead(n) ? "false" : "true", far ? "true" : "false",
        far || k->wrong > 0 ? "false" : "true");
    if (peers) {
        buf_put_str(b, ",\"peers\":[");
        put_compared(n, b, k, false);
        buf_put_u8(b, ']');
    }
    buf_put_str(b, ",\"wrong\":[");
    put_compared(n, b, k, true);
    buf_put_str(b, "],\"stamped\":[");
    put_far(n, b);
    buf_put_str(b, "],\"verdict\":");
    say(n, k, far, &text);
    json_print_string(b, buf_slice(&text), false);
    buf_put_u8(b, '}');
    buf_free(&text);
    return buf_status(b);
}
