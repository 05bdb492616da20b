/*
 * Rewrite: the Ethernet header towards a guest, and the TTL.
 */
#include "dataplane/stages.h"

#include <string.h>

bool dp_push_ethernet(struct rte_mbuf *mbuf, const struct dp_nic *nic, const uint8_t destination[6],
                      uint16_t ethertype)
{
    bool tagged = nic->vlan != 0;
    uint16_t bytes = DP_ETHERNET_BYTES + (tagged ? DP_VLAN_TAG_BYTES : 0);
    uint8_t *header = (uint8_t *)rte_pktmbuf_prepend(mbuf, bytes);

    if (!header)
        return false;
    memcpy(header, destination, 6);
    memcpy(header + 6, nic->gateway_mac, 6);
    if (tagged) {
        dp_store2(header + 12, 0x8100);
        dp_store2(header + 14, nic->vlan);
    }
    dp_store2(header + bytes - 2, ethertype);
    return true;
}

/* Where frames to it go: false: nobody has told. */
static bool mac_towards(const struct dp_nic *receiver, uint8_t mac[6])
{
    if (receiver->router && dp_neighbor_mac(receiver->router, mac))
        return true;
    memcpy(mac, receiver->mac, 6);
    return !receiver->router || receiver->mac_known;
}

bool dp_push_link(const struct dp_path *path, const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                  uint16_t ethertype, uint32_t flow, enum dp_reason *reason)
{
    uint8_t mac[6];

    *reason = DP_REASON_NEXT_HOP_UNREACHABLE;
    if (!mac_towards(receiver, mac))
        return false;
    *reason = DP_REASON_NO_BUFFER;
    if (!dp_push_ethernet(mbuf, receiver, mac, ethertype))
        return false;
    if (!receiver->neighbor || dp_vxlan_push(path, receiver, mbuf, flow, reason))
        return true;
    rte_pktmbuf_adj(mbuf, DP_ETHERNET_BYTES); /* the caller's, as it was: no tag is in a tunnel */
    return false;
}

void dp_cut(struct rte_mbuf *mbuf, uint32_t n)
{
    struct rte_mbuf *last = mbuf;
    uint32_t left = n;
    uint16_t segments = 1;

    if (n >= rte_pktmbuf_pkt_len(mbuf))
        return;
    for (; left > last->data_len; last = last->next, segments++)
        left -= last->data_len;
    last->data_len = (uint16_t)left;
    rte_pktmbuf_free(last->next);
    last->next = NULL;
    mbuf->nb_segs = segments;
    mbuf->pkt_len = n;
}

bool dp_answer_resize(struct rte_mbuf *mbuf, uint16_t bytes)
{
    if ((uint32_t)mbuf->data_off + bytes > mbuf->buf_len)
        return false;
    rte_pktmbuf_free(mbuf->next);
    mbuf->next = NULL;
    mbuf->nb_segs = 1;
    mbuf->data_len = bytes;
    mbuf->pkt_len = bytes;
    return true;
}
