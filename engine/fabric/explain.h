/*
 * Why a NIC has the rows that it has at one prefix: every candidate, the losers and the filtered
 * ones included, each with the one rule that decided about it. The names of the rules are in
 * docs/effective-routes.md.
 */
#ifndef ENGINE_FABRIC_EXPLAIN_H
#define ENGINE_FABRIC_EXPLAIN_H

#include "engine/fabric/effective.h"

enum fabric_verdict {
    FABRIC_INSTALLED, /* is, or is a member of, the Active row */
    FABRIC_LOST,      /* good, but another one is better */
    FABRIC_FILTERED,  /* kept out by a rule */
};
/* "installed", "lost", "filtered". */
const char *fabric_verdict_text(enum fabric_verdict verdict);

struct fabric_candidate {
    enum fabric_source source;
    const char *via;             /* route table, peer, VNet, tag; belongs to fabric or speaker */
    const struct rib_path *path; /* BGP candidates; NULL otherwise */
    struct fabric_row row;       /* as it would stand alone; one next hop for a BGP path */
    enum fabric_verdict verdict;
    const char *rule;
};

/* The candidates in the order User, BGP, System. */
struct fabric_explanation {
    struct fabric_candidate *candidates;
    size_t n;
    struct rib_path *paths; /* what the candidates point to */
};

/* Fills *explanation. Its attributes and names are valid until BGP or the fabric changes. 0 or
 * -errno. */
int fabric_explain(const struct fabric *fabric, const struct fabric_bgp *bgp,
                   const struct fabric_scope *scope, const struct lpm_prefix *prefix,
                   struct fabric_explanation *explanation);
void fabric_explanation_free(struct fabric_explanation *explanation);

#endif
