/* Who has written in an older system what a gateway brought: a change has only
 * its stamp from him, whose replica is a hash of his name. What the hash stands
 * for is noted here, where he was heard, so that people are told of him and not
 * of the gateway. It is a record of this store alone. */
#include "repl/node_impl.h"
#include "repl/space_impl.h"

#include <stdlib.h>

#define AUTHORS_MAX 1024 /* anybody there can invent them; the first stay */

struct node_author {
    struct rid stamp;
    uint32_t face_len, node_len;
    char text[]; /* the face, then the node */
};

static struct slice face_of(const struct node_author *a)
{
    return SLICE(a->text, a->face_len);
}

static struct slice name_of(const struct node_author *a)
{
    return SLICE(a->text + a->face_len, a->node_len);
}

static const struct node_author *find(
    const struct node *n, const struct rid *stamp)
{
    for (size_t i = n->authors_n; i-- > 0;)
        if (rid_eq(&n->authors[i]->stamp, stamp))
            return n->authors[i];
    return NULL;
}

static int add(struct node *n, const struct rid *stamp, struct slice face,
    struct slice node)
{
    struct node_author *a;

    if (n->authors == NULL)
        n->authors = calloc(AUTHORS_MAX, sizeof(struct node_author *));
    if (n->authors == NULL)
        return SYNCLINE_ENOMEM;
    a = malloc(sizeof *a + face.len + node.len);
    if (a == NULL)
        return SYNCLINE_ENOMEM;
    a->stamp = *stamp;
    a->face_len = (uint32_t)face.len;
    a->node_len = (uint32_t)node.len;
    memcpy(a->text, face.ptr, face.len);
    memcpy(a->text + face.len, node.ptr, node.len);
    n->authors[n->authors_n++] = a;
    return SYNCLINE_OK;
}

int author_note(struct node *n, const struct foreign *f)
{
    struct buf key = { 0 }, value = { 0 };
    struct stamp stamp;
    int rc = SYNCLINE_OK;

    if (f->node.len > 0)
        rc = foreign_stamp(n, f, &stamp);
    if (rc != SYNCLINE_OK || f->node.len == 0 || n->authors_n >= AUTHORS_MAX ||
        find(n, &stamp.replica) != NULL)
        return rc;
    rc = add(n, &stamp.replica, f->face, f->node);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_str(&key, META_AUTHOR);
    buf_put_slice(&key, rid_slice(&stamp.replica));
    put_bytes(&value, f->face);
    put_bytes(&value, f->node);
    rc = buf_status(&key);
    if (rc == SYNCLINE_OK)
        txn_put_buf(&n->txn, TABLE_META, buf_slice(&key), &value);
    buf_free(&key);
    buf_free(&value);
    return rc;
}

/* ---- with the step ---- */

static void drop_from(struct node *n, size_t from)
{
    while (n->authors_n > from)
        free(n->authors[--n->authors_n]);
}

void authors_undo(struct node *n)
{
    drop_from(n, n->authors_kept);
}

void authors_free(struct node *n)
{
    drop_from(n, 0);
    free(n->authors);
    n->authors = NULL;
}

static int load_one(void *ctx, struct slice key, struct slice value)
{
    struct node *n = ctx;
    struct reader k = reader_of(slice_from(key, sizeof META_AUTHOR - 1));
    struct reader v = reader_of(value);
    struct slice face = get_bytes(&v), node = get_bytes(&v);
    struct rid stamp;

    get_into(&k, stamp.b, sizeof stamp.b);
    if (reader_end(&k) != SYNCLINE_OK || reader_end(&v) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    return n->authors_n < AUTHORS_MAX ? add(n, &stamp, face, node)
                                      : SYNCLINE_OK;
}

int authors_load(struct node *n)
{
    int rc = store_scan(&n->opt.store, TABLE_META, SLICE_LIT(META_AUTHOR),
        SLICE_NONE, load_one, n);

    n->authors_kept = n->authors_n;
    return rc;
}

/* ---- as people are told ---- */

void put_writer(const struct node *n, struct buf *b, const struct rid *by,
    const struct stamp *stamp)
{
    const struct node_author *a =
        rid_eq(by, &stamp->replica) ? NULL : find(n, &stamp->replica);

    put_who(n, b, by);
    if (a == NULL)
        return;
    buf_put_str(b, ",\"author\":{\"system\":");
    json_print_string(b, face_of(a), false);
    buf_put_str(b, ",\"node_id\":");
    json_print_string(b, name_of(a), false);
    buf_put_u8(b, '}');
}
