/* Short texts of what a NIC has and what a router has learned, to compare with. */
#ifndef TESTS_SIM_ROWS_H
#define TESTS_SIM_ROWS_H

#include "tests/sim/fixture.h"

#define ROWS_TEXT 1024

/* Of the Active row of nic at prefix: "bgp", "user", "sys"; "-": there is none. */
const char *rows_source(struct fixture *fixture, const char *nic, const char *prefix);

/* The AS paths of what a router has accepted for prefix, each once: "65515-65001"; " " between several;
 * "-": nothing. text has room for ROWS_TEXT. */
char *rows_learned(struct fixture *fixture, const char *router, const char *prefix, char *text);
void rows_expect_learned(struct fixture *fixture, const char *router, const char *prefix,
                         const char *want);
/* The same, and how many paths there are. */
size_t rows_learned_paths(struct fixture *fixture, const char *router, const char *prefix,
                          char *text);
/* The same of one session. */
void rows_learned_from(const struct speaker *speaker, const struct speaker_peer *peer,
                       const char *prefix, char *text);
/* The same of a gateway, of what its route server tells it. */
char *rows_learned_by_gateway(struct fixture *fixture, const char *gateway, const char *prefix,
                              char *text);
/* How many prefixes the router has learned. */
size_t rows_learned_count(struct fixture *fixture, const char *router);

#endif
