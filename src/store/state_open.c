/* state.db made, opened, brought up to date, and closed. */
#include "store/state_impl.h"

#include "store/os.h"

#include <errno.h>
#include <stdlib.h>

/* "SYNC": tells our file from any other SQLite database. */
#define APPLICATION_ID 0x53594e43
#define BUSY_MS 2000
#define WAL_KEEP_BYTES (64 << 20)

/* Of a new file; one that is there stays as it is. Of a row without rowid
 * SQLite keeps up to a quarter of a page in the tree. The rest of it has pages
 * of its own, however little it is, and each comparison of a search copies the
 * whole row. Entries of histories and conflicts may be of 1 kB. */
#define PAGE_BYTES 16384

const char *const state_tables[TABLE_END] = {
    [TABLE_META] = "meta",
    [TABLE_ITEM] = "items",
    [TABLE_FEED] = "feed",
    [TABLE_SEEN] = "seen",
    [TABLE_HISTORY] = "history",
    [TABLE_CONFLICT] = "conflicts",
};

/* Step n brings a file of format n to n + 1. Never change one that was
 * released; add the next. */
static const char *const steps[] = {
    "CREATE TABLE store (id INTEGER PRIMARY KEY CHECK (id = 1),"
    " checkpointed INTEGER NOT NULL);"
    "INSERT INTO store VALUES (1, 0);"
    "CREATE TABLE meta (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE items (k BLOB PRIMARY KEY, v BLOB NOT NULL, space TEXT,"
    " key TEXT, alive INTEGER, lsn INTEGER, value TEXT) WITHOUT ROWID;"
    "CREATE TABLE feed (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE seen (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE history (k BLOB PRIMARY KEY, v BLOB NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE conflicts (k BLOB PRIMARY KEY, v BLOB NOT NULL)"
    " WITHOUT ROWID;",

    /* Whole items in a tree by key leave few to a page, and of one that is
     * longer than a quarter of it each comparison reads the rest elsewhere. */
    "CREATE TABLE items_by_id (id INTEGER PRIMARY KEY,"
    " k BLOB NOT NULL UNIQUE, v BLOB NOT NULL, space TEXT, key TEXT,"
    " alive INTEGER, lsn INTEGER, value TEXT);"
    "INSERT INTO items_by_id (k, v, space, key, alive, lsn, value)"
    " SELECT k, v, space, key, alive, lsn, value FROM items ORDER BY k;"
    "DROP TABLE items;"
    "ALTER TABLE items_by_id RENAME TO items;",
};
#define FORMAT ((int)(sizeof steps / sizeof steps[0]))

static int status_of(sqlite3 *db)
{
    int full = sqlite3_extended_errcode(db);
    int e = sqlite3_system_errno(db);

    switch (full & 0xff) {
    case SQLITE_FULL:
        return SYNCLINE_EFULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SYNCLINE_ECORRUPT;
    case SQLITE_NOMEM:
        return SYNCLINE_ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SYNCLINE_EBUSY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return SYNCLINE_EDENIED;
    default:
        break;
    }
    if (full == SQLITE_IOERR_NOMEM)
        return SYNCLINE_ENOMEM;
    if (e == ENOSPC || e == EDQUOT)
        return SYNCLINE_EFULL;
    if (e == EACCES || e == EPERM || e == EROFS)
        return SYNCLINE_EDENIED;
    return SYNCLINE_EIO;
}

static const char *remedy(int rc)
{
    switch (rc) {
    case SYNCLINE_EFULL:
        return "; make room on the disk";
    case SYNCLINE_ECORRUPT:
        return "; restore this folder from a backup, or set it aside and "
               "join again";
    case SYNCLINE_EDENIED:
        return "; its owner must be able to read and write it";
    case SYNCLINE_EBUSY:
        return "; another program holds it, let that end first";
    default:
        return "";
    }
}

/* SQLite takes a file whose header asks for a later SQLite for read-only. If
 * the system lets us write it, that is damage. */
static bool is_damaged_header(const struct state *st, sqlite3 *db)
{
    const struct os_port *os = st->opt.os;
    int fd;

    if (sqlite3_extended_errcode(db) != SQLITE_READONLY ||
        os->open(os->self, st->path, OS_OPEN_WRITE, &fd) != SYNCLINE_OK)
        return false;
    os->close(os->self, fd);
    return true;
}

int state_failed(
    const struct state *st, sqlite3 *db, struct errmsg *why, const char *what)
{
    int rc = db != NULL ? status_of(db) : SYNCLINE_ENOMEM;

    if (rc == SYNCLINE_EDENIED && is_damaged_header(st, db))
        rc = SYNCLINE_ECORRUPT;
    return errmsg_set(why, rc, "cannot %s %s: %s%s", what, st->path,
        db != NULL ? sqlite3_errmsg(db) : "out of memory", remedy(rc));
}

static int number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(q, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(q);
    return rc;
}

static int run_step(sqlite3 *db, int step)
{
    char tail[128];
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    (void)sqlite3_snprintf((int)sizeof tail, tail,
        "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
        APPLICATION_ID, step + 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, steps[step], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, tail, NULL, NULL, NULL);
    return rc;
}

static int migrate(struct state *st, struct errmsg *why)
{
    int64_t format = 0, app = 0, objects = 0;

    if (number(st->writer, "PRAGMA user_version", &format) != SQLITE_OK ||
        number(st->writer, "PRAGMA application_id", &app) != SQLITE_OK ||
        number(st->writer, "SELECT count(*) FROM sqlite_schema", &objects) !=
            SQLITE_OK)
        return state_failed(st, st->writer, why, "read");
    if (app != APPLICATION_ID && objects > 0)
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "%s is a database of another program; move it away", st->path);
    if (format > FORMAT)
        return errmsg_set(why, SYNCLINE_EVERSION,
            "%s has format %d, made by a newer version; this one reads up "
            "to %d: install the newer version again",
            st->path, (int)format, FORMAT);
    for (int i = format < 0 ? 0 : (int)format; i < FORMAT; i++)
        if (run_step(st->writer, i) != SQLITE_OK)
            return state_failed(st, st->writer, why, "upgrade");
    return SYNCLINE_OK;
}

static int prepare(
    sqlite3 *db, sqlite3_stmt **q, const char *fmt, const char *table)
{
    char sql[320];

    (void)sqlite3_snprintf((int)sizeof sql, sql, fmt, table);
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, q, NULL);
}

static int prepare_table(struct state *st, enum store_table t)
{
    const char *name = state_tables[t];
    int rc = prepare(st->reader, &st->get[t],
        t == TABLE_ITEM ? "SELECT v, id FROM %s WHERE k = ?1"
                        : "SELECT v FROM %s WHERE k = ?1",
        name);

    if (rc == SQLITE_OK)
        rc = prepare(st->reader, &st->scan[t],
            "SELECT k, v FROM %s WHERE k >= ?1 ORDER BY k", name);
    if (rc == SQLITE_OK)
        rc = prepare(st->writer, &st->put[t],
            t == TABLE_ITEM
                ? "INSERT INTO %s (k, v, space, key, alive, lsn, value)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (k)"
                  " DO UPDATE SET v = excluded.v, space = excluded.space,"
                  " key = excluded.key, alive = excluded.alive,"
                  " lsn = excluded.lsn, value = excluded.value"
                : "REPLACE INTO %s VALUES (?1, ?2)",
            name);
    if (rc == SQLITE_OK)
        rc = prepare(
            st->writer, &st->del[t], "DELETE FROM %s WHERE k = ?1", name);
    return rc;
}

static int prepare_all(struct state *st, struct errmsg *why)
{
    int rc = prepare(st->writer, &st->begin, "BEGIN IMMEDIATE%s", "");

    for (int t = 0; t < TABLE_END && rc == SQLITE_OK; t++)
        rc = prepare_table(st, (enum store_table)t);
    if (rc == SQLITE_OK)
        rc = prepare(st->reader, &st->get_id,
            "SELECT v, k FROM %s WHERE id = ?1", "items");
    if (rc == SQLITE_OK)
        rc = prepare(st->writer, &st->commit, "COMMIT%s", "");
    if (rc == SQLITE_OK)
        rc = prepare(st->writer, &st->rollback, "ROLLBACK%s", "");
    if (rc == SQLITE_OK)
        rc = prepare(
            st->writer, &st->upto, "UPDATE %s SET checkpointed = ?1", "store");
    if (rc == SQLITE_OK)
        rc = prepare(
            st->writer, &st->meta_get, "SELECT v FROM %s WHERE k = ?1", "meta");
    if (rc == SQLITE_OK)
        return SYNCLINE_OK;
    rc = sqlite3_errcode(st->reader) != SQLITE_OK
        ? state_failed(st, st->reader, why, "read")
        : state_failed(st, st->writer, why, "read");
    return rc;
}

/* synchronous=FULL: each checkpoint is one transaction and the journal's
 * segments are reused after it, so it must be on the disk when it ends. */
static int open_writer(struct state *st, struct errmsg *why)
{
    char *sql;
    int rc = sqlite3_open_v2(st->path, &st->writer,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
        st->opt.vfs);

    if (rc != SQLITE_OK)
        return state_failed(st, st->writer, why, "open");
    (void)sqlite3_extended_result_codes(st->writer, 1);
    (void)sqlite3_busy_timeout(st->writer, BUSY_MS);
    sql = sqlite3_mprintf(
        "PRAGMA page_size=%d;"
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=FAST;"
        "PRAGMA cache_size=-32768;"
        "PRAGMA journal_size_limit=%d;%s%d",
        PAGE_BYTES, WAL_KEEP_BYTES,
        st->opt.pages_max != 0 ? "PRAGMA max_page_count=" : "--",
        (int)st->opt.pages_max);
    if (sql == NULL)
        return SYNCLINE_ENOMEM;
    rc = sqlite3_exec(st->writer, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? SYNCLINE_OK
                           : state_failed(st, st->writer, why, "open");
}

static int open_reader(struct state *st, struct errmsg *why)
{
    int rc = sqlite3_open_v2(st->path, &st->reader,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, st->opt.vfs);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(
            st->reader, "PRAGMA cache_size=-16384", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return state_failed(st, st->reader, why, "open");
    (void)sqlite3_extended_result_codes(st->reader, 1);
    (void)sqlite3_busy_timeout(st->reader, BUSY_MS);
    return SYNCLINE_OK;
}

/* SQLite would make the file readable by all; its helpers copy its mode. */
static int make_private(struct state *st, struct errmsg *why)
{
    const struct os_port *os = st->opt.os;
    int fd;
    int rc = os->open(os->self, st->path, OS_OPEN_CREATE, &fd);

    if (rc == SYNCLINE_OK)
        os->close(os->self, fd);
    if (rc == SYNCLINE_OK || rc == SYNCLINE_EEXIST)
        return SYNCLINE_OK;
    return errmsg_set(
        why, rc, "cannot make %s: %s%s", st->path, strerror(errno), remedy(rc));
}

/* SQLite takes what it finds in its log for durable, and segments of the
 * journal are given up for it; but a process that was killed may have written
 * it and not come to sync it. */
static int settle_log(struct state *st, struct errmsg *why)
{
    const struct os_port *os = st->opt.os;
    char *path = sqlite3_mprintf("%s-wal", st->path);
    int rc = path != NULL ? os_make_durable(os, path) : SYNCLINE_ENOMEM;

    if (rc == SYNCLINE_OK)
        rc = os->sync_dir(os->self, st->opt.dir);
    if (rc == SYNCLINE_ENOTFOUND) /* as a clean stop leaves it */
        rc = SYNCLINE_OK;
    else if (rc != SYNCLINE_OK && path != NULL)
        (void)errmsg_set(why, rc, "cannot make %s durable: %s%s", path,
            strerror(errno), remedy(rc));
    sqlite3_free(path);
    return rc;
}

static int open_all(struct state *st, struct errmsg *why)
{
    int64_t upto = 0;
    int rc = make_private(st, why);

    if (rc == SYNCLINE_OK)
        rc = settle_log(st, why);
    if (rc == SYNCLINE_OK)
        rc = open_writer(st, why);
    if (rc == SYNCLINE_OK)
        rc = migrate(st, why);
    if (rc == SYNCLINE_OK)
        rc = open_reader(st, why);
    if (rc == SYNCLINE_OK)
        rc = prepare_all(st, why);
    if (rc == SYNCLINE_OK &&
        (number(st->writer, "SELECT checkpointed FROM store", &upto) !=
                SQLITE_OK ||
            number(st->writer, "PRAGMA page_size", &st->page) != SQLITE_OK))
        rc = state_failed(st, st->writer, why, "read");
    st->checkpointed = (uint64_t)upto;
    return rc;
}

int state_open(struct state **out, const char *path,
    const struct state_options *opt, struct errmsg *why)
{
    struct state *st = calloc(1, sizeof *st);
    int rc;

    if (st == NULL)
        return SYNCLINE_ENOMEM;
    st->opt = *opt;
    st->path = strdup(path);
    rc = st->path != NULL ? open_all(st, why) : SYNCLINE_ENOMEM;
    if (rc != SYNCLINE_OK) {
        state_close(st);
        return rc;
    }
    *out = st;
    return SYNCLINE_OK;
}

void state_close(struct state *st)
{
    if (st == NULL)
        return;
    for (int t = 0; t < TABLE_END; t++) {
        sqlite3_finalize(st->get[t]);
        sqlite3_finalize(st->scan[t]);
        sqlite3_finalize(st->put[t]);
        sqlite3_finalize(st->del[t]);
    }
    sqlite3_finalize(st->begin);
    sqlite3_finalize(st->commit);
    sqlite3_finalize(st->rollback);
    sqlite3_finalize(st->upto);
    sqlite3_finalize(st->meta_get);
    sqlite3_finalize(st->get_id);
    /* The reader first: the last to close folds the log into the file, and
     * only the writer may. */
    (void)sqlite3_close(st->reader);
    (void)sqlite3_close(st->writer);
    buf_free(&st->value);
    buf_free(&st->meta_value);
    buf_free(&st->meta_key);
    free(st->path);
    free(st);
}
