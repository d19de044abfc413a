/* options_names.c - which row a name means, and what a profile makes of it. */
#include "app/options/options_table.h"

#include <ctype.h>
#include <string.h>

/* single takes the table as it is. ha-addon spares an SD card and a small
 * memory and keeps its data where Home Assistant backs it up. development
 * stays on this machine, notices everything within a second, and says it. */
static const struct {
    const char *profile;
    const char *name;
    const char *fallback;
} profile_rows[] = {
    { "ha-addon", "dir", "/data/syncline" },
    { "ha-addon", "files.root", "/config,/data" },
    { "ha-addon", "store.overlay", "16MiB" },
    { "ha-addon", "store.checkpoint_age", "10s" },
    { "ha-addon", "history.keep", "20" },
    { "development", "listen", "127.0.0.1:4748,[::1]:4748" },
    { "development", "beacon.interval", "1s" },
    { "development", "heartbeat.interval", "1s" },
    { "development", "heartbeat.silence", "3s" },
    { "development", "dial.max", "2s" },
    { "development", "log.level", "debug" },
    { "development", "configsync.heartbeat", "10s" },
    { "development", "configsync.dial_max", "2s" },
    { "development", "configsync.rate", "120" },
    { "development", "configsync.block", "30" },
    { "development", "isync.port", "5002" },
    { "development", "isync.dial_max", "2s" },
    { "development", "lansync.bind", "127.0.0.1,::1" },
    { "development", "lansync.dial_max", "2s" },
};

const char *option_fallback(const struct option_row *row, const char *profile)
{
    const size_t n = sizeof profile_rows / sizeof profile_rows[0];

    for (size_t i = 0; i < n; i++)
        if (strcmp(profile_rows[i].profile, profile) == 0 &&
            strcmp(profile_rows[i].name, row->name) == 0)
            return profile_rows[i].fallback;
    return NULL;
}

static bool among(const char *words, struct slice word)
{
    while (words != NULL && *words != 0) {
        size_t n = strcspn(words, " ");

        if (slice_eq(SLICE(words, n), word))
            return true;
        words += n + (words[n] == ' ');
    }
    return false;
}

size_t option_index(struct slice name)
{
    size_t ix = 0;

    while (ix < option_rows_n && !slice_is(name, option_rows[ix].name) &&
        !among(option_rows[ix].aliases, name))
        ix++;
    return ix;
}

static bool is_env_of(const char *env, const char *name)
{
    for (; *name != 0; name++, env++)
        if (*env != (*name == '.' ? '_' : toupper((unsigned char)*name)))
            return false;
    return *env == 0;
}

/* A name without anybody's prefix may be meant for another program. */
static enum option_name kind_of_name(const char *name)
{
    return strcmp(name, "LOG_LEVEL") == 0 ? NAME_OF_ANYBODY : NAME_OLDER;
}

size_t option_index_env(const char *name, enum option_name *kind)
{
    static const char prefix[] = "SYNCLINE_";
    const bool ours = strncmp(name, prefix, sizeof prefix - 1) == 0;
    size_t ix = 0;

    *kind = ours ? NAME_OURS : kind_of_name(name);
    if (!ours)
        return name[0] >= 'A' && name[0] <= 'Z' ? option_index(slice_str(name))
                                                : option_rows_n;
    name += sizeof prefix - 1;
    while (ix < option_rows_n && !is_env_of(name, option_rows[ix].name))
        ix++;
    return ix;
}

bool options_help(size_t ix, struct option_help *out)
{
    if (ix >= option_rows_n)
        return false;
    out->name = option_rows[ix].name;
    out->value = option_rows[ix].value;
    out->fallback = option_rows[ix].fallback;
    out->text = option_rows[ix].help;
    return true;
}
