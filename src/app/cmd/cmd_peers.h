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
/* The iSync nodes of an answer to `isync`; what is wrong with one of its links
 * (cmd_isync.c). */
void isync_print_nodes(struct cli *c, const struct json *answer);
struct slice isync_trouble_with(
    const struct json *link, const struct json *answer);

/* Append to an array a row for each node of an answer to that op, as doc/api.md
 * has them, none of it lent (cmd_peers_older.c). */
void isync_add_rows(
    struct cli *c, const struct json *answer, struct json *list);
void lansync_add_rows(
    struct cli *c, const struct json *answer, struct json *list);
void configsync_add_rows(
    struct cli *c, const struct json *answer, struct json *list);
/* Such rows as a table. */
void older_print(struct cli *c, const struct json *rows);

#endif
