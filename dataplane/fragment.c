/*
 * Fragments of IPv4 datagrams (RFC 791), with DPDK's routine that copies each into a buffer of its
 * own: pieces that refer to the original would break what ports are promised, one reference and one
 * segment per buffer.
 */
#define ALLOW_EXPERIMENTAL_API /* that routine is marked so in DPDK 22.11; it takes options along */
#include "dataplane/stages.h"

#include <errno.h>
#include <string.h>

#include <rte_ip_frag.h>

#include "dataplane/checksum.h"

/* The pieces come without checksum and without Ethernet header. */
static bool finish(const struct dp_path *path, struct rte_mbuf *piece,
                   const struct dp_nic *receiver, uint32_t flow, enum dp_reason *reason)
{
    uint8_t *ip = rte_pktmbuf_mtod(piece, uint8_t *);
    uint16_t checksum;

    ip[10] = ip[11] = 0;
    checksum = dp_checksum(ip, (ip[0] & 0x0fu) * 4u);
    memcpy(ip + 10, &checksum, sizeof(checksum));
    return dp_push_link(path, receiver, piece, DP_ETHERTYPE_IPV4, flow, reason);
}

bool dp_fragment(struct dp_path *path, const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                 uint16_t mtu, uint32_t flow, struct rte_mbuf *pieces[DP_FRAGMENT_MAX], unsigned *n,
                 enum dp_reason *reason)
{
    bool good = true;
    int made;

    *reason = DP_REASON_NO_BUFFER;
    if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf))
        return false;
    made = rte_ipv4_fragment_copy_nonseg_packet(mbuf, pieces, DP_FRAGMENT_MAX, mtu, path->pool);
    if (made <= 0) {
        if (made != -ENOMEM)
            *reason = DP_REASON_MTU;
        return false;
    }
    for (int i = 0; i < made && good; i++)
        good = finish(path, pieces[i], receiver, flow, reason);
    if (!good)
        rte_pktmbuf_free_bulk(pieces, (unsigned)made);
    *n = (unsigned)made;
    return good;
}
