/* See stage.h. */
#include "tests/live/stage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/bgp/message.h"

bool stage_raise(struct stage *stage, bool with_traffic)
{
    memset(stage, 0, sizeof(*stage));
    stage->nva1.fd = stage->nva2.fd = -1;
    return engine_start(&stage->engine, with_traffic);
}

bool stage_strike(struct stage *stage, bool holds)
{
    wire_peer_close(&stage->nva1);
    wire_peer_close(&stage->nva2);
    if (!holds) {
        char *log = engine_log(&stage->engine);
        fprintf(stderr, "the engine's log:\n%s\n", log ? log : "");
        free(log);
    }
    engine_clean(&stage->engine);
    return holds;
}

bool stage_dial(struct stage *stage, struct wire_peer *peer, unsigned index)
{
    return wire_peer_connect(peer, stage->engine.peer[index], stage->engine.address[0], ENGINE_PORT,
                             0);
}

bool stage_join(struct stage *stage, struct wire_peer *peer, unsigned index, uint16_t hold_time_s)
{
    return stage_dial(stage, peer, index) && wire_peer_handshake(peer, 65001 + index, hold_time_s);
}

bool stage_join_second(struct stage *stage, struct wire_peer *peer, unsigned index,
                       uint16_t hold_time_s)
{
    return wire_peer_connect(peer, stage->engine.peer[index], stage->engine.address[1], ENGINE_PORT,
                             0) &&
           wire_peer_handshake(peer, 65001 + index, hold_time_s);
}

bool stage_dial_crowd(struct stage *stage, struct wire_peer *peer, unsigned index,
                      int receive_buffer)
{
    char address[20];
    snprintf(address, sizeof(address), "%s.%u", stage->engine.base, ENGINE_CROWD_HOST + index);
    return wire_peer_connect(peer, address, stage->engine.address[0], ENGINE_PORT, receive_buffer);
}

bool stage_join_crowd(struct stage *stage, struct wire_peer *peer, unsigned index)
{
    return stage_dial_crowd(stage, peer, index, 0) &&
           wire_peer_handshake(peer, ENGINE_CROWD_ASN + index, 3);
}

bool stage_read_prefixes(struct wire_peer *peer, unsigned n)
{
    struct wire_message message;
    unsigned seen = 0;
    while (seen < n) {
        if (!wire_peer_read(peer, &message, PATIENCE_MS) || message.type == 0)
            return false;
        seen += wire_message_prefixes(&message);
    }
    return true;
}

bool stage_session_lives(struct wire_peer *peer)
{
    struct wire_message message = {.type = BGP_UPDATE};
    for (int64_t until = stage_now_ms() + PATIENCE_MS;
         message.type != BGP_KEEPALIVE && message.type != 0 && stage_now_ms() < until;) {
        if (!wire_peer_keepalive(peer))
            return false;
        wire_peer_expect(peer, BGP_KEEPALIVE, &message, 500);
    }
    return message.type == BGP_KEEPALIVE;
}

long long stage_session_number(json_t *report, const char *peer, const char *key)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(report, "sessions"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "peer")), peer) == 0 &&
            json_integer_value(json_object_get(row, "instance")) == 0)
            return (long long)json_integer_value(json_object_get(row, key));
    }
    return -1;
}

int64_t stage_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
