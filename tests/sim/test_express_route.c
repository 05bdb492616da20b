/*
 * Designs with ExpressRoute: a spoke with a route server of its own behind two hubs, each with a circuit;
 * what AS paths let through, what branches see, and what is left when a circuit goes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/rows.h"

/* Parts: the options of every neighbor entry of the appliances, or nothing. */
static const char dual_homed[] =
    "fabric: dual-homed\n"
    "mode: azure\n"
    "vnets:\n"
    "  - name: huba\n"
    "    address_space: [10.10.0.0/16]\n"
    "    subnets: [{name: RouteServerSubnet, prefixes: [10.10.0.0/26]}, {name: GatewaySubnet, "
    "prefixes: [10.10.3.0/26]}, {name: nva, prefixes: [10.10.1.0/24]}, {name: vms, prefixes: "
    "[10.10.2.0/24]}]\n"
    "  - name: hubb\n"
    "    address_space: [10.20.0.0/16]\n"
    "    subnets: [{name: RouteServerSubnet, prefixes: [10.20.0.0/26]}, {name: GatewaySubnet, "
    "prefixes: [10.20.3.0/26]}, {name: nva, prefixes: [10.20.1.0/24]}]\n"
    "  - name: spoke\n"
    "    address_space: [10.30.0.0/16]\n"
    "    subnets: [{name: RouteServerSubnet, prefixes: [10.30.0.0/26]}, {name: vms, prefixes: "
    "[10.30.1.0/24]}]\n"
    "peerings:\n"
    "  - {vnets: [huba, spoke], huba: {allow_forwarded_traffic: true}, spoke: "
    "{allow_forwarded_traffic: true}}\n"
    "  - {vnets: [hubb, spoke], hubb: {allow_forwarded_traffic: true}, spoke: "
    "{allow_forwarded_traffic: true}}\n"
    "nics:\n"
    "  - {name: vm, subnet: spoke/vms, addresses: [10.30.1.4]}\n"
    "  - {name: hubvm, subnet: huba/vms, addresses: [10.10.2.4]}\n"
    "  - {name: nvaa, subnet: huba/nva, addresses: [10.10.1.4], ip_forwarding: true}\n"
    "  - {name: nvab, subnet: hubb/nva, addresses: [10.20.1.4], ip_forwarding: true}\n"
    "route_servers:\n"
    "  - {name: rsa, vnet: huba, addresses: [10.10.0.4, 10.10.0.5], branch_to_branch: true, peers: "
    "[{name: nvaa, address: 10.10.1.4, asn: 65101}]}\n"
    "  - {name: rsb, vnet: hubb, addresses: [10.20.0.4, 10.20.0.5], branch_to_branch: true, peers: "
    "[{name: nvab, address: 10.20.1.4, asn: 65102}]}\n"
    "  - {name: rss, vnet: spoke, addresses: [10.30.0.4, 10.30.0.5], peers: [{name: nvaa, address: "
    "10.10.1.4, asn: 65101}, {name: nvab, address: 10.20.1.4, asn: 65102}]}\n"
    "gateways:\n"
    "  - {name: era, type: ExpressRoute, vnet: huba, addresses: [10.10.3.4, 10.10.3.5], neighbors: "
    "[{router: mseea}]}\n"
    "  - {name: erb, type: ExpressRoute, vnet: hubb, addresses: [10.20.3.4, 10.20.3.5], neighbors: "
    "[{router: mseeb}]}\n"
    "routers:\n"
    "  - {name: nvaa-os, nic: nvaa, asn: 65101, neighbors: [{route_server: rsa%1$s}, "
    "{route_server: "
    "rss%1$s}]}\n"
    "  - {name: nvab-os, nic: nvab, asn: 65102, neighbors: [{route_server: rsb%1$s}, "
    "{route_server: "
    "rss%1$s}]}\n"
    "  - {name: mseea, role: msee, asn: 12076, neighbors: [{gateway: era}, {router: cpe}]}\n"
    "  - {name: mseeb, role: msee, asn: 12076, neighbors: [{gateway: erb}, {router: cpe}]}\n"
    "  - {name: cpe, asn: 65050, originate: [172.20.0.0/16], hosts: [{name: client, address: "
    "172.20.0.10}], neighbors: [{router: mseea}, {router: mseeb}]}\n";

static void open_dual_homed(struct fixture *fixture, const char *options)
{
    char *yaml;
    cr_assert_gt(asprintf(&yaml, dual_homed, options), 0);
    fixture_open_yaml(fixture, yaml);
    free(yaml);
}

/* What the route server's first instance has of this peer; loops in AS_PATH are counted. */
static size_t as_loops(struct fixture *fixture, const char *server, const char *peer, char *learned,
                       const char *prefix)
{
    struct controller *controller = sim_controller(fixture->sim);
    size_t loops = SIZE_MAX;
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *session = controller_peer(controller, i);
        struct speaker_peer_counters counters;
        if (session->route_server != fabric_find_route_server(fixture->fabric, server) ||
            session->instance != 0 || strcmp(speaker_peer_config(session->peer)->name, peer) != 0)
            continue;
        speaker_peer_counters(session->peer, &counters);
        loops = counters.as_loop;
        rows_learned_from(session->speaker, session->peer, prefix, learned);
    }
    return loops;
}

Test(express_route, as_loops_stop_routes_between_route_servers)
{
    char text[ROWS_TEXT];
    struct fixture fixture;
    open_dual_homed(&fixture, "");
    /* The hub's space and the branch's, each with 65515 in the middle. */
    cr_expect_eq(as_loops(&fixture, "rss", "nvaa", text, "172.20.0.0/16"), 2);
    cr_expect_str_eq(text, "-");
    cr_expect_eq(as_loops(&fixture, "rsa", "nvaa", text, "10.30.0.0/16"), 1);
    cr_expect_str_eq(text, "-");
    fixture_expect_next_hops(&fixture, "vm", "172.20.0.0/16", "-");
    rows_expect_learned(&fixture, "nvaa-os", "172.20.0.0/16", "65515-12076-65050");
    rows_expect_learned(&fixture, "cpe", "10.30.0.0/16", "-");
    rows_expect_learned(&fixture, "cpe", "10.10.0.0/16", "12076");
    fixture_close(&fixture);
}

Test(express_route, as_override_joins_a_spoke_to_both_circuits)
{
    char text[ROWS_TEXT];
    struct fixture fixture;
    open_dual_homed(&fixture, ", as_override: true");
    as_loops(&fixture, "rss", "nvaa", text, "172.20.0.0/16");
    cr_expect_str_eq(text, "65101-65101-12076-65050", "%s", text);
    as_loops(&fixture, "rsa", "nvaa", text, "10.30.0.0/16");
    cr_expect_str_eq(text, "65101-65101", "%s", text);
    fixture_expect_next_hops(&fixture, "vm", "172.20.0.0/16", "10.10.1.4,10.20.1.4");
    /* Private numbers end at the provider's edge; once for each circuit. */
    rows_expect_learned(&fixture, "mseea", "10.30.0.0/16", "65515-65101-65101");
    cr_expect_eq(rows_learned_paths(&fixture, "cpe", "10.30.0.0/16", text), 2);
    cr_expect_str_eq(text, "12076", "%s", text);
    /* The gateway's one path that the quirk leaves; what the fabric knows by itself is not programmed. */
    fixture_expect_next_hops(&fixture, "hubvm", "172.20.0.0/16", "10.10.3.4");
    cr_expect_str_eq(rows_source(&fixture, "hubvm", "10.30.0.0/16"), "sys");
    cr_expect_str_eq(rows_source(&fixture, "era/0", "10.30.0.0/16"), "sys");

    uint32_t edge = fixture_router(&fixture, "mseea");
    cr_assert_eq(sim_router_fail(fixture.sim, edge, SIM_KILL), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm", "172.20.0.0/16", "10.20.1.4");
    cr_expect_eq(rows_learned_paths(&fixture, "cpe", "10.30.0.0/16", text), 1);
    cr_assert_eq(sim_router_restart(fixture.sim, edge), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm", "172.20.0.0/16", "10.10.1.4,10.20.1.4");
    fixture_close(&fixture);
}
