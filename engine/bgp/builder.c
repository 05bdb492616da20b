/*
 * The builder: a set in the making, filled by hand (policy, originated routes) or by the UPDATE
 * decoder, and turned into canonical bytes. The struct and its invariants are in
 * attribute_private.h. Errors are sticky: whatever goes wrong is told by bgp_builder_intern().
 */
#include "engine/bgp/attribute_private.h"

struct bgp_attribute_builder *bgp_builder_create(void)
{
    struct bgp_attribute_builder *builder = calloc(1, sizeof *builder);
    if (builder == NULL) {
        return NULL;
    }
    /* From here on every buffer has bytes, so that empty values need no care. */
    int error = bytes_buffer_reserve(&builder->as_path, 1);
    for (unsigned i = 0; i < 3 && error == 0; i++) {
        error = bytes_buffer_reserve(&builder->communities[i], 1);
    }
    if (error != 0 || bytes_buffer_reserve(&builder->others, 1) != 0) {
        bgp_builder_destroy(builder);
        errno = ENOMEM;
        return NULL;
    }
    builder_clear(builder);
    return builder;
}

void bgp_builder_destroy(struct bgp_attribute_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    bytes_buffer_free(&builder->as_path);
    for (unsigned i = 0; i < 3; i++) {
        bytes_buffer_free(&builder->communities[i]);
    }
    bytes_buffer_free(&builder->others);
    bytes_buffer_free(&builder->scratch);
    free(builder);
}

/* The first error is the cause; those after it are mostly its consequences. */
void builder_check(struct bgp_attribute_builder *builder, int error)
{
    if (builder->error == 0) {
        builder->error = error;
    }
}

/* Buffers keep their memory: a decoder that has seen a large message allocates no more. other[]
 * is not cleared, because present says which of its rows mean something. */
void builder_clear(struct bgp_attribute_builder *builder)
{
    builder->error = 0;
    builder->origin = BGP_ORIGIN_IGP;
    builder->flags = 0;
    builder->med = 0;
    builder->local_pref = BGP_DEFAULT_LOCAL_PREF;
    builder->next_hop = (struct lpm_address){0};
    builder->present = (struct attribute_bits){0};
    builder->partial = (struct attribute_bits){0};
    builder->as_path.size = 0;
    for (unsigned i = 0; i < 3; i++) {
        builder->communities[i].size = 0;
    }
    builder->others.size = 0;
    attribute_bit_set(&builder->present, ATTRIBUTE_ORIGIN);
    attribute_bit_set(&builder->present, ATTRIBUTE_AS_PATH);
}

void bgp_builder_originate(struct bgp_attribute_builder *builder, enum bgp_origin origin)
{
    builder_clear(builder);
    builder->origin = (uint8_t)origin;
}

/* --- Scalars ---------------------------------------------------------------------------------- */

void bgp_builder_set_origin(struct bgp_attribute_builder *builder, enum bgp_origin origin)
{
    builder->origin = (uint8_t)origin;
}

/* A link-local address belongs to the router that sent it, so it cannot stay beside another next
 * hop. */
void bgp_builder_set_next_hop(struct bgp_attribute_builder *builder,
                              const struct lpm_address *next_hop)
{
    builder->next_hop = next_hop != NULL ? *next_hop : (struct lpm_address){0};
    builder->flags &= (uint8_t)~BGP_HAS_LINK_LOCAL;
}

void bgp_builder_set_med(struct bgp_attribute_builder *builder, uint32_t med)
{
    builder->med = med;
    builder->flags |= BGP_HAS_MED;
    attribute_bit_set(&builder->present, ATTRIBUTE_MED);
}

void bgp_builder_clear_med(struct bgp_attribute_builder *builder)
{
    builder->med = 0;
    builder->flags &= (uint8_t)~BGP_HAS_MED;
    attribute_bit_clear(&builder->present, ATTRIBUTE_MED);
}

void bgp_builder_set_local_pref(struct bgp_attribute_builder *builder, uint32_t local_pref)
{
    builder->local_pref = local_pref;
    builder->flags |= BGP_HAS_LOCAL_PREF;
    attribute_bit_set(&builder->present, ATTRIBUTE_LOCAL_PREF);
}

static void clear_local_pref(struct bgp_attribute_builder *builder)
{
    builder->local_pref = BGP_DEFAULT_LOCAL_PREF;
    builder->flags &= (uint8_t)~BGP_HAS_LOCAL_PREF;
    attribute_bit_clear(&builder->present, ATTRIBUTE_LOCAL_PREF);
}

/* --- AS_PATH ---------------------------------------------------------------------------------- */

/* Rewrites the path through scratch. */
static void edit_as_path(struct bgp_attribute_builder *builder, const struct as_path_edit *edit)
{
    struct as_path_view path = {builder->as_path.bytes, builder->as_path.size, 4};
    size_t size = as_path_edited_size(&path, edit);
    builder->scratch.size = 0;
    /* Twice the largest value keeps a long prepend from taking memory without bound. */
    int error =
        size > 2 * ATTRIBUTES_SIZE_MAX ? -EMSGSIZE : bytes_buffer_reserve(&builder->scratch, size);
    if (error != 0) {
        builder_check(builder, error);
        return;
    }
    as_path_edit(&path, edit, builder->scratch.bytes);
    builder->as_path.size = 0;
    builder_check(builder, bytes_buffer_append(&builder->as_path, builder->scratch.bytes, size));
}

/* A segment counts its members in one octet, hence several of at most 255. */
void bgp_builder_set_as_path(struct bgp_attribute_builder *builder, const uint32_t *asns, size_t n)
{
    builder->as_path.size = 0;
    for (size_t done = 0; done < n;) {
        size_t part = n - done < 255 ? n - done : 255;
        uint8_t header[2] = {BGP_AS_SEQUENCE, (uint8_t)part};
        builder_check(builder, bytes_buffer_append(&builder->as_path, header, 2));
        for (size_t end = done + part; done < end; done++) {
            uint8_t asn[4];
            bytes_put32(asn, asns[done]);
            builder_check(builder, bytes_buffer_append(&builder->as_path, asn, 4));
        }
    }
}

void bgp_builder_prepend(struct bgp_attribute_builder *builder, uint32_t asn, unsigned n)
{
    struct as_path_edit edit = {.prepend_asn = asn, .prepend_count = n, .width = 4};
    edit_as_path(builder, &edit);
}

void bgp_builder_replace_as(struct bgp_attribute_builder *builder, uint32_t from, uint32_t to)
{
    struct as_path_edit edit = {.replace_from = from, .replace_to = to, .width = 4};
    edit_as_path(builder, &edit);
}

static bool is_same_as(uint32_t asn, uint32_t other)
{
    return asn == other;
}

static bool is_private_as(uint32_t asn, uint32_t unused)
{
    (void)unused;
    return bgp_as_is_private(asn);
}

/* In place: what is kept only ever moves towards the front. */
static void remove_from_path(struct bgp_attribute_builder *builder,
                             bool (*leaves)(uint32_t asn, uint32_t argument), uint32_t argument)
{
    uint8_t *bytes = builder->as_path.bytes;
    size_t to = 0;
    for (size_t from = 0; from < builder->as_path.size;) {
        size_t header = to, count = bytes[from + 1], kept = 0;
        uint8_t type = bytes[from];
        from += 2;
        for (size_t i = 0; i < count; i++, from += 4) {
            if (!leaves(bytes_get32(bytes + from), argument)) {
                memmove(bytes + header + 2 + kept++ * 4, bytes + from, 4);
            }
        }
        if (kept > 0) { /* a segment that became empty goes as a whole */
            bytes[header] = type;
            bytes[header + 1] = (uint8_t)kept;
            to = header + 2 + kept * 4;
        }
    }
    builder->as_path.size = to;
}

void bgp_builder_remove_as(struct bgp_attribute_builder *builder, uint32_t asn)
{
    remove_from_path(builder, is_same_as, asn);
}

void bgp_builder_remove_private_as(struct bgp_attribute_builder *builder)
{
    remove_from_path(builder, is_private_as, 0);
}

/* --- Attributes kept as they are -------------------------------------------------------------- */

/* Bytes of a replaced value stay in others until the builder is started anew; a set is small and
 * replacing is rare, so nothing is gained by closing the gap. */
void builder_set_other(struct bgp_attribute_builder *builder, uint8_t type, uint8_t flags,
                       const uint8_t *value, size_t length)
{
    builder->other[type].offset = (uint32_t)builder->others.size;
    builder->other[type].length = (uint32_t)length;
    builder->other[type].flags = flags;
    builder_check(builder, bytes_buffer_append(&builder->others, value, length));
    attribute_bit_set(&builder->present, type);
}

static void remove_other(struct bgp_attribute_builder *builder, uint8_t type)
{
    attribute_bit_clear(&builder->present, type);
}

/* --- From a set and towards one --------------------------------------------------------------- */

/* A set has no attribute that was not checked when it was made, so nothing is checked again. */
static void load_attribute(struct bgp_attribute_builder *builder, uint8_t flags, uint8_t type,
                           const uint8_t *value, size_t length)
{
    enum bgp_community_kind kind;
    switch (type) {
    case ATTRIBUTE_ORIGIN:
    case ATTRIBUTE_MED:
    case ATTRIBUTE_LOCAL_PREF:
    case ATTRIBUTE_ATOMIC_AGGREGATE:
        attribute_bit_set(&builder->present, type); /* the value is a field of the set */
        break;
    case ATTRIBUTE_AS_PATH:
        builder_check(builder, bytes_buffer_append(&builder->as_path, value, length));
        break;
    default:
        if (community_kind(type, &kind)) {
            builder_set_communities(builder, kind, value, length);
            if (flags & ATTRIBUTE_PARTIAL) {
                attribute_bit_set(&builder->partial, type);
            }
        } else {
            builder_set_other(builder, type, flags & (uint8_t)~ATTRIBUTE_EXTENDED, value, length);
        }
    }
}

void bgp_builder_load(struct bgp_attribute_builder *builder,
                      const struct bgp_attributes *attributes)
{
    builder_clear(builder);
    builder->origin = attributes->origin;
    /* Sets are worked out at intern; what was received is of a table that need not be ours. */
    builder->flags = attributes->flags & (uint8_t) ~(BGP_HAS_AS_SET | BGP_HAS_RECEIVED);
    builder->med = attributes->med;
    builder->local_pref = attributes->local_pref;
    builder->next_hop = attributes->next_hop;
    bgp_attributes_link_local(attributes, builder->link_local);
    for (const uint8_t *at = attributes->bytes, *end = at + attributes->size; at < end;) {
        bool wide = at[0] & ATTRIBUTE_EXTENDED;
        size_t length = wide ? bytes_get16(at + 2) : at[2];
        const uint8_t *value = at + (wide ? 4 : 3);
        load_attribute(builder, at[0], at[1], value, length);
        at = value + length;
    }
}

void bgp_builder_set_received(struct bgp_attribute_builder *builder,
                              const struct bgp_attributes *received, uint32_t weight, uint64_t mark)
{
    builder->received = received;
    builder->weight = weight;
    builder->mark = mark;
    if (received != NULL) {
        builder->flags |= BGP_HAS_RECEIVED;
    } else {
        builder->flags &= (uint8_t)~BGP_HAS_RECEIVED;
    }
}

/* Must say in fields what attribute_encode.c says in bytes. The tests hold the two against each
 * other: what is encoded with an export and decoded again is this set. */
void bgp_builder_export(struct bgp_attribute_builder *builder, const struct bgp_export *export)
{
    struct as_path_edit edit = {
        .replace_from = export->replace_from,
        .replace_to = export->replace_to,
        .prepend_asn = export->prepend_asn,
        .prepend_count = export->prepend_count,
        .width = 4,
    };
    edit_as_path(builder, &edit);
    if (export->internal) {
        bgp_builder_set_local_pref(builder, builder->local_pref);
    } else {
        clear_local_pref(builder);
        remove_other(builder, ATTRIBUTE_ORIGINATOR_ID);
        remove_other(builder, ATTRIBUTE_CLUSTER_LIST);
        if (!export->keep_med) {
            bgp_builder_clear_med(builder);
        }
    }
    if (export->next_hop.family != 0) {
        bgp_builder_set_next_hop(builder, &export->next_hop);
    }
}
