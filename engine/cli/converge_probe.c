#include "engine/cli/converge_probe.h"

#include <string.h>

#include "engine/cli/converge_fabric.h"

#define SAMPLES 2048u
/* Odd: samples meet NICs and prefixes in ever other pairs. */
#define STRIDE 7919u

/* Where the samples went: to each of both, and elsewhere. */
struct tally {
    size_t to[CONVERGE_NVAS], elsewhere;
};

static struct dp_packet packet_of(const struct converge_probe *probe, uint32_t nic, size_t i)
{
    const struct lpm_address *source = &probe->fabric->nics[nic].addresses.items[0];
    struct lpm_prefix prefix = converge_prefix(i * STRIDE % probe->prefixes);
    struct dp_packet packet = {
        .family = LPM_IPV4,
        .protocol = 6,
        .ttl = 64,
        .has_ports = true,
        .source_port = (uint16_t)(1024 + i),
        .destination_port = 443,
        .header_length = 20,
        .total_length = 100,
    };
    memcpy(packet.source, source->bytes, sizeof(packet.source));
    memcpy(packet.destination, prefix.bytes, sizeof(packet.destination));
    packet.destination[3] = 1;
    if (probe->to_frontend)
        memcpy(packet.destination, probe->fabric->load_balancers[0].frontend.bytes, 4);
    return packet;
}

static struct tally send_samples(const struct converge_probe *probe)
{
    const struct dp_decide_options options = {.skip_source_check = false};
    struct tally tally = {0};
    for (size_t i = 0; i < SAMPLES; i++) {
        uint32_t nic = probe->first_sender + (uint32_t)(i * STRIDE % probe->senders);
        uint32_t sender = program_nic_id(probe->program, nic);
        struct dp_packet packet = packet_of(probe, nic, i);
        struct dp_verdict verdict;
        dp_decide(probe->forwarding, &sender, &packet, &verdict, 1, &options);
        uint32_t receiver = program_nic_of(probe->program, verdict.nic);
        uint32_t which = receiver - probe->first_receiver; /* FABRIC_NONE is far above, too */
        if (verdict.action == DP_FORWARD && which < CONVERGE_NVAS)
            tally.to[which]++;
        else
            tally.elsewhere++;
    }
    return tally;
}

size_t converge_probe_shared(const struct converge_probe *probe)
{
    struct tally tally = send_samples(probe);
    bool one_sided = tally.to[0] == 0 || tally.to[1] == 0;
    return tally.elsewhere + (one_sided ? SAMPLES : 0);
}

size_t converge_probe_moved(const struct converge_probe *probe)
{
    struct tally tally = send_samples(probe);
    return tally.elsewhere + tally.to[0];
}
