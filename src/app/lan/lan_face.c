#include "app/lan/lan_face.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/lan/lan_face_impl.h"
#include "crypto/crypto.h"

#define SECRET_SHORT 16 /* bytes */

static void on_tick(uv_timer_t *t);

/* ---- time ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void arm_in(struct lan_face *f, uint64_t us)
{
    if (!uv_is_closing((uv_handle_t *)&f->tick))
        (void)uv_timer_start(&f->tick, on_tick, (us + 999) / 1000, 0);
}

/* The next tick finds out when it is needed again. */
void lan_arm(struct lan_face *f)
{
    if (f->has_tick && !f->is_stopping)
        arm_in(f, 0);
}

static void on_tick(uv_timer_t *t)
{
    struct lan_face *f = t->data;
    uint64_t now_us = clock_mono_us(), next;

    if (f->is_stopping)
        return;
    lan_protocol_set_wall(f->protocol, clock_wall_us(), now_us);
    next = lan_space_tick(f, now_us);
    next = least(next, lan_conns_tick(f, now_us));
    next = least(next, lan_exchange_tick(f->exchange, now_us));
    next = least(next, lan_kept_tick(f, now_us));
    next = least(next, lan_near_tick(f, now_us));
    next = least(next, lan_tls_tick(f, now_us));
    if (next != 0)
        arm_in(f, next > now_us ? next - now_us : 1);
    else
        (void)uv_timer_stop(&f->tick);
}

/* Nothing may be due for long: who has become a member is not to be spoken
 * with until then. */
void lan_face_turn(struct lan_face *f)
{
    if (f->engine != NULL && engine_mesh_mark(f->engine) != f->mesh_mark)
        lan_arm(f);
}

/* ---- what it tells of itself ---- */

static void put_status(const struct lan_face *f, struct buf *b)
{
    const struct lan_exchange_counts *n = lan_exchange_counts(f->exchange);

    buf_printf(b, "\"running\":%s,\"node_id\":",
        f->engine != NULL && !f->is_stopping ? "true" : "false");
    json_print_said(b, slice_str(f->node_id));
    buf_put_str(b, ",\"node_name\":");
    json_print_said(b, slice_str(f->node_name));
    if (f->opt.listen_n > 0)
        buf_printf(b, ",\"port\":%u", f->listen[0].port);
    else
        buf_put_str(b, ",\"port\":null");
    lan_tls_put(f, b);
    buf_put_str(b, ",\"space\":");
    json_print_string(b, slice_str(f->space), false);
    buf_put_str(b, ",\"connections\":[");
    lan_conns_put(f, b);
    buf_put_str(b, "],\"peers\":[");
    lan_peers_put(f, b);
    buf_put_str(b, "],\"refused\":[");
    lan_refused_put(f, b);
    buf_put_str(b, "],\"devices\":[");
    lan_near_put(f, b);
    buf_printf(b,
        "],\"items\":{\"pushed\":%llu,\"acked\":%llu,\"taken\":%llu,"
        "\"refused\":%llu,\"asked\":%llu,\"answered\":%llu,"
        "\"too_long\":%llu},"
        "\"turned_away\":{\"network\":%llu,\"room\":%llu,\"tls\":%llu,"
        "\"failures\":%llu}",
        (unsigned long long)n->pushed, (unsigned long long)n->acked,
        (unsigned long long)n->taken, (unsigned long long)n->refused,
        (unsigned long long)n->asked, (unsigned long long)n->answered,
        (unsigned long long)n->too_long,
        (unsigned long long)f->counts.refused_network,
        (unsigned long long)f->counts.refused_room,
        (unsigned long long)f->counts.refused_tls,
        (unsigned long long)f->counts.failures);
    buf_printf(b,
        ",\"compressed\":{\"sent\":%llu,\"sent_as\":%llu,"
        "\"heard\":%llu,\"heard_as\":%llu}",
        (unsigned long long)f->deflated.sent,
        (unsigned long long)f->deflated.sent_as,
        (unsigned long long)f->deflated.heard,
        (unsigned long long)f->deflated.heard_as);
    lan_kept_put_lacks(f, b);
}

void lan_face_put_status(const struct lan_face *f, struct buf *b)
{
    if (f == NULL)
        return;
    buf_put_str(b, "\"lansync\":{");
    put_status(f, b);
    buf_put_str(b, "},");
}

bool lan_face_answer(
    struct lan_face *f, const struct json *request, struct buf *out)
{
    if (!slice_is(json_get_str(request, "op"), "lansync"))
        return false;
    buf_put_str(out, "{\"ok\":true,");
    put_status(f, out);
    buf_put_u8(out, '}');
    return true;
}

/* ---- beginning and end ---- */

static int keep(struct lan_face *f, const struct lan_face_options *opt)
{
    int rc;

    if (opt->listen_n > LAN_LISTEN_MAX || opt->admit_n > LAN_ADMIT_MAX)
        return SYNCLINE_ELIMIT;
    f->opt = *opt;
    f->log = opt->log;
    f->space = strdup(opt->space);
    f->node_name = strdup(opt->node_name);
    f->strategy = strdup(opt->strategy);
    buf_put_slice(&f->secret, opt->secret);
    if (f->space == NULL || f->node_name == NULL || f->strategy == NULL ||
        buf_status(&f->secret) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    f->opt.secret = buf_slice(&f->secret);
    if (opt->interface != NULL) {
        f->interface = strdup(opt->interface);
        if (f->interface == NULL)
            return SYNCLINE_ENOMEM;
        f->opt.interface = f->interface;
    }
    for (size_t i = 0; i < opt->listen_n; i++)
        f->listen[i] = opt->listen[i];
    for (size_t i = 0; i < opt->admit_n; i++)
        f->admit[i] = opt->admit[i];
    (void)snprintf(f->node_id, sizeof f->node_id, "%s",
        opt->node_id != NULL ? opt->node_id : "");
    rc = lan_tls_make(f);
    return rc == SYNCLINE_OK ? lan_conns_make(f) : rc;
}

static void lan_face_free(struct lan_face *f)
{
    if (f == NULL)
        return;
    lan_conns_close(f);
    lan_near_close(f);
    lan_tls_close(f);
    lan_kept_close(f);
    lan_exchange_free(f->exchange);
    lan_protocol_free(f->protocol);
    lan_space_close(f);
    if (f->secret.len > 0)
        crypto_wipe(f->secret.ptr, f->secret.len);
    buf_free(&f->secret);
    free(f->space);
    free(f->node_name);
    free(f->strategy);
    free(f->interface);
    free(f);
}

int lan_face_new(struct lan_face **out, const struct lan_face_options *opt)
{
    struct lan_face *f = calloc(1, sizeof *f);
    int rc;

    if (f == NULL)
        return SYNCLINE_ENOMEM;
    f->halves.max = LAN_HALVES_MAX;
    rc = keep(f, opt);
    if (rc != SYNCLINE_OK) {
        lan_face_free(f);
        return rc;
    }
    *out = f;
    return SYNCLINE_OK;
}

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static int make_protocol(struct lan_face *f)
{
    const struct lan_exchange_port port = lan_space_port(f);
    struct lan_protocol_options opt = { .node_id = f->node_id,
        .node_name = f->node_name,
        .key = f->opt.secret,
        .ttl_us = f->opt.ttl_us,
        .ahead_us = f->opt.ahead_us,
        .random = draw };
    int rc;

    if (f->node_id[0] == 0)
        engine_short_name(f->engine, f->node_id, sizeof f->node_id);
    rc = lan_protocol_new(&f->protocol, &opt);
    if (rc == SYNCLINE_OK)
        rc = lan_exchange_new(&f->exchange, &port, f->node_id);
    if (rc == SYNCLINE_OK)
        lan_protocol_set_wall(f->protocol, clock_wall_us(), clock_mono_us());
    return rc;
}

bool lan_face_has_secret(const struct lan_face *f, struct slice secret)
{
    return crypto_equal(f->opt.secret, secret);
}

/* Whoever hears one message can try all short secrets on it. Two lines are
 * rarely meant as one secret. */
static void warn_of_secret(struct lan_face *f)
{
    if (memchr(f->opt.secret.ptr, '\n', f->opt.secret.len) != NULL)
        log_line(&f->log, LOG_LEVEL_WARN, "lansync",
            "lansync.secret_file: there is more than one line in it, and all "
            "of it is one secret: all nodes need the same");
    if (f->opt.secret.len < SECRET_SHORT)
        log_line(&f->log, LOG_LEVEL_WARN, "lansync",
            "lansync.secret_file: the secret is short (%zu of at least %d "
            "bytes): who hears one message can guess it; give all nodes a "
            "longer one, as openssl rand -hex 32 makes it",
            f->opt.secret.len, SECRET_SHORT);
}

int lan_face_start(struct lan_face *f, struct engine *e, struct errmsg *why)
{
    int rc;

    f->engine = e;
    warn_of_secret(f);
    rc = make_protocol(f);
    if (rc == SYNCLINE_OK)
        rc = lan_kept_open(f, why);
    if (rc == SYNCLINE_OK && uv_timer_init(f->opt.loop, &f->tick) == 0)
        f->has_tick = true;
    f->tick.data = f;
    if (rc == SYNCLINE_OK)
        rc = lan_tls_open(f, why);
    if (rc == SYNCLINE_OK)
        rc = lan_conns_listen(f, why);
    if (rc == SYNCLINE_OK)
        rc = lan_near_open(f, why);
    if (rc != SYNCLINE_OK)
        return rc;
    lan_space_begin(f);
    lan_arm(f);
    return SYNCLINE_OK;
}

void lan_face_stop(struct lan_face *f)
{
    if (f->is_stopping || f->exchange == NULL)
        return;
    lan_conns_stop(f);
    f->is_stopping = true;
    f->kept_due_us = 0;
    (void)lan_kept_tick(f, clock_mono_us());
}

static void on_tick_closed(uv_handle_t *h)
{
    lan_face_free(h->data);
}

void lan_face_close(struct lan_face *f)
{
    if (f == NULL)
        return;
    f->is_stopping = true;
    f->engine = NULL;
    if (!f->has_tick) {
        lan_face_free(f);
        return;
    }
    lan_conns_close(f);
    lan_near_close(f);
    uv_close((uv_handle_t *)&f->tick, on_tick_closed);
}
