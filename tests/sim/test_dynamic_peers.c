/* Modelled routers in dynamic_peers: they have sessions as those that connect to a running engine. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/fixture.h"

#define YAML_TEXT 4096

/* A configured NVA, and three boxes of which the range takes two: the third has another AS number unless it is
 * asn3, and limits.peers may have no room for it. */
static void write_boxes(char yaml[YAML_TEXT], unsigned peers, unsigned asn3)
{
    snprintf(yaml, YAML_TEXT,
             "fabric: f\nmode: native\nengine: {verify: true}\nvnets:\n"
             "  - {name: hub, region: r, address_space: [10.0.0.0/16], subnets: [\n"
             "      {name: RouteServerSubnet, prefixes: [10.0.0.0/26]},\n"
             "      {name: boxes, prefixes: [10.0.1.0/24]}]}\n"
             "  - {name: spoke, region: r, address_space: [10.1.0.0/16], subnets: [\n"
             "      {name: s, prefixes: [10.1.0.0/24]}]}\n"
             "peerings:\n"
             "  - {vnets: [hub, spoke], hub: {allow_gateway_transit: true}, "
             "spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}}\n"
             "nics:\n"
             "  - {name: nva1, subnet: hub/boxes, addresses: [10.0.1.4], ip_forwarding: true}\n"
             "  - {name: box1, subnet: hub/boxes, addresses: [10.0.1.130], ip_forwarding: true}\n"
             "  - {name: box2, subnet: hub/boxes, addresses: [10.0.1.131], ip_forwarding: true}\n"
             "  - {name: box3, subnet: hub/boxes, addresses: [10.0.1.132], ip_forwarding: true}\n"
             "  - {name: vm1, subnet: spoke/s, addresses: [10.1.0.4]}\n"
             "policies:\n  - {name: no-eights, rules: [\n"
             "      {match: {prefixes: [8.0.0.0/8]}, then: reject}]}\n"
             "route_servers:\n  - name: rs1\n    vnet: hub\n    addresses: [10.0.0.4, 10.0.0.5]\n"
             "    limits: {peers: %u}\n"
             "    peers: [{name: nva1, address: 10.0.1.4, asn: 65001, import: no-eights}]\n"
             "    dynamic_peers: [{prefix: 10.0.1.128/25, asns: [65100-65199], template: nva1}]\n"
             "routers:\n"
             "  - {name: nva1-os, nic: nva1, asn: 65001, neighbors: [{route_server: rs1}],\n"
             "     originate: [9.0.0.0/8]}\n"
             "  - {name: box1-os, nic: box1, asn: 65100, neighbors: [{route_server: rs1}],\n"
             "     originate: [7.0.0.0/8, 8.0.0.0/8]}\n"
             "  - {name: box2-os, nic: box2, asn: 65101, neighbors: [{route_server: rs1}],\n"
             "     originate: [7.0.0.0/8]}\n"
             "  - {name: box3-os, nic: box3, asn: %u, neighbors: [{route_server: rs1}],\n"
             "     originate: [7.0.0.0/8]}\n",
             peers, asn3);
}

static void open_boxes(struct fixture *fixture, unsigned peers, unsigned asn3)
{
    char yaml[YAML_TEXT];
    write_boxes(yaml, peers, asn3);
    fixture_open_yaml(fixture, yaml);
}

static void expect_sevens(struct fixture *fixture, const char *want)
{
    fixture_expect_next_hops(fixture, "vm1", "7.0.0.0/8", want);
    fixture_assert_programmed(fixture);
}

Test(dynamic_peers, take_the_routers_of_their_range)
{
    struct fixture fixture;
    open_boxes(&fixture, 8, 65300);
    expect_sevens(&fixture, "10.0.1.130,10.0.1.131");
    fixture_expect_next_hops(&fixture, "vm1", "8.0.0.0/8", "-"); /* its template's policy */
    cr_assert_eq(controller_peer_count(sim_controller(fixture.sim)), 2 * 3);
    fixture_close(&fixture);
    open_boxes(&fixture, 8, 65199);
    expect_sevens(&fixture, "10.0.1.130,10.0.1.131,10.0.1.132");
    fixture_close(&fixture);
    open_boxes(&fixture, 3, 65199); /* the configured one, and two more */
    expect_sevens(&fixture, "10.0.1.130,10.0.1.131");
    fixture_close(&fixture);
}

Test(dynamic_peers, come_and_go_as_others_do)
{
    struct fixture fixture;
    open_boxes(&fixture, 8, 65300);
    uint32_t box = fixture_router(&fixture, "box1-os");
    cr_assert_eq(sim_router_fail(fixture.sim, box, SIM_STOP), 0);
    fixture_settle(&fixture);
    expect_sevens(&fixture, "10.0.1.131");
    cr_assert_eq(sim_router_restart(fixture.sim, box), 0);
    fixture_settle(&fixture);
    expect_sevens(&fixture, "10.0.1.130,10.0.1.131");
    cr_assert_eq(sim_session_cut(fixture.sim, box, 0, true), 0);
    fixture_settle(&fixture);
    expect_sevens(&fixture, "10.0.1.131");
    cr_assert_eq(sim_session_cut(fixture.sim, box, 0, false), 0);
    fixture_settle(&fixture);
    expect_sevens(&fixture, "10.0.1.130,10.0.1.131");
    /* They only connect, and the instance does not call them when it is back. */
    cr_assert_eq(sim_instance_fail(fixture.sim, 0, 0, SIM_KILL), 0);
    fixture_settle(&fixture);
    cr_assert_eq(sim_instance_restart(fixture.sim, 0, 0), 0);
    fixture_settle(&fixture);
    for (size_t i = 0; i < controller_peer_count(sim_controller(fixture.sim)); i++)
        cr_assert(controller_peer(sim_controller(fixture.sim), i)->established);
    fixture_close(&fixture);
}

/* nva1 stays, box1 and box2 are accepted; then the file names another, before them all. */
Test(dynamic_peers, are_no_neighbour_that_the_file_names_later)
{
    static const char first[] = "peers: [";
    struct fixture fixture;
    char yaml[YAML_TEXT], more[YAML_TEXT], error[DP_ERROR_TEXT] = "";
    open_boxes(&fixture, 3, 65300); /* as many as may be */
    write_boxes(yaml, 3, 65300);
    const char *at = strstr(yaml, first);
    int head = (int)(at + strlen(first) - yaml);
    snprintf(more, sizeof(more), "%.*s{name: a-new, address: 10.0.1.5, asn: 65002}, %s", head, yaml,
             yaml + head);
    struct fabric *with = fixture_load_yaml(more);
    struct controller *controller = sim_controller(fixture.sim);
    cr_assert_eq(controller_watch(controller, NULL, NULL), 0);
    cr_assert_eq(sim_apply(fixture.sim, with, error), 0, "%s", error);
    const size_t n = controller_peer_count(controller);
    cr_assert_eq(n, 2 * 4);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const struct controller_peer *a = controller_peer(controller, i);
            const struct controller_peer *b = controller_peer(controller, j);
            bool same = lpm_address_equal(&speaker_peer_config(a->peer)->peer_address,
                                          &speaker_peer_config(b->peer)->peer_address);
            cr_assert_eq(a->neighbor == b->neighbor, same);
        }
    fixture_settle(&fixture);
    expect_sevens(&fixture, "10.0.1.130,10.0.1.131");
    fixture_close(&fixture);
    fabric_free(with);
}

Test(dynamic_peers, have_another_as_number_once_their_session_is_over)
{
    struct fixture fixture;
    char yaml[YAML_TEXT], error[DP_ERROR_TEXT] = "";
    open_boxes(&fixture, 8, 65150);
    write_boxes(yaml, 8, 65199);
    struct fabric *with = fixture_load_yaml(yaml);
    cr_assert_eq(sim_apply(fixture.sim, with, error), 0, "%s", error);
    fixture_settle(&fixture);
    expect_sevens(&fixture, "10.0.1.130,10.0.1.131,10.0.1.132");
    cr_assert_eq(controller_peer_count(sim_controller(fixture.sim)), 2 * 4);
    fixture_close(&fixture);
    fabric_free(with);
}
