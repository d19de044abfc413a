/* faces.h - the faces that a daemon has beside the hub: systems of others, each
 * there if an option switches it on. They come and go together. */
#ifndef SYNCLINE_APP_FACES_H
#define SYNCLINE_APP_FACES_H

#include "app/config/config_face.h"
#include "app/isync/isync_face.h"
#include "app/lan/lan_face.h"

/* NULL: it is off. A zeroed one is valid. */
struct faces {
    struct config_face *configsync;
    struct lan_face *lansync;
    struct isync_face *isync;
};

NODISCARD int faces_make(struct faces *f, const struct options *o,
    uv_loop_t *loop, struct log log, struct errmsg *why);
/* The engine is open. */
NODISCARD int faces_start(
    struct faces *f, struct engine *e, struct errmsg *why);
/* At the end of each turn of the engine. */
void faces_turn(struct faces *f);
/* What need not wait for a restart. EINVAL: an option says nothing that can be;
 * what was stays. */
NODISCARD int faces_tune(
    struct faces *f, const struct options *o, struct errmsg *why);
/* An error: a file that an option names has changed, and waits for a restart.
 */
NODISCARD int faces_files(
    const struct faces *f, const struct options *o, struct errmsg *why);
/* Answers an op of theirs; false: it is another. */
bool faces_answer(struct faces *f, const struct json *request,
    const struct engine_asker *who, struct buf *out);
/* Members of `status`, each with its comma. */
void faces_put_status(const struct faces *f, struct buf *b);
/* The engine closes. */
void faces_stop(struct faces *f);
/* After engine_close. */
void faces_close(struct faces *f);

#endif
