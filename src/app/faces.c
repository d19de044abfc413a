#include "app/faces.h"

#include "app/answer.h"
#include "app/config/config_options.h"
#include "app/isync/isync_options.h"
#include "app/lan/lan_options.h"

int faces_make(struct faces *f, const struct options *o, uv_loop_t *loop,
    struct log log, struct errmsg *why)
{
    int rc = config_options_face(&f->configsync, o, loop, log, why);

    if (rc == SYNCLINE_OK)
        rc = lan_options_face(&f->lansync, o, loop, log, why);
    if (rc == SYNCLINE_OK)
        rc = isync_options_face(&f->isync, o, loop, log, why);
    return rc;
}

int faces_start(struct faces *f, struct engine *e, struct errmsg *why)
{
    int rc = SYNCLINE_OK;

    if (f->configsync != NULL)
        rc = config_face_start(f->configsync, e, why);
    if (rc == SYNCLINE_OK && f->lansync != NULL)
        rc = lan_face_start(f->lansync, e, why);
    if (rc == SYNCLINE_OK && f->isync != NULL)
        rc = isync_face_start(f->isync, e, why);
    return rc;
}

void faces_turn(struct faces *f)
{
    if (f->lansync != NULL)
        lan_face_turn(f->lansync);
}

int faces_tune(struct faces *f, const struct options *o, struct errmsg *why)
{
    struct isync_tuned isync;
    int rc = f->isync != NULL ? isync_options_tuned(&isync, o, why)
                              : SYNCLINE_ENOTFOUND;

    if (rc == SYNCLINE_OK)
        rc = isync_face_tune(f->isync, &isync.tuning, why);
    return f->isync != NULL ? rc : SYNCLINE_OK;
}

int faces_files(
    const struct faces *f, const struct options *o, struct errmsg *why)
{
    if (f->lansync == NULL || !options_bool(o, "lansync.enabled"))
        return SYNCLINE_OK;
    return lan_options_secret(f->lansync, o, why);
}

bool faces_answer(struct faces *f, const struct json *request,
    const struct engine_asker *who, struct buf *out)
{
    const struct slice op = json_get_str(request, "op");
    const struct errmsg off = {
        "iSync nodes are not spoken with: isync.enabled is false"
    };
    const struct errmsg no_instances = {
        "config-sync instances are not spoken with: name one "
        "(configsync.peers), or serve them (configsync.server)"
    };

    if (f->isync == NULL && slice_has_prefix(op, SLICE_LIT("isync"))) {
        put_refusal(out, SYNCLINE_ENOTFOUND, &off);
        return true;
    }
    if (f->configsync == NULL &&
        slice_has_prefix(op, SLICE_LIT("configsync"))) {
        put_refusal(out, SYNCLINE_ENOTFOUND, &no_instances);
        return true;
    }
    return (f->configsync != NULL &&
               config_face_answer(f->configsync, request, out)) ||
        (f->lansync != NULL && lan_face_answer(f->lansync, request, out)) ||
        (f->isync != NULL && isync_face_answer(f->isync, request, who, out));
}

void faces_put_status(const struct faces *f, struct buf *b)
{
    config_face_put_status(f->configsync, b);
    lan_face_put_status(f->lansync, b);
    isync_face_put_status(f->isync, b);
}

void faces_stop(struct faces *f)
{
    if (f->configsync != NULL)
        config_face_stop(f->configsync);
    if (f->lansync != NULL)
        lan_face_stop(f->lansync);
    if (f->isync != NULL)
        isync_face_stop(f->isync);
}

void faces_close(struct faces *f)
{
    config_face_close(f->configsync);
    lan_face_close(f->lansync);
    isync_face_close(f->isync);
    *f = (struct faces){ NULL, NULL, NULL };
}
