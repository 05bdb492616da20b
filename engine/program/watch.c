/* See watch.h. Counts and comparisons of peers are in watch_counts.c, next hops in watch_next_hops.c. */
#include "engine/program/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/route_server.h"
#include "engine/program/watch_private.h"

/* --- Life ------------------------------------------------------------------------------------- */

/* What is new is zero. */
static int grow(void **items, size_t size, size_t had, size_t wanted)
{
    void *grown = wanted > had ? realloc(*items, wanted * size) : *items;
    if (!grown)
        return -ENOMEM;
    *items = grown;
    if (wanted > had)
        memset((char *)grown + had * size, 0, (wanted - had) * size);
    return 0;
}

static int make_server_room(struct watch_server *server, size_t wanted)
{
    int error = grow((void **)&server->defaults, sizeof(*server->defaults), server->room, wanted);
    if (!error)
        error = grow((void **)&server->has, sizeof(*server->has), server->room, wanted);
    if (!error && wanted > server->room)
        server->room = wanted;
    return error;
}

/* As many as the file allows, or as there are: what it names may have become more since others were accepted. */
static size_t count_neighbors(const struct watch *watch, const struct fabric *fabric, uint32_t i)
{
    const size_t allowed = fabric_route_server_neighbors(fabric, i);
    size_t n = fabric->route_servers[i].peer_count;
    for (size_t j = 0; j < controller_peer_count(watch->controller); j++) {
        const struct controller_peer *peer = controller_peer(watch->controller, j);
        n += peer->accepted && peer->route_server == i && peer->instance == 0;
    }
    return n > allowed ? n : allowed;
}

int watch_make_room(struct watch *watch, const struct fabric *fabric)
{
    const size_t most = controller_peer_capacity(watch->controller);
    size_t numbers = controller_peer_numbers(watch->controller);
    numbers = numbers > most ? numbers : most;
    int error = grow((void **)&watch->peers, sizeof(*watch->peers), watch->peer_room, numbers + 1);
    if (!error && numbers + 1 > watch->peer_room)
        watch->peer_room = numbers + 1;
    for (uint32_t i = 0; i < fabric->route_servers_count && !error; i++)
        error = make_server_room(&watch->servers[i],
                                 count_neighbors(watch, fabric, i) + WATCH_GATEWAYS);
    return error;
}

struct watch *watch_create(struct controller *controller, const struct fabric *fabric,
                           event_listener *listener, void *context)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    watch->fabric = fabric;
    watch->controller = controller;
    watch->log = event_log_create(fabric->engine.events.ring, listener, context);
    watch->servers = calloc(fabric->route_servers_count + 1, sizeof(*watch->servers));
    if (watch->log && watch->servers && watch_make_room(watch, fabric) == 0)
        return watch;
    watch_destroy(watch);
    errno = ENOMEM;
    return NULL;
}

void watch_destroy(struct watch *watch)
{
    if (!watch)
        return;
    for (uint32_t i = 0; watch->servers && i < watch->fabric->route_servers_count; i++) {
        free(watch->servers[i].defaults);
        free(watch->servers[i].has);
    }
    watch_follow_drop(watch);
    watch_views_close(&watch->views);
    event_log_destroy(watch->log);
    free(watch->servers);
    free(watch->peers);
    free(watch);
}

void watch_forget(struct watch *watch, const struct controller_peer *peer)
{
    watch->peers[peer->number] = (struct watch_peer){0};
    watch->servers[peer->route_server].defaults[WATCH_GATEWAYS + peer->neighbor] = 0;
}

const struct event_log *watch_log(const struct watch *watch)
{
    return watch->log;
}

/* --- Sessions --------------------------------------------------------------------------------- */

void watch_say(struct watch *watch, enum event_kind kind, const struct controller_peer *peer,
               uint64_t now_ms, const char *cause)
{
    struct event event = {
        .time_ms = now_ms, .kind = kind, .route_server = peer->route_server, .peer = peer};
    snprintf(event.cause, sizeof(event.cause), "%s", cause);
    event_log_add(watch->log, &event);
}

void watch_session(struct watch *watch, const struct controller_peer *peer, const char *gateway,
                   bool was_up, enum bgp_state state, const char *reason)
{
    bool is_up = state == BGP_ESTABLISHED;
    struct event event = {.time_ms = bgp_session_since(speaker_peer_session(peer->peer)),
                          .kind = EVENT_SESSION_STATE,
                          .route_server = peer->route_server,
                          .peer = peer};
    if (is_up || was_up)
        event.kind = is_up ? EVENT_SESSION_UP : EVENT_SESSION_DOWN;
    snprintf(event.gateway, sizeof(event.gateway), "%s", gateway ? gateway : "");
    snprintf(event.cause, sizeof(event.cause), "%s: %s", bgp_state_text(state), reason);
    event_log_add(watch->log, &event);
    if (!was_up || is_up)
        return;
    event.kind = EVENT_PEER_DOWN;
    event_log_add(watch->log, &event);
}

/* --- Load balancers --------------------------------------------------------------------------- */

void watch_backend(struct watch *watch, uint32_t balancer, uint32_t nic, bool up, uint64_t now_ms)
{
    const struct fabric_load_balancer *model = &watch->fabric->load_balancers[balancer];
    struct event event = {.time_ms = now_ms,
                          .kind = up ? EVENT_BACKEND_UP : EVENT_BACKEND_DOWN,
                          .route_server = FABRIC_NONE};
    snprintf(event.balancer, sizeof(event.balancer), "%s", model->name);
    snprintf(event.nic, sizeof(event.nic), "%s", watch->fabric->nics[nic].name);
    snprintf(event.cause, sizeof(event.cause), "%u probe%s in a row %s",
             up ? model->probe_successes : model->probe_failures,
             (up ? model->probe_successes : model->probe_failures) == 1 ? "" : "s",
             up ? "answered" : "failed");
    event_log_add(watch->log, &event);
}

void watch_member(struct watch *watch, uint32_t group, const struct lpm_address *next_hop,
                  enum program_member_state state, uint64_t now_ms)
{
    struct event event = {.time_ms = now_ms,
                          .kind = EVENT_MEMBER_SET,
                          .route_server = FABRIC_NONE,
                          .group = group,
                          .next_hop_count = 1,
                          .next_hops = {*next_hop}};
    snprintf(event.cause, sizeof(event.cause), "set %s by an operator",
             program_member_state_text(state));
    event_log_add(watch->log, &event);
}

void watch_port(struct watch *watch, uint32_t port, bool up, int swapped, uint64_t now_ms)
{
    struct event event = {.time_ms = now_ms,
                          .kind = up ? EVENT_PORT_UP : EVENT_PORT_DOWN,
                          .route_server = FABRIC_NONE};
    snprintf(event.port, sizeof(event.port), "%s", watch->fabric->ports[port].name);
    snprintf(event.cause, sizeof(event.cause), "link %s, %d group%s swapped", up ? "up" : "down",
             swapped, swapped == 1 ? "" : "s");
    event_log_add(watch->log, &event);
}

/* --- Routes ----------------------------------------------------------------------------------- */

/* Which of the WATCH_DEFAULTS prefixes it is; -1: none. */
static int default_number(const struct lpm_prefix *prefix)
{
    if (prefix->length > 1)
        return -1;
    int half = prefix->length == 0 ? 0 : 1 + (prefix->bytes[0] >> 7);
    return half + (prefix->family == LPM_IPV6 ? WATCH_DEFAULTS / 2 : 0);
}

/* What one of a speaker's routes is said with. */
static struct event route_event(uint32_t server, const struct speaker *speaker,
                                const struct lpm_prefix *prefix)
{
    const struct speaker_peer *cause = speaker_cause(speaker);
    return (struct event){
        .time_ms = speaker_now(speaker),
        .route_server = server,
        .peer = cause ? speaker_peer_user(cause) : NULL,
        .prefix = *prefix,
    };
}

void watch_alert(struct watch *watch, const struct event *base, enum event_kind kind,
                 const struct controller_peer *peer, const char *cause)
{
    struct event event = *base;
    event.kind = kind;
    event.peer = peer;
    snprintf(event.cause, sizeof(event.cause), "%s", cause);
    event_log_add(watch->log, &event);
}

/* Gateways stand before the neighbours, by their type: a VNet has one of each. */
static uint32_t number_of(const struct watch *watch, const struct controller_peer *peer)
{
    if (!peer->link)
        return WATCH_GATEWAYS + peer->neighbor;
    return watch->fabric->gateways[peer->gateway].vpn ? 1u : 0u;
}

struct defaults {
    const struct watch *watch;
    const struct controller_peer **has;
};

static int note_default(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    const struct defaults *defaults = context;
    bool filtered = verdict == RIB_FILTERED_AS_LOOP || verdict == RIB_FILTERED_POLICY ||
                    verdict == RIB_FILTERED_NEXT_HOP || verdict == RIB_FILTERED_MARTIAN;
    if (path->peer && !filtered &&
        !((const struct controller_peer *)speaker_peer_user(path->peer))->gone) {
        const struct controller_peer *peer = speaker_peer_user(path->peer);
        defaults->has[number_of(defaults->watch, peer)] = peer;
    }
    return 0;
}

/* Any neighbour's own, chosen or not: the change may be the choice of tomorrow. */
static void watch_default(struct watch *watch, const struct event *event,
                          const struct speaker *speaker, unsigned number)
{
    struct watch_server *server = &watch->servers[event->route_server];
    const size_t n = server->room;
    const struct controller_peer **has = server->has;
    struct defaults defaults = {watch, has};
    memset(has, 0, n * sizeof(*has));
    speaker_each_learned_candidate(speaker, &event->prefix, note_default, &defaults);
    for (size_t i = 0; i < n; i++) {
        uint8_t bit = (uint8_t)(1u << number);
        if (has[i] && !(server->defaults[i] & bit)) {
            char cause[EVENT_CAUSE], text[LPM_PREFIX_TEXT];
            snprintf(cause, sizeof(cause), "%s announces %s",
                     speaker_peer_config(has[i]->peer)->name,
                     lpm_prefix_format(&event->prefix, text));
            watch_alert(watch, event, EVENT_NEW_DEFAULT_ROUTE, event->peer, cause);
        }
        server->defaults[i] = has[i] ? server->defaults[i] | bit : server->defaults[i] & ~bit;
    }
}

static void watch_supernet(struct watch *watch, const struct event *event)
{
    const struct lpm_prefix *prefix = &event->prefix;
    bool ipv6 = prefix->family == LPM_IPV6;
    if (prefix->length > (ipv6 ? WATCH_SUPERNET6 : WATCH_SUPERNET4))
        return;
    struct watch_server *server = &watch->servers[event->route_server];
    unsigned bits = ipv6 ? (unsigned)prefix->bytes[0] << 8 | prefix->bytes[1] : prefix->bytes[0];
    unsigned widest = ipv6 ? WATCH_SUPERNET6 : WATCH_SUPERNET4;
    /* 1, then the bits of the prefix: a number of its own for each length and value. */
    unsigned number = (1u << prefix->length) | bits >> (widest - prefix->length);
    uint8_t *seen = ipv6 ? server->supernets6 : server->supernets4;
    if (seen[number / 8] >> (number % 8) & 1)
        return;
    seen[number / 8] |= (uint8_t)(1u << (number % 8));
    watch_alert(watch, event, EVENT_NEW_SUPERNET, event->peer,
                "the first route to so wide a prefix");
}

static void explain(const struct speaker *speaker, struct event *event)
{
    if (!event->peer) {
        snprintf(event->cause, sizeof(event->cause), "the fabric's own routes");
        return;
    }
    const char *name = speaker_peer_config(event->peer->peer)->name;
    if (!speaker_cause_is_withdrawal(speaker))
        snprintf(event->cause, sizeof(event->cause), "%s announced a path", name);
    else if (event->peer->established)
        snprintf(event->cause, sizeof(event->cause), "%s withdrew its path", name);
    else
        snprintf(event->cause, sizeof(event->cause), "the session with %s is down: %.120s", name,
                 bgp_session_last_reason(speaker_peer_session(event->peer->peer)));
}

void watch_route(struct watch *watch, uint32_t route_server, const struct speaker *speaker,
                 const struct lpm_prefix *prefix)
{
    struct rib_choice choice;
    struct event event = route_event(route_server, speaker, prefix);
    bool chosen = speaker_learned_choice(speaker, prefix, &choice);
    /* What the route server announces comes back to it by way of its peers, and is filtered: that
     * counts as a change of an own route, and is no news. */
    if (!chosen && speaker_originates(speaker, prefix))
        return;
    event.kind = chosen ? EVENT_ROUTE_CHOSEN : EVENT_ROUTE_GONE;
    event.next_hop_count = choice.n;
    for (unsigned i = 0; i < choice.n && i < EVENT_NEXT_HOPS; i++)
        event.next_hops[i] = choice.paths[i].next_hop;
    if (chosen)
        bgp_as_path_format(choice.paths[0].attributes, '-', event.as_path, sizeof(event.as_path));
    explain(speaker, &event);
    event_log_add(watch->log, &event);

    int number = default_number(prefix);
    if (number >= 0)
        watch_default(watch, &event, speaker, (unsigned)number);
    else if (chosen)
        watch_supernet(watch, &event);
    for (unsigned i = 0; i < choice.n; i++)
        watch_next_hop(watch, &event, &choice.paths[i]);
}
