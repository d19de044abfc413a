#include "app/doctor.h"

#include "app/doctor_impl.h"
#include "app/engine/engine_impl.h"
#include "base/text.h"
#include "io/clock.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define REPLICAS_MANY 1000
#define COPIES_HELP                                          \
    "two copies of one folder are up; stop one, remove its " \
    "identity.pem and store, start it and let it join anew"
#define DAY_US INT64_C(86400000000)
#define HTTPS_SOON_US (14 * DAY_US)
#define DISK_LOW ((uint64_t)256 << 20)
#define DISK_NONE ((uint64_t)16 << 20) /* a segment of the journal */

void doctor_put(const struct exam *x, const char *name, const char *level,
    const char *what, const char *advice)
{
    const struct doctor_finding f = { .name = name,
        .level = level,
        .what = what,
        .advice = advice,
        .where = SLICE_LIT("{}") };

    x->fn(x->ctx, &f);
}

void doctor_put_of(const struct exam *x, const struct doctor_finding *f,
    const struct json *v, const char *const *where)
{
    struct doctor_finding told = *f;
    struct buf b = { 0 };

    for (; *where != NULL; where++) {
        const struct json *m = json_get(v, *where);

        if (m == NULL || (m->type != JSON_STRING && m->type != JSON_INT))
            continue;
        buf_printf(&b, "%s\"%s\":", b.len > 0 ? "," : "{", *where);
        if (m->type == JSON_INT)
            json_print(&b, m, JSON_COMPACT);
        else
            json_print_string(&b, m->s, false);
    }
    buf_put_str(&b, b.len > 0 ? "}" : "{}");
    told.where = buf_status(&b) == 0 ? buf_slice(&b) : SLICE_LIT("{}");
    x->fn(x->ctx, &told);
    buf_free(&b);
}

static void check_ports(const struct engine *e, const struct exam *x)
{
    const struct netaddr *list;
    char text[256], addr[NETADDR_TEXT];
    bool only_loopback = true;
    size_t n;

    list = engine_listening(e, &n);
    for (size_t i = 0; i < n; i++)
        only_loopback = only_loopback && netaddr_is_loopback(&list[i]);
    if (n == 0) {
        doctor_put(x, "port", "warn",
            "listens nowhere: it can dial others, but nobody can dial it",
            NULL);
        return;
    }
    netaddr_format(addr, &list[0]);
    (void)snprintf(
        text, sizeof text, "listens on %s%s", addr, n > 1 ? " and more" : "");
    if (only_loopback)
        doctor_put(x, "port", "warn", "listens on this machine only",
            "use --listen 0.0.0.0:4748 to be reached from others");
    else
        doctor_put(x, "port", NULL, text, NULL);
}

static void check_multicast(const struct engine *e, const struct exam *x)
{
    char text[128];
    unsigned n = engine_multicast(e);

    if (!e->opt.discovery) {
        doctor_put(x, "multicast", NULL,
            "switched off (discovery: false); members are found by addresses",
            NULL);
        return;
    }
    (void)snprintf(text, sizeof text,
        "beacons are heard on %u interface%s and families", n,
        n == 1 ? "" : "s");
    if (n > 0)
        doctor_put(x, "multicast", NULL, text, NULL);
    else
        doctor_put(x, "multicast", "warn",
            "no interface can multicast (a container or add-on without host "
            "networking?)",
            "tell members where others are with --peer A:P");
}

bool doctor_folder(const char *dir, char *text, size_t size)
{
    struct stat st;

    if (stat(dir, &st) != 0 ||
        ((st.st_mode & 077) == 0 && st.st_uid == geteuid()))
        return false;
    if (st.st_uid != geteuid())
        (void)snprintf(text, size,
            "%.200s belongs to another user, who can read and change all that "
            "is in it: chown it to the user of this daemon",
            dir);
    else
        (void)snprintf(text, size,
            "%.200s has mode %03o: others can look into it; chmod 700 %.200s",
            dir, (unsigned)st.st_mode & 0777, dir);
    return true;
}

static void check_folder(const struct engine *e, const struct exam *x)
{
    char text[512];

    if (doctor_folder(engine_dir(e), text, sizeof text))
        doctor_put(x, "folder", "warn", text, NULL);
}

static void check_disk(const struct engine *e, const struct exam *x)
{
    struct statvfs v;
    uint64_t bytes;
    char text[256];

    if (engine_store_status(e) != SYNCLINE_OK) {
        doctor_put(x, "store", "error",
            "writing failed (see the log), and nothing more is written until "
            "the store is opened again",
            "look at the disk, then restart");
        return;
    }
    if (statvfs(engine_dir(e), &v) != 0) {
        doctor_put(x, "disk", "warn", "the free space cannot be told", NULL);
        return;
    }
    bytes = (uint64_t)v.f_bavail * v.f_frsize;
    (void)snprintf(text, sizeof text, "%llu MiB free at %.120s%s",
        (unsigned long long)(bytes >> 20), engine_dir(e),
        bytes < DISK_NONE ? ": writes are refused (EFULL), or soon will be"
                          : "");
    doctor_put(x, "disk",
        bytes < DISK_NONE      ? "error"
            : bytes < DISK_LOW ? "warn"
                               : NULL,
        text, bytes < DISK_LOW ? "make room, a restart is not needed" : NULL);
}

/* A member has closed on us with these words. */
static void check_membership(const struct json *status, const struct exam *x)
{
    const struct json *removed = json_get(status, "removed");
    struct slice role = json_get_str(status, "role");
    struct slice name = json_get_str(removed, "name");
    char text[320];

    if (removed != NULL && removed->type == JSON_OBJECT) {
        (void)snprintf(text, sizeof text,
            "this device was removed from the mesh (%.*s said so): what it "
            "writes goes to nobody",
            (int)(name.len > 100 ? 100 : name.len), (const char *)name.ptr);
        doctor_put(x, "membership", "error", text,
            "join a mesh with `syncline join CODE --leave`");
        return;
    }
    if (json_get_bool(status, "only_relay", false) &&
        !slice_is(role, "relay")) {
        doctor_put(x, "membership", "warn",
            "this daemon was started as a relay and takes nothing, but no mesh "
            "has let it in as one",
            "`syncline invite --role relay` there, `syncline join CODE` here; "
            "or there `syncline grant NAME --role relay`");
        return;
    }
    (void)snprintf(text, sizeof text, "this device is a member: %.*s",
        (int)(role.len > 20 ? 20 : role.len), (const char *)role.ptr);
    doctor_put(x, "membership", NULL, text, NULL);
}

static void check_audit(const struct engine *e, const struct exam *x)
{
    const char *trouble = engine_audit_trouble(e);

    doctor_put(x, "audit", trouble != NULL ? "error" : NULL,
        trouble != NULL ? trouble : "the audit log is written", NULL);
}

static void check_oversize(const struct json *status, const struct exam *x)
{
    static const char *const where[] = { "key", "space", NULL };
    const struct json *o = json_get(status, "oversize");
    struct slice space, key;
    char text[320];

    if (o == NULL || o->type != JSON_OBJECT)
        return;
    space = json_get_str(o, "space");
    key = json_get_str(o, "key");
    (void)snprintf(text, sizeof text,
        "%.*s/%.*s is too large to be written here (%llu MiB at once)",
        (int)space.len, (const char *)space.ptr,
        (int)(key.len > 100 ? 100 : key.len), (const char *)key.ptr,
        (unsigned long long)json_get_int(o, "bytes", 0) >> 20);
    doctor_put_of(x,
        &(const struct doctor_finding){ .name = "size",
            .level = "error",
            .what = text,
            .advice = "make it smaller, or delete it, on a device that has all "
                      "of it" },
        o, where);
}

/* What the node makes of all clocks together: it names the wrong one. */
static void check_clock(const struct json *clock, const struct exam *x)
{
    char text[1024];

    if (clock == NULL)
        return;
    (void)snprintf(
        text, sizeof text, "%.*s", SLICE_FMT(json_get_str(clock, "verdict")));
    doctor_put(x, "clock", json_get_bool(clock, "ok", true) ? NULL : "error",
        text, NULL);
}

/* Whose changes came stamped so: the log of its device tells more. */
static void check_stamps(const struct json *clock, const struct exam *x)
{
    static const char *const where[] = { "device", "item", "name", NULL };
    const struct json *list = json_get(clock, "stamped");

    for (const struct json *s = list != NULL ? list->first : NULL; s != NULL;
         s = s->next) {
        struct slice name = json_get_str(s, "name");
        char text[512];

        if (name.len == 0)
            name = SLICE_LIT("a device that is no member");
        (void)snprintf(text, sizeof text,
            "a change of %.*s at %.*s is stamped %lld s ahead of this clock",
            SLICE_FMT(name), SLICE_FMT(json_get_str(s, "item")),
            (long long)(json_get_int(s, "ahead_us", 0) / 1000000));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "stamps",
                .level = "error",
                .what = text,
                .advice = "see that its clock is right; the log of its device "
                          "tells more" },
            s, where);
    }
}

/* Two stores wrote as one replica, or a device lies. */
static void check_forks(const struct json *status, const struct exam *x)
{
    static const char *const where[] = { "device", "name", "space", NULL };
    const struct json *list = json_get(status, "forks");

    for (const struct json *f = list != NULL ? list->first : NULL; f != NULL;
         f = f->next) {
        struct slice name = json_get_str(f, "name");
        char text[512];

        if (name.len == 0)
            name = SLICE_LIT("a device that is no member");
        (void)snprintf(text, sizeof text,
            "%.*s signed two different changes as number %lld of one replica "
            "in %.*s; that replica counts there no more from that one on, and "
            "what it had written was written again",
            (int)(name.len > 100 ? 100 : name.len), (const char *)name.ptr,
            (long long)json_get_int(f, "change", 0),
            SLICE_FMT(json_get_str(f, "space")));
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "fork",
                .level = "warn",
                .what = text,
                .advice = "if its folder was copied or its disk put back, that "
                          "is all; else its key is in wrong hands: `syncline "
                          "remove`" },
            f, where);
    }
}

/* What a relay sent and does not open under any key that is held. */
static void check_unopened(const struct json *status, const struct exam *x)
{
    const int64_t n = json_get_int(status, "unopened", 0);
    char text[320];

    if (n == 0)
        return;
    (void)snprintf(text, sizeof text,
        "%lld rows that came from relays since the start could not be opened: "
        "either a key is still on its way, or somebody has given a relay what "
        "is none",
        (long long)n);
    doctor_put(x, "unopened", "warn", text,
        "a connection to another member brings what is missing");
}

static bool has_relay(const struct json *status)
{
    const struct json *list = json_get(status, "peers");

    for (const struct json *p = list != NULL ? list->first : NULL; p != NULL;
         p = p->next)
        if (slice_is(json_get_str(p, "role"), "relay"))
            return true;
    return false;
}

/* Of a relay that is none any more nobody needs to hear. */
static void check_relays(const struct json *status, const struct exam *x)
{
    if (json_get_int(status, "relays_back", 0) > 0 && has_relay(status))
        doctor_put(x, "relay", "warn",
            "a relay has less than it once had: its disk was lost, or somebody "
            "put an old one in. It is sent again what it lacks",
            "`syncline audit` says which one, and when");
}

/* By signed words of members, which the relay itself has passed on. */
static void check_withheld(const struct json *status, const struct exam *x)
{
    static const char *const where[] = { "relay", "space", "whose", NULL };
    const struct json *list = json_get(status, "withheld");
    char text[480];

    for (const struct json *e = list != NULL ? list->first : NULL; e != NULL;
         e = e->next) {
        const bool missing = slice_is(json_get_str(e, "what"), "missing");

        (void)snprintf(text, sizeof text,
            missing ? "%.*s: the relay %.*s keeps back what %.*s wrote, for "
                      "%lld s"
                    : "%.*s: what the relay %.*s has brought differs from "
                      "what %.*s has, for %lld s: the relay keeps something "
                      "back, or somebody has said two things",
            SLICE_FMT(json_get_str(e, "space")),
            SLICE_FMT(json_get_str(e, "relay")),
            SLICE_FMT(json_get_str(e, "whose")),
            (long long)json_get_int(e, "for_s", 0));
        doctor_put_of(x,
            &(const struct doctor_finding){
                .name = missing ? "withheld" : "head",
                .level = "warn",
                .what = text,
                .advice = missing
                    ? "let this machine meet another member or use another "
                      "relay; if that brings it, remove this one"
                    : "let both meet and run `syncline verify`" },
            e, where);
    }
}

static int64_t number_of(const struct json *peer, const char *name)
{
    const struct json *v = json_get(peer, name);

    return v != NULL && v->type == JSON_INT ? v->i : 0;
}

static const char *const peer_where[] = { "device", "name", NULL };

static void check_behaviour(const struct json *peer, const struct exam *x)
{
    struct slice name = json_get_str(peer, "name");
    struct slice why = json_get_str(peer, "broke_last");
    int64_t broke = number_of(peer, "broke");
    int64_t ms = number_of(peer, "refused_ms");
    char text[320];

    if (broke == 0)
        return;
    (void)snprintf(text, sizeof text,
        "%.*s broke the protocol %lld times since the start (last: %.*s)%s",
        (int)(name.len > 100 ? 100 : name.len), (const char *)name.ptr,
        (long long)broke, (int)(why.len > 80 ? 80 : why.len),
        (const char *)why.ptr, ms > 0 ? " and is refused for now" : "");
    doctor_put_of(x,
        &(const struct doctor_finding){ .name = "behaviour",
            .level = "warn",
            .what = text,
            .advice = "update it, and if it goes on, remove it: `syncline "
                      "remove`" },
        peer, peer_where);
}

static void check_peer(const struct json *peer, const struct exam *x)
{
    struct slice name = json_get_str(peer, "name");
    struct slice state = json_get_str(peer, "state");
    char text[320];

    if (json_get_bool(peer, "copies", false)) {
        (void)snprintf(text, sizeof text, "%.*s runs twice",
            (int)(name.len > 100 ? 100 : name.len), (const char *)name.ptr);
        doctor_put_of(x,
            &(const struct doctor_finding){ .name = "copies",
                .level = "error",
                .what = text,
                .advice = COPIES_HELP },
            peer, peer_where);
        return;
    }
    if (slice_is(state, "connected"))
        return;
    (void)snprintf(text, sizeof text, "%.*s is not connected (%.*s)",
        (int)(name.len > 100 ? 100 : name.len), (const char *)name.ptr,
        SLICE_FMT(state));
    doctor_put_of(x,
        &(const struct doctor_finding){ .name = "peer",
            .level = "warn",
            .what = text,
            .advice = "is it running, and does a firewall let TCP 4748 "
                      "through?" },
        peer, peer_where);
}

static void check_rescue(const struct json *status, const struct exam *x)
{
    const struct json *spaces = json_get(status, "spaces");
    int64_t n = 0;
    char text[160];

    for (const struct json *s = spaces ? spaces->first : NULL; s; s = s->next)
        n += json_get_int(s, "rescue", 0);
    if (n == 0)
        return;
    (void)snprintf(text, sizeof text,
        "%lld edit%s of deleted items wait%s to be taken back or let go",
        (long long)n, n == 1 ? "" : "s", n == 1 ? "s" : "");
    doctor_put(x, "rescue", "warn", text, "syncline rescue");
}

/* A device that runs twice is let in only in turn: no firewall is to blame. */
static bool check_copies(const struct json *status, const struct exam *x)
{
    const bool twice = json_get_bool(status, "copies", false);

    if (twice)
        doctor_put(x, "copies", "error",
            "this device runs twice, and is connected only in turn",
            COPIES_HELP);
    return twice;
}

/* A replica is for ever; a thousand of them come of something. */
static void check_replicas(const struct json *space, const struct exam *x)
{
    const struct json *vector = json_get(space, "vector");
    struct slice name = json_get_str(space, "name");
    char text[256];

    if (vector == NULL || vector->n < REPLICAS_MANY)
        return;
    (void)snprintf(text, sizeof text,
        "%.*s has been written to by %u replicas, each of which every member "
        "keeps for ever",
        (int)(name.len > 64 ? 64 : name.len), (const char *)name.ptr,
        (unsigned)vector->n);
    doctor_put(x, "replicas", "warn", text,
        "does a machine crash again and again, or make them up?");
}

/* One of our own is made anew in time; somebody sees to the others. */
static void check_https(const struct engine *e, const struct exam *x)
{
    const int64_t left_us =
        (int64_t)e->web.facts.until_us - (int64_t)clock_wall_us();
    char text[600];

    if (!e->opt.web.enabled)
        return;
    if (e->web.trouble.text[0] != 0) {
        (void)snprintf(text, sizeof text, "HTTPS: %s", e->web.trouble.text);
        doctor_put(
            x, "https", "warn", text, "mend it; it is read again by itself");
    } else if (left_us < HTTPS_SOON_US) {
        (void)snprintf(text, sizeof text,
            left_us < 0 ? "the certificate of HTTPS has expired"
                        : "the certificate of HTTPS expires in %lld days",
            (long long)(left_us / DAY_US));
        doctor_put(x, "https", "warn", text,
            "put another one where tls.cert and tls.key say");
    }
}

/* The mesh as a whole. */
static void check_peers(const struct json *status, const struct exam *x)
{
    const struct json *peers = json_get(status, "peers");
    const bool twice = check_copies(status, x);

    if (peers == NULL || peers->n == 0)
        doctor_put(x, "mesh", "info",
            json_get_bool(status, "only_relay", false) ? "this relay is alone"
                                                       : "this device is alone",
            json_get_bool(status, "only_relay", false)
                ? "`syncline invite --role relay` on a member and `syncline "
                  "join CODE` here let it in"
                : "`syncline invite` here and `syncline join CODE` there make "
                  "two");
    for (const struct json *p = peers != NULL ? peers->first : NULL; p != NULL;
         p = p->next) {
        if (!twice)
            check_peer(p, x);
        check_behaviour(p, x);
    }
}

void doctor_look(
    const struct engine *e, const struct json *status, doctor_fn *fn, void *ctx)
{
    const struct exam x = { fn, ctx };
    const struct json *spaces = json_get(status, "spaces");

    check_ports(e, &x);
    check_https(e, &x);
    check_multicast(e, &x);
    check_folder(e, &x);
    check_disk(e, &x);
    check_audit(e, &x);
    check_oversize(status, &x);
    check_membership(status, &x);
    check_rescue(status, &x);
    check_peers(status, &x);
    for (const struct json *s = spaces != NULL ? spaces->first : NULL;
         s != NULL; s = s->next)
        check_replicas(s, &x);
    check_clock(json_get(status, "clock"), &x);
    check_stamps(json_get(status, "clock"), &x);
    check_forks(status, &x);
    check_unopened(status, &x);
    check_relays(status, &x);
    check_withheld(status, &x);
    doctor_check_older(status, &x);
}

static void print_finding(void *ctx, const struct doctor_finding *f)
{
    const bool ok = f->level == NULL;
    struct buf *b = ctx, text = { 0 };

    buf_printf(&text, "%s%s%s", f->what, f->advice != NULL ? "; " : "",
        f->advice != NULL ? f->advice : "");
    buf_printf(b, "%s{\"name\":\"%s\",\"ok\":%s,\"level\":\"%s\",\"text\":",
        b->len > 0 ? "," : "", f->name, ok ? "true" : "false",
        ok ? "ok" : f->level);
    json_print_string(b, buf_slice(&text), false);
    buf_put_str(b, ",\"where\":");
    buf_put_slice(b, f->where);
    buf_put_u8(b, '}');
    buf_free(&text);
}

void doctor_examine(
    const struct engine *e, const struct json *status, struct buf *out)
{
    struct buf b = { 0 };

    doctor_look(e, status, print_finding, &b);
    buf_put_str(out, "{\"ok\":true,\"checks\":[");
    buf_put_slice(out, buf_slice(&b));
    buf_put_str(out, "]}");
    buf_free(&b);
}
