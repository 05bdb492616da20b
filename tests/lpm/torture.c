/*
 * Readers against a writer at full speed: torture [SECONDS [SEED]].
 *
 * The writer goes through little dances in which some leaf, POISON, is put where no reader may see
 * it: under an override, under a longer prefix, under routes that come and go inside of an override,
 * behind a route that hides the fallback, in a base that the FIB has just left. At each moment every address has a right answer, and none is ever
 * POISON; so a reader that sees it has mixed two states. Every good leaf also names its region, so
 * a torn or stale node shows as a leaf of the wrong place. One address counts up, and may never be
 * seen to go back.
 *
 *      region 0..9    always has a route        10   counter        11..15   holes: route or fallback
 */
#include "lpm/lpm.h"
#include "lpm/rcu.h"
#include "tests/lpm/model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REGIONS  16
#define COUNTER  10
#define HOLES    11
#define BASES    2 /* the first is large enough for a direct table */
#define DERIVED  6
#define FIBS     (BASES + DERIVED)
#define READERS  3
#define FILLER   2200
#define BURST    24
#define POISON   0xdeadu
#define ROUTE    0x100000u
#define FALLBACK 0x200000u
#define COUNT    0x800000u

struct arena {
    enum lpm_family family;
    struct lpm_fib *_Atomic fibs[FIBS];
    unsigned base_of[FIBS]; /* the writer's */
};

static struct arena arenas[2] = {{.family = LPM_IPV4}, {.family = LPM_IPV6}};
static _Atomic bool stop;
static _Atomic unsigned long lookups;
static _Atomic unsigned errors;
static struct model_random writer_random;
static uint32_t counter;

static void fail(const char *what, const struct arena *arena, unsigned fib, unsigned region,
                 uint32_t leaf)
{
    if (atomic_fetch_add(&errors, 1) < 10)
        fprintf(stderr, "%s: IPv%d FIB %u region %u leaf %#x\n", what, arena->family, fib, region,
                leaf);
}

/* --- The writer -------------------------------------------------------------------------------- */

/* A region is 10.R.0.0/16 or fdRR::/16; length says which prefix at its start is meant. */
static struct lpm_prefix region_prefix(const struct arena *arena, unsigned region, unsigned length)
{
    struct lpm_prefix prefix = {(uint8_t)arena->family, (uint8_t)length, {10, (uint8_t)region}};

    if (arena->family == LPM_IPV6)
        prefix.bytes[0] = 0xfd;
    return prefix;
}

static struct lpm_fib *fib_at(struct arena *arena, unsigned which)
{
    return atomic_load_explicit(&arena->fibs[which], memory_order_relaxed);
}

static void apply(struct arena *arena, unsigned which, enum lpm_change_kind kind,
                  struct lpm_prefix prefix, uint32_t leaf)
{
    struct lpm_change change = {kind, prefix, leaf};

    if (lpm_update(fib_at(arena, which), &change, 1) != 0)
        fail("update failed", arena, which, 0, leaf);
}

static void set_region(struct arena *arena, unsigned which, unsigned region, uint32_t leaf)
{
    apply(arena, which, LPM_SET, region_prefix(arena, region, 16), leaf);
}

static uint32_t good(unsigned region)
{
    return ROUTE | region << 12 | model_below(&writer_random, 4096);
}

static void set_fallback(struct arena *arena, unsigned which, enum lpm_change_kind kind,
                         uint32_t leaf)
{
    struct lpm_prefix prefix = {.family = (uint8_t)arena->family};

    apply(arena, which, kind, prefix, leaf);
}

static unsigned any_derived(void)
{
    return BASES + model_below(&writer_random, DERIVED);
}

/* The override goes on before the base is poisoned, and off after it is good again. */
static void dance_override(struct arena *arena)
{
    unsigned derived = any_derived();
    unsigned base = arena->base_of[derived];
    unsigned region = model_below(&writer_random, COUNTER);
    struct lpm_prefix place = region_prefix(arena, region, 16);

    for (unsigned other = BASES; other < FIBS; other++)
        set_region(arena, other, region, good(region));
    apply(arena, derived, LPM_SET, place, good(region));
    set_region(arena, base, region, POISON);
    set_region(arena, base, region, good(region));
    for (unsigned other = BASES; other < FIBS; other++)
        apply(arena, other, LPM_INHERIT, place, 0);
}

/* A longer prefix covers all that readers ask for while a shorter one is poisoned. */
static void dance_cover(struct arena *arena)
{
    unsigned which = model_below(&writer_random, FIBS);
    unsigned region = model_below(&writer_random, COUNTER);
    struct lpm_prefix lower = region_prefix(arena, region, 17);
    struct lpm_prefix upper = lower;

    upper.bytes[2] = 0x80;
    apply(arena, which, LPM_SET, lower, good(region));
    apply(arena, which, LPM_SET, upper, good(region));
    set_region(arena, which, region, POISON);
    if (which < BASES)
        set_region(arena, which, region, good(region));
    else
        apply(arena, which, LPM_INHERIT, region_prefix(arena, region, 16), 0);
    apply(arena, which, which < BASES ? LPM_REMOVE : LPM_INHERIT, lower, 0);
    apply(arena, which, which < BASES ? LPM_REMOVE : LPM_INHERIT, upper, 0);
}

static void set_halves(struct arena *arena, unsigned base, unsigned region, bool come)
{
    struct lpm_prefix half = region_prefix(arena, region, 17);

    for (unsigned i = 0; i < 2; i++, half.bytes[2] = 0x80)
        apply(arena, base, come ? LPM_SET : LPM_REMOVE, half, come ? good(region) : 0);
}

/* Longer routes come and go in the base inside of overrides, around which the base is poisoned. */
static void dance_inside(struct arena *arena)
{
    unsigned base = arena->base_of[any_derived()];
    unsigned region = model_below(&writer_random, COUNTER);
    struct lpm_prefix place = region_prefix(arena, region, 16);

    for (unsigned other = BASES; other < FIBS; other++)
        set_region(arena, other, region, good(region));
    set_region(arena, base, region, POISON);
    for (unsigned i = 0; i < 3; i++) {
        set_halves(arena, base, region, true);
        set_halves(arena, base, region, false);
    }
    set_region(arena, base, region, good(region));
    for (unsigned other = BASES; other < FIBS; other++)
        apply(arena, other, LPM_INHERIT, place, 0);
}

static void fill_holes(struct arena *arena, bool fill)
{
    for (unsigned base = 0; base < BASES; base++) {
        for (unsigned region = HOLES; region < REGIONS; region++)
            apply(arena, base, fill ? LPM_SET : LPM_REMOVE, region_prefix(arena, region, 16),
                  fill ? good(region) : 0);
    }
}

/* The fallback is poisoned only while no hole shows it. */
static void dance_fallback(struct arena *arena)
{
    unsigned which = model_below(&writer_random, FIBS);

    fill_holes(arena, true);
    set_fallback(arena, which, LPM_SET, POISON);
    if (which < BASES || model_below(&writer_random, 2))
        set_fallback(arena, which, LPM_SET, FALLBACK | model_below(&writer_random, 4096));
    else
        set_fallback(arena, which, LPM_INHERIT, 0);
    fill_holes(arena, false);
}

/* The FIB leaves its base, which is poisoned behind it. */
static void dance_leave(struct arena *arena)
{
    unsigned derived = any_derived();
    unsigned base = arena->base_of[derived];
    unsigned region = model_below(&writer_random, COUNTER);

    for (unsigned other = BASES; other < FIBS; other++) {
        if (arena->base_of[other] != base)
            continue;
        arena->base_of[other] = !base;
        if (lpm_rebase(fib_at(arena, other), fib_at(arena, !base)) != 0)
            fail("rebase failed", arena, other, 0, 0);
    }
    set_region(arena, base, region, POISON);
    set_region(arena, base, region, good(region));
}

static void replace_fib(struct arena *arena, unsigned which, struct lpm_fib *fib)
{
    struct lpm_fib *old = fib_at(arena, which);

    lpm_rcu_publish(&arena->fibs[which], fib);
    lpm_release(old);
}

/* A FIB stands alone for a while, then makes room for a new one. */
static void dance_detach(struct arena *arena)
{
    unsigned which = any_derived();
    unsigned base = model_below(&writer_random, BASES);
    unsigned region = model_below(&writer_random, COUNTER);
    struct lpm_change change = {LPM_SET, region_prefix(arena, region, 24), good(region)};
    struct lpm_fib *fib;

    if (lpm_detach(fib_at(arena, which)) != 0 ||
        lpm_derive(fib_at(arena, base), &change, 1, &fib) != 0) {
        fail("detach failed", arena, which, region, 0);
        return;
    }
    arena->base_of[which] = base;
    replace_fib(arena, which, fib);
    apply(arena, which, LPM_INHERIT, change.prefix, 0);
}

/* The small base gets a direct table and loses it again. */
static void dance_sizes(struct arena *arena)
{
    static struct lpm_change changes[FILLER];

    for (unsigned kind = 0; kind < 2; kind++) {
        for (unsigned i = 0; i < FILLER; i++)
            changes[i] = (struct lpm_change){
                kind ? LPM_REMOVE : LPM_SET,
                {(uint8_t)arena->family, 24, {20, (uint8_t)(i >> 8), (uint8_t)i}},
                kind ? 0 : 1 + i};
        if (lpm_update(fib_at(arena, 1), changes, FILLER) != 0)
            fail("filling failed", arena, 1, 0, 0);
    }
}

static void count_up(struct arena *arena)
{
    counter = (counter + 1) & 0x7fffff;
    for (unsigned base = 0; base < BASES; base++)
        set_region(arena, base, COUNTER, COUNT | counter);
}

static void dance(void)
{
    struct arena *arena = &arenas[model_below(&writer_random, 2)];
    unsigned kind = model_below(&writer_random, 200);

    for (unsigned i = 0; i < 20; i++)
        count_up(arena);
    if (kind == 0)
        dance_sizes(arena);
    else if (kind < 20)
        dance_detach(arena);
    else if (kind < 40)
        dance_leave(arena);
    else if (kind < 80)
        dance_fallback(arena);
    else if (kind < 120)
        dance_cover(arena);
    else if (kind < 160)
        dance_inside(arena);
    else
        dance_override(arena);
    lpm_rcu_poll();
}

/* --- The readers ------------------------------------------------------------------------------- */

struct reader {
    pthread_t thread;
    struct model_random random;
    uint32_t counters[2][FIBS];
    unsigned long lookups;
};

/* Bases show poison in dance_override() and dance_leave() by right. */
static void check_leaf(struct reader *reader, unsigned family, unsigned which, unsigned region,
                       uint32_t leaf)
{
    const struct arena *arena = &arenas[family];
    bool in_region =
        (leaf & ~0xffffffu) == 0 && (leaf & 0xf00000) == ROUTE && (leaf >> 12 & 0xff) == region;

    if (which < BASES && region < COUNTER) {
        if (leaf != POISON && !in_region)
            fail("wrong place in a base", arena, which, region, leaf);
    } else if (region == COUNTER) {
        uint32_t *last = &reader->counters[family][which];
        uint32_t ahead = (leaf - *last) & 0x7fffff;

        if ((leaf & COUNT) == 0 || (which < BASES && ahead > 0x3fffff))
            fail("counter went back", arena, which, region, leaf);
        *last = leaf;
    } else if (!in_region && !(region >= HOLES && (leaf & 0xfff000) == FALLBACK)) {
        fail(leaf == POISON ? "poison" : "wrong place", arena, which, region, leaf);
    }
}

struct burst {
    const struct lpm_fib *fibs[BURST];
    unsigned which[BURST], region[BURST];
    uint32_t addresses4[BURST];
    uint8_t addresses6[BURST][16];
    uint32_t leaves[BURST];
};

static void fill_burst(struct reader *reader, struct burst *burst, unsigned family)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint64_t bits = model_random(&reader->random);

        burst->which[i] = (uint32_t)(bits >> 60) % FIBS;
        burst->region[i] = (uint32_t)(bits >> 50) % REGIONS;
        if (burst->region[i] == COUNTER)
            bits = 0; /* what one address shows is ordered; of two, either may be ahead */
        burst->fibs[i] = lpm_rcu_dereference(&arenas[family].fibs[burst->which[i]]);
        burst->addresses4[i] = 10u << 24 | burst->region[i] << 16 | (bits & 0xffff);
        burst->addresses6[i][0] = 0xfd;
        burst->addresses6[i][1] = (uint8_t)burst->region[i];
        memcpy(&burst->addresses6[i][2], &bits, 8);
    }
}

/* One address at a time and with an explanation, now and then. */
static void check_singly(struct reader *reader, const struct burst *burst, unsigned family)
{
    struct lpm_address address = {.family = (uint8_t)arenas[family].family};
    struct lpm_route route;

    for (unsigned i = 0; i < BURST; i += 5) {
        memcpy(address.bytes, burst->addresses6[i], family ? 16 : 4);
        if (!family)
            address.bytes[0] = 10;
        check_leaf(reader, family, burst->which[i], burst->region[i],
                   lpm_lookup(burst->fibs[i], &address));
        if (lpm_explain(burst->fibs[i], &address, &route) &&
            !lpm_prefix_contains(&route.prefix, &address))
            fail("explained by a prefix elsewhere", &arenas[family], burst->which[i],
                 burst->region[i], route.leaf);
    }
}

static void read_burst(struct reader *reader, unsigned family)
{
    static _Thread_local struct burst burst;

    fill_burst(reader, &burst, family);
    if (family == 0)
        lpm_lookup_bulk4(burst.fibs, burst.addresses4, burst.leaves, BURST);
    else
        lpm_lookup_bulk6(burst.fibs, (const uint8_t(*)[16])burst.addresses6, burst.leaves, BURST);
    for (unsigned i = 0; i < BURST; i++)
        check_leaf(reader, family, burst.which[i], burst.region[i], burst.leaves[i]);
    if (model_below(&reader->random, 8) == 0)
        check_singly(reader, &burst, family);
    reader->lookups += BURST;
}

static void *run_reader(void *context)
{
    struct reader *reader = context;

    lpm_rcu_register_thread();
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        read_burst(reader, model_below(&reader->random, 2));
        lpm_rcu_quiescent();
        if (model_below(&reader->random, 1000) == 0) {
            lpm_rcu_offline();
            lpm_rcu_online();
        }
    }
    lpm_rcu_unregister_thread();
    atomic_fetch_add(&lookups, reader->lookups);
    return NULL;
}

/* --- The whole --------------------------------------------------------------------------------- */

static void open_arena(struct lpm *lpm, struct arena *arena)
{
    static struct lpm_route routes[FILLER + REGIONS];

    for (unsigned base = 0; base < BASES; base++) {
        unsigned count = 0;
        struct lpm_fib *fib;

        for (unsigned region = 0; region < HOLES; region++)
            routes[count++] = (struct lpm_route){region_prefix(arena, region, 16),
                                                 region == COUNTER ? COUNT : good(region)};
        routes[count++] = (struct lpm_route){{.family = (uint8_t)arena->family}, FALLBACK};
        for (unsigned i = 0; i < FILLER && base == 0; i++)
            routes[count++] = (struct lpm_route){
                {(uint8_t)arena->family, 24, {30, (uint8_t)(i >> 8), (uint8_t)i}}, 1 + i};
        if (lpm_base_create(lpm, arena->family, routes, count, &fib) != 0)
            exit(2);
        atomic_store(&arena->fibs[base], fib);
    }
    for (unsigned which = BASES; which < FIBS; which++) {
        struct lpm_fib *fib;

        arena->base_of[which] = which % BASES;
        if (lpm_derive(fib_at(arena, which % BASES), NULL, 0, &fib) != 0)
            exit(2);
        atomic_store(&arena->fibs[which], fib);
    }
}

static bool nothing_left(struct lpm *lpm)
{
    struct lpm_bytes bytes;

    for (unsigned family = 0; family < 2; family++) {
        for (unsigned which = 0; which < FIBS; which++)
            lpm_release(fib_at(&arenas[family], which));
    }
    lpm_rcu_barrier();
    lpm_bytes(lpm, &bytes);
    return bytes.lookup == 0 && bytes.writer == 0 && bytes.deferred == 0;
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    struct reader readers[READERS] = {0};
    struct lpm *lpm = lpm_create();
    unsigned long dances = 0;
    double end;

    if (!lpm)
        return 2;
    writer_random.state = seed;
    open_arena(lpm, &arenas[0]);
    open_arena(lpm, &arenas[1]);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].random.state = seed + 100 + i;
        pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]);
    }
    for (end = seconds_now() + seconds; seconds_now() < end; dances++)
        dance();
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i].thread, NULL);
    printf("seed %llu: %lu lookups against %lu dances, %u errors\n", (unsigned long long)seed,
           lookups, dances, errors);
    if (!lpm_validate(lpm) || !nothing_left(lpm)) {
        fprintf(stderr, "invalid in the end, or memory is left over\n");
        return 1;
    }
    lpm_destroy(lpm);
    return errors != 0;
}
