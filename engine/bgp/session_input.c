/*
 * Bytes from a connection become messages. TCP splits where it likes, so a message may come in any
 * number of pieces; only one that did not come whole is copied:
 *
 *     bytes: [rest of a message][message][message][start of a message]
 *              into input, then    taken where they stand    into input
 *              taken
 *
 * The length that a header claims is checked before room is made for it, so a peer can make input
 * grow to one message and no further.
 */
#include "engine/bgp/session_private.h"

/* Before OPENs are exchanged, and where it was not agreed on, messages have the old limit. */
static size_t message_limit(const struct bgp_session *session, const struct connection *connection)
{
    bool extended = session->config.extended_messages && connection->peer.extended_messages;
    return extended ? BGP_EXTENDED_MESSAGE_MAX : BGP_MESSAGE_MAX;
}

/* Reads a header; on an error the connection is at its end. */
static bool take_header(struct bgp_session *session, enum bgp_direction direction,
                        const uint8_t *bytes, struct bgp_header *header)
{
    struct bgp_error error;
    size_t limit = message_limit(session, &session->connections[direction]);
    if (bgp_header_decode(bytes, limit, header, &error)) {
        return true;
    }
    connection_fail(session, direction, &error, "bad message header");
    return false;
}

/* Adds up to want - held bytes to the message that is being put together. */
static int gather(struct connection *connection, size_t want, const uint8_t **bytes, size_t *n)
{
    size_t take = want - connection->input.size;
    take = take < *n ? take : *n;
    int error = bytes_buffer_append(&connection->input, *bytes, take);
    if (error == 0) {
        *bytes += take;
        *n -= take;
    }
    return error;
}

/* The other sessions go on: their messages may need no memory. */
static void out_of_memory(struct bgp_session *session, enum bgp_direction direction)
{
    struct bgp_error error;
    bgp_error_set(&error, BGP_ERROR_CEASE, BGP_CEASE_RESOURCES, NULL, 0);
    connection_fail(session, direction, &error, "out of memory");
}

/* Goes on with a message that came in pieces, as far as bytes reach. */
static void continue_message(struct bgp_session *session, enum bgp_direction direction,
                             const uint8_t **bytes, size_t *n)
{
    struct connection *connection = &session->connections[direction];
    struct bgp_header header;
    int error = 0;
    if (connection->input.size < BGP_HEADER_SIZE) {
        error = gather(connection, BGP_HEADER_SIZE, bytes, n);
    }
    if (error == 0 && connection->input.size >= BGP_HEADER_SIZE) {
        if (!take_header(session, direction, connection->input.bytes, &header)) {
            return;
        }
        error = gather(connection, header.length, bytes, n);
        if (error == 0 && connection->input.size == header.length) {
            /* The buffer is taken out: the message may end the connection, which frees it. */
            struct bytes_buffer whole = connection->input;
            connection->input = (struct bytes_buffer){0};
            session_take_message(session, direction, whole.bytes, &header);
            bytes_buffer_free(&whole);
        }
    }
    if (error != 0) {
        out_of_memory(session, direction);
    }
}

/* A message may end the connection, or the session, or be the reason for the speaker to do so:
 * the state is looked at again after each. */
void bgp_session_input(struct bgp_session *session, enum bgp_direction direction,
                       const uint8_t *bytes, size_t n, uint64_t now_ms)
{
    struct connection *connection = &session->connections[direction];
    struct bgp_header header;
    session->now_ms = now_ms;
    session->counters.bytes_in += n;
    while (n > 0 && connection->state != BGP_IDLE) {
        if (connection->input.size > 0 || n < BGP_HEADER_SIZE) {
            continue_message(session, direction, &bytes, &n);
            continue;
        }
        if (!take_header(session, direction, bytes, &header)) {
            return;
        }
        if (header.length > n) {
            continue_message(session, direction, &bytes, &n);
            continue;
        }
        session_take_message(session, direction, bytes, &header);
        bytes += header.length;
        n -= header.length;
    }
}
