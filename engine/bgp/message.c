/*
 * What all messages share, and the short ones: header, KEEPALIVE, ROUTE-REFRESH. OPEN is in
 * open.c, UPDATE in update_read.c and update_write.c, NOTIFICATION in error.c.
 *
 *     marker(16, all ones) length(2) type(1) body
 */
#include "engine/bgp/message_private.h"

/* The shortest message of each type, and whether RFC 8654 lets it be longer than 4,096 octets. */
static const struct {
    const char *name;
    uint16_t minimum, maximum;
} types[BGP_MESSAGE_TYPES] = {
    [BGP_OPEN] = {"OPEN", 29, BGP_MESSAGE_MAX},
    [BGP_UPDATE] = {"UPDATE", 23, BGP_EXTENDED_MESSAGE_MAX},
    [BGP_NOTIFICATION] = {"NOTIFICATION", 21, BGP_EXTENDED_MESSAGE_MAX},
    [BGP_KEEPALIVE] = {"KEEPALIVE", BGP_HEADER_SIZE, BGP_HEADER_SIZE},
    [BGP_ROUTE_REFRESH] = {"ROUTE-REFRESH", 23, BGP_EXTENDED_MESSAGE_MAX},
};

const char *bgp_message_type_text(unsigned type)
{
    return type > 0 && type < BGP_MESSAGE_TYPES ? types[type].name : "message of unknown type";
}

/* In the order of RFC 4271 section 6.1. A wrong marker mostly means that it is not BGP at all, or
 * that a length was misread before; neither end can find its place in the stream again. */
bool bgp_header_decode(const uint8_t *bytes, size_t maximum, struct bgp_header *header,
                       struct bgp_error *error)
{
    uint64_t marker[2];
    memcpy(marker, bytes, sizeof marker);
    if ((marker[0] & marker[1]) != UINT64_MAX) {
        bgp_error_set(error, BGP_ERROR_HEADER, BGP_HEADER_NOT_SYNCHRONIZED, NULL, 0);
        return false;
    }
    header->length = bytes_get16(bytes + 16);
    header->type = bytes[18];
    if (header->length < BGP_HEADER_SIZE || header->length > maximum) {
        bgp_error_set(error, BGP_ERROR_HEADER, BGP_HEADER_BAD_LENGTH, bytes + 16, 2);
        return false;
    }
    if (header->type == 0 || header->type >= BGP_MESSAGE_TYPES) {
        bgp_error_set(error, BGP_ERROR_HEADER, BGP_HEADER_BAD_TYPE, bytes + 18, 1);
        return false;
    }
    if (header->length < types[header->type].minimum ||
        header->length > types[header->type].maximum) {
        bgp_error_set(error, BGP_ERROR_HEADER, BGP_HEADER_BAD_LENGTH, bytes + 16, 2);
        return false;
    }
    return true;
}

size_t bgp_keepalive_encode(uint8_t *bytes, size_t capacity)
{
    if (capacity < BGP_HEADER_SIZE) {
        return 0;
    }
    message_header_put(bytes, BGP_HEADER_SIZE, BGP_KEEPALIVE);
    return BGP_HEADER_SIZE;
}

size_t bgp_refresh_encode(const struct bgp_refresh *refresh, uint8_t *bytes, size_t capacity)
{
    if (capacity < 23) {
        return 0;
    }
    message_header_put(bytes, 23, BGP_ROUTE_REFRESH);
    bytes_put16(bytes + 19, refresh->afi);
    bytes[21] = refresh->subtype;
    bytes[22] = refresh->safi;
    return 23;
}

/* With ORF (RFC 5291) it could be longer, but we never offer that. */
bool bgp_refresh_decode(const uint8_t *bytes, size_t length, struct bgp_refresh *refresh,
                        struct bgp_error *error)
{
    if (length != 23) { /* RFC 7313 section 5: the whole message is the data */
        bgp_error_set(error, BGP_ERROR_ROUTE_REFRESH, BGP_REFRESH_BAD_LENGTH, bytes, length);
        return false;
    }
    refresh->afi = bytes_get16(bytes + 19);
    refresh->subtype = bytes[21];
    refresh->safi = bytes[22];
    return true;
}
