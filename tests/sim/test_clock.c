/* The virtual clock does everything in the order of time, then of arrival, whatever the order of
 * asking. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/sim/clock.h"

struct done {
    struct sim_clock *clock;
    uint64_t at[4096], what[4096];
    size_t n;
};

static void note(void *context, uint64_t argument)
{
    struct done *done = context;
    done->at[done->n] = sim_clock_now_ms(done->clock);
    done->what[done->n++] = argument;
}

Test(clock, does_things_by_time_then_by_arrival)
{
    struct done done = {.clock = sim_clock_create()};
    uint64_t due[4096];
    srand(7);
    for (uint64_t i = 0; i < 4096; i++) {
        due[i] = (uint64_t)rand() % 50;
        sim_clock_at(done.clock, due[i], note, &done, i);
    }
    while (sim_clock_step(done.clock, 1000))
        ;
    cr_assert_eq(done.n, 4096);
    for (size_t i = 0; i < done.n; i++) {
        cr_assert_eq(done.at[i], due[done.what[i]], "done at the time that was asked for");
        if (i > 0)
            cr_assert(done.at[i] > done.at[i - 1] ||
                      (done.at[i] == done.at[i - 1] && done.what[i] > done.what[i - 1]));
    }
    cr_assert_eq(sim_clock_now_ms(done.clock), 1000, "the end of the run is the limit");
    sim_clock_destroy(done.clock);
}

Test(clock, never_goes_back)
{
    struct done done = {.clock = sim_clock_create()};
    sim_clock_at(done.clock, 10, note, &done, 1);
    cr_assert(sim_clock_step(done.clock, 100));
    sim_clock_at(done.clock, 3, note, &done, 2);
    cr_assert(sim_clock_step(done.clock, 100));
    cr_assert_eq(done.at[1], 10);
    cr_assert_not(sim_clock_step(done.clock, 5), "a limit in the past moves nothing");
    cr_assert_eq(sim_clock_now_ms(done.clock), 10);
    sim_clock_destroy(done.clock);
}

Test(clock, forgets_one_context_and_keeps_the_order_of_the_others)
{
    struct done kept = {.clock = sim_clock_create()}, dropped = {.clock = kept.clock};
    srand(11);
    for (uint64_t i = 0; i < 1000; i++)
        sim_clock_at(kept.clock, (uint64_t)rand() % 100, note, i % 3 ? &kept : &dropped, i);
    sim_clock_forget(kept.clock, &dropped);
    while (sim_clock_step(kept.clock, 1000))
        ;
    cr_assert_eq(dropped.n, 0);
    cr_assert_eq(kept.n, 666);
    for (size_t i = 1; i < kept.n; i++)
        cr_assert_geq(kept.at[i], kept.at[i - 1]);
    cr_assert_eq(sim_clock_next_ms(kept.clock), UINT64_MAX);
    sim_clock_destroy(kept.clock);
}
