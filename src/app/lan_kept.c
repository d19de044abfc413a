/* What is known of LAN-sync nodes from before: how far each of them has
 * acknowledged, and how far we have asked it. In a file of the node's folder;
 * without it they are told everything that is there once more. */
#include "app/lan_face_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/private_file.h"

#define KEPT_MAX 256 /* nodes; of more the oldest are forgotten */
#define FILE_MAX ((size_t)4 << 20)
#define WRITE_US UINT64_C(5000000)

struct lan_kept {
    struct lan_kept *next;
    char *node, *acked, *asked;
};

static void kept_free(struct lan_kept *k)
{
    if (k == NULL)
        return;
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
static struct lan_kept *put_first(struct lan_face *f, struct slice node,
    struct slice acked, struct slice asked)
{
    struct lan_kept *made = calloc(1, sizeof *made);
    size_t n = 0;

    if (made == NULL)
        return NULL;
    made->node = copy(node);
    made->acked = copy(acked);
    made->asked = copy(asked);
    if (made->node == NULL || made->acked == NULL || made->asked == NULL) {
        kept_free(made);
        return NULL;
    }
    made->next = f->kept;
    f->kept = made;
    for (struct lan_kept **at = &made->next; *at != NULL;) {
        struct lan_kept *k = *at;

        if (++n < KEPT_MAX && strcmp(k->node, made->node) != 0) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        kept_free(k);
    }
    return made;
}

void lan_kept_recall(
    const struct lan_face *f, const char *node, char *acked, char *asked)
{
    const struct lan_kept *k = f->kept;

    while (k != NULL && strcmp(k->node, node) != 0)
        k = k->next;
    (void)snprintf(acked, LAN_CURSOR_MAX, "%s", k != NULL ? k->acked : "");
    (void)snprintf(asked, LAN_CURSOR_MAX, "%s", k != NULL ? k->asked : "");
}

void lan_kept_note(
    struct lan_face *f, const char *node, const char *acked, const char *asked)
{
    if (node[0] == 0)
        return; /* it has not said who it is */
    (void)put_first(f, slice_str(node), slice_str(acked), slice_str(asked));
    if (!f->kept_changed)
        f->kept_due_us = clock_mono_us() + WRITE_US;
    f->kept_changed = true;
    lan_arm(f);
}

/* ---- the file ---- */

static struct private_file file_of(const struct lan_face *f, struct buf *path)
{
    buf_printf(path, "%s/lansync.json%c", engine_dir(f->engine), 0);
    return (struct private_file){ .path = (const char *)path->ptr,
        .what = "list of LAN-sync nodes",
        .max = FILE_MAX };
}

static void take_nodes(struct lan_face *f, const struct json *v)
{
    const struct json *nodes = json_get(v, "nodes");

    if (nodes == NULL || nodes->type != JSON_OBJECT)
        return;
    for (const struct json *m = nodes->first; m != NULL; m = m->next)
        if (m->key.len > 0 && memchr(m->key.ptr, 0, m->key.len) == NULL)
            (void)put_first(
                f, m->key, json_get_str(m, "acked"), json_get_str(m, "asked"));
}

int lan_kept_open(struct lan_face *f, struct errmsg *why)
{
    struct buf path = { 0 }, text = { 0 };
    const struct private_file file = file_of(f, &path);
    struct arena a = { 0 };
    struct json *v = NULL;
    int rc = buf_status(&path);

    if (rc == SYNCLINE_OK)
        rc = private_file_read(&text, &file, why);
    if (rc == SYNCLINE_OK &&
        json_parse(&v, buf_slice(&text), JSON_STRICT, &a, NULL) == SYNCLINE_OK)
        take_nodes(f, v);
    if (rc == SYNCLINE_ENOTFOUND)
        rc = SYNCLINE_OK;
    arena_free(&a);
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
    json_print_string(b, slice_str(k->acked), false);
    buf_put_str(b, ",\"asked\":");
    json_print_string(b, slice_str(k->asked), false);
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
