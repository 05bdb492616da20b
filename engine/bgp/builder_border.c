/*
 * What a route server or reflector changes in a set as it passes it on: roles (RFC 9234),
 * reflection (RFC 4456), aggregation (RFC 4271), private AS numbers.
 */
#include "engine/bgp/attribute_private.h"

void bgp_builder_set_otc(struct bgp_attribute_builder *builder, uint32_t asn)
{
    uint8_t value[4];
    bytes_put32(value, asn);
    builder_set_other(builder, ATTRIBUTE_OTC, ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE, value,
                      sizeof value);
}

void bgp_builder_set_aggregator(struct bgp_attribute_builder *builder, uint32_t asn,
                                uint32_t identifier, bool atomic)
{
    uint8_t value[8];
    bytes_put32(value, asn);
    bytes_put32(value + 4, identifier);
    builder_set_other(builder, ATTRIBUTE_AGGREGATOR, ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE,
                      value, sizeof value);
    if (atomic) {
        builder->flags |= BGP_HAS_ATOMIC_AGGREGATE;
        attribute_bit_set(&builder->present, ATTRIBUTE_ATOMIC_AGGREGATE);
    }
}

/* The cluster goes in front of those that were passed before (RFC 4456 section 8). The list is
 * copied out first: builder_set_other() appends to the buffer that it stands in. */
void bgp_builder_reflect(struct bgp_attribute_builder *builder, uint32_t originator_id,
                         uint32_t cluster_id)
{
    uint8_t value[4];
    if (!attribute_bit(&builder->present, ATTRIBUTE_ORIGINATOR_ID)) {
        bytes_put32(value, originator_id);
        builder_set_other(builder, ATTRIBUTE_ORIGINATOR_ID, ATTRIBUTE_OPTIONAL, value,
                          sizeof value);
    }
    size_t length = attribute_bit(&builder->present, ATTRIBUTE_CLUSTER_LIST)
                        ? builder->other[ATTRIBUTE_CLUSTER_LIST].length
                        : 0;
    bytes_put32(value, cluster_id);
    builder->scratch.size = 0;
    builder_check(builder, bytes_buffer_append(&builder->scratch, value, sizeof value));
    if (length > 0) {
        builder_check(builder,
                      bytes_buffer_append(&builder->scratch,
                                          builder->others.bytes +
                                              builder->other[ATTRIBUTE_CLUSTER_LIST].offset,
                                          length));
    }
    builder_set_other(builder, ATTRIBUTE_CLUSTER_LIST, ATTRIBUTE_OPTIONAL, builder->scratch.bytes,
                      builder->scratch.size);
}

/* In place: AS numbers of a builder are all of one width. */
void bgp_builder_replace_private_as(struct bgp_attribute_builder *builder, uint32_t asn)
{
    uint8_t *at = builder->as_path.bytes, *end = at + builder->as_path.size;
    while (at < end) {
        unsigned count = at[1];
        at += 2;
        for (unsigned i = 0; i < count; i++, at += 4) {
            if (bgp_as_is_private(bytes_get32(at))) {
                bytes_put32(at, asn);
            }
        }
    }
}
