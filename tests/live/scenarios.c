/*
 * See scenarios.h. A scenario reads like a script: steps that must hold, one after the other, and
 * one way out that takes down what was raised, also when a step failed. Where an engine's exit
 * status must be 0, a sanitizer's finding in the engine fails the scenario too: it changes the
 * status.
 */
#include "tests/live/scenarios.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/bgp/message.h"
#include "tests/live/stage.h"

bool session_comes_up_and_stops_cleanly(void)
{
    struct stage stage;
    struct wire_message message;
    json_t *report = NULL;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 90));
    REQUIRE(engine_says(&stage.engine, "rs1/0 nva1", PATIENCE_MS));
    /* The hub's address space, then End-of-RIB. */
    REQUIRE(wire_peer_expect(&stage.nva1, BGP_UPDATE, &message, PATIENCE_MS));
    REQUIRE(wire_message_prefixes(&message) == 1);
    engine_signal(&stage.engine, SIGTERM);
    REQUIRE(wire_peer_expect(&stage.nva1, BGP_NOTIFICATION, &message, PATIENCE_MS));
    REQUIRE(message.bytes[19] == BGP_ERROR_CEASE && message.bytes[20] == BGP_CEASE_SHUTDOWN);
    REQUIRE(wire_peer_read(&stage.nva1, &message, PATIENCE_MS) && message.type == 0);
    wire_peer_close(&stage.nva1);
    REQUIRE(engine_wait(&stage.engine, PATIENCE_MS) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(report);
    REQUIRE(stage_session_number(report, "nva1", "established") == 1);
cleanup:
    json_decref(report);
    return stage_strike(&stage, holds);
}

bool routes_are_learned_and_reported(void)
{
    struct stage stage;
    json_t *report = NULL;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 90));
    REQUIRE(wire_peer_announce(&stage.nva1, 65001, "10.0.1.4", 1000));
    /* The status on demand goes to standard error; 1,000 is in its line of nva1. */
    int64_t until = stage_now_ms() + PATIENCE_MS;
    do {
        engine_signal(&stage.engine, SIGUSR1);
        usleep(50000);
    } while (engine_count(&stage.engine, " 1000 ") == 0 && stage_now_ms() < until);
    REQUIRE(engine_count(&stage.engine, " 1000 ") > 0);
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(report);
    REQUIRE(stage_session_number(report, "nva1", "learned") == 1000);
    REQUIRE(json_integer_value(json_object_get(json_object_get(report, "programmed"), "routes")) >=
            1000);
cleanup:
    json_decref(report);
    return stage_strike(&stage, holds);
}

/* RFC 4271 6.1: a marker that is not all ones is Message Header Error / Connection Not
 * Synchronized. */
bool garbage_gets_a_notification_and_hurts_no_one_else(void)
{
    struct stage stage;
    struct wire_message message;
    uint8_t garbage[256];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 3));
    REQUIRE(stage_join(&stage, &stage.nva2, 1, 90));
    memset(garbage, 0x5a, sizeof(garbage));
    REQUIRE(wire_peer_send(&stage.nva2, garbage, sizeof(garbage)));
    REQUIRE(wire_peer_expect(&stage.nva2, BGP_NOTIFICATION, &message, PATIENCE_MS));
    REQUIRE(message.bytes[19] == BGP_ERROR_HEADER &&
            message.bytes[20] == BGP_HEADER_NOT_SYNCHRONIZED);
    REQUIRE(wire_peer_read(&stage.nva2, &message, PATIENCE_MS) && message.type == 0);
    REQUIRE(wire_peer_keepalive(&stage.nva1));
    REQUIRE(wire_peer_expect(&stage.nva1, BGP_KEEPALIVE, &message, PATIENCE_MS));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

/* TCP owes nobody whole messages. */
bool one_byte_at_a_time_is_fine(void)
{
    struct stage stage;
    struct wire_message message;
    uint8_t bytes[512];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(stage_dial(&stage, &stage.nva1, 0));
    size_t n = wire_peer_open(65001, 90, bytes);
    n += bgp_keepalive_encode(bytes + n, sizeof(bytes) - n);
    for (size_t i = 0; i < n; i++) {
        REQUIRE(wire_peer_send(&stage.nva1, bytes + i, 1));
        usleep(1000);
    }
    REQUIRE(wire_peer_expect(&stage.nva1, BGP_UPDATE, &message, PATIENCE_MS));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

/* Each costs the engine an accept and a close; the log must not be their way to fill a disk. */
bool unknown_source_is_refused_with_one_line(void)
{
    struct stage stage;
    struct wire_message message;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    for (unsigned i = 0; i < 50; i++) {
        REQUIRE(stage_dial(&stage, &stage.nva2, 2));
        REQUIRE(wire_peer_read(&stage.nva2, &message, PATIENCE_MS) && message.type == 0);
        wire_peer_close(&stage.nva2);
    }
    REQUIRE(engine_count(&stage.engine, "not a peer") == 1);
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 90));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

bool engine_connects_out_from_the_instance_address(void)
{
    struct stage stage;
    struct sockaddr_in source;
    socklen_t length = sizeof(source);
    char text[INET_ADDRSTRLEN];
    engine_name(&stage.engine);
    /* The peer is there first: the engine calls once at its start, then only every other minute. */
    int listener = wire_peer_listen(stage.engine.peer[0], ENGINE_PORT);
    bool holds = stage_raise(&stage, false) && listener >= 0;
    REQUIRE(holds);
    REQUIRE(wire_peer_accept(&stage.nva1, listener, PATIENCE_MS));
    REQUIRE(getpeername(stage.nva1.fd, (struct sockaddr *)&source, &length) == 0);
    inet_ntop(AF_INET, &source.sin_addr, text, sizeof(text));
    REQUIRE(strcmp(text, stage.engine.address[0]) == 0 ||
            strcmp(text, stage.engine.address[1]) == 0);
    REQUIRE(wire_peer_handshake(&stage.nva1, 65001, 90));
    REQUIRE(engine_says(&stage.engine, "nva1", PATIENCE_MS));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

/* 30,000 prefixes are some hundred kilobytes of UPDATEs, far more than the sockets between hold. */
bool slow_reader_gets_everything_in_the_end(void)
{
    enum { PREFIXES = 30000 };
    struct stage stage;
    struct wire_message message;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    /* The slow one comes first, with hardly a receive buffer, and does not read. */
    REQUIRE(wire_peer_connect(&stage.nva2, stage.engine.peer[1], stage.engine.address[0],
                              ENGINE_PORT, 2048));
    REQUIRE(wire_peer_handshake(&stage.nva2, 65002, 90));
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 3));
    REQUIRE(wire_peer_announce(&stage.nva1, 65001, "10.0.1.4", PREFIXES));
    /* The quick one is served meanwhile. */
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(wire_peer_keepalive(&stage.nva1));
        REQUIRE(wire_peer_expect(&stage.nva1, BGP_KEEPALIVE, &message, 3000));
    }
    REQUIRE(stage_read_prefixes(&stage.nva2, PREFIXES + 1));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

/* Sends what the socket takes now, whole messages or not: the bytes are KEEPALIVEs without end. */
static void flood(struct wire_peer *peer, size_t *offset)
{
    static uint8_t bytes[BGP_HEADER_SIZE * 1024];
    if (bytes[0] == 0) {
        for (size_t i = 0; i < sizeof(bytes); i += BGP_HEADER_SIZE)
            bgp_keepalive_encode(bytes + i, BGP_HEADER_SIZE);
    }
    ssize_t n;
    do {
        n = send(peer->fd, bytes + *offset, sizeof(bytes) - *offset, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            *offset = (*offset + (size_t)n) % sizeof(bytes);
    } while (n == (ssize_t)sizeof(bytes));
}

bool flood_does_not_delay_keepalives(void)
{
    struct stage stage;
    struct wire_message message;
    size_t offset = 0;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 3));
    REQUIRE(stage_join(&stage, &stage.nva2, 1, 90));
    int64_t end = stage_now_ms() + 3500, last = stage_now_ms(), longest = 0;
    while (stage_now_ms() < end) {
        flood(&stage.nva2, &offset);
        if (!wire_peer_read(&stage.nva1, &message, 1) || message.type != BGP_KEEPALIVE)
            continue;
        longest = stage_now_ms() - last > longest ? stage_now_ms() - last : longest;
        last = stage_now_ms();
        REQUIRE(wire_peer_keepalive(&stage.nva1));
    }
    /* A third of the hold time of 3 s, with what this machine may add. */
    REQUIRE(longest > 0 && longest < 1800);
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

/* Cease, Administrative Reset. */
static const char administrative_reset[] =
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x15\x03\x06\x04";

/* At once, whether its connection was closed or reset and whatever it had said last: it need not call twice. */
bool peer_that_left_comes_back_at_once(void)
{
    struct stage stage;
    json_t *report = NULL;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    for (unsigned i = 0; i < 3; i++) {
        REQUIRE(stage_join(&stage, &stage.nva1, 0, 90));
        struct linger at_once = {1, 0};
        if (i == 0)
            setsockopt(stage.nva1.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        else
            REQUIRE(wire_peer_announce(&stage.nva1, 65001, "10.0.1.4", 4000));
        if (i == 2)
            REQUIRE(wire_peer_send(&stage.nva1, administrative_reset,
                                   sizeof(administrative_reset) - 1));
        wire_peer_close(&stage.nva1);
    }
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 90));
    REQUIRE(stage_session_lives(&stage.nva1));
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(report);
    REQUIRE(stage_session_number(report, "nva1", "established") == 4);
    REQUIRE(stage_session_number(report, "nva1", "failures_in_a_row") == 3);
    REQUIRE(engine_count(&stage.engine, "Administrative Reset") == 1);
cleanup:
    json_decref(report);
    return stage_strike(&stage, holds);
}

/* Even from the right address: the first holds the session. */
bool second_incoming_connection_is_refused(void)
{
    struct stage stage;
    struct wire_message message;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 3));
    REQUIRE(stage_dial(&stage, &stage.nva2, 0));
    REQUIRE(wire_peer_read(&stage.nva2, &message, PATIENCE_MS) && message.type == 0);
    REQUIRE(wire_peer_keepalive(&stage.nva1));
    REQUIRE(wire_peer_expect(&stage.nva1, BGP_KEEPALIVE, &message, PATIENCE_MS));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

/* --- Neighbours that the file does not name --------------------------------------------------- */

static bool dial_from(struct stage *stage, struct wire_peer *peer, unsigned host)
{
    char local[24];
    snprintf(local, sizeof(local), "%s.%u", stage->engine.base, host);
    return wire_peer_connect(peer, local, stage->engine.address[0], ENGINE_PORT, 0);
}

static bool join_from(struct stage *stage, struct wire_peer *peer, unsigned host, uint32_t asn)
{
    return dial_from(stage, peer, host) && wire_peer_handshake(peer, asn, 30);
}

/* What it is told instead of a session; code 0: nothing. */
static void apply(struct stage *stage, struct wire_peer *peer, unsigned host, uint32_t asn,
                  uint8_t code[2])
{
    struct wire_message message;
    uint8_t open[256];
    code[0] = code[1] = 0;
    if (dial_from(stage, peer, host) && wire_peer_send(peer, open, wire_peer_open(asn, 30, open)) &&
        wire_peer_read(peer, &message, PATIENCE_MS) && message.type == BGP_NOTIFICATION)
        memcpy(code, message.bytes + 19, 2);
    wire_peer_close(peer);
}

static const char *dynamic_name(const struct stage *stage, unsigned host, char name[48])
{
    snprintf(name, 48, "nva1@%s.%u", stage->engine.base, host);
    return name;
}

/* Its OPEN may come in any pieces; what follows in the same segment is the session's. */
bool dynamic_neighbors_come_and_go(void)
{
    struct stage stage;
    struct wire_message message;
    json_t *report = NULL;
    uint8_t bytes[512];
    char name[48];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(dial_from(&stage, &stage.nva1, 230));
    size_t n = wire_peer_open(65105, 30, bytes);
    for (size_t i = 0; i < n - 1; i++) {
        REQUIRE(wire_peer_send(&stage.nva1, bytes + i, 1));
        usleep(1000); /* a segment each */
    }
    size_t keepalive = bgp_keepalive_encode(bytes + n, sizeof(bytes) - n);
    REQUIRE(wire_peer_send(&stage.nva1, bytes + n - 1, 1 + keepalive));
    REQUIRE(wire_peer_expect(&stage.nva1, BGP_UPDATE, &message, PATIENCE_MS));
    REQUIRE(wire_peer_announce(&stage.nva1, 65105, "10.0.1.4", 7));
    REQUIRE(stage_join(&stage, &stage.nva2, 1, 30));
    REQUIRE(engine_says(&stage.engine, dynamic_name(&stage, 230, name), PATIENCE_MS));
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(report);
    REQUIRE(stage_session_number(report, name, "asn") == 65105);
    REQUIRE(stage_session_number(report, name, "learned") == 7);
    REQUIRE(stage_session_number(report, name, "hold_time_s") == 30);
cleanup:
    json_decref(report);
    return stage_strike(&stage, holds);
}

/* What follows the OPEN belongs to the session, also where the OPEN began in an earlier segment. */
bool dynamic_neighbor_may_say_more_than_its_open(void)
{
    enum { BEGUN = BGP_HEADER_SIZE + 6, MUCH = 300 };
    struct stage stage;
    struct wire_message message;
    uint8_t bytes[512 + MUCH * BGP_HEADER_SIZE];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(dial_from(&stage, &stage.nva1, 230));
    size_t n = wire_peer_open(65105, 30, bytes);
    for (unsigned i = 0; i < MUCH; i++)
        n += bgp_keepalive_encode(bytes + n, sizeof(bytes) - n);
    REQUIRE(wire_peer_send(&stage.nva1, bytes, BEGUN));
    usleep(200000);
    REQUIRE(wire_peer_send(&stage.nva1, bytes + BEGUN, n - BEGUN));
    REQUIRE(wire_peer_expect(&stage.nva1, BGP_UPDATE, &message, PATIENCE_MS));
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    return stage_strike(&stage, holds);
}

bool neighbor_of_another_as_is_told_so(void)
{
    struct stage stage;
    struct wire_message message;
    json_t *report = NULL;
    uint8_t code[2];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    apply(&stage, &stage.nva1, 230, 65200, code);
    REQUIRE(code[0] == BGP_ERROR_OPEN && code[1] == BGP_OPEN_BAD_PEER_AS);
    REQUIRE(engine_says(&stage.engine, "AS 65200 is none of those", PATIENCE_MS));
    /* Something else than an OPEN, and something else than BGP. */
    REQUIRE(dial_from(&stage, &stage.nva1, 231) && wire_peer_keepalive(&stage.nva1));
    REQUIRE(wire_peer_read(&stage.nva1, &message, PATIENCE_MS));
    REQUIRE(message.type == BGP_NOTIFICATION && message.bytes[19] == BGP_ERROR_FSM);
    wire_peer_close(&stage.nva1);
    REQUIRE(dial_from(&stage, &stage.nva1, 232));
    REQUIRE(wire_peer_send(&stage.nva1, "GET / HTTP/1.1\r\nHost: rs1\r\n\r\n", 29));
    REQUIRE(wire_peer_read(&stage.nva1, &message, PATIENCE_MS));
    REQUIRE(message.type == BGP_NOTIFICATION && message.bytes[19] == BGP_ERROR_HEADER);
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(json_array_size(json_object_get(report, "sessions")) == 4 + 2 * ENGINE_CROWD);
cleanup:
    json_decref(report);
    return stage_strike(&stage, holds);
}

/* Two fit beside the configured ones. A third gets the place of one that has gone, and only then. */
bool dynamic_neighbors_are_limited(void)
{
    struct stage stage;
    struct wire_peer third = {.fd = -1};
    json_t *report = NULL;
    uint8_t code[2];
    char name[48];
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(join_from(&stage, &stage.nva1, 230, 65105));
    REQUIRE(wire_peer_announce(&stage.nva1, 65105, "10.0.1.4", 7));
    REQUIRE(join_from(&stage, &stage.nva2, 231, 65106));
    apply(&stage, &third, 232, 65107, code);
    REQUIRE(code[0] == BGP_ERROR_CEASE && code[1] == BGP_CEASE_REJECTED);
    apply(&stage, &third, 231, 65107, code);
    REQUIRE(code[0] == BGP_ERROR_CEASE && code[1] == BGP_CEASE_REJECTED);
    wire_peer_close(&stage.nva1);
    REQUIRE(engine_says(&stage.engine, "Idle", PATIENCE_MS));
    REQUIRE(join_from(&stage, &third, 232, 65107));
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(json_array_size(json_object_get(report, "sessions")) == 8 + 2 * ENGINE_CROWD);
    REQUIRE(stage_session_number(report, dynamic_name(&stage, 232, name), "asn") == 65107);
    REQUIRE(stage_session_number(report, name, "learned") == 0);
    REQUIRE(stage_session_number(report, dynamic_name(&stage, 231, name), "asn") == 65106);
    REQUIRE(stage_session_number(report, dynamic_name(&stage, 230, name), "asn") == -1);
cleanup:
    wire_peer_close(&third);
    json_decref(report);
    return stage_strike(&stage, holds);
}

bool second_signal_ends_at_once(void)
{
    struct stage stage;
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    /* A peer that does not close: the stop waits for it, for a second at most. */
    REQUIRE(stage_join(&stage, &stage.nva1, 0, 90));
    engine_signal(&stage.engine, SIGINT);
    REQUIRE(engine_says(&stage.engine, "telling", PATIENCE_MS));
    engine_signal(&stage.engine, SIGINT);
    REQUIRE(engine_wait(&stage.engine, PATIENCE_MS) == 130);
cleanup:
    return stage_strike(&stage, holds);
}

bool taken_port_is_a_bad_start(void)
{
    struct stage stage;
    struct engine second = {0};
    bool holds = stage_raise(&stage, false);
    REQUIRE(holds);
    REQUIRE(engine_spawn(&second, stage.engine.base, false));
    REQUIRE(engine_wait(&second, PATIENCE_MS) == 2);
    REQUIRE(engine_count(&second, "another program listens there") == 1);
    /* One line, no more. */
    REQUIRE(engine_count(&second, "\n") == 1);
    REQUIRE(engine_stop(&stage.engine) == 0);
cleanup:
    engine_clean(&second);
    return stage_strike(&stage, holds);
}

/* 192.0.2.0/24 is for documentation (RFC 5737): no machine has it. The line says the command that
 * would help. */
bool absent_address_is_a_bad_start(void)
{
    struct engine engine = {0};
    bool holds = true;
    REQUIRE(engine_spawn(&engine, "192.0.2", false));
    REQUIRE(engine_wait(&engine, PATIENCE_MS) == 2);
    REQUIRE(engine_count(&engine, "ip address add 192.0.2.4/32 dev lo") == 1);
    REQUIRE(engine_count(&engine, "\n") == 1);
cleanup:
    engine_clean(&engine);
    return holds;
}

static long long next_hop_packets(json_t *report, const char *next_hop)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(report, "next_hops"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "next_hop")), next_hop) == 0)
            return (long long)json_integer_value(json_object_get(row, "packets"));
    }
    return 0;
}

static long long total(json_t *report, const char *key)
{
    return (long long)json_integer_value(json_object_get(report, key));
}

static long long total_dropped(json_t *report)
{
    const char *reason;
    json_t *n;
    long long sum = 0;
    json_object_foreach(json_object_get(report, "dropped"), reason, n)
    {
        sum += (long long)json_integer_value(n);
    }
    return sum;
}

bool workers_run_beside_changing_routes(void)
{
    enum { ROUNDS = 4, PREFIXES = 2000 };
    struct stage stage;
    json_t *report = NULL;
    bool holds = stage_raise(&stage, true);
    REQUIRE(holds);
    /* nva2 stays; nva1 comes and goes, and half of the flows with it. */
    REQUIRE(stage_join(&stage, &stage.nva2, 1, 90));
    REQUIRE(wire_peer_announce(&stage.nva2, 65002, "10.0.1.5", PREFIXES));
    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t until = stage_now_ms() + 30000;
        while (!stage_join(&stage, &stage.nva1, 0, 90) && stage_now_ms() < until)
            usleep(100000);
        REQUIRE(wire_peer_announce(&stage.nva1, 65001, "10.0.1.4", PREFIXES));
        usleep(200000);
        wire_peer_close(&stage.nva1);
    }
    REQUIRE(engine_stop(&stage.engine) == 0);
    report = engine_report(&stage.engine);
    REQUIRE(report);
    REQUIRE(stage_session_number(report, "nva1", "established") == ROUNDS);
    REQUIRE(next_hop_packets(report, "10.0.1.4") > 0);
    REQUIRE(next_hop_packets(report, "10.0.1.5") > 0);
    REQUIRE(total(report, "received") ==
            total(report, "forwarded") + total(report, "answered") + total_dropped(report));
cleanup:
    json_decref(report);
    return stage_strike(&stage, holds);
}
