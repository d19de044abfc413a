/* A look into a state.db that nobody has open, without a trace of it. */
#include "store/state.h"

#include <limits.h>
#include <stdio.h>

#include <sqlite3.h>

/* A file's name as a URI, in which % ? and # mean something. */
static int put_uri(struct buf *b, const char *dir)
{
    buf_put_str(b, "file:");
    if (dir[0] == '/')
        buf_put_str(b, "//");
    for (const char *c = dir; *c != 0; c++)
        if (*c == '%' || *c == '?' || *c == '#')
            buf_printf(b, "%%%02X", (unsigned)*c);
        else
            buf_put_u8(b, (uint8_t)*c);
    /* What is still in the write-ahead log is not looked at. */
    buf_put_str(b, "/state.db?immutable=1");
    buf_put_u8(b, 0);
    return buf_status(b);
}

static int read_meta(sqlite3 *db, struct slice key, struct buf *out)
{
    sqlite3_stmt *q = NULL;
    int rc =
        sqlite3_prepare_v2(db, "SELECT v FROM meta WHERE k = ?1", -1, &q, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob(q, 1, key.ptr, (int)key.len, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        buf_put(
            out, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
    (void)sqlite3_finalize(q);
    if (rc == SQLITE_DONE)
        return SYNCLINE_ENOTFOUND;
    return rc == SQLITE_ROW ? buf_status(out) : SYNCLINE_EIO;
}

int state_peek(const char *dir, struct slice key, struct buf *out)
{
    struct buf uri = { 0 };
    sqlite3 *db = NULL;
    int rc = put_uri(&uri, dir);

    if (rc == SYNCLINE_OK &&
        sqlite3_open_v2((const char *)uri.ptr, &db,
            SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
        rc = SYNCLINE_EIO;
    if (rc == SYNCLINE_OK)
        rc = read_meta(db, key, out);
    (void)sqlite3_close(db);
    buf_free(&uri);
    return rc;
}
