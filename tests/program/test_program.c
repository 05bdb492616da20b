/*
 * The program step over random fabrics and random BGP: after every change the state must be the one
 * that is made from scratch, and every packet must go where the rows say.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lpm/rcu.h"
#include "tests/fabric/random_world.h"
#include "tests/program/lab.h"
#include "tests/program/walk.h"

#define WORLDS  40
#define CHANGES 40
#define PACKETS 20

#define DOWN_MAX 8
struct down {
    struct lpm_address items[DOWN_MAX];
    size_t n;
};

static void change_bgp(struct lab *lab, struct chance *chance)
{
    unsigned changes = 1 + chance_below(chance, 4);
    for (unsigned i = 0; i < changes; i++) {
        uint32_t server;
        struct lpm_prefix prefix;
        if (random_bgp_change(lab->world, chance, &server, &prefix))
            cr_assert_eq(program_prefix_changed(lab->program, server, &prefix), 0);
    }
}

/* Some NIC's address goes down as a next hop, or one that is down comes back. */
static void change_next_hop(struct lab *lab, struct chance *chance, struct down *down)
{
    if (down->n > 0 && (down->n == DOWN_MAX || chance_one_in(chance, 2))) {
        size_t index = chance_below(chance, (unsigned)down->n);
        cr_assert_geq(program_next_hop_state(lab->program, &down->items[index], true), 0);
        down->items[index] = down->items[--down->n];
        return;
    }
    const struct fabric_nic *nic =
        &lab->world->nics[chance_below(chance, lab->world->fabric.nics_count)];
    struct lpm_address address = nic->addresses.items[chance_below(chance, 2)];
    for (size_t i = 0; i < down->n; i++)
        if (lpm_address_equal(&down->items[i], &address))
            return;
    down->items[down->n++] = address;
    cr_assert_geq(program_next_hop_state(lab->program, &address, false), 0);
}

static void send_packets(const struct lab *lab, struct chance *chance, const struct down *down,
                         uint64_t seed)
{
    for (unsigned i = 0; i < PACKETS; i++) {
        uint8_t family = chance_one_in(chance, 3) ? LPM_IPV6 : LPM_IPV4;
        uint32_t nic = chance_below(chance, lab->world->fabric.nics_count);
        struct lpm_address source =
            lab->world->nics[nic].addresses.items[family == LPM_IPV4 ? 0 : 1];
        struct lpm_address destination = random_address(lab->world, chance, family);
        if (chance_one_in(chance, 4))
            source = random_address(lab->world, chance, family);
        struct dp_packet packet = lab_packet(&source, &destination, (uint16_t)chance_next(chance));
        struct dp_decide_options options = {.skip_source_check = false};
        uint32_t sender = program_nic_id(lab->program, nic);
        struct dp_verdict verdict;
        dp_decide(lab->forwarding, &sender, &packet, &verdict, 1, &options);
        const char *wrong =
            walk_check(lab, nic, &source, &destination, down->items, down->n, &verdict);
        char from[LPM_ADDRESS_TEXT], to[LPM_ADDRESS_TEXT];
        cr_assert_str_empty(wrong, "seed %llu: %s %s -> %s: %s (reason %s)",
                            (unsigned long long)seed, lab->world->nics[nic].name,
                            lpm_address_format(&source, from), lpm_address_format(&destination, to),
                            wrong, dp_reason_name(verdict.reason));
    }
}

Test(program, changes_one_by_one_lead_where_a_fresh_start_would)
{
    uint64_t seed = chance_seed();
    struct chance chance = {seed};
    for (unsigned i = 0; i < WORLDS; i++) {
        struct lab lab;
        struct down down = {.n = 0};
        struct world *world = random_world(&chance);
        lab_open(&lab, world, 0);
        for (unsigned j = 0; j < CHANGES; j++) {
            if (chance_one_in(&chance, 4))
                change_next_hop(&lab, &chance, &down);
            else
                change_bgp(&lab, &chance);
            lab_flush(&lab);
            send_packets(&lab, &chance, &down, seed);
        }
        lab_close(&lab);
        world_destroy(world);
    }
}

Test(program, what_bgp_holds_at_the_start_is_programmed)
{
    struct chance chance = {chance_seed()};
    for (unsigned i = 0; i < WORLDS; i++) {
        struct lab lab;
        struct world *world = random_world(&chance);
        uint32_t server;
        struct lpm_prefix prefix;
        for (unsigned j = 0; j < CHANGES; j++)
            random_bgp_change(world, &chance, &server, &prefix);
        lab_open(&lab, world, 0);
        cr_assert_eq(lab_flush(&lab), 0);
        lab_close(&lab);
        world_destroy(world);
    }
}

Test(program, a_change_that_changes_nothing_touches_no_fib)
{
    struct base_h base = world_base_h();
    struct lab lab;
    lab_open(&lab, base.world, 0);
    lab_announce(&lab, base.server, "10.0.1.4", "10.0.0.0/8");
    /* Bases of hub, spoke1 and spoke2; nva2 has no route of its own here, and follows the hub's. */
    cr_assert_gt(lab_flush(&lab), 0);
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    cr_assert_eq(program_prefix_changed(lab.program, base.server, &prefix), 0);
    cr_assert_eq(lab_flush(&lab), 0);
    cr_assert_eq(lab_flush(&lab), 0);
    lab_close(&lab);
    world_destroy(base.world);
}

/* --- Running out ------------------------------------------------------------------------------ */

/* Takes every group that is left; gives them back. */
struct hog {
    uint32_t groups[512];
    size_t n;
};

static void hog_take(struct lab *lab, struct hog *hog)
{
    struct dp_group_config config = {.kind = DP_GROUP_NULL};
    hog->n = 0;
    while (dp_group_create(lab->forwarding, &config, &hog->groups[hog->n]) == 0)
        hog->n++;
}

static void hog_give(struct lab *lab, struct hog *hog)
{
    while (hog->n > 0)
        cr_assert_eq(dp_group_destroy(lab->forwarding, hog->groups[--hog->n]), 0);
    lpm_rcu_barrier();
}

/* Without a free group a flush fails half way; nothing is lost, and the next one makes up for it.
 */
Test(program, a_flush_that_fails_can_be_called_again)
{
    uint64_t seed = chance_seed();
    struct chance chance = {seed};
    unsigned failures = 0;
    for (unsigned i = 0; i < WORLDS; i++) {
        struct lab lab;
        struct hog hog;
        struct world *world = random_world(&chance);
        lab_open(&lab, world, 500);
        for (unsigned j = 0; j < CHANGES; j++) {
            hog_take(&lab, &hog);
            for (unsigned attempt = 0; attempt < 3; attempt++) {
                change_bgp(&lab, &chance);
                int changed = program_flush(lab.program);
                cr_assert(changed >= 0 || changed == -ENOSPC, "seed %llu: %d",
                          (unsigned long long)seed, changed);
                failures += changed < 0;
            }
            hog_give(&lab, &hog);
            lab_flush(&lab);
        }
        lab_close(&lab);
        world_destroy(world);
    }
    cr_assert_gt(failures, 0, "seed %llu: no flush failed", (unsigned long long)seed);
}
