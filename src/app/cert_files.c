#include "app/cert_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "app/private_file.h"

int cert_file_read(
    struct buf *out, const char *path, bool secret, struct errmsg *why)
{
    const struct private_file file = {
        .path = path, .what = "file", .max = CERT_PEM_MAX, .shared = true
    };
    struct stat st;
    int rc;

    if (secret && stat(path, &st) == 0 && (st.st_mode & 07) != 0)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: everybody may read this key (mode %o)", path,
            (unsigned)st.st_mode & 0777);
    rc = private_file_read(out, &file, why);
    return rc == SYNCLINE_ENOTFOUND
        ? errmsg_set(why, rc, "%s: %s", path, strerror(ENOENT))
        : rc;
}

static void note(struct cert_mark *m, const char *path)
{
    struct stat st;

    memset(m, 0, sizeof *m);
    if (stat(path, &st) != 0)
        return;
    m->ino = st.st_ino;
    m->size = st.st_size;
    m->changed = st.st_mtim;
}

bool cert_files_changed(
    struct cert_mark *marks, const char *const *paths, size_t n)
{
    bool changed = false;

    for (size_t i = 0; i < n; i++) {
        struct cert_mark now;

        if (paths[i] == NULL)
            continue;
        note(&now, paths[i]);
        changed = changed || memcmp(&now, &marks[i], sizeof now) != 0;
        marks[i] = now;
    }
    return changed;
}
