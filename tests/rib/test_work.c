/*
 * What a large change leaves to do is done in slices, and comes to the same as if it were done at once,
 * whatever happens between two slices.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tests/rib/world.h"

/* More than any first slice does. */
#define PREFIXES 4000u
/* More than any slice does. */
#define MANY 60000u

/* A route server at 10.0.0.4 with NVAs 10.0.1.10 (AS 65001) and 10.0.1.11 (65002). */
struct scene {
    struct world *world;
    struct node *server, *nvas[2];
    struct link *links[2];
};

static struct lpm_prefix numbered(unsigned i)
{
    struct lpm_prefix prefix = {.family = LPM_IPV4, .length = 24, .bytes = {20}};

    prefix.bytes[1] = (uint8_t)(i >> 8);
    prefix.bytes[2] = (uint8_t)i;
    return prefix;
}

static void announce(struct scene *scene, unsigned nva, unsigned i, unsigned as)
{
    const struct bgp_attributes *attributes =
        world_attributes(scene->world, &(struct route){.as_path = {64800 + as}});
    struct lpm_prefix prefix = numbered(i);

    cr_assert_eq(speaker_originate(scene->nvas[nva]->speaker, &prefix, attributes), 0);
    bgp_attributes_release(scene->world->table, attributes);
}

static void withdraw(struct scene *scene, unsigned nva, unsigned i)
{
    struct lpm_prefix prefix = numbered(i);

    speaker_withdraw(scene->nvas[nva]->speaker, &prefix);
}

static struct speaker_peer_config end_of(const char *address, uint32_t asn, bool restarts)
{
    struct speaker_peer_config config = world_end(address, asn);

    config.restart =
        (struct bgp_restart_config){.offered = restarts, .time_s = 120, .forwarding = true};
    config.stale_time_s = 60;
    return config;
}

static struct scene make_scene(bool restarts)
{
    const struct speaker_config config = {
        .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};
    static const char *const addresses[] = {"10.0.1.10", "10.0.1.11"};
    struct scene scene = {.world = world_create()};

    scene.server = world_node(scene.world, &config);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t asn = 65001 + i;

        scene.nvas[i] =
            world_node(scene.world, &(struct speaker_config){.asn = asn, .prepend_own_asn = true});
        scene.links[i] = world_link(scene.world, scene.server, end_of("10.0.0.4", asn, restarts),
                                    scene.nvas[i], end_of(addresses[i], 65515, restarts));
    }
    return scene;
}

static struct speaker_peer *server_peer(const struct scene *scene, unsigned i)
{
    return scene->links[i]->ends[0].peer;
}

static struct speaker_peer_counters counters(const struct speaker_peer *peer)
{
    struct speaker_peer_counters counters;

    speaker_peer_counters(peer, &counters);
    return counters;
}

static void check(const struct scene *scene)
{
    cr_assert(speaker_validate(scene->server->speaker));
    for (unsigned i = 0; i < 2; i++)
        cr_assert(speaker_validate(scene->nvas[i]->speaker));
}

static void finish(struct scene *scene)
{
    check(scene);
    world_destroy(scene->world);
}

/* A number that stands for all choices of a node. */
static int digest(void *context, const struct lpm_prefix *prefix, const struct rib_choice *choice)
{
    uint64_t *number = context;

    *number = XXH3_64bits_withSeed(prefix->bytes, sizeof(prefix->bytes), *number + prefix->length);
    for (unsigned i = 0; i < choice->n; i++) {
        const struct rib_path *path = &choice->paths[i];

        *number = XXH3_64bits_withSeed(path->next_hop.bytes, 4, *number);
        *number =
            XXH3_64bits_withSeed(path->attributes->bytes, path->attributes->size, *number + i);
    }
    return 0;
}

static uint64_t digest_of(const struct node *node)
{
    uint64_t number = 0;

    cr_assert_eq(speaker_each_choice(node->speaker, digest, &number), 0);
    return number;
}

/* --- A session comes up ----------------------------------------------------------------------- */

Test(work, a_new_session_is_told_of_a_table_in_slices)
{
    struct scene scene = make_scene(false);
    struct speaker_peer *peer = server_peer(&scene, 1);
    size_t most = 0, before = 0;

    for (unsigned i = 0; i < MANY; i++)
        announce(&scene, 0, i, i % 7);
    speaker_peer_start(scene.server->speaker, server_peer(&scene, 0), 0);
    speaker_peer_start(scene.nvas[0]->speaker, scene.links[0]->ends[1].peer, 0);
    world_settle(scene.world);
    speaker_peer_start(scene.server->speaker, peer, 0);
    speaker_peer_start(scene.nvas[1]->speaker, scene.links[1]->ends[1].peer, 0);
    while (world_step(scene.world)) {
        size_t advertised = counters(peer).advertised;

        most = advertised - before > most ? advertised - before : most;
        before = advertised;
        check(&scene);
    }
    cr_assert_eq(counters(peer).advertised, MANY);
    cr_assert_lt(most, MANY - 10000u, "in one step");
    cr_assert_eq(counters(scene.links[1]->ends[1].peer).held, MANY);
    finish(&scene);
}

/* --- A session goes --------------------------------------------------------------------------- */

struct loss {
    const struct scene *scene;
    size_t held, advertised; /* when the loss was told */
    unsigned changes;
    bool told;
};

static void note_loss(void *context, const struct end *end)
{
    struct loss *loss = context;

    if (end->node != loss->scene->server || end->state == BGP_ESTABLISHED || loss->told)
        return;
    loss->told = true;
    loss->held = counters(end->peer).held;
    loss->advertised = counters(end->peer).advertised;
    loss->changes = end->node->changes;
}

static struct scene start_full(bool restarts)
{
    struct scene scene = make_scene(restarts);

    for (unsigned i = 0; i < PREFIXES; i++) {
        announce(&scene, 0, i, i % 7);
        announce(&scene, 1, i, i % 5);
    }
    world_start(scene.world);
    cr_assert_eq(counters(server_peer(&scene, 0)).held, PREFIXES);
    return scene;
}

Test(work, a_loss_is_told_before_any_route_goes)
{
    struct scene scene = start_full(false);
    struct loss loss = {.scene = &scene};
    unsigned changes = scene.server->changes;

    scene.world->peer_changed = note_loss;
    scene.world->peer_changed_context = &loss;
    speaker_closed(scene.server->speaker, server_peer(&scene, 0), BGP_OUTGOING, "closed", 0);
    speaker_closed(scene.server->speaker, server_peer(&scene, 0), BGP_INCOMING, "closed", 0);
    cr_assert(loss.told);
    cr_assert_eq(loss.held, PREFIXES);
    cr_assert_eq(loss.changes, changes, "no choice changed before");
    cr_assert_eq(scene.server->changes, changes, "nor in the call, however many there are");
    cr_assert_eq(counters(server_peer(&scene, 0)).held, PREFIXES);
    cr_assert_eq(counters(server_peer(&scene, 0)).stale, PREFIXES, "but they are on their way");
    cr_assert_eq(counters(server_peer(&scene, 0)).advertised, 0);
    check(&scene);
    cr_assert_not(speaker_settled(scene.server->speaker));
    cr_assert_leq(speaker_deadline(scene.server->speaker), scene.world->now);
    world_step(scene.world);
    cr_assert_lt(counters(server_peer(&scene, 0)).held, PREFIXES);
    world_settle(scene.world);
    finish(&scene);
}

/* NVA 1 does not read; what it was to be told of is gone when it goes itself. */
Test(work, nothing_is_kept_for_a_peer_that_left_while_it_was_owed_withdrawals)
{
    struct scene scene = make_scene(false);

    for (unsigned i = 0; i < PREFIXES; i++)
        announce(&scene, 0, i, i % 7);
    world_start(scene.world);
    cr_assert_eq(counters(server_peer(&scene, 1)).advertised, PREFIXES);
    scene.links[1]->ends[1].paused = true;
    for (unsigned i = 0; i < PREFIXES; i++)
        withdraw(&scene, 0, i);
    world_settle(scene.world);
    cr_assert_eq(counters(server_peer(&scene, 1)).advertised, PREFIXES);
    scene.links[1]->up = false;
    speaker_closed(scene.server->speaker, server_peer(&scene, 1), BGP_OUTGOING, "closed", 0);
    speaker_closed(scene.server->speaker, server_peer(&scene, 1), BGP_INCOMING, "closed", 0);
    check(&scene);
    /* An id of a prefix that nobody waits for any more can be another prefix's by then. */
    for (unsigned i = 0; i < 100; i++)
        announce(&scene, 0, PREFIXES + i, 1);
    world_step(scene.world);
    check(&scene);
    world_settle(scene.world);
    scene.links[1]->ends[1].paused = false;
    world_cut(scene.world, scene.links[1]);
    finish(&scene);
}

/* --- Losses in a row -------------------------------------------------------------------------- */

/* Half a table is said again before the session is lost another time: the other half goes (RFC 4724
 * section 4.2), in slices, while the first is kept. */
Test(work, what_was_stale_at_the_next_loss_goes_and_the_rest_is_kept)
{
    struct scene scene = start_full(true);
    struct speaker_peer *peer = server_peer(&scene, 0);
    struct speaker_retention retention;

    world_cut(scene.world, scene.links[0]);
    cr_assert_eq(speaker_peer_retention(peer, BGP_IPV4_UNICAST).stale, PREFIXES);
    scene.world->chunk = 4096;
    scene.links[0]->up = true;
    world_run(scene.world, 0);
    for (unsigned i = 0; i < 1000 && counters(peer).stale > PREFIXES / 2; i++) {
        scene.world->now += world_step(scene.world) ? 0 : 1000;
        check(&scene);
    }
    cr_assert_eq(scene.links[0]->ends[0].state, BGP_ESTABLISHED);
    scene.links[0]->up = false;
    for (unsigned side = 0; side < 2; side++)
        for (unsigned direction = 0; direction < 2; direction++)
            speaker_closed(scene.links[0]->ends[side].node->speaker,
                           scene.links[0]->ends[side].peer, direction, "lost", scene.world->now);
    scene.links[0]->alive[0] = scene.links[0]->alive[1] = false;
    check(&scene);
    retention = speaker_peer_retention(peer, BGP_IPV4_UNICAST);
    cr_assert_eq(retention.kind, SPEAKER_RETAIN_RESTART);
    cr_assert_gt(counters(peer).held, PREFIXES / 2);
    world_settle(scene.world);
    retention = speaker_peer_retention(peer, BGP_IPV4_UNICAST);
    cr_assert_eq(retention.kind, SPEAKER_RETAIN_RESTART);
    cr_assert_eq(counters(peer).held, retention.stale);
    cr_assert_leq(retention.stale, PREFIXES);
    cr_assert_geq(retention.stale, PREFIXES / 2 - 300);
    cr_assert_lt(retention.stale, PREFIXES);
    finish(&scene);
}

/* --- Anything between slices ------------------------------------------------------------------ */

static struct rib_policy *random_policy(unsigned seed)
{
    const struct rib_prefix_range range = {
        {.family = LPM_IPV4, .length = 18, .bytes = {20, (uint8_t)(seed % 16)}}, 18, 32};
    const struct rib_policy_rule rules[] = {
        {.file = "f.yaml",
         .line = 1,
         .prefixes = &range,
         .prefix_count = 1,
         .then = seed % 3 == 0 ? RIB_POLICY_REJECT : RIB_POLICY_CONTINUE,
         .set = RIB_SET_MED,
         .med_value = seed},
        {.file = "f.yaml", .line = 2, .then = RIB_POLICY_ACCEPT},
    };
    struct rib_policy *policy;

    if (seed % 5 == 0)
        return NULL;
    cr_assert_eq(rib_policy_create("p", rules, 2, &policy), 0);
    return policy;
}

/* What the routes and policies are in the end, to be repeated in a world in which nothing else happened. */
struct state {
    unsigned as[2][PREFIXES]; /* plus 1; 0: not announced */
    unsigned import[2], export[2];
};

static void set_policies(struct scene *scene, const struct state *state, unsigned i)
{
    struct rib_policy *import = random_policy(state->import[i]);
    struct rib_policy *export = random_policy(state->export[i]);

    speaker_peer_set_policies(scene->server->speaker, server_peer(scene, i), import, export,
                              scene->world->now);
    rib_policy_release(import);
    rib_policy_release(export);
}

static void change_routes(struct scene *scene, struct state *state, unsigned *seed)
{
    unsigned nva = (unsigned)rand_r(seed) % 2, from = (unsigned)rand_r(seed) % PREFIXES;
    unsigned as = (unsigned)rand_r(seed) % 4;

    for (unsigned i = from; i < PREFIXES && i < from + 300; i++) {
        state->as[nva][i] = as;
        if (as > 0)
            announce(scene, nva, i, as);
        else
            withdraw(scene, nva, i);
    }
}

static void change_anything(struct scene *scene, struct state *state, unsigned *seed)
{
    unsigned i = (unsigned)rand_r(seed) % 2;

    switch ((unsigned)rand_r(seed) % 8) {
    case 0:
        state->import[i] = (unsigned)rand_r(seed) % 1000;
        set_policies(scene, state, i);
        break;
    case 1:
        state->export[i] = (unsigned)rand_r(seed) % 1000;
        set_policies(scene, state, i);
        break;
    case 2:
        speaker_peer_request_refresh(scene->nvas[i]->speaker, scene->links[i]->ends[1].peer,
                                     scene->world->now);
        break;
    case 3:
        scene->links[i]->ends[1].paused = rand_r(seed) % 2;
        break;
    case 4:
        speaker_peer_reset(scene->server->speaker, server_peer(scene, i), 4, scene->world->now);
        break;
    default:
        change_routes(scene, state, seed);
    }
}

/* The end of everything that happened, in one go. */
static void compare_with_fresh(const struct scene *scene, const struct state *state, unsigned seed)
{
    struct scene fresh = make_scene(false);

    for (unsigned nva = 0; nva < 2; nva++) {
        set_policies(&fresh, state, nva);
        for (unsigned i = 0; i < PREFIXES; i++)
            if (state->as[nva][i] > 0)
                announce(&fresh, nva, i, state->as[nva][i]);
    }
    world_start(fresh.world);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(digest_of(scene->nvas[i]), digest_of(fresh.nvas[i]), "seed %u, NVA %u", seed,
                     i);
    finish(&fresh);
}

Test(work, whatever_happens_between_slices_the_end_is_the_same)
{
    static struct state state;

    for (unsigned seed = 1; seed <= 6; seed++) {
        struct scene scene = make_scene(seed % 2);
        unsigned chance = seed;

        memset(&state, 0, sizeof(state));
        for (unsigned i = 0; i < 12; i++)
            change_routes(&scene, &state, &chance);
        world_start(scene.world);
        for (unsigned i = 0; i < 60; i++) {
            change_anything(&scene, &state, &chance);
            for (unsigned steps = (unsigned)rand_r(&chance) % 3; steps > 0; steps--)
                world_step(scene.world);
            scene.world->now += (unsigned)rand_r(&chance) % 3000;
            if (i % 4 == 0)
                check(&scene);
        }
        for (unsigned i = 0; i < 2; i++)
            scene.links[i]->ends[1].paused = false;
        world_run(scene.world, 600000);
        check(&scene);
        compare_with_fresh(&scene, &state, seed);
        finish(&scene);
    }
}
