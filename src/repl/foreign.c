/* A write that an older system's face brings: by its author's clock, and in a
 * name that all gateways give it alike, so that two of them do not echo. */
#include "repl/access_impl.h"

#define NAME_MAX_LEN 1024

int foreign_read(struct foreign *out, const struct json *as, struct errmsg *why)
{
    *out = (struct foreign){ .face = json_get_str(as, "face"),
        .node = json_get_str(as, "node") };
    if (out->face.len == 0 || out->face.len > NAME_MAX_LEN ||
        out->node.len > NAME_MAX_LEN || json_get_int(as, "time", -1) < 0)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "as: needs a face, a node and a time");
    out->time_us = (uint64_t)json_get_int(as, "time", 0);
    return SYNCLINE_OK;
}

static int foreign_stamp(
    const struct node *n, const struct foreign *f, struct stamp *out)
{
    const struct slice parts[] = { f->face, SLICE_LIT("\0"), f->node };
    uint8_t sum[SHA256_LEN];
    int rc = n->opt.crypto->hash(n->opt.crypto->self, sum, parts, 3);

    *out = (struct stamp){ .epoch = n->epoch, .hlc = hlc_of_wall(f->time_us) };
    memcpy(out->replica.b, sum, sizeof out->replica.b);
    return rc;
}

int foreign_author(struct node *n, const struct space *sp,
    const struct foreign *f, const struct item *it, struct author *by,
    struct errmsg *why)
{
    struct stamp stamp;
    int rc = foreign_stamp(n, f, &stamp);

    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (stamp_cmp(&it->changes[i].stamp, &stamp) > 0)
            return errmsg_set(
                why, SYNCLINE_ECONFLICT, "it was written before what stands");
    by->wall_us = f->time_us;
    /* Had it lost to a removed field that is gone since, nobody here would
     * know: then it is written as of now. */
    if (!space_outlived(sp, &stamp))
        by->stamp = stamp;
    node_see_stamp(n, &by->stamp);
    return SYNCLINE_OK;
}
