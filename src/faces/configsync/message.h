/* message.h - what config-sync instances say to each other: a JSON object of
 * six members, of which four must be there, and no other.
 *
 * Pure. What was read prints again as the original server would print it, so
 * that it can be passed on: the members in their order, defaults filled in.
 * Law: what message_put has written message_read reads, and it prints the same
 * again. */
#ifndef SYNCLINE_FACES_CONFIGSYNC_MESSAGE_H
#define SYNCLINE_FACES_CONFIGSYNC_MESSAGE_H

#include "core/json.h"

#define CONFIG_HASH_LEN 32
/* No original takes more at once, and none is sent more. */
#define CONFIG_MESSAGE_MAX ((size_t)4 << 20)

enum config_type {
    CONFIG_UPDATE,
    CONFIG_REQUEST,
    CONFIG_RESPONSE,
    CONFIG_HEARTBEAT,
    CONFIG_OTHER /* of a type that nobody has heard of */
};

enum config_member {
    CONFIG_TYPE,
    CONFIG_TIMESTAMP,
    CONFIG_INSTANCE,
    CONFIG_HASH,
    CONFIG_DATA,
    CONFIG_RESOLUTION,
    CONFIG_MEMBERS
};

struct config_message {
    enum config_type type;
    /* As it came, of whatever type; NULL: the default. */
    const struct json *member[CONFIG_MEMBERS];
    uint64_t time_us;        /* since 1970; 0: no time, or before */
    struct slice sender;     /* ptr NULL: no string */
    struct slice hash;       /* the same */
    const struct json *data; /* NULL: no object, or an empty one */
};

/* EMALFORMED: no JSON, no object, a member that is not known or one that is
 * missing; why says which. out lends from text and a. */
NODISCARD int message_read(struct config_message *out, struct slice text,
    struct arena *a, struct errmsg *why);
/* As the original server passes it on. */
void message_print(struct buf *b, const struct config_message *m);

/* One of our own; data NULL: null. */
void message_put(struct buf *b, enum config_type type, uint64_t time_us,
    struct slice sender, struct slice hash, const struct json *data);
/* The same with data that is printed already, as JSON_PLAIN. */
void message_put_text(struct buf *b, enum config_type type, uint64_t time_us,
    struct slice sender, struct slice hash, struct slice data);
/* Seconds since 1970, as they print a clock. */
void message_put_time(struct buf *b, uint64_t time_us);

/* The name of what a configuration says, with a NUL: in hex the MD5 of its
 * text, sorted. */
NODISCARD int config_hash(
    char out[CONFIG_HASH_LEN + 1], const struct json *config);

#endif
