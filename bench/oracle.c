/*
 * A binary trie in one array that doubles. Node 0 is the root, so 0 as a child means none.
 */
#include "bench/oracle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODES_AT_START ((size_t)1 << 16)

struct node {
    uint32_t child[2];
    uint32_t leaf; /* LPM_NO_ROUTE: no prefix ends here */
};

struct bench_oracle {
    struct node *nodes;
    size_t n, room;
};

struct bench_oracle *bench_oracle_create(void)
{
    struct bench_oracle *oracle = calloc(1, sizeof(*oracle));

    if (!oracle)
        return NULL;
    oracle->nodes = calloc(NODES_AT_START, sizeof(*oracle->nodes));
    oracle->room = NODES_AT_START;
    oracle->n = 1;
    if (oracle->nodes)
        return oracle;
    free(oracle);
    return NULL;
}

void bench_oracle_destroy(struct bench_oracle *oracle)
{
    if (!oracle)
        return;
    free(oracle->nodes);
    free(oracle);
}

/* Room for all the nodes that one prefix may need. */
static int reserve(struct bench_oracle *oracle)
{
    if (oracle->n + 128 <= oracle->room)
        return 0;
    struct node *larger = realloc(oracle->nodes, 2 * oracle->room * sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    oracle->nodes = larger;
    oracle->room *= 2;
    return 0;
}

static unsigned bit_of(const uint8_t bytes[16], unsigned i)
{
    return bytes[i / 8] >> (7 - i % 8) & 1;
}

/* A removal leaves its nodes: they cost nothing but memory, and the trie is thrown away soon. */
int bench_oracle_change(struct bench_oracle *oracle, const struct lpm_change *change)
{
    uint32_t at = 0;

    if (reserve(oracle) < 0)
        return -ENOMEM;
    for (unsigned i = 0; i < change->prefix.length; i++) {
        uint32_t *child = &oracle->nodes[at].child[bit_of(change->prefix.bytes, i)];
        if (*child == 0) {
            *child = (uint32_t)oracle->n++;
            oracle->nodes[*child] = (struct node){0};
        }
        at = *child;
    }
    oracle->nodes[at].leaf = change->kind == LPM_SET ? change->leaf : LPM_NO_ROUTE;
    return 0;
}

struct bench_oracle *bench_oracle_of(const struct bench_table *table)
{
    struct bench_oracle *oracle = bench_oracle_create();

    for (size_t i = 0; oracle && i < table->n; i++) {
        struct lpm_change change = {LPM_SET, table->routes[i].prefix, table->routes[i].leaf};
        if (bench_oracle_change(oracle, &change) < 0) {
            bench_oracle_destroy(oracle);
            errno = ENOMEM;
            return NULL;
        }
    }
    return oracle;
}

void bench_oracle_matches(const struct bench_oracle *oracle, const struct lpm_address *address,
                          uint32_t leaves[129])
{
    unsigned bits = address->family == LPM_IPV4 ? 32 : 128;
    uint32_t at = 0;

    memset(leaves, 0, 129 * sizeof(leaves[0]));
    for (unsigned i = 0;; i++) {
        leaves[i] = oracle->nodes[at].leaf;
        if (i == bits)
            return;
        at = oracle->nodes[at].child[bit_of(address->bytes, i)];
        if (at == 0)
            return;
    }
}

uint32_t bench_oracle_lookup(const struct bench_oracle *oracle, const struct lpm_address *address)
{
    unsigned bits = address->family == LPM_IPV4 ? 32 : 128;
    uint32_t leaf = LPM_NO_ROUTE, at = 0;

    for (unsigned i = 0;; i++) {
        if (oracle->nodes[at].leaf != LPM_NO_ROUTE)
            leaf = oracle->nodes[at].leaf;
        if (i == bits)
            return leaf;
        at = oracle->nodes[at].child[bit_of(address->bytes, i)];
        if (at == 0)
            return leaf;
    }
}

uint32_t *bench_oracle_answers(const struct bench_oracle *oracle, const struct bench_keys *keys)
{
    uint32_t *answers = malloc(keys->n * sizeof(*answers));

    for (size_t i = 0; answers && i < keys->n; i++) {
        struct lpm_address address = bench_keys_address(keys, i);
        answers[i] = bench_oracle_lookup(oracle, &address);
    }
    return answers;
}
