/*
 * See plane.h. Ports open once all is programmed, and close first: no packet meets half-programmed state, and nothing
 * that a worker may read goes away before the worker does.
 */
#include "engine/live/plane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/placement.h"
#include "engine/live/log.h"
#include "engine/program/program.h"

/* Ports in the order of the fabric: an attachment names its port by that index. Those of other hosts
 * have no device. The list is the caller's to free. */
static struct dp_port_config *port_configs(const struct fabric *fabric)
{
    struct fabric_placement placement;
    struct dp_port_config *ports = calloc(fabric->ports_count + 1, sizeof(*ports));
    if (!ports || fabric_placement_open(&placement, fabric)) {
        free(ports);
        return NULL;
    }
    for (uint32_t i = 0; i < fabric->ports_count; i++) {
        const struct fabric_port *port = &fabric->ports[i];
        ports[i] = (struct dp_port_config){
            .name = port->name,
            .device = fabric_placement_has_port(&placement, i) ? port->device : NULL,
            .options = port->options,
            .queues = port->queues,
            .mtu = port->mtu,
        };
    }
    fabric_placement_close(&placement);
    return ports;
}

static struct dp_engine_config engine_config(const struct fabric *fabric,
                                             const struct dp_port_config *ports, bool verbose)
{
    return (struct dp_engine_config){
        .ports = ports,
        .port_count = fabric->ports_count,
        .cores = fabric->engine.core_count ? fabric->engine.cores : NULL,
        .core_count = fabric->engine.core_count,
        .quiet = !verbose,
    };
}

/* Counters are made per worker before there are any, so their number must be known first. A file
 * without ports (route server only) starts no EAL and has no worker, but counters want one set. */
static int worker_count(const struct fabric *fabric, bool verbose, unsigned *workers)
{
    *workers = 1;
    if (fabric->ports_count == 0)
        return 0;
    struct dp_port_config *ports = port_configs(fabric);
    if (!ports)
        return -ENOMEM;
    struct dp_engine_config config = engine_config(fabric, ports, verbose);
    *workers = dp_engine_worker_count(&config);
    free(ports);
    return 0;
}

static int no_memory(char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "not enough memory for the forwarding state");
    return -ENOMEM;
}

int live_plane_create(struct live_plane *plane, const struct fabric *fabric,
                      const struct controller_shell *shell, bool verbose, char error[DP_ERROR_TEXT])
{
    memset(plane, 0, sizeof(*plane));
    error[0] = '\0';
    int status = worker_count(fabric, verbose, &plane->workers);
    if (status)
        return no_memory(error);
    plane->lpm = lpm_create();
    if (!plane->lpm)
        return no_memory(error);
    struct dp_forwarding_config config = program_forwarding_config(fabric, plane->workers);
    plane->forwarding = dp_forwarding_create(&config, plane->lpm);
    if (!plane->forwarding) {
        status = no_memory(error);
        goto fail;
    }
    plane->controller = controller_create(fabric, plane->forwarding, true, shell, error);
    if (!plane->controller) {
        /* error was filled by the controller: it names the object. */
        status = errno ? -errno : -EINVAL;
        goto fail;
    }
    return 0;
fail:
    live_plane_destroy(plane);
    return status;
}

/* One that is down from the start is said to be down, too; those of other hosts are nobody's news. */
static int note_links(struct live_plane *plane, const struct fabric *fabric)
{
    plane->fabric = fabric;
    plane->links = calloc(fabric->ports_count, sizeof(*plane->links));
    for (uint32_t i = 0; plane->links && i < fabric->ports_count; i++)
        plane->links[i] = dp_engine_port_queues(plane->engine, i) > 0;
    return plane->links ? 0 : -ENOMEM;
}

int live_plane_start(struct live_plane *plane, const struct fabric *fabric, bool verbose,
                     char error[DP_ERROR_TEXT])
{
    if (fabric->ports_count == 0)
        return 0;
    struct dp_port_config *ports = port_configs(fabric);
    if (!ports)
        return no_memory(error);
    struct dp_engine_config config = engine_config(fabric, ports, verbose);
    int status = dp_engine_start(&config, plane->forwarding, &plane->engine, error);
    free(ports);
    return status ? status : note_links(plane, fabric);
}

/* Another reading of the fabric file is in force: NICs may have come, or moved from port to port. */
static void look_anew(struct live_plane *plane, const struct fabric *fabric)
{
    bool any = false, done = true;
    for (uint32_t i = 0; i < fabric->ports_count; i++)
        any |= !plane->links[i];
    for (uint32_t i = 0; any && i < fabric->ports_count; i++)
        done &= program_port_state(controller_program(plane->controller), i, plane->links[i]) >= 0;
    plane->fabric = done ? fabric : NULL;
}

/* A link that goes down and comes back between two looks is none that went down. What cannot be programmed is tried
 * again at the next look. */
void live_plane_watch(struct live_plane *plane, const struct fabric *fabric, uint64_t now_ms)
{
    if (plane->links && plane->fabric != fabric)
        look_anew(plane, fabric);
    for (uint32_t i = 0; plane->engine && plane->links && i < fabric->ports_count; i++) {
        bool up = dp_engine_port_link(plane->engine, i);
        if (up == plane->links[i] || controller_port_state(plane->controller, i, up, now_ms) < 0)
            continue;
        plane->links[i] = up;
        live_log("port %s: link %s", fabric->ports[i].name,
                 up ? "up" : "down: who is behind it is out of every group");
    }
}

void live_plane_stop(struct live_plane *plane)
{
    if (plane->engine)
        dp_engine_stop(plane->engine);
    plane->engine = NULL;
}

void live_plane_destroy(struct live_plane *plane)
{
    live_plane_stop(plane);
    if (plane->controller)
        controller_destroy(plane->controller);
    if (plane->forwarding)
        dp_forwarding_destroy(plane->forwarding);
    if (plane->lpm)
        lpm_destroy(plane->lpm);
    free(plane->links);
    memset(plane, 0, sizeof(*plane));
}
