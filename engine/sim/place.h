/*
 * Where a packet begins, is, or ends: one number for NICs, modelled routers and the hosts behind them.
 *
 *   [0, NICs)  [NICs, + routers)  [+ all hosts, router by router)  …  PLACE_INTERNET, FABRIC_NONE
 */
#ifndef ENGINE_SIM_PLACE_H
#define ENGINE_SIM_PLACE_H

#include "engine/fabric/model.h"

/* Beyond next hop type Internet. */
#define PLACE_INTERNET (FABRIC_NONE - 1)

enum place_kind { PLACE_NOWHERE, PLACE_NIC, PLACE_ROUTER, PLACE_HOST, PLACE_IN_INTERNET };

uint32_t place_of_router(const struct fabric *fabric, uint32_t router);
uint32_t place_of_host(const struct fabric *fabric, uint32_t router, uint32_t host);

/* What place is; *router becomes that of a router or host (of a NIC: its owner, or FABRIC_NONE), *host
 * the host's index there. Both may be NULL. */
enum place_kind place_kind(const struct fabric *fabric, uint32_t place, uint32_t *router,
                           uint32_t *host);
/* Of a NIC its router's or gateway's, where it has one. "internet"; never NULL. */
const char *place_name(const struct fabric *fabric, uint32_t place);
/* The name of what stands in the file there: of a NIC its own. */
const char *place_object(const struct fabric *fabric, uint32_t place);
/* The place of this name: a NIC, a host, or FABRIC_NONE. */
uint32_t place_find(const struct fabric *fabric, const char *name);
/* The first address of a family at a NIC or host; family 0: none. */
struct lpm_address place_address(const struct fabric *fabric, uint32_t place, uint8_t family);

#endif
