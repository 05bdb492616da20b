/*
 * ARP (RFC 826) as a cloud fabric answers it: whoever is asked for, the gateway's MAC is the
 * answer.
 *
 * Guests of one subnet thereby send to each other through the fabric, which alone decides. Only the
 * NIC's own addresses are left out: answering for them would tell a guest that probes its own
 * address (RFC 5227) that somebody else has it.
 */
#include "dataplane/stages.h"

#include <string.h>

#define ARP_OPERATION 6
#define ARP_SENDER    8 /* MAC, then address */
#define ARP_TARGET    18

/* Ethernet and IPv4 with their lengths, operation "request". */
static const uint8_t request_head[8] = {0, 1, 8, 0, 6, 4, 0, 1};

bool dp_arp_answer(const struct dp_frame *frame, enum dp_reason *reason)
{
    uint8_t *arp = rte_pktmbuf_mtod(frame->mbuf, uint8_t *);
    uint8_t asked[4];

    *reason = DP_REASON_TOO_SHORT;
    if (rte_pktmbuf_data_len(frame->mbuf) < DP_ARP_BYTES)
        return false;
    *reason = DP_REASON_NEIGHBOR_NOT_HERE;
    memcpy(asked, arp + ARP_TARGET + 6, 4);
    if (memcmp(arp, request_head, sizeof(request_head)) ||
        !dp_nic_neighbor4(frame->nic, dp_load4(asked)))
        return false;
    arp[ARP_OPERATION + 1] = 2; /* reply */
    memcpy(arp + ARP_TARGET, arp + ARP_SENDER, 10);
    memcpy(arp + ARP_SENDER, frame->nic->gateway_mac, 6);
    memcpy(arp + ARP_SENDER + 6, asked, 4);
    *reason = DP_REASON_NO_BUFFER;
    return dp_answer_resize(frame->mbuf, DP_ARP_BYTES) &&
           dp_push_ethernet(frame->mbuf, frame->nic, frame->source_mac, DP_ETHERTYPE_ARP);
}

void dp_arp_request(uint8_t *arp, const uint8_t mac[6], const uint8_t sender[4],
                    const uint8_t target[4])
{
    memset(arp, 0, DP_ARP_BYTES);
    memcpy(arp, request_head, sizeof(request_head));
    memcpy(arp + ARP_SENDER, mac, 6);
    memcpy(arp + ARP_SENDER + 6, sender, 4);
    memcpy(arp + ARP_TARGET + 6, target, 4);
}
