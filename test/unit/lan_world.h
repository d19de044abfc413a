/* lan_world.h - for tests of syncline_lan.h: a server and a client of it, and
 * what they have seen. */
#ifndef SYNCLINE_TEST_UNIT_LAN_WORLD_H
#define SYNCLINE_TEST_UNIT_LAN_WORLD_H

#include "unit/library_world.h"

#include "syncline_lan.h"

#define SECRET "your-32-byte-secret-key"
#define PATIENCE_S 20

/* What has happened to a server or a client. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t more;
    char log[8192]; /* "TYPE payload;" and "open;", "gone;" */
    char peer[64];  /* whom it was about last */
};

struct both {
    struct syncline_lan_config config;
    struct syncline_lan_handler *h;
    struct syncline_lan_server *s;
    struct syncline_lan_client *c;
    struct seen server, client;
    int port;
};

/* peer and text are kept, as "text;". */
void seen_note(struct seen *x, const char *peer, const char *text);
/* Fails the test if text does not come within PATIENCE_S. */
void seen_await(struct seen *x, const char *text);
void seen_forget(struct seen *x);
/* Callbacks; ctx is a struct seen. on_seen answers SYNC_REQUEST. */
void on_seen_state(void *ctx, const char *peer, enum syncline_lan_state state,
    const char *why);
int on_seen(void *ctx, const char *peer, const struct syncline_lan_message *m,
    char **reply);
/* Configuration and handler; then a server, a client, as configured by then.
 */
void both_init(struct both *b);
void both_serve(struct both *b, syncline_lan_auth_fn *auth);
void both_client(struct both *b);
void both_connect(struct both *b);
void both_free(struct both *b);
/* syncline_error says these words. */
void check_fails(int rc, int want, const char *words);
/* Is answered by something that says this. */
void check_request(
    struct both *b, const char *type, const char *payload, const char *want);
void on_seen_answer(
    void *ctx, int status, const struct syncline_lan_message *m);
/* Lets "valid-token" in; ctx is a struct both. */
int on_auth(void *ctx, const char *peer, const struct syncline_lan_message *m,
    char **auth_data);

#endif
