#include "app/isync/isync_face.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/answer.h"
#include "app/isync/isync_face_impl.h"

static void on_tick(uv_timer_t *t);

/* ---- time ---- */

struct isync_time isync_now(void)
{
    return (struct isync_time){ clock_wall_us(), clock_mono_us() };
}

static void arm_in(struct isync_face *f, uint64_t us)
{
    if (!uv_is_closing((uv_handle_t *)&f->tick))
        (void)uv_timer_start(&f->tick, on_tick, (us + 999) / 1000, 0);
}

/* The next tick finds out when it is needed again. */
void isync_face_arm(struct isync_face *f)
{
    if (f->has_tick && !f->is_stopping)
        arm_in(f, 0);
}

static void on_tick(uv_timer_t *t)
{
    struct isync_face *f = t->data;
    const struct isync_time now = isync_now();
    uint64_t next;

    if (f->is_stopping)
        return;
    (void)uv_timer_stop(t);
    next = isync_links_tick(f, now.mono_us);
    isync_mesh_tick(f->mesh, now);
    next = isync_least(next, isync_space_tick(f, now.mono_us));
    next = isync_least(next, isync_peers_tick(f, now.mono_us));
    next = isync_least(next, isync_secret_tick(f, now.mono_us));
    next = isync_least(next, isync_kept_tick(f, now.mono_us));
    next = isync_least(next, isync_mesh_deadline(f->mesh));
    if (next != 0 && !uv_is_active((uv_handle_t *)t))
        arm_in(f, next > now.mono_us ? next - now.mono_us : 1);
}

/* ---- beginning and end ---- */

static char *copy(const char *s, bool *ok)
{
    char *out = s != NULL ? strdup(s) : NULL;

    *ok = *ok && (s == NULL || out != NULL);
    return out;
}

static bool keep_texts(
    struct isync_face *f, const struct isync_face_options *opt)
{
    bool ok = true;

    f->dir = copy(opt->dir, &ok);
    f->space = copy(opt->space, &ok);
    f->token = copy(opt->token, &ok);
    f->token_file = copy(opt->token_file, &ok);
    f->roots = copy(opt->roots, &ok);
    for (size_t i = 0; i < opt->tuning.hosts_n; i++)
        f->hosts[i] = copy(opt->tuning.hosts[i], &ok);
    for (size_t i = 0; i < opt->tuning.patterns_n; i++)
        f->patterns[i] = copy(opt->tuning.patterns[i], &ok);
    return ok;
}

/* Peers are in targets, the rest in the face or its connections. */
static void forget_lent(struct isync_tuning *t)
{
    t->peers = t->hosts = t->patterns = NULL;
    t->admit = NULL;
    t->listen = NULL;
    t->discovery_url = NULL;
}

static int keep(struct isync_face *f, const struct isync_face_options *opt)
{
    if (opt->tuning.listen_n > ISYNC_LISTEN_MAX ||
        opt->tuning.admit_n > OPTIONS_ADMIT_MAX ||
        opt->tuning.hosts_n > OPTIONS_HOSTS_MAX ||
        opt->tuning.patterns_n > OPTIONS_INSTANCES_MAX)
        return SYNCLINE_ELIMIT;
    f->opt = *opt;
    forget_lent(&f->opt.tuning);
    f->log = opt->log;
    f->heard_fd = -1;
    f->listen_n = opt->tuning.listen_n;
    for (size_t i = 0; i < f->listen_n; i++)
        f->listen[i] = opt->tuning.listen[i];
    for (size_t i = 0; i < opt->tuning.admit_n; i++)
        f->admit[i] = opt->tuning.admit[i];
    (void)snprintf(f->node_id, sizeof f->node_id, "%s",
        opt->node_id != NULL ? opt->node_id : "");
    if (!keep_texts(f, opt))
        return SYNCLINE_ENOMEM;
    isync_peers_name(f, opt->tuning.peers, opt->tuning.peers_n);
    isync_peers_list(f, opt->tuning.discovery_url);
    return isync_repute_new(&f->repute);
}

static void isync_face_free(struct isync_face *f)
{
    if (f == NULL)
        return;
    isync_peers_close(f);
    isync_links_close(f);
    isync_space_close(f);
    isync_kept_close(f);
    isync_secret_close(f);
    isync_mesh_free(f->mesh);
    isync_repute_free(f->repute);
    for (size_t i = 0; i < OPTIONS_HOSTS_MAX; i++)
        free(f->hosts[i]);
    for (size_t i = 0; i < OPTIONS_INSTANCES_MAX; i++)
        free(f->patterns[i]);
    if (f->token != NULL)
        crypto_wipe(f->token, strlen(f->token));
    free(f->token);
    buf_free(&f->note);
    free(f->dir);
    free(f->space);
    free(f->token_file);
    free(f->discovery_url);
    free(f->roots);
    free(f);
}

int isync_face_new(
    struct isync_face **out, const struct isync_face_options *opt)
{
    struct isync_face *f = calloc(1, sizeof *f);
    int rc;

    if (f == NULL)
        return SYNCLINE_ENOMEM;
    rc = keep(f, opt);
    if (rc != SYNCLINE_OK) {
        isync_face_free(f);
        return rc;
    }
    rc = crypto_random(f->queue.secret, sizeof f->queue.secret);
    if (rc != SYNCLINE_OK) {
        isync_face_free(f);
        return rc;
    }
    *out = f;
    return SYNCLINE_OK;
}

struct hub_socketio_port isync_face_hub(struct isync_face *f)
{
    if (f == NULL)
        return (struct hub_socketio_port){ .ctx = NULL };
    return isync_conns_hub(&f->conns, slice_str(f->space));
}

/* As the older ones are called: with a dash. */
static void name_ourselves(struct isync_face *f)
{
    if (f->node_id[0] == 0) {
        engine_short_name(f->engine, f->node_id, sizeof f->node_id);
        for (char *p = f->node_id; *p != 0; p++)
            if (*p == '_')
                *p = '-';
    }
}

static int make_mesh(struct isync_face *f)
{
    const struct isync_mesh_options opt = { .port = isync_links_port(f),
        .node = f->node_id,
        .rules = { (const char *const *)f->patterns, f->opt.tuning.patterns_n },
        .interval_us = f->opt.tuning.interval_us,
        .is_clear = f->opt.tuning.is_clear,
        .refuses_clear = !f->opt.tuning.is_clear };

    return isync_mesh_new(&f->mesh, &opt);
}

static void tell_token(const struct isync_face *f)
{
    if (!f->can_seal && !f->opt.tuning.is_clear)
        log_line(&f->log, LOG_LEVEL_WARN, "isync",
            "there is no token, and isync.clear is false: what others say is "
            "kept and passed on, sealed as it is, and nothing of ours is said");
}

/* What is shared no more is as if it had never been: to remove it here removes
 * it nowhere else, and what was told of it meanwhile was not heard. */
static void forget_unshared(struct isync_face *f)
{
    for (struct omap_node *n = omap_first(&f->fields); n != NULL;
         n = omap_next(n))
        if (!isync_mesh_takes(f->mesh, n->key, NULL, NULL))
            isync_field_set(
                n, 0, ISYNC_APPLIED | ISYNC_PENDING | ISYNC_REFUSED);
    isync_kept_dirty(f);
}

int isync_face_start(struct isync_face *f, struct engine *e, struct errmsg *why)
{
    struct netaddr listen[ISYNC_LISTEN_MAX];
    const size_t listen_n = f->listen_n;
    int rc;

    memcpy(listen, f->listen, sizeof listen);
    f->engine = e;
    name_ourselves(f);
    rc = make_mesh(f);
    if (rc == SYNCLINE_OK)
        rc = isync_secret_read(f, why);
    if (rc == SYNCLINE_OK)
        rc = isync_kept_open(f, why);
    if (rc == SYNCLINE_OK)
        forget_unshared(f); /* by patterns that were changed meanwhile */
    if (rc == SYNCLINE_OK && uv_timer_init(f->opt.loop, &f->tick) == 0)
        f->has_tick = true;
    f->tick.data = f;
    if (rc == SYNCLINE_OK)
        rc = isync_links_make(f, why);
    if (rc == SYNCLINE_OK)
        rc = isync_links_serve(f, listen, listen_n, why);
    if (rc != SYNCLINE_OK)
        return rc;
    isync_secret_turn(f);
    tell_token(f);
    isync_space_begin(f);
    isync_face_arm(f);
    return SYNCLINE_OK;
}

static bool is_same_list(
    char *const *a, size_t a_n, const char *const *b, size_t b_n)
{
    bool same = a_n == b_n;

    for (size_t i = 0; i < a_n && same; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

/* What other patterns share is told, and taken, from now on. */
static int set_patterns(
    struct isync_face *f, const struct isync_tuning *t, size_t was_n)
{
    const struct isync_rules rules = { t->patterns, t->patterns_n };
    char *copies[OPTIONS_INSTANCES_MAX] = { NULL };
    bool ok = true;
    int rc = SYNCLINE_ENOMEM;

    if (is_same_list(f->patterns, was_n, t->patterns, t->patterns_n))
        return SYNCLINE_OK;
    for (size_t i = 0; i < t->patterns_n; i++)
        copies[i] = copy(t->patterns[i], &ok);
    if (ok)
        rc = isync_mesh_set_rules(f->mesh, &rules);
    for (size_t i = 0; i < OPTIONS_INSTANCES_MAX; i++) {
        free(rc == SYNCLINE_OK ? f->patterns[i] : copies[i]);
        if (rc == SYNCLINE_OK)
            f->patterns[i] = copies[i];
    }
    if (rc == SYNCLINE_OK) {
        forget_unshared(f);
        isync_space_look(f);
    } else {
        f->opt.tuning.patterns_n = was_n;
    }
    return rc;
}

int isync_face_tune(
    struct isync_face *f, const struct isync_tuning *t, struct errmsg *why)
{
    const struct isync_conns_tuning conns = { t->admit, t->admit_n, t->hosts,
        t->hosts_n, t->dial_max_us };
    struct errmsg token_why = { "" };
    struct isync_tuning was;
    int rc;

    if (f == NULL || f->conns == NULL || f->is_stopping)
        return SYNCLINE_OK;
    was = f->opt.tuning;
    f->opt.tuning = *t;
    forget_lent(&f->opt.tuning);
    if (isync_conns_tune(f->conns, &conns) != SYNCLINE_OK)
        log_line(&f->log, LOG_LEVEL_ERROR, "isync",
            "memory ran out: isync.admit, hosts and dial_max are as before");
    isync_peers_hurry(f);
    isync_mesh_set_interval(f->mesh, t->interval_us, isync_now());
    isync_mesh_set_clear(f->mesh, t->is_clear, !t->is_clear);
    isync_peers_name(f, t->peers, t->peers_n);
    isync_peers_list(f, t->discovery_url);
    isync_peers_prune(f);
    if (isync_secret_read(f, &token_why) != SYNCLINE_OK)
        log_line(&f->log, LOG_LEVEL_ERROR, "isync", "%s", token_why.text);
    isync_secret_turn(f);
    if (was.is_clear != t->is_clear) {
        tell_token(f);
        isync_mesh_push(f->mesh, isync_now());
    }
    f->look_us = 0;
    rc = isync_links_serve(f, t->listen, t->listen_n, why);
    if (set_patterns(f, t, was.patterns_n) != SYNCLINE_OK && rc == SYNCLINE_OK)
        rc = errmsg_set(why, SYNCLINE_ENOMEM,
            "memory ran out: isync.patterns is as it was");
    isync_face_arm(f);
    return rc;
}

void isync_face_stop(struct isync_face *f)
{
    if (f->is_stopping || f->mesh == NULL)
        return;
    f->is_stopping = true;
    if (f->conns != NULL)
        isync_conns_stop(f->conns);
}

static void on_tick_closed(uv_handle_t *h)
{
    isync_face_free(h->data);
}

void isync_face_close(struct isync_face *f)
{
    if (f == NULL)
        return;
    f->is_stopping = true;
    f->engine = NULL;
    isync_kept_end(f);
    isync_conns_close(f->conns);
    f->conns = NULL;
    isync_peers_close(f);
    if (f->has_tick)
        uv_close((uv_handle_t *)&f->tick, on_tick_closed);
    else
        isync_face_free(f);
}
