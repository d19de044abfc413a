#include "sim/files.h"

#include "sim/check.h"
#include "sim/world.h"

/* What takes how long at most: reading, writing, syncing. */
#define FAST_US (20 * MS_US)
#define COMMAND_US (500 * MS_US)

void sim_file_set(struct buf *to, struct slice s)
{
    buf_clear(to);
    buf_put_slice(to, s);
    ENSURE(buf_status(to) == SYNCLINE_OK);
}

/* ---- what the binding is answered ---- */

static void tell(struct machine *m, struct binding_event *ev);

/* For the binding that there is now: another one has not asked for it. */
static void later(struct machine *m, uint64_t us,
    void (*fn)(struct world *w, struct happening *h), int rc)
{
    world_at(m->world, m->world->now_us + us, m, fn)->a =
        (uint64_t)m->file.life << 32 | (uint32_t)rc;
}

static void soon(struct machine *m, uint64_t most_us,
    void (*fn)(struct world *w, struct happening *h), int rc)
{
    later(m, prng_below(&m->file.draw, most_us), fn, rc);
}

static bool is_over(const struct happening *h)
{
    return h->a >> 32 != h->machine->file.life;
}

static int rc_of(const struct happening *h)
{
    return (int)(uint32_t)h->a;
}

static void do_read(struct world *w, struct happening *h)
{
    struct sim_file *f = &h->machine->file;
    struct binding_event ev = { .type = BINDING_READ,
        .text = buf_slice(&f->text),
        .busy = f->editing && prng_one_in(&f->draw, 2),
        .alone = !f->editing };

    (void)w;
    if (is_over(h))
        return;
    if (!f->exists)
        ev = (struct binding_event){ .type = BINDING_GONE };
    f->read = f->saves;
    tell(h->machine, &ev);
}

static const struct json *ask_item(struct machine *m, struct arena *a, int *rc)
{
    return machine_ask_now(m,
        SLICE_LIT("{\"op\":\"get\",\"space\":\"" BOUND_SPACE
                  "\",\"key\":\"" BOUND_KEY "\"}"),
        a, rc);
}

struct json *sim_file_item(struct machine *m, struct arena *a)
{
    int rc;
    const struct json *answer = ask_item(m, a, &rc);

    return rc == SYNCLINE_OK ? json_get(answer, "value") : NULL;
}

static void do_get(struct world *w, struct happening *h)
{
    struct binding_event ev = { .type = BINDING_ITEM };
    struct arena a = { 0 };
    struct buf text = { 0 };
    const struct json *answer;

    (void)w;
    if (is_over(h))
        return;
    answer = ask_item(h->machine, &a, &ev.rc);
    if (ev.rc == SYNCLINE_OK) {
        json_print(&text, json_get(answer, "value"), JSON_CANONICAL);
        ev.text = buf_slice(&text);
        ev.context = json_get_str(answer, "context");
    }
    if (ev.rc == SYNCLINE_ENOTFOUND)
        ev.rc = SYNCLINE_OK;
    tell(h->machine, &ev);
    buf_free(&text);
    arena_free(&a);
}

static void answer_put(struct world *w, struct happening *h)
{
    struct binding_event ev = {
        .type = BINDING_PUT, .rc = rc_of(h), .why = "the node does not take it"
    };

    (void)w;
    if (!is_over(h))
        tell(h->machine, &ev);
}

static void on_put(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    if (rc == SYNCLINE_ECLOSED || (uintptr_t)a->ctx != a->machine->file.life)
        return;
    if (rc == SYNCLINE_OK) {
        check_files_published(
            w, a->machine, json_get_bool(answer, "changed", true));
        w->tally.sim.files_published++;
    }
    later(a->machine, 0, answer_put, rc);
}

static void do_put(struct world *w, struct happening *h)
{
    struct sim_file *f = &h->machine->file;
    struct buf b = { 0 };

    (void)w;
    if (is_over(h))
        return;
    buf_put_str(&b,
        "{\"op\":\"put\",\"space\":\"" BOUND_SPACE "\",\"key\":\"" BOUND_KEY
        "\",\"if_context\":");
    json_print_string(&b, buf_slice(&f->context), false);
    buf_put_str(&b, f->unseen ? ",\"unseen\":true" : "");
    buf_put_str(&b, ",\"value\":");
    buf_put_slice(&b, buf_slice(&f->asked));
    buf_put_str(&b, "}");
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    machine_ask(h->machine, on_put, (void *)(uintptr_t)f->life, buf_slice(&b));
    buf_free(&b);
}

static void written(struct world *w, struct happening *h)
{
    struct binding_event ev = { .type = BINDING_WRITTEN,
        .rc = rc_of(h),
        .why = "a write that fails now and then" };

    (void)w;
    if (is_over(h))
        return;
    if (ev.rc == SYNCLINE_OK)
        h->machine->file.settling = false;
    tell(h->machine, &ev);
}

static void touched(struct world *w, struct happening *h)
{
    struct binding_event ev = { .type = BINDING_TOUCHED,
        .save = (enum binding_save)rc_of(h) };

    (void)w;
    tell(h->machine, &ev);
}

void sim_file_seen(struct machine *m, enum binding_save save)
{
    if (m->file.binding != NULL)
        later(m, 0, touched, (int)save);
}

static void do_write(struct world *w, struct happening *h)
{
    struct sim_file *f = &h->machine->file;
    const bool fails = !w->faults.over && prng_one_in(&f->draw, 40);
    int rc = fails ? SYNCLINE_EIO : SYNCLINE_OK;

    if (is_over(h))
        return;
    if (f->asked_exists != f->exists ||
        (f->exists && !slice_eq(buf_slice(&f->expected), buf_slice(&f->text))))
        rc = SYNCLINE_ECONFLICT;
    /* Of what failed it is not known whether it was done. */
    if (rc == SYNCLINE_OK || (rc == SYNCLINE_EIO && prng_one_in(&f->draw, 2))) {
        check_files_written(w, h->machine, buf_slice(&f->asked));
        sim_file_set(&f->was, buf_slice(&f->text));
        f->was_there = f->exists;
        f->settling = f->exists = true;
        sim_file_set(&f->text, buf_slice(&f->asked));
        w->tally.sim.files_written++;
        sim_file_seen(h->machine, BINDING_SAVE_MOVED);
    }
    world_note(w, "the file of machine %u is %s: %.*s", h->machine->ix,
        rc == SYNCLINE_OK              ? "written"
            : rc == SYNCLINE_ECONFLICT ? "another by now"
                                       : "not written",
        SLICE_FMT(buf_slice(&f->asked)));
    soon(h->machine, FAST_US, written, rc);
}

static void ran(struct world *w, struct happening *h)
{
    struct sim_file *f = &h->machine->file;
    struct binding_event ev = { .type = BINDING_RAN };

    if (is_over(h))
        return;
    if (!w->faults.over && prng_one_in(&f->draw, 5)) {
        ev.rc = SYNCLINE_EIO;
        ev.why = "a command that fails now and then";
        w->tally.sim.files_reverted++;
        f->read = ++f->saves; /* it may be taken back */
    }
    tell(h->machine, &ev);
}

static void carry_out(struct machine *m, const struct binding_effect *fx)
{
    struct sim_file *f = &m->file;

    switch (fx->type) {
    case BINDING_FX_READ:
        soon(m, FAST_US, do_read, 0);
        break;
    case BINDING_FX_GET:
        soon(m, FAST_US, do_get, 0);
        break;
    case BINDING_FX_PUT:
        sim_file_set(&f->asked, fx->text);
        sim_file_set(&f->context, fx->context);
        f->unseen = fx->unseen;
        soon(m, FAST_US, do_put, 0);
        break;
    case BINDING_FX_WRITE:
        sim_file_set(&f->asked, fx->text);
        sim_file_set(&f->expected, fx->expected);
        f->asked_exists = fx->exists;
        soon(m, FAST_US, do_write, 0);
        break;
    case BINDING_FX_SAVE:
        sim_file_set(&f->record, fx->text);
        break;
    case BINDING_FX_KEEP: /* the two agree */
        f->published = f->read;
        break;
    case BINDING_FX_RUN:
        soon(m, COMMAND_US, ran, 0);
        break;
    case BINDING_FX_TROUBLE:
        world_note(m->world, "the file of machine %u, %s: %.*s", m->ix,
            binding_trouble_name(fx->trouble), SLICE_FMT(fx->text));
        break;
    }
}

static void on_timer(struct world *w, struct happening *h)
{
    struct binding_event ev = { .type = BINDING_TIMER };

    if (is_over(h) || h->machine->file.timer_us != w->now_us)
        return;
    h->machine->file.timer_us = UINT64_MAX;
    tell(h->machine, &ev);
}

static void plan_timer(struct machine *m)
{
    struct sim_file *f = &m->file;
    const uint64_t now = m->world->now_us;
    uint64_t due = binding_deadline_us(f->binding);

    if (due == UINT64_MAX)
        return;
    due = due - 1 > now ? due - 1 : now + 1;
    if (f->timer_us == due)
        return;
    f->timer_us = due;
    later(m, due - now, on_timer, 0);
}

static void tell(struct machine *m, struct binding_event *ev)
{
    struct sim_file *f = &m->file;
    const struct binding_effect *fx;
    size_t fx_n;

    if (f->binding == NULL)
        return;
    ev->now_us = m->world->now_us + 1; /* to it 0 is no time */
    if (binding_is_quiet(f->binding))
        f->quiet_us = ev->now_us;
    ENSURE(binding_step(f->binding, ev, &fx, &fx_n, NULL) == SYNCLINE_OK);
    for (size_t i = 0; i < fx_n; i++)
        carry_out(m, &fx[i]);
    plan_timer(m);
}

/* ---- the machine comes and goes ---- */

void sim_file_init(struct machine *m)
{
    static const struct slice local[] = { { (const uint8_t *)"/here", 5 } };
    struct sim_file *f = &m->file;

    *f = (struct sim_file){ .timer_us = UINT64_MAX };
    f->draw = draw_from(m->world->opt.seed, DRAW_FILES, m->id);
    f->local = (struct local_parts){ local, prng_below(&f->draw, 2) };
}

void sim_file_free(struct machine *m)
{
    struct sim_file *f = &m->file;
    struct buf *const all[] = { &f->text, &f->was, &f->rest, &f->record,
        &f->backup, &f->asked, &f->expected, &f->context };

    binding_free(f->binding);
    f->binding = NULL;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(all[i]);
}

void sim_file_start(struct machine *m)
{
    struct sim_file *f = &m->file;
    struct binding_options opt = { .local = f->local,
        .prefer = PREFER_FILE + m->ix % 3,
        .runs = m->ix % 2 != 0,
        .reverts = m->ix % 4 == 1 };
    struct binding_event ev = { .type = BINDING_START };

    if (!m->world->opt.files || m->relay || m->world->failed)
        return;
    f->life++;
    ENSURE(binding_new(&f->binding, &opt) == SYNCLINE_OK);
    if (f->record.len > 0 &&
        binding_load(f->binding, buf_slice(&f->record)) != SYNCLINE_OK)
        world_fail(m->world, "record", "machine %u cannot read its own", m->ix);
    f->timer_us = UINT64_MAX;
    f->touched = false;
    f->quiet_us = m->world->now_us;
    tell(m, &ev);
}

void sim_file_down(struct machine *m, bool crashed)
{
    struct sim_file *f = &m->file;

    binding_free(f->binding);
    f->binding = NULL;
    if (crashed && f->settling && prng_one_in(&f->draw, 2)) {
        f->exists = f->was_there;
        sim_file_set(&f->text, buf_slice(&f->was));
    }
    f->settling = false;
}

void sim_file_backup(struct machine *m)
{
    sim_file_set(&m->file.backup, buf_slice(&m->file.record));
}

/* By its old record the file is full of changes. */
void sim_file_restore(struct machine *m)
{
    sim_file_set(&m->file.record, buf_slice(&m->file.backup));
    m->file.saves++;
}

void sim_file_wipe(struct machine *m)
{
    buf_clear(&m->file.record);
    m->file.saves++;
}

static void item_touched(struct world *w, struct happening *h)
{
    struct binding_event ev = { .type = BINDING_ITEM_TOUCHED };

    (void)w;
    if (is_over(h))
        return;
    h->machine->file.touched = false;
    tell(h->machine, &ev);
}

void sim_file_touched(struct machine *m, uint32_t item)
{
    if (m->file.binding == NULL || m->file.touched ||
        !slice_is(m->world->ledger.items[item].key, BOUND_KEY))
        return;
    m->file.touched = true;
    later(m, 0, item_touched, 0);
}
