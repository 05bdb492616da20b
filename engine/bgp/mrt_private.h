/* What the files about MRT share: numbers of the format, and fields. Inside engine/bgp only. */
#ifndef ENGINE_BGP_MRT_PRIVATE_H
#define ENGINE_BGP_MRT_PRIVATE_H

#include "engine/bgp/bytes.h"
#include "lpm/lpm.h"

enum { /* subtypes of TABLE_DUMP_V2: RFC 6396 4.3, RFC 8050 4 */
       PEER_INDEX_TABLE = 1,
       RIB_IPV4_UNICAST = 2,
       RIB_IPV4_MULTICAST = 3,
       RIB_IPV6_UNICAST = 4,
       RIB_IPV6_MULTICAST = 5,
       RIB_GENERIC = 6,
       RIB_IPV4_UNICAST_ADDPATH = 8,
       RIB_IPV6_UNICAST_ADDPATH = 10,
};

enum { /* subtypes of BGP4MP: RFC 6396 4.4, RFC 8050 3 */
       STATE_CHANGE = 0,
       MESSAGE = 1,
       MESSAGE_AS4 = 4,
       STATE_CHANGE_AS4 = 5,
       MESSAGE_LOCAL = 6,
       MESSAGE_AS4_LOCAL = 7,
       MESSAGE_ADDPATH = 8,
       MESSAGE_AS4_ADDPATH = 9,
       MESSAGE_LOCAL_ADDPATH = 10,
       MESSAGE_AS4_LOCAL_ADDPATH = 11,
};

enum { /* bits of a peer's type in the peer index */
       PEER_IPV6 = 0x01,
       PEER_AS4 = 0x02,
};

/* False: cut short. octets: 2 or 4. */
bool mrt_take_address(struct bytes_reader *reader, enum lpm_family family,
                      struct lpm_address *address);
bool mrt_take_number(struct bytes_reader *reader, size_t octets, uint32_t *value);

#endif
