/* diff_fuzz.c - two JSON texts and a pointer, zero bytes between them.
 *
 * Holds the laws of files/diff: the difference applied is the other document;
 * and of files/local: what the pointer names is never in what is published,
 * and survives the other document. */
#include "files/diff.h"
#include "files/local.h"
#include "fuzz/fuzz.h"

static struct slice take_text(struct slice *rest)
{
    const uint8_t *zero =
        rest->len > 0 ? memchr(rest->ptr, 0, rest->len) : NULL;
    size_t n = zero != NULL ? (size_t)(zero - rest->ptr) : rest->len;
    struct slice text = SLICE(rest->ptr, n);

    *rest = slice_from(*rest, n + 1);
    return text;
}

static void check_diff(
    const struct json *from, const struct json *to, struct arena *a)
{
    struct leaves patch;
    struct json *v;
    struct buf b = { 0 };

    if (diff(&patch, from, to, a) != SYNCLINE_OK)
        return;
    ENSURE((patch.n == 0) == json_equal(from, to));
    ENSURE(diff_apply(&v, from, &patch, a) == SYNCLINE_OK);
    ENSURE(json_equal(v, to));
    diff_put_pointers(&b, &patch);
    ENSURE(json_parse(&v, written(&b), JSON_STRICT, a, NULL) == SYNCLINE_OK);
    ENSURE(v->n == patch.n);
    buf_free(&b);
}

static void check_local(const struct json *file, const struct json *remote,
    struct slice pointer, struct arena *a)
{
    struct local_parts l = { .pointers = &pointer, .n = 1 };
    const struct json *mine, *kept_part;
    struct json *bare, *kept;

    if (local_check(pointer, a, NULL) != SYNCLINE_OK ||
        local_strip(&bare, file, &l, a, NULL) != SYNCLINE_OK)
        return;
    ENSURE(json_pointer_get(bare, pointer, a) == NULL);
    ENSURE(local_keep(&kept, remote, file, &l, a, NULL) == SYNCLINE_OK);
    mine = json_pointer_get(file, pointer, a);
    kept_part = json_pointer_get(kept, pointer, a);
    if (mine != NULL)
        ENSURE(kept_part != NULL && json_equal(mine, kept_part));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = SLICE(data, size);
    struct slice one = take_text(&rest), two = take_text(&rest);
    struct arena a = { 0 };
    struct json *from, *to;

    if (json_parse(&from, one, JSON_STRICT, &a, NULL) == SYNCLINE_OK &&
        json_parse(&to, two, JSON_STRICT, &a, NULL) == SYNCLINE_OK) {
        check_diff(from, to, &a);
        check_local(from, to, rest, &a);
    }
    arena_free(&a);
    return 0;
}
