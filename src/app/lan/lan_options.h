/* lan_options.h - what the options say of the LAN-sync face. */
#ifndef SYNCLINE_APP_LAN_OPTIONS_H
#define SYNCLINE_APP_LAN_OPTIONS_H

#include "app/lan/lan_face.h"

/* Makes the face; *out NULL: it is off. EINVAL, ENOTFOUND: why says which
 * option, and what to do. */
NODISCARD int lan_options_face(struct lan_face **out, const struct options *o,
    uv_loop_t *loop, struct log log, struct errmsg *why);
/* EINVAL, ENOTFOUND and others: what the file of the secret holds now is not
 * what the face goes on with. */
NODISCARD int lan_options_secret(
    const struct lan_face *f, const struct options *o, struct errmsg *why);

#endif
