#include "faces/socketio/socketio.h"

#define ID_MAX ((uint64_t)1 << 53)

/* Digits at *s, which goes on behind them. */
static int read_number(struct slice *s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    while (s->len > 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9') {
        v = v * 10 + (uint64_t)(s->ptr[0] - '0');
        if (v > max)
            return SYNCLINE_ELIMIT;
        *s = slice_from(*s, 1);
    }
    *out = v;
    return SYNCLINE_OK;
}

static bool is_binary(enum sio_type type)
{
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

static int read_attachments(struct sio_packet *p, struct slice *s)
{
    struct slice rest = *s;
    uint64_t n = 0;
    int rc = read_number(&rest, SIO_ATTACHMENTS_MAX, &n);

    if (rc != SYNCLINE_OK)
        return rc;
    if (rest.len == s->len || rest.len == 0 || rest.ptr[0] != '-')
        return SYNCLINE_EMALFORMED;
    p->attachments = (uint32_t)n;
    *s = slice_from(rest, 1);
    return SYNCLINE_OK;
}

/* Up to the comma, or to the end, if there is nothing behind it. */
static int read_nsp(struct sio_packet *p, struct slice *s)
{
    const uint8_t *comma, *query;
    size_t n;

    p->nsp = SLICE_LIT("/");
    if (s->len == 0 || s->ptr[0] != '/')
        return SYNCLINE_OK;
    comma = memchr(s->ptr, ',', s->len);
    n = comma != NULL ? (size_t)(comma - s->ptr) : s->len;
    p->nsp = SLICE(s->ptr, n);
    query = memchr(s->ptr, '?', n);
    if (query != NULL)
        p->nsp.len = (size_t)(query - s->ptr);
    *s = slice_from(*s, comma != NULL ? n + 1 : n);
    return p->nsp.len > SIO_NAMESPACE_MAX ? SYNCLINE_ELIMIT : SYNCLINE_OK;
}

int sio_read(struct sio_packet *out, struct slice text)
{
    struct sio_packet p = { .id = 0 };
    struct slice before;
    int rc = SYNCLINE_OK;

    if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] > '6')
        return SYNCLINE_EMALFORMED;
    p.type = (enum sio_type)(text.ptr[0] - '0');
    text = slice_from(text, 1);
    if (is_binary(p.type))
        rc = read_attachments(&p, &text);
    if (rc == SYNCLINE_OK)
        rc = read_nsp(&p, &text);
    if (rc != SYNCLINE_OK)
        return rc;
    before = text;
    rc = read_number(&text, ID_MAX, &p.id);
    p.has_id = text.len < before.len;
    p.json = text;
    if (rc == SYNCLINE_OK)
        *out = p;
    return rc;
}

void sio_put(struct buf *b, const struct sio_packet *p)
{
    buf_put_u8(b, (uint8_t)('0' + p->type));
    if (is_binary(p->type))
        buf_printf(b, "%u-", (unsigned)p->attachments);
    if (!slice_is(p->nsp, "/")) {
        buf_put_slice(b, p->nsp);
        buf_put_u8(b, ',');
    }
    if (p->has_id)
        buf_printf(b, "%llu", (unsigned long long)p->id);
    buf_put_slice(b, p->json);
}

int sio_event_read(
    struct sio_event *out, const struct sio_packet *p, struct arena *a)
{
    const bool is_ack = p->type == SIO_ACK || p->type == SIO_BINARY_ACK;
    const struct json *first;
    struct json *v = NULL;
    int rc = json_parse(&v, p->json, JSON_TOLERANT, a, NULL);

    if (rc != SYNCLINE_OK)
        return rc;
    if (v->type != JSON_ARRAY)
        return SYNCLINE_EMALFORMED;
    *out = (struct sio_event){ .name = SLICE_LIT(""),
        .first = v->n > 0 ? v->first : NULL,
        .n = v->n,
        .text = p->json };
    if (is_ack)
        return SYNCLINE_OK;
    first = out->first;
    if (first == NULL || first->type != JSON_STRING)
        return SYNCLINE_EMALFORMED;
    if (first->s.len > SIO_NAME_MAX)
        return SYNCLINE_ELIMIT;
    out->name = first->s;
    out->first = first->next;
    out->n--;
    out->wants_ack = p->has_id;
    return SYNCLINE_OK;
}

void sio_put_event(
    struct buf *b, struct slice name, struct slice args, const uint64_t *id)
{
    buf_put_u8(b, '0' + SIO_EVENT);
    if (id != NULL)
        buf_printf(b, "%llu", (unsigned long long)*id);
    buf_put_u8(b, '[');
    json_print_string(b, name, true);
    if (args.len > 0) {
        buf_put_u8(b, ',');
        buf_put_slice(b, args);
    }
    buf_put_u8(b, ']');
}
