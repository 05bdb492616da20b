/*
 * Sparse sets of entry ids; see bitset.h for the layout.
 */
#include "engine/rib/bitset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Makes chunks[index] addressable. Doubling keeps a growing table's cost linear. */
static int grow(struct rib_bitset *set, uint32_t index)
{
    uint32_t n = set->n_chunks ? set->n_chunks : 4;
    struct rib_bitset_chunk **chunks;

    while (n <= index)
        n *= 2;
    chunks = realloc(set->chunks, n * sizeof(struct rib_bitset_chunk *));
    if (chunks == NULL)
        return -ENOMEM;
    memset(chunks + set->n_chunks, 0, (n - set->n_chunks) * sizeof(struct rib_bitset_chunk *));
    set->chunks = chunks;
    set->n_chunks = n;
    return 0;
}

int rib_bitset_set(struct rib_bitset *set, uint32_t id)
{
    uint32_t index = id / RIB_BITSET_CHUNK_BITS;
    uint64_t bit = UINT64_C(1) << (id % 64u);
    struct rib_bitset_chunk *chunk;
    uint64_t *word;

    if (index >= set->n_chunks && grow(set, index) < 0)
        return -ENOMEM;
    chunk = set->chunks[index];
    if (chunk == NULL) {
        chunk = calloc(1, sizeof(*chunk));
        if (chunk == NULL)
            return -ENOMEM;
        set->chunks[index] = chunk;
    }
    word = &chunk->words[id / 64u % RIB_BITSET_WORDS];
    if (*word & bit)
        return 0;
    *word |= bit;
    chunk->count++;
    set->count++;
    return 1;
}

bool rib_bitset_clear(struct rib_bitset *set, uint32_t id)
{
    uint32_t index = id / RIB_BITSET_CHUNK_BITS;
    struct rib_bitset_chunk *chunk;

    if (!rib_bitset_test(set, id))
        return false;
    chunk = set->chunks[index];
    chunk->words[id / 64u % RIB_BITSET_WORDS] &= ~(UINT64_C(1) << (id % 64u));
    set->count--;
    if (--chunk->count == 0) {
        free(chunk);
        set->chunks[index] = NULL;
    }
    return true;
}

/* Lowest bit of chunk at or above from (0 .. 4095), or RIB_BITSET_CHUNK_BITS. */
static uint32_t next_in_chunk(const struct rib_bitset_chunk *chunk, uint32_t from)
{
    uint32_t word = from / 64u;
    uint64_t bits = chunk->words[word] >> (from % 64u) << (from % 64u);

    while (bits == 0) {
        if (++word == RIB_BITSET_WORDS)
            return RIB_BITSET_CHUNK_BITS;
        bits = chunk->words[word];
    }
    return word * 64u + (uint32_t)__builtin_ctzll(bits);
}

uint32_t rib_bitset_next(const struct rib_bitset *set, uint32_t from)
{
    uint32_t index = from / RIB_BITSET_CHUNK_BITS;
    uint32_t bit = from % RIB_BITSET_CHUNK_BITS;

    if (set->count == 0)
        return RIB_BITSET_END;
    for (; index < set->n_chunks; index++, bit = 0) {
        if (set->chunks[index] == NULL)
            continue;
        bit = next_in_chunk(set->chunks[index], bit);
        if (bit < RIB_BITSET_CHUNK_BITS)
            return index * RIB_BITSET_CHUNK_BITS + bit;
    }
    return RIB_BITSET_END;
}

void rib_bitset_free(struct rib_bitset *set)
{
    for (uint32_t index = 0; index < set->n_chunks; index++)
        free(set->chunks[index]);
    free(set->chunks);
    memset(set, 0, sizeof(*set));
}
