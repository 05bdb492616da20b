/*
 * Tables of keys: how the TCP connections of a session are made.
 */
#include "engine/fabric/schema.h"

static const struct fabric_word connects[] = {
    {"either", FABRIC_CONNECT_EITHER},
    {"active", FABRIC_CONNECT_ACTIVE},
    {"passive", FABRIC_CONNECT_PASSIVE},
    {NULL, 0},
};

static const struct fabric_key transport_keys[] = {
    {.name = "connect",
     .type = FABRIC_TYPE_WORD,
     .words = connects,
     FABRIC_FIELD(fabric_transport, connect),
     .fallback = "either"},
    {.name = "ttl",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 255,
     FABRIC_FIELD(fabric_transport, ttl),
     .fallback = "255"},
    {.name = "ttl_security_hops",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 254,
     FABRIC_FIELD(fabric_transport, ttl_security_hops),
     .otherwise = "off"},
    {.name = "port",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 65535,
     FABRIC_FIELD(fabric_transport, port),
     .otherwise = "179, or --bgp-port"},
    {.name = "local_addresses",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIXED(fabric_transport, local_addresses, 1, 2),
     .count_offset = offsetof(struct fabric_transport, local_address_count),
     .otherwise = "those of the route server"},
    {.name = "interface",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_transport, interface),
     .otherwise = "none"},
};
const struct fabric_schema fabric_schema_transport = {
    .title = "route_servers.peers.transport", .word = "transport", FABRIC_KEYS(transport_keys)};
