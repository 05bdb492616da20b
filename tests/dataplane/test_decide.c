/*
 * The decision against its oracle: random forwarding states that change between bursts, random
 * packets of both families, every verdict compared whole.
 *
 * The world is small on purpose (4 VNets, 24 NICs, a few dozen addresses), so that senders, routes,
 * next hops and receivers meet by chance often enough to reach every reason.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "lpm/rcu.h"
#include "tests/dataplane/model.h"
#include "tests/dataplane/random.h"

#define BURST_MOST 150

static struct lpm *lpm;
static struct model model;
static struct test_random random_state;

static uint32_t below(uint32_t bound)
{
    return test_random_below(&random_state, bound);
}

static bool one_in(uint32_t bound)
{
    return below(bound) == 0;
}

/* --- Random parts ----------------------------------------------------------------------------- */

static struct lpm_address parse_address(const char *text)
{
    struct lpm_address address = {0};

    cr_assert_eq(lpm_address_parse(text, &address), 0, "%s", text);
    return address;
}

/* 10.<vnet>.<0..1>.<0..15>, or the same in fd00:<vnet>::/32. */
static struct lpm_address random_host(uint8_t family)
{
    const uint8_t vnet = (uint8_t)(1 + below(MODEL_VNETS));
    const uint8_t subnet = (uint8_t)below(2), host = (uint8_t)below(16);
    struct lpm_address address = {.family = family};

    if (family == LPM_IPV4) {
        memcpy(address.bytes, (uint8_t[4]){10, vnet, subnet, host}, 4);
        return address;
    }
    address.bytes[0] = 0xfd;
    address.bytes[3] = vnet;
    address.bytes[7] = subnet;
    address.bytes[15] = host;
    return address;
}

static struct lpm_address random_odd(uint8_t family)
{
    static const char *const odd4[] = {
        "168.63.129.16", "169.254.169.254", "169.254.1.1",     "224.0.0.5",  "239.1.1.1",
        "127.0.0.1",     "0.0.0.0",         "255.255.255.255", "240.0.0.1",  "10.1.0.63",
        "8.8.8.8",       "168.63.129.17",   "10.1.0.255",      "169.255.0.1"};
    static const char *const odd6[] = {"ff02::1",     "::",
                                       "::1",         "fe80::1",
                                       "::10.0.0.1",  "::ffff:10.0.0.1",
                                       "2001:db8::1", "fe80::1000:10ff:fe00:1",
                                       "64:ff9b::1",  "fec0::1"};

    if (family == LPM_IPV4)
        return parse_address(odd4[below(sizeof(odd4) / sizeof(odd4[0]))]);
    return parse_address(odd6[below(sizeof(odd6) / sizeof(odd6[0]))]);
}

static uint8_t random_family(void)
{
    return one_in(2) ? LPM_IPV4 : LPM_IPV6;
}

static struct lpm_prefix random_prefix(uint8_t family)
{
    static const uint8_t lengths4[] = {0, 8, 15, 16, 24, 28, 30, 31, 32};
    static const uint8_t lengths6[] = {0, 7, 31, 32, 64, 124, 127, 128};
    const struct lpm_address address = random_host(family);
    struct lpm_prefix prefix = lpm_address_prefix(&address);

    prefix.length =
        family == LPM_IPV4 ? lengths4[below(sizeof(lengths4))] : lengths6[below(sizeof(lengths6))];
    lpm_prefix_mask(&prefix);
    return prefix;
}

static struct lpm_prefix random_subnet(uint8_t family)
{
    static const uint8_t lengths4[] = {24, 26, 28, 30, 31, 32};
    static const uint8_t lengths6[] = {64, 64, 124, 127, 128};
    const struct lpm_address address = random_host(family);
    struct lpm_prefix prefix = lpm_address_prefix(&address);

    prefix.length =
        family == LPM_IPV4 ? lengths4[below(sizeof(lengths4))] : lengths6[below(sizeof(lengths6))];
    lpm_prefix_mask(&prefix);
    return prefix;
}

/* --- Random changes --------------------------------------------------------------------------- */

static const struct model_fib *random_fib(const struct model_fib *fibs)
{
    return one_in(6) ? NULL : &fibs[below(MODEL_FIBS)];
}

static void change_nic(void)
{
    const uint32_t id = 1 + below(MODEL_NICS);
    struct model_nic *nic = &model.nics[id];

    if (nic->set && one_in(5)) {
        cr_assert_eq(dp_nic_remove(model.forwarding, id), 0);
        nic->set = false;
        return;
    }
    *nic = (struct model_nic){.set = true};
    nic->fib4 = random_fib(model.fibs4);
    nic->fib6 = random_fib(model.fibs6);
    nic->config = (struct dp_nic_config){
        .name = "a NIC",
        .vnet = below(MODEL_VNETS + 1),
        .mac = {2, 0, 0, 0, 0, (uint8_t)id},
        .gateway_mac = {0x12, 0, 0x10, 0, 0, (uint8_t)one_in(2)},
        .addresses = nic->addresses,
        .address_count = below(MODEL_LIST + 1),
        .subnet = nic->subnets,
        .subnet_count = below(MODEL_LIST + 1),
        .ip_forwarding = one_in(2),
        .gateway = one_in(3),
        .fib4 = nic->fib4 ? nic->fib4->fib : NULL,
        .fib6 = nic->fib6 ? nic->fib6->fib : NULL,
        .hash_salt = one_in(3) ? id : 0,
    };
    for (unsigned i = 0; i < MODEL_LIST; i++) {
        nic->addresses[i] = random_host(random_family());
        nic->subnets[i] = random_subnet(random_family());
    }
    cr_assert_eq(dp_nic_set(model.forwarding, id, &nic->config), 0);
}

static void change_fibs_of_nic(void)
{
    const uint32_t id = 1 + below(MODEL_NICS);
    struct model_nic *nic = &model.nics[id];

    if (!nic->set)
        return;
    nic->fib4 = random_fib(model.fibs4);
    nic->fib6 = random_fib(model.fibs6);
    cr_assert_eq(dp_nic_set_fibs(model.forwarding, id, nic->fib4 ? nic->fib4->fib : NULL,
                                 nic->fib6 ? nic->fib6->fib : NULL),
                 0);
}

static void change_vnet(void)
{
    const uint32_t id = 1 + below(MODEL_VNETS);
    struct model_vnet *vnet = &model.vnets[id];

    if (vnet->set && one_in(8)) {
        cr_assert_eq(dp_vnet_remove(model.forwarding, id), 0);
        *vnet = (struct model_vnet){.set = false};
        return;
    }
    vnet->set = true;
    vnet->space_count = below(MODEL_LIST + 1);
    for (unsigned i = 0; i < vnet->space_count; i++)
        vnet->space[i] = random_prefix(random_family());
    cr_assert_eq(dp_vnet_set(model.forwarding, id, vnet->space, vnet->space_count), 0);
}

/* A group for a frontend, mostly one that has or had backends; 0: none. */
static uint32_t random_backends(void)
{
    const struct model_group *group = &model.groups[below(MODEL_GROUPS)];

    for (unsigned tries = 0; tries < 6 && group->config.kind != DP_GROUP_MEMBERS; tries++)
        group = &model.groups[below(MODEL_GROUPS)];
    return group->id;
}

static void change_addresses(void)
{
    const uint32_t id = 1 + below(MODEL_VNETS);
    struct model_vnet *vnet = &model.vnets[id];
    struct dp_vnet_address changes[12];
    unsigned n = below(13);

    if (!vnet->set || vnet->map_count + n > MODEL_ADDRESSES)
        return;
    for (unsigned i = 0; i < n; i++) {
        changes[i].address = random_host(random_family());
        changes[i].nic = one_in(4) ? 0 : 1 + below(MODEL_NICS);
        changes[i].group = one_in(3) ? random_backends() : 0;
        model_map_set(vnet, &changes[i]);
    }
    cr_assert_eq(dp_vnet_set_addresses(model.forwarding, id, changes, n), 0);
}

static void random_members(struct model_group *group, unsigned count)
{
    group->config.member_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct dp_member member = {
            .next_hop = random_host(random_family()),
            .nic = below(MODEL_NICS + 1),
            .weight = below(4),
            .peering = one_in(3) ? (uint8_t)below(8) : 0,
            .group = one_in(4) ? random_backends() : 0,
        };
        bool known = false;

        for (unsigned j = 0; j < group->config.member_count; j++)
            known |= lpm_address_equal(&group->members[j].next_hop, &member.next_hop);
        if (!known)
            group->members[group->config.member_count++] = member;
    }
}

static void random_group(struct model_group *group)
{
    static const enum dp_group_kind kinds[] = {DP_GROUP_NULL,   DP_GROUP_INTERNET, DP_GROUP_VNET,
                                               DP_GROUP_VNET,   DP_GROUP_VNET,     DP_GROUP_MEMBERS,
                                               DP_GROUP_MEMBERS};

    group->config = (struct dp_group_config){
        .kind = kinds[below(7)],
        .vnet = 1 + below(MODEL_VNETS),
        .peering = one_in(2) ? (uint8_t)below(8) : 0,
        .members = group->members,
        .strict_balance = one_in(8),
    };
    random_members(group, one_in(4) ? 0 : below(10));
}

static void change_route(struct model_fib *fib, const struct lpm_prefix *prefix, uint32_t leaf)
{
    const struct lpm_change change = {
        .kind = leaf != 0 ? LPM_SET : LPM_REMOVE, .prefix = *prefix, .leaf = leaf};

    if (leaf != 0 && fib->count == MODEL_ROUTES)
        return;
    model_route_set(fib, prefix, leaf);
    cr_assert_eq(lpm_update(fib->fib, &change, 1), 0);
}

static void change_random_route(void)
{
    const uint8_t family = random_family();
    struct model_fib *fib = &(family == LPM_IPV4 ? model.fibs4 : model.fibs6)[below(MODEL_FIBS)];
    const uint32_t leaf = model.groups[below(MODEL_GROUPS)].id;
    const struct lpm_prefix prefix = random_prefix(family);

    if (leaf == 0)
        return;
    if (one_in(4) && fib->count > 0) {
        const struct lpm_prefix old = fib->routes[below(fib->count)].prefix;

        change_route(fib, &old, 0);
    } else {
        change_route(fib, &prefix, leaf);
    }
}

static void forget_leaf(struct model_fib *fib, uint32_t leaf)
{
    for (unsigned i = fib->count; i > 0; i--) {
        const struct lpm_route route = fib->routes[i - 1];

        if (route.leaf == leaf)
            change_route(fib, &route.prefix, 0);
    }
}

/* A group may go only when no address and no member is a frontend of it. */
static void forget_backends(uint32_t id)
{
    for (uint32_t vnet = 1; vnet <= MODEL_VNETS; vnet++) {
        struct model_vnet *home = &model.vnets[vnet];

        for (unsigned i = home->map_count; i > 0; i--) {
            const struct dp_vnet_address gone = {.address = home->map[i - 1].address};

            if (home->map[i - 1].group != id)
                continue;
            model_map_set(home, &gone);
            cr_assert_eq(dp_vnet_set_addresses(model.forwarding, vnet, &gone, 1), 0);
        }
    }
    for (unsigned i = 0; i < MODEL_GROUPS; i++) {
        struct model_group *group = &model.groups[i];

        for (unsigned j = 0; group->id != 0 && j < group->config.member_count; j++) {
            if (group->members[j].group != id)
                continue;
            group->members[j].group = 0;
            cr_assert_eq(dp_group_replace(model.forwarding, group->id, &group->config), 0);
        }
    }
}

static void change_group(void)
{
    struct model_group *group = &model.groups[below(MODEL_GROUPS)];

    if (group->id == 0) {
        random_group(group);
        cr_assert_eq(dp_group_create(model.forwarding, &group->config, &group->id), 0);
    } else if (one_in(6)) {
        for (unsigned i = 0; i < MODEL_FIBS; i++) {
            forget_leaf(&model.fibs4[i], group->id);
            forget_leaf(&model.fibs6[i], group->id);
        }
        forget_backends(group->id);
        cr_assert_eq(dp_group_destroy(model.forwarding, group->id), 0);
        group->id = 0;
    } else {
        random_group(group);
        cr_assert_eq(dp_group_replace(model.forwarding, group->id, &group->config), 0);
    }
}

static void change_anything(void)
{
    static void (*const changes[])(void) = {
        change_nic,       change_nic,          change_fibs_of_nic,  change_vnet,
        change_addresses, change_random_route, change_random_route, change_group};

    changes[below(sizeof(changes) / sizeof(changes[0]))]();
    if (one_in(3))
        lpm_rcu_poll();
}

/* --- Packets ---------------------------------------------------------------------------------- */

static void random_kind(struct dp_packet *packet)
{
    const bool is4 = packet->family == LPM_IPV4;

    if (one_in(3)) {
        packet->protocol = is4 ? 1 : 58;
        packet->icmp_type = is4 ? (one_in(2) ? 8 : 0) : (one_in(2) ? 128 : 135);
    } else {
        packet->protocol = one_in(2) ? 6 : 17;
    }
    packet->ttl = one_in(4) ? (uint8_t)below(3) : 255;
    packet->fragment = one_in(8);
    packet->has_ports = !packet->fragment && !one_in(8);
    if (packet->has_ports) {
        packet->source_port = (uint16_t)below(65536);
        packet->destination_port = (uint16_t)below(65536);
    }
}

static void random_ends(struct dp_packet *packet, uint32_t nic)
{
    const struct model_nic *sender = nic <= MODEL_NICS ? &model.nics[nic] : &model.nics[0];
    struct lpm_address source = random_host(packet->family);
    struct lpm_address destination = random_host(packet->family);

    for (unsigned i = 0; i < sender->config.address_count && !one_in(4); i++) {
        if (sender->addresses[i].family == packet->family)
            source = sender->addresses[i];
    }
    if (one_in(10))
        source = random_odd(packet->family);
    if (one_in(6))
        destination = random_odd(packet->family);
    memcpy(packet->source, source.bytes, 16);
    memcpy(packet->destination, destination.bytes, 16);
}

static struct dp_packet random_packet(uint32_t nic)
{
    struct dp_packet packet = {.family = random_family(), .header_length = 40};

    random_kind(&packet);
    random_ends(&packet, nic);
    return packet;
}

/* --- The comparison --------------------------------------------------------------------------- */

static void describe(const struct dp_verdict *verdict, char text[160])
{
    snprintf(text, 160,
             "action %u (%s) nic %u group %u hash %08x bucket %u next hop %u backend %u loop %d",
             verdict->action, verdict->action == DP_DROP ? dp_reason_name(verdict->reason) : "",
             verdict->nic, verdict->group, verdict->hash, verdict->bucket, verdict->next_hop,
             verdict->backend, verdict->self_loop);
}

static bool verdicts_equal(const struct dp_verdict *a, const struct dp_verdict *b)
{
    return a->action == b->action && a->reason == b->reason && a->self_loop == b->self_loop &&
           a->nic == b->nic && a->group == b->group && a->hash == b->hash &&
           a->bucket == b->bucket && a->next_hop == b->next_hop && a->backend == b->backend;
}

/* How often each outcome was met: a test that never sees a reason does not test it. */
static unsigned forwarded, answered, loops, balanced, dropped[DP_REASON_COUNT];

static void tally(const struct dp_verdict *verdict)
{
    forwarded += verdict->action == DP_FORWARD;
    answered += verdict->action == DP_ANSWER;
    loops += verdict->self_loop;
    balanced += verdict->action == DP_FORWARD && verdict->backend != 0;
    if (verdict->action == DP_DROP)
        dropped[verdict->reason]++;
}

static void compare_burst(void)
{
    static struct dp_packet packets[BURST_MOST];
    static struct dp_verdict verdicts[BURST_MOST];
    static uint32_t nics[BURST_MOST];
    const struct dp_decide_options options = {.skip_source_check = one_in(5)};
    const unsigned n = below(BURST_MOST + 1);

    memset(verdicts, 0xa5, sizeof(verdicts));
    for (unsigned i = 0; i < n; i++) {
        nics[i] = below(MODEL_NICS + 3);
        packets[i] = random_packet(nics[i]);
    }
    dp_decide(model.forwarding, nics, packets, verdicts, n,
              options.skip_source_check || one_in(2) ? &options : NULL);
    for (unsigned i = 0; i < n; i++) {
        const struct dp_verdict expected =
            model_decide(&model, nics[i], &packets[i], options.skip_source_check);

        if (!verdicts_equal(&expected, &verdicts[i])) {
            char is[160], should[160];

            describe(&verdicts[i], is);
            describe(&expected, should);
            cr_assert_fail("packet %u of NIC %u, seed %lu: %s; should be %s", i, nics[i],
                           random_state.seed, is, should);
        }
        tally(&verdicts[i]);
    }
}

static void start(bool decrement_ttl, unsigned hash_fields)
{
    random_state = test_random_start();
    memset(&model, 0, sizeof(model));
    model.config = (struct dp_forwarding_config){
        .workers = 1,
        .nic_capacity = MODEL_NICS,
        .vnet_capacity = MODEL_VNETS,
        .group_capacity = 4 * MODEL_GROUPS, /* ids wait for a grace period */
        .decrement_ttl = decrement_ttl,
        .hash_fields = hash_fields,
    };
    lpm = lpm_create();
    cr_assert(lpm);
    model.forwarding = dp_forwarding_create(&model.config, lpm);
    cr_assert(model.forwarding);
    for (unsigned i = 0; i < MODEL_FIBS; i++) {
        cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &model.fibs4[i].fib), 0);
        cr_assert_eq(lpm_base_create(lpm, LPM_IPV6, NULL, 0, &model.fibs6[i].fib), 0);
    }
}

static void stop(void)
{
    dp_forwarding_destroy(model.forwarding);
    for (unsigned i = 0; i < MODEL_FIBS; i++) {
        lpm_release(model.fibs4[i].fib);
        lpm_release(model.fibs6[i].fib);
    }
    lpm_destroy(lpm);
}

static void run(bool decrement_ttl, unsigned hash_fields)
{
    start(decrement_ttl, hash_fields);
    for (unsigned i = 0; i < 400; i++)
        change_anything();
    for (unsigned round = 0; round < 2500; round++) {
        change_anything();
        if (one_in(40))
            lpm_rcu_barrier();
        compare_burst();
    }
    stop();
}

static void expect_met(enum dp_reason reason, bool met)
{
    cr_expect_eq(dropped[reason] > 0, met, "%s: %u times, seed %lu", dp_reason_name(reason),
                 dropped[reason], random_state.seed);
}

Test(decide, agrees_with_the_walk_of_the_specification_in_native_mode)
{
    static const enum dp_reason reasons[] = {
        DP_REASON_UNKNOWN_ATTACHMENT, DP_REASON_MARTIAN,
        DP_REASON_MULTICAST,          DP_REASON_BROADCAST,
        DP_REASON_PLATFORM_ADDRESS,   DP_REASON_TTL_EXPIRED,
        DP_REASON_SOURCE_CHECK,       DP_REASON_NO_ROUTE,
        DP_REASON_NULL_ROUTE,         DP_REASON_NEXT_HOP_UNREACHABLE,
        DP_REASON_ACCESS_NOT_ALLOWED, DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED,
        DP_REASON_NO_MEMBER,          DP_REASON_RECEIVER_NOT_FORWARDING,
        DP_REASON_NO_HEALTHY_BACKEND};

    run(true, 5);
    for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        expect_met(reasons[i], true);
    cr_expect(forwarded > 1000 && answered > 100 && loops > 10 && balanced > 10, "%u %u %u %u",
              forwarded, answered, loops, balanced);
}

Test(decide, agrees_with_the_walk_of_the_specification_in_azure_mode)
{
    run(false, 5);
    expect_met(DP_REASON_TTL_EXPIRED, false);
}

Test(decide, agrees_with_the_walk_of_the_specification_with_fewer_hash_fields)
{
    run(true, 3);
    run(true, 2);
}
