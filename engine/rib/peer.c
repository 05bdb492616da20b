/*
 * A peer of the speaker: its configuration, its life, and its policies.
 */
#include "engine/rib/outbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- Life ------------------------------------------------------------------------------------- */

/* Copies config, the name and the list too, and works out what follows from it. */
static int take_config(struct speaker_peer *peer, const struct speaker_peer_config *config)
{
    size_t removed = config->remove_as_count * sizeof(*config->remove_as);
    uint32_t *remove_as = malloc(removed + 1);

    peer->config = *config;
    peer->config.name = strdup(config->name != NULL ? config->name : "");
    peer->config.remove_as = remove_as;
    if (peer->config.name == NULL || remove_as == NULL)
        return -ENOMEM;
    if (removed > 0)
        memcpy(remove_as, config->remove_as, removed);
    peer->internal = config->asn == peer->speaker->config.asn;
    peer->role = peer->internal ? BGP_ROLE_NONE : config->role;
    if (config->local_address.family == LPM_IPV4)
        peer->self[BGP_IPV4_UNICAST] = config->local_address;
    if (config->local_address6.family == LPM_IPV6)
        peer->self[BGP_IPV6_UNICAST] = config->local_address6;
    else if (config->local_address.family == LPM_IPV6)
        peer->self[BGP_IPV6_UNICAST] = config->local_address;
    return 0;
}

static void add_address(struct speaker *speaker, const struct lpm_address *address)
{
    if (address->family == 0)
        return;
    for (unsigned i = 0; i < speaker->n_addresses; i++)
        if (lpm_address_equal(&speaker->addresses[i], address))
            return;
    speaker->addresses[speaker->n_addresses++] = *address;
}

bool rib_same_horizon(const struct speaker_peer *a, const struct speaker_peer *b)
{
    return lpm_address_equal(&a->config.peer_address, &b->config.peer_address) ||
           (a->config.horizon != 0 && a->config.horizon == b->config.horizon);
}

/* Puts the peer into the ring of the sessions with its neighbour. */
static void join_siblings(struct speaker *speaker, struct speaker_peer *peer)
{
    for (unsigned i = 1; i < speaker->n_peers; i++) {
        struct speaker_peer *other = speaker->peers[i];

        if (other == peer || !rib_same_horizon(other, peer))
            continue;
        peer->sibling = other->sibling;
        other->sibling = peer;
        return;
    }
}

static void leave_siblings(struct speaker_peer *peer)
{
    struct speaker_peer *before = peer;

    while (before->sibling != peer)
        before = before->sibling;
    before->sibling = peer->sibling;
    peer->sibling = peer;
}

static void free_config(struct speaker_peer_config *config)
{
    free((uint32_t *)(uintptr_t)config->remove_as);
    free((char *)(uintptr_t)config->name);
}

/* Makes room for one more peer in every array of the speaker. */
static int reserve(struct speaker *speaker)
{
    size_t n = speaker->n_peers + 1u;
    void *peers, *established, *addresses;

    if (n > UINT16_MAX)
        return -ENOSPC;
    peers = realloc(speaker->peers, n * sizeof(*speaker->peers));
    if (peers != NULL)
        speaker->peers = peers;
    established = realloc(speaker->established, n * sizeof(*speaker->established));
    if (established != NULL)
        speaker->established = established;
    addresses = realloc(speaker->addresses, 2 * n * sizeof(*speaker->addresses));
    if (addresses != NULL)
        speaker->addresses = addresses;
    return peers && established && addresses ? rib_group_reserve(speaker) : -ENOMEM;
}

int speaker_peer_add(struct speaker *speaker, const struct speaker_peer_config *config,
                     struct speaker_peer **added)
{
    struct speaker_peer *peer = calloc(1, sizeof(*peer));
    int error;

    if (peer == NULL)
        return -ENOMEM;
    peer->speaker = speaker;
    peer->index = (uint16_t)speaker->n_peers;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        peer->tables[family].retention_ends_ms = UINT64_MAX;
    peer->sibling = peer;
    error = config->source == RIB_SOURCE_LOCAL ? -EINVAL : reserve(speaker);
    if (error == 0)
        error = take_config(peer, config);
    if (error == 0)
        error = rib_peer_open_session(peer);
    if (error < 0) {
        rib_peer_destroy(peer);
        return error;
    }
    speaker->peers[speaker->n_peers++] = peer;
    join_siblings(speaker, peer);
    add_address(speaker, &config->local_address);
    add_address(speaker, &config->local_address6);
    *added = peer;
    return 0;
}

void rib_peer_destroy(struct speaker_peer *peer)
{
    if (peer->group != NULL)
        rib_group_leave(peer);
    bgp_session_destroy(peer->session);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];

        rib_bitset_free(&tables->learned);
        rib_bitset_free(&tables->made);
        rib_bitset_free(&tables->stale);
        rib_bitset_free(&tables->doomed);
        rib_bitset_free(&tables->advertised);
        rib_bitset_free(&tables->kept_back);
        for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++)
            rib_bitset_free(&tables->pending[turn]);
    }
    rib_selection_forget(peer);
    rib_summaries_free(peer);
    free_config(&peer->config);
    rib_policy_release(peer->import_policy);
    rib_policy_release(peer->export_policy);
    rib_policy_release(peer->former_export_policy);
    free(peer);
}

bool speaker_peer_idle(const struct speaker_peer *peer)
{
    enum bgp_state state = bgp_session_state(peer->session);
    bool idle = !peer->established && (state == BGP_IDLE || state == BGP_ACTIVE);

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        const struct rib_peer_tables *tables = &peer->tables[family];

        idle = idle && tables->learned.count == 0 && tables->advertised.count == 0 &&
               tables->retention == SPEAKER_RETAIN_NONE;
    }
    return idle;
}

/* Its place among the peers stays, and so do its tables, which are empty. */
int speaker_peer_replace(struct speaker *speaker, struct speaker_peer *peer,
                         const struct speaker_peer_config *config)
{
    struct speaker_peer former;
    int error;

    if (!speaker_peer_idle(peer))
        return -EBUSY;
    rib_selection_forget(peer);
    former = *peer;
    if (config->source == RIB_SOURCE_LOCAL ||
        !lpm_address_equal(&config->local_address, &former.config.local_address) ||
        !lpm_address_equal(&config->local_address6, &former.config.local_address6))
        return -EINVAL;
    leave_siblings(peer);
    *peer = (struct speaker_peer){
        .speaker = speaker,
        .index = former.index,
        .import_policy = former.import_policy,
        .export_policy = former.export_policy,
    };
    memcpy(peer->tables, former.tables, sizeof(peer->tables));
    error = take_config(peer, config);
    if (error == 0)
        error = rib_peer_open_session(peer);
    if (error < 0) {
        free_config(&peer->config);
        *peer = former;
    } else {
        bgp_session_destroy(former.session);
        free_config(&former.config);
    }
    peer->sibling = peer;
    join_siblings(speaker, peer);
    return error;
}

void speaker_peer_start(struct speaker *speaker, struct speaker_peer *peer, uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    bgp_session_start(peer->session, now_ms);
    rib_finish(speaker);
}

void speaker_peer_stop(struct speaker *speaker, struct speaker_peer *peer, uint8_t cease_subcode,
                       uint64_t now_ms)
{
    speaker_peer_shut_down(speaker, peer, cease_subcode, NULL, now_ms);
}

/* A session that was lost before has nothing to say, but routes that are kept for it. */
void speaker_peer_shut_down(struct speaker *speaker, struct speaker_peer *peer,
                            uint8_t cease_subcode, const char *message, uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    bgp_session_stop(peer->session, cease_subcode, message, now_ms);
    rib_retain_nothing(peer);
    rib_finish(speaker);
}

void speaker_peer_set_policies(struct speaker *speaker, struct speaker_peer *peer,
                               struct rib_policy *import, struct rib_policy *export,
                               uint64_t now_ms)
{
    struct rib_policy *old = peer->import_policy;

    speaker->now_ms = now_ms;
    if (import != old) {
        peer->import_policy = rib_policy_hold(import);
        rib_policy_scratch_clear(speaker->policy, speaker->attributes);
        rib_policy_release(old);
        rib_walk_begin(peer, BGP_FAMILIES_ALL, RIB_WALK_JUDGE);
        rib_finish(speaker); /* what follows compares with what is decided */
    }
    if (export != peer->export_policy)
        rib_export_change_policy(peer, export);
    rib_finish(speaker);
}

void speaker_peer_share_policies(struct speaker *speaker, struct speaker_peer *peer,
                                 const struct speaker_peer *with, uint64_t now_ms)
{
    speaker_peer_set_policies(speaker, peer, with->import_policy, with->export_policy, now_ms);
}

void speaker_peer_reset(struct speaker *speaker, struct speaker_peer *peer, uint8_t cease_subcode,
                        uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    if (bgp_session_state(peer->session) >= BGP_OPEN_SENT)
        bgp_session_reset(peer->session, cease_subcode, NULL, now_ms);
    rib_finish(speaker);
}

/* --- Questions -------------------------------------------------------------------------------- */

const struct speaker_peer_config *speaker_peer_config(const struct speaker_peer *peer)
{
    return &peer->config;
}

void *speaker_peer_user(const struct speaker_peer *peer)
{
    return peer->config.user;
}

const struct bgp_session *speaker_peer_session(const struct speaker_peer *peer)
{
    return peer->session;
}

void speaker_peer_counters(const struct speaker_peer *peer, struct speaker_peer_counters *counters)
{
    const struct bgp_session_counters *session = bgp_session_counters(peer->session);

    *counters = (struct speaker_peer_counters){
        .as_loop = peer->as_loop,
        .counted = rib_limit_count(peer),
        .refused = peer->limit.refused,
        .limit_near = peer->limit.near,
        .withdrawn = peer->withdrawn,
        .updates_in = session->messages_in[BGP_UPDATE],
        .updates_out = session->messages_out[BGP_UPDATE],
    };
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        counters->held += peer->tables[family].learned.count;
        counters->stale += rib_stale_count(peer, family);
        counters->advertised += peer->tables[family].advertised.count;
    }
    rib_ceiling_count(peer, counters);
}
