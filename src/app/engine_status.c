/* What `status` says beyond what the node knows of itself. */
#include "app/engine_impl.h"
#include "io/clock.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void engine_put_status(const struct engine *e, struct buf *b)
{
    static const char *const files[] = { "state.db", "state.db-wal" };
    const struct net_stats *net = net_stats(e->net);
    uint64_t store_bytes = 0;
    struct store_file_stats stats;
    char path[4096], addr[NETADDR_TEXT];
    struct stat st;
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL) {
        if (fscanf(f, "%*s %ld", &pages) != 1)
            pages = 0;
        (void)fclose(f);
    }
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", e->dir, files[i]);
        if (stat(path, &st) == 0)
            store_bytes += (uint64_t)st.st_size;
    }
    store_file_stats(e->store, &stats);
    store_bytes += (stats.segments + stats.spares) * ((uint64_t)16 << 20);
    buf_printf(b,
        "\"uptime_s\":%llu,\"store_bytes\":%llu,\"rss_bytes\":%llu,"
        "\"multicast\":%u,\"refused\":%llu,\"hasty\":%llu,"
        "\"half_open\":%u,\"datagrams_dropped\":%llu,\"listen\":[",
        (unsigned long long)((clock_mono_us() - e->started_us) / 1000000),
        (unsigned long long)store_bytes,
        (unsigned long long)pages * (unsigned long long)sysconf(_SC_PAGESIZE),
        engine_multicast(e), (unsigned long long)net->refused,
        (unsigned long long)net->hasty, net->half_open,
        (unsigned long long)(e->udp != NULL ? udp_dropped(e->udp) : 0));
    for (size_t i = 0; i < e->listening_n; i++) {
        netaddr_format(addr, &e->listening[i]);
        buf_printf(b, "%s\"%s\"", i > 0 ? "," : "", addr);
    }
    buf_put_str(b, "],");
    put_audit_status(e, b);
}
