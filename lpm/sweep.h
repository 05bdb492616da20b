/*
 * The sweep: from overrides and a base's routes to ranges, before they are packed (see ranges.h).
 */
#ifndef LPM_SWEEP_H
#define LPM_SWEEP_H

#include "lpm/ranges.h"

struct lpm_sweep {
    struct lpm_memory *memory;
    /* The result. first: of IPv4 all of the address, of IPv6 the upper half. */
    struct lpm_sweep_item {
        uint64_t first;
        uint32_t value;
    } * items;
    size_t count, items_room;
    struct lpm_cover *covers;
    size_t covers_count, covers_room;
    struct lpm_deep *deeps;
    size_t deeps_count, deeps_room;
    uint64_t *lows;
    uint32_t *low_values;
    size_t lows_count, lows_room, low_values_room;
};

/* 0 or -ENOMEM. Either way, end it by lpm_sweep_end(). */
int lpm_sweep_run(struct lpm_sweep *sweep, const struct lpm_ranges_source *source);
void lpm_sweep_end(struct lpm_sweep *sweep);

#endif
