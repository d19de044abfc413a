/* syncline_lan.h - LAN sync from a program: signed JSON messages over TCP, as
 * the older Python module has them (LANConfig, ProtocolHandler, TCPSyncServer,
 * TCPSyncClient), with its nodes at the other end, of either generation, or
 * with this library. What is said in the messages is the program's: no node of
 * Syncline is needed, and nothing is stored. To share the items of a space,
 * run the daemon (doc/lansync.md, which has a table of the older names).
 *
 * Text is UTF-8 and ends in a NUL. A payload is one JSON object, of at most 63
 * levels (ELIMIT); NULL is {}.
 * Types of messages are names: those below, or a program's own, in letters,
 * digits and '_', at most 64; nodes of the older system know none but theirs.
 *
 * Threads. A server, a client and a discovery each have a thread of their own
 * from start to stop, on which all of its callbacks are called, one at a time.
 * Every function may be called from any thread, but those that start, stop and
 * free by one at a time. In a callback what waits for an answer, or for the end
 * of that object, fails with EBUSY; all else may be called there, and of other
 * objects everything, but that whatever would wait for a thread that waits for
 * the callback's fails with EBUSY, too. A callback holds up all connections of
 * its object: it must be short. It must not wait for another thread that calls
 * in here; nor may callbacks of a node (syncline.h) and of such an object call
 * what waits of each other. A program may return from main while they run: they
 * go with the process, and nobody is told. After fork() it is as in syncline.h;
 * with a handler from before the child can make a server or a client, but no
 * message.
 *
 * Errors, and who frees what: as in syncline.h. What was said wrongly by the
 * other side never ends the program: it is told to it in the older servers' own
 * words, passed over, or closed, and logged. */
#ifndef SYNCLINE_LAN_H
#define SYNCLINE_LAN_H

#include "syncline.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- configuration ---- */

#define SYNCLINE_LAN_AUTH_REQUEST "AUTH_REQUEST"
#define SYNCLINE_LAN_AUTH_RESPONSE "AUTH_RESPONSE"
#define SYNCLINE_LAN_SYNC_REQUEST "SYNC_REQUEST"
#define SYNCLINE_LAN_SYNC_RESPONSE "SYNC_RESPONSE"
#define SYNCLINE_LAN_SYNC_DATA "SYNC_DATA"
#define SYNCLINE_LAN_SYNC_ACK "SYNC_ACK"
#define SYNCLINE_LAN_SYNC_COMPLETE "SYNC_COMPLETE"
#define SYNCLINE_LAN_HEARTBEAT "HEARTBEAT"
#define SYNCLINE_LAN_ERROR "ERROR"

/* The generations of the older module sign different bytes, and neither
 * understands the other. */
enum syncline_lan_dialect {
    SYNCLINE_LAN_ANY, /* each peer's own, as soon as it is known; until then
                         the second, and as the other side's first message
                         looks */
    SYNCLINE_LAN_FIRST,
    SYNCLINE_LAN_SECOND
};

/* How a client comes in when it has connected. */
enum syncline_lan_auth {
    SYNCLINE_LAN_AUTH_LATER, /* not by itself: syncline_lan_authenticate */
    SYNCLINE_LAN_AUTH_TOKEN, /* says its credentials, as older nodes do: whoever
                                listens to what is not encrypted has them */
    SYNCLINE_LAN_AUTH_PROOF  /* proves the secret without saying it, and is
                                given a session token; no older server can */
};

/* syncline_lan_config_init fills it with the older module's defaults, in
 * brackets; then change what is to be another. Everything is copied by who
 * takes it, but ctx. Times are in milliseconds. */
struct syncline_lan_config {
    size_t size;                 /* set by syncline_lan_config_init */
    int enabled;                 /* only carried, for the program [1] */
    const char *node_id;         /* [NULL: 32 hex digits, drawn at random] */
    const char *node_name;       /* [NULL: the host's name] */
    const char *host;            /* server: the address where it listens, "::"
                                    too ["0.0.0.0"] */
    int sync_port;               /* server: or SYNCLINE_ANY_PORT [5000] */
    const char *const *admit;    /* server: networks that may come: "local",
                                    "any", "192.0.2.0/24"; NULL-terminated
                                    [NULL: "local", private networks] */
    int require_authentication;  /* server: who was not let in is heard of
                                    nothing, and all but what asks to come in
                                    must be signed [1] */
    int challenge;               /* server: lets in whoever proves the secret
                                    if he asks for that, without asking the
                                    callback: 1, 0 [-1: if there is none] */
    uint32_t session_ms;         /* server: a session token that such a one is
                                    given counts so long; 0: none is given
                                    [3,600,000] */
    enum syncline_lan_auth auth; /* client [SYNCLINE_LAN_AUTH_LATER] */
    const char *credentials;     /* client: the payload of AUTH_REQUEST, an
                                    object [NULL: {"token": the secret}] */
    enum syncline_lan_dialect dialect; /* that is spoken first [ANY] */
    int use_ssl;    /* TLS 1.2 or 1.3, for who comes and who is called [1] */
    int verify_ssl; /* client: a server's certificate must be good for its name
                       and vouched for, or pinned; server: so must clients',
                       if ssl_ca or ssl_pins say whom to trust. 0: anybody's
                       will do, and who stands between can pass for it [1] */
    /* Files are read when a server is started, and a client connected by the
       program, not when it calls again by itself. */
    const char *ssl_cert; /* PEM. Of a server, if there is no such file and
                             ssl_key is NULL: it is made, with its key, mode
                             0600 [server: one for this object alone; client:
                             none] */
    const char *ssl_key;  /* PEM, for its owner alone [in ssl_cert] */
    const char *ssl_ca;   /* PEM of authorities [client: the system's, if
                             ssl_pins is NULL; server: nobody is asked] */
    const char *const *ssl_pins; /* SHA-256 of certificates as DER, "AB:CD:...",
                                    whose names and dates do not count;
                                    NULL-terminated, 16 at most [NULL] */
    uint32_t message_ttl_ms;     /* older messages are refused [60,000] */
    uint32_t ahead_ms;           /* messages of a clock further ahead are
                                    refused; 0: none [0] */
    uint32_t heartbeat_ms;       /* between two; 0: none are sent [30,000] */
    uint32_t heartbeat_timeout_ms;  /* for the answer to one, of those who give
                                       any [10,000] */
    uint32_t max_missed_heartbeats; /* then it is gone [3] */
    uint32_t client_timeout_ms;     /* server: who says nothing for so long is
                                       gone; 0: he stays [90,000] */
    uint32_t messages_per_s;     /* of a peer; who says more waits; 0: no limit
                                    [1,000] */
    uint32_t connect_timeout_ms; /* client: until connected and let in;
                                    server: who asks for longer to come in is
                                    closed [30,000] */
    uint32_t request_timeout_ms; /* for an answer [10,000] */
    uint32_t reconnect_ms;       /* client: pause before the first try to call
                                    again, doubled after each, and varied by a
                                    quarter; 0: it does not [5,000] */
    uint32_t reconnect_max_ms;   /* the longest such pause [300,000] */
    uint32_t clients_max; /* server: at once. Of such that were not let in only
                             a quarter, beyond which the oldest goes when
                             another comes [1,024] */
    size_t message_max;   /* bytes; longer ones close the connection
                             they come by, and are not sent. Of all that
                             have begun and have not ended a server holds
                             128 MiB, or two if those are longer
                             [16 MiB] */
    uint32_t discovery_interval_ms; /* between saying where we are [30,000] */
    uint32_t device_timeout_ms;     /* nothing heard of for so long is not near
                                       any more [90,000] */
    const char *interface;          /* the only one for that [NULL: all] */
    enum syncline_log_level log_level; /* [SYNCLINE_LOG_WARN] */
    syncline_log_fn *log;              /* module "lansync" [NULL: nobody] */
    void *log_ctx;
    int compress; /* what is long, with who offers it, too: this program, the
                     daemon; asked for with auth TOKEN or PROOF, by "syncline"
                     in the payload, which older nodes pass over [0] */
};

void syncline_lan_config_init(struct syncline_lan_config *config);
/* Takes what is set in the environment: LAN_SYNC_PORT, LAN_SYNC_NODE_ID,
 * LAN_SYNC_NODE_NAME, LAN_SYNC_DISCOVERY_INTERVAL and LAN_SYNC_DEVICE_TIMEOUT
 * (in seconds), and as true, 1, yes, on, or false, 0, no, off:
 * LAN_SYNC_ENABLED, LAN_USE_SSL, TROSYNC_VERIFY_SSL.
 * The strings are the environment's: do not change it until config was taken.
 * EINVAL: one is wrong, syncline_error names it, and config is as it was. */
int syncline_lan_config_env(struct syncline_lan_config *config);

/* ---- messages ---- */

/* One node's hand: it makes messages, signs them and says of others whether
 * they count. Servers and clients copy what they need of it; it may be freed
 * while they run, and each remembers for itself what it has heard. */
struct syncline_lan_handler; /* opaque */

/* Lent until the callback returns, never NULL but where it says so. */
struct syncline_lan_message {
    const char *type;      /* its name */
    const char *payload;   /* a JSON object as its sender wrote it, spaces and
                              all; of Python's making: NaN and halves of
                              surrogate pairs may be in it */
    const char *id;        /* message_id */
    const char *timestamp; /* "2026-11-20T12:34:56.789012", UTC by its clock */
    const char *source_id; /* node_id and node_name, as it says; "": does not.
                              Whoever has the secret may say any */
    const char *source_name;
    const char *request_id; /* of the payload, what an answer repeats; "" */
    enum syncline_lan_dialect dialect; /* its sender's, ANY: not known yet */
};

/* secret: the key of all signatures, shared by all nodes, as it is; at least
 * one byte and at most 4,096. Of config node_id, node_name, dialect,
 * message_ttl_ms and ahead_ms count; NULL: defaults. Errors: EINVAL, ENOMEM. */
int syncline_lan_handler_new(struct syncline_lan_handler **out,
    const struct syncline_lan_config *config, const void *secret,
    size_t secret_len);
void syncline_lan_handler_free(struct syncline_lan_handler *h); /* NULL too */
/* Lent until it is freed. */
const char *syncline_lan_handler_node_id(const struct syncline_lan_handler *h);

/* A new message with an id, a nonce and the time, signed if sign is not 0, in
 * the handler's dialect. *message: a JSON object as it goes over the wire
 * (behind its length: four bytes, most significant first); the caller's.
 * Errors: EINVAL (type), EMALFORMED (payload), ENOMEM. */
int syncline_lan_create_message(struct syncline_lan_handler *h,
    const char *type, const char *payload, int sign, char **message);
/* The same message, signed now by h: what is wanted of one that was changed
 * after it was made. *signed_message is the caller's. Errors: EMALFORMED (no
 * message, or none that its dialect can say), ENOMEM. */
int syncline_lan_sign_message(
    struct syncline_lan_handler *h, const char *message, char **signed_message);
/* Does a message count: is it whole, recent, signed by who has the secret
 * (needed if require_signature is not 0), and new? syncline_error then has the
 * older module's words for why not. Errors: EMALFORMED (no message), EINVAL
 * (something is missing), ETIMEOUT (too old, or its time cannot be read),
 * EDENIED (not signed, or wrongly), EEXIST (heard before), ELIMIT (more than
 * can be remembered), ENOMEM. A signed one that counts does so once. */
int syncline_lan_validate_message(
    struct syncline_lan_handler *h, const char *message, int require_signature);

/* A session token for a node: a JSON Web Token (HS256) that says sub (the
 * node), iat, exp and aud (this handler's node_id), under a key made from the
 * secret. A server of that node_id and secret that takes challenges lets the
 * node in with it, by {"token": ...}, until it is over; no other server does,
 * and none by a token without aud, but where its own callback says so.
 * *token is the caller's. Errors: EINVAL, ENOMEM. */
int syncline_lan_token(struct syncline_lan_handler *h, const char *node_id,
    uint32_t lasts_ms, char **token);
/* Was it made with this secret, and is it not over? Of which server, if it
 * names any, is for the caller to judge. *claims: a JSON object; the caller's.
 * Errors: EMALFORMED (no token), EDENIED (signed by somebody else), ETIMEOUT
 * (it is over), ENOMEM. */
int syncline_lan_token_check(
    struct syncline_lan_handler *h, const char *token, char **claims);

/* ---- callbacks ---- */

/* A message of a type has come that counts, and that no request waits for.
 * peer: a server's name of the connection, as in syncline_lan_server_clients;
 * of a client "". *reply is NULL before; it may be set to the payload of an
 * answer, in memory from malloc, which the library frees: it goes as
 * SYNC_RESPONSE, of SYNC_DATA as SYNC_ACK, with the request_id (and sync_id,
 * data_id) of m in place of its own: by others nobody would find it. Or to a
 * message of syncline_lan_create_message, whose type and payload are then sent
 * so, and signed anew; SYNC_REQUEST and SYNC_DATA, which ask, keep their ids.
 * SYNC_DATA that gets no reply is acknowledged: {"status":"processed"}. Return
 * 0, or a negative code: of a server the other side is told "Internal server
 * error", and for EUNSUPPORTED that there is nobody for such a message; a
 * client acknowledges nothing then. What is no JSON object counts as such a
 * failure. */
typedef int syncline_lan_handle_fn(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply);

/* May who sends this AUTH_REQUEST come in? More than 0: yes; 0, or a negative
 * code, of whatever has failed: no. It need not be signed: what is in its
 * payload is all that tells. *auth_data, NULL before, may be set to an object
 * for him, in memory from malloc, which the library frees. */
typedef int syncline_lan_auth_fn(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **auth_data);

/* The answer to a request, once: status 0 and the answer; or ETIMEOUT, ECLOSED,
 * with m NULL; or EDENIED, where m is the ERROR, or the SYNC_RESPONSE whose
 * status is another than "success". */
typedef void syncline_lan_answer_fn(
    void *ctx, int status, const struct syncline_lan_message *m);

enum syncline_lan_state {
    SYNCLINE_LAN_CONNECTED, /* a server's: somebody has come */
    SYNCLINE_LAN_OPEN,      /* he was let in; we were. Also after a reconnect */
    SYNCLINE_LAN_GONE       /* the connection has ended: why says what of */
};

/* peer is as above; why is "" but where it says so. */
typedef void syncline_lan_state_fn(void *ctx, const char *peer,
    enum syncline_lan_state state, const char *why);

/* ---- a server ---- */

struct syncline_lan_server; /* opaque */

/* Makes one, which does nothing yet. auth NULL: the token must be the secret.
 * Five failures within a minute close an address out for the rest of it.
 * Errors: EINVAL (an option), ENOMEM. */
int syncline_lan_server_new(struct syncline_lan_server **out,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h, syncline_lan_auth_fn *auth,
    void *auth_ctx);
/* fn is called for messages of a type; NULL: for those that have no other. The
 * last one that was given counts; fn NULL takes it away. HEARTBEAT and
 * AUTH_REQUEST are the library's. Errors: EINVAL, ENOMEM. */
int syncline_lan_server_handle(struct syncline_lan_server *s, const char *type,
    syncline_lan_handle_fn *fn, void *ctx);
/* fn is told who comes and goes. */
int syncline_lan_server_on_state(
    struct syncline_lan_server *s, syncline_lan_state_fn *fn, void *ctx);
/* Listens, and serves until it is stopped. Errors: EBUSY (it runs; the port is
 * taken), EIO, ENOMEM; of the files of TLS, which are read here, EINVAL,
 * EMALFORMED, ENOTFOUND, EDENIED. */
int syncline_lan_server_start(struct syncline_lan_server *s);
/* Closes all connections and waits for the thread; fine if it does not run. It
 * may be started again. */
int syncline_lan_server_stop(struct syncline_lan_server *s);
/* Stops it and frees it, NULL too. */
int syncline_lan_server_free(struct syncline_lan_server *s);
/* Where it listens, while it runs; else ECLOSED. */
int syncline_lan_server_port(struct syncline_lan_server *s);
/* *print: the SHA-256 of the certificate that is shown, for ssl_pins; the
 * caller's. ECLOSED: it does not run; ENOTFOUND: there is no TLS. */
int syncline_lan_server_fingerprint(
    struct syncline_lan_server *s, char **print);

/* *clients: a JSON array of {"client_id", "node_id", "node_name" ("" until it
 * has said them), "address", "authenticated", "dialect" ("v1", "v2", ""),
 * "compressed" (what is long), "tls", "fingerprint" (of its certificate, ""),
 * "seconds" (since it came)}; the caller's. ECLOSED: it does not run. */
int syncline_lan_server_clients(struct syncline_lan_server *s, char **clients);
/* Sends to one, or (NULL) to all that were let in; signed, each in its dialect.
 * It is on its way then: whether it came, only an answer tells. *sent (may be
 * NULL): to how many. Errors: EINVAL, EMALFORMED (payload), ENOTFOUND (no such
 * client), ELIMIT (too long), EBUSY (what was sent to it has not left yet, 64
 * MiB of it), ECLOSED, ENOMEM. */
int syncline_lan_server_send(struct syncline_lan_server *s,
    const char *client_id, const char *type, const char *payload,
    unsigned *sent);
/* Sends to one and waits for the answer: *answer is its payload, the caller's.
 * timeout_ms 0: request_timeout_ms. The payload gets a request_id, and of
 * SYNC_DATA a data_id, if it has none. Errors: those of send, EDENIED
 * (syncline_error has what it says), ETIMEOUT, EBUSY (in a callback), ELIMIT
 * (1,024 wait). */
int syncline_lan_server_request(struct syncline_lan_server *s,
    const char *client_id, const char *type, const char *payload,
    uint32_t timeout_ms, char **answer);
/* The same without waiting: fn is told, if this returns 0, once. */
int syncline_lan_server_ask(struct syncline_lan_server *s,
    const char *client_id, const char *type, const char *payload,
    uint32_t timeout_ms, syncline_lan_answer_fn *fn, void *ctx);
/* What was sent to it leaves yet. ENOTFOUND, ECLOSED. */
int syncline_lan_server_drop(
    struct syncline_lan_server *s, const char *client_id);

/* ---- a client ---- */

struct syncline_lan_client; /* opaque */

/* Errors: EINVAL (an option), EMALFORMED (credentials), ENOMEM. */
int syncline_lan_client_new(struct syncline_lan_client **out,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h);
/* As of a server, for what it sends by itself. */
int syncline_lan_client_handle(struct syncline_lan_client *c, const char *type,
    syncline_lan_handle_fn *fn, void *ctx);
int syncline_lan_client_on_state(
    struct syncline_lan_client *c, syncline_lan_state_fn *fn, void *ctx);
/* Calls a server (a name, or an address without brackets; port 0: sync_port),
 * and waits until it is connected and, by `auth`, let in. From then on it is
 * called again whenever the connection is lost, until close. Errors: EBUSY (it
 * is connected; in a callback), EIO (it cannot be reached, or not by TLS),
 * EDENIED (it does not let us in, or is not trusted), ETIMEOUT, ECLOSED (it has
 * closed), EINVAL, ENOMEM, and those of the files of TLS; then nothing runs. */
int syncline_lan_client_connect(
    struct syncline_lan_client *c, const char *host, int port);
/* Closes, and waits for the thread; fine if it is not connected. It may connect
 * again. */
int syncline_lan_client_close(struct syncline_lan_client *c);
int syncline_lan_client_free(struct syncline_lan_client *c); /* NULL too */

/* Asks to be let in, and waits. credentials: the payload, an object; NULL:
 * those of the configuration. They are said again after each reconnect.
 * *auth_data (may be NULL): what the server has said of us, or "null"; the
 * caller's. A server of the second generation fails while it says yes, and
 * while it says no: that counts as yes, and what is sent next is refused if it
 * was not. Errors: EDENIED, and those of request. */
int syncline_lan_authenticate(
    struct syncline_lan_client *c, const char *credentials, char **auth_data);
/* As of a server; ECLOSED: it is not connected just now. */
int syncline_lan_client_send(
    struct syncline_lan_client *c, const char *type, const char *payload);
int syncline_lan_client_request(struct syncline_lan_client *c, const char *type,
    const char *payload, uint32_t timeout_ms, char **answer);
int syncline_lan_client_ask(struct syncline_lan_client *c, const char *type,
    const char *payload, uint32_t timeout_ms, syncline_lan_answer_fn *fn,
    void *ctx);
/* *status: {"running", "connected", "authenticated", "node_id", "node_name" (of
 * the server, "" until it has said them), "dialect", "session_token" ("": none
 * was given), "error" (why it is not connected)}; the caller's. */
int syncline_lan_client_status(struct syncline_lan_client *c, char **status);

/* ---- who is near ---- */

struct syncline_lan_discovery; /* opaque */

/* Lent until the callback returns. Where it says that it is. */
struct syncline_lan_device {
    const char *node_id, *node_name;
    const char *host; /* whence it was heard: an address without brackets */
    int port;         /* that it names */
    int is_online;    /* 0: nothing was heard of it for device_timeout_ms */
};

/* A node is near that was not, or is not any more. On the thread of the
 * discovery; as of a server, what does not wait may be called. */
typedef void syncline_lan_near_fn(
    void *ctx, const struct syncline_lan_device *device);

/* Says by a datagram to 239.255.43.21 (port 5000) that h's node listens at port
 * (0: does not say it), and hears of others. All of it is signed by nobody: a
 * hint whom to call, and no reason to trust. fn may be NULL. Errors: EINVAL,
 * ENOMEM. */
int syncline_lan_discovery_new(struct syncline_lan_discovery **out,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h, int port, syncline_lan_near_fn *fn,
    void *ctx);
/* Errors: EBUSY (it runs), EIO, ENOMEM. A machine without multicast is no
 * error: the log says so. */
int syncline_lan_discovery_start(struct syncline_lan_discovery *n);
int syncline_lan_discovery_stop(struct syncline_lan_discovery *n);
int syncline_lan_discovery_free(
    struct syncline_lan_discovery *n); /* NULL too */
/* *devices: a JSON array of {"node_id", "node_name", "host", "port", "online",
 * "seconds" (since it was heard)}, 256 at most; the caller's. ECLOSED: it does
 * not run. */
int syncline_lan_discovery_devices(
    struct syncline_lan_discovery *n, char **devices);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
