/*
 * bench: how fast the trie is, beside DPDK's tables, in one run.
 *
 *      lookup   one FIB or many: lookups a second of each engine on each kind of key
 *      update   a day of BGP updates; readers while it is applied; building a full table
 *      share    what 1 to 10,000 FIBs over one base cost, and how fast they are
 *      forward  packets a second of the whole packet path, beside l3fwd's work and testpmd
 *      bgp      route servers between senders and receivers: Fingerpost beside BIRD, FRR and others
 *
 * Those that need the engine, converge, reconfig and fabric, are in engine/cli/.
 *
 * Rules of measuring. The engines' runs are interleaved (A, B, C, A, B, C, ...), so that a slow
 * minute hits all alike. Times are of the thread's CPU clock, so that other programs cost cache and
 * not time. Every answer is held against a plain binary trie; a row says how many were wrong.
 * Without files of the user's own, tables and updates are drawn from a seed (bench/synthetic.h):
 * two runs do the same work.
 *
 * Each function appends rows, one JSON object each, with the fields that docs/performance.md lists.
 * It starts DPDK when it needs a peer, pins the calling thread to one CPU, and registers it as an
 * RCU reader while it runs. One call at a time.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct bench_options {
    const char *table;   /* a prefix a line, plain or .xz; NULL: synthetic */
    const char *updates; /* "A prefix" or "W prefix" a line, plain or .xz; NULL: synthetic */
    unsigned family;     /* 4, 6, or 0: as the table has it, 4 without a table */
    size_t routes;       /* of the synthetic table, or drawn from the file; 0: a full table */
    size_t fibs;         /* 0: 1 for lookup; 1, 100, 1,000 and 10,000 for share */
    size_t nics, vnets;  /* converge: 0 for the usual ones */
    const char *peers;   /* bgp: daemons by name, with commas; NULL: bird and frr where installed */
    const char *work;    /* bgp, forward: this one alone; NULL: all */
    const char *pcap;    /* forward: its frames instead of random ones */
    const char *self;    /* bgp: the program whose `run` is the engine under test */
    size_t keys;         /* looked up in each run, forwarded in each slice; 0: enough to measure */
    bool quick;          /* under a minute: fewer repeats, no peer that takes minutes to load */
    FILE *log;           /* progress for people; NULL: silent */
};

/* What went wrong, in words: "file:line: ..." where a file is at fault. */
struct bench_error {
    char text[512];
};

/* Return 0, or -errno with *error filled. Rows that were ready by then stay in rows. */
int bench_lookup(const struct bench_options *options, json_t *rows, struct bench_error *error);
int bench_update(const struct bench_options *options, json_t *rows, struct bench_error *error);
int bench_share(const struct bench_options *options, json_t *rows, struct bench_error *error);
int bench_forward(const struct bench_options *options, json_t *rows, struct bench_error *error);
/* Wants root: it makes network namespaces, and moves the calling thread to one while it runs. Here
 * time is the time that passes: what is measured is other processes. */
int bench_bgp(const struct bench_options *options, json_t *rows, struct bench_error *error);

#endif
