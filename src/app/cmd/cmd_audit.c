/* cmd_audit.c - the audit log: shown, followed, verified. */
#include "app/cmd/cli.h"

#include "app/audit_chain.h"
#include "app/audit_files.h"
#include "base/text.h"
#include "io/clock.h"
#include "store/state.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { VERIFY, SINCE, FOLLOW };

#define FOLLOW_MS 250

static const struct cli_flag flags[] = {
    { "verify", NULL, "check the chain; exit status 1 if it is broken" },
    { "since", "T", "from then on: 90m, 7d, 2026-11-27, 2026-11-27T18:00:00" },
    { "follow", NULL, "go on as records come, until SIGINT" },
    { NULL, NULL, NULL },
};

struct show {
    struct cli *c;
    struct audit_check check;
    struct arena arena;
    uint64_t since_us, after; /* records up to this one are told */
    bool quiet, torn;
    struct errmsg *wrong; /* what is, if it is not to be printed */
    int failed;           /* the exit code, once it is known */
};

/* Only what is wrong first is told. */
static void broken(struct show *s, const char *where, const char *why)
{
    if (s->failed != CLI_DONE)
        return;
    s->failed = CLI_FAILED;
    if (s->wrong != NULL)
        (void)errmsg_set(s->wrong, SYNCLINE_ECORRUPT, "%s: %s", where, why);
    else
        (void)cli_fail(s->c, "%s: %s", where, why);
}

/* ---- one record ---- */

static void print_pairs(struct cli *c, const struct json *object)
{
    for (const struct json *v = object ? object->first : NULL; v; v = v->next)
        (void)printf("  %.*s=%.*s", SLICE_FMT(v->key),
            SLICE_FMT(cli_inert(c, cli_text(c, v))));
}

static int print_record(
    struct show *s, const struct json *record, struct slice line)
{
    struct cli *c = s->c;
    int64_t repeated = json_get_int(record, "repeated", 0);

    if (c->json) {
        (void)printf("%.*s\n", SLICE_FMT(line));
        return SYNCLINE_OK;
    }
    (void)printf("%lld  %.*s  %.*s", (long long)json_get_int(record, "seq", 0),
        SLICE_FMT(cli_time(c, json_get_int(record, "time", 0))),
        SLICE_FMT(json_get_str(record, "kind")));
    if (repeated > 0)
        (void)printf(" (%lld times more)", (long long)repeated);
    print_pairs(c, json_get(record, "details"));
    if (json_get(record, "who") != NULL && json_get(record, "who")->n > 0) {
        (void)fputs("  from", stdout);
        print_pairs(c, json_get(record, "who"));
    }
    (void)putchar('\n');
    return SYNCLINE_OK;
}

static int on_line(void *ctx, const struct audit_place *at, struct slice line)
{
    struct show *s = ctx;
    const struct arena outer = s->c->arena;
    struct errmsg why = { "" };
    struct json *record;
    char where[64];
    int rc;

    arena_reset(&s->arena);
    rc = audit_check_line(&s->check, line, &s->arena, &record, &why);
    s->torn = record == NULL && !at->whole;
    if (rc == SYNCLINE_ECORRUPT && !s->quiet) {
        (void)snprintf(where, sizeof where, "audit.log%s%.0u line %llu",
            at->file > 0 ? "." : "", at->file, (unsigned long long)at->line);
        broken(s, where, why.text);
    }
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (record == NULL || s->check.head.seq <= s->after ||
        json_get_int(record, "time", 0) < (int64_t)s->since_us)
        return SYNCLINE_OK;
    s->after = s->check.head.seq;
    s->c->arena = s->arena;
    if (s->c->flag[VERIFY] == NULL && s->wrong == NULL)
        rc = print_record(s, record, line);
    s->arena = s->c->arena;
    s->c->arena = outer;
    return rc == SYNCLINE_ECORRUPT ? SYNCLINE_OK : rc;
}

static int read_from(struct show *s, unsigned from)
{
    struct errmsg why = { "" };
    int rc = audit_files_read(s->c->dir, from, on_line, s, &why);

    if (rc != SYNCLINE_OK)
        return cli_fail(
            s->c, "%s", why.text[0] != 0 ? why.text : "memory ran out");
    return CLI_DONE;
}

/* ---- since when ---- */

static int read_since(struct cli *c, const char *text, uint64_t *out)
{
    static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S" };
    int64_t ms;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = { .tm_isdst = -1 };
        const char *end = strptime(text, forms[i], &tm);
        time_t t;

        if (end == NULL || *end != 0)
            continue;
        t = mktime(&tm);
        if (t < 0)
            break;
        *out = (uint64_t)t * 1000000;
        return CLI_DONE;
    }
    if (cli_duration_ms(c, text, &ms) != CLI_DONE)
        return CLI_USAGE;
    *out = clock_wall_us() - (uint64_t)ms * 1000;
    return CLI_DONE;
}

/* ---- the commands ---- */

/* Without a daemon: as far as the store knew at its last checkpoint. */
static bool peek_head(struct show *s)
{
    struct buf b = { 0 };
    int rc = state_peek(s->c->dir, SLICE_LIT("audit"), &b);

    if (rc == SYNCLINE_OK)
        rc = get_audit_head(buf_slice(&b), &s->check.known);
    buf_free(&b);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOTFOUND;
}

/* A daemon that is up writes what waits, and knows how the log must end. */
static int ask_head(struct show *s)
{
    struct json *request = cli_request(s->c, "audit"), *answer;
    struct audit_head *known = &s->check.known;
    struct errmsg why = { "" };
    int rc, status;

    if (s->c->control == NULL &&
        control_open(&s->c->control, s->c->dir, &why) != SYNCLINE_OK) {
        if (!peek_head(s) && s->c->flag[VERIFY] != NULL)
            cli_say(s->c,
                "no daemon runs here, and state.db cannot be read: whether "
                "the log was cut at its end is not known");
        return CLI_DONE;
    }
    rc = cli_try(s->c, request, &answer, &status, &why);
    if (rc != CLI_DONE)
        return rc;
    if (status != SYNCLINE_OK)
        return cli_fail(s->c, "%s", why.text);
    known->seq = (uint64_t)json_get_int(answer, "seq", 0);
    if (known->seq > 0 &&
        hex_decode(known->hash, SHA256_LEN, json_get_str(answer, "hash")) !=
            SYNCLINE_OK)
        known->seq = 0;
    if (json_get_str(answer, "trouble").len > 0)
        cli_say(s->c, "%.*s", SLICE_FMT(json_get_str(answer, "trouble")));
    return CLI_DONE;
}

static int say_verified(struct show *s)
{
    char hash[2 * SHA256_LEN + 1];
    struct errmsg why = { "" };

    if (s->torn) {
        cli_say(s->c,
            "the last line is torn, as a crash does: the next start says so "
            "in the log");
        s->check.odd = false;
    }
    if (audit_check_end(&s->check, &why) != SYNCLINE_OK)
        broken(s, "audit.log", why.text);
    if (s->failed != CLI_DONE)
        return s->failed;
    hex_encode(hash, SLICE(s->check.head.hash, SHA256_LEN));
    if (s->c->json)
        (void)printf("{\"first\":%llu,\"hash\":\"%s\",\"seq\":%llu}\n",
            (unsigned long long)s->check.first, hash,
            (unsigned long long)s->check.head.seq);
    else if (s->check.head.seq == 0)
        (void)printf("there are no records yet\n");
    else
        (void)printf("records %llu to %llu are whole; the last is %s\n",
            (unsigned long long)s->check.first,
            (unsigned long long)s->check.head.seq, hash);
    return CLI_DONE;
}

int cli_audit_wrong(struct cli *c, struct errmsg *wrong)
{
    struct show s = { .c = c, .wrong = wrong };
    struct errmsg why = { "" };
    int rc = ask_head(&s);

    if (rc == CLI_DONE)
        rc = read_from(&s, AUDIT_FILES);
    s.check.odd = s.check.odd && !s.torn;
    if (rc == CLI_DONE && audit_check_end(&s.check, &why) != SYNCLINE_OK)
        broken(&s, "audit.log", why.text);
    arena_free(&s.arena);
    return rc;
}

static volatile sig_atomic_t stopped;

static void on_signal(int signum)
{
    (void)signum;
    stopped = 1;
}

static void catch_signals(void)
{
    struct sigaction act = { .sa_handler = on_signal };

    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
}

/* A file is set aside once it is full: the newest two hold what is new. */
static int follow(struct show *s)
{
    const struct timespec pause = { .tv_nsec = FOLLOW_MS * 1000000L };
    int rc = cli_flush(s->c);

    while (rc == CLI_DONE && !stopped && !cli_reader_gone()) {
        (void)nanosleep(&pause, NULL);
        s->check = (struct audit_check){ .known = { .seq = 0 } };
        s->quiet = true; /* --verify says it */
        rc = read_from(s, 1);
        if (rc == CLI_DONE)
            rc = cli_flush(s->c);
    }
    return rc;
}

static int run(struct cli *c)
{
    struct show s = { .c = c };
    int rc = CLI_DONE;

    if (c->flag[VERIFY] != NULL &&
        (c->flag[FOLLOW] != NULL || c->flag[SINCE] != NULL))
        return cli_usage(c, "--verify looks at all of it, once");
    if (c->flag[FOLLOW] != NULL)
        catch_signals();
    if (c->flag[SINCE] != NULL)
        rc = read_since(c, c->flag[SINCE], &s.since_us);
    if (rc == CLI_DONE)
        rc = ask_head(&s);
    if (rc == CLI_DONE)
        rc = read_from(&s, AUDIT_FILES);
    if (rc == CLI_DONE && c->flag[VERIFY] != NULL)
        rc = say_verified(&s);
    if (rc == CLI_DONE && c->flag[FOLLOW] != NULL)
        rc = follow(&s);
    arena_free(&s.arena);
    return rc == CLI_DONE ? s.failed : rc;
}

const struct command cmd_audit = {
    .name = "audit",
    .args = "[--since T] [--follow] [--verify]",
    .summary = "show or verify the audit log",
    .help = "Who was let in, removed or refused, which codes were made, what "
            "was collected,\nwhen this store became a new replica. Each record "
            "holds the hash of the one before:\n--verify says where the log "
            "was changed or cut, with exit status 1. Needs no daemon.\nWith "
            "--json a record a line.",
    .flags = flags,
    .run = run,
};
