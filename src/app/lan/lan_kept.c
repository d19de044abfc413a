/* What is known of LAN-sync nodes from before: how far each of them has
 * acknowledged, and how far we have asked it. In a file of the node's folder;
 * without it they are told everything that is there once more. */
#include "app/lan/lan_face_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/private_file.h"

#define KEPT_MAX 256 /* nodes; of more the oldest are forgotten, once away */
#define FILE_MAX ((size_t)64 << 20)
#define LACKS_MAX 32   /* items of a node */
#define LACKS_TOLD 256 /* of all */
#define WRITE_US UINT64_C(5000000)
#define TELL_US UINT64_C(500000)

/* An item that the node is not told of. */
struct lan_lack {
    struct lan_lack *next;
    size_t bytes, len;
    uint8_t key[];
};

struct lan_kept {
    struct lan_kept *next;
    char *node, *acked, *asked;
    uint64_t seen_us; /* when it left, wall */
    unsigned here;    /* links */
    bool is_told;     /* the engine knows how far it is */
    struct lan_lack *lacks;
};

static void write_file(struct lan_face *f);

static void kept_free(struct lan_kept *k)
{
    if (k == NULL)
        return;
    while (k->lacks != NULL) {
        struct lan_lack *next = k->lacks->next;

        free(k->lacks);
        k->lacks = next;
    }
    free(k->node);
    free(k->acked);
    free(k->asked);
    free(k);
}

static char *copy(struct slice s)
{
    char *out = malloc(s.len + 1);

    if (out == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(out, s.ptr, s.len);
    out[s.len] = 0;
    return out;
}

/* The one that was noted last is the first; NULL: memory ran out. */
static struct lan_kept *put_first(struct lan_face *f, struct slice node)
{
    struct lan_kept **at = &f->kept, *k;
    size_t n = 0;

    while (*at != NULL && !slice_is(node, (*at)->node))
        at = &(*at)->next;
    k = *at;
    if (k != NULL) {
        *at = k->next;
    } else {
        k = calloc(1, sizeof *k);
        if (k != NULL)
            k->node = copy(node);
        if (k == NULL || k->node == NULL) {
            kept_free(k);
            return NULL;
        }
    }
    k->next = f->kept;
    f->kept = k;
    for (at = &k->next; *at != NULL;) {
        struct lan_kept *next = *at;

        if (++n < KEPT_MAX || next->here > 0) {
            at = &next->next;
            continue;
        }
        *at = next->next;
        kept_free(next);
    }
    return k;
}

/* Without memory it is told once more what it knows. */
static void set_text(char **to, struct slice text)
{
    free(*to);
    *to = copy(text);
}

static const char *text_of(const char *s)
{
    return s != NULL ? s : "";
}

static void note_change(struct lan_face *f)
{
    if (!f->kept_changed)
        f->kept_due_us = clock_mono_us() + WRITE_US;
    f->kept_changed = true;
    lan_arm(f);
}

void lan_kept_recall(
    const struct lan_face *f, const char *node, char *acked, char *asked)
{
    const struct lan_kept *k = f->kept;

    while (k != NULL && strcmp(k->node, node) != 0)
        k = k->next;
    (void)snprintf(
        acked, LAN_CURSOR_MAX, "%s", k != NULL ? text_of(k->acked) : "");
    (void)snprintf(
        asked, LAN_CURSOR_MAX, "%s", k != NULL ? text_of(k->asked) : "");
}

void lan_kept_note(
    struct lan_face *f, const char *node, const char *acked, const char *asked)
{
    struct lan_kept *k;

    if (node[0] == 0)
        return; /* it has not said who it is */
    k = put_first(f, slice_str(node));
    if (k != NULL) {
        set_text(&k->acked, slice_str(acked));
        set_text(&k->asked, slice_str(asked));
        k->is_told = false;
        if (f->told_due_us == 0)
            f->told_due_us = clock_mono_us() + TELL_US;
    }
    note_change(f);
}

/* ---- deletions wait for them ---- */

static void tell_engine(struct lan_face *f, struct lan_kept *k)
{
    struct arena a = { 0 };
    struct json *v = json_new(&a, JSON_OBJECT);

    json_add(v, SLICE_LIT("space"), json_new_str(&a, slice_str(f->space)));
    json_add(v, SLICE_LIT("name"), json_new_str(&a, slice_str(k->node)));
    if (text_of(k->acked)[0] != 0 && strcmp(k->acked, LAN_NOWHERE) != 0)
        json_add(v, SLICE_LIT("at"), json_new_str(&a, slice_str(k->acked)));
    if (k->here == 0)
        json_add(v, SLICE_LIT("seen"), json_new_int(&a, (int64_t)k->seen_us));
    k->is_told = !a.failed;
    if (k->is_told)
        engine_outsider(f->engine, v);
    arena_free(&a);
}

void lan_kept_here(struct lan_face *f, const char *node, bool is_here)
{
    struct lan_kept *k = f->kept;
    bool is_new = false;

    while (k != NULL && strcmp(k->node, node) != 0)
        k = k->next;
    if (k == NULL && is_here && node[0] != 0) {
        k = put_first(f, slice_str(node));
        is_new = true;
    }
    if (k == NULL)
        return;
    if (is_here)
        k->here++;
    else if (k->here > 0)
        k->here--;
    k->seen_us = clock_wall_us();
    tell_engine(f, k);
    if (is_new) /* before it is told of anything: we may be killed then */
        write_file(f);
    else
        note_change(f);
}

static void tell_all(struct lan_face *f)
{
    for (struct lan_kept *k = f->kept; k != NULL; k = k->next)
        if (!k->is_told)
            tell_engine(f, k);
}

/* ---- what they are not told ---- */

/* Of more the first are known: it is told that there is something. */
static void put_lack(struct lan_kept *k, struct slice key, size_t bytes)
{
    struct lan_lack **at = &k->lacks, *made;
    size_t n = 0;

    for (; *at != NULL; at = &(*at)->next, n++)
        if (slice_eq(SLICE((*at)->key, (*at)->len), key)) {
            (*at)->bytes = bytes;
            return;
        }
    made = n < LACKS_MAX ? malloc(sizeof *made + key.len) : NULL;
    if (made == NULL)
        return;
    made->next = NULL;
    made->bytes = bytes;
    made->len = key.len;
    memcpy(made->key, key.ptr, key.len);
    *at = made;
}

static bool drop_lack(struct lan_kept *k, struct slice key)
{
    for (struct lan_lack **at = &k->lacks; *at != NULL; at = &(*at)->next) {
        struct lan_lack *l = *at;

        if (slice_eq(SLICE(l->key, l->len), key)) {
            *at = l->next;
            free(l);
            return true;
        }
    }
    return false;
}

void lan_kept_lacks(
    struct lan_face *f, const char *node, struct slice key, size_t bytes)
{
    struct lan_kept *k = f->kept;

    if ((bytes == 0 && !f->kept_lacks) || key.len == 0)
        return;
    while (k != NULL && strcmp(k->node, node) != 0)
        k = k->next;
    if (bytes == 0) {
        if (k != NULL && drop_lack(k, key)) {
            log_line(&f->log, LOG_LEVEL_INFO, "lansync",
                "%s: %.*s is not too long any more", node, SLICE_FMT(key));
            note_change(f);
        }
        return;
    }
    log_line(&f->log, LOG_LEVEL_WARN, "lansync",
        "%s is not told of %.*s: it takes %zu bytes", node, SLICE_FMT(key),
        bytes);
    if (k == NULL && node[0] != 0)
        k = put_first(f, slice_str(node));
    if (k == NULL)
        return;
    put_lack(k, key, bytes);
    f->kept_lacks = true;
    note_change(f);
}

static void print_lack(
    struct buf *b, const char *node, const struct lan_lack *l)
{
    buf_put_str(b, "{\"node_id\":");
    json_print_string(b, slice_str(node), false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, SLICE(l->key, l->len), false);
    buf_printf(b, ",\"bytes\":%zu}", l->bytes);
}

void lan_kept_put_lacks(const struct lan_face *f, struct buf *b)
{
    size_t n = 0, nodes_n = 0;

    buf_put_str(b, ",\"lacking\":[");
    for (const struct lan_kept *k = f->kept; k != NULL; k = k->next) {
        nodes_n += k->lacks != NULL;
        for (const struct lan_lack *l = k->lacks; l != NULL; l = l->next, n++) {
            if (n >= LACKS_TOLD)
                continue;
            buf_put_str(b, n > 0 ? "," : "");
            print_lack(b, k->node, l);
        }
    }
    buf_printf(b, "],\"lacking_n\":%zu,\"lacking_nodes_n\":%zu", n, nodes_n);
}

/* ---- the file ---- */

static struct private_file file_of(const struct lan_face *f, struct buf *path)
{
    buf_printf(path, "%s/lansync.json%c", engine_dir(f->engine), 0);
    return (struct private_file){ .path = (const char *)path->ptr,
        .what = "list of LAN-sync nodes",
        .max = FILE_MAX };
}

static void take_lacks(
    struct lan_face *f, struct lan_kept *k, const struct json *v)
{
    if (v == NULL || v->type != JSON_OBJECT)
        return;
    for (const struct json *m = v->first; m != NULL; m = m->next)
        if (m->type == JSON_INT && m->i > 0 && m->key.len > 0) {
            put_lack(k, m->key, (size_t)m->i);
            f->kept_lacks = true;
        }
}

static void take_nodes(struct lan_face *f, const struct json *nodes)
{
    for (const struct json *m = nodes->first; m != NULL; m = m->next) {
        struct lan_kept *k = NULL;

        if (m->key.len > 0 && memchr(m->key.ptr, 0, m->key.len) == NULL)
            k = put_first(f, m->key);
        if (k != NULL) {
            const struct slice acked = json_get_str(m, "acked");

            /* It has acknowledged nothing that is in the file, and may have
             * been told of much: it is told all that is there, and what is not
             * any more. */
            set_text(&k->acked, acked.len > 0 ? acked : SLICE_LIT(LAN_NOWHERE));
            set_text(&k->asked, json_get_str(m, "asked"));
            take_lacks(f, k, json_get(m, "lacks"));
            k->seen_us =
                (uint64_t)json_get_int(m, "seen", (int64_t)clock_wall_us());
        }
    }
}

/* A person may want to know what it was; of two such files the newer stays. */
static void put_aside(struct lan_face *f, const char *path, const char *what)
{
    struct buf to = { 0 };
    const char *why = "memory ran out";
    bool done = false;

    buf_printf(&to, "%s.damaged%c", path, 0);
    if (buf_status(&to) == SYNCLINE_OK) {
        done = rename(path, (const char *)to.ptr) == 0;
        why = done ? "" : strerror(errno);
    }
    if (done)
        log_line(&f->log, LOG_LEVEL_ERROR, "lansync",
            "%s is damaged (%s), and is kept as %s: LAN-sync nodes are told "
            "all that is here once more",
            path, what, (const char *)to.ptr);
    else
        log_line(&f->log, LOG_LEVEL_ERROR, "lansync",
            "%s is damaged (%s), and cannot be put aside (%s): LAN-sync nodes "
            "are told all that is here once more",
            path, what, why);
    buf_free(&to);
}

/* ECORRUPT: it is none that we have written; what was in it is not known. */
static int take_text(struct lan_face *f, struct slice text, struct errmsg *why)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    int rc = json_parse(&v, text, JSON_STRICT, &a, why);
    const struct json *nodes = rc == SYNCLINE_OK ? json_get(v, "nodes") : NULL;

    if (rc == SYNCLINE_OK && (nodes == NULL || nodes->type != JSON_OBJECT))
        rc = errmsg_set(why, SYNCLINE_ECORRUPT, "it has no list of nodes");
    else if (rc == SYNCLINE_OK)
        take_nodes(f, nodes);
    else if (rc != SYNCLINE_ENOMEM)
        rc = SYNCLINE_ECORRUPT;
    arena_free(&a);
    return rc;
}

int lan_kept_open(struct lan_face *f, struct errmsg *why)
{
    struct buf path = { 0 }, text = { 0 };
    const struct private_file file = file_of(f, &path);
    struct errmsg what = { "" };
    int rc = buf_status(&path);

    if (rc == SYNCLINE_OK)
        rc = private_file_read(&text, &file, why);
    if (rc == SYNCLINE_OK)
        rc = take_text(f, buf_slice(&text), &what);
    if (rc == SYNCLINE_ECORRUPT)
        put_aside(f, file.path, what.text);
    if (rc == SYNCLINE_ENOTFOUND || rc == SYNCLINE_ECORRUPT)
        rc = SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        tell_all(f);
    buf_free(&text);
    buf_free(&path);
    return rc;
}

/* From the last to the first, so that reading puts them so again. */
static void put_nodes(struct buf *b, const struct lan_kept *k)
{
    if (k == NULL)
        return;
    put_nodes(b, k->next);
    if (k->next != NULL)
        buf_put_u8(b, ',');
    json_print_string(b, slice_str(k->node), false);
    buf_put_str(b, ":{\"acked\":");
    json_print_string(b, slice_str(text_of(k->acked)), false);
    buf_put_str(b, ",\"asked\":");
    json_print_string(b, slice_str(text_of(k->asked)), false);
    buf_printf(b, ",\"seen\":%llu",
        (unsigned long long)(k->here > 0 ? clock_wall_us() : k->seen_us));
    for (const struct lan_lack *l = k->lacks; l != NULL; l = l->next) {
        buf_put_str(b, l == k->lacks ? ",\"lacks\":{" : ",");
        json_print_string(b, SLICE(l->key, l->len), false);
        buf_printf(b, ":%zu%s", l->bytes, l->next == NULL ? "}" : "");
    }
    buf_put_u8(b, '}');
}

static void write_file(struct lan_face *f)
{
    struct buf path = { 0 }, text = { 0 };
    const struct private_file file = file_of(f, &path);
    struct errmsg why = { "memory ran out" };
    int rc;

    buf_put_str(&text, "{\"nodes\":{");
    put_nodes(&text, f->kept);
    buf_put_str(&text, "}}\n");
    rc = buf_status(&text) != SYNCLINE_OK ? buf_status(&text)
                                          : buf_status(&path);
    if (rc == SYNCLINE_OK)
        rc = private_file_write(&file, buf_slice(&text), true, &why);
    if (rc != SYNCLINE_OK)
        log_line(&f->log, LOG_LEVEL_WARN, "lansync",
            "how far nodes are is not kept: %s", why.text);
    f->kept_changed = false;
    buf_free(&text);
    buf_free(&path);
}

uint64_t lan_kept_tick(struct lan_face *f, uint64_t now_us)
{
    if (f->kept_changed && f->kept_due_us <= now_us)
        write_file(f);
    if (f->told_due_us != 0 && f->told_due_us <= now_us && !f->is_stopping) {
        f->told_due_us = 0;
        tell_all(f);
    }
    if (f->told_due_us != 0 &&
        (!f->kept_changed || f->told_due_us < f->kept_due_us))
        return f->told_due_us;
    return f->kept_changed ? f->kept_due_us : 0;
}

void lan_kept_close(struct lan_face *f)
{
    if (f->kept_changed && f->engine != NULL)
        write_file(f);
    while (f->kept != NULL) {
        struct lan_kept *next = f->kept->next;

        kept_free(f->kept);
        f->kept = next;
    }
}
