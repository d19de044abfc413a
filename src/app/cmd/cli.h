/* cli.h - what the commands of `syncline` share.
 *
 * A command is a row: cli.c reads its flags and arguments by that row and
 * calls run. What run prints on stdout is for programs, all else goes to
 * stderr. run returns one of enum cli_exit. */
#ifndef SYNCLINE_APP_CLI_H
#define SYNCLINE_APP_CLI_H

#include "app/control.h"
#include "app/options/options.h"
#include "base/arena.h"
#include "core/json.h"

#include <stdio.h>

enum cli_exit { CLI_DONE, CLI_FAILED, CLI_USAGE, CLI_NO_DAEMON };

#define CLI_FLAGS_MAX 12

struct cli_flag {
    const char *name;  /* NULL ends a list */
    const char *value; /* what follows it; NULL: nothing; "S...": given again,
                          it adds to what was given, after a comma */
    const char *help;
};

struct cli;

struct command {
    const char *name;
    const char *args;    /* "SPACE KEY" */
    const char *summary; /* a line of `syncline --help` */
    const char *help;    /* more of `syncline help NAME`; may be NULL */
    const struct cli_flag *flags; /* NULL or a list; beside --dir, --json */
    int min, max;                 /* arguments */
    bool takes_options;           /* every option of options.h is a flag */
    int (*run)(struct cli *c);
};

struct cli {
    const struct command *command;
    struct options *options; /* flags and environment; no file is read yet */
    const char *dir;
    bool json;
    int argc; /* arguments without flags */
    char **argv;
    const char *flag[CLI_FLAGS_MAX]; /* by index; NULL: not given */
    bool option_given;               /* some option beside --dir was */
    struct arena arena;
    struct control *control; /* after cli_connect */
    bool waiting;            /* a notice stands on the terminal */
    const char *waits_for;   /* what may take long; NULL: the daemon */
};

extern const struct command *const cli_commands[]; /* NULL ends it */

int cli_main(int argc, char **argv);

/* Prints "syncline NAME: ..." and returns CLI_FAILED; usage: CLI_USAGE. */
int cli_fail(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
int cli_usage(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "syncline NAME: ..." without an end. */
void cli_say(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The help of one command, or of all if it is NULL. */
void cli_help(FILE *f, const struct command *command);
/* NULL if there is none. */
const struct command *cli_find(const char *name);

/* The rest is in cli_talk.c. All print what failed and return an exit code;
 * CLI_DONE means go on. */
int cli_connect(struct cli *c);
struct json *cli_request(struct cli *c, const char *op);
/* Adds a member: text; a number; true. The name and the text are borrowed. */
void cli_set(
    struct cli *c, struct json *request, const char *name, const char *text);
void cli_set_int(
    struct cli *c, struct json *request, const char *name, int64_t number);
void cli_set_json(struct json *request, const char *name, struct json *value);
/* Connects if need be, sends, waits for the one answer. */
int cli_call(struct cli *c, struct json *request, struct json **answer);
/* cli_call, which hands a refusal back as its SYNCLINE_E* in *status. */
int cli_try(struct cli *c, struct json *request, struct json **answer,
    int *status, struct errmsg *why);
/* cli_call for what has nothing to tell: with --json prints the answer, else
 * a sentence on stderr, if there is one and it is a terminal. */
int cli_do(struct cli *c, struct json *request, const char *done);

/* Before what cannot be taken back: asks on a terminal, elsewhere only yes
 * lets it go on. What is about to be done is a sentence without an end. */
int cli_confirm(struct cli *c, bool yes, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Reads --wait and --timeout (flags by index) into a request. */
int cli_set_wait(
    struct cli *c, struct json *request, const char *wait, const char *timeout);
/* "10", "10s", "500ms", "2m" in ms. */
int cli_duration_ms(struct cli *c, const char *text, int64_t *ms);
/* An integer >= min. what names it in the message. */
int cli_integer(struct cli *c, const char *text, const char *what, int64_t min,
    int64_t *out);
/* Strict JSON; where names it in the message. */
int cli_parse_json(
    struct cli *c, struct slice text, const char *where, struct json **out);
/* The path of a file that is bound, as the daemon is told it (cmd_bind.c). */
const char *cli_whole_path(struct cli *c, const char *path);
/* A whole file ("-": stdin) of up to 64 MiB, in the arena. */
int cli_read_all(struct cli *c, const char *path, struct slice *out);

/* --role and --space, as request members (cmd_members.c). */
int cli_set_terms(
    struct cli *c, struct json *request, const char *role, const char *spaces);
/* "all", or the names of the member's spaces. */
struct slice cli_rights(struct cli *c, const struct json *m, const char *name);

/* What else came of a change of who may what, on stderr. */
void cli_tell_effects(const struct json *answer);

/* What `audit --verify` finds wrong with the log, empty: nothing
 * (cmd_audit.c). */
int cli_audit_wrong(struct cli *c, struct errmsg *wrong);

/* Output: cli_print.c. */

/* A value alone on a line of stdout. */
int cli_print_json(struct cli *c, const struct json *v, enum json_style style);
/* An answer without what belongs to the protocol. */
int cli_print_answer(struct cli *c, struct json *answer);
/* Flushes stdout: CLI_FAILED if what was printed went nowhere, quietly if
 * it was a pipe that nobody reads any more, or a signal came. */
int cli_flush(struct cli *c);
bool cli_reader_gone(void);
/* A value as one canonical line in the arena; "" for NULL. */
struct slice cli_compact(struct cli *c, const struct json *v);
/* A string as it is, anything else as JSON; "" for NULL. */
struct slice cli_text(struct cli *c, const struct json *v);
/* All in the arena: local time, "3 h 12 min", "12.3 MiB", "1.25 ms",
 * "14,000". */
struct slice cli_time(struct cli *c, int64_t us);
struct slice cli_span(struct cli *c, int64_t seconds);
struct slice cli_bytes(struct cli *c, int64_t n);
struct slice cli_us(struct cli *c, int64_t us);
struct slice cli_count(struct cli *c, int64_t n);
/* The device of an answer: its name, or how its id begins; "" for nobody. */
struct slice cli_who(struct cli *c, const struct json *v);
struct slice cli_printf(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What a stranger may have written, with nothing in it that a terminal acts
 * on: controls, and marks that turn or hide text, become \uXXXX. */
struct slice cli_inert(struct cli *c, struct slice text);
/* A value for people: compact, and so. */
struct slice cli_shown(struct cli *c, const struct json *v);

/* Rows of columns, lined up when printed. */
#define CLI_COLUMNS_MAX 10
struct cli_table {
    struct cli *c;
    size_t columns;
    const char *right; /* 'r' for each column that is lined up right */
    struct cli_row *first, **last;
};
void cli_table_init(struct cli_table *t, struct cli *c, const char *align,
    const char *const *heads);
/* The columns of a row, as many as heads were given; what is in them becomes
 * inert. */
void cli_table_row(struct cli_table *t, const struct slice *cells);
void cli_table_print(const struct cli_table *t);

/* A line on the terminal that is written over; nothing elsewhere. */
void cli_notice(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void cli_notice_end(struct cli *c);
/* Has waited so long for c->waits_for: a notice, or, where it is known what
 * that is, after a second one line for whoever reads stderr. */
void cli_notice_waiting(struct cli *c, int seconds);

/* One file each. */
extern const struct command cmd_approve, cmd_audit, cmd_bind, cmd_bindings,
    cmd_clock, cmd_config, cmd_configsync, cmd_conflicts, cmd_dashboard,
    cmd_del, cmd_deny, cmd_doctor, cmd_errors, cmd_export, cmd_get, cmd_grant,
    cmd_help, cmd_history, cmd_import, cmd_invite, cmd_isync, cmd_join, cmd_key,
    cmd_log, cmd_ls, cmd_members, cmd_metrics, cmd_patch, cmd_peers,
    cmd_pending, cmd_policy, cmd_put, cmd_remove, cmd_rescue, cmd_resolve,
    cmd_restore, cmd_revoke, cmd_rollback, cmd_rotate, cmd_space, cmd_status,
    cmd_stop, cmd_sync, cmd_token, cmd_unbind, cmd_up, cmd_verify, cmd_versions,
    cmd_watch;

#endif
