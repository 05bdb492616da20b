/*
 * The policies of a fabric file, compiled: what speakers are given.
 */
#ifndef ENGINE_FABRIC_POLICIES_H
#define ENGINE_FABRIC_POLICIES_H

#include "engine/fabric/model.h"
#include "engine/rib/policy.h"

struct fabric_policies;

/* Compiles all of them, each once, however many peers name it. Nothing of fabric is needed afterwards.
 * 0, or -errno. */
int fabric_policies_create(const struct fabric *fabric, struct fabric_policies **policies);
/* Who was given a policy goes on holding it. NULL is allowed. */
void fabric_policies_destroy(struct fabric_policies *policies);
/* By name, borrowed; NULL for no name (and for one that no policy has, which the loader refuses). */
struct rib_policy *fabric_policy_named(const struct fabric_policies *policies, const char *name);

/* One policy of its own: these rules, then those of the fabric's policy of that name, if any (NULL:
 * none). 0 or -errno. */
int fabric_policy_compose(const char *name, const struct rib_policy_rule *first, size_t n,
                          const struct fabric *fabric, const char *policy,
                          struct rib_policy **composed);

#endif
