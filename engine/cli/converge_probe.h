/*
 * Sample packets of bench converge: by which NVA the data plane's own decision sends them.
 */
#ifndef ENGINE_CLI_CONVERGE_PROBE_H
#define ENGINE_CLI_CONVERGE_PROBE_H

#include "engine/program/program.h"

struct converge_probe {
    const struct dp_forwarding *forwarding;
    const struct fabric *fabric; /* of converge_fabric_make() */
    const struct program *program;
    size_t prefixes; /* announced, by converge_prefix() */
    /* NICs by index: who sends, and of whom it is asked: the NVAs; or, of packets to the frontend, the backends. */
    uint32_t first_sender, senders, first_receiver;
    bool to_frontend;
};

/* Packets of NICs and to prefixes from all over; the calling thread is a registered reader. Return
 * how many did not go as they must: to either of both, with some to each; or all to the second one of them. */
size_t converge_probe_shared(const struct converge_probe *probe);
size_t converge_probe_moved(const struct converge_probe *probe);

#endif
