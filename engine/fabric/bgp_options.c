/* From the words under `bgp:` to the configuration of a speaker's peer; and whether two sessions have the same. */
#include <string.h>

#include "engine/fabric/route_server.h"

void fabric_bgp_options_apply(const struct fabric_bgp_options *options,
                              struct speaker_peer_config *config)
{
    config->add_path_receive = options->add_path & FABRIC_ADD_PATH_RECEIVE;
    config->add_path_send = options->add_path & FABRIC_ADD_PATH_SEND;
    config->add_path_max = options->send_max;
    config->extended_next_hop = options->extended_next_hop;
    config->role = options->role;
    config->role_strict = options->role_strict;
    config->reflect_client = options->reflection == FABRIC_REFLECTION_CLIENT;
    config->transparent = options->transparent;
    config->graceful_shutdown = options->graceful_shutdown;
    config->accept_blackhole = options->accept_blackhole;
    config->allow_own_as = options->allow_own_as;
    config->max_as_path = options->max_as_path;
    config->max_communities = options->max_communities;
    config->check_first_as = options->check_first_as;
    config->as_override |= options->as_override;
    config->prepend += options->prepend;
    config->private_as = options->private_as;
    config->remove_as = options->remove_as;
    config->remove_as_count = options->remove_as_count;
}

static bool same_numbers(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

bool fabric_bgp_options_same(const struct fabric_bgp_options *a, const struct fabric_bgp_options *b)
{
    return a->add_path == b->add_path && a->send_max == b->send_max &&
           a->extended_next_hop == b->extended_next_hop && a->role == b->role &&
           a->role_strict == b->role_strict && a->reflection == b->reflection &&
           a->transparent == b->transparent && a->graceful_shutdown == b->graceful_shutdown &&
           a->accept_blackhole == b->accept_blackhole && a->check_first_as == b->check_first_as &&
           a->as_override == b->as_override && a->allow_own_as == b->allow_own_as &&
           a->max_as_path == b->max_as_path && a->max_communities == b->max_communities &&
           a->prepend == b->prepend && a->private_as == b->private_as &&
           same_numbers(a->remove_as, a->remove_as_count, b->remove_as, b->remove_as_count);
}

bool fabric_bfd_same(const struct fabric_bfd *a, const struct fabric_bfd *b)
{
    return a->enabled == b->enabled && a->interval_ms == b->interval_ms &&
           a->multiplier == b->multiplier && a->multihop == b->multihop;
}

static bool same_limit(const struct fabric_max_prefixes *a, const struct fabric_max_prefixes *b)
{
    return a->limit == b->limit && a->count_azure == b->count_azure &&
           a->warn_percent == b->warn_percent && a->action == b->action &&
           a->idle_minutes == b->idle_minutes;
}

static bool same_restart(const struct fabric_graceful_restart *a,
                         const struct fabric_graceful_restart *b)
{
    return a->enabled == b->enabled && a->restart_seconds == b->restart_seconds &&
           a->stale_seconds == b->stale_seconds && a->forwarding == b->forwarding &&
           a->long_lived_seconds == b->long_lived_seconds;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_transport(const struct fabric_transport *a, const struct fabric_transport *b)
{
    bool same = a->connect == b->connect && a->ttl == b->ttl &&
                a->ttl_security_hops == b->ttl_security_hops && a->port == b->port &&
                a->local_address_count == b->local_address_count &&
                same_text(a->interface, b->interface);
    for (uint32_t i = 0; same && i < a->local_address_count; i++)
        same = lpm_address_equal(&a->local_addresses[i], &b->local_addresses[i]);
    return same;
}

/* Another key of the same kind takes its place on open connections; having one or none is for the next one. */
static bool same_kind_of_key(const struct fabric_bgp_peer *a, const struct fabric_bgp_peer *b)
{
    return !a->key_file == !b->key_file &&
           (!a->key_file || (a->key_type == b->key_type && a->key_id == b->key_id));
}

bool fabric_bgp_peer_same_session(const struct fabric_bgp_peer *a, const struct fabric_bgp_peer *b)
{
    return lpm_address_equal(&a->address, &b->address) && a->asn == b->asn &&
           a->extended_messages == b->extended_messages && a->hold_time_s == b->hold_time_s &&
           a->keepalive_s == b->keepalive_s && a->send_hold_time_s == b->send_hold_time_s &&
           fabric_bfd_same(&a->bfd, &b->bfd) && same_limit(&a->max_prefixes, &b->max_prefixes) &&
           same_restart(&a->graceful_restart, &b->graceful_restart) &&
           fabric_bgp_options_same(&a->bgp, &b->bgp) &&
           same_transport(&a->transport, &b->transport) && same_kind_of_key(a, b);
}
