/* splice_fuzz.c - a JSON text, a zero byte, and the document that it is to
 * say.
 *
 * Holds the laws: what is written says the document, and a text that is to say
 * what it says stays as it is. */
#include "files/splice.h"
#include "fuzz/fuzz.h"

static void check(struct slice text, const struct json *doc, struct arena *a)
{
    struct buf out = { 0 };
    struct json *back;

    ENSURE(splice_json(&out, text, doc, a, NULL) == SYNCLINE_OK);
    ENSURE(splice_parse(&back, written(&out), a, NULL) == SYNCLINE_OK);
    ENSURE(json_equal(doc, back));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t text_len = zero != NULL ? (size_t)(zero - data) : size;
    struct slice text = SLICE(data, text_len);
    struct slice wish = slice_from(SLICE(data, size), text_len + 1);
    struct arena a = { 0 };
    struct buf same = { 0 };
    struct json *before, *doc;

    if (splice_parse(&before, text, &a, NULL) == SYNCLINE_OK) {
        ENSURE(splice_json(&same, text, before, &a, NULL) == SYNCLINE_OK);
        ENSURE(slice_eq(written(&same), text));
        if (json_parse(&doc, wish, JSON_STRICT, &a, NULL) == SYNCLINE_OK)
            check(text, doc, &a);
    }
    buf_free(&same);
    arena_free(&a);
    return 0;
}
