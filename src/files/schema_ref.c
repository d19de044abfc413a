/* `$id` and `$ref`: which subschema a URI means. */
#include "files/schema_impl.h"

#include "base/text.h"

/* A URI in its parts (RFC 3986, 3); what is not there has no pointer. */
struct uri {
    struct slice scheme, authority, path, query, fragment;
};

/* What of s stands before the first of those ends. */
static struct slice cut_at(struct slice s, const char *ends)
{
    const size_t ends_n = strlen(ends);
    size_t n = 0;

    while (n < s.len && memchr(ends, s.ptr[n], ends_n) == NULL)
        n++;
    return SLICE(s.ptr, n);
}

static bool is_scheme(struct slice s)
{
    if (s.len == 0 || !((s.ptr[0] | 32) >= 'a' && (s.ptr[0] | 32) <= 'z'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') &&
            c != '+' && c != '-' && c != '.')
            return false;
    }
    return true;
}

static struct uri uri_parse(struct slice s)
{
    struct uri u = { 0 };
    struct slice scheme;

    if (s.ptr == NULL)
        s = SLICE_LIT("");
    scheme = cut_at(s, ":/?#");
    if (scheme.len < s.len && s.ptr[scheme.len] == ':' && is_scheme(scheme)) {
        u.scheme = scheme;
        s = SLICE(s.ptr + scheme.len + 1, s.len - scheme.len - 1);
    }
    if (slice_has_prefix(s, SLICE_LIT("//"))) {
        s = SLICE(s.ptr + 2, s.len - 2);
        u.authority = cut_at(s, "/?#");
        s = SLICE(s.ptr + u.authority.len, s.len - u.authority.len);
    }
    u.path = cut_at(s, "?#");
    s = SLICE(s.ptr + u.path.len, s.len - u.path.len);
    if (s.len > 0 && s.ptr[0] == '?') {
        s = SLICE(s.ptr + 1, s.len - 1);
        u.query = cut_at(s, "#");
        s = SLICE(s.ptr + u.query.len, s.len - u.query.len);
    }
    if (s.len > 0)
        u.fragment = SLICE(s.ptr + 1, s.len - 1);
    return u;
}

/* Drops the last segment, and the slash before it, of what was written. */
static void pop_segment(struct buf *b, size_t start)
{
    while (b->len > start && b->ptr[b->len - 1] != '/')
        b->len--;
    if (b->len > start)
        b->len--;
}

/* Appends path without its "." and ".." (5.2.4). */
static void put_path(struct buf *b, struct slice path)
{
    const size_t start = b->len;

    while (path.len > 0) {
        struct slice rest = SLICE(path.ptr + 1, path.len - 1);
        bool slash = path.ptr[0] == '/';
        struct slice seg = slash ? cut_at(rest, "/") : cut_at(path, "/");

        path = slice_from(path, seg.len + (slash ? 1 : 0));
        if (slice_is(seg, "..")) {
            pop_segment(b, start);
        } else if (!slice_is(seg, ".")) {
            if (slash)
                buf_put_u8(b, '/');
            buf_put_slice(b, seg);
            continue;
        }
        if (path.len == 0 && slash)
            buf_put_u8(b, '/');
    }
}

/* Of a base's path, all up to its last slash. */
static void put_merged(struct buf *b, const struct uri *base, struct slice path)
{
    struct buf both = { 0 };
    size_t n = base->path.len;

    while (n > 0 && base->path.ptr[n - 1] != '/')
        n--;
    if (n == 0 && base->authority.ptr != NULL)
        buf_put_u8(&both, '/');
    buf_put(&both, base->path.ptr, n);
    buf_put_slice(&both, path);
    put_path(b, buf_slice(&both));
    if (buf_status(&both) != SYNCLINE_OK)
        b->status = buf_status(&both);
    buf_free(&both);
}

/* Appends what ref is, seen from base, without its fragment (5.2.2). */
static void put_target(
    struct buf *b, const struct uri *base, const struct uri *ref)
{
    const bool absolute = ref->scheme.ptr != NULL;
    const bool from_root = absolute || ref->authority.ptr != NULL;
    struct slice scheme = absolute ? ref->scheme : base->scheme;
    struct slice authority = from_root ? ref->authority : base->authority;
    struct slice query = ref->query;

    if (scheme.ptr != NULL) {
        buf_put_slice(b, scheme);
        buf_put_u8(b, ':');
    }
    if (authority.ptr != NULL) {
        buf_put_str(b, "//");
        buf_put_slice(b, authority);
    }
    if (from_root || (ref->path.len > 0 && ref->path.ptr[0] == '/')) {
        put_path(b, ref->path);
    } else if (ref->path.len > 0) {
        put_merged(b, base, ref->path);
    } else {
        buf_put_slice(b, base->path);
        if (query.ptr == NULL)
            query = base->query;
    }
    if (query.ptr != NULL) {
        buf_put_u8(b, '?');
        buf_put_slice(b, query);
    }
}

static int resolve(struct build *b, struct slice base, const struct uri *ref,
    struct slice *out)
{
    struct uri from = uri_parse(base);
    struct buf text = { 0 };
    int rc;

    put_target(&text, &from, ref);
    rc = buf_status(&text);
    if (rc == SYNCLINE_OK) {
        *out = arena_dup(&b->s->arena, buf_slice(&text));
        rc = out->ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
    }
    buf_free(&text);
    return rc;
}

/* URI, and a name within it if that has a pointer. */
static int id_key(struct buf *key, struct slice uri, struct slice name)
{
    buf_clear(key);
    buf_put_slice(key, uri);
    buf_put_u8(key, '#');
    buf_put_slice(key, name);
    return buf_status(key);
}

static struct node *node_in(const struct omap *m, struct slice key)
{
    struct omap_node *found = omap_get(m, key);
    struct node *n = NULL;

    if (found != NULL)
        memcpy(&n, found->value.ptr, sizeof n);
    return n;
}

static int put_id(
    struct build *b, struct node *n, struct slice uri, struct slice name)
{
    struct buf key = { 0 };
    int rc = id_key(&key, uri, name);

    if (rc == SYNCLINE_OK && node_in(&b->s->ids, buf_slice(&key)) != NULL)
        rc = schema_wrong(
            b, n->pointer, "$id", "is the name of another schema too");
    if (rc == SYNCLINE_OK)
        rc = omap_put(
            &b->s->ids, buf_slice(&key), SLICE(&n, sizeof(struct node *)));
    buf_free(&key);
    return rc;
}

int schema_register(struct build *b, struct node *n, struct slice base)
{
    const struct json *id = json_get(n->v, "$id");
    struct uri u;
    int rc;

    n->base = base;
    if (n->pointer.len == 0) {
        rc = put_id(b, n, base, SLICE_NONE);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    if (id == NULL || json_get(n->v, "$ref") != NULL)
        return SYNCLINE_OK;
    if (id->type != JSON_STRING)
        return schema_wrong(b, n->pointer, "$id", "must be a string");
    u = uri_parse(id->s);
    rc = resolve(b, base, &u, &n->base);
    if (rc != SYNCLINE_OK)
        return rc;
    if (u.fragment.len > 0)
        return put_id(b, n, n->base, u.fragment);
    return slice_eq(n->base, base) ? SYNCLINE_OK
                                   : put_id(b, n, n->base, SLICE_NONE);
}

/* A pointer in a fragment: %XX are bytes. */
static int unescape(struct slice *s, struct arena *a)
{
    uint8_t *to = arena_alloc(a, s->len + 1);
    struct slice in = *s;
    size_t n = 0;

    if (to == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] == '%' &&
            (in.len - i < 3 ||
                hex_decode(&to[n], 1, SLICE(in.ptr + i + 1, 2)) != SYNCLINE_OK))
            return SYNCLINE_EINVAL;
        if (in.ptr[i] == '%')
            i += 2;
        else
            to[n] = in.ptr[i];
        n++;
    }
    *s = SLICE(to, n);
    return SYNCLINE_OK;
}

static int by_pointer(struct build *b, const struct node *from,
    const struct node *resource, struct slice pointer, struct node **to)
{
    struct buf whole = { 0 };
    const struct json *v;
    struct slice kept;
    int rc = unescape(&pointer, &b->s->arena);

    if (rc == SYNCLINE_EINVAL)
        return schema_wrong(b, from->pointer, "$ref", "is no URI");
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_slice(&whole, resource->pointer);
    buf_put_slice(&whole, pointer);
    kept = arena_dup(&b->s->arena, buf_slice(&whole));
    rc = buf_status(&whole);
    buf_free(&whole);
    if (rc != SYNCLINE_OK || kept.ptr == NULL)
        return SYNCLINE_ENOMEM;
    v = json_pointer_get(b->s->doc, kept, &b->s->arena);
    if (v == NULL)
        return schema_wrong(
            b, from->pointer, "$ref", "leads to nothing in this schema");
    return schema_node_at(b, to, v, kept, resource->base);
}

int schema_resolve(
    struct build *b, const struct node *n, struct slice ref, struct node **to)
{
    struct uri u = uri_parse(ref);
    struct slice uri, name = SLICE_NONE;
    struct buf key = { 0 };
    struct node *found = NULL;
    bool is_pointer = u.fragment.len > 0 && u.fragment.ptr[0] == '/';
    int rc = resolve(b, n->base, &u, &uri);

    if (rc != SYNCLINE_OK)
        return rc;
    if (!is_pointer)
        name = u.fragment;
    rc = id_key(&key, uri, name);
    if (rc == SYNCLINE_OK)
        found = node_in(&b->s->ids, buf_slice(&key));
    buf_free(&key);
    if (rc != SYNCLINE_OK)
        return rc;
    if (found == NULL)
        return schema_wrong(b, n->pointer, "$ref",
            uri.len > 0 && name.len == 0
                ? "leads out of this schema: nothing is fetched from elsewhere"
                : "leads to nothing in this schema");
    if (is_pointer)
        return by_pointer(b, n, found, u.fragment, to);
    *to = found;
    return SYNCLINE_OK;
}
