/*
 * Readers decide while the writer changes everything: every verdict must be that of the state
 * before a change or after it. A plain program, for ThreadSanitizer.
 *
 *   what the writer turns over, again and again         what a reader may see
 *   GROUP    members {A, B} or {C}                      A, B or C, each with its own next hop
 *   MAP      the address's NIC: A, B or none            A, B, next-hop-unreachable
 *   SENDER   the sending NIC: there, gone, other FIBs   A, unknown-attachment, null-route
 *   ROUTE    the route: to A, to None, gone             A, null-route, no-route
 *   REUSED1  a group made, routed to, unrouted and      A, no-route
 *   REUSED2  given up: its id goes to the other's       B, no-route
 *
 * If an id came back too early, a packet of REUSED1 would end at B.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/forwarding.h"
#include "tests/dataplane/random.h"

#define READERS      2
#define WRITER_STEPS 30000

enum { GROUP, MAP, SENDER, ROUTE, REUSED1, REUSED2, CASES };
enum { NIC_INTERNET = 1, NIC_A, NIC_B, NIC_C, NIC_SENDER, NIC_STEADY, NIC_MAC, NIC_CAPACITY = 16 };

static struct lpm *lpm;
static struct dp_forwarding *forwarding;
static struct lpm_fib *fib, *null_fib;
static uint32_t null_group, to_a, to_map, turning;
static _Atomic bool over, failed;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            atomic_store(&failed, true);                                                           \
        }                                                                                          \
    } while (0)

/* 10.9.0.<n>: destination of case n. 10.1.0.<n>: NIC n. */
static struct lpm_address destination_of(unsigned n)
{
    return (struct lpm_address){LPM_IPV4, {10, 9, 0, (uint8_t)n}};
}

static struct lpm_address address_of(unsigned nic)
{
    return (struct lpm_address){LPM_IPV4, {10, 1, 0, (uint8_t)nic}};
}

static const uint8_t macs[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

/* --- Readers ---------------------------------------------------------------------------------- */

static bool dropped_as(const struct dp_verdict *verdict, enum dp_reason reason)
{
    return verdict->action == DP_DROP && verdict->reason == reason;
}

static bool forwarded_to(const struct dp_verdict *verdict, uint32_t nic)
{
    return verdict->action == DP_FORWARD && verdict->nic == nic;
}

/* The next hop of a member is its NIC's address: a torn member would pair two. */
static bool member_whole(const struct dp_verdict *verdict)
{
    const struct lpm_address expected = address_of(verdict->nic);
    struct lpm_address address;

    return dp_next_hop_address(forwarding, verdict->next_hop, &address) &&
           lpm_address_equal(&address, &expected);
}

static void check_verdict(unsigned kind, const struct dp_verdict *verdict)
{
    const bool to_nic_a = forwarded_to(verdict, NIC_A), to_nic_b = forwarded_to(verdict, NIC_B);

    switch (kind) {
    case GROUP:
        CHECK(to_nic_a || to_nic_b || forwarded_to(verdict, NIC_C));
        CHECK(member_whole(verdict));
        break;
    case MAP:
        CHECK(to_nic_a || to_nic_b || dropped_as(verdict, DP_REASON_NEXT_HOP_UNREACHABLE));
        break;
    case SENDER:
        CHECK(to_nic_a || dropped_as(verdict, DP_REASON_UNKNOWN_ATTACHMENT) ||
              dropped_as(verdict, DP_REASON_NULL_ROUTE));
        break;
    case ROUTE:
        CHECK(to_nic_a || dropped_as(verdict, DP_REASON_NULL_ROUTE) ||
              dropped_as(verdict, DP_REASON_NO_ROUTE));
        break;
    case REUSED1:
        CHECK(to_nic_a || dropped_as(verdict, DP_REASON_NO_ROUTE));
        break;
    default:
        CHECK(to_nic_b || dropped_as(verdict, DP_REASON_NO_ROUTE));
        break;
    }
}

static void count(struct dp_worker_counters *counters, uint32_t nic,
                  const struct dp_verdict *verdict)
{
    dp_count_received(counters, nic, 1, 100);
    if (verdict->action != DP_FORWARD) {
        dp_count_dropped(counters, nic, (enum dp_reason)verdict->reason);
        return;
    }
    dp_count_forwarded(counters, nic, 1, 100, verdict->self_loop);
    if (verdict->member_counter != 0)
        dp_count_member(counters, verdict->member_counter, 100);
}

static void check_classify(void)
{
    const struct dp_port_table *table = dp_port_table(forwarding, 0);

    for (unsigned i = 0; i < 2; i++) {
        const uint32_t nic = dp_classify(forwarding, table, 0, 0, macs[i]);

        CHECK(nic == 0 || nic == NIC_MAC);
    }
}

static void *read_forever(void *argument)
{
    const unsigned worker = (unsigned)(uintptr_t)argument;
    struct dp_worker_counters *counters = dp_worker_counters(forwarding, worker);
    const struct dp_decide_options options = {.user = worker + 1};
    struct test_random random = {.state = worker};
    struct dp_packet packets[CASES * 8];
    struct dp_verdict verdicts[CASES * 8];
    uint32_t nics[CASES * 8];

    lpm_rcu_register_thread();
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        for (unsigned i = 0; i < CASES * 8; i++) {
            const struct lpm_address to = destination_of(i % CASES), from = address_of(NIC_STEADY);

            nics[i] = i % CASES == SENDER ? NIC_SENDER : NIC_STEADY;
            packets[i] = (struct dp_packet){.family = LPM_IPV4,
                                            .ttl = 64,
                                            .protocol = 17,
                                            .has_ports = true,
                                            .source_port = (uint16_t)test_random_next(&random)};
            memcpy(packets[i].source, from.bytes, 4);
            memcpy(packets[i].destination, to.bytes, 4);
        }
        dp_decide(forwarding, nics, packets, verdicts, CASES * 8, &options);
        for (unsigned i = 0; i < CASES * 8; i++) {
            check_verdict(i % CASES, &verdicts[i]);
            count(counters, nics[i], &verdicts[i]);
        }
        check_classify();
        lpm_rcu_quiescent();
    }
    lpm_rcu_unregister_thread();
    return NULL;
}

/* --- The writer ------------------------------------------------------------------------------- */

static void set_nic(uint32_t nic, const struct lpm_fib *fib4,
                    const struct dp_attachment *attachment, const uint8_t *mac)
{
    const struct lpm_address own = address_of(nic);
    struct dp_nic_config config = {
        .name = "raced",
        .vnet = 1,
        .addresses = &own,
        .address_count = 1,
        .ip_forwarding = true,
        .fib4 = fib4,
    };

    if (attachment)
        config.attachment = *attachment;
    if (mac)
        memcpy(config.mac, mac, 6);
    CHECK(dp_nic_set(forwarding, nic, &config) == 0);
}

static void set_route(unsigned kind, uint32_t leaf)
{
    const struct lpm_address to = destination_of(kind);
    const struct lpm_change change = {
        .kind = leaf != 0 ? LPM_SET : LPM_REMOVE, .prefix = lpm_address_prefix(&to), .leaf = leaf};

    CHECK(lpm_update(fib, &change, 1) == 0);
}

static uint32_t make_group(const uint32_t *nics, unsigned n, uint32_t replaced)
{
    struct dp_member members[2];
    const struct dp_group_config config = {
        .kind = DP_GROUP_MEMBERS,
        .members = members,
        .member_count = n,
        .patience = {.sticky = replaced != 0, .idle_ms = 20, .forced_ms = 50}};
    uint32_t group = replaced;

    for (unsigned i = 0; i < n; i++)
        members[i] = (struct dp_member){.next_hop = address_of(nics[i]), .nic = nics[i]};
    if (replaced != 0) {
        CHECK(dp_group_replace(forwarding, replaced, &config) == 0);
        return group;
    }
    /* Few ids on purpose: all others may be waiting for their grace period. */
    if (dp_group_create(forwarding, &config, &group) < 0) {
        lpm_rcu_barrier();
        CHECK(dp_group_create(forwarding, &config, &group) == 0);
    }
    return group;
}

static void turn_group(struct test_random *random)
{
    static const uint32_t ab[] = {NIC_A, NIC_B}, c[] = {NIC_C};

    static uint64_t now_ms = 1000;

    now_ms += 10;
    dp_groups_tick(forwarding, now_ms);
    if (test_random_one_in(random, 2))
        make_group(ab, 1 + test_random_below(random, 2), turning);
    else
        make_group(c, 1, turning);
}

static void turn_map(struct test_random *random)
{
    static const uint32_t nics[] = {NIC_A, NIC_B, 0};
    const struct lpm_prefix space = {LPM_IPV4, 8, {10}};
    const struct dp_vnet_address address = {destination_of(MAP),
                                            nics[test_random_below(random, 3)]};

    CHECK(dp_vnet_set_addresses(forwarding, 1, &address, 1) == 0);
    if (test_random_one_in(random, 4))
        CHECK(dp_vnet_set(forwarding, 1, &space, test_random_below(random, 2)) == 0);
}

static void turn_sender(struct test_random *random)
{
    const bool there = dp_nic_read(forwarding, NIC_SENDER) != NULL;

    if (there && test_random_one_in(random, 3))
        CHECK(dp_nic_remove(forwarding, NIC_SENDER) == 0);
    else if (there && test_random_one_in(random, 2))
        CHECK(dp_nic_set_fibs(forwarding, NIC_SENDER,
                              test_random_one_in(random, 2) ? fib : null_fib, NULL) == 0);
    else
        set_nic(NIC_SENDER, test_random_one_in(random, 2) ? fib : null_fib, NULL, NULL);
}

static void turn_route(struct test_random *random)
{
    const uint32_t leaves[] = {to_a, null_group, 0};

    set_route(ROUTE, leaves[test_random_below(random, 3)]);
}

/* Each of the two in turn takes the id that the other gave up. */
static void turn_reused(struct test_random *random)
{
    static const uint32_t nics[] = {NIC_A, NIC_B};
    static uint32_t groups[2];
    const unsigned which = test_random_below(random, 2);

    if (groups[which] == 0) {
        groups[which] = make_group(&nics[which], 1, 0);
        set_route(REUSED1 + which, groups[which]);
    } else {
        set_route(REUSED1 + which, 0);
        CHECK(dp_group_destroy(forwarding, groups[which]) == 0);
        groups[which] = 0;
    }
}

static void turn_mac(struct test_random *random)
{
    static const struct dp_attachment by_mac = {DP_ATTACHMENT_MAC, 0, 0};

    set_nic(NIC_MAC, NULL, test_random_one_in(random, 4) ? NULL : &by_mac,
            macs[test_random_below(random, 2)]);
}

static void write_all(struct test_random *random)
{
    static void (*const turns[])(struct test_random *) = {turn_group, turn_map,    turn_sender,
                                                          turn_route, turn_reused, turn_mac};
    struct dp_counters counters;

    for (unsigned step = 0; step < WRITER_STEPS; step++) {
        turns[test_random_below(random, 6)](random);
        lpm_rcu_poll();
        if (step % 500 == 0)
            dp_counters_total(forwarding, &counters);
    }
}

/* --- The program ------------------------------------------------------------------------------ */

static void set_up(void)
{
    const struct dp_forwarding_config config = {.workers = READERS,
                                                .nic_capacity = NIC_CAPACITY,
                                                .vnet_capacity = 2,
                                                .group_capacity = 12,
                                                .decrement_ttl = true,
                                                .hash_fields = 5};
    static const uint32_t ab[] = {NIC_A, NIC_B};
    const struct dp_group_config null_config = {.kind = DP_GROUP_NULL};
    const struct dp_group_config map_config = {.kind = DP_GROUP_VNET, .vnet = 1};
    struct lpm_route null_route = {.prefix = {.family = LPM_IPV4}};

    lpm = lpm_create();
    forwarding = dp_forwarding_create(&config, lpm);
    if (!forwarding)
        abort();
    CHECK(dp_group_create(forwarding, &null_config, &null_group) == 0);
    CHECK(dp_group_create(forwarding, &map_config, &to_map) == 0);
    to_a = make_group(ab, 1, 0);
    turning = make_group(ab, 2, 0);
    null_route.leaf = null_group;
    CHECK(lpm_base_create(lpm, LPM_IPV4, &null_route, 1, &null_fib) == 0);
    CHECK(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &fib) == 0);
    set_route(GROUP, turning);
    set_route(MAP, to_map);
    set_route(SENDER, to_a);
    CHECK(dp_vnet_set(forwarding, 1, NULL, 0) == 0);
    for (uint32_t nic = NIC_A; nic <= NIC_STEADY; nic++)
        set_nic(nic, fib, NULL, NULL);
}

static void check_counters(void)
{
    struct dp_counters total;
    uint64_t sum;

    dp_counters_total(forwarding, &total);
    sum = total.forwarded + total.answered;
    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
        sum += total.dropped[reason];
    CHECK(total.received == sum && total.received > 0);
    printf("%lu packets decided, %lu forwarded, while %d changes were made\n", total.received,
           total.forwarded, WRITER_STEPS);
}

int main(void)
{
    struct test_random random = test_random_start();
    pthread_t threads[READERS];

    printf("seed %lu\n", random.seed);
    set_up();
    for (unsigned i = 0; i < READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, read_forever, (void *)(uintptr_t)i) == 0);
    write_all(&random);
    atomic_store(&over, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    check_counters();
    dp_forwarding_destroy(forwarding);
    lpm_release(fib);
    lpm_release(null_fib);
    lpm_destroy(lpm);
    return atomic_load(&failed) ? 1 : 0;
}
