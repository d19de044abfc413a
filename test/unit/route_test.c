#include "faces/http/route.h"

#include "unit/check.h"

static int match(struct matched *m, enum http_method method, const char *path,
    struct arena *a)
{
    struct buf allow = { 0 };
    int rc = route_match(m, method, slice_str(path), &allow, a);

    buf_free(&allow);
    return rc;
}

static void check_is(enum http_method method, const char *path, const char *id,
    const char *first, const char *second)
{
    struct arena a = { 0 };
    struct matched m = { .n = 0 };

    CHECK_OK(match(&m, method, path, &a));
    CHECK_SLICE(slice_str(m.route->id), id);
    CHECK_INT(m.n, (first != NULL) + (second != NULL));
    if (first != NULL)
        CHECK_SLICE(m.values[0], first);
    if (second != NULL)
        CHECK_SLICE(m.values[1], second);
    arena_free(&a);
}

TEST(a_path_finds_its_row)
{
    check_is(HTTP_GET, "/health", "health", NULL, NULL);
    check_is(HTTP_HEAD, "/v1/status", "status", NULL, NULL);
    check_is(HTTP_GET, "/v1/spaces/a/items", "listItems", "a", NULL);
    check_is(HTTP_GET, "/v1/spaces/a/items/b", "getItem", "a", "b");
    check_is(HTTP_PUT, "/v1/spaces/a/items/b/c//d", "putItem", "a", "b/c//d");
    check_is(HTTP_DELETE, "/v1/spaces/%61/items/b%2fc%25", "deleteItem", "a",
        "b/c%");
    check_is(HTTP_POST, "/v1/members/ab/grant", "grant", "ab", NULL);
    check_is(HTTP_DELETE, "/v1/members/grant", "removeMember", "grant", NULL);
}

TEST(what_is_no_path_is_refused)
{
    static const struct {
        const char *path;
        int rc;
    } rows[] = {
        { "", SYNCLINE_ENOTFOUND },
        { "*", SYNCLINE_ENOTFOUND },
        { "/", SYNCLINE_ENOTFOUND },
        { "/v1", SYNCLINE_ENOTFOUND },
        { "/v1/status/", SYNCLINE_ENOTFOUND },
        { "//v1/status", SYNCLINE_ENOTFOUND },
        { "/V1/status", SYNCLINE_ENOTFOUND },
        { "/v1/spaces//items", SYNCLINE_ENOTFOUND },
        { "/v1/spaces/a/items/", SYNCLINE_ENOTFOUND },
        { "/v1/spaces/a/items/%", SYNCLINE_EMALFORMED },
        { "/v1/spaces/a/items/%2", SYNCLINE_EMALFORMED },
        { "/v1/spaces/a/items/%zz", SYNCLINE_EMALFORMED },
        { "/v1/spaces/a/items/%ff", SYNCLINE_EMALFORMED },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena a = { 0 };
        struct matched m;

        CHECK_INT(match(&m, HTTP_GET, rows[i].path, &a), rows[i].rc);
        arena_free(&a);
    }
}

TEST(another_method_is_told_which_ones_serve)
{
    struct arena a = { 0 };
    struct buf allow = { 0 };
    struct matched m;

    CHECK_INT(route_match(&m, HTTP_OPTIONS, SLICE_LIT("/v1/spaces/a/items/b"),
                  &allow, &a),
        SYNCLINE_EUNSUPPORTED);
    CHECK_SLICE(buf_slice(&allow), "GET, HEAD, PUT, PATCH, DELETE");
    buf_free(&allow);
    arena_free(&a);
}

/* Its own path, with the braces read as a segment each, finds each row. */
TEST(no_row_hides_another)
{
    for (size_t i = 0; i < routes_n; i++) {
        struct arena a = { 0 };
        struct matched m = { .n = 0 };

        CHECK_OK(match(&m, routes[i].method, routes[i].path, &a));
        CHECK(m.route == &routes[i]);
        CHECK(routes[i].scope == HUB_OPEN || routes[i].op != NULL ||
            routes[i].answer == ANSWER_INSTANCE);
        arena_free(&a);
    }
}

static bool changes_nothing(const struct route *r)
{
    static const char *const ops[] = { "status", "metrics", "doctor", "errors",
        "config", "audit", "audit_records", "spaces", "policies", "ls", "get",
        "history", "watch", "conflicts", "rescue", "peers", "members",
        "pending", "verify", "clock", "mesh", "recent", "join_state", "log",
        "token_list", "bindings", "versions", "isync_page" };

    for (size_t i = 0; r->op != NULL && i < ARRAY_N(ops); i++)
        if (strcmp(r->op, ops[i]) == 0)
            return true;
    return r->op == NULL;
}

/* Signing in and out takes no right but the link's, and the session's. */
TEST(what_changes_something_is_no_get)
{
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *r = &routes[i];

        CHECK_SAYING(
            (r->method == HTTP_GET) == changes_nothing(r), "%s", r->id);
        CHECK_SAYING(changes_nothing(r) || r->scope >= HUB_WRITE ||
                r->answer == ANSWER_SESSION,
            "%s", r->id);
    }
}

TEST(the_description_is_json)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *v, *paths;

    route_put_openapi(&b, "0.1");
    CHECK_OK(json_parse(&v, buf_slice(&b), JSON_STRICT, &a, NULL));
    paths = json_get(v, "paths");
    buf_put_u8(&b, 0);
    CHECK(strstr((const char *)b.ptr, "(null)") == NULL);
    b.len--;
    CHECK(paths != NULL && paths->n > 20);
    CHECK(json_get_slice(json_get(paths, "/v1/spaces/{space}/items/{key}"),
              SLICE_LIT("patch")) != NULL);
    buf_free(&b);
    arena_free(&a);
}
