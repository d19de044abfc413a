#include "store/store_file.h"

#include "sim/disk.h"
#include "store/digest.h"
#include "unit/check.h"
#include "unit/store_contract.h"
#include "unit/store_temp.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A store on a disk in memory, which can lose power. */
struct world {
    struct disk os;
    const char *dir;
    struct store_file_options opt;
    struct store_file *s;
    struct store_port port;
    struct errmsg why;
};

static int world_open(struct world *w)
{
    int rc;

    w->why.text[0] = 0;
    w->s = NULL;
    rc = store_file_open(&w->s, w->dir, &w->opt, &w->why);
    if (rc == SYNCLINE_OK)
        w->port = store_file_port(w->s);
    return rc;
}

static void world_make(struct world *w)
{
    memset(w, 0, sizeof *w);
    disk_init(&w->os, 1);
    disk_vfs_register(&w->os);
    w->dir = "store";
    w->opt = temp_options();
    w->opt.os = &w->os.port;
    w->opt.vfs = w->os.vfs;
}

static void world_start(struct world *w)
{
    world_make(w);
    CHECK_OK(world_open(w));
}

static void world_end(struct world *w)
{
    store_file_abandon(w->s);
    disk_free(&w->os);
}

/* The power goes. p NULL: nothing is left of what was not synced. */
static void world_cut(struct world *w, struct prng *p)
{
    disk_off(&w->os);
    store_file_abandon(w->s);
    w->s = NULL;
    disk_crash(&w->os,
        p == NULL ? DISK_DROPPED : (enum disk_loss)prng_below(p, DISK_LOSS_END),
        p);
}

static void world_crash(struct world *w, struct prng *p)
{
    world_cut(w, p);
    CHECK_SAYING(world_open(w) == SYNCLINE_OK, "%s", w->why.text);
}

static void file_sync(struct contract_store *c)
{
    struct world *w = c->self;

    CHECK_OK(store_file_sync(w->s));
}

static uint64_t file_last(struct contract_store *c)
{
    return store_file_last(((struct world *)c->self)->s);
}

static uint64_t file_durable(struct contract_store *c)
{
    return store_file_durable(((struct world *)c->self)->s);
}

static void file_settle(struct contract_store *c)
{
    struct world *w = c->self;

    CHECK_OK(store_file_checkpoint(w->s, 0, &w->why));
}

static void file_crash(struct contract_store *c, struct prng *p)
{
    struct world *w = c->self;

    world_crash(w, p);
    c->port = w->port;
}

static void file_setup(struct contract_store *c)
{
    struct world *w = malloc(sizeof *w);

    CHECK(w != NULL);
    world_start(w);
    *c = (struct contract_store){ w, w->port, file_sync, file_last,
        file_durable, file_settle, file_crash };
}

static void file_teardown(struct contract_store *c)
{
    world_end(c->self);
    free(c->self);
}

CONTRACT_STORIES(file_setup, file_teardown)

/* Closed cleanly, nothing is left in the journal; opened again, all is
 * there and nothing was replayed. */
TEST(a_clean_close_needs_no_replay)
{
    static struct model m;
    static struct world w;

    world_start(&w);
    model_init(&m, 1);
    for (int i = 0; i < 300; i++)
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_close(w.s));
    CHECK_OK(world_open(&w));
    CHECK_UINT(store_file_was_replayed(w.s), 0);
    CHECK_UINT(store_file_last(w.s), 300);
    CHECK_UINT(store_file_durable(w.s), 300);
    model_check(&m, &w.port, 300);
    CHECK_OK(model_commit(&m, &w.port));
    world_end(&w);
}

TEST(replayed_twice_is_the_same)
{
    static struct model m;
    static struct world w;
    struct hash128 once, twice;

    world_start(&w);
    model_init(&m, 2);
    for (int i = 0; i < 200; i++)
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_sync(w.s));
    world_crash(&w, NULL);
    CHECK_UINT(store_file_was_replayed(w.s), 200);
    CHECK_OK(store_digest(&w.port, TABLE_ITEM, &once));
    world_crash(&w, NULL);
    CHECK_OK(store_digest(&w.port, TABLE_ITEM, &twice));
    CHECK(once.lo == twice.lo && once.hi == twice.hi);
    model_check(&m, &w.port, 200);
    world_end(&w);
}

/* A failed fdatasync is never tried again. */
TEST(a_failed_sync_stops_the_store)
{
    static struct model m;
    static struct world w;
    struct store_sync job;
    uint64_t durable = 0;
    int rc;

    world_start(&w);
    model_init(&m, 3);
    CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_sync(w.s));
    CHECK_OK(model_commit(&m, &w.port));
    CHECK(store_file_sync_begin(w.s, &job, &rc));
    disk_arm(&w.os, 1, SYNCLINE_EIO, false);
    store_file_sync_run(&job);
    CHECK_INT(store_file_sync_end(w.s, &job, &durable), SYNCLINE_EIO);
    CHECK_INT(store_file_status(w.s), SYNCLINE_EIO);
    CHECK_INT(model_commit(&m, &w.port), SYNCLINE_EIO);
    CHECK(!store_file_sync_begin(w.s, &job, &rc));
    CHECK_INT(rc, SYNCLINE_EIO);
    CHECK(!store_file_checkpoint_begin(w.s, 0));
    model_check(&m, &w.port, 2); /* reading goes on */
    world_crash(&w, NULL);
    model_resume(&m, &w.port, store_file_last(w.s), 1);
    CHECK_OK(model_commit(&m, &w.port));
    world_end(&w);
}

/* The journal finds no room for its next segment. */
TEST(a_full_disk_refuses_writes_until_there_is_room)
{
    static struct model m;
    static struct world w;
    uint64_t last;
    int refused = 0;

    world_start(&w);
    model_init(&m, 4);
    w.os.room = 200000;
    /* What fits into the last segment is still taken. */
    for (int i = 0; i < 600; i++) {
        int rc = model_commit(&m, &w.port);

        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_EFULL);
        refused += rc != SYNCLINE_OK;
    }
    CHECK(refused > 100);
    last = m.last;
    model_check(&m, &w.port, last);
    CHECK_OK(store_file_sync(w.s));
    w.os.room = 0;
    CHECK_OK(model_commit(&m, &w.port));
    CHECK_UINT(m.last, last + 1);
    world_crash(&w, NULL);
    model_resume(&m, &w.port, store_file_last(w.s), last);
    world_end(&w);
}

/* state.db cannot grow: the checkpoint fails, the overlay stays, and opening
 * works too; with room the next checkpoint moves all of it. */
TEST(a_checkpoint_without_room_loses_nothing)
{
    static struct model m;
    static struct world w;
    struct store_file_stats stats;

    world_start(&w);
    CHECK_OK(store_file_close(w.s));
    w.opt.state_pages_max = 20;
    CHECK_OK(world_open(&w));
    model_init(&m, 5);
    for (int i = 0; i < 300; i++)
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_sync(w.s));
    CHECK_INT(store_file_checkpoint(w.s, 0, &w.why), SYNCLINE_EFULL);
    CHECK(strstr(w.why.text, "state.db") != NULL);
    CHECK(!store_file_wants_checkpoint(w.s, 10));
    CHECK(store_file_wants_checkpoint(w.s, 5000));
    CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_sync(w.s));
    model_check(&m, &w.port, 301);
    world_crash(&w, NULL);
    CHECK_UINT(store_file_was_replayed(w.s), 301);
    model_check(&m, &w.port, 301);
    w.opt.state_pages_max = 0;
    world_cut(&w, NULL);
    CHECK_OK(world_open(&w));
    model_check(&m, &w.port, 301);
    store_file_stats(w.s, &stats);
    CHECK_UINT(stats.checkpointed, 301);
    CHECK_UINT(stats.segments, 0);
    world_end(&w);
}

/* The bounds that tell writers to wait and the loop to checkpoint. */
TEST(the_overlay_tells_when_it_is_full)
{
    static struct model m;
    static struct world w;

    world_start(&w);
    CHECK_OK(store_file_close(w.s));
    w.opt.overlay_bytes = 1 << 20;
    CHECK_OK(world_open(&w));
    model_init(&m, 6);
    CHECK(!store_file_wants_checkpoint(w.s, 1 << 30));
    CHECK_OK(model_commit(&m, &w.port));
    CHECK(!store_file_wants_checkpoint(w.s, 29999));
    CHECK(store_file_wants_checkpoint(w.s, 30000));
    while (!store_file_wants_checkpoint(w.s, 0))
        CHECK_OK(model_commit(&m, &w.port));
    CHECK(!store_file_full(w.s));
    while (!store_file_full(w.s))
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    CHECK(!store_file_full(w.s));
    CHECK_OK(model_commit(&m, &w.port));
    world_end(&w);
}

static int project(void *ctx, const struct store_meta *meta, struct slice key,
    struct slice value, struct store_row *row)
{
    struct slice name;

    (void)ctx;
    if (key.len < 4)
        return SYNCLINE_EMALFORMED;
    if (meta->get(meta->self, SLICE_LIT("space-1"), &name) == SYNCLINE_OK)
        row->space = name;
    row->key = slice_from(key, 4);
    row->alive = true;
    row->lsn = 9;
    row->value = value;
    return SYNCLINE_OK;
}

static int one_row(void *out, int n, char **cells, char **names)
{
    (void)names;
    for (int i = 0; i < n; i++)
        buf_printf(out, "%s|", cells[i] != NULL ? cells[i] : "NULL");
    return 0;
}

static int open_state(struct world *w, sqlite3 **db)
{
    return sqlite3_open_v2(
        "store/state.db", db, SQLITE_OPEN_READWRITE, w->os.vfs);
}

/* What people are shown. */
static void check_query(struct world *w, const char *sql, const char *want)
{
    struct buf out = { 0 };
    sqlite3 *db;

    CHECK_OK(open_state(w, &db));
    CHECK_OK(sqlite3_exec(db, sql, one_row, &out, NULL));
    CHECK_OK(sqlite3_close(db));
    CHECK_SLICE(buf_slice(&out), want);
    buf_free(&out);
}

/* People open state.db beside the running node and read it. */
TEST(people_can_query_the_items)
{
    static struct world w;

    world_start(&w);
    CHECK_OK(store_file_close(w.s));
    w.opt.project = project;
    CHECK_OK(world_open(&w));
    contract_put(&w.port, TABLE_ITEM, "\1\1\1\1lamp", "{\"on\":true}");
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    contract_put(&w.port, TABLE_META, "space-1", "default");
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    contract_put(&w.port, TABLE_ITEM, "\1\1\1\1zoo", "1");
    contract_put(&w.port, TABLE_ITEM, "x", "odd");
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    check_query(&w,
        "SELECT space, key, alive, lsn, value FROM items ORDER BY k",
        "16843009|lamp|1|9|{\"on\":true}|default|zoo|1|9|1|"
        "NULL|NULL|NULL|NULL|NULL|");
    CHECK_OK(store_file_verify(w.s, &w.why));
    world_end(&w);
}

/* The first byte. */
static uint64_t place(struct slice value)
{
    return value.ptr[0];
}

/* Whoever reads items in that order walks the file. */
TEST(items_stand_in_the_order_of_their_places)
{
    static const char *const keys[] = { "\1\1\1\1a", "\1\1\1\1b", "\1\1\1\1c",
        "\1\1\1\1d" };
    static const char *const values[] = { "3", "1", "2", "1" };
    static struct world w;

    world_start(&w);
    CHECK_OK(store_file_close(w.s));
    w.opt.place = place;
    CHECK_OK(world_open(&w));
    for (size_t i = 0; i < ARRAY_N(keys); i++)
        contract_put(&w.port, TABLE_ITEM, keys[i], values[i]);
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    contract_put(&w.port, TABLE_ITEM, keys[1], "4"); /* stays */
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    check_query(&w,
        "SELECT substr(CAST(k AS TEXT), 5), CAST(v AS TEXT) FROM items"
        " ORDER BY id",
        "b|4|d|1|c|2|a|3|");
    CHECK_OK(store_file_verify(w.s, &w.why));
    world_end(&w);
}

static void query(struct world *w, const char *sql)
{
    sqlite3 *db;

    CHECK_OK(open_state(w, &db));
    CHECK_OK(sqlite3_exec(db, sql, NULL, NULL, NULL));
    CHECK_OK(sqlite3_close(db));
}

/* As format 1 had it. */
static const char items_by_key[] =
    "BEGIN;"
    "CREATE TABLE old (k BLOB PRIMARY KEY, v BLOB NOT NULL, space TEXT,"
    " key TEXT, alive INTEGER, lsn INTEGER, value TEXT) WITHOUT ROWID;"
    "INSERT INTO old SELECT k, v, space, key, alive, lsn, value FROM items;"
    "DROP TABLE items;"
    "ALTER TABLE old RENAME TO items;"
    "PRAGMA user_version=1;"
    "COMMIT";

TEST(a_state_of_format_1_is_brought_up)
{
    static struct model m;
    static struct world w;

    world_start(&w);
    model_init(&m, 7);
    for (int i = 0; i < 50; i++)
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_sync(w.s));
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    CHECK_OK(store_file_close(w.s));
    query(&w, items_by_key);
    CHECK_OK(world_open(&w));
    model_check(&m, &w.port, 50);
    for (int i = 0; i < 50; i++)
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_sync(w.s));
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    CHECK_OK(store_file_verify(w.s, &w.why));
    world_crash(&w, NULL);
    model_check(&m, &w.port, 100);
    check_query(&w, "PRAGMA user_version", "2|");
    world_end(&w);
}

/* Versions until 2026-11-27 made files of smaller pages: those stay so. */
TEST(a_state_of_smaller_pages_is_gone_on_with)
{
    static struct model m;
    static struct world w;
    struct store_file_stats stats;

    world_start(&w);
    check_query(&w, "PRAGMA page_size", "16384|");
    model_init(&m, 9);
    for (int i = 0; i < 100; i++)
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_close(w.s));
    query(&w,
        "PRAGMA journal_mode=DELETE; PRAGMA page_size=4096; VACUUM;"
        "PRAGMA journal_mode=WAL");
    CHECK_OK(world_open(&w));
    model_check(&m, &w.port, 100);
    for (int i = 0; i < 100; i++)
        CHECK_OK(model_commit(&m, &w.port));
    CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
    model_check(&m, &w.port, 200);
    store_file_stats(w.s, &stats);
    CHECK_UINT(disk_content(&w.os, "store/state.db-wal")->n,
        32 + stats.wal_bytes / 4096 * (24 + 4096));
    CHECK_OK(store_file_verify(w.s, &w.why));
    check_query(&w, "PRAGMA page_size", "4096|");
    world_end(&w);
}

TEST(a_damaged_or_foreign_state_is_refused_by_name)
{
    static struct world w;
    char text[4200];

    world_start(&w);
    CHECK_OK(store_file_close(w.s));
    query(&w, "PRAGMA user_version=99");
    CHECK_INT(world_open(&w), SYNCLINE_EVERSION);
    CHECK(strstr(w.why.text, "/state.db has format 99") != NULL);
    query(&w, "PRAGMA application_id=1");
    CHECK_INT(world_open(&w), SYNCLINE_ECORRUPT);
    CHECK(strstr(w.why.text, "another program") != NULL);
    memset(text, 't', sizeof text);
    disk_set(&w.os, "store/state.db", text, sizeof text);
    CHECK_INT(world_open(&w), SYNCLINE_ECORRUPT);
    CHECK(strstr(w.why.text, "/state.db") != NULL);
    CHECK(strstr(w.why.text, "backup") != NULL);
    world_end(&w);
}

/* Somebody removed state.db, but the journal knows that there was one. */
TEST(a_state_that_was_removed_is_noticed)
{
    static struct model m;
    static struct world w;

    world_start(&w);
    model_init(&m, 8);
    for (int i = 0; i < 300; i++) {
        CHECK_OK(model_commit(&m, &w.port));
        if (i % 100 == 50) {
            CHECK_OK(store_file_sync(w.s));
            CHECK_OK(store_file_checkpoint(w.s, 0, &w.why));
        }
    }
    CHECK_OK(store_file_sync(w.s));
    world_cut(&w, NULL);
    disk_set(&w.os, "store/state.db", NULL, 0);
    disk_set(&w.os, "store/state.db-wal", NULL, 0);
    CHECK_INT(world_open(&w), SYNCLINE_ECORRUPT);
    CHECK(strstr(w.why.text, "state.db") != NULL);
    world_end(&w);
}

/* The same folder cannot be opened twice, not even by one process. */
TEST(two_cannot_hold_one_folder)
{
    char dir[TEMP_MAX], want[40];
    struct store_file_options opt = temp_options();
    struct store_file *a, *b = NULL;
    struct errmsg why;
    struct stat st;

    temp_make(dir);
    CHECK_OK(store_file_open(&a, dir, &opt, &why));
    CHECK_INT(store_file_open(&b, dir, &opt, &why), SYNCLINE_EBUSY);
    CHECK(b == NULL);
    (void)snprintf(want, sizeof want, "process %ld", (long)getpid());
    CHECK(strstr(why.text, want) != NULL);
    CHECK(stat(temp_path(dir, "state.db"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_OK(store_file_close(a));
    CHECK_OK(store_file_open(&b, dir, &opt, &why));
    CHECK_OK(store_file_close(b));
    temp_remove(dir);
}

/* As somebody who may not write there; root has to become one first. */
static int open_as_nobody(const char *dir)
{
    struct store_file_options opt = temp_options();
    struct store_file *s = NULL;
    struct errmsg why = { "" };
    int rc;

    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    rc = store_file_open(&s, dir, &opt, &why);
    return rc == SYNCLINE_EDENIED && strstr(why.text, dir) != NULL ? 0 : 1;
}

TEST(a_folder_without_permission_is_denied)
{
    char dir[TEMP_MAX];
    int status = -1;
    pid_t pid;

    temp_make(dir);
    CHECK(chmod(dir, 0500) == 0);
    pid = fork();
    if (pid == 0)
        _exit(open_as_nobody(dir));
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    CHECK(chmod(dir, 0700) == 0);
    temp_remove(dir);
}

/* Each call of the port fails in turn, at opening, writing, syncing. */
TEST(every_call_fails_once)
{
    static struct model m;
    static struct world w;
    bool failed = true;

    for (uint64_t nth = 1; failed && nth < 400; nth++) {
        uint64_t durable = 0;
        int rc, moved = 0;

        world_make(&w);
        w.opt.segment_bytes = 16 << 10;
        model_init(&m, nth);
        disk_arm(&w.os, nth, SYNCLINE_EIO, false);
        rc = world_open(&w);
        CHECK(rc == SYNCLINE_OK || w.why.text[0] != 0);
        for (int i = 0; i < 60 && rc == SYNCLINE_OK; i++) {
            (void)model_commit(&m, &w.port);
            if (i % 4 == 0 && store_file_sync(w.s) == SYNCLINE_OK)
                durable = m.last;
            if (i % 20 == 0)
                moved += store_file_checkpoint(w.s, 0, &w.why) == 0;
        }
        failed = w.os.failed > 0;
        CHECK(failed || moved == 3);
        world_cut(&w, &m.prng);
        CHECK_SAYING(world_open(&w) == SYNCLINE_OK, "call %llu: %s",
            (unsigned long long)nth, w.why.text);
        model_resume(&m, &w.port, store_file_last(w.s), durable);
        world_end(&w);
    }
    CHECK(!failed);
}

static void *run_checkpoint(void *arg)
{
    store_file_checkpoint_run(arg);
    return NULL;
}

static void *run_sync(void *arg)
{
    store_file_sync_run(arg);
    return NULL;
}

/* Two helper threads at work while the loop commits and reads. */
TEST(commits_go_on_while_helpers_work)
{
    static struct model m;
    char dir[TEMP_MAX];
    struct store_file_options opt = temp_options();
    struct store_file *s;
    struct store_port port;
    struct errmsg why;
    pthread_t syncer, mover;

    temp_make(dir);
    CHECK_OK(store_file_open(&s, dir, &opt, &why));
    port = store_file_port(s);
    model_init(&m, 11);
    for (int round = 0; round < 12; round++) {
        struct store_sync job;
        uint64_t durable = 0;
        int rc;

        for (int i = 0; i < 100; i++)
            CHECK_OK(model_commit(&m, &port));
        CHECK(store_file_sync_begin(s, &job, &rc));
        CHECK(store_file_checkpoint_begin(s, 0));
        CHECK(!store_file_checkpoint_begin(s, 0));
        CHECK(pthread_create(&mover, NULL, run_checkpoint, s) == 0);
        CHECK(pthread_create(&syncer, NULL, run_sync, &job) == 0);
        for (int i = 0; i < 60; i++)
            CHECK_OK(model_commit(&m, &port));
        model_check(&m, &port, m.last);
        CHECK(pthread_join(mover, NULL) == 0);
        CHECK_OK(store_file_checkpoint_end(s, &why));
        CHECK(pthread_join(syncer, NULL) == 0);
        CHECK_OK(store_file_sync_end(s, &job, &durable));
        CHECK_UINT(durable, m.last - 60);
        model_check(&m, &port, m.last);
    }
    CHECK_OK(store_file_sync(s));
    store_file_abandon(s);
    CHECK_OK(store_file_open(&s, dir, &opt, &why));
    port = store_file_port(s);
    model_check(&m, &port, m.last);
    CHECK_OK(store_file_close(s));
    temp_remove(dir);
}

/* Whichever allocation fails: an open that says so, a batch that is in whole
 * or not at all. */
TEST(memory_that_runs_out_is_reported)
{
    static struct model m;
    char dir[TEMP_MAX];
    struct store_file_options opt = temp_options();
    struct store_file *s = NULL;
    struct store_port port;
    struct errmsg why;
    bool failed = true;
    int refused = 0;

    temp_make(dir);
    for (long n = 0; failed && n < 1000; n++) {
        int rc;

        check_alloc_fail_from(n);
        rc = store_file_open(&s, dir, &opt, &why);
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK(rc == (failed ? SYNCLINE_ENOMEM : SYNCLINE_OK));
    }
    CHECK(!failed);
    port = store_file_port(s);
    model_init(&m, 12);
    for (long i = 0; i < 500; i++) {
        int rc = model_commit_short(&m, &port, i % 4);

        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM);
        refused += rc != SYNCLINE_OK;
    }
    CHECK(refused > 5);
    model_check(&m, &port, m.last);
    CHECK_OK(store_file_close(s));
    CHECK_OK(store_file_open(&s, dir, &opt, &why));
    port = store_file_port(s);
    model_check(&m, &port, m.last);
    CHECK_OK(store_file_close(s));
    temp_remove(dir);
}
