/* LAN sync through syncline_lan.h, as any program would use it. */
#include "unit/lan_world.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- configuration ---- */

TEST(defaults_and_the_environment)
{
    struct syncline_lan_config c;

    syncline_lan_config_init(&c);
    CHECK_INT(c.sync_port, 5000);
    CHECK_INT(c.enabled, 1);
    CHECK_INT(c.require_authentication, 1);
    CHECK_INT(c.use_ssl, 1);
    CHECK_INT(c.verify_ssl, 1);
    CHECK_UINT(c.message_ttl_ms, 60000);
    CHECK_UINT(c.heartbeat_ms, 30000);
    CHECK_OK(syncline_lan_config_env(&c));
    CHECK(c.node_id == NULL);
    CHECK(setenv("LAN_SYNC_PORT", "6000", 1) == 0);
    CHECK(setenv("LAN_SYNC_NODE_ID", "n", 1) == 0);
    CHECK(setenv("LAN_SYNC_NODE_NAME", "Name", 1) == 0);
    CHECK(setenv("LAN_SYNC_ENABLED", "False", 1) == 0);
    CHECK(setenv("LAN_USE_SSL", "no", 1) == 0);
    CHECK(setenv("TROSYNC_VERIFY_SSL", "0", 1) == 0);
    CHECK_OK(syncline_lan_config_env(&c));
    CHECK_INT(c.use_ssl, 0);
    CHECK_INT(c.verify_ssl, 0);
    CHECK(setenv("LAN_SYNC_DISCOVERY_INTERVAL", "2", 1) == 0);
    CHECK(setenv("LAN_SYNC_DEVICE_TIMEOUT", "6", 1) == 0);
    CHECK_OK(syncline_lan_config_env(&c));
    CHECK_UINT(c.discovery_interval_ms, 2000);
    CHECK_UINT(c.device_timeout_ms, 6000);
    CHECK(setenv("LAN_SYNC_DEVICE_TIMEOUT", "-1", 1) == 0);
    check_fails(syncline_lan_config_env(&c), SYNCLINE_EINVAL,
        "LAN_SYNC_DEVICE_TIMEOUT");
    (void)unsetenv("LAN_SYNC_DISCOVERY_INTERVAL");
    (void)unsetenv("LAN_SYNC_DEVICE_TIMEOUT");
    (void)unsetenv("LAN_USE_SSL");
    (void)unsetenv("TROSYNC_VERIFY_SSL");
    CHECK_INT(c.sync_port, 6000);
    CHECK_INT(c.enabled, 0);
    CHECK_SLICE(slice_str(c.node_id), "n");
    CHECK_SLICE(slice_str(c.node_name), "Name");
    CHECK(setenv("LAN_SYNC_NODE_ID", "other", 1) == 0);
    CHECK(setenv("LAN_SYNC_PORT", "70000", 1) == 0);
    check_fails(syncline_lan_config_env(&c), SYNCLINE_EINVAL, "LAN_SYNC_PORT");
    CHECK_INT(c.sync_port, 6000);
    CHECK(setenv("LAN_SYNC_PORT", "", 1) == 0);
    CHECK(setenv("LAN_SYNC_ENABLED", "maybe", 1) == 0);
    check_fails(
        syncline_lan_config_env(&c), SYNCLINE_EINVAL, "LAN_SYNC_ENABLED");
    (void)unsetenv("LAN_SYNC_ENABLED");
    CHECK_OK(syncline_lan_config_env(&c));
    CHECK_SLICE(slice_str(c.node_id), "other");
    CHECK_INT(c.sync_port, 6000);
    (void)unsetenv("LAN_SYNC_PORT");
    (void)unsetenv("LAN_SYNC_NODE_ID");
    (void)unsetenv("LAN_SYNC_NODE_NAME");
}

TEST(what_no_configuration_can_be_is_said)
{
    static const char *const nets[] = { "local", "nowhere", NULL };
    struct syncline_lan_config c;
    struct syncline_lan_handler *h;
    struct syncline_lan_server *s;
    struct syncline_lan_client *x;
    struct syncline_lan_discovery *n;

    syncline_lan_config_init(&c);
    c.size = 3;
    check_fails(syncline_lan_handler_new(&h, &c, "s", 1), SYNCLINE_EINVAL,
        "configuration");
    check_fails(
        syncline_lan_handler_new(&h, NULL, "", 0), SYNCLINE_EINVAL, "secret");
    syncline_lan_config_init(&c);
    c.node_id = "";
    check_fails(
        syncline_lan_handler_new(&h, &c, "s", 1), SYNCLINE_EINVAL, "node_id");
    c.node_id = "n";
    c.message_ttl_ms = 0;
    check_fails(syncline_lan_handler_new(&h, &c, "s", 1), SYNCLINE_EINVAL,
        "message_ttl_ms");
    CHECK_OK(syncline_lan_handler_new(&h, NULL, "\0\xff", 2));
    CHECK_UINT(strlen(syncline_lan_handler_node_id(h)), 32);
    syncline_lan_config_init(&c);
    check_fails(syncline_lan_server_new(&s, &c, NULL, NULL, NULL),
        SYNCLINE_EINVAL, "handler");
    c.sync_port = 65536;
    check_fails(syncline_lan_server_new(&s, &c, h, NULL, NULL), SYNCLINE_EINVAL,
        "sync_port");
    c.sync_port = 5000;
    check_fails(syncline_lan_discovery_new(&n, &c, h, 65536, NULL, NULL),
        SYNCLINE_EINVAL, "port");
    c.device_timeout_ms = 0;
    check_fails(syncline_lan_discovery_new(&n, &c, h, 5000, NULL, NULL),
        SYNCLINE_EINVAL, "device_timeout_ms");
    c.device_timeout_ms = 90000;
    c.host = "127.0.0.1:80";
    check_fails(syncline_lan_server_new(&s, &c, h, NULL, NULL), SYNCLINE_EINVAL,
        "host");
    c.host = "0.0.0.0";
    c.admit = nets;
    check_fails(syncline_lan_server_new(&s, &c, h, NULL, NULL), SYNCLINE_EINVAL,
        "admit");
    c.admit = NULL;
    c.ssl_key = "key.pem";
    check_fails(syncline_lan_client_new(&x, &c, h), SYNCLINE_EINVAL, "ssl_key");
    c.ssl_key = NULL;
    c.ssl_pins = nets;
    check_fails(
        syncline_lan_client_new(&x, &c, h), SYNCLINE_EINVAL, "ssl_pins");
    c.ssl_pins = NULL;
    c.ssl_ca = "ca.pem";
    c.verify_ssl = 0;
    check_fails(
        syncline_lan_client_new(&x, &c, h), SYNCLINE_EINVAL, "verify_ssl");
    c.ssl_ca = NULL;
    c.verify_ssl = 1;
    c.credentials = "[]";
    check_fails(
        syncline_lan_client_new(&x, &c, h), SYNCLINE_EMALFORMED, "credentials");
    c.credentials = NULL;
    c.auth = SYNCLINE_LAN_AUTH_TOKEN;
    check_fails(syncline_lan_client_new(&x, &c, h), SYNCLINE_EINVAL, "no text");
    syncline_lan_handler_free(h);
}

/* ---- messages ---- */

static void make(struct syncline_lan_handler **h, const char *id,
    enum syncline_lan_dialect dialect, const char *secret)
{
    struct syncline_lan_config c;

    syncline_lan_config_init(&c);
    c.node_id = id;
    c.dialect = dialect;
    CHECK_OK(syncline_lan_handler_new(h, &c, secret, strlen(secret)));
}

/* What is signed for the second generation is said as it is signed. */
static void check_has(
    const char *message, const char *key, const char *text, bool sign, int d)
{
    char want[80];

    (void)snprintf(want, sizeof want, "\"%s\":%s\"%s\"", key,
        sign && d != SYNCLINE_LAN_FIRST ? "" : " ", text);
    CHECK_SAYING(strstr(message, want) != NULL, "no %s in %s", want, message);
}

/* Whatever the dialect, and whoever reads it: once. */
TEST(a_message_that_was_made_counts_once)
{
    for (int d = SYNCLINE_LAN_ANY; d <= SYNCLINE_LAN_SECOND; d++)
        for (int sign = 0; sign < 2; sign++) {
            struct syncline_lan_handler *a, *b, *other;
            char *m;

            make(&a, "a", (enum syncline_lan_dialect)d, SECRET);
            make(&b, "b", SYNCLINE_LAN_ANY, SECRET);
            make(&other, "c", SYNCLINE_LAN_ANY, "another secret");
            CHECK_OK(syncline_lan_create_message(a, SYNCLINE_LAN_SYNC_REQUEST,
                "{\"data\":\"w\303\266rld\",\"n\":[1,2.5,null]}", sign, &m));
            check_has(m, "message_type", "SYNC_REQUEST", sign != 0, d);
            check_has(m, "data",
                sign != 0 && d != SYNCLINE_LAN_FIRST ? "w\303\266rld"
                                                     : "w\\u00f6rld",
                sign != 0, d);
            CHECK_INT(strstr(m, "\"destination\": null") != NULL,
                d == SYNCLINE_LAN_FIRST);
            if (sign != 0) {
                CHECK_OK(syncline_lan_validate_message(b, m, 1));
                check_fails(syncline_lan_validate_message(b, m, 1),
                    SYNCLINE_EEXIST, "Possible replay attack detected");
                check_fails(syncline_lan_validate_message(other, m, 1),
                    SYNCLINE_EDENIED, "Invalid message signature");
            } else {
                CHECK_OK(syncline_lan_validate_message(b, m, 0));
                check_fails(syncline_lan_validate_message(b, m, 1),
                    SYNCLINE_EDENIED, "Message not signed");
            }
            syncline_free(m);
            syncline_lan_handler_free(a);
            syncline_lan_handler_free(b);
            syncline_lan_handler_free(other);
        }
}

TEST(what_was_changed_is_signed_anew)
{
    struct syncline_lan_handler *h, *b;
    char *m, *again, *at;

    make(&h, "a", SYNCLINE_LAN_SECOND, SECRET);
    make(&b, "b", SYNCLINE_LAN_ANY, SECRET);
    CHECK_OK(syncline_lan_create_message(h, "MODEL_UPDATE", NULL, 1, &m));
    at = strstr(m, "\"payload\":{}");
    CHECK(at != NULL);
    memcpy(at, "\"payload\":[]", 12); /* no object: as an empty one */
    CHECK_OK(syncline_lan_sign_message(h, m, &again));
    CHECK_OK(syncline_lan_validate_message(b, again, 1));
    check_fails(syncline_lan_sign_message(h, "{", &again), SYNCLINE_EMALFORMED,
        "Invalid message format");
    syncline_free(m);
    syncline_free(again);
    syncline_lan_handler_free(h);
    syncline_lan_handler_free(b);
}

TEST(what_is_no_message_is_said_in_the_older_words)
{
    static const struct {
        const char *text, *words;
        int rc;
    } rows[] = {
        { "", "Invalid message format", SYNCLINE_EMALFORMED },
        { "\xff\xfe", "Invalid message format", SYNCLINE_EMALFORMED },
        { "[1]", "Invalid message format", SYNCLINE_EMALFORMED },
        { "{}", "Missing message type", SYNCLINE_EINVAL },
        { "{\"message_type\":{}}", "Invalid message format",
            SYNCLINE_EMALFORMED },
        { "{\"message_type\":\"X\",\"message_id\":\"\",\"nonce\":\"\"}",
            "Missing required fields: message_id, nonce", SYNCLINE_EINVAL },
        { "{\"message_type\":\"X\",\"message_id\":\"\",\"destination\":null}",
            "Missing message ID", SYNCLINE_EINVAL },
        { "{\"message_type\":\"X\",\"timestamp\":\"2026-01-01T00:00:00Z\"}",
            "Message expired (timestamp: 2026-01-01T00:00:00Z)",
            SYNCLINE_ETIMEOUT },
        { "{\"message_type\":\"X\",\"timestamp\":\"2020-01-01T00:00:00\"}",
            "Message expired (timestamp: 2020-01-01T00:00:00)",
            SYNCLINE_ETIMEOUT },
        { "{\"message_type\":\"X\",\"timestamp\":\"no\",\"signature\":null}",
            "Invalid timestamp format", SYNCLINE_ETIMEOUT },
        { "{\"message_type\":\"X\"}", "Message not signed", SYNCLINE_EDENIED },
        { "{\"message_type\":\"X\",\"signature\":\"00\"}",
            "Invalid message signature", SYNCLINE_EDENIED },
    };
    struct syncline_lan_handler *h;
    char *m;

    make(&h, "a", SYNCLINE_LAN_ANY, SECRET);
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        check_fails(syncline_lan_validate_message(h, rows[i].text, 1),
            rows[i].rc, rows[i].words);
    check_fails(
        syncline_lan_validate_message(h, NULL, 1), SYNCLINE_EINVAL, "message");
    check_fails(syncline_lan_create_message(h, "SYNC DATA", NULL, 1, &m),
        SYNCLINE_EINVAL, "type");
    check_fails(syncline_lan_create_message(h, "11", NULL, 1, &m),
        SYNCLINE_EINVAL, "type");
    check_fails(syncline_lan_create_message(h, "X", "[]", 1, &m),
        SYNCLINE_EMALFORMED, "payload");
    check_fails(syncline_lan_create_message(h, "X", "{\"a\":1e999}", 1, &m),
        SYNCLINE_EMALFORMED, "payload");
    syncline_lan_handler_free(h);
}

TEST(a_session_token_says_who_for_a_while)
{
    struct syncline_lan_handler *h, *other;
    char *token, *claims, broken[512];

    make(&h, "a", SYNCLINE_LAN_ANY, SECRET);
    make(&other, "a", SYNCLINE_LAN_ANY, "another secret");
    CHECK_OK(syncline_lan_token(h, "node-7", 60000, &token));
    CHECK_OK(syncline_lan_token_check(h, token, &claims));
    CHECK(strstr(claims, "\"sub\":\"node-7\"") != NULL);
    CHECK(strstr(claims, "\"exp\":") != NULL);
    CHECK(strstr(claims, "\"aud\":\"a\"") != NULL);
    syncline_free(claims);
    check_fails(syncline_lan_token_check(other, token, &claims),
        SYNCLINE_EDENIED, "somebody else");
    check_fails(syncline_lan_token_check(h, "a.b", &claims),
        SYNCLINE_EMALFORMED, "no token");
    check_fails(syncline_lan_token_check(h, NULL, &claims), SYNCLINE_EINVAL,
        "no token");
    (void)snprintf(broken, sizeof broken, "%s", token);
    broken[strlen(broken) - 2] ^= 1;
    CHECK(syncline_lan_token_check(h, broken, &claims) < 0);
    syncline_free(token);
    CHECK_OK(syncline_lan_token(h, "node-7", 1, &token));
    while (syncline_lan_token_check(h, token, &claims) == SYNCLINE_OK)
        syncline_free(claims); /* to the second, it may count for a moment */
    check_fails(
        syncline_lan_token_check(h, token, &claims), SYNCLINE_ETIMEOUT, "over");
    syncline_free(token);
    check_fails(
        syncline_lan_token(h, "", 1, &token), SYNCLINE_EINVAL, "node_id");
    syncline_lan_handler_free(h);
    syncline_lan_handler_free(other);
}

/* ---- a server and a client ---- */

TEST(a_client_comes_in_asks_and_is_answered)
{
    for (int d = SYNCLINE_LAN_ANY; d <= SYNCLINE_LAN_SECOND; d++) {
        struct both b;
        char *text;

        both_init(&b);
        b.config.dialect = (enum syncline_lan_dialect)d;
        both_serve(&b, NULL);
        both_client(&b);
        both_connect(&b);
        CHECK_OK(syncline_lan_authenticate(b.c, NULL, &text));
        CHECK_SLICE(slice_str(text), "{}");
        syncline_free(text);
        check_request(&b, SYNCLINE_LAN_SYNC_REQUEST, "{\"data\":\"Hello\"}",
            "\"data\":\"Processed\"");
        seen_await(
            &b.server, "SYNC_REQUEST {\"data\":\"Hello\",\"request_id\":");
        check_request(&b, SYNCLINE_LAN_SYNC_DATA, "{\"x\":1}",
            "\"status\":\"processed\"");
        CHECK_OK(syncline_lan_client_send(b.c, "MODEL_UPDATE", "{\"m\":7}"));
        seen_await(&b.server, "MODEL_UPDATE {\"m\":7};");
        CHECK_OK(syncline_lan_client_status(b.c, &text));
        CHECK_SAYING(strstr(text,
                         "\"connected\":true,\"authenticated\":true,"
                         "\"node_id\":\"node-1\"") != NULL,
            "%s", text);
        CHECK(strstr(text, d == SYNCLINE_LAN_FIRST ? "\"v1\"" : "\"v2\"") !=
            NULL);
        syncline_free(text);
        CHECK_OK(syncline_lan_server_clients(b.s, &text));
        CHECK_SAYING(strstr(text, "\"node_name\":\"My N\303\266de\"") != NULL,
            "%s", text);
        CHECK(strstr(text, "\"authenticated\":true") != NULL);
        CHECK(strstr(text, b.server.peer) != NULL);
        syncline_free(text);
        CHECK_OK(syncline_lan_client_close(b.c));
        seen_await(&b.server, "gone ");
        check_fails(syncline_lan_client_send(b.c, "X", NULL), SYNCLINE_ECLOSED,
            "does not run");
        both_free(&b);
    }
}

static int reply_by_own_id(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    (void)ctx;
    (void)peer;
    (void)m;
    *reply = strdup("{\"request_id\":7,\"data\":1,\"sync_id\":\"own\"}");
    return 0;
}

/* Whoever asks looks for the id that he has said. */
TEST(a_reply_has_the_id_of_its_request)
{
    struct both b;

    both_init(&b);
    both_serve(&b, NULL);
    CHECK_OK(syncline_lan_server_handle(
        b.s, SYNCLINE_LAN_SYNC_REQUEST, reply_by_own_id, NULL));
    both_client(&b);
    both_connect(&b);
    CHECK_OK(syncline_lan_authenticate(b.c, NULL, NULL));
    check_request(&b, SYNCLINE_LAN_SYNC_REQUEST,
        "{\"request_id\":\"mine\",\"sync_id\":\"s\"}",
        "{\"data\":1,\"request_id\":\"mine\",\"sync_id\":\"s\"}");
    both_free(&b);
}

TEST(a_program_says_who_may_come_in)
{
    struct both b;
    char *data;

    both_init(&b);
    both_serve(&b, on_auth);
    both_client(&b);
    both_connect(&b);
    check_fails(
        syncline_lan_client_request(b.c, "SYNC_REQUEST", NULL, 0, &data),
        SYNCLINE_EDENIED, "Authentication required");
    check_fails(syncline_lan_authenticate(b.c, "{\"token\":\"no\"}", &data),
        SYNCLINE_EDENIED, "Invalid credentials");
    check_fails(syncline_lan_authenticate(b.c, "[]", &data),
        SYNCLINE_EMALFORMED, "credentials");
    check_fails(syncline_lan_authenticate(b.c, "{\"request_id\":1}", &data),
        SYNCLINE_EINVAL, "request_id");
    CHECK_OK(
        syncline_lan_authenticate(b.c, "{\"token\":\"valid-token\"}", &data));
    CHECK_SLICE(slice_str(data), "{\"user_id\":\"user-123\"}");
    syncline_free(data);
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    /* The older way to ask, by a message as any other. */
    check_request(
        &b, "AUTH_REQUEST", "{\"token\":\"valid-token\"}", "\"success\":true");
    check_request(
        &b, "AUTH_REQUEST", "{\"token\":\"no\"}", "\"success\":false");
    both_free(&b);
    /* While it connects. */
    both_init(&b);
    both_serve(&b, on_auth);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    check_fails(syncline_lan_client_connect(b.c, "127.0.0.1", b.port),
        SYNCLINE_EDENIED, "Invalid credentials");
    CHECK_OK(syncline_lan_client_free(b.c));
    b.config.credentials = "{\"token\":\"valid-token\"}";
    both_client(&b);
    both_connect(&b);
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    both_free(&b);
}

static int on_auth_that_fails(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **auth_data)
{
    (void)ctx;
    (void)peer;
    (void)m;
    (void)auth_data;
    return SYNCLINE_EIO;
}

/* What could not be found out is no yes. */
TEST(a_program_that_fails_to_say_who_may_come_in)
{
    struct both b;

    both_init(&b);
    both_serve(&b, on_auth_that_fails);
    both_client(&b);
    both_connect(&b);
    check_fails(
        syncline_lan_authenticate(b.c, "{\"token\":\"valid-token\"}", NULL),
        SYNCLINE_EDENIED, "Invalid credentials");
    both_free(&b);
}

TEST(the_secret_is_proved_and_a_session_token_lets_in)
{
    struct syncline_lan_handler *other;
    struct both b;
    char *text, *token, credentials[1024];
    const char *at;

    both_init(&b);
    b.config.auth = SYNCLINE_LAN_AUTH_PROOF;
    both_serve(&b, NULL);
    both_client(&b);
    both_connect(&b);
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    CHECK_OK(syncline_lan_client_status(b.c, &text));
    at = strstr(text, "\"session_token\":\"ey");
    CHECK_SAYING(at != NULL, "%s", text);
    (void)snprintf(credentials, sizeof credentials, "{\"token\":\"%.*s\"}",
        (int)strcspn(at + 17, "\""), at + 17);
    syncline_free(text);
    CHECK_OK(syncline_lan_client_free(b.c));
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    b.config.credentials = credentials;
    both_client(&b);
    both_connect(&b);
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    CHECK_OK(syncline_lan_client_free(b.c));
    /* One that the program has made, and one that is somebody else's. */
    CHECK_OK(syncline_lan_token(b.h, "node-1", 60000, &token));
    (void)snprintf(
        credentials, sizeof credentials, "{\"token\":\"%s\"}", token);
    syncline_free(token);
    both_client(&b);
    both_connect(&b);
    CHECK_OK(syncline_lan_client_free(b.c));
    CHECK_OK(syncline_lan_token(b.h, "node-2", 60000, &token));
    (void)snprintf(
        credentials, sizeof credentials, "{\"token\":\"%s\"}", token);
    syncline_free(token);
    both_client(&b);
    check_fails(syncline_lan_client_connect(b.c, "127.0.0.1", b.port),
        SYNCLINE_EDENIED, "Invalid credentials");
    CHECK_OK(syncline_lan_client_free(b.c));
    /* One that another server gives. */
    make(&other, "node-9", SYNCLINE_LAN_ANY, SECRET);
    CHECK_OK(syncline_lan_token(other, "node-1", 60000, &token));
    (void)snprintf(
        credentials, sizeof credentials, "{\"token\":\"%s\"}", token);
    CHECK_OK(syncline_lan_token_check(b.h, token, &text));
    syncline_free(text);
    syncline_free(token);
    syncline_lan_handler_free(other);
    both_client(&b);
    check_fails(syncline_lan_client_connect(b.c, "127.0.0.1", b.port),
        SYNCLINE_EDENIED, "Invalid credentials");
    both_free(&b);
    /* A program that says itself who may come in is not passed by. */
    both_init(&b);
    both_serve(&b, on_auth);
    b.config.auth = SYNCLINE_LAN_AUTH_PROOF;
    both_client(&b);
    check_fails(syncline_lan_client_connect(b.c, "127.0.0.1", b.port),
        SYNCLINE_EDENIED, "Invalid credentials");
    both_free(&b);
}

TEST(a_server_speaks_to_one_and_to_all)
{
    struct both b;
    char *answer, peer[64];
    unsigned sent = 0;

    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    CHECK_OK(syncline_lan_server_send(b.s, NULL, "NEWS", NULL, &sent));
    CHECK_UINT(sent, 0);
    both_connect(&b);
    seen_await(&b.server, "open ");
    (void)snprintf(peer, sizeof peer, "%s", b.server.peer);
    CHECK_OK(syncline_lan_server_send(b.s, NULL, "NEWS", "{\"n\":1}", &sent));
    CHECK_UINT(sent, 1);
    seen_await(&b.client, "NEWS {\"n\":1};");
    CHECK_OK(syncline_lan_server_send(b.s, peer, "NEWS", "{\"n\":2}", NULL));
    seen_await(&b.client, "NEWS {\"n\":2};");
    CHECK_OK(syncline_lan_server_request(
        b.s, peer, SYNCLINE_LAN_SYNC_DATA, "{\"items\":[]}", 0, &answer));
    CHECK(strstr(answer, "\"status\":\"processed\"") != NULL);
    syncline_free(answer);
    CHECK_OK(syncline_lan_server_request(
        b.s, peer, "SYNC_REQUEST", NULL, 0, &answer));
    CHECK(strstr(answer, "\"data\":\"Processed\"") != NULL);
    syncline_free(answer);
    check_fails(
        syncline_lan_server_request(b.s, peer, "NEWS", NULL, 50, &answer),
        SYNCLINE_ETIMEOUT, "in time");
    check_fails(syncline_lan_server_send(b.s, "nobody", "NEWS", NULL, NULL),
        SYNCLINE_ENOTFOUND, "nobody");
    check_fails(
        syncline_lan_server_request(b.s, NULL, "NEWS", NULL, 0, &answer),
        SYNCLINE_EINVAL, "client_id");
    check_fails(syncline_lan_server_send(b.s, NULL, "NEWS", "{\"a\":", NULL),
        SYNCLINE_EMALFORMED, "payload");
    check_fails(
        syncline_lan_server_drop(b.s, "nobody"), SYNCLINE_ENOTFOUND, "nobody");
    CHECK_OK(syncline_lan_server_drop(b.s, peer));
    seen_await(&b.server, "gone dropped;");
    both_free(&b);
}

/* All that is pending is told, whatever ends it. */
TEST(who_waits_is_told)
{
    struct both b;

    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    CHECK_OK(syncline_lan_client_ask(
        b.c, "SYNC_REQUEST", NULL, 0, on_seen_answer, &b.client));
    seen_await(&b.client, "answer 0 {\"data\":\"Processed\"");
    CHECK_OK(syncline_lan_client_ask(
        b.c, "NEWS", NULL, 20, on_seen_answer, &b.client));
    seen_await(&b.client, "answer -16 none;");
    /* A longer wait before a shorter one. */
    CHECK_OK(syncline_lan_client_ask(
        b.c, "NEWS", NULL, 0, on_seen_answer, &b.client));
    seen_forget(&b.client);
    CHECK_OK(syncline_lan_client_ask(
        b.c, "NEWS", NULL, 20, on_seen_answer, &b.client));
    seen_await(&b.client, "answer -16 none;");
    CHECK_OK(syncline_lan_client_close(b.c));
    seen_await(&b.client, "answer -15 none;");
    check_fails(syncline_lan_client_ask(b.c, "NEWS", NULL, 0, NULL, &b.client),
        SYNCLINE_EINVAL, "fn");
    both_free(&b);
}

TEST(a_lost_connection_is_made_again_and_let_in)
{
    struct both b;

    both_init(&b);
    both_serve(&b, on_auth);
    both_client(&b);
    both_connect(&b);
    CHECK_OK(
        syncline_lan_authenticate(b.c, "{\"token\":\"valid-token\"}", NULL));
    seen_forget(&b.client);
    CHECK_OK(syncline_lan_server_stop(b.s));
    seen_await(&b.client, "gone ");
    check_fails(
        syncline_lan_client_send(b.c, "NEWS", NULL), SYNCLINE_ECLOSED, "not");
    b.config.sync_port = b.port;
    CHECK_OK(syncline_lan_server_free(b.s));
    both_serve(&b, on_auth);
    seen_forget(&b.server);
    seen_await(&b.client, "open ");
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    CHECK_OK(syncline_lan_client_close(b.c));
    both_connect(&b);
    check_fails(syncline_lan_client_connect(b.c, "127.0.0.1", b.port),
        SYNCLINE_EBUSY, "already");
    both_free(&b);
}

TEST(what_cannot_be_is_said)
{
    struct both b;
    struct syncline_lan_server *again;
    char *text;
    int port;

    both_init(&b);
    both_serve(&b, NULL);
    check_fails(syncline_lan_server_start(b.s), SYNCLINE_EBUSY, "runs already");
    b.config.sync_port = b.port;
    CHECK_OK(syncline_lan_server_new(&again, &b.config, b.h, NULL, NULL));
    check_fails(syncline_lan_server_start(again), SYNCLINE_EBUSY, "in use");
    check_fails(syncline_lan_server_port(again), SYNCLINE_ECLOSED, "not run");
    check_fails(
        syncline_lan_server_clients(again, &text), SYNCLINE_ECLOSED, "not run");
    check_fails(syncline_lan_server_handle(again, "no type", on_seen, NULL),
        SYNCLINE_EINVAL, "type");
    CHECK_OK(syncline_lan_server_stop(b.s));
    CHECK_OK(syncline_lan_server_stop(b.s));
    CHECK_OK(syncline_lan_server_start(again));
    CHECK_OK(syncline_lan_server_free(again));
    both_client(&b);
    port = b.port;
    check_fails(syncline_lan_client_connect(b.c, "127.0.0.1", port),
        SYNCLINE_EIO, "refused");
    check_fails(
        syncline_lan_client_connect(b.c, "", port), SYNCLINE_EINVAL, "host");
    check_fails(syncline_lan_client_connect(b.c, "127.0.0.1", 65536),
        SYNCLINE_EINVAL, "port");
    check_fails(syncline_lan_client_request(b.c, "X", NULL, 0, &text),
        SYNCLINE_ECLOSED, "not run");
    check_fails(syncline_lan_client_send(b.c, "no type", NULL), SYNCLINE_EINVAL,
        "type");
    CHECK_OK(syncline_lan_client_status(b.c, &text));
    CHECK(strstr(text, "\"running\":false") != NULL);
    syncline_free(text);
    both_free(&b);
}

TEST(it_speaks_ipv6)
{
    struct both b;

    both_init(&b);
    b.config.host = "::1";
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_serve(&b, NULL);
    both_client(&b);
    CHECK_OK(syncline_lan_client_connect(b.c, "::1", b.port));
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    both_free(&b);
}

/* Only where both ends want it. */
TEST(what_is_long_is_compressed_where_both_offer_it)
{
    char payload[6000] = "{\"text\":\"";

    for (size_t i = strlen(payload); i < sizeof payload - 3; i++)
        payload[i] = "words "[i % 6];
    memcpy(payload + sizeof payload - 3, "\"}", 3);
    for (int both_do = 0; both_do < 2; both_do++) {
        struct both b;
        char *text;

        both_init(&b);
        b.config.compress = both_do;
        b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
        both_serve(&b, NULL);
        b.config.compress = 1;
        both_client(&b);
        both_connect(&b);
        check_request(&b, "SYNC_REQUEST", payload, "success");
        seen_await(&b.server, ",\"text\":\"ds words words");
        CHECK_OK(syncline_lan_server_clients(b.s, &text));
        CHECK_SAYING((strstr(text, "\"compressed\":true") != NULL) == both_do,
            "%s", text);
        syncline_free(text);
        both_free(&b);
    }
}
