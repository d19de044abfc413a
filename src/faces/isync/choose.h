/* choose.h - whom an iSync node dials: of a list of peers the verified first,
 * then by name, and by what is known of each.
 *
 * Pure: the caller passes the time. Laws:
 * - While nothing is known of any peer, the choice is that of the originals:
 *   those without an address are dropped after the cut.
 * - Failures and violations move a peer behind all who have fewer, verified or
 *   not, one violation as three failures; they are forgotten by half in each
 *   ISYNC_FAILURE_HALF_US and ISYNC_VIOLATION_HALF_US. Of equals who answers
 *   faster comes first.
 * - Those that people have named and those of a list are ranked alike. */
#ifndef SYNCLINE_FACES_ISYNC_CHOOSE_H
#define SYNCLINE_FACES_ISYNC_CHOOSE_H

#include "core/json.h"

#define ISYNC_PEERS_DEFAULT 3
#define ISYNC_LIST_MAX 1000 /* entries of a list; more are not looked at */
#define ISYNC_URL_MAX 512
#define ISYNC_FAILURE_HALF_US (UINT64_C(600) * 1000000)
#define ISYNC_VIOLATION_HALF_US (UINT64_C(6) * 3600 * 1000000)

struct isync_peer {
    struct slice name, url, description, location; /* lent */
    bool is_verified;
};

struct isync_repute; /* opaque: what is known of peers, by url */

enum isync_deed {
    ISYNC_DEED_FAILED,   /* it could not be reached, or ended in an error */
    ISYNC_DEED_VIOLATED, /* it said what no node says */
    ISYNC_DEED_ANSWERED  /* after so long; failures are forgotten */
};

struct isync_standing {
    double failures, violations; /* what is left of them */
    uint64_t latency_us;         /* 0: not known */
    uint64_t last_us;            /* when something was last known; 0: never */
};

NODISCARD int isync_repute_new(struct isync_repute **out);
void isync_repute_free(struct isync_repute *r); /* NULL is fine */
/* Where memory runs out it is not noted. latency_us: of ANSWERED. Times are of
 * the day, so that they outlive the program. */
void isync_repute_note(struct isync_repute *r, struct slice url,
    enum isync_deed deed, uint64_t latency_us, uint64_t wall_us);
struct isync_standing isync_repute_of(
    const struct isync_repute *r, struct slice url, uint64_t wall_us);
/* {url: {failures, violations, latency_us, last_us}}; NULL on memory. */
struct json *isync_repute_save(const struct isync_repute *r, struct arena *a);
/* What is not of the form is passed over. */
void isync_repute_load(struct isync_repute *r, const struct json *v);

/* Whom to call first comes first; of two that are alike in all, who came first.
 * Of peers that people have named only the url is set. r may be NULL. Without
 * memory they stay as they are. */
void isync_rank(struct isync_peer *peers, size_t n,
    const struct isync_repute *r, uint64_t wall_us);
/* Of a list as the originals fetch it (an array of objects); what is no list
 * is empty. At most max; returns how many. r may be NULL. */
size_t isync_choose(struct isync_peer *out, size_t max, const struct json *list,
    const struct isync_repute *r, uint64_t wall_us);

#endif
