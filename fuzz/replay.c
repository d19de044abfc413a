/* replay.c - gives a target what lies in a corpus: one test (TAP).
 *
 * replay-NAME FOLDER|FILE...; of a folder all files, sorted. The target
 * itself aborts if its law does not hold; the file is named before that. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static unsigned files_n, failed_n;

static int read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    int rc = 0;

    if (f == NULL)
        return -1;
    for (;;) {
        uint8_t *to = buf_reserve(out, 65536);
        size_t n = to != NULL ? fread(to, 1, 65536, f) : 0;

        if (n == 0)
            break;
        out->len += n;
    }
    if (ferror(f) || buf_status(out) != SYNCLINE_OK)
        rc = -1;
    (void)fclose(f);
    return rc;
}

/* The input lies in a block of exactly its size, so that a sanitizer sees
 * who reads beyond it. */
static void give(struct slice bytes)
{
    uint8_t *exact = malloc(bytes.len > 0 ? bytes.len : 1);

    ENSURE(exact != NULL);
    if (bytes.len > 0)
        memcpy(exact, bytes.ptr, bytes.len);
    (void)LLVMFuzzerTestOneInput(exact, bytes.len);
    free(exact);
}

static void replay_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    struct buf b = { 0 };

    files_n++;
    (void)printf("# %s\n", name);
    (void)fflush(stdout);
    if (read_file(path, &b) == 0) {
        give(buf_slice(&b));
    } else {
        failed_n++;
        (void)printf("# cannot be read: %s\n", strerror(errno));
    }
    buf_free(&b);
}

static int is_shown(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, is_shown, alphasort);

    for (int i = 0; i < n; i++) {
        char name[4096];

        (void)snprintf(name, sizeof name, "%s/%s", path, list[i]->d_name);
        replay_file(name);
        free(list[i]);
    }
    free(list);
}

int main(int argc, char **argv)
{
    bool fine;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            replay_folder(argv[i]);
        else
            replay_file(argv[i]);
    }
    /* A corpus that is not there holds nothing. */
    fine = failed_n == 0 && files_n > 0;
    (void)printf("%sok 1 - %u inputs\n1..1\n", fine ? "" : "not ", files_n);
    return fine ? 0 : 1;
}
