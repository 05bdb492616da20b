/*
 * Life and settling of the twin that a command asks.
 */
#include "engine/cli/twin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/feed.h"
#include "engine/cli/source.h"
#include "engine/sim/circuit.h"

static void say_sessions_down(const struct cli_command *command, struct twin *twin)
{
    struct controller *controller = sim_controller(twin->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        const struct fabric_route_server *server = &twin->fabric->route_servers[peer->route_server];
        const struct fabric_bgp_peer *neighbor = &server->peers[peer->index];
        if (!peer->established && controller_peer_router(twin->fabric, peer) != FABRIC_NONE)
            cli_error(command, "%s:%u: the session of %s/%u with %s is not up: %s",
                      neighbor->place.file, neighbor->place.line, server->name, peer->instance,
                      speaker_peer_config(peer->peer)->name,
                      bgp_session_last_reason(speaker_peer_session(peer->peer)));
    }
}

static void say_gateways_down(const struct cli_command *command, struct twin *twin)
{
    struct controller *controller = sim_controller(twin->sim);
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_gateway_peer(controller, i);
        const struct fabric_gateway *gateway = &twin->fabric->gateways[peer->gateway];
        if (peer->shell && !peer->established)
            cli_error(command, "%s:%u: the session of %s/%u with %s is not up: %s",
                      gateway->place.file, gateway->place.line, gateway->name, peer->instance,
                      speaker_peer_config(peer->peer)->name,
                      bgp_session_last_reason(speaker_peer_session(peer->peer)));
    }
}

static void say_circuits_down(const struct cli_command *command, struct twin *twin)
{
    for (size_t i = 0; i < sim_circuit_count(twin->sim); i++) {
        const struct sim_circuit *circuit = sim_circuit(twin->sim, i);
        const struct speaker_peer *peer = sim_circuit_peer(twin->sim, i, 0);
        if (!sim_circuit_has_session(circuit) || !peer ||
            bgp_session_state(speaker_peer_session(peer)) == BGP_ESTABLISHED)
            continue;
        cli_error(command, "%s:%u: the session of %s with %s is not up: %s",
                  circuit->ends[0].neighbor->place.file, circuit->ends[0].neighbor->place.line,
                  twin->fabric->routers[circuit->ends[0].router].name,
                  twin->fabric->routers[circuit->ends[1].router].name,
                  bgp_session_last_reason(speaker_peer_session(peer)));
    }
}

bool twin_settle(const struct cli_command *command, struct twin *twin)
{
    int error = sim_settle(twin->sim, TWIN_SETTLE_MS);
    if (error == -ETIMEDOUT) {
        say_sessions_down(command, twin);
        say_circuits_down(command, twin);
        say_gateways_down(command, twin);
    } else if (error)
        cli_error(command, "the twin cannot go on: %s", sim_error_text(twin->sim, error));
    return error == 0 || error == -ETIMEDOUT;
}

static int start(const struct cli_command *command, struct twin *twin, event_listener *listener,
                 void *context)
{
    if (listener && sim_watch(twin->sim, listener, context))
        return cli_error(command, "no memory for the event log");
    int code = twin_feed(command, twin);
    return code || twin_settle(command, twin) ? code : CLI_BAD_USE;
}

static int raise_twin(const struct cli_command *command, struct fabric *fabric,
                      const struct dp_forwarding_config *config, struct twin *twin,
                      event_listener *listener, void *context)
{
    char error[DP_ERROR_TEXT] = "no memory for the twin";
    *twin = (struct twin){.fabric = fabric, .lpm = lpm_create()};
    if (twin->lpm)
        twin->forwarding = dp_forwarding_create(config, twin->lpm);
    if (twin->forwarding)
        twin->sim = sim_create(fabric, twin->forwarding, error);
    if (!twin->sim) {
        cli_error(command, "%s", error);
        twin_close(twin);
        return CLI_BAD_USE;
    }
    int code = start(command, twin, listener, context);
    if (code)
        twin_close(twin);
    return code;
}

int twin_raise(const struct cli_command *command, struct fabric *fabric, struct twin *twin)
{
    struct dp_forwarding_config config = program_forwarding_config(fabric, 1);
    return raise_twin(command, fabric, &config, twin, NULL, NULL);
}

int twin_watch(const struct cli_command *command, struct fabric *fabric, event_listener *listener,
               void *context, struct twin *twin)
{
    struct dp_forwarding_config config = program_forwarding_config(fabric, 1);
    return raise_twin(command, fabric, &config, twin, listener, context);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

int twin_watch_growing(const struct cli_command *command, struct fabric *fabric,
                       struct fabric *const *stages, size_t stage_count, event_listener *listener,
                       void *context, struct twin *twin)
{
    struct dp_forwarding_config config = program_forwarding_config(fabric, 1);
    for (size_t i = 0; i < stage_count; i++) {
        if (!stages[i])
            continue;
        struct dp_forwarding_config stage = program_forwarding_config(stages[i], 1);
        config.nic_capacity = larger(config.nic_capacity, stage.nic_capacity);
        config.vnet_capacity = larger(config.vnet_capacity, stage.vnet_capacity);
        config.group_capacity = larger(config.group_capacity, stage.group_capacity);
    }
    return raise_twin(command, fabric, &config, twin, listener, context);
}

int twin_open(const struct cli_command *command, const char *path, struct twin *twin)
{
    struct fabric *fabric = source_load_or_say(path);
    return fabric ? twin_raise(command, fabric, twin) : CLI_BAD_USE;
}

void twin_close(struct twin *twin)
{
    sim_destroy(twin->sim);
    dp_forwarding_destroy(twin->forwarding);
    if (twin->lpm)
        lpm_destroy(twin->lpm);
    fabric_free(twin->fabric);
    *twin = (struct twin){0};
}

uint32_t twin_find_nic(const struct cli_command *command, const struct fabric *fabric,
                       const char *name)
{
    uint32_t nic = fabric_find_nic(fabric, name);
    if (nic != FABRIC_NONE)
        return nic;
    char names[200] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < fabric->nics_count && at < sizeof(names) - 1; i++) {
        int n =
            snprintf(names + at, sizeof(names) - at, "%s%s", i ? ", " : "", fabric->nics[i].name);
        at += n > 0 ? (size_t)n : 0;
    }
    cli_error(command, "the fabric has no NIC '%s'; it has %s%s", name,
              fabric->nics_count ? names : "none", at >= sizeof(names) ? " …" : "");
    return FABRIC_NONE;
}
