/* config_fuzz.c - steps of a config-sync node: a byte says what happens, to
 * which of three links, then for a message a piece that is its text (or, of a
 * smaller kind, its members).
 *
 * Holds the laws: whatever is sent is a message of six members that prints the
 * same again; what is passed on goes to callers only, and not to who said it;
 * what is to be written is strict JSON, an object, one at a time; time that
 * passes without changes says nothing twice. */
#include "faces/configsync/sync.h"

#include "faces/configsync/message.h"
#include "fuzz/fuzz.h"

#define LINKS 3

struct side {
    struct config_sync *s;
    struct config_time now;
    uint64_t latest_us; /* that the wall's clock has shown */
    bool is_open[LINKS + 1], was_open[LINKS + 1];
    char known[LINKS + 1][CONFIG_HASH_LEN + 1]; /* when it was */
    uint64_t speaker; /* of the message that is taken; 0: nobody */
    bool writes;
    struct buf config; /* that is being written */
};

static bool is_caller(uint64_t link)
{
    return link != LINKS;
}

static void on_send(void *ctx, uint64_t link, struct slice text)
{
    struct side *s = ctx;
    struct config_message m;
    struct arena a = { 0 };
    struct buf again = { 0 };

    ENSURE(link >= 1 && link <= LINKS && s->is_open[link]);
    ENSURE(message_read(&m, text, &a, NULL) == SYNCLINE_OK);
    ENSURE(m.type != CONFIG_OTHER && m.member[CONFIG_RESOLUTION] != NULL);
    message_print(&again, &m);
    ENSURE(slice_eq(buf_slice(&again), text));
    if (s->speaker == link)
        ENSURE(m.type == CONFIG_RESPONSE);
    else if (s->speaker != 0)
        ENSURE(is_caller(link) && m.type == CONFIG_UPDATE);
    buf_free(&again);
    arena_free(&a);
}

static void on_write(void *ctx, const struct config_write *w)
{
    struct side *s = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;

    ENSURE(!s->writes && w->config->type == JSON_OBJECT && w->config->n > 0);
    ENSURE(w->time_us <= s->latest_us + 60000000);
    ENSURE(!slice_is(w->instance, "us"));
    s->writes = true;
    buf_clear(&s->config);
    json_print(&s->config, w->config, JSON_CANONICAL);
    ENSURE(json_parse(&v, buf_slice(&s->config), JSON_STRICT, &a, NULL) ==
        SYNCLINE_OK);
    arena_free(&a);
}

static void stand(struct side *s, struct slice text, uint64_t time_us)
{
    struct arena a = { 0 };
    struct json *v = NULL;

    if (json_parse(&v, text, JSON_STRICT, &a, NULL) == SYNCLINE_OK)
        ENSURE(config_sync_stands(s->s, v, time_us, s->now) == SYNCLINE_OK);
    arena_free(&a);
}

static void hear(struct side *s, uint64_t link, struct pieces *p, bool whole)
{
    static const char *const types[] = { "config_update", "config_request",
        "config_response", "heartbeat" };
    struct buf b = { 0 };
    unsigned form = whole ? 0 : take_u8(p);
    struct slice text = take_piece(p);

    if (!whole) {
        buf_printf(&b,
            "{\"type\": \"%s\", \"timestamp\": %u.5, \"instance_id\": "
            "\"%c\", \"config_hash\": \"\", \"config_data\": ",
            types[form % 4], 1000 + form / 16, "aub"[form / 4 % 3]);
        buf_put_slice(&b, text);
        buf_put_u8(&b, '}');
        text = buf_slice(&b);
    }
    if (s->is_open[link])
        s->speaker = link;
    config_sync_take(s->s, link, form < 255, text, s->now);
    s->speaker = 0;
    buf_free(&b);
}

static void turn(struct side *s, uint64_t link)
{
    if (s->is_open[link]) {
        memcpy(s->known[link], config_sync_known(s->s, link),
            strlen(config_sync_known(s->s, link)) + 1);
        config_sync_close(s->s, link);
        s->is_open[link] = false;
        s->was_open[link] = true;
    } else {
        s->is_open[link] = true;
        ENSURE(config_sync_open(s->s, link, is_caller(link),
                   s->was_open[link] ? s->known[link] : NULL,
                   s->now) == SYNCLINE_OK);
    }
}

static void answer(struct side *s, unsigned how)
{
    if (!s->writes)
        return;
    s->writes = false;
    if (how % 2 == 0)
        stand(s, buf_slice(&s->config), s->now.wall_us);
    config_sync_written(
        s->s, how % 2 == 0 ? SYNCLINE_OK : SYNCLINE_EINVAL, "no", s->now);
}

/* The wall's clock is set back now and then. */
static void pass(struct side *s, unsigned n)
{
    s->now.mono_us += (uint64_t)n * 50000;
    if (n % 16 == 15 && s->now.wall_us > (uint64_t)n * 100000)
        s->now.wall_us -= (uint64_t)n * 100000;
    else
        s->now.wall_us += (uint64_t)n * 50000;
    if (s->now.wall_us > s->latest_us)
        s->latest_us = s->now.wall_us;
}

static void step(struct side *s, struct pieces *p)
{
    unsigned what = take_u8(p), link = 1 + what / 8 % LINKS;

    switch (what % 8) {
    case 0:
        turn(s, link);
        break;
    case 1:
    case 2:
    case 3:
        hear(s, link, p, what % 8 == 1);
        break;
    case 4:
        answer(s, what / 8);
        break;
    case 5:
        stand(s, take_piece(p), s->now.wall_us - what);
        break;
    case 6:
        pass(s, take_u8(p));
        config_sync_tick(s->s, s->now);
        break;
    default:
        config_sync_force(s->s, s->now);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct side s = { .now = { 1000000000, 1000000 }, .latest_us = 1000000000 };
    const struct config_sync_options opt = {
        .port = { &s, on_send, on_write, NULL },
        .instance = "us",
        .batch_us = 100000,
        .heartbeat_us = 3000000,
        .adopts = take_u8(&p) % 2 == 0,
    };

    ENSURE(config_sync_new(&s.s, &opt) == SYNCLINE_OK);
    while (take_more(&p))
        step(&s, &p);
    config_sync_free(s.s);
    buf_free(&s.config);
    return 0;
}
