/*
 * Update groups: which peers are told everything in the same words. There are as many groups as peers
 * from the start, most of them spare, so that coming up needs no memory.
 */
#include "engine/rib/outbound.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int rib_group_reserve(struct speaker *speaker)
{
    struct rib_group *group = calloc(1, sizeof(*group));

    if (group == NULL)
        return -ENOMEM;
    group->next = speaker->spare_groups;
    speaker->spare_groups = group;
    return 0;
}

/* Peers are gone, and with them the batches. */
static void free_list(struct rib_group *group)
{
    while (group != NULL) {
        struct rib_group *next = group->next;

        for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
            rib_bitset_free(&group->tell[family][RIB_FIRST]);
            rib_bitset_free(&group->tell[family][RIB_REFLECTED]);
            rib_bitset_free(&group->withhold[family]);
        }
        free(group);
        group = next;
    }
}

void rib_groups_free(struct speaker *speaker)
{
    free_list(speaker->groups);
    free_list(speaker->spare_groups);
    speaker->groups = speaker->spare_groups = NULL;
}

static struct rib_group *take_spare(struct speaker *speaker)
{
    struct rib_group *group = speaker->spare_groups;

    assert(group != NULL); /* each peer reserved one */
    speaker->spare_groups = group->next;
    group->next = speaker->groups;
    speaker->groups = group;
    return group;
}

void rib_group_join(struct speaker_peer *peer)
{
    struct rib_group *group = peer->speaker->groups;

    while (group != NULL && !rib_export_same(group->members, peer))
        group = group->next;
    if (group == NULL)
        group = take_spare(peer->speaker);
    peer->group = group;
    peer->next_member = group->members;
    group->members = peer;
    if (group->n_members++ == 0)
        rib_group_summaries_begin(group);
}

void rib_group_leave(struct speaker_peer *peer)
{
    struct speaker *speaker = peer->speaker;
    struct rib_group *group = peer->group, **link = &speaker->groups;
    struct speaker_peer **member = &group->members;

    rib_batch_drop(peer);
    while (*member != peer)
        member = &(*member)->next_member;
    *member = peer->next_member;
    peer->group = NULL;
    if (--group->n_members > 0)
        return;
    rib_batch_forget(group);
    while (*link != group)
        link = &(*link)->next;
    *link = group->next; /* before its summaries end: who walks the groups finds a member in each */
    rib_group_summaries_end(group, speaker);
    group->next = speaker->spare_groups;
    speaker->spare_groups = group;
}
