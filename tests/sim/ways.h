/*
 * Rows and ways of a fixture as lines of text, for tables of what they should be.
 */
#ifndef TESTS_SIM_WAYS_H
#define TESTS_SIM_WAYS_H

#include "engine/sim/path.h"
#include "tests/sim/fixture.h"

/* What NIC's next hops at a prefix are, as fixture_next_hops() says. */
struct ways_row {
    const char *nic, *prefix, *next_hops;
};
void ways_assert_rows(struct fixture *fixture, const struct ways_row *rows, size_t n);

/* "vm11 10.2.16.0/24 > nva1 vx12( nva1 10.2.0.0/20 ) > vm21 62": who sent, by which row or tunnel, what
 * the tunnel's own packets did, then where it ended and the TTL there, or how else and at whom. */
#define WAYS_TEXT 1024
const char *ways_told(const struct fabric *fabric, const struct path *path, char text[WAYS_TEXT]);

/* One TCP flow between places by name, and its answer; back NULL: none is expected to start. */
struct ways_way {
    const char *from, *to, *out, *back;
};
void ways_assert(struct fixture *fixture, const struct ways_way *ways, size_t n);
/* The same flow with this TTL and source port; *sessions may be NULL. */
void ways_walk(struct fixture *fixture, const char *from, const char *to, uint16_t port,
               uint8_t ttl, struct path_sessions *sessions, struct path *path);

#endif
