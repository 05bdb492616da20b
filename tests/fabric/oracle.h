/*
 * Effective routes once more, straight from the words of docs/effective-routes.md:
 * slow, from scratch, for one NIC, and without a line in common with engine/fabric.
 */
#ifndef TESTS_FABRIC_ORACLE_H
#define TESTS_FABRIC_ORACLE_H

#include "tests/fabric/world.h"

/* All rows of a NIC in the order of fabric_rows(). free() them. */
struct fabric_row *oracle_rows(const struct world *world, uint32_t nic, size_t *n);

/* The Active row of the longest prefix that covers address, or NULL. */
const struct fabric_row *oracle_lookup(const struct fabric_row *rows, size_t n,
                                       const struct lpm_address *address);

#endif
