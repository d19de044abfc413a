#include "files/binding.h"

#include "base/plant.h"
#include "files/binding_impl.h"

#include <stdio.h>
#include <stdlib.h>

/*  NOTHING --READ--> READING --read, gone, barred--> NOTHING
 *          --GET---> GETTING --item----------------> NOTHING
 *          --PUT---> PUTTING --put-----------------> NOTHING
 *          --WRITE-> WRITING --written-------------> NOTHING
 *          --RUN---> RUNNING --ran-----------------> NOTHING
 * In NOTHING: a file that was touched is read when it is quiet, an item that
 * has changed is fetched, and when both are known binding_decide says what is
 * to be done. */

#define QUIET_US ((uint64_t)100 * 1000)
#define QUIET_YAML_US ((uint64_t)1000 * 1000)
#define HOLD_US ((uint64_t)2000 * 1000)
#define BUSY_US ((uint64_t)5000 * 1000)
#define RETRY_US ((uint64_t)2000 * 1000)
#define RETRY_MAX_US ((uint64_t)300 * 1000 * 1000)

/* ---- shared ---- */

struct binding_effect *binding_emit(
    struct binding *b, enum binding_effect_type type)
{
    struct binding_effect *fx = &b->fx[b->fx_n];

    ENSURE(b->fx_n < FX_MAX);
    b->fx_n++;
    *fx = (struct binding_effect){ .type = type };
    return fx;
}

void binding_set_trouble(
    struct binding *b, enum binding_trouble which, const char *text)
{
    static const char *const heads[BINDING_TROUBLES_N] = {
        [BINDING_FILE_REFUSED] = "what it says is not published: ",
        [BINDING_ITEM_REFUSED] = "what came is not written: ",
    };

    b->trouble[which][0] = 0;
    if (text != NULL && text[0] != 0)
        (void)snprintf(b->trouble[which], sizeof b->trouble[which], "%s%.450s",
            heads[which] != NULL ? heads[which] : "", text);
}

int binding_copy(struct buf *to, struct slice from)
{
    buf_clear(to);
    buf_put_slice(to, from);
    return buf_status(to);
}

int binding_save(struct binding *b)
{
    buf_clear(&b->record);
    buf_put_str(&b->record, "{\"format\":1");
    if (b->has_base) {
        buf_put_str(&b->record, ",\"base\":");
        json_print_string(&b->record, buf_slice(&b->base), false);
    }
    if (b->has_next) {
        buf_put_str(&b->record, ",\"next\":");
        json_print_string(&b->record, buf_slice(&b->next), false);
    }
    buf_put_str(&b->record, "}\n");
    if (buf_status(&b->record) != SYNCLINE_OK)
        return buf_status(&b->record);
    for (size_t i = 0; i < b->fx_n; i++)
        if (b->fx[i].type == BINDING_FX_SAVE) { /* then that is of the past */
            b->fx[i].text = buf_slice(&b->record);
            return SYNCLINE_OK;
        }
    binding_emit(b, BINDING_FX_SAVE)->text = buf_slice(&b->record);
    return SYNCLINE_OK;
}

/* ---- making one ---- */

static int copy_local(struct binding *b, const struct local_parts *l)
{
    b->pointers = arena_zalloc(&b->kept, l->n + 1, sizeof *b->pointers);
    if (b->pointers == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        b->pointers[i] = arena_dup(&b->kept, l->pointers[i]);
        if (b->pointers[i].ptr == NULL)
            return SYNCLINE_ENOMEM;
    }
    b->opt.local = (struct local_parts){ b->pointers, l->n };
    return SYNCLINE_OK;
}

static uint64_t or_else(uint64_t value, uint64_t fallback)
{
    return value > 0 ? value : fallback;
}

int binding_new(struct binding **out, const struct binding_options *opt)
{
    struct binding *b = calloc(1, sizeof *b);

    if (b == NULL)
        return SYNCLINE_ENOMEM;
    b->opt = *opt;
    b->opt.quiet_us =
        or_else(opt->quiet_us, opt->yaml ? QUIET_YAML_US : QUIET_US);
    b->opt.hold_us = or_else(opt->hold_us, HOLD_US);
    b->opt.busy_us = or_else(opt->busy_us, BUSY_US);
    b->opt.retry_us = or_else(opt->retry_us, RETRY_US);
    b->pause_us = b->opt.retry_us;
    if (copy_local(b, &opt->local) != SYNCLINE_OK) {
        binding_free(b);
        return SYNCLINE_ENOMEM;
    }
    *out = b;
    return SYNCLINE_OK;
}

void binding_free(struct binding *b)
{
    if (b == NULL)
        return;
    arena_free(&b->kept);
    arena_free(&b->arena);
    buf_free(&b->file);
    buf_free(&b->item);
    buf_free(&b->context);
    buf_free(&b->base);
    buf_free(&b->next);
    buf_free(&b->version);
    buf_free(&b->before);
    buf_free(&b->after);
    buf_free(&b->changed);
    buf_free(&b->out);
    buf_free(&b->record);
    free(b);
}

static int load_text(struct buf *to, bool *has, const struct json *v)
{
    *has = v != NULL;
    return v != NULL ? binding_copy(to, v->s) : SYNCLINE_OK;
}

int binding_load(struct binding *b, struct slice record)
{
    const struct json *base, *next;
    struct json *v;
    int rc;

    arena_reset(&b->arena);
    rc = json_parse(&v, record, JSON_STRICT, &b->arena, NULL);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc != SYNCLINE_OK || json_get_int(v, "format", 0) != 1)
        return SYNCLINE_ECORRUPT;
    base = json_get(v, "base");
    next = json_get(v, "next");
    if ((base != NULL && base->type != JSON_STRING) ||
        (next != NULL && next->type != JSON_STRING))
        return SYNCLINE_ECORRUPT;
    rc = load_text(&b->base, &b->has_base, base);
    return rc == SYNCLINE_OK ? load_text(&b->next, &b->has_next, next) : rc;
}

/* ---- the file ---- */

static void read_at(struct binding *b, uint64_t pause_us)
{
    b->read_us = b->now_us + pause_us;
}

static uint64_t since_touched(const struct binding *b)
{
    return b->touched_us > 0 ? b->now_us - b->touched_us : 0;
}

/* Half of a YAML text is a document, too: who writes it bit by bit may close it
 * in between. */
static bool is_whole(const struct binding *b, enum binding_save save)
{
    return save == BINDING_SAVE_MOVED ||
        (save == BINDING_SAVE_CLOSED && !b->opt.yaml);
}

/* Who saves again and again is waited for, but the first time. */
static bool is_first(struct binding *b)
{
    const uint64_t before = b->whole_us;

    b->whole_us = b->now_us;
    return before == 0 || b->now_us - before >= b->opt.quiet_us;
}

static void touch(struct binding *b, enum binding_save save)
{
    const uint64_t left = b->opt.busy_us > since_touched(b)
        ? b->opt.busy_us - since_touched(b)
        : 0;

    if (b->touched_us == 0)
        b->touched_us = b->now_us;
    b->touched_again = true;
    b->hasty = is_whole(b, save) && is_first(b);
    read_at(b, b->hasty ? 0 : left < b->opt.quiet_us ? left : b->opt.quiet_us);
}

/* It is what it is: nobody is at it, or somebody who never rests. */
static void settle(struct binding *b, enum file_state state)
{
    b->due = b->due || b->file_state != state;
    b->file_state = state;
    b->pressed = b->touched_again;
    b->touched_us = b->touched_again ? b->now_us : 0;
    b->read_us = b->touched_again ? b->now_us + b->opt.quiet_us : 0;
    binding_set_trouble(b, BINDING_FILE_INVALID, NULL);
    binding_set_trouble(b, BINDING_FILE_MISSING, NULL);
    binding_set_trouble(b, BINDING_FILE_BARRED, NULL);
}

/* Is what was found there to be taken for what stays? */
static bool is_over(struct binding *b, uint64_t wait_us)
{
    if (b->touched_again && since_touched(b) < b->opt.busy_us)
        return false; /* by then it was touched again, which is awaited */
    if (since_touched(b) >= wait_us)
        return true;
    read_at(b, wait_us - since_touched(b));
    return false;
}

/* May it be something that is not all there yet, though it was saved in one
 * go? One setting at least: who makes a file anew may begin with "{}". */
static bool is_doubtful(const struct json *v)
{
    return (v->type != JSON_OBJECT && v->type != JSON_ARRAY) || v->n == 0;
}

static int on_read(struct binding *b, const struct binding_event *ev)
{
    const bool same = slice_eq(ev->text, buf_slice(&b->file));
    const bool hasty = b->hasty;
    struct errmsg why = { "" };
    char said[ERRMSG_MAX];
    struct json *v;
    int rc;

    b->doing = NOTHING;
    if (b->touched_again && since_touched(b) < b->opt.busy_us)
        return SYNCLINE_OK;
    b->hasty = false;
    if ((ev->busy && since_touched(b) < b->opt.busy_us) ||
        (hasty && !ev->alone)) {
        read_at(b, b->opt.quiet_us);
        return SYNCLINE_OK;
    }
    if (same && b->file_state == FILE_GOOD) {
        settle(b, FILE_GOOD);
        return SYNCLINE_OK;
    }
    rc = binding_shared(&v, b, ev->text, &b->arena, &why);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (hasty && (rc != SYNCLINE_OK || is_doubtful(v))) {
        read_at(b, b->opt.quiet_us);
        return SYNCLINE_OK;
    }
    if (rc != SYNCLINE_OK && !is_over(b, b->opt.hold_us))
        return SYNCLINE_OK;
    if (binding_copy(&b->file, ev->text) != SYNCLINE_OK) {
        b->file_state = FILE_UNKNOWN;
        return SYNCLINE_ENOMEM;
    }
    settle(b, rc == SYNCLINE_OK ? FILE_GOOD : FILE_TORN);
    b->due = true;
    b->retry_us = 0;
    (void)snprintf(said, sizeof said, "it is not taken: %.400s", why.text);
    if (rc != SYNCLINE_OK)
        binding_set_trouble(b, BINDING_FILE_INVALID, said);
    return SYNCLINE_OK;
}

static int on_gone(struct binding *b, const struct binding_event *ev)
{
    (void)ev;
    b->doing = NOTHING;
    b->hasty = b->hasty && b->touched_again;
    /* Who binds a file that is not there yet need not wait for it. */
    if (!is_over(b, b->has_base ? b->opt.hold_us : 0))
        return SYNCLINE_OK;
    settle(b, FILE_GONE);
    buf_clear(&b->file);
    if (b->has_base)
        binding_set_trouble(b, BINDING_FILE_MISSING,
            "it is gone, which changes nothing elsewhere; it is written again "
            "when its item changes, or by `syncline bind --restore`");
    return SYNCLINE_OK;
}

static int on_barred(struct binding *b, const struct binding_event *ev)
{
    b->doing = NOTHING;
    b->hasty = b->hasty && b->touched_again;
    if (!is_over(b, b->has_base ? b->opt.hold_us : 0))
        return SYNCLINE_OK;
    settle(b, FILE_BARRED);
    binding_set_trouble(b, BINDING_FILE_BARRED,
        ev->why != NULL ? ev->why : "it cannot be read");
    return SYNCLINE_OK;
}

static int on_start(struct binding *b, const struct binding_event *ev)
{
    (void)ev;
    b->touched_us = b->now_us;
    b->read_us = b->now_us;
    b->item_stale = true;
    return SYNCLINE_OK;
}

static int on_touched(struct binding *b, const struct binding_event *ev)
{
    touch(b, ev->save);
    return SYNCLINE_OK;
}

/* ---- the item ---- */

static int on_item_touched(struct binding *b, const struct binding_event *ev)
{
    (void)ev;
    b->item_stale = true;
    return SYNCLINE_OK;
}

static void try_again(struct binding *b)
{
    b->retry_us = b->now_us + b->pause_us;
    b->pause_us =
        b->pause_us < RETRY_MAX_US / 2 ? 2 * b->pause_us : RETRY_MAX_US;
}

static int on_item(struct binding *b, const struct binding_event *ev)
{
    const enum item_state state = ev->text.ptr != NULL ? ITEM_HERE : ITEM_NONE;
    char flaw[ERRMSG_MAX];

    b->doing = NOTHING;
    (void)snprintf(flaw, sizeof flaw, "%s", ev->why != NULL ? ev->why : "");
    if (ev->rc != SYNCLINE_OK) {
        binding_set_trouble(b, BINDING_ITEM_REFUSED, ev->why);
        b->item_stale = true;
        try_again(b);
        return SYNCLINE_OK;
    }
    if (state == b->item_state && strcmp(flaw, b->flaw) == 0 &&
        slice_eq(ev->context, buf_slice(&b->context)) &&
        slice_eq(ev->text, buf_slice(&b->item)))
        return SYNCLINE_OK;
    b->item_state = ITEM_UNKNOWN;
    if (binding_copy(&b->item, ev->text) != SYNCLINE_OK ||
        binding_copy(&b->context, ev->context) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    memcpy(b->flaw, flaw, sizeof b->flaw);
    b->item_state = state;
    b->due = true;
    b->retry_us = 0;
    return SYNCLINE_OK;
}

/* ---- what came of it ---- */

/* The two agree, and the file says it like this. */
static int agree(struct binding *b)
{
    int rc = binding_copy(&b->base, buf_slice(&b->file));

    b->has_base = rc == SYNCLINE_OK;
    b->has_next = false;
    b->pause_us = b->opt.retry_us;
    if (rc == SYNCLINE_OK)
        rc = binding_save(b);
    if (rc == SYNCLINE_OK)
        binding_emit(b, BINDING_FX_KEEP)->text = buf_slice(&b->file);
    return rc;
}

static int on_put(struct binding *b, const struct binding_event *ev)
{
    b->doing = NOTHING;
    b->due = true;
    b->item_stale = true;
    if (ev->rc == SYNCLINE_OK && !b->partly)
        return agree(b);
    if (ev->rc == SYNCLINE_OK || ev->rc == SYNCLINE_ECONFLICT)
        return SYNCLINE_OK;
    binding_set_trouble(b, BINDING_FILE_REFUSED, ev->why);
    try_again(b);
    return SYNCLINE_OK;
}

static int wrote(struct binding *b)
{
    const bool of_item = b->errand == APPLY || b->errand == RESTORE;
    int rc;

    if (of_item) { /* it may be taken back */
        rc = binding_copy(
            &b->before, b->has_base ? buf_slice(&b->base) : SLICE_NONE);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    rc = binding_copy(&b->file, buf_slice(&b->next));
    b->file_state = rc == SYNCLINE_OK ? FILE_GOOD : FILE_UNKNOWN;
    b->due = true;
    binding_set_trouble(b, BINDING_FILE_INVALID, NULL);
    binding_set_trouble(b, BINDING_FILE_MISSING, NULL);
    if (rc != SYNCLINE_OK)
        return rc;
    b->replace = b->replace && b->errand != REPLACE;
    b->restore = b->restore && b->errand != RESTORE;
    if (of_item) {
        b->run = b->opt.runs;
        b->reverted = false;
        rc = binding_copy(&b->after, buf_slice(&b->file));
        b->has_next = b->has_next && !PLANTED(M28);
        return rc == SYNCLINE_OK && !PLANTED(M28) ? agree(b) : rc;
    }
    b->has_next = false;
    if (!b->has_base)
        b->opt.prefer = PREFER_FILE; /* somebody has said so */
    if (b->errand == REVERT) {
        b->revert = false;
        b->run = b->reverted = true;
    }
    return SYNCLINE_OK;
}

static int on_written(struct binding *b, const struct binding_event *ev)
{
    b->doing = NOTHING;
    binding_set_trouble(b, BINDING_WRITE_FAILED, NULL);
    b->conflicts = ev->rc == SYNCLINE_ECONFLICT ? b->conflicts + 1 : 0;
    if (ev->rc == SYNCLINE_OK)
        return wrote(b);
    /* What it is now tells, too, if it was written. */
    b->due = true;
    touch(b, BINDING_SAVE_SOMEHOW);
    if (ev->rc == SYNCLINE_ECONFLICT) {
        b->has_next = false;
        if (b->conflicts > 1)
            binding_set_trouble(b, BINDING_WRITE_FAILED,
                "what came is not written as long as somebody has the file "
                "open for writing, or changes it again and again");
        return SYNCLINE_OK;
    }
    binding_set_trouble(b, BINDING_WRITE_FAILED, ev->why);
    try_again(b);
    return SYNCLINE_OK;
}

static int on_ran(struct binding *b, const struct binding_event *ev)
{
    char said[ERRMSG_MAX];
    const bool failed = ev->rc != SYNCLINE_OK;
    const bool goes_back =
        failed && b->opt.reverts && !b->reverted && b->before.len > 0;

    b->doing = NOTHING;
    b->due = true;
    (void)snprintf(said, sizeof said, "%.300s%s",
        ev->why != NULL ? ev->why : "the command failed",
        goes_back ? "; the change is taken back, everywhere" : "");
    if (!b->reverted) /* else what failed before still tells more */
        binding_set_trouble(b, BINDING_RUN_FAILED, failed ? said : NULL);
    b->revert = goes_back;
    return SYNCLINE_OK;
}

/* ---- what a person wants ---- */

static int on_replace(
    struct binding *b, const struct binding_event *ev, struct errmsg *why)
{
    struct json *v, *shared;
    int rc = binding_version(&v, b, ev->text, why);

    if (rc == SYNCLINE_OK)
        rc = local_strip(&shared, v, &b->opt.local, &b->arena, why);
    if (rc == SYNCLINE_OK)
        rc = binding_check(b, v, why);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EINVAL;
    rc = binding_copy(&b->version, ev->text);
    b->replace = rc == SYNCLINE_OK;
    b->due = true;
    return rc;
}

static int on_restore(struct binding *b, struct errmsg *why)
{
    if (b->item_state != ITEM_HERE)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "there is no item to make it of");
    if (b->file_state == FILE_BARRED)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s", b->trouble[BINDING_FILE_BARRED]);
    b->restore = true;
    b->due = true;
    return SYNCLINE_OK;
}

/* ---- steps ---- */

static int on_timer(struct binding *b, const struct binding_event *ev)
{
    (void)ev;
    if (b->retry_us > 0 && b->now_us >= b->retry_us) {
        b->retry_us = 0;
        b->due = true;
    }
    return SYNCLINE_OK;
}

static int take(
    struct binding *b, const struct binding_event *ev, struct errmsg *why)
{
    static int (*const handlers[])(
        struct binding * b, const struct binding_event *ev) = {
        [BINDING_START] = on_start,
        [BINDING_TOUCHED] = on_touched,
        [BINDING_READ] = on_read,
        [BINDING_GONE] = on_gone,
        [BINDING_BARRED] = on_barred,
        [BINDING_ITEM_TOUCHED] = on_item_touched,
        [BINDING_ITEM] = on_item,
        [BINDING_PUT] = on_put,
        [BINDING_WRITTEN] = on_written,
        [BINDING_RAN] = on_ran,
        [BINDING_TIMER] = on_timer,
    };

    if (ev->type == BINDING_REPLACE)
        return on_replace(b, ev, why);
    if (ev->type == BINDING_RESTORE)
        return on_restore(b, why);
    return handlers[ev->type](b, ev);
}

static bool begin(
    struct binding *b, enum doing doing, enum binding_effect_type fx)
{
    b->doing = doing;
    binding_emit(b, fx);
    return true;
}

/* What comes next, if nothing is under way. */
static int advance(struct binding *b)
{
    const bool held = b->retry_us > b->now_us;

    if (b->doing != NOTHING)
        return SYNCLINE_OK;
    if (b->read_us > 0 && b->now_us >= b->read_us) {
        b->touched_again = false;
        begin(b, READING, BINDING_FX_READ);
        return SYNCLINE_OK;
    }
    if (b->item_stale && !held) {
        b->item_stale = false;
        begin(b, GETTING, BINDING_FX_GET);
        return SYNCLINE_OK;
    }
    if (b->run && !b->item_stale) {
        b->run = false;
        begin(b, RUNNING, BINDING_FX_RUN);
        b->fx[b->fx_n - 1].text = buf_slice(&b->changed);
        b->fx[b->fx_n - 1].reverted = b->reverted;
        return SYNCLINE_OK;
    }
    if (!b->due || held || (b->read_us > 0 && !b->pressed) || b->item_stale ||
        b->file_state == FILE_UNKNOWN || b->item_state == ITEM_UNKNOWN)
        return SYNCLINE_OK;
    b->due = b->pressed = false;
    return binding_decide(b);
}

/* What is under way may end a trouble: that is not told before it has. */
static void tell(struct binding *b)
{
    if (b->doing != NOTHING)
        return;
    for (int i = 0; i < BINDING_TROUBLES_N; i++) {
        struct binding_effect *fx;

        if (strcmp(b->trouble[i], b->told[i]) == 0)
            continue;
        memcpy(b->told[i], b->trouble[i], sizeof b->told[i]);
        fx = binding_emit(b, BINDING_FX_TROUBLE);
        fx->trouble = (enum binding_trouble)i;
        fx->text = slice_str(b->told[i]);
    }
}

int binding_step(struct binding *b, const struct binding_event *ev,
    const struct binding_effect **fx, size_t *fx_n, struct errmsg *why)
{
    int rc;

    arena_reset(&b->arena);
    b->fx_n = 0;
    b->now_us = ev->now_us;
    rc = take(b, ev, why);
    if (rc == SYNCLINE_OK)
        rc = advance(b);
    if (rc == SYNCLINE_ENOMEM) {
        b->due = b->item_stale = true;
        if (b->doing == NOTHING) {
            touch(b, BINDING_SAVE_SOMEHOW);
            try_again(b);
        }
    }
    tell(b);
    *fx = b->fx;
    *fx_n = b->fx_n;
    return rc;
}

uint64_t binding_deadline_us(const struct binding *b)
{
    uint64_t due = UINT64_MAX;

    if (b->doing != NOTHING)
        return due;
    if (b->read_us > 0)
        due = b->read_us;
    if (b->retry_us > 0 && b->retry_us < due)
        due = b->retry_us;
    return due;
}

bool binding_is_quiet(const struct binding *b)
{
    return b->doing == NOTHING && b->read_us == 0 && !b->item_stale &&
        !b->due && !b->run && b->file_state != FILE_UNKNOWN &&
        b->item_state != ITEM_UNKNOWN;
}

bool binding_has_agreed(const struct binding *b)
{
    return b->has_base;
}

const char *binding_trouble(const struct binding *b, enum binding_trouble which)
{
    return b->told[which];
}

const char *binding_trouble_name(enum binding_trouble which)
{
    static const char *const names[BINDING_TROUBLES_N] = {
        [BINDING_UNDECIDED] = "file-undecided",
        [BINDING_NEITHER] = "file-nothing",
        [BINDING_FILE_INVALID] = "file-invalid",
        [BINDING_FILE_MISSING] = "file-missing",
        [BINDING_FILE_BARRED] = "file-barred",
        [BINDING_FILE_REFUSED] = "file-refused",
        [BINDING_ITEM_REFUSED] = "file-item-refused",
        [BINDING_ITEM_MISSING] = "file-item-deleted",
        [BINDING_WRITE_FAILED] = "file-write",
        [BINDING_RUN_FAILED] = "file-command",
    };

    return names[which];
}
