/* fernet_tool.c - faces/isync/fernet on a pipe, for comparison with another
 * implementation.
 *
 * A request is a line: a word, then fields in hex with blanks between, "-" for
 * an empty one. The answer is a line of fields, or "!" and a number.
 *   key TOKEN -> KEY, as text
 *   seal TOKEN TIME IV PLAIN -> TEXT; TIME is decimal
 *   open TOKEN TEXT -> TIME PLAIN */
#include "faces/isync/fernet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define FIELDS_MAX 5

static int unhex(struct buf *out, const char *text)
{
    size_t n = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    uint8_t *to = buf_reserve(out, n + 1);
    int rc = to != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;

    if (rc == SYNCLINE_OK && n > 0)
        rc = hex_decode(to, n, slice_str(text));
    if (rc == SYNCLINE_OK)
        out->len = n;
    return rc;
}

static void put_field(struct buf *b, struct slice s)
{
    if (s.len == 0)
        buf_put_u8(b, '-');
    put_hex(b, s);
}

/* f: the fields, in bytes but for a time. */
static int answer(struct buf *out, char **word, struct buf *f)
{
    struct fernet_key key;
    struct buf made = { 0 };
    uint64_t time_s = 0;
    int rc = fernet_key_of_token(&key, buf_slice(&f[1]));

    if (rc == SYNCLINE_OK && strcmp(word[0], "key") == 0) {
        fernet_key_put(&made, &key);
    } else if (rc == SYNCLINE_OK && strcmp(word[0], "seal") == 0) {
        rc = f[3].len == FERNET_IV_LEN
            ? fernet_seal(&made, &key, strtoull(word[2], NULL, 10), f[3].ptr,
                  buf_slice(&f[4]))
            : SYNCLINE_EINVAL;
    } else if (rc == SYNCLINE_OK) {
        rc = fernet_open(&made, &key, buf_slice(&f[2]), &time_s);
        buf_printf(out, "%" PRIu64 " ", time_s);
    }
    put_field(out, buf_slice(&made));
    buf_free(&made);
    return rc == SYNCLINE_OK ? buf_status(out) : rc;
}

static void request(char *line)
{
    char *word[FIELDS_MAX] = { NULL }, *save = NULL;
    struct buf f[FIELDS_MAX] = { { 0 } }, out = { 0 };
    int rc = SYNCLINE_OK;
    size_t n = 0;

    for (char *w = strtok_r(line, " \n", &save); w != NULL && n < FIELDS_MAX;
         w = strtok_r(NULL, " \n", &save))
        word[n++] = w;
    for (size_t i = 1; i < n && rc == SYNCLINE_OK; i++)
        if (i != 2 || strcmp(word[0], "seal") != 0)
            rc = unhex(&f[i], word[i]);
    if (n < 2)
        rc = SYNCLINE_EINVAL;
    if (rc == SYNCLINE_OK)
        rc = answer(&out, word, f);
    if (rc == SYNCLINE_OK)
        printf("%.*s\n", SLICE_FMT(buf_slice(&out)));
    else
        printf("! %d\n", rc);
    (void)fflush(stdout);
    for (size_t i = 0; i < FIELDS_MAX; i++)
        buf_free(&f[i]);
    buf_free(&out);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, stdin) > 0)
        request(line);
    free(line);
    return 0;
}
