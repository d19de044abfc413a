/* engine_impl.h - the inside of an engine, for the files that make it up.
 *
 *   engine.c           the turn of the loop, a step and its effects
 *   engine_store.c     helpers: syncs and checkpoints
 *   engine_request.c   requests; which of them the engine answers itself:
 *   engine_{status,mesh,metrics,series,sync,join}.c   some of those
 *   engine_audit.c, engine_records.c   the audit log is written, and read
 *   engine_errors.c    the list of errors
 *   engine_key.c       the device's key, and the store that is its own
 *   engine_addresses.c what a code says of where this machine is
 *   engine_guests.c, engine_kin.c   who is no member; members met elsewhere
 *   engine_web.c, engine_tokens.c, engine_sessions.c   who comes by HTTP
 *   engine_schemas.c   documents held against schemas
 *   engine_files*.c    bound configuration files (engine_files.h) */
#ifndef SYNCLINE_APP_ENGINE_IMPL_H
#define SYNCLINE_APP_ENGINE_IMPL_H

#include "app/attempts.h"
#include "app/audit_log.h"
#include "app/cert_files.h"
#include "app/engine/engine.h"
#include "app/project.h"
#include "app/sessions.h"
#include "base/histogram.h"
#include "crypto/port.h"
#include "crypto/web_cert.h"
#include "io/helpers.h"
#include "io/net.h"
#include "io/udp.h"
#include "store/store_file.h"

#include <sys/stat.h>

#define ENGINE_LISTEN_MAX 16

struct call;
/* What is told of what the node has answered; lent by either. */
typedef struct slice engine_view_fn(
    struct engine *e, const struct call *c, struct slice answer, struct buf *b);

/* A request that has not had its last answer. */
struct call {
    struct call *next;
    uint64_t id;
    engine_reply_fn *fn;
    void *ctx;
    struct engine_asker asker;
    engine_view_fn *view; /* NULL: as the node says it */
    bool openmetrics, picture;
    char op[16];
};

/* An answer that waits for the step to be over. */
struct answer {
    struct answer *next;
    uint64_t request;
    bool more;
    size_t len;
    uint8_t bytes[];
};

/* Who asked for the state of the audit log, until that is on the disk. */
struct audit_wait {
    struct audit_wait *next;
    uint64_t request, seq;
};

/* For the metrics. */
struct engine_measured {
    uint64_t opened_us; /* since the Unix epoch */
    uint64_t commits;
    struct histogram sync, checkpoint;
    /* Of the job that runs; its helper's until that is done. */
    uint64_t sync_us, checkpoint_us;
};

#define ENGINE_WEB_NAMES 64

/* The certificate for the web. */
struct engine_web {
    struct web_cert_facts facts; /* of that which is shown; zeros: none is */
    struct errmsg trouble;       /* why it is not that which it should be */
    struct cert_mark files[2];
    uint64_t look_us; /* when one of our own is looked at again */
    /* What it is to be good for: hosts first that we answer as, then others
     * that it must name, then those that it may. */
    struct slice names[ENGINE_WEB_NAMES];
    size_t hosts_n, must_n, names_n;
    struct arena text;
};

struct engine {
    struct engine_options opt;
    struct engine_asker self; /* this process: who asks for itself */
    char *dir;
    struct identity *identity;
    struct crypto_port crypto;
    struct crypto_self crypto_self;
    struct store_file *store;
    struct store_port port;
    struct project project; /* the checkpoint's */
    struct node *node;
    struct net *net;
    struct udp *udp;
    struct helper *sync_helper, *checkpoint_helper;

    struct helper_job sync_job, checkpoint_job, audit_job;
    struct audit_log *audit;
    struct audit_wait *audit_waits;
    struct tokens *tokens;     /* NULL: none are kept */
    struct attempts *attempts; /* of who presents some */
    struct engine_errors *errors;
    struct engine_series *series; /* NULL: nobody asks */
    struct engine_sync *syncs;
    struct engine_files *files;
    struct engine_schemas *schemas; /* NULL: none was asked for */
    struct engine_join *join;       /* NULL: there was none */
    struct engine_web web;
    struct sessions *sessions; /* of the dashboard; NULL as tokens */
    struct store_sync sync;
    bool syncing, checkpointing, full, failed;
    bool copied; /* the files are not those that the last stop left */
    bool stuck;  /* the last checkpoint failed; waiting for it makes no room */

    uv_prepare_t turn;
    uv_idle_t again;
    uv_timer_t timer;
    bool handles_open;
    unsigned handles; /* being closed */

    struct call **calls; /* by id modulo calls_cap */
    size_t calls_cap;
    uint64_t next_call;
    struct answer *answers, **answers_end;
    size_t answers_bytes;
    struct netaddr listening[ENGINE_LISTEN_MAX];
    size_t listening_n;
    uint64_t started_us;
    unsigned resolving; /* programs under way */
    struct engine_measured measured;
};

void engine_step(struct engine *e, struct event *ev);
void engine_answer(
    struct engine *e, uint64_t request, struct slice json, bool more);
struct call *engine_call(const struct engine *e, uint64_t request);
/* engine_call_new: NULL on memory. */
struct call *engine_call_new(struct engine *e, engine_reply_fn *fn, void *ctx);
/* Answers with b, or with what went wrong, and frees it. */
void engine_answer_buf(struct engine *e, uint64_t request, struct buf *b,
    int rc, const struct errmsg *why);

/* ---- engine_key.c ---- */

NODISCARD int engine_open_store(struct engine *e, struct errmsg *why);

/* ---- engine_status.c ---- */

/* What the node does not know of itself: members of `status`, each with its
 * comma. */
void engine_put_status(const struct engine *e, struct buf *b);
uint64_t engine_store_bytes(const struct engine *e);
uint64_t engine_rss_bytes(void);

/* ---- engine_metrics.c ---- */

/* Notes the format; true: there is no such, and the caller is told. */
bool engine_metrics_take(
    struct engine *e, struct call *c, const struct json *args);
/* The answer to `metrics`, from the node's to `status`. */
engine_view_fn engine_metrics_answer;

/* ---- engine_audit.c ---- */

NODISCARD int engine_audit_open(struct engine *e);
/* Writes what is left; before node_close. */
void engine_audit_close(struct engine *e);
void engine_on_audit(struct engine *e, const struct effect *fx);
/* Of the network: somebody whom we did not let in. */
void engine_on_refused(void *ctx, const struct netaddr *remote,
    const struct device_id *device, const char *reason);
/* Somebody whom the hub did not let in. */
void engine_audit_login(
    struct engine *e, const struct netaddr *remote, const char *reason);
/* What somebody asked for; c NULL: nobody. Details are lent. */
void engine_audit_asked(struct engine *e, const struct call *c,
    const char *kind, const struct buf *details);
/* Starts what is due. */
void engine_audit_turn(struct engine *e);
/* The op `key_changed`: somebody has put the key under a passphrase, or out. */
void engine_audit_key(struct engine *e, const struct call *c);
/* The op `audit`: answered once all records so far are on the disk. */
void engine_audit_answer(struct engine *e, uint64_t request);
/* Members of `status`, each with its comma. */
void put_audit_status(const struct engine *e, struct buf *b);

/* ---- engine_errors.c ---- */

NODISCARD int engine_errors_open(struct engine *e);
/* Writes what is left. */
void engine_errors_close(struct engine *e);
/* Starts what is due: an examination, the writing of the list. */
void engine_errors_turn(struct engine *e);
uint64_t engine_errors_deadline(const struct engine *e);
/* A condition has come or gone: it is not left for the next examination. */
void engine_errors_soon(struct engine *e);
/* An answer, which may be that something was refused. */
void engine_errors_refused(
    struct engine *e, const struct call *c, struct slice answer);
/* What the audit log is told. */
void engine_errors_audited(struct engine *e, const struct audit_entry *what);
unsigned engine_errors_n(const struct engine *e);
/* The ops `errors`, `error_ack`. */
bool engine_errors_list(
    struct engine *e, struct call *c, const struct json *args);
bool engine_errors_ack(
    struct engine *e, struct call *c, const struct json *args);

/* ---- engine_files.c, engine_files_ops.c: bound files ---- */

NODISCARD int engine_files_open(struct engine *e);
void engine_files_close(struct engine *e);
void engine_files_turn(struct engine *e);
uint64_t engine_files_deadline(const struct engine *e);
/* The ops bind, unbind, bindings, bind_restore, versions, rollback. */
bool engine_files_take(
    struct engine *e, struct call *c, const struct json *args);
/* A member of `status`, with its comma. */
void engine_put_files(const struct engine *e, struct buf *b);
/* What is wrong with them, of an examination that is under way. */
struct error_list;
void engine_files_conditions(const struct engine *e, struct error_list *l);

/* ---- engine_join.c ---- */

/* The op `invite` with its picture. */
bool engine_invite_take(
    struct engine *e, struct call *c, const struct json *args);
engine_view_fn engine_invite_view;
/* Notes how a `join` is getting on, for the op `join_state`. */
bool engine_join_take(
    struct engine *e, struct call *c, const struct json *args);
engine_view_fn engine_join_view;
bool engine_join_state(
    struct engine *e, struct call *c, const struct json *args);
/* The op `join_cancel`. */
bool engine_join_cancel(
    struct engine *e, struct call *c, const struct json *args);
void engine_join_close(struct engine *e);

/* ---- engine_records.c ---- */

/* The op `audit_records`. */
bool engine_records_take(
    struct engine *e, struct call *c, const struct json *args);

/* ---- engine_mesh.c ---- */

/* The op `mesh`, from the node's `status`. */
engine_view_fn engine_mesh_view;

/* ---- engine_schemas.c ---- */

node_schema_fn engine_schema;
void engine_schemas_close(struct engine *e);

/* ---- engine_series.c ---- */

/* The op `recent`. */
bool engine_series_take(
    struct engine *e, struct call *c, const struct json *args);
void engine_series_turn(struct engine *e);
uint64_t engine_series_deadline(const struct engine *e);
void engine_series_close(struct engine *e);

/* ---- engine_sync.c ---- */

/* The op `sync`. */
bool engine_sync_take(
    struct engine *e, struct call *c, const struct json *args);
void engine_sync_turn(struct engine *e);
uint64_t engine_sync_deadline(const struct engine *e);
void engine_sync_close(struct engine *e);

/* ---- engine_tokens.c ---- */

NODISCARD int engine_tokens_open(struct engine *e, struct errmsg *why);
void engine_tokens_close(struct engine *e);
/* The ops token_create, token_list, token_revoke. */
bool engine_tokens_take(
    struct engine *e, struct call *c, const struct json *args);

/* ---- engine_web.c ---- */

/* When the net is open. */
NODISCARD int engine_web_open(struct engine *e, struct errmsg *why);
void engine_web_close(struct engine *e);
/* A member of `status`, with its comma. */
void engine_put_web(const struct engine *e, struct buf *b);
/* ---- engine_sessions.c ---- */

/* The ops session_link, session_open, session_close, session_end_all. */
bool engine_sessions_take(
    struct engine *e, struct call *c, const struct json *args);
bool engine_is_session(const char *id);
NODISCARD int engine_session_still(
    const struct engine *e, const char *id, struct token_grant *out);

/* ---- engine_addresses.c ---- */

/* The request for a code, with where this machine may be reached; NULL on
 * memory. */
const struct json *engine_with_addresses(
    const struct engine *e, const struct json *args, struct arena *a);

/* ---- resolve_command.c ---- */

/* Asks the program of the policy `custom`; EV_RESOLVED follows. */
void engine_resolve(struct engine *e, const struct effect *fx);

/* ---- engine_store.c ---- */

NODISCARD int engine_store_open(struct engine *e, struct errmsg *why);
NODISCARD int engine_store_start(struct engine *e);
/* Starts what is due: a sync, a checkpoint. */
void engine_store_turn(struct engine *e);
/* Waits for both helpers and ends them. */
void engine_store_stop(struct engine *e);
void engine_fail(struct engine *e, const char *why);

#endif
