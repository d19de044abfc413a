#include "unit/isync_vectors.h"

#include "unit/check.h"

__asm__(".section .rodata\n"
        "isync_vectors_text:\n    .incbin \"" ISYNC_VECTORS "\"\n"
        "isync_vectors_end:\n    .byte 0\n"
        ".previous\n");
extern const uint8_t isync_vectors_text[] __attribute__((visibility("hidden")));
extern const uint8_t isync_vectors_end[] __attribute__((visibility("hidden")));

struct json *isync_vector(struct arena *a, const char *id)
{
    const size_t n = (size_t)(isync_vectors_end - isync_vectors_text);
    struct json *v = NULL;

    CHECK_OK(
        json_parse(&v, SLICE(isync_vectors_text, n), JSON_TOLERANT, a, NULL));
    CHECK(v->type == JSON_ARRAY);
    v = v->first;
    while (v != NULL && !slice_is(json_get_str(v, "id"), id))
        v = v->next;
    CHECK_SAYING(v != NULL, "no vector %s", id);
    return v;
}

struct json *isync_json(struct arena *a, const char *text)
{
    struct slice s = arena_dup(a, slice_str(text));
    struct json *v = NULL;

    CHECK(s.ptr != NULL);
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\'')
            ((uint8_t *)s.ptr)[i] = '"';
    CHECK_OK(json_parse(&v, s, JSON_TOLERANT, a, NULL));
    return v;
}
