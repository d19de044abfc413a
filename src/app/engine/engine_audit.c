/* The audit log of a running node: what it tells goes to audit_log.h, by the
 * sync helper; where it ends is kept in the store. */
#include "app/engine/engine_impl.h"

#include "app/answer.h"

#include "base/text.h"
#include "io/clock.h"
#include "repl/keys.h"

#include <stdio.h>
#include <stdlib.h>

#define OWNER(job) \
    ((struct engine *)((char *)(job)-offsetof(struct engine, audit_job)))

/* ---- records ---- */

static void add(struct engine *e, const struct audit_entry *what, bool often)
{
    engine_errors_audited(e, what);
    if (e->audit != NULL) /* it is not being closed */
        audit_log_add(e->audit, clock_mono_us(), what, often);
}

void engine_audit(struct engine *e, const char *kind, struct slice details)
{
    const struct audit_entry what = { .wall_us = clock_wall_us(),
        .kind = kind,
        .who = SLICE_LIT("{}"),
        .details = details };

    add(e, &what, false);
}

static void put_asker(struct buf *b, const struct engine_asker *who)
{
    char from[NETADDR_TEXT];

    if (who->token[0] == 0 && who->uid != UINT32_MAX) {
        buf_printf(b, "{\"pid\":%ld,\"uid\":%lu}", (long)who->pid,
            (unsigned long)who->uid);
        return;
    }
    netaddr_format_ip(from, &who->from);
    buf_printf(b, "{\"address\":\"%s\"", from);
    if (who->token[0] != 0) /* else it is about to be let in */
        buf_printf(b, ",\"token\":\"%s\"", who->token);
    buf_put_u8(b, '}');
}

/* Whose request it was, or who is at the other end; else the node's own
 * doing. */
static void put_who(struct engine *e, const struct effect *fx, struct buf *b)
{
    const struct call *c =
        fx->request != 0 ? engine_call(e, fx->request) : NULL;
    char ip[NETADDR_TEXT];

    if (c != NULL) {
        put_asker(b, &c->asker);
    } else if (fx->conn != 0) {
        netaddr_format_ip(ip, &fx->remote);
        buf_printf(b, "{\"address\":\"%s\",\"device\":\"", ip);
        put_hex(b, device_slice(&fx->device));
        buf_put_str(b, "\"}");
    } else {
        buf_put_str(b, "{}");
    }
}

void engine_on_audit(struct engine *e, const struct effect *fx)
{
    struct audit_entry what = {
        .wall_us = clock_wall_us(), .kind = fx->kind, .details = fx->bytes
    };
    struct buf who = { 0 };

    put_who(e, fx, &who);
    what.who = buf_status(&who) == 0 ? buf_slice(&who) : SLICE_LIT("{}");
    add(e, &what, fx->often);
    buf_free(&who);
}

/* What has no name has its id; the reason need not say it again. */
static const char *put_device(struct engine *e, struct buf *b,
    const struct device_id *device, const char *reason)
{
    char name[DEVICE_SHORT_TEXT], begin[64];
    size_t len;

    if (device == NULL)
        return reason;
    buf_put_str(b, "\"device\":\"");
    put_hex(b, device_slice(device));
    buf_put_str(b, "\",\"name\":");
    json_print_string(b, node_name_of(e->node, device), false);
    buf_put_u8(b, ',');
    device_id_format_short(name, device);
    (void)snprintf(begin, sizeof begin, "device %s is ", name);
    len = strlen(begin);
    return strncmp(reason, begin, len) == 0 ? reason + len : reason;
}

void engine_on_refused(void *ctx, const struct netaddr *remote,
    const struct device_id *device, const char *reason)
{
    struct audit_entry what = { .wall_us = clock_wall_us(),
        .kind = "stranger" };
    struct buf who = { 0 }, details = { 0 };
    char ip[NETADDR_TEXT];

    netaddr_format_ip(ip, remote);
    buf_printf(&who, "{\"address\":\"%s\"}", ip);
    buf_put_u8(&details, '{');
    reason = put_device(ctx, &details, device, reason);
    buf_put_str(&details, "\"why\":");
    json_print_string(&details, slice_str(reason), false);
    buf_put_u8(&details, '}');
    what.who = buf_slice(&who);
    what.details = buf_slice(&details);
    if (buf_status(&who) == 0 && buf_status(&details) == 0)
        add(ctx, &what, true);
    buf_free(&who);
    buf_free(&details);
}

void engine_audit_login(
    struct engine *e, const struct netaddr *remote, const char *reason)
{
    struct audit_entry what = { .wall_us = clock_wall_us(), .kind = "login" };
    struct buf who = { 0 }, details = { 0 };
    char ip[NETADDR_TEXT];

    netaddr_format_ip(ip, remote);
    buf_printf(&who, "{\"address\":\"%s\"}", ip);
    buf_put_str(&details, "{\"why\":");
    json_print_string(&details, slice_str(reason), false);
    buf_put_u8(&details, '}');
    what.who = buf_slice(&who);
    what.details = buf_slice(&details);
    if (buf_status(&who) == 0 && buf_status(&details) == 0)
        add(e, &what, true);
    buf_free(&who);
    buf_free(&details);
}

/* Neither by a token nor on this machine's own socket: as often as he likes. */
static bool is_unknown(const struct engine_asker *asker)
{
    return asker != NULL && asker->token[0] == 0 && asker->pid < 0;
}

static void add_by(struct engine *e, const struct engine_asker *asker,
    const char *kind, struct slice details, bool often)
{
    struct audit_entry what = { .wall_us = clock_wall_us(),
        .kind = kind,
        .who = SLICE_LIT("{}"),
        .details = details };
    struct buf who = { 0 };

    if (asker != NULL)
        put_asker(&who, asker);
    if (asker != NULL && buf_status(&who) == SYNCLINE_OK)
        what.who = buf_slice(&who);
    add(e, &what, often);
    buf_free(&who);
}

void engine_audit_by(struct engine *e, const struct engine_asker *asker,
    const char *kind, struct slice details)
{
    add_by(e, asker, kind, details, is_unknown(asker));
}

void engine_audit_asked(struct engine *e, const struct call *c,
    const char *kind, const struct buf *details)
{
    if (buf_status(details) == SYNCLINE_OK)
        add_by(
            e, c != NULL ? &c->asker : NULL, kind, buf_slice(details), false);
}

void engine_audit_key(struct engine *e, const struct call *c)
{
    struct audit_entry what = { .wall_us = clock_wall_us(), .kind = "key" };
    struct errmsg why = { "" };
    struct buf who = { 0 };
    bool sealed = false;
    int rc = identity_file_is_sealed(e->dir, &sealed, &why);

    put_asker(&who, &c->asker);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&who);
    what.who = buf_slice(&who);
    what.details = sealed ? SLICE_LIT("{\"passphrase\":true}")
                          : SLICE_LIT("{\"passphrase\":false}");
    if (rc == SYNCLINE_OK) {
        add(e, &what, false);
        engine_audit_answer(e, c->id);
    } else {
        engine_answer(e, c->id,
            SLICE_LIT(REFUSAL("EIO", "the key's file cannot be read")), false);
    }
    buf_free(&who);
}

/* ---- who wants to know ---- */

const char *engine_audit_trouble(const struct engine *e)
{
    return e->audit != NULL ? audit_log_trouble(e->audit) : NULL;
}

void put_audit_status(const struct engine *e, struct buf *b)
{
    const char *trouble = engine_audit_trouble(e);

    buf_printf(b, "\"audit\":{\"records\":%llu,\"trouble\":",
        (unsigned long long)(e->audit != NULL ? audit_log_seq(e->audit) : 0));
    if (trouble != NULL)
        json_print_string(b, slice_str(trouble), false);
    else
        buf_put_str(b, "null");
    buf_put_str(b, "},");
}

static void answer(struct engine *e, uint64_t request)
{
    const struct audit_head *head = audit_log_durable(e->audit);
    const char *trouble = audit_log_trouble(e->audit);
    struct buf b = { 0 };

    buf_printf(&b, "{\"ok\":true,\"hash\":\"");
    put_hex(&b, SLICE(head->hash, SHA256_LEN));
    buf_printf(
        &b, "\",\"seq\":%llu,\"trouble\":", (unsigned long long)head->seq);
    if (trouble != NULL)
        json_print_string(&b, slice_str(trouble), false);
    else
        buf_put_str(&b, "null");
    buf_put_u8(&b, '}');
    engine_answer_buf(e, request, &b, SYNCLINE_OK, NULL);
}

static void answer_due(struct engine *e)
{
    struct audit_wait **at = &e->audit_waits;

    while (*at != NULL) {
        struct audit_wait *w = *at;

        if (w->seq > audit_log_durable(e->audit)->seq &&
            audit_log_trouble(e->audit) == NULL) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        answer(e, w->request);
        free(w);
    }
}

void engine_audit_answer(struct engine *e, uint64_t request)
{
    struct audit_wait *w = calloc(1, sizeof *w);

    if (w == NULL) {
        answer(e, request); /* of what is on the disk already */
        return;
    }
    *w =
        (struct audit_wait){ e->audit_waits, request, audit_log_seq(e->audit) };
    e->audit_waits = w;
    answer_due(e);
}

/* ---- the job ---- */

static void run_audit(struct helper_job *job)
{
    audit_log_run(OWNER(job)->audit);
}

/* Only a head whose records are on the disk goes into the store. */
static void keep_head(struct engine *e, const struct audit_head *head)
{
    struct event ev = { .type = EV_AUDITED };
    struct buf b = { 0 };

    put_audit_head(&b, head);
    ev.bytes = buf_slice(&b);
    if (buf_status(&b) == SYNCLINE_OK && e->node != NULL)
        engine_step(e, &ev);
    buf_free(&b);
}

static void done_audit(struct helper_job *job)
{
    struct engine *e = OWNER(job);

    if (audit_log_end(e->audit, clock_mono_us()))
        keep_head(e, audit_log_durable(e->audit));
    answer_due(e);
}

void engine_audit_turn(struct engine *e)
{
    if (e->failed ||
        !audit_log_begin(e->audit, clock_mono_us(), clock_wall_us()))
        return;
    helper_submit(e->sync_helper, &e->audit_job);
}

int engine_audit_open(struct engine *e)
{
    struct audit_log_options opt = { .dir = e->dir,
        .log = e->opt.log,
        .now_us = clock_mono_us(),
        .wall_us = clock_wall_us() };
    struct slice value;
    int rc = store_get(&e->port, TABLE_META, SLICE_LIT(META_AUDIT), &value);

    if (rc == SYNCLINE_OK)
        rc = get_audit_head(value, &opt.known);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        return rc;
    e->audit_job = (struct helper_job){ .run = run_audit, .done = done_audit };
    return audit_log_open(&e->audit, &opt);
}

void engine_audit_close(struct engine *e)
{
    struct audit_head head = { .seq = 0 }, kept;

    if (e->audit == NULL)
        return;
    kept = *audit_log_durable(e->audit);
    audit_log_close(e->audit, clock_mono_us(), clock_wall_us(), &head);
    e->audit = NULL;
    if (head.seq != kept.seq)
        keep_head(e, &head);
    while (e->audit_waits != NULL) {
        struct audit_wait *next = e->audit_waits->next;

        free(e->audit_waits);
        e->audit_waits = next;
    }
}
