/*
 * See placement.h. Explicit words come first, then addresses, then what NICs say of their port, so that
 * most files need no `host` on a port.
 */
#include "engine/fabric/placement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VNI_MAX 0xffffffu

uint32_t fabric_find_host(const struct fabric *fabric, const char *name)
{
    for (uint32_t i = 0; i < fabric->hosts_count; i++)
        if (strcmp(fabric->hosts[i].name, name) == 0)
            return i;
    return FABRIC_NONE;
}

void fabric_stand_on(struct fabric *fabric, uint32_t host)
{
    fabric->here = host == FABRIC_NONE ? 0 : host + 1;
}

static uint32_t host_of_address(const struct fabric *fabric, const struct lpm_address *address)
{
    for (uint32_t i = 0; address->family != 0 && i < fabric->hosts_count; i++)
        if (lpm_address_equal(&fabric->hosts[i].vtep, address))
            return i;
    return FABRIC_NONE;
}

static void place_ports(struct fabric_placement *placement)
{
    const struct fabric *fabric = placement->fabric;

    for (uint32_t i = 0; i < fabric->ports_count; i++) {
        const struct fabric_port *port = &fabric->ports[i];

        placement->port_host[i] = fabric->hosts_count == 0 ? FABRIC_NONE
                                  : port->host != FABRIC_NONE
                                      ? port->host
                                      : host_of_address(fabric, &port->address);
    }
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[i];

        if (nic->port != FABRIC_NONE && nic->host != FABRIC_NONE &&
            placement->port_host[nic->port] == FABRIC_NONE)
            placement->port_host[nic->port] = nic->host;
    }
}

/* The first with the host's own end point; else the first of its ports that has an address. */
static uint32_t find_underlay(const struct fabric_placement *placement)
{
    const struct fabric *fabric = placement->fabric;
    uint32_t found = FABRIC_NONE;

    for (uint32_t i = 0; placement->here != FABRIC_NONE && i < fabric->ports_count; i++) {
        if (fabric->ports[i].address.family == 0 || placement->port_host[i] != placement->here)
            continue;
        if (lpm_address_equal(&fabric->ports[i].address, &fabric->hosts[placement->here].vtep))
            return i;
        if (found == FABRIC_NONE)
            found = i;
    }
    return found;
}

int fabric_placement_open(struct fabric_placement *placement, const struct fabric *fabric)
{
    *placement = (struct fabric_placement){
        .fabric = fabric,
        .here = fabric->here == 0 ? FABRIC_NONE : fabric->here - 1,
        .port_host = calloc((size_t)fabric->ports_count + 1, sizeof(*placement->port_host)),
    };
    if (!placement->port_host)
        return -ENOMEM;
    place_ports(placement);
    placement->underlay = find_underlay(placement);
    return 0;
}

void fabric_placement_close(struct fabric_placement *placement)
{
    free(placement->port_host);
    placement->port_host = NULL;
}

uint32_t fabric_placement_nic_host(const struct fabric_placement *placement, uint32_t nic)
{
    const struct fabric_nic *record = &placement->fabric->nics[nic];

    if (record->host != FABRIC_NONE || record->port == FABRIC_NONE)
        return record->host;
    return placement->port_host[record->port];
}

static bool is_here(const struct fabric_placement *placement, uint32_t host)
{
    return placement->here == FABRIC_NONE || host == FABRIC_NONE || host == placement->here;
}

bool fabric_placement_has_port(const struct fabric_placement *placement, uint32_t port)
{
    return is_here(placement, placement->port_host[port]);
}

bool fabric_placement_has_nic(const struct fabric_placement *placement, uint32_t nic)
{
    return is_here(placement, fabric_placement_nic_host(placement, nic));
}

uint32_t fabric_placement_way(const struct fabric_placement *placement, uint32_t nic)
{
    const struct fabric_nic *record = &placement->fabric->nics[nic];

    if (record->underlay_port != FABRIC_NONE &&
        placement->port_host[record->underlay_port] == placement->here)
        return record->underlay_port;
    return placement->underlay;
}

/* FNV-1a, folded to 24 bits. Two VNets of one VNI do no harm: MACs are one NIC's alone. */
uint32_t fabric_name_vni(const char *name)
{
    uint32_t hash = UINT32_C(0x811c9dc5);

    for (const char *c = name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * UINT32_C(0x01000193);
    hash = (hash ^ hash >> 24) & VNI_MAX;
    return hash ? hash : 1;
}

uint32_t fabric_nic_vni(const struct fabric *fabric, uint32_t nic)
{
    const struct fabric_nic *record = &fabric->nics[nic];

    return record->vni ? record->vni : fabric_name_vni(fabric->vnets[record->vnet].name);
}
