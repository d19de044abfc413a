/* Who may come in. The older nodes say the key itself, as a token; whoever can
 * prove that he has it without saying it may do that instead, and is given a
 * token that counts for a while. */
#include "base/plant.h"
#include "base/text.h"
#include "faces/lansync/link_impl.h"
#include "faces/lansync/token.h"

#include <stdlib.h>

#define US UINT64_C(1000000)
#define CLIENT_VERSION "1.0.0"
#define PROOF_FOR "lan-sync challenge"
#define BOUND_PROOF_FOR "lan-sync challenge tls"

int auth_keep(struct lan_link *l)
{
    const struct lan_link_options *opt = &l->opt;
    const uint8_t *end =
        opt->token.len > 0 ? memchr(opt->token.ptr, 0, opt->token.len) : NULL;

    if (end != NULL)
        return SYNCLINE_EINVAL;
    l->token = malloc(opt->token.len + 1);
    if (l->token == NULL)
        return SYNCLINE_ENOMEM;
    if (opt->token.len > 0)
        memcpy(l->token, opt->token.ptr, opt->token.len);
    l->token[opt->token.len] = 0;
    buf_put_slice(&l->key, opt->key);
    l->opt.key = buf_slice(&l->key);
    l->opt.token = slice_str(l->token);
    buf_put_slice(&l->credentials, opt->credentials);
    l->opt.credentials = buf_slice(&l->credentials);
    return buf_status(&l->key) != SYNCLINE_OK ? buf_status(&l->key)
                                              : buf_status(&l->credentials);
}

static void wipe(struct buf *b)
{
    if (b->len > 0)
        crypto_wipe(b->ptr, b->len);
    buf_free(b);
}

void auth_free(struct lan_link *l)
{
    if (l->token != NULL)
        crypto_wipe(l->token, strlen(l->token));
    free(l->token);
    wipe(&l->key);
    wipe(&l->credentials);
    wipe(&l->session);
}

/* ---- what is said ---- */

static void add_text(
    struct lan_link *l, struct json *to, const char *key, struct slice s)
{
    json_add(to, slice_str(key), json_new_str(&l->arena, s));
}

static void send_as(struct lan_link *l, enum lan_type type,
    struct json *payload, const char *id, uint64_t now_us)
{
    const struct lan_draft draft = {
        .type = type, .payload = payload, .id = id
    };

    if (payload == NULL || l->arena.failed ||
        lan_link_send(l, &draft, now_us) != SYNCLINE_OK)
        link_close(l, "memory ran out");
}

/* What it is of, if it goes by TLS, and a proof is to be bound to that. */
static int take_binding(
    const struct lan_link *l, uint8_t out[LAN_BINDING_LEN], bool *is_bound)
{
    const struct lan_link_events *ev = &l->opt.events;
    int rc = ev->binding != NULL && !PLANTED(R12_LAN_RELAY)
        ? ev->binding(ev->ctx, out)
        : SYNCLINE_ENOTFOUND;

    *is_bound = rc == SYNCLINE_OK;
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

/* HMAC of the challenge under the key, by whom; by TLS, on which connection.
 * Who stands between two of those has another one with either. */
static int prove(const struct lan_link *l, uint8_t out[SHA256_LEN],
    const uint8_t challenge[LAN_CHALLENGE_LEN], struct slice node, bool binds)
{
    uint8_t binding[LAN_BINDING_LEN];
    struct slice parts[] = { SLICE_LIT(PROOF_FOR "\0"),
        SLICE(challenge, LAN_CHALLENGE_LEN), SLICE_LIT(""), node };
    struct mac_key key;
    bool is_bound = false;
    int rc = binds ? take_binding(l, binding, &is_bound) : SYNCLINE_OK;

    if (is_bound) {
        parts[0] = SLICE_LIT(BOUND_PROOF_FOR "\0");
        parts[2] = SLICE(binding, sizeof binding);
    }
    if (rc == SYNCLINE_OK)
        rc = crypto_mac_key(&key, l->opt.key);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = crypto_mac(out, &key, parts, 4);
    crypto_wipe(&key, sizeof key);
    return rc;
}

/* Of what counted before our start nothing is known: who was let in without
 * saying the secret could say again what he has heard of others. What m answers
 * was asked after that, and so it shows what the other clock said at our start
 * at most; where it answers nothing, ours has to do. Who has said the secret
 * can sign what he likes: there is nothing to be gained of him, and the clocks
 * of older nodes may be slow. */
static void forget_earlier(struct lan_link *l, const struct lan_message *m)
{
    const uint64_t begun_us = lan_protocol_begun(l->opt.protocol);
    const uint64_t said_us = lan_protocol_said_us(m);

    if (begun_us == 0)
        return;
    l->not_before_us = lan_protocol_wall(l->opt.protocol, begun_us);
    if (l->is_signed && l->asked_us >= begun_us &&
        said_us > l->asked_us - begun_us)
        l->not_before_us = said_us - (l->asked_us - begun_us);
}

static void add_offer(struct lan_link *l, struct slice id, struct json *payload)
{
    const struct lan_link_events *ev = &l->opt.events;

    if (ev->offer != NULL && payload != NULL)
        ev->offer(ev->ctx, id, payload, &l->arena);
}

static void tell_offer(
    struct lan_link *l, struct slice id, const struct lan_message *m)
{
    const struct lan_link_events *ev = &l->opt.events;

    if (ev->offered != NULL)
        ev->offered(ev->ctx, id, m);
}

/* ---- a client ---- */

/* What the program has said, or NULL. */
static struct json *own_credentials(struct lan_link *l)
{
    struct json *v = NULL;

    if (json_parse(&v, l->opt.credentials, JSON_STRICT, &l->arena, NULL) !=
            SYNCLINE_OK ||
        v->type != JSON_OBJECT)
        return NULL;
    return v;
}

static struct json *request_to_come_in(struct lan_link *l, uint64_t now_us)
{
    const bool has_own =
        l->opt.auth == LAN_BY_TOKEN && l->opt.credentials.len > 0;
    struct json *payload =
        has_own ? own_credentials(l) : json_new(&l->arena, JSON_OBJECT);

    if (has_own && json_get(payload, "request_id") != NULL)
        return NULL;
    if (l->opt.auth == LAN_BY_PROOF)
        add_text(l, payload, "method", SLICE_LIT("challenge"));
    else if (!has_own)
        add_text(l, payload, "token", l->opt.token);
    add_text(l, payload, "request_id", slice_str(l->auth_id));
    if (json_get(payload, "timestamp") == NULL)
        json_add(payload, SLICE_LIT("timestamp"),
            json_new_int(&l->arena, (int64_t)(wall_us(l, now_us) / US)));
    if (json_get(payload, "client_version") == NULL)
        add_text(l, payload, "client_version", SLICE_LIT(CLIENT_VERSION));
    add_offer(l, slice_str(l->auth_id), payload);
    return payload;
}

void auth_begin(struct lan_link *l, uint64_t now_us)
{
    arena_reset(&l->arena);
    if (l->opt.auth == LAN_BY_NOTHING) {
        link_open(l, now_us);
        return;
    }
    if (lan_uuid(l->opt.protocol, l->auth_id) != SYNCLINE_OK) {
        link_close(l, "memory ran out");
        return;
    }
    l->asked_us = now_us;
    l->auth_end_us = now_us + l->opt.auth_us;
    l->auth_due_us = now_us +
        (l->opt.auth == LAN_BY_TOKEN ? l->opt.auth_us / 2 : l->opt.auth_us);
    send_as(
        l, LAN_AUTH_REQUEST, request_to_come_in(l, now_us), l->auth_id, now_us);
}

static void answer_challenge(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    struct slice node = slice_str(lan_protocol_node(l->opt.protocol));
    struct json *payload = json_new(&l->arena, JSON_OBJECT);
    const bool binds = json_get_bool(m->member[LAN_PAYLOAD], "bind", false);
    uint8_t challenge[LAN_CHALLENGE_LEN], proof[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];

    if (l->opt.auth != LAN_BY_PROOF ||
        hex_decode(challenge, sizeof challenge,
            lan_payload_text(m, "challenge")) != SYNCLINE_OK) {
        link_log(l, "a challenge that nobody had asked for");
        return;
    }
    if (prove(l, proof, challenge, node, binds) != SYNCLINE_OK ||
        lan_uuid(l->opt.protocol, l->auth_id) != SYNCLINE_OK) {
        link_close(l, "the secret cannot be proved");
        return;
    }
    l->asked_us = now_us;
    hex_encode(hex, SLICE(proof, sizeof proof));
    add_text(l, payload, "challenge", lan_payload_text(m, "challenge"));
    add_text(l, payload, "response", slice_str(hex));
    add_text(l, payload, "request_id", slice_str(l->auth_id));
    add_offer(l, slice_str(l->auth_id), payload);
    send_as(l, LAN_AUTH_REQUEST, payload, l->auth_id, now_us);
}

static void keep_session(struct lan_link *l, const struct lan_message *m)
{
    struct slice token = json_get_str(
        json_get(m->member[LAN_PAYLOAD], "auth_data"), "session_token");

    if (token.len == 0)
        return;
    buf_clear(&l->session);
    buf_put_slice(&l->session, token);
    buf_put_u8(&l->session, 0);
    if (buf_status(&l->session) != SYNCLINE_OK)
        buf_free(&l->session);
}

static void close_refused(struct lan_link *l, const struct lan_message *m)
{
    struct errmsg why = { "" };
    struct slice text = lan_payload_text(m, "error");

    if (text.len == 0)
        text = lan_payload_text(m, "message");
    if (text.len == 0)
        text = m->type == LAN_ERROR
            ? SLICE_LIT("it does not say why")
            : SLICE_LIT("its AUTH_RESPONSE says no \"success\": true");
    errmsg_set(&why, 0, LAN_REFUSED "%.*s", SLICE_FMT(utf8_cut(text, 200)));
    link_close(l, why.text);
}

/* A server of the second generation fails while it says yes, and while it says
 * no: what comes next will tell. It knows nothing of proofs; and whoever has no
 * secret can have another node sign that it failed. */
static bool is_unknown_outcome(
    const struct lan_link *l, const struct lan_message *m)
{
    return m->type == LAN_ERROR && l->opt.auth != LAN_BY_PROOF &&
        slice_is(lan_payload_text(m, "code"), "internal_error");
}

bool auth_refused(struct lan_link *l, const struct lan_message *m)
{
    struct slice code = lan_payload_text(m, "code");

    if (l->opt.is_server || l->state != LAN_OPEN ||
        l->opt.auth == LAN_BY_NOTHING ||
        (!slice_is(code, "auth_required") && !slice_is(code, "unauthorized")))
        return false;
    close_refused(l, m);
    return true;
}

/* What we ask of who comes, and answer him, is made by who has the secret: he
 * could pass it on to where we have called, and come in by our own proof. */
static bool is_of_ours(const struct lan_link *l, const struct lan_message *m)
{
    return (m->type == LAN_AUTH_CHALLENGE || m->type == LAN_AUTH_RESPONSE) &&
        lan_protocol_made(l->opt.protocol, m) && !PLANTED(R12_LAN_SELF);
}

bool auth_answered(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    struct slice id = lan_payload_text(m, "request_id");

    if (l->opt.is_server)
        return false;
    if (is_of_ours(l, m)) {
        link_close(l, "it is ourselves, or says again what we have said");
        return true;
    }
    if (m->type == LAN_AUTH_CHALLENGE) {
        if (l->state == LAN_GREETING && slice_is(id, l->auth_id))
            answer_challenge(l, m, now_us);
        return true;
    }
    if (m->type != LAN_AUTH_RESPONSE && m->type != LAN_ERROR)
        return false;
    if (l->state == LAN_OPEN) /* somebody may have asked again */
        return false;
    if (l->state != LAN_GREETING || (id.len > 0 && !slice_is(id, l->auth_id)) ||
        (id.len == 0 && (m->type == LAN_ERROR || l->opt.auth == LAN_BY_PROOF)))
        return m->type == LAN_AUTH_RESPONSE;
    if (json_get_bool(m->member[LAN_PAYLOAD], "success", false) ||
        is_unknown_outcome(l, m)) {
        if (l->opt.auth == LAN_BY_PROOF)
            forget_earlier(l, m);
        keep_session(l, m);
        tell_offer(l, slice_str(l->auth_id), m);
        link_open(l, now_us);
    } else {
        close_refused(l, m);
    }
    return true;
}

static void ask_in_other(struct lan_link *l, uint64_t now_us)
{
    if (l->is_told)
        return;
    link_try_other(l);
    send_as(
        l, LAN_AUTH_REQUEST, request_to_come_in(l, now_us), l->auth_id, now_us);
}

/* Servers of the first generation that ask for nothing say nothing. No older
 * server is asked for a proof: who does not ask for it has another reason. */
void auth_tick(struct lan_link *l, uint64_t now_us)
{
    if (l->auth_due_us == 0 || now_us < l->auth_due_us)
        return;
    if (now_us < l->auth_end_us) {
        l->auth_due_us = l->auth_end_us;
        ask_in_other(l, now_us);
        return;
    }
    if (l->opt.auth == LAN_BY_PROOF) {
        link_close(l, LAN_UNANSWERED);
        return;
    }
    link_log(l, "it does not say whether it lets us in: we go on");
    link_open(l, now_us);
}

/* ---- a server ---- */

static struct slice our_node(const struct lan_link *l)
{
    return slice_str(lan_protocol_node(l->opt.protocol));
}

/* A token for whoever has proved the key: that node, here, for a while. */
static int put_session(
    struct lan_link *l, struct json *data, struct slice node, uint64_t now_us)
{
    struct buf token = { 0 };
    struct slice kept;
    int rc = lan_session_put(&token, node, our_node(l), l->opt.key,
        wall_us(l, now_us), l->opt.session_us, &l->arena);

    kept = rc == SYNCLINE_OK ? arena_dup(&l->arena, buf_slice(&token))
                             : SLICE_NONE;
    if (kept.ptr != NULL) {
        add_text(l, data, "session_token", kept);
        json_add(data, SLICE_LIT("expires_in"),
            json_new_int(&l->arena, (int64_t)(l->opt.session_us / US)));
    }
    buf_free(&token);
    return rc;
}

/* One of another server is good there: who hears it is not to come in here. */
static bool is_session(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    struct json *claims = NULL;

    return l->opt.session_us > 0 && l->key.len > 0 &&
        lan_session_read(&claims, lan_payload_text(m, "token"), l->opt.key,
            wall_us(l, now_us), &l->arena) == SYNCLINE_OK &&
        slice_eq(json_get_str(claims, "sub"), lan_sender(m)) &&
        (slice_eq(json_get_str(claims, "aud"), our_node(l)) ||
            PLANTED(R12_LAN_SERVER));
}

/* A challenge counts once. */
static bool is_proof(struct lan_link *l, const struct lan_message *m)
{
    uint8_t said[LAN_CHALLENGE_LEN], proof[SHA256_LEN], want[SHA256_LEN];
    bool was_challenged = l->is_challenged;

    l->is_challenged = false;
    return was_challenged &&
        hex_decode(said, sizeof said, lan_payload_text(m, "challenge")) ==
        SYNCLINE_OK &&
        crypto_equal(SLICE(said, sizeof said),
            SLICE(l->challenge, sizeof l->challenge)) &&
        hex_decode(proof, sizeof proof, lan_payload_text(m, "response")) ==
        SYNCLINE_OK &&
        prove(l, want, l->challenge, lan_sender(m), true) == SYNCLINE_OK &&
        crypto_equal(SLICE(proof, sizeof proof), SLICE(want, sizeof want));
}

static bool may_come_in(struct lan_link *l, const struct lan_message *m,
    struct json **data, uint64_t now_us)
{
    const struct lan_link_events *ev = &l->opt.events;

    if (json_get(m->member[LAN_PAYLOAD], "response") != NULL) {
        if (!is_proof(l, m) || !l->is_signed)
            return false; /* else its time could be changed on its way */
        forget_earlier(l, m);
        return l->opt.session_us == 0 ||
            put_session(l, *data, lan_sender(m), now_us) == SYNCLINE_OK;
    }
    if (is_session(l, m, now_us)) {
        l->is_signed = false; /* a time that answers nothing shows none */
        forget_earlier(l, m);
        return true;
    }
    if (ev->authenticate != NULL)
        return ev->authenticate(ev->ctx, m, data, &l->arena);
    return l->key.len > 0 &&
        crypto_equal(lan_payload_text(m, "token"), buf_slice(&l->key));
}

static const struct json *id_of(struct lan_link *l, const struct lan_message *m)
{
    const struct json *id = json_get(m->member[LAN_PAYLOAD], "request_id");

    return id != NULL ? id : json_new_str(&l->arena, lan_text(m, LAN_ID));
}

static struct slice id_text(struct lan_link *l, const struct lan_message *m)
{
    const struct json *id = id_of(l, m);

    return id != NULL && id->type == JSON_STRING ? id->s : SLICE_NONE;
}

static void challenge(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    struct json *payload = json_new(&l->arena, JSON_OBJECT);
    char hex[2 * LAN_CHALLENGE_LEN + 1];

    if (crypto_random(l->challenge, sizeof l->challenge) != SYNCLINE_OK) {
        link_close(l, "no random bytes");
        return;
    }
    l->is_challenged = true;
    l->asked_us = now_us;
    hex_encode(hex, SLICE(l->challenge, sizeof l->challenge));
    add_text(l, payload, "challenge", slice_str(hex));
    json_add(payload, SLICE_LIT("bind"), json_new_bool(&l->arena, true));
    json_add(payload, SLICE_LIT("timestamp"),
        json_new_int(&l->arena, (int64_t)(wall_us(l, now_us) / US)));
    json_add(
        payload, SLICE_LIT("request_id"), json_copy(id_of(l, m), &l->arena));
    send_as(l, LAN_AUTH_CHALLENGE, payload, NULL, now_us);
}

static void answer(struct lan_link *l, const struct lan_message *m, bool is_in,
    struct json *data, uint64_t now_us)
{
    struct json *payload = json_new(&l->arena, JSON_OBJECT);

    json_add(payload, SLICE_LIT("success"), json_new_bool(&l->arena, is_in));
    add_text(l, payload, "status",
        is_in ? SLICE_LIT("success") : SLICE_LIT("error"));
    if (is_in) {
        json_add(payload, SLICE_LIT("auth_data"), data);
        add_offer(l, id_text(l, m), payload);
    } else {
        add_text(l, payload, "error", SLICE_LIT("Invalid credentials"));
        add_text(l, payload, "message", SLICE_LIT("Invalid credentials"));
    }
    json_add(
        payload, SLICE_LIT("request_id"), json_copy(id_of(l, m), &l->arena));
    send_as(l, LAN_AUTH_RESPONSE, payload, NULL, now_us);
}

void auth_asked(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    const struct lan_link_events *ev = &l->opt.events;
    struct json *data = json_new(&l->arena, JSON_OBJECT);
    bool is_in;

    if (slice_is(lan_payload_text(m, "method"), "challenge") &&
        l->key.len > 0) {
        challenge(l, m, now_us);
        return;
    }
    is_in = data != NULL && (ev->may_try == NULL || ev->may_try(ev->ctx)) &&
        may_come_in(l, m, &data, now_us);
    if (l->arena.failed) { /* and so it may be none of his fault */
        link_close(l, "memory ran out");
        return;
    }
    if (is_in)
        link_note_name(l, m);
    answer(l, m, is_in, data, now_us);
    if (is_in) {
        tell_offer(l, id_text(l, m), m);
        link_open(l, now_us);
        return;
    }
    if (ev->failed != NULL)
        ev->failed(ev->ctx, lan_sender(m));
    link_log(l, "somebody without the right token asked to come in");
    if (++l->failures >= LAN_AUTH_FAILURES)
        link_close(l, "it asked too often to come in");
}
