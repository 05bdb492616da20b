/* A fabric that changes while it runs is, after each change, what it would be from the start; sessions
 * stay, and peers are told. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/drill.h"
#include "engine/program/controller_private.h"
#include "engine/sim/sim.h"
#include "tests/sim/world.h"

static const char fabric_text[] =
    "fabric: base\n"
    "vnets:\n"
    "  - {name: hub, region: a, address_space: [10.0.0.0/22, 'fd00:10::/48'], subnets: [{name: "
    "RouteServerSubnet, prefixes: [10.0.0.0/26, 'fd00:10::/64']}, {name: nva, prefixes: "
    "[10.0.1.0/24, 'fd00:10:0:1::/64']}, {name: vms, prefixes: [10.0.2.0/24]}]}\n"
    "  - {name: spoke1, region: a, address_space: [10.1.0.0/16], subnets: [{name: vms, prefixes: "
    "[10.1.0.0/24]}, {name: web, prefixes: [10.1.1.0/24]}]}\n"
    "  - {name: spoke2, region: a, address_space: [10.2.0.0/16], subnets: [{name: vms, prefixes: "
    "[10.2.0.0/24]}]}\n"
    "peerings:\n"
    "  - {vnets: [hub, spoke1], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
    "spoke1: {use_remote_gateways: true, allow_forwarded_traffic: true}}\n"
    "  - {vnets: [hub, spoke2], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
    "spoke2: {use_remote_gateways: true, allow_forwarded_traffic: true}}\n"
    "route_tables: [{name: t, routes: [{prefix: 0.0.0.0/0, next_hop_type: Internet}]}]\n"
    "nics:\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4, 'fd00:10:0:1::4'], ip_forwarding: "
    "true}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5, 'fd00:10:0:1::5'], ip_forwarding: "
    "true}\n"
    "  - {name: hubvm, subnet: hub/vms, addresses: [10.0.2.4]}\n"
    "  - {name: vm1, subnet: spoke1/vms, addresses: [10.1.0.4]}\n"
    "  - {name: web1, subnet: spoke1/web, addresses: [10.1.1.4]}\n"
    "  - {name: vm2, subnet: spoke2/vms, addresses: [10.2.0.4]}\n"
    "route_servers: [{name: rs1, vnet: hub, addresses: [10.0.0.4, 10.0.0.5], peers: [{name: nva1, "
    "address: 10.0.1.4, asn: 65001}, {name: nva2, address: 10.0.1.5, asn: 65002}]}]\n"
    "routers:\n"
    "  - {name: nva1-os, nic: nva1, asn: 65001, originate: [10.0.0.0/8, 0.0.0.0/0, '::/0'], "
    "neighbors: [{route_server: rs1}]}\n"
    "  - {name: nva2-os, nic: nva2, asn: 65002, originate: [10.0.0.0/8, 172.16.0.0/12], neighbors: "
    "[{route_server: rs1}]}\n";

/* Each line is one event; the last ones undo all. */
static const char *const changes[] = {
    "set: {route_tables/t/bgp_propagation: false, vnets/spoke1/subnets/vms/route_table: t}",
    "add: {route_tables/t/routes: [{prefix: 10.2.0.0/16, next_hop_type: VirtualAppliance, "
    "next_hop: "
    "10.0.1.5}]}",
    "set: {route_tables/t/routes/10.2.0.0/16/next_hop: 10.0.1.4}",
    "set: {'peerings/hub,spoke2/spoke2/use_remote_gateways': false}",
    "set: {'peerings/spoke2,hub/in_sync': false}",
    "add: {nics: [{name: avm, subnet: spoke1/vms, addresses: [10.1.0.9]}, {name: zvm, subnet: "
    "hub/vms, addresses: [10.0.2.9]}]}",
    "add: {vnets: [{name: a-spoke, region: b, address_space: [10.9.0.0/16, 'fd00:19::/48'], "
    "subnets: "
    "[{name: vms, prefixes: [10.9.0.0/24, 'fd00:19::/64']}]}], peerings: [{vnets: [hub, a-spoke], "
    "hub: "
    "{allow_gateway_transit: true, allow_forwarded_traffic: true}, a-spoke: {use_remote_gateways: "
    "true}}], nics: [{name: nine, subnet: a-spoke/vms, addresses: [10.9.0.4, 'fd00:19::4']}]}",
    "set: {vnets/spoke1/address_space: [10.1.0.0/16, 10.7.0.0/16]}",
    "set: {reserved_prefixes: [198.18.0.0/15]}",
    "set: {nics/vm1/addresses: [10.1.0.4, 10.1.0.44]}",
    "add: {nics: [{name: nva3, subnet: hub/nva, addresses: [10.0.1.6], ip_forwarding: true}], "
    "route_servers/rs1/peers: [{name: a-third, address: 10.0.1.6, asn: 65003}], routers: [{name: "
    "a-third-os, nic: nva3, asn: 65003, originate: [10.0.0.0/8, 192.168.0.0/16], neighbors: "
    "[{route_server: rs1}]}]}",
    "add: {load_balancers: [{name: ilb, subnet: hub/nva, frontend: 10.0.1.100, backends: [nva1, "
    "nva2]}]}",
    "set: {route_servers/rs1/peers/a-third/hold_time_s: 30}",
    "add: {load_balancers: [{name: a-first, subnet: hub/nva, frontend: 10.0.1.101, backends: "
    "[nva3]}]}",
    "set: {load_balancers/ilb/backends: [nva2]}",
    "remove: {nics: [vm2], peerings: [[hub, spoke2]], vnets: [spoke2]}",
    "add: {vnets: [{name: spoke2, region: a, address_space: [10.2.0.0/16], subnets: [{name: vms, "
    "prefixes: [10.2.0.0/24]}]}], nics: [{name: vm2, subnet: spoke2/vms, addresses: [10.2.0.4]}], "
    "peerings: [{vnets: [hub, spoke2], hub: {allow_gateway_transit: true, allow_forwarded_traffic: "
    "true}, spoke2: {use_remote_gateways: true, allow_forwarded_traffic: true}}]}",
    "remove: {route_servers/rs1/peers: [a-third], load_balancers: [ilb, a-first], routers: "
    "[a-third-os], nics: [nva3]}",
    "remove: {nics: [avm, zvm, nine], peerings: ['hub,a-spoke'], vnets: [a-spoke]}",
    "set: {vnets/spoke1/address_space: [10.1.0.0/16], vnets/spoke1/subnets/vms/route_table: ~, "
    "nics/vm1/addresses: [10.1.0.4], reserved_prefixes: ~, route_tables/t/bgp_propagation: ~}",
};
#define CHANGES (sizeof(changes) / sizeof(*changes))

static char drill_text[8192];

static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    (void)context;
    (void)is_directory;
    *text = strdup(strcmp(path, "drill.yaml") == 0 ? drill_text : fabric_text);
    *length = *text ? strlen(*text) : 0;
    return *text ? 0 : -1;
}

static struct fabric_drill *load(void)
{
    const struct fabric_reader reader = {.read = read_text};
    struct fabric_problems problems;
    size_t used = (size_t)snprintf(drill_text, sizeof(drill_text), "drill: d\nevents:\n");
    for (size_t i = 0; i < CHANGES; i++)
        used += (size_t)snprintf(drill_text + used, sizeof(drill_text) - used,
                                 "  - at_ms: %zu\n    %s\n", i, changes[i]);
    struct fabric_drill *drill = fabric_drill_load("drill.yaml", "fabric.yaml", &reader, &problems);
    cr_assert_not_null(drill, "line %u: %s", problems.n ? problems.items[0].line : 0,
                       problems.n ? problems.items[0].message : "");
    fabric_problems_free(&problems);
    cr_assert_eq(drill->stage_count, CHANGES + 1);
    return drill;
}

/* All rows of a NIC in a line each; freed by the caller. */
static char *rows_text(const struct world *world, const struct fabric *fabric, uint32_t nic)
{
    struct fabric_scope scope = fabric_scope_of(fabric, nic);
    struct fabric_row *rows;
    size_t n, length;
    char *text = NULL, buffer[LPM_PREFIX_TEXT];
    FILE *out = open_memstream(&text, &length);
    cr_assert_eq(fabric_rows(fabric, controller_bgp(sim_controller(world->sim)), &scope, &rows, &n),
                 0);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%s %s %s %d", lpm_prefix_format(&rows[i].prefix, buffer),
                fabric_source_text(rows[i].source), fabric_next_hop_type_text(rows[i].type),
                rows[i].active);
        for (unsigned j = 0; j < rows[i].next_hop_count; j++)
            fprintf(out, " %s", lpm_address_format(&rows[i].next_hops[j], buffer));
        fputc('\n', out);
    }
    free(rows);
    fclose(out);
    return text;
}

/* What a router has learned, as text; freed by the caller. */
static int add_choice(void *context, const struct lpm_prefix *prefix,
                      const struct rib_choice *choice)
{
    char text[LPM_PREFIX_TEXT];
    fprintf(context, "%s %u\n", lpm_prefix_format(prefix, text), choice->n);
    return 0;
}

static char *learned_text(const struct world *world, uint32_t router)
{
    size_t length;
    char *text = NULL;
    FILE *out = open_memstream(&text, &length);
    speaker_each_choice(sim_router_speaker(world->sim, router), add_choice, out);
    fclose(out);
    return text;
}

static void assert_same(char *a, char *b, const char *what, size_t change)
{
    cr_assert_str_eq(a, b, "after change %zu, %s:\n%s\nfrom scratch:\n%s", change, what, a, b);
    free(a);
    free(b);
}

static void compare(struct world *world, const struct fabric *fabric, size_t change)
{
    struct world fresh;
    char error[DP_ERROR_TEXT] = "";
    world_open(&fresh, fabric, 0);
    cr_assert(program_validate(controller_program(sim_controller(world->sim)), error),
              "after change %zu: %s", change, error);
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        assert_same(rows_text(world, fabric, i), rows_text(&fresh, fabric, i), fabric->nics[i].name,
                    change);
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        assert_same(learned_text(world, i), learned_text(&fresh, i), fabric->routers[i].name,
                    change);
    world_close(&fresh);
}

/* Those of nva1 and nva2; the third comes and goes. */
static void assert_sessions_stay(struct world *world, uint64_t since_ms, size_t change)
{
    struct controller *controller = sim_controller(world->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        cr_assert(peer->established, "after change %zu a session is down", change);
        if (strcmp(speaker_peer_config(peer->peer)->name, "a-third") == 0)
            continue;
        cr_assert_leq(bgp_session_since(speaker_peer_session(peer->peer)), since_ms);
    }
}

static bool ends_sessions(size_t change)
{
    return strstr(changes[change - 1], "peers/a-third/hold_time_s") ||
           strstr(changes[change - 1], "rs1/peers: [a-third]");
}

Test(apply, each_change_leads_to_what_a_start_would_and_sessions_stay)
{
    struct fabric_drill *drill = load();
    struct world world;
    char error[DP_ERROR_TEXT] = "";
    world_open(&world, drill->stages[0], 0);
    const uint64_t since_ms = sim_now_ms(world.sim);
    for (size_t i = 1; i <= CHANGES; i++) {
        cr_assert_eq(sim_run(world.sim, 1000), 0);
        cr_assert_eq(sim_apply(world.sim, drill->stages[i], error), 0, "change %zu: %s", i, error);
        if (ends_sessions(i)) /* whose routes are still to go */
            cr_assert(program_flush_due(controller_program(sim_controller(world.sim))));
        else
            cr_assert(program_validate(controller_program(sim_controller(world.sim)), error),
                      "change %zu: %s", i, error);
        cr_assert_eq(sim_run(world.sim, 1000), 0);
        cr_assert_eq(sim_settle(world.sim, 600000), 0);
        compare(&world, drill->stages[i], i);
        assert_sessions_stay(&world, since_ms, i);
    }
    world_close(&world);
    fabric_drill_free(drill);
}

/* From any stage to any other: what the changes between them add is removed, or the other way round. */
static size_t next_stage(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*state >> 33) % (CHANGES + 1);
}

Test(apply, any_sequence_leads_to_what_a_start_would_and_back)
{
    struct fabric_drill *drill = load();
    struct world world;
    char error[DP_ERROR_TEXT] = "";
    uint64_t random = 1;
    world_open(&world, drill->stages[0], 0);
    const uint64_t since_ms = sim_now_ms(world.sim);
    for (size_t i = 0; i < 24; i++) {
        size_t to = i % 3 == 2 ? 0 : next_stage(&random);
        cr_assert_eq(sim_apply(world.sim, drill->stages[to], error), 0, "stage %zu: %s", to, error);
        cr_assert_eq(sim_run(world.sim, 1000), 0);
        cr_assert_eq(sim_settle(world.sim, 600000), 0);
        compare(&world, drill->stages[to], to);
        assert_sessions_stay(&world, since_ms, to);
    }
    world_close(&world);
    fabric_drill_free(drill);
}

Test(apply, what_is_down_stays_down_over_a_change)
{
    struct fabric_drill *drill = load();
    struct world world;
    char error[DP_ERROR_TEXT] = "";
    world_open(&world, drill->stages[0], 0);
    uint32_t nva1 = fabric_find_router(drill->stages[0], "nva1-os");
    cr_assert_eq(sim_router_fail(world.sim, nva1, SIM_KILL), 0);
    cr_assert_eq(sim_settle(world.sim, 600000), 0);
    cr_assert_eq(sim_apply(world.sim, drill->stages[7], error), 0, "%s", error);
    cr_assert(program_validate(controller_program(sim_controller(world.sim)), error), "%s", error);
    cr_assert_eq(sim_settle(world.sim, 600000), 0);
    cr_assert_null(sim_router_speaker(world.sim, nva1));
    cr_assert_eq(sim_router_restart(world.sim, nva1), 0);
    cr_assert_eq(sim_run(world.sim, 1000), 0);
    cr_assert_eq(sim_settle(world.sim, 600000), 0);
    compare(&world, drill->stages[7], 7);
    world_close(&world);
    fabric_drill_free(drill);
}

/* The group that packets of hubvm to 10.9.0.4 take. */
static uint32_t group_of_flow(const struct world *world, const struct fabric *fabric)
{
    struct lpm_address destination;
    struct lpm_route route;
    lpm_address_parse("10.9.0.4", &destination);
    uint32_t nic = program_nic_id(controller_program(sim_controller(world->sim)),
                                  fabric_find_nic(fabric, "hubvm"));
    cr_assert(dp_nic_explain(world->forwarding, nic, &destination, &route));
    return route.leaf;
}

static enum program_member_state said_of(const struct world *world, uint32_t id,
                                         const struct lpm_address *next_hop)
{
    struct program_group group;
    unsigned i = 0;
    cr_assert(program_group(controller_program(sim_controller(world->sim)), id, &group));
    while (i < group.member_count && !lpm_address_equal(&group.members[i].next_hop, next_hop))
        i++;
    cr_assert_lt(i, group.member_count, "no such member");
    return group.members[i].said;
}

/* The fifth change adds NICs that sort before and after those that are there. */
Test(apply, a_group_that_is_what_it_was_stays_and_with_it_what_operators_said)
{
    struct fabric_drill *drill = load();
    struct world world;
    struct lpm_address nva1;
    char error[DP_ERROR_TEXT] = "";
    world_open(&world, drill->stages[0], 0);
    struct controller *controller = sim_controller(world.sim);
    lpm_address_parse("10.0.1.4", &nva1);
    uint32_t group = group_of_flow(&world, drill->stages[0]);
    cr_assert_eq(controller_set_member(controller, group, &nva1, PROGRAM_MEMBER_DOWN, 0), 1);
    cr_assert_eq(controller_apply_begin(controller, drill->stages[6], error), 0, "%s", error);
    int more = controller_apply_step(controller, sim_now_ms(world.sim), error);
    cr_assert_eq(more, 1, "there is more than one slice");
    cr_assert_eq(controller_set_member(controller, group, &nva1, PROGRAM_MEMBER_DRAIN, 0), 1);
    controller_apply_cancel(controller);
    cr_assert_eq(group_of_flow(&world, drill->stages[0]), group);
    for (size_t i = 6; i < 8; i++) {
        cr_assert_eq(sim_apply(world.sim, drill->stages[i == 6 ? 6 : 0], error), 0, "%s", error);
        cr_assert(program_validate(controller_program(controller), error), "%s", error);
        cr_assert_eq(group_of_flow(&world, drill->stages[i == 6 ? 6 : 0]), group);
        cr_assert_eq(said_of(&world, group, &nva1), PROGRAM_MEMBER_DRAIN);
    }
    world_close(&world);
    fabric_drill_free(drill);
}

/* More in each turn than a slice takes. */
static void change_many(struct controller *controller)
{
    for (unsigned i = 0; i < 3000; i++) {
        const struct lpm_prefix prefix = {
            .family = LPM_IPV4, .length = 24, .bytes = {20, (uint8_t)(i >> 8), (uint8_t)i}};
        controller_prefix_changed(controller, 0, &prefix);
    }
}

Test(apply, ends_however_many_routes_change_meanwhile)
{
    struct fabric_drill *drill = load();
    struct world world;
    char error[DP_ERROR_TEXT] = "";
    world_open(&world, drill->stages[0], 0);
    struct controller *controller = sim_controller(world.sim);
    cr_assert_eq(controller_apply_begin(controller, drill->stages[6], error), 0, "%s", error);
    unsigned slices = 0;
    int more;
    do {
        change_many(controller);
        more = controller_apply_step(controller, sim_now_ms(world.sim), error);
    } while (more > 0 && ++slices < 2000);
    cr_assert_eq(more, 0, "%s after %u slices", error, slices);
    cr_assert_gt(slices, 10, "it does not give up at once");
    cr_assert_eq(controller_fabric(controller), drill->stages[6]);
    while (program_flush_due(controller_program(controller)))
        cr_assert_geq(controller_flush(controller), 0);
    cr_assert(program_validate(controller_program(controller), error), "%s", error);
    world_close(&world);
    fabric_drill_free(drill);
}

Test(apply, a_fabric_that_does_not_fit_is_refused_and_nothing_changes)
{
    struct fabric_drill *drill = load();
    struct world world;
    char error[DP_ERROR_TEXT] = "";
    world_open(&world, drill->stages[0],
               drill->stages[0]->nics_count +
                   2); /* the first ids are no NIC's of the file: no room for another */
    cr_assert_neq(sim_apply(world.sim, drill->stages[6], error), 0);
    cr_assert_neq(error[0], '\0');
    cr_assert(program_validate(controller_program(sim_controller(world.sim)), error), "%s", error);
    compare(&world, drill->stages[0], 0);
    world_close(&world);
    fabric_drill_free(drill);
}
