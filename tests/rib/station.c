/* See station.h. Written from the RFC's figures, not from the encoder. */
#include "tests/rib/station.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void complain(struct station *station,
                                                           const char *format, ...)
{
    va_list arguments;

    if (station->complaint[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(station->complaint, sizeof(station->complaint), format, arguments);
    va_end(arguments);
}

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static uint64_t get64(const uint8_t *at)
{
    return (uint64_t)get32(at) << 32 | get32(at + 4);
}

struct station *station_create(void)
{
    struct station *station = calloc(1, sizeof(*station));

    assert(station != NULL);
    station->table = bgp_attribute_table_create();
    station->reader = bgp_update_reader_create();
    return station;
}

void station_destroy(struct station *station)
{
    bgp_update_reader_destroy(station->reader);
    bgp_attribute_table_destroy(station->table);
    free(station->held);
    free(station->routes);
    free(station);
}

void station_words(const struct bgp_attributes *attributes, const struct lpm_address *next_hop,
                   char words[400])
{
    char path[200], address[LPM_ADDRESS_TEXT] = "self", name[BGP_COMMUNITY_TEXT];
    size_t at;

    bgp_as_path_format(attributes, ' ', path, sizeof(path));
    if (next_hop->family != 0)
        lpm_address_format(next_hop, address);
    at = (size_t)snprintf(words, 400, "%s [%s] %s", bgp_origin_text(attributes->origin), path,
                          address);
    for (unsigned i = 0; i < bgp_community_count(attributes, BGP_COMMUNITY); i++) {
        struct bgp_community community = bgp_community_at(attributes, BGP_COMMUNITY, i);

        at += (size_t)snprintf(words + at, 400 - at, " %s", bgp_community_format(&community, name));
    }
    if (attributes->flags & BGP_HAS_MED)
        at += (size_t)snprintf(words + at, 400 - at, " med %u", attributes->med);
    if (attributes->flags & BGP_HAS_LOCAL_PREF)
        snprintf(words + at, 400 - at, " local-pref %u", attributes->local_pref);
}

/* --- Peers ------------------------------------------------------------------------------------ */

/* The 42 octets of a per-peer header that tell peers apart; made when new and `make`. */
static struct station_peer *peer_of(struct station *station, const uint8_t *header, bool make)
{
    struct station_peer *peer;

    for (unsigned i = 0; i < station->n_peers; i++) {
        peer = &station->peers[i];
        if (peer->type == header[0] && peer->distinguisher == get64(header + 2) &&
            memcmp(peer->address, header + 10, 16) == 0)
            return peer;
    }
    if (!make || station->n_peers == STATION_PEERS) {
        complain(station, "a peer that never came up");
        return NULL;
    }
    peer = &station->peers[station->n_peers++];
    peer->type = header[0];
    peer->distinguisher = get64(header + 2);
    memcpy(peer->address, header + 10, 16);
    return peer;
}

struct station_peer *station_peer(struct station *station, const char *address,
                                  uint64_t distinguisher)
{
    uint8_t bytes[16] = {0};

    if (address != NULL && strchr(address, ':') != NULL)
        inet_pton(AF_INET6, address, bytes);
    else if (address != NULL)
        inet_pton(AF_INET, address, bytes + 12);
    for (unsigned i = 0; i < station->n_peers; i++)
        if ((address == NULL) == (station->peers[i].type == BMP_PEER_LOC_RIB) &&
            station->peers[i].distinguisher == distinguisher &&
            memcmp(station->peers[i].address, bytes, 16) == 0)
            return &station->peers[i];
    return NULL;
}

static void forget_routes(struct station *station, unsigned peer)
{
    size_t kept = 0;

    for (size_t i = 0; i < station->n_routes; i++)
        if (station->routes[i].peer != peer)
            station->routes[kept++] = station->routes[i];
    station->n_routes = kept;
}

/* Takes one BGP message; returns its length, 0 with a complaint. */
static size_t take_message(struct station *station, const uint8_t *at, size_t n, uint8_t type)
{
    struct bgp_header header;
    struct bgp_error error;

    if (n < BGP_HEADER_SIZE || !bgp_header_decode(at, BGP_EXTENDED_MESSAGE_MAX, &header, &error) ||
        header.type != type || header.length > n) {
        complain(station, "no BGP message of type %u where one belongs", type);
        return 0;
    }
    return header.length;
}

static void take_peer_up(struct station *station, const uint8_t *message, size_t size)
{
    struct station_peer *peer = peer_of(station, message + 6, true);
    size_t at = 48 + 20, lengths[2];
    struct bgp_open opens[2];
    struct bgp_error error;

    for (unsigned i = 0; i < 2 && station->complaint[0] == '\0'; i++) {
        lengths[i] = at <= size ? take_message(station, message + at, size - at, BGP_OPEN) : 0;
        if (lengths[i] == 0 || !bgp_open_decode(message + at, lengths[i], &opens[i], &error))
            complain(station, "OPEN %u of a Peer Up cannot be read", i);
        at += lengths[i];
    }
    if (peer == NULL || station->complaint[0] != '\0')
        return;
    if (peer->up)
        complain(station, "Peer Up of a peer that is up");
    peer->up = true;
    peer->ups++;
    peer->asn = get32(message + 6 + 26);
    peer->identifier = get32(message + 6 + 30);
    peer->add_path_in = opens[0].add_path.receive & opens[1].add_path.send;
    peer->add_path_out = opens[0].add_path.send & opens[1].add_path.receive;
    if (opens[1].asn != peer->asn || opens[1].identifier != peer->identifier)
        complain(station, "the OPEN received and the header disagree");
    for (; at + 4 <= size; at += 4 + get16(message + at + 2))
        snprintf(peer->information, sizeof(peer->information), "%u:%.*s", get16(message + at),
                 (int)get16(message + at + 2), (const char *)message + at + 4);
    if (at != size)
        complain(station, "Peer Up has %zu octets too few or many", size - at);
}

static void take_peer_down(struct station *station, const uint8_t *message, size_t size)
{
    struct station_peer *peer = peer_of(station, message + 6, false);

    if (peer == NULL || size < 49)
        return;
    if (!peer->up)
        complain(station, "Peer Down of a peer that is down");
    peer->up = false;
    peer->downs++;
    peer->down_reason = message[48];
    forget_routes(station, (unsigned)(peer - station->peers));
    if ((message[48] == 1 || message[48] == 3) &&
        take_message(station, message + 49, size - 49, BGP_NOTIFICATION) != size - 49)
        complain(station, "Peer Down's NOTIFICATION has a wrong length");
    if (message[48] == 2 && size != 51)
        complain(station, "Peer Down 2 without an event");
    if (message[48] == 4 && size != 49)
        complain(station, "Peer Down 4 with more");
}

static void take_statistics(struct station *station, const uint8_t *message, size_t size)
{
    struct station_peer *peer = peer_of(station, message + 6, false);
    size_t at = 52;

    if (peer == NULL || size < 52)
        return;
    if (!peer->up)
        complain(station, "statistics of a peer that is down");
    memset(peer->gauges, 0, sizeof(peer->gauges));
    for (uint32_t n = get32(message + 48); n > 0 && at + 4 <= size; n--) {
        uint32_t type = get16(message + at), length = get16(message + at + 2);
        const uint8_t *value = message + at + 4 + (length == 11 ? 3 : 0);

        if (type < 32)
            peer->gauges[type] += length == 4 ? get32(value) : get64(value);
        at += 4 + length;
    }
    if (at != size)
        complain(station, "a Statistics Report has the wrong length");
}

/* --- Routes ----------------------------------------------------------------------------------- */

static struct station_route *find_route(struct station *station, const struct station_route *key)
{
    for (size_t i = 0; i < station->n_routes; i++) {
        struct station_route *route = &station->routes[i];

        if (route->peer == key->peer && route->flags == key->flags &&
            route->path_id == key->path_id && lpm_prefix_compare(&route->prefix, &key->prefix) == 0)
            return route;
    }
    return NULL;
}

static void announce(struct station *station, const struct station_route *key)
{
    struct station_route *route = find_route(station, key);

    if (route == NULL) {
        if (station->n_routes == station->routes_capacity) {
            station->routes_capacity = 2 * station->routes_capacity + 64;
            station->routes =
                realloc(station->routes, station->routes_capacity * sizeof(*station->routes));
            assert(station->routes != NULL);
        }
        route = &station->routes[station->n_routes++];
    }
    *route = *key;
}

static void take_announced(struct station *station, struct station_route *key, struct bgp_nlri nlri,
                           bool multiprotocol)
{
    const struct bgp_attributes *attributes;

    if (nlri.at == nlri.end)
        return;
    if (bgp_update_attributes(station->reader, multiprotocol, station->table, &attributes) != 0) {
        complain(station, "attributes cannot be taken");
        return;
    }
    station_words(attributes, &attributes->next_hop, key->words);
    while (bgp_nlri_next(&nlri, &key->prefix)) {
        key->path_id = nlri.path_id;
        announce(station, key);
    }
    bgp_attributes_release(station->table, attributes);
}

static void take_withdrawn(struct station *station, struct station_route *key, struct bgp_nlri nlri)
{
    while (bgp_nlri_next(&nlri, &key->prefix)) {
        struct station_route *route;

        key->path_id = nlri.path_id;
        route = find_route(station, key);
        if (route != NULL)
            *route = station->routes[--station->n_routes];
        else
            complain(station, "a route is withdrawn that was not there");
    }
}

static void take_update(struct station *station, struct station_peer *peer, uint8_t flags,
                        const uint8_t *bytes, size_t size)
{
    struct bgp_update_context context = {
        .four_octet_as = true,
        .internal = true,
        .accept_as_set = true,
        .extended_next_hop = true,
        .families = BGP_FAMILIES_ALL,
        .add_path = flags & BMP_FLAG_ADJ_RIB_OUT ? peer->add_path_out : peer->add_path_in,
    };
    struct station_route key = {.peer = (unsigned)(peer - station->peers), .flags = flags};
    struct bgp_update update;
    enum bgp_update_outcome outcome =
        bgp_update_decode(station->reader, &context, bytes, size, &update);

    /* LOCAL_PREF is there, or not, whatever the peer. */
    context.internal = false;
    if (outcome == BGP_UPDATE_WITHDRAW)
        outcome = bgp_update_decode(station->reader, &context, bytes, size, &update);
    if (outcome != BGP_UPDATE_FINE || update.malformed > 0) {
        complain(station, "an UPDATE is malformed (%u/%u, attribute %u)", update.error.code,
                 update.error.subcode, update.malformed_type);
        return;
    }
    peer->ends[flags] += update.end_of_rib;
    station->longest = size > station->longest ? size : station->longest;
    take_withdrawn(station, &key, update.withdrawn);
    take_withdrawn(station, &key, update.mp_withdrawn);
    take_announced(station, &key, update.announced, false);
    take_announced(station, &key, update.mp_announced, true);
}

static void take_routes(struct station *station, const uint8_t *message, size_t size)
{
    struct station_peer *peer = peer_of(station, message + 6, false);

    if (peer == NULL)
        return;
    if (!peer->up)
        complain(station, "routes of a peer that is down");
    else if (take_message(station, message + 48, size - 48, BGP_UPDATE) != size - 48)
        complain(station, "an UPDATE does not fill its message");
    else
        take_update(station, peer, message[7] & 0x7f, message + 48, size - 48);
}

/* --- The stream ------------------------------------------------------------------------------- */

static void take(struct station *station, const uint8_t *message, size_t size)
{
    uint8_t type = message[5];

    station->messages[type]++;
    if (type < BMP_INITIATION && size < 49) {
        complain(station, "a message of type %u is too short", type);
        return;
    }
    if (type < BMP_INITIATION &&
        ((message[7] & 0x80) != 0) != (get64(message + 16) != 0 || get32(message + 24) != 0))
        complain(station, "the V flag does not fit the address");
    if (type == BMP_PEER_UP)
        take_peer_up(station, message, size);
    else if (type == BMP_PEER_DOWN)
        take_peer_down(station, message, size);
    else if (type == BMP_STATISTICS_REPORT)
        take_statistics(station, message, size);
    else if (type == BMP_ROUTE_MONITORING)
        take_routes(station, message, size);
}

void station_feed(struct station *station, const uint8_t *bytes, size_t n)
{
    size_t at = 0;

    if (station->held_capacity < station->n_held + n) {
        station->held_capacity = 2 * (station->n_held + n);
        station->held = realloc(station->held, station->held_capacity);
        assert(station->held != NULL);
    }
    memcpy(station->held + station->n_held, bytes, n);
    station->n_held += n;
    while (station->complaint[0] == '\0' && station->n_held - at >= 6) {
        const uint8_t *message = station->held + at;
        size_t size = get32(message + 1);

        if (message[0] != 3 || message[5] > BMP_TERMINATION || size < 6) {
            complain(station, "no BMP message where one belongs");
            break;
        }
        if (station->n_held - at < size)
            break;
        take(station, message, size);
        at += size;
    }
    station->n_held -= at;
    memmove(station->held, station->held + at, station->n_held);
}

static int compare_routes(const void *a, const void *b)
{
    const struct station_route *left = a, *right = b;
    int order = lpm_prefix_compare(&left->prefix, &right->prefix);

    return order != 0 ? order : (left->path_id > right->path_id) - (left->path_id < right->path_id);
}

char *station_table(struct station *station, const char *address, uint64_t distinguisher,
                    uint8_t flags, char *text)
{
    const struct station_peer *peer = station_peer(station, address, distinguisher);
    char name[LPM_PREFIX_TEXT];
    size_t at = 0;

    text[0] = '\0';
    if (station->n_routes > 0)
        qsort(station->routes, station->n_routes, sizeof(*station->routes), compare_routes);
    for (size_t i = 0; peer != NULL && i < station->n_routes; i++) {
        const struct station_route *route = &station->routes[i];

        if (route->peer == (unsigned)(peer - station->peers) && route->flags == flags)
            at += (size_t)snprintf(text + at, WORLD_TEXT - at, "%s %s id %u\n",
                                   lpm_prefix_format(&route->prefix, name), route->words,
                                   route->path_id);
    }
    return text;
}
