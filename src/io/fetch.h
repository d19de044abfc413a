/* fetch.h - gets a small document by HTTP or HTTPS, beside the loop.
 *
 * Laws: done exactly once, on the loop's thread, unless fetch_cancel came
 * before; never from within fetch_start. What answers is an http or https
 * server whose certificate is good for its name: a redirect leads to no file,
 * from https only to https, and never inwards: from elsewhere not to a private
 * network, and from there not to this machine or its link. What is larger than
 * max, or takes longer, is refused whole. */
#ifndef SYNCLINE_IO_FETCH_H
#define SYNCLINE_IO_FETCH_H

#include <uv.h>

#include "base/buf.h"

struct fetch; /* opaque; frees itself */

#define FETCH_REDIRECTS 3

/* All is copied but the loop and ctx. */
struct fetch_options {
    uv_loop_t *loop;
    const char *url, *agent;
    const char *roots; /* file of authorities; NULL: the system's */
    size_t max;
    uint32_t timeout_ms;
    /* why NULL: that is what it says. body is lent. */
    void (*done)(void *ctx, struct slice body, const char *why);
    void *ctx;
};

/* Is it one that would be fetched? EINVAL: why says what is wrong. */
NODISCARD int fetch_url_check(const char *url, struct errmsg *why);
NODISCARD int fetch_start(struct fetch **out, const struct fetch_options *opt);
/* Nobody waits for it any more; NULL is fine. */
void fetch_cancel(struct fetch *f);

#endif
