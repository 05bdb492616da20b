/*
 * Two testbeds of one kind: every burst goes through both, in one by the express way where it may, in the
 * other by the long one, and both must do the same.
 */
#ifndef TESTS_DATAPLANE_TESTBED_PAIR_H
#define TESTS_DATAPLANE_TESTBED_PAIR_H

#include "tests/dataplane/testbed.h"

enum { BED_EXPRESS, BED_LONG, BED_WAYS };
struct testbed_pair {
    struct testbed beds[BED_WAYS];
};

void testbed_pair_open(struct testbed_pair *pair, const struct testbed_options *options);
void testbed_pair_close(struct testbed_pair *pair);

/* A frame to receive: the last two as testbed_buffer() has them. */
struct testbed_frame {
    const uint8_t *bytes;
    uint32_t n;
    unsigned segments;
    bool exact;
};
/* What became of a burst, as both ways did it. */
struct testbed_outcome {
    unsigned fates[BED_REFUSED + 1]; /* of frames that left */
    uint64_t forwarded, answered, dropped;
    uint64_t reasons[DP_REASON_COUNT];
};
/* At most DP_BURST frames on one port. Aborts unless after it, in each bed, all that left is right
 * (testbed_check_sent()), received = forwarded + answered + dropped for each NIC and for the ports together, and no
 * buffer is lost; and unless the same frames left both by the same ports with the same accounts. */
struct testbed_outcome testbed_pair_try(struct testbed_pair *pair, unsigned port,
                                        const struct testbed_frame *frames, unsigned n);
/* The same on devices that take only so many frames each. Which ones is not the same by both ways, so only counters and
 * buffers are looked at; returned is the number that found no room, of the express way. */
uint64_t testbed_pair_try_clogged(struct testbed_pair *pair, unsigned port,
                                  const struct testbed_frame *frames, unsigned n, unsigned room);

#endif
