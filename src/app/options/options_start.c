/* options_start.c - what a start would refuse is refused where it is asked
 * for: a node that is told over the network how it is to be must come up
 * again. */
#include "app/options/options_edit.h"

#include "app/isync/isync_conns.h"
#include "app/options/options_table.h"
#include "base/plant.h"
#include "core/netaddr.h"
#include "faces/configsync/where.h"
#include "io/fetch.h"

#include <net/if.h>
#include <string.h>

static bool is_name_of_host(const char *text)
{
    static const char taken[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                "tuvwxyz0123456789.-_:[]%";

    return text[0] != 0 && text[strspn(text, taken)] == 0;
}

static int check_host(const char *text, struct errmsg *why)
{
    return is_name_of_host(text)
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_EINVAL, "%.60s: no name of a machine", text);
}

/* A name is looked up at the start, which ends if nobody knows it. */
static int check_number(const char *text, struct errmsg *why)
{
    struct netaddr addr;

    if (strncmp(text, "localhost:", 10) == 0 ||
        netaddr_parse(&addr, slice_str(text), OPTIONS_PORT, NULL) ==
            SYNCLINE_OK)
        return SYNCLINE_OK;
    return errmsg_set(why, SYNCLINE_EINVAL,
        "%.60s: name the address by its number; a name is for the file, by "
        "hand",
        text);
}

static int check_interface(const char *text, struct errmsg *why)
{
    return strlen(text) < IF_NAMESIZE && is_name_of_host(text)
        ? SYNCLINE_OK
        : errmsg_set(
              why, SYNCLINE_EINVAL, "%.60s: no name of an interface", text);
}

static int check_bind(const char *text, struct errmsg *why)
{
    struct netaddr addr;

    return netaddr_parse(&addr, slice_str(text), 1, NULL) == SYNCLINE_OK
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_EINVAL,
              "%.60s: no address; write 127.0.0.1, 0.0.0.0 or ::", text);
}

static int check_network(const char *text, struct errmsg *why)
{
    struct network out;

    return network_parse(&out, slice_str(text), why);
}

static int check_url(const char *text, struct errmsg *why)
{
    struct ws_url out;

    return ws_url_parse(&out, slice_str(text), why);
}

static int check_any(const char *text, struct errmsg *why)
{
    (void)text;
    (void)why;
    return SYNCLINE_OK;
}

static const struct {
    const char *name;
    size_t most;
    int (*check)(const char *text, struct errmsg *why);
} rows[] = {
    { "listen", OPTIONS_ADDRS_MAX, check_number },
    { "advertise", OPTIONS_ADDRS_MAX, check_number },
    { "peer", OPTIONS_ADDRS_MAX, check_host },
    { "interface", 1, check_interface },
    { "http.hosts", OPTIONS_HOSTS_MAX, check_host },
    { "configsync.bind", OPTIONS_BIND_MAX, check_bind },
    { "configsync.admit", OPTIONS_ADMIT_MAX, check_network },
    { "configsync.peers", OPTIONS_INSTANCES_MAX, check_url },
    { "isync.bind", OPTIONS_BIND_MAX, check_bind },
    { "isync.admit", OPTIONS_ADMIT_MAX, check_network },
    { "isync.hosts", OPTIONS_HOSTS_MAX, check_host },
    { "isync.peers", OPTIONS_INSTANCES_MAX, isync_url_check },
    { "isync.patterns", OPTIONS_INSTANCES_MAX, check_any },
};

static int check_list(const struct options *o, size_t row, struct errmsg *why)
{
    const size_t n = options_list_n(o, rows[row].name);
    struct errmsg what = { "" };

    if (n > rows[row].most)
        return errmsg_set(why, SYNCLINE_ELIMIT, "%s: %zu at most may be named",
            rows[row].name, rows[row].most);
    for (size_t i = 0; i < n; i++)
        if (rows[row].check(options_list(o, rows[row].name, i), &what) !=
            SYNCLINE_OK)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "%s: %.400s", rows[row].name, what.text);
    return SYNCLINE_OK;
}

int options_check_start(const struct options *o,
    const struct option_edit *edits, size_t n, struct errmsg *why)
{
    const char *list = options_str(o, "isync.discovery_url");
    struct errmsg what = { "" };
    int rc = SYNCLINE_OK;

    if (PLANTED(R10_START))
        return SYNCLINE_OK;
    if (list[0] != 0 && fetch_url_check(list, &what) != SYNCLINE_OK)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "isync.discovery_url: %.400s", what.text);
    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            if (strcmp(rows[k].name, edits[i].name) == 0 && rc == SYNCLINE_OK)
                rc = check_list(o, k, why);
    return rc;
}
