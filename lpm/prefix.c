/*
 * Addresses and prefixes: text, order, containment.
 *
 * Both families live in the same 16 bytes in network order, so that comparing and masking are the
 * same few byte operations for either, and neither depends on the byte order of the machine.
 */
#include "lpm/lpm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static unsigned family_bits(uint8_t family)
{
    return family == LPM_IPV4 ? 32 : 128;
}

static int family_to_socket(uint8_t family)
{
    return family == LPM_IPV4 ? AF_INET : AF_INET6;
}

/* Compares the first length bits of two byte strings. */
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned length)
{
    unsigned whole = length / 8;
    unsigned rest = length % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* inet_pton() is strict where it matters: four decimal parts, no leading zeros, no scope. */
int lpm_address_parse(const char *text, struct lpm_address *address)
{
    struct lpm_address parsed = {.family = strchr(text, ':') ? LPM_IPV6 : LPM_IPV4};

    if (inet_pton(family_to_socket(parsed.family), text, parsed.bytes) != 1)
        return -EINVAL;
    *address = parsed;
    return 0;
}

/* "0" to "128": digits only and no leading zero, so that a prefix has one spelling. */
static int length_parse(const char *text, unsigned most, uint8_t *length)
{
    unsigned value = 0;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 3 || text[digits] != '\0' || (digits > 1 && text[0] == '0'))
        return -EINVAL;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    if (value > most)
        return -EINVAL;
    *length = (uint8_t)value;
    return 0;
}

int lpm_prefix_parse(const char *text, struct lpm_prefix *prefix)
{
    char address_text[LPM_ADDRESS_TEXT];
    struct lpm_address address;
    struct lpm_prefix parsed;
    const char *slash = strchr(text, '/');
    size_t address_length;

    if (!slash)
        return -EINVAL;
    address_length = (size_t)(slash - text);
    if (address_length >= sizeof(address_text))
        return -EINVAL;
    memcpy(address_text, text, address_length);
    address_text[address_length] = '\0';
    if (lpm_address_parse(address_text, &address) < 0)
        return -EINVAL;
    parsed = lpm_address_prefix(&address);
    if (length_parse(slash + 1, family_bits(address.family), &parsed.length) < 0)
        return -EINVAL;
    lpm_prefix_mask(&parsed);
    *prefix = parsed;
    return memcmp(parsed.bytes, address.bytes, sizeof(parsed.bytes)) == 0 ? 0 : -EDOM;
}

char *lpm_address_format(const struct lpm_address *address, char text[LPM_ADDRESS_TEXT])
{
    inet_ntop(family_to_socket(address->family), address->bytes, text, LPM_ADDRESS_TEXT);
    return text;
}

char *lpm_prefix_format(const struct lpm_prefix *prefix, char text[LPM_PREFIX_TEXT])
{
    size_t used;

    inet_ntop(family_to_socket(prefix->family), prefix->bytes, text, LPM_PREFIX_TEXT);
    used = strlen(text);
    snprintf(text + used, LPM_PREFIX_TEXT - used, "/%u", prefix->length);
    return text;
}

void lpm_prefix_mask(struct lpm_prefix *prefix)
{
    unsigned whole = prefix->length / 8;
    unsigned rest = prefix->length % 8;

    if (whole >= sizeof(prefix->bytes))
        return;
    prefix->bytes[whole] &= (uint8_t) ~(0xffu >> rest);
    memset(prefix->bytes + whole + 1, 0, sizeof(prefix->bytes) - whole - 1);
}

bool lpm_prefix_contains(const struct lpm_prefix *prefix, const struct lpm_address *address)
{
    return prefix->family == address->family &&
           bits_equal(prefix->bytes, address->bytes, prefix->length);
}

bool lpm_prefix_covers(const struct lpm_prefix *outer, const struct lpm_prefix *inner)
{
    return outer->family == inner->family && outer->length <= inner->length &&
           bits_equal(outer->bytes, inner->bytes, outer->length);
}

bool lpm_prefix_equal(const struct lpm_prefix *a, const struct lpm_prefix *b)
{
    return lpm_prefix_compare(a, b) == 0;
}

int lpm_prefix_compare(const struct lpm_prefix *a, const struct lpm_prefix *b)
{
    int by_address;

    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    by_address = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
    return by_address ? by_address : (int)a->length - (int)b->length;
}

bool lpm_address_equal(const struct lpm_address *a, const struct lpm_address *b)
{
    return lpm_address_compare(a, b) == 0;
}

int lpm_address_compare(const struct lpm_address *a, const struct lpm_address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct lpm_prefix lpm_address_prefix(const struct lpm_address *address)
{
    struct lpm_prefix prefix = {
        .family = address->family,
        .length = (uint8_t)family_bits(address->family),
    };

    memcpy(prefix.bytes, address->bytes, sizeof(prefix.bytes));
    return prefix;
}
