/* config_single.c - an application that is alone: it is told when its
 * configuration changes, and what that was is kept.
 *
 *     config_single FILE FOLDER
 *
 * Each configuration is a line on standard output; end of input ends it.
 *
 *     cc config_single.c $(pkg-config --cflags --libs syncline) */
#include <syncline.h>

#include <stdio.h>

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

/* Runs on a thread of the library's. */
static void on_config(void *ctx, const char *config)
{
    (void)ctx;
    printf("config %s\n", config);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct syncline_config *c;
    char *names;

    if (argc != 3) {
        fprintf(stderr, "usage: config_single FILE FOLDER\n");
        return 2;
    }
    if (syncline_config_single(&c, argv[1], argv[2], NULL) != SYNCLINE_OK)
        return failed(argv[1]);
    if (syncline_config_on_update(c, on_config, NULL) != SYNCLINE_OK ||
        syncline_config_start(c) != SYNCLINE_OK) {
        failed("start");
        syncline_config_free(c);
        return 1;
    }
    while (getchar() != EOF) {
    }
    if (syncline_config_versions(c, &names) == SYNCLINE_OK) {
        printf("versions %s\n", names);
        syncline_free(names);
    }
    return syncline_config_free(c) == SYNCLINE_OK ? 0 : failed("stop");
}
