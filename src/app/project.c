#include "app/project.h"

#include "core/document.h"
#include "repl/keys.h"
#include "repl/sealed.h"

void project_free(struct project *p)
{
    arena_free(&p->arena);
    buf_free(&p->value);
    buf_free(&p->name);
}

static void name_space(
    struct project *p, const struct store_meta *meta, uint32_t id)
{
    struct buf key = { 0 };
    struct slice record;

    buf_clear(&p->name);
    if (meta->get(meta->self, key_meta_space(&key, META_SPACE, id), &record) ==
        SYNCLINE_OK)
        buf_put_slice(&p->name, slice_from(record, SPACE_TOKEN_LEN));
    buf_free(&key);
}

int project_row(void *ctx, const struct store_meta *meta, struct slice key,
    struct slice value, struct store_row *row)
{
    struct reader k = reader_of(key), v = reader_of(value);
    struct project *p = ctx;
    struct item it;
    bool is_sealed;
    int rc;

    arena_reset(&p->arena);
    buf_clear(&p->value);
    name_space(p, meta, get_be32(&k));
    row->lsn = get_be64(&v);
    (void)get_varint(&v);
    rc = k.err != 0 ? k.err : get_item(&v, &it, &p->arena);
    if (rc != SYNCLINE_OK)
        return rc;
    is_sealed = sealed_is_other(&it, false);
    if (!is_sealed) /* else there is nothing to be read in it */
        put_document(&p->value, &it, &p->arena);
    row->space = buf_slice(&p->name);
    row->key = k.in;
    row->alive = item_alive(&it);
    row->value = row->alive && !is_sealed ? buf_slice(&p->value) : SLICE_NONE;
    return buf_status(&p->value);
}

uint64_t project_place(struct slice value)
{
    struct reader r = reader_of(value);

    return get_be64(&r);
}
