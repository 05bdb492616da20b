/*
 * The FIBs of one routing domain: all scopes, of whatever VNet, that take BGP routes from one route server (or from
 * none). A base per family holds the rows that they have in common, and each scope has a FIB that shows what
 * differs: its VNet's space, peerings, the user's routes. So a route of BGP is kept once, and a change of one costs
 * what changes, however many VNets there are. Internal to this room.
 *
 *   struct program_domain
 *     shared         the rows in common (fabric_view_open_shared()), next hops as seen from one of the VNets
 *     bases[2]       IPv4, IPv6
 *     scopes[]       by VNet: view, NICs, and per family a struct program_table:
 *                      derived from the base  (holds `differs` overrides, which every change of one costs)
 *                      alone                  (follows every change of the base; see balance.c for when)
 *     special        at which prefixes which scopes may differ, by the model (special.h)
 *     odd[]          scopes that may differ at any prefix, for what no prefix tells
 *
 * Which scopes are looked at when a prefix changes: the special ones, the odd ones, and those of VNets that see the
 * next hops otherwise (program_groups_deviating()). Every other scope shows what its base does, one that stands
 * alone by making the base's changes.
 *
 * Invariant, but within program_domain_apply() and after it failed: a derived FIB overrides its base
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
#include "engine/program/special.h"

enum program_family { PROGRAM_IPV4, PROGRAM_IPV6, PROGRAM_FAMILIES };

enum program_table_kind { PROGRAM_DERIVED, PROGRAM_ALONE };

struct program_table {
    enum program_table_kind kind;
    struct lpm_fib *fib;
    size_t differs; /* prefixes at which fib shows another leaf than the base */
    /* What its form has cost lately: overrides written anew, or changes of the base made once more. */
    size_t work;
};

struct program_scope {
    struct fabric_scope scope;
    struct fabric_view view;
    bool filters_paths;
    uint32_t *nics; /* indices of fabric.nics */
    size_t nic_count;
    struct program_table tables[PROGRAM_FAMILIES];
};

/* One scope to be looked at for one prefix of a batch. PROGRAM_FOLLOWS: to be taken along by the base at all prefixes
 * for which it is not picked. */
struct program_pick {
    uint32_t scope, prefix;
};
#define PROGRAM_FOLLOWS UINT32_MAX

/* What a derived FIB has to do after the base has changed. */
struct program_late {
    uint32_t scope;
    struct lpm_prefix prefix;
    uint32_t leaf; /* of the override that goes */
};

struct program_domain {
    uint32_t route_server; /* or FABRIC_NONE */
    struct fabric_view shared;
    struct lpm_fib *bases[PROGRAM_FAMILIES];
    struct program_scope *scopes; /* those of a VNet together, in the order of VNets */
    size_t scope_count;
    struct program_special special;
    uint32_t *odd;
    size_t odd_count;
    size_t alone_count[PROGRAM_FAMILIES];
    struct program_groups *groups; /* of the program, as the next two */
    struct lpm *lpm;
    const struct fabric_bgp *bgp;
    /* Room for a batch. */
    struct program_pick *picks;
    size_t pick_count, pick_capacity;
    struct program_late *late;
    size_t late_count, late_capacity;
    bool recovering; /* a change failed half way: the invariant does not hold */
};

/* Prefixes that are worked on together: bounds what a change delays. */
#define PROGRAM_BATCH 1024

/* Makes empty FIBs for the scopes, which must be filled in but for their tables. 0 or -errno. */
int program_domain_open(struct program_domain *domain);
void program_domain_close(struct program_domain *domain);

/* The scopes of a VNet: returns the first, *n of them. */
size_t program_domain_scopes(const struct program_domain *domain, uint32_t vnet, size_t *n);

/* Makes the FIBs show the rows at these prefixes: of one family, n <= PROGRAM_BATCH, no duplicates.
 * Returns how many entries changed, or -errno: then recovering is set and the same prefixes have to
 * be applied again, followed by a recount of references and program_domain_recovered(). */
int program_domain_apply(struct program_domain *domain, const struct lpm_prefix *prefixes,
                         size_t n);

/* Lets a derived FIB stand alone where its overrides cost too much work. No more than one batch may have been applied
 * since it was asked last. Where memory is short it stays derived. */
void program_domain_relieve(struct program_domain *domain, struct program_table *table,
                            enum program_family family);

/* Turns derived FIBs into FIBs that stand alone, or back, where that is cheaper now. Where a
 * scope's FIB is another one after this, moved() takes NICs off the old one, which is released
 * then. 0 or -errno; not doing it breaks nothing. */
int program_domain_balance(struct program_domain *domain,
                           void (*moved)(void *context, const struct program_scope *scope),
                           void *context);

/* Calls visit for each prefix at which a FIB of the domain has a route or an override. */
void program_domain_each(const struct program_domain *domain,
                         void (*visit)(void *context, const struct lpm_prefix *prefix),
                         void *context);

/* Tells every reference that the FIBs hold to the groups, between recount begin and end. */
void program_domain_count_references(const struct program_domain *domain);
void program_domain_recovered(struct program_domain *domain);

#endif
