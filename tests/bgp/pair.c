/*
 * Two sessions and the network between them, in virtual time. See support.h.
 *
 *     end 0 --output--> pipe towards 1 --pieces--> end 1     tcps[0]: opened by end 0
 *     end 0 <-pieces-- pipe towards 0 <--output-- end 1      tcps[1]: opened by end 1
 *
 * Each step does one thing that is possible, picked at random: some bytes are sent, some arrive, a
 * connection opens or ends. Only when nothing is possible does time pass. So every order of events
 * that real networks produce can happen here, and be repeated by its seed.
 */
#include "tests/bgp/support.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lpm_prefix pair_route(unsigned i)
{
    struct lpm_prefix prefix = prefix_of(i % 2 == 0 ? "10.0.0.0/24" : "2001:db8::/48");
    prefix.bytes[i % 2 == 0 ? 2 : 5] = (uint8_t)i;
    return prefix;
}

static void pair_state_changed(void *context, enum bgp_state state, const char *reason)
{
    struct pair_end *end = context;
    (void)reason;
    memset(end->received, 0, sizeof end->received);
    end->to_send = PAIR_ROUTES;
    end->end_sent = false;
    if (state == BGP_ESTABLISHED) {
        end->established++;
        end->end_of_ribs = 0;
        bgp_session_updates_pending(end->session);
    }
}

static void pair_routes(void *context, const struct bgp_routes *routes)
{
    struct pair_end *end = context;
    struct bgp_nlri announced = routes->announced;
    struct lpm_prefix prefix;
    while (bgp_nlri_next(&announced, &prefix)) {
        for (unsigned i = 0; i < PAIR_ROUTES; i++) {
            struct lpm_prefix route = pair_route(i);
            end->received[i] |= lpm_prefix_equal(&route, &prefix);
        }
    }
}

static void pair_end_of_rib(void *context, enum bgp_family family)
{
    (void)family;
    ((struct pair_end *)context)->end_of_ribs++;
}

static size_t pair_fill_routes(struct pair_end *end, const struct bgp_encoding *encoding,
                               uint8_t *bytes, size_t capacity)
{
    struct bgp_update_writer writer;
    struct lpm_prefix route = pair_route(end->to_send - 1);
    enum bgp_family family = bgp_family_of(&route);
    struct bgp_export export = {.prepend_asn = bgp_session_config(end->session)->local_asn,
                                .prepend_count = 1};
    const struct bgp_attributes *set = family == BGP_IPV4_UNICAST ? end->set4 : end->set6;
    if (!bgp_update_begin(&writer, encoding, family, set, &export, bytes, capacity)) {
        return 0;
    }
    bool added = bgp_update_add(&writer, &route);
    assert(added);
    (void)added;
    end->to_send--;
    return bgp_update_end(&writer);
}

static size_t pair_fill(void *context, uint8_t *bytes, size_t capacity)
{
    struct pair_end *end = context;
    const struct bgp_encoding *encoding = bgp_session_encoding(end->session);
    size_t n = 0;
    while (end->to_send > 0) {
        size_t got = pair_fill_routes(end, encoding, bytes + n, capacity - n);
        if (got == 0) {
            return n;
        }
        n += got;
    }
    if (!end->end_sent && capacity - n >= 64) {
        n += bgp_end_of_rib_encode(BGP_IPV4_UNICAST, bytes + n, capacity - n);
        n += bgp_end_of_rib_encode(BGP_IPV6_UNICAST, bytes + n, capacity - n);
        end->end_sent = true;
    }
    return n;
}

static void tcp_clear(struct pair_tcp *tcp)
{
    free(tcp->pipes[0].bytes);
    free(tcp->pipes[1].bytes);
    memset(tcp, 0, sizeof *tcp);
}

static void pair_connect(void *context)
{
    struct pair_end *end = context;
    struct pair_tcp *tcp = &end->pair->tcps[end->index];
    tcp_clear(tcp);
    tcp->state = TCP_OPENING;
}

static unsigned tcp_index(const struct pair_end *end, enum bgp_direction direction)
{
    return direction == BGP_OUTGOING ? end->index : 1 - end->index;
}

static void pair_close_wanted(void *context, enum bgp_direction direction)
{
    struct pair_end *end = context;
    struct pair_tcp *tcp = &end->pair->tcps[tcp_index(end, direction)];
    if (tcp->state == TCP_OPENING) {
        tcp_clear(tcp);
    } else {
        tcp->closing[end->index] = true;
    }
}

static void pair_nothing(void *context, enum bgp_direction direction)
{
    (void)context;
    (void)direction;
}

static const struct bgp_attributes *pair_set(struct pair_end *end, const char *next_hop)
{
    struct bgp_attribute_builder *builder = bgp_builder_create();
    struct lpm_address address = address_of(next_hop);
    const struct bgp_attributes *set = NULL;
    bgp_builder_originate(builder, BGP_ORIGIN_IGP);
    bgp_builder_set_next_hop(builder, &address);
    int error = bgp_builder_intern(builder, end->table, &set);
    assert(error == 0);
    (void)error;
    bgp_builder_destroy(builder);
    return set;
}

void pair_open(struct pair *pair, struct dice *dice, const struct bgp_session_config configs[2])
{
    memset(pair, 0, sizeof *pair);
    pair->dice = dice;
    pair->chunk_max = 64;
    for (unsigned i = 0; i < 2; i++) {
        struct pair_end *end = &pair->ends[i];
        struct bgp_session_handler handler = {
            .context = end,
            .state_changed = pair_state_changed,
            .routes = pair_routes,
            .end_of_rib = pair_end_of_rib,
            .fill_updates = pair_fill,
            .connect = pair_connect,
            .close = pair_close_wanted,
            .output_ready = pair_nothing,
        };
        struct bgp_session_config config = configs[i];
        end->pair = pair;
        end->index = i;
        config.attributes = end->table = bgp_attribute_table_create();
        end->set4 = pair_set(end, "192.0.2.1");
        end->set6 = pair_set(end, "2001:db8::1");
        int error = bgp_session_create(&config, &handler, &end->session);
        assert(error == 0);
        (void)error;
    }
}

void pair_close(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++) {
        struct pair_end *end = &pair->ends[i];
        bgp_session_destroy(end->session);
        bgp_attributes_release(end->table, end->set4);
        bgp_attributes_release(end->table, end->set6);
        assert(bgp_attribute_table_count(end->table) == 0);
        bgp_attribute_table_destroy(end->table);
        tcp_clear(&pair->tcps[i]);
    }
}

static enum bgp_direction direction_of(unsigned tcp, unsigned end)
{
    return tcp == end ? BGP_OUTGOING : BGP_INCOMING;
}

/* End end sends what it has; returns whether there was something. */
static bool tcp_send(struct pair *pair, unsigned tcp, unsigned end)
{
    struct pair_pipe *pipe = &pair->tcps[tcp].pipes[1 - end];
    uint8_t bytes[4096];
    unsigned state = pair->tcps[tcp].state;
    if ((state != TCP_UP && (state != TCP_HALF || tcp != end)) || pipe->finished) {
        return false;
    }
    size_t n = bgp_session_output(pair->ends[end].session, direction_of(tcp, end), bytes,
                                  1 + dice_below(pair->dice, sizeof bytes), pair->now_ms);
    if (n == 0) {
        pipe->finished = pair->tcps[tcp].closing[end];
        return pipe->finished;
    }
    if (pipe->size + n > pipe->capacity) {
        pipe->capacity = 2 * (pipe->size + n);
        pipe->bytes = realloc(pipe->bytes, pipe->capacity);
    }
    memcpy(pipe->bytes + pipe->size, bytes, n);
    pipe->size += n;
    return true;
}

/* End end receives a piece, or the end of the stream. */
static bool tcp_receive(struct pair *pair, unsigned tcp, unsigned end)
{
    struct pair_pipe *pipe = &pair->tcps[tcp].pipes[end];
    struct bgp_session *session = pair->ends[end].session;
    if (pair->tcps[tcp].state != TCP_UP) {
        return false;
    }
    if (pipe->size == 0) {
        if (!pipe->finished) {
            return false;
        }
        tcp_clear(&pair->tcps[tcp]);
        bgp_session_closed(session, direction_of(tcp, end), NULL, pair->now_ms);
        bgp_session_closed(pair->ends[1 - end].session, direction_of(tcp, 1 - end), NULL,
                           pair->now_ms);
        return true;
    }
    size_t n = 1 + dice_below(pair->dice, pair->chunk_max);
    n = n < pipe->size ? n : pipe->size;
    /* A copy of its own, so that a read beyond its end is seen by the sanitizer. */
    uint8_t *chunk = malloc(n);
    memcpy(chunk, pipe->bytes, n);
    memmove(pipe->bytes, pipe->bytes + n, pipe->size - n);
    pipe->size -= n;
    bgp_session_input(session, direction_of(tcp, end), chunk, n, pair->now_ms);
    free(chunk);
    return true;
}

/* First the end that opens has its connection, some time later the other accepts it. */
static bool tcp_open(struct pair *pair, unsigned tcp, unsigned end)
{
    struct pair_tcp *connection = &pair->tcps[tcp];
    if (connection->state != (tcp == end ? TCP_OPENING : TCP_HALF)) {
        return false;
    }
    connection->state = tcp == end ? TCP_HALF : TCP_UP;
    bgp_session_connected(pair->ends[end].session, direction_of(tcp, end), pair->now_ms);
    return true;
}

void pair_step(struct pair *pair)
{
    static bool (*const actions[])(struct pair *, unsigned, unsigned) = {tcp_send, tcp_receive,
                                                                         tcp_open};
    unsigned first = dice_below(pair->dice, 12);
    for (unsigned i = 0; i < 12; i++) {
        unsigned choice = (first + i * 5) % 12;
        if (actions[choice % 3](pair, choice / 3 % 2, choice / 6)) {
            return;
        }
    }
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t deadline = bgp_session_deadline(pair->ends[i].session);
        next = deadline < next ? deadline : next;
    }
    pair->now_ms = next > pair->now_ms ? next : pair->now_ms + 1;
    for (unsigned i = 0; i < 2; i++) {
        bgp_session_tick(pair->ends[i].session, pair->now_ms);
    }
}

static bool exchanged(const struct pair_end *end)
{
    for (unsigned i = 0; i < PAIR_ROUTES; i++) {
        if (!end->received[i]) {
            return false;
        }
    }
    return bgp_session_state(end->session) == BGP_ESTABLISHED && end->end_of_ribs == 2;
}

bool pair_converge(struct pair *pair, uint64_t until_ms)
{
    while (pair->now_ms <= until_ms) {
        if (exchanged(&pair->ends[0]) && exchanged(&pair->ends[1])) {
            return true;
        }
        pair_step(pair);
    }
    return false;
}
