/* cmd_peers.c - the other members and how far each is. */
#include "app/cmd/cmd_peers.h"

/* "waiting", or "waiting, parked": nobody waits for it with what is deleted;
 * or "connected, twice": two copies of it run. */
static struct slice state_of(struct cli *c, const struct json *p)
{
    const struct slice state = json_get_str(p, "state");
    const bool parked = json_get_bool(p, "parked", false);
    const bool twice = json_get_bool(p, "copies", false);

    return parked || twice
        ? cli_printf(c, "%.*s%s%s", SLICE_FMT(state), parked ? ", parked" : "",
              twice ? ", twice" : "")
        : state;
}

void peers_print(struct cli *c, const struct json *peers, bool only_relay)
{
    static const char *const heads[] = { "NAME", "DEVICE", "ADDRESS", "STATE",
        "ROUND TRIP", "CLOCK", "BEHIND" };
    struct cli_table t;

    if (peers == NULL || peers->n == 0) {
        (void)puts(only_relay
                ? "no other member yet; let it in by a code of a member: "
                  "syncline invite --role relay"
                : "no other member yet; make a code with: syncline invite");
        return;
    }
    cli_table_init(&t, c, "llllrrr", heads);
    for (const struct json *p = peers->first; p != NULL; p = p->next) {
        const struct json *rtt = json_get(p, "rtt_us");
        const struct json *offset = json_get(p, "offset_us");
        struct slice device = json_get_str(p, "device");
        const bool known = rtt != NULL && rtt->type == JSON_INT;

        if (device.len > 12)
            device.len = 12;
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(p, "name"), device,
                json_get_str(p, "address"), state_of(c, p),
                known ? cli_us(c, rtt->i) : SLICE_LIT("-"),
                offset && offset->type == JSON_INT ? cli_us(c, offset->i)
                                                   : SLICE_LIT("-"),
                json_get_bool(p, "behind", true) ? SLICE_LIT("yes")
                                                 : SLICE_LIT("no") });
    }
    cli_table_print(&t);
}

/* ---- nodes of older systems ---- */

static const struct older {
    const char *op, *title, *none;
    void (*add)(struct cli *c, const struct json *answer, struct json *list);
} systems[] = {
    { "isync", "iSync nodes", "", isync_add_rows },
    { "lansync", "LAN-sync nodes",
        "no node is connected or near, and none is named: lansync.peers",
        lansync_add_rows },
    { "configsync", "config-sync instances",
        "no instance is connected, and none is named: configsync.peers",
        configsync_add_rows },
};

#define SYSTEMS_N (sizeof systems / sizeof *systems)

/* *out NULL: they are not spoken with. */
static int ask_older(struct cli *c, const char *op, struct json **out)
{
    struct errmsg why = { "" };
    int status = SYNCLINE_OK;
    int rc = cli_try(c, cli_request(c, op), out, &status, &why);

    if (rc != CLI_DONE || status != SYNCLINE_OK)
        *out = NULL;
    return rc;
}

static int print_system(struct cli *c, const struct older *s)
{
    struct json *rows = json_new(&c->arena, JSON_ARRAY), *answer;
    int rc = ask_older(c, s->op, &answer);

    if (rc != CLI_DONE || answer == NULL)
        return rc;
    (void)printf("\n%s:\n", s->title);
    if (s->add == isync_add_rows) {
        isync_print_nodes(c, answer); /* with how often each has failed */
        return rc;
    }
    s->add(c, answer, rows);
    if (rows == NULL || rows->n == 0)
        (void)puts(s->none);
    else
        older_print(c, rows);
    return rc;
}

static int print_older(struct cli *c)
{
    int rc = CLI_DONE;

    for (size_t i = 0; i < SYSTEMS_N && rc == CLI_DONE; i++)
        rc = print_system(c, &systems[i]);
    return rc;
}

/* answer is lent until something else is asked. */
static int print_json(struct cli *c, const struct json *answer)
{
    struct json *kept = json_copy(answer, &c->arena);
    struct json *rows = json_new(&c->arena, JSON_ARRAY), *told;
    int rc = CLI_DONE;

    for (size_t i = 0; i < SYSTEMS_N && rc == CLI_DONE; i++) {
        rc = ask_older(c, systems[i].op, &told);
        if (rc == CLI_DONE && told != NULL)
            systems[i].add(c, told, rows);
    }
    cli_set_json(kept, "older", rows);
    if (kept == NULL || rows == NULL)
        return cli_fail(c, "out of memory");
    return rc == CLI_DONE ? cli_print_answer(c, kept) : rc;
}

/* Nobody is there: how somebody gets there depends on what we are. */
static int print_none(struct cli *c)
{
    struct json *request = cli_request(c, "status"), *answer;
    int rc;

    cli_set_json(request, "brief", json_new_bool(&c->arena, true));
    rc = cli_call(c, request, &answer);
    if (rc == CLI_DONE)
        peers_print(c, NULL, json_get_bool(answer, "only_relay", false));
    return rc;
}

static int run(struct cli *c)
{
    struct json *answer;
    const struct json *peers;
    int rc = cli_call(c, cli_request(c, "peers"), &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return print_json(c, answer);
    peers = json_get(answer, "peers");
    if (peers != NULL && peers->n > 0)
        peers_print(c, peers, false);
    else
        rc = print_none(c);
    return rc == CLI_DONE ? print_older(c) : rc;
}

const struct command cmd_peers = {
    .name = "peers",
    .args = "",
    .summary = "list other members, older systems' nodes, what is wrong there",
    .help = "With --json `older` lists nodes of older systems, all alike: "
            "system (isync, lansync,\nconfigsync), node_id, name, address, "
            "called (by us), state (connected, waiting, near,\noffline, "
            "refused, or member: of this mesh), speaks, heard (microseconds "
            "since 1970)\nand trouble; null where it is not known.",
    .run = run,
};
