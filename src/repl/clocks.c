/* This node's clock: stamps, the ceiling on the disk above them, and how it
 * compares with the clocks of the peers. */
#include "base/plant.h"
#include "base/text.h"
#include "repl/collect_impl.h"

#include <stdio.h>

/* How far the persisted ceiling of the clock runs ahead of it. */
#define STRIDE_US ((uint64_t)10 * 1000 * 1000)
/* How seldom the log tells of one device's stamps. */
#define TELL_FAR_US ((uint64_t)60 * 1000 * 1000)
/* No clock of a peer is taken for more, so that offsets do not overflow. */
#define WALL_MAX_US ((uint64_t)1 << 61)

uint64_t clock_bound(const struct node *n)
{
    return n->opt.clock_bound_us != UINT64_MAX ? n->opt.clock_bound_us
                                               : CLOCK_BOUND_US;
}

/* ---- the clock ---- */

static bool is_above(const struct clock_at *a, const struct clock_at *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->hlc > b->hlc;
}

int clock_load(struct node *n)
{
    struct slice value;
    struct reader r;
    int rc = store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_HLC), &value);

    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(value);
    n->clock.last = get_u64(&r);
    if (r.in.len > 0) /* until format 3 there were no epochs */
        n->epoch = get_varint(&r);
    if (reader_end(&r) != SYNCLINE_OK || n->epoch > EPOCH_MAX)
        return SYNCLINE_ECORRUPT;
    if (PLANTED(EPOCH_LOWERED) && n->epoch > 0)
        n->epoch--;
    if (PLANTED(EPOCH_UNSAVED))
        n->epoch = 0;
    n->ceiling = (struct clock_at){ n->epoch, n->clock.last };
    clock_committed(n);
    return SYNCLINE_OK;
}

int clock_keep(struct node *n, bool exact)
{
    struct clock_at now = { n->epoch, n->clock.last };
    struct buf b = { 0 };

    /* At the end of the range no ceiling is above. */
    if (!exact &&
        (PLANTED(M16) || is_above(&n->ceiling, &now) ||
            (n->ceiling.epoch == now.epoch && n->ceiling.hlc == UINT64_MAX)))
        return SYNCLINE_OK;
    if (!exact)
        now.hlc = now.hlc < UINT64_MAX - hlc_of_wall(STRIDE_US)
            ? now.hlc + hlc_of_wall(STRIDE_US)
            : UINT64_MAX;
    put_u64(&b, now.hlc);
    put_varint(&b, now.epoch);
    txn_put_buf(&n->txn, TABLE_META, SLICE_LIT(META_HLC), &b);
    buf_free(&b);
    if (!exact) /* else it is higher still, and need not be written again */
        n->ceiling = now;
    return txn_status(&n->txn);
}

void clock_committed(struct node *n)
{
    n->undo_ceiling = n->ceiling;
    n->undo_clock = (struct clock_at){ n->epoch, n->clock.last };
}

void clock_undo(struct node *n)
{
    n->ceiling = n->undo_ceiling;
    /* What the clock has seen since does not hurt; an epoch would. */
    if (n->epoch != n->undo_clock.epoch || n->clock.last < n->undo_clock.hlc)
        n->clock.last = n->undo_clock.hlc;
    n->epoch = n->undo_clock.epoch;
}

/* In a mesh that was left all may have been far ahead. What is taken along
 * keeps its stamps, and nothing may be written below those. */
int clock_leave(struct node *n, bool with_items)
{
    n->ceiling = (struct clock_at){ 0 }; /* to be written again */
    n->far.n = 0;
    if (!with_items)
        n->clock.last = 0;
    forks_forget(n);
    return epochs_forget(n);
}

void clock_enter(struct node *n, uint64_t epoch)
{
    n->epoch = epoch;
    if (!PLANTED(EPOCH_KEEPS_CLOCK))
        n->clock.last = 0;
}

bool clock_admits(const struct node *n, const struct stamp *s)
{
    return s->epoch <= n->epoch;
}

int node_stamp(struct node *n, struct stamp *out)
{
    /* What a node must write for itself although its clock is far ahead, it
     * stamps without that clock: above all it has seen, and no further. */
    uint64_t wall_us = clock_is_ahead(n) ? 0 : n->wall_us;

    /* Equal stamps would let the replica id decide, not who saw whom. */
    if (n->clock.last == UINT64_MAX)
        return SYNCLINE_ELIMIT;
    *out = (struct stamp){ n->epoch, hlc_next(&n->clock, wall_us), n->replica };
    return SYNCLINE_OK;
}

void node_see_stamp(struct node *n, const struct stamp *s)
{
    if (PLANTED(M17) ||
        (PLANTED(M23B) && s->hlc > hlc_of_wall(n->wall_us + clock_bound(n))))
        return;
    if (s->epoch == n->epoch)
        hlc_observe(&n->clock, s->hlc);
}

uint64_t clock_lead_us(const struct node *n)
{
    uint64_t us = hlc_wall_us(n->clock.last);

    return us > n->wall_us ? us - n->wall_us : 0;
}

/* ---- stamps from far ahead ---- */

static uint64_t lead_of(const struct node *n, const struct clock_at *at)
{
    uint64_t us = hlc_wall_us(at->hlc);

    return at->epoch == n->epoch && us > n->wall_us ? us - n->wall_us : 0;
}

/* That of its device, or a free one, or the least. */
static struct far_stamp *far_slot(struct node *n, const struct rid *replica)
{
    struct far_stamp *least = &n->far.e[0];

    for (uint32_t i = 0; i < n->far.n; i++) {
        struct far_stamp *f = &n->far.e[i];

        if (memcmp(f->replica.b, replica->b, RID_DEVICE_LEN) == 0)
            return f;
        if (is_above(&least->at, &f->at))
            least = f;
    }
    if (n->far.n < FAR_MAX)
        least = &n->far.e[n->far.n++];
    *least = (struct far_stamp){ .replica = *replica };
    return least;
}

static struct slice name_of(const struct node *n, const struct device_id *d)
{
    const struct member *m = d != NULL ? members_get(n->members, d) : NULL;

    return m != NULL ? m->name : SLICE_LIT("a device that is no member");
}

static int tell_far(struct node *n, struct far_stamp *f)
{
    const struct device_id *owner = owner_of(n, &f->replica);
    const struct slice name = name_of(n, owner);
    char span[CLOCK_SPAN_TEXT];

    if (f->told_us != 0 && n->now_us < f->told_us + TELL_FAR_US)
        return SYNCLINE_OK;
    f->told_us = n->now_us;
    n->counts.stamps_far++;
    clock_span(span, lead_of(n, &f->at));
    log_line(&n->log, LOG_LEVEL_WARN, "clock",
        "a change of %.*s is stamped %s ahead of this clock; `syncline clock` "
        "tells which, and whose clock is wrong",
        SLICE_FMT(name), span);
    log_line(&n->log, LOG_LEVEL_DEBUG, "clock", "it is at %s", f->where);
    return node_audit_often(n, "clock_far",
        (const struct audit_field[]){
            AUDIT_HEX("device",
                owner != NULL ? device_slice(owner) : rid_slice(&f->replica)),
            AUDIT_TEXT("name", name),
            AUDIT_NUMBER("ahead_us", lead_of(n, &f->at)), AUDIT_END });
}

/* Cut to fit, between characters. */
static void put_where(
    struct far_stamp *f, const struct space *sp, struct slice key)
{
    int len = snprintf(f->where, sizeof f->where, "%.*s/%.*s",
        SLICE_FMT(sp->name), SLICE_FMT(key));

    if (len >= (int)sizeof f->where)
        len = (int)sizeof f->where - 1;
    while (len > 0 && !utf8_valid(SLICE(f->where, (size_t)len)))
        len--;
    f->where[len < 0 ? 0 : len] = '\0';
}

int clock_look_at(struct node *n, const struct space *sp, struct slice key,
    const struct stamp *s)
{
    const struct clock_at at = { s->epoch, s->hlc };
    struct far_stamp *f;

    if (lead_of(n, &at) <= clock_bound(n) || PLANTED(FAR_SILENT))
        return SYNCLINE_OK;
    f = far_slot(n, &s->replica);
    if (is_above(&at, &f->at)) {
        f->at = at;
        f->replica = s->replica;
        put_where(f, sp, key);
    }
    return tell_far(n, f);
}

/* ---- other clocks ---- */

void clock_measured(
    const struct node *n, struct conn *c, uint64_t sent_us, uint64_t wall_us)
{
    uint64_t wall = wall_us < WALL_MAX_US ? wall_us : WALL_MAX_US;

    c->rtt_us = n->now_us - sent_us;
    c->never_set = wall_us < CLOCK_NEVER_SET_US;
    c->clock_base_us = (int64_t)(wall + c->rtt_us / 2) - (int64_t)n->now_us;
    c->measured = true;
}

int64_t clock_offset_us(const struct node *n, const struct conn *c)
{
    return c->clock_base_us + (int64_t)n->now_us - (int64_t)n->wall_us;
}

/* We are ahead of it by this at least, whatever the way took. */
static bool is_outrun(const struct node *n, const struct conn *c)
{
    int64_t lead = -clock_offset_us(n, c) - (int64_t)(c->rtt_us / 2);

    return lead > 0 && (uint64_t)lead > n->opt.clock_bound_us;
}

static bool is_witness(const struct conn *c)
{
    return c->greeted && !c->closing && c->measured && !c->never_set;
}

struct outrun {
    uint32_t of, n;
    const struct conn *nearest; /* of those that are outrun */
};

static struct outrun count_outrun(const struct node *n)
{
    struct outrun o = { 0 };

    for (const struct conn *c = n->conns; c != NULL; c = c->next) {
        if (!is_witness(c))
            continue;
        o.of++;
        if (!is_outrun(n, c))
            continue;
        o.n++;
        if (o.nearest == NULL ||
            clock_offset_us(n, c) > clock_offset_us(n, o.nearest))
            o.nearest = c;
    }
    return o;
}

/* Of one peer, that one; of two, both. Nobody there: nobody can say. */
bool clock_is_ahead(const struct node *n)
{
    const struct outrun o = count_outrun(n);

    return o.n > o.of / 2;
}

/* What people write by. Not here: what must be possible on any machine, as
 * to shut out one that was lost. */
static const char *const authoring[] = { "put", "patch", "del", "batch",
    "put_fields", "restore", "resolve", "rescue_apply", "space_add", "space_rm",
    "policy_set", "clock_reset" };

int clock_check_op(const struct node *n, struct slice op, struct errmsg *why)
{
    char span[CLOCK_SPAN_TEXT];
    struct outrun o;
    size_t i = 0;

    while (
        i < sizeof authoring / sizeof *authoring && !slice_is(op, authoring[i]))
        i++;
    if (i == sizeof authoring / sizeof *authoring || !clock_is_ahead(n))
        return SYNCLINE_OK;
    o = count_outrun(n);
    clock_span(span, (uint64_t)-clock_offset_us(n, o.nearest));
    return errmsg_set(why, SYNCLINE_EDENIED,
        "this machine's clock is %s ahead of %.*s's (measured on the "
        "connection; %u of %u connected members say so): nothing is written "
        "by it. Set it right (NTP) and try again, or set the other one if "
        "that is wrong; `syncline clock` tells",
        span, SLICE_FMT(name_of(n, &o.nearest->device)), o.n, o.of);
}
