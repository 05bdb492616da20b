/* The packet walk over lists. See model.h. */
#include "tests/dataplane/model.h"

#include <assert.h>
#include <string.h>

static bool in(const struct lpm_address *address, const char *text)
{
    struct lpm_prefix prefix;
    const int error = lpm_prefix_parse(text, &prefix);

    assert(error == 0);
    (void)error;
    return lpm_prefix_contains(&prefix, address);
}

static bool in_any(const struct lpm_address *address, const char *const *texts)
{
    for (; *texts; texts++) {
        if (in(address, *texts))
            return true;
    }
    return false;
}

static struct lpm_address address_of(uint8_t family, const uint8_t *bytes)
{
    struct lpm_address address = {.family = family};

    memcpy(address.bytes, bytes, family == LPM_IPV4 ? 4 : 16);
    return address;
}

static bool owns(const struct model_nic *nic, const struct lpm_address *address)
{
    for (unsigned i = 0; i < nic->config.address_count; i++) {
        if (lpm_address_equal(&nic->addresses[i], address))
            return true;
    }
    return false;
}

/* The last bit pattern of a prefix: all host bits one. */
static struct lpm_address last_of(const struct lpm_prefix *prefix)
{
    struct lpm_address last = address_of(prefix->family, prefix->bytes);
    const unsigned bits = prefix->family == LPM_IPV4 ? 32 : 128;

    for (unsigned bit = prefix->length; bit < bits; bit++)
        last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return last;
}

static bool is_gateway(const struct model_nic *nic, const struct lpm_address *address)
{
    for (unsigned i = 0; i < nic->config.subnet_count; i++) {
        const struct lpm_prefix *subnet = &nic->subnets[i];
        struct lpm_address gateway = address_of(subnet->family, subnet->bytes);

        if (subnet->length == (subnet->family == LPM_IPV4 ? 32 : 128))
            continue;
        gateway.bytes[subnet->family == LPM_IPV4 ? 3 : 15] |= 1;
        if (lpm_address_equal(&gateway, address))
            return true;
    }
    return false;
}

static bool is_gateway_link_local(const struct model_nic *nic, const struct lpm_address *address)
{
    const uint8_t *mac = nic->config.gateway_mac;
    const uint8_t bytes[16] = {0xfe,       0x80,   0,      0,    0,    0,      0,      0,
                               mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

    return address->family == LPM_IPV6 && memcmp(address->bytes, bytes, 16) == 0;
}

static bool is_broadcast(const struct model_nic *nic, const struct lpm_address *address)
{
    if (in(address, "255.255.255.255/32"))
        return true;
    for (unsigned i = 0; i < nic->config.subnet_count; i++) {
        const struct lpm_prefix *subnet = &nic->subnets[i];
        const struct lpm_address last = last_of(subnet);

        if (subnet->family == LPM_IPV4 && subnet->length <= 30 && lpm_address_equal(&last, address))
            return true;
    }
    return false;
}

static bool is_martian(const struct lpm_address *address)
{
    static const char *const martians[] = {
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4",       "240.0.0.0/4",
        "::/96",     "ff00::/8",    "fe80::/10",      "::ffff:0.0.0.0/96", NULL};

    return in_any(address, martians);
}

static bool is_multicast(const struct lpm_address *address)
{
    return in(address, "224.0.0.0/4") || in(address, "ff00::/8");
}

static bool is_echo_request(const struct dp_packet *packet)
{
    return !packet->fragment &&
           ((packet->family == LPM_IPV4 && packet->protocol == 1 && packet->icmp_type == 8) ||
            (packet->family == LPM_IPV6 && packet->protocol == 58 && packet->icmp_type == 128));
}

static bool is_solicitation(const struct dp_packet *packet)
{
    return packet->family == LPM_IPV6 && packet->protocol == 58 && packet->icmp_type == 135 &&
           packet->ttl == 255 && !packet->fragment;
}

static uint32_t longest_match(const struct model_fib *fib, const struct lpm_address *address)
{
    uint32_t leaf = 0;
    int length = -1;

    for (unsigned i = 0; fib && i < fib->count; i++) {
        const struct lpm_route *route = &fib->routes[i];

        if (route->prefix.length > length && lpm_prefix_contains(&route->prefix, address)) {
            length = route->prefix.length;
            leaf = route->leaf;
        }
    }
    return leaf;
}

static const struct model_group *group_of(const struct model *model, uint32_t id)
{
    for (unsigned i = 0; i < MODEL_GROUPS; i++) {
        if (model->groups[i].id == id && id != 0)
            return &model->groups[i];
    }
    return NULL;
}

static struct dp_verdict dropped(struct dp_verdict verdict, enum dp_reason reason)
{
    verdict.action = DP_DROP;
    verdict.reason = (uint8_t)reason;
    return verdict;
}

static struct dp_verdict answered(void)
{
    return (struct dp_verdict){.action = DP_ANSWER};
}

static bool in_space(const struct model_vnet *vnet, const struct lpm_address *address)
{
    for (unsigned i = 0; vnet->set && i < vnet->space_count; i++) {
        if (lpm_prefix_contains(&vnet->space[i], address))
            return true;
    }
    return false;
}

/* Steps 8 to 11, once the receiver's id is known. */
static struct dp_verdict deliver(const struct model *model, struct dp_verdict verdict,
                                 uint32_t sender, uint8_t peering, bool internet,
                                 const struct lpm_address *source,
                                 const struct lpm_address *destination)
{
    const struct model_nic *receiver = &model->nics[verdict.nic];
    const struct model_vnet *home = &model->vnets[model->nics[sender].config.vnet];

    if (!receiver->set) {
        verdict.nic = 0;
        return dropped(verdict, DP_REASON_NEXT_HOP_UNREACHABLE);
    }
    if (peering & DP_PEERING_NO_ACCESS)
        return dropped(verdict, DP_REASON_ACCESS_NOT_ALLOWED);
    if ((peering & DP_PEERING_NO_FORWARDED) && !in_space(home, source) &&
        !((peering & DP_PEERING_GATEWAYS) && model->nics[sender].config.gateway))
        return dropped(verdict, DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED);
    if (!internet && !receiver->config.ip_forwarding && !owns(receiver, destination))
        return dropped(verdict, DP_REASON_RECEIVER_NOT_FORWARDING);
    verdict.action = DP_FORWARD;
    verdict.self_loop = verdict.nic == sender;
    return verdict;
}

static struct dp_vnet_address map_get(const struct model_vnet *vnet,
                                      const struct lpm_address *address)
{
    for (unsigned i = 0; vnet->set && i < vnet->map_count; i++) {
        if (lpm_address_equal(&vnet->map[i].address, address))
            return vnet->map[i];
    }
    return (struct dp_vnet_address){0};
}

static uint32_t number_of(const struct model *model, const struct lpm_address *next_hop)
{
    struct lpm_address address = {0};
    uint32_t number = 0;

    while (!lpm_address_equal(&address, next_hop)) {
        const bool known = dp_next_hop_address(model->forwarding, ++number, &address);

        assert(known);
        (void)known;
    }
    return number;
}

/* Behind a frontend: a member of its group, or a drop. */
static struct dp_verdict choose_backend(const struct model *model, struct dp_verdict verdict,
                                        uint32_t id, const struct dp_packet *packet)
{
    const struct model_group *group = group_of(model, id);
    struct dp_group_info info;
    uint32_t hash = 0;
    int member;

    if (!group || group->config.kind != DP_GROUP_MEMBERS)
        return dropped(verdict, DP_REASON_NEXT_HOP_UNREACHABLE);
    if (group->config.member_count == 0)
        return dropped(verdict, DP_REASON_NO_HEALTHY_BACKEND);
    dp_group_info(model->forwarding, id, &info);
    if (info.member_count > 1)
        hash = dp_flow_hash(packet, model->config.hash_fields, 0);
    member = dp_group_bucket(model->forwarding, id, (hash >> 16 | hash << 16) % info.bucket_count);
    assert(member >= 0);
    if (info.members[member].group != 0)
        return dropped(verdict, DP_REASON_NEXT_HOP_UNREACHABLE);
    verdict.hash = verdict.hash ? verdict.hash : hash;
    verdict.nic = info.members[member].nic;
    verdict.backend = number_of(model, &info.members[member].next_hop);
    return verdict;
}

static struct dp_verdict choose(const struct model *model, struct dp_verdict verdict,
                                const struct model_nic *sender, const struct dp_packet *packet,
                                uint8_t *peering)
{
    struct dp_group_info info;
    int member;
    const int error = dp_group_info(model->forwarding, verdict.group, &info);

    assert(error == 0);
    (void)error;
    if (info.member_count > 1)
        verdict.hash = dp_flow_hash(packet, model->config.hash_fields, sender->config.hash_salt);
    verdict.bucket = verdict.hash % info.bucket_count;
    member = dp_group_bucket(model->forwarding, verdict.group, verdict.bucket);
    assert(member >= 0);
    *peering = info.members[member].peering;
    verdict.next_hop = number_of(model, &info.members[member].next_hop);
    if (info.members[member].group != 0)
        return choose_backend(model, verdict, info.members[member].group, packet);
    verdict.nic = info.members[member].nic;
    return verdict;
}

static struct dp_verdict follow(const struct model *model, struct dp_verdict verdict,
                                uint32_t sender, const struct dp_packet *packet,
                                const struct lpm_address *source,
                                const struct lpm_address *destination)
{
    const struct model_group *group = group_of(model, verdict.group);
    struct dp_vnet_address entry;
    uint8_t peering = 0;

    if (!group)
        return dropped(verdict, DP_REASON_NO_ROUTE);
    switch (group->config.kind) {
    case DP_GROUP_NULL:
        return dropped(verdict, DP_REASON_NULL_ROUTE);
    case DP_GROUP_INTERNET:
        verdict.nic = DP_NIC_INTERNET;
        break;
    case DP_GROUP_VNET:
        entry = map_get(&model->vnets[group->config.vnet], destination);
        peering = group->config.peering;
        verdict.nic = entry.group != 0 ? 0 : entry.nic;
        if (entry.group != 0)
            verdict = choose_backend(model, verdict, entry.group, packet);
        break;
    default:
        if (group->config.member_count == 0)
            return dropped(verdict, DP_REASON_NO_MEMBER);
        verdict = choose(model, verdict, &model->nics[sender], packet, &peering);
        break;
    }
    if (verdict.action == DP_DROP)
        return verdict;
    return deliver(model, verdict, sender, peering, group->config.kind == DP_GROUP_INTERNET, source,
                   destination);
}

struct dp_verdict model_decide(const struct model *model, uint32_t nic,
                               const struct dp_packet *packet, bool skip_source_check)
{
    const struct lpm_address source = address_of(packet->family, packet->source);
    const struct lpm_address destination = address_of(packet->family, packet->destination);
    const struct model_nic *sender = nic <= MODEL_NICS ? &model->nics[nic] : NULL;
    struct dp_verdict verdict = {0};
    bool source_allowed;

    if (!sender || !sender->set)
        return dropped(verdict, DP_REASON_UNKNOWN_ATTACHMENT);
    source_allowed = sender->config.ip_forwarding || skip_source_check || owns(sender, &source);
    if (in(&destination, "168.63.129.16/32") || in(&destination, "169.254.169.254/32"))
        return dropped(verdict, DP_REASON_PLATFORM_ADDRESS);
    if (is_solicitation(packet) || (is_echo_request(packet) && in(&source, "fe80::/10") &&
                                    is_gateway_link_local(sender, &destination))) {
        if (source_allowed || in(&source, "fe80::/10") || in(&source, "::/128"))
            return answered();
        return dropped(verdict, DP_REASON_SOURCE_CHECK);
    }
    if (is_multicast(&destination))
        return dropped(verdict, DP_REASON_MULTICAST);
    if (is_broadcast(sender, &destination))
        return dropped(verdict, DP_REASON_BROADCAST);
    if (is_martian(&destination) || is_martian(&source))
        return dropped(verdict, DP_REASON_MARTIAN);
    if (!source_allowed)
        return dropped(verdict, DP_REASON_SOURCE_CHECK);
    if (is_echo_request(packet) && is_gateway(sender, &destination))
        return answered();
    if (model->config.decrement_ttl && packet->ttl <= 1)
        return dropped(verdict, DP_REASON_TTL_EXPIRED);
    verdict.group =
        longest_match(packet->family == LPM_IPV4 ? sender->fib4 : sender->fib6, &destination);
    return follow(model, verdict, nic, packet, &source, &destination);
}

void model_map_set(struct model_vnet *vnet, const struct dp_vnet_address *entry)
{
    unsigned i = 0;

    while (i < vnet->map_count && !lpm_address_equal(&vnet->map[i].address, &entry->address))
        i++;
    if (entry->nic == 0 && entry->group == 0) {
        if (i < vnet->map_count)
            vnet->map[i] = vnet->map[--vnet->map_count];
        return;
    }
    assert(i < MODEL_ADDRESSES);
    vnet->map[i] = *entry;
    vnet->map_count += i == vnet->map_count;
}

void model_route_set(struct model_fib *fib, const struct lpm_prefix *prefix, uint32_t leaf)
{
    unsigned i = 0;

    while (i < fib->count && !lpm_prefix_equal(&fib->routes[i].prefix, prefix))
        i++;
    if (leaf == 0) {
        if (i < fib->count)
            fib->routes[i] = fib->routes[--fib->count];
        return;
    }
    assert(i < MODEL_ROUTES);
    fib->routes[i] = (struct lpm_route){.prefix = *prefix, .leaf = leaf};
    fib->count += i == fib->count;
}
