/* access_impl.h - who may what, as it bears on a node's spaces, vectors and
 * connections (access.c), and the keys of the mesh's epochs (epochs.c).
 *
 * Pure. What a device may is what members.h says; it binds everybody alike:
 * a change whose author may not write in its space is merged by nobody, and
 * no vector covers it. Law: what nodes hold of such changes, merged before
 * they heard, does not stay: who may write there writes it again as a change
 * of his own, and who may not fetches the space anew. */
#ifndef SYNCLINE_REPL_ACCESS_IMPL_H
#define SYNCLINE_REPL_ACCESS_IMPL_H

#include "repl/node_impl.h"

/* ---- access.c ---- */

/* `_mesh`, whose records carry their own signatures. */
static inline bool space_is_open(const struct space *sp)
{
    return slice_is(sp->name, MESH_SPACE);
}
bool access_may_read(const struct node *n, const struct device_id *device,
    const struct space *sp);
/* Of this device. */
bool access_may_write(const struct node *n, const struct space *sp);
/* EDENIED with a sentence unless it may. */
NODISCARD int access_check_write(
    const struct node *n, const struct space *sp, struct errmsg *why);
/* EDENIED with a sentence unless this device is an admin. */
NODISCARD int access_check_admin(const struct node *n, struct errmsg *why);
/* EDENIED with a sentence where this device was told that it was removed,
 * unless the request says "force": what it makes of the mesh nobody heeds. */
NODISCARD int access_check_heeded(
    const struct node *n, const struct json *args, struct errmsg *why);
/* Is the space the peer's, and ours? */
bool access_is_shared(
    const struct node *n, const struct conn *c, const struct space *sp);

/* Is the peer, or are we, a relay, while the other one is none? What one of
 * them has of a space cannot be compared with what the other has. */
bool access_is_across(const struct node *n, const struct conn *c);
/* May either be told keys and prints of the other's? */
bool access_compares(
    const struct node *n, const struct conn *c, const struct space *sp);

/* ---- conn_early.c ---- */

/* Keeps a SUBSCRIBE for when its space is opened. */
NODISCARD int conn_keep_early(
    struct conn *c, const struct frame_subscribe *f, uint32_t no);
/* The space is open. */
NODISCARD int early_take(
    struct node *n, struct conn *c, const struct space *sp);
bool early_token(const struct conn *c, uint32_t ix, struct space_token *out);
void early_free(struct conn *c);

/* ---- carry.c ---- */

/* Reads nothing, writes nothing but its own records in `_mesh`. */
bool carry_is_relay(const struct node *n);
/* Should this device have the space sealed? */
bool carry_seals(const struct node *n, const struct space *sp);
/* Is it none of its spaces, or not in its form yet? */
bool carry_is_barred(const struct node *n, const struct space *sp);
/* A peer asks for a space that is not known here: a relay opens it, if both
 * may have it. */
NODISCARD int carry_open(
    struct node *n, const struct conn *c, const struct space_token *token);
NODISCARD int carry_open_early(struct node *n);
/* The other form of a space that holds nothing. */
NODISCARD int carry_reform(struct node *n, struct space *sp);
NODISCARD int carry_rename(struct node *n, struct space *sp);
/* What a relay sent does not open: it is asked anew after a while that doubles,
 * or when keys have come. Of a row, no mark is believed meanwhile. */
void carry_unopened(const struct node *n, struct session *s);
/* Keys have come: it is asked anew before its time. */
void carry_cut_short(struct session *s);
/* Has it been waited for and asked for anew that often, and what it brings now
 * is no news? */
bool carry_waited(
    const struct node *n, const struct session *s, unsigned times);
/* It claims what does not open, when it was asked for once more, either: that
 * may never come, and nothing else is on its way. */
bool carry_is_stuck(
    const struct node *n, const struct conn *c, const struct session *s);
/* The same of a row. What comes of its item after that, until all of it is
 * asked for anew, tells of the whole as seen and brings the rest: it is left
 * out, too. */
NODISCARD int carry_leave_out(
    const struct node *n, struct session *s, struct slice name);
bool carry_is_left_out(const struct session *s, struct slice name);
/* A relay that subscribes: has it what it once said that it has? Told at the
 * second heartbeat after, since it may have left the mesh and come back, of
 * which the rows of _mesh tell that it brings itself. */
void carry_look_back(struct node *n, const struct conn *c,
    const struct space *sp, const struct vv *have);
NODISCARD int carry_tick(struct node *n, const struct conn *c);
NODISCARD int carry_ask_unopened(
    struct node *n, struct conn *c, struct session *s);

/* ---- access.c ---- */

/* Do all changes of a row count? */
bool access_allows(const struct node *n, const struct space *sp,
    const struct space_token *token, const struct item *row);
/* A record of `_mesh` that belongs under its key. EMALFORMED: no. */
NODISCARD int access_check_record(
    struct node *n, struct slice key, const struct item *row);
/* Lowers what does not count, in place; true if something did not. */
bool access_clamp(const struct node *n, const struct space *sp, struct vv *v);
/* A dot of a mark: seq becomes what counts of it. False: nobody knows of its
 * device yet. */
bool access_clamp_dot(
    const struct node *n, const struct space *sp, struct dot *d);
/* V, or the horizon, is lowered to what counts of it. */
NODISCARD int access_lower(
    struct node *n, struct space *sp, const struct vv *v, bool horizon);
/* Nothing more is taken from this session until it, or we, know more. */
void access_refuse(struct node *n, struct conn *c, struct space *sp);

/* What BYE says to a device that is no member any more. */
#define BYE_REMOVED "this device was removed from the mesh"
/* If that has been said to us, by a member, we keep it. */
NODISCARD int access_on_bye(
    struct node *n, const struct conn *c, const struct frame_bye *bye);
NODISCARD int access_load_removed(struct node *n);

/* Other records count now. */
NODISCARD int access_changed(struct node *n);
/* What must be written again, or fetched anew. Commits. */
NODISCARD int access_settle(struct node *n);
/* Sessions that were refused, and may go on. */
NODISCARD int access_retry(struct node *n);

/* ---- voided.c ---- */

/* Does a horizon hold changes that do not count? */
bool voided_in(
    const struct node *n, const struct space *sp, const struct vv *horizon);
/* What was collected for them stays gone. Commits. */
NODISCARD int voided_mark(struct node *n, struct space *sp);

/* ---- cuts.c ---- */

/* The cut of a record that lets `g` stand of a device (NULL: removes it). */
NODISCARD int access_cut(const struct node *n, const struct device_id *device,
    const struct members_grant *g, struct members_cut *out);

/* ---- access.c ---- */

/* Lets a device in, on these terms, by the certificate of id *made. */
NODISCARD int access_admit(struct node *n, struct slice spki, struct slice name,
    const struct pair_terms *t, struct cert_id *made);
/* `role` and `spaces` of a request, for whoever may grant them. */
NODISCARD int access_read_terms(struct node *n, const struct json *args,
    struct pair_terms *out, struct errmsg *why);
/* Appends `,"role":...,"<spaces>":...`: null for all of them; m NULL: none. */
void access_put_rights(const struct node *n, struct buf *b,
    const struct member *m, const char *spaces);

/* ---- epochs.c ---- */

/* The ring, from what counts now. */
NODISCARD int epochs_load(struct node *n);
/* Tells our own key for exchanges, makes the next key if one has to be, gives
 * members what they lack. */
NODISCARD int epochs_tick(struct node *n);
/* A new key, now. */
NODISCARD int epochs_rotate(struct node *n, uint64_t *epoch);
NODISCARD int epochs_put_beacon(
    struct node *n, struct buf *out, const struct beacon *b);
/* EDENIED: under no key that we hold. */
NODISCARD int epochs_get_beacon(
    struct node *n, struct slice datagram, struct beacon *out);

#endif
