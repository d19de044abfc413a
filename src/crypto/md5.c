#include "crypto/md5.h"

#include <openssl/err.h>
#include <openssl/evp.h>

int crypto_md5(uint8_t out[MD5_LEN], struct slice s)
{
    if (EVP_Digest(s.ptr, s.len, out, NULL, EVP_md5(), NULL) == 1)
        return SYNCLINE_OK;
    ERR_clear_error();
    return SYNCLINE_EUNSUPPORTED; /* where only approved hashes may be used */
}
