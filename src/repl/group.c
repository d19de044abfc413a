#include "repl/group.h"

#define GROUP_BYTES ((size_t)1 << 20)

struct event group_event(const struct waiting *w)
{
    return (struct event){
        .type = EV_REQUEST, .request = w->request, .args = w->args
    };
}

bool group_is_full(const struct node *n)
{
    return n->group_n >= n->opt.group_max || n->group_arena.used >= GROUP_BYTES;
}

bool group_add(struct node *n, const struct event *ev)
{
    struct waiting *w;

    if (n->opt.group_max < 2 || !request_groups(ev->args))
        return false;
    w = arena_alloc(&n->group_arena, sizeof *w);
    if (w == NULL)
        return false;
    *w = (struct waiting){ .request = ev->request,
        .args = json_copy(ev->args, &n->group_arena) };
    if (w->args == NULL)
        return false;
    if (n->group == NULL)
        n->group_end = &n->group;
    *n->group_end = w;
    n->group_end = &w->next;
    n->group_n++;
    n->want_flush = true;
    return true;
}

void group_clear(struct node *n)
{
    n->group = NULL;
    n->group_n = 0;
    if (n->group_arena.used > 0)
        arena_reset(&n->group_arena);
}
