/*
 * Every way between the ends of a fabric: what `check` looks for faults in, and what `diff` compares.
 *
 * Ends are the NICs, or, of more than SURVEY_NICS_ALL of them, one of each kind (equal subnet and
 * router: they have equal FIBs); the hosts behind routers; and for each family one address of the internet. Flows are walked
 * from every end to every other, several where a hop chooses among next hops, and the answers back.
 */
#ifndef ENGINE_SIM_SURVEY_H
#define ENGINE_SIM_SURVEY_H

#include "engine/sim/path.h"

#define SURVEY_NICS_ALL 64
/* Flows between two ends where a next hop is chosen by hash. */
#define SURVEY_FLOWS 16
/* Of TEST-NET-2 and the documentation prefix (RFC 5737, RFC 3849): where the internet stands. */
#define SURVEY_INTERNET4 "198.51.100.1"
#define SURVEY_INTERNET6 "2001:db8::1"

/* One flow from one end to another. */
struct survey_flow {
    uint32_t from, to; /* places; to: PATH_INTERNET for the internet */
    struct lpm_address source, destination;
    const struct path *out;
    const struct path *back; /* NULL: out did not arrive at a NIC */
};

/* Calls visit for each flow, ends in the order of NICs' names, until it returns non-zero; returns
 * that, 0 or -ENOMEM. */
int survey_run(const struct fabric *fabric, struct path_finder *finder,
               int (*visit)(void *context, const struct survey_flow *flow), void *context);

#endif
