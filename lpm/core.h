/*
 * The structures behind lpm.h. See core.c for how they work together.
 */
#ifndef LPM_CORE_H
#define LPM_CORE_H

#include "lpm/direct.h"
#include "lpm/lpm.h"

/* A table of this many routes gets a direct table, and loses it when it shrinks to that many. */
#define LPM_DIRECT_GROW   2048
#define LPM_DIRECT_SHRINK 512

struct lpm_table;

/* What a derived FIB changes about its base. FIBs of one base with equal overrides share the layer.
 * The plain layer, which every table has built in, changes nothing. */
struct lpm_layer {
    /* Read by readers. */
    _Atomic uint32_t root; /* LPM_ENTRY_INHERIT where the base decides */
    uint32_t fallback;     /* leaf of 0/0, or LPM_ENTRY_INHERIT; never changes */
    struct lpm_table *table;
    const char *window;
    uint32_t over; /* overrides, LPM_ROUTE_GONE for a removal; never changes */

    /* The writer's. */
    unsigned fibs;             /* that point here */
    size_t overrides;          /* counted, 0/0 too */
    uint64_t fingerprint;      /* equal sets of overrides have equal fingerprints */
    uint64_t guard;            /* stamp of the last time a FIB came here or left */
    struct lpm_layer *next;    /* of the table's layers, and back */
    struct lpm_layer **before; /* NULL while on no list */
    struct lpm_layer *chain;   /* of the bucket in lpm.layers */
    struct lpm_rcu_head rcu;
};

/* A base: its routes as readers and as the writer have them. */
struct lpm_table {
    /* Read by readers. */
    _Atomic uint32_t *_Atomic direct; /* the direct table, or NULL */
    _Atomic uint32_t root;            /* in force while direct is NULL */
    _Atomic uint32_t fallback;        /* leaf of 0/0 */
    _Atomic uint32_t routes;          /* the writer's tree; read by lpm_explain() too */

    /* The writer's. */
    struct lpm *lpm;
    struct lpm_fib *fib; /* the base's own FIB; lives as long as the table */
    size_t count;        /* routes, 0/0 too */
    struct lpm_layer *layers;
    size_t layers_count;
    uint32_t *touched;      /* see touch.c; NULL while there are few layers */
    uint64_t guard;         /* stamp: no change of this table before it has passed */
    uint64_t derived_guard; /* stamp: no change of fallback before it has passed */
    struct lpm_layer plain;
    struct lpm_table *next; /* of the lpm's tables, and back */
    struct lpm_table **before;
    struct lpm_rcu_head rcu;
};

struct lpm_fib {
    struct lpm_layer *_Atomic layer;
    struct lpm *lpm;
    enum lpm_family family;
    bool released;
    struct lpm_rcu_head rcu;
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

/* --- Questions (questions.c, diff.c) ----------------------------------------------------------- */

/* What a FIB shows, from its two sources. */
struct lpm_view {
    const struct lpm_layer *layer;
    const char *window;
    uint32_t over;   /* the layer's overrides, but for 0/0 */
    uint32_t routes; /* the table's routes, but for 0/0 */
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

/* May some layer of the table have an override that meets this prefix? O(1) for long prefixes. */
bool lpm_touch_test(const struct lpm_table *table, lpm_key key, unsigned length);
/* Before a layer joins: makes the counters when they are due. 0 or -ENOMEM. */
int lpm_touch_prepare(struct lpm_table *table);
/* After it joined, and before it leaves. */
void lpm_touch_add(struct lpm_table *table, const struct lpm_layer *layer);
void lpm_touch_remove(struct lpm_table *table, const struct lpm_layer *layer);

/* --- Layers (layer.c) -------------------------------------------------------------------------- */

/* The layer of table that differs from the one that from is (NULL: plain) by changes, with one more
 * FIB counted. from may be of another table. NULL when there is no memory. */
struct lpm_layer *lpm_layer_get(struct lpm_table *table, const struct lpm_layer *from,
                                const struct lpm_change *changes, size_t n);
/* One FIB less; the last one frees the layer after a grace period, and the table if that is unused. */
void lpm_layer_put(struct lpm_layer *layer);

#endif
