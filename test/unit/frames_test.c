#include "repl/heads.h"

#include "unit/check.h"

#include "base/prng.h"

#define LIT(s)                                 \
    {                                          \
        (const uint8_t *)("" s), sizeof(s) - 1 \
    }

/* The bytes of doc/protocol.md. Ids are one byte over and over. */
#define X4(b) b b b b
#define X16(b) X4(b) X4(b) X4(b) X4(b)
#define MESH X16("\xaa")
#define R1 X16("\x11")
#define R2 X16("\x22")
#define SPACE X16("\x55")
#define DEVICE X16("\xdd") X16("\xdd")
#define SIG X4(X16("\x66"))

static struct vv no_vector;
static struct dot entries[2] = {
    { { { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
          0x11, 0x11, 0x11, 0x11, 0x11 } },
        5 },
    { { { 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
          0x22, 0x22, 0x22, 0x22, 0x22 } },
        300 },
};

static void fill(uint8_t *to, int byte, size_t n)
{
    memset(to, byte, n);
}

/* ---- one of each, built ---- */

static struct frame hello(void)
{
    struct frame f = { .type = FRAME_HELLO, .no = 1 };

    f.hello.version = PROTOCOL_VERSION;
    fill(f.hello.mesh.b, 0xaa, MESH_ID_LEN);
    fill(f.hello.replica.b, 0x11, RID_LEN);
    f.hello.wall_us = 0x0102030405060708;
    f.hello.port = 4748;
    f.hello.name = SLICE_LIT("desk");
    return f;
}

static struct frame subscribe(void)
{
    struct frame f = { .type = FRAME_SUBSCRIBE, .no = 2 };

    fill(f.subscribe.space.b, 0x55, SPACE_TOKEN_LEN);
    f.subscribe.have = (struct vv){ entries, 2, 2 };
    f.subscribe.has_cursor = true;
    f.subscribe.cursor = 0;
    f.subscribe.flags = SUBSCRIBE_AGAIN | SUBSCRIBE_DURABLE;
    return f;
}

static struct frame subscribe_anew(void)
{
    struct frame f = { .type = FRAME_SUBSCRIBE, .no = 2 };

    fill(f.subscribe.space.b, 0x55, SPACE_TOKEN_LEN);
    f.subscribe.have = no_vector;
    return f;
}

static struct frame batch(void)
{
    struct frame f = { .type = FRAME_BATCH, .no = 128 };

    fill(f.batch.space.b, 0x55, SPACE_TOKEN_LEN);
    f.batch.flags = BATCH_MARK | BATCH_CURSOR;
    f.batch.cursor = 7;
    f.batch.rows_n = 1;
    f.batch.rows = SLICE_LIT("\1k\2it");
    f.batch.conflicts_n = 1;
    f.batch.conflicts = SLICE_LIT("\1t\1r");
    f.batch.mark = (struct vv){ entries, 1, 1 };
    return f;
}

static struct floors some_floors(void)
{
    struct floors f = { .length = 2, .version = 9 };

    f.fields.hlc = 0x0102;
    fill(f.fields.replica.b, 0x11, RID_LEN);
    return f;
}

static struct frame batch_with_floors(void)
{
    struct frame f = { .type = FRAME_BATCH, .no = 3 };

    fill(f.batch.space.b, 0x55, SPACE_TOKEN_LEN);
    f.batch.flags = BATCH_MARK | BATCH_FLOORS;
    f.batch.floors = some_floors();
    return f;
}

static struct frame batch_with_sheaves(void)
{
    struct frame f = { .type = FRAME_BATCH, .no = 3 };

    fill(f.batch.space.b, 0x55, SPACE_TOKEN_LEN);
    f.batch.flags = BATCH_SHEAVES;
    f.batch.sheaves_n = 1;
    f.batch.sheaves = SLICE_LIT("\5sheaf");
    f.batch.rows_n = 2;
    f.batch.rows = SLICE_LIT("\1k\2it\1l\2it");
    return f;
}

static struct frame bootstrap_begins(void)
{
    struct frame f = { .type = FRAME_BOOTSTRAP, .no = 13 };

    fill(f.bootstrap.space.b, 0x55, SPACE_TOKEN_LEN);
    f.bootstrap.stage = BOOTSTRAP_BEGINS;
    f.bootstrap.vector = (struct vv){ entries, 1, 1 };
    return f;
}

static struct frame bootstrap_ends(void)
{
    struct frame f = bootstrap_begins();

    f.bootstrap.stage = BOOTSTRAP_ENDS;
    f.bootstrap.floors = some_floors();
    return f;
}

static struct frame fragment(void)
{
    struct frame f = { .type = FRAME_FRAGMENT, .no = 4 };

    fill(f.fragment.space.b, 0x55, SPACE_TOKEN_LEN);
    f.fragment.transfer = 1;
    f.fragment.total = 600000;
    f.fragment.offset = 300;
    f.fragment.bytes = SLICE_LIT("abc");
    return f;
}

static struct frame credit(void)
{
    return (struct frame){ .type = FRAME_CREDIT, .no = 5, .credit = 65536 };
}

static struct frame ack(void)
{
    struct frame f = { .type = FRAME_ACK, .no = 6 };

    fill(f.ack.space.b, 0x55, SPACE_TOKEN_LEN);
    fill(f.ack.device.b, 0xdd, DEVICE_ID_LEN);
    f.ack.durable = (struct vv){ entries, 2, 2 };
    return f;
}

static struct frame ping(void)
{
    return (struct frame){
        .type = FRAME_PING, .no = 7, .ping = { .sent_us = 1, .wall_us = 0 }
    };
}

static struct frame pong(void)
{
    return (struct frame){
        .type = FRAME_PONG, .no = 8, .ping = { .sent_us = 1, .wall_us = 0x0200 }
    };
}

static struct frame reach(void)
{
    return (struct frame){ .type = FRAME_REACH,
        .no = 9,
        .reach = {
            .devices = SLICE_LIT(DEVICE "\4\x7f\0\0\1\x8c\x12\0\0" DEVICE "\0"),
            .n = 2 } };
}

static struct frame ask(void)
{
    struct frame f = { .type = FRAME_ASK, .no = 10 };

    f.ask.question = 3;
    fill(f.ask.space.b, 0x55, SPACE_TOKEN_LEN);
    f.ask.from = SLICE_LIT("a");
    f.ask.to = SLICE_LIT("");
    return f;
}

static struct frame tell(void)
{
    return (struct frame){ .type = FRAME_TELL,
        .no = 11,
        .tell = { .question = 3, .body = SLICE_LIT("body") } };
}

static struct frame bye(void)
{
    return (struct frame){ .type = FRAME_BYE,
        .no = 12,
        .bye = { .code = SYNCLINE_EDENIED, .text = SLICE_LIT("no") } };
}

static struct frame epoch(void)
{
    return (
        struct frame){ .type = FRAME_EPOCH, .no = 14, .epoch = { .epoch = 3 } };
}

static struct frame epoch_proven(void)
{
    struct frame f = epoch();

    f.epoch.record = SLICE_LIT("[]");
    return f;
}

static struct frame check(void)
{
    struct frame f = { .type = FRAME_CHECK, .no = 15 };

    fill(f.check.space.b, 0x55, SPACE_TOKEN_LEN);
    fill(f.check.vector, 0x11, CHECK_PRINT_LEN);
    f.check.alive = 2;
    f.check.sum.lo = 0x0102;
    f.check.sum.hi = 3;
    return f;
}

static struct frame show(void)
{
    struct frame f = { .type = FRAME_SHOW, .no = 16 };

    fill(f.show.space.b, 0x55, SPACE_TOKEN_LEN);
    f.show.key = SLICE_LIT("k");
    f.show.row = SLICE_LIT("it");
    return f;
}

static struct frame head(void)
{
    struct frame f = { .type = FRAME_HEAD, .no = 17 };

    fill(f.head.space.b, 0x55, SPACE_TOKEN_LEN);
    fill(f.head.device.b, 0xdd, DEVICE_ID_LEN);
    f.head.number = 300;
    fill(f.head.print, 0x11, HEAD_PRINT_LEN);
    fill(f.head.sig, 0x66, ED25519_SIG_LEN);
    f.head.durable = (struct vv){ entries, 2, 2 };
    return f;
}

static const struct {
    const char *name;
    struct frame (*make)(void);
    struct slice bytes;
} vectors[] = {
    { "hello", hello,
        LIT("\1\1\6" MESH R1 "\x08\x07\x06\x05\x04\x03\x02\x01"
            "\x8c\x25\4desk") },
    { "subscribe, from a cursor of 0", subscribe,
        LIT("\2\2" SPACE "\2" R1 "\5" R2 "\xac\2\1\3") },
    { "subscribe, for the first time", subscribe_anew,
        LIT("\2\2" SPACE "\0\0\0") },
    { "batch", batch,
        LIT("\3\x80\1" SPACE "\3\7\1\5\1k\2it\1\4\1t\1r\1" R1 "\5") },
    { "batch with floors", batch_with_floors,
        LIT("\3\3" SPACE "\x11\0\2\x09\0\2\1\0\0\0\0\0\0" R1 "\0\0\0\0\0") },
    { "batch with sheaves", batch_with_sheaves,
        LIT("\3\3" SPACE "\x40\0\1\6\5sheaf\2\x0a\1k\2it\1l\2it\0\0\0") },
    { "bootstrap, it begins", bootstrap_begins,
        LIT("\x0d\x0d" SPACE "\0\1" R1 "\5") },
    { "bootstrap, it ends", bootstrap_ends,
        LIT("\x0d\x0d" SPACE "\1\1" R1 "\5\2\x09\0\2\1\0\0\0\0\0\0" R1) },
    { "fragment", fragment,
        LIT("\4\4" SPACE "\1\xc0\xcf\x24\xac\2\3"
            "abc") },
    { "credit", credit, LIT("\5\5\x80\x80\4") },
    { "ack", ack, LIT("\6\6" SPACE DEVICE "\2" R1 "\5" R2 "\xac\2") },
    { "ping", ping, LIT("\7\7\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
    { "pong", pong, LIT("\x08\x08\1\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0") },
    { "reach", reach,
        LIT("\x09\x09\2" DEVICE "\4\x7f\0\0\1\x8c\x12\0\0" DEVICE "\0") },
    { "ask", ask, LIT("\x0a\x0a\3" SPACE "\1a\0") },
    { "tell", tell, LIT("\x0b\x0b\3\4body") },
    { "bye", bye, LIT("\x0c\x0c\x0e\2no") },
    { "epoch", epoch, LIT("\x0e\x0e\3\0") },
    { "check", check,
        LIT("\x0f\x0f" SPACE R1 "\2\2\1\0\0\0\0\0\0\3\0\0\0\0\0\0\0") },
    { "show", show, LIT("\x10\x10" SPACE "\1k\2it") },
    { "head", head,
        LIT("\x11\x11" SPACE DEVICE "\xac\2" R1 SIG "\2" R1 "\5" R2 "\xac\2") },
    { "epoch, with a proof", epoch_proven, LIT("\x0e\x0e\3\2[]") },
};

static struct slice bytes_of(const struct frame *f, struct arena *a)
{
    struct buf b = { 0 };
    struct slice s;

    put_frame(&b, f);
    CHECK_OK(buf_status(&b));
    s = arena_dup(a, buf_slice(&b));
    buf_free(&b);
    return s;
}

TEST(vectors_of_each_type)
{
    struct arena a = { 0 };
    bool had[FRAME_END] = { false };

    for (size_t i = 0; i < ARRAY_N(vectors); i++) {
        struct frame f = vectors[i].make(), back;
        struct slice got = bytes_of(&f, &a);

        CHECK_SAYING(slice_eq(got, vectors[i].bytes),
            "%s is not written as the page says", vectors[i].name);
        CHECK_OK(get_frame(got, &back, &a));
        CHECK_INT(back.type, f.type);
        CHECK_INT(back.no, f.no);
        CHECK_BYTES(bytes_of(&back, &a), got);
        had[f.type] = true;
    }
    for (int type = 1; type < FRAME_END; type++)
        CHECK(had[type]);
    arena_free(&a);
}

/* The text whose signature doc/protocol.md shows. */
TEST(what_a_head_signs)
{
    const struct slice want =
        LIT("syncline head v1\n" MESH SPACE DEVICE "\x2c\1\0\0\0\0\0\0" R1
            "\2" R1 "\5" R2 "\xac\2");
    const struct frame f = head();
    struct mesh_id mesh;
    struct buf b = { 0 };

    fill(mesh.b, 0xaa, MESH_ID_LEN);
    head_put_signed(&b, &mesh, &f.head);
    CHECK_OK(buf_status(&b));
    CHECK_BYTES(buf_slice(&b), want);
    buf_free(&b);
}

/* ---- what is read is what was meant ---- */

static struct frame read(struct frame (*make)(void), struct arena *a)
{
    struct frame f = make(), back;

    CHECK_OK(get_frame(bytes_of(&f, a), &back, a));
    return back;
}

TEST(the_parts_of_a_hello)
{
    struct arena a = { 0 };
    struct frame f = read(hello, &a);

    CHECK_INT(f.hello.version, PROTOCOL_VERSION);
    CHECK_INT(f.hello.mesh.b[MESH_ID_LEN - 1], 0xaa);
    CHECK_INT(f.hello.replica.b[0], 0x11);
    CHECK_UINT(f.hello.wall_us, 0x0102030405060708);
    CHECK_INT(f.hello.port, 4748);
    CHECK_SLICE(f.hello.name, "desk");
    arena_free(&a);
}

TEST(a_cursor_of_nought_is_not_none)
{
    struct arena a = { 0 };
    struct frame f = read(subscribe, &a);

    CHECK(f.subscribe.has_cursor);
    CHECK_UINT(f.subscribe.cursor, 0);
    CHECK(vv_eq(&f.subscribe.have, &(struct vv){ entries, 2, 2 }));
    f = read(subscribe_anew, &a);
    CHECK(!f.subscribe.has_cursor);
    CHECK_INT(f.subscribe.have.n, 0);
    arena_free(&a);
}

TEST(the_parts_of_a_batch)
{
    struct arena a = { 0 };
    struct frame f = read(batch, &a);

    CHECK_INT(f.batch.flags, BATCH_MARK | BATCH_CURSOR);
    CHECK_UINT(f.batch.cursor, 7);
    CHECK_INT(f.batch.rows_n, 1);
    CHECK_SLICE(f.batch.rows, "\1k\2it");
    CHECK_INT(f.batch.conflicts_n, 1);
    CHECK_SLICE(f.batch.conflicts, "\1t\1r");
    CHECK_UINT(vv_get(&f.batch.mark, &entries[0].replica), 5);
    arena_free(&a);
}

TEST(the_parts_of_the_others)
{
    struct arena a = { 0 };
    struct frame f = read(fragment, &a);

    CHECK_UINT(f.fragment.transfer, 1);
    CHECK_UINT(f.fragment.total, 600000);
    CHECK_UINT(f.fragment.offset, 300);
    CHECK_SLICE(f.fragment.bytes, "abc");
    CHECK_UINT(read(credit, &a).credit, 65536);
    f = read(ack, &a);
    CHECK_INT(f.ack.device.b[31], 0xdd);
    CHECK_UINT(vv_get(&f.ack.durable, &entries[1].replica), 300);
    f = read(pong, &a);
    CHECK_UINT(f.ping.sent_us, 1);
    CHECK_UINT(f.ping.wall_us, 0x0200);
    f = read(ask, &a);
    CHECK_UINT(f.ask.question, 3);
    CHECK_SLICE(f.ask.from, "a");
    CHECK_SLICE(f.ask.to, "");
    f = read(tell, &a);
    CHECK_SLICE(f.tell.body, "body");
    f = read(bye, &a);
    CHECK_INT(f.bye.code, SYNCLINE_EDENIED);
    CHECK_SLICE(f.bye.text, "no");
    f = read(epoch_proven, &a);
    CHECK_UINT(f.epoch.epoch, 3);
    CHECK_SLICE(f.epoch.record, "[]");
    arena_free(&a);
}

TEST(who_is_reached_and_where)
{
    struct arena a = { 0 };
    struct frame f = read(reach, &a);
    struct reader r = reader_of(f.reach.devices);
    struct netaddr addr;

    CHECK_INT(f.reach.n, 2);
    (void)get_fixed(&r, DEVICE_ID_LEN);
    get_netaddr(&r, &addr);
    CHECK_INT(addr.family, 4);
    CHECK_INT(addr.port, 4748);
    (void)get_fixed(&r, DEVICE_ID_LEN);
    get_netaddr(&r, &addr);
    CHECK_INT(addr.family, 0);
    CHECK_INT(r.err, 0);
    arena_free(&a);
}

/* ---- what is refused ---- */

static const struct {
    const char *name;
    struct slice bytes;
    int rc;
} refused[] = {
    { "nothing", LIT(""), SYNCLINE_ESHORT },
    { "no number", LIT("\5"), SYNCLINE_ESHORT },
    { "type 0", LIT("\0\1"), SYNCLINE_EMALFORMED },
    { "a type that is unknown", LIT("\x63\1"), SYNCLINE_EMALFORMED },
    { "a number that is too large", LIT("\5\x80\x80\x80\x80\x10\1"),
        SYNCLINE_EMALFORMED },
    { "a number that is not minimal", LIT("\5\x81\0\1"), SYNCLINE_EMALFORMED },
    { "something behind it", LIT("\5\1\1\0"), SYNCLINE_EMALFORMED },
    { "a hello without a replica",
        LIT("\1\1\6" MESH X16("\0") X4("\0\0") "\0\0\0"), SYNCLINE_EMALFORMED },
    { "a hello with half a replica id",
        LIT("\1\1\6" MESH R1 X4("\0\0") "\0\0\1\0"), SYNCLINE_EMALFORMED },
    { "a port beyond 65535", LIT("\1\1\6" MESH R1 X4("\0\0") "\x80\x80\4\0"),
        SYNCLINE_EMALFORMED },
    { "a vector out of order", LIT("\2\2" SPACE "\2" R2 "\1" R1 "\1\0\0"),
        SYNCLINE_EMALFORMED },
    { "an unknown flag of a subscription", LIT("\2\2" SPACE "\0\0\4"),
        SYNCLINE_EMALFORMED },
    { "a vector with a 0", LIT("\2\2" SPACE "\1" R1 "\0\0\0"),
        SYNCLINE_EMALFORMED },
    { "an unknown flag of a batch", LIT("\3\1" SPACE "\x80\0\0\0\0\0\0\0"),
        SYNCLINE_EMALFORMED },
    { "rows that are longer than the frame", LIT("\3\1" SPACE "\0\0\0\1\x7f"),
        SYNCLINE_ESHORT },
    { "an address of no family", LIT("\x09\1\1" DEVICE "\5"),
        SYNCLINE_EMALFORMED },
    { "an address with a port beyond 65535",
        LIT("\x09\1\1" DEVICE "\4\x7f\0\0\1\0\0\1\0"), SYNCLINE_EMALFORMED },
    { "more devices than there are", LIT("\x09\1\2" DEVICE "\0"),
        SYNCLINE_ESHORT },
    { "more devices than may be", LIT("\x09\1\x81\x08" DEVICE "\0"),
        SYNCLINE_EMALFORMED },
    { "a bye with a code that cannot be", LIT("\x0c\1\xe9\7\0"),
        SYNCLINE_EMALFORMED },
};

TEST(what_is_refused)
{
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(refused); i++) {
        struct frame f;
        int rc = get_frame(refused[i].bytes, &f, &a);

        CHECK_SAYING(rc == refused[i].rc, "%s: %d, not %d", refused[i].name, rc,
            refused[i].rc);
    }
    arena_free(&a);
}

TEST(another_version_says_which)
{
    struct arena a = { 0 };
    struct frame f;

    CHECK_INT(get_frame(SLICE_LIT("\1\1\7something else"), &f, &a),
        SYNCLINE_EVERSION);
    CHECK_INT(f.type, FRAME_HELLO);
    CHECK_INT(f.hello.version, 7);
    arena_free(&a);
}

TEST(whatever_is_cut_off_is_missed)
{
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(vectors); i++)
        for (size_t n = 0; n < vectors[i].bytes.len; n++) {
            struct frame f;
            int rc = get_frame(SLICE(vectors[i].bytes.ptr, n), &f, &a);

            CHECK_SAYING(
                rc == SYNCLINE_ESHORT, "%s at %zu: %d", vectors[i].name, n, rc);
        }
    arena_free(&a);
}

/* Refused, or written again as the same bytes: never guessed. */
static bool reads_as_itself(struct slice bytes, struct arena *a)
{
    struct frame f;
    int rc = get_frame(bytes, &f, a);

    if (rc == SYNCLINE_OK)
        CHECK_BYTES(bytes_of(&f, a), bytes);
    else
        CHECK_SAYING(rc == SYNCLINE_ESHORT || rc == SYNCLINE_EMALFORMED ||
                rc == SYNCLINE_EVERSION,
            "refused with %d", rc);
    return rc == SYNCLINE_OK;
}

TEST(law_every_byte_in_every_place)
{
    struct arena a = { 0 };
    int taken = 0;

    for (size_t i = 0; i < ARRAY_N(vectors); i++) {
        struct slice s = arena_dup(&a, vectors[i].bytes);
        uint8_t bytes[256];

        CHECK(s.len <= sizeof bytes);
        for (size_t at = 0; at < s.len; at++)
            for (unsigned v = 0; v < 256; v += at < 8 ? 1 : 5) {
                memcpy(bytes, vectors[i].bytes.ptr, s.len);
                bytes[at] = (uint8_t)v;
                taken += reads_as_itself(SLICE(bytes, s.len), &a);
                arena_reset(&a);
            }
    }
    CHECK(taken > 1000);
    arena_free(&a);
}

TEST(noise_is_no_frame)
{
    struct arena a = { 0 };
    struct prng p = { 31 };
    uint8_t bytes[80];

    for (int run = 0; run < 20000; run++) {
        size_t n = 2 + prng_below(&p, sizeof bytes - 2);

        bytes[0] = (uint8_t)prng_below(&p, FRAME_END + 1);
        for (size_t i = 1; i < n; i++)
            bytes[i] = prng_one_in(&p, 3) ? (uint8_t)prng_next(&p)
                                          : (uint8_t)prng_below(&p, 3);
        (void)reads_as_itself(SLICE(bytes, n), &a);
        arena_reset(&a);
    }
    arena_free(&a);
}

TEST(memory_that_runs_out_for_a_vector)
{
    struct arena a = { 0 };
    struct frame f;
    int rc;

    check_alloc_fail_from(0);
    rc = get_frame(vectors[1].bytes, &f, &a);
    check_alloc_fail_from(-1);
    CHECK_INT(rc, SYNCLINE_ENOMEM);
    arena_free(&a);
}

TEST(every_type_has_a_name)
{
    CHECK(slice_is(slice_str(frame_name(FRAME_HELLO)), "hello"));
    CHECK(slice_is(slice_str(frame_name(FRAME_BYE)), "bye"));
    for (int type = 1; type < FRAME_END; type++)
        CHECK(
            !slice_is(slice_str(frame_name((enum frame_type)type)), "unknown"));
    CHECK(slice_is(slice_str(frame_name(FRAME_END)), "unknown"));
    CHECK(slice_is(slice_str(frame_name((enum frame_type)0)), "unknown"));
}
