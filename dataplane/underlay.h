/*
 * Ports towards other hosts: who is there, and with which MAC.
 *
 *   underlays[port] ==> struct dp_underlay     own address and MAC; who may have decided for us
 *   neighbors[port] ==> struct dp_neighbor ─> struct dp_neighbor ─> ...   MACs, learned
 *
 * The record is replaced whole. Neighbours stay until the forwarding state ends, so that NIC records
 * may lead to them; their MAC is one word, written by whichever worker hears from them and read by
 * all. No DPDK type appears here: what goes over the wire is vxlan.c's and neighbor.c's.
 */
#ifndef DATAPLANE_UNDERLAY_H
#define DATAPLANE_UNDERLAY_H

#include <endian.h>

#include "dataplane/forwarding.h"

#define DP_VNI_MAX   0xffffffu
#define DP_MAC_KNOWN (UINT64_C(1) << 48) /* beside the 48 bits of a MAC: it is one */

struct dp_neighbor {
    struct lpm_address address;
    _Atomic uint64_t mac;    /* DP_MAC_KNOWN and it; 0: not known */
    _Atomic bool heard;      /* since the last tick */
    _Atomic bool next_hop;   /* of a NIC: asked for also where tunnels have a router */
    _Atomic unsigned silent; /* ticks without a word; written by the worker that ticks */
    struct dp_neighbor *_Atomic next;
};

/* mac[6] of the record is in self->gateway_mac. */
struct dp_underlay {
    struct lpm_address address;
    struct lpm_address next_hop;      /* as configured; family 0: none */
    struct dp_nic *self;              /* answers for the address; its id is the one that counts */
    const struct dp_neighbor *router; /* next_hop's; NULL: all are on the link */
    bool has_mac;                     /* of a device, or configured: not in a replay */
    bool fixed_mac;                   /* configured: the device's is of no consequence */
    uint32_t peer_mask;
    unsigned peer_count;
    struct lpm_rcu_head head;
    struct lpm_address peers[]; /* open addressing, at half load at most; family 0: free */
};

static inline const struct dp_underlay *dp_underlay_read(const struct dp_forwarding *forwarding,
                                                         uint16_t port)
{
    if (port >= DP_PORT_CAPACITY)
        return NULL;
    return lpm_rcu_dereference(&forwarding->underlays[port]);
}

/* What a tunnel of this family leaves of a port's MTU for IP packets. */
static inline uint16_t dp_vxlan_mtu(uint16_t mtu, uint8_t family)
{
    const uint16_t overhead = family == LPM_IPV6 ? DP_VXLAN_OVERHEAD_IPV6 : DP_VXLAN_OVERHEAD_IPV4;

    return mtu > overhead ? (uint16_t)(mtu - overhead) : 0;
}

/* The device's own MAC, once it is open. Control thread; no worker polls the port yet. 0 also for a
 * port that is no underlay. -ENOMEM. */
int dp_underlay_set_mac(struct dp_forwarding *forwarding, uint16_t port, const uint8_t mac[6]);

/* Is that tunnel end point another host whose decisions are taken? */
bool dp_underlay_has_peer(const struct dp_underlay *underlay, const struct lpm_address *address);

/* The MAC that a neighbour has told; false: none. */
static inline bool dp_neighbor_mac(const struct dp_neighbor *neighbor, uint8_t mac[6])
{
    const uint64_t word = atomic_load_explicit(&neighbor->mac, memory_order_relaxed);

    const uint64_t bytes = htole64(word);

    memcpy(mac, &bytes, 6); /* at once: who copies it next need not wait for single bytes */
    return word != 0;
}

/* The MAC that leads to the tunnel end point; false: nobody has told it. */
static inline bool dp_underlay_mac(const struct dp_underlay *underlay,
                                   const struct dp_neighbor *neighbor, uint8_t mac[6])
{
    return dp_neighbor_mac(underlay->router ? underlay->router : neighbor, mac);
}

/* Without a device there are MACs all the same, made of addresses: a replay shows them. */
void dp_underlay_invent_mac(const struct lpm_address *address, uint8_t mac[6]);

/* Whoever has that address on the port has this MAC, if we know it at all: neighbours are named by
 * configuration and never made here, so that nobody fills memory. true: we know it. */
bool dp_neighbor_heard(const struct dp_forwarding *forwarding, uint16_t port,
                       const struct lpm_address *address, const uint8_t mac[6]);

/* Should this one be asked for now? Called once a tick for each, by one worker: every tick until it
 * answers, then again after a while of silence; after a longer one it is forgotten. */
bool dp_neighbor_tick(struct dp_neighbor *neighbor);

#endif
