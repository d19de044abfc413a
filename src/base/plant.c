#include "base/plant.h"

#include <stddef.h>
#include <string.h>

static const struct plant_row rows[PLANT_END] = {
    [PLANT_M1] = { "M1", "a cursor is saved before the rows up to it" },
    [PLANT_M2] = { "M2", "the vector advances on a prefix of the feed" },
    [PLANT_M3] = { "M3", "vector and rows are saved apart" },
    [PLANT_M4] = { "M4", "a write is acknowledged before it is durable" },
    [PLANT_M5] = { "M5", "dots are used again after an unclean stop" },
    [PLANT_M6] = { "M6", "an item's version begins anew after collection" },
    [PLANT_M7] = { "M7", "tombstones are collected by their age" },
    [PLANT_M8] = { "M8", "only who is connected is asked before collecting" },
    [PLANT_M9] = { "M9", "a bootstrap leaves out tombstones" },
    [PLANT_M10] = { "M10", "rows and mark are read at different instants" },
    [PLANT_M13] = { "M13",
        "a page of the feed ends amid what has one number, "
        "and the next skips the rest of it" },
    [PLANT_M14] = { "M14",
        "a session resumes from what was sent, not from "
        "what was acknowledged" },
    [PLANT_M15] = { "M15",
        "of two sessions the slower one sets the vector "
        "back" },
    [PLANT_M16] = { "M16", "the clock's ceiling is not saved" },
    [PLANT_M17] = { "M17", "the clock does not merge what is received" },
    [PLANT_M18] = { "M18", "of equal stamps the one that comes last stays" },
    [PLANT_M20] = { "M20", "a resolver is given the local value first" },
    [PLANT_M21] = { "M21", "a resolver's result counts as an original" },
    [PLANT_M22] = { "M22", "a whole document gives each field a new stamp" },
    [PLANT_M23A] = { "M23a",
        "a change that is ahead of the local clock is "
        "dropped" },
    [PLANT_M23B] = { "M23b", "the clock does not merge what is far ahead" },
    [PLANT_M25] = { "M25", "what was received is known in memory only" },
    [PLANT_M28] = { "M28",
        "what a binding wrote into its file passes for a change of this "
        "machine" },
    [PLANT_BARE_DEATH] = { "bare-death",
        "a row without a signed change ends the life of an item" },
    [PLANT_ACKS_EARLY] = { "acks-early",
        "others are told what is here before it is durable" },
    [PLANT_AUDIT_SILENT] = { "audit-silent",
        "who was let in or removed is not "
        "told to the audit log" },
    [PLANT_CLOCK_REFUSES] = { "clock-refuses",
        "who sends a change that is ahead of the local clock is closed" },
    [PLANT_CRC_IGNORED] = { "crc-ignored",
        "a record of the journal is "
        "taken whatever its checksum says" },
    [PLANT_CUT_IGNORED] = { "cut-ignored",
        "changes of devices that may not write are merged" },
    [PLANT_COMMIT_UNCHECKED] = { "commit-unchecked",
        "a nonce is taken that its owner did not commit to" },
    [PLANT_DIFF_SHOWN] = { "diff-shown",
        "a whole document is compared with "
        "what shows, not with all there is" },
    [PLANT_DIGITS_LOOSE] = { "digits-loose",
        "the six digits are of the nonces alone" },
    [PLANT_EPOCH_KEEPS_CLOCK] = { "epoch-keeps-clock",
        "in a new epoch the clock goes on from where it was" },
    [PLANT_EPOCH_LOWERED] = { "epoch-lowered",
        "a start begins in the epoch before" },
    [PLANT_EPOCH_UNSAVED] = { "epoch-unsaved",
        "the epoch is known in memory only" },
    [PLANT_EPOCH_UNTOLD] = { "epoch-untold",
        "peers are not sent the proof of an epoch" },
    [PLANT_FALSE_CONFLICT] = { "false-conflict",
        "a conflict is told of what "
        "the winner had seen" },
    [PLANT_FAR_SILENT] = { "far-silent", "a stamp from far ahead is not told" },
    [PLANT_FOREIGN_STAYS] = { "foreign-stays",
        "what was merged before a removal was heard of stays as it is" },
    [PLANT_FOLD_BY_ARRIVAL] = { "fold-by-arrival",
        "a certificate counts by who is an admin when it comes" },
    [PLANT_FORK_ACCUSES] = { "fork-accuses",
        "two parts of one commit are taken for two commits" },
    [PLANT_FORK_FIRST] = { "fork-first",
        "a replica is cut off where it was first found out, not where it first "
        "said two things" },
    [PLANT_FORK_RECORDS] = { "fork-records",
        "of two values under one dot that lost, each keeps the one it has" },
    [PLANT_FORK_UNSAID] = { "fork-unsaid",
        "whoever finds out that a device said two things does not say so" },
    [PLANT_FORWARD_DROPS] = { "forward-drops",
        "what an author delivers "
        "itself is never forwarded" },
    [PLANT_HEAD_HURRIES] = { "head-hurries",
        "a relay is accused of what it is just sending" },
    [PLANT_HEEDS_BEHIND] = { "heeds-behind",
        "what a peer sends that lacks the horizon is taken" },
    [PLANT_HISTORY_HIDES] = { "history-hides",
        "what was hidden when it lost goes into no history" },
    [PLANT_HISTORY_SILENT] = { "history-silent",
        "what lost goes into no history" },
    [PLANT_HISTORY_STAYS] = { "history-stays",
        "the past of an item is kept for ever" },
    [PLANT_IDLE_DEAF] = { "idle-deaf",
        "an old connection is sent nothing new" },
    [PLANT_IDLE_WRITES] = { "idle-writes",
        "the clock's ceiling is saved at "
        "every timer" },
    [PLANT_JOIN_DROPS] = { "join-drops",
        "what a machine brings along is not "
        "replayed into its new mesh" },
    [PLANT_KEYS_KEPT] = { "keys-kept",
        "who comes later is not given the mesh's keys" },
    [PLANT_NO_REISSUE] = { "no-reissue",
        "what leaked and was lost is not "
        "written again" },
    [PLANT_ONE_PIECE] = { "one-piece",
        "a batch is written at once, however "
        "much it writes here" },
    [PLANT_NO_ROTATE] = { "no-rotate", "a removal makes no new key" },
    [PLANT_OWN_UNSAVED] = { "own-unsaved",
        "own writes are not saved in the "
        "vector" },
    [PLANT_PARKED_FORGOTTEN] = { "parked-forgotten",
        "a mark is believed while rows before it wait for their author" },
    [PLANT_PRINT_DRIFT] = { "print-drift",
        "the fingerprint keeps what a "
        "deleted item added to it" },
    [PLANT_PROOFS_IGNORED] = { "proofs-ignored",
        "what is received is not checked against its proof" },
    [PLANT_PROOFS_STAY] = { "proofs-stay",
        "proofs cover what has been overwritten" },
    [PLANT_READER_WRITES] = { "reader-writes",
        "a device that may not write does so" },
    [PLANT_RECORD_ALTERS] = { "record-alters",
        "a conflict is told of with what won in the place of what lost" },
    [PLANT_RELAY_DEAF] = { "relay-deaf", "a relay's vector stays as it was" },
    [PLANT_RELAY_PASTS] = { "relay-pasts", "a relay keeps old versions" },
    [PLANT_REISSUE_EMPTIES] = { "reissue-empties",
        "rows of a lost replica are written "
        "again without their values" },
    [PLANT_RESOLVER_LATE] = { "resolver-late",
        "a resolver's answer is taken though something else stands there by "
        "now" },
    [PLANT_REPLAY_SKIPS] = { "replay-skips",
        "opening a store passes by the "
        "first commit after its checkpoint" },
    [PLANT_ROOT_UNSIGNED] = { "root-unsigned",
        "a proof is checked but for its signature" },
    [PLANT_SESSION_GROWS] = { "session-grows",
        "each mark leaves something in its session behind" },
    [PLANT_SETTLES_ALL] = { "settles-all",
        "with a removed field all conflicts of its item count as settled" },
    [PLANT_SILENT_LOSS] = { "silent-loss",
        "a value that lost gets no conflict "
        "record" },
    [PLANT_SYNC_TRUSTED] = { "sync-trusted",
        "a sync that failed counts as done" },
    [PLANT_TOLD_AGAIN] = { "told-again",
        "a conflict that is told again goes "
        "into the history again" },
    [PLANT_UNDELETE] = { "undelete",
        "a tombstone counts only once the "
        "mark has come" },
    [PLANT_VERSION_BACK] = { "version-back",
        "a row brings its own version "
        "number, not the larger one" },
    [PLANT_WAIT_ALONE] = { "wait-alone",
        "who waits for others is answered without them" },
    [PLANT_WATCH_NO_RESYNC] = { "watch-no-resync",
        "a watch goes on from a cursor of a past that was lost" },
    [PLANT_WATCH_SKIPS] = { "watch-skips",
        "a watch that resumes leaves out what came next" },
    [PLANT_R01_ADMIT] = { "r01-admit", "whoever has a key is let in" },
    [PLANT_R01_HALF_OPEN] = { "r01-half-open",
        "any number may be at the door at once" },
    [PLANT_R01_DEADLINE] = { "r01-deadline",
        "whoever is at the door may take his time" },
    [PLANT_R01_BYTES] = { "r01-bytes", "and may send there what he likes" },
    [PLANT_R01_RATE] = { "r01-rate", "and may come as often as he likes" },
    [PLANT_R01_SILENT] = { "r01-silent",
        "any number may be there and say nothing" },
    [PLANT_R02_ALPN] = { "r02-alpn", "any protocol's name will do" },
    [PLANT_R02_VERSION] = { "r02-version", "TLS 1.2 is spoken, too" },
    [PLANT_R03_TTL] = { "r03-ttl", "beacons from afar are heard" },
    [PLANT_R04_FLOOD] = { "r04-flood", "every datagram is looked at" },
    [PLANT_R04_STRANGERS] = { "r04-strangers",
        "whoever announces himself is dialled" },
    [PLANT_R05_ASKS] = { "r05-asks",
        "strangers may ask as often as they like" },
    [PLANT_R05_CODES] = { "r05-codes", "codes may be guessed without end" },
    [PLANT_R05_ONE] = { "r05-one", "several stand at the door at once" },
    [PLANT_R20_UNSEEN] = { "r20-unseen",
        "of two changes under one dot whoever comes second is passed over" },
    [PLANT_R20_COUNTS] = { "r20-counts",
        "what a replica said twice counts all the same" },
    [PLANT_R20_APART] = { "r20-apart",
        "nobody compares what others hold with the same vector" },
    [PLANT_R25_CLEAR] = { "r25-clear", "a relay is sent rows in clear" },
    [PLANT_R25_ASKS] = { "r25-asks", "a relay that asks is told keys" },
    [PLANT_R26_ACKS] = { "r26-acks", "a relay is believed what others have" },
    [PLANT_R26_FORGET] = { "r26-forget",
        "a relay's bootstrap is taken by who has the space" },
    [PLANT_R26_OWN] = { "r26-own",
        "a relay is believed what it has of this device's" },
    [PLANT_R27_BACK] = { "r27-back", "a relay may go back unseen" },
    [PLANT_R27_WORD] = { "r27-word",
        "a head is believed whoever has signed it" },
    [PLANT_R27_ROWS] = { "r27-rows", "a relay may keep rows back unseen" },
    [PLANT_R27_DIFFERS] = { "r27-differs",
        "a relay may say that it sent what it did not" },
    [PLANT_R07_HOST] = { "r07-host", "the hub answers as any host" },
    [PLANT_R08_ORIGIN] = { "r08-origin",
        "pages of other sites may ask the hub" },
    [PLANT_R10_BY_HAND] = { "r10-by-hand",
        "options that are for hands only are changed by HTTP" },
    [PLANT_R10_NUL] = { "r10-nul", "an entry of a list may hold a NUL" },
    [PLANT_R10_OUTLIVES] = { "r10-outlives",
        "a stream goes on when its session is over" },
    [PLANT_R10_START] = { "r10-start",
        "options are changed to what no start takes" },
    [PLANT_R10_TORN] = { "r10-torn",
        "the configuration file is written in its place" },
    [PLANT_R10_TOSSED] = { "r10-tossed",
        "of cookies of one name the first is looked at alone" },
    [PLANT_R10_TYPE] = { "r10-type", "a body need not say that it is JSON" },
    [PLANT_R10_COOKIE] = { "r10-cookie", "a session's cookie alone lets in" },
    [PLANT_R10_LINK_TWICE] = { "r10-link-twice", "a link opens any number" },
    [PLANT_R10_ORIGIN] = { "r10-origin",
        "who comes by a cookie need not say of which page" },
    [PLANT_R12_TOKEN] = { "r12-token", "the hub wants no token" },
    [PLANT_R12_FAILURES] = { "r12-failures",
        "tokens may be guessed as often as one likes" },
    [PLANT_R13_CLEAR] = { "r13-clear",
        "HTTP is answered without TLS wherever it comes from" },
    [PLANT_R13_UNKNOWN] = { "r13-unknown",
        "who has shown no token may keep as many connections as he likes" },
    [PLANT_R13_SHARE] = { "r13-share", "one token may take all connections" },
    [PLANT_R13_ENDED] = { "r13-ended",
        "a token that is revoked keeps its connections" },
    [PLANT_R21_PACE] = { "r21-pace", "a peer is read as fast as it sends" },
    [PLANT_R21_VECTOR] = { "r21-vector",
        "vectors take any number of replicas" },
    [PLANT_R21_CELLS] = { "r21-cells",
        "a change may bring any number of cells" },
    [PLANT_R21_SPACES] = { "r21-spaces",
        "spaces are opened without end and whatever their name" },
    [PLANT_R21_WRITES] = { "r21-writes", "local writers have no quota" },
    [PLANT_R30_LENGTH] = { "r30-length", "frames may be 64 MiB long" },
    [PLANT_R30_GAP] = { "r30-gap", "frames that lack are not missed" },
    [PLANT_R30_MEMORY] = { "r30-memory",
        "memory kept for a peer is not counted" },
    [PLANT_R30_BODY] = { "r30-body",
        "a body is taken in before it is known who sends it" },
    [PLANT_R32_ROWS] = { "r32-rows", "values of rows are not parsed" },
    [PLANT_R33_QUEUE] = { "r33-queue",
        "what waits for one who does not read is kept" },
    [PLANT_R33_ASKED] = { "r33-asked",
        "a caller may ask as much as he likes before he reads" },
    [PLANT_R33_STALLED] = { "r33-stalled",
        "who does not read what HTTP tells him keeps his place" },
    [PLANT_R34_VERSION] = { "r34-version",
        "another version of the protocol is taken for ours" },
    [PLANT_R36_BACKOFF] = { "r36-backoff",
        "who breaks a rule may come again at once" },
};

static enum plant active;

const struct plant_row *plant_row(enum plant p)
{
    return p > PLANT_NONE && p < PLANT_END ? &rows[p] : NULL;
}

bool plant_is_defence(enum plant p)
{
    return p >= PLANT_R01_ADMIT;
}

bool plant_set(const char *id)
{
    for (int i = PLANT_NONE + 1; i < PLANT_END; i++)
        if (strcmp(rows[i].id, id) == 0) {
            active = (enum plant)i;
            return true;
        }
    return false;
}

bool plant_is_on(enum plant p)
{
    return active == p;
}
