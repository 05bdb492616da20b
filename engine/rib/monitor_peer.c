/*
 * One session as a collector sees it: Peer Up, its tables, statistics, Peer Down. The Loc-RIB is one too
 * (RFC 9069): it is up as long as the collector is there.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/rib/monitor_private.h"

/* --- Headers ---------------------------------------------------------------------------------- */

static uint64_t wall_us(const struct rib_monitor *monitor, uint64_t time_ms)
{
    return (uint64_t)((int64_t)time_ms + monitor->config.offset_ms) * 1000u;
}

static void describe(const struct rib_monitor *monitor, const struct monitor_peer *peer,
                     struct rib_monitored *monitored)
{
    memset(monitored, 0, sizeof(*monitored));
    if (monitor->config.describe != NULL)
        monitor->config.describe(monitor->config.context, peer->peer, monitored);
}

/* The speaker is known by what its first session calls it. */
static uint32_t own_identifier(const struct speaker *speaker)
{
    return speaker->n_peers > 1 ? speaker->peers[1]->config.identifier : 0;
}

/* Whose messages these are, without a time. */
static struct bmp_peer identify(const struct rib_monitor *monitor, const struct monitor_peer *peer,
                                const struct rib_monitored *monitored)
{
    const struct speaker *speaker = monitor->speaker;
    struct bmp_peer header = {.distinguisher = monitored->distinguisher};

    if (peer->peer == NULL) {
        header.type = BMP_PEER_LOC_RIB;
        header.asn = speaker->config.asn;
        header.identifier = own_identifier(speaker);
        return header;
    }
    header.type = monitored->distinguisher != 0 ? BMP_PEER_LOCAL : BMP_PEER_GLOBAL;
    header.address = peer->peer->config.peer_address;
    header.asn = peer->peer->config.asn;
    header.identifier = bgp_session_negotiated(peer->peer->session)->peer_identifier;
    return header;
}

/* As it was when the collector was told of the session: by the time of a message it may be another one, or another
 * neighbour's. */
static struct bmp_peer header_at(const struct rib_monitor *monitor, const struct monitor_peer *peer,
                                 uint64_t time_ms)
{
    struct bmp_peer header = peer->header;

    header.time_us = time_ms != 0 ? wall_us(monitor, time_ms) : 0;
    return header;
}

/* --- Up and down ------------------------------------------------------------------------------ */

static void add_view(struct rib_monitor *monitor, struct monitor_peer *peer, enum monitor_kind kind,
                     enum bgp_family family)
{
    struct monitor_view *view = &peer->views[peer->n_views];
    const struct bgp_add_path none = {0};
    const struct bgp_add_path *add_path =
        peer->peer != NULL ? &bgp_session_negotiated(peer->peer->session)->add_path : &none;
    uint32_t with = kind == MONITOR_ADJ_RIB_OUT ? add_path->send : add_path->receive;

    if (!(monitor->config.routes & 1u << kind))
        return;
    *view = (struct monitor_view){
        .monitor = monitor,
        .peer = peer->peer,
        .kind = kind,
        .family = family,
        .with_path_id = with & BGP_FAMILY_BIT(family),
    };
    monitor_view_open(view);
    peer->n_views++;
}

static void open_views(struct rib_monitor *monitor, struct monitor_peer *peer)
{
    peer->n_views = peer->turn = 0;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        if (peer->peer == NULL) {
            add_view(monitor, peer, MONITOR_LOC_RIB, family);
            continue;
        }
        if (!(peer->peer->families & BGP_FAMILY_BIT(family)))
            continue;
        add_view(monitor, peer, MONITOR_PRE_POLICY, family);
        add_view(monitor, peer, MONITOR_POST_POLICY, family);
        add_view(monitor, peer, MONITOR_ADJ_RIB_OUT, family);
    }
}

static void close_views(struct monitor_peer *peer)
{
    for (unsigned i = 0; i < peer->n_views; i++)
        monitor_view_close(&peer->views[i]);
    peer->n_views = 0;
}

void monitor_peer_up(struct rib_monitor *monitor, struct monitor_peer *peer)
{
    peer->up_due = true;
    monitor_list(monitor, peer);
}

static struct bmp_peer_down end_of(const struct bgp_session *session)
{
    switch (bgp_session_end(session)) {
    case BGP_END_SENT:
        return (struct bmp_peer_down){.reason = BMP_DOWN_SENT,
                                      .error = *bgp_session_last_sent(session)};
    case BGP_END_RECEIVED:
        return (struct bmp_peer_down){.reason = BMP_DOWN_RECEIVED,
                                      .error = *bgp_session_last_received(session)};
    case BGP_END_SEND_HOLD:
        return (struct bmp_peer_down){.reason = BMP_DOWN_SILENT,
                                      .event = BMP_EVENT_SEND_HOLD_EXPIRED};
    case BGP_END_SILENT:
        return (struct bmp_peer_down){.reason = BMP_DOWN_SILENT, .event = BMP_EVENT_NONE};
    case BGP_END_NONE:
    case BGP_END_LOST:
        break;
    }
    return (struct bmp_peer_down){.reason = BMP_DOWN_LOST};
}

/* One that the collector has not heard of coming up need not be told to be gone. */
void monitor_peer_down(struct rib_monitor *monitor, struct monitor_peer *peer)
{
    peer->up_due = peer->report_due = false;
    if (!peer->up)
        return;
    close_views(peer);
    peer->up = false;
    peer->down_due = true;
    peer->down = end_of(peer->peer->session);
    peer->down_ms = monitor->speaker->now_ms;
    monitor_list(monitor, peer);
}

void monitor_peer_free(struct monitor_peer *peer)
{
    for (unsigned i = 0; i < peer->n_views; i++) {
        rib_bitset_free(&peer->views[i].told);
        monitor_view_close(&peer->views[i]);
    }
    free(peer);
}

/* --- Messages --------------------------------------------------------------------------------- */

/* What the Loc-RIB's messages need is said by an OPEN of our own, in both places (RFC 9069 5.2). */
static size_t own_open(const struct speaker *speaker, uint8_t bytes[192])
{
    const struct bgp_open open = {
        .version = 4,
        .asn = speaker->config.asn,
        .identifier = own_identifier(speaker),
        .multiprotocol = true,
        .families = BGP_FAMILIES_ALL,
        .four_octet_as = true,
        .extended_messages = true,
        .extended_next_hop = true,
    };

    return bgp_open_encode(&open, bytes, 192);
}

static size_t write_up(struct rib_monitor *monitor, struct monitor_peer *peer, uint8_t *bytes,
                       size_t capacity)
{
    const struct bgp_session *session = peer->peer != NULL ? peer->peer->session : NULL;
    struct rib_monitored monitored;
    struct bmp_peer header;
    struct bmp_peer_up up;
    uint8_t own[192];

    describe(monitor, peer, &monitored);
    peer->header = identify(monitor, peer, &monitored);
    header = header_at(monitor, peer, session ? bgp_session_since(session) : monitor->now_ms);
    up = (struct bmp_peer_up){.local_port = monitored.local_port,
                              .remote_port = monitored.remote_port,
                              .name = monitored.name[0] != '\0' ? monitored.name : NULL};

    if (session != NULL) {
        up.local_address = peer->peer->config.local_address;
        up.sent = bgp_session_open_message(session, true, &up.sent_size);
        up.received = bgp_session_open_message(session, false, &up.received_size);
    } else {
        up.sent = up.received = own;
        up.sent_size = up.received_size = own_open(monitor->speaker, own);
    }
    peer->up_due = false;
    if (up.sent_size == 0 || up.received_size == 0) {
        monitor->failed = true; /* there was no memory to keep them */
        return 0;
    }
    peer->up = true;
    open_views(monitor, peer);
    return bmp_peer_up_encode(&header, &up, bytes, capacity);
}

static size_t write_down(struct rib_monitor *monitor, struct monitor_peer *peer, uint8_t *bytes,
                         size_t capacity)
{
    struct bmp_peer header = header_at(monitor, peer, peer->down_ms);

    peer->down_due = false;
    return bmp_peer_down_encode(&header, &peer->down, bytes, capacity);
}

static void add_learned(struct bmp_statistics_writer *writer, const struct speaker_peer *peer)
{
    struct speaker_peer_counters counters;

    speaker_peer_counters(peer, &counters);
    bmp_statistics_add(writer, BMP_STATISTIC_ADJ_RIB_IN, 0, counters.held);
    bmp_statistics_add(writer, BMP_STATISTIC_TREATED_AS_WITHDRAW, 0,
                       bgp_session_counters(peer->session)->treated_as_withdraw);
    bmp_statistics_add(writer, BMP_STATISTIC_ADJ_RIB_OUT, 0, counters.advertised);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        if (!(peer->families & BGP_FAMILY_BIT(family)))
            continue;
        bmp_statistics_add(writer, BMP_STATISTIC_ADJ_RIB_IN_FAMILY, family,
                           peer->tables[family].learned.count);
        bmp_statistics_add(writer, BMP_STATISTIC_ADJ_RIB_OUT_FAMILY, family,
                           peer->tables[family].advertised.count);
    }
}

/* As many as this collector was told: the table itself is not counted by what is usable. */
static void add_best(struct bmp_statistics_writer *writer, const struct monitor_peer *peer)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < peer->n_views; i++)
        total += peer->views[i].told.count;
    bmp_statistics_add(writer, BMP_STATISTIC_LOC_RIB, 0, total);
    for (unsigned i = 0; i < peer->n_views; i++)
        bmp_statistics_add(writer, BMP_STATISTIC_LOC_RIB_FAMILY, peer->views[i].family,
                           peer->views[i].told.count);
}

static size_t write_report(struct rib_monitor *monitor, struct monitor_peer *peer, uint8_t *bytes,
                           size_t capacity)
{
    struct bmp_peer header = header_at(monitor, peer, monitor->now_ms);
    struct bmp_statistics_writer writer;

    peer->report_due = false;
    bmp_statistics_begin(&writer, &header, bytes, capacity);
    if (peer->peer != NULL)
        add_learned(&writer, peer->peer);
    else
        add_best(&writer, peer);
    return bmp_statistics_end(&writer);
}

static const uint8_t view_flags[] = {
    [MONITOR_POST_POLICY] = BMP_FLAG_POST_POLICY,
    [MONITOR_ADJ_RIB_OUT] = BMP_FLAG_ADJ_RIB_OUT | BMP_FLAG_POST_POLICY,
    [MONITOR_LOC_RIB] = 0,
};

/* When a route came is not kept, so what is told for the first time has no time; a change has that of
 * its telling. */
static size_t write_routes(struct rib_monitor *monitor, struct monitor_peer *peer, uint8_t *bytes,
                           size_t capacity)
{
    struct monitor_view *view = &peer->views[peer->turn];
    bool first = view->at != RIB_BITSET_END || view->end_due;
    struct bmp_peer header = header_at(monitor, peer, first ? 0 : monitor->now_ms);
    size_t n = monitor_view_write(view, bytes + BMP_ROUTE_SIZE, capacity - BMP_ROUTE_SIZE);

    if (n == 0)
        return 0;
    header.flags = view_flags[view->kind];
    bmp_route_header(&header, n, bytes);
    return BMP_ROUTE_SIZE + n;
}

/* The next view in turn that has something to say. */
static bool next_view(struct monitor_peer *peer)
{
    for (unsigned i = 0; i < peer->n_views; i++) {
        peer->turn = (peer->turn + 1) % peer->n_views;
        if (monitor_view_pending(&peer->views[peer->turn]))
            return true;
    }
    return false;
}

size_t monitor_peer_write(struct rib_monitor *monitor, struct monitor_peer *peer, uint8_t *bytes,
                          size_t capacity, bool *more)
{
    *more = true;
    if (peer->down_due)
        return write_down(monitor, peer, bytes, capacity);
    if (peer->up_due)
        return write_up(monitor, peer, bytes, capacity);
    if (peer->report_due)
        return write_report(monitor, peer, bytes, capacity);
    if (next_view(peer))
        return write_routes(monitor, peer, bytes, capacity);
    *more = false;
    return 0;
}
