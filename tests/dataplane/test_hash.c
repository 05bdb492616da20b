/*
 * The flow hash: symmetric, made of exactly the fields it is told to take, and spread like chance.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "tests/dataplane/random.h"

static void fill(struct test_random *random, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)test_random_next(random);
}

static struct dp_packet random_packet(struct test_random *random)
{
    const bool is4 = test_random_one_in(random, 2);
    struct dp_packet packet = {
        .family = is4 ? LPM_IPV4 : LPM_IPV6,
        .protocol = test_random_one_in(random, 2) ? 6 : 17,
        .has_ports = true,
        .source_port = (uint16_t)test_random_next(random),
        .destination_port = (uint16_t)test_random_next(random),
    };

    fill(random, packet.source, is4 ? 4 : 16);
    fill(random, packet.destination, is4 ? 4 : 16);
    return packet;
}

static struct dp_packet reversed(const struct dp_packet *packet)
{
    struct dp_packet reverse = *packet;

    memcpy(reverse.source, packet->destination, 16);
    memcpy(reverse.destination, packet->source, 16);
    reverse.source_port = packet->destination_port;
    reverse.destination_port = packet->source_port;
    return reverse;
}

/* What an ICMP error about packet, sent by a router on the way, looks like once parsed. */
static struct dp_packet error_about(const struct dp_packet *packet, struct test_random *random)
{
    struct dp_packet error = *packet;

    fill(random, error.source, packet->family == LPM_IPV4 ? 4 : 16);
    memcpy(error.destination, packet->source, 16);
    memcpy(error.error_peer, packet->destination, 16);
    error.protocol = packet->family == LPM_IPV4 ? 1 : 58;
    error.error_protocol = packet->protocol;
    error.icmp_error = true;
    return error;
}

Test(hash, both_directions_of_a_flow_hash_alike)
{
    struct test_random random = test_random_start();
    static const unsigned fields[] = {5, 3, 2};

    for (unsigned i = 0; i < 20000; i++) {
        struct dp_packet packet = random_packet(&random);
        struct dp_packet reverse;

        if (test_random_one_in(&random, 4))
            memcpy(packet.destination, packet.source, 16);
        if (test_random_one_in(&random, 4))
            packet.destination_port = packet.source_port;
        reverse = reversed(&packet);
        for (unsigned j = 0; j < 3; j++)
            cr_assert_eq(dp_flow_hash(&packet, fields[j], i % 3),
                         dp_flow_hash(&reverse, fields[j], i % 3), "seed %lu", random.seed);
    }
}

Test(hash, an_icmp_error_hashes_like_the_flow_it_is_about)
{
    struct test_random random = test_random_start();
    static const unsigned fields[] = {5, 3, 2};

    for (unsigned i = 0; i < 20000; i++) {
        const struct dp_packet packet = random_packet(&random);
        const struct dp_packet error = error_about(&packet, &random);

        for (unsigned j = 0; j < 3; j++)
            cr_assert_eq(dp_flow_hash(&packet, fields[j], 0), dp_flow_hash(&error, fields[j], 0),
                         "seed %lu", random.seed);
    }
}

Test(hash, takes_the_fields_that_it_is_told_and_no_others)
{
    struct test_random random = test_random_start();
    unsigned differ5 = 0, differ3 = 0;

    for (unsigned i = 0; i < 1000; i++) {
        const struct dp_packet packet = random_packet(&random);
        struct dp_packet other = packet;

        other.source_port ^= 1;
        differ5 += dp_flow_hash(&packet, 5, 0) != dp_flow_hash(&other, 5, 0);
        cr_assert_eq(dp_flow_hash(&packet, 3, 0), dp_flow_hash(&other, 3, 0));
        other.protocol ^= 1;
        differ3 += dp_flow_hash(&packet, 3, 0) != dp_flow_hash(&other, 3, 0);
        cr_assert_eq(dp_flow_hash(&packet, 2, 0), dp_flow_hash(&other, 2, 0));
        other.ttl = 9;
        other.flow_label = 77;
        other.total_length = 1234;
        cr_assert_eq(dp_flow_hash(&packet, 2, 0), dp_flow_hash(&other, 2, 0));
    }
    cr_assert_geq(differ5, 999, "seed %lu", random.seed);
    cr_assert_geq(differ3, 999, "seed %lu", random.seed);
}

/* RFC 6438: all packets of a flow have its label, whatever else of them can be read. */
Test(hash, a_flow_label_stands_for_protocol_and_ports)
{
    struct test_random random = test_random_start();

    for (unsigned i = 0; i < 20000; i++) {
        struct dp_packet packet = random_packet(&random), other, error;
        uint32_t hash;

        packet.flow_label = packet.family == LPM_IPV6 ? test_random_below(&random, 1u << 20) : 0;
        hash = dp_flow_hash(&packet, 6, i % 3);
        if (packet.flow_label == 0) {
            cr_assert_eq(hash, dp_flow_hash(&packet, 5, i % 3), "seed %lu", random.seed);
            continue;
        }
        other = packet;
        other.has_ports = false;
        other.fragment = true;
        other.protocol = 44;
        other.source_port ^= 1;
        cr_assert_eq(hash, dp_flow_hash(&other, 6, i % 3), "seed %lu", random.seed);
        error = error_about(&packet, &random);
        cr_assert_eq(hash, dp_flow_hash(&error, 6, i % 3), "seed %lu", random.seed);
        other.flow_label ^= 1u << test_random_below(&random, 20);
        cr_assert_neq(hash, dp_flow_hash(&other, 6, i % 3), "seed %lu", random.seed);
    }
}

/* Which ports a fragment carries must not matter: the first has them, the others have not. */
Test(hash, every_fragment_of_a_datagram_hashes_alike)
{
    struct test_random random = test_random_start();

    for (unsigned i = 0; i < 1000; i++) {
        struct dp_packet first = random_packet(&random);
        struct dp_packet later;

        first.fragment = true;
        first.has_ports = false;
        later = first;
        later.source_port = later.destination_port = 0;
        cr_assert_eq(dp_flow_hash(&first, 5, 0), dp_flow_hash(&later, 5, 0));
        cr_assert_eq(dp_flow_hash(&first, 5, 0), dp_flow_hash(&first, 3, 0));
    }
}

Test(hash, salts_make_independent_hashes)
{
    struct test_random random = test_random_start();
    unsigned same = 0;

    for (unsigned i = 0; i < 65536; i++) {
        const struct dp_packet packet = random_packet(&random);

        same += dp_flow_hash(&packet, 5, 1) % 8 == dp_flow_hash(&packet, 5, 2) % 8;
    }
    /* 8192 expected, deviation 85 */
    cr_assert(same > 8192 - 500 && same < 8192 + 500, "%u, seed %lu", same, random.seed);
}

/* --- Spread ----------------------------------------------------------------------------------- */

#define CELLS 4096

/* Chi-square per degree of freedom over some bits of the hash. Its deviation at 4,095 degrees is
 * 0.022, so that 0.9 to 1.1 is four deviations and a half to either side. */
struct spread {
    unsigned cells[CELLS];
    unsigned n;
};

static double chi_square(const struct spread *spread)
{
    const double expected = (double)spread->n / CELLS;
    double sum = 0;

    for (unsigned i = 0; i < CELLS; i++) {
        const double off = spread->cells[i] - expected;

        sum += off * off / expected;
    }
    return sum / (CELLS - 1);
}

enum traffic {
    ONE_CLIENT_MANY_PORTS,
    MANY_CLIENTS_ONE_PORT,
    VXLAN_SOURCE_PORTS,
    CLIENT_GRID,
    TRAFFIC_COUNT
};

static void put4(uint8_t *bytes, uint32_t address)
{
    bytes[0] = (uint8_t)(address >> 24);
    bytes[1] = (uint8_t)(address >> 16);
    bytes[2] = (uint8_t)(address >> 8);
    bytes[3] = (uint8_t)address;
}

/* Regular flows, as clients and load generators make them: where weak hashes show. In IPv6 the
 * same numbers stand in the last bytes behind a common prefix. */
static struct dp_packet regular_flow(enum traffic traffic, uint8_t family, uint32_t i)
{
    uint32_t source = 0x0a010004, destination = 0x0a020004;
    uint16_t source_port = 49152, destination_port = 443;
    struct dp_packet packet = {.family = family, .protocol = 6, .has_ports = true};
    const unsigned at = family == LPM_IPV4 ? 0 : 12;

    switch (traffic) {
    case ONE_CLIENT_MANY_PORTS:
        source_port = (uint16_t)i;
        destination += i >> 16;
        break;
    case MANY_CLIENTS_ONE_PORT:
        source += i;
        break;
    case VXLAN_SOURCE_PORTS:
        packet.protocol = 17;
        source_port = (uint16_t)(0xc000 | (i & 0x3fff));
        destination_port = 4789;
        source += i >> 14;
        break;
    default:
        source += i & 0x1ff;
        destination += i >> 9;
        break;
    }
    if (family == LPM_IPV6) {
        packet.source[0] = packet.destination[0] = 0xfd;
        packet.source[7] = packet.destination[7] = 1;
    }
    put4(packet.source + at, source);
    put4(packet.destination + at, destination);
    packet.source_port = source_port;
    packet.destination_port = destination_port;
    return packet;
}

Test(hash, regular_traffic_spreads_like_chance_over_low_and_high_bits)
{
    for (int traffic = 0; traffic < TRAFFIC_COUNT; traffic++) {
        for (unsigned is6 = 0; is6 < 2; is6++) {
            struct spread low = {.n = 0}, high = {.n = 0};

            for (uint32_t i = 0; i < 1u << 18; i++) {
                const struct dp_packet packet =
                    regular_flow((enum traffic)traffic, is6 ? LPM_IPV6 : LPM_IPV4, i);
                const uint32_t hash = dp_flow_hash(&packet, 5, 0);

                low.cells[hash % CELLS]++;
                high.cells[hash >> 20]++;
                low.n = high.n = i + 1;
            }
            cr_expect(chi_square(&low) > 0.9 && chi_square(&low) < 1.1, "traffic %d low: %f",
                      traffic, chi_square(&low));
            cr_expect(chi_square(&high) > 0.9 && chi_square(&high) < 1.1, "traffic %d high: %f",
                      traffic, chi_square(&high));
        }
    }
}

static int compare_hashes(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* 2^18 values of 32 bits collide 8 times on average; of 16 bits they could not but collide. */
Test(hash, has_its_full_32_bits_of_entropy)
{
    const uint32_t n = 1u << 18;
    uint32_t *hashes = malloc(n * sizeof(*hashes));
    unsigned collisions = 0;

    cr_assert(hashes);
    for (uint32_t i = 0; i < n; i++) {
        const struct dp_packet packet = regular_flow(VXLAN_SOURCE_PORTS, LPM_IPV4, i);

        hashes[i] = dp_flow_hash(&packet, 5, 0);
    }
    qsort(hashes, n, sizeof(*hashes), compare_hashes);
    for (uint32_t i = 1; i < n; i++)
        collisions += hashes[i] == hashes[i - 1];
    cr_assert_leq(collisions, 24);
    free(hashes);
}
