/*
 * The flow of a packet on the express way: without options or extension headers, in one piece.
 */
#ifndef DATAPLANE_EXPRESS_FLOW_H
#define DATAPLANE_EXPRESS_FLOW_H

#include "dataplane/hash.h"
#include "dataplane/plain.h"

/* Its ports; 0 where it has none. total: length of the IP packet. */
static inline void dp_express_ports(const uint8_t *ip, uint8_t family, uint32_t total,
                                    uint16_t ports[2])
{
    const bool four = family == LPM_IPV4;
    const unsigned header = four ? 20 : 40;
    const bool has = dp_protocol_has_ports(four ? ip[9] : ip[6]) && total >= header + 4;

    ports[0] = has ? dp_load2(ip + header) : 0;
    ports[1] = has ? dp_load2(ip + header + 2) : 0;
}

/* fields: without DP_HASH_INNER. */
static inline uint32_t dp_express_hash(const uint8_t *ip, uint8_t family, const uint16_t ports[2],
                                       unsigned fields, uint32_t salt)
{
    const bool four = family == LPM_IPV4;
    const uint8_t *source = ip + (four ? 12 : 8), *destination = ip + (four ? 16 : 24);
    const uint32_t label = four ? 0 : dp_load4(ip) & 0xfffff;

    return dp_flow_hash_fields(family, source, destination, ports[0], ports[1],
                               four ? ip[9] : ip[6], label, fields, salt);
}

#endif
