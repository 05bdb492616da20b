/*
 * What the parts of the soak's state share; soak.h is for the pump.
 *
 *   senders[4] ──fib──> fibs[4]: bases 0, 1; derived 2, 3 (each from a base) ──leaf──> slots[] ──> live group, oracle's
 *
 * The model (leaves, base_of, fib_of, slots) is what is right; the live state follows it, change by change: count the
 * change, alter the model, note what it says now, alter the live state.
 */
#ifndef TESTS_DATAPLANE_SOAK_STATE_H
#define TESTS_DATAPLANE_SOAK_STATE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/dataplane/lab.h"
#include "tests/dataplane/soak.h"

#define SLOTS        12u
#define FIRST_STRICT 6u /* before them: rendezvous hashing */
#define FIRST_STICKY 8u
#define NULL_SLOT    11u /* next hop type None */

#define BASES       2u
#define FIBS        4u
#define MEMBERS_MAX 8u

#define NO_ROUTE  (-1) /* none here; in a derived FIB: although the base may have one */
#define INHERITED (-2)

/* The sender of the steady flow is the one after the others. */
enum { FIRST_SENDER = 2, FIRST_APPLIANCE = FIRST_SENDER + SOAK_SENDERS + 1 };

#define SOAK_NOTES 64u
struct soak_note {
    _Atomic uint64_t number; /* of the change from which on it is so */
    _Atomic uint32_t value;
};
struct soak_notes {
    _Atomic uint64_t head; /* notes[head % SOAK_NOTES] is the last one */
    struct soak_note notes[SOAK_NOTES];
};

struct slot {
    uint32_t group, oracle;     /* ids there and here */
    uint32_t members, draining; /* bits of appliances */
    struct dp_group_info info;  /* of the oracle's */
};

struct soak_state {
    struct lpm *lpm;
    struct dp_forwarding *forwarding, *oracle;
    struct slot slots[SLOTS];
    struct lpm_fib *fibs[FIBS][2]; /* by family */
    int leaves[FIBS][SOAK_PLACES]; /* slot, NO_ROUTE or INHERITED */
    unsigned base_of[FIBS];
    unsigned fib_of[SOAK_SENDERS];
    struct lpm_fib *steady;
    struct soak_tally tally;
    uint64_t number;
    _Atomic uint64_t done, released;
    unsigned bucket_of[SOAK_FLOWS];
    struct soak_notes fibs_noted[SOAK_SENDERS];
    struct soak_notes leaves_noted[FIBS][SOAK_PLACES];
    struct soak_notes (*outcomes_noted)[SOAK_FLOWS]; /* [SLOTS] */
    _Atomic uint8_t log[SOAK_LOG];                   /* kinds, by number */
};

static inline bool soak_is_sticky(unsigned slot)
{
    return slot >= FIRST_STICKY && slot < NULL_SLOT;
}

/* soak_oracle.c: the model has changed there; the live state has not yet. */
void soak_note_slot(struct soak_state *state, unsigned slot);
void soak_note_leaves(struct soak_state *state);
void soak_note_fib(struct soak_state *state, unsigned sender);

/* soak_change.c */
struct lpm_address soak_address(const char *head, unsigned number);
struct lpm_prefix soak_prefix(unsigned place);
struct dp_group_config soak_group_config(unsigned slot, uint32_t members, uint32_t draining,
                                         struct dp_member list[SOAK_APPLIANCES]);
void soak_set_members(struct soak_state *state, unsigned slot, uint32_t members, uint32_t draining);
/* Of SOAK_SENDERS: the steady flow's. */
void soak_set_sender(struct soak_state *state, unsigned sender);
void soak_set_appliance(struct soak_state *state, unsigned appliance);

#endif
