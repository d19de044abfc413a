/* cli_help.c - `syncline --help`, `syncline help NAME`, `NAME --help`. */
#include "app/cmd/cli.h"

static void all_commands(FILE *f)
{
    (void)fputs("syncline keeps keyed JSON items the same on several machines."
                "\n\nusage: syncline COMMAND [ARGUMENT]... [FLAG]...\n\n",
        f);
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        (void)fprintf(
            f, "  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    (void)fputs(
        "\nEvery command takes --dir D, the folder of the daemon it talks to\n"
        "(else $SYNCLINE_DIR, else $XDG_STATE_HOME/syncline, else\n"
        "/var/lib/syncline as root, else ~/.local/state/syncline), and --json\n"
        "for programs. `syncline help COMMAND` says more.\n\n"
        "Exit: 0 done, 1 failed, 2 wrong usage, 3 no daemon runs there.\n",
        f);
}

static void one_flag(FILE *f, const char *name, const char *value,
    const char *text, const char *fallback)
{
    char left[64];

    (void)snprintf(left, sizeof left, "--%s%s%s", name,
        value != NULL ? " " : "", value != NULL ? value : "");
    (void)fprintf(f, "  %-26s %s", left, text);
    if (fallback != NULL)
        (void)fprintf(f, " [%s]", fallback);
    (void)fputc('\n', f);
}

static void option_flags(FILE *f)
{
    struct option_help h;

    (void)fputs("\nOptions, which are also keys of the file and SYNCLINE_* "
                "in the environment\n(log.level is SYNCLINE_LOG_LEVEL):\n",
        f);
    for (size_t ix = 1; options_help(ix, &h); ix++)
        one_flag(f, h.name, h.value, h.text, h.fallback);
}

void cli_help(FILE *f, const struct command *command)
{
    const struct cli_flag *flags;

    if (command == NULL) {
        all_commands(f);
        return;
    }
    (void)fprintf(f, "usage: syncline %s%s%s\n\n%s\n", command->name,
        command->args[0] != 0 ? " " : "", command->args, command->summary);
    if (command->help != NULL)
        (void)fprintf(f, "\n%s\n", command->help);
    (void)fputs("\nFlags:\n", f);
    for (flags = command->flags; flags && flags->name != NULL; flags++)
        one_flag(f, flags->name, flags->value, flags->help, NULL);
    one_flag(f, "dir", "D", "the daemon's folder", NULL);
    one_flag(f, "json", NULL, "print for programs", NULL);
    if (command->takes_options)
        option_flags(f);
}

static int run(struct cli *c)
{
    const struct command *command;

    if (c->argc == 0) {
        cli_help(stdout, NULL);
        return CLI_DONE;
    }
    command = cli_find(c->argv[0]);
    if (command == NULL)
        return cli_usage(c, "there is no command %.60s", c->argv[0]);
    cli_help(stdout, command);
    return CLI_DONE;
}

const struct command cmd_help = {
    .name = "help",
    .args = "[COMMAND]",
    .summary = "say what a command does",
    .max = 1,
    .run = run,
};
