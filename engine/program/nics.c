/*
 * What of the fabric file the data plane is told once: VNets with their address maps, NICs with
 * their attachments, and the Internet as a NIC of its own.
 *
 * A load balancer's frontend is in its VNet's map, and is an own address of each of its backends: it
 * returns packets that are sent to it as they are ("floating IP", direct server return), so a backend
 * takes packets to it and answers from it.
 *
 * The instances of a gateway with a port are one machine behind it, as the kernel's end of a tap has one MAC: the NIC
 * of instance 0 hangs there and has the addresses of all, and the others' NICs hang on nothing.
 *
 * Where the fabric spreads over hosts (fabric/placement.h), each host programs all NICs: its own on their
 * ports, and those of the others behind tunnels, so that every host decides alike.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/placement.h"
#include "engine/program/internal.h"
#include "engine/program/resolve.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Of the internet where the file gives none: locally administered, and no NIC's. */
static const uint8_t internet_mac[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0xfe};

/* --- Attachments ------------------------------------------------------------------------------ */

int program_nic_setting_open(struct program_nic_setting *setting, const struct program *program)
{
    const struct fabric *fabric = program->fabric;
    int error = fabric_placement_open(&setting->placement, fabric);
    if (error)
        return error;
    setting->program = program;
    setting->untagged = calloc((size_t)fabric->ports_count + 1, sizeof(*setting->untagged));
    if (!setting->untagged) {
        program_nic_setting_close(setting);
        return -ENOMEM;
    }
    if (fabric->internet.present && fabric->internet.port != FABRIC_NONE)
        setting->untagged[fabric->internet.port]++;
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        if (fabric->nics[i].port != FABRIC_NONE && fabric->nics[i].vlan == 0 &&
            fabric_nic_attached(fabric, i) == i)
            setting->untagged[fabric->nics[i].port]++;
    return 0;
}

void program_nic_setting_close(struct program_nic_setting *setting)
{
    if (!setting->program)
        return;
    free(setting->untagged);
    fabric_placement_close(&setting->placement);
    *setting = (struct program_nic_setting){0};
}

/* vni: in which other hosts reach it, if there are any. */
static struct dp_attachment attach(const struct program_nic_setting *setting, uint32_t port,
                                   uint16_t vlan, uint32_t vni)
{
    const struct program *program = setting->program;
    struct dp_attachment attachment = {.kind = DP_ATTACHMENT_PORT};
    if (setting->placement.here != FABRIC_NONE)
        attachment.vni = vni;
    if (!program->with_ports || port == FABRIC_NONE)
        return (struct dp_attachment){
            .kind = DP_ATTACHMENT_NONE, .vlan = vlan, .vni = attachment.vni};
    attachment.port = (uint16_t)program->ids->ports[port];
    if (vlan != 0) {
        attachment.kind = DP_ATTACHMENT_VLAN;
        attachment.vlan = vlan;
    } else if (setting->untagged[port] > 1) {
        attachment.kind = DP_ATTACHMENT_MAC;
    }
    return attachment;
}

/* Of another host. Without a way there it hangs on nothing. */
static struct dp_attachment attach_far(const struct program_nic_setting *setting, uint32_t way,
                                       uint32_t host, uint32_t vni)
{
    const struct fabric *fabric = setting->program->fabric;
    if (way == FABRIC_NONE)
        return (struct dp_attachment){.kind = DP_ATTACHMENT_NONE};
    return (struct dp_attachment){.kind = DP_ATTACHMENT_VXLAN,
                                  .port = (uint16_t)setting->program->ids->ports[way],
                                  .vni = vni,
                                  .remote = fabric->hosts[host].vtep};
}

static uint16_t mtu_of(const struct program_nic_setting *setting, uint32_t port)
{
    return port == FABRIC_NONE ? 0 : setting->program->fabric->ports[port].mtu;
}

/* --- NICs ------------------------------------------------------------------------------------- */

/* With the quirk each host hashes alone, so the two directions of a flow choose independently. */
static uint32_t salt_of(const struct program *program, uint32_t nic)
{
    uint32_t number = program->ids->nics[nic] - PROGRAM_FIRST_NIC;
    return program->fabric->quirks.independent_hash ? XXH32(&number, sizeof(number), 0) | 1 : 0;
}

/* Those that find it: of a gateway with a port, of all instances. */
static struct fabric_addresses own_addresses(const struct fabric *fabric, uint32_t index)
{
    uint32_t gateway = fabric_nic_gateway(fabric, index);
    bool for_all = gateway != FABRIC_NONE && fabric->gateways[gateway].first_nic == index &&
                   fabric->gateways[gateway].port != FABRIC_NONE;
    return for_all ? fabric->gateways[gateway].addresses : fabric->nics[index].addresses;
}

/* Its own, and the frontends that it stands behind. *addresses is malloc'ed. */
static int list_addresses(const struct fabric *fabric, uint32_t index,
                          struct lpm_address **addresses, unsigned *n)
{
    const struct fabric_addresses all = own_addresses(fabric, index), *own = &all;
    *addresses =
        calloc((size_t)own->n + fabric->load_balancers_count + 1, sizeof(struct lpm_address));
    if (!*addresses)
        return -ENOMEM;
    for (*n = 0; *n < own->n; (*n)++)
        (*addresses)[*n] = own->items[*n];
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        if (fabric_is_backend(&fabric->load_balancers[i], index))
            (*addresses)[(*n)++] = fabric->load_balancers[i].frontend;
    return 0;
}

static void place_nic(const struct program_nic_setting *setting, uint32_t index,
                      struct dp_nic_config *config)
{
    const struct fabric *fabric = setting->program->fabric;
    const struct fabric_nic *nic = &fabric->nics[index];
    const struct fabric_placement *placement = &setting->placement;
    uint32_t vni = fabric_nic_vni(fabric, index), port = nic->port;
    if (fabric_nic_attached(fabric, index) != index) {
        config->attachment = (struct dp_attachment){.kind = DP_ATTACHMENT_NONE};
    } else if (fabric_placement_has_nic(placement, index)) {
        config->attachment = attach(setting, port, nic->vlan, vni);
    } else {
        port = fabric_placement_way(placement, index);
        config->attachment =
            attach_far(setting, port, fabric_placement_nic_host(placement, index), vni);
    }
    config->mtu = mtu_of(setting, port);
}

int program_nic_describe(const struct program_nic_setting *setting, uint32_t index,
                         struct dp_nic_config *config, struct lpm_address **room)
{
    const struct program *program = setting->program;
    const struct fabric *fabric = program->fabric;
    const struct fabric_nic *nic = &fabric->nics[index];
    const struct fabric_subnet *subnet = &fabric->subnets[nic->subnet];
    const struct program_scope *scope = program->scope_of[index];
    *config = (struct dp_nic_config){
        .name = nic->name,
        .vnet = program->ids->vnets[nic->vnet],
        .subnet = subnet->prefixes.items,
        .subnet_count = subnet->prefixes.n,
        .ip_forwarding = nic->ip_forwarding,
        .gateway = fabric_nic_gateway(fabric, index) != FABRIC_NONE,
        .fib4 = scope->tables[PROGRAM_IPV4].fib,
        .fib6 = scope->tables[PROGRAM_IPV6].fib,
        .hash_salt = salt_of(program, index),
    };
    place_nic(setting, index, config);
    int error = list_addresses(fabric, index, room, &config->address_count);
    config->addresses = *room;
    memcpy(config->mac, nic->mac, sizeof(config->mac));
    memcpy(config->gateway_mac, subnet->gateway_mac, sizeof(config->gateway_mac));
    return error;
}

static int set_nic(const struct program_nic_setting *setting, uint32_t index)
{
    const struct program *program = setting->program;
    struct dp_nic_config config;
    struct lpm_address *addresses;
    int error = program_nic_describe(setting, index, &config, &addresses);
    if (!error)
        error = dp_nic_set(program->forwarding, program->ids->nics[index], &config);
    free(addresses);
    return error;
}

static bool is_zero(const uint8_t mac[6])
{
    static const uint8_t zero[6];
    return memcmp(mac, zero, sizeof(zero)) == 0;
}

static void place_internet(const struct program_nic_setting *setting, uint32_t port,
                           struct dp_nic_config *config)
{
    const struct fabric_placement *placement = &setting->placement;
    uint32_t vni = fabric_name_vni(config->name);
    bool here = port == FABRIC_NONE || fabric_placement_has_port(placement, port);
    if (here)
        config->attachment = attach(setting, port, 0, vni);
    else
        config->attachment =
            attach_far(setting, placement->underlay, placement->port_host[port], vni);
    config->mtu = mtu_of(setting, here ? port : placement->underlay);
}

/* The sink of the next hop type Internet. It stands in no VNet and has no FIB: what comes in from
 * there has no way into the fabric without source NAT on its way out. Its MAC also names it among
 * hosts, so it has one before the next hop has told its own. */
void program_internet_describe(const struct program_nic_setting *setting,
                               struct dp_nic_config *config)
{
    const struct fabric_internet *internet = &setting->program->fabric->internet;
    uint32_t port = internet->present ? internet->port : FABRIC_NONE;
    bool has_mac = internet->present && !is_zero(internet->mac);
    *config = (struct dp_nic_config){
        .name = "internet",
        .gateway_mac = FABRIC_GATEWAY_MAC,
        .ip_forwarding = true,
        .mac_known = has_mac,
    };
    place_internet(setting, port, config);
    if (internet->present && config->attachment.kind == DP_ATTACHMENT_PORT)
        config->next_hop = internet->next_hop;
    memcpy(config->mac, has_mac ? internet->mac : internet_mac, sizeof(config->mac));
}

/* --- VNets ------------------------------------------------------------------------------------ */

static size_t count_addresses(const struct fabric *fabric, const struct program_scope *scope)
{
    size_t n = 0;
    for (size_t i = 0; i < scope->nic_count; i++)
        n += fabric->nics[scope->nics[i]].addresses.n;
    return n;
}

static int set_addresses(const struct program *program, uint32_t vnet,
                         const struct program_scope *scope)
{
    size_t n = 0;
    struct dp_vnet_address *addresses =
        calloc(count_addresses(program->fabric, scope) + 1, sizeof(*addresses));
    if (!addresses)
        return -ENOMEM;
    for (size_t i = 0; i < scope->nic_count; i++) {
        const struct fabric_addresses *own = &program->fabric->nics[scope->nics[i]].addresses;
        for (uint32_t j = 0; j < own->n; j++)
            addresses[n++] = (struct dp_vnet_address){
                .address = own->items[j],
                .nic = program->ids->nics[fabric_nic_attached(program->fabric, scope->nics[i])]};
    }
    int error = dp_vnet_set_addresses(program->forwarding, program->ids->vnets[vnet], addresses, n);
    free(addresses);
    return error;
}

/* --- All -------------------------------------------------------------------------------------- */

int program_nic_failed(char error[DP_ERROR_TEXT], const char *kind, const char *name, int reason)
{
    if (reason == -EEXIST)
        snprintf(error, DP_ERROR_TEXT, "%s '%s': another NIC has this port, VLAN id or MAC already",
                 kind, name);
    else
        snprintf(error, DP_ERROR_TEXT, "%s '%s' cannot be programmed: %s", kind, name,
                 strerror(-reason));
    return reason;
}

static int set_frontends(const struct program *program, char error[DP_ERROR_TEXT])
{
    const struct fabric *fabric = program->fabric;
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++) {
        const struct fabric_load_balancer *balancer = &fabric->load_balancers[i];
        struct dp_vnet_address frontend = {.address = balancer->frontend,
                                           .group = program_balancers_group(program->balancers, i)};
        int reason = dp_vnet_set_addresses(program->forwarding, program->ids->vnets[balancer->vnet],
                                           &frontend, 1);
        if (reason)
            return program_nic_failed(error, "load balancer", balancer->name, reason);
    }
    return 0;
}

static int set_vnets(const struct program *program, char error[DP_ERROR_TEXT])
{
    const struct fabric *fabric = program->fabric;
    for (uint32_t i = 0; i < fabric->vnets_count; i++) {
        const struct fabric_prefixes *space = &fabric->vnets[i].space;
        int reason =
            dp_vnet_set(program->forwarding, program->ids->vnets[i], space->items, space->n);
        if (reason)
            return program_nic_failed(error, "VNet", fabric->vnets[i].name, reason);
    }
    for (size_t i = 0; i < program->domain_count; i++) {
        const struct program_domain *domain = &program->domains[i];
        for (size_t j = 0; j < domain->scope_count; j++) {
            uint32_t vnet = domain->scopes[j].view.vnet;
            int reason = set_addresses(program, vnet, &domain->scopes[j]);
            if (reason)
                return program_nic_failed(error, "VNet", fabric->vnets[vnet].name, reason);
        }
    }
    return set_frontends(program, error);
}

static int set_underlay(const struct program_nic_setting *setting, uint32_t port)
{
    const struct fabric *fabric = setting->program->fabric;
    struct lpm_address *peers = calloc(fabric->hosts_count, sizeof(*peers));
    struct dp_underlay_config config = {.address = fabric->ports[port].address,
                                        .next_hop = fabric->ports[port].next_hop,
                                        .peers = peers,
                                        .nic = PROGRAM_UNDERLAY_NIC};
    if (!peers)
        return -ENOMEM;
    for (uint32_t i = 0; i < fabric->hosts_count; i++)
        if (i != setting->placement.here)
            peers[config.peer_count++] = fabric->hosts[i].vtep;
    int error = dp_underlay_set(setting->program->forwarding, (uint16_t)port, &config);
    free(peers);
    return error;
}

/* The next hop of the internet is asked for from where flows to it will seem to come, so that it knows
 * the way back as well. A port with an address of its own, towards other hosts, asks from that. */
static int set_internet_underlay(const struct program_nic_setting *setting)
{
    const struct fabric_internet *internet = &setting->program->fabric->internet;
    struct dp_underlay_config config = {.address = {.family = internet->next_hop.family},
                                        .next_hop = internet->next_hop,
                                        .nic = DP_NIC_INTERNET,
                                        .mac = FABRIC_GATEWAY_MAC};
    if (internet->source_nat.family == internet->next_hop.family)
        config.address = internet->source_nat;
    return dp_underlay_set(setting->program->forwarding,
                           (uint16_t)setting->program->ids->ports[internet->port], &config);
}

static bool asks_for_internet(const struct program_nic_setting *setting)
{
    const struct fabric_internet *internet = &setting->program->fabric->internet;
    if (!setting->program->with_ports || !internet->present || internet->port == FABRIC_NONE ||
        internet->next_hop.family == 0)
        return false;
    return fabric_placement_has_port(&setting->placement, internet->port) &&
           (setting->placement.here == FABRIC_NONE ||
            setting->program->fabric->ports[internet->port].address.family == 0);
}

/* Every port of this host that has an address leads to the others. */
static int set_underlays(const struct program_nic_setting *setting, char error[DP_ERROR_TEXT])
{
    const struct fabric *fabric = setting->program->fabric;
    const struct fabric_placement *placement = &setting->placement;
    for (uint32_t i = 0; placement->here != FABRIC_NONE && i < fabric->ports_count; i++) {
        if (fabric->ports[i].address.family == 0 || !fabric_placement_has_port(placement, i))
            continue;
        int reason = set_underlay(setting, i);
        if (reason)
            return program_nic_failed(error, "port", fabric->ports[i].name, reason);
    }
    int reason = asks_for_internet(setting) ? set_internet_underlay(setting) : 0;
    return reason ? program_nic_failed(error, "NIC", "internet", reason) : 0;
}

static int set_nics(const struct program_nic_setting *setting, char error[DP_ERROR_TEXT])
{
    const struct fabric *fabric = setting->program->fabric;
    int reason = set_underlays(setting, error);
    if (reason)
        return reason;
    struct dp_nic_config internet;
    program_internet_describe(setting, &internet);
    reason = dp_nic_set(setting->program->forwarding, DP_NIC_INTERNET, &internet);
    if (reason)
        return program_nic_failed(error, "NIC", "internet", reason);
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        reason = set_nic(setting, i);
        if (reason)
            return program_nic_failed(error, "NIC", fabric->nics[i].name, reason);
    }
    return 0;
}

int program_nics_set(struct program *program, char error[DP_ERROR_TEXT])
{
    struct program_nic_setting setting = {0};
    int reason = program_nic_setting_open(&setting, program);
    if (reason)
        return reason;
    reason = set_vnets(program, error);
    if (!reason)
        reason = set_nics(&setting, error);
    program_nic_setting_close(&setting);
    return reason;
}

/* After a failure half way some are not there, which removing does not mind. */
void program_nics_remove(struct program *program)
{
    for (uint32_t i = 0; i < program->fabric->nics_count; i++)
        dp_nic_remove(program->forwarding, program->ids->nics[i]);
    dp_nic_remove(program->forwarding, DP_NIC_INTERNET);
    for (uint32_t i = 0; i < program->fabric->ports_count; i++)
        dp_underlay_set(program->forwarding, (uint16_t)i, NULL);
    for (uint32_t i = 0; i < program->fabric->vnets_count; i++)
        dp_vnet_remove(program->forwarding, program->ids->vnets[i]);
}
