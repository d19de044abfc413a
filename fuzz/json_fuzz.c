/* json_fuzz.c - any bytes through core/json, in both modes.
 *
 * Holds the law: what was parsed and printed, in any style, parses again as
 * the same value; and what strict accepts, tolerant reads as the same. */
#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only half of a surrogate pair in a raw style may fail to print. */
static void check_style(
    const struct json *v, enum json_mode mode, enum json_style style)
{
    bool ascii = style == JSON_SORTED_PLAIN || style == JSON_PLAIN ||
        style == JSON_COMPACT;
    struct arena a = { 0 };
    struct buf b = { 0 }, again = { 0 };
    struct json *w = NULL;

    json_print(&b, v, style);
    if (mode == JSON_TOLERANT && !ascii && buf_status(&b) != SYNCLINE_OK)
        goto done;
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    ENSURE(json_parse(&w, buf_slice(&b), mode, &a, NULL) == SYNCLINE_OK);
    ENSURE(json_equal(v, w) && json_equal(w, v));
    json_print(&again, w, style);
    ENSURE(slice_eq(buf_slice(&b), buf_slice(&again)));
done:
    buf_free(&b);
    buf_free(&again);
    arena_free(&a);
}

/* A patch made of a value, laid over itself, must not fail. */
static void check_patch(const struct json *v, struct arena *a)
{
    const struct json *once = json_merge_patch(NULL, v, a);
    const struct json *twice = json_merge_patch(once, v, a);

    ENSURE(once != NULL && twice != NULL);
    ENSURE(json_equal(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    struct json *v[2] = { NULL, NULL };
    struct errmsg why = { .text = "" };

    for (int mode = JSON_STRICT; mode <= JSON_TOLERANT; mode++) {
        int rc = json_parse(
            &v[mode], SLICE(data, size), (enum json_mode)mode, &a, &why);

        if (rc != SYNCLINE_OK) {
            ENSURE(v[mode] == NULL && why.text[0] != 0);
            continue;
        }
        for (int style = JSON_CANONICAL; style <= JSON_PRETTY; style++)
            check_style(v[mode], (enum json_mode)mode, (enum json_style)style);
        check_patch(v[mode], &a);
    }
    ENSURE(v[0] == NULL || json_equal(v[0], v[1]));
    arena_free(&a);
    return 0;
}
