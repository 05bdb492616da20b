/*
 * Makes a packet trace for a NIC: flows towards what its effective routes lead to, IPv4 and IPv6,
 * mixed sizes and protocols, with a few frames that must be dropped, so that a report has something
 * to say.
 */
#ifndef ENGINE_CLI_TRACE_H
#define ENGINE_CLI_TRACE_H

#include "engine/fabric/effective.h"

struct trace_request {
    const struct fabric *fabric;
    uint32_t nic; /* that sends everything */
    const struct fabric_row *rows;
    size_t row_count;
    unsigned flows, packets; /* every flow has packets in both halves: packets >= 2 * flows */
    uint64_t seed;           /* equal seeds give equal traces */
};

/* Writes a pcap file. Returns 0 or -errno; -ENOENT: no Active row leads anywhere. */
int trace_write(const struct trace_request *request, const char *path);

#endif
