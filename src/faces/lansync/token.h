/* token.h - session tokens: JSON Web Tokens with HMAC-SHA256 (RFC 7519,
 * HS256), as the older system's manager of security makes them.
 *
 * Pure: the caller passes the time. Law: no token of another algorithm, key or
 * time counts. */
#ifndef SYNCLINE_FACES_LANSYNC_TOKEN_H
#define SYNCLINE_FACES_LANSYNC_TOKEN_H

#include "core/json.h"

#define LAN_TOKEN_US UINT64_C(3600000000) /* what the older system gives */

/* Claims as they stand, in their order. */
NODISCARD int lan_token_put(
    struct buf *out, const struct json *claims, struct slice secret);
/* EMALFORMED: no token; EDENIED: signed by somebody else; ETIMEOUT: over, or
 * without an end. *claims lives in a. */
NODISCARD int lan_token_read(struct json **claims, struct slice token,
    struct slice secret, uint64_t now_us, struct arena *a);

/* ---- those of a session, under a key made from the nodes' secret ---- */

/* Says which node it is, since when and until when, and of which server it was
 * let in (sub, iat, exp, aud). */
NODISCARD int lan_session_put(struct buf *out, struct slice node,
    struct slice server, struct slice secret, uint64_t now_us,
    uint64_t lasts_us, struct arena *a);
/* As lan_token_read, whatever server it names. */
NODISCARD int lan_session_read(struct json **claims, struct slice token,
    struct slice secret, uint64_t now_us, struct arena *a);

#endif
