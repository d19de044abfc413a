/* What is to be done, from what the file, the item and the base are. */
#include "files/binding_impl.h"

#include "files/diff.h"

/* What is known when something is decided. */
struct view {
    struct binding *b;
    struct arena *a;
    const struct json *file;   /* whole; NULL: there is none */
    const struct json *ours;   /* of it what is shared */
    const struct json *base;   /* likewise of the base; NULL: none */
    const struct json *item;   /* whole; NULL: there is none */
    const struct json *theirs; /* of it what is shared */
};

/* ---- effects ---- */

/* Pointers of what is another, as JSON, into b->changed. */
static int note_changed(
    struct view *v, const struct json *before, const struct json *after)
{
    struct leaves patch;
    int rc = diff(&patch, before, after, v->a);

    if (rc != SYNCLINE_OK)
        return rc;
    buf_clear(&v->b->changed);
    diff_put_pointers(&v->b->changed, &patch);
    return buf_status(&v->b->changed);
}

/* doc, in the look of text, in place of what the file is. */
static int start_write(struct view *v, enum errand errand, struct slice text,
    const struct json *doc, struct errmsg *why)
{
    struct binding *b = v->b;
    const bool exists =
        b->file_state == FILE_GOOD || b->file_state == FILE_TORN;
    struct binding_effect *fx;
    int rc = binding_splice(b, text, doc, why);

    /* It could not be read again, and nothing would put it right. */
    if (rc == SYNCLINE_OK && b->opt.max > 0 && b->out.len > b->opt.max)
        rc = errmsg_set(why, SYNCLINE_ELIMIT,
            "the file would have %zu bytes; at most %zu are taken (files.max)",
            b->out.len, b->opt.max);
    if (rc == SYNCLINE_OK)
        rc = binding_copy(&b->next, buf_slice(&b->out));
    if (rc != SYNCLINE_OK)
        return rc;
    b->errand = errand;
    b->doing = WRITING;
    b->has_next = errand == APPLY || errand == RESTORE;
    if (b->has_next)
        rc = binding_save(b);
    if (rc != SYNCLINE_OK) {
        b->doing = NOTHING;
        return rc;
    }
    fx = binding_emit(b, BINDING_FX_WRITE);
    fx->text = buf_slice(&b->next);
    fx->exists = exists;
    fx->expected = exists ? buf_slice(&b->file) : SLICE_NONE;
    return SYNCLINE_OK;
}

static int start_put(struct view *v, const struct json *doc, bool unseen)
{
    struct binding *b = v->b;
    struct binding_effect *fx;

    buf_clear(&b->out);
    json_print(&b->out, doc, JSON_CANONICAL);
    if (buf_status(&b->out) != SYNCLINE_OK)
        return buf_status(&b->out);
    b->doing = PUTTING;
    fx = binding_emit(b, BINDING_FX_PUT);
    fx->text = buf_slice(&b->out);
    fx->context = buf_slice(&b->context);
    fx->unseen = unseen;
    return SYNCLINE_OK;
}

static int refuse(struct view *v, enum binding_trouble which, int rc,
    const struct errmsg *why)
{
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    binding_set_trouble(v->b, which,
        why->text[0] != 0 ? why->text : "it is too large, or nested too deep");
    return SYNCLINE_OK;
}

/* ---- what is known ---- */

static size_t distance(
    const struct view *v, const struct json *from, const struct json *to)
{
    struct leaves patch;

    return diff(&patch, from, to, v->a) == SYNCLINE_OK ? patch.n : SIZE_MAX;
}

/* A write of which it is not known whether it was made: then the file is what
 * was written, or what it was before, or one of these and something more. */
static int find_base(struct view *v)
{
    struct binding *b = v->b;
    struct json *next;
    int rc;

    if (!b->has_next || v->file == NULL)
        return SYNCLINE_OK;
    b->has_next = false;
    rc = binding_shared(&next, b, buf_slice(&b->next), v->a, NULL);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc != SYNCLINE_OK)
        return SYNCLINE_OK;
    if (v->base != NULL &&
        distance(v, v->base, v->ours) < distance(v, next, v->ours))
        return SYNCLINE_OK;
    if (v->base == NULL && !json_equal(next, v->ours))
        return SYNCLINE_OK;
    v->base = next;
    b->has_base = true;
    return binding_copy(&b->base, buf_slice(&b->next));
}

static int look(struct view *v, struct errmsg *why)
{
    struct binding *b = v->b;
    struct json *doc;
    int rc = SYNCLINE_OK;

    if (b->has_base) { /* one that cannot be read is none */
        rc = binding_shared(&doc, b, buf_slice(&b->base), v->a, NULL);
        b->has_base = rc == SYNCLINE_OK;
        v->base = b->has_base ? doc : NULL;
        if (rc == SYNCLINE_ENOMEM)
            return rc;
        rc = SYNCLINE_OK;
    }
    if (b->file_state == FILE_GOOD) {
        rc = binding_parse(&doc, b, buf_slice(&b->file), v->a, why);
        v->file = doc;
        if (rc == SYNCLINE_OK)
            rc = local_strip(&doc, v->file, &b->opt.local, v->a, why);
        v->ours = doc;
    }
    if (rc == SYNCLINE_OK && b->item_state == ITEM_HERE) {
        rc = json_parse(&doc, buf_slice(&b->item), JSON_STRICT, v->a, why);
        v->item = doc;
        if (rc == SYNCLINE_OK)
            rc = local_strip(&doc, v->item, &b->opt.local, v->a, why);
        v->theirs = doc;
    }
    return rc == SYNCLINE_OK ? find_base(v) : rc;
}

/* The text that says best how somebody writes it here. */
static struct slice look_of(const struct view *v)
{
    if (v->file != NULL)
        return buf_slice(&v->b->file);
    return v->b->has_base ? buf_slice(&v->b->base) : SLICE_NONE;
}

/* ---- decisions: each says in *done that it is all for now ---- */

/* The file becomes what the item says. Where there is none that can be read
 * the base lends its look and the parts that are local. */
static int take_item(struct view *v, enum errand errand)
{
    struct binding *b = v->b;
    const struct slice text = look_of(v);
    struct json *from = NULL, *doc;
    struct errmsg why = { "" };
    int rc = SYNCLINE_OK;

    if (b->flaw[0] != 0) {
        b->restore = false;
        binding_set_trouble(b, BINDING_ITEM_REFUSED, b->flaw);
        return SYNCLINE_OK;
    }
    if (text.len > 0)
        rc = binding_parse(&from, b, text, v->a, &why);
    if (rc == SYNCLINE_OK)
        rc = binding_keep_local(&doc, b, v->item, from, &why);
    if (rc == SYNCLINE_OK)
        rc = binding_check(b, doc, &why);
    if (rc == SYNCLINE_OK)
        rc = note_changed(v, v->file != NULL ? v->ours : v->base, v->theirs);
    if (rc == SYNCLINE_OK)
        rc = start_write(v, errand, text, doc, &why);
    if (rc != SYNCLINE_OK)
        b->restore = false;
    return rc == SYNCLINE_OK ? rc : refuse(v, BINDING_ITEM_REFUSED, rc, &why);
}

/* What a person, or a command that failed, wants the file to be. */
static int put_back(struct view *v, bool *done)
{
    struct binding *b = v->b;
    struct errmsg why = { "" };
    struct json *from, *to, *doc;
    struct leaves patch;
    int rc;

    *done = true;
    if (b->replace) {
        rc = binding_version(&doc, b, buf_slice(&b->version), &why);
        if (rc == SYNCLINE_OK)
            rc = start_write(v, REPLACE,
                b->opt.yaml ? look_of(v) : buf_slice(&b->version), doc, &why);
        b->replace = rc == SYNCLINE_OK;
        return rc == SYNCLINE_OK ? rc
                                 : refuse(v, BINDING_WRITE_FAILED, rc, &why);
    }
    if (v->file == NULL) {
        b->revert = *done = false;
        return SYNCLINE_OK;
    }
    rc = binding_shared(&from, b, buf_slice(&b->after), v->a, &why);
    if (rc == SYNCLINE_OK)
        rc = binding_shared(&to, b, buf_slice(&b->before), v->a, &why);
    if (rc == SYNCLINE_OK)
        rc = diff(&patch, from, to, v->a);
    if (rc == SYNCLINE_OK)
        rc = diff_apply(&doc, v->file, &patch, v->a);
    if (rc == SYNCLINE_OK)
        rc = start_write(v, REVERT, buf_slice(&b->file), doc, &why);
    b->revert = rc == SYNCLINE_OK;
    return rc == SYNCLINE_OK ? rc : refuse(v, BINDING_WRITE_FAILED, rc, &why);
}

/* What is to be put, and as what. */
struct said {
    const struct json *whole; /* what the item would be with all of it */
    const struct json *put;   /* NULL: nothing */
    bool partly, unseen;
};

/* First what nobody else has changed; then, by itself, what somebody has: who
 * saved the file had not seen that, and whichever loses is a conflict. A
 * setting that is gone from the file, and that somebody has changed, stays. */
static int part(struct view *v, struct said *out, const struct json *base,
    const struct leaves *patch)
{
    struct leaves theirs, free, contested, set = { 0 };
    struct json *doc;
    int rc = diff(&theirs, base, v->theirs, v->a);

    if (rc == SYNCLINE_OK)
        rc = diff_part(&free, &contested, patch, &theirs, v->a);
    if (rc == SYNCLINE_OK)
        rc = diff_apply(&doc, v->item, &free, v->a);
    if (rc != SYNCLINE_OK)
        return rc;
    out->partly = contested.n > 0;
    out->put = doc;
    if (!json_equal(doc, v->item))
        return SYNCLINE_OK;
    out->put = NULL;
    out->partly = false;
    set.e = contested.e;
    for (uint32_t i = 0; i < contested.n; i++)
        if (contested.e[i].value.ptr != NULL)
            set.e[set.n++] = contested.e[i];
    if (set.n == 0)
        return SYNCLINE_OK;
    rc = diff_apply(&doc, NULL, &set, v->a);
    out->put = doc;
    out->unseen = true;
    return rc;
}

/* Valid by itself, and still valid where others have changed it. */
static int check_said(
    struct view *v, const struct said *said, struct errmsg *why)
{
    struct errmsg wrong = { "" };
    struct json *seen;
    int rc = binding_check(v->b, v->file, why);

    if (rc == SYNCLINE_OK)
        rc = binding_keep_local(&seen, v->b, said->whole, v->file, why);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = binding_check(v->b, seen, &wrong);
    return rc == SYNCLINE_OK
        ? rc
        : errmsg_set(
              why, rc, "with what others have changed: %.400s", wrong.text);
}

/* What the file says and `base` did not. */
static int publish(struct view *v, const struct json *base,
    const struct json *ours, bool *done)
{
    struct errmsg why = { "" };
    struct said said = { .whole = ours, .put = ours };
    struct json *whole;
    struct leaves patch;
    int rc = SYNCLINE_OK;

    if (v->item != NULL) {
        rc = diff(&patch, base, ours, v->a);
        if (rc == SYNCLINE_OK && patch.n == 0)
            return SYNCLINE_OK;
        if (rc == SYNCLINE_OK)
            rc = diff_apply(&whole, v->item, &patch, v->a);
        if (rc == SYNCLINE_OK && json_equal(whole, v->item))
            return SYNCLINE_OK; /* others have said so, too */
        said.whole = whole;
        if (rc == SYNCLINE_OK)
            rc = part(v, &said, base, &patch);
        if (rc == SYNCLINE_OK && said.put == NULL)
            return SYNCLINE_OK;
    }
    *done = true;
    if (rc == SYNCLINE_OK)
        rc = check_said(v, &said, &why);
    if (rc == SYNCLINE_OK)
        rc = start_put(v, said.put, said.unseen);
    v->b->partly = said.partly;
    return rc == SYNCLINE_OK ? rc : refuse(v, BINDING_FILE_REFUSED, rc, &why);
}

static int say_undecided(struct view *v)
{
    struct errmsg which = { "" }, all = { "" };
    struct json *list;
    int rc = note_changed(v, v->theirs, v->ours);

    if (rc == SYNCLINE_OK)
        rc = json_parse(
            &list, buf_slice(&v->b->changed), JSON_STRICT, v->a, NULL);
    if (rc != SYNCLINE_OK)
        return rc;
    binding_say_pointers(&which, list);
    (void)errmsg_set(&all, rc,
        "file and item differ in %.380s: say which counts, with --prefer "
        "file, item or merge",
        which.text);
    binding_set_trouble(v->b, BINDING_UNDECIDED, all.text);
    return SYNCLINE_OK;
}

/* The two meet for the first time. */
static int meet(struct view *v, bool *done)
{
    const enum binding_prefer prefer = v->b->opt.prefer;
    struct json *both;
    struct leaves patch;
    int rc;

    if (v->item == NULL)
        return publish(v, NULL, v->ours, done);
    if (json_equal(v->ours, v->theirs) || prefer == PREFER_ITEM)
        return SYNCLINE_OK;
    *done = true;
    if (prefer == PREFER_ASK)
        return say_undecided(v);
    *done = false;
    if (prefer == PREFER_FILE)
        return publish(v, v->theirs, v->ours, done);
    rc = diff(&patch, NULL, v->theirs, v->a);
    if (rc == SYNCLINE_OK)
        rc = diff_apply(&both, v->ours, &patch, v->a);
    return rc == SYNCLINE_OK ? publish(v, v->theirs, both, done) : rc;
}

/* Whatever this machine has to say is said. */
static int follow(struct view *v)
{
    struct binding *b = v->b;
    int rc;

    if (v->item == NULL) {
        binding_set_trouble(b, BINDING_ITEM_MISSING,
            "its item was deleted; the file stays, and makes it anew when it "
            "changes");
        return SYNCLINE_OK;
    }
    if (!json_equal(v->ours, v->theirs))
        return take_item(v, APPLY);
    binding_set_trouble(b, BINDING_WRITE_FAILED, NULL); /* not needed now */
    b->conflicts = 0;
    if (b->has_base && slice_eq(buf_slice(&b->base), buf_slice(&b->file)))
        return SYNCLINE_OK;
    rc = binding_copy(&b->base, buf_slice(&b->file));
    b->has_base = rc == SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        rc = binding_save(b);
    if (rc == SYNCLINE_OK && b->doing == NOTHING)
        binding_emit(b, BINDING_FX_KEEP)->text = buf_slice(&b->file);
    return rc;
}

static int without_file(struct view *v)
{
    if (v->item == NULL) {
        if (!v->b->has_base)
            binding_set_trouble(v->b, BINDING_NEITHER,
                "there is neither the file nor the item: whichever is made "
                "first counts");
        return SYNCLINE_OK;
    }
    if (v->base != NULL && json_equal(v->base, v->theirs))
        return SYNCLINE_OK; /* somebody removed it; nobody changed it */
    return take_item(v, APPLY);
}

static void forget_troubles(struct binding *b)
{
    binding_set_trouble(b, BINDING_UNDECIDED, NULL);
    binding_set_trouble(b, BINDING_NEITHER, NULL);
    binding_set_trouble(b, BINDING_FILE_REFUSED, NULL);
    binding_set_trouble(b, BINDING_ITEM_REFUSED, NULL);
    binding_set_trouble(b, BINDING_ITEM_MISSING, NULL);
}

int binding_decide(struct binding *b)
{
    struct view v = { .b = b, .a = &b->arena };
    struct errmsg why = { "" };
    bool done = false;
    int rc = look(&v, &why);

    forget_troubles(b);
    if (rc != SYNCLINE_OK)
        return refuse(&v, BINDING_ITEM_REFUSED, rc, &why);
    if (b->restore && v.file != NULL && v.item != NULL &&
        json_equal(v.ours, v.theirs))
        b->restore = false;
    if (b->restore && v.item != NULL && b->file_state != FILE_BARRED)
        return take_item(&v, RESTORE);
    if ((b->replace || b->revert) && b->file_state != FILE_BARRED) {
        rc = put_back(&v, &done);
        if (done || rc != SYNCLINE_OK)
            return rc;
    }
    if (b->file_state == FILE_GONE)
        return without_file(&v);
    if (b->file_state != FILE_GOOD)
        return SYNCLINE_OK;
    if (v.base == NULL)
        rc = meet(&v, &done);
    else if (v.item != NULL || !json_equal(v.base, v.ours))
        rc = publish(&v, v.base, v.ours, &done);
    return done || rc != SYNCLINE_OK ? rc : follow(&v);
}
