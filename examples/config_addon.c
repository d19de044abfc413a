/* config_addon.c - an add-on of Home Assistant: its options say whom its
 * configuration is kept the same with.
 *
 *     config_addon FOLDER            (in an add-on: /data)
 *
 * FOLDER/options.json is what the user has chosen, FOLDER/config.json the
 * configuration. SIGTERM ends it, as the supervisor does. */
#define _POSIX_C_SOURCE 200809L /* for the signals */

#include <syncline.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define OPTIONS_MAX 65536

struct addon {
    struct syncline_config *sync;
    char path[4096];
};

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

static void on_log(void *ctx, enum syncline_log_level level, const char *module,
    const char *text)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s: %s\n", module, text);
}

/* The application takes up what is another: here, it says so. */
static void on_config(void *ctx, const char *config)
{
    (void)ctx;
    printf("reload %s\n", config);
    fflush(stdout);
}

/* NULL: there are none, and the defaults hold. */
static const char *options_of(const char *path, char *text)
{
    FILE *file = fopen(path, "r");
    size_t n;

    if (file == NULL)
        return NULL;
    n = fread(text, 1, OPTIONS_MAX - 1, file);
    text[n] = 0;
    fclose(file);
    return text;
}

static int addon_make(struct addon *a, const char *folder)
{
    static char options[OPTIONS_MAX];
    const struct syncline_options node = { .size = sizeof node,
        .no_discovery = 1,
        .log_level = SYNCLINE_LOG_INFO,
        .log = on_log };
    char from[4096];

    snprintf(a->path, sizeof a->path, "%s/config.json", folder);
    snprintf(from, sizeof from, "%s/options.json", folder);
    if (syncline_config_ha_addon(&a->sync, a->path, folder,
            options_of(from, options), &node) != SYNCLINE_OK)
        return failed(from);
    if (syncline_config_on_update(a->sync, on_config, a) != SYNCLINE_OK)
        return failed("on_update");
    return 0;
}

int main(int argc, char **argv)
{
    struct addon a = { NULL, "" };
    sigset_t end;
    int signum;

    if (argc != 2) {
        fprintf(stderr, "usage: config_addon FOLDER\n");
        return 2;
    }
    /* Before there is another thread, which then holds it back, too. */
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    if (addon_make(&a, argv[1]) != 0)
        return 1;
    if (syncline_config_start(a.sync) != SYNCLINE_OK) {
        failed("start");
        syncline_config_free(a.sync);
        return 1;
    }
    printf("started\n");
    fflush(stdout);
    sigwait(&end, &signum);
    return syncline_config_free(a.sync) == SYNCLINE_OK ? 0 : failed("stop");
}
