/*
 * The changes that the soak makes. See soak_state.h for their order.
 */
#include "tests/dataplane/soak_state.h"

#include <time.h>
#include <unistd.h>

#include "lpm/rcu.h"

const char *const soak_change_names[SOAK_CHANGES] = {
    "members of a group", "drain",        "route of a base", "routes of a base", "override",
    "overrides",          "another base", "FIB of a NIC",    "NIC set anew",     "group made anew"};

/* --- Names ------------------------------------------------------------------------------------ */

struct lpm_address soak_address(const char *head, unsigned number)
{
    char text[LPM_ADDRESS_TEXT];
    struct lpm_address address;

    snprintf(text, sizeof(text), "%s%u", head, number);
    MUST(lpm_address_parse(text, &address) == 0);
    return address;
}

struct lpm_prefix soak_prefix(unsigned place)
{
    struct lpm_prefix prefix;
    char text[LPM_PREFIX_TEXT];

    snprintf(text, sizeof(text), soak_is_ipv6(place) ? "2001:db8:%x::/48" : "10.9.%u.0/24", place);
    MUST(lpm_prefix_parse(text, &prefix) == 0);
    return prefix;
}

/* --- Groups ----------------------------------------------------------------------------------- */

struct dp_group_config soak_group_config(unsigned slot, uint32_t members, uint32_t draining,
                                         struct dp_member list[SOAK_APPLIANCES])
{
    struct dp_group_config config = {
        .kind = slot == NULL_SLOT ? DP_GROUP_NULL : DP_GROUP_MEMBERS,
        .members = list,
        .strict_balance = slot >= FIRST_STRICT && slot < FIRST_STICKY,
        .patience = {.sticky = soak_is_sticky(slot), .idle_ms = 20, .forced_ms = 100},
    };

    for (unsigned i = 0; i < SOAK_APPLIANCES; i++)
        if (members >> i & 1)
            list[config.member_count++] =
                (struct dp_member){.next_hop = soak_address("10.0.1.", 4 + i),
                                   .nic = FIRST_APPLIANCE + i,
                                   .weight = 1 + i % 3,
                                   .draining = draining >> i & 1};
    return config;
}

static uint32_t some_members(struct test_random *random)
{
    uint32_t members = 0;

    for (unsigned n = test_random_below(random, MEMBERS_MAX + 1); n > 0; n--)
        members |= 1u << test_random_below(random, SOAK_APPLIANCES);
    return members;
}

void soak_set_members(struct soak_state *state, unsigned index, uint32_t members, uint32_t draining)
{
    struct slot *slot = &state->slots[index];
    struct dp_member list[SOAK_APPLIANCES];
    /* The oracle knows no past. */
    struct dp_group_config config = soak_group_config(index, members, 0, list);

    config.patience.sticky = false;
    slot->members = members;
    slot->draining = draining & members;
    MUST(dp_group_replace(state->oracle, slot->oracle, &config) == 0);
    MUST(dp_group_info(state->oracle, slot->oracle, &slot->info) == 0);
    soak_note_slot(state, index);
    config = soak_group_config(index, members, slot->draining, list);
    MUST(dp_group_replace(state->forwarding, slot->group, &config) == 0);
}

static void change_members(struct soak_state *state, struct test_random *random)
{
    const unsigned slot = test_random_below(random, NULL_SLOT);

    /* One comes or goes; now and then all are others. */
    if (test_random_one_in(random, 4))
        soak_set_members(state, slot, some_members(random), 0);
    else
        soak_set_members(state, slot,
                         state->slots[slot].members ^
                             (1u << test_random_below(random, SOAK_APPLIANCES)),
                         state->slots[slot].draining);
}

static void change_draining(struct soak_state *state, struct test_random *random)
{
    const unsigned slot = test_random_below(random, NULL_SLOT);

    soak_set_members(state, slot, state->slots[slot].members,
                     test_random_one_in(random, 2) ? 0 : (uint32_t)test_random_next(random));
}

/* --- Routes ----------------------------------------------------------------------------------- */

static void set_leaf(struct lpm_change *change, const struct soak_state *state, unsigned place,
                     int leaf)
{
    *change = (struct lpm_change){.kind = leaf == INHERITED  ? LPM_INHERIT
                                          : leaf == NO_ROUTE ? LPM_REMOVE
                                                             : LPM_SET,
                                  .prefix = soak_prefix(place),
                                  .leaf = leaf < 0 ? 0 : state->slots[leaf].group};
}

/* Up to n places of one family: what one call changes comes at once for each packet. */
static void change_leaves(struct soak_state *state, struct test_random *random, unsigned fib,
                          unsigned n)
{
    const unsigned family = test_random_below(random, 2);
    const unsigned first = test_random_below(random, SOAK_PLACES / 2 - n + 1);
    struct lpm_change changes[8];

    for (unsigned i = 0; i < n; i++) {
        const unsigned place = 2 * (first + i) + family;
        int leaf = (int)test_random_below(random, SLOTS + 1);

        if (leaf == SLOTS)
            leaf = fib >= BASES && test_random_one_in(random, 2) ? INHERITED : NO_ROUTE;
        else if (fib >= BASES && test_random_one_in(random, 3))
            leaf = INHERITED;
        state->leaves[fib][place] = leaf;
        set_leaf(&changes[i], state, place, leaf);
    }
    soak_note_leaves(state);
    MUST(lpm_update(state->fibs[fib][family], changes, n) == 0);
}

static void change_base_of(struct soak_state *state, struct test_random *random)
{
    const unsigned fib = BASES + test_random_below(random, FIBS - BASES);

    state->base_of[fib] = 1 - state->base_of[fib];
    soak_note_leaves(state);
    for (unsigned family = 0; family < 2; family++)
        MUST(lpm_rebase(state->fibs[fib][family], state->fibs[state->base_of[fib]][family]) == 0);
}

/* --- NICs ------------------------------------------------------------------------------------- */

static void change_fib_of(struct soak_state *state, struct test_random *random)
{
    const unsigned sender = test_random_below(random, SOAK_SENDERS);
    const unsigned fib = test_random_below(random, FIBS);

    state->fib_of[sender] = fib;
    soak_note_fib(state, sender);
    MUST(dp_nic_set_fibs(state->forwarding, FIRST_SENDER + sender, state->fibs[fib][0],
                         state->fibs[fib][1]) == 0);
}

static void set_nic(struct soak_state *state, uint32_t nic, const struct lpm_address addresses[2],
                    uint16_t vlan, const struct lpm_fib *fib4, const struct lpm_fib *fib6)
{
    struct dp_nic_config config = {
        .name = "soaked",
        .vnet = 1,
        .addresses = addresses,
        .address_count = 2,
        .ip_forwarding = nic >= FIRST_APPLIANCE,
        .fib4 = fib4,
        .fib6 = fib6,
        .attachment = {.kind = DP_ATTACHMENT_VLAN, .port = 0, .vlan = vlan},
    };

    lab_mac(nic, config.mac);
    memcpy(config.gateway_mac, lab_gateway_mac, sizeof(config.gateway_mac));
    MUST(dp_nic_set(state->forwarding, nic, &config) == 0);
}

void soak_set_sender(struct soak_state *state, unsigned sender)
{
    const struct lpm_address addresses[2] = {soak_address("10.1.0.", 4 + sender),
                                             soak_address("fd00:1::", 4 + sender)};

    const bool steady = sender == SOAK_SENDERS;
    struct lpm_fib *const *fibs = state->fibs[steady ? 0 : state->fib_of[sender]];

    set_nic(state, FIRST_SENDER + sender, addresses, (uint16_t)(SOAK_VLAN_SENDER + sender),
            steady ? state->steady : fibs[0], steady ? NULL : fibs[1]);
}

void soak_set_appliance(struct soak_state *state, unsigned appliance)
{
    const struct lpm_address addresses[2] = {soak_address("10.0.1.", 4 + appliance),
                                             soak_address("fd00::", 4 + appliance)};

    set_nic(state, FIRST_APPLIANCE + appliance, addresses,
            (uint16_t)(SOAK_VLAN_APPLIANCE + appliance), NULL, NULL);
}

static void change_nic(struct soak_state *state, struct test_random *random)
{
    /* Nothing is altered: so nothing may be lost. */
    if (test_random_one_in(random, 2))
        soak_set_sender(state, test_random_below(random, SOAK_SENDERS + 1));
    else
        soak_set_appliance(state, test_random_below(random, SOAK_APPLIANCES));
}

/* --- A group made anew under another id ------------------------------------------------------- */

static uint32_t make_group(struct dp_forwarding *forwarding, const struct dp_group_config *config)
{
    uint32_t group;

    /* Ids that were given up may all wait for their grace period. */
    if (dp_group_create(forwarding, config, &group) < 0) {
        lpm_rcu_barrier();
        MUST(dp_group_create(forwarding, config, &group) == 0);
    }
    return group;
}

static void point_to(struct soak_state *state, unsigned slot)
{
    for (unsigned fib = 0; fib < FIBS; fib++)
        for (unsigned place = 0; place < SOAK_PLACES; place++) {
            struct lpm_change change;

            if (state->leaves[fib][place] != (int)slot)
                continue;
            set_leaf(&change, state, place, (int)slot);
            MUST(lpm_update(state->fibs[fib][soak_is_ipv6(place)], &change, 1) == 0);
        }
}

/* The same members: nothing is altered. */
static void change_group(struct soak_state *state, struct test_random *random)
{
    const unsigned index = test_random_below(random, SLOTS);
    struct slot *slot = &state->slots[index];
    struct dp_member list[SOAK_APPLIANCES];
    const struct dp_group_config config =
        soak_group_config(index, slot->members, slot->draining, list);
    const uint32_t former = slot->group;

    slot->group = make_group(state->forwarding, &config);
    point_to(state, index);
    MUST(dp_group_destroy(state->forwarding, former) == 0);
}

/* --- One change ------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void change(struct soak_state *state, struct test_random *random, unsigned kind)
{
    switch (kind) {
    case 0:
        change_members(state, random);
        break;
    case 1:
        change_draining(state, random);
        break;
    case 2:
    case 3:
        change_leaves(state, random, test_random_below(random, BASES), kind == 2 ? 1 : 8);
        break;
    case 4:
    case 5:
        change_leaves(state, random, BASES + test_random_below(random, FIBS - BASES),
                      kind == 4 ? 1 : 8);
        break;
    case 6:
        change_base_of(state, random);
        break;
    case 7:
        change_fib_of(state, random);
        break;
    case 8:
        change_nic(state, random);
        break;
    default:
        change_group(state, random);
        break;
    }
}

void soak_change(struct soak_state *state, struct test_random *random)
{
    const unsigned kind = test_random_below(random, SOAK_CHANGES);

    state->number++;
    atomic_store_explicit(&state->log[state->number % SOAK_LOG], (uint8_t)kind,
                          memory_order_relaxed);
    change(state, random, kind);
    atomic_store_explicit(&state->done, state->number, memory_order_release);
    state->tally.changes++;
    state->tally.kinds[kind]++;
    dp_groups_tick(state->forwarding, now_ms());
    lpm_rcu_poll();
    /* Also states that last longer than a packet is under way: then one outcome alone is right. */
    if (test_random_one_in(random, 8))
        usleep(test_random_below(random, 3000));
}
