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

#include <errno.h>
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

/* What changed between two sorted member lists. */
struct difference {
    uint8_t now[DP_GROUP_MEMBER_MAX];       /* old index -> new index, or DP_BUCKET_GONE */
    uint8_t newcomers[DP_GROUP_MEMBER_MAX]; /* new indexes without an old one */
    unsigned newcomer_count;
};

/* A changed weight is a departure and an arrival: its own scores change, no other's. */
static void difference_make(struct difference *difference, const struct dp_bucket_table *previous,
                            const struct contest *contest)
{
    unsigned i = 0;

    difference->newcomer_count = 0;
    memset(difference->now, DP_BUCKET_GONE, sizeof(difference->now));
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

        table->buckets[bucket] = holder == DP_BUCKET_GONE
                                     ? winner(&contest, bucket)
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

    while (table->buckets[turn->position & mask] != DP_BUCKET_GONE)
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

    memset(table->buckets, DP_BUCKET_GONE, table->bucket_count);
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

/* --- Filling ---------------------------------------------------------------------------------- */

/* Room for the members' table; empty. */
static struct dp_bucket_table *table_room(const struct dp_bucket_identity *members, unsigned count,
                                          uint32_t bucket_count, bool strict)
{
    struct dp_bucket_table *table = calloc(1, sizeof(*table) + bucket_count);

    if (!table)
        return NULL;
    table->strict = strict;
    table->member_count = count;
    table->bucket_count = bucket_count;
    memcpy(table->members, members, count * sizeof(*members));
    return table;
}

static void fill_pure(struct dp_bucket_table *table, const struct dp_bucket_table *previous)
{
    if (table->strict)
        fill_maglev(table);
    else
        fill_rendezvous(table, previous && !previous->history ? previous : NULL);
}

/* Who is draining is passed over, as if he was not there. */
static int fill_without_draining(struct dp_bucket_table *table)
{
    struct dp_bucket_identity staying[DP_GROUP_MEMBER_MAX];
    uint8_t index[DP_GROUP_MEMBER_MAX];
    struct dp_bucket_table *pure;
    unsigned count = 0;

    for (unsigned i = 0; i < table->member_count; i++) {
        if (table->members[i].draining)
            continue;
        staying[count] = table->members[i];
        index[count++] = (uint8_t)i;
    }
    pure = table_room(staying, count, table->bucket_count, table->strict);
    if (!pure)
        return -ENOMEM;
    fill_pure(pure, NULL);
    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++)
        table->buckets[bucket] = index[pure->buckets[bucket]];
    free(pure);
    return 0;
}

/* --- Sharing ---------------------------------------------------------------------------------- */

static uint64_t content_of(const struct dp_bucket_request *request)
{
    const struct dp_patience *patience = &request->patience;
    uint64_t content = dp_hash_mix(2 * request->member_count + request->strict);

    if (patience->forced_ms > 0)
        content = dp_hash_mix(content ^ ((uint64_t)patience->idle_ms << 32 | patience->forced_ms)) +
                  patience->sticky;
    for (unsigned i = 0; i < request->member_count; i++) {
        const struct dp_bucket_identity *member = &request->members[i];

        content = dp_hash_mix(content ^ dp_hash_address(&member->address)) + 2 * member->weight +
                  member->draining;
    }
    return content;
}

static bool patience_equal(const struct dp_patience *a, const struct dp_patience *b)
{
    return a->sticky == b->sticky && a->idle_ms == b->idle_ms && a->forced_ms == b->forced_ms;
}

static bool table_is(const struct dp_bucket_table *table, const struct dp_bucket_request *request)
{
    if (table->member_count != request->member_count || table->strict != request->strict ||
        !patience_equal(&table->patience, &request->patience))
        return false;
    for (unsigned i = 0; i < request->member_count; i++) {
        const struct dp_bucket_identity *member = &request->members[i];

        if (table->members[i].weight != member->weight ||
            table->members[i].draining != member->draining ||
            !lpm_address_equal(&table->members[i].address, &member->address))
            return false;
    }
    return true;
}

/* A table with a history that only readers of a moment ago still have: what was since counts. */
static bool is_past(const struct dp_bucket_table *table)
{
    return table->patience.forced_ms > 0 && table->in_force == 0;
}

/* What makes no difference to a table is left out of what it is known by. */
static struct dp_bucket_request normalized(const struct dp_bucket_request *asked)
{
    struct dp_bucket_request request = *asked;
    unsigned draining = 0;

    for (unsigned i = 0; i < request.member_count; i++)
        draining += request.members[i].draining;
    for (unsigned i = 0; i < request.member_count && draining == request.member_count; i++)
        request.members[i].draining = false;
    if (!request.patience.sticky && (draining == 0 || draining == request.member_count))
        request.patience = (struct dp_patience){0};
    return request;
}

static unsigned members_in_common(const struct dp_bucket_table *table,
                                  const struct dp_bucket_request *request)
{
    unsigned common = 0;

    for (unsigned i = 0, j = 0; i < table->member_count && j < request->member_count;) {
        const int order =
            lpm_address_compare(&table->members[i].address, &request->members[j].address);

        common += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return common;
}

/* Of a set that is new in this form: the table whose flows it takes over, most likely. A prefix that
 * gets another next hop gets another group, and the group that it had is still there meanwhile. */
static const struct dp_bucket_table *find_like(const struct dp_forwarding *forwarding,
                                               const struct dp_bucket_request *request)
{
    const struct dp_bucket_table *best = NULL;
    unsigned most = 0;

    for (unsigned chain = 0; chain < DP_TABLE_CHAINS; chain++) {
        const struct dp_bucket_table *table = forwarding->writer->tables[chain];

        for (; table; table = table->next) {
            const unsigned common = table->patience.sticky ? members_in_common(table, request) : 0;

            if (common < most || common == 0 ||
                (common == most && best && best->member_count <= table->member_count))
                continue;
            best = table;
            most = common;
        }
    }
    return best;
}

static void table_free(struct dp_bucket_table *table)
{
    dp_bucket_history_destroy(table->history);
    free(table);
}

/* A request that is normalized has patience where something may wait. */
static struct dp_bucket_table *table_make(struct dp_forwarding *forwarding,
                                          const struct dp_bucket_request *request,
                                          const struct dp_bucket_table *previous)
{
    const uint32_t bucket_count = dp_bucket_count(request->member_count, request->patience.sticky);
    struct dp_bucket_table *table =
        table_room(request->members, request->member_count, bucket_count, request->strict);
    bool draining = false;

    if (!table)
        return NULL;
    table->patience = request->patience;
    for (unsigned i = 0; i < request->member_count; i++)
        draining |= request->members[i].draining;
    if (!draining)
        fill_pure(table, previous);
    else if (fill_without_draining(table) < 0)
        goto fail;
    if (request->patience.forced_ms > 0 && bucket_count > 1) {
        table->history = dp_bucket_history_create(forwarding, bucket_count);
        if (!table->history)
            goto fail;
        if (!previous && request->patience.sticky)
            previous = find_like(forwarding, request);
        dp_bucket_history_begin(forwarding, table, previous);
        forwarding->writer->unsettled += table->history->unsettled > 0;
    }
    for (uint32_t bucket = 0; bucket < bucket_count; bucket++)
        table->held[table->buckets[bucket]]++;
    return table;
fail:
    table_free(table);
    return NULL;
}

struct dp_bucket_table *dp_bucket_table_get(struct dp_forwarding *forwarding,
                                            const struct dp_bucket_request *asked,
                                            const struct dp_bucket_table *previous)
{
    const struct dp_bucket_request request = normalized(asked);
    const uint64_t content = content_of(&request);
    struct dp_bucket_table **chain = &forwarding->writer->tables[content % DP_TABLE_CHAINS];
    struct dp_bucket_table *table;

    for (table = *chain; table; table = table->next) {
        if (table->content != content || !table_is(table, &request) || is_past(table))
            continue;
        table->references++;
        table->in_force++;
        return table;
    }
    table = table_make(forwarding, &request, previous);
    if (!table)
        return NULL;
    table->content = content;
    table->references = table->in_force = 1;
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
    forwarding->writer->unsettled -= table->history && table->history->unsettled > 0;
    table_free(table);
}
