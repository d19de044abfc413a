#include "faces/http/http_answer.h"

/* "" where nobody has asked for a name yet. */
static const char *name_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *name;
    } names[] = {
        { 100, "Continue" },
        { 101, "Switching Protocols" },
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 417, "Expectation Failed" },
        { 421, "Misdirected Request" },
        { 422, "Unprocessable Content" },
        { 426, "Upgrade Required" },
        { 428, "Precondition Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
        { 507, "Insufficient Storage" },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].status == status)
            return names[i].name;
    }
    return "";
}

void put_status_line(struct buf *b, unsigned status)
{
    buf_printf(b, "HTTP/1.1 %u %s\r\n", status, name_of(status));
}

/* As of doc/api.md. */
static const char *code_of(unsigned status)
{
    switch (status) {
    case 408:
        return "ETIMEOUT";
    case 413:
    case 414:
    case 431:
        return "ELIMIT";
    case 415:
    case 501:
    case 505:
        return "EUNSUPPORTED";
    default:
        return "EMALFORMED";
    }
}

void put_problem(struct buf *b, unsigned status, const char *detail)
{
    buf_printf(b,
        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,"
        "\"detail\":\"%s\",\"code\":\"%s\"}\n",
        name_of(status), status, detail, code_of(status));
}
