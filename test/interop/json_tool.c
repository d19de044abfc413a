/* json_tool.c - core/json on a pipe, for comparison with other parsers.
 *
 * Reads requests "MODE STYLE LENGTH\n" and so many bytes of JSON, where MODE
 * is s (strict) or t (tolerant) and STYLE one of C S P K U R (pretty).
 * Answers "= LENGTH\n" and what was printed, or "! LENGTH\n" and why not. */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"

static const char letters[] = "CSPKUR"; /* in the order of enum json_style */

static void answer(char kind, struct slice text)
{
    (void)printf("%c %zu\n", kind, text.len);
    (void)fwrite(
        text.len > 0 ? text.ptr : (const uint8_t *)"", 1, text.len, stdout);
    (void)fflush(stdout);
}

/* Prints, and holds the law: what was printed reads as the same value. */
static void serve(struct slice text, enum json_mode mode, enum json_style style)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *v, *again;
    struct errmsg why = { .text = "" };

    if (json_parse(&v, text, mode, &a, &why) != SYNCLINE_OK) {
        answer('!', slice_str(why.text));
    } else {
        json_print(&b, v, style);
        if (buf_status(&b) != SYNCLINE_OK)
            answer('!', SLICE_LIT("not printable"));
        else if (json_parse(&again, buf_slice(&b), mode, &a, &why) != 0 ||
            !json_equal(v, again))
            answer('!', SLICE_LIT("reads back as something else"));
        else
            answer('=', buf_slice(&b));
    }
    buf_free(&b);
    arena_free(&a);
}

int main(void)
{
    char mode, style;
    size_t len;

    while (scanf(" %c %c %zu", &mode, &style, &len) == 3) {
        const char *which = strchr(letters, style);
        uint8_t *text = malloc(len + 1);

        if (which == NULL || text == NULL || getchar() != '\n' ||
            fread(text, 1, len, stdin) != len)
            return EXIT_FAILURE;
        serve(SLICE(text, len), mode == 's' ? JSON_STRICT : JSON_TOLERANT,
            (enum json_style)(which - letters));
        free(text);
    }
    return EXIT_SUCCESS;
}
