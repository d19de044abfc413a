#include "app/sessions.h"

#include "app/bearer.h"
#include "base/plant.h"
#include "base/text.h"
#include "crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>

struct link {
    uint8_t hash[SHA256_LEN];
    uint64_t made_us; /* 0: nothing is here */
};

struct session {
    char id[TOKEN_ID_LEN + 1];
    uint8_t cookie[SHA256_LEN], page[SHA256_LEN];
    uint64_t made_us, used_us; /* made 0: nothing is here */
};

struct sessions {
    struct link links[SESSION_LINKS_MAX];
    struct session list[SESSIONS_MAX];
};

int sessions_new(struct sessions **out)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

void sessions_free(struct sessions *s)
{
    free(s);
}

/* ---- secrets ---- */

_Static_assert(SESSION_SECRET_TEXT == BEARER_TEXT, "of the same length");

/* What is no secret at all has a hash that none of ours has. */
static int hash_of(uint8_t hash[SHA256_LEN], struct slice text)
{
    int rc = bearer_hash(hash, text, "");

    return rc == SYNCLINE_EMALFORMED ? SYNCLINE_EDENIED : rc;
}

static bool same(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN])
{
    return crypto_equal(SLICE(a, SHA256_LEN), SLICE(b, SHA256_LEN));
}

/* ---- links ---- */

int sessions_link(
    struct sessions *s, uint64_t now_us, char text[SESSION_SECRET_TEXT + 1])
{
    struct link *at = &s->links[0], made = { .made_us = now_us };
    int rc = bearer_draw(text, made.hash, "");

    for (size_t i = 1; i < SESSION_LINKS_MAX; i++)
        if (s->links[i].made_us < at->made_us)
            at = &s->links[i];
    if (rc == SYNCLINE_OK)
        *at = made;
    return rc;
}

static int take_link(struct sessions *s, struct slice text, uint64_t now_us)
{
    uint8_t hash[SHA256_LEN];
    struct link *found = NULL;
    int rc = hash_of(hash, text);

    if (rc != SYNCLINE_OK)
        return rc;
    for (size_t i = 0; i < SESSION_LINKS_MAX; i++)
        if (same(s->links[i].hash, hash) && s->links[i].made_us != 0)
            found = &s->links[i];
    if (found == NULL)
        return SYNCLINE_EDENIED;
    rc = now_us - found->made_us < SESSION_LINK_US ? SYNCLINE_OK
                                                   : SYNCLINE_ETIMEOUT;
    if (!PLANTED(R10_LINK_TWICE))
        *found = (struct link){ .made_us = 0 };
    return rc;
}

/* ---- sessions ---- */

static bool is_good(const struct session *k, uint64_t now_us)
{
    return k->made_us != 0 && now_us - k->made_us < SESSION_US &&
        now_us - k->used_us < SESSION_IDLE_US;
}

static int draw_id(const struct sessions *s, char id[TOKEN_ID_LEN + 1])
{
    uint32_t n;
    bool taken;

    do {
        int rc = crypto_random((uint8_t *)&n, sizeof n);

        if (rc != SYNCLINE_OK)
            return rc;
        (void)snprintf(id, TOKEN_ID_LEN + 1, "s%07x", n & 0xfffffffU);
        taken = false;
        for (size_t i = 0; i < SESSIONS_MAX; i++)
            taken |= strcmp(s->list[i].id, id) == 0;
    } while (taken);
    return SYNCLINE_OK;
}

int sessions_open(struct sessions *s, struct slice link, uint64_t now_us,
    struct session_secrets *out)
{
    struct session *at = &s->list[0];
    struct session made = { .made_us = now_us, .used_us = now_us };
    int rc = take_link(s, link, now_us);

    if (rc == SYNCLINE_OK)
        rc = draw_id(s, made.id);
    if (rc == SYNCLINE_OK)
        rc = bearer_draw(out->cookie, made.cookie, "");
    if (rc == SYNCLINE_OK)
        rc = bearer_draw(out->page, made.page, "");
    if (rc != SYNCLINE_OK)
        return rc;
    for (size_t i = 1; i < SESSIONS_MAX; i++)
        if (s->list[i].used_us < at->used_us)
            at = &s->list[i];
    *at = made;
    memcpy(out->id, made.id, sizeof made.id);
    return SYNCLINE_OK;
}

int sessions_check(struct sessions *s, struct slice cookie, struct slice page,
    uint64_t now_us, char id[TOKEN_ID_LEN + 1])
{
    uint8_t first[SHA256_LEN], second[SHA256_LEN] = { 0 };
    struct session *found = NULL;
    int rc = hash_of(first, cookie);

    if (rc == SYNCLINE_OK && !PLANTED(R10_COOKIE))
        rc = hash_of(second, page);
    if (rc != SYNCLINE_OK)
        return rc;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *k = &s->list[i];
        const int both = (int)same(k->cookie, first) &
            ((int)same(k->page, second) | (int)PLANTED(R10_COOKIE));

        if (both != 0 && k->made_us != 0)
            found = k;
    }
    if (found == NULL)
        return SYNCLINE_EDENIED;
    if (!is_good(found, now_us))
        return SYNCLINE_ETIMEOUT;
    found->used_us = now_us;
    memcpy(id, found->id, sizeof found->id);
    return SYNCLINE_OK;
}

static const struct session *find(const struct sessions *s, const char *id)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (s->list[i].made_us != 0 && strcmp(s->list[i].id, id) == 0)
            return &s->list[i];
    return NULL;
}

/* Whoever stays connected uses it. */
int sessions_find(const struct sessions *s, const char *id, uint64_t now_us)
{
    const struct session *k = find(s, id);

    return k != NULL && now_us - k->made_us < SESSION_US ? SYNCLINE_OK
                                                         : SYNCLINE_EDENIED;
}

void sessions_end(struct sessions *s, const char *id)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (strcmp(s->list[i].id, id) == 0)
            s->list[i] = (struct session){ .made_us = 0 };
}

size_t sessions_end_all(struct sessions *s)
{
    size_t n = 0;

    for (size_t i = 0; i < SESSIONS_MAX; i++)
        n += s->list[i].made_us != 0;
    *s = (struct sessions){ .links[0].made_us = 0 };
    return n;
}
