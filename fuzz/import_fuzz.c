/* import_fuzz.c - lines of a file to be imported.
 *
 * Holds the law: a line is refused with a reason, or its record, written as
 * an op of a batch, reads as the same record. */
#include "app/import_line.h"
#include "fuzz/fuzz.h"
#include "repl/keys.h"

static void check_line(struct slice text)
{
    struct import_line line, again;
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct buf b = { 0 };

    if (import_line_read(&line, text, &a, &why) != SYNCLINE_OK) {
        ENSURE(why.text[0] != 0);
    } else if (line.value != NULL) {
        ENSURE(key_check(line.key, NULL) == SYNCLINE_OK);
        import_line_put(&b, &line);
        ENSURE(import_line_read(&again, written(&b), &a, &why) == SYNCLINE_OK);
        ENSURE(slice_eq(line.key, again.key));
        ENSURE(json_equal(line.value, again.value));
    }
    buf_free(&b);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = SLICE(data, size);

    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;

        check_line(SLICE(rest.ptr, len));
        rest = slice_from(rest, len + 1);
    }
    return 0;
}
