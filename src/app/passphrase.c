#include "app/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "crypto/sealed_key.h"

#define ROOM (PASSPHRASE_MAX + 3)
#define CTRL_C 3

int passphrase_from_fd(
    struct buf *out, int fd, const char *what, struct errmsg *why)
{
    uint8_t *to = buf_reserve(out, ROOM);
    size_t len = 0;
    ssize_t n = 1;

    if (to == NULL)
        return buf_status(out);
    while (n != 0 && len < ROOM) {
        n = read(fd, to + len, ROOM - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errmsg_set(
                why, SYNCLINE_EIO, "%s: %s", what, strerror(errno));
        len += (size_t)n;
    }
    if (len > 0 && to[len - 1] == '\n')
        len--;
    if (len > 0 && to[len - 1] == '\r')
        len--;
    if (len == 0)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s: holds no passphrase", what);
    if (len > PASSPHRASE_MAX)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "%s: a passphrase of more than %d bytes", what, PASSPHRASE_MAX);
    out->len += len;
    return SYNCLINE_OK;
}

int passphrase_from_file(struct buf *out, const char *path, struct errmsg *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: the passphrase cannot be read: %s", path, strerror(errno));
    rc = passphrase_from_fd(out, fd, path, why);
    (void)close(fd);
    return rc;
}

/* ---- the terminal ---- */

/* Ctrl-C comes as a character that ends the line, so that the terminal's
 * echo is never left off. */
static struct termios quiet(const struct termios *was)
{
    struct termios t = *was;

    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
    t.c_lflag |= ICANON;
    t.c_cc[VEOL] = CTRL_C;
    return t;
}

static void say(int tty, const char *text)
{
    (void)!write(tty, text, strlen(text));
}

static int read_line(struct buf *out, int tty, struct errmsg *why)
{
    uint8_t *to = buf_reserve(out, ROOM);
    ssize_t n;

    if (to == NULL)
        return buf_status(out);
    do
        n = read(tty, to, ROOM);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errmsg_set(
            why, SYNCLINE_EIO, "the terminal: %s", strerror(errno));
    if (n == 0 || to[n - 1] == CTRL_C)
        return errmsg_set(why, SYNCLINE_ECLOSED, "no passphrase was given");
    if (to[n - 1] == '\n')
        n--;
    if (n == 0 || n > PASSPHRASE_MAX)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "a passphrase has 1 to %d bytes", PASSPHRASE_MAX);
    out->len += (size_t)n;
    return SYNCLINE_OK;
}

int passphrase_from_terminal(
    struct buf *out, const char *prompt, struct errmsg *why)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios was, now;
    int rc;

    if (tty < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return errmsg_set(
            why, SYNCLINE_EIO, "the terminal: %s", strerror(errno));
    if (tty < 0 || tcgetattr(tty, &was) != 0) {
        if (tty >= 0)
            (void)close(tty);
        return errmsg_set(why, SYNCLINE_EDENIED,
            "a passphrase is needed, and there is no terminal to ask on; give "
            "it with --passphrase-file, "
            "SYNCLINE_PASSPHRASE_FILE or the systemd credential "
            "syncline.passphrase");
    }
    now = quiet(&was);
    (void)tcsetattr(tty, TCSAFLUSH, &now);
    say(tty, prompt);
    rc = read_line(out, tty, why);
    (void)tcsetattr(tty, TCSAFLUSH, &was);
    say(tty, "\n");
    (void)close(tty);
    return rc;
}

/* ---- the first that is there ---- */

bool credential_path(char *out, size_t room, const char *name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    int n = dir == NULL || dir[0] == 0
        ? 0
        : snprintf(out, room, "%s/%s", dir, name);

    /* What cannot be looked for may be there. */
    return n > 0 && (size_t)n < room &&
        (access(out, F_OK) == 0 ||
            (errno != ENOENT && errno != ENOTDIR && errno != EACCES));
}

int passphrase_find(void *ctx, struct buf *out, struct errmsg *why)
{
    const struct passphrase_source *s = ctx;
    char path[PATH_MAX];

    if (s->file != NULL && s->file[0] != 0)
        return passphrase_from_file(out, s->file, why);
    if (s->credentials &&
        credential_path(path, sizeof path, "syncline.passphrase"))
        return passphrase_from_file(out, path, why);
    if (s->terminal)
        return passphrase_from_terminal(
            out, "Passphrase of the device's key: ", why);
    return errmsg_set(why, SYNCLINE_EDENIED,
        "the device's key is under a passphrase, and none was given");
}
