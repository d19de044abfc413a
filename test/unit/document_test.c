#include "core/document.h"

#include "unit/item_make.h"

/* One cell of a table: the larger hlc is the later write. A path of NULL
 * ends a row; a value of NULL is a removed field. */
struct row {
    const char *path, *value;
    uint64_t hlc;
};

#define ROWS_MAX 6

static struct item item_of(const struct row *rows, struct arena *a)
{
    struct item it;

    item_init(&it);
    it.length = 1;
    for (unsigned i = 0; i < ROWS_MAX && rows[i].path != NULL; i++)
        make_cell(&it, rows[i].path, rows[i].value, 1 + i % 3, rows[i].hlc, a);
    CHECK_OK(item_normalise(&it, a));
    return it;
}

static const struct {
    const char *name;
    struct row rows[ROWS_MAX];
    const char *doc;
} visible[] = {
    { "nothing", { { NULL, NULL, 0 } }, "{}" },
    { "leaves beside each other",
        { { "/a", "1", 1 }, { "/b/c", "2", 2 }, { "/b/d", "[]", 3 } },
        "{\"a\":1,\"b\":{\"c\":2,\"d\":[]}}" },
    { "an opaque item", { { "", "\"x\"", 1 } }, "\"x\"" },
    { "a removed field shows nothing", { { "/a", NULL, 2 }, { "/b", "1", 1 } },
        "{\"b\":1}" },
    { "a later scalar above hides", { { "/a", "1", 2 }, { "/a/b", "2", 1 } },
        "{\"a\":1}" },
    { "a later array above hides", { { "/a", "[1]", 2 }, { "/a/b", "2", 1 } },
        "{\"a\":[1]}" },
    { "null hides as other scalars do",
        { { "/a", "null", 2 }, { "/a/b", "2", 1 } }, "{\"a\":null}" },
    { "an earlier scalar above gives way",
        { { "/a", "1", 1 }, { "/a/b", "2", 2 } }, "{\"a\":{\"b\":2}}" },
    { "a later {} above hides nothing",
        { { "/a", "{}", 9 }, { "/a/b", "2", 1 } }, "{\"a\":{\"b\":2}}" },
    { "{} shows where nothing stands below",
        { { "/a", "{}", 1 }, { "/a/b", NULL, 2 } }, "{\"a\":{}}" },
    { "{} below a scalar is hidden like any other",
        { { "/a", "1", 2 }, { "/a/b", "{}", 1 } }, "{\"a\":1}" },
    { "a later {} below hides a scalar",
        { { "/a", "1", 1 }, { "/a/b", "{}", 2 } }, "{\"a\":{\"b\":{}}}" },
    { "a later removal above hides nothing",
        { { "/a", NULL, 9 }, { "/a/b", "2", 1 } }, "{\"a\":{\"b\":2}}" },
    { "a later removal below hides nothing",
        { { "/a", "1", 1 }, { "/a/b", NULL, 9 } }, "{\"a\":1}" },
    { "the opaque value above all",
        { { "", "7", 3 }, { "/a", "1", 1 }, { "/b/c", "2", 2 } }, "7" },
    { "one field outlives the opaque value",
        { { "", "7", 2 }, { "/a", "1", 1 }, { "/b/c", "2", 3 } },
        "{\"b\":{\"c\":2}}" },
    { "deep relatives",
        { { "/a", "1", 2 }, { "/a/b/c/d", "2", 3 }, { "/a/b/c/e", "3", 1 } },
        "{\"a\":{\"b\":{\"c\":{\"d\":2}}}}" },
    { "hidden itself, it still hides",
        { { "/a", "1", 2 }, { "/a/b", "2", 3 }, { "/a/b/c", "3", 4 },
            { "/a/d", "4", 1 } },
        "{\"a\":{\"b\":{\"c\":3}}}" },
    { "three generations, the middle one is the last",
        { { "/a", "1", 1 }, { "/a/b", "2", 3 }, { "/a/b/c", "3", 2 } },
        "{\"a\":{\"b\":2}}" },
    { "three generations, the first is the last",
        { { "/a", "1", 3 }, { "/a/b", "2", 1 }, { "/a/b/c", "3", 2 } },
        "{\"a\":1}" },
    { "a neighbour whose name goes on is no relative",
        { { "/a", "1", 9 }, { "/ab", "2", 1 }, { "/a!/b", "3", 1 } },
        "{\"a\":1,\"a!\":{\"b\":3},\"ab\":2}" },
    { "keys with escapes",
        { { "/a~1b/~0", "1", 1 }, { "/a~1b/x", "2", 1 }, { "//", "3", 1 } },
        "{\"\":{\"\":3},\"a/b\":{\"x\":2,\"~\":1}}" },
    { "the root {} among fields", { { "", "{}", 9 }, { "/a", "1", 1 } },
        "{\"a\":1}" },
    { "the root {} alone", { { "", "{}", 9 }, { "/a", NULL, 1 } }, "{}" },
};

TEST(what_shows_table_by_table)
{
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(visible); i++) {
        struct item it = item_of(visible[i].rows, &a);
        struct slice text = item_text(&it, &a);

        CHECK_SAYING(slice_is(text, visible[i].doc), "%s: %.*s",
            visible[i].name, SLICE_FMT(text));
        arena_reset(&a);
    }
    arena_free(&a);
}

/* Written at once, or by an older system with one time: the one below shows,
 * and the one above does not, so that exactly one of them does. */
TEST(equal_stamps)
{
    struct arena a = { 0 };
    struct item it;

    item_init(&it);
    make_cell(&it, "/a", "1", 1, 5, &a);
    make_cell(&it, "/a/b", "2", 1, 5, &a);
    it.changes[1].dot = make_dot(2, 1);
    CHECK_OK(item_normalise(&it, &a));
    CHECK_SLICE(item_text(&it, &a), "{\"a\":{\"b\":2}}");
    arena_free(&a);
}

/* The epoch comes before the clock. */
TEST(a_new_epoch_hides_what_was_written_far_ahead)
{
    struct arena a = { 0 };
    struct item it;

    item_init(&it);
    make_cell(&it, "/a/b", "2", 1, UINT64_MAX, &a);
    make_cell(&it, "/a", "1", 1, 1, &a);
    it.changes[1].stamp.epoch = 1;
    CHECK_OK(item_normalise(&it, &a));
    CHECK_SLICE(item_text(&it, &a), "{\"a\":1}");
    arena_free(&a);
}

TEST(what_is_not_alive_prints_nothing)
{
    struct arena a = { 0 };
    struct item it;

    item_init(&it);
    CHECK_SLICE(item_text(&it, &a), "");
    it.length = 2;
    CHECK_SLICE(item_text(&it, &a), "");
    it.length = 3;
    CHECK_SLICE(item_text(&it, &a), "{}");
    arena_free(&a);
}

/* The rules once more, each cell against each other, to compare with. */

static const struct stamp *stamp_at(const struct item *it, uint32_t i)
{
    return &it->changes[it->cells[i].change].stamp;
}

static bool has_value(const struct item *it, uint32_t i)
{
    return it->cells[i].value.ptr != NULL;
}

static bool slow_stands(const struct item *it, uint32_t i)
{
    for (uint32_t j = 0; j < it->cells_n; j++)
        if (has_value(it, j) && !slice_is(it->cells[j].value, "{}") &&
            path_is_above(it->cells[j].path, it->cells[i].path) &&
            stamp_cmp(stamp_at(it, j), stamp_at(it, i)) > 0)
            return false;
    return has_value(it, i);
}

static bool slow_shows(const struct item *it, uint32_t i)
{
    if (!slow_stands(it, i))
        return false;
    for (uint32_t j = 0; j < it->cells_n; j++)
        if (path_is_above(it->cells[i].path, it->cells[j].path) &&
            slow_stands(it, j) &&
            (slice_is(it->cells[i].value, "{}") ||
                stamp_cmp(stamp_at(it, j), stamp_at(it, i)) >= 0))
            return false;
    return true;
}

/* Puts a leaf into a tree of JSON, making the objects on the way. */
static void plant(struct json *root, const struct cell *c, struct arena *a)
{
    struct slice path = c->path, segment;
    struct json *at = root, *v;

    CHECK_OK(json_parse(&v, c->value, JSON_STRICT, a, NULL));
    CHECK_OK(json_pointer_next(&path, &segment, a));
    while (path.len > 0) {
        struct json *next = json_get_slice(at, segment);

        if (next == NULL)
            next = json_add(at, segment, json_new(a, JSON_OBJECT));
        CHECK_INT(next->type, JSON_OBJECT);
        at = next;
        CHECK_OK(json_pointer_next(&path, &segment, a));
    }
    CHECK(json_get_slice(at, segment) == NULL);
    CHECK(json_add(at, segment, v) != NULL);
}

static struct slice canonical(const struct json *v, struct arena *a)
{
    struct buf b = { 0 };
    struct slice s;

    json_print(&b, v, JSON_CANONICAL);
    CHECK_OK(buf_status(&b));
    s = arena_dup(a, buf_slice(&b));
    buf_free(&b);
    return s;
}

static struct slice slow_text(const struct item *it, struct arena *a)
{
    struct json *root = json_new(a, JSON_OBJECT);

    for (uint32_t i = 0; i < it->cells_n; i++) {
        if (!slow_shows(it, i))
            continue;
        if (it->cells[i].path.len == 0)
            return it->cells[i].value;
        plant(root, &it->cells[i], a);
    }
    return canonical(root, a);
}

/* Any cells at all, as a hostile peer might send them. */
static struct item random_cells(struct prng *p, struct arena *a)
{
    struct item it;

    item_init(&it);
    it.length = 1;
    for (uint64_t n = prng_below(p, 12); n > 0; n--) {
        uint64_t hlc = 1 + prng_below(p, 9);
        unsigned by = (unsigned)prng_below(p, 3);
        struct change c = { .dot = make_dot(by, hlc),
            .first = make_dot(by, hlc),
            .stamp = make_stamp(hlc, by) };
        uint32_t ix;

        CHECK_OK(item_add_change(&it, &c, &ix, a));
        CHECK_OK(item_set(&it, random_path(p, a),
            prng_one_in(p, 5) ? SLICE_NONE : random_value(p, a), ix, a));
    }
    CHECK_OK(item_normalise(&it, a));
    return it;
}

TEST(law_the_document_is_that_of_the_rules)
{
    struct arena a = { 0 };
    struct prng p = { 21 };

    for (int run = 0; run < 8000; run++) {
        struct item it = random_cells(&p, &a);
        bool *marks;

        CHECK_OK(document_visible(&it, &marks, &a));
        for (uint32_t i = 0; i < it.cells_n; i++)
            CHECK_SAYING(marks[i] == slow_shows(&it, i), "run %d, cell %.*s",
                run, SLICE_FMT(it.cells[i].path));
        CHECK_BYTES(item_text(&it, &a), slow_text(&it, &a));
        arena_reset(&a);
    }
    arena_free(&a);
}

/* Leaves. */

TEST(leaves_of_a_document)
{
    struct arena a = { 0 };
    struct leaves l;

    CHECK_OK(document_leaves(
        make_json("{\"b\":{\"x/y\":1.0,\"\":{}},\"a\":[{\"k\":2}],\"a/\":null,"
                  "\"a\\u0000\":true}",
            &a),
        &l, &a));
    CHECK_INT(l.n, 5);
    CHECK_SLICE(l.e[0].path, "/a");
    CHECK_SLICE(l.e[0].value, "[{\"k\":2}]");
    CHECK_BYTES(l.e[1].path, SLICE_LIT("/a\0"));
    CHECK_SLICE(l.e[2].path, "/a~1");
    CHECK_SLICE(l.e[2].value, "null");
    CHECK_SLICE(l.e[3].path, "/b/");
    CHECK_SLICE(l.e[3].value, "{}");
    CHECK_SLICE(l.e[4].path, "/b/x~1y");
    CHECK_SLICE(l.e[4].value, "1.0");
    arena_free(&a);
}

static const struct {
    const char *doc, *value;
} roots[] = {
    { "{}", "{}" },
    { " 7 ", "7" },
    { "[ 1, {} ]", "[1,{}]" },
    { "\"x\"", "\"x\"" },
};

TEST(a_document_without_fields_is_one_leaf)
{
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(roots); i++) {
        struct leaves l;

        CHECK_OK(document_leaves(make_json(roots[i].doc, &a), &l, &a));
        CHECK_INT(l.n, 1);
        CHECK_SLICE(l.e[0].path, "");
        CHECK_SLICE(l.e[0].value, roots[i].value);
    }
    arena_free(&a);
}

TEST(a_document_has_only_so_many_leaves)
{
    struct arena a = { 0 };
    struct json *doc = json_new(&a, JSON_OBJECT);
    struct leaves l;
    struct buf key = { 0 };

    for (unsigned i = 0; i < CELLS_MAX; i++) {
        buf_clear(&key);
        buf_printf(&key, "%u", i);
        json_add(doc, arena_dup(&a, buf_slice(&key)), json_new_int(&a, i));
    }
    CHECK_OK(document_leaves(doc, &l, &a));
    CHECK_INT(l.n, CELLS_MAX);
    json_add(doc, SLICE_LIT("one more"), json_new_int(&a, 1));
    CHECK_INT(document_leaves(doc, &l, &a), SYNCLINE_ELIMIT);
    buf_free(&key);
    arena_free(&a);
}

TEST(a_pointer_is_only_so_long)
{
    static char key[PATH_MAX_LEN];
    struct arena a = { 0 };
    struct leaves l;

    memset(key, 'k', sizeof key);
    for (size_t n = sizeof key - 1; n <= sizeof key; n++) {
        struct json *doc = json_new(&a, JSON_OBJECT);

        json_add(doc, SLICE(key, n), json_new_int(&a, 1));
        CHECK_INT(document_leaves(doc, &l, &a),
            n < sizeof key ? SYNCLINE_OK : SYNCLINE_ELIMIT);
    }
    arena_free(&a);
}

/* The difference. */

static const struct {
    const char *name;
    struct row rows[ROWS_MAX];
    const char *doc;
    struct row write[ROWS_MAX];
} diffs[] = {
    { "the same", { { "/a", "1", 1 } }, "{\"a\":1}", { { NULL, NULL, 0 } } },
    { "one field of two", { { "/a", "1", 1 }, { "/b", "2", 1 } },
        "{\"a\":1,\"b\":3}", { { "/b", "3", 0 } } },
    { "a field goes", { { "/a", "1", 1 }, { "/b", "2", 1 } }, "{\"a\":1}",
        { { "/b", NULL, 0 } } },
    { "a removed field stays removed", { { "/a", "1", 1 }, { "/b", NULL, 1 } },
        "{\"a\":1}", { { NULL, NULL, 0 } } },
    { "a removed field comes back", { { "/a", NULL, 1 } }, "{\"a\":1}",
        { { "/a", "1", 0 } } },
    { "a hidden field of the right value is written",
        { { "/a", "1", 2 }, { "/a/b", "2", 1 } }, "{\"a\":{\"b\":2}}",
        { { "/a", NULL, 0 }, { "/a/b", "2", 0 } } },
    { "a hidden field is emptied too, lest it surface",
        { { "/a", "1", 2 }, { "/a/b", "2", 1 } }, "{\"c\":1}",
        { { "/a", NULL, 0 }, { "/a/b", NULL, 0 }, { "/c", "1", 0 } } },
    { "emptied to {}", { { "/a/b", "1", 1 }, { "/a/c", "2", 1 } }, "{\"a\":{}}",
        { { "/a", "{}", 0 }, { "/a/b", NULL, 0 }, { "/a/c", NULL, 0 } } },
    { "1 and 1.0 differ", { { "/a", "1", 1 } }, "{\"a\":1.0}",
        { { "/a", "1.0", 0 } } },
    { "a document becomes opaque", { { "/a", "1", 1 } }, "[]",
        { { "", "[]", 0 }, { "/a", NULL, 0 } } },
};

TEST(what_a_document_must_write)
{
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(diffs); i++) {
        struct item it = item_of(diffs[i].rows, &a);
        struct leaves w;
        uint32_t n = 0;

        CHECK_OK(document_diff(&it, make_json(diffs[i].doc, &a), &w, &a));
        while (n < ROWS_MAX && diffs[i].write[n].path != NULL)
            n++;
        CHECK_SAYING(w.n == n, "%s: %u cells", diffs[i].name, w.n);
        for (uint32_t j = 0; j < n; j++) {
            const struct row *want = &diffs[i].write[j];

            CHECK_SLICE(w.e[j].path, want->path);
            CHECK((w.e[j].value.ptr == NULL) == (want->value == NULL));
            if (want->value != NULL)
                CHECK_SLICE(w.e[j].value, want->value);
        }
        arena_reset(&a);
    }
    arena_free(&a);
}

/* The same document with one thing changed, so that much stays. */
static struct json *edited(
    struct prng *p, const struct item *it, struct arena *a)
{
    struct json *patch = random_doc(p, a), *now;

    if (prng_one_in(p, 3))
        return patch;
    CHECK_OK(json_parse(&now, item_text(it, a), JSON_STRICT, a, NULL));
    now = json_merge_patch(now, patch, a);
    CHECK(now != NULL);
    return now;
}

static void write_diff(struct item *it, const struct leaves *w, struct arena *a)
{
    struct change c = { .dot = make_dot(7, 1),
        .first = make_dot(7, 1),
        .stamp = make_stamp(100, 7) };
    uint32_t ix;

    CHECK_OK(item_add_change(it, &c, &ix, a));
    for (uint32_t i = 0; i < w->n; i++)
        CHECK_OK(item_set(it, w->e[i].path, w->e[i].value, ix, a));
    CHECK_OK(item_normalise(it, a));
}

/* What showed and was asked for again keeps its change; what is written
 * differs; after it exactly the document's leaves hold values. */
static void check_untouched(const struct item *before, const struct item *it,
    const struct json *doc, struct arena *a)
{
    struct leaves want;
    uint32_t values = 0;

    CHECK_OK(document_leaves(doc, &want, a));
    for (uint32_t i = 0; i < want.n; i++) {
        const struct cell *old = item_find(before, want.e[i].path);
        const struct cell *now = item_find(it, want.e[i].path);

        CHECK(now != NULL && slice_eq(now->value, want.e[i].value));
        if (old != NULL && slice_eq(old->value, now->value) &&
            slow_shows(before, (uint32_t)(old - before->cells)))
            CHECK_INT(change_cmp(&it->changes[now->change],
                          &before->changes[old->change]),
                0);
        else
            CHECK_UINT(it->changes[now->change].stamp.hlc, 100);
    }
    for (uint32_t i = 0; i < it->cells_n; i++)
        values += it->cells[i].value.ptr != NULL;
    CHECK_INT(values, want.n);
}

TEST(law_what_was_asked_for_shows)
{
    struct arena a = { 0 };
    struct prng p = { 22 };
    int kept = 0;

    for (int run = 0; run < 8000; run++) {
        struct item it = random_cells(&p, &a), before;
        struct json *doc = edited(&p, &it, &a);
        struct leaves w;

        CHECK_OK(item_copy(&before, &it, &a));
        CHECK_OK(document_diff(&it, doc, &w, &a));
        for (uint32_t i = 1; i < w.n; i++)
            CHECK(path_cmp(w.e[i - 1].path, w.e[i].path) < 0);
        write_diff(&it, &w, &a);
        CHECK_BYTES(item_text(&it, &a), canonical(doc, &a));
        check_untouched(&before, &it, doc, &a);
        kept += it.changes_n > 1;
        CHECK_OK(document_diff(&it, doc, &w, &a));
        CHECK_INT(w.n, 0);
        arena_reset(&a);
    }
    CHECK(kept > 1000);
    arena_free(&a);
}

/* Memory. The text's own buffer counts too, so its room is made first. */

static int try_all(const struct item *it, const struct json *doc,
    struct buf *text, struct arena *a)
{
    struct leaves w;
    int rc = document_diff(it, doc, &w, a);

    if (rc != SYNCLINE_OK)
        return rc;
    put_document(text, it, a);
    return buf_status(text);
}

TEST(memory_that_runs_out)
{
    struct arena a = { 0 }, small = { 0 };
    struct prng p = { 23 };

    for (int run = 0; run < 60; run++) {
        struct item it = random_cells(&p, &a);
        struct json *doc = random_doc(&p, &a);
        size_t room = 0;
        long n = 0;
        bool out;

        do { /* the arena's, one after another */
            struct buf text = { 0 };
            int rc;

            arena_with_room(&small, room);
            check_alloc_fail_from(n);
            rc = try_all(&it, doc, &text, &small);
            out = check_alloc_failed();
            check_alloc_fail_from(-1);
            CHECK_INT(rc, out ? SYNCLINE_ENOMEM : SYNCLINE_OK);
            if (!out)
                CHECK_BYTES(buf_slice(&text), slow_text(&it, &a));
            buf_free(&text);
            /* then the heap's */
            if (room < 4096)
                room += 16;
            else
                n++;
        } while (out);
        arena_reset(&a);
    }
    arena_free(&small);
    arena_free(&a);
}
