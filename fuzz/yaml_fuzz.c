/* yaml_fuzz.c - a YAML text, a zero byte, and the JSON document that it is to
 * say.
 *
 * Holds the laws: what is written, read, is the document; a text that is to
 * say what it says stays as it is; what is refused is told, and nothing is
 * written then. */
#include "files/yaml.h"
#include "fuzz/fuzz.h"

static void check(struct slice text, const struct json *doc, struct arena *a)
{
    struct buf out = { 0 };
    struct errmsg why = { "" };
    struct json *back;
    int rc = yaml_splice(&out, text, doc, a, &why);

    if (rc == SYNCLINE_OK) {
        ENSURE(yaml_read(&back, written(&out), a, NULL) == SYNCLINE_OK);
        ENSURE(json_equal(doc, back));
    } else {
        ENSURE(rc == SYNCLINE_EUNSUPPORTED);
        ENSURE(why.text[0] != 0 && out.len == 0);
    }
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
    struct errmsg why = { "" };
    struct json *before, *doc;

    if (yaml_read(&before, text, &a, &why) != SYNCLINE_OK) {
        ENSURE(why.text[0] != 0);
    } else {
        ENSURE(json_depth(before) <= JSON_DEPTH_MAX);
        ENSURE(yaml_splice(&same, text, before, &a, NULL) == SYNCLINE_OK);
        ENSURE(slice_eq(written(&same), text));
        if (json_parse(&doc, wish, JSON_STRICT, &a, NULL) == SYNCLINE_OK)
            check(text, doc, &a);
    }
    buf_free(&same);
    arena_free(&a);
    return 0;
}
