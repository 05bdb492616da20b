/*
 * Next-hop groups: who gets which buckets, and that only those move that must.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "lpm/rcu.h"
#include "tests/dataplane/random.h"

static struct lpm *lpm;
static struct dp_forwarding *forwarding;

static void start(void)
{
    const struct dp_forwarding_config config = {
        .workers = 1,
        .nic_capacity = 1000,
        .vnet_capacity = 4,
        .group_capacity = 40,
        .decrement_ttl = true,
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

TestSuite(group, .init = start, .fini = stop);

/* Member number i: an address of either family that depends on nothing else. */
static struct dp_member member(unsigned i)
{
    struct dp_member made = {.nic = i + 2, .weight = 1};

    if (i % 3 == 2) {
        made.next_hop.family = LPM_IPV6;
        made.next_hop.bytes[0] = 0xfd;
        made.next_hop.bytes[15] = (uint8_t)(4 + i);
    } else {
        made.next_hop = (struct lpm_address){LPM_IPV4, {10, 0, 1, (uint8_t)(4 + i)}};
    }
    return made;
}

struct set {
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    unsigned count;
    bool strict;
};

static struct dp_group_config config_of(const struct set *set)
{
    return (struct dp_group_config){
        .kind = DP_GROUP_MEMBERS,
        .members = set->members,
        .member_count = set->count,
        .strict_balance = set->strict,
    };
}

static struct set first_members(unsigned count)
{
    struct set set = {.count = count};

    for (unsigned i = 0; i < count; i++)
        set.members[i] = member(i);
    return set;
}

static uint32_t create(const struct set *set)
{
    const struct dp_group_config config = config_of(set);
    uint32_t group = 0;

    cr_assert_eq(dp_group_create(forwarding, &config, &group), 0);
    return group;
}

static void replace(uint32_t group, const struct set *set)
{
    const struct dp_group_config config = config_of(set);

    cr_assert_eq(dp_group_replace(forwarding, group, &config), 0);
}

/* What a group does with every slice of flows: the address and weight of who has it. A group with
 * one bucket gives all slices to it. */
#define SLICES 16384
struct picture {
    struct lpm_address owner[SLICES];
    uint32_t weight[SLICES];
};

static void take_picture(uint32_t group, struct picture *picture)
{
    struct dp_group_info info;

    memset(picture, 0, sizeof(*picture));
    cr_assert_eq(dp_group_info(forwarding, group, &info), 0);
    for (unsigned i = 0; i < SLICES && info.member_count > 0; i++) {
        const int index = dp_group_bucket(forwarding, group, i % info.bucket_count);

        cr_assert(index >= 0 && (unsigned)index < info.member_count);
        picture->owner[i] = info.members[index].next_hop;
        picture->weight[i] = info.members[index].weight;
    }
}

static bool has(const struct set *set, const struct lpm_address *address, uint32_t weight)
{
    for (unsigned i = 0; i < set->count; i++) {
        if (lpm_address_equal(&set->members[i].next_hop, address))
            return set->members[i].weight == weight;
    }
    return false;
}

static void shuffle(struct set *set, struct test_random *random)
{
    for (unsigned i = set->count; i > 1; i--) {
        const unsigned j = test_random_below(random, i);
        const struct dp_member kept = set->members[i - 1];

        set->members[i - 1] = set->members[j];
        set->members[j] = kept;
    }
}

/* Takes a member out, or puts one in that is not there; sometimes changes a weight. */
static void change(struct set *set, struct test_random *random, bool weighted)
{
    const struct dp_member candidate = member(test_random_below(random, DP_GROUP_MEMBER_MAX));

    for (unsigned i = 0; i < set->count; i++) {
        if (!lpm_address_equal(&set->members[i].next_hop, &candidate.next_hop))
            continue;
        if (weighted && test_random_one_in(random, 2))
            set->members[i].weight = 1 + test_random_below(random, 9);
        else
            set->members[i] = set->members[--set->count];
        return;
    }
    set->members[set->count] = candidate;
    if (weighted)
        set->members[set->count].weight = 1 + test_random_below(random, 9);
    set->count++;
}

/* A slice may change hands only if its owner went (or changed weight), or to one that came. */
static void check_moves(const struct picture *before, const struct picture *after,
                        const struct set *old, const struct set *new, uint64_t seed)
{
    for (unsigned i = 0; i < SLICES; i++) {
        if (old->count == 0 || new->count == 0)
            return;
        if (lpm_address_equal(&before->owner[i], &after->owner[i]))
            continue;
        cr_assert(!has(new, &before->owner[i], before->weight[i]) ||
                      !has(old, &after->owner[i], after->weight[i]),
                  "slice %u moved between two members that both stayed, seed %lu", i, seed);
    }
}

static void join_and_leave(bool weighted)
{
    struct test_random random = test_random_start();
    static struct picture before, after, afresh;
    struct set set = first_members(3);
    const uint32_t group = create(&set);

    take_picture(group, &before);
    for (unsigned step = 0; step < 150; step++) {
        const struct set old = set;
        uint32_t twin;

        for (unsigned i = test_random_below(&random, 3) + 1; i > 0; i--)
            change(&set, &random, weighted);
        shuffle(&set, &random);
        replace(group, &set);
        take_picture(group, &after);
        check_moves(&before, &after, &old, &set, random.seed);

        /* The history does not matter: the same members made from nothing are the same table. The
         * group in between keeps the two from sharing one. */
        replace(group, &old);
        lpm_rcu_barrier();
        twin = create(&set);
        take_picture(twin, &afresh);
        cr_assert_eq(memcmp(&after, &afresh, sizeof(after)), 0, "seed %lu", random.seed);
        replace(group, &set);
        cr_assert_eq(dp_group_destroy(forwarding, twin), 0);
        lpm_rcu_barrier();
        before = after;
    }
}

Test(group, members_that_come_and_go_move_only_their_own_buckets)
{
    join_and_leave(false);
}

Test(group, weighted_members_that_come_and_go_move_only_their_own_buckets)
{
    join_and_leave(true);
}

static void count_shares(uint32_t group, unsigned *shares)
{
    struct dp_group_info info;

    cr_assert_eq(dp_group_info(forwarding, group, &info), 0);
    memset(shares, 0, DP_GROUP_MEMBER_MAX * sizeof(*shares));
    for (unsigned i = 0; i < info.bucket_count; i++)
        shares[dp_group_bucket(forwarding, group, i)]++;
}

Test(group, sixteen_equal_members_are_balanced_within_ten_percent)
{
    const struct set set = first_members(16);
    unsigned shares[DP_GROUP_MEMBER_MAX];
    const uint32_t group = create(&set);

    count_shares(group, shares);
    for (unsigned i = 0; i < 16; i++)
        cr_expect(shares[i] > 1024 * 0.9 && shares[i] < 1024 * 1.1, "%u", shares[i]);
}

Test(group, shares_follow_the_weights)
{
    struct set set = first_members(6);
    unsigned shares[DP_GROUP_MEMBER_MAX];
    struct dp_group_info info;
    unsigned total = 0;
    uint32_t group;

    for (unsigned i = 0; i < 6; i++) {
        set.members[i].weight = i * i; /* 0 counts as 1 */
        total += i == 0 ? 1 : i * i;
    }
    for (unsigned strict = 0; strict < 2; strict++) {
        set.strict = strict;
        group = create(&set);
        count_shares(group, shares);
        cr_assert_eq(dp_group_info(forwarding, group, &info), 0);
        for (unsigned i = 0; i < 6; i++) {
            const double expected = 16384.0 * info.members[i].weight / total;
            const double tolerance = strict ? 2 : 5 * sqrt(expected);

            cr_expect(fabs(shares[i] - expected) <= tolerance, "%u of %f", shares[i], expected);
        }
    }
}

Test(group, strict_balance_is_even_to_one_bucket_and_moves_little)
{
    struct set set = first_members(7);
    unsigned shares[DP_GROUP_MEMBER_MAX], moved = 0;
    static struct picture before, after;
    uint32_t group;

    set.strict = true;
    group = create(&set);
    count_shares(group, shares);
    for (unsigned i = 0; i < 7; i++)
        cr_expect(shares[i] == 16384 / 7 || shares[i] == 16384 / 7 + 1, "%u", shares[i]);
    take_picture(group, &before);
    set.count = 6;
    replace(group, &set);
    take_picture(group, &after);
    for (unsigned i = 0; i < SLICES; i++)
        moved +=
            has(&set, &before.owner[i], 1) && !lpm_address_equal(&before.owner[i], &after.owner[i]);
    cr_expect_lt(moved, SLICES * 5 / 100, "%u", moved);
}

/* What one hop picked must say nothing of what the next will pick (polarization). */
Test(group, disjoint_groups_choose_independently)
{
    struct set first = first_members(4), second = {.count = 4};
    unsigned cells[4][4] = {{0}};
    uint32_t group1, group2;

    for (unsigned i = 0; i < 4; i++)
        second.members[i] = member(10 + i);
    group1 = create(&first);
    group2 = create(&second);
    for (unsigned i = 0; i < SLICES; i++)
        cells[dp_group_bucket(forwarding, group1, i)][dp_group_bucket(forwarding, group2, i)]++;
    for (unsigned i = 0; i < 16; i++)
        cr_expect(cells[i / 4][i % 4] > 1024 - 160 && cells[i / 4][i % 4] < 1024 + 160, "%u",
                  cells[i / 4][i % 4]);
}

Test(group, equal_members_are_one_table_whatever_their_order_and_nics)
{
    struct test_random random = test_random_start();
    struct set set = first_members(8);
    static struct picture one, two;
    const uint32_t group1 = create(&set);
    struct dp_group_info info;
    uint32_t group2;

    shuffle(&set, &random);
    for (unsigned i = 0; i < 8; i++) {
        set.members[i].nic += 100;
        set.members[i].peering = DP_PEERING_NO_FORWARDED;
        set.members[i].weight = i % 2; /* 0 counts as 1 */
    }
    group2 = create(&set);
    take_picture(group1, &one);
    take_picture(group2, &two);
    cr_assert_eq(memcmp(&one, &two, sizeof(one)), 0);
    cr_assert_eq(dp_group_info(forwarding, group2, &info), 0);
    for (unsigned i = 0; i < 8; i++) {
        cr_expect_gt(info.members[i].nic, 100);
        cr_expect_eq(info.members[i].peering, DP_PEERING_NO_FORWARDED);
        cr_expect(i == 0 || lpm_address_compare(&info.members[i - 1].next_hop,
                                                &info.members[i].next_hop) < 0);
    }
}

Test(group, bad_configurations_are_refused_and_change_nothing)
{
    struct set set = first_members(3);
    static struct picture before, after;
    const uint32_t group = create(&set);
    struct dp_group_config config;

    take_picture(group, &before);
    set.members[1] = set.members[0];
    config = config_of(&set);
    cr_expect_eq(dp_group_replace(forwarding, group, &config), -EINVAL, "one next hop twice");
    set = first_members(3);
    set.members[0].nic = 1001;
    config = config_of(&set);
    cr_expect_eq(dp_group_replace(forwarding, group, &config), -EINVAL, "NIC out of range");
    set = first_members(3);
    set.members[0].next_hop.family = 5;
    config = config_of(&set);
    cr_expect_eq(dp_group_replace(forwarding, group, &config), -EINVAL, "no such family");
    config =
        (struct dp_group_config){.kind = DP_GROUP_MEMBERS, .member_count = DP_GROUP_MEMBER_MAX + 1};
    cr_expect_eq(dp_group_replace(forwarding, group, &config), -EINVAL, "too many");
    config = (struct dp_group_config){.kind = DP_GROUP_VNET, .vnet = 5};
    cr_expect_eq(dp_group_replace(forwarding, group, &config), -EINVAL, "VNet out of range");
    config = (struct dp_group_config){.kind = DP_GROUP_NULL};
    cr_expect_eq(dp_group_replace(forwarding, group + 1, &config), -ENOENT);
    cr_expect_eq(dp_group_replace(forwarding, 0, &config), -ENOENT);
    cr_expect_eq(dp_group_destroy(forwarding, 41), -ENOENT);
    take_picture(group, &after);
    cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
}

Test(group, ids_run_out_at_capacity_and_come_back_after_a_grace_period)
{
    const struct dp_group_config config = {.kind = DP_GROUP_NULL};
    uint32_t ids[40], id;
    struct dp_group_info info;

    for (unsigned i = 0; i < 40; i++)
        cr_assert_eq(dp_group_create(forwarding, &config, &ids[i]), 0);
    cr_expect_eq(dp_group_create(forwarding, &config, &id), -ENOSPC);
    cr_assert_eq(dp_group_destroy(forwarding, ids[7]), 0);
    cr_expect_eq(dp_group_info(forwarding, ids[7], &info), -ENOENT);
    cr_expect_eq(dp_group_destroy(forwarding, ids[7]), -ENOENT);
    cr_expect_eq(dp_group_create(forwarding, &config, &id), -ENOSPC);
    lpm_rcu_barrier();
    cr_assert_eq(dp_group_create(forwarding, &config, &id), 0);
    cr_expect_eq(id, ids[7]);
}

Test(group, next_hops_keep_their_numbers)
{
    struct set set = first_members(12);
    const uint32_t group = create(&set);
    struct lpm_address address;
    unsigned found = 0;

    set.count = 1;
    replace(group, &set);
    lpm_rcu_barrier();
    for (uint32_t number = 1; dp_next_hop_address(forwarding, number, &address); number++) {
        found++;
        for (unsigned i = 0; i < 12; i++) {
            const struct dp_member known = member(i);

            if (lpm_address_equal(&known.next_hop, &address))
                found += 100;
        }
    }
    cr_expect_eq(found, 1212);
    cr_expect_not(dp_next_hop_address(forwarding, 0, &address));
    cr_expect_not(dp_next_hop_address(forwarding, UINT32_MAX, &address));
    set = first_members(12);
    replace(group, &set);
    cr_expect_not(dp_next_hop_address(forwarding, 13, &address), "no number is given twice");
}

/* More next hops than one chunk holds, with their counters. */
Test(group, thousands_of_next_hops_are_numbered)
{
    struct set set = {.count = 0};
    struct dp_next_hop_counters counters;
    struct lpm_address address;
    const uint32_t group = create(&set);

    set.count = DP_GROUP_MEMBER_MAX;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < set.count; i++)
            set.members[i] =
                (struct dp_member){.next_hop = {LPM_IPV4, {10, 7, (uint8_t)round, (uint8_t)i}}};
        replace(group, &set);
    }
    for (uint32_t number = 1; number <= 50 * DP_GROUP_MEMBER_MAX; number++) {
        cr_assert(dp_next_hop_address(forwarding, number, &address));
        dp_counters_next_hop(forwarding, number, &counters);
        cr_assert_eq(counters.packets, 0);
    }
}
