/*
 * What every scenario stands on: an engine of its own, peers of it, and one way out.
 */
#ifndef TESTS_LIVE_STAGE_H
#define TESTS_LIVE_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "tests/live/engine.h"
#include "tests/live/wire_peer.h"

/* Long enough for a busy machine; a step that works takes milliseconds. */
#ifdef FINGERPOST_SANITIZE
#define PATIENCE_MS 40000
#else
#define PATIENCE_MS 10000
#endif

/* A step of a scenario, which has `bool holds` and `cleanup:`. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            holds = false;                                                                         \
            goto cleanup;                                                                          \
        }                                                                                          \
    } while (0)

struct stage {
    struct engine engine;
    struct wire_peer nva1, nva2;
};

/* False: the engine did not start. To be struck all the same. */
bool stage_raise(struct stage *stage, bool with_traffic);
/* Takes everything down, with the engine's log on standard error unless it holds; returns holds. */
bool stage_strike(struct stage *stage, bool holds);

/* Connects from the peer of that index (2: one that nobody knows) to the first instance. */
bool stage_dial(struct stage *stage, struct wire_peer *peer, unsigned index);
/* A session of nva1 (index 0) or nva2 (1) with the first instance. */
bool stage_join(struct stage *stage, struct wire_peer *peer, unsigned index, uint16_t hold_time_s);
/* The same with the second instance. */
bool stage_join_second(struct stage *stage, struct wire_peer *peer, unsigned index,
                       uint16_t hold_time_s);
/* The same two for ENGINE_CROWD further peers, from 0 on, whose hold time is 3 s. */
bool stage_dial_crowd(struct stage *stage, struct wire_peer *peer, unsigned index,
                      int receive_buffer);
bool stage_join_crowd(struct stage *stage, struct wire_peer *peer, unsigned index);

/* Reads until n prefixes have come. */
bool stage_read_prefixes(struct wire_peer *peer, unsigned n);
/* KEEPALIVEs there until one comes back: the session lives. An engine that is still at what others have said may
 * take longer than the hold time for that, with UPDATEs in the meantime. */
bool stage_session_lives(struct wire_peer *peer);
/* A number of the session with the first instance in a report; -1: there is no such row. */
long long stage_session_number(json_t *report, const char *peer, const char *key);
int64_t stage_now_ms(void);

#endif
