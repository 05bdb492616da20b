/*
 * A set of (route server, prefix) whose choice changed: cheap to add to, sorted and without
 * duplicates when it is read. Internal to the room.
 */
#ifndef ENGINE_PROGRAM_PENDING_H
#define ENGINE_PROGRAM_PENDING_H

#include <stddef.h>
#include <stdint.h>

#include "lpm/lpm.h"

struct program_pending_item {
    uint32_t route_server;
    struct lpm_prefix prefix;
};
struct program_pending {
    struct program_pending_item *items;
    size_t n, capacity;
};

/* 0 or -ENOMEM. A prefix that changes again and again takes one place in the long run. */
int program_pending_add(struct program_pending *pending, uint32_t route_server,
                        const struct lpm_prefix *prefix);
void program_pending_sort(struct program_pending *pending);
void program_pending_free(struct program_pending *pending);

#endif
