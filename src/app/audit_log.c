#include "app/audit_log.h"

#include "app/audit_files.h"
#include "base/plant.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_US ((uint64_t)5 * 1000 * 1000)
#define OFTEN_MAX 32
#define OFTEN_KINDS 4 /* of one kind that are told apart */

/* Equal ones within a while; others: all of a kind that are one too many. */
struct often {
    const char *kind; /* NULL: free */
    bool others;
    uint64_t until_us, count;
    struct buf who, details;
};

struct audit_log {
    struct audit_log_options opt;
    struct audit_head head, durable;
    struct buf gathered;     /* lines that no job has yet */
    uint64_t gathered_first; /* record; 0: none */
    uint64_t dropped;        /* records since the last that had room */
    struct often often[OFTEN_MAX];
    uint64_t retry_us;
    char trouble[200];
    bool troubled;
    /* The job's, while it is under way. */
    bool busy;
    struct buf writing;
    struct audit_head writing_head;
    bool rotate;
    uint64_t firsts[AUDIT_FILES + 1]; /* of each file; 0: it is not there */
    int fd;
    uint64_t bytes; /* of the file, as far as it is good */
    int failed;     /* errno */
};

static void dup_into(struct buf *b, struct slice s)
{
    buf_clear(b);
    buf_put_slice(b, s);
}

/* ---- records ---- */

/* What a person should look at; the rest is told, no more. */
static enum log_level level_of(const char *kind)
{
    static const struct {
        const char *kind;
        enum log_level level;
    } others[] = {
        { "copies", LOG_LEVEL_WARN },
        { "equivocation", LOG_LEVEL_WARN },
        { "head-differs", LOG_LEVEL_WARN },
        { "relay-back", LOG_LEVEL_WARN },
        { "relay-withholds", LOG_LEVEL_WARN },
        { AUDIT_BROKEN, LOG_LEVEL_WARN },
        { AUDIT_DROPPED, LOG_LEVEL_WARN },
        { AUDIT_ROTATED, LOG_LEVEL_DEBUG },
        { "collect", LOG_LEVEL_DEBUG },
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(kind, others[i].kind) == 0)
            return others[i].level;
    return LOG_LEVEL_INFO;
}

/* The ordinary log hears of it too, whether or not there is room here. */
static void tell(const struct audit_log *l, const struct audit_entry *e)
{
    const struct log_event event = { .kind = e->kind,
        .who = e->who,
        .details = e->details,
        .repeated = e->repeated };

    log_security(&l->opt.log, level_of(e->kind), &event);
}

static void compose(struct audit_log *l, const struct audit_entry *e)
{
    tell(l, e);
    if (l->gathered.len >= l->opt.wait_bytes ||
        audit_put(&l->gathered, &l->head, e) != SYNCLINE_OK) {
        l->dropped++;
        return;
    }
    if (l->gathered_first == 0)
        l->gathered_first = l->head.seq;
}

/* A record of the log's own. */
static void compose_own(struct audit_log *l, uint64_t wall_us, const char *kind,
    struct buf *details)
{
    const struct audit_entry e = { .wall_us = wall_us,
        .kind = kind,
        .who = SLICE_LIT("{}"),
        .details = buf_slice(details) };

    if (buf_status(details) == SYNCLINE_OK)
        compose(l, &e);
    else
        l->dropped++;
    buf_free(details);
}

static void tell_dropped(struct audit_log *l, uint64_t wall_us)
{
    struct buf details = { 0 };
    uint64_t n = l->dropped;

    if (n == 0 || l->gathered.len >= l->opt.wait_bytes / 2)
        return;
    l->dropped = 0;
    buf_printf(&details, "{\"records\":%llu}", (unsigned long long)n);
    compose_own(l, wall_us, AUDIT_DROPPED, &details);
    if (l->dropped > 0)
        l->dropped = n; /* not even that */
}

/* ---- what comes thick ---- */

static void often_over(struct audit_log *l, struct often *o, uint64_t wall_us)
{
    const struct audit_entry e = { .wall_us = wall_us,
        .kind = o->kind,
        .who = buf_slice(&o->who),
        .details = buf_slice(&o->details),
        .repeated = o->count };

    if (o->count > 0)
        compose(l, &e);
    o->kind = NULL;
    buf_free(&o->who);
    buf_free(&o->details);
}

static void often_tick(
    struct audit_log *l, uint64_t now_us, uint64_t wall_us, bool all)
{
    for (int i = 0; i < OFTEN_MAX; i++)
        if (l->often[i].kind != NULL && (all || now_us >= l->often[i].until_us))
            often_over(l, &l->often[i], wall_us);
}

static struct often *often_find(
    struct audit_log *l, const struct audit_entry *e, unsigned *same)
{
    struct often *others = NULL;

    *same = 0;
    for (int i = 0; i < OFTEN_MAX; i++) {
        struct often *o = &l->often[i];

        if (o->kind == NULL || strcmp(o->kind, e->kind) != 0)
            continue;
        if (o->others)
            others = o;
        else if (slice_eq(buf_slice(&o->who), e->who) &&
            slice_eq(buf_slice(&o->details), e->details))
            return o;
        else
            ++*same;
    }
    return *same >= OFTEN_KINDS ? others : NULL;
}

static struct often *often_new(
    struct audit_log *l, uint64_t now_us, const struct audit_entry *e)
{
    for (int i = 0; i < OFTEN_MAX; i++) {
        struct often *o = &l->often[i];

        if (o->kind != NULL)
            continue;
        dup_into(&o->who, e->who);
        dup_into(&o->details, e->details);
        if (buf_status(&o->who) != 0 || buf_status(&o->details) != 0) {
            buf_free(&o->who);
            buf_free(&o->details);
            return NULL;
        }
        o->kind = e->kind;
        o->others = false;
        o->count = 0;
        o->until_us = now_us + l->opt.often_us;
        return o;
    }
    return NULL;
}

static void add_often(
    struct audit_log *l, uint64_t now_us, const struct audit_entry *e)
{
    struct audit_entry any = *e;
    unsigned same;
    struct often *o = often_find(l, e, &same);

    if (o != NULL) {
        o->count++;
        return;
    }
    if (same < OFTEN_KINDS) {
        if (often_new(l, now_us, e) != NULL)
            compose(l, e);
        else
            l->dropped++;
        return;
    }
    any.who = any.details = SLICE_LIT("{}");
    o = often_new(l, now_us, &any);
    if (o == NULL) {
        l->dropped++;
        return;
    }
    o->others = true;
    o->count = 1;
}

void audit_log_add(struct audit_log *l, uint64_t now_us,
    const struct audit_entry *e, bool often)
{
    tell_dropped(l, e->wall_us);
    often_tick(l, now_us, e->wall_us, false);
    if (often && !PLANTED(R38_OFTEN))
        add_often(l, now_us, e);
    else
        compose(l, e);
}

/* ---- opening ---- */

struct reading {
    struct audit_log *log;
    struct audit_check check;
    struct arena arena;
    unsigned file;
    bool whole; /* the last line was */
    char broken[400];
};

static int read_line(void *ctx, const struct audit_place *at, struct slice line)
{
    struct reading *r = ctx;
    struct errmsg why = { "" };
    struct json *record;
    int rc;

    arena_reset(&r->arena);
    rc = audit_check_line(&r->check, line, &r->arena, &record, &why);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (record != NULL && r->log->firsts[at->file] == 0)
        r->log->firsts[at->file] = r->check.head.seq;
    if (rc != SYNCLINE_OK)
        (void)snprintf(r->broken, sizeof r->broken,
            "audit.log%s%.0u line %llu: %s", at->file > 0 ? "." : "", at->file,
            (unsigned long long)at->line, why.text);
    if (record != NULL && slice_is(json_get_str(record, "kind"), AUDIT_BROKEN))
        r->broken[0] = 0; /* that was told already */
    r->whole = at->whole;
    return SYNCLINE_OK;
}

/* Only where the older files begin. */
static int read_first(
    void *ctx, const struct audit_place *at, struct slice line)
{
    struct audit_log *l = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;

    if (l->firsts[at->file] != 0)
        return SYNCLINE_OK;
    if (json_parse(&v, line, JSON_STRICT, &a, NULL) == SYNCLINE_OK &&
        json_get_int(v, "seq", 0) > 0)
        l->firsts[at->file] = (uint64_t)json_get_int(v, "seq", 0);
    arena_free(&a);
    return SYNCLINE_OK;
}

static void set_trouble(struct audit_log *l, const char *text)
{
    if (!l->troubled)
        log_line(&l->opt.log, LOG_LEVEL_ERROR, "audit", "%s", text);
    l->troubled = true;
    (void)snprintf(l->trouble, sizeof l->trouble, "%s", text);
}

/* The chain goes on behind what is there, and says what was found. */
static void go_on_from(struct audit_log *l, struct reading *r)
{
    struct buf torn = { 0 }, broken = { 0 };
    struct errmsg why = { "" };

    if (!r->whole)
        buf_put_u8(&l->gathered, '\n');
    if (r->check.odd && !r->whole) {
        buf_printf(&torn, "{\"bytes\":%llu,\"sha256\":\"",
            (unsigned long long)r->check.odd_line.seq);
        put_hex(&torn, SLICE(r->check.odd_line.hash, SHA256_LEN));
        buf_put_str(&torn, "\"}");
        compose_own(l, l->opt.wall_us, AUDIT_TORN, &torn);
        log_line(&l->opt.log, LOG_LEVEL_WARN, "audit",
            "the last line of audit.log was torn, as a crash does; the log "
            "goes on behind it");
        r->check.odd = false;
    }
    r->check.kept_from = r->check.first; /* the newest files alone were read */
    if (r->broken[0] == 0 && audit_check_end(&r->check, &why) != SYNCLINE_OK)
        (void)snprintf(r->broken, sizeof r->broken, "%s", why.text);
    if (l->opt.known.seq > l->head.seq)
        l->head = l->opt.known; /* so that what is missing stays missing */
    if (r->broken[0] == 0)
        return;
    log_line(&l->opt.log, LOG_LEVEL_ERROR, "audit",
        "the audit log is not what it was: %s; `syncline audit --verify` "
        "shows where",
        r->broken);
    buf_put_str(&broken, "{\"why\":");
    json_print_string(&broken, slice_str(r->broken), false);
    buf_put_u8(&broken, '}');
    compose_own(l, l->opt.wall_us, AUDIT_BROKEN, &broken);
}

static int read_end(struct audit_log *l)
{
    struct reading r = { .log = l, .whole = true };
    struct errmsg why = { "" };
    int rc;

    r.check.known = l->opt.known;
    rc = audit_files_read(l->opt.dir, 1, read_line, &r, &why);
    if (rc == SYNCLINE_OK)
        rc = audit_files_read(l->opt.dir, AUDIT_FILES, read_first, l, &why);
    arena_free(&r.arena);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc != SYNCLINE_OK) {
        set_trouble(l, why.text);
        l->head = l->opt.known;
        return SYNCLINE_OK;
    }
    l->head = l->durable = r.check.head;
    go_on_from(l, &r);
    return SYNCLINE_OK;
}

int audit_log_open(struct audit_log **out, const struct audit_log_options *opt)
{
    struct audit_log *l = calloc(1, sizeof *l);
    int rc;

    if (l == NULL)
        return SYNCLINE_ENOMEM;
    l->opt = *opt;
    l->fd = -1;
    if (l->opt.file_bytes == 0)
        l->opt.file_bytes = (size_t)1 << 20;
    if (l->opt.wait_bytes == 0)
        l->opt.wait_bytes = (size_t)256 << 10;
    if (l->opt.often_us == 0)
        l->opt.often_us = (uint64_t)600 * 1000 * 1000;
    rc = read_end(l);
    if (rc == SYNCLINE_OK)
        *out = l;
    else
        audit_log_close(l, 0, 0, NULL);
    return rc;
}

/* ---- the job ---- */

/* The older files by one, over the first name that is free. On the helper. */
static void move_aside(struct audit_log *l)
{
    char from[PATH_MAX], to[PATH_MAX];
    unsigned gap = 1;
    int folder;

    while (gap < AUDIT_FILES && l->firsts[gap] != 0)
        gap++;
    for (unsigned i = gap; i-- > 0;) {
        if (!audit_file_name(from, sizeof from, l->opt.dir, i) ||
            !audit_file_name(to, sizeof to, l->opt.dir, i + 1) ||
            (rename(from, to) != 0 && errno != ENOENT))
            return; /* and it is written on */
        l->firsts[i + 1] = l->firsts[i];
    }
    l->firsts[0] = 0;
    (void)close(l->fd);
    l->fd = -1;
    folder = open(l->opt.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        (void)!fsync(folder);
        (void)close(folder);
    }
}

static bool open_file(struct audit_log *l)
{
    char path[PATH_MAX];
    struct stat st;

    if (l->fd >= 0)
        return true;
    if (!audit_file_name(path, sizeof path, l->opt.dir, 0))
        return false;
    l->fd = open(path,
        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
        0600);
    if (l->fd < 0)
        return false;
    if (fstat(l->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(l->fd);
        l->fd = -1;
        errno = EINVAL;
        return false;
    }
    l->bytes = (uint64_t)st.st_size;
    return true;
}

static bool write_whole(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = slice_from(s, (size_t)n);
    }
    return fdatasync(fd) == 0;
}

void audit_log_run(struct audit_log *l)
{
    l->failed = 0;
    errno = 0;
    if (!open_file(l)) {
        l->failed = errno != 0 ? errno : EIO;
        return;
    }
    if (!write_whole(l->fd, buf_slice(&l->writing))) {
        l->failed = errno != 0 ? errno : EIO;
        /* Half a line would stand in the way of the next try. */
        (void)!ftruncate(l->fd, (off_t)l->bytes);
        return;
    }
    l->bytes += l->writing.len;
    if (l->rotate)
        move_aside(l);
}

static uint64_t kept_after(const struct audit_log *l)
{
    uint64_t oldest = l->firsts[0];
    unsigned gap = 1;

    while (gap < AUDIT_FILES && l->firsts[gap] != 0)
        gap++;
    for (unsigned i = 1; i <= AUDIT_FILES; i++)
        if (i != gap && l->firsts[i] != 0)
            oldest = l->firsts[i];
    return oldest;
}

bool audit_log_begin(struct audit_log *l, uint64_t now_us, uint64_t wall_us)
{
    struct buf details = { 0 };

    if (l->busy)
        return false;
    tell_dropped(l, wall_us);
    often_tick(l, now_us, wall_us, false);
    if (l->writing.len > 0) { /* which failed before */
        l->busy = now_us >= l->retry_us;
        return l->busy;
    }
    if (l->gathered.len == 0)
        return false;
    if (l->firsts[0] == 0)
        l->firsts[0] = l->gathered_first;
    l->gathered_first = 0;
    l->rotate = l->bytes + l->gathered.len >= l->opt.file_bytes;
    if (l->rotate) {
        buf_printf(&details, "{\"kept_from\":%llu}",
            (unsigned long long)kept_after(l));
        compose_own(l, wall_us, AUDIT_ROTATED, &details);
    }
    l->writing = l->gathered;
    l->writing_head = l->head;
    l->gathered = (struct buf){ 0 };
    l->busy = true;
    return true;
}

bool audit_log_end(struct audit_log *l, uint64_t now_us)
{
    char text[160];

    l->busy = false;
    if (l->failed != 0) {
        l->retry_us = now_us + RETRY_US;
        (void)snprintf(text, sizeof text,
            "audit.log cannot be written: %s; what it should hold waits, and "
            "is tried again",
            strerror(l->failed));
        set_trouble(l, text);
        return false;
    }
    if (l->troubled)
        log_line(&l->opt.log, LOG_LEVEL_INFO, "audit",
            "audit.log can be written again");
    l->troubled = false;
    l->durable = l->writing_head;
    buf_free(&l->writing);
    return true;
}

/* ---- the rest ---- */

void audit_log_close(struct audit_log *l, uint64_t now_us, uint64_t wall_us,
    struct audit_head *head)
{
    if (l == NULL)
        return;
    if (head != NULL) {
        often_tick(l, now_us, wall_us, true);
        l->retry_us = 0;
        while (audit_log_begin(l, now_us, wall_us)) {
            audit_log_run(l);
            if (!audit_log_end(l, now_us))
                break;
        }
        *head = l->durable;
    }
    for (int i = 0; i < OFTEN_MAX; i++) {
        buf_free(&l->often[i].who);
        buf_free(&l->often[i].details);
    }
    buf_free(&l->gathered);
    buf_free(&l->writing);
    if (l->fd >= 0)
        (void)close(l->fd);
    free(l);
}

uint64_t audit_log_seq(const struct audit_log *l)
{
    return l->head.seq;
}

const struct audit_head *audit_log_durable(const struct audit_log *l)
{
    return &l->durable;
}

const char *audit_log_trouble(const struct audit_log *l)
{
    return l->troubled ? l->trouble : NULL;
}

uint64_t audit_log_deadline(const struct audit_log *l)
{
    uint64_t due = UINT64_MAX;

    if (l->busy)
        return due;
    if (l->writing.len > 0)
        return l->retry_us;
    for (int i = 0; i < OFTEN_MAX; i++)
        if (l->often[i].kind != NULL && l->often[i].count > 0 &&
            l->often[i].until_us < due)
            due = l->often[i].until_us;
    return due;
}
