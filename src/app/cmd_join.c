/* cmd_join.c - takes this machine into the mesh that a code is for. */
#include "app/cli.h"

enum { PEER, DISCARD, LEAVE };

static const struct cli_flag flags[] = {
    { "peer", "A:P", "where the inviter is, if it cannot be found" },
    { "discard", NULL, "drop this machine's items instead of taking them" },
    { "leave", NULL, "leave a mesh that other machines share" },
    { NULL, NULL, NULL },
};

static void tell(struct cli *c, const struct json *answer)
{
    const int64_t kept = json_get_int(answer, "kept", 0);

    (void)printf("joined the mesh %.*s through %.*s (%.*s)\n",
        SLICE_FMT(json_get_str(answer, "mesh")),
        SLICE_FMT(json_get_str(answer, "name")),
        SLICE_FMT(json_get_str(answer, "device")));
    if (kept > 0)
        (void)printf("%.*s items of this machine came along\n",
            SLICE_FMT(cli_count(c, kept)));
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "join"), *answer;
    int rc;

    cli_set(c, request, "code", c->argv[0]);
    cli_set(c, request, "peer", c->flag[PEER]);
    if (c->flag[DISCARD] != NULL)
        cli_set_json(request, "discard", json_new_bool(&c->arena, true));
    if (c->flag[LEAVE] != NULL)
        cli_set_json(request, "leave", json_new_bool(&c->arena, true));
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    tell(c, answer);
    return CLI_DONE;
}

const struct command cmd_join = {
    .name = "join",
    .args = "CODE [--peer A:P] [--discard] [--leave]",
    .summary = "take this machine into another one's mesh",
    .help = "CODE is what `syncline invite` printed there. Items that this "
            "machine holds are\nkept and join those of spaces with the same "
            "name, unless --discard is given.\nA machine that shares a mesh "
            "with others already refuses without --leave.",
    .flags = flags,
    .min = 1,
    .max = 1,
    .run = run,
};
