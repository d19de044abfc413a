/* I17: bound files are whole, and at rest what their items are. */
#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

/* For so long it may look again at what a heartbeat has touched. */
#define BUSY_US SEC_US

static bool is_document(struct slice text)
{
    struct arena a = { 0 };
    struct json *v;
    const bool is = json_parse(&v, text, JSON_STRICT, &a, NULL) == SYNCLINE_OK;

    arena_free(&a);
    return is;
}

void check_files_written(
    struct world *w, const struct machine *m, struct slice text)
{
    if (!is_document(text))
        world_fail(w, "I17", "node %u writes what is no document: %.*s", m->ix,
            SLICE_FMT(text));
}

void check_files_published(struct world *w, struct machine *m, bool changed)
{
    struct sim_file *f = &m->file;

    if (changed && f->read == f->published)
        world_fail(w, "I17",
            "node %u publishes of its file what no editor has saved: %.*s",
            m->ix, SLICE_FMT(buf_slice(&f->asked)));
}

static bool is_told(const struct binding *b)
{
    static const enum binding_trouble those[] = { BINDING_ITEM_MISSING,
        BINDING_FILE_MISSING, BINDING_NEITHER, BINDING_ITEM_REFUSED,
        BINDING_FILE_REFUSED };

    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (binding_trouble(b, those[i])[0] != '\0')
            return true;
    return false;
}

/* It was taken: no clock was in the way. */
static bool is_told_nothing(const struct machine *m)
{
    return m->file.binding != NULL && !is_told(m->file.binding);
}

/* In what the two share; an array holds no part that is this machine's. */
static bool is_same(const struct machine *m, const struct json *item,
    const struct json *file, struct arena *a)
{
    struct json *theirs, *ours;

    return local_strip(&theirs, item, &m->file.local, a, NULL) == SYNCLINE_OK &&
        local_strip(&ours, file, &m->file.local, a, NULL) == SYNCLINE_OK &&
        json_equal(theirs, ours);
}

static void check_file(struct world *w, struct machine *m)
{
    const struct sim_file *f = &m->file;
    struct arena a = { 0 };
    struct json *item = sim_file_item(m, &a), *file;

    if (!binding_is_quiet(f->binding) && !is_told(f->binding) &&
        w->now_us > f->quiet_us + BUSY_US)
        world_fail(w, "I17", "node %u is never done with its file", m->ix);
    else if (item == NULL || !f->exists) {
        if (f->exists != (item != NULL) && !is_told(f->binding))
            world_fail(w, "I17", "node %u has %s, and says nothing of it",
                m->ix, f->exists ? "a file and no item" : "an item, no file");
    } else if (json_parse(&file, buf_slice(&f->text), JSON_STRICT, &a, NULL) !=
        SYNCLINE_OK)
        world_fail(w, "I17", "the file of node %u is no document: %.*s", m->ix,
            SLICE_FMT(buf_slice(&f->text)));
    else if (!is_same(m, item, file, &a) && !is_told(f->binding))
        world_fail(w, "I17",
            "the file of node %u is not what its item is: %.*s", m->ix,
            SLICE_FMT(buf_slice(&f->text)));
    arena_free(&a);
}

void check_files(struct world *w)
{
    for (unsigned i = 0; w->opt.files && i < w->machines_n; i++)
        if (!w->failed && sim_file_counts(&w->machines[i]))
            check_file(w, &w->machines[i]);
}

/* What each editor saved at the end is in every file. */
void check_files_alive(struct world *w)
{
    for (unsigned i = 0; w->opt.files && i < w->machines_n; i++) {
        const struct machine *m = &w->machines[i];
        struct arena a = { 0 };
        struct json *v = NULL;

        if (m->file.alive != 0 && is_told_nothing(m))
            (void)!json_parse(
                &v, buf_slice(&m->file.text), JSON_STRICT, &a, NULL);
        for (unsigned j = 0; v != NULL && j < w->machines_n; j++) {
            const struct machine *by = &w->machines[j];
            char name[16];

            (void)snprintf(name, sizeof name, "f%u", by->id);
            if (by->file.alive != 0 && is_told_nothing(by) &&
                (i == j || !w->opt.lonely) &&
                json_get_int(v, name, 0) != (int64_t)by->file.alive)
                world_fail(w, "I17",
                    "what was saved at node %u is not in the file of node %u: "
                    "%" PRIu64,
                    by->ix, m->ix, by->file.alive);
        }
        arena_free(&a);
    }
}
