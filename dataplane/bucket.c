/*
 * Filling bucket tables, and sharing them.
 *
 * Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
 * IEEE/ACM ToN 1998), weighted: for bucket b every member m draws u(b, m) in (0, 1), and the
 * highest of -w / ln(u) has the bucket, so that a member's share is its part of the weights
 * (Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005). What one member
 * scores does not depend on the others, hence
 *   - when a member leaves, exactly its own buckets get a new owner;
 *   - when one comes, it takes buckets and no other pair of members trades any;
 *   - a table can be made from the previous one by looking only at what came and went.
 *
 * No salt: the draw is by the member's own address, so two groups with different members cut the
 * same buckets independently: a flow's choice at one hop says nothing of its choice at the next.
 *
 * Strict balance: Maglev (Eisenbud et al., NSDI 2016). Members take turns at the next free bucket
 * of their own permutation, so shares are even to one bucket, for some moved flows on a change. The
 * number of buckets is a power of two here, hence any odd step visits them all.
 */
#include "dataplane/bucket.h"
#include "dataplane/hash.h"

#include <math.h>
#include <stdlib.h>

/* --- Rendezvous ------------------------------------------------------------------------------- */

struct contest {
    const struct dp_bucket_identity *members;
    unsigned count;
    bool weighted; /* some weights differ */
    uint64_t seeds[DP_GROUP_MEMBER_MAX];
};

/* draw settles it between equal weights without a logarithm; it also breaks ties that rounding
 * makes, in the same order. */
struct score {
    double value;
    uint64_t draw;
};

static bool weights_differ(const struct dp_bucket_identity *members, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        if (members[i].weight != members[0].weight)
            return true;
    }
    return false;
}

static void contest_init(struct contest *contest, const struct dp_bucket_identity *members,
                         unsigned count)
{
    contest->members = members;
    contest->count = count;
    contest->weighted = weights_differ(members, count);
    for (unsigned i = 0; i < count; i++)
        contest->seeds[i] = dp_hash_address(&members[i].address);
}

static struct score score_of(const struct contest *contest, unsigned member, uint32_t bucket)
{
    struct score score = {
        .draw = dp_hash_mix(contest->seeds[member] + bucket * DP_HASH_KEY2),
    };

    if (contest->weighted) {
        /* 53 bits, and half a step up: never 0, never 1. */
        const double u = ((double)(score.draw >> 11) + 0.5) * 0x1p-53;

        score.value = (double)contest->members[member].weight / -log(u);
    }
    return score;
}

/* Strict: of two members that tie in everything the one with the lower address keeps the bucket. */
static bool beats(const struct score *a, const struct score *b)
{
    return a->value > b->value || (a->value == b->value && a->draw > b->draw);
}

static uint8_t winner(const struct contest *contest, uint32_t bucket)
{
    struct score best = score_of(contest, 0, bucket);
    unsigned owner = 0;

    for (unsigned member = 1; member < contest->count; member++) {
        const struct score score = score_of(contest, member, bucket);

        if (beats(&score, &best)) {
            best = score;
            owner = member;
        }
    }
    return (uint8_t)owner;
}

#define GONE UINT8_MAX

/* What changed between two sorted member lists. */
struct difference {
    uint8_t now[DP_GROUP_MEMBER_MAX];       /* old index -> new index, or GONE */
    uint8_t newcomers[DP_GROUP_MEMBER_MAX]; /* new indexes without an old one */
    unsigned newcomer_count;
};

/* A changed weight is a departure and an arrival: its own scores change, no other's. */
static void difference_make(struct difference *difference, const struct dp_bucket_table *previous,
                            const struct contest *contest)
{
    unsigned i = 0;

    difference->newcomer_count = 0;
    memset(difference->now, GONE, sizeof(difference->now));
    for (unsigned j = 0; j < contest->count; j++) {
        const struct dp_bucket_identity *member = &contest->members[j];

        while (i < previous->member_count &&
               lpm_address_compare(&previous->members[i].address, &member->address) < 0)
            i++;
        if (i < previous->member_count &&
            lpm_address_equal(&previous->members[i].address, &member->address) &&
            previous->members[i].weight == member->weight)
            difference->now[i] = (uint8_t)j;
        else
            difference->newcomers[difference->newcomer_count++] = (uint8_t)j;
    }
}

/* A survivor that had the bucket still beats every other survivor: only newcomers challenge it. */
static uint8_t challenge(const struct contest *contest, const struct difference *difference,
                         uint8_t holder, uint32_t bucket)
{
    struct score best;

    if (difference->newcomer_count == 0)
        return holder;
    best = score_of(contest, holder, bucket);
    for (unsigned i = 0; i < difference->newcomer_count; i++) {
        const uint8_t newcomer = difference->newcomers[i];
        const struct score score = score_of(contest, newcomer, bucket);

        if (beats(&score, &best) || (!beats(&best, &score) && newcomer < holder)) {
            best = score;
            holder = newcomer;
        }
    }
    return holder;
}

static void fill_rendezvous(struct dp_bucket_table *table, const struct dp_bucket_table *previous)
{
    struct difference difference;
    struct contest contest;

    contest_init(&contest, table->members, table->member_count);
    if (!previous || previous->strict || previous->bucket_count != table->bucket_count) {
        for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++)
            table->buckets[bucket] = winner(&contest, bucket);
        return;
    }
    difference_make(&difference, previous, &contest);
    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++) {
        const uint8_t holder = difference.now[previous->buckets[bucket]];

        table->buckets[bucket] = holder == GONE ? winner(&contest, bucket)
                                                : challenge(&contest, &difference, holder, bucket);
    }
}

/* --- Maglev ----------------------------------------------------------------------------------- */

struct turn {
    uint32_t position, step; /* in the member's permutation of the buckets */
    uint64_t credit;
};

static uint32_t weight_most(const struct dp_bucket_table *table)
{
    uint32_t most = 0;

    for (unsigned i = 0; i < table->member_count; i++) {
        if (table->members[i].weight > most)
            most = table->members[i].weight;
    }
    return most;
}

static void take_next_free(struct dp_bucket_table *table, struct turn *turn, uint8_t member)
{
    const uint32_t mask = table->bucket_count - 1;

    while (table->buckets[turn->position & mask] != GONE)
        turn->position += turn->step;
    table->buckets[turn->position & mask] = member;
}

/* In each round a member earns its weight and pays the largest weight for a turn: the heaviest has
 * one every round, the others as often as their weight says. */
static void fill_maglev(struct dp_bucket_table *table)
{
    struct turn turns[DP_GROUP_MEMBER_MAX];
    const uint32_t price = weight_most(table);
    uint32_t filled = 0;

    memset(table->buckets, GONE, table->bucket_count);
    for (unsigned i = 0; i < table->member_count; i++) {
        const uint64_t seed = dp_hash_address(&table->members[i].address);

        turns[i] = (struct turn){.position = (uint32_t)seed, .step = (uint32_t)(seed >> 32) | 1};
    }
    while (filled < table->bucket_count) {
        for (unsigned i = 0; i < table->member_count && filled < table->bucket_count; i++) {
            turns[i].credit += table->members[i].weight;
            if (turns[i].credit < price)
                continue;
            turns[i].credit -= price;
            take_next_free(table, &turns[i], (uint8_t)i);
            filled++;
        }
    }
}

/* --- Sharing ---------------------------------------------------------------------------------- */

static uint64_t content_of(const struct dp_bucket_identity *members, unsigned count, bool strict)
{
    uint64_t content = dp_hash_mix(2 * count + strict);

    for (unsigned i = 0; i < count; i++)
        content = dp_hash_mix(content ^ dp_hash_address(&members[i].address)) + members[i].weight;
    return content;
}

static bool table_is(const struct dp_bucket_table *table, const struct dp_bucket_identity *members,
                     unsigned count, bool strict)
{
    if (table->member_count != count || table->strict != strict)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (table->members[i].weight != members[i].weight ||
            !lpm_address_equal(&table->members[i].address, &members[i].address))
            return false;
    }
    return true;
}

static struct dp_bucket_table *table_make(const struct dp_bucket_identity *members, unsigned count,
                                          bool strict, const struct dp_bucket_table *previous)
{
    const uint32_t bucket_count = dp_bucket_count(count);
    struct dp_bucket_table *table = calloc(1, sizeof(*table) + bucket_count);

    if (!table)
        return NULL;
    table->strict = strict;
    table->member_count = count;
    table->bucket_count = bucket_count;
    memcpy(table->members, members, count * sizeof(*members));
    if (strict)
        fill_maglev(table);
    else
        fill_rendezvous(table, previous);
    for (uint32_t bucket = 0; bucket < bucket_count; bucket++)
        table->held[table->buckets[bucket]]++;
    return table;
}

struct dp_bucket_table *dp_bucket_table_get(struct dp_forwarding *forwarding,
                                            const struct dp_bucket_identity *members,
                                            unsigned member_count, bool strict,
                                            const struct dp_bucket_table *previous)
{
    const uint64_t content = content_of(members, member_count, strict);
    struct dp_bucket_table **chain = &forwarding->writer->tables[content % DP_TABLE_CHAINS];
    struct dp_bucket_table *table;

    for (table = *chain; table; table = table->next) {
        if (table->content == content && table_is(table, members, member_count, strict)) {
            table->references++;
            return table;
        }
    }
    table = table_make(members, member_count, strict, previous);
    if (!table)
        return NULL;
    table->content = content;
    table->references = 1;
    table->next = *chain;
    *chain = table;
    return table;
}

void dp_bucket_table_put(struct dp_forwarding *forwarding, struct dp_bucket_table *table)
{
    struct dp_bucket_table **link = &forwarding->writer->tables[table->content % DP_TABLE_CHAINS];

    if (--table->references > 0)
        return;
    while (*link != table)
        link = &(*link)->next;
    *link = table->next;
    free(table);
}
