/* cmd_key.c - the device's key: with or without a passphrase. */
#include "app/cmd/cli.h"

#include "app/audit_log.h"
#include "app/identity_file.h"
#include "app/passphrase.h"
#include "crypto/sealed_key.h"
#include "io/clock.h"
#include "store/state.h"

#include <unistd.h>

enum { REMOVE, FILE_, FD, OLD_FILE };

static const struct cli_flag flags[] = {
    { "remove", NULL, "the key has no passphrase any more" },
    { "passphrase-file", "FILE", "the new one (--remove: the present one)" },
    { "passphrase-fd", "N", "the same, from an open file" },
    { "old-passphrase-file", "FILE", "the present one" },
    { NULL, NULL, NULL },
};

/* From the flags; ENOTFOUND: none of them says. */
static int from_flags(struct cli *c, struct buf *out, struct errmsg *why)
{
    int64_t fd;

    if (c->flag[FILE_] != NULL)
        return passphrase_from_file(out, c->flag[FILE_], why);
    if (c->flag[FD] == NULL)
        return SYNCLINE_ENOTFOUND;
    if (cli_integer(c, c->flag[FD], "--passphrase-fd", 0, &fd) != CLI_DONE ||
        fd > 1 << 20)
        return errmsg_set(why, SYNCLINE_EINVAL, "--passphrase-fd: no file");
    return passphrase_from_fd(out, (int)fd, "--passphrase-fd", why);
}

/* A passphrase_fn: the present one. */
static int ask_old(void *ctx, struct buf *out, struct errmsg *why)
{
    struct cli *c = ctx;
    int rc = SYNCLINE_ENOTFOUND;

    if (c->flag[OLD_FILE] != NULL)
        return passphrase_from_file(out, c->flag[OLD_FILE], why);
    if (c->flag[REMOVE] != NULL)
        rc = from_flags(c, out, why);
    if (rc != SYNCLINE_ENOTFOUND || why->text[0] != 0)
        return rc;
    rc = passphrase_from_terminal(out, "Present passphrase: ", why);
    return rc == SYNCLINE_EDENIED && c->flag[REMOVE] == NULL
        ? errmsg_set(why, rc,
              "the key is under a passphrase already, and there is no terminal "
              "to ask for that on; give it with --old-passphrase-file")
        : rc;
}

static int ask_twice(struct buf *out, struct errmsg *why)
{
    struct buf again = { 0 };
    int rc = passphrase_from_terminal(out, "New passphrase: ", why);

    if (rc == SYNCLINE_OK)
        rc = passphrase_from_terminal(&again, "The same again: ", why);
    if (rc == SYNCLINE_OK && !crypto_equal(buf_slice(out), buf_slice(&again)))
        rc = errmsg_set(why, SYNCLINE_EINVAL, "the two are not the same");
    crypto_wipe(again.ptr, again.cap);
    buf_free(&again);
    return rc;
}

static int ask_new(struct cli *c, struct buf *out, struct errmsg *why)
{
    int rc = from_flags(c, out, why);

    if (rc == SYNCLINE_ENOTFOUND && why->text[0] == 0)
        rc = ask_twice(out, why);
    if (rc == SYNCLINE_OK && out->len < PASSPHRASE_MIN)
        rc = errmsg_set(why, SYNCLINE_EINVAL,
            "a passphrase of fewer than %d bytes", PASSPHRASE_MIN);
    return rc;
}

static int no_key(struct cli *c)
{
    return cli_fail(
        c, "%s/identity.pem: there is no key; `syncline up` makes one", c->dir);
}

static int change(struct cli *c)
{
    const struct identity_source from = {
        .dir = c->dir, .ask = ask_old, .ctx = c
    };
    struct identity *id = NULL;
    struct errmsg why = { "" };
    struct buf fresh = { 0 };
    int rc = identity_file_load(&id, &from, &why);

    if (rc == SYNCLINE_ENOTFOUND && why.text[0] == 0)
        return no_key(c);
    if (rc == SYNCLINE_OK && c->flag[REMOVE] == NULL)
        rc = ask_new(c, &fresh, &why);
    if (rc == SYNCLINE_OK)
        rc = identity_file_save(id, c->dir, buf_slice(&fresh), &why);
    crypto_wipe(fresh.ptr, fresh.cap);
    buf_free(&fresh);
    identity_free(id);
    if (rc != SYNCLINE_OK)
        return cli_fail(c, "%s",
            why.text[0] != 0 ? why.text : "memory ran out; nothing is changed");
    return CLI_DONE;
}

/* Where no daemon runs, by this process: behind what the last one wrote. */
static int write_audit(struct cli *c, bool sealed)
{
    struct audit_log_options opt = {
        .dir = c->dir, .now_us = clock_mono_us(), .wall_us = clock_wall_us()
    };
    struct audit_entry entry = { .wall_us = opt.wall_us,
        .kind = "key",
        .details = sealed ? SLICE_LIT("{\"passphrase\":true}")
                          : SLICE_LIT("{\"passphrase\":false}") };
    struct audit_log *log;
    struct audit_head head;
    struct buf b = { 0 };
    char who[64];
    int rc = state_peek(c->dir, SLICE_LIT("audit"), &b);

    if (rc == SYNCLINE_OK)
        rc = get_audit_head(buf_slice(&b), &opt.known);
    buf_free(&b);
    if (rc == SYNCLINE_OK || rc == SYNCLINE_ENOTFOUND)
        rc = audit_log_open(&log, &opt);
    if (rc != SYNCLINE_OK)
        return rc;
    (void)snprintf(who, sizeof who, "{\"pid\":%ld,\"uid\":%lu}", (long)getpid(),
        (unsigned long)getuid());
    entry.who = slice_str(who);
    audit_log_add(log, opt.now_us, &entry, false);
    rc = audit_log_trouble(log) != NULL ? SYNCLINE_EIO : SYNCLINE_OK;
    audit_log_close(log, opt.now_us, opt.wall_us, &head);
    return rc;
}

/* It is changed already: that stands, whatever comes of this. */
static void tell_audit(struct cli *c)
{
    struct json *answer;
    struct errmsg why = { "" };
    bool sealed = false;
    int rc = identity_file_is_sealed(c->dir, &sealed, &why), status;

    if (rc == SYNCLINE_OK &&
        control_open(&c->control, c->dir, &why) == SYNCLINE_OK) {
        rc = cli_try(c, cli_request(c, "key_changed"), &answer, &status, &why);
        rc = rc == CLI_DONE ? status : SYNCLINE_EIO;
    } else if (rc == SYNCLINE_OK) {
        rc = write_audit(c, sealed);
    }
    if (rc != SYNCLINE_OK)
        cli_say(c, "the audit log could not be told");
}

static int show(struct cli *c)
{
    struct errmsg why = { "" };
    bool sealed = false;
    int rc = identity_file_is_sealed(c->dir, &sealed, &why);

    if (rc == SYNCLINE_ENOTFOUND)
        return no_key(c);
    if (rc != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    if (c->json)
        (void)printf("{\"passphrase\":%s}\n", sealed ? "true" : "false");
    else
        (void)printf("the device's key is under %s\n",
            sealed ? "a passphrase" : "no passphrase");
    return CLI_DONE;
}

static int run(struct cli *c)
{
    int rc;

    if (c->argc > 0 && strcmp(c->argv[0], "passphrase") != 0)
        return cli_usage(c, "\"%.60s\" is not passphrase", c->argv[0]);
    if (c->flag[FILE_] != NULL && c->flag[FD] != NULL)
        return cli_usage(c, "give the passphrase once");
    if (c->argc == 0)
        return show(c);
    rc = change(c);
    if (rc == CLI_DONE)
        tell_audit(c);
    return rc == CLI_DONE ? show(c) : rc;
}

const struct command cmd_key = {
    .name = "key",
    .args = "[passphrase [--remove]]",
    .summary = "put the device's key under a passphrase, or see if it is",
    .help = "`key passphrase` asks for it on the terminal, twice, and writes "
            "DIR/identity.pem\nanew, whole or not at all; a daemon that runs "
            "goes on. From the next start on\n`syncline up` needs it: "
            "--passphrase-file, SYNCLINE_PASSPHRASE_FILE, the systemd\n"
            "credential syncline.passphrase, or the terminal. Who forgets it "
            "has lost the key.",
    .flags = flags,
    .max = 1,
    .run = run,
};
