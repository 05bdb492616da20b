/* See trace_notes.h. */
#include "dataplane/trace_notes.h"

#include "dataplane/plain.h"

/* --- The long way ----------------------------------------------------------------------------- */

void dp_trace_classified(struct dp_trace_record *record, const struct dp_burst *burst)
{
    const struct dp_frame *frame = &burst->frames[0];
    const struct dp_verdict *verdict = &burst->verdicts[0];
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_CLASSIFIED);

    step->classified.nic = frame->nic_id;
    step->classified.attachment = frame->nic ? frame->nic->attachment : DP_ATTACHMENT_NONE;
    record->nic = frame->nic_id;
    if (frame->stage == DP_STAGE_DONE)
        dp_trace_drop(record, (enum dp_reason)verdict->reason);
}

void dp_trace_decapsulated(struct dp_trace_record *record, uint32_t vni,
                           const struct lpm_address *remote)
{
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_DECAPSULATED);

    step->tunnel.vni = vni;
    step->tunnel.remote = *remote;
}

void dp_trace_parsed(struct dp_trace_record *record, const struct dp_packet *packet)
{
    dp_trace_add(record, DP_TRACE_PARSED);
    record->parsed = packet != NULL;
    if (packet)
        record->packet = *packet;
}

void dp_trace_sent_on(struct dp_trace_record *record, const struct dp_packet *packet,
                      const struct dp_nic *receiver)
{
    dp_trace_parsed(record, packet);
    dp_trace_receiver(record, receiver, 0, false);
    record->sent_on = true;
}

void dp_trace_answered(struct dp_trace_record *record, enum dp_trace_answer answer)
{
    record->action = DP_ANSWER;
    dp_trace_add(record, DP_TRACE_ANSWERED)->answer = (uint8_t)answer;
}

void dp_trace_icmp(struct dp_trace_record *record, uint8_t type, uint8_t code, uint16_t mtu)
{
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_ICMP_ERROR);

    step->icmp.type = type;
    step->icmp.code = code;
    step->icmp.mtu = mtu;
}

void dp_trace_rewritten(struct dp_trace_record *record, uint8_t ttl_before, uint8_t ttl)
{
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_REWRITTEN);

    step->rewritten.ttl_before = ttl_before;
    step->rewritten.ttl = ttl;
}

void dp_trace_fragmented(struct dp_trace_record *record, uint16_t mtu, unsigned pieces)
{
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_FRAGMENTED);

    step->fragmented.mtu = mtu;
    step->fragmented.pieces = (uint16_t)pieces;
}

/* Once for all fragments. */
void dp_trace_encapsulated(struct dp_trace_record *record, uint32_t vni,
                           const struct lpm_address *remote)
{
    struct dp_trace_step *step;

    if (dp_trace_last(record)->stage == DP_TRACE_ENCAPSULATED)
        return;
    step = dp_trace_add(record, DP_TRACE_ENCAPSULATED);
    step->tunnel.vni = vni;
    step->tunnel.remote = *remote;
}

/* --- The express way -------------------------------------------------------------------------- */

/* Admission has found all of it plain; what it is, is read as the long way would. */
static void note_sender(struct dp_trace_record *record, const struct dp_nic *sender,
                        const uint8_t *ip, const struct rte_mbuf *mbuf, uint8_t family)
{
    const unsigned bytes = rte_pktmbuf_data_len(mbuf) - DP_ETHERNET_BYTES;
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_CLASSIFIED);
    struct dp_packet packet;
    enum dp_reason reason;
    bool whole;

    step->classified.nic = sender->id;
    step->classified.attachment = sender->attachment;
    record->nic = sender->id;
    whole = dp_packet_parse_wire(ip, bytes, bytes,
                                 family == LPM_IPV4 ? DP_ETHERTYPE_IPV4 : DP_ETHERTYPE_IPV6,
                                 &packet, &reason);
    dp_trace_parsed(record, whole ? &packet : NULL);
}

void dp_trace_express_found(const struct dp_path *path, const struct dp_express_lane *lane,
                            uint8_t family, const struct dp_trace_find *find)
{
    struct dp_trace_record *record = path->options.trace;
    const uint8_t *destination = lane->ips[0] + (family == LPM_IPV4 ? 16 : 24);
    const struct dp_nic *sender = lane->senders[0];

    note_sender(record, sender, lane->ips[0], lane->mbufs[0], family);
    dp_trace_admit(record, sender, !path->options.skip_source_check);
    dp_trace_route(record, lane->fibs[0], destination, family, lane->leaves[0]);
    dp_trace_group(record, find->group);
    if (find->map)
        dp_trace_address(record, path->forwarding, find->map, find->group->vnet, destination,
                         family, find->leaf);
    else if (find->counter != 0)
        dp_trace_choice(record, DP_TRACE_MEMBER, find->group, find->hash, find->bucket,
                        find->counter);
    dp_trace_receiver(record, find->receiver, 0, find->receiver == sender);
    if (path->forwarding->config.decrement_ttl)
        dp_trace_rewritten(record, record->packet.ttl, (uint8_t)(record->packet.ttl - 1));
    if (find->receiver->neighbor)
        dp_trace_encapsulated(record, find->receiver->vni, &find->receiver->neighbor->address);
}

static bool is_in(const struct dp_express_lane *lane, const struct rte_mbuf *mbuf)
{
    for (unsigned i = 0; i < lane->n; i++) {
        if (lane->mbufs[i] == mbuf)
            return true;
    }
    return false;
}

/* What it noted of a frame that it left is noted again by the long way. */
static void forget(struct dp_trace_record *record)
{
    unsigned kept = 0;

    while (kept < record->step_count && record->steps[kept].stage <= DP_TRACE_EXPRESS)
        kept++;
    record->step_count = kept;
    record->parsed = false;
    record->nic = record->to = 0;
}

void dp_trace_express(const struct dp_path *path, const struct dp_express *express,
                      const struct rte_mbuf *mbuf)
{
    struct dp_trace_record *record = path->options.trace;
    uint8_t *said = &record->steps[1].express; /* EXPRESS is the second step of every record */

    *said = DP_TRACE_EXPRESS_NOT_ASKED;
    if (express->n == 0)
        return;
    record->express = express->rest_n == 0 && express->n == 1 && express->mbufs[0] == mbuf;
    if (!record->express) {
        forget(record);
        *said = is_in(&express->four, mbuf) || is_in(&express->six, mbuf)
                    ? DP_TRACE_EXPRESS_NO_EXIT
                    : DP_TRACE_EXPRESS_NOT_PLAIN;
        return;
    }
    *said = DP_TRACE_EXPRESS_TAKEN;
    record->action = DP_FORWARD;
}

/* --- Transmission ----------------------------------------------------------------------------- */

void dp_trace_leaving(const struct dp_path *path, const struct dp_tx *tx)
{
    struct dp_trace_step *step = dp_trace_add(path->options.trace, DP_TRACE_TRANSMITTED);
    const uint8_t *frame = rte_pktmbuf_mtod(tx->mbufs[0], const uint8_t *);

    step->transmitted.port = (uint16_t)(tx - path->txs);
    step->transmitted.queue = tx->queue;
    step->transmitted.handed_over = tx->ring != NULL;
    step->transmitted.bytes = rte_pktmbuf_pkt_len(tx->mbufs[0]);
    memcpy(step->transmitted.destination, frame, 6);
    if (dp_ethertype_is_tag(dp_load2(frame + 12)))
        step->transmitted.vlan = dp_load2(frame + 14) & 0x0fff;
}

/* Only what counts as the packet itself is a drop of it: not its sender's ICMP error, nor its first pieces. */
void dp_trace_left(const struct dp_path *path, const struct dp_tx *tx, unsigned sent)
{
    struct dp_trace_record *record = path->options.trace;
    struct dp_trace_step *step = dp_trace_last(record);

    step->transmitted.frames = tx->n;
    step->transmitted.refused = (uint16_t)(tx->n - sent);
    for (unsigned i = sent; i < tx->n; i++) {
        if (tx->notes[i].kind != DP_NOTE_NOTHING)
            dp_trace_drop(record, DP_REASON_TX_FULL);
    }
}
