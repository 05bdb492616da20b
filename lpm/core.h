/*
 * The structures behind lpm.h. See core.c for how they work together.
 */
#ifndef LPM_CORE_H
#define LPM_CORE_H

#include "lpm/direct.h"
#include "lpm/lpm.h"
#include "lpm/ranges.h"

/* A table of this many routes gets a direct table, and loses it when it shrinks to that many. */
#define LPM_DIRECT_GROW   512
#define LPM_DIRECT_SHRINK 128

struct lpm_table;

/* Layers and tables are made in whole cache lines and begin with one. */
#define LPM_TOUCHED_WORDS 4

/* How many overrides of a table's layers there are, by what a change of the base asks (touch.c). */
struct lpm_touch {
    struct lpm_touch_mark *marks;
    size_t room; /* a power of two, or 0 */
    size_t count;
    uint64_t lengths[2]; /* that overrides may have, by bit */
    size_t longer;       /* overrides too long to be marked */
};

/* What a derived FIB changes about its base. FIBs of one base with equal overrides share the layer.
 * The plain layer, which every table has built in, changes nothing.
 *
 * The first cache line is all that a lookup reads of a layer that has no override near the address,
 * which is most often so. */
struct lpm_layer {
    /* Read by readers. */
    uint64_t touched[LPM_TOUCHED_WORDS]; /* see lpm_layer_touches(); never changes */
    struct lpm_table *table;             /* never changes */
    struct lpm_ranges *_Atomic ranges;   /* NULL: nothing is touched */
    uint32_t fallback;                   /* leaf of 0/0, or LPM_ENTRY_INHERIT; never changes */

    /* The writer's, but that lpm_explain() reads the overrides. */
    uint32_t overs_count;    /* without 0/0; they follow the layer in memory and never change */
    uint32_t overs_width;    /* words of each */
    unsigned fibs;           /* that point here */
    uint64_t fingerprint;    /* equal sets of overrides have equal fingerprints */
    uint64_t guard;          /* stamp of the last time a FIB came here or left; 0: never */
    struct lpm_layer *chain; /* of the bucket in lpm.layers */
    union {
        struct {
            struct lpm_layer *next; /* of the table's layers, and back */
            struct lpm_layer **before;
        };
        struct lpm_rcu_head rcu; /* when it is on no list any more */
    };
};

/* A base: its routes as readers and as the writer have them. */
struct lpm_table {
    struct lpm_layer plain; /* first, for its alignment */

    /* Read by readers. */
    _Atomic uint32_t *_Atomic direct; /* the direct table, or NULL */
    const char *window;               /* of the memory of all nodes */
    _Atomic uint32_t root;            /* in force while direct is NULL */
    _Atomic uint32_t fallback;        /* leaf of 0/0 */
    _Atomic uint32_t routes;          /* the writer's tree; see LPM_VALUE_COVER, lpm_explain() */

    /* The writer's. */
    struct lpm *lpm;
    struct lpm_fib *fib; /* the base's own FIB; lives as long as the table */
    size_t count;        /* routes, 0/0 too */
    /* Those with a guard come first, the latest of all at the head. */
    struct lpm_layer *layers;
    struct lpm_layer **layers_end;
    size_t layers_count;
    struct lpm_touch touch; /* see touch.c */
    uint64_t guard;         /* stamp: no change of this table before it has passed */
    uint64_t derived_guard; /* stamp: no change of fallback before it has passed */
    struct lpm_table *next; /* of the lpm's tables, and back */
    struct lpm_table **before;
    struct lpm_rcu_head rcu;
};

/* Small, because there may be very many. */
struct lpm_fib {
    struct lpm_layer *_Atomic layer;
    struct lpm_rcu_head rcu;
    uint8_t family; /* enum lpm_family */
    bool released;
};

struct lpm {
    struct lpm_memory memory;
    size_t fibs; /* not yet released */
    struct lpm_table *tables;
    /* All layers but the plain ones, by fingerprint, to find the equal one. */
    struct lpm_layer **layers;
    size_t buckets; /* a power of two, or 0 */
    size_t layers_count;
};

static inline unsigned lpm_family_bits(enum lpm_family family)
{
    return family == LPM_IPV4 ? 32 : 128;
}

static inline struct lpm_layer *lpm_fib_layer(const struct lpm_fib *fib)
{
    return lpm_rcu_dereference(&fib->layer);
}

static inline bool lpm_fib_is_base(const struct lpm_fib *fib)
{
    return lpm_fib_layer(fib)->table->fib == fib;
}

static inline struct lpm *lpm_of(const struct lpm_fib *fib)
{
    return lpm_fib_layer(fib)->table->lpm;
}

static inline size_t lpm_lines(size_t size)
{
    return (size + LPM_LINE - 1) / LPM_LINE * LPM_LINE;
}

static inline struct lpm_overs lpm_layer_overs(const struct lpm_layer *layer)
{
    return (struct lpm_overs){
        .words = (const uint32_t *)(const void *)(layer + 1),
        .count = layer->overs_count,
        .width = layer->overs_width,
    };
}

/* May the layer show something of its own at an address with these upper bits? One of 256 bits says
 * so: for IPv4 that of the first byte, for IPv6 one by a hash of the first four, because so few of
 * the first bytes are in use. */
static inline unsigned lpm_touched_bit4(uint32_t address)
{
    return address >> 24;
}

static inline unsigned lpm_touched_bit6(uint64_t high)
{
    return (uint32_t)(high >> 32) * UINT32_C(0x9e3779b1) >> 24;
}

static inline unsigned lpm_touched_bit(enum lpm_family family, lpm_key address)
{
    uint64_t high = (uint64_t)(address >> 64);

    return family == LPM_IPV4 ? lpm_touched_bit4((uint32_t)(high >> 32)) : lpm_touched_bit6(high);
}

static inline bool lpm_layer_touches(const struct lpm_layer *layer, unsigned bit)
{
    return layer->touched[bit / 64] >> (bit % 64) & 1;
}

/* --- Questions (questions.c, diff.c) ----------------------------------------------------------- */

/* What a FIB shows, from its two sources. */
struct lpm_view {
    const struct lpm_layer *layer;
    const char *window;
    struct lpm_overs overs; /* the layer's overrides, but for 0/0 */
    uint32_t routes;        /* the table's routes, but for 0/0 */
    uint32_t fallback;
};

struct lpm_view lpm_view_of(const struct lpm_fib *fib);

/* lpm_diff(), telling in *nodes how many places of the trees it visited: the work, for tests. */
int lpm_diff_counted(const struct lpm_fib *a, const struct lpm_fib *b,
                     int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                                  uint32_t leaf_b),
                     void *context, size_t *nodes);

/* --- Tables (table.c, update.c) ---------------------------------------------------------------- */

struct lpm_table *lpm_table_create(struct lpm *lpm, struct lpm_fib *fib);
/* For a table that no reader has seen and that holds nothing. */
void lpm_table_undo(struct lpm_table *table);
/* Frees the table after a grace period if nothing uses it any more. */
void lpm_table_drop_unused(struct lpm_table *table);
/* What a build over this table refers to. */
struct lpm_place lpm_table_place(const struct lpm_table *table);
int lpm_table_update(struct lpm_table *table, const struct lpm_change *changes, size_t n);
/* Fills an empty table that no reader has seen. */
int lpm_table_fill(struct lpm_table *table, const struct lpm_route *routes, size_t n);

/* --- Where layers override (touch.c) ----------------------------------------------------------- */

/* Does the base's route at key/length lie inside of an override of some layer? Rarely true where it
 * does not. */
bool lpm_touch_test(const struct lpm_table *table, lpm_key key, unsigned length);
/* The same of one layer, exactly, and does no override of the very same prefix hide it? */
bool lpm_layer_needs(const struct lpm_layer *layer, lpm_key key, unsigned length);
/* For a layer that joins: 0 or -ENOMEM. */
int lpm_touch_add(struct lpm_table *table, const struct lpm_layer *layer);
/* For one that leaves. */
void lpm_touch_remove(struct lpm_table *table, const struct lpm_layer *layer);

/* --- Layers (layer.c) -------------------------------------------------------------------------- */

/* The layer of table that differs from the one that from is (NULL: plain) by changes, with one more
 * FIB counted. from may be of another table. NULL when there is no memory. */
struct lpm_layer *lpm_layer_get(struct lpm_table *table, const struct lpm_layer *from,
                                const struct lpm_change *changes, size_t n);
/* One FIB less; the last one frees the layer after a grace period, and the table if that is unused. */
void lpm_layer_put(struct lpm_layer *layer);
/* Notes that a FIB came here or left. */
void lpm_layer_guard(struct lpm_layer *layer, uint64_t stamp);
/* The ranges in force, for the writer; NULL: none. */
static inline struct lpm_ranges *lpm_layer_own_ranges(const struct lpm_layer *layer)
{
    return atomic_load_explicit(&layer->ranges, memory_order_relaxed);
}
/* Makes ranges for the layer over these routes of its base; NULL when it has no overrides. Outermost
 * overrides ask the base where those of the ranges in force do, and where a route came or went in
 * one of n regions (see lpm_ranges_source). 0 or -ENOMEM. */
int lpm_layer_ranges(const struct lpm_layer *layer, uint32_t routes,
                     const struct lpm_region *regions, size_t n, struct lpm_ranges **ranges);
/* Bytes of a layer with these overrides; only their number and width count. */
size_t lpm_layer_size(const struct lpm_overs *overs);

#endif
