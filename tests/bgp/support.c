/* See support.h. */
#include "tests/bgp/support.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Random ----------------------------------------------------------------------------------- */

struct dice dice_new(const char *test)
{
    const char *text = getenv("BGP_TEST_SEED");
    struct dice dice = {text != NULL ? strtoull(text, NULL, 0) : UINT64_C(0x5eed0b9)};
    fprintf(stderr, "%s: BGP_TEST_SEED=%" PRIu64 "\n", test, dice.state);
    return dice;
}

uint64_t dice_roll(struct dice *dice)
{
    uint64_t value = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

unsigned dice_below(struct dice *dice, unsigned n)
{
    return (unsigned)(dice_roll(dice) % n);
}

/* --- Bytes ------------------------------------------------------------------------------------ */

size_t bytes_from_hex(const char *hex, uint8_t *bytes, size_t capacity)
{
    size_t n = 0;
    for (; *hex != '\0'; hex++) {
        unsigned value;
        if (*hex == ' ') {
            continue;
        }
        int read = sscanf(hex, "%2x", &value);
        assert(read == 1 && n < capacity);
        (void)read;
        bytes[n++] = (uint8_t)value;
        hex++;
    }
    return n;
}

size_t message_around(uint8_t type, const uint8_t *body, size_t n, uint8_t *bytes)
{
    memset(bytes, 0xff, 16);
    bytes[16] = (uint8_t)((n + BGP_HEADER_SIZE) >> 8);
    bytes[17] = (uint8_t)(n + BGP_HEADER_SIZE);
    bytes[18] = type;
    if (n > 0) {
        memcpy(bytes + BGP_HEADER_SIZE, body, n);
    }
    return n + BGP_HEADER_SIZE;
}

struct lpm_prefix prefix_of(const char *text)
{
    struct lpm_prefix prefix;
    int error = lpm_prefix_parse(text, &prefix);
    assert(error == 0);
    (void)error;
    return prefix;
}

struct lpm_address address_of(const char *text)
{
    struct lpm_address address;
    int error = lpm_address_parse(text, &address);
    assert(error == 0);
    (void)error;
    return address;
}

struct lpm_prefix random_prefix(struct dice *dice, enum bgp_family family)
{
    struct lpm_prefix prefix = {.family = bgp_family_info(family)->lpm_family};
    unsigned bits = bgp_family_info(family)->length_max;
    for (unsigned i = 0; i < bits / 8; i++) {
        prefix.bytes[i] = (uint8_t)dice_roll(dice);
    }
    prefix.length = (uint8_t)dice_below(dice, bits + 1);
    lpm_prefix_mask(&prefix);
    return prefix;
}

static uint32_t random_as(struct dice *dice, bool four_octet)
{
    uint32_t asn =
        four_octet && dice_below(dice, 2) ? (uint32_t)dice_roll(dice) : dice_below(dice, 65535) + 1;
    return asn == 0 || asn == BGP_AS_TRANS ? 1 : asn;
}

static void random_communities(struct dice *dice, struct bgp_attribute_builder *builder)
{
    unsigned n = dice_below(dice, 3) ? dice_below(dice, 6) : dice_below(dice, 90);
    for (unsigned i = 0; i < n; i++) {
        struct bgp_community community = {.kind = (enum bgp_community_kind)dice_below(dice, 3)};
        uint64_t value = dice_roll(dice);
        if (community.kind == BGP_LARGE_COMMUNITY) {
            community.large[0] = (uint32_t)value;
            community.large[1] = (uint32_t)(value >> 32);
            community.large[2] = dice_below(dice, 3);
        } else if (community.kind == BGP_EXTENDED_COMMUNITY) {
            community.extended = value;
        } else {
            community.standard = (uint32_t)value;
        }
        bgp_builder_add_community(builder, &community);
    }
}

void random_set(struct dice *dice, struct bgp_attribute_builder *builder, bool internal,
                bool four_octet, enum bgp_family family)
{
    uint32_t path[600];
    size_t n = dice_below(dice, 8) ? dice_below(dice, 7) : dice_below(dice, 600);
    for (size_t i = 0; i < n; i++) {
        path[i] = random_as(dice, four_octet);
    }
    struct lpm_address next_hop = {.family = bgp_family_info(family)->lpm_family};
    next_hop.bytes[0] = 32; /* unicast in both families */
    next_hop.bytes[3] = (uint8_t)dice_roll(dice);
    bgp_builder_originate(builder, (enum bgp_origin)dice_below(dice, 3));
    bgp_builder_set_as_path(builder, path, n);
    bgp_builder_set_next_hop(builder, &next_hop);
    if (internal && dice_below(dice, 2)) {
        bgp_builder_set_local_pref(builder, (uint32_t)dice_roll(dice));
    }
    if (dice_below(dice, 2)) {
        bgp_builder_set_med(builder, (uint32_t)dice_roll(dice));
    }
    random_communities(dice, builder);
}
