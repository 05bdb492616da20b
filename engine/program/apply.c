/*
 * Another reading of the fabric in place of the one that runs.
 *
 *   new program, aside ──> NICs and VNets swapped ──> old FIBs and groups go
 *   own prefixes of route servers and gateways: what is gone is withdrawn, the rest originated
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"
#include "engine/program/controller_private.h"
#include "engine/program/internal.h"

/* --- The program step ------------------------------------------------------------------------- */

/* What is in the groups stays; whoever made it holds the same struct program as before. */
static void exchange(struct program *a, struct program *b)
{
    struct program kept = *a;
    *a = *b;
    *b = kept;
}

/* Load balancers stay as they are in what may be applied, so their backends have the same places. */
static int take_health(struct program *made, const struct program *program)
{
    int error = 0;
    for (uint32_t i = 0; i < made->fabric->load_balancers_count && error >= 0; i++)
        for (uint32_t j = 0; j < made->fabric->load_balancers[i].backend_count && error >= 0; j++)
            error = program_backend_state(made, i, j, program_backend_is_up(program, i, j));
    return error < 0 ? error : 0;
}

int program_apply(struct program *program, const struct fabric *with, char error[DP_ERROR_TEXT])
{
    struct program *made =
        program_create_aside(with, program->bgp, program->forwarding, program, error);
    if (!made)
        return -errno;
    int failed = take_health(made, program);
    if (failed) {
        program_discard(made);
        return failed;
    }
    program_nics_remove(program);
    failed = program_nics_set(made, false, error);
    if (failed) {
        char ignored[DP_ERROR_TEXT];
        program_nics_remove(made);
        program_nics_set(program, false, ignored);
        program_discard(made);
        return failed;
    }
    exchange(program, made);
    program_discard(made);
    return 0;
}

/* --- Own prefixes ----------------------------------------------------------------------------- */

/* Of one route server, before and after. */
struct own_prefixes {
    struct lpm_prefix *before, *after;
    size_t before_count, after_count;
};

static int compare_prefixes(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static bool are_equal(const struct own_prefixes *own)
{
    if (own->before_count != own->after_count)
        return false;
    for (size_t i = 0; i < own->before_count; i++)
        if (!lpm_prefix_equal(&own->before[i], &own->after[i]))
            return false;
    return true;
}

static int withdraw_gone(struct speaker *speaker, const struct own_prefixes *own)
{
    int error = 0;
    for (size_t i = 0; i < own->before_count && !error; i++) {
        if (!bsearch(&own->before[i], own->after, own->after_count, sizeof(*own->after),
                     compare_prefixes))
            error = speaker_withdraw(speaker, &own->before[i]);
        if (error == -ENOENT) /* gone already: an earlier try came this far */
            error = 0;
    }
    return error;
}

static int announce_server(struct controller *controller, const struct fabric *with,
                           uint32_t route_server, const struct own_prefixes *own)
{
    const struct server *server = &controller->servers[route_server];
    int error = 0;
    for (unsigned i = 0; i < server->speaker_count && !error; i++) {
        error = withdraw_gone(server->speakers[i], own);
        if (!error)
            error = fabric_route_server_originate(with, route_server, server->speakers[i]);
    }
    for (uint32_t i = 0; i < with->gateways_count && !error; i++) {
        struct speaker *speaker = controller_gateway_speaker(controller, i);
        if (fabric_gateway_server(with, i) != route_server)
            continue;
        error = withdraw_gone(speaker, own);
        if (!error)
            error = fabric_gateway_originate(with, i, speaker);
    }
    return error;
}

static int announce(struct controller *controller, const struct fabric *with)
{
    int error = 0;
    for (uint32_t i = 0; i < with->route_servers_count && !error; i++) {
        struct own_prefixes own = {0};
        error = fabric_originated(controller->fabric, i, &own.before, &own.before_count);
        if (!error)
            error = fabric_originated(with, i, &own.after, &own.after_count);
        if (!error && !are_equal(&own))
            error = announce_server(controller, with, i, &own);
        free(own.before);
        free(own.after);
    }
    return error;
}

/* --- The controller --------------------------------------------------------------------------- */

int controller_apply(struct controller *controller, const struct fabric *with,
                     char error[DP_ERROR_TEXT])
{
    int failed = program_apply(controller->program, with, error);
    if (failed)
        return failed;
    failed = announce(controller, with);
    if (failed)
        snprintf(error, DP_ERROR_TEXT, "what the route servers announce cannot be changed: %s",
                 strerror(-failed));
    controller->fabric = with;
    gateways_follow(controller->gateways, with);
    watch_follow(controller->watch, with);
    return failed;
}
