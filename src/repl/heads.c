#include "repl/heads.h"

#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/border.h"
#include "repl/collect_impl.h"
#include "repl/secret.h"

#include <stdlib.h>

/*  member --HEAD, at a heartbeat--> relay --the newest--> other members
 *
 * What it says is the part of the device's durable vector that this relay says
 * it has on its disk. So whoever is given it by the relay can ask it for that;
 * and a relay that lags, or lost its disk, is not accused. */

#define ABOUT "syncline head v1\n"
#define RENEW_BEATS 12
#define PASS_US ((uint64_t)1000 * 1000) /* not more often to one peer */
#define HEADS_BYTES_MAX ((size_t)64 << 20)

void heads_free(struct head **heads)
{
    while (*heads != NULL) {
        struct head *next = (*heads)->next;

        arena_free(&(*heads)->arena);
        arena_free(&(*heads)->wants_arena);
        free(*heads);
        *heads = next;
    }
}

size_t heads_bytes(const struct head *heads)
{
    size_t bytes = 0;

    for (const struct head *h = heads; h != NULL; h = h->next)
        bytes += sizeof *h + h->arena.held + h->wants_arena.held;
    return bytes;
}

static struct head *find(struct head *heads, const struct device_id *device)
{
    while (heads != NULL && !device_eq(&heads->f.device, device))
        heads = heads->next;
    return heads;
}

static struct head *find_or_add(
    struct head **heads, const struct device_id *device)
{
    struct head *h = find(*heads, device);

    if (h != NULL)
        return h;
    h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->f.device = *device;
    h->next = *heads;
    *heads = h;
    return h;
}

/* ---- what is signed, and what only members can check ---- */

void head_put_signed(
    struct buf *b, const struct mesh_id *mesh, const struct frame_head *f)
{
    buf_put_str(b, ABOUT);
    buf_put(b, mesh->b, MESH_ID_LEN);
    buf_put(b, f->space.b, SPACE_TOKEN_LEN);
    buf_put(b, f->device.b, DEVICE_ID_LEN);
    put_u64(b, f->number);
    buf_put(b, f->print, HEAD_PRINT_LEN);
    put_vv(b, &f->durable);
}

static int sign(struct node *n, struct frame_head *f)
{
    const struct crypto_port *crypto = n->opt.crypto;
    struct buf b = { 0 };
    int rc;

    head_put_signed(&b, &n->mesh, f);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = crypto->sign(crypto->self, f->sig, buf_slice(&b));
    buf_free(&b);
    return rc;
}

static int verify(
    struct node *n, const struct member *m, const struct frame_head *f)
{
    const struct crypto_port *crypto = n->opt.crypto;
    struct buf b = { 0 };
    int rc;

    head_put_signed(&b, &n->mesh, f);
    rc = buf_status(&b);
    n->counts.signatures_checked++;
    if (rc == SYNCLINE_OK)
        rc = crypto->verify(crypto->self, m->spki,
            SLICE(f->sig, ED25519_SIG_LEN), buf_slice(&b));
    buf_free(&b);
    return rc;
}

/* Of what is alive here, so that a relay can neither know nor compare it: of
 * each head it is another one. */
static int print(struct node *n, const struct space *sp,
    const struct frame_head *f, uint8_t out[HEAD_PRINT_LEN])
{
    const struct crypto_port *crypto = n->opt.crypto;
    uint8_t key[KEY_LEN], mac[SHA256_LEN];
    struct buf b = { 0 };
    int rc = border_first_key(n, space_token_of(n, sp), key);

    buf_put_str(&b, ABOUT);
    buf_put(&b, f->device.b, DEVICE_ID_LEN);
    put_u64(&b, f->number);
    put_u64(&b, sp->s.alive);
    put_u64(&b, sp->s.live.lo);
    put_u64(&b, sp->s.live.hi);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = crypto->hmac_sha256(
            crypto->self, mac, SLICE(key, sizeof key), buf_slice(&b));
    if (rc == SYNCLINE_OK)
        memcpy(out, mac, HEAD_PRINT_LEN);
    secret_wipe(key, sizeof key);
    buf_free(&b);
    return rc;
}

static bool has_print(const struct frame_head *f)
{
    static const uint8_t none[HEAD_PRINT_LEN];

    return memcmp(f->print, none, sizeof none) != 0;
}

/* ---- given to a relay ---- */

/* Has anything of it changed since it was told on this session? */
static int digest(struct node *n, const struct space *sp,
    const struct frame_head *f, bool whole, uint8_t out[SHA256_LEN])
{
    struct buf b = { 0 };
    int rc;

    put_vv(&b, &f->durable);
    buf_put_u8(&b, whole);
    put_u64(&b, whole ? sp->s.live.lo : 0);
    put_u64(&b, whole ? sp->s.live.hi : 0);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = n->opt.crypto->sha256(n->opt.crypto->self, out, buf_slice(&b));
    buf_free(&b);
    return rc;
}

static uint64_t next_number(const struct node *n)
{
    return n->wall_us > n->head_number ? n->wall_us : n->head_number + 1;
}

static int give(struct node *n, struct conn *c, struct session *s)
{
    struct space *sp = s->space;
    struct frame frame = { .type = FRAME_HEAD,
        .head = { .space = sp->token, .device = n->device } };
    struct frame_head *f = &frame.head;
    uint8_t now[SHA256_LEN];
    bool whole, beyond;
    int rc = vv_copy(&f->durable, &sp->durable, &n->step);

    if (rc == SYNCLINE_OK)
        rc = reissue_is_beyond(n, sp, &beyond);
    if (rc != SYNCLINE_OK)
        return rc;
    vv_meet(&f->durable, &s->claims);
    whole = vv_eq(&f->durable, &sp->have) && !beyond && sp->staging == NULL &&
        !returns_into(n, sp) && border_opens(n, sp);
    rc = digest(n, sp, f, whole, now);
    if (rc != SYNCLINE_OK ||
        (memcmp(now, s->head_told, sizeof now) == 0 &&
            ++s->head_beats < RENEW_BEATS))
        return rc;
    f->number = next_number(n);
    if (f->number > SEQ_MAX)
        return SYNCLINE_OK;
    if (whole)
        rc = print(n, sp, f, f->print);
    if (rc == SYNCLINE_OK)
        rc = sign(n, f);
    if (rc == SYNCLINE_OK)
        rc = conn_send(n, c, &frame);
    if (rc != SYNCLINE_OK)
        return rc;
    n->head_number = f->number;
    memcpy(s->head_told, now, sizeof now);
    s->head_beats = 0;
    n->counts.heads_sent++;
    return SYNCLINE_OK;
}

int heads_tick(struct node *n, struct conn *c)
{
    int rc = SYNCLINE_OK;

    for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
         s = s->next)
        if (border_is_here(n, c, s->space) && s->subscribed &&
            access_is_shared(n, c, s->space))
            rc = give(n, c, s);
    return rc == SYNCLINE_OK ? heads_pass_on(n, c, true) : rc;
}

/* ---- passed on by a relay ---- */

static int pass_on(struct node *n, struct conn *c, const struct head *h)
{
    struct frame f = { .type = FRAME_HEAD, .head = h->f };

    n->counts.heads_passed_on++;
    return conn_send(n, c, &f);
}

static int pass_all(struct node *n, struct conn *c, struct session *s)
{
    int rc = SYNCLINE_OK;

    for (const struct head *h = s->space->heads; h != NULL && rc == SYNCLINE_OK;
         h = h->next)
        if (h->stamp > s->heads_passed &&
            !device_eq(&h->f.device, &c->device) &&
            members_may_read(n->members, &h->f.device, &s->space->token))
            rc = pass_on(n, c, h);
    s->heads_passed = n->heads_n;
    s->heads_from_us = n->now_us + PASS_US;
    return rc;
}

int heads_pass_on(struct node *n, struct conn *c, bool all)
{
    int rc = SYNCLINE_OK;

    if (n->heads_n == 0 || !carry_is_relay(n) || !access_is_across(n, c))
        return rc;
    for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
         s = s->next)
        if (s->space->heads != NULL && s->subscribed &&
            s->heads_passed < n->heads_n &&
            (all || n->now_us >= s->heads_from_us) &&
            access_is_shared(n, c, s->space))
            rc = pass_all(n, c, s);
    return rc;
}

/* ---- heard ---- */

/* Who signed it may read the space, and the one who brings it may have it. */
static const struct member *author_of(struct node *n, struct conn *c,
    const struct space *sp, const struct frame_head *f)
{
    const struct member *m = members_get(n->members, &f->device);

    if (m == NULL || !access_is_across(n, c) || !access_is_shared(n, c, sp) ||
        space_is_open(sp) ||
        !members_may_read(n->members, &f->device, &sp->token))
        return NULL;
    return m;
}

static int keep(struct head *h, const struct frame_head *f)
{
    struct arena fresh = { 0 };
    struct frame_head copy = *f;
    int rc = vv_copy(&copy.durable, &f->durable, &fresh);

    if (rc != SYNCLINE_OK) {
        arena_free(&fresh);
        return rc;
    }
    arena_free(&h->arena);
    h->arena = fresh;
    h->f = copy;
    return SYNCLINE_OK;
}

static bool has_room(const struct node *n)
{
    size_t bytes = 0;

    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        bytes += heads_bytes(sp->heads);
    return bytes < HEADS_BYTES_MAX;
}

/* Its device may have been restored, its clock have gone back: it goes on
 * above what it has said. */
static int heard_old(struct node *n, struct conn *c, const struct head *h,
    const struct frame_head *f)
{
    return f->number < h->f.number && carry_is_relay(n) ? pass_on(n, c, h)
                                                        : SYNCLINE_OK;
}

static int check(
    struct node *n, const struct member *m, const struct frame_head *f)
{
    int rc = verify(n, m, f);

    if (rc == SYNCLINE_EDENIED && PLANTED(R27_WORD))
        return SYNCLINE_OK;
    return rc == SYNCLINE_EDENIED ? SYNCLINE_EMALFORMED : rc;
}

static int look_for(
    struct node *n, const struct session *s, struct head *h, uint64_t from_us);

int receive_head(struct node *n, struct conn *c, const struct frame_head *f)
{
    struct space *sp = space_by_token(n, &f->space);
    const struct member *m = sp != NULL ? author_of(n, c, sp, f) : NULL;
    const bool relay = carry_is_relay(n);
    struct session *s = m != NULL ? session_of(c, sp) : NULL;
    struct head **heads, *h;
    int rc;

    if (m == NULL)
        return SYNCLINE_OK;
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (f->durable.n > VECTOR_MAX)
        return SYNCLINE_ELIMIT;
    heads = relay ? &sp->heads : &s->heads;
    h = find(*heads, &f->device);
    if (h != NULL && f->number <= h->f.number)
        return heard_old(n, c, h, f);
    rc = check(n, m, f);
    if (rc != SYNCLINE_OK || (relay && !has_room(n)))
        return rc;
    if (device_eq(&f->device, &n->device)) {
        n->head_number =
            f->number > n->head_number ? f->number : n->head_number;
        s->head_told[0] ^= 1; /* it is to hear a newer one */
        return SYNCLINE_OK;
    }
    h = find_or_add(heads, &f->device);
    if (h == NULL)
        return SYNCLINE_ENOMEM;
    rc = keep(h, f);
    if (rc != SYNCLINE_OK)
        return rc;
    h->stamp = ++n->heads_n;
    n->counts.heads_received++;
    n->want_flush = n->want_flush || relay;
    if (relay)
        return SYNCLINE_OK;
    rc = look_for(n, s, h, n->now_us);
    return rc == SYNCLINE_OK ? waits_check(n) : rc;
}

void heads_lower(struct node *n, struct space *sp)
{
    struct head **at = &sp->heads;

    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        const struct session *s = session_find(c, sp);

        for (struct head *h = s != NULL ? s->heads : NULL; h != NULL;
             h = h->next) {
            (void)access_clamp(n, sp, &h->f.durable);
            (void)access_clamp(n, sp, &h->wants);
        }
    }
    while (*at != NULL) {
        struct head *h = *at, *next = h->next;

        if (!access_clamp(n, sp, &h->f.durable)) {
            at = &h->next;
            continue;
        }
        h->next = NULL; /* what is left of it, nobody has signed */
        heads_free(&h);
        *at = next;
    }
}

bool heads_cover(const struct node *n, const struct device_id *device,
    const struct space *sp, const struct dot *d)
{
    for (const struct conn *c = n->conns; c != NULL; c = c->next) {
        const struct session *s = session_find(c, sp);
        const struct head *h = s != NULL ? find(s->heads, device) : NULL;

        if (h != NULL && vv_covers(&h->f.durable, d))
            return true;
    }
    return false;
}

/* ---- what a relay keeps back ---- */

/* The first of it that is not here; NULL: all is. What does not count, or not
 * yet, is not waited for. */
static const struct dot *lacking(
    const struct node *n, const struct space *sp, const struct vv *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        struct dot d = v->e[i];

        if (!vv_covers(&sp->have, &d) && !node_is_mine(n, &d.replica) &&
            access_clamp_dot(n, sp, &d) && !vv_covers(&sp->have, &d))
            return &v->e[i];
    }
    return NULL;
}

/* What it wants is kept until it is here: newer heads do not put it off. */
static int look_for(
    struct node *n, const struct session *s, struct head *h, uint64_t from_us)
{
    if (lacking(n, s->space, &h->wants) != NULL)
        return SYNCLINE_OK;
    h->told_us = 0;
    h->beats = 0;
    h->from_us = from_us;
    arena_reset(&h->wants_arena);
    h->wants = (struct vv){ 0 };
    return lacking(n, s->space, &h->f.durable) != NULL
        ? vv_copy(&h->wants, &h->f.durable, &h->wants_arena)
        : SYNCLINE_OK;
}

/* Something else stands in the way of what it brings. */
static bool is_hindered(
    const struct node *n, const struct conn *c, const struct session *s)
{
    const struct space *sp = s->space;

    return !s->subscribed || !s->asked || s->refusing || s->leaky ||
        s->awaits != 0 || s->deaf || s->missed || s->late.n > 0 ||
        sp->staging != NULL || sp->suspect || c->parked != NULL ||
        s->bootstrapping != BOOTSTRAP_NONE || session_is_behind(s) ||
        returns_into(n, sp);
}

static int tell(struct node *n, const struct conn *c, const struct session *s,
    const struct device_id *whose, const char *kind, const char *what)
{
    const struct member *relay = members_get(n->members, &c->device);
    const struct member *m =
        whose != NULL ? members_get(n->members, whose) : NULL;
    struct slice name = m != NULL ? m->name : SLICE_LIT("a removed device");
    const struct audit_field fields[] = { AUDIT_DEVICE("device", &c->device),
        AUDIT_TEXT("name", relay != NULL ? relay->name : c->name),
        AUDIT_TEXT("space", s->space->name), AUDIT_TEXT("whose", name),
        AUDIT_END };

    log_line(&n->log, LOG_LEVEL_WARN, "relay", "%.*s: the relay %.*s %s %.*s",
        SLICE_FMT(s->space->name), SLICE_FMT(c->name), what, SLICE_FMT(name));
    return node_audit_often(n, kind, fields);
}

static int look_at_rows(struct node *n, const struct conn *c,
    const struct session *s, struct head *h, uint64_t sent_us)
{
    const struct dot *d;
    int rc = look_for(n, s, h, n->now_us);

    d = lacking(n, s->space, &h->wants);
    if (rc != SYNCLINE_OK || d == NULL ||
        (sent_us < h->from_us && !PLANTED(HEAD_HURRIES)) ||
        ++h->beats < (PLANTED(HEAD_HURRIES) ? 1 : HEAD_BEATS) ||
        h->told_us != 0 || PLANTED(R27_ROWS))
        return rc;
    h->told_us = n->now_us;
    n->counts.relays_withhold++;
    return tell(n, c, s, owner_of(n, &d->replica), "relay-withholds",
        "has, and does not send, what was written by");
}

/* The same changes, and something else is alive. */
static int look_at_print(struct node *n, const struct conn *c,
    const struct session *s, struct head *h)
{
    uint8_t mine[HEAD_PRINT_LEN];
    bool beyond;
    int rc;

    if (!has_print(&h->f) || !vv_eq(&s->space->have, &h->f.durable) ||
        !border_opens(n, s->space)) {
        h->odd_beats = 0;
        return SYNCLINE_OK;
    }
    rc = print(n, s->space, &h->f, mine);
    if (rc != SYNCLINE_OK)
        return rc;
    if (memcmp(mine, h->f.print, sizeof mine) == 0) {
        h->odd_beats = 0;
        h->odd_us = 0;
        return SYNCLINE_OK;
    }
    rc = reissue_is_beyond(n, s->space, &beyond);
    if (rc != SYNCLINE_OK || beyond)
        return rc;
    if (++h->odd_beats < HEAD_BEATS || h->odd_us != 0 || PLANTED(R27_DIFFERS))
        return SYNCLINE_OK;
    h->odd_us = n->now_us;
    n->counts.heads_differ++;
    return tell(n, c, s, &h->f.device, "head-differs",
        "has brought something else than is at");
}

int heads_on_pong(struct node *n, struct conn *c, uint64_t sent_us)
{
    int rc = SYNCLINE_OK;

    for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
         s = s->next)
        for (struct head *h = s->heads; h != NULL && rc == SYNCLINE_OK;
             h = h->next) {
            if (is_hindered(n, c, s) ||
                (sent_us < c->rows_us && !PLANTED(HEAD_HURRIES))) {
                h->beats = h->odd_beats = 0;
                h->from_us = n->now_us;
                continue;
            }
            rc = look_at_rows(n, c, s, h, sent_us);
            if (rc == SYNCLINE_OK)
                rc = look_at_print(n, c, s, h);
        }
    return rc;
}

/* ---- for people ---- */

static void put_one(const struct node *n, struct buf *b, const struct conn *c,
    const struct session *s, const struct head *h)
{
    const struct dot *d = lacking(n, s->space, &h->wants);
    const struct device_id *whose =
        h->told_us != 0 && d != NULL ? owner_of(n, &d->replica) : &h->f.device;
    const struct member *m =
        whose != NULL ? members_get(n->members, whose) : NULL;
    uint64_t since = h->told_us != 0 ? h->told_us : h->odd_us;

    buf_put_str(b, "{\"relay\":");
    json_print_string(b, c->name, false);
    buf_put_str(b, ",\"space\":");
    json_print_string(b, s->space->name, false);
    buf_put_str(b, ",\"whose\":");
    json_print_string(
        b, m != NULL ? m->name : SLICE_LIT("a removed device"), false);
    buf_printf(b, ",\"what\":\"%s\",\"for_s\":%llu}",
        h->told_us != 0 ? "missing" : "differs",
        (unsigned long long)((n->now_us - since) / 1000000));
}

void heads_put_status(const struct node *n, struct buf *b)
{
    bool any = false;

    buf_printf(b,
        ",\"relays_withhold\":%llu,\"heads_differ\":%llu,\"withheld\":[",
        (unsigned long long)n->counts.relays_withhold,
        (unsigned long long)n->counts.heads_differ);
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        for (const struct session *s = c->sessions; s != NULL; s = s->next)
            for (const struct head *h = s->heads; h != NULL; h = h->next) {
                if (h->told_us == 0 && h->odd_us == 0)
                    continue;
                buf_put_str(b, any ? "," : "");
                put_one(n, b, c, s, h);
                any = true;
            }
    buf_put_u8(b, ']');
}
