/*
 * Counters of the members of groups: apart for each group, summed for each next hop, and never lost.
 */
#include <criterion/criterion.h>

#include "dataplane/forwarding.h"
#include "tests/dataplane/random.h"

#define GROUPS  30
#define HOPS    12
#define WORKERS 2

static struct lpm *lpm;
static struct dp_forwarding *forwarding;

static void start(void)
{
    const struct dp_forwarding_config config = {.workers = WORKERS,
                                                .nic_capacity = 8,
                                                .vnet_capacity = 2,
                                                .group_capacity = GROUPS,
                                                .hash_fields = 5};

    lpm = lpm_create();
    forwarding = lpm ? dp_forwarding_create(&config, lpm) : NULL;
    cr_assert(forwarding);
}

static void stop(void)
{
    dp_forwarding_destroy(forwarding);
    lpm_destroy(lpm);
}

TestSuite(member, .init = start, .fini = stop);

static struct lpm_address hop(unsigned i)
{
    return (struct lpm_address){LPM_IPV4, {10, 0, 1, (uint8_t)i}};
}

static struct dp_group_config config_of(struct dp_member members[HOPS], unsigned set)
{
    unsigned n = 0;

    for (unsigned i = 0; i < HOPS; i++) {
        if (set >> i & 1)
            members[n++] = (struct dp_member){.next_hop = hop(i), .nic = 2};
    }
    return (struct dp_group_config){
        .kind = DP_GROUP_MEMBERS, .members = members, .member_count = n};
}

static uint32_t create(unsigned set)
{
    struct dp_member members[HOPS];
    const struct dp_group_config config = config_of(members, set);
    uint32_t group;

    cr_assert_eq(dp_group_create(forwarding, &config, &group), 0);
    return group;
}

static void replace(uint32_t group, unsigned set)
{
    struct dp_member members[HOPS];
    const struct dp_group_config config = config_of(members, set);

    cr_assert_eq(dp_group_replace(forwarding, group, &config), 0);
}

/* As a worker does that sends `packets` of 100 bytes by this member. */
static void pass(unsigned worker, uint32_t group, unsigned i, unsigned packets)
{
    const struct dp_group *record = lpm_rcu_dereference(&forwarding->groups[group]);
    const struct lpm_address wanted = hop(i);

    for (unsigned m = 0; m < record->member_count; m++) {
        struct lpm_address address;

        cr_assert(dp_next_hop_address(forwarding, record->members[m].next_hop, &address));
        for (unsigned n = 0; n < packets && lpm_address_equal(&address, &wanted); n++)
            dp_count_member(dp_worker_counters(forwarding, worker), record->members[m].counter,
                            100);
    }
}

static uint64_t member_packets(uint32_t group, unsigned i)
{
    const struct lpm_address address = hop(i);
    struct dp_next_hop_counters counters;

    dp_counters_member(forwarding, group, &address, &counters);
    cr_assert_eq(counters.bytes, 100 * counters.packets);
    return counters.packets;
}

static uint64_t hop_packets(unsigned i)
{
    const struct lpm_address wanted = hop(i);
    struct dp_next_hop_counters counters = {0};
    struct lpm_address address;

    for (uint32_t number = 1; dp_next_hop_address(forwarding, number, &address); number++) {
        if (lpm_address_equal(&address, &wanted))
            dp_counters_next_hop(forwarding, number, &counters);
    }
    return counters.packets;
}

Test(member, groups_count_one_next_hop_apart)
{
    const uint32_t a = create(3), b = create(6);

    pass(0, a, 1, 5);
    pass(1, b, 1, 7);
    pass(1, a, 0, 1);
    cr_expect_eq(member_packets(a, 1), 5);
    cr_expect_eq(member_packets(b, 1), 7);
    cr_expect_eq(member_packets(a, 0), 1);
    cr_expect_eq(member_packets(b, 2), 0);
    cr_expect_eq(hop_packets(1), 12);
    cr_expect_eq(member_packets(a, 2), 0, "no member of this group");
    cr_expect_eq(member_packets(GROUPS + 1, 1), 0);
    cr_expect_eq(member_packets(0, 1), 0);
}

Test(member, one_that_leaves_and_comes_back_counts_on)
{
    const uint32_t group = create(7);

    pass(0, group, 1, 5);
    replace(group, 5);
    cr_expect_eq(member_packets(group, 1), 5, "while it is away");
    replace(group, 7);
    pass(1, group, 1, 5);
    cr_expect_eq(member_packets(group, 1), 10);
}

Test(member, a_new_group_counts_from_nothing_and_the_next_hop_goes_on)
{
    const uint32_t group = create(3);
    uint32_t again;

    pass(0, group, 1, 5);
    cr_assert_eq(dp_group_destroy(forwarding, group), 0);
    lpm_rcu_barrier();
    again = create(3);
    cr_expect_eq(again, group, "ids are given again");
    cr_expect_eq(member_packets(again, 1), 0);
    pass(0, again, 1, 2);
    cr_expect_eq(member_packets(again, 1), 2);
    cr_expect_eq(hop_packets(1), 7);
}

/* Random groups against plain sums. */
struct sums {
    uint32_t id[GROUPS]; /* 0: not there */
    unsigned set[GROUPS];
    uint64_t of_group[GROUPS][HOPS], of_hop[HOPS];
};

static void step(struct sums *sums, struct test_random *random)
{
    const unsigned g = test_random_below(random, GROUPS), i = test_random_below(random, HOPS);
    const unsigned set = test_random_below(random, 1u << HOPS), n = test_random_below(random, 9);

    if (sums->id[g] == 0) {
        sums->id[g] = create(set);
        sums->set[g] = set;
        memset(sums->of_group[g], 0, sizeof(sums->of_group[g]));
    } else if (test_random_one_in(random, 12)) {
        cr_assert_eq(dp_group_destroy(forwarding, sums->id[g]), 0);
        lpm_rcu_barrier();
        sums->id[g] = 0;
    } else if (test_random_one_in(random, 3)) {
        replace(sums->id[g], set);
        sums->set[g] = set;
    } else {
        pass(n % WORKERS, sums->id[g], i, n);
        if (sums->set[g] >> i & 1) {
            sums->of_group[g][i] += n;
            sums->of_hop[i] += n;
        }
    }
}

Test(member, random_groups_add_up)
{
    struct test_random random = test_random_start();
    static struct sums sums;

    for (unsigned n = 0; n < 6000; n++) {
        step(&sums, &random);
        if (n % 100 != 0)
            continue;
        for (unsigned i = 0; i < HOPS; i++) {
            cr_assert_eq(hop_packets(i), sums.of_hop[i], "seed %lu", random.seed);
            for (unsigned g = 0; g < GROUPS; g++)
                cr_assert(sums.id[g] == 0 || member_packets(sums.id[g], i) == sums.of_group[g][i],
                          "seed %lu", random.seed);
        }
    }
}
