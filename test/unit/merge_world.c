#include "unit/merge_world.h"

static const struct vv nothing;

static uint64_t bit(unsigned change)
{
    return UINT64_C(1) << change;
}

struct item joined(const struct item *x, const struct item *y, struct arena *a)
{
    struct merge_result what;
    struct item it;

    CHECK_OK(item_copy(&it, x, a));
    CHECK_OK(item_join(&it, y, &nothing, NULL, &what, a));
    return it;
}

void merge_world_init(struct merge_world *m, uint64_t seed, struct arena *a)
{
    *m = (struct merge_world){ .prng = { seed }, .arena = a };
    m->n = 2 + (unsigned)prng_below(&m->prng, WRITERS_MAX - 1);
    m->births = prng_one_in(&m->prng, 3);
    m->foreign = prng_one_in(&m->prng, 3);
    for (unsigned i = 0; i < m->n; i++) {
        m->w[i].skew = prng_one_in(&m->prng, 2) ? 0 : prng_below(&m->prng, 99);
        for (unsigned k = 0; k < KEYS_N; k++)
            item_init(&m->w[i].items[k]);
    }
}

static unsigned change_at(const struct merge_world *m, const struct dot *d)
{
    unsigned i = 0;

    while (i < m->made_n && !dot_eq(&m->made[i].dot, d))
        i++;
    CHECK(i < m->made_n);
    return i;
}

static const struct change *change_of(
    const struct item *it, const struct cell *c)
{
    return &it->changes[c->change];
}

/* ---- judging a join ---- */

/* Two places of one life: one above the other, and it hides. */
static void check_relatives(const struct conflict *c)
{
    bool up_lost = path_is_above(c->loser.path, c->winner.path);

    CHECK(up_lost || path_is_above(c->winner.path, c->loser.path));
    CHECK(!value_is_empty_object((up_lost ? c->loser : c->winner).value));
    CHECK(c->winner.value.ptr != NULL);
}

/* Law: whoever is said to have beaten a value unseen had not seen it. */
static int on_conflict(void *ctx, const struct conflict *c)
{
    struct merge_world *m = ctx;
    struct report *r = &m->reports[m->reports_n++];

    CHECK(m->reports_n < REPORTS_MAX);
    *r = (struct report){ .key = m->key,
        .loser = change_at(m, &c->loser.dot),
        .winner = change_at(m, &c->winner.dot),
        .length = c->length,
        .path = c->loser.path,
        .siblings = c->siblings };
    CHECK(c->loser.value.ptr != NULL);
    if (m->same_life && !c->siblings)
        check_relatives(c);
    CHECK_SAYING((m->made[r->winner].past & bit(r->loser)) == 0,
        "change %u was seen by %u, and yet a conflict", r->loser, r->winner);
    return SYNCLINE_OK;
}

static bool is_reported(const struct merge_world *m, unsigned from,
    unsigned loser, struct slice path)
{
    for (unsigned i = from; i < m->reports_n; i++)
        if (m->reports[i].key == m->key && m->reports[i].loser == loser &&
            slice_eq(m->reports[i].path, path))
            return true;
    return false;
}

/* Must this loser be reported against that winner? */
static bool is_unseen(const struct merge_world *m, const struct change *loser,
    const struct change *winner)
{
    uint64_t past = m->made[change_at(m, &winner->dot)].past;

    return (past & bit(change_at(m, &loser->dot))) == 0;
}

static const struct change *latest(const struct item *it)
{
    const struct change *best = NULL;

    if (it->tomb >= 0)
        return &it->changes[it->tomb];
    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct change *c = change_of(it, &it->cells[i]);

        if (best == NULL || stamp_cmp(&c->stamp, &best->stamp) > 0)
            best = c;
    }
    CHECK(best != NULL);
    return best;
}

/* Of an ended life: how many reports there must be. */
static unsigned judge_life(const struct merge_world *m, unsigned from,
    const struct item *over, const struct item *next)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < over->cells_n; i++) {
        const struct change *c = change_of(over, &over->cells[i]);

        if (over->cells[i].value.ptr == NULL || !is_unseen(m, c, latest(next)))
            continue;
        CHECK(is_reported(m, from, change_at(m, &c->dot), over->cells[i].path));
        n++;
    }
    return n;
}

static bool beaten(const struct change *x, const struct change *by)
{
    int c = stamp_cmp(&x->stamp, &by->stamp);

    return c != 0 ? c < 0 : dot_cmp(&x->dot, &by->dot) < 0;
}

/* At one path of one life. */
static unsigned judge_paths(const struct merge_world *m, unsigned from,
    const struct item *mine, const struct item *row)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < row->cells_n; i++) {
        const struct cell *x = &row->cells[i], *y = item_find(mine, x->path);
        const struct change *cx, *cy;

        if (y == NULL || slice_eq(x->value, y->value))
            continue;
        cx = change_of(row, x);
        cy = change_of(mine, y);
        if (dot_eq(&cx->dot, &cy->dot) ||
            (beaten(cx, cy) ? x : y)->value.ptr == NULL)
            continue;
        if (!is_unseen(m, beaten(cx, cy) ? cx : cy, beaten(cx, cy) ? cy : cx))
            continue;
        CHECK(is_reported(
            m, from, change_at(m, &(beaten(cx, cy) ? cx : cy)->dot), x->path));
        n++;
    }
    return n;
}

/* What came with the join, against each relative it has now. */
static void judge_relatives(const struct merge_world *m, unsigned from,
    const struct item *before, const struct item *after)
{
    for (uint32_t i = 0; i < after->cells_n; i++)
        for (uint32_t j = i + 1; j < after->cells_n; j++) {
            const struct cell *up = &after->cells[i], *low = &after->cells[j];
            const struct change *cu = change_of(after, up);
            const struct change *cl = change_of(after, low);
            const struct cell *old_up = item_find(before, up->path);
            const struct cell *old_low = item_find(before, low->path);
            bool up_wins = stamp_cmp(&cu->stamp, &cl->stamp) > 0;

            if (!path_is_above(up->path, low->path) || up->value.ptr == NULL ||
                low->value.ptr == NULL || value_is_empty_object(up->value) ||
                dot_eq(&cu->dot, &cl->dot))
                continue;
            if (old_up != NULL && old_low != NULL &&
                dot_eq(&change_of(before, old_up)->dot, &cu->dot) &&
                dot_eq(&change_of(before, old_low)->dot, &cl->dot))
                continue;
            if (is_unseen(m, up_wins ? cl : cu, up_wins ? cu : cl))
                CHECK(is_reported(m, from,
                    change_at(m, &(up_wins ? cl : cu)->dot),
                    (up_wins ? low : up)->path));
        }
}

static void judge(const struct merge_world *m, unsigned from,
    const struct item *before, const struct item *row, const struct item *after)
{
    unsigned expected, reported = 0;
    bool same_life = before->length == row->length;

    if (row->length > before->length)
        expected = before->cells_n == 0 ? 0 : judge_life(m, from, before, row);
    else if (row->length < before->length)
        expected = row->cells_n == 0 ? 0 : judge_life(m, from, row, before);
    else
        expected = judge_paths(m, from, before, row);
    for (unsigned i = from; i < m->reports_n; i++)
        reported += m->reports[i].siblings || !same_life;
    if (row->length <= before->length)
        CHECK_INT(reported, expected);
    else /* what comes may hold relatives, too */
        CHECK(reported >= expected);
    if (same_life)
        judge_relatives(m, from, before, after);
}

/* ---- trading ---- */

/* What of an item the vector does not cover, through its bytes. */
static struct item row_of(
    const struct item *it, const struct vv *have, struct arena *a)
{
    struct item row, back;
    struct reader r;
    uint32_t n = 0;

    CHECK_OK(item_copy(&row, it, a));
    for (uint32_t i = 0; i < it->cells_n; i++)
        if (!vv_covers(have, &change_of(it, &it->cells[i])->dot))
            row.cells[n++] = it->cells[i];
    row.cells_n = n;
    if (it->tomb >= 0 && vv_covers(have, &it->changes[it->tomb].dot))
        row.tomb = -1;
    CHECK_OK(item_normalise(&row, a));
    r = reader_of(item_bytes(&row, a));
    CHECK_OK(get_item(&r, &back, a));
    CHECK_OK(reader_end(&r));
    return back;
}

/* Joins what was sent of an item into that of w; the same state must come of
 * the whole item. What of it the vector of w covers has no say. */
static void take(struct merge_world *m, struct writer *w, unsigned key,
    const struct item *sent, const struct item *whole)
{
    struct merge_sink sink = { .ctx = m, .conflict = on_conflict };
    struct item before, full, row = row_of(sent, &w->have, m->arena);
    struct slice was = item_bytes(sent, m->arena);
    struct merge_result what;
    unsigned from = m->reports_n;

    m->key = key;
    m->same_life = w->items[key].length == row.length;
    CHECK_OK(item_copy(&before, &w->items[key], m->arena));
    full = joined(&before, whole, m->arena);
    CHECK_OK(item_join(&w->items[key], sent, &w->have, &sink, &what, m->arena));
    CHECK_BYTES(
        item_bytes(&w->items[key], m->arena), item_bytes(&full, m->arena));
    CHECK_BYTES(item_bytes(sent, m->arena), was);
    CHECK_INT(what.state || what.header,
        !slice_eq(item_bytes(&before, m->arena), item_bytes(&full, m->arena)));
    judge(m, from, &before, &row, &w->items[key]);
    for (uint32_t i = 0; i < sent->changes_n; i++)
        if (w->clock < sent->changes[i].stamp.hlc)
            w->clock = sent->changes[i].stamp.hlc;
}

static void send_item(
    struct merge_world *m, unsigned from, unsigned to, unsigned key)
{
    struct writer *s = &m->w[from], *r = &m->w[to];
    struct item row, same;

    if (s->items[key].length == 0)
        return;
    if (vv_geq(&r->have, &s->items[key].ctx)) {
        /* Not sent: then it must bring nothing. */
        same = joined(&r->items[key], &s->items[key], m->arena);
        CHECK_BYTES(
            item_bytes(&same, m->arena), item_bytes(&r->items[key], m->arena));
        CHECK((s->known[key] & ~r->known[key]) == 0);
        return;
    }
    /* It may know an older vector of the receiver's. */
    row = row_of(&s->items[key], prng_one_in(&m->prng, 3) ? &nothing : &r->have,
        m->arena);
    take(m, r, key, &row, &s->items[key]);
    r->known[key] |= s->known[key];
}

/* Everything, and then the mark. */
static void send_all(struct merge_world *m, unsigned from, unsigned to)
{
    for (unsigned k = 0; k < KEYS_N; k++)
        send_item(m, from, to, k);
    CHECK_OK(vv_join(&m->w[to].have, &m->w[from].have, m->arena));
}

void merge_world_settle(struct merge_world *m)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < m->n; i++)
            for (unsigned j = 0; j < m->n; j++)
                if (i != j)
                    send_all(m, i, j);
}

/* ---- writing ---- */

static void note(
    struct merge_world *m, unsigned by, unsigned key, const struct dot *dot)
{
    struct writer *w = &m->w[by];
    const struct item *it = &w->items[key];

    CHECK(m->made_n < CHANGES_MAX);
    m->made[m->made_n] = (struct made){ *dot, key, w->known[key], it->length };
    w->known[key] |= bit(m->made_n);
    for (uint32_t i = 0; i < it->cells_n; i++) {
        if (!dot_eq(&change_of(it, &it->cells[i])->dot, dot))
            continue;
        CHECK(m->written_n < CELLS_WRITTEN_MAX);
        m->written[m->written_n++] = (struct written){ m->made_n, key,
            it->length, it->cells[i].path, it->cells[i].value };
    }
    m->made_n++;
    CHECK_OK(vv_add(&w->have, dot, m->arena));
}

static void put_doc(struct merge_world *m, struct item *it,
    const struct author *by, bool *wrote)
{
    struct json *doc = random_doc(&m->prng, m->arena);
    struct buf b = { 0 };

    CHECK_OK(item_put(it, doc, by, wrote, m->arena));
    json_print(&b, doc, JSON_CANONICAL);
    CHECK_BYTES(item_text(it, m->arena), buf_slice(&b));
    buf_free(&b);
}

static void put_fields(struct merge_world *m, struct item *it,
    const struct author *by, bool *wrote)
{
    struct leaf e[2];
    struct leaves l = { .e = e, .n = 1 + (uint32_t)prng_below(&m->prng, 2) };

    for (uint32_t i = 0; i < l.n; i++) {
        e[i].path = random_path(&m->prng, m->arena);
        e[i].value = prng_one_in(&m->prng, 4)
            ? SLICE_NONE
            : random_value(&m->prng, m->arena);
    }
    CHECK_OK(item_write(it, &l, by, wrote, m->arena));
    CHECK(*wrote && item_alive(it));
}

static struct author author_of(struct merge_world *m, unsigned by)
{
    struct writer *w = &m->w[by];
    struct author a = { .dot = make_dot(by + 1, 0) };

    w->clock++;
    if (w->clock < m->tick + w->skew)
        w->clock = m->tick + w->skew;
    a.dot.seq = vv_get(&w->have, &a.dot.replica) + 1;
    a.stamp = make_stamp(w->clock, by + 1);
    a.birth = m->births ? &w->have : NULL;
    return a;
}

static void write_one(struct merge_world *m, unsigned by, unsigned key)
{
    struct item *it = &m->w[by].items[key];
    struct author a = author_of(m, by);
    uint64_t version = it->version;
    bool wrote;

    switch (prng_below(&m->prng, 5)) {
    case 0:
        CHECK_OK(item_delete(it, &a, &wrote, m->arena));
        break;
    case 1:
    case 2:
        put_doc(m, it, &a, &wrote);
        break;
    default:
        put_fields(m, it, &a, &wrote);
    }
    CHECK_UINT(it->version, version + wrote);
    if (wrote)
        note(m, by, key, &a.dot);
}

/* An older system's write keeps its time: it is a row of our own, which may
 * lose at once. */
static void write_foreign(struct merge_world *m, unsigned by, unsigned key)
{
    struct writer *w = &m->w[by];
    struct author a = author_of(m, by);
    struct change c = { .dot = a.dot,
        .first = a.dot,
        .stamp = make_stamp(1 + prng_below(&m->prng, 4), 9),
        .ctx = w->items[key].ctx,
        .birth = w->items[key].birth };
    struct item row;
    uint32_t ix;

    item_init(&row);
    if (!item_alive(&w->items[key]) && w->items[key].length > 0)
        return;
    row.length = w->items[key].length == 0 ? 1 : w->items[key].length;
    row.version = w->items[key].version + 1;
    CHECK_OK(vv_copy(&c.ctx, &c.ctx, m->arena));
    CHECK_OK(vv_copy(&c.birth, &c.birth, m->arena));
    CHECK_OK(item_add_change(&row, &c, &ix, m->arena));
    CHECK_OK(item_set(&row,
        prng_one_in(&m->prng, 2) ? SLICE_LIT("/a")
                                 : random_path(&m->prng, m->arena),
        random_value(&m->prng, m->arena), ix, m->arena));
    CHECK_OK(vv_add(&row.ctx, &a.dot, m->arena));
    m->made[m->made_n] = (struct made){ a.dot, key, w->known[key], row.length };
    m->written[m->written_n++] = (struct written){ m->made_n, key, row.length,
        row.cells[0].path, row.cells[0].value };
    m->made_n++;
    take(m, w, key, &row, &row);
    w->known[key] |= bit(m->made_n - 1);
    CHECK_OK(vv_add(&w->have, &a.dot, m->arena));
}

void merge_world_step(struct merge_world *m)
{
    unsigned i = (unsigned)prng_below(&m->prng, m->n);
    unsigned j = (i + 1 + (unsigned)prng_below(&m->prng, m->n - 1)) % m->n;
    unsigned key = (unsigned)prng_below(&m->prng, KEYS_N);

    m->tick++;
    switch (prng_below(&m->prng, 8)) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (m->foreign && prng_one_in(&m->prng, 3))
            write_foreign(m, i, key);
        else
            write_one(m, i, key);
        break;
    case 4:
    case 5:
        send_item(m, i, j, key);
        break;
    default:
        send_all(m, i, j);
    }
}

/* ---- nothing is lost in silence ---- */

static bool is_superseded(const struct merge_world *m, const struct written *x)
{
    for (unsigned i = 0; i < m->made_n; i++)
        if (m->made[i].key == x->key && m->made[i].length > x->length &&
            (m->made[i].past & bit(x->change)) != 0)
            return true;
    for (unsigned i = 0; i < m->written_n; i++) {
        const struct written *y = &m->written[i];

        if (y->key != x->key || y->length != x->length ||
            !slice_eq(y->path, x->path) || y->change == x->change)
            continue;
        if ((m->made[y->change].past & bit(x->change)) != 0 ||
            slice_eq(y->value, x->value))
            return true;
    }
    return false;
}

void merge_world_check_lost(const struct merge_world *m)
{
    for (unsigned i = 0; i < m->written_n; i++) {
        const struct written *x = &m->written[i];
        const struct item *it = &m->w[0].items[x->key];
        const struct cell *c = item_find(it, x->path);
        bool found = false;

        if (x->value.ptr == NULL || is_superseded(m, x))
            continue;
        if (it->length == x->length && c != NULL &&
            dot_eq(&change_of(it, c)->dot, &m->made[x->change].dot))
            continue;
        for (unsigned j = 0; j < m->reports_n && !found; j++)
            found = m->reports[j].key == x->key &&
                m->reports[j].loser == x->change &&
                slice_eq(m->reports[j].path, x->path);
        CHECK_SAYING(
            found, "change %u, %.*s, is gone", x->change, SLICE_FMT(x->path));
    }
}
