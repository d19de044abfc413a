/* The local interface, doc/api.md: spaces, policies, the mesh. */
#include "repl/request_admin.h"

#include "base/text.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/heads.h"

int admin_reply(struct admin *q, struct buf *b)
{
    int rc = buf_status(b);

    if (rc == SYNCLINE_OK)
        rc = fx_reply(q->n, q->request, buf_slice(b), false);
    buf_free(b);
    return rc;
}

int admin_reply_durable(struct admin *q, struct space *sp, uint64_t version)
{
    struct write_result result = { .changed = txn_is_empty(&q->n->txn) ? 0 : 1,
        .version = version,
        .dot = { q->n->replica, vv_get(&sp->have, &q->n->replica) } };

    return wait_add(q->n, q->request, q->args, sp, &result, false);
}

int admin_find_space(struct admin *q, struct slice name, struct space **out)
{
    if (name.len == 0)
        name = SLICE_LIT(DEFAULT_SPACE);
    *out = space_by_name(q->n, name);
    if (carry_is_relay(q->n))
        return errmsg_set(q->why, SYNCLINE_EDENIED,
            "%.*s: this device is a relay and reads no spaces; ask a member",
            SLICE_FMT(name));
    if (*out == NULL || !space_shown(*out))
        return errmsg_set(q->why, SYNCLINE_ENOTFOUND,
            "%.*s: no such space; `syncline space` lists them",
            SLICE_FMT(name));
    return SYNCLINE_OK;
}

/* ---- spaces ---- */

static int check_name(struct admin *q, struct slice name)
{
    return text_is_name(name)
        ? SYNCLINE_OK
        : errmsg_set(q->why, SYNCLINE_EINVAL,
              "%.*s: a space's name " TEXT_NAME_RULE, SLICE_FMT(name));
}

static void put_counts(
    struct buf *b, const struct space *sp, const struct conflict_counts *c)
{
    buf_printf(b,
        ",\"items\":%llu,\"deleted\":%llu,\"conflicts\":%llu,"
        "\"rescue\":%llu",
        (unsigned long long)sp->s.alive, (unsigned long long)sp->s.deleted,
        (unsigned long long)c->open, (unsigned long long)c->rescue);
}

static int on_spaces(struct admin *q)
{
    struct buf b = { 0 };
    bool any = false;

    buf_put_str(&b, "{\"ok\":true,\"spaces\":[");
    for (struct space *sp = q->n->spaces; sp != NULL; sp = sp->next) {
        struct conflict_counts count;
        int rc;

        if (!space_shown(sp))
            continue;
        rc = count_conflicts(q->n, sp, false, &count);
        if (rc != SYNCLINE_OK) {
            buf_free(&b);
            return rc;
        }
        buf_put_str(&b, any ? ",{\"name\":" : "{\"name\":");
        json_print_string(&b, sp->name, false);
        put_counts(&b, sp, &count);
        buf_put_u8(&b, '}');
        any = true;
    }
    buf_put_str(&b, "]}");
    return admin_reply(q, &b);
}

static int put_mesh_key(struct admin *q, const char *kind, struct slice name,
    struct slice rest, struct slice json)
{
    struct space *sp = space_by_name(q->n, SLICE_LIT(SPACES_SPACE));
    struct buf key = { 0 };
    int rc;

    buf_put_str(&key, kind);
    buf_put_slice(&key, name);
    buf_put_slice(&key, rest);
    rc = buf_status(&key);
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(q->n, buf_slice(&key), json);
    buf_free(&key);
    return rc == SYNCLINE_OK ? admin_reply_durable(q, sp, 0) : rc;
}

static int audit_space(struct node *n, const char *kind, struct slice name)
{
    const struct audit_field fields[] = { AUDIT_TEXT("space", name),
        AUDIT_END };

    return node_audit(n, kind, fields);
}

static int on_space_add(struct admin *q)
{
    struct slice name = json_get_str(q->args, "name");
    struct space *sp = space_by_name(q->n, name);
    int rc = check_name(q, name);

    if (rc == SYNCLINE_OK)
        rc = access_check_admin(q->n, q->why);
    if (rc == SYNCLINE_OK && sp != NULL && !sp->hidden)
        rc = errmsg_set(q->why, SYNCLINE_EEXIST,
            "%.*s: this space is there already", SLICE_FMT(name));
    if (rc == SYNCLINE_OK && spaces_n(q->n) >= SPACES_MADE_MAX)
        rc = errmsg_set(q->why, SYNCLINE_ELIMIT,
            "%.*s: there are %u spaces, as many as can be made",
            SLICE_FMT(name), spaces_n(q->n));
    if (rc == SYNCLINE_OK)
        rc = put_mesh_key(q, "space/", name, SLICE_NONE, SLICE_LIT("true"));
    return rc == SYNCLINE_OK ? audit_space(q->n, "space", name) : rc;
}

struct key_list {
    struct node *n;
    struct write_op *ops;
    uint32_t n_ops;
    uint32_t max;
};

static int note_key(void *ctx, struct slice key, struct slice value)
{
    struct key_list *l = ctx;
    struct stored st;
    int rc = stored_decode(value, &st, &l->n->step);

    if (rc != SYNCLINE_OK || !item_alive(&st.item))
        return rc;
    if (l->n_ops == l->max)
        return 1;
    l->ops[l->n_ops] =
        (struct write_op){ .key = arena_dup(&l->n->step, slice_from(key, 4)) };
    return l->ops[l->n_ops++].key.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

static int delete_items(struct admin *q, struct space *sp)
{
    struct key_list l = { .n = q->n, .max = (uint32_t)sp->s.alive };
    struct write_result result;
    struct buf prefix = { 0 };
    int rc;

    l.ops = arena_alloc(&q->n->step, (l.max + 1) * sizeof *l.ops);
    if (l.ops == NULL)
        return SYNCLINE_ENOMEM;
    rc = store_scan(&q->n->opt.store, TABLE_ITEM, key_space(&prefix, sp->id),
        SLICE_NONE, note_key, &l);
    buf_free(&prefix);
    if (rc == SYNCLINE_OK && l.n_ops > 0)
        rc = write_local(q->n, sp, l.ops, l.n_ops, &result, q->why);
    return rc;
}

static int space_removed(struct admin *q, struct slice name, uint64_t items)
{
    const struct audit_field fields[] = { AUDIT_TEXT("space", name),
        AUDIT_NUMBER("items", items), AUDIT_END };
    struct buf also = { 0 };
    int rc = node_audit(q->n, "space-removed", fields);

    buf_printf(&also, ",\"items\":%llu", (unsigned long long)items);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&also);
    if (rc == SYNCLINE_OK)
        rc = wait_also(q->n, buf_slice(&also));
    buf_free(&also);
    return rc;
}

static int on_space_rm(struct admin *q)
{
    struct slice name = json_get_str(q->args, "name");
    uint64_t items = 0;
    struct space *sp;
    int rc = admin_find_space(q, name, &sp);

    if (rc == SYNCLINE_OK)
        rc = access_check_admin(q->n, q->why);
    if (rc == SYNCLINE_OK && space_is_fixed(name))
        rc = errmsg_set(q->why, SYNCLINE_EDENIED,
            "%.*s: this space cannot be removed", SLICE_FMT(name));
    if (rc == SYNCLINE_OK) {
        items = sp->s.alive;
        rc = delete_items(q, sp);
    }
    if (rc == SYNCLINE_OK)
        rc = put_mesh_key(q, "space/", name, SLICE_NONE, SLICE_NONE);
    return rc == SYNCLINE_OK ? space_removed(q, name, items) : rc;
}

static void put_policies(struct buf *b, const struct space *sp, bool *any)
{
    for (uint32_t i = 0; i <= sp->policies_n; i++) {
        struct slice prefix =
            i < sp->policies_n ? sp->policies[i].prefix : SLICE_NONE;
        enum policy p =
            i < sp->policies_n ? sp->policies[i].policy : POLICY_LWW;

        if (i == sp->policies_n && i > 0 && sp->policies[i - 1].prefix.len == 0)
            continue; /* the default has been replaced */
        buf_put_str(b, *any ? ",{\"space\":" : "{\"space\":");
        json_print_string(b, sp->name, false);
        buf_put_str(b, ",\"prefix\":");
        json_print_string(b, prefix, false);
        buf_printf(b, ",\"policy\":\"%s\"}", policy_name(p));
        *any = true;
    }
}

/* Of one space, of those that are named, or of all. */
static bool is_told(const struct admin *q, const struct space *sp)
{
    const struct slice name = json_get_str(q->args, "space");
    const struct json *names = json_get(q->args, "spaces");

    if (!space_shown(sp))
        return false;
    if (name.len > 0)
        return slice_eq(name, sp->name);
    if (names == NULL || names->type != JSON_ARRAY)
        return !space_is_inner(sp);
    for (const struct json *v = names->first; v != NULL; v = v->next)
        if (v->type == JSON_STRING && slice_eq(v->s, sp->name))
            return true;
    return false;
}

static int on_policies(struct admin *q)
{
    struct buf b = { 0 };
    struct space *sp;
    bool any = false;
    int rc = admin_find_space(q, json_get_str(q->args, "space"), &sp);

    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_str(&b, "{\"ok\":true,\"policies\":[");
    for (sp = q->n->spaces; sp != NULL; sp = sp->next)
        if (is_told(q, sp))
            put_policies(&b, sp, &any);
    buf_put_str(&b, "],\"schemas\":[");
    any = false;
    for (sp = q->n->spaces; sp != NULL; sp = sp->next)
        if (is_told(q, sp))
            schemas_put(&b, sp, &any);
    buf_put_str(&b, "]}");
    return admin_reply(q, &b);
}

static int check_policy(struct admin *q, struct space **sp)
{
    const struct slice prefix = json_get_str(q->args, "prefix");
    int rc = admin_find_space(q, json_get_str(q->args, "space"), sp);

    if (rc == SYNCLINE_OK)
        rc = access_check_admin(q->n, q->why);
    if (rc == SYNCLINE_OK && prefix.len > 0)
        rc = key_check(prefix, q->why);
    return rc;
}

/* json: ptr NULL for none. */
static int put_rule(struct admin *q, const char *kind, const struct space *sp,
    struct slice json)
{
    struct buf rest = { 0 };
    int rc;

    buf_put_u8(&rest, '/');
    buf_put_slice(&rest, json_get_str(q->args, "prefix"));
    rc = buf_status(&rest);
    if (rc == SYNCLINE_OK)
        rc = put_mesh_key(q, kind, sp->name, buf_slice(&rest), json);
    buf_free(&rest);
    return rc;
}

static int on_policy_set(struct admin *q)
{
    struct slice text = json_get_str(q->args, "policy");
    struct buf json = { 0 };
    enum policy policy;
    struct space *sp;
    int rc = check_policy(q, &sp);

    if (rc == SYNCLINE_OK && policy_parse(text, &policy) != SYNCLINE_OK)
        rc = errmsg_set(q->why, SYNCLINE_EINVAL,
            "%.*s: no such policy; there are lww, merge, manual, keep-both "
            "and custom",
            SLICE_FMT(text));
    if (rc != SYNCLINE_OK)
        return rc;
    buf_printf(&json, "\"%s\"", policy_name(policy));
    rc = buf_status(&json);
    if (rc == SYNCLINE_OK)
        rc = put_rule(q, "policy/", sp, buf_slice(&json));
    if (rc == SYNCLINE_OK) {
        const struct audit_field fields[] = { AUDIT_TEXT("space", sp->name),
            AUDIT_TEXT("policy", slice_str(policy_name(policy))), AUDIT_END };

        rc = node_audit(q->n, "policy", fields);
    }
    buf_free(&json);
    return rc;
}

static int on_schema_set(struct admin *q)
{
    const struct json *schema = json_get(q->args, "schema");
    struct buf json = { 0 };
    struct space *sp;
    int rc = check_policy(q, &sp);

    if (rc == SYNCLINE_OK && schema == NULL)
        rc = errmsg_set(q->why, SYNCLINE_EINVAL,
            "schema: missing; null: there is none any more");
    if (rc != SYNCLINE_OK)
        return rc;
    if (schema->type == JSON_NULL) {
        rc = put_rule(q, "schema/", sp, SLICE_NONE);
        return rc == SYNCLINE_OK ? audit_space(q->n, "schema", sp->name) : rc;
    }
    json_print(&json, schema, JSON_CANONICAL);
    rc = buf_status(&json);
    if (rc == SYNCLINE_OK)
        rc = schemas_read(q->n, buf_slice(&json), q->why);
    if (rc == SYNCLINE_OK)
        rc = put_rule(q, "schema/", sp, buf_slice(&json));
    if (rc == SYNCLINE_OK)
        rc = audit_space(q->n, "schema", sp->name);
    buf_free(&json);
    return rc;
}

/* ---- the mesh ---- */

/* Changes of a space that a durable vector, NULL: none, does not cover. */
static uint64_t lag_in(const struct space *sp, const struct vv *durable)
{
    uint64_t lag = 0;

    for (uint32_t i = 0; i < sp->have.n; i++) {
        const struct dot *mine = &sp->have.e[i];
        uint64_t its = durable != NULL ? vv_get(durable, &mine->replica) : 0;

        lag += mine->seq > its ? mine->seq - its : 0;
        lag = lag < SEQ_MAX ? lag : SEQ_MAX;
    }
    return lag;
}

/* How far the peer is behind us: changes that its acks do not cover. */
static uint64_t lag_of(const struct node *n, const struct device_id *d)
{
    uint64_t lag = 0;

    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        const struct vv *durable = NULL;

        for (const struct member_ack *a = n->acks; a != NULL; a = a->next)
            if (a->space == sp && device_eq(&a->device, d))
                durable = &a->durable;
        if (durable != NULL || access_may_read(n, d, sp) ||
            members_carries(n->members, d, &sp->token))
            lag += lag_in(sp, durable);
        lag = lag < SEQ_MAX ? lag : SEQ_MAX;
    }
    return lag;
}

static const char *state_name(
    const struct node *n, const struct conn *c, const struct device_id *d)
{
    static const char *const names[] = { "connecting", "dialing", "waiting",
        "unknown-address" };
    struct peer_info info;

    if (c != NULL)
        return "connected";
    return peers_info(n->peers, d, &info) ? names[info.state]
                                          : "unknown-address";
}

static void put_standing(const struct node *n, struct buf *b,
    const struct standing *s, const struct conn *c)
{
    uint64_t refused_us = s == NULL || s->refused_until_us <= n->now_us
        ? 0
        : s->refused_until_us - n->now_us;

    buf_printf(b,
        ",\"bytes_kept\":%llu,\"delays\":%llu,\"broke\":%u,"
        "\"refused_ms\":%llu,\"broke_last\":",
        (unsigned long long)(c != NULL ? conn_bytes(c) : 0),
        (unsigned long long)(s != NULL ? s->delays : 0),
        s != NULL ? s->broke : 0, (unsigned long long)(refused_us / 1000));
    if (s == NULL || s->broke == 0)
        buf_put_str(b, "null");
    else
        json_print_string(b, slice_str(s->why), false);
}

static void put_peer(struct node *n, struct buf *b, const struct member *m)
{
    struct conn *c = conn_of(n, &m->device);
    char addr[NETADDR_TEXT] = "none";
    uint64_t lag = lag_of(n, &m->device);
    struct peer_info info;

    if (c != NULL)
        netaddr_format(addr, &c->remote);
    else if (peers_info(n->peers, &m->device, &info))
        netaddr_format(addr, &info.addr);
    buf_put_str(b, "{\"device\":");
    put_device_hex(b, &m->device);
    buf_put_str(b, ",\"name\":");
    json_print_string(b, m->name, false);
    buf_printf(b, ",\"role\":\"%s\"", member_role_name(m->role));
    buf_printf(b, ",\"address\":\"%s\",\"state\":\"%s\"", addr,
        state_name(n, c, &m->device));
    if (c != NULL && c->measured)
        buf_printf(b, ",\"rtt_us\":%llu,\"offset_us\":%lld",
            (unsigned long long)c->rtt_us, (long long)clock_offset_us(n, c));
    else
        buf_put_str(b, ",\"rtt_us\":null,\"offset_us\":null");
    buf_printf(b, ",\"behind\":%s,\"lag\":%llu,\"parked\":%s,\"copies\":%s",
        lag > 0 ? "true" : "false", (unsigned long long)lag,
        silence_is_parked(n, &m->device) ? "true" : "false",
        twins_run(n, &m->device) ? "true" : "false");
    put_standing(n, b, standing_of(n, &m->device), c);
    buf_put_u8(b, '}');
}

static void put_peers(struct node *n, struct buf *b)
{
    bool any = false;

    buf_put_str(b, "\"peers\":[");
    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct member *m = members_at(n->members, i);

        if (device_eq(&m->device, &n->device))
            continue;
        buf_put_str(b, any ? "," : "");
        put_peer(n, b, m);
        any = true;
    }
    buf_put_u8(b, ']');
}

/* Of all, or of one; and tries now to reach who is not connected. */
static int tell_peers(struct admin *q, bool dial)
{
    const struct slice name = json_get_str(q->args, "peer");
    const struct member *m = NULL;
    struct buf b = { 0 };
    int rc = name.len > 0 ? admin_find_member(q, name, &m) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK && m != NULL && device_eq(&m->device, &q->n->device))
        rc = errmsg_set(
            q->why, SYNCLINE_EINVAL, "peer: that is this device itself");
    if (rc != SYNCLINE_OK)
        return rc;
    if (dial)
        peers_urge(q->n->peers, m != NULL ? &m->device : NULL, q->n->now_us);
    buf_put_str(&b, m != NULL ? "{\"ok\":true,\"peers\":[" : "{\"ok\":true,");
    if (m != NULL)
        put_peer(q->n, &b, m);
    else
        put_peers(q->n, &b);
    buf_put_str(&b, m != NULL ? "]}" : "}");
    return admin_reply(q, &b);
}

static int on_peers(struct admin *q)
{
    return tell_peers(q, false);
}

static int on_dial(struct admin *q)
{
    return tell_peers(q, true);
}

static void put_vector(struct buf *b, const struct vv *v)
{
    buf_put_u8(b, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        buf_put_str(b, i > 0 ? ",\"" : "\"");
        put_hex(b, rid_slice(&v->e[i].replica));
        buf_printf(b, "\":%llu", (unsigned long long)v->e[i].seq);
    }
    buf_put_u8(b, '}');
}

/* brief: what is short, and not long in coming. */
static int put_space(
    struct node *n, struct buf *b, struct space *sp, bool brief)
{
    struct conflict_counts count;
    int rc = count_conflicts(n, sp, brief, &count);

    buf_put_str(b, "{\"name\":");
    json_print_string(b, sp->name, false);
    put_counts(b, sp, &count);
    buf_printf(b, ",\"fingerprint\":\"%016llx%016llx\"",
        (unsigned long long)sp->s.live.hi, (unsigned long long)sp->s.live.lo);
    if (!brief) {
        buf_put_str(b, ",\"vector\":");
        put_vector(b, &sp->have);
    }
    buf_put_u8(b, '}');
    return rc;
}

/* Of a relay: names it has none. */
static void put_carried(const struct node *n, struct buf *b)
{
    char token[2 * SPACE_TOKEN_LEN + 1];
    bool any = false;

    buf_printf(b, ",\"unopened\":%llu,\"relays_back\":%llu",
        (unsigned long long)n->counts.rows_unopened,
        (unsigned long long)n->counts.relays_back);
    heads_put_status(n, b);
    if (!carry_is_relay(n))
        return;
    buf_printf(
        b, ",\"only_relay\":%s,\"carries\":[", n->opt.relay ? "true" : "false");
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        if (!sp->sealed || sp->barred)
            continue;
        space_put_token(&sp->token, token);
        buf_printf(b,
            "%s{\"token\":\"%s\",\"items\":%llu,\"deleted\":%llu,\"vector\":",
            any ? "," : "", token, (unsigned long long)sp->s.alive,
            (unsigned long long)sp->s.deleted);
        put_vector(b, &sp->have);
        buf_put_u8(b, '}');
        any = true;
    }
    buf_put_u8(b, ']');
}

/* Who says so is a member, and by its own connection. */
static void put_removed(const struct node *n, struct buf *b)
{
    const struct member *by = members_get(n->members, &n->removed_by);
    const struct keyring_key *key = keyring_held(&n->keyring);

    buf_printf(b, ",\"epoch\":%llu",
        (unsigned long long)(key != NULL ? key->epoch : 0));
    if (!n->removed_told)
        return;
    buf_put_str(b, ",\"removed\":{\"told_by\":");
    put_device_hex(b, &n->removed_by);
    buf_put_str(b, ",\"name\":");
    json_print_string(b, by != NULL ? by->name : SLICE_LIT(""), false);
    buf_printf(b, ",\"at\":%llu}", time_told(n->removed_at));
}

static int on_status(struct admin *q)
{
    struct node *n = q->n;
    const bool brief = json_get_bool(q->args, "brief", false);
    struct buf b = { 0 };
    bool any = false;
    int rc = SYNCLINE_OK;

    buf_put_str(&b, "{\"ok\":true,\"device\":");
    put_device_hex(&b, &n->device);
    buf_put_str(&b, ",\"replica\":\"");
    put_hex(&b, rid_slice(&n->replica));
    buf_put_str(&b, "\",\"name\":");
    json_print_string(&b, n->opt.name, false);
    buf_put_str(&b, ",\"mesh\":\"");
    put_hex(&b, SLICE(n->mesh.b, MESH_ID_LEN));
    buf_printf(&b,
        "\",\"copies\":%s,\"joining\":%s,\"rows\":{\"walked\":%llu,\"sent\":%"
        "llu,"
        "\"received\":%llu},\"oversize\":",
        twins_run(n, &n->device) ? "true" : "false",
        n->replay != NULL ? "true" : "false",
        (unsigned long long)n->counts.rows_walked,
        (unsigned long long)n->counts.rows_sent,
        (unsigned long long)n->counts.rows_received);
    oversize_put(n, &b);
    buf_put_str(&b, ",\"spaces\":[");
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (!space_shown(sp))
            continue;
        buf_put_str(&b, any ? "," : "");
        rc = put_space(n, &b, sp, brief);
        any = true;
    }
    buf_put_str(&b, "],\"clock\":");
    if (rc == SYNCLINE_OK)
        rc = put_clock_json(n, &b, false);
    access_put_rights(n, &b, members_get(n->members, &n->device), "granted");
    put_removed(n, &b);
    put_carried(n, &b);
    buf_put_str(&b, ",\"forks\":");
    put_forks_json(n, &b);
    buf_put_u8(&b, ',');
    put_peers(n, &b);
    buf_put_u8(&b, '}');
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? admin_reply(q, &b) : rc;
}

static const struct {
    const char *op;
    int (*on)(struct admin *q);
} ops[] = {
    { "conflicts", admin_conflicts },
    { "resolve", admin_resolve },
    { "rescue", admin_rescue },
    { "rescue_apply", admin_rescue_apply },
    { "deleted", admin_deleted },
    { "put_fields", admin_put_fields },
    { "pending", admin_pending },
    { "pending_open", admin_pending_open },
    { "approve", admin_approve },
    { "deny", admin_deny },
    { "spaces", on_spaces },
    { "space_add", on_space_add },
    { "space_rm", on_space_rm },
    { "policies", on_policies },
    { "policy_set", on_policy_set },
    { "schema_set", on_schema_set },
    { "peers", on_peers },
    { "dial", on_dial },
    { "status", on_status },
    { "members", admin_members },
    { "grant", admin_grant },
    { "revoke", admin_revoke },
    { "remove", admin_remove },
    { "rotate", admin_rotate },
    { "clock", admin_clock },
    { "clock_reset", admin_clock_reset },
};

int request_admin(struct node *n, uint64_t request, const struct json *args,
    struct errmsg *why)
{
    struct admin q = { n, request, args, why };
    struct slice op = json_get_str(args, "op");

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (slice_is(op, ops[i].op))
            return ops[i].on(&q);
    return errmsg_set(why, SYNCLINE_EINVAL,
        op.len > 0 ? "%.*s: no such operation" : "op: missing%.*s",
        SLICE_FMT(op));
}
