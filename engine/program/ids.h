/*
 * Ids of the data plane for what stands in the fabric: NICs, VNets and ports. Internal to this room.
 *
 *   at the start     ids in the order of the fabric
 *   another reading  who was there before keeps his id, found by name; newcomers get ids that nobody
 *                    had, and when those are used up, ids of who left at an earlier reading
 *
 * So a worker that still holds what was in force before never finds another NIC under an id, and
 * counters and attachments of what stays go on.
 */
#ifndef ENGINE_PROGRAM_IDS_H
#define ENGINE_PROGRAM_IDS_H

#include "dataplane/dataplane.h"
#include "engine/fabric/model.h"

#define PROGRAM_UNDERLAY_NIC (DP_NIC_INTERNET + 1) /* counts what other hosts decided */
#define PROGRAM_FIRST_NIC    (DP_NIC_INTERNET + 2)
#define PROGRAM_FIRST_VNET   1u

struct program_ids {
    const struct fabric *fabric;
    uint32_t *nics, *vnets, *ports; /* by index of the fabric */
    uint32_t *nic_of;               /* by id - PROGRAM_FIRST_NIC: index, or FABRIC_NONE */
    /* Nobody ever had an id from here on. */
    uint32_t nic_limit, vnet_limit, port_limit;
};

/* like: those of the reading before; NULL: none. -ENOMEM; -ENOSPC: the forwarding has no room for so
 * many. */
int program_ids_open(struct program_ids **ids, const struct fabric *fabric,
                     const struct dp_forwarding *forwarding, const struct program_ids *like);
void program_ids_close(struct program_ids *ids); /* NULL is allowed */

uint32_t program_ids_nic_of(const struct program_ids *ids, uint32_t id); /* or FABRIC_NONE */
uint32_t program_ids_vnet_of(const struct program_ids *ids, uint32_t id);

#endif
