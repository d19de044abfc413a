#include "app/metrics.h"

#include "app/metrics_text.h"
#include "repl/frames.h"

#include <stdlib.h>

/* ---- the process, the store ---- */

static void put_process(struct metrics_text *t, const struct metrics_view *v)
{
    char wire[16];

    (void)snprintf(wire, sizeof wire, "%d", PROTOCOL_VERSION);
    metric_family(t, METRIC_INFO, "syncline_build", NULL,
        "The version of the program and of the protocol that it speaks.");
    metric_begin(t);
    metric_label(t, "version", SLICE_LIT(SYNCLINE_VERSION));
    metric_label(t, "protocol", slice_str(wire));
    metric_end(t, 1);
    metric_family(t, METRIC_GAUGE, "process_start_time_seconds", "seconds",
        "When the node was opened, since the Unix epoch.");
    metric_begin(t);
    metric_end_us(t, (int64_t)v->engine.started_us);
    metric_family(t, METRIC_COUNTER, "process_cpu_seconds", "seconds",
        "Processor time of all threads.");
    metric_begin(t);
    metric_end_us(t, (int64_t)v->engine.cpu_us);
    metric_gauge_bytes(t, "process_resident_memory_bytes",
        "Memory of the process that is in use.", v->engine.rss_bytes);
}

static void put_store(struct metrics_text *t, const struct metrics_view *v)
{
    const struct store_file_stats *s = v->store;
    const struct metrics_engine *e = &v->engine;

    metric_counter(t, "syncline_commits",
        "Batches that the node has written to its store.", e->commits);
    metric_gauge(t, "syncline_undurable_commits",
        "Batches that are not on the disk yet.", e->undurable);
    metric_times(t, "syncline_journal_sync_seconds",
        "How long syncing the journal took.", v->sync);
    metric_times(t, "syncline_checkpoint_seconds",
        "How long moving changes into state.db took.", v->checkpoint);
    metric_counter(t, "syncline_checkpoints_failed",
        "Checkpoints that failed and were tried again.", s->checkpoints_failed);
    metric_gauge_bytes(t, "syncline_store_bytes",
        "The store on the disk: database and journal.", e->store_bytes);
    metric_gauge_bytes(t, "syncline_disk_free_bytes",
        "Room on the disk of the store.", e->free_bytes);
    metric_gauge_bytes(t, "syncline_wal_bytes",
        "The database's own log after the last checkpoint.", s->wal_bytes);
    metric_family(t, METRIC_GAUGE, "syncline_overlay_bytes", "bytes",
        "Memory for changes that are not in state.db yet.");
    metric_of(t, "part", "active", s->active_bytes);
    metric_of(t, "part", "frozen", s->frozen_bytes);
    metric_family(t, METRIC_GAUGE, "syncline_journal_segments", NULL,
        "Files of the journal.");
    metric_of(t, "state", "used", s->segments);
    metric_of(t, "state", "spare", s->spares);
}

/* ---- the network ---- */

static void put_network(struct metrics_text *t, const struct metrics_view *v)
{
    const struct net_stats *n = v->net;

    metric_gauge(
        t, "syncline_sessions", "Connections that are up.", n->sessions);
    metric_counter(t, "syncline_sessions_started",
        "Connections that have ever come up.", n->sessions_total);
    metric_gauge(t, "syncline_half_open_connections",
        "Callers that have not shown yet who they are.", n->half_open);
    metric_family(t, METRIC_COUNTER, "syncline_connections_refused", NULL,
        "Callers that were not let in.");
    metric_of(t, "reason", "hasty", n->hasty);
    metric_of(t, "reason", "other",
        n->refused > n->hasty ? n->refused - n->hasty : 0);
    metric_family(t, METRIC_COUNTER, "syncline_received_bytes", "bytes",
        "Bytes that came from peers, as they cross the wire.");
    metric_begin(t);
    metric_end(t, n->bytes_in);
    metric_family(t, METRIC_COUNTER, "syncline_sent_bytes", "bytes",
        "Bytes that went out to peers, as they cross the wire.");
    metric_begin(t);
    metric_end(t, n->bytes_out);
    metric_family(t, METRIC_COUNTER, "syncline_http_received_bytes", "bytes",
        "Bytes that came by HTTP, as they cross the wire.");
    metric_begin(t);
    metric_end(t, n->guest_bytes_in);
    metric_family(t, METRIC_COUNTER, "syncline_http_sent_bytes", "bytes",
        "Bytes that went out by HTTP, as they cross the wire.");
    metric_begin(t);
    metric_end(t, n->guest_bytes_out);
    metric_counter(t, "syncline_datagrams_dropped",
        "Beacons passed over because there were too many.",
        v->engine.datagrams_dropped);
    metric_gauge(t, "syncline_multicast_groups",
        "Interfaces and families on which beacons are heard.",
        v->engine.multicast);
}

/* ---- changes ---- */

static void put_changes(struct metrics_text *t, const struct metrics_view *v)
{
    const struct node_counts *c = v->counts;

    metric_counter(t, "syncline_changes_written",
        "Changes that were made here.", c->changes_written);
    metric_family(
        t, METRIC_COUNTER, "syncline_rows", NULL, "Rows between members.");
    metric_of(t, "direction", "sent", c->rows_sent);
    metric_of(t, "direction", "received", c->rows_received);
    metric_times(t, "syncline_propagation_seconds",
        "From the stamp of another member's change to its arrival here, by the "
        "two clocks; but not of changes_late.",
        v->arrivals);
    metric_counter(t, "syncline_changes_late",
        "Changes made before the connection that brought them was up.",
        c->changes_late);
    metric_family(t, METRIC_COUNTER, "syncline_refused", NULL,
        "What peers sent and was not taken.");
    metric_of(t, "what", "changes", c->changes_refused);
    metric_of(t, "what", "rows", c->rows_refused);
    metric_of(t, "what", "batches", c->batches_refused);
    metric_family(t, METRIC_COUNTER, "syncline_conflicts", NULL,
        "Conflicts that this node has found or been told of.");
    metric_of(t, "kind", "same-path", c->conflicts_same_path);
    metric_of(t, "kind", "removed", c->conflicts_removed);
    metric_of(t, "kind", "above", c->conflicts_above);
    metric_of(t, "kind", "below", c->conflicts_below);
    metric_of(t, "kind", "deleted", c->conflicts_deleted);
    metric_of(t, "kind", "lives", c->conflicts_lives);
    metric_of(t, "kind", "received", c->conflicts_received);
}

/* All else that a node counts. */
static void put_events(struct metrics_text *t, const struct node_counts *c)
{
    metric_family(t, METRIC_COUNTER, "syncline_node_events", NULL,
        "What the node has done, by its own names; for who looks into it.");
#define PUT_EVENT(name) metric_of(t, "event", #name, c->name);
    NODE_COUNTS(PUT_EVENT)
#undef PUT_EVENT
}

static void put_queues(struct metrics_text *t, const struct metrics_view *v)
{
    const struct node_sizes *z = v->sizes;

    metric_family(t, METRIC_GAUGE, "syncline_queue_length", NULL,
        "What waits; of lists that each connection has, the longest.");
    metric_of(t, "queue", "requests", v->engine.requests);
    metric_of(t, "queue", "writes", z->waits);
    metric_of(t, "queue", "watches", z->watches);
    metric_of(t, "queue", "resolvers", z->resolving);
    metric_of(t, "queue", "commits", z->pending);
    metric_of(t, "queue", "held-rows", z->held_rows);
    metric_of(t, "queue", "asked-ranges", z->asked_ranges);
    metric_family(t, METRIC_GAUGE, "syncline_queue_bytes", "bytes",
        "Bytes that wait, of the connection that keeps most.");
    metric_of(t, "queue", "in-flight", z->in_flight);
    metric_of(t, "queue", "early", z->early_bytes);
    metric_of(t, "queue", "parked", z->parked_bytes);
    metric_of(t, "queue", "arriving", z->arriving);
    metric_gauge(t, "syncline_vector_entries",
        "Replicas in the longest vector that is kept.", z->vector);
}

/* ---- spaces ---- */

/* A number of each element of a list, by its name. */
static void put_each(struct metrics_text *t, const struct json *list,
    const char *name, const char *help, const char *member)
{
    unsigned n = 0;

    metric_family(t, METRIC_GAUGE, name, NULL, help);
    for (const struct json *s = list != NULL ? list->first : NULL;
         s != NULL && n < METRICS_EACH_MAX; s = s->next, n++) {
        metric_begin(t);
        metric_label(t, "space", json_get_str(s, "name"));
        metric_end(t, (uint64_t)json_get_int(s, member, 0));
    }
}

static void put_spaces(struct metrics_text *t, const struct json *status)
{
    const struct json *spaces = json_get(status, "spaces");
    const struct json *carries = json_get(status, "carries");
    uint64_t carried = 0;

    metric_gauge(t, "syncline_spaces", "Spaces that are kept here.",
        spaces != NULL ? spaces->n : 0);
    put_each(t, spaces, "syncline_items", "Items of a space.", "items");
    put_each(t, spaces, "syncline_deleted_items",
        "Deleted items that not every member has heard of.", "deleted");
    put_each(t, spaces, "syncline_open_conflicts",
        "Conflicts of a space that nobody has settled.", "conflicts");
    put_each(t, spaces, "syncline_rescue_values",
        "Values of deleted items that wait for a person.", "rescue");
    for (const struct json *s = carries != NULL ? carries->first : NULL;
         s != NULL; s = s->next)
        carried += (uint64_t)json_get_int(s, "items", 0);
    metric_gauge(t, "syncline_carried_spaces",
        "Spaces that this node, a relay, carries sealed.",
        carries != NULL ? carries->n : 0);
    metric_gauge(t, "syncline_carried_items", "Sealed items in them.", carried);
}

/* ---- peers ---- */

/* A member of each peer: a number, or true or false; us: in seconds, and left
 * out where it is not known. */
static void put_peers_each(struct metrics_text *t, const struct json *peers,
    const char *member, bool us)
{
    unsigned n = 0;

    for (const struct json *p = peers != NULL ? peers->first : NULL;
         p != NULL && n < METRICS_EACH_MAX; p = p->next, n++) {
        const struct json *value = json_get(p, member);
        bool number = value != NULL && value->type == JSON_INT;

        if (us && !number)
            continue;
        metric_begin(t);
        metric_label(t, "device", json_get_str(p, "device"));
        metric_label(t, "name", json_get_str(p, "name"));
        if (us)
            metric_end_us(t, value->i);
        else if (value != NULL && value->type == JSON_STRING)
            metric_end(t, slice_is(value->s, "connected"));
        else
            metric_end(t,
                number ? (uint64_t)value->i : json_get_bool(p, member, false));
    }
}

static void put_peers(struct metrics_text *t, const struct json *status)
{
    static const struct {
        const char *member, *name, *unit, *help;
        bool us;
    } each[] = {
        { "state", "syncline_peer_connected", NULL,
            "1 if this node is connected with that member.", false },
        { "lag", "syncline_peer_lag_changes", NULL,
            "Changes here that the member has not said it has on its disk.",
            false },
        { "rtt_us", "syncline_peer_round_trip_seconds", "seconds",
            "The last round trip of a heartbeat.", true },
        { "offset_us", "syncline_peer_clock_offset_seconds", "seconds",
            "How far the member's clock is ahead of this one.", true },
        { "bytes_kept", "syncline_peer_kept_bytes", "bytes",
            "Memory that is kept for its connection.", false },
        { "parked", "syncline_peer_parked", NULL,
            "1 if it was silent for so long that collection does not wait.",
            false },
    };
    const struct json *peers = json_get(status, "peers");

    metric_gauge(t, "syncline_peers", "Members of the mesh beside this one.",
        peers != NULL ? peers->n : 0);
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        metric_family(
            t, METRIC_GAUGE, each[i].name, each[i].unit, each[i].help);
        put_peers_each(t, peers, each[i].member, each[i].us);
    }
    metric_family(t, METRIC_COUNTER, "syncline_peer_delays", NULL,
        "How often the member was read later, for sending too fast.");
    put_peers_each(t, peers, "delays", false);
    metric_family(t, METRIC_COUNTER, "syncline_peer_broken_rules", NULL,
        "How many rules of the protocol the member has broken.");
    put_peers_each(t, peers, "broke", false);
}

/* ---- what somebody should see to ---- */

static void put_clock(struct metrics_text *t, const struct json *clock)
{
    metric_family(t, METRIC_GAUGE, "syncline_stamps_ahead_seconds", "seconds",
        "How far stamps are ahead of this clock.");
    metric_begin(t);
    metric_end_us(t, json_get_int(clock, "ahead_us", 0));
    metric_gauge(t, "syncline_clock_epoch",
        "How often the clocks of the mesh have been reset.",
        (uint64_t)json_get_int(clock, "epoch", 0));
}

static bool has_any(const struct json *status, const char *list)
{
    const struct json *v = json_get(status, list);

    return v != NULL && v->type == JSON_ARRAY && v->n > 0;
}

static bool is_object(const struct json *status, const char *member)
{
    const struct json *v = json_get(status, member);

    return v != NULL && v->type == JSON_OBJECT;
}

static void put_trouble(struct metrics_text *t, const struct metrics_view *v)
{
    const struct json *s = v->status, *clock = json_get(s, "clock");

    metric_family(t, METRIC_GAUGE, "syncline_trouble", NULL,
        "1: somebody should look, syncline doctor says more.");
    metric_of(t, "kind", "audit", v->audit_trouble);
    metric_of(t, "kind", "checkpoint", v->engine.stuck);
    metric_of(t, "kind", "clock", !json_get_bool(clock, "ok", true));
    metric_of(t, "kind", "copies", json_get_bool(s, "copies", false));
    metric_of(t, "kind", "forks", has_any(s, "forks"));
    metric_of(t, "kind", "oversize", is_object(s, "oversize"));
    metric_of(t, "kind", "relay", has_any(s, "withheld"));
    metric_of(t, "kind", "removed", is_object(s, "removed"));
    metric_of(t, "kind", "store-full", v->engine.full);
    metric_of(
        t, "kind", "writes-refused", !json_get_bool(clock, "writes", true));
}

static void put_errors(struct metrics_text *t, const struct metrics_view *v)
{
    metric_gauge(t, "syncline_open_errors",
        "Entries of the list of errors that nobody has acknowledged.",
        v->engine.errors_open);
}

/* ---- faces of older systems ---- */

static uint64_t number_of(const struct json *v, const char *name)
{
    const int64_t n = json_get_int(v, name, 0);

    return n > 0 ? (uint64_t)n : 0;
}

static void put_isync_packets(struct metrics_text *t, const struct json *n)
{
    static const char *const names[] = { "sent", "received", "merged",
        "relayed", "unread", "dropped" };

    metric_family(t, METRIC_COUNTER, "syncline_isync_packets", NULL,
        "Messages of iSync; unread: sealed by no token of ours.");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        metric_of(t, "what", names[i], number_of(n, names[i]));
}

static void put_isync(struct metrics_text *t, const struct json *isync)
{
    if (isync == NULL)
        return;
    metric_gauge(t, "syncline_isync_connected", "iSync nodes that are.",
        number_of(isync, "connected"));
    metric_gauge(t, "syncline_isync_registers", "Values that are shared there.",
        number_of(isync, "registers"));
    metric_gauge(t, "syncline_isync_refused",
        "Values that the space or the nodes cannot hold.",
        number_of(isync, "refused"));
    metric_gauge(t, "syncline_isync_native_only",
        "Paths made anew here after they were deleted there for ever.",
        number_of(isync, "native_only_n"));
    metric_gauge(t, "syncline_isync_unread_nodes",
        "Nodes of which messages are kept that cannot be read here.",
        number_of(isync, "unread_of_n"));
    metric_family(t, METRIC_GAUGE, "syncline_isync_last_sync_timestamp_seconds",
        "seconds",
        "When a node said last what could be read, since the Unix "
        "epoch.");
    metric_begin(t);
    metric_end_us(t, json_get_int(isync, "last_sync", 0));
    put_isync_packets(t, json_get(isync, "packets"));
}

/* How many have that dialect, by whose call. */
static uint64_t links_n(
    const struct json *list, const char *dialect, bool called)
{
    uint64_t n = 0;

    for (const struct json *c = list != NULL ? list->first : NULL; c != NULL;
         c = c->next) {
        const struct slice has = json_get_str(c, "dialect"); /* or null */

        n += json_get_bool(c, "called", false) == called &&
            slice_is(has.len > 0 ? has : SLICE_LIT("none"), dialect);
    }
    return n;
}

static void put_lan_links(struct metrics_text *t, const struct json *list)
{
    static const char *const dialects[] = { "v1", "v2", "none" };

    metric_family(t, METRIC_GAUGE, "syncline_lansync_connections", NULL,
        "LAN-sync nodes that are connected; out: we have called.");
    for (size_t i = 0; i < 2 * sizeof dialects / sizeof *dialects; i++) {
        metric_begin(t);
        metric_label(t, "dialect", slice_str(dialects[i / 2]));
        metric_label(
            t, "direction", i % 2 == 0 ? SLICE_LIT("in") : SLICE_LIT("out"));
        metric_end(t, links_n(list, dialects[i / 2], i % 2 != 0));
    }
}

/* Of those that we call: named, and not reached; near, and not told. */
static uint64_t lan_peers_n(
    const struct json *list, bool found, const char *state)
{
    uint64_t n = 0;

    for (const struct json *p = list != NULL ? list->first : NULL; p != NULL;
         p = p->next)
        n += json_get_bool(p, "found", false) == found &&
            json_get_str(p, "trouble").len > 0 &&
            slice_is(json_get_str(p, "state"), state);
    return n;
}

static void put_lan_counts(struct metrics_text *t, const struct json *lan)
{
    static const char *const items[] = { "pushed", "acked", "taken", "refused",
        "answered", "too_long" };
    static const char *const away[] = { "network", "room", "tls", "failures" };
    static const char *const bytes[][3] = { { "sent", "clear", "sent" },
        { "sent", "packed", "sent_as" }, { "received", "clear", "heard" },
        { "received", "packed", "heard_as" } };

    metric_family(t, METRIC_COUNTER, "syncline_lansync_items", NULL,
        "Items told to LAN-sync nodes, and by them.");
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        metric_of(
            t, "what", items[i], number_of(json_get(lan, "items"), items[i]));
    metric_counter(t, "syncline_lansync_questions",
        "How often LAN-sync nodes have asked for items.",
        number_of(json_get(lan, "items"), "asked"));
    metric_family(t, METRIC_COUNTER, "syncline_lansync_turned_away", NULL,
        "Callers that were not let in; failures: without the secret.");
    for (size_t i = 0; i < sizeof away / sizeof *away; i++)
        metric_of(t, "reason", away[i],
            number_of(json_get(lan, "turned_away"), away[i]));
    metric_family(t, METRIC_COUNTER, "syncline_lansync_compressed_bytes",
        "bytes", "Messages that were compressed, as they were and became.");
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        metric_begin(t);
        metric_label(t, "direction", slice_str(bytes[i][0]));
        metric_label(t, "form", slice_str(bytes[i][1]));
        metric_end(t, number_of(json_get(lan, "compressed"), bytes[i][2]));
    }
}

static void put_lansync(struct metrics_text *t, const struct json *lan)
{
    const struct json *peers = json_get(lan, "peers");

    if (lan == NULL)
        return;
    put_lan_links(t, json_get(lan, "connections"));
    metric_gauge(t, "syncline_lansync_peers_unreachable",
        "LAN-sync nodes that were named and are not connected.",
        lan_peers_n(peers, false, "away"));
    metric_gauge(t, "syncline_lansync_untold_nodes",
        "Older servers that are near, and are not told the secret.",
        lan_peers_n(peers, true, "untold"));
    metric_gauge(t, "syncline_lansync_lacking_nodes",
        "LAN-sync nodes that are not told of some item, as it is too long.",
        number_of(lan, "lacking_nodes_n"));
    metric_gauge(t, "syncline_lansync_lacking_items",
        "Items that one of them is not told of.", number_of(lan, "lacking_n"));
    put_lan_counts(t, lan);
}

void metrics_print(
    struct buf *out, enum metrics_format format, const struct metrics_view *v)
{
    struct metrics_text t = { .b = out, .format = format };

    put_process(&t, v);
    put_trouble(&t, v);
    put_errors(&t, v);
    put_store(&t, v);
    put_network(&t, v);
    put_changes(&t, v);
    put_queues(&t, v);
    put_clock(&t, json_get(v->status, "clock"));
    put_spaces(&t, v->status);
    put_peers(&t, v->status);
    put_isync(&t, json_get(v->faces, "isync"));
    put_lansync(&t, json_get(v->faces, "lansync"));
    put_events(&t, v->counts);
    if (format == METRICS_OPENMETRICS)
        buf_put_str(out, "# EOF\n");
}

const char *metrics_content_type(enum metrics_format format)
{
    return format == METRICS_OPENMETRICS
        ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
        : "text/plain; version=0.0.4; charset=utf-8";
}
