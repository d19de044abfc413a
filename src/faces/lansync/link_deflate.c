/* What is compressed between two that have both offered it. A body that begins
 * with this byte is a zlib stream (RFC 1950) of the message; no JSON text
 * begins so. To who has not offered it, and before the link is open, it is a
 * message like any other: one that is no JSON. */
#include "faces/deflate.h"
#include "faces/lansync/link_impl.h"

#define MARK 0x78 /* deflate, by the window that zlib takes by itself */
#define SHORTEST 1024

void lan_link_deflate(struct lan_link *l)
{
    l->deflates = true;
}

bool lan_link_deflates(const struct lan_link *l)
{
    return l->deflates && l->state == LAN_OPEN;
}

static void put_head(struct buf *b, size_t len)
{
    for (unsigned i = 0; i < LAN_FRAME_HEAD; i++)
        b->ptr[i] = (uint8_t)(len >> (24 - 8 * i));
}

/* Where memory runs out it goes as it is. */
struct slice link_pack(
    struct lan_link *l, struct slice frame, struct buf *packed)
{
    static const uint8_t head[LAN_FRAME_HEAD];
    struct slice text = slice_from(frame, LAN_FRAME_HEAD);
    size_t len;

    if (!lan_link_deflates(l) || text.len < SHORTEST)
        return frame;
    buf_put_slice(packed, SLICE(head, sizeof head));
    if (deflate_put(packed, text, DEFLATE_WHOLE, DEFLATE_FAST,
            DEFLATE_BITS_MAX) != SYNCLINE_OK)
        return frame;
    len = packed->len - LAN_FRAME_HEAD;
    if (len >= text.len || text.len > inflate_most(len, text.len))
        return frame;
    put_head(packed, len);
    if (l->opt.deflated != NULL) {
        l->opt.deflated->sent += text.len;
        l->opt.deflated->sent_as += len;
    }
    return buf_slice(packed);
}

const char *link_unpack(
    struct lan_link *l, struct slice *text, struct buf *made)
{
    int rc;

    if (!lan_link_deflates(l) || text->len == 0 || text->ptr[0] != MARK)
        return NULL;
    rc = inflate_put(made, *text, DEFLATE_WHOLE, l->opt.message_max);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOMEM ? "memory ran out"
            : rc == SYNCLINE_ELIMIT
            ? "what it has compressed is more than is allowed"
            : "what it has compressed is damaged";
    if (l->opt.deflated != NULL) {
        l->opt.deflated->heard += made->len;
        l->opt.deflated->heard_as += text->len;
    }
    *text = buf_slice(made);
    return NULL;
}
