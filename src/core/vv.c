#include "core/vv.h"

int dot_cmp(const struct dot *a, const struct dot *b)
{
    int c = rid_cmp(&a->replica, &b->replica);

    if (c != 0)
        return c;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

int stamp_cmp(const struct stamp *a, const struct stamp *b)
{
    if (a->epoch != b->epoch)
        return a->epoch > b->epoch ? 1 : -1;
    if (a->hlc != b->hlc)
        return a->hlc > b->hlc ? 1 : -1;
    return rid_cmp(&a->replica, &b->replica);
}

/* Index of the first entry whose replica is >= the one asked for. */
static uint32_t lower(const struct vv *v, const struct rid *replica)
{
    uint32_t lo = 0, hi = v->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (rid_cmp(&v->e[mid].replica, replica) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint64_t vv_get(const struct vv *v, const struct rid *replica)
{
    uint32_t ix = lower(v, replica);

    if (ix == v->n || !rid_eq(&v->e[ix].replica, replica))
        return 0;
    return v->e[ix].seq;
}

/* Dots have no padding. */
void vv_meet(struct vv *v, const struct vv *other)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < v->n; i++) {
        uint64_t seq = vv_get(other, &v->e[i].replica);

        if (seq < v->e[i].seq)
            v->e[i].seq = seq;
        if (v->e[i].seq > 0)
            v->e[kept++] = v->e[i];
    }
    v->n = kept;
}

bool vv_eq(const struct vv *a, const struct vv *b)
{
    return a->n == b->n &&
        (a->n == 0 || memcmp(a->e, b->e, a->n * sizeof *a->e) == 0);
}

_Static_assert(sizeof(struct dot) == RID_LEN + 8, "a dot has no padding");

/* Both are sorted: side by side. A few entries against many are looked up.
 * Mostly it is asked of peers that have all, and the two are equal. */
bool vv_geq(const struct vv *a, const struct vv *b)
{
    uint32_t at = 0;

    if (a->n == b->n && vv_eq(a, b))
        return true;
    for (uint32_t i = 0; i < b->n; i++) {
        int c = -1;

        if (b->n < a->n / 8) {
            if (!vv_covers(a, &b->e[i]))
                return false;
            continue;
        }
        while (
            at < a->n && (c = rid_cmp(&a->e[at].replica, &b->e[i].replica)) < 0)
            at++;
        if (c != 0 || a->e[at].seq < b->e[i].seq)
            return false;
    }
    return true;
}

int vv_reserve(struct vv *v, uint32_t n, struct arena *a)
{
    uint32_t cap = v->cap == 0 ? 2 : v->cap;
    struct dot *e;

    if (n <= v->cap)
        return SYNCLINE_OK;
    if (n > VV_MAX)
        return SYNCLINE_ELIMIT;
    while (cap < n)
        cap *= 2;
    e = arena_alloc(a, cap * sizeof *e);
    if (e == NULL)
        return SYNCLINE_ENOMEM;
    if (v->n > 0)
        memcpy(e, v->e, v->n * sizeof *e);
    v->e = e;
    v->cap = cap;
    return SYNCLINE_OK;
}

int vv_add(struct vv *v, const struct dot *d, struct arena *a)
{
    uint32_t ix;
    int rc;

    if (d->seq == 0)
        return SYNCLINE_OK;
    ix = lower(v, &d->replica);
    if (ix < v->n && rid_eq(&v->e[ix].replica, &d->replica)) {
        if (v->e[ix].seq < d->seq)
            v->e[ix].seq = d->seq;
        return SYNCLINE_OK;
    }
    rc = vv_reserve(v, v->n + 1, a);
    if (rc != SYNCLINE_OK)
        return rc;
    memmove(&v->e[ix + 1], &v->e[ix], (v->n - ix) * sizeof *v->e);
    v->e[ix] = *d;
    v->n++;
    return SYNCLINE_OK;
}

int vv_join(struct vv *v, const struct vv *other, struct arena *a)
{
    for (uint32_t i = 0; i < other->n; i++) {
        int rc = vv_add(v, &other->e[i], a);

        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

int vv_copy(struct vv *out, const struct vv *v, struct arena *a)
{
    struct vv copy = { 0 };
    int rc = vv_reserve(&copy, v->n, a);

    if (rc != SYNCLINE_OK)
        return rc;
    if (v->n > 0)
        memcpy(copy.e, v->e, v->n * sizeof *v->e);
    copy.n = v->n;
    *out = copy;
    return SYNCLINE_OK;
}

void put_dot(struct buf *b, const struct dot *d)
{
    buf_put(b, d->replica.b, RID_LEN);
    put_varint(b, d->seq);
}

void put_vv(struct buf *b, const struct vv *v)
{
    put_varint(b, v->n);
    for (uint32_t i = 0; i < v->n; i++)
        put_dot(b, &v->e[i]);
}

void put_stamp(struct buf *b, const struct stamp *s)
{
    put_varint(b, s->epoch);
    put_u64(b, s->hlc);
    buf_put(b, s->replica.b, RID_LEN);
}

void get_dot(struct reader *r, struct dot *out)
{
    get_into(r, out->replica.b, RID_LEN);
    out->seq = get_varint_max(r, SEQ_MAX);
}

void get_stamp(struct reader *r, struct stamp *out)
{
    out->epoch = get_varint(r);
    out->hlc = get_u64(r);
    get_into(r, out->replica.b, RID_LEN);
}

int get_vv(struct reader *r, struct vv *out, struct arena *a)
{
    uint64_t n = get_varint_max(r, VV_MAX);
    struct vv v = { 0 };

    if (r->err == 0 && n > r->in.len / (RID_LEN + 1))
        r->err = SYNCLINE_ESHORT;
    if (r->err == 0)
        r->err = vv_reserve(&v, (uint32_t)n, a);
    for (uint64_t i = 0; i < n && r->err == 0; i++) {
        struct dot *d = &v.e[v.n];

        get_dot(r, d);
        if (r->err == 0 &&
            (d->seq == 0 ||
                (i > 0 && rid_cmp(&d[-1].replica, &d->replica) >= 0)))
            r->err = SYNCLINE_EMALFORMED;
        v.n++;
    }
    if (r->err == 0)
        *out = v;
    return r->err;
}
