/*
 * What is right, from when on: see soak.h.
 */
#include "tests/dataplane/soak_state.h"

#include <unistd.h>

/* --- What the model says ---------------------------------------------------------------------- */

static uint32_t leaf_of(const struct soak_state *state, unsigned fib, unsigned place)
{
    if (fib >= BASES && state->leaves[fib][place] == INHERITED)
        fib = state->base_of[fib];
    return state->leaves[fib][place] < 0 ? NULL_SLOT : (uint32_t)state->leaves[fib][place];
}

static uint32_t outcomes_of(const struct soak_state *state, unsigned index, unsigned bucket)
{
    const struct slot *slot = &state->slots[index];
    int member = 0;

    if (index == NULL_SLOT || slot->members == 0)
        return SOAK_DROPPED;
    if (soak_is_sticky(index) || slot->draining)
        return slot->members;
    if (slot->info.member_count > 1)
        member = dp_group_bucket(state->oracle, slot->oracle, bucket);
    MUST(member >= 0 && (unsigned)member < slot->info.member_count);
    return 1u << (slot->info.members[member].nic - FIRST_APPLIANCE);
}

/* --- Notes ------------------------------------------------------------------------------------ */

/* The note after the one that is overwritten has to be old enough for every packet under way. */
static void await_pump(const struct soak_state *state, const struct soak_notes *notes,
                       uint64_t head)
{
    const struct soak_note *oldest_kept = &notes->notes[(head + 2) % SOAK_NOTES];
    const uint64_t number = atomic_load_explicit(&oldest_kept->number, memory_order_relaxed);

    while (atomic_load_explicit(&state->released, memory_order_acquire) < number)
        usleep(20);
}

static void note(struct soak_state *state, struct soak_notes *notes, uint32_t value)
{
    const uint64_t head = atomic_load_explicit(&notes->head, memory_order_relaxed);
    struct soak_note *next = &notes->notes[(head + 1) % SOAK_NOTES];

    if (head > 0 &&
        atomic_load_explicit(&notes->notes[head % SOAK_NOTES].value, memory_order_relaxed) == value)
        return;
    await_pump(state, notes, head);
    atomic_store_explicit(&next->number, state->number, memory_order_relaxed);
    atomic_store_explicit(&next->value, value, memory_order_relaxed);
    atomic_store_explicit(&notes->head, head + 1, memory_order_release);
    state->tally.notes++;
}

void soak_note_slot(struct soak_state *state, unsigned slot)
{
    for (unsigned i = 0; i < SOAK_FLOWS; i++)
        note(state, &state->outcomes_noted[slot][i], outcomes_of(state, slot, state->bucket_of[i]));
}

void soak_note_leaves(struct soak_state *state)
{
    for (unsigned fib = 0; fib < FIBS; fib++)
        for (unsigned place = 0; place < SOAK_PLACES; place++)
            note(state, &state->leaves_noted[fib][place], leaf_of(state, fib, place));
}

void soak_note_fib(struct soak_state *state, unsigned sender)
{
    note(state, &state->fibs_noted[sender], state->fib_of[sender]);
}

/* --- What may be ------------------------------------------------------------------------------ */

/* One table's notes that were in force at `from` or later: the i-th last one, and since when. False: it is
 * older than that. The first note of all is number 1. */
static bool read_note(const struct soak_notes *notes, uint64_t head, unsigned i, uint64_t from,
                      uint64_t *since, uint32_t *value)
{
    const struct soak_note *at = &notes->notes[(head - i) % SOAK_NOTES];
    const struct soak_note *after = &notes->notes[(head - i + 1) % SOAK_NOTES];

    if (i >= SOAK_NOTES || i >= head ||
        (i > 0 && atomic_load_explicit(&after->number, memory_order_relaxed) <= from))
        return false;
    *since = atomic_load_explicit(&at->number, memory_order_relaxed);
    if (*since < from)
        *since = from;
    *value = atomic_load_explicit(&at->value, memory_order_relaxed);
    return true;
}

static uint32_t by_group(const struct soak_state *state, unsigned flow, uint32_t slot,
                         uint64_t from)
{
    const struct soak_notes *notes = &state->outcomes_noted[slot][flow];
    const uint64_t head = atomic_load_explicit(&notes->head, memory_order_acquire);
    uint32_t outcomes = 0, value;
    uint64_t since;

    for (unsigned i = 0; read_note(notes, head, i, from, &since, &value); i++)
        outcomes |= value;
    return outcomes;
}

static uint32_t by_fib(const struct soak_state *state, unsigned flow, uint32_t fib, uint64_t from)
{
    const struct soak_notes *notes = &state->leaves_noted[fib][flow / SOAK_PORTS % SOAK_PLACES];
    const uint64_t head = atomic_load_explicit(&notes->head, memory_order_acquire);
    uint32_t outcomes = 0, slot;
    uint64_t since;

    for (unsigned i = 0; read_note(notes, head, i, from, &since, &slot); i++)
        outcomes |= by_group(state, flow, slot, since);
    return outcomes;
}

uint32_t soak_allowed(const struct soak_state *state, unsigned flow, uint64_t number)
{
    const struct soak_notes *notes;
    uint32_t outcomes = 0, fib;
    uint64_t head, since;

    if (flow == SOAK_STEADY)
        return 1;
    notes = &state->fibs_noted[flow / (SOAK_PLACES * SOAK_PORTS)];
    head = atomic_load_explicit(&notes->head, memory_order_acquire);
    for (unsigned i = 0; read_note(notes, head, i, number, &since, &fib); i++)
        outcomes |= by_fib(state, flow, fib, since);
    return outcomes;
}

uint64_t soak_done(const struct soak_state *state)
{
    return atomic_load_explicit(&state->done, memory_order_acquire);
}

void soak_release(struct soak_state *state, uint64_t number)
{
    atomic_store_explicit(&state->released, number, memory_order_release);
}
