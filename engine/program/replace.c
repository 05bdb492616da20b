/*
 * One program's NICs and VNets in place of another's, in the data plane.
 *
 *   VNets that are there now ──> NICs that are gone ──> NICs that are there now ──> addresses ──> VNets that
 *   are gone
 *
 * Who is in both has the same id (ids.h), so what a worker reads in between is the NIC, VNet or address of
 * before or of after, and never another's. A NIC that is what it was only gets its new FIBs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/internal.h"

struct replacement {
    const struct program *before, *now;
    struct program_nic_setting settings[2]; /* of before, of now */
    bool all;
    char *error;
};

/* --- NICs ------------------------------------------------------------------------------------- */

static bool addresses_equal(const struct dp_nic_config *a, const struct dp_nic_config *b)
{
    if (a->address_count != b->address_count || a->subnet_count != b->subnet_count)
        return false;
    for (unsigned i = 0; i < a->address_count; i++)
        if (!lpm_address_equal(&a->addresses[i], &b->addresses[i]))
            return false;
    for (unsigned i = 0; i < a->subnet_count; i++)
        if (!lpm_prefix_equal(&a->subnet[i], &b->subnet[i]))
            return false;
    return true;
}

static bool attachments_equal(const struct dp_attachment *a, const struct dp_attachment *b)
{
    return a->kind == b->kind && a->port == b->port && a->vlan == b->vlan && a->vni == b->vni &&
           (a->kind != DP_ATTACHMENT_VXLAN || lpm_address_equal(&a->remote, &b->remote));
}

/* But for the FIBs. */
static bool nics_equal(const struct dp_nic_config *a, const struct dp_nic_config *b)
{
    return strcmp(a->name, b->name) == 0 && a->vnet == b->vnet &&
           memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
           memcmp(a->gateway_mac, b->gateway_mac, sizeof(a->gateway_mac)) == 0 &&
           a->ip_forwarding == b->ip_forwarding && a->gateway == b->gateway &&
           a->hash_salt == b->hash_salt && a->mtu == b->mtu && a->mac_known == b->mac_known &&
           lpm_address_equal(&a->next_hop, &b->next_hop) &&
           attachments_equal(&a->attachment, &b->attachment) && addresses_equal(a, b);
}

/* Is a frame of the one known by other marks than a frame of the other? Alone on its port or known by its
 * MAC there is not much of a difference: the data plane lets no frame fall between the two. */
static bool moves(const struct dp_nic_config *a, const struct dp_nic_config *b)
{
    bool untagged = a->attachment.vlan == 0 && b->attachment.vlan == 0 && a->attachment.vni == 0 &&
                    b->attachment.vni == 0;
    return a->attachment.port != b->attachment.port || a->attachment.vlan != b->attachment.vlan ||
           (a->attachment.kind != b->attachment.kind && !untagged) ||
           a->attachment.vni != b->attachment.vni || memcmp(a->mac, b->mac, sizeof(a->mac)) != 0;
}

/* What NIC i was before, if it was there; room is to be freed. Returns 1, 0 or -errno. */
static int describe_before(const struct replacement *replacement, uint32_t i,
                           struct dp_nic_config *config, struct lpm_address **room)
{
    const struct fabric *before = replacement->before->fabric;
    uint32_t was = fabric_find_nic(before, replacement->now->fabric->nics[i].name);
    if (was == FABRIC_NONE)
        return 0;
    int error = program_nic_describe(&replacement->settings[0], was, config, room);
    return error ? error : 1;
}

/* Those that moved come off first: two may have changed places. */
static int detach_nic(const struct replacement *replacement, uint32_t i)
{
    const struct program *now = replacement->now;
    struct lpm_address *rooms[2] = {NULL, NULL};
    struct dp_nic_config was, is;
    int error = describe_before(replacement, i, &was, &rooms[0]);
    if (error > 0) {
        error = program_nic_describe(&replacement->settings[1], i, &is, &rooms[1]);
        if (!error && moves(&was, &is))
            dp_nic_remove(now->forwarding, now->ids->nics[i]);
    }
    free(rooms[0]);
    free(rooms[1]);
    return error;
}

static int set_nic(const struct replacement *replacement, uint32_t i)
{
    const struct program *now = replacement->now;
    struct lpm_address *rooms[2] = {NULL, NULL};
    struct dp_nic_config was, is;
    int there = replacement->all ? 0 : describe_before(replacement, i, &was, &rooms[0]);
    int error = there < 0 ? there : 0;
    if (!error)
        error = program_nic_describe(&replacement->settings[1], i, &is, &rooms[1]);
    if (!error && there > 0 && nics_equal(&was, &is))
        error = dp_nic_set_fibs(now->forwarding, now->ids->nics[i], is.fib4, is.fib6);
    else if (!error)
        error = dp_nic_set(now->forwarding, now->ids->nics[i], &is);
    free(rooms[0]);
    free(rooms[1]);
    return error;
}

static int set_internet(const struct replacement *replacement)
{
    struct dp_nic_config was, is;
    program_internet_describe(&replacement->settings[0], &was);
    program_internet_describe(&replacement->settings[1], &is);
    if (!replacement->all && nics_equal(&was, &is))
        return 0;
    int error = dp_nic_set(replacement->now->forwarding, DP_NIC_INTERNET, &is);
    return error ? program_nic_failed(replacement->error, "NIC", "internet", error) : 0;
}

static void remove_nics(const struct replacement *replacement)
{
    const struct program *before = replacement->before;
    for (uint32_t i = 0; i < before->fabric->nics_count; i++)
        if (fabric_find_nic(replacement->now->fabric, before->fabric->nics[i].name) == FABRIC_NONE)
            dp_nic_remove(before->forwarding, before->ids->nics[i]);
}

static int replace_nics(const struct replacement *replacement)
{
    const struct fabric *fabric = replacement->now->fabric;
    int error = 0;
    remove_nics(replacement);
    for (uint32_t i = 0; i < fabric->nics_count && !error; i++) {
        error = detach_nic(replacement, i);
        if (error)
            program_nic_failed(replacement->error, "NIC", fabric->nics[i].name, error);
    }
    if (!error)
        error = set_internet(replacement);
    for (uint32_t i = 0; i < fabric->nics_count && !error; i++) {
        error = set_nic(replacement, i);
        if (error)
            program_nic_failed(replacement->error, "NIC", fabric->nics[i].name, error);
    }
    return error;
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* What an address of a VNet leads to; all zero: to nothing. */
static struct dp_vnet_address owner_of(const struct program *program, uint32_t vnet,
                                       const struct lpm_address *address)
{
    const struct fabric *fabric = program->fabric;
    struct dp_vnet_address entry = {.address = *address};
    uint32_t nic = fabric_address_owner(fabric, vnet, address);
    if (nic != FABRIC_NONE)
        entry.nic = program->ids->nics[fabric_nic_attached(fabric, nic)];
    for (uint32_t i = 0; i < fabric->load_balancers_count && nic == FABRIC_NONE; i++)
        if (fabric->load_balancers[i].vnet == vnet &&
            lpm_address_equal(&fabric->load_balancers[i].frontend, address))
            entry.group = program_balancers_group(program->balancers, i);
    return entry;
}

/* Makes an address of a VNet, which has this index in both readings, lead where it does now. */
static int move_address(const struct replacement *replacement, uint32_t was_vnet, uint32_t vnet,
                        const struct lpm_address *address)
{
    const struct program *now = replacement->now;
    struct dp_vnet_address is = owner_of(now, vnet, address), was = {.nic = 0};
    if (was_vnet != FABRIC_NONE)
        was = owner_of(replacement->before, was_vnet, address);
    if (!replacement->all && was.nic == is.nic && was.group == is.group)
        return 0;
    return dp_vnet_set_addresses(now->forwarding, now->ids->vnets[vnet], &is, 1);
}

/* The addresses that one of the readings has in a VNet that is there now. */
static int move_addresses(const struct replacement *replacement, const struct fabric *of)
{
    const struct fabric *before = replacement->before->fabric, *now = replacement->now->fabric;
    int error = 0;
    for (uint32_t i = 0; i < of->nics_count && !error; i++) {
        const struct fabric_nic *nic = &of->nics[i];
        const char *name = of->vnets[nic->vnet].name;
        uint32_t was_vnet = fabric_find_vnet(before, name), vnet = fabric_find_vnet(now, name);
        for (uint32_t j = 0; j < nic->addresses.n && vnet != FABRIC_NONE && !error; j++)
            error = move_address(replacement, was_vnet, vnet, &nic->addresses.items[j]);
    }
    for (uint32_t i = 0; i < of->load_balancers_count && !error; i++) {
        const struct fabric_load_balancer *balancer = &of->load_balancers[i];
        const char *name = of->vnets[balancer->vnet].name;
        uint32_t was_vnet = fabric_find_vnet(before, name), vnet = fabric_find_vnet(now, name);
        if (vnet != FABRIC_NONE)
            error = move_address(replacement, was_vnet, vnet, &balancer->frontend);
    }
    return error ? program_nic_failed(replacement->error, "the addresses of", "VNets", error) : 0;
}

/* --- VNets ------------------------------------------------------------------------------------ */

static bool prefixes_equal(const struct fabric_prefixes *a, const struct fabric_prefixes *b)
{
    bool equal = a->n == b->n;
    for (uint32_t i = 0; i < a->n && equal; i++)
        equal = lpm_prefix_equal(&a->items[i], &b->items[i]);
    return equal;
}

static int set_vnets(const struct replacement *replacement)
{
    const struct program *now = replacement->now;
    const struct fabric *before = replacement->before->fabric;
    for (uint32_t i = 0; i < now->fabric->vnets_count; i++) {
        const struct fabric_vnet *vnet = &now->fabric->vnets[i];
        uint32_t was = fabric_find_vnet(before, vnet->name);
        if (!replacement->all && was != FABRIC_NONE &&
            prefixes_equal(&before->vnets[was].space, &vnet->space))
            continue;
        int error =
            dp_vnet_set(now->forwarding, now->ids->vnets[i], vnet->space.items, vnet->space.n);
        if (error)
            return program_nic_failed(replacement->error, "VNet", vnet->name, error);
    }
    return 0;
}

static void remove_vnets(const struct replacement *replacement)
{
    const struct program *before = replacement->before;
    for (uint32_t i = 0; i < before->fabric->vnets_count; i++)
        if (fabric_find_vnet(replacement->now->fabric, before->fabric->vnets[i].name) ==
            FABRIC_NONE)
            dp_vnet_remove(before->forwarding, before->ids->vnets[i]);
}

/* --- All -------------------------------------------------------------------------------------- */

static int replace(const struct replacement *replacement)
{
    int error = set_vnets(replacement);
    if (!error)
        error = replace_nics(replacement);
    if (!error)
        error = move_addresses(replacement, replacement->before->fabric);
    if (!error)
        error = move_addresses(replacement, replacement->now->fabric);
    if (!error)
        remove_vnets(replacement);
    return error;
}

int program_nics_replace(const struct program *before, const struct program *now, bool all,
                         char error[DP_ERROR_TEXT])
{
    struct replacement replacement = {.before = before, .now = now, .all = all, .error = error};
    int failed = program_nic_setting_open(&replacement.settings[0], before);
    if (!failed)
        failed = program_nic_setting_open(&replacement.settings[1], now);
    if (!failed)
        failed = replace(&replacement);
    program_nic_setting_close(&replacement.settings[0]);
    program_nic_setting_close(&replacement.settings[1]);
    return failed;
}
