/* audit.h - what the audit log is told (doc/security.md): who may be in, what
 * was opened, who was refused, what went.
 *
 * Pure: an FX_AUDIT, which the shell chains to the others and writes. It is
 * told only if the step stands. Law: never a secret, nor a key, a path or a
 * value of an item; ids, names of devices and spaces, counts, sentences. */
#ifndef SYNCLINE_REPL_AUDIT_H
#define SYNCLINE_REPL_AUDIT_H

#include "base/error.h"
#include "base/slice.h"
#include "core/id.h"

struct node;
struct pair_terms;

/* One detail; make them by the macros. */
struct audit_field {
    const char *name; /* NULL ends a list */
    struct slice hex; /* shown as hex, if there is any */
    struct slice text;
    struct slice json; /* any value */
    uint64_t number;
    bool counts;
};

#define AUDIT_DEVICE(n, d)                  \
    {                                       \
        .name = (n), .hex = device_slice(d) \
    }
#define AUDIT_HEX(n, s)         \
    {                           \
        .name = (n), .hex = (s) \
    }
#define AUDIT_TEXT(n, s)         \
    {                            \
        .name = (n), .text = (s) \
    }
#define AUDIT_JSON(n, s)         \
    {                            \
        .name = (n), .json = (s) \
    }
#define AUDIT_NUMBER(n, v)                         \
    {                                              \
        .name = (n), .number = (v), .counts = true \
    }
#define AUDIT_END    \
    {                \
        .name = NULL \
    }

/* kind is a literal: "remove". Fields end with AUDIT_END. */
NODISCARD int node_audit(
    struct node *n, const char *kind, const struct audit_field *fields);
/* The same, of a device and what people call it. */
NODISCARD int node_audit_device(struct node *n, const char *kind,
    const struct device_id *device, struct slice name);
/* The same, with what it may from now on: role, and which spaces. */
NODISCARD int node_audit_terms(struct node *n, const char *kind,
    const struct device_id *device, struct slice name,
    const struct pair_terms *t);
/* *out is the field `spaces`: "all", or their names; of one that has not been
 * heard of its token. Lent for the step. */
NODISCARD int audit_spaces(struct node *n, bool some,
    const struct space_token *spaces, uint32_t spaces_n,
    struct audit_field *out);
/* The same, of what others may bring about as often as they like: the shell
 * counts those that come thick. */
NODISCARD int node_audit_often(
    struct node *n, const char *kind, const struct audit_field *fields);

#endif
