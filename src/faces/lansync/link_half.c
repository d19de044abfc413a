/* What a link holds of a message that is not whole yet, and all links of a node
 * together: of many that begin what they do not end none takes the memory of
 * the others. */
#include "base/plant.h"
#include "faces/lansync/link_impl.h"

#define KEPT_MAX ((size_t)64 << 10)   /* of a buffer that is empty */
#define LITTLE_MAX ((size_t)32 << 10) /* whose end would help nobody */

static void unlink_half(struct lan_halves *h, struct lan_link *l)
{
    if (l->half.before != NULL)
        l->half.before->half.after = l->half.after;
    else if (h->first == l)
        h->first = l->half.after;
    if (l->half.after != NULL)
        l->half.after->half.before = l->half.before;
    else if (h->last == l)
        h->last = l->half.before;
    h->bytes -= l->half.bytes;
    l->half = (struct lan_half){ 0 };
}

static void append_half(struct lan_halves *h, struct lan_link *l)
{
    l->half.before = h->last;
    if (h->last != NULL)
        h->last->half.after = l;
    else
        h->first = l;
    h->last = l;
}

/* Whoever was not let in goes before all others; and of whom we do not read at
 * present may well have ended what he has begun. */
static int reason_to_stay(const struct lan_link *l)
{
    if (l->state != LAN_OPEN)
        return 0;
    return l->held_us == 0 ? 1 : 2;
}

/* The list begins with who has begun first: who ends what he begins is never
 * long in it. */
static struct lan_link *half_to_go(const struct lan_halves *h)
{
    struct lan_link *least = NULL;

    for (struct lan_link *l = h->first; l != NULL; l = l->half.after)
        if (l->half.bytes >= LITTLE_MAX &&
            (least == NULL || reason_to_stay(l) < reason_to_stay(least)))
            least = l;
    return least;
}

static void make_room(struct lan_halves *h)
{
    struct lan_link *l;

    while (h->bytes > h->max && !PLANTED(R30_LAN_HALVES) &&
        (l = half_to_go(h)) != NULL) {
        half_drop(l);
        link_close(l, LAN_HALF_SAID);
    }
}

void half_note(struct lan_link *l, bool is_new)
{
    struct lan_halves *h = l->opt.halves;

    if (l->in.len == 0 && l->in.cap > KEPT_MAX)
        buf_free(&l->in);
    if (h == NULL)
        return;
    if (is_new || l->in.len == 0)
        unlink_half(h, l);
    if (l->in.len == 0)
        return;
    if (l->half.bytes == 0)
        append_half(h, l);
    h->bytes = h->bytes - l->half.bytes + l->in.len;
    l->half.bytes = l->in.len;
    make_room(h);
}

void half_keep(struct lan_link *l, struct slice rest)
{
    struct buf small = { .max = l->in.max };

    if (l->in.len == 0) {
        buf_put_slice(&l->in, rest);
    } else if (l->in.len == rest.len || l->in.cap <= KEPT_MAX) {
        buf_consume(&l->in, l->in.len - rest.len);
    } else { /* what was long is not held for what is short */
        buf_put_slice(&small, rest);
        buf_free(&l->in);
        l->in = small;
    }
}

void half_drop(struct lan_link *l)
{
    if (l->opt.halves != NULL)
        unlink_half(l->opt.halves, l);
    buf_free(&l->in);
}
