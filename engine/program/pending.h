/*
 * A queue of (route server, prefix) whose choice changed, each in it once: what changes again while it
 * waits keeps its place. Internal to the room.
 */
#ifndef ENGINE_PROGRAM_PENDING_H
#define ENGINE_PROGRAM_PENDING_H

#include <stddef.h>
#include <stdint.h>

#include "engine/rib/index.h"
#include "lpm/lpm.h"

struct program_pending_item {
    uint32_t route_server;
    struct lpm_prefix prefix;
};

/* All zero is the empty queue. */
struct program_pending {
    struct program_pending_slot **chunks;
    uint32_t n_slots;     /* ever given out */
    uint32_t first_free;  /* plus 1; 0: none */
    uint32_t first, last; /* of the queue, plus 1; 0: none */
    uint32_t count;
    struct rib_index index;
};

/* 0 or -ENOMEM, with the queue as it was. O(1). */
int program_pending_add(struct program_pending *pending, uint32_t route_server,
                        const struct lpm_prefix *prefix);
/* Moves up to n of the oldest into items, sorted by route server and prefix; returns how many. */
size_t program_pending_take(struct program_pending *pending, struct program_pending_item *items,
                            size_t n);
/* Empties it and gives its memory back. */
void program_pending_free(struct program_pending *pending);

#endif
