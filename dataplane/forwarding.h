/*
 * The forwarding state from inside the room: what workers read of it on the packet path.
 *
 *   struct dp_forwarding
 *     nics[id] ====> struct dp_nic          FIBs, own addresses, gateways, attachment
 *     vnets[id] ===> struct dp_vnet         address space; address -> NIC (a FIB of NIC ids)
 *     groups[id] ==> struct dp_group        members; buckets --> struct dp_bucket_table (shared)
 *     ports[port] => struct dp_port_table   VLAN -> NIC, source MAC -> NIC
 *     overlay =====> struct dp_mac_table    (VNI, MAC) -> NIC
 *     underlays[] => struct dp_underlay     ports towards other hosts: see underlay.h
 *     next_hops[] => struct dp_next_hop_chunk
 *     workers[w]     counters, each written by one worker alone
 *
 * ==> is a pointer that the control thread publishes (lpm_rcu_publish) and a reader loads
 * (lpm_rcu_dereference); what it led to stays valid until the reader's next quiescent state. What
 * it leads to is never changed in place, but for members that are declared _Atomic.
 *
 * Everything here may be called by any registered reader thread, unless it says otherwise.
 * No DPDK type appears, so that the decision runs and is tested without EAL.
 */
#ifndef DATAPLANE_FORWARDING_H
#define DATAPLANE_FORWARDING_H

#include <stdatomic.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "lpm/rcu.h"

#define DP_CACHE_LINE         64
#define DP_PORT_CAPACITY      1024 /* attachments name ports below this */
#define DP_VLAN_COUNT         4096
#define DP_NEXT_HOP_PER_CHUNK 1024
#define DP_NEXT_HOP_CHUNKS    1024 /* about a million next hops in the life of a process */
#define DP_MEMBER_PER_CHUNK   1024
#define DP_MOVES              1024 /* NICs that changed and may have to be announced: a power of two */
#define DP_MEMBER_CHUNKS      4096 /* about four million members of all groups together */

#define DP_ETHERTYPE_IPV4               0x0800u
#define DP_ETHERTYPE_IPV6               0x86ddu
#define DP_PROTOCOL_ICMP                1u
#define DP_PROTOCOL_UDP                 17u
#define DP_PROTOCOL_ICMPV6              58u
#define DP_ICMP_ECHO_REQUEST            8u
#define DP_ICMPV6_ECHO_REQUEST          128u
#define DP_ICMPV6_NEIGHBOR_SOLICITATION 135u

/* --- NICs ------------------------------------------------------------------------------------- */

/* What a subnet gives to the packet path: its gateway, and the directed broadcast that is dropped.
 * 0: it has none. Host byte order. */
struct dp_subnet4 {
    uint32_t gateway, broadcast;
};

/* The first line is all that the packet path reads of senders and receivers that have one IPv4 address
 * in one subnet, the common case; the arrays behind it hold all of them, the first included. */
struct dp_nic {
    const struct lpm_fib *_Atomic fib4, *_Atomic fib6; /* never NULL: an empty FIB stands in */
    uint32_t id;
    uint32_t vnet;
    uint32_t hash_salt;
    uint32_t own4; /* host byte order; 0: none */
    struct dp_subnet4 subnet4;
    uint8_t mac[6], gateway_mac[6]; /* as they begin a frame towards the guest */
    uint16_t port;                  /* of the attachment, as vlan */
    uint16_t vlan;
    uint16_t mtu;         /* of the IP packet; never 0 */
    uint16_t express_mtu; /* mtu, where the express way leads: see express.h; else 0 */
    uint8_t attachment;   /* enum dp_attachment_kind */
    bool ip_forwarding;
    bool gateway;
    bool many_subnets4;

    uint8_t own6[16] __attribute__((aligned(DP_CACHE_LINE))); /* first of own6_all; ::: none */
    const struct dp_neighbor *neighbor; /* DP_ATTACHMENT_VXLAN: the tunnel end point, else NULL */
    uint32_t vni;                       /* in which other hosts have it; 0: none */
    uint16_t own4_count, own6_count;
    uint16_t subnet4_count, gateway6_count;
    uint8_t gateway_link_local[16]; /* fe80::/64 with the modified EUI-64 of gateway_mac */
    const uint32_t *own4_all;
    const uint8_t (*own6_all)[16];
    const struct dp_subnet4 *subnet4_all;
    const uint8_t (*gateway6_all)[16];
    const struct dp_neighbor *router; /* whose MAC frames to it go to, once it is known; or NULL */
    bool mac_known;                   /* until then mac is right */
    const struct lpm_prefix *subnets; /* both families, as configured */
    unsigned subnet_count;
    const char *name;
    struct lpm_rcu_head head;
};

/* --- VNets ------------------------------------------------------------------------------------ */

struct dp_range4 {
    uint32_t base, mask; /* host byte order */
};

/* Replaced whole when the space changes; the maps move on to the new record. */
struct dp_vnet {
    /* Never NULL. A leaf up to nic_capacity is a NIC id, one above it a group of backends. */
    const struct lpm_fib *_Atomic map4, *_Atomic map6;
    unsigned space4_count, space6_count;
    const struct dp_range4 *space4;
    const struct lpm_prefix *space6;
    struct lpm_fib *own_map4, *own_map6; /* writer: NULL until an address came */
    struct lpm_rcu_head head;
};

/* --- Groups ----------------------------------------------------------------------------------- */

/* Index of a member per bucket: of the members' identities and weights alone, or on its way there
 * (history.c). Shared by every group with equal ones. See bucket.c. */
struct dp_bucket_table;

/* Buckets of a table with a history move while workers read: see history.c. A relaxed access of one
 * byte, so it costs what a plain one does. */
static inline uint8_t dp_bucket_read(const uint8_t *bucket)
{
    return __atomic_load_n(bucket, __ATOMIC_RELAXED);
}

struct dp_group_member {
    uint32_t nic;      /* or, of a frontend, the group of its backends */
    uint32_t next_hop; /* its number */
    uint32_t counter;  /* of this member of this group: see member.c */
    uint8_t peering;
    bool frontend;
};
struct dp_group {
    /* The writer's, on a line of their own. */
    struct dp_bucket_table *table;
    struct dp_forwarding *forwarding;
    uint32_t id;
    bool destroyed; /* given up, its slot not yet */
    struct lpm_rcu_head head;
    /* The packet path's: on one line with the first two members. */
    uint8_t kind __attribute__((aligned(DP_CACHE_LINE))); /* enum dp_group_kind */
    uint8_t peering;
    uint8_t member_count;
    bool express; /* it has members, and all are NICs that no peering stands before */
    uint32_t vnet;
    uint32_t bucket_mask;             /* number of buckets - 1 */
    const uint8_t *buckets;           /* of table; of a DP_GROUP_MEMBERS group with members */
    _Atomic uint32_t *stamps;         /* of its history: [worker][bucket]; NULL: it has none */
    struct dp_group_member members[]; /* sorted by next hop address */
};

/* The member that has the bucket, which counts as used by user (dp_decide_options.user; 0: nobody). At
 * most one store a tick and bucket: the first choice after the time has moved on makes it. */
static inline const struct dp_group_member *
dp_group_take(const struct dp_group *group, uint32_t bucket, unsigned user, uint32_t tick)
{
    if (group->stamps && user > 0) {
        _Atomic uint32_t *last =
            &group->stamps[(size_t)(user - 1) * (group->bucket_mask + 1) + bucket];
        if (atomic_load_explicit(last, memory_order_relaxed) != tick)
            atomic_store_explicit(last, tick, memory_order_relaxed);
    }
    /* One bucket is one member's: its line need not be asked for. */
    return &group->members[group->bucket_mask ? dp_bucket_read(&group->buckets[bucket]) : 0];
}

/* --- Attachments ------------------------------------------------------------------------------ */

/*
 * What hangs on one port. A tagged frame belongs to the NIC of its VLAN, an untagged one to the NIC
 * of its source MAC; a frame that neither claims belongs to the NIC that has the whole port.
 *
 * by_mac is open addressing over NIC ids: the key is the MAC in the NIC's own record, so that a
 * reader never pairs one NIC's key with another's id. Ids are stored in place (relaxed stores are
 * enough: the record behind an id is published before the id); the array is replaced when full.
 * The overlay is such a table, too: its keys are VNI and MAC.
 */
#define DP_MAC_SLOT_REMOVED UINT32_MAX
struct dp_mac_table {
    uint32_t mask;
    uint32_t used; /* writer: slots that are not 0, the removed ones included */
    struct lpm_rcu_head head;
    _Atomic uint32_t slots[]; /* NIC id, 0: free, DP_MAC_SLOT_REMOVED */
};
struct dp_port_table {
    _Atomic uint32_t whole; /* NIC id; 0: none */
    _Atomic uint32_t by_vlan[DP_VLAN_COUNT];
    struct dp_mac_table *_Atomic by_mac; /* NULL: none */
};

/* --- Counters --------------------------------------------------------------------------------- */

/* Written by one worker, read by anyone: relaxed loads and stores, no read-modify-write. */
struct dp_nic_counters {
    _Atomic uint64_t received, received_bytes;   /* by the long way */
    _Atomic uint64_t forwarded, forwarded_bytes; /* likewise */
    _Atomic uint64_t answered;
    _Atomic uint64_t self_loop;
} __attribute__((aligned(DP_CACHE_LINE)));

struct dp_nic_drops {
    _Atomic uint64_t by_reason[DP_REASON_COUNT];
};
struct dp_count {
    _Atomic uint64_t packets, bytes;
};
struct dp_worker_counters {
    struct dp_nic_counters *nics; /* [nic_capacity + 1]; 0: frames of no NIC */
    struct dp_nic_drops *drops;   /* likewise */
    /* Likewise: received and forwarded, by the express way. By themselves, so that those of many NICs
     * fit into caches. */
    struct dp_count *express;
    struct dp_count *_Atomic members[DP_MEMBER_CHUNKS]; /* what went by one member of one group */
};

/* --- The whole -------------------------------------------------------------------------------- */

struct dp_next_hop_chunk;
struct dp_watch;
struct dp_forwarding_writer; /* what only the control thread needs: see writer.h */

struct dp_forwarding {
    struct dp_forwarding_config config;
    struct lpm *lpm;
    struct lpm_fib *empty4, *empty6; /* no route: stand in for FIBs and maps that are not set */
    struct dp_nic *_Atomic *nics;
    struct dp_vnet *_Atomic *vnets;
    struct dp_group *_Atomic *groups;
    struct dp_port_table *_Atomic ports[DP_PORT_CAPACITY];
    struct dp_mac_table *_Atomic overlay; /* NULL: no NIC has a VNI */
    struct dp_underlay *_Atomic underlays[DP_PORT_CAPACITY];
    struct dp_neighbor *_Atomic neighbors[DP_PORT_CAPACITY]; /* lists that only grow */
    struct dp_next_hop_chunk *_Atomic next_hops[DP_NEXT_HOP_CHUNKS];
    struct dp_worker_counters *workers; /* [config.workers] */
    struct dp_nic *absent_nic;          /* stands in for ids that are not set: id 0 */
    struct dp_vnet *absent_vnet;
    /* Ids of NICs as they appear, move or get another gateway MAC: entry n % DP_MOVES is written before
     * move_count becomes n + 1. Who lags behind by more looks at all NICs. */
    _Atomic uint32_t moves[DP_MOVES], move_count;
    _Atomic uint32_t tick;          /* the time that stamps say, in DP_TICK_MS; 0: not known yet */
    struct dp_watch *_Atomic watch; /* what is observed: see watch.h; NULL: nothing */
    struct dp_forwarding_writer *writer;
};

/* NULL: not set. */
static inline const struct dp_nic *dp_nic_read(const struct dp_forwarding *forwarding, uint32_t nic)
{
    if (nic > forwarding->config.nic_capacity)
        return NULL;
    return lpm_rcu_dereference(&forwarding->nics[nic]);
}

/* address is in network order: 4 or 16 bytes. */
bool dp_nic_owns4(const struct dp_nic *nic, uint32_t address);
bool dp_nic_owns6(const struct dp_nic *nic, const uint8_t address[16]);
/* A gateway address of one of its subnets; for IPv6 also the gateway's link-local address. */
bool dp_nic_gateway4(const struct dp_nic *nic, uint32_t address);
bool dp_nic_gateway6(const struct dp_nic *nic, const uint8_t address[16]);
/* Does the fabric answer the NIC's ARP request or neighbour solicitation for this address? Yes for
 * every address of its subnets and the gateways', but not for its own. */
bool dp_nic_neighbor4(const struct dp_nic *nic, uint32_t address);
bool dp_nic_neighbor6(const struct dp_nic *nic, const uint8_t address[16]);

static inline const struct dp_port_table *dp_port_table(const struct dp_forwarding *forwarding,
                                                        uint16_t port)
{
    if (port >= DP_PORT_CAPACITY)
        return NULL;
    return lpm_rcu_dereference(&forwarding->ports[port]);
}

/* Is nic, which may be NULL, the one with this source MAC on the port? */
static inline bool dp_nic_holds_mac(const struct dp_nic *nic, uint16_t port, const uint8_t mac[6])
{
    return nic && nic->attachment == DP_ATTACHMENT_MAC && nic->port == port &&
           memcmp(nic->mac, mac, 6) == 0;
}
/* The NIC that has this source MAC on the port, or 0. */
uint32_t dp_port_find_mac(const struct dp_forwarding *forwarding, const struct dp_port_table *table,
                          uint16_t port, const uint8_t mac[6]);

/* The NIC that has this VNI and MAC, or 0. */
uint32_t dp_overlay_find(const struct dp_forwarding *forwarding, uint32_t vni,
                         const uint8_t mac[6]);

/* Which NIC sent a frame? table is dp_port_table(forwarding, port), read once per burst; vlan is 0
 * for an untagged (or priority-tagged) frame. 0: unknown-attachment. */
static inline uint32_t dp_classify(const struct dp_forwarding *forwarding,
                                   const struct dp_port_table *table, uint16_t port, uint16_t vlan,
                                   const uint8_t source_mac[6])
{
    uint32_t nic;

    if (!table)
        return 0;
    if (vlan != 0)
        nic =
            atomic_load_explicit(&table->by_vlan[vlan & (DP_VLAN_COUNT - 1)], memory_order_acquire);
    else if (lpm_rcu_dereference(&table->by_mac))
        nic = dp_port_find_mac(forwarding, table, port, source_mac);
    else
        nic = 0;
    return nic != 0 ? nic : atomic_load_explicit(&table->whole, memory_order_acquire);
}

/* dp_packet_parse() with both lengths: of the bytes at hand and of the IP packet's room on the wire
 * (frame less Ethernet header and tags, padding included). A total length above wire is
 * bad-total-length; headers beyond captured but within wire are too-short. */
bool dp_packet_parse_wire(const uint8_t *bytes, size_t captured, size_t wire, uint16_t ethertype,
                          struct dp_packet *packet, enum dp_reason *reason);

/* Numbers in network order. */
static inline uint16_t dp_load2(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline void dp_store2(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static inline uint32_t dp_load4(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* A neighbour solicitation that a link's own node may send: what dp_decide() calls DP_ANSWER. */
static inline bool dp_packet_is_solicitation(const struct dp_packet *packet)
{
    return packet->family == LPM_IPV6 && packet->protocol == DP_PROTOCOL_ICMPV6 &&
           packet->icmp_type == DP_ICMPV6_NEIGHBOR_SOLICITATION && packet->ttl == 255 &&
           !packet->fragment;
}

/* --- Counting: one worker, its own set -------------------------------------------------------- */

static inline struct dp_worker_counters *dp_worker_counters(const struct dp_forwarding *forwarding,
                                                            unsigned worker)
{
    return &forwarding->workers[worker];
}

static inline void dp_counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void dp_count_add(struct dp_count *count, uint64_t packets, uint64_t bytes)
{
    dp_counter_add(&count->packets, packets);
    dp_counter_add(&count->bytes, bytes);
}

static inline void dp_count_received(struct dp_worker_counters *worker, uint32_t nic,
                                     uint64_t packets, uint64_t bytes)
{
    dp_counter_add(&worker->nics[nic].received, packets);
    dp_counter_add(&worker->nics[nic].received_bytes, bytes);
}

static inline void dp_count_member(struct dp_worker_counters *worker, uint32_t counter,
                                   uint64_t bytes)
{
    struct dp_count *chunk = lpm_rcu_dereference(&worker->members[counter / DP_MEMBER_PER_CHUNK]);

    dp_count_add(&chunk[counter % DP_MEMBER_PER_CHUNK], 1, bytes);
}

static inline void dp_count_forwarded(struct dp_worker_counters *worker, uint32_t nic,
                                      uint64_t packets, uint64_t bytes, uint64_t self_loops)
{
    dp_counter_add(&worker->nics[nic].forwarded, packets);
    dp_counter_add(&worker->nics[nic].forwarded_bytes, bytes);
    if (self_loops > 0)
        dp_counter_add(&worker->nics[nic].self_loop, self_loops);
}

/* Received and forwarded. */
static inline void dp_count_express(struct dp_worker_counters *worker, uint32_t nic,
                                    uint64_t packets, uint64_t bytes, uint64_t self_loops)
{
    dp_count_add(&worker->express[nic], packets, bytes);
    if (self_loops > 0)
        dp_counter_add(&worker->nics[nic].self_loop, self_loops);
}

static inline void dp_count_answered(struct dp_worker_counters *worker, uint32_t nic)
{
    dp_counter_add(&worker->nics[nic].answered, 1);
}

static inline void dp_count_dropped(struct dp_worker_counters *worker, uint32_t nic,
                                    enum dp_reason reason)
{
    dp_counter_add(&worker->drops[nic].by_reason[reason], 1);
}

#endif
