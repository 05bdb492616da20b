/*
 * Plays the feeds of routers in their time.
 */
#include "engine/sim/internal.h"

static bool is_feed_over(const struct sim_router *router)
{
    return !router->feed || router->fed == sim_feed_changes(router->feed);
}

/* Does the changes that are due, and comes back for the next. A router that is down misses them, and
 * starts from where they lead. */
static void on_feed(void *context, uint64_t argument)
{
    struct sim *sim = context;
    const uint32_t index = sim_router_numbered(sim, argument);
    if (index == FABRIC_NONE)
        return;
    struct sim_router *router = sim->routers[index];
    int error = 0;
    while (!error && !is_feed_over(router) &&
           sim_feed_due_ms(router->feed, router->fed) <= sim_now_ms(sim)) {
        if (router->speaker)
            error = sim_feed_change(router->feed, router->speaker, router->fed);
        router->fed++;
    }
    if (error)
        sim->error = error;
    if (router->speaker)
        sim_touched(sim, router->speaker);
    if (!error && !is_feed_over(router))
        sim_clock_at(sim->clock, sim_feed_due_ms(router->feed, router->fed), on_feed, sim,
                     argument);
}

int sim_set_feed(struct sim *sim, uint32_t router, struct sim_feed *feed)
{
    struct sim_router *fed = sim->routers[router];
    sim_feed_destroy(fed->feed);
    fed->feed = feed;
    fed->fed = 0;
    int error = fed->speaker ? sim_feed_announce(feed, fed->speaker, 0) : 0;
    if (!error && sim_feed_changes(feed) > 0)
        sim_clock_at(sim->clock, sim_feed_due_ms(feed, 0), on_feed, sim, fed->number);
    return error;
}

bool sim_feeds_are_over(const struct sim *sim)
{
    bool over = true;
    for (uint32_t i = 0; over && i < sim->router_count; i++)
        over = is_feed_over(sim->routers[i]);
    return over;
}

uint64_t sim_feeds_end_ms(const struct sim *sim)
{
    uint64_t end_ms = 0;
    for (uint32_t i = 0; i < sim->router_count; i++) {
        const struct sim_router *router = sim->routers[i];
        if (is_feed_over(router))
            continue;
        uint64_t due_ms = sim_feed_due_ms(router->feed, sim_feed_changes(router->feed) - 1);
        end_ms = due_ms > end_ms ? due_ms : end_ms;
    }
    return end_ms;
}
