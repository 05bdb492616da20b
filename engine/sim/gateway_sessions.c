/*
 * Sessions between gateways and modelled routers: one an instance of the gateway and neighbor. Neighbors that
 * are addresses of real boxes have none, and nobody answers for them.
 */
#include "engine/fabric/gateway.h"

#include "engine/sim/internal.h"

uint32_t sim_gateway_answering(const struct sim *sim, const struct controller_peer *peer)
{
    return fabric_gateway_neighbor(sim->fabric, peer->gateway, peer->index).router;
}

bool sim_gateway_session_as_expected(const struct sim *sim, size_t i)
{
    const struct controller_peer *peer = controller_gateway_peer(sim->controller, i);
    if (!peer->shell)
        return true;
    const struct sim_link *link = sim_shell_of(peer)->link;
    bool up = sim->routers[sim_gateway_answering(sim, peer)]->speaker && !sim_link_is_cut(link);
    return peer->established == up && (!up || sim_link_quiet(link));
}
