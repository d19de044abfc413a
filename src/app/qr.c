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

int put_qr(struct buf *out, struct slice text, unsigned columns, bool colours)
{
    char s[TEXT_MAX];
    QRcode *qr;
    int rc;

    if (text.len >= sizeof s)
        return SYNCLINE_ELIMIT;
    memcpy(s, text.ptr, text.len);
    s[text.len] = 0;
    qr = QRcode_encodeString(s, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (qr == NULL)
        return errno == ENOMEM ? SYNCLINE_ENOMEM : SYNCLINE_ELIMIT;
    rc = (unsigned)qr->width + 2 * MARGIN <= columns ? SYNCLINE_OK
                                                     : SYNCLINE_ELIMIT;
    for (int y = -MARGIN; y < qr->width + MARGIN && rc == SYNCLINE_OK; y += 2)
        put_line(out, qr, y, colours);
    QRcode_free(qr);
    return rc == SYNCLINE_OK ? buf_status(out) : rc;
}
