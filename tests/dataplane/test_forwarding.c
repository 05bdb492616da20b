/*
 * The forwarding state as it is programmed: attachments against a list, errors, counters.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "dataplane/forwarding.h"
#include "tests/dataplane/random.h"

#define NICS  200
#define PORTS 3

static struct lpm *lpm;
static struct dp_forwarding *forwarding;

static void start(void)
{
    const struct dp_forwarding_config config = {
        .workers = 2,
        .nic_capacity = NICS,
        .vnet_capacity = 4,
        .group_capacity = 4,
        .hash_fields = 5,
    };

    lpm = lpm_create();
    cr_assert(lpm);
    forwarding = dp_forwarding_create(&config, lpm);
    cr_assert(forwarding);
}

static void stop(void)
{
    dp_forwarding_destroy(forwarding);
    lpm_destroy(lpm);
}

TestSuite(forwarding, .init = start, .fini = stop);

static struct lpm_prefix prefix(const char *text)
{
    struct lpm_prefix parsed = {0};

    cr_assert_eq(lpm_prefix_parse(text, &parsed), 0, "%s", text);
    return parsed;
}

static struct lpm_address address(const char *text)
{
    struct lpm_address parsed = {0};

    cr_assert_eq(lpm_address_parse(text, &parsed), 0, "%s", text);
    return parsed;
}

/* --- Life ------------------------------------------------------------------------------------- */

Test(forwarding, impossible_configurations_are_refused)
{
    const struct dp_forwarding_config good = {
        .workers = 1, .nic_capacity = 1, .vnet_capacity = 1, .group_capacity = 1, .hash_fields = 2};
    struct dp_forwarding_config bad[7];

    for (unsigned i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].workers = 0;
    bad[1].nic_capacity = 0;
    bad[2].nic_capacity = LPM_LEAF_MAX + 1;
    bad[3].vnet_capacity = 0;
    bad[4].group_capacity = LPM_LEAF_MAX + 1;
    bad[5].hash_fields = 4;
    bad[6].nic_capacity = LPM_LEAF_MAX / 2;
    bad[6].group_capacity = LPM_LEAF_MAX / 2 + 2;
    for (unsigned i = 0; i < 7; i++) {
        errno = 0;
        cr_expect_null(dp_forwarding_create(&bad[i], lpm));
        cr_expect_eq(errno, EINVAL);
    }
    cr_expect_eq(dp_forwarding_lpm(forwarding), lpm);
}

Test(forwarding, every_reason_has_a_name_and_help_of_its_own)
{
    for (unsigned i = 0; i < DP_REASON_COUNT; i++) {
        const char *name = dp_reason_name((enum dp_reason)i);

        cr_expect_gt(strlen(dp_reason_help((enum dp_reason)i)), 0);
        cr_expect_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name), "%s", name);
        for (unsigned j = 0; j < i; j++)
            cr_expect_str_neq(name, dp_reason_name((enum dp_reason)j));
    }
    cr_expect_str_eq(dp_reason_name(DP_REASON_TOO_SHORT), "too-short");
    cr_expect_str_eq(dp_reason_name(DP_REASON_NO_BUFFER), "no-buffer");
}

/* --- NICs ------------------------------------------------------------------------------------- */

Test(forwarding, bad_nics_are_refused)
{
    const struct lpm_address no_family = {.family = 0};
    const struct lpm_prefix host_bits = {LPM_IPV4, 24, {10, 0, 0, 1}};
    const struct dp_nic_config good = {.name = "good", .vnet = 4};
    struct dp_nic_config bad[7];

    for (unsigned i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].vnet = 5;
    bad[1].addresses = &no_family;
    bad[1].address_count = 1;
    bad[2].subnet = &host_bits;
    bad[2].subnet_count = 1;
    bad[3].attachment = (struct dp_attachment){DP_ATTACHMENT_PORT, DP_PORT_CAPACITY, 0};
    bad[4].attachment = (struct dp_attachment){DP_ATTACHMENT_VLAN, 0, 4095};
    bad[5].attachment = (struct dp_attachment){DP_ATTACHMENT_VLAN, 0, 0};
    bad[6].attachment = (struct dp_attachment){DP_ATTACHMENT_MAC, 0, 0};
    bad[6].mac[0] = 1;
    for (unsigned i = 0; i < 7; i++)
        cr_expect_eq(dp_nic_set(forwarding, 1, &bad[i]), -EINVAL, "%u", i);
    cr_expect_eq(dp_nic_set(forwarding, 0, &good), -EINVAL);
    cr_expect_eq(dp_nic_set(forwarding, NICS + 1, &good), -EINVAL);
    cr_expect_eq(dp_nic_remove(forwarding, 1), -ENOENT);
    cr_expect_eq(dp_nic_set_fibs(forwarding, 1, NULL, NULL), -ENOENT);
    cr_expect_null(dp_nic_read(forwarding, 1));
    cr_expect_eq(dp_nic_set(forwarding, NICS, &good), 0);
    cr_expect_eq(dp_nic_remove(forwarding, NICS), 0);
}

Test(forwarding, a_fib_of_the_wrong_family_is_refused)
{
    const struct dp_nic_config plain = {.name = "plain"};
    struct dp_nic_config config = plain;
    struct lpm_fib *fib4;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &fib4), 0);
    config.fib6 = fib4;
    cr_expect_eq(dp_nic_set(forwarding, 1, &config), -EINVAL);
    cr_expect_eq(dp_nic_set(forwarding, 1, &plain), 0);
    cr_expect_eq(dp_nic_set_fibs(forwarding, 1, NULL, fib4), -EINVAL);
    cr_expect_eq(dp_nic_set_fibs(forwarding, 1, fib4, NULL), 0);
    lpm_release(fib4);
}

Test(forwarding, a_nic_answers_for_its_subnets_but_not_for_itself)
{
    const struct lpm_address own[] = {address("10.1.0.4"), address("fd00::4"), address("10.1.0.5")};
    const struct lpm_prefix subnets[] = {prefix("10.1.0.0/24"), prefix("fd00::/64"),
                                         prefix("10.9.0.8/30")};
    const struct dp_nic_config config = {
        .name = "vm1",
        .gateway_mac = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc},
        .addresses = own,
        .address_count = 3,
        .subnet = subnets,
        .subnet_count = 3,
    };
    const struct lpm_address link_local = address("fe80::1034:56ff:fe78:9abc");
    const struct dp_nic *nic;

    cr_assert_eq(dp_nic_set(forwarding, 7, &config), 0);
    nic = dp_nic_read(forwarding, 7);
    cr_assert(nic);
    cr_expect_str_eq(nic->name, "vm1");
    cr_expect_eq(nic->mtu, 1500);
    cr_expect(dp_nic_owns4(nic, 0x0a010004) && dp_nic_owns4(nic, 0x0a010005));
    cr_expect_not(dp_nic_owns4(nic, 0x0a010006));
    cr_expect(dp_nic_gateway4(nic, 0x0a010001) && dp_nic_gateway4(nic, 0x0a090009));
    cr_expect_not(dp_nic_gateway4(nic, 0x0a090001));
    cr_expect(dp_nic_neighbor4(nic, 0x0a010001) && dp_nic_neighbor4(nic, 0x0a0100c8));
    cr_expect_not(dp_nic_neighbor4(nic, 0x0a010005));
    cr_expect_not(dp_nic_neighbor4(nic, 0x0a010101));
    cr_expect(dp_nic_owns6(nic, own[1].bytes));
    cr_expect(dp_nic_gateway6(nic, address("fd00::1").bytes));
    cr_expect(dp_nic_gateway6(nic, link_local.bytes));
    cr_expect_not(dp_nic_gateway6(nic, address("fd00::2").bytes));
    cr_expect(dp_nic_neighbor6(nic, address("fd00::2").bytes));
    cr_expect(dp_nic_neighbor6(nic, link_local.bytes));
    cr_expect_not(dp_nic_neighbor6(nic, own[1].bytes));
    cr_expect_not(dp_nic_neighbor6(nic, address("fd00:0:0:1::2").bytes));
    cr_expect_not(dp_nic_neighbor6(nic, address("fe80::1").bytes));
}

/* --- Attachments ------------------------------------------------------------------------------ */

struct held {
    bool set;
    struct dp_attachment attachment;
    uint8_t mac[6];
};

static bool same_key(const struct held *a, const struct held *b)
{
    if (a->attachment.kind != b->attachment.kind || a->attachment.kind == DP_ATTACHMENT_NONE ||
        a->attachment.port != b->attachment.port)
        return false;
    if (a->attachment.kind == DP_ATTACHMENT_VLAN)
        return a->attachment.vlan == b->attachment.vlan;
    return a->attachment.kind == DP_ATTACHMENT_PORT || memcmp(a->mac, b->mac, 6) == 0;
}

static struct held random_held(struct test_random *random)
{
    static const enum dp_attachment_kind kinds[] = {DP_ATTACHMENT_NONE, DP_ATTACHMENT_PORT,
                                                    DP_ATTACHMENT_VLAN, DP_ATTACHMENT_VLAN,
                                                    DP_ATTACHMENT_MAC,  DP_ATTACHMENT_MAC};
    struct held held = {
        .set = true,
        .attachment = {.kind = kinds[test_random_below(random, 6)],
                       .port = (uint16_t)test_random_below(random, PORTS),
                       .vlan = (uint16_t)(1 + test_random_below(random, 60))},
        .mac = {2, 0, 0, 0, 0, (uint8_t)test_random_below(random, 150)},
    };

    return held;
}

static uint32_t find_held(const struct held *all, const struct held *key)
{
    for (uint32_t nic = 1; nic <= NICS; nic++) {
        if (all[nic].set && same_key(&all[nic], key))
            return nic;
    }
    return 0;
}

/* The rule in words: a tagged frame by its VLAN, an untagged one by its MAC, else the port's. */
static uint32_t classify_slowly(const struct held *all, uint16_t port, uint16_t vlan,
                                const uint8_t mac[6])
{
    struct held key = {.attachment = {.port = port, .vlan = vlan}};
    uint32_t nic;

    memcpy(key.mac, mac, 6);
    key.attachment.kind = vlan != 0 ? DP_ATTACHMENT_VLAN : DP_ATTACHMENT_MAC;
    nic = find_held(all, &key);
    key.attachment.kind = DP_ATTACHMENT_PORT;
    return nic != 0 ? nic : find_held(all, &key);
}

static void check_classify(const struct held *all, uint64_t seed)
{
    for (uint16_t port = 0; port <= PORTS; port++) {
        const struct dp_port_table *table = dp_port_table(forwarding, port);

        for (unsigned i = 0; i < 160; i++) {
            const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)i};
            const uint16_t vlan = (uint16_t)(i % 64);

            cr_assert_eq(dp_classify(forwarding, table, port, 0, mac),
                         classify_slowly(all, port, 0, mac), "seed %lu", seed);
            cr_assert_eq(dp_classify(forwarding, table, port, vlan, mac),
                         classify_slowly(all, port, vlan, mac), "seed %lu", seed);
        }
    }
}

Test(forwarding, frames_find_their_nic_through_any_sequence_of_changes)
{
    struct test_random random = test_random_start();
    static struct held all[NICS + 1];

    for (unsigned step = 0; step < 6000; step++) {
        const uint32_t nic = 1 + test_random_below(&random, NICS);
        const struct held wanted = random_held(&random);
        const uint32_t holder = find_held(all, &wanted);
        struct dp_nic_config config = {.name = "", .attachment = wanted.attachment};
        int expected = holder != 0 && holder != nic ? -EEXIST : 0;

        memcpy(config.mac, wanted.mac, 6);
        if (test_random_one_in(&random, 4)) {
            expected = all[nic].set ? 0 : -ENOENT;
            cr_assert_eq(dp_nic_remove(forwarding, nic), expected, "seed %lu", random.seed);
            all[nic].set = false;
        } else {
            cr_assert_eq(dp_nic_set(forwarding, nic, &config), expected, "seed %lu", random.seed);
            if (expected == 0)
                all[nic] = wanted;
        }
        if (step % 50 == 0) {
            check_classify(all, random.seed);
            lpm_rcu_poll();
        }
    }
    cr_expect_null(dp_port_table(forwarding, UINT16_MAX));
}

/* --- VNets ------------------------------------------------------------------------------------ */

Test(forwarding, bad_vnets_and_addresses_are_refused)
{
    const struct lpm_prefix space = prefix("10.0.0.0/8");
    const struct lpm_prefix host_bits = {LPM_IPV4, 8, {10, 1}};
    struct dp_vnet_address addresses[2] = {{address("10.0.0.4"), 1}, {address("fd00::4"), 1}};

    cr_expect_eq(dp_vnet_set(forwarding, 0, &space, 1), -EINVAL);
    cr_expect_eq(dp_vnet_set(forwarding, 5, &space, 1), -EINVAL);
    cr_expect_eq(dp_vnet_set(forwarding, 1, &host_bits, 1), -EINVAL);
    cr_expect_eq(dp_vnet_remove(forwarding, 1), -ENOENT);
    cr_expect_eq(dp_vnet_set_addresses(forwarding, 1, addresses, 2), -ENOENT);
    cr_assert_eq(dp_vnet_set(forwarding, 1, &space, 1), 0);
    cr_expect_eq(dp_vnet_set_addresses(forwarding, 1, addresses, 2), 0);
    addresses[1].nic = NICS + 1;
    cr_expect_eq(dp_vnet_set_addresses(forwarding, 1, addresses, 2), -EINVAL);
    addresses[1].nic = 1;
    addresses[1].address.family = 3;
    cr_expect_eq(dp_vnet_set_addresses(forwarding, 1, addresses, 2), -EINVAL);
    cr_expect_eq(dp_vnet_set_addresses(forwarding, 1, NULL, 0), 0);
}

/* --- Counters --------------------------------------------------------------------------------- */

static uint64_t sum_dropped(const struct dp_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
        sum += counters->dropped[reason];
    return sum;
}

/* Random events on two workers, counted here and there. */
Test(forwarding, counters_add_up_per_nic_per_reason_and_in_total)
{
    struct test_random random = test_random_start();
    static struct dp_counters expected[NICS + 1], total, found;
    const struct dp_nic_config config = {.name = ""};
    struct dp_worker_counters *workers[2] = {dp_worker_counters(forwarding, 0),
                                             dp_worker_counters(forwarding, 1)};

    for (uint32_t nic = 1; nic <= NICS; nic++)
        cr_assert_eq(dp_nic_set(forwarding, nic, &config), 0);
    for (unsigned i = 0; i < 100000; i++) {
        struct dp_worker_counters *worker = workers[test_random_below(&random, 2)];
        const uint32_t nic = test_random_below(&random, NICS + 1);
        const uint32_t bytes = 60 + test_random_below(&random, 1000);
        const uint32_t reason = test_random_below(&random, DP_REASON_COUNT);
        const bool loop = test_random_one_in(&random, 5);

        dp_count_received(worker, nic, 1, bytes);
        expected[nic].received++;
        expected[nic].received_bytes += bytes;
        switch (test_random_below(&random, 3)) {
        case 0:
            dp_count_forwarded(worker, nic, 1, bytes, loop);
            expected[nic].forwarded++;
            expected[nic].forwarded_bytes += bytes;
            expected[nic].self_loop += loop;
            break;
        case 1:
            dp_count_answered(worker, nic);
            expected[nic].answered++;
            break;
        default:
            dp_count_dropped(worker, nic, (enum dp_reason)reason);
            expected[nic].dropped[reason]++;
            break;
        }
    }
    for (uint32_t nic = 0; nic <= NICS; nic++) {
        dp_counters_nic(forwarding, nic, &found);
        cr_assert_eq(memcmp(&found, &expected[nic], sizeof(found)), 0, "NIC %u", nic);
        cr_assert_eq(found.received, found.forwarded + found.answered + sum_dropped(&found));
    }
    dp_counters_total(forwarding, &total);
    cr_expect_eq(total.received, 100000);
    cr_expect_eq(total.received, total.forwarded + total.answered + sum_dropped(&total));
    dp_counters_nic(forwarding, NICS + 1, &found);
    cr_expect_eq(found.received, 0);
}

Test(forwarding, next_hops_count_packets_and_bytes)
{
    const struct dp_member members[2] = {{.next_hop = address("10.0.0.4"), .nic = 2},
                                         {.next_hop = address("fd00::4"), .nic = 3}};
    const struct dp_group_config config = {
        .kind = DP_GROUP_MEMBERS, .members = members, .member_count = 2};
    struct dp_next_hop_counters counters;
    uint32_t group;

    cr_assert_eq(dp_group_create(forwarding, &config, &group), 0);
    dp_count_member(dp_worker_counters(forwarding, 0), 2, 100);
    dp_count_member(dp_worker_counters(forwarding, 1), 2, 60);
    dp_counters_next_hop(forwarding, 2, &counters);
    cr_expect_eq(counters.packets, 2);
    cr_expect_eq(counters.bytes, 160);
    dp_counters_next_hop(forwarding, 1, &counters);
    cr_expect_eq(counters.packets, 0);
    dp_counters_next_hop(forwarding, UINT32_MAX, &counters);
    cr_expect_eq(counters.packets, 0);
}
