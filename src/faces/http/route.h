/* route.h - every operation of the HTTP API, as one table: routing, what is
 * asked of the node for it, who may ask, and the OpenAPI document all come
 * from here.
 *
 * Pure. Law: no two rows match one method and path. */
#ifndef SYNCLINE_FACES_HTTP_ROUTE_H
#define SYNCLINE_FACES_HTTP_ROUTE_H

#include "faces/http/hub.h"

enum param_type {
    PARAM_STR,
    PARAM_INT,
    PARAM_BOOL,
    PARAM_WAIT,  /* a number, or `all` */
    PARAM_ARRAY, /* of a body only, as the next */
    PARAM_ANY,
};

/* A parameter of the query, or a member of a body's object. */
struct param {
    const char *name; /* in the request, and of the node's argument */
    enum param_type type;
    const char *help;
};

enum body_kind {
    BODY_NONE,
    BODY_VALUE, /* the body is the argument `value` */
    BODY_PATCH, /* it is the argument `patch`, or, if its type says that it is
                   a list of operations, `json_patch` */
    BODY_ARGS,  /* an object, whose members are arguments */
};

enum answer_kind {
    ANSWER_OBJECT,   /* what the node answers, without `ok` */
    ANSWER_VALUE,    /* its member `value`, with ETag */
    ANSWER_STREAM,   /* Server-Sent Events */
    ANSWER_SOCKET,   /* WebSocket */
    ANSWER_INSTANCE, /* WebSocket, of a config-sync instance */
    ANSWER_SOCKETIO, /* by the other face */
    ANSWER_SESSION,  /* with the cookie of one, or its end */
    ANSWER_HEALTH,
    ANSWER_METRICS,
    ANSWER_PAGE, /* of an older system: its members say what */
    ANSWER_OPENAPI,
};

#define ROUTE_PARAMS 8

struct route {
    enum http_method method;
    const char *path; /* {name} is a segment, {name...} all that is left */
    enum hub_scope scope;
    const char *op; /* doc/api.md; NULL: the node is not asked */
    enum body_kind body;
    enum answer_kind answer;
    const char *id, *tag, *summary;
    struct param query[ROUTE_PARAMS], args[ROUTE_PARAMS];
    bool is_of_spaces; /* it tells of all that a token has, or of `space` */
};

extern const struct route routes[];
extern const size_t routes_n;

/* What a path's {name}s stand for, decoded. */
struct matched {
    const struct route *route;
    struct slice names[2], values[2];
    size_t n;
};

/* ENOTFOUND: there is no such path. EUNSUPPORTED: not with this method, and
 * allow says with which. EMALFORMED: its percent signs are wrong. */
NODISCARD int route_match(struct matched *out, enum http_method method,
    struct slice path, struct buf *allow, struct arena *a);

bool route_has_param(const struct route *r, struct slice name);

const char *http_method_name(enum http_method m);

/* In openapi_schemas.c: what operations answer, and which of them one does;
 * {}: what is no object of ours. */
void openapi_put_schemas(struct buf *b);
void openapi_put_answer(struct buf *b, const char *id);

/* The OpenAPI 3.1 document. */
void route_put_openapi(struct buf *b, const char *version);

#endif
