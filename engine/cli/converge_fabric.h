/*
 * The fabric that bench converge and bench fabric measure on: a hub with a route server and NVAs, and
 * spokes full of NICs.
 *
 *   hub ─┬─ RouteServerSubnet   10.0.0.4, 10.0.0.5
 *        ├─ nva                 10.0.1.4, 10.0.1.5, …
 *        ├─ backend             10.0.2.4, 10.0.2.5 behind the frontend 10.0.2.100, where there are ports
 *        └─ spoke0 .. spokeN    a /20 each. In each the first subnet has a route table; or, where the size says how
 *                               many tables there are, as many subnets as make each subnet's table its own
 */
#ifndef ENGINE_CLI_CONVERGE_FABRIC_H
#define ENGINE_CLI_CONVERGE_FABRIC_H

#include <stddef.h>

#include "bench/bench.h"
#include "engine/fabric/model.h"

#define CONVERGE_NVAS          2u
#define CONVERGE_NVAS_MAX      16u
#define CONVERGE_NICS_A_SUBNET 250u
#define CONVERGE_NICS_A_VNET   (16u * CONVERGE_NICS_A_SUBNET)
#define CONVERGE_VNETS_MAX     1000u
#define CONVERGE_NICS_MAX      100000u
#define CONVERGE_PREFIXES_MAX  (1u << 22) /* that converge_prefix() tells apart */

#define CONVERGE_READINGS      4u
#define CONVERGE_BACKENDS      2u
#define CONVERGE_FRONTEND      "10.0.2.100"
#define CONVERGE_FIRST_NVA     "nva0"
#define CONVERGE_FIRST_BACKEND "backend0"
#define CONVERGE_FIRST_SENDER  "vm0-0" /* others of all spokes follow */

/* By index in the model, and of the data plane. */
enum converge_port {
    CONVERGE_PORT_SPOKES, /* of all NICs but the next */
    CONVERGE_PORT_NVA,    /* of the first one, and the second; further ones share that */
    CONVERGE_PORT_BACKEND = CONVERGE_PORT_NVA + CONVERGE_NVAS,
    CONVERGE_PORTS = CONVERGE_PORT_BACKEND + CONVERGE_BACKENDS
};

struct converge_size {
    size_t prefixes; /* of each NVA */
    size_t vnets, nics;
    size_t nvas; /* in pairs: the second of each announces the same prefixes as the first */
    size_t
        tables; /* 0: one for the first subnets of all spokes; else as many a spoke, one a subnet */
    bool ports; /* NICs are attached, enum converge_port, and a load balancer has two backends */
    unsigned
        reading; /* below CONVERGE_READINGS: what there is besides, which concerns no NIC of above */
};

/* Loads it from text that is made here, as every fabric is loaded. NICs stand in the model in the order of their
 * names: those of a kind in a row from the first on. NULL with the error filled; free by fabric_free(). */
struct fabric *converge_fabric_make(const struct converge_size *size, struct bench_error *error);

/* How many objects a reading has that others do not: VNets, NICs, peerings, users' routes, policies of peers. */
unsigned converge_fabric_objects(unsigned reading);

/* The one that its peers have; NULL: none. */
const char *converge_fabric_policy(unsigned reading);

/* The i-th prefix of all that the NVAs announce, i < CONVERGE_PREFIXES_MAX: a /24 outside the fabric, the order drawn over 64 /8s. The k-th pair
 * has those from k * size.prefixes on. */
struct lpm_prefix converge_prefix(size_t i);

#endif
