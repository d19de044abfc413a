/* id.h - names of devices, replicas, meshes and spaces.
 *
 * Pure. All are fixed-width bytes and are compared as such. */
#ifndef SYNCLINE_CORE_ID_H
#define SYNCLINE_CORE_ID_H

#include "base/bytes.h"
#include "base/slice.h"

#define RID_LEN 16
#define RID_DEVICE_LEN 8 /* of it: the beginning of the device id */
#define DEVICE_ID_LEN 32
#define MESH_ID_LEN 16
#define SPACE_TOKEN_LEN 16

/* A replica: one incarnation of one device's store. It begins with the first
 * eight bytes of the device's id, so that a device knows its own changes even
 * after it has lost its store, and anybody knows whose they are; the rest is
 * random. All zeros:
 * none. */
struct rid {
    uint8_t b[RID_LEN];
};

/* SHA-256 of a device's public key (SPKI). */
struct device_id {
    uint8_t b[DEVICE_ID_LEN];
};

struct mesh_id {
    uint8_t b[MESH_ID_LEN];
};

/* A space on the wire: derived from (mesh id, name). */
struct space_token {
    uint8_t b[SPACE_TOKEN_LEN];
};

/* Vectors are compared all the time: two numbers, where memcmp is a call. */
static inline int rid_cmp(const struct rid *a, const struct rid *b)
{
    uint64_t x = be64_at(a->b), y = be64_at(b->b);

    if (x == y) {
        x = be64_at(a->b + 8);
        y = be64_at(b->b + 8);
    }
    return (x > y) - (x < y);
}

/* Apart from rid_cmp: for equality alone compilers need no call. */
static inline bool rid_eq(const struct rid *a, const struct rid *b)
{
    return memcmp(a->b, b->b, RID_LEN) == 0;
}

static inline bool rid_is_none(const struct rid *a)
{
    static const struct rid none;

    return rid_eq(a, &none);
}

/* The next one in order; false: there is none. */
static inline bool rid_raise(struct rid *a)
{
    struct rid next = *a;
    size_t i = RID_LEN;

    while (i > 0 && ++next.b[i - 1] == 0)
        i--;
    if (i > 0)
        *a = next;
    return i > 0;
}

static inline struct slice rid_slice(const struct rid *a)
{
    return SLICE(a->b, RID_LEN);
}

static inline int device_cmp(
    const struct device_id *a, const struct device_id *b)
{
    const uint64_t x = be64_at(a->b), y = be64_at(b->b);

    return x != y ? (x > y) - (x < y) : memcmp(a->b, b->b, DEVICE_ID_LEN);
}

static inline bool device_eq(
    const struct device_id *a, const struct device_id *b)
{
    return device_cmp(a, b) == 0;
}

static inline struct slice device_slice(const struct device_id *a)
{
    return SLICE(a->b, DEVICE_ID_LEN);
}

/* By what both begin with. */
static inline int device_cmp_rid(const struct device_id *d, const struct rid *a)
{
    const uint64_t x = be64_at(d->b), y = be64_at(a->b);

    return (x > y) - (x < y);
}

static inline bool rid_is_of(const struct rid *a, const struct device_id *d)
{
    return device_cmp_rid(d, a) == 0;
}

static inline bool space_token_eq(
    const struct space_token *a, const struct space_token *b)
{
    return memcmp(a->b, b->b, SPACE_TOKEN_LEN) == 0;
}

#endif
