#include "files/diff.h"

#include "core/merge.h"

int diff(struct leaves *out, const struct json *before,
    const struct json *after, struct arena *a)
{
    struct leaves old = { 0 }, new, patch = { 0 };
    uint32_t i = 0, j = 0;
    int rc = document_leaves(after, &new, a);

    if (rc == SYNCLINE_OK && before != NULL)
        rc = document_leaves(before, &old, a);
    if (rc != SYNCLINE_OK)
        return rc;
    patch.cap = old.n + new.n;
    patch.e = arena_alloc(a, (patch.cap + 1) * sizeof *patch.e);
    if (patch.e == NULL)
        return SYNCLINE_ENOMEM;
    while (i < old.n || j < new.n) {
        int c = i == old.n ? 1
            : j == new.n   ? -1
                           : path_cmp(old.e[i].path, new.e[j].path);

        if (c < 0) {
            patch.e[patch.n++] = (struct leaf){ old.e[i++].path, SLICE_NONE };
            continue;
        }
        if (c > 0 || !slice_eq(old.e[i].value, new.e[j].value))
            patch.e[patch.n++] = new.e[j];
        i += c == 0;
        j++;
    }
    *out = patch;
    return SYNCLINE_OK;
}

/* As an item of its own goes through it, by two authors in a row. */
static int write_both(struct item *it, const struct json *doc,
    const struct leaves *patch, struct arena *a)
{
    struct author by = { .dot = { .seq = 1 }, .stamp = { .hlc = 1 } };
    bool wrote;
    int rc = SYNCLINE_OK;

    item_init(it);
    if (doc != NULL)
        rc = item_put(it, doc, &by, &wrote, a);
    by.dot.seq = 2;
    by.stamp.hlc = 2;
    if (rc == SYNCLINE_OK)
        rc = item_write(it, patch, &by, &wrote, a);
    return rc;
}

int diff_apply(struct json **out, const struct json *doc,
    const struct leaves *patch, struct arena *a)
{
    struct buf text = { 0 };
    struct slice kept;
    struct item it;
    int rc = write_both(&it, doc, patch, a);

    if (rc == SYNCLINE_OK)
        put_document(&text, &it, a);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&text);
    if (rc == SYNCLINE_OK && text.len == 0)
        buf_put_str(&text, "{}"); /* nothing, and nothing written */
    kept = arena_dup(a, buf_slice(&text));
    buf_free(&text);
    if (rc != SYNCLINE_OK)
        return rc;
    if (kept.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = json_parse(out, kept, JSON_STRICT, a, NULL);
    /* Two documents, each as deep as allowed, may be deeper together. */
    return rc == SYNCLINE_EMALFORMED ? SYNCLINE_EINVAL : rc;
}

/* ---- two patches of one document ---- */

/* The first leaf at path or behind it. */
static uint32_t first_from(const struct leaves *l, struct slice path)
{
    uint32_t low = 0, high = l->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (path_cmp(l->e[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Nothing can stand below it. An empty object hides nothing. */
static bool hides(const struct leaf *e)
{
    return e->value.ptr != NULL && !value_is_empty_object(e->value);
}

static bool is_hidden(const struct leaves *l, struct slice path)
{
    while (path.len > 0) {
        uint32_t at;

        do
            path.len--;
        while (path.len > 0 && path.ptr[path.len] != '/');
        at = first_from(l, path);
        if (at < l->n && slice_eq(l->e[at].path, path) && hides(&l->e[at]))
            return true;
    }
    return false;
}

static bool is_contested(const struct leaf *e, const struct leaves *theirs)
{
    uint32_t at = first_from(theirs, e->path);

    if (at < theirs->n && slice_eq(theirs->e[at].path, e->path)) {
        const struct slice other = theirs->e[at++].value;

        if ((other.ptr == NULL) != (e->value.ptr == NULL) ||
            !slice_eq(other, e->value))
            return true;
    }
    for (; hides(e) && at < theirs->n; at++) {
        if (!path_is_above(e->path, theirs->e[at].path))
            break;
        if (theirs->e[at].value.ptr != NULL)
            return true;
    }
    return is_hidden(theirs, e->path);
}

int diff_part(struct leaves *free, struct leaves *contested,
    const struct leaves *patch, const struct leaves *theirs, struct arena *a)
{
    const size_t bytes = (patch->n + 1) * sizeof *patch->e;

    *free = (struct leaves){ .e = arena_alloc(a, bytes), .cap = patch->n + 1 };
    *contested =
        (struct leaves){ .e = arena_alloc(a, bytes), .cap = patch->n + 1 };
    if (free->e == NULL || contested->e == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < patch->n; i++) {
        struct leaves *to =
            is_contested(&patch->e[i], theirs) ? contested : free;

        to->e[to->n++] = patch->e[i];
    }
    return SYNCLINE_OK;
}

void diff_put_pointers(struct buf *b, const struct leaves *patch)
{
    buf_put_u8(b, '[');
    for (uint32_t i = 0; i < patch->n; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        json_print_string(b, patch->e[i].path, false);
    }
    buf_put_u8(b, ']');
}
