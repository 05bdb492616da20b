/*
 * Readers decide packets without end while the fabric is changed back and forth between readings:
 * NICs, VNets, peerings and users' routes come and go around two flows that none of that is about.
 *
 *   vm1 -> hubvm (VNet peering)       forwarded to hubvm, under the id that it always had
 *   vm1 -> 203.0.113.9 (BGP route)    forwarded to the appliance
 *
 * Each reading inserts names that sort before and after those of the two flows, so that every index
 * moves. A plain program, so that it runs under ThreadSanitizer. Argument: seconds, default 2.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/fabric/load.h"
#include "engine/program/controller.h"
#include "lpm/rcu.h"

#define READERS  2
#define BURST    16
#define READINGS 4

static const char head[] =
    "fabric: race\n"
    "route_servers: [{name: rs1, vnet: hub, addresses: [10.0.0.4, 10.0.0.5]}]\n"
    "route_tables:\n"
    "  - {name: t, routes: [{prefix: 203.0.113.0/24, next_hop_type: VirtualAppliance, next_hop: "
    "10.0.1.4}";
static const char vnets[] =
    "]}\nvnets:\n"
    "  - {name: hub, region: a, address_space: [10.0.0.0/22], subnets: [{name: RouteServerSubnet, "
    "prefixes: [10.0.0.0/26]}, {name: nva, prefixes: [10.0.1.0/24]}]}\n"
    "  - {name: spoke, region: a, address_space: [10.1.0.0/16], subnets: [{name: vms, prefixes: "
    "[10.1.0.0/24], route_table: t}]}\n";
static const char peerings[] =
    "peerings:\n"
    "  - {vnets: [hub, spoke], hub: {allow_forwarded_traffic: true}, spoke: "
    "{allow_forwarded_traffic: true}}\n";
static const char nics[] =
    "nics:\n"
    "  - {name: hubvm, subnet: hub/nva, addresses: [10.0.1.9]}\n"
    "  - {name: nva, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: vm1, subnet: spoke/vms, addresses: [10.1.0.4]}\n";

/* What each reading has besides. */
static const struct extra {
    const char *routes, *vnets, *peerings, *nics;
} extras[READINGS] = {
    {"", "", "", ""},
    {", {prefix: 198.51.100.0/24, next_hop_type: None}", "", "",
     "  - {name: aa, subnet: hub/nva, addresses: [10.0.1.20]}\n"
     "  - {name: zz, subnet: spoke/vms, addresses: [10.1.0.20]}\n"},
    {", {prefix: 10.0.1.20/32, next_hop_type: VirtualAppliance, next_hop: 10.0.1.4}",
     "  - {name: a-first, region: a, address_space: [10.9.0.0/16], subnets: [{name: vms, prefixes: "
     "[10.9.0.0/24]}]}\n",
     "  - {vnets: [a-first, spoke]}\n",
     "  - {name: ab, subnet: a-first/vms, addresses: [10.9.0.4]}\n"
     "  - {name: aa, subnet: spoke/vms, addresses: [10.1.0.20]}\n"},
    {"",
     "  - {name: zone, region: a, address_space: [10.8.0.0/16], subnets: [{name: vms, prefixes: "
     "[10.8.0.0/24]}]}\n",
     "  - {vnets: [zone, hub]}\n", "  - {name: nn, subnet: zone/vms, addresses: [10.8.0.4]}\n"},
};

struct race {
    const struct dp_forwarding *forwarding;
    uint32_t vm1, hubvm, nva;
    _Atomic bool stop;
    _Atomic unsigned wrong;
    _Atomic unsigned long decided;
};

static struct dp_packet packet_to(const char *destination, uint16_t port)
{
    struct lpm_address from, to;
    lpm_address_parse("10.1.0.4", &from);
    lpm_address_parse(destination, &to);
    struct dp_packet packet = {.family = LPM_IPV4,
                               .protocol = 6,
                               .ttl = 64,
                               .has_ports = true,
                               .source_port = port,
                               .destination_port = 443,
                               .header_length = 20,
                               .total_length = 100};
    memcpy(packet.source, from.bytes, 4);
    memcpy(packet.destination, to.bytes, 4);
    return packet;
}

static void *read_on(void *context)
{
    struct race *race = context;
    struct dp_packet packets[BURST];
    uint32_t senders[BURST];
    lpm_rcu_register_thread();
    for (unsigned i = 0; i < BURST; i++) {
        senders[i] = race->vm1;
        packets[i] = packet_to(i % 2 ? "10.0.1.9" : "203.0.113.9", (uint16_t)(1000 + i));
    }
    while (!atomic_load_explicit(&race->stop, memory_order_relaxed)) {
        struct dp_verdict verdicts[BURST];
        dp_decide(race->forwarding, senders, packets, verdicts, BURST, NULL);
        for (unsigned i = 0; i < BURST; i++)
            if (verdicts[i].action != DP_FORWARD ||
                verdicts[i].nic != (i % 2 ? race->hubvm : race->nva))
                atomic_fetch_add(&race->wrong, 1);
        atomic_fetch_add_explicit(&race->decided, BURST, memory_order_relaxed);
        lpm_rcu_quiescent();
    }
    lpm_rcu_unregister_thread();
    return NULL;
}

static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    const struct extra *extra = context;
    (void)path;
    (void)is_directory;
    int n = asprintf(text, "%s%s%s%s%s%s%s%s", head, extra->routes, vnets, extra->vnets, peerings,
                     extra->peerings, nics, extra->nics);
    *length = n > 0 ? (size_t)n : 0;
    return n > 0 ? 0 : -1;
}

static struct fabric *load(unsigned reading)
{
    struct fabric_problems problems;
    const struct fabric_reader reader = {(void *)(uintptr_t)&extras[reading % READINGS], read_text};
    struct fabric *fabric = fabric_load("fabric.yaml", &reader, &problems);
    if (!fabric)
        fprintf(stderr, "line %u: %s\n", problems.items[0].line, problems.items[0].message);
    fabric_problems_free(&problems);
    return fabric;
}

/* Returns how many readings were applied; 0: one could not be. *fabric is the one in force. */
static unsigned write_on(struct controller *controller, struct fabric **fabric, double seconds)
{
    struct timespec begin, now;
    char error[DP_ERROR_TEXT];
    unsigned applied = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        struct fabric *with = load(++applied);
        if (!with || controller_apply(controller, with, 0, error) != 0 ||
            !program_validate(controller_program(controller), error)) {
            fprintf(stderr, "%s\n", with ? error : "no fabric");
            fabric_free(with);
            return 0;
        }
        fabric_free(*fabric); /* nothing may point there any more */
        *fabric = with;
        lpm_rcu_poll();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) + 1e-9 * (double)(now.tv_nsec - begin.tv_nsec) <
             seconds);
    return applied;
}

static void nothing(void *context)
{
    (void)context;
}

int main(int argc, char **argv)
{
    char error[DP_ERROR_TEXT] = "";
    pthread_t readers[READERS];
    const struct controller_shell shell = {.flush_wanted = nothing};
    struct fabric *fabric = load(0);
    if (!fabric)
        return 1;
    struct dp_forwarding_config config = program_forwarding_config(fabric, 1);
    struct lpm *lpm = lpm_create();
    struct dp_forwarding *forwarding = dp_forwarding_create(&config, lpm);
    struct controller *controller = controller_create(fabric, forwarding, true, &shell, error);
    if (!controller) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    struct program *program = controller_program(controller);
    struct race race = {.forwarding = forwarding,
                        .vm1 = program_nic_id(program, fabric_find_nic(fabric, "vm1")),
                        .hubvm = program_nic_id(program, fabric_find_nic(fabric, "hubvm")),
                        .nva = program_nic_id(program, fabric_find_nic(fabric, "nva"))};
    for (unsigned i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_on, &race);
    unsigned applied = write_on(controller, &fabric, argc > 1 ? atof(argv[1]) : 2);
    atomic_store(&race.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    bool kept = program_nic_id(program, fabric_find_nic(fabric, "vm1")) == race.vm1 &&
                program_nic_of(program, race.nva) == fabric_find_nic(fabric, "nva");
    bool good = applied > 0 && race.wrong == 0 && race.decided > 0 && kept;
    printf("%u readings applied, %lu packets decided, %u wrongly; ids %s\n", applied, race.decided,
           race.wrong, kept ? "kept" : "lost");
    controller_destroy(controller);
    dp_forwarding_destroy(forwarding);
    lpm_destroy(lpm);
    fabric_free(fabric);
    return good ? 0 : 1;
}
