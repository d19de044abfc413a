/* The machine that wants into another one's mesh.
 *
 *   by a code:    dial each address, then search by multicast -> JOIN ->
 *                 WELCOME -> leave the old mesh, enter the new one -> answer
 *   by digits:    dial the address given, again and again, or search for
 *                 somebody who lets others ask -> ASK, NONCE, REVEAL -> tell
 *                 the digits, wait for a person -> CONFIRM -> ADMIT -> ...
 *
 * Digits are shown once an attempt: whoever could have them made anew until
 * they suit him would not need to guess. */
#include "repl/join_impl.h"

#include "base/text.h"
#include "repl/access_impl.h"
#include "repl/pair_impl.h"

#include <stdlib.h>

#define JOIN_US ((uint64_t)30 * 1000 * 1000)
#define FIND_EVERY_US ((uint64_t)500 * 1000)
#define DIAL_EVERY_US ((uint64_t)1000 * 1000)
#define TARGETS_MAX (CODE_ADDRS_MAX + 2)
/* The other side's clock runs out first, and it can say so. */
#define ANSWER_US (ASK_US + 5 * (uint64_t)1000 * 1000)

struct joining {
    uint64_t request;
    bool by_code;
    struct pair_code code; /* its secret is OPEN_SECRET if not by_code */
    struct netaddr targets[TARGETS_MAX];
    size_t targets_n, at;
    bool here_only; /* the address that was given, no search */
    uint64_t conn;  /* 0: none under way */
    uint64_t deadline_us, find_due_us;
    struct beacon_find find;
    bool searching, discard, leave;
    /* Without a code. */
    uint8_t commit[SHA256_LEN], nonce[DIGITS_NONCE_LEN];
    struct digits digits; /* "" until both nonces are known */
    bool confirmed;
    uint64_t still_due_us;
    /* In. */
    uint64_t answer_at; /* commit to be durable before the answer; 0: none */
    struct device_id inviter;
    struct buf parts; /* of the answer, if it is long */
    struct buf inviter_name;
    uint64_t kept;
    struct errmsg last; /* why the last try failed */
};

/* ---- the end of it ---- */

static void joining_free(struct node *n)
{
    if (n->joining == NULL)
        return;
    buf_free(&n->joining->inviter_name);
    buf_free(&n->joining->parts);
    free(n->joining);
    n->joining = NULL;
}

void joiner_free(struct node *n)
{
    joining_free(n);
}

/* Until the answer is out, somebody waits for it. */
static int give_up(struct node *n, int rc, const struct errmsg *why)
{
    rc = fx_error(n, n->joining->request, rc, why);
    if (rc == SYNCLINE_OK)
        joining_free(n);
    return rc;
}

/* The connection of the attempt, if there still is one. */
static struct conn *conn_at_work(const struct node *n)
{
    struct conn *c =
        n->joining->conn != 0 ? conn_by_id(n, n->joining->conn) : NULL;

    return c != NULL && !c->closing ? c : NULL;
}

/* Tells the other side that nothing will come of it. */
static void hang_up(struct node *n, const char *why)
{
    struct conn *c = conn_at_work(n);
    struct buf b = { 0 };

    if (c == NULL)
        return;
    if (!n->joining->by_code && c->up) {
        pair_put_refuse(&b, PAIR_UNCONFIRMED);
        (void)!pair_send(n, c, &b);
    }
    buf_free(&b);
    conn_close(n, c, SYNCLINE_OK, why);
}

/* Once it is in, it is in. */
void joiner_cancel(struct node *n, uint64_t request)
{
    struct joining *j = n->joining;

    if (j == NULL || j->request != request || j->answer_at != 0)
        return;
    hang_up(n, "nobody is joining any more");
    joining_free(n);
}

/* ---- where to ---- */

static int dial(struct node *n, const struct netaddr *to)
{
    struct effect *fx = fx_add(n, FX_DIAL);

    if (fx == NULL)
        return SYNCLINE_ENOMEM;
    buf_clear(&n->joining->parts);
    fx->conn = n->joining->conn = ++n->next_conn;
    fx->remote = *to;
    fx->pairing = true;
    return SYNCLINE_OK;
}

static int dial_next(struct node *n)
{
    struct joining *j = n->joining;

    if (j->at < j->targets_n)
        return dial(n, &j->targets[j->at++]);
    j->conn = 0;
    if (!j->searching || j->here_only)
        j->find_due_us = j->here_only ? n->now_us + DIAL_EVERY_US : n->now_us;
    j->searching = true;
    return SYNCLINE_OK;
}

static int search(struct node *n)
{
    struct joining *j = n->joining;
    struct buf b = { 0 };
    int rc;

    if (j->here_only) {
        j->at = 0;
        return dial_next(n);
    }
    j->find_due_us = n->now_us + FIND_EVERY_US;
    j->find.port = n->opt.port;
    rc = beacon_put_find(
        &b, n->opt.crypto, SLICE(j->code.secret, CODE_SECRET_LEN), &j->find);
    if (rc == SYNCLINE_OK)
        rc = pair_cast(n, &b, NULL);
    buf_free(&b);
    return rc;
}

int joiner_on_here(struct node *n, const struct event *ev)
{
    struct joining *j = n->joining;
    struct beacon b;

    if (j == NULL || !j->searching || j->here_only || j->conn != 0 ||
        j->answer_at != 0 ||
        beacon_get_here(&b, n->opt.crypto,
            SLICE(j->code.secret, CODE_SECRET_LEN), &j->find,
            ev->bytes) != SYNCLINE_OK ||
        device_eq(&b.device, &n->device))
        return SYNCLINE_OK;
    j->targets[0] = ev->remote;
    j->targets[0].port = b.port;
    j->targets_n = 1;
    j->at = 0;
    return dial_next(n);
}

/* ---- the request ---- */

static int read_join_args(struct node *n, const struct json *args,
    struct joining *j, struct errmsg *why)
{
    struct slice peer = json_get_str(args, "peer");
    int rc = SYNCLINE_OK;

    j->by_code = json_get(args, "code") != NULL;
    j->discard = json_get_bool(args, "discard", false);
    j->leave = json_get_bool(args, "leave", false);
    if (j->by_code)
        rc = code_decode(&j->code, json_get_str(args, "code"), why);
    else
        memcpy(j->code.secret, OPEN_SECRET.ptr, CODE_SECRET_LEN);
    if (rc != SYNCLINE_OK)
        return rc;
    if (j->by_code && memcmp(n->device.b, j->code.prefix, CODE_PREFIX_LEN) == 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "this code was made by this very device; give it to another one");
    if (peer.len > 0) {
        rc = netaddr_parse(&j->targets[j->targets_n++], peer, 4748, why);
        if (rc != SYNCLINE_OK)
            return rc;
        j->here_only = !j->by_code;
    }
    for (size_t i = 0; i < j->code.addrs_n; i++)
        j->targets[j->targets_n++] = j->code.addrs[i];
    return SYNCLINE_OK;
}

/* Is this a code of the mesh that we are in? */
static const struct member *maker_of(
    const struct node *n, const struct joining *j)
{
    for (size_t i = 0; i < members_n(n->members) && j->by_code; i++) {
        const struct member *m = members_at(n->members, i);

        if (memcmp(m->device.b, j->code.prefix, CODE_PREFIX_LEN) == 0)
            return m;
    }
    return NULL;
}

static int may_join(struct node *n, const struct joining *j, struct errmsg *why)
{
    const struct member *maker = maker_of(n, j);
    size_t others = members_n(n->members) - 1;

    if (n->joining != NULL)
        return errmsg_set(why, SYNCLINE_EBUSY,
            "this device is joining a mesh already; wait for that, or end the "
            "other `syncline join`");
    if (maker != NULL && !j->leave)
        return errmsg_set(why, SYNCLINE_EEXIST,
            "this code was made by %.*s, with whom this device shares a mesh "
            "already; if it was removed there, come back with --leave",
            SLICE_FMT(maker->name));
    if (others > 0 && !j->leave)
        return errmsg_set(why, SYNCLINE_EEXIST,
            "this device shares a mesh with %zu other%s%s; to leave it and "
            "join another one, say --leave%s",
            others, others == 1 ? "" : "s",
            replay_waits(n) ? ", where items that it brought along still wait "
                              "to be written"
                            : "",
            replay_waits(n) ? ": they come along" : "");
    return SYNCLINE_OK;
}

int request_join(struct node *n, uint64_t request, const struct json *args)
{
    struct errmsg why = { "" };
    struct joining *j = calloc(1, sizeof *j);
    int rc;

    if (j == NULL)
        return SYNCLINE_ENOMEM;
    rc = read_join_args(n, args, j, &why);
    if (rc == SYNCLINE_OK)
        rc = may_join(n, j, &why);
    if (rc != SYNCLINE_OK) {
        free(j);
        return fx_error(n, request, rc, &why);
    }
    j->request = request;
    j->deadline_us = n->now_us + JOIN_US;
    n->joining = j;
    return dial_next(n);
}

/* ---- the connection ---- */

bool joiner_expects(const struct node *n, const struct device_id *device)
{
    const struct joining *j = n->joining;

    return j != NULL && j->conn != 0 &&
        (!j->by_code ||
            memcmp(device->b, j->code.prefix, CODE_PREFIX_LEN) == 0);
}

/* Without a code it may be anybody: some need no digits to be told apart. */
static int check_whom(
    const struct node *n, const struct conn *c, struct errmsg *why)
{
    if (device_eq(&c->device, &n->device))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "this is the address of this very device; give that of a member "
            "of the mesh that it is to join");
    if (members_has(n->members, &c->device) && !n->joining->leave)
        return errmsg_set(why, SYNCLINE_EEXIST,
            "the device at this address shares a mesh with this one already");
    return SYNCLINE_OK;
}

static int put_ask(struct node *n, struct conn *c, struct buf *out)
{
    struct joining *j = n->joining;
    const struct crypto_port *crypto = n->opt.crypto;
    struct pair_link link = pair_link_of(n, c);
    struct pair_ask ask = { .name = n->opt.name, .port = n->opt.port };
    int rc = check_whom(n, c, &j->last);

    if (rc == SYNCLINE_OK)
        rc = crypto->random(crypto->self, j->nonce, sizeof j->nonce);
    if (rc == SYNCLINE_OK)
        rc = digits_commit(ask.commit, crypto, &link, j->nonce);
    if (rc != SYNCLINE_OK)
        return rc;
    memcpy(j->commit, ask.commit, sizeof j->commit);
    rc = put_pair_ask(out, &ask);
    return rc != SYNCLINE_EINVAL ? rc
                                 : errmsg_set(&j->last, rc,
                                       "this machine's name is longer than %d "
                                       "bytes",
                                       PAIR_NAME_MAX);
}

int joiner_on_conn(struct node *n, struct conn *c)
{
    struct joining *j = n->joining;
    struct pair_link link = pair_link_of(n, c);
    struct buf out = { 0 };
    int rc;

    if (j == NULL || j->conn != c->id) {
        conn_close(n, c, SYNCLINE_OK, "nobody is joining any more");
        return SYNCLINE_OK;
    }
    rc = j->by_code ? pair_put_join(n->opt.crypto, &j->code, &link, n->opt.name,
                          n->opt.port, &out, &j->last)
                    : put_ask(n, c, &out);
    if (rc == SYNCLINE_OK)
        rc = pair_send(n, c, &out);
    else if (rc != SYNCLINE_ENOMEM)
        conn_close(n, c, rc, j->last.text);
    buf_free(&out);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOMEM && !j->by_code) {
        j->conn = 0;
        return give_up(n, rc, &j->last);
    }
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

/* Before there were digits another try is as good. */
int joiner_on_down(struct node *n, uint64_t conn)
{
    struct joining *j = n->joining;
    struct errmsg why;

    if (j == NULL || j->conn != conn || j->answer_at != 0)
        return SYNCLINE_OK;
    if (j->digits.text[0] == 0)
        return dial_next(n);
    (void)errmsg_set(&why, SYNCLINE_ECLOSED,
        "the other machine has ended the pairing, or is gone; begin again");
    return give_up(n, SYNCLINE_ECLOSED, &why);
}

/* ---- digits ---- */

static int tell_digits(
    struct node *n, const struct conn *c, const struct digits *digits)
{
    char addr[NETADDR_TEXT];
    struct buf b = { 0 };
    int rc;

    netaddr_format(addr, &c->remote);
    buf_printf(
        &b, "{\"ok\":true,\"more\":true,\"digits\":\"%s\",", digits->text);
    buf_printf(&b, "\"address\":\"%s\",\"device\":", addr);
    put_device_hex(&b, &c->device);
    buf_put_u8(&b, '}');
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, n->joining->request, buf_slice(&b), true);
    buf_free(&b);
    return rc;
}

/* Only now does the other side get to see the own nonce. */
static int on_nonce(struct node *n, struct conn *c, struct slice bytes)
{
    struct joining *j = n->joining;
    struct pair_link link = pair_link_of(n, c);
    uint8_t theirs[DIGITS_NONCE_LEN];
    struct digits_seen seen = { j->commit, j->nonce, theirs };
    struct digits digits;
    struct buf b = { 0 };
    int rc = get_pair_nonce(bytes, PAIR_NONCE, theirs);

    if (rc == SYNCLINE_OK && j->digits.text[0] != 0)
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = digits_make(&digits, n->opt.crypto, &link, &seen);
    if (rc == SYNCLINE_OK)
        rc = put_pair_nonce(&b, PAIR_REVEAL, j->nonce);
    if (rc == SYNCLINE_OK)
        rc = pair_send(n, c, &b);
    if (rc == SYNCLINE_OK)
        rc = tell_digits(n, c, &digits);
    buf_free(&b);
    if (rc != SYNCLINE_OK)
        return rc;
    j->digits = digits;
    j->still_due_us = n->now_us + n->opt.heartbeat_us;
    j->deadline_us = n->now_us + ANSWER_US;
    return SYNCLINE_OK;
}

/* Nothing is believed before the person here has said that they match. */
static int on_answer_to_ask(struct node *n, struct conn *c, struct slice bytes,
    struct pair_welcome *w, bool *in)
{
    struct joining *j = n->joining;
    struct reader r = reader_of(bytes);
    uint8_t kind = 0;
    int rc = digits_kind(bytes, &kind);

    if (kind == PAIR_REFUSE) {
        (void)get_fixed(&r, 2);
        return pair_get_refuse(&r, &j->last);
    }
    if (rc == SYNCLINE_EVERSION)
        return pair_tell_refusal(&j->last, PAIR_OTHER_VERSION);
    if (rc == SYNCLINE_OK && kind == PAIR_NONCE) {
        rc = on_nonce(n, c, bytes);
        return rc == SYNCLINE_EMALFORMED
            ? pair_tell_refusal(&j->last, PAIR_BROKEN)
            : rc;
    }
    if (rc != SYNCLINE_OK || kind != PAIR_ADMIT || !j->confirmed)
        return pair_tell_refusal(&j->last, PAIR_BROKEN);
    *in = true;
    return get_pair_admit(bytes, w, &j->last);
}

static int say(struct node *n, struct conn *c, enum digits_message kind)
{
    struct buf b = { 0 };
    int rc = put_pair_word(&b, kind);

    if (rc == SYNCLINE_OK)
        rc = pair_send(n, c, &b);
    buf_free(&b);
    return rc;
}

static int on_match(struct node *n, uint64_t request, struct conn *c)
{
    int rc = say(n, c, PAIR_CONFIRM);

    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, request, SLICE_LIT("{\"ok\":true}"), false);
    if (rc == SYNCLINE_OK)
        n->joining->confirmed = true;
    return rc;
}

/* Somebody may be in between: it is over on both sides. */
static int on_mismatch(struct node *n, uint64_t request, struct errmsg *why)
{
    int rc = errmsg_set(why, SYNCLINE_EDENIED,
        "the digits were not confirmed, so nothing was joined; if they "
        "differed, somebody may stand between the two machines");

    rc = fx_error(n, request, rc, why);
    if (rc != SYNCLINE_OK)
        return rc;
    hang_up(n, "the digits were not confirmed");
    return give_up(n, SYNCLINE_EDENIED, why);
}

int request_confirm(struct node *n, uint64_t request, const struct json *args)
{
    struct slice digits = json_get_str(args, "digits");
    struct joining *j = n->joining;
    struct conn *c = j != NULL ? conn_at_work(n) : NULL;
    struct errmsg why = { "" };

    if (c == NULL || j->digits.text[0] == 0 || j->confirmed) {
        int rc = errmsg_set(&why, SYNCLINE_ENOTFOUND,
            "no digits wait to be confirmed on this device; `syncline join` "
            "without a code shows some");
        return fx_error(n, request, rc, &why);
    }
    return digits_are(&j->digits, digits) ? on_match(n, request, c)
                                          : on_mismatch(n, request, &why);
}

/* ---- in ---- */

static int enter(struct node *n, struct conn *c, const struct pair_welcome *w)
{
    struct joining *j = n->joining;
    const struct mesh_id left = n->mesh;
    struct netaddr addr = c->remote;
    struct buf book = { 0 };
    int rc;

    j->inviter = c->device;
    buf_put_slice(&j->inviter_name, w->name);
    peers_put_told(&book, &j->inviter, &addr, w->peers, w->peers_n);
    rc = buf_status(&book);
    if (rc == SYNCLINE_OK)
        rc = move_to_mesh(n, w, buf_slice(&book), j->discard, &j->kept);
    buf_free(&book);
    if (rc == SYNCLINE_OK)
        rc = mesh_load_book(n);
    if (rc != SYNCLINE_OK)
        return rc;
    peers_learn(n->peers, &j->inviter, &addr, PEER_CODE);
    j->conn = 0;
    rc = mesh_save_book(n);
    j->answer_at = txn_is_empty(&n->txn) ? n->commit : n->commit + 1;
    if (rc == SYNCLINE_OK)
        rc = audit_join(
            n, &j->inviter, buf_slice(&j->inviter_name), &left, j->kept);
    return rc == SYNCLINE_OK ? join_persisted(n) : rc;
}

int joiner_on_frame(struct node *n, struct conn *c, struct slice bytes)
{
    struct joining *j = n->joining;
    struct pair_link link = pair_link_of(n, c);
    struct pair_welcome w;
    bool in = true;
    int rc;

    if (j == NULL || j->conn != c->id)
        return SYNCLINE_EMALFORMED;
    rc = welcome_gather(&j->parts, bytes, &bytes);
    if (rc == SYNCLINE_EMALFORMED) {
        rc = pair_tell_refusal(&j->last, PAIR_BROKEN);
    } else if (rc != SYNCLINE_OK || bytes.ptr == NULL) {
        return rc;
    } else if (j->by_code) {
        rc =
            pair_on_answer(n->opt.crypto, &j->code, &link, bytes, &w, &j->last);
    } else {
        in = false;
        rc = on_answer_to_ask(n, c, bytes, &w, &in);
    }
    if (rc == SYNCLINE_ENOMEM || (rc == SYNCLINE_OK && !in))
        return rc;
    if (rc == SYNCLINE_OK) {
        rc = enter(n, c, &w);
        if (rc != SYNCLINE_OK)
            return give_up(n, rc, NULL);
    } else {
        rc = give_up(n, rc, &j->last); /* no other address, no search */
    }
    conn_close(n, c, SYNCLINE_OK, "pairing is over");
    return rc;
}

static int answer_join(struct node *n)
{
    struct joining *j = n->joining;
    struct buf b = { 0 };
    int rc;

    buf_put_str(&b, "{\"ok\":true,\"mesh\":\"");
    put_hex(&b, SLICE(n->mesh.b, MESH_ID_LEN));
    buf_put_str(&b, "\",\"device\":");
    put_device_hex(&b, &j->inviter);
    buf_put_str(&b, ",\"name\":");
    json_print_string(&b, buf_slice(&j->inviter_name), false);
    buf_printf(&b, ",\"kept\":%llu", (unsigned long long)j->kept);
    access_put_rights(n, &b, members_get(n->members, &n->device), "spaces");
    buf_put_u8(&b, '}');
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, j->request, buf_slice(&b), false);
    buf_free(&b);
    if (rc == SYNCLINE_OK)
        joining_free(n);
    return rc;
}

static bool owes_answer(const struct node *n)
{
    return n->joining != NULL && n->joining->answer_at != 0 &&
        n->joining->answer_at <= n->persisted;
}

int joiner_persisted(struct node *n)
{
    return owes_answer(n) ? answer_join(n) : SYNCLINE_OK;
}

/* ---- time ---- */

static int on_deadline(struct node *n)
{
    struct joining *j = n->joining;
    struct errmsg why;

    if (j->digits.text[0] != 0)
        (void)pair_tell_refusal(&j->last, PAIR_TOO_LATE);
    else if (j->last.text[0] == 0)
        (void)errmsg_set(&j->last, SYNCLINE_ETIMEOUT,
            j->by_code
                ? "the inviting device was not found, neither at the code's "
                  "addresses nor on this network; say where it is with --peer "
                  "ADDRESS:PORT"
                : "nobody was found who lets this machine ask: say `syncline "
                  "pending --open 2m` on a member, and here where it is, with "
                  "--peer ADDRESS:PORT");
    why = j->last;
    hang_up(n, "the time is over");
    return give_up(n, SYNCLINE_ETIMEOUT, &why);
}

int joiner_tick(struct node *n)
{
    struct joining *j = n->joining;
    struct conn *c;

    if (owes_answer(n))
        return answer_join(n);
    if (j == NULL || j->answer_at != 0)
        return SYNCLINE_OK;
    if (n->now_us >= j->deadline_us)
        return on_deadline(n);
    c = conn_at_work(n);
    if (c != NULL && j->digits.text[0] != 0 && n->now_us >= j->still_due_us) {
        j->still_due_us = n->now_us + n->opt.heartbeat_us;
        return say(n, c, PAIR_STILL);
    }
    if (j->searching && j->conn == 0 && n->now_us >= j->find_due_us)
        return search(n);
    return SYNCLINE_OK;
}

uint64_t joiner_deadline(const struct node *n)
{
    const struct joining *j = n->joining;
    uint64_t due;

    if (owes_answer(n))
        return n->now_us;
    if (j == NULL || j->answer_at != 0)
        return UINT64_MAX;
    due = j->deadline_us;
    if (j->searching && j->conn == 0 && j->find_due_us < due)
        due = j->find_due_us;
    if (j->digits.text[0] != 0 && j->still_due_us < due)
        due = j->still_due_us;
    return due;
}
