/*
 * Inside the bench of route servers: what its works (bgp_works.c) share with what drives them
 * (bgp.c).
 */
#ifndef BENCH_BGP_H
#define BENCH_BGP_H

#include <signal.h>

#include "bench/daemon.h"
#include "bench/loader.h"
#include "bench/netns.h"
#include "bench/run.h"
#include "bench/stream.h"

#define BENCH_BGP_KINDS_MAX   8
#define BENCH_BGP_SENDERS_MAX 8

struct bench_bgp_trial;

struct bench_bgp_work {
    const char *name;
    enum bench_sharing sharing;
    unsigned senders, receivers;
    size_t most;         /* prefixes at most; 0: as many as are asked for */
    unsigned per_update; /* at most */
    int (*run)(struct bench_bgp_trial *trial);
};

struct bench_bgp_run {
    const struct bench_options *options;
    const struct bench_daemon_kind *kinds[BENCH_BGP_KINDS_MAX]; /* the first is our own */
    unsigned kinds_n;
    unsigned rounds;
    size_t prefixes;
    struct bench_table table;
    struct bench_netns netns;
    int signals; /* a signalfd; -1: none */
    sigset_t signals_before;
};

struct bench_bgp_sample {
    double seconds, cpu_s, rss_mb, rss_idle_mb;
    double bytes_per_extra_path; /* 0: not measured */
    double slice_ms;             /* 0: not measured */
    size_t wrong;
};

/* One daemon, once. */
struct bench_bgp_trial {
    const struct bench_bgp_run *run;
    const struct bench_bgp_work *work;
    const struct bench_load *load;
    const struct bench_stream *streams; /* one a sender */
    struct bench_error *error;
    struct bench_daemon daemon;
    struct bench_loader *loader;
    double cpu_before;
    uint64_t start_ns;
    struct bench_bgp_sample sample;
};

/* For works. Serves the loader until done() says so; -errno with the error filled. */
int bench_bgp_wait(struct bench_bgp_trial *trial,
                   bool (*done)(const struct bench_bgp_trial *trial));
/* Serves the loader until nothing has changed for a moment. */
void bench_bgp_settle(struct bench_bgp_trial *trial);
void bench_bgp_clock_start(struct bench_bgp_trial *trial);
/* Time ends at the last change that a receiver saw. Fills the sample. */
void bench_bgp_clock_stop(struct bench_bgp_trial *trial);

/* All senders at once, until every receiver holds everything. */
int bench_bgp_flood(struct bench_bgp_trial *trial);
/* Sender 0 first, so that its paths are best for every daemon; the others after it; then it dies,
 * until every receiver has been told another path to every prefix. */
int bench_bgp_best_dies(struct bench_bgp_trial *trial);
/* The one sender dies, until no receiver holds anything of it. */
int bench_bgp_peer_death(struct bench_bgp_trial *trial);

#endif
