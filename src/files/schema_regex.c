#include "files/schema_impl.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>

/* A match costs what it costs in steps of the matcher; most need few. Who
 * needs many pays for it. */
#define STEPS_FEW 2000
#define STEPS_MAX 100000
#define WORK_FEW 20
#define WORK_MANY 5000
#define HEAP_KIB_MAX 8192
#define PATTERN_LEN_MAX 16384

struct regex {
    pcre2_code *code; /* in the schema's arena */
    struct slice text;
};

struct regex_run {
    pcre2_match_context *few, *many;
    pcre2_match_data *data;
};

/* ECMA-262 into PCRE2. */

struct pattern {
    struct slice in;
    size_t at;
    struct buf out;
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
        PCRE2_MATCH_UNSET_BACKREF;
    pcre2_general_context *memory = pcre2_general_context_create(take, give, a);
    pcre2_compile_context *ctx =
        memory == NULL ? NULL : pcre2_compile_context_create(memory);
    PCRE2_UCHAR what[120] = "";
    PCRE2_SIZE where;
    int rc;

    if (ctx == NULL)
        return SYNCLINE_ENOMEM;
    re->code = pcre2_compile(text.ptr, text.len, options, &rc, &where, ctx);
    if (re->code != NULL)
        return SYNCLINE_OK;
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

static pcre2_match_context *context(
    pcre2_general_context *memory, uint32_t steps)
{
    pcre2_match_context *ctx = pcre2_match_context_create(memory);

    if (ctx == NULL)
        return NULL;
    (void)pcre2_set_match_limit(ctx, steps);
    (void)pcre2_set_heap_limit(ctx, HEAP_KIB_MAX);
    return ctx;
}

int regex_run_new(struct regex_run **out)
{
    struct regex_run *run = calloc(1, sizeof *run);
    pcre2_general_context *memory =
        pcre2_general_context_create(heap_take, heap_give, NULL);

    if (run != NULL && memory != NULL) {
        run->few = context(memory, STEPS_FEW);
        run->many = context(memory, STEPS_MAX);
        run->data = pcre2_match_data_create(1, memory);
    }
    pcre2_general_context_free(memory);
    if (run == NULL || run->few == NULL || run->many == NULL ||
        run->data == NULL) {
        regex_run_free(run);
        return SYNCLINE_ENOMEM;
    }
    *out = run;
    return SYNCLINE_OK;
}

void regex_run_free(struct regex_run *run)
{
    if (run == NULL)
        return;
    pcre2_match_context_free(run->few);
    pcre2_match_context_free(run->many);
    pcre2_match_data_free(run->data);
    free(run);
}

static int match(struct regex_run *run, const struct regex *re,
    struct slice text, pcre2_match_context *ctx)
{
    /* Parsed JSON is valid UTF-8. */
    return pcre2_match(re->code, text.len > 0 ? text.ptr : (PCRE2_SPTR) "",
        text.len, 0, PCRE2_NO_UTF_CHECK, run->data, ctx);
}

int regex_matches(struct regex_run *run, const struct regex *re,
    struct slice text, bool *out, uint64_t *work)
{
    int rc = match(run, re, text, run->few);

    *work += WORK_FEW + text.len / 64;
    if (rc == PCRE2_ERROR_MATCHLIMIT) {
        *work += WORK_MANY;
        rc = match(run, re, text, run->many);
    }
    if (rc == PCRE2_ERROR_NOMEMORY)
        return SYNCLINE_ENOMEM;
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        return SYNCLINE_ELIMIT;
    *out = rc >= 0;
    return SYNCLINE_OK;
}
