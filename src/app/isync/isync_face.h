/* isync_face.h - iSync nodes and one space, kept the same: mesh.h and
 * isync_conns.h with a loop and an engine.
 *
 * An item is a record of the table `config`, a field of it a register: the path
 * config.RECORD.FIELD is the member FIELD of the item RECORD. On the loop's
 * thread. Laws: what a register says is written with its own time, and is
 * written again by nobody; what is written here is said once, by its time; a
 * path that was deleted is deleted once, and what is made there afterwards
 * stays here and is told as such. */
#ifndef SYNCLINE_APP_ISYNC_FACE_H
#define SYNCLINE_APP_ISYNC_FACE_H

#include "app/engine/engine.h"
#include "app/options/options.h"
#include "faces/configsync/where.h"
#include "faces/http/hub.h"

struct isync_face; /* opaque */

/* Who may use the older pages: nobody; this machine to look; it to change; or
 * whoever may come. */
enum isync_pages {
    ISYNC_PAGES_NONE,
    ISYNC_PAGES_VIEW,
    ISYNC_PAGES_LOCAL,
    ISYNC_PAGES_ADMITTED
};

/* What may be changed while it runs. Texts are copied. */
struct isync_tuning {
    size_t max_peers; /* that are called at once */
    uint64_t interval_us;
    uint64_t rotate_s, overlap_s;
    bool is_clear;
    enum isync_pages pages;
    const char *const *peers; /* URLs; what is none is told and passed over */
    size_t peers_n;
    bool auto_discover;
    const char *discovery_url; /* NULL: no list is fetched */
    const struct network *admit;
    size_t admit_n;
    const char *const *hosts;
    size_t hosts_n;
    uint64_t dial_max_us;
    const struct netaddr *listen; /* where they are served; none: nowhere */
    size_t listen_n;
    const char *const *patterns; /* of further paths that are shared */
    size_t patterns_n;
};

/* All is copied but the loop and the log. */
struct isync_face_options {
    uv_loop_t *loop;
    struct log log;
    const char *dir, *space;
    const char *node_id;    /* NULL: one of the device's */
    const char *token;      /* "": it is in a file */
    const char *token_file; /* NULL: the one in dir */
    const char *roots;      /* NULL: the system's authorities */
    struct isync_tuning tuning;
};

NODISCARD int isync_face_new(
    struct isync_face **out, const struct isync_face_options *opt);
/* For the node's own port; f NULL: nobody comes there. It ends before f does.
 */
struct hub_socketio_port isync_face_hub(struct isync_face *f);
/* The engine is open. EBUSY: somebody else has the port. */
NODISCARD int isync_face_start(
    struct isync_face *f, struct engine *e, struct errmsg *why);
/* The options were read again, and so is the file of the token. NULL is fine.
 * An error: why says what does not hold; all else does. */
NODISCARD int isync_face_tune(
    struct isync_face *f, const struct isync_tuning *t, struct errmsg *why);
/* The engine closes. */
void isync_face_stop(struct isync_face *f);
/* After engine_close. The memory goes when the loop has run the closing. NULL
 * is fine. */
void isync_face_close(struct isync_face *f);

/* Answers the ops isync and isync_*; false: it is another. */
bool isync_face_answer(struct isync_face *f, const struct json *request,
    const struct engine_asker *who, struct buf *out);
/* A member of `status`, with its comma; NULL is fine. */
void isync_face_put_status(const struct isync_face *f, struct buf *b);

#endif
