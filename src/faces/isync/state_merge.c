/* States and parts of others, read as JSON and merged. */
#include "faces/isync/state.h"

#include "faces/isync/state_impl.h"

/* The members of a SyncState. */
struct parts {
    const struct json *node, *clock, *registers, *elements;
};

static bool is_type(const struct json *v, enum json_type type)
{
    return v != NULL && v->type == type;
}

static int read_parts(
    struct parts *out, const struct json *v, struct errmsg *why)
{
    const struct json *deleted = json_get(v, "deleted_keys");

    *out = (struct parts){ .node = json_get(v, "node_id"),
        .clock = json_get(v, "vector_clock"),
        .registers = json_get(v, "lww_registers"),
        .elements = json_get(deleted, "elements") };
    if (!is_type(out->node, JSON_STRING))
        return errmsg_set(why, SYNCLINE_EMALFORMED, "node_id: no text");
    if (!is_type(out->clock, JSON_OBJECT))
        return errmsg_set(why, SYNCLINE_EMALFORMED, "vector_clock: no object");
    if (!is_type(out->registers, JSON_OBJECT))
        return errmsg_set(why, SYNCLINE_EMALFORMED, "lww_registers: no object");
    if (!is_type(deleted, JSON_OBJECT) || !is_type(out->elements, JSON_ARRAY))
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "deleted_keys: no object with elements");
    return SYNCLINE_OK;
}

static void tell(const struct isync_watcher *w, const struct isync_change *c)
{
    if (w != NULL && w->changed != NULL)
        w->changed(w->ctx, c);
}

/* ---- registers ---- */

/* Does what comes win over what stands? */
static bool wins(const struct isync_change *c, const struct isync_entry *e)
{
    int by_time = isync_stamp_cmp(&c->stamp, &e->stamp);

    return by_time > 0 || (by_time == 0 && slice_cmp(c->node, e->node) > 0);
}

/* c->value has that text. A stamp that nobody has set is no reason to write
 * the same once more. */
static int take(struct isync_state *s, struct isync_change *c,
    struct slice text, bool has_stamp, uint64_t from)
{
    const struct isync_entry *e =
        isync_entry_of(omap_get(&s->registers, c->key));

    if (e != NULL) {
        c->is_same = isync_value_stands(e, c->value, text);
        if (!wins(c, e) || (c->is_same && !has_stamp))
            return SYNCLINE_EEXIST;
    }
    return isync_entry_put(s, c, text, from);
}

static void see_time(struct isync_change *c, uint64_t wall_us)
{
    c->time_us = isync_stamp_us(&c->stamp);
    c->is_far = c->time_us > wall_us && c->time_us - wall_us > ISYNC_FAR_US;
    if (c->is_far)
        c->time_us = wall_us;
}

static int check_and_take(struct isync_state *s, struct isync_change *c,
    bool has_stamp, uint64_t from, uint64_t wall_us)
{
    struct buf text = { 0 };
    int rc = isync_key_check(c->key);

    if (rc == SYNCLINE_OK)
        rc = isync_node_check(c->node);
    if (rc == SYNCLINE_OK && isync_state_is_deleted(s, c->key))
        rc = SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        rc = isync_value_text(&text, c->value);
    if (rc == SYNCLINE_OK) {
        see_time(c, wall_us);
        rc = take(s, c, buf_slice(&text), has_stamp, from);
    }
    buf_free(&text);
    return rc;
}

int isync_state_take(struct isync_state *s, const struct isync_change *c,
    uint64_t from, uint64_t wall_us, const struct isync_watcher *w)
{
    struct isync_change made = *c;
    int rc = check_and_take(s, &made, true, from, wall_us);

    if (rc == SYNCLINE_OK)
        tell(w, &made);
    return rc;
}

/* None, null and 0 are "now" to the originals. */
static int read_stamp(struct isync_stamp *out, const struct json *v,
    uint64_t wall_us, bool *has_stamp)
{
    const struct isync_stamp zero = { .is_int = true };
    int rc = SYNCLINE_OK;

    *has_stamp = v != NULL && v->type != JSON_NULL;
    if (*has_stamp)
        rc = isync_stamp_read(out, v);
    if (rc == SYNCLINE_OK && *has_stamp)
        *has_stamp = isync_stamp_cmp(out, &zero) != 0;
    if (rc == SYNCLINE_OK && !*has_stamp)
        *out = isync_stamp_of(wall_us);
    return rc;
}

static int merge_register(struct isync_state *s, const struct json *v,
    uint64_t from, uint64_t wall_us, const struct isync_watcher *w,
    struct isync_merged *out)
{
    const struct json *node = json_get(v, "node_id");
    struct isync_change c = { .key = v->key, .value = json_get(v, "value") };
    bool has_stamp;
    int rc = SYNCLINE_EMALFORMED;

    if (is_type(node, JSON_STRING) && c.value != NULL)
        rc =
            read_stamp(&c.stamp, json_get(v, "timestamp"), wall_us, &has_stamp);
    if (rc == SYNCLINE_OK) {
        c.node = node->s;
        rc = check_and_take(s, &c, has_stamp, from, wall_us);
    }
    if (rc == SYNCLINE_OK) {
        out->registers++;
        out->far += c.is_far;
        tell(w, &c);
    }
    return rc;
}

/* ENOMEM ends it; what else is wrong with one is counted. */
static int count(struct isync_merged *out, int rc)
{
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc == SYNCLINE_EMALFORMED)
        out->refused++;
    else if (rc == SYNCLINE_ELIMIT)
        out->left_out++;
    return SYNCLINE_OK;
}

/* ---- deletions, the clock ---- */

static int merge_deletion(struct isync_state *s, const struct json *v,
    uint64_t from, struct slice node, uint64_t wall_us,
    const struct isync_watcher *w, struct isync_merged *out)
{
    struct isync_change c = {
        .node = node, .stamp = isync_stamp_of(wall_us), .time_us = wall_us
    };
    int rc = SYNCLINE_EMALFORMED;

    if (v->type == JSON_STRING) {
        c.key = v->s;
        rc = isync_key_check(c.key);
    }
    if (rc == SYNCLINE_OK)
        rc = isync_entry_delete(s, c.key, from);
    if (rc == SYNCLINE_OK) {
        out->deleted++;
        tell(w, &c);
    }
    return rc;
}

static int merge_clock(struct isync_state *s, const struct json *clock)
{
    int rc = SYNCLINE_OK;

    for (const struct json *v = clock->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next)
        if (v->type == JSON_INT && isync_node_check(v->key) == SYNCLINE_OK)
            rc = isync_clock_see(s, v->key, v->i);
    return rc;
}

int isync_state_merge(struct isync_state *s, const struct json *v,
    uint64_t from, uint64_t wall_us, const struct isync_watcher *w,
    struct isync_merged *out, struct errmsg *why)
{
    struct isync_merged done = { 0 };
    struct parts p;
    int rc = read_parts(&p, v, why);

    if (rc != SYNCLINE_OK)
        return rc;
    /* Deletions first: what they forbid is not even looked at. */
    for (const struct json *d = p.elements->first;
         d != NULL && rc == SYNCLINE_OK; d = d->next)
        rc = count(
            &done, merge_deletion(s, d, from, p.node->s, wall_us, w, &done));
    for (const struct json *r = p.registers->first;
         r != NULL && rc == SYNCLINE_OK; r = r->next)
        rc = count(&done, merge_register(s, r, from, wall_us, w, &done));
    if (rc == SYNCLINE_OK)
        rc = merge_clock(s, p.clock);
    if (rc == SYNCLINE_OK)
        rc = isync_clock_bump(s);
    *out = done;
    return rc == SYNCLINE_OK
        ? rc
        : errmsg_set(why, rc, "memory ran out while a state was merged");
}

/* ---- what was saved ---- */

static int load_register(struct isync_state *s, const struct json *v)
{
    const struct json *node = json_get(v, "node_id");
    struct isync_change c = { .key = v->key, .value = json_get(v, "value") };
    int rc = SYNCLINE_EMALFORMED;

    if (is_type(node, JSON_STRING) && c.value != NULL)
        rc = isync_stamp_read(&c.stamp, json_get(v, "timestamp"));
    c.node = rc == SYNCLINE_OK ? node->s : SLICE_NONE;
    return rc == SYNCLINE_OK ? check_and_take(s, &c, true, 0, UINT64_MAX) : rc;
}

/* What is beyond a limit that was not there then is no reason not to start:
 * others have it. */
static int unless_full(int rc)
{
    return rc == SYNCLINE_ELIMIT ? SYNCLINE_OK : rc;
}

static int load_all(struct isync_state *s, const struct parts *p)
{
    int rc = SYNCLINE_OK;

    for (const struct json *d = p->elements->first;
         d != NULL && rc == SYNCLINE_OK; d = d->next) {
        rc = d->type == JSON_STRING ? isync_key_check(d->s)
                                    : SYNCLINE_EMALFORMED;
        if (rc == SYNCLINE_OK)
            rc = unless_full(isync_entry_delete(s, d->s, 0));
    }
    for (const struct json *r = p->registers->first;
         r != NULL && rc == SYNCLINE_OK; r = r->next)
        rc = unless_full(load_register(s, r));
    return rc == SYNCLINE_OK ? merge_clock(s, p->clock) : rc;
}

int isync_state_load(
    struct isync_state *s, const struct json *v, struct errmsg *why)
{
    struct parts p;
    int rc = read_parts(&p, v, why);

    if (rc != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    rc = load_all(s, &p);
    if (rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM)
        return rc;
    return errmsg_set(
        why, SYNCLINE_ECORRUPT, "a register or a deletion cannot be read");
}
