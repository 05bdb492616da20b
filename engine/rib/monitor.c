/*
 * A collector: which of its peers have something to say, and which entries wait for it. See monitor.h.
 */
#include "engine/rib/monitor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/monitor_private.h"

/* Prefixes that one call looks at: well below a millisecond of work. */
#define BUDGET 2048u
/* Entries that are let go of without a slice of their own. */
#define AT_ONCE 1024u

/* --- Entries that wait ------------------------------------------------------------------------ */

int monitor_hold(struct rib_monitor *monitor, enum bgp_family family, uint32_t id)
{
    uint32_t n = monitor->n_held[family] > 0 ? monitor->n_held[family] : 1024;
    uint32_t *held = monitor->held[family];

    if (id >= monitor->n_held[family]) {
        while (n <= id)
            n *= 2;
        held = realloc(held, n * sizeof(*held));
        if (held == NULL)
            return -ENOMEM;
        memset(held + monitor->n_held[family], 0, (n - monitor->n_held[family]) * sizeof(*held));
        monitor->held[family] = held;
        monitor->n_held[family] = n;
    }
    held[id]++;
    return 0;
}

void monitor_let_go(struct rib_monitor *monitor, enum bgp_family family, uint32_t id)
{
    if (--monitor->held[family][id] == 0 && rib_bitset_clear(&monitor->awaited[family], id))
        rib_stop_waiting(monitor->speaker, family, id);
}

/* Returns what is left of the budget; the set is empty, and without memory, when that is some. */
static int let_some_go(struct rib_monitor *monitor, enum bgp_family family, struct rib_bitset *told,
                       int budget)
{
    for (uint32_t id = rib_bitset_next(told, 0); id != RIB_BITSET_END && budget > 0;
         id = rib_bitset_next(told, id + 1), budget--) {
        rib_bitset_clear(told, id);
        monitor_let_go(monitor, family, id);
    }
    if (told->count == 0)
        rib_bitset_free(told);
    return budget;
}

void monitor_let_all_go(struct rib_monitor *monitor, enum bgp_family family,
                        struct rib_bitset *told)
{
    struct monitor_rest *rest = told->count > AT_ONCE ? malloc(sizeof(*rest)) : NULL;

    if (rest == NULL) {
        let_some_go(monitor, family, told, INT_MAX);
        return;
    }
    *rest = (struct monitor_rest){.next = monitor->rests, .family = family, .told = *told};
    *told = (struct rib_bitset){0};
    monitor->rests = rest;
}

int rib_monitor_work(struct speaker *speaker, int budget)
{
    for (struct rib_monitor *monitor = speaker->monitors; monitor != NULL; monitor = monitor->next)
        while (monitor->rests != NULL && budget > 0) {
            struct monitor_rest *rest = monitor->rests;

            budget = let_some_go(monitor, rest->family, &rest->told, budget);
            if (rest->told.count > 0)
                break;
            monitor->rests = rest->next;
            free(rest);
        }
    return budget;
}

bool rib_monitor_has_work(const struct speaker *speaker)
{
    for (const struct rib_monitor *monitor = speaker->monitors; monitor != NULL;
         monitor = monitor->next)
        if (monitor->rests != NULL)
            return true;
    return false;
}

static bool is_held(const struct rib_monitor *monitor, enum bgp_family family, uint32_t id)
{
    return id < monitor->n_held[family] && monitor->held[family][id] > 0;
}

uint32_t rib_monitor_holders(const struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    uint32_t n = 0;

    for (const struct rib_monitor *monitor = speaker->monitors; monitor != NULL;
         monitor = monitor->next)
        n += is_held(monitor, family, id);
    return n;
}

uint32_t rib_monitor_waiting(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    uint32_t n = 0;

    for (struct rib_monitor *monitor = speaker->monitors; monitor != NULL;
         monitor = monitor->next) {
        if (!is_held(monitor, family, id))
            continue;
        if (rib_bitset_set(&monitor->awaited[family], id) < 0)
            monitor->failed = true; /* it will take nothing back */
        else
            n++;
    }
    return n;
}

/* --- Marks ------------------------------------------------------------------------------------ */

void monitor_list(struct rib_monitor *monitor, struct monitor_peer *peer)
{
    if (peer->listed)
        return;
    peer->listed = true;
    peer->next = NULL;
    *monitor->last = peer;
    monitor->last = &peer->next;
}

static void mark(struct rib_monitor *monitor, unsigned index, uint32_t kinds,
                 enum bgp_family family, uint32_t id)
{
    struct monitor_peer *peer = index < monitor->n_peers ? monitor->peers[index] : NULL;
    bool news = false;

    for (unsigned i = 0; peer != NULL && i < peer->n_views; i++)
        if (kinds & 1u << peer->views[i].kind && peer->views[i].family == family)
            news |= monitor_view_mark(&peer->views[i], id);
    if (news)
        monitor_list(monitor, peer);
}

void rib_monitor_path(struct speaker *speaker, unsigned index, enum bgp_family family, uint32_t id,
                      bool received)
{
    uint32_t kinds = 1u << MONITOR_POST_POLICY | (received ? 1u << MONITOR_PRE_POLICY : 0);

    for (struct rib_monitor *monitor = speaker->monitors; monitor != NULL; monitor = monitor->next)
        if (index != RIB_LOCAL)
            mark(monitor, index, kinds, family, id);
}

void rib_monitor_best(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    for (struct rib_monitor *monitor = speaker->monitors; monitor != NULL; monitor = monitor->next)
        mark(monitor, RIB_LOCAL, 1u << MONITOR_LOC_RIB, family, id);
}

void rib_monitor_sent(const struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    for (struct rib_monitor *monitor = peer->speaker->monitors; monitor != NULL;
         monitor = monitor->next)
        mark(monitor, peer->index, 1u << MONITOR_ADJ_RIB_OUT, family, id);
}

/* --- Sessions --------------------------------------------------------------------------------- */

/* The place of a peer, which may have been added since the monitor was made; NULL: no memory. */
static struct monitor_peer *place_of(struct rib_monitor *monitor, unsigned index)
{
    unsigned n = monitor->speaker->n_peers > index ? monitor->speaker->n_peers : index + 1;
    struct monitor_peer **peers;

    if (index >= monitor->n_peers) {
        peers = realloc(monitor->peers, n * sizeof(*peers)); /* pointers, hence the plain size */
        if (peers == NULL)
            return NULL;
        memset(peers + monitor->n_peers, 0, (n - monitor->n_peers) * sizeof(*peers));
        monitor->peers = peers;
        monitor->n_peers = n;
    }
    if (monitor->peers[index] == NULL)
        monitor->peers[index] = calloc(1, sizeof(*monitor->peers[index]));
    return monitor->peers[index];
}

static void session_changed(struct rib_monitor *monitor, const struct speaker_peer *peer)
{
    struct monitor_peer *place = place_of(monitor, peer->index);

    if (place == NULL) {
        monitor->failed = true;
        return;
    }
    place->peer = peer;
    if (peer->established)
        monitor_peer_up(monitor, place);
    else
        monitor_peer_down(monitor, place);
}

void rib_monitor_session(struct speaker_peer *peer)
{
    for (struct rib_monitor *monitor = peer->speaker->monitors; monitor != NULL;
         monitor = monitor->next)
        session_changed(monitor, peer);
}

void rib_monitor_report(struct rib_monitor *monitor)
{
    for (unsigned i = 0; i < monitor->n_peers; i++) {
        struct monitor_peer *peer = monitor->peers[i];

        if (peer == NULL || (!peer->up && !peer->up_due))
            continue;
        peer->report_due = true;
        monitor_list(monitor, peer);
    }
}

/* --- Bytes ------------------------------------------------------------------------------------ */

/* Who is first on the list has its message; what more it has waits behind the others. */
static size_t write_first(struct rib_monitor *monitor, uint8_t *bytes, size_t capacity)
{
    struct monitor_peer *peer = monitor->first;
    bool more = false;
    size_t n;

    monitor->first = peer->next;
    if (monitor->first == NULL)
        monitor->last = &monitor->first;
    peer->listed = false;
    n = monitor_peer_write(monitor, peer, bytes, capacity, &more);
    if (more)
        monitor_list(monitor, peer);
    monitor->messages += n > 0;
    return n;
}

size_t rib_monitor_output(struct rib_monitor *monitor, uint8_t *bytes, size_t capacity,
                          uint64_t now_ms)
{
    struct speaker *speaker = monitor->speaker;
    size_t at = 0;

    monitor->now_ms = now_ms;
    monitor->budget = BUDGET;
    while (monitor->first != NULL && monitor->budget > 0 && !monitor->failed &&
           capacity - at >= RIB_MONITOR_MESSAGE_MAX)
        at += write_first(monitor, bytes + at, capacity - at);
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
    return at;
}

bool rib_monitor_pending(const struct rib_monitor *monitor)
{
    return monitor->first != NULL && !monitor->failed;
}

bool rib_monitor_failed(const struct rib_monitor *monitor)
{
    return monitor->failed;
}

uint64_t rib_monitor_messages(const struct rib_monitor *monitor)
{
    return monitor->messages;
}

size_t rib_monitor_waiting_count(const struct rib_monitor *monitor)
{
    size_t n = 0;

    for (unsigned i = 0; i < monitor->n_peers; i++)
        for (unsigned j = 0; monitor->peers[i] != NULL && j < monitor->peers[i]->n_views; j++)
            n += monitor->peers[i]->views[j].changed.count;
    return n;
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Everything that is up counts as having just come up. */
static int take_stock(struct rib_monitor *monitor)
{
    struct speaker *speaker = monitor->speaker;

    if (place_of(monitor, RIB_LOCAL) == NULL)
        return -ENOMEM;
    if (monitor->config.routes & RIB_MONITOR_LOC_RIB)
        monitor_peer_up(monitor, monitor->peers[RIB_LOCAL]);
    for (unsigned i = 1; i < speaker->n_peers; i++)
        if (speaker->peers[i]->established)
            session_changed(monitor, speaker->peers[i]);
    return monitor->failed ? -ENOMEM : 0;
}

struct rib_monitor *rib_monitor_create(struct speaker *speaker,
                                       const struct rib_monitor_config *config)
{
    struct rib_monitor *monitor = calloc(1, sizeof(*monitor));

    if (monitor == NULL)
        return NULL;
    monitor->speaker = speaker;
    monitor->config = *config;
    monitor->last = &monitor->first;
    monitor->next = speaker->monitors;
    speaker->monitors = monitor;
    if (take_stock(monitor) == 0)
        return monitor;
    rib_monitor_destroy(monitor);
    errno = ENOMEM;
    return NULL;
}

/* Entries without paths that wait for this collector wait no longer. */
static void release_awaited(struct rib_monitor *monitor, enum bgp_family family)
{
    const struct rib_bitset *awaited = &monitor->awaited[family];

    for (uint32_t id = rib_bitset_next(awaited, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(awaited, id + 1))
        rib_stop_waiting(monitor->speaker, family, id);
    rib_bitset_free(&monitor->awaited[family]);
}

/* It leaves the speaker's list first: entries that are let go of must not find it there. */
void rib_monitor_destroy(struct rib_monitor *monitor)
{
    struct rib_monitor **link;

    if (monitor == NULL)
        return;
    link = &monitor->speaker->monitors;
    while (*link != monitor)
        link = &(*link)->next;
    *link = monitor->next;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        release_awaited(monitor, family);
        free(monitor->held[family]);
        monitor->held[family] = NULL;
        monitor->n_held[family] = 0;
    }
    while (monitor->rests != NULL) {
        struct monitor_rest *rest = monitor->rests;

        monitor->rests = rest->next;
        rib_bitset_free(&rest->told);
        free(rest);
    }
    for (unsigned i = 0; i < monitor->n_peers; i++)
        if (monitor->peers[i] != NULL)
            monitor_peer_free(monitor->peers[i]);
    free(monitor->peers);
    free(monitor);
}
