/*
 * Gateways in the twin: failover between ExpressRoute and VPN, transit, gateways without a route server,
 * with AS numbers of their own, routes kept from them by community, and their limits.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/events.h"
#include "tests/sim/rows.h"

#define ER  "10.0.3.4,10.0.3.5"
#define VPN "10.0.3.6,10.0.3.7"

/* Hub with an ExpressRoute and a VPN gateway that both reach 10.50.0.0/16. Parts: quirks or nothing, the
 * route server or nothing, further keys of er1, of vpn1, and the routers. */
static const char coexisting[] =
    "fabric: coexisting\n"
    "vnets:\n"
    "  - name: hub\n"
    "    address_space: [10.0.0.0/22]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
    "      - {name: nva, prefixes: [10.0.1.0/24]}\n"
    "      - {name: vms, prefixes: [10.0.2.0/24]}\n"
    "      - {name: GatewaySubnet, prefixes: [10.0.3.0/26]}\n"
    "  - {name: spoke, address_space: [10.1.0.0/16], subnets: [{name: vms, prefixes: "
    "[10.1.0.0/24]}]}\n"
    "peerings:\n"
    "  - vnets: [hub, spoke]\n"
    "    hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}\n"
    "    spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}\n"
    "nics:\n"
    "  - {name: vm, subnet: spoke/vms, addresses: [10.1.0.4]}\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true}\n"
    "%s"
    "gateways:\n"
    "  - {name: er1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4, 10.0.3.5]%s}\n"
    "  - {name: vpn1, type: Vpn, vnet: hub, addresses: [10.0.3.6, 10.0.3.7], static_branches: "
    "[{name: b7, prefixes: [192.168.7.0/24]}]%s}\n"
    "routers:\n"
    "  - {name: msee1, asn: 12076, originate: [10.50.0.0/16, 10.0.2.0/25], neighbors: [{gateway: "
    "er1, prepend: 1}]}\n"
    "  - {name: cpe1, asn: 65060, originate: [10.50.0.0/16, 10.0.2.0/25], neighbors: [{gateway: "
    "vpn1, prepend: 3}]}\n"
    "%s";

static const char with_route_server[] =
    "route_servers:\n"
    "  - name: rs1\n"
    "    vnet: hub\n"
    "    addresses: [10.0.0.4, 10.0.0.5]\n"
    "    branch_to_branch: true\n"
    "    peers: [{name: nva1, address: 10.0.1.4, asn: 65001}, {name: nva2, address: 10.0.1.5, asn: "
    "65002}]\n";
static const char with_nvas[] =
    "  - {name: nva1-os, nic: nva1, asn: 65001, originate: [9.9.9.0/24], neighbors: "
    "[{route_server: rs1}]}\n"
    "  - {name: nva2-os, nic: nva2, asn: 65002, neighbors: [{route_server: rs1}]}\n";

static void open_coexisting(struct fixture *fixture, const char *server, const char *er1,
                            const char *vpn1, const char *routers)
{
    char *yaml;
    cr_assert_gt(asprintf(&yaml, coexisting, server, er1, vpn1, routers), 0);
    fixture_open_yaml(fixture, yaml);
    free(yaml);
}

Test(gateways, nics_move_to_vpn_while_express_route_is_down)
{
    struct fixture fixture;
    open_coexisting(&fixture, with_route_server, "", "", with_nvas);
    uint32_t msee = fixture_router(&fixture, "msee1");
    fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", ER);
    for (unsigned times = 0; times < 2; times++) {
        cr_assert_eq(sim_router_fail(fixture.sim, msee, times ? SIM_SILENCE : SIM_STOP), 0);
        fixture_settle(&fixture);
        fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", VPN);
        fixture_assert_programmed(&fixture);
        cr_assert_eq(sim_router_restart(fixture.sim, msee), 0);
        fixture_settle(&fixture);
        fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", ER);
        fixture_assert_programmed(&fixture);
    }
    fixture_close(&fixture);
}

struct said {
    unsigned up, down, alerts;
};

static void on_event(void *context, const struct event *event)
{
    struct said *said = context;
    if (!event->gateway[0])
        return;
    cr_expect_str_eq(event->gateway, "er1");
    cr_expect_str_eq(event->peer_name, "msee1");
    cr_expect_eq(event->route_server, FABRIC_NONE);
    said->up += event->kind == EVENT_SESSION_UP;
    said->down += event->kind == EVENT_SESSION_DOWN;
    said->alerts += event->kind == EVENT_PEER_DOWN;
}

Test(gateways, sessions_with_routers_on_premises_are_events)
{
    struct fixture fixture;
    struct said said = {0};
    open_coexisting(&fixture, with_route_server, "", "", with_nvas);
    uint32_t msee = fixture_router(&fixture, "msee1");
    cr_assert_eq(sim_watch(fixture.sim, on_event, &said), 0);
    cr_assert_eq(sim_router_fail(fixture.sim, msee, SIM_STOP), 0);
    fixture_settle(&fixture);
    cr_expect(said.down == 2 && said.alerts == 2 && said.up == 0, "%u, %u, %u", said.down,
              said.alerts, said.up);
    cr_assert_eq(sim_router_restart(fixture.sim, msee), 0);
    fixture_settle(&fixture);
    cr_expect(said.down == 2 && said.alerts == 2 && said.up == 2, "%u, %u, %u", said.down,
              said.alerts, said.up);
    fixture_close(&fixture);
}

/* What is equal to or inside the VNet is for ExpressRoute to hear, if not to program. */
Test(gateways, vpn_ignores_what_is_inside_its_vnet)
{
    char text[ROWS_TEXT];
    struct fixture fixture;
    open_coexisting(&fixture, with_route_server, "", "", with_nvas);
    fixture_expect_next_hops(&fixture, "vm", "10.0.2.0/25", "-");
    rows_expect_learned(&fixture, "nva2-os", "10.0.2.0/25", "65515-12076-12076");
    cr_expect_str_eq(rows_learned_by_gateway(&fixture, "vpn1", "10.0.2.0/25", text), "12076-12076");
    rows_expect_learned(&fixture, "cpe1", "10.0.2.0/25", "-");
    fixture_close(&fixture);
}

Test(gateways, serve_nics_without_a_route_server)
{
    struct fixture fixture;
    open_coexisting(&fixture, "", "", ", point_to_site: [172.30.0.0/24]", "");
    fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", ER);
    fixture_expect_next_hops(&fixture, "vm", "192.168.7.0/24", VPN);
    fixture_expect_next_hops(&fixture, "vm", "172.30.0.0/24", VPN);
    rows_expect_learned(&fixture, "msee1", "10.1.0.0/16", "65515");
    rows_expect_learned(&fixture, "msee1", "192.168.7.0/24", "-");
    rows_expect_learned(&fixture, "cpe1", "10.0.0.0/22", "65515");
    rows_expect_learned(&fixture, "cpe1", "192.168.7.0/24", "65515");
    cr_assert_eq(sim_router_fail(fixture.sim, fixture_router(&fixture, "msee1"), SIM_KILL), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", VPN);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* Without a route server only the gateway's own number makes a loop: 65515 in a path is that of somebody
 * else's route server, and with a number of its own it takes the route. */
Test(gateways, of_another_as_take_what_a_route_server_elsewhere_has_said)
{
    static const char behind[] =
        "  - {name: cpe2, asn: 65061, originate: [10.60.0.0/16], neighbors: [{gateway: vpn1, "
        "export: passed-on}]}\n"
        "policies: [{name: passed-on, rules: [{set: {prepend: [65515]}}]}]\n";
    struct fixture fixture;

    open_coexisting(&fixture, "", "", ", asn: 65004", behind);
    fixture_expect_next_hops(&fixture, "vm", "10.60.0.0/16", VPN);
    rows_expect_learned(&fixture, "cpe1", "10.60.0.0/16", "65004-65061-65515");
    fixture_close(&fixture);
    open_coexisting(&fixture, "", "", "", behind);
    fixture_expect_next_hops(&fixture, "vm", "10.60.0.0/16", "-");
    fixture_close(&fixture);
    open_coexisting(&fixture, with_route_server, "", ", asn: 65004", behind);
    fixture_expect_next_hops(&fixture, "vm", "10.60.0.0/16", "-");
    fixture_close(&fixture);
}

/* Of the gateway's own choice. */
static char *gateway_next_hops(struct fixture *fixture, const char *gateway, const char *prefix,
                               char *text)
{
    struct lpm_prefix parsed;
    struct rib_choice choice;
    uint32_t index = fabric_find_gateway(fixture->fabric, gateway);
    cr_assert_neq(index, FABRIC_NONE);
    cr_assert_eq(lpm_prefix_parse(prefix, &parsed), 0);
    speaker_choice(controller_gateway_speaker(sim_controller(fixture->sim), index), &parsed,
                   &choice);
    text[0] = '\0';
    for (unsigned i = 0; i < choice.n; i++) {
        char address[LPM_ADDRESS_TEXT];
        strcat(text, i ? " " : "");
        strcat(text, lpm_address_format(&choice.paths[i].next_hop, address));
    }
    return text;
}

/* An external session: each side prepends its number, and the route server is the next hop of what NVAs
 * say. */
Test(gateways, may_have_an_as_number_of_their_own)
{
    char text[ROWS_TEXT];
    struct fixture fixture;
    open_coexisting(&fixture, with_route_server, "", ", asn: 65004", with_nvas);
    rows_expect_learned(&fixture, "nva2-os", "192.168.7.0/24", "65515-65004");
    rows_expect_learned(&fixture, "cpe1", "9.9.9.0/24", "65004-65515-65001");
    rows_expect_learned(&fixture, "cpe1", "10.1.0.0/16", "65004");
    rows_expect_learned(&fixture, "msee1", "192.168.7.0/24", "65515-65004");
    fixture_expect_next_hops(&fixture, "vm", "192.168.7.0/24", VPN);
    cr_expect_str_eq(gateway_next_hops(&fixture, "vpn1", "9.9.9.0/24", text), "10.0.0.4 10.0.0.5");
    cr_expect_str_eq(gateway_next_hops(&fixture, "er1", "9.9.9.0/24", text), "10.0.1.4");
    fixture_close(&fixture);
}

/* Policies of the connection, and of a neighbor, come after the fabric's own rules. */
Test(gateways, have_policies_both_ways)
{
    struct fixture fixture;
    open_coexisting(
        &fixture, with_route_server, ", export: no-9",
        ", import: no-7, neighbors: [{router: cpe1, export: no-1}]",
        "  - {name: nva1-os, nic: nva1, asn: 65001, originate: [9.9.9.0/24, 0.0.0.0/0], "
        "neighbors: [{route_server: rs1}]}\n"
        "  - {name: nva2-os, nic: nva2, asn: 65002, neighbors: [{route_server: rs1}]}\n"
        "policies:\n"
        "  - {name: no-9, rules: [{match: {prefixes: [9.9.9.0/24]}, then: reject}]}\n"
        "  - {name: no-7, rules: [{match: {prefixes: [192.168.7.0/24]}, then: "
        "reject}]}\n"
        "  - {name: no-1, rules: [{match: {prefixes: [10.1.0.0/16]}, then: reject}, "
        "{then: accept}]}\n");
    rows_expect_learned(&fixture, "msee1", "9.9.9.0/24", "-");
    rows_expect_learned(&fixture, "msee1", "0.0.0.0/0", "65515-65001");
    rows_expect_learned(&fixture, "cpe1", "9.9.9.0/24", "65515-65001");
    rows_expect_learned(&fixture, "cpe1", "0.0.0.0/0", "-");
    rows_expect_learned(&fixture, "cpe1", "10.1.0.0/16", "-");
    rows_expect_learned(&fixture, "cpe1", "10.0.0.0/22", "65515");
    fixture_expect_next_hops(&fixture, "vm", "192.168.7.0/24", "-");
    fixture_close(&fixture);
}

/* 500 prefixes of one NVA, with or without NO_ADVERTISE. */
static void open_lab(struct fixture *fixture, bool tagged, const char *er1)
{
    char *routers = malloc(65536);
    cr_assert_not_null(routers);
    size_t n = (size_t)sprintf(routers, "  - {name: nva1-os, nic: nva1, asn: 65001, originate: [");
    for (unsigned i = 0; i < 500; i++)
        n += (size_t)sprintf(routers + n, "%s20.%u.%u.0/24", i ? ", " : "", i / 250, i % 250);
    sprintf(routers + n,
            "], neighbors: [{route_server: rs1, export: lab}]}\n"
            "  - {name: nva2-os, nic: nva2, asn: 65002, neighbors: [{route_server: rs1}]}\n"
            "policies:\n"
            "  - {name: lab, rules: [{match: {prefixes: [20.0.0.0/8 le 24]}%s, then: accept}]}\n",
            tagged ? ", set: {add_communities: ['65535:65282']}" : "");
    open_coexisting(fixture, with_route_server, er1, "", routers);
    free(routers);
}

Test(gateways, no_advertise_keeps_routes_for_nics)
{
    struct fixture fixture;
    open_lab(&fixture, true, "");
    fixture_expect_next_hops(&fixture, "vm", "20.0.7.0/24", "10.0.1.4");
    fixture_expect_next_hops(&fixture, "vm", "20.1.249.0/24", "10.0.1.4");
    cr_expect_str_eq(rows_source(&fixture, "er1/0", "20.0.7.0/24"), "bgp");
    rows_expect_learned(&fixture, "msee1", "20.0.7.0/24", "-");
    rows_expect_learned(&fixture, "cpe1", "20.0.7.0/24", "-");
    rows_expect_learned(&fixture, "nva2-os", "20.0.7.0/24", "-");
    cr_expect_lt(rows_learned_count(&fixture, "msee1"), 10);
    fixture_close(&fixture);

    open_lab(&fixture, false, "");
    rows_expect_learned(&fixture, "msee1", "20.0.7.0/24", "65515-65001");
    rows_expect_learned(&fixture, "cpe1", "20.1.249.0/24", "65515-65001");
    rows_expect_learned(&fixture, "nva2-os", "20.0.7.0/24", "65515-65001");
    size_t n = rows_learned_count(&fixture, "msee1");
    cr_expect(n > 500 && n < 1000, "%zu", n);
    fixture_close(&fixture);
}

static void announce_more(struct fixture *fixture, bool announced)
{
    uint32_t nva = fixture_router(fixture, "nva1-os");
    for (unsigned i = 0; i < 600; i++) {
        char text[LPM_PREFIX_TEXT];
        struct lpm_prefix prefix;
        sprintf(text, "21.%u.%u.0/24", i / 250, i % 250);
        cr_assert_eq(lpm_prefix_parse(text, &prefix), 0);
        cr_assert_eq(sim_router_announce(fixture->sim, nva, &prefix, announced), 0);
    }
}

static unsigned sessions_up(struct fixture *fixture, const char *gateway)
{
    struct controller *controller = sim_controller(fixture->sim);
    unsigned up = 0;
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_gateway_peer(controller, i);
        up += peer->gateway == fabric_find_gateway(fixture->fabric, gateway) && peer->established;
    }
    return up;
}

/* What one instance tells its neighbor. */
static size_t told_by(struct fixture *fixture, const char *gateway)
{
    struct controller *controller = sim_controller(fixture->sim);
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_gateway_peer(controller, i);
        struct speaker_peer_counters counters;
        if (peer->gateway != fabric_find_gateway(fixture->fabric, gateway))
            continue;
        speaker_peer_counters(peer->peer, &counters);
        return counters.advertised;
    }
    cr_assert_fail("%s has no neighbor", gateway);
    return 0;
}

/* More than 1,000 prefixes towards a circuit, and it is gone; a VPN branch takes them. */
Test(gateways, lose_a_circuit_that_is_told_too_much)
{
    struct fixture fixture;
    open_lab(&fixture, false, ", max_advertised: {action: send}");
    cr_assert_eq(sessions_up(&fixture, "er1"), 2);
    announce_more(&fixture, true);
    cr_assert_eq(sim_run(fixture.sim, 5000), 0);
    cr_expect_eq(sessions_up(&fixture, "er1"), 0);
    cr_expect_eq(sessions_up(&fixture, "vpn1"), 2);
    fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", VPN);
    rows_expect_learned(&fixture, "cpe1", "21.2.99.0/24", "65515-65001");
    announce_more(&fixture, false);
    fixture_settle(&fixture);
    cr_expect_eq(sessions_up(&fixture, "er1"), 2);
    fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", ER);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* Natively the gateway tells it 1,000 and keeps back the rest. */
Test(gateways, keep_a_circuit_by_telling_it_no_more_than_it_takes)
{
    struct fixture fixture;
    open_lab(&fixture, false, "");
    size_t before = rows_learned_count(&fixture, "msee1");
    size_t told = told_by(&fixture, "er1");
    announce_more(&fixture, true);
    fixture_settle(&fixture);
    cr_expect_eq(sessions_up(&fixture, "er1"), 2);
    cr_expect_eq(rows_learned_count(&fixture, "msee1"), before - told + 1000);
    fixture_expect_next_hops(&fixture, "vm", "10.50.0.0/16", ER);
    rows_expect_learned(&fixture, "cpe1", "20.0.7.0/24", "65515-65001");
    announce_more(&fixture, false);
    fixture_settle(&fixture);
    cr_expect_eq(rows_learned_count(&fixture, "msee1"), before);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* A user's route that takes RouteServerSubnet elsewhere ends the sessions in azure mode; a more specific
 * one brings them back. The native mode's sessions follow no user's route. */
static const char captured[] =
    "fabric: captured\n"
    "mode: %s\n"
    "vnets:\n"
    "  - name: hub\n"
    "    address_space: [10.0.0.0/22]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
    "      - {name: nva, prefixes: [10.0.1.0/24]}\n"
    "      - {name: GatewaySubnet, prefixes: [10.0.3.0/26], route_table: t}\n"
    "nics:\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: vm, subnet: hub/nva, addresses: [10.0.1.5]}\n"
    "route_tables:\n"
    "  - {name: t, routes: [{prefix: 10.0.0.0/22, next_hop_type: VirtualAppliance, next_hop: "
    "10.0.1.4}%s]}\n"
    "route_servers: [{name: rs1, vnet: hub, addresses: [10.0.0.4, 10.0.0.5]}]\n"
    "gateways:\n"
    "  - {name: vpn1, type: Vpn, vnet: hub, addresses: [10.0.3.6, 10.0.3.7], static_branches: "
    "[{name: b7, prefixes: [192.168.7.0/24]}]}\n";

static void expect_captured(const char *mode, const char *more, const char *next_hops)
{
    struct fixture fixture;
    char *yaml;
    cr_assert_gt(asprintf(&yaml, captured, mode, more), 0);
    fixture_open_yaml(&fixture, yaml);
    fixture_expect_next_hops(&fixture, "vm", "192.168.7.0/24", next_hops);
    fixture_close(&fixture);
    free(yaml);
}

Test(gateways, lose_their_route_server_to_a_users_route_in_azure_mode)
{
    expect_captured("azure", "", "-");
    expect_captured("azure", ", {prefix: 10.0.0.0/26, next_hop_type: VnetLocal}", VPN);
    expect_captured("native", "", VPN);
}

/* "The gateway" of a user's route is the VPN gateway, unless there is an ExpressRoute gateway too. */
static void expect_user_route(const char *more, const char *udr_vm)
{
    static const char text[] =
        "fabric: user-route\n"
        "vnets:\n"
        "  - name: hub\n"
        "    address_space: [10.0.0.0/22]\n"
        "    subnets: [{name: vms, prefixes: [10.0.1.0/24], route_table: t}, {name: GatewaySubnet, "
        "prefixes: [10.0.3.0/26]}]\n"
        "nics: [{name: vm, subnet: hub/vms, addresses: [10.0.1.5]}]\n"
        "route_tables: [{name: t, routes: [{prefix: 10.99.0.0/16, next_hop_type: "
        "VirtualNetworkGateway}]}]\n"
        "gateways:\n"
        "  - {name: vpn1, type: Vpn, vnet: hub, addresses: [10.0.3.7, 10.0.3.6]}\n"
        "%s";
    struct fixture fixture;
    char *yaml, found[256];
    cr_assert_gt(asprintf(&yaml, text, more), 0);
    fixture_open_yaml(&fixture, yaml);
    cr_expect_str_eq(rows_source(&fixture, "vm", "10.99.0.0/16"), "user");
    fixture_decide(&fixture, "vm", "10.0.1.5", "10.99.1.1", 1000, 2000, found);
    cr_expect(strncmp(found, udr_vm, strlen(udr_vm)) == 0, "%s, not %s", found, udr_vm);
    fixture_close(&fixture);
    free(yaml);
}

/* A spoke that uses the hub's gateways takes what they bring; an appliance's packets for others it takes
 * only with allow_forwarded_traffic, and from gateways that it does not use nothing of others. */
Test(gateways, need_no_permission_for_what_they_pass_on_to_who_uses_them)
{
    static const char allowed[] =
        "spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}";
    const struct fixture_edit used[] = {{allowed, "spoke: {use_remote_gateways: true}"}, {0}};
    const struct fixture_edit unused[] = {{allowed, "spoke: {}"}, {0}};
    static const char dropped[] = "forwarded-traffic-not-allowed";
    char text[256];
    struct fixture fixture;

    fixture_open_example(&fixture, "express-route-and-vpn", used);
    cr_expect_str_eq(fixture_decide(&fixture, "er1/0", "10.50.0.10", "10.1.0.4", 1024, 80, text),
                     "vm");
    cr_expect_str_eq(fixture_decide(&fixture, "vpn1/1", "192.168.8.10", "10.1.0.4", 1024, 80, text),
                     "vm");
    cr_expect_str_eq(fixture_decide(&fixture, "nva1", "192.0.2.9", "10.1.0.4", 1024, 80, text),
                     dropped);
    fixture_close(&fixture);
    fixture_open_example(&fixture, "express-route-and-vpn", unused);
    cr_expect_str_eq(fixture_decide(&fixture, "er1/0", "10.50.0.10", "10.1.0.4", 1024, 80, text),
                     dropped);
    fixture_close(&fixture);
}

Test(gateways, are_next_hops_of_users_routes)
{
    expect_user_route("", "10.0.3.");
    expect_user_route("  - {name: er1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4]}\n",
                      "no-member");
}
