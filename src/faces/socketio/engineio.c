#include "faces/socketio/engineio.h"

#include "base/text.h"
#include "core/json.h"

#define MARK 0x1e
#define FRONT 6 /* of a packet that waits: its length, its type, its kind */

int eio_read(struct eio_packet *out, struct slice text)
{
    if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] > '6')
        return SYNCLINE_EMALFORMED;
    *out = (struct eio_packet){ .type = (enum eio_type)(text.ptr[0] - '0'),
        .data = slice_from(text, 1) };
    return SYNCLINE_OK;
}

void eio_put(struct buf *b, const struct eio_packet *p)
{
    buf_put_u8(b, (uint8_t)('0' + p->type));
    buf_put_slice(b, p->data);
}

int eio_body_check(struct slice body, size_t packets_max)
{
    struct slice rest = body;
    size_t n = 1;

    while (rest.len > 0) {
        const uint8_t *at = memchr(rest.ptr, MARK, rest.len);

        if (at == NULL)
            break;
        if (++n > packets_max)
            return SYNCLINE_ELIMIT;
        rest = slice_from(rest, (size_t)(at - rest.ptr) + 1);
    }
    return utf8_valid(body) ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

bool eio_body_next(struct slice *rest, struct slice *piece)
{
    const uint8_t *at;

    if (rest->len == 0)
        return false;
    at = memchr(rest->ptr, MARK, rest->len);
    *piece =
        SLICE(rest->ptr, at != NULL ? (size_t)(at - rest->ptr) : rest->len);
    *rest = slice_from(*rest, at != NULL ? piece->len + 1 : rest->len);
    return true;
}

int eio_read_piece(
    struct eio_packet *out, struct slice piece, struct buf *bytes)
{
    int rc;

    if (piece.len == 0 || piece.ptr[0] != 'b')
        return eio_read(out, piece);
    piece = slice_from(piece, 1);
    for (int i = 0; i < 2 && piece.len % 4 != 1; i++)
        if (piece.len > 0 && piece.ptr[piece.len - 1] == '=')
            piece.len--;
    buf_clear(bytes);
    rc = base64_decode(bytes, piece);
    if (rc != SYNCLINE_OK)
        return rc;
    *out = (struct eio_packet){
        .type = EIO_MESSAGE, .is_binary = true, .data = buf_slice(bytes)
    };
    return SYNCLINE_OK;
}

static void put_piece(struct buf *b, const struct eio_packet *p)
{
    if (!p->is_binary) {
        eio_put(b, p);
        return;
    }
    buf_put_u8(b, 'b');
    put_base64(b, p->data);
    if (p->data.len % 3 > 0)
        buf_put_str(b, p->data.len % 3 == 1 ? "==" : "=");
}

/* ---- packets that wait ---- */

void eio_queue_free(struct eio_queue *q)
{
    buf_free(&q->bytes);
    q->n = 0;
}

void eio_queue_put(struct eio_queue *q, const struct eio_packet *p)
{
    uint8_t *to = buf_reserve(&q->bytes, FRONT + p->data.len);

    if (to == NULL)
        return;
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(p->data.len >> (8 * i));
    to[4] = (uint8_t)p->type;
    to[5] = p->is_binary;
    if (p->data.len > 0)
        memcpy(to + FRONT, p->data.ptr, p->data.len);
    q->bytes.len += FRONT + p->data.len;
    q->n++;
}

bool eio_queue_peek(const struct eio_queue *q, struct eio_packet *out)
{
    const uint8_t *at = q->bytes.ptr;
    size_t len = 0;

    if (q->n == 0)
        return false;
    for (int i = 0; i < 4; i++)
        len |= (size_t)at[i] << (8 * i);
    ENSURE(FRONT + len <= q->bytes.len);
    *out = (struct eio_packet){ .type = (enum eio_type)at[4],
        .is_binary = at[5] != 0,
        .data = SLICE(at + FRONT, len) };
    return true;
}

void eio_queue_drop(struct eio_queue *q)
{
    struct eio_packet p;

    if (!eio_queue_peek(q, &p))
        return;
    buf_consume(&q->bytes, FRONT + p.data.len);
    if (--q->n == 0)
        buf_free(&q->bytes);
}

void eio_queue_body(struct eio_queue *q, struct buf *body, size_t bytes_max)
{
    struct eio_packet p;

    for (int n = 0; n < EIO_PACKETS_MAX && eio_queue_peek(q, &p); n++) {
        size_t len = p.is_binary ? p.data.len / 3 * 4 + 5 : p.data.len + 1;

        if (n > 0 && body->len + 1 + len > bytes_max)
            return;
        if (n > 0)
            buf_put_u8(body, MARK);
        put_piece(body, &p);
        eio_queue_drop(q);
    }
}

/* ---- the first packet ---- */

void eio_put_open(struct buf *b, const struct eio_open *o)
{
    buf_put_str(b, "{\"sid\":");
    json_print_string(b, slice_str(o->sid), true);
    buf_printf(b,
        ",\"upgrades\":[%s],\"pingTimeout\":%llu,\"pingInterval\":%llu,"
        "\"maxPayload\":%zu}",
        o->upgrades ? "\"websocket\"" : "", (unsigned long long)o->timeout_ms,
        (unsigned long long)o->interval_ms, o->payload_max);
}

static bool is_sid(struct slice s, size_t room)
{
    if (s.len == 0 || s.len >= room)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

/* A number of an object, in ms or bytes; what is absent or absurd is taken to
 * be as usual. */
static uint64_t usual(const struct json *v, const char *key, uint64_t otherwise)
{
    int64_t n = json_get_int(v, key, 0);

    return n > 0 && n <= (int64_t)1 << 31 ? (uint64_t)n : otherwise;
}

int eio_read_open(struct eio_open *out, struct slice data)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    const struct json *list;
    struct slice sid;
    int rc = json_parse(&v, data, JSON_TOLERANT, &a, NULL);

    sid = rc == SYNCLINE_OK ? json_get_str(v, "sid") : SLICE_NONE;
    if (!is_sid(sid, sizeof out->sid)) {
        arena_free(&a);
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EMALFORMED;
    }
    *out = (struct eio_open){ .interval_ms = usual(v, "pingInterval", 25000),
        .timeout_ms = usual(v, "pingTimeout", 20000),
        .payload_max = usual(v, "maxPayload", EIO_PAYLOAD_MAX) };
    memcpy(out->sid, sid.ptr, sid.len);
    list = json_get(v, "upgrades");
    if (list != NULL && list->type == JSON_ARRAY)
        for (const struct json *e = list->first; e != NULL; e = e->next)
            out->upgrades |=
                e->type == JSON_STRING && slice_is(e->s, "websocket");
    arena_free(&a);
    return SYNCLINE_OK;
}
