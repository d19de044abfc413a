#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const log_modules[] = { "access", "audit", "bootstrap", "clock",
    "configsync", "conn", "daemon", "discovery", "epochs", "files", "folder",
    "fork", "http", "hub", "isync", "join", "lansync", "mesh", "net", "node",
    "options", "peer", "relay", "resolve", LOG_SECURITY, "silence", "store",
    "tokens", NULL };

_Static_assert(sizeof log_modules / sizeof *log_modules <= LOG_MODULES_MAX,
    "struct log_levels has room for every module");

static const char *const level_names[LOG_LEVELS_N] = { "error", "warn", "info",
    "debug" };

static struct slice upto(struct slice s, size_t n)
{
    return SLICE(s.ptr, n < s.len ? n : s.len);
}

/* ---- levels ---- */

/* One byte each, read and written whole by whichever thread. */
static uint8_t load(const uint8_t *from)
{
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static void store(uint8_t *to, uint8_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELAXED);
}

static size_t module_index(struct slice name)
{
    size_t ix = 0;

    while (log_modules[ix] != NULL && !slice_is(name, log_modules[ix]))
        ix++;
    return ix;
}

enum log_level log_levels_get(const struct log_levels *l, const char *module)
{
    const uint8_t own = load(&l->own[module_index(slice_str(module))]);

    return (enum log_level)(own > 0 ? own - 1 : load(&l->rest));
}

void log_levels_copy(struct log_levels *l, const struct log_levels *from)
{
    store(&l->rest, load(&from->rest));
    for (size_t i = 0; i < LOG_MODULES_MAX; i++)
        store(&l->own[i], load(&from->own[i]));
}

static int no_module(struct slice name, struct errmsg *why)
{
    char known[300];
    size_t len = 0;

    for (size_t i = 0; log_modules[i] != NULL; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s",
            i > 0 ? ", " : "", log_modules[i]);
    return errmsg_set(why, SYNCLINE_EINVAL,
        "\"%.*s\" is no module of the log; there are %s",
        SLICE_FMT(upto(name, 40)), known);
}

int log_levels_set(struct log_levels *l, struct slice module,
    enum log_level level, struct errmsg *why)
{
    const size_t ix = module_index(module);

    if (module.len > 0 && log_modules[ix] == NULL)
        return no_module(module, why);
    if (module.len == 0)
        store(&l->rest, (uint8_t)level);
    else
        store(&l->own[ix], (uint8_t)(level + 1));
    return SYNCLINE_OK;
}

int log_levels_unset(
    struct log_levels *l, struct slice module, struct errmsg *why)
{
    const size_t ix = module_index(module);

    if (log_modules[ix] == NULL)
        return no_module(module, why);
    store(&l->own[ix], 0);
    return SYNCLINE_OK;
}

void log_levels_print(const struct log_levels *l, struct buf *out)
{
    buf_put_str(out, log_level_name((enum log_level)load(&l->rest)));
    for (size_t i = 0; log_modules[i] != NULL; i++)
        if (load(&l->own[i]) > 0)
            buf_printf(out, ",%s=%s", log_modules[i],
                log_level_name((enum log_level)(load(&l->own[i]) - 1)));
}

/* ---- words ---- */

static const struct {
    const char *word;
    enum log_level level;
} words[] = {
    { "error", LOG_LEVEL_ERROR },
    { "warn", LOG_LEVEL_WARN },
    { "info", LOG_LEVEL_INFO },
    { "debug", LOG_LEVEL_DEBUG },
    { "err", LOG_LEVEL_ERROR },
    { "critical", LOG_LEVEL_ERROR },
    { "crit", LOG_LEVEL_ERROR },
    { "fatal", LOG_LEVEL_ERROR },
    { "warning", LOG_LEVEL_WARN },
    { "notice", LOG_LEVEL_INFO },
    { "information", LOG_LEVEL_INFO },
    { "verbose", LOG_LEVEL_DEBUG },
    { "trace", LOG_LEVEL_DEBUG },
};

/* But for the size of its letters. */
static bool is_word(struct slice text, const char *word)
{
    if (text.len != strlen(word))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (uint8_t)word[i])
            return false;
    }
    return true;
}

int log_level_parse(enum log_level *out, struct slice word, struct errmsg *why)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(word, words[i].word)) {
            *out = words[i].level;
            return SYNCLINE_OK;
        }
    return errmsg_set(why, SYNCLINE_EINVAL,
        "\"%.*s\" is none of error|warn|info|debug", SLICE_FMT(upto(word, 40)));
}

static int parse_one(
    struct log_levels *l, struct slice item, bool *rest, struct errmsg *why)
{
    const uint8_t *equals = memchr(item.ptr, '=', item.len);
    const size_t name_len = equals != NULL ? (size_t)(equals - item.ptr) : 0;
    const struct slice word =
        equals != NULL ? slice_from(item, name_len + 1) : item;
    enum log_level level;
    int rc;

    if (equals != NULL && name_len == 0)
        return no_module(SLICE_NONE, why);
    if (equals == NULL && *rest)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "\"%.*s\" is a second level for all; name a module before it, as "
            "net=debug",
            SLICE_FMT(upto(item, 40)));
    rc = log_level_parse(&level, word, why);
    *rest = *rest || equals == NULL;
    return rc == SYNCLINE_OK
        ? log_levels_set(l, upto(item, name_len), level, why)
        : rc;
}

static bool separates(uint8_t c)
{
    return c == ',' || c == ' ' || c == '\t';
}

int log_levels_parse(
    struct log_levels *out, struct slice text, struct errmsg *why)
{
    struct log_levels l = { .rest = LOG_LEVEL_INFO };
    bool rest = false, any = false;

    while (text.len > 0) {
        size_t n = 0;

        while (n < text.len && !separates(text.ptr[n]))
            n++;
        if (n > 0) {
            int rc = parse_one(&l, upto(text, n), &rest, why);

            if (rc != SYNCLINE_OK)
                return rc;
            any = true;
        }
        text = slice_from(text, n < text.len ? n + 1 : n);
    }
    if (!any)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "no level; say error, warn, info or debug, and for a module "
            "net=debug");
    *out = l;
    return SYNCLINE_OK;
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < LOG_LEVELS_N ? level_names[level] : "?";
}

/* ---- lines ---- */

static bool is_wanted(
    const struct log *log, enum log_level level, const char *module)
{
    if (log == NULL || log->fn == NULL)
        return false;
    return level <= (log->levels != NULL ? log_levels_get(log->levels, module)
                                         : log->level);
}

void log_line(const struct log *log, enum log_level level, const char *module,
    const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (!is_wanted(log, level, module))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log->fn(log->ctx, level, module, text);
}

void log_security(
    const struct log *log, enum log_level level, const struct log_event *event)
{
    const struct slice who =
        slice_is(event->who, "{}") ? SLICE_NONE : event->who;
    char again[40] = "";

    if (!is_wanted(log, level, LOG_SECURITY))
        return;
    if (log->event != NULL) {
        log->event(log->ctx, level, event);
        return;
    }
    if (event->repeated > 0)
        (void)snprintf(again, sizeof again, ", %llu times more",
            (unsigned long long)event->repeated);
    log_line(log, level, LOG_SECURITY, "%s%s %.*s%s%.*s", event->kind, again,
        SLICE_FMT(event->details), who.len > 0 ? " by " : "", SLICE_FMT(who));
}
