/* schema_fuzz.c - a schema, a zero byte, and a document.
 *
 * Holds the laws: the same pair gets the same answer, which says where; and
 * what is valid is not valid by "not" of the schema, unless that has
 * references, which would lead elsewhere then. */
#include "files/schema.h"
#include "fuzz/fuzz.h"

/* SYNCLINE_EUNSUPPORTED: that is no schema. */
static int check(const struct json *schema, const struct json *doc,
    struct errmsg *why, struct arena *a)
{
    struct schema_fault fault;
    struct schema *s = NULL;
    int rc = schema_new(&s, schema, why);

    if (rc != SYNCLINE_OK) {
        ENSURE(s == NULL && why->text[0] != 0);
        return SYNCLINE_EUNSUPPORTED;
    }
    rc = schema_check(s, doc, &fault, a);
    ENSURE((rc == SYNCLINE_OK) == (fault.what.text[0] == 0));
    if (rc == SYNCLINE_EINVAL) {
        ENSURE(json_pointer_get(doc, fault.instance, a) != NULL);
        ENSURE(json_pointer_get(schema, fault.schema, a) != NULL);
    }
    schema_fault_say(why, &fault);
    schema_free(s);
    return rc;
}

static void check_not(
    struct json *schema, const struct json *doc, int rc, struct arena *a)
{
    struct json *turned = json_new(a, JSON_OBJECT);
    struct errmsg why = { "" };
    int other;

    ENSURE(json_add(turned, SLICE_LIT("not"), json_copy(schema, a)) != NULL);
    other = check(turned, doc, &why, a);
    if (other == SYNCLINE_OK || other == SYNCLINE_EINVAL)
        ENSURE((rc == SYNCLINE_OK) != (other == SYNCLINE_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t text_len = zero != NULL ? (size_t)(zero - data) : size;
    struct slice text = SLICE(data, text_len);
    struct slice rest = slice_from(SLICE(data, size), text_len + 1);
    struct arena a = { 0 };
    struct errmsg why[2] = { { "" }, { "" } };
    struct json *schema, *doc;
    int rc;

    if (json_parse(&schema, text, JSON_STRICT, &a, NULL) == SYNCLINE_OK &&
        json_parse(&doc, rest, JSON_STRICT, &a, NULL) == SYNCLINE_OK) {
        rc = check(schema, doc, &why[0], &a);
        ENSURE(rc == check(schema, doc, &why[1], &a));
        ENSURE(strcmp(why[0].text, why[1].text) == 0);
        if ((rc == SYNCLINE_OK || rc == SYNCLINE_EINVAL) &&
            memchr(text.ptr, '$', text.len) == NULL)
            check_not(schema, doc, rc, &a);
    }
    arena_free(&a);
    return 0;
}
