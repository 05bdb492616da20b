/*
 * One lab for each size, in which the same NVA dies and comes back, round after round, by one event
 * and by the others in turns.
 */
#include "engine/cli/converge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/clock.h"
#include "engine/cli/converge_fabric.h"
#include "engine/cli/converge_lab.h"

#define ROUNDS       9u
#define ROUNDS_QUICK 3u
#define VNETS        4u /* as many as there are NICs, at most; --vnets for another number */

static const char *const event_names[CONVERGE_EVENTS] = {
    [CONVERGE_BFD_DOWN] = "bfd-down",     [CONVERGE_SESSION_DOWN] = "session-down",
    [CONVERGE_PORT_DOWN] = "port-down",   [CONVERGE_MEMBER_DOWN] = "member-down",
    [CONVERGE_PROBE_DOWN] = "probe-down",
};

struct measured {
    double swap_us[ROUNDS], fib_us[ROUNDS], dead_path_ms[ROUNDS];
    unsigned n, entries;
    size_t wrong;
};

/* Sets NAME, NAME_min and NAME_max: the median in the middle. */
static void set_times(json_t *row, const char *name, double *values, unsigned n)
{
    char field[32];
    struct bench_summary summary = bench_summarize(values, n);
    json_object_set_new(row, name, json_real(summary.median));
    snprintf(field, sizeof(field), "%s_min", name);
    json_object_set_new(row, field, json_real(summary.min));
    snprintf(field, sizeof(field), "%s_max", name);
    json_object_set_new(row, field, json_real(summary.max));
}

static json_t *row_of(const struct converge_size *size, const char *event,
                      const struct program_size *programmed, struct measured *measured)
{
    json_t *row = json_object();
    json_object_set_new(row, "event", json_string(event));
    json_object_set_new(row, "prefixes", json_integer((json_int_t)size->prefixes));
    json_object_set_new(row, "nics", json_integer((json_int_t)size->nics));
    set_times(row, "engine_us", measured->swap_us, measured->n);
    set_times(row, "fib_us", measured->fib_us, measured->n);
    set_times(row, "dead_path_ms", measured->dead_path_ms, measured->n);
    json_object_set_new(row, "vnets", json_integer((json_int_t)size->vnets));
    json_object_set_new(row, "fibs", json_integer((json_int_t)programmed->fibs));
    json_object_set_new(row, "groups", json_integer((json_int_t)programmed->groups));
    json_object_set_new(row, "entries_changed", json_integer(measured->entries));
    json_object_set_new(row, "rounds", json_integer(measured->n));
    json_object_set_new(row, "wrong", json_integer((json_int_t)measured->wrong));
    return row;
}

static void note(struct measured *measured, const struct converge_sample *sample)
{
    measured->swap_us[measured->n] = sample->swap_us;
    measured->dead_path_ms[measured->n] = sample->dead_path_ms;
    measured->fib_us[measured->n++] = sample->fib_us;
    measured->entries = sample->entries;
    measured->wrong += sample->wrong;
}

static int measure_rounds(struct converge_lab *lab, unsigned rounds,
                          struct measured measured[CONVERGE_EVENTS], struct bench_error *error)
{
    int status = 0;
    for (unsigned i = 0; i < rounds * CONVERGE_EVENTS && status == 0; i++) {
        enum converge_event event = i % CONVERGE_EVENTS;
        struct converge_sample sample;
        status = converge_lab_fail(lab, event, &sample, error);
        if (status == 0)
            note(&measured[event], &sample);
    }
    return status;
}

static int measure_size(const struct converge_size *size, const struct bench_options *options,
                        json_t *rows, struct bench_error *error)
{
    struct measured measured[CONVERGE_EVENTS] = {0};
    struct program_size programmed;
    if (options->log)
        fprintf(options->log, "%zu prefixes, %zu NICs\n", size->prefixes, size->nics);
    struct converge_lab *lab = converge_lab_open(size, error);
    if (!lab)
        return -ENOMEM;
    converge_lab_size(lab, &programmed);
    int status = converge_lab_forward(lab, error);
    if (status == 0)
        status = measure_rounds(lab, options->quick ? ROUNDS_QUICK : ROUNDS, measured, error);
    for (unsigned i = 0; i < CONVERGE_EVENTS && status == 0; i++)
        json_array_append_new(rows, row_of(size, event_names[i], &programmed, &measured[i]));
    converge_lab_close(lab);
    return status;
}

/* The three usual sizes, or the one that was asked for. */
static unsigned sizes_of(size_t asked, const size_t usual[3], size_t sizes[3])
{
    for (unsigned i = 0; i < 3; i++)
        sizes[i] = asked ? asked : usual[i];
    return asked ? 1 : 3;
}

static int check_size(const struct converge_size *size, struct bench_error *error)
{
    if (size->vnets <= size->nics && size->nics <= size->vnets * CONVERGE_NICS_A_VNET)
        return 0;
    snprintf(error->text, sizeof(error->text),
             "%zu NICs cannot be spread over %zu VNets: each takes 1 to %u", size->nics,
             size->vnets, CONVERGE_NICS_A_VNET);
    return -EINVAL;
}

/* Of the usual sizes: writing a million prefixes to a dozen FIBs and back takes a minute a round. */
static bool takes_long(const struct converge_size *size, const struct bench_options *options)
{
    return (!options->routes && size->prefixes > 100000) ||
           (!options->nics && size->prefixes >= 100000 && size->nics > 1 && size->nics < 4000);
}

int converge_bench(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    static const size_t usual_prefixes[3] = {1000, 100000, 1000000};
    static const size_t usual_nics[3] = {1, 1000, 4000};
    size_t prefixes[3], nics[3];
    unsigned n_prefixes = sizes_of(options->routes, usual_prefixes, prefixes);
    unsigned n_nics = sizes_of(options->nics, usual_nics, nics);
    int status = 0;
    for (unsigned i = 0; i < n_prefixes * n_nics && status == 0; i++) {
        struct converge_size size = {.prefixes = prefixes[i / n_nics],
                                     .nics = nics[i % n_nics],
                                     .nvas = CONVERGE_NVAS,
                                     .ports = true};
        size.vnets = options->vnets ? options->vnets : size.nics < VNETS ? size.nics : VNETS;
        if (options->quick && takes_long(&size, options))
            continue;
        status = check_size(&size, error);
        if (status == 0)
            status = measure_size(&size, options, rows, error);
    }
    return status;
}
