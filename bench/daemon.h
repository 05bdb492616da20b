/*
 * The route servers that are measured: Fingerpost itself and other people's daemons, each with a
 * configuration of the same meaning, in the namespace of the speaker (bench/netns.h): AS 65515,
 * every router of the loader a neighbour that it waits for, all routes taken and passed on.
 */
#ifndef BENCH_DAEMON_H
#define BENCH_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/bench.h"

#define BENCH_DAEMON_ASN   65515u
#define BENCH_DAEMON_PARTS 2 /* processes that a daemon is started as */

struct bench_daemon_kind {
    const char *name;
    const char *programs[BENCH_DAEMON_PARTS]; /* absolute; NULL: none, or first: our own */
    int (*configure)(const char *directory, unsigned routers);
    /* Fills the words of part number `part`; text is room for those that are made. */
    void (*arguments)(const char *program, const char *directory, unsigned part,
                      const char *words[16], char text[4][128]);
    const char *user; /* owns its directory; NULL: root */
};

/* "fingerpost", "bird", "frr", "openbgpd", "gobgp"; NULL for another name. "fingerpost-1000-fibs" is our own, which
 * programs what it learns into the FIBs of 1,000 NICs, and of its peers. */
const struct bench_daemon_kind *bench_daemon_find(const char *name);
/* Number i from 0, in the order of the tables; NULL after the last. The first is our own. */
const struct bench_daemon_kind *bench_daemon_kind(unsigned i);
bool bench_daemon_installed(const struct bench_daemon_kind *kind);

struct bench_daemon {
    const struct bench_daemon_kind *kind;
    pid_t parts[BENCH_DAEMON_PARTS];
    char directory[48]; /* configuration, sockets, log; removed by stop */
};

/* Starts it in the namespace behind file. self: the program of our own engine. On failure *error
 * ends with what the daemon said last. */
int bench_daemon_start(const struct bench_daemon_kind *kind, const char *self, unsigned routers,
                       int file, struct bench_daemon *daemon, struct bench_error *error);
/* False: it has ended by itself; *error says so, with its last words. */
bool bench_daemon_runs(struct bench_daemon *daemon, struct bench_error *error);
void bench_daemon_stop(struct bench_daemon *daemon);

/* Of all its processes and threads. */
double bench_daemon_cpu_s(const struct bench_daemon *daemon);
double bench_daemon_rss_mb(const struct bench_daemon *daemon);
/* Our own engine's answer to SIGUSR1: the longest that it worked without a look at its timers, in
 * milliseconds. 0: another daemon, or no answer. */
double bench_daemon_slice_ms(const struct bench_daemon *daemon);

#endif
