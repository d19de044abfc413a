#include "faces/isync/state.h"

#include <math.h>
#include <stdlib.h>

#include "base/plant.h"
#include "base/text.h"
#include "faces/isync/state_impl.h"

/* What a register takes beside its bytes, about. */
#define ENTRY_BYTES (sizeof(struct isync_entry) + 128)

int isync_state_new(struct isync_state **out, const char *node)
{
    struct isync_state *s = calloc(1, sizeof *s);

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->node = strdup(node);
    if (s->node == NULL) {
        free(s);
        return SYNCLINE_ENOMEM;
    }
    *out = s;
    return SYNCLINE_OK;
}

void isync_state_free(struct isync_state *s)
{
    if (s == NULL)
        return;
    while (s->first != NULL) {
        struct isync_entry *next = s->first->after;

        free(s->first);
        s->first = next;
    }
    omap_free(&s->registers);
    omap_free(&s->deleted);
    omap_free(&s->clock);
    free(s->node);
    free(s);
}

const char *isync_state_node(const struct isync_state *s)
{
    return s->node;
}

/* ---- what may be in ---- */

int isync_key_check(struct slice key)
{
    if (key.len > ISYNC_KEY_MAX)
        return SYNCLINE_ELIMIT;
    return key.len > 0 && utf8_valid(key) ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

int isync_node_check(struct slice node)
{
    if (node.len > ISYNC_NODE_MAX)
        return SYNCLINE_ELIMIT;
    return utf8_valid(node) ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

/* No reader of JSON but Python's knows what is no finite number. */
static bool is_finite(const struct json *v)
{
    if (v->type == JSON_DOUBLE)
        return isfinite(v->d);
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
        return true;
    for (const struct json *c = v->first; c != NULL; c = c->next)
        if (!is_finite(c))
            return false;
    return true;
}

int isync_value_text(struct buf *out, const struct json *value)
{
    if (json_depth(value) > ISYNC_VALUE_DEPTH_MAX)
        return SYNCLINE_ELIMIT;
    if (!is_finite(value))
        return SYNCLINE_EMALFORMED;
    out->max = ISYNC_VALUE_MAX;
    json_print(out, value, JSON_PLAIN_RAW);
    return buf_status(out);
}

/* Of two texts of one style the same value has the same length. */
bool isync_value_stands(
    const struct isync_entry *e, const struct json *v, struct slice text)
{
    struct arena a = { 0 };
    struct json *old = NULL;
    bool is_same;

    if (e->value.len != text.len)
        return false;
    if (slice_eq(e->value, text))
        return true;
    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY)
        return false;
    is_same =
        json_parse(&old, e->value, JSON_TOLERANT, &a, NULL) == SYNCLINE_OK &&
        json_equal(old, v);
    arena_free(&a);
    return is_same;
}

/* ---- entries ---- */

struct isync_entry *isync_entry_of(const struct omap_node *n)
{
    struct isync_entry *e = NULL;

    if (n != NULL)
        memcpy(&e, n->value.ptr, sizeof e);
    return e;
}

static size_t bytes_of(const struct isync_entry *e)
{
    return ENTRY_BYTES + e->key.len + e->node.len + e->value.len;
}

static size_t printed_len(struct slice s)
{
    size_t n = s.len + 2;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] < 0x20 || s.ptr[i] == '"' || s.ptr[i] == '\\' ? 5 : 0;
    return n;
}

/* Its key stands there twice: what the space knows of it is kept, too. */
static size_t text_of(const struct isync_entry *e)
{
    return 100 + 2 * printed_len(e->key) + printed_len(e->node) + e->value.len;
}

static uint32_t nodes_of(const struct json *v)
{
    uint32_t n = 1;

    if (v != NULL && (v->type == JSON_ARRAY || v->type == JSON_OBJECT))
        for (const struct json *c = v->first; c != NULL; c = c->next)
            n += nodes_of(c);
    return n;
}

static struct slice append(uint8_t **to, struct slice s)
{
    struct slice copy = SLICE(*to, s.len);

    if (s.len > 0)
        memcpy(*to, s.ptr, s.len);
    *to += s.len;
    return copy;
}

static struct isync_entry *entry_new(
    struct slice key, struct slice node, struct slice value)
{
    struct isync_entry *e = malloc(sizeof *e + key.len + node.len + value.len);
    uint8_t *to;

    if (e == NULL)
        return NULL;
    *e = (struct isync_entry){ 0 };
    to = e->bytes;
    e->key = append(&to, key);
    e->node = append(&to, node);
    e->value = append(&to, value);
    return e;
}

static void link_last(struct isync_state *s, struct isync_entry *e)
{
    e->seq = ++s->head;
    e->before = s->last;
    e->after = NULL;
    if (s->last != NULL)
        s->last->after = e;
    else
        s->first = e;
    s->last = e;
    s->bytes += bytes_of(e);
    s->text += e->text;
    s->nodes += e->nodes;
}

static void drop(struct isync_state *s, struct isync_entry *e)
{
    if (e == NULL)
        return;
    if (e->before != NULL)
        e->before->after = e->after;
    else
        s->first = e->after;
    if (e->after != NULL)
        e->after->before = e->before;
    else
        s->last = e->before;
    s->bytes -= bytes_of(e);
    s->text -= e->text;
    s->nodes -= e->nodes;
    free(e);
}

/* Whoever opens what was saved has all of it in memory as JSON. */
static bool is_full(const struct isync_state *s, const struct isync_entry *old,
    const struct isync_entry *e)
{
    static const struct isync_entry none = { 0 };
    const size_t less = old != NULL ? bytes_of(old) : 0;

    if (e->is_deleted ? s->deleted.n >= ISYNC_DELETED_MAX
                      : old == NULL && s->registers.n >= ISYNC_REGISTERS_MAX)
        return true;
    old = old != NULL ? old : &none;
    return s->bytes - less + bytes_of(e) > ISYNC_STATE_BYTES_MAX ||
        s->text - old->text + e->text > ISYNC_STATE_TEXT_MAX ||
        s->nodes - old->nodes + e->nodes > ISYNC_STATE_NODES_MAX;
}

int isync_entry_put(struct isync_state *s, const struct isync_change *c,
    struct slice text, uint64_t from)
{
    struct isync_entry *old = isync_entry_of(omap_get(&s->registers, c->key));
    struct isync_entry *e = entry_new(c->key, c->node, text);
    int rc;

    if (e == NULL)
        return SYNCLINE_ENOMEM;
    e->stamp = c->stamp;
    e->from = from;
    e->nodes = nodes_of(c->value);
    e->text = text_of(e);
    rc = is_full(s, old, e)
        ? SYNCLINE_ELIMIT
        : omap_put(&s->registers, c->key, SLICE(&e, sizeof e));
    if (rc != SYNCLINE_OK) {
        free(e);
        return rc;
    }
    drop(s, old);
    link_last(s, e);
    return SYNCLINE_OK;
}

int isync_entry_delete(struct isync_state *s, struct slice key, uint64_t from)
{
    struct isync_entry *e;
    int rc;

    if (omap_get(&s->deleted, key) != NULL)
        return SYNCLINE_EEXIST;
    e = entry_new(key, SLICE_NONE, SLICE_NONE);
    if (e == NULL)
        return SYNCLINE_ENOMEM;
    e->is_deleted = true;
    e->from = from;
    e->text = text_of(e);
    rc = is_full(s, isync_entry_of(omap_get(&s->registers, key)), e)
        ? SYNCLINE_ELIMIT
        : omap_put(&s->deleted, key, SLICE(&e, sizeof e));
    if (rc != SYNCLINE_OK) {
        free(e);
        return rc;
    }
    link_last(s, e);
    e = isync_entry_of(omap_get(&s->registers, key));
    if (e != NULL) {
        (void)omap_del(&s->registers, key);
        drop(s, e);
    }
    return SYNCLINE_OK;
}

/* ---- the clock ---- */

static int64_t clock_at(const struct isync_state *s, struct slice node)
{
    const struct omap_node *n = omap_get(&s->clock, node);
    int64_t v = 0;

    if (n != NULL)
        memcpy(&v, n->value.ptr, sizeof v);
    return v;
}

/* A node and its number, in the style that takes most room. */
static int clock_text_len(size_t *out, struct slice node)
{
    struct buf b = { 0 };
    int rc;

    json_print_string(&b, node, true);
    rc = buf_status(&b);
    *out = b.len + 24;
    buf_free(&b);
    return rc;
}

int isync_clock_see(struct isync_state *s, struct slice node, int64_t n)
{
    const bool is_known = omap_get(&s->clock, node) != NULL;
    size_t more = 0;
    int rc = SYNCLINE_OK;

    if (is_known && n <= clock_at(s, node))
        return SYNCLINE_OK;
    if (!is_known)
        rc = clock_text_len(&more, node);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!is_known && !slice_is(node, s->node) &&
        (s->clock.n >= ISYNC_CLOCK_MAX ||
            (s->clock_bytes + more > ISYNC_CLOCK_BYTES_MAX &&
                !PLANTED(R30_ISYNC_CLOCK))))
        return SYNCLINE_OK;
    rc = omap_put(&s->clock, node, SLICE(&n, sizeof n));
    if (rc == SYNCLINE_OK)
        s->clock_bytes += more;
    return rc;
}

int isync_clock_bump(struct isync_state *s)
{
    int64_t n = clock_at(s, slice_str(s->node));

    return isync_clock_see(s, slice_str(s->node), n < INT64_MAX ? n + 1 : n);
}

/* ---- our own writes ---- */

int isync_state_put(struct isync_state *s, struct slice key,
    const struct json *value, struct isync_stamp stamp, bool has_seen)
{
    struct isync_entry *e = isync_entry_of(omap_get(&s->registers, key));
    struct isync_change c = {
        .key = key, .node = slice_str(s->node), .stamp = stamp, .value = value
    };
    struct buf text = { 0 };
    int rc = isync_key_check(key);

    if (rc == SYNCLINE_OK && isync_state_is_deleted(s, key))
        rc = SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        rc = isync_value_text(&text, value);
    if (rc == SYNCLINE_OK && e != NULL &&
        isync_value_stands(e, value, buf_slice(&text)))
        rc = SYNCLINE_EEXIST;
    if (rc == SYNCLINE_OK && e != NULL &&
        isync_stamp_cmp(&e->stamp, &stamp) >= 0) {
        rc = has_seen ? SYNCLINE_OK : SYNCLINE_ECONFLICT;
        c.stamp = isync_stamp_after(&e->stamp);
        if (rc == SYNCLINE_OK && !isync_stamp_is_sound(&c.stamp))
            rc = SYNCLINE_ELIMIT; /* nobody would take it, nor we again */
    }
    if (rc == SYNCLINE_OK)
        rc = isync_entry_put(s, &c, buf_slice(&text), 0);
    if (rc == SYNCLINE_OK)
        rc = isync_clock_bump(s);
    buf_free(&text);
    return rc;
}

int isync_state_del(struct isync_state *s, struct slice key)
{
    int rc = isync_key_check(key);

    if (rc == SYNCLINE_OK)
        rc = isync_entry_delete(s, key, 0);
    return rc == SYNCLINE_OK ? isync_clock_bump(s) : rc;
}

/* ---- looking ---- */

static void lend(struct isync_register *out, const struct isync_entry *e)
{
    *out = (struct isync_register){
        .key = e->key, .node = e->node, .stamp = e->stamp, .value = e->value
    };
}

int isync_state_get(
    const struct isync_state *s, struct slice key, struct isync_register *out)
{
    const struct isync_entry *e = isync_entry_of(omap_get(&s->registers, key));

    if (e == NULL)
        return isync_state_is_deleted(s, key) ? SYNCLINE_EDENIED
                                              : SYNCLINE_ENOTFOUND;
    lend(out, e);
    return SYNCLINE_OK;
}

bool isync_state_is_deleted(const struct isync_state *s, struct slice key)
{
    return omap_get(&s->deleted, key) != NULL;
}

bool isync_state_seek(
    const struct isync_state *s, struct slice key, struct isync_register *out)
{
    const struct isync_entry *e = isync_entry_of(omap_seek(&s->registers, key));

    if (e != NULL)
        lend(out, e);
    return e != NULL;
}

bool isync_state_seek_deleted(
    const struct isync_state *s, struct slice key, struct slice *out)
{
    const struct isync_entry *e = isync_entry_of(omap_seek(&s->deleted, key));

    if (e != NULL)
        *out = e->key;
    return e != NULL;
}

struct isync_counts isync_state_counts(const struct isync_state *s)
{
    return (struct isync_counts){ .registers = s->registers.n,
        .deleted = s->deleted.n,
        .nodes = s->clock.n,
        .bytes = s->bytes };
}

uint64_t isync_state_head(const struct isync_state *s)
{
    return s->head;
}
