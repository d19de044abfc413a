/* isync_face_impl.h - what isync_face.c (beginning and end), isync_space.c (the
 * space), isync_removals.c (what is removed in it), isync_links.c
 * (connections), isync_peers.c (whom we call), isync_kept.c (what outlives the
 * program), isync_heard.c (what would not, yet), isync_secret.c (the token),
 * isync_told.c (what it tells of itself) and isync_pages.c (the older pages)
 * share. */
#ifndef SYNCLINE_APP_ISYNC_FACE_IMPL_H
#define SYNCLINE_APP_ISYNC_FACE_IMPL_H

#include "app/isync/isync_conns.h"
#include "app/isync/isync_face.h"
#include "base/omap.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "faces/isync/choose.h"
#include "faces/isync/mesh.h"
#include "io/clock.h"
#include "io/fetch.h"
#include "io/helpers.h"

#define ISYNC_FACE_NAME "isync"
#define ISYNC_CURSOR_MAX 4096
#define ISYNC_TOKEN_MAX 4096
#define ISYNC_NATIVE_TOLD 100 /* paths in the status */
#define ISYNC_FIELDS_AT_ONCE 256

/* Of a path, as the space is known to be: tags in isync_face.fields. */
enum isync_field {
    ISYNC_APPLIED = 1, /* the space has had what the register says */
    ISYNC_PENDING = 2, /* it is to be written there */
    ISYNC_FLYING = 4,  /* it is being written */
    ISYNC_REMOVE = 8,  /* it is to be removed there */
    ISYNC_NATIVE = 16, /* made here after it was deleted there for ever */
    ISYNC_REFUSED = 32 /* the space does not take it */
};

/* An item with something to be written. */
struct isync_record {
    struct isync_record *next; /* in the queue, or of those of later */
    struct isync_record *in_bucket, **bucket;
    struct isync_face *face;
    uint64_t again_us; /* when it is tried again; 0: now */
    bool is_removing;  /* of which kind the request is that is under way */
    bool is_single;    /* one field at a time: some is refused */
    size_t bytes;      /* of that request */
    size_t len;
    char name[];
};

#define ISYNC_QUEUE_BUCKETS 8192
#define ISYNC_FLYING_MAX 128 /* requests at once */
#define ISYNC_FLYING_BYTES ((size_t)512 << 10)

/* isync_queue.c */
struct isync_queue {
    struct isync_record *buckets[ISYNC_QUEUE_BUCKETS];
    uint8_t secret[16]; /* so that nobody can choose names for one bucket */
    struct isync_record *first, *last, *later;
    uint64_t later_us; /* the first of those; 0: none */
    size_t flying, flying_bytes;
};

struct isync_link;
struct isync_target;

struct isync_face {
    struct isync_face_options opt;
    struct log log;
    char *dir, *space, *token, *token_file, *roots;
    char *discovery_url; /* NULL: no list is fetched */
    char node_id[256];
    struct network admit[OPTIONS_ADMIT_MAX];
    struct netaddr
        listen[ISYNC_LISTEN_MAX]; /* where it is to; then where it does */
    size_t listen_n;
    char *hosts[OPTIONS_HOSTS_MAX], *patterns[OPTIONS_INSTANCES_MAX];
    struct engine *engine;
    struct isync_mesh *mesh;
    struct isync_conns *conns;
    struct isync_secret secret; /* lends from the next */
    struct buf secret_text;
    bool can_seal;
    uint64_t turns_s;
    uv_timer_t tick;
    bool has_tick, is_stopping, is_off;

    /* isync_space.c */
    struct omap fields; /* by path */
    struct isync_queue queue;
    uint64_t watch; /* the request; 0: none */
    uint64_t look;  /* at all of the space once more, by another request */
    uint64_t watch_again_us, look_again_us; /* look: 0: it need not be */
    bool is_live; /* what stands in the space is known */
    char cursor[ISYNC_CURSOR_MAX];
    char refused_why[300]; /* the last time */
    uint64_t refused_again_us, refused_pause_us;
    uint64_t kept_us; /* what was read at the start is of then; 0: is live */

    /* isync_links.c, isync_peers.c */
    struct isync_link *links;
    struct isync_target *targets;
    struct isync_repute *repute;
    uint64_t look_us; /* when the targets are looked at again */
    struct fetch *fetch;
    struct arena list_arena;
    struct json *list; /* what was fetched; NULL: nothing */
    uint64_t fetch_us, fetched_us;
    char fetch_why[300];

    /* isync_kept.c */
    struct helper *helper;
    struct helper_job job;
    struct buf job_text;
    struct errmsg job_why;
    int job_rc;
    bool is_saving, is_changed, save_failed;
    uint64_t save_us, began_us, save_pause_us;

    /* isync_heard.c */
    int heard_fd;      /* -1: there is no file yet */
    uint64_t heard_to; /* by isync_state_head */
    uint64_t heard_bytes;

    uint64_t last_sync_us; /* of the day */
    struct buf note;       /* isync_html.c: of the last change by a page */
    uint64_t note_us;
    struct {
        uint64_t written, removed, told, refused, violations, applied;
    } counts;
};

/* Something is due, or may be, at another time than before. */
void isync_face_arm(struct isync_face *f);
struct isync_time isync_now(void);
static inline uint64_t isync_least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* ---- isync_space.c ---- */

/* RECORD and FIELD of a path; what is behind further dots is the field's. */
bool isync_path_parts(
    struct slice path, struct slice *record, struct slice *field);
void isync_space_begin(struct isync_face *f);
/* Other paths are shared than before. */
void isync_space_look(struct isync_face *f);
/* A peer has changed a path. */
void isync_space_changed(struct isync_face *f, const struct isync_change *c);
/* Does what is due; when the next is, 0: nothing. */
uint64_t isync_space_tick(struct isync_face *f, uint64_t now_us);
void isync_space_close(struct isync_face *f);
size_t isync_space_count(const struct isync_face *f, enum isync_field what);
/* The fields of a record. NULL: there is none, or no more. */
struct omap_node *isync_field_first(struct isync_face *f, struct slice record);
struct omap_node *isync_field_next(struct omap_node *n, struct slice record);
static inline void isync_field_set(
    struct omap_node *n, unsigned on, unsigned off)
{
    n->tag = (uint16_t)((n->tag & ~off) | on);
}
/* There is something to be written of a path. */
void isync_space_want(struct isync_face *f, struct slice path);

/* ---- isync_removals.c ---- */

/* The fields of a record that are to be removed, as a request; how many. */
size_t isync_removals_put(
    struct isync_face *f, struct slice record, struct buf *b);
/* False: it is to be tried again. */
bool isync_removals_done(
    struct isync_face *f, struct slice record, const struct json *answer);
/* The space has a field, written then, that is deleted for ever. */
void isync_removals_look(
    const struct isync_face *f, struct omap_node *n, uint64_t time_us);
/* What was to be removed when the program ended is removed now. */
void isync_removals_go_on(struct isync_face *f);

/* ---- isync_queue.c ---- */

static inline struct slice isync_record_name(const struct isync_record *r)
{
    return SLICE(r->name, r->len);
}

/* One that is new has its turn. NULL: memory ran out. */
struct isync_record *isync_queue_find(struct isync_face *f, struct slice name);
/* Whose turn it is, taken out; NULL: nobody's, or enough are under way. Then
 * it flies and lands, or is put back, or dropped. */
struct isync_record *isync_queue_take(struct isync_face *f, uint64_t now_us);
void isync_queue_flies(struct isync_record *r, size_t bytes);
void isync_queue_landed(struct isync_record *r);
void isync_queue_put(struct isync_record *r);
void isync_queue_drop(struct isync_record *r);
uint64_t isync_queue_deadline(const struct isync_face *f); /* 0: none */
void isync_queue_free(struct isync_face *f);

/* ---- isync_links.c ---- */

NODISCARD int isync_links_make(struct isync_face *f, struct errmsg *why);
NODISCARD int isync_links_serve(struct isync_face *f, const struct netaddr *at,
    size_t n, struct errmsg *why);
struct isync_mesh_port isync_links_port(struct isync_face *f);
void isync_links_close(struct isync_face *f);
/* Elements of an array. */
void isync_links_put(const struct isync_face *f, struct buf *b);
uint64_t isync_links_tick(struct isync_face *f, uint64_t now_us);
void isync_links_drop_one(struct isync_face *f, uint64_t number);
/* All of them go. */
void isync_links_drop(struct isync_face *f);
bool isync_links_has(const struct isync_face *f, uint64_t number);

/* ---- isync_peers.c ---- */

void isync_peers_begin(struct isync_face *f);
uint64_t isync_peers_tick(struct isync_face *f, uint64_t now_us);
void isync_peers_close(struct isync_face *f);
/* A call has failed, and is tried again; one was taken, that was begun then. */
void isync_peers_failed(struct isync_face *f, uint64_t link, const char *why);
void isync_peers_answered(
    struct isync_face *f, uint64_t link, uint64_t began_us);
/* One that is called is, or is no longer, connected. */
void isync_peers_came(struct isync_face *f, uint64_t link);
/* hung_up: it is not called again by itself. why "": it has not failed. */
void isync_peers_went(
    struct isync_face *f, uint64_t link, bool hung_up, const char *why);
void isync_peers_violated(struct isync_face *f, uint64_t link);
/* It is we ourselves, or says so: it is not called for a while. */
void isync_peers_is_self(struct isync_face *f, uint64_t link);
/* The same, by where its name leads, before anything was said there. */
void isync_peers_found_self(struct isync_face *f, uint64_t link);
/* EINVAL, ELIMIT, EEXIST. It is kept. */
NODISCARD int isync_peers_add(
    struct isync_face *f, struct slice url, struct errmsg *why);
/* It is called no more. ENOTFOUND; EDENIED: the options name it. */
NODISCARD int isync_peers_remove(
    struct isync_face *f, struct slice url, struct errmsg *why);
/* Those that were saved while it ran are no longer. */
void isync_peers_forget(struct isync_face *f);
/* The options name these, and no others. */
void isync_peers_name(struct isync_face *f, const char *const *urls, size_t n);
/* The longest pause is another. */
void isync_peers_hurry(struct isync_face *f);
/* Whom neither options nor people name, nor the list, goes. */
void isync_peers_prune(struct isync_face *f);
void isync_peers_put(const struct isync_face *f, struct buf *b);
void isync_peers_save(const struct isync_face *f, struct buf *b);
void isync_peers_load(struct isync_face *f, const struct json *v);
/* url NULL: no list is fetched any more. */
void isync_peers_list(struct isync_face *f, const char *url);

/* ---- isync_kept.c ---- */

NODISCARD int isync_kept_open(struct isync_face *f, struct errmsg *why);
/* Something has changed that is kept. */
void isync_kept_dirty(struct isync_face *f);
uint64_t isync_kept_tick(struct isync_face *f, uint64_t now_us);
/* Writes what has changed, and waits for it. */
void isync_kept_end(struct isync_face *f);
void isync_kept_close(struct isync_face *f);

/* ---- isync_heard.c ---- */

/* What was heard after the state was kept last is known again. */
NODISCARD int isync_heard_open(struct isync_face *f, struct errmsg *why);
/* What is new since the last time survives the program's end from now on. */
void isync_heard_note(struct isync_face *f);
/* The state is about to be kept; it was, or was not. */
void isync_heard_turn(struct isync_face *f);
void isync_heard_kept(struct isync_face *f, bool is_kept);
void isync_heard_close(struct isync_face *f);

/* ---- isync_secret.c ---- */

/* Reads the token, from wherever it is; there may be none. */
NODISCARD int isync_secret_read(struct isync_face *f, struct errmsg *why);
/* Into the file that it is read from; the one before is kept for a while.
 * EDENIED: it is not in a file of ours. */
NODISCARD int isync_secret_write(
    struct isync_face *f, struct slice token, struct errmsg *why);
/* Is it in that file? */
bool isync_secret_is_ours(const struct isync_face *f);
/* Gives the mesh the keys of now. */
void isync_secret_turn(struct isync_face *f);
uint64_t isync_secret_tick(struct isync_face *f, uint64_t now_us);
void isync_secret_close(struct isync_face *f);

/* ---- isync_told.c: what it is asked to do; who NULL: by a page ---- */

void isync_pause(
    struct isync_face *f, const struct engine_asker *who, bool paused);
NODISCARD int isync_connect(struct isync_face *f,
    const struct engine_asker *who, struct slice url, struct errmsg *why);
NODISCARD int isync_disconnect(struct isync_face *f,
    const struct engine_asker *who, struct slice url, struct errmsg *why);
void isync_push(struct isync_face *f);
/* What stands in the way of all of it; NULL: nothing. */
const char *isync_trouble(const struct isync_face *f);
/* The token of a period, where it rotates, for a node that does not. */
NODISCARD int isync_secret_token(const struct isync_face *f, uint64_t period,
    struct buf *out, struct errmsg *why);
/* The token's file was changed. */
NODISCARD int isync_reload(
    struct isync_face *f, const struct engine_asker *who, struct errmsg *why);

/* As the older systems answer /api/stats and /api/isync/status. */
void isync_put_stats(const struct isync_face *f, struct buf *b);
void isync_put_older_status(const struct isync_face *f, struct buf *b);

/* ---- isync_pages.c ---- */

/* The ops isync_page and isync_post, of the hub; false: it is another. */
bool isync_pages_op(struct isync_face *f, const struct json *request,
    const struct engine_asker *who, struct buf *out);
void isync_pages_answer(struct isync_face *f, struct http_conn *c,
    const struct http_request *r, const struct netaddr *from);

#endif
