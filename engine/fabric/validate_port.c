/*
 * Ports and what hangs on them.
 *
 * A frame must say which NIC sent it. A port therefore carries either one NIC, or several that
 * differ in their VLAN id, or several untagged ones that differ in their MAC; for the last the
 * file has to give every MAC, since what the guests really use cannot be guessed. The internet, a
 * route server and a gateway each take a port of their own.
 */
#include "engine/fabric/placement.h"
#include "engine/fabric/validate.h"

#include <string.h>

/* --- NICs on ports ---------------------------------------------------------------------------- */

/* By port, untagged ones first. */
static int attachment_compare(const void *a, const void *b)
{
    const struct fabric_nic *left = a, *right = b;

    if (left->port != right->port)
        return left->port < right->port ? -1 : 1;
    return (int)left->vlan - (int)right->vlan;
}

static void check_attachment_keys(struct fabric_loader *loader, const struct fabric_nic *nic)
{
    if (nic->vlan != 0 && nic->port == FABRIC_NONE)
        FABRIC_ERROR(loader, fabric_place_of(loader, &nic->vlan, &nic->place),
                     "nics[%s].vlan: needs a port", nic->name);
}

/* Two NICs of one port, the earlier one by VLAN first. */
static void check_neighbours(struct fabric_loader *loader, const struct fabric_nic *before,
                             const struct fabric_nic *nic)
{
    const char *port = loader->fabric->ports[nic->port].name;
    const struct fabric_place *place = fabric_place_of(loader, &nic->port, &nic->place);

    if (nic->vlan != 0 && nic->vlan == before->vlan)
        FABRIC_ERROR(loader, fabric_place_of(loader, &nic->vlan, place),
                     "nics[%s].vlan: VLAN %u of port '%s' is taken by NIC '%s' (%s:%u)", nic->name,
                     nic->vlan, port, before->name, before->place.file, before->place.line);
    else if (nic->vlan != 0 && before->vlan == 0)
        FABRIC_ERROR(loader, place,
                     "nics[%s].port: port '%s' carries NIC '%s' untagged (%s:%u); give each NIC of "
                     "it a vlan",
                     nic->name, port, before->name, before->place.file, before->place.line);
    else if (nic->vlan == 0 &&
             (!fabric_noted(loader, nic->mac) || !fabric_noted(loader, before->mac)))
        FABRIC_ERROR(loader, place,
                     "nics[%s].port: port '%s' carries NIC '%s' as well (%s:%u); give each NIC of "
                     "it a vlan of its own, or each a mac",
                     nic->name, port, before->name, before->place.file, before->place.line);
}

static void check_attachments(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    const void **nics = fabric_sorted(loader, fabric->nics, fabric->nics_count,
                                      sizeof(*fabric->nics), attachment_compare);

    for (uint32_t i = 0; nics && i < fabric->nics_count; i++) {
        const struct fabric_nic *nic = nics[i], *before = i > 0 ? nics[i - 1] : NULL;

        check_attachment_keys(loader, nic);
        if (before && nic->port != FABRIC_NONE && nic->port == before->port)
            check_neighbours(loader, before, nic);
    }
}

/* --- Ports with one user ---------------------------------------------------------------------- */

struct port_user {
    const char *kind, *name;
    const struct fabric_place *place;
};

struct port_users {
    struct fabric_loader *loader;
    struct port_user *of; /* by port */
};

/* The first to come has the port; whoever comes later is told of it. */
static void claim_port(struct port_users *users, uint32_t port, const char *kind, const char *name,
                       const struct fabric_place *place)
{
    struct port_user *user = port == FABRIC_NONE ? NULL : &users->of[port];

    if (!user)
        return;
    if (user->kind)
        FABRIC_ERROR(users->loader, place,
                     "%s '%s': port '%s' belongs to %s '%s' (%s:%u) and cannot be shared", kind,
                     name, users->loader->fabric->ports[port].name, user->kind, user->name,
                     user->place->file, user->place->line);
    else
        *user = (struct port_user){.kind = kind, .name = name, .place = place};
}

/* NICs come last and claim nothing: among themselves they may share (check_neighbours()). */
static void check_single_users(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    struct port_users users = {
        .loader = loader,
        .of = fabric_arena_array(&loader->tree, fabric->ports_count, sizeof(*users.of)),
    };

    if (!users.of) {
        loader->out_of_memory = true;
        return;
    }
    claim_port(&users, fabric->internet.port, "the internet of fabric", fabric->name,
               &fabric->internet.place);
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        claim_port(&users, fabric->route_servers[i].port, "route server",
                   fabric->route_servers[i].name, &fabric->route_servers[i].place);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        claim_port(&users, fabric->gateways[i].port, "gateway", fabric->gateways[i].name,
                   &fabric->gateways[i].place);
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        if (fabric->nics[i].port != FABRIC_NONE && users.of[fabric->nics[i].port].kind)
            claim_port(&users, fabric->nics[i].port, "NIC", fabric->nics[i].name,
                       fabric_place_of(loader, &fabric->nics[i].port, &fabric->nics[i].place));
}

/* --- Devices ---------------------------------------------------------------------------------- */

static int device_compare(const void *a, const void *b)
{
    const struct fabric_port *left = a, *right = b;
    int order = strcmp(left->device, right->device);

    return order ? order
                 : strcmp(left->options ? left->options : "", right->options ? right->options : "");
}

static void check_device(struct fabric_loader *loader, const uint32_t *host,
                         const struct fabric_port *port, const struct fabric_port *before)
{
    const struct fabric_port *first = loader->fabric->ports;

    if (host[port - first] != host[before - first])
        return;
    FABRIC_ERROR(loader, fabric_place_of(loader, &port->device, &port->place),
                 "ports[%s].device: '%s' with the same options is port '%s' (%s:%u)", port->name,
                 port->device, before->name, before->place.file, before->place.line);
}

/* Opening one device twice fails late and in the driver's words, or, worse, works. Hosts may well call
 * theirs alike. */
static void check_devices(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    const void **ports = fabric_sorted(loader, fabric->ports, fabric->ports_count,
                                       sizeof(*fabric->ports), device_compare);
    struct fabric_placement placement;

    if (fabric_placement_open(&placement, fabric)) {
        loader->out_of_memory = true;
        return;
    }
    for (uint32_t i = 1; ports && i < fabric->ports_count; i++)
        for (uint32_t j = i; j-- > 0 && device_compare(ports[i], ports[j]) == 0;)
            check_device(loader, placement.port_host, ports[i], ports[j]);
    fabric_placement_close(&placement);
}

/* A router on the link may well have no other address than that of the link. */
static const char *why_no_router(const struct lpm_address *address)
{
    struct lpm_prefix all = {.family = address->family,
                             .length = address->family == LPM_IPV4 ? 32 : 128};
    memcpy(all.bytes, address->bytes, sizeof(all.bytes));
    const struct fabric_unroutable *range = fabric_unroutable_find(&all);
    bool of_link = address->family == LPM_IPV4
                       ? address->bytes[0] == 169 && address->bytes[1] == 254
                       : fabric_is_link_local(address);

    return range && !of_link ? range->why : NULL;
}

/* Its next hop is asked for from source_nat, and cannot be that. */
static void check_internet(struct fabric_loader *loader, const struct fabric_internet *internet)
{
    const struct fabric_place *mac = fabric_place_of(loader, internet->mac, NULL);
    const struct fabric_place *next_hop =
        fabric_place_of(loader, &internet->next_hop, &internet->place);

    if (mac)
        fabric_check_mac(loader, mac, "internet.mac", internet->mac);
    if (internet->next_hop.family == 0)
        return;
    if (why_no_router(&internet->next_hop))
        FABRIC_ERROR(loader, next_hop, "internet.next_hop: %s %s",
                     FABRIC_ADDRESS(&internet->next_hop), why_no_router(&internet->next_hop));
    if (lpm_address_equal(&internet->next_hop, &internet->source_nat))
        FABRIC_ERROR(loader, next_hop,
                     "internet.next_hop: %s is source_nat, which is an address of the fabric's own",
                     FABRIC_ADDRESS(&internet->next_hop));
}

void fabric_validate_ports(struct fabric_loader *loader)
{
    const struct fabric_internet *internet = &loader->fabric->internet;

    check_attachments(loader);
    check_single_users(loader);
    check_devices(loader);
    if (internet->present)
        check_internet(loader, internet);
}
