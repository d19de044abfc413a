/* house_mesh.c - the mesh that every house begins from: three real nodes pair,
 * write apart, and meet. */
#include "fuzz/house.h"

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "repl/keys.h"
#include "repl/members.h"

#define SEC_US ((uint64_t)1000000)

/* What is made before the first run, and kept. */
static struct {
    struct identity *id[DEVICES];
    struct store_mem *disk[DEVICES];
    struct rid replica[DEVICES];
    struct mesh_id mesh;
    struct buf key[HOUSE_RECORDS], value[HOUSE_RECORDS];
    bool made;
} mesh;

const struct identity *house_identity(unsigned who)
{
    const uint8_t seed[IDENTITY_SEED_LEN] = { (uint8_t)(who + 1), 9 };

    if (mesh.id[who] == NULL)
        ENSURE(identity_from_seed(&mesh.id[who], seed) == SYNCLINE_OK);
    return mesh.id[who];
}

/* Two nodes on one line. What one sends lies in its queue until the other is
 * given it, also what was sent before the line was closed. */
struct talk {
    struct house *side[2];
    struct buf queue[2]; /* of (bytes frame), to the other side */
    struct buf code;
    bool answered;
};

static void on_talk(struct house *h, const struct effect *fx)
{
    struct talk *t = h->ctx;
    struct slice code = SLICE_LIT("{\"ok\":true,\"code\":\"");

    switch (fx->type) {
    case FX_SEND:
        put_bytes(&t->queue[h == t->side[1]], fx->bytes);
        break;
    case FX_REPLY:
        ENSURE(slice_has_prefix(fx->bytes, SLICE_LIT("{\"ok\":true")));
        t->answered = true;
        if (slice_has_prefix(fx->bytes, code))
            buf_put_slice(&t->code, slice_from(fx->bytes, code.len));
        break;
    default:
        break;
    }
}

static void talk_until_quiet(struct talk *t, struct house_conn *conn[2])
{
    bool quiet = false;

    for (int round = 0; !quiet; round++) {
        ENSURE(round < 10000);
        quiet = true;
        for (int i = 0; i < 2; i++) {
            struct buf queue = t->queue[i];
            struct reader r = reader_of(written(&queue));

            t->queue[i] = (struct buf){ 0 };
            quiet = quiet && queue.len == 0;
            while (r.in.len > 0)
                house_hear(t->side[!i], conn[!i], get_bytes(&r));
            buf_free(&queue);
            house_settle(t->side[0]);
            house_settle(t->side[1]);
        }
    }
    buf_free(&t->queue[0]);
    buf_free(&t->queue[1]);
}

static void talk(struct house *a, struct house *b, bool pairing, uint64_t dial)
{
    struct talk *t = a->ctx;
    struct house_conn *conn[2];

    conn[0] = house_up(a, b->who, pairing, 0);
    conn[1] =
        house_up(b, a->who, pairing, dial != 0 ? dial : UINT64_C(1) << 40);
    ENSURE(conn[0] != NULL && conn[1] != NULL);
    talk_until_quiet(t, conn);
    for (int i = 0; i < 2; i++)
        if (conn[i]->id != 0)
            house_down(t->side[i], conn[i]);
    for (int i = 0; i < 2; i++) {
        house_pass(t->side[i], SEC_US);
        buf_free(&t->queue[i]);
    }
}

/* The id that a joiner's node gives its first dial to the code's address. */
static uint64_t first_dial;

static void on_dial(struct house *h, const struct effect *fx)
{
    if (fx->type == FX_DIAL && fx->pairing)
        first_dial = fx->conn;
    on_talk(h, fx);
}

static void join(struct house *a, struct house *b)
{
    struct talk t = { .side = { a, b } };
    struct buf ask = { 0 };
    const uint8_t *end;

    a->ctx = b->ctx = &t;
    a->on_effect = on_talk;
    b->on_effect = on_dial;
    first_dial = 0;
    ENSURE(house_ask(a,
        SLICE_LIT("{\"op\":\"invite\",\"addresses\":["
                  "\"10.0.0.1:4748\"]}")));
    ENSURE(t.code.len > 0);
    end = memchr(t.code.ptr, '"', t.code.len);
    buf_printf(&ask, "{\"op\":\"join\",\"code\":\"%.*s\"}",
        (int)(end - t.code.ptr), (const char *)t.code.ptr);
    t.answered = false;
    ENSURE(house_ask(b, written(&ask)) && first_dial != 0);
    talk(a, b, true, first_dial);
    ENSURE(t.answered);
    talk(a, b, false, 0);
    buf_free(&ask);
    buf_free(&t.code);
}

static void say(struct house *h, const char *const *lines)
{
    struct talk t = { .side = { h, h } };

    h->ctx = &t;
    h->on_effect = on_talk;
    for (; *lines != NULL; lines++) {
        ENSURE(house_ask(h, slice_str(*lines)));
        house_settle(h);
        h->now_us += 1000;
        h->wall_us += 1000;
    }
    buf_free(&t.queue[0]);
    buf_free(&t.queue[1]);
}

static void meet(struct house *a, struct house *b)
{
    struct talk t = { .side = { a, b } };

    a->ctx = b->ctx = &t;
    a->on_effect = b->on_effect = on_talk;
    talk(a, b, false, 0);
}

static const char *const first[] = {
    "{\"op\":\"put\",\"key\":\"a\",\"value\":{\"a\":1,\"b\":[1,2],\"c\":{}}}",
    "{\"op\":\"put\",\"key\":\"gone\",\"value\":7}",
    "{\"op\":\"del\",\"key\":\"gone\"}",
    "{\"op\":\"space_add\",\"name\":\"notes\"}",
    "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"m/x\",\"value\":\"x\"}",
    "{\"op\":\"policy_set\",\"space\":\"notes\",\"prefix\":\"m/\","
    "\"policy\":\"manual\"}",
    "{\"op\":\"policy_set\",\"space\":\"notes\",\"prefix\":\"k/\","
    "\"policy\":\"keep-both\"}",
    "{\"op\":\"policy_set\",\"space\":\"notes\",\"prefix\":\"c/\","
    "\"policy\":\"custom\"}",
    NULL
};
static const char *const here[] = {
    "{\"op\":\"patch\",\"key\":\"a\",\"patch\":{\"a\":2,\"d\":{\"e\":true}}}",
    "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"m/x\",\"value\":\"y\"}",
    "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"k/1\",\"value\":{\"a\":1}}",
    "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"c/1\",\"value\":{\"a\":1}}",
    NULL
};
static const char *const there[] = {
    "{\"op\":\"patch\",\"key\":\"a\",\"patch\":{\"a\":3,\"d\":4}}",
    "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"m/x\",\"value\":\"z\"}",
    "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"k/1\",\"value\":{\"a\":2}}",
    "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"c/1\",\"value\":{\"a\":2}}",
    NULL
};

/* A record that is looked for among all that the mesh holds. */
struct wanted {
    const char *kind;
    char device[2 * DEVICE_ID_LEN + 1];
    unsigned ix;
};

static bool is_wanted(const struct wanted *want, const struct json *value)
{
    struct arena a = { 0 };
    struct json *v;
    bool is = value != NULL && value->type == JSON_ARRAY && value->n > 0 &&
        json_parse(&v, value->first->s, JSON_STRICT, &a, NULL) == SYNCLINE_OK &&
        slice_is(json_get_str(v, "kind"), want->kind) &&
        slice_is(json_get_str(v, "device"), want->device);

    arena_free(&a);
    return is;
}

/* `ls` is answered with all documents as they stand. */
static void keep_value(struct house *h, const struct effect *fx)
{
    const struct wanted *want = h->ctx;
    struct arena a = { 0 };
    struct json *v, *items;

    if (fx->type != FX_REPLY)
        return;
    ENSURE(json_parse(&v, fx->bytes, JSON_WRAPPED, &a, NULL) == SYNCLINE_OK);
    items = json_get(v, "items");
    ENSURE(items != NULL);
    for (const struct json *e = items->first; e != NULL; e = e->next) {
        if (!is_wanted(want, json_get(e, "value")))
            continue;
        buf_put_slice(&mesh.key[want->ix], json_get_str(e, "key"));
        json_print(&mesh.value[want->ix], json_get(e, "value"), JSON_CANONICAL);
        break;
    }
    arena_free(&a);
}

static void keep_record(
    struct house *h, unsigned ix, const char *kind, unsigned who)
{
    struct wanted want = { .kind = kind, .ix = ix };

    hex_encode(want.device, device_slice(identity_device(house_identity(who))));
    h->ctx = &want;
    h->on_effect = keep_value;
    ENSURE(house_ask(h,
        SLICE_LIT("{\"op\":\"ls\",\"space\":\"_mesh\",\"prefix\":"
                  "\"cert/\",\"values\":true}")));
    ENSURE(mesh.value[ix].len > 0);
}

/* What the kitchen says once the stranger has joined there, and others have
 * been removed: none of it has come to home. */
static void make_records(void)
{
    static const char *const removals[] = {
        "{\"op\":\"remove\",\"device\":\"home\"}",
        "{\"op\":\"remove\",\"device\":\"garage\"}", NULL
    };
    struct store_mem *disk[2];
    struct house kitchen, stranger;

    ENSURE(store_mem_clone(&disk[0], mesh.disk[KITCHEN]) == SYNCLINE_OK);
    ENSURE(store_mem_new(&disk[1]) == SYNCLINE_OK);
    house_open(&kitchen, KITCHEN, disk[0]);
    house_open(&stranger, STRANGER, disk[1]);
    join(&kitchen, &stranger);
    say(&kitchen, removals);
    keep_record(&kitchen, 0, "member", STRANGER);
    keep_record(&kitchen, 1, "removed", HOME);
    keep_record(&kitchen, 2, "removed", GARAGE);
    mesh.replica[STRANGER] = *node_replica(stranger.node);
    house_drop(&kitchen);
    house_drop(&stranger);
}

static void make_mesh(void)
{
    struct house h[3];

    mesh.made = true;
    for (unsigned i = 0; i < 3; i++) {
        struct store_mem *disk;

        ENSURE(store_mem_new(&disk) == SYNCLINE_OK);
        house_open(&h[i], i, disk);
    }
    join(&h[HOME], &h[KITCHEN]);
    join(&h[HOME], &h[GARAGE]);
    say(&h[HOME], first);
    meet(&h[HOME], &h[KITCHEN]);
    say(&h[HOME], here);
    say(&h[KITCHEN], there);
    meet(&h[HOME], &h[KITCHEN]);
    meet(&h[HOME], &h[GARAGE]);
    for (unsigned i = 0; i < 3; i++) {
        struct slice record;

        mesh.replica[i] = *node_replica(h[i].node);
        ENSURE(store_get(&h[i].port, TABLE_META, SLICE_LIT(META_MESH),
                   &record) == SYNCLINE_OK);
        memcpy(mesh.mesh.b, record.ptr, MESH_ID_LEN);
        ENSURE(node_close(h[i].node) == SYNCLINE_OK);
        node_free(h[i].node);
        mesh.disk[i] = h[i].disk;
    }
    make_records();
}

struct store_mem *house_disk(void)
{
    struct store_mem *disk;

    if (!mesh.made)
        make_mesh();
    ENSURE(store_mem_clone(&disk, mesh.disk[HOME]) == SYNCLINE_OK);
    return disk;
}

const struct rid *house_replica(unsigned who)
{
    return &mesh.replica[who];
}

const struct mesh_id *house_mesh(void)
{
    return &mesh.mesh;
}

struct slice house_record(unsigned ix, struct slice *key)
{
    *key = buf_slice(&mesh.key[ix]);
    return buf_slice(&mesh.value[ix]);
}
