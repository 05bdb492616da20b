/*
 * What operators say of members: that it counts whatever sessions say, in the groups that it was said
 * of, and moves no flow of others.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/program/lab.h"

#define FLOWS 600

static struct lab lab;
static struct base_h base;
static struct lpm_address nva1, nva2;

static void start(void)
{
    base = world_base_h();
    lab_open(&lab, base.world, 0);
    nva1 = world_address("10.0.1.4");
    nva2 = world_address("10.0.1.5");
    lab_announce(&lab, base.server, "10.0.1.4", "10.0.0.0/8");
    lab_announce(&lab, base.server, "10.0.1.5", "10.0.0.0/8");
    lab_flush(&lab);
}

static void stop(void)
{
    struct world *world = lab.world;
    lab_close(&lab);
    world_destroy(world);
}

TestSuite(set_member, .init = start, .fini = stop);

static struct dp_verdict send(unsigned flow)
{
    return lab_send(&lab, base.vm1, "10.1.0.4", "10.9.0.4", (uint16_t)(1024 + flow));
}

static uint32_t group_of_flows(void)
{
    return send(0).group;
}

/* NIC that each flow goes to next; 0: dropped. */
static void send_flows(uint32_t nics[FLOWS])
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct dp_verdict verdict = send(i);
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

static int set(uint32_t group, const struct lpm_address *next_hop, enum program_member_state state)
{
    return program_set_member(lab.program, group, next_hop, state);
}

static const struct program_member *member(const struct program_group *group,
                                           const struct lpm_address *next_hop)
{
    unsigned i = 0;
    while (i < group->member_count && !lpm_address_equal(&group->members[i].next_hop, next_hop))
        i++;
    cr_assert_lt(i, group->member_count, "no such member");
    return &group->members[i];
}

Test(set_member, one_taken_out_moves_its_own_flows_only_and_takes_them_back)
{
    uint32_t id1 = program_nic_id(lab.program, base.nva1);
    uint32_t id2 = program_nic_id(lab.program, base.nva2);
    uint32_t before[FLOWS], without[FLOWS], again[FLOWS];
    send_flows(before);
    cr_assert_gt(count(before, id1), FLOWS / 4);
    cr_assert_eq(set(group_of_flows(), &nva1, PROGRAM_MEMBER_DOWN), 1);
    lab_flush(&lab);
    send_flows(without);
    cr_assert_eq(count(without, id2), FLOWS);
    cr_assert_eq(set(group_of_flows(), &nva1, PROGRAM_MEMBER_UP), 1);
    lab_flush(&lab);
    send_flows(again);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(before[i], again[i], "flow %u", i);
}

Test(set_member, sessions_and_operators_must_agree)
{
    uint32_t group = group_of_flows();
    uint32_t nics[FLOWS];
    set(group, &nva1, PROGRAM_MEMBER_DOWN);
    program_next_hop_state(lab.program, &nva1, false);
    set(group, &nva1, PROGRAM_MEMBER_UP);
    send_flows(nics);
    cr_assert_eq(count(nics, program_nic_id(lab.program, base.nva1)), 0, "no session");
    set(group, &nva1, PROGRAM_MEMBER_DOWN);
    program_next_hop_state(lab.program, &nva1, true);
    send_flows(nics);
    cr_assert_eq(count(nics, program_nic_id(lab.program, base.nva1)), 0, "set down");
    lab_flush(&lab);
    set(group, &nva1, PROGRAM_MEMBER_UP);
    send_flows(nics);
    cr_assert_gt(count(nics, program_nic_id(lab.program, base.nva1)), 0);
}

Test(set_member, who_is_behind_a_port_that_is_down_is_out_whatever_is_said)
{
    uint32_t id1 = program_nic_id(lab.program, base.nva1);
    uint32_t before[FLOWS], without[FLOWS], again[FLOWS];
    uint32_t id = group_of_flows();
    struct program_group group;
    char error[DP_ERROR_TEXT];
    struct fabric_port ports[5];
    for (unsigned i = 0; i < 5; i++)
        ports[i] = (struct fabric_port){.name = "p", .host = FABRIC_NONE};
    lab.world->fabric.ports = ports;
    lab.world->fabric.ports_count = 5;
    lab.world->nics[base.nva1].port = 3;
    send_flows(before);
    uint64_t swaps = dp_group_swaps(lab.forwarding);
    int swapped = program_port_state(lab.program, 3, false);
    cr_assert_gt(swapped, 0);
    cr_assert_eq(dp_group_swaps(lab.forwarding) - swaps, (uint64_t)swapped, "one swap a group");
    cr_assert_eq(program_port_state(lab.program, 4, false), 0, "nobody is behind it");
    send_flows(without);
    cr_assert_eq(count(without, program_nic_id(lab.program, base.nva2)), FLOWS);
    cr_assert(program_group(lab.program, id, &group));
    cr_assert(member(&group, &nva1)->cut && member(&group, &nva1)->up);
    cr_assert_not(member(&group, &nva2)->cut);
    /* A group that is made meanwhile. */
    lab_announce(&lab, base.server, "10.0.1.4", "10.8.0.0/16");
    lab_flush(&lab);
    cr_assert_eq(lab_send(&lab, base.vm1, "10.1.0.4", "10.8.0.4", 1).reason, DP_REASON_NO_MEMBER);
    program_next_hop_state(lab.program, &nva1, false);
    program_next_hop_state(lab.program, &nva1, true);
    set(id, &nva1, PROGRAM_MEMBER_UP);
    send_flows(without);
    cr_assert_eq(count(without, id1), 0, "the port is down still");
    cr_assert(program_validate(lab.program, error), "%s", error);
    cr_assert_gt(program_port_state(lab.program, 3, true), swapped);
    send_flows(again);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(before[i], again[i], "flow %u", i);
    cr_assert(program_validate(lab.program, error), "%s", error);
    cr_assert_eq(program_port_state(lab.program, 5, true), -EINVAL);
    lab.world->nics[base.nva1].port = FABRIC_NONE;
    lab.world->fabric.ports_count = 0;
}

/* Defaults of the file: 60 s without use, ten minutes at most. */
Test(set_member, one_that_drains_gets_nothing_and_loses_what_is_idle)
{
    struct program_group group;
    uint32_t id = group_of_flows();
    uint32_t before[FLOWS], after[FLOWS];
    program_tick(lab.program, 1000000);
    send_flows(before);
    cr_assert_eq(set(id, &nva1, PROGRAM_MEMBER_DRAIN), 1);
    lab_flush(&lab);
    program_tick(lab.program, 1050000);
    program_tick(lab.program, 1050100);
    send_flows(after);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(before[i], after[i], "flow %u", i);
    cr_assert(program_group(lab.program, id, &group));
    cr_assert(member(&group, &nva1)->buckets > 0 && member(&group, &nva1)->wanted == 0);
    program_tick(lab.program, 1061000);
    cr_assert_gt(program_tick(lab.program, 1061100), 0);
    send_flows(after);
    cr_assert_eq(count(after, program_nic_id(lab.program, base.nva2)), FLOWS);
    cr_assert(program_group(lab.program, id, &group));
    cr_assert_eq(member(&group, &nva1)->buckets, 0);
    set(id, &nva1, PROGRAM_MEMBER_UP);
    send_flows(after);
    for (unsigned i = 0; i < FLOWS; i++)
        cr_assert_eq(before[i], after[i], "flow %u", i);
}

Test(set_member, with_sticky_groups_one_that_comes_back_waits_for_idle_buckets)
{
    const struct program_member *found;
    struct program_group group;
    lab_close(&lab);
    base.world->fabric.ecmp.sticky = true;
    base.world->fabric.ecmp.sticky_idle_ms = 500;
    base.world->fabric.ecmp.sticky_forced_ms = 5000;
    lab_open(&lab, base.world, 0);
    program_tick(lab.program, 1000);
    lab_flush(&lab);
    uint32_t id = group_of_flows();
    set(id, &nva1, PROGRAM_MEMBER_DOWN);
    set(id, &nva1, PROGRAM_MEMBER_UP);
    cr_assert(program_group(lab.program, id, &group));
    found = member(&group, &nva1);
    cr_assert(found->buckets == 0 && found->wanted > 16384 / 3, "%u of %u", found->buckets,
              found->wanted);
    program_tick(lab.program, 1100);
    cr_assert(program_group(lab.program, id, &group));
    cr_assert_eq(member(&group, &nva1)->buckets, found->wanted, "no flow uses any");
    lab_flush(&lab);
}

Test(set_member, a_group_shows_all_its_members_and_why_some_are_out)
{
    struct program_group group;
    uint32_t id = group_of_flows();
    cr_assert(program_group(lab.program, id, &group));
    cr_assert(group.learned && group.member_count == 2 && group.bucket_count == 16384);
    cr_assert_eq(member(&group, &nva1)->nic, base.nva1);
    cr_assert_eq(member(&group, &nva1)->buckets + member(&group, &nva2)->buckets, 16384);
    cr_assert_lt(id, program_group_limit(lab.program));

    set(id, &nva1, PROGRAM_MEMBER_DOWN);
    program_next_hop_state(lab.program, &nva2, false);
    cr_assert(program_group(lab.program, id, &group));
    cr_assert_eq(group.member_count, 2);
    cr_assert(member(&group, &nva1)->up && member(&group, &nva1)->said == PROGRAM_MEMBER_DOWN);
    cr_assert(!member(&group, &nva2)->up && member(&group, &nva2)->said == PROGRAM_MEMBER_UP);
    cr_assert_eq(member(&group, &nva1)->buckets, 0);
    cr_assert_not(program_group(lab.program, 0, &group));
    cr_assert_not(program_group(lab.program, program_group_limit(lab.program), &group));
}

Test(set_member, what_is_said_of_all_groups_reaches_later_ones_too)
{
    struct lpm_address nobody = world_address("10.0.1.99");
    struct program_group group;
    cr_assert_eq(set(0, &nobody, PROGRAM_MEMBER_DOWN), 0, "kept for a group to come");
    cr_assert_geq(set(0, &nva1, PROGRAM_MEMBER_DOWN), 1);
    lab_announce(&lab, base.server, "10.0.1.4", "172.20.0.0/16");
    lab_announce(&lab, base.server, "10.0.1.5", "172.20.0.0/16");
    lab_announce(&lab, base.server, "10.0.1.4", "172.21.0.0/16");
    lab_flush(&lab);
    struct dp_verdict verdict = lab_send(&lab, base.vm1, "10.1.0.4", "172.21.0.4", 1);
    cr_assert(verdict.action == DP_DROP && verdict.reason == DP_REASON_NO_MEMBER);
    cr_assert_eq(set(verdict.group, &nva1, PROGRAM_MEMBER_UP), 1);
    cr_assert_eq(lab_send(&lab, base.vm1, "10.1.0.4", "172.21.0.4", 1).action, DP_FORWARD);
    cr_assert(program_group(lab.program, group_of_flows(), &group));
    cr_assert_eq(member(&group, &nva1)->said, PROGRAM_MEMBER_DOWN, "only the one group");

    cr_assert_geq(set(0, &nva1, PROGRAM_MEMBER_UP), 2);
    cr_assert(program_group(lab.program, group_of_flows(), &group));
    cr_assert_eq(member(&group, &nva1)->said, PROGRAM_MEMBER_UP);
    lab_flush(&lab);
}

Test(set_member, what_is_said_of_one_group_goes_with_it)
{
    uint32_t nics[FLOWS];
    set(group_of_flows(), &nva1, PROGRAM_MEMBER_DOWN);
    lab_withdraw(&lab, base.server, "10.0.1.4", "10.0.0.0/8");
    lab_withdraw(&lab, base.server, "10.0.1.5", "10.0.0.0/8");
    lab_flush(&lab);
    lab_announce(&lab, base.server, "10.0.1.4", "10.0.0.0/8");
    lab_announce(&lab, base.server, "10.0.1.5", "10.0.0.0/8");
    lab_flush(&lab);
    send_flows(nics);
    cr_assert_gt(count(nics, program_nic_id(lab.program, base.nva1)), 0);
}

Test(set_member, what_is_not_there_is_refused)
{
    struct lpm_address nobody = world_address("10.0.1.99");
    cr_assert_eq(set(group_of_flows(), &nobody, PROGRAM_MEMBER_DOWN), -ESRCH);
    cr_assert_eq(set(999, &nva1, PROGRAM_MEMBER_DOWN), -ENOENT);
    for (unsigned i = 0; i < 4096; i++) {
        nobody.bytes[2] = (uint8_t)(100 + i / 256);
        nobody.bytes[3] = (uint8_t)i;
        cr_assert_eq(set(0, &nobody, PROGRAM_MEMBER_DOWN), 0);
    }
    nobody.bytes[2] = 99;
    cr_assert_eq(set(0, &nobody, PROGRAM_MEMBER_DOWN), -ENOSPC);
    nobody.bytes[2] = 100;
    cr_assert_eq(set(0, &nobody, PROGRAM_MEMBER_UP), 0);
    nobody.bytes[2] = 99;
    cr_assert_eq(set(0, &nobody, PROGRAM_MEMBER_DOWN), 0);
}
