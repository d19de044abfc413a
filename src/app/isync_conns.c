#include "app/isync_conns.h"

#include <stdlib.h>

struct isync_conns {
    struct isync_conns_options opt;
};

int isync_conns_new(
    struct isync_conns **out, const struct isync_conns_options *opt)
{
    struct isync_conns *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->opt = *opt;
    *out = c;
    return SYNCLINE_OK;
}

int isync_conns_listen(struct isync_conns *c, const struct netaddr *at,
    struct netaddr *bound, struct errmsg *why)
{
    (void)c;
    (void)at;
    (void)bound;
    return errmsg_set(why, SYNCLINE_EUNSUPPORTED, "nothing listens yet");
}

int isync_url_check(const char *url, struct errmsg *why)
{
    (void)url;
    return errmsg_set(why, SYNCLINE_EUNSUPPORTED, "nothing is called yet");
}

int isync_conns_dial(struct isync_conns *c, const char *url,
    enum isync_transport how, uint64_t *link, struct errmsg *why)
{
    (void)c;
    (void)how;
    (void)link;
    return isync_url_check(url, why);
}

int isync_conns_emit(
    struct isync_conns *c, uint64_t link, const char *name, struct slice args)
{
    (void)c;
    (void)link;
    (void)name;
    (void)args;
    return SYNCLINE_ECLOSED;
}

void isync_conns_hang_up(struct isync_conns *c, uint64_t link)
{
    (void)c;
    (void)link;
}

const char *isync_conns_trouble(const struct isync_conns *c, uint64_t link)
{
    (void)c;
    (void)link;
    return "";
}

struct isync_conns_counts isync_conns_counts(const struct isync_conns *c)
{
    (void)c;
    return (struct isync_conns_counts){ .callers = 0 };
}

void isync_conns_stop(struct isync_conns *c)
{
    (void)c;
}

void isync_conns_close(struct isync_conns *c)
{
    free(c);
}
