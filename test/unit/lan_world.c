#include "unit/lan_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void seen_note(struct seen *x, const char *peer, const char *text)
{
    size_t len;

    (void)pthread_mutex_lock(&x->lock);
    len = strlen(x->log);
    (void)snprintf(x->log + len, sizeof x->log - len, "%s;", text);
    (void)snprintf(x->peer, sizeof x->peer, "%s", peer);
    (void)pthread_cond_broadcast(&x->more);
    (void)pthread_mutex_unlock(&x->lock);
}

void seen_await(struct seen *x, const char *text)
{
    struct timespec limit;
    bool is;

    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&x->lock);
    while (!(is = strstr(x->log, text) != NULL) &&
        pthread_cond_timedwait(&x->more, &x->lock, &limit) == 0) {
    }
    (void)pthread_mutex_unlock(&x->lock);
    CHECK_SAYING(is, "never seen: %s, but %s", text, x->log);
}

void seen_forget(struct seen *x)
{
    (void)pthread_mutex_lock(&x->lock);
    x->log[0] = 0;
    (void)pthread_mutex_unlock(&x->lock);
}

void on_seen_state(
    void *ctx, const char *peer, enum syncline_lan_state state, const char *why)
{
    static const char *const words[] = { "connected", "open", "gone" };
    char text[300];

    (void)snprintf(text, sizeof text, "%s %s", words[state], why);
    seen_note(ctx, peer, text);
}

/* A payload is handed on as it came, and Python puts spaces between. */
static const char *compact(char *out, size_t size, const char *json)
{
    bool in_text = false;
    size_t n = 0;

    for (const char *c = json; *c != 0 && n + 1 < size; c++) {
        if (*c == '"' && (c == json || c[-1] != '\\'))
            in_text = !in_text;
        if (*c != ' ' || in_text)
            out[n++] = *c;
    }
    out[n] = 0;
    return out;
}

int on_seen(void *ctx, const char *peer, const struct syncline_lan_message *m,
    char **reply)
{
    char text[1024], payload[900];

    (void)snprintf(text, sizeof text, "%s %s", m->type,
        compact(payload, sizeof payload, m->payload));
    seen_note(ctx, peer, text);
    if (strcmp(m->type, "SYNC_REQUEST") == 0)
        *reply = strdup("{\"status\":\"success\",\"data\":\"Processed\"}");
    return SYNCLINE_OK;
}

static void seen_init(struct seen *x)
{
    CHECK(pthread_mutex_init(&x->lock, NULL) == 0);
    CHECK(pthread_cond_init(&x->more, NULL) == 0);
}

void both_init(struct both *b)
{
    *b = (struct both){ .h = NULL };
    seen_init(&b->server);
    seen_init(&b->client);
    syncline_lan_config_init(&b->config);
    b->config.host = "127.0.0.1";
    b->config.sync_port = SYNCLINE_ANY_PORT;
    b->config.use_ssl = 0;
    b->config.node_id = "node-1";
    b->config.node_name = "My N\303\266de";
    b->config.connect_timeout_ms = 10000;
    b->config.reconnect_ms = 50;
    CHECK_OK(
        syncline_lan_handler_new(&b->h, &b->config, SECRET, sizeof SECRET - 1));
}

void both_serve(struct both *b, syncline_lan_auth_fn *auth)
{
    CHECK_OK(syncline_lan_server_new(&b->s, &b->config, b->h, auth, b));
    CHECK_OK(syncline_lan_server_handle(b->s, NULL, on_seen, &b->server));
    CHECK_OK(syncline_lan_server_on_state(b->s, on_seen_state, &b->server));
    CHECK_OK(syncline_lan_server_start(b->s));
    b->port = syncline_lan_server_port(b->s);
    CHECK(b->port > 0);
}

void both_client(struct both *b)
{
    CHECK_OK(syncline_lan_client_new(&b->c, &b->config, b->h));
    CHECK_OK(syncline_lan_client_handle(b->c, NULL, on_seen, &b->client));
    CHECK_OK(syncline_lan_client_on_state(b->c, on_seen_state, &b->client));
}

void both_connect(struct both *b)
{
    int rc = syncline_lan_client_connect(b->c, "127.0.0.1", b->port);

    CHECK_SAYING(rc == SYNCLINE_OK, "connect: %s", syncline_error());
}

void both_free(struct both *b)
{
    CHECK_OK(syncline_lan_client_free(b->c));
    CHECK_OK(syncline_lan_server_free(b->s));
    syncline_lan_handler_free(b->h);
    for (int i = 0; i < 2; i++) {
        struct seen *x = i == 0 ? &b->server : &b->client;

        (void)pthread_cond_destroy(&x->more);
        (void)pthread_mutex_destroy(&x->lock);
    }
}

void check_fails(int rc, int want, const char *words)
{
    CHECK_SAYING(rc == want, "%d, not %d: %s", rc, want, syncline_error());
    CHECK_SAYING(strstr(syncline_error(), words) != NULL, "%s does not say %s",
        syncline_error(), words);
}

void check_request(
    struct both *b, const char *type, const char *payload, const char *want)
{
    char *answer, text[1024];
    int rc = syncline_lan_client_request(b->c, type, payload, 0, &answer);

    CHECK_SAYING(rc == SYNCLINE_OK, "%s: %s", type, syncline_error());
    CHECK_SAYING(
        strstr(compact(text, sizeof text, answer), want) != NULL, "%s", answer);
    syncline_free(answer);
}

void on_seen_answer(void *ctx, int status, const struct syncline_lan_message *m)
{
    char text[512], payload[400];

    (void)snprintf(text, sizeof text, "answer %d %s", status,
        compact(payload, sizeof payload, m != NULL ? m->payload : "none"));
    seen_note(ctx, "", text);
}

int on_auth(void *ctx, const char *peer, const struct syncline_lan_message *m,
    char **auth_data)
{
    struct both *b = ctx;
    char text[400];

    seen_note(&b->server, peer, compact(text, sizeof text, m->payload));
    *auth_data = strdup("{\"user_id\":\"user-123\"}");
    return strstr(text, "\"token\":\"valid-token\"") != NULL;
}
