#include "app/config/config_face.h"

#include "app/config/config_face_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define AGAIN_US UINT64_C(1000000) /* for a space that is not there yet */
#define SAID_US UINT64_C(10000000)
#define FACE_NAME "configsync"

static void on_tick(uv_timer_t *t);

struct config_time face_now(void)
{
    return (struct config_time){ clock_wall_us(), clock_mono_us() };
}

/* ---- the item, written ---- */

static int code_of(struct slice code)
{
    if (slice_is(code, "ECONFLICT"))
        return SYNCLINE_ECONFLICT;
    return slice_is(code, "ECLOSED") ? SYNCLINE_ECLOSED : SYNCLINE_EINVAL;
}

static void on_written(void *ctx, struct slice answer, bool more)
{
    struct config_face *f = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;
    struct errmsg why = { "the node gave no answer" };
    int rc = json_parse(&v, answer, JSON_STRICT, &a, NULL);

    (void)more;
    if (rc == SYNCLINE_OK && !json_get_bool(v, "ok", false)) {
        rc = code_of(json_get_str(v, "code"));
        errmsg_set(&why, 0, "%.*s", SLICE_FMT(json_get_str(v, "error")));
    }
    /* Who stops does not hear what has become of it: it is no refusal. */
    if (v == NULL || !slice_is(json_get_str(v, "code"), "ECLOSED"))
        config_sync_written(f->sync, rc, why.text, face_now());
    arena_free(&a);
    face_arm(f);
}

static void put_write(
    const struct config_face *f, struct buf *b, const struct config_write *w)
{
    buf_put_str(b, "{\"op\":\"put\",\"space\":");
    json_print_string(b, slice_str(f->space), false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, slice_str(f->key), false);
    buf_put_str(b, ",\"as\":{\"face\":\"" FACE_NAME "\",\"node\":");
    json_print_string(b, w->instance, false);
    buf_printf(b, ",\"time\":%llu},\"value\":",
        (unsigned long long)(w->time_us < INT64_MAX ? w->time_us : INT64_MAX));
    json_print(b, w->config, JSON_CANONICAL);
    buf_put_u8(b, '}');
}

/* What was read tolerantly is read strictly once more. */
static void on_write(void *ctx, const struct config_write *w)
{
    struct config_face *f = ctx;
    struct errmsg why = { "memory ran out" };
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *args = NULL;
    int rc;

    put_write(f, &b, w);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = json_parse(&args, buf_slice(&b), JSON_WRAPPED, &a, &why);
    if (rc != SYNCLINE_OK ||
        engine_request(f->engine, args, NULL, on_written, f) == 0) {
        config_sync_written(f->sync, rc != SYNCLINE_OK ? rc : SYNCLINE_ENOMEM,
            why.text, face_now());
    }
    arena_free(&a);
    buf_free(&b);
}

/* ---- the item, watched ---- */

static void on_event(struct config_face *f, const struct json *v)
{
    const struct json *value = json_get(v, "value");
    int64_t time_us = json_get_int(v, "time", 0);

    if (!slice_is(json_get_str(v, "key"), f->key))
        return;
    if (config_sync_stands(f->sync, value, time_us > 0 ? (uint64_t)time_us : 0,
            face_now()) != SYNCLINE_OK)
        log_line(&f->log, LOG_LEVEL_ERROR, "configsync",
            "memory ran out: instances are not told of a change");
}

static void on_watch(void *ctx, struct slice answer, bool more)
{
    struct config_face *f = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;

    if (json_parse(&v, answer, JSON_WRAPPED, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    if (json_get_bool(v, "live", false))
        f->is_live = true;
    if (more && json_get(v, "key") != NULL)
        on_event(f, v);
    if (!more) { /* the space is not there, or went */
        struct slice why = json_get_str(v, "error");

        f->watch = 0;
        f->watch_again_us = clock_mono_us() + AGAIN_US;
        if (!f->is_stopping && !slice_is(json_get_str(v, "code"), "ECLOSED"))
            log_line(&f->log, LOG_LEVEL_WARN, "configsync",
                "%s/%s cannot be watched: %.*s", f->space, f->key,
                SLICE_FMT(why));
    }
    arena_free(&a);
    face_arm(f);
}

static void begin_watch(struct config_face *f)
{
    struct arena a = { 0 };
    struct json *args = json_new(&a, JSON_OBJECT);

    json_add(args, SLICE_LIT("op"), json_new_str(&a, SLICE_LIT("watch")));
    json_add(args, SLICE_LIT("space"), json_new_str(&a, slice_str(f->space)));
    json_add(args, SLICE_LIT("prefix"), json_new_str(&a, slice_str(f->key)));
    json_add(args, SLICE_LIT("from"), json_new_str(&a, SLICE_LIT("start")));
    f->watch_again_us = 0;
    f->watch =
        args == NULL ? 0 : engine_request(f->engine, args, NULL, on_watch, f);
    if (f->watch == 0)
        f->watch_again_us = clock_mono_us() + AGAIN_US;
    arena_free(&a);
}

/* ---- the port of sync.h ---- */

static void on_send(void *ctx, uint64_t link, struct slice text)
{
    struct config_face *f = ctx;

    if (!callers_send(f, link, text) && !guests_send(f, link, text))
        (void)peers_send(f, link, text);
}

/* Whoever sends what is no message is not to fill the log. */
static void on_log(void *ctx, enum log_level level, const char *text)
{
    struct config_face *f = ctx;
    uint64_t now_us = clock_mono_us();

    if (level != LOG_LEVEL_INFO || now_us - f->said_us >= SAID_US)
        log_line(&f->log, level, "configsync", "%s", text);
    if (level == LOG_LEVEL_INFO)
        f->said_us = now_us;
}

/* ---- time ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Milliseconds from now on. */
static uint64_t ms_until(uint64_t at_us, uint64_t now_us)
{
    return at_us > now_us ? (at_us - now_us + 999) / 1000 : 0;
}

static void arm_in(struct config_face *f, uint64_t ms)
{
    if (!uv_is_closing((uv_handle_t *)&f->tick))
        (void)uv_timer_start(&f->tick, on_tick, ms, 0);
}

/* The next tick finds out when it is needed again. */
void face_arm(struct config_face *f)
{
    if (f->has_tick && !f->is_stopping)
        arm_in(f, 0);
}

static void on_tick(uv_timer_t *t)
{
    struct config_face *f = t->data;
    const struct config_time now = face_now();
    const uint64_t now_ms = now.mono_us / 1000;
    uint64_t next, sync_us;

    if (f->is_stopping)
        return;
    if (f->watch_again_us != 0 && f->watch_again_us <= now.mono_us)
        begin_watch(f);
    config_sync_tick(f->sync, now);
    next = callers_tick(f, now_ms);
    if (f->is_live)
        next = least(next, peers_tick(f, now_ms));
    next = least(next, f->watch_again_us / 1000);
    sync_us = config_sync_deadline(f->sync);
    if (sync_us != 0)
        next = least(next, now_ms + ms_until(sync_us, now.mono_us));
    if (next != 0)
        arm_in(f, next > now_ms ? next - now_ms : 1);
    else
        (void)uv_timer_stop(&f->tick);
}

/* ---- what it tells of itself ---- */

static void put_status(const struct config_face *f, struct buf *b)
{
    const struct config_sync_counts *n = config_sync_counts(f->sync);
    const char *trouble = config_sync_trouble(f->sync);

    buf_printf(b, "\"running\":%s,\"instance_id\":",
        f->engine != NULL && !f->is_stopping ? "true" : "false");
    json_print_string(b, slice_str(f->instance), false);
    buf_printf(b, ",\"server_enabled\":%s,\"server_port\":",
        f->opt.serves ? "true" : "false");
    if (f->opt.serves && f->opt.listen_n > 0)
        buf_printf(b, "%u", f->listen[0].port);
    else
        buf_put_str(b, "null");
    buf_printf(b, ",\"peer_count\":%zu,\"peer_urls\":[", f->opt.peers_n);
    peers_put(f, b, true);
    buf_put_str(b, "],\"last_sync_time\":");
    message_put_time(b, config_sync_last_us(f->sync));
    buf_printf(b, ",\"config_versions\":%zu",
        engine_versions_n(f->engine, slice_str(f->space), slice_str(f->key)));
    buf_put_str(b, ",\"space\":");
    json_print_string(b, slice_str(f->space), false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, slice_str(f->key), false);
    buf_printf(b, ",\"config_hash\":\"%s\",\"callers\":%zu,\"peers\":[",
        config_sync_hash(f->sync), callers_n(f));
    peers_put(f, b, false);
    buf_printf(b,
        "],\"messages\":{\"taken\":%llu,\"dropped\":%llu,\"relayed\":%llu,"
        "\"sent\":%llu},\"updates\":{\"applied\":%llu,\"older\":%llu,"
        "\"same\":%llu,\"refused\":%llu},",
        (unsigned long long)n->taken, (unsigned long long)n->dropped,
        (unsigned long long)n->relayed, (unsigned long long)n->sent,
        (unsigned long long)n->applied, (unsigned long long)n->older,
        (unsigned long long)n->same, (unsigned long long)n->refused);
    buf_printf(b,
        "\"turned_away\":{\"network\":%llu,\"page\":%llu,\"rate\":%llu},"
        "\"trouble\":",
        (unsigned long long)f->counts.refused_network,
        (unsigned long long)f->counts.refused_origin,
        (unsigned long long)f->counts.refused_rate);
    if (trouble[0] != 0)
        json_print_said(b, slice_str(trouble));
    else
        buf_put_str(b, "null");
}

void config_face_put_status(const struct config_face *f, struct buf *b)
{
    if (f == NULL)
        return;
    buf_put_str(b, "\"configsync\":{");
    put_status(f, b);
    buf_put_str(b, "},");
}

bool config_face_answer(
    struct config_face *f, const struct json *request, struct buf *out)
{
    struct slice op = json_get_str(request, "op");

    if (!slice_is(op, "configsync") && !slice_is(op, "configsync_force"))
        return false;
    if (slice_is(op, "configsync_force")) {
        config_sync_force(f->sync, face_now());
        face_arm(f);
    }
    buf_put_str(out, "{\"ok\":true,");
    put_status(f, out);
    buf_put_u8(out, '}');
    return true;
}

/* ---- beginning and end ---- */

static int keep(struct config_face *f, const struct config_face_options *opt)
{
    if (opt->listen_n > FACE_LISTEN_MAX || opt->admit_n > FACE_ADMIT_MAX ||
        opt->peers_n > FACE_PEERS_MAX)
        return SYNCLINE_ELIMIT;
    f->opt = *opt;
    f->log = opt->log;
    f->space = strdup(opt->space);
    f->key = strdup(opt->key);
    if (opt->roots != NULL)
        f->roots_file = strdup(opt->roots);
    if (f->space == NULL || f->key == NULL ||
        (opt->roots != NULL && f->roots_file == NULL))
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < opt->listen_n; i++)
        f->listen[i] = opt->listen[i];
    for (size_t i = 0; i < opt->admit_n; i++)
        f->admit[i] = opt->admit[i];
    (void)snprintf(f->instance, sizeof f->instance, "%s",
        opt->instance != NULL ? opt->instance : "");
    if (!opt->serves)
        f->opt.listen_n = 0;
    return peers_make(f);
}

static void config_face_free(struct config_face *f)
{
    if (f == NULL)
        return;
    callers_close(f);
    guests_close(f);
    peers_close(f);
    config_sync_free(f->sync);
    rate_free(f->rate);
    tls_rules_free(f->roots);
    free(f->space);
    free(f->key);
    free(f->roots_file);
    free(f);
}

int config_face_new(
    struct config_face **out, const struct config_face_options *opt)
{
    struct config_face *f = calloc(1, sizeof *f);
    int rc;

    if (f == NULL)
        return SYNCLINE_ENOMEM;
    rc = keep(f, opt);
    if (rc == SYNCLINE_OK)
        rc = rate_new(&f->rate, &opt->rate);
    if (rc != SYNCLINE_OK) {
        config_face_free(f);
        return rc;
    }
    *out = f;
    return SYNCLINE_OK;
}

static bool any_secure(const struct config_face *f)
{
    for (size_t i = 0; i < f->opt.peers_n; i++)
        if (f->opt.peers[i].is_secure)
            return true;
    return false;
}

static int make_sync(struct config_face *f)
{
    struct config_sync_options opt = {
        .port = { f, on_send, on_write, on_log },
        .instance = f->instance,
        .batch_us = f->opt.batch_us,
        .heartbeat_us = f->opt.heartbeat_us,
        .adopts = f->opt.adopts,
    };

    if (f->instance[0] == 0)
        engine_short_name(f->engine, f->instance, sizeof f->instance);
    return config_sync_new(&f->sync, &opt);
}

int config_face_start(
    struct config_face *f, struct engine *e, struct errmsg *why)
{
    const struct tls_rules_options trust = { .authorities = true,
        .ca = f->roots_file };
    int rc;

    f->engine = e;
    rc = make_sync(f);
    if (rc == SYNCLINE_OK && any_secure(f))
        rc = tls_rules_new(&f->roots, &trust, why);
    if (rc == SYNCLINE_OK && uv_timer_init(f->opt.loop, &f->tick) == 0)
        f->has_tick = true;
    f->tick.data = f;
    if (rc == SYNCLINE_OK)
        rc = callers_listen(f, why);
    if (rc != SYNCLINE_OK)
        return rc;
    begin_watch(f);
    face_arm(f);
    /* What they are lent is ours no longer. */
    f->opt.peers = NULL;
    f->opt.peer_texts = NULL;
    f->opt.peer_tokens = NULL;
    return SYNCLINE_OK;
}

void config_face_stop(struct config_face *f)
{
    if (f->is_stopping || f->sync == NULL)
        return;
    f->is_stopping = true;
    callers_stop(f);
    peers_stop(f);
}

static void on_tick_closed(uv_handle_t *h)
{
    config_face_free(h->data);
}

void config_face_close(struct config_face *f)
{
    if (f == NULL)
        return;
    f->is_stopping = true;
    f->engine = NULL;
    if (!f->has_tick) {
        config_face_free(f);
        return;
    }
    callers_close(f);
    peers_close(f);
    uv_close((uv_handle_t *)&f->tick, on_tick_closed);
}
