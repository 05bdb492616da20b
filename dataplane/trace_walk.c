/*
 * The worker's side of traces: which frames are looked at, and their walk.
 *
 *      burst   a b [c] d e [f]        a b ─> as ever    c ─> alone    d e ─> as ever    f ─> alone
 *
 * So no frame overtakes another that it would not have overtaken. What is before it is sent first, so that
 * the transmit queue's answer is the traced frame's own.
 *
 * What is dropped is not known before. Who asks for drops alone has all frames looked at that go the long
 * way, since the express way drops nothing, and of the others as many as are allowed: a queue that is full
 * is found out behind both ways.
 */
#include "dataplane/trace_lane.h"
#include "dataplane/trace_notes.h"
#include "dataplane/watch.h"
#include "dataplane/worker.h"

#include <rte_cycles.h>

/* --- Does somebody want it? ------------------------------------------------------------------- */

/* What a frame says before it is walked. */
struct look {
    bool done, sent_by_nic, parsed;
    bool in_tunnel; /* perhaps: whose it is, only the walk tells */
    uint32_t nic;
    struct dp_packet packet;
};

static void look_at(const struct dp_path *path, uint16_t port, const struct rte_mbuf *mbuf,
                    struct look *look)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    struct dp_frame frame = {.mbuf = (struct rte_mbuf *)(uintptr_t)mbuf};
    enum dp_reason reason;
    uint16_t vlan;

    *look =
        (struct look){.done = true, .in_tunnel = dp_underlay_read(path->forwarding, port) != NULL};
    if (look->in_tunnel || !dp_read_ethernet(&frame, &vlan))
        return;
    look->nic = dp_classify(path->forwarding, dp_port_table(path->forwarding, port), port, vlan,
                            frame.source_mac);
    look->parsed = dp_packet_parse_wire(
        bytes + frame.l2_bytes, rte_pktmbuf_data_len(mbuf) - frame.l2_bytes,
        rte_pktmbuf_pkt_len(mbuf) - frame.l2_bytes, frame.ethertype, &look->packet, &reason);
}

static bool covers(const struct lpm_prefix *prefix, const struct dp_packet *packet,
                   const uint8_t *bytes)
{
    struct lpm_address address = {.family = packet->family};

    if (prefix->family == 0)
        return true;
    memcpy(address.bytes, bytes, packet->family == LPM_IPV4 ? 4 : 16);
    return prefix->family == packet->family && lpm_prefix_contains(prefix, &address);
}

static bool asks_for_headers(const struct dp_trace_config *config)
{
    return config->source.family != 0 || config->destination.family != 0 ||
           config->protocol != DP_TRACE_ANY || config->source_port != DP_TRACE_ANY ||
           config->destination_port != DP_TRACE_ANY;
}

static bool port_is(uint32_t asked, const struct dp_packet *packet, uint16_t port)
{
    return asked == DP_TRACE_ANY || (packet->has_ports && port == asked);
}

/* parsed: packet is. Of what could not be, nobody knows the addresses. */
static bool headers_match(const struct dp_trace_config *config, bool parsed,
                          const struct dp_packet *packet)
{
    if (!asks_for_headers(config))
        return true;
    return parsed && covers(&config->source, packet, packet->source) &&
           covers(&config->destination, packet, packet->destination) &&
           (config->protocol == DP_TRACE_ANY || config->protocol == packet->protocol) &&
           port_is(config->source_port, packet, packet->source_port) &&
           port_is(config->destination_port, packet, packet->destination_port);
}

static bool may_match(const struct dp_trace_config *config, const struct dp_path *path,
                      uint16_t port, const struct rte_mbuf *mbuf, struct look *look)
{
    if (config->nic == DP_NIC_ANY && !asks_for_headers(config))
        return true;
    if (!look->done)
        look_at(path, port, mbuf, look);
    return look->in_tunnel || ((config->nic == DP_NIC_ANY || config->nic == look->nic) &&
                               headers_match(config, look->parsed, &look->packet));
}

static bool has_room(struct dp_trace_lane *lane)
{
    const uint32_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);

    return head - atomic_load_explicit(&lane->tail, memory_order_acquire) < DP_TRACE_RING;
}

static struct dp_trace_lane *lane_of(const struct dp_path *path, struct dp_trace *trace)
{
    return &trace->lanes[path->options.user - 1];
}

/* rest: it goes the long way. What was not picked before it is of no use but as a drop then, and
 * what was not picked for drops before it is not missed: it has another chance. */
static bool is_picked(const struct dp_path *path, struct dp_trace *trace, uint16_t port,
                      const struct rte_mbuf *mbuf, bool rest, struct look *look)
{
    struct dp_trace_lane *lane = lane_of(path, trace);

    if (lane->left == 0 || (rest && !trace->config.drops) ||
        !may_match(&trace->config, path, port, mbuf, look))
        return false;
    if (has_room(lane) && dp_limiter_allows(rest ? &lane->rests : &lane->picks))
        return true;
    if (rest || !trace->config.drops)
        dp_counter_add(&lane->missed, 1);
    return false;
}

/* A bit for each trace that wants it. */
static unsigned picks(const struct dp_path *path, uint16_t port, const struct rte_mbuf *mbuf,
                      bool rest)
{
    struct look look = {.done = false};
    unsigned wanted = 0;

    for (unsigned i = 0; i < path->watch->trace_count; i++) {
        if (is_picked(path, path->watch->traces[i], port, mbuf, rest, &look))
            wanted |= 1u << i;
    }
    return wanted;
}

/* --- The record ------------------------------------------------------------------------------- */

static void begin(const struct dp_path *path, struct dp_trace_record *record,
                  const struct dp_rx *rx, const struct rte_mbuf *mbuf)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    struct dp_frame frame = {.mbuf = (struct rte_mbuf *)(uintptr_t)mbuf};
    struct dp_trace_step *step;
    uint16_t vlan = 0;

    memset(record, 0, offsetof(struct dp_trace_record, steps));
    record->nanoseconds = rte_get_tsc_cycles();
    record->worker = (uint16_t)(path->options.user - 1);
    step = dp_trace_add(record, DP_TRACE_RECEIVED);
    step->received.port = rx->index;
    step->received.queue = rx->queue;
    step->received.bytes = rte_pktmbuf_pkt_len(mbuf);
    if (dp_read_ethernet(&frame, &vlan)) {
        memcpy(step->received.destination, bytes, 6);
        memcpy(step->received.source, bytes + 6, 6);
        step->received.vlan = vlan;
        step->received.ethertype = frame.ethertype;
    }
    dp_trace_add(record, DP_TRACE_EXPRESS);
}

static bool is_wanted(const struct dp_trace_config *config, const struct dp_trace_record *record)
{
    const uint32_t nic = record->sent_on ? record->to : record->nic;

    if (config->nic != DP_NIC_ANY && config->nic != nic)
        return false;
    if (config->drops && (record->action != DP_DROP ||
                          (config->reason != DP_REASON_COUNT && config->reason != record->reason)))
        return false;
    return headers_match(config, record->parsed, &record->packet);
}

static void put(struct dp_trace_lane *lane, const struct dp_trace_record *record)
{
    const uint32_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);

    lane->records[head % DP_TRACE_RING] = *record;
    atomic_store_explicit(&lane->head, head + 1, memory_order_release);
    lane->left--;
}

static void hand_out(const struct dp_path *path, const struct dp_trace_record *record,
                     unsigned wanted)
{
    for (unsigned i = 0; i < path->watch->trace_count; i++) {
        struct dp_trace *trace = path->watch->traces[i];

        if ((wanted & 1u << i) && is_wanted(&trace->config, record))
            put(lane_of(path, trace), record);
    }
}

/* --- The walk --------------------------------------------------------------------------------- */

static void take(struct dp_worker *worker, struct dp_rx *rx, struct rte_mbuf **mbufs, unsigned n,
                 bool rest)
{
    if (rest)
        dp_worker_walk(worker, rx, mbufs, n);
    else
        dp_worker_take(worker, rx, mbufs, n);
}

static void walk_alone(struct dp_worker *worker, struct dp_rx *rx, struct rte_mbuf *mbuf, bool rest,
                       unsigned wanted)
{
    struct dp_path *path = &worker->path;
    struct dp_trace_record record;

    dp_egress_flush(path);
    begin(path, &record, rx, mbuf);
    path->options.trace = &record;
    if (rest)
        dp_trace_express(path, &worker->express, mbuf);
    take(worker, rx, &mbuf, 1, rest);
    dp_egress_flush(path);
    path->options.trace = NULL;
    hand_out(path, &record, wanted);
}

void dp_worker_trace(struct dp_worker *worker, struct dp_rx *rx, struct rte_mbuf **mbufs,
                     unsigned n, bool rest)
{
    unsigned from = 0;

    for (unsigned i = 0; i < n; i++) {
        const unsigned wanted = picks(&worker->path, rx->index, mbufs[i], rest);

        if (wanted == 0)
            continue;
        if (i > from)
            take(worker, rx, mbufs + from, i - from, rest);
        walk_alone(worker, rx, mbufs[i], rest, wanted);
        from = i + 1;
    }
    if (n > from)
        take(worker, rx, mbufs + from, n - from, rest);
}
