/* config_manual.c - configuration sync with everything said by hand.
 *
 *     config_manual FILE FOLDER ID serve [PORT]    (0: one that is free)
 *     config_manual FILE FOLDER ID call URL...     (ws://HOST:8765/sync)
 *
 * Each configuration is a line on standard output. Commands are lines on
 * standard input: status, force, versions, version NAME (or latest), stop,
 * start; end of input ends it. */
#include <syncline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char *what)
{
    printf("error %s: %s\n", what, syncline_error());
    fflush(stdout);
    return 1;
}

static void on_config(void *ctx, const char *config)
{
    printf("%s %s\n", (const char *)ctx, config);
    fflush(stdout);
}

static void on_log(void *ctx, enum syncline_log_level level, const char *module,
    const char *text)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s: %s\n", module, text);
}

/* Prints what a call has given, and frees it. */
static void say(const char *what, int rc, char *text)
{
    if (rc != SYNCLINE_OK) {
        failed(what);
        return;
    }
    printf("%s %s\n", what, text);
    fflush(stdout);
    syncline_free(text);
}

static void obey(struct syncline_config *c, const char *line)
{
    char *text = NULL;
    int rc;

    if (strcmp(line, "status") == 0) {
        rc = syncline_config_status(c, &text);
        say("status", rc, text);
    } else if (strcmp(line, "versions") == 0) {
        rc = syncline_config_versions(c, &text);
        say("versions", rc, text);
    } else if (strncmp(line, "version ", 8) == 0) {
        rc = syncline_config_version(c, line + 8, &text);
        say("version", rc, text);
    } else if (strcmp(line, "force") == 0) {
        if (syncline_config_force(c) != SYNCLINE_OK)
            failed("force");
    } else if (strcmp(line, "stop") == 0) {
        if (syncline_config_stop(c) != SYNCLINE_OK)
            failed("stop");
    } else if (strcmp(line, "start") == 0) {
        if (syncline_config_start(c) != SYNCLINE_OK)
            failed("start");
    } else {
        printf("error %s: no such command\n", line);
        fflush(stdout);
    }
}

static int make(struct syncline_config **out, int argc, char **argv)
{
    const struct syncline_options node = { .size = sizeof node,
        .no_discovery = 1,
        .log_level = SYNCLINE_LOG_WARN,
        .log = on_log };
    struct syncline_config_options opt = { .size = sizeof opt,
        .path = argv[1],
        .base_dir = argv[2],
        .instance = argv[3],
        .versions = 20,
        .node = &node };

    if (strcmp(argv[4], "serve") == 0) {
        opt.server = 1;
        opt.port = argc > 5 ? atoi(argv[5]) : 8765;
        if (opt.port == 0)
            opt.port = SYNCLINE_ANY_PORT;
    } else {
        opt.peers = (const char *const *)&argv[5]; /* main's ends in NULL */
    }
    return syncline_config_new(out, &opt);
}

int main(int argc, char **argv)
{
    struct syncline_config *c;
    char line[4096];

    if (argc < 5 ||
        (strcmp(argv[4], "serve") != 0 &&
            (strcmp(argv[4], "call") != 0 || argc < 6))) {
        fprintf(stderr,
            "usage: config_manual FILE FOLDER ID serve [PORT] | call URL...\n");
        return 2;
    }
    if (make(&c, argc, argv) != SYNCLINE_OK)
        return failed(argv[1]);
    if (syncline_config_on_update(c, on_config, "config") != SYNCLINE_OK ||
        syncline_config_start(c) != SYNCLINE_OK) {
        failed("start");
        syncline_config_free(c);
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        obey(c, line);
    }
    return syncline_config_free(c) == SYNCLINE_OK ? 0 : failed("stop");
}
