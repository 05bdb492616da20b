/*
 * Memory runs out: whichever allocation of a change fails, the change says -ENOMEM and the state in
 * force is what it was; once memory is back the same change succeeds.
 *
 * The linker leads calloc() and aligned_alloc() here (--wrap), so that the n-th of a change can
 * fail.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "lpm/rcu.h"

void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static unsigned countdown; /* 0: all succeed; n: the n-th from now fails */

static bool fails_now(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

/* --- A state that has one of everything ------------------------------------------------------- */

static struct lpm *lpm;
static struct lpm_fib *fib;
static struct dp_forwarding *forwarding;
static uint32_t group;

static const struct lpm_prefix space[2] = {{LPM_IPV4, 8, {10}}, {LPM_IPV6, 8, {0xfd}}};
static const struct lpm_address own[2] = {{LPM_IPV4, {10, 0, 0, 4}}, {LPM_IPV4, {10, 0, 0, 5}}};

static int set_nic(uint32_t nic, uint16_t port)
{
    const struct dp_nic_config config = {
        .name = "nic",
        .vnet = 1,
        .mac = {2, 0, 0, 0, 0, (uint8_t)nic},
        .addresses = &own[nic & 1],
        .address_count = 1,
        .ip_forwarding = true,
        .fib4 = fib,
        .attachment = {.kind = DP_ATTACHMENT_MAC, .port = port},
    };

    return dp_nic_set(forwarding, nic, &config);
}

static struct dp_group_config members(unsigned count)
{
    static struct dp_member list[8];

    for (unsigned i = 0; i < 8; i++)
        list[i] = (struct dp_member){.next_hop = {LPM_IPV4, {10, 0, 1, (uint8_t)i}}, .nic = 3};
    return (struct dp_group_config){
        .kind = DP_GROUP_MEMBERS, .members = list, .member_count = count};
}

static void start(void)
{
    const struct dp_forwarding_config config = {
        .workers = 2, .nic_capacity = 8, .vnet_capacity = 2, .group_capacity = 8, .hash_fields = 5};
    const struct dp_group_config three = members(3);
    struct lpm_route route = {.prefix = {LPM_IPV4, 0, {0}}};

    lpm = lpm_create();
    forwarding = dp_forwarding_create(&config, lpm);
    cr_assert(forwarding);
    cr_assert_eq(dp_group_create(forwarding, &three, &group), 0);
    route.leaf = group;
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, &route, 1, &fib), 0);
    cr_assert_eq(dp_vnet_set(forwarding, 1, space, 1), 0);
    cr_assert_eq(set_nic(2, 0), 0);
    cr_assert_eq(set_nic(3, 0), 0);
}

static void stop(void)
{
    dp_forwarding_destroy(forwarding);
    lpm_release(fib);
    lpm_destroy(lpm);
}

TestSuite(memory, .init = start, .fini = stop);

#define FLOWS 64

/* Where a bundle of flows goes: the state as a packet sees it. */
static void look(struct dp_verdict verdicts[FLOWS])
{
    struct dp_packet packets[FLOWS];
    uint32_t nics[FLOWS];

    for (unsigned i = 0; i < FLOWS; i++) {
        nics[i] = 2 + i % 2;
        packets[i] = (struct dp_packet){.family = LPM_IPV4, .ttl = 9, .source_port = (uint16_t)i};
        packets[i].has_ports = true;
        memcpy(packets[i].source, own[nics[i] & 1].bytes, 4);
        packets[i].destination[0] = 20;
    }
    memset(verdicts, 0, FLOWS * sizeof(*verdicts));
    dp_decide(forwarding, nics, packets, verdicts, FLOWS, NULL);
}

static void fail_each_allocation_of(int (*change)(void))
{
    struct dp_verdict before[FLOWS], after[FLOWS];
    int error = -ENOMEM;

    look(before);
    for (unsigned n = 1; error != 0; n++) {
        cr_assert_lt(n, 100);
        countdown = n;
        error = change();
        if (countdown > 0) {
            cr_assert_eq(error, 0, "nothing failed, and yet %d", error);
            countdown = 0;
            cr_expect_gt(n, 1, "the change takes no memory");
            return;
        }
        cr_assert_eq(error, -ENOMEM, "allocation %u: %d", n, error);
        look(after);
        cr_assert_eq(memcmp(before, after, sizeof(before)), 0, "allocation %u", n);
        lpm_rcu_barrier();
    }
}

/* --- Changes ---------------------------------------------------------------------------------- */

static int replace_group(void)
{
    const struct dp_group_config eight = members(8);

    return dp_group_replace(forwarding, group, &eight);
}

static int create_group(void)
{
    const struct dp_group_config seven = members(7);
    uint32_t made;

    return dp_group_create(forwarding, &seven, &made);
}

static int move_nic(void)
{
    return set_nic(3, 1);
}

static int add_nic(void)
{
    return set_nic(4, 2);
}

static int change_vnet(void)
{
    return dp_vnet_set(forwarding, 1, space, 2);
}

Test(memory, a_group_swap_that_fails_changes_nothing)
{
    fail_each_allocation_of(replace_group);
    fail_each_allocation_of(create_group);
}

Test(memory, a_nic_that_cannot_be_set_changes_nothing)
{
    fail_each_allocation_of(add_nic);
    fail_each_allocation_of(move_nic);
}

Test(memory, a_vnet_that_cannot_be_set_changes_nothing)
{
    fail_each_allocation_of(change_vnet);
}

Test(memory, a_state_that_cannot_be_made_leaves_nothing_behind)
{
    const struct dp_forwarding_config config = {
        .workers = 2, .nic_capacity = 8, .vnet_capacity = 2, .group_capacity = 8, .hash_fields = 5};
    struct dp_forwarding *made = NULL;

    for (unsigned n = 1; !made; n++) {
        countdown = n;
        errno = 0;
        made = dp_forwarding_create(&config, lpm);
        cr_assert(made || errno == ENOMEM);
        cr_assert_lt(n, 100);
    }
    countdown = 0;
    dp_forwarding_destroy(made);
}
