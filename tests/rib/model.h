/*
 * The naive model of a route server with five neighbours: it keeps what each announces in arrays
 * and works everything out anew each time. What it keeps of the past is what the rules make depend
 * on it: the best path of each prefix (RFC 5004).
 */
#ifndef TESTS_RIB_MODEL_H
#define TESTS_RIB_MODEL_H

#include "tests/rib/world.h"

#define SERVER_ASN 65515u
#define NEIGHBOURS 5u
#define SESSIONS   6u
#define POOL       10u
#define FIRST_IPV6 7u

/* Prefixes in their order: the model walks them so. */
extern const char *const model_pool[POOL];

struct model_neighbour {
    uint32_t asn;
    enum rib_source source;
    const char *address, *address6;
};
extern const struct model_neighbour model_neighbours[NEIGHBOURS];

/* Sessions in the order in which the server ranks them: by address of the peer, then its own. The
 * first neighbour has one with either instance; the third takes no IPv6 from the server. */
struct model_session {
    unsigned neighbour;
    const char *local, *local6;
};
extern const struct model_session model_sessions[SESSIONS];

#define OWN SESSIONS /* index of the server's own route among candidates */

struct model {
    enum rib_preference preference;
    bool present[NEIGHBOURS + 1][POOL]; /* the last row: the server's own */
    struct route routes[NEIGHBOURS + 1][POOL];
    bool up[SESSIONS];
    int best[POOL]; /* session, OWN, or -1 */
};

/* What the server has to show, in the words of world.h. */
struct expected {
    char choices[WORLD_TEXT];
    char learned[SESSIONS][WORLD_TEXT];
    char advertised[SESSIONS][WORLD_TEXT];
    size_t held[SESSIONS], loops[SESSIONS];
};
void model_expect(struct model *model, struct expected *expected);

#endif
