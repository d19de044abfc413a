/* cmd_members.c - who is in, as what; what changes that; keys. */
#include "app/cmd/cli.h"

/* A list of names, as "a,b" or given again and again. */
static int set_spaces(struct cli *c, struct json *request, const char *text)
{
    struct json *list = json_new(&c->arena, JSON_ARRAY);
    struct slice rest = slice_str(text);

    while (rest.len > 0) {
        const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
        size_t n = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;

        if (n > 0)
            (void)json_append(
                list, json_new_str(&c->arena, SLICE(rest.ptr, n)));
        rest = slice_from(rest, n < rest.len ? n + 1 : n);
    }
    cli_set_json(request, "spaces", list);
    return list != NULL && list->n > 0
        ? CLI_DONE
        : cli_usage(c, "--space: give the name of a space");
}

int cli_set_terms(
    struct cli *c, struct json *request, const char *role, const char *spaces)
{
    if (role != NULL)
        cli_set(c, request, "role", role);
    return spaces != NULL ? set_spaces(c, request, spaces) : CLI_DONE;
}

struct slice cli_rights(struct cli *c, const struct json *m, const char *name)
{
    const struct json *spaces = json_get(m, name);
    struct slice text = SLICE_LIT("");

    if (spaces == NULL || spaces->type != JSON_ARRAY)
        return SLICE_LIT("all");
    for (const struct json *e = spaces->first; e != NULL; e = e->next)
        text = cli_printf(c, "%.*s%s%.*s", SLICE_FMT(text),
            text.len > 0 ? "," : "", SLICE_FMT(cli_inert(c, cli_text(c, e))));
    return text.len > 0 ? text : SLICE_LIT("none");
}

/* ---- members ---- */

enum { ALL };

static const struct cli_flag members_flags[] = {
    { "all", NULL, "removed devices, too" },
    { NULL, NULL, NULL },
};

static void print_members(struct cli *c, const struct json *members)
{
    static const char *const heads[] = { "NAME", "DEVICE", "ROLE", "SPACES",
        "BY", "SINCE", "CONNECTED" };
    struct cli_table t;

    cli_table_init(&t, c, "lllllll", heads);
    for (const struct json *m = members ? members->first : NULL; m != NULL;
         m = m->next) {
        bool gone = json_get_bool(m, "removed", false);
        struct slice device = json_get_str(m, "device");
        struct slice by = json_get_str(m, "by_name");

        if (device.len > 12)
            device.len = 12;
        if (by.len == 0)
            by = SLICE(json_get_str(m, "by").ptr, 12);
        cli_table_row(&t,
            (const struct slice[]){ cli_inert(c, json_get_str(m, "name")),
                device, gone ? SLICE_LIT("removed") : json_get_str(m, "role"),
                gone ? SLICE_LIT("-") : cli_rights(c, m, "spaces"),
                cli_inert(c, by), cli_time(c, json_get_int(m, "since", 0)),
                json_get_bool(m, "self", false)            ? SLICE_LIT("here")
                    : json_get_bool(m, "connected", false) ? SLICE_LIT("yes")
                                                           : SLICE_LIT("no") });
    }
    cli_table_print(&t);
}

static int run_members(struct cli *c)
{
    struct json *request = cli_request(c, "members"), *answer;
    int rc;

    if (c->flag[ALL] != NULL)
        cli_set_json(request, "all", json_new_bool(&c->arena, true));
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    print_members(c, json_get(answer, "members"));
    return CLI_DONE;
}

const struct command cmd_members = {
    .name = "members",
    .args = "[--all]",
    .summary = "list the members of the mesh, their roles and spaces",
    .help = "An admin says who may what, a member writes, a reader reads, a "
            "relay forwards\nwhat it cannot read.",
    .flags = members_flags,
    .run = run_members,
};

/* ---- grant, revoke ---- */

enum { ROLE, SPACE, ONLY, ALL_SPACES, FORCE };

static const struct cli_flag grant_flags[] = {
    { "role", "R", "admin, member, reader or relay" },
    { "space", "S...", "a space more" },
    { "only", NULL, "the spaces of --space and no other" },
    { "all-spaces", NULL, "every space, also those to come" },
    { "force", NULL, "even if no admin is left, or this device was removed" },
    { NULL, NULL, NULL },
};

void cli_tell_effects(const struct json *answer)
{
    int64_t codes = json_get_int(answer, "codes_void", 0);

    if (codes > 0)
        (void)fprintf(stderr,
            "%lld open code%s of `syncline invite` here %s void now: whoever "
            "has less from now on might have read %s\n",
            (long long)codes, codes > 1 ? "s" : "", codes > 1 ? "are" : "is",
            codes > 1 ? "them" : "it");
    if (json_get_bool(answer, "unheard", false))
        (void)fputs("this stands on this device only: it was removed itself, "
                    "and none of the others hears of it\n",
            stderr);
}

/* "b (0123...) is a reader of default, shed" */
static void print_rights(struct cli *c, const struct json *answer)
{
    const struct slice spaces = cli_rights(c, answer, "spaces");
    const struct slice role = json_get_str(answer, "role");

    (void)printf("%.*s (%.*s) %s %s %.*s",
        SLICE_FMT(cli_inert(c, json_get_str(answer, "name"))),
        SLICE_FMT(json_get_str(answer, "device")),
        json_get_bool(answer, "changed", true)
            ? "is now"
            : "was that already, nothing was changed:",
        slice_is(role, "admin") ? "an" : "a", SLICE_FMT(role));
    (void)printf(slice_is(spaces, "all") ? " of all spaces\n"
            : slice_is(spaces, "none")   ? " of no space\n"
                                         : ", spaces: %.*s\n",
        SLICE_FMT(spaces));
}

static int call_device(struct cli *c, struct json *request)
{
    struct json *answer;
    int rc;

    cli_set(c, request, "device", c->argv[0]);
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    print_rights(c, answer);
    cli_tell_effects(answer);
    return CLI_DONE;
}

static int run_grant(struct cli *c)
{
    struct json *request = cli_request(c, "grant");
    int rc = cli_set_terms(c, request, c->flag[ROLE], c->flag[SPACE]);

    if (c->flag[ONLY] != NULL)
        cli_set_json(request, "only", json_new_bool(&c->arena, true));
    if (c->flag[ALL_SPACES] != NULL)
        cli_set_json(request, "all_spaces", json_new_bool(&c->arena, true));
    if (c->flag[FORCE] != NULL)
        cli_set_json(request, "force", json_new_bool(&c->arena, true));
    if (rc == CLI_DONE)
        rc = call_device(c, request);
    if (rc == CLI_DONE && c->flag[ROLE] != NULL &&
        strcmp(c->flag[ROLE], "relay") == 0)
        cli_say(c,
            "it forgets what it has, but it knows the keys of until now; a "
            "relay that never could read is one that came in as a relay: "
            "syncline invite --role relay");
    return rc;
}

const struct command cmd_grant = {
    .name = "grant",
    .args = "DEVICE [--role R] [[--only] --space S]... [--all-spaces] "
            "[--force]",
    .summary = "give a member another role, or other spaces",
    .help = "DEVICE is its name, or at least the first seven characters of its "
            "id. --space\nadds a space to those that it has; with --only it "
            "has those of --space and no\nother. An admin has all. What it is "
            "from now on is printed. What it\nhas written counts as far as it "
            "is known here; "
            "later writes that its role does\nnot allow are merged by nobody.",
    .flags = grant_flags,
    .min = 1,
    .max = 1,
    .run = run_grant,
};

enum { REVOKE_SPACE, REVOKE_FORCE };

static const struct cli_flag revoke_flags[] = {
    { "space", "S...", "the space" },
    { "force", NULL, "though a member says that this device was removed" },
    { NULL, NULL, NULL },
};

static int run_revoke(struct cli *c)
{
    struct json *request = cli_request(c, "revoke");
    int rc = c->flag[REVOKE_SPACE] == NULL
        ? cli_usage(c, "say which spaces are taken from it: --space S")
        : cli_set_terms(c, request, NULL, c->flag[REVOKE_SPACE]);

    if (c->flag[REVOKE_FORCE] != NULL)
        cli_set_json(request, "force", json_new_bool(&c->arena, true));
    return rc == CLI_DONE ? call_device(c, request) : rc;
}

const struct command cmd_revoke = {
    .name = "revoke",
    .args = "DEVICE --space S... [--force]",
    .summary = "take spaces from a member",
    .help = "What it has read of them, it keeps.",
    .flags = revoke_flags,
    .min = 1,
    .max = 1,
    .run = run_revoke,
};

/* ---- rotate ---- */

enum { ROTATE_FORCE };

static const struct cli_flag rotate_flags[] = {
    { "force", NULL, "though a member says that this device was removed" },
    { NULL, NULL, NULL },
};

static int run_rotate(struct cli *c)
{
    struct json *request = cli_request(c, "rotate");

    if (c->flag[ROTATE_FORCE] != NULL)
        cli_set_json(request, "force", json_new_bool(&c->arena, true));
    return cli_do(c, request, "the mesh has a new key");
}

const struct command cmd_rotate = {
    .name = "rotate",
    .args = "[--force]",
    .summary = "make a new key for the mesh",
    .help = "A removal does so by itself. Members that are away get the key "
            "when they are\nback.",
    .flags = rotate_flags,
    .run = run_rotate,
};
