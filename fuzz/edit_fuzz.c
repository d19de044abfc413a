/* edit_fuzz.c - which option, a value, a zero byte, and the text of a
 * configuration file.
 *
 * Holds the law: what has been edited says what was wanted, and besides the
 * same as before (options_edit looks for that itself, and here it is looked
 * for once more); edited so again it stays as it is; what is refused is said
 * why, and leaves nothing. */
#include "app/options/options_edit.h"
#include "fuzz/fuzz.h"

static const struct options_host host = { "kitchen", "/srv/here" };

static struct options *read_text(struct slice text)
{
    struct options *o;

    ENSURE(options_new(&o, &host, NULL) == SYNCLINE_OK);
    ENSURE(options_read_yaml(o, text, "f", NULL) == SYNCLINE_OK);
    return o;
}

static struct slice value_of(
    const struct options *o, const char *name, struct buf *b)
{
    buf_clear(b);
    options_print(o, name, b);
    buf_put_u8(b, 0);
    return written(b);
}

static void check_rest(
    struct slice before, struct slice after, const struct option_edit *e)
{
    struct options *was = read_text(before), *is = read_text(after);
    struct buf a = { 0 }, b = { 0 };
    struct option_help row;

    for (size_t ix = 0; options_help(ix, &row); ix++)
        if (strcmp(row.name, e->name) != 0)
            ENSURE(slice_eq(
                value_of(was, row.name, &a), value_of(is, row.name, &b)));
    ENSURE((strcmp(options_source(is, e->name), "default") == 0) == e->unset);
    options_free(was);
    options_free(is);
    buf_free(&a);
    buf_free(&b);
}

static void check_edit(struct slice text, const struct option_edit *e)
{
    struct buf once = { 0 }, twice = { 0 };
    struct errmsg why = { "" };

    if (options_edit(&once, text, e, 1, &why) == SYNCLINE_OK) {
        check_rest(text, buf_slice(&once), e);
        ENSURE(
            options_edit(&twice, buf_slice(&once), e, 1, &why) == SYNCLINE_OK);
        check_rest(buf_slice(&once), buf_slice(&twice), e);
    } else {
        ENSURE(why.text[0] != 0 && once.len == 0);
    }
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;
    struct option_help row = { 0 };
    struct option_edit e = { 0 };
    size_t n = 0;

    if (zero == NULL)
        return 0;
    while (options_help(n, &row))
        n++;
    ENSURE(options_help(data[0] % n, &row));
    e.name = row.name;
    e.text = SLICE(data + 1, (size_t)(zero - data - 1));
    e.unset = e.text.len == 0;
    check_edit(slice_from(SLICE(data, size), e.text.len + 2), &e);
    return 0;
}
