/*
 * Internal load balancers on Base H: who takes a packet that goes to a frontend, as next hop and as
 * destination, and what the loss of a backend moves.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/program/lab.h"

#define FLOWS 1000

static struct fabric_load_balancer model = {.name = "ilb"};
static uint32_t backends[2];

/* 10.0.1.100 in front of nva1 and nva2, which announce 10.0.0.0/8 by way of `hops`. */
static struct lab open_balanced(struct base_h *base, const char *const *hops, unsigned hop_count)
{
    struct lab lab;
    *base = world_base_h();
    backends[0] = base->nva1;
    backends[1] = base->nva2;
    model.vnet = base->world->fabric.nics[base->nva1].vnet;
    model.subnet = base->world->fabric.nics[base->nva1].subnet;
    model.frontend = world_address("10.0.1.100");
    model.backends = backends;
    model.backend_count = 2;
    base->world->fabric.load_balancers = &model;
    base->world->fabric.load_balancers_count = 1;
    lab_open(&lab, base->world, 0);
    for (unsigned i = 0; i < hop_count; i++)
        lab_announce(&lab, base->server, hops[i], "10.0.0.0/8");
    lab_flush(&lab);
    return lab;
}

static void close_balanced(struct lab *lab)
{
    struct world *world = lab->world;
    lab_close(lab);
    world_destroy(world);
}

static void send_flows(const struct lab *lab, uint32_t from, const char *destination,
                       struct dp_verdict verdicts[FLOWS])
{
    for (unsigned i = 0; i < FLOWS; i++)
        verdicts[i] = lab_send(lab, from, "10.1.0.4", destination, (uint16_t)(1024 + i));
}

static unsigned count(const struct dp_verdict verdicts[FLOWS], uint32_t nic)
{
    unsigned n = 0;
    for (unsigned i = 0; i < FLOWS; i++)
        n += verdicts[i].action == DP_FORWARD && verdicts[i].nic == nic;
    return n;
}

static void assert_reason(const struct dp_verdict verdicts[FLOWS], enum dp_reason reason)
{
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert(verdicts[i].action == DP_DROP && verdicts[i].reason == reason, "flow %u: %s", i,
                  dp_reason_name(verdicts[i].reason));
}

Test(balancers, a_next_hop_that_is_a_frontend_leads_to_its_healthy_backends)
{
    static const char *const hops[] = {"10.0.1.100"};
    struct base_h base;
    struct lab lab = open_balanced(&base, hops, 1);
    static struct dp_verdict before[FLOWS], without[FLOWS], again[FLOWS];
    uint32_t nva1 = program_nic_id(lab.program, base.nva1);
    uint32_t nva2 = program_nic_id(lab.program, base.nva2);
    struct lpm_address address;

    send_flows(&lab, base.vm1, "10.2.0.4", before);
    cr_assert_eq(count(before, nva1) + count(before, nva2), FLOWS);
    cr_assert(count(before, nva1) > FLOWS * 4 / 10 && count(before, nva2) > FLOWS * 4 / 10);
    cr_assert(dp_next_hop_address(lab.forwarding, before[0].next_hop, &address));
    cr_assert(lpm_address_equal(&address, &model.frontend));
    cr_assert(dp_next_hop_address(lab.forwarding, before[0].backend, &address));
    cr_assert_eq(address.bytes[3], before[0].nic == nva1 ? 4 : 5);

    cr_assert_eq(program_backend_state(lab.program, 0, 0, false), 1, "one swap");
    cr_assert_eq(program_backend_state(lab.program, 0, 0, false), 0, "it is down already");
    cr_assert_not(program_backend_is_up(lab.program, 0, 0));
    send_flows(&lab, base.vm1, "10.2.0.4", without);
    cr_assert_eq(count(without, nva2), FLOWS);
    lab_flush(&lab);

    cr_assert_eq(program_backend_state(lab.program, 0, 1, false), 1);
    send_flows(&lab, base.vm1, "10.2.0.4", without);
    assert_reason(without, DP_REASON_NO_HEALTHY_BACKEND);
    lab_flush(&lab);

    program_backend_state(lab.program, 0, 0, true);
    program_backend_state(lab.program, 0, 1, true);
    send_flows(&lab, base.vm1, "10.2.0.4", again);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(before[i].nic, again[i].nic, "flow %u came back to another backend", i);
    close_balanced(&lab);
}

Test(balancers, a_backend_is_taken_out_by_hand_and_stays_out_whatever_probes_say)
{
    static const char *const hops[] = {"10.0.1.100"};
    struct base_h base;
    struct lab lab = open_balanced(&base, hops, 1);
    static struct dp_verdict before[FLOWS], after[FLOWS];
    uint32_t nva1 = program_nic_id(lab.program, base.nva1);
    struct lpm_address backend = world_address("10.0.1.4");
    struct program_group group;
    uint32_t id = 0;

    send_flows(&lab, base.vm1, "10.2.0.4", before);
    for (uint32_t i = 1; i < program_group_limit(lab.program); i++)
        if (program_group(lab.program, i, &group) && group.balancer == 0)
            id = i;
    cr_assert_eq(program_set_member(lab.program, id, &backend, PROGRAM_MEMBER_DOWN), 1);
    lab_flush(&lab);
    program_backend_state(lab.program, 0, 0, false);
    program_backend_state(lab.program, 0, 0, true);
    send_flows(&lab, base.vm1, "10.2.0.4", after);
    cr_assert_eq(count(after, nva1), 0);
    cr_assert(program_group(lab.program, id, &group));
    cr_assert(group.member_count == 2 && group.members[0].nic == base.nva1);
    cr_assert(group.members[0].up && group.members[0].said == PROGRAM_MEMBER_DOWN);
    cr_assert_eq(program_set_member(lab.program, id, &model.frontend, PROGRAM_MEMBER_DOWN), -ESRCH);
    cr_assert_geq(program_set_member(lab.program, 0, &backend, PROGRAM_MEMBER_UP), 1);
    send_flows(&lab, base.vm1, "10.2.0.4", after);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(before[i].nic, after[i].nic, "flow %u", i);
    close_balanced(&lab);
}

/* ECMP first, then the load balancer: what its backend loses stays behind the frontend. */
Test(balancers, a_backends_loss_moves_no_flow_of_another_next_hop)
{
    static const char *const hops[] = {"10.0.1.100", "10.0.2.4"};
    struct base_h base;
    struct lab lab = open_balanced(&base, hops, 2);
    static struct dp_verdict before[FLOWS], after[FLOWS];
    uint32_t nva1 = program_nic_id(lab.program, base.nva1);
    uint32_t nva2 = program_nic_id(lab.program, base.nva2);
    lab.world->nics[base.hubvm].ip_forwarding = true;
    lab_close(&lab);
    lab_open(&lab, base.world, 0);

    send_flows(&lab, base.vm1, "10.2.0.4", before);
    unsigned direct = count(before, program_nic_id(lab.program, base.hubvm));
    cr_assert(direct > FLOWS * 4 / 10 && direct < FLOWS * 6 / 10, "%u", direct);
    cr_assert(count(before, nva1) > FLOWS / 5 && count(before, nva2) > FLOWS / 5, "%u %u",
              count(before, nva1), count(before, nva2));
    program_backend_state(lab.program, 0, 0, false);
    send_flows(&lab, base.vm1, "10.2.0.4", after);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(after[i].nic, before[i].nic == nva1 ? nva2 : before[i].nic, "flow %u", i);
    close_balanced(&lab);
}

/* Even where each sender hashes for itself: the load balancer is one for all. */
Test(balancers, both_directions_of_a_flow_meet_one_backend)
{
    static const char *const hops[] = {"10.0.1.100"};
    struct base_h base;
    struct lab lab = open_balanced(&base, hops, 1);
    base.world->fabric.quirks.independent_hash = true;
    lab_close(&lab);
    lab_open(&lab, base.world, 0);
    for (unsigned i = 0; i < FLOWS; i++) {
        struct lpm_address vm1 = world_address("10.1.0.4"), vm2 = world_address("10.2.0.4");
        struct dp_packet packets[2] = {lab_packet(&vm1, &vm2, (uint16_t)(1024 + i)),
                                       lab_packet(&vm2, &vm1, 443)};
        uint32_t senders[2] = {program_nic_id(lab.program, base.vm1),
                               program_nic_id(lab.program, base.vm2)};
        struct dp_verdict verdicts[2];
        packets[1].destination_port = packets[0].source_port;
        dp_decide(lab.forwarding, senders, packets, verdicts, 2, NULL);
        cr_assert_eq(verdicts[0].action, DP_FORWARD);
        cr_assert_eq(verdicts[0].nic, verdicts[1].nic, "flow %u", i);
    }
    close_balanced(&lab);
}

Test(balancers, packets_to_a_frontend_go_to_a_backend_as_they_are)
{
    struct base_h base;
    struct lab lab = open_balanced(&base, NULL, 0);
    static struct dp_verdict verdicts[FLOWS];
    /* Floating IP: a backend needs no ip_forwarding to take them, nor to answer from the frontend. */
    lab.world->nics[base.nva1].ip_forwarding = false;
    lab.world->nics[base.nva2].ip_forwarding = false;
    lab_close(&lab);
    lab_open(&lab, base.world, 0);
    uint32_t nva1 = program_nic_id(lab.program, base.nva1);
    uint32_t nva2 = program_nic_id(lab.program, base.nva2);
    send_flows(&lab, base.vm1, "10.0.1.100", verdicts);
    cr_assert_eq(count(verdicts, nva1) + count(verdicts, nva2), FLOWS);
    cr_assert(count(verdicts, nva1) > FLOWS * 4 / 10 && count(verdicts, nva2) > FLOWS * 4 / 10);

    struct lpm_address frontend = world_address("10.0.1.100"), vm1 = world_address("10.1.0.4");
    struct dp_packet answer = lab_packet(&frontend, &vm1, 443);
    struct dp_verdict verdict;
    dp_decide(lab.forwarding, &nva1, &answer, &verdict, 1, NULL);
    cr_assert_eq(verdict.action, DP_FORWARD);
    uint32_t hubvm = program_nic_id(lab.program, base.hubvm);
    dp_decide(lab.forwarding, &hubvm, &answer, &verdict, 1, NULL);
    cr_assert_eq(verdict.reason, DP_REASON_SOURCE_CHECK, "no backend of it");

    program_backend_state(lab.program, 0, 0, false);
    program_backend_state(lab.program, 0, 1, false);
    send_flows(&lab, base.vm1, "10.0.1.100", verdicts);
    assert_reason(verdicts, DP_REASON_NO_HEALTHY_BACKEND);
    close_balanced(&lab);
}

/* A user's route to the frontend, and the peering's rules on the way to it. */
Test(balancers, a_users_route_reaches_a_frontend_over_a_peering_that_lets_it)
{
    struct base_h base;
    struct lab lab = open_balanced(&base, NULL, 0);
    uint32_t table = world_add_table(base.world, "spoke-table", true);
    world_add_route(base.world, table, "192.0.2.0/24", FABRIC_VIRTUAL_APPLIANCE, "10.0.1.100");
    base.world->subnets[base.spoke1_subnet].route_table = table;
    lab_close(&lab);
    lab_open(&lab, base.world, 0);
    struct dp_verdict verdict = lab_send(&lab, base.vm1, "10.1.0.4", "192.0.2.1", 1);
    cr_assert_eq(verdict.action, DP_FORWARD);
    cr_assert_neq(verdict.backend, 0);
    lab_close(&lab);

    base.world->peerings[0].sides[0].allow_virtual_network_access = false;
    lab_open(&lab, base.world, 0);
    verdict = lab_send(&lab, base.vm1, "10.1.0.4", "192.0.2.1", 1);
    cr_assert_eq(verdict.reason, DP_REASON_ACCESS_NOT_ALLOWED);
    lab_close(&lab);

    base.world->peerings[0].in_sync = false;
    lab_open(&lab, base.world, 0);
    verdict = lab_send(&lab, base.vm1, "10.1.0.4", "192.0.2.1", 1);
    cr_assert_eq(verdict.reason, DP_REASON_NEXT_HOP_UNREACHABLE);
    close_balanced(&lab);
}
