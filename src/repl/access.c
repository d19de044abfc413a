/* Who may what, as it bears on spaces, vectors and connections: what is let
 * through, what is refused, and what of the store stops to count. */
#include "repl/access_impl.h"

#include "base/plant.h"
#include "base/text.h"
#include "repl/border.h"
#include "repl/collect_impl.h"
#include "repl/heads.h"

#include <stdlib.h>

/* So long a session rests that brought what does not count. */
#define REST_US ((uint64_t)1000 * 1000)

bool access_may_read(const struct node *n, const struct device_id *device,
    const struct space *sp)
{
    return space_is_open(sp) ||
        members_may_read(n->members, device, &sp->token);
}

bool access_may_write(const struct node *n, const struct space *sp)
{
    return space_is_open(sp) || PLANTED(READER_WRITES) ||
        members_may_write(n->members, &n->device, &sp->token);
}

int access_check_write(
    const struct node *n, const struct space *sp, struct errmsg *why)
{
    const struct member *m = members_get(n->members, &n->device);

    if (access_may_write(n, sp))
        return SYNCLINE_OK;
    if (m == NULL)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%.*s: this device was removed from the mesh, and writes nothing "
            "any more; join one with `syncline join CODE --leave`",
            SLICE_FMT(sp->name));
    return errmsg_set(why, SYNCLINE_EDENIED,
        "%.*s: this device is a %s here and may not write; an admin can "
        "change that: `syncline grant %.*s --role member`",
        SLICE_FMT(sp->name), member_role_name(m->role), SLICE_FMT(m->name));
}

int access_check_admin(const struct node *n, struct errmsg *why)
{
    const struct member *m = members_get(n->members, &n->device);

    if (n->opt.relay)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "this daemon was started as a relay (--role relay) and decides "
            "nothing; a member lets it in: `syncline invite --role relay` "
            "there, `syncline join CODE` here");
    if (m != NULL && m->role == ROLE_ADMIN)
        return SYNCLINE_OK;
    if (m == NULL)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "this device was removed from the mesh; join one with `syncline "
            "join CODE --leave`");
    return errmsg_set(why, SYNCLINE_EDENIED,
        members_admins(n->members) == 0
            ? "this device is a %s, and the mesh has no admin any more: to let "
              "in or change anybody, join a new one: `join CODE --leave`"
            : "this device is a %s: only an admin may do that; `syncline "
              "members` shows who is one",
        member_role_name(m->role));
}

int access_check_heeded(
    const struct node *n, const struct json *args, struct errmsg *why)
{
    if (!n->removed_told || json_get_bool(args, "force", false))
        return SYNCLINE_OK;
    return errmsg_set(why, SYNCLINE_EDENIED,
        "a member has said that this device was removed (`syncline doctor` "
        "tells who and when): none of the others would hear of this; do it on "
        "another admin, or say --force");
}

bool access_is_shared(
    const struct node *n, const struct conn *c, const struct space *sp)
{
    if (sp->barred)
        return false;
    if (access_may_read(n, &c->device, sp))
        return true;
    return members_carries(n->members, &c->device, &sp->token) &&
        (sp->sealed || border_opens(n, sp));
}

bool access_is_across(const struct node *n, const struct conn *c)
{
    return (members_role(n->members, &c->device) == ROLE_RELAY) !=
        carry_is_relay(n);
}

bool access_compares(
    const struct node *n, const struct conn *c, const struct space *sp)
{
    return PLANTED(R25_ASKS) ||
        (access_is_shared(n, c, sp) && !access_is_across(n, c));
}

/* ---- changes that count ---- */

bool access_clamp_dot(
    const struct node *n, const struct space *sp, struct dot *d)
{
    bool known;
    uint64_t bound;

    if (space_is_open(sp))
        return true;
    bound = members_bound(n->members, &d->replica, &sp->token, &known);
    if (d->seq > bound && !PLANTED(CUT_IGNORED))
        d->seq = bound;
    bound = forks_bound(n, &sp->token, &d->replica);
    if (d->seq > bound)
        d->seq = bound;
    return known;
}

bool access_clamp(const struct node *n, const struct space *sp, struct vv *v)
{
    uint32_t kept = 0;
    bool any = false;

    for (uint32_t i = 0; i < v->n; i++) {
        struct dot d = v->e[i];

        /* Of whom nothing is known yet, something may come to be known. */
        if (!access_clamp_dot(n, sp, &d))
            d.seq = v->e[i].seq;
        any = any || d.seq != v->e[i].seq;
        if (d.seq > 0)
            v->e[kept++] = d;
    }
    v->n = kept;
    return any;
}

bool access_allows(const struct node *n, const struct space *sp,
    const struct space_token *token, const struct item *row)
{
    const struct space of = { .name = sp->name, .token = *token };

    if (space_is_open(&of) || PLANTED(CUT_IGNORED))
        return true;
    for (uint32_t i = 0; i < row->changes_n; i++) {
        struct dot d = row->changes[i].dot;

        (void)access_clamp_dot(n, &of, &d);
        if (d.seq != row->changes[i].dot.seq)
            return false;
    }
    return true;
}

/* A record's key says what it is, so nothing else may stand there, nor may it
 * be deleted. */
int access_check_record(
    struct node *n, struct slice key, const struct item *row)
{
    bool fork = forks_is_key(key);
    bool today = fork || slice_has_prefix(key, SLICE_LIT(CERT_PREFIX));

    if (!today && !slice_has_prefix(key, SLICE_LIT(MEMBER_PREFIX)) &&
        !slice_has_prefix(key, SLICE_LIT(REMOVED_PREFIX)))
        return SYNCLINE_OK;
    if (!item_alive(row) || row->tomb >= 0 || (today && row->length != 1))
        return SYNCLINE_EMALFORMED;
    for (uint32_t i = 0; i < row->cells_n; i++) {
        const struct cell *c = &row->cells[i];
        int rc = c->path.len > 0 || c->value.ptr == NULL ? SYNCLINE_EMALFORMED
            : fork ? forks_check(n, key, c->value)
                   : members_check(n->members, key, c->value);

        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

void access_refuse(struct node *n, struct conn *c, struct space *sp)
{
    struct session *s = session_of(c, sp);

    n->counts.rows_refused++;
    sp->clipped = true;
    if (s == NULL)
        return;
    s->refusing = true;
    s->awaits = 0;
    s->refused_us = n->now_us;
}

/* ---- who was removed, and told so ---- */

int access_on_bye(
    struct node *n, const struct conn *c, const struct frame_bye *bye)
{
    if (bye->code != SYNCLINE_EDENIED || !slice_is(bye->text, BYE_REMOVED))
        return SYNCLINE_OK;
    n->removed_told = true;
    n->removed_by = c->device;
    n->removed_at = n->wall_us;
    buf_clear(&n->out);
    buf_put(&n->out, c->device.b, DEVICE_ID_LEN);
    put_u64(&n->out, n->wall_us);
    txn_put_buf(&n->txn, TABLE_META, SLICE_LIT(META_REMOVED), &n->out);
    return txn_status(&n->txn);
}

int access_load_removed(struct node *n)
{
    struct slice value;
    struct reader r;
    int rc =
        store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_REMOVED), &value);

    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    r = reader_of(value);
    get_into(&r, n->removed_by.b, DEVICE_ID_LEN);
    n->removed_at = get_u64(&r);
    n->removed_told = reader_end(&r) == SYNCLINE_OK;
    return n->removed_told ? SYNCLINE_OK : SYNCLINE_ECORRUPT;
}

/* ---- other records count now ---- */

int access_lower(
    struct node *n, struct space *sp, const struct vv *v, bool horizon)
{
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < v->n && rc == SYNCLINE_OK;) {
        struct dot d = v->e[i];
        uint32_t were = v->n;

        (void)access_clamp_dot(n, sp, &d);
        if (d.seq != v->e[i].seq) {
            rc = space_lower(n, sp, &d, horizon);
            sp->clipped = true;
            if (rid_eq(&d.replica, &n->replica))
                n->mint_due = true; /* or its next dots would be known */
            n->counts.vectors_lowered++;
        }
        i += v->n == were;
    }
    return rc;
}

/* What is known of others, and what they said themselves; true: they would have
 * to say it again, should it count once more. */
static bool lower_others(struct node *n, struct space *sp)
{
    bool any = false;

    for (struct member_ack *a = n->acks; a != NULL; a = a->next)
        if (a->space == sp)
            any = access_clamp(n, sp, &a->durable) || any;
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        for (struct session *s = c->sessions; s != NULL; s = s->next) {
            if (s->space != sp)
                continue;
            session_stir(s);
            (void)access_clamp(n, sp, &s->peer_has);
            any = access_clamp(n, sp, &s->claims) || any;
            (void)access_clamp(n, sp, &s->acked);
        }
    return any;
}

/* Sessions of spaces that are shared no more end; of those that are now, they
 * begin; and what did not count, and may now, is looked for. */
static int share(struct node *n, struct conn *c, struct space *sp)
{
    struct session *s;

    if (!access_is_shared(n, c, sp)) {
        session_drop(c, sp);
        return SYNCLINE_OK;
    }
    s = session_of(c, sp);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (!s->asked)
        return conn_open_session(n, c, sp);
    if (s->unopened && n->keys_came && access_is_across(n, c)) {
        carry_cut_short(s);
        return conn_subscribe_anew(n, c, sp);
    }
    return sp->clipped && sp->staging == NULL ? conn_subscribe_anew(n, c, sp)
                                              : SYNCLINE_OK;
}

static int look_at(struct node *n, struct space *sp)
{
    struct dot own = { n->replica, UINT64_MAX };
    int rc = SYNCLINE_OK;

    sp->barred = carry_is_barred(n, sp);
    if (space_is_open(sp))
        return SYNCLINE_OK;
    heads_lower(n, sp);
    /* Else all at once, when it is settled. */
    if (!voided_in(n, sp, &sp->horizon))
        rc = access_lower(n, sp, &sp->have, false);
    else if (access_clamp_dot(n, sp, &own) &&
        own.seq < vv_get(&sp->have, &n->replica))
        n->mint_due = true;
    /* They are asked once more when records come again: by those more may
     * count. */
    sp->clipped = sp->clipped || sp->lessened;
    sp->lessened = lower_others(n, sp);
    sp->collected_upto = (struct vv){ 0 }; /* what waited for some may go */
    sp->suspect = true;
    /* Its own rows that no vector covers can be written again, after a mark. */
    sp->clipped = sp->clipped || (sp->reissue && access_may_write(n, sp));
    return rc;
}

int access_changed(struct node *n)
{
    int rc = bootstraps_drop_refused(n);

    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next)
        rc = look_at(n, sp);
    if (rc == SYNCLINE_OK)
        rc = carry_open_early(n);
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK;
             c = c->next)
            if (c->greeted && !c->closing)
                rc = share(n, c, sp);
        sp->clipped = false;
    }
    n->access_due = n->epochs_due = true;
    n->keys_came = n->keys_came && rc != SYNCLINE_OK;
    return rc;
}

/* What a space is without anything in it. */
struct parts {
    uint32_t id, past;
    bool sealed;
    struct space_state s;
    struct vv have, durable, horizon, buried;
    uint64_t durable_lsn;
};

static struct parts parts_of(const struct space *sp)
{
    return (struct parts){ sp->id, sp->past, sp->sealed, sp->s, sp->have,
        sp->durable, sp->horizon, sp->buried, sp->durable_lsn };
}

static void set_parts(struct space *sp, const struct parts *p)
{
    sp->id = p->id;
    sp->past = p->past;
    sp->sealed = p->sealed;
    sp->s = p->s;
    sp->have = p->have;
    sp->durable = p->durable;
    sp->horizon = p->horizon;
    sp->buried = p->buried;
    sp->durable_lsn = p->durable_lsn;
    sp->touched = false;
    space_stir(sp);
}

/* Its history goes too, if it is one of another form. */
static int drop_past(struct node *n, const struct parts *was)
{
    if (was->past == was->id)
        return SYNCLINE_OK;
    txn_put(&n->txn, TABLE_META,
        key_meta_space(&n->key, META_JOINING, was->past), SLICE_LIT(""));
    return leaving_drop(n, was->past);
}

/* Under another number, and as another replica: cursors into the old feed are
 * of no use. Undone if it cannot be stored. */
static int switch_to_nothing(struct node *n, struct space *sp)
{
    const struct parts before = parts_of(sp);
    const bool sealed = carry_seals(n, sp), anew = sealed != sp->sealed;
    const uint32_t id = n->next_space++;
    const struct parts after = { .id = id,
        .past = anew ? id : before.past,
        .sealed = sealed,
        .s = { .floors = before.s.floors } };
    const struct returning old = { .from = before.id,
        .had = before.have,
        .floors = before.s.floors,
        .drop = anew || sealed,
        .anew = true };
    const struct rid replica = n->replica;
    struct returning *r = NULL;
    int rc = anew ? carry_rename(n, sp) : SYNCLINE_OK;

    if (rc != SYNCLINE_OK)
        return rc;
    set_parts(sp, &after);
    sp->unsaved = true;
    (void)space_next_lsn(sp);
    txn_del(
        &n->txn, TABLE_META, key_meta_space(&n->key, META_SPACE, before.id));
    rc = node_mint_replica(n);
    if (rc == SYNCLINE_OK)
        rc = return_begin(n, sp, &old, &r);
    if (rc == SYNCLINE_OK && anew)
        rc = drop_past(n, &before);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc == SYNCLINE_OK)
        return rc;
    set_parts(sp, &before);
    sp->unsaved = false;
    n->replica = replica;
    return_forget(n, r);
    return rc;
}

/* Who may not write cannot put right what he holds: he forgets it and asks
 * for all, but for what he wrote himself and counts, which nobody else may
 * have (return.c). The history keeps what was there. */
static int begin_anew(struct node *n, struct space *sp)
{
    int rc = returns_run(n, true);

    if (rc == SYNCLINE_OK && sp->staging != NULL) {
        rc = leaving_drop(n, sp->staging->id);
        space_unstage(n, sp);
    }
    if (rc == SYNCLINE_OK)
        rc = switch_to_nothing(n, sp);
    if (rc != SYNCLINE_OK)
        return rc;
    n->counts.spaces_refetched++;
    sp->reissue = true;
    space_forget_pending(n, sp);
    acks_forget(n, sp);
    heads_free(&sp->heads); /* a relay has not what they say it has */
    buf_clear(&sp->collect_at);
    sp->collected_upto = (struct vv){ 0 };
    watches_space_gone(n, sp);
    conns_restart(n, "this node fetches a space anew, and is a new replica");
    sp->barred = carry_is_barred(n, sp);
    if (space_is_inner(sp)) {
        n->spaces_seen = 0; /* its feed begins anew, too */
        n->mesh_changed = true;
    }
    return space_pend_all(n, sp);
}

/* From relay to reader, or back. */
static int change_form(struct node *n, struct space *sp)
{
    int rc = sp->s.lsn == 0 && sp->have.n == 0 && sp->staging == NULL &&
            sp->past == sp->id && !returns_into(n, sp)
        ? carry_reform(n, sp)
        : begin_anew(n, sp);

    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc == SYNCLINE_OK)
        log_line(&n->log, LOG_LEVEL_INFO, "access",
            sp->sealed ? "%.*s: this device carries it as a relay from now on"
                       : "%.*s: this device is no relay any more, and reads it",
            SLICE_FMT(sp->name));
    return rc;
}

static int fetch_anew(struct node *n, struct space *sp)
{
    log_line(&n->log, LOG_LEVEL_WARN, "access",
        "%.*s: it held changes of a device that may not write there; it is "
        "fetched anew",
        SLICE_FMT(sp->name));
    return begin_anew(n, sp);
}

/* The rest of this replica's changes belongs to nobody. */
static int mint(struct node *n)
{
    struct rid old = n->replica;
    int rc = node_mint_replica(n);

    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK) {
        n->replica = old;
        return rc;
    }
    n->mint_due = false;
    if (forks_names(n, &old)) {
        n->new_replica = "forked";
        log_line(&n->log, LOG_LEVEL_WARN, "fork",
            "this device is a new replica: two stores have written as the last "
            "one; was its folder copied, or a disk put back?");
    }
    conns_restart(n, "what this device may has changed: it is a new replica");
    return SYNCLINE_OK;
}

static int settle(struct node *n, struct space *sp)
{
    bool any = access_may_write(n, sp), writes = any;
    bool voided = voided_in(n, sp, &sp->horizon);
    int rc;

    if (carry_seals(n, sp) != sp->sealed)
        return change_form(n, sp);
    rc = voided && writes ? voided_mark(n, sp) : SYNCLINE_OK;

    while (writes && any && rc == SYNCLINE_OK) {
        rc = reissue_foreign(n, sp, &any);
        if (rc == SYNCLINE_OK)
            rc = node_commit(n);
    }
    if (writes)
        return rc;
    if (!voided)
        rc = reissue_would(n, sp, &any);
    return rc == SYNCLINE_OK && (any || voided) ? fetch_anew(n, sp) : rc;
}

int access_settle(struct node *n)
{
    int rc = SYNCLINE_OK;

    if (n->bad_restart || PLANTED(FOREIGN_STAYS))
        return SYNCLINE_OK;
    if (n->mint_due)
        rc = mint(n);
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (!sp->suspect || space_is_open(sp))
            continue;
        rc = settle(n, sp);
        if (rc == SYNCLINE_ELIMIT) /* nothing can be written any more */
            rc = SYNCLINE_OK;
        sp->suspect = rc != SYNCLINE_OK;
        space_stir(sp);
    }
    n->access_due = rc != SYNCLINE_OK;
    return rc;
}

/* It knows what we know: what it holds now is as it should be. */
static bool knows_as_much(const struct node *n, struct conn *c)
{
    const struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    const struct session *s = session_of(c, mesh);

    return s != NULL && vv_geq(&s->claims, &mesh->have);
}

int access_retry(struct node *n)
{
    int rc = bootstraps_drop_refused(n);

    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK; c = c->next)
        for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
             s = s->next)
            rc = carry_ask_unopened(n, c, s);

    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK; c = c->next)
        for (struct session *s = c->sessions; s != NULL; s = s->next) {
            if (!s->refusing || s->awaits != 0 || c->closing ||
                s->space->staging != NULL ||
                n->now_us < s->refused_us + REST_US || !knows_as_much(n, c))
                continue;
            rc = conn_subscribe_anew(n, c, s->space);
            if (rc != SYNCLINE_OK)
                return rc;
        }
    return rc;
}

/* ---- letting in ---- */

int access_admit(struct node *n, struct slice spki, struct slice name,
    const struct pair_terms *t, struct cert_id *made)
{
    struct members_grant g = { .spki = spki,
        .name = name,
        .role = t->role,
        .some_spaces = t->some_spaces,
        .spaces = t->spaces,
        .spaces_n = t->spaces_n };
    struct members_cut cut = { .any = false };
    struct buf key = { 0 }, value = { 0 };
    struct device_id device;
    int rc = n->opt.crypto->sha256(n->opt.crypto->self, device.b, spki);

    if (rc == SYNCLINE_OK)
        rc = access_cut(n, &device, &g, &cut);
    g.cut = buf_slice(&cut.text);
    if (rc == SYNCLINE_OK)
        rc = members_make_member(n->members, &key, &value, &g, n->wall_us);
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(n, buf_slice(&key), buf_slice(&value));
    if (rc == SYNCLINE_OK)
        rc = members_cert_id(made, buf_slice(&key));
    buf_free(&cut.text);
    buf_free(&key);
    buf_free(&value);
    return rc;
}

static int token_order(const void *a, const void *b)
{
    return memcmp(a, b, SPACE_TOKEN_LEN);
}

static int read_spaces(struct node *n, const struct json *list,
    struct pair_terms *out, struct errmsg *why)
{
    if (list->type != JSON_ARRAY || list->n == 0 || list->n > INVITE_SPACES_MAX)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "spaces: a list of 1 to %d names", INVITE_SPACES_MAX);
    out->some_spaces = true;
    for (const struct json *e = list->first; e != NULL; e = e->next) {
        const struct space *sp =
            e->type == JSON_STRING ? space_by_name(n, e->s) : NULL;
        bool there = false;

        if (sp == NULL || !space_shown(sp) || space_is_inner(sp))
            return errmsg_set(why, SYNCLINE_ENOTFOUND,
                "%.*s: no such space; `syncline space` lists them",
                SLICE_FMT(e->type == JSON_STRING ? e->s : SLICE_LIT("?")));
        for (uint32_t i = 0; i < out->spaces_n; i++)
            there = there || space_token_eq(&out->spaces[i], &sp->token);
        if (!there)
            out->spaces[out->spaces_n++] = sp->token;
    }
    qsort(out->spaces, out->spaces_n, sizeof *out->spaces, token_order);
    return SYNCLINE_OK;
}

int access_read_terms(struct node *n, const struct json *args,
    struct pair_terms *out, struct errmsg *why)
{
    const struct json *role = json_get(args, "role");
    const struct json *spaces = json_get(args, "spaces");
    int rc = access_check_admin(n, why);

    *out = (struct pair_terms){ .role = ROLE_ADMIN };
    if (spaces != NULL)
        out->role = ROLE_MEMBER;
    if (role != NULL)
        out->role =
            role->type == JSON_STRING ? member_role_parse(role->s) : ROLE_NONE;
    if (rc == SYNCLINE_OK && out->role == ROLE_NONE)
        rc = errmsg_set(why, SYNCLINE_EINVAL,
            "role: one of admin, member, reader and relay");
    if (rc == SYNCLINE_OK && spaces != NULL && out->role == ROLE_ADMIN)
        rc = errmsg_set(why, SYNCLINE_EINVAL,
            "an admin has all spaces; choose another role, or no spaces");
    return rc == SYNCLINE_OK && spaces != NULL
        ? read_spaces(n, spaces, out, why)
        : rc;
}

void access_put_rights(const struct node *n, struct buf *b,
    const struct member *m, const char *spaces)
{
    bool any = false;

    if (m == NULL) {
        buf_printf(b, ",\"role\":null,\"%s\":[]", spaces);
        return;
    }
    buf_printf(
        b, ",\"role\":\"%s\",\"%s\":", member_role_name(m->role), spaces);
    if (!m->some_spaces) {
        buf_put_str(b, "null");
        return;
    }
    buf_put_u8(b, '[');
    for (uint32_t i = 0; i < m->spaces_n; i++) {
        const struct space *sp = space_by_token(n, &m->spaces[i]);

        if (sp == NULL)
            continue; /* made where we have not heard of it */
        buf_put_str(b, any ? "," : "");
        json_print_string(b, sp->name, false);
        any = true;
    }
    buf_put_u8(b, ']');
}
