/* document_merge.c - documents that two machines have written apart are merged,
 * as the program wants it: both texts, with a line between them.
 *
 * The first machine starts it, shows a code, and leaves it running:
 *     document_merge DIR 0.0.0.0:4748 invite
 * The second one joins with the code (once; later without it):
 *     document_merge DIR 0.0.0.0:4748 join CODE
 * Lines on standard input change documents, on both: `note {"content":"x"}`.
 * Each change is printed. End of input ends it.
 *
 *     cc document_merge.c $(pkg-config --cflags --libs syncline) */
#include <syncline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "documents/"
#define BETWEEN "\\n---\\n" /* as JSON says it */

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

/* ---- the merge ---- */

/* Behind the JSON string that begins at s; NULL: there is none. */
static const char *after_string(const char *s)
{
    if (*s != '"')
        return NULL;
    for (s++; *s != '"'; s++)
        if (*s == '\\')
            s++;
    return s + 1;
}

/* Appends what is between the quotes. */
static char *put(char *to, const char *from, const char *end)
{
    size_t n = (size_t)(end - from) - 2;

    memcpy(to, from + 1, n);
    return to + n;
}

/* ["a","b"] becomes "a\n---\nb". The texts come in the same order on every
 * machine, so that all make the same of them. What is no text, as where one
 * machine has removed it, is left to the later writer: NULL. */
static char *join(const char *siblings)
{
    /* A text brings at least three bytes, and takes seven more. */
    char *all = malloc(3 * strlen(siblings) + 3);
    char *to = all;

    if (all == NULL)
        return NULL;
    *to++ = '"';
    do {
        const char *end = after_string(++siblings);

        if (end == NULL) {
            free(all);
            return NULL;
        }
        if (to > all + 1) {
            memcpy(to, BETWEEN, sizeof BETWEEN - 1);
            to += sizeof BETWEEN - 1;
        }
        to = put(to, siblings, end);
        siblings = end;
    } while (*siblings == ',');
    *to++ = '"';
    *to = 0;
    return all;
}

/* A quote within a text of JSON has a backslash before it, so that these words
 * are found where they are meant. */
static char *merge(void *ctx, const char *conflict)
{
    const char *siblings = strstr(conflict, "\"siblings\":[");

    (void)ctx;
    if (strstr(conflict, "\"path\":\"/content\"") == NULL || siblings == NULL)
        return NULL;
    return join(siblings + strlen("\"siblings\":"));
}

/* ---- the program ---- */

static void on_change(void *ctx, const struct syncline_event *ev)
{
    (void)ctx;
    if (ev->type == SYNCLINE_EVENT_PUT)
        printf("%s = %s\n", ev->key + strlen(PREFIX), ev->value);
    else if (ev->type == SYNCLINE_EVENT_LIVE)
        printf("ready\n");
    fflush(stdout);
}

/* The first machine says how it is to be with conflicts: all members hear of
 * it. */
static int first(struct syncline *s)
{
    char *code;

    if (syncline_set_policy(s, NULL, PREFIX, "custom") != SYNCLINE_OK ||
        syncline_invite(s, 0, &code) != SYNCLINE_OK)
        return failed("invite");
    printf("code %s\n", code);
    fflush(stdout);
    syncline_free(code);
    return 0;
}

static void change(struct syncline *s, char *line)
{
    char key[65536 + sizeof PREFIX];
    char *value = strchr(line, ' ');

    line[strcspn(line, "\n")] = 0;
    if (value == NULL)
        return;
    *value++ = 0;
    snprintf(key, sizeof key, PREFIX "%s", line);
    if (syncline_put(s, NULL, key, value) != SYNCLINE_OK)
        failed(line);
}

static int run(struct syncline *s, int argc, char **argv)
{
    struct syncline_watch *watch;
    char line[65536];

    if (syncline_resolve_with(s, NULL, PREFIX, "document", merge, NULL) !=
            SYNCLINE_OK ||
        syncline_start(s) != SYNCLINE_OK)
        return failed("start");
    if (argc == 4 && strcmp(argv[3], "invite") == 0 && first(s) != 0)
        return 1;
    if (argc == 5 && syncline_join(s, argv[4], NULL) != SYNCLINE_OK)
        return failed("join");
    if (syncline_watch(&watch, s, NULL, PREFIX, "start", on_change, NULL) !=
        SYNCLINE_OK)
        return failed("watch");
    while (fgets(line, sizeof line, stdin) != NULL)
        change(s, line);
    syncline_unwatch(watch);
    return 0;
}

int main(int argc, char **argv)
{
    const char *listen[2] = { argc > 2 ? argv[2] : NULL, NULL };
    struct syncline_options opt = {
        .size = sizeof opt, .dir = argc > 2 ? argv[1] : NULL, .listen = listen
    };
    struct syncline *s;
    int status;

    if (argc < 3 || argc > 5) {
        fprintf(
            stderr, "usage: document_merge DIR ADDRESS [invite | join CODE]\n");
        return 2;
    }
    if (syncline_open(&s, &opt) != SYNCLINE_OK)
        return failed(argv[1]);
    status = run(s, argc, argv);
    if (syncline_close(s) != SYNCLINE_OK)
        status = failed("close");
    return status;
}
