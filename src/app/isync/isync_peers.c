/* Which iSync nodes are called: those that were named first, then those of a
 * list that is fetched, as far as they have proved good. */
#include "app/isync/isync_face_impl.h"

#include <stdlib.h>

#include "base/plant.h"

#define LOOK_US UINT64_C(5000000)
#define FETCH_MS 10000
#define FETCH_BYTES ((size_t)1 << 20)
#define FETCH_US UINT64_C(3600000000)
#define FETCH_AGAIN_US UINT64_C(300000000)
#define OURSELVES_US UINT64_C(600000000)

struct isync_target {
    struct isync_target *next;
    uint64_t link;           /* 0: it is not called */
    bool is_named, is_added; /* in the options; while it ran */
    bool is_listed;          /* it was in the list that was had last */
    bool is_wanted, is_up;
    uint64_t self_until_us; /* it has said to be ourselves */
    uint64_t began_us;      /* when it was called that it is connected by */
    uint64_t again_us;      /* it was of no use: it is not called before */
    char node[ISYNC_NODE_MAX + 1];
    char why[200];
    char url[];
};

static struct isync_target *target_of(
    const struct isync_face *f, struct slice url)
{
    struct isync_target *t = f->targets;

    while (t != NULL && !slice_is(url, t->url))
        t = t->next;
    return t;
}

static struct isync_target *by_link(const struct isync_face *f, uint64_t link)
{
    struct isync_target *t = f->targets;

    while (t != NULL && (t->link != link || link == 0))
        t = t->next;
    return t;
}

static struct isync_target *add(struct isync_face *f, struct slice url)
{
    struct isync_target **at = &f->targets, *t = target_of(f, url);

    if (t != NULL)
        return t;
    t = calloc(1, sizeof *t + url.len + 1);
    if (t == NULL)
        return NULL;
    memcpy(t->url, url.ptr, url.len);
    while (*at != NULL)
        at = &(*at)->next;
    *at = t;
    return t;
}

static void say(struct isync_target *t, const char *why)
{
    (void)snprintf(t->why, sizeof t->why, "%.*s",
        SLICE_FMT(utf8_cut(slice_str(why), sizeof t->why - 1)));
}

static void note(
    struct isync_face *f, struct isync_target *t, enum isync_deed deed)
{
    isync_repute_note(f->repute, slice_str(t->url), deed,
        deed == ISYNC_DEED_ANSWERED ? clock_mono_us() - t->began_us : 0,
        clock_wall_us());
    isync_kept_dirty(f);
}

static bool is_self(const struct isync_target *t)
{
    return t->self_until_us > clock_mono_us();
}

/* ---- who is to be called ---- */

static bool may_be_named(const struct isync_target *t)
{
    return (t->is_named || t->is_added) && !is_self(t) && !t->is_wanted;
}

/* Who is connected stays; of the others those that were named, by what is known
 * of them, so that who is gone for ever takes nobody's place. */
static size_t want_named(struct isync_face *f, size_t most)
{
    struct isync_peer *named;
    size_t n = 0, named_n = 0;

    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        if (t->is_up && n < most) {
            t->is_wanted = true;
            n++;
        }
    for (const struct isync_target *t = f->targets; t != NULL; t = t->next)
        named_n += may_be_named(t);
    named = named_n > 0 ? calloc(named_n, sizeof *named) : NULL;
    if (named == NULL)
        return n;
    named_n = 0;
    for (const struct isync_target *t = f->targets; t != NULL; t = t->next)
        if (may_be_named(t))
            named[named_n++].url = slice_str(t->url);
    isync_rank(named, named_n, f->repute, clock_wall_us());
    for (size_t i = 0; i < named_n && n < most; i++, n++)
        target_of(f, named[i].url)->is_wanted = true;
    free(named);
    return n;
}

/* A list from elsewhere has us call nothing of this machine: neither by what a
 * URL says, nor by what its name means when it is called. */
static bool is_strange(const struct isync_face *f, const struct isync_target *t)
{
    return !t->is_named && !t->is_added && f->discovery_url != NULL &&
        !isync_url_is_here(f->discovery_url);
}

static void want_listed(struct isync_face *f, size_t most)
{
    struct isync_peer chosen[ISYNC_URLS_MAX];
    struct errmsg why;
    size_t n = most, taken = 0;

    if (most == 0 || f->list == NULL)
        return;
    for (const struct isync_target *t = f->targets; t != NULL; t = t->next)
        n += t->is_wanted || is_self(t); /* may be on the list, too */
    n = isync_choose(chosen, n < ISYNC_URLS_MAX ? n : ISYNC_URLS_MAX, f->list,
        f->repute, clock_wall_us());
    for (size_t i = 0; i < n && taken < most; i++) {
        struct isync_target *t;
        char url[ISYNC_URL_MAX + 1];

        if (chosen[i].url.len >= sizeof url)
            continue;
        (void)snprintf(url, sizeof url, "%.*s", SLICE_FMT(chosen[i].url));
        if (isync_url_check(url, &why) != SYNCLINE_OK ||
            (isync_url_is_here(url) && !isync_url_is_here(f->discovery_url)))
            continue;
        t = add(f, slice_str(url));
        if (t != NULL)
            t->is_listed = true;
        if (t == NULL || t->is_wanted || is_self(t))
            continue;
        t->is_wanted = true;
        taken++;
    }
}

static void hang_up(struct isync_face *f, struct isync_target *t)
{
    if (t->link == 0 || isync_links_has(f, t->link))
        return; /* who is connected stays */
    isync_conns_hang_up(f->conns, t->link);
    t->link = 0;
}

static void call(struct isync_face *f, struct isync_target *t)
{
    struct errmsg why = { "" };

    if (isync_conns_dial(f->conns, t->url, ISYNC_UPGRADE, &t->link, &why) !=
        SYNCLINE_OK) {
        t->link = 0;
        say(t, why.text);
    }
}

static void choose(struct isync_face *f)
{
    const size_t most = f->is_off ? 0 : f->opt.tuning.max_peers;
    size_t n;

    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        t->is_wanted = false;
    n = want_named(f, most);
    want_listed(f, most - n);
    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        if (!t->is_wanted)
            hang_up(f, t);
    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        if (t->is_wanted && t->link == 0 && t->again_us <= clock_mono_us())
            call(f, t);
    for (const struct isync_target *t = f->targets; t != NULL; t = t->next)
        if (t->link != 0)
            isync_conns_guard(f->conns, t->link, is_strange(f, t));
}

/* ---- the list ---- */

static bool is_in_list(const struct isync_face *f, const char *url)
{
    for (const struct json *v = f->list->first; v != NULL; v = v->next)
        if (slice_is(json_get_str(v, "url"), url))
            return true;
    return false;
}

static void on_list(void *ctx, struct slice body, const char *why)
{
    struct isync_face *f = ctx;
    struct json *v = NULL;
    struct errmsg what = { "" };

    f->fetch = NULL;
    arena_free(&f->list_arena);
    f->list = NULL;
    if (why == NULL) {
        const struct slice text = arena_dup(&f->list_arena, body);

        if (json_parse(&v, text, JSON_TOLERANT, &f->list_arena, &what) !=
            SYNCLINE_OK)
            why = what.text;
        else if (v->type != JSON_ARRAY)
            why = "it is no list";
    }
    if (why == NULL) {
        f->list = v;
        f->fetched_us = clock_wall_us();
        f->fetch_why[0] = 0;
        for (struct isync_target *t = f->targets; t != NULL; t = t->next)
            t->is_listed = is_in_list(f, t->url);
    } else if (strncmp(f->fetch_why, why, sizeof f->fetch_why - 1) != 0) {
        log_line(&f->log, LOG_LEVEL_WARN, "isync",
            "the list of nodes at %s cannot be had: %s", f->discovery_url, why);
        (void)snprintf(f->fetch_why, sizeof f->fetch_why, "%s", why);
    }
    f->fetch_us =
        clock_mono_us() + (f->list != NULL ? FETCH_US : FETCH_AGAIN_US);
    f->look_us = 0;
    isync_face_arm(f);
}

static void fetch_list(struct isync_face *f)
{
    const struct fetch_options opt = { .loop = f->opt.loop,
        .url = f->discovery_url,
        .agent = "Syncline/" SYNCLINE_VERSION,
        .roots = f->roots,
        .max = FETCH_BYTES,
        .timeout_ms = FETCH_MS,
        .done = on_list,
        .ctx = f };

    if (f->discovery_url == NULL || f->fetch != NULL || f->is_stopping)
        return;
    f->fetch_us = clock_mono_us() + FETCH_AGAIN_US;
    if (fetch_start(&f->fetch, &opt) != SYNCLINE_OK)
        f->fetch = NULL;
}

void isync_peers_list(struct isync_face *f, const char *url)
{
    const char *was = f->discovery_url != NULL ? f->discovery_url : "";
    char *copy = url != NULL ? strdup(url) : NULL;

    if (strcmp(was, copy != NULL ? copy : "") == 0) {
        free(copy);
        return;
    }
    fetch_cancel(f->fetch);
    f->fetch = NULL;
    arena_free(&f->list_arena);
    f->list = NULL;
    f->fetched_us = f->fetch_us = 0;
    f->fetch_why[0] = 0;
    free(f->discovery_url);
    f->discovery_url = copy;
    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        t->is_listed = false;
}

/* ---- what becomes of them ---- */

/* Each time that it is called in vain. */
void isync_peers_failed(struct isync_face *f, uint64_t link, const char *why)
{
    struct isync_target *t = by_link(f, link);

    if (t == NULL || is_self(t))
        return;
    if (!slice_is(utf8_cut(slice_str(why), sizeof t->why - 1), t->why))
        log_line(&f->log, LOG_LEVEL_WARN, "isync", "%s: %s", t->url, why);
    say(t, why);
    note(f, t, ISYNC_DEED_FAILED);
    isync_face_arm(f);
}

void isync_peers_answered(
    struct isync_face *f, uint64_t link, uint64_t began_us)
{
    struct isync_target *t = by_link(f, link);

    if (t != NULL)
        t->began_us = began_us;
}

void isync_peers_came(struct isync_face *f, uint64_t link)
{
    struct isync_target *t = by_link(f, link);

    if (t == NULL)
        return;
    t->is_up = true;
    t->why[0] = 0;
    (void)snprintf(
        t->node, sizeof t->node, "%s", isync_mesh_node_of(f->mesh, link));
    note(f, t, ISYNC_DEED_ANSWERED);
}

void isync_peers_went(
    struct isync_face *f, uint64_t link, bool hung_up, const char *why)
{
    struct isync_target *t = by_link(f, link);

    if (t == NULL)
        return;
    t->is_up = false;
    say(t, why);
    if (why[0] != 0)
        note(f, t, ISYNC_DEED_FAILED);
    if (hung_up) {
        t->link = 0;
        t->again_us =
            why[0] != 0 ? clock_mono_us() + f->opt.tuning.dial_max_us : 0;
    }
    f->look_us = 0;
}

void isync_peers_violated(struct isync_face *f, uint64_t link)
{
    struct isync_target *t = by_link(f, link);

    if (t != NULL)
        note(f, t, ISYNC_DEED_VIOLATED);
}

void isync_peers_is_self(struct isync_face *f, uint64_t link)
{
    struct isync_target *t = by_link(f, link);

    if (t != NULL && !PLANTED(R36_ISYNC_SELF))
        t->self_until_us = clock_mono_us() + OURSELVES_US;
}

void isync_peers_found_self(struct isync_face *f, uint64_t link)
{
    static const char why[] = "it is ourselves";
    struct isync_target *t = by_link(f, link);

    if (t == NULL)
        return;
    if (strcmp(t->why, why) != 0)
        log_line(&f->log, LOG_LEVEL_INFO, "isync", "%s: %s", t->url, why);
    say(t, why);
    isync_peers_is_self(f, link);
    f->look_us = 0;
    isync_face_arm(f);
}

int isync_peers_add(struct isync_face *f, struct slice url, struct errmsg *why)
{
    struct isync_target *t;
    char text[ISYNC_URL_MAX + 1];
    size_t n = 0;
    int rc = SYNCLINE_OK;

    if (url.len >= sizeof text ||
        memchr(url.len ? url.ptr : (const void *)"", 0, url.len) != NULL)
        return errmsg_set(why, SYNCLINE_EINVAL, "no URL is so long");
    (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(url));
    /* Not said again, nor logged: there may be a password in it. */
    if (isync_url_check(text, NULL) != SYNCLINE_OK)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "no URL of an iSync node; write http://name:5342");
    for (t = f->targets; t != NULL; t = t->next)
        n += t->is_added;
    if (n >= ISYNC_URLS_MAX)
        rc = errmsg_set(
            why, SYNCLINE_ELIMIT, "%d nodes are saved already", ISYNC_URLS_MAX);
    if (rc != SYNCLINE_OK)
        return rc;
    t = add(f, url);
    if (t == NULL)
        return SYNCLINE_ENOMEM;
    t->is_added = true;
    f->look_us = 0;
    isync_kept_dirty(f);
    f->save_us = 0; /* whoever asked for it is told that it is so */
    isync_face_arm(f);
    return SYNCLINE_OK;
}

void isync_peers_forget(struct isync_face *f)
{
    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        t->is_added = false;
    f->look_us = 0;
    isync_kept_dirty(f);
}

int isync_peers_remove(
    struct isync_face *f, struct slice url, struct errmsg *why)
{
    struct isync_target *t = target_of(f, url);

    if (t != NULL && t->is_named)
        return errmsg_set(
            why, SYNCLINE_EDENIED, "isync.peers names it: take it out there");
    if (t == NULL || !t->is_added)
        return errmsg_set(why, SYNCLINE_ENOTFOUND,
            "no node was saved by that URL; `syncline isync` lists them");
    t->is_added = false;
    isync_peers_prune(f);
    f->look_us = 0;
    isync_kept_dirty(f);
    f->save_us = 0;
    isync_face_arm(f);
    return SYNCLINE_OK;
}

void isync_peers_name(struct isync_face *f, const char *const *urls, size_t n)
{
    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        t->is_named = false;
    for (size_t i = 0; i < n; i++) {
        struct isync_target *t = isync_url_check(urls[i], NULL) == SYNCLINE_OK
            ? add(f, slice_str(urls[i]))
            : NULL;

        if (t != NULL)
            t->is_named = true;
        else
            log_line(&f->log, LOG_LEVEL_WARN, "isync",
                "number %zu of isync.peers is no URL of an iSync node", i + 1);
    }
}

void isync_peers_hurry(struct isync_face *f)
{
    const uint64_t last_us = clock_mono_us() + f->opt.tuning.dial_max_us;

    for (struct isync_target *t = f->targets; t != NULL; t = t->next)
        if (t->again_us > last_us)
            t->again_us = last_us;
}

void isync_peers_prune(struct isync_face *f)
{
    struct isync_target **at = &f->targets;

    while (*at != NULL) {
        struct isync_target *t = *at;
        const uint64_t link = t->link;

        if (PLANTED(R30_ISYNC_LISTS) || t->is_named || t->is_added ||
            t->is_listed) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        free(t);
        if (link != 0 && isync_links_has(f, link))
            isync_links_drop_one(f, link);
        else if (link != 0)
            isync_conns_hang_up(f->conns, link);
    }
}

/* ---- beginning and end ---- */

void isync_peers_begin(struct isync_face *f)
{
    f->look_us = 0;
    fetch_list(f);
    isync_face_arm(f);
}

uint64_t isync_peers_tick(struct isync_face *f, uint64_t now_us)
{
    if (!f->is_live)
        return 0;
    if (f->look_us <= now_us) {
        choose(f);
        f->look_us = now_us + LOOK_US;
    }
    if (f->discovery_url != NULL && f->fetch == NULL && f->fetch_us <= now_us)
        fetch_list(f);
    if (f->targets == NULL)
        return f->discovery_url != NULL && f->fetch == NULL ? f->fetch_us : 0;
    return f->look_us;
}

void isync_peers_close(struct isync_face *f)
{
    fetch_cancel(f->fetch);
    f->fetch = NULL;
    arena_free(&f->list_arena);
    f->list = NULL;
    while (f->targets != NULL) {
        struct isync_target *next = f->targets->next;

        free(f->targets);
        f->targets = next;
    }
}

/* ---- what is told and kept of them ---- */

void isync_peers_put(const struct isync_face *f, struct buf *b)
{
    const char *between = "";

    for (const struct isync_target *t = f->targets; t != NULL; t = t->next) {
        const struct isync_standing s =
            isync_repute_of(f->repute, slice_str(t->url), clock_wall_us());

        buf_printf(b, "%s{\"url\":", between);
        between = ",";
        json_print_string(b, slice_str(t->url), false);
        buf_printf(b, ",\"state\":\"%s\",\"from\":\"%s\",\"node_id\":",
            is_self(t)         ? "ourselves"
                : t->is_up     ? "connected"
                : t->link != 0 ? "calling"
                               : "waiting",
            t->is_named       ? "options"
                : t->is_added ? "saved"
                              : "list");
        json_print_said(b, slice_str(t->node));
        buf_printf(b,
            ",\"failures\":%.2f,\"violations\":%.2f,\"latency_us\":%llu,"
            "\"trouble\":",
            s.failures, s.violations, (unsigned long long)s.latency_us);
        if (t->is_up && f->can_seal && isync_mesh_is_unread(f->mesh, t->link))
            buf_put_str(b, "\"what it says cannot be read: another token\"");
        else if (t->is_up || t->why[0] == 0)
            buf_put_str(b, "null");
        else
            json_print_said(b, slice_str(t->why));
        buf_put_u8(b, '}');
    }
}

void isync_peers_save(const struct isync_face *f, struct buf *b)
{
    const char *between = "";

    for (const struct isync_target *t = f->targets; t != NULL; t = t->next)
        if (t->is_added) {
            buf_put_str(b, between);
            between = ",";
            json_print_string(b, slice_str(t->url), false);
        }
}

void isync_peers_load(struct isync_face *f, const struct json *v)
{
    const struct json *e = v != NULL && v->type == JSON_ARRAY ? v->first : NULL;

    for (; e != NULL; e = e->next)
        if (e->type == JSON_STRING) {
            struct isync_target *t = add(f, e->s);

            if (t != NULL)
                t->is_added = true;
        }
}
