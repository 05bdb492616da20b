/*
 * Drawing the addresses that are looked up.
 */
#include "bench/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/many.h"
#include "bench/random.h"

#define KEYS_SEED 99
#define FLOWS     ((size_t)1 << 20)

const char *bench_keys_name(enum bench_key_kind kind)
{
    static const char *const names[] = {"U", "P", "Z", "half-private"};

    return names[kind];
}

static void random_bytes(struct bench_random *random, uint8_t bytes[16])
{
    uint64_t words[2] = {bench_random_next(random), bench_random_next(random)};

    memcpy(bytes, words, 16);
}

void bench_address_in(const struct lpm_prefix *prefix, struct bench_random *random,
                      struct lpm_address *address)
{
    unsigned whole = prefix->length / 8;
    uint8_t kept = (uint8_t) ~(0xff >> prefix->length % 8); /* of the byte where the prefix ends */

    *address = (struct lpm_address){.family = prefix->family};
    random_bytes(random, address->bytes);
    memcpy(address->bytes, prefix->bytes, whole);
    if (whole < 16 && kept != 0)
        address->bytes[whole] =
            (uint8_t)((address->bytes[whole] & ~kept) | (prefix->bytes[whole] & kept));
    if (address->family == LPM_IPV4)
        memset(address->bytes + 4, 0, 12);
}

static void draw_uniform(enum lpm_family family, struct bench_random *random,
                         struct lpm_address *address)
{
    struct lpm_prefix all = {.family = (uint8_t)family, .length = family == LPM_IPV4 ? 0 : 3};

    all.bytes[0] = family == LPM_IPV4 ? 0 : 0x20;
    bench_address_in(&all, random, address);
}

static void draw_in_prefix(const struct bench_table *table, struct bench_random *random,
                           struct lpm_address *address)
{
    const struct lpm_route *route = &table->routes[bench_random_below(random, table->n)];

    bench_address_in(&route->prefix, random, address);
}

static void put_key(struct bench_keys *keys, size_t i, const struct lpm_address *address)
{
    const uint8_t *bytes = address->bytes;

    if (keys->family == LPM_IPV4)
        keys->v4[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                      (uint32_t)bytes[2] << 8 | bytes[3];
    else
        memcpy(keys->v6[i], bytes, 16);
}

static int draw_zipf(const struct bench_table *table, struct bench_random *random,
                     struct bench_keys *keys)
{
    struct lpm_address *flows = malloc(FLOWS * sizeof(*flows));

    if (!flows)
        return -ENOMEM;
    for (size_t i = 0; i < FLOWS; i++)
        draw_in_prefix(table, random, &flows[i]);
    for (size_t i = 0; i < keys->n; i++)
        put_key(keys, i, &flows[bench_zipf(bench_random_next(random), FLOWS)]);
    free(flows);
    return 0;
}

static void draw_each(enum bench_key_kind kind, const struct bench_table *table,
                      struct bench_random *random, struct bench_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        struct lpm_address address;
        if (kind == BENCH_KEYS_U)
            draw_uniform(table->family, random, &address);
        else if (kind == BENCH_KEYS_PRIVATE && bench_random_next(random) >> 63)
            bench_private_address(table->family, random, &address);
        else
            draw_in_prefix(table, random, &address);
        put_key(keys, i, &address);
    }
}

int bench_keys_draw(enum bench_key_kind kind, const struct bench_table *table, size_t n,
                    struct bench_keys *keys)
{
    struct bench_random random = {.state = KEYS_SEED + (unsigned)kind};
    int result = 0;

    *keys = (struct bench_keys){.family = table->family, .n = n};
    keys->any = bench_memory(n * (table->family == LPM_IPV4 ? sizeof(uint32_t) : 16));
    if (!keys->any)
        return -ENOMEM;
    if (kind == BENCH_KEYS_Z)
        result = draw_zipf(table, &random, keys);
    else
        draw_each(kind, table, &random, keys);
    if (result < 0)
        bench_keys_free(keys);
    return result;
}

void bench_keys_free(struct bench_keys *keys)
{
    free(keys->any);
    *keys = (struct bench_keys){0};
}

struct lpm_address bench_keys_address(const struct bench_keys *keys, size_t i)
{
    struct lpm_address address = {.family = (uint8_t)keys->family};

    if (keys->family == LPM_IPV6) {
        memcpy(address.bytes, keys->v6[i], 16);
        return address;
    }
    for (unsigned byte = 0; byte < 4; byte++)
        address.bytes[byte] = (uint8_t)(keys->v4[i] >> (24 - 8 * byte));
    return address;
}

const void *bench_keys_at(const struct bench_keys *keys, size_t i)
{
    if (keys->family == LPM_IPV4)
        return keys->v4 + i;
    return keys->v6 + i;
}
