#include "repl/audit.h"

#include "base/plant.h"
#include "base/text.h"
#include "repl/node_impl.h"
#include "repl/space_impl.h"

static struct json *value_of(struct node *n, const struct audit_field *f)
{
    struct json *v = NULL;
    char *hex;

    if (f->counts)
        return json_new_int(
            &n->step, f->number > INT64_MAX ? INT64_MAX : (int64_t)f->number);
    if (f->json.len > 0)
        return json_parse(&v, f->json, JSON_STRICT, &n->step, NULL) ==
                SYNCLINE_OK
            ? v
            : NULL;
    if (f->hex.len == 0)
        return json_new_str(&n->step, f->text);
    hex = arena_alloc(&n->step, 2 * f->hex.len + 1);
    if (hex == NULL)
        return NULL;
    hex_encode(hex, f->hex);
    return json_new_str(&n->step, SLICE(hex, 2 * f->hex.len));
}

/* By whom, as far as this step knows: who asked, or who is at the other end
 * of the connection. */
static void name_actor(struct node *n, struct effect *fx)
{
    const struct conn *c =
        n->actor_conn == 0 ? NULL : conn_by_id(n, n->actor_conn);

    fx->request = n->actor_request;
    fx->conn = c != NULL ? c->id : 0;
    if (c == NULL)
        return;
    fx->device = c->device;
    fx->remote = c->remote;
}

static int tell(struct node *n, const char *kind,
    const struct audit_field *fields, bool often)
{
    struct json *details = json_new(&n->step, JSON_OBJECT);
    struct effect *fx;
    struct buf b = { 0 };
    int rc = details == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;

    for (; fields->name != NULL && rc == SYNCLINE_OK; fields++)
        if (json_add(details, slice_str(fields->name), value_of(n, fields)) ==
            NULL)
            rc = SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK) {
        json_print(&b, details, JSON_CANONICAL);
        rc = buf_status(&b);
    }
    fx = rc == SYNCLINE_OK ? fx_add(n, FX_AUDIT) : NULL;
    if (rc == SYNCLINE_OK && fx == NULL)
        rc = SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK) {
        fx->kind = kind;
        fx->often = often;
        name_actor(n, fx);
        rc = fx_bytes(n, fx, buf_slice(&b));
    }
    buf_free(&b);
    return rc;
}

int node_audit(
    struct node *n, const char *kind, const struct audit_field *fields)
{
    return tell(n, kind, fields, false);
}

int node_audit_device(struct node *n, const char *kind,
    const struct device_id *device, struct slice name)
{
    const struct audit_field fields[] = { AUDIT_DEVICE("device", device),
        AUDIT_TEXT("name", name), AUDIT_END };

    if (PLANTED(AUDIT_SILENT))
        return SYNCLINE_OK;
    return node_audit(n, kind, fields);
}

int audit_spaces(struct node *n, bool some, const struct space_token *spaces,
    uint32_t spaces_n, struct audit_field *out)
{
    struct buf b = { 0 };
    int rc;

    buf_put_str(&b, some ? "[" : "\"all\"");
    for (uint32_t i = 0; some && i < spaces_n; i++) {
        const struct space *sp = space_by_token(n, &spaces[i]);

        buf_put_str(&b, i > 0 ? "," : "");
        if (sp != NULL && !sp->sealed) {
            json_print_string(&b, sp->name, false);
            continue;
        }
        buf_put_u8(&b, '"');
        put_hex(&b, SLICE(spaces[i].b, SPACE_TOKEN_LEN));
        buf_put_u8(&b, '"');
    }
    buf_put_str(&b, some ? "]" : "");
    rc = buf_status(&b);
    *out = (struct audit_field){ .name = "spaces",
        .json = arena_dup(&n->step, buf_slice(&b)) };
    buf_free(&b);
    return rc == SYNCLINE_OK && out->json.ptr == NULL ? SYNCLINE_ENOMEM : rc;
}

int node_audit_terms(struct node *n, const char *kind,
    const struct device_id *device, struct slice name,
    const struct pair_terms *t)
{
    struct audit_field fields[] = { AUDIT_DEVICE("device", device),
        AUDIT_TEXT("name", name),
        AUDIT_TEXT("role", slice_str(member_role_name(t->role))), AUDIT_END,
        AUDIT_END };
    int rc =
        audit_spaces(n, t->some_spaces, t->spaces, t->spaces_n, &fields[3]);

    return rc == SYNCLINE_OK ? node_audit(n, kind, fields) : rc;
}

int node_audit_often(
    struct node *n, const char *kind, const struct audit_field *fields)
{
    return tell(n, kind, fields, true);
}

int audit_replica(struct node *n)
{
    const char *why = n->new_replica != NULL ? n->new_replica : "";
    const struct audit_field fields[] = { AUDIT_TEXT("why", slice_str(why)),
        AUDIT_HEX("replica", rid_slice(&n->replica)), AUDIT_END };
    int rc;

    if (n->new_replica == NULL)
        return SYNCLINE_OK;
    n->actor_conn = n->actor_request = 0;
    rc = node_audit(n, "replica", fields);
    if (rc == SYNCLINE_OK)
        n->new_replica = NULL;
    return rc;
}

int audit_join(struct node *n, const struct device_id *inviter,
    struct slice name, const struct mesh_id *left, uint64_t kept)
{
    const struct audit_field fields[] = { AUDIT_DEVICE("device", inviter),
        AUDIT_TEXT("name", name),
        AUDIT_HEX("mesh", SLICE(n->mesh.b, MESH_ID_LEN)),
        AUDIT_HEX("left", SLICE(left->b, MESH_ID_LEN)),
        AUDIT_NUMBER("kept", kept), AUDIT_END };

    return node_audit(n, "join", fields);
}
