/* What outlives the program (DIR/isync.json): the registers with their stamps,
 * what is deleted for ever, what is only passed on, how far the space is, and
 * what is known of nodes. */
#include "app/isync/isync_face_impl.h"

#include <limits.h>
#include <stdio.h>

#include "app/private_file.h"

#define FILE_MAX ((size_t)512 << 20)
#define SAVE_US UINT64_C(1000000)
#define SAVE_MAX_US UINT64_C(60000000)
#define SAVE_SHARE 20 /* of the time, at most, goes into saving */

static struct private_file file_of(const struct isync_face *f, char *path)
{
    (void)snprintf(path, PATH_MAX, "%s/isync.json", f->dir);
    return (struct private_file){
        .path = path, .what = "state of iSync", .max = FILE_MAX
    };
}

/* ---- writing ---- */

static void put_paths(const struct isync_face *f, struct buf *b, unsigned tag)
{
    const char *between = "";

    buf_put_u8(b, '[');
    for (const struct omap_node *n = omap_first(&f->fields); n != NULL;
         n = omap_next(n))
        if ((n->tag & tag) != 0) {
            buf_put_str(b, between);
            between = ",";
            json_print_string(b, n->key, false);
        }
    buf_put_u8(b, ']');
}

static void put_all(const struct isync_face *f, struct buf *b)
{
    struct arena a = { 0 };
    struct json *repute = isync_repute_save(f->repute, &a);
    int rc;

    b->max = FILE_MAX;
    buf_put_str(b, "{\"format\":1,\"node_id\":");
    json_print_string(b, slice_str(f->node_id), false);
    buf_put_str(b, ",\"space\":");
    json_print_string(b, slice_str(f->space), false);
    buf_printf(b,
        ",\"off\":%s,\"saved\":%llu,\"cursor\":", f->is_off ? "true" : "false",
        (unsigned long long)clock_wall_us());
    json_print_string(b, slice_str(f->cursor), false);
    buf_put_str(b, ",\"applied\":");
    put_paths(f, b, ISYNC_APPLIED);
    buf_put_str(b, ",\"native\":");
    put_paths(f, b, ISYNC_NATIVE);
    buf_put_str(b, ",\"remove\":");
    put_paths(f, b, ISYNC_REMOVE);
    buf_put_str(b, ",\"peers\":[");
    isync_peers_save(f, b);
    buf_put_str(b, "],\"repute\":");
    if (repute != NULL)
        json_print(b, repute, JSON_CANONICAL);
    else
        buf_put_str(b, "{}");
    arena_free(&a);
    buf_put_str(b, ",\"mesh\":");
    rc = isync_mesh_save(f->mesh, b);
    if (rc != SYNCLINE_OK && b->status == SYNCLINE_OK)
        b->status = rc;
    buf_put_str(b, "}\n");
}

static int write_text(
    const struct isync_face *f, const struct buf *text, struct errmsg *why)
{
    char path[PATH_MAX];
    const struct private_file file = file_of(f, path);

    if (buf_status(text) != SYNCLINE_OK)
        return errmsg_set(why, buf_status(text), "memory ran out");
    return private_file_write(&file, buf_slice(text), true, why);
}

static void run_save(struct helper_job *job)
{
    struct isync_face *f =
        (struct isync_face *)((char *)job - offsetof(struct isync_face, job));

    f->job_rc = write_text(f, &f->job_text, &f->job_why);
}

static void tell_saved(struct isync_face *f, int rc, const struct errmsg *why)
{
    if (rc != SYNCLINE_OK && !f->save_failed)
        log_line(&f->log, LOG_LEVEL_ERROR, "isync",
            "what iSync nodes have said is not kept: %s", why->text);
    f->save_failed = rc != SYNCLINE_OK;
}

/* All of it is written each time: the longer that takes, the less often. */
static uint64_t pause_us(const struct isync_face *f)
{
    return f->save_pause_us < SAVE_US    ? SAVE_US
        : f->save_pause_us > SAVE_MAX_US ? SAVE_MAX_US
                                         : f->save_pause_us;
}

static void done_save(struct helper_job *job)
{
    struct isync_face *f =
        (struct isync_face *)((char *)job - offsetof(struct isync_face, job));

    f->is_saving = false;
    isync_heard_kept(f, f->job_rc == SYNCLINE_OK);
    buf_free(&f->job_text);
    f->save_pause_us = SAVE_SHARE * (clock_mono_us() - f->began_us);
    if (f->is_changed && f->save_us != 0)
        f->save_us = clock_mono_us() + pause_us(f);
    tell_saved(f, f->job_rc, &f->job_why);
    if (f->job_rc != SYNCLINE_OK)
        isync_kept_dirty(f);
    isync_face_arm(f);
}

void isync_kept_dirty(struct isync_face *f)
{
    if (!f->is_changed)
        f->save_us =
            clock_mono_us() + (f->save_failed ? 30 * SAVE_US : pause_us(f));
    f->is_changed = true;
}

uint64_t isync_kept_tick(struct isync_face *f, uint64_t now_us)
{
    if (!f->is_changed || f->is_saving || f->helper == NULL)
        return 0;
    if (f->save_us > now_us)
        return f->save_us;
    f->is_changed = false;
    f->is_saving = true;
    f->began_us = now_us;
    isync_heard_turn(f);
    put_all(f, &f->job_text);
    helper_submit(f->helper, &f->job);
    return 0;
}

void isync_kept_end(struct isync_face *f)
{
    struct errmsg why = { "" };
    struct buf text = { 0 };

    if (f->helper == NULL)
        return;
    helper_stop(f->helper);
    f->helper = NULL;
    if (f->is_changed) {
        int rc;

        isync_heard_turn(f);
        put_all(f, &text);
        rc = write_text(f, &text, &why);
        tell_saved(f, rc, &why);
        isync_heard_kept(f, rc == SYNCLINE_OK);
        f->is_changed = false;
    }
    buf_free(&text);
}

/* ---- reading ---- */

static void take_paths(
    struct isync_face *f, const struct json *list, unsigned tag)
{
    const struct json *e =
        list != NULL && list->type == JSON_ARRAY ? list->first : NULL;

    for (; e != NULL; e = e->next) {
        struct omap_node *n;

        if (e->type != JSON_STRING || e->s.len == 0 ||
            omap_put(&f->fields, e->s, SLICE_NONE) != SYNCLINE_OK)
            continue;
        n = omap_get(&f->fields, e->s);
        n->tag = (uint16_t)tag;
    }
}

/* Of another space nothing is known. */
static void take_space(struct isync_face *f, const struct json *v)
{
    const struct slice cursor = json_get_str(v, "cursor");
    const int64_t saved = json_get_int(v, "saved", 0);

    if (!slice_is(json_get_str(v, "space"), f->space) ||
        cursor.len >= sizeof f->cursor)
        return;
    take_paths(f, json_get(v, "applied"), ISYNC_APPLIED);
    take_paths(f, json_get(v, "native"), ISYNC_NATIVE);
    if (saved > 0) { /* else nobody knows what was made anew since */
        take_paths(f, json_get(v, "remove"), ISYNC_REMOVE);
        f->kept_us = (uint64_t)saved;
    }
    memcpy(f->cursor, cursor.ptr, cursor.len);
    f->cursor[cursor.len] = 0;
}

static int take_all(
    struct isync_face *f, const struct json *v, struct errmsg *why)
{
    const struct json *mesh = json_get(v, "mesh");
    int rc;

    if (mesh == NULL || json_get_int(v, "format", 0) != 1)
        return errmsg_set(why, SYNCLINE_ECORRUPT, "it is of another version");
    rc = isync_mesh_load_tree(f->mesh, mesh, why);
    if (rc != SYNCLINE_OK)
        return rc;
    f->is_off = json_get_bool(v, "off", false);
    take_space(f, v);
    isync_peers_load(f, json_get(v, "peers"));
    isync_repute_load(f->repute, json_get(v, "repute"));
    return SYNCLINE_OK;
}

int isync_kept_open(struct isync_face *f, struct errmsg *why)
{
    char path[PATH_MAX];
    const struct private_file file = file_of(f, path);
    struct errmsg what = { "" };
    struct buf text = { 0 };
    struct arena a = { 0 };
    struct json *v = NULL;
    int rc = private_file_read(&text, &file, why);

    if (rc == SYNCLINE_OK) {
        rc = json_parse(&v, buf_slice(&text), JSON_TOLERANT, &a, &what);
        if (rc == SYNCLINE_OK)
            rc = take_all(f, v, &what);
        if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOMEM)
            rc = errmsg_set(why, SYNCLINE_ECORRUPT,
                "%s: %.200s; put a copy in its place, or remove it: then "
                "stamps and deletions come from the other nodes",
                path, what.text);
    } else if (rc == SYNCLINE_ENOTFOUND) {
        rc = SYNCLINE_OK;
    }
    arena_free(&a);
    buf_free(&text);
    if (rc == SYNCLINE_OK)
        rc = isync_heard_open(f, why);
    f->job = (struct helper_job){ .run = run_save, .done = done_save };
    if (rc == SYNCLINE_OK)
        rc = helper_start(&f->helper, f->opt.loop, "syncline-isync");
    return rc;
}

void isync_kept_close(struct isync_face *f)
{
    buf_free(&f->job_text);
    isync_heard_close(f);
}
