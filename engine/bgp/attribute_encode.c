/*
 * From a set to the bytes of an UPDATE. Canonical bytes are copied as they stand but for what
 * depends on the peer (struct bgp_export) and on the width of its AS numbers:
 *
 *     AS_PATH          edited and narrowed; AS4_PATH follows where AS numbers did not fit
 *     NEXT_HOP         put in its place by type
 *     MED, LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST    kept or left out
 *     AGGREGATOR       narrowed; AS4_AGGREGATOR follows where its AS did not fit
 */
#include "engine/bgp/attribute_private.h"

#include "engine/bgp/message.h"

struct encoder {
    uint8_t *at, *end;
    const struct bgp_export *export;
    bool four_octet_as;
    bool full;
    const uint8_t *as4_aggregator; /* its value, to be put later; NULL: none */
};

/* Writes a header; returns room for the value, or NULL when there is none. */
static uint8_t *encoder_open(struct encoder *encoder, uint8_t flags, uint8_t type, size_t length)
{
    size_t size = attribute_header_size(length) + length;
    if (encoder->full || (size_t)(encoder->end - encoder->at) < size) {
        encoder->full = true;
        return NULL;
    }
    uint8_t *value = attribute_header_put(encoder->at, flags, type, length);
    encoder->at += size;
    return value;
}

/* Once something did not fit, nothing else is written: a shorter attribute behind a missing one
 * would make a message that is well-formed and wrong. */
static void encoder_put(struct encoder *encoder, uint8_t flags, uint8_t type, const uint8_t *value,
                        size_t length)
{
    uint8_t *to = encoder_open(encoder, flags, type, length);
    if (to != NULL && length > 0) {
        memcpy(to, value, length);
    }
}

/* AS_PATH and AS4_PATH get the same edits: the receiver counts both to find out where they
 * differ. */
static void encode_as_path(struct encoder *encoder, uint8_t flags, uint8_t type,
                           const struct as_path_view *path, unsigned width)
{
    const struct bgp_export *export = encoder->export;
    struct as_path_edit edit = {
        .replace_from = export->replace_from,
        .replace_to = export->replace_to,
        .prepend_asn = export->prepend_asn,
        .prepend_count = export->prepend_count,
        .width = width,
    };
    uint8_t *to = encoder_open(encoder, flags, type, as_path_edited_size(path, &edit));
    if (to != NULL) {
        as_path_edit(path, &edit, to);
    }
}

/* Sets hold AGGREGATOR with a 4-octet AS. AS4_AGGREGATOR has a higher type and must wait for its
 * turn, because attributes go out in the order of their types (RFC 4271 section 5, a SHOULD). */
static void encode_aggregator(struct encoder *encoder, uint8_t flags, const uint8_t *value)
{
    if (encoder->four_octet_as) {
        encoder_put(encoder, flags, ATTRIBUTE_AGGREGATOR, value, 8);
        return;
    }
    uint32_t asn = bytes_get32(value);
    uint8_t narrow[6];
    bytes_put16(narrow, asn > UINT16_MAX ? BGP_AS_TRANS : asn);
    memcpy(narrow + 2, value + 4, 4);
    encoder_put(encoder, flags, ATTRIBUTE_AGGREGATOR, narrow, sizeof narrow);
    if (asn > UINT16_MAX) {
        encoder->as4_aggregator = value;
    }
}

/* What must not cross an AS border is left out here and not at import, so that one set can go to
 * internal and external peers alike. */
static void encode_one(struct encoder *encoder, uint8_t flags, uint8_t type, const uint8_t *value,
                       size_t length)
{
    const struct bgp_export *export = encoder->export;
    switch (type) {
    case ATTRIBUTE_AS_PATH:
        encode_as_path(encoder, flags, type, &(struct as_path_view){value, length, 4},
                       encoder->four_octet_as ? 4 : 2);
        break;
    case ATTRIBUTE_AGGREGATOR:
        encode_aggregator(encoder, flags, value);
        break;
    case ATTRIBUTE_MED:
        if (export->internal || export->keep_med) {
            encoder_put(encoder, flags, type, value, length);
        }
        break;
    case ATTRIBUTE_ORIGINATOR_ID:
    case ATTRIBUTE_CLUSTER_LIST:
        if (export->internal) {
            encoder_put(encoder, flags, type, value, length);
        }
        break;
    default:
        encoder_put(encoder, flags, type, value, length);
    }
}

/* Attributes of 2-octet peers, and those that no set holds, in the order of their types. */
static void encode_between(struct encoder *encoder, const struct bgp_attributes *attributes,
                           const uint8_t *next_hop, unsigned after, unsigned before)
{
    if (next_hop != NULL && after < ATTRIBUTE_NEXT_HOP && before > ATTRIBUTE_NEXT_HOP) {
        encoder_put(encoder, ATTRIBUTE_TRANSITIVE, ATTRIBUTE_NEXT_HOP, next_hop, 4);
    }
    if (encoder->export->internal && after < ATTRIBUTE_LOCAL_PREF &&
        before > ATTRIBUTE_LOCAL_PREF) {
        uint8_t value[4];
        bytes_put32(value, attributes->local_pref);
        encoder_put(encoder, ATTRIBUTE_TRANSITIVE, ATTRIBUTE_LOCAL_PREF, value, 4);
    }
    if (!encoder->four_octet_as && after < ATTRIBUTE_AS4_PATH && before > ATTRIBUTE_AS4_PATH) {
        struct as_path_view path = {attributes->bytes + attributes->as_path.offset,
                                    attributes->as_path.length, 4};
        const struct bgp_export *export = encoder->export;
        uint8_t flags = ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE;
        if (as_path_needs_four_octets(&path) ||
            (export->prepend_count > 0 && export->prepend_asn > UINT16_MAX) ||
            (export->replace_from != 0 && export->replace_to > UINT16_MAX)) {
            encode_as_path(encoder, flags, ATTRIBUTE_AS4_PATH, &path, 4);
        }
        if (encoder->as4_aggregator != NULL) {
            encoder_put(encoder, flags, ATTRIBUTE_AS4_AGGREGATOR, encoder->as4_aggregator, 8);
        }
    }
}

/* Types ascend in the canonical bytes. Between two of them encode_between() puts those that
 * depend on the peer, so the result ascends as well and no sorting is needed. */
size_t attributes_encode(const struct bgp_attributes *attributes, const struct bgp_export *export,
                         bool four_octet_as, const uint8_t *next_hop, uint8_t *bytes,
                         size_t capacity)
{
    struct encoder encoder = {
        .at = bytes, .end = bytes + capacity, .export = export, .four_octet_as = four_octet_as};
    unsigned last = 0;
    for (const uint8_t *at = attributes->bytes, *end = at + attributes->size; at < end;) {
        bool wide = at[0] & ATTRIBUTE_EXTENDED;
        size_t length = wide ? bytes_get16(at + 2) : at[2];
        const uint8_t *value = at + (wide ? 4 : 3);
        unsigned type = at[1];
        /* LOCAL_PREF is put by encode_between() from the field, there or not. */
        if (type != ATTRIBUTE_LOCAL_PREF) {
            encode_between(&encoder, attributes, next_hop, last, type);
            encode_one(&encoder, at[0], at[1], value, length);
            last = type;
        }
        at = value + length;
    }
    encode_between(&encoder, attributes, next_hop, last, 256);
    return encoder.full ? 0 : (size_t)(encoder.at - bytes);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int bgp_export_compare(const struct bgp_export *a, const struct bgp_export *b)
{
    const uint64_t of_a[] = {a->internal,   a->keep_med,    a->replace_from,
                             a->replace_to, a->prepend_asn, a->prepend_count};
    const uint64_t of_b[] = {b->internal,   b->keep_med,    b->replace_from,
                             b->replace_to, b->prepend_asn, b->prepend_count};
    int order = 0;
    for (unsigned i = 0; i < sizeof(of_a) / sizeof(of_a[0]) && order == 0; i++) {
        order = compare_numbers(of_a[i], of_b[i]);
    }
    return order != 0 ? order : lpm_address_compare(&a->next_hop, &b->next_hop);
}
