/* syncline.h - keep keyed JSON items the same on several machines.
 *
 * A handle is one node: its store in a folder, its identity, its connections.
 * Nodes that were paired keep the items of each space the same, encrypted on
 * the wire, and may be written while they are apart.
 *
 * Text is UTF-8 and ends in a NUL; a value is one JSON document (RFC 8259:
 * no doubled keys, no lone surrogates, at most 64 levels; numbers that are
 * 64-bit integers or finite doubles). A space that is NULL is "default". What
 * a request can say, and all of its answers: doc/api.md.
 *
 * Running. A handle that was opened does nothing until it is run, in one of
 * two ways:
 *   - syncline_start: a thread of its own. Every function may then be called
 *     from any thread; calls are handed to that thread and wait for it.
 *   - in the caller's loop: wait until syncline_fd is readable or
 *     syncline_timeout_ms is over, then call syncline_run_once. The handle
 *     belongs to one thread then. Functions that wait run the node meanwhile.
 * Callbacks run on the thread that runs the node. In a callback only the
 * functions that say so may be called; others fail with SYNCLINE_EBUSY. Those
 * of another handle may be called, unless a callback there waits for this one:
 * the two would wait for each other for ever.
 *
 * Manners. The library installs no signal handlers, takes no signals on
 * threads of its own, raises no SIGPIPE, never prints and never exits: what
 * it has to say goes to the log callback. One folder serves one handle or
 * daemon at a time.
 *
 * fork(). Of what was made before, nothing is there in the child: functions
 * fail with SYNCLINE_ECLOSED, what frees frees nothing, and the parent notices
 * none of it. The child may make its own, exit, or exec. It holds neither the
 * folder nor ports, but has copies of connections: one that the parent closes
 * ends for the other side when the child does that, ends or execs.
 *
 * Errors. Functions return 0 or a negative code and write results on success
 * only; syncline_error() has the sentence. Any of them may return EINVAL (an
 * argument is missing, or no such value), EBUSY (in a callback), ECLOSED (the
 * handle is being closed, or this is a child of fork) and ENOMEM; what is said
 * of one is what else it returns, or what these mean there. A handle is never
 * NULL, but where NULL is said to be fine. Memory that runs out is ENOMEM, or
 * a connection that ends; in one place, where it adds to its table of
 * descriptors, libuv ends the process instead. */
#ifndef SYNCLINE_H
#define SYNCLINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What every function that can fail returns: 0 or one of these. */
enum syncline_status {
    SYNCLINE_OK = 0,
    SYNCLINE_ENOMEM = -1,       /* memory ran out */
    SYNCLINE_EINVAL = -2,       /* the caller's argument is wrong */
    SYNCLINE_EMALFORMED = -3,   /* bytes or text that break their format */
    SYNCLINE_ESHORT = -4,       /* the input ends too early */
    SYNCLINE_ELIMIT = -5,       /* larger, deeper or more than allowed */
    SYNCLINE_ENOTFOUND = -6,    /* no such item, space, peer, version */
    SYNCLINE_EEXIST = -7,       /* it is there already */
    SYNCLINE_ECONFLICT = -8,    /* the precondition does not hold any more */
    SYNCLINE_EIO = -9,          /* a file or a socket failed */
    SYNCLINE_EFULL = -10,       /* the disk is full */
    SYNCLINE_ECORRUPT = -11,    /* what was stored is damaged */
    SYNCLINE_EVERSION = -12,    /* made by a newer version */
    SYNCLINE_EBUSY = -13,       /* somebody else holds it */
    SYNCLINE_EDENIED = -14,     /* not allowed, or not trusted */
    SYNCLINE_ECLOSED = -15,     /* the handle or connection is closed */
    SYNCLINE_ETIMEOUT = -16,    /* it did not happen in time */
    SYNCLINE_EUNSUPPORTED = -17 /* not in this build */
};

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct syncline; /* opaque */

/* ---- opening and closing ---- */

enum syncline_log_level {
    SYNCLINE_LOG_ERROR,
    SYNCLINE_LOG_WARN,
    SYNCLINE_LOG_INFO,
    SYNCLINE_LOG_DEBUG
};

/* A line of the log. May come from any thread that uses the handle. Secrets
 * and values are never logged; what a peer has written may be in the text,
 * with nothing in it that a terminal acts on. The module "security" tells
 * what the audit log holds: "KIND DETAILS by WHO", the last two in JSON. */
typedef void syncline_log_fn(void *ctx, enum syncline_log_level level,
    const char *module, const char *text);

/* Settles a conflict under the policy "custom". conflict is an object
 * {space, key, type, path, siblings, ancestor}: two or more concurrent values
 * of the field that path (RFC 6901) names, null where one removed it, and what
 * all had seen, or null where that is not known; type is the item's, as LAN
 * sync has it (doc/lansync.md): "document", if nothing else is said. Returns
 * the value that shall stand, as JSON in memory from malloc, which the library
 * frees; a field holds no object with members. NULL, or what is no JSON, leaves
 * it to the policy "lww": the later value stands, and the conflict is open.
 *
 * The result is written as any edit is, and goes to all members. So it must be
 * pure: equal conflicts get equal answers on every machine, whatever else there
 * is to know; siblings come in the same order everywhere. It is called amid the
 * node's work, on its thread: it must be quick, and call no function of this
 * library on the handle. */
typedef char *syncline_resolve_fn(void *ctx, const char *conflict);

/* A bound file was written, with what came from another machine. changed: a
 * JSON array of pointers to what is another; reverted: it was put back to
 * what it was before, since it could not be taken. Not 0: it cannot; then the
 * change is taken back, everywhere, if the file was bound with "revert". May
 * call what does not wait. */
typedef int syncline_file_fn(
    void *ctx, const char *file, const char *changed, int reverted);

/* Zero in a field takes the default in brackets. Everything is copied but
 * the callbacks' ctx. Write { .size = sizeof(struct syncline_options) }, so
 * that later versions know which fields there are. */
struct syncline_options {
    size_t size;
    const char *dir;              /* of the store; made if missing; needed */
    const char *name;             /* what people call this machine [host] */
    const char *const *listen;    /* "1.2.3.4:4748", "[::1]:0", "name:4748";
                                     NULL-terminated [nowhere: dials out] */
    const char *const *peers;     /* the same: dialled always [none] */
    const char *const *advertise; /* for codes, in place of those found */
    const char *interface;        /* for multicast [all] */
    int no_discovery;             /* find nobody by multicast */
    enum syncline_log_level log_level;
    syncline_log_fn *log; /* [nobody listens] */
    void *log_ctx;
    syncline_resolve_fn *resolve; /* [conflicts stay open] */
    void *resolve_ctx;
    size_t memory_bytes;     /* of changes not yet in the database; writers
                                wait beyond [64 MiB] */
    uint32_t history_keep;   /* versions kept of each item [50] */
    uint64_t history_age_ms; /* and for how long [for ever] */
    uint64_t heartbeat_ms;   /* between pings of a peer [5,000] */
    uint64_t silence_ms;     /* a peer so long silent is gone [15,000] */
    uint64_t dial_max_ms;    /* between tries to reach a peer [30,000] */
    uint64_t retention_ms;   /* a member silent for so long holds up no
                                longer what was deleted [30 days] */
    uint64_t collect_ms;     /* between looks for what can go [10,000] */
    uint64_t clock_bound_ms; /* a clock further ahead of most others is not
                                written by (EDENIED) [60,000] */
    int any_clock;           /* it is, whatever it shows */
    const char *log_levels;  /* "warn,net=debug,security=info": one for all and
                                those of modules [log_level] */
    const char *const *file_roots; /* folders below which files may be bound;
                                      NULL-terminated [none] */
    size_t file_bytes;             /* of the largest one [1 MiB] */
    syncline_file_fn *on_file;     /* [nobody is told] */
    void *on_file_ctx;
};

/* Opens the node in opt->dir, a new one where there is none. The caller owns
 * *out. Errors: EINVAL (an option), EBUSY (another process holds the
 * folder), EDENIED, EIO, EFULL, ECORRUPT, EVERSION, ENOMEM. */
int syncline_open(struct syncline **out, const struct syncline_options *opt);

/* Stops cleanly and frees the handle, NULL too. Calls under way on other
 * threads end with ECLOSED; new ones must not begin. Every callback has
 * returned for the last time. Not from a callback (EBUSY, nothing happens).
 * EIO or EFULL: the stop was not clean, nothing that was acknowledged is
 * lost; the handle is freed all the same. */
int syncline_close(struct syncline *s);

/* More or less is logged from now on: level is "error", "warn", "info",
 * "debug", or "default", what it was when the handle was opened. module is
 * one of those that doc/ops.md lists; NULL: all that have no level of their
 * own, which "default" takes from a module. Any thread and any callback may
 * call it. EINVAL. */
int syncline_log_level(
    struct syncline *s, const char *module, const char *level);

/* ---- running ---- */

/* Begins a thread that runs the node until syncline_close. EBUSY if there is
 * one already; ENOMEM too if no thread is to be had. */
int syncline_start(struct syncline *s);

/* For the caller's loop, before each wait: a descriptor (the same all the
 * time; poll it for reading, nothing else), and for how long to wait at most,
 * in milliseconds. */
int syncline_fd(const struct syncline *s);
int syncline_timeout_ms(const struct syncline *s);
/* Does what there is to do and returns; never waits for anything but the
 * disk. EBUSY in a callback or after syncline_start; EIO when the store has
 * failed: close it and open it again. */
int syncline_run_once(struct syncline *s);

/* ---- items ---- */

/* These wait until the write is durable on this machine; others follow on
 * their own. Errors: EMALFORMED (no JSON), EINVAL (a schema of the space
 * forbids it, too), ELIMIT (key over 1 KiB, value over 16 MiB, too many writes
 * in a second, ...), ENOTFOUND (the space; for delete the item too), EDENIED
 * (this machine may not write there, or its clock is far ahead), EFULL, EIO. */
int syncline_put(
    struct syncline *s, const char *space, const char *key, const char *value);
/* Changes the members that patch names (RFC 7396). */
int syncline_patch(
    struct syncline *s, const char *space, const char *key, const char *patch);
int syncline_delete(struct syncline *s, const char *space, const char *key);
/* All of it or nothing. ops is an array of {"key":..,"value":..} and
 * {"key":..,"delete":true}, at most 1,024 and 512 KiB (ELIMIT). */
int syncline_batch(struct syncline *s, const char *space, const char *ops);

/* *value is the caller's, for syncline_free, as is all that is called so below.
 * ENOTFOUND if there is no such item or space. */
int syncline_get(
    struct syncline *s, const char *space, const char *key, char **value);

/* Called once an item, with strings lent until it returns; not 0 ends the
 * list. */
typedef int syncline_item_fn(void *ctx, const char *key, const char *value);

/* Items whose keys begin with prefix (NULL: all), in the keys' byte order, on
 * the calling thread, which may call anything but close from the callback.
 * Returns what the callback returned if that is not 0. Writes during the
 * listing may be seen or not. */
int syncline_list(struct syncline *s, const char *space, const char *prefix,
    syncline_item_fn *fn, void *ctx);

/* *versions: a JSON array, oldest first; the caller's. ENOTFOUND: there never
 * was such an item that is still known. */
int syncline_history(
    struct syncline *s, const char *space, const char *key, char **versions);

/* ---- watching ---- */

enum syncline_event_type {
    SYNCLINE_EVENT_PUT,     /* key, value, version, device, time_us */
    SYNCLINE_EVENT_DELETED, /* the same without value */
    SYNCLINE_EVENT_LIVE,    /* everything up to now has been told; once */
    SYNCLINE_EVENT_RESYNC,  /* the cursor is of a past that is lost: the whole
                               state follows, then LIVE */
    SYNCLINE_EVENT_END      /* the last event: status, error */
};

/* Strings are lent until the callback returns, NULL where there is none. */
struct syncline_event {
    enum syncline_event_type type;
    const char *cursor; /* goes on after this event; in all but END */
    const char *key;
    const char *value;
    uint64_t version;
    const char *device; /* that wrote it, hex */
    int64_t time_us;    /* since 1970, by the writer's clock */
    int status;         /* why it ended: ECLOSED, ENOTFOUND (space), EINVAL
                           (from), ... */
    const char *error;
};

struct syncline_watch; /* opaque */
typedef void syncline_watch_fn(void *ctx, const struct syncline_event *event);

/* Tells the latest state of items whose keys begin with prefix (NULL: all)
 * from a cursor on, from "start", or (NULL) from now; own writes as well. An
 * item that changed twice in between may be told once. Never waits; may be
 * called from a callback. The caller owns *out and gives it to
 * syncline_unwatch, also after END; after syncline_close that is fine, during
 * it is not. Errors: EINVAL, ECLOSED, ENOMEM. */
int syncline_watch(struct syncline_watch **out, struct syncline *s,
    const char *space, const char *prefix, const char *from,
    syncline_watch_fn *fn, void *ctx);
/* Ends it and frees it, NULL too. fn is not called any more once this has
 * returned, unless it is called from fn itself. Any callback may call it. */
void syncline_unwatch(struct syncline_watch *w);

/* ---- conflicts ---- */

/* policy: "lww", "merge", "manual", "keep-both" or "custom"; prefix NULL is
 * the whole space. Replicated like an item, and waits as a write does. Errors:
 * EINVAL (no such policy), ENOTFOUND (the space), those of a write. */
int syncline_set_policy(struct syncline *s, const char *space,
    const char *prefix, const char *policy);
/* Names who settles conflicts of items of a space whose keys begin with prefix
 * (NULL: all) and which are of a type (NULL: any), where the policy there is
 * "custom". Of those that fit, the one with the longest prefix is asked, then
 * one that names a type, and `resolve` of the options if none does. The last
 * one that was given counts; fn NULL takes it away. What conflicted before is
 * not looked at again: call it before the node runs. Any thread may, and any
 * callback but such a one. Errors: EINVAL, ENOMEM. */
int syncline_resolve_with(struct syncline *s, const char *space,
    const char *prefix, const char *type, syncline_resolve_fn *fn, void *ctx);
/* *conflicts: a JSON array of those still open, of all spaces if space is NULL;
 * the caller's. ENOTFOUND (the space). */
int syncline_conflicts(struct syncline *s, const char *space, char **conflicts);
/* Settles the conflict with this id: value is what shall stand (JSON), NULL
 * takes the loser's in place of the winner's. Errors: ENOTFOUND (none with this
 * id), those of a write. */
int syncline_resolve(struct syncline *s, const char *id, const char *value);

/* ---- pairing ---- */

/* *code is for one syncline_join, on another machine, within expires_s
 * seconds (0: 600; 86,400 at most); the caller's. Errors: EDENIED (this machine
 * is no admin), ELIMIT (too many are open). */
int syncline_invite(struct syncline *s, unsigned expires_s, char **code);
/* Enters the mesh of the machine that made the code, taking items along.
 * peer is its address where the code's own do not do, else NULL. Waits.
 * Errors: EDENIED (wrong, used or expired code), EMALFORMED (not a code),
 * EEXIST (member already, or of a mesh with others), ETIMEOUT, ... */
int syncline_join(struct syncline *s, const char *code, const char *peer);

/* ---- configuration files (doc/files.md) ---- */

/* Keeps a file and an item the same from now on, over restarts too. file is a
 * whole path below one of file_roots. how: NULL, or a JSON object with more of
 * what `bind` takes (doc/api.md): {"prefer":"item","local":["/host"],
 * "schema":{...},"versions":20,"revert":true}. Waits until the two have come
 * to rest. Errors: ECONFLICT (they differ: "prefer"), EDENIED (where the file
 * is, or what), EEXIST (it is bound), EINVAL, EMALFORMED, ETIMEOUT, ... */
int syncline_bind(struct syncline *s, const char *file, const char *space,
    const char *key, const char *how);
/* The file stays as it is. ENOTFOUND (it is not bound), also of those below
 * that take a file. */
int syncline_unbind(struct syncline *s, const char *file);
/* *bindings: a JSON array, with what is wrong with each; the caller's. */
int syncline_bindings(struct syncline *s, char **bindings);
/* *names: a JSON array of the kept versions, the oldest first; the
 * caller's. */
int syncline_versions(struct syncline *s, const char *file, char **names);
/* *value: what one says; name may be "latest". The caller's. ENOTFOUND (no such
 * version, too), EMALFORMED (it was damaged). */
int syncline_version_value(
    struct syncline *s, const char *file, const char *name, char **value);
/* Makes the file that again, everywhere. Errors: those of version_value, and of
 * a write. */
int syncline_rollback(struct syncline *s, const char *file, const char *name);

/* ---- configuration sync (doc/config-sync.md) ---- */

/* Keeps an application's configuration file the same as those of config-sync
 * instances, and of the machines that the node beneath it is paired with. It
 * is made once, and may be started and stopped many times; there is a node,
 * with a thread of its own, from start to stop.
 *
 * Every function may be called from any thread, but start, stop and free by
 * one at a time. In a callback, the node's too, all of them may be called but
 * these three, which fail with SYNCLINE_EBUSY then. */
struct syncline_config; /* opaque */

#define SYNCLINE_ANY_PORT (-1)

/* As of syncline_options: zeros take the default in brackets, everything is
 * copied, size is sizeof(struct syncline_config_options). */
struct syncline_config_options {
    size_t size;
    const char *path; /* of the file; it need not be there yet, its folder must.
                         JSON, or YAML if it is named so; needed */
    const char *base_dir;     /* a folder that is there: "config_versions" in it
                                 has what the file was, "syncline" the node's
                                 store [that of the file] */
    int server;               /* serves instances, at ws://HOST:PORT/sync */
    int port;                 /* for that, 1 to 65535, or SYNCLINE_ANY_PORT:
                                 one that is free [8765] */
    const char *const *bind;  /* addresses for that, without a port, of which
                                 each is in clear and asks nobody who he is;
                                 NULL-terminated [127.0.0.1] */
    const char *const *admit; /* networks that may come: "local", "any",
                                 "192.0.2.0/24" [local] */
    const char *const *peers; /* instances to call: "ws://HOST:8765/sync",
                                 "wss://HOST/sync" [none] */
    const char *ca;        /* PEM of the authorities for wss [the system's] */
    const char *instance;  /* our id among them [of the device's] */
    int no_adopt;          /* where there is no file yet, nothing that comes
                              is taken, as the older system has it */
    const char *schema;    /* JSON Schema (draft 7): what it forbids is neither
                              told to others nor written; the log says so, and
                              syncline_bindings [all is allowed] */
    uint32_t versions;     /* of the file that are kept, 1,000 at most [10] */
    uint32_t rate;         /* requests a minute of one address, and ten [60] */
    uint32_t rate_block_s; /* who asks more often waits so long [120] */
    int rate_local;        /* holds for private networks, too */
    uint64_t heartbeat_ms; /* between two of them [30,000] */
    uint64_t dial_max_ms;  /* between tries to reach a peer [60,000] */
    const struct syncline_options *node; /* what else the node is to be like:
                                            its log, where it listens for those
                                            it is paired with, its store. With
                                            file_bytes 0 the file may have 4 MiB
                                            [listens nowhere, finds nobody] */
    const char *tokens; /* a file that nobody else may read, of what is shown to
                           peers that want a token: a line is one of peers and
                           its token, which goes by wss, or within this machine,
                           only; read once, when it is made [none] */
};

/* Makes one, which does nothing yet. The caller owns *out. Errors: EINVAL,
 * EMALFORMED (schema is no JSON), ENOTFOUND (a folder, tokens), EDENIED (others
 * may read tokens), ELIMIT (more than 32 peers, 16 networks, 8 addresses),
 * ENOMEM. */
int syncline_config_new(
    struct syncline_config **out, const struct syncline_config_options *opt);
/* The same for a machine that is alone: neither server nor peers. base_dir and
 * node are as in the options, NULL too; also of the two below. */
int syncline_config_single(struct syncline_config **out, const char *path,
    const char *base_dir, const struct syncline_options *node);
/* The same for an add-on of Home Assistant. options: its options, a JSON
 * object as in /data/options.json, of which sync_port, peer_urls,
 * enable_sync_server [if there are peers], rate_limit_requests_per_minute,
 * rate_limit_block_duration (in seconds), rate_limit_whitelist_local and
 * sync_bind (an address, or a list of such) are understood, and others passed
 * over; NULL: none. EMALFORMED too (no JSON). */
int syncline_config_ha_addon(struct syncline_config **out, const char *path,
    const char *base_dir, const char *options,
    const struct syncline_options *node);
/* The same for developers: a server on this machine, at port 8765, short
 * times, 50 versions. */
int syncline_config_development(struct syncline_config **out, const char *path,
    const char *base_dir, const struct syncline_options *node);
/* Are these options of an add-on, by the rules of the older system: sync_port,
 * peer_urls (which begin with ws://) and enable_sync_server must be there.
 * Errors: EINVAL (syncline_error names the option), EMALFORMED, ENOMEM. */
int syncline_config_check(const char *options);

/* The file is kept in sync from now on: waits until it is what the others last
 * said to this machine, or they are to be told. A file that has never been
 * so counts as written now. Errors: EBUSY (it runs; another process has
 * base_dir, or the port), EMALFORMED (the file is no JSON), EINVAL (it is not
 * as the schema says), EDENIED (it is a link, or cannot be read), ETIMEOUT,
 * those of syncline_open; then nothing runs. What is wrong with the file later
 * is told in the log. */
int syncline_config_start(struct syncline_config *c);
/* Ends that; fine if it does not run. EIO, EFULL as of syncline_close. */
int syncline_config_stop(struct syncline_config *c);
/* Stops it and frees it, NULL too. */
int syncline_config_free(struct syncline_config *c);

/* config: all that the file says now, a JSON text, lent until it returns. */
typedef void syncline_config_fn(void *ctx, const char *config);

/* fn is called on the node's thread once after each start, if there is a
 * configuration, and each time the file says something else, whoever has
 * changed it: it has been written, and kept as a version, by then. Changes that
 * follow on each other fast may be told as one. For as long as c is there;
 * all that were given are called, in their order. ENOMEM. */
int syncline_config_on_update(
    struct syncline_config *c, syncline_config_fn *fn, void *ctx);

/* Tells all instances of what stands here, whatever they know. Does not wait
 * for them. ECLOSED: it does not run. */
int syncline_config_force(struct syncline_config *c);
/* *status: a JSON object; the caller's. Its members are running, instance_id
 * (null before the first start, if it was not named), server_enabled,
 * server_port (null: none), peer_count, peer_urls, last_sync_time (seconds
 * since 1970 of the last update of others that was taken, by this machine's
 * clock; 0: none since the start) and config_versions (how many are kept). */
int syncline_config_status(struct syncline_config *c, char **status);

/* What the file was; also while it does not run. *names: a JSON array, the
 * oldest first; the caller's. Errors: EIO, EDENIED, ENOMEM. */
int syncline_config_versions(struct syncline_config *c, char **names);
/* *value: what one said; name may be "latest". The caller's. Errors: EINVAL
 * (no name of one), ENOTFOUND, EMALFORMED (it was damaged), and the same. */
int syncline_config_version(
    struct syncline_config *c, const char *name, char **value);

/* The node beneath, for all else: to pair it, to read its history. Lent until
 * stop, which no other call on it must outlast; NULL: it does not run. The
 * configuration is the item "config" of the space "config". */
struct syncline *syncline_config_node(struct syncline_config *c);

/* ---- everything else ---- */

/* *status: a JSON object, see `status` in doc/api.md; the caller's. */
int syncline_status(struct syncline *s, char **status);

/* Any request of doc/api.md but `watch` and those that are the daemon's own
 * (`config`, `log`, `stop` and such). 0 means that there is an answer,
 * which says in `ok` how it went. *answer is the caller's. EMALFORMED: the
 * request is no JSON. */
int syncline_request(struct syncline *s, const char *request, char **answer);

/* An answer; more: others follow. Lent until it returns. */
typedef void syncline_answer_fn(void *ctx, const char *answer, int more);

/* The same without waiting; may be called from a callback, and with `watch`
 * too. fn gets at least one answer, the last one with more 0. *id (may be
 * NULL) is for syncline_cancel. */
int syncline_send(struct syncline *s, const char *request,
    syncline_answer_fn *fn, void *ctx, uint64_t *id);
/* No more answers: fn is not called any more once this has returned, unless
 * it is called from fn itself. Any callback may call it. An unknown id is
 * fine: it has had its last answer. */
void syncline_cancel(struct syncline *s, uint64_t id);

/* What the last call that failed on this thread has to say, or "". Never
 * NULL; valid until the thread's next call. */
const char *syncline_error(void);
/* Frees what a function has given to the caller; NULL is fine. */
void syncline_free(void *p);
/* "1.2.3" */
const char *syncline_version(void);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
