/* yaml_tool.c - files/yaml on a pipe, for comparison with another reader.
 *
 * Reads requests "LENGTH\n" and so many bytes of YAML. Answers a line each: the
 * document as JSON, or "! " and why not. */
#include <stdio.h>
#include <stdlib.h>

#include "files/yaml.h"

static void answer(struct slice text)
{
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct buf b = { 0 };
    struct json *v;

    if (yaml_read(&v, text, &a, &why) == SYNCLINE_OK)
        json_print(&b, v, JSON_COMPACT);
    else
        buf_printf(&b, "! %s", why.text);
    (void)printf("%.*s\n", SLICE_FMT(buf_slice(&b)));
    (void)fflush(stdout);
    buf_free(&b);
    arena_free(&a);
}

int main(void)
{
    size_t len;

    while (scanf("%zu", &len) == 1) {
        uint8_t *text = malloc(len + 1);

        if (text == NULL || getchar() != '\n' ||
            fread(text, 1, len, stdin) != len)
            return EXIT_FAILURE;
        answer(SLICE(text, len));
        free(text);
    }
    return EXIT_SUCCESS;
}
