/*
 * A received UPDATE (RFC 4271 section 4.3) taken apart:
 *
 *     length(2) withdrawn   length(2) attributes   announced
 *         withdrawn, announced := prefix*      prefix := bits(1) octets, as many as bits need
 *
 * The fields must be told apart before anything else can be decided, so their errors reset the
 * session; errors within attributes are judged in update_attributes.c. The strongest verdict is
 * the outcome.
 */
#include "engine/bgp/update_private.h"

struct bgp_update_reader *bgp_update_reader_create(void)
{
    struct bgp_update_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return NULL;
    }
    reader->builder = bgp_builder_create();
    if (reader->builder == NULL) {
        free(reader);
        return NULL;
    }
    return reader;
}

void bgp_update_reader_destroy(struct bgp_update_reader *reader)
{
    if (reader != NULL) {
        bgp_builder_destroy(reader->builder);
        free(reader);
    }
}

/* --- Prefixes --------------------------------------------------------------------------------- */

enum { PATH_ID_OCTETS = 4 };

static inline size_t prefix_octets(uint8_t bits)
{
    return ((size_t)bits + 7) / 8;
}

/* Everything after this may walk the prefixes without looking at the end again. */
bool nlri_check(const struct bgp_nlri *nlri)
{
    uint8_t most = bgp_family_info(nlri->family)->length_max;
    size_t path_id = nlri->with_path_id ? PATH_ID_OCTETS : 0;
    const uint8_t *at = nlri->at, *end = nlri->end;
    while (at < end) {
        if ((size_t)(end - at) < path_id + 1) {
            return false;
        }
        at += path_id;
        if (*at > most || prefix_octets(*at) > (size_t)(end - at - 1)) {
            return false;
        }
        at += 1 + prefix_octets(*at);
    }
    return true;
}

struct bgp_nlri update_nlri(const struct bgp_update_reader *reader, enum bgp_family family,
                            const uint8_t *at, const uint8_t *end)
{
    return (struct bgp_nlri){
        .family = family,
        .with_path_id = reader->context->add_path & BGP_FAMILY_BIT(family),
        .at = at,
        .end = end,
    };
}

bool bgp_nlri_next(struct bgp_nlri *nlri, struct lpm_prefix *prefix)
{
    if (nlri->at >= nlri->end) {
        return false;
    }
    if (nlri->with_path_id) {
        nlri->path_id = bytes_get32(nlri->at);
        nlri->at += PATH_ID_OCTETS;
    }
    uint8_t bits = *nlri->at++;
    size_t octets = prefix_octets(bits);
    memset(prefix, 0, sizeof *prefix);
    prefix->family = bgp_family_info(nlri->family)->lpm_family;
    prefix->length = bits;
    memcpy(prefix->bytes, nlri->at, octets);
    if (bits % 8 != 0) { /* senders may leave anything in the bits beyond (RFC 4271 4.3) */
        prefix->bytes[octets - 1] &= (uint8_t)(0xff << (8 - bits % 8));
    }
    nlri->at += octets;
    return true;
}

static bool nlri_empty(const struct bgp_nlri *nlri)
{
    return nlri->at >= nlri->end;
}

/* --- Fields ----------------------------------------------------------------------------------- */

struct fields {
    const uint8_t *withdrawn, *attributes, *announced;
    size_t withdrawn_size, attributes_size, announced_size;
};

/* Each length is checked against what is left, so no sum can overflow. */
static bool split_fields(const uint8_t *bytes, size_t length, struct fields *fields)
{
    struct bytes_reader left = bytes_reader(bytes + BGP_HEADER_SIZE, length - BGP_HEADER_SIZE);
    uint16_t size = 0;
    if (!bytes_take16(&left, &size) || (fields->withdrawn = bytes_take(&left, size)) == NULL) {
        return false;
    }
    fields->withdrawn_size = size;
    if (!bytes_take16(&left, &size) || (fields->attributes = bytes_take(&left, size)) == NULL) {
        return false;
    }
    fields->attributes_size = size;
    fields->announced = left.at;
    fields->announced_size = bytes_left(&left);
    return true;
}

/* Both fields are checked before either is used: an UPDATE is taken whole or not at all. */
static void take_fields(struct bgp_update_reader *reader, const struct fields *fields)
{
    struct bgp_update *update = reader->update;
    const enum bgp_family family = BGP_IPV4_UNICAST;
    const struct bgp_nlri withdrawn =
        update_nlri(reader, family, fields->withdrawn, fields->withdrawn + fields->withdrawn_size);
    const struct bgp_nlri announced =
        update_nlri(reader, family, fields->announced, fields->announced + fields->announced_size);
    if (!nlri_check(&withdrawn) || !nlri_check(&announced)) {
        update_blame(reader, VERDICT_RESET, 0, BGP_UPDATE_BAD_NETWORK, NULL, 0);
        return;
    }
    if (reader->context->families & BGP_FAMILY_BIT(family)) {
        update->withdrawn = withdrawn;
        update->announced = announced;
    }
}

/* --- Checks over the whole message ------------------------------------------------------------ */

/* RFC 4271 section 6.3 wants a valid host address: not "this network", not ourselves, no group. */
static bool unicast4(const uint8_t *address)
{
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

/* The unspecified address and the loopback differ in the last bit only. */
static bool unicast6(const uint8_t *address)
{
    static const uint8_t zeros[15];
    return address[0] != 0xff && (memcmp(address, zeros, 15) != 0 || address[15] > 1);
}

/* LOCAL_PREF is not asked for: internal peers that leave it out mean the default. */
static void check_missing(struct bgp_update_reader *reader, bool classic)
{
    static const uint8_t mandatory[] = {ATTRIBUTE_ORIGIN, ATTRIBUTE_AS_PATH, ATTRIBUTE_NEXT_HOP};
    for (unsigned i = 0; i < sizeof mandatory; i++) {
        bool wanted = mandatory[i] != ATTRIBUTE_NEXT_HOP || classic;
        if (wanted && !attribute_bit(&reader->seen, mandatory[i])) {
            update_blame(reader, VERDICT_WITHDRAW, mandatory[i], BGP_UPDATE_MISSING, &mandatory[i],
                         1);
        }
    }
}

/* Asked only when there is NLRI for it: some senders put 0.0.0.0 beside an MP_REACH_NLRI, which
 * RFC 4760 section 3 has us ignore. */
static void check_next_hops(struct bgp_update_reader *reader, bool classic)
{
    const struct attribute *next_hop = &reader->next_hop;
    if (classic && next_hop->value != NULL && !unicast4(next_hop->value)) {
        update_blame(reader, VERDICT_WITHDRAW, ATTRIBUTE_NEXT_HOP, BGP_UPDATE_BAD_NEXT_HOP,
                     next_hop->whole, next_hop->whole_length);
    }
    const struct lpm_address *mp = &reader->mp_next_hop;
    if (!nlri_empty(&reader->update->mp_announced) &&
        !(mp->family == LPM_IPV4 ? unicast4(mp->bytes) : unicast6(mp->bytes))) {
        update_blame(reader, VERDICT_WITHDRAW, ATTRIBUTE_MP_REACH, BGP_UPDATE_BAD_NEXT_HOP, NULL,
                     0);
    }
}

/* Nothing but an empty withdrawal of a family (RFC 4724 section 2). */
static void find_end_of_rib(struct bgp_update_reader *reader, const struct fields *fields)
{
    struct bgp_update *update = reader->update;
    if (fields->withdrawn_size > 0 || fields->announced_size > 0) {
        return;
    }
    struct attribute_bits only = {0};
    if (fields->attributes_size > 0) {
        attribute_bit_set(&only, ATTRIBUTE_MP_UNREACH);
        update->end_of_rib = memcmp(&only, &reader->seen, sizeof only) == 0 &&
                             update->mp_withdrawn.at != NULL && nlri_empty(&update->mp_withdrawn);
        update->end_of_rib_family = update->mp_withdrawn.family;
    } else {
        update->end_of_rib = reader->context->families & BGP_FAMILY_BIT(BGP_IPV4_UNICAST);
        update->end_of_rib_family = BGP_IPV4_UNICAST;
    }
}

/* --- Path and aggregator ---------------------------------------------------------------------- */

/* A set always has the wide form. */
static void finish_aggregator(struct bgp_update_reader *reader)
{
    uint8_t value[8];
    if (reader->aggregator == NULL) {
        return;
    }
    if (reader->context->four_octet_as) {
        memcpy(value, reader->aggregator, 8);
    } else if (reader->as4_aggregator != NULL) {
        memcpy(value, reader->as4_aggregator, 8);
    } else {
        bytes_put32(value, bytes_get16(reader->aggregator));
        memcpy(value + 4, reader->aggregator + 2, 4);
    }
    builder_set_other(reader->builder, ATTRIBUTE_AGGREGATOR, reader->aggregator_flags, value, 8);
}

static void finish_attributes(struct bgp_update_reader *reader)
{
    struct bgp_attribute_builder *builder = reader->builder;
    if (reader->context->four_octet_as) {
        builder_check(builder, bytes_buffer_append(&builder->as_path, reader->as_path.bytes,
                                                   reader->as_path.size));
    } else {
        /* An aggregator that wrote its own AS is a speaker after the one that wrote the AS4_
         * attributes, and knew nothing of them (RFC 6793 4.2.3). */
        if (reader->aggregator != NULL && reader->as4_aggregator != NULL &&
            bytes_get16(reader->aggregator) != BGP_AS_TRANS) {
            reader->as4_aggregator = NULL;
            reader->as4_path = (struct as_path_view){no_bytes, 0, 4};
        }
        builder_check(builder,
                      as_path_merge(&reader->as_path, &reader->as4_path, &builder->as_path));
    }
    finish_aggregator(reader);
}

/* --- The whole -------------------------------------------------------------------------------- */

static void reader_begin(struct bgp_update_reader *reader, const struct bgp_update_context *context,
                         struct bgp_update *update)
{
    reader->context = context;
    reader->update = update;
    reader->worst = VERDICT_FINE;
    reader->seen = (struct attribute_bits){0};
    reader->next_hop.value = NULL;
    reader->as_path = (struct as_path_view){no_bytes, 0, context->four_octet_as ? 4 : 2};
    reader->as4_path = (struct as_path_view){no_bytes, 0, 4};
    reader->aggregator = reader->as4_aggregator = NULL;
    reader->has_mp_reach = reader->mp_has_link_local = false;
    builder_clear(reader->builder);
    *update = (struct bgp_update){0};
}

static enum bgp_update_outcome outcome(const struct bgp_update_reader *reader)
{
    switch (reader->worst) {
    case VERDICT_RESET:
        return BGP_UPDATE_RESET;
    case VERDICT_WITHDRAW:
        return BGP_UPDATE_WITHDRAW;
    default:
        return BGP_UPDATE_FINE;
    }
}

/* Attributes are read to the end even when one of them was bad, because MP_REACH_NLRI may come
 * later and its routes have to be withdrawn. */
enum bgp_update_outcome bgp_update_decode(struct bgp_update_reader *reader,
                                          const struct bgp_update_context *context,
                                          const uint8_t *bytes, size_t length,
                                          struct bgp_update *update)
{
    struct fields fields;
    reader_begin(reader, context, update);
    if (!split_fields(bytes, length, &fields)) {
        update_blame(reader, VERDICT_RESET, 0, BGP_UPDATE_BAD_LIST, NULL, 0);
        return BGP_UPDATE_RESET;
    }
    take_fields(reader, &fields);
    if (reader->worst == VERDICT_RESET) {
        return BGP_UPDATE_RESET;
    }
    update_take_attributes(reader, fields.attributes, fields.attributes_size);
    bool classic = fields.announced_size > 0;
    if (classic || reader->has_mp_reach) {
        check_missing(reader, classic);
        check_next_hops(reader, classic);
    } else if (reader->worst == VERDICT_WITHDRAW) {
        /* Attributes in error and nothing announced: the announcement may be what was lost, so
         * there is no telling what to withdraw (RFC 7606 section 5.2). */
        reader->worst = VERDICT_RESET;
    }
    if (reader->worst < VERDICT_WITHDRAW) {
        finish_attributes(reader);
        find_end_of_rib(reader, &fields);
    }
    return outcome(reader);
}

/* Two sets at most come from one message, and they differ in the next hop only: the builder is
 * kept and interned twice. */
int bgp_update_attributes(struct bgp_update_reader *reader, bool multiprotocol,
                          struct bgp_attribute_table *table,
                          const struct bgp_attributes **attributes)
{
    struct bgp_attribute_builder *builder = reader->builder;
    if (multiprotocol) {
        bgp_builder_set_next_hop(builder, &reader->mp_next_hop);
        if (reader->mp_has_link_local) {
            builder->flags |= BGP_HAS_LINK_LOCAL;
            memcpy(builder->link_local, reader->mp_link_local, 16);
        }
    } else {
        struct lpm_address next_hop = {.family = LPM_IPV4};
        memcpy(next_hop.bytes, reader->next_hop.value, 4);
        bgp_builder_set_next_hop(builder, &next_hop);
    }
    return bgp_builder_intern(builder, table, attributes);
}
