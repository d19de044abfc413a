/* Makes what a file says durable, if it cannot be known that it is. */
#include "store/os.h"

#define PIECE ((size_t)16 << 10)

/* The same bytes again, so that the system takes them for new ones. */
static int write_again(const struct os_port *os, int fd)
{
    uint8_t bytes[PIECE];
    size_t got = PIECE;
    int rc = SYNCLINE_OK;

    for (uint64_t at = 0; rc == SYNCLINE_OK && got == PIECE; at += got) {
        rc = os->read_at(os->self, fd, bytes, sizeof bytes, at, &got);
        if (rc == SYNCLINE_OK && got > 0)
            rc = os->write_at(os->self, fd, bytes, got, at);
    }
    return rc;
}

int os_make_durable(const struct os_port *os, const char *path)
{
    int fd;
    int rc = os->open(os->self, path, OS_OPEN_WRITE, &fd);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = write_again(os, fd);
    /* No room, although nothing grows: some file systems need it for every
     * write. A sync alone is the best that can be done. */
    if (rc == SYNCLINE_OK || rc == SYNCLINE_EFULL)
        rc = os->sync(os->self, fd);
    os->close(os->self, fd);
    return rc;
}
