/*
 * TABLE_DUMP_V2 records, written; see mrt_table.c for their shape. A record's length and number of
 * entries are known at its end only and put in then.
 */
#include "engine/bgp/mrt.h"

#include <errno.h>

#include "engine/bgp/attribute_private.h"
#include "engine/bgp/mrt_private.h"

struct mrt_writer {
    struct bytes_buffer out;
    size_t record;  /* where the open record starts */
    size_t counter; /* where its number of entries stands */
    unsigned entries;
    bool with_path_id, taken;
    int error;
};

struct mrt_writer *mrt_writer_create(void)
{
    return calloc(1, sizeof(struct mrt_writer));
}

void mrt_writer_destroy(struct mrt_writer *writer)
{
    if (writer == NULL)
        return;
    bytes_buffer_free(&writer->out);
    free(writer);
}

static void fail(struct mrt_writer *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

static void put(struct mrt_writer *writer, const void *bytes, size_t n)
{
    int error = writer->error ? writer->error : bytes_buffer_append(&writer->out, bytes, n);
    if (error)
        fail(writer, error);
}

static void put8(struct mrt_writer *writer, uint8_t value)
{
    put(writer, &value, 1);
}

static void put16(struct mrt_writer *writer, uint32_t value)
{
    uint8_t bytes[2];
    bytes_put16(bytes, value);
    put(writer, bytes, sizeof(bytes));
}

static void put32(struct mrt_writer *writer, uint32_t value)
{
    uint8_t bytes[4];
    bytes_put32(bytes, value);
    put(writer, bytes, sizeof(bytes));
}

static void begin_record(struct mrt_writer *writer, uint32_t seconds, uint16_t subtype)
{
    if (writer->taken) {
        writer->out.size = 0;
        writer->taken = false;
    }
    writer->record = writer->out.size;
    put32(writer, seconds);
    put16(writer, MRT_TABLE_DUMP_V2);
    put16(writer, subtype);
    put32(writer, 0);
}

static void end_record(struct mrt_writer *writer)
{
    size_t length = writer->out.size - writer->record - MRT_HEADER_SIZE;
    if (writer->error)
        return;
    if (length > MRT_RECORD_MAX)
        fail(writer, -EMSGSIZE);
    else
        bytes_put32(writer->out.bytes + writer->record + 8, (uint32_t)length);
}

void mrt_write_peer_index(struct mrt_writer *writer, uint32_t seconds,
                          const struct mrt_peer_index *index)
{
    size_t view = strnlen(index->view, MRT_VIEW_MAX);
    if (index->n > UINT16_MAX)
        fail(writer, -EMSGSIZE);
    begin_record(writer, seconds, PEER_INDEX_TABLE);
    put32(writer, index->collector);
    put16(writer, (uint32_t)view);
    put(writer, index->view, view);
    put16(writer, index->n);
    for (unsigned i = 0; i < index->n; i++) {
        const struct mrt_peer *peer = &index->peers[i];
        bool ipv6 = peer->address.family == LPM_IPV6;
        put8(writer, PEER_AS4 | (ipv6 ? PEER_IPV6 : 0));
        put32(writer, peer->identifier);
        put(writer, peer->address.bytes, ipv6 ? 16 : 4);
        put32(writer, peer->asn);
    }
    end_record(writer);
}

void mrt_write_rib_begin(struct mrt_writer *writer, uint32_t seconds, uint32_t sequence,
                         const struct lpm_prefix *prefix, bool with_path_id)
{
    bool ipv6 = prefix->family == LPM_IPV6;
    uint16_t subtype = ipv6 ? RIB_IPV6_UNICAST : RIB_IPV4_UNICAST;
    if (with_path_id)
        subtype = ipv6 ? RIB_IPV6_UNICAST_ADDPATH : RIB_IPV4_UNICAST_ADDPATH;
    begin_record(writer, seconds, subtype);
    put32(writer, sequence);
    put8(writer, prefix->length);
    put(writer, prefix->bytes, (prefix->length + 7u) / 8u);
    writer->counter = writer->out.size;
    writer->entries = 0;
    writer->with_path_id = with_path_id;
    put16(writer, 0);
}

/* --- Attributes ------------------------------------------------------------------------------- */

static void put_attribute(struct mrt_writer *writer, uint8_t flags, uint8_t type,
                          const uint8_t *value, size_t n)
{
    uint8_t header[4];
    uint8_t *end = attribute_header_put(header, flags, type, n);
    put(writer, header, (size_t)(end - header));
    put(writer, value, n);
}

/* NEXT_HOP, or MP_REACH_NLRI with nothing but a next hop. */
static void put_next_hop(struct mrt_writer *writer, enum lpm_family family,
                         const struct bgp_attributes *attributes,
                         const struct lpm_address *next_hop)
{
    static const uint8_t unspecified[16];
    uint8_t value[33] = {16};
    if (family == LPM_IPV4 && next_hop->family != LPM_IPV6) {
        put_attribute(writer, ATTRIBUTE_TRANSITIVE, ATTRIBUTE_NEXT_HOP,
                      next_hop->family ? next_hop->bytes : unspecified, 4);
        return;
    }
    if (next_hop->family == LPM_IPV4)
        value[0] = 4;
    memcpy(value + 1, next_hop->family ? next_hop->bytes : unspecified, value[0]);
    if (next_hop == &attributes->next_hop && bgp_attributes_link_local(attributes, value + 17))
        value[0] = 32;
    put_attribute(writer, ATTRIBUTE_OPTIONAL, ATTRIBUTE_MP_REACH, value, value[0] + 1u);
}

/* Octets of canonical attributes of a type below `before`. */
static size_t size_below(const struct bgp_attributes *attributes, unsigned before)
{
    const uint8_t *at = attributes->bytes, *end = at + attributes->size;
    while (at < end && at[1] < before)
        at += at[0] & ATTRIBUTE_EXTENDED ? 4u + bytes_get16(at + 2) : 3u + at[2];
    return (size_t)(at - attributes->bytes);
}

/* Canonical bytes are attributes in the order of their types, with 4-octet AS numbers: what a table
 * wants but for the next hop, which is put in its place. */
static void put_attributes(struct mrt_writer *writer, enum lpm_family family,
                           const struct bgp_attributes *attributes, const struct lpm_address *self)
{
    const struct lpm_address *next_hop = attributes->next_hop.family ? &attributes->next_hop : self;
    bool classic = family == LPM_IPV4 && next_hop->family != LPM_IPV6;
    size_t before = size_below(attributes, classic ? ATTRIBUTE_NEXT_HOP : ATTRIBUTE_MP_REACH);
    put(writer, attributes->bytes, before);
    put_next_hop(writer, family, attributes, next_hop);
    put(writer, attributes->bytes + before, attributes->size - before);
}

void mrt_write_rib_add(struct mrt_writer *writer, uint16_t peer, uint32_t originated_s,
                       uint32_t path_id, const struct bgp_attributes *attributes,
                       const struct lpm_address *self)
{
    if (writer->error)
        return;
    uint16_t subtype = bytes_get16(writer->out.bytes + writer->record + 6);
    bool ipv6 = subtype == RIB_IPV6_UNICAST || subtype == RIB_IPV6_UNICAST_ADDPATH;
    put16(writer, peer);
    put32(writer, originated_s);
    if (writer->with_path_id)
        put32(writer, path_id);
    size_t length_at = writer->out.size;
    put16(writer, 0);
    put_attributes(writer, ipv6 ? LPM_IPV6 : LPM_IPV4, attributes, self);
    size_t length = writer->out.size - length_at - 2;
    if (length > UINT16_MAX || ++writer->entries > UINT16_MAX)
        fail(writer, -EMSGSIZE);
    if (!writer->error)
        bytes_put16(writer->out.bytes + length_at, (uint32_t)length);
}

void mrt_write_rib_end(struct mrt_writer *writer)
{
    if (!writer->error && writer->entries == 0) {
        writer->out.size = writer->record;
        return;
    }
    if (!writer->error)
        bytes_put16(writer->out.bytes + writer->counter, writer->entries);
    end_record(writer);
}

int mrt_writer_take(struct mrt_writer *writer, const uint8_t **bytes, size_t *n)
{
    *bytes = writer->out.bytes;
    *n = writer->taken ? 0 : writer->out.size;
    writer->taken = true;
    return writer->error;
}
