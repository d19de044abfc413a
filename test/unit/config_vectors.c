#include "unit/config_vectors.h"

#include "unit/check.h"

__asm__(".section .rodata\n"
        "config_vectors_text:\n    .incbin \"" CONFIG_VECTORS "\"\n"
        "config_vectors_end:\n    .byte 0\n"
        ".previous\n");
extern const uint8_t config_vectors_text[]
    __attribute__((visibility("hidden")));
extern const uint8_t config_vectors_end[] __attribute__((visibility("hidden")));

struct json *config_vectors(struct arena *a)
{
    struct json *v = NULL;

    CHECK_OK(json_parse(&v,
        SLICE(config_vectors_text,
            (size_t)(config_vectors_end - config_vectors_text)),
        JSON_TOLERANT, a, NULL));
    CHECK(v->type == JSON_ARRAY && v->n == 15);
    return v;
}

struct json *config_vector(struct arena *a, const char *id)
{
    struct json *v = config_vectors(a)->first;

    while (v != NULL && !slice_is(json_get_str(v, "id"), id))
        v = v->next;
    CHECK_SAYING(v != NULL, "no vector %s", id);
    return v;
}
