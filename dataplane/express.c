/* See express.h. */
#include "dataplane/express.h"

#include <rte_byteorder.h>

#include "dataplane/hash.h"
#include "dataplane/plain.h"

#define IPV4_BYTES    20u
#define IPV6_BYTES    40u
#define VERSION_IHL   0x45u /* IPv4, no options */
#define FRAGMENT_BITS 0x3fffu
#define ETHERTYPE4    RTE_BE16(DP_ETHERTYPE_IPV4)
#define ETHERTYPE6    RTE_BE16(DP_ETHERTYPE_IPV6)

static uint16_t raw2(const uint8_t *bytes)
{
    uint16_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* For the comparison of MACs with bytes behind them: six of eight. */
static bool same_mac(const uint8_t *a, const uint8_t *b)
{
    return ((dp_load8(a) ^ dp_load8(b)) & RTE_LE64(0xffffffffffff)) == 0;
}

/* --- Admission -------------------------------------------------------------------------------- */

/* What of the path every frame of a burst is asked about. */
struct gate {
    uint8_t ttl_least;
    bool check_source;
};

static inline bool is_plain4(const struct gate *gate, const struct dp_nic *nic, const uint8_t *ip,
                             unsigned bytes)
{
    const unsigned total = dp_load2(ip + 2);

    if (bytes < IPV4_BYTES || (ip[0] != VERSION_IHL) | (total < IPV4_BYTES) | (total > bytes) |
                                  ((dp_load2(ip + 6) & FRAGMENT_BITS) != 0))
        return false;
    return dp_ipv4_checksum_right(ip, IPV4_BYTES) &&
           !dp_stands_out4(nic, dp_load4(ip + 12), dp_load4(ip + 16), ip[9], ip[8], gate->ttl_least,
                           gate->check_source && !nic->ip_forwarding);
}

/* No extension header, nothing that could be one tomorrow: what has ports. */
static inline bool is_plain6(const struct gate *gate, const struct dp_nic *nic, const uint8_t *ip,
                             unsigned bytes)
{
    if (bytes < IPV6_BYTES || (ip[0] >> 4 != 6) | (IPV6_BYTES + dp_load2(ip + 4) > bytes) ||
        !dp_protocol_has_ports(ip[6]))
        return false;
    return !dp_stands_out6(nic, ip + 8, ip + 24, ip[6], ip[7], gate->ttl_least,
                           gate->check_source && !nic->ip_forwarding);
}

static inline void wait(struct dp_express_lane *lane, struct rte_mbuf *mbuf,
                        const struct dp_nic *nic, const struct lpm_fib *fib)
{
    lane->mbufs[lane->n] = mbuf;
    lane->senders[lane->n] = nic;
    lane->fibs[lane->n++] = fib;
}

/* Untagged, in one piece, from a NIC to its gateway. */
static inline enum dp_express_place admit_one(const struct gate *gate, struct dp_express *express,
                                              const struct dp_nic *nic, struct rte_mbuf *mbuf)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *), *ip = frame + DP_ETHERNET_BYTES;
    const unsigned bytes = rte_pktmbuf_data_len(mbuf) - DP_ETHERNET_BYTES;
    const uint16_t ethertype = raw2(frame + 12);

    if (!nic || !same_mac(frame, nic->gateway_mac))
        return DP_EXPRESS_REST;
    if (ethertype == ETHERTYPE4 && is_plain4(gate, nic, ip, bytes)) {
        express->addresses4[express->four.n] = dp_load4(ip + 16);
        wait(&express->four, mbuf, nic, lpm_rcu_dereference(&nic->fib4));
        return DP_EXPRESS_FOUR;
    }
    if (ethertype == ETHERTYPE6 && is_plain6(gate, nic, ip, bytes)) {
        memcpy(express->addresses6[express->six.n], ip + 24, 16);
        wait(&express->six, mbuf, nic, lpm_rcu_dereference(&nic->fib6));
        return DP_EXPRESS_SIX;
    }
    return DP_EXPRESS_REST;
}

static inline bool is_whole(const struct rte_mbuf *mbuf)
{
    return (mbuf->nb_segs == 1) & (rte_pktmbuf_data_len(mbuf) > DP_ETHERNET_BYTES);
}

/* A port that guests share: which of them has the source MAC. Each step is done for all frames before
 * the next, so that slots, ids and records come from memory side by side. Most are at the first slot
 * of their hash; the others are looked for in full. */
static void find_by_mac(const struct dp_path *path, const struct dp_port_table *table,
                        const struct dp_mac_table *macs, uint16_t port, struct rte_mbuf **mbufs,
                        const struct dp_nic **senders, unsigned n)
{
    const struct dp_forwarding *forwarding = path->forwarding;
    uint32_t slots[DP_BURST];

    for (unsigned i = 0; i < n; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        slots[i] = is_whole(mbufs[i]) ? dp_mac_hash(0, frame + 6) & macs->mask : 0;
        __builtin_prefetch(&macs->slots[slots[i]]);
    }
    for (unsigned i = 0; i < n; i++) {
        senders[i] = dp_nic_read(
            forwarding, atomic_load_explicit(&macs->slots[slots[i]], memory_order_acquire));
        __builtin_prefetch(senders[i]);
        __builtin_prefetch((const void *)((uintptr_t)senders[i] + DP_CACHE_LINE));
    }
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        if (!is_whole(mbufs[i]))
            senders[i] = NULL;
        else if (!dp_nic_holds_mac(senders[i], port, frame + 6))
            senders[i] =
                dp_nic_read(forwarding, dp_classify(forwarding, table, port, 0, frame + 6));
    }
}

static void find_senders(const struct dp_path *path, uint16_t port, struct rte_mbuf **mbufs,
                         const struct dp_nic **senders, unsigned n)
{
    const struct dp_port_table *table = dp_port_table(path->forwarding, port);
    const struct dp_mac_table *macs = table ? lpm_rcu_dereference(&table->by_mac) : NULL;
    const struct dp_nic *whole;

    for (unsigned i = 0; i < n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
    if (macs) {
        find_by_mac(path, table, macs, port, mbufs, senders, n);
        return;
    }
    whole = table ? dp_nic_read(path->forwarding,
                                atomic_load_explicit(&table->whole, memory_order_acquire))
                  : NULL;
    for (unsigned i = 0; i < n; i++)
        senders[i] = is_whole(mbufs[i]) ? whole : NULL;
}

void dp_express_admit(const struct dp_path *path, struct dp_express *express, uint16_t port,
                      struct rte_mbuf **mbufs, unsigned n)
{
    const struct gate gate = {.ttl_least = path->forwarding->config.decrement_ttl ? 2 : 0,
                              .check_source = !path->options.skip_source_check};
    const struct dp_nic *senders[DP_BURST];

    express->n = n;
    express->four.n = express->six.n = express->rest_n = 0;
    find_senders(path, port, mbufs, senders, n);
    for (unsigned i = 0; i < n; i++) {
        express->mbufs[i] = mbufs[i];
        express->places[i] = (uint8_t)admit_one(&gate, express, senders[i], mbufs[i]);
    }
}

/* --- Lookup ----------------------------------------------------------------------------------- */

void dp_express_look_up(struct dp_express *express)
{
    if (express->four.n > 0)
        lpm_lookup_bulk4(express->four.fibs, express->addresses4, express->four.leaves,
                         express->four.n);
    if (express->six.n > 0)
        lpm_lookup_bulk6(express->six.fibs, (const uint8_t(*)[16])express->addresses6,
                         express->six.leaves, express->six.n);
}

/* --- Forwarding ------------------------------------------------------------------------------- */

static const struct dp_group *find_group(const struct dp_forwarding *forwarding, uint32_t leaf)
{
    const uint32_t index = leaf <= forwarding->config.group_capacity ? leaf : 0;

    return lpm_rcu_dereference(&forwarding->groups[index]);
}

/* false: VXLAN in transit, whose flow is inside, for the long way to find. */
static inline bool hash_of(const struct dp_path *path, const struct dp_nic *sender,
                           const uint8_t *ip, uint8_t family, uint32_t *hash)
{
    const unsigned fields = path->forwarding->config.hash_fields;
    const bool four = family == LPM_IPV4;
    const uint8_t *source = ip + (four ? 12 : 8), *destination = ip + (four ? 16 : 24);
    const uint8_t *payload = ip + (four ? IPV4_BYTES : IPV6_BYTES);
    const unsigned payload_bytes = four ? dp_load2(ip + 2) - IPV4_BYTES : dp_load2(ip + 4);
    const uint8_t protocol = four ? ip[9] : ip[6];
    const uint32_t label = four ? 0 : dp_load4(ip) & 0xfffff;
    uint16_t ports[2] = {0, 0};

    if (dp_protocol_has_ports(protocol) && payload_bytes >= 4) {
        ports[0] = dp_load2(payload);
        ports[1] = dp_load2(payload + 2);
    }
    if ((protocol == DP_PROTOCOL_UDP) & (ports[1] == DP_VXLAN_PORT) && (fields & DP_HASH_INNER))
        return false;
    *hash = dp_flow_hash_fields(family, source, destination, ports[0], ports[1], protocol, label,
                                fields & ~DP_HASH_INNER, sender->hash_salt);
    return true;
}

/* NULL: not a choice among NICs, or of a NIC that the long way has to look at. */
static inline const struct dp_group_member *choose(const struct dp_path *path,
                                                   const struct dp_group *group,
                                                   const struct dp_nic *sender, const uint8_t *ip,
                                                   uint8_t family)
{
    const struct dp_group_member *member;
    uint32_t hash = 0;

    if (!group || group->kind != DP_GROUP_MEMBERS || group->member_count == 0)
        return NULL;
    if (group->bucket_mask > 0 && !hash_of(path, sender, ip, family, &hash))
        return NULL;
    member = dp_group_take(group, hash & group->bucket_mask, path->options.user,
                           atomic_load_explicit(&path->forwarding->tick, memory_order_relaxed));
    return member->frontend || member->peering != 0 ? NULL : member;
}

/* Is the packet the receiver's, or one for it to forward? Only its first address is at hand. */
static inline bool takes(const struct dp_nic *receiver, const uint8_t *ip, uint8_t family)
{
    if (receiver->ip_forwarding)
        return true;
    return family == LPM_IPV4
               ? receiver->own4 == dp_load4(ip + 16) && receiver->own4 != 0
               : receiver->own6_count > 0 && memcmp(receiver->own6, ip + 24, 16) == 0;
}

/* The way out to a NIC, without a tag; NULL: the long way. */
static inline struct dp_tx *way_to(const struct dp_path *path, const struct dp_nic *receiver,
                                   unsigned total)
{
    struct dp_tx *tx;

    if (!receiver || !receiver->takes_plain || total > receiver->mtu ||
        receiver->port >= path->tx_count)
        return NULL;
    tx = &path->txs[receiver->port];
    if (total > tx->port->mtu || !atomic_load_explicit(&tx->port->link_up, memory_order_relaxed))
        return NULL;
    return tx;
}

static inline void rewrite(uint8_t *frame, const struct dp_nic *receiver, uint8_t family,
                           bool decrement_ttl)
{
    _Static_assert(offsetof(struct dp_nic, gateway_mac) == offsetof(struct dp_nic, mac) + 6,
                   "both MACs are copied at once");
    memcpy(frame, (const uint8_t *)receiver + offsetof(struct dp_nic, mac), 12);
    if (decrement_ttl)
        dp_decrement_ttl(frame + DP_ETHERNET_BYTES, family);
}

/* Frames of one NIC in a row are counted at once. */
struct received {
    uint32_t nic, packets;
    uint64_t bytes;
};

static inline void count_received(const struct dp_path *path, struct received *received,
                                  uint32_t nic, uint32_t bytes)
{
    if (nic != received->nic) {
        dp_count_received(path->counters, received->nic, received->packets, received->bytes);
        *received = (struct received){.nic = nic};
    }
    received->packets++;
    received->bytes += bytes;
}

/* Where a frame goes. */
struct exit {
    const struct dp_nic *receiver;
    uint32_t member; /* its counter; 0: none was chosen */
};

static inline unsigned total_length(const uint8_t *ip, uint8_t family)
{
    return family == LPM_IPV4 ? dp_load2(ip + 2) : IPV6_BYTES + (unsigned)dp_load2(ip + 4);
}

static inline bool forward_one(struct dp_path *path, struct received *received,
                               struct rte_mbuf *mbuf, const struct dp_nic *sender,
                               const struct exit *exit, uint8_t family)
{
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    const unsigned total = total_length(frame + DP_ETHERNET_BYTES, family);
    struct dp_tx *tx = way_to(path, exit->receiver, total);
    const uint32_t bytes = rte_pktmbuf_pkt_len(mbuf);

    if (!tx || !takes(exit->receiver, frame + DP_ETHERNET_BYTES, family))
        return false;
    *dp_tx_slot(path, tx, mbuf) = (struct dp_note){.nic = sender->id,
                                                   .member = exit->member,
                                                   .bytes = bytes,
                                                   .kind = DP_NOTE_FORWARDED,
                                                   .self_loop = exit->receiver == sender};
    count_received(path, received, sender->id, bytes);
    mbuf->data_len = (uint16_t)(DP_ETHERNET_BYTES + total); /* without the link's padding */
    mbuf->pkt_len = DP_ETHERNET_BYTES + total;
    rewrite(frame, exit->receiver, family, path->forwarding->config.decrement_ttl);
    return true;
}

/* Frames of a lane whose group is a VNet: the NIC that has the destination is looked up. */
struct locals {
    unsigned n;
    uint8_t frame[DP_BURST]; /* place in the lane */
    const struct lpm_fib *maps[DP_BURST];
    uint32_t addresses4[DP_BURST];
    uint8_t addresses6[DP_BURST][16];
    uint32_t leaves[DP_BURST];
};

static inline void wait_for_address(const struct dp_path *path, const struct dp_express *express,
                                    struct locals *locals, const struct dp_group *group, unsigned i,
                                    uint8_t family)
{
    const struct dp_vnet *vnet = lpm_rcu_dereference(&path->forwarding->vnets[group->vnet]);

    if (!vnet || group->peering != 0)
        return;
    if (family == LPM_IPV4) {
        locals->addresses4[locals->n] = express->addresses4[i];
        locals->maps[locals->n] = lpm_rcu_dereference(&vnet->map4);
    } else {
        memcpy(locals->addresses6[locals->n], express->addresses6[i], 16);
        locals->maps[locals->n] = lpm_rcu_dereference(&vnet->map6);
    }
    locals->frame[locals->n++] = (uint8_t)i;
}

/* A leaf above the NICs is a frontend's. */
static inline void find_locals(const struct dp_path *path, struct locals *locals,
                               struct exit *exits, uint8_t family)
{
    if (locals->n == 0)
        return;
    if (family == LPM_IPV4)
        lpm_lookup_bulk4(locals->maps, locals->addresses4, locals->leaves, locals->n);
    else
        lpm_lookup_bulk6(locals->maps, (const uint8_t(*)[16])locals->addresses6, locals->leaves,
                         locals->n);
    for (unsigned i = 0; i < locals->n; i++) {
        const struct dp_nic *receiver = dp_nic_read(path->forwarding, locals->leaves[i]);
        exits[locals->frame[i]].receiver = receiver;
        __builtin_prefetch(receiver);
    }
}

static inline void find_exits(const struct dp_path *path, const struct dp_express *express,
                              const struct dp_express_lane *lane, const struct dp_group **groups,
                              struct exit *exits, uint8_t family)
{
    struct locals locals;

    locals.n = 0;
    for (unsigned i = 0; i < lane->n; i++) {
        const uint8_t *ip = rte_pktmbuf_mtod(lane->mbufs[i], const uint8_t *) + DP_ETHERNET_BYTES;
        const struct dp_group_member *member;
        exits[i] = (struct exit){0};
        if (groups[i] && groups[i]->kind == DP_GROUP_VNET) {
            wait_for_address(path, express, &locals, groups[i], i, family);
            continue;
        }
        member = choose(path, groups[i], lane->senders[i], ip, family);
        if (!member)
            continue;
        exits[i].receiver = dp_nic_read(path->forwarding, member->nic);
        exits[i].member = member->counter;
        __builtin_prefetch(exits[i].receiver);
    }
    find_locals(path, &locals, exits, family);
}

/* Where the frames of a lane go: groups first, for all, then what they name. */
static inline __attribute__((always_inline)) void
find_lane_exits(const struct dp_path *path, const struct dp_express *express,
                const struct dp_express_lane *lane, struct exit *exits, uint8_t family)
{
    const struct dp_group *groups[DP_BURST];

    for (unsigned i = 0; i < lane->n; i++) {
        groups[i] = find_group(path->forwarding, lane->leaves[i]);
        __builtin_prefetch(groups[i]);
    }
    find_exits(path, express, lane, groups, exits, family);
}

void dp_express_forward(struct dp_path *path, struct dp_express *express)
{
    struct exit exits[DP_EXPRESS_SIX + 1][DP_BURST];
    struct received received = {0};
    unsigned four = 0, six = 0;

    find_lane_exits(path, express, &express->four, exits[DP_EXPRESS_FOUR], LPM_IPV4);
    find_lane_exits(path, express, &express->six, exits[DP_EXPRESS_SIX], LPM_IPV6);
    for (unsigned i = 0; i < express->n; i++) {
        bool gone = false;
        if (express->places[i] == DP_EXPRESS_FOUR) {
            gone = forward_one(path, &received, express->mbufs[i], express->four.senders[four],
                               &exits[DP_EXPRESS_FOUR][four], LPM_IPV4);
            four++;
        } else if (express->places[i] == DP_EXPRESS_SIX) {
            gone = forward_one(path, &received, express->mbufs[i], express->six.senders[six],
                               &exits[DP_EXPRESS_SIX][six], LPM_IPV6);
            six++;
        }
        if (!gone)
            express->rest[express->rest_n++] = express->mbufs[i];
    }
    dp_count_received(path->counters, received.nic, received.packets, received.bytes);
}
