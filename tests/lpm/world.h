/*
 * A world of FIBs and their models: random operations on both, and the comparison.
 */
#ifndef TESTS_LPM_WORLD_H
#define TESTS_LPM_WORLD_H

#include "tests/lpm/model.h"

#define WORLD_BASES 3
#define WORLD_FIBS  12

/* Sanitizers make a step some twenty times slower. */
#ifdef FINGERPOST_SANITIZE
#define WORLD_STEPS(n) ((n) / 10)
#else
#define WORLD_STEPS(n) (n)
#endif

struct world {
    struct lpm *lpm;
    enum lpm_family family;
    struct model_random random;
    struct lpm_fib *fibs[WORLD_FIBS]; /* the first WORLD_BASES are bases */
    struct model_fib models[WORLD_FIBS];
};

/* Empty bases, and FIBs derived from them in turn. */
void world_open(struct world *world, enum lpm_family family, uint64_t seed);
/* Releases everything and says whether no byte is left. */
bool world_close(struct world *world);

/* A prefix like those that meet each other often: few bytes, nested, of every length. */
struct lpm_prefix world_prefix(struct world *world);
/* An address in one of the FIB's own rows, most often, else anywhere near. */
struct lpm_address world_address(struct world *world, unsigned which);
void world_changes(struct world *world, unsigned which, struct lpm_change *changes, size_t n);

/* One random operation on one random FIB, in both. Returns what the operation returned; the model
 * follows only where that is 0. */
int world_step(struct world *world);
/* Compares lookup and explain of every FIB at random addresses; false after printing the first
 * difference. */
bool world_agrees(struct world *world, unsigned addresses);
/* Compares all that every FIB shows: each, get, number of routes. */
bool world_shows(struct world *world);

#endif
