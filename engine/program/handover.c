/*
 * With the quirk half_programming each instance of a route server programs its NICs by itself. While an instance is
 * away, because its own process was ended and not because of its peers, nobody takes its routes out of the NICs;
 * here the other instance programs them meanwhile, which comes to the same. It takes them back when it holds as much
 * as before.
 *
 * Where a running engine restarts an instance, its sessions' routes are retained (controller_restart_instance()), so
 * there is nothing to hand over.
 */
#include "engine/program/controller_private.h"

/* What the sessions of an instance hold. */
static size_t held_by(const struct controller *controller, uint32_t route_server, unsigned instance)
{
    size_t held = 0;
    for (size_t i = 0; i < controller->peer_count; i++) {
        const struct controller_peer *peer = controller->peers[i];
        struct speaker_peer_counters counters;
        if (peer->route_server != route_server || peer->instance != instance || !peer->established)
            continue;
        speaker_peer_counters(peer->peer, &counters);
        held += counters.held;
    }
    return held;
}

static void hand_over(struct controller *controller, uint32_t route_server, unsigned instance,
                      bool away)
{
    program_bgp_view_set_away(controller->view, route_server, instance, away);
    if (!controller->fabric->quirks.half_programming)
        return;
    program_everything_changed(controller->program);
    if (controller->next)
        program_everything_changed(controller->next);
    controller_note_flush(controller);
}

void controller_instance_leaves(struct controller *controller, uint32_t route_server,
                                unsigned instance)
{
    struct server *server = &controller->servers[route_server];
    if (instance >= controller->fabric->route_servers[route_server].instance_count ||
        program_bgp_view_is_away(controller->view, route_server, instance))
        return;
    server->held_before[instance] = held_by(controller, route_server, instance);
    hand_over(controller, route_server, instance, true);
}

void controller_instance_check(struct controller *controller, uint32_t route_server,
                               unsigned instance)
{
    const struct server *server = &controller->servers[route_server];
    if (program_bgp_view_is_away(controller->view, route_server, instance) &&
        held_by(controller, route_server, instance) >= server->held_before[instance])
        hand_over(controller, route_server, instance, false);
}
