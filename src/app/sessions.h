/* sessions.h - who has the dashboard open: links that are good once, and the
 * sessions that are made of them.
 *
 * A link is 256 random bits, and is good for five minutes. It is exchanged
 * for a session of two secrets more, of which one is kept by the browser as a
 * cookie and the other by the page: cookies go to every port of a machine,
 * what a page keeps does not. What is held here is their SHA-256, in memory
 * alone: a restart ends them all. Times are of a clock that never goes back.
 * Laws: a link opens one session; whether a secret is good takes the same
 * time whichever it is; what is held is bounded, and the oldest makes room. */
#ifndef SYNCLINE_APP_SESSIONS_H
#define SYNCLINE_APP_SESSIONS_H

#include "app/tokens.h"

#define SESSION_LINKS_MAX 8
#define SESSIONS_MAX 32
#define SESSION_LINK_US UINT64_C(300000000)  /* 5 minutes */
#define SESSION_US UINT64_C(43200000000)     /* 12 hours, in use or not */
#define SESSION_IDLE_US UINT64_C(7200000000) /* 2 hours, not in use */
#define SESSION_SECRET_TEXT 43               /* base64url of 256 bits */

struct sessions; /* opaque */

/* What a browser is told; to be wiped. */
struct session_secrets {
    char id[TOKEN_ID_LEN + 1]; /* "s" and seven hex digits: no token's */
    char cookie[SESSION_SECRET_TEXT + 1];
    char page[SESSION_SECRET_TEXT + 1];
};

NODISCARD int sessions_new(struct sessions **out);
void sessions_free(struct sessions *s); /* NULL is fine */

NODISCARD int sessions_link(
    struct sessions *s, uint64_t now_us, char text[SESSION_SECRET_TEXT + 1]);
/* EDENIED: there is no such link, or it has been used. ETIMEOUT: too late. */
NODISCARD int sessions_open(struct sessions *s, struct slice link,
    uint64_t now_us, struct session_secrets *out);
/* Both secrets, of one session; its id. EDENIED: they are not. ETIMEOUT: it
 * is over. */
NODISCARD int sessions_check(struct sessions *s, struct slice cookie,
    struct slice page, uint64_t now_us, char id[TOKEN_ID_LEN + 1]);
/* Is that session good still? EDENIED. */
NODISCARD int sessions_find(
    const struct sessions *s, const char *id, uint64_t now_us);
void sessions_end(struct sessions *s, const char *id);
/* And all links; how many sessions there were. */
size_t sessions_end_all(struct sessions *s);

#endif
