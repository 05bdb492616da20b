/*
 * The speaker against a model (model.h) under random changes that travel as real messages. After
 * every settled step: choices, the changes told, Adj-RIB-In with verdicts, Adj-RIB-Out as the
 * server says and as the neighbours hold it, counters.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rib/model.h"

#define STEPS 1200u

struct run {
    struct world *world;
    struct node *server;
    struct node *nodes[NEIGHBOURS];
    struct link *links[SESSIONS];
    struct model model;
    unsigned seed, step;
};

static void build(struct run *run)
{
    struct speaker_config server = {.name = "rs",
                                    .asn = SERVER_ASN,
                                    .preference = run->model.preference,
                                    .prepend_own_asn = true,
                                    .reflect = true};

    run->world = world_create();
    run->server = world_node(run->world, &server);
    run->server->check_changes = true;
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        struct speaker_config config = {.asn = model_neighbours[i].asn, .prepend_own_asn = true};

        run->nodes[i] = world_node(run->world, &config);
    }
    /* Not in their rank, which must not come from the order of configuration. */
    for (unsigned i = 0; i < SESSIONS; i++) {
        unsigned s = (i * 5 + 3) % SESSIONS;
        const struct model_neighbour *neighbour = &model_neighbours[model_sessions[s].neighbour];
        struct speaker_peer_config near = world_end(model_sessions[s].local, neighbour->asn);
        struct speaker_peer_config far = world_end(neighbour->address, SERVER_ASN);

        near.source = neighbour->source;
        near.local_address6 = world_address(model_sessions[s].local6);
        far.local_address6 = world_address(neighbour->address6);
        run->links[s] =
            world_link(run->world, run->server, near, run->nodes[model_sessions[s].neighbour], far);
        run->model.up[s] = true;
    }
    for (unsigned p = 0; p < POOL; p++)
        run->model.best[p] = -1;
    world_start(run->world);
}

static unsigned below(unsigned n)
{
    return (unsigned)rand() % n;
}

static struct route random_route(unsigned p)
{
    static const char *const next_hops[2][4] = {
        {"10.0.1.100", "10.0.1.101", "10.0.0.5", "10.0.1.10"},
        {"fd00::100", "fd00::101", "fd00::5", "fd00::10"}};
    static const uint32_t asns[] = {64900, 64901, 64902, 65002, SERVER_ASN};
    static const uint32_t communities[] = {BGP_NO_ADVERTISE, BGP_NO_EXPORT, 65001u << 16 | 1,
                                           65517u << 16 | 12001};
    struct route route = {.prefix = model_pool[p]};
    unsigned length = below(4);

    for (unsigned i = 0; i < length; i++)
        route.as_path[i] = asns[below(20) == 0 ? 4 : below(4)];
    if (below(3) == 0)
        route.next_hop = next_hops[p >= FIRST_IPV6][below(4)];
    for (unsigned i = 0, n = 0; i < 4; i++)
        if (below(6) == 0)
            route.communities[n++] = communities[i];
    return route;
}

static void step_route(struct run *run, unsigned i)
{
    struct node *node = i == NEIGHBOURS ? run->server : run->nodes[i];
    unsigned p = below(POOL);

    if (run->model.present[i][p] && below(2) == 0) {
        run->model.present[i][p] = false;
        world_withdraw(node, model_pool[p]);
        return;
    }
    run->model.routes[i][p] = random_route(p);
    if (i == NEIGHBOURS) {
        run->model.routes[i][p].next_hop = NULL;
        run->model.routes[i][p].as_path[0] = 0;
    }
    run->model.present[i][p] = true;
    world_originate(node, &run->model.routes[i][p]);
}

static void take_step(struct run *run)
{
    unsigned kind = below(100), s = below(SESSIONS);

    run->world->chunk = below(4) == 0 ? 1 + below(60) : 65536;
    if (kind < 8) {
        run->links[s]->ends[1].paused = false; /* a session that reads nothing does not come up */
        run->model.up[s] = !run->model.up[s];
        if (run->model.up[s])
            world_mend(run->world, run->links[s]);
        else
            world_cut(run->world, run->links[s]);
    } else if (kind < 14) {
        run->links[s]->ends[1].paused ^= true;
    } else if (kind < 25) {
        step_route(run, NEIGHBOURS);
    } else {
        step_route(run, below(NEIGHBOURS));
    }
    world_settle(run->world);
}

/* The neighbour holds what the server says it sent; its own filters are of no interest here. */
static void check_far_end(const struct run *run, unsigned s, const char *advertised)
{
    static char text[WORLD_TEXT], plain[WORLD_TEXT];
    char *to = plain;

    world_learned(run->nodes[model_sessions[s].neighbour], run->links[s]->ends[1].peer, text);
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == ' ' && from[1] == '(')
            from = strchr(from, '\n');
        *to++ = *from;
    }
    *to = '\0';
    cr_assert_str_eq(plain, advertised, "seed %u, step %u: held by the neighbour of session %u",
                     run->seed, run->step, s);
}

static void check_session(const struct run *run, const struct expected *expected, unsigned s)
{
    static char text[WORLD_TEXT];
    struct speaker_peer_counters counters;
    const struct end *end = &run->links[s]->ends[0];

    cr_assert_eq(end->state == BGP_ESTABLISHED, run->model.up[s], "seed %u, step %u, session %u",
                 run->seed, run->step, s);
    world_learned(run->server, end->peer, text);
    cr_assert_str_eq(text, expected->learned[s], "seed %u, step %u: learned in session %u",
                     run->seed, run->step, s);
    speaker_peer_counters(end->peer, &counters);
    cr_assert_eq(counters.held, expected->held[s]);
    cr_assert_eq(counters.as_loop, expected->loops[s]);
    if (run->links[s]->ends[1].paused)
        return;
    world_advertised(run->server, end->peer, text);
    cr_assert_str_eq(text, expected->advertised[s], "seed %u, step %u: advertised in session %u",
                     run->seed, run->step, s);
    check_far_end(run, s, text);
}

static void check(struct run *run)
{
    static struct expected expected;
    static char text[WORLD_TEXT];

    model_expect(&run->model, &expected);
    cr_assert_str_eq(world_choices(run->server, text), expected.choices, "seed %u, step %u",
                     run->seed, run->step);
    cr_assert(world_changes_told(run->server), "seed %u, step %u: a change was not told", run->seed,
              run->step);
    for (unsigned s = 0; s < SESSIONS; s++)
        check_session(run, &expected, s);
    cr_assert(speaker_validate(run->server->speaker), "seed %u, step %u", run->seed, run->step);
}

static void run_model(unsigned seed)
{
    static struct run run;

    memset(&run, 0, sizeof(run));
    run.seed = seed;
    run.model.preference = (enum rib_preference)(seed % 3);
    srand(seed);
    build(&run);
    for (run.step = 0; run.step < STEPS; run.step++) {
        take_step(&run);
        check(&run);
    }
    world_destroy(run.world);
}

Test(oracle, agrees_under_random_changes_preferring_express_route)
{
    run_model(3);
}

Test(oracle, agrees_under_random_changes_preferring_vpn)
{
    run_model(4);
}

Test(oracle, agrees_under_random_changes_preferring_the_as_path)
{
    run_model(5);
}
