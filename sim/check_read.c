/* I5: a client reads what it has written. */
#include "sim/check.h"

#include "sim/world.h"

void check_read(struct world *w, struct machine *m, struct slice space,
    struct slice key, struct slice doc)
{
    struct buf text = { 0 };
    struct arena arena = { 0 };
    const struct json *got;
    struct json *want = NULL;
    int rc;

    buf_printf(&text, "{\"op\":\"get\",\"space\":\"%.*s\",\"key\":\"%.*s\"}",
        SLICE_FMT(space), SLICE_FMT(key));
    got = machine_ask_now(m, buf_slice(&text), &arena, &rc);
    if (doc.ptr != NULL)
        ENSURE(
            json_parse(&want, doc, JSON_STRICT, &arena, NULL) == SYNCLINE_OK);
    buf_clear(&text);
    if (!w->failed &&
        (want == NULL
                ? rc != SYNCLINE_ENOTFOUND
                : got == NULL || !json_equal(json_get(got, "value"), want))) {
        if (json_get(got, "value") != NULL)
            json_print(&text, json_get(got, "value"), JSON_CANONICAL);
        world_fail(w, "I5", "node %u: %.*s was written as %.*s and reads %.*s",
            m->ix, SLICE_FMT(key),
            SLICE_FMT(want != NULL ? doc : SLICE_LIT("deleted")),
            SLICE_FMT(buf_slice(&text)));
    }
    buf_free(&text);
    arena_free(&arena);
}
