/* What the older system's own engines would have done with two lists of
 * documents, by its published examples, and what becomes of them here. */
#include "unit/lan_gates.h"

#include <stdio.h>

#include "faces/lansync/moment.h"
#include "repl/request_admin.h"

__asm__(".section .rodata\n"
        "lan_vectors:\n    .incbin \"" LAN_VECTORS "\"\n"
        "lan_vectors_end:\n    .byte 0\n"
        ".previous\n");
extern const uint8_t lan_vectors[] __attribute__((visibility("hidden")));
extern const uint8_t lan_vectors_end[] __attribute__((visibility("hidden")));

static const struct json *vector(struct arena *a, const char *id)
{
    struct json *v = NULL;

    CHECK_OK(json_parse(&v,
        SLICE(lan_vectors, (size_t)(lan_vectors_end - lan_vectors)),
        JSON_TOLERANT, a, NULL));
    v = v->first;
    while (v != NULL && !slice_is(json_get_str(v, "id"), id))
        v = v->next;
    CHECK_SAYING(v != NULL, "no vector %s", id);
    return v;
}

/* As some node has written it there, before the two knew each other. */
static void written(struct gate *g, struct slice key, struct slice text,
    uint64_t time_us, int64_t version)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"op\":\"put\",\"key\":");
    json_print_string(&b, key, false);
    buf_put_str(&b, ",\"value\":{\"hash\":");
    json_print_string(&b, text, false);
    buf_printf(&b,
        "},\"as\":{\"face\":\"lansync\",\"node\":\"%s\",\"time\":%llu,"
        "\"version\":%lld}}",
        lan_protocol_node(g->protocol), (unsigned long long)time_us,
        (long long)version);
    gate_ask(g, &b);
}

/* ---- by hashes and times ---- */

static const struct json *document_of(
    const struct json *manifest, struct slice id)
{
    const struct json *d = json_get(manifest, "documents")->first;

    while (d != NULL && !slice_eq(json_get_str(d, "document_id"), id))
        d = d->next;
    return d;
}

static uint64_t moment_of(const struct json *d)
{
    uint64_t us = 0;

    CHECK_OK(moment_read(&us, json_get_str(d, "updated_at")));
    return us;
}

static const char undated[] = "nodate"; /* an item says when it was changed */

/* The newer of two is the next version, unless both have changed it. */
static void write_manifest(
    struct gate *g, const struct json *mine, const struct json *theirs)
{
    const struct json *d = json_get(mine, "documents")->first;

    for (; d != NULL; d = d->next) {
        struct slice id = json_get_str(d, "document_id");
        const struct json *o = document_of(theirs, id);
        bool is_next;

        if (slice_is(id, undated))
            continue;
        is_next = json_get(d, "ancestors") != NULL ||
            (o != NULL && moment_of(d) > moment_of(o));
        written(g, id, json_get_str(d, "version_hash"), moment_of(d),
            is_next ? 2 : 1);
    }
}

static bool is_in_conflict(struct gate *g, struct slice key)
{
    struct conflict_scan s = { .n = g->w.node, .only_key = key };

    CHECK_OK(conflicts_find(&s, SLICE_LIT("default")));
    return s.list != NULL;
}

static void check_hash(struct gate *g, struct slice id, struct slice want)
{
    struct space *sp = space_by_name(g->w.node, SLICE_LIT("default"));
    struct stored st;
    struct buf b = { 0 };

    buf_put_str(&b, "{\"hash\":");
    json_print_string(&b, want, false);
    buf_put_u8(&b, '}');
    CHECK_OK(item_load(g->w.node, sp, id, &st));
    CHECK_BYTES(st.before, buf_slice(&b));
    buf_free(&b);
}

/* On both sides: what they would push, or pull, stands; what both have changed
 * is told as a conflict. They pull where times are equal, so that two of them
 * swap what they have; here both choose the same. */
TEST(what_their_manifests_would_do)
{
    struct arena a = { 0 };
    const struct json *v = vector(&a, "T.conflict.manifest_actions");
    const struct json *local = json_get(v, "local"), *remote;
    struct two t = two_open();
    unsigned n = 0;

    remote = json_get(v, "remote");
    write_manifest(t.a, local, remote);
    write_manifest(t.b, remote, local);
    gates_connect(t.a, t.b);
    for (const struct json *act = json_get(v, "actions")->first; act != NULL;
         act = act->next) {
        struct slice id = json_get_str(act, "document_id");
        struct slice what = json_get_str(act, "action");
        bool is_fought = slice_is(what, "conflict") || slice_is(id, "tie");
        const struct json *stands =
            document_of(slice_is(what, "push") ? local : remote, id);

        if (slice_is(what, "merge_metadata") || slice_is(id, undated))
            continue;
        n++;
        if (!slice_is(id, "tie")) {
            check_hash(t.a, id, json_get_str(stands, "version_hash"));
            check_hash(t.b, id, json_get_str(stands, "version_hash"));
        }
        CHECK(
            !is_fought || (is_in_conflict(t.a, id) && is_in_conflict(t.b, id)));
    }
    CHECK_UINT(n, 6);
    {
        struct space *sp = space_by_name(t.a->w.node, SLICE_LIT("default"));
        struct stored st;

        CHECK_OK(item_load(t.a->w.node, sp, SLICE_LIT("tie"), &st));
        gate_check_value(t.b, "tie", (const char *)st.before.ptr);
    }
    two_close(&t);
    arena_free(&a);
}

/* ---- by versions ---- */

/* Of each document there is the higher version in the end. */
TEST(what_their_plan_by_versions_would_do)
{
    struct arena a = { 0 };
    const struct json *v = vector(&a, "T.http.sync_plan");
    const struct json *plan = json_get(v, "plan");
    const struct json *sides[2] = { json_get(v, "local_versions"),
        json_get(v, "remote_manifest") };
    struct two t = two_open();
    struct gate *gates[2] = { t.a, t.b };

    for (unsigned i = 0; i < 2; i++)
        for (const struct json *m = sides[i]->first; m != NULL; m = m->next)
            if (m->i > 0) { /* of their engine's own: never written */
                char text[32];

                (void)snprintf(text, sizeof text, "v%lld", (long long)m->i);
                written(gates[i], m->key, slice_str(text),
                    1600000000000000 + (uint64_t)m->i, m->i);
            }
    gates_connect(t.a, t.b);
    for (unsigned i = 0; i < 2; i++) {
        const struct json *list = json_get(
            plan, i == 0 ? "documents_to_upload" : "documents_to_download");

        CHECK_UINT(list->n, 2);
        for (const struct json *d = list->first; d != NULL; d = d->next) {
            char text[32];

            (void)snprintf(text, sizeof text, "v%lld",
                (long long)json_get_int(d, "version", 0));
            check_hash(t.a, json_get_str(d, "id"), slice_str(text));
            check_hash(t.b, json_get_str(d, "id"), slice_str(text));
        }
    }
    check_hash(t.b, SLICE_LIT("b"), SLICE_LIT("v2"));
    two_close(&t);
    arena_free(&a);
}
