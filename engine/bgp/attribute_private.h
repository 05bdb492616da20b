/*
 * What the parts of the attribute code share: attribute types, the builder's furniture, AS_PATH
 * values as bytes. Inside engine/bgp only.
 */
#ifndef ENGINE_BGP_ATTRIBUTE_PRIVATE_H
#define ENGINE_BGP_ATTRIBUTE_PRIVATE_H

#include "engine/bgp/attributes.h"
#include "engine/bgp/bytes.h"

enum {
    ATTRIBUTE_OPTIONAL = 0x80,
    ATTRIBUTE_TRANSITIVE = 0x40,
    ATTRIBUTE_PARTIAL = 0x20,
    ATTRIBUTE_EXTENDED = 0x10, /* two octets of length */
};

enum attribute_type {
    ATTRIBUTE_ORIGIN = 1,
    ATTRIBUTE_AS_PATH = 2,
    ATTRIBUTE_NEXT_HOP = 3,
    ATTRIBUTE_MED = 4,
    ATTRIBUTE_LOCAL_PREF = 5,
    ATTRIBUTE_ATOMIC_AGGREGATE = 6,
    ATTRIBUTE_AGGREGATOR = 7,
    ATTRIBUTE_COMMUNITIES = 8,
    ATTRIBUTE_ORIGINATOR_ID = 9,
    ATTRIBUTE_CLUSTER_LIST = 10,
    ATTRIBUTE_MP_REACH = 14,
    ATTRIBUTE_MP_UNREACH = 15,
    ATTRIBUTE_EXTENDED_COMMUNITIES = 16,
    ATTRIBUTE_AS4_PATH = 17,
    ATTRIBUTE_AS4_AGGREGATOR = 18,
    ATTRIBUTE_IPV6_EXTENDED_COMMUNITIES = 25,
    ATTRIBUTE_LARGE_COMMUNITIES = 32,
    ATTRIBUTE_OTC = 35,
};

/* Canonical bytes of one set, at most: what an extended message can carry beside one prefix. */
#define ATTRIBUTES_SIZE_MAX (65535u - 19u - 4u - 64u)

struct attribute_bits {
    uint64_t words[4];
};

static inline bool attribute_bit(const struct attribute_bits *bits, uint8_t type)
{
    return bits->words[type >> 6] >> (type & 63) & 1;
}

static inline void attribute_bit_set(struct attribute_bits *bits, uint8_t type)
{
    bits->words[type >> 6] |= UINT64_C(1) << (type & 63);
}

static inline void attribute_bit_clear(struct attribute_bits *bits, uint8_t type)
{
    bits->words[type >> 6] &= ~(UINT64_C(1) << (type & 63));
}

/*
 * A set in the making. Scalars and the values that policy edits are held apart; every other
 * attribute
 * stands in others as value bytes, found by its span. present says which types the set has (scalars
 * too), partial which came with the Partial bit.
 */
struct bgp_attribute_builder {
    int error; /* first error since originate or load */
    uint8_t origin, flags;
    uint32_t med, local_pref;
    struct lpm_address next_hop;
    uint8_t link_local[16];
    const struct bgp_attributes *received; /* with BGP_HAS_RECEIVED in flags */
    uint32_t weight;
    uint64_t mark;
    struct attribute_bits present, partial;
    struct bytes_buffer as_path;        /* segments with 4-octet AS numbers */
    struct bytes_buffer communities[3]; /* by enum bgp_community_kind; sorted, each once */
    struct bytes_buffer others;
    struct {
        uint32_t offset, length;
        uint8_t flags;
    } other[256];
    struct bytes_buffer scratch; /* canonical bytes; edited paths */
};

/* Empties everything. */
void builder_clear(struct bgp_attribute_builder *builder);
/* Remembers the first error. */
void builder_check(struct bgp_attribute_builder *builder, int error);
/* Puts an attribute that is kept as it is, in place of one of its type. */
void builder_set_other(struct bgp_attribute_builder *builder, uint8_t type, uint8_t flags,
                       const uint8_t *value, size_t length);
/* Takes communities as they stand in a message, length a multiple of their size; sorts them. */
void builder_set_communities(struct bgp_attribute_builder *builder, enum bgp_community_kind kind,
                             const uint8_t *value, size_t length);

/* Extended communities (RFC 4360): the first octet, the second of a two-octet AS specific one. */
enum {
    EXTENDED_NOT_TRANSITIVE = 0x40,
    EXTENDED_LINK_BANDWIDTH = 0x04,
};

/* Octets of one community of a kind, and the attribute that carries them. */
size_t community_size(enum bgp_community_kind kind);
uint8_t community_attribute(enum bgp_community_kind kind);
/* The kind that an attribute type carries; false when it carries none. */
bool community_kind(uint8_t attribute, enum bgp_community_kind *kind);
void community_store(const struct bgp_community *community, uint8_t *bytes);
struct bgp_community community_load(enum bgp_community_kind kind, const uint8_t *bytes);

/* --- Header of an attribute ------------------------------------------------------------------- */

static inline size_t attribute_header_size(size_t length)
{
    return length > 255 ? 4 : 3;
}

/* Writes flags, type and length; returns where the value goes. */
static inline uint8_t *attribute_header_put(uint8_t *at, uint8_t flags, uint8_t type, size_t length)
{
    at[1] = type;
    if (length > 255) {
        at[0] = flags | ATTRIBUTE_EXTENDED;
        bytes_put16(at + 2, (uint32_t)length);
        return at + 4;
    }
    at[0] = flags & (uint8_t)~ATTRIBUTE_EXTENDED;
    at[2] = (uint8_t)length;
    return at + 3;
}

/* --- AS_PATH values --------------------------------------------------------------------------- */

/* A path value as segments of width-octet AS numbers, well-formed. */
struct as_path_view {
    const uint8_t *bytes;
    size_t size;
    unsigned width; /* 2 or 4 */
};

/* Checks a path from the wire: segments known and whole, no AS 0. Confederation segments count as
 * wrong. */
bool as_path_check(const struct as_path_view *path);
bool as_path_has_set(const struct as_path_view *path);
/* RFC 4271 9.1.2.2 a. */
unsigned as_path_length(const struct as_path_view *path);
/* True when some AS number does not fit in two octets. */
bool as_path_needs_four_octets(const struct as_path_view *path);

/* A path changed on its way: replaced, prepended, narrowed or widened. */
struct as_path_edit {
    uint32_t replace_from, replace_to; /* from 0: nothing */
    uint32_t prepend_asn;
    unsigned prepend_count;
    unsigned width; /* of the result; AS_TRANS stands in for what does not fit */
};
/* Octets of the result. */
size_t as_path_edited_size(const struct as_path_view *path, const struct as_path_edit *edit);
/* Writes them; returns as_path_edited_size(). */
size_t as_path_edit(const struct as_path_view *path, const struct as_path_edit *edit, uint8_t *out);
/* RFC 6793 4.2.3: the path of a 2-octet peer and its AS4_PATH as one 4-octet path, appended to
 * out. -ENOMEM. */
int as_path_merge(const struct as_path_view *path, const struct as_path_view *as4_path,
                  struct bytes_buffer *out);

/* --- Encoding (attribute_encode.c) ------------------------------------------------------------ */

/* Writes all attributes but MP_REACH_NLRI, as export says; next_hop non-NULL adds NEXT_HOP (4
 * octets). Returns the size, or 0 when capacity is too small. */
size_t attributes_encode(const struct bgp_attributes *attributes, const struct bgp_export *export,
                         bool four_octet_as, const uint8_t *next_hop, uint8_t *bytes,
                         size_t capacity);

#endif
