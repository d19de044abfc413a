/* schema_tool.c - files/schema on a pipe, for a suite of cases.
 *
 * Reads lines {"schema": ..., "data": ...}. Answers a line each: "valid",
 * "invalid: ...", "refused: ..." (the schema), "too much: ...", or "unread:
 * ..." (the line is not what the strict parser takes). */
#include <stdio.h>
#include <stdlib.h>

#include "files/schema.h"

static void check(const struct json *line, struct arena *a)
{
    struct schema *s;
    struct schema_fault fault;
    struct errmsg why = { "" };
    int rc;

    if (schema_new(&s, json_get(line, "schema"), &why) != SYNCLINE_OK) {
        (void)printf("refused: %s\n", why.text);
        return;
    }
    rc = schema_check(s, json_get(line, "data"), &fault, a);
    schema_fault_say(&why, &fault);
    if (rc == SYNCLINE_OK)
        (void)printf("valid\n");
    else
        (void)printf("%s: %s\n", rc == SYNCLINE_ELIMIT ? "too much" : "invalid",
            why.text);
    schema_free(s);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct arena a = { 0 };
        struct errmsg why = { "" };
        struct json *v;

        if (json_parse(&v, SLICE(line, (size_t)n), JSON_WRAPPED, &a, &why) !=
            SYNCLINE_OK)
            (void)printf("unread: %s\n", why.text);
        else
            check(v, &a);
        (void)fflush(stdout);
        arena_free(&a);
    }
    free(line);
    return ferror(stdin) ? EXIT_FAILURE : EXIT_SUCCESS;
}
