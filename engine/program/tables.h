/*
 * The FIBs of one VNet: a base per family with the rows of the plain view, and a FIB per scope that
 * shows what differs. Internal to this room.
 *
 *   struct program_vnet
 *     plain          view without route table, filter or router
 *     bases[2]       IPv4, IPv6
 *     scopes[]       view, NICs, and per family a struct program_table:
 *                      shares the base        (a scope that decides as the plain one)
 *                      derived from the base  (holds `differs` overrides)
 *                      alone                  (more than half differs: overrides would cost more)
 *
 * Invariant, but within program_vnet_apply() and after it failed: a derived FIB overrides its base
 * at a prefix if and only if it shows another leaf there. So whether there is an override is seen
 * by comparing leaves, and need not be remembered.
 *
 * References to groups: one for each route of a base or a FIB that stands alone, one for each
 * override that sets a leaf.
 */
#ifndef ENGINE_PROGRAM_TABLES_H
#define ENGINE_PROGRAM_TABLES_H

#include "engine/fabric/view.h"
#include "engine/program/groups.h"

enum program_family { PROGRAM_IPV4, PROGRAM_IPV6, PROGRAM_FAMILIES };

enum program_table_kind { PROGRAM_SHARES, PROGRAM_DERIVED, PROGRAM_ALONE };

struct program_table {
    enum program_table_kind kind;
    struct lpm_fib *fib;           /* PROGRAM_SHARES: the base */
    size_t differs;                /* prefixes at which fib shows another leaf than the base */
    size_t late_first, late_count; /* in program_vnet.late, within one program_vnet_apply() */
};

struct program_scope {
    struct fabric_scope scope;
    struct fabric_view view;
    bool plain;
    uint32_t *nics; /* indices of fabric.nics */
    size_t nic_count;
    struct program_table tables[PROGRAM_FAMILIES];
};

struct program_vnet {
    uint32_t vnet;
    struct fabric_view plain;
    struct lpm_fib *bases[PROGRAM_FAMILIES];
    struct program_scope *scopes;
    size_t scope_count;
    struct program_groups *groups; /* of the program, as the next two */
    struct lpm *lpm;
    const struct fabric_bgp *bgp;
    struct lpm_change *late; /* what derived FIBs have to do after the base changed */
    size_t late_count, late_capacity;
    bool recovering; /* a change failed half way: the invariant does not hold */
};

/* Prefixes that are worked on together: bounds what a change delays. */
#define PROGRAM_BATCH 256

/* Makes empty FIBs for the scopes, which must be filled in but for their tables. 0 or -errno. */
int program_vnet_open(struct program_vnet *vnet);
void program_vnet_close(struct program_vnet *vnet);

/* Makes the FIBs show the rows at these prefixes: of one family, n <= PROGRAM_BATCH, no duplicates.
 * Returns how many entries changed, or -errno: then recovering is set and the same prefixes have to
 * be applied again, followed by a recount of references and program_vnet_recovered(). */
int program_vnet_apply(struct program_vnet *vnet, const struct lpm_prefix *prefixes, size_t n);

/* Turns derived FIBs into FIBs that stand alone, or back, where that is cheaper now. Where a
 * scope's FIB is another one after this, moved() takes NICs off the old one, which is released
 * then. 0 or -errno; not doing it breaks nothing. */
int program_vnet_balance(struct program_vnet *vnet,
                         void (*moved)(void *context, const struct program_scope *scope),
                         void *context);

/* Tells every reference that the FIBs hold to the groups, between recount begin and end. */
void program_vnet_count_references(const struct program_vnet *vnet);
void program_vnet_recovered(struct program_vnet *vnet);

#endif
