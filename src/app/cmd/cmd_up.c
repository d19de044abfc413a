/* cmd_up.c - runs the daemon. */
#include "app/cmd/cli.h"

#include "app/daemon.h"

enum { CONFIG, PASSPHRASE_FILE, CORE_DUMPS };

static const struct cli_flag flags[] = {
    { "config", "FILE", "configuration [DIR/syncline.yaml]" },
    { "passphrase-file", "FILE", "holds the passphrase of the device's key" },
    { "allow-core-dumps", NULL, "which hold the device's key and all items" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct daemon_options opt = { .passphrase_file = NULL };
    struct errmsg why = { "" };
    const char *strangers = options_strangers(c->options);
    int rc = options_load(c->options, c->flag[CONFIG], &why);

    if (rc != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    if (strangers[0] != 0)
        cli_say(
            c, "no such option in the environment, passed over: %s", strangers);
    opt.passphrase_file = c->flag[PASSPHRASE_FILE] != NULL
        ? c->flag[PASSPHRASE_FILE]
        : options_str(c->options, "passphrase.file");
    opt.core_dumps = c->flag[CORE_DUMPS] != NULL;
    return daemon_run(c->options, &opt) == 0 ? CLI_DONE : CLI_FAILED;
}

const struct command cmd_up = {
    .name = "up",
    .args = "[--listen A:P] [--name N] [--peer A:P]... [--config FILE]",
    .summary = "run the daemon in the foreground, until SIGTERM or `stop`",
    .help = "SIGHUP reads the configuration again. A profile is a set of "
            "defaults:\n"
            "  single       the ones below\n"
            "  ha-addon     /data/syncline, a small memory, few writes to an "
            "SD card\n"
            "  development  this machine only, short times, talkative",
    .flags = flags,
    .takes_options = true,
    .run = run,
};
