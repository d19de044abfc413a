#include "faces/http/ws.h"

#include <stdlib.h>

#include <wslay/wslay.h>

#include "base/plant.h"
#include "base/text.h"
#include "crypto/sha1.h"
#include "faces/deflate.h"

struct ws {
    struct ws_events events;
    wslay_event_context_ptr wslay;
    struct slice in; /* during ws_feed */
    size_t message_max;
    uint16_t large_code; /* says that a message is larger */
    struct buf message;
    unsigned frames; /* of the message */
    bool is_control; /* the frame that comes */
    bool is_text, is_deflated;
    uint8_t window_bits; /* of what is sent; 0: nothing is compressed */
    bool is_broken;      /* a frame was no frame */
    bool is_ours;        /* the close: the other's is awaited */
    int failed;          /* in a callback */
};

int ws_accept(struct buf *out, struct slice key)
{
    uint8_t digest[SHA1_LEN];
    struct buf said = { 0 };
    int rc;

    buf_put_slice(&said, key);
    buf_put_str(&said, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    rc = buf_status(&said);
    if (rc == SYNCLINE_OK)
        rc = crypto_sha1(digest, buf_slice(&said));
    buf_free(&said);
    if (rc != SYNCLINE_OK)
        return rc;
    put_base64(out, SLICE(digest, sizeof digest));
    buf_put_str(out, "=");
    return buf_status(out);
}

static ssize_t on_read(wslay_event_context_ptr wslay, uint8_t *to, size_t max,
    int flags, void *user)
{
    struct ws *w = user;
    size_t n = w->in.len < max ? w->in.len : max;

    (void)flags;
    if (n == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(to, w->in.ptr, n);
    w->in = slice_from(w->in, n);
    return (ssize_t)n;
}

static ssize_t on_write(wslay_event_context_ptr wslay, const uint8_t *p,
    size_t n, int flags, void *user)
{
    struct ws *w = user;

    (void)flags;
    if (w->failed == SYNCLINE_OK)
        w->failed = w->events.send(w->events.ctx, SLICE(p, n));
    if (w->failed == SYNCLINE_OK)
        return (ssize_t)n;
    wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

/* Says why, and hears no more. */
static void refuse(struct ws *w, unsigned code)
{
    int rc = wslay_event_queue_close(w->wslay, (uint16_t)code, NULL, 0);

    if (rc != 0 && rc != WSLAY_ERR_NO_MORE_MSG)
        w->failed = SYNCLINE_ENOMEM;
    wslay_event_shutdown_read(w->wslay);
}

static void on_frame(wslay_event_context_ptr wslay,
    const struct wslay_event_on_frame_recv_start_arg *arg, void *user)
{
    struct ws *w = user;

    (void)wslay;
    w->is_control = wslay_is_ctrl_frame(arg->opcode);
    if (w->is_control)
        return;
    if (arg->opcode != WSLAY_CONTINUATION_FRAME) {
        w->is_text = arg->opcode == WSLAY_TEXT_FRAME;
        w->is_deflated = wslay_get_rsv1(arg->rsv) != 0;
    }
    if (++w->frames > WS_FRAGMENTS_MAX && !PLANTED(R35_FRAMES))
        refuse(w, WSLAY_CODE_POLICY_VIOLATION);
    else if (arg->payload_length > w->message_max - w->message.len)
        refuse(w, w->large_code);
}

static void on_piece(wslay_event_context_ptr wslay,
    const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user)
{
    struct ws *w = user;

    if (w->is_control || !wslay_event_get_read_enabled(wslay))
        return;
    buf_put(&w->message, arg->data, arg->data_length);
    if (buf_status(&w->message) == SYNCLINE_OK)
        return;
    w->failed = buf_status(&w->message);
    wslay_event_shutdown_read(wslay);
}

/* In place of what came, which may be much less. False: it was refused. */
static bool inflate_message(struct ws *w)
{
    struct buf plain = { 0 };
    int rc = ws_inflate(&plain, buf_slice(&w->message),
        PLANTED(R31_INFLATED) ? (size_t)1 << 28 : w->message_max);

    buf_free(&w->message);
    w->message = plain;
    if (rc == SYNCLINE_OK && w->is_text && !utf8_valid(buf_slice(&plain)))
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_ELIMIT)
        refuse(w, w->large_code);
    else if (rc == SYNCLINE_EMALFORMED)
        refuse(w, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA);
    else if (rc != SYNCLINE_OK && w->failed == SYNCLINE_OK)
        w->failed = rc;
    return rc == SYNCLINE_OK;
}

static void on_whole(wslay_event_context_ptr wslay,
    const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
    struct ws *w = user;

    /* The pong is queued; what comes behind may end all. */
    if (arg->opcode == WSLAY_PING && wslay_event_send(wslay) != 0 &&
        w->failed == SYNCLINE_OK)
        w->failed = SYNCLINE_ENOMEM;
    if (wslay_is_ctrl_frame(arg->opcode))
        return;
    if (w->failed == SYNCLINE_OK && wslay_event_get_read_enabled(wslay) &&
        (!w->is_deflated || inflate_message(w)))
        w->events.on_message(w->events.ctx, w->is_text, buf_slice(&w->message));
    buf_free(&w->message);
    w->frames = 0;
}

static int on_mask(
    wslay_event_context_ptr wslay, uint8_t *to, size_t n, void *user)
{
    struct ws *w = user;

    if (w->failed == SYNCLINE_OK)
        w->failed = w->events.mask(w->events.ctx, to, n);
    if (w->failed == SYNCLINE_OK)
        return 0;
    wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

int ws_new(struct ws **out, const struct ws_events *events, size_t message_max)
{
    const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_read,
        .send_callback = on_write,
        .genmask_callback = on_mask,
        .on_frame_recv_start_callback = on_frame,
        .on_frame_recv_chunk_callback = on_piece,
        .on_msg_recv_callback = on_whole,
    };
    struct ws *w = calloc(1, sizeof *w);
    int rc;

    if (w == NULL)
        return SYNCLINE_ENOMEM;
    w->events = *events;
    w->message_max = message_max;
    w->large_code = WSLAY_CODE_MESSAGE_TOO_BIG;
    rc = events->mask != NULL
        ? wslay_event_context_client_init(&w->wslay, &callbacks, w)
        : wslay_event_context_server_init(&w->wslay, &callbacks, w);
    if (rc != 0) {
        free(w);
        return SYNCLINE_ENOMEM;
    }
    /* It would take the memory for a frame when its length is told. */
    wslay_event_config_set_no_buffering(w->wslay, 1);
    /* on_frame does it, and says what it likes. */
    wslay_event_config_set_max_recv_msg_length(w->wslay, UINT64_MAX);
    *out = w;
    return SYNCLINE_OK;
}

void ws_compress(struct ws *w, const struct ws_deflate *as)
{
    w->window_bits = as->window_bits;
    wslay_event_config_set_allowed_rsv_bits(w->wslay, WSLAY_RSV1_BIT);
}

void ws_close_large(struct ws *w, uint16_t code)
{
    w->large_code = code;
}

void ws_free(struct ws *w)
{
    if (w == NULL)
        return;
    wslay_event_context_free(w->wslay);
    buf_free(&w->message);
    free(w);
}

size_t ws_held(const struct ws *w)
{
    return w->message.cap;
}

/* Sends what is queued. rc: of the call of wslay before. */
static int flush(struct ws *w, int rc)
{
    if (rc == WSLAY_ERR_NO_MORE_MSG)
        rc = 0; /* it is closing */
    if (rc == 0 && w->failed == SYNCLINE_OK)
        rc = wslay_event_send(w->wslay);
    if (w->failed == SYNCLINE_OK && rc != 0)
        w->failed = SYNCLINE_ENOMEM;
    return w->failed;
}

/* Of what is wrong with a frame itself wslay only says that it failed, and
 * would close without a code. */
static int break_off(struct ws *w)
{
    uint8_t frame[] = { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xea };
    int rc;

    w->is_broken = true;
    if (wslay_event_get_close_sent(w->wslay))
        return w->failed;
    if (w->events.mask == NULL) {
        w->failed =
            w->events.send(w->events.ctx, SLICE_LIT("\x88\x02\x03\xea"));
        return w->failed;
    }
    rc = w->events.mask(w->events.ctx, frame + 2, 4);
    frame[6] ^= frame[2];
    frame[7] ^= frame[3];
    if (rc == SYNCLINE_OK)
        rc = w->events.send(w->events.ctx, SLICE(frame, sizeof frame));
    w->failed = rc;
    return rc;
}

int ws_feed(struct ws *w, struct slice in)
{
    int rc;

    w->in = in;
    rc = wslay_event_recv(w->wslay);
    w->in = SLICE_NONE;
    if (rc == WSLAY_ERR_CALLBACK_FAILURE && w->failed == SYNCLINE_OK)
        return break_off(w);
    return flush(w, rc);
}

static int send_plain(struct ws *w, bool text, struct slice message)
{
    const struct wslay_event_msg m = {
        .opcode = text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
        .msg = message.ptr,
        .msg_length = message.len,
    };

    return flush(w, wslay_event_queue_msg(w->wslay, &m));
}

/* What would not get shorter is sent as it is. */
static int send_deflated(struct ws *w, bool text, struct slice message)
{
    struct buf b = { 0 };
    int rc = ws_deflate(&b, message, w->window_bits);
    const struct wslay_event_msg m = {
        .opcode = text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
        .msg = b.ptr,
        .msg_length = b.len,
    };

    if (rc != SYNCLINE_OK)
        w->failed = rc;
    else if (b.len < message.len &&
        message.len <= inflate_most(b.len, message.len))
        rc = flush(w, wslay_event_queue_msg_ex(w->wslay, &m, WSLAY_RSV1_BIT));
    else
        rc = send_plain(w, text, message);
    buf_free(&b);
    return rc;
}

int ws_send(struct ws *w, bool text, struct slice message)
{
    return w->window_bits != 0 && message.len >= WS_DEFLATE_MIN
        ? send_deflated(w, text, message)
        : send_plain(w, text, message);
}

int ws_ping(struct ws *w)
{
    const struct wslay_event_msg m = { .opcode = WSLAY_PING };

    return flush(w, wslay_event_queue_msg(w->wslay, &m));
}

int ws_close(struct ws *w, uint16_t code, const char *reason)
{
    size_t n = reason != NULL ? strlen(reason) : 0;
    int rc;

    ENSURE(code >= 1000 && code <= 4999 && n < 123);
    rc = wslay_event_queue_close(w->wslay, code, (const uint8_t *)reason, n);
    ENSURE(rc != WSLAY_ERR_INVALID_ARGUMENT);
    w->is_ours = true;
    return flush(w, rc);
}

bool ws_is_over(const struct ws *w)
{
    return w->is_broken ||
        (wslay_event_get_close_sent(w->wslay) &&
            !(w->is_ours && wslay_event_get_read_enabled(w->wslay)));
}
