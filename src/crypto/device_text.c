/* The text form of a device id; declared in identity.h. */
#include "crypto/identity.h"

#include "base/text.h"

#define GROUPS 4
#define GROUP_LEN 13
#define DIGITS_N (GROUPS * GROUP_LEN)
#define TEXT_N (GROUPS * (GROUP_LEN + 1))

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static int value_of(char c)
{
    const char *at = memchr(alphabet, c, sizeof alphabet - 1);

    return at == NULL ? -1 : (int)(at - alphabet);
}

/* Luhn's scheme modulo 32: every other digit, from the right, counts double,
 * and a double of two digits counts their sum. Finds any wrong digit and
 * most swaps of neighbours. */
static char check_digit(const char *group)
{
    int sum = 0;

    for (int i = 0; i < GROUP_LEN; i++) {
        int v = value_of(group[i]);

        if (i % 2 == 0)
            v = v * 2 / 32 + v * 2 % 32;
        sum += v;
    }
    return alphabet[(32 - sum % 32) % 32];
}

static void digits_of(char out[DIGITS_N], const struct device_id *id)
{
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;

    for (size_t i = 0; i < DEVICE_ID_LEN; i++) {
        bits = bits << 8 | id->b[i];
        for (have += 8; have >= 5; have -= 5)
            out[n++] = alphabet[bits >> (have - 5) & 31];
    }
    out[n++] = alphabet[bits << (5 - have) & 31];
    ENSURE(n == DIGITS_N);
}

void device_id_format(char out[DEVICE_TEXT], const struct device_id *id)
{
    char digits[DIGITS_N];

    digits_of(digits, id);
    for (size_t i = 0; i < GROUPS; i++) {
        const char *group = digits + i * GROUP_LEN;

        memcpy(out, group, GROUP_LEN);
        out[GROUP_LEN] = check_digit(group);
        out[GROUP_LEN + 1] = i + 1 < GROUPS ? '-' : 0;
        out += GROUP_LEN + 2;
    }
}

void device_id_format_short(
    char out[DEVICE_SHORT_TEXT], const struct device_id *id)
{
    char digits[DIGITS_N];

    digits_of(digits, id);
    memcpy(out, digits, DEVICE_SHORT_TEXT - 1);
    out[DEVICE_SHORT_TEXT - 1] = 0;
}

/* Digits in upper case without what people put between them; how many, or
 * TEXT_N + 1 if there are too many. EMALFORMED on a foreign character. */
static int collect(
    char out[TEXT_N], size_t *n, struct slice text, struct errmsg *why)
{
    *n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.ptr[i];

        if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (value_of(c) < 0)
            return errmsg_set(why, SYNCLINE_EMALFORMED,
                "group %zu of the device id is mistyped: it has only letters "
                "and the digits 2 to 7",
                *n / (GROUP_LEN + 1) + 1);
        if (*n < TEXT_N)
            out[*n] = c;
        if (++*n > TEXT_N)
            break;
    }
    return SYNCLINE_OK;
}

static int to_bytes(struct device_id *out, const char digits[DIGITS_N])
{
    struct device_id id;
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;

    for (size_t i = 0; i < DIGITS_N; i++) {
        bits = bits << 5 | (uint32_t)value_of(digits[i]);
        have += 5;
        if (have >= 8) {
            have -= 8;
            id.b[n++] = (uint8_t)(bits >> have);
        }
    }
    if ((bits & ((1u << have) - 1)) != 0)
        return SYNCLINE_EMALFORMED;
    *out = id;
    return SYNCLINE_OK;
}

int device_id_parse(
    struct device_id *out, struct slice text, struct errmsg *why)
{
    char typed[TEXT_N], digits[DIGITS_N];
    size_t n;
    int rc = collect(typed, &n, text, why);

    if (rc != SYNCLINE_OK)
        return rc;
    if (n != TEXT_N)
        return errmsg_set(why, SYNCLINE_EMALFORMED,
            "a device id has %d letters and digits, this one %s", TEXT_N,
            n < TEXT_N ? "fewer" : "more");
    for (size_t i = 0; i < GROUPS; i++) {
        const char *group = typed + i * (GROUP_LEN + 1);

        if (check_digit(group) != group[GROUP_LEN])
            return errmsg_set(why, SYNCLINE_EMALFORMED,
                "group %zu of the device id is mistyped: %.*s", i + 1,
                GROUP_LEN + 1, group);
        memcpy(digits + i * GROUP_LEN, group, GROUP_LEN);
    }
    if (to_bytes(out, digits) != SYNCLINE_OK)
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "group 4 of the device id is mistyped");
    return SYNCLINE_OK;
}
