/*
 * The attributes of a table's entry, read by way of the UPDATE that would carry them: one reader
 * knows what is well-formed (RFC 7606), and a table gets no further than a peer would.
 *
 * AS numbers have 4 octets always. MP_REACH_NLRI holds the next hop alone, its length before it
 * (RFC 6396 4.3.4); writers that leave it whole are known, and told by their first octet, the upper
 * one of an AFI, being 0.
 */
#include "engine/bgp/mrt.h"

#include <errno.h>

#include "engine/bgp/attribute_private.h"
#include "engine/bgp/message_private.h"

struct mrt_attribute_reader {
    struct bgp_update_reader *update;
    size_t size;       /* of message so far */
    bool has_mp;       /* the next hop stands in MP_REACH_NLRI */
    bool has_next_hop; /* in either attribute */
    bool no_next_hop;  /* there was none, or it was unspecified: a stand-in took its place */
    struct bgp_attribute_builder *builder;
    uint8_t message[BGP_EXTENDED_MESSAGE_MAX];
};

enum { FIELDS = BGP_HEADER_SIZE, ATTRIBUTES = FIELDS + 4 };

struct mrt_attribute_reader *mrt_attribute_reader_create(void)
{
    struct mrt_attribute_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return NULL;
    reader->update = bgp_update_reader_create();
    reader->builder = bgp_builder_create();
    if (reader->update != NULL && reader->builder != NULL)
        return reader;
    mrt_attribute_reader_destroy(reader);
    errno = ENOMEM;
    return NULL;
}

void mrt_attribute_reader_destroy(struct mrt_attribute_reader *reader)
{
    if (reader == NULL)
        return;
    bgp_update_reader_destroy(reader->update);
    bgp_builder_destroy(reader->builder);
    free(reader);
}

static uint8_t *append(struct mrt_attribute_reader *reader, const uint8_t *bytes, size_t n)
{
    if (sizeof(reader->message) - reader->size < n)
        return NULL;
    uint8_t *at = reader->message + reader->size;
    if (bytes != NULL)
        memcpy(at, bytes, n);
    reader->size += n;
    return at;
}

/* An UPDATE must have a next hop that a host can have, so an unspecified one is played by the first
 * address of TEST-NET-1 or 2001:db8::/32 while the UPDATE is read. */
static void stand_in(struct mrt_attribute_reader *reader, uint8_t *next_hop, size_t size)
{
    static const uint8_t zero[16], ipv4[] = {192, 0, 2, 1},
                                   ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    if ((size != 4 && size != 16) || memcmp(next_hop, zero, size) != 0)
        return;
    memcpy(next_hop, size == 4 ? ipv4 : ipv6, size);
    reader->no_next_hop = true;
}

/* The next hop's octets in the value of an MP_REACH_NLRI of either form. */
static bool find_next_hop(const uint8_t *value, size_t length, const uint8_t **next_hop,
                          uint8_t *size)
{
    size_t skipped = length > 0 && value[0] == 0 ? 3 : 0; /* AFI, SAFI */
    if (length <= skipped)
        return false;
    *size = value[skipped];
    *next_hop = value + skipped + 1;
    return length - skipped - 1 >= *size;
}

/* Writes MP_REACH_NLRI as a message has it, for the default route. */
static int append_mp_reach(struct mrt_attribute_reader *reader, enum bgp_family family,
                           const uint8_t *value, size_t length)
{
    const uint8_t *next_hop;
    uint8_t size;
    if (reader->has_mp || !find_next_hop(value, length, &next_hop, &size))
        return -EBADMSG;
    size_t whole = 3u + 1u + size + 1u + 1u; /* reserved octet, prefix 0/0 */
    uint8_t *at = append(reader, NULL, attribute_header_size(whole) + whole);
    if (at == NULL)
        return -EMSGSIZE;
    at = attribute_header_put(at, ATTRIBUTE_OPTIONAL, ATTRIBUTE_MP_REACH, whole);
    bytes_put16(at, bgp_family_info(family)->afi);
    at[2] = bgp_family_info(family)->safi;
    at[3] = size;
    memcpy(at + 4, next_hop, size);
    stand_in(reader, at + 4, size);
    memset(at + 4 + size, 0, 2);
    reader->has_mp = reader->has_next_hop = true;
    return 0;
}

/* The Optional and Transitive bits of an attribute of this type; those given, of one that we do not
 * know. BIRD dumps attributes that its own filters set without any. */
static uint8_t flags_of(uint8_t type, uint8_t given)
{
    switch (type) {
    case ATTRIBUTE_ORIGIN:
    case ATTRIBUTE_AS_PATH:
    case ATTRIBUTE_NEXT_HOP:
    case ATTRIBUTE_LOCAL_PREF:
    case ATTRIBUTE_ATOMIC_AGGREGATE:
        return ATTRIBUTE_TRANSITIVE | (given & ATTRIBUTE_EXTENDED);
    case ATTRIBUTE_MED:
    case ATTRIBUTE_ORIGINATOR_ID:
    case ATTRIBUTE_CLUSTER_LIST:
        return ATTRIBUTE_OPTIONAL | (given & ATTRIBUTE_EXTENDED);
    case ATTRIBUTE_AGGREGATOR:
    case ATTRIBUTE_COMMUNITIES:
    case ATTRIBUTE_EXTENDED_COMMUNITIES:
    case ATTRIBUTE_LARGE_COMMUNITIES:
        return ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE |
               (given & (ATTRIBUTE_EXTENDED | ATTRIBUTE_PARTIAL));
    default:
        return given;
    }
}

/* Takes one attribute over. MP_UNREACH_NLRI has no meaning in a table. */
static int append_attribute(struct mrt_attribute_reader *reader, enum bgp_family family,
                            struct bytes_reader *attributes)
{
    const uint8_t *start = attributes->at, *header = bytes_take(attributes, 2), *value;
    uint16_t length = 0;
    uint8_t narrow = 0;
    if (header == NULL)
        return -EBADMSG;
    bool known = header[0] & ATTRIBUTE_EXTENDED ? bytes_take16(attributes, &length)
                                                : bytes_take8(attributes, &narrow);
    length = header[0] & ATTRIBUTE_EXTENDED ? length : narrow;
    if (!known || (value = bytes_take(attributes, length)) == NULL)
        return -EBADMSG;
    if (header[1] == ATTRIBUTE_MP_REACH)
        return append_mp_reach(reader, family, value, length);
    if (header[1] == ATTRIBUTE_MP_UNREACH)
        return 0;
    uint8_t *copy = append(reader, start, (size_t)(attributes->at - start));
    if (copy == NULL)
        return -EMSGSIZE;
    copy[0] = flags_of(header[1], header[0]);
    reader->has_next_hop |= header[1] == ATTRIBUTE_NEXT_HOP && family == BGP_IPV4_UNICAST;
    if (header[1] == ATTRIBUTE_NEXT_HOP && length == 4)
        stand_in(reader, copy + (value - start), length);
    return 0;
}

/* BIRD dumps own routes without any next hop. */
static int append_next_hop(struct mrt_attribute_reader *reader, enum bgp_family family)
{
    static const uint8_t none[17] = {16};
    if (family != BGP_IPV4_UNICAST)
        return append_mp_reach(reader, family, none, sizeof(none));
    uint8_t *at = append(reader, NULL, 3 + 4);
    if (at == NULL)
        return -EMSGSIZE;
    at = attribute_header_put(at, ATTRIBUTE_TRANSITIVE, ATTRIBUTE_NEXT_HOP, 4);
    memset(at, 0, 4);
    stand_in(reader, at, 4);
    return 0;
}

/* An UPDATE that announces the default route with the attributes of entry. */
static int make_update(struct mrt_attribute_reader *reader, enum bgp_family family,
                       const struct mrt_rib_entry *entry)
{
    struct bytes_reader attributes = bytes_reader(entry->attributes, entry->length);
    reader->size = ATTRIBUTES;
    reader->has_mp = reader->has_next_hop = reader->no_next_hop = false;
    while (bytes_left(&attributes) > 0) {
        int error = append_attribute(reader, family, &attributes);
        if (error)
            return error;
    }
    int error = reader->has_next_hop ? 0 : append_next_hop(reader, family);
    if (error)
        return error;
    bytes_put16(reader->message + FIELDS, 0);
    bytes_put16(reader->message + FIELDS + 2, (uint32_t)(reader->size - ATTRIBUTES));
    if (!reader->has_mp && append(reader, (const uint8_t[]){0}, 1) == NULL)
        return -EMSGSIZE;
    message_header_put(reader->message, reader->size, BGP_UPDATE);
    return 0;
}

static int take_out_stand_in(struct mrt_attribute_reader *reader, struct bgp_attribute_table *table,
                             const struct bgp_attributes **attributes)
{
    const struct bgp_attributes *with = *attributes;
    bgp_builder_load(reader->builder, with);
    bgp_builder_set_next_hop(reader->builder, NULL);
    int error = bgp_builder_intern(reader->builder, table, attributes);
    bgp_attributes_release(table, with);
    return error;
}

int mrt_attributes_decode(struct mrt_attribute_reader *reader, enum bgp_family family,
                          const struct mrt_rib_entry *entry, struct bgp_attribute_table *table,
                          const struct bgp_attributes **attributes)
{
    /* Internal: what came from an internal peer, or was dumped by one, has LOCAL_PREF. */
    static const struct bgp_update_context context = {
        .four_octet_as = true,
        .internal = true,
        .accept_as_set = true,
        .extended_next_hop = true,
        .families = BGP_FAMILIES_ALL,
    };
    struct bgp_update update;
    int error = make_update(reader, family, entry);
    if (error)
        return error;
    if (bgp_update_decode(reader->update, &context, reader->message, reader->size, &update) !=
        BGP_UPDATE_FINE)
        return -EBADMSG;
    error = bgp_update_attributes(reader->update, reader->has_mp, table, attributes);
    return error || !reader->no_next_hop ? error : take_out_stand_in(reader, table, attributes);
}
