/*
 * Classify: which NIC sent this frame, and is it for the fabric?
 *
 * On a live port the attachment says whose frame it is: the tag when there is one, else the source
 * MAC, else the NIC that has the whole port. Only what is sent to the gateway's MAC is routed.
 * Broadcast is taken for ARP alone; of multicast, IPv6 is let through to the parser, which finds
 * out whether it is a neighbour solicitation (walk.c).
 *
 * On a port towards other hosts, what is in a VXLAN tunnel comes first: see neighbor.c and vxlan.c.
 *
 * A frame of a trace belongs to the NIC that the trace is replayed for, whatever it says.
 */
#include "dataplane/stages.h"

#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/plain.h"
#include "dataplane/trace_notes.h"

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

bool dp_read_ethernet(struct dp_frame *frame, uint16_t *vlan)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);
    unsigned captured = rte_pktmbuf_data_len(frame->mbuf);
    unsigned at = DP_ETHERNET_BYTES;

    *vlan = 0;
    if (captured < at)
        return false;
    memcpy(frame->source_mac, bytes + 6, sizeof(frame->source_mac));
    frame->ethertype = dp_load2(bytes + 12);
    for (unsigned tag = 0; tag < DP_VLAN_TAG_MAX && dp_ethertype_is_tag(frame->ethertype); tag++) {
        if (captured < at + DP_VLAN_TAG_BYTES)
            return false;
        if (tag == 0)
            *vlan = dp_load2(bytes + at) & 0x0fff;
        frame->ethertype = dp_load2(bytes + at + 2);
        at += DP_VLAN_TAG_BYTES;
    }
    frame->l2_bytes = (uint8_t)at;
    return true;
}

static bool is_ip(uint16_t ethertype)
{
    return ethertype == DP_ETHERTYPE_IPV4 || ethertype == DP_ETHERTYPE_IPV6;
}

/* Is the frame's destination one that the fabric takes? */
static bool is_for_us(struct dp_frame *frame, enum dp_reason *reason)
{
    const uint8_t *destination = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);

    if (!memcmp(destination, frame->nic->gateway_mac, 6))
        return true;
    frame->l2_multicast = destination[0] & 1;
    if (!frame->l2_multicast) {
        *reason = DP_REASON_NOT_FOR_GATEWAY_MAC;
        return false;
    }
    if (!memcmp(destination, broadcast_mac, 6)) {
        *reason = DP_REASON_BROADCAST;
        return frame->ethertype == DP_ETHERTYPE_ARP;
    }
    *reason = DP_REASON_MULTICAST;
    return frame->ethertype == DP_ETHERTYPE_IPV6;
}

static void start_frame(struct dp_burst *burst, unsigned i, struct rte_mbuf *mbuf, uint32_t wire)
{
    burst->frames[i] = (struct dp_frame){.mbuf = mbuf, .bytes = wire};
    memset(&burst->verdicts[i], 0, sizeof(burst->verdicts[i]));
}

static void set_nic(const struct dp_path *path, struct dp_frame *frame, uint32_t nic)
{
    frame->nic = nic ? dp_nic_read(path->forwarding, nic) : NULL;
    frame->nic_id = frame->nic ? nic : 0;
}

/* What hangs on one port, read once per burst. */
struct port_view {
    uint16_t port;
    const struct dp_port_table *table;
    const struct dp_underlay *underlay; /* NULL: no other host is there */
};

static void classify_one(const struct dp_path *path, struct dp_burst *burst, unsigned i,
                         const struct port_view *view)
{
    struct dp_frame *frame = &burst->frames[i];
    enum dp_underlay_taken taken = DP_UNDERLAY_NOT;
    enum dp_reason reason;
    uint16_t vlan;

    if (!dp_read_ethernet(frame, &vlan)) {
        dp_drop(burst, i, DP_REASON_TOO_SHORT);
        return;
    }
    if (view->underlay && frame->l2_bytes == DP_ETHERNET_BYTES)
        taken = dp_underlay_take(path, burst, i, view->port, view->underlay);
    if (taken == DP_UNDERLAY_DONE)
        return;
    if (taken == DP_UNDERLAY_NOT)
        set_nic(path, frame,
                dp_classify(path->forwarding, view->table, view->port, vlan, frame->source_mac));
    if (!frame->nic)
        dp_drop(burst, i, DP_REASON_UNKNOWN_ATTACHMENT);
    else if (!is_ip(frame->ethertype) && frame->ethertype != DP_ETHERTYPE_ARP)
        dp_drop(burst, i, DP_REASON_UNKNOWN_ETHERTYPE);
    else if (!is_for_us(frame, &reason))
        dp_drop(burst, i, reason);
    else
        frame->stage = is_ip(frame->ethertype) ? DP_STAGE_IP : DP_STAGE_ARP;
}

void dp_classify_burst(const struct dp_path *path, struct dp_burst *burst, uint16_t port,
                       struct rte_mbuf **mbufs, unsigned n)
{
    const struct port_view view = {port, dp_port_table(path->forwarding, port),
                                   dp_underlay_read(path->forwarding, port)};

    burst->n = n;
    for (unsigned i = 0; i < n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
    for (unsigned i = 0; i < n; i++) {
        start_frame(burst, i, mbufs[i], rte_pktmbuf_pkt_len(mbufs[i]));
        classify_one(path, burst, i, &view);
        dp_count_received(path->counters, burst->frames[i].nic_id, 1, burst->frames[i].bytes);
    }
    if (path->options.trace)
        dp_trace_classified(path->options.trace, burst);
}

/* The NIC that a frame of a trace counts as sent by. A header that is cut before its source is
 * nobody's in particular: the parser finds out. */
static uint32_t trace_sender(const struct dp_replay_config *config, const struct dp_frame *frame)
{
    bool four = frame->ethertype == DP_ETHERTYPE_IPV4;
    const struct lpm_fib *senders = four ? config->senders4 : config->senders6;
    struct lpm_address source = {.family = four ? LPM_IPV4 : LPM_IPV6};
    unsigned at = frame->l2_bytes + (four ? 12u : 8u), length = four ? 4 : 16;
    uint32_t nic = LPM_NO_ROUTE;

    if (senders && is_ip(frame->ethertype) && rte_pktmbuf_data_len(frame->mbuf) >= at + length) {
        memcpy(source.bytes, rte_pktmbuf_mtod_offset(frame->mbuf, const uint8_t *, at), length);
        nic = lpm_lookup(senders, &source);
    }
    return nic == LPM_NO_ROUTE ? config->nic : nic;
}

void dp_classify_trace(const struct dp_path *path, struct dp_burst *burst,
                       const struct dp_replay_config *config, struct rte_mbuf **mbufs,
                       const uint32_t *wire, unsigned n)
{
    burst->n = n;
    for (unsigned i = 0; i < n; i++) {
        struct dp_frame *frame = &burst->frames[i];
        uint16_t vlan;

        start_frame(burst, i, mbufs[i], wire ? wire[i] : rte_pktmbuf_pkt_len(mbufs[i]));
        bool whole = dp_read_ethernet(frame, &vlan);
        set_nic(path, frame, whole ? trace_sender(config, frame) : config->nic);
        if (!whole)
            dp_drop(burst, i, DP_REASON_TOO_SHORT);
        else if (!is_ip(frame->ethertype))
            dp_drop(burst, i, DP_REASON_UNKNOWN_ETHERTYPE);
        else if (!frame->nic)
            dp_drop(burst, i, DP_REASON_UNKNOWN_ATTACHMENT);
        else
            frame->stage = DP_STAGE_IP;
        dp_count_received(path->counters, frame->nic_id, 1, frame->bytes);
    }
}
