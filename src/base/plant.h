/* plant.h - bugs planted on purpose, so that the simulator's judges can be
 * shown to find them.
 *
 * Only a build with -Dplanted=true knows how: there one of them can be
 * switched on. In every other build PLANTED is the constant false and this
 * is no more than a list of names.
 * Law: with none switched on, a planted build does what any other does. */
#ifndef SYNCLINE_BASE_PLANT_H
#define SYNCLINE_BASE_PLANT_H

#include <stdbool.h>

/* M: the numbered ones that every store of this kind is prone to. The others
 * are named by what goes wrong. */
enum plant {
    PLANT_NONE,
    PLANT_M1,
    PLANT_M2,
    PLANT_M3,
    PLANT_M4,
    PLANT_M5,
    PLANT_M6,
    PLANT_M7,
    PLANT_M8,
    PLANT_M9,
    PLANT_M10,
    PLANT_M13,
    PLANT_M14,
    PLANT_M15,
    PLANT_M16,
    PLANT_M17,
    PLANT_M18,
    PLANT_M20,
    PLANT_M21,
    PLANT_M22,
    PLANT_M23A,
    PLANT_M23B,
    PLANT_M25,
    PLANT_M28,
    PLANT_BARE_DEATH,
    PLANT_ACKS_EARLY,
    PLANT_AUDIT_SILENT,
    PLANT_CLOCK_REFUSES,
    PLANT_CRC_IGNORED,
    PLANT_CUT_IGNORED,
    PLANT_COMMIT_UNCHECKED,
    PLANT_DIFF_SHOWN,
    PLANT_DIGITS_LOOSE,
    PLANT_EPOCH_KEEPS_CLOCK,
    PLANT_EPOCH_LOWERED,
    PLANT_EPOCH_UNSAVED,
    PLANT_EPOCH_UNTOLD,
    PLANT_FALSE_CONFLICT,
    PLANT_FAR_SILENT,
    PLANT_FOREIGN_STAYS,
    PLANT_FOLD_BY_ARRIVAL,
    PLANT_FORK_ACCUSES,
    PLANT_FORK_FIRST,
    PLANT_FORK_RECORDS,
    PLANT_FORK_UNSAID,
    PLANT_FORWARD_DROPS,
    PLANT_HEAD_HURRIES,
    PLANT_HEEDS_BEHIND,
    PLANT_HISTORY_HIDES,
    PLANT_HISTORY_SILENT,
    PLANT_HISTORY_STAYS,
    PLANT_IDLE_DEAF,
    PLANT_IDLE_WRITES,
    PLANT_JOIN_DROPS,
    PLANT_KEYS_KEPT,
    PLANT_NO_REISSUE,
    PLANT_ONE_PIECE,
    PLANT_NO_ROTATE,
    PLANT_OWN_UNSAVED,
    PLANT_PARKED_FORGOTTEN,
    PLANT_PRINT_DRIFT,
    PLANT_PROOFS_IGNORED,
    PLANT_PROOFS_STAY,
    PLANT_READER_WRITES,
    PLANT_RECORD_ALTERS,
    PLANT_RELAY_DEAF,
    PLANT_RELAY_PASTS,
    PLANT_REISSUE_EMPTIES,
    PLANT_RESOLVER_LATE,
    PLANT_REPLAY_SKIPS,
    PLANT_ROOT_UNSIGNED,
    PLANT_SESSION_GROWS,
    PLANT_SETTLES_ALL,
    PLANT_SILENT_LOSS,
    PLANT_SYNC_TRUSTED,
    PLANT_TOLD_AGAIN,
    PLANT_UNDELETE,
    PLANT_R20_UNSEEN,
    PLANT_R20_COUNTS,
    PLANT_R20_APART,
    PLANT_R27_ROWS,
    PLANT_VERSION_BACK,
    PLANT_WAIT_ALONE,
    PLANT_WATCH_NO_RESYNC,
    PLANT_WATCH_SKIPS,
    /* Defences that are left out: test/hostile finds these. */
    PLANT_R01_ADMIT,
    PLANT_R01_HALF_OPEN,
    PLANT_R01_DEADLINE,
    PLANT_R01_BYTES,
    PLANT_R01_RATE,
    PLANT_R01_SILENT,
    PLANT_R02_ALPN,
    PLANT_R02_VERSION,
    PLANT_R03_TTL,
    PLANT_R04_FLOOD,
    PLANT_R04_STRANGERS,
    PLANT_R05_ASKS,
    PLANT_R05_CODES,
    PLANT_R05_ONE,
    PLANT_R07_HOST,
    PLANT_R08_ORIGIN,
    PLANT_R10_BY_HAND,
    PLANT_R10_NUL,
    PLANT_R10_OUTLIVES,
    PLANT_R10_START,
    PLANT_R10_TORN,
    PLANT_R10_TOSSED,
    PLANT_R10_TYPE,
    PLANT_R10_COOKIE,
    PLANT_R10_LINK_TWICE,
    PLANT_R10_ORIGIN,
    PLANT_R12_TOKEN,
    PLANT_R12_FAILURES,
    PLANT_R13_CLEAR,
    PLANT_R13_UNKNOWN,
    PLANT_R13_SHARE,
    PLANT_R13_ENDED,
    PLANT_R13_GONE,
    PLANT_R21_PACE,
    PLANT_R25_CLEAR,
    PLANT_R25_ASKS,
    PLANT_R26_ACKS,
    PLANT_R26_FORGET,
    PLANT_R26_OWN,
    PLANT_R27_BACK,
    PLANT_R27_WORD,
    PLANT_R27_DIFFERS,
    PLANT_R21_VECTOR,
    PLANT_R21_CELLS,
    PLANT_R21_SPACES,
    PLANT_R21_WRITES,
    PLANT_R30_LENGTH,
    PLANT_R30_GAP,
    PLANT_R30_MEMORY,
    PLANT_R30_BODY,
    PLANT_R31_INFLATED,
    PLANT_R32_BUDGET,
    PLANT_R32_ROWS,
    PLANT_R33_QUEUE,
    PLANT_R33_ASKED,
    PLANT_R33_STALLED,
    PLANT_R33_ANSWER,
    PLANT_R33_UNSENT,
    PLANT_R34_VERSION,
    PLANT_R36_BACKOFF,
    PLANT_R08_CONFIG,
    PLANT_R09_SOCKET,
    PLANT_R11_CORS,
    PLANT_R11_INERT,
    PLANT_R13_CONFIG,
    PLANT_R14_MARKS,
    PLANT_R14_STAYS,
    PLANT_R16_BARE,
    PLANT_R16_MODE,
    PLANT_R17_COPIED,
    PLANT_R21_CONFIG,
    PLANT_R26_PLACES,
    PLANT_R26_SEALS,
    PLANT_R29_ACKED,
    PLANT_R31_PACKED,
    PLANT_R33_CONFIG,
    PLANT_R35_FRAMES,
    PLANT_R37_LINKS,
    PLANT_R37_ROOTS,
    PLANT_R37_SIZE,
    PLANT_R38_CHAIN,
    PLANT_R38_FORGED,
    PLANT_R38_OFTEN,
    PLANT_END
};

#ifdef SYNCLINE_PLANTED

struct plant_row {
    const char *id;
    const char *what; /* goes wrong */
};

/* NULL for what is no bug. */
const struct plant_row *plant_row(enum plant p);
/* A defence that is left out, which no simulator finds. */
bool plant_is_defence(enum plant p);
/* Switches on the one with this id, and any other off. */
bool plant_set(const char *id);
bool plant_is_on(enum plant p);

#define PLANTED(id) plant_is_on(PLANT_##id)

#else

#define PLANTED(id) (PLANT_##id == PLANT_NONE)

#endif

#endif
