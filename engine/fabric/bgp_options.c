/* From the words under `bgp:` to the configuration of a speaker's peer. */
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
