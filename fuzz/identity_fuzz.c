/* identity_fuzz.c - a device's key as it lies in its file (PEM).
 *
 * Holds the law: what is taken is an Ed25519 key that signs, and written out
 * it is the same device; what is not is refused with a reason. */
#include "crypto/identity.h"
#include "fuzz/fuzz.h"

static void check_signs(const struct identity *id)
{
    uint8_t sig[ED25519_SIG_LEN];

    ENSURE(identity_sign(id, sig, SLICE_LIT("words")) == SYNCLINE_OK);
    ENSURE(crypto_verify(identity_spki(id), SLICE(sig, sizeof sig),
               SLICE_LIT("words")) == SYNCLINE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct identity *id = NULL, *again = NULL;
    struct errmsg why = { "" };
    struct buf pem = { 0 };

    if (identity_from_pem(&id, SLICE(data, size), &why) == SYNCLINE_OK) {
        check_signs(id);
        ENSURE(identity_to_pem(id, &pem) == SYNCLINE_OK);
        ENSURE(identity_from_pem(&again, written(&pem), &why) == SYNCLINE_OK);
        ENSURE(device_eq(identity_device(id), identity_device(again)));
    } else {
        ENSURE(id == NULL && why.text[0] != 0);
    }
    identity_free(id);
    identity_free(again);
    buf_free(&pem);
    return 0;
}
