/*
 * The data plane, as the engine sees it: the programming interface. No DPDK type appears here.
 *
 *   control thread (writer)                    workers (readers), one per core
 *
 *   dp_forwarding: what the engine programs
 *      nics[]    attachment, FIBs, flags          port -> classify -> parse -> decide
 *      vnets[]   address -> NIC          = RCU =>                                |
 *      groups[]  members, buckets                 port <------- rewrite <--------'
 *   dp_engine: EAL, ports, workers
 *
 * struct dp_forwarding needs no EAL: the twin, `fingerpost routes` and the tests program it and
 * call dp_decide() with no port open. dp_engine_start() and dp_replay() start EAL, once a process.
 *
 * Threads. Everything that changes a struct dp_forwarding is called by the one control thread.
 * Every part is replaced whole and published by one release store (lpm/rcu.h); what it replaces is
 * reclaimed after a grace period. dp_decide() may be called by any thread registered with
 * lpm/rcu.h. Counters are per worker; readers sum them.
 *
 * Errors. Functions return 0 or -errno and leave the state in force as it was.
 */
#ifndef DATAPLANE_DATAPLANE_H
#define DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/observe.h"
#include "lpm/lpm.h"

/* --- Drop reasons -------------------------------------------------------------------------------
 * One closed set: the same names in CLI, JSON, metrics and docs. A packet that is not forwarded or
 * answered is counted under exactly one of them. X(symbol, "name", "help") */
#define DP_REASONS(X)                                                                              \
    X(TOO_SHORT, "too-short", "frame or header ends before its own length says")                   \
    X(UNKNOWN_ATTACHMENT, "unknown-attachment", "no NIC is attached at this port, VLAN or MAC")    \
    X(NOT_FOR_GATEWAY_MAC, "not-for-gateway-mac", "destination MAC is not the subnet gateway's")   \
    X(BAD_VERSION, "bad-version", "IP version does not match the EtherType")                       \
    X(BAD_HEADER_LENGTH, "bad-header-length", "IPv4 header length below 20 bytes")                 \
    X(BAD_TOTAL_LENGTH, "bad-total-length", "IP length field below the header or above the frame") \
    X(BAD_CHECKSUM, "bad-checksum", "IPv4 header checksum is wrong")                               \
    X(BAD_EXTENSION_HEADER, "bad-extension-header",                                                \
      "IPv6 extension headers malformed or too many")                                              \
    X(MARTIAN, "martian", "source or destination that must not be on a wire")                      \
    X(MULTICAST, "multicast", "destination is multicast")                                          \
    X(BROADCAST, "broadcast", "destination is broadcast")                                          \
    X(UNKNOWN_ETHERTYPE, "unknown-ethertype", "neither IPv4, IPv6 nor ARP")                        \
    X(NEIGHBOR_NOT_HERE, "neighbor-not-here", "ARP or neighbour discovery for no fabric address")  \
    X(PLATFORM_ADDRESS, "platform-address", "168.63.129.16 or 169.254.169.254: never routed")      \
    X(TTL_EXPIRED, "ttl-expired", "TTL or hop limit would reach zero")                             \
    X(SOURCE_CHECK, "source-check", "source is not the NIC's own and IP forwarding is off")        \
    X(NO_ROUTE, "no-route", "no effective route covers the destination")                           \
    X(NULL_ROUTE, "null-route", "next hop type None")                                              \
    X(NEXT_HOP_UNREACHABLE, "next-hop-unreachable", "no NIC has the next hop address")             \
    X(RECEIVER_NOT_FORWARDING, "receiver-not-forwarding",                                          \
      "destination is not the receiver's own and its IP forwarding is off")                        \
    X(FORWARDED_TRAFFIC_NOT_ALLOWED, "forwarded-traffic-not-allowed",                              \
      "foreign source over a peering whose far side has allow_forwarded_traffic off")              \
    X(ACCESS_NOT_ALLOWED, "access-not-allowed", "peering has allow_virtual_network_access off")    \
    X(MTU, "mtu", "larger than the egress MTU and must not be fragmented")                         \
    X(VXLAN_BAD, "vxlan-bad", "malformed VXLAN")                                                   \
    X(VXLAN_UNKNOWN_VNI, "vxlan-unknown-vni",                                                      \
      "no NIC has this VNI and inner MAC, or not behind this tunnel end point")                    \
    X(NO_HEALTHY_BACKEND, "no-healthy-backend", "every backend of the load balancer is down")      \
    X(NO_MEMBER, "no-member", "the next-hop group has no member left")                             \
    X(RATE_LIMITED, "rate-limited", "an answer was due, above its rate limit")                     \
    X(PORT_DOWN, "port-down", "the egress port is down or not configured")                         \
    X(TX_FULL, "tx-full", "the egress queue took no more")                                         \
    X(NO_BUFFER, "no-buffer", "no packet buffer was free")

enum dp_reason {
#define DP_REASON_ENUM(symbol, name, help) DP_REASON_##symbol,
    DP_REASONS(DP_REASON_ENUM)
#undef DP_REASON_ENUM
        DP_REASON_COUNT
};
const char *dp_reason_name(enum dp_reason reason);
const char *dp_reason_help(enum dp_reason reason);

/* --- Forwarding state ------------------------------------------------------------------------- */

struct dp_forwarding;

#define DP_HASH_INNER 8u
struct dp_forwarding_config {
    unsigned workers;        /* counter sets; at least 1 */
    uint32_t nic_capacity;   /* NIC ids are 1 .. nic_capacity; with groups <= LPM_LEAF_MAX */
    uint32_t vnet_capacity;  /* VNet ids are 1 .. vnet_capacity */
    uint32_t group_capacity; /* group ids are 1 .. group_capacity (<= LPM_LEAF_MAX) */
    /* native: TTL decremented and checked, symmetric hash; azure: TTL untouched, see hash_salt. */
    bool decrement_ttl;
    /* 5, 3 or 2: what of the tuple the flow hash takes; 6: IPv6's flow label. With | DP_HASH_INNER: of
     * VXLAN in transit, the tuple of what it carries. */
    unsigned hash_fields;
    bool silent_drops; /* azure: no ICMP error says why a packet was dropped */
};

/* NULL with errno; EINVAL: a capacity of 0 or above LPM_LEAF_MAX, NICs and groups together above it,
 * no worker, other hash_fields.
 * Memory goes with what is set, not with the capacities, but for 8 bytes an id (20 a group's). */
struct dp_forwarding *dp_forwarding_create(const struct dp_forwarding_config *config,
                                           struct lpm *lpm);
/* Workers must have stopped. Waits for a grace period. FIBs given by callers stay theirs. */
void dp_forwarding_destroy(struct dp_forwarding *forwarding);
struct lpm *dp_forwarding_lpm(const struct dp_forwarding *forwarding);
/* What it was made with. */
const struct dp_forwarding_config *
dp_forwarding_configuration(const struct dp_forwarding *forwarding);

/* How a frame is known to come from a NIC, and how one leaves towards it. The nearest wins: a
 * tagged frame belongs to the NIC of its VLAN, an untagged one to that of its source MAC, any other
 * to the NIC that has the port. */
enum dp_attachment_kind {
    DP_ATTACHMENT_NONE, /* no port: the twin, or replay */
    DP_ATTACHMENT_PORT, /* every frame of the port */
    DP_ATTACHMENT_VLAN, /* (port, VLAN id) */
    DP_ATTACHMENT_MAC,  /* (port, source MAC) on a shared port */
    /* (underlay port, VXLAN VNI, inner source MAC) from the tunnel end point `remote`, which is
     * another host's; see dp_underlay_set(). */
    DP_ATTACHMENT_VXLAN,
};
struct dp_attachment {
    enum dp_attachment_kind kind;
    uint16_t port; /* index in dp_engine_config.ports, below 1024 */
    /* DP_ATTACHMENT_VLAN: 1..4094. DP_ATTACHMENT_NONE: the tag that a replay writes; 0: none. */
    uint16_t vlan;
    /* DP_ATTACHMENT_VXLAN: 1..16777215. Of the others: with it, other hosts send to the NIC; 0: they
     * do not. VNI and MAC together are one NIC's alone. */
    uint32_t vni;
    struct lpm_address remote; /* DP_ATTACHMENT_VXLAN: of the family of the port's own address */
};

/* A port towards other hosts, over which VXLAN (RFC 7348) goes to UDP port 4789 and comes from it.
 *
 *   out  to a NIC with DP_ATTACHMENT_VXLAN: inner frame from the subnet's gateway MAC to the NIC's;
 *        source port from the flow hash, DSCP and ECN of the inner header (RFC 2983, RFC 6040), DF
 *        set, UDP checksum 0 on IPv4 and right on IPv6.
 *   in   from such a NIC, by VNI, inner source MAC and tunnel end point: it is the sender, and all is
 *        decided here. Else from another host that has decided, by VNI and inner destination MAC, if
 *        the tunnel end point is one of `peers`: delivered as it is, without a further decision, and
 *        counted under `nic`.
 *
 * MACs of the underlay are learned: ARP and neighbour discovery are asked and answered for `address`,
 * and echo requests to it are answered. The port's other frames belong to NICs as on any port. */
#define DP_VXLAN_PORT          4789u /* of VXLAN in transit, too */
#define DP_VXLAN_OVERHEAD_IPV4 50u   /* of the port's MTU: inner Ethernet, VXLAN, UDP, IP */
#define DP_VXLAN_OVERHEAD_IPV6 70u
struct dp_underlay_config {
    /* Own tunnel end point. All zero: none. Then neighbours are asked by ARP probes (RFC 5227), or from
     * the link-local address of the MAC. */
    struct lpm_address address;
    struct lpm_address next_hop; /* router by which all others are reached; family 0: on the link */
    const struct lpm_address *peers;
    unsigned peer_count;
    uint32_t nic; /* id under which is counted what other hosts decided; 0: with frames of no NIC */
    uint8_t mac[6]; /* by which it asks and answers; all zero: the device's */
};
/* config is copied; NULL removes. -EINVAL: a port, family or id out of range, families that
 * differ. */
int dp_underlay_set(struct dp_forwarding *forwarding, uint16_t port,
                    const struct dp_underlay_config *config);

/* This NIC id is the internet sink: next hop type Internet ends there, once it is set like any
 * other. */
#define DP_NIC_INTERNET 1u
#define DP_MAC_TEXT     18

/* One NIC. Arrays are copied. FIBs are borrowed: they must outlive the NIC or its next dp_nic_set()
 * by a grace period, which lpm_release() after dp_nic_set() gives. */
struct dp_nic_config {
    const char *name;
    uint32_t vnet;                       /* 0: in no VNet, every source is foreign to it */
    uint8_t mac[6];                      /* of the guest: destination of what is sent to it */
    uint8_t gateway_mac[6];              /* of the subnet's gateway: what the guest sends to */
    const struct lpm_address *addresses; /* own */
    unsigned address_count;
    /* Prefixes of its subnet: ARP/ND is answered for every address in them but its own. The first
     * after the network's own (.1, ::1) is the gateway's, the last of an IPv4 one its broadcast. */
    const struct lpm_prefix *subnet;
    unsigned subnet_count;
    bool ip_forwarding;
    bool gateway;                      /* an instance of a gateway: see DP_PEERING_GATEWAYS */
    const struct lpm_fib *fib4, *fib6; /* NULL: no route */
    uint32_t hash_salt; /* 0: symmetric across NICs; else this NIC hashes alone (azure mode) */
    /* Of the link, 0: 1500. With DP_ATTACHMENT_VXLAN, of the underlay: the tunnel's overhead goes
     * off. */
    uint16_t mtu;
    struct dp_attachment attachment;
    /* With DP_ATTACHMENT_PORT, not family 0: frames to the NIC go to the MAC of this neighbour on the port, which
     * dp_underlay_set() has asked for. Until it has told one they go to `mac`, or, where that is not
     * known to be right, are dropped as next-hop-unreachable. */
    struct lpm_address next_hop;
    bool mac_known;
};
/* Adds or replaces NIC `nic`. -EEXIST: the attachment is taken by another NIC. -EINVAL: an id,
 * port, VLAN, family or prefix out of range. An attachment that does not change is never
 * interrupted. */
int dp_nic_set(struct dp_forwarding *forwarding, uint32_t nic, const struct dp_nic_config *config);
int dp_nic_remove(struct dp_forwarding *forwarding, uint32_t nic);
/* The MAC that the NIC's next_hop has told; false: it has none, or has told nothing. Any registered thread. */
bool dp_nic_next_hop_mac(const struct dp_forwarding *forwarding, uint32_t nic, uint8_t mac[6]);
/* Which route of the NIC's FIB decides for address? false: none, or no such NIC. As lpm_explain(). */
bool dp_nic_explain(const struct dp_forwarding *forwarding, uint32_t nic,
                    const struct lpm_address *address, struct lpm_route *route);
/* Swaps only the FIBs, one store each (a packet reads the one of its family). Takes no memory.
 * -ENOENT, -EINVAL.
 *
 * A packet under way may have found the FIBs that were there, and ask them later: of one that goes on to
 * change it gets an answer that was never the NIC's. Who minds lets a grace period pass between this call
 * and that change (lpm_rcu_stamp() after the one, lpm_rcu_wait() before the other), or never changes a FIB
 * that NICs have left but releases it, as engine/program does. */
int dp_nic_set_fibs(struct dp_forwarding *forwarding, uint32_t nic, const struct lpm_fib *fib4,
                    const struct lpm_fib *fib6);

/* A VNet: its address space (for the forwarded-traffic check) and the map address -> NIC. Setting
 * the space of a VNet that is there keeps its map; removing it drops both. -EINVAL, -ENOENT. */
int dp_vnet_set(struct dp_forwarding *forwarding, uint32_t vnet, const struct lpm_prefix *space,
                unsigned space_count);
int dp_vnet_remove(struct dp_forwarding *forwarding, uint32_t vnet);
/* Several at once: one batch, all or none in the sense of errors, published address by address; a
 * later entry of an address wins. nic and group 0 removes. -ENOENT: the VNet was not set. */
struct dp_vnet_address {
    struct lpm_address address;
    uint32_t nic;
    /* Not 0: no NIC has the address, it is the frontend of this group, as dp_member.group has it. */
    uint32_t group;
};
int dp_vnet_set_addresses(struct dp_forwarding *forwarding, uint32_t vnet,
                          const struct dp_vnet_address *addresses, size_t n);

/* What a leaf of a FIB stands for. */
enum dp_group_kind {
    DP_GROUP_NULL,     /* next hop type None */
    DP_GROUP_VNET,     /* the NIC that has the destination in VNet `vnet` (VnetLocal, peering) */
    DP_GROUP_MEMBERS,  /* one of the members, by flow hash (appliance, BGP next hops, gateways) */
    DP_GROUP_INTERNET, /* NIC DP_NIC_INTERNET */
};
#define DP_GROUP_MEMBER_MAX 64

/* What the peering towards the receiver's VNet forbids. 0 within one VNet. */
#define DP_PEERING_NO_ACCESS    0x1u
#define DP_PEERING_NO_FORWARDED 0x2u
/* With NO_FORWARDED: but for what a gateway passes on, which that VNet uses (use_remote_gateways). */
#define DP_PEERING_GATEWAYS 0x4u

struct dp_member {
    struct lpm_address next_hop; /* its identity: buckets are a function of these and weights */
    uint32_t nic;                /* 0: no NIC has that address (next-hop-unreachable) */
    uint32_t weight;             /* 0 counts as 1 */
    uint8_t peering;             /* DP_PEERING_* bits */
    /* On its way out: it gets no bucket, and keeps those that it has until they fall idle or their time
     * is over (dp_group_config.patience). Of no consequence where all members are. */
    bool draining;
    /* Not 0: instead of a NIC, the frontend of a load balancer: who takes the packet is a member of
     * this group, its backend, chosen by the same flow hash. The group may be swapped at any time and
     * reaches all that refer to it; it must outlive them by a grace period. Its own members are NICs:
     * one that is a frontend again is next-hop-unreachable. No members: no-healthy-backend. */
    uint32_t group;
};
/* How long a bucket stays with a member that is not to have it any more, while it is in use. */
struct dp_patience {
    /* Also those of a member that stays, when another one comes that is to have them; else only those of
     * a member that is draining. */
    bool sticky;
    uint32_t idle_ms;   /* nobody used the bucket for so long: it moves */
    uint32_t forced_ms; /* and after so long in any case; below 2^30 ms both */
};
struct dp_group_config {
    enum dp_group_kind kind;
    uint32_t vnet;   /* DP_GROUP_VNET */
    uint8_t peering; /* DP_GROUP_VNET: DP_PEERING_* bits */
    /* DP_GROUP_MEMBERS: in any order, no next hop twice; none at all drops as no-member. */
    const struct dp_member *members;
    unsigned member_count;
    bool strict_balance; /* Maglev fill instead of rendezvous hashing */
    struct dp_patience patience;
};
/* Makes a group under a free id. Interning equal sets is the caller's. -ENOSPC: capacity reached,
 * ids that wait for a grace period included. -EINVAL: a next hop twice, more than
 * DP_GROUP_MEMBER_MAX, an id out of range.
 *
 * Buckets: 16,384 for any group of two members or more (with patience.sticky: of one, too), filled by weighted rendezvous hashing of
 * bucket and next hop address. So they are a function of the members alone, equal in every group
 * and on every host with equal ones, and a member that comes or goes moves no flow between two
 * others. strict_balance fills them evenly to one bucket instead (Maglev), at the price of a few
 * moved flows. The flow hash has no salt of the group: which bucket goes to whom differs with the
 * addresses already, and both directions of a flow must agree.
 *
 * With patience.sticky, and where a member is draining, buckets are a function of the past too: each
 * begins with whoever had it, in the group that is replaced, or else in the group with the most
 * members in common, and moves in dp_groups_tick(). Groups with equal members still share one table. */
int dp_group_create(struct dp_forwarding *forwarding, const struct dp_group_config *config,
                    uint32_t *group);
/* Swaps a group in place: one release store, whatever the number of prefixes and NICs behind it. */
int dp_group_replace(struct dp_forwarding *forwarding, uint32_t group,
                     const struct dp_group_config *config);
/* How many times a group was swapped ever. */
uint64_t dp_group_swaps(const struct dp_forwarding *forwarding);
/* Moves buckets that fell idle, or have waited long enough, to the members that are to have them, and
 * tells the workers the time: some ten times a second, in any case as often as idle_ms is. now_ms only
 * grows. Returns how many moved. */
unsigned dp_groups_tick(struct dp_forwarding *forwarding, uint64_t now_ms);
/* No FIB may hold the id any more. The id is given again only after a grace period. */
int dp_group_destroy(struct dp_forwarding *forwarding, uint32_t group);

struct dp_group_info {
    enum dp_group_kind kind;
    uint32_t vnet;
    unsigned member_count;
    unsigned bucket_count;
    struct dp_member members[DP_GROUP_MEMBER_MAX]; /* sorted by address; weights at least 1 */
    unsigned buckets[DP_GROUP_MEMBER_MAX];         /* how many each member has */
    unsigned wanted[DP_GROUP_MEMBER_MAX];          /* how many it is to have */
};
int dp_group_info(const struct dp_forwarding *forwarding, uint32_t group,
                  struct dp_group_info *info);
/* Which member (index into dp_group_info.members) bucket points to; for tests and `show groups`. */
int dp_group_bucket(const struct dp_forwarding *forwarding, uint32_t group, unsigned bucket);

/* --- The decision ----------------------------------------------------------------------------- */

/* What names a flow, in one of its directions. Addresses in network order, numbers in host order. */
struct dp_flow {
    uint8_t family; /* enum lpm_family; 0: there is none */
    uint8_t protocol;
    uint16_t source_port, destination_port; /* 0 where they are not known */
    uint32_t flow_label;
    uint8_t source[16], destination[16];
};
/* The parsed headers of one IP packet. Addresses and numbers as above. */
struct dp_packet {
    uint8_t family;   /* enum lpm_family */
    uint8_t protocol; /* after IPv6 extension headers */
    uint8_t ttl;
    bool fragment;  /* any fragment, the first included: hashed by addresses */
    bool has_ports; /* ports (or ICMP echo identifier in both) are valid */
    uint8_t source[16], destination[16];
    uint16_t source_port, destination_port;
    uint16_t header_length; /* IP header with extension headers */
    uint32_t total_length;  /* of the IP packet */
    uint32_t flow_label;
    uint8_t icmp_type; /* of ICMP and ICMPv6, where it is no fragment */
    /* An ICMP error about a packet of destination's: it belongs to that packet's flow. The ports
     * and error_protocol are then those of the embedded packet, error_peer is where it went. */
    bool icmp_error;
    uint8_t error_protocol;
    uint8_t error_peer[16];
    /* What VXLAN (UDP to port 4789, RFC 7348) carries, where all of its headers are at hand: both
     * directions of it are one flow, while those of the tunnel have a source port each. Of an ICMP
     * error about such a packet as well. A fragment of the tunnel's packets has none. */
    struct dp_flow inner;
    bool in_tunnel; /* is such an inner packet: its own tunnels are not looked into */
};
/* Parses an IP packet of `ethertype` (0x0800 or 0x86dd) with RFC 1812 5.2.2 / RFC 8200 checks in
 * their order; captured bytes may end after the headers. true: *packet is filled; false: *reason
 * says why not. */
bool dp_packet_parse(const uint8_t *bytes, size_t n, uint16_t ethertype, struct dp_packet *packet,
                     enum dp_reason *reason);

/* Makes packet one of VXLAN that carries inner: for packets that never were bytes. */
void dp_packet_carry(struct dp_packet *packet, const struct dp_packet *inner);

/* Symmetric: the same for both directions of a flow. hash_fields as in dp_forwarding_config. */
uint32_t dp_flow_hash(const struct dp_packet *packet, unsigned hash_fields, uint32_t salt);

enum dp_action {
    DP_FORWARD,
    DP_ANSWER, /* echo request or neighbour solicitation to a gateway address */
    DP_DROP,
};
struct dp_verdict {
    uint8_t action; /* enum dp_action */
    uint8_t reason; /* enum dp_reason, of DP_DROP */
    bool self_loop; /* forwarded back to the sending NIC */
    uint32_t nic;   /* receiver; of DP_DROP: the NIC that it did not get to, 0: none was found */
    uint32_t group; /* that the FIB gave, 0: none */
    uint32_t hash;  /* flow hash, where a member was chosen among several */
    uint32_t bucket;
    uint32_t next_hop; /* dp_next_hop_address() of the chosen member; 0: none was chosen */
    uint32_t backend;  /* the same of the chosen backend behind a frontend; 0: there was none */
    /* Where a packet of the two is counted: as member of its group. 0 as above. */
    uint32_t member_counter, backend_counter;
};
struct dp_trace_record;
struct dp_decide_options {
    bool skip_source_check; /* replay of a trace that was not taken at this NIC */
    /* A worker's number + 1: a packet counts as use of its bucket. 0: it does not. One thread each. */
    unsigned user;
    /* Of a call for one packet: the steps of its decision are added. NULL: nobody asks. */
    struct dp_trace_record *trace;
};
/* One code for the packet path, the twin and the tests. nics[i] sends packets[i]. In this order:
 * NIC set; platform address; neighbour solicitation (answered); multicast, broadcast, martian;
 * source check; echo to a gateway address (answered); TTL (native mode); longest prefix match; the
 * group and its member; the receiver set; access and forwarded traffic over its peering; receiver
 * forwards or owns the destination; self-loop. decide.c has it with the reasons. options may be
 * NULL. Counts nothing. */
void dp_decide(const struct dp_forwarding *forwarding, const uint32_t *nics,
               const struct dp_packet *packets, struct dp_verdict *verdicts, unsigned n,
               const struct dp_decide_options *options);

/* Next hops are numbered from 1 as they first appear in a group; a number is never given again. */
bool dp_next_hop_address(const struct dp_forwarding *forwarding, uint32_t next_hop,
                         struct lpm_address *address);

/* --- Counters --------------------------------------------------------------------------------- */

/* received = forwarded + answered + sum(dropped), at every instant when idle. */
struct dp_counters {
    uint64_t received, received_bytes;
    uint64_t forwarded, forwarded_bytes;
    uint64_t answered;
    uint64_t self_loop; /* of forwarded */
    uint64_t dropped[DP_REASON_COUNT];
};
/* Sums over workers. nic 0: frames that belong to no NIC. Any thread. Counters are the id's: they
 * go on when a NIC is replaced, or removed and its id given to another. */
void dp_counters_nic(const struct dp_forwarding *forwarding, uint32_t nic,
                     struct dp_counters *counters);
void dp_counters_total(const struct dp_forwarding *forwarding, struct dp_counters *counters);
struct dp_next_hop_counters {
    uint64_t packets, bytes;
};
/* Of all groups that have, or had, this next hop. Control thread only, as the next. */
void dp_counters_next_hop(const struct dp_forwarding *forwarding, uint32_t next_hop,
                          struct dp_next_hop_counters *counters);
/* Of a next hop as member of one group, since the group was made: also while it is not a member for
 * a time. All 0 for what never was one. */
void dp_counters_member(const struct dp_forwarding *forwarding, uint32_t group,
                        const struct lpm_address *next_hop, struct dp_next_hop_counters *counters);

/* --- Ports and workers ------------------------------------------------------------------------ */

/* A DPDK device: a vdev driver ("net_tap", "net_af_packet", "net_pcap", "net_null", "net_ring", …)
 * or a PCI address; NULL: this process does not open it, and its index stays free. options are the driver's own, "key=value,key=value" (may be NULL). */
struct dp_port_config {
    const char *name;
    const char *device;
    const char *options;
    unsigned queues; /* 0: as many as workers, where the device can */
    uint16_t mtu;    /* 0: 1500 */
};
struct dp_engine_config {
    const struct dp_port_config *ports;
    unsigned port_count;
    /* One worker each. NULL: every core but the first that this process may use. */
    const unsigned *cores;
    unsigned core_count;
    bool quiet; /* keep EAL's own log lines off stderr */
};
struct dp_engine;

#define DP_ERROR_TEXT 256
/* Works out EAL's arguments, opens every port, starts the workers. Blocks real-time signals in the
 * calling thread: drivers that use them (net_tap) signal the process for every frame, and workers
 * take them. On failure everything is closed again, error names the port and what would be right,
 * and -errno is returned. */
int dp_engine_start(const struct dp_engine_config *config, struct dp_forwarding *forwarding,
                    struct dp_engine **engine, char error[DP_ERROR_TEXT]);
/* Stops workers, closes ports. */
void dp_engine_stop(struct dp_engine *engine);
/* How many workers dp_engine_start() will run for this config: for dp_forwarding_config.workers. */
unsigned dp_engine_worker_count(const struct dp_engine_config *config);

/* How frames are spread over the queues that a port receives by. It is of no consequence for where they
 * go, but for which worker has the work. */
enum dp_spread {
    DP_SPREAD_NONE,      /* there is one */
    DP_SPREAD_DRIVER,    /* as the driver, or who is behind it, likes */
    DP_SPREAD_RSS,       /* by a hash of the device's own: directions of a flow may part */
    DP_SPREAD_SYMMETRIC, /* by one that is the same for both directions */
};
const char *dp_spread_name(enum dp_spread spread);

struct dp_port_status {
    const char *name;
    enum dp_spread spread;
    bool link_up;
    uint64_t rx_packets, tx_packets, rx_missed, rx_errors, tx_errors;
};
int dp_engine_port_status(const struct dp_engine *engine, unsigned port,
                          struct dp_port_status *status);

/* Is the port's link up, as far as anybody can tell? Looks at the kernel's interface of drivers that do
 * not report it. Packets for a port that is down are dropped as port-down; it comes back by itself.
 * Control thread. False also for a port that is not there. */
bool dp_engine_port_link(struct dp_engine *engine, unsigned port);

/* What struct dp_port_status counts, by queue, as the workers count it. */
struct dp_queue_status {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t tx_refused; /* frames that the device, or the way to its queue, had no room for */
};
/* How many queues the port has: the more of receive and transmit queues. 0: there is no such port. */
unsigned dp_engine_port_queues(const struct dp_engine *engine, unsigned port);
int dp_engine_queue_status(const struct dp_engine *engine, unsigned port, unsigned queue,
                           struct dp_queue_status *status);

/* --- Replay ----------------------------------------------------------------------------------- */

/* What became of one frame of the trace. */
struct dp_replay_record {
    uint64_t flow; /* hash of the 5-tuple in its direction: names the flow; 0: no IP flow */
    uint32_t next_hop, backend, group, nic;
    uint32_t bytes;
    uint32_t times; /* it came, once a round */
    uint8_t action, reason;
    bool self_loop;
};
struct dp_replay_config {
    /* Every frame counts as sent by this NIC, but for what the next two say; 0: none. */
    uint32_t nic;
    /* Whose leaves are NIC ids: a frame counts as sent by the NIC of the longest prefix that covers
     * its source address. NULL: as sent by nic. */
    const struct lpm_fib *senders4, *senders6;
    const char *in;    /* pcap or pcapng, Ethernet */
    const char *out;   /* pcap; NULL: forwarded frames are freed */
    bool source_check; /* off: the trace was taken elsewhere */
    uint64_t rounds;   /* the trace again and again, so many times; 0: once */
    /* When packets enter: at so many a second; or as far apart as they were recorded; neither: as fast
     * as possible. What becomes of them is the same. */
    double packets_per_second;
    bool as_recorded;
    /* Called on the calling thread between two packets, just before packet number pause_at (from
     * 0, over all rounds) enters: the place to change forwarding state at an exact point of the trace. NULL: never.
     */
    uint64_t pause_at;
    void (*on_pause)(void *context);
    void *context;
};
struct dp_replay_report {
    struct dp_counters counters;
    double seconds;                   /* spent forwarding, pauses left out, waiting included */
    struct dp_replay_record *records; /* in order, those of one frame together; free() them */
    uint64_t record_count;
    uint64_t split; /* index of the first record from the pause on */
};
/* Forwards a trace through the real stages and DPDK's pcap device on the calling thread, which it
 * registers as a reader. Checks the whole file first: a file that is missing, truncated, no capture
 * or not Ethernet is -EINVAL (or its own errno) with the file named in error, and nothing is
 * written. */
int dp_replay(struct dp_forwarding *forwarding, const struct dp_replay_config *config,
              struct dp_replay_report *report, char error[DP_ERROR_TEXT]);

/* Last: it is about what stands above. */
#include "dataplane/trace.h"

#endif
