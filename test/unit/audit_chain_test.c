#include "app/audit_chain.h"

#include "base/text.h"
#include "unit/check.h"

static const struct audit_entry first = { .wall_us = 1700000000000001,
    .kind = "invite",
    .who = { (const uint8_t *)"{\"pid\":7,\"uid\":0}", 17 },
    .details = { (const uint8_t *)"{\"expires_s\":600}", 17 } };
static const struct audit_entry second = { .wall_us = 1700000000000002,
    .kind = "stranger",
    .who = { (const uint8_t *)"{\"address\":\"::1\"}", 17 },
    .details = { (const uint8_t *)"{}", 2 },
    .repeated = 12 };

/* The bytes of doc/security.md, whose hashes other programs find too. */
static const char one[] =
    "{\"details\":{\"expires_s\":600},\"kind\":\"invite\",\"prev\":\""
    "0000000000000000000000000000000000000000000000000000000000000000"
    "\",\"seq\":1,\"time\":1700000000000001,\"who\":{\"pid\":7,\"uid\":0}}\n";
static const char two[] =
    "{\"details\":{},\"kind\":\"stranger\",\"prev\":\""
    "ec14c312c87747d3978874a061f12d11379e94e59b5898ad724decfcebc73126"
    "\",\"repeated\":12,\"seq\":2,\"time\":1700000000000002,\"who\":"
    "{\"address\":\"::1\"}}\n";

TEST(a_record_is_these_bytes)
{
    struct audit_head head = { .seq = 0 };
    struct buf b = { 0 };

    CHECK_OK(audit_put(&b, &head, &first));
    CHECK_SLICE(buf_slice(&b), one);
    buf_clear(&b);
    CHECK_OK(audit_put(&b, &head, &second));
    CHECK_SLICE(buf_slice(&b), two);
    CHECK_UINT(head.seq, 2);
    buf_free(&b);
}

TEST(a_head_is_kept_whole_or_refused)
{
    struct audit_head head = { .seq = 300, .hash = { 1, 2, 3 } }, back;
    struct buf b = { 0 };

    put_audit_head(&b, &head);
    CHECK_OK(get_audit_head(buf_slice(&b), &back));
    CHECK(back.seq == 300 && back.hash[2] == 3);
    for (size_t n = 0; n < b.len; n++)
        CHECK_INT(get_audit_head(SLICE(b.ptr, n), &back), SYNCLINE_ECORRUPT);
    buf_free(&b);
}

#define LINES 6

struct lines {
    char text[LINES][400];
    size_t n;
    struct audit_head head;
};

static void make(struct lines *l)
{
    struct buf b = { 0 };

    *l = (struct lines){ .n = LINES };
    for (size_t i = 0; i < LINES; i++) {
        buf_clear(&b);
        CHECK_OK(audit_put(&b, &l->head, i % 2 == 0 ? &first : &second));
        memcpy(l->text[i], b.ptr, b.len - 1);
    }
    buf_free(&b);
}

/* The number of the line that is found wrong; 0: none, LINES + 1: the end. */
static size_t wrong(const struct lines *l, struct errmsg *why)
{
    struct audit_check c = { .known = l->head };
    struct arena a = { 0 };
    struct json *record;
    size_t bad = 0;

    for (size_t i = 0; i < l->n && bad == 0; i++)
        if (audit_check_line(&c, slice_str(l->text[i]), &a, &record, why) !=
            SYNCLINE_OK)
            bad = i + 1;
    if (bad == 0 && audit_check_end(&c, why) != SYNCLINE_OK)
        bad = LINES + 1;
    arena_free(&a);
    return bad;
}

TEST(what_was_not_touched_is_whole)
{
    struct errmsg why = { "" };
    struct lines l;

    make(&l);
    CHECK_UINT(wrong(&l, &why), 0);
}

/* Any byte of any line: it is found there, or at the next. */
TEST(a_changed_byte_is_found)
{
    struct errmsg why = { "" };
    struct lines l, bad;

    make(&l);
    for (size_t i = 0; i < LINES; i++)
        for (size_t at = 0; l.text[i][at] != 0; at++) {
            size_t found;

            bad = l;
            bad.text[i][at] ^= 1;
            found = wrong(&bad, &why);
            CHECK_SAYING(found == i + 1 || found == i + 2,
                "line %zu byte %zu: found at %zu", i + 1, at, found);
        }
}

static void take_out(struct lines *l, size_t ix)
{
    memmove(l->text[ix], l->text[ix + 1], (l->n - ix - 1) * sizeof *l->text);
    l->n--;
}

TEST(what_was_taken_out_or_moved_is_found)
{
    struct errmsg why = { "" };
    struct lines l, bad;
    char kept[400];

    make(&l);
    for (size_t i = 0; i < LINES; i++) {
        bad = l;
        take_out(&bad, i);
        CHECK_UINT(
            wrong(&bad, &why), i == 0 || i == LINES - 1 ? LINES + 1 : i + 1);
    }
    for (size_t i = 0; i + 1 < LINES; i++) {
        bad = l;
        memcpy(kept, bad.text[i], sizeof kept);
        memcpy(bad.text[i], bad.text[i + 1], sizeof kept);
        memcpy(bad.text[i + 1], kept, sizeof kept);
        CHECK_SAYING(wrong(&bad, &why) <= i + 2, "%zu", i);
        CHECK(wrong(&bad, &why) > 0);
    }
}

/* Records put in by somebody who does not make the rest anew. */
TEST(what_was_put_in_is_found)
{
    struct errmsg why = { "" };
    struct lines l;

    make(&l);
    memmove(l.text[3], l.text[2], 2 * sizeof *l.text);
    CHECK_UINT(wrong(&l, &why), 4);
}

/* A cut at the end is found by the head alone; more than it knows is fine. */
TEST(the_head_tells_of_a_cut)
{
    struct errmsg why = { "" };
    struct lines l;

    make(&l);
    l.n -= 2;
    CHECK_UINT(wrong(&l, &why), LINES + 1);
    CHECK(strstr(why.text, "cut short") != NULL);
    l.head.seq = 0;
    CHECK_UINT(wrong(&l, &why), 0);
}

static int check(struct audit_check *c, const char *line, struct errmsg *why)
{
    struct arena a = { 0 };
    struct json *record;
    int rc = audit_check_line(c, slice_str(line), &a, &record, why);

    arena_free(&a);
    return rc;
}

/* A line that a crash has torn is fine if the next one says so. */
TEST(a_torn_line_must_be_explained)
{
    static const char torn[] = "{\"details\":{\"expi";
    struct audit_check c = { .first = 0 };
    struct audit_entry e = { .kind = AUDIT_TORN, .who = SLICE_LIT("{}") };
    struct buf details = { 0 }, b = { 0 };
    struct errmsg why = { "" };
    struct audit_head head;
    uint8_t hash[SHA256_LEN];
    struct lines l;

    make(&l);
    head = l.head;
    for (size_t i = 0; i < LINES; i++)
        CHECK_OK(check(&c, l.text[i], &why));
    CHECK_OK(check(&c, torn, &why));
    CHECK_INT(audit_check_end(&c, &why), SYNCLINE_ECORRUPT);
    CHECK_OK(crypto_sha256(hash, slice_str(torn)));
    buf_printf(&details, "{\"bytes\":%zu,\"sha256\":\"", strlen(torn));
    put_hex(&details, SLICE(hash, sizeof hash));
    buf_put_str(&details, "\"}");
    e.details = buf_slice(&details);
    CHECK_OK(audit_put(&b, &head, &e));
    b.ptr[b.len - 1] = 0;
    CHECK_OK(check(&c, (const char *)b.ptr, &why));
    CHECK_OK(audit_check_end(&c, &why));
    buf_free(&details);
    buf_free(&b);
}

TEST(memory_that_runs_out_is_returned)
{
    struct audit_head head = { .seq = 0 };
    struct audit_check c = { .first = 0 };
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct json *record;
    struct buf b = { 0 };
    int rc;

    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = audit_put(&b, &head, &first);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK(head.seq == 0 && b.len == 0);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    for (long n = 0;; n++) {
        arena_free(&a);
        check_alloc_fail_from(n);
        rc = audit_check_line(&c, SLICE(b.ptr, b.len - 1), &a, &record, &why);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    arena_free(&a);
    buf_free(&b);
}
