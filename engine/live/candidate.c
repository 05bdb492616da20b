/*
 * See candidate.h. A place is free again when libuv has let go of its handle; a candidate that becomes a
 * session hands its socket, and the OPEN that was read, to live_connection_taken_over().
 */
#include "engine/live/candidate.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/bgp/message.h"
#include "engine/fabric/route_server.h"
#include "engine/live/connection.h"
#include "engine/live/listener.h"
#include "engine/live/log.h"
#include "engine/live/neighbor.h"
#include "engine/live/peer.h"

#define PLACES 64u
/* For its OPEN, which a peer sends at once; some delay it until they have ours (DelayOpen). */
#define OPEN_MS 10000u

enum phase { FREE, READING, REFUSED, CLOSING };

struct candidate {
    uv_poll_t poll;
    struct live *live;
    enum phase phase;
    int fd;
    struct live_range range;
    struct lpm_address source;
    uint64_t until_ms;
    size_t n;
    uint8_t bytes[BGP_MESSAGE_MAX]; /* an OPEN is never an extended message (RFC 8654 section 4) */
};

struct live_candidates {
    struct candidate places[PLACES];
};

/* --- Life ------------------------------------------------------------------------------------- */

int live_candidates_create(struct live *live, char *error, size_t error_size)
{
    bool wanted = false;
    for (uint32_t i = 0; i < live->fabric->route_servers_count; i++)
        wanted |= live->fabric->route_servers[i].dynamic_peer_count > 0;
    if (!wanted)
        return 0;
    live->candidates = calloc(1, sizeof(*live->candidates));
    if (live->candidates)
        return 0;
    snprintf(error, error_size, "not enough memory for connections of dynamic_peers");
    return -ENOMEM;
}

static void closed(uv_handle_t *handle)
{
    struct candidate *candidate = handle->data;
    candidate->phase = FREE;
}

/* Lets go of the socket, which stays open. */
static int release(struct candidate *candidate)
{
    candidate->phase = CLOSING;
    uv_close((uv_handle_t *)&candidate->poll, closed);
    return candidate->fd;
}

void live_candidates_close(struct live *live)
{
    for (unsigned i = 0; live->candidates && i < PLACES; i++) {
        struct candidate *candidate = &live->candidates->places[i];
        if (candidate->phase == READING || candidate->phase == REFUSED)
            close(release(candidate));
    }
}

void live_candidates_free(struct live *live)
{
    free(live->candidates);
    live->candidates = NULL;
}

void live_candidates_housekeeping(struct live *live, uint64_t now_ms)
{
    for (unsigned i = 0; live->candidates && i < PLACES; i++) {
        struct candidate *candidate = &live->candidates->places[i];
        if ((candidate->phase != READING && candidate->phase != REFUSED) ||
            now_ms < candidate->until_ms)
            continue;
        if (candidate->phase == READING)
            live_listener_refused(candidate->range.listener, &candidate->source,
                                  "no OPEN came in time", now_ms);
        close(release(candidate));
    }
}

/* --- The end of it ---------------------------------------------------------------------------- */

/* Sends the NOTIFICATION, and waits a moment for the peer to close: unread bytes would reset the
 * connection, and it with it. A fresh socket has room for so little. */
static void refuse(struct candidate *candidate, const struct bgp_error *error, const char *why)
{
    uint8_t bytes[BGP_MESSAGE_MAX];
    size_t n = bgp_notification_encode(error, bytes, sizeof(bytes));
    uint64_t now_ms = live_now();
    live_listener_refused(candidate->range.listener, &candidate->source, why, now_ms);
    if (send(candidate->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n ||
        shutdown(candidate->fd, SHUT_WR) < 0) {
        close(release(candidate));
        return;
    }
    candidate->phase = REFUSED;
    candidate->until_ms = now_ms + LIVE_PARTING_MS;
}

static void refuse_for(struct candidate *candidate, uint8_t code, uint8_t subcode, const char *why)
{
    struct bgp_error error;
    bgp_error_set(&error, code, subcode, NULL, 0);
    refuse(candidate, &error, why);
}

static void become_session(struct candidate *candidate, uint32_t asn)
{
    struct live *live = candidate->live;
    const struct live_range *range = &candidate->range;
    size_t first;
    bool known;
    /* Wishes that wait are those of the neighbours as they are now. */
    live_peers_work(live);
    int status =
        live_peers_reserve(live, live->fabric->route_servers[range->route_server].instance_count);
    if (!status)
        status = controller_accept(live->plane.controller, range->route_server, range->index,
                                   &candidate->source, asn, live_now(), &first, &known);
    if (status == -EBUSY) {
        refuse_for(candidate, BGP_ERROR_CEASE, BGP_CEASE_REJECTED,
                   "its address has a session with another AS number that is not over");
    } else if (status == -ENOSPC) {
        refuse_for(candidate, BGP_ERROR_CEASE, BGP_CEASE_REJECTED,
                   "as many peers as limits.peers allows are there");
    } else if (status) {
        refuse_for(candidate, BGP_ERROR_CEASE, BGP_CEASE_RESOURCES, strerror(-status));
    } else {
        if (!known)
            live_peers_accept(live, first, live_now());
        int fd = release(candidate);
        live_connection_taken_over(live->peers[first + range->instance], fd, candidate->bytes,
                                   candidate->n);
    }
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void take_open(struct candidate *candidate)
{
    const struct live_range *range = &candidate->range;
    struct bgp_error error;
    struct bgp_open open;
    char why[80];
    if (!bgp_open_decode(candidate->bytes, candidate->n, &open, &error)) {
        refuse(candidate, &error, "its OPEN is malformed");
    } else if (!fabric_dynamic_peers_take(candidate->live->fabric, range->route_server,
                                          range->index, open.asn)) {
        snprintf(why, sizeof(why), "AS %u is none of those of its dynamic_peers", open.asn);
        refuse_for(candidate, BGP_ERROR_OPEN, BGP_OPEN_BAD_PEER_AS, why);
    } else {
        become_session(candidate, open.asn);
    }
}

/* How many bytes the message needs that has begun; 0: it was refused. */
static size_t needed(struct candidate *candidate)
{
    struct bgp_header header;
    struct bgp_error error;
    if (candidate->n < BGP_HEADER_SIZE)
        return BGP_HEADER_SIZE;
    if (!bgp_header_decode(candidate->bytes, sizeof(candidate->bytes), &header, &error)) {
        refuse(candidate, &error, "what it sends is not BGP");
        return 0;
    }
    if (header.type == BGP_OPEN)
        return header.length;
    /* RFC 6608 section 3: the type that came is the data. */
    bgp_error_set(&error, BGP_ERROR_FSM, BGP_FSM_IN_OPEN_SENT, &header.type, 1);
    refuse(candidate, &error, "its first message is no OPEN");
    return 0;
}

/* Not a byte more than the OPEN: what follows is for the session. */
static void read_open(struct candidate *candidate)
{
    for (size_t end = needed(candidate); end > 0; end = needed(candidate)) {
        assert(candidate->n <= end);
        if (candidate->n == end) { /* more than a header: needed() has seen that */
            take_open(candidate);
            return;
        }
        ssize_t n = recv(candidate->fd, candidate->bytes + candidate->n, end - candidate->n, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (n <= 0) {
            close(release(candidate));
            return;
        }
        candidate->n += (size_t)n;
    }
}

/* Of a refused one only its end matters. */
static void read_void(struct candidate *candidate)
{
    struct live *live = candidate->live;
    ssize_t n = recv(candidate->fd, live->input, sizeof(live->input), 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        close(release(candidate));
}

static void candidate_event(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error state of the socket: recv() tells */
    (void)events;
    struct candidate *candidate = poll->data;
    struct live *live = candidate->live;
    if (candidate->phase == READING)
        read_open(candidate);
    else if (candidate->phase == REFUSED)
        read_void(candidate);
    live_breathe(live);
}

/* --- Another reading -------------------------------------------------------------------------- */

/* What they would be a session of may have gone. */
void live_candidates_follow(struct live *live)
{
    for (unsigned i = 0; live->candidates && i < PLACES; i++) {
        struct candidate *candidate = &live->candidates->places[i];
        if (candidate->phase != READING && candidate->phase != REFUSED)
            continue;
        struct live_listener *listener = live_listener_still(live, candidate->range.listener);
        if (!listener ||
            !live_candidate_range(live, listener, &candidate->source, &candidate->range))
            close(release(candidate));
    }
}

/* --- Coming in -------------------------------------------------------------------------------- */

bool live_candidate_range(struct live *live, struct live_listener *listener,
                          const struct lpm_address *source, struct live_range *range)
{
    for (uint32_t i = 0; i < live->fabric->route_servers_count; i++) {
        uint32_t index = fabric_dynamic_peers_of(live->fabric, i, source);
        if (index == FABRIC_NONE)
            continue;
        uint32_t peer = fabric_dynamic_peers_template(live->fabric, i, index);
        for (unsigned j = 0; j < live->fabric->route_servers[i].instance_count; j++) {
            struct live_endpoint local = live_neighbor_listens(live, live->fabric, i, j, peer);
            if (live_listener_find(live, &local) != listener)
                continue;
            *range = (struct live_range){listener, i, j, index,
                                         live_neighbor(&live->neighbors, i, peer)};
            return true;
        }
    }
    return false;
}

/* A free place; NULL with *why. */
static struct candidate *find_place(struct live *live, const struct live_range *range,
                                    const struct lpm_address *source, const char **why)
{
    struct candidate *found = NULL;
    *why = "too many connections wait for an OPEN";
    for (unsigned i = 0; i < PLACES; i++) {
        struct candidate *candidate = &live->candidates->places[i];
        if (candidate->phase == FREE) {
            found = candidate;
        } else if (candidate->range.listener != range->listener ||
                   !lpm_address_equal(&candidate->source, source)) {
            continue;
        } else if (candidate->phase == READING) {
            *why = "another connection from there waits for its OPEN";
            return NULL;
        } else if (candidate->phase == REFUSED) {
            /* It has had its answer, and who tries again takes no second place. */
            close(release(candidate));
        }
    }
    return found;
}

const char *live_candidate_accepted(struct live *live, const struct live_range *range,
                                    const struct lpm_address *source, int fd)
{
    const char *why;
    struct candidate *candidate = find_place(live, range, source, &why);
    if (!candidate)
        return why;
    if (uv_poll_init(&live->loop, &candidate->poll, fd) != 0)
        return "it cannot be watched";
    candidate->poll.data = candidate;
    candidate->live = live;
    candidate->phase = READING;
    candidate->fd = fd;
    candidate->range = *range;
    candidate->source = *source;
    candidate->until_ms = live_now() + OPEN_MS;
    candidate->n = 0;
    uv_poll_start(&candidate->poll, UV_READABLE, candidate_event);
    return NULL;
}
