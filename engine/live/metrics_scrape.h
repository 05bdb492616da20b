/*
 * What a scrape of the metrics is told, row by row: the families one after the other, of each family a row for
 * each NIC, port, session, ... that there is.
 *
 *   metrics_control[], metrics_forwarding[]     tables of families
 *        ^── struct metrics_scrape              where in them one reader is
 *
 * A reader holds no copy of anything, so one of thousands of NICs costs as little as one of ten; what it reads
 * is of the moments at which its pieces were made, not of one instant. Control thread only.
 */
#ifndef ENGINE_LIVE_METRICS_SCRAPE_H
#define ENGINE_LIVE_METRICS_SCRAPE_H

#include "engine/live/context.h"
#include "engine/live/metrics_text.h"

struct metrics_scrape {
    const struct live *live;
    const struct fabric *fabric; /* the reading that was in force at the beginning, */
    uint64_t readings;           /* and how many had been applied by then */
    unsigned family;
    uint32_t row;
    bool counted; /* the next three are there: looked up once a scrape, as they take a walk */
    struct dp_counters total;
    struct program_size size;
    uint32_t next_hop_count;
};

struct metrics_family {
    const char *name, *help;
    enum metric_kind kind;
    size_t field; /* of the number in what `write` reads of the row */
    uint32_t (*rows)(const struct metrics_scrape *scrape); /* NULL: one */
    void (*write)(const struct metrics_scrape *scrape, const struct metrics_family *family,
                  uint32_t row, FILE *out);
    /* All rows are written at once: which thing a row is may change from turn to turn, and none may be told
     * twice. */
    bool whole;
};
extern const struct metrics_family metrics_control[], metrics_forwarding[];
extern const unsigned metrics_control_count, metrics_forwarding_count;

/* What is next. 1: a row was written, though it may have no sample; 0: that was all. -ESTALE: another fabric file
 * was applied meanwhile, so names could be told twice; the reader has to begin anew. */
int metrics_scrape_next(struct metrics_scrape *scrape, FILE *out);

/* The number at `field` of what a row was read into. */
static inline uint64_t metrics_field(const void *numbers, const struct metrics_family *family)
{
    return *(const uint64_t *)(const void *)((const char *)numbers + family->field);
}

#endif
