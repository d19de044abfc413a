/* options_edit.h - changes options in the configuration file, and leaves all
 * else in it as a person wrote it: comments, order, groups.
 *
 * A change is a value in the file's place, a line at its end, or a line that
 * goes. Law: what has been edited is read again, and says what was wanted and
 * besides the same as before; else nothing is written. Only options_change
 * touches files. */
#ifndef SYNCLINE_APP_OPTIONS_EDIT_H
#define SYNCLINE_APP_OPTIONS_EDIT_H

#include "app/options/options.h"

#define OPTION_CHANGES_MAX 48

struct option_edit {
    const char *name;  /* as the table has it */
    struct slice text; /* lists: with commas between */
    bool unset;        /* back to the default */
};

/* Appends what the text becomes. EINVAL: the value is wrong; EUNSUPPORTED: the
 * file is written in a way that only a person can edit. */
NODISCARD int options_edit(struct buf *out, struct slice text,
    const struct option_edit *edits, size_t n, struct errmsg *why);

/* An object of names and values (null: back to the default) as edits; strings
 * go to the arena. EINVAL: which one, and why. */
NODISCARD int options_edits_of(struct option_edit edits[OPTION_CHANGES_MAX],
    size_t *n, const struct json *object, struct arena *a, struct errmsg *why);

/* Edits the file that from was read from, or the one that lies in the folder,
 * and reads it anew into *out. EDENIED: an option that the file has no say in,
 * or that is changed by hand only; EINVAL; EUNSUPPORTED; EIO. */
NODISCARD int options_change(struct options **out, const struct options *from,
    const struct option_edit *edits, size_t n, struct errmsg *why);

/* Would a start take what has been changed? EINVAL, ELIMIT: which, and why
 * not. */
NODISCARD int options_check_start(const struct options *o,
    const struct option_edit *edits, size_t n, struct errmsg *why);

/* Does a change of it hold at once, or from the next start on? */
bool options_is_live(const char *name);
/* Is it anybody's words, in which a secret may be (a command, a path)? */
bool options_is_text(const char *name);

#endif
