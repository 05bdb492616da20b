/*
 * Fuzzing the way in: any bytes as a packet, parsed and decided over a small fixed state.
 *
 * Input: one byte that picks the EtherType, the sending NIC and whether an IPv4 checksum is put
 * right first (or little would pass it), one that says how much of the packet was captured, then
 * the packet. What must hold: the parser stays within its bytes and its own promises, the verdict
 * is one of the closed set, both directions of a flow hash alike.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/forwarding.h"
#include "tests/must.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lpm *lpm;
static struct lpm_fib *fib4, *fib6;
static struct dp_forwarding *forwarding;

static struct lpm_prefix prefix(const char *text)
{
    struct lpm_prefix parsed;

    MUST(lpm_prefix_parse(text, &parsed) == 0);
    return parsed;
}

static struct lpm_address address(const char *text)
{
    struct lpm_address parsed;

    MUST(lpm_address_parse(text, &parsed) == 0);
    return parsed;
}

static void add_nic(uint32_t nic, const char *own4, const char *own6, bool ip_forwarding)
{
    const struct lpm_address own[] = {address(own4), address(own6)};
    const struct lpm_prefix subnets[] = {prefix("10.1.0.0/24"), prefix("fd00:1::/64")};
    const struct dp_vnet_address map[] = {{own[0], nic}, {own[1], nic}};
    const struct dp_nic_config config = {
        .name = "fuzzed",
        .vnet = 1,
        .gateway_mac = {0x12, 0, 0, 0, 0, 1},
        .addresses = own,
        .address_count = 2,
        .subnet = subnets,
        .subnet_count = 2,
        .ip_forwarding = ip_forwarding,
        .fib4 = fib4,
        .fib6 = fib6,
    };

    MUST(dp_nic_set(forwarding, nic, &config) == 0);
    MUST(dp_vnet_set_addresses(forwarding, 1, map, 2) == 0);
}

static uint32_t add_groups(uint32_t *ecmp, uint32_t *internet)
{
    const struct dp_member members[] = {{.next_hop = address("10.1.0.4"), .nic = 2},
                                        {.next_hop = address("10.1.0.5"), .nic = 3},
                                        {.next_hop = address("fd00:1::9"), .nic = 0}};
    const struct dp_group_config vnet_config = {
        .kind = DP_GROUP_VNET, .vnet = 1, .peering = DP_PEERING_NO_FORWARDED};
    const struct dp_group_config ecmp_config = {
        .kind = DP_GROUP_MEMBERS, .members = members, .member_count = 3};
    const struct dp_group_config internet_config = {.kind = DP_GROUP_INTERNET};
    uint32_t vnet;

    MUST(dp_group_create(forwarding, &vnet_config, &vnet) == 0);
    MUST(dp_group_create(forwarding, &ecmp_config, ecmp) == 0);
    MUST(dp_group_create(forwarding, &internet_config, internet) == 0);
    return vnet;
}

static void set_up(void)
{
    const struct dp_forwarding_config config = {.workers = 1,
                                                .nic_capacity = 4,
                                                .vnet_capacity = 1,
                                                .group_capacity = 4,
                                                .decrement_ttl = true,
                                                .hash_fields = 5 | DP_HASH_INNER};
    const struct lpm_prefix space[] = {prefix("10.1.0.0/16"), prefix("fd00:1::/48")};
    struct lpm_route routes4[] = {{.prefix = prefix("10.1.0.0/16")},
                                  {.prefix = prefix("10.0.0.0/8")},
                                  {.prefix = prefix("0.0.0.0/0")}};
    struct lpm_route routes6[] = {{.prefix = prefix("fd00:1::/48")}, {.prefix = prefix("::/0")}};

    lpm = lpm_create();
    MUST(lpm);
    forwarding = dp_forwarding_create(&config, lpm);
    MUST(forwarding);
    routes4[0].leaf = routes6[0].leaf = add_groups(&routes4[1].leaf, &routes4[2].leaf);
    routes6[1].leaf = routes4[1].leaf;
    MUST(lpm_base_create(lpm, LPM_IPV4, routes4, 3, &fib4) == 0);
    MUST(lpm_base_create(lpm, LPM_IPV6, routes6, 2, &fib6) == 0);
    MUST(dp_vnet_set(forwarding, 1, space, 2) == 0);
    add_nic(1, "192.0.2.1", "2001:db8::1", true);
    add_nic(2, "10.1.0.4", "fd00:1::4", true);
    add_nic(3, "10.1.0.5", "fd00:1::5", false);
}

/* So that what is left at the end is a leak. */
static void tear_down(void)
{
    dp_forwarding_destroy(forwarding);
    lpm_release(fib4);
    lpm_release(fib6);
    lpm_destroy(lpm);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    set_up();
    return atexit(tear_down);
}

static void check_packet(const struct dp_packet *packet, size_t captured, size_t wire)
{
    struct dp_packet reverse = *packet;

    MUST(packet->family == LPM_IPV4 || packet->family == LPM_IPV6);
    MUST(packet->header_length <= captured);
    MUST(packet->header_length <= packet->total_length);
    MUST(packet->total_length <= wire);
    MUST(!packet->fragment || !packet->has_ports);
    if (packet->icmp_error)
        return;
    memcpy(reverse.source, packet->destination, 16);
    memcpy(reverse.destination, packet->source, 16);
    reverse.source_port = packet->destination_port;
    reverse.destination_port = packet->source_port;
    memcpy(reverse.inner.source, packet->inner.destination, 16);
    memcpy(reverse.inner.destination, packet->inner.source, 16);
    reverse.inner.source_port = packet->inner.destination_port;
    reverse.inner.destination_port = packet->inner.source_port;
    for (unsigned fields = 2; fields <= (5 | DP_HASH_INNER); fields++)
        MUST(dp_flow_hash(packet, fields, 0) == dp_flow_hash(&reverse, fields, 0));
}

static void check_verdict(const struct dp_verdict *verdict, uint32_t sender)
{
    struct lpm_address next_hop;

    switch (verdict->action) {
    case DP_FORWARD:
        MUST(verdict->nic >= 1 && verdict->nic <= 3);
        MUST(verdict->self_loop == (verdict->nic == sender));
        break;
    case DP_ANSWER:
        break;
    default:
        MUST(verdict->action == DP_DROP);
        MUST(verdict->reason < DP_REASON_COUNT);
        break;
    }
    MUST(verdict->next_hop == 0 || dp_next_hop_address(forwarding, verdict->next_hop, &next_hop));
}

static void put_checksum_right(uint8_t *bytes, size_t n)
{
    const size_t header = n > 0 ? (size_t)(bytes[0] & 15) * 4 : 0;
    uint32_t sum = 0;

    if (header < 20 || header > n)
        return;
    bytes[10] = bytes[11] = 0;
    for (size_t i = 0; i < header; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    bytes[10] = (uint8_t)(~sum >> 8);
    bytes[11] = (uint8_t)~sum;
}

static void parse_and_decide(const uint8_t *bytes, size_t captured, size_t wire, uint16_t ethertype,
                             uint32_t nic)
{
    enum dp_reason reason = DP_REASON_COUNT;
    struct dp_packet packet;
    struct dp_verdict verdict;

    if (!dp_packet_parse_wire(bytes, captured, wire, ethertype, &packet, &reason)) {
        MUST(reason < DP_REASON_COUNT);
        return;
    }
    check_packet(&packet, captured, wire);
    dp_decide(forwarding, &nic, &packet, &verdict, 1, NULL);
    check_verdict(&verdict, nic);
}

/* The packet is copied to a block of just its size, for AddressSanitizer to see its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint16_t ethertypes[] = {DP_ETHERTYPE_IPV4, DP_ETHERTYPE_IPV6};
    size_t captured;
    uint8_t *bytes;

    if (size < 3)
        return 0;
    captured = (size - 2) * (data[1] + 1u) / 256;
    bytes = malloc(captured ? captured : 1);
    MUST(bytes);
    memcpy(bytes, data + 2, captured);
    if (data[0] & 0x10)
        put_checksum_right(bytes, captured);
    parse_and_decide(bytes, captured, size - 2, ethertypes[data[0] & 1], data[0] >> 1 & 7);
    free(bytes);
    return 0;
}
