/* main.c - the program `syncline`: the daemon and its command line. */
#include "app/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
