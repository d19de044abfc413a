/* web_cert.h - the certificate that this machine shows on the web, where a
 * device's own is not understood: browsers take no Ed25519.
 *
 * ECDSA on P-256, signed by itself, so that whoever comes compares its SHA-256
 * or trusts it once. Touches no file: the caller keeps the PEM, key and
 * certificate in one, mode 0600, and wipes what he has written. */
#ifndef SYNCLINE_CRYPTO_WEB_CERT_H
#define SYNCLINE_CRYPTO_WEB_CERT_H

#include "base/buf.h"
#include "base/error.h"

#define WEB_CERT_PRINT 96 /* "AB:CD:..." of a SHA-256, with its NUL */
#define WEB_CERT_DAYS 820 /* some take no more than 825 */

struct web_cert_facts {
    char sha256[WEB_CERT_PRINT];
    uint64_t from_us, until_us; /* since the Unix epoch */
};

/* Appends a certificate for these names (of hosts, or IP addresses; what is
 * neither is passed over), valid from a day before wall_us for WEB_CERT_DAYS,
 * and its key: that in old, if one is there, so that whoever has pinned it
 * needs not do so again, or a new one. */
NODISCARD int web_cert_make(struct buf *pem, struct slice old,
    const struct slice *names, size_t names_n, uint64_t wall_us);
/* Of the first certificate. EMALFORMED: there is none. */
NODISCARD int web_cert_read(
    struct slice pem, struct web_cert_facts *out, struct errmsg *why);
/* Is it good for all of these names? ENOTFOUND: not for all; EMALFORMED. */
NODISCARD int web_cert_covers(
    struct slice pem, const struct slice *names, size_t names_n);

#endif
