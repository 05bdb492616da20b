/*
 * The express way's last step: from leaves to transmit buffers.
 *
 *     leaf ─> group ─> bucket ─> member ─> receiver ─> port
 *
 * Each arrow is a load that may miss, so that each is a loop over the lane that asks for the lines
 * of the next one; only the last writes. See express.h.
 */
#include "dataplane/express.h"

#include "dataplane/hash.h"
#include "dataplane/plain.h"
#include "dataplane/tunnel.h"
#include "dataplane/watch.h"

#define IPV4_BYTES 20u
#define IPV6_BYTES 40u

/* Where a frame goes. */
struct exit {
    const struct dp_nic *receiver; /* NULL: the long way */
    uint32_t member;               /* its counter; 0: none was chosen */
};
/* What a lane's frames have found so far, by their place in it. */
struct finds {
    const struct dp_group *groups[DP_BURST]; /* NULL: the long way */
    uint32_t buckets[DP_BURST];
    struct exit exits[DP_BURST];
};

static inline unsigned total_length(const uint8_t *ip, uint8_t family)
{
    return family == LPM_IPV4 ? dp_load2(ip + 2) : IPV6_BYTES + dp_load2(ip + 4);
}

/* --- Groups and members ----------------------------------------------------------------------- */

static inline void find_groups(const struct dp_forwarding *forwarding,
                               const struct dp_express_lane *lane, struct finds *finds)
{
    struct dp_group *const _Atomic *groups = forwarding->groups;
    const uint32_t capacity = forwarding->config.group_capacity;

    for (unsigned i = 0; i < lane->n; i++) {
        const uint32_t leaf = lane->leaves[i];
        finds->groups[i] = lpm_rcu_dereference(&groups[leaf <= capacity ? leaf : 0]);
        __builtin_prefetch((const char *)finds->groups[i] + offsetof(struct dp_group, kind));
    }
}

/* Ports of the packet's flow; 0 where it has none. */
static inline void read_ports(const uint8_t *ip, uint8_t family, uint16_t ports[2])
{
    const bool four = family == LPM_IPV4;
    const unsigned header = four ? IPV4_BYTES : IPV6_BYTES;
    const bool has =
        dp_protocol_has_ports(four ? ip[9] : ip[6]) && total_length(ip, family) >= header + 4;

    ports[0] = has ? dp_load2(ip + header) : 0;
    ports[1] = has ? dp_load2(ip + header + 2) : 0;
}

static inline uint32_t hash_of(const uint8_t *ip, uint8_t family, const uint16_t ports[2],
                               unsigned fields, uint32_t salt)
{
    const bool four = family == LPM_IPV4;
    const uint8_t *source = ip + (four ? 12 : 8), *destination = ip + (four ? 16 : 24);
    const uint32_t label = four ? 0 : dp_load4(ip) & 0xfffff;

    return dp_flow_hash_fields(family, source, destination, ports[0], ports[1],
                               four ? ip[9] : ip[6], label, fields, salt);
}

/* Of the choice of a member. false: VXLAN in transit, whose flow is inside, for the long way to find. */
static inline bool hash_choice(const struct dp_path *path, const struct dp_nic *sender,
                               const uint8_t *ip, uint8_t family, uint32_t *hash)
{
    const unsigned fields = path->forwarding->config.hash_fields;
    uint16_t ports[2];

    read_ports(ip, family, ports);
    if ((ports[1] == DP_VXLAN_PORT) & ((family == LPM_IPV4 ? ip[9] : ip[6]) == DP_PROTOCOL_UDP) &&
        (fields & DP_HASH_INNER))
        return false;
    *hash = hash_of(ip, family, ports, fields & ~DP_HASH_INNER, sender->hash_salt);
    return true;
}

/* Buckets of a group's table are so many that each is likely to miss. */
static inline void find_buckets(const struct dp_path *path, const struct dp_express_lane *lane,
                                struct finds *finds, uint8_t family)
{
    for (unsigned i = 0; i < lane->n; i++) {
        const struct dp_group *group = finds->groups[i];
        uint32_t hash = 0;
        if (group && group->bucket_mask > 0) {
            if (!hash_choice(path, lane->senders[i], lane->ips[i], family, &hash)) {
                finds->groups[i] = NULL;
                continue;
            }
            hash &= group->bucket_mask;
            __builtin_prefetch(&group->buckets[hash]);
        }
        finds->buckets[i] = hash;
    }
}

/* --- Addresses of VNets ----------------------------------------------------------------------- */

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
static void find_locals(const struct dp_path *path, struct locals *locals, struct exit *exits,
                        uint8_t family)
{
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

/* --- Receivers -------------------------------------------------------------------------------- */

/* Not of a choice that the long way has to look at. */
static inline struct exit exit_of(const struct dp_path *path, const struct dp_group *group,
                                  uint32_t bucket, uint32_t tick)
{
    const struct dp_group_member *member = dp_group_take(group, bucket, path->options.user, tick);

    if (member->frontend || member->peering != 0)
        return (struct exit){0};
    return (struct exit){dp_nic_read(path->forwarding, member->nic), member->counter};
}

static inline __attribute__((always_inline)) void find_exits(const struct dp_path *path,
                                                             const struct dp_express *express,
                                                             const struct dp_express_lane *lane,
                                                             struct finds *finds, uint8_t family)
{
    const uint32_t tick = atomic_load_explicit(&path->forwarding->tick, memory_order_relaxed);
    struct locals locals;

    locals.n = 0;
    for (unsigned i = 0; i < lane->n; i++) {
        const struct dp_group *group = finds->groups[i];
        struct exit *exit = &finds->exits[i];
        if (group && group->kind == DP_GROUP_MEMBERS && group->member_count > 0) {
            *exit = exit_of(path, group, finds->buckets[i], tick);
            __builtin_prefetch(exit->receiver);
            continue;
        }
        *exit = (struct exit){0};
        if (group && group->kind == DP_GROUP_VNET)
            wait_for_address(path, express, &locals, group, i, family);
    }
    if (locals.n > 0)
        find_locals(path, &locals, finds->exits, family);
}

/* What goes to a NIC that is observed takes the long way, where it is seen. */
static void close_observed(const struct dp_watch *watch, struct exit *exits, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (exits[i].receiver && dp_watch_wants(watch, exits[i].receiver->id))
            exits[i].receiver = NULL;
    }
}

/* --- Sending ---------------------------------------------------------------------------------- */

/* The way out by a port, as it was for the frame before. */
struct door {
    struct dp_tx *tx;
    uint16_t port;
    uint16_t mtu; /* 0: shut */
    uint16_t tunnel_mtu;
    bool has_tunnel; /* tunnel is made */
    struct dp_tunnel tunnel;
};

static inline void open_door(const struct dp_path *path, struct door *door, uint16_t port)
{
    door->port = port;
    door->mtu = door->tunnel_mtu = 0;
    door->has_tunnel = false;
    if (port >= path->tx_count)
        return;
    door->tx = &path->txs[port];
    if (!atomic_load_explicit(&door->tx->port->link_up, memory_order_relaxed))
        return;
    door->mtu = door->tx->port->mtu;
    door->tunnel_mtu = dp_vxlan_mtu(door->mtu, LPM_IPV4);
}

/* false: no tunnel over IPv4 begins there. */
static bool make_tunnel(const struct dp_path *path, struct door *door)
{
    const struct dp_underlay *underlay = dp_underlay_read(path->forwarding, door->port);

    if (!underlay || underlay->address.family != LPM_IPV4)
        return false;
    dp_tunnel_begin(&door->tunnel, underlay);
    door->has_tunnel = true;
    return true;
}

/* Puts the tunnel's header in front of the IP packet's Ethernet header, which is still to be written.
 * false: the long way knows why not, and nothing was changed. */
static inline bool enter_tunnel(const struct dp_path *path, struct door *door,
                                const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                                const uint8_t *ip, uint8_t family)
{
    struct dp_tunnel_frame frame = {
        .class = family == LPM_IPV4 ? ip[1] : (uint8_t)(dp_load2(ip) >> 4),
        .remote = dp_load4(receiver->neighbor->address.bytes),
        .vni = receiver->vni,
        .bytes = DP_ETHERNET_BYTES + total_length(ip, family),
    };
    uint16_t ports[2];

    if ((!door->has_tunnel && !make_tunnel(path, door)) ||
        !dp_underlay_mac(door->tunnel.underlay, receiver->neighbor, frame.mac) ||
        mbuf->data_off < DP_TUNNEL_HEADER)
        return false;
    read_ports(ip, family, ports);
    frame.flow = hash_of(ip, family, ports, 5, 0);
    mbuf->data_off -= DP_TUNNEL_HEADER;
    dp_tunnel_write(rte_pktmbuf_mtod(mbuf, uint8_t *), &door->tunnel, &frame);
    return true;
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

static inline void rewrite(uint8_t *ip, const struct dp_nic *receiver, uint8_t family,
                           bool decrement_ttl)
{
    _Static_assert(offsetof(struct dp_nic, gateway_mac) == offsetof(struct dp_nic, mac) + 6,
                   "both MACs are copied at once");
    memcpy(ip - DP_ETHERNET_BYTES, (const uint8_t *)receiver + offsetof(struct dp_nic, mac), 12);
    if (decrement_ttl)
        dp_decrement_ttl(ip, family);
}

static inline __attribute__((always_inline)) bool send_one(struct dp_path *path, struct door *door,
                                                           const struct dp_express_lane *lane,
                                                           unsigned i, const struct exit *exit,
                                                           uint8_t family, bool decrement_ttl)
{
    const struct dp_nic *receiver = exit->receiver, *sender = lane->senders[i];
    struct rte_mbuf *mbuf = lane->mbufs[i];
    uint8_t *ip = lane->ips[i];
    const unsigned total = total_length(ip, family), whole = rte_pktmbuf_pkt_len(mbuf);
    unsigned length = DP_ETHERNET_BYTES + total; /* without the link's padding */

    if (!receiver)
        return false;
    if (receiver->port != door->port)
        open_door(path, door, receiver->port);
    if ((total > receiver->express_mtu) | (total > door->mtu) || !takes(receiver, ip, family))
        return false;
    if (receiver->attachment == DP_ATTACHMENT_VXLAN) {
        if (total > door->tunnel_mtu || !enter_tunnel(path, door, receiver, mbuf, ip, family))
            return false;
        length += DP_TUNNEL_HEADER;
    }
    *dp_tx_slot(path, door->tx, mbuf) = (struct dp_note){.nic = sender->id,
                                                         .member = exit->member,
                                                         .bytes = whole,
                                                         .kind = DP_NOTE_EXPRESS,
                                                         .self_loop = receiver == sender};
    mbuf->data_len = (uint16_t)length;
    mbuf->pkt_len = length;
    rewrite(ip, receiver, family, decrement_ttl);
    return true;
}

static inline __attribute__((always_inline)) void forward_lane(struct dp_path *path,
                                                               struct dp_express *express,
                                                               const struct dp_express_lane *lane,
                                                               uint8_t family)
{
    const bool decrement_ttl = path->forwarding->config.decrement_ttl;
    struct finds finds;
    struct door door;

    if (lane->n == 0)
        return;
    find_groups(path->forwarding, lane, &finds);
    find_buckets(path, lane, &finds, family);
    find_exits(path, express, lane, &finds, family);
    if (path->watch)
        close_observed(path->watch, finds.exits, lane->n);
    open_door(path, &door, 0);
    for (unsigned i = 0; i < lane->n; i++)
        if (send_one(path, &door, lane, i, &finds.exits[i], family, decrement_ttl))
            express->taken |= UINT64_C(1) << lane->places[i];
}

void dp_express_forward(struct dp_path *path, struct dp_express *express)
{
    _Static_assert(DP_BURST <= 64, "a bit for each frame of a burst");
    forward_lane(path, express, &express->four, LPM_IPV4);
    forward_lane(path, express, &express->six, LPM_IPV6);
    if ((unsigned)__builtin_popcountll(express->taken) == express->n)
        return;
    for (unsigned i = 0; i < express->n; i++)
        if (!(express->taken >> i & 1))
            express->rest[express->rest_n++] = express->mbufs[i];
}
