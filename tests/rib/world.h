/*
 * A world for tests of the speaker: speakers joined by links that carry their bytes, in virtual
 * time.
 *
 *     node (speaker) --- end --- link --- end --- node (speaker)
 *
 * A link carries up to two connections, one opened by each end, as TCP would. Nothing moves but in
 * world_step(), world_settle() and world_run(). What a node shows is written out as lines of text, so that an
 * expectation is a string and a failure can be read.
 */
#ifndef TESTS_RIB_WORLD_H
#define TESTS_RIB_WORLD_H

#include "engine/rib/speaker.h"

#define WORLD_NODES 40
#define WORLD_LINKS 48
#define WORLD_TEXT  65536

struct world;

struct node {
    struct world *world;
    struct speaker *speaker;
    unsigned changes;      /* choice_changed told */
    bool check_changes;    /* keep the shadow table */
    struct shadow *shadow; /* choices as last told */
};

struct end {
    struct node *node;
    struct speaker_peer *peer;
    struct link *link;
    bool connect_wanted;
    bool close_wanted[2]; /* by direction */
    bool paused;          /* does not read */
    uint64_t received;    /* bytes */
    enum bgp_state state;
    char reason[400]; /* of the last change of state */
    char notice[400]; /* the last one */
    unsigned notices;
};

struct link {
    struct end ends[2];
    bool up;
    bool alive[2]; /* connection opened by ends[i] */
};

struct world {
    uint64_t now;
    size_t chunk; /* capacity of one speaker_output() */
    struct node nodes[WORLD_NODES];
    struct link links[WORLD_LINKS];
    unsigned n_nodes, n_links;
    struct bgp_attribute_table *table; /* of what tests make */
    struct bgp_attribute_builder *builder;
    /* Sees every run of bytes on its way, when set. */
    void (*observe)(void *context, const struct end *from, const uint8_t *bytes, size_t n);
    void *observe_context;
    /* Sees every change of a session's state from within the speaker, when set. */
    void (*peer_changed)(void *context, const struct end *end);
    void *peer_changed_context;
};

struct world *world_create(void);
void world_destroy(struct world *world);

/* handler is the world's; the rest as given. */
struct node *world_node(struct world *world, const struct speaker_config *config);
/* A peer configuration seen from this address: hold time 0, source NVA, no limits. */
struct speaker_peer_config world_end(const char *address, uint32_t peer_asn);
/* Joins two nodes; each config is of the end at its own node, the other's address is filled in. */
struct link *world_link(struct world *world, struct node *left,
                        struct speaker_peer_config left_config, struct node *right,
                        struct speaker_peer_config right_config);
/* The same with both configurations from world_end(). */
struct link *world_join(struct world *world, struct node *left, uint32_t left_asn,
                        const char *left_address, struct node *right, uint32_t right_asn,
                        const char *right_address);
void world_start(struct world *world);

/* Lets every link carry a chunk each way and every node that has work left do a slice of it; false:
 * nothing moved. */
bool world_step(struct world *world);
/* The same until nothing moves any more; time stands still. */
void world_settle(struct world *world);
/* Lets time pass; settles at every deadline. */
void world_run(struct world *world, uint64_t ms);
/* Cuts a link or brings it back and waits until both ends agree. */
void world_cut(struct world *world, struct link *link);
void world_mend(struct world *world, struct link *link);

/* Route description for world_originate(). Lists end with 0. */
struct route {
    const char *prefix;
    const char *next_hop; /* NULL: self */
    uint32_t as_path[16];
    uint32_t communities[8];
    bool has_med;
    uint32_t med;
};
void world_originate(struct node *node, const struct route *route);
void world_withdraw(struct node *node, const char *prefix);

/* Tables as lines "prefix [as path] next hop communities verdict", in prefix order. */
char *world_choices(const struct node *node, char *text);
char *world_learned(const struct node *node, const struct speaker_peer *peer, char *text);
char *world_advertised(const struct node *node, const struct speaker_peer *peer, char *text);
/* The visitor that writes a line of world_choices(); context is the text to append to. */
int world_append_choice(void *context, const struct lpm_prefix *prefix,
                        const struct rib_choice *choice);
/* Every change was told: the choices as last told are those that are. */
bool world_changes_told(const struct node *node);

struct lpm_prefix world_prefix(const char *text);
struct lpm_address world_address(const char *text);
/* The set that route describes, interned in the world's table. */
const struct bgp_attributes *world_attributes(struct world *world, const struct route *route);

#endif
