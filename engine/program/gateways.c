/*
 * gateways ─┬─ speakers[]  one a gateway
 *           ├─ links[]     gateway x its instance x instance of its route server
 *           └─ peers[]     gateway x neighbor x its instance
 *
 * The gateway's end of a link opens the connection, the route server's waits. Time within a pump is that
 * of the input that led to it.
 */
#include "engine/program/gateways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/gateway.h"

#define CHUNK_BYTES 65536u
/* Of one pump: a full table and more, but no end of it where two speakers never agree. */
#define PUMP_BYTES (64u * 1024u * 1024u)

enum { SERVER, GATEWAY };

struct controller_link {
    struct gateways *gateways;
    struct controller_peer ends[2];
    bool connect_due, open, busy;
    bool close_due[2]; /* by the end that wants it */
};

struct gateways {
    struct controller *controller;
    const struct fabric *fabric;
    const struct controller_shell *shell;
    gateways_busy *busy;
    void *context;
    struct speaker **speakers;
    struct controller_link *links;
    size_t link_count;
    struct controller_peer *peers;
    size_t peer_count;
    uint64_t now_ms;
    uint8_t chunk[CHUNK_BYTES];
};

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

static void on_connect(void *context, struct speaker_peer *speaker_peer)
{
    const struct gateways *gateways = context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (peer->link)
        gateways_connect(peer);
    else
        gateways->shell->connect(gateways->shell->context, peer);
}

static void on_close(void *context, struct speaker_peer *speaker_peer, enum bgp_direction direction)
{
    const struct gateways *gateways = context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (peer->link)
        gateways_close(peer);
    else
        gateways->shell->close(gateways->shell->context, peer, direction);
}

static void on_output_ready(void *context, struct speaker_peer *speaker_peer,
                            enum bgp_direction direction)
{
    const struct gateways *gateways = context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (peer->link)
        gateways_output_ready(peer);
    else
        gateways->shell->output_ready(gateways->shell->context, peer, direction);
}

static bool on_input_waits(void *context, struct speaker_peer *speaker_peer,
                           enum bgp_direction direction)
{
    const struct controller_shell *shell = ((struct gateways *)context)->shell;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    return !peer->link && shell->input_waits && shell->input_waits(shell->context, peer, direction);
}

static void on_peer_changed(void *context, struct speaker_peer *speaker_peer, enum bgp_state state,
                            const char *reason)
{
    const struct controller_shell *shell = ((struct gateways *)context)->shell;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    gateways_changed(peer, state);
    if (!peer->link && shell->peer_changed)
        shell->peer_changed(shell->context, peer, state, reason);
}

static void on_notice(void *context, struct speaker_peer *speaker_peer, const char *line)
{
    const struct controller_shell *shell = ((struct gateways *)context)->shell;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (!peer->link && shell->notice)
        shell->notice(shell->context, peer, line);
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
                              CHUNK_BYTES, gateways->now_ms);
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

bool gateways_pump(struct gateways *gateways)
{
    size_t bytes = 0;
    for (bool busy = true; busy && bytes < PUMP_BYTES;) {
        busy = false;
        for (size_t i = 0; i < gateways->link_count; i++) {
            struct controller_link *link = &gateways->links[i];
            if (!link->busy)
                continue;
            bytes += serve(link);
            busy = true;
        }
    }
    return bytes < PUMP_BYTES;
}

/* --- Making ----------------------------------------------------------------------------------- */

static int open_speaker(struct gateways *gateways, uint32_t index)
{
    struct speaker_config config = fabric_gateway_config(gateways->fabric, index);
    config.handler = (struct speaker_handler){
        .context = gateways,
        .peer_changed = on_peer_changed,
        .connect = on_connect,
        .close = on_close,
        .output_ready = on_output_ready,
        .input_waits = on_input_waits,
        .notice = on_notice,
    };
    gateways->speakers[index] = speaker_create(&config);
    if (!gateways->speakers[index])
        return -errno;
    return fabric_gateway_originate(gateways->fabric, index, gateways->speakers[index]);
}

static int add_end(struct controller_link *link, unsigned end, struct speaker *speaker,
                   struct speaker_peer_config config, uint32_t gateway)
{
    struct controller_peer *peer = &link->ends[end];
    *peer = (struct controller_peer){
        .controller = link->gateways->controller,
        .speaker = speaker,
        .route_server = fabric_gateway_server(link->gateways->fabric, gateway),
        .instance = config.instance,
        .gateway = gateway,
        .link = link,
    };
    config.user = peer;
    return speaker_peer_add(speaker, &config, &peer->peer);
}

static int add_links(struct gateways *gateways, uint32_t index, gateways_server *server)
{
    const struct fabric *fabric = gateways->fabric;
    uint32_t route_server = fabric_gateway_server(fabric, index);
    unsigned servers = fabric->route_servers[route_server].instance_count;
    for (unsigned i = 0; i < fabric->gateways[index].addresses.n; i++)
        for (unsigned j = 0; j < servers; j++) {
            struct controller_link *link = &gateways->links[gateways->link_count++];
            link->gateways = gateways;
            int error = add_end(link, SERVER, server(gateways->context, route_server, j),
                                fabric_gateway_link_server(fabric, index, i, j), index);
            if (!error)
                error = add_end(link, GATEWAY, gateways->speakers[index],
                                fabric_gateway_link_gateway(fabric, index, i, j), index);
            if (error)
                return error;
        }
    return 0;
}

static int add_peers(struct gateways *gateways, uint32_t index)
{
    const struct fabric *fabric = gateways->fabric;
    for (uint32_t i = 0; i < fabric_gateway_neighbor_count(fabric, index); i++)
        for (unsigned j = 0; j < fabric->gateways[index].addresses.n; j++) {
            struct controller_peer *peer = &gateways->peers[gateways->peer_count++];
            *peer = (struct controller_peer){
                .controller = gateways->controller,
                .speaker = gateways->speakers[index],
                .route_server = FABRIC_NONE,
                .instance = j,
                .index = i,
                .gateway = index,
            };
            struct speaker_peer_config config = fabric_gateway_peer(fabric, index, j, i);
            config.user = peer;
            int error = speaker_peer_add(peer->speaker, &config, &peer->peer);
            if (error)
                return error;
        }
    return 0;
}

static int allocate(struct gateways *gateways)
{
    const struct fabric *fabric = gateways->fabric;
    size_t links = 0, peers = 0;
    for (uint32_t i = 0; i < fabric->gateways_count; i++) {
        size_t instances = fabric->gateways[i].addresses.n;
        links += instances * fabric->route_servers[fabric_gateway_server(fabric, i)].instance_count;
        peers += instances * fabric_gateway_neighbor_count(fabric, i);
    }
    gateways->speakers = calloc(fabric->gateways_count + 1, sizeof(struct speaker *));
    gateways->links = calloc(links + 1, sizeof(*gateways->links));
    gateways->peers = calloc(peers + 1, sizeof(*gateways->peers));
    return gateways->speakers && gateways->links && gateways->peers ? 0 : -ENOMEM;
}

int gateways_create(struct controller *controller, const struct fabric *fabric,
                    const struct controller_shell *shell, gateways_server *server,
                    gateways_busy *busy, void *context, struct gateways **made,
                    char error[DP_ERROR_TEXT])
{
    struct gateways *gateways = calloc(1, sizeof(*gateways));
    if (!gateways)
        return -ENOMEM;
    gateways->controller = controller;
    gateways->fabric = fabric;
    gateways->shell = shell;
    gateways->busy = busy;
    gateways->context = context;
    int failed = allocate(gateways);
    for (uint32_t i = 0; i < fabric->gateways_count && !failed; i++) {
        failed = open_speaker(gateways, i);
        if (!failed)
            failed = add_links(gateways, i, server);
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

void gateways_follow(struct gateways *gateways, const struct fabric *fabric)
{
    if (gateways)
        gateways->fabric = fabric;
}

void gateways_destroy(struct gateways *gateways)
{
    if (!gateways)
        return;
    for (uint32_t i = 0; gateways->speakers && i < gateways->fabric->gateways_count; i++)
        speaker_destroy(gateways->speakers[i]);
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
    return i < 2 * gateways->link_count ? &gateways->links[i / 2].ends[i % 2]
                                        : &gateways->peers[i - 2 * gateways->link_count];
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
    for (unsigned end = 0; end < 2; end++)
        speaker_peer_start(link->ends[end].speaker, link->ends[end].peer, now_ms);
}

void gateways_start(struct gateways *gateways, uint64_t now_ms)
{
    gateways->now_ms = now_ms;
    for (size_t i = 0; i < gateways->link_count; i++)
        start_link(&gateways->links[i], now_ms);
    for (size_t i = 0; i < gateways->peer_count; i++)
        if (gateways->peers[i].shell)
            speaker_peer_start(gateways->peers[i].speaker, gateways->peers[i].peer, now_ms);
}

void gateways_stop(struct gateways *gateways, uint64_t now_ms)
{
    for (size_t i = 0; i < gateways->peer_count; i++)
        speaker_peer_stop(gateways->peers[i].speaker, gateways->peers[i].peer, BGP_CEASE_SHUTDOWN,
                          now_ms);
}

/* --- Questions -------------------------------------------------------------------------------- */

size_t gateways_peer_count(const struct gateways *gateways)
{
    return gateways->peer_count;
}

struct controller_peer *gateways_peer(struct gateways *gateways, size_t i)
{
    return &gateways->peers[i];
}

size_t gateways_link_count(const struct gateways *gateways)
{
    return gateways->link_count;
}

const struct controller_peer *gateways_link_end(const struct gateways *gateways, size_t i,
                                                unsigned end)
{
    return &gateways->links[i].ends[end];
}

struct speaker *gateways_speaker(const struct gateways *gateways, uint32_t gateway)
{
    return gateways->speakers[gateway];
}
