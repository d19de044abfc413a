/* main.c - the program `syncline`: the daemon and its command line. */
#include "app/cmd/cli.h"

#include "base/plant.h"

#ifdef SYNCLINE_PLANTED
#include <stdio.h>
#include <stdlib.h>

/* Only a build that can be broken on purpose looks here (script/defences). */
static void plant(void)
{
    const char *id = getenv("SYNCLINE_PLANT");

    if (id != NULL && id[0] != 0 && !plant_set(id)) {
        (void)fprintf(stderr, "SYNCLINE_PLANT=%s: there is no such\n", id);
        exit(EXIT_FAILURE);
    }
}
#endif

int main(int argc, char **argv)
{
#ifdef SYNCLINE_PLANTED
    plant();
#endif
    return cli_main(argc, argv);
}
