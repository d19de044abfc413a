/* The token that iSync nodes share: in a file of its own, the first line the
 * one in force, the second the one that it has replaced; or a credential of
 * systemd; or said by an option. */
#include "app/isync/isync_face_impl.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "app/passphrase.h"
#include "app/private_file.h"
#include "crypto/crypto.h"

#define US UINT64_C(1000000)

static void wipe(struct buf *b)
{
    if (b->ptr != NULL)
        crypto_wipe(b->ptr, b->cap);
    buf_free(b);
}

static struct slice cut_line(struct slice *rest)
{
    size_t n = 0;
    struct slice line;

    while (n < rest->len && rest->ptr[n] != '\n')
        n++;
    line = SLICE(rest->ptr, n);
    *rest = slice_from(*rest, n + 1);
    while (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Since when the file says so. */
static uint64_t changed_s(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_mtime > 0 ? (uint64_t)st.st_mtime : 0;
}

static int from_file(struct isync_face *f, const char *path, bool shared,
    bool must, struct errmsg *why)
{
    const struct private_file file = { .path = path,
        .what = "token of iSync",
        .max = ISYNC_TOKEN_MAX,
        .shared = shared };
    struct slice rest;
    int rc;

    f->secret_text.max = ISYNC_TOKEN_MAX;
    rc = private_file_read(&f->secret_text, &file, why);
    if (rc == SYNCLINE_ENOTFOUND && !must)
        return SYNCLINE_OK;
    if (rc == SYNCLINE_ENOTFOUND)
        return errmsg_set(why, rc,
            "isync.token_file: %.300s: there is no such file; `syncline isync "
            "key` makes a token",
            path);
    if (rc != SYNCLINE_OK)
        return rc;
    rest = buf_slice(&f->secret_text);
    f->secret.token = cut_line(&rest);
    f->secret.before = cut_line(&rest);
    if (f->secret.before.len > 0)
        f->secret.before_until = changed_s(path) + f->opt.tuning.overlap_s;
    return SYNCLINE_OK;
}

static int read_it(struct isync_face *f, struct errmsg *why)
{
    char path[PATH_MAX];
    int n;

    if (f->token != NULL && f->token[0] != 0) {
        buf_put_str(&f->secret_text, f->token);
        f->secret.token = buf_slice(&f->secret_text);
        return buf_status(&f->secret_text);
    }
    if (f->token_file != NULL)
        return from_file(f, f->token_file, false, true, why);
    if (credential_path(path, sizeof path, "syncline.isync-token"))
        return from_file(f, path, true, true, why);
    n = snprintf(path, sizeof path, "%s/isync.token", f->dir);
    return n > 0 && (size_t)n < sizeof path
        ? from_file(f, path, false, false, why)
        : SYNCLINE_OK;
}

/* Where it cannot be read, the one that was read before stays. */
int isync_secret_read(struct isync_face *f, struct errmsg *why)
{
    struct isync_secret was = f->secret;
    struct buf text = f->secret_text;
    int rc;

    f->secret_text = (struct buf){ 0 };
    f->secret = (struct isync_secret){ .period_s = f->opt.tuning.rotate_s,
        .overlap_s = f->opt.tuning.overlap_s };
    rc = read_it(f, why);
    if (rc == SYNCLINE_OK) {
        wipe(&text);
        return rc;
    }
    isync_secret_close(f);
    f->secret = was;
    f->secret_text = text;
    return rc;
}

bool isync_secret_is_ours(const struct isync_face *f)
{
    char path[PATH_MAX];

    return (f->token == NULL || f->token[0] == 0) && f->token_file == NULL &&
        !credential_path(path, sizeof path, "syncline.isync-token");
}

int isync_secret_write(
    struct isync_face *f, struct slice token, struct errmsg *why)
{
    char path[PATH_MAX];
    const struct private_file file = { .path = path, .what = "token of iSync" };
    struct buf text = { .max = ISYNC_TOKEN_MAX };
    int n, rc;

    if (!isync_secret_is_ours(f))
        return errmsg_set(why, SYNCLINE_EDENIED,
            "it is said by an option or a credential, and changed there");
    n = snprintf(path, sizeof path, "%s/isync.token", f->dir);
    if (n < 0 || (size_t)n >= sizeof path || token.len == 0 ||
        memchr(token.ptr, '\n', token.len) != NULL)
        return errmsg_set(why, SYNCLINE_EINVAL, "a token is one line of text");
    buf_put_slice(&text, token);
    buf_put_u8(&text, '\n');
    if (f->secret.token.len > 0 && !slice_eq(f->secret.token, token)) {
        buf_put_slice(&text, f->secret.token);
        buf_put_u8(&text, '\n');
    }
    rc = buf_status(&text);
    if (rc == SYNCLINE_OK)
        rc = private_file_write(&file, buf_slice(&text), true, why);
    wipe(&text);
    return rc;
}

int isync_secret_token(const struct isync_face *f, uint64_t period,
    struct buf *out, struct errmsg *why)
{
    if (f->secret.token.len == 0)
        return errmsg_set(why, SYNCLINE_ENOTFOUND,
            "there is no token; `syncline isync key` makes one");
    if (f->secret.period_s == 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "isync.rotate is 0: all nodes have the token itself");
    if (period > UINT64_MAX / 4 / f->secret.period_s)
        return errmsg_set(why, SYNCLINE_EINVAL, "no period has that number");
    return isync_token_at(out, &f->secret, period * f->secret.period_s);
}

void isync_secret_turn(struct isync_face *f)
{
    struct isync_keys keys = { .n = 0 };

    if (isync_keys_at(&keys, &f->secret, clock_wall_us() / US) != SYNCLINE_OK)
        keys = (struct isync_keys){ .n = 0 };
    isync_mesh_keys(f->mesh, &keys);
    f->can_seal = keys.can_seal;
    f->turns_s = keys.turns_s;
    isync_keys_wipe(&keys);
}

uint64_t isync_secret_tick(struct isync_face *f, uint64_t now_us)
{
    const uint64_t now_s = clock_wall_us() / US;

    if (f->turns_s == 0)
        return 0;
    if (f->turns_s <= now_s)
        isync_secret_turn(f);
    if (f->turns_s == 0)
        return 0;
    /* The time of day may be set meanwhile: it is looked at each minute. */
    return now_us +
        (f->turns_s > now_s + 60 ? 60 : f->turns_s + 1 - now_s) * US;
}

void isync_secret_close(struct isync_face *f)
{
    wipe(&f->secret_text);
    f->secret = (struct isync_secret){ .period_s = 0 };
}
