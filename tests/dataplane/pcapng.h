/*
 * Reads the pcapng files of captures, strictly: a block that is cut, or of another length than it says
 * at both ends, fails the test. (libpcap reads such files, but not their comments.)
 */
#ifndef TESTS_DATAPLANE_PCAPNG_H
#define TESTS_DATAPLANE_PCAPNG_H

#include <stdint.h>

struct pcapng_packet {
    uint32_t interface, captured, wire;
    uint64_t nanoseconds;
    uint32_t flags; /* 1: inbound, 2: outbound */
    char comment[256];
    uint8_t bytes[2048];
};
struct pcapng {
    unsigned interfaces, n;
    uint64_t received, missed; /* of the statistics; UINT64_MAX: there are none */
    struct pcapng_packet *packets;
};
/* Aborts the test on a file that is not whole. */
void pcapng_read(struct pcapng *file, const char *path);
void pcapng_free(struct pcapng *file);

#endif
