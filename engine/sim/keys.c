/*
 * Keys of TCP sessions in the twin. It reads no key file: two ends have the same key when both name the same
 * file. With different ones, or where one end has none, each drops what the other sends without a
 * word, so no session comes up, and one that is up ends by its hold time.
 */
#include <string.h>

#include "engine/sim/internal.h"

static bool same_key(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void compare_server(struct sim *sim, size_t i)
{
    const struct controller_peer *peer = controller_peer(sim->controller, i);
    uint32_t router;
    const struct fabric_neighbor *neighbor = sim_answering(sim->fabric, peer, &router);
    const struct fabric_route_server *server = &sim->fabric->route_servers[peer->route_server];
    if (neighbor)
        sim_link_cut(sim_shell_of(peer)->link, SIM_LINK_KEYS,
                     !same_key(server->peers[peer->index].key_file, neighbor->key_file));
}

void sim_compare_keys(struct sim *sim)
{
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++)
        compare_server(sim, i);
    for (size_t i = 0; i < sim->circuit_count; i++) {
        const struct sim_circuit_end *ends = sim->joints[i]->circuit.ends;
        if (sim->joints[i]->link)
            sim_link_cut(sim->joints[i]->link, SIM_LINK_KEYS,
                         !same_key(ends[0].neighbor->key_file, ends[1].neighbor->key_file));
    }
}

bool sim_session_keys_differ(const struct sim *sim, size_t i)
{
    return sim_link_is_cut_for(sim_shell_of(controller_peer(sim->controller, i))->link,
                               SIM_LINK_KEYS);
}
