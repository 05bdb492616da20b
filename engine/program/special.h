/*
 * Where scopes are special: the prefixes at which a scope's rows may be other than those that its domain has in
 * common (tables.h), known from the model alone. Internal to this room.
 *
 *   at a prefix            a user's route, a system route of the scope's VNet or service endpoints,
 *                          a reserved prefix that the VNet's space takes away or a user's default route brings back
 *   at a prefix or inside  space of the VNet or of one peered with it: BGP may not bring in what is there
 *
 * An entry names a run of scopes, as what a VNet says holds for all its scopes. The model does not change, so
 * neither does this.
 */
#ifndef ENGINE_PROGRAM_SPECIAL_H
#define ENGINE_PROGRAM_SPECIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/fabric/view.h"

struct program_special_entry {
    struct lpm_prefix prefix;
    bool inside; /* and at every prefix inside it */
    uint32_t first, count;
};

struct program_special {
    struct program_special_entry *entries; /* sorted by prefix */
    size_t n, capacity;
    /* For each family and length: is there an entry, and one that counts inside? */
    bool lengths[2][129], inside_lengths[2][129];
};

/* Adds what the plain view of a VNet says for its scopes [first, first + count); shared is what the domain has in
 * common. 0 or -ENOMEM. */
int program_special_add_vnet(struct program_special *special, const struct fabric_view *plain,
                             const struct fabric_view *shared, uint32_t first, uint32_t count);
/* Adds what a scope has of its own. */
int program_special_add_scope(struct program_special *special, const struct fabric_view *view,
                              uint32_t scope);
/* After the last one. */
void program_special_sort(struct program_special *special);
void program_special_free(struct program_special *special);

/* Calls visit for each run of scopes that is special at prefix; a scope may be in several. Stops on non-zero and
 * returns it. */
int program_special_each(const struct program_special *special, const struct lpm_prefix *prefix,
                         int (*visit)(void *context, uint32_t first, uint32_t count),
                         void *context);

#endif
