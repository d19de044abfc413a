/* cmd_status.c - what is up here. */
#include "app/cmd/cli.h"

#include "app/cmd/cmd_peers.h"

#include <limits.h>
#include <stdlib.h>

static void print_role(struct cli *c, const struct json *s)
{
    const struct json *removed = json_get(s, "removed");
    struct slice role = json_get_str(s, "role");

    if (removed != NULL && removed->type == JSON_OBJECT)
        (void)printf("  removed    from the mesh; %.*s said so, %.*s\n",
            SLICE_FMT(cli_inert(c, json_get_str(removed, "name"))),
            SLICE_FMT(cli_time(c, json_get_int(removed, "at", 0))));
    else if (role.len > 0)
        (void)printf("  role       %.*s, spaces: %.*s; key of epoch %lld\n",
            SLICE_FMT(role), SLICE_FMT(cli_rights(c, s, "granted")),
            (long long)json_get_int(s, "epoch", 0));
}

/* The folder as every other one would name it. */
static const char *whole_path(const struct cli *c, char *out)
{
    return realpath(c->dir, out) != NULL ? out : c->dir;
}

static void print_head(struct cli *c, const struct json *s)
{
    const struct json *listen = json_get(s, "listen");
    char path[PATH_MAX];

    (void)printf("%.*s, up %.*s\n", SLICE_FMT(json_get_str(s, "name")),
        SLICE_FMT(cli_span(c, json_get_int(s, "uptime_s", 0))));
    (void)printf("  device     %.*s\n", SLICE_FMT(json_get_str(s, "device")));
    (void)printf("  replica    %.*s\n", SLICE_FMT(json_get_str(s, "replica")));
    (void)printf("  mesh       %.*s\n", SLICE_FMT(json_get_str(s, "mesh")));
    print_role(c, s);
    (void)printf("  listening ");
    if (listen != NULL && listen->type == JSON_ARRAY)
        for (const struct json *a = listen->first; a != NULL; a = a->next)
            (void)printf(" %.*s", SLICE_FMT(cli_text(c, a)));
    else
        (void)printf(" %.*s", SLICE_FMT(cli_text(c, listen)));
    (void)printf("\n  folder     %s\n", whole_path(c, path));
    (void)printf("  store      %.*s on disk, %.*s in memory\n",
        SLICE_FMT(cli_bytes(c, json_get_int(s, "store_bytes", 0))),
        SLICE_FMT(cli_bytes(c, json_get_int(s, "rss_bytes", 0))));
}

/* What somebody should see to. */
static void print_news(struct cli *c, const struct json *s)
{
    const struct json *spaces = json_get(s, "spaces");
    int64_t rescue = 0;

    for (const struct json *k = spaces ? spaces->first : NULL; k; k = k->next)
        rescue += json_get_int(k, "rescue", 0);
    if (rescue > 0)
        (void)printf("  to rescue  %.*s, see: syncline rescue\n",
            SLICE_FMT(cli_count(c, rescue)));
    if (json_get_bool(s, "copies", false))
        (void)puts("  copies     this device runs twice, see: syncline doctor");
    if (json_get(s, "forks") != NULL && json_get(s, "forks")->n > 0)
        (void)puts(
            "  forks      somebody wrote two things under one name, see: "
            "syncline doctor");
}

static void print_files(const struct json *files)
{
    const int64_t bound = json_get_int(files, "bound", 0);
    const int64_t troubled = json_get_int(files, "troubled", 0);

    if (bound == 0)
        return;
    (void)printf("  files      %lld bound", (long long)bound);
    if (troubled > 0)
        (void)printf(
            ", %lld in trouble, see: syncline bindings", (long long)troubled);
    (void)putchar('\n');
}

/* Older instances: whether they come, and whom of them we reach. */
static void print_configsync(struct cli *c, const struct json *s)
{
    if (s == NULL)
        return;
    (void)fputs("  configsync ", stdout);
    configsync_print(c, s, "             ");
}

static void print_isync(struct cli *c, const struct json *s)
{
    const struct slice trouble = json_get_str(s, "trouble");

    if (s == NULL)
        return;
    (void)printf("  isync      %.*s, %lld connected, %lld registers, see: "
                 "syncline isync\n",
        SLICE_FMT(cli_inert(c, json_get_str(s, "space"))),
        (long long)json_get_int(s, "connected", 0),
        (long long)json_get_int(s, "registers", 0));
    if (trouble.len > 0)
        (void)printf("             %.*s\n", SLICE_FMT(cli_inert(c, trouble)));
}

/* Who was named and is not reached is said here, the others by `peers`. */
static void print_lansync(struct cli *c, const struct json *s)
{
    const struct json *links = json_get(s, "connections");
    const struct json *refused = json_get(s, "refused");
    const struct json *peers = json_get(s, "peers");
    const int64_t port = json_get_int(s, "port", 0);
    const int64_t lacking = json_get_int(s, "lacking_n", 0);

    if (s == NULL)
        return;
    (void)printf("  lansync    %.*s, ",
        SLICE_FMT(cli_inert(c, json_get_str(s, "space"))));
    if (port > 0)
        (void)printf("served on port %lld, ", (long long)port);
    (void)printf("%u connected, see: syncline peers\n",
        links != NULL ? (unsigned)links->n : 0);
    for (const struct json *r = refused ? refused->first : NULL; r; r = r->next)
        (void)printf("             %.*s is not served: %.*s\n",
            SLICE_FMT(cli_inert(c, json_get_str(r, "address"))),
            SLICE_FMT(cli_inert(c, json_get_str(r, "trouble"))));
    for (const struct json *p = peers ? peers->first : NULL; p; p = p->next) {
        const struct slice why = json_get_str(p, "trouble");

        if (!json_get_bool(p, "found", false) && why.len > 0)
            (void)printf("             %.*s:%lld: %.*s\n",
                SLICE_FMT(cli_inert(c, json_get_str(p, "host"))),
                (long long)json_get_int(p, "port", 0),
                SLICE_FMT(cli_inert(c, why)));
    }
    if (lacking > 0)
        (void)printf("             too long to be told: %lld, see: syncline "
                     "doctor\n",
            (long long)lacking);
}

static void print_spaces(struct cli *c, const struct json *spaces)
{
    static const char *const heads[] = { "SPACE", "ITEMS", "DELETED",
        "CONFLICTS", "FINGERPRINT" };
    struct cli_table t;

    cli_table_init(&t, c, "lrrrl", heads);
    for (const struct json *s = spaces ? spaces->first : NULL; s; s = s->next)
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(s, "name"),
                cli_count(c, json_get_int(s, "items", 0)),
                cli_count(c, json_get_int(s, "deleted", 0)),
                cli_count(c, json_get_int(s, "conflicts", 0)),
                cli_text(c, json_get(s, "fingerprint")) });
    (void)putchar('\n');
    cli_table_print(&t);
}

/* What a relay keeps for others, by the tokens of their spaces. */
static void print_carried(struct cli *c, const struct json *carries)
{
    static const char *const heads[] = { "CARRIES", "SEALED ITEMS", "DELETED" };
    struct cli_table t;

    if (carries == NULL)
        return;
    cli_table_init(&t, c, "lrr", heads);
    for (const struct json *s = carries->first; s != NULL; s = s->next)
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(s, "token"),
                cli_count(c, json_get_int(s, "items", 0)),
                cli_count(c, json_get_int(s, "deleted", 0)) });
    (void)putchar('\n');
    cli_table_print(&t);
}

/* Nothing is said of clocks that are right. */
static void print_clock(const struct json *clock)
{
    if (clock != NULL && !json_get_bool(clock, "ok", true))
        (void)printf(
            "\nclocks: %.*s\n", SLICE_FMT(json_get_str(clock, "verdict")));
}

static int run(struct cli *c)
{
    struct json *answer;
    int rc = cli_call(c, cli_request(c, "status"), &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    print_head(c, answer);
    print_files(json_get(answer, "files"));
    print_configsync(c, json_get(answer, "configsync"));
    print_isync(c, json_get(answer, "isync"));
    print_lansync(c, json_get(answer, "lansync"));
    print_news(c, answer);
    print_spaces(c, json_get(answer, "spaces"));
    print_carried(c, json_get(answer, "carries"));
    print_clock(json_get(answer, "clock"));
    (void)putchar('\n');
    peers_print(c, json_get(answer, "peers"),
        json_get_bool(answer, "only_relay", false));
    return CLI_DONE;
}

const struct command cmd_status = {
    .name = "status",
    .args = "",
    .summary = "say what is up here: spaces, peers, sizes",
    .run = run,
};
