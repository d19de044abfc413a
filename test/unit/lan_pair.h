/* lan_pair.h - two ends of a LAN-sync connection, joined by nothing but memory.
 */
#ifndef SYNCLINE_TEST_UNIT_LAN_PAIR_H
#define SYNCLINE_TEST_UNIT_LAN_PAIR_H

#include "faces/lansync/link.h"
#include "unit/check.h"

#define SEC UINT64_C(1000000)
#define KEY "test-secret-key-1234567890123456"

struct end {
    struct lan_link *link;
    struct lan_protocol *protocol;
    struct buf out;    /* has not arrived yet */
    struct buf heard;  /* "TYPE text;" of what came to on_message */
    struct buf closed; /* why */
    unsigned opened, answered, held, tries, failures;
    bool may_not;
    const char *channel; /* of TLS, that many bytes; NULL: in clear */
    int answer_rc;
    struct buf answer;
    int on_message_rc;
    bool replies;
    uint64_t *now_us;
};

struct pair {
    struct end server, client;
    uint64_t now_us;
};

void end_make(struct end *e, struct pair *p, const char *key,
    struct lan_link_options opt);
void end_free(struct end *e);
void pair_init(struct pair *p, struct lan_link_options server,
    struct lan_link_options client, const char *clients_key);
void pair_close(struct pair *p);
/* In pieces of so many bytes; 0: as they were sent. False: nothing was. */
bool pair_carry(struct end *from, struct end *to, size_t piece);
/* Until nobody says anything. */
void pair_settle(struct pair *p, size_t piece);
void pair_pass(struct pair *p, uint64_t us);
/* The client asks; the number of its request. */
uint64_t pair_ask(struct pair *p, enum lan_type type, const char *data);

/* A frame that holds it. */
void end_feed(struct end *e, const char *json);
/* The first thing that it has sent is that ERROR. */
void end_check_error(struct end *e, const char *error, const char *code);

#define SECOND(type) \
    "{\"message_type\":\"" type "\",\"payload\":{\"request_id\":\"r\"}}"
#define FIRST(type)                                                      \
    "{\"message_type\":\"" type "\",\"payload\":{\"request_id\":\"r\"}," \
    "\"signature\":null,\"destination\":null}"

static const struct lan_link_options by_token = { .auth = LAN_BY_TOKEN,
    .token = { (const uint8_t *)KEY, sizeof KEY - 1 } };

#endif
