/* config_options.h - what the options say of the config-sync face. */
#ifndef SYNCLINE_APP_CONFIG_OPTIONS_H
#define SYNCLINE_APP_CONFIG_OPTIONS_H

#include "app/config/config_face.h"
#include "app/options/options.h"

/* Makes the face; *out NULL: it is off. EINVAL: why says which option. */
NODISCARD int config_options_face(struct config_face **out,
    const struct options *o, uv_loop_t *loop, struct log log,
    struct errmsg *why);

#endif
