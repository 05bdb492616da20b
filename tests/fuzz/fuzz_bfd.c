/*
 * libFuzzer: a table of BFD sessions. The input is a script: datagrams of any bytes and lengths from
 * known and unknown addresses, well-formed ones with fields of any value, time that passes, stops
 * and starts. What must hold: output ends, deadlines lie ahead, and no packet breaks a rule that
 * holds for all of ours.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/bfd_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SESSIONS 3u

struct script {
    const uint8_t *at, *end;
    uint64_t now_us;
    struct bfd_table *table;
    const struct bfd_session *sessions[SESSIONS];
};

static uint8_t next(struct script *script)
{
    return script->at < script->end ? *script->at++ : 0;
}

static uint32_t next32(struct script *script)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value = value << 8 | next(script);
    }
    return value;
}

static struct bfd_path path_number(unsigned i)
{
    struct bfd_path path = {.local = {.family = LPM_IPV4}, .remote = {.family = LPM_IPV4}};
    path.remote.bytes[3] = (uint8_t)(1 + i);
    path.multihop = i == 1;
    return path;
}

static void give(struct script *script, unsigned to, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1); /* of the exact size, for the sanitizer */
    struct bfd_path path = path_number(to % (SESSIONS + 1));
    memcpy(copy, bytes, n);
    bfd_table_input(script->table, &path, 255 - (to >> 6 == 3), copy, n, script->now_us);
    free(copy);
}

static void give_raw(struct script *script)
{
    unsigned to = next(script);
    size_t n = next(script) % 64, left = (size_t)(script->end - script->at);
    n = n < left ? n : left;
    give(script, to, script->at, n);
    script->at += n;
}

static void give_packet(struct script *script, bool extreme)
{
    unsigned to = next(script), flags = next(script);
    uint8_t bytes[BFD_PACKET_SIZE];
    struct bfd_info info = {0};
    struct bfd_packet packet = {
        .state = (enum bfd_state)(flags & 3),
        .poll = flags & 4,
        .final = flags & 8,
        .demand = flags & 16,
        .diagnostic = flags >> 5,
        .multiplier = 1 + next(script) % 5,
        .my_discriminator = 1 + next(script) % 2,
        .desired_min_tx_us = extreme ? next32(script) : 50000,
        .required_min_rx_us = extreme ? next32(script) : 50000,
    };
    if (to % (SESSIONS + 1) < SESSIONS && !(to & 0x20)) {
        bfd_session_info(script->sessions[to % (SESSIONS + 1)], &info);
        packet.your_discriminator = info.discriminator;
    }
    bfd_packet_encode(&packet, bytes);
    give(script, to, bytes, sizeof bytes);
}

static void run(struct script *script)
{
    struct bfd_datagram datagram;
    unsigned n = 0;
    while (bfd_table_output(script->table, script->now_us, &datagram)) {
        struct bfd_packet packet;
        struct bfd_info info;
        assert(++n <= 2 * SESSIONS); /* a periodic packet and an answer each */
        assert(bfd_packet_decode(datagram.bytes, BFD_PACKET_SIZE, &packet) == BFD_TAKEN);
        bfd_session_info(script->sessions[(uintptr_t)datagram.user], &info);
        assert(packet.my_discriminator == info.discriminator);
        assert(!(packet.poll && packet.final) && !packet.demand);
        assert(packet.state == BFD_UP || packet.desired_min_tx_us >= 1000000);
    }
    assert(bfd_table_deadline(script->table) > script->now_us);
}

static void step(struct script *script)
{
    unsigned i;
    switch (next(script) % 8) {
    case 0:
        give_raw(script);
        break;
    case 1:
        give_packet(script, true);
        break;
    case 2:
        script->now_us += (uint64_t)next(script) * 1000;
        break;
    case 3:
        script->now_us += next32(script);
        break;
    case 4:
        bfd_table_stop(script->table, script->sessions[next(script) % SESSIONS], script->now_us);
        break;
    case 5:
        i = next(script);
        bfd_table_start(script->table, script->sessions[i % SESSIONS], script->now_us,
                        i / 64 * 1000);
        break;
    default:
        give_packet(script, false);
    }
    run(script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t intervals_us[SESSIONS] = {10000, 50000, 3000000};
    struct bfd_table_config config = {.seed = 1};
    struct script script = {data, data + size, 1000, bfd_table_create(&config), {0}};
    for (uintptr_t i = 0; i < SESSIONS; i++) {
        struct bfd_path path = path_number((unsigned)i);
        if (bfd_table_add(script.table, &path, intervals_us[i], (uint8_t)(i + 1), (void *)i,
                          &script.sessions[i]) != 0) {
            abort();
        }
        bfd_table_start(script.table, script.sessions[i], script.now_us, 0);
    }
    while (script.at < script.end) {
        step(&script);
    }
    bfd_table_destroy(script.table);
    return 0;
}
