/*
 * The express way's last step: from leaves to transmit buffers.
 *
 *     leaf ─> group ─> bucket ─> member ─> receiver ─> port
 *
 * Each arrow is a load that may miss, so that each is a loop over the lane that asks for the lines
 * of the next one; only the last writes. See express.h.
 */
#include "dataplane/express.h"

#include "dataplane/express_flow.h"
#include "dataplane/trace_notes.h"
#include "dataplane/watch.h"

/* What a lane's frames have found so far, by their place in it. */
struct finds {
    const struct dp_group *groups[DP_BURST]; /* NULL: the long way */
    uint32_t buckets[DP_BURST];
    struct dp_exit exits[DP_BURST];
};

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

/* Of the choice of a member. false: VXLAN in transit, whose flow is inside, for the long way to find. */
static inline bool hash_choice(const struct dp_path *path, const struct dp_express_lane *lane,
                               unsigned i, uint8_t family, uint32_t *hash)
{
    const unsigned fields = path->forwarding->config.hash_fields;
    const uint8_t *ip = lane->ips[i];
    const uint8_t protocol = family == LPM_IPV4 ? ip[9] : ip[6];
    uint16_t ports[2];

    dp_express_ports(ip, family, lane->totals[i], ports);
    if ((ports[1] == DP_VXLAN_PORT) & (protocol == DP_PROTOCOL_UDP) && (fields & DP_HASH_INNER))
        return false;
    *hash =
        dp_express_hash(ip, family, ports, fields & ~DP_HASH_INNER, lane->senders[i]->hash_salt);
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
            if (!hash_choice(path, lane, i, family, &hash)) {
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
static void find_locals(const struct dp_path *path, struct locals *locals, struct dp_exit *exits,
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
        struct dp_exit *exit = &finds->exits[i];
        if (group && group->express) {
            const struct dp_group_member *member =
                dp_group_take(group, finds->buckets[i], path->options.user, tick);
            *exit = (struct dp_exit){dp_nic_read(path->forwarding, member->nic), member->counter};
            __builtin_prefetch(exit->receiver);
            continue;
        }
        *exit = (struct dp_exit){0};
        if (group && group->kind == DP_GROUP_VNET)
            wait_for_address(path, express, &locals, group, i, family);
    }
    if (locals.n > 0)
        find_locals(path, &locals, finds->exits, family);
}

/* What goes to a NIC that is observed takes the long way, where it is seen. */
static void close_observed(const struct dp_watch *watch, struct dp_exit *exits, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (exits[i].receiver && dp_watch_wants(watch, exits[i].receiver->id))
            exits[i].receiver = NULL;
    }
}

/* The only frame's, for its trace: all that was found is asked for again, of the same records. */
static void note_found(const struct dp_path *path, const struct dp_express_lane *lane,
                       const struct finds *finds, uint8_t family)
{
    const struct dp_group *group = finds->groups[0];
    struct dp_trace_find find = {.group = group,
                                 .bucket = finds->buckets[0],
                                 .counter = finds->exits[0].member,
                                 .receiver = finds->exits[0].receiver};

    if (!find.receiver)
        return; /* the long way finds out why */
    if (group->kind == DP_GROUP_VNET) {
        const struct dp_vnet *vnet = lpm_rcu_dereference(&path->forwarding->vnets[group->vnet]);

        find.leaf = find.receiver->id;
        find.map =
            vnet ? lpm_rcu_dereference(family == LPM_IPV4 ? &vnet->map4 : &vnet->map6) : NULL;
    } else if (group->bucket_mask > 0) {
        hash_choice(path, lane, 0, family, &find.hash);
    }
    dp_trace_express_found(path, lane, family, &find);
}

static void look_at_observed(const struct dp_path *path, const struct dp_express_lane *lane,
                             struct finds *finds, uint8_t family)
{
    close_observed(path->watch, finds->exits, lane->n);
    if (path->options.trace)
        note_found(path, lane, finds, family);
}

/* --- All of it -------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void find(const struct dp_path *path,
                                                       const struct dp_express *express,
                                                       const struct dp_express_lane *lane,
                                                       struct finds *finds, uint8_t family)
{
    find_groups(path->forwarding, lane, finds);
    find_buckets(path, lane, finds, family);
    find_exits(path, express, lane, finds, family);
    if (path->watch)
        look_at_observed(path, lane, finds, family);
}

void dp_express_forward(struct dp_path *path, struct dp_express *express)
{
    _Static_assert(DP_BURST <= 64, "a bit for each frame of a burst");
    struct finds finds;

    if (express->four.n > 0) {
        find(path, express, &express->four, &finds, LPM_IPV4);
        dp_express_send4(path, express, finds.exits);
    }
    if (express->six.n > 0) {
        find(path, express, &express->six, &finds, LPM_IPV6);
        dp_express_send6(path, express, finds.exits);
    }
    for (uint64_t left = express->left; left != 0; left &= left - 1)
        express->rest[express->rest_n++] = express->mbufs[__builtin_ctzll(left)];
}
