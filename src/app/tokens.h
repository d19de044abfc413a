/* tokens.h - bearer tokens: who may do what by the hub.
 *
 * A token is 256 random bits, told once as `sync_` and 43 digits of base64url;
 * what is kept of it is their SHA-256, in DIR/tokens.json. One more, `local`,
 * is for programs of this account: it stands in DIR/token, is an admin's, and
 * is made where there is none. A scope holds those below it. When a token was
 * used last is known since the start only. Changes are durable when they
 * return, for which the caller waits: they are few.
 * Laws: whether a presented token is good takes the same time whichever it
 * is; a change that fails changes nothing. */
#ifndef SYNCLINE_APP_TOKENS_H
#define SYNCLINE_APP_TOKENS_H

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

#define TOKENS_MAX 256
#define TOKEN_TEXT_LEN 48 /* "sync_..." */
#define TOKEN_NAME_MAX TEXT_NAME_MAX
#define TOKEN_SPACES_MAX 64
#define TOKEN_ID_LEN 8 /* hex digits; no secret */
#define TOKEN_LOCAL "local"

struct tokens; /* opaque */

enum token_scope {
    TOKEN_READ,
    TOKEN_WRITE,
    TOKEN_ADMIN /* always of all spaces */
};

const char *token_scope_name(enum token_scope scope);
/* "read", "write", "admin"; EINVAL. */
NODISCARD int token_scope_parse(enum token_scope *out, struct slice name);

/* What a token lets its bearer do. The spaces are lent until a token is made
 * or revoked: who goes on for longer asks tokens_find again. */
struct token_grant {
    char name[TOKEN_NAME_MAX + 1];
    char id[TOKEN_ID_LEN + 1];
    enum token_scope scope;
    const struct slice *spaces; /* NULL: all */
    size_t spaces_n;
};

struct token_info {
    struct token_grant grant;
    uint64_t created_us;
    uint64_t expires_us; /* 0: never */
    uint64_t used_us;    /* 0: not since the start */
};

struct token_request {
    struct slice name;
    enum token_scope scope;
    const struct slice *spaces;
    size_t spaces_n;     /* 0: all */
    uint64_t expires_us; /* 0: never */
};

/* Reads what is in the folder; makes DIR/token if it is not there. Times are
 * of the wall. Errors say what to do: EDENIED (others may read a file),
 * ECORRUPT, EVERSION, EIO, ENOMEM. */
NODISCARD int tokens_open(
    struct tokens **out, const char *dir, uint64_t now_us, struct errmsg *why);
void tokens_close(struct tokens *t); /* NULL is fine */
/* DIR/token was made by tokens_open. */
bool tokens_local_is_new(const struct tokens *t);

/* EDENIED: there is none such. ETIMEOUT: it has expired. */
NODISCARD int tokens_check(struct tokens *t, struct slice presented,
    uint64_t now_us, struct token_grant *out);
/* The token with that id, while it is good; errors as above. */
NODISCARD int tokens_find(const struct tokens *t, const char *id,
    uint64_t now_us, struct token_grant *out);

/* Writes the token's text, NUL-terminated, which is to be wiped. EINVAL,
 * EEXIST (the name), ELIMIT, and what writing brings. */
NODISCARD int tokens_create(struct tokens *t, const struct token_request *r,
    uint64_t now_us, char text[TOKEN_TEXT_LEN + 1], struct token_info *out,
    struct errmsg *why);
/* By name or id; out tells of it without its spaces. `local` gets a new secret
 * in DIR/token at once, with a new id. ENOTFOUND. */
NODISCARD int tokens_revoke(struct tokens *t, struct slice who, uint64_t now_us,
    struct token_grant *out, struct errmsg *why);

size_t tokens_n(const struct tokens *t);
/* In the order in which they were made, `local` first; lent like a grant's
 * spaces. */
const struct token_info *tokens_at(const struct tokens *t, size_t ix);

#endif
