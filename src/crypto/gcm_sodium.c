/* AES-256-GCM by libsodium, where the processor can. */
#include "crypto/gcm.h"

#include <sodium.h>
#include <stdatomic.h>

_Static_assert(GCM_TAG_LEN == crypto_aead_aes256gcm_ABYTES, "of one length");

static int sodium_seal(uint8_t *to, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice plain)
{
    return crypto_aead_aes256gcm_encrypt(to, NULL, plain.ptr, plain.len,
               aad.ptr, aad.len, NULL, nonce, key) == 0
        ? SYNCLINE_OK
        : SYNCLINE_ENOMEM;
}

static int sodium_open(uint8_t *to, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice sealed)
{
    return crypto_aead_aes256gcm_decrypt(to, NULL, NULL, sealed.ptr, sealed.len,
               aad.ptr, aad.len, nonce, key) == 0
        ? SYNCLINE_OK
        : SYNCLINE_EDENIED;
}

/* Asked once: the library takes a lock to say that it has begun. */
const struct gcm *gcm_sodium(void)
{
    static const struct gcm by_sodium = { sodium_seal, sodium_open };
    static _Atomic(int) asked; /* 0: not yet, 1: it can, -1: it cannot */
    int can = atomic_load_explicit(&asked, memory_order_relaxed);

    if (can == 0) {
        can =
            sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() ? 1 : -1;
        atomic_store_explicit(&asked, can, memory_order_relaxed);
    }
    return can > 0 ? &by_sodium : NULL;
}
