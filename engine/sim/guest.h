/*
 * What a modelled router does with a packet that the fabric hands to one of its NICs: the forwarding
 * half of `routers:`, beside its BGP half (router.h).
 *
 * A guest's next hop is of no consequence: whatever it is, the frame goes to the fabric, which routes
 * it by its destination at the NIC that sent it. So what the guest decides is the NIC, and what it
 * changes of the packet: the TTL, and the source if it translates.
 */
#ifndef ENGINE_SIM_GUEST_H
#define ENGINE_SIM_GUEST_H

#include "engine/fabric/model.h"

/* The NIC of router from which it sends to destination what came in at NIC `in`: the one whose subnet
 * holds the destination; else the one on the way of its longest static route; else `in`. */
uint32_t guest_output(const struct fabric *fabric, uint32_t router, uint32_t in,
                      const struct lpm_address *destination);

/* The NIC's first address of that family; family 0: it has none. */
struct lpm_address guest_address(const struct fabric *fabric, uint32_t nic, uint8_t family);

/* Is address one of the NIC's own? */
bool guest_owns(const struct fabric *fabric, uint32_t nic, const struct lpm_address *address);

#endif
