/* cmd_peers.h - the table of peers, which `status` shows too. */
#ifndef SYNCLINE_APP_CMD_PEERS_H
#define SYNCLINE_APP_CMD_PEERS_H

#include "app/cmd/cli.h"

/* An array of peers as doc/api.md has them; NULL is an empty one, of which it
 * is said how to get others: a relay alone is not enough. */
void peers_print(struct cli *c, const struct json *peers, bool only_relay);

/* An answer to `configsync` (cmd_configsync.c); before: what the lines after
 * the first begin with. */
void configsync_print(
    struct cli *c, const struct json *answer, const char *before);
/* The iSync nodes of an answer to `isync` (cmd_isync.c). */
void isync_print_nodes(struct cli *c, const struct json *answer);
/* The LAN-sync nodes of an answer to `lansync` (cmd_peers_lan.c). */
void lansync_print_nodes(struct cli *c, const struct json *answer);

#endif
