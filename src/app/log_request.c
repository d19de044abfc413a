#include "app/log_request.h"

#include "app/answer.h"

static void put_levels(
    struct buf *out, const char *name, const struct log_levels *levels)
{
    buf_printf(out, ",\"%s\":\"", name);
    log_levels_print(levels, out);
    buf_put_u8(out, '"');
}

static void put_state(struct buf *out, const struct log_levels *levels,
    const struct log_levels *configured)
{
    buf_put_str(out, "{\"ok\":true");
    put_levels(out, "levels", levels);
    put_levels(out, "configured", configured);
    buf_put_str(out, ",\"modules\":[");
    for (size_t i = 0; log_modules[i] != NULL; i++)
        buf_printf(out, "%s{\"name\":\"%s\",\"level\":\"%s\",\"own\":%s}",
            i > 0 ? "," : "", log_modules[i],
            log_level_name(log_levels_get(levels, log_modules[i])),
            levels->own[i] > 0 ? "true" : "false");
    buf_put_str(out, "]}");
}

static bool is_text(const struct json *v)
{
    return v != NULL && v->type == JSON_STRING;
}

int log_levels_change(struct log_levels *levels,
    const struct log_levels *configured, struct slice module, struct slice word,
    struct errmsg *why)
{
    enum log_level level;
    int rc;

    if (slice_is(word, "default") && module.len > 0)
        return log_levels_unset(levels, module, why);
    if (slice_is(word, "default")) {
        log_levels_copy(levels, configured);
        return SYNCLINE_OK;
    }
    rc = log_level_parse(&level, word, why);
    return rc == SYNCLINE_OK ? log_levels_set(levels, module, level, why) : rc;
}

static int change(struct log_levels *levels,
    const struct log_levels *configured, const struct json *request,
    struct errmsg *why)
{
    const struct json *module = json_get(request, "module");
    const struct slice name = json_get_str(request, "module");

    if (!is_text(json_get(request, "level")) ||
        (module != NULL && (!is_text(module) || name.len == 0)))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "level (error, warn, info, debug or default) is a text, and so is "
            "module, if there is one");
    return log_levels_change(
        levels, configured, name, json_get_str(request, "level"), why);
}

bool log_request(struct log_levels *levels, const struct log_levels *configured,
    const struct json *request, struct buf *out, bool *changed)
{
    const struct slice op = json_get_str(request, "op");
    struct errmsg why = { "" };

    *changed = false;
    if (slice_is(op, "log_level")) {
        if (change(levels, configured, request, &why) != SYNCLINE_OK) {
            put_refusal(out, SYNCLINE_EINVAL, &why);
            return true;
        }
        *changed = true;
    } else if (!slice_is(op, "log")) {
        return false;
    }
    put_state(out, levels, configured);
    return true;
}
