/*
 *   buckets[hash] ──> sight ──> sight     chain of equal hash; each owns its list of VNets
 */
#include "engine/program/sights.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* One for most members: a fabric has as many as neighbours, or a few times that. */
#define BUCKET_COUNT 1024u

struct program_sights {
    const struct program_ids *ids;
    const struct program_balancers *balancers;
    struct program_sight *buckets[BUCKET_COUNT];
};

struct program_sights *program_sights_create(const struct program_ids *ids,
                                             const struct program_balancers *balancers)
{
    struct program_sights *sights = calloc(1, sizeof(*sights));
    if (!sights)
        return NULL;
    sights->ids = ids;
    sights->balancers = balancers;
    return sights;
}

void program_sights_destroy(struct program_sights *sights)
{
    free(sights);
}

static uint32_t hash_of(const struct dp_member *member)
{
    const uint32_t fields[] = {member->nic, member->group, member->peering};
    uint32_t hash = XXH32(fields, sizeof(fields), member->next_hop.family);
    return XXH32(member->next_hop.bytes, sizeof(member->next_hop.bytes), hash);
}

static bool is_of(const struct program_sight *sight, const struct dp_member *member)
{
    return sight->member.nic == member->nic && sight->member.group == member->group &&
           sight->member.peering == member->peering &&
           lpm_address_equal(&sight->member.next_hop, &member->next_hop);
}

static struct program_sight *look(const struct program_sights *sights,
                                  const struct dp_member *member)
{
    const struct fabric *fabric = sights->ids->fabric;
    struct program_sight *sight = malloc(sizeof(*sight) + fabric->vnets_count * sizeof(uint32_t));
    if (!sight)
        return NULL;
    *sight = (struct program_sight){.member = *member};
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        if (program_member_deviates(sights->ids, sights->balancers, i, member))
            sight->vnets[sight->n++] = i;
    struct program_sight *fitting =
        realloc(sight, sizeof(*sight) + sight->n * sizeof(sight->vnets[0]));
    return fitting ? fitting : sight;
}

struct program_sight *program_sights_hold(struct program_sights *sights,
                                          const struct dp_member *member)
{
    uint32_t hash = hash_of(member);
    struct program_sight **bucket = &sights->buckets[hash % BUCKET_COUNT];
    struct program_sight *sight = *bucket;
    while (sight && (sight->hash != hash || !is_of(sight, member)))
        sight = sight->next;
    if (!sight) {
        sight = look(sights, member);
        if (!sight)
            return NULL;
        sight->hash = hash;
        sight->next = *bucket;
        *bucket = sight;
    }
    sight->references++;
    return sight;
}

void program_sights_release(struct program_sights *sights, struct program_sight *sight)
{
    if (--sight->references > 0)
        return;
    struct program_sight **link = &sights->buckets[sight->hash % BUCKET_COUNT];
    while (*link != sight)
        link = &(*link)->next;
    *link = sight->next;
    free(sight);
}
