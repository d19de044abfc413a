/* lib_config.h - the inside of a syncline_config, shared by lib_config*.c: a
 * node, a file bound to one of its items, and a config_face of that item.
 *
 * The lock guards what says that it is there; the node itself is taken by
 * config_use and given back by config_done, which stop awaits. */
#ifndef SYNCLINE_APP_LIB_CONFIG_H
#define SYNCLINE_APP_LIB_CONFIG_H

#include "app/lib/lib.h"
#include "faces/configsync/addon.h"
#include "io/file_versions.h"

#define CONFIG_SPACE "config"
#define CONFIG_KEY "config"
#define CONFIG_LISTEN_MAX 8
#define CONFIG_ADMIT_MAX 16
#define CONFIG_PEERS_MAX 32

struct config_listener {
    struct config_listener *next;
    syncline_config_fn *fn;
    void *ctx;
};

struct syncline_config {
    struct arena kept; /* all text of the options */
    const char *file;  /* its whole path */
    const char *base;  /* the folder's */
    struct config_file at;
    struct file_versions versions;
    const char *versions_at;
    const struct json *schema; /* NULL: none */
    struct syncline_options node_opt;
    struct config_face_options face_opt; /* without loop and log */
    struct netaddr listen[CONFIG_LISTEN_MAX];
    struct network admit[CONFIG_ADMIT_MAX];
    struct ws_url peers[CONFIG_PEERS_MAX];
    const char *peer_texts[CONFIG_PEERS_MAX], *peer_tokens[CONFIG_PEERS_MAX];
    struct buf tokens_held; /* what they lie in */
    uint16_t port;

    struct config_listener *listeners;
    struct buf told; /* what they were told last; the loop's */
    bool tells;      /* it has begun */

    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct syncline *node; /* NULL: it does not run */
    bool is_busy;          /* it is being started, or stopped */
    unsigned users;
    unsigned forks;                    /* as of forks_n, when it was made */
    char instance[128], last_sync[32]; /* of when it ran last */
};

/* ---- lib_config_options.c ---- */

/* Reads and copies; c is empty. */
NODISCARD int config_options(
    struct syncline_config *c, const struct syncline_config_options *given);

/* ---- lib_config_tell.c ---- */

/* The node, if it runs, until config_done. */
struct syncline *config_use(struct syncline_config *c);
/* Keeps for later what is known only while it runs. */
void config_remember(struct syncline_config *c);

#endif
