/*
 * Engines on pcap devices. One tx queue a device, whatever the number of workers.
 */
#include "tests/dataplane/live.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 20000

static const char *path_of(const struct live *live, const char *direction, unsigned port)
{
    char name[32];

    snprintf(name, sizeof(name), "%s%u.pcap", direction, port);
    return lab_path(live->lab, name);
}

void live_open(struct live *live, struct lab *lab, unsigned port_count)
{
    *live = (struct live){.lab = lab, .port_count = port_count};
    for (unsigned port = 0; port < port_count; port++)
        live->in[port] = trace_create(path_of(live, "in", port), DLT_EN10MB);
}

void live_send(struct live *live, unsigned port, const struct frame *frame)
{
    trace_add(live->in[port], frame);
    live->frames_in++;
}

static void wait_for_counters(struct live *live)
{
    for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
        dp_counters_total(live->lab->forwarding, &live->counters);
        if (live->counters.received == live->frames_in && counters_add_up(&live->counters))
            return;
        usleep(1000);
    }
}

static uint64_t sent_by(const struct live *live, const struct dp_engine *engine)
{
    struct dp_port_status status;
    uint64_t sum = 0;

    for (unsigned port = 0; port < live->port_count; port++) {
        dp_engine_port_status(engine, port, &status);
        sum += status.tx_packets;
    }
    return sum;
}

static void run_midway(const struct live *live, const struct dp_engine *engine)
{
    const uint64_t before = sent_by(live, engine);

    live->midway(live->lab);
    for (unsigned ms = 0; ms < PATIENCE_MS && sent_by(live, engine) < before + live->more; ms++)
        usleep(1000);
}

static struct dp_engine *start(struct live *live)
{
    static char options[LIVE_PORTS][300], names[LIVE_PORTS][16];
    struct dp_port_config ports[LIVE_PORTS];
    unsigned core = lab_core(), cores[4] = {core, core, core, core};
    struct dp_engine_config config = {.ports = ports,
                                      .port_count = live->port_count,
                                      .cores = cores,
                                      .core_count = live->workers ? live->workers : 1,
                                      .quiet = true};
    char error[DP_ERROR_TEXT];
    struct dp_engine *engine;

    for (unsigned port = 0; port < live->port_count; port++) {
        snprintf(options[port], sizeof(options[port]), "rx_pcap=%s,tx_pcap=%s",
                 path_of(live, "in", port), path_of(live, "out", port));
        snprintf(names[port], sizeof(names[port]), "p%u", port);
        ports[port] = (struct dp_port_config){
            .name = names[port], .device = "net_pcap", .options = options[port]};
    }
    if (dp_engine_start(&config, live->lab->forwarding, &engine, error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    return engine;
}

/* RFC 5227 3: the sender asks for itself. RFC 4861 7.2.6: unsolicited; to a guest, or by no router. */
static bool is_announcement(const struct frame *frame)
{
    const uint8_t *bytes = frame->bytes, *ip;
    const unsigned l2 = bytes[12] == 0x81 && bytes[13] == 0 ? 18 : 14;

    ip = bytes + l2;
    if (bytes[l2 - 2] == 0x08 && bytes[l2 - 1] == 0x06)
        return ip[7] == 1 && memcmp(ip + 14, ip + 24, 4) == 0;
    return bytes[l2 - 2] == 0x86 && bytes[l2 - 1] == 0xdd && ip[6] == 58 && ip[40] == 136 &&
           !(ip[44] & 0x40) && (!(bytes[0] & 1) || !(ip[44] & 0x80));
}

static void part_announcements(struct frames *out, struct frames *announced)
{
    unsigned kept = 0;

    *announced = (struct frames){.frames = calloc(out->n + 1, sizeof(*out->frames))};
    for (unsigned i = 0; i < out->n; i++) {
        if (is_announcement(&out->frames[i]))
            announced->frames[announced->n++] = out->frames[i];
        else if (kept++ != i)
            out->frames[kept - 1] = out->frames[i];
    }
    out->n = kept;
}

void live_run(struct live *live)
{
    struct dp_engine *engine;

    for (unsigned port = 0; port < live->port_count; port++) {
        trace_close(live->in[port]);
        live->in[port] = NULL;
    }
    engine = start(live);
    wait_for_counters(live);
    if (live->midway)
        run_midway(live, engine);
    for (unsigned port = 0; port < live->port_count; port++)
        dp_engine_port_status(engine, port, &live->status[port]);
    dp_engine_stop(engine);
    for (unsigned port = 0; port < live->port_count; port++) {
        live->status[port].name = NULL; /* went with the engine */
        frames_read(&live->out[port], path_of(live, "out", port));
        part_announcements(&live->out[port], &live->announced[port]);
    }
}

void live_close(struct live *live)
{
    for (unsigned port = 0; port < live->port_count; port++)
        frames_free(&live->out[port]);
    for (unsigned port = 0; port < live->port_count; port++)
        frames_free(&live->announced[port]);
}
