/* settings.c - a program whose settings are the same on two machines.
 *
 * The first machine starts it, shows a code, and leaves it running:
 *     settings DIR 0.0.0.0:4748 invite
 * The second one joins with the code (once; later without it):
 *     settings DIR 0.0.0.0:4748 join CODE
 * From then on each line `name JSON` on standard input changes a setting on
 * both, and each change is printed on both. End of input ends it.
 *
 *     cc settings.c $(pkg-config --cflags --libs syncline) -o settings */
#include <syncline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "settings/"
#define LINE_MAX_BYTES 65536

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

/* Runs on the node's thread, for our own changes as well. */
static void on_change(void *ctx, const struct syncline_event *ev)
{
    (void)ctx;
    if (ev->type == SYNCLINE_EVENT_PUT)
        printf("%s = %s\n", ev->key + strlen(PREFIX), ev->value);
    else if (ev->type == SYNCLINE_EVENT_DELETED)
        printf("%s is unset\n", ev->key + strlen(PREFIX));
    else if (ev->type == SYNCLINE_EVENT_LIVE)
        printf("ready\n");
    fflush(stdout);
}

static void on_log(void *ctx, enum syncline_log_level level, const char *module,
    const char *text)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s: %s\n", module, text);
}

static int pair(struct syncline *s, int argc, char **argv)
{
    char *code;

    if (argc == 4 && strcmp(argv[3], "invite") == 0) {
        if (syncline_invite(s, 0, &code) != SYNCLINE_OK)
            return failed("invite");
        printf("code %s\n", code);
        fflush(stdout);
        syncline_free(code);
    } else if (argc == 5 && strcmp(argv[3], "join") == 0) {
        if (syncline_join(s, argv[4], NULL) != SYNCLINE_OK)
            return failed("join");
    }
    return 0;
}

/* A line is a name and its value; without a value the setting is unset. */
static void change(struct syncline *s, char *line)
{
    char *value, key[LINE_MAX_BYTES + sizeof PREFIX];
    int rc;

    line[strcspn(line, "\n")] = 0;
    value = strchr(line, ' ');
    if (value != NULL)
        *value++ = 0;
    if (line[0] == 0)
        return;
    snprintf(key, sizeof key, PREFIX "%s", line);
    rc = value != NULL ? syncline_put(s, NULL, key, value)
                       : syncline_delete(s, NULL, key);
    if (rc != SYNCLINE_OK)
        failed(line);
}

static int run(struct syncline *s, int argc, char **argv)
{
    struct syncline_watch *watch;
    char line[LINE_MAX_BYTES];

    if (syncline_start(s) != SYNCLINE_OK)
        return failed("start");
    if (pair(s, argc, argv) != 0)
        return 1;
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
    struct syncline_options opt = { .size = sizeof opt,
        .dir = argc > 2 ? argv[1] : NULL,
        .listen = listen,
        .log_level = SYNCLINE_LOG_WARN,
        .log = on_log };
    struct syncline *s;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: settings DIR ADDRESS [invite | join CODE]\n");
        return 2;
    }
    if (syncline_open(&s, &opt) != SYNCLINE_OK)
        return failed(argv[1]);
    status = run(s, argc, argv);
    if (syncline_close(s) != SYNCLINE_OK)
        status = failed("close");
    return status;
}
