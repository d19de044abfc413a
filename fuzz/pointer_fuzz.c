/* pointer_fuzz.c - a JSON text, a zero byte, and a JSON pointer.
 *
 * Holds the law: a pointer's segments, written again, are the pointer; and
 * each leaf of a document stands where its path says. */
#include "core/document.h"
#include "fuzz/fuzz.h"

static void check_segments(struct slice pointer, struct arena *a)
{
    struct slice rest = pointer, segment;
    struct buf again = { 0 };
    int rc;

    if (pointer.len > 0 && pointer.ptr[0] != '/')
        return;
    while ((rc = json_pointer_next(&rest, &segment, a)) == SYNCLINE_OK)
        json_pointer_put(&again, segment);
    ENSURE(rc == SYNCLINE_ENOTFOUND || rc == SYNCLINE_EMALFORMED);
    if (rc == SYNCLINE_ENOTFOUND)
        ENSURE(slice_eq(written(&again), pointer));
    buf_free(&again);
}

static void check_leaves(const struct json *doc, struct arena *a)
{
    struct leaves leaves = { 0 };

    if (document_leaves(doc, &leaves, a) != SYNCLINE_OK)
        return;
    for (uint32_t i = 0; i < leaves.n; i++) {
        const struct json *v = json_pointer_get(doc, leaves.e[i].path, a);
        struct buf text = { 0 };

        ENSURE(v != NULL);
        json_print(&text, v, JSON_CANONICAL);
        ENSURE(slice_eq(written(&text), leaves.e[i].value));
        ENSURE(i == 0 || path_cmp(leaves.e[i - 1].path, leaves.e[i].path) < 0);
        buf_free(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t text_len = zero != NULL ? (size_t)(zero - data) : size;
    struct slice pointer = slice_from(SLICE(data, size), text_len + 1);
    struct arena a = { 0 };
    struct json *doc;

    check_segments(pointer, &a);
    if (json_parse(&doc, SLICE(data, text_len), JSON_STRICT, &a, NULL) ==
        SYNCLINE_OK) {
        if (pointer.len == 0 || pointer.ptr[0] == '/')
            (void)json_pointer_get(doc, pointer, &a);
        check_leaves(doc, &a);
    }
    arena_free(&a);
    return 0;
}
