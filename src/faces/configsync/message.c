#include "faces/configsync/message.h"

#include <math.h>

#include "base/text.h"
#include "crypto/md5.h"

#define US 1000000
#define FIRST_OPTIONAL CONFIG_DATA
#define RESOLUTION "last_write_wins"

static const char *const names[CONFIG_MEMBERS] = {
    [CONFIG_TYPE] = "type",
    [CONFIG_TIMESTAMP] = "timestamp",
    [CONFIG_INSTANCE] = "instance_id",
    [CONFIG_HASH] = "config_hash",
    [CONFIG_DATA] = "config_data",
    [CONFIG_RESOLUTION] = "conflict_resolution",
};

static const char *const types[] = {
    [CONFIG_UPDATE] = "config_update",
    [CONFIG_REQUEST] = "config_request",
    [CONFIG_RESPONSE] = "config_response",
    [CONFIG_HEARTBEAT] = "heartbeat",
};

static enum config_type type_of(struct slice s)
{
    int i = CONFIG_UPDATE;

    while (i < CONFIG_OTHER && !slice_is(s, types[i]))
        i++;
    return (enum config_type)i;
}

/* A microsecond that was told as a number of seconds comes back as itself. */
static uint64_t time_of(const struct json *v)
{
    if (v->type == JSON_INT && v->i > 0)
        return (uint64_t)v->i < UINT64_MAX / 2 / US ? (uint64_t)v->i * US
                                                    : UINT64_MAX / 2;
    if (v->type != JSON_DOUBLE || !(v->d > 0))
        return 0;
    return v->d < (double)(UINT64_MAX / 4 / US) ? (uint64_t)llround(v->d * US)
                                                : UINT64_MAX / 2;
}

static struct slice text_of(const struct json *v)
{
    return v->type == JSON_STRING ? v->s : SLICE_NONE;
}

static int take_members(
    struct config_message *out, const struct json *v, struct errmsg *why)
{
    for (const struct json *m = v->first; m != NULL; m = m->next) {
        int i = 0;

        while (i < CONFIG_MEMBERS && !slice_is(m->key, names[i]))
            i++;
        if (i == CONFIG_MEMBERS)
            return errmsg_set(
                why, SYNCLINE_EMALFORMED, "a member that no instance knows");
        out->member[i] = m;
    }
    for (int i = 0; i < FIRST_OPTIONAL; i++)
        if (out->member[i] == NULL)
            return errmsg_set(
                why, SYNCLINE_EMALFORMED, "%s is missing", names[i]);
    return SYNCLINE_OK;
}

int message_read(struct config_message *out, struct slice text, struct arena *a,
    struct errmsg *why)
{
    struct json *v = NULL;
    int rc = json_parse(&v, text, JSON_TOLERANT, a, why);

    *out = (struct config_message){ .type = CONFIG_OTHER };
    if (rc != SYNCLINE_OK)
        return rc;
    if (v->type != JSON_OBJECT)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "no object");
    rc = take_members(out, v, why);
    if (rc != SYNCLINE_OK)
        return rc;
    out->type = type_of(text_of(out->member[CONFIG_TYPE]));
    out->time_us = time_of(out->member[CONFIG_TIMESTAMP]);
    out->sender = text_of(out->member[CONFIG_INSTANCE]);
    out->hash = text_of(out->member[CONFIG_HASH]);
    v = (struct json *)out->member[CONFIG_DATA];
    out->data = v != NULL && v->type == JSON_OBJECT && v->n > 0 ? v : NULL;
    return SYNCLINE_OK;
}

void message_print(struct buf *b, const struct config_message *m)
{
    for (int i = 0; i < CONFIG_MEMBERS; i++) {
        buf_printf(b, "%s\"%s\": ", i == 0 ? "{" : ", ", names[i]);
        if (m->member[i] != NULL)
            json_print(b, m->member[i], JSON_PLAIN);
        else
            buf_put_str(b, i == CONFIG_DATA ? "null" : "\"" RESOLUTION "\"");
    }
    buf_put_u8(b, '}');
}

void message_put_time(struct buf *b, uint64_t time_us)
{
    json_print_double(b, (double)time_us / US);
}

static void put_head(struct buf *b, enum config_type type, uint64_t time_us,
    struct slice sender, struct slice hash)
{
    buf_printf(b, "{\"type\": \"%s\", \"timestamp\": ", types[type]);
    message_put_time(b, time_us);
    buf_put_str(b, ", \"instance_id\": ");
    json_print_string(b, sender, true);
    buf_put_str(b, ", \"config_hash\": ");
    json_print_string(b, hash, true);
    buf_put_str(b, ", \"config_data\": ");
}

static void put_tail(struct buf *b)
{
    buf_put_str(b, ", \"conflict_resolution\": \"" RESOLUTION "\"}");
}

void message_put(struct buf *b, enum config_type type, uint64_t time_us,
    struct slice sender, struct slice hash, const struct json *data)
{
    put_head(b, type, time_us, sender, hash);
    if (data != NULL)
        json_print(b, data, JSON_PLAIN);
    else
        buf_put_str(b, "null");
    put_tail(b);
}

void message_put_text(struct buf *b, enum config_type type, uint64_t time_us,
    struct slice sender, struct slice hash, struct slice data)
{
    put_head(b, type, time_us, sender, hash);
    buf_put_slice(b, data);
    put_tail(b);
}

int config_hash(char out[CONFIG_HASH_LEN + 1], const struct json *config)
{
    uint8_t digest[MD5_LEN];
    struct buf b = { 0 };
    int rc;

    json_print(&b, config, JSON_SORTED_PLAIN);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = crypto_md5(digest, buf_slice(&b));
    if (rc == SYNCLINE_OK)
        hex_encode(out, SLICE(digest, sizeof digest));
    buf_free(&b);
    return rc;
}
