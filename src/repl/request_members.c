/* The local interface, doc/api.md: who is a member, as what; keys. */
#include "base/text.h"
#include "repl/audit.h"
#include "repl/request_admin.h"

#include <stdlib.h>

static bool names_member(const struct member *m, struct slice text)
{
    char hex[2 * DEVICE_ID_LEN + 1];

    hex_encode(hex, device_slice(&m->device));
    return slice_eq(m->name, text) ||
        (text.len >= 7 && slice_has_prefix(slice_str(hex), text));
}

int admin_find_member(
    struct admin *q, struct slice text, const struct member **out)
{
    const struct member *found = NULL;

    for (size_t i = 0; i < members_n(q->n->members); i++) {
        const struct member *m = members_at(q->n->members, i);

        if (!names_member(m, text))
            continue;
        if (found != NULL)
            return errmsg_set(q->why, SYNCLINE_EINVAL,
                "%.*s: several devices are called so; give the first digits "
                "of its id (`syncline members`)",
                SLICE_FMT(text));
        found = m;
    }
    *out = found;
    return found != NULL ? SYNCLINE_OK
                         : errmsg_set(q->why, SYNCLINE_ENOTFOUND,
                               "%.*s: no such device; `syncline members` "
                               "lists them",
                               SLICE_FMT(text));
}

/* ---- who is in ---- */

static void put_member(
    struct node *n, struct buf *b, const struct member *m, bool removed)
{
    const struct member *by = members_get(n->members, &m->by);
    bool self = device_eq(&m->device, &n->device);

    buf_put_str(b, "{\"device\":");
    put_device_hex(b, &m->device);
    buf_put_str(b, ",\"name\":");
    json_print_string(b, m->name, false);
    access_put_rights(n, b, removed ? NULL : m, "spaces");
    buf_put_str(b, ",\"by\":");
    put_device_hex(b, &m->by);
    buf_put_str(b, ",\"by_name\":");
    if (by != NULL)
        json_print_string(b, by->name, false);
    else
        buf_put_str(b, "null");
    buf_printf(b,
        ",\"since\":%llu,\"self\":%s,\"connected\":%s,\"removed\":%s}",
        (unsigned long long)m->at, self ? "true" : "false",
        self || conn_of(n, &m->device) != NULL ? "true" : "false",
        removed ? "true" : "false");
}

int admin_members(struct admin *q)
{
    struct node *n = q->n;
    bool all = json_get_bool(q->args, "all", false);
    struct buf b = { 0 };
    struct member gone;

    buf_put_str(&b, "{\"ok\":true,\"members\":[");
    for (size_t i = 0; i < members_n(n->members); i++) {
        buf_put_str(&b, i > 0 ? "," : "");
        put_member(n, &b, members_at(n->members, i), false);
    }
    for (size_t i = 0; all && members_removed_at(n->members, i, &gone); i++) {
        buf_put_str(&b, i + members_n(n->members) > 0 ? "," : "");
        put_member(n, &b, &gone, true);
    }
    buf_put_str(&b, "]}");
    return admin_reply(q, &b);
}

/* ---- what changes it ---- */

/* Answers with the device and what it may now (NULL: nothing), once it is
 * durable. `less` voids all codes. */
static int answer_of(struct admin *q, const struct member *m,
    const struct member *now, bool less)
{
    struct node *n = q->n;
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    size_t codes = less ? invites_open_n(n->invites, n->now_us) : 0;
    struct buf also = { 0 };
    int rc = admin_reply_durable(q, mesh, 0);

    buf_put_str(&also, ",\"device\":");
    put_device_hex(&also, &m->device);
    buf_put_str(&also, ",\"name\":");
    json_print_string(&also, m->name, false);
    access_put_rights(n, &also, now, "spaces");
    buf_printf(&also, ",\"codes_void\":%zu,\"unheard\":%s", codes,
        n->removed_told ? "true" : "false");
    if (rc == SYNCLINE_OK)
        rc = buf_status(&also);
    if (rc == SYNCLINE_OK)
        rc = wait_also(q->n, buf_slice(&also));
    buf_free(&also);
    return rc;
}

/* A mesh without an admin can let nobody in, ever. Of two who demote each
 * other at once the records let one stay; of two who step down, none. */
static int check_last(struct admin *q, const struct member *m)
{
    bool self = device_eq(&m->device, &q->n->device);
    bool last = members_admins(q->n->members) == 1;

    if (m->role != ROLE_ADMIN || (!last && !self) ||
        json_get_bool(q->args, "force", false))
        return SYNCLINE_OK;
    if (last)
        return errmsg_set(q->why, SYNCLINE_EDENIED,
            "%.*s is the last admin: without one nobody could be let in, "
            "changed or removed any more; make another one an admin first, or "
            "say --force",
            SLICE_FMT(m->name));
    return errmsg_set(q->why, SYNCLINE_EDENIED,
        "this device would demote itself: if another admin does the same "
        "before they hear of each other, none is left; do it on another "
        "admin, or say --force");
}

static int write_grant(
    struct admin *q, const struct member *m, const struct pair_terms *t)
{
    struct node *n = q->n;
    struct member now = *m;
    struct cert_id made;
    int rc;

    now.role = t->role;
    now.some_spaces = t->some_spaces;
    now.spaces = t->spaces;
    now.spaces_n = t->spaces_n;
    if (m->role == t->role && m->some_spaces == t->some_spaces &&
        m->spaces_n == t->spaces_n &&
        (t->spaces_n == 0 ||
            memcmp(m->spaces, t->spaces, t->spaces_n * sizeof *t->spaces) == 0))
        return answer_of(q, m, &now, false); /* it is so already */
    rc = access_admit(n, m->spki, m->name, t, &made);
    if (rc == SYNCLINE_OK)
        rc = answer_of(q, m, &now, member_has_less(&now, m));
    if (rc == SYNCLINE_OK)
        rc = node_audit_terms(n, "role", &m->device, m->name, t);
    return rc;
}

static void add_token(struct pair_terms *t, const struct space_token *token)
{
    uint32_t at = 0;

    while (at < t->spaces_n &&
        memcmp(t->spaces[at].b, token->b, SPACE_TOKEN_LEN) < 0)
        at++;
    if ((at < t->spaces_n && space_token_eq(&t->spaces[at], token)) ||
        t->spaces_n == INVITE_SPACES_MAX)
        return;
    memmove(&t->spaces[at + 1], &t->spaces[at],
        (t->spaces_n - at) * sizeof *t->spaces);
    t->spaces[at] = *token;
    t->spaces_n++;
}

/* What it has; the spaces are named one by one from here on if `list`. */
static int terms_of(
    struct admin *q, const struct member *m, bool list, struct pair_terms *out)
{
    *out =
        (struct pair_terms){ .role = m->role, .some_spaces = m->some_spaces };
    if (m->spaces_n > INVITE_SPACES_MAX)
        return errmsg_set(q->why, SYNCLINE_ELIMIT,
            "%.*s has more than %d spaces; grant it all of them",
            SLICE_FMT(m->name), INVITE_SPACES_MAX);
    for (uint32_t i = 0; i < m->spaces_n; i++)
        add_token(out, &m->spaces[i]);
    for (const struct space *sp = q->n->spaces;
         list && !m->some_spaces && sp != NULL; sp = sp->next)
        if (!space_is_inner(sp) && space_shown(sp))
            add_token(out, &sp->token);
    out->some_spaces = m->some_spaces || list;
    return SYNCLINE_OK;
}

/* The request's role and spaces, for whoever may grant them. */
static int read_change(
    struct admin *q, const struct member **m, struct pair_terms *given)
{
    int rc = access_read_terms(q->n, q->args, given, q->why);

    if (rc == SYNCLINE_OK)
        rc = access_check_heeded(q->n, q->args, q->why);
    return rc == SYNCLINE_OK
        ? admin_find_member(q, json_get_str(q->args, "device"), m)
        : rc;
}

/* Is it said what is granted, and can it be? A space more for who has all
 * would be none: who asks for that means these and no other. */
static int check_granted(
    struct admin *q, const struct member *m, const struct pair_terms *given)
{
    bool role = json_get(q->args, "role") != NULL;
    bool all = json_get_bool(q->args, "all_spaces", false);
    bool only = json_get_bool(q->args, "only", false);

    if (!role && !given->some_spaces && !all)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "say what is granted: a role, spaces, or all of them");
    if (given->some_spaces && all)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "give --space or --all-spaces, not both; nothing was changed");
    if (only && !given->some_spaces)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "--only: say which spaces it is to have: --space S");
    if (!role && m->role == ROLE_ADMIN)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "%.*s is an admin and has all spaces; nothing was changed. To let "
            "it have some only give it another role, too: `syncline grant %.*s "
            "--role member --only --space S`",
            SLICE_FMT(m->name), SLICE_FMT(m->name));
    if (given->some_spaces && !only && !m->some_spaces)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "%.*s has all spaces, so that none can be added; nothing was "
            "changed. To let it have these and no other say --only, too",
            SLICE_FMT(m->name));
    return SYNCLINE_OK;
}

int admin_grant(struct admin *q)
{
    struct pair_terms given, terms;
    const struct member *m = NULL;
    int rc = read_change(q, &m, &given);

    if (rc == SYNCLINE_OK)
        rc = check_granted(q, m, &given);
    if (rc != SYNCLINE_OK)
        return rc;
    terms = (struct pair_terms){ .role = m->role, .some_spaces = true };
    if (!json_get_bool(q->args, "only", false))
        rc = terms_of(q, m, false, &terms);
    if (rc != SYNCLINE_OK)
        return rc;
    if (json_get(q->args, "role") != NULL)
        terms.role = given.role;
    for (uint32_t i = 0; i < given.spaces_n; i++)
        add_token(&terms, &given.spaces[i]);
    if (terms.role == ROLE_ADMIN ||
        json_get_bool(q->args, "all_spaces", false)) {
        terms.some_spaces = false;
        terms.spaces_n = 0;
    }
    if (terms.role != ROLE_ADMIN)
        rc = check_last(q, m);
    return rc == SYNCLINE_OK ? write_grant(q, m, &terms) : rc;
}

int admin_revoke(struct admin *q)
{
    struct pair_terms given, terms;
    const struct member *m = NULL;
    uint32_t kept = 0;
    int rc = read_change(q, &m, &given);

    if (rc == SYNCLINE_OK && !given.some_spaces)
        rc = errmsg_set(q->why, SYNCLINE_EINVAL,
            "say which spaces are taken from it: --space S");
    if (rc == SYNCLINE_OK && m->role == ROLE_ADMIN)
        rc = errmsg_set(q->why, SYNCLINE_EINVAL,
            "%.*s is an admin and has all spaces; give it another role "
            "first: `syncline grant %.*s --role member`",
            SLICE_FMT(m->name), SLICE_FMT(m->name));
    if (rc == SYNCLINE_OK)
        rc = terms_of(q, m, true, &terms);
    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < terms.spaces_n; i++) {
        bool taken = false;

        for (uint32_t k = 0; k < given.spaces_n; k++)
            taken = taken || space_token_eq(&terms.spaces[i], &given.spaces[k]);
        if (!taken)
            terms.spaces[kept++] = terms.spaces[i];
    }
    terms.spaces_n = kept;
    return write_grant(q, m, &terms);
}

static int write_removed(struct admin *q, const struct member *m)
{
    struct node *n = q->n;
    struct members_cut cut = { .any = false };
    struct buf key = { 0 }, value = { 0 };
    int rc = access_cut(n, &m->device, NULL, &cut);

    if (rc == SYNCLINE_OK)
        rc = members_make_removed(n->members, &key, &value, &m->device,
            buf_slice(&cut.text), n->wall_us);
    if (rc == SYNCLINE_ELIMIT)
        rc = errmsg_set(q->why, rc,
            "%.*s: the record that says so would be longer than the others "
            "take; nothing was changed",
            SLICE_FMT(m->name));
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(n, buf_slice(&key), buf_slice(&value));
    buf_free(&cut.text);
    buf_free(&key);
    buf_free(&value);
    return rc;
}

int admin_remove(struct admin *q)
{
    const struct member *m = NULL;
    int rc = access_check_admin(q->n, q->why);

    if (rc == SYNCLINE_OK)
        rc = access_check_heeded(q->n, q->args, q->why);
    if (rc == SYNCLINE_OK)
        rc = admin_find_member(q, json_get_str(q->args, "device"), &m);
    if (rc == SYNCLINE_OK && device_eq(&m->device, &q->n->device))
        rc = errmsg_set(q->why, SYNCLINE_EINVAL,
            "this is the device itself; remove it from another one, or join "
            "another mesh with --leave");
    if (rc == SYNCLINE_OK)
        rc = check_last(q, m);
    if (rc == SYNCLINE_OK)
        rc = write_removed(q, m);
    if (rc == SYNCLINE_OK)
        rc = node_audit_device(q->n, "remove", &m->device, m->name);
    if (rc == SYNCLINE_OK)
        rc = answer_of(q, m, NULL, true);
    if (rc == SYNCLINE_OK)
        q->n->rotate_due = true; /* it knows the key there is */
    return rc;
}

int admin_rotate(struct admin *q)
{
    struct space *mesh = space_by_name(q->n, SLICE_LIT(MESH_SPACE));
    uint64_t epoch = 0;
    struct buf also = { 0 };
    int rc = access_check_admin(q->n, q->why);

    if (rc == SYNCLINE_OK)
        rc = access_check_heeded(q->n, q->args, q->why);
    if (rc == SYNCLINE_OK)
        rc = epochs_rotate(q->n, &epoch);
    if (rc == SYNCLINE_OK)
        rc = admin_reply_durable(q, mesh, 0);
    buf_printf(&also, ",\"epoch\":%llu,\"unheard\":%s",
        (unsigned long long)epoch, q->n->removed_told ? "true" : "false");
    if (rc == SYNCLINE_OK)
        rc = buf_status(&also);
    if (rc == SYNCLINE_OK)
        rc = wait_also(q->n, buf_slice(&also));
    buf_free(&also);
    return rc;
}
