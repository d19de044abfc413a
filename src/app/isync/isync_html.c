/* How the older pages look: without scripts, and with one style, which follows
 * the browser's colours and fits a telephone. */
#include "app/isync/isync_pages_impl.h"

#include <stdarg.h>
#include <stdio.h>

#define NOTE_US UINT64_C(60000000)
#define NOTE_MAX ((size_t)4096)
#define LISTED_MAX 100 /* nodes of the list that are shown */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b2330;--soft:#566273;--line:#d5dbe3;"
    "--back:#f4f6f9;--card:#fff;--main:#0b5cc4;--on-main:#fff;--ok:#11692e;"
    "--bad:#b3261e;--note:#e6effc}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#a3afbd;"
    "--line:#343d49;--back:#12161c;--card:#1b212a;--main:#7fb2ff;"
    "--on-main:#0c1524;--ok:#74d192;--bad:#ff9a91;--note:#1c2a3f}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--back);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "nav{display:flex;flex-wrap:wrap;gap:.25rem}"
    "nav a{padding:.35rem .7rem;border-radius:.5rem;color:inherit;"
    "text-decoration:none}"
    "nav a:hover{text-decoration:underline}"
    "nav a[aria-current]{background:var(--card);font-weight:600;"
    "box-shadow:inset 0 0 0 1px var(--line)}"
    "h1{font-size:1.5rem;margin:1rem 0}h2{font-size:1.1rem;margin:0 0 .5rem}"
    "section{background:var(--card);border:1px solid var(--line);"
    "border-radius:.75rem;padding:1rem;margin:0 0 1rem;overflow-x:auto}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .9rem .4rem 0;"
    "border-top:1px solid var(--line)}"
    "tr:first-child>*{border-top:0}"
    "th{color:var(--soft);font-weight:600}"
    "th[scope=row]{width:17rem}td{overflow-wrap:break-word}"
    "form{margin:0}.row{display:flex;flex-wrap:wrap;gap:.5rem}"
    "label{display:block;margin:0 0 .9rem}"
    "input:not([type=checkbox]){display:block;width:100%;max-width:34rem;"
    "font:inherit;padding:.5rem .6rem;border:1px solid var(--soft);"
    "border-radius:.5rem;background:var(--back);color:inherit}"
    "button{font:inherit;padding:.5rem 1rem;border:0;border-radius:.5rem;"
    "background:var(--main);color:var(--on-main);cursor:pointer}"
    "a{color:var(--main)}p{margin:.5rem 0}"
    ":focus-visible{outline:2px solid var(--main);outline-offset:2px}"
    ".note{background:var(--note);border-left:4px solid var(--main);"
    "border-radius:.5rem;padding:.6rem .9rem;white-space:pre-line;"
    "overflow-wrap:anywhere}"
    "@media(max-width:40rem){.list tr{display:block;padding:.4rem 0;"
    "border-top:1px solid var(--line)}.list tr:first-child{display:none}"
    ".list td{display:block;border:0;padding:0;overflow-wrap:anywhere}"
    ".list td:empty{display:none}.list th[scope=row]{display:block;border:0;"
    "padding:0}th[scope=row]{width:auto}}"
    ".list th[scope=row]{width:auto}"
    ".ok{color:var(--ok)}.bad{color:var(--bad)}.soft{color:var(--soft)}";

void html_policy(struct buf *b)
{
    uint8_t sum[SHA256_LEN];

    buf_put_str(b, "Content-Security-Policy: default-src 'none'; ");
    if (crypto_sha256(sum, slice_str(style)) == SYNCLINE_OK) {
        buf_put_str(b, "style-src 'sha256-");
        put_base64(b, SLICE(sum, sizeof sum));
        buf_put_str(b, "'; ");
    }
    buf_put_str(
        b, "form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n");
}

/* ---- what has become of a change ---- */

void isync_note(struct isync_face *f, const char *fmt, ...)
{
    char text[800];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (f->note_us + NOTE_US < clock_mono_us())
        buf_clear(&f->note);
    f->note_us = clock_mono_us();
    f->note.max = NOTE_MAX;
    if (f->note.len + strlen(text) + 1 > NOTE_MAX)
        return;
    if (f->note.len > 0)
        buf_put_u8(&f->note, '\n');
    buf_put_str(&f->note, text);
}

static void put_note(struct page *p)
{
    struct isync_face *f = p->face;
    struct buf shown = { 0 };

    if (f->note.len > 0 && clock_mono_us() < f->note_us + NOTE_US) {
        buf_put_str(&p->body, "<p class=\"note\" role=\"status\">");
        for (size_t i = 0, from = 0; i <= f->note.len; i++)
            if (i == f->note.len || f->note.ptr[i] == '\n') {
                buf_clear(&shown);
                put_inert(&shown, SLICE(f->note.ptr + from, i - from));
                if (from > 0)
                    buf_put_u8(&p->body, '\n');
                html_put_escaped(&p->body, buf_slice(&shown));
                from = i + 1;
            }
        buf_put_str(&p->body, "</p>\n");
    }
    buf_clear(&f->note);
    buf_free(&shown);
}

/* ---- parts ---- */

void html_put_escaped(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        switch (s.ptr[i]) {
        case '<':
            buf_put_str(b, "&lt;");
            break;
        case '>':
            buf_put_str(b, "&gt;");
            break;
        case '&':
            buf_put_str(b, "&amp;");
            break;
        case '"':
            buf_put_str(b, "&quot;");
            break;
        case '\'':
            buf_put_str(b, "&#39;");
            break;
        default:
            buf_put_u8(b, s.ptr[i]);
        }
}

void html_put_text(struct page *p, const char *text)
{
    html_put_escaped(&p->body, slice_str(text));
}

static void put_nav(struct page *p)
{
    static const struct {
        const char *path, *name;
        bool at_hub;
    } rows[] = { { "/", "iSync", false }, { "/peers", "Peers", true },
        { "/config", "Configuration", true }, { "/isync", "iControl", true },
        { "/isync/config", "Settings", true } };

    buf_put_str(&p->body, "<nav>");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].at_hub || p->args == NULL)
            buf_printf(&p->body, "<a href=\"%s\"%s>%s</a>", rows[i].path,
                slice_is(p->path, rows[i].path) ? " aria-current=\"page\"" : "",
                rows[i].name);
    buf_put_str(&p->body, "</nav>\n");
}

void html_begin(struct page *p, const char *title)
{
    buf_put_str(&p->body,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>iSync: ");
    html_put_text(p, title);
    buf_put_str(&p->body, "</title><style>");
    buf_put_str(&p->body, style);
    buf_put_str(&p->body, "</style></head><body>\n");
    put_nav(p);
    buf_put_str(&p->body, "<main><h1>");
    html_put_text(p, title);
    buf_put_str(&p->body, "</h1>\n");
    put_note(p);
}

void html_end(struct page *p)
{
    if (!p->may_change)
        buf_put_str(&p->body,
            "<p class=\"soft\">From here this is only to be looked at "
            "(isync.pages). Changes are made by <code>syncline isync</code> "
            "and <code>syncline config</code>.</p>\n");
    buf_put_str(&p->body, "</main></body></html>\n");
    p->status = 200;
    p->type = "text/html; charset=utf-8";
}

static void html_row(struct page *p, const char *name, const char *value)
{
    buf_put_str(&p->body, "<tr><th scope=\"row\">");
    html_put_text(p, name);
    buf_put_str(&p->body, "</th><td>");
    html_put_text(p, value);
    buf_put_str(&p->body, "</td></tr>\n");
}

static void html_count(struct page *p, const char *name, size_t n)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%zu", n);
    html_row(p, name, text);
}

void html_button(struct page *p, const char *to, const char *label)
{
    buf_printf(&p->body,
        "<form method=\"post\" action=\"%s\"><button>%s</button></form>\n", to,
        label);
}

/* A time of the day, as how long ago it was; 0: what never says. */
static void html_ago(struct page *p, uint64_t us, const char *never)
{
    const uint64_t now_us = clock_wall_us();
    const unsigned long long s = us < now_us ? (now_us - us) / 1000000 : 0;

    if (us == 0)
        html_put_text(p, never);
    else if (s < 120)
        buf_printf(&p->body, "%llu s ago", s);
    else if (s < 7200)
        buf_printf(&p->body, "%llu min ago", s / 60);
    else
        buf_printf(&p->body, "%llu h ago", s / 3600);
}

/* ---- what there is to tell ---- */

void html_facts(struct page *p)
{
    struct isync_face *f = p->face;
    const struct isync_counts n = isync_state_counts(isync_mesh_state(f->mesh));
    const char *trouble = isync_trouble(f);

    buf_put_str(&p->body, "<section><table>\n");
    html_row(p, "Node", f->node_id);
    html_row(p, "Space", f->space);
    html_count(p, "Peers connected", isync_mesh_peers(f->mesh));
    buf_put_str(&p->body, "<tr><th scope=\"row\">Last sync</th><td>");
    html_ago(p, f->last_sync_us, "never");
    buf_put_str(&p->body, "</td></tr>\n");
    html_count(p, "Registers", n.registers);
    html_count(p, "Deleted for ever", n.deleted);
    html_count(
        p, "Made anew here, and not told", isync_space_count(f, ISYNC_NATIVE));
    html_count(p, "Nodes that cannot be read here",
        isync_mesh_unread(f->mesh, NULL, 0));
    html_row(p, "Token", f->can_seal ? "yes" : "none");
    html_row(p, "In clear, too", f->opt.tuning.is_clear ? "yes" : "no");
    html_row(p, "Paused", f->is_off ? "yes" : "no");
    if (trouble != NULL)
        html_row(p, "Trouble", trouble);
    buf_put_str(&p->body, "</table></section>\n");
}

static const struct json *elements(struct arena *a, struct buf *text)
{
    struct json *v = NULL;

    buf_put_u8(text, ']');
    if (buf_status(text) != SYNCLINE_OK ||
        json_parse(&v, buf_slice(text), JSON_STRICT, a, NULL) != SYNCLINE_OK)
        return NULL;
    return v->first;
}

static void put_cell(struct page *p, struct slice text)
{
    buf_put_str(&p->body, "<td>");
    html_put_escaped(&p->body, text);
    buf_put_str(&p->body, "</td>");
}

static void put_peer(
    struct page *p, const struct json *peer, const struct json *link)
{
    const struct slice node =
        json_get_str(link != NULL ? link : peer, "node_id");
    const struct slice state =
        peer != NULL ? json_get_str(peer, "state") : SLICE_LIT("connected");
    const bool is_well = slice_is(state, "connected");

    buf_put_str(&p->body, "<tr>");
    put_cell(p, node);
    buf_put_str(&p->body, peer != NULL ? "<td>" : "<td>from ");
    html_put_escaped(&p->body,
        peer != NULL ? json_get_str(peer, "url")
                     : json_get_str(link, "address"));
    buf_printf(&p->body, "</td><td class=\"%s\">", is_well ? "ok" : "soft");
    html_put_escaped(&p->body, state);
    buf_put_str(&p->body, "</td><td>");
    html_ago(p, (uint64_t)json_get_int(link, "heard", 0), "");
    buf_put_str(&p->body, "</td><td class=\"bad\">");
    if (json_get_bool(link, "unread", false))
        html_put_text(p, "has another token");
    else
        html_put_escaped(&p->body, json_get_str(peer, "trouble"));
    buf_put_str(&p->body, "</td></tr>\n");
}

static void put_peers(
    struct page *p, const struct json *peers, const struct json *links)
{
    for (const struct json *e = peers; e != NULL; e = e->next) {
        const struct json *l = links;

        while (l != NULL &&
            !slice_eq(json_get_str(l, "url"), json_get_str(e, "url")))
            l = l->next;
        put_peer(p, e, l);
    }
    for (const struct json *l = links; l != NULL; l = l->next)
        if (json_get(l, "address") != NULL)
            put_peer(p, NULL, l);
}

void html_peers(struct page *p)
{
    struct buf called = { 0 }, connected = { 0 };
    struct arena a = { 0 };
    const struct json *peers, *links;

    buf_put_u8(&called, '[');
    isync_peers_put(p->face, &called);
    peers = elements(&a, &called);
    buf_put_u8(&connected, '[');
    isync_links_put(p->face, &connected);
    links = elements(&a, &connected);
    buf_put_str(&p->body, "<section><h2>Nodes</h2>\n");
    if (peers == NULL && links == NULL) {
        buf_put_str(
            &p->body, "<p>No node is connected, and none is called.</p>\n");
    } else {
        buf_put_str(&p->body,
            "<table "
            "class=\"list\">\n<tr><th>Node</th><th>Address</th><th>State</th>"
            "<th>Heard</th><th>Trouble</th></tr>\n");
        put_peers(p, peers, links);
        buf_put_str(&p->body, "</table>\n");
    }
    buf_put_str(&p->body, "</section>\n");
    arena_free(&a);
    buf_free(&called);
    buf_free(&connected);
}

static void put_listed(struct page *p, const struct json *e)
{
    const struct slice url = json_get_str(e, "url");

    buf_put_str(&p->body, "<tr>");
    put_cell(p, json_get_str(e, "name"));
    put_cell(p, url);
    put_cell(p, json_get_str(e, "description"));
    put_cell(p, json_get_str(e, "location"));
    put_cell(p,
        json_get_bool(e, "verified", false) ? SLICE_LIT("yes")
                                            : SLICE_LIT("no"));
    if (p->may_change) {
        buf_put_str(&p->body,
            "<td><form method=\"post\" action=\"/connect_peer\">"
            "<input type=\"hidden\" name=\"peer_url\" value=\"");
        html_put_escaped(&p->body, url);
        buf_put_str(&p->body, "\"><button aria-label=\"Connect to ");
        html_put_escaped(&p->body, url);
        buf_put_str(&p->body, "\">Connect</button></form></td>");
    }
    buf_put_str(&p->body, "</tr>\n");
}

void html_list(struct page *p)
{
    const struct isync_face *f = p->face;
    const struct json *e = f->list != NULL ? f->list->first : NULL;

    buf_put_str(&p->body, "<section><h2>List of nodes</h2>\n<p>");
    if (f->discovery_url == NULL) {
        html_put_text(p,
            f->opt.tuning.auto_discover
                ? "No list is fetched: peer_discovery_url "
                  "is empty."
                : "No list is fetched: it is not looked "
                  "for peers.");
        buf_put_str(&p->body, "</p></section>\n");
        return;
    }
    html_put_text(p, f->discovery_url);
    if (f->fetch_why[0] != 0) {
        buf_put_str(&p->body, " <span class=\"bad\">cannot be had: ");
        html_put_text(p, f->fetch_why);
        buf_put_str(&p->body, "</span>");
    } else if (f->fetched_us == 0) {
        html_put_text(p, " is being fetched.");
    }
    buf_put_str(&p->body, "</p>\n");
    if (e != NULL)
        buf_put_str(&p->body,
            "<table "
            "class=\"list\">\n<tr><th>Name</th><th>URL</th><th>Description</th>"
            "<th>Location</th><th>Verified</th></tr>\n");
    for (size_t i = 0; e != NULL && i < LISTED_MAX; e = e->next, i++)
        put_listed(p, e);
    if (f->list != NULL && f->list->n > 0)
        buf_put_str(&p->body, "</table>\n");
    buf_put_str(&p->body, "</section>\n");
}
