/*
 * See metrics.h. What one client can cost: one place of PLACES, REQUEST_BYTES of memory and one piece; a further
 * one waits in the kernel until a place is free.
 */
#include "engine/live/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "engine/live/metrics_scrape.h"
#include "engine/live/socket_address.h"

#define PLACES 8u
/* A connection's memory in libmicrohttpd: a request beyond it is refused. */
#define REQUEST_BYTES 32768u
#define SENDING_BYTES 32768 /* in the kernel, for a client to take; it adds as much of its own */
#define SILENT_S      20u   /* that a client may say and take nothing */
#define REQUEST_MS    60000u /* from a request's beginning, or the end of the one before, to its end */
/* A piece ends when it is so large, or has so many rows, some of which are empty. */
#define PIECE_BYTES 16384
#define PIECE_ROWS  1024u

struct place {
    int fd; /* -1: free */
    uint64_t since_ms;
};

struct live_metrics {
    struct live *live;
    int fd; /* listening, libmicrohttpd's once there is a daemon; -1: none */
    struct MHD_Daemon *daemon;
    bool watching;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t at_once; /* there is more to write: the next turn does not wait */
    struct place places[PLACES];
};

/* --- A scrape --------------------------------------------------------------------------------- */

struct answer {
    struct metrics_scrape scrape;
    char *piece;
    size_t n, taken;
    bool over;
};

/* 0 or -errno; an empty piece is the last. */
static int make_piece(struct answer *answer)
{
    free(answer->piece);
    answer->piece = NULL;
    answer->n = answer->taken = 0;
    FILE *out = open_memstream(&answer->piece, &answer->n);
    if (!out)
        return -errno;
    int status = 1;
    for (unsigned rows = 0;
         status > 0 && ftell(out) < PIECE_BYTES && (rows < PIECE_ROWS || ftell(out) == 0); rows++)
        status = metrics_scrape_next(&answer->scrape, out);
    bool failed = ferror(out);
    if (fclose(out) != 0 || failed)
        return -ENOMEM;
    answer->over = status == 0;
    return status < 0 ? status : 0;
}

/* libmicrohttpd asks when the client has taken what was given before. */
static ssize_t give(void *context, uint64_t position, char *bytes, size_t room)
{
    struct answer *answer = context;
    (void)position;
    if (answer->taken == answer->n && !answer->over && make_piece(answer) != 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = answer->n - answer->taken < room ? answer->n - answer->taken : room;
    if (n == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    memcpy(bytes, answer->piece + answer->taken, n);
    answer->taken += n;
    return (ssize_t)n;
}

static void end_answer(void *context)
{
    struct answer *answer = context;
    free(answer->piece);
    free(answer);
}

static struct MHD_Response *scrape(const struct live *live)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer)
        return NULL;
    answer->scrape.live = live;
    answer->scrape.fabric = live->fabric;
    answer->scrape.readings = live->readings;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, give, answer, end_answer);
    if (!response)
        end_answer(answer);
    else
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                "text/plain; version=0.0.4; charset=utf-8");
    return response;
}

/* --- Requests --------------------------------------------------------------------------------- */

static struct MHD_Response *words(char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_PERSISTENT);
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                "text/plain; charset=utf-8");
    return response;
}

static bool is_reading(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* Called with a request's headers first, then with its body. An answer at the first call ends the connection, one
 * at the second does not: so whoever would send a body is answered before it comes, and so is HEAD, to which
 * libmicrohttpd (0.9.75) gives the last chunk of an answer without a body. Without memory the connection is closed. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **request)
{
    static char where[] = "fingerpost: metrics are at /metrics\n";
    static char how[] = "fingerpost: only GET and HEAD\n";
    static char seen;
    const struct live_metrics *metrics = context;
    unsigned status = MHD_HTTP_OK;
    struct MHD_Response *response;
    (void)version, (void)body, (void)body_size;
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 && !*request) {
        *request = &seen;
        return MHD_YES;
    }
    if (!is_reading(method)) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        response = words(how);
        if (response)
            MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    } else if (strcmp(url, "/metrics") == 0) {
        response = scrape(metrics->live);
    } else {
        status = strcmp(url, "/") == 0 ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND;
        response = words(where);
    }
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* --- Who is there ----------------------------------------------------------------------------- */

static void on_connection(void *context, struct MHD_Connection *connection, void **user,
                          enum MHD_ConnectionNotificationCode code)
{
    struct live_metrics *metrics = context;
    struct place *place = *user;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (place)
            place->fd = -1;
        return;
    }
    for (unsigned i = 0; i < PLACES && !place; i++)
        if (metrics->places[i].fd < 0)
            place = &metrics->places[i];
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *user = place;
    if (place && info)
        *place = (struct place){info->connect_fd, live_now()};
}

/* A request was answered: the next one on this connection has its own time. */
static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct place *place = info ? info->socket_context : NULL;
    (void)context, (void)request, (void)code;
    if (place)
        place->since_ms = live_now();
}

/* A client that sends, or takes, an octet now and then is never silent. libmicrohttpd sees the end of the
 * connection, and closes it. */
void live_metrics_housekeeping(struct live *live, uint64_t now_ms)
{
    struct live_metrics *metrics = live->metrics;
    for (unsigned i = 0; metrics && metrics->watching && i < PLACES; i++)
        if (metrics->places[i].fd >= 0 && now_ms - metrics->places[i].since_ms >= REQUEST_MS)
            shutdown(metrics->places[i].fd, SHUT_RDWR);
}

/* --- Turns ------------------------------------------------------------------------------------ */

static void serve(struct live_metrics *metrics);

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    serve(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    serve(timer->data);
}

static void on_turn(uv_idle_t *idle)
{
    serve(idle->data);
}

/* One piece for each client that has room for it. */
static void serve(struct live_metrics *metrics)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    MHD_run(metrics->daemon);
    bool waits = MHD_get_timeout(metrics->daemon, &wait_ms) == MHD_YES;
    if (waits && wait_ms == 0)
        uv_idle_start(&metrics->at_once, on_turn);
    else
        uv_idle_stop(&metrics->at_once);
    if (waits && wait_ms > 0)
        uv_timer_start(&metrics->timer, on_timer, wait_ms, 0);
    else
        uv_timer_stop(&metrics->timer);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int make_listener(const struct live_endpoint *local)
{
    int fd = socket(local->address.family == LPM_IPV4 ? AF_INET : AF_INET6,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = live_set_number(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!error && local->address.family == LPM_IPV6)
        error = live_set_number(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!error)
        error = live_set_number(fd, SOL_SOCKET, SO_SNDBUF, SENDING_BYTES);
    if (!error)
        error = live_bind_to(fd, local);
    if (!error && listen(fd, PLACES) != 0)
        error = -errno;
    if (!error)
        return fd;
    close(fd);
    return error;
}

static int start_daemon(struct live_metrics *metrics)
{
    metrics->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, metrics, MHD_OPTION_LISTEN_SOCKET, metrics->fd,
        MHD_OPTION_CONNECTION_LIMIT, PLACES, MHD_OPTION_CONNECTION_TIMEOUT, SILENT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, metrics, MHD_OPTION_NOTIFY_COMPLETED, on_completed, metrics, MHD_OPTION_END);
    return metrics->daemon ? 0 : -ENOMEM;
}

static int watch(struct live_metrics *metrics)
{
    uv_loop_t *loop = &metrics->live->loop;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int status = info ? uv_poll_init(loop, &metrics->poll, info->epoll_fd) : -ENOTSUP;
    if (status)
        return status;
    uv_timer_init(loop, &metrics->timer);
    uv_idle_init(loop, &metrics->at_once);
    metrics->poll.data = metrics->timer.data = metrics->at_once.data = metrics;
    metrics->watching = true;
    return uv_poll_start(&metrics->poll, UV_READABLE, on_ready);
}

static void explain(const struct live *live, int status, char *error, size_t size)
{
    const struct fabric_engine *engine = &live->fabric->engine;
    const char *why = strerror(-status);
    if (status == -EADDRINUSE)
        why = "the port is taken already; name another one, or stop whoever has it";
    else if (status == -EADDRNOTAVAIL)
        why = "no interface of this machine has the address";
    snprintf(error, size, "%s:%u: engine.metrics_listen: %s: %s",
             engine->metrics_place.file ? engine->metrics_place.file : "fabric",
             engine->metrics_place.line, engine->metrics_listen, why);
}

int live_metrics_open(struct live *live, char *error, size_t size)
{
    const char *text = live->fabric->engine.metrics_listen;
    struct live_endpoint local = {.interface = NULL};
    if (!text)
        return 0;
    if (!fabric_socket_parse(text, &local.address, &local.port))
        return -EINVAL;
    struct live_metrics *metrics = live->metrics = calloc(1, sizeof(*metrics));
    if (!metrics)
        return -ENOMEM;
    metrics->live = live;
    for (unsigned i = 0; i < PLACES; i++)
        metrics->places[i].fd = -1;
    metrics->fd = make_listener(&local);
    int status = metrics->fd < 0 ? metrics->fd : start_daemon(metrics);
    if (!status)
        status = watch(metrics);
    if (status)
        explain(live, status, error, size);
    return status;
}

void live_metrics_close(struct live *live)
{
    struct live_metrics *metrics = live->metrics;
    if (!metrics)
        return;
    if (metrics->watching) {
        uv_close((uv_handle_t *)&metrics->poll, NULL);
        uv_close((uv_handle_t *)&metrics->timer, NULL);
        uv_close((uv_handle_t *)&metrics->at_once, NULL);
    }
    metrics->watching = false;
    if (metrics->daemon)
        MHD_stop_daemon(metrics->daemon);
    metrics->daemon = NULL;
}

void live_metrics_free(struct live *live)
{
    free(live->metrics);
    live->metrics = NULL;
}
