#include "app/project.h"

#include "core/document.h"
#include "repl/keys.h"

/* On the checkpoint's thread: what the row lends lives until the next call. */
static _Thread_local struct {
    struct arena arena;
    struct buf value, name;
} scratch;

static void name_space(const struct store_meta *meta, uint32_t id)
{
    struct buf key = { 0 };
    struct slice record;

    buf_clear(&scratch.name);
    if (meta->get(meta->self, key_meta_space(&key, META_SPACE, id), &record) ==
        SYNCLINE_OK)
        buf_put_slice(&scratch.name, slice_from(record, SPACE_TOKEN_LEN));
    buf_free(&key);
}

int project_row(void *ctx, const struct store_meta *meta, struct slice key,
    struct slice value, struct store_row *row)
{
    struct reader k = reader_of(key), v = reader_of(value);
    struct item it;
    int rc;

    (void)ctx;
    arena_reset(&scratch.arena);
    buf_clear(&scratch.value);
    name_space(meta, get_be32(&k));
    row->lsn = get_be64(&v);
    (void)get_varint(&v);
    rc = k.err != 0 ? k.err : get_item(&v, &it, &scratch.arena);
    if (rc != SYNCLINE_OK)
        return rc;
    put_document(&scratch.value, &it, &scratch.arena);
    row->space = buf_slice(&scratch.name);
    row->key = k.in;
    row->alive = item_alive(&it);
    row->value = row->alive ? buf_slice(&scratch.value) : SLICE_NONE;
    return buf_status(&scratch.value);
}
