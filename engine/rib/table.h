/*
 * The prefix table of one address family: every prefix that a speaker knows anything about, with
 * the paths to it.
 *
 *   index (index.h)                                 chunks[] -> 4096 entries each, never moved
 *   hash -> id ------------------------------------> entry: prefix bits, paths
 *                                                      one path:  inside the entry
 *                                                      more:      an array, capacity = the next
 *                                                                 power of two of their number
 *
 * An entry is named by its id, 4 bytes, so that sets of prefixes are bitsets (bitset.h). An id is
 * used again only after rib_table_remove(). The index keeps hashes, so growing and deleting touch no
 * entry, and a probe that misses does not either. An IPv4 prefix with one path costs 24 bytes of
 * entry and about 16 of index.
 *
 * Within an entry paths stand in the order of their peers and path identifiers (rib_path_compare()),
 * which makes every walk over them deterministic whatever the order of arrival.
 */
#ifndef ENGINE_RIB_TABLE_H
#define ENGINE_RIB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/rib/bitset.h"
#include "engine/rib/index.h"
#include "lpm/lpm.h"

struct bgp_attributes;

/* What the decision last said of a path, and what happened to it since (struct rib_stored_path). */
#define RIB_PATH_CHOSEN   0x01 /* in the ECMP set */
#define RIB_PATH_BEST     0x02 /* the one to advertise; always chosen as well */
#define RIB_PATH_STANDING (RIB_PATH_CHOSEN | RIB_PATH_BEST)
/* When its peer said it last (struct rib_peer_tables); no decision touches it. */
#define RIB_PATH_GENERATION 0x04

/* One path to a prefix: 16 bytes, of which a full table has millions. A peer that sends path
 * identifiers (RFC 7911) may have several; peer and path_id name one, and among what was not said but made
 * (summary_in.c, summary_out.c) another. Addresses of a process have 48 bits where it does not ask for
 * more (amd64, arm64), and sets stand at multiples of 8. */
struct rib_stored_path {
    uint64_t attributes_eighth : 45; /* rib_attributes(): one reference held */
    uint64_t summary : 1;            /* no peer said it: path_id is the summary's number */
    uint64_t unused : 2;
    uint64_t peer : 16;  /* index in speaker.peers */
    uint32_t rank : 24;  /* rib_rank(), for rib_path_order() */
    uint32_t filter : 5; /* enum rib_verdict: RIB_CHOSEN when not filtered */
    uint32_t flags : 3;  /* RIB_PATH_* */
    uint32_t path_id;    /* as the peer gave it; 0 where it gives none */
};

static inline const struct bgp_attributes *rib_attributes(const struct rib_stored_path *path)
{
    return (const struct bgp_attributes *)((uintptr_t)path->attributes_eighth << 3);
}

static inline void rib_set_attributes(struct rib_stored_path *path,
                                      const struct bgp_attributes *attributes)
{
    path->attributes_eighth = (uintptr_t)attributes >> 3;
}

#define RIB_ENTRY_TOUCHED      0x01 /* a chosen path was replaced or removed since the last decision */
#define RIB_ENTRY_BEST_TOUCHED 0x02 /* the best path was */
#define RIB_ENTRY_USED         0x04 /* not on the free list */
#define RIB_ENTRY_CHANGED      0x08 /* decided otherwise; the handler has yet to be told */
#define RIB_ENTRY_NEIGHBORS                                                                        \
    0x10 /* another set of neighbours has a usable path than at the last decision */

struct rib_entry {
    union {
        struct rib_stored_path one;   /* n_paths == 1 */
        struct rib_stored_path *many; /* n_paths >= 2 */
        uint32_t waiting;   /* n_paths == 0: peers that have yet to be sent the withdrawal */
        uint32_t next_free; /* not in use: id of the next free entry, plus 1 */
    };
    uint16_t n_paths;
    uint8_t length;    /* of the prefix */
    uint8_t flags;     /* RIB_ENTRY_* */
    uint8_t address[]; /* 4 or 16 bytes */
};

#define RIB_TABLE_CHUNK 4096u
#define RIB_NO_ENTRY    UINT32_MAX
/* Bytes from one entry to the next. */
#define RIB_STRIDE_IPV4 24u
#define RIB_STRIDE_IPV6 40u

struct rib_table {
    enum lpm_family family;
    uint8_t **chunks;
    uint32_t n_chunks;
    uint32_t n_ids;      /* ids ever given out */
    uint32_t first_free; /* id plus 1; 0: none */
    uint32_t used;
    struct rib_index index;
};

void rib_table_init(struct rib_table *table, enum lpm_family family);
/* Frees all memory; the paths' references are the caller's to drop first. */
void rib_table_free(struct rib_table *table);

/* Bytes of address in an entry of this table. */
static inline size_t rib_table_width(const struct rib_table *table)
{
    return table->family == LPM_IPV4 ? 4 : 16;
}

static inline struct rib_entry *rib_table_entry(const struct rib_table *table, uint32_t id)
{
    size_t stride = table->family == LPM_IPV4 ? RIB_STRIDE_IPV4 : RIB_STRIDE_IPV6;

    return (struct rib_entry *)(void *)(table->chunks[id / RIB_TABLE_CHUNK] +
                                        stride * (id % RIB_TABLE_CHUNK));
}

/* Id of the entry of prefix, or RIB_NO_ENTRY. prefix is of the table's family. */
uint32_t rib_table_find(const struct rib_table *table, const struct lpm_prefix *prefix);
/* The same, made when it is not there (no paths); RIB_NO_ENTRY when memory is short. */
uint32_t rib_table_obtain(struct rib_table *table, const struct lpm_prefix *prefix);
/* Asks memory for what a question about prefix, or the removal of id, will read: worth it some ten
 * prefixes ahead. */
void rib_table_prefetch(const struct rib_table *table, const struct lpm_prefix *prefix);
void rib_table_prefetch_removal(const struct rib_table *table, uint32_t id);
/* Forgets an entry that has no paths. Its id may come back for another prefix. */
void rib_table_remove(struct rib_table *table, uint32_t id);
/* The first entry in use at or above id, or RIB_NO_ENTRY. */
uint32_t rib_table_next(const struct rib_table *table, uint32_t id);
/* The ids of set (NULL: every id in use) in the order of lpm_prefix_compare(); free() the array. NULL
 * with *n == 0: none; NULL with *n > 0: no memory. O(n log n): for questions only. */
uint32_t *rib_table_sorted(const struct rib_table *table, const struct rib_bitset *set, size_t *n);

struct lpm_prefix rib_entry_prefix(const struct rib_table *table, const struct rib_entry *entry);

static inline struct rib_stored_path *rib_entry_paths(struct rib_entry *entry)
{
    return entry->n_paths > 1 ? entry->many : &entry->one;
}

static inline const struct rib_stored_path *rib_entry_paths_const(const struct rib_entry *entry)
{
    return entry->n_paths > 1 ? entry->many : &entry->one;
}

/* The identifier that the peer gave the path; 0: none. */
static inline uint32_t rib_path_id(const struct rib_stored_path *path)
{
    return path->summary ? 0 : path->path_id;
}

/* The path of this name that the peer said, or NULL; the summary of this number, or NULL. */
struct rib_stored_path *rib_entry_path(struct rib_entry *entry, uint16_t peer, uint32_t path_id);
struct rib_stored_path *rib_entry_summary(struct rib_entry *entry, uint32_t number);
/* How many paths this peer said. */
unsigned rib_entry_peer_paths(const struct rib_entry *entry, uint16_t peer);
/* Makes room for a path at this position (0 .. n_paths), all zero; NULL when memory is short. */
struct rib_stored_path *rib_entry_insert(struct rib_entry *entry, unsigned position);
/* Takes the path out of the entry; path points into it. */
void rib_entry_erase(struct rib_entry *entry, const struct rib_stored_path *path);

#endif
