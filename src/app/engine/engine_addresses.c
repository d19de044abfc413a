/* Where this machine may be reached, for a code. */
#include "app/engine/engine_impl.h"

/* Addresses at which this machine may be reached, for a code. */
static size_t own_addresses(
    const struct engine *e, struct netaddr *out, size_t max)
{
    uv_interface_address_t *list;
    int list_n;
    size_t n = 0;

    for (; n < e->opt.advertise_n && n < max; n++)
        out[n] = e->opt.advertise[n];
    if (n > 0 || e->listening_n == 0 ||
        uv_interface_addresses(&list, &list_n) != 0)
        return n;
    for (int i = 0; i < list_n && n < max; i++) {
        struct netaddr a = { .port = e->listening[0].port };

        if (list[i].is_internal ||
            list[i].address.address4.sin_family != AF_INET)
            continue;
        a.family = 4;
        memcpy(a.addr, &list[i].address.address4.sin_addr, 4);
        out[n++] = a;
    }
    uv_free_interface_addresses(list, list_n);
    /* One that listens on particular addresses is reached at these. */
    for (size_t i = 0; i < e->listening_n; i++) {
        static const uint8_t any[16];

        if (memcmp(e->listening[i].addr, any, 16) != 0) {
            n = i == 0 ? 0 : n;
            if (n < max)
                out[n++] = e->listening[i];
        }
    }
    return n;
}

const struct json *engine_with_addresses(
    const struct engine *e, const struct json *args, struct arena *a)
{
    struct netaddr addrs[3];
    size_t n = own_addresses(e, addrs, 3);
    struct json *obj = json_new(a, JSON_OBJECT);
    struct json *list = json_new(a, JSON_ARRAY);

    for (const struct json *m = args->first; m != NULL; m = m->next) {
        struct json *copy = json_new(a, JSON_NULL);

        if (copy == NULL)
            return NULL;
        *copy = *m;
        copy->next = NULL;
        (void)json_add(obj, m->key, copy);
    }
    for (size_t i = 0; i < n; i++) {
        char text[NETADDR_TEXT];

        netaddr_format(text, &addrs[i]);
        (void)json_append(list, json_new_str(a, arena_dup(a, slice_str(text))));
    }
    (void)json_add(obj, SLICE_LIT("addresses"), list);
    return obj;
}
