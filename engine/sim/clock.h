/*
 * A virtual clock: a queue of things to do, in the order of their time, then of their arrival.
 *
 * Nothing here depends on the machine's clock, so a run with the same inputs takes the same steps
 * in the same order. One thread.
 */
#ifndef ENGINE_SIM_CLOCK_H
#define ENGINE_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct sim_clock;
typedef void sim_action(void *context, uint64_t argument);

struct sim_clock *sim_clock_create(void); /* NULL with errno; starts at 0 ms */
void sim_clock_destroy(struct sim_clock *clock);
uint64_t sim_clock_now_ms(const struct sim_clock *clock);

/* Does action(context, argument) at at_ms (now, when that has passed). Without memory the action is
 * lost, which sim_clock_failed() tells from then on: a run that failed means nothing. */
void sim_clock_at(struct sim_clock *clock, uint64_t at_ms, sim_action *action, void *context,
                  uint64_t argument);
bool sim_clock_failed(const struct sim_clock *clock);
/* Says that memory ran out elsewhere in the run. */
void sim_clock_fail(struct sim_clock *clock);
/* Forgets everything queued for context. */
void sim_clock_forget(struct sim_clock *clock, const void *context);

/* When the next action is due; UINT64_MAX: nothing is queued. */
uint64_t sim_clock_next_ms(const struct sim_clock *clock);
/* Moves on to the next action and does it, unless that lies after limit_ms: then moves to limit_ms
 * and returns false. */
bool sim_clock_step(struct sim_clock *clock, uint64_t limit_ms);

#endif
