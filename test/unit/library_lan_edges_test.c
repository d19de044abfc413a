/* LAN sync through syncline_lan.h where something ends: levels, descriptors;
 * and whose signals are. */
#include "unit/lan_world.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* How many threads of this process, but for the first, a signal may reach. */
static int reachable(int signal)
{
    const unsigned long long bit = 1ULL << (signal - 1);
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    int n = 0;

    CHECK(tasks != NULL);
    while ((task = readdir(tasks)) != NULL) {
        char path[300], line[300];
        FILE *file;

        (void)snprintf(
            path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        if (task->d_name[0] == '.' || atoi(task->d_name) == (int)getpid() ||
            (file = fopen(path, "r")) == NULL)
            continue;
        while (fgets(line, sizeof line, file) != NULL)
            if (strncmp(line, "SigBlk:", 7) == 0)
                n += (strtoull(line + 7, NULL, 16) & bit) == 0;
        CHECK(fclose(file) == 0);
    }
    CHECK(closedir(tasks) == 0);
    return n;
}

TEST(no_signal_arrives_on_a_thread_of_the_librarys)
{
    sigset_t before, after;
    struct both b;

    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    CHECK_INT(reachable(SIGUSR1), 0);
    CHECK_INT(reachable(SIGTERM), 0);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    both_free(&b);
}

static const char *nested(char out[400], int levels)
{
    size_t n = 0;

    for (int i = 0; i < levels; i++)
        n += (size_t)snprintf(out + n, 400 - n, "{\"a\":");
    n += (size_t)snprintf(out + n, 400 - n, "1");
    memset(out + n, '}', (size_t)levels);
    out[n + (size_t)levels] = 0;
    return out;
}

static int on_deep(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    char text[400];

    (void)peer;
    (void)m;
    *reply = strdup(nested(text, *(int *)ctx));
    return SYNCLINE_OK;
}

/* What no other side could read is not sent either. */
TEST(what_is_nested_too_deep_is_not_sent)
{
    struct both b;
    char text[400];
    char *answer;
    int levels = 63;

    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    check_request(&b, "SYNC_REQUEST", nested(text, 63), "success");
    check_fails(syncline_lan_client_send(b.c, "SYNC_REQUEST", nested(text, 64)),
        SYNCLINE_ELIMIT, "deeper than 63");
    CHECK_OK(syncline_lan_server_handle(b.s, "DEEP", on_deep, &levels));
    check_request(&b, "DEEP", NULL, "\"a\":1");
    levels = 64;
    check_fails(syncline_lan_client_request(b.c, "DEEP", NULL, 0, &answer),
        SYNCLINE_EDENIED, "Internal server error");
    both_free(&b);
}

TEST(a_server_without_descriptors_says_so)
{
    struct rlimit all, none;
    struct both b;
    int rc;

    both_init(&b);
    both_serve(&b, NULL);
    CHECK_OK(syncline_lan_server_stop(b.s));
    CHECK(getrlimit(RLIMIT_NOFILE, &all) == 0);
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = all.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    rc = syncline_lan_server_start(b.s);
    CHECK(setrlimit(RLIMIT_NOFILE, &all) == 0);
    check_fails(rc, SYNCLINE_EIO, "open files");
    CHECK_OK(syncline_lan_server_start(b.s));
    both_free(&b);
}
