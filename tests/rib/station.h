/*
 * A BMP collector for tests: reads a stream as RFC 7854 says, keeps the tables that it tells of, and
 * complains of whatever no sender may say.
 */
#ifndef TESTS_RIB_STATION_H
#define TESTS_RIB_STATION_H

#include "engine/bgp/bmp.h"
#include "tests/rib/world.h"

#define STATION_PEERS 64

struct station_peer {
    uint8_t type;
    uint64_t distinguisher;
    uint8_t address[16];
    uint32_t asn, identifier;
    bool up;
    uint32_t add_path_in, add_path_out; /* families with path identifiers, by its two OPENs */
    unsigned ups, downs, ends[256];     /* Peer Up, Peer Down; End-of-RIB by flags */
    uint8_t down_reason;
    char information[256];
    uint64_t gauges[32]; /* of the last Statistics Report, by type; those by family summed up */
};

struct station_route {
    unsigned peer;
    uint8_t flags;
    struct lpm_prefix prefix;
    uint32_t path_id;
    char words[400];
};

struct station {
    struct bgp_attribute_table *table;
    struct bgp_update_reader *reader;
    uint8_t *held; /* a message that has not come whole */
    size_t n_held, held_capacity;
    struct station_peer peers[STATION_PEERS];
    unsigned n_peers;
    struct station_route *routes;
    size_t n_routes, routes_capacity;
    unsigned messages[6]; /* by enum bmp_type */
    size_t longest;       /* UPDATE */
    char complaint[256];  /* "" while all is well */
};

struct station *station_create(void);
void station_destroy(struct station *station);
/* Bytes split anywhere. */
void station_feed(struct station *station, const uint8_t *bytes, size_t n);
/* Peers as they came; address NULL: the Loc-RIB. NULL when never told of. */
struct station_peer *station_peer(struct station *station, const char *address,
                                  uint64_t distinguisher);
/* "prefix words" lines in prefix order, of one peer's table; `flags` as in the per-peer header. */
char *station_table(struct station *station, const char *address, uint64_t distinguisher,
                    uint8_t flags, char *text);
/* How station_table() puts a route. */
void station_words(const struct bgp_attributes *attributes, const struct lpm_address *next_hop,
                   char words[400]);

#endif
