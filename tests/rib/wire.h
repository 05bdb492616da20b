/*
 * Reads what one end sends as text, UPDATE by UPDATE: "announce P P;", "withdraw P;", "end IPv4
 * unicast;".
 */
#ifndef TESTS_RIB_WIRE_H
#define TESTS_RIB_WIRE_H

#include "tests/rib/world.h"

struct wire {
    const struct end *from;
    uint8_t held[65536]; /* a message that has not come whole */
    size_t n_held;
    char text[WORLD_TEXT];
    unsigned announcements, withdrawals, ends; /* messages */
    unsigned announced;                        /* prefixes */
    struct bgp_update_reader *reader;
};

/* Observes world for what this end sends from now on. */
void wire_tap(struct wire *wire, struct world *world, const struct end *from);
/* What wire_tap() sets as the world's observer. */
void wire_observe(void *context, const struct end *from, const uint8_t *bytes, size_t n);
void wire_free(struct wire *wire);

#endif
