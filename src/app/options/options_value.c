/* options_value.c - from text to a value of an option's type, and back. */
#include "app/options/options_table.h"

#include "base/log.h"
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* The largest first; the first of equals is how it is written. */
static const struct unit duration_units[] = {
    { "d", INT64_C(86400000000) },
    { "h", INT64_C(3600000000) },
    { "m", INT64_C(60000000) },
    { "min", INT64_C(60000000) },
    { "s", INT64_C(1000000) },
    { "ms", INT64_C(1000) },
    { "us", INT64_C(1) },
    { NULL, 0 },
};

static const struct unit size_units[] = {
    { "GiB", INT64_C(1) << 30 },
    { "G", INT64_C(1) << 30 },
    { "MiB", INT64_C(1) << 20 },
    { "M", INT64_C(1) << 20 },
    { "KiB", INT64_C(1) << 10 },
    { "K", INT64_C(1) << 10 },
    { "", INT64_C(1) },
    { NULL, 0 },
};

static const struct unit int_units[] = { { "", INT64_C(1) }, { NULL, 0 } };

const char *option_wants(enum option_type type)
{
    static const char *const wants[] = {
        [OPTION_STR] = "a text",
        [OPTION_INT] = "a whole number",
        [OPTION_DURATION] = "a duration, as 250ms, 5s, 10m, 1h or 7d",
        [OPTION_SIZE] = "a size, as 512KiB, 64MiB or 1GiB",
        [OPTION_BOOL] = "true or false",
        [OPTION_ENUM] = "one of a few words",
        [OPTION_NAMES] = "a list of names",
        [OPTION_ADDRS] =
            "a list of addresses, as 192.0.2.7:4748 or [2001:db8::7]:4748",
        [OPTION_LOG] = "levels, as info or info,net=debug",
    };

    return wants[type];
}

const char *option_type_name(enum option_type type)
{
    static const char *const names[] = {
        [OPTION_STR] = "string",
        [OPTION_INT] = "integer",
        [OPTION_DURATION] = "duration",
        [OPTION_SIZE] = "size",
        [OPTION_BOOL] = "boolean",
        [OPTION_ENUM] = "enum",
        [OPTION_NAMES] = "names",
        [OPTION_ADDRS] = "addresses",
        [OPTION_LOG] = "levels",
    };

    return names[type];
}

static const struct unit *units_of(enum option_type type)
{
    if (type == OPTION_DURATION)
        return duration_units;
    return type == OPTION_SIZE ? size_units : int_units;
}

void option_print_number(struct buf *b, enum option_type type, int64_t number)
{
    const struct unit *u = units_of(type);

    if (number == 0 || type == OPTION_INT) {
        buf_printf(b, "%" PRId64, number);
        return;
    }
    while (number % u->factor != 0)
        u++;
    buf_printf(b, "%" PRId64 "%s", number / u->factor, u->name);
}

static int not_a(
    struct errmsg *why, const struct option_row *row, struct slice text)
{
    return errmsg_set(why, SYNCLINE_EINVAL, "\"%.*s\" is not %s",
        SLICE_FMT(text), option_wants(row->type));
}

static int out_of_range(
    struct errmsg *why, const struct option_row *row, struct slice text)
{
    struct buf b = { 0 };

    buf_put_str(&b, "must be between ");
    option_print_number(&b, row->type, row->min);
    buf_put_str(&b, " and ");
    option_print_number(&b, row->type, row->max);
    errmsg_set(why, SYNCLINE_EINVAL, "\"%.*s\" %.*s", SLICE_FMT(text),
        SLICE_FMT(buf_slice(&b)));
    buf_free(&b);
    return SYNCLINE_EINVAL;
}

/* Digits, then a unit; digits alone only if that is a unit, or for zero. */
static int parse_number(struct option_value *out, const struct option_row *row,
    struct slice text, struct errmsg *why)
{
    const struct unit *u = units_of(row->type);
    int64_t number = 0;
    bool over = false;
    size_t i = 0;

    for (; i < text.len && isdigit(text.ptr[i]); i++)
        over = over || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text.ptr[i] - '0', &number);
    while (u->name != NULL && !slice_is(slice_from(text, i), u->name))
        u++;
    if (i == 0 || (u->name == NULL && (i < text.len || number != 0)))
        return not_a(why, row, text);
    if (u->name != NULL)
        over = over || __builtin_mul_overflow(number, u->factor, &number);
    if (over || number < row->min || number > row->max)
        return out_of_range(why, row, text);
    out->number = number;
    return SYNCLINE_OK;
}

static bool is_word(struct slice text, const char *word)
{
    return text.len == strlen(word) &&
        strncasecmp((const char *)text.ptr, word, text.len) == 0;
}

static int parse_bool(struct option_value *out, const struct option_row *row,
    struct slice text, struct errmsg *why)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off",
        "on", "0", "1" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_word(text, words[i])) {
            out->number = (int64_t)(i % 2);
            return SYNCLINE_OK;
        }
    return not_a(why, row, text);
}

static int keep_text(
    const char **out, struct slice text, struct arena *a, struct errmsg *why)
{
    struct slice copy = arena_dup(a, text);

    if (copy.ptr == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    *out = (const char *)copy.ptr;
    return SYNCLINE_OK;
}

static int parse_enum(struct option_value *out, const struct option_row *row,
    struct slice text, struct arena *a, struct errmsg *why)
{
    const char *word = row->choices;

    while (*word != 0) {
        const size_t n = strcspn(word, "|");

        if (text.len == n && strncasecmp((const char *)text.ptr, word, n) == 0)
            return keep_text(&out->text, SLICE(word, n), a, why);
        word += n + (word[n] == '|');
    }
    return errmsg_set(why, SYNCLINE_EINVAL, "\"%.*s\" is none of %s",
        SLICE_FMT(text), row->choices);
}

static int parse_levels(struct option_value *out, struct slice text,
    struct arena *a, struct errmsg *why)
{
    struct log_levels levels;
    struct buf b = { 0 };
    int rc = log_levels_parse(&levels, text, why);

    if (rc != SYNCLINE_OK)
        return rc;
    log_levels_print(&levels, &b);
    rc = buf_status(&b) == SYNCLINE_OK
        ? keep_text(&out->text, buf_slice(&b), a, why)
        : errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    buf_free(&b);
    return rc;
}

static int parse_port(
    uint16_t *out, const struct option_row *row, struct slice text)
{
    uint32_t port = 0;

    if (text.len == 0 || text.len > 5)
        return SYNCLINE_EINVAL;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit(text.ptr[i]))
            return SYNCLINE_EINVAL;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (port > 65535 || port < (uint32_t)row->min)
        return SYNCLINE_EINVAL;
    *out = (uint16_t)port;
    return SYNCLINE_OK;
}

/* An address that has them elsewhere could not be written and read again. */
static bool has_bracket(struct slice host)
{
    return memchr(host.ptr, '[', host.len) != NULL ||
        memchr(host.ptr, ']', host.len) != NULL;
}

static bool has_control(struct slice host)
{
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] < 0x20 || host.ptr[i] == 0x7f)
            return true;
    return false;
}

/* host, host:port, [v6], [v6]:port; a bare v6 address has many colons. */
static int split_addr(struct slice text, struct slice *host, struct slice *port)
{
    const uint8_t *at;

    *port = SLICE_NONE;
    if (text.ptr[0] == '[') {
        at = memchr(text.ptr, ']', text.len);
        if (at == NULL)
            return SYNCLINE_EINVAL;
        *host = SLICE(text.ptr + 1, (size_t)(at - text.ptr) - 1);
        at++;
        if (at == text.ptr + text.len)
            return SYNCLINE_OK;
    } else {
        at = memchr(text.ptr, ':', text.len);
        *host = text;
        if (at == NULL ||
            memchr(at + 1, ':', text.len - (size_t)(at + 1 - text.ptr)))
            return SYNCLINE_OK;
        host->len = (size_t)(at - text.ptr);
    }
    if (*at != ':')
        return SYNCLINE_EINVAL;
    *port = SLICE(at + 1, text.len - (size_t)(at + 1 - text.ptr));
    return port->len == 0 ? SYNCLINE_EINVAL : SYNCLINE_OK;
}

static int parse_addr(struct option_item *out, const struct option_row *row,
    struct slice text, struct arena *a, struct errmsg *why)
{
    struct slice host, port;
    struct buf b = { 0 };
    const unsigned usual = row->port != 0 ? row->port : OPTIONS_PORT;
    int rc;

    out->addr.port = (uint16_t)usual;
    if (split_addr(text, &host, &port) != SYNCLINE_OK || host.len == 0 ||
        has_bracket(host) || has_control(host) ||
        (port.len > 0 && parse_port(&out->addr.port, row, port)))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "\"%.*s\" is not an address, as 192.0.2.7:%u or "
            "[2001:db8::7]:%u",
            SLICE_FMT(text), usual, usual);
    buf_printf(&b, memchr(host.ptr, ':', host.len) ? "[%.*s]:%u" : "%.*s:%u",
        SLICE_FMT(host), (unsigned)out->addr.port);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = keep_text(&out->text, buf_slice(&b), a, why);
    if (rc == SYNCLINE_OK)
        rc = keep_text(&out->addr.host, host, a, why);
    buf_free(&b);
    return rc;
}

static int append_item(struct option_value *out, const struct option_row *row,
    struct slice text, struct arena *a, struct errmsg *why)
{
    struct option_item *items = arena_zalloc(a, out->n + 1, sizeof *items);
    int rc;

    if (items == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    if (out->n > 0)
        memcpy(items, out->items, out->n * sizeof *items);
    rc = row->type == OPTION_ADDRS
        ? parse_addr(&items[out->n], row, text, a, why)
        : keep_text(&items[out->n].text, text, a, why);
    if (rc != SYNCLINE_OK)
        return rc;
    out->items = items;
    out->n++;
    return SYNCLINE_OK;
}

static bool separates(uint8_t c)
{
    return c == ',' || c == ' ' || c == '\t';
}

static int parse_list(struct option_value *out, const struct option_row *row,
    struct slice text, struct arena *a, struct errmsg *why)
{
    size_t i = 0;

    while (i < text.len) {
        size_t start = i;

        while (i < text.len && !separates(text.ptr[i]))
            i++;
        if (i > start) {
            int rc = append_item(
                out, row, SLICE(text.ptr + start, i - start), a, why);
            if (rc != SYNCLINE_OK)
                return rc;
        }
        i++;
    }
    return SYNCLINE_OK;
}

int option_parse(struct option_value *out, const struct option_row *row,
    struct slice text, struct arena *a, struct errmsg *why)
{
    if (!utf8_valid(text) ||
        memchr(text.len ? text.ptr : (const void *)"", 0, text.len) != NULL)
        return errmsg_set(why, SYNCLINE_EINVAL, "the value is not UTF-8 text");
    /* By another name there is none, for which a face would wait for ever, or
     * one of the mesh's own. */
    if (row->is_space && !text_is_name(text))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "\"%.*s\": a space's name " TEXT_NAME_RULE, SLICE_FMT(text));
    switch (row->type) {
    case OPTION_STR:
        return keep_text(&out->text, text, a, why);
    case OPTION_BOOL:
        return parse_bool(out, row, text, why);
    case OPTION_ENUM:
        return parse_enum(out, row, text, a, why);
    case OPTION_LOG:
        return parse_levels(out, text, a, why);
    case OPTION_NAMES:
    case OPTION_ADDRS:
        return parse_list(out, row, text, a, why);
    default:
        return parse_number(out, row, text, why);
    }
}
