/* See bmp.h. A message's length stands in its header, which is written when the rest is there. */
#include "engine/bgp/bmp.h"

#include <string.h>

#include "engine/bgp/bytes.h"

#define VERSION 3u
#define FLAG_V  0x80u /* the address is an IPv6 one */

/* Types of TLVs (RFC 7854 sections 4.4 and 4.5, RFC 9069 section 5.3). */
enum {
    INFORMATION_STRING = 0,
    INFORMATION_DESCRIPTION = 1,
    INFORMATION_NAME = 2,
    INFORMATION_TABLE = 3,
    TERMINATION_STRING = 0,
    TERMINATION_REASON = 1,
};

/* --- Putting ---------------------------------------------------------------------------------- */

/* Writes as long as there is room; one byte too many and nothing counts. */
struct output {
    uint8_t *bytes;
    size_t at, capacity;
    bool full;
};

static void put(struct output *out, const void *bytes, size_t n)
{
    if (out->full || n > out->capacity - out->at) {
        out->full = true;
        return;
    }
    if (n > 0)
        memcpy(out->bytes + out->at, bytes, n);
    out->at += n;
}

static void put16(struct output *out, uint16_t value)
{
    uint8_t bytes[2];
    bytes_put16(bytes, value);
    put(out, bytes, sizeof(bytes));
}

/* A text as a TLV; none for NULL. */
static void put_text(struct output *out, uint16_t type, const char *text)
{
    if (text == NULL)
        return;
    size_t n = strnlen(text, BMP_TEXT_MAX);
    put16(out, type);
    put16(out, (uint16_t)n);
    put(out, text, n);
}

/* IPv4 addresses stand in the last four of sixteen octets. */
static void place_address(const struct lpm_address *address, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    if (address->family == LPM_IPV4)
        memcpy(bytes + 12, address->bytes, 4);
    else if (address->family == LPM_IPV6)
        memcpy(bytes, address->bytes, 16);
}

static void place_common(uint8_t *bytes, enum bmp_type type, size_t size)
{
    bytes[0] = VERSION;
    bytes_put32(bytes + 1, (uint32_t)size);
    bytes[5] = (uint8_t)type;
}

static void place_peer(uint8_t *bytes, const struct bmp_peer *peer)
{
    bytes[0] = (uint8_t)peer->type;
    bytes[1] = peer->flags | (peer->address.family == LPM_IPV6 ? FLAG_V : 0);
    bytes_put64(bytes + 2, peer->distinguisher);
    place_address(&peer->address, bytes + 10);
    bytes_put32(bytes + 26, peer->asn);
    bytes_put32(bytes + 30, peer->identifier);
    bytes_put32(bytes + 34, (uint32_t)(peer->time_us / 1000000u));
    bytes_put32(bytes + 38, (uint32_t)(peer->time_us % 1000000u));
}

/* Leaves room for the headers; peer may be NULL. */
static struct output begin(const struct bmp_peer *peer, uint8_t *bytes, size_t capacity)
{
    struct output out = {.bytes = bytes, .capacity = capacity};
    size_t size = peer != NULL ? BMP_ROUTE_SIZE : BMP_COMMON_SIZE;

    if (capacity < size) {
        out.full = true;
        return out;
    }
    if (peer != NULL)
        place_peer(bytes + BMP_COMMON_SIZE, peer);
    out.at = size;
    return out;
}

static size_t end(const struct output *out, enum bmp_type type)
{
    if (out->full)
        return 0;
    place_common(out->bytes, type, out->at);
    return out->at;
}

/* --- Messages --------------------------------------------------------------------------------- */

size_t bmp_initiation_encode(const char *description, const char *name, uint8_t *bytes,
                             size_t capacity)
{
    struct output out = begin(NULL, bytes, capacity);

    put_text(&out, INFORMATION_DESCRIPTION, description);
    put_text(&out, INFORMATION_NAME, name);
    return end(&out, BMP_INITIATION);
}

size_t bmp_termination_encode(enum bmp_termination_reason reason, const char *text, uint8_t *bytes,
                              size_t capacity)
{
    struct output out = begin(NULL, bytes, capacity);

    put_text(&out, TERMINATION_STRING, text);
    put16(&out, TERMINATION_REASON);
    put16(&out, 2);
    put16(&out, (uint16_t)reason);
    return end(&out, BMP_TERMINATION);
}

size_t bmp_peer_up_encode(const struct bmp_peer *peer, const struct bmp_peer_up *up, uint8_t *bytes,
                          size_t capacity)
{
    struct output out = begin(peer, bytes, capacity);
    uint8_t local[16];

    place_address(&up->local_address, local);
    put(&out, local, sizeof(local));
    put16(&out, up->local_port);
    put16(&out, up->remote_port);
    put(&out, up->sent, up->sent_size);
    put(&out, up->received, up->received_size);
    put_text(&out, peer->type == BMP_PEER_LOC_RIB ? INFORMATION_TABLE : INFORMATION_STRING,
             up->name);
    return end(&out, BMP_PEER_UP);
}

static void put_notification(struct output *out, const struct bgp_error *error)
{
    uint8_t bytes[BGP_HEADER_SIZE + 2 + BGP_ERROR_DATA_MAX];
    size_t n = bgp_notification_encode(error, bytes, sizeof(bytes));

    put(out, bytes, n);
}

size_t bmp_peer_down_encode(const struct bmp_peer *peer, const struct bmp_peer_down *down,
                            uint8_t *bytes, size_t capacity)
{
    struct output out = begin(peer, bytes, capacity);
    uint8_t reason = (uint8_t)down->reason;

    put(&out, &reason, 1);
    if (down->reason == BMP_DOWN_SENT || down->reason == BMP_DOWN_RECEIVED)
        put_notification(&out, &down->error);
    else if (down->reason == BMP_DOWN_SILENT)
        put16(&out, down->event);
    else if (down->reason == BMP_DOWN_LOC_RIB)
        put_text(&out, INFORMATION_TABLE, down->name);
    return end(&out, BMP_PEER_DOWN);
}

void bmp_route_header(const struct bmp_peer *peer, size_t update_size, uint8_t *bytes)
{
    place_common(bytes, BMP_ROUTE_MONITORING, BMP_ROUTE_SIZE + update_size);
    place_peer(bytes + BMP_COMMON_SIZE, peer);
}

/* --- Statistics ------------------------------------------------------------------------------- */

void bmp_statistics_begin(struct bmp_statistics_writer *writer, const struct bmp_peer *peer,
                          uint8_t *bytes, size_t capacity)
{
    struct output out = begin(peer, bytes, capacity);

    put(&out, "\0\0\0", 4); /* their number, in the end */
    *writer = (struct bmp_statistics_writer){
        .bytes = bytes, .at = out.at, .capacity = capacity, .full = out.full};
}

static bool is_by_family(enum bmp_statistic type)
{
    return type == BMP_STATISTIC_ADJ_RIB_IN_FAMILY || type == BMP_STATISTIC_LOC_RIB_FAMILY ||
           type == BMP_STATISTIC_ADJ_RIB_OUT_FAMILY;
}

void bmp_statistics_add(struct bmp_statistics_writer *writer, enum bmp_statistic type,
                        enum bgp_family family, uint64_t value)
{
    struct output out = {.bytes = writer->bytes,
                         .at = writer->at,
                         .capacity = writer->capacity,
                         .full = writer->full};
    uint8_t octets[8], which[3] = {0, 0, bgp_family_info(family)->safi};
    bool counter = type == BMP_STATISTIC_TREATED_AS_WITHDRAW; /* 32 bits, which may turn over */

    bytes_put16(which, bgp_family_info(family)->afi);
    bytes_put64(octets, value);
    put16(&out, (uint16_t)type);
    put16(&out, (uint16_t)((counter ? 4 : 8) + (is_by_family(type) ? sizeof(which) : 0)));
    if (is_by_family(type))
        put(&out, which, sizeof(which));
    put(&out, counter ? octets + 4 : octets, counter ? 4 : 8);
    writer->at = out.at;
    writer->full = out.full;
    writer->n++;
}

size_t bmp_statistics_end(struct bmp_statistics_writer *writer)
{
    const struct output out = {.bytes = writer->bytes,
                               .at = writer->at,
                               .capacity = writer->capacity,
                               .full = writer->full};

    if (!out.full)
        bytes_put32(writer->bytes + BMP_ROUTE_SIZE, writer->n);
    return end(&out, BMP_STATISTICS_REPORT);
}
