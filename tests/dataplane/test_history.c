/*
 * Buckets that wait: newcomers and members that drain move what is idle, and no more, until the time is
 * over.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "lpm/rcu.h"
#include "tests/dataplane/random.h"

#define IDLE_MS   1000u
#define FORCED_MS 8000u
#define TICK_MS   100u
#define BUCKETS   16384
#define FLOWS     500

static struct lpm *lpm;
static struct dp_forwarding *forwarding;
static struct lpm_fib *fib;
static uint32_t group;
static uint64_t now_ms;

static struct lpm_address hop(unsigned i)
{
    return (struct lpm_address){LPM_IPV4, {10, 0, 1, (uint8_t)(4 + i)}};
}

/* Members by bit; those of `draining` too. */
struct set {
    unsigned members, draining;
    bool sticky, strict;
};

static struct dp_group_config config_of(const struct set *set, struct dp_member *members)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 16; i++) {
        if (set->members >> i & 1)
            members[n++] = (struct dp_member){.next_hop = hop(i),
                                              .nic = 3,
                                              .weight = 1 + i % 3,
                                              .draining = set->draining >> i & 1};
    }
    return (struct dp_group_config){.kind = DP_GROUP_MEMBERS,
                                    .members = members,
                                    .member_count = n,
                                    .strict_balance = set->strict,
                                    .patience = {set->sticky, IDLE_MS, FORCED_MS}};
}

static uint32_t create(struct set set)
{
    struct dp_member members[16];
    const struct dp_group_config config = config_of(&set, members);
    uint32_t made;

    cr_assert_eq(dp_group_create(forwarding, &config, &made), 0);
    return made;
}

static void replace(uint32_t id, struct set set)
{
    struct dp_member members[16];
    const struct dp_group_config config = config_of(&set, members);

    cr_assert_eq(dp_group_replace(forwarding, id, &config), 0);
}

static void destroy(uint32_t id)
{
    cr_assert_eq(dp_group_destroy(forwarding, id), 0);
    lpm_rcu_barrier();
}

static unsigned tick(void)
{
    now_ms += TICK_MS;
    return dp_groups_tick(forwarding, now_ms);
}

/* NIC 2 sends everything to `group`. */
static void start(void)
{
    const struct dp_forwarding_config config = {.workers = 2,
                                                .nic_capacity = 8,
                                                .vnet_capacity = 2,
                                                .group_capacity = 20,
                                                .hash_fields = 5};
    const struct lpm_address own[2] = {{LPM_IPV4, {10, 1, 0, 2}}, {LPM_IPV4, {10, 1, 0, 3}}};
    struct lpm_route route = {.prefix = {LPM_IPV4, 0, {0}}};

    lpm = lpm_create();
    forwarding = dp_forwarding_create(&config, lpm);
    cr_assert(forwarding);
    now_ms = 1000000;
    tick();
    group = route.leaf = create((struct set){.members = 7, .sticky = true});
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, &route, 1, &fib), 0);
    for (uint32_t nic = 2; nic <= 3; nic++) {
        const struct dp_nic_config record = {.name = "vm",
                                             .addresses = &own[nic - 2],
                                             .address_count = 1,
                                             .ip_forwarding = true,
                                             .fib4 = fib};

        cr_assert_eq(dp_nic_set(forwarding, nic, &record), 0);
    }
}

static void stop(void)
{
    dp_forwarding_destroy(forwarding);
    lpm_release(fib);
    lpm_destroy(lpm);
}

TestSuite(history, .init = start, .fini = stop);

/* Sends the flow; the bucket that it uses. */
static unsigned use(unsigned flow, unsigned worker)
{
    const struct dp_decide_options options = {.user = worker + 1};
    const uint32_t nic = 2;
    struct dp_packet packet = {
        .family = LPM_IPV4, .protocol = 6, .ttl = 64, .has_ports = true, .total_length = 60};
    struct dp_verdict verdict;

    memcpy(packet.source, (uint8_t[]){10, 1, 0, 2}, 4);
    memcpy(packet.destination, (uint8_t[]){20, 0, 0, 1}, 4);
    packet.source_port = (uint16_t)flow;
    dp_decide(forwarding, &nic, &packet, &verdict, 1, &options);
    return verdict.bucket;
}

struct picture {
    struct lpm_address owner[BUCKETS]; /* family 0: none */
};

static void take_picture(uint32_t id, struct picture *picture)
{
    struct dp_group_info info;

    memset(picture, 0, sizeof(*picture));
    cr_assert_eq(dp_group_info(forwarding, id, &info), 0);
    for (unsigned i = 0; i < BUCKETS && info.member_count > 0; i++)
        picture->owner[i] =
            info.members[dp_group_bucket(forwarding, id, i % info.bucket_count)].next_hop;
}

/* What the same members have where nothing waits. */
static void take_pure(struct set set, struct picture *picture)
{
    uint32_t pure;

    set.sticky = false;
    set.members &= set.members == set.draining ? ~0u : ~set.draining;
    set.draining = 0;
    pure = create(set);
    take_picture(pure, picture);
    destroy(pure);
}

static unsigned count(const struct picture *picture, unsigned member)
{
    const struct lpm_address address = hop(member);
    unsigned n = 0;

    for (unsigned i = 0; i < BUCKETS; i++)
        n += lpm_address_equal(&picture->owner[i], &address);
    return n;
}

static unsigned changes(const struct picture *a, const struct picture *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < BUCKETS; i++)
        n += !lpm_address_equal(&a->owner[i], &b->owner[i]);
    return n;
}

static struct picture before, after, pure;

Test(history, a_newcomer_gets_what_is_idle_and_the_rest_when_the_time_is_over)
{
    const struct set four = {.members = 15, .sticky = true};
    bool used[BUCKETS] = {false};

    for (unsigned flow = 0; flow < FLOWS; flow++)
        used[use(flow, flow % 2)] = true;
    take_picture(group, &before);
    take_pure(four, &pure);
    replace(group, four);
    take_picture(group, &after);
    cr_assert_eq(changes(&before, &after), 0, "at first nothing moves");
    for (unsigned ms = 0; ms < FORCED_MS - 2 * TICK_MS; ms += TICK_MS) {
        for (unsigned flow = 0; flow < FLOWS; flow++)
            use(flow, flow % 2);
        tick();
        take_picture(group, &after);
        for (unsigned i = 0; i < BUCKETS; i++)
            cr_assert(
                lpm_address_equal(&after.owner[i], used[i] ? &before.owner[i] : &pure.owner[i]),
                "bucket %u after %u ms", i, ms);
    }
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned flow = 0; flow < FLOWS; flow++)
            use(flow, flow % 2);
        tick();
    }
    take_picture(group, &after);
    cr_assert_eq(changes(&after, &pure), 0, "in use or not");
}

Test(history, a_bucket_in_use_moves_when_it_falls_idle)
{
    const struct set four = {.members = 15, .sticky = true};
    unsigned bucket, flow = 0;

    take_picture(group, &before);
    take_pure(four, &pure);
    do
        bucket = use(++flow, 1);
    while (lpm_address_equal(&before.owner[bucket], &pure.owner[bucket]));
    replace(group, four);
    for (unsigned ms = 0; ms < IDLE_MS; ms += TICK_MS) {
        take_picture(group, &after);
        cr_assert(lpm_address_equal(&before.owner[bucket], &after.owner[bucket]), "%u ms", ms);
        tick();
    }
    cr_assert_eq(tick(), 1, "the one that was left");
    take_picture(group, &after);
    cr_assert_eq(changes(&after, &pure), 0);
    cr_assert_eq(tick(), 0);
}

/* Workers leave the time that they know: one that is long past is not idleness. */
Test(history, a_late_clock_moves_nothing_that_was_in_use)
{
    unsigned bucket, flow = 0;

    take_picture(group, &before);
    take_pure((struct set){.members = 15}, &pure);
    do
        bucket = use(++flow, 0);
    while (lpm_address_equal(&before.owner[bucket], &pure.owner[bucket]));
    replace(group, (struct set){.members = 15, .sticky = true});
    now_ms += 3 * IDLE_MS;
    tick();
    use(flow, 0);
    now_ms += 3 * IDLE_MS;
    tick();
    take_picture(group, &after);
    cr_assert(lpm_address_equal(&before.owner[bucket], &after.owner[bucket]));
}

static void drains(bool sticky, bool strict)
{
    const struct set full = {.members = 7, .sticky = sticky, .strict = strict};
    const struct set set = {.members = 7, .draining = 2, .sticky = sticky, .strict = strict};
    struct dp_group_info info;
    bool used[BUCKETS] = {false};
    unsigned held = 0;

    replace(group, full);
    take_pure(set, &pure);
    for (unsigned i = 0; i < FORCED_MS / TICK_MS + 2; i++)
        tick();
    take_picture(group, &before);
    replace(group, set);
    for (unsigned ms = 0; ms <= IDLE_MS + TICK_MS; ms += TICK_MS) {
        for (unsigned flow = 0; flow < FLOWS; flow++)
            used[use(flow, 0)] = true;
        tick();
    }
    take_picture(group, &after);
    for (unsigned i = 0; i < BUCKETS; i++) {
        const struct lpm_address address = hop(1);
        const bool its = lpm_address_equal(&before.owner[i], &address);

        if (its && used[i])
            cr_assert(lpm_address_equal(&after.owner[i], &address), "bucket %u is in use", i);
        else if (its || strict)
            cr_assert(lpm_address_equal(&after.owner[i], &pure.owner[i]) || used[i], "%u", i);
        else
            cr_assert(lpm_address_equal(&after.owner[i], &before.owner[i]), "bucket %u", i);
        held += its && used[i];
    }
    cr_assert_eq(dp_group_info(forwarding, group, &info), 0);
    cr_assert(info.members[1].draining && info.buckets[1] == held && info.wanted[1] == 0);
    for (unsigned i = 0; i < FORCED_MS / TICK_MS + 2; i++) {
        for (unsigned flow = 0; flow < FLOWS; flow++)
            use(flow, 0);
        tick();
    }
    take_picture(group, &after);
    cr_assert_eq(count(&after, 1), 0);
    cr_assert_eq(changes(&after, &pure), 0);
}

Test(history, a_member_that_drains_keeps_what_is_in_use_and_gets_nothing)
{
    drains(false, false);
}

Test(history, it_drains_alike_where_newcomers_wait)
{
    drains(true, false);
}

Test(history, it_drains_alike_where_buckets_are_filled_evenly)
{
    drains(true, true);
}

Test(history, where_all_drain_nobody_does)
{
    take_picture(group, &before);
    replace(group, (struct set){.members = 7, .draining = 7});
    take_picture(group, &after);
    cr_assert_eq(changes(&before, &after), 0);
    replace(group, (struct set){.members = 1, .draining = 1});
    take_picture(group, &after);
    cr_assert_eq(count(&after, 0), BUCKETS);
}

/* A prefix that gets another next hop gets another group. */
Test(history, a_new_group_begins_as_the_one_that_is_most_like_it)
{
    const uint32_t other = create((struct set){.members = 0xf0, .sticky = true});
    uint32_t new;

    for (unsigned flow = 0; flow < FLOWS; flow++)
        use(flow, 0);
    take_picture(group, &before);
    new = create((struct set){.members = 15, .sticky = true});
    take_picture(new, &after);
    cr_assert_eq(changes(&before, &after), 0);
    destroy(other);
    destroy(new);
}

/* Even before readers have left what was. */
Test(history, one_that_comes_back_at_once_waits_too)
{
    for (unsigned flow = 0; flow < FLOWS; flow++)
        use(flow, 0);
    replace(group, (struct set){.members = 5, .sticky = true});
    take_picture(group, &before);
    replace(group, (struct set){.members = 7, .sticky = true});
    take_picture(group, &after);
    cr_assert_eq(changes(&before, &after), 0);
}

Test(history, one_that_waited_long_enough_is_not_put_off_by_another_change)
{
    const struct set five = {.members = 31, .sticky = true};
    unsigned flow_of[BUCKETS] = {0};

    for (unsigned flow = 1; flow < FLOWS; flow++)
        flow_of[use(flow, 0)] = flow;
    take_picture(group, &before);
    take_pure((struct set){.members = 15}, &pure);
    replace(group, (struct set){.members = 15, .sticky = true});
    for (unsigned ms = 0; ms <= FORCED_MS; ms += TICK_MS) {
        if (ms == FORCED_MS / 2)
            replace(group, five);
        for (unsigned flow = 1; flow < FLOWS; flow++)
            use(flow, 0);
        tick();
    }
    take_picture(group, &after);
    unsigned waited = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        const struct lpm_address fourth = hop(3);

        if (!flow_of[i] || !lpm_address_equal(&pure.owner[i], &fourth))
            continue;
        cr_assert_not(lpm_address_equal(&after.owner[i], &before.owner[i]), "bucket %u", i);
        waited++;
    }
    cr_assert_gt(waited, 0);
}

Test(history, impossible_patience_is_refused)
{
    struct dp_member members[16];
    struct dp_group_config config = config_of(&(struct set){.members = 7, .sticky = true}, members);
    uint32_t made;

    config.patience.forced_ms = 0;
    cr_expect_eq(dp_group_create(forwarding, &config, &made), -EINVAL);
    config.patience = (struct dp_patience){true, 1u << 30, 5};
    cr_expect_eq(dp_group_create(forwarding, &config, &made), -EINVAL);
    config.patience = (struct dp_patience){0};
    members[0].draining = true;
    cr_expect_eq(dp_group_create(forwarding, &config, &made), -EINVAL);
}

/* --- Random sequences ------------------------------------------------------------------------- */

/* What is known of each bucket without looking at how the table works. */
struct expectation {
    struct lpm_address owner;
    uint64_t used_ms; /* 0: never */
    uint64_t due_ms;  /* since when another one is to have it; 0: nobody is */
};

static bool stays(struct set set, const struct lpm_address *address)
{
    for (unsigned i = 0; i < 16; i++) {
        const struct lpm_address known = hop(i);

        if ((set.members >> i & 1) && lpm_address_equal(&known, address))
            return true;
    }
    return false;
}

static struct set random_change(struct set set, struct test_random *random)
{
    const unsigned bit = 1u << test_random_below(random, 12);

    if (test_random_one_in(random, 3))
        set.draining ^= bit & set.members;
    else
        set.members ^= bit;
    if (set.members == 0)
        set.members = bit;
    set.draining &= set.members;
    return set;
}

/* In use a moment ago and not overdue: it has not moved unless its owner went. */
static void check_step(struct expectation *expected, struct set set, uint64_t seed)
{
    take_picture(group, &after);
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct expectation *bucket = &expected[i];

        cr_assert(stays(set, &after.owner[i]), "seed %lu", seed);
        if (!lpm_address_equal(&bucket->owner, &after.owner[i]) && stays(set, &bucket->owner))
            cr_assert(now_ms - bucket->used_ms >= IDLE_MS ||
                          (bucket->due_ms && now_ms - bucket->due_ms >= FORCED_MS - TICK_MS),
                      "bucket %u moved in use, seed %lu", i, seed);
        bucket->owner = after.owner[i];
        if (lpm_address_equal(&bucket->owner, &pure.owner[i]))
            bucket->due_ms = 0;
        else if (bucket->due_ms == 0)
            bucket->due_ms = now_ms;
    }
}

Test(history, random_sequences_move_only_what_is_idle_gone_or_overdue)
{
    struct test_random random = test_random_start();
    static struct expectation expected[BUCKETS];
    struct set set = {.members = 7, .sticky = true};

    take_pure(set, &pure);
    take_picture(group, &before);
    for (unsigned i = 0; i < BUCKETS; i++)
        expected[i].owner = before.owner[i];
    for (unsigned step = 0; step < 400; step++) {
        for (unsigned flow = test_random_below(&random, FLOWS); flow < FLOWS; flow++)
            expected[use(flow, flow % 2)].used_ms = now_ms;
        if (test_random_one_in(&random, 25)) {
            set = random_change(set, &random);
            replace(group, set);
            take_pure(set, &pure);
        }
        tick();
        check_step(expected, set, random.seed);
    }
    for (unsigned ms = 0; ms < FORCED_MS + 2 * TICK_MS; ms += TICK_MS)
        tick();
    take_picture(group, &after);
    cr_assert_eq(changes(&after, &pure), 0, "seed %lu", random.seed);
}

Test(history, groups_with_equal_members_agree_whatever_they_came_from)
{
    struct test_random random = test_random_start();
    uint32_t other = create((struct set){.members = 1, .sticky = true});
    struct set set = {.members = 7, .sticky = true};

    for (unsigned step = 0; step < 60; step++) {
        for (unsigned flow = test_random_below(&random, FLOWS); flow < FLOWS; flow++)
            use(flow, 0);
        set = random_change(set, &random);
        replace(group, set);
        if (test_random_one_in(&random, 3)) {
            destroy(other);
            other = create(set);
        } else {
            replace(other, set);
        }
        tick();
        lpm_rcu_poll();
        take_picture(group, &before);
        take_picture(other, &after);
        cr_assert_eq(changes(&before, &after), 0, "seed %lu", random.seed);
    }
}
