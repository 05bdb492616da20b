/*
 * Between update_read.c (the message and its fields) and update_attributes.c (one attribute after
 * the other). Inside engine/bgp only.
 */
#ifndef ENGINE_BGP_UPDATE_PRIVATE_H
#define ENGINE_BGP_UPDATE_PRIVATE_H

#include "engine/bgp/attribute_private.h"
#include "engine/bgp/message.h"

/* Where a path of no segments stands. */
static const uint8_t no_bytes[1];

/* What an attribute leads to; the strongest of a message counts (RFC 7606 section 3 h). */
enum verdict { VERDICT_FINE, VERDICT_DISCARD, VERDICT_WITHDRAW, VERDICT_RESET };

/* One attribute as it stands in the message. */
struct attribute {
    uint8_t flags, type;
    const uint8_t *value;
    size_t length;
    const uint8_t *whole; /* from its flags on: the data of RFC 4271's errors */
    size_t whole_length;
};

struct bgp_update_reader {
    struct bgp_attribute_builder *builder; /* owned */
    const struct bgp_update_context *context;
    struct bgp_update *update;
    enum verdict worst;
    struct attribute_bits seen;
    /* Of this message; pointers into it, NULL when not there (or discarded). */
    struct attribute next_hop;
    struct as_path_view as_path, as4_path;
    const uint8_t *aggregator, *as4_aggregator;
    uint8_t aggregator_flags;
    bool has_mp_reach;
    struct lpm_address mp_next_hop;
    uint8_t mp_link_local[16];
    bool mp_has_link_local;
};

/* Notes a verdict with its error in RFC 4271's terms; data may be NULL. */
void update_blame(struct bgp_update_reader *reader, enum verdict verdict, uint8_t type,
                  uint8_t subcode, const void *data, size_t length);
/* Reads the whole attribute field. Stops early only where nothing more can be told apart. */
void update_take_attributes(struct bgp_update_reader *reader, const uint8_t *bytes, size_t n);
/* Are the bytes of nlri whole prefixes of its family? */
bool nlri_check(const struct bgp_nlri *nlri);
/* The bytes from at to end as NLRI of family, as this session has it. */
struct bgp_nlri update_nlri(const struct bgp_update_reader *reader, enum bgp_family family,
                            const uint8_t *at, const uint8_t *end);

#endif
