/*
 * A sparse set of entry ids: one bit per id, in chunks that exist only while they hold a bit.
 *
 *   chunks[] -> NULL          ids     0 .. 4095: none here
 *            -> chunk         ids  4096 .. 8191: count + 64 words
 *
 * The speaker keeps several of these per peer (what it announced, what it was told, what it still
 * has to be told). A dense set costs an eighth of a byte per id, which is what lets a thousand
 * peers have an index of their own; a set of few ids costs a chunk each. Walking skips absent
 * chunks whole.
 */
#ifndef ENGINE_RIB_BITSET_H
#define ENGINE_RIB_BITSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIB_BITSET_END        UINT32_MAX
#define RIB_BITSET_CHUNK_BITS 4096u
#define RIB_BITSET_WORDS      (RIB_BITSET_CHUNK_BITS / 64u)

struct rib_bitset_chunk {
    uint32_t count; /* bits set; the chunk is freed when it falls to 0 */
    uint64_t words[RIB_BITSET_WORDS];
};

/* All zero is the empty set. */
struct rib_bitset {
    struct rib_bitset_chunk **chunks;
    uint32_t n_chunks; /* length of chunks */
    size_t count;      /* ids in the set */
};

/* Adds id: 1 when it is new, 0 when it was there, -ENOMEM with the set as it was. */
int rib_bitset_set(struct rib_bitset *set, uint32_t id);
/* Removes id; true when it was there. */
bool rib_bitset_clear(struct rib_bitset *set, uint32_t id);
/* The lowest id >= from, or RIB_BITSET_END. */
uint32_t rib_bitset_next(const struct rib_bitset *set, uint32_t from);
/* Empties the set and gives its memory back. */
void rib_bitset_free(struct rib_bitset *set);
/* Empties the set, which will soon be filled again: the index of chunks stays. */
void rib_bitset_empty(struct rib_bitset *set);

/* Words: 64 ids at once, word w being ids 64 w .. 64 w + 63. */

/* Adds the ids of bits: 0, or -ENOMEM with the set as it was. */
int rib_bitset_add_word(struct rib_bitset *set, uint32_t word, uint64_t bits);
/* Adds the ids of another set: 0, or -ENOMEM with some of them added. */
int rib_bitset_add_all(struct rib_bitset *set, const struct rib_bitset *from);
void rib_bitset_remove_word(struct rib_bitset *set, uint32_t word, uint64_t bits);

static inline bool rib_bitset_test(const struct rib_bitset *set, uint32_t id)
{
    uint32_t index = id / RIB_BITSET_CHUNK_BITS;

    if (index >= set->n_chunks || set->chunks[index] == NULL)
        return false;
    return set->chunks[index]->words[id / 64u % RIB_BITSET_WORDS] >> (id % 64u) & 1u;
}

static inline uint64_t rib_bitset_word(const struct rib_bitset *set, uint32_t word)
{
    uint32_t index = word / RIB_BITSET_WORDS;

    if (index >= set->n_chunks || set->chunks[index] == NULL)
        return 0;
    return set->chunks[index]->words[word % RIB_BITSET_WORDS];
}

/* The lowest word >= from that is not 0, or RIB_BITSET_END. */
static inline uint32_t rib_bitset_next_word(const struct rib_bitset *set, uint32_t from)
{
    uint32_t id = rib_bitset_next(set, from * 64u);

    return id == RIB_BITSET_END ? RIB_BITSET_END : id / 64u;
}

#endif
