#include "repl/keys.h"

#include "unit/check.h"

#include "base/prng.h"
#include "core/item.h"

#define LIT(s)                                 \
    {                                          \
        (const uint8_t *)("" s), sizeof(s) - 1 \
    }

#define R1 "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11"

static const struct dot dot = { { { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                    0x11, 0x11 } },
    0x102 };

/* The bytes of doc/store.md: numbers are big-endian. */
TEST(vectors_of_each_key)
{
    struct buf b = { 0 };

    CHECK_BYTES(key_meta_space(&b, META_SPACE, 2), SLICE_LIT("space/\0\0\0\2"));
    CHECK_BYTES(key_meta_replica(&b, META_CURSOR, 2, &dot.replica),
        SLICE_LIT("cursor/\0\0\0\2" R1));
    CHECK_BYTES(key_space(&b, 0x01020304), SLICE_LIT("\1\2\3\4"));
    CHECK_BYTES(key_item(&b, 2, SLICE_LIT("k")), SLICE_LIT("\0\0\0\2k"));
    CHECK_BYTES(key_feed(&b, 2, 0x103, FEED_CONFLICT, SLICE_LIT("k")),
        SLICE_LIT("\0\0\0\2\0\0\0\0\0\0\1\3\1k"));
    CHECK_BYTES(key_seen(&b, 2, &dot, SLICE_LIT("k")),
        SLICE_LIT("\0\0\0\2" R1 "\0\0\0\0\0\0\1\2k"));
    CHECK_BYTES(
        key_history_of(&b, 2, SLICE_LIT("k")), SLICE_LIT("\0\0\0\2k\0"));
    CHECK_BYTES(key_history(&b, 2, SLICE_LIT("k"), 9),
        SLICE_LIT("\0\0\0\2k\0\0\0\0\0\0\0\0\x09"));
    CHECK_BYTES(
        key_conflict_of(&b, 2, SLICE_LIT("k")), SLICE_LIT("\0\0\0\2k\0"));
    CHECK_BYTES(key_conflict_tail(&b, SLICE_LIT("k"), SLICE_LIT("/a"), &dot),
        SLICE_LIT("k\0\0\0\0\2/a" R1 "\0\0\0\0\0\0\1\2"));
    buf_free(&b);
}

/* What sorts as numbers do can be walked from any of them on. */
TEST(law_keys_sort_as_their_numbers)
{
    struct buf x = { 0 }, y = { 0 };
    struct prng p = { 41 };

    for (int run = 0; run < 5000; run++) {
        uint64_t n = prng_next(&p) >> prng_below(&p, 64);
        uint64_t m = prng_next(&p) >> prng_below(&p, 64);
        struct dot d = dot, e = dot;

        d.seq = n;
        e.seq = m;
        CHECK((slice_cmp(key_feed(&x, 1, n, FEED_ITEM, SLICE_LIT("z")),
                   key_feed(&y, 1, m, FEED_ITEM, SLICE_LIT("z"))) < 0) ==
            (n < m));
        CHECK((slice_cmp(key_seen(&x, 1, &d, SLICE_LIT("z")),
                   key_seen(&y, 1, &e, SLICE_LIT("z"))) < 0) == (n < m));
        CHECK((slice_cmp(key_history(&x, 1, SLICE_LIT("k"), n),
                   key_history(&y, 1, SLICE_LIT("k"), m)) < 0) == (n < m));
    }
    buf_free(&x);
    buf_free(&y);
}

/* No item's history lies among another's, whatever their names. */
TEST(one_items_records_are_its_own)
{
    struct buf x = { 0 }, y = { 0 };

    CHECK(!slice_has_prefix(key_history(&x, 1, SLICE_LIT("ab"), 1),
        key_history_of(&y, 1, SLICE_LIT("a"))));
    CHECK(slice_has_prefix(key_history(&x, 1, SLICE_LIT("a"), 1),
        key_history_of(&y, 1, SLICE_LIT("a"))));
    buf_free(&x);
    buf_free(&y);
}

TEST(of_one_lsn_the_records_of_conflicts_come_first)
{
    struct buf x = { 0 }, y = { 0 };

    CHECK(slice_cmp(key_feed(&x, 1, 5, FEED_CONFLICT, SLICE_LIT("z")),
              key_feed(&y, 1, 5, FEED_ITEM, SLICE_LIT("a"))) < 0);
    CHECK(slice_cmp(key_feed(&x, 1, 5, FEED_FIRST, SLICE_NONE),
              key_feed(&y, 1, 5, FEED_CONFLICT, SLICE_LIT("a"))) < 0);
    CHECK(slice_cmp(key_feed(&x, 1, 6, FEED_FIRST, SLICE_NONE),
              key_feed(&y, 1, 5, FEED_ITEM, SLICE_LIT("z"))) > 0);
    buf_free(&x);
    buf_free(&y);
}

TEST(a_feed_key_is_read_back)
{
    struct buf b = { 0 };
    struct slice s = key_feed(&b, 7, 77, FEED_CONFLICT, SLICE_LIT("tail"));
    struct slice tail;
    enum feed_kind kind;
    uint64_t lsn;

    CHECK_OK(get_feed_key(s, &lsn, &kind, &tail));
    CHECK_UINT(lsn, 77);
    CHECK_INT(kind, FEED_CONFLICT);
    CHECK_SLICE(tail, "tail");
    for (size_t n = 0; n < 13; n++)
        CHECK_INT(get_feed_key(SLICE(s.ptr, n), &lsn, &kind, &tail),
            SYNCLINE_ECORRUPT);
    b.ptr[12] = 0;
    CHECK_INT(get_feed_key(s, &lsn, &kind, &tail), SYNCLINE_ECORRUPT);
    buf_free(&b);
}

TEST(a_seen_key_is_read_back)
{
    struct buf b = { 0 };
    struct slice s = key_seen(&b, 7, &dot, SLICE_LIT("item")), key;
    struct dot d;

    CHECK_OK(get_seen_key(s, &d, &key));
    CHECK(dot_eq(&d, &dot));
    CHECK_SLICE(key, "item");
    for (size_t n = 0; n < 28; n++)
        CHECK_INT(get_seen_key(SLICE(s.ptr, n), &d, &key), SYNCLINE_ECORRUPT);
    buf_free(&b);
}

TEST(a_conflict_tail_is_read_back)
{
    struct buf b = { 0 };
    struct slice s, key, path;
    struct dot d;

    /* A path may hold any byte; only the key may hold no zero. */
    s = key_conflict_tail(&b, SLICE_LIT("key"), SLICE_LIT("/\0/x"), &dot);
    CHECK_OK(get_conflict_tail(s, &key, &path, &d));
    CHECK_SLICE(key, "key");
    CHECK_BYTES(path, SLICE_LIT("/\0/x"));
    CHECK(dot_eq(&d, &dot));
    for (size_t n = 0; n < s.len; n++)
        CHECK(get_conflict_tail(SLICE(s.ptr, n), &key, &path, &d) < 0);
    buf_put_u8(&b, 0);
    CHECK_INT(
        get_conflict_tail(buf_slice(&b), &key, &path, &d), SYNCLINE_EMALFORMED);
    buf_free(&b);
}

/* A peer names conflict records by their tails: none has two names. */
TEST(law_a_byte_changed_in_a_tail)
{
    struct buf b = { 0 }, again = { 0 };
    struct slice s =
        key_conflict_tail(&b, SLICE_LIT("k"), SLICE_LIT("/a"), &dot);

    for (size_t i = 0; i < s.len; i++) {
        uint8_t was = b.ptr[i];

        for (unsigned v = 0; v < 256; v++) {
            struct slice key, path;
            struct dot d;

            b.ptr[i] = (uint8_t)v;
            if (get_conflict_tail(s, &key, &path, &d) == SYNCLINE_OK)
                CHECK_BYTES(key_conflict_tail(&again, key, path, &d), s);
        }
        b.ptr[i] = was;
    }
    buf_free(&b);
    buf_free(&again);
}

TEST(a_path_in_a_tail_is_bounded)
{
    static const uint8_t long_path[PATH_MAX_LEN + 1] = { '/' };
    struct buf b = { 0 };
    struct slice key, path;
    struct dot d;

    CHECK_OK(get_conflict_tail(key_conflict_tail(&b, SLICE_LIT("k"),
                                   SLICE(long_path, PATH_MAX_LEN), &dot),
        &key, &path, &d));
    CHECK_INT(get_conflict_tail(key_conflict_tail(&b, SLICE_LIT("k"),
                                    SLICE(long_path, PATH_MAX_LEN + 1), &dot),
                  &key, &path, &d),
        SYNCLINE_EMALFORMED);
    buf_free(&b);
}

static const struct {
    struct slice key;
    int rc;
} keys[] = {
    { LIT("a"), SYNCLINE_OK },
    { LIT("lamp/kitchen light"), SYNCLINE_OK },
    { LIT("\xc3\xa9\xf0\x9f\x8c\x8d"), SYNCLINE_OK },
    { LIT(""), SYNCLINE_EINVAL },
    { LIT("a\0b"), SYNCLINE_EINVAL },
    { LIT("a\nb"), SYNCLINE_EINVAL },
    { LIT("a\x1f"), SYNCLINE_EINVAL },
    { LIT("\x7f"), SYNCLINE_EINVAL },
    { LIT("\xff"), SYNCLINE_EMALFORMED },
    { LIT("\xc0\x80"), SYNCLINE_EMALFORMED },
    { LIT("\xed\xa0\x80"), SYNCLINE_EMALFORMED },
};

TEST(which_keys_a_person_may_give)
{
    static uint8_t long_key[KEY_MAX + 1];
    struct errmsg why;

    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        why.text[0] = '\0';
        CHECK_INT(key_check(keys[i].key, &why), keys[i].rc);
        CHECK((why.text[0] == '\0') == (keys[i].rc == SYNCLINE_OK));
        CHECK_INT(key_check(keys[i].key, NULL), keys[i].rc);
    }
    memset(long_key, 'k', sizeof long_key);
    CHECK_OK(key_check(SLICE(long_key, KEY_MAX), NULL));
    CHECK_INT(key_check(SLICE(long_key, KEY_MAX + 1), &why), SYNCLINE_ELIMIT);
}
