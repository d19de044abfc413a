#include "app/audit_log.h"

#include "app/audit_files.h"
#include "unit/check.h"
#include "unit/store_temp.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[TEMP_MAX];

static struct audit_log *open_with(const struct audit_log_options *opt)
{
    struct audit_log_options o = *opt;
    struct audit_log *l = NULL;

    o.dir = dir;
    CHECK_OK(audit_log_open(&l, &o));
    return l;
}

static struct audit_log *open_again(const struct audit_head *known)
{
    return open_with(&(struct audit_log_options){ .known = *known });
}

static void add(struct audit_log *l, const char *kind)
{
    const struct audit_entry e = { .wall_us = 1,
        .kind = kind,
        .who = SLICE_LIT("{}"),
        .details = SLICE_LIT("{\"n\":1}") };

    audit_log_add(l, 0, &e, false);
}

static void write_out(struct audit_log *l)
{
    while (audit_log_begin(l, 0, 1)) {
        audit_log_run(l);
        CHECK(audit_log_end(l, 0));
    }
}

/* ---- what is in the files ---- */

struct found {
    struct audit_check check;
    struct arena arena;
    char kinds[4000]; /* of all records, with blanks */
    uint64_t repeated;
    struct errmsg why;
    int rc;
};

static int on_line(void *ctx, const struct audit_place *at, struct slice line)
{
    struct found *f = ctx;
    struct json *record;
    int rc = audit_check_line(&f->check, line, &f->arena, &record, &f->why);

    (void)at;
    if (f->rc == SYNCLINE_OK)
        f->rc = rc;
    if (record != NULL) {
        size_t len = strlen(f->kinds);

        (void)snprintf(f->kinds + len, sizeof f->kinds - len, "%.*s ",
            SLICE_FMT(json_get_str(record, "kind")));
        f->repeated += (uint64_t)json_get_int(record, "repeated", 0);
    }
    return SYNCLINE_OK;
}

static void look(struct found *f, const struct audit_head *known)
{
    *f = (struct found){ .rc = SYNCLINE_OK };
    f->check.known = *known;
    CHECK_OK(audit_files_read(dir, AUDIT_FILES, on_line, f, &f->why));
    if (f->rc == SYNCLINE_OK)
        f->rc = audit_check_end(&f->check, &f->why);
    arena_free(&f->arena);
}

static void append(const char *text)
{
    FILE *f = fopen(temp_path(dir, "audit.log"), "a");

    CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static const struct audit_head none = { .seq = 0 };

TEST(records_are_chained_over_restarts)
{
    struct audit_head head;
    struct audit_log *l;
    struct found f;
    struct stat st;

    temp_make(dir);
    l = open_again(&none);
    add(l, "a");
    add(l, "b");
    write_out(l);
    audit_log_close(l, 0, 1, &head);
    CHECK_UINT(head.seq, 2);
    l = open_again(&head);
    add(l, "c");
    audit_log_close(l, 0, 1, &head);
    look(&f, &head);
    CHECK_OK(f.rc);
    CHECK_SLICE(slice_str(f.kinds), "a b c ");
    CHECK(stat(temp_path(dir, "audit.log"), &st) == 0);
    CHECK_UINT(st.st_mode & 0777, 0600);
    temp_remove(dir);
}

TEST(a_torn_line_is_told_and_the_chain_goes_on)
{
    struct audit_head head;
    struct audit_log *l;
    struct found f;

    temp_make(dir);
    l = open_again(&none);
    add(l, "a");
    audit_log_close(l, 0, 1, &head);
    append("{\"details\":{\"n");
    l = open_again(&head);
    add(l, "b");
    audit_log_close(l, 0, 1, &head);
    look(&f, &head);
    CHECK_OK(f.rc);
    CHECK_SLICE(slice_str(f.kinds), "a log-torn b ");
    temp_remove(dir);
}

/* A record of which the newline alone is missing is a record. */
TEST(only_the_newline_was_torn)
{
    struct audit_head head, before;
    struct audit_log *l;
    struct found f;
    struct stat st;

    temp_make(dir);
    l = open_again(&none);
    add(l, "a");
    audit_log_close(l, 0, 1, &before);
    CHECK(stat(temp_path(dir, "audit.log"), &st) == 0);
    CHECK(truncate(temp_path(dir, "audit.log"), st.st_size - 1) == 0);
    l = open_again(&before);
    add(l, "b");
    audit_log_close(l, 0, 1, &head);
    look(&f, &head);
    CHECK_OK(f.rc);
    CHECK_SLICE(slice_str(f.kinds), "a b ");
    temp_remove(dir);
}

/* The start tells it, once; verifying finds it for ever. */
TEST(a_cut_end_is_told_once)
{
    struct audit_head head;
    struct audit_log *l;
    struct found f;
    struct stat st;

    temp_make(dir);
    l = open_again(&none);
    add(l, "a");
    write_out(l);
    CHECK(stat(temp_path(dir, "audit.log"), &st) == 0);
    add(l, "b");
    audit_log_close(l, 0, 1, &head);
    CHECK(truncate(temp_path(dir, "audit.log"), st.st_size) == 0);
    for (int i = 0; i < 2; i++) {
        l = open_again(&head);
        audit_log_close(l, 0, 1, &head);
    }
    CHECK_UINT(head.seq, 3);
    look(&f, &head);
    CHECK_INT(f.rc, SYNCLINE_ECORRUPT);
    CHECK_SLICE(slice_str(f.kinds), "a log-broken ");
    temp_remove(dir);
}

TEST(a_log_that_is_gone_is_missed)
{
    struct audit_head head;
    struct audit_log *l;
    struct found f;

    temp_make(dir);
    l = open_again(&none);
    add(l, "a");
    audit_log_close(l, 0, 1, &head);
    CHECK(unlink(temp_path(dir, "audit.log")) == 0);
    l = open_again(&head);
    audit_log_close(l, 0, 1, &head);
    look(&f, &head);
    CHECK_INT(f.rc, SYNCLINE_ECORRUPT);
    CHECK_SLICE(slice_str(f.kinds), "log-broken ");
    temp_remove(dir);
}

/* What a node killed between the two leaves: more than the head knows. */
TEST(more_than_the_head_knows_is_fine)
{
    struct audit_head head, older;
    struct audit_log *l;
    struct found f;

    temp_make(dir);
    l = open_again(&none);
    add(l, "a");
    write_out(l);
    older = *audit_log_durable(l);
    add(l, "b");
    audit_log_close(l, 0, 1, &head);
    l = open_again(&older);
    add(l, "c");
    audit_log_close(l, 0, 1, &head);
    look(&f, &older);
    CHECK_OK(f.rc);
    CHECK_SLICE(slice_str(f.kinds), "a b c ");
    temp_remove(dir);
}

/* Full files are set aside, the oldest go, and the chain says from where. */
TEST(files_are_set_aside)
{
    const struct audit_log_options small = { .file_bytes = 1000 };
    struct audit_log_options opt = small;
    struct audit_head head = none;
    struct audit_log *l;
    struct found f;

    temp_make(dir);
    for (int i = 0; i < 10; i++) {
        opt.known = head;
        l = open_with(&opt);
        for (int k = 0; k < 20; k++) {
            add(l, "a");
            write_out(l);
        }
        audit_log_close(l, 0, 1, &head);
        look(&f, &head);
        CHECK_SAYING(f.rc == SYNCLINE_OK, "%s", f.why.text);
    }
    CHECK(f.check.first > 1);
    CHECK_UINT(f.check.first, f.check.kept_from);
    CHECK(access(temp_path(dir, "audit.log.16"), F_OK) == 0);
    CHECK(access(temp_path(dir, "audit.log.17"), F_OK) != 0);
    CHECK(unlink(temp_path(dir, "audit.log.16")) == 0);
    look(&f, &head);
    CHECK_INT(f.rc, SYNCLINE_ECORRUPT);
    temp_remove(dir);
}

static void knock(struct audit_log *l, uint64_t now_us, int who)
{
    struct audit_entry e = { .wall_us = 1, .kind = "stranger" };
    char text[40];

    (void)snprintf(text, sizeof text, "{\"n\":%d}", who);
    e.who = slice_str(text);
    e.details = SLICE_LIT("{}");
    audit_log_add(l, now_us, &e, true);
}

/* A flood leaves a few records, and its number. */
TEST(what_comes_thick_is_counted)
{
    struct audit_head head;
    struct audit_log *l;
    struct found f;

    temp_make(dir);
    l = open_with(&(struct audit_log_options){ .often_us = 100 });
    for (int i = 0; i < 1000; i++)
        knock(l, 50, 1);
    for (int i = 0; i < 1000; i++)
        knock(l, 60, i);
    CHECK_UINT(audit_log_seq(l), 4);
    CHECK_UINT(audit_log_deadline(l), 150);
    knock(l, 1000, 1);
    CHECK_UINT(audit_log_seq(l), 4 + 2 + 1);
    audit_log_close(l, 2000, 1, &head);
    look(&f, &head);
    CHECK_OK(f.rc);
    CHECK_UINT(f.repeated + 4 + 1, 2001);
    temp_remove(dir);
}

/* What cannot be written waits; what has no room is counted; then it is
 * told. The folder that is not there stands for a disk that fails. */
TEST(trouble_is_told_and_passes)
{
    char real[TEMP_MAX];
    struct audit_head head;
    struct audit_log *l;
    struct found f;

    temp_make(real);
    memcpy(dir, temp_path(real, "x"), strlen(real) + 3);
    l = open_with(&(struct audit_log_options){ .wait_bytes = 600 });
    for (int i = 0; i < 10; i++)
        add(l, "a");
    CHECK(audit_log_begin(l, 0, 1));
    audit_log_run(l);
    CHECK(!audit_log_end(l, 0));
    CHECK(audit_log_trouble(l) != NULL);
    CHECK(!audit_log_begin(l, 1, 1));
    CHECK(mkdir(dir, 0700) == 0);
    CHECK(audit_log_begin(l, audit_log_deadline(l), 1));
    audit_log_run(l);
    CHECK(audit_log_end(l, 0));
    CHECK(audit_log_trouble(l) == NULL);
    write_out(l);
    audit_log_close(l, 0, 1, &head);
    look(&f, &head);
    CHECK_OK(f.rc);
    CHECK(strstr(f.kinds, "log-dropped") != NULL);
    temp_remove(dir);
    CHECK(rmdir(real) == 0);
}

TEST(memory_that_runs_out_loses_no_chain)
{
    struct audit_head head;
    struct audit_log *l;
    struct found f;

    temp_make(dir);
    for (long n = 0; n < 60; n++) {
        const struct audit_log_options opt = { .dir = dir };

        check_alloc_fail_from(n);
        if (audit_log_open(&l, &opt) != SYNCLINE_OK) {
            CHECK(check_alloc_failed());
            check_alloc_fail_from(-1);
            continue;
        }
        add(l, "a");
        knock(l, 0, 1);
        if (audit_log_begin(l, 0, 1)) {
            audit_log_run(l);
            CHECK(audit_log_end(l, 0));
        }
        check_alloc_fail_from(-1);
        audit_log_close(l, 0, 1, &head);
        look(&f, &head);
        CHECK_SAYING(f.rc == SYNCLINE_OK, "%ld: %s", n, f.why.text);
    }
    temp_remove(dir);
}
