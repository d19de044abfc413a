#include "app/tokens.h"

#include "unit/check.h"
#include "unit/store_temp.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW UINT64_C(1700000000000000)
#define HOUR UINT64_C(3600000000)

static char dir[TEMP_MAX];

static struct tokens *open_here(void)
{
    struct tokens *t = NULL;
    struct errmsg why = { "" };
    int rc = tokens_open(&t, dir, NOW, &why);

    CHECK_SAYING(rc == SYNCLINE_OK, "%d: %s", rc, why.text);
    return t;
}

static struct tokens *begin(void)
{
    temp_make(dir);
    return open_here();
}

static void end(struct tokens *t)
{
    tokens_close(t);
    temp_remove(dir);
}

/* What is in a file, in a buffer of this function. */
static const char *content(const char *name)
{
    static char text[4096];
    FILE *f = fopen(temp_path(dir, name), "re");
    size_t n;

    CHECK(f != NULL);
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    (void)fclose(f);
    return text;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    const char *path = temp_path(dir, name);
    FILE *f;

    (void)unlink(path);
    f = fopen(path, "we");
    CHECK(f != NULL);
    CHECK(fputs(text, f) >= 0);
    CHECK(fclose(f) == 0);
    CHECK(chmod(path, mode) == 0);
}

static unsigned mode_of(const char *name)
{
    struct stat st;

    CHECK(stat(temp_path(dir, name), &st) == 0);
    return (unsigned)st.st_mode & 0777;
}

static int create(struct tokens *t, const struct token_request *r,
    char text[TOKEN_TEXT_LEN + 1])
{
    struct token_info made;

    return tokens_create(t, r, NOW, text, &made, NULL);
}

static int make(struct tokens *t, const char *name, enum token_scope scope,
    char text[TOKEN_TEXT_LEN + 1])
{
    const struct token_request r = { .name = slice_str(name), .scope = scope };

    return create(t, &r, text);
}

static int check(struct tokens *t, const char *text, struct token_grant *g)
{
    return tokens_check(t, slice_str(text), NOW, g);
}

/* What was made is good, and nothing else is; it is so after a start, too. */
TEST(a_token_is_good_until_it_is_revoked)
{
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1], other[TOKEN_TEXT_LEN + 1];
    struct token_grant g, gone;
    struct errmsg why = { "" };

    CHECK_OK(make(t, "backup", TOKEN_READ, text));
    CHECK_OK(make(t, "sensor", TOKEN_WRITE, other));
    CHECK_UINT(strlen(text), TOKEN_TEXT_LEN);
    CHECK(strncmp(text, "sync_", 5) == 0 && strcmp(text, other) != 0);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(check(t, text, &g));
        CHECK(strcmp(g.name, "backup") == 0 && g.scope == TOKEN_READ);
        CHECK(g.spaces == NULL);
        CHECK_OK(check(t, other, &g));
        CHECK(strcmp(g.name, "sensor") == 0 && g.scope == TOKEN_WRITE);
        tokens_close(t);
        t = open_here();
    }
    CHECK_OK(tokens_revoke(t, SLICE_LIT("backup"), NOW, &gone, &why));
    CHECK_INT(check(t, text, &g), SYNCLINE_EDENIED);
    CHECK_INT(tokens_find(t, gone.id, NOW, &g), SYNCLINE_EDENIED);
    CHECK_OK(check(t, other, &g));
    CHECK_OK(tokens_find(t, g.id, NOW, &g));
    tokens_close(t);
    t = open_here();
    CHECK_INT(check(t, text, &g), SYNCLINE_EDENIED);
    CHECK_OK(check(t, other, &g));
    CHECK_OK(tokens_revoke(t, slice_str(g.id), NOW, &gone, &why));
    CHECK_INT(check(t, other, &g), SYNCLINE_EDENIED);
    CHECK_INT(tokens_revoke(t, SLICE_LIT("sensor"), NOW, &gone, &why),
        SYNCLINE_ENOTFOUND);
    end(t);
}

/* One digit changed, cut, or with something around it: no token. */
TEST(what_is_nearly_a_token_is_none)
{
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1], bad[TOKEN_TEXT_LEN + 2];
    struct token_grant g;

    CHECK_OK(make(t, "a", TOKEN_ADMIN, text));
    for (size_t i = 0; i < TOKEN_TEXT_LEN; i++) {
        (void)snprintf(bad, sizeof bad, "%s", text);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        CHECK_INT(check(t, bad, &g), SYNCLINE_EDENIED);
        bad[i] = '+';
        CHECK_INT(check(t, bad, &g), SYNCLINE_EDENIED);
        bad[i] = 0;
        CHECK_INT(check(t, bad, &g), SYNCLINE_EDENIED);
    }
    (void)snprintf(bad, sizeof bad, "%s=", text);
    CHECK_INT(check(t, bad, &g), SYNCLINE_EDENIED);
    CHECK_INT(tokens_check(t, SLICE_NONE, NOW, &g), SYNCLINE_EDENIED);
    CHECK_OK(check(t, text, &g));
    end(t);
}

/* At the last microsecond it is good, then it is not, and says so. */
TEST(a_token_expires)
{
    struct tokens *t = begin();
    struct token_request r = { .name = SLICE_LIT("short"),
        .expires_us = NOW + HOUR };
    char text[TOKEN_TEXT_LEN + 1];
    struct token_grant g;

    CHECK_OK(create(t, &r, text));
    for (int i = 0; i < 2; i++) {
        const struct slice s = slice_str(text);

        CHECK_OK(tokens_check(t, s, NOW + HOUR - 1, &g));
        CHECK_INT(tokens_check(t, s, NOW + HOUR, &g), SYNCLINE_ETIMEOUT);
        CHECK_INT(tokens_find(t, g.id, NOW + HOUR, &g), SYNCLINE_ETIMEOUT);
        tokens_close(t);
        t = open_here();
    }
    r = (struct token_request){ .name = SLICE_LIT("late"), .expires_us = NOW };
    CHECK_INT(create(t, &r, text), SYNCLINE_EINVAL);
    end(t);
}

TEST(scope_and_spaces_are_kept)
{
    struct tokens *t = begin();
    const struct slice spaces[] = { SLICE_LIT("notes"), SLICE_LIT("lamps") };
    const struct token_request r = { .name = SLICE_LIT("two"),
        .scope = TOKEN_WRITE,
        .spaces = spaces,
        .spaces_n = 2 };
    char text[TOKEN_TEXT_LEN + 1];
    struct token_grant g;

    CHECK_OK(create(t, &r, text));
    tokens_close(t);
    t = open_here();
    CHECK_OK(check(t, text, &g));
    CHECK_INT(g.scope, TOKEN_WRITE);
    CHECK_INT(g.spaces_n, 2);
    CHECK(slice_is(g.spaces[0], "notes"));
    CHECK(slice_is(g.spaces[1], "lamps"));
    CHECK_OK(make(t, "all", TOKEN_READ, text));
    CHECK_OK(check(t, text, &g));
    CHECK_INT(g.scope, TOKEN_READ);
    CHECK(g.spaces == NULL);
    end(t);
}

/* DIR/token is made once, is an admin's, and is what its file says. */
TEST(the_local_token_is_what_its_file_says)
{
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1], other[TOKEN_TEXT_LEN + 1];
    struct token_grant g, gone;

    CHECK(tokens_local_is_new(t));
    CHECK_UINT(mode_of("token"), 0600);
    (void)snprintf(text, sizeof text, "%.*s", TOKEN_TEXT_LEN, content("token"));
    CHECK_OK(check(t, text, &g));
    CHECK(strcmp(g.name, TOKEN_LOCAL) == 0 && g.scope == TOKEN_ADMIN);
    tokens_close(t);
    t = open_here();
    CHECK(!tokens_local_is_new(t));
    CHECK_OK(check(t, text, &g));

    CHECK_OK(tokens_revoke(t, SLICE_LIT(TOKEN_LOCAL), NOW, &gone, NULL));
    CHECK(strcmp(gone.id, g.id) == 0);
    CHECK_INT(check(t, text, &g), SYNCLINE_EDENIED);
    (void)snprintf(
        other, sizeof other, "%.*s", TOKEN_TEXT_LEN, content("token"));
    CHECK(strcmp(other, text) != 0);
    CHECK_OK(check(t, other, &g));
    CHECK_UINT(mode_of("token"), 0600);
    CHECK_INT(make(t, TOKEN_LOCAL, TOKEN_READ, text), SYNCLINE_EEXIST);
    end(t);
}

/* Nothing of which a token could be made is in the list. */
TEST(the_list_holds_no_secret)
{
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1];

    CHECK_OK(make(t, "a", TOKEN_READ, text));
    CHECK_UINT(mode_of("tokens.json"), 0600);
    CHECK(strstr(content("tokens.json"), "\"a\"") != NULL);
    for (size_t i = 5; i + 8 <= TOKEN_TEXT_LEN; i++) {
        char part[9] = "";

        memcpy(part, text + i, 8);
        CHECK(strstr(content("tokens.json"), part) == NULL);
    }
    end(t);
}

TEST(what_is_asked_for_wrongly_is_refused)
{
    struct tokens *t = begin();
    const struct slice good = SLICE_LIT("notes"), bad = SLICE_LIT("a b");
    const struct {
        struct token_request r;
        int rc;
    } rows[] = {
        { { .name = SLICE_NONE }, SYNCLINE_EINVAL },
        { { .name = SLICE_LIT("a b") }, SYNCLINE_EINVAL },
        { { .name = SLICE_LIT("-a") }, SYNCLINE_EINVAL },
        { { .name = SLICE_LIT("a\"b") }, SYNCLINE_EINVAL },
        { { .name = SLICE_LIT("01234abc") }, SYNCLINE_EINVAL },
        { { .name = SLICE_LIT("first") }, SYNCLINE_EEXIST },
        { { .name = SLICE_LIT("n"), .spaces = &bad, .spaces_n = 1 },
            SYNCLINE_EINVAL },
        { { .name = SLICE_LIT("n"),
              .scope = TOKEN_ADMIN,
              .spaces = &good,
              .spaces_n = 1 },
            SYNCLINE_EINVAL },
        { { .name = SLICE_LIT("n"),
              .spaces = &good,
              .spaces_n = TOKEN_SPACES_MAX + 1 },
            SYNCLINE_ELIMIT },
    };
    char text[TOKEN_TEXT_LEN + 1];

    CHECK_OK(make(t, "first", TOKEN_READ, text));
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_SAYING(create(t, &rows[i].r, text) == rows[i].rc, "row %zu", i);
    CHECK_UINT(tokens_n(t), 2);
    end(t);
}

TEST(there_are_not_too_many)
{
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1], name[20];

    for (int i = 0; i < TOKENS_MAX; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        CHECK_OK(make(t, name, TOKEN_READ, text));
    }
    CHECK_INT(make(t, "more", TOKEN_READ, text), SYNCLINE_ELIMIT);
    tokens_close(t);
    t = open_here();
    CHECK_UINT(tokens_n(t), TOKENS_MAX + 1);
    end(t);
}

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ROW(more) "{\"format\":1,\"tokens\":[{\"hash\":\"" HASH "\"," more "}]}"
#define ONE \
    "{\"hash\":\"" HASH "\",\"name\":\"a\",\"scope\":\"read\",\"created\":1}"

/* A start with files that are not right says so; it neither guesses nor
 * writes over them. */
TEST(files_that_are_not_right_are_refused)
{
    const struct {
        const char *name, *text;
        mode_t mode;
        int rc;
    } rows[] = {
        { "tokens.json", "", 0600, SYNCLINE_ECORRUPT },
        { "tokens.json", "[]", 0600, SYNCLINE_ECORRUPT },
        { "tokens.json", "{\"format\":2,\"tokens\":[]}", 0600,
            SYNCLINE_EVERSION },
        { "tokens.json", "{\"format\":1,\"tokens\":[]}", 0600, SYNCLINE_OK },
        { "tokens.json", "{\"format\":1,\"tokens\":[]}", 0640,
            SYNCLINE_EDENIED },
        { "tokens.json", "{\"format\":1,\"tokens\":[" ONE "]}", 0600,
            SYNCLINE_OK },
        { "tokens.json", "{\"format\":1,\"tokens\":[" ONE "," ONE "]}", 0600,
            SYNCLINE_ECORRUPT },
        { "tokens.json", ROW("\"name\":\"a\",\"scope\":\"root\",\"created\":1"),
            0600, SYNCLINE_ECORRUPT },
        { "tokens.json", ROW("\"name\":\"local\",\"scope\":\"read\""), 0600,
            SYNCLINE_ECORRUPT },
        { "tokens.json",
            ROW("\"name\":\"a\",\"scope\":\"read\",\"expires\":\"soon\""), 0600,
            SYNCLINE_ECORRUPT },
        { "tokens.json", ROW("\"name\":\"a\",\"scope\":\"read\",\"spaces\":[]"),
            0600, SYNCLINE_ECORRUPT },
        { "tokens.json",
            ROW("\"name\":\"a\",\"scope\":\"admin\",\"spaces\":[\"s\"]"), 0600,
            SYNCLINE_ECORRUPT },
        { "token", "sync_short\n", 0600, SYNCLINE_ECORRUPT },
        { "token", "sync_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 0600,
            SYNCLINE_OK },
        { "token", "sync_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 0604,
            SYNCLINE_EDENIED },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct tokens *t = NULL;
        struct errmsg why = { "" };
        int rc;

        temp_make(dir);
        write_file(rows[i].name, rows[i].text, rows[i].mode);
        rc = tokens_open(&t, dir, NOW, &why);
        CHECK_SAYING(rc == rows[i].rc, "row %zu: %d: %s", i, rc, why.text);
        CHECK_SAYING(
            (why.text[0] != 0) == (rc != SYNCLINE_OK), "row %zu: no word", i);
        CHECK_SLICE(slice_str(content(rows[i].name)), rows[i].text);
        end(t);
    }
}

/* A listed token as the local one would have two scopes. */
TEST(a_listed_token_is_not_the_local_one)
{
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1];
    struct errmsg why = { "" };

    CHECK_OK(make(t, "a", TOKEN_READ, text));
    tokens_close(t);
    t = NULL;
    write_file("token", text, 0600);
    CHECK_INT(tokens_open(&t, dir, NOW, &why), SYNCLINE_EINVAL);
    CHECK(strstr(why.text, "\"a\"") != NULL);
    end(t);
}

/* What cannot be written has not been made or revoked. */
TEST(a_change_that_fails_changes_nothing)
{
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1], other[TOKEN_TEXT_LEN + 1];
    struct token_grant g, gone;
    const char *path;

    CHECK_OK(make(t, "a", TOKEN_READ, text));
    path = temp_path(dir, "tokens.json");
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    CHECK(make(t, "b", TOKEN_READ, other) != SYNCLINE_OK);
    CHECK(tokens_revoke(t, SLICE_LIT("a"), NOW, &gone, NULL) != SYNCLINE_OK);
    CHECK_UINT(tokens_n(t), 2);
    CHECK_OK(check(t, text, &g));
    CHECK(rmdir(temp_path(dir, "tokens.json")) == 0);
    end(t);
}

TEST(memory_runs_out)
{
    const struct slice space = SLICE_LIT("notes");
    const struct token_request r = {
        .name = SLICE_LIT("n"), .spaces = &space, .spaces_n = 1
    };
    struct tokens *t = begin();
    char text[TOKEN_TEXT_LEN + 1];
    struct token_grant g;
    int rc;

    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = create(t, &r, text);
        if (!check_alloc_failed())
            break;
        check_alloc_fail_from(-1);
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK_UINT(tokens_n(t), 1);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    tokens_close(t);
    for (long n = 0;; n++) {
        t = NULL;
        check_alloc_fail_from(n);
        rc = tokens_open(&t, dir, NOW, NULL);
        if (!check_alloc_failed())
            break;
        check_alloc_fail_from(-1);
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK(t == NULL);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    CHECK_OK(check(t, text, &g));
    end(t);
}
