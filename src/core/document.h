/* document.h - what a person sees of an item: which cells show, the JSON
 * they make, and which cells a new document must write.
 *
 * Pure. A cell with a value stands unless an ancestor path holds a scalar or
 * an array with a larger stamp; a standing cell shows unless a standing
 * descendant has a stamp that is not smaller; "{}" shows only where nothing
 * below it stands.
 * Law: after document_diff's cells are written, the document that shows is
 * the one that was asked for, and cells that did not differ are untouched. */
#ifndef SYNCLINE_CORE_DOCUMENT_H
#define SYNCLINE_CORE_DOCUMENT_H

#include "core/item.h"

/* marks[i] is true iff cell i shows. */
NODISCARD int document_visible(
    const struct item *it, bool **marks, struct arena *a);

/* Appends the document as canonical JSON; nothing if the item is not alive.
 * Needs scratch memory from a. */
void put_document(struct buf *b, const struct item *it, struct arena *a);

/* A leaf of a document, and what it should hold (ptr NULL: nothing). */
struct leaf {
    struct slice path, value;
};

struct leaves {
    struct leaf *e; /* by path_cmp once sorted */
    uint32_t n, cap;
};

/* The leaves of a parsed document, sorted. ELIMIT beyond CELLS_MAX leaves or
 * PATH_MAX_LEN. */
NODISCARD int document_leaves(
    const struct json *doc, struct leaves *out, struct arena *a);

/* The cells to write, under a stamp larger than any in `it`, so that `it`
 * shows doc; may be none. */
NODISCARD int document_diff(const struct item *it, const struct json *doc,
    struct leaves *out, struct arena *a);

#endif
