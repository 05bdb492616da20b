#include "tests/fabric/dump.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(FILE *out, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(out, format, arguments);
    va_end(arguments);
}

static const char *text_or_dash(const char *text)
{
    return text ? text : "-";
}

static void put_index(FILE *out, const char *key, uint32_t index)
{
    if (index == FABRIC_NONE)
        put(out, " %s=-", key);
    else
        put(out, " %s=%u", key, index);
}

static void put_address(FILE *out, const char *key, const struct lpm_address *address)
{
    char text[LPM_ADDRESS_TEXT];

    put(out, " %s=%s", key, address->family ? lpm_address_format(address, text) : "-");
}

static void put_addresses(FILE *out, const char *key, const struct lpm_address *items, uint32_t n)
{
    char text[LPM_ADDRESS_TEXT];

    put(out, " %s=[", key);
    for (uint32_t i = 0; i < n; i++)
        put(out, "%s%s", i ? "," : "", lpm_address_format(&items[i], text));
    put(out, "]");
}

static void put_prefixes(FILE *out, const char *key, const struct fabric_prefixes *prefixes)
{
    char text[LPM_PREFIX_TEXT];

    put(out, " %s=[", key);
    for (uint32_t i = 0; i < prefixes->n; i++)
        put(out, "%s%s", i ? "," : "", lpm_prefix_format(&prefixes->items[i], text));
    put(out, "]");
}

static void put_strings(FILE *out, const char *key, const struct fabric_strings *strings)
{
    put(out, " %s=[", key);
    for (uint32_t i = 0; i < strings->n; i++)
        put(out, "%s%s", i ? "," : "", strings->items[i]);
    put(out, "]");
}

static void put_numbers(FILE *out, const char *key, const uint32_t *items, uint32_t n)
{
    put(out, " %s=[", key);
    for (uint32_t i = 0; i < n; i++)
        put(out, "%s%u", i ? "," : "", items[i]);
    put(out, "]");
}

static void put_mac(FILE *out, const char *key, const uint8_t mac[6])
{
    put(out, " %s=%02x:%02x:%02x:%02x:%02x:%02x", key, mac[0], mac[1], mac[2], mac[3], mac[4],
        mac[5]);
}

/* --- The top ---------------------------------------------------------------------------------- */

static void put_top(FILE *out, const struct fabric *fabric)
{
    const struct fabric_quirks *q = &fabric->quirks;

    put(out, "fabric %s mode=%d", fabric->name, (int)fabric->mode);
    put_prefixes(out, "reserved", &fabric->reserved);
    put(out, "\nquirks %d%d%d%d%d%d%d%d%d%d%d%d%d reflect=%d\n", q->peer_limit, q->count_mode,
        q->damping, q->half_programming, q->own_route_to_originator, q->single_er_path,
        q->independent_hash, q->transparent_ttl, q->silent_drops, q->two_octet_asn, q->no_ipv6,
        q->no_md5, q->no_bfd, (int)q->nva_reflect);
    put(out, "engine");
    put_numbers(out, "cores", fabric->engine.cores, fabric->engine.core_count);
    put(out, " socket=%s metrics=%s verify=%d", text_or_dash(fabric->engine.control_socket),
        text_or_dash(fabric->engine.metrics_listen), fabric->engine.verify);
    for (uint32_t i = 0; i < fabric->engine.bmp_count; i++)
        put(out, " bmp=%s/%x/%u", fabric->engine.bmp[i].collector, fabric->engine.bmp[i].routes,
            fabric->engine.bmp[i].statistics_interval_s);
    put(out, "\necmp strict=%d hash=%u sticky=%d idle=%u forced=%u\n", fabric->ecmp.strict,
        fabric->ecmp.hash_fields, fabric->ecmp.sticky, fabric->ecmp.sticky_idle_ms,
        fabric->ecmp.sticky_forced_ms);
    put(out, "internet present=%d", fabric->internet.present);
    put_index(out, "port", fabric->internet.port);
    put_address(out, "next_hop", &fabric->internet.next_hop);
    put_address(out, "source_nat", &fabric->internet.source_nat);
    put_mac(out, "mac", fabric->internet.mac);
    put(out, "\n");
}

/* --- The network ------------------------------------------------------------------------------ */

static void put_vnets(FILE *out, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->vnets_count; i++) {
        const struct fabric_vnet *vnet = &fabric->vnets[i];

        put(out, "vnet %s region=%s", vnet->name, vnet->region);
        put_prefixes(out, "space", &vnet->space);
        put_prefixes(out, "overrides", &vnet->bgp_overrides);
        put(out, " subnets=%u+%u", vnet->first_subnet, vnet->subnet_count);
        put_index(out, "route_server", vnet->route_server);
        put(out, "\n");
    }
    for (uint32_t i = 0; i < fabric->subnets_count; i++) {
        const struct fabric_subnet *subnet = &fabric->subnets[i];

        put(out, "subnet %s %s vnet=%u", subnet->name, subnet->full_name, subnet->vnet);
        put_prefixes(out, "prefixes", &subnet->prefixes);
        put_index(out, "route_table", subnet->route_table);
        put_mac(out, "gateway", subnet->gateway_mac);
        put_strings(out, "endpoints", &subnet->service_endpoints);
        put(out, " reject=%d%d%d", subnet->reject_express_route, subnet->reject_vpn,
            subnet->reject_nva);
        put_strings(out, "communities", &subnet->reject_communities);
        put_strings(out, "rejected", &subnet->reject_prefixes);
        put(out, "\n");
    }
}

static void put_peerings(FILE *out, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        const struct fabric_peering *peering = &fabric->peerings[i];

        put(out, "peering %u-%u in_sync=%d global=%d", peering->vnets[0], peering->vnets[1],
            peering->in_sync, peering->global);
        for (unsigned side = 0; side < 2; side++)
            put(out, " %d%d%d%d", peering->sides[side].allow_virtual_network_access,
                peering->sides[side].allow_forwarded_traffic,
                peering->sides[side].allow_gateway_transit,
                peering->sides[side].use_remote_gateways);
        put(out, "\n");
    }
}

static void put_tables(FILE *out, const struct fabric *fabric)
{
    char text[LPM_PREFIX_TEXT];

    for (uint32_t i = 0; i < fabric->route_tables_count; i++) {
        const struct fabric_route_table *table = &fabric->route_tables[i];

        put(out, "table %s propagation=%d\n", table->name, table->bgp_propagation);
        for (uint32_t j = 0; j < table->route_count; j++) {
            put(out, "  %s %s", lpm_prefix_format(&table->routes[j].prefix, text),
                fabric_next_hop_type_text(table->routes[j].type));
            put_address(out, "next_hop", &table->routes[j].next_hop);
            put(out, "\n");
        }
    }
    for (uint32_t i = 0; i < fabric->service_tags_count; i++) {
        put(out, "tag %s", fabric->service_tags[i].name);
        put_prefixes(out, "prefixes", &fabric->service_tags[i].prefixes);
        put(out, "\n");
    }
}

static void put_nics(FILE *out, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[i];

        put(out, "nic %s vnet=%u subnet=%u", nic->name, nic->vnet, nic->subnet);
        put_addresses(out, "addresses", nic->addresses.items, nic->addresses.n);
        put_mac(out, "mac", nic->mac);
        put(out, " forwarding=%d vlan=%u vni=%u", nic->ip_forwarding, nic->vlan, nic->vni);
        put_index(out, "port", nic->port);
        put_index(out, "underlay", nic->underlay_port);
        put_index(out, "host", nic->host);
        put_index(out, "router", nic->router);
        put(out, "\n");
    }
}

static void put_ports(FILE *out, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->ports_count; i++) {
        const struct fabric_port *port = &fabric->ports[i];

        put(out, "port %s device=%s options=%s queues=%u mtu=%u", port->name, port->device,
            text_or_dash(port->options), port->queues, port->mtu);
        put_address(out, "address", &port->address);
        put(out, "\n");
    }
    for (uint32_t i = 0; i < fabric->hosts_count; i++) {
        put(out, "host %s", fabric->hosts[i].name);
        put_address(out, "vtep", &fabric->hosts[i].vtep);
        put(out, "\n");
    }
}

/* --- BGP -------------------------------------------------------------------------------------- */

/* Nothing where nothing is asked for. */
static void put_bgp(FILE *out, const struct fabric_bgp_options *bgp)
{
    const struct fabric_bgp_options plain = {.send_max = 8};

    if (memcmp(bgp, &plain, sizeof(plain)) == 0)
        return;
    put(out, "  bgp add_path=%u/%u extended=%d role=%d/%d reflection=%d transparent=%d",
        bgp->add_path, bgp->send_max, bgp->extended_next_hop, (int)bgp->role, bgp->role_strict,
        (int)bgp->reflection, bgp->transparent);
    put(out,
        " drained=%d blackhole=%d own=%u most=%u/%u first=%d override=%d prepend=%u private=%d",
        bgp->graceful_shutdown, bgp->accept_blackhole, bgp->allow_own_as, bgp->max_as_path,
        bgp->max_communities, bgp->check_first_as, bgp->as_override, bgp->prepend,
        (int)bgp->private_as);
    put_numbers(out, "remove", bgp->remove_as, bgp->remove_as_count);
    put(out, "\n");
}

static void put_peer(FILE *out, const struct fabric_bgp_peer *peer)
{
    const struct fabric_max_prefixes *most = &peer->max_prefixes;

    put(out, "  peer %s", peer->name);
    put_address(out, "address", &peer->address);
    put(out, " asn=%u", peer->asn);
    put_index(out, "nic", peer->nic);
    put_index(out, "router", peer->router);
    put(out, " key=%s hold=%u keepalive=%u bfd=%d/%u/%u/%d", text_or_dash(peer->key_file),
        peer->hold_time_s, peer->keepalive_s, peer->bfd.enabled, peer->bfd.interval_ms,
        peer->bfd.multiplier, peer->bfd.multihop);
    put(out, " restart=%d/%u/%u/%d/%u", peer->graceful_restart.enabled,
        peer->graceful_restart.restart_seconds, peer->graceful_restart.stale_seconds,
        peer->graceful_restart.forwarding, peer->graceful_restart.long_lived_seconds);
    put(out, " max=%u/%d/%u/%d/%u import=%s export=%s\n", most->limit, most->count_azure,
        most->warn_percent, (int)most->action, most->idle_minutes,
        text_or_dash(peer->import_policy), text_or_dash(peer->export_policy));
    put_bgp(out, &peer->bgp);
}

static void put_transport(FILE *out, const struct fabric_bgp_peer *peer)
{
    const struct fabric_transport *transport = &peer->transport;

    put(out, "  transport extended=%d key=%d/%u connect=%d ttl=%u/%u port=%u interface=%s",
        peer->extended_messages, (int)peer->key_type, peer->key_id, (int)transport->connect,
        transport->ttl, transport->ttl_security_hops, transport->port,
        text_or_dash(transport->interface));
    put_addresses(out, "local", transport->local_addresses, transport->local_address_count);
    put(out, "\n");
}

static void put_servers(FILE *out, const struct fabric *fabric)
{
    char text[LPM_PREFIX_TEXT];

    for (uint32_t i = 0; i < fabric->route_servers_count; i++) {
        const struct fabric_route_server *server = &fabric->route_servers[i];

        put(out, "route-server %s vnet=%u asn=%u", server->name, server->vnet, server->asn);
        put_addresses(out, "addresses", server->addresses, server->instance_count);
        put_index(out, "port", server->port);
        put(out, " listen=%s/%u b2b=%d preference=%d limits=%u/%u\n",
            text_or_dash(server->listen_interface), server->listen_port, server->branch_to_branch,
            (int)server->preference, server->peer_limit, server->prefix_limit);
        put(out, "  decision med=%d origin=%d failback=%u", (int)server->med,
            server->compare_origin, server->failback_hold_down_s);
        put_prefixes(out, "summaries", &server->summaries);
        put_address(out, "cluster", &server->cluster_id);
        put(out, "\n");
        for (uint32_t j = 0; j < server->peer_count; j++) {
            put_peer(out, &server->peers[j]);
            put_transport(out, &server->peers[j]);
        }
        for (uint32_t j = 0; j < server->dynamic_peer_count; j++) {
            const struct fabric_dynamic_peers *range = &server->dynamic_peers[j];

            put(out, "  dynamic %s template=%s", lpm_prefix_format(&range->prefix, text),
                range->template_peer);
            put_numbers(out, "first", range->asn_first, range->range_count);
            put_numbers(out, "last", range->asn_last, range->range_count);
            put(out, "\n");
        }
    }
}

static void put_neighbors(FILE *out, const struct fabric_neighbor *neighbors, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        put(out, "  neighbor");
        put_index(out, "route_server", neighbors[i].route_server);
        put_index(out, "router", neighbors[i].router);
        put_index(out, "gateway", neighbors[i].gateway);
        put_address(out, "address", &neighbors[i].address);
        put(out, " asn=%u", neighbors[i].asn);
        put_index(out, "tunnel", neighbors[i].tunnel);
        put_numbers(out, "instances", neighbors[i].instances, neighbors[i].instance_count);
        put(out, " override=%d prepend=%u import=%s export=%s\n", neighbors[i].as_override,
            neighbors[i].prepend, text_or_dash(neighbors[i].import_policy),
            text_or_dash(neighbors[i].export_policy));
        if (neighbors[i].key_file)
            put(out, " key=%s\n", neighbors[i].key_file);
        if (neighbors[i].bfd.enabled)
            put(out, " bfd=%u/%u/%d\n", neighbors[i].bfd.interval_ms, neighbors[i].bfd.multiplier,
                neighbors[i].bfd.multihop);
        put_bgp(out, &neighbors[i].bgp);
    }
}

static void put_gateways(FILE *out, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->gateways_count; i++) {
        const struct fabric_gateway *gateway = &fabric->gateways[i];

        put(out, "gateway %s vpn=%d vnet=%u asn=%u", gateway->name, gateway->vpn, gateway->vnet,
            gateway->asn);
        put_addresses(out, "addresses", gateway->addresses.items, gateway->addresses.n);
        put_prefixes(out, "point_to_site", &gateway->point_to_site);
        put(out, " transit=%d default=%d", gateway->point_to_site_transit, gateway->default_route);
        put_index(out, "port", gateway->port);
        put_index(out, "first_nic", gateway->first_nic);
        put(out, " table=%u", gateway->kernel_table);
        put(out, " told=%u/%d/%u", gateway->max_advertised.limit, gateway->max_advertised.send,
            gateway->max_advertised.warn_percent);
        put(out, " import=%s export=%s\n", text_or_dash(gateway->import_policy),
            text_or_dash(gateway->export_policy));
        put_neighbors(out, gateway->neighbors, gateway->neighbor_count);
        for (uint32_t j = 0; j < gateway->static_branch_count; j++) {
            put(out, "  branch %s", gateway->static_branches[j].name);
            put_prefixes(out, "prefixes", &gateway->static_branches[j].prefixes);
            put(out, "\n");
        }
    }
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++) {
        const struct fabric_load_balancer *balancer = &fabric->load_balancers[i];

        put(out, "balancer %s vnet=%u subnet=%u", balancer->name, balancer->vnet, balancer->subnet);
        put_address(out, "frontend", &balancer->frontend);
        put_numbers(out, "backends", balancer->backends, balancer->backend_count);
        put(out, " probe=%s:%u %u/%u/%u/%u\n", balancer->probe_tcp ? "tcp" : "icmp",
            (unsigned)balancer->probe_port, balancer->probe_interval_s, balancer->probe_timeout_ms,
            balancer->probe_failures, balancer->probe_successes);
    }
}

static void put_policies(FILE *out, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->policies_count; i++) {
        put(out, "policy %s\n", fabric->policies[i].name);
        for (uint32_t j = 0; j < fabric->policies[i].rule_count; j++) {
            const struct fabric_policy_rule *rule = &fabric->policies[i].rules[j];

            put(out, "  rule then=%d as_path=%s", (int)rule->then,
                text_or_dash(rule->match_as_path));
            put_strings(out, "prefixes", &rule->match_prefixes);
            put_strings(out, "communities", &rule->match_communities);
            put(out, " length=%s med=%s pref=%s", text_or_dash(rule->match_as_path_length),
                text_or_dash(rule->match_med), text_or_dash(rule->match_local_preference));
            put_strings(out, "all", &rule->match_all_communities);
            put_prefixes(out, "hops", &rule->match_next_hops);
            put_numbers(out, "sources", rule->match_sources.items, rule->match_sources.n);
            put_numbers(out, "origins", rule->match_origins.items, rule->match_origins.n);
            put(out, " set=%d/%u,%d/%u,%d/%u,%d/%u", rule->local_preference.given,
                rule->local_preference.value, rule->med.given, rule->med.value, rule->weight.given,
                rule->weight.value, rule->origin.given, rule->origin.value);
            put(out, " replaces=%d,%d", rule->replaces_as_path, rule->replaces_communities);
            put_numbers(out, "path", rule->as_path.items, rule->as_path.n);
            put_numbers(out, "remove_as", rule->remove_as.items, rule->remove_as.n);
            for (uint32_t k = 0; k < rule->replace_as_count; k++)
                put(out, " as%u->%u", rule->replace_as[k].from, rule->replace_as[k].to);
            put_strings(out, "all_set", &rule->communities);
            put_strings(out, "add", &rule->add_communities);
            put_strings(out, "remove", &rule->remove_communities);
            put_numbers(out, "prepend", rule->prepend.items, rule->prepend.n);
            put_address(out, "next_hop", &rule->set_next_hop);
            put_prefixes(out, "summary",
                         &(struct fabric_prefixes){(struct lpm_prefix *)(uintptr_t)&rule->summarise,
                                                   rule->summarise.family != 0});
            put(out, " keep=%d\n", rule->keep_contributors);
        }
    }
}

static void put_table(FILE *out, const struct fabric_router_table *table)
{
    put(out, " table=%s place=%u updates=%s full=%d after=%u", table->mrt, table->peer_place,
        text_or_dash(table->updates), table->full_speed, table->updates_after_s);
    put_address(out, "peer", &table->peer);
}

static void put_router(FILE *out, const struct fabric_router *router)
{
    char text[LPM_PREFIX_TEXT];

    put(out, "router %s", router->name);
    put_numbers(out, "nics", router->nics, router->nic_count);
    put(out, " role=%s asn=%u", text_or_dash(router->role), router->asn);
    put_prefixes(out, "originate", &router->originate);
    put(out, " restart=%u stateful=%d source_nat=%d", router->restart_seconds, router->stateful,
        router->source_nat);
    if (router->table.present)
        put_table(out, &router->table);
    put(out, "\n");
    put_neighbors(out, router->neighbors, router->neighbor_count);
    for (uint32_t j = 0; j < router->static_count; j++) {
        put(out, "  static %s gateway=%d", lpm_prefix_format(&router->statics[j].prefix, text),
            router->statics[j].via_subnet_gateway);
        put_address(out, "via", &router->statics[j].via);
        put(out, "\n");
    }
    for (uint32_t j = 0; j < router->health_count; j++) {
        put(out, "  health %s", router->health[j].name);
        put_prefixes(out, "withdraw", &router->health[j].withdraw);
        put(out, "\n");
    }
    for (uint32_t j = 0; j < router->host_count; j++) {
        put(out, "  host %s", router->hosts[j].name);
        put_address(out, "address", &router->hosts[j].address);
        put(out, "\n");
    }
}

static void put_routers(FILE *out, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        put_router(out, &fabric->routers[i]);
    for (uint32_t i = 0; i < fabric->tunnels_count; i++) {
        const struct fabric_tunnel *tunnel = &fabric->tunnels[i];

        put(out, "tunnel %s ipsec=%d vni=%u", tunnel->name, tunnel->ipsec, tunnel->vni);
        put_numbers(out, "ends", tunnel->ends, 2);
        put_addresses(out, "addresses", tunnel->addresses, 2);
        put(out, "\n");
    }
}

char *dump_fabric(const struct fabric *fabric)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    cr_assert_not_null(out);
    put_top(out, fabric);
    put_vnets(out, fabric);
    put_peerings(out, fabric);
    put_tables(out, fabric);
    put_nics(out, fabric);
    put_ports(out, fabric);
    put_servers(out, fabric);
    put_gateways(out, fabric);
    put_policies(out, fabric);
    put_routers(out, fabric);
    fclose(out);
    return text;
}
