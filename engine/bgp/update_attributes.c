/*
 * Path attributes of a received UPDATE: one row of rules per type says which flags and length it
 * has, what a wrong length leads to (RFC 7606 section 7), and which function takes the value. The
 * rest of the rules is common to all types:
 *
 *     flags wrong                  treat as withdraw (3 c)
 *     twice                        the second is discarded; MP_REACH and MP_UNREACH: reset (3 g)
 *     beyond the attribute field   treat as withdraw (4)
 *     unknown, well-known          reset (RFC 4271 6.3, unchanged)
 *     unknown, transitive          kept, with the Partial bit;  not transitive: dropped
 */
#include "engine/bgp/update_private.h"

struct rule {
    uint8_t flags;      /* Optional and Transitive as they must be; 0 in both: no rule */
    bool internal_only; /* from an external peer: passed over */
    uint16_t exact;     /* length, where multiple is 0 */
    uint16_t multiple;  /* length is a multiple, and not 0 */
    bool free_length;   /* take() looks at the length itself */
    enum verdict wrong; /* what a wrong length leads to */
    enum verdict (*take)(struct bgp_update_reader *reader, const struct attribute *attribute);
};

/* The first error in RFC 4271's terms is kept for the log, but a stronger one takes its place,
 * since that is the one that gets sent. */
void update_blame(struct bgp_update_reader *reader, enum verdict verdict, uint8_t type,
                  uint8_t subcode, const void *data, size_t length)
{
    struct bgp_update *update = reader->update;
    if (update->malformed++ == 0) {
        update->malformed_type = type;
    }
    update->discarded += verdict == VERDICT_DISCARD;
    if (verdict > reader->worst) {
        reader->worst = verdict;
        update->malformed_type = type;
        bgp_error_set(&update->error, BGP_ERROR_UPDATE, subcode, data, length);
    }
}

static enum verdict blame(struct bgp_update_reader *reader, enum verdict verdict, uint8_t subcode,
                          const struct attribute *attribute)
{
    update_blame(reader, verdict, attribute->type, subcode, attribute->whole,
                 attribute->whole_length);
    return verdict;
}

/* --- Values, by type -------------------------------------------------------------------------- */

static enum verdict take_origin(struct bgp_update_reader *reader, const struct attribute *attribute)
{
    if (attribute->value[0] > BGP_ORIGIN_INCOMPLETE) {
        return blame(reader, VERDICT_WITHDRAW, BGP_UPDATE_BAD_ORIGIN, attribute);
    }
    reader->builder->origin = attribute->value[0];
    return VERDICT_FINE;
}

/* Not handed to the builder yet: a 2-octet path may have to wait for its AS4_PATH. */
static enum verdict take_as_path(struct bgp_update_reader *reader,
                                 const struct attribute *attribute)
{
    struct as_path_view path = {attribute->value, attribute->length,
                                reader->context->four_octet_as ? 4 : 2};
    if (!as_path_check(&path) || (!reader->context->accept_as_set && as_path_has_set(&path))) {
        return blame(reader, VERDICT_WITHDRAW, BGP_UPDATE_BAD_AS_PATH, attribute);
    }
    reader->as_path = path;
    return VERDICT_FINE;
}

/* Whether the address makes sense is asked only when there is NLRI that it belongs to
 * (update_read.c). */
static enum verdict take_next_hop(struct bgp_update_reader *reader,
                                  const struct attribute *attribute)
{
    reader->next_hop = *attribute;
    return VERDICT_FINE;
}

static enum verdict take_med(struct bgp_update_reader *reader, const struct attribute *attribute)
{
    bgp_builder_set_med(reader->builder, bytes_get32(attribute->value));
    return VERDICT_FINE;
}

static enum verdict take_local_pref(struct bgp_update_reader *reader,
                                    const struct attribute *attribute)
{
    bgp_builder_set_local_pref(reader->builder, bytes_get32(attribute->value));
    return VERDICT_FINE;
}

static enum verdict take_atomic_aggregate(struct bgp_update_reader *reader,
                                          const struct attribute *attribute)
{
    reader->builder->flags |= BGP_HAS_ATOMIC_AGGREGATE;
    attribute_bit_set(&reader->builder->present, attribute->type);
    return VERDICT_FINE;
}

/* Its length depends on the session, so the table cannot have it. */
static enum verdict take_aggregator(struct bgp_update_reader *reader,
                                    const struct attribute *attribute)
{
    bool wide = reader->context->four_octet_as;
    if (attribute->length != (wide ? 8 : 6)) {
        return blame(reader, VERDICT_DISCARD, BGP_UPDATE_BAD_LENGTH, attribute);
    }
    if ((wide ? bytes_get32(attribute->value) : bytes_get16(attribute->value)) == 0) {
        return blame(reader, VERDICT_DISCARD, BGP_UPDATE_BAD_OPTIONAL, attribute); /* RFC 7607 */
    }
    reader->aggregator = attribute->value;
    reader->aggregator_flags = attribute->flags;
    return VERDICT_FINE;
}

static enum verdict take_communities(struct bgp_update_reader *reader,
                                     const struct attribute *attribute)
{
    enum bgp_community_kind kind;
    if (community_kind(attribute->type, &kind)) {
        builder_set_communities(reader->builder, kind, attribute->value, attribute->length);
        if (attribute->flags & ATTRIBUTE_PARTIAL) {
            attribute_bit_set(&reader->builder->partial, attribute->type);
        }
    }
    return VERDICT_FINE;
}

static enum verdict take_as_it_is(struct bgp_update_reader *reader,
                                  const struct attribute *attribute)
{
    builder_set_other(reader->builder, attribute->type, attribute->flags, attribute->value,
                      attribute->length);
    return VERDICT_FINE;
}

/* RFC 6793 section 6 has a malformed AS4_PATH of a 2-octet speaker discarded: AS_PATH still says
 * all that matters. A 4-octet speaker has no business sending it; a well-formed one is dropped, a
 * malformed one shows that the sender's attributes cannot be trusted. */
static enum verdict take_as4_path(struct bgp_update_reader *reader,
                                  const struct attribute *attribute)
{
    struct as_path_view path = {attribute->value, attribute->length, 4};
    if (attribute->length == 0 || !as_path_check(&path)) {
        enum verdict wrong = reader->context->four_octet_as ? VERDICT_WITHDRAW : VERDICT_DISCARD;
        return blame(reader, wrong, BGP_UPDATE_BAD_OPTIONAL, attribute);
    }
    if (!reader->context->accept_as_set && as_path_has_set(&path)) { /* RFC 9774 section 3 */
        return blame(reader, VERDICT_WITHDRAW, BGP_UPDATE_BAD_AS_PATH, attribute);
    }
    reader->as4_path = path;
    return VERDICT_FINE;
}

/* RFC 7607 section 2 makes AS 0 malformed; RFC 6793 has malformed ones discarded. */
static enum verdict take_as4_aggregator(struct bgp_update_reader *reader,
                                        const struct attribute *attribute)
{
    if (bytes_get32(attribute->value) == 0) {
        return blame(reader, VERDICT_DISCARD, BGP_UPDATE_BAD_OPTIONAL, attribute);
    }
    reader->as4_aggregator = attribute->value;
    return VERDICT_FINE;
}

static enum verdict take_otc(struct bgp_update_reader *reader, const struct attribute *attribute)
{
    if (bytes_get32(attribute->value) == 0) {
        return blame(reader, VERDICT_WITHDRAW, BGP_UPDATE_BAD_OPTIONAL, attribute); /* RFC 7607 */
    }
    return take_as_it_is(reader, attribute);
}

/* --- Multiprotocol NLRI ----------------------------------------------------------------------- */

/* The family when it was negotiated; others' NLRI is passed over unread. */
static bool negotiated_family(const struct bgp_update_reader *reader, const uint8_t *value,
                              enum bgp_family *family)
{
    return bgp_family_find(bytes_get16(value), value[2], family) &&
           (reader->context->families & BGP_FAMILY_BIT(*family));
}

/* Next hop of length octets for family; false for a length that it cannot have. IPv4 routes have an
 * IPv6 next hop where RFC 8950 was agreed on. */
static bool take_mp_next_hop(struct bgp_update_reader *reader, enum bgp_family family,
                             const uint8_t *value, size_t length)
{
    reader->mp_has_link_local = false;
    if (family == BGP_IPV4_UNICAST && length == 4) {
        reader->mp_next_hop = (struct lpm_address){.family = LPM_IPV4};
        memcpy(reader->mp_next_hop.bytes, value, 4);
        return true;
    }
    if ((family == BGP_IPV4_UNICAST && !reader->context->extended_next_hop) ||
        (length != 16 && length != 32)) {
        return false;
    }
    reader->mp_next_hop = (struct lpm_address){.family = LPM_IPV6};
    memcpy(reader->mp_next_hop.bytes, value, 16);
    if (length == 32) {
        reader->mp_has_link_local = true;
        memcpy(reader->mp_link_local, value + 16, 16);
    }
    return true;
}

/* AFI(2) SAFI(1) length(1) next hop, reserved(1) NLRI. Without its NLRI nothing can be withdrawn,
 * so what cannot be told apart means a reset (RFC 7606 sections 5.3 and 7.11). */
static enum verdict take_mp_reach(struct bgp_update_reader *reader,
                                  const struct attribute *attribute)
{
    enum bgp_family family;
    const uint8_t *value = attribute->value, *end = value + attribute->length;
    if (attribute->length < 5) {
        return blame(reader, VERDICT_RESET, BGP_UPDATE_BAD_LIST, attribute);
    }
    reader->has_mp_reach = true;
    if (!negotiated_family(reader, value, &family)) {
        return VERDICT_FINE;
    }
    size_t length = value[3];
    if (attribute->length < 5 + length || !take_mp_next_hop(reader, family, value + 4, length)) {
        return blame(reader, VERDICT_RESET, BGP_UPDATE_BAD_LIST, attribute);
    }
    struct bgp_nlri nlri = update_nlri(reader, family, value + 5 + length, end);
    if (!nlri_check(&nlri)) {
        return blame(reader, VERDICT_RESET, BGP_UPDATE_BAD_OPTIONAL, attribute);
    }
    reader->update->mp_announced = nlri;
    return VERDICT_FINE;
}

/* Like MP_REACH_NLRI: what cannot be read cannot be withdrawn. */
static enum verdict take_mp_unreach(struct bgp_update_reader *reader,
                                    const struct attribute *attribute)
{
    enum bgp_family family;
    const uint8_t *value = attribute->value, *end = value + attribute->length;
    if (attribute->length < 3) {
        return blame(reader, VERDICT_RESET, BGP_UPDATE_BAD_LIST, attribute);
    }
    if (!negotiated_family(reader, value, &family)) {
        return VERDICT_FINE;
    }
    struct bgp_nlri nlri = update_nlri(reader, family, value + 3, end);
    if (!nlri_check(&nlri)) {
        return blame(reader, VERDICT_RESET, BGP_UPDATE_BAD_OPTIONAL, attribute);
    }
    reader->update->mp_withdrawn = nlri;
    return VERDICT_FINE;
}

/* --- Rules ------------------------------------------------------------------------------------ */

#define WELL_KNOWN     ATTRIBUTE_TRANSITIVE
#define TRANSITIVE     (ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE)
#define NOT_TRANSITIVE ATTRIBUTE_OPTIONAL

static const struct rule rules[] = {
    [ATTRIBUTE_ORIGIN] = {WELL_KNOWN, .exact = 1, .wrong = VERDICT_WITHDRAW, .take = take_origin},
    [ATTRIBUTE_AS_PATH] = {WELL_KNOWN, .free_length = true, .take = take_as_path},
    [ATTRIBUTE_NEXT_HOP] = {WELL_KNOWN, .exact = 4, .wrong = VERDICT_WITHDRAW,
                            .take = take_next_hop},
    [ATTRIBUTE_MED] = {NOT_TRANSITIVE, .exact = 4, .wrong = VERDICT_WITHDRAW, .take = take_med},
    [ATTRIBUTE_LOCAL_PREF] = {WELL_KNOWN, .internal_only = true, .exact = 4,
                              .wrong = VERDICT_WITHDRAW, .take = take_local_pref},
    [ATTRIBUTE_ATOMIC_AGGREGATE] = {WELL_KNOWN, .exact = 0, .wrong = VERDICT_DISCARD,
                                    .take = take_atomic_aggregate},
    [ATTRIBUTE_AGGREGATOR] = {TRANSITIVE, .free_length = true, .take = take_aggregator},
    [ATTRIBUTE_COMMUNITIES] = {TRANSITIVE, .multiple = 4, .wrong = VERDICT_WITHDRAW,
                               .take = take_communities},
    [ATTRIBUTE_ORIGINATOR_ID] = {NOT_TRANSITIVE, .internal_only = true, .exact = 4,
                                 .wrong = VERDICT_WITHDRAW, .take = take_as_it_is},
    [ATTRIBUTE_CLUSTER_LIST] = {NOT_TRANSITIVE, .internal_only = true, .multiple = 4,
                                .wrong = VERDICT_WITHDRAW, .take = take_as_it_is},
    [ATTRIBUTE_MP_REACH] = {NOT_TRANSITIVE, .free_length = true, .take = take_mp_reach},
    [ATTRIBUTE_MP_UNREACH] = {NOT_TRANSITIVE, .free_length = true, .take = take_mp_unreach},
    [ATTRIBUTE_EXTENDED_COMMUNITIES] = {TRANSITIVE, .multiple = 8, .wrong = VERDICT_WITHDRAW,
                                        .take = take_communities},
    [ATTRIBUTE_AS4_PATH] = {TRANSITIVE, .free_length = true, .take = take_as4_path},
    [ATTRIBUTE_AS4_AGGREGATOR] = {TRANSITIVE, .exact = 8, .wrong = VERDICT_DISCARD,
                                  .take = take_as4_aggregator},
    [ATTRIBUTE_IPV6_EXTENDED_COMMUNITIES] = {TRANSITIVE, .multiple = 20, .wrong = VERDICT_WITHDRAW,
                                             .take = take_as_it_is},
    [ATTRIBUTE_LARGE_COMMUNITIES] = {TRANSITIVE, .multiple = 12, .wrong = VERDICT_WITHDRAW,
                                     .take = take_communities},
    [ATTRIBUTE_OTC] = {TRANSITIVE, .exact = 4, .wrong = VERDICT_WITHDRAW, .take = take_otc},
};

static const struct rule *rule_of(uint8_t type)
{
    bool known = type < sizeof rules / sizeof rules[0] && rules[type].take != NULL;
    return known ? &rules[type] : NULL;
}

/* The Partial bit is an error only where RFC 4271 section 5 says that it cannot be: on a
 * well-known attribute. On optional non-transitive ones it is as wrong, but seen in the wild and
 * harmless. */
static bool flags_agree(const struct rule *rule, uint8_t flags)
{
    bool partial = flags & ATTRIBUTE_PARTIAL && !(rule->flags & ATTRIBUTE_OPTIONAL);
    return !partial && ((flags ^ rule->flags) & (ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE)) == 0;
}

static bool length_agrees(const struct rule *rule, size_t length)
{
    if (rule->free_length) {
        return true;
    }
    return rule->multiple == 0 ? length == rule->exact : length > 0 && length % rule->multiple == 0;
}

static bool is_multiprotocol(uint8_t type)
{
    return type == ATTRIBUTE_MP_REACH || type == ATTRIBUTE_MP_UNREACH;
}

/* Flags come before everything else, so an attribute that claims to be another sort is never
 * read. */
static void take_known(struct bgp_update_reader *reader, const struct rule *rule,
                       const struct attribute *attribute)
{
    if (!flags_agree(rule, attribute->flags)) {
        blame(reader, VERDICT_WITHDRAW, BGP_UPDATE_BAD_FLAGS, attribute);
        if (is_multiprotocol(attribute->type)) {
            rule->take(reader, attribute); /* to know what to withdraw */
        }
        return;
    }
    if (rule->internal_only && !reader->context->internal) {
        return;
    }
    if (!length_agrees(rule, attribute->length)) {
        blame(reader, rule->wrong, BGP_UPDATE_BAD_LENGTH, attribute);
        return;
    }
    rule->take(reader, attribute);
}

/* We pass on what we do not understand and say so by the Partial bit (RFC 4271 section 5). */
static void take_unknown(struct bgp_update_reader *reader, const struct attribute *attribute)
{
    if (!(attribute->flags & ATTRIBUTE_OPTIONAL)) {
        blame(reader, VERDICT_RESET, BGP_UPDATE_UNKNOWN_WELL_KNOWN, attribute);
    } else if (attribute->flags & ATTRIBUTE_TRANSITIVE) {
        builder_set_other(reader->builder, attribute->type, attribute->flags | ATTRIBUTE_PARTIAL,
                          attribute->value, attribute->length);
    }
}

/* The first of two counts. A second MP_REACH_NLRI may hold routes that nobody would withdraw,
 * hence the reset. */
static void take_attribute(struct bgp_update_reader *reader, const struct attribute *attribute)
{
    if (attribute_bit(&reader->seen, attribute->type)) {
        bool fatal = is_multiprotocol(attribute->type);
        blame(reader, fatal ? VERDICT_RESET : VERDICT_DISCARD, BGP_UPDATE_BAD_LIST, attribute);
        return;
    }
    attribute_bit_set(&reader->seen, attribute->type);
    const struct rule *rule = rule_of(attribute->type);
    if (rule != NULL) {
        take_known(reader, rule, attribute);
    } else {
        take_unknown(reader, attribute);
    }
}

/* Cuts the next attribute off; false when it does not fit in what is left. */
static bool next_attribute(struct bytes_reader *left, struct attribute *attribute)
{
    uint8_t narrow;
    uint16_t length;
    attribute->whole = left->at;
    if (!bytes_take8(left, &attribute->flags) || !bytes_take8(left, &attribute->type)) {
        return false;
    }
    if (attribute->flags & ATTRIBUTE_EXTENDED) {
        if (!bytes_take16(left, &length)) {
            return false;
        }
    } else {
        if (!bytes_take8(left, &narrow)) {
            return false;
        }
        length = narrow;
    }
    attribute->value = bytes_take(left, length);
    attribute->length = length;
    attribute->whole_length = (size_t)(left->at - attribute->whole);
    attribute->flags &= ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE | ATTRIBUTE_PARTIAL;
    return attribute->value != NULL;
}

/* The error data of an attribute that does not fit is left out: its end is not known. */
void update_take_attributes(struct bgp_update_reader *reader, const uint8_t *bytes, size_t n)
{
    struct bytes_reader left = bytes_reader(bytes, n);
    while (bytes_left(&left) > 0 && reader->worst < VERDICT_RESET) {
        struct attribute attribute = {0};
        if (!next_attribute(&left, &attribute)) {
            update_blame(reader, VERDICT_WITHDRAW, attribute.type, BGP_UPDATE_BAD_LIST, NULL, 0);
            return;
        }
        take_attribute(reader, &attribute);
    }
}
