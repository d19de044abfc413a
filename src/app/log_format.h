/* log_format.h - how a line of the log is written: as text, as JSON, for the
 * journal of systemd.
 *
 * Pure. Law: a line is one line, and valid UTF-8, whatever a peer has brought
 * into its text. */
#ifndef SYNCLINE_APP_LOG_FORMAT_H
#define SYNCLINE_APP_LOG_FORMAT_H

#include "base/log.h"

struct log_record {
    uint64_t wall_us;
    enum log_level level;
    const char *module;
    struct slice text;             /* of an event: empty */
    const struct log_event *event; /* NULL: a line in words */
};

/* "2026-11-27T20:14:03.120Z warn  net: text" */
void log_put_text(struct buf *b, const struct log_record *r);
/* {"time","level","module","text"}, and of an event {"event","details","who"}
 * and maybe "repeated". */
void log_put_json(struct buf *b, const struct log_record *r);
/* An entry of the journal's protocol: a field a line. */
void log_put_journal(struct buf *b, const struct log_record *r);

#endif
