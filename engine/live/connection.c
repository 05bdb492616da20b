/*
 * See connection.h.
 *
 *        socket ──receive()──> live->input ──> speaker_input()
 *        socket <──send_waiting()── bytes[head..tail) <──pull()── speaker_output()
 *
 * bytes is filled only when it is empty, so at most one chunk per connection is out of the
 * speaker's hands: what changes meanwhile is still one mark in the Adj-RIB-Out, not a message
 * behind others.
 *
 * A connection is freed by libuv's close callback, after the loop has let go of its handle;
 * peer->connections and peer->parting forget it at once. Functions that may free it say so, or
 * return false.
 */
#include "engine/live/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/live/log.h"
#include "engine/live/peer.h"
#include "engine/live/socket.h"
#include "engine/live/socket_address.h"

/* What is pulled from the speaker at once, and so the buffer. */
#define OUTPUT_CHUNK (16u * 1024)
/* Of a session that closes: behind bytes that the socket did not take yet stand the rest of a
 * message that was begun (RFC 8654), and the last words (a fixed buffer, a few kilobytes). */
#define PARTING_BUFFER (OUTPUT_CHUNK + BGP_EXTENDED_MESSAGE_MAX + 8u * 1024)
/* Bytes sent to one peer before the others get their turn. */
#define OUTPUT_SLICE (64u * 1024)
/* How much is read of a connection that has ended before its successor is let in, or refused. */
#define LAST_SLICES 8u

enum phase { OPENING, OPEN, PARTING };

struct live_connection {
    uv_poll_t poll; /* first: the handle is the connection for uv_close() */
    struct live_peer *peer;
    enum bgp_direction direction;
    enum phase phase;
    int fd;
    int events; /* watched now */
    bool output_wanted, close_wanted;
    bool ended; /* parting: our direction is shut down */
    uint64_t part_by_ms;
    size_t head, tail; /* bytes[head..tail) wait for the socket */
    uint8_t *bytes;    /* OUTPUT_CHUNK of them */
};

static void connection_event(uv_poll_t *poll, int status, int events);

static void watch(struct live_connection *connection, int events)
{
    if (connection->events == events) /* spares a system call per slice */
        return;
    connection->events = events;
    uv_poll_start(&connection->poll, events, connection_event);
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct live_connection *create(struct live_peer *peer, enum bgp_direction direction, int fd,
                                      enum phase phase)
{
    struct live_connection *connection = calloc(1, sizeof(*connection));
    uint8_t *bytes = malloc(OUTPUT_CHUNK);
    if (!connection || !bytes || uv_poll_init(&peer->live->loop, &connection->poll, fd) != 0) {
        free(connection);
        free(bytes);
        return NULL;
    }
    connection->bytes = bytes;
    connection->poll.data = connection;
    connection->peer = peer;
    connection->direction = direction;
    connection->fd = fd;
    connection->phase = phase;
    peer->connections[direction] = connection;
    peer->live->connection_count++;
    return connection;
}

static void free_closed(uv_handle_t *handle)
{
    struct live_connection *connection = handle->data;
    free(connection->bytes);
    free(connection);
}

static void destroy(struct live_connection *connection)
{
    struct live_peer *peer = connection->peer;
    if (peer->connections[connection->direction] == connection)
        peer->connections[connection->direction] = NULL;
    if (peer->parting[connection->direction] == connection)
        peer->parting[connection->direction] = NULL;
    peer->live->connection_count--;
    uv_close((uv_handle_t *)&connection->poll, free_closed);
    close(connection->fd);
}

/* The connection is gone without our doing: the session hears of it. */
static void lost(struct live_connection *connection, const char *reason)
{
    struct live_peer *peer = connection->peer;
    enum bgp_direction direction = connection->direction;
    bool tell = connection->phase != PARTING;
    /* First out of the way: the session may ask for another connection from within the call. */
    destroy(connection);
    if (tell)
        speaker_closed(peer->peer->speaker, peer->peer->peer, direction, reason, live_now());
}

static uint16_t port_of(const union socket_address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->ip6.sin6_port
                                                    : address->ip4.sin_port);
}

void live_connection_ports(const struct live_connection *connection, uint16_t *local,
                           uint16_t *remote)
{
    union socket_address address = {0};
    socklen_t length = sizeof(address);
    *local = getsockname(connection->fd, &address.any, &length) == 0 ? port_of(&address) : 0;
    length = sizeof(address);
    *remote = getpeername(connection->fd, &address.any, &length) == 0 ? port_of(&address) : 0;
}

/* --- Sending ---------------------------------------------------------------------------------- */

enum sent { SENT_ALL, SOCKET_FULL, CONNECTION_LOST };

/* Gives the socket what waits in the buffer. */
static enum sent send_waiting(struct live_connection *connection)
{
    while (connection->head < connection->tail) {
        ssize_t n = send(connection->fd, connection->bytes + connection->head,
                         connection->tail - connection->head, MSG_NOSIGNAL);
        if (n >= 0) {
            connection->head += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return SOCKET_FULL;
        } else if (errno != EINTR) {
            lost(connection, strerror(errno));
            return CONNECTION_LOST;
        }
    }
    connection->head = connection->tail = 0;
    return SENT_ALL;
}

static size_t pull(struct live_connection *connection, size_t capacity)
{
    const struct controller_peer *peer = connection->peer->peer;
    size_t n = speaker_output(peer->speaker, peer->peer, connection->direction,
                              connection->bytes + connection->tail, capacity, live_now());
    connection->tail += n;
    return n;
}

/* Sends while the socket takes it, at most a slice. False: the connection is gone. */
static bool send_output(struct live_connection *connection)
{
    size_t slice = 0;
    for (;;) {
        enum sent sent = send_waiting(connection);
        if (sent == CONNECTION_LOST)
            return false;
        /* The end of a slice is treated like a full socket: the loop comes back after the others.
         */
        if (sent == SOCKET_FULL || slice >= OUTPUT_SLICE) {
            watch(connection, UV_READABLE | UV_WRITABLE);
            return true;
        }
        size_t n = pull(connection, OUTPUT_CHUNK);
        if (n == 0)
            break;
        slice += n;
    }
    connection->output_wanted = false;
    watch(connection, UV_READABLE);
    return true;
}

/* --- Parting ---------------------------------------------------------------------------------- */

/* Sends last words and ends our direction. May free the connection. */
static void part_on(struct live_connection *connection)
{
    switch (send_waiting(connection)) {
    case CONNECTION_LOST:
        return;
    case SOCKET_FULL:
        watch(connection, UV_READABLE | UV_WRITABLE);
        return;
    case SENT_ALL:
        break;
    }
    if (!connection->ended && shutdown(connection->fd, SHUT_WR) < 0) {
        destroy(connection);
        return;
    }
    connection->ended = true;
    watch(connection, UV_READABLE);
}

/* All that the session still has to say, behind what the socket did not take yet. Without memory
 * it is what fits: the peer sees the connection end, as it would anyway. */
static void take_last_words(struct live_connection *connection)
{
    size_t room = OUTPUT_CHUNK;
    uint8_t *larger = realloc(connection->bytes, PARTING_BUFFER);
    if (larger) {
        connection->bytes = larger;
        room = PARTING_BUFFER;
    }
    memmove(connection->bytes, connection->bytes + connection->head,
            connection->tail - connection->head);
    connection->tail -= connection->head;
    connection->head = 0;
    while (connection->tail < room && pull(connection, room - connection->tail) > 0)
        ;
}

/* The session is done with this connection. All that it still has to say is taken now: it may be
 * given another connection at any time. */
static void part(struct live_connection *connection)
{
    struct live_peer *peer = connection->peer;
    if (connection->phase == OPENING) {
        destroy(connection);
        return;
    }
    take_last_words(connection);
    connection->phase = PARTING;
    connection->part_by_ms = live_now() + LIVE_PARTING_MS;
    /* One at a time: a peer that comes and goes quickly cannot pile them up. */
    if (peer->parting[connection->direction])
        destroy(peer->parting[connection->direction]);
    peer->parting[connection->direction] = connection;
    peer->connections[connection->direction] = NULL;
    part_on(connection);
}

void live_connection_cut(struct live_connection *connection, uint64_t now_ms, bool now)
{
    if (now || now_ms >= connection->part_by_ms)
        destroy(connection);
}

/* --- Receiving -------------------------------------------------------------------------------- */

/* Takes one slice. False: the connection is gone. */
static bool receive(struct live_connection *connection)
{
    struct live *live = connection->peer->live;
    ssize_t n = recv(connection->fd, live->input, sizeof(live->input), 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return true;
    if (n <= 0) {
        lost(connection, n == 0 ? "the peer closed the connection" : strerror(errno));
        return false;
    }
    /* Of a parting connection it goes unread: only its end matters. */
    if (connection->phase == OPEN) {
        const struct controller_peer *peer = connection->peer->peer;
        speaker_input(peer->speaker, peer->peer, connection->direction, live->input, (size_t)n,
                      live_now());
    }
    return true;
}

bool live_connection_has_input(const struct live_connection *connection)
{
    int n = 0;
    return ioctl(connection->fd, FIONREAD, &n) == 0 && n > 0;
}

/* A connect has come to its end, good or bad. False: the connection is gone. */
static bool settle_opening(struct live_connection *connection)
{
    int status = live_socket_error(connection->fd);
    if (status) {
        lost(connection, strerror(-status));
        return false;
    }
    connection->phase = OPEN;
    watch(connection, UV_READABLE);
    const struct controller_peer *peer = connection->peer->peer;
    speaker_connected(peer->speaker, peer->peer, connection->direction, live_now());
    return true;
}

static void connection_event(uv_poll_t *poll, int status, int events)
{
    struct live_connection *connection = poll->data;
    struct live *live = connection->peer->live;
    if (status < 0) /* an error state of the socket: recv() tells which */
        events = UV_READABLE;
    bool there = true;
    if (connection->phase == OPENING)
        there = settle_opening(connection);
    else if (events & UV_READABLE)
        there = receive(connection);
    if (there && (events & UV_WRITABLE)) {
        if (connection->phase == OPEN)
            connection->output_wanted = true;
        live_peer_list(connection->peer);
        if (connection->phase == PARTING)
            part_on(connection);
    }
    live_breathe(live);
}

/* --- Wishes ----------------------------------------------------------------------------------- */

void live_connection_wants_output(struct live_connection *connection)
{
    connection->output_wanted = true;
}

void live_connection_wants_close(struct live_connection *connection)
{
    connection->close_wanted = true;
}

void live_connection_work(struct live_connection *connection)
{
    if (connection->close_wanted)
        part(connection);
    else if (connection->output_wanted && connection->phase == OPEN)
        send_output(connection);
}

void live_connection_taken_over(struct live_peer *peer, int fd, const uint8_t *bytes, size_t n)
{
    live_connection_accepted(peer, fd);
    const struct live_connection *connection = peer->connections[BGP_INCOMING];
    /* It may be another's, or not wanted by the session. */
    if (connection && connection->fd == fd && !connection->close_wanted)
        speaker_input(peer->peer->speaker, peer->peer->peer, BGP_INCOMING, bytes, n, live_now());
}

/* Has the other end closed it, or reset it? What it said before may be there unread. */
static bool has_ended(const struct live_connection *connection)
{
    struct pollfd poll_fd = {.fd = connection->fd, .events = POLLRDHUP};
    return poll(&poll_fd, 1, 0) > 0;
}

/* The loop may see a peer's next connection before the end of its last one, which then would hold the place of it.
 * Last words are heard first: a NOTIFICATION says what becomes of the routes. */
static void hear_out(struct live_peer *peer, enum bgp_direction direction)
{
    for (unsigned i = 0; i < LAST_SLICES; i++) {
        struct live_connection *connection = peer->connections[direction];
        if (!connection || connection->phase != OPEN || !has_ended(connection))
            return;
        receive(connection);
        live_peers_work(peer->live);
    }
}

void live_connection_accepted(struct live_peer *peer, int fd)
{
    struct live *live = peer->live;
    /* Wishes that wait concern the connection that was: they go first. */
    live_peers_work(live);
    hear_out(peer, BGP_INCOMING);
    hear_out(peer, BGP_OUTGOING);
    struct live_connection *connection = NULL;
    struct live_connection *former = peer->connections[BGP_INCOMING];
    bool gives_way =
        former && !live->stopping && bgp_session_gives_way(speaker_peer_session(peer->peer->peer));
    if (gives_way)
        destroy(former); /* speaker_connected() tells the session */
    if (!peer->connections[BGP_INCOMING] && !live->stopping)
        connection = create(peer, BGP_INCOMING, fd, OPEN);
    if (!connection) {
        close(fd);
        if (gives_way)
            speaker_closed(peer->peer->speaker, peer->peer->peer, BGP_INCOMING, strerror(ENOMEM),
                           live_now());
        return;
    }
    watch(connection, UV_READABLE);
    speaker_connected(peer->peer->speaker, peer->peer->peer, BGP_INCOMING, live_now());
}

void live_connection_rekey(struct live_connection *connection)
{
    const struct live_neighbor *neighbor = connection->peer->neighbor;
    int status = live_key_set(connection->fd, live_peer_address(connection->peer),
                              neighbor->model->transport.interface, &neighbor->key);
    if (status)
        live_log("%s the new key cannot be used on the open connection: %s",
                 connection->peer->label, strerror(-status));
}

void live_connection_opening(struct live_peer *peer, int fd)
{
    if (peer->connections[BGP_OUTGOING])
        destroy(peer->connections[BGP_OUTGOING]);
    struct live_connection *connection = create(peer, BGP_OUTGOING, fd, OPENING);
    if (connection) {
        watch(connection, UV_WRITABLE);
        return;
    }
    close(fd);
    speaker_closed(peer->peer->speaker, peer->peer->peer, BGP_OUTGOING, strerror(ENOMEM),
                   live_now());
}
