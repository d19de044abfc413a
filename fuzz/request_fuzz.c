/* request_fuzz.c - lines, as a program sends them to the control socket: each
 * a request in JSON, which goes to a whole node. A line that begins with '!'
 * is the world: !s settle, !t time, !r a clean restart, !k a kill, !c, !p, !w
 * cancel, pause and resume the request before the last, !v answers a resolver.
 *
 * Holds the laws of house.h, and: no request is answered twice. */
#include "fuzz/fuzz.h"
#include "fuzz/house.h"

#define ASKED_MAX 256

/* By request: 1 once it is answered for good. */
struct asked {
    uint8_t answered[ASKED_MAX + 1];
    uint64_t resolve; /* an FX_RESOLVE that is open; 0: none */
};

static void on_effect(struct house *h, const struct effect *fx)
{
    struct asked *a = h->ctx;

    if (fx->type == FX_RESOLVE)
        a->resolve = fx->request;
    if (fx->type != FX_REPLY)
        return;
    ENSURE(fx->request > 0 && fx->request <= h->requests);
    ENSURE(a->answered[fx->request] == 0);
    a->answered[fx->request] = !fx->more;
}

static void answer_resolve(struct house *h, struct asked *a)
{
    struct event ev = { .type = EV_RESOLVED, .request = a->resolve };
    struct arena arena = { 0 };
    struct json *v = json_new_int(&arena, 5);

    ev.args = v;
    a->resolve = 0;
    house_step(h, &ev);
    arena_free(&arena);
}

static void world(struct house *h, struct asked *a, struct slice line)
{
    struct event ev = { .type = EV_CANCEL,
        .request = h->requests > 1 ? h->requests - 1 : 1 };

    switch (line.len > 1 ? line.ptr[1] : 0) {
    case 'c':
        house_step(h, &ev);
        break;
    case 'p':
        ev.type = EV_PAUSE;
        house_step(h, &ev);
        break;
    case 'w':
        ev.type = EV_RESUME;
        house_step(h, &ev);
        break;
    case 't':
        house_pass(h, 7 * 1000000);
        break;
    case 'r':
    case 'k':
        house_restart(h, line.ptr[1] == 'r');
        break;
    case 'v':
        if (a->resolve != 0)
            answer_resolve(h, a);
        break;
    default:
        house_settle(h);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = SLICE(data, size);
    struct asked asked = { 0 };
    struct house h;

    house_open(&h, HOME, house_disk());
    h.on_effect = on_effect;
    h.ctx = &asked;
    while (rest.len > 0 && h.requests < ASKED_MAX) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;

        if (rest.ptr[0] == '!')
            world(&h, &asked, SLICE(rest.ptr, len));
        else
            (void)!house_ask(&h, SLICE(rest.ptr, len));
        rest = slice_from(rest, len + 1);
    }
    house_settle(&h);
    house_close(&h);
    return 0;
}
