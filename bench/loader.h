/*
 * The load generator: BGP routers on kernel TCP that send prepared streams and note what they are
 * told. OPEN, keepalives and timers are the engine's own session (engine/bgp/session.h); UPDATEs
 * bypass it both ways, so that a router of the bench costs next to nothing beside the speaker under
 * test.
 *
 *      stream --fill--> session --> socket ==> speaker ==> socket --> UPDATEs: tally
 *                                                                 --> others: session
 *
 * One thread; every socket is served from bench_loader_turn().
 */
#ifndef BENCH_LOADER_H
#define BENCH_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/stream.h"

struct bench_loader;

/* Router i sits on BENCH_NETNS_PEER(i) and has AS BENCH_LOADER_ASN(i). */
#define BENCH_LOADER_ASN(i) (4200000001u + (uint32_t)(i))
#define BENCH_LOADER_MAX    4096u

struct bench_loader_config {
    uint32_t speaker_asn;
    unsigned routers;
    unsigned receivers; /* the last so many keep a tally of what they are told */
    const struct bench_load *load;
};

/* Makes the routers; they connect from the first turn on. NULL with errno. */
struct bench_loader *bench_loader_create(const struct bench_loader_config *config);
void bench_loader_destroy(struct bench_loader *loader);

/* Router i sends this stream (borrowed) from now on. */
void bench_loader_send(struct bench_loader *loader, unsigned i, const struct bench_stream *stream);
/* Router i goes without a word: its connection is closed and it stays away. */
void bench_loader_kill(struct bench_loader *loader, unsigned i);
/* From now on only what is announced after this counts as fresh. */
void bench_loader_forget_fresh(struct bench_loader *loader);

/* Waits at most wait_ms for something to happen and does what has to be done. */
void bench_loader_turn(struct bench_loader *loader, int wait_ms);

bool bench_loader_established(const struct bench_loader *loader); /* every router that lives */
/* A session that was Established has come to an end that nobody asked for. */
bool bench_loader_broken(const struct bench_loader *loader);
const char *bench_loader_reason(const struct bench_loader *loader); /* why, for people */

/* What the receiver that has least (for held: bench_loader_most() the most) holds now: prefixes of
 * the load, and sentinels; how many prefixes were announced to it since they were forgotten. */
size_t bench_loader_held(const struct bench_loader *loader);
size_t bench_loader_most(const struct bench_loader *loader);
unsigned bench_loader_sentinels(const struct bench_loader *loader);
size_t bench_loader_fresh(const struct bench_loader *loader);
/* When something last changed for a receiver, by bench_now_ns(). */
uint64_t bench_loader_changed_ns(const struct bench_loader *loader);
/* Malformed UPDATEs and unknown prefixes that receivers were told: 0 in a sound run. */
size_t bench_loader_wrong(const struct bench_loader *loader);

#endif
