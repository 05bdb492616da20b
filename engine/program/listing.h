/*
 * A long list of prefixes, gathered in no order and given in order, neither of which ever takes long: runs of a few
 * thousand are sorted as they fill up, and merged as they are asked for.
 *
 *   program_listing_add() ──> run, full: sorted ──> runs[] ──> heap of the runs' next ──> program_listing_next()
 *
 * 20 bytes a prefix. Pure.
 */
#ifndef ENGINE_PROGRAM_LISTING_H
#define ENGINE_PROGRAM_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "lpm/lpm.h"

struct program_listing;

struct program_listing *program_listing_create(void); /* NULL: no memory */
void program_listing_destroy(struct program_listing *listing);
/* Before the first program_listing_next(). 0 or -ENOMEM. */
int program_listing_add(struct program_listing *listing, const struct lpm_prefix *prefix);
/* The next in the order of lpm_prefix_compare(), each once; false: there is none left. */
bool program_listing_next(struct program_listing *listing, struct lpm_prefix *prefix);

#endif
