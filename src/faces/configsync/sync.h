/* sync.h - one configuration, kept the same as that of config-sync instances:
 * what is done about each of their messages, and who is told of what changes
 * here.
 *
 * Pure: no socket, no clock; messages in, and out through the port. A link is
 * a WebSocket to one instance, which has called us or which we have called.
 * Laws:
 * - What a caller says in a config_update goes to all other callers, as the
 *   original server would pass it on, whatever becomes of it here.
 * - The last write wins, by (time, instance); what is older than what stands
 *   here, or the same, writes nothing. What is written is written one after
 *   the other; if it is refused, what stood before stands.
 * - No echo: who has told of a configuration, or was told of it, is not told
 *   of it again. Nothing is said again because others say something else.
 * - Many changes in batch_us are one message. */
#ifndef SYNCLINE_FACES_CONFIGSYNC_SYNC_H
#define SYNCLINE_FACES_CONFIGSYNC_SYNC_H

#include "base/log.h"
#include "core/json.h"

struct config_sync; /* opaque */

struct config_write {
    struct slice instance; /* who has written it */
    uint64_t time_us;      /* when, by his clock; never far ahead of ours */
    const struct json *config;
};

/* Lent all of it, until the call returns. */
struct config_sync_port {
    void *ctx;
    void (*send)(void *ctx, uint64_t link, struct slice text);
    /* config_sync_written answers, later. */
    void (*write)(void *ctx, const struct config_write *w);
    /* May be NULL. */
    void (*log)(void *ctx, enum log_level level, const char *text);
};

struct config_sync_options {
    struct config_sync_port port;
    const char *instance;  /* our own id; copied */
    uint64_t batch_us;     /* changes within it are told as one */
    uint64_t heartbeat_us; /* 0: none are sent */
    bool adopts; /* where there is no configuration yet, the first that comes
                    is taken (originals take none then) */
};

/* Messages and changes are told apart by what the wall shows, as all instances
 * do; what is due, by a clock that never goes back. */
struct config_time {
    uint64_t wall_us; /* since the Unix epoch */
    uint64_t mono_us;
};

struct config_sync_counts {
    uint64_t taken, relayed, sent;          /* messages */
    uint64_t dropped;                       /* that were no messages */
    uint64_t applied, older, same, refused; /* updates, of others */
};

NODISCARD int config_sync_new(
    struct config_sync **out, const struct config_sync_options *opt);
void config_sync_free(struct config_sync *s); /* NULL is fine */

/* link: a number that none has that is open. knows: what it held when it was
 * open before (config_sync_known); NULL: it never was. */
NODISCARD int config_sync_open(struct config_sync *s, uint64_t link,
    bool is_caller, const char *knows, struct config_time now);
/* The hash of what it holds, as far as that is known; "": it is not. */
const char *config_sync_known(const struct config_sync *s, uint64_t link);
void config_sync_close(struct config_sync *s, uint64_t link);
void config_sync_take(struct config_sync *s, uint64_t link, bool is_text,
    struct slice message, struct config_time now);

/* What stands here from now on, and since when; config NULL: nothing. It is
 * copied. */
NODISCARD int config_sync_stands(struct config_sync *s,
    const struct json *config, uint64_t time_us, struct config_time now);
/* The write that was asked for is done: rc, and why not. */
void config_sync_written(
    struct config_sync *s, int rc, const char *why, struct config_time now);
/* Tells all of what stands here, whatever they know. */
void config_sync_force(struct config_sync *s, struct config_time now);

void config_sync_tick(struct config_sync *s, struct config_time now);
/* As mono_us; 0: none. */
uint64_t config_sync_deadline(const struct config_sync *s);

const struct config_sync_counts *config_sync_counts(
    const struct config_sync *s);
const char *config_sync_hash(const struct config_sync *s); /* "": nothing */
/* When something was last applied, by our own clock; 0: never. */
uint64_t config_sync_last_us(const struct config_sync *s);
/* Why the last update that was refused was so; "": none was since. */
const char *config_sync_trouble(const struct config_sync *s);

#endif
