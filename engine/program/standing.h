/*
 * The choices of one speaker that NICs follow, where they are not simply what the speaker has chosen last:
 *
 *   damping    a prefix that changed keeps what it then got for damping_ms (quirk of azure mode). One that
 *              appears for the first time may change again at once.
 *   failback   a prefix that lost a next hop keeps to what was left, for failback_ms, when something better
 *              comes (back), as long as what it has is offered unchanged. Whatever takes one of its next hops
 *              away again is followed at once.
 *
 *   speaker ──choice changed──> note ──┬── at once ──> standing choice ──> NICs
 *                                      └── waits ──tick──^
 *
 * Every prefix with a choice has an entry; one that has none (no memory) simply follows the speaker. Peers are
 * told what the speaker has chosen, at once, whatever NICs follow.
 *
 * Control thread only. Internal to the room.
 */
#ifndef ENGINE_PROGRAM_STANDING_H
#define ENGINE_PROGRAM_STANDING_H

#include "engine/rib/speaker.h"

struct program_standing;

#define PROGRAM_FAILBACK_NEVER UINT64_MAX

struct program_standing_config {
    uint64_t damping_ms;  /* 0: none */
    uint64_t failback_ms; /* 0: none; PROGRAM_FAILBACK_NEVER */
};

/* speaker is borrowed, and outlives it. NULL with errno. */
struct program_standing *program_standing_create(struct speaker *speaker,
                                                 const struct program_standing_config *config);
void program_standing_destroy(struct program_standing *standing); /* NULL is allowed */

/* From the speaker's handler: its choice at prefix changed. */
void program_standing_note(struct program_standing *standing, const struct lpm_prefix *prefix,
                           uint64_t now_ms);
/* When program_standing_tick() is wanted next; UINT64_MAX: never. */
uint64_t program_standing_deadline(const struct program_standing *standing);
/* Follows what has waited long enough, and tells each such prefix. */
void program_standing_tick(struct program_standing *standing, uint64_t now_ms,
                           void (*changed)(void *context, const struct lpm_prefix *prefix),
                           void *context);

/* As speaker_learned_choice(), of what stands. */
bool program_standing_choice(const struct program_standing *standing,
                             const struct lpm_prefix *prefix, struct rib_choice *choice);
/* Every prefix where something stands, in any order; stops on non-zero. The speaker may have others. */
int program_standing_each(const struct program_standing *standing,
                          int (*visit)(void *context, const struct lpm_prefix *prefix),
                          void *context);

enum program_waiting { PROGRAM_WAITS_NOT, PROGRAM_WAITS_DAMPING, PROGRAM_WAITS_FAILBACK };
/* What holds up the speaker's choice at prefix. */
enum program_waiting program_standing_waits(const struct program_standing *standing,
                                            const struct lpm_prefix *prefix);
/* How many prefixes wait for either. */
size_t program_standing_waiting(const struct program_standing *standing, enum program_waiting what);
/* Does any prefix have to wait for its next change (damping)? */
bool program_standing_is_damping(const struct program_standing *standing);

#endif
