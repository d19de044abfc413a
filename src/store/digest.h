/* digest.h - one number for all that a table holds.
 *
 * Law: two stores whose tables hold the same records have the same digest,
 * whatever they are made of and however they came by them. */
#ifndef SYNCLINE_STORE_DIGEST_H
#define SYNCLINE_STORE_DIGEST_H

#include "base/error.h"
#include "base/hash.h"
#include "store/store.h"

NODISCARD int store_digest(
    const struct store_port *s, enum store_table t, struct hash128 *out);

#endif
