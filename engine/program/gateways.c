/*
 * gateways ─┬─ speakers[]  one a gateway
 *           ├─ links[]     gateway x its instance x instance of its route server
 *           └─ peers[]     gateway x neighbor x its instance
 *
 * The gateway's end of a link opens the connection, the route server's waits. Time within a pump is that
 * of the input that led to it.
 */
#include "engine/program/gateways_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/gateway.h"
#include "engine/program/controller_private.h"

/* Of one pump: a full table and more, but no end of it where two speakers never agree. */
#define PUMP_BYTES (64u * 1024u * 1024u)

/* --- Wishes of speakers ----------------------------------------------------------------------- */

static void note_busy(struct controller_peer *peer)
{
    struct controller_link *link = peer->link;
    struct gateways *gateways = link->gateways;
    uint64_t now_ms = speaker_now(peer->speaker);
    gateways->now_ms = now_ms > gateways->now_ms ? now_ms : gateways->now_ms;
    link->busy = true;
    gateways->busy(gateways->context);
}

void gateways_connect(struct controller_peer *peer)
{
    peer->link->connect_due = true;
    note_busy(peer);
}

void gateways_close(struct controller_peer *peer)
{
    peer->link->close_due[peer == &peer->link->ends[GATEWAY]] = true;
    note_busy(peer);
}

void gateways_output_ready(struct controller_peer *peer)
{
    note_busy(peer);
}

void gateways_changed(struct controller_peer *peer, enum bgp_state state)
{
    peer->established = state == BGP_ESTABLISHED;
    peer->retained = speaker_peer_retained(peer->peer);
}

static void on_peer_changed(void *context, struct speaker_peer *speaker_peer, enum bgp_state state,
                            const char *reason)
{
    const struct fabric *fabric = ((const struct gateways *)context)->fabric;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    bool was_up = peer->established;
    gateways_changed(peer, state);
    /* One that is gone may have had the number of a gateway that is gone, too. */
    if (!peer->link && peer->gateway < fabric->gateways_count)
        controller_session_changed(peer, fabric->gateways[peer->gateway].name, was_up, state,
                                   reason);
}

/* --- Carrying --------------------------------------------------------------------------------- */

static enum bgp_direction direction_of(unsigned end)
{
    return end == GATEWAY ? BGP_OUTGOING : BGP_INCOMING;
}

static void open_link(struct controller_link *link, uint64_t now_ms)
{
    link->connect_due = false;
    link->open = true;
    link->close_due[SERVER] = link->close_due[GATEWAY] = false;
    for (unsigned end = 0; end < 2; end++)
        speaker_connected(link->ends[end].speaker, link->ends[end].peer, direction_of(end), now_ms);
}

static void tell_closed(struct controller_link *link, unsigned end, uint64_t now_ms)
{
    link->open = false;
    link->close_due[SERVER] = link->close_due[GATEWAY] = false;
    speaker_closed(link->ends[!end].speaker, link->ends[!end].peer, direction_of(!end),
                   "closed by the peer", now_ms);
}

/* One way; returns how many bytes went. */
static size_t carry(struct controller_link *link, unsigned end)
{
    struct gateways *gateways = link->gateways;
    const struct controller_peer *from = &link->ends[end], *to = &link->ends[!end];
    size_t n = speaker_output(from->speaker, from->peer, direction_of(end), gateways->chunk,
                              GATEWAYS_CHUNK_BYTES, gateways->now_ms);
    if (n > 0)
        speaker_input(to->speaker, to->peer, direction_of(!end), gateways->chunk, n,
                      gateways->now_ms);
    else if (link->open && link->close_due[end])
        tell_closed(link, end, gateways->now_ms);
    return n;
}

/* Whatever comes of a turn is noted as busy again. */
static size_t serve(struct controller_link *link)
{
    size_t bytes = 0;
    link->busy = false;
    if (link->connect_due)
        open_link(link, link->gateways->now_ms);
    for (unsigned end = 0; end < 2 && link->open; end++) {
        size_t n = carry(link, end);
        bytes += n;
        link->busy |= n > 0;
    }
    return bytes;
}

static bool serve_busy(struct controller_link *link, size_t *bytes)
{
    bool busy = link->busy;
    if (busy)
        *bytes += serve(link);
    return busy;
}

bool gateways_pump(struct gateways *gateways)
{
    size_t bytes = 0;
    for (bool busy = true; busy && bytes < PUMP_BYTES;) {
        busy = false;
        for (size_t i = 0; i < gateways->link_count; i++)
            busy |= serve_busy(gateways->links[i], &bytes);
        for (struct gateways_gone *gone = gateways->gone; gone; gone = gone->next)
            busy |= gone->link && serve_busy(gone->link, &bytes);
    }
    return bytes < PUMP_BYTES;
}

/* --- Making ----------------------------------------------------------------------------------- */

int gateways_open_speaker(struct gateways *gateways, const struct fabric *fabric, uint32_t gateway,
                          struct speaker **speaker)
{
    struct speaker_config config = fabric_gateway_config(fabric, gateway);
    config.handler = (struct speaker_handler){.context = gateways, .peer_changed = on_peer_changed};
    controller_handle_carriers(&config.handler);
    *speaker = speaker_create(&config);
    if (!*speaker)
        return -errno;
    int error = fabric_gateway_originate(fabric, gateway, *speaker);
    if (error) {
        speaker_destroy(*speaker);
        *speaker = NULL;
    }
    return error;
}

static int add_end(struct controller_link *link, unsigned end, struct speaker *speaker,
                   struct speaker_peer_config config, uint32_t gateway, uint32_t route_server)
{
    struct controller_peer *peer = &link->ends[end];
    *peer = (struct controller_peer){
        .controller = link->gateways->controller,
        .speaker = speaker,
        .route_server = route_server,
        .instance = config.instance,
        .gateway = gateway,
        .link = link,
    };
    config.user = peer;
    return speaker_peer_add(speaker, &config, &peer->peer);
}

/* The gateway's end comes first: its speaker may go again, the route server's not. */
int gateways_add_link(struct gateways *gateways, const struct fabric *fabric, uint32_t gateway,
                      struct speaker *speaker, unsigned instance, unsigned server_instance,
                      struct controller_link **added)
{
    const uint32_t route_server = fabric_gateway_server(fabric, gateway);
    struct controller_link *link = calloc(1, sizeof(*link));
    if (!link)
        return -ENOMEM;
    link->gateways = gateways;
    int error = add_end(link, GATEWAY, speaker,
                        fabric_gateway_link_gateway(fabric, gateway, instance, server_instance),
                        gateway, route_server);
    if (!error)
        error = add_end(link, SERVER,
                        gateways->server(gateways->context, route_server, server_instance),
                        fabric_gateway_link_server(fabric, gateway, instance, server_instance),
                        gateway, route_server);
    if (error)
        free(link);
    else
        *added = link;
    return error;
}

int gateways_add_peer(struct gateways *gateways, const struct fabric *fabric, uint32_t gateway,
                      struct speaker *speaker, unsigned instance, uint32_t neighbor,
                      struct controller_peer **added)
{
    struct controller_peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return -ENOMEM;
    *peer = (struct controller_peer){
        .controller = gateways->controller,
        .speaker = speaker,
        .route_server = FABRIC_NONE,
        .instance = instance,
        .index = neighbor,
        .gateway = gateway,
    };
    struct speaker_peer_config config = fabric_gateway_peer(fabric, gateway, instance, neighbor);
    config.user = peer;
    int error = speaker_peer_add(speaker, &config, &peer->peer);
    if (error)
        free(peer);
    else
        *added = peer;
    return error;
}

static int add_links(struct gateways *gateways, uint32_t index)
{
    const struct fabric *fabric = gateways->fabric;
    unsigned servers = fabric->route_servers[fabric_gateway_server(fabric, index)].instance_count;
    int error = 0;
    for (unsigned i = 0; i < fabric->gateways[index].addresses.n; i++)
        for (unsigned j = 0; j < servers && !error; j++) {
            error = gateways_add_link(gateways, fabric, index, gateways->speakers[index], i, j,
                                      &gateways->links[gateways->link_count]);
            gateways->link_count += !error;
        }
    return error;
}

static int add_peers(struct gateways *gateways, uint32_t index)
{
    const struct fabric *fabric = gateways->fabric;
    int error = 0;
    for (uint32_t i = 0; i < fabric_gateway_neighbor_count(fabric, index); i++)
        for (unsigned j = 0; j < fabric->gateways[index].addresses.n && !error; j++) {
            error = gateways_add_peer(gateways, fabric, index, gateways->speakers[index], j, i,
                                      &gateways->peers[gateways->peer_count]);
            gateways->peer_count += !error;
        }
    return error;
}

void gateways_count(const struct fabric *fabric, size_t *links, size_t *peers)
{
    *links = *peers = 0;
    for (uint32_t i = 0; i < fabric->gateways_count; i++) {
        size_t instances = fabric->gateways[i].addresses.n;
        *links +=
            instances * fabric->route_servers[fabric_gateway_server(fabric, i)].instance_count;
        *peers += instances * fabric_gateway_neighbor_count(fabric, i);
    }
}

static int allocate(struct gateways *gateways)
{
    size_t links, peers;
    gateways_count(gateways->fabric, &links, &peers);
    gateways->speakers = calloc(gateways->fabric->gateways_count + 1, sizeof(struct speaker *));
    gateways->links = calloc(links + 1, sizeof(struct controller_link *));
    gateways->peers = calloc(peers + 1, sizeof(struct controller_peer *));
    return gateways->speakers && gateways->links && gateways->peers ? 0 : -ENOMEM;
}

int gateways_create(struct controller *controller, const struct fabric *fabric,
                    gateways_server *server, gateways_busy *busy, void *context,
                    struct gateways **made, char error[DP_ERROR_TEXT])
{
    struct gateways *gateways = calloc(1, sizeof(*gateways));
    if (!gateways)
        return -ENOMEM;
    gateways->controller = controller;
    gateways->fabric = fabric;
    gateways->server = server;
    gateways->busy = busy;
    gateways->context = context;
    int failed = allocate(gateways);
    for (uint32_t i = 0; i < fabric->gateways_count && !failed; i++) {
        failed = gateways_open_speaker(gateways, fabric, i, &gateways->speakers[i]);
        if (!failed)
            failed = add_links(gateways, i);
        if (!failed)
            failed = add_peers(gateways, i);
        if (failed)
            snprintf(error, DP_ERROR_TEXT, "gateway '%s' cannot be set up (errno %d)",
                     fabric->gateways[i].name, -failed);
    }
    if (failed)
        gateways_destroy(gateways);
    else
        *made = gateways;
    return failed;
}

void gateways_take(struct gateways *gateways, const struct fabric *fabric)
{
    gateways->fabric = fabric;
}

void gateways_destroy(struct gateways *gateways)
{
    if (!gateways)
        return;
    for (uint32_t i = 0; gateways->speakers && i < gateways->fabric->gateways_count; i++)
        speaker_destroy(gateways->speakers[i]);
    for (struct gateways_gone *gone = gateways->gone, *next; gone; gone = next) {
        next = gone->next;
        speaker_destroy(gone->speaker);
        free(gone->link);
        free(gone->peer);
        free(gone);
    }
    for (size_t i = 0; i < gateways->link_count; i++)
        free(gateways->links[i]);
    for (size_t i = 0; i < gateways->peer_count; i++)
        free(gateways->peers[i]);
    free(gateways->speakers);
    free(gateways->links);
    free(gateways->peers);
    free(gateways);
}

/* --- Policies --------------------------------------------------------------------------------- */

/* Of one session, compiled. */
struct pair {
    struct rib_policy *import, *export;
};

static int compile_link(const struct gateways *gateways, const struct fabric *with,
                        const struct controller_link *link, unsigned end, struct pair *pair)
{
    const struct fabric *fabric = gateways->fabric;
    uint32_t gateway = link->ends[end].gateway;
    if (end == GATEWAY)
        return fabric_gateway_link_policy(fabric, with, gateway, FABRIC_GATEWAY_LINK_EXPORT,
                                          &pair->export);
    int error = fabric_gateway_link_policy(fabric, with, gateway, FABRIC_GATEWAY_SERVER_IMPORT,
                                           &pair->import);
    return error ? error
                 : fabric_gateway_link_policy(fabric, with, gateway, FABRIC_GATEWAY_SERVER_EXPORT,
                                              &pair->export);
}

static int compile_peer(const struct gateways *gateways, const struct fabric *with,
                        const struct controller_peer *peer, struct pair *pair)
{
    int error = fabric_gateway_peer_policy(gateways->fabric, with, peer->gateway, peer->index, true,
                                           &pair->import);
    return error ? error
                 : fabric_gateway_peer_policy(gateways->fabric, with, peer->gateway, peer->index,
                                              false, &pair->export);
}

/* Sessions of the links, two each, then those with neighbors. */
static const struct controller_peer *session_at(const struct gateways *gateways, size_t i)
{
    return i < 2 * gateways->link_count ? &gateways->links[i / 2]->ends[i % 2]
                                        : gateways->peers[i - 2 * gateways->link_count];
}

int gateways_set_policies(struct gateways *gateways, const struct fabric *with, uint64_t now_ms)
{
    size_t n = 2 * gateways->link_count + gateways->peer_count;
    struct pair *pairs = calloc(n + 1, sizeof(*pairs));
    int error = pairs ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && !error; i++) {
        const struct controller_peer *peer = session_at(gateways, i);
        error = peer->link ? compile_link(gateways, with, peer->link, i % 2, &pairs[i])
                           : compile_peer(gateways, with, peer, &pairs[i]);
    }
    for (size_t i = 0; i < n && pairs; i++) {
        const struct controller_peer *peer = session_at(gateways, i);
        if (!error)
            speaker_peer_set_policies(peer->speaker, peer->peer, pairs[i].import, pairs[i].export,
                                      now_ms);
        rib_policy_release(pairs[i].import);
        rib_policy_release(pairs[i].export);
    }
    free(pairs);
    return error;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void start_link(struct controller_link *link, uint64_t now_ms)
{
    const struct fabric *fabric = link->gateways->fabric;
    if (fabric_gateway_is_cut_off(fabric, link->ends[GATEWAY].gateway))
        return;
    for (unsigned end = 0; end < 2; end++) {
        if (!link->ends[end].started)
            speaker_peer_start(link->ends[end].speaker, link->ends[end].peer, now_ms);
        link->ends[end].started = true;
    }
}

void gateways_start(struct gateways *gateways, uint64_t now_ms)
{
    gateways->now_ms = now_ms;
    for (size_t i = 0; i < gateways->link_count; i++)
        start_link(gateways->links[i], now_ms);
    for (size_t i = 0; i < gateways->peer_count; i++) {
        struct controller_peer *peer = gateways->peers[i];
        if (peer->shell && !peer->started)
            speaker_peer_start(peer->speaker, peer->peer, now_ms);
        peer->started |= peer->shell != NULL;
    }
}

void gateways_stop(struct gateways *gateways, uint64_t now_ms)
{
    for (size_t i = 0; i < gateways->peer_count; i++)
        speaker_peer_stop(gateways->peers[i]->speaker, gateways->peers[i]->peer, BGP_CEASE_SHUTDOWN,
                          now_ms);
}

/* --- Questions -------------------------------------------------------------------------------- */

size_t gateways_peer_count(const struct gateways *gateways)
{
    return gateways->peer_count;
}

struct controller_peer *gateways_peer(struct gateways *gateways, size_t i)
{
    return gateways->peers[i];
}

size_t gateways_link_count(const struct gateways *gateways)
{
    return gateways->link_count;
}

const struct controller_peer *gateways_link_end(const struct gateways *gateways, size_t i,
                                                unsigned end)
{
    return &gateways->links[i]->ends[end];
}

struct speaker *gateways_speaker(const struct gateways *gateways, uint32_t gateway)
{
    return gateways->speakers[gateway];
}
