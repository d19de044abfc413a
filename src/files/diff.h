/* diff.h - what changed between two versions of a file's document.
 *
 * Pure. A patch is leaves that are set, and leaves that are gone (ptr NULL):
 * the cells that a write of the item touches. Nothing else is in it, so two
 * machines that change different settings of one file both win, and it can say
 * what a merge patch (RFC 7396) cannot: that a value is null, and that an
 * object went without taking along what others have put into it meanwhile.
 * Who publishes puts diff_apply of what the item shows at that moment.
 * Laws: diff_apply of diff(a, b) to a is b; to any document it does what
 * item_write does to an item with no other cells than those it shows; patches
 * whose pointers are unrelated can be applied in either order. */
#ifndef SYNCLINE_FILES_DIFF_H
#define SYNCLINE_FILES_DIFF_H

#include "core/document.h"

/* Sorted by path_cmp. before may be NULL: there was nothing. Errors: ELIMIT
 * (what an item cannot hold), ENOMEM. */
NODISCARD int diff(struct leaves *out, const struct json *before,
    const struct json *after, struct arena *a);

/* What doc becomes. doc may be NULL. The order of members is nobody's: who
 * has a text splices. Errors: as diff. */
NODISCARD int diff_apply(struct json **out, const struct json *doc,
    const struct leaves *patch, struct arena *a);

/* Parts a patch: free is what `theirs`, another patch of the same document,
 * leaves alone or says likewise; contested what both change. ENOMEM. */
NODISCARD int diff_part(struct leaves *free, struct leaves *contested,
    const struct leaves *patch, const struct leaves *theirs, struct arena *a);

/* Appends the pointers of what changed as a JSON array of strings; arrays
 * change as a whole. */
void diff_put_pointers(struct buf *b, const struct leaves *patch);

#endif
