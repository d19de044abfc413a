/* patch_fuzz.c - a JSON text, a zero byte, and a JSON Patch.
 *
 * Holds the law: the document that is patched stays as it was; what comes out
 * is nested no deeper than a document may be and reads as what was written;
 * carried out one operation after the other it is the same; and what is
 * refused is said why. */
#include "core/json_patch.h"
#include "fuzz/fuzz.h"

static struct slice text_of(const struct json *v, struct arena *a)
{
    struct buf b = { 0 };
    struct slice out;

    json_print(&b, v, JSON_CANONICAL);
    out = arena_dup(a, written(&b));
    buf_free(&b);
    return out;
}

/* The same, by patches of one operation each. */
static void check_steps(const struct json *doc, const struct json *patch,
    struct slice want, struct arena *a)
{
    for (const struct json *op = patch->first; op != NULL; op = op->next) {
        struct json *one = json_new(a, JSON_ARRAY), *next;

        (void)json_append(one, json_copy(op, a));
        ENSURE(json_patch(&next, doc, one, a, NULL) == SYNCLINE_OK);
        doc = next;
    }
    ENSURE(slice_eq(text_of(doc, a), want));
}

static void check_patch(
    const struct json *doc, const struct json *patch, struct arena *a)
{
    const struct slice before = text_of(doc, a);
    struct errmsg why = { "" };
    struct json *out = NULL, *again;
    int rc = json_patch(&out, doc, patch, a, &why);
    struct slice text;

    ENSURE(slice_eq(text_of(doc, a), before));
    if (rc != SYNCLINE_OK) {
        ENSURE(rc == SYNCLINE_EINVAL || rc == SYNCLINE_ECONFLICT ||
            rc == SYNCLINE_ELIMIT);
        ENSURE(why.text[0] != 0 && out == NULL);
        return;
    }
    ENSURE(json_depth(out) <= JSON_DEPTH_MAX);
    text = text_of(out, a);
    ENSURE(json_parse(&again, text, JSON_STRICT, a, NULL) == SYNCLINE_OK);
    ENSURE(json_equal(out, again));
    if (patch->n <= 16)
        check_steps(doc, patch, text, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t n = zero != NULL ? (size_t)(zero - data) : size;
    struct arena a = { 0 };
    struct json *doc, *patch;

    if (json_parse(&doc, SLICE(data, n), JSON_STRICT, &a, NULL) ==
            SYNCLINE_OK &&
        json_parse(&patch, slice_from(SLICE(data, size), n + 1), JSON_WRAPPED,
            &a, NULL) == SYNCLINE_OK)
        check_patch(doc, patch, &a);
    arena_free(&a);
    return 0;
}
