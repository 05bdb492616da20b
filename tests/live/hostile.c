/*
 * The scenarios with peers that behave badly. Each has someone who behaves well beside them, whose
 * session and routes must go on: nva1 announces to the first instance, and nva2 hears of it from
 * the second, whose routes are the same. The badly behaved come from the crowd.
 */
#include "tests/live/scenarios.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/bgp/message.h"
#include "tests/live/stage.h"

#define ROUTE_BYTES 4096

/* nva1 as announcer with a hold time of 3 s, nva2 as reader, who has heard of the hub. */
static bool well_behaved(struct stage *stage)
{
    return stage_join(stage, &stage->nva1, 0, 3) && stage_join_second(stage, &stage->nva2, 1, 90) &&
           stage_read_prefixes(&stage->nva2, 1);
}

static bool say_route(struct wire_peer *peer, unsigned index, unsigned path)
{
    uint8_t bytes[ROUTE_BYTES];
    return wire_peer_send(peer, bytes, wire_peer_update(bytes, 65001, path, "10.0.1.4", index, 1));
}

static bool has_prefix(const struct wire_message *message, unsigned index)
{
    const uint8_t prefix[4] = {24, (uint8_t)(20 + (index >> 16)), (uint8_t)(index >> 8),
                               (uint8_t)index};
    return message->type == BGP_UPDATE && wire_message_prefixes(message) > 0 &&
           memmem(message->bytes, message->length, prefix, sizeof(prefix));
}

/* Reads until a prefix is announced, counting what is withdrawn meanwhile. */
static bool hears_route(struct wire_peer *peer, unsigned index, unsigned *withdrawn)
{
    struct wire_message message;
    while (wire_peer_read(peer, &message, PATIENCE_MS) && message.type != 0) {
        *withdrawn += wire_message_withdrawn(&message);
        if (has_prefix(&message, index))
            return true;
    }
    return false;
}

/* A route of nva1 comes through to nva2, and the session of nva1 is alive. */
static bool others_go_on(struct stage *stage, unsigned index)
{
    unsigned withdrawn = 0;
    return say_route(&stage->nva1, index, 1) && hears_route(&stage->nva2, index, &withdrawn) &&
           stage_session_lives(&stage->nva1);
}

/* Memory at rest: equal but for what an allocator keeps in hand. */
static bool stands_still(size_t before_kb, size_t after_kb)
{
    if (after_kb <= before_kb + 2048)
        return true;
    fprintf(stderr, "resident memory grew from %zu to %zu KB\n", before_kb, after_kb);
    return false;
}

/* --- Slow ------------------------------------------------------------------------------------- */

/* A message in a hundred pieces takes effect like any other, and no one waits for its rest. */
bool trickling_peer_holds_up_no_one(void)
{
    enum { TRICKLED = 60000 };
    struct stage stage;
    struct wire_peer slow = {.fd = -1};
    unsigned withdrawn = 0;
    uint8_t bytes[ROUTE_BYTES];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(well_behaved(&stage));
    REQUIRE(stage_dial_crowd(&stage, &slow, 0, 0));
    size_t n = wire_peer_open(ENGINE_CROWD_ASN, 3, bytes);
    n += bgp_keepalive_encode(bytes + n, sizeof(bytes) - n);
    n += wire_peer_update(bytes + n, ENGINE_CROWD_ASN, 1, "10.0.1.100", TRICKLED, 1);
    for (size_t i = 0; i < n; i++) {
        REQUIRE(wire_peer_send(&slow, bytes + i, 1));
        REQUIRE(say_route(&stage.nva1, (unsigned)i, 1));
        /* The last byte makes both routes known, in whichever order. */
        if (i + 1 < n)
            REQUIRE(hears_route(&stage.nva2, (unsigned)i, &withdrawn));
    }
    REQUIRE(hears_route(&stage.nva2, TRICKLED, &withdrawn));
    REQUIRE(withdrawn == 0);
    REQUIRE(stage_session_lives(&stage.nva1));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    wire_peer_close(&slow);
    return stage_strike(&stage, holds);
}

/* Bytes are no sign of life, messages are (RFC 4271 section 4.4): at two bytes a second a KEEPALIVE
 * takes nine, and the hold time is three. */
bool bytes_without_a_message_do_not_hold_a_session(void)
{
    struct stage stage;
    struct wire_peer slow = {.fd = -1};
    struct wire_message message = {0};
    uint8_t bytes[BGP_HEADER_SIZE];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(well_behaved(&stage));
    REQUIRE(stage_join_crowd(&stage, &slow, 0));
    bgp_keepalive_encode(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes) && message.type != BGP_NOTIFICATION; i++) {
        REQUIRE(wire_peer_send(&slow, bytes + i, 1));
        REQUIRE(others_go_on(&stage, (unsigned)i));
        int64_t until = stage_now_ms() + 500;
        while (stage_now_ms() < until && message.type != BGP_NOTIFICATION)
            wire_peer_read(&slow, &message, 100);
    }
    REQUIRE(message.type == BGP_NOTIFICATION && message.bytes[19] == BGP_ERROR_HOLD_TIMER);
    REQUIRE(others_go_on(&stage, 100));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    wire_peer_close(&slow);
    return stage_strike(&stage, holds);
}

/* Takes 10,000 prefixes through nva1 to nva2. */
static bool say_many(struct stage *stage, unsigned first, unsigned path)
{
    uint8_t bytes[ROUTE_BYTES];
    for (unsigned at = first; at < first + 10000; at += 400) {
        size_t n = wire_peer_update(bytes, 65001, path, "10.0.1.4", at, 400);
        if (!wire_peer_send(&stage->nva1, bytes, n))
            return false;
    }
    return stage_read_prefixes(&stage->nva2, 10000) && wire_peer_keepalive(&stage->nva1) &&
           wire_peer_keepalive(&stage->nva2);
}

/* It says KEEPALIVE, so only its not reading ends it (RFC 9687). What it is owed is one mark a
 * prefix. As messages each round would be 400 KB: thirty are far more than the 4 MB that the kernel
 * may take of them and the growth that is allowed, and twelve are still more than the former. */
bool peer_that_never_reads_costs_its_own_state_only(void)
{
    enum { PREFIXES = 100000 };
    struct stage stage;
    struct wire_peer deaf = {.fd = -1};
    size_t first_kb = 0;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(well_behaved(&stage));
    REQUIRE(stage_dial_crowd(&stage, &deaf, 0, 2048));
    REQUIRE(wire_peer_handshake(&deaf, ENGINE_CROWD_ASN, 3));
    unsigned rounds = engine_resident_kb(&stage.engine) > 0 ? 30 : 12;
    for (unsigned round = 1; round <= rounds; round++) {
        for (unsigned first = 0; first < PREFIXES; first += 10000) {
            wire_peer_keepalive(&deaf);
            REQUIRE(say_many(&stage, first, round));
        }
        if (round == 1)
            first_kb = engine_resident_kb(&stage.engine);
    }
    REQUIRE(stands_still(first_kb, engine_resident_kb(&stage.engine)));
    for (int64_t until = stage_now_ms() + PATIENCE_MS;
         !engine_says(&stage.engine, "Send Hold Timer Expired", 200) && stage_now_ms() < until;) {
        wire_peer_keepalive(&deaf);
        REQUIRE(wire_peer_keepalive(&stage.nva1));
    }
    REQUIRE(engine_count(&stage.engine, "Send Hold Timer Expired") == 1);
    REQUIRE(others_go_on(&stage, PREFIXES));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    wire_peer_close(&deaf);
    return stage_strike(&stage, holds);
}

/* --- Too much --------------------------------------------------------------------------------- */

#define FLOOD_MESSAGES 96

/* The same 400 prefixes over and over, each time by another path, and KEEPALIVEs between. */
static uint8_t *make_flood(size_t *size)
{
    uint8_t *bytes = malloc(FLOOD_MESSAGES * (size_t)(ROUTE_BYTES + BGP_HEADER_SIZE));
    *size = 0;
    for (unsigned i = 0; bytes && i < FLOOD_MESSAGES; i++) {
        *size +=
            wire_peer_update(bytes + *size, ENGINE_CROWD_ASN, 1 + i % 3, "10.0.1.100", 60000, 400);
        *size += bgp_keepalive_encode(bytes + *size, BGP_HEADER_SIZE);
    }
    return bytes;
}

/* As much as the socket takes now; whole messages or not. */
static void flood_on(struct wire_peer *peer, const uint8_t *bytes, size_t size, size_t *at)
{
    ssize_t n = send(peer->fd, bytes + *at, size - *at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        *at = (*at + (size_t)n) % size;
}

/* Longer than the hold time of 3 s of all of them, so that whoever is forgotten is lost; but a sanitized engine
 * would be at what the kernel holds of the flood for longer than that. */
#ifdef FINGERPOST_SANITIZE
#define FLOOD_MS 1000
#else
#define FLOOD_MS 4500
#endif

bool flood_of_updates_holds_up_no_one(void)
{
    struct stage stage;
    struct wire_peer wild = {.fd = -1};
    struct wire_message message;
    size_t size, at = 0, early_kb = 0;
    unsigned asked = 0, heard = 0;
    uint8_t *bytes = make_flood(&size);
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds && bytes);
    REQUIRE(well_behaved(&stage));
    REQUIRE(stage_join_crowd(&stage, &wild, 0));
    int64_t start = stage_now_ms(), next = start;
    while (stage_now_ms() < start + FLOOD_MS) {
        flood_on(&wild, bytes, size, &at);
        if (stage_now_ms() >= next) {
            REQUIRE(say_route(&stage.nva1, asked++, 1));
            REQUIRE(wire_peer_keepalive(&stage.nva1));
            next += 500;
        }
        while (wire_peer_read(&stage.nva1, &message, 0))
            REQUIRE(message.type != 0 && message.type != BGP_NOTIFICATION);
        while (wire_peer_read(&stage.nva2, &message, 0)) {
            REQUIRE(message.type != 0);
            heard += has_prefix(&message, heard);
        }
        if (early_kb == 0 && stage_now_ms() > start + 1500)
            early_kb = engine_resident_kb(&stage.engine);
    }
    /* Heard while the flood went on: all but the last, which may be on its way. */
    REQUIRE(asked >= FLOOD_MS / 600 && heard + 1 >= asked);
    REQUIRE(stands_still(early_kb, engine_resident_kb(&stage.engine)));
    REQUIRE(stage_session_lives(&stage.nva1));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    free(bytes);
    wire_peer_close(&wild);
    return stage_strike(&stage, holds);
}

/* By paths of every length, so that sets of attributes come and go too. */
static bool flap(struct wire_peer *peer, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        if (!say_route(peer, 0, 1 + i % 50) || !say_route(peer, 0, 0))
            return false;
    }
    return true;
}

bool ten_thousand_flaps_leave_nothing_behind(void)
{
    struct stage stage;
    json_t *report = NULL;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(well_behaved(&stage));
    REQUIRE(flap(&stage.nva1, 5000));
    REQUIRE(others_go_on(&stage, 1));
    size_t half_kb = engine_resident_kb(&stage.engine);
    REQUIRE(flap(&stage.nva1, 5000));
    REQUIRE(others_go_on(&stage, 2));
    REQUIRE(stands_still(half_kb, engine_resident_kb(&stage.engine)));
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(report);
    REQUIRE(stage_session_number(report, "nva1", "learned") == 2);
cleanup:
    json_decref(report);
    return stage_strike(&stage, holds);
}

/* --- A crowd ---------------------------------------------------------------------------------- */

static struct wire_peer *make_crowd(void)
{
    struct wire_peer *crowd = calloc(ENGINE_CROWD, sizeof(*crowd));
    for (unsigned i = 0; crowd && i < ENGINE_CROWD; i++)
        crowd[i].fd = -1;
    return crowd;
}

static void close_crowd(struct wire_peer *crowd)
{
    for (unsigned i = 0; crowd && i < ENGINE_CROWD; i++)
        wire_peer_close(&crowd[i]);
}

/* The pause after a failure passes (RFC 4271 section 8.1.1); meanwhile the peer is refused. */
static bool join_after_pause(struct stage *stage, struct wire_peer *peer, unsigned index)
{
    int64_t until = stage_now_ms() + 2 * PATIENCE_MS;
    while (stage_now_ms() < until) {
        if (stage_join_crowd(stage, peer, index))
            return true;
        wire_peer_close(peer);
        usleep(20000);
    }
    return false;
}

static bool crowd_flaps(struct stage *stage, struct wire_peer *crowd)
{
    enum { EACH = 20 };
    struct wire_message message;
    uint8_t bytes[ROUTE_BYTES];
    for (unsigned i = 0; i < ENGINE_CROWD; i++) {
        size_t n = wire_peer_update(bytes, ENGINE_CROWD_ASN + i, 1, "10.0.1.5", EACH * i, EACH);
        if (!join_after_pause(stage, &crowd[i], i) || !wire_peer_send(&crowd[i], bytes, n))
            return false;
        struct linger at_once = {1, 0};
        setsockopt(crowd[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    if (!stage_read_prefixes(&stage->nva2, ENGINE_CROWD * EACH))
        return false;
    close_crowd(crowd);
    for (unsigned gone = 0; gone < ENGINE_CROWD * EACH;) {
        if (!wire_peer_read(&stage->nva2, &message, PATIENCE_MS) || message.type == 0)
            return false;
        gone += wire_message_withdrawn(&message);
    }
    return wire_peer_keepalive(&stage->nva1);
}

/* Each pause in Idle is twice as long as the one before, so the number is in the peers. */
bool hundreds_of_session_flaps_leave_nothing_behind(void)
{
    enum { ROUNDS = 3 };
    struct stage stage;
    unsigned withdrawn = 0;
    json_t *report = NULL;
    size_t early_kb = 0;
    struct wire_peer *crowd = make_crowd();
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds && crowd);
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 90));
    REQUIRE(stage_join_second(&stage, &stage.nva2, 1, 90));
    REQUIRE(stage_read_prefixes(&stage.nva2, 1));
    for (unsigned round = 0; round < ROUNDS; round++) {
        REQUIRE(crowd_flaps(&stage, crowd));
        if (round == 0)
            early_kb = engine_resident_kb(&stage.engine);
    }
    REQUIRE(stands_still(early_kb, engine_resident_kb(&stage.engine)));
    REQUIRE(say_route(&stage.nva1, 60000, 1) && hears_route(&stage.nva2, 60000, &withdrawn));
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(report);
    REQUIRE(stage_session_number(report, "nva1", "established") == 1);
    REQUIRE(stage_session_number(report, "p00", "established") == ROUNDS);
    REQUIRE(stage_session_number(report, "p99", "established") == ROUNDS);
cleanup:
    json_decref(report);
    close_crowd(crowd);
    free(crowd);
    return stage_strike(&stage, holds);
}

/* --- Before the OPEN -------------------------------------------------------------------------- */

#define ONES "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
#define GARBAGE(text, code, subcode)                                                               \
    {                                                                                              \
        text, sizeof(text) - 1, code, subcode                                                      \
    }

/* What an address of a peer may send that is no peer at all, or out of its mind. */
static const struct {
    const char *bytes;
    size_t n;
    uint8_t code, subcode;
} garbage[] = {
    GARBAGE("GET / HTTP/1.1\r\nHost: 10.0.0.4\r\n\r\n", BGP_ERROR_HEADER,
            BGP_HEADER_NOT_SYNCHRONIZED),
    GARBAGE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a hello of TLS", BGP_ERROR_HEADER,
            BGP_HEADER_NOT_SYNCHRONIZED),
    GARBAGE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", BGP_ERROR_HEADER,
            BGP_HEADER_NOT_SYNCHRONIZED),
    GARBAGE(ONES "\x00\x12\x04", BGP_ERROR_HEADER, BGP_HEADER_BAD_LENGTH),
    GARBAGE(ONES "\xff\xff\x02", BGP_ERROR_HEADER, BGP_HEADER_BAD_LENGTH),
    GARBAGE(ONES "\x00\x13\x00", BGP_ERROR_HEADER, BGP_HEADER_BAD_TYPE),
    GARBAGE(ONES "\x00\x13\x04", BGP_ERROR_FSM, 1),
    GARBAGE(ONES "\x00\x17\x02\x00\x00\x00\x00", BGP_ERROR_FSM, 1),
    GARBAGE(ONES "\x00\x1d\x01\x03\xff\xff\x00\x03\x01\x02\x03\x04\x00", BGP_ERROR_OPEN, 1),
};

bool garbage_before_the_open_costs_one_connection(void)
{
    enum { KINDS = sizeof(garbage) / sizeof(garbage[0]) };
    unsigned withdrawn = 0;
    struct stage stage;
    struct wire_message message;
    struct wire_peer *crowd = make_crowd();
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds && crowd);
    REQUIRE(well_behaved(&stage));
    for (unsigned i = 0; i < KINDS; i++) {
        REQUIRE(stage_dial_crowd(&stage, &crowd[i], i, 0));
        REQUIRE(wire_peer_send(&crowd[i], garbage[i].bytes, garbage[i].n));
        REQUIRE(wire_peer_expect(&crowd[i], BGP_NOTIFICATION, &message, PATIENCE_MS));
        REQUIRE(message.bytes[19] == garbage[i].code && message.bytes[20] == garbage[i].subcode);
        REQUIRE(wire_peer_read(&crowd[i], &message, PATIENCE_MS) && message.type == 0);
        wire_peer_close(&crowd[i]);
        REQUIRE(say_route(&stage.nva1, i, 1) && hears_route(&stage.nva2, i, &withdrawn));
    }
    REQUIRE(withdrawn == 0);
    REQUIRE(stage_session_lives(&stage.nva1));
    for (unsigned i = 0; i < KINDS; i++) {
        REQUIRE(join_after_pause(&stage, &crowd[i], i));
        wire_peer_close(&crowd[i]);
    }
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    close_crowd(crowd);
    free(crowd);
    return stage_strike(&stage, holds);
}

/* A machine that lost its power leaves its connection behind; it must not be kept out by it when it
 * is back. Here the former socket stays open, which looks the same to the engine. */
bool half_open_connections_hold_up_no_one(void)
{
    struct stage stage;
    struct wire_peer again = {.fd = -1};
    struct wire_message message;
    struct wire_peer *crowd = make_crowd();
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds && crowd);
    for (unsigned i = 0; i < ENGINE_CROWD; i++) {
        REQUIRE(stage_dial_crowd(&stage, &crowd[i], i, 0));
        REQUIRE(wire_peer_expect(&crowd[i], BGP_OPEN, &message, PATIENCE_MS));
        /* Every other one dies in the middle of its OPEN. */
        REQUIRE(i % 2 == 0 || wire_peer_send(&crowd[i], ONES "\x00", 17));
    }
    REQUIRE(well_behaved(&stage));
    REQUIRE(others_go_on(&stage, 1));
    for (unsigned i = 0; i < ENGINE_CROWD; i++) {
        REQUIRE(stage_join_crowd(&stage, &again, i));
        REQUIRE(wire_peer_read(&crowd[i], &message, PATIENCE_MS) && message.type == 0);
        wire_peer_close(&again);
    }
    REQUIRE(others_go_on(&stage, 2));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    wire_peer_close(&again);
    close_crowd(crowd);
    free(crowd);
    return stage_strike(&stage, holds);
}

/* For longer than the hold time of 3 s; what the peers said meanwhile waits in the kernel. */
bool stopped_engine_blames_no_one(void)
{
    struct stage stage;
    struct wire_peer other = {.fd = -1};
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(well_behaved(&stage));
    REQUIRE(stage_join_crowd(&stage, &other, 0));
    engine_signal(&stage.engine, SIGSTOP);
    for (unsigned i = 0; i < 8; i++) {
        struct timespec pause = {.tv_nsec = 500 * 1000 * 1000};
        nanosleep(&pause, NULL);
        REQUIRE(wire_peer_keepalive(&stage.nva1) && wire_peer_keepalive(&other));
    }
    engine_signal(&stage.engine, SIGCONT);
    REQUIRE(stage_session_lives(&stage.nva1));
    REQUIRE(stage_session_lives(&other));
    REQUIRE(engine_stop(&stage.engine) == 0);
    REQUIRE(engine_count(&stage.engine, "Hold Timer Expired") == 0);
cleanup:
    wire_peer_close(&other);
    return stage_strike(&stage, holds);
}
