#include "repl/roster.h"

#include "base/hash.h"
#include "repl/access_impl.h"
#include "repl/node_impl.h"

#include <stdlib.h>

struct roster_entry {
    struct device_id device;
    enum member_role role;
    bool some_spaces;
    uint32_t spaces_crc;
    uint64_t at;
};

void roster_forget(struct roster *r)
{
    free(r->list);
    *r = (struct roster){ 0 };
}

static struct roster_entry entry_of(const struct member *m)
{
    return (struct roster_entry){ m->device, m->role, m->some_spaces,
        m->spaces_n == 0 ? 0
                         : crc32c(0,
                               SLICE((const uint8_t *)m->spaces,
                                   m->spaces_n * sizeof *m->spaces)),
        m->at };
}

static bool is_same(const struct roster_entry *a, const struct roster_entry *b)
{
    return a->role == b->role && a->some_spaces == b->some_spaces &&
        a->spaces_crc == b->spaces_crc;
}

static int tell(struct node *n, const struct member *m, enum member_role role)
{
    const char *name = member_role_name(role);
    struct audit_field fields[] = { AUDIT_DEVICE("device", &m->device),
        AUDIT_TEXT("name", m->name), AUDIT_DEVICE("by", &m->by),
        AUDIT_TEXT("role", slice_str(name == NULL ? "none" : name)), AUDIT_END,
        AUDIT_END };
    int rc;

    if (device_eq(&m->by, &n->device))
        return SYNCLINE_OK;
    rc = audit_spaces(n, m->some_spaces || role == ROLE_NONE, m->spaces,
        m->spaces_n, &fields[4]);
    return rc == SYNCLINE_OK ? node_audit(n, "member", fields) : rc;
}

static int tell_gone(struct node *n, const struct device_id *device)
{
    struct member m;

    for (size_t i = 0; members_removed_at(n->members, i, &m); i++)
        if (device_eq(&m.device, device)) {
            m.spaces_n = 0;
            return tell(n, &m, ROLE_NONE);
        }
    return SYNCLINE_OK; /* its admission does not count any more */
}

/* Both lists are sorted by device. */
static int tell_differences(
    struct node *n, const struct roster_entry *now, size_t now_n)
{
    const struct roster *r = &n->roster;
    int rc = SYNCLINE_OK;

    for (size_t i = 0, k = 0; (i < now_n || k < r->n) && rc == SYNCLINE_OK;) {
        int c = i == now_n ? 1
            : k == r->n    ? -1
                           : device_cmp(&now[i].device, &r->list[k].device);

        if (c <= 0 && now[i].role == ROLE_RELAY &&
            (c < 0 || r->list[k].role != ROLE_RELAY ||
                r->list[k].at != now[i].at))
            acks_excuse(n, &now[i].device, NULL, true);
        if (c > 0)
            rc = tell_gone(n, &r->list[k].device);
        else if (c < 0 || !is_same(&now[i], &r->list[k]))
            rc = tell(n, members_at(n->members, i), now[i].role);
        i += c <= 0;
        k += c >= 0;
    }
    return rc;
}

int roster_tell(struct node *n)
{
    size_t now_n = members_n(n->members);
    struct roster_entry *now;
    int rc = SYNCLINE_OK;

    if (!n->roster.due)
        return SYNCLINE_OK;
    now = calloc(now_n + 1, sizeof *now);
    if (now == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < now_n; i++)
        now[i] = entry_of(members_at(n->members, i));
    if (n->roster.known)
        rc = tell_differences(n, now, now_n);
    if (rc != SYNCLINE_OK) {
        free(now);
        return rc;
    }
    roster_forget(&n->roster);
    n->roster = (struct roster){ .list = now, .n = now_n, .known = true };
    return SYNCLINE_OK;
}
