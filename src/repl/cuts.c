/* What a certificate says still counts of a device that it takes rights from:
 * as much of its changes as whoever signs it holds. */
#include "repl/access_impl.h"

#include "base/plant.h"

#include <stdlib.h>
#include <string.h>

/* So many replicas a record can tell of; nobody has as many but to be a
 * nuisance. */
#define CUT_REPLICAS 8192

static int note_seq(void *ctx, struct slice key, struct slice value)
{
    struct slice item_key;
    struct dot dot;

    (void)value;
    if (get_seen_key(key, &dot, &item_key) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    *(uint64_t *)ctx = dot.seq;
    return 1;
}

/* The first change of the replica that an item here knows of, from that
 * number on; 0: none. */
static int first_held(const struct node *n, const struct space *sp,
    const struct dot *at, uint64_t *out)
{
    struct buf prefix = { 0 }, from = { 0 };
    int rc;

    *out = 0;
    (void)key_space(&prefix, sp->id);
    buf_put(&prefix, at->replica.b, RID_LEN);
    rc = buf_status(&prefix);
    if (rc == SYNCLINE_OK)
        rc = store_scan(&n->opt.store, TABLE_SEEN, buf_slice(&prefix),
            key_seen(&from, sp->id, at, SLICE_NONE), note_seq, out);
    buf_free(&prefix);
    buf_free(&from);
    return rc;
}

/* d->seq becomes the last one up to it that an item here knows of, or that was
 * collected; 0: none. The vector may say more, for anybody can tell us that
 * there was something, and even make the replica up. */
static int lower_to_held(
    const struct node *n, const struct space *sp, struct dot *d)
{
    uint64_t gone = vv_get(&sp->horizon, &d->replica);
    uint64_t found, most = d->seq, least = gone < most ? gone : most;
    uint64_t from = least + (most - least + 1) / 2;
    int rc = SYNCLINE_OK;

    while (least < most && rc == SYNCLINE_OK) {
        const struct dot at = { d->replica, from };

        rc = first_held(n, sp, &at, &found);
        if (found != 0 && found <= most)
            least = found;
        else
            most = from - 1;
        from = least + (most - least + 1) / 2;
    }
    d->seq = least;
    return rc;
}

static int cut_space(const struct node *n, const struct space *sp,
    const struct device_id *device, struct members_cut *out)
{
    int rc = SYNCLINE_OK;

    for (uint32_t k = 0; k < sp->have.n && rc == SYNCLINE_OK; k++) {
        struct dot d = sp->have.e[k];

        if (!rid_is_of(&d.replica, device) || out->n == CUT_REPLICAS)
            continue;
        rc = PLANTED(R14_MARKS) ? SYNCLINE_OK : lower_to_held(n, sp, &d);
        if (rc == SYNCLINE_OK && d.seq > 0)
            members_cut_add(out, &sp->token, &d);
    }
    return rc;
}

static int by_token(const void *a, const void *b)
{
    const struct space *const *x = a, *const *y = b;

    return memcmp((*x)->token.b, (*y)->token.b, SPACE_TOKEN_LEN);
}

static bool lets_write(const struct node *n, const struct members_grant *g,
    const struct space_token *space)
{
    return g != NULL &&
        members_lets_write(
            n->members, g->role, g->some_spaces, g->spaces, g->spaces_n, space);
}

int access_cut(const struct node *n, const struct device_id *device,
    const struct members_grant *g, struct members_cut *out)
{
    const struct space **list;
    size_t spaces = 0;
    int rc = SYNCLINE_OK;

    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        spaces++;
    list = calloc(spaces + 1, sizeof *list);
    if (list == NULL)
        return SYNCLINE_ENOMEM;
    spaces = 0;
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (!space_is_open(sp) && !lets_write(n, g, &sp->token))
            list[spaces++] = sp;
    qsort(list, spaces, sizeof *list, by_token);
    for (size_t i = 0; i < spaces && rc == SYNCLINE_OK; i++)
        rc = cut_space(n, list[i], device, out);
    free(list);
    (void)members_cut_end(out);
    return rc == SYNCLINE_OK ? buf_status(&out->text) : rc;
}
