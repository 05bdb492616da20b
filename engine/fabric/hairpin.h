/*
 * Does a route lead a box back to itself?
 *
 * An appliance's NIC may hold a route to a prefix whose next hop is that NIC: its own announcement, come back.
 * That is a loop where the appliance sends such packets out of that NIC again, and none where they leave
 * it another way: into a tunnel, over a line or another NIC, or with another destination.
 *
 * Pure. Judged by what the file says of the box (routers); without a word there the worst is assumed.
 */
#ifndef ENGINE_FABRIC_HAIRPIN_H
#define ENGINE_FABRIC_HAIRPIN_H

#include "engine/fabric/model.h"
#include "engine/rib/speaker.h"

/* Would the box behind nic send what is for prefix out of nic again? path is how it announced prefix to
 * the route server. */
bool fabric_hairpins(const struct fabric *fabric, uint32_t nic, uint32_t route_server,
                     const struct lpm_prefix *prefix, const struct rib_path *path);

#endif
