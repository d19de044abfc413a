#include "app/answer.h"

int answer_status(const struct json *answer, struct errmsg *why)
{
    const struct slice code = json_get_str(answer, "code");
    const struct slice text = json_get_str(answer, "error");
    int rc = error_by_name(code);

    if (json_get_bool(answer, "ok", false) ||
        json_get_bool(answer, "more", false))
        return SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        rc = SYNCLINE_EIO;
    if (text.len == 0)
        return errmsg_set(why, rc, "the node refused (%.*s)", SLICE_FMT(code));
    return errmsg_set(why, rc, "%.*s", SLICE_FMT(text));
}

void put_refusal(struct buf *b, int rc, const struct errmsg *why)
{
    const char *text = why != NULL ? why->text : "";

    if (text[0] == 0)
        text = rc == SYNCLINE_ENOMEM ? "memory ran out" : "it failed";
    buf_clear(b);
    buf_printf(b, "{\"ok\":false,\"code\":\"%s\",\"error\":", error_name(rc));
    json_print_said(b, slice_str(text));
    buf_put_u8(b, '}');
}
