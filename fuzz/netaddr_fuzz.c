/* netaddr_fuzz.c - an address, as a person writes it and as it is sent.
 *
 * Holds the law: what was read, formatted, reads again as the same; of the
 * form in frames too, byte for byte. */
#include "fuzz/fuzz.h"
#include "repl/frames.h"

static void check_text(struct slice in)
{
    struct netaddr addr, again;
    struct errmsg why = { "" };
    char text[NETADDR_TEXT];

    if (netaddr_parse(&addr, in, 4748, &why) != SYNCLINE_OK) {
        ENSURE(why.text[0] != 0);
        return;
    }
    netaddr_format(text, &addr);
    ENSURE(netaddr_parse(&again, slice_str(text), 1, &why) == SYNCLINE_OK);
    ENSURE(netaddr_eq(&addr, &again));
    netaddr_format_ip(text, &addr);
    ENSURE(
        netaddr_parse(&again, slice_str(text), addr.port, &why) == SYNCLINE_OK);
    ENSURE(netaddr_eq(&addr, &again) && netaddr_same_ip(&addr, &again));
    (void)netaddr_is_link_local(&addr);
    (void)netaddr_is_loopback(&addr);
}

static void check_bytes(struct slice in)
{
    struct reader r = reader_of(in);
    struct buf b = { 0 };
    struct netaddr addr;

    get_netaddr(&r, &addr);
    if (r.err != SYNCLINE_OK)
        return;
    put_netaddr(&b, &addr);
    ENSURE(slice_eq(written(&b), SLICE(in.ptr, in.len - r.in.len)));
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text(SLICE(data, size));
    check_bytes(SLICE(data, size));
    return 0;
}
