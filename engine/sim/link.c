/*
 * Every step is an action on the clock, never a call from within a speaker's handler: handlers must
 * not call back.
 *
 * A connection has an epoch: opening, closing and killing start a new one, and actions of an older
 * epoch find that out and do nothing. An action's argument packs (epoch, connection, end).
 */
#include "engine/sim/link.h"

#include <stdlib.h>

#define CHUNK_BYTES 65536u
/* How long a connect waits for an answer over a cut link before it fails. */
#define CONNECT_TIMEOUT_MS 10000u

struct pipe {
    uint8_t *chunk; /* under way, or NULL */
    size_t n;
    bool closing; /* the sender wants it closed once drained */
    bool stalled; /* the chunk was due while the link was cut */
};

struct connection {
    uint32_t epoch;
    bool open;
    struct pipe pipes[2]; /* by sending end */
};

struct end {
    struct speaker *speaker; /* NULL: no process */
    struct speaker_peer *peer;
};

struct sim_link {
    struct sim_clock *clock;
    uint32_t delay_ms;
    unsigned cut; /* reasons */
    sim_link_touched *touched;
    void *touched_context;
    struct end ends[2];
    struct connection connections[2]; /* by the end that opened it */
    struct sim_wire *wire;
};

static uint64_t pack(const struct sim_link *link, unsigned connection, unsigned end)
{
    return (uint64_t)link->connections[connection].epoch << 8 | connection << 1 | end;
}

/* Unpacks an action's argument; false when its epoch is over. */
static bool unpack(const struct sim_link *link, uint64_t argument, unsigned *connection,
                   unsigned *end)
{
    *connection = argument >> 1 & 1;
    *end = argument & 1;
    return (uint32_t)(argument >> 8) == link->connections[*connection].epoch;
}

static enum bgp_direction direction_of(unsigned connection, unsigned end)
{
    return connection == end ? BGP_OUTGOING : BGP_INCOMING;
}

static unsigned connection_of(unsigned end, enum bgp_direction direction)
{
    return direction == BGP_OUTGOING ? end : !end;
}

static void later(struct sim_link *link, uint32_t delay_ms, sim_action *action, uint64_t argument)
{
    sim_clock_at(link->clock, sim_clock_now_ms(link->clock) + delay_ms, action, link, argument);
}

static void reset_connection(struct sim_link *link, unsigned index)
{
    struct connection *connection = &link->connections[index];
    for (unsigned i = 0; i < 2; i++) {
        free(connection->pipes[i].chunk);
        connection->pipes[i] = (struct pipe){0};
    }
    connection->open = false;
    connection->epoch++;
}

struct sim_link *sim_link_create(struct sim_clock *clock, uint32_t delay_ms,
                                 sim_link_touched *touched, void *context)
{
    struct sim_link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    link->clock = clock;
    link->delay_ms = delay_ms;
    link->touched = touched;
    link->touched_context = context;
    link->wire = sim_wire_create(clock, delay_ms);
    if (!link->wire) {
        free(link);
        return NULL;
    }
    return link;
}

void sim_link_destroy(struct sim_link *link)
{
    if (!link)
        return;
    sim_clock_forget(link->clock, link);
    reset_connection(link, 0);
    reset_connection(link, 1);
    sim_wire_destroy(link->wire);
    free(link);
}

void sim_link_attach(struct sim_link *link, unsigned end, struct speaker *speaker,
                     struct speaker_peer *peer)
{
    link->ends[end] = (struct end){.speaker = speaker, .peer = peer};
}

/* --- Telling the speakers --------------------------------------------------------------------- */

static void tell_connected(struct sim_link *link, unsigned connection, unsigned end)
{
    struct end *at = &link->ends[end];
    if (!at->speaker)
        return;
    speaker_connected(at->speaker, at->peer, direction_of(connection, end),
                      sim_clock_now_ms(link->clock));
    link->touched(link->touched_context, at->speaker);
}

static void tell_closed(struct sim_link *link, unsigned connection, unsigned end,
                        const char *reason)
{
    struct end *at = &link->ends[end];
    if (!at->speaker)
        return;
    speaker_closed(at->speaker, at->peer, direction_of(connection, end), reason,
                   sim_clock_now_ms(link->clock));
    link->touched(link->touched_context, at->speaker);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void connect_answered(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    unsigned connection, end;
    if (unpack(link, argument, &connection, &end))
        tell_connected(link, connection, end);
}

static void connect_refused(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    unsigned connection, end;
    if (unpack(link, argument, &connection, &end))
        tell_closed(link, connection, end, link->cut ? "connect timed out" : "connection refused");
}

/* The opening packet reaches the other end. */
static void connect_arrives(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    unsigned connection, end;
    if (!unpack(link, argument, &connection, &end))
        return;
    if (link->cut) {
        later(link, CONNECT_TIMEOUT_MS, connect_refused, argument);
    } else if (!link->ends[!end].speaker) {
        later(link, link->delay_ms, connect_refused, argument);
    } else {
        link->connections[connection].open = true;
        later(link, link->delay_ms, connect_answered, argument);
        tell_connected(link, connection, !end);
    }
}

void sim_link_connect(struct sim_link *link, unsigned end)
{
    unsigned connection = connection_of(end, BGP_OUTGOING);
    reset_connection(link, connection);
    later(link, link->delay_ms, connect_arrives, pack(link, connection, end));
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static void chunk_arrives(void *context, uint64_t argument);

static void close_arrives(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    unsigned connection, end;
    if (!unpack(link, argument, &connection, &end))
        return;
    if (link->cut) {
        link->connections[connection].pipes[end].stalled = true;
        return;
    }
    reset_connection(link, connection);
    tell_closed(link, connection, !end, "closed by the peer");
}

/* Asks the speaker at `end` for the next chunk of one connection. */
static void pump(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    unsigned connection, end;
    if (!unpack(link, argument, &connection, &end))
        return;
    struct pipe *pipe = &link->connections[connection].pipes[end];
    struct end *at = &link->ends[end];
    if (pipe->chunk || !link->connections[connection].open || !at->speaker)
        return;
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (!chunk) {
        sim_clock_fail(link->clock);
        return;
    }
    size_t n = speaker_output(at->speaker, at->peer, direction_of(connection, end), chunk,
                              CHUNK_BYTES, sim_clock_now_ms(link->clock));
    link->touched(link->touched_context, at->speaker);
    if (n > 0) {
        pipe->chunk = chunk;
        pipe->n = n;
        later(link, link->delay_ms, chunk_arrives, argument);
        return;
    }
    free(chunk);
    if (pipe->closing)
        later(link, link->delay_ms, close_arrives, argument);
}

static void chunk_arrives(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    unsigned connection, end;
    if (!unpack(link, argument, &connection, &end))
        return;
    struct pipe *pipe = &link->connections[connection].pipes[end];
    if (link->cut) {
        pipe->stalled = true;
        return;
    }
    uint8_t *chunk = pipe->chunk;
    size_t n = pipe->n;
    pipe->chunk = NULL;
    struct end *to = &link->ends[!end];
    if (to->speaker) {
        speaker_input(to->speaker, to->peer, direction_of(connection, !end), chunk, n,
                      sim_clock_now_ms(link->clock));
        link->touched(link->touched_context, to->speaker);
    }
    free(chunk);
    later(link, 0, pump, argument);
}

void sim_link_output_ready(struct sim_link *link, unsigned end, enum bgp_direction direction)
{
    later(link, 0, pump, pack(link, connection_of(end, direction), end));
}

void sim_link_close(struct sim_link *link, unsigned end, enum bgp_direction direction)
{
    unsigned connection = connection_of(end, direction);
    link->connections[connection].pipes[end].closing = true;
    later(link, 0, pump, pack(link, connection, end));
}

/* --- Failures --------------------------------------------------------------------------------- */

void sim_link_detach(struct sim_link *link, unsigned end)
{
    for (unsigned connection = 0; connection < 2; connection++) {
        bool open = link->connections[connection].open;
        if (!open && connection != end)
            continue; /* the other end's attempt finds out by itself that nobody answers */
        reset_connection(link, connection);
        if (open) {
            link->connections[connection].open = true;
            later(link, link->delay_ms, close_arrives, pack(link, connection, end));
        }
    }
    link->ends[end] = (struct end){0};
}

static void resume(struct sim_link *link, unsigned connection, unsigned end)
{
    struct pipe *pipe = &link->connections[connection].pipes[end];
    if (!pipe->stalled)
        return;
    pipe->stalled = false;
    later(link, link->delay_ms, pipe->chunk ? chunk_arrives : close_arrives,
          pack(link, connection, end));
}

void sim_link_cut(struct sim_link *link, unsigned reason, bool cut)
{
    const bool was_cut = link->cut != 0;
    link->cut = cut ? link->cut | reason : link->cut & ~reason;
    sim_wire_cut(link->wire, (link->cut & ~(unsigned)SIM_LINK_KEYS) != 0);
    if (link->cut || !was_cut)
        return;
    for (unsigned connection = 0; connection < 2; connection++)
        for (unsigned end = 0; end < 2; end++)
            resume(link, connection, end);
}

bool sim_link_is_cut(const struct sim_link *link)
{
    return link->cut != 0;
}

bool sim_link_is_cut_for(const struct sim_link *link, unsigned reason)
{
    return (link->cut & reason) != 0;
}

struct sim_wire *sim_link_wire(struct sim_link *link)
{
    return link->wire;
}

bool sim_link_quiet(const struct sim_link *link)
{
    for (unsigned connection = 0; connection < 2; connection++)
        for (unsigned end = 0; end < 2; end++)
            if (link->connections[connection].pipes[end].chunk)
                return false;
    return true;
}
