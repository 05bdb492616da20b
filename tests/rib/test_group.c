/*
 * Update groups: peers that are told the same share what is written, and whatever they have in common,
 * each ends with what it alone should have.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rib/world.h"

#define RECEIVERS 9u

static char text[WORLD_TEXT], other_text[WORLD_TEXT];

static const struct speaker_config route_server = {
    .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};

/* A route server, two NVAs that announce and nine that listen; every third receiver has a longer path
 * prepended, so that there are two groups. */
struct scene {
    struct world *world;
    struct node *server, *senders[2], *receivers[RECEIVERS];
    struct link *links[RECEIVERS];
};

static struct node *make_node(struct scene *scene, uint32_t asn)
{
    struct speaker_config config = {.asn = asn, .prepend_own_asn = true};

    return world_node(scene->world, &config);
}

static struct scene make_scene(size_t chunk)
{
    struct scene scene = {.world = world_create()};
    char address[32];

    scene.world->chunk = chunk;
    scene.server = world_node(scene.world, &route_server);
    for (unsigned i = 0; i < 2; i++) {
        scene.senders[i] = make_node(&scene, 65001 + i);
        snprintf(address, sizeof(address), "10.0.1.%u", 1 + i);
        world_join(scene.world, scene.server, 65515, "10.0.0.4", scene.senders[i], 65001 + i,
                   address);
    }
    for (unsigned i = 0; i < RECEIVERS; i++) {
        struct speaker_peer_config near = world_end("10.0.0.4", 65100 + i);

        near.prepend = i % 3 == 2 ? 2 : 0;
        scene.receivers[i] = make_node(&scene, 65100 + i);
        snprintf(address, sizeof(address), "10.0.2.%u", 1 + i);
        scene.links[i] = world_link(scene.world, scene.server, near, scene.receivers[i],
                                    world_end(address, 65515));
    }
    world_start(scene.world);
    world_settle(scene.world);
    return scene;
}

static const char *numbered(unsigned i)
{
    static char prefix[32];

    snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", i / 256, i % 256);
    return prefix;
}

static void announce(struct scene *scene, unsigned sender, unsigned i, uint32_t salt)
{
    world_originate(scene->senders[sender],
                    &(struct route){.prefix = numbered(i), .as_path = {1 + i / 3, salt + 1}});
}

static void expect_held(const struct scene *scene, unsigned i)
{
    struct speaker_peer_counters told, held;

    speaker_peer_counters(scene->links[i]->ends[0].peer, &told);
    speaker_peer_counters(scene->links[i]->ends[1].peer, &held);
    cr_assert_eq(told.advertised, held.held, "receiver %u", i);
}

/* What the server says it has sent is what the receiver has. */
static void expect_agreement(const struct scene *scene)
{
    for (unsigned i = 0; i < RECEIVERS; i++) {
        const struct end *ends = scene->links[i]->ends;

        expect_held(scene, i);
        world_advertised(scene->server, ends[0].peer, text);
        world_learned(scene->receivers[i], ends[1].peer, other_text);
        /* The receiver's lines have a verdict behind, so each is longer than the server's. */
        for (char *line = text, *other = other_text; *line && *other;) {
            size_t length = strcspn(line, "\n");

            cr_assert_eq(strncmp(line, other, length), 0, "receiver %u: '%.*s' is not '%.*s'", i,
                         (int)length, line, (int)length, other);
            line += length + (line[length] != '\0');
            other += strcspn(other, "\n");
            other += *other != '\0';
        }
    }
    cr_assert(speaker_validate(scene->server->speaker));
}

static void change_at_random(struct scene *scene)
{
    unsigned i = (unsigned)rand() % 400u, sender = (unsigned)rand() % 2u;

    switch (rand() % 8) {
    case 0:
        world_withdraw(scene->senders[sender], numbered(i));
        break;
    case 1:
        scene->links[(unsigned)rand() % RECEIVERS]->ends[1].paused ^= true;
        break;
    default:
        announce(scene, sender, i, (uint32_t)rand() % 4u);
    }
}

static void churn(size_t chunk, unsigned seed)
{
    struct scene scene = make_scene(chunk);

    srand(seed);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned step = 0; step < 60; step++)
            change_at_random(&scene);
        world_settle(scene.world);
        cr_assert(speaker_validate(scene.server->speaker));
    }
    for (unsigned i = 0; i < RECEIVERS; i++)
        scene.links[i]->ends[1].paused = false;
    world_settle(scene.world);
    expect_agreement(&scene);
    world_destroy(scene.world);
}

Test(group, members_end_alike_whatever_changes_while_they_read)
{
    churn(65536, 1);
    churn(4096, 2);
    churn(100, 3);
}

/* All bytes of UPDATEs that left the server, by receiver. */
struct traffic {
    const struct scene *scene;
    uint8_t bytes[RECEIVERS][65536];
    size_t n[RECEIVERS];
};

static void observe(void *context, const struct end *from, const uint8_t *bytes, size_t n)
{
    struct traffic *traffic = context;

    for (unsigned i = 0; i < RECEIVERS; i++) {
        if (from != &traffic->scene->links[i]->ends[0])
            continue;
        cr_assert_leq(traffic->n[i] + n, sizeof(traffic->bytes[i]));
        memcpy(traffic->bytes[i] + traffic->n[i], bytes, n);
        traffic->n[i] += n;
    }
}

Test(group, members_get_the_same_bytes_and_others_their_own)
{
    struct scene scene = make_scene(65536);
    struct traffic *traffic = calloc(1, sizeof(*traffic));

    traffic->scene = &scene;
    scene.world->observe = observe;
    scene.world->observe_context = traffic;
    for (unsigned i = 0; i < 600; i++)
        announce(&scene, 0, i, 0);
    world_settle(scene.world);
    cr_assert_gt(traffic->n[0], 600 * 4);
    for (unsigned i = 1; i < RECEIVERS; i++) {
        bool same = traffic->n[i] == traffic->n[0] &&
                    memcmp(traffic->bytes[i], traffic->bytes[0], traffic->n[0]) == 0;
        cr_assert_eq(same, i % 3 != 2, "receiver %u", i);
    }
    expect_agreement(&scene);
    free(traffic);
    world_destroy(scene.world);
}

/* A message that was kept must not be said to a member for which its prefixes have changed. */
Test(group, a_member_that_reads_late_is_told_the_latest)
{
    struct scene scene = make_scene(4096);

    scene.links[0]->ends[1].paused = true;
    for (unsigned i = 0; i < 300; i++)
        announce(&scene, 0, i, 0);
    world_settle(scene.world);
    for (unsigned i = 0; i < 300; i += 2)
        announce(&scene, 0, i, 1);
    for (unsigned i = 1; i < 300; i += 4)
        world_withdraw(scene.senders[0], numbered(i));
    world_settle(scene.world);
    scene.links[0]->ends[1].paused = false;
    world_settle(scene.world);
    expect_agreement(&scene);
    world_destroy(scene.world);
}

Test(group, members_come_and_go_while_others_are_served)
{
    struct scene scene = make_scene(4096);

    for (unsigned round = 0; round < 12; round++) {
        struct link *link = scene.links[round % RECEIVERS];

        for (unsigned i = 0; i < 200; i++)
            announce(&scene, round % 2, i + 20 * round, round);
        world_cut(scene.world, link);
        cr_assert(speaker_validate(scene.server->speaker));
        for (unsigned i = 0; i < 50; i++)
            announce(&scene, round % 2, i, round + 1);
        world_mend(scene.world, link);
        expect_agreement(&scene);
    }
    world_destroy(scene.world);
}

/* Split horizon within a group: who announces a prefix is told nothing of it until another's is best. */
Test(group, a_member_is_not_told_its_own)
{
    struct scene scene = make_scene(65536);
    const struct route *long_path =
        &(struct route){.prefix = "192.0.2.0/24", .as_path = {1, 2, 3, 4}};

    world_originate(scene.receivers[0], long_path);
    world_originate(scene.receivers[1], &(struct route){.prefix = "192.0.2.0/24", .as_path = {1}});
    world_settle(scene.world);
    cr_assert_not_null(
        strstr(world_advertised(scene.server, scene.links[0]->ends[0].peer, text), "192.0.2.0/24"));
    cr_assert_null(
        strstr(world_advertised(scene.server, scene.links[1]->ends[0].peer, text), "192.0.2.0/24"));
    world_withdraw(scene.receivers[1], "192.0.2.0/24");
    world_settle(scene.world);
    cr_assert_null(
        strstr(world_advertised(scene.server, scene.links[0]->ends[0].peer, text), "192.0.2.0/24"));
    cr_assert_not_null(
        strstr(world_advertised(scene.server, scene.links[1]->ends[0].peer, text), "192.0.2.0/24"));
    cr_assert(speaker_validate(scene.server->speaker));
    world_destroy(scene.world);
}
