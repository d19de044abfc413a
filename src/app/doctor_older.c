/* What the doctor finds in what faces of older systems tell of themselves. */
#include "app/doctor_impl.h"
#include "base/text.h"
#include "faces/lansync/exchange.h"
#include "faces/lansync/link.h"

#include <stdio.h>
#include <string.h>

/* Of Synclines that are no members, and could be. */
static void check_unpaired(const struct json *lansync, const struct exam *x)
{
    static const char *const where[] = { "node_id", "address", NULL };
    const struct json *list = json_get(lansync, "connections");
    char text[256];

    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        if (!json_get_bool(v, "syncline", false))
            continue;
        (void)snprintf(text, sizeof text,
            "%.*s, with which LAN sync is spoken, is a Syncline of another "
            "mesh, or has another lansync.space",
            SLICE_FMT(utf8_cut(json_get_str(v, "node_id"), 100)));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "lansync-unpaired",
                .level = "info",
                .what = text,
                .advice = "pair the two (syncline invite): then they keep all "
                          "spaces the same, encrypted, and need no secret" },
            v, where);
    }
}

/* It was removed, or taken from this machine. */
static void check_lan_space(const struct json *status, const struct exam *x)
{
    const struct json *lansync = json_get(status, "lansync");
    const struct json *spaces = json_get(status, "spaces");
    const struct slice name = json_get_str(lansync, "space");
    const struct json *s = spaces != NULL ? spaces->first : NULL;
    char text[200];

    while (s != NULL && !slice_eq(json_get_str(s, "name"), name))
        s = s->next;
    if (s != NULL || name.len == 0)
        return;
    (void)snprintf(text, sizeof text,
        "the space %.*s is not there (lansync.space): nothing is kept the same "
        "with LAN-sync nodes",
        SLICE_FMT(utf8_cut(name, 100)));
    doctor_put(x, "lansync-space", "error", text,
        "make it with `syncline space add`, or have it granted to this "
        "machine; or name another one");
}

/* Of older nodes: what they are not told, as no message can hold it. */
static void check_lansync(const struct json *lansync, const struct exam *x)
{
    static const char *const where[] = { "key", "node_id", NULL };
    const struct json *list = json_get(lansync, "lacking");
    char text[512];

    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        const struct slice key = utf8_cut(json_get_str(v, "key"), 200);
        const struct slice node = utf8_cut(json_get_str(v, "node_id"), 100);

        (void)snprintf(text, sizeof text,
            "the LAN-sync node %.*s is not told of %.*s: a message with it "
            "takes %.1f MiB, which is too long",
            SLICE_FMT(node), SLICE_FMT(key),
            (double)json_get_int(v, "bytes", 0) / (1 << 20));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "lansync-item",
                .level = "warn",
                .what = text,
                .advice = "make it smaller, or part it: then it is told" },
            v, where);
    }
}

static bool begins(struct slice text, const char *with)
{
    return text.len >= strlen(with) &&
        memcmp(text.ptr, with, strlen(with)) == 0;
}

/* Against what is in the way of one that was named. */
static const char *advice_for(struct slice why)
{
    if (begins(why, LAN_REFUSED) || begins(why, LAN_OTHER_KEY))
        return "do both have the same secret (lansync.secret_file)? ours is "
               "read at the start; it is called again and again";
    if (begins(why, LAN_CERTIFICATE))
        return "if that is its own certificate, pin it: lansync.tls_pins";
    if (begins(why, LAN_SILENT))
        return "it is up: is TLS there as it is here (doc/lansync.md)? it is "
               "called again and again";
    return "is it up, and the address right (lansync.peers)? it is called "
           "again and again";
}

/* Whom of LAN sync we call and do not reach: who was named; and who is only
 * near, and would let us in if he were told the secret. Anybody can say that he
 * is near. */
static void check_lan_peers(const struct json *lansync, const struct exam *x)
{
    static const char *const near[] = { "host", "node_id", NULL };
    static const char *const named[] = { "host", "port", NULL };
    const struct json *list = json_get(lansync, "peers");
    char text[600];

    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        const struct slice state = json_get_str(v, "state");
        const struct slice host = utf8_cut(json_get_str(v, "host"), 200);
        const struct slice why = json_get_str(v, "trouble");
        const bool found = json_get_bool(v, "found", false);
        struct doctor_finding d = { .level = "warn", .what = text };

        if (found && slice_is(state, "untold")) {
            d.name = "lansync-untold";
            d.advice = "if you know it, name it in lansync.peers: then it is "
                       "told";
            (void)snprintf(text, sizeof text,
                "the LAN-sync node %.*s is near, at %.*s, and wants to be told "
                "the secret: nothing is kept the same with it",
                SLICE_FMT(utf8_cut(json_get_str(v, "node_id"), 100)),
                SLICE_FMT(host));
        } else if (!found && why.len == 0 && slice_is(state, "away")) {
            d.name = "lansync-calling";
            d.level = "info";
            d.advice = "look again in half a minute";
            (void)snprintf(text, sizeof text,
                "the LAN-sync node at %.*s:%lld is called, and has not "
                "answered yet",
                SLICE_FMT(host), (long long)json_get_int(v, "port", 0));
        } else if (!found && slice_is(state, "away")) {
            d.name = "lansync-peer";
            d.advice = advice_for(why);
            (void)snprintf(text, sizeof text,
                "the LAN-sync node at %.*s:%lld is not connected: %.*s",
                SLICE_FMT(host), (long long)json_get_int(v, "port", 0),
                SLICE_FMT(utf8_cut(why, 200)));
        } else {
            continue;
        }
        doctor_put_of(x, &d, v, found ? near : named);
    }
}

/* Who comes and is not served. */
static void check_lan_refused(const struct json *lansync, const struct exam *x)
{
    static const char *const where[] = { "address", NULL };
    const struct json *list = json_get(lansync, "refused");
    char text[600];

    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        const struct slice node = json_get_str(v, "node_id");

        (void)snprintf(text, sizeof text,
            "the LAN-sync node %.*s (%.*s) is not served: %.*s",
            SLICE_FMT(node.len > 0 ? utf8_cut(node, 100) : SLICE_LIT("?")),
            SLICE_FMT(json_get_str(v, "address")),
            SLICE_FMT(utf8_cut(json_get_str(v, "trouble"), 200)));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "lansync-refused",
                .level = "warn",
                .what = text,
                .advice = "if it is yours, set it right there, or here" },
            v, where);
    }
}

/* With whom that is connected something is wrong. */
static void check_lan_links(const struct json *lansync, const struct exam *x)
{
    static const char *const where[] = { "node_id", NULL };
    const struct json *list = json_get(lansync, "connections");
    char text[600];

    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        const struct slice node = json_get_str(v, "node_id");
        const struct slice why = utf8_cut(json_get_str(v, "trouble"), 200);

        if (why.len == 0)
            continue;
        (void)snprintf(text, sizeof text,
            "the LAN-sync node %.*s (%.*s) is connected, but: %.*s",
            SLICE_FMT(node.len > 0 ? utf8_cut(node, 100) : SLICE_LIT("?")),
            SLICE_FMT(json_get_str(v, "address")), SLICE_FMT(why));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "lansync-node",
                .level = "warn",
                .what = text,
                .advice = begins(why, LAN_NOT_TAKEN)
                    ? "it keeps what is not kept here, until it says what can "
                      "be taken"
                    : "look there; it is told anew when it connects again" },
            v, where);
    }
}

static void check_lan_door(const struct json *lansync, const struct exam *x)
{
    const int64_t away =
        json_get_int(json_get(lansync, "turned_away"), "network", 0);
    char text[200];

    if (away == 0)
        return;
    (void)snprintf(text, sizeof text,
        "%lld LAN-sync connections were refused: they came from a network "
        "that is not admitted",
        (long long)away);
    doctor_put(x, "lansync-admit", "info", text,
        "networks that may come belong into lansync.admit");
}

/* Of iSync nodes: who has another token, who is not admitted, and the list that
 * cannot be had. */
static void check_isync_nodes(const struct json *isync, const struct exam *x)
{
    static const char *const where[] = { "node_id", NULL };
    const struct json *links = json_get(isync, "links");
    const struct json *list = json_get(isync, "discovery");
    const struct slice why = json_get_str(list, "trouble");
    const int64_t away =
        json_get_int(json_get(isync, "turned_away"), "network", 0);
    char text[600];

    for (const struct json *v = links ? links->first : NULL; v; v = v->next) {
        if (!json_get_bool(v, "unread", false) ||
            !json_get_bool(isync, "token", false))
            continue;
        (void)snprintf(text, sizeof text,
            "the iSync node %.*s has another token: what it says cannot be "
            "read here, nor what we say there",
            SLICE_FMT(utf8_cut(json_get_str(v, "node_id"), 200)));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "isync-token",
                .level = "warn",
                .what = text,
                .advice = "give it ours (DIR/isync.token), or take its own: "
                          "syncline isync key --take --force" },
            v, where);
    }
    (void)snprintf(text, sizeof text,
        "%lld iSync connections were refused: they came from a network that "
        "is not admitted",
        (long long)away);
    if (away > 0)
        doctor_put(x, "isync-admit", "info", text,
            "networks that may come belong into isync.admit");
    (void)snprintf(text, sizeof text,
        "the list of iSync nodes at %.*s cannot be had: %.*s",
        SLICE_FMT(utf8_cut(json_get_str(list, "url"), 200)),
        SLICE_FMT(utf8_cut(why, 200)));
    if (why.len > 0)
        doctor_put(x, "isync-list", "warn", text,
            "is isync.discovery_url right? it is tried again every five "
            "minutes");
}

/* Of iSync nodes: who that was named is not reached, what the space does not
 * take, and what nobody there is told. */
static void check_isync(const struct json *isync, const struct exam *x)
{
    static const char *const where[] = { "url", NULL };
    const struct json *list = json_get(isync, "peers");
    const struct slice trouble = json_get_str(isync, "trouble");
    const int64_t refused =
        json_get_int(json_get(isync, "turned_away"), "page", 0);
    const bool is_relay = isync != NULL &&
        !json_get_bool(isync, "token", false) &&
        !json_get_bool(isync, "clear", false);
    char text[600];

    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        const struct slice why = json_get_str(v, "trouble");

        if (why.len == 0 || slice_is(json_get_str(v, "from"), "list") ||
            slice_is(json_get_str(v, "state"), "connected"))
            continue;
        (void)snprintf(text, sizeof text,
            "the iSync node %.*s is not connected: %.*s",
            SLICE_FMT(utf8_cut(json_get_str(v, "url"), 200)),
            SLICE_FMT(utf8_cut(why, 200)));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "isync-peer",
                .level = "warn",
                .what = text,
                .advice = "is it up, and the URL right? it is called again "
                          "and again" },
            v, where);
    }
    check_isync_nodes(isync, x);
    (void)snprintf(text, sizeof text,
        "%lld requests of iSync were refused: they came from a page of "
        "somebody else, or for a name that is not ours",
        (long long)refused);
    if (refused > 0)
        doctor_put(x, "isync-name", "info", text,
            "names by which nodes call this machine belong into isync.hosts");
    (void)snprintf(
        text, sizeof text, "iSync: %.*s", SLICE_FMT(utf8_cut(trouble, 500)));
    if (trouble.len > 0)
        doctor_put(x, "isync", is_relay ? "info" : "warn", text,
            is_relay ? "syncline isync key" : "see doc/isync.md");
}

void doctor_check_older(const struct json *status, const struct exam *x)
{
    check_lan_space(status, x);
    check_lansync(json_get(status, "lansync"), x);
    check_lan_peers(json_get(status, "lansync"), x);
    check_lan_refused(json_get(status, "lansync"), x);
    check_lan_links(json_get(status, "lansync"), x);
    check_lan_door(json_get(status, "lansync"), x);
    check_isync(json_get(status, "isync"), x);
    check_unpaired(json_get(status, "lansync"), x);
}
