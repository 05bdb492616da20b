/*
 * The table of interned sets: linear hashing with chains.
 *
 *     segments[0]: FIRST buckets, segments[k]: FIRST << (k - 1) more     bucket -> set -> set ...
 *
 * A table that doubles at once would stall the control loop for tens of milliseconds when it holds
 * hundreds of thousands of sets. Here each insertion beyond one set a bucket splits one bucket:
 * cost is spread evenly and nothing is ever copied. The buckets below `split`, and those that came
 * from them, are addressed with one more bit of the hash than the others. Buckets are never joined
 * again: a table keeps the size of its fullest day, 8 bytes for a set.
 */
#include "engine/bgp/attribute_private.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_BITS 8u
#define FIRST      (1u << FIRST_BITS)
#define SEGMENTS   (32u - FIRST_BITS)

struct bgp_attribute_table {
    struct bgp_attributes **segments[SEGMENTS];
    uint32_t round; /* buckets at the start of this doubling: a power of two */
    uint32_t split; /* of these, how many have been split: buckets = round + split */
    size_t count;
    size_t bytes; /* of sets */
};

/* Segment k > 0 holds the buckets whose highest bit is FIRST_BITS + k - 1, so the bit scan finds
 * it. */
static struct bgp_attributes **bucket_at(const struct bgp_attribute_table *table, uint32_t bucket)
{
    if (bucket < FIRST) {
        return &table->segments[0][bucket];
    }
    unsigned top = 31u - (unsigned)__builtin_clz(bucket);
    return &table->segments[top - FIRST_BITS + 1][bucket - (1u << top)];
}

/* A bucket below split has been split in this round: one more bit of the hash tells which half. */
static uint32_t bucket_of(const struct bgp_attribute_table *table, uint32_t hash)
{
    uint32_t bucket = hash & (table->round - 1);
    return bucket < table->split ? hash & (2 * table->round - 1) : bucket;
}

struct bgp_attribute_table *bgp_attribute_table_create(void)
{
    struct bgp_attribute_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    table->round = FIRST;
    table->segments[0] = calloc(FIRST, sizeof *table->segments[0]);
    if (table->segments[0] == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

void bgp_attribute_table_destroy(struct bgp_attribute_table *table)
{
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 0; i < table->round + table->split; i++) {
        struct bgp_attributes *next;
        for (struct bgp_attributes *at = *bucket_at(table, i); at != NULL; at = next) {
            next = at->next;
            free(at);
        }
    }
    for (unsigned i = 0; i < SEGMENTS; i++) {
        free(table->segments[i]);
    }
    free(table);
}

/* Splits the next bucket. Without memory the chains just grow longer. */
static void table_split(struct bgp_attribute_table *table)
{
    uint32_t target = table->round + table->split;
    if (table->split == 0) {
        unsigned segment = 31u - (unsigned)__builtin_clz(target) - FIRST_BITS + 1;
        if (segment >= SEGMENTS) {
            return;
        }
        if (table->segments[segment] == NULL) {
            table->segments[segment] = calloc(target, sizeof *table->segments[segment]);
        }
        if (table->segments[segment] == NULL) {
            return;
        }
    }
    struct bgp_attributes **low = bucket_at(table, table->split), **high = bucket_at(table, target);
    while (*low != NULL) {
        struct bgp_attributes *at = *low;
        if (at->hash & table->round) {
            *low = at->next;
            at->next = *high;
            *high = at;
        } else {
            low = &at->next;
        }
    }
    if (++table->split == table->round) {
        table->round *= 2;
        table->split = 0;
    }
}

size_t bgp_attribute_table_count(const struct bgp_attribute_table *table)
{
    return table->count;
}

size_t bgp_attribute_table_bytes(const struct bgp_attribute_table *table)
{
    /* Segments are whole powers of two, so the last one reaches beyond the buckets in use. */
    size_t buckets = table->split > 0 ? 2 * (size_t)table->round : table->round;
    return sizeof *table + buckets * sizeof(struct bgp_attributes *) + table->bytes;
}

const char *bgp_origin_text(enum bgp_origin origin)
{
    static const char *const texts[] = {
        [BGP_ORIGIN_IGP] = "IGP",
        [BGP_ORIGIN_EGP] = "EGP",
        [BGP_ORIGIN_INCOMPLETE] = "Incomplete",
    };

    return (unsigned)origin < sizeof(texts) / sizeof(texts[0]) ? texts[origin] : "unknown";
}

/* --- References ------------------------------------------------------------------------------- */

/* Sets are handed out as const so that nobody writes them; the table is who may. */
static struct bgp_attributes *writable(const struct bgp_attributes *attributes)
{
    return (struct bgp_attributes *)(uintptr_t)attributes;
}

/* What stands behind the bytes of a set that policy made. */
struct tail {
    const struct bgp_attributes *received; /* one reference held */
    uint32_t weight;
    uint64_t mark;
};
#define TAIL_RECEIVED (sizeof(const struct bgp_attributes *) + sizeof(uint32_t) + sizeof(uint64_t))

static size_t link_local_size(const struct bgp_attributes *attributes)
{
    return attributes->flags & BGP_HAS_LINK_LOCAL ? 16 : 0;
}

/* The link-local next hop is rare (IPv6 on a shared link), and so are sets that policy changed: they
 * cost nothing where they are not. */
static size_t tail_size(const struct bgp_attributes *attributes)
{
    return link_local_size(attributes) + (attributes->flags & BGP_HAS_RECEIVED ? TAIL_RECEIVED : 0);
}

/* By copy: nothing aligns what stands behind the bytes. */
static struct tail tail_of(const struct bgp_attributes *attributes)
{
    const uint8_t *at = attributes->bytes + attributes->size + link_local_size(attributes);
    struct tail tail;
    memcpy(&tail.received, at, sizeof tail.received);
    memcpy(&tail.weight, at + sizeof tail.received, sizeof tail.weight);
    memcpy(&tail.mark, at + sizeof tail.received + sizeof tail.weight, sizeof tail.mark);
    return tail;
}

const struct bgp_attributes *bgp_attributes_hold(const struct bgp_attributes *attributes)
{
    writable(attributes)->references++;
    return attributes;
}

/* A chain is one or two sets long, so finding the link again is cheaper than a back pointer in
 * each set. */
void bgp_attributes_release(struct bgp_attribute_table *table,
                            const struct bgp_attributes *attributes)
{
    if (attributes == NULL || --writable(attributes)->references > 0) {
        return;
    }
    struct bgp_attributes **link = bucket_at(table, bucket_of(table, attributes->hash));
    while (*link != attributes) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = attributes->next;
    table->count--;
    table->bytes -= sizeof *attributes + attributes->size + tail_size(attributes);
    const struct bgp_attributes *received =
        attributes->flags & BGP_HAS_RECEIVED ? tail_of(attributes).received : NULL;
    free(writable(attributes));
    bgp_attributes_release(table, received); /* as received, so this goes no deeper */
}

const struct bgp_attributes *bgp_attributes_received(const struct bgp_attributes *attributes)
{
    return attributes->flags & BGP_HAS_RECEIVED ? tail_of(attributes).received : attributes;
}

uint32_t bgp_attributes_weight(const struct bgp_attributes *attributes)
{
    return attributes->flags & BGP_HAS_RECEIVED ? tail_of(attributes).weight : 0;
}

uint64_t bgp_attributes_mark(const struct bgp_attributes *attributes)
{
    return attributes->flags & BGP_HAS_RECEIVED ? tail_of(attributes).mark : 0;
}

bool bgp_attributes_link_local(const struct bgp_attributes *attributes, uint8_t address[16])
{
    if (!(attributes->flags & BGP_HAS_LINK_LOCAL)) {
        return false;
    }
    memcpy(address, attributes->bytes + attributes->size, 16);
    return true;
}

/* --- Canonical bytes -------------------------------------------------------------------------- */

/* One attribute of the set in the making: its flags and where its value is. */
struct value {
    const uint8_t *bytes;
    size_t length;
    uint8_t flags;
};

/* scalar: room for values that the builder holds as numbers. */
static struct value value_of(const struct bgp_attribute_builder *builder, uint8_t type,
                             uint8_t scalar[4])
{
    enum bgp_community_kind kind;
    switch (type) {
    case ATTRIBUTE_ORIGIN:
        scalar[0] = builder->origin;
        return (struct value){scalar, 1, ATTRIBUTE_TRANSITIVE};
    case ATTRIBUTE_AS_PATH:
        return (struct value){builder->as_path.bytes, builder->as_path.size, ATTRIBUTE_TRANSITIVE};
    case ATTRIBUTE_MED:
        bytes_put32(scalar, builder->med);
        return (struct value){scalar, 4, ATTRIBUTE_OPTIONAL};
    case ATTRIBUTE_LOCAL_PREF:
        bytes_put32(scalar, builder->local_pref);
        return (struct value){scalar, 4, ATTRIBUTE_TRANSITIVE};
    case ATTRIBUTE_ATOMIC_AGGREGATE:
        return (struct value){scalar, 0, ATTRIBUTE_TRANSITIVE};
    default:
        break;
    }
    if (community_kind(type, &kind)) {
        uint8_t partial = attribute_bit(&builder->partial, type) ? ATTRIBUTE_PARTIAL : 0;
        return (struct value){builder->communities[kind].bytes, builder->communities[kind].size,
                              ATTRIBUTE_OPTIONAL | ATTRIBUTE_TRANSITIVE | partial};
    }
    return (struct value){builder->others.bytes + builder->other[type].offset,
                          builder->other[type].length, builder->other[type].flags};
}

/* Values that policy and the decision look at; all others are found by walking, seldom. */
static struct bgp_span *span_field(struct bgp_attributes *attributes, uint8_t type)
{
    switch (type) {
    case ATTRIBUTE_AS_PATH:
        return &attributes->as_path;
    case ATTRIBUTE_COMMUNITIES:
        return &attributes->communities;
    case ATTRIBUTE_EXTENDED_COMMUNITIES:
        return &attributes->extended_communities;
    case ATTRIBUTE_LARGE_COMMUNITIES:
        return &attributes->large_communities;
    default:
        return NULL;
    }
}

/* Appends one attribute to scratch, and notes its span in set. */
static int put_attribute(struct bgp_attribute_builder *builder, struct bgp_attributes *set,
                         uint8_t type)
{
    uint8_t scalar[4];
    struct value value = value_of(builder, type, scalar);
    size_t size = attribute_header_size(value.length) + value.length;
    if (builder->scratch.size + size > ATTRIBUTES_SIZE_MAX) {
        return -EMSGSIZE;
    }
    int error = bytes_buffer_reserve(&builder->scratch, size);
    if (error != 0) {
        return error;
    }
    uint8_t *start = builder->scratch.bytes + builder->scratch.size;
    uint8_t *at = attribute_header_put(start, value.flags, type, value.length);
    struct bgp_span *span = span_field(set, type);
    if (span != NULL) {
        span->offset = (uint16_t)(at - builder->scratch.bytes);
        span->length = (uint16_t)value.length;
    }
    if (value.length > 0) {
        memcpy(at, value.bytes, value.length);
    }
    builder->scratch.size += size;
    return 0;
}

/* They are among the last, since communities are sorted. */
static uint8_t reach_of(const struct bytes_buffer *communities)
{
    uint8_t reach = 0;
    for (size_t at = communities->size; at >= 4; at -= 4) {
        uint32_t community = bytes_get32(communities->bytes + at - 4);
        if (community < BGP_LLGR_STALE) {
            break;
        }
        if (community == BGP_NO_ADVERTISE) {
            reach |= BGP_REACH_NO_ADVERTISE;
        } else if (community == BGP_NO_EXPORT || community == BGP_NO_EXPORT_SUBCONFED) {
            reach |= BGP_REACH_NO_EXPORT;
        } else if (community == BGP_LLGR_STALE) {
            reach |= BGP_REACH_STALE;
        } else if (community == BGP_NO_LLGR) {
            reach |= BGP_REACH_NOT_LONG_LIVED;
        }
    }
    return reach;
}

/* Appends what stands behind the bytes. The pointer is part of what makes two sets differ, as it must
 * be: each leads back to what it was made of. */
static int put_tail(struct bgp_attribute_builder *builder)
{
    struct bytes_buffer *scratch = &builder->scratch;
    int error = 0;
    if (builder->flags & BGP_HAS_LINK_LOCAL) {
        error = bytes_buffer_append(scratch, builder->link_local, sizeof builder->link_local);
    }
    if (error == 0 && builder->flags & BGP_HAS_RECEIVED) {
        error = bytes_buffer_reserve(scratch, TAIL_RECEIVED);
    }
    if (error != 0 || !(builder->flags & BGP_HAS_RECEIVED)) {
        return error;
    }
    memcpy(scratch->bytes + scratch->size, &builder->received, sizeof builder->received);
    scratch->size += sizeof builder->received;
    memcpy(scratch->bytes + scratch->size, &builder->weight, sizeof builder->weight);
    scratch->size += sizeof builder->weight;
    memcpy(scratch->bytes + scratch->size, &builder->mark, sizeof builder->mark);
    scratch->size += sizeof builder->mark;
    return 0;
}

/* Fills scratch with the canonical bytes and what stands behind them, *set with the fields. */
static int canonicalise(struct bgp_attribute_builder *builder, struct bgp_attributes *set)
{
    builder->scratch.size = 0;
    for (unsigned word = 0; word < 4; word++) {
        for (uint64_t bits = builder->present.words[word]; bits != 0; bits &= bits - 1) {
            uint8_t type = (uint8_t)(word * 64 + (unsigned)__builtin_ctzll(bits));
            int error = put_attribute(builder, set, type);
            if (error != 0) {
                return error;
            }
        }
    }
    struct as_path_view path = {builder->as_path.bytes, builder->as_path.size, 4};
    set->size = (uint16_t)builder->scratch.size;
    set->origin = builder->origin;
    set->flags = builder->flags | (as_path_has_set(&path) ? BGP_HAS_AS_SET : 0);
    set->med = builder->med;
    set->local_pref = builder->local_pref;
    set->next_hop = builder->next_hop;
    set->reach = reach_of(&builder->communities[BGP_COMMUNITY]);
    set->as_path_length = (uint16_t)as_path_length(&path);
    return put_tail(builder);
}

/* The next hop goes in as the seed: it is a field, not bytes, and most sets differ in little
 * else. */
static uint32_t hash_of(const struct bgp_attributes *set, const uint8_t *bytes)
{
    uint64_t seed = XXH3_64bits(&set->next_hop, sizeof set->next_hop);
    return (uint32_t)XXH3_64bits_withSeed(bytes, set->size + tail_size(set), seed);
}

/* The stored hash settles nearly every mismatch without touching the bytes. */
static bool same(const struct bgp_attributes *held, const struct bgp_attributes *set,
                 const uint8_t *bytes)
{
    return held->hash == set->hash && held->size == set->size && held->flags == set->flags &&
           memcmp(&held->next_hop, &set->next_hop, sizeof held->next_hop) == 0 &&
           memcmp(held->bytes, bytes, set->size + tail_size(set)) == 0;
}

/* The canonical bytes are made in scratch first. A set that is held already (by far the most
 * common case in a full table) costs a hash and one comparison, and no allocation. */
int bgp_builder_intern(struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                       const struct bgp_attributes **attributes)
{
    struct bgp_attributes set = {.references = 1};
    int error = builder->error != 0 ? builder->error : canonicalise(builder, &set);
    if (error != 0) {
        return error;
    }
    set.hash = hash_of(&set, builder->scratch.bytes);
    struct bgp_attributes **bucket = bucket_at(table, bucket_of(table, set.hash));
    for (struct bgp_attributes *at = *bucket; at != NULL; at = at->next) {
        if (same(at, &set, builder->scratch.bytes)) {
            *attributes = bgp_attributes_hold(at);
            return 0;
        }
    }
    struct bgp_attributes *made = malloc(sizeof *made + builder->scratch.size);
    if (made == NULL) {
        return -ENOMEM;
    }
    set.next = *bucket;
    *made = set;
    memcpy(made->bytes, builder->scratch.bytes, builder->scratch.size);
    if (made->flags & BGP_HAS_RECEIVED) {
        bgp_attributes_hold(builder->received);
    }
    *bucket = made;
    table->bytes += sizeof *made + builder->scratch.size;
    if (++table->count > table->round + table->split) {
        table_split(table);
    }
    *attributes = made;
    return 0;
}

/* Invariants: every set is in the bucket of its hash, the hash is that of its bytes, it has a
 * reference, no other set equals it, and the totals are the sums. */
bool bgp_attribute_table_validate(const struct bgp_attribute_table *table)
{
    size_t count = 0, bytes = 0;
    for (uint32_t i = 0; i < table->round + table->split; i++) {
        for (const struct bgp_attributes *at = *bucket_at(table, i); at != NULL; at = at->next) {
            if (bucket_of(table, at->hash) != i || at->references == 0 ||
                at->hash != hash_of(at, at->bytes)) {
                return false;
            }
            for (const struct bgp_attributes *b = at->next; b != NULL; b = b->next) {
                if (same(b, at, at->bytes)) {
                    return false; /* two objects for one set */
                }
            }
            count++;
            bytes += sizeof *at + at->size + tail_size(at);
        }
    }
    return count == table->count && bytes == table->bytes;
}
