/* Which records count; the rule stands in members.h, and longer, with what
 * follows from it, in doc/protocol.md.
 *
 *  signed by somebody whom others who could may have made an admin -> whole
 *  (what it names is here) -> sorted by height -> structural
 *  (its signer was made an admin before it) -> those that take something from
 *  an admin, in the order of their signers' seniority, each after what made
 *  its signer an admin -> all others -> what stands of each device */
#include "repl/members_impl.h"

#include <stdlib.h>

#define WORD 64

struct person {
    struct device_id device;
    const uint8_t *spki;
    bool able; /* may have been an admin once */
};

struct fold {
    struct members *m;
    struct arena *arena;
    struct cert **all; /* by id, then by height */
    uint32_t n, words;
    uint64_t *before;      /* a row of bits for each: what is before it */
    struct person *people; /* sorted */
    uint32_t people_n;
    struct cert **kx; /* by device, then by id; before and after nothing */
    uint32_t kx_n;
};

/* ---- gathering ---- */

static int by_id(const void *a, const void *b)
{
    const struct cert *const *x = a, *const *y = b;

    return cert_id_cmp(&(*x)->id, &(*y)->id);
}

static int by_person(const void *a, const void *b)
{
    const struct person *x = a, *y = b;

    return device_cmp(&x->device, &y->device);
}

static int by_device_and_id(const void *a, const void *b)
{
    const struct cert *x = *(struct cert *const *)a;
    const struct cert *y = *(struct cert *const *)b;
    int c = device_cmp(&x->device, &y->device);

    return c != 0 ? c : cert_id_cmp(&x->id, &y->id);
}

static void take(struct fold *f, struct cert *c)
{
    c->ready = c->structural = c->decided = c->counts = false;
    c->height = 0;
    if (c->kind == CERT_KX)
        f->kx[f->kx_n++] = c;
    else
        f->all[f->n++] = c;
    if (c->kind == CERT_MEMBER)
        f->people[f->people_n++] =
            (struct person){ .device = c->device, .spki = c->spki };
}

static int gather(struct fold *f)
{
    struct members *m = f->m;
    size_t room = CERTS_MAX * m->records_n + 1;
    uint32_t kept = 0;

    f->all = arena_alloc(f->arena, room * sizeof(void *));
    f->kx = arena_alloc(f->arena, room * sizeof(void *));
    f->people = arena_alloc(f->arena, room * sizeof *f->people);
    if (f->all == NULL || f->kx == NULL || f->people == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < m->records_n; i++)
        for (size_t k = 0; k < CERTS_MAX; k++)
            if (m->records[i].certs[k] != NULL)
                take(f, m->records[i].certs[k]);
    qsort(f->all, f->n, sizeof *f->all, by_id);
    qsort(f->kx, f->kx_n, sizeof *f->kx, by_device_and_id);
    qsort(f->people, f->people_n, sizeof *f->people, by_person);
    for (uint32_t i = 0; i < f->people_n; i++)
        if (kept == 0 || by_person(&f->people[kept - 1], &f->people[i]) != 0)
            f->people[kept++] = f->people[i];
    f->people_n = kept;
    return SYNCLINE_OK;
}

static struct person *person_of(const struct fold *f, const struct device_id *d)
{
    struct person key = { .device = *d };

    return f->people_n == 0
        ? NULL
        : bsearch(&key, f->people, f->people_n, sizeof key, by_person);
}

int cert_verify(
    struct members *m, struct cert *c, const uint8_t spki[ED25519_SPKI_LEN])
{
    int rc;

    if (c->verdict != UNTRIED)
        return SYNCLINE_OK;
    buf_clear(&m->scratch);
    buf_put_slice(&m->scratch, SLICE_LIT(MEMBERS_SIGNED_PREFIX));
    buf_put(&m->scratch, c->payload, c->payload_len);
    if (buf_status(&m->scratch) != SYNCLINE_OK)
        return buf_status(&m->scratch);
    rc = m->crypto->verify(m->crypto->self, SLICE(spki, ED25519_SPKI_LEN),
        SLICE(c->sig, sizeof c->sig), buf_slice(&m->scratch));
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    c->verdict = rc == SYNCLINE_OK ? GOOD : BAD;
    return SYNCLINE_OK;
}

/* One of each device, that with the smallest id. */
static int choose_kx(struct fold *f)
{
    const struct device_id *had = NULL;

    for (uint32_t i = 0; i < f->kx_n; i++) {
        struct cert *c = f->kx[i];
        const struct person *p = person_of(f, &c->by);
        int rc = SYNCLINE_OK;

        if (p == NULL || (had != NULL && device_eq(had, &c->device)))
            continue;
        rc = cert_verify(f->m, c, p->spki);
        if (rc != SYNCLINE_OK)
            return rc;
        if (c->verdict != GOOD)
            continue;
        had = &c->device;
        c->ready = c->structural = c->decided = c->counts = true;
    }
    return SYNCLINE_OK;
}

/* Could it count, whoever else did what? */
static int weigh(const struct fold *f, struct cert *c, bool *able)
{
    const struct person *by = person_of(f, &c->by);
    struct person *of;
    int rc;

    if (c->structural || by == NULL || !(c->root || by->able))
        return SYNCLINE_OK;
    rc = cert_verify(f->m, c, by->spki);
    if (rc != SYNCLINE_OK || c->verdict != GOOD)
        return rc;
    c->structural = true; /* as far as is known here */
    if (c->kind != CERT_MEMBER || c->role != ROLE_ADMIN)
        return SYNCLINE_OK;
    of = person_of(f, &c->device);
    *able = *able || !of->able;
    of->able = true;
    return SYNCLINE_OK;
}

/* Leaves those that could: any device can write others, and as many of them
 * as it likes, which are to cost next to nothing. */
static int sift(struct fold *f)
{
    bool more = true;
    uint32_t kept = 0;

    while (more) {
        more = false;
        for (uint32_t i = 0; i < f->n; i++) {
            int rc = weigh(f, f->all[i], &more);

            if (rc != SYNCLINE_OK)
                return rc;
        }
    }
    for (uint32_t i = 0; i < f->n; i++)
        if (f->all[i]->structural)
            f->all[kept++] = f->all[i];
    f->n = kept;
    return choose_kx(f);
}

/* While they are sorted by id. */
static struct cert *find(const struct fold *f, const struct cert_id *id)
{
    uint32_t from = 0, to = f->n;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        int c = cert_id_cmp(&f->all[mid]->id, id);

        if (c == 0)
            return f->all[mid];
        if (c < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

/* Is all here that it names, and what that names? Its height then. */
static bool becomes_ready(const struct fold *f, struct cert *c)
{
    uint32_t height = c->old || c->root ? 0 : 1;

    for (uint32_t i = 0; i < c->after_n; i++) {
        const struct cert *p = find(f, &c->after[i]);

        if (p == NULL || !p->ready)
            return false;
        if (p->height >= height)
            height = p->height + 1;
    }
    c->height = height;
    c->ready = true;
    return true;
}

static int by_height(const void *a, const void *b)
{
    const struct cert *x = *(struct cert *const *)a;
    const struct cert *y = *(struct cert *const *)b;

    if (x->height != y->height)
        return x->height < y->height ? -1 : 1;
    if (x->root != y->root)
        return x->root ? -1 : 1;
    return cert_id_cmp(&x->id, &y->id);
}

static int set_before(struct fold *f)
{
    uint64_t *row;

    f->words = f->n / WORD + 1;
    f->before =
        arena_zalloc(f->arena, (size_t)f->n + 1, f->words * sizeof *f->before);
    if (f->before == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < f->n; i++) {
        struct cert *c = f->all[i];

        c->ix = i;
        row = f->before + (size_t)i * f->words;
        for (uint32_t k = 0; k < i && c->after_n > 0; k++) {
            const uint64_t *theirs = f->before + (size_t)k * f->words;
            bool named = false;

            for (uint32_t a = 0; a < c->after_n && !named; a++)
                named = cert_id_cmp(&c->after[a], &f->all[k]->id) == 0;
            if (!named)
                continue;
            row[k / WORD] |= (uint64_t)1 << (k % WORD);
            for (uint32_t w = 0; w < f->words; w++)
                row[w] |= theirs[w];
        }
    }
    return SYNCLINE_OK;
}

/* Leaves those of which all is here, by height. */
static int arrange(struct fold *f)
{
    bool more = true;
    uint32_t kept = 0;

    while (more) {
        more = false;
        for (uint32_t i = 0; i < f->n; i++)
            if (!f->all[i]->ready)
                more = becomes_ready(f, f->all[i]) || more;
    }
    for (uint32_t i = 0; i < f->n; i++)
        if (f->all[i]->ready)
            f->all[kept++] = f->all[i];
    f->n = kept;
    qsort(f->all, f->n, sizeof *f->all, by_height);
    return set_before(f);
}

static bool is_before(
    const struct fold *f, const struct cert *a, const struct cert *b)
{
    const uint64_t *row = f->before + (size_t)b->ix * f->words;

    return (row[a->ix / WORD] >> (a->ix % WORD) & 1) != 0;
}

/* ---- who was made an admin, whatever came of it ---- */

static bool makes_admin(const struct cert *c)
{
    return c->structural && c->kind == CERT_MEMBER && c->role == ROLE_ADMIN;
}

/* Format 2: a chain to the founder, nobody vouches for himself. */
static bool has_old_chain(const struct fold *f, const struct cert *c)
{
    if (c->root)
        return true;
    if (device_eq(&c->by, &c->device))
        return false;
    for (uint32_t i = 0; i < f->n; i++)
        if ((f->all[i]->old || f->all[i]->root) && makes_admin(f->all[i]) &&
            device_eq(&f->all[i]->device, &c->by))
            return true;
    return false;
}

/* What first made d an admin, before `than` (NULL: ever). */
static const struct cert *made_admin(
    const struct fold *f, const struct device_id *d, const struct cert *than)
{
    for (uint32_t i = 0; i < (than != NULL ? than->ix : f->n); i++)
        if (makes_admin(f->all[i]) && device_eq(&f->all[i]->device, d) &&
            (than == NULL || is_before(f, f->all[i], than)))
            return f->all[i];
    return NULL;
}

static void find_structural(struct fold *f)
{
    bool more = true;

    for (uint32_t i = 0; i < f->n; i++)
        f->all[i]->structural = f->all[i]->root;
    while (more) {
        more = false;
        for (uint32_t i = 0; i < f->n; i++) {
            struct cert *c = f->all[i];

            if (!c->old || c->structural || !has_old_chain(f, c))
                continue;
            c->structural = more = true;
        }
    }
    for (uint32_t i = 0; i < f->n; i++) {
        struct cert *c = f->all[i];

        if (!c->old)
            c->structural = c->root || made_admin(f, &c->by, c) != NULL;
    }
}

/* ---- what counts ---- */

static bool is_weaker(const struct cert *a, const struct cert *b)
{
    enum member_role ra = a->kind == CERT_REMOVED ? ROLE_NONE : a->role;
    enum member_role rb = b->kind == CERT_REMOVED ? ROLE_NONE : b->role;

    if (ra != rb)
        return ra < rb;
    if (a->some_spaces != b->some_spaces)
        return a->some_spaces;
    if (a->spaces_n != b->spaces_n)
        return a->spaces_n < b->spaces_n;
    return cert_id_cmp(&a->id, &b->id) < 0;
}

/* Is q over, since p was said of the same device? */
static bool overrules(
    const struct fold *f, const struct cert *p, const struct cert *q)
{
    if (!p->old || !q->old)
        return is_before(f, q, p);
    if (p->gen != q->gen)
        return p->gen > q->gen;
    if (p->kind != q->kind)
        return p->kind == CERT_REMOVED;
    return p->at != q->at ? p->at > q->at : cert_id_cmp(&p->id, &q->id) > 0;
}

static bool speaks_of(const struct cert *c, const struct device_id *d)
{
    return c->counts && !cert_is_of_key(c) && device_eq(&c->device, d);
}

/* Does something else that counts, before `than` (NULL: at all), overrule c? */
static bool is_over(
    const struct fold *f, const struct cert *c, const struct cert *than)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct cert *p = f->all[i];

        if (p != c && speaks_of(p, &c->device) &&
            (than == NULL || is_before(f, p, than)) && overrules(f, p, c))
            return true;
    }
    return false;
}

static bool was_admin(const struct fold *f, const struct cert *o)
{
    const struct cert *weakest = NULL;

    for (uint32_t i = 0; i < o->ix; i++) {
        const struct cert *c = f->all[i];

        if (speaks_of(c, &o->by) && is_before(f, c, o) && !is_over(f, c, o) &&
            (weakest == NULL || is_weaker(c, weakest)))
            weakest = c;
    }
    return weakest != NULL && weakest->kind == CERT_MEMBER &&
        weakest->role == ROLE_ADMIN;
}

/* Takes it from an admin that he is one. What format 2 said of it never
 * touched what he had signed. */
static bool is_revocation(const struct fold *f, const struct cert *c)
{
    return c->structural && !c->old &&
        (c->kind == CERT_REMOVED ||
            (c->kind == CERT_MEMBER && c->role != ROLE_ADMIN)) &&
        made_admin(f, &c->device, NULL) != NULL;
}

/* Did somebody take it from the signer who did not know of this, nor this of
 * that? */
static bool is_void(const struct fold *f, const struct cert *o)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct cert *r = f->all[i];

        if (r != o && speaks_of(r, &o->by) && is_revocation(f, r) &&
            !is_before(f, o, r) && !is_before(f, r, o))
            return true;
    }
    return false;
}

/* The mesh counts its keys one by one. */
static bool epoch_fits(const struct fold *f, const struct cert *o)
{
    uint64_t last = 0;

    if (o->kind != CERT_ROTATE)
        return true;
    for (uint32_t i = 0; i < o->ix; i++)
        if (f->all[i]->counts && f->all[i]->kind == CERT_ROTATE &&
            is_before(f, f->all[i], o) && f->all[i]->epoch > last)
            last = f->all[i]->epoch;
    return o->epoch == last + 1;
}

static void decide(const struct fold *f, struct cert *o)
{
    if (o->decided)
        return;
    o->decided = true;
    if (o->root)
        o->counts = o->structural;
    else
        o->counts = o->structural && (o->old || was_admin(f, o)) &&
            !is_void(f, o) && epoch_fits(f, o);
}

/* What made its signer an admin, and the signers of that, is decided first. */
static int decide_after_its_own(const struct fold *f, struct cert *o)
{
    bool *wanted = calloc((size_t)o->ix + 1, sizeof *wanted);

    if (wanted == NULL)
        return SYNCLINE_ENOMEM;
    wanted[o->ix] = true;
    for (uint32_t i = o->ix + 1; i-- > 0;) {
        if (!wanted[i])
            continue;
        for (uint32_t k = 0; k < i; k++)
            if (!cert_is_of_key(f->all[k]) &&
                device_eq(&f->all[k]->device, &f->all[i]->by) &&
                (f->all[i]->old ? f->all[k]->old
                                : is_before(f, f->all[k], f->all[i])))
                wanted[k] = true;
    }
    for (uint32_t i = 0; i <= o->ix; i++)
        if (wanted[i])
            decide(f, f->all[i]);
    free(wanted);
    return SYNCLINE_OK;
}

struct revocation {
    struct cert *cert;
    uint32_t rank; /* of its signer */
};

static int by_rank(const void *a, const void *b)
{
    const struct revocation *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->cert->ix < y->cert->ix ? -1 : x->cert->ix > y->cert->ix;
}

static int decide_all(struct fold *f)
{
    struct revocation *r = arena_alloc(f->arena, (f->n + 1) * sizeof *r);
    uint32_t n = 0;
    int rc = r == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;

    for (uint32_t i = 0; i < f->n && rc == SYNCLINE_OK; i++)
        if (is_revocation(f, f->all[i]))
            r[n++] = (struct revocation){ f->all[i],
                made_admin(f, &f->all[i]->by, f->all[i])->ix };
    if (rc == SYNCLINE_OK)
        qsort(r, n, sizeof *r, by_rank);
    for (uint32_t i = 0; i < n && rc == SYNCLINE_OK; i++)
        rc = decide_after_its_own(f, r[i].cert);
    for (uint32_t i = 0; i < f->n && rc == SYNCLINE_OK; i++)
        decide(f, f->all[i]);
    return rc;
}

/* ---- what stands ---- */

static bool is_top(
    const struct fold *f, const struct cert *c, const struct device_id *d)
{
    return speaks_of(c, d) && !is_over(f, c, NULL);
}

static int stand(
    const struct fold *f, const struct device_id *d, struct answer *out)
{
    struct standing *s = &out->standings[out->standings_n];
    uint32_t n = 0;

    *s = (struct standing){ .device = *d };
    for (uint32_t i = 0; i < f->n; i++) {
        if (speaks_of(f->all[i], d) && f->all[i]->kind == CERT_MEMBER)
            s->named = f->all[i];
        n += is_top(f, f->all[i], d);
    }
    if (n == 0)
        return SYNCLINE_OK;
    s->tops = arena_alloc(&out->arena, n * sizeof *s->tops);
    if (s->tops == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct cert *c = f->all[i];

        if (!is_top(f, c, d))
            continue;
        s->tops[s->tops_n++] = c;
        if (s->top == NULL || is_weaker(c, s->top))
            s->top = c;
    }
    out->standings_n++;
    return SYNCLINE_OK;
}

static struct member member_from(const struct standing *s)
{
    const struct cert *c = s->top;

    return (struct member){ .device = s->device,
        .by = c->by,
        .name = c->name,
        .spki = SLICE(c->spki, ED25519_SPKI_LEN),
        .role = c->role,
        .some_spaces = c->some_spaces,
        .spaces = c->spaces,
        .spaces_n = c->spaces_n,
        .at = c->at };
}

static int stand_all(const struct fold *f, struct answer *out)
{
    size_t room = (size_t)f->people_n + 1;
    int rc = SYNCLINE_OK;

    out->standings = arena_alloc(&out->arena, room * sizeof *out->standings);
    out->list = arena_alloc(&out->arena, room * sizeof *out->list);
    out->ids = arena_alloc(&out->arena, room * sizeof *out->ids);
    if (out->standings == NULL || out->list == NULL || out->ids == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < f->people_n && rc == SYNCLINE_OK; i++)
        rc = stand(f, &f->people[i].device, out);
    for (size_t i = 0; i < out->standings_n && rc == SYNCLINE_OK; i++) {
        if (out->standings[i].top->kind != CERT_MEMBER)
            continue;
        out->list[out->n] = member_from(&out->standings[i]);
        out->ids[out->n++] = out->standings[i].device;
    }
    return rc;
}

static int by_id_const(const void *a, const void *b)
{
    const struct cert *const *x = a, *const *y = b;

    return cert_id_cmp(&(*x)->id, &(*y)->id);
}

static int list_voided(const struct fold *f, struct answer *out)
{
    out->voided = arena_alloc(&out->arena, ((size_t)f->n + 1) * sizeof(void *));
    if (out->voided == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < f->n; i++)
        if (f->all[i]->structural && !f->all[i]->counts &&
            cert_is_of_key(f->all[i]))
            out->voided[out->voided_n++] = f->all[i];
    qsort(out->voided, out->voided_n, sizeof(void *), by_id_const);
    return SYNCLINE_OK;
}

static int list_counting(const struct fold *f, struct answer *out)
{
    size_t room = ((size_t)f->n + f->kx_n + 1) * sizeof(void *);

    out->counting = arena_alloc(&out->arena, room);
    out->heads = arena_alloc(&out->arena, room);
    if (out->counting == NULL || out->heads == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct cert *c = f->all[i];
        bool last = c->counts;

        if (c->counts)
            out->counting[out->counting_n++] = c;
        for (uint32_t k = i + 1; k < f->n && last; k++)
            last = !f->all[k]->counts || !is_before(f, c, f->all[k]);
        if (last)
            out->heads[out->heads_n++] = c;
    }
    for (uint32_t i = 0; i < f->kx_n; i++)
        if (f->kx[i]->counts)
            out->counting[out->counting_n++] = f->kx[i];
    qsort(out->counting, out->counting_n, sizeof(void *), by_id_const);
    qsort(out->heads, out->heads_n, sizeof(void *), by_id_const);
    return SYNCLINE_OK;
}

int fold_answer(struct members *m, struct answer *out)
{
    struct arena arena = { 0 };
    struct fold f = { .m = m, .arena = &arena };
    int rc = gather(&f);

    if (rc == SYNCLINE_OK)
        rc = sift(&f);
    if (rc == SYNCLINE_OK)
        rc = arrange(&f);
    if (rc == SYNCLINE_OK) {
        find_structural(&f);
        rc = decide_all(&f);
    }
    if (rc == SYNCLINE_OK)
        rc = stand_all(&f, out);
    if (rc == SYNCLINE_OK)
        rc = list_counting(&f, out);
    if (rc == SYNCLINE_OK)
        rc = list_voided(&f, out);
    arena_free(&arena);
    return rc;
}
