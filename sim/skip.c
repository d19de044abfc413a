#include "sim/skip.h"

#include <stdlib.h>

static bool take_number(const char **text, uint32_t *out)
{
    char *end;
    unsigned long long n = strtoull(*text, &end, 10);

    if (end == *text || **text < '0' || **text > '9' || n >= SKIP_MAX)
        return false;
    *text = end;
    *out = (uint32_t)n;
    return true;
}

bool skip_parse(struct bits *set, const char *text)
{
    for (;;) {
        uint32_t from, to;

        if (!take_number(&text, &from))
            return false;
        to = from;
        if (*text == '-') {
            text++;
            if (!take_number(&text, &to) || to < from)
                return false;
        }
        for (; from <= to; from++)
            (void)bits_add(set, from);
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

void skip_print(struct buf *out, const struct bits *set)
{
    uint32_t n = set->n * 64;
    bool any = false;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = i;

        if (!bits_has(set, i))
            continue;
        while (i + 1 < n && bits_has(set, i + 1))
            i++;
        buf_printf(out, "%s%u", any ? "," : "", from);
        if (i > from)
            buf_printf(out, "-%u", i);
        any = true;
    }
}
