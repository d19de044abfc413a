/* People and programs that save bound files, each in its own way. */
#include "sim/files.h"

#include "sim/peek.h"
#include "sim/world.h"

/* Between the two halves of what is saved, at most. */
#define PAUSE_US (3 * SEC_US)

/* NULL: it is none. */
static struct json *document(const struct sim_file *f, struct arena *a)
{
    struct json *v;

    return f->exists &&
            json_parse(&v, buf_slice(&f->text), JSON_STRICT, a, NULL) ==
                SYNCLINE_OK
        ? v
        : NULL;
}

/* What is there, with some settings changed, as somebody may write it. */
static void edit(
    struct buf *out, const struct sim_file *f, const char *patch, bool pretty)
{
    struct arena a = { 0 };
    struct json *change, *v;

    ENSURE(json_parse(&change, slice_str(patch), JSON_STRICT, &a, NULL) ==
        SYNCLINE_OK);
    v = json_merge_patch(document(f, &a), change, &a);
    ENSURE(v != NULL);
    json_print(out, v, pretty ? JSON_PRETTY : JSON_CANONICAL);
    buf_put_str(out, "\n");
    ENSURE(buf_status(out) == SYNCLINE_OK);
    arena_free(&a);
}

static void save(struct machine *m, struct slice text, enum binding_save how)
{
    struct sim_file *f = &m->file;

    f->exists = true;
    f->settling = false;
    sim_file_set(&f->text, text);
    f->saves++;
    m->world->tally.sim.files_saved++;
    world_note(m->world, "somebody saves the file of machine %u: %.*s", m->ix,
        SLICE_FMT(text));
    sim_file_seen(m, how);
}

/* The other half; or what was removed is made anew. */
static void finish(struct machine *m)
{
    struct sim_file *f = &m->file;

    if (!f->editing)
        return;
    f->editing = false;
    save(m, buf_slice(&f->rest), BINDING_SAVE_CLOSED);
}

static void finish_later(struct world *w, struct happening *h)
{
    finish(&w->machines[h->a]);
}

static void save_in_two(struct world *w, struct machine *m, bool removes)
{
    struct sim_file *f = &m->file;

    f->editing = true;
    f->exists = !removes;
    f->settling = false;
    sim_file_set(
        &f->text, (struct slice){ f->rest.ptr, removes ? 0 : f->rest.len / 2 });
    w->tally.sim.files_torn++;
    sim_file_seen(m, BINDING_SAVE_SOMEHOW);
    world_at(w, w->now_us + prng_below(&f->draw, PAUSE_US), NULL, finish_later)
        ->a = m->ix;
}

static void print_patch(
    struct world *w, const struct machine *m, char out[96], struct prng *p)
{
    static const char *const forms[] = { "{\"a\":%llu}", "{\"c\":%llu}",
        "{\"a\":{\"b\":%llu}}", "{\"here\":%llu}", "{\"c\":null,\"e\":%llu}" };
    const char *form = forms[prng_below(p, 5)], *at = strstr(form, "%llu");
    const unsigned long long v = ++w->work.values;

    if (prng_one_in(p, 3))
        (void)snprintf(out, 96, "{\"f%u\":%llu}", m->id, v);
    else
        (void)snprintf(
            out, 96, "%.*s%llu%s", (int)(at - form), form, v, at + 4);
}

void sim_file_act(struct world *w, uint64_t no)
{
    struct prng p = draw_from(w->opt.seed, DRAW_FILES, SIM_MACHINES + no);
    struct machine *m = world_machine(w, prng_below(&p, w->drawn_n));
    const uint64_t how = prng_below(&p, 12);
    struct sim_file *f;
    char patch[96];

    if (!w->opt.files || m == NULL || m->relay || !prng_one_in(&p, 3))
        return;
    f = &m->file;
    print_patch(w, m, patch, &p);
    buf_clear(&f->rest);
    edit(&f->rest, f, patch, prng_one_in(&p, 2));
    f->editing = false; /* nobody waits for another editor */
    if (how == 0)
        sim_file_seen(m, BINDING_SAVE_SOMEHOW);
    else if (how == 1)
        save_in_two(w, m, true);
    else if (how <= 3)
        save_in_two(w, m, false);
    else if (how == 4 && prng_one_in(&p, 3)) /* misspelt, and left so */
        sim_file_set(&f->text, SLICE_LIT("{\"a\":")),
            f->exists = true, sim_file_seen(m, BINDING_SAVE_SOMEHOW);
    else if (how == 5 && prng_one_in(&p, 3))
        f->exists = f->settling = false, sim_file_seen(m, BINDING_SAVE_SOMEHOW);
    else
        save(m, buf_slice(&f->rest),
            how % 2 == 0 ? BINDING_SAVE_MOVED : BINDING_SAVE_CLOSED);
}

/* By a clock that was wrong, or a disk that was full. It tries again, but may
 * wait for minutes until then. */
static bool is_refused(const struct binding *b)
{
    return b != NULL &&
        (binding_trouble(b, BINDING_FILE_REFUSED)[0] != '\0' ||
            binding_trouble(b, BINDING_WRITE_FAILED)[0] != '\0');
}

void sim_file_finish(struct world *w)
{
    for (unsigned i = 0; w->opt.files && i < w->machines_n; i++) {
        struct machine *m = &w->machines[i];
        struct sim_file *f = &m->file;
        struct arena a = { 0 };

        finish(m);
        if (is_refused(f->binding)) {
            sim_file_down(m, false);
            sim_file_start(m);
        }
        if (f->exists && document(f, &a) == NULL) {
            buf_clear(&f->rest);
            edit(&f->rest, f, "{\"mended\":true}", true);
            save(m, buf_slice(&f->rest), BINDING_SAVE_MOVED);
        }
        arena_free(&a);
    }
}

bool sim_file_counts(const struct machine *m)
{
    return m->file.binding != NULL && m->member && !m->removed &&
        !m->role_changed && machine_is_up(m);
}

static bool has_hidden(const struct item *it)
{
    for (uint32_t i = 0; i < it->cells_n; i++)
        for (uint32_t j = 0; it->cells[i].value.ptr != NULL && j < it->cells_n;
             j++)
            if (it->cells[j].value.ptr != NULL &&
                path_is_above(it->cells[i].path, it->cells[j].path))
                return true;
    return false;
}

/* A value stands in its item that another one hides: whoever saves the file
 * removes it, and may so beat what somebody else saves there. */
static bool hides(struct machine *m)
{
    struct ledger *l = &m->world->ledger;
    struct arena a = { 0 };
    struct item it;
    bool any = false;

    for (unsigned i = 0; i < SIM_SPACES && !any; i++) {
        const struct view_space *vs = &l->views[m->ix].spaces[i];

        if (!vs->used || !slice_is(l->spaces[vs->space].name, BOUND_SPACE))
            continue;
        ENSURE(peek_load(&m->port, vs->number, SLICE_LIT(BOUND_KEY), &it, &a) ==
            SYNCLINE_OK);
        any = has_hidden(&it);
    }
    arena_free(&a);
    return any;
}

/* Where file and item have never agreed one of them is let go; and of an item
 * that is made anew only one life stays. */
static bool agree(struct world *w)
{
    struct arena a = { 0 };
    bool all = true;

    for (unsigned i = 0; i < w->machines_n && all; i++) {
        struct machine *m = &w->machines[i];
        const struct json *item;

        if (!sim_file_counts(m))
            continue;
        item = sim_file_item(m, &a);
        all = binding_has_agreed(m->file.binding) && item != NULL &&
            item->type == JSON_OBJECT && !hides(m);
    }
    arena_free(&a);
    return all;
}

void sim_file_live(struct world *w)
{
    for (unsigned i = 0; i < w->machines_n; i++)
        w->machines[i].file.alive = 0;
    if (!w->opt.files || !agree(w))
        return;
    for (unsigned i = 0; i < w->machines_n; i++) {
        struct machine *m = &w->machines[i];
        struct sim_file *f = &m->file;
        char patch[96];

        if (!sim_file_counts(m) || !f->exists)
            continue;
        f->alive = ++w->work.values;
        (void)snprintf(patch, sizeof patch, "{\"f%u\":%llu}", m->id,
            (unsigned long long)f->alive);
        buf_clear(&f->rest);
        edit(&f->rest, f, patch, true);
        save(m, buf_slice(&f->rest), BINDING_SAVE_CLOSED);
    }
}
