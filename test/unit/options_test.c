#include "app/options/options.h"

#include <stdio.h>

#include "unit/check.h"

static const struct options_host host = { "kitchen", "/srv/here" };

static struct options *fresh(void)
{
    struct options *o = NULL;

    CHECK_OK(options_new(&o, &host, NULL));
    return o;
}

/* Reads a file's text under the name f.yaml. */
static int yaml(struct options *o, const char *text, struct errmsg *why)
{
    return options_read_yaml(o, slice_str(text), "f.yaml", why);
}

static void check_value(
    const struct options *o, const char *name, const char *want)
{
    struct buf b = { 0 };

    options_print(o, name, &b);
    CHECK_SAYING(slice_is(buf_slice(&b), want), "%s: got \"%.*s\", not \"%s\"",
        name, SLICE_FMT(buf_slice(&b)), want);
    buf_free(&b);
}

static void check_source(
    const struct options *o, const char *name, const char *want)
{
    CHECK_SLICE(slice_str(options_source(o, name)), want);
}

/* Nobody said anything: the table speaks, and the host for two options. */
TEST(defaults)
{
    struct options *o = fresh();

    check_value(o, "dir", "/srv/here");
    check_value(o, "name", "kitchen");
    check_value(o, "listen", "0.0.0.0:4748,[::]:4748");
    check_value(o, "peer", "");
    CHECK_UINT(options_us(o, "heartbeat.silence"), 15000000);
    CHECK_UINT(options_us(o, "retention"), 30ull * 86400 * 1000000);
    CHECK_UINT(options_us(o, "collect.interval"), 10000000);
    CHECK_UINT(options_us(o, "clock.bound"), 60000000);
    CHECK_UINT(options_size(o, "store.overlay"), 64 << 20);
    CHECK_INT(options_int(o, "history.keep"), 50);
    CHECK(options_bool(o, "discovery"));
    check_source(o, "log.level", "default");
    options_free(o);
}

/* The file, the environment and the flags all set the same; the order in
 * which they are read does not matter. */
TEST(rising_order)
{
    char *const env[] = { "HOME=/root", "SYNCLINE_LOG_LEVEL=warn",
        "SYNCLINE_HISTORY_KEEP=7", NULL };
    struct options *o = fresh();

    CHECK_OK(options_read_flag(o, "log.level", "error", NULL));
    CHECK_OK(options_read_env(o, env, NULL));
    CHECK_OK(yaml(o,
        "name: hall\n"
        "log:\n"
        "  level: debug\n"
        "history.keep: 3\n",
        NULL));
    check_value(o, "log.level", "error");
    check_source(o, "log.level", "flag --log.level");
    check_value(o, "history.keep", "7");
    check_source(o, "history.keep", "environment SYNCLINE_HISTORY_KEEP");
    check_value(o, "name", "hall");
    check_source(o, "name", "file f.yaml:1");
    options_free(o);
}

/* A flag that is given again adds to the list, and the whole of it replaces
 * what the file says. */
TEST(lists_of_addresses)
{
    struct options *o = fresh();

    CHECK_OK(yaml(o, "listen: [10.0.0.1:1, '[::1]:2', kitchen]\n", NULL));
    check_value(o, "listen", "10.0.0.1:1,[::1]:2,kitchen:4748");
    CHECK_OK(options_read_flag(o, "listen", "127.0.0.1:0", NULL));
    CHECK_OK(options_read_flag(o, "listen", "fe80::1,[fe80::2]:9", NULL));
    check_value(o, "listen", "127.0.0.1:0,[fe80::1]:4748,[fe80::2]:9");
    CHECK_UINT(options_list_n(o, "listen"), 3);
    CHECK_SLICE(slice_str(options_addr(o, "listen", 2).host), "fe80::2");
    CHECK_UINT(options_addr(o, "listen", 2).port, 9);
    CHECK(options_is_list("listen"));
    CHECK(!options_is_list("name"));
    options_free(o);
}

TEST(an_empty_list_is_a_value)
{
    struct options *o = fresh();

    CHECK_OK(yaml(o, "listen: []\n", NULL));
    check_value(o, "listen", "");
    check_source(o, "listen", "file f.yaml:1");
    options_free(o);
}

/* Each is refused, with the place in the file. */
TEST(what_is_wrong_in_a_file)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "nmae: x\n", "f.yaml:1:1: nmae: there is no such option" },
        { "log:\n  levle: x\n", "f.yaml:2:3: log.levle: there is no such" },
        { "log:\n  level: loud\n",
            "f.yaml:2:10: log.level: \"loud\" is none of error|warn" },
        { "enable_sync_server: maybe\n",
            "f.yaml:1:21: enable_sync_server (configsync.server): \"maybe\" is "
            "none of" },
        { "sync_port: 1\nconfigsync.port: 2\n",
            "f.yaml:2:1: configsync.port: is set a second time" },
        { "lansync.space: _mesh\n",
            "f.yaml:1:16: lansync.space: \"_mesh\": a space's name has 1 to" },
        { "isync.space: \"\"\n",
            "f.yaml:1:14: isync.space: \"\": a space's name has 1 to" },
        { "configsync:\n  space: a/b\n",
            "f.yaml:2:10: configsync.space: \"a/b\": a space's name has" },
        { "log: debug\n", "f.yaml:1:6: log: is a group of options" },
        { "history:\n  keep: many\n",
            "f.yaml:2:9: history.keep: \"many\" is not a whole number" },
        { "history.keep: 1000001\n",
            "f.yaml:1:15: history.keep: \"1000001\" must be between 0 and " },
        { "history.keep: 99999999999999999999\n",
            "f.yaml:1:15: history.keep: \"99999999999999999999\" must be" },
        { "history.keep: [1]\n",
            "f.yaml:1:15: history.keep: wants a whole number, not a list" },
        { "beacon.interval: 5\n",
            "f.yaml:1:18: beacon.interval: \"5\" is not a duration" },
        { "beacon.interval: 5ms\n",
            "f.yaml:1:18: beacon.interval: \"5ms\" must be between 100ms and "
            "1h" },
        { "store.overlay: 64MB\n",
            "f.yaml:1:16: store.overlay: \"64MB\" is not a size" },
        { "discovery: maybe\n",
            "f.yaml:1:12: discovery: \"maybe\" is not true or false" },
        { "discovery:\n", "f.yaml:1:11: discovery: wants true or false; " },
        { "name: {a: b}\n", "f.yaml:1:7: name: wants a text, not a mapping" },
        { "peer:\n  - 10.0.0.1:4748\n  - 10.0.0.2:0\n",
            "f.yaml:3:5: peer: \"10.0.0.2:0\" is not an address" },
        { "peer: 10.0.0.1:65536\n", "f.yaml:1:7: peer: \"10.0.0.1:65536\" " },
        { "peer: '[::1'\n", "f.yaml:1:7: peer: \"[::1\" is not an address" },
        { "peer: 'x[::1]'\n",
            "f.yaml:1:7: peer: \"x[::1]\" is not an address" },
        { "peer: '10.0.0.1:'\n", "f.yaml:1:7: peer: \"10.0.0.1:\" is not" },
        { "name: a\nname: b\n", "f.yaml:2:1: name: is set a second time" },
        { "log.level: info\nlog:\n  level: info\n",
            "f.yaml:3:3: log.level: is set a second time" },
        { "name: \"a\n", "f.yaml:2:1: found unexpected end of stream" },
        { "- a\n", "f.yaml:1:1: expected lines of the form" },
        { "[a]: b\n", "f.yaml:1:1: a key must be a plain word" },
        { "name: *nobody\n", "f.yaml:1:7: found undefined alias" },
        { "name: \"a\\0b\"\n", "f.yaml:1:7: name: the value is not UTF-8" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct options *o = fresh();
        struct errmsg why = { "" };

        CHECK_SAYING(yaml(o, rows[i].text, &why) == SYNCLINE_EINVAL,
            "accepted: %s", rows[i].text);
        CHECK_SAYING(strncmp(why.text, rows[i].want, strlen(rows[i].want)) == 0,
            "got \"%s\", not \"%s...\"", why.text, rows[i].want);
        options_free(o);
    }
}

TEST(a_file_may_be_empty)
{
    static const char *const texts[] = { "", "# nothing\n", "---\n", "{}\n" };

    for (size_t i = 0; i < ARRAY_N(texts); i++) {
        struct options *o = fresh();

        CHECK_OK(yaml(o, texts[i], NULL));
        check_source(o, "name", "default");
        options_free(o);
    }
}

TEST(how_values_are_written)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        { "beacon.interval", "1000ms", "1s" },
        { "beacon.interval", "90s", "90s" },
        { "beacon.interval", "60min", "1h" },
        { "history.age", "0", "0" },
        { "history.age", "14d", "14d" },
        { "store.overlay", "1048576", "1MiB" },
        { "store.overlay", "1G", "1GiB" },
        { "store.overlay", "1536K", "1536KiB" },
        { "discovery", "OFF", "false" },
        { "discovery", "yes", "true" },
        { "log.level", "INFO", "info" },
        { "log.level", "store=Warning net=trace", "info,net=debug,store=warn" },
        { "interface", "eth0, wlan0", "eth0,wlan0" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct options *o = fresh();

        CHECK_OK(options_read_flag(o, rows[i].name, rows[i].text, NULL));
        check_value(o, rows[i].name, rows[i].want);
        options_free(o);
    }
}

TEST(what_is_wrong_elsewhere_says_where)
{
    char *const env[] = { "SYNCLINE_DISCOVERY=perhaps", NULL };
    struct options *o = fresh();
    struct errmsg why = { "" };

    CHECK_INT(options_read_env(o, env, &why), SYNCLINE_EINVAL);
    CHECK_SLICE(slice_str(why.text),
        "environment SYNCLINE_DISCOVERY: \"perhaps\" is not true or false");
    CHECK_INT(
        options_read_flag(o, "discovery", "perhaps", &why), SYNCLINE_EINVAL);
    CHECK_SLICE(
        slice_str(why.text), "--discovery: \"perhaps\" is not true or false");
    CHECK_INT(options_read_flag(o, "disco", "true", &why), SYNCLINE_EINVAL);
    CHECK_SLICE(slice_str(why.text), "there is no option --disco");
    options_free(o);
}

/* Older names are heard, ours win, empty ones are none, and what looks like
 * ours but is none is told. */
TEST(names_in_the_environment)
{
    char *const env[] = { "SYNCLINE_NAME=ours", "LAN_SYNC_NODE_NAME=theirs",
        "AICLEANER_LOG_LEVEL=WARN", "SYNCLINE_LISTN=x", "SYNCLINE_LOG=y",
        "SYNCLINE_HISTORY_KEEP=", "SYNCLINE=/bin/true", "name=lower", NULL };
    struct options *o = fresh();

    CHECK_OK(options_read_env(o, env, NULL));
    check_value(o, "name", "ours");
    check_value(o, "log.level", "warn");
    check_source(o, "log.level", "environment AICLEANER_LOG_LEVEL");
    check_source(o, "history.keep", "default");
    CHECK_SLICE(slice_str(options_strangers(o)), "SYNCLINE_LISTN SYNCLINE_LOG");
    options_free(o);
}

TEST(names_of_the_older_lan_sync)
{
    static const struct {
        const char *env, *name, *value;
    } rows[] = {
        { "LAN_SYNC_ENABLED=true", "lansync.enabled", "true" },
        { "LAN_SYNC_PORT=5055", "lansync.port", "5055" },
        { "LAN_SYNC_NODE_ID=node-1", "lansync.node_id", "node-1" },
        { "LAN_SYNC_NODE_NAME=My Node", "name", "My Node" },
        { "LAN_SYNC_DISCOVERY_INTERVAL=7", "lansync.discovery_interval", "7" },
        { "LAN_SYNC_DEVICE_TIMEOUT=21", "lansync.device_timeout", "21" },
        { "LAN_USE_SSL=true", "lansync.tls", "true" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        char *const env[] = { text, NULL };
        struct options *o = fresh();

        (void)snprintf(text, sizeof text, "%s", rows[i].env);
        CHECK_OK(options_read_env(o, env, NULL));
        check_value(o, rows[i].name, rows[i].value);
        options_free(o);
    }
}

/* The level's older names: ours wins, then those of older systems, then what
 * may be meant for any program, which need not make sense to us. */
TEST(names_of_the_logs_level)
{
    static const struct {
        const char *env[4];
        const char *level, *source;
    } rows[] = {
        { { "LOG_LEVEL=DEBUG" }, "debug", "environment LOG_LEVEL" },
        { { "AICLEANER_LOG_LEVEL=WARNING", "LOG_LEVEL=DEBUG" }, "warn",
            "environment AICLEANER_LOG_LEVEL" },
        { { "LOG_LEVEL=DEBUG", "AICLEANER_LOG_LEVEL=CRITICAL" }, "error",
            "environment AICLEANER_LOG_LEVEL" },
        { { "SYNCLINE_LOG_LEVEL=net=debug", "AICLEANER_LOG_LEVEL=ERROR",
              "LOG_LEVEL=ERROR" },
            "info,net=debug", "environment SYNCLINE_LOG_LEVEL" },
        { { "LOG_LEVEL=7" }, "info", "default" },
        { { "LOG_LEVEL=hyper::proto=trace" }, "info", "default" },
        { { "LOG_LEVEL=" }, "info", "default" },
    };
    char *const wrong[] = { "AICLEANER_LOG_LEVEL=7", NULL };
    struct options *o = fresh();
    struct errmsg why = { "" };

    CHECK_INT(options_read_env(o, wrong, &why), SYNCLINE_EINVAL);
    CHECK_SLICE(slice_str(why.text),
        "environment AICLEANER_LOG_LEVEL: \"7\" is none of "
        "error|warn|info|debug");
    options_free(o);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        char *env[4] = { NULL };

        for (size_t k = 0; k < ARRAY_N(env) && rows[i].env[k] != NULL; k++)
            env[k] = (char *)(uintptr_t)rows[i].env[k];
        o = fresh();
        CHECK_OK(options_read_env(o, env, NULL));
        check_value(o, "log.level", rows[i].level);
        check_source(o, "log.level", rows[i].source);
        CHECK_SLICE(slice_str(options_strangers(o)), "");
        options_free(o);
    }
}

TEST(aliases_in_a_file)
{
    struct options *o = fresh();
    struct errmsg why = { "" };

    CHECK_OK(yaml(o, "peers: [10.0.0.1]\nannounce: 192.0.2.1\n", NULL));
    check_value(o, "peer", "10.0.0.1:4748");
    check_value(o, "advertise", "192.0.2.1:4748");
    CHECK_SLICE(slice_str(options_find("peers")), "peer");
    CHECK(options_find("nothing") == NULL);
    options_free(o);

    o = fresh();
    CHECK_INT(yaml(o, "peer: a\npeers: b\n", &why), SYNCLINE_EINVAL);
    CHECK_SLICE(
        slice_str(why.text), "f.yaml:2:1: peers (peer): is set a second time");
    options_free(o);
}

/* As the older system calls them; what is secret is not told. */
TEST(names_of_isync)
{
    struct options *o = fresh();

    CHECK_OK(yaml(o,
        "isync_enabled: true\nisync_peer_urls: 'http://a:5342, http://b'\n"
        "isync_token: hush\nisync_auto_discover: false\n"
        "auto_sync_interval: '45'\nmax_peers: 2\n"
        "peer_discovery_url: https://example.org/peers.json\n",
        NULL));
    CHECK(options_bool(o, "isync.enabled"));
    check_value(o, "isync.peers", "http://a:5342,http://b");
    CHECK(!options_bool(o, "isync.auto_discover"));
    CHECK_INT(options_int(o, "isync.interval"), 45);
    CHECK_INT(options_int(o, "isync.max_peers"), 2);
    check_value(o, "isync.discovery_url", "https://example.org/peers.json");
    check_value(o, "isync.token", "(set)");
    CHECK_SLICE(slice_str(options_str(o, "isync.token")), "hush");
    options_free(o);

    o = fresh();
    CHECK_OK(options_read_flag(o, "profile", "development", NULL));
    CHECK_OK(options_load(o, NULL, NULL));
    check_value(o, "isync.port", "5002");
    check_value(o, "isync.token", "");
    options_free(o);
}

/* A profile moves defaults and nothing that was set. */
TEST(profiles)
{
    struct options *o = fresh();

    CHECK_OK(options_read_flag(o, "profile", "development", NULL));
    CHECK_OK(options_read_flag(o, "log.level", "warn", NULL));
    CHECK_OK(options_load(o, NULL, NULL));
    check_value(o, "listen", "127.0.0.1:4748,[::1]:4748");
    check_source(o, "listen", "profile development");
    check_value(o, "log.level", "warn");
    check_source(o, "name", "default");
    options_free(o);

    o = fresh();
    CHECK_OK(options_read_flag(o, "profile", "ha-addon", NULL));
    CHECK_OK(options_load(o, NULL, NULL));
    check_value(o, "dir", "/data/syncline");
    check_source(o, "dir", "profile ha-addon");
    options_free(o);

    /* Commands find the daemon by what the environment says. */
    o = fresh();
    CHECK_OK(options_read_env(
        o, (char *[]){ (char[]){ "SYNCLINE_PROFILE=ha-addon" }, NULL }, NULL));
    check_value(o, "dir", "/data/syncline");
    options_free(o);
}

TEST(options_that_contradict_each_other)
{
    struct options *o = fresh();
    struct errmsg why = { "" };

    CHECK_OK(options_read_flag(o, "heartbeat.interval", "20s", NULL));
    CHECK_INT(options_load(o, NULL, &why), SYNCLINE_EINVAL);
    CHECK(strncmp(why.text, "heartbeat.silence (default) must be longer", 42) ==
        0);
    options_free(o);
}

TEST(a_file_that_was_named_must_be_there)
{
    struct options *o = fresh();
    struct errmsg why = { "" };

    CHECK_INT(options_load(o, "/nonexistent/f.yaml", &why), SYNCLINE_ENOTFOUND);
    CHECK_SLICE(slice_str(why.text),
        "configuration /nonexistent/f.yaml: No such file or directory");
    options_free(o);
}

/* SIGHUP: flags and environment stay, with their sources. */
TEST(reload_keeps_what_no_file_said)
{
    char *const env[] = { "SYNCLINE_STORE_OVERLAY=2MiB", NULL };
    struct options *o = fresh(), *again = NULL;

    CHECK_OK(options_read_flag(o, "peer", "10.0.0.1", NULL));
    CHECK_OK(options_read_flag(o, "peer", "10.0.0.2", NULL));
    CHECK_OK(options_read_flag(o, "discovery", "no", NULL));
    CHECK_OK(options_read_env(o, env, NULL));
    CHECK_OK(yaml(o, "name: hall\n", NULL));
    CHECK_OK(options_reload(&again, o, NULL));
    options_free(o);
    check_value(again, "peer", "10.0.0.1:4748,10.0.0.2:4748");
    check_source(again, "peer", "flag --peer");
    check_value(again, "discovery", "false");
    check_value(again, "store.overlay", "2MiB");
    check_source(again, "store.overlay", "environment SYNCLINE_STORE_OVERLAY");
    check_value(again, "name", "kitchen");
    options_free(again);
}

TEST(what_config_shows)
{
    struct options *o = fresh();
    struct arena a = { 0 };
    const struct json *all = options_describe(o, o, &a), *listen = NULL;
    struct option_help h;
    size_t n = 0;

    CHECK(all != NULL);
    while (options_help(n, &h))
        n++;
    CHECK_UINT(all->n, n);
    for (const struct json *v = all->first; v != NULL; v = v->next)
        if (slice_is(json_get_str(v, "name"), "listen"))
            listen = v;
    CHECK(listen != NULL);
    CHECK_INT(json_get(listen, "value")->type, JSON_ARRAY);
    CHECK_SLICE(json_get(listen, "value")->first->s, "0.0.0.0:4748");
    CHECK_SLICE(json_get_str(listen, "source"), "default");
    arena_free(&a);
    options_free(o);
}

static int all_of_it(void)
{
    char *const env[] = { "SYNCLINE_PEER=10.0.0.1,10.0.0.2",
        "SYNCLINE_STRANGE=1", NULL };
    struct options *o = NULL, *again = NULL;
    int rc = options_new(&o, &host, NULL);

    if (rc == SYNCLINE_OK)
        rc = options_read_env(o, env, NULL);
    if (rc == SYNCLINE_OK)
        rc = options_read_flag(o, "listen", "[::1]:1,a:2", NULL);
    if (rc == SYNCLINE_OK)
        rc = yaml(o, "log: {level: warn}\ninterface: [a, b]\n", NULL);
    if (rc == SYNCLINE_OK)
        rc = options_reload(&again, o, NULL);
    options_free(again);
    options_free(o);
    return rc;
}

TEST(memory_that_runs_out)
{
    for (long n = 0; n < 10000; n++) {
        int rc;

        check_alloc_fail_from(n);
        rc = all_of_it();
        check_alloc_fail_from(-1);
        if (rc == SYNCLINE_OK) {
            CHECK(n > 3);
            return;
        }
        CHECK_SAYING(rc == SYNCLINE_ENOMEM, "allocation %ld: %d", n, rc);
    }
    CHECK(false);
}

TEST(a_file_that_there_is_no_memory_for_is_not_called_large)
{
    struct errmsg why = { "" };
    struct options *o = NULL;
    int rc;

    CHECK_OK(options_new(&o, &host, NULL));
    check_alloc_fail_from(0);
    rc = options_read_file(o, "/dev/null", &why);
    check_alloc_fail_from(-1);
    CHECK_INT(rc, SYNCLINE_ENOMEM);
    CHECK_SLICE(slice_str(why.text), "configuration /dev/null: memory ran out");
    options_free(o);
}
