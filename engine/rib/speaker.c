/*
 * The speaker as a whole: its life, its own routes, its timers.
 */
#include "engine/rib/speaker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/outbound.h"

struct speaker *speaker_create(const struct speaker_config *config)
{
    struct speaker *speaker = calloc(1, sizeof(*speaker));

    if (speaker == NULL)
        return NULL;
    speaker->config = *config;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        rib_table_init(&speaker->tables[family], bgp_family_info(family)->lpm_family);
    speaker->config.name = strdup(config->name != NULL ? config->name : "");
    speaker->attributes = bgp_attribute_table_create();
    speaker->builder = bgp_builder_create();
    speaker->policy = rib_policy_scratch_create();
    speaker->peers = calloc(1, sizeof(struct speaker_peer *));
    speaker->n_peers = 1; /* the place of RIB_LOCAL */
    if (speaker->config.name != NULL && speaker->attributes != NULL && speaker->builder != NULL &&
        speaker->policy != NULL && speaker->peers != NULL)
        return speaker;
    speaker_destroy(speaker);
    errno = ENOMEM;
    return NULL;
}

static void drop_table(struct speaker *speaker, struct rib_table *table)
{
    for (uint32_t id = rib_table_next(table, 0); id != RIB_NO_ENTRY;
         id = rib_table_next(table, id + 1)) {
        const struct rib_entry *entry = rib_table_entry(table, id);
        const struct rib_stored_path *paths = rib_entry_paths_const(entry);

        for (unsigned i = 0; i < entry->n_paths; i++)
            bgp_attributes_release(speaker->attributes, rib_attributes(&paths[i]));
    }
    rib_table_free(table);
}

void speaker_destroy(struct speaker *speaker)
{
    if (speaker == NULL)
        return;
    speaker->ending = true;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        drop_table(speaker, &speaker->tables[family]);
        rib_bitset_free(&speaker->dirty[family]);
    }
    for (unsigned i = 1; speaker->peers != NULL && i < speaker->n_peers; i++)
        rib_peer_destroy(speaker->peers[i]);
    rib_work_free(speaker);
    rib_groups_free(speaker);
    free(speaker->peers);
    free(speaker->established);
    free(speaker->addresses);
    rib_policy_scratch_destroy(speaker->policy, speaker->attributes);
    if (speaker->builder != NULL)
        bgp_builder_destroy(speaker->builder);
    if (speaker->attributes != NULL)
        bgp_attribute_table_destroy(speaker->attributes);
    free((char *)(uintptr_t)speaker->config.name);
    free(speaker);
}

/* Prefixes come from files and from a control socket as well as from code. */
static bool is_prefix(const struct lpm_prefix *prefix)
{
    struct lpm_prefix masked = *prefix;

    if (prefix->family != LPM_IPV4 && prefix->family != LPM_IPV6)
        return false;
    if (prefix->length > bgp_family_info(bgp_family_of(prefix))->length_max)
        return false;
    lpm_prefix_mask(&masked);
    return lpm_prefix_equal(&masked, prefix);
}

int speaker_originate(struct speaker *speaker, const struct lpm_prefix *prefix,
                      const struct bgp_attributes *attributes)
{
    struct rib_stored_path path = {.filter = RIB_CHOSEN};
    const struct bgp_attributes *own;
    int error;

    if (!is_prefix(prefix))
        return -EINVAL;
    bgp_builder_load(speaker->builder, attributes);
    error = bgp_builder_intern(speaker->builder, speaker->attributes, &own);
    if (error < 0)
        return error;
    rib_set_attributes(&path, own);
    path.rank = rib_rank(speaker, NULL, own);
    error = rib_path_set(speaker, prefix, &path);
    bgp_attributes_release(speaker->attributes, own);
    rib_finish(speaker);
    return error;
}

int speaker_withdraw(struct speaker *speaker, const struct lpm_prefix *prefix)
{
    bool found = is_prefix(prefix) && rib_path_remove(speaker, RIB_LOCAL, prefix, 0);

    rib_finish(speaker);
    return found ? 0 : -ENOENT;
}

struct bgp_attribute_table *speaker_attribute_table(struct speaker *speaker)
{
    return speaker->attributes;
}

void speaker_tick(struct speaker *speaker, uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    for (unsigned i = 1; i < speaker->n_peers; i++)
        if (bgp_session_deadline(speaker->peers[i]->session) <= now_ms)
            bgp_session_tick(speaker->peers[i]->session, now_ms);
    rib_retain_tick(speaker);
    rib_work_tick(speaker);
    rib_finish(speaker);
}

uint64_t speaker_deadline(const struct speaker *speaker)
{
    uint64_t deadline = rib_held_back(speaker) ? speaker->held_back_until_ms : UINT64_MAX;

    if (rib_has_work(speaker))
        return speaker->now_ms;

    for (unsigned i = 1; i < speaker->n_peers; i++) {
        uint64_t wanted = bgp_session_deadline(speaker->peers[i]->session);
        uint64_t kept = rib_retain_deadline(speaker->peers[i]);

        wanted = kept < wanted ? kept : wanted;
        if (wanted < deadline)
            deadline = wanted;
    }
    return deadline;
}

int speaker_each_peer(const struct speaker *speaker,
                      int (*visit)(void *context, struct speaker_peer *peer), void *context)
{
    int result = 0;

    for (unsigned i = 1; result == 0 && i < speaker->n_peers; i++)
        result = visit(context, speaker->peers[i]);
    return result;
}

bool speaker_settled(const struct speaker *speaker)
{
    if (rib_has_work(speaker))
        return false;
    for (unsigned i = 1; i < speaker->n_peers; i++)
        if (rib_retain_deadline(speaker->peers[i]) <= speaker->now_ms)
            return false;
    for (unsigned i = 0; i < speaker->n_established; i++) {
        const struct speaker_peer *peer = speaker->established[i];
        enum bgp_direction direction = bgp_session_negotiated(peer->session)->direction;

        if (peer->undrained[direction] || rib_pending(peer))
            return false;
    }
    return true;
}
