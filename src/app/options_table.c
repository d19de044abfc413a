#include "app/options_table.h"

#include <ctype.h>
#include <string.h>

#define MS INT64_C(1000)
#define SEC (1000 * MS)
#define DAY (86400 * SEC)
#define MIB (INT64_C(1) << 20)

const struct option_row option_rows[] = {
    { .name = "dir",
        .type = OPTION_STR,
        .change = OPTION_BY_HAND,
        .value = "D",
        .help = "folder of the store, the identity and the control socket" },
    { .name = "name",
        .type = OPTION_STR,
        .value = "N",
        .aliases = "LAN_SYNC_NODE_NAME",
        .help = "what people call this machine [host name]" },
    { .name = "profile",
        .type = OPTION_ENUM,
        .change = OPTION_BY_HAND,
        .value = "P",
        .choices = "single|ha-addon|development",
        .fallback = "single",
        .help = "a set of defaults: single, ha-addon or development" },
    { .name = "role",
        .type = OPTION_ENUM,
        .value = "R",
        .choices = "any|relay",
        .fallback = "any",
        .help = "relay: take nothing in clear, whatever role is granted" },
    { .name = "listen",
        .type = OPTION_ADDRS,
        .value = "A:P",
        .fallback = "0.0.0.0:4748,[::]:4748",
        .help = "where to listen; may be given again; port 0 picks one" },
    { .name = "peer",
        .type = OPTION_ADDRS,
        .value = "A:P",
        .aliases = "peers",
        .min = 1,
        .help = "a member to dial beside those found; may be given again" },
    { .name = "advertise",
        .type = OPTION_ADDRS,
        .value = "A:P",
        .aliases = "announce",
        .min = 1,
        .help = "addresses to tell others in place of those found" },
    { .name = "interface",
        .type = OPTION_NAMES,
        .value = "IF",
        .aliases = "interfaces",
        .help = "multicast on this interface only [all]" },
    { .name = "discovery",
        .type = OPTION_BOOL,
        .value = "BOOL",
        .fallback = "true",
        .help = "find members by multicast" },
    { .name = "beacon.interval",
        .type = OPTION_DURATION,
        .value = "T",
        .min = 100 * MS,
        .max = 3600 * SEC,
        .fallback = "5s",
        .help = "time between beacons" },
    { .name = "heartbeat.interval",
        .type = OPTION_DURATION,
        .value = "T",
        .min = 50 * MS,
        .max = 600 * SEC,
        .fallback = "5s",
        .help = "time between pings of a peer" },
    { .name = "heartbeat.silence",
        .type = OPTION_DURATION,
        .value = "T",
        .min = 100 * MS,
        .max = 3600 * SEC,
        .fallback = "15s",
        .help = "a peer silent for so long is gone" },
    { .name = "dial.max",
        .type = OPTION_DURATION,
        .value = "T",
        .min = 250 * MS,
        .max = 3600 * SEC,
        .fallback = "30s",
        .help = "longest pause between two tries to reach a peer" },
    { .name = "history.keep",
        .type = OPTION_INT,
        .change = OPTION_AT_ONCE,
        .value = "N",
        .max = 1000000,
        .fallback = "50",
        .help = "versions kept of each item" },
    { .name = "history.age",
        .type = OPTION_DURATION,
        .change = OPTION_AT_ONCE,
        .value = "T",
        .max = 36500 * DAY,
        .fallback = "0",
        .help = "for how long they are kept; 0: for ever" },
    { .name = "retention",
        .type = OPTION_DURATION,
        .change = OPTION_AT_ONCE,
        .value = "T",
        .min = SEC,
        .max = 36500 * DAY,
        .fallback = "30d",
        .help = "a member silent for so long holds up collection no more" },
    { .name = "collect.interval",
        .type = OPTION_DURATION,
        .change = OPTION_AT_ONCE,
        .value = "T",
        .min = 100 * MS,
        .max = DAY,
        .fallback = "10s",
        .help = "time between looks for what can be collected" },
    { .name = "clock.bound",
        .type = OPTION_DURATION,
        .change = OPTION_AT_ONCE,
        .value = "T",
        .max = 36500 * DAY,
        .fallback = "60s",
        .help = "a clock further ahead of most others is not written by; "
                "0: any is" },
    { .name = "store.overlay",
        .type = OPTION_SIZE,
        .value = "SIZE",
        .min = MIB,
        .max = 4096 * MIB,
        .fallback = "64MiB",
        .help = "memory for what is not yet in the database" },
    { .name = "store.checkpoint_age",
        .type = OPTION_DURATION,
        .value = "T",
        .min = 10 * MS,
        .max = 3600 * SEC,
        .fallback = "1s",
        .help = "time after which changes move into the database" },
    { .name = "resolve.command",
        .type = OPTION_STR,
        .change = OPTION_BY_HAND,
        .value = "FILE",
        .help = "program that resolves conflicts under the policy custom" },
    { .name = "limits.frames",
        .type = OPTION_INT,
        .change = OPTION_AT_ONCE,
        .value = "N",
        .max = 1000000000,
        .fallback = "20000",
        .help = "frames a second of one peer; more wait; 0: no limit" },
    { .name = "limits.rows",
        .type = OPTION_INT,
        .change = OPTION_AT_ONCE,
        .value = "N",
        .max = 1000000000,
        .fallback = "100000",
        .help = "rows a second of one peer; more wait; 0: no limit" },
    { .name = "limits.bytes",
        .type = OPTION_SIZE,
        .change = OPTION_AT_ONCE,
        .value = "SIZE",
        .max = 1048576 * MIB,
        .fallback = "128MiB",
        .help = "bytes a second of one peer; more wait; 0: no limit" },
    { .name = "limits.memory",
        .type = OPTION_SIZE,
        .change = OPTION_AT_ONCE,
        .value = "SIZE",
        .max = 1048576 * MIB,
        .fallback = "128MiB",
        .help = "memory for one peer; beyond it it is refused; 0: no limit" },
    { .name = "limits.strangers",
        .type = OPTION_INT,
        .change = OPTION_AT_ONCE,
        .value = "N",
        .max = 1000000,
        .fallback = "4096",
        .help = "replicas of unknown devices from one peer; 0: no limit" },
    { .name = "limits.backoff",
        .type = OPTION_DURATION,
        .change = OPTION_AT_ONCE,
        .value = "T",
        .max = DAY,
        .fallback = "10m",
        .help = "longest that a peer is refused for breaking rules; 0: never" },
    { .name = "limits.writes",
        .type = OPTION_INT,
        .change = OPTION_AT_ONCE,
        .value = "N",
        .max = 1000000000,
        .fallback = "20000",
        .help = "changes a second made here; more are refused; 0: no limit" },
    { .name = "limits.write_bytes",
        .type = OPTION_SIZE,
        .change = OPTION_AT_ONCE,
        .value = "SIZE",
        .max = 1048576 * MIB,
        .fallback = "64MiB",
        .help = "bytes a second written here; more are refused; 0: no limit" },
    { .name = "limits.keys",
        .type = OPTION_INT,
        .change = OPTION_AT_ONCE,
        .value = "N",
        .max = 1000000000,
        .fallback = "1000000",
        .help = "items of a space beyond which none is made; 0: no limit" },
    { .name = "passphrase.file",
        .type = OPTION_STR,
        .change = OPTION_BY_HAND,
        .value = "FILE",
        .help = "holds the passphrase of the device's key" },
    { .name = "http.enabled",
        .type = OPTION_BOOL,
        .value = "BOOL",
        .fallback = "true",
        .help = "answer HTTPS, and on this machine HTTP" },
    { .name = "http.hosts",
        .type = OPTION_NAMES,
        .value = "H",
        .help = "a name to be asked for by HTTP beside localhost; may be "
                "given again" },
    { .name = "http.connections",
        .type = OPTION_INT,
        .value = "N",
        .min = 16,
        .max = 100000,
        .fallback = "256",
        .help = "of HTTP and HTTPS at once" },
    { .name = "http.stall",
        .type = OPTION_DURATION,
        .value = "T",
        .min = SEC,
        .max = DAY,
        .fallback = "60s",
        .help = "who has something to read for so long and reads none of it "
                "is ended" },
    { .name = "configsync.enabled",
        .type = OPTION_ENUM,
        .value = "WHEN",
        .choices = "auto|true|false",
        .fallback = "auto",
        .help = "speak with config-sync instances; auto: if any is named or "
                "served" },
    { .name = "configsync.server",
        .type = OPTION_ENUM,
        .value = "WHEN",
        .choices = "auto|true|false",
        .aliases = "enable_sync_server AICLEANER_SYNC_ENABLE_SERVER",
        .fallback = "auto",
        .help = "serve them; auto: if any is named, or it is enabled" },
    { .name = "configsync.port",
        .type = OPTION_INT,
        .value = "N",
        .aliases = "sync_port AICLEANER_SYNC_PORT",
        .min = 0,
        .max = 65535,
        .fallback = "8765",
        .help = "where they are served; 0 picks one" },
    { .name = "configsync.bind",
        .type = OPTION_NAMES,
        .value = "A",
        .fallback = "127.0.0.1",
        .help = "address of that port; in clear and without authentication" },
    { .name = "configsync.admit",
        .type = OPTION_NAMES,
        .value = "NET",
        .fallback = "local",
        .help = "networks that may come: local, any, 192.0.2.0/24" },
    { .name = "configsync.peers",
        .type = OPTION_NAMES,
        .value = "URL",
        .aliases = "peer_urls AICLEANER_SYNC_PEERS",
        .help = "instances to call: ws://HOST:8765/sync, wss://HOST/sync" },
    { .name = "configsync.ca",
        .type = OPTION_STR,
        .change = OPTION_BY_HAND,
        .value = "FILE",
        .help = "PEM of the authorities for wss [the system's]" },
    { .name = "configsync.space",
        .type = OPTION_STR,
        .value = "S",
        .fallback = "config",
        .help = "space of the item that is the configuration" },
    { .name = "configsync.key",
        .type = OPTION_STR,
        .value = "K",
        .fallback = "config",
        .help = "its key" },
    { .name = "configsync.instance",
        .type = OPTION_STR,
        .value = "ID",
        .aliases = "AICLEANER_INSTANCE_ID",
        .help = "our instance_id there [syncline_ and the device's id]" },
    { .name = "configsync.adopt",
        .type = OPTION_BOOL,
        .value = "BOOL",
        .fallback = "true",
        .help = "take the first configuration that comes if there is none" },
    { .name = "configsync.batch",
        .type = OPTION_DURATION,
        .value = "T",
        .max = 60 * SEC,
        .fallback = "100ms",
        .help = "changes within it are one message" },
    { .name = "configsync.heartbeat",
        .type = OPTION_DURATION,
        .value = "T",
        .max = 3600 * SEC,
        .fallback = "30s",
        .help = "time between heartbeats; 0: none" },
    { .name = "configsync.dial_max",
        .type = OPTION_DURATION,
        .value = "T",
        .min = SEC,
        .max = 3600 * SEC,
        .fallback = "60s",
        .help = "longest pause between two tries to reach an instance" },
    { .name = "configsync.rate",
        .type = OPTION_INT,
        .value = "N",
        .aliases = "rate_limit_requests_per_minute",
        .max = 100000,
        .fallback = "60",
        .help = "requests a minute of one address, and ten; 0: no limit" },
    { .name = "configsync.block",
        .type = OPTION_INT,
        .value = "SECONDS",
        .aliases = "rate_limit_block_duration",
        .max = 86400,
        .fallback = "120",
        .help = "for how long one that asks more often is refused" },
    { .name = "configsync.local_exempt",
        .type = OPTION_BOOL,
        .value = "BOOL",
        .aliases = "rate_limit_whitelist_local",
        .fallback = "true",
        .help = "not those of private networks" },
    { .name = "tls.cert",
        .type = OPTION_STR,
        .change = OPTION_BY_HAND,
        .value = "FILE",
        .help = "certificate to show by HTTPS; read again when it changes "
                "[DIR/web.pem]" },
    { .name = "tls.key",
        .type = OPTION_STR,
        .change = OPTION_BY_HAND,
        .value = "FILE",
        .help = "its private key" },
    { .name = "files.root",
        .type = OPTION_NAMES,
        .change = OPTION_BY_HAND,
        .value = "DIR",
        .help = "folder below which files may be bound; may be given again" },
    { .name = "files.max",
        .type = OPTION_SIZE,
        .value = "SIZE",
        .min = 1024,
        .max = 4 * MIB,
        .fallback = "1MiB",
        .help = "largest file that is bound" },
    { .name = "log.level",
        .type = OPTION_LOG,
        .change = OPTION_AT_ONCE,
        .value = "L",
        .aliases = "AICLEANER_LOG_LEVEL LOG_LEVEL",
        .fallback = "info",
        .help = "error, warn, info or debug; of a module: info,net=debug" },
    { .name = "log.format",
        .type = OPTION_ENUM,
        .change = OPTION_AT_ONCE,
        .value = "F",
        .choices = "text|json",
        .fallback = "text",
        .help = "text or json, a line each on standard error" },
    { .name = "log.to",
        .type = OPTION_ENUM,
        .change = OPTION_AT_ONCE,
        .value = "T",
        .choices = "auto|stderr|journal",
        .fallback = "auto",
        .help = "auto, stderr or journal; auto: the journal under systemd" },
    { .name = "log.socket",
        .type = OPTION_STR,
        .change = OPTION_BY_HAND,
        .value = "FILE",
        .fallback = "/run/systemd/journal/socket",
        .help = "of the journal" },
};

const size_t option_rows_n = sizeof option_rows / sizeof option_rows[0];

_Static_assert(sizeof option_rows / sizeof option_rows[0] <= OPTIONS_MAX,
    "struct options has room for every row");

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
