/* The OpenAPI document, made of the table of routes. */
#include "faces/http/route.h"

/* ---- parts of an operation ---- */

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, "\"%s\":", name);
    json_print_string(b, slice_str(text), false);
}

static void put_schema(struct buf *b, enum param_type type)
{
    static const char *const schemas[] = { "{\"type\":\"string\"}",
        "{\"type\":\"integer\",\"minimum\":0}", "{\"type\":\"boolean\"}",
        /* clang takes two literals in a row for a comma that is missing */
        ("{\"oneOf\":[{\"type\":\"integer\",\"minimum\":0},"
         "{\"const\":\"all\"}]}"),
        "{\"type\":\"array\"}", "{}" };

    buf_put_str(b, schemas[type]);
}

static void put_parameter(struct buf *b, const char *in, struct slice name,
    enum param_type type, const char *help)
{
    buf_printf(b, "{\"in\":\"%s\",\"name\":\"%.*s\",\"required\":%s,", in,
        SLICE_FMT(name), slice_is(slice_str(in), "path") ? "true" : "false");
    put_text(b, "description", help);
    buf_put_str(b, ",\"schema\":");
    put_schema(b, type);
    buf_put_str(b, "}");
}

/* The names in braces; "..." is a path's rest, which OpenAPI cannot say. */
static void put_path_parameters(struct buf *b, const char *path, bool *any)
{
    for (const char *at = strchr(path, '{'); at != NULL;
         at = strchr(at + 1, '{')) {
        size_t n = strcspn(at + 1, ".}");

        buf_put_str(b, *any ? "," : "");
        *any = true;
        put_parameter(b, "path", SLICE(at + 1, n), PARAM_STR,
            at[1 + n] == '.' ? "all that is left of the path; percent-encoded "
                               "as a whole it is the same"
                             : "percent-encoded");
    }
}

static void put_parameters(struct buf *b, const struct route *r)
{
    bool any = false;

    buf_put_str(b, "\"parameters\":[");
    put_path_parameters(b, r->path, &any);
    for (size_t i = 0; i < ROUTE_PARAMS && r->query[i].name != NULL; i++) {
        const struct param *p = &r->query[i];

        buf_put_str(b, any ? "," : "");
        any = true;
        put_parameter(b, "query", slice_str(p->name), p->type, p->help);
    }
    buf_put_str(b, "]");
}

static void put_member(struct buf *b, const struct param *p)
{
    buf_printf(b, "\"%s\":{\"allOf\":[", p->name);
    put_schema(b, p->type);
    buf_put_str(b, "],");
    put_text(b, "description", p->help);
    buf_put_str(b, "}");
}

#define JSON_PATCH                                                             \
    ",\"application/"                                                          \
    "json-patch+json\":{\"schema\":{\"type\":\"array\",\"items\":"             \
    "{\"type\":\"object\",\"required\":[\"op\",\"path\"],\"properties\":{"     \
    "\"op\":"                                                                  \
    "{\"enum\":[\"add\",\"remove\",\"replace\",\"move\",\"copy\",\"test\"]},"  \
    "\"path\":{\"type\":\"string\"},\"from\":{\"type\":\"string\"},\"value\":" \
    "{}}}}}"

static void put_body(struct buf *b, const struct route *r)
{
    if (r->body == BODY_NONE)
        return;
    buf_printf(b, ",\"requestBody\":{\"required\":%s,\"content\":{\"%s\":",
        r->body == BODY_ARGS ? "false" : "true",
        r->body == BODY_PATCH ? "application/merge-patch+json"
                              : "application/json");
    if (r->body != BODY_ARGS) {
        buf_put_str(b, "{\"schema\":{}}");
        if (r->body == BODY_PATCH)
            buf_put_str(b, JSON_PATCH);
        buf_put_str(b, "}}");
        return;
    }
    buf_put_str(b,
        "{\"schema\":{\"type\":\"object\",\"additionalProperties\":false,"
        "\"properties\":{");
    for (size_t i = 0; i < ROUTE_PARAMS && r->args[i].name != NULL; i++) {
        buf_put_str(b, i > 0 ? "," : "");
        put_member(b, &r->args[i]);
    }
    buf_put_str(b, "}}}}}");
}

static void put_responses(struct buf *b, const struct route *r)
{
    static const char *const types[] = {
        [ANSWER_OBJECT] = "application/json",
        [ANSWER_VALUE] = "application/json",
        [ANSWER_STREAM] = "text/event-stream",
        [ANSWER_SOCKET] = "application/json",
        [ANSWER_INSTANCE] = "application/json",
        [ANSWER_SESSION] = "application/json",
        [ANSWER_HEALTH] = "application/json",
        [ANSWER_METRICS] = "text/plain",
        [ANSWER_PAGE] = "text/html",
        [ANSWER_OPENAPI] = "application/json",
    };

    buf_printf(b,
        ",\"responses\":{\"%s\":{\"description\":\"it is so\","
        "\"content\":{\"%s\":{\"schema\":",
        r->answer == ANSWER_SOCKET || r->answer == ANSWER_INSTANCE ? "101"
                                                                   : "200",
        strncmp(r->path, "/api/", 5) == 0 ? "application/json"
                                          : types[r->answer]);
    openapi_put_answer(b, r->id);
    buf_put_str(
        b, "}}},\"default\":{\"$ref\":\"#/components/responses/problem\"}}");
}

static void put_operation(struct buf *b, const struct route *r)
{
    static const char *const methods[] = { "get", "head", "put", "post",
        "patch", "delete", "options" };
    static const char *const scopes[] = { "", "read", "write", "admin" };

    buf_printf(b, "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"%s\"],",
        methods[r->method], r->id, r->tag);
    put_text(b, "summary", r->summary);
    buf_put_str(b, ",");
    put_parameters(b, r);
    put_body(b, r);
    put_responses(b, r);
    if (r->scope == HUB_OPEN)
        buf_put_str(b, ",\"security\":[]");
    else
        buf_printf(b, ",\"x-scope\":\"%s\"", scopes[r->scope]);
    buf_put_str(b, "}");
}

static void put_path(struct buf *b, const char *path)
{
    buf_put_str(b, "\"");
    for (; *path != 0; path++)
        if (*path != '.' || path[1] == 'j')
            buf_put_u8(b, (uint8_t)*path);
    buf_put_str(b, "\":{");
}

static bool is_first(size_t ix)
{
    for (size_t i = 0; i < ix; i++)
        if (strcmp(routes[i].path, routes[ix].path) == 0)
            return false;
    return true;
}

void route_put_openapi(struct buf *b, const char *version)
{
    bool any = false;

    buf_printf(b,
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Syncline\","
        "\"version\":\"%s\",\"license\":{\"name\":\"see LICENSE\"}},"
        "\"security\":[{\"token\":[]}],\"components\":{\"securitySchemes\":"
        "{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},",
        version);
    openapi_put_schemas(b);
    buf_put_str(b,
        ","
        "\"responses\":{\"problem\":{\"description\":\"RFC 9457\","
        "\"content\":{\"application/problem+json\":{\"schema\":{\"type\":"
        "\"object\",\"required\":[\"status\",\"title\",\"detail\",\"code\"]}}}}"
        "}},"
        "\"paths\":{");
    for (size_t i = 0; i < routes_n; i++) {
        bool more = false;

        if (!is_first(i))
            continue;
        buf_put_str(b, any ? "," : "");
        any = true;
        put_path(b, routes[i].path);
        for (size_t k = i; k < routes_n; k++) {
            if (strcmp(routes[k].path, routes[i].path) != 0)
                continue;
            buf_put_str(b, more ? "," : "");
            more = true;
            put_operation(b, &routes[k]);
        }
        buf_put_str(b, "}");
    }
    buf_put_str(b, "}}\n");
}
