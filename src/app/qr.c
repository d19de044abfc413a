#include "app/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>

#define MARGIN 4 /* modules of quiet around it, as ISO 18004 wants */
#define TEXT_MAX 512

static bool is_dark(const QRcode *qr, int x, int y)
{
    return x >= 0 && y >= 0 && x < qr->width && y < qr->width &&
        (qr->data[y * qr->width + x] & 1) != 0;
}

/* Black on white by its own colours, whatever those of the terminal are;
 * without colours what is printed is light, as on most terminals. */
static void put_line(struct buf *out, const QRcode *qr, int y, bool colours)
{
    static const char *const blocks[] = { " ", "\xe2\x96\x80", "\xe2\x96\x84",
        "\xe2\x96\x88" };

    if (colours)
        buf_put_str(out, "\x1b[38;5;16;48;5;231m");
    for (int x = -MARGIN; x < qr->width + MARGIN; x++) {
        unsigned above = is_dark(qr, x, y) == colours;
        unsigned below = is_dark(qr, x, y + 1) == colours;

        buf_put_str(out, blocks[above | below << 1]);
    }
    buf_put_str(out, colours ? "\x1b[0m\n" : "\n");
}

static int encode(QRcode **out, struct slice text)
{
    char s[TEXT_MAX];

    if (text.len >= sizeof s)
        return SYNCLINE_ELIMIT;
    memcpy(s, text.ptr, text.len);
    s[text.len] = 0;
    *out = QRcode_encodeString(s, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (*out == NULL)
        return errno == ENOMEM ? SYNCLINE_ENOMEM : SYNCLINE_ELIMIT;
    return SYNCLINE_OK;
}

int put_qr(struct buf *out, struct slice text, unsigned columns, bool colours)
{
    QRcode *qr;
    int rc = encode(&qr, text);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = (unsigned)qr->width + 2 * MARGIN <= columns ? SYNCLINE_OK
                                                     : SYNCLINE_ELIMIT;
    for (int y = -MARGIN; y < qr->width + MARGIN && rc == SYNCLINE_OK; y += 2)
        put_line(out, qr, y, colours);
    QRcode_free(qr);
    return rc == SYNCLINE_OK ? buf_status(out) : rc;
}

/* ---- for a page ---- */

static void put_rows(struct buf *out, const QRcode *qr)
{
    for (int y = -MARGIN; y < qr->width + MARGIN; y++) {
        buf_put_str(out, y > -MARGIN ? ",\"" : "\"");
        for (int x = -MARGIN; x < qr->width + MARGIN; x++)
            buf_put_u8(out, is_dark(qr, x, y) ? '1' : '0');
        buf_put_u8(out, '"');
    }
}

/* A stroke for each run of dark modules in a row. */
static void put_svg(struct buf *out, const QRcode *qr)
{
    const int size = qr->width + 2 * MARGIN;

    buf_printf(out,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' "
        "shape-rendering='crispEdges'><path fill='#fff' d='M0 0h%dv%dH0z'/>"
        "<path fill='#000' d='",
        size, size, size, size);
    for (int y = 0; y < qr->width; y++)
        for (int x = 0, n; x<qr->width; x += n> 0 ? n : 1) {
            for (n = 0; is_dark(qr, x + n, y); n++)
                ;
            if (n > 0)
                buf_printf(
                    out, "M%d %dh%dv1h-%dz", x + MARGIN, y + MARGIN, n, n);
        }
    buf_put_str(out, "'/></svg>");
}

int put_qr_json(struct buf *out, struct slice text)
{
    QRcode *qr;
    int rc = encode(&qr, text);

    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_str(out, "{\"rows\":[");
    put_rows(out, qr);
    buf_printf(out, "],\"size\":%d,\"svg\":\"", qr->width + 2 * MARGIN);
    put_svg(out, qr); /* nothing in it is to be escaped */
    buf_put_str(out, "\"}");
    QRcode_free(qr);
    return buf_status(out);
}
