/*
 * What a modelled router originates: the prefixes of the file and its feed, but for what it was told
 * since and what its health checks hold back.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/fabric/route_server.h"
#include "engine/sim/router.h"

static bool holds(const struct fabric_prefixes *prefixes, const struct lpm_prefix *prefix)
{
    for (uint32_t i = 0; i < prefixes->n; i++)
        if (lpm_prefix_equal(&prefixes->items[i], prefix))
            return true;
    return false;
}

static bool is_withheld(const struct sim_router *router, const struct lpm_prefix *prefix)
{
    const struct fabric_router *model = &router->fabric->routers[router->index];
    for (uint32_t i = 0; i < model->health_count; i++)
        if (router->unhealthy[i] && holds(&model->health[i].withdraw, prefix))
            return true;
    return false;
}

/* Of its own: the last word on the prefix, else the file's. */
static bool is_meant_to_announce(const struct sim_router *router, const struct lpm_prefix *prefix)
{
    for (unsigned i = 0; i < router->changed_count; i++)
        if (lpm_prefix_equal(&router->changed[i].prefix, prefix))
            return router->changed[i].announced;
    return holds(&router->fabric->routers[router->index].originate, prefix);
}

static int announce(struct sim_router *router, const struct lpm_prefix *prefix)
{
    if (!is_meant_to_announce(router, prefix) || is_withheld(router, prefix))
        return 0;
    return fabric_originate_prefixes(router->speaker, prefix, 1);
}

int sim_router_remember(struct sim_router *router, const struct lpm_prefix *prefix, bool announced)
{
    unsigned i = 0;
    while (i < router->changed_count && !lpm_prefix_equal(&router->changed[i].prefix, prefix))
        i++;
    if (i == router->changed_count) {
        void *grown = realloc(router->changed, (i + 1) * sizeof(*router->changed));
        if (!grown)
            return -ENOMEM;
        router->changed = grown;
        router->changed_count++;
    }
    router->changed[i] = (struct sim_router_route){*prefix, announced};
    return 0;
}

int sim_router_originate(struct sim_router *router)
{
    const struct fabric_prefixes *own = &router->fabric->routers[router->index].originate;
    int error = 0;
    for (uint32_t i = 0; i < own->n && !error; i++)
        error = announce(router, &own->items[i]);
    if (!error && router->feed)
        error = sim_feed_announce(router->feed, router->speaker, router->fed);
    for (unsigned i = 0; i < router->changed_count && !error; i++) {
        const struct sim_router_route *route = &router->changed[i];
        error = route->announced ? announce(router, &route->prefix)
                                 : speaker_withdraw(router->speaker, &route->prefix);
        error = error == -ENOENT ? 0 : error;
    }
    return error;
}

int sim_router_reconsider(struct sim_router *router, const struct lpm_prefix *prefix)
{
    if (!speaker_originates(router->speaker, prefix))
        return announce(router, prefix);
    if (!is_withheld(router, prefix) && (is_meant_to_announce(router, prefix) || router->feed))
        return 0;
    return speaker_withdraw(router->speaker, prefix);
}

/* What the check is about becomes what all checks allow. */
static int follow_check(struct sim_router *router, const struct fabric_router_health *check)
{
    int error = 0;
    for (uint32_t i = 0; i < check->withdraw.n && !error; i++)
        error = sim_router_reconsider(router, &check->withdraw.items[i]);
    return error;
}

int sim_router_set_health(struct sim_router *router, uint32_t check, bool up)
{
    const struct fabric_router *model = &router->fabric->routers[router->index];
    router->unhealthy[check] = !up;
    if (!router->speaker)
        return 0;
    int error = follow_check(router, &model->health[check]);
    router->touched(router->touched_context, router->speaker);
    return error;
}
