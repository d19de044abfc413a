#include "crypto/sha1.h"

#include <openssl/err.h>
#include <openssl/evp.h>

int crypto_sha1(uint8_t out[SHA1_LEN], struct slice s)
{
    if (EVP_Digest(s.ptr, s.len, out, NULL, EVP_sha1(), NULL) == 1)
        return SYNCLINE_OK;
    ERR_clear_error();
    return SYNCLINE_ENOMEM;
}
