/*
 * How fast NICs follow what route servers choose: at once, or paced by damping and by the hold-down of
 * failback (standing.h). Route servers tell their peers at once in any case.
 */
#include <errno.h>

#include "engine/program/controller_private.h"

/* The window in which the vendor's fabric takes no second change of a prefix. */
#define DAMPING_MS 30000u

static struct program_standing_config config_of(const struct controller *controller,
                                                uint32_t route_server)
{
    const struct fabric *fabric = controller->fabric;
    uint32_t hold_down_s = fabric->route_servers[route_server].failback_hold_down_s;
    return (struct program_standing_config){
        .damping_ms = fabric->quirks.damping ? DAMPING_MS : 0,
        .failback_ms =
            hold_down_s == UINT32_MAX ? PROGRAM_FAILBACK_NEVER : UINT64_C(1000) * hold_down_s,
    };
}

int controller_pace_open(struct controller *controller)
{
    for (uint32_t i = 0; i < controller->fabric->route_servers_count; i++) {
        struct server *server = &controller->servers[i];
        const struct program_standing_config config = config_of(controller, i);
        if (config.damping_ms == 0 && config.failback_ms == 0)
            continue;
        for (unsigned j = 0; j < server->speaker_count; j++) {
            server->standing[j] = program_standing_create(server->speakers[j], &config);
            if (!server->standing[j])
                return -ENOMEM;
            program_bgp_view_follow(controller->view, i, j, server->standing[j]);
        }
    }
    return 0;
}

void controller_pace_close(struct controller *controller)
{
    for (uint32_t i = 0; controller->servers && i < controller->fabric->route_servers_count; i++)
        for (unsigned j = 0; j < controller->servers[i].speaker_count; j++)
            program_standing_destroy(controller->servers[i].standing[j]);
}

void controller_pace_note(const struct server *server, const struct speaker *speaker,
                          const struct lpm_prefix *prefix)
{
    for (unsigned i = 0; i < server->speaker_count; i++)
        if (server->speakers[i] == speaker && server->standing[i])
            program_standing_note(server->standing[i], prefix, speaker_now(speaker));
}

/* --- Time ------------------------------------------------------------------------------------- */

static void on_followed(void *context, const struct lpm_prefix *prefix)
{
    const struct server *server = context;
    controller_prefix_changed(server->controller, server->index, prefix);
    controller_note_flush(server->controller);
}

/* Each speaker's own, by place; NULL beyond the last. */
static struct program_standing *standing_at(const struct controller *controller, size_t i,
                                            struct server **server)
{
    *server = &controller->servers[i / 2];
    return (*server)->standing[i % 2];
}

uint64_t controller_deadline(const struct controller *controller)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < 2 * (size_t)controller->fabric->route_servers_count; i++) {
        struct server *server;
        const struct program_standing *standing = standing_at(controller, i, &server);
        uint64_t deadline = standing ? program_standing_deadline(standing) : UINT64_MAX;
        first = deadline < first ? deadline : first;
    }
    return first;
}

void controller_tick(struct controller *controller, uint64_t now_ms)
{
    for (size_t i = 0; i < 2 * (size_t)controller->fabric->route_servers_count; i++) {
        struct server *server;
        struct program_standing *standing = standing_at(controller, i, &server);
        if (standing)
            program_standing_tick(standing, now_ms, on_followed, server);
    }
}

struct controller_pace controller_pace(const struct controller *controller)
{
    struct controller_pace pace = {0};
    for (size_t i = 0; i < 2 * (size_t)controller->fabric->route_servers_count; i++) {
        struct server *server;
        const struct program_standing *standing = standing_at(controller, i, &server);
        if (!standing)
            continue;
        pace.damped += program_standing_waiting(standing, PROGRAM_WAITS_DAMPING);
        pace.held_down += program_standing_waiting(standing, PROGRAM_WAITS_FAILBACK);
        pace.is_damping |= program_standing_is_damping(standing);
    }
    return pace;
}
