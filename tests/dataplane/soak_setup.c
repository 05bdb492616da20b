/*
 * The soak's state before the first change, and its end.
 */
#include "tests/dataplane/soak_state.h"

#include "lpm/rcu.h"

#define PORT_FIRST 20000u

void soak_frame(unsigned flow, struct frame *frame)
{
    const unsigned sender = flow / (SOAK_PLACES * SOAK_PORTS),
                   place = flow / SOAK_PORTS % SOAK_PLACES;
    const uint16_t port = (uint16_t)(PORT_FIRST + flow % SOAK_PORTS);
    char source[LPM_ADDRESS_TEXT], destination[LPM_ADDRESS_TEXT];

    snprintf(source, sizeof(source), soak_is_ipv6(place) ? "fd00:1::%u" : "10.1.0.%u", 4 + sender);
    snprintf(destination, sizeof(destination), soak_is_ipv6(place) ? "2001:db8:%x::1" : "10.9.%u.1",
             place);
    if (soak_is_ipv6(place))
        frame_udp6(frame, source, destination, port, SOAK_PAYLOAD);
    else
        frame_udp4(frame, source, destination, port, SOAK_PAYLOAD);
    frame_tag(frame, 0x8100, (uint16_t)(SOAK_VLAN_SENDER + sender));
}

void soak_appliance_mac(unsigned appliance, uint8_t mac[6])
{
    lab_mac(FIRST_APPLIANCE + appliance, mac);
}

/* Every group of two members or more has as many buckets, so a flow has one bucket for good. */
static unsigned bucket_of(const struct soak_state *state, unsigned flow)
{
    static struct frame frame;
    const uint32_t nic = FIRST_SENDER + flow / (SOAK_PLACES * SOAK_PORTS);
    const bool ipv6 = soak_is_ipv6(flow / SOAK_PORTS % SOAK_PLACES);
    struct dp_packet packet;
    struct dp_verdict verdict;
    enum dp_reason reason;

    soak_frame(flow, &frame);
    MUST(dp_packet_parse(frame.bytes + 18, frame.captured - 18, ipv6 ? 0x86dd : 0x0800, &packet,
                         &reason));
    dp_decide(state->forwarding, &nic, &packet, &verdict, 1, NULL);
    MUST(verdict.action == DP_FORWARD);
    return verdict.bucket;
}

static void make_slot(struct soak_state *state, unsigned index)
{
    struct dp_member list[SOAK_APPLIANCES];
    struct dp_group_config config = soak_group_config(index, 3, 0, list);
    struct slot *slot = &state->slots[index];

    slot->members = index == NULL_SLOT ? 0 : 3;
    MUST(dp_group_create(state->forwarding, &config, &slot->group) == 0);
    config.patience.sticky = false;
    MUST(dp_group_create(state->oracle, &config, &slot->oracle) == 0);
    MUST(dp_group_info(state->oracle, slot->oracle, &slot->info) == 0);
}

/* All to one group; derived FIBs as their bases. */
static void make_fibs(struct soak_state *state)
{
    struct lpm_route routes[2][SOAK_PLACES / 2];

    for (unsigned place = 0; place < SOAK_PLACES; place++)
        routes[soak_is_ipv6(place)][place / 2] =
            (struct lpm_route){.prefix = soak_prefix(place), .leaf = state->slots[0].group};
    for (unsigned family = 0; family < 2; family++) {
        for (unsigned fib = 0; fib < BASES; fib++)
            MUST(lpm_base_create(state->lpm, family ? LPM_IPV6 : LPM_IPV4, routes[family],
                                 SOAK_PLACES / 2, &state->fibs[fib][family]) == 0);
        for (unsigned fib = BASES; fib < FIBS; fib++)
            MUST(lpm_derive(state->fibs[0][family], NULL, 0, &state->fibs[fib][family]) == 0);
    }
    for (unsigned fib = BASES; fib < FIBS; fib++)
        for (unsigned place = 0; place < SOAK_PLACES; place++)
            state->leaves[fib][place] = INHERITED;
}

static void make_steady(struct soak_state *state)
{
    struct dp_member list[SOAK_APPLIANCES];
    const struct dp_group_config config = soak_group_config(0, 1, 0, list);
    struct lpm_route route = {.prefix = soak_prefix(0)};

    MUST(dp_group_create(state->forwarding, &config, &route.leaf) == 0);
    MUST(lpm_base_create(state->lpm, LPM_IPV4, &route, 1, &state->steady) == 0);
}

/* The notes of change 1: what is right now. */
static void begin_notes(struct soak_state *state)
{
    lpm_rcu_register_thread();
    for (unsigned i = 0; i < SOAK_FLOWS; i++)
        state->bucket_of[i] = bucket_of(state, i);
    lpm_rcu_unregister_thread();
    state->number = 1;
    atomic_store(&state->released, 1);
    for (unsigned i = 0; i < SLOTS; i++)
        soak_note_slot(state, i);
    soak_note_leaves(state);
    for (unsigned i = 0; i < SOAK_SENDERS; i++)
        soak_note_fib(state, i);
    atomic_store(&state->done, 1);
}

struct soak_state *soak_state_create(struct lpm *lpm)
{
    const struct dp_forwarding_config config = {
        .workers = 1,
        .nic_capacity = FIRST_APPLIANCE + SOAK_APPLIANCES,
        .vnet_capacity = 1,
        .group_capacity = 64,
        .decrement_ttl = true,
        .hash_fields = 5,
        .silent_drops = true, /* nothing comes out but what went in */
    };
    struct soak_state *state = calloc(1, sizeof(*state));

    MUST(state);
    state->lpm = lpm;
    state->outcomes_noted = calloc(SLOTS, sizeof(*state->outcomes_noted));
    state->forwarding = dp_forwarding_create(&config, lpm);
    state->oracle = dp_forwarding_create(&config, lpm);
    MUST(state->outcomes_noted && state->forwarding && state->oracle);
    MUST(dp_vnet_set(state->forwarding, 1, NULL, 0) == 0);
    for (unsigned i = 0; i < SLOTS; i++)
        make_slot(state, i);
    make_fibs(state);
    make_steady(state);
    for (unsigned i = 0; i < SOAK_APPLIANCES; i++)
        soak_set_appliance(state, i);
    for (unsigned i = 0; i <= SOAK_SENDERS; i++)
        soak_set_sender(state, i);
    begin_notes(state);
    return state;
}

void soak_state_destroy(struct soak_state *state)
{
    dp_forwarding_destroy(state->forwarding);
    dp_forwarding_destroy(state->oracle);
    for (unsigned fib = FIBS; fib-- > 0;)
        for (unsigned family = 0; family < 2; family++)
            lpm_release(state->fibs[fib][family]);
    lpm_release(state->steady);
    free(state->outcomes_noted);
    free(state);
}

const char *soak_change_name(const struct soak_state *state, uint64_t number)
{
    return soak_change_names[atomic_load_explicit(&state->log[number % SOAK_LOG],
                                                  memory_order_relaxed)];
}

const struct soak_tally *soak_tally(const struct soak_state *state)
{
    return &state->tally;
}

struct dp_forwarding *soak_forwarding(const struct soak_state *state)
{
    return state->forwarding;
}
