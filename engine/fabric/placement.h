/*
 * Which host has what, where a fabric spreads over several: whose ports these are, where NICs run, and
 * how hosts reach each other's NICs.
 *
 * All hosts load the same file. fabric.here says which one this is; without it the fabric is all in
 * one place. A port belongs to the host that it names, else to that whose tunnel end point is its
 * address, else to the host of the NICs on it; to no host in particular: every host has one like it.
 * A NIC runs where it says, else where its port is.
 */
#ifndef ENGINE_FABRIC_PLACEMENT_H
#define ENGINE_FABRIC_PLACEMENT_H

#include "engine/fabric/model.h"

struct fabric_placement {
    const struct fabric *fabric;
    uint32_t here;       /* index in fabric.hosts, or FABRIC_NONE: all in one place */
    uint32_t *port_host; /* [fabric.ports_count]: index in fabric.hosts, or FABRIC_NONE */
    uint32_t underlay;   /* this host's port towards the others, or FABRIC_NONE */
};

/* The host of that name, or FABRIC_NONE. */
uint32_t fabric_find_host(const struct fabric *fabric, const char *name);
/* This process is that host; FABRIC_NONE: all of them in one. */
void fabric_stand_on(struct fabric *fabric, uint32_t host);

/* -ENOMEM: nothing to close. fabric is borrowed. */
int fabric_placement_open(struct fabric_placement *placement, const struct fabric *fabric);
void fabric_placement_close(struct fabric_placement *placement);

/* Where a NIC runs, or FABRIC_NONE: everywhere, which is where the fabric is in one place. */
uint32_t fabric_placement_nic_host(const struct fabric_placement *placement, uint32_t nic);
/* Does this process open the port? */
bool fabric_placement_has_port(const struct fabric_placement *placement, uint32_t port);
/* Does it forward for the NIC? */
bool fabric_placement_has_nic(const struct fabric_placement *placement, uint32_t nic);
/* The port by which this host reaches the NIC of another, or FABRIC_NONE. */
uint32_t fabric_placement_way(const struct fabric_placement *placement, uint32_t nic);

/* Its VNI among hosts: from the file, or made from the name of its VNet, never 0. */
uint32_t fabric_nic_vni(const struct fabric *fabric, uint32_t nic);
/* The same for what is in no VNet, by its own name. */
uint32_t fabric_name_vni(const char *name);

#endif
