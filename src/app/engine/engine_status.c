/* What `status` says beyond what the node knows of itself. */
#include "app/engine/engine_impl.h"
#include "io/clock.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t engine_rss_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    (void)fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t engine_store_bytes(const struct engine *e)
{
    static const char *const files[] = { "state.db", "state.db-wal" };
    struct store_file_stats stats;
    uint64_t bytes = 0;
    char path[4096];
    struct stat st;

    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", e->dir, files[i]);
        if (stat(path, &st) == 0)
            bytes += (uint64_t)st.st_size;
    }
    store_file_stats(e->store, &stats);
    return bytes + (stats.segments + stats.spares) * ((uint64_t)16 << 20);
}

void engine_put_status(const struct engine *e, struct buf *b)
{
    const struct net_stats *net = net_stats(e->net);
    char addr[NETADDR_TEXT];

    buf_printf(b,
        "\"uptime_s\":%llu,\"store_bytes\":%llu,\"rss_bytes\":%llu,"
        "\"multicast\":%u,\"refused\":%llu,\"hasty\":%llu,"
        "\"half_open\":%u,\"datagrams_dropped\":%llu,\"listen\":[",
        (unsigned long long)((clock_mono_us() - e->started_us) / 1000000),
        (unsigned long long)engine_store_bytes(e),
        (unsigned long long)engine_rss_bytes(), engine_multicast(e),
        (unsigned long long)net->refused, (unsigned long long)net->hasty,
        net->half_open,
        (unsigned long long)(e->udp != NULL ? udp_dropped(e->udp) : 0));
    for (size_t i = 0; i < e->listening_n; i++) {
        netaddr_format(addr, &e->listening[i]);
        buf_printf(b, "%s\"%s\"", i > 0 ? "," : "", addr);
    }
    buf_printf(b, "],\"errors\":{\"open\":%u},", engine_errors_n(e));
    engine_put_files(e, b);
    engine_put_web(e, b);
    put_audit_status(e, b);
    if (e->opt.put_status != NULL)
        e->opt.put_status(e->opt.status_ctx, b);
}

void engine_short_name(const struct engine *e, char *out, size_t room)
{
    char id[DEVICE_SHORT_TEXT];

    device_id_format_short(id, identity_device(e->identity));
    (void)snprintf(out, room, "syncline_%s", id);
}
