/* The published examples of the config-sync protocol, byte for byte; those of
 * files are in config_files_test.c. */
#include "faces/configsync/addon.h"
#include "faces/configsync/message.h"
#include "faces/configsync/rate.h"
#include "faces/configsync/sync.h"
#include "faces/http/ws.h"

#include <stdlib.h>

#include "base/text.h"
#include "unit/check.h"
#include "unit/config_vectors.h"

#define SEC UINT64_C(1000000)

TEST(names_of_what_a_configuration_says)
{
    struct arena a = { 0 };
    unsigned n = 0;

    for (struct json *v = config_vectors(&a)->first; v != NULL; v = v->next) {
        char hash[CONFIG_HASH_LEN + 1];
        struct buf b = { 0 };

        if (!slice_is(json_get_str(v, "kind"), "config-md5"))
            continue;
        json_print(&b, json_get(v, "config"), JSON_SORTED_PLAIN);
        CHECK_BYTES(buf_slice(&b), json_get_str(v, "hashed_bytes_utf8"));
        CHECK_OK(config_hash(hash, json_get(v, "config")));
        CHECK_BYTES(slice_str(hash), json_get_str(v, "md5_hex"));
        buf_free(&b);
        n++;
    }
    CHECK_UINT(n, 4);
    arena_free(&a);
}

struct frames {
    struct buf out;
    uint8_t mask[4];
};

static int on_send(void *ctx, struct slice bytes)
{
    struct frames *f = ctx;

    buf_put_slice(&f->out, bytes);
    return buf_status(&f->out);
}

static int on_mask(void *ctx, uint8_t *out, size_t n)
{
    struct frames *f = ctx;

    CHECK_UINT(n, 4);
    memcpy(out, f->mask, n);
    return SYNCLINE_OK;
}

static void on_message(void *ctx, bool text, struct slice message)
{
    (void)ctx;
    (void)text;
    (void)message;
}

static void check_frame(
    struct slice text, struct slice want_hex, struct slice mask_hex)
{
    struct frames f = { .out = { 0 } };
    const struct ws_events events = { .ctx = &f,
        .send = on_send,
        .mask = mask_hex.len > 0 ? on_mask : NULL,
        .on_message = on_message };
    struct buf hex = { 0 };
    struct ws *w;

    if (mask_hex.len > 0)
        CHECK_OK(hex_decode(f.mask, 4, mask_hex));
    CHECK_OK(ws_new(&w, &events, CONFIG_MESSAGE_MAX));
    CHECK_OK(ws_send(w, true, text));
    put_hex(&hex, buf_slice(&f.out));
    CHECK_BYTES(buf_slice(&hex), want_hex);
    ws_free(w);
    buf_free(&hex);
    buf_free(&f.out);
}

TEST(messages_and_their_frames)
{
    struct arena a = { 0 };
    unsigned n = 0;

    for (struct json *v = config_vectors(&a)->first; v != NULL; v = v->next) {
        struct slice text = json_get_str(v, "json_utf8");
        struct config_message m;
        struct buf b = { 0 };

        if (!slice_is(json_get_str(v, "kind"), "ws-text"))
            continue;
        CHECK_OK(message_read(&m, text, &a, NULL));
        message_print(&b, &m);
        CHECK_BYTES(buf_slice(&b), text);
        buf_clear(&b);
        if (m.time_us % 10 == 0 || m.data == NULL) {
            message_put(&b, m.type, m.time_us, m.sender, m.hash, m.data);
            CHECK_BYTES(buf_slice(&b), text);
        }
        check_frame(text, json_get_str(v, "server_frame_hex"), SLICE_NONE);
        check_frame(text, json_get_str(v, "client_frame_hex"),
            json_get_str(v, "client_frame_mask"));
        buf_free(&b);
        n++;
    }
    CHECK_UINT(n, 3);
    arena_free(&a);
}

TEST(the_answer_to_a_greeting)
{
    struct arena a = { 0 };
    const struct json *v = config_vector(&a, "A.ws.accept");
    struct buf b = { 0 };

    CHECK_OK(ws_accept(&b, json_get_str(v, "key")));
    CHECK_BYTES(buf_slice(&b), json_get_str(v, "accept"));
    buf_free(&b);
    arena_free(&a);
}

/* ---- the last write wins ---- */

struct applied {
    unsigned n;
    struct buf config;
};

static void on_write(void *ctx, const struct config_write *w)
{
    struct applied *p = ctx;

    p->n++;
    json_print(&p->config, w->config, JSON_PLAIN);
}

static void on_out(void *ctx, uint64_t link, struct slice text)
{
    (void)ctx;
    (void)link;
    (void)text;
}

static double number_of(const struct json *row, const char *name)
{
    const struct json *v = json_get(row, name);

    return v->type == JSON_INT ? (double)v->i : v->d;
}

/* The rows say what data a message has, and some what hash it states. */
static void hash_stated(char out[CONFIG_HASH_LEN + 1], const struct json *row)
{
    struct slice name = json_get_str(row, "case");
    const struct json *of = json_get(row, "remote");

    if (slice_is(name, "wrong stated hash")) {
        memset(out, '0', CONFIG_HASH_LEN + 1);
        out[CONFIG_HASH_LEN] = 0;
        return;
    }
    if (slice_is(name, "stated hash equals local hash but data differs"))
        of = json_get(row, "local");
    out[0] = 0;
    if (of->type == JSON_OBJECT)
        CHECK_OK(config_hash(out, of));
}

static void feed_row(
    struct config_sync *s, const struct json *row, uint64_t now_us)
{
    const struct json *data = json_get(row, "remote");
    char hash[CONFIG_HASH_LEN + 1];
    struct buf b = { 0 };

    hash_stated(hash, row);
    buf_put_str(&b, "{\"type\": ");
    json_print_string(&b, json_get_str(row, "msg_type"), true);
    buf_put_str(&b, ", \"timestamp\": ");
    json_print_double(&b, number_of(row, "msg_timestamp"));
    buf_put_str(&b, ", \"instance_id\": ");
    json_print_string(&b, json_get_str(row, "msg_instance"), true);
    buf_printf(&b, ", \"config_hash\": \"%s\", \"config_data\": ", hash);
    json_print(&b, data, JSON_PLAIN);
    buf_put_u8(&b, '}');
    config_sync_take(
        s, 1, true, buf_slice(&b), (struct config_time){ now_us, now_us });
    buf_free(&b);
}

static void check_row(const struct json *row, uint64_t now_us)
{
    struct applied p = { .n = 0 };
    const struct config_sync_options opt = {
        .port = { .ctx = &p, .send = on_out, .write = on_write },
        .instance = "local",
    };
    const struct json *local = json_get(row, "local");
    double last = number_of(row, "last_sync_time");
    bool applied = json_get_bool(row, "applied", false);
    struct config_sync *s;
    struct buf want = { 0 };

    CHECK_OK(config_sync_new(&s, &opt));
    CHECK_OK(config_sync_open(
        s, 1, true, NULL, (struct config_time){ now_us, now_us }));
    if (local->type == JSON_OBJECT)
        CHECK_OK(config_sync_stands(s, local, (uint64_t)last * SEC,
            (struct config_time){ now_us, now_us }));
    feed_row(s, row, now_us);
    CHECK_SAYING(p.n == applied, "%.*s: written %u times",
        SLICE_FMT(json_get_str(row, "case")), p.n);
    if (applied) {
        json_print(&want, json_get(row, "config_after"), JSON_PLAIN);
        CHECK_BYTES(buf_slice(&p.config), buf_slice(&want));
        config_sync_written(
            s, SYNCLINE_OK, NULL, (struct config_time){ now_us, now_us });
        CHECK_UINT(config_sync_last_us(s),
            (uint64_t)number_of(row, "last_sync_time_after") * SEC);
    } else {
        CHECK_UINT(config_sync_last_us(s), 0);
    }
    config_sync_free(s);
    buf_free(&p.config);
    buf_free(&want);
}

TEST(the_last_write_wins)
{
    struct arena a = { 0 };
    const struct json *v = config_vector(&a, "A.lww");
    uint64_t now_us = (uint64_t)json_get(v, "local_clock_now")->d * SEC;
    const struct json *rows = json_get(v, "rows");

    CHECK_UINT(rows->n, 13);
    for (const struct json *row = rows->first; row != NULL; row = row->next)
        check_row(row, now_us);
    arena_free(&a);
}

/* ---- how often an address may ask ---- */

static void check_log(struct rate *r, const struct json *result, uint64_t at_us)
{
    struct netaddr from = { .family = 4, .addr = { 203, 0, 113, 9 } };
    struct errmsg why = { "" };
    int rc = rate_ask(r, &from, at_us, &why);

    CHECK_INT(rc == SYNCLINE_OK, result->first->type == JSON_TRUE);
    CHECK_BYTES(slice_str(why.text), result->first->next->s);
}

TEST(a_minute_of_an_address)
{
    static const uint64_t at_us[] = { 0, 0, 119500000, 120 * SEC };
    const struct rate_options opt = { 60, 120 * SEC, true };
    struct netaddr from = { .family = 4, .addr = { 203, 0, 113, 9 } };
    struct arena a = { 0 };
    const struct json *v = config_vector(&a, "A.rate.simple");
    const struct json *log = json_get(v, "log");
    struct rate *r;
    size_t i = 0;

    CHECK_OK(rate_new(&r, &opt));
    for (int64_t n = json_get_int(v, "allowed_in_burst", 0); n > 0; n--)
        CHECK_OK(rate_ask(r, &from, 0, NULL));
    CHECK_UINT(log->n, ARRAY_N(at_us));
    for (const struct json *row = log->first; row != NULL; row = row->next)
        check_log(r, json_get(row, "result"), at_us[i++]);
    rate_free(r);
    arena_free(&a);
}

TEST(local_networks)
{
    struct arena a = { 0 };
    const struct json *v = config_vector(&a, "A.rate.simple");

    v = json_get(v, "local_network");
    for (const struct json *row = v->first; row != NULL; row = row->next) {
        struct netaddr at = { 0 };
        bool is = netaddr_parse(&at, row->first->s, 0, NULL) == SYNCLINE_OK &&
            rate_is_local(&at);

        CHECK_SAYING(is == (row->first->next->type == JSON_TRUE), "%.*s",
            SLICE_FMT(row->first->s));
    }
    arena_free(&a);
}

/* Of those who ask, as many as are remembered are told apart. */
TEST(many_addresses)
{
    const struct rate_options opt = { 1, 120 * SEC, true };
    struct netaddr from = { .family = 4, .addr = { 203, 0, 113, 9 } };
    struct rate *r;

    CHECK_OK(rate_new(&r, &opt));
    for (int i = 0; i < 12; i++)
        CHECK_INT(rate_ask(r, &from, SEC, NULL),
            i < 11 ? SYNCLINE_OK : SYNCLINE_EBUSY);
    for (unsigned i = 0; i < RATE_ADDRESSES - 1; i++) {
        struct netaddr other = { .family = 4,
            .addr = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i } };

        CHECK_OK(rate_ask(r, &other, 2 * SEC, NULL));
    }
    CHECK_INT(rate_ask(r, &from, 3 * SEC, NULL), SYNCLINE_EBUSY);
    from.addr[3] = 10;
    CHECK_OK(rate_ask(r, &from, 3 * SEC, NULL));
    rate_free(r);
}

/* ---- options of an add-on ---- */

TEST(options_are_checked_as_the_older_system_checks_them)
{
    struct arena a = { 0 };
    const struct json *rows =
        json_get(config_vector(&a, "A.validate_sync_config"), "rows");

    CHECK_UINT(rows->n, 9);
    for (const struct json *row = rows->first; row != NULL; row = row->next) {
        const struct json *config = json_get(row, "config");
        bool valid = json_get_bool(row, "valid", false);
        struct addon_options o;
        struct errmsg why = { "" };
        int rc = addon_check(config, &why);

        CHECK_SAYING(rc == (valid ? SYNCLINE_OK : SYNCLINE_EINVAL),
            "%.*s: %d, %s", SLICE_FMT(json_get_str(row, "case")), rc, why.text);
        CHECK_INT(why.text[0] == 0, valid);
        if (valid)
            CHECK_OK(addon_read(&o, config, NULL));
    }
    arena_free(&a);
}

TEST(options_that_are_left_out)
{
    struct arena a = { 0 };
    const struct json *rows =
        json_get(config_vector(&a, "A.ha_addon_defaults"), "rows");

    CHECK_UINT(rows->n, 5);
    for (const struct json *row = rows->first; row != NULL; row = row->next) {
        const struct json *peers = json_get(row, "peers");
        struct addon_options o;

        CHECK_OK(addon_read(&o, json_get(row, "options"), NULL));
        CHECK_INT(o.serves, json_get_bool(row, "enable_server", !o.serves));
        CHECK_INT(o.port, json_get_int(row, "sync_port", 0));
        if (o.peers == NULL)
            CHECK_UINT(peers->n, 0);
        else
            CHECK(json_equal(o.peers, peers));
        CHECK_UINT(o.per_minute, 60);
        CHECK_UINT(o.block_s, 120);
        CHECK(o.local_is_exempt);
    }
    arena_free(&a);
}

TEST(options_that_are_wrong_are_named)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        { "[]", "options" },
        { "{\"sync_port\":0}", "sync_port" },
        { "{\"sync_port\":1.5}", "sync_port" },
        { "{\"peer_urls\":\"ws://x/\"}", "peer_urls" },
        { "{\"peer_urls\":[1]}", "peer_urls" },
        { "{\"sync_bind\":[1]}", "sync_bind" },
        { "{\"enable_sync_server\":1}", "enable_sync_server" },
        { "{\"rate_limit_requests_per_minute\":-1}",
            "rate_limit_requests_per_minute" },
        { "{\"rate_limit_block_duration\":\"2m\"}",
            "rate_limit_block_duration" },
        { "{\"rate_limit_whitelist_local\":null}",
            "rate_limit_whitelist_local" },
    };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct addon_options o;
        struct errmsg why = { "" };
        struct json *v;

        CHECK_OK(
            json_parse(&v, slice_str(rows[i].text), JSON_TOLERANT, &a, NULL));
        CHECK_INT(addon_read(&o, v, &why), SYNCLINE_EINVAL);
        CHECK_SAYING(strstr(why.text, rows[i].named) != NULL, "%s: %s",
            rows[i].text, why.text);
    }
    arena_free(&a);
}
