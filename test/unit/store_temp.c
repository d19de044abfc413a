#include "unit/store_temp.h"

#include "unit/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void temp_make(char dir[TEMP_MAX])
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(dir, TEMP_MAX, "%s/syncline-test-XXXXXX",
        base != NULL && strlen(base) < 60 ? base : "/tmp");
    CHECK(mkdtemp(dir) != NULL);
}

const char *temp_path(const char *dir, const char *name)
{
    static char path[TEMP_MAX + 300];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

void temp_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    CHECK(d != NULL);
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            (void)unlink(temp_path(dir, e->d_name));
    (void)closedir(d);
    CHECK(rmdir(dir) == 0);
}

struct store_file_options temp_options(void)
{
    return (struct store_file_options){
        .segment_bytes = 64 << 10,
        .overlay_bytes = 8 << 20,
        .checkpoint_bytes = 256 << 10,
    };
}
