/*
 * One lab of bench converge's kind, larger, with eight NVAs in pairs and a route table for every subnet. The start is
 * measured once a lab, events again and again in the last one.
 */
#include "engine/cli/scale.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/clock.h"
#include "engine/cli/converge_fabric.h"
#include "engine/cli/converge_lab.h"

#define ROUNDS       9u
#define STARTS       3u
#define ROUNDS_QUICK 3u
#define NVAS         8u
#define PREFIXES     10000u
#define VNETS        500u
#define TABLES_EACH  4u /* a VNet's */
#define NICS_EACH    100u

/* Of this process now: the engine, the modelled NVAs, and the text of the fabric. */
static double resident_mb(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

struct samples {
    double fib_s[ROUNDS], swap_us[ROUNDS];
    unsigned n, entries;
    size_t wrong;
};

static void note(struct samples *samples, double fib_s, const struct converge_sample *sample)
{
    samples->fib_s[samples->n] = fib_s;
    samples->swap_us[samples->n++] = sample->swap_us;
    samples->entries = sample->entries;
    samples->wrong += sample->wrong;
}

static void add_row(json_t *rows, const char *work, const struct converge_size *size,
                    struct samples *samples, bool swaps)
{
    json_t *row = json_object();
    unsigned n = samples->n;
    struct bench_summary fib_s = bench_summarize(samples->fib_s, n);
    struct bench_summary swap_us = bench_summarize(samples->swap_us, n);
    json_object_set_new(row, "work", json_string(work));
    json_object_set_new(row, "vnets", json_integer((json_int_t)size->vnets));
    json_object_set_new(row, "nics", json_integer((json_int_t)size->nics));
    json_object_set_new(row, "prefixes", json_integer((json_int_t)size->prefixes));
    json_object_set_new(row, "peers", json_integer((json_int_t)size->nvas));
    json_object_set_new(row, "route_tables", json_integer((json_int_t)size->tables));
    json_object_set_new(row, "seconds", json_real(fib_s.median));
    json_object_set_new(row, "seconds_min", json_real(fib_s.min));
    json_object_set_new(row, "seconds_max", json_real(fib_s.max));
    json_object_set_new(row, "groups_us", swaps ? json_real(swap_us.median) : json_null());
    json_object_set_new(row, "rss_mb", json_real(resident_mb()));
    json_object_set_new(row, "entries_changed", json_integer(samples->entries));
    json_object_set_new(row, "rounds", json_integer(n));
    json_object_set_new(row, "wrong", json_integer((json_int_t)samples->wrong));
    json_array_append_new(rows, row);
}

static int measure_changes(struct converge_lab *lab, unsigned rounds, struct samples *samples,
                           struct bench_error *error)
{
    int status = 0;
    for (unsigned i = 0; i < rounds && status == 0; i++) {
        struct converge_sample sample;
        status = converge_lab_change(lab, i % 2 == 0, &sample, error);
        if (status == 0)
            note(samples, sample.fib_us / 1e6, &sample);
    }
    return status;
}

static int measure_losses(struct converge_lab *lab, unsigned rounds, struct samples *samples,
                          struct bench_error *error)
{
    int status = 0;
    for (unsigned i = 0; i < rounds && status == 0; i++) {
        struct converge_sample sample;
        status = converge_lab_fail(lab, CONVERGE_SESSION_DOWN, &sample, error);
        if (status == 0)
            note(samples, sample.fib_us / 1e6, &sample);
    }
    return status;
}

static int measure_events(struct converge_lab *lab, const struct converge_size *size,
                          unsigned rounds, json_t *rows, struct bench_error *error)
{
    struct samples changes = {0}, losses = {0};
    int status = measure_changes(lab, rounds, &changes, error);
    if (status == 0)
        status = measure_losses(lab, rounds, &losses, error);
    if (status == 0) {
        add_row(rows, "route-change", size, &changes, false);
        add_row(rows, "peer-loss", size, &losses, true);
    }
    return status;
}

static int measure_start(const struct converge_size *size, struct samples *starts,
                         struct converge_lab **lab, struct bench_error *error)
{
    *lab = converge_lab_open(size, error);
    if (*lab)
        note(starts, converge_lab_engine_us(*lab) / 1e6, &(struct converge_sample){0});
    return *lab ? 0 : -ENOMEM;
}

int scale_bench(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    struct converge_size size = {.prefixes = options->routes ? options->routes : PREFIXES,
                                 .vnets = options->vnets ? options->vnets : VNETS,
                                 .nvas = NVAS};
    size.nics = options->nics ? options->nics : size.vnets * NICS_EACH;
    size.tables = size.vnets * TABLES_EACH;
    struct samples starts = {0};
    struct converge_lab *lab = NULL;
    int status = 0;
    /* One more than all of them is announced. */
    if (size.prefixes * (NVAS / 2) >= CONVERGE_PREFIXES_MAX) {
        snprintf(error->text, sizeof(error->text),
                 "%zu prefixes are too many for each of %u peers, in pairs: %u at most",
                 size.prefixes, NVAS, (CONVERGE_PREFIXES_MAX - 1) / (NVAS / 2));
        return -EINVAL;
    }
    if (size.nics < size.tables || size.nics > size.tables * CONVERGE_NICS_A_SUBNET) {
        snprintf(error->text, sizeof(error->text),
                 "%zu NICs cannot be spread over %zu subnets: each takes 1 to %u", size.nics,
                 size.tables, CONVERGE_NICS_A_SUBNET);
        return -EINVAL;
    }
    for (unsigned i = 0; i < (options->quick ? 1 : STARTS) && status == 0; i++) {
        converge_lab_close(lab);
        if (options->log)
            fprintf(options->log, "%zu VNets, %zu NICs: start %u\n", size.vnets, size.nics, i + 1);
        status = measure_start(&size, &starts, &lab, error);
    }
    if (status == 0) {
        add_row(rows, "start", &size, &starts, false);
        status = measure_events(lab, &size, options->quick ? ROUNDS_QUICK : ROUNDS, rows, error);
    }
    converge_lab_close(lab);
    return status;
}
