/*
 * Several paths to a prefix (RFC 7911): taken, decided about, sent on with identifiers that stay;
 * and transparent peers, which get the best that they may have (RFC 7947 2.3).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rib/world.h"

#define NVAS 5u

static char text[WORLD_TEXT];

/* NVAs 10.0.1.10.. (AS 65001..) -> hub 10.0.0.4 (AS 65510) -> server 10.0.9.4 (AS 65515), and the
 * server's other client 10.0.1.99 (AS 65099). The hub sends up to `most` paths. */
struct chain {
    struct world *world;
    struct node *nvas[NVAS], *hub, *server, *client;
    struct link *nva_links[NVAS], *trunk, *client_link;
};

static struct chain make_chain(unsigned most)
{
    const struct speaker_config hub = {
        .name = "hub", .asn = 65510, .reflect = true}; /* transparent: next hops stay */
    const struct speaker_config server = {
        .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};
    const struct speaker_config client = {.asn = 65099, .prepend_own_asn = true};
    struct chain chain = {.world = world_create()};
    struct speaker_peer_config up = world_end("10.0.0.4", 65515);
    struct speaker_peer_config down = world_end("10.0.9.4", 65510);

    chain.hub = world_node(chain.world, &hub);
    chain.server = world_node(chain.world, &server);
    chain.client = world_node(chain.world, &client);
    for (unsigned i = 0; i < NVAS; i++) {
        const struct speaker_config nva = {.asn = 65001 + i, .prepend_own_asn = true};
        char address[32];

        snprintf(address, sizeof(address), "10.0.1.%u", 10 + i);
        chain.nvas[i] = world_node(chain.world, &nva);
        chain.nva_links[i] = world_join(chain.world, chain.hub, 65510, "10.0.0.4", chain.nvas[i],
                                        65001 + i, address);
    }
    up.add_path_send = true;
    up.add_path_max = most;
    down.add_path_receive = true;
    chain.trunk = world_link(chain.world, chain.hub, up, chain.server, down);
    chain.client_link =
        world_join(chain.world, chain.server, 65515, "10.0.9.4", chain.client, 65099, "10.0.1.99");
    world_start(chain.world);
    cr_assert_eq(chain.trunk->ends[0].state, BGP_ESTABLISHED);
    return chain;
}

static void check_valid(const struct chain *chain)
{
    cr_assert(speaker_validate(chain->hub->speaker));
    cr_assert(speaker_validate(chain->server->speaker));
    cr_assert(speaker_settled(chain->hub->speaker));
}

static const char *held(struct chain *chain)
{
    world_settle(chain->world);
    check_valid(chain);
    return world_learned(chain->server, chain->trunk->ends[1].peer, text);
}

Test(selection, every_path_of_a_peer_counts_in_the_decision)
{
    struct chain chain = make_chain(8);

    for (unsigned i = 0; i < 3; i++)
        world_originate(chain.nvas[i], &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(chain.nvas[3], &(struct route){.prefix = "10.0.0.0/8", .as_path = {64900}});
    cr_assert_str_eq(held(&chain), "10.0.0.0/8 [65001] 10.0.1.10 (chosen) id 1\n"
                                   "10.0.0.0/8 [65002] 10.0.1.11 (chosen) id 2\n"
                                   "10.0.0.0/8 [65003] 10.0.1.12 (chosen) id 3\n"
                                   "10.0.0.0/8 [65004 64900] 10.0.1.13 (lost: longer AS path) "
                                   "id 4\n");
    cr_assert_str_eq(world_choices(chain.server, text),
                     "10.0.0.0/8 | [65001] 10.0.1.10 | [65002] 10.0.1.11 | [65003] 10.0.1.12\n");
    /* The server's own peers are told one best, as ever. */
    cr_assert_str_eq(world_learned(chain.client, chain.client_link->ends[1].peer, text),
                     "10.0.0.0/8 [65515 65001] 10.0.9.4 (chosen)\n");
    world_destroy(chain.world);
}

Test(selection, an_identifier_stays_while_its_path_does)
{
    struct chain chain = make_chain(8);

    for (unsigned i = 0; i < 3; i++)
        world_originate(chain.nvas[i], &(struct route){.prefix = "10.0.0.0/8"});
    held(&chain);
    world_withdraw(chain.nvas[0], "10.0.0.0/8");
    cr_assert_str_eq(held(&chain), "10.0.0.0/8 [65002] 10.0.1.11 (chosen) id 2\n"
                                   "10.0.0.0/8 [65003] 10.0.1.12 (chosen) id 3\n");
    world_originate(chain.nvas[2], &(struct route){.prefix = "10.0.0.0/8", .as_path = {64900}});
    cr_assert_str_eq(held(&chain),
                     "10.0.0.0/8 [65002] 10.0.1.11 (chosen) id 2\n"
                     "10.0.0.0/8 [65003 64900] 10.0.1.12 (lost: longer AS path) id 3\n");
    world_originate(chain.nvas[0], &(struct route){.prefix = "10.0.0.0/8"});
    cr_assert_str_eq(held(&chain),
                     "10.0.0.0/8 [65001] 10.0.1.10 (chosen) id 1\n"
                     "10.0.0.0/8 [65002] 10.0.1.11 (chosen) id 2\n"
                     "10.0.0.0/8 [65003 64900] 10.0.1.12 (lost: longer AS path) id 3\n");
    world_cut(chain.world, chain.nva_links[1]);
    cr_assert_str_eq(held(&chain),
                     "10.0.0.0/8 [65001] 10.0.1.10 (chosen) id 1\n"
                     "10.0.0.0/8 [65003 64900] 10.0.1.12 (lost: longer AS path) id 3\n");
    world_destroy(chain.world);
}

Test(selection, no_more_paths_than_asked_for_the_best_first)
{
    struct chain chain = make_chain(2);

    world_originate(chain.nvas[0], &(struct route){.prefix = "10.0.0.0/8", .as_path = {1, 2}});
    world_settle(chain.world);
    world_originate(chain.nvas[1], &(struct route){.prefix = "10.0.0.0/8", .as_path = {1}});
    cr_assert_str_eq(held(&chain), "10.0.0.0/8 [65001 1 2] 10.0.1.10 (lost: longer AS path) id 1\n"
                                   "10.0.0.0/8 [65002 1] 10.0.1.11 (chosen) id 2\n");
    world_originate(chain.nvas[2], &(struct route){.prefix = "10.0.0.0/8"});
    cr_assert_str_eq(held(&chain), "10.0.0.0/8 [65002 1] 10.0.1.11 (lost: longer AS path) id 2\n"
                                   "10.0.0.0/8 [65003] 10.0.1.12 (chosen) id 3\n");
    world_withdraw(chain.nvas[1], "10.0.0.0/8");
    cr_assert_str_eq(held(&chain), "10.0.0.0/8 [65001 1 2] 10.0.1.10 (lost: longer AS path) id 1\n"
                                   "10.0.0.0/8 [65003] 10.0.1.12 (chosen) id 3\n");
    world_destroy(chain.world);
}

Test(selection, a_session_that_comes_back_gets_everything_again)
{
    struct chain chain = make_chain(8);
    static char before[WORLD_TEXT];

    for (unsigned i = 0; i < NVAS; i++) {
        world_originate(chain.nvas[i], &(struct route){.prefix = "10.0.0.0/8"});
        world_originate(chain.nvas[i], &(struct route){.prefix = "192.168.0.0/16"});
    }
    strcpy(before, held(&chain));
    world_cut(chain.world, chain.trunk);
    cr_assert_str_eq(held(&chain), "");
    world_originate(chain.nvas[0], &(struct route){.prefix = "10.9.0.0/16"});
    world_withdraw(chain.nvas[0], "10.9.0.0/16");
    world_mend(chain.world, chain.trunk);
    cr_assert_str_eq(held(&chain), before);
    /* A peer that asks for it all again is told it all again. */
    uint64_t bytes = chain.trunk->ends[1].received;
    struct bgp_session *session =
        (struct bgp_session *)(uintptr_t)speaker_peer_session(chain.trunk->ends[1].peer);
    cr_assert_eq(bgp_session_request_refresh(session, BGP_IPV4_UNICAST), 0);
    cr_assert_str_eq(held(&chain), before);
    cr_assert(chain.trunk->ends[1].received > bytes + 5 * 30);
    world_destroy(chain.world);
}

/* --- Against the plain answer ----------------------------------------------------------------- */

#define POOL 4u
#define MOST 3u

static const char *const pool[POOL] = {"10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/16", "0.0.0.0/0"};

struct path_name {
    char words[160];
    uint32_t id;
};
struct path_list {
    unsigned n;
    struct path_name names[NVAS];
};

static int take_path(void *context, const struct lpm_prefix *prefix, const struct rib_path *path,
                     enum rib_verdict verdict)
{
    struct path_list(*lists)[POOL] = context;
    char name[LPM_PREFIX_TEXT], as_path[64], hop[LPM_ADDRESS_TEXT];

    (void)verdict;
    lpm_prefix_format(prefix, name);
    for (unsigned p = 0; p < POOL; p++) {
        struct path_list *list = &(*lists)[p];

        if (strcmp(pool[p], name) != 0)
            continue;
        cr_assert(list->n < NVAS);
        bgp_as_path_format(path->attributes, ' ', as_path, sizeof(as_path));
        snprintf(list->names[list->n].words, sizeof(list->names[0].words), "%s %s", as_path,
                 lpm_address_format(&path->next_hop, hop));
        list->names[list->n++].id = path->path_id;
    }
    return 0;
}

static bool has(const struct path_list *list, const char *words, uint32_t *id)
{
    for (unsigned i = 0; i < list->n; i++)
        if (strcmp(list->names[i].words, words) == 0) {
            *id = list->names[i].id;
            return true;
        }
    return false;
}

/* Which NVA announces what, by length of the path behind it; 0: nothing. */
struct plan {
    unsigned lengths[POOL][NVAS];
};

static void words_of(unsigned nva, unsigned length, char words[160])
{
    int n = snprintf(words, 160, "%u", 65001 + nva);

    for (unsigned i = 1; i < length; i++)
        n += snprintf(words + n, 160 - (size_t)n, " %u", 64900 + i);
    snprintf(words + n, 160 - (size_t)n, " 10.0.1.%u", 10 + nva);
}

/* The MOST shortest, whatever equals the last of them counting as good. */
static void check_list(const struct plan *plan, unsigned p, const struct path_list *list,
                       unsigned step)
{
    unsigned there = 0, longest = 0;

    for (unsigned i = 0; i < NVAS; i++)
        there += plan->lengths[p][i] > 0;
    cr_assert_eq(list->n, there < MOST ? there : MOST, "step %u, %s: %u paths", step, pool[p],
                 list->n);
    for (unsigned i = 0; i < NVAS; i++) {
        char words[160];
        uint32_t id;

        words_of(i, plan->lengths[p][i], words);
        if (plan->lengths[p][i] > 0 && has(list, words, &id) && plan->lengths[p][i] > longest)
            longest = plan->lengths[p][i];
    }
    for (unsigned i = 0; i < NVAS; i++) {
        char words[160];
        uint32_t id;

        words_of(i, plan->lengths[p][i], words);
        if (plan->lengths[p][i] > 0 && plan->lengths[p][i] < longest)
            cr_assert(has(list, words, &id), "step %u, %s: '%s' is missing", step, pool[p], words);
    }
}

/* Identifiers are one to a path, and a path that stays keeps its own. */
static void check_ids(const struct path_list *before, const struct path_list *now, unsigned step)
{
    for (unsigned i = 0; i < now->n; i++) {
        uint32_t id;

        for (unsigned j = 0; j < i; j++)
            cr_assert_neq(now->names[i].id, now->names[j].id, "step %u", step);
        if (has(before, now->names[i].words, &id))
            cr_assert_eq(now->names[i].id, id, "step %u: %s", step, now->names[i].words);
    }
}

static void change(struct chain *chain, struct plan *plan)
{
    unsigned p = (unsigned)rand() % POOL, nva = (unsigned)rand() % NVAS;
    unsigned length = (unsigned)rand() % 4;
    struct route route = {.prefix = pool[p]};

    for (unsigned i = 1; i < length; i++)
        route.as_path[i - 1] = 64900 + i;
    if (length > 0)
        world_originate(chain->nvas[nva], &route);
    else
        world_withdraw(chain->nvas[nva], pool[p]);
    plan->lengths[p][nva] = length;
}

Test(selection, agrees_with_the_plain_answer_under_random_changes)
{
    static struct path_list before[POOL], now[POOL];
    static struct plan plan;
    struct chain chain = make_chain(MOST);

    srand(7);
    for (unsigned step = 0; step < 3000; step++) {
        chain.world->chunk = rand() % 4 == 0 ? 1 + (size_t)rand() % 60 : 65536;
        chain.trunk->ends[1].paused = rand() % 8 == 0; /* a slow reader: latest wins */
        for (unsigned i = (unsigned)rand() % 4; i < 4; i++)
            change(&chain, &plan);
        world_settle(chain.world);
        if (chain.trunk->ends[1].paused)
            continue;
        check_valid(&chain);
        memset(now, 0, sizeof(now));
        speaker_each_learned(chain.server->speaker, chain.trunk->ends[1].peer, take_path, &now);
        for (unsigned p = 0; p < POOL; p++) {
            check_list(&plan, p, &now[p], step);
            check_ids(&before[p], &now[p], step);
        }
        memcpy(before, now, sizeof(before));
    }
    world_destroy(chain.world);
}

/* --- Limits ----------------------------------------------------------------------------------- */

/* An UPDATE of AS 65001 for 10.0.0.0/8 with one identifier. */
static size_t update_with_id(struct world *world, uint32_t path_id, uint8_t *bytes, size_t capacity)
{
    const struct bgp_encoding encoding = {true, BGP_MESSAGE_MAX, BGP_FAMILIES_ALL};
    const struct bgp_attributes *attributes = world_attributes(
        world,
        &(struct route){.prefix = "10.0.0.0/8", .as_path = {65001}, .next_hop = "10.0.1.10"});
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    struct bgp_update_writer writer;

    cr_assert(
        bgp_update_begin(&writer, &encoding, BGP_IPV4_UNICAST, attributes, NULL, bytes, capacity));
    cr_assert(bgp_update_add_path(&writer, &prefix, path_id));
    bgp_attributes_release(world->table, attributes);
    return bgp_update_end(&writer);
}

Test(selection, a_peer_with_too_many_paths_to_a_prefix_is_reset)
{
    struct speaker_config server = {.asn = 65515}, nva = {.asn = 65001};
    struct world *world = world_create();
    struct node *left = world_node(world, &server), *right = world_node(world, &nva);
    struct speaker_peer_config near = world_end("10.0.0.4", 65001);
    struct speaker_peer_config far = world_end("10.0.1.10", 65515);
    uint8_t bytes[512];
    struct link *link;

    near.add_path_receive = far.add_path_send = true;
    link = world_link(world, left, near, right, far);
    world_start(world);
    for (uint32_t id = 1; id <= 65; id++) {
        enum bgp_direction direction =
            bgp_session_negotiated(speaker_peer_session(link->ends[0].peer))->direction;
        size_t n = update_with_id(world, id * 1000003u, bytes, sizeof(bytes));

        cr_assert_eq(link->ends[0].state, BGP_ESTABLISHED, "%u", id);
        speaker_input(left->speaker, link->ends[0].peer, direction, bytes, n, world->now);
    }
    cr_assert_neq(link->ends[0].state, BGP_ESTABLISHED);
    cr_assert(strstr(link->ends[0].reason, "more than 64 paths to 10.0.0.0/8") != NULL, "%s",
              link->ends[0].reason);
    cr_assert(speaker_validate(left->speaker));
    cr_assert_str_eq(world_choices(left, text), "");
    world_destroy(world);
}

/* --- Transparent ------------------------------------------------------------------------------ */

Test(selection, a_transparent_peer_gets_the_best_that_is_not_its_own)
{
    const struct speaker_config server = {
        .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};
    struct world *world = world_create();
    struct node *rs = world_node(world, &server), *nodes[3];
    struct link *links[3];

    for (unsigned i = 0; i < 3; i++) {
        const struct speaker_config nva = {.asn = 65001 + i, .prepend_own_asn = true};
        struct speaker_peer_config near = world_end("10.0.0.4", 65001 + i);
        char address[32];

        snprintf(address, sizeof(address), "10.0.1.%u", 10 + i);
        near.transparent = i < 2;
        nodes[i] = world_node(world, &nva);
        links[i] = world_link(world, rs, near, nodes[i], world_end(address, 65515));
    }
    world_start(world);
    world_originate(nodes[0], &(struct route){.prefix = "10.0.0.0/8", .has_med = true, .med = 7});
    world_originate(nodes[1], &(struct route){.prefix = "10.0.0.0/8", .as_path = {64900}});
    world_settle(world);
    cr_assert(speaker_validate(rs->speaker));
    /* The best is the first one's own: it gets the second best, untouched. */
    cr_assert_str_eq(world_learned(nodes[0], links[0]->ends[1].peer, text),
                     "10.0.0.0/8 [65002 64900] 10.0.1.11 (lost: hub routing preference)\n");
    cr_assert_str_eq(world_learned(nodes[1], links[1]->ends[1].peer, text),
                     "10.0.0.0/8 [65001] 10.0.1.10 med 7 (lost: hub routing preference)\n");
    /* Not transparent: as ever. */
    cr_assert_str_eq(world_learned(nodes[2], links[2]->ends[1].peer, text),
                     "10.0.0.0/8 [65515 65001] 10.0.0.4 (chosen)\n");
    world_withdraw(nodes[1], "10.0.0.0/8");
    world_settle(world);
    cr_assert(speaker_validate(rs->speaker));
    cr_assert_str_eq(world_learned(nodes[0], links[0]->ends[1].peer, text), "");
    world_destroy(world);
}
