/*
 * Communities of the three kinds: RFC 1997 (4 octets), RFC 4360 (8) and RFC 8092 (12). A set keeps
 * each kind sorted, so a search is a bisection. Text forms and names are in the tables below.
 */
#include "engine/bgp/attribute_private.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

static const struct {
    size_t size;
    uint8_t attribute;
} kinds[] = {
    [BGP_COMMUNITY] = {4, ATTRIBUTE_COMMUNITIES},
    [BGP_EXTENDED_COMMUNITY] = {8, ATTRIBUTE_EXTENDED_COMMUNITIES},
    [BGP_LARGE_COMMUNITY] = {12, ATTRIBUTE_LARGE_COMMUNITIES},
};

static const struct {
    const char *name;
    uint32_t value;
} names[] = {
    {"graceful-shutdown", BGP_GRACEFUL_SHUTDOWN},
    {"blackhole", BGP_BLACKHOLE},
    {"no-export", BGP_NO_EXPORT},
    {"no-advertise", BGP_NO_ADVERTISE},
    {"no-export-subconfed", BGP_NO_EXPORT_SUBCONFED},
};

/* Sub-types of extended communities that have a text form (RFC 4360 sections 4 and 5). Route origin is
 * the site of origin of many command lines: "soo" is read, and the first name is written. */
static const struct {
    const char *name;
    uint8_t subtype;
} extended_names[] = {{"rt", 0x02}, {"ro", 0x03}, {"soo", 0x03}};

/* Types: what the six octets of value mean. */
enum { EXTENDED_AS2 = 0x00, EXTENDED_AS4 = 0x02 };

size_t community_size(enum bgp_community_kind kind)
{
    return kinds[kind].size;
}

uint8_t community_attribute(enum bgp_community_kind kind)
{
    return kinds[kind].attribute;
}

bool community_kind(uint8_t attribute, enum bgp_community_kind *kind)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].attribute == attribute) {
            *kind = (enum bgp_community_kind)i;
            return true;
        }
    }
    return false;
}

/* Everything inside the room works on values in network order; this is the way in ... */
void community_store(const struct bgp_community *community, uint8_t *bytes)
{
    switch (community->kind) {
    case BGP_COMMUNITY:
        bytes_put32(bytes, community->standard);
        break;
    case BGP_EXTENDED_COMMUNITY:
        bytes_put64(bytes, community->extended);
        break;
    case BGP_LARGE_COMMUNITY:
        for (unsigned i = 0; i < 3; i++) {
            bytes_put32(bytes + (size_t)i * 4, community->large[i]);
        }
        break;
    }
}

/* ... and this the way out. */
struct bgp_community community_load(enum bgp_community_kind kind, const uint8_t *bytes)
{
    struct bgp_community community = {.kind = kind};
    switch (kind) {
    case BGP_COMMUNITY:
        community.standard = bytes_get32(bytes);
        break;
    case BGP_EXTENDED_COMMUNITY:
        community.extended = bytes_get64(bytes);
        break;
    case BGP_LARGE_COMMUNITY:
        for (unsigned i = 0; i < 3; i++) {
            community.large[i] = bytes_get32(bytes + (size_t)i * 4);
        }
        break;
    }
    return community;
}

/* --- Questions to a set ----------------------------------------------------------------------- */

static const struct bgp_span *span_of(const struct bgp_attributes *attributes,
                                      enum bgp_community_kind kind)
{
    switch (kind) {
    case BGP_EXTENDED_COMMUNITY:
        return &attributes->extended_communities;
    case BGP_LARGE_COMMUNITY:
        return &attributes->large_communities;
    default:
        return &attributes->communities;
    }
}

unsigned bgp_community_count(const struct bgp_attributes *attributes, enum bgp_community_kind kind)
{
    return (unsigned)(span_of(attributes, kind)->length / kinds[kind].size);
}

struct bgp_community bgp_community_at(const struct bgp_attributes *attributes,
                                      enum bgp_community_kind kind, unsigned index)
{
    size_t offset = span_of(attributes, kind)->offset + index * kinds[kind].size;
    return community_load(kind, attributes->bytes + offset);
}

/* Policies ask this for every route, and some sets carry hundreds of communities. */
bool bgp_attributes_has_community(const struct bgp_attributes *attributes,
                                  const struct bgp_community *community)
{
    uint8_t wanted[12];
    community_store(community, wanted);
    size_t size = kinds[community->kind].size;
    const uint8_t *first = attributes->bytes + span_of(attributes, community->kind)->offset;
    unsigned low = 0, high = bgp_community_count(attributes, community->kind);
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = memcmp(first + middle * size, wanted, size);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool bgp_attributes_has_standard(const struct bgp_attributes *attributes, uint32_t community)
{
    struct bgp_community wanted = {.kind = BGP_COMMUNITY, .standard = community};
    return bgp_attributes_has_community(attributes, &wanted);
}

/* --- Text ------------------------------------------------------------------------------------- */

static void format_standard(uint32_t value, char text[BGP_COMMUNITY_TEXT])
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].value == value) {
            snprintf(text, BGP_COMMUNITY_TEXT, "%s", names[i].name);
            return;
        }
    }
    snprintf(text, BGP_COMMUNITY_TEXT, "%u:%u", value >> 16, value & 0xffff);
}

/* A link bandwidth (draft-ietf-idr-link-bandwidth) with a whole number of bytes a second. */
static bool format_bandwidth(uint64_t value, char text[BGP_COMMUNITY_TEXT])
{
    uint32_t bits = (uint32_t)value;
    float bandwidth;
    memcpy(&bandwidth, &bits, sizeof bandwidth);
    if (value >> 48 != (EXTENDED_NOT_TRANSITIVE << 8 | EXTENDED_LINK_BANDWIDTH) ||
        !(bandwidth >= 0 && bandwidth < 4294967296.0f) || bandwidth != (float)(uint32_t)bandwidth ||
        (bits & 0x80000000u)) {
        return false;
    }
    snprintf(text, BGP_COMMUNITY_TEXT, "lb:%u:%u", (unsigned)(value >> 32 & 0xffff),
             (unsigned)bandwidth);
    return true;
}

/* Of the many types only those that people write by hand have names. The rest is shown as a
 * number, which parses back to the same value. */
static void format_extended(uint64_t value, char text[BGP_COMMUNITY_TEXT])
{
    uint8_t type = (uint8_t)(value >> 56), subtype = (uint8_t)(value >> 48);
    if (format_bandwidth(value, text)) {
        return;
    }
    for (unsigned i = 0; i < sizeof extended_names / sizeof extended_names[0]; i++) {
        if (extended_names[i].subtype != subtype) {
            continue;
        }
        if (type == EXTENDED_AS2) {
            snprintf(text, BGP_COMMUNITY_TEXT, "%s:%u:%u", extended_names[i].name,
                     (unsigned)(value >> 32 & 0xffff), (unsigned)(value & 0xffffffff));
            return;
        }
        /* An AS that fits in two octets would read as the other type. */
        if (type == EXTENDED_AS4 && (value >> 16 & 0xffffffff) > UINT16_MAX) {
            snprintf(text, BGP_COMMUNITY_TEXT, "%s:%u:%u", extended_names[i].name,
                     (unsigned)(value >> 16 & 0xffffffff), (unsigned)(value & 0xffff));
            return;
        }
    }
    snprintf(text, BGP_COMMUNITY_TEXT, "0x%016" PRIx64, value);
}

char *bgp_community_format(const struct bgp_community *community, char text[BGP_COMMUNITY_TEXT])
{
    switch (community->kind) {
    case BGP_COMMUNITY:
        format_standard(community->standard, text);
        break;
    case BGP_EXTENDED_COMMUNITY:
        format_extended(community->extended, text);
        break;
    case BGP_LARGE_COMMUNITY:
        snprintf(text, BGP_COMMUNITY_TEXT, "%u:%u:%u", community->large[0], community->large[1],
                 community->large[2]);
        break;
    }
    return text;
}

/* Reads up to 3 decimal numbers with colons between; returns how many, 0 when it is anything
 * else. */
static unsigned parse_numbers(const char *text, uint32_t numbers[3])
{
    for (unsigned n = 0; n < 3; n++) {
        uint64_t value = 0;
        if (!isdigit((unsigned char)*text)) {
            return 0;
        }
        for (; isdigit((unsigned char)*text); text++) {
            value = value * 10 + (uint64_t)(*text - '0');
            if (value > UINT32_MAX) {
                return 0;
            }
        }
        numbers[n] = (uint32_t)value;
        if (*text == '\0') {
            return n + 1;
        }
        if (*text++ != ':') {
            return 0;
        }
    }
    return 0;
}

/* "no-export", also in capitals and with underscores. */
static bool parse_name(const char *text, uint32_t *value)
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = names[i].name, *at = text;
        for (; *at != '\0' && *name != '\0'; at++, name++) {
            if ((*at == '_' ? '-' : tolower((unsigned char)*at)) != *name) {
                break;
            }
        }
        if (*at == '\0' && *name == '\0') {
            *value = names[i].value;
            return true;
        }
    }
    return false;
}

static int parse_hexadecimal(const char *text, uint64_t *value)
{
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 16 || text[digits] != '\0') {
        return -EINVAL;
    }
    *value = strtoull(text, NULL, 16);
    return 0;
}

/* The size of the AS decides the type, as in every router's command line; the local part then has
 * the octets that are left. */
static int parse_extended(const char *text, uint8_t subtype, uint64_t *value)
{
    uint32_t numbers[3];
    if (parse_numbers(text, numbers) != 2) {
        return -EINVAL;
    }
    if (numbers[0] <= UINT16_MAX) {
        *value = (uint64_t)EXTENDED_AS2 << 56 | (uint64_t)subtype << 48 |
                 (uint64_t)numbers[0] << 32 | numbers[1];
        return 0;
    }
    if (numbers[1] > UINT16_MAX) {
        return -EINVAL;
    }
    *value = (uint64_t)EXTENDED_AS4 << 56 | (uint64_t)subtype << 48 | (uint64_t)numbers[0] << 16 |
             numbers[1];
    return 0;
}

/* The float keeps 24 bits: text and value agree for what a bandwidth is written with. */
static int parse_bandwidth(const char *text, uint64_t *value)
{
    uint32_t numbers[3], bits;
    if (parse_numbers(text, numbers) != 2 || numbers[0] > UINT16_MAX) {
        return -EINVAL;
    }
    float bandwidth = (float)numbers[1];
    memcpy(&bits, &bandwidth, sizeof bits);
    *value = (uint64_t)(EXTENDED_NOT_TRANSITIVE << 8 | EXTENDED_LINK_BANDWIDTH) << 48 |
             (uint64_t)numbers[0] << 32 | bits;
    return 0;
}

static int parse_plain(const char *text, struct bgp_community *community)
{
    uint32_t numbers[3];
    switch (parse_numbers(text, numbers)) {
    case 2:
        if (numbers[0] > UINT16_MAX || numbers[1] > UINT16_MAX) {
            return -EINVAL;
        }
        community->kind = BGP_COMMUNITY;
        community->standard = numbers[0] << 16 | numbers[1];
        return 0;
    case 3:
        community->kind = BGP_LARGE_COMMUNITY;
        memcpy(community->large, numbers, sizeof numbers);
        return 0;
    default:
        return -EINVAL;
    }
}

/* *community is written only when all of the text made sense. */
int bgp_community_parse(const char *text, struct bgp_community *community)
{
    struct bgp_community parsed = {.kind = BGP_EXTENDED_COMMUNITY};
    int error = -EINVAL;
    if (parse_name(text, &parsed.standard)) {
        parsed.kind = BGP_COMMUNITY;
        error = 0;
    } else if (text[0] == '0' && text[1] == 'x') {
        error = parse_hexadecimal(text + 2, &parsed.extended);
    } else if (strncmp(text, "lb:", 3) == 0) {
        error = parse_bandwidth(text + 3, &parsed.extended);
    } else if (isdigit((unsigned char)text[0])) {
        error = parse_plain(text, &parsed);
    } else {
        for (unsigned i = 0; i < sizeof extended_names / sizeof extended_names[0]; i++) {
            size_t length = strlen(extended_names[i].name);
            if (strncmp(text, extended_names[i].name, length) == 0 && text[length] == ':') {
                error =
                    parse_extended(text + length + 1, extended_names[i].subtype, &parsed.extended);
            }
        }
    }
    if (error == 0) {
        *community = parsed;
    }
    return error;
}
