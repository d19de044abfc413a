/* The mesh's keys: who makes the next one, who gives it to whom. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/audit.h"

#define KEYRING_WHOLE 1024 /* more than any number of spaces */

static bool has_secret(const struct node *n)
{
    for (size_t i = 0; i < MESH_SECRET_LEN; i++)
        if (n->mesh_secret[i] != 0)
            return true;
    return false; /* of who may not read everything */
}

/* Of a key that the mesh has: whoever was an admin may have wrapped one that no
 * record made, beyond all that are. The secret has none, and he who was not
 * told it learns of it by what is wrapped for him. */
static bool is_taken(const struct node *n, const struct members_wrap *w,
    const struct keyring_key *key)
{
    if (key != NULL)
        return !key->whole;
    return w->wrap.epoch == 0 && !has_secret(n);
}

static int take_wrap(struct node *n, struct keyring *ring,
    const struct members_wrap *w, const uint8_t *peer)
{
    int rc = keyring_unwrap(ring, n->opt.crypto, &w->wrap, peer, w->sealed);

    if (rc == SYNCLINE_OK && w->wrap.epoch == 0)
        rc = keyring_note(ring, 0, &w->wrap.id,
            members_key_spoiled(n->members, 0, &w->wrap.id));
    if (rc != SYNCLINE_ENOMEM)
        rc = SYNCLINE_OK; /* somebody's mistake; another may give it */
    return rc;
}

static int unwrap(struct node *n, struct keyring *ring)
{
    struct members_wrap w;
    int rc = SYNCLINE_OK;

    for (size_t i = 0;
         rc == SYNCLINE_OK && members_wrap_at(n->members, &n->device, i, &w);
         i++) {
        const uint8_t *peer = members_kx(n->members, &w.wrap.from);
        const struct keyring_key *key =
            keyring_find(ring, w.wrap.epoch, &w.wrap.id);

        if (peer != NULL && is_taken(n, &w, key))
            rc = take_wrap(n, ring, &w, peer);
    }
    return rc;
}

/* One that the mesh has; what has been opened need not be again. */
static int load_key(struct node *n, struct keyring *ring, uint64_t epoch,
    const struct key_id *id)
{
    const struct keyring_key *was = keyring_find(&n->keyring, epoch, id);
    int rc = keyring_note(
        ring, epoch, id, members_key_spoiled(n->members, epoch, id));

    if (was == NULL)
        was = keyring_find(&n->voided, epoch, id);
    return rc == SYNCLINE_OK && was != NULL && was->whole
        ? keyring_put(ring, n->opt.crypto, epoch, was->key)
        : rc;
}

static int load_secret(struct node *n, struct keyring *ring)
{
    struct key_id id;
    int rc;

    if (!has_secret(n))
        return SYNCLINE_OK;
    rc = keyring_put(ring, n->opt.crypto, 0, n->mesh_secret);
    if (rc == SYNCLINE_OK)
        rc = keyring_id_of(&id, n->opt.crypto, n->mesh_secret);
    return rc == SYNCLINE_OK ? load_key(n, ring, 0, &id) : rc;
}

/* What was written under a key before anybody had heard that it does not count
 * is at relays still, and maybe nowhere else: who was given the key can open
 * it. As many as somebody can make who is no admin any more are not kept. */
static int load_voided(
    struct node *n, const struct keyring *ring, struct keyring *out)
{
    struct members_wrap w;
    struct key_id id;
    uint64_t epoch;
    int rc = SYNCLINE_OK;

    for (size_t i = 0; rc == SYNCLINE_OK && out->n < KEYRING_VOIDED_MAX &&
         members_voided_key_at(n->members, i, &epoch, &id);
         i++)
        if (keyring_find(ring, epoch, &id) == NULL)
            rc = load_key(n, out, epoch, &id);
    for (size_t i = 0; rc == SYNCLINE_OK && out->n > 0 &&
         members_voided_wrap_at(n->members, &n->device, i, &w);
         i++) {
        const struct keyring_key *key =
            keyring_find(out, w.wrap.epoch, &w.wrap.id);
        const uint8_t *peer = members_kx(n->members, &w.wrap.from);

        if (peer != NULL && key != NULL && !key->whole)
            rc = take_wrap(n, out, &w, peer);
    }
    return rc;
}

static int add_beacon(struct node *n, const struct keyring_key *key)
{
    if (n->beacon_keys_n == BEACON_KEYS || !(key->whole || key->has_beacon))
        return SYNCLINE_OK;
    return keyring_beacon_key(
        key, n->opt.crypto, n->beacon_keys[n->beacon_keys_n++].b);
}

/* Derived once, since anybody can make a node open datagrams. A newcomer has
 * the first one, until it has met an admin. */
static int load_beacons(struct node *n)
{
    const struct keyring *ring = &n->keyring;
    const struct keyring_key *held = keyring_held(ring);
    int rc = SYNCLINE_OK;

    n->beacon_keys_n = 0;
    if (held != NULL)
        rc = keyring_beacon_key(
            held, n->opt.crypto, n->beacon_keys[n->beacon_keys_n++].b);
    if (rc == SYNCLINE_OK && ring->n > 0 && held != &ring->e[0])
        rc = add_beacon(n, &ring->e[0]);
    for (uint32_t i = ring->n; rc == SYNCLINE_OK && i-- > 1;)
        if (held != &ring->e[i])
            rc = add_beacon(n, &ring->e[i]);
    return rc;
}

/* How much of the keys is held. */
static size_t held(const struct keyring *ring)
{
    size_t count = 0;

    for (uint32_t i = 0; i < ring->n; i++)
        count += ring->e[i].whole ? KEYRING_WHOLE : ring->e[i].spaces_n;
    return count;
}

static void list_held(struct buf *out, const struct keyring *ring)
{
    buf_clear(out);
    for (uint32_t i = 0; i < ring->n; i++) {
        const struct keyring_key *k = &ring->e[i];

        if (k->epoch == 0 || !(k->whole || k->spaces_n > 0))
            continue;
        put_varint(out, k->epoch);
        buf_put(out, k->id.b, KEY_ID_LEN);
    }
}

static int look_at_list(const struct keyring *ring, struct slice list, bool *is)
{
    struct reader r = reader_of(list);

    for (*is = false; r.in.len > 0 && r.err == 0;) {
        const uint64_t epoch = get_varint(&r);
        const struct slice id = get_fixed(&r, KEY_ID_LEN);
        struct key_id of;

        if (r.err != 0)
            return SYNCLINE_ECORRUPT;
        memcpy(of.b, id.ptr, KEY_ID_LEN);
        *is = *is || keyring_find(ring, epoch, &of) == NULL;
    }
    return SYNCLINE_OK;
}

/* A key that was held does not count any more. What was held is in the store:
 * the records that say so may be there before anybody has acted on them, when
 * the power goes. */
static int drop_keys(struct node *n, const struct keyring *ring)
{
    const struct slice name = SLICE_LIT(META_KEYS);
    struct slice was;
    bool dropped;
    int rc = txn_get(&n->txn, TABLE_META, name, &was);

    if (rc == SYNCLINE_ENOTFOUND)
        was = SLICE_LIT("");
    else if (rc != SYNCLINE_OK)
        return rc;
    list_held(&n->out, ring);
    if (slice_eq(was, buf_slice(&n->out)))
        return buf_status(&n->out);
    rc = look_at_list(ring, was, &dropped);
    txn_put_buf(&n->txn, TABLE_META, name, &n->out);
    if (rc == SYNCLINE_OK)
        rc = txn_status(&n->txn);
    return rc == SYNCLINE_OK && dropped ? rekey_begin(n) : rc;
}

int epochs_load(struct node *n)
{
    struct keyring ring = { 0 }, voided = { 0 };
    struct key_id id;
    uint64_t epoch;
    int rc = load_secret(n, &ring);

    for (size_t i = 0;
         rc == SYNCLINE_OK && members_key_at(n->members, i, &epoch, &id); i++)
        rc = load_key(n, &ring, epoch, &id);
    if (rc == SYNCLINE_OK)
        rc = unwrap(n, &ring);
    if (rc == SYNCLINE_OK)
        rc = load_voided(n, &ring, &voided);
    if (rc == SYNCLINE_OK)
        rc = drop_keys(n, &ring);
    if (rc != SYNCLINE_OK) {
        keyring_free(&ring);
        keyring_free(&voided);
        return rc;
    }
    n->keys_came = n->keys_came ||
        held(&ring) + held(&voided) > held(&n->keyring) + held(&n->voided);
    keyring_free(&n->keyring);
    keyring_free(&n->voided);
    n->keyring = ring;
    n->voided = voided;
    return load_beacons(n);
}

/* ---- what this node writes ---- */

static int put_record(
    struct node *n, struct buf *key, struct buf *value, int rc)
{
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(n, buf_slice(key), buf_slice(value));
    buf_free(key);
    buf_free(value);
    return rc;
}

static int tell_kx(struct node *n)
{
    struct buf key = { 0 }, value = { 0 };
    int rc;

    if (members_kx(n->members, &n->device) != NULL)
        return SYNCLINE_OK;
    rc = members_make_kx(n->members, &key, &value);
    return put_record(n, &key, &value, rc);
}

/* Of the admins that hold a key, and see each other, one sees to it; if none
 * of them does, one of the others. */
static bool is_on_duty(const struct node *n, const struct keyring_key *key)
{
    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct member *m = members_at(n->members, i);
        bool before = device_cmp(&m->device, &n->device) < 0;
        bool given;

        if (m->role != ROLE_ADMIN || conn_of(n, &m->device) == NULL)
            continue;
        given = members_key_given(n->members, m, key->epoch, &key->id);
        if (key->whole ? before && given : before || given)
            return false;
    }
    return true;
}

/* For everybody, or for those who have not been given it. */
static int make_key(
    struct node *n, bool rotate, const struct keyring_key *of, bool *made)
{
    struct members_wraps wraps = { { 0 } };
    struct buf key = { 0 }, value = { 0 };
    bool any = rotate;
    int rc = SYNCLINE_OK;

    for (size_t i = 0; i < members_n(n->members) && rc == SYNCLINE_OK; i++) {
        const struct member *m = members_at(n->members, i);

        if (members_kx(n->members, &m->device) == NULL ||
            (!rotate && members_key_given(n->members, m, of->epoch, &of->id)))
            continue;
        rc = members_wraps_add(&wraps, n->members, m, of);
        if (rc == SYNCLINE_EDENIED) /* of a key that is none */
            rc = SYNCLINE_OK;
        any = true;
    }
    *made = rc == SYNCLINE_OK && any && (rotate || wraps.text.len > 0);
    if (*made)
        rc = members_make_key(
            n->members, &key, &value, rotate, of, &wraps, n->wall_us);
    buf_free(&wraps.text);
    if (!*made)
        return rc;
    rc = put_record(n, &key, &value, rc);
    if (rc == SYNCLINE_OK && rotate)
        n->key_lsn = space_by_name(n, SLICE_LIT(MESH_SPACE))->s.lsn;
    return rc;
}

static int audit_rotate(struct node *n, uint64_t epoch)
{
    const struct audit_field fields[] = { AUDIT_NUMBER("epoch", epoch),
        AUDIT_END };

    return node_audit(n, "rotate", fields);
}

/* What a record must say to count, which stands after all that do. */
static uint64_t next_epoch(const struct node *n)
{
    uint64_t epoch, last = 0;
    struct key_id id;

    for (size_t i = 0; members_key_at(n->members, i, &epoch, &id); i++)
        if (epoch > last)
            last = epoch;
    return last + 1;
}

int epochs_rotate(struct node *n, uint64_t *epoch)
{
    struct keyring_key fresh = { .whole = true, .epoch = next_epoch(n) };
    bool made;
    int rc = n->opt.crypto->random(n->opt.crypto->self, fresh.key, KEY_LEN);

    n->rotate_due = false;
    if (rc == SYNCLINE_OK)
        rc = keyring_id_of(&fresh.id, n->opt.crypto, fresh.key);
    if (rc == SYNCLINE_OK)
        rc = make_key(n, true, &fresh, &made);
    if (rc == SYNCLINE_OK)
        rc = audit_rotate(n, fresh.epoch);
    if (rc == SYNCLINE_OK) {
        *epoch = fresh.epoch;
        n->counts.keys_made++;
        log_line(&n->log, LOG_LEVEL_INFO, "epochs",
            "the mesh has a new key, of epoch %llu",
            (unsigned long long)fresh.epoch);
    }
    return rc;
}

/* Who was not given a key can put another in its place: there may be nobody
 * who would give it. */
static bool must_rotate(const struct node *n)
{
    const struct keyring_key *key = keyring_best(&n->keyring);

    if (key == NULL || PLANTED(NO_ROTATE))
        return false;
    return n->rotate_due || (key->spoiled && is_on_duty(n, key));
}

static int give_keys(struct node *n)
{
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0;
         i < n->keyring.n && rc == SYNCLINE_OK && !PLANTED(KEYS_KEPT); i++) {
        bool made;

        if (!n->keyring.e[i].whole || !is_on_duty(n, &n->keyring.e[i]))
            continue;
        rc = make_key(n, false, &n->keyring.e[i], &made);
        n->counts.keys_given += made;
        if (made)
            return rc; /* one a step: the next is to stand after it */
    }
    return rc;
}

static int see_to_keys(struct node *n)
{
    uint64_t epoch;
    int rc;

    if (!members_has(n->members, &n->device) || n->bad_restart)
        return SYNCLINE_OK;
    rc = tell_kx(n);
    if (rc != SYNCLINE_OK || members_role(n->members, &n->device) != ROLE_ADMIN)
        return rc;
    if (must_rotate(n))
        return epochs_rotate(n, &epoch);
    return give_keys(n);
}

int epochs_tick(struct node *n)
{
    int rc;

    n->epochs_due = false;
    rc = see_to_keys(n);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    n->epochs_due = rc != SYNCLINE_OK;
    return rc;
}

/* ---- for judges ---- */

void node_key(const struct node *n, struct node_key *out)
{
    const struct keyring_key *key = keyring_best(&n->keyring);

    *out = (struct node_key){ 0 };
    if (key == NULL)
        return;
    out->epoch = key->epoch;
    memcpy(out->id, key->id.b, KEY_ID_LEN);
    out->held = keyring_holds(key);
    out->spoiled = key->spoiled;
}

bool node_holds_key(const struct node *n, uint64_t epoch, const uint8_t id[16])
{
    const struct keyring_key *key;
    struct key_id of;

    memcpy(of.b, id, KEY_ID_LEN);
    key = keyring_find(&n->keyring, epoch, &of);
    return key != NULL && keyring_holds(key);
}

bool node_is_settled(const struct node *n)
{
    return !n->mesh_changed && !n->rights_due && !n->access_due && !n->mint_due;
}

/* ---- beacons ---- */

int epochs_put_beacon(struct node *n, struct buf *out, const struct beacon *b)
{
    return n->beacon_keys_n == 0
        ? SYNCLINE_ENOTFOUND
        : beacon_put_announce(out, n->opt.crypto, &n->beacon_keys[0], b);
}

int epochs_get_beacon(struct node *n, struct slice datagram, struct beacon *out)
{
    int rc = SYNCLINE_EDENIED;

    for (uint32_t i = 0; i < n->beacon_keys_n && rc == SYNCLINE_EDENIED; i++)
        rc = beacon_get_announce(
            out, n->opt.crypto, &n->beacon_keys[i], datagram);
    return rc;
}
