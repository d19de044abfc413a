/* options_isync.h - the rows of the iSync face in the table of options, which
 * is too long for one file. Only options_table.c includes it, which has the
 * units. */
#ifndef SYNCLINE_APP_OPTIONS_ISYNC_H
#define SYNCLINE_APP_OPTIONS_ISYNC_H

#define OPTION_ROWS_ISYNC                                                      \
    { .name = "isync.enabled",                                                 \
        .type = OPTION_BOOL,                                                   \
        .value = "BOOL",                                                       \
        .aliases = "isync_enabled ISYNC_ENABLED",                              \
        .fallback = "false",                                                   \
        .help = "speak with iSync nodes" },                                    \
        { .name = "isync.server",                                              \
            .type = OPTION_BOOL,                                               \
            .change = OPTION_AT_ONCE,                                          \
            .value = "BOOL",                                                   \
            .fallback = "true",                                                \
            .help = "serve them; false: they are called only" },               \
        { .name = "isync.port",                                                \
            .type = OPTION_INT,                                                \
            .change = OPTION_AT_ONCE,                                          \
            .value = "N",                                                      \
            .aliases = "isync_port ISYNC_PORT",                                \
            .min = 0,                                                          \
            .max = 65535,                                                      \
            .fallback = "5342",                                                \
            .help = "where they are served; 0 picks one" },                    \
        { .name = "isync.bind",                                                \
            .type = OPTION_NAMES,                                              \
            .change = OPTION_AT_ONCE,                                          \
            .value = "A",                                                      \
            .aliases = "isync_host ISYNC_HOST",                                \
            .fallback = "127.0.0.1",                                           \
            .help = "address of that port; nobody is asked there who he is" }, \
        { .name = "isync.admit",                                               \
            .type = OPTION_NAMES,                                              \
            .change = OPTION_AT_ONCE,                                          \
            .value = "NET",                                                    \
            .fallback = "local",                                               \
            .help = "networks that may come: local, any, 192.0.2.0/24" },      \
        { .name = "isync.hosts",                                               \
            .type = OPTION_NAMES,                                              \
            .change = OPTION_AT_ONCE,                                          \
            .value = "H",                                                      \
            .help = "a name by which we may be asked for there" },             \
        { .name = "isync.pages",                                               \
            .type = OPTION_ENUM,                                               \
            .change = OPTION_AT_ONCE,                                          \
            .value = "WHOM",                                                   \
            .choices = "none|view|local|admitted",                             \
            .fallback = "view",                                                \
            .help = "its older pages there: this machine may look, or change " \
                    "things, too (local); or whoever may come (admitted)" },   \
        { .name = "isync.space",                                               \
            .type = OPTION_STR,                                                \
            .is_space = true,                                                  \
            .value = "S",                                                      \
            .fallback = "config",                                              \
            .help = "the space that is shared with them" },                    \
        { .name = "isync.node_id",                                             \
            .type = OPTION_STR,                                                \
            .value = "ID",                                                     \
            .help = "our node_id there [syncline- and the device's id]" },     \
        { .name = "isync.token",                                               \
            .type = OPTION_STR,                                                \
            .change = OPTION_BY_HAND,                                          \
            .value = "TEXT",                                                   \
            .aliases = "isync_token ISYNC_TOKEN",                              \
            .help =                                                            \
                "what is sealed with, as all nodes have it; better in a file", \
            .is_secret = true },                                               \
        { .name = "isync.token_file",                                          \
            .type = OPTION_STR,                                                \
            .change = OPTION_BY_HAND,                                          \
            .value = "FILE",                                                   \
            .help = "holds it [DIR/isync.token]" },                            \
        { .name = "isync.clear",                                               \
            .type = OPTION_BOOL,                                               \
            .change = OPTION_AT_ONCE,                                          \
            .value = "BOOL",                                                   \
            .fallback = "false",                                               \
            .help =                                                            \
                "say it so that everybody can read it, too, and take what "    \
                "anybody says" },                                              \
        { .name = "isync.rotate",                                              \
            .type = OPTION_DURATION,                                           \
            .change = OPTION_AT_ONCE,                                          \
            .value = "T",                                                      \
            .max = 3650 * DAY,                                                 \
            .fallback = "0",                                                   \
            .help = "seal with another key after each such time, made of the " \
                    "token; 0: never, as the originals" },                     \
        { .name = "isync.overlap",                                             \
            .type = OPTION_DURATION,                                           \
            .change = OPTION_AT_ONCE,                                          \
            .value = "T",                                                      \
            .max = 365 * DAY,                                                  \
            .fallback = "1d",                                                  \
            .help = "for how long the key before still counts" },              \
        { .name = "isync.interval",                                            \
            .type = OPTION_INT,                                                \
            .change = OPTION_AT_ONCE,                                          \
            .value = "SECONDS",                                                \
            .aliases = "auto_sync_interval",                                   \
            .min = 1,                                                          \
            .max = 86400,                                                      \
            .fallback = "30",                                                  \
            .help = "all that is there is said so often" },                    \
        { .name = "isync.max_peers",                                           \
            .type = OPTION_INT,                                                \
            .change = OPTION_AT_ONCE,                                          \
            .value = "N",                                                      \
            .aliases = "max_peers",                                            \
            .min = 0,                                                          \
            .max = 32,                                                         \
            .fallback = "3",                                                   \
            .help = "so many are called at once" },                            \
        { .name = "isync.peers",                                               \
            .type = OPTION_NAMES,                                              \
            .change = OPTION_AT_ONCE,                                          \
            .value = "URL",                                                    \
            .aliases = "isync_peer_urls ISYNC_PEER_URLS",                      \
            .help = "nodes to call: http://HOST:5342, https://HOST" },         \
        { .name = "isync.auto_discover",                                       \
            .type = OPTION_BOOL,                                               \
            .change = OPTION_AT_ONCE,                                          \
            .value = "BOOL",                                                   \
            .aliases = "isync_auto_discover",                                  \
            .fallback = "true",                                                \
            .help = "call nodes of isync.discovery_url, too" },                \
        { .name = "isync.discovery_url",                                       \
            .type = OPTION_STR,                                                \
            .change = OPTION_AT_ONCE,                                          \
            .value = "URL",                                                    \
            .aliases = "peer_discovery_url",                                   \
            .help = "where a list of nodes is fetched; none: nowhere" },       \
        { .name = "isync.ca",                                                  \
            .type = OPTION_STR,                                                \
            .change = OPTION_BY_HAND,                                          \
            .value = "FILE",                                                   \
            .help = "PEM of the authorities for https [the system's]" },       \
        { .name = "isync.patterns",                                            \
            .type = OPTION_NAMES,                                              \
            .change = OPTION_AT_ONCE,                                          \
            .value = "P",                                                      \
            .help = "further paths that are shared, as config.app.*; * is "    \
                    "anything, ? one character" },                             \
    {                                                                          \
        .name = "isync.dial_max", .type = OPTION_DURATION,                     \
        .change = OPTION_AT_ONCE, .value = "T", .min = SEC, .max = 3600 * SEC, \
        .fallback = "60s",                                                     \
        .help = "longest pause between two tries to reach a node"              \
    }

#endif
