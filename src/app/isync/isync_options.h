/* isync_options.h - what the options say of the iSync face. */
#ifndef SYNCLINE_APP_ISYNC_OPTIONS_H
#define SYNCLINE_APP_ISYNC_OPTIONS_H

#include "app/isync/isync_face.h"

/* Makes the face; *out NULL: it is off. EINVAL, ELIMIT: why says which option,
 * and what to do. */
NODISCARD int isync_options_face(struct isync_face **out,
    const struct options *o, uv_loop_t *loop, struct log log,
    struct errmsg *why);

/* What may change while it runs; lends from o. EINVAL, ELIMIT as above. */
struct isync_tuned {
    struct isync_tuning tuning; /* its lists are the next */
    const char *peers[OPTIONS_INSTANCES_MAX], *hosts[OPTIONS_HOSTS_MAX];
    const char *patterns[OPTIONS_INSTANCES_MAX];
    struct network admit[OPTIONS_ADMIT_MAX];
    struct netaddr listen[OPTIONS_BIND_MAX];
};
NODISCARD int isync_options_tuned(
    struct isync_tuned *out, const struct options *o, struct errmsg *why);

#endif
