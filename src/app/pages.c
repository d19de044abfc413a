#include "app/pages.h"

#define PAGE 1000

struct walk {
    struct buf after; /* the last key seen, NUL-terminated */
    int64_t left;     /* items wanted yet; below 0: all */
    bool more;
};

static int remember(struct cli *c, struct walk *w, struct slice key)
{
    buf_clear(&w->after);
    buf_put_slice(&w->after, key);
    buf_put_u8(&w->after, 0);
    return buf_status(&w->after) == SYNCLINE_OK ? CLI_DONE
                                                : cli_fail(c, "out of memory");
}

static int see_page(
    struct cli *c, struct walk *w, const struct json *answer, pages_fn *each)
{
    const struct json *items = json_get(answer, "items");
    const struct json *last = NULL;
    int rc = CLI_DONE;

    for (const struct json *i = items ? items->first : NULL;
         i != NULL && rc == CLI_DONE && w->left != 0; i = i->next) {
        rc = each(c, i);
        last = i;
        w->left -= w->left > 0;
    }
    w->more = last != NULL && w->left != 0 &&
        json_get_bool(answer, "more_items", false);
    if (rc == CLI_DONE && w->more)
        rc = remember(c, w, json_get_str(last, "key"));
    return rc;
}

static int one_page(
    struct cli *c, const struct pages *p, struct walk *w, pages_fn *each)
{
    struct json *request = cli_request(c, "ls"), *answer;
    int rc;

    cli_set(c, request, "space", p->space);
    cli_set(c, request, "prefix", p->prefix);
    if (w->after.len > 0)
        cli_set(c, request, "after", (const char *)w->after.ptr);
    if (p->values)
        cli_set_json(request, "values", json_new_bool(&c->arena, true));
    cli_set_int(
        c, request, "limit", w->left > 0 && w->left < PAGE ? w->left : PAGE);
    rc = cli_call(c, request, &answer);
    return rc == CLI_DONE ? see_page(c, w, answer, each) : rc;
}

int pages_walk(struct cli *c, const struct pages *p, pages_fn *each)
{
    struct walk w = { .left = p->limit > 0 ? p->limit : -1 };
    const struct arena outer = c->arena;
    int rc = CLI_DONE;

    if (p->after != NULL)
        rc = remember(c, &w, slice_str(p->after));
    c->arena = (struct arena){ 0 };
    for (w.more = true; rc == CLI_DONE && w.more;) {
        rc = one_page(c, p, &w, each);
        arena_reset(&c->arena);
    }
    arena_free(&c->arena);
    c->arena = outer;
    buf_free(&w.after);
    return rc;
}
