/* The pages that iSync and iControl had, at their paths: on the face's own
 * port, where nobody is asked who he is, so that others look at most, unless an
 * option says that they may do more; and by the hub, which asks. */
#include "app/isync/isync_pages_impl.h"

#include <stdio.h>

#include "app/private_file.h"

#define FIELDS                                                    \
    "Cache-Control: no-store\r\nReferrer-Policy: same-origin\r\n" \
    "X-Content-Type-Options: nosniff\r\n"
#define FORM_MAX ((size_t)64 << 10)

/* ---- answers ---- */

static void answer(struct page *p, unsigned status, const char *type)
{
    p->status = status;
    p->type = type;
}

static void answer_text(struct page *p, unsigned status, const char *text)
{
    buf_clear(&p->body);
    buf_printf(&p->body, "%s\n", text);
    answer(p, status, "text/plain; charset=utf-8");
}

static void redirect(struct page *p, const char *to)
{
    answer(p, 302, NULL);
    p->location = to;
}

/* ---- forms ---- */

/* The decoded value of a field of a form, with a NUL behind it; false: it has
 * none. */
static bool form_get(const struct page *p, const char *name, struct buf *out)
{
    const struct http_request form = { .query = p->form };
    const struct json *arg = json_get(p->args, name);

    if (arg != NULL && arg->type == JSON_STRING)
        buf_put_slice(out, arg->s);
    else if (arg != NULL && arg->type == JSON_TRUE)
        buf_put_str(out, "on");
    else if (p->args != NULL || p->form.len > FORM_MAX ||
        http_query(&form, name, out) != SYNCLINE_OK)
        return false;
    buf_put_u8(out, 0);
    return buf_status(out) == SYNCLINE_OK &&
        memchr(out->ptr, 0, out->len) == out->ptr + out->len - 1 &&
        utf8_valid(SLICE(out->ptr, out->len - 1));
}

static struct slice form_text(const struct buf *b)
{
    return SLICE(b->ptr, b->len - 1);
}

/* ---- iSync's ---- */

static void get_root(struct page *p)
{
    html_begin(p, "Dashboard");
    html_facts(p);
    html_button(p, "/sync_now", "Sync now");
    html_end(p);
}

static void get_peers(struct page *p)
{
    html_begin(p, "Peers");
    html_peers(p);
    if (p->may_change)
        buf_put_str(&p->body,
            "<section><h2>Connect</h2>\n"
            "<form method=\"post\" action=\"/connect_peer\"><label>URL "
            "<input name=\"peer_url\" required placeholder="
            "\"http://host:5342\"></label><button>Connect</button></form>"
            "</section>\n");
    html_list(p);
    html_end(p);
}

/* As the person has said it, and what has become of it. */
static void connect_to(struct page *p, struct slice url)
{
    struct errmsg why = { "memory ran out" };

    if (isync_connect(p->face, &p->who, url, &why) == SYNCLINE_OK)
        isync_note(p->face, "%.*s is called from now on.", SLICE_FMT(url));
    else
        isync_note(p->face, "Not added: %s", why.text);
}

static void post_connect(struct page *p)
{
    struct buf url = { 0 };

    if (form_get(p, "peer_url", &url))
        connect_to(p, form_text(&url));
    buf_free(&url);
    redirect(p, "/peers");
}

static void post_sync(struct page *p)
{
    const size_t n = isync_mesh_peers(p->face->mesh);

    isync_push(p->face);
    if (p->face->is_off)
        isync_note(p->face, "Nothing is said: it is paused.");
    else if (n == 0)
        isync_note(p->face, "Nobody is connected: there is nobody to tell.");
    else
        isync_note(
            p->face, "All is said to %zu node%s now.", n, n == 1 ? "" : "s");
    redirect(p, slice_is(p->path, "/sync_now") ? "/" : "/isync");
}

/* The rows of its table `config`: what they are called there and here. */
static const struct {
    const char *key, *option, *text;
} settings[] = {
    { "node_id", NULL, "Who this node is" },
    { "peer_discovery_url", "isync.discovery_url",
        "Where a list of peers is fetched" },
    { "auto_sync_interval", "isync.interval",
        "Seconds between two times that all is said" },
    { "max_peers", "isync.max_peers", "How many are called at once" },
};

static void put_setting(
    const struct isync_face *f, size_t i, char *out, size_t room)
{
    switch (i) {
    case 0:
        (void)snprintf(out, room, "%s", f->node_id);
        break;
    case 1:
        (void)snprintf(
            out, room, "%s", f->discovery_url != NULL ? f->discovery_url : "");
        break;
    case 2:
        (void)snprintf(out, room, "%llu",
            (unsigned long long)(f->opt.tuning.interval_us / 1000000));
        break;
    default:
        (void)snprintf(out, room, "%zu", f->opt.tuning.max_peers);
    }
}

static void get_config(struct page *p)
{
    char value[600];

    html_begin(p, "Configuration");
    buf_put_str(&p->body,
        "<section><table class=\"list\">\n<tr><th>Setting</th><th>Value</th>"
        "<th>What it is</th><td></td></tr>\n");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        put_setting(p->face, i, value, sizeof value);
        buf_printf(
            &p->body, "<tr><th scope=\"row\">%s</th><td>", settings[i].key);
        html_put_text(p, value);
        buf_printf(&p->body, "</td><td>%s</td><td>", settings[i].text);
        if (settings[i].option != NULL && p->may_change)
            buf_printf(&p->body,
                "<a href=\"/config/edit/%s\" aria-label=\"Edit %s\">Edit</a>",
                settings[i].key, settings[i].key);
        buf_put_str(&p->body, "</td></tr>\n");
    }
    buf_put_str(&p->body, "</table></section>\n");
    html_end(p);
}

static size_t setting_of(const struct page *p)
{
    size_t i = 0;

    while (i < sizeof settings / sizeof *settings &&
        (settings[i].option == NULL || !slice_is(p->rest, settings[i].key)))
        i++;
    return i;
}

static void get_edit(struct page *p)
{
    const size_t i = setting_of(p);
    char value[600];

    if (i == sizeof settings / sizeof *settings) {
        redirect(p, "/config");
        return;
    }
    put_setting(p->face, i, value, sizeof value);
    html_begin(p, settings[i].key);
    if (p->may_change)
        buf_put_str(&p->body,
            "<section><form method=\"post\"><label>Value "
            "<input name=\"value\" value=\"");
    else
        buf_put_str(&p->body, "<section><p>");
    html_put_text(p, value);
    if (p->may_change)
        buf_printf(&p->body,
            "\"></label><label>Description <input name=\"description\" "
            "readonly value=\"%s\"></label><button>Save</button></form>"
            "</section>\n",
            settings[i].text);
    else
        buf_printf(&p->body, "</p><p class=\"soft\">%s</p></section>\n",
            settings[i].text);
    html_end(p);
}

/* The daemon changes the file of its options, or says why not. */
static void on_config(void *ctx, struct slice said, bool more)
{
    struct isync_face *f = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;

    (void)more;
    if (f->engine == NULL || f->is_stopping ||
        json_parse(&v, said, JSON_STRICT, &a, NULL) != SYNCLINE_OK)
        isync_note(f, "It is not known whether that was saved.");
    else if (json_get_bool(v, "ok", false))
        isync_note(f,
            json_get_bool(v, "restart", false)
                ? "Saved; it counts after a restart."
                : "Saved.");
    else
        isync_note(f, "Not saved: %.*s", SLICE_FMT(json_get_str(v, "error")));
    arena_free(&a);
}

static void set_option(struct page *p, const char *name, struct slice value)
{
    struct arena a = { 0 };
    struct json *args = json_new(&a, JSON_OBJECT);
    struct json *set = json_new(&a, JSON_OBJECT);

    (void)json_add(set, slice_str(name),
        value.len > 0 ? json_new_str(&a, value) : json_new(&a, JSON_NULL));
    (void)json_add(
        args, SLICE_LIT("op"), json_new_str(&a, SLICE_LIT("config_set")));
    if (json_add(args, SLICE_LIT("value"), set) != NULL)
        (void)engine_request(
            p->face->engine, args, &p->who, on_config, p->face);
    arena_free(&a);
}

static void post_edit(struct page *p)
{
    const size_t i = setting_of(p);
    struct buf value = { 0 };

    if (i < sizeof settings / sizeof *settings && form_get(p, "value", &value))
        set_option(p, settings[i].option, form_text(&value));
    buf_free(&value);
    redirect(p, "/config");
}

static void get_stats(struct page *p)
{
    isync_put_stats(p->face, &p->body);
    answer(p, 200, "application/json");
}

/* ---- iControl's ---- */

static void get_isync(struct page *p)
{
    html_begin(p, "iControl");
    html_facts(p);
    html_peers(p);
    buf_put_str(&p->body, "<div class=\"row\">");
    if (p->may_change)
        html_button(p, "/isync/toggle", p->face->is_off ? "Enable" : "Disable");
    html_button(p, "/isync/sync_now", "Sync now");
    buf_put_str(
        &p->body, "</div>\n<p><a href=\"/isync/config\">Configure</a></p>\n");
    html_end(p);
}

static void post_toggle(struct page *p)
{
    isync_pause(p->face, &p->who, !p->face->is_off);
    isync_note(p->face,
        p->face->is_off ? "Disabled: nothing is said to iSync nodes any more."
                        : "Enabled: iSync nodes are spoken with again.");
    redirect(p, "/isync");
}

/* Those that were saved, or those that the options name. */
static void put_urls(struct page *p, const char *from)
{
    struct buf text = { 0 };
    struct arena a = { 0 };
    struct json *v = NULL;
    size_t n = 0;

    buf_put_u8(&text, '[');
    isync_peers_put(p->face, &text);
    buf_put_u8(&text, ']');
    if (buf_status(&text) == SYNCLINE_OK)
        (void)!json_parse(&v, buf_slice(&text), JSON_STRICT, &a, NULL);
    for (const struct json *e = v != NULL ? v->first : NULL; e != NULL;
         e = e->next) {
        if (!slice_is(json_get_str(e, "from"), from))
            continue;
        buf_put_str(&p->body, n++ > 0 ? ", " : "");
        html_put_escaped(&p->body, json_get_str(e, "url"));
    }
    if (n == 0 && (!p->may_change || strcmp(from, "saved") != 0))
        buf_put_str(&p->body, "none");
    arena_free(&a);
    buf_free(&text);
}

static void put_form(struct page *p)
{
    buf_printf(&p->body,
        "<form method=\"post\" action=\"/isync/config\">"
        "<label><input type=\"checkbox\" name=\"auto_discover\"%s> Look for "
        "peers</label>\n<label>Peers, with commas between "
        "<input name=\"peer_urls\" value=\"",
        p->face->opt.tuning.auto_discover ? " checked" : "");
    put_urls(p, "saved");
    buf_put_str(&p->body, "\"></label>\n");
    if (isync_secret_is_ours(p->face))
        buf_put_str(&p->body,
            "<label>Token (empty: as it is) <input type=\"password\" "
            "name=\"isync_token\" autocomplete=\"off\"></label>\n");
    buf_put_str(&p->body, "<button>Save</button></form>\n");
}

static void get_isync_config(struct page *p)
{
    html_begin(p, "Settings");
    buf_put_str(&p->body, "<section>\n");
    if (p->may_change) {
        put_form(p);
    } else {
        buf_printf(&p->body, "<p>It is %slooked for peers.</p>\n<p>Peers: ",
            p->face->opt.tuning.auto_discover ? "" : "not ");
        put_urls(p, "saved");
        buf_put_str(&p->body, "</p>\n");
    }
    buf_put_str(
        &p->body, "<p class=\"soft\">Those of the option isync.peers: ");
    put_urls(p, "options");
    buf_put_str(&p->body, "</p>\n");
    if (!isync_secret_is_ours(p->face))
        buf_put_str(&p->body,
            "<p class=\"soft\">The token is said by an option or a "
            "credential, and changed there.</p>\n");
    buf_put_str(&p->body, "</section>\n");
    html_end(p);
}

static void take_urls(struct page *p, struct slice list)
{
    while (list.len > 0) {
        size_t n = 0;
        struct slice url;

        while (n < list.len && list.ptr[n] != ',')
            n++;
        url = SLICE(list.ptr, n);
        list = slice_from(list, n + 1);
        while (url.len > 0 && url.ptr[0] == ' ')
            url = slice_from(url, 1);
        while (url.len > 0 && url.ptr[url.len - 1] == ' ')
            url.len--;
        if (url.len > 0)
            connect_to(p, url);
    }
}

static void take_token(struct page *p, struct slice token)
{
    struct isync_face *f = p->face;
    struct errmsg why = { "" };
    int rc = isync_secret_write(f, token, &why);

    if (rc == SYNCLINE_OK)
        rc = isync_reload(f, &p->who, &why);
    if (rc == SYNCLINE_OK)
        isync_note(f,
            "The token is another now; what was sealed by the one before is "
            "still read for a while.");
    else
        isync_note(f, "The token was not changed: %s", why.text);
}

/* A form has nothing where there is no tick; what is no form may leave it out.
 */
static void take_box(struct page *p, struct buf *box)
{
    const struct json *arg = json_get(p->args, "auto_discover");
    bool is_on = form_get(p, "auto_discover", box);

    if (p->args != NULL && arg == NULL)
        return;
    if (arg != NULL && arg->type == JSON_STRING)
        is_on = !slice_is(arg->s, "") && !slice_is(arg->s, "false");
    if (is_on != p->face->opt.tuning.auto_discover)
        set_option(p, "isync.auto_discover",
            is_on ? SLICE_LIT("true") : SLICE_LIT("false"));
}

static void post_isync_config(struct page *p)
{
    struct buf urls = { 0 }, token = { 0 }, box = { 0 };

    if (form_get(p, "peer_urls", &urls)) {
        isync_peers_forget(p->face);
        take_urls(p, form_text(&urls));
        isync_peers_prune(p->face);
    }
    if (form_get(p, "isync_token", &token) && form_text(&token).len > 0)
        take_token(p, form_text(&token));
    take_box(p, &box);
    if (token.cap > 0)
        crypto_wipe(token.ptr, token.cap);
    buf_free(&urls);
    buf_free(&token);
    buf_free(&box);
    redirect(p, "/isync/config");
}

static void get_status(struct page *p)
{
    isync_put_older_status(p->face, &p->body);
    answer(p, 200, "application/json");
}

/* ---- who may ask for what ---- */

enum may { LOOK, CHANGE };

static const struct {
    const char *path; /* with '/' at the end: and a name behind it */
    enum http_method method;
    enum may may;
    void (*answer)(struct page *p);
} rows[] = {
    { "/", HTTP_GET, LOOK, get_root },
    { "/peers", HTTP_GET, LOOK, get_peers },
    { "/config", HTTP_GET, LOOK, get_config },
    { "/config/edit/", HTTP_GET, LOOK, get_edit },
    { "/config/edit/", HTTP_POST, CHANGE, post_edit },
    { "/connect_peer", HTTP_POST, CHANGE, post_connect },
    { "/sync_now", HTTP_POST, LOOK, post_sync },
    { "/api/stats", HTTP_GET, LOOK, get_stats },
    { "/isync", HTTP_GET, LOOK, get_isync },
    { "/isync/toggle", HTTP_POST, CHANGE, post_toggle },
    { "/isync/sync_now", HTTP_POST, LOOK, post_sync },
    { "/isync/config", HTTP_GET, LOOK, get_isync_config },
    { "/isync/config", HTTP_POST, CHANGE, post_isync_config },
    { "/api/isync/status", HTTP_GET, LOOK, get_status },
};

static bool fits(struct page *p, const char *path)
{
    const size_t n = strlen(path);

    if (n == 1 || path[n - 1] != '/')
        return slice_is(p->path, path);
    if (!slice_has_prefix(p->path, slice_str(path)) || p->path.len == n)
        return false;
    p->rest = slice_from(p->path, n);
    return true;
}

static bool may(const struct page *p, enum may what)
{
    const bool is_here = netaddr_is_loopback(&p->who.from);

    switch (p->face->opt.tuning.pages) {
    case ISYNC_PAGES_ADMITTED:
        return true;
    case ISYNC_PAGES_LOCAL:
        return is_here;
    case ISYNC_PAGES_VIEW:
        return is_here && what == LOOK;
    default:
        return false;
    }
}

/* The row; the number of rows: it has answered that there is none. */
static size_t find(struct page *p, enum http_method method)
{
    const size_t n = sizeof rows / sizeof *rows;
    bool is_there = false;

    if (method == HTTP_HEAD)
        method = HTTP_GET;
    for (size_t i = 0; i < n; i++) {
        if (!fits(p, rows[i].path))
            continue;
        is_there = true;
        if (rows[i].method == method)
            return i;
    }
    if (is_there)
        answer_text(p, 405, "that is not done here");
    else
        answer_text(p, 404, "there is no such page");
    return n;
}

void isync_pages_answer(struct isync_face *f, struct http_conn *c,
    const struct http_request *r, const struct netaddr *from)
{
    struct page p = { .face = f,
        .path = r->path,
        .form = r->body,
        .who = { .uid = UINT32_MAX, .pid = -1, .from = *from } };
    struct buf fields = { 0 };
    size_t i = sizeof rows / sizeof *rows;

    if (f->opt.tuning.pages == ISYNC_PAGES_NONE || f->mesh == NULL)
        answer_text(&p, 404, "there is no such page");
    else
        i = find(&p, r->method);
    p.may_change = may(&p, CHANGE);
    if (i < sizeof rows / sizeof *rows && !may(&p, rows[i].may))
        answer_text(&p, 403,
            "isync.pages does not let this be done here; see doc/isync.md");
    else if (i < sizeof rows / sizeof *rows)
        rows[i].answer(&p);
    buf_put_str(&fields, FIELDS);
    html_policy(&fields);
    if (p.location != NULL)
        buf_printf(&fields, "Location: %s\r\n", p.location);
    http_respond(c, p.status, p.type, buf_slice(&fields),
        buf_status(&p.body) == SYNCLINE_OK ? buf_slice(&p.body) : SLICE_NONE);
    buf_free(&fields);
    buf_free(&p.body);
}

bool isync_pages_op(struct isync_face *f, const struct json *request,
    const struct engine_asker *who, struct buf *out)
{
    const bool is_post = slice_is(json_get_str(request, "op"), "isync_post");
    struct page p = { .face = f,
        .path = json_get_str(request, "path"),
        .args = request,
        .may_change = true,
        .who = { .uid = UINT32_MAX, .pid = -1 } };
    struct buf policy = { 0 };
    size_t i;

    if (!is_post && !slice_is(json_get_str(request, "op"), "isync_page"))
        return false;
    if (who != NULL)
        p.who = *who;
    i = find(&p, is_post ? HTTP_POST : HTTP_GET);
    if (i < sizeof rows / sizeof *rows)
        rows[i].answer(&p);
    buf_printf(out, "{\"ok\":true,\"status\":%u,\"type\":\"%s\"", p.status,
        p.type != NULL ? p.type : "");
    if (p.location != NULL)
        buf_printf(out, ",\"location\":\"%s\"", p.location);
    html_policy(&policy);
    buf_put_str(out, ",\"policy\":");
    json_print_string(out, buf_slice(&policy), false);
    buf_put_str(out, ",\"body\":");
    json_print_string(out, buf_slice(&p.body), false);
    buf_free(&policy);
    buf_put_u8(out, '}');
    buf_free(&p.body);
    return true;
}
