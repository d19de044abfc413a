#include "app/answer.h"

static const struct {
    const char *name;
    int code;
} codes[] = {
    { "ENOMEM", SYNCLINE_ENOMEM },
    { "EINVAL", SYNCLINE_EINVAL },
    { "EMALFORMED", SYNCLINE_EMALFORMED },
    { "ESHORT", SYNCLINE_ESHORT },
    { "ELIMIT", SYNCLINE_ELIMIT },
    { "ENOTFOUND", SYNCLINE_ENOTFOUND },
    { "EEXIST", SYNCLINE_EEXIST },
    { "ECONFLICT", SYNCLINE_ECONFLICT },
    { "EIO", SYNCLINE_EIO },
    { "EFULL", SYNCLINE_EFULL },
    { "ECORRUPT", SYNCLINE_ECORRUPT },
    { "EVERSION", SYNCLINE_EVERSION },
    { "EBUSY", SYNCLINE_EBUSY },
    { "EDENIED", SYNCLINE_EDENIED },
    { "ECLOSED", SYNCLINE_ECLOSED },
    { "ETIMEOUT", SYNCLINE_ETIMEOUT },
    { "EUNSUPPORTED", SYNCLINE_EUNSUPPORTED },
};

int answer_status(const struct json *answer, struct errmsg *why)
{
    const struct slice code = json_get_str(answer, "code");
    const struct slice text = json_get_str(answer, "error");
    int rc = SYNCLINE_EIO;

    if (json_get_bool(answer, "ok", false) ||
        json_get_bool(answer, "more", false))
        return SYNCLINE_OK;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (slice_is(code, codes[i].name))
            rc = codes[i].code;
    if (text.len == 0)
        return errmsg_set(why, rc, "the node refused (%.*s)", SLICE_FMT(code));
    return errmsg_set(why, rc, "%.*s", SLICE_FMT(text));
}

void put_refusal(struct buf *b, int rc, const struct errmsg *why)
{
    const char *name = "EIO", *text = why != NULL ? why->text : "";

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == rc)
            name = codes[i].name;
    if (text[0] == 0)
        text = rc == SYNCLINE_ENOMEM ? "memory ran out" : "it failed";
    buf_clear(b);
    buf_printf(b, "{\"ok\":false,\"code\":\"%s\",\"error\":", name);
    json_print_said(b, slice_str(text));
    buf_put_u8(b, '}');
}
