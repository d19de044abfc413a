/* What a relay keeps of items and conflicts, and what comes back of it. */
#include "unit/sealed_make.h"

#include <stdlib.h>

#define KEY SLICE_LIT("a key")

struct desk {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct node *node; /* nothing of it is set but what sealing asks for */
    struct space clear, sealed;
    struct envelope_keys keys[SEAL_KEYS];
    struct sealer sealer;
    struct arena arena;
};

static void desk_open(struct desk *d)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    *d = (struct desk){ .clear = { .token = { { 0x55 } } } };
    d->sealed = d->clear;
    d->sealed.sealed = true;
    CHECK_OK(identity_from_seed(&d->id, seed));
    crypto_port_quick(&d->crypto, &d->self, d->id, 1);
    d->node = calloc(1, sizeof *d->node);
    CHECK(d->node != NULL);
    d->node->opt.crypto = &d->crypto;
    d->node->mesh = (struct mesh_id){ { 0xaa } };
    make_sealer(&d->sealer, d->keys, d->node, &d->clear);
}

static void desk_close(struct desk *d)
{
    arena_free(&d->arena);
    free(d->node);
    identity_free(d->id);
}

/* As item_make draws them, so with every kind of part, and signed. */
static struct item draw(struct desk *d, struct prng *p)
{
    struct item it = random_item(p, &d->arena);

    for (uint32_t i = 0; i < it.changes_n; i++)
        it.changes[i].proof = SLICE_NONE;
    sign_changes(&d->sealer, KEY, &it, p, &d->arena);
    return it;
}

static struct item two_fields(struct desk *d)
{
    struct prng p = { 3 };
    struct item it;

    item_init(&it);
    it.version = 1;
    make_cell(&it, "/name", "\"a secret\"", 1, 5, &d->arena);
    make_cell(&it, "/gone", NULL, 2, 6, &d->arena);
    CHECK_OK(item_normalise(&it, &d->arena));
    sign_changes(&d->sealer, KEY, &it, &p, &d->arena);
    return it;
}

static bool holds(struct slice in, const char *text)
{
    for (size_t i = 0; i < in.len; i++)
        if (slice_has_prefix(slice_from(in, i), slice_str(text)))
            return true;
    return false;
}

/* A relay is told neither names nor values nor the salt, and that something was
 * removed. */
TEST(a_relay_reads_nothing)
{
    struct slice name, bytes;
    struct item it, sealed;
    struct proof p, q;
    struct desk d;

    desk_open(&d);
    it = two_fields(&d);
    CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
    bytes = item_bytes(&sealed, &d.arena);
    CHECK_UINT(name.len, SEALED_NAME_LEN);
    CHECK_UINT(sealed.cells_n, 2);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_UINT(sealed.cells[i].path.len, SEALED_PATH_LEN);
        CHECK_OK(proof_read(&p, it.changes[i].proof));
        CHECK_OK(proof_read(&q, sealed.changes[i].proof));
        CHECK_BYTES(SLICE(p.head.sig, 64), SLICE(q.head.sig, 64));
        CHECK(q.head.salt[0] == 0 && p.head.salt[0] != 0);
    }
    CHECK(!holds(bytes, "name") && !holds(bytes, "secret"));
    CHECK(!holds(bytes, "gone") && !holds(bytes, "a key"));
    desk_close(&d);
}

/* Whoever may read makes the same bytes; they are an item; it opens to what it
 * was made of; a relay's leaves lead to the roots that were signed. */
TEST(what_was_sealed_comes_back)
{
    struct prng p = { 11 };
    struct desk d;

    desk_open(&d);
    for (int round = 0; round < 300; round++) {
        struct item it = draw(&d, &p), sealed, again, read;
        struct slice name, name_again, key, bytes;
        int rc;

        CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
        CHECK_OK(
            sealed_make(&d.sealer, KEY, &it, &name_again, &again, &d.arena));
        bytes = item_bytes(&sealed, &d.arena);
        CHECK_BYTES(name_again, name);
        CHECK_BYTES(item_bytes(&again, &d.arena), bytes);
        read = item_from(bytes, &d.arena);
        for (uint32_t i = 0; i < it.changes_n; i++) {
            struct merkle_hash a =
                root_of(&d.sealer, &d.clear, KEY, &it, i, &d.arena);
            struct merkle_hash b =
                root_of(&d.sealer, &d.sealed, name, &read, i, &d.arena);

            CHECK_BYTES(SLICE(b.b, sizeof b.b), SLICE(a.b, sizeof a.b));
        }
        rc = sealed_open(&d.sealer, name, &read, &key, &bytes, &d.arena);
        CHECK_INT(rc, it.changes_n > 0 ? SYNCLINE_OK : SYNCLINE_ENOTFOUND);
        if (rc == SYNCLINE_OK) {
            CHECK_BYTES(key, KEY);
            CHECK_BYTES(bytes, item_bytes(&it, &d.arena));
        }
        arena_reset(&d.arena);
    }
    desk_close(&d);
}

/* Another byte anywhere: it is no item, or opens for nobody, or is one that
 * somebody could have sealed. The last is for signatures to tell. */
TEST(what_is_bent_does_not_open)
{
    struct slice name, key, bytes, back;
    struct item it, sealed;
    unsigned opened = 0;
    struct desk d;

    desk_open(&d);
    it = two_fields(&d);
    CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
    bytes = item_bytes(&sealed, &d.arena);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t *bent = arena_alloc(&d.arena, bytes.len);
        struct reader r = reader_of(SLICE(bent, bytes.len));
        struct item read;

        memcpy(bent, bytes.ptr, bytes.len);
        bent[i] ^= 1;
        if (get_item(&r, &read, &d.arena) != SYNCLINE_OK ||
            sealed_open(&d.sealer, name, &read, &key, &back, &d.arena) !=
                SYNCLINE_OK)
            continue;
        /* What no seal is about: header, contexts, signature. */
        CHECK(!slice_eq(back, item_bytes(&it, &d.arena)));
        opened++;
    }
    CHECK(opened > 0);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t *bent = arena_alloc(&d.arena, name.len);

        memcpy(bent, name.ptr, name.len);
        bent[i] ^= 1;
        CHECK_INT(sealed_open(&d.sealer, SLICE(bent, name.len), &sealed, &key,
                      &back, &d.arena),
            SYNCLINE_EDENIED);
    }
    desk_close(&d);
}

/* Cells that change their names are no cells of anybody. */
TEST(cells_do_not_change_places)
{
    struct slice name, key, bytes, swap;
    struct item it, sealed;
    struct desk d;

    desk_open(&d);
    it = two_fields(&d);
    CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
    swap = sealed.cells[0].path;
    sealed.cells[0].path = sealed.cells[1].path;
    sealed.cells[1].path = swap;
    CHECK_INT(sealed_open(&d.sealer, name, &sealed, &key, &bytes, &d.arena),
        SYNCLINE_EDENIED);
    desk_close(&d);
}

/* A member has the keys, and may seal what he likes, as he likes. */
TEST(what_is_sealed_otherwise_is_refused)
{
    static const uint8_t other[ENVELOPE_TAG_LEN] = { 1, 2, 3 };
    const struct envelope_content cells[] = {
        { KEY, SLICE_LIT("/name"), SLICE_LIT("\"a secret\"") },
        { KEY, SLICE_LIT("/name"), SLICE_LIT("\"another\"") },
        { KEY, SLICE_LIT("/nome"), SLICE_LIT("\"a secret\"") },
        { SLICE_LIT("b key"), SLICE_LIT("/name"), SLICE_LIT("\"a secret\"") },
        { KEY, SLICE_LIT("/name"), SLICE_NONE },
    };
    struct slice name, key, bytes, back, was;
    struct sealed_cell seen;
    struct item it, sealed;
    struct desk d;
    uint32_t at = 0;

    desk_open(&d);
    it = two_fields(&d);
    CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
    bytes = item_bytes(&sealed, &d.arena);
    while (sealed.cells[at].value.ptr[0] != 0)
        at++;
    was = sealed.cells[at].value;
    CHECK_OK(sealed_read_cell(was, &seen));
    for (size_t i = 0; i < ARRAY_N(cells); i++)
        for (uint32_t place = 0; place < 3; place++)
            for (int k = 0; k < 6; k++) {
                struct item read = item_from(bytes, &d.arena);
                int rc;

                if (k / 2 < (int)d.sealer.keys_n)
                    CHECK_OK(sealed_cell_value(&d.sealer, &d.keys[k / 2],
                        k % 2 == 0 ? seen.seal.tag : other, place, &cells[i],
                        &read.cells[at].value, &d.arena));
                rc = sealed_open(&d.sealer, name, &read, &key, &back, &d.arena);
                CHECK(
                    (rc == SYNCLINE_OK) == slice_eq(read.cells[at].value, was));
            }
    desk_close(&d);
}

TEST(who_lacks_a_key_is_told_so)
{
    struct slice name, key, bytes;
    struct item it, sealed;
    struct sealer fewer;
    struct prng p = { 5 };
    struct desk d;

    desk_open(&d);
    fewer = d.sealer;
    fewer.keys = &d.keys[2]; /* 300 */
    fewer.keys_n = 1;
    item_init(&it);
    it.version = 1;
    make_cell(&it, "/on", "true", 1, 5, &d.arena);
    sign_changes(&fewer, KEY, &it, &p, &d.arena);
    CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
    CHECK_OK(sealed_open(&fewer, name, &sealed, &key, &bytes, &d.arena));
    fewer.keys = &d.keys[0];
    fewer.keys_n = 2; /* 0 and 1 */
    CHECK_INT(sealed_make(&fewer, KEY, &it, &name, &sealed, &d.arena),
        SYNCLINE_ENOTFOUND);
    CHECK_INT(sealed_open(&fewer, name, &sealed, &key, &bytes, &d.arena),
        SYNCLINE_ENOTFOUND);
    it.changes[0].proof = SLICE_NONE;
    CHECK_INT(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena),
        SYNCLINE_ENOTFOUND);
    desk_close(&d);
}

TEST(what_is_too_large_once_sealed_is_refused)
{
    const size_t n = (size_t)33 << 20;
    struct slice name, key, bytes;
    struct item it, sealed;
    struct prng p = { 5 };
    struct desk d;
    char *text = calloc(1, n + 1);

    CHECK(text != NULL);
    memset(text, 'x', n);
    text[0] = text[n - 1] = '"';
    desk_open(&d);
    item_init(&it);
    make_cell(&it, "/on", text, 1, 5, &d.arena);
    sign_changes(&d.sealer, KEY, &it, &p, &d.arena);
    CHECK_INT(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena),
        SYNCLINE_ELIMIT);
    /* But what anybody may write is carried. */
    text[VALUE_MAX - 1] = '"';
    it.cells[0].value.len = VALUE_MAX;
    it.changes[0].proof = SLICE_NONE;
    sign_changes(&d.sealer, KEY, &it, &p, &d.arena);
    CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
    sealed = item_from(item_bytes(&sealed, &d.arena), &d.arena);
    CHECK_OK(sealed_open(&d.sealer, name, &sealed, &key, &bytes, &d.arena));
    desk_close(&d);
    free(text);
}

/* ---- records of conflicts ---- */

static struct sealed_record record_of(struct slice key,
    const struct contender *loser, const struct contender *winner,
    struct arena *a)
{
    struct conflict_record c = {
        .length = 3, .loser = *loser, .winner = *winner
    };
    struct buf b = { 0 }, tail = { 0 };
    struct sealed_record r;

    put_conflict_record(&b, &c);
    r.bytes = arena_dup(a, buf_slice(&b));
    r.tail =
        arena_dup(a, key_conflict_tail(&tail, key, loser->path, &loser->dot));
    buf_free(&b);
    buf_free(&tail);
    return r;
}

static struct contender side(const char *path, const char *value, unsigned who)
{
    return (struct contender){ .dot = make_dot(who, 5),
        .stamp = make_stamp(9, who),
        .wall_us = 7,
        .path = slice_str(path),
        .value = value == NULL ? SLICE_NONE : slice_str(value) };
}

TEST(a_record_comes_back)
{
    static const struct {
        const char *path, *value;
    } winners[] = { { "/a", "2" }, { "/a/b", "\"secret\"" }, { "/a", NULL },
        { "", "{}" }, { "", NULL } };
    struct desk d;

    desk_open(&d);
    for (size_t i = 0; i < ARRAY_N(winners); i++) {
        struct contender loser = side("/a", "\"secret\"", 1);
        struct contender winner = side(winners[i].path, winners[i].value, 2);
        struct sealed_record clear = record_of(KEY, &loser, &winner, &d.arena);
        struct sealed_record sealed, back;

        CHECK_OK(sealed_record_make(&d.sealer, &clear, &sealed, &d.arena));
        CHECK(!holds(sealed.bytes, "secret") && !holds(sealed.tail, "a key"));
        CHECK_OK(sealed_record_open(&d.sealer, &sealed, &back, &d.arena));
        CHECK_BYTES(back.tail, clear.tail);
        CHECK_BYTES(back.bytes, clear.bytes);
    }
    desk_close(&d);
}

/* As a relay makes one: of two cells that met, as it has them. */
static struct sealed_record met(
    struct desk *d, const char *loser, const char *winner, bool in_one_item)
{
    const char *values[] = { loser, winner };
    struct contender sides[] = { side("", NULL, 1), side("", NULL, 2) };
    struct slice name = SLICE_NONE, ignored;
    struct prng p = { 9 };

    for (unsigned i = 0; i < 2; i++) {
        struct item it, sealed;

        item_init(&it);
        make_cell(&it, "/a", values[i], i + 1, 5, &d->arena);
        sign_changes(&d->sealer, KEY, &it, &p, &d->arena);
        if (i == 1 && !in_one_item) {
            it.changes[0].proof = SLICE_NONE;
            sign_changes(&d->sealer, SLICE_LIT("other"), &it, &p, &d->arena);
        }
        CHECK_OK(sealed_make(&d->sealer,
            i == 1 && !in_one_item ? SLICE_LIT("other") : KEY, &it,
            i == 0 ? &name : &ignored, &sealed, &d->arena));
        sides[i].path = sealed.cells[0].path;
        sides[i].value = sealed.cells[0].value;
    }
    return record_of(name, &sides[0], &sides[1], &d->arena);
}

TEST(what_a_relay_made_of_two_cells_opens)
{
    struct contender loser = side("/a", "1", 1), winner = side("/a", "2", 2);
    struct sealed_record r, back, want;
    struct desk d;

    desk_open(&d);
    r = met(&d, "1", "2", true);
    CHECK_OK(sealed_record_open(&d.sealer, &r, &back, &d.arena));
    want = record_of(KEY, &loser, &winner, &d.arena);
    CHECK_BYTES(back.bytes, want.bytes);
    CHECK_BYTES(back.tail, want.tail);
    r = met(&d, "1", NULL, true);
    CHECK_OK(sealed_record_open(&d.sealer, &r, &back, &d.arena));
    CHECK(back.tail.len > 0);
    /* What lost is nothing; both say the same. */
    r = met(&d, NULL, "2", true);
    CHECK_OK(sealed_record_open(&d.sealer, &r, &back, &d.arena));
    CHECK_UINT(back.tail.len, 0);
    r = met(&d, "1", "1", true);
    CHECK_OK(sealed_record_open(&d.sealer, &r, &back, &d.arena));
    CHECK_UINT(back.tail.len, 0);
    r = met(&d, "1", "2", false);
    CHECK_INT(
        sealed_record_open(&d.sealer, &r, &back, &d.arena), SYNCLINE_EDENIED);
    desk_close(&d);
}

static struct slice says_removed(struct slice value, struct arena *a)
{
    uint8_t *bent = arena_alloc(a, value.len);

    memcpy(bent, value.ptr, value.len);
    bent[0] = 1;
    return SLICE(bent, value.len);
}

/* Each side stands under its own name, and so does the record. */
TEST(a_record_under_another_name_is_refused)
{
    struct contender loser = side("/a", "1", 1), winner = side("/b", "2", 2);
    struct sealed_record clear, sealed, back;
    struct slice key, path, name;
    struct conflict_record c, others;
    struct desk d;
    struct dot dot;
    struct reader r;

    desk_open(&d);
    clear = record_of(SLICE_LIT("other"), &loser, &winner, &d.arena);
    CHECK_OK(sealed_record_make(&d.sealer, &clear, &sealed, &d.arena));
    r = reader_of(sealed.bytes);
    CHECK_OK(get_conflict_record(&r, &others));
    clear = record_of(KEY, &loser, &winner, &d.arena);
    CHECK_OK(sealed_item_name(&d.sealer, SLICE_LIT("other"), &name, &d.arena));
    for (int what = 0; what < 7; what++) {
        CHECK_OK(sealed_record_make(&d.sealer, &clear, &sealed, &d.arena));
        CHECK_OK(get_conflict_tail(sealed.tail, &key, &path, &dot));
        r = reader_of(sealed.bytes);
        CHECK_OK(get_conflict_record(&r, &c));
        if (what == 1)
            key = name;
        if (what == 2)
            c.loser.path = c.winner.path;
        if (what == 3)
            c.winner.path = c.loser.path;
        if (what == 4)
            c.winner.value = c.loser.value;
        if (what == 5) { /* a winner of another item, which it is called */
            c.winner = others.winner;
            key = name;
        }
        if (what == 6)
            c.winner.value = says_removed(c.winner.value, &d.arena);
        sealed = record_of(key, &c.loser, &c.winner, &d.arena);
        CHECK_INT(sealed_record_open(&d.sealer, &sealed, &back, &d.arena),
            what == 0       ? SYNCLINE_OK
                : what == 6 ? SYNCLINE_EMALFORMED
                            : SYNCLINE_EDENIED);
    }
    desk_close(&d);
}

/* Each side under a key of its own. */
static struct sealed_record under_two(struct desk *d, uint32_t losers,
    uint32_t winners, const struct contender *loser,
    const struct contender *winner)
{
    const struct sealed_record clear = record_of(KEY, loser, winner, &d->arena);
    struct sealer by = d->sealer;
    struct conflict_record c[2];
    struct sealed_record made;
    struct slice key, path;
    struct dot dot;

    for (int i = 0; i < 2; i++) {
        struct reader r;

        by.current = i == 0 ? losers : winners;
        CHECK_OK(sealed_record_make(&by, &clear, &made, &d->arena));
        r = reader_of(made.bytes);
        CHECK_OK(get_conflict_record(&r, &c[i]));
    }
    CHECK_OK(get_conflict_tail(made.tail, &key, &path, &dot));
    return record_of(key, &c[0].loser, &c[1].winner, &d->arena);
}

/* Of a winner under a key that the mesh has not, as far as is known. */
TEST(what_lost_is_told_without_what_won)
{
    static const char *const paths[] = { "/a", "/b", "" };
    struct contender loser = side("/a", "1", 1);
    struct sealed_record r, back, want;
    struct sealer fewer;
    struct key_id id;
    struct desk d;

    desk_open(&d);
    fewer = d.sealer;
    fewer.keys_n = 1;
    for (size_t i = 0; i < ARRAY_N(paths); i++) {
        struct contender winner = side(paths[i], "2", 2);

        r = under_two(&d, 0, 2, &loser, &winner);
        CHECK_INT(sealed_record_open(&fewer, &r, &back, &d.arena),
            SYNCLINE_ENOTFOUND);
        CHECK_OK(sealed_record_open_loser(&d.sealer, &r, &back, &d.arena));
        want = record_of(KEY, &loser, &winner, &d.arena);
        CHECK_BYTES(back.bytes, want.bytes);
        CHECK_OK(sealed_record_open_loser(&fewer, &r, &back, &d.arena));
        winner = side(i == 0 ? "/a" : "", NULL, 2);
        want = record_of(KEY, &loser, &winner, &d.arena);
        CHECK_BYTES(back.bytes, want.bytes);
        CHECK_BYTES(back.tail, want.tail);
    }
    memcpy(id.b, d.keys[2].id, KEY_ID_LEN);
    CHECK_OK(keyring_note(&d.node->keyring, d.keys[2].epoch, &id, false));
    CHECK_INT(sealed_record_open_loser(&fewer, &r, &back, &d.arena),
        SYNCLINE_ENOTFOUND);
    keyring_free(&d.node->keyring);
    r = under_two(&d, 2, 0, &loser, &loser);
    CHECK_INT(sealed_record_open_loser(&fewer, &r, &back, &d.arena),
        SYNCLINE_ENOTFOUND);
    desk_close(&d);
}

/* What has been dealt with waits for nobody, nor does what is no record. */
TEST(a_value_that_lost_is_locked_while_its_key_is_not_held)
{
    const struct contender loser = side("/a", "1", 1);
    const struct contender winner = side("/a", "2", 2);
    struct sealed_record r;
    struct sealed_lock lock;
    struct slice name;
    struct sealer fewer;
    struct key_id id;
    struct desk d;
    bool locked;

    desk_open(&d);
    fewer = d.sealer;
    fewer.keys_n = 1;
    CHECK_OK(sealed_item_name(&d.sealer, KEY, &name, &d.arena));
    r = under_two(&d, 2, 0, &loser, &winner);
    CHECK_OK(sealed_record_lock(&d.sealer, &r, &lock, &locked));
    CHECK(!locked);
    CHECK_OK(sealed_record_lock(&fewer, &r, &lock, &locked));
    CHECK(locked && lock.lost && !lock.counts);
    CHECK_BYTES(lock.name, name);
    CHECK(dot_eq(&lock.record.loser.dot, &loser.dot));
    memcpy(id.b, d.keys[2].id, KEY_ID_LEN);
    CHECK_OK(keyring_note(&d.node->keyring, d.keys[2].epoch, &id, false));
    CHECK_OK(sealed_record_lock(&fewer, &r, &lock, &locked));
    CHECK(locked && lock.counts);
    keyring_free(&d.node->keyring);
    CHECK_OK(vv_add(&d.clear.have, &loser.dot, &d.arena));
    CHECK_OK(sealed_record_lock(&fewer, &r, &lock, &locked));
    CHECK(!locked);
    d.clear.have = (struct vv){ 0 };
    r.bytes.len--;
    CHECK_OK(sealed_record_lock(&fewer, &r, &lock, &locked));
    CHECK(!locked);
    r = under_two(&d, 0, 2, &loser, &winner);
    CHECK_OK(sealed_record_lock(&fewer, &r, &lock, &locked));
    CHECK(locked && !lock.lost && !lock.counts);
    desk_close(&d);
}

/* What counts no more is opened and not sealed under, and what it is in is to
 * be told again. */
TEST(a_key_that_does_not_count_opens_and_seals_nothing)
{
    const struct contender loser = side("/a", "1", 1);
    const struct contender winner = side("/a", "2", 2);
    struct sealed_record r, back;
    struct sealer without, with;
    struct item it, sealed;
    struct slice name, key, bytes;
    struct key_id id;
    struct desk d;
    bool voided;

    desk_open(&d);
    d.sealer.keys = &d.keys[2];
    d.sealer.keys_n = 1;
    it = two_fields(&d);
    d.sealer.keys = d.keys;
    d.sealer.keys_n = SEAL_KEYS;
    CHECK_OK(sealed_make(&d.sealer, KEY, &it, &name, &sealed, &d.arena));
    without = with = d.sealer;
    without.keys_n = with.keys_n = 2;
    without.current = with.current = 1;
    with.voided_n = 1;
    CHECK_INT(sealed_open(&without, name, &sealed, &key, &bytes, &d.arena),
        SYNCLINE_ENOTFOUND);
    CHECK_OK(sealed_open(&with, name, &sealed, &key, &bytes, &d.arena));
    CHECK_BYTES(key, KEY);
    CHECK_BYTES(bytes, item_bytes(&it, &d.arena));
    CHECK_INT(sealed_make(&with, KEY, &it, &name, &sealed, &d.arena),
        SYNCLINE_ENOTFOUND);
    for (uint32_t i = 0; i < 4; i++) {
        r = under_two(&d, i & 1 ? 2 : 0, i & 2 ? 2 : 0, &loser, &winner);
        CHECK_OK(sealed_record_open(&with, &r, &back, &d.arena));
        CHECK_OK(sealed_record_voided(&with, &r, &voided));
        CHECK(voided == (i > 0));
    }
    memcpy(id.b, d.keys[2].id, KEY_ID_LEN);
    CHECK_OK(keyring_note(&d.node->keyring, d.keys[2].epoch, &id, false));
    CHECK_OK(sealed_record_voided(&with, &r, &voided));
    CHECK(!voided);
    keyring_free(&d.node->keyring);
    desk_close(&d);
}

/* ---- memory ---- */

static int all_of_it(struct desk *d, const struct item *it,
    const struct sealed_record *record, struct arena *a)
{
    struct slice name, key, bytes;
    struct sealed_record sealed, back;
    struct item made;
    int rc = sealed_make(&d->sealer, KEY, it, &name, &made, a);

    if (rc == SYNCLINE_OK)
        rc = sealed_open(&d->sealer, name, &made, &key, &bytes, a);
    if (rc == SYNCLINE_OK)
        rc = sealed_record_make(&d->sealer, record, &sealed, a);
    if (rc == SYNCLINE_OK)
        rc = sealed_record_open(&d->sealer, &sealed, &back, a);
    return rc;
}

TEST(memory_that_runs_out_is_told)
{
    struct contender loser = side("/a", "1", 1), winner = side("/a", "2", 2);
    struct sealed_record record;
    struct item it;
    struct desk d;
    long n = 0;
    int rc;

    desk_open(&d);
    it = two_fields(&d);
    record = record_of(KEY, &loser, &winner, &d.arena);
    for (;; n++) {
        struct arena a = { 0 };

        check_alloc_fail_from(n);
        rc = all_of_it(&d, &it, &record, &a);
        arena_free(&a);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    CHECK(n > 20);
    /* And where the arena does. */
    for (size_t room = 0;; room += 16) {
        struct arena a = { 0 };

        arena_with_room(&a, room);
        check_alloc_fail_from(-1);
        rc = all_of_it(&d, &it, &record, &a);
        arena_free(&a);
        if (rc == SYNCLINE_OK)
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    desk_close(&d);
}
