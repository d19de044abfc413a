/* What the iSync face tells of itself, in our words and in the older ones, and
 * what it is asked to do. */
#include "app/isync/isync_face_impl.h"

#include <stdio.h>
#include <sys/stat.h>

#include "app/answer.h"

size_t isync_space_count(const struct isync_face *f, enum isync_field what)
{
    size_t n = 0;

    for (const struct omap_node *p = omap_first(&f->fields); p != NULL;
         p = omap_next(p))
        n += (p->tag & what) != 0;
    return n;
}

static void put_bool(struct buf *b, const char *name, bool v)
{
    buf_printf(b, "\"%s\":%s", name, v ? "true" : "false");
}

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, "\"%s\":", name);
    json_print_string(b, slice_str(text), false);
}

static void put_or_null(struct buf *b, const char *name, const char *text)
{
    if (text != NULL && text[0] != 0)
        put_text(b, name, text);
    else
        buf_printf(b, "\"%s\":null", name);
}

/* Paths that were made here after they were deleted there for ever. */
static void put_native(const struct isync_face *f, struct buf *b)
{
    size_t n = 0;

    buf_put_str(b, "\"native_only\":[");
    for (const struct omap_node *p = omap_first(&f->fields);
         p != NULL && n < ISYNC_NATIVE_TOLD; p = omap_next(p))
        if ((p->tag & ISYNC_NATIVE) != 0) {
            buf_put_str(b, n++ > 0 ? "," : "");
            json_print_string(b, p->key, false);
        }
    buf_printf(
        b, "],\"native_only_n\":%zu", isync_space_count(f, ISYNC_NATIVE));
}

/* Who has said what is kept and passed on, and cannot be read here. */
static void put_unread(const struct isync_face *f, struct buf *b)
{
    struct slice sources[ISYNC_NATIVE_TOLD];
    const size_t n = isync_mesh_unread(f->mesh, sources, ISYNC_NATIVE_TOLD);

    buf_put_str(b, "\"unread_of\":[");
    for (size_t i = 0; i < n && i < ISYNC_NATIVE_TOLD; i++) {
        buf_put_str(b, i > 0 ? "," : "");
        json_print_string(b, sources[i], false);
    }
    buf_printf(b, "],\"unread_of_n\":%zu", n);
}

static void put_list(const struct isync_face *f, struct buf *b)
{
    buf_put_str(b, "\"discovery\":{");
    put_or_null(b, "url", f->discovery_url);
    buf_printf(b, ",\"listed\":%u,\"fetched\":%llu,",
        f->list != NULL ? f->list->n : 0, (unsigned long long)f->fetched_us);
    put_or_null(b, "trouble", f->fetch_why);
    buf_put_u8(b, '}');
}

static void put_packets(const struct isync_face *f, struct buf *b)
{
    const struct isync_mesh_counts *n = isync_mesh_counts(f->mesh);

    buf_printf(b,
        "\"packets\":{\"sent\":%llu,\"received\":%llu,\"merged\":%llu,"
        "\"relayed\":%llu,\"held\":%llu,\"unread\":%llu,\"echoes\":%llu,"
        "\"dropped\":%llu},\"changes\":{\"taken\":%llu,\"deleted\":%llu,"
        "\"told\":%llu,\"written\":%llu,\"removed\":%llu,\"refused\":%llu,"
        "\"far_ahead\":%llu,\"left_out\":%llu}",
        (unsigned long long)n->sent, (unsigned long long)n->received,
        (unsigned long long)n->merged, (unsigned long long)n->relayed,
        (unsigned long long)n->held, (unsigned long long)n->unread,
        (unsigned long long)n->echoes, (unsigned long long)n->dropped,
        (unsigned long long)n->registers, (unsigned long long)n->deleted,
        (unsigned long long)f->counts.told,
        (unsigned long long)f->counts.written,
        (unsigned long long)f->counts.removed,
        (unsigned long long)f->counts.refused, (unsigned long long)n->far,
        (unsigned long long)n->left_out);
}

const char *isync_trouble(const struct isync_face *f)
{
    if (!f->can_seal && !f->opt.tuning.is_clear)
        return "there is no token, and isync.clear is false: nothing of ours "
               "is said";
    if (f->save_failed)
        return "what iSync nodes have said cannot be kept: see the log";
    return isync_space_count(f, ISYNC_REFUSED) > 0 ? f->refused_why : NULL;
}

static void put_status(const struct isync_face *f, struct buf *b)
{
    const struct isync_counts n = isync_state_counts(isync_mesh_state(f->mesh));
    const struct isync_conns_counts at = isync_conns_counts(f->conns);

    put_bool(b, "running", f->engine != NULL && !f->is_stopping && f->is_live);
    buf_put_u8(b, ',');
    put_bool(b, "paused", f->is_off);
    buf_put_u8(b, ',');
    put_text(b, "node_id", f->node_id);
    buf_put_u8(b, ',');
    put_text(b, "space", f->space);
    if (f->listen_n > 0)
        buf_printf(b, ",\"port\":%u,", f->listen[0].port);
    else
        buf_put_str(b, ",\"port\":null,");
    put_bool(b, "token", f->can_seal);
    buf_put_u8(b, ',');
    put_bool(b, "clear", f->opt.tuning.is_clear);
    buf_printf(b, ",\"turns\":%llu,\"connected\":%zu,\"links\":[",
        (unsigned long long)f->turns_s, isync_mesh_peers(f->mesh));
    isync_links_put(f, b);
    buf_put_str(b, "],\"peers\":[");
    isync_peers_put(f, b);
    buf_put_str(b, "],");
    put_list(f, b);
    buf_printf(b,
        ",\"registers\":%zu,\"deleted\":%zu,\"pending\":%zu,"
        "\"refused\":%zu,\"last_sync\":%llu,",
        n.registers, n.deleted,
        isync_space_count(f, ISYNC_PENDING | ISYNC_FLYING | ISYNC_REMOVE),
        isync_space_count(f, ISYNC_REFUSED),
        (unsigned long long)f->last_sync_us);
    put_native(f, b);
    buf_put_u8(b, ',');
    put_unread(f, b);
    buf_put_u8(b, ',');
    put_packets(f, b);
    buf_printf(b,
        ",\"turned_away\":{\"network\":%llu,\"page\":%llu,\"room\":%llu},",
        (unsigned long long)at.refused_network,
        (unsigned long long)at.refused_page,
        (unsigned long long)at.refused_room);
    put_or_null(b, "trouble", isync_trouble(f));
}

void isync_face_put_status(const struct isync_face *f, struct buf *b)
{
    if (f == NULL || f->conns == NULL) /* it did not start, or has ended */
        return;
    buf_put_str(b, "\"isync\":{");
    put_status(f, b);
    buf_put_str(b, "},");
}

/* ---- in the older words ---- */

static long long file_bytes(const struct isync_face *f)
{
    struct buf path = { 0 };
    struct stat st = { .st_size = 0 };

    buf_printf(&path, "%s/isync.json%c", f->dir, 0);
    if (buf_status(&path) != SYNCLINE_OK ||
        stat((const char *)path.ptr, &st) != 0)
        st.st_size = 0;
    buf_free(&path);
    return (long long)st.st_size;
}

static size_t saved_n(const struct isync_face *f)
{
    struct buf b = { 0 };
    struct arena a = { 0 };
    struct json *v = NULL;
    size_t n = 0;

    buf_put_u8(&b, '[');
    isync_peers_save(f, &b);
    buf_put_u8(&b, ']');
    if (buf_status(&b) == SYNCLINE_OK &&
        json_parse(&v, buf_slice(&b), JSON_STRICT, &a, NULL) == SYNCLINE_OK)
        n = v->n;
    arena_free(&a);
    buf_free(&b);
    return n;
}

static void put_clock(const struct isync_face *f, struct buf *b)
{
    struct isync_cut cut = { .after = UINT64_MAX };
    struct arena a = { 0 };
    const struct json *part =
        isync_state_export(isync_mesh_state(f->mesh), &cut, &a);
    const struct json *clock = json_get(part, "vector_clock");

    if (clock != NULL)
        json_print(b, clock, JSON_CANONICAL);
    else
        buf_put_str(b, "{}");
    arena_free(&a);
}

/* Sorted, compact, a newline at the end. */
void isync_put_stats(const struct isync_face *f, struct buf *b)
{
    const struct isync_counts n = isync_state_counts(isync_mesh_state(f->mesh));
    const struct isync_mesh_counts *m = isync_mesh_counts(f->mesh);
    const long long bytes = file_bytes(f);
    const size_t peers = saved_n(f);

    buf_printf(b,
        "{\"connected_peers\":%zu,\"database_stats\":{\"file_size_bytes\":%lld,"
        "\"file_size_mb\":",
        isync_mesh_peers(f->mesh), bytes);
    json_print_double(b, (double)(bytes * 100 / 1048576) / 100);
    buf_printf(b,
        ",\"tables\":{\"config\":4,\"peers\":%zu,\"sync_history\":%llu},"
        "\"total_records\":%llu,\"total_tables\":3},\"node_id\":",
        peers, (unsigned long long)m->merged,
        (unsigned long long)(4 + peers + m->merged));
    json_print_string(b, slice_str(f->node_id), true);
    buf_printf(b,
        ",\"sync_state\":{\"deleted_keys_count\":%zu,\"lww_registers_count\":"
        "%zu,\"vector_clock\":",
        n.deleted, n.registers);
    put_clock(f, b);
    buf_put_str(b, "}}\n");
}

static void put_urls(const struct isync_face *f, struct buf *b, bool connected)
{
    struct buf all = { 0 };
    struct arena a = { 0 };
    struct json *v = NULL;
    const char *between = "";

    buf_put_u8(&all, '[');
    isync_peers_put(f, &all);
    buf_put_u8(&all, ']');
    if (buf_status(&all) == SYNCLINE_OK)
        (void)!json_parse(&v, buf_slice(&all), JSON_STRICT, &a, NULL);
    for (const struct json *e = v != NULL ? v->first : NULL; e != NULL;
         e = e->next)
        if (!connected || slice_is(json_get_str(e, "state"), "connected")) {
            buf_put_str(b, between);
            between = ",";
            json_print_string(b, json_get_str(e, "url"), true);
        }
    arena_free(&a);
    buf_free(&all);
}

void isync_put_older_status(const struct isync_face *f, struct buf *b)
{
    buf_printf(b, "{\"connected_peers\":%zu,\"connected_to\":[",
        isync_mesh_peers(f->mesh));
    put_urls(f, b, true);
    buf_printf(b,
        "],\"encryption_ready\":%s,\"has_token\":%s,\"last_sync_time\":",
        f->can_seal ? "true" : "false",
        f->secret.token.len > 0 ? "true" : "false");
    if (f->last_sync_us == 0)
        buf_put_u8(b, '0');
    else
        json_print_double(b, (double)f->last_sync_us / 1e6);
    buf_put_str(b, ",\"node_id\":");
    json_print_string(b, slice_str(f->node_id), true);
    buf_put_str(b, ",\"peer_urls\":[");
    put_urls(f, b, false);
    buf_printf(b, "],\"sync_enabled\":%s}\n", f->is_off ? "false" : "true");
}

/* ---- requests ---- */

static void put_answer(const struct isync_face *f, struct buf *out)
{
    buf_put_str(out, "{\"ok\":true,");
    put_status(f, out);
    buf_put_u8(out, '}');
}

static void audit(struct isync_face *f, const struct engine_asker *who,
    const char *what, struct slice url)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"isync\":\"%s\"", what);
    if (url.len > 0) {
        buf_put_str(&b, ",\"url\":");
        json_print_string(&b, url, false);
    }
    buf_put_u8(&b, '}');
    if (buf_status(&b) == SYNCLINE_OK && who != NULL)
        engine_audit_by(f->engine, who, "setting", buf_slice(&b));
    else if (buf_status(&b) == SYNCLINE_OK)
        engine_audit(f->engine, "setting", buf_slice(&b));
    buf_free(&b);
}

void isync_pause(
    struct isync_face *f, const struct engine_asker *who, bool paused)
{
    if (f->is_off == paused)
        return;
    f->is_off = paused;
    audit(f, who, paused ? "paused" : "resumed", SLICE_NONE);
    if (paused)
        isync_links_drop(f);
    f->look_us = 0;
    isync_kept_dirty(f);
    isync_face_arm(f);
}

int isync_connect(struct isync_face *f, const struct engine_asker *who,
    struct slice url, struct errmsg *why)
{
    int rc = isync_peers_add(f, url, why);

    if (rc == SYNCLINE_OK)
        audit(f, who, "peer added", url);
    return rc;
}

int isync_disconnect(struct isync_face *f, const struct engine_asker *who,
    struct slice url, struct errmsg *why)
{
    int rc = isync_peers_remove(f, url, why);

    if (rc == SYNCLINE_OK)
        audit(f, who, "peer removed", url);
    return rc;
}

void isync_push(struct isync_face *f)
{
    isync_mesh_push(f->mesh, isync_now());
    isync_face_arm(f);
}

int isync_reload(
    struct isync_face *f, const struct engine_asker *who, struct errmsg *why)
{
    int rc = isync_secret_read(f, why);

    isync_secret_turn(f);
    isync_face_arm(f);
    if (rc == SYNCLINE_OK)
        audit(f, who, "token read again", SLICE_NONE);
    return rc;
}

/* To people at this machine alone: who asks by the hub has no uid. */
static int put_token(const struct isync_face *f, const struct json *request,
    const struct engine_asker *who, struct buf *out, struct errmsg *why)
{
    const uint64_t period_s = f->opt.tuning.rotate_s;
    const uint64_t now = clock_wall_us() / 1000000;
    const int64_t wanted = json_get_int(request, "period", -1);
    const uint64_t period = wanted >= 0 ? (uint64_t)wanted
        : period_s > 0                  ? now / period_s
                                        : 0;
    struct buf token = { .max = ISYNC_TOKEN_MAX };
    int rc;

    if (who == NULL || who->uid == UINT32_MAX || who->token[0] != 0)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "the token is shown at the machine itself alone");
    rc = isync_secret_token(f, period, &token, why);
    if (rc == SYNCLINE_OK) {
        buf_printf(out,
            "{\"ok\":true,\"period\":%llu,\"now\":%llu,\"from\":%llu,"
            "\"until\":%llu,\"overlap\":%llu,\"token\":",
            (unsigned long long)period, (unsigned long long)(now / period_s),
            (unsigned long long)(period * period_s),
            (unsigned long long)((period + 1) * period_s),
            (unsigned long long)(f->opt.tuning.overlap_s < period_s / 2
                    ? f->opt.tuning.overlap_s
                    : period_s / 2));
        json_print_string(out, buf_slice(&token), false);
        buf_put_u8(out, '}');
    }
    if (token.cap > 0)
        crypto_wipe(token.ptr, token.cap);
    buf_free(&token);
    return rc;
}

bool isync_face_answer(struct isync_face *f, const struct json *request,
    const struct engine_asker *who, struct buf *out)
{
    const struct slice op = json_get_str(request, "op");
    struct errmsg why = { "" };
    int rc = SYNCLINE_OK;

    if (f->conns == NULL)
        return false;
    if (slice_is(op, "isync_sync"))
        isync_push(f);
    else if (slice_is(op, "isync_pause"))
        isync_pause(f, who, json_get_bool(request, "paused", true));
    else if (slice_is(op, "isync_connect"))
        rc = isync_connect(f, who, json_get_str(request, "url"), &why);
    else if (slice_is(op, "isync_disconnect"))
        rc = isync_disconnect(f, who, json_get_str(request, "url"), &why);
    else if (slice_is(op, "isync_reload"))
        rc = isync_reload(f, who, &why);
    else if (isync_pages_op(f, request, who, out))
        return true;
    else if (slice_is(op, "isync_token")) {
        rc = put_token(f, request, who, out, &why);
        if (rc == SYNCLINE_OK)
            return true;
    } else if (!slice_is(op, "isync"))
        return false;
    if (rc == SYNCLINE_OK)
        put_answer(f, out);
    else
        put_refusal(out, rc, &why);
    return true;
}
