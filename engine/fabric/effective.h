/*
 * Effective routes: what the FIB of one NIC must hold, as docs/effective-routes.md says
 * for users.
 *
 * A row's candidates come from three classes: system routes (VNet CIDRs, peerings, Internet,
 * reserved None), user-defined routes, and BGP routes of the route server that serves the VNet.
 * Same exact prefix: User > BGP > System, losers are Invalid. Longer prefixes win by the lookup.
 *
 * The rows at one prefix depend on that prefix's candidates, and, for the reserved None rows, on
 * whether the default route is overridden; so a change is recomputed prefix by prefix.
 *
 *   struct fabric_scope   what makes two NICs equal: (subnet, router or NIC whose own announcements are kept out,
 *                         instance that programs them)
 *   struct fabric_row     prefix, source, state, next hops
 *
 * engine/fabric/explain.h says of one prefix why each candidate is, or is not, in use.
 *
 * Pure. BGP routes come through struct fabric_bgp, so that the fabric does not care how many
 * speakers and instances stand behind a route server.
 */
#ifndef ENGINE_FABRIC_EFFECTIVE_H
#define ENGINE_FABRIC_EFFECTIVE_H

#include "engine/fabric/model.h"
#include "engine/rib/speaker.h"

enum fabric_source { FABRIC_SOURCE_DEFAULT, FABRIC_SOURCE_USER, FABRIC_SOURCE_BGP };
/* "Default", "User", "VirtualNetworkGateway". */
const char *fabric_source_text(enum fabric_source source);

/* One row: prefix, source and type; all ECMP members together. */
struct fabric_row {
    struct lpm_prefix prefix;
    enum fabric_source source;
    bool active; /* else Invalid: a higher class has the same prefix */
    enum fabric_next_hop_type type;
    uint32_t vnet; /* local: the NIC's own; peering: the other; else FABRIC_NONE */
    unsigned next_hop_count;
    struct lpm_address next_hops[RIB_ECMP_MAX]; /* sorted */
    uint16_t
        weights[RIB_ECMP_MAX]; /* of the next hops, by their link bandwidth; 0: all are equal */
};

/* Equal source, state, type, next hops and weights. Whether prefix and VNet are the same is the caller's to
 * know, as the rows may be of two fabrics. */
bool fabric_row_same(const struct fabric_row *a, const struct fabric_row *b);

/* How the fabric asks for BGP routes. route_server is an index in fabric.route_servers. */
struct fabric_bgp {
    void *context;
    /* The ECMP set at prefix; false: none. */
    bool (*choice)(void *context, uint32_t route_server, const struct lpm_prefix *prefix,
                   struct rib_choice *choice);
    /* The same of one instance by itself; NULL: what holds for all is taken for each. */
    bool (*instance_choice)(void *context, uint32_t route_server, unsigned instance,
                            const struct lpm_prefix *prefix, struct rib_choice *choice);
    /* The instance whose choice that is: another while the one asked for is away. NULL: always itself. */
    unsigned (*instance_for)(void *context, uint32_t route_server, unsigned instance);
    /* Every prefix with a choice, in prefix order; stops on non-zero. */
    int (*each)(void *context, uint32_t route_server,
                int (*visit)(void *visit_context, const struct lpm_prefix *prefix,
                             const struct rib_choice *choice),
                void *visit_context);
    /* The addresses of the neighbours that themselves announce prefix to this route server (accepted), some perhaps
     * twice; stops on non-zero. Native mode keeps BGP rows away from a NIC whose own router announces the prefix. */
    int (*each_announcer)(void *context, uint32_t route_server, const struct lpm_prefix *prefix,
                          int (*visit)(void *visit_context, const struct lpm_address *address),
                          void *visit_context);
    /* Why the ECMP set that choice() gives is not yet what the route server has chosen: the name of a rule; NULL: it
     * is. Only fabric_explain() asks; may be NULL. */
    const char *(*waits)(void *context, uint32_t route_server, const struct lpm_prefix *prefix);
    /* Every path to prefix that the route server holds, filtered ones included, with its verdict;
     * stops on non-zero. Only fabric_explain() asks; NULL: it sees the ECMP set alone. */
    int (*each_candidate)(void *context, uint32_t route_server, const struct lpm_prefix *prefix,
                          int (*visit)(void *visit_context, const struct rib_path *path,
                                       enum rib_verdict verdict),
                          void *visit_context);
};

/* What decides a NIC's rows. Two NICs of equal scope have equal rows and share FIBs. */
struct fabric_scope {
    uint32_t subnet; /* the first of its VNet that decides alike: same route table, service
                        endpoints, filter */
    /* Whose own announcements are kept out; both FABRIC_NONE: nobody's, or quirk
     * own_route_to_originator. */
    uint32_t router;
    uint32_t nic; /* a peer of the route server of which the file names no router */
    /* Of the route server, which alone programs the NIC: its number plus one. 0: all do, but for the
     * quirk half_programming. */
    uint32_t instance;
};
struct fabric_scope fabric_scope_of(const struct fabric *fabric, uint32_t nic);

/* Rows of scope at exactly this prefix: at most one per class. Returns how many (0..3), the Active
 * one first. */
unsigned fabric_rows_at(const struct fabric *fabric, const struct fabric_bgp *bgp,
                        const struct fabric_scope *scope, const struct lpm_prefix *prefix,
                        struct fabric_row rows[3]);

/* All rows of scope, Active and Invalid, sorted by prefix, Active first at one prefix. *rows is
 * malloc'ed. */
int fabric_rows(const struct fabric *fabric, const struct fabric_bgp *bgp,
                const struct fabric_scope *scope, struct fabric_row **rows, size_t *n);

/* Prefixes whose rows may change when the route server's choice at `prefix` changes: itself, and
 * for a default route the reserved ones of that family. Calls visit for each. */
void fabric_dependents(const struct fabric *fabric, const struct lpm_prefix *prefix,
                       void (*visit)(void *context, const struct lpm_prefix *prefix),
                       void *context);

/* May BGP come before address space at prefix in this VNet (bgp_overrides)? */
bool fabric_bgp_overrides(const struct fabric *fabric, uint32_t vnet,
                          const struct lpm_prefix *prefix);
/* Is a BGP route to prefix kept out of this VNet's NICs because it is equal to or inside the space
 * of the VNet or of one peered with it? */
bool fabric_import_suppressed(const struct fabric *fabric, uint32_t vnet,
                              const struct lpm_prefix *prefix);
/* Does the subnet's own import filter refuse this path to prefix (source kind, community, prefix)? */
bool fabric_import_rejected(const struct fabric *fabric, uint32_t subnet,
                            const struct lpm_prefix *prefix, const struct rib_path *path);

/* What route server `route_server` originates towards its peers: its VNet's space and that of every
 * spoke that uses it (table 2.3), or the summaries that stand for it, in prefix order, without duplicates. *prefixes
 * is malloc'ed. */
int fabric_originated(const struct fabric *fabric, uint32_t route_server,
                      struct lpm_prefix **prefixes, size_t *n);

#endif
