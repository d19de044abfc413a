/* What iSync nodes have said since the state was kept last: DIR/isync.heard,
 * lines of SyncStates, each of what was new. It is written before the space is,
 * so that whoever wrote a register is known, and not taken for us, though the
 * program ends at once; it is not synced, as the state soon is. While the state
 * is being kept it is isync.heard.old, and gone once that is done. */
#include "app/isync/isync_face_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "app/private_file.h"

#define HEARD_MAX ((uint64_t)64 << 20)

static void name_it(const struct isync_face *f, char path[PATH_MAX], bool old)
{
    (void)snprintf(
        path, PATH_MAX, "%s/isync.heard%s", f->dir, old ? ".old" : "");
}

/* The last line may be cut. */
static int recall(struct isync_face *f, struct slice text)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        const size_t n = end != NULL ? (size_t)(end - text.ptr) : text.len;
        struct arena a = { 0 };
        struct json *v = NULL;
        int rc = json_parse(&v, SLICE(text.ptr, n), JSON_TOLERANT, &a, NULL);

        if (rc == SYNCLINE_OK)
            rc = isync_mesh_recall(f->mesh, v);
        arena_free(&a);
        if (rc == SYNCLINE_ENOMEM)
            return rc;
        if (rc != SYNCLINE_OK || end == NULL)
            break;
        text = slice_from(text, n + 1);
    }
    return SYNCLINE_OK;
}

int isync_heard_open(struct isync_face *f, struct errmsg *why)
{
    for (int old = 1; old >= 0; old--) {
        char path[PATH_MAX];
        const struct private_file file = { .path = path,
            .what = "state of iSync",
            .max = HEARD_MAX + ((size_t)16 << 20) };
        struct buf text = { 0 };
        int rc;

        name_it(f, path, old == 1);
        text.max = file.max;
        rc = private_file_read(&text, &file, why);
        if (rc == SYNCLINE_OK && text.len > 0) {
            rc = recall(f, buf_slice(&text));
            isync_kept_dirty(f);
        }
        buf_free(&text);
        /* It may be there, and would be written over. */
        if (rc == SYNCLINE_ENOMEM || rc == SYNCLINE_EIO)
            return rc;
        if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
            log_line(&f->log, LOG_LEVEL_WARN, "isync", "%s", why->text);
    }
    f->heard_to = isync_state_head(isync_mesh_state(f->mesh));
    return SYNCLINE_OK;
}

static void append(struct isync_face *f, struct slice line)
{
    char path[PATH_MAX];

    name_it(f, path, false);
    if (f->heard_fd < 0)
        f->heard_fd = open(
            path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (f->heard_fd >= 0 && line.len > 0) {
        const ssize_t n = write(f->heard_fd, line.ptr, line.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the disk is full, and the state says so */
        f->heard_bytes += (uint64_t)n;
        line = slice_from(line, (size_t)n);
    }
}

void isync_heard_note(struct isync_face *f)
{
    const struct isync_state *s = isync_mesh_state(f->mesh);
    struct isync_cut cut = { .after = f->heard_to };
    struct buf line = { .max = HEARD_MAX };
    struct arena a = { 0 };
    const struct json *part;

    if (isync_state_head(s) == f->heard_to || f->heard_bytes > HEARD_MAX)
        return;
    part = isync_state_export(s, &cut, &a);
    if (part != NULL && cut.n > 0)
        json_print(&line, part, JSON_COMPACT);
    if (part != NULL)
        f->heard_to = isync_state_head(s);
    buf_put_u8(&line, '\n');
    if (buf_status(&line) == SYNCLINE_OK && line.len > 1)
        append(f, buf_slice(&line));
    buf_free(&line);
    arena_free(&a);
}

static void close_it(struct isync_face *f)
{
    if (f->heard_fd >= 0)
        (void)close(f->heard_fd);
    f->heard_fd = -1;
}

/* What could not be kept the last time is in the older one, which then stays
 * what it is; this one grows. */
void isync_heard_turn(struct isync_face *f)
{
    char path[PATH_MAX], old[PATH_MAX];

    f->heard_to = isync_state_head(isync_mesh_state(f->mesh));
    name_it(f, path, false);
    name_it(f, old, true);
    if (access(old, F_OK) == 0)
        return;
    close_it(f);
    if (rename(path, old) == 0)
        f->heard_bytes = 0;
}

void isync_heard_kept(struct isync_face *f, bool is_kept)
{
    char old[PATH_MAX];

    name_it(f, old, true);
    if (is_kept)
        (void)unlink(old);
}

void isync_heard_close(struct isync_face *f)
{
    close_it(f);
}
