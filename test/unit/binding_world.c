#include "unit/binding_world.h"

#include "unit/check.h"

#include <stdio.h>

static void set(struct buf *to, struct slice s)
{
    buf_clear(to);
    buf_put_slice(to, s);
    CHECK_OK(buf_status(to));
}

/* ---- what it asks for ---- */

static void do_read(struct binding_world *w, struct binding_event *ev)
{
    w->reads++;
    ev->type = BINDING_READ;
    ev->text = buf_slice(&w->file);
    ev->busy = w->busy;
    ev->alone = !w->busy && !w->unsure;
    ev->why = w->barred;
    if (w->barred != NULL)
        ev->type = BINDING_BARRED;
    else if (!w->exists)
        ev->type = BINDING_GONE;
}

static void do_get(
    struct binding_world *w, struct binding_event *ev, char context[16])
{
    ev->type = BINDING_ITEM;
    ev->why = w->flaw;
    if (!w->has_item)
        return;
    (void)snprintf(context, 16, "%u", w->context);
    ev->text = buf_slice(&w->item);
    ev->context = slice_str(context);
}

static void merge(struct buf *to, struct slice patch)
{
    struct arena a = { 0 };
    struct json *doc, *more;

    CHECK_OK(json_parse(&doc, buf_slice(to), JSON_STRICT, &a, NULL));
    CHECK_OK(json_parse(&more, patch, JSON_STRICT, &a, NULL));
    doc = json_merge_patch(doc, more, &a);
    buf_clear(to);
    json_print(to, doc, JSON_CANONICAL);
    CHECK_OK(buf_status(to));
    arena_free(&a);
}

static void do_put(struct binding_world *w, const struct binding_effect *fx,
    struct binding_event *ev)
{
    char now[16] = "";

    if (w->before_put != NULL)
        w->before_put(w);
    if (w->has_item)
        (void)snprintf(now, sizeof now, "%u", w->context);
    ev->type = BINDING_PUT;
    ev->why = "refused by the test";
    ev->rc = w->put_rc;
    if (ev->rc == SYNCLINE_OK && !slice_is(fx->context, now))
        ev->rc = SYNCLINE_ECONFLICT;
    if (ev->rc != SYNCLINE_OK)
        return;
    w->puts++;
    w->unseen += fx->unseen;
    w->has_item = true;
    w->context++;
    if (!fx->unseen)
        set(&w->item, fx->text);
    else if (!w->loses) /* then a policy lets what stands stand */
        merge(&w->item, fx->text);
}

static void do_write(struct binding_world *w, const struct binding_effect *fx,
    struct binding_event *ev)
{
    if (w->before_write != NULL)
        w->before_write(w);
    ev->type = BINDING_WRITTEN;
    ev->why = "no room, says the test";
    ev->rc = w->write_rc;
    if (ev->rc == SYNCLINE_OK &&
        (fx->exists != w->exists ||
            (fx->exists && !slice_eq(fx->expected, buf_slice(&w->file)))))
        ev->rc = SYNCLINE_ECONFLICT;
    if (ev->rc != SYNCLINE_OK)
        return;
    w->writes++;
    w->exists = true;
    set(&w->file, fx->text);
}

/* True: ev is its answer. */
static bool carry_out(struct binding_world *w, const struct binding_effect *fx,
    struct binding_event *ev, char context[16])
{
    *ev = (struct binding_event){ .now_us = w->now_us };
    switch (fx->type) {
    case BINDING_FX_READ:
        do_read(w, ev);
        return true;
    case BINDING_FX_GET:
        do_get(w, ev, context);
        return true;
    case BINDING_FX_PUT:
        do_put(w, fx, ev);
        return true;
    case BINDING_FX_WRITE:
        do_write(w, fx, ev);
        return true;
    case BINDING_FX_RUN:
        w->runs++;
        set(&w->ran, fx->text);
        ev->type = BINDING_RAN;
        ev->rc = w->run_rc;
        return true;
    case BINDING_FX_SAVE:
        w->saves++;
        set(&w->record, fx->text);
        return false;
    case BINDING_FX_KEEP:
        w->keeps++;
        return false;
    case BINDING_FX_TROUBLE:
        return false;
    }
    return false;
}

static int step_once(struct binding_world *w, const struct binding_event *ev,
    const struct binding_effect **fx, size_t *fx_n, struct errmsg *why)
{
    int rc;

    if (w->fails_in > 0 && --w->fails_in == 0)
        check_alloc_fail_from((long)w->fails_after);
    rc = binding_step(w->binding, ev, fx, fx_n, why);
    w->failed = w->failed || check_alloc_failed();
    check_alloc_fail_from(-1);
    return rc;
}

static int step(struct binding_world *w, const struct binding_event *first,
    struct errmsg *why)
{
    struct binding_event ev = *first;
    const unsigned wrote = w->writes, put = w->puts;
    bool more = true;
    int rc = SYNCLINE_OK, first_rc = SYNCLINE_OK;

    for (unsigned n = 0; more; n++) {
        const struct binding_effect *fx;
        struct binding_event answer;
        char context[16];
        size_t fx_n;

        CHECK_SAYING(n < 100, "the machine goes round in circles");
        rc = step_once(w, &ev, &fx, &fx_n, why);
        if (n == 0)
            first_rc = rc;
        more = false;
        for (size_t i = 0; i < fx_n; i++)
            if (carry_out(w, &fx[i], &answer, context)) {
                CHECK_SAYING(!more, "it asked for two things at once");
                more = true;
                ev = answer;
            }
    }
    /* What it did itself is seen, too, by who watches. */
    if (w->writes > wrote || w->puts > put) {
        const struct binding_event seen = {
            .type = w->writes > wrote ? BINDING_TOUCHED : BINDING_ITEM_TOUCHED,
            .save = BINDING_SAVE_MOVED,
            .now_us = w->now_us
        };

        (void)!step(w, &seen, NULL);
    }
    return first_rc;
}

int world_tell(
    struct binding_world *w, const struct binding_event *ev, struct errmsg *why)
{
    struct binding_event at = *ev;

    at.now_us = w->now_us;
    return step(w, &at, why);
}

/* ---- stories ---- */

void world_start(struct binding_world *w)
{
    if (w->now_us == 0)
        w->now_us = 1000 * MS;
    CHECK_OK(binding_new(&w->binding, &w->opt));
    if (w->record.len > 0)
        CHECK_OK(binding_load(w->binding, buf_slice(&w->record)));
    (void)!world_tell(
        w, &(struct binding_event){ .type = BINDING_START }, NULL);
}

void world_kill(struct binding_world *w)
{
    binding_free(w->binding);
    w->binding = NULL;
}

void world_close(struct binding_world *w)
{
    world_kill(w);
    buf_free(&w->file);
    buf_free(&w->item);
    buf_free(&w->record);
    buf_free(&w->ran);
}

void world_set_file(struct binding_world *w, const char *text)
{
    w->exists = text != NULL;
    set(&w->file, slice_str(text != NULL ? text : ""));
}

void world_save_as(
    struct binding_world *w, const char *text, enum binding_save save)
{
    world_set_file(w, text);
    if (w->binding != NULL)
        (void)!world_tell(w,
            &(struct binding_event){ .type = BINDING_TOUCHED, .save = save },
            NULL);
}

void world_save(struct binding_world *w, const char *text)
{
    world_save_as(w, text, BINDING_SAVE_SOMEHOW);
}

void world_put(struct binding_world *w, const char *doc)
{
    w->has_item = doc != NULL;
    w->context++;
    set(&w->item, slice_str(doc != NULL ? doc : ""));
    if (w->binding != NULL)
        (void)!world_tell(
            w, &(struct binding_event){ .type = BINDING_ITEM_TOUCHED }, NULL);
}

void world_wait(struct binding_world *w, uint64_t us)
{
    const uint64_t end = w->now_us + us;
    unsigned n = 0;

    for (;;) {
        const uint64_t due = binding_deadline_us(w->binding);

        if (due > end)
            break;
        CHECK_SAYING(n++ < 1000, "its timer falls due for ever");
        w->now_us = due > w->now_us ? due : w->now_us;
        (void)!world_tell(
            w, &(struct binding_event){ .type = BINDING_TIMER }, NULL);
    }
    w->now_us = end;
}

void world_settle(struct binding_world *w)
{
    world_wait(w, 20000 * MS);
    CHECK(binding_deadline_us(w->binding) == UINT64_MAX);
    CHECK(binding_is_quiet(w->binding));
}

void world_check(struct binding_world *w, const char *file, const char *item)
{
    CHECK_INT(w->exists, file != NULL);
    CHECK_INT(w->has_item, item != NULL);
    if (file != NULL)
        CHECK_SLICE(buf_slice(&w->file), file);
    if (item != NULL)
        CHECK_SLICE(buf_slice(&w->item), item);
}

void world_check_trouble(
    struct binding_world *w, enum binding_trouble which, const char *part)
{
    const char *text = binding_trouble(w->binding, which);

    if (part == NULL)
        CHECK_SAYING(text[0] == 0, "%s: %s", binding_trouble_name(which), text);
    else
        CHECK_SAYING(strstr(text, part) != NULL, "%s: \"%s\" and not %s",
            binding_trouble_name(which), text, part);
}

void world_check_no_trouble(struct binding_world *w)
{
    for (int i = 0; i < BINDING_TROUBLES_N; i++)
        world_check_trouble(w, (enum binding_trouble)i, NULL);
}

struct binding_world world_in_agreement(void)
{
    struct binding_world w = { 0 };

    world_set_file(&w, WORLD_AGREED);
    world_put(&w, "{\"a\":1,\"b\":2}");
    world_start(&w);
    world_settle(&w);
    CHECK(binding_has_agreed(w.binding));
    return w;
}
