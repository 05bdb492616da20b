/*
 * The fabric that bench converge measures on: a hub with a route server and two NVAs, and spokes
 * full of NICs.
 *
 *   hub ─┬─ RouteServerSubnet   10.0.0.4, 10.0.0.5
 *        ├─ nva                 10.0.1.4, 10.0.1.5
 *        └─ spoke0 .. spokeN    a /20 each; in each the first subnet has a route table, so that
 *                               some NICs have derived FIBs
 */
#ifndef ENGINE_CLI_CONVERGE_FABRIC_H
#define ENGINE_CLI_CONVERGE_FABRIC_H

#include <stddef.h>

#include "bench/bench.h"
#include "engine/fabric/model.h"

#define CONVERGE_NVAS          2u
#define CONVERGE_NICS_A_SUBNET 250u
#define CONVERGE_NICS_A_VNET   (16u * CONVERGE_NICS_A_SUBNET)
#define CONVERGE_VNETS_MAX     1000u
#define CONVERGE_NICS_MAX      100000u
#define CONVERGE_PREFIXES_MAX  4000000u

/* Loads it from text that is made here, as every fabric is loaded. The NVAs' NICs are the first in
 * the model, those of the spokes follow. NULL with the error filled; free by fabric_free(). */
struct fabric *converge_fabric_make(size_t vnets, size_t nics, struct bench_error *error);

/* The i-th prefix that the NVAs announce: a /24 outside the fabric, the order drawn over 64 /8s. */
struct lpm_prefix converge_prefix(size_t i);

#endif
