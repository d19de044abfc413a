/* options_fuzz.c - the text of a configuration file (YAML).
 *
 * Holds the law: what is refused is said with a place; what was set is printed
 * as one would write it, which sets the same again. */
#include "app/options/options.h"
#include "fuzz/fuzz.h"

static const struct options_host host = { "kitchen", "/srv/here" };

static void check_again(const struct options *o, const char *name)
{
    struct buf text = { 0 }, again = { 0 };
    struct options *other;
    struct errmsg why = { "" };

    ENSURE(options_new(&other, &host, &why) == SYNCLINE_OK);
    options_print(o, name, &text);
    buf_put_u8(&text, 0);
    (void)written(&text);
    ENSURE(options_read_flag(other, name, (const char *)text.ptr, &why) ==
        SYNCLINE_OK);
    options_print(other, name, &again);
    buf_put_u8(&again, 0);
    ENSURE(slice_eq(buf_slice(&text), written(&again)));
    options_free(other);
    buf_free(&text);
    buf_free(&again);
}

static void check_all(const struct options *o)
{
    struct option_help row;
    struct arena a = { 0 };

    for (size_t ix = 0; options_help(ix, &row); ix++)
        if (strncmp(options_source(o, row.name), "file f:", 7) == 0)
            check_again(o, row.name);
    ENSURE(options_describe(o, o, &a) != NULL);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct errmsg why = { "" };
    struct options *o;

    ENSURE(options_new(&o, &host, &why) == SYNCLINE_OK);
    if (options_read_yaml(o, SLICE(data, size), "f", &why) == SYNCLINE_OK)
        check_all(o);
    else
        ENSURE(strncmp(why.text, "f:", 2) == 0);
    options_free(o);
    return 0;
}
