/*
 * What is done to a route server once its sessions stand.
 */
#include "bench/bgp.h"

static bool holds_all(const struct bench_bgp_trial *trial)
{
    return bench_loader_held(trial->loader) == trial->load->n &&
           bench_loader_sentinels(trial->loader) == trial->work->senders;
}

static bool holds_first(const struct bench_bgp_trial *trial)
{
    return bench_loader_held(trial->loader) == trial->load->n &&
           bench_loader_sentinels(trial->loader) >= 1;
}

static bool holds_nothing(const struct bench_bgp_trial *trial)
{
    return bench_loader_most(trial->loader) == 0;
}

static bool was_told_all(const struct bench_bgp_trial *trial)
{
    return bench_loader_fresh(trial->loader) == trial->load->n;
}

static void start_senders(struct bench_bgp_trial *trial, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        bench_loader_send(trial->loader, i, &trial->streams[i]);
}

int bench_bgp_flood(struct bench_bgp_trial *trial)
{
    int result;

    bench_bgp_clock_start(trial);
    start_senders(trial, 0, trial->work->senders);
    result = bench_bgp_wait(trial, holds_all);
    if (result == 0)
        bench_bgp_clock_stop(trial);
    return result;
}

/* Paths that lose cost memory and no announcement: what a table of one path has grown by. */
static void measure_extra_paths(struct bench_bgp_trial *trial, double one_path_mb)
{
    double paths = (double)(trial->work->senders - 1) * (double)trial->load->n;
    double grown_mb = bench_daemon_rss_mb(&trial->daemon) - one_path_mb;

    trial->sample.bytes_per_extra_path = grown_mb * 1024 * 1024 / paths;
}

int bench_bgp_best_dies(struct bench_bgp_trial *trial)
{
    double one_path_mb;
    int result;

    start_senders(trial, 0, 1);
    result = bench_bgp_wait(trial, holds_first);
    if (result < 0)
        return result;
    bench_bgp_settle(trial);
    one_path_mb = bench_daemon_rss_mb(&trial->daemon);
    start_senders(trial, 1, trial->work->senders);
    result = bench_bgp_wait(trial, holds_all);
    if (result < 0)
        return result;
    bench_bgp_settle(trial);
    measure_extra_paths(trial, one_path_mb);
    bench_loader_forget_fresh(trial->loader);
    bench_bgp_clock_start(trial);
    bench_loader_kill(trial->loader, 0);
    result = bench_bgp_wait(trial, was_told_all);
    if (result == 0)
        bench_bgp_clock_stop(trial);
    return result;
}

int bench_bgp_peer_death(struct bench_bgp_trial *trial)
{
    int result;

    start_senders(trial, 0, 1);
    result = bench_bgp_wait(trial, holds_all);
    if (result < 0)
        return result;
    bench_bgp_settle(trial);
    bench_bgp_clock_start(trial);
    bench_loader_kill(trial->loader, 0);
    result = bench_bgp_wait(trial, holds_nothing);
    if (result == 0)
        bench_bgp_clock_stop(trial);
    return result;
}
