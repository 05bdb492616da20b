/* From the words under `bgp:` to the configuration of a speaker's peer; and whether two sessions have the same. */
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
