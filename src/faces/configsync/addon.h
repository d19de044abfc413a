/* addon.h - the options of an add-on that keeps its configuration the same by
 * config-sync, as the older system names them.
 *
 * Pure. An add-on has options of its own beside these: what is not known is
 * passed over. Law: what addon_check takes addon_read takes, unless a URL says
 * ws:// and then nothing that can be called. */
#ifndef SYNCLINE_FACES_CONFIGSYNC_ADDON_H
#define SYNCLINE_FACES_CONFIGSYNC_ADDON_H

#include "core/json.h"

#define ADDON_PORT 8765

struct addon_options {
    uint16_t port;
    bool serves;              /* left out: if peers are named */
    const struct json *peers; /* an array of strings; NULL: none */
    const struct json *bind;  /* a string, or an array of such; NULL: loopback.
                                 Ours: the older system has none of this */
    uint32_t per_minute, block_s;
    bool local_is_exempt;
};

/* v NULL, or null: the defaults. EINVAL: why names the option. Lends from v. */
NODISCARD int addon_read(
    struct addon_options *out, const struct json *v, struct errmsg *why);

/* What the older system's own check says: port, peers and whether it serves
 * are all there, and each is what it must be. EINVAL. */
NODISCARD int addon_check(const struct json *v, struct errmsg *why);

#endif
