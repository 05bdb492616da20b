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

/* The chunk with this word, made when it is not there; NULL: no memory. */
static struct rib_bitset_chunk *obtain_chunk(struct rib_bitset *set, uint32_t word)
{
    uint32_t index = word / RIB_BITSET_WORDS;

    if (index >= set->n_chunks && grow(set, index) < 0)
        return NULL;
    if (set->chunks[index] == NULL)
        set->chunks[index] = calloc(1, sizeof(struct rib_bitset_chunk));
    return set->chunks[index];
}

static void drop_chunk(struct rib_bitset *set, uint32_t index)
{
    free(set->chunks[index]);
    set->chunks[index] = NULL;
}

int rib_bitset_set(struct rib_bitset *set, uint32_t id)
{
    struct rib_bitset_chunk *chunk = obtain_chunk(set, id / 64u);
    uint64_t bit = UINT64_C(1) << (id % 64u);
    uint64_t *word;

    if (chunk == NULL)
        return -ENOMEM;
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
    if (--chunk->count == 0)
        drop_chunk(set, index);
    return true;
}

int rib_bitset_add_word(struct rib_bitset *set, uint32_t word, uint64_t bits)
{
    struct rib_bitset_chunk *chunk = bits == 0 ? NULL : obtain_chunk(set, word);
    unsigned added;

    if (chunk == NULL)
        return bits == 0 ? 0 : -ENOMEM;
    added = (unsigned)__builtin_popcountll(bits & ~chunk->words[word % RIB_BITSET_WORDS]);
    chunk->words[word % RIB_BITSET_WORDS] |= bits;
    chunk->count += added;
    set->count += added;
    return 0;
}

void rib_bitset_remove_word(struct rib_bitset *set, uint32_t word, uint64_t bits)
{
    uint64_t gone = rib_bitset_word(set, word) & bits;
    uint32_t index = word / RIB_BITSET_WORDS;
    struct rib_bitset_chunk *chunk;

    if (gone == 0)
        return;
    chunk = set->chunks[index];
    chunk->words[word % RIB_BITSET_WORDS] &= ~gone;
    chunk->count -= (unsigned)__builtin_popcountll(gone);
    set->count -= (unsigned)__builtin_popcountll(gone);
    if (chunk->count == 0)
        drop_chunk(set, index);
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

void rib_bitset_empty(struct rib_bitset *set)
{
    for (uint32_t index = 0; set->count > 0 && index < set->n_chunks; index++) {
        free(set->chunks[index]);
        set->chunks[index] = NULL;
    }
    set->count = 0;
}

void rib_bitset_free(struct rib_bitset *set)
{
    rib_bitset_empty(set);
    free(set->chunks);
    memset(set, 0, sizeof(*set));
}

int rib_bitset_add_all(struct rib_bitset *set, const struct rib_bitset *from)
{
    int error = 0;

    for (uint32_t word = rib_bitset_next_word(from, 0); error == 0 && word != RIB_BITSET_END;
         word = rib_bitset_next_word(from, word + 1))
        error = rib_bitset_add_word(set, word, rib_bitset_word(from, word));
    return error;
}
