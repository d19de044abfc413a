/* cmd_isync.c - iSync nodes: who is connected, and the token that all share. */
#include "app/cmd/cmd_peers.h"

#include "app/private_file.h"
#include "crypto/crypto.h"
#include "faces/isync/keys.h"
#include "io/clock.h"

#define TOKEN_MAX 4096

enum { FORCE_, PERIOD };

static const struct cli_flag flags[] = {
    { "force", NULL, "with key: in place of the one that is there" },
    { "period", "N", "with token: of that period; next: of the one to come" },
    { NULL, NULL, NULL },
};

static struct slice or_dash(struct slice s)
{
    return s.len > 0 ? s : SLICE_LIT("-");
}

/* What is left of a count that fades. */
static struct slice count_of(struct cli *c, const struct json *v)
{
    if (v != NULL && v->type == JSON_DOUBLE)
        return cli_printf(c, "%.1f", v->d);
    return cli_text(c, v);
}

static struct slice latency_of(struct cli *c, const struct json *p)
{
    const int64_t us = json_get_int(p, "latency_us", 0);

    return us > 0 ? cli_us(c, us) : SLICE_LIT("-");
}

/* Without a token of ours nothing sealed is. */
static bool is_unread(const struct json *link, const struct json *answer)
{
    return json_get_bool(link, "unread", false) &&
        json_get_bool(answer, "token", false);
}

void isync_print_nodes(struct cli *c, const struct json *answer)
{
    static const char *const heads[] = { "URL", "STATE", "NODE", "FAILURES",
        "VIOLATIONS", "LATENCY", "TROUBLE" };
    const struct json *p = json_get(answer, "peers");
    struct cli_table t;

    cli_table_init(&t, c, "lllrrrl", heads);
    for (p = p != NULL ? p->first : NULL; p != NULL; p = p->next)
        cli_table_row(&t,
            (const struct slice[]){ cli_inert(c, json_get_str(p, "url")),
                json_get_str(p, "state"),
                or_dash(cli_inert(c, json_get_str(p, "node_id"))),
                count_of(c, json_get(p, "failures")),
                count_of(c, json_get(p, "violations")), latency_of(c, p),
                or_dash(cli_inert(c, json_get_str(p, "trouble"))) });
    p = json_get(answer, "links");
    for (p = p != NULL ? p->first : NULL; p != NULL; p = p->next)
        if (json_get(p, "address") != NULL)
            cli_table_row(&t,
                (const struct slice[]){
                    cli_printf(
                        c, "from %.*s", SLICE_FMT(json_get_str(p, "address"))),
                    SLICE_LIT("connected"),
                    or_dash(cli_inert(c, json_get_str(p, "node_id"))),
                    SLICE_LIT("-"), SLICE_LIT("-"), SLICE_LIT("-"),
                    is_unread(p, answer)
                        ? SLICE_LIT("what it says cannot be read: another "
                                    "token")
                        : SLICE_LIT("-") });
    cli_table_print(&t);
}

static void print_native(struct cli *c, const struct json *answer)
{
    const struct json *list = json_get(answer, "native_only");
    const int64_t all = json_get_int(answer, "native_only_n", 0);

    if (all == 0)
        return;
    (void)printf("%lld path%s made here after %s deleted there for ever, and "
                 "not told:\n",
        (long long)all, all == 1 ? "" : "s", all == 1 ? "it was" : "they were");
    for (const struct json *e = list != NULL ? list->first : NULL; e != NULL;
         e = e->next)
        (void)printf("  %.*s\n", SLICE_FMT(cli_inert(c, e->s)));
}

static int show(struct cli *c, const char *op)
{
    struct json *answer;
    const struct json *trouble;
    int rc = cli_call(c, cli_request(c, op), &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("%.*s, space %.*s: %lld connected, %lld registers, %lld "
                 "deleted%s\n",
        SLICE_FMT(json_get_str(answer, "node_id")),
        SLICE_FMT(json_get_str(answer, "space")),
        (long long)json_get_int(answer, "connected", 0),
        (long long)json_get_int(answer, "registers", 0),
        (long long)json_get_int(answer, "deleted", 0),
        json_get_bool(answer, "paused", false) ? "; paused" : "");
    isync_print_nodes(c, answer);
    print_native(c, answer);
    trouble = json_get(answer, "trouble");
    if (trouble != NULL && trouble->type == JSON_STRING)
        cli_say(c, "%.*s", SLICE_FMT(cli_inert(c, trouble->s)));
    return CLI_DONE;
}

static int pause_it(struct cli *c, bool paused)
{
    struct json *request = cli_request(c, "isync_pause");

    cli_set_json(request, "paused", json_new_bool(&c->arena, paused));
    return cli_do(c, request,
        paused ? "nothing is said to iSync nodes any more"
               : "iSync nodes are spoken with again");
}

static int connect_to(struct cli *c)
{
    struct json *request = cli_request(c, "isync_connect");

    if (c->argc != 2)
        return cli_usage(c, "isync connect URL");
    cli_set(c, request, "url", c->argv[1]);
    return cli_do(c, request, "it is called from now on");
}

/* ---- the token ---- */

static struct slice first_line(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] != '\n' && s.ptr[n] != '\r')
        n++;
    return SLICE(s.ptr, n);
}

static int make_token(struct buf *out)
{
    uint8_t random[ISYNC_TOKEN_RANDOM];
    int rc = crypto_random(random, sizeof random);

    if (rc == SYNCLINE_OK)
        isync_token_put(out, random);
    crypto_wipe(random, sizeof random);
    return rc == SYNCLINE_OK ? buf_status(out) : rc;
}

/* The new one, and below it the one that it replaces. */
static int write_token(struct cli *c, struct buf *token, struct errmsg *why)
{
    const struct slice path = cli_printf(c, "%s/isync.token%c", c->dir, 0);
    const struct private_file file = { .path = (const char *)path.ptr,
        .what = "token of iSync",
        .max = TOKEN_MAX };
    struct buf old = { .max = TOKEN_MAX }, text = { .max = TOKEN_MAX };
    int rc = private_file_read(&old, &file, why);
    const bool is_there = rc == SYNCLINE_OK && first_line(buf_slice(&old)).len;

    if (rc == SYNCLINE_ENOTFOUND)
        rc = SYNCLINE_OK;
    if (rc == SYNCLINE_OK && is_there && c->flag[FORCE_] == NULL)
        rc = errmsg_set(why, SYNCLINE_EEXIST,
            "%s: there is a token already; --force puts another in its place, "
            "which then has to be given to all nodes",
            file.path);
    if (rc == SYNCLINE_OK)
        rc = make_token(token);
    buf_put_slice(&text, buf_slice(token));
    buf_put_u8(&text, '\n');
    if (is_there) {
        buf_put_slice(&text, first_line(buf_slice(&old)));
        buf_put_u8(&text, '\n');
    }
    if (rc == SYNCLINE_OK)
        rc = buf_status(&text);
    if (rc == SYNCLINE_OK)
        rc = private_file_write(&file, buf_slice(&text), true, why);
    if (old.cap > 0)
        crypto_wipe(old.ptr, old.cap);
    if (text.cap > 0)
        crypto_wipe(text.ptr, text.cap);
    buf_free(&old);
    buf_free(&text);
    return rc;
}

/* A daemon that runs reads it at once; one that does not, at its start. */
static void tell_daemon(struct cli *c)
{
    struct errmsg why = { "" };
    struct json *answer;
    int status = SYNCLINE_OK;

    if (control_open(&c->control, c->dir, &why) != SYNCLINE_OK)
        return;
    if (cli_try(c, cli_request(c, "isync_reload"), &answer, &status, &why) !=
            CLI_DONE ||
        status != SYNCLINE_OK)
        cli_say(c, "the daemon will read it at its next start");
}

static int make_key(struct cli *c)
{
    struct errmsg why = { "memory ran out" };
    struct buf token = { .max = TOKEN_MAX };
    int rc = write_token(c, &token, &why);

    if (rc != SYNCLINE_OK)
        rc = cli_fail(c, "%s", why.text);
    else if (c->json)
        (void)printf("{\"token\":\"%.*s\"}\n", SLICE_FMT(buf_slice(&token)));
    else
        (void)printf("%.*s\n", SLICE_FMT(buf_slice(&token)));
    if (rc == SYNCLINE_OK)
        rc = cli_flush(c);
    if (rc == CLI_DONE && !c->json)
        (void)fprintf(stderr,
            "This is the token of all iSync nodes (isync_token there). It is "
            "kept in %s/isync.token and shown this once.\n",
            c->dir);
    if (token.cap > 0)
        crypto_wipe(token.ptr, token.cap);
    buf_free(&token);
    if (rc == CLI_DONE)
        tell_daemon(c);
    return rc;
}

static int ask_token(struct cli *c, int64_t period, struct json **answer)
{
    struct json *request = cli_request(c, "isync_token");

    if (period >= 0)
        cli_set_int(c, request, "period", period);
    return cli_call(c, request, answer);
}

/* Of a period, for a node that does not turn by itself. */
static int show_token(struct cli *c)
{
    const char *wanted = c->flag[PERIOD];
    const bool is_next = wanted != NULL && strcmp(wanted, "next") == 0;
    struct json *answer;
    int64_t period = -1;
    int rc = CLI_DONE;

    if (wanted != NULL && !is_next)
        rc = cli_integer(c, wanted, "--period", 0, &period);
    if (rc == CLI_DONE)
        rc = ask_token(c, period, &answer);
    if (rc == CLI_DONE && is_next)
        rc = ask_token(c, json_get_int(answer, "now", 0) + 1, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("%.*s\n", SLICE_FMT(json_get_str(answer, "token")));
    rc = cli_flush(c);
    if (rc == CLI_DONE)
        (void)fprintf(stderr,
            "This is the token of period %lld (it is period %lld now), for "
            "nodes that do not follow\nisync.rotate: from %.*s until %.*s, "
            "and it is read for %.*s before and after that.\n",
            (long long)json_get_int(answer, "period", 0),
            (long long)json_get_int(answer, "now", 0),
            SLICE_FMT(cli_time(c, json_get_int(answer, "from", 0) * 1000000)),
            SLICE_FMT(cli_time(c, json_get_int(answer, "until", 0) * 1000000)),
            SLICE_FMT(cli_span(c, json_get_int(answer, "overlap", 0))));
    return rc;
}

static int run(struct cli *c)
{
    const char *what = c->argc > 0 ? c->argv[0] : "";

    if (strcmp(what, "connect") == 0)
        return connect_to(c);
    if (c->argc > 1)
        return cli_usage(c, "\"%.60s\" is one too many", c->argv[1]);
    if (what[0] == 0)
        return show(c, "isync");
    if (strcmp(what, "sync") == 0)
        return show(c, "isync_sync");
    if (strcmp(what, "pause") == 0 || strcmp(what, "resume") == 0)
        return pause_it(c, strcmp(what, "pause") == 0);
    if (strcmp(what, "key") == 0)
        return make_key(c);
    if (strcmp(what, "token") == 0)
        return show_token(c);
    return cli_usage(c,
        "\"%.60s\" is none of sync, connect, pause, resume, key, token", what);
}

const struct command cmd_isync = {
    .name = "isync",
    .args = "[sync | connect URL | pause | resume | key [--force] | token "
            "[--period N]]",
    .summary = "iSync nodes: who is connected; call one; make the token",
    .help = "Without a word: who is connected, and what is not told. `sync` "
            "says all that is here\nto all of them at once. `connect` calls a "
            "node, from now on, as isync.peers does. `key`\nmakes the token "
            "that all nodes share, shows it once and writes DIR/isync.token; "
            "with\n--force what was sealed by the one before is still read for "
            "isync.overlap. `token`\nshows what a node must be given that does "
            "not follow isync.rotate: the token of this\nperiod, of the "
            "`next`, or of number N.",
    .flags = flags,
    .max = 2,
    .run = run,
};
