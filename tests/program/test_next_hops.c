/*
 * Next-hop groups on Base H: shared by whoever resolves alike, swapped when a next hop goes, and
 * moving only the flows that must move.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/program/lab.h"

#define FLOWS 1000

/* Two NVAs announce the aggregate and the default. */
static struct lab open_active_active(struct base_h *base)
{
    struct lab lab;
    *base = world_base_h();
    lab_open(&lab, base->world, 0);
    lab_announce(&lab, base->server, "10.0.1.4", "10.0.0.0/8");
    lab_announce(&lab, base->server, "10.0.1.5", "10.0.0.0/8");
    lab_announce(&lab, base->server, "10.0.1.4", "0.0.0.0/0");
    lab_announce(&lab, base->server, "10.0.1.5", "0.0.0.0/0");
    lab_flush(&lab);
    return lab;
}

static void close_active_active(struct lab *lab)
{
    struct world *world = lab->world;
    lab_close(lab);
    world_destroy(world);
}

/* NIC that each of FLOWS flows from vm1 to vm2 goes to next; 0: dropped. */
static void send_flows(const struct lab *lab, const struct base_h *base, uint32_t nics[FLOWS])
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct dp_verdict verdict =
            lab_send(lab, base->vm1, "10.1.0.4", "10.2.0.4", (uint16_t)(1024 + i));
        nics[i] = verdict.action == DP_FORWARD ? verdict.nic : 0;
    }
}

static unsigned count(const uint32_t nics[FLOWS], uint32_t nic)
{
    unsigned n = 0;
    for (unsigned i = 0; i < FLOWS; i++)
        n += nics[i] == nic;
    return n;
}

static void nvas_forward(struct lab *lab, const struct base_h *base)
{
    cr_assert(lab->world->nics[base->nva1].ip_forwarding);
    cr_assert(lab->world->nics[base->nva2].ip_forwarding);
}

Test(next_hops, equal_sets_that_resolve_alike_are_one_group)
{
    struct base_h base;
    struct lab lab = open_active_active(&base);
    /* Internet and None of the NVAs' own FIBs; hub, spoke1 and spoke2 for those inside, and as seen
     * over a peering, which allows all, so it is the same group; the NVAs seen from the hub, and
     * from the spokes, which resolves alike. */
    cr_assert_eq(lab_size(&lab).groups, 2 + 3 + 1);
    base.world->peerings[0].sides[0].allow_forwarded_traffic = false;
    lab_close(&lab);
    lab_open(&lab, base.world, 0);
    /* Now spoke1 reaches the NVAs under another rule than the rest, and the hub's space too. */
    cr_assert_eq(lab_size(&lab).groups, 2 + 3 + 1 + 2);
    close_active_active(&lab);
}

Test(next_hops, groups_that_nothing_refers_to_are_given_up)
{
    struct base_h base;
    struct lab lab = open_active_active(&base);
    size_t before = lab_size(&lab).groups;
    lab_announce(&lab, base.server, "10.0.1.4", "172.20.0.0/16");
    lab_flush(&lab);
    cr_assert_eq(lab_size(&lab).groups, before + 1);
    lab_withdraw(&lab, base.server, "10.0.1.4", "172.20.0.0/16");
    lab_flush(&lab);
    cr_assert_eq(lab_size(&lab).groups, before);
    close_active_active(&lab);
}

Test(next_hops, flows_are_shared_and_a_lost_next_hop_moves_only_its_own)
{
    struct base_h base;
    struct lab lab = open_active_active(&base);
    uint32_t before[FLOWS], without[FLOWS], after[FLOWS], again[FLOWS];
    uint32_t nva1 = program_nic_id(lab.program, base.nva1);
    uint32_t nva2 = program_nic_id(lab.program, base.nva2);
    struct lpm_address lost = world_address("10.0.1.4");
    nvas_forward(&lab, &base);
    send_flows(&lab, &base, before);
    cr_assert_eq(count(before, nva1) + count(before, nva2), FLOWS);
    cr_assert(count(before, nva1) > FLOWS * 4 / 10 && count(before, nva2) > FLOWS * 4 / 10);

    /* One group, whatever the prefixes and NICs behind it. */
    cr_assert_eq(program_next_hop_state(lab.program, &lost, false), 1);
    send_flows(&lab, &base, without);
    cr_assert_eq(count(without, nva2), FLOWS);

    /* The prefixes follow; nothing changes for anyone any more. */
    lab_withdraw(&lab, base.server, "10.0.1.4", "10.0.0.0/8");
    lab_withdraw(&lab, base.server, "10.0.1.4", "0.0.0.0/0");
    lab_flush(&lab);
    send_flows(&lab, &base, after);
    cr_assert_eq(count(after, nva2), FLOWS);

    cr_assert_geq(program_next_hop_state(lab.program, &lost, true), 0);
    lab_announce(&lab, base.server, "10.0.1.4", "10.0.0.0/8");
    lab_announce(&lab, base.server, "10.0.1.4", "0.0.0.0/0");
    lab_flush(&lab);
    send_flows(&lab, &base, again);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(before[i], again[i], "flow %u came back to another NVA", i);
    close_active_active(&lab);
}

Test(next_hops, the_other_direction_of_a_flow_meets_the_same_nva)
{
    struct base_h base;
    struct lab lab = open_active_active(&base);
    for (unsigned i = 0; i < FLOWS; i++) {
        struct lpm_address vm1 = world_address("10.1.0.4"), vm2 = world_address("10.2.0.4");
        struct dp_packet there = lab_packet(&vm1, &vm2, (uint16_t)(1024 + i));
        struct dp_packet back = lab_packet(&vm2, &vm1, 443);
        struct dp_packet packets[2] = {there, back};
        struct dp_verdict verdicts[2];
        uint32_t senders[2] = {program_nic_id(lab.program, base.vm1),
                               program_nic_id(lab.program, base.vm2)};
        struct dp_decide_options options = {.skip_source_check = false};
        packets[1].destination_port = there.source_port;
        dp_decide(lab.forwarding, senders, packets, verdicts, 2, &options);
        cr_assert_eq(verdicts[0].nic, verdicts[1].nic, "flow %u", i);
    }
    close_active_active(&lab);
}

/* A user's route to an appliance is not BGP's: its session says nothing about it. */
Test(next_hops, a_users_route_stays_while_the_session_with_its_appliance_is_down)
{
    struct base_h base = world_base_h();
    struct lab lab;
    struct lpm_address nva1 = world_address("10.0.1.4");
    uint32_t table = world_add_table(base.world, "spoke-table", true);
    world_add_route(base.world, table, "192.0.2.0/24", FABRIC_VIRTUAL_APPLIANCE, "10.0.1.4");
    world_add_route(base.world, table, "198.51.100.0/24", FABRIC_VIRTUAL_APPLIANCE, "10.9.9.9");
    world_add_route(base.world, table, "203.0.113.0/24", FABRIC_VIRTUAL_NETWORK_GATEWAY, NULL);
    base.world->subnets[base.spoke1_subnet].route_table = table;
    lab_open(&lab, base.world, 0);
    cr_assert_eq(program_next_hop_state(lab.program, &nva1, false), 0);
    struct dp_verdict verdict = lab_send(&lab, base.vm1, "10.1.0.4", "192.0.2.1", 1);
    cr_assert_eq(verdict.action, DP_FORWARD);
    cr_assert_eq(verdict.nic, program_nic_id(lab.program, base.nva1));
    verdict = lab_send(&lab, base.vm1, "10.1.0.4", "198.51.100.1", 1);
    cr_assert_eq(verdict.reason, DP_REASON_NEXT_HOP_UNREACHABLE);
    verdict = lab_send(&lab, base.vm1, "10.1.0.4", "203.0.113.1", 1);
    cr_assert_eq(verdict.reason, DP_REASON_NO_MEMBER);
    verdict = lab_send(&lab, base.vm1, "10.1.0.4", "8.8.8.8", 1);
    cr_assert_eq(verdict.nic, DP_NIC_INTERNET);
    lab_close(&lab);
    world_destroy(base.world);
}

/* The last leg of vm1 -> nva1 -> vm2 has a source that is foreign to the hub. */
Test(next_hops, forwarded_traffic_needs_the_receiving_sides_permission)
{
    struct base_h base = world_base_h();
    struct lab lab;
    for (unsigned side = 0; side < 2; side++)
        base.world->peerings[1].sides[side].allow_forwarded_traffic = side == 1;
    lab_open(&lab, base.world, 0);
    struct dp_verdict verdict = lab_send(&lab, base.nva1, "10.1.0.4", "10.2.0.4", 1);
    cr_assert_eq(verdict.action, DP_FORWARD);
    lab_close(&lab);
    for (unsigned side = 0; side < 2; side++)
        base.world->peerings[1].sides[side].allow_forwarded_traffic = side == 0;
    lab_open(&lab, base.world, 0);
    verdict = lab_send(&lab, base.nva1, "10.1.0.4", "10.2.0.4", 1);
    cr_assert_eq(verdict.reason, DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED);
    verdict = lab_send(&lab, base.nva1, "10.0.1.4", "10.2.0.4", 1);
    cr_assert_eq(verdict.action, DP_FORWARD);
    lab_close(&lab);
    world_destroy(base.world);
}

/* With the quirk each NIC hashes alone, so about half of the flows come back another way. */
Test(next_hops, azure_mode_hashes_each_direction_for_itself)
{
    struct base_h base = world_base_h();
    struct lab lab;
    unsigned asymmetric = 0;
    base.world->fabric.quirks.independent_hash = true;
    world_announce(base.world, base.server, "10.0.1.4", "10.0.0.0/8");
    world_announce(base.world, base.server, "10.0.1.5", "10.0.0.0/8");
    lab_open(&lab, base.world, 0);
    for (unsigned i = 0; i < FLOWS; i++) {
        struct lpm_address vm1 = world_address("10.1.0.4"), vm2 = world_address("10.2.0.4");
        struct dp_packet packets[2] = {lab_packet(&vm1, &vm2, (uint16_t)(1024 + i)),
                                       lab_packet(&vm2, &vm1, 443)};
        struct dp_verdict verdicts[2];
        uint32_t senders[2] = {program_nic_id(lab.program, base.vm1),
                               program_nic_id(lab.program, base.vm2)};
        struct dp_decide_options options = {.skip_source_check = false};
        packets[1].destination_port = packets[0].source_port;
        dp_decide(lab.forwarding, senders, packets, verdicts, 2, &options);
        asymmetric += verdicts[0].nic != verdicts[1].nic;
    }
    cr_assert(asymmetric > FLOWS * 4 / 10 && asymmetric < FLOWS * 6 / 10, "%u of %u", asymmetric,
              FLOWS);
    lab_close(&lab);
    world_destroy(base.world);
}
