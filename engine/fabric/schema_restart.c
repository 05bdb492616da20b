/*
 * Tables of keys: graceful restart of a session (RFC 4724, RFC 8538, RFC 9494).
 */
#include "engine/fabric/schema.h"

static const struct fabric_key graceful_restart_keys[] = {
    {.name = "enabled",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_graceful_restart, enabled),
     .fallback = "true",
     .otherwise = "true; false in azure mode"},
    {.name = "restart_seconds",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 4095,
     FABRIC_FIELD(fabric_graceful_restart, restart_seconds),
     .fallback = "120"},
    {.name = "stale_seconds",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 86400,
     FABRIC_FIELD(fabric_graceful_restart, stale_seconds),
     .fallback = "360"},
    {.name = "forwarding",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_graceful_restart, forwarding),
     .fallback = "true"},
    {.name = "long_lived_seconds",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 16777215,
     FABRIC_FIELD(fabric_graceful_restart, long_lived_seconds),
     .fallback = "0"},
};
const struct fabric_schema fabric_schema_graceful_restart = {
    .title = "route_servers.peers.graceful_restart",
    .word = "graceful restart",
    FABRIC_KEYS(graceful_restart_keys)};
