/*
 * A capture file, checked from end to end before a packet of it is forwarded.
 */
#ifndef DATAPLANE_PCAP_CHECK_H
#define DATAPLANE_PCAP_CHECK_H

#include <stdint.h>

#include "dataplane/dataplane.h"

struct dp_capture_file {
    uint64_t frames;
    uint32_t captured_max; /* bytes of the longest record */
    /* Of each frame on its wire; NULL when every frame was captured whole. */
    uint32_t *wire_lengths;
    uint64_t *times; /* of each frame in nanoseconds, never going back; NULL: not asked for */
    int file;        /* open for reading */
};

/* Opens and reads the whole file with libpcap. Refused, with a line that names the file and says
 * what would be right: no regular file, unreadable, no capture, cut short within a record, not
 * Ethernet, a record above DP_FRAME_MAX. An empty capture is fine. */
int dp_capture_file_open(const char *path, bool with_times, struct dp_capture_file *capture,
                         char error[DP_ERROR_TEXT]);
void dp_capture_file_close(struct dp_capture_file *capture);

#endif
