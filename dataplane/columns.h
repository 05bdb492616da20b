/*
 * Admission to the express way for eight frames at once: their headers are columns of vectors, each
 * check one operation for all of them. It decides as dp_express_admit_one() does, frame by frame.
 */
#ifndef DATAPLANE_COLUMNS_H
#define DATAPLANE_COLUMNS_H

#include "dataplane/express.h"

struct dp_gate;

struct dp_columns {
    const char *name;
    /* Admits the first frames of the burst, by eights, and returns how many these were. one: all
     * senders are the same. */
    unsigned (*admit)(const struct dp_gate *gate, struct dp_express *express,
                      const struct dp_nic *const *senders, bool one);
};

/* The best for this processor; NULL: it has none. */
const struct dp_columns *dp_columns_best(void);

#endif
