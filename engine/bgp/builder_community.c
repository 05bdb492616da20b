/*
 * Communities in the builder. Each kind is one buffer of equal-sized values in network order,
 * sorted as bytes and each value once: two senders that list the same communities in another order
 * give one set, and a question to a set is a bisection. No RFC gives the order a meaning.
 */
#include "engine/bgp/attribute_private.h"

/* Index of the first that is not below value. */
static size_t community_position(const struct bytes_buffer *held, const uint8_t *value, size_t size)
{
    size_t low = 0, high = held->size / size;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(held->bytes + middle * size, value, size) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool community_held(const struct bytes_buffer *held, size_t position, const uint8_t *value,
                           size_t size)
{
    return position * size < held->size && memcmp(held->bytes + position * size, value, size) == 0;
}

/* An attribute without communities must not exist: sent with no value it would be malformed (RFC
 * 7606 section 7.8). */
static void communities_changed(struct bgp_attribute_builder *builder, enum bgp_community_kind kind)
{
    if (builder->communities[kind].size > 0) {
        attribute_bit_set(&builder->present, community_attribute(kind));
    } else {
        attribute_bit_clear(&builder->present, community_attribute(kind));
        attribute_bit_clear(&builder->partial, community_attribute(kind));
    }
}

/* Adding one that is there is no change, so policies can add without asking first. */
void bgp_builder_add_community(struct bgp_attribute_builder *builder,
                               const struct bgp_community *community)
{
    struct bytes_buffer *held = &builder->communities[community->kind];
    size_t size = community_size(community->kind);
    uint8_t value[12];
    community_store(community, value);
    size_t position = community_position(held, value, size);
    if (community_held(held, position, value, size)) {
        return;
    }
    int error = bytes_buffer_reserve(held, size);
    if (error != 0) {
        builder_check(builder, error);
        return;
    }
    uint8_t *at = held->bytes + position * size;
    memmove(at + size, at, held->size - position * size);
    memcpy(at, value, size);
    held->size += size;
    communities_changed(builder, community->kind);
}

/* One pass, whatever the number: a peer chooses how many there are. */
void bgp_builder_drop_communities(
    struct bgp_attribute_builder *builder, enum bgp_community_kind kind,
    bool (*drop)(const void *context, const struct bgp_community *community), const void *context)
{
    struct bytes_buffer *held = &builder->communities[kind];
    size_t size = community_size(kind), kept = 0;
    for (size_t at = 0; at < held->size; at += size) {
        struct bgp_community community = community_load(kind, held->bytes + at);
        if (!drop(context, &community)) {
            memmove(held->bytes + kept, held->bytes + at, size);
            kept += size;
        }
    }
    held->size = kept;
    communities_changed(builder, kind);
}

void bgp_builder_clear_communities(struct bgp_attribute_builder *builder,
                                   enum bgp_community_kind kind)
{
    builder->communities[kind].size = 0;
    communities_changed(builder, kind);
}

/* In place: what is kept only ever moves towards the front, so the order stays. */
void bgp_builder_clear_non_transitive(struct bgp_attribute_builder *builder)
{
    struct bytes_buffer *communities = &builder->communities[BGP_EXTENDED_COMMUNITY];
    size_t to = 0;
    for (size_t from = 0; from < communities->size; from += 8) {
        if (!(communities->bytes[from] & EXTENDED_NOT_TRANSITIVE)) {
            memmove(communities->bytes + to, communities->bytes + from, 8);
            to += 8;
        }
    }
    communities->size = to;
    communities_changed(builder, BGP_EXTENDED_COMMUNITY);
}

/* Network order makes the order of bytes the order of numbers. One function a size, because
 * qsort() passes no context. */
static int compare4(const void *a, const void *b)
{
    return memcmp(a, b, 4);
}

static int compare8(const void *a, const void *b)
{
    return memcmp(a, b, 8);
}

static int compare12(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

/* Most arrive sorted: one pass finds out, and only the others are sorted. */
static bool strictly_ascending(const struct bytes_buffer *held, size_t size)
{
    for (size_t at = size; at < held->size; at += size) {
        if (memcmp(held->bytes + at - size, held->bytes + at, size) >= 0) {
            return false;
        }
    }
    return true;
}

/* Redundant values are dropped (RFC 8092 section 5 for large communities; harmless for the
 * others). */
void builder_set_communities(struct bgp_attribute_builder *builder, enum bgp_community_kind kind,
                             const uint8_t *value, size_t length)
{
    static int (*const compare[])(const void *, const void *) = {
        [BGP_COMMUNITY] = compare4,
        [BGP_EXTENDED_COMMUNITY] = compare8,
        [BGP_LARGE_COMMUNITY] = compare12,
    };
    struct bytes_buffer *held = &builder->communities[kind];
    size_t size = community_size(kind);
    held->size = 0;
    builder_check(builder, bytes_buffer_append(held, value, length));
    if (held->size > 0 && !strictly_ascending(held, size)) {
        qsort(held->bytes, held->size / size, size, compare[kind]);
        size_t kept = size;
        for (size_t at = size; at < held->size; at += size) {
            if (memcmp(held->bytes + kept - size, held->bytes + at, size) != 0) {
                memmove(held->bytes + kept, held->bytes + at, size);
                kept += size;
            }
        }
        held->size = kept;
    }
    communities_changed(builder, kind);
}
