/*
 * Speakers, links and virtual time; see world.h.
 */
#include "tests/rib/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Choices as last told, one line a prefix, unordered. */
struct shadow {
    struct shadow *next;
    struct lpm_prefix prefix;
    char line[1024];
};

/* --- Handler ---------------------------------------------------------------------------------- */

static void on_choice(void *context, const struct lpm_prefix *prefix)
{
    static char line[WORLD_TEXT];
    struct node *node = context;
    struct shadow *shadow = node->shadow;
    struct rib_choice choice;

    node->changes++;
    if (!node->check_changes)
        return;
    while (shadow != NULL && !lpm_prefix_equal(&shadow->prefix, prefix))
        shadow = shadow->next;
    if (shadow == NULL) {
        shadow = calloc(1, sizeof(*shadow));
        shadow->next = node->shadow;
        shadow->prefix = *prefix;
        node->shadow = shadow;
    }
    line[0] = '\0';
    if (speaker_choice(node->speaker, prefix, &choice))
        world_append_choice(line, prefix, &choice);
    assert(strlen(line) < sizeof(shadow->line));
    memcpy(shadow->line, line, strlen(line) + 1);
}

bool world_changes_told(const struct node *node)
{
    static char now[WORLD_TEXT];
    size_t length = 0;

    world_choices(node, now);
    for (const struct shadow *shadow = node->shadow; shadow != NULL; shadow = shadow->next) {
        length += strlen(shadow->line);
        if (shadow->line[0] != '\0' && strstr(now, shadow->line) == NULL)
            return false;
    }
    return length == strlen(now);
}

static void on_peer(void *context, struct speaker_peer *peer, enum bgp_state state,
                    const char *reason)
{
    struct end *end = speaker_peer_user(peer);

    (void)context;
    end->state = state;
    snprintf(end->reason, sizeof(end->reason), "%s", reason);
    if (end->node->world->peer_changed != NULL)
        end->node->world->peer_changed(end->node->world->peer_changed_context, end);
}

static void on_notice(void *context, struct speaker_peer *peer, const char *line)
{
    struct end *end = speaker_peer_user(peer);

    (void)context;
    end->notices++;
    snprintf(end->notice, sizeof(end->notice), "%s", line);
}

static void on_connect(void *context, struct speaker_peer *peer)
{
    struct end *end = speaker_peer_user(peer);

    (void)context;
    end->connect_wanted = true;
}

static void on_close(void *context, struct speaker_peer *peer, enum bgp_direction direction)
{
    struct end *end = speaker_peer_user(peer);

    (void)context;
    end->close_wanted[direction] = true;
}

/* --- Life ------------------------------------------------------------------------------------- */

struct world *world_create(void)
{
    struct world *world = calloc(1, sizeof(*world));

    world->chunk = 65536;
    world->table = bgp_attribute_table_create();
    world->builder = bgp_builder_create();
    return world;
}

void world_destroy(struct world *world)
{
    for (unsigned i = 0; i < world->n_nodes; i++) {
        while (world->nodes[i].shadow != NULL) {
            struct shadow *next = world->nodes[i].shadow->next;

            free(world->nodes[i].shadow);
            world->nodes[i].shadow = next;
        }
        speaker_destroy(world->nodes[i].speaker);
    }
    bgp_builder_destroy(world->builder);
    bgp_attribute_table_destroy(world->table);
    free(world);
}

struct node *world_node(struct world *world, const struct speaker_config *config)
{
    struct node *node = &world->nodes[world->n_nodes++];
    struct speaker_config own = *config;

    assert(world->n_nodes <= WORLD_NODES);
    own.handler = (struct speaker_handler){.context = node,
                                           .choice_changed = on_choice,
                                           .peer_changed = on_peer,
                                           .connect = on_connect,
                                           .close = on_close,
                                           .notice = on_notice};
    node->world = world;
    node->speaker = speaker_create(&own);
    assert(node->speaker != NULL);
    return node;
}

static void add_end(struct link *link, unsigned side, struct node *node,
                    struct speaker_peer_config *config, const struct speaker_peer_config *other)
{
    struct end *end = &link->ends[side];
    int error;

    end->node = node;
    end->link = link;
    config->peer_address = other->local_address;
    config->user = end;
    error = speaker_peer_add(node->speaker, config, &end->peer);
    assert(error == 0);
    (void)error;
}

struct link *world_link(struct world *world, struct node *left,
                        struct speaker_peer_config left_config, struct node *right,
                        struct speaker_peer_config right_config)
{
    struct link *link = &world->links[world->n_links++];

    assert(world->n_links <= WORLD_LINKS);
    link->up = true;
    add_end(link, 0, left, &left_config, &right_config);
    add_end(link, 1, right, &right_config, &left_config);
    return link;
}

struct speaker_peer_config world_end(const char *address, uint32_t peer_asn)
{
    struct speaker_peer_config config = {
        .name = address, .asn = peer_asn, .source = RIB_SOURCE_NVA};

    config.local_address = world_address(address);
    config.identifier = (uint32_t)config.local_address.bytes[0] << 24 |
                        (uint32_t)config.local_address.bytes[1] << 16 |
                        (uint32_t)config.local_address.bytes[2] << 8 |
                        config.local_address.bytes[3];
    return config;
}

struct link *world_join(struct world *world, struct node *left, uint32_t left_asn,
                        const char *left_address, struct node *right, uint32_t right_asn,
                        const char *right_address)
{
    return world_link(world, left, world_end(left_address, right_asn), right,
                      world_end(right_address, left_asn));
}

void world_start(struct world *world)
{
    for (unsigned i = 0; i < world->n_links; i++)
        for (unsigned side = 0; side < 2; side++) {
            struct end *end = &world->links[i].ends[side];

            speaker_peer_start(end->node->speaker, end->peer, world->now);
        }
    world_settle(world);
}

/* --- Motion ----------------------------------------------------------------------------------- */

static enum bgp_direction direction_of(unsigned opener, unsigned side)
{
    return opener == side ? BGP_OUTGOING : BGP_INCOMING;
}

/* Moves one chunk from an end to the other over the connection that opener opened. */
static bool move(struct world *world, struct link *link, unsigned opener, unsigned side)
{
    static uint8_t bytes[65536];
    struct end *from = &link->ends[side], *to = &link->ends[!side];
    size_t n;

    if (to->paused)
        return false;
    n = speaker_output(from->node->speaker, from->peer, direction_of(opener, side), bytes,
                       world->chunk, world->now);
    to->received += n;
    if (n > 0 && world->observe != NULL)
        world->observe(world->observe_context, from, bytes, n);
    if (n > 0 && link->alive[opener])
        speaker_input(to->node->speaker, to->peer, direction_of(opener, !side), bytes, n,
                      world->now);
    return n > 0;
}

static void close_connection(struct world *world, struct link *link, unsigned opener, unsigned side,
                             const char *reason)
{
    struct end *other = &link->ends[!side];

    link->alive[opener] = false;
    speaker_closed(other->node->speaker, other->peer, direction_of(opener, !side), reason,
                   world->now);
    other->close_wanted[direction_of(opener, !side)] = false;
}

static bool open_connections(struct world *world, struct link *link)
{
    bool moved = false;

    for (unsigned side = 0; side < 2; side++) {
        struct end *end = &link->ends[side], *other = &link->ends[!side];

        if (!end->connect_wanted)
            continue;
        moved = true;
        end->connect_wanted = false;
        link->alive[side] = link->up;
        if (link->up) {
            speaker_connected(end->node->speaker, end->peer, BGP_OUTGOING, world->now);
            speaker_connected(other->node->speaker, other->peer, BGP_INCOMING, world->now);
        } else {
            speaker_closed(end->node->speaker, end->peer, BGP_OUTGOING, "unreachable", world->now);
        }
    }
    return moved;
}

static bool step_link(struct world *world, struct link *link)
{
    bool moved = open_connections(world, link);

    for (unsigned opener = 0; opener < 2; opener++)
        for (unsigned side = 0; side < 2; side++) {
            struct end *end = &link->ends[side];
            enum bgp_direction direction = direction_of(opener, side);

            if (link->alive[opener])
                moved |= move(world, link, opener, side);
            if (!end->close_wanted[direction])
                continue;
            end->close_wanted[direction] = false;
            moved = true;
            while (link->alive[opener] && move(world, link, opener, side))
                ;
            if (link->alive[opener])
                close_connection(world, link, opener, side, "connection closed by peer");
        }
    return moved;
}

/* A speaker that has more to do of a large change says so by a deadline that is over. */
static bool step_node(struct world *world, struct node *node)
{
    if (speaker_deadline(node->speaker) > world->now)
        return false;
    speaker_tick(node->speaker, world->now);
    return true;
}

bool world_step(struct world *world)
{
    bool moved = false;

    for (unsigned i = 0; i < world->n_links; i++)
        moved |= step_link(world, &world->links[i]);
    for (unsigned i = 0; i < world->n_nodes; i++)
        moved |= step_node(world, &world->nodes[i]);
    return moved;
}

void world_settle(struct world *world)
{
    while (world_step(world))
        ;
}

void world_run(struct world *world, uint64_t ms)
{
    uint64_t end = world->now + ms;

    world_settle(world);
    for (;;) {
        uint64_t next = UINT64_MAX;

        for (unsigned i = 0; i < world->n_nodes; i++) {
            uint64_t deadline = speaker_deadline(world->nodes[i].speaker);

            next = deadline < next ? deadline : next;
        }
        if (next > end)
            break;
        world->now = next > world->now ? next : world->now;
        for (unsigned i = 0; i < world->n_nodes; i++)
            speaker_tick(world->nodes[i].speaker, world->now);
        world_settle(world);
    }
    world->now = end;
}

void world_cut(struct world *world, struct link *link)
{
    link->up = false;
    for (unsigned opener = 0; opener < 2; opener++)
        if (link->alive[opener]) {
            close_connection(world, link, opener, 0, "connection lost");
            close_connection(world, link, opener, 1, "connection lost");
        }
    world_settle(world);
}

void world_mend(struct world *world, struct link *link)
{
    link->up = true;
    /* Longer than any pause in Idle and any wait for a connection. */
    for (unsigned i = 0; i < 300 && (link->ends[0].state != BGP_ESTABLISHED ||
                                     link->ends[1].state != BGP_ESTABLISHED);
         i++)
        world_run(world, 1000);
}

/* --- Routes ----------------------------------------------------------------------------------- */

const struct bgp_attributes *world_attributes(struct world *world, const struct route *route)
{
    const struct bgp_attributes *attributes = NULL;
    unsigned n = 0;
    int error;

    bgp_builder_originate(world->builder, BGP_ORIGIN_IGP);
    while (route->as_path[n] != 0)
        n++;
    bgp_builder_set_as_path(world->builder, route->as_path, n);
    if (route->next_hop != NULL) {
        struct lpm_address next_hop = world_address(route->next_hop);

        bgp_builder_set_next_hop(world->builder, &next_hop);
    }
    for (unsigned i = 0; route->communities[i] != 0; i++) {
        struct bgp_community community = {.kind = BGP_COMMUNITY, .standard = route->communities[i]};

        bgp_builder_add_community(world->builder, &community);
    }
    if (route->has_med)
        bgp_builder_set_med(world->builder, route->med);
    error = bgp_builder_intern(world->builder, world->table, &attributes);
    assert(error == 0);
    (void)error;
    return attributes;
}

void world_originate(struct node *node, const struct route *route)
{
    const struct bgp_attributes *attributes = world_attributes(node->world, route);
    struct lpm_prefix prefix = world_prefix(route->prefix);
    int error = speaker_originate(node->speaker, &prefix, attributes);

    assert(error == 0);
    (void)error;
    bgp_attributes_release(node->world->table, attributes);
}

void world_withdraw(struct node *node, const char *prefix)
{
    struct lpm_prefix parsed = world_prefix(prefix);

    speaker_withdraw(node->speaker, &parsed);
}
