/* Patterns as ECMA-262 has them, matched by PCRE2 in bounded time. */
#include "files/schema_impl.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>

/* What a match costs is counted where the matcher calls us, which it does at
 * each item of the pattern: its own limit begins anew at each character that a
 * match may start at, and a run of one item over many characters is one step
 * to it. */
#define STEPS_MAX 100000
#define STEPS_OF_WORK 20 /* a unit of work */
#define RUN 16           /* characters in a row that cost a step */
#define WORK_LEAST 20
#define HEAP_KIB_MAX 8192
#define PATTERN_LEN_MAX 16384

struct regex {
    pcre2_code *code; /* in the schema's arena */
    struct slice text;
    uint32_t repeats; /* at most, that an item must have */
    bool refers;      /* back to what a group took */
};

struct regex_run {
    pcre2_match_context *limits;
    pcre2_match_data *data;
    uint64_t steps, steps_max, each;
    size_t at; /* where the matcher was last */
};

/* ECMA-262 into PCRE2. */

struct pattern {
    struct slice in;
    size_t at;
    struct buf out;
    uint32_t repeats;
    const char *wrong; /* the first thing that is */
};

/* White space and line ends of ECMA-262. */
#define SPACES                                                       \
    "\\t\\n\\x0b\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}" \
    "\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_LINE_ENDS "[^\\n\\r\\x{2028}\\x{2029}]"

static int peek(const struct pattern *p, size_t ahead)
{
    return p->at + ahead < p->in.len ? p->in.ptr[p->at + ahead] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void wrong(struct pattern *p, const char *what)
{
    if (p->wrong == NULL)
        p->wrong = what;
    p->at = p->in.len;
}

/* n hexadecimal digits; -1 if that many are not there. */
static int32_t take_hex(struct pattern *p, unsigned n)
{
    int32_t v = 0;

    for (unsigned i = 0; i < n; i++) {
        int d = hex_value(peek(p, i));

        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    p->at += n;
    return v;
}

/* p is behind "\u". Two halves are one character. */
static void put_u(struct pattern *p)
{
    int32_t hi = -1, lo;

    if (peek(p, 0) == '{') {
        hi = 0;
        for (p->at++; hex_value(peek(p, 0)) >= 0 && hi <= 0x10ffff; p->at++)
            hi = hi << 4 | hex_value(peek(p, 0));
        if (peek(p, 0) != '}' || hi > 0x10ffff)
            hi = -1;
        p->at++;
    } else {
        hi = take_hex(p, 4);
    }
    if (hi >= 0xd800 && hi < 0xdc00 && peek(p, 0) == '\\' &&
        peek(p, 1) == 'u') {
        p->at += 2;
        lo = take_hex(p, 4);
        if (lo >= 0xdc00 && lo < 0xe000)
            hi = 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
    }
    if (hi < 0 || (hi >= 0xd800 && hi < 0xe000))
        wrong(p, "\\u names no character");
    else
        buf_printf(&p->out, "\\x{%x}", (unsigned)hi);
}

static const struct {
    const char *ecma, *pcre;
} properties[] = { { "Letter", "L" }, { "Lowercase_Letter", "Ll" },
    { "Uppercase_Letter", "Lu" }, { "Titlecase_Letter", "Lt" },
    { "Modifier_Letter", "Lm" }, { "Other_Letter", "Lo" }, { "Mark", "M" },
    { "Number", "N" }, { "Decimal_Number", "Nd" }, { "digit", "Nd" },
    { "Letter_Number", "Nl" }, { "Other_Number", "No" }, { "Punctuation", "P" },
    { "punct", "P" }, { "Symbol", "S" }, { "Math_Symbol", "Sm" },
    { "Currency_Symbol", "Sc" }, { "Separator", "Z" },
    { "Space_Separator", "Zs" }, { "Other", "C" }, { "Control", "Cc" } };

/* p is behind "\p" or "\P"; names are shortened to what PCRE2 knows. */
static void put_property(struct pattern *p, char letter)
{
    static const char *const kinds[] = {
        "General_Category=", "gc=", "Script=", "sc="
    };
    size_t n = 1;
    struct slice name;

    while (is_letter(peek(p, n)) || is_digit(peek(p, n)) || peek(p, n) == '_' ||
        peek(p, n) == '=')
        n++;
    if (peek(p, 0) != '{' || peek(p, n) != '}') {
        wrong(p, "\\p wants a property in braces");
        return;
    }
    name = SLICE(p->in.ptr + p->at + 1, n - 1);
    p->at += n + 1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_has_prefix(name, slice_str(kinds[i])))
            name = slice_from(name, strlen(kinds[i]));
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (slice_is(name, properties[i].ecma))
            name = slice_str(properties[i].pcre);
    buf_printf(&p->out, "\\%c{%.*s}", letter, SLICE_FMT(name));
}

static void put_reference(struct pattern *p)
{
    unsigned n = 0;

    for (; is_digit(peek(p, 0)) && n < 1000; p->at++)
        n = n * 10 + (unsigned)(peek(p, 0) - '0');
    buf_printf(&p->out, "\\g{%u}", n);
}

/* \k<name> */
static void put_name(struct pattern *p)
{
    buf_put_str(&p->out, "\\k");
    if (peek(p, 0) != '<')
        wrong(p, "\\k wants a name in <>");
    while (peek(p, 0) != '>' && p->at < p->in.len)
        buf_put_u8(&p->out, p->in.ptr[p->at++]);
}

static void put_letter(struct pattern *p, char c, bool in_class)
{
    static const char same[] = "dDwWfnrt";
    int32_t v;

    if (strchr(same, c) != NULL || c == 'b' || (c == 'B' && !in_class)) {
        buf_printf(&p->out, "\\%c", c);
    } else if (c == 's') {
        buf_put_str(&p->out, in_class ? SPACES : "[" SPACES "]");
    } else if (c == 'S') {
        buf_put_str(&p->out, in_class ? "\\S" : "[^" SPACES "]");
    } else if (c == 'v') {
        buf_put_str(&p->out, "\\x0b");
    } else if (c == 'u') {
        put_u(p);
    } else if (c == 'x') {
        v = take_hex(p, 2);
        if (v < 0)
            wrong(p, "\\x wants two hexadecimal digits");
        buf_printf(&p->out, "\\x{%x}", (unsigned)v & 0xff);
    } else if (c == 'c' && is_letter(peek(p, 0))) {
        buf_printf(&p->out, "\\x{%x}", (unsigned)peek(p, 0) & 31);
        p->at++;
    } else if (c == 'p' || c == 'P') {
        put_property(p, c);
    } else if (c == 'k' && !in_class) {
        put_name(p);
    } else {
        wrong(p, "a letter behind \\ that ECMA-262 gives no meaning");
    }
}

/* p is at a backslash. */
static void put_escape(struct pattern *p, bool in_class)
{
    int c = peek(p, 1);

    p->at += 2;
    if (c < 0) {
        wrong(p, "\\ at the end");
    } else if (is_letter(c)) {
        put_letter(p, (char)c, in_class);
    } else if (c == '0' && !is_digit(peek(p, 0))) {
        buf_put_str(&p->out, "\\x{0}");
    } else if (is_digit(c)) {
        p->at--;
        if (in_class || c == '0')
            wrong(p, "an octal escape");
        else
            put_reference(p);
    } else if (c >= 0x80 || c == '_') {
        buf_put_u8(&p->out, (uint8_t)c);
    } else {
        buf_put_u8(&p->out, '\\');
        buf_put_u8(&p->out, (uint8_t)c);
    }
}

/* p is at "[". */
static void put_class(struct pattern *p)
{
    buf_put_u8(&p->out, '[');
    p->at++;
    if (peek(p, 0) == '^') {
        buf_put_u8(&p->out, '^');
        p->at++;
    }
    while (peek(p, 0) != ']' && p->at < p->in.len) {
        if (peek(p, 0) == '\\') {
            put_escape(p, true);
            continue;
        }
        if (peek(p, 0) == '[') /* else it may begin a class of POSIX */
            buf_put_u8(&p->out, '\\');
        buf_put_u8(&p->out, p->in.ptr[p->at++]);
    }
    if (peek(p, 0) != ']')
        wrong(p, "[ without its ]");
    buf_put_u8(&p->out, ']');
    p->at++;
}

/* Bytes of the quantifier at p, 0 if there is none. */
static size_t quantifier(const struct pattern *p)
{
    size_t n = 1, digits;

    if (peek(p, 0) == '*' || peek(p, 0) == '+' || peek(p, 0) == '?')
        return 1;
    if (peek(p, 0) != '{')
        return 0;
    for (digits = n; is_digit(peek(p, n)); n++)
        ;
    if (n == digits)
        return 0;
    if (peek(p, n) == ',')
        for (n++; is_digit(peek(p, n)); n++)
            ;
    return peek(p, n) == '}' ? n + 1 : 0;
}

static void put_quantifier(struct pattern *p, size_t n)
{
    uint32_t least = 0;

    for (size_t i = 1; is_digit(peek(p, i)) && least < 100000; i++)
        least = least * 10 + (uint32_t)(peek(p, i) - '0');
    p->repeats = least > p->repeats ? least : p->repeats;
    buf_put(&p->out, p->in.ptr + p->at, n);
    p->at += n;
    if (peek(p, 0) == '?') {
        buf_put_u8(&p->out, '?');
        p->at++;
    }
    if (quantifier(p) > 0)
        wrong(p, "nothing to repeat");
}

/* p is at "(". */
static void put_group(struct pattern *p)
{
    int kind = peek(p, 2);

    if (peek(p, 1) == '*')
        wrong(p, "nothing to repeat");
    else if (peek(p, 1) == '?' && kind != ':' && kind != '=' && kind != '!' &&
        kind != '<')
        wrong(p, "a group that ECMA-262 does not know");
    buf_put_u8(&p->out, '(');
    p->at++;
    if (peek(p, 0) == '?') {
        buf_put_u8(&p->out, '?');
        p->at++;
    }
    if (quantifier(p) > 0)
        wrong(p, "nothing to repeat");
}

static void translate(struct pattern *p)
{
    while (p->at < p->in.len) {
        size_t n = quantifier(p);
        int c = peek(p, 0);

        if (n > 0) {
            put_quantifier(p, n);
        } else if (c == '\\') {
            put_escape(p, false);
        } else if (c == '[') {
            put_class(p);
        } else if (c == '(') {
            put_group(p);
        } else if (c == '.') {
            buf_put_str(&p->out, NOT_LINE_ENDS);
            p->at++;
        } else {
            if (c == '{')
                buf_put_u8(&p->out, '\\');
            buf_put_u8(&p->out, (uint8_t)c);
            p->at++;
        }
    }
}

/* Compiling. What PCRE2 takes for it lies in the arena. */

static void *take(size_t n, void *arena)
{
    return arena_alloc(arena, n);
}

static void give(void *p, void *arena)
{
    (void)p;
    (void)arena;
}

static int compile(
    struct regex *re, struct slice text, struct arena *a, struct errmsg *why)
{
    const uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
        PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
        PCRE2_MATCH_UNSET_BACKREF | PCRE2_AUTO_CALLOUT;
    uint32_t back = 0;
    pcre2_general_context *memory = pcre2_general_context_create(take, give, a);
    pcre2_compile_context *ctx =
        memory == NULL ? NULL : pcre2_compile_context_create(memory);
    PCRE2_UCHAR what[120] = "";
    PCRE2_SIZE where;
    int rc;

    if (ctx == NULL)
        return SYNCLINE_ENOMEM;
    re->code = pcre2_compile(text.ptr, text.len, options, &rc, &where, ctx);
    if (re->code != NULL) {
        (void)pcre2_pattern_info(re->code, PCRE2_INFO_BACKREFMAX, &back);
        re->refers = back > 0;
        return SYNCLINE_OK;
    }
    if (rc == PCRE2_ERROR_HEAP_FAILED)
        return SYNCLINE_ENOMEM;
    (void)pcre2_get_error_message(rc, what, sizeof what);
    return errmsg_set(why, SYNCLINE_EINVAL, "\"%.*s\" is no pattern: %s",
        SLICE_FMT(re->text), (const char *)what);
}

int regex_read(
    struct regex **out, struct slice text, struct arena *a, struct errmsg *why)
{
    struct regex *re = arena_zalloc(a, 1, sizeof *re);
    struct pattern p = { .in = text };
    int rc;

    if (re == NULL)
        return SYNCLINE_ENOMEM;
    if (text.len > PATTERN_LEN_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "a pattern of %zu bytes: at most %d are allowed", text.len,
            PATTERN_LEN_MAX);
    re->text = text;
    translate(&p);
    re->repeats = p.repeats;
    rc = buf_status(&p.out);
    if (rc == SYNCLINE_OK && p.wrong != NULL)
        rc = errmsg_set(why, SYNCLINE_EINVAL, "\"%.*s\" is no pattern: %s",
            SLICE_FMT(text), p.wrong);
    if (rc == SYNCLINE_OK)
        rc = compile(
            re, p.out.len > 0 ? buf_slice(&p.out) : SLICE_LIT(""), a, why);
    buf_free(&p.out);
    if (rc == SYNCLINE_OK)
        *out = re;
    return rc;
}

/* Matching. */

static void *heap_take(size_t n, void *ctx)
{
    (void)ctx;
    return malloc(n);
}

static void heap_give(void *p, void *ctx)
{
    (void)ctx;
    free(p);
}

/* Before an item is tried. Not counted are the characters that one looks at
 * in vain: as many as it must have, or as a group took. */
static int on_step(pcre2_callout_block *at, void *ctx)
{
    struct regex_run *run = ctx;
    const size_t now = at->current_position;

    run->steps += run->each + (now > run->at ? (now - run->at) / RUN : 0);
    run->at = now;
    return run->steps > run->steps_max ? PCRE2_ERROR_MATCHLIMIT : 0;
}

int regex_run_new(struct regex_run **out)
{
    struct regex_run *run = calloc(1, sizeof *run);
    pcre2_general_context *memory =
        pcre2_general_context_create(heap_take, heap_give, NULL);

    if (run != NULL && memory != NULL) {
        run->limits = pcre2_match_context_create(memory);
        run->data = pcre2_match_data_create(1, memory);
    }
    pcre2_general_context_free(memory);
    if (run == NULL || run->limits == NULL || run->data == NULL) {
        regex_run_free(run);
        return SYNCLINE_ENOMEM;
    }
    (void)pcre2_set_match_limit(run->limits, STEPS_MAX);
    (void)pcre2_set_heap_limit(run->limits, HEAP_KIB_MAX);
    (void)pcre2_set_callout(run->limits, on_step, run);
    *out = run;
    return SYNCLINE_OK;
}

void regex_run_free(struct regex_run *run)
{
    if (run == NULL)
        return;
    pcre2_match_context_free(run->limits);
    pcre2_match_data_free(run->data);
    free(run);
}

int regex_matches(struct regex_run *run, const struct regex *re,
    struct slice text, bool *out, uint64_t *work)
{
    int rc;

    run->at = run->steps = 0;
    run->steps_max = STEPS_MAX + 2 * (uint64_t)text.len;
    run->each = 1 + re->repeats / RUN + (re->refers ? text.len / RUN : 0);
    /* Parsed JSON is valid UTF-8. */
    rc = pcre2_match(re->code, text.len > 0 ? text.ptr : (PCRE2_SPTR) "",
        text.len, 0, PCRE2_NO_UTF_CHECK, run->data, run->limits);
    *work += WORK_LEAST + text.len / 64 + run->steps / STEPS_OF_WORK;
    if (rc == PCRE2_ERROR_NOMEMORY)
        return SYNCLINE_ENOMEM;
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        return SYNCLINE_ELIMIT;
    *out = rc >= 0;
    return SYNCLINE_OK;
}
