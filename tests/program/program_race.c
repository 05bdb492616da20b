/*
 * Readers decide packets without end while routes and next hops come and go. No packet may ever be
 * decided by anything but the rows before or after a change:
 *
 *   vm1   its route table takes no BGP routes and sends all else to the Internet: it must never
 * follow what its base, the FIB that it is derived from, shows meanwhile vm2   takes the BGP route:
 * an NVA, the Internet while there is none, no member while all are down
 *
 * A plain program, so that it runs under ThreadSanitizer. Argument: seconds, default 2.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/program/program.h"
#include "lpm/rcu.h"
#include "tests/fabric/world.h"

#define READERS 2
#define BURST   16

struct race {
    const struct dp_forwarding *forwarding;
    uint32_t vm1, vm2, nvas[2];
    _Atomic bool stop;
    _Atomic unsigned wrong;
    _Atomic unsigned long decided;
};

static struct dp_packet packet_to(const char *source, const char *destination, uint16_t port)
{
    struct lpm_address from = world_address(source), to = world_address(destination);
    struct dp_packet packet = {.family = LPM_IPV4,
                               .protocol = 6,
                               .ttl = 64,
                               .has_ports = true,
                               .source_port = port,
                               .destination_port = 443,
                               .header_length = 20,
                               .total_length = 100};
    for (unsigned i = 0; i < 4; i++) {
        packet.source[i] = from.bytes[i];
        packet.destination[i] = to.bytes[i];
    }
    return packet;
}

static bool allowed(const struct race *race, uint32_t sender, const struct dp_verdict *verdict)
{
    bool to_internet = verdict->action == DP_FORWARD && verdict->nic == DP_NIC_INTERNET;
    if (sender == race->vm1)
        return to_internet;
    if (verdict->action == DP_DROP)
        return verdict->reason == DP_REASON_NO_MEMBER;
    return to_internet || verdict->nic == race->nvas[0] || verdict->nic == race->nvas[1];
}

static void *read_on(void *context)
{
    struct race *race = context;
    struct dp_packet packets[BURST];
    uint32_t senders[BURST];
    lpm_rcu_register_thread();
    for (unsigned i = 0; i < BURST; i++) {
        senders[i] = i % 2 ? race->vm1 : race->vm2;
        packets[i] =
            packet_to(i % 2 ? "10.1.0.4" : "10.2.0.4", "203.0.113.9", (uint16_t)(1000 + i));
    }
    while (!atomic_load_explicit(&race->stop, memory_order_relaxed)) {
        struct dp_verdict verdicts[BURST];
        struct dp_decide_options options = {.skip_source_check = false};
        dp_decide(race->forwarding, senders, packets, verdicts, BURST, &options);
        for (unsigned i = 0; i < BURST; i++)
            if (!allowed(race, senders[i], &verdicts[i]))
                atomic_fetch_add(&race->wrong, 1);
        atomic_fetch_add_explicit(&race->decided, BURST, memory_order_relaxed);
        lpm_rcu_quiescent();
    }
    lpm_rcu_unregister_thread();
    return NULL;
}

/* One change, told and flushed. */
static void change(struct base_h *base, struct program *program, unsigned step)
{
    static const char *const nvas[] = {"10.0.1.4", "10.0.1.5"};
    static const char *const prefixes[] = {"203.0.113.0/24", "203.0.113.8/29", "0.0.0.0/0"};
    const char *nva = nvas[step % 2], *prefix = prefixes[step / 2 % 3];
    struct lpm_prefix changed = world_prefix(prefix);
    struct lpm_address next_hop = world_address(nva);
    if (step / 6 % 2 == 0)
        world_announce(base->world, base->server, nva, prefix);
    else
        world_withdraw(base->world, base->server, nva, prefix);
    if (step % 5 == 0)
        program_next_hop_state(program, &next_hop, step % 10 == 5);
    program_prefix_changed(program, base->server, &changed);
    program_flush(program);
    lpm_rcu_poll();
}

static unsigned long write_on(struct base_h *base, struct program *program, double seconds)
{
    struct timespec begin, now;
    unsigned long changes = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        change(base, program, (unsigned)changes++);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) + 1e-9 * (double)(now.tv_nsec - begin.tv_nsec) <
             seconds);
    return changes;
}

static struct base_h make_world(void)
{
    struct base_h base = world_base_h();
    uint32_t table = world_add_table(base.world, "no-bgp", false);
    world_add_route(base.world, table, "0.0.0.0/0", FABRIC_INTERNET, NULL);
    base.world->subnets[base.spoke1_subnet].route_table = table;
    return base;
}

int main(int argc, char **argv)
{
    char error[DP_ERROR_TEXT];
    pthread_t readers[READERS];
    struct base_h base = make_world();
    struct dp_forwarding_config config = program_forwarding_config(&base.world->fabric, 1);
    struct lpm *lpm = lpm_create();
    struct dp_forwarding *forwarding = dp_forwarding_create(&config, lpm);
    struct program *program =
        program_create(&base.world->fabric, &base.world->bgp, forwarding, false, error);
    if (!program) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    struct race race = {
        .forwarding = forwarding,
        .vm1 = program_nic_id(program, base.vm1),
        .vm2 = program_nic_id(program, base.vm2),
        .nvas = {program_nic_id(program, base.nva1), program_nic_id(program, base.nva2)}};
    for (unsigned i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_on, &race);
    unsigned long changes = write_on(&base, program, argc > 1 ? atof(argv[1]) : 2);
    atomic_store(&race.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    bool good = program_validate(program, error) && race.wrong == 0 && race.decided > 0;
    printf("%lu changes, %lu packets decided, %u wrongly%s%s\n", changes, race.decided, race.wrong,
           good ? "" : ": ", good ? "" : error);
    program_destroy(program);
    dp_forwarding_destroy(forwarding);
    lpm_destroy(lpm);
    world_destroy(base.world);
    return good ? 0 : 1;
}
