/* What a new member must know: a WELCOME, or an ADMIT, in as many frames as it
 * takes. */
#include "repl/join_impl.h"

#include "repl/pair_impl.h"

/* A connection holds so much that its other side has not read yet, and a
 * certificate more. */
#define WELCOME_MAX ((size_t)4 << 20)

struct record_scan {
    struct node *node;
    struct buf out;
    uint32_t n;
};

/* What can never count is of no use to a new member, and whoever may write
 * nothing else can write thousands of it. */
static int put_record(void *ctx, struct slice key, struct slice value)
{
    struct record_scan *s = ctx;
    struct buf doc = { 0 };
    struct stored st;
    int rc = stored_decode(value, &st, &s->node->step);

    key = slice_from(key, 4);
    if (rc != SYNCLINE_OK || !item_alive(&st.item) ||
        !members_weighs(s->node->members, key))
        return rc;
    put_document(&doc, &st.item, &s->node->step);
    put_pair_record(&s->out, key, buf_slice(&doc));
    s->n++;
    rc = buf_status(&doc) != 0 ? buf_status(&doc) : buf_status(&s->out);
    buf_free(&doc);
    return rc;
}

static int put_records(struct record_scan *s)
{
    struct space *mesh = space_by_name(s->node, SLICE_LIT(MESH_SPACE));
    struct buf prefix = { 0 };
    int rc = store_scan(&s->node->opt.store, TABLE_ITEM,
        key_space(&prefix, mesh->id), SLICE_NONE, put_record, s);

    buf_free(&prefix);
    return rc;
}

int welcome_check(struct node *n)
{
    struct record_scan s = { .node = n };
    int rc = put_records(&s);
    size_t len = s.out.len;

    buf_free(&s.out);
    if (rc != SYNCLINE_OK || len <= WELCOME_MAX)
        return rc;
    log_line(&n->log, LOG_LEVEL_WARN, "join",
        "nobody can be let in: the mesh's records are %zu bytes, and %zu are "
        "sent to a new member at most",
        len, WELCOME_MAX);
    return SYNCLINE_ELIMIT;
}

static int send_part(
    struct node *n, struct conn *c, struct slice part, bool last)
{
    struct buf b = { 0 };
    int rc;

    buf_put_u8(&b, PAIR_PART);
    buf_put_u8(&b, PAIR_VERSION);
    buf_put_u8(&b, last ? 1 : 0);
    buf_put_slice(&b, part);
    rc = pair_send(n, c, &b);
    buf_free(&b);
    return rc;
}

static int send_whole(struct node *n, struct conn *c, const struct buf *b)
{
    struct slice rest = buf_slice(b);
    int rc = SYNCLINE_OK;

    if (rest.len <= n->opt.fragment_above)
        return pair_send(n, c, b);
    while (rest.len > 0 && rc == SYNCLINE_OK) {
        size_t most = n->opt.fragment_bytes;
        size_t len = rest.len < most ? rest.len : most;

        rc = send_part(n, c, SLICE(rest.ptr, len), len == rest.len);
        rest = slice_from(rest, len);
    }
    return rc;
}

int pair_welcome(struct node *n, struct conn *c, uint64_t invite)
{
    struct record_scan scan = { .node = n };
    struct pair_link link = pair_link_of(n, c);
    struct pair_welcome w = { .mesh = n->mesh, .name = n->opt.name };
    const struct member *m = members_get(n->members, &c->device);
    struct buf out = { 0 }, peers = { 0 };
    int rc = put_records(&scan);

    /* Who may not read everything is given his part of it later. */
    if (m != NULL && member_reads_all(m))
        memcpy(w.secret, n->mesh_secret, MESH_SECRET_LEN);
    w.records = buf_slice(&scan.out);
    w.records_n = scan.n;
    w.peers_n = peers_tell(n->peers, &peers);
    w.peers = buf_slice(&peers);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&peers);
    if (rc == SYNCLINE_OK)
        rc = invite != 0 ? pair_put_welcome(n->invites, invite, &link, &w, &out)
                         : put_pair_admit(&out, &w);
    if (rc == SYNCLINE_OK)
        rc = send_whole(n, c, &out);
    if (rc == SYNCLINE_OK) {
        if (c->port != 0)
            peers_learn(n->peers, &c->device, &c->remote, PEER_OBSERVED);
        conn_close(n, c, SYNCLINE_OK, "paired");
        invites_leave(n->invites, c->id);
        rc = mesh_save_book(n);
    }
    buf_free(&scan.out);
    buf_free(&peers);
    buf_free(&out);
    return rc == SYNCLINE_ENOTFOUND ? pair_refuse(n, c, PAIR_EXPIRED) : rc;
}

int welcome_gather(struct buf *parts, struct slice bytes, struct slice *whole)
{
    struct reader r = reader_of(bytes);
    uint8_t type = get_u8(&r), version = get_u8(&r), last = 1;

    *whole = bytes;
    if (r.err != SYNCLINE_OK || type != PAIR_PART)
        return parts->len == 0 ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
    last = get_u8(&r);
    if (r.err != SYNCLINE_OK || version != PAIR_VERSION || last > 1 ||
        r.in.len == 0 || parts->len + r.in.len > WELCOME_MAX + FRAME_MAX)
        return SYNCLINE_EMALFORMED;
    buf_put_slice(parts, r.in);
    *whole = last == 1 ? buf_slice(parts) : SLICE_NONE;
    return buf_status(parts);
}

/* ---- kept until `_mesh` is here ---- */

static struct slice key_welcomed(
    struct buf *b, const struct mesh_id *mesh, uint32_t part)
{
    buf_clear(b);
    buf_put_str(b, META_WELCOMED);
    buf_put(b, mesh->b, MESH_ID_LEN);
    put_be32(b, part);
    return buf_status(b) == SYNCLINE_OK ? buf_slice(b) : STORE_NO_ROOM;
}

/* In commits of their own. Should the mesh not be entered in the end, they are
 * of one that nobody asks for. */
int welcome_keep(struct node *n, const struct pair_welcome *w)
{
    struct reader r = reader_of(w->records);
    const uint8_t *from = r.in.ptr;
    uint32_t part = 0;
    int rc = SYNCLINE_OK;

    while (r.in.len > 0 && rc == SYNCLINE_OK) {
        struct slice key, value;

        get_pair_record(&r, &key, &value);
        if (r.err != 0)
            return r.err;
        if (r.in.len > 0 && (size_t)(r.in.ptr - from) < n->opt.commit_bytes)
            continue;
        txn_put(&n->txn, TABLE_META, key_welcomed(&n->key, &w->mesh, part++),
            SLICE(from, (size_t)(r.in.ptr - from)));
        from = r.in.ptr;
        rc = node_commit(n);
    }
    return rc;
}

static int take_part(void *ctx, struct slice key, struct slice value)
{
    (void)key;
    return mesh_take_records(ctx, value);
}

int welcome_load(struct node *n)
{
    struct buf prefix = { 0 };
    int rc;

    buf_put_str(&prefix, META_WELCOMED);
    buf_put(&prefix, n->mesh.b, MESH_ID_LEN);
    rc = buf_status(&prefix);
    if (rc == SYNCLINE_OK)
        rc = store_scan(&n->opt.store, TABLE_META, buf_slice(&prefix),
            SLICE_NONE, take_part, n);
    buf_free(&prefix);
    return rc;
}
