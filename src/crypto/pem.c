#include "crypto/pem.h"

#include <limits.h>

#include <openssl/err.h>

#include "crypto/crypto.h"

int pem_no_passphrase(char *to, int room, int writing, void *ctx)
{
    (void)to;
    (void)room;
    (void)writing;
    (void)ctx;
    return -1;
}

/* Of some texts that are broken OpenSSL says nothing, as if it had not the
 * memory for that: such a one is read twice. */
static int read_twice(BIO *bio, pem_read_fn *fn, void *ctx)
{
    ERR_clear_error();
    for (int i = 0; i < 2 && ERR_peek_error() == 0; i++)
        if (BIO_reset(bio) == 1 && fn(bio, ctx))
            return SYNCLINE_OK;
    return ERR_peek_error() != 0 && crypto_ran_out() ? SYNCLINE_ENOMEM
                                                     : SYNCLINE_EMALFORMED;
}

int pem_read(struct slice pem, pem_read_fn *fn, void *ctx)
{
    BIO *bio;
    int rc;

    if (pem.len > INT_MAX)
        return SYNCLINE_EMALFORMED;
    bio = BIO_new_mem_buf(
        pem.len > 0 ? pem.ptr : (const uint8_t *)"", (int)pem.len);
    rc = bio != NULL ? read_twice(bio, fn, ctx) : SYNCLINE_ENOMEM;
    BIO_free(bio);
    ERR_clear_error();
    return rc;
}
