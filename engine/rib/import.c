/*
 * Adj-RIB-In: what peers announce becomes paths of entries.
 *
 * What an UPDATE says of all its prefixes (rank, filter) is worked out once per UPDATE. A filtered
 * path is kept, with the reason, so that it can be shown and counted; the decision passes it over.
 */
#include "engine/rib/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As many loads as a core has under way at once. */
#define PREFETCH 12u

int rib_peer_compare(const struct speaker *speaker, unsigned a, unsigned b)
{
    const struct speaker_peer *left = speaker->peers[a], *right = speaker->peers[b];
    int order;

    if (a == RIB_LOCAL || b == RIB_LOCAL)
        return (int)a - (int)b;
    order = lpm_address_compare(&left->config.peer_address, &right->config.peer_address);
    if (order == 0)
        order = lpm_address_compare(&left->config.local_address, &right->config.local_address);
    return order != 0 ? order : (int)a - (int)b;
}

/* Position where the path of peers[index] with this identifier belongs. */
static unsigned position_of(const struct speaker *speaker, const struct rib_entry *entry,
                            unsigned index, uint32_t path_id)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    unsigned position = entry->n_paths;

    for (; position > 0; position--) {
        const struct rib_stored_path *before = &paths[position - 1];
        int order = rib_peer_compare(speaker, index, before->peer);

        if (order > 0 || (order == 0 && path_id > before->path_id))
            break;
    }
    return position;
}

/* Path is about to be replaced or removed: its standing passes to a twin, so that the loss of one
 * instance's session changes nothing; without a twin the choice is touched. */
static void note_touched(const struct speaker *speaker, struct rib_entry *entry,
                         struct rib_stored_path *path)
{
    struct rib_stored_path *paths = rib_entry_paths(entry);

    for (unsigned i = 0; i < entry->n_paths && path->flags & RIB_PATH_STANDING; i++) {
        if (&paths[i] == path || !rib_twins(speaker, &paths[i], path))
            continue;
        paths[i].flags |= path->flags & RIB_PATH_STANDING;
        path->flags &= (uint8_t)~RIB_PATH_STANDING;
    }
    if (path->flags & RIB_PATH_CHOSEN)
        entry->flags |= RIB_ENTRY_TOUCHED;
    if (path->flags & RIB_PATH_BEST)
        entry->flags |= RIB_ENTRY_BEST_TOUCHED;
}

static bool usable(const struct rib_stored_path *path)
{
    return path->attributes != NULL && path->filter == RIB_CHOSEN;
}

/* The path of its neighbour begins or ends to be usable. That is news, unless the neighbour has
 * another usable one, by the other instance. */
static void note_neighbor(const struct speaker *speaker, struct rib_entry *entry,
                          const struct rib_stored_path *path)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);

    for (unsigned i = 0; i < entry->n_paths; i++)
        if (&paths[i] != path && usable(&paths[i]) && paths[i].peer != RIB_LOCAL &&
            path->peer != RIB_LOCAL &&
            lpm_address_equal(&speaker->peers[paths[i].peer]->config.peer_address,
                              &speaker->peers[path->peer]->config.peer_address))
            return;
    entry->flags |= RIB_ENTRY_NEIGHBORS;
}

static void count_loop(struct speaker *speaker, const struct rib_stored_path *path, int change)
{
    if (path->filter == RIB_FILTERED_AS_LOOP)
        speaker->peers[path->peer]->as_loop += (size_t)change;
}

/* The place of the peer's path in entry id, all zero when it is new; NULL: no memory. */
static struct rib_stored_path *path_place(struct speaker *speaker, unsigned index, uint32_t path_id,
                                          enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);
    struct rib_stored_path *path = rib_entry_path(entry, (uint16_t)index, path_id);
    struct rib_bitset *learned;
    int added = 0;

    if (path != NULL)
        return path;
    learned = index == RIB_LOCAL ? NULL : &speaker->peers[index]->tables[family].learned;
    if (learned != NULL)
        added = rib_bitset_set(learned, id);
    if (added < 0)
        return NULL;
    path = rib_entry_insert(entry, position_of(speaker, entry, index, path_id));
    if (path == NULL && added > 0)
        rib_bitset_clear(learned, id);
    return path;
}

/* The peer says it again. Of several paths to a prefix each is confirmed for itself, and the mark of the
 * prefix stays until the others are looked at. */
static void confirm(struct speaker *speaker, unsigned index, enum bgp_family family, uint32_t id,
                    struct rib_stored_path *path)
{
    struct rib_peer_tables *tables;

    if (index == RIB_LOCAL)
        return;
    tables = &speaker->peers[index]->tables[family];
    if (tables->stale_by_path)
        path->flags &= (uint8_t)~RIB_PATH_STALE;
    else if (tables->stale.count > 0)
        rib_bitset_clear(&tables->stale, id);
}

int rib_path_set(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix,
                 const struct rib_stored_path *path)
{
    enum bgp_family family = bgp_family_of(prefix);
    struct rib_table *table = &speaker->tables[family];
    uint32_t id = rib_table_obtain(table, prefix);
    struct rib_stored_path *place;
    bool was_usable;
    uint8_t flags;

    if (id == RIB_NO_ENTRY)
        return -ENOMEM;
    speaker->cause = (uint16_t)index;
    speaker->cause_is_withdrawal = false;
    place = path_place(speaker, index, path->path_id, family, id);
    if (place == NULL) {
        rib_entry_release(speaker, family, id);
        return -ENOMEM;
    }
    confirm(speaker, index, family, id, place);
    if (place->attributes == path->attributes && place->filter == path->filter &&
        place->rank == path->rank)
        return 0;
    if (place->attributes != NULL) {
        note_touched(speaker, rib_table_entry(table, id), place);
        count_loop(speaker, place, -1);
        bgp_attributes_release(speaker->attributes, place->attributes);
    }
    flags = place->flags; /* what the path was stays known until the decision */
    was_usable = usable(place);
    *place = *path;
    place->peer = (uint16_t)index;
    place->flags = flags;
    if (was_usable != usable(place))
        note_neighbor(speaker, rib_table_entry(table, id), place);
    bgp_attributes_hold(place->attributes);
    count_loop(speaker, place, 1);
    rib_touch(speaker, family, id);
    return 0;
}

static void erase(struct speaker *speaker, enum bgp_family family, uint32_t id,
                  struct rib_stored_path *path)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);

    speaker->cause = path->peer;
    speaker->cause_is_withdrawal = true;
    note_touched(speaker, entry, path);
    if (usable(path))
        note_neighbor(speaker, entry, path);
    count_loop(speaker, path, -1);
    bgp_attributes_release(speaker->attributes, path->attributes);
    rib_entry_erase(entry, path);
    if (entry->n_paths == 0)
        entry->waiting = 0; /* counted by rib_mark() when the entry is settled */
    rib_touch(speaker, family, id);
}

bool rib_path_remove(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix,
                     uint32_t path_id)
{
    enum bgp_family family = bgp_family_of(prefix);
    uint32_t id = rib_table_find(&speaker->tables[family], prefix);
    struct rib_stored_path *path;
    struct rib_entry *entry;

    if (id == RIB_NO_ENTRY)
        return false;
    entry = rib_table_entry(&speaker->tables[family], id);
    path = rib_entry_path(entry, (uint16_t)index, path_id);
    if (path == NULL)
        return false;
    if (index != RIB_LOCAL)
        speaker->peers[index]->withdrawn += usable(path);
    if (index != RIB_LOCAL && rib_entry_peer_paths(entry, (uint16_t)index) == 1) {
        rib_bitset_clear(&speaker->peers[index]->tables[family].learned, id);
        rib_bitset_clear(&speaker->peers[index]->tables[family].stale, id);
    }
    erase(speaker, family, id, path);
    return true;
}

static bool is_stale(const struct speaker_peer *peer, enum bgp_family family,
                     const struct rib_stored_path *path)
{
    return path->peer == peer->index &&
           (!peer->tables[family].stale_by_path || path->flags & RIB_PATH_STALE);
}

/* From the last to the first: erasing moves those behind. */
void rib_stale_remove(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    unsigned i = entry->n_paths;

    while (i-- > 0)
        if (is_stale(peer, family, &rib_entry_paths(entry)[i]))
            erase(peer->speaker, family, id, &rib_entry_paths(entry)[i]);
    rib_bitset_clear(&peer->tables[family].stale, id);
    if (rib_entry_peer_paths(entry, peer->index) == 0)
        rib_bitset_clear(&peer->tables[family].learned, id);
}

static void demote(struct speaker *speaker, enum bgp_family family, uint32_t id,
                   struct rib_stored_path *path)
{
    if (path->rank & RIB_RANK_STALE)
        return;
    note_touched(speaker, rib_table_entry(&speaker->tables[family], id), path);
    path->rank |= RIB_RANK_STALE;
    rib_touch(speaker, family, id);
}

void rib_stale_demote(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    unsigned i = entry->n_paths;

    while (i-- > 0) {
        struct rib_stored_path *path = &rib_entry_paths(entry)[i];

        if (!is_stale(peer, family, path))
            continue;
        if (path->attributes->reach & BGP_REACH_NOT_LONG_LIVED)
            erase(peer->speaker, family, id, path);
        else
            demote(peer->speaker, family, id, path);
    }
    if (rib_entry_peer_paths(entry, peer->index) > 0)
        return;
    rib_bitset_clear(&peer->tables[family].stale, id);
    rib_bitset_clear(&peer->tables[family].learned, id);
}

/* Can the address be that of a router? */
static bool is_unicast(const struct lpm_address *address)
{
    static const uint8_t zero[16], loopback[16] = {[15] = 1};
    uint8_t first = address->bytes[0];

    if (address->family == LPM_IPV4)
        return first != 0 && first != 127 && first < 224;
    return address->family == LPM_IPV6 && first != 0xff &&
           memcmp(address->bytes, zero, sizeof(zero)) != 0 &&
           memcmp(address->bytes, loopback, sizeof(loopback)) != 0;
}

static bool next_hop_is_valid(const struct speaker *speaker, const struct lpm_address *next_hop)
{
    for (unsigned i = 0; i < speaker->n_addresses; i++)
        if (lpm_address_equal(&speaker->addresses[i], next_hop))
            return false;
    return is_unicast(next_hop);
}

/* Loopback, link-local, multicast, reserved: a route to them is semantically incorrect NLRI, to be ignored
 * (RFC 4271 6.3). Shorter prefixes that contain them, a default route say, are fine. */
static bool is_martian(const struct lpm_prefix *prefix)
{
    static const struct lpm_prefix ranges[] = {
        {LPM_IPV4, 8, {0}},
        {LPM_IPV4, 8, {127}},
        {LPM_IPV4, 16, {169, 254}},
        {LPM_IPV4, 4, {224}}, /* multicast */
        {LPM_IPV4, 4, {240}},
        {LPM_IPV6, 96, {0}},                        /* unspecified, loopback */
        {LPM_IPV6, 96, {[10] = 0xff, [11] = 0xff}}, /* IPv4-mapped */
        {LPM_IPV6, 10, {0xfe, 0x80}},
        {LPM_IPV6, 8, {0xff}}, /* multicast */
    };

    uint8_t first = prefix->bytes[0];

    /* What all but a few prefixes begin with settles it. */
    if (prefix->family == LPM_IPV4 ? first != 0 && first != 127 && first != 169 && first < 224
                                   : first != 0 && first < 0xfe)
        return false;
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (ranges[i].family == prefix->family && lpm_prefix_covers(&ranges[i], prefix))
            return true;
    return false;
}

/* RFC 4456 section 8. With merged instances the router has several identifiers. */
static bool was_reflected_here(const struct speaker *speaker, const struct speaker_peer *peer,
                               const struct bgp_attributes *attributes)
{
    uint32_t originator = bgp_attributes_originator_id(attributes);

    for (unsigned i = 1; originator != 0 && i < speaker->n_peers; i++)
        if (speaker->peers[i]->config.identifier == originator)
            return true;
    return bgp_attributes_has_cluster(attributes, rib_cluster_id(peer));
}

/* RFC 9234 section 5, ingress: a customer may not send what was meant for customers only, a peer
 * nothing of the kind but its own. */
static bool is_leak(const struct speaker_peer *peer, const struct bgp_attributes *attributes)
{
    uint32_t only_to_customer;

    if (peer->role == BGP_ROLE_NONE)
        return false;
    only_to_customer = bgp_attributes_otc(attributes);
    switch (peer->role) {
    case BGP_ROLE_PROVIDER:
    case BGP_ROLE_RS:
        return only_to_customer != 0;
    case BGP_ROLE_PEER:
        return only_to_customer != 0 && only_to_customer != peer->config.asn;
    default:
        return false;
    }
}

/* From a provider, peer or route server, a route without the mark gets the sender's (RFC 9234
 * section 5). Returns a reference of the caller's own; NULL: no memory. */
static const struct bgp_attributes *marked_for_customers(const struct speaker_peer *peer,
                                                         const struct bgp_attributes *attributes)
{
    struct speaker *speaker = peer->speaker;
    const struct bgp_attributes *marked = NULL;
    bool marks = peer->role == BGP_ROLE_CUSTOMER || peer->role == BGP_ROLE_PEER ||
                 peer->role == BGP_ROLE_RS_CLIENT;

    if (!marks || bgp_attributes_otc(attributes) != 0)
        return bgp_attributes_hold(attributes);
    bgp_builder_load(speaker->builder, attributes);
    bgp_builder_set_otc(speaker->builder, peer->config.asn);
    if (bgp_builder_intern(speaker->builder, speaker->attributes, &marked) < 0)
        return NULL;
    return marked;
}

static enum rib_verdict filter_of(const struct speaker_peer *peer,
                                  const struct bgp_attributes *attributes)
{
    const struct speaker *speaker = peer->speaker;
    const struct speaker_peer_config *config = &peer->config;

    if (bgp_as_path_count(attributes, speaker->config.asn) > config->allow_own_as)
        return RIB_FILTERED_AS_LOOP;
    if (config->max_as_path > 0 && attributes->as_path_length > config->max_as_path)
        return RIB_FILTERED_AS_PATH_LENGTH;
    if (config->check_first_as && !peer->internal && bgp_as_path_first(attributes) != config->asn)
        return RIB_FILTERED_FIRST_AS;
    if (peer->internal && was_reflected_here(speaker, peer, attributes))
        return RIB_FILTERED_REFLECTION_LOOP;
    if (is_leak(peer, attributes))
        return RIB_FILTERED_ROUTE_LEAK;
    if (!next_hop_is_valid(speaker, &attributes->next_hop))
        return RIB_FILTERED_NEXT_HOP;
    return RIB_CHOSEN;
}

/* Fills what the peer's words mean to us: attributes after import policy (a reference of the caller's
 * own), filter, rank. Loops and next hops are looked for after policy, which may have taken the own AS
 * out. -ENOMEM. */
static int judge(const struct speaker_peer *peer, const struct lpm_prefix *prefix,
                 const struct bgp_attributes *received, struct rib_stored_path *path)
{
    struct speaker *speaker = peer->speaker;
    const struct rib_policy_route route = {
        .prefix = prefix, .attributes = received, .source = peer->config.source, .import = true};
    struct rib_policy_outcome outcome = {.accepted = true};
    int error = 0;

    if (peer->import_policy != NULL)
        error = rib_policy_apply(peer->import_policy, speaker->policy, speaker->builder,
                                 speaker->attributes, &route, &outcome);
    else if (speaker->config.require_policy && !peer->internal)
        outcome.accepted = false; /* RFC 8212 */
    if (error < 0)
        return error;
    path->attributes = outcome.attributes;
    if (path->attributes == NULL)
        path->attributes = bgp_attributes_hold(received);
    if (is_martian(prefix))
        path->filter = RIB_FILTERED_MARTIAN;
    else
        path->filter =
            outcome.accepted ? (uint8_t)filter_of(peer, path->attributes) : RIB_FILTERED_POLICY;
    path->rank = rib_rank(speaker, peer, path->attributes);
    return 0;
}

/* Judges one route and puts it into its place. */
static int take(struct speaker_peer *peer, const struct lpm_prefix *prefix, uint32_t path_id,
                const struct bgp_attributes *received)
{
    struct rib_stored_path path = {.path_id = path_id};
    int error = judge(peer, prefix, received, &path);

    if (error < 0)
        return error;
    error = rib_path_set(peer->speaker, peer->index, prefix, &path);
    bgp_attributes_release(peer->speaker->attributes, path.attributes);
    return error;
}

/* Judges one learned path anew. What was stale stays so: the peer has not confirmed it. */
static int take_again(struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                      struct rib_stored_path *path)
{
    struct rib_table *table = &peer->speaker->tables[family];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));
    struct rib_peer_tables *tables = &peer->tables[family];
    const struct bgp_attributes *received =
        bgp_attributes_hold(bgp_attributes_received(path->attributes));
    bool stale = rib_bitset_test(&tables->stale, id) && is_stale(peer, family, path);
    bool demoted = stale && path->rank & RIB_RANK_STALE;
    int error = take(peer, &prefix, path->path_id, received);

    bgp_attributes_release(peer->speaker->attributes, received);
    if (error < 0 || !stale)
        return error;
    if (tables->stale_by_path)
        path->flags |= RIB_PATH_STALE;
    if (demoted)
        demote(peer->speaker, family, id, path);
    return rib_bitset_set(&tables->stale, id);
}

/* Paths are replaced in their places, so the walk over them is not disturbed. */
static void judge_again(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);

    for (unsigned i = 0; i < entry->n_paths; i++)
        if (rib_entry_paths(entry)[i].peer == peer->index &&
            take_again(peer, family, id, &rib_entry_paths(entry)[i]) < 0)
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
}

void rib_import_again(struct speaker_peer *peer)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_bitset *learned = &peer->tables[family].learned;

        for (uint32_t id = rib_bitset_next(learned, 0); id != RIB_BITSET_END;
             id = rib_bitset_next(learned, id + 1))
            judge_again(peer, family, id);
    }
}

/* Several paths to a prefix are the peer's right, any number of them is not. */
static bool within_path_limit(struct speaker_peer *peer, const struct lpm_prefix *prefix)
{
    struct rib_table *table = &peer->speaker->tables[bgp_family_of(prefix)];
    uint32_t id = rib_table_find(table, prefix);
    char text[sizeof(peer->fault_text)], name[LPM_PREFIX_TEXT];

    if (id == RIB_NO_ENTRY ||
        rib_entry_peer_paths(rib_table_entry(table, id), peer->index) <= RIB_PEER_PATHS_MAX)
        return true;
    snprintf(text, sizeof(text), "more than %u paths to %s", RIB_PEER_PATHS_MAX,
             lpm_prefix_format(prefix, name));
    rib_fault(peer, BGP_CEASE_MAX_PREFIXES, text);
    return false;
}

/* Asks memory for the places of the next n prefixes: finding them one by one, each would wait for its
 * own. */
static void prefetch(const struct speaker_peer *peer, struct bgp_nlri *ahead, unsigned n)
{
    struct lpm_prefix prefix;

    while (n-- > 0 && bgp_nlri_next(ahead, &prefix))
        rib_table_prefetch(&peer->speaker->tables[ahead->family], &prefix);
}

static void announce(struct speaker_peer *peer, struct bgp_nlri announced,
                     const struct bgp_attributes *attributes)
{
    struct rib_stored_path path = {
        .attributes = attributes,
        .filter = (uint8_t)filter_of(peer, attributes),
        .rank = rib_rank(peer->speaker, peer, attributes),
    };
    struct bgp_nlri ahead = announced;
    uint8_t filter = path.filter;
    bool judged = peer->import_policy == NULL && !peer->speaker->config.require_policy;
    struct lpm_prefix prefix;
    int error;

    rib_limit_begin(peer);
    prefetch(peer, &ahead, PREFETCH);
    while (peer->fault == 0 && bgp_nlri_next(&announced, &prefix)) {
        prefetch(peer, &ahead, 1);
        if (!rib_limit_admits(peer, &prefix))
            continue;
        path.filter = is_martian(&prefix) ? RIB_FILTERED_MARTIAN : filter;
        path.path_id = announced.path_id;
        if (judged)
            error = rib_path_set(peer->speaker, peer->index, &prefix, &path);
        else
            error = take(peer, &prefix, announced.path_id, attributes);
        if (error < 0) {
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
            return;
        }
        if (announced.with_path_id && !within_path_limit(peer, &prefix))
            return;
    }
    rib_limit_warn(peer);
}

void rib_import(struct speaker_peer *peer, const struct bgp_routes *routes)
{
    struct bgp_nlri withdrawn = routes->withdrawn, ahead = withdrawn;
    const struct bgp_attributes *attributes;
    struct lpm_prefix prefix;

    if (peer->fault != 0)
        return;
    prefetch(peer, &ahead, PREFETCH);
    while (bgp_nlri_next(&withdrawn, &prefix)) {
        prefetch(peer, &ahead, 1);
        rib_path_remove(peer->speaker, peer->index, &prefix, withdrawn.path_id);
    }
    if (routes->attributes == NULL)
        return;
    attributes = marked_for_customers(peer, routes->attributes);
    if (attributes == NULL) {
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
        return;
    }
    announce(peer, routes->announced, attributes);
    bgp_attributes_release(peer->speaker->attributes, attributes);
}
