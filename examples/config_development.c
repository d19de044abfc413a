/* config_development.c - for who develops an application: a server on this
 * machine, which other copies call.
 *
 *     config_development FILE FOLDER
 *
 * Says where it is to be called, and each configuration; end of input ends it.
 */
#include <syncline.h>

#include <stdio.h>
#include <string.h>

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

static void on_config(void *ctx, const char *config)
{
    (void)ctx;
    printf("config %s\n", config);
    fflush(stdout);
}

static int say_status(struct syncline_config *c)
{
    char *status;

    if (syncline_config_status(c, &status) != SYNCLINE_OK)
        return failed("status");
    printf("status %s\n", status);
    fflush(stdout);
    syncline_free(status);
    return 0;
}

int main(int argc, char **argv)
{
    struct syncline_config *c;
    int status = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: config_development FILE FOLDER\n");
        return 2;
    }
    if (syncline_config_development(&c, argv[1], argv[2], NULL) != SYNCLINE_OK)
        return failed(argv[1]);
    if (syncline_config_on_update(c, on_config, NULL) != SYNCLINE_OK)
        status = failed("on_update");
    if (status == 0 && syncline_config_start(c) != SYNCLINE_OK)
        status = failed("start");
    if (status == 0)
        status = say_status(c);
    while (status == 0 && getchar() != EOF) {
    }
    if (syncline_config_free(c) != SYNCLINE_OK)
        status = failed("stop");
    return status;
}
