/*
 * How many FIBs stand behind how many NICs, and in which form.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/program/lab.h"

/* n spokes of one hub with a route server, two subnets each: one plain, one with a route table of
 * its own. */
static struct world *many_spokes(unsigned n, unsigned nics)
{
    struct world *world = world_create();
    uint32_t hub = world_add_vnet(world, "hub", "10.0.0.0/16");
    uint32_t subnet = world_add_subnet(world, hub, "nva", "10.0.1.0/24");
    uint32_t nva = world_add_nic(world, subnet, "nva1", "10.0.1.4");
    uint32_t server = world_add_server(world, hub, "rs1");
    uint32_t table = world_add_table(world, "table", true);
    world_add_route(world, table, "192.0.2.0/24", FABRIC_NULL, NULL);
    world_add_router(world, "nva1-os", nva);
    world_add_peer(world, server, nva);
    for (unsigned i = 1; i <= n; i++) {
        char text[64], name[32];
        snprintf(name, sizeof(name), "spoke%u", i);
        snprintf(text, sizeof(text), "10.%u.0.0/16", i);
        uint32_t vnet = world_add_vnet(world, name, text);
        world_add_spoke(world, hub, vnet);
        for (unsigned j = 0; j < 2; j++) {
            snprintf(text, sizeof(text), "10.%u.%u.0/24", i, j);
            subnet = world_add_subnet(world, vnet, j ? "filtered" : "vms", text);
            world->subnets[subnet].route_table = j ? table : FABRIC_NONE;
            for (unsigned k = 0; k < nics; k++) {
                snprintf(name, sizeof(name), "vm%u-%u-%u", i, j, k);
                snprintf(text, sizeof(text), "10.%u.%u.%u", i, j, 4 + k);
                world_add_nic(world, subnet, name, text);
            }
        }
    }
    return world;
}

static void announce_many(struct lab *lab, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char prefix[LPM_PREFIX_TEXT];
        snprintf(prefix, sizeof(prefix), "172.%u.%u.0/24", 16 + i / 256, i % 256);
        lab_announce(lab, 0, "10.0.1.4", prefix);
    }
}

Test(sharing, nics_of_equal_scope_share_fibs)
{
    const unsigned spokes = 50, nics = 20;
    struct world *world = many_spokes(spokes, nics);
    struct lab lab;
    lab_open(&lab, world, 0);
    announce_many(&lab, 200);
    lab_flush(&lab);
    struct program_size size = lab_size(&lab);
    cr_assert_eq(world->fabric.nics_count, 1 + spokes * 2 * nics);
    /* A spoke has two scopes, the hub that of its NVA; all hold what differs from the same two bases. */
    cr_assert_eq(size.scopes, 2 * spokes + 1);
    cr_assert_eq(size.derived_fibs, 2 * size.scopes);
    cr_assert_eq(size.fibs, 2 + size.derived_fibs);
    /* Internet, None, each VNet by itself, the NVA: the same from every spoke and from the hub. */
    cr_assert_eq(size.groups, 2 + (spokes + 1) + 1);
    lab_close(&lab);
    world_destroy(world);
}

Test(sharing, subnets_that_decide_alike_are_one_scope)
{
    struct world *world = many_spokes(1, 1);
    struct lab lab;
    world->subnets[1].route_table = world->subnets[2].route_table;
    lab_open(&lab, world, 0);
    cr_assert_eq(lab_size(&lab).scopes, 2);
    lab_close(&lab);
    world_destroy(world);
}

/* The NVA's own FIB lacks all that it announces. Beyond half of the base it stands alone; when the routes go, it is
 * derived again. Subnets with propagation off have bases without BGP routes. */
Test(sharing, a_fib_that_differs_by_more_than_half_stands_alone)
{
    const unsigned routes = 1500;
    struct world *world = many_spokes(2, 2);
    struct lab lab;
    world->tables[0].bgp_propagation = false;
    lab_open(&lab, world, 0);
    size_t derived = lab_size(&lab).derived_fibs;
    cr_assert_eq(lab_size(&lab).fibs, derived + 4);
    announce_many(&lab, routes);
    lab_flush(&lab);
    cr_assert_eq(lab_size(&lab).derived_fibs, derived - 1);
    struct dp_verdict verdict =
        lab_send(&lab, world->fabric.nics_count - 1, "10.2.1.5", "172.16.5.1", 1);
    cr_assert_eq(verdict.reason, DP_REASON_NULL_ROUTE);
    lab_announce(&lab, 0, "10.0.1.4", "9.9.9.9/32");
    lab_flush(&lab);
    lab_announce(&lab, 0, "10.0.1.4", "0.0.0.0/0");
    lab_flush(&lab);
    for (unsigned i = 0; i < routes; i++) {
        char prefix[LPM_PREFIX_TEXT];
        snprintf(prefix, sizeof(prefix), "172.%u.%u.0/24", 16 + i / 256, i % 256);
        lab_withdraw(&lab, 0, "10.0.1.4", prefix);
    }
    lab_flush(&lab);
    cr_assert_eq(lab_size(&lab).derived_fibs, derived);
    verdict = lab_send(&lab, world->fabric.nics_count - 1, "10.2.1.5", "172.16.5.1", 1);
    cr_assert_eq(verdict.reason, DP_REASON_NULL_ROUTE);
    lab_close(&lab);
    world_destroy(world);
}

static void announce_range(struct lab *lab, const char *neighbor, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        char prefix[LPM_PREFIX_TEXT];
        snprintf(prefix, sizeof(prefix), "11.%u.%u.0/24", i / 256, i % 256);
        lab_announce(lab, 0, neighbor, prefix);
    }
}

static void flush_without_check(struct lab *lab)
{
    while (program_flush_due(lab->program))
        cr_assert_geq(program_flush(lab->program), 0);
}

/* Less than half of the routes, but changes again and again, each of which costs all overrides. Then it follows what
 * the others announce. */
Test(sharing, a_fib_whose_changes_cost_more_than_another_form_gets_that)
{
    const unsigned others = 1200, own = 1100;
    struct world *world = many_spokes(1, 1);
    uint32_t nva = world_add_nic(world, 0, "nva2", "10.0.1.5");
    struct lab lab;
    world_add_router(world, "nva2-os", nva);
    world_add_peer(world, 0, nva);
    lab_open(&lab, world, 0);
    announce_range(&lab, "10.0.1.5", 0, own);
    announce_range(&lab, "10.0.1.4", own, others);
    flush_without_check(&lab);
    /* That of the first NVA, which lacks most routes. */
    size_t derived = lab_size(&lab).derived_fibs;
    cr_assert_eq(lab_size(&lab).fibs, derived + 3);
    for (unsigned i = 0; i < 20; i++) {
        lab_announce(&lab, 0, "10.0.1.5", "9.9.9.9/32");
        flush_without_check(&lab);
        lab_withdraw(&lab, 0, "10.0.1.5", "9.9.9.9/32");
        flush_without_check(&lab);
    }
    cr_assert_eq(lab_size(&lab).derived_fibs, derived - 1);
    announce_range(&lab, "10.0.1.5", own, 2);
    announce_range(&lab, "10.0.1.4", own - 2, 2);
    lab_announce(&lab, 0, "10.0.1.4", "0.0.0.0/0");
    lab_flush(&lab);
    lab_withdraw(&lab, 0, "10.0.1.4", "0.0.0.0/0");
    lab_flush(&lab);
    struct dp_verdict verdict = lab_send(&lab, nva, "10.0.1.5", "11.5.0.1", 1);
    cr_assert_eq(verdict.nic, program_nic_id(lab.program, 0));
    lab_close(&lab);
    world_destroy(world);
}

/* An NVA in a spoke: the hub reaches it, other spokes do not, and each sees its own group for the same route. As
 * all but one see it alike, that one costs an override a route, and the others nothing. */
Test(sharing, next_hop_that_vnets_see_otherwise)
{
    struct world *world = many_spokes(5, 1);
    uint32_t subnet = world_add_subnet(world, 5, "appliances", "10.5.200.0/24");
    uint32_t nva = world_add_nic(world, subnet, "nva2", "10.5.200.4");
    world_add_router(world, "nva2-os", nva);
    world_add_peer(world, 0, nva);
    struct lab lab;
    lab_open(&lab, world, 0);
    lab_announce(&lab, 0, "10.5.200.4", "172.16.0.0/12");
    lab_flush(&lab);
    struct dp_verdict far = lab_send(&lab, 1, "10.1.0.4", "172.16.5.1", 1);
    struct dp_verdict own = lab_send(&lab, 9, "10.5.0.4", "172.16.5.1", 1);
    cr_assert_eq(far.reason, DP_REASON_NEXT_HOP_UNREACHABLE);
    cr_assert_eq(own.nic, program_nic_id(lab.program, nva));
    /* And back: another neighbour's route takes over, then none is left. */
    lab_announce(&lab, 0, "10.0.1.4", "172.16.0.0/12");
    lab_flush(&lab);
    lab_withdraw(&lab, 0, "10.5.200.4", "172.16.0.0/12");
    lab_flush(&lab);
    far = lab_send(&lab, 1, "10.1.0.4", "172.16.5.1", 1);
    cr_assert_eq(far.nic, program_nic_id(lab.program, 0));
    lab_withdraw(&lab, 0, "10.0.1.4", "172.16.0.0/12");
    lab_flush(&lab);
    lab_close(&lab);
    world_destroy(world);
}

/* --- NICs ------------------------------------------------------------------------------------- */

Test(sharing, ids_of_nics_go_both_ways)
{
    struct base_h base = world_base_h();
    struct lab lab;
    lab_open(&lab, base.world, 0);
    for (uint32_t i = 0; i < base.world->fabric.nics_count; i++) {
        uint32_t id = program_nic_id(lab.program, i);
        cr_assert_neq(id, DP_NIC_INTERNET);
        cr_assert_eq(program_nic_of(lab.program, id), i);
    }
    cr_assert_eq(program_nic_of(lab.program, DP_NIC_INTERNET), FABRIC_NONE);
    cr_assert_eq(program_nic_of(lab.program, 0), FABRIC_NONE);
    cr_assert_eq(program_nic_of(lab.program, 1000), FABRIC_NONE);
    lab_close(&lab);
    world_destroy(base.world);
}

static struct program *with_ports(const struct world *world, struct dp_forwarding *forwarding,
                                  char error[DP_ERROR_TEXT])
{
    return program_create(&world->fabric, &world->bgp, forwarding, true, error);
}

Test(sharing, attachments_that_cannot_be_told_apart_are_refused_by_name)
{
    static struct fabric_port ports[2] = {{.name = "trunk"}, {.name = "p-vm"}};
    struct base_h base = world_base_h();
    struct dp_forwarding_config config = program_forwarding_config(&base.world->fabric, 1);
    struct lpm *lpm = lpm_create();
    struct dp_forwarding *forwarding = dp_forwarding_create(&config, lpm);
    char error[DP_ERROR_TEXT];
    base.world->fabric.ports = ports;
    base.world->fabric.ports_count = 2;
    base.world->nics[base.nva1].port = 0;
    base.world->nics[base.nva1].vlan = 12;
    base.world->nics[base.nva2].port = 0;
    base.world->nics[base.nva2].vlan = 13;
    base.world->nics[base.vm1].port = 1;
    base.world->nics[base.vm2].port = 1; /* shared: told apart by MAC */
    struct program *program = with_ports(base.world, forwarding, error);
    cr_assert_not_null(program, "%s", error);
    program_destroy(program);

    base.world->nics[base.nva2].vlan = 12;
    cr_assert_null(with_ports(base.world, forwarding, error));
    cr_assert_not_null(strstr(error, "'nva2'"), "%s", error);
    base.world->nics[base.nva2].vlan = 13;
    memcpy(base.world->nics[base.vm2].mac, base.world->nics[base.vm1].mac, 6);
    cr_assert_null(with_ports(base.world, forwarding, error));
    cr_assert_not_null(strstr(error, "'vm2'"), "%s", error);

    base.world->nics[base.vm2].port = FABRIC_NONE;
    program = with_ports(base.world, forwarding, error);
    cr_assert_not_null(program, "what failed has left something behind: %s", error);
    program_destroy(program);
    dp_forwarding_destroy(forwarding);
    lpm_destroy(lpm);
    world_destroy(base.world);
}

/* vm2 and a further NIC are both instances of a gateway; port: FABRIC_NONE, or the gateway's. */
static void make_gateway(struct base_h *base, struct fabric_gateway *gateway, uint32_t port)
{
    struct fabric *fabric = &base->world->fabric;
    uint32_t second = world_add_nic(base->world, base->nva_subnet, "er1/1", "10.0.1.9");
    static struct lpm_address addresses[2];
    addresses[0] = world_address("10.2.0.4");
    addresses[1] = world_address("10.0.1.9");
    *gateway = (struct fabric_gateway){.name = "er1",
                                       .first_nic = base->vm2,
                                       .addresses = {.items = addresses, .n = 2},
                                       .port = port};
    fabric->gateways = gateway;
    fabric->gateways_count = 1;
    fabric->brought_nic_count = fabric->nics_count - base->vm2;
    for (uint32_t i = base->vm2; i <= second; i++) {
        base->world->nics[i].port = port;
        base->world->nics[i].gateway = 0;
    }
}

static void no_gateway(struct base_h *base)
{
    base->world->fabric.gateways = NULL;
    base->world->fabric.gateways_count = 0;
}

Test(sharing, instances_of_a_gateway_with_a_port_are_one_machine_behind_it)
{
    static struct fabric_port port = {.name = "p-er1"};
    struct fabric_gateway gateway;
    struct base_h base = world_base_h();
    struct lab lab;
    base.world->fabric.ports = &port;
    base.world->fabric.ports_count = 1;
    make_gateway(&base, &gateway, 0);
    lab_open(&lab, base.world, 0);
    lab_announce(&lab, base.server, "10.0.1.9", "192.168.7.0/24");
    lab_flush(&lab);
    uint32_t first = program_nic_id(lab.program, base.vm2);
    /* To an address of its own, and as next hop. */
    struct dp_verdict verdict = lab_send(&lab, base.nva1, "10.0.1.4", "10.0.1.9", 1);
    cr_assert_eq(verdict.action, DP_FORWARD);
    cr_assert_eq(verdict.nic, first);
    verdict = lab_send(&lab, base.hubvm, "10.0.2.4", "192.168.7.1", 1);
    struct lpm_address next_hop, wanted = world_address("10.0.1.9");
    cr_assert(dp_next_hop_address(lab.forwarding, verdict.next_hop, &next_hop));
    cr_assert(lpm_address_equal(&next_hop, &wanted), "the next hop stays the instance's address");
    cr_assert_eq(verdict.nic, first);
    lab_close(&lab);
    no_gateway(&base);
    world_destroy(base.world);
}

Test(sharing, instances_of_a_gateway_without_a_port_are_two)
{
    struct fabric_gateway gateway;
    struct base_h base = world_base_h();
    struct lab lab;
    make_gateway(&base, &gateway, FABRIC_NONE);
    lab_open(&lab, base.world, 0);
    struct dp_verdict verdict = lab_send(&lab, base.nva1, "10.0.1.4", "10.0.1.9", 1);
    cr_assert_neq(verdict.nic, program_nic_id(lab.program, base.vm2));
    lab_close(&lab);
    no_gateway(&base);
    world_destroy(base.world);
}
