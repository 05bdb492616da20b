/*
 * Hosts: what one of them has must not be another's, and all must be able to reach each other.
 */
#include "engine/fabric/placement.h"
#include "engine/fabric/validate.h"

static int vtep_compare(const void *a, const void *b)
{
    const struct fabric_host *left = a, *right = b;

    return lpm_address_compare(&left->vtep, &right->vtep);
}

/* Packets for one host would go to another, or not at all. */
static void check_end_points(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    const void **hosts = fabric_sorted(loader, fabric->hosts, fabric->hosts_count,
                                       sizeof(*fabric->hosts), vtep_compare);

    for (uint32_t i = 1; hosts && i < fabric->hosts_count; i++) {
        const struct fabric_host *host = hosts[i], *before = hosts[i - 1];
        const struct fabric_place *place = fabric_place_of(loader, &host->vtep, &host->place);

        if (vtep_compare(host, before) == 0)
            FABRIC_ERROR(loader, place, "hosts[%s].vtep: %s is that of host '%s' (%s:%u)",
                         host->name, FABRIC_ADDRESS(&host->vtep), before->name, before->place.file,
                         before->place.line);
        else if (host->vtep.family != before->vtep.family)
            FABRIC_ERROR(loader, place,
                         "hosts[%s].vtep: %s is of another family than that of host '%s' (%s:%u)",
                         host->name, FABRIC_ADDRESS(&host->vtep), before->name, before->place.file,
                         before->place.line);
    }
}

static void check_underlay(struct fabric_loader *loader, const struct fabric_nic *nic)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_place *place = fabric_place_of(loader, &nic->underlay_port, &nic->place);
    const struct fabric_port *port = &fabric->ports[nic->underlay_port];

    if (nic->host == FABRIC_NONE && nic->port != FABRIC_NONE)
        FABRIC_ERROR(loader, place,
                     "nics[%s]: hangs on a port or on an underlay; on both only with a host, whose "
                     "port that is",
                     nic->name);
    if (port->address.family == 0)
        FABRIC_ERROR(loader, place,
                     "nics[%s].underlay.port: port '%s' (%s:%u) has no address, which is the own "
                     "end of its tunnels",
                     nic->name, port->name, port->place.file, port->place.line);
}

/* Whoever is asked second is told of it. */
static void check_places(struct fabric_loader *loader, const struct fabric_placement *placement)
{
    const struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[i];

        if (nic->underlay_port != FABRIC_NONE)
            check_underlay(loader, nic);
        if (nic->port == FABRIC_NONE || nic->host == FABRIC_NONE ||
            placement->port_host[nic->port] == nic->host)
            continue;
        FABRIC_ERROR(loader, fabric_place_of(loader, &nic->host, &nic->place),
                     "nics[%s].host: '%s', but its port '%s' is of host '%s'", nic->name,
                     fabric->hosts[nic->host].name, fabric->ports[nic->port].name,
                     fabric->hosts[placement->port_host[nic->port]].name);
    }
}

static void check_port(struct fabric_loader *loader, const struct fabric_port *port)
{
    const struct fabric *fabric = loader->fabric;

    if (port->next_hop.family != 0 && port->address.family == 0)
        FABRIC_ERROR(loader, fabric_place_of(loader, &port->next_hop, &port->place),
                     "ports[%s].next_hop: needs an address, the own end of tunnels", port->name);
    else if (port->next_hop.family != 0 && port->next_hop.family != port->address.family)
        FABRIC_ERROR(loader, fabric_place_of(loader, &port->next_hop, &port->place),
                     "ports[%s].next_hop: %s is of another family than its address", port->name,
                     FABRIC_ADDRESS(&port->next_hop));
    if (port->address.family != 0 && fabric->hosts_count > 0 &&
        port->address.family != fabric->hosts[0].vtep.family)
        FABRIC_ERROR(loader, fabric_place_of(loader, &port->address, &port->place),
                     "ports[%s].address: %s is of another family than the end points of hosts",
                     port->name, FABRIC_ADDRESS(&port->address));
}

void fabric_validate_hosts(struct fabric_loader *loader)
{
    struct fabric_placement placement;

    check_end_points(loader);
    for (uint32_t i = 0; i < loader->fabric->ports_count; i++)
        check_port(loader, &loader->fabric->ports[i]);
    if (fabric_placement_open(&placement, loader->fabric)) {
        loader->out_of_memory = true;
        return;
    }
    check_places(loader, &placement);
    fabric_placement_close(&placement);
}
