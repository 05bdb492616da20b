/*
 * NICs: addresses that lie in their subnet and belong to one NIC, MACs that are one machine's.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>
#include <string.h>

#define WHAT_TEXT 160

/* Two kinds of subnet belong to the fabric itself. */
static void check_addresses(struct fabric_loader *loader, const struct fabric_nic *nic)
{
    const struct fabric_subnet *subnet = &loader->fabric->subnets[nic->subnet];
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "nics[%s].addresses", nic->name);
    for (uint32_t i = 0; i < nic->addresses.n; i++)
        fabric_check_in_subnet(loader,
                               fabric_place_of(loader, &nic->addresses.items[i], &nic->place), what,
                               subnet, &nic->addresses.items[i]);
    if (strcmp(subnet->name, FABRIC_ROUTE_SERVER_SUBNET) == 0 ||
        strcmp(subnet->name, FABRIC_GATEWAY_SUBNET) == 0)
        FABRIC_ERROR(loader, fabric_place_of(loader, &nic->subnet, &nic->place),
                     "nics[%s].subnet: a %s holds no NICs", nic->name, subnet->name);
}

static const struct fabric_place *address_place(const struct fabric_loader *loader,
                                                const struct fabric_owner *owner)
{
    const struct fabric_nic *nic = &loader->fabric->nics[owner->nic];
    const struct fabric_place *place = &nic->place;

    /* The last one of a NIC that gives the same address twice is the one to take away. */
    for (uint32_t i = 0; i < nic->addresses.n; i++)
        if (lpm_address_equal(&nic->addresses.items[i], &owner->address))
            place = fabric_place_of(loader, &nic->addresses.items[i], &nic->place);
    return place;
}

/* fabric.owners stand in order, so equal ones stand side by side. */
static void check_duplicate_addresses(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;

    for (uint32_t i = 1; i < fabric->owner_count; i++) {
        const struct fabric_owner *owner = &fabric->owners[i], *before = owner - 1;
        const struct fabric_nic *nic = &fabric->nics[owner->nic];

        if (fabric_owner_compare(before, owner->vnet, &owner->address) != 0)
            continue;
        if (owner->nic == before->nic)
            FABRIC_ERROR(loader, address_place(loader, owner),
                         "nics[%s].addresses: %s stands twice", nic->name,
                         FABRIC_ADDRESS(&owner->address));
        else
            FABRIC_ERROR(loader, address_place(loader, owner),
                         "nics[%s].addresses: %s is taken by NIC '%s' (%s:%u)", nic->name,
                         FABRIC_ADDRESS(&owner->address), fabric->nics[before->nic].name,
                         fabric->nics[before->nic].place.file,
                         fabric->nics[before->nic].place.line);
    }
}

/* --- MACs ------------------------------------------------------------------------------------- */

static int mac_compare(const void *a, const void *b)
{
    const struct fabric_nic *left = a, *right = b;

    return memcmp(left->mac, right->mac, sizeof(left->mac));
}

static void check_duplicate_macs(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    const void **nics =
        fabric_sorted(loader, fabric->nics, fabric->nics_count, sizeof(*fabric->nics), mac_compare);

    for (uint32_t i = 1; nics && i < fabric->nics_count; i++) {
        const struct fabric_nic *nic = nics[i], *before = nics[i - 1];

        if (mac_compare(nic, before) == 0)
            FABRIC_ERROR(loader, fabric_place_of(loader, nic->mac, &nic->place),
                         "nics[%s].mac: %02x:%02x:%02x:%02x:%02x:%02x is taken by NIC '%s' (%s:%u)",
                         nic->name, nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4],
                         nic->mac[5], before->name, before->place.file, before->place.line);
    }
}

/* A guest with its gateway's MAC would talk to itself. */
static void check_own_mac(struct fabric_loader *loader, const struct fabric_nic *nic)
{
    const struct fabric_subnet *subnet = &loader->fabric->subnets[nic->subnet];
    const struct fabric_place *place = fabric_place_of(loader, nic->mac, &nic->place);
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "nics[%s].mac", nic->name);
    if (fabric_check_mac(loader, place, what, nic->mac) &&
        memcmp(nic->mac, subnet->gateway_mac, sizeof(nic->mac)) == 0)
        FABRIC_ERROR(loader, place, "%s: this is the gateway's MAC in subnet '%s'", what,
                     subnet->full_name);
}

void fabric_validate_nics(struct fabric_loader *loader)
{
    for (uint32_t i = 0; i < loader->fabric->nics_count; i++) {
        check_addresses(loader, &loader->fabric->nics[i]);
        check_own_mac(loader, &loader->fabric->nics[i]);
    }
    check_duplicate_addresses(loader);
    check_duplicate_macs(loader);
}
