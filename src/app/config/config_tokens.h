/* config_tokens.h - what is shown to those that we call and that ask for it: a
 * file that nobody else reads, whose lines are a URL and a token.
 *
 * Law: a token goes to the URL that it stands beside, and to that only by TLS
 * or within this machine. */
#ifndef SYNCLINE_APP_CONFIG_TOKENS_H
#define SYNCLINE_APP_CONFIG_TOKENS_H

#include "base/buf.h"
#include "faces/configsync/where.h"

#define CONFIG_TOKEN_MAX 256

/* Of n URLs, as they are written and read: of each its token, or NULL, which
 * lie in *held. Wipe and free that. what: the option, in messages. */
NODISCARD int config_tokens_read(const char **out, struct buf *held,
    const char *what, const char *path, const char *const *urls,
    const struct ws_url *read, size_t n, struct errmsg *why);

#endif
