/*
 * Which next hops of a NIC's rows are frontends of load balancers, and which backends stand behind
 * them.
 */
#ifndef ENGINE_CLI_FRONTENDS_H
#define ENGINE_CLI_FRONTENDS_H

#include <jansson.h>

#include "engine/cli/twin.h"

/* A line for each load balancer that some row of a NIC in vnet leads to. */
void frontends_text(struct twin *twin, uint32_t vnet, const struct fabric_row *rows, size_t n);
/* Adds "load_balancers": [{"name", "frontend", "backends": [{"nic", "state"}]}] to the document, unless there is
 * none. */
void frontends_json(json_t *document, struct twin *twin, uint32_t vnet,
                    const struct fabric_row *rows, size_t n);

#endif
