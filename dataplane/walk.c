/*
 * Walk: parse, decide, and bring every frame of a burst to its end.
 */
#include "dataplane/stages.h"

#include <string.h>

#include "dataplane/checksum.h"
#include "dataplane/trace_notes.h"
#include "dataplane/watch.h"

/* --- Parse ------------------------------------------------------------------------------------ */

/* Takes the Ethernet header off: from here on a buffer begins with its network header. */
static void strip_ethernet(struct dp_burst *burst)
{
    for (unsigned i = 0; i < burst->n; i++) {
        if (burst->frames[i].stage != DP_STAGE_DONE)
            rte_pktmbuf_adj(burst->frames[i].mbuf, burst->frames[i].l2_bytes);
    }
}

static void parse_one(struct dp_burst *burst, unsigned i)
{
    struct dp_frame *frame = &burst->frames[i];
    struct dp_packet *packet = &burst->packets[burst->packet_count];
    enum dp_reason reason;

    if (!dp_packet_parse_wire(rte_pktmbuf_mtod(frame->mbuf, const uint8_t *),
                              rte_pktmbuf_data_len(frame->mbuf), frame->bytes - frame->l2_bytes,
                              frame->ethertype, packet, &reason)) {
        dp_drop(burst, i, reason);
        return;
    }
    /* What was multicast on the link is not forwarded, whatever its IP header says. */
    if (frame->l2_multicast && !dp_packet_is_solicitation(packet)) {
        dp_drop(burst, i, DP_REASON_MULTICAST);
        return;
    }
    if (frame->congested &&
        !dp_vxlan_mark(rte_pktmbuf_mtod(frame->mbuf, uint8_t *), packet->family)) {
        dp_drop(burst, i, DP_REASON_VXLAN_BAD);
        return;
    }
    burst->nics[burst->packet_count] = frame->nic_id;
    burst->frame_of[burst->packet_count++] = (uint8_t)i;
}

static void parse(struct dp_burst *burst)
{
    burst->packet_count = 0;
    for (unsigned i = 0; i < burst->n; i++) {
        if (burst->frames[i].stage == DP_STAGE_IP)
            parse_one(burst, i);
    }
}

/* --- Finish ----------------------------------------------------------------------------------- */

static struct dp_note make_note(const struct dp_frame *frame, const struct dp_verdict *verdict,
                                enum dp_note_kind kind)
{
    return (struct dp_note){.nic = frame->nic_id,
                            .to = kind == DP_NOTE_FORWARDED ? verdict->nic : frame->nic_id,
                            .member = verdict->member_counter,
                            .backend = verdict->backend_counter,
                            .bytes = frame->bytes,
                            .kind = (uint8_t)kind,
                            .self_loop = verdict->self_loop};
}

static void drop(struct dp_path *path, struct dp_burst *burst, unsigned i, enum dp_reason reason)
{
    struct dp_frame *frame = &burst->frames[i];

    if (path->options.trace)
        dp_trace_drop(path->options.trace, reason);
    dp_drop(burst, i, reason);
    dp_count_dropped(path->counters, frame->nic_id, reason);
    rte_pktmbuf_free(frame->mbuf);
    frame->mbuf = NULL;
}

/* The sender is told where ICMP has a word for it. receiver, of DP_REASON_MTU, is whose link it is. */
static void refuse(struct dp_path *path, struct dp_burst *burst, unsigned i,
                   const struct dp_packet *packet, enum dp_reason reason,
                   const struct dp_nic *receiver)
{
    struct dp_frame *frame = &burst->frames[i];
    const struct dp_note nothing = {
        .kind = DP_NOTE_NOTHING, .nic = frame->nic_id, .to = frame->nic_id};
    const uint16_t mtu = reason == DP_REASON_MTU ? dp_egress_mtu(path, receiver) : 0;
    enum dp_reason ignored;

    if (path->options.trace)
        dp_trace_drop(path->options.trace, reason);
    if (!dp_icmp_error(path, frame, packet, reason, mtu) ||
        !dp_egress_answer(path, frame->nic, frame->mbuf, &nothing, &ignored)) {
        if (path->options.trace)
            dp_trace_untold(path->options.trace);
        drop(path, burst, i, reason);
        return;
    }
    dp_drop(burst, i, reason);
    dp_count_dropped(path->counters, frame->nic_id, reason);
    frame->mbuf = NULL;
}

static enum dp_trace_answer answer_to(const struct dp_packet *packet)
{
    if (!packet)
        return DP_TRACE_ANSWER_ARP;
    return dp_packet_is_solicitation(packet) ? DP_TRACE_ANSWER_ND : DP_TRACE_ANSWER_ECHO;
}

/* packet is NULL for ARP. */
static void answer(struct dp_path *path, struct dp_burst *burst, unsigned i,
                   const struct dp_packet *packet)
{
    struct dp_frame *frame = &burst->frames[i];
    struct dp_note note = make_note(frame, &burst->verdicts[i], DP_NOTE_ANSWERED);
    enum dp_reason reason;
    bool made;

    if (path->options.trace)
        dp_trace_answered(path->options.trace, answer_to(packet));
    if (!packet)
        made = dp_arp_answer(frame, &reason);
    else if (dp_packet_is_solicitation(packet))
        made = dp_nd_answer(frame, packet, &reason);
    else
        made = dp_echo_answer(frame, packet, path->limiter, &reason);
    if (!made || !dp_egress_answer(path, frame->nic, frame->mbuf, &note, &reason)) {
        drop(path, burst, i, reason);
        return;
    }
    frame->stage = DP_STAGE_DONE;
    burst->verdicts[i].action = DP_ANSWER;
}

/* decided: another host did, and took the hop off. false: dropped for *reason, still to be counted. */
static bool send_on(struct dp_path *path, struct dp_burst *burst, unsigned i,
                    const struct dp_packet *packet, const struct dp_nic *receiver, bool decided,
                    enum dp_reason *reason)
{
    struct dp_frame *frame = &burst->frames[i];
    struct dp_note note = make_note(frame, &burst->verdicts[i], DP_NOTE_FORWARDED);

    /* Removed since it was decided. */
    *reason = DP_REASON_NEXT_HOP_UNREACHABLE;
    if (!receiver)
        return false;
    dp_cut(frame->mbuf, packet->total_length); /* padding of the link that it came by */
    if (burst->partial_checksums)
        dp_complete_checksum(frame->mbuf, packet);
    if (path->forwarding->config.decrement_ttl && !decided) {
        dp_decrement_ttl(rte_pktmbuf_mtod(frame->mbuf, uint8_t *), packet->family);
        if (path->options.trace)
            dp_trace_rewritten(path->options.trace, packet->ttl, (uint8_t)(packet->ttl - 1));
    }
    return dp_egress_forward(path, receiver, frame->mbuf, packet, &note, reason);
}

static void forward(struct dp_path *path, struct dp_burst *burst, unsigned i,
                    const struct dp_packet *packet)
{
    const struct dp_nic *receiver = dp_nic_read(path->forwarding, burst->verdicts[i].nic);
    enum dp_reason reason;

    if (!send_on(path, burst, i, packet, receiver, false, &reason))
        refuse(path, burst, i, packet, reason, receiver);
}

static void finish_packets(struct dp_path *path, struct dp_burst *burst)
{
    for (unsigned p = 0; p < burst->packet_count; p++) {
        unsigned i = burst->frame_of[p];
        const struct dp_packet *packet = &burst->packets[p];

        burst->verdicts[i] = burst->decided[p];
        burst->frames[i].stage = DP_STAGE_DONE;
        if (burst->decided[p].action == DP_FORWARD)
            forward(path, burst, i, packet);
        else if (burst->decided[p].action == DP_ANSWER)
            answer(path, burst, i, packet);
        else
            refuse(path, burst, i, packet, burst->decided[p].reason, NULL);
    }
}

static void finish_decided(struct dp_path *path, struct dp_burst *burst, unsigned i)
{
    struct dp_frame *frame = &burst->frames[i];
    uint8_t *ip = rte_pktmbuf_mtod(frame->mbuf, uint8_t *);
    const struct dp_nic *receiver = dp_nic_read(path->forwarding, burst->verdicts[i].nic);
    struct dp_packet packet;
    enum dp_reason reason;
    const bool whole =
        dp_packet_parse_wire(ip, rte_pktmbuf_data_len(frame->mbuf), frame->bytes - frame->l2_bytes,
                             frame->ethertype, &packet, &reason);

    frame->stage = DP_STAGE_DONE;
    if (path->options.trace)
        dp_trace_sent_on(path->options.trace, whole ? &packet : NULL, receiver);
    if (!whole)
        drop(path, burst, i, reason);
    else if (frame->congested && !dp_vxlan_mark(ip, packet.family))
        drop(path, burst, i, DP_REASON_VXLAN_BAD);
    else if (!send_on(path, burst, i, &packet, receiver, true, &reason))
        drop(path, burst, i, reason);
}

/* What came to our own tunnel end point. */
static void finish_underlay(struct dp_path *path, struct dp_burst *burst, unsigned i)
{
    struct dp_frame *frame = &burst->frames[i];
    bool taken = frame->stage == DP_STAGE_TAKEN;
    struct dp_note note = make_note(frame, &burst->verdicts[i], DP_NOTE_ANSWERED);
    enum dp_reason reason;

    frame->stage = DP_STAGE_DONE;
    burst->verdicts[i].action = DP_ANSWER;
    if (path->options.trace)
        dp_trace_answered(path->options.trace, DP_TRACE_ANSWER_UNDERLAY);
    if (!taken && (!dp_underlay_answer(path, frame, &taken, &reason) ||
                   (!taken && !dp_egress_answer(path, frame->nic, frame->mbuf, &note, &reason)))) {
        drop(path, burst, i, reason);
        return;
    }
    if (!taken)
        return;
    dp_count_answered(path->counters, frame->nic_id);
    rte_pktmbuf_free(frame->mbuf);
}

/* What the stages before the decision ended, and what needs none. */
static void finish_others(struct dp_path *path, struct dp_burst *burst)
{
    for (unsigned i = 0; i < burst->n; i++) {
        switch ((enum dp_stage)burst->frames[i].stage) {
        case DP_STAGE_IP:
            break;
        case DP_STAGE_ARP:
            answer(path, burst, i, NULL);
            break;
        case DP_STAGE_DECIDED:
            finish_decided(path, burst, i);
            break;
        case DP_STAGE_UNDERLAY:
        case DP_STAGE_TAKEN:
            finish_underlay(path, burst, i);
            break;
        case DP_STAGE_DONE:
            drop(path, burst, i, burst->verdicts[i].reason);
            break;
        }
    }
}

/* Of the only frame, where it was to be parsed at all. */
static void note_parsed(const struct dp_path *path, const struct dp_burst *burst)
{
    const bool whole = burst->packet_count > 0;
    const bool failed = burst->frames[0].stage == DP_STAGE_DONE &&
                        !dp_trace_find(path->options.trace, DP_TRACE_DROPPED);

    if (whole || failed)
        dp_trace_parsed(path->options.trace, whole ? &burst->packets[0] : NULL);
}

static void walk(struct dp_path *path, struct dp_burst *burst)
{
    strip_ethernet(burst);
    parse(burst);
    if (path->options.trace)
        note_parsed(path, burst);
    finish_others(path, burst);
    dp_decide(path->forwarding, burst->nics, burst->packets, burst->decided, burst->packet_count,
              &path->options);
    finish_packets(path, burst);
}

/* A frame is in other hands before its fate is known, so whoever observes it copies it first. */
static void walk_observed(struct dp_path *path, struct dp_burst *burst)
{
    struct dp_watch_copies copies;

    dp_watch_received(path, burst, &copies);
    walk(path, burst);
    dp_watch_finished(path, burst, &copies);
}

void dp_walk(struct dp_path *path, struct dp_burst *burst)
{
    if (path->watch)
        walk_observed(path, burst);
    else
        walk(path, burst);
}
