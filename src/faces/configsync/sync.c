#include "faces/configsync/sync.h"

#include "faces/configsync/message.h"

#include <stdlib.h>

#define US UINT64_C(1000000)
#define AHEAD_US (60 * US) /* a clock may be so far ahead of ours */
#define SENDER_MAX 256

struct link {
    struct link *next;
    uint64_t id;
    bool is_caller;
    bool is_due;    /* to be told of what stands here */
    bool is_forced; /* whatever it knows */
    bool has_asked; /* was asked by us, that is, and may answer */
    uint64_t beat_us;
    char known[CONFIG_HASH_LEN + 1]; /* what it holds, as far as we know */
};

/* A configuration, who wrote it and when. */
struct version {
    struct arena arena;
    const struct json *config; /* NULL: there is none */
    uint64_t time_us;
    char sender[SENDER_MAX]; /* "": it was not told us by anybody */
    uint64_t from;           /* the link that brought it */
    char hash[CONFIG_HASH_LEN + 1];
};

struct config_sync {
    struct config_sync_options opt;
    char *instance;
    struct link *links;
    struct version now;     /* what stands */
    struct version writing; /* config NULL: nothing is */
    struct version next;    /* to be written after that */
    struct buf plain;       /* now, as it is sent; empty: not printed yet */
    uint64_t batch_us;      /* when those that are due are told; 0: nobody is */
    uint64_t last_us;
    uint64_t refused; /* when what is being written was begun */
    char told_large[CONFIG_HASH_LEN + 1];
    struct errmsg trouble; /* why what they say is not taken */
    struct errmsg untold;  /* why what stands is told to none */
    struct config_sync_counts counts;
};

static void say(struct config_sync *s, enum log_level level, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

static void say(
    struct config_sync *s, enum log_level level, const char *fmt, ...)
{
    struct buf b = { .max = 1024 };
    va_list ap;

    if (s->opt.port.log == NULL)
        return;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    buf_put_u8(&b, 0);
    if (buf_status(&b) == SYNCLINE_OK)
        s->opt.port.log(s->opt.port.ctx, level, (const char *)b.ptr);
    buf_free(&b);
}

/* ---- versions ---- */

static void version_clear(struct version *v)
{
    arena_free(&v->arena);
    *v = (struct version){ 0 };
}

static int version_set(struct version *v, const struct json *config,
    uint64_t time_us, struct slice sender, uint64_t from)
{
    struct version made = { .time_us = time_us, .from = from };
    int rc = SYNCLINE_OK;

    if (config != NULL) {
        made.config = json_copy(config, &made.arena);
        rc = made.config == NULL ? SYNCLINE_ENOMEM
                                 : config_hash(made.hash, made.config);
    }
    if (rc != SYNCLINE_OK) {
        arena_free(&made.arena);
        return rc;
    }
    memcpy(made.sender, sender.ptr != NULL ? sender.ptr : (const uint8_t *)"",
        sender.len < SENDER_MAX ? sender.len : SENDER_MAX - 1);
    version_clear(v);
    *v = made;
    return SYNCLINE_OK;
}

/* What will stand when all that is under way is done. */
static const struct version *newest(const struct config_sync *s)
{
    if (s->next.config != NULL)
        return &s->next;
    return s->writing.config != NULL ? &s->writing : &s->now;
}

/* ---- links ---- */

static struct link *find(const struct config_sync *s, uint64_t id)
{
    struct link *l = s->links;

    while (l != NULL && l->id != id)
        l = l->next;
    return l;
}

static void know(struct link *l, const char *hash)
{
    memcpy(l->known, hash, sizeof l->known);
}

static void want_telling(struct config_sync *s, struct config_time now)
{
    if (s->batch_us == 0)
        s->batch_us = now.mono_us + s->opt.batch_us + 1;
}

static void post(struct config_sync *s, struct link *l, struct buf *b)
{
    if (buf_status(b) == SYNCLINE_OK) {
        s->counts.sent++;
        s->opt.port.send(s->opt.port.ctx, l->id, buf_slice(b));
    }
    buf_free(b);
}

static void send_bare(struct config_sync *s, struct link *l,
    enum config_type type, uint64_t wall_us)
{
    struct buf b = { 0 };

    message_put(&b, type, wall_us, slice_str(s->instance),
        slice_str(s->now.hash), NULL);
    post(s, l, &b);
}

static bool is_told(const struct config_sync *s)
{
    return s->now.config != NULL && s->now.config->type == JSON_OBJECT &&
        s->now.config->n > 0;
}

/* What stands, in one message. */
static void send_config(struct config_sync *s, struct link *l,
    enum config_type type, uint64_t time_us)
{
    struct buf b = { .max = CONFIG_MESSAGE_MAX };

    if (s->plain.len == 0)
        json_print(&s->plain, s->now.config, JSON_PLAIN);
    if (buf_status(&s->plain) != SYNCLINE_OK) {
        buf_free(&s->plain);
        return;
    }
    message_put_text(&b, type, time_us, slice_str(s->instance),
        slice_str(s->now.hash), buf_slice(&s->plain));
    if (buf_status(&b) == SYNCLINE_ELIMIT &&
        strcmp(s->told_large, s->now.hash) != 0) {
        memcpy(s->told_large, s->now.hash, sizeof s->told_large);
        errmsg_set(&s->untold, 0,
            "the configuration is more than %zu bytes, which no instance "
            "takes in a message: none is told of it",
            CONFIG_MESSAGE_MAX);
        say(s, LOG_LEVEL_WARN, "%s", s->untold.text);
    }
    know(l, s->now.hash);
    post(s, l, &b);
}

int config_sync_open(struct config_sync *s, uint64_t link, bool is_caller,
    const char *knows, struct config_time now)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return SYNCLINE_ENOMEM;
    *l = (struct link){ .next = s->links,
        .id = link,
        .is_caller = is_caller,
        .beat_us =
            s->opt.heartbeat_us > 0 ? now.mono_us + s->opt.heartbeat_us : 0 };
    s->links = l;
    if (!is_caller) {
        l->has_asked = true;
        send_bare(s, l, CONFIG_REQUEST, now.wall_us);
    }
    /* By its own time, so that whoever has something newer keeps it. A server
     * would pass it on to everybody: it is told once, and what came since. */
    if (knows != NULL)
        know(l, knows);
    if (is_told(s) && strcmp(l->known, s->now.hash) != 0)
        send_config(s, l, CONFIG_UPDATE, s->now.time_us);
    return SYNCLINE_OK;
}

const char *config_sync_known(const struct config_sync *s, uint64_t link)
{
    const struct link *l = find(s, link);

    return l != NULL ? l->known : "";
}

void config_sync_close(struct config_sync *s, uint64_t link)
{
    struct link **at = &s->links, *l;

    while (*at != NULL && (*at)->id != link)
        at = &(*at)->next;
    l = *at;
    if (l == NULL)
        return;
    *at = l->next;
    free(l);
}

/* ---- what they say ---- */

static void relay(struct config_sync *s, const struct link *from,
    const struct config_message *m)
{
    struct buf b = { 0 };
    char hash[CONFIG_HASH_LEN + 1] = "";
    bool hashed = false;

    message_print(&b, m);
    for (struct link *l = s->links; l != NULL && buf_status(&b) == SYNCLINE_OK;
         l = l->next) {
        if (!l->is_caller || l == from)
            continue;
        if (!hashed && m->data != NULL)
            hashed = config_hash(hash, m->data) == SYNCLINE_OK;
        if (hashed)
            know(l, hash);
        s->counts.relayed++;
        s->opt.port.send(s->opt.port.ctx, l->id, buf_slice(&b));
    }
    buf_free(&b);
}

/* Not everything that they take can stand in an item. */
static int check_strict(const struct json *config, struct errmsg *why)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *v;
    int rc;

    json_print(&b, config, JSON_PLAIN);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = json_parse(&v, buf_slice(&b), JSON_STRICT, &a, why);
    arena_free(&a);
    buf_free(&b);
    return rc;
}

static void refuse(
    struct config_sync *s, const char *sender, const char *reason)
{
    s->counts.refused++;
    errmsg_set(&s->trouble, 0, "an update of %s: %s", sender, reason);
    say(s, LOG_LEVEL_WARN, "%s; what stood before stands", s->trouble.text);
}

static void begin_write(struct config_sync *s)
{
    struct config_write w;

    if (s->writing.config != NULL || s->next.config == NULL)
        return;
    s->writing = s->next;
    s->next = (struct version){ 0 };
    s->refused = s->counts.refused;
    w = (struct config_write){ .instance = slice_str(s->writing.sender),
        .time_us = s->writing.time_us,
        .config = s->writing.config };
    s->opt.port.write(s->opt.port.ctx, &w);
}

/* At equal times, what two others have written is told apart by who did. */
static bool is_newer(
    const struct version *than, uint64_t time_us, struct slice sender)
{
    if (time_us != than->time_us || than->sender[0] == 0)
        return time_us > than->time_us;
    return slice_cmp(sender, slice_str(than->sender)) > 0;
}

enum verdict { APPLY, OLDER, SAME, IGNORED };

static enum verdict judge(const struct config_sync *s,
    const struct config_message *m, uint64_t time_us, const char *hash)
{
    const struct version *v = newest(s);
    bool is_empty = v->config == NULL || v->config->type != JSON_OBJECT ||
        v->config->n == 0;

    if (m->data == NULL || m->sender.ptr == NULL ||
        slice_is(m->sender, s->instance))
        return IGNORED;
    if (is_empty && !s->opt.adopts)
        return IGNORED;
    if (!is_newer(v, time_us, m->sender))
        return OLDER;
    if (v->config == NULL)
        return APPLY;
    return strcmp(hash, v->hash) == 0 || slice_is(m->hash, v->hash) ? SAME
                                                                    : APPLY;
}

static void take_config(struct config_sync *s, struct link *l,
    const struct config_message *m, struct config_time now)
{
    uint64_t time_us = m->time_us;
    struct errmsg why = { "not to be stored" };
    char hash[CONFIG_HASH_LEN + 1] = "";
    int rc = m->data != NULL ? config_hash(hash, m->data) : SYNCLINE_OK;

    if (rc != SYNCLINE_OK)
        return;
    if (m->data != NULL)
        know(l, hash);
    if (time_us > now.wall_us + AHEAD_US) {
        say(s, LOG_LEVEL_INFO, "a clock is %llu s ahead of ours",
            (unsigned long long)((time_us - now.wall_us) / US));
        time_us = now.wall_us;
    }
    switch (judge(s, m, time_us, hash)) {
    case IGNORED:
        return;
    case OLDER:
        s->counts.older++;
        return;
    case SAME:
        s->counts.same++;
        return;
    case APPLY:
        break;
    }
    l->is_due = false; /* it has something newer */
    rc = check_strict(m->data, &why);
    if (rc == SYNCLINE_OK)
        rc = version_set(&s->next, m->data, time_us, m->sender, l->id);
    if (rc != SYNCLINE_OK)
        refuse(s, "an instance", why.text);
    else
        begin_write(s);
}

static void on_update(struct config_sync *s, struct link *l,
    const struct config_message *m, struct config_time now)
{
    if (l->is_caller)
        relay(s, l, m);
    take_config(s, l, m, now);
}

static void on_request(
    struct config_sync *s, struct link *l, struct config_time now)
{
    if (is_told(s))
        send_config(s, l, CONFIG_RESPONSE, s->now.time_us);
    else
        send_bare(s, l, CONFIG_RESPONSE, now.wall_us);
}

/* Only an answer to what was asked: originals never look at one. */
static void on_response(struct config_sync *s, struct link *l,
    const struct config_message *m, struct config_time now)
{
    if (!l->has_asked)
        return;
    l->has_asked = false;
    take_config(s, l, m, now);
}

void config_sync_take(struct config_sync *s, uint64_t link, bool is_text,
    struct slice message, struct config_time now)
{
    struct link *l = find(s, link);
    struct errmsg why = { "bytes, and no text" };
    struct config_message m;
    struct arena a = { 0 };

    if (l == NULL)
        return;
    if (!is_text || message_read(&m, message, &a, &why) != SYNCLINE_OK) {
        s->counts.dropped++;
        say(s, LOG_LEVEL_INFO, "not a message, passed over: %s", why.text);
        arena_free(&a);
        return;
    }
    s->counts.taken++;
    if (m.type == CONFIG_UPDATE)
        on_update(s, l, &m, now);
    else if (m.type == CONFIG_REQUEST)
        on_request(s, l, now);
    else if (m.type == CONFIG_RESPONSE)
        on_response(s, l, &m, now);
    arena_free(&a);
}

/* ---- what happens here ---- */

/* Whoever writes an array or a number here has to hear of it. */
static void look_at_kind(struct config_sync *s)
{
    s->untold.text[0] = 0;
    if (s->now.config == NULL || s->now.config->type == JSON_OBJECT)
        return;
    errmsg_set(&s->untold, 0,
        "the configuration is no JSON object, which is all that instances "
        "take: none is told of it");
    say(s, LOG_LEVEL_WARN, "%s", s->untold.text);
}

int config_sync_stands(struct config_sync *s, const struct json *config,
    uint64_t time_us, struct config_time now)
{
    const struct version *w = &s->writing;
    struct version made = { 0 };
    int rc = version_set(&made, config, time_us, SLICE_NONE, 0);

    if (rc != SYNCLINE_OK)
        return rc;
    if (w->config != NULL && strcmp(w->hash, made.hash) == 0)
        memcpy(made.sender, w->sender, sizeof made.sender);
    else if (strcmp(s->now.hash, made.hash) == 0 &&
        s->now.time_us == made.time_us)
        memcpy(made.sender, s->now.sender, sizeof made.sender);
    version_clear(&s->now);
    s->now = made;
    look_at_kind(s);
    buf_free(&s->plain);
    for (struct link *l = s->links; l != NULL; l = l->next) {
        l->is_due = is_told(s) && strcmp(l->known, s->now.hash) != 0;
        if (l->is_due)
            want_telling(s, now);
    }
    return SYNCLINE_OK;
}

void config_sync_written(
    struct config_sync *s, int rc, const char *why, struct config_time now)
{
    struct version done = s->writing;
    struct link *l = find(s, done.from);

    s->writing = (struct version){ 0 };
    if (rc == SYNCLINE_OK) {
        s->counts.applied++;
        s->last_us = now.wall_us;
        if (s->refused == s->counts.refused)
            s->trouble.text[0] = 0;
    } else if (rc == SYNCLINE_ECONFLICT) {
        s->counts.older++;
    } else {
        refuse(s, done.sender, why);
        if (l != NULL)
            l->is_due = false;
    }
    version_clear(&done);
    if (s->next.config != NULL &&
        !is_newer(&s->now, s->next.time_us, slice_str(s->next.sender)))
        version_clear(&s->next);
    begin_write(s);
}

void config_sync_force(struct config_sync *s, struct config_time now)
{
    for (struct link *l = s->links; l != NULL; l = l->next)
        l->is_due = l->is_forced = is_told(s);
    want_telling(s, now);
}

/* ---- time ---- */

/* Not while something is written: what stands is about to change. */
static bool may_tell(const struct config_sync *s)
{
    return s->batch_us != 0 && s->writing.config == NULL;
}

static void tell_due(struct config_sync *s, struct config_time now)
{
    s->batch_us = 0;
    for (struct link *l = s->links; l != NULL; l = l->next) {
        bool due =
            l->is_forced || (l->is_due && strcmp(l->known, s->now.hash) != 0);

        l->is_due = l->is_forced = false;
        if (due && is_told(s))
            send_config(s, l, CONFIG_UPDATE,
                now.wall_us > s->now.time_us ? now.wall_us : s->now.time_us);
    }
}

void config_sync_tick(struct config_sync *s, struct config_time now)
{
    if (may_tell(s) && s->batch_us <= now.mono_us)
        tell_due(s, now);
    for (struct link *l = s->links; l != NULL; l = l->next) {
        if (l->beat_us == 0 || l->beat_us > now.mono_us)
            continue;
        l->beat_us = now.mono_us + s->opt.heartbeat_us;
        send_bare(s, l, CONFIG_HEARTBEAT, now.wall_us);
    }
}

uint64_t config_sync_deadline(const struct config_sync *s)
{
    uint64_t at = may_tell(s) ? s->batch_us : 0;

    for (const struct link *l = s->links; l != NULL; l = l->next)
        if (l->beat_us != 0 && (at == 0 || l->beat_us < at))
            at = l->beat_us;
    return at;
}

/* ---- beginning, end, and what there is to know ---- */

int config_sync_new(
    struct config_sync **out, const struct config_sync_options *opt)
{
    struct config_sync *s = calloc(1, sizeof *s);

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->opt = *opt;
    s->instance = strdup(opt->instance);
    if (s->instance == NULL) {
        config_sync_free(s);
        return SYNCLINE_ENOMEM;
    }
    *out = s;
    return SYNCLINE_OK;
}

void config_sync_free(struct config_sync *s)
{
    if (s == NULL)
        return;
    while (s->links != NULL)
        config_sync_close(s, s->links->id);
    version_clear(&s->now);
    version_clear(&s->writing);
    version_clear(&s->next);
    buf_free(&s->plain);
    free(s->instance);
    free(s);
}

const struct config_sync_counts *config_sync_counts(const struct config_sync *s)
{
    return &s->counts;
}

const char *config_sync_hash(const struct config_sync *s)
{
    return s->now.hash;
}

uint64_t config_sync_last_us(const struct config_sync *s)
{
    return s->last_us;
}

const char *config_sync_trouble(const struct config_sync *s)
{
    return s->trouble.text[0] != 0 ? s->trouble.text : s->untold.text;
}
