/*
 * Where layers are found.
 */
#ifndef LPM_LAYER_SET_H
#define LPM_LAYER_SET_H

#include "lpm/core.h"

/* Room for one layer more: 0 or -ENOMEM. */
int lpm_layer_set_reserve(struct lpm *lpm);
/* Gives room back that was reserved in vain: the buckets go with the last layer, so that an lpm without
 * FIBs holds nothing. */
void lpm_layer_set_trim(struct lpm *lpm);
void lpm_layer_set_add(struct lpm_layer *layer);
void lpm_layer_set_remove(struct lpm_layer *layer);
/* The first of those that may have this fingerprint, which their chain links; NULL: there is none. */
struct lpm_layer *lpm_layer_set_find(const struct lpm *lpm, uint64_t fingerprint);

#endif
