/*
 * An UPDATE written: see struct bgp_update_writer. Four layouts:
 *
 *     classic announcement    0(2)            attributes             prefixes
 *     classic withdrawal      length(2) prefixes   0(2)
 *     MP announcement         0(2) length(2)  MP_REACH_NLRI[ prefixes ]  attributes
 *     MP withdrawal           0(2) length(2)  MP_UNREACH_NLRI[ prefixes ]
 *
 * An MP announcement has its other attributes behind the prefixes. They are encoded first, to know
 * their size, at the far end of the room, and moved up at the end.
 */
#include "engine/bgp/attribute_private.h"
#include "engine/bgp/message_private.h"

enum writer_kind { ANNOUNCE, WITHDRAW, MP_ANNOUNCE, MP_WITHDRAW };

enum {
    FIELDS = BGP_HEADER_SIZE, /* where the length of the withdrawn prefixes stands */
    MP_HEADER = FIELDS + 4,   /* where the MP attribute starts: flags type length(2) */
    MP_VALUE = MP_HEADER + 4,
};

/* A caller may offer a large buffer for many messages; each of them keeps to what the peer can
 * take. */
static size_t room(const struct bgp_encoding *encoding, size_t capacity)
{
    return capacity < encoding->message_max ? capacity : encoding->message_max;
}

static size_t path_id_size(const struct bgp_update_writer *writer)
{
    return writer->with_path_id ? 4 : 0;
}

/* Is there room for the longest prefix of the family? With it, a message that was begun takes
 * one. */
static bool fits_prefix(const struct bgp_update_writer *writer)
{
    size_t longest = path_id_size(writer) + 1 + bgp_family_info(writer->family)->length_max / 8u;
    return writer->at + longest <= writer->limit;
}

static const struct lpm_address *next_hop_of(const struct bgp_attributes *attributes,
                                             const struct bgp_export *export)
{
    return export->next_hop.family != 0 ? &export->next_hop : &attributes->next_hop;
}

static struct bgp_update_writer writer_of(const struct bgp_encoding *encoding,
                                          enum bgp_family family, uint8_t *bytes, size_t capacity)
{
    return (struct bgp_update_writer){
        .bytes = bytes,
        .limit = room(encoding, capacity),
        .family = family,
        .with_path_id = encoding->add_path & BGP_FAMILY_BIT(family),
    };
}

/* --- Announcements ---------------------------------------------------------------------------- */

static bool begin_classic(struct bgp_update_writer *writer, bool four_octet_as,
                          const struct bgp_attributes *attributes, const struct bgp_export *export)
{
    const size_t start = FIELDS + 4;
    if (writer->limit <= start) {
        return false;
    }
    size_t size =
        attributes_encode(attributes, export, four_octet_as, next_hop_of(attributes, export)->bytes,
                          writer->bytes + start, writer->limit - start);
    if (size == 0) {
        return false;
    }
    bytes_put16(writer->bytes + FIELDS, 0);
    bytes_put16(writer->bytes + FIELDS + 2, (uint32_t)size);
    writer->kind = ANNOUNCE;
    writer->start = writer->at = start + size;
    return fits_prefix(writer);
}

/* AFI, SAFI, next hop, reserved octet; returns their size. */
static size_t put_mp_reach(uint8_t *value, enum bgp_family family,
                           const struct bgp_attributes *attributes, const struct bgp_export *export)
{
    const struct lpm_address *next_hop = next_hop_of(attributes, export);
    size_t length = next_hop->family == LPM_IPV4 ? 4 : 16;
    bytes_put16(value, bgp_family_info(family)->afi);
    value[2] = bgp_family_info(family)->safi;
    memcpy(value + 4, next_hop->bytes, length);
    /* A link-local address goes with the next hop that it came with, and with no other. */
    if (next_hop == &attributes->next_hop &&
        bgp_attributes_link_local(attributes, value + 4 + length)) {
        length += 16;
    }
    value[3] = (uint8_t)length;
    value[4 + length] = 0;
    return 5 + length;
}

/* The longest next hop is set aside; what it does not need goes to prefixes. */
static bool begin_mp(struct bgp_update_writer *writer, bool four_octet_as,
                     const struct bgp_attributes *attributes, const struct bgp_export *export)
{
    const size_t fixed = MP_VALUE + 5 + 32; /* with the longest next hop */
    if (writer->limit <= fixed) {
        return false;
    }
    size_t size = attributes_encode(attributes, export, four_octet_as, NULL, writer->bytes + fixed,
                                    writer->limit - fixed);
    if (size == 0 || writer->limit - fixed <= size) {
        return false;
    }
    writer->limit -= size;
    memmove(writer->bytes + writer->limit, writer->bytes + fixed, size);
    writer->attributes = size;
    writer->kind = MP_ANNOUNCE;
    writer->start = writer->at =
        MP_VALUE + put_mp_reach(writer->bytes + MP_VALUE, writer->family, attributes, export);
    return fits_prefix(writer);
}

bool bgp_update_begin(struct bgp_update_writer *writer, const struct bgp_encoding *encoding,
                      enum bgp_family family, const struct bgp_attributes *attributes,
                      const struct bgp_export *export, uint8_t *bytes, size_t capacity)
{
    static const struct bgp_export unchanged;
    if (export == NULL) {
        export = &unchanged;
    }
    *writer = writer_of(encoding, family, bytes, capacity);
    bool classic =
        family == BGP_IPV4_UNICAST && next_hop_of(attributes, export)->family == LPM_IPV4;
    return classic ? begin_classic(writer, encoding->four_octet_as, attributes, export)
                   : begin_mp(writer, encoding->four_octet_as, attributes, export);
}

/* --- Withdrawals ------------------------------------------------------------------------------ */

/* IPv4 keeps to the old field even where MP was negotiated: it is shorter, and all read it. */
bool bgp_withdraw_begin(struct bgp_update_writer *writer, const struct bgp_encoding *encoding,
                        enum bgp_family family, uint8_t *bytes, size_t capacity)
{
    *writer = writer_of(encoding, family, bytes, capacity);
    if (writer->limit < MP_VALUE + 3) {
        return false;
    }
    if (family == BGP_IPV4_UNICAST) {
        writer->kind = WITHDRAW;
        writer->limit -= 2; /* the length of no attributes */
        writer->start = writer->at = FIELDS + 2;
    } else {
        writer->kind = MP_WITHDRAW;
        bytes_put16(bytes + MP_VALUE, bgp_family_info(family)->afi);
        bytes[MP_VALUE + 2] = bgp_family_info(family)->safi;
        writer->start = writer->at = MP_VALUE + 3;
    }
    return fits_prefix(writer);
}

/* --- Prefixes and end ------------------------------------------------------------------------- */

/* Bits beyond the length are zero in every struct lpm_prefix, so they are on the wire. */
bool bgp_update_add_path(struct bgp_update_writer *writer, const struct lpm_prefix *prefix,
                         uint32_t path_id)
{
    size_t octets = ((size_t)prefix->length + 7) / 8;
    if (writer->limit - writer->at < path_id_size(writer) + 1 + octets) {
        return false;
    }
    if (writer->with_path_id) {
        bytes_put32(writer->bytes + writer->at, path_id);
        writer->at += path_id_size(writer);
    }
    writer->bytes[writer->at] = prefix->length;
    memcpy(writer->bytes + writer->at + 1, prefix->bytes, octets);
    writer->at += 1 + octets;
    return true;
}

bool bgp_update_add(struct bgp_update_writer *writer, const struct lpm_prefix *prefix)
{
    return bgp_update_add_path(writer, prefix, 0);
}

/* Header of MP_REACH_NLRI or MP_UNREACH_NLRI, whose value ends at writer->at; then what follows
 * it. */
static void end_mp(struct bgp_update_writer *writer, uint8_t type)
{
    uint8_t *header = writer->bytes + MP_HEADER;
    header[0] = ATTRIBUTE_OPTIONAL | ATTRIBUTE_EXTENDED;
    header[1] = type;
    bytes_put16(header + 2, (uint32_t)(writer->at - MP_VALUE));
    memmove(writer->bytes + writer->at, writer->bytes + writer->limit, writer->attributes);
    writer->at += writer->attributes;
    bytes_put16(writer->bytes + FIELDS, 0);
    bytes_put16(writer->bytes + FIELDS + 2, (uint32_t)(writer->at - MP_HEADER));
}

/* Headers are written last, when the lengths are known. */
size_t bgp_update_end(struct bgp_update_writer *writer)
{
    if (writer->at == writer->start) {
        return 0;
    }
    switch (writer->kind) {
    case WITHDRAW:
        bytes_put16(writer->bytes + FIELDS, (uint32_t)(writer->at - writer->start));
        bytes_put16(writer->bytes + writer->at, 0);
        writer->at += 2;
        break;
    case MP_ANNOUNCE:
        end_mp(writer, ATTRIBUTE_MP_REACH);
        break;
    case MP_WITHDRAW:
        end_mp(writer, ATTRIBUTE_MP_UNREACH);
        break;
    default:
        break;
    }
    message_header_put(writer->bytes, writer->at, BGP_UPDATE);
    return writer->at;
}

size_t bgp_end_of_rib_encode(enum bgp_family family, uint8_t *bytes, size_t capacity)
{
    bool classic = family == BGP_IPV4_UNICAST;
    size_t length = classic ? FIELDS + 4 : MP_HEADER + 6;
    if (capacity < length) {
        return 0;
    }
    message_header_put(bytes, length, BGP_UPDATE);
    bytes_put32(bytes + FIELDS, classic ? 0 : 6);
    if (!classic) {
        uint8_t *value =
            attribute_header_put(bytes + MP_HEADER, ATTRIBUTE_OPTIONAL, ATTRIBUTE_MP_UNREACH, 3);
        bytes_put16(value, bgp_family_info(family)->afi);
        value[2] = bgp_family_info(family)->safi;
    }
    return length;
}
