/* isync_pages_impl.h - what isync_pages.c (the older pages, and who may do what
 * there) and isync_html.c (how they look) share. */
#ifndef SYNCLINE_APP_ISYNC_PAGES_IMPL_H
#define SYNCLINE_APP_ISYNC_PAGES_IMPL_H

#include "app/isync/isync_face_impl.h"

struct page {
    struct isync_face *face;
    struct slice path, form; /* urlencoded */
    const struct json *args; /* or an object in the form's place */
    struct engine_asker who;
    bool may_change;
    struct slice rest; /* of the path, behind what the row says */
    unsigned status;
    const char *type, *location; /* NULL: it has none */
    struct buf body;
};

void html_put_escaped(struct buf *b, struct slice s);
void html_put_text(struct page *p, const char *text);
/* Up to its content, with what has become of the last change. */
void html_begin(struct page *p, const char *title);
void html_end(struct page *p);
void html_button(struct page *p, const char *to, const char *label);

/* How this node is; whom it calls and who has called; what the list says. */
void html_facts(struct page *p);
void html_peers(struct page *p);
void html_list(struct page *p);

/* The field Content-Security-Policy: nothing but our own style and forms. */
void html_policy(struct buf *b);

/* A sentence for the next page that is looked at. */
void isync_note(struct isync_face *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
