/*
 * Fuzzing the trie: the input is a script of operations on a few FIBs, applied to the real ones and
 * to a linear model of each (tests/lpm/model.h).
 *
 * What must hold: an operation is refused exactly when lpm.h says so, and the structure is valid
 * after each; every way to look up, single, bulk in every variant and explain, gives what the
 * model gives; each, get, the number of routes and diff agree with the models' lists; nothing is
 * left once all FIBs are released.
 *
 *      first byte   bit 0: IPv6; the others all set: the first base starts large, with a direct
 *                   table (rare and for few steps, because checking all of it takes long)
 *      then         operation, its operands (FIBs, prefixes, leaves), next operation, ...
 *
 * A prefix takes most of its bytes from a small set, so that prefixes meet each other often.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lpm/lpm.h"
#include "lpm/rcu.h"
#include "lpm/routes.h"
#include "tests/lpm/model.h"
#include "tests/lpm/routes_list.h"
#include "tests/must.h"

#define FIBS         6
#define CHANGES_MOST 4
#define BURST        40
#define STEPS_MOST   64
#define STEPS_LARGE  6
#define LARGE        2100 /* routes: beyond what gets a base its direct table */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
    const uint8_t *at, *end;
    struct lpm *lpm;
    enum lpm_family family;
    struct lpm_fib *fibs[FIBS]; /* NULL: a free place */
    struct model_fib *models[FIBS];
};

/* --- Reading the script ------------------------------------------------------------------------ */

static uint8_t next(struct script *script)
{
    return script->at < script->end ? *script->at++ : 0;
}

static unsigned bytes_of(const struct script *script)
{
    return script->family == LPM_IPV4 ? 4 : 16;
}

static void next_bytes(struct script *script, uint8_t bytes[16])
{
    static const uint8_t few[] = {0, 1, 10, 64, 127, 128, 192, 255};
    uint8_t chosen = next(script);

    memset(bytes, 0, 16);
    bytes[0] = 10;
    for (unsigned i = 0; i < bytes_of(script); i++) {
        if (chosen >> i % 8 & 1)
            bytes[i] = few[next(script) % sizeof(few)];
    }
    if (chosen & 0x80)
        bytes[bytes_of(script) - 1] = next(script);
}

static struct lpm_prefix next_prefix(struct script *script)
{
    struct lpm_prefix prefix = {.family = (uint8_t)script->family};

    next_bytes(script, prefix.bytes);
    prefix.length = (uint8_t)(next(script) % (8 * bytes_of(script) + 1));
    lpm_prefix_mask(&prefix);
    return prefix;
}

static struct lpm_address next_address(struct script *script)
{
    struct lpm_address address = {.family = (uint8_t)script->family};

    next_bytes(script, address.bytes);
    return address;
}

static unsigned next_place(struct script *script)
{
    return next(script) % FIBS;
}

/* Good ones, but for a few that must be refused. */
static size_t next_changes(struct script *script, struct lpm_change changes[CHANGES_MOST])
{
    size_t n = next(script) % (CHANGES_MOST + 1);

    for (size_t i = 0; i < n; i++) {
        uint8_t kind = next(script);

        memset(&changes[i], 0, sizeof(changes[i]));
        changes[i].kind = kind % 4 < 2 ? LPM_SET : kind % 4 == 2 ? LPM_REMOVE : LPM_INHERIT;
        changes[i].prefix = next_prefix(script);
        if (changes[i].kind == LPM_SET)
            changes[i].leaf = kind & 0x80 ? LPM_LEAF_MAX : 1 + next(script) % 5;
        if (kind == 0x7c)
            changes[i].leaf = LPM_LEAF_MAX + 1;
        if (kind == 0x78)
            changes[i].prefix.length = (uint8_t)(8 * bytes_of(script) + 1);
    }
    return n;
}

static bool changes_valid(const struct script *script, const struct lpm_change *changes, size_t n,
                          bool derived)
{
    for (size_t i = 0; i < n; i++) {
        if (changes[i].prefix.length > 8 * bytes_of(script) || changes[i].leaf > LPM_LEAF_MAX ||
            (changes[i].kind == LPM_INHERIT && !derived))
            return false;
    }
    return true;
}

/* --- Operations: on the FIB and on its model --------------------------------------------------- */

static bool is_derived(const struct script *script, unsigned place)
{
    return script->models[place] && script->models[place]->base;
}

static void model_changes(struct model_fib *model, const struct lpm_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        model_apply(model, &changes[i]);
}

static void put(struct script *script, unsigned place, struct lpm_fib *fib, struct model_fib *base)
{
    script->fibs[place] = fib;
    script->models[place] = calloc(1, sizeof(struct model_fib));
    MUST(script->models[place]);
    script->models[place]->base = base;
}

/* Drops the claim. Derived FIBs keep the base's routes alive, and its model. */
static void release(struct script *script, unsigned place)
{
    lpm_release(script->fibs[place]);
    script->fibs[place] = NULL;
}

static bool model_needed(const struct script *script, const struct model_fib *model)
{
    for (unsigned i = 0; i < FIBS; i++) {
        if (script->models[i] && script->models[i]->base == model)
            return true;
    }
    return false;
}

/* A place whose FIB is gone is free once no other model stands on its model. */
static void tidy(struct script *script)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < FIBS; i++) {
            if (script->fibs[i] || !script->models[i] || model_needed(script, script->models[i]))
                continue;
            model_clear(script->models[i]);
            free(script->models[i]);
            script->models[i] = NULL;
        }
    }
}

static void create(struct script *script, unsigned place, size_t count)
{
    struct lpm_route *routes = calloc(count + 1, sizeof(*routes));
    struct lpm_fib *fib = NULL;

    MUST(routes);
    for (size_t i = 0; i < count; i++) {
        routes[i].prefix = next_prefix(script);
        routes[i].leaf = 1 + next(script) % 5;
    }
    if (!script->models[place]) {
        MUST(lpm_base_create(script->lpm, script->family, routes, count, &fib) == 0);
        put(script, place, fib, NULL);
        for (size_t i = 0; i < count; i++) {
            struct lpm_change change = {LPM_SET, routes[i].prefix, routes[i].leaf};

            model_apply(script->models[place], &change);
        }
    }
    free(routes);
}

/* Neighbours of 4 host bits each, from 10.0.0.0 or a00:: on, where the script's own prefixes go. */
static void create_large(struct script *script)
{
    struct lpm_route *routes = calloc(LARGE, sizeof(*routes));
    struct lpm_fib *fib = NULL;
    unsigned length = 8 * bytes_of(script) - 4;

    MUST(routes);
    for (uint32_t i = 0; i < LARGE; i++) {
        lpm_key key = (lpm_key)10 << 120 | (lpm_key)i << (128 - length);

        routes[i].prefix.family = (uint8_t)script->family;
        routes[i].prefix.length = (uint8_t)length;
        lpm_key_bytes(key, routes[i].prefix.bytes);
        routes[i].leaf = 1 + i % 5;
    }
    MUST(lpm_base_create(script->lpm, script->family, routes, LARGE, &fib) == 0);
    put(script, 0, fib, NULL);
    script->models[0]->rows = calloc(LARGE, sizeof(struct lpm_change));
    script->models[0]->room = script->models[0]->count = LARGE;
    MUST(script->models[0]->rows);
    for (uint32_t i = 0; i < LARGE; i++)
        script->models[0]->rows[i] = (struct lpm_change){LPM_SET, routes[i].prefix, routes[i].leaf};
    free(routes);
}

static void derive(struct script *script, unsigned base, unsigned place)
{
    struct lpm_change changes[CHANGES_MOST];
    size_t n = next_changes(script, changes);
    struct lpm_fib *fib = NULL;
    bool allowed;

    if (!script->fibs[base] || script->models[place])
        return;
    allowed = !is_derived(script, base) && changes_valid(script, changes, n, true);
    MUST(lpm_derive(script->fibs[base], changes, n, &fib) == (allowed ? 0 : -EINVAL));
    if (!allowed)
        return;
    put(script, place, fib, script->models[base]);
    model_changes(script->models[place], changes, n);
}

static void update(struct script *script, unsigned place)
{
    struct lpm_change changes[CHANGES_MOST];
    size_t n = next_changes(script, changes);
    bool allowed;

    if (!script->fibs[place])
        return;
    allowed = changes_valid(script, changes, n, is_derived(script, place));
    MUST(lpm_update(script->fibs[place], changes, n) == (allowed ? 0 : -EINVAL));
    if (allowed)
        model_changes(script->models[place], changes, n);
}

static void detach(struct script *script, unsigned place)
{

    if (!script->fibs[place])
        return;
    MUST(lpm_detach(script->fibs[place]) == 0);
    if (is_derived(script, place))
        model_detach(script->models[place]);
}

static void rebase(struct script *script, unsigned place)
{
    unsigned base = next_place(script);
    bool allowed;

    if (!script->fibs[place] || !script->fibs[base])
        return;
    allowed = is_derived(script, place) && !is_derived(script, base);
    MUST(lpm_rebase(script->fibs[place], script->fibs[base]) == (allowed ? 0 : -EINVAL));
    if (!allowed)
        return;
    script->models[place]->base = script->models[base];
}

/* --- Questions --------------------------------------------------------------------------------- */

static void look_up(struct script *script, unsigned place)
{
    struct lpm_address address = next_address(script);
    struct lpm_route expected = {0};
    struct lpm_route got = {0};
    bool found;

    if (!script->fibs[place])
        return;
    found = model_lookup(script->models[place], &address, &expected);
    MUST(lpm_lookup(script->fibs[place], &address) == expected.leaf);
    MUST(lpm_explain(script->fibs[place], &address, &got) == found);
    MUST(!found || (got.leaf == expected.leaf && lpm_prefix_equal(&got.prefix, &expected.prefix)));
}

struct burst {
    const struct lpm_fib *fibs[BURST];
    uint32_t addresses4[BURST];
    uint8_t addresses6[BURST][16];
    uint32_t expected[BURST];
    unsigned n;
};

static void fill_burst(struct script *script, struct burst *burst)
{
    unsigned wanted = next(script) % (BURST + 1);

    burst->n = 0;
    for (unsigned i = 0; i < wanted; i++) {
        unsigned place = next_place(script);
        struct lpm_address address = next_address(script);
        struct lpm_route route = {0};

        if (!script->fibs[place])
            continue;
        model_lookup(script->models[place], &address, &route);
        burst->fibs[burst->n] = script->fibs[place];
        burst->addresses4[burst->n] = (uint32_t)(lpm_key_of(address.bytes) >> 96);
        memcpy(burst->addresses6[burst->n], address.bytes, 16);
        burst->expected[burst->n++] = route.leaf;
    }
}

static void look_up_burst(struct script *script)
{
    struct burst burst;
    uint32_t leaves[BURST];

    fill_burst(script, &burst);
    for (const char *const *name = lpm_variants(); *name; name++) {
        MUST(lpm_force_variant(*name) == 0);
        if (script->family == LPM_IPV4)
            lpm_lookup_bulk4(burst.fibs, burst.addresses4, leaves, burst.n);
        else
            lpm_lookup_bulk6(burst.fibs, (const uint8_t(*)[16])burst.addresses6, leaves, burst.n);
        MUST(memcmp(leaves, burst.expected, burst.n * sizeof(leaves[0])) == 0);
    }
    MUST(lpm_force_variant(NULL) == 0);
}

static struct routes_list list_of(const struct model_fib *model)
{
    struct routes_list list;

    list.routes = model_routes(model, &list.count);
    return list;
}

static void check_routes(struct script *script, unsigned place)
{
    struct lpm_prefix prefix = next_prefix(script);
    struct routes_list list;

    if (!script->fibs[place])
        return;
    list = list_of(script->models[place]);
    MUST(routes_list_is_shown(&list, script->fibs[place]));
    MUST(lpm_get(script->fibs[place], &prefix) == model_get(script->models[place], &prefix));
    free(list.routes);
}

static void check_difference(struct script *script, unsigned a, unsigned b)
{
    struct routes_list list_a, list_b;

    if (!script->fibs[a] || !script->fibs[b])
        return;
    list_a = list_of(script->models[a]);
    list_b = list_of(script->models[b]);
    MUST(routes_lists_differ_so(&list_a, script->fibs[a], &list_b, script->fibs[b]));
    free(list_a.routes);
    free(list_b.routes);
}

/* --- The run ----------------------------------------------------------------------------------- */

static void step(struct script *script)
{
    unsigned kind = next(script) % 16;
    unsigned place = next_place(script);

    switch (kind) {
    case 0:
        create(script, place, next(script) % 8);
        break;
    case 1:
    case 2:
        derive(script, place, next_place(script));
        break;
    case 3:
        release(script, place);
        tidy(script);
        break;
    case 4:
        detach(script, place);
        tidy(script);
        break;
    case 5:
        rebase(script, place);
        tidy(script);
        break;
    case 6:
        lpm_rcu_poll();
        break;
    case 7:
        check_routes(script, place);
        break;
    case 8:
        check_difference(script, place, next_place(script));
        break;
    case 9:
        look_up_burst(script);
        break;
    case 10:
    case 11:
        look_up(script, place);
        break;
    default:
        update(script, place);
        break;
    }
}

/* Two bases and a FIB derived from each: most of what can go wrong takes several FIBs. */
static void open_fibs(struct script *script, bool large)
{
    if (large)
        create_large(script);
    else
        create(script, 0, 0);
    create(script, 1, 0);
    derive(script, 0, 2);
    derive(script, 1, 3);
}

static void check_all(struct script *script)
{
    for (unsigned a = 0; a < FIBS; a++) {
        check_routes(script, a);
        for (unsigned b = 0; b < FIBS; b++)
            check_difference(script, a, b);
    }
}

static void finish(struct script *script)
{
    struct lpm_bytes bytes;

    for (unsigned i = 0; i < FIBS; i++)
        release(script, i);
    tidy(script);
    lpm_rcu_barrier();
    lpm_bytes(script->lpm, &bytes);
    MUST(bytes.lookup == 0 && bytes.writer == 0 && bytes.deferred == 0);
    lpm_destroy(script->lpm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {.at = data, .end = data + size, .lpm = lpm_create()};
    uint8_t start = next(&script);
    bool large = (start | 1) == 0xff;

    MUST(script.lpm);
    script.family = start & 1 ? LPM_IPV6 : LPM_IPV4;
    open_fibs(&script, large);
    for (unsigned i = 0; i < (large ? STEPS_LARGE : STEPS_MOST) && script.at < script.end; i++) {
        step(&script);
        MUST(lpm_validate(script.lpm));
    }
    check_all(&script);
    finish(&script);
    return 0;
}
