/*
 * See collector.h.
 *
 *   WAITING ──retry timer──> CONNECTING ──> CONNECTED ──stop──> ENDING
 *      ^────────────────────────┴──────────────┴── failure: closed, and again after a pause
 *
 * Monitors exist while CONNECTED: a collector that is away costs nothing. A handle is used again only
 * after its close callback.
 */
#include "engine/live/collector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/bgp/bmp.h"
#include "engine/live/collector_watch.h"
#include "engine/live/log.h"
#include "engine/live/socket_address.h"
#include "engine/rib/monitor.h"

#define CHUNK          (64u * 1024 + RIB_MONITOR_MESSAGE_MAX)
#define RETRY_FIRST_MS 1000u
#define RETRY_MOST_MS  60000u
#define STEADY_MS      10000u /* a connection that lasted so long makes the next pause a short one */
#define CONNECT_MS     10000u
#define KEEPALIVE_S    60u
#define SLICE_MS       1u
/* A collector has nothing to say (RFC 7854 section 3.2); one that says this much is no collector. */
#define HEARD_MOST 4096u

enum state { WAITING, CONNECTING, CONNECTED, ENDING, CLOSED };
static const char *const state_names[] = {"waiting", "connecting", "connected", "ending", "closed"};

struct collector {
    struct live *live;
    const struct fabric_bmp *config;
    union socket_address address;
    enum state state;
    bool writing, tcp_open;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_timer_t retry, report, slice;
    struct live_watch *watch; /* what it is told of */
    uint64_t since_ms, heard;
    uint32_t pause_ms;
    uint64_t connections, messages, bytes;
    char reason[160], last_line[200];
    uint8_t waste[256];
    uint8_t chunk[CHUNK];
};

struct live_collectors {
    size_t n;
    struct collector items[];
};

static void say(struct collector *collector, const char *line)
{
    char text[sizeof(collector->last_line)];
    snprintf(text, sizeof(text), "%s", line);
    if (strcmp(text, collector->last_line) == 0)
        return; /* one that is away fails the same way over and over */
    memcpy(collector->last_line, text, sizeof(text));
    live_log("BMP collector %s: %s", collector->config->collector, text);
}

static void enter(struct collector *collector, enum state state)
{
    collector->state = state;
    collector->since_ms = live_now();
}

/* --- Life of a connection --------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer);

/* Three quarters to five quarters of the pause: several engines do not come back in step. */
static uint64_t jitter(uint32_t pause_ms)
{
    uint32_t random = (uint32_t)(uv_hrtime() >> 6);
    return pause_ms - pause_ms / 4 + random % (pause_ms / 2 + 1);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct collector *collector = handle->data;
    collector->tcp_open = false;
    collector->writing = false;
    if (collector->state != WAITING)
        return;
    uv_timer_start(&collector->retry, on_retry, jitter(collector->pause_ms), 0);
    collector->pause_ms =
        collector->pause_ms < RETRY_MOST_MS / 2 ? collector->pause_ms * 2 : RETRY_MOST_MS;
}

/* Closes the connection; a new one follows when the next state is WAITING. */
static void disconnect(struct collector *collector, enum state next, const char *reason)
{
    bool was_steady =
        collector->state == CONNECTED && live_now() - collector->since_ms >= STEADY_MS;
    if (was_steady)
        collector->pause_ms = RETRY_FIRST_MS;
    snprintf(collector->reason, sizeof(collector->reason), "%s", reason);
    uv_timer_stop(&collector->report);
    uv_timer_stop(&collector->retry);
    collector->messages += live_watch_end(collector->watch);
    enter(collector, next);
    if (collector->tcp_open && !uv_is_closing((uv_handle_t *)&collector->tcp))
        uv_close((uv_handle_t *)&collector->tcp, on_tcp_closed);
}

static void fail(struct collector *collector, const char *what, int status)
{
    char line[sizeof(collector->reason)];
    if (collector->state == WAITING || collector->state == CLOSED)
        return;
    snprintf(line, sizeof(line), "%s%s%s", what, status ? ": " : "",
             status ? uv_strerror(status) : "");
    say(collector, line);
    disconnect(collector, collector->live->stopping ? CLOSED : WAITING, line);
}

static void on_written(uv_write_t *request, int status)
{
    struct collector *collector = request->data;
    collector->writing = false;
    if (status < 0)
        fail(collector, "connection lost", status);
    else if (collector->state == ENDING)
        disconnect(collector, CLOSED, "the engine has stopped");
}

static void write_chunk(struct collector *collector, size_t n)
{
    uv_buf_t buffer = uv_buf_init((char *)collector->chunk, (unsigned)n);
    collector->writing = true;
    collector->bytes += n;
    int status =
        uv_write(&collector->write, (uv_stream_t *)&collector->tcp, &buffer, 1, on_written);
    if (status) {
        collector->writing = false;
        fail(collector, "connection lost", status);
    }
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct collector *collector = handle->data;
    (void)wanted;
    *buffer = uv_buf_init((char *)collector->waste, sizeof(collector->waste));
}

/* Only to notice the end: what is said is thrown away, and little of it borne. */
static void on_heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct collector *collector = stream->data;
    (void)buffer;
    if (n < 0) {
        fail(collector, n == UV_EOF ? "closed by the collector" : "connection lost",
             n == UV_EOF ? 0 : (int)n);
        return;
    }
    collector->heard += (uint64_t)n;
    if (collector->heard > HEARD_MOST)
        fail(collector, "closed: it sends, which no collector does", 0);
}

static void on_report(uv_timer_t *timer)
{
    struct collector *collector = timer->data;
    live_watch_report(collector->watch);
}

static void begin(struct collector *collector)
{
    uint32_t interval_ms = collector->config->statistics_interval_s * 1000u;
    const char *name = collector->live->fabric->name;
    enter(collector, CONNECTED);
    collector->connections++;
    collector->heard = 0;
    snprintf(collector->reason, sizeof(collector->reason), "connected");
    say(collector, "connected");
    int status = live_watch_begin(collector->watch, collector->config->routes);
    if (!status)
        status = uv_read_start((uv_stream_t *)&collector->tcp, on_room, on_heard);
    if (status) {
        fail(collector, "cannot be served", status);
        return;
    }
    uv_tcp_keepalive(&collector->tcp, 1, KEEPALIVE_S);
    if (interval_ms)
        uv_timer_start(&collector->report, on_report, interval_ms, interval_ms);
    size_t n = bmp_initiation_encode("Fingerpost " FINGERPOST_VERSION, name ? name : "fabric",
                                     collector->chunk, sizeof(collector->chunk));
    write_chunk(collector, n);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct collector *collector = request->data;
    if (collector->state != CONNECTING)
        return; /* closed meanwhile */
    uv_timer_stop(&collector->retry);
    if (status)
        fail(collector, "cannot connect", status);
    else
        begin(collector);
}

static void on_too_late(uv_timer_t *timer)
{
    fail(timer->data, "cannot connect", UV_ETIMEDOUT);
}

static void start_connecting(struct collector *collector)
{
    enter(collector, CONNECTING);
    int status = uv_tcp_init(&collector->live->loop, &collector->tcp);
    collector->tcp.data = collector;
    collector->tcp_open = status == 0;
    if (!status)
        status = uv_tcp_connect(&collector->connect, &collector->tcp, &collector->address.any,
                                on_connected);
    if (status)
        fail(collector, "cannot connect", status);
    else
        uv_timer_start(&collector->retry, on_too_late, CONNECT_MS, 0);
}

static void on_retry(uv_timer_t *timer)
{
    start_connecting(timer->data);
}

/* --- Every turn ------------------------------------------------------------------------------- */

static void on_slice(uv_timer_t *timer)
{
    (void)timer; /* only turns the loop once more */
}

static void serve(struct collector *collector)
{
    size_t n = live_watch_pull(collector->watch, collector->chunk, CHUNK);
    if (live_watch_failed(collector->watch)) {
        fail(collector, "cannot be served", UV_ENOMEM);
    } else if (n > 0) {
        write_chunk(collector, n);
    } else if (live_watch_pending(collector->watch)) {
        uv_timer_start(&collector->slice, on_slice, SLICE_MS, 0);
    } else if (collector->live->stopping) {
        enter(collector, ENDING);
        write_chunk(collector, bmp_termination_encode(BMP_TERMINATION_ADMINISTRATIVE,
                                                      "the engine stops", collector->chunk, CHUNK));
    }
}

void live_collectors_settle(struct live *live)
{
    for (size_t i = 0; live->collectors && i < live->collectors->n; i++) {
        struct collector *collector = &live->collectors->items[i];
        if (collector->state == CONNECTED && !collector->writing)
            serve(collector);
        else if (live->stopping && (collector->state == WAITING || collector->state == CONNECTING))
            disconnect(collector, CLOSED, "the engine has stopped");
    }
}

bool live_collectors_busy(const struct live *live)
{
    for (size_t i = 0; live->collectors && i < live->collectors->n; i++)
        if (live->collectors->items[i].state != CLOSED)
            return true;
    return false;
}

/* --- Life ------------------------------------------------------------------------------------- */

static int open_collector(struct live *live, struct collector *collector,
                          const struct fabric_bmp *config)
{
    struct live_endpoint endpoint = {0};
    collector->live = live;
    collector->config = config;
    collector->pause_ms = RETRY_FIRST_MS;
    collector->connect.data = collector->write.data = collector;
    uv_timer_init(&live->loop, &collector->retry);
    uv_timer_init(&live->loop, &collector->report);
    uv_timer_init(&live->loop, &collector->slice);
    collector->retry.data = collector->report.data = collector->slice.data = collector;
    if (!fabric_socket_parse(config->collector, &endpoint.address, &endpoint.port))
        return -EINVAL;
    live_to_socket_address(&endpoint, &collector->address);
    collector->watch = live_watch_create(live);
    if (!collector->watch)
        return -ENOMEM;
    start_connecting(collector);
    return 0;
}

int live_collectors_open(struct live *live)
{
    size_t n = live->fabric->engine.bmp_count;
    int error = 0;
    if (n == 0)
        return 0;
    live->collectors = calloc(1, sizeof(*live->collectors) + n * sizeof(struct collector));
    if (!live->collectors)
        return -ENOMEM;
    for (size_t i = 0; i < n && !error; i++) {
        live->collectors->n = i + 1;
        error = open_collector(live, &live->collectors->items[i], &live->fabric->engine.bmp[i]);
    }
    return error;
}

void live_collectors_close(struct live *live)
{
    for (size_t i = 0; live->collectors && i < live->collectors->n; i++)
        if (live->collectors->items[i].state != CLOSED)
            disconnect(&live->collectors->items[i], CLOSED, "the engine has stopped");
}

void live_collectors_free(struct live *live)
{
    for (size_t i = 0; live->collectors && i < live->collectors->n; i++)
        live_watch_free(live->collectors->items[i].watch);
    free(live->collectors);
    live->collectors = NULL;
}

/* --- Report ----------------------------------------------------------------------------------- */

static json_t *report_row(const struct collector *collector)
{
    uint64_t messages = collector->messages + live_watch_messages(collector->watch);
    size_t waiting = live_watch_waiting(collector->watch);
    return json_pack("{s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:s}", "collector",
                     collector->config->collector, "state", state_names[collector->state],
                     "since_seconds", (double)(live_now() - collector->since_ms) / 1000.0,
                     "connections", (json_int_t)collector->connections, "messages",
                     (json_int_t)messages, "bytes", (json_int_t)collector->bytes,
                     "waiting_prefixes", (json_int_t)waiting, "reason", collector->reason);
}

json_t *live_collectors_report(const struct live *live)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < live->collectors->n; i++)
        json_array_append_new(rows, report_row(&live->collectors->items[i]));
    return rows;
}
