/*
 * The decision: what becomes of a packet that a NIC sends. One code for the packet path, the twin
 * and the tests.
 *
 * The order of the walk, per packet:
 *
 *   1  the NIC is set                                  else unknown-attachment
 *   2  destination is no platform address              else platform-address
 *      a neighbour solicitation is answered (its source may be link-local or unspecified)
 *      destination is no multicast, broadcast, martian else multicast, broadcast, martian
 *      source is no martian                            else martian
 *   3  source is the NIC's own, or it may forward      else source-check
 *   4  an echo request to a gateway address is answered
 *   5  TTL lasts (native mode)                         else ttl-expired
 *   6  longest prefix match in the NIC's FIB           else no-route
 *   7  the group: None, a VNet's NICs, a member by     else null-route, no-member
 *      flow hash, or the internet; where that is a     no-healthy-backend
 *      frontend, one of its backends by the same hash
 *   8  the receiving NIC exists                        else next-hop-unreachable
 *   9  the peering to it allows access, and foreign    else access-not-allowed,
 *      sources                                              forwarded-traffic-not-allowed
 *  10  destination is its own, or it may forward       else receiver-not-forwarding
 *      (not asked of the internet)
 *  11  it may be the sender itself: self-loop, forwarded all the same
 *
 * A burst goes through in stages, all packets through one before the next, so that the memory one
 * packet waits for is fetched while others are worked on:
 *
 *   admit (1-5, admit.c) -> routes (6) -> groups (7) -> VNet addresses (7) -> deliver (8-11)
 *
 * Packets leave the lists as they are dropped or answered. Every pointer is loaded once per packet,
 * so each packet sees each record before a change or after it.
 */
#include "dataplane/decide.h"
#include "dataplane/hash.h"
#include "dataplane/trace_steps.h"

/* --- Routes, groups, buckets: steps 6 and 7 --------------------------------------------------- */

/* Twice in a burst: routes first, then the addresses of those whose group is a VNet. */
static void look_up(struct dp_decision *decision)
{
    if (decision->four.n > 0)
        lpm_lookup_bulk4(decision->four.fibs, decision->addresses4, decision->four.leaves,
                         decision->four.n);
    if (decision->six.n > 0)
        lpm_lookup_bulk6(decision->six.fibs, (const uint8_t(*)[16])decision->addresses6,
                         decision->six.leaves, decision->six.n);
}

/* NULL: a leaf that no group stands behind, 0 above all. */
static void find_groups(struct dp_decision *decision, const struct dp_lookups *routes)
{
    const struct dp_forwarding *forwarding = decision->forwarding;

    for (unsigned i = 0; i < routes->n; i++) {
        const uint32_t leaf = routes->leaves[i];
        const uint32_t index = leaf <= forwarding->config.group_capacity ? leaf : 0;

        decision->groups[i] = lpm_rcu_dereference(&forwarding->groups[index]);
        __builtin_prefetch(decision->groups[i]);
    }
}

/* The receiver's record is asked for here and read in deliver(), when it has come. */
static inline void deliver_to(struct dp_decision *decision, unsigned packet, uint32_t nic,
                              uint8_t allowance)
{
    struct dp_delivery *delivery = &decision->deliveries[decision->delivery_count++];

    decision->verdicts[packet].nic = nic;
    delivery->receiver = dp_nic_read(decision->forwarding, nic);
    delivery->packet = (uint16_t)packet;
    delivery->allowance = allowance;
    __builtin_prefetch(delivery->receiver);
}

/* Of the bucket at this level, other bits of the hash than the level before took: where buckets are
 * filled evenly, equal ones would make the two choices depend on each other. */
static inline uint32_t backend_bucket(uint32_t hash, const struct dp_group *group)
{
    return (hash >> 16 | hash << 16) & group->bucket_mask;
}

/* The second level: a frontend stands for the members of a group of its own. What the peering allows
 * is the way to the frontend's VNet, in which all backends are. A load balancer is one for all who
 * send, so it hashes without the sender's salt: both directions of a flow meet one backend. */
static void choose_backend(struct dp_decision *decision, unsigned packet, uint32_t id,
                           uint8_t allowance)
{
    struct dp_verdict *verdict = &decision->verdicts[packet];
    const struct dp_group *group = lpm_rcu_dereference(&decision->forwarding->groups[id]);
    const struct dp_group_member *member;
    uint32_t hash = 0;

    if (!group || group->kind != DP_GROUP_MEMBERS) {
        dp_verdict_drop(verdict, DP_REASON_NEXT_HOP_UNREACHABLE);
        return;
    }
    if (group->member_count == 0) {
        dp_verdict_drop(verdict, DP_REASON_NO_HEALTHY_BACKEND);
        return;
    }
    if (group->bucket_mask > 0)
        hash = dp_flow_hash_inline(&decision->packets[packet], decision->hash_fields, 0);
    decision->backends = group;
    decision->backend_hash = hash;
    decision->backend_bucket = backend_bucket(hash, group);
    member = dp_group_take(group, decision->backend_bucket, decision->user, decision->tick);
    if (member->frontend) {
        dp_verdict_drop(verdict, DP_REASON_NEXT_HOP_UNREACHABLE);
        return;
    }
    if (verdict->hash == 0)
        verdict->hash = hash;
    verdict->backend = member->next_hop;
    verdict->backend_counter = member->counter;
    deliver_to(decision, packet, member->nic, allowance);
}

/* One bucket needs no hash, and most groups have one. */
static inline void choose_member(struct dp_decision *decision, unsigned packet,
                                 const struct dp_group *group)
{
    struct dp_verdict *verdict = &decision->verdicts[packet];
    const struct dp_group_member *member;

    if (group->member_count == 0) {
        dp_verdict_drop(verdict, DP_REASON_NO_MEMBER);
        return;
    }
    if (group->bucket_mask > 0)
        verdict->hash = dp_flow_hash_inline(&decision->packets[packet], decision->hash_fields,
                                            decision->senders[packet]->hash_salt);
    verdict->bucket = verdict->hash & group->bucket_mask;
    member = dp_group_take(group, verdict->bucket, decision->user, decision->tick);
    verdict->next_hop = member->next_hop;
    verdict->member_counter = member->counter;
    if (member->frontend)
        choose_backend(decision, packet, member->nic, member->peering);
    else
        deliver_to(decision, packet, member->nic, member->peering);
}

/* Waits for a second leaf, of its VNet's address map. The lists are compacted in place: slot
 * lookups->n is never beyond the one that is being read. */
static void wait_for_address(struct dp_decision *decision, struct dp_lookups *lookups,
                             unsigned packet, const struct dp_group *group)
{
    const struct dp_forwarding *forwarding = decision->forwarding;
    const struct dp_vnet *vnet = lpm_rcu_dereference(&forwarding->vnets[group->vnet]);

    if (!vnet)
        vnet = forwarding->absent_vnet;
    decision->peering[packet] = group->peering;
    if (lookups == &decision->four) {
        decision->addresses4[lookups->n] = dp_load4(decision->packets[packet].destination);
        dp_wait_for_leaf(lookups, packet, lpm_rcu_dereference(&vnet->map4));
    } else {
        memcpy(decision->addresses6[lookups->n], decision->packets[packet].destination, 16);
        dp_wait_for_leaf(lookups, packet, lpm_rcu_dereference(&vnet->map6));
    }
}

static inline void follow_group(struct dp_decision *decision, struct dp_lookups *lookups,
                                unsigned packet, const struct dp_group *group)
{
    struct dp_verdict *verdict = &decision->verdicts[packet];

    if (!group) {
        dp_verdict_drop(verdict, DP_REASON_NO_ROUTE);
        return;
    }
    switch ((enum dp_group_kind)group->kind) {
    case DP_GROUP_NULL:
        dp_verdict_drop(verdict, DP_REASON_NULL_ROUTE);
        break;
    case DP_GROUP_VNET:
        wait_for_address(decision, lookups, packet, group);
        break;
    case DP_GROUP_MEMBERS:
        choose_member(decision, packet, group);
        break;
    case DP_GROUP_INTERNET:
        deliver_to(decision, packet, DP_NIC_INTERNET, DP_TAKES_ALL);
        break;
    }
}

/* Group pointers are fetched for all before the first is followed. */
static void follow_groups(struct dp_decision *decision, struct dp_lookups *lookups)
{
    const unsigned n = lookups->n;

    find_groups(decision, lookups);
    lookups->n = 0;
    for (unsigned i = 0; i < n; i++) {
        const unsigned packet = lookups->packet[i];

        decision->verdicts[packet].group = lookups->leaves[i];
        follow_group(decision, lookups, packet, decision->groups[i]);
    }
}

/* Leaf 0, no NIC has the address, is the NIC that is never there. */
static void take_addresses(struct dp_decision *decision, const struct dp_lookups *addresses)
{
    const uint32_t nic_capacity = decision->forwarding->config.nic_capacity;

    for (unsigned i = 0; i < addresses->n; i++) {
        const unsigned packet = addresses->packet[i];
        const uint32_t leaf = addresses->leaves[i];

        if (leaf > nic_capacity)
            choose_backend(decision, packet, leaf - nic_capacity, decision->peering[packet]);
        else
            deliver_to(decision, packet, leaf, decision->peering[packet]);
    }
}

/* --- Delivery: steps 8 to 11 ------------------------------------------------------------------ */

static bool owns_destination(const struct dp_nic *nic, const struct dp_packet *packet)
{
    if (packet->family == LPM_IPV4)
        return dp_nic_owns4(nic, dp_load4(packet->destination));
    return dp_nic_owns6(nic, packet->destination);
}

static bool in_space4(const struct dp_vnet *vnet, uint32_t address)
{
    for (unsigned i = 0; i < vnet->space4_count; i++) {
        if ((address & vnet->space4[i].mask) == vnet->space4[i].base)
            return true;
    }
    return false;
}

static bool in_space6(const struct dp_vnet *vnet, const uint8_t *address)
{
    struct lpm_address asked = {.family = LPM_IPV6};

    memcpy(asked.bytes, address, 16);
    for (unsigned i = 0; i < vnet->space6_count; i++) {
        if (lpm_prefix_contains(&vnet->space6[i], &asked))
            return true;
    }
    return false;
}

/* A source outside the sender's own VNet was forwarded to it from elsewhere. */
static bool source_is_foreign(const struct dp_decision *decision, unsigned packet)
{
    const struct dp_packet *from = &decision->packets[packet];
    const struct dp_vnet *vnet =
        lpm_rcu_dereference(&decision->forwarding->vnets[decision->senders[packet]->vnet]);

    if (!vnet)
        return true;
    if (from->family == LPM_IPV4)
        return !in_space4(vnet, dp_load4(from->source));
    return !in_space6(vnet, from->source);
}

/* Does the peering keep out what the sender passes on for others? */
static bool keeps_out(const struct dp_decision *decision, const struct dp_delivery *delivery)
{
    const struct dp_nic *sender = decision->senders[delivery->packet];

    return (delivery->allowance & DP_PEERING_NO_FORWARDED) &&
           !(sender->gateway && (delivery->allowance & DP_PEERING_GATEWAYS)) &&
           source_is_foreign(decision, delivery->packet);
}

/* In order, for what is not plainly fine. true: delivered. */
static bool check_delivery(const struct dp_decision *decision, const struct dp_delivery *delivery)
{
    struct dp_verdict *verdict = &decision->verdicts[delivery->packet];
    const struct dp_nic *receiver = delivery->receiver;

    if (!receiver) {
        verdict->nic = 0;
        dp_verdict_drop(verdict, DP_REASON_NEXT_HOP_UNREACHABLE);
    } else if (delivery->allowance & DP_PEERING_NO_ACCESS) {
        dp_verdict_drop(verdict, DP_REASON_ACCESS_NOT_ALLOWED);
    } else if (keeps_out(decision, delivery)) {
        dp_verdict_drop(verdict, DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED);
    } else if (!receiver->ip_forwarding && !(delivery->allowance & DP_TAKES_ALL) &&
               !owns_destination(receiver, &decision->packets[delivery->packet])) {
        dp_verdict_drop(verdict, DP_REASON_RECEIVER_NOT_FORWARDING);
    } else {
        return true;
    }
    return false;
}

static void deliver(struct dp_decision *decision)
{
    for (unsigned i = 0; i < decision->delivery_count; i++) {
        const struct dp_delivery *delivery = &decision->deliveries[i];
        const struct dp_nic *receiver = delivery->receiver;
        struct dp_verdict *verdict = &decision->verdicts[delivery->packet];
        const bool plain = receiver && receiver->ip_forwarding && delivery->allowance == 0;

        if (!plain && !check_delivery(decision, delivery))
            continue;
        verdict->action = DP_FORWARD;
        verdict->self_loop = verdict->nic == decision->senders[delivery->packet]->id;
    }
}

/* --- The burst -------------------------------------------------------------------------------- */

/* Of the step that is done, where somebody asks. */
static inline void note(const struct dp_decision *decision,
                        void (*step)(const struct dp_decision *decision))
{
    if (decision->trace)
        step(decision);
}

static void decide_burst(struct dp_decision *decision, const uint32_t *nics, unsigned n)
{
    decision->four.n = decision->six.n = decision->delivery_count = 0;
    dp_admit(decision, nics, n);
    note(decision, dp_trace_admitted);
    look_up(decision);
    note(decision, dp_trace_looked_up);
    follow_groups(decision, &decision->four);
    follow_groups(decision, &decision->six);
    note(decision, dp_trace_followed);
    look_up(decision);
    note(decision, dp_trace_waited);
    take_addresses(decision, &decision->four);
    take_addresses(decision, &decision->six);
    deliver(decision);
    note(decision, dp_trace_decided);
}

void dp_decide(const struct dp_forwarding *forwarding, const uint32_t *nics,
               const struct dp_packet *packets, struct dp_verdict *verdicts, unsigned n,
               const struct dp_decide_options *options)
{
    struct dp_decision decision;

    decision.forwarding = forwarding;
    decision.ttl_least = forwarding->config.decrement_ttl ? 2 : 0;
    decision.hash_fields = forwarding->config.hash_fields;
    decision.check_source = !options || !options->skip_source_check;
    decision.user = options ? options->user : 0;
    decision.trace = options && n == 1 ? options->trace : NULL;
    decision.tick = atomic_load_explicit(&forwarding->tick, memory_order_relaxed);
    for (unsigned done = 0; done < n; done += DP_DECISION_SIZE) {
        decision.packets = packets + done;
        decision.verdicts = verdicts + done;
        decide_burst(&decision, nics + done,
                     n - done < DP_DECISION_SIZE ? n - done : DP_DECISION_SIZE);
    }
}
