/*
 * What a collector is told (BMP) against what the speaker holds: under random changes, read at random
 * paces, every table that the collector has built in the end is the speaker's own.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/monitor.h"
#include "tests/rib/station.h"
#include "tests/rib/wire.h"

#define NVAS     3u
#define PREFIXES 12u
#define STEPS    900u
#define ALL_ROUTES                                                                                 \
    (RIB_MONITOR_PRE_POLICY | RIB_MONITOR_POST_POLICY | RIB_MONITOR_ADJ_RIB_OUT |                  \
     RIB_MONITOR_LOC_RIB)

static uint8_t chunk[RIB_MONITOR_MESSAGE_MAX + 4096];
static char wanted[WORLD_TEXT], seen[WORLD_TEXT];

/* A collector at a speaker. */
struct watch {
    struct speaker *speaker;
    struct rib_monitor *monitor;
    struct station *station;
    uint64_t now;
};

/* Sessions with different local addresses are told apart, as with two instances. */
static void describe(void *context, const struct speaker_peer *peer,
                     struct rib_monitored *monitored)
{
    (void)context;
    monitored->local_port = 179;
    monitored->remote_port = 40000;
    if (peer == NULL) {
        monitored->distinguisher = 1;
        snprintf(monitored->name, sizeof(monitored->name), "table");
        return;
    }
    monitored->distinguisher = speaker_peer_config(peer)->local_address.bytes[3];
    snprintf(monitored->name, sizeof(monitored->name), "%s", speaker_peer_config(peer)->name);
}

static struct watch watch_begin(struct speaker *speaker, uint32_t routes)
{
    const struct rib_monitor_config config = {
        .routes = routes, .offset_ms = 1000000000, .describe = describe};
    struct watch watch = {.speaker = speaker, .station = station_create()};

    watch.monitor = rib_monitor_create(speaker, &config);
    cr_assert_not_null(watch.monitor);
    return watch;
}

static void watch_end(struct watch *watch)
{
    rib_monitor_destroy(watch->monitor);
    station_destroy(watch->station);
    cr_assert(speaker_validate(watch->speaker));
}

/* At most so many chunks. */
static void pull(struct watch *watch, unsigned most)
{
    for (; most > 0 && rib_monitor_pending(watch->monitor); most--) {
        size_t n = rib_monitor_output(watch->monitor, chunk, sizeof(chunk), watch->now);

        station_feed(watch->station, chunk, n);
        cr_assert_str_eq(watch->station->complaint, "");
    }
    cr_assert(!rib_monitor_failed(watch->monitor));
}

/* --- The speaker's tables in the station's words ---------------------------------------------- */

static void append(const struct lpm_prefix *prefix, const struct bgp_attributes *attributes,
                   const struct lpm_address *next_hop, uint32_t path_id)
{
    char name[LPM_PREFIX_TEXT], words[400];
    size_t at = strlen(wanted);

    station_words(attributes, next_hop, words);
    snprintf(wanted + at, WORLD_TEXT - at, "%s %s id %u\n", lpm_prefix_format(prefix, name), words,
             path_id);
}

static int append_received(void *context, const struct lpm_prefix *prefix,
                           const struct rib_path *path, enum rib_verdict verdict)
{
    const struct bgp_attributes *received = bgp_attributes_received(path->attributes);

    (void)context;
    (void)verdict;
    append(prefix, received, &received->next_hop, path->path_id);
    return 0;
}

static int append_accepted(void *context, const struct lpm_prefix *prefix,
                           const struct rib_path *path, enum rib_verdict verdict)
{
    (void)context;
    if (!rib_verdict_filtered(verdict))
        append(prefix, path->attributes, &path->next_hop, path->path_id);
    return 0;
}

static int append_sent(void *context, const struct lpm_prefix *prefix,
                       const struct bgp_attributes *attributes, const struct lpm_address *next_hop,
                       uint32_t path_id)
{
    (void)context;
    append(prefix, attributes, next_hop, path_id);
    return 0;
}

static int append_best(void *context, const struct lpm_prefix *prefix,
                       const struct rib_choice *choice)
{
    const struct lpm_address *self = context;

    /* Nobody here has an IPv6 address of its own. */
    if (choice->paths[0].next_hop.family == 0 && prefix->family == LPM_IPV6)
        return 0;
    append(prefix, choice->paths[0].attributes,
           choice->paths[0].next_hop.family != 0 ? &choice->paths[0].next_hop : self, 0);
    return 0;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The speaker's order of paths to one prefix is another one than that of identifiers. */
static void sort_lines(char *text)
{
    static char sorted[WORLD_TEXT];
    const char *lines[1024];
    size_t n = 0, at = 0;

    for (char *line = strtok(text, "\n"); line != NULL && n < 1024; line = strtok(NULL, "\n"))
        lines[n++] = line;
    if (n > 0)
        qsort(lines, n, sizeof(*lines), compare_lines);
    sorted[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(sorted + at, WORLD_TEXT - at, "%s\n", lines[i]);
    memcpy(text, sorted, at + 1);
}

static void check_table(struct watch *watch, const struct speaker_peer *peer, uint8_t flags)
{
    const struct speaker_peer_config *config = peer != NULL ? speaker_peer_config(peer) : NULL;
    char address[LPM_ADDRESS_TEXT];

    if (config != NULL)
        lpm_address_format(&config->peer_address, address);
    station_table(watch->station, config != NULL ? address : NULL,
                  config != NULL ? config->local_address.bytes[3] : 1, flags, seen);
    sort_lines(seen);
    sort_lines(wanted);
    cr_assert_str_eq(seen, wanted, "table %02x of %s:\n%swanted:\n%s", flags,
                     config != NULL ? address : "the Loc-RIB", seen, wanted);
}

static int check_peer(void *context, struct speaker_peer *peer)
{
    struct watch *watch = context;
    bool up = bgp_session_state(speaker_peer_session(peer)) == BGP_ESTABLISHED;

    wanted[0] = '\0';
    if (up)
        speaker_each_learned(watch->speaker, peer, append_received, NULL);
    check_table(watch, peer, 0);
    wanted[0] = '\0';
    if (up)
        speaker_each_learned(watch->speaker, peer, append_accepted, NULL);
    check_table(watch, peer, BMP_FLAG_POST_POLICY);
    wanted[0] = '\0';
    if (up)
        speaker_each_advertised(watch->speaker, peer, append_sent, NULL);
    check_table(watch, peer, BMP_FLAG_POST_POLICY | BMP_FLAG_ADJ_RIB_OUT);
    return 0;
}

/* Reads to the end and compares everything; self: next hop of own IPv4 routes. */
static void check_all(struct watch *watch, const char *self_text)
{
    struct lpm_address self = world_address(self_text);

    pull(watch, 100000);
    cr_assert(speaker_validate(watch->speaker));
    speaker_each_peer(watch->speaker, check_peer, watch);
    wanted[0] = '\0';
    speaker_each_choice(watch->speaker, append_best, &self);
    check_table(watch, NULL, 0);
    cr_assert_eq(rib_monitor_waiting_count(watch->monitor), 0);
}

/* --- Random changes --------------------------------------------------------------------------- */

/* NVAs 10.0.1.10.. -> hub 10.0.0.4, which sends several paths to the server 10.0.9.4; the first NVA has
 * two sessions with the hub. The hub's import policy for the second one has its say. */
struct chain {
    struct world *world;
    struct node *nvas[NVAS], *hub, *server, *client;
    struct link *links[NVAS + 3];
    unsigned n_links;
};

static struct rib_policy *import_policy(void)
{
    static struct rib_prefix_range kept_out;
    static const struct bgp_community mark = {.kind = BGP_COMMUNITY, .standard = 0x0001002au};
    struct rib_policy_rule rules[] = {
        {.file = "f.yaml",
         .line = 1,
         .prefixes = &kept_out,
         .prefix_count = 1,
         .then = RIB_POLICY_REJECT},
        {.file = "f.yaml",
         .line = 2,
         .set = RIB_SET_LOCAL_PREF,
         .local_pref_value = 200,
         .add_communities = &mark,
         .add_community_count = 1,
         .then = RIB_POLICY_ACCEPT},
    };
    struct rib_policy *policy;

    kept_out = (struct rib_prefix_range){world_prefix("10.1.0.0/16"), 16, 32};
    cr_assert_eq(rib_policy_create("p", rules, 2, &policy), 0);
    return policy;
}

static void add_link(struct chain *chain, struct link *link)
{
    chain->links[chain->n_links++] = link;
}

static struct chain make_chain(void)
{
    const struct speaker_config hub = {.name = "hub", .asn = 65510, .reflect = true};
    const struct speaker_config server = {
        .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};
    const struct speaker_config client = {.asn = 65099, .prepend_own_asn = true};
    struct chain chain = {.world = world_create()};
    struct speaker_peer_config up = world_end("10.0.0.4", 65515);
    struct speaker_peer_config down = world_end("10.0.9.4", 65510);
    struct rib_policy *policy = import_policy();

    chain.hub = world_node(chain.world, &hub);
    chain.server = world_node(chain.world, &server);
    chain.client = world_node(chain.world, &client);
    for (unsigned i = 0; i < NVAS; i++) {
        const struct speaker_config nva = {.asn = 65001 + i, .prepend_own_asn = true};
        char address[32];

        snprintf(address, sizeof(address), "10.0.1.%u", 10 + i);
        chain.nvas[i] = world_node(chain.world, &nva);
        add_link(&chain, world_join(chain.world, chain.hub, 65510, "10.0.0.4", chain.nvas[i],
                                    65001 + i, address));
    }
    add_link(&chain, world_join(chain.world, chain.hub, 65510, "10.0.0.5", chain.nvas[0], 65001,
                                "10.0.1.10"));
    up.add_path_send = true;
    up.add_path_max = 8;
    down.add_path_receive = true;
    add_link(&chain, world_link(chain.world, chain.hub, up, chain.server, down));
    add_link(&chain, world_join(chain.world, chain.server, 65515, "10.0.9.4", chain.client, 65099,
                                "10.0.1.99"));
    world_start(chain.world);
    speaker_peer_set_policies(chain.hub->speaker, chain.links[1]->ends[0].peer, policy, NULL,
                              chain.world->now);
    rib_policy_release(policy);
    world_settle(chain.world);
    return chain;
}

static unsigned below(unsigned n)
{
    return (unsigned)rand() % n;
}

static const char *some_prefix(void)
{
    static char prefix[32];
    unsigned i = below(PREFIXES);

    snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
    if (i % 4 == 3)
        snprintf(prefix, sizeof(prefix), "2001:db8:%u::/48", i);
    return prefix;
}

static void change_something(struct chain *chain)
{
    struct node *nodes[] = {chain->nvas[0], chain->nvas[1], chain->nvas[2],
                            chain->client,  chain->hub,     chain->server};
    struct node *node = nodes[below(6)];
    struct link *link = chain->links[below(chain->n_links)];
    const char *prefix = some_prefix();
    bool abroad = node == chain->hub && strchr(prefix, ':') == NULL;

    switch (below(8)) {
    case 0:
        link->up = !link->up;
        break;
    case 1:
    case 2:
        world_withdraw(node, prefix);
        break;
    default:
        world_originate(node, &(struct route){.prefix = prefix,
                                              .next_hop = abroad ? "10.0.1.77" : NULL,
                                              .as_path = {below(3) ? 0 : 64900 + below(3)},
                                              .has_med = below(4) == 0,
                                              .med = below(9)});
    }
    if (below(3) > 0)
        world_settle(chain->world);
}

/* Speakers that are held must have their entries back when the collector has gone. */
static void replace(struct watch *watch)
{
    struct speaker *speaker = watch->speaker;

    watch_end(watch);
    *watch = watch_begin(speaker, ALL_ROUTES);
}

Test(monitor, every_table_is_told_as_it_is)
{
    for (unsigned seed = 1; seed <= 4; seed++) {
        struct chain chain = make_chain();
        struct watch hub = watch_begin(chain.hub->speaker, ALL_ROUTES);
        struct watch server = watch_begin(chain.server->speaker, ALL_ROUTES);

        srand(seed);
        for (unsigned step = 0; step < STEPS; step++) {
            change_something(&chain);
            hub.now = server.now = chain.world->now;
            if (below(3) == 0)
                pull(&hub, 1 + below(2));
            if (below(9) == 0)
                pull(&server, 1 + below(3));
            if (below(60) == 0)
                replace(below(2) ? &hub : &server);
            if (step % 15 == 0) {
                world_settle(chain.world);
                world_run(chain.world, 3000);
                check_all(&hub, "10.0.0.4");
                check_all(&server, "10.0.9.4");
            }
            cr_assert(speaker_validate(chain.hub->speaker));
            cr_assert(speaker_validate(chain.server->speaker));
        }
        cr_assert_gt(hub.station->messages[BMP_PEER_UP] + server.station->messages[BMP_PEER_UP], 6);
        watch_end(&hub);
        watch_end(&server);
        world_destroy(chain.world);
    }
}

/* --- One thing at a time ---------------------------------------------------------------------- */

/* A route server with two NVAs. */
struct scene {
    struct world *world;
    struct node *server, *left, *right;
    struct link *left_link, *right_link;
};

static struct scene make_scene(void)
{
    const struct speaker_config server = {
        .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};
    const struct speaker_config left = {.asn = 65001, .prepend_own_asn = true};
    const struct speaker_config right = {.asn = 65002, .prepend_own_asn = true};
    struct scene scene = {.world = world_create()};

    scene.server = world_node(scene.world, &server);
    scene.left = world_node(scene.world, &left);
    scene.right = world_node(scene.world, &right);
    scene.left_link =
        world_join(scene.world, scene.server, 65515, "10.0.0.4", scene.left, 65001, "10.0.1.10");
    scene.right_link =
        world_join(scene.world, scene.server, 65515, "10.0.0.4", scene.right, 65002, "10.0.1.11");
    world_start(scene.world);
    return scene;
}

static void announce_numbered(struct scene *scene, unsigned n, uint32_t salt)
{
    for (unsigned i = 0; i < n; i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", i / 256, i % 256);
        world_originate(scene->left, &(struct route){.prefix = prefix, .as_path = {salt}});
    }
    world_settle(scene->world);
}

Test(monitor, routes_of_one_set_share_messages_and_an_end_of_rib_follows)
{
    struct scene scene = make_scene();
    struct watch watch;
    struct station_peer *left;

    announce_numbered(&scene, 2000, 7);
    watch = watch_begin(scene.server->speaker, RIB_MONITOR_PRE_POLICY);
    pull(&watch, 1000);
    left = station_peer(watch.station, "10.0.1.10", 4);
    cr_assert_not_null(left);
    cr_assert_eq(watch.station->n_routes, 2000);
    cr_assert_leq(watch.station->messages[BMP_ROUTE_MONITORING], 12, "%u messages",
                  watch.station->messages[BMP_ROUTE_MONITORING]);
    cr_assert_leq(watch.station->longest, BGP_MESSAGE_MAX);
    cr_assert_eq(left->ends[0], 2, "one for each family");
    cr_assert_eq(left->asn, 65001);
    cr_assert_str_eq(left->information, "0:10.0.0.4");
    watch_end(&watch);
    world_destroy(scene.world);
}

Test(monitor, a_collector_that_does_not_read_is_told_the_latest_only)
{
    struct scene scene = make_scene();
    struct watch watch = watch_begin(scene.server->speaker, ALL_ROUTES);
    unsigned before;

    announce_numbered(&scene, 300, 7);
    pull(&watch, 1000);
    before = watch.station->messages[BMP_ROUTE_MONITORING];
    for (uint32_t salt = 100; salt < 200; salt++)
        announce_numbered(&scene, 300, salt);
    cr_assert_leq(rib_monitor_waiting_count(watch.monitor), 4 * 300);
    check_all(&watch, "10.0.0.4");
    cr_assert_leq(watch.station->messages[BMP_ROUTE_MONITORING] - before, 40,
                  "a hundred rounds are said as one");
    watch_end(&watch);
    world_destroy(scene.world);
}

Test(monitor, a_session_that_flaps_unseen_is_down_once_and_up_once)
{
    struct scene scene = make_scene();
    struct watch watch = watch_begin(scene.server->speaker, ALL_ROUTES);
    struct station_peer *left;

    announce_numbered(&scene, 50, 7);
    pull(&watch, 1000);
    for (unsigned i = 0; i < 5; i++) {
        world_cut(scene.world, scene.left_link);
        world_mend(scene.world, scene.left_link);
    }
    check_all(&watch, "10.0.0.4");
    left = station_peer(watch.station, "10.0.1.10", 4);
    cr_assert_eq(left->downs, 1);
    cr_assert_eq(left->ups, 2);
    cr_assert_eq(left->down_reason, BMP_DOWN_LOST);
    watch_end(&watch);
    world_destroy(scene.world);
}

Test(monitor, says_how_a_session_ended)
{
    struct scene scene = make_scene();
    struct watch watch = watch_begin(scene.server->speaker, RIB_MONITOR_PRE_POLICY);
    struct speaker_peer *ours = scene.left_link->ends[0].peer;
    struct speaker_peer *theirs = scene.right_link->ends[1].peer;

    pull(&watch, 1000);
    speaker_peer_stop(scene.server->speaker, ours, BGP_CEASE_SHUTDOWN, scene.world->now);
    speaker_peer_stop(scene.right->speaker, theirs, BGP_CEASE_SHUTDOWN, scene.world->now);
    world_settle(scene.world);
    pull(&watch, 1000);
    cr_assert_eq(station_peer(watch.station, "10.0.1.10", 4)->down_reason, BMP_DOWN_SENT);
    cr_assert_eq(station_peer(watch.station, "10.0.1.11", 4)->down_reason, BMP_DOWN_RECEIVED);
    speaker_peer_start(scene.server->speaker, ours, scene.world->now);
    world_run(scene.world, 200000);
    pull(&watch, 1000);
    cr_assert_eq(station_peer(watch.station, "10.0.1.10", 4)->ups, 2);
    speaker_peer_abandon(scene.server->speaker, ours, 1000, scene.world->now);
    world_settle(scene.world);
    pull(&watch, 1000);
    cr_assert_eq(station_peer(watch.station, "10.0.1.10", 4)->down_reason, BMP_DOWN_SILENT);
    watch_end(&watch);
    world_destroy(scene.world);
}

/* A neighbour that the file does not name goes, and another takes its place before the collector is told. */
Test(monitor, a_late_peer_down_is_of_the_neighbour_that_went)
{
    struct scene scene = make_scene();
    struct watch watch = watch_begin(scene.server->speaker, RIB_MONITOR_PRE_POLICY);
    struct speaker_peer *ours = scene.left_link->ends[0].peer;
    struct speaker_peer_config other = *speaker_peer_config(ours);

    pull(&watch, 1000);
    speaker_peer_stop(scene.server->speaker, ours, BGP_CEASE_SHUTDOWN, scene.world->now);
    world_run(scene.world, 100);
    other.name = "other";
    other.peer_address = world_address("10.0.1.99");
    other.asn = 65099;
    cr_assert_eq(speaker_peer_replace(scene.server->speaker, ours, &other), 0);
    pull(&watch, 1000);
    cr_assert_eq(station_peer(watch.station, "10.0.1.10", 4)->downs, 1);
    watch_end(&watch);
    world_destroy(scene.world);
}

Test(monitor, statistics_count_what_the_tables_hold)
{
    struct scene scene = make_scene();
    struct watch watch = watch_begin(scene.server->speaker, ALL_ROUTES);

    announce_numbered(&scene, 20, 7);
    world_originate(scene.right, &(struct route){.prefix = "192.0.2.0/24"});
    world_settle(scene.world);
    pull(&watch, 1000);
    rib_monitor_report(watch.monitor);
    pull(&watch, 1000);
    cr_assert_eq(watch.station->messages[BMP_STATISTICS_REPORT], 3);
    const struct station_peer *left = station_peer(watch.station, "10.0.1.10", 4);
    const struct station_peer *table = station_peer(watch.station, NULL, 1);
    cr_assert_eq(left->gauges[BMP_STATISTIC_ADJ_RIB_IN], 20);
    cr_assert_eq(left->gauges[BMP_STATISTIC_ADJ_RIB_IN_FAMILY], 20);
    cr_assert_eq(left->gauges[BMP_STATISTIC_ADJ_RIB_OUT], 1);
    cr_assert_eq(left->gauges[BMP_STATISTIC_ADJ_RIB_OUT_FAMILY], 1);
    cr_assert_eq(table->gauges[BMP_STATISTIC_LOC_RIB], 21);
    cr_assert_eq(table->gauges[BMP_STATISTIC_LOC_RIB_FAMILY], 21);
    cr_assert_str_eq(table->information, "3:table");
    watch_end(&watch);
    world_destroy(scene.world);
}

Test(monitor, what_a_collector_was_told_is_held_no_longer_than_it_is_there)
{
    struct scene scene = make_scene();
    struct watch first, second;

    announce_numbered(&scene, 3000, 7);
    first = watch_begin(scene.server->speaker, ALL_ROUTES);
    second = watch_begin(scene.server->speaker, ALL_ROUTES);
    pull(&first, 1000);
    pull(&second, 1000);
    world_cut(scene.world, scene.left_link);
    cr_assert(speaker_validate(scene.server->speaker));
    watch_end(&first); /* without a word about the withdrawals */
    pull(&second, 1000);
    world_run(scene.world, 100);
    cr_assert(speaker_validate(scene.server->speaker));
    cr_assert_eq(second.station->n_routes, 0);
    world_mend(scene.world, scene.left_link);
    pull(&second, 1000);
    cr_assert_eq(second.station->n_routes, 4 * 3000, "%zu", second.station->n_routes);
    world_cut(scene.world, scene.left_link);
    pull(&second, 1000);
    cr_assert_eq(second.station->n_routes, 0);
    watch_end(&second);
    world_destroy(scene.world);
}
