/* See feed.h. Sets are interned in a table of the feed's own and copied into speakers'. */
#include "engine/sim/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/speaker.h"

/* At full speed: changes a virtual millisecond, so that a day's fit between two keepalives. */
#define FULL_SPEED 1000u

struct feed_route {
    struct lpm_prefix prefix;
    const struct bgp_attributes *attributes; /* one reference; NULL: withdrawn */
};
struct feed_change {
    uint64_t at_us; /* since 1970 */
    struct feed_route route;
};

struct sim_feed {
    struct fabric_router_table config;
    struct mrt_peer_index index; /* the last one of the table */
    struct bgp_attribute_table *table;
    struct bgp_attribute_builder *builder;
    struct mrt_attribute_reader *reader;
    struct bgp_update_reader *updates;
    struct feed_route *routes;
    size_t n_routes, routes_capacity;
    struct feed_change *changes;
    size_t n_changes, changes_capacity;
};

struct sim_feed *sim_feed_create(const struct fabric_router_table *config)
{
    struct sim_feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return NULL;
    feed->config = *config;
    feed->table = bgp_attribute_table_create();
    feed->builder = bgp_builder_create();
    feed->reader = mrt_attribute_reader_create();
    feed->updates = bgp_update_reader_create();
    if (feed->table && feed->builder && feed->reader && feed->updates)
        return feed;
    sim_feed_destroy(feed);
    errno = ENOMEM;
    return NULL;
}

void sim_feed_destroy(struct sim_feed *feed)
{
    if (!feed)
        return;
    for (size_t i = 0; i < feed->n_routes; i++)
        bgp_attributes_release(feed->table, feed->routes[i].attributes);
    for (size_t i = 0; i < feed->n_changes; i++)
        bgp_attributes_release(feed->table, feed->changes[i].route.attributes);
    free(feed->routes);
    free(feed->changes);
    mrt_peer_index_free(&feed->index);
    mrt_attribute_reader_destroy(feed->reader);
    bgp_update_reader_destroy(feed->updates);
    bgp_builder_destroy(feed->builder);
    if (feed->table)
        bgp_attribute_table_destroy(feed->table);
    free(feed);
}

/* Room for one more item of size bytes. */
static int grow(void **items, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return 0;
    size_t larger = *capacity ? *capacity * 2 : 1024;
    void *moved = reallocarray(*items, larger, size);
    if (!moved)
        return -ENOMEM;
    *items = moved;
    *capacity = larger;
    return 0;
}

/* The set as the router has it: it is the next hop itself. Takes the reference over. */
static int without_next_hop(struct sim_feed *feed, const struct bgp_attributes **attributes)
{
    const struct bgp_attributes *with = *attributes;
    bgp_builder_load(feed->builder, with);
    bgp_builder_set_next_hop(feed->builder, NULL);
    int error = bgp_builder_intern(feed->builder, feed->table, attributes);
    bgp_attributes_release(feed->table, with);
    return error;
}

/* --- Table ------------------------------------------------------------------------------------ */

static bool is_chosen(const struct sim_feed *feed, uint16_t peer)
{
    const struct fabric_router_table *config = &feed->config;
    if (config->peer.family)
        return lpm_address_equal(&feed->index.peers[peer].address, &config->peer);
    return config->peer_place == 0 || config->peer_place == peer + 1u;
}

static int take_entry(struct sim_feed *feed, const struct mrt_rib *rib,
                      const struct mrt_rib_entry *entry)
{
    struct feed_route route = {.prefix = rib->prefix};
    int error =
        mrt_attributes_decode(feed->reader, rib->family, entry, feed->table, &route.attributes);
    if (!error)
        error = without_next_hop(feed, &route.attributes);
    if (error)
        return error;
    error = grow((void **)&feed->routes, feed->n_routes, &feed->routes_capacity, sizeof(route));
    if (error)
        bgp_attributes_release(feed->table, route.attributes);
    else
        feed->routes[feed->n_routes++] = route;
    return error;
}

/* The first path of the peer, or of any when none is named. */
static int take_rib(struct sim_feed *feed, const struct mrt_record *record)
{
    struct mrt_rib rib;
    struct mrt_rib_entry entry;
    int error = mrt_rib_decode(record, &rib);
    if (error)
        return error;
    while (mrt_rib_next(&rib, &entry)) {
        if (entry.peer >= feed->index.n)
            return -EBADMSG;
        if (is_chosen(feed, entry.peer))
            return take_entry(feed, &rib, &entry);
    }
    return 0;
}

int sim_feed_take_table(struct sim_feed *feed, const struct mrt_record *record)
{
    struct mrt_peer_index index;
    if (mrt_is_rib(record))
        return take_rib(feed, record);
    if (!mrt_is_peer_index(record))
        return 0;
    int error = mrt_peer_index_decode(record, &index);
    if (error)
        return error;
    mrt_peer_index_free(&feed->index);
    feed->index = index;
    return 0;
}

/* --- Updates ---------------------------------------------------------------------------------- */

static int add_change(struct sim_feed *feed, uint64_t at_us, const struct lpm_prefix *prefix,
                      const struct bgp_attributes *attributes)
{
    int error = grow((void **)&feed->changes, feed->n_changes, &feed->changes_capacity,
                     sizeof(struct feed_change));
    if (error)
        return error;
    /* Clocks of collectors step back at times; the order of the file is that of the peer. */
    if (feed->n_changes > 0 && feed->changes[feed->n_changes - 1].at_us > at_us)
        at_us = feed->changes[feed->n_changes - 1].at_us;
    struct feed_route route = {*prefix, attributes ? bgp_attributes_hold(attributes) : NULL};
    feed->changes[feed->n_changes++] = (struct feed_change){at_us, route};
    return 0;
}

static int add_changes(struct sim_feed *feed, uint64_t at_us, struct bgp_nlri nlri,
                       const struct bgp_attributes *attributes)
{
    struct lpm_prefix prefix;
    int error = 0;
    while (!error && bgp_nlri_next(&nlri, &prefix))
        error = add_change(feed, at_us, &prefix, attributes);
    return error;
}

static int add_announced(struct sim_feed *feed, uint64_t at_us, struct bgp_nlri nlri,
                         bool multiprotocol)
{
    const struct bgp_attributes *attributes;
    if (nlri.at == nlri.end)
        return 0;
    int error = bgp_update_attributes(feed->updates, multiprotocol, feed->table, &attributes);
    if (!error)
        error = without_next_hop(feed, &attributes);
    if (error)
        return error;
    error = add_changes(feed, at_us, nlri, attributes);
    bgp_attributes_release(feed->table, attributes);
    return error;
}

static bool is_from_peer(const struct sim_feed *feed, const struct mrt_message *message)
{
    const struct fabric_router_table *config = &feed->config;
    if (message->is_state_change || message->sent || message->type != BGP_UPDATE)
        return false;
    if (config->peer.family)
        return lpm_address_equal(&message->peer, &config->peer);
    if (config->peer_place == 0)
        return true;
    return config->peer_place <= feed->index.n &&
           lpm_address_equal(&message->peer, &feed->index.peers[config->peer_place - 1].address);
}

int sim_feed_take_update(struct sim_feed *feed, const struct mrt_record *record)
{
    struct mrt_message message;
    struct bgp_update update;
    int error = mrt_is_message(record) ? mrt_message_decode(record, &message) : -ENOTSUP;
    if (error || !is_from_peer(feed, &message))
        return error;
    const struct bgp_update_context context = {
        .four_octet_as = message.four_octet_as,
        .accept_as_set = true,
        .extended_next_hop = true,
        .families = BGP_FAMILIES_ALL,
        .add_path = message.with_path_id ? BGP_FAMILIES_ALL : 0,
    };
    uint64_t at_us = record->seconds * UINT64_C(1000000) + record->microseconds;
    enum bgp_update_outcome outcome =
        bgp_update_decode(feed->updates, &context, message.bytes, message.length, &update);
    if (outcome == BGP_UPDATE_RESET)
        return -EBADMSG;
    error = add_changes(feed, at_us, update.withdrawn, NULL);
    if (!error)
        error = add_changes(feed, at_us, update.mp_withdrawn, NULL);
    if (!error && outcome == BGP_UPDATE_WITHDRAW) {
        error = add_changes(feed, at_us, update.announced, NULL);
        return error ? error : add_changes(feed, at_us, update.mp_announced, NULL);
    }
    if (!error)
        error = add_announced(feed, at_us, update.announced, false);
    return error ? error : add_announced(feed, at_us, update.mp_announced, true);
}

/* --- Questions and playing -------------------------------------------------------------------- */

size_t sim_feed_routes(const struct sim_feed *feed)
{
    return feed->n_routes;
}

size_t sim_feed_changes(const struct sim_feed *feed)
{
    return feed->n_changes;
}

char *sim_feed_peers(const struct sim_feed *feed, char text[SIM_FEED_PEERS_TEXT])
{
    size_t used = 0;
    snprintf(text, SIM_FEED_PEERS_TEXT, "none");
    for (unsigned i = 0; i < feed->index.n; i++) {
        char address[LPM_ADDRESS_TEXT];
        if (used + LPM_ADDRESS_TEXT + 8 > SIM_FEED_PEERS_TEXT) {
            snprintf(text + used, SIM_FEED_PEERS_TEXT - used, ", …");
            break;
        }
        used += (size_t)snprintf(text + used, SIM_FEED_PEERS_TEXT - used, "%s%s", i ? ", " : "",
                                 lpm_address_format(&feed->index.peers[i].address, address));
    }
    return text;
}

static int play(struct speaker *speaker, const struct feed_route *route)
{
    if (route->attributes)
        return speaker_originate(speaker, &route->prefix, route->attributes);
    int error = speaker_withdraw(speaker, &route->prefix);
    return error == -ENOENT ? 0 : error; /* withdrawn twice: peers do that */
}

int sim_feed_announce(const struct sim_feed *feed, struct speaker *speaker, size_t n)
{
    int error = 0;
    for (size_t i = 0; !error && i < feed->n_routes; i++)
        error = play(speaker, &feed->routes[i]);
    for (size_t i = 0; !error && i < n; i++)
        error = play(speaker, &feed->changes[i].route);
    return error;
}

int sim_feed_change(const struct sim_feed *feed, struct speaker *speaker, size_t i)
{
    return play(speaker, &feed->changes[i].route);
}

uint64_t sim_feed_due_ms(const struct sim_feed *feed, size_t i)
{
    uint64_t start_ms = feed->config.updates_after_s * UINT64_C(1000);
    if (feed->config.full_speed)
        return start_ms + i / FULL_SPEED;
    return start_ms + (feed->changes[i].at_us - feed->changes[0].at_us) / 1000u;
}
