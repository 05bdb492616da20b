/* See collector_watch.h. */
#include "engine/live/collector_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/route_server.h"
#include "engine/live/connection.h"
#include "engine/rib/monitor.h"

_Static_assert(FABRIC_BMP_PRE_POLICY == RIB_MONITOR_PRE_POLICY &&
                   FABRIC_BMP_POST_POLICY == RIB_MONITOR_POST_POLICY &&
                   FABRIC_BMP_ADJ_RIB_OUT == RIB_MONITOR_ADJ_RIB_OUT &&
                   FABRIC_BMP_LOC_RIB == RIB_MONITOR_LOC_RIB,
               "the file's bits are the monitor's");

/* One speaker, as one collector is told of it. */
struct watched {
    struct live *live;
    uint32_t route_server;
    unsigned instance;
    bool merged; /* the speaker has both instances */
    struct speaker *speaker;
    struct rib_monitor *monitor; /* NULL: the collector is not connected */
};

struct live_watch {
    size_t n, turn; /* who is asked next */
    struct watched items[];
};

/* --- Who is who ------------------------------------------------------------------------------- */

/* Sessions of both instances may be with one address of a peer, so that alone does not tell them apart.
 * Where there is one route server with one instance, nothing has to be told apart. */
static uint64_t distinguisher_of(const struct live *live, uint32_t route_server, unsigned instance)
{
    const struct fabric *fabric = live->fabric;
    if (fabric->route_servers_count == 1 && fabric->route_servers[0].instance_count == 1)
        return 0;
    return (uint64_t)(route_server + 1) << 32 | instance;
}

static void describe_table(const struct watched *watched, struct rib_monitored *monitored)
{
    const char *name = watched->live->fabric->route_servers[watched->route_server].name;
    monitored->distinguisher =
        distinguisher_of(watched->live, watched->route_server, watched->instance);
    if (watched->merged)
        snprintf(monitored->name, sizeof(monitored->name), "%s", name);
    else
        snprintf(monitored->name, sizeof(monitored->name), "%s/%u", name, watched->instance);
}

static void describe(void *context, const struct speaker_peer *speaker_peer,
                     struct rib_monitored *monitored)
{
    const struct watched *watched = context;
    const struct controller_peer *session;
    const struct live_peer *peer;
    if (!speaker_peer) {
        describe_table(watched, monitored);
        return;
    }
    session = speaker_peer_user(speaker_peer);
    peer = session->shell;
    monitored->distinguisher =
        distinguisher_of(watched->live, session->route_server, session->instance);
    snprintf(monitored->name, sizeof(monitored->name), "%s/%u %s",
             watched->live->fabric->route_servers[session->route_server].name, session->instance,
             speaker_peer_config(speaker_peer)->name);
    const struct live_connection *connection =
        peer ? peer->connections[bgp_session_negotiated(speaker_peer_session(speaker_peer))
                                     ->direction]
             : NULL;
    if (connection)
        live_connection_ports(connection, &monitored->local_port, &monitored->remote_port);
}

/* --- While the collector is there ------------------------------------------------------------- */

/* From the control plane's time to that since 1970. */
static int64_t wall_offset_ms(void)
{
    uv_timeval64_t wall;
    uv_gettimeofday(&wall);
    return wall.tv_sec * 1000 + wall.tv_usec / 1000 - (int64_t)live_now();
}

int live_watch_begin(struct live_watch *watch, uint32_t routes)
{
    int64_t offset_ms = wall_offset_ms();
    for (size_t i = 0; i < watch->n; i++) {
        struct watched *watched = &watch->items[i];
        const struct rib_monitor_config config = {
            .routes = routes, .offset_ms = offset_ms, .context = watched, .describe = describe};
        watched->monitor = rib_monitor_create(watched->speaker, &config);
        if (!watched->monitor)
            return -ENOMEM;
    }
    return 0;
}

uint64_t live_watch_messages(const struct live_watch *watch)
{
    uint64_t n = 0;
    for (size_t i = 0; i < watch->n; i++)
        if (watch->items[i].monitor)
            n += rib_monitor_messages(watch->items[i].monitor);
    return n;
}

uint64_t live_watch_end(struct live_watch *watch)
{
    uint64_t n = watch ? live_watch_messages(watch) : 0;
    for (size_t i = 0; watch && i < watch->n; i++) {
        rib_monitor_destroy(watch->items[i].monitor);
        watch->items[i].monitor = NULL;
    }
    return n;
}

size_t live_watch_pull(struct live_watch *watch, uint8_t *bytes, size_t capacity)
{
    size_t at = 0;
    uint64_t now_ms = live_now();
    for (size_t i = 0; i < watch->n && capacity - at >= RIB_MONITOR_MESSAGE_MAX; i++) {
        watch->turn = (watch->turn + 1) % watch->n;
        at += rib_monitor_output(watch->items[watch->turn].monitor, bytes + at, capacity - at,
                                 now_ms);
    }
    return at;
}

bool live_watch_pending(const struct live_watch *watch)
{
    for (size_t i = 0; i < watch->n; i++)
        if (rib_monitor_pending(watch->items[i].monitor))
            return true;
    return false;
}

bool live_watch_failed(const struct live_watch *watch)
{
    for (size_t i = 0; i < watch->n; i++)
        if (rib_monitor_failed(watch->items[i].monitor))
            return true;
    return false;
}

void live_watch_report(struct live_watch *watch)
{
    for (size_t i = 0; i < watch->n; i++)
        if (watch->items[i].monitor)
            rib_monitor_report(watch->items[i].monitor);
}

size_t live_watch_waiting(const struct live_watch *watch)
{
    size_t n = 0;
    for (size_t i = 0; i < watch->n; i++)
        if (watch->items[i].monitor)
            n += rib_monitor_waiting_count(watch->items[i].monitor);
    return n;
}

/* --- Life ------------------------------------------------------------------------------------- */

static size_t count_speakers(const struct fabric *fabric)
{
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        n += fabric_route_server_speakers(fabric, i);
    return n;
}

/* Those of the route servers stand first, in their order; without merged instances each has two. */
struct live_watch *live_watch_create(struct live *live)
{
    size_t n = count_speakers(live->fabric), at = 0;
    struct live_watch *watch = calloc(1, sizeof(*watch) + n * sizeof(struct watched));
    if (!watch)
        return NULL;
    watch->n = n;
    for (uint32_t i = 0; i < live->fabric->route_servers_count; i++) {
        unsigned speakers = fabric_route_server_speakers(live->fabric, i);
        for (unsigned instance = 0; instance < speakers; instance++, at++)
            watch->items[at] = (struct watched){
                .live = live,
                .route_server = i,
                .instance = instance,
                .merged = live->fabric->route_servers[i].instance_count > speakers,
                .speaker = controller_speaker(live->plane.controller, at),
            };
    }
    return watch;
}

void live_watch_free(struct live_watch *watch)
{
    free(watch);
}
