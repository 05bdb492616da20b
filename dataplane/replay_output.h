/*
 * The file that a replay writes: opened with care, looked at afterwards. DPDK's pcap device writes it in
 * between. Internal to the replay.
 */
#ifndef DATAPLANE_REPLAY_OUTPUT_H
#define DATAPLANE_REPLAY_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

struct dp_output {
    const char *path; /* borrowed; NULL: there is none */
    int file;         /* open for reading and writing; -1: none */
    bool is_new;
};

/* in is the open input, which must be another file. Refused: what cannot be written, and what cannot be
 * checked afterwards (a pipe, say). */
int dp_output_open(struct dp_output *output, const char *path, int in, char error[DP_ERROR_TEXT]);
/* Are all of these records in it? libpcap does not tell the device, nor the device us, that a disk is
 * full; the size does. */
int dp_output_check(const struct dp_output *output, uint64_t packets, uint64_t bytes,
                    uint64_t unwritten, char error[DP_ERROR_TEXT]);
/* The device writes records as long as their bytes. Of frames that their capture had cut, which left as
 * short as they came, the records are given the length that they would have on a wire. */
int dp_output_restore_lengths(const struct dp_output *output, char error[DP_ERROR_TEXT]);
/* failed: a file that was not there before is removed again. */
void dp_output_close(struct dp_output *output, bool failed);

#endif
