/* item_make.h - items and documents for tests, written down or drawn.
 *
 * Law: what is drawn depends on the prng alone. */
#ifndef SYNCLINE_TEST_UNIT_ITEM_MAKE_H
#define SYNCLINE_TEST_UNIT_ITEM_MAKE_H

#include "unit/check.h"

#include "base/prng.h"
#include "core/document.h"

/* SLICE_LIT for the initializer of something static. */
#define LIT(s)                                 \
    {                                          \
        (const uint8_t *)("" s), sizeof(s) - 1 \
    }

struct rid make_rid(unsigned n);
struct dot make_dot(unsigned replica, uint64_t seq);
struct stamp make_stamp(uint64_t hlc, unsigned replica);

/* Sets a cell by a change of its own: dot (replica, hlc), stamp (hlc,
 * replica). A NULL value: a removed field. The item becomes alive. */
void make_cell(struct item *it, const char *path, const char *value,
    unsigned replica, uint64_t hlc, struct arena *a);
struct json *make_json(const char *text, struct arena *a);
/* The bytes of put_item, in the arena. */
struct slice item_bytes(const struct item *it, struct arena *a);
/* The text of put_document, in the arena. */
struct slice item_text(const struct item *it, struct arena *a);

/* A segment of a pointer, escaped, sometimes an odd one. */
struct slice random_segment(struct prng *p);
/* A pointer of up to three segments. */
struct slice random_path(struct prng *p, struct arena *a);
/* A leaf's value, in canonical form. */
struct slice random_value(struct prng *p, struct arena *a);
/* A small document; one in eight is no object. */
struct json *random_doc(struct prng *p, struct arena *a);
/* An item with every kind of part, normalised: for the codec. */
struct item random_item(struct prng *p, struct arena *a);

/* Gives back what a held, then leaves room for n bytes exactly. With
 * check_alloc_fail_from(0) the allocations in it can be made to fail one by
 * one. */
void arena_with_room(struct arena *a, size_t n);

#endif
