/*
 * Notes: which field of the fabric was written at which line.
 *
 *   slot (address of a field) ── hash ──> notes[]: slot, place       open addressing, at most half
 * full
 *
 * The fabric's arrays never move once they are allocated, so the address of a field names it. This
 * lets the checks work on the plain model and still say the exact line, and tells given values
 * from defaults.
 */
#include "engine/fabric/loader.h"

#include <stdlib.h>

static size_t note_start(const struct fabric_loader *loader, const void *slot)
{
    /* Fibonacci hashing: the high bits of the product are spread well even for addresses in steps.
     */
    return (size_t)(((uintptr_t)slot * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
           (loader->note_capacity - 1);
}

/* The slot's own note, or the free one where it would go. There is always a free one. */
static struct fabric_note *note_find(const struct fabric_loader *loader, const void *slot)
{
    size_t i = note_start(loader, slot);

    while (loader->notes[i].slot && loader->notes[i].slot != slot)
        i = (i + 1) & (loader->note_capacity - 1);
    return &loader->notes[i];
}

/* Doubles at half full, which keeps probes short. */
static bool notes_grow(struct fabric_loader *loader)
{
    struct fabric_note *old = loader->notes;
    size_t old_capacity = loader->note_capacity;
    size_t capacity = old_capacity ? old_capacity * 2 : 1024;
    struct fabric_note *notes = calloc(capacity, sizeof(*notes));

    if (!notes)
        return false;
    loader->notes = notes;
    loader->note_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].slot)
            *note_find(loader, old[i].slot) = old[i];
    free(old);
    return true;
}

/* Losing a note would turn a given value into a default, so failure is remembered and ends the
 * load. */
void fabric_note(struct fabric_loader *loader, const void *slot, const struct fabric_place *place)
{
    struct fabric_note *note;

    if (loader->note_count * 2 >= loader->note_capacity && !notes_grow(loader)) {
        loader->out_of_memory = true;
        return;
    }
    note = note_find(loader, slot);
    loader->note_count += note->slot == NULL;
    *note = (struct fabric_note){.slot = slot, .place = *place};
}

const struct fabric_place *fabric_noted(const struct fabric_loader *loader, const void *slot)
{
    const struct fabric_note *note = loader->note_capacity ? note_find(loader, slot) : NULL;

    return note && note->slot ? &note->place : NULL;
}

const struct fabric_place *fabric_place_of(const struct fabric_loader *loader, const void *slot,
                                           const struct fabric_place *otherwise)
{
    const struct fabric_place *place = fabric_noted(loader, slot);

    return place ? place : otherwise;
}
