/* cmd_isync.c - iSync nodes: who is connected, and the token that all share. */
#include "app/cmd/cmd_peers.h"

#include "app/private_file.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "faces/isync/keys.h"
#include "io/clock.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_MAX 4096

enum { FORCE_, PERIOD, TAKE_ };

static const struct cli_flag flags[] = {
    { "force", NULL, "with key: in place of the one that is there" },
    { "period", "N", "with token: of that period; next: of the one to come" },
    { "take", NULL, "with key: the one that the nodes have, from stdin" },
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

static const struct json *first_of(const struct json *v, const char *name)
{
    const struct json *list = json_get(v, name);

    return list != NULL ? list->first : NULL;
}

static struct slice heard_of(struct cli *c, const struct json *link)
{
    const int64_t us = json_get_int(link, "heard", 0);
    const int64_t now_us = (int64_t)clock_wall_us();

    return us == 0 ? SLICE_LIT("-")
                   : cli_span(c, us < now_us ? (now_us - us) / 1000000 : 0);
}

/* The connection with one that is called; NULL: there is none. */
static const struct json *link_to(const struct json *answer, struct slice url)
{
    const struct json *l = first_of(answer, "links");

    while (l != NULL && !slice_eq(json_get_str(l, "url"), url))
        l = l->next;
    return l;
}

/* Without a token of ours nothing sealed is readable. */
struct slice isync_trouble_with(
    const struct json *link, const struct json *answer)
{
    return json_get_bool(link, "unread", false) &&
            json_get_bool(answer, "token", false)
        ? SLICE_LIT("what it says cannot be read: another token")
        : SLICE_NONE;
}

void isync_print_nodes(struct cli *c, const struct json *answer)
{
    static const char *const heads[] = { "URL", "STATE", "NODE", "FAILURES",
        "VIOLATIONS", "LATENCY", "HEARD", "TROUBLE" };
    const struct slice none = SLICE_LIT("-");
    struct cli_table t;
    bool is_empty = true;

    cli_table_init(&t, c, "lllrrrrl", heads);
    for (const struct json *p = first_of(answer, "peers"); p; p = p->next) {
        const struct json *link = link_to(answer, json_get_str(p, "url"));

        is_empty = false;
        cli_table_row(&t,
            (const struct slice[]){ cli_inert(c, json_get_str(p, "url")),
                json_get_str(p, "state"),
                or_dash(cli_inert(c, json_get_str(p, "node_id"))),
                count_of(c, json_get(p, "failures")),
                count_of(c, json_get(p, "violations")), latency_of(c, p),
                heard_of(c, link),
                or_dash(cli_inert(c, json_get_str(p, "trouble"))) });
    }
    for (const struct json *l = first_of(answer, "links"); l; l = l->next)
        if (json_get(l, "address") != NULL) {
            is_empty = false;
            cli_table_row(&t,
                (const struct slice[]){
                    cli_printf(
                        c, "from %.*s", SLICE_FMT(json_get_str(l, "address"))),
                    SLICE_LIT("connected"),
                    or_dash(cli_inert(c, json_get_str(l, "node_id"))), none,
                    none, none, heard_of(c, l),
                    or_dash(isync_trouble_with(l, answer)) });
        }
    if (!is_empty)
        cli_table_print(&t);
    else
        (void)puts("no node is connected, and none is called: syncline isync "
                   "connect URL");
}

/* How it speaks, and of whom the list of nodes is. */
static void print_manner(struct cli *c, const struct json *answer)
{
    const struct json *list = json_get(answer, "discovery");
    const struct slice url = json_get_str(list, "url");
    const struct slice why = json_get_str(list, "trouble");
    const bool sealed = json_get_bool(answer, "token", false);
    const bool clear = json_get_bool(answer, "clear", false);
    const int64_t port = json_get_int(answer, "port", 0);

    if (port > 0)
        (void)printf("served at port %lld; ", (long long)port);
    else
        (void)printf("not served (isync.server, isync.bind); ");
    (void)puts(sealed && clear ? "what is said is sealed, and in clear, too"
            : sealed           ? "what is said is sealed by the token"
            : clear            ? "what is said is in clear"
                               : "nothing is said: there is no token");
    if (url.len == 0)
        return;
    (void)printf("list of nodes at %.*s: ", SLICE_FMT(cli_inert(c, url)));
    if (why.len > 0)
        (void)printf("%.*s\n", SLICE_FMT(cli_inert(c, why)));
    else if (json_get_int(list, "fetched", 0) == 0)
        (void)puts("not fetched yet");
    else
        (void)printf("%lld\n", (long long)json_get_int(list, "listed", 0));
}

static void print_unread(struct cli *c, const struct json *answer)
{
    const int64_t all = json_get_int(answer, "unread_of_n", 0);

    if (all == 0)
        return;
    (void)printf("kept and passed on as it came, and not readable here, as it "
                 "is sealed by another token: of %lld node%s\n",
        (long long)all, all == 1 ? "" : "s");
    for (const struct json *e = first_of(answer, "unread_of"); e; e = e->next)
        (void)printf("  %.*s\n", SLICE_FMT(cli_inert(c, e->s)));
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
    print_manner(c, answer);
    isync_print_nodes(c, answer);
    print_native(c, answer);
    print_unread(c, answer);
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

static int connect_to(struct cli *c, bool off)
{
    struct json *request =
        cli_request(c, off ? "isync_disconnect" : "isync_connect");

    if (c->argc != 2)
        return cli_usage(c,
            off ? "which one? isync disconnect URL"
                : "which one? isync connect URL");
    cli_set(c, request, "url", c->argv[1]);
    return cli_do(
        c, request, off ? "it is called no more" : "it is called from now on");
}

/* ---- the token ---- */

static struct slice first_line(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] != '\n' && s.ptr[n] != '\r')
        n++;
    return SLICE(s.ptr, n);
}

/* One that the nodes have already. */
static int take_token(struct cli *c, struct buf *out, struct errmsg *why)
{
    struct slice text, line;

    if (isatty(STDIN_FILENO))
        (void)fputs("The token, then Enter and Ctrl-D: ", stderr);
    if (cli_read_all(c, "-", &text) != CLI_DONE)
        return errmsg_set(why, SYNCLINE_EIO, "there is no token");
    line = first_line(text);
    if (line.len == 0 || !utf8_valid(line) ||
        memchr(line.ptr, 0, line.len) != NULL)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "a token is one line of text; give it on standard input");
    buf_put_slice(out, line);
    crypto_wipe((void *)(uintptr_t)text.ptr, text.len);
    return buf_status(out);
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
    if (rc == SYNCLINE_OK && c->flag[TAKE_] != NULL)
        rc = take_token(c, token, why);
    if (rc == SYNCLINE_OK && is_there && c->flag[FORCE_] == NULL &&
        !slice_eq(first_line(buf_slice(&old)), buf_slice(token)))
        rc = errmsg_set(why, SYNCLINE_EEXIST,
            "%s: there is a token already; --force puts another in its place, "
            "which then has to be given to all nodes",
            file.path);
    if (rc == SYNCLINE_OK && c->flag[TAKE_] == NULL)
        rc = make_token(token);
    buf_put_slice(&text, buf_slice(token));
    buf_put_u8(&text, '\n');
    if (is_there && !slice_eq(first_line(buf_slice(&old)), buf_slice(token))) {
        buf_put_slice(&text, first_line(buf_slice(&old)));
        buf_put_u8(&text, '\n');
    }
    if (rc == SYNCLINE_OK)
        rc = buf_status(&text);
    if (rc == SYNCLINE_OK && mkdir(c->dir, 0700) != 0 && errno != EEXIST)
        rc = errmsg_set(why, SYNCLINE_EIO, "%s: %s", c->dir, strerror(errno));
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
    else if (c->flag[TAKE_] != NULL)
        (void)fprintf(stderr, "It is kept in %s/isync.token.\n", c->dir);
    else if (c->json)
        (void)printf("{\"token\":\"%.*s\"}\n", SLICE_FMT(buf_slice(&token)));
    else
        (void)printf("%.*s\n", SLICE_FMT(buf_slice(&token)));
    if (rc == SYNCLINE_OK)
        rc = cli_flush(c);
    if (rc == CLI_DONE && !c->json && c->flag[TAKE_] == NULL)
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

    if (strcmp(what, "connect") == 0 || strcmp(what, "disconnect") == 0)
        return connect_to(c, what[0] == 'd');
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
        "\"%.60s\" is none of sync, connect, disconnect, pause, resume, key, "
        "token",
        what);
}

const struct command cmd_isync = {
    .name = "isync",
    .args = "[sync | connect URL | disconnect URL | pause | resume | key "
            "[--take] [--force] | token [--period N]]",
    .summary = "iSync nodes: who is connected; call one; make the token",
    .help = "Without a word: who is connected, and what is not told. `sync` "
            "says all that is here\nto all of them at once. `connect` calls a "
            "node, from now on, as isync.peers does; `disconnect`\nno more. "
            "`key` makes the token that all nodes share, shows it once and "
            "writes\nDIR/isync.token; with --take it writes the one that the "
            "nodes have already, a line on\nstandard input. With --force it "
            "takes the place of another one, and what was sealed by\nthat is "
            "still read for isync.overlap. `token` shows what a node must be "
            "given that does\nnot follow isync.rotate: the token of this "
            "period, of the `next`, or of number N.",
    .flags = flags,
    .max = 2,
    .run = run,
};
