#include "repl/node.h"

#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/group.h"
#include "repl/mesh_impl.h"
#include "repl/proofs.h"

#include <stdio.h>
#include <stdlib.h>

/* A store is not rolled back under a running node: a second claim so soon
 * after the first is a lie or a mistake. */
#define DOUBT_US ((uint64_t)600 * 1000 * 1000)
#define RETRY_US ((uint64_t)1000 * 1000)
/* How seldom a log says that the disk is still full. */
#define TELL_FULL_US ((uint64_t)60 * 1000 * 1000)
/* A key that is made is a record that changes what counts, and so on. */
#define MESH_ROUNDS 4
#define TELL_RESCUED_US ((uint64_t)10 * 1000 * 1000)

/* ---- replica ids ---- */

int node_mint_replica(struct node *n)
{
    struct rid fresh;
    int rc = n->opt.crypto->random(n->opt.crypto->self,
        fresh.b + RID_DEVICE_LEN, RID_LEN - RID_DEVICE_LEN);

    if (rc != SYNCLINE_OK)
        return rc;
    memcpy(fresh.b, n->device.b, RID_DEVICE_LEN);
    n->replica = fresh;
    txn_put(&n->txn, TABLE_META, SLICE_LIT(META_REPLICA), rid_slice(&fresh));
    return txn_status(&n->txn);
}

int node_doubt(struct node *n)
{
    if (n->now_us < n->doubt_from_us)
        return SYNCLINE_EDENIED;
    n->bad_restart = true;
    return SYNCLINE_OK;
}

/* ---- the step ---- */

/* The store has it now: nothing of it can be undone any more. */
static int note_commit(struct node *n)
{
    struct effect *fx = fx_add(n, FX_COMMIT);
    int rc = SYNCLINE_ENOMEM;

    clock_committed(n);
    n->gone_kept = n->gone;
    n->authors_kept = n->authors_n;
    n->asked_kept = n->next_asked;
    n->mesh_due = n->mesh_due || n->mesh_changed;
    n->rescued_kept = n->rescued;
    txn_reset(&n->txn);
    if (fx != NULL) {
        fx->commit = n->commit;
        rc = spaces_committed(n);
    }
    if (rc != SYNCLINE_OK)
        n->broken = true;
    return rc;
}

int node_commit(struct node *n)
{
    int rc = spaces_save(n);

    if (rc == SYNCLINE_OK && txn_holds(&n->txn))
        rc = sign_step(n);
    if (rc != SYNCLINE_OK || txn_is_empty(&n->txn))
        return rc;
    /* No stamp, our own or another's, is stored without a ceiling above. */
    rc = clock_keep(n, false);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = store_commit(&n->opt.store, buf_slice(&n->txn.batch.ops), &n->commit);
    if (rc == SYNCLINE_ELIMIT)
        oversize_note(n);
    return rc == SYNCLINE_OK ? note_commit(n) : rc;
}

void node_undo_writes(struct node *n)
{
    txn_reset(&n->txn);
    n->unsettled = NULL;
    spaces_undo(n);
    clock_undo(n);
    authors_undo(n);
    n->gone = n->gone_kept;
    n->rescued = n->rescued_kept;
}

/* Frames that will not be sent leave no gap in the numbers; but what a flush
 * noted as sent was not: those connections start anew. Whose frame it was, is
 * told why (tell_failure). */
static void undo_frames(struct node *n, const struct event *ev)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        if (c->sent_no == c->undo_no)
            continue;
        c->sent_no = c->undo_no;
        if (ev->type != EV_FRAME || c->id != ev->conn)
            conn_close(n, c, SYNCLINE_ECLOSED, "sending failed");
    }
}

/* Whom a step answers besides its own asker was waiting for something that
 * was so already, what it closes stays closed, and pieces are in the store:
 * none of it is undone, or nobody would hear of it any more. */
static bool outlives_undo(
    const struct node *n, const struct effect *fx, const struct event *ev)
{
    return fx->type == FX_CLOSE || fx->type == FX_COMMIT ||
        (fx->type == FX_RESOLVE && fx->request <= n->asked_kept) ||
        (fx->type == FX_REPLY &&
            (ev->type != EV_REQUEST || fx->request != ev->request));
}

static void undo_effects(struct node *n, const struct event *ev)
{
    size_t kept = n->fx_kept;

    for (size_t i = kept; i < n->fx_n; i++) {
        if (n->fx[i].type == FX_DIAL) /* it will never be carried out */
            peers_on_down(n->peers, n->fx[i].conn, n->now_us);
        if (outlives_undo(n, &n->fx[i], ev))
            n->fx[kept++] = n->fx[i];
    }
    n->fx_n = kept;
}

static void undo_step(struct node *n, const struct event *ev)
{
    node_undo_writes(n);
    waits_undo(n);
    n->mesh_changed = n->mesh_due;
    undo_effects(n, ev);
    resolves_undo(n);
    undo_frames(n, ev);
}

/* What is done bit by bit. Should the store refuse it, it is not asked again
 * at once. */
static int do_chores(struct node *n)
{
    int rc = SYNCLINE_OK;

    if (n->now_us < n->chores_from_us)
        return SYNCLINE_OK;
    if (adopts(n))
        rc = adopt_tick(n);
    if (rc == SYNCLINE_OK && replay_wants_tick(n))
        rc = replay_tick(n);
    if (rc == SYNCLINE_OK)
        rc = silences_tick(n);
    if (rc == SYNCLINE_OK)
        rc = orphans_tick(n);
    if (rc == SYNCLINE_OK)
        rc = rekey_tick(n);
    if (rc == SYNCLINE_OK)
        rc = mesh_move_spaces(n);
    if (rc == SYNCLINE_OK)
        rc = collect_tick(n);
    return rc;
}

static uint64_t chores_deadline(const struct node *n)
{
    uint64_t due = replay_wants_tick(n) || returns_want_tick(n) || adopts(n)
        ? n->now_us
        : collect_deadline(n);

    return due > n->chores_from_us ? due : n->chores_from_us;
}

static int on_timer(struct node *n, const struct event *ev)
{
    int rc = conns_tick(n);

    (void)ev;
    if (rc == SYNCLINE_OK)
        rc = mesh_tick(n);
    if (rc == SYNCLINE_OK)
        rc = join_tick(n);
    if (rc == SYNCLINE_OK)
        rc = waits_check(n);
    if (rc == SYNCLINE_OK)
        rc = verifies_tick(n);
    if (rc == SYNCLINE_OK)
        rc = do_chores(n);
    send_tick(n);
    acks_tick(n);
    if (rc == SYNCLINE_OK && PLANTED(IDLE_WRITES)) {
        n->ceiling = (struct clock_at){ 0 };
        rc = clock_keep(n, false);
    }
    return rc;
}

static int on_flush(struct node *n, const struct event *ev)
{
    int rc;

    (void)ev;
    n->want_flush = false;
    rc = conns_flush(n);
    if (rc == SYNCLINE_OK)
        rc = send_flush(n);
    if (rc == SYNCLINE_OK)
        rc = verify_flush(n);
    return rc == SYNCLINE_OK ? watches_flush(n) : rc;
}

static int on_persisted(struct node *n, const struct event *ev)
{
    int rc;

    if (ev->commit <= n->persisted)
        return SYNCLINE_OK;
    n->persisted = ev->commit;
    spaces_persisted(n, ev->commit);
    n->want_flush = true;
    rc = waits_check(n);
    return rc == SYNCLINE_OK ? join_persisted(n) : rc;
}

/* So that a log that was cut short is noticed. */
static int on_audited(struct node *n, const struct event *ev)
{
    txn_put(&n->txn, TABLE_META, SLICE_LIT(META_AUDIT), ev->bytes);
    return txn_status(&n->txn);
}

static int on_cancel(struct node *n, const struct event *ev)
{
    watch_cancel(n, ev->request);
    join_cancel(n, ev->request);
    return SYNCLINE_OK;
}

static int on_pace(struct node *n, const struct event *ev)
{
    struct watch *w = watch_by_request(n, ev->request);

    if (w != NULL)
        w->paused = ev->type == EV_PAUSE;
    n->want_flush = true;
    return SYNCLINE_OK;
}

static int (*const handlers[])(struct node *, const struct event *) = {
    [EV_TIMER] = on_timer,
    [EV_FLUSH] = on_flush,
    [EV_CONN_UP] = conn_on_up,
    [EV_CONN_DOWN] = conn_on_down,
    [EV_FRAME] = conn_on_frame,
    [EV_DATAGRAM] = join_on_datagram,
    [EV_REQUEST] = request_on,
    [EV_CANCEL] = on_cancel,
    [EV_PAUSE] = on_pace,
    [EV_RESUME] = on_pace,
    [EV_PERSISTED] = on_persisted,
    [EV_RESOLVED] = resolve_on_answer,
    [EV_AUDITED] = on_audited,
    [EV_OUTSIDER] = outsider_on,
};

/* Of a frame: what only a peer that breaks the rules brings about. */
static bool is_offence(int rc)
{
    return rc == SYNCLINE_EMALFORMED || rc == SYNCLINE_ESHORT ||
        rc == SYNCLINE_ELIMIT || rc == SYNCLINE_EDENIED;
}

static const char *frame_of(const struct event *ev, const struct conn *c)
{
    if (ev->type != EV_FRAME)
        return "the connection";
    if (c->pairing)
        return "what is said in pairing";
    return ev->bytes.len > 0 ? frame_name(ev->bytes.ptr[0]) : "an empty frame";
}

/* "batch of attic, 10.0.0.7:4748 failed". */
static void name_event(
    const struct node *n, const struct event *ev, char *out, size_t size)
{
    const struct conn *c = conn_by_id(n, ev->conn);
    char addr[NETADDR_TEXT];

    if (ev->type == EV_REQUEST) {
        (void)snprintf(out, size, "a request");
        return;
    }
    if (c == NULL) {
        (void)snprintf(out, size, "what falls due by itself");
        return;
    }
    netaddr_format(addr, &c->remote);
    (void)snprintf(out, size, "%s of %.*s%s%s", frame_of(ev, c),
        (int)(c->name.len > 100 ? 100 : c->name.len), (const char *)c->name.ptr,
        c->name.len > 0 ? ", " : "", addr);
}

/* A full disk fails every write, and the log may be on it. */
static void log_failure(struct node *n, const struct event *ev, int rc)
{
    const bool of_peer = ev->type == EV_FRAME && is_offence(rc);
    char what[200];

    if (rc == SYNCLINE_EFULL && n->now_us < n->tell_full_us)
        return;
    if (rc == SYNCLINE_EFULL)
        n->tell_full_us = n->now_us + TELL_FULL_US;
    name_event(n, ev, what, sizeof what);
    log_line(&n->log, LOG_LEVEL_WARN, "node",
        "%s failed, nothing of it stands: %s (%s)%s", what, refusal_text(n, rc),
        error_name(rc),
        of_peer ? "; the connection is closed. If it does so again, compare "
                  "the versions of both, then report it"
                : "");
}

/* The step failed and was undone: tell whoever asked for it. */
static int tell_failure(struct node *n, const struct event *ev, int rc)
{
    bool oversize = rc == SYNCLINE_ELIMIT && n->oversize.now;
    struct conn *c;

    if (!oversize) /* it has been told already */
        log_failure(n, ev, rc);
    if (ev->type == EV_REQUEST)
        return fx_error(n, ev->request, rc, NULL);
    c = ev->type == EV_FRAME || ev->type == EV_CONN_UP ? conn_by_id(n, ev->conn)
                                                       : NULL;
    if (c == NULL)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
    if (ev->type == EV_FRAME && !c->pairing && is_offence(rc) && !oversize)
        standing_broke(n, &c->device, refusal_text(n, rc));
    conn_close(n, c, rc, oversize ? node_status_text(rc) : refusal_text(n, rc));
    return SYNCLINE_OK;
}

/* Somebody knows more of this replica than it does itself: the store was
 * rolled back. From here on it is another replica; until that is in the
 * store it writes nothing. */
static int restart_as_new(struct node *n)
{
    struct rid old = n->replica;
    int rc;

    n->bad_restart = false;
    log_line(&n->log, LOG_LEVEL_WARN, "node",
        "a peer knows more of this replica than its store does: it was "
        "rolled back, and is a new replica from now on");
    rc = node_mint_replica(n);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK) {
        n->replica = old;
        n->bad_restart = true; /* tried again after the next event */
    } else {
        n->doubt_from_us = n->now_us + DOUBT_US;
        n->counts.replicas_doubted++;
        n->new_replica = "rolled-back";
    }
    conns_restart(n, "this node is a new replica");
    return rc;
}

/* Not within the step of the MARK: scans do not see what that wrote. */
static int reissue(struct node *n)
{
    int rc = SYNCLINE_OK;
    bool any = false;

    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (!sp->reissue_due)
            continue;
        rc = reissue_mine(n, sp);
        any = true;
    }
    if (!any)
        return SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next)
        sp->reissue_due = false;
    return rc;
}

/* Records that count mean that others do not, that spaces hold what they may
 * not, that keys are to be made: each in a commit of its own, since scans do
 * not see what is not committed. */
static int act_on_mesh(struct node *n)
{
    bool waits = n->mesh_changed && any_parked(n);
    int rc = SYNCLINE_OK;

    if (n->forks.found_n > 0)
        rc = forks_settle(n);
    if (rc == SYNCLINE_OK && n->mesh_changed)
        rc = mesh_refresh(n);
    if (rc == SYNCLINE_OK && waits)
        rc = node_commit(n);
    if (rc == SYNCLINE_OK && waits)
        rc = parked_retry(n);
    if (rc == SYNCLINE_OK && n->rights_due)
        rc = access_changed(n);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK)
        return rc;
    n->rights_due = false;
    if (n->access_due)
        rc = access_settle(n);
    if (rc == SYNCLINE_OK && n->epochs_due && n->now_us >= n->chores_from_us)
        rc = epochs_tick(n);
    return rc == SYNCLINE_OK ? node_commit(n) : rc;
}

static bool mesh_is_due(const struct node *n)
{
    return n->forks.found_n > 0 || n->mesh_changed || n->rights_due ||
        n->access_due || (n->epochs_due && n->now_us >= n->chores_from_us);
}

/* What a committed event entails beyond itself. */
static int follow_up(struct node *n)
{
    int rc = SYNCLINE_OK;

    if (n->waits_added > 0)
        rc = waits_check(n); /* what changed nothing is durable */
    if (rc == SYNCLINE_OK)
        rc = reissue(n);
    if (rc == SYNCLINE_OK && n->now_us >= n->chores_from_us)
        rc = returns_run(n, false);
    for (int i = 0; i < MESH_ROUNDS && rc == SYNCLINE_OK && mesh_is_due(n); i++)
        rc = act_on_mesh(n);
    return rc == SYNCLINE_OK ? node_commit(n) : rc;
}

/* What an earlier step or run has not replayed yet; at the start all of it,
 * before anybody asks. */
static void go_on_returning(struct node *n)
{
    bool all = !n->started;

    n->started = true;
    if (n->returning != NULL && n->now_us >= n->chores_from_us &&
        returns_run(n, all) != SYNCLINE_OK) {
        node_undo_writes(n);
        n->chores_from_us = n->now_us + RETRY_US;
    }
}

/* Somebody should look at it; a long list is not told line by line. */
static void tell_rescued(struct node *n)
{
    if (n->rescued_kept == 0 || n->now_us < n->rescued_due_us)
        return;
    log_line(&n->log, LOG_LEVEL_WARN, "node",
        "%llu edit%s of deleted items came with a member that had been away; "
        "`syncline rescue` lists what waits to be taken back or let go",
        (unsigned long long)n->rescued_kept, n->rescued_kept == 1 ? "" : "s");
    n->rescued = n->rescued_kept = 0;
    n->rescued_due_us = n->now_us + TELL_RESCUED_US;
}

static void name_actor(struct node *n, const struct event *ev)
{
    bool of_conn = ev->type == EV_FRAME || ev->type == EV_CONN_UP;

    n->actor_request = ev->type == EV_REQUEST ? ev->request : 0;
    n->actor_conn = of_conn ? ev->conn : 0;
}

/* What comes before may stand, whatever becomes of what follows. */
static void begin_act(struct node *n)
{
    n->fx_kept = n->fx_n;
    n->asked_kept = n->next_asked;
    n->gone_kept = n->gone; /* a step that only told it commits nothing */
    n->waits_added = 0;
    n->oversize.now = false;
    n->refusal.text[0] = 0;
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        c->undo_no = c->sent_no;
}

/* It is in the store, or was undone and told: rc of that. */
static int end_act(struct node *n, int rc)
{
    if (rc == SYNCLINE_OK && n->bad_restart)
        rc = restart_as_new(n);
    if (rc == SYNCLINE_OK)
        return rc;
    node_undo_writes(n); /* what it was for is still marked as to be done */
    n->chores_from_us = n->now_us + RETRY_US;
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

static int act(struct node *n, const struct event *ev)
{
    int rc;

    begin_act(n);
    name_actor(n, ev);
    rc = handlers[ev->type](n, ev);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK)
        undo_step(n, ev);
    if (n->broken)
        return SYNCLINE_ENOMEM;
    if (rc != SYNCLINE_OK) {
        n->counts.steps_undone++;
        n->chores_from_us = n->now_us + RETRY_US;
        rc = tell_failure(n, ev, rc);
    } else {
        rc = follow_up(n);
    }
    return end_act(n, rc);
}

/* All writes that wait, as one commit: one signature, and one of each peer
 * who checks it. *done false: one of them failed, none was done. */
static int act_on_group(struct node *n, bool *done)
{
    const struct event all = { .type = EV_REQUEST };
    const struct pace wrote = n->wrote, bytes = n->wrote_bytes;
    int rc = SYNCLINE_OK;

    begin_act(n);
    n->grouping = true;
    n->group_wrote = false;
    for (struct waiting *w = n->group; w != NULL && rc == SYNCLINE_OK;
         w = w->next) {
        struct event ev = group_event(w);

        name_actor(n, &ev);
        rc = request_on(n, &ev);
    }
    n->grouping = false;
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    *done = rc == SYNCLINE_OK;
    if (*done) {
        n->counts.writes_grouped += n->group_n;
        return end_act(n, follow_up(n));
    }
    undo_step(n, &all);
    n->wrote = wrote;
    n->wrote_bytes = bytes;
    n->counts.groups_parted++;
    return n->broken ? SYNCLINE_ENOMEM : SYNCLINE_OK;
}

/* Writes that wait, each in its turn if they cannot be one commit. */
static int run_group(struct node *n)
{
    bool done = n->group == NULL;
    int rc = SYNCLINE_OK;

    if (n->group_n > 1)
        rc = act_on_group(n, &done);
    for (struct waiting *w = n->group; w != NULL && !done && rc == SYNCLINE_OK;
         w = w->next) {
        struct event ev = group_event(w);

        rc = act(n, &ev);
    }
    group_clear(n);
    return rc;
}

int node_step(struct node *n, const struct event *ev, const struct effect **fx,
    size_t *fx_n)
{
    bool waits;
    int rc;

    if (n->broken)
        return SYNCLINE_ENOMEM;
    arena_reset(&n->step);
    n->fx_n = 0;
    *fx = n->fx;
    *fx_n = 0;
    n->now_us = ev->now_us;
    n->wall_us = ev->wall_us;
    waits = ev->type == EV_REQUEST && group_add(n, ev);
    if (waits && !group_is_full(n))
        return SYNCLINE_OK;
    (void)!audit_replica(n); /* or after the next event */
    rc = run_group(n);
    if (rc == SYNCLINE_OK && !waits) {
        name_actor(n, ev);
        go_on_returning(n);
        rc = act(n, ev);
    }
    if (n->broken)
        return SYNCLINE_ENOMEM;
    tell_rescued(n);
    (void)!roster_tell(n); /* or after the next event */
    *fx = n->fx;
    *fx_n = n->fx_n;
    return rc;
}

uint64_t node_deadline_us(const struct node *n)
{
    const uint64_t due[] = { conns_deadline(n), mesh_deadline(n),
        join_deadline(n), waits_deadline(n), verifies_deadline(n),
        send_deadline(n), n->acks_due_us, chores_deadline(n) };
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; i < sizeof due / sizeof *due; i++)
        if (due[i] < first)
            first = due[i];
    return first;
}

bool node_wants_flush(const struct node *n)
{
    return n->want_flush;
}

int node_close(struct node *n)
{
    int rc;

    arena_reset(&n->step);
    n->fx_n = 0;
    rc = run_group(n);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = clock_keep(n, true);
    txn_put(&n->txn, TABLE_META, SLICE_LIT(META_CLEAN), SLICE_LIT("1"));
    if (rc == SYNCLINE_OK)
        rc = mesh_save_book(n);
    if (rc == SYNCLINE_OK)
        rc = silences_save(n, true);
    return rc == SYNCLINE_OK ? node_commit(n) : rc;
}

bool node_admits(
    const struct node *n, const struct device_id *device, bool pairing)
{
    if (pairing)
        return join_admits(n, device);
    return !device_eq(device, &n->device) && members_has(n->members, device);
}

uint64_t node_bound(const struct node *n, const struct space_token *space,
    const struct rid *replica)
{
    uint64_t bound, forked = forks_bound(n, space, replica);
    bool known;

    bound = members_bound(n->members, replica, space, &known);
    return forked < bound ? forked : bound;
}
