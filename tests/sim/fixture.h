/*
 * A hub with two NVAs and a route server, and two spokes, in the twin: the base of the scenario
 * tests.
 */
#ifndef TESTS_SIM_FIXTURE_H
#define TESTS_SIM_FIXTURE_H

#include "dataplane/dataplane.h"
#include "engine/fabric/load.h"
#include "engine/sim/sim.h"

/* What a test changes of the fabric text; NULL: the default. */
struct fixture_text {
    const char *top;         /* further top-level keys */
    const char *nva1, *nva2; /* the neighbor entry of each router, after "route_server: rs1" */
    const char *peers;       /* further keys of both peer entries */
    const char *routers;     /* further keys of both routers */
    const char *nva1_originates, *nva2_originates; /* further prefixes, each after ", " */
};

struct fixture {
    struct fabric *fabric;
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct sim *sim;
};

/* Loads, builds, and settles within 10 virtual minutes; a failure ends the test. */
void fixture_open(struct fixture *fixture, const struct fixture_text *text);
/* The same with a fabric file of the test's own. */
void fixture_open_yaml(struct fixture *fixture, char *yaml);
/* A passage of a fabric file, and what stands there instead. */
struct fixture_edit {
    const char *from, *to; /* from NULL: the end of the list */
};
/* The same for docs/examples/NAME/fabric.yaml; each passage of edits (NULL: none) is replaced wherever
 * it stands, and has to. Problems of the file are no failure, errors are. */
void fixture_open_example(struct fixture *fixture, const char *name,
                          const struct fixture_edit *edits);
void fixture_close(struct fixture *fixture);
/* Only the fabric, to be applied to a fixture that is open; freed after that is closed. */
struct fabric *fixture_load_example(const char *name, const struct fixture_edit *edits);
struct fabric *fixture_load_yaml(char *yaml);

/* "10.0.1.4,10.0.1.5": next hops of the Active row of nic at prefix; "-": there is no row; "!": the
 * row is not a BGP one. text has room for 256. */
char *fixture_next_hops(struct fixture *fixture, const char *nic, const char *prefix, char *text);
void fixture_expect_next_hops(struct fixture *fixture, const char *nic, const char *prefix,
                              const char *want);
/* Until all has settled, within 10 virtual minutes. */
void fixture_settle(struct fixture *fixture);
/* Every FIB is what it would be if it were made anew. */
void fixture_assert_programmed(struct fixture *fixture);
/* What the FIB that is programmed for nic does with a UDP packet to address: the next hop chosen,
 * the receiver's name when it goes there directly, or the drop reason. text has room for 256. */
char *fixture_decide(struct fixture *fixture, const char *nic, const char *source,
                     const char *destination, uint16_t source_port, uint16_t destination_port,
                     char *text);
uint32_t fixture_router(struct fixture *fixture, const char *name);

#endif
