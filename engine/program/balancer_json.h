/*
 * What is said of load balancers, to people of the twin and of the running engine alike.
 */
#ifndef ENGINE_PROGRAM_BALANCER_JSON_H
#define ENGINE_PROGRAM_BALANCER_JSON_H

#include <jansson.h>

#include "engine/program/program.h"

/* {"name", "frontend", "backends": [{"nic", "state": "up" or "down"}]} of fabric.load_balancers[balancer].
 * NULL: no memory. */
json_t *program_balancer_json(const struct program *program, const struct fabric *fabric,
                              uint32_t balancer);

#endif
